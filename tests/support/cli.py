"""The command line in tests: commands run in this process or as a program, and two offices made once and copied for each test."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

import click

from valiza.cli.main import cli
from valiza.cli.main import run as run_valiza

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

__all__ = [
    "VALIZA",
    "Office",
    "Outcome",
    "World",
    "assert_failed",
    "fails",
    "found_world",
    "leaves",
    "listing",
    "program",
    "require_understood",
    "run",
    "works",
]

VALIZA: Final = Path(sys.executable).with_name("valiza")
ERROR: Final = "valiza: error: "
HINT: Final = "valiza: hint: "

# What `seal` needs besides the carriers and the output; a test that wants another value gives the option once more.
ORDER: Final = (
    "--to=BY-MFA", "--agreement=kz-by", "--mark=3", "--channel=courier", "--transport=air", "--escort=courier", "--leg=Astana:Minsk",
    "--decision=Government decision No. 12", "--conclusion=expert conclusion No. 7", "--purpose=joint exercise", "--yes",
)  # fmt: skip
KZ_OFFICERS: Final = ("aigul:seal,open:1:Aigul Serik", "dana:::Dana Omar", "sanzhar:act,register:1:Sanzhar Nur")
BY_OFFICERS: Final = (
    "yanka:open,acknowledge,countersign:1:Yanka Kupava",
    "maryna:open,countersign:1:Maryna Bor",
    "alena:open,acknowledge:3:Alena Kish",
    "mikola:act,register:1:Mikola Haj",
)


@dataclass(frozen=True)
class Outcome:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def raw(self) -> bytes:
        """The very bytes on standard output."""
        return self.out.encode("utf-8", "surrogateescape")

    @property
    def facts(self) -> Any:
        """What `--json` printed."""
        return json.loads(self.out)

    @property
    def error(self) -> str:
        """The one error that was told."""
        (only,) = [line for line in self.err.splitlines() if line.startswith(ERROR)]
        return only.removeprefix(ERROR)

    @property
    def hint(self) -> str:
        """What was told to try, or nothing."""
        return "\n".join(line.removeprefix(HINT) for line in self.err.splitlines() if line.startswith(HINT))


def run(*arguments: str | Path, stdin: bytes = b"") -> Outcome:
    """Run a command in this process, with nobody at a terminal."""
    said = io.BytesIO(), io.BytesIO()
    out, err = (io.TextIOWrapper(stream, "utf-8", write_through=True) for stream in said)
    given = io.TextIOWrapper(io.BytesIO(stdin), "utf-8")
    with patch.object(sys, "stdin", given), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run_valiza([str(argument) for argument in arguments])
    return Outcome(code, *(stream.getvalue().decode("utf-8", "surrogateescape") for stream in said))


def program(*arguments: str | Path, stdin: bytes = b"", env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Outcome:
    """Run the installed program, as a shell would."""
    environment = {**os.environ, **(env or {})}
    done = subprocess.run([VALIZA, *arguments], input=stdin, capture_output=True, env=environment, cwd=cwd, timeout=60, check=False)
    return Outcome(done.returncode, done.stdout.decode("utf-8", "surrogateescape"), done.stderr.decode("utf-8", "surrogateescape"))


def works(*arguments: str | Path, stdin: bytes = b"") -> Outcome:
    """Run a command that must end well."""
    done = run(*arguments, stdin=stdin)
    assert done.code == 0, done.err
    return done


def fails(code: int, *arguments: str | Path, stdin: bytes = b"") -> Outcome:
    """Run a command that must end with `code`, with one error line and no result."""
    done = run(*arguments, stdin=stdin)
    assert_failed(done, code)
    return done


def assert_failed(done: Outcome, code: int) -> None:
    """What holds of every failure: its exit code, one error line in the house's form, nothing on stdout, no traceback."""
    assert done.code == code, (done.err or done.out)[:1000]
    assert "Traceback" not in done.err
    assert done.out == ""
    first = done.error.split()[0]
    assert first[0] == first[0].lower() or first == first.upper(), f"an error begins small, unless with the id of a party: {done.error}"
    assert not done.error.endswith("."), f"an error has no full stop: {done.error}"
    strays = [line for line in done.err.splitlines() if line and not line.startswith("valiza: ")]
    assert strays == []


def leaves(group: click.Group = cli, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command that does something, by the words that name it, in the order of the help."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from leaves(command, (*path, name))
        else:
            yield (*path, name)


def require_understood(words: Sequence[str]) -> None:
    """Raise unless the program understands these words: the command is there, and takes these options and arguments. Nothing is run.

    Raises:
        click.UsageError: it would end with exit code 2 before any work.
    """
    command: click.Command = cli
    context = click.Context(cli, info_name="valiza", **cli.context_settings)
    rest = list(words)
    while isinstance(command, click.Group):
        if rest[0] in {"-h", "--help", "--version"}:
            return
        name, found, rest = command.resolve_command(context, rest)
        assert found is not None
        context = click.Context(found, parent=context, info_name=name)
        command = found
    if not {"-h", "--help"} & set(rest):
        command.make_context(context.info_name, rest, parent=context.parent)


def listing(*folders: Path) -> list[str]:
    """Everything below some folders, except what SQLite keeps beside an open register."""
    return sorted(str(path) for folder in folders for path in folder.rglob("*") if not path.name.endswith(("-wal", "-shm")))


@dataclass(frozen=True)
class Office:
    """An office made for tests, and what it published."""

    home: Path
    party: str
    roster: Path

    @property
    def body(self) -> str:
        """Id of its body."""
        return f"{self.party}-MFA"

    @property
    def root(self) -> str:
        """Fingerprint of its party's root."""
        return (self.home / "roots" / self.party).read_text(encoding="ascii").strip()

    def run(self, *arguments: str | Path, stdin: bytes = b"") -> Outcome:
        """Run a command at this office."""
        return run(*arguments, "--home", self.home, stdin=stdin)

    def works(self, *arguments: str | Path, stdin: bytes = b"") -> Outcome:
        """Run a command at this office that must end well."""
        return works(*arguments, "--home", self.home, stdin=stdin)

    def fails(self, code: int, *arguments: str | Path, stdin: bytes = b"") -> Outcome:
        """Run a command at this office that must end with `code`."""
        return fails(code, *arguments, "--home", self.home, stdin=stdin)


@dataclass(frozen=True)
class World:
    """A folder with an office of each party, which trust each other and adopted an agreement, and a carrier to send."""

    folder: Path

    @property
    def kz(self) -> Office:
        """The origin's office."""
        return self._office("KZ")

    @property
    def by(self) -> Office:
        """The destination's office."""
        return self._office("BY")

    @property
    def agreement(self) -> Path:
        """The agreement, signed by both."""
        return self.folder / "agreement.vls"

    @property
    def carrier(self) -> Path:
        """A small file."""
        return self.folder / "map.txt"

    @property
    def strangers_trust(self) -> list[str | Path]:
        """Options by which somebody without an office verifies."""
        offices = (self.kz, self.by)
        return [*(f"--root={o.root}" for o in offices), *(f"--roster={o.roster}" for o in offices), f"--agreement={self.agreement}"]

    def _office(self, party: str) -> Office:
        return Office(home=self.folder / party, party=party, roster=self.folder / f"{party}.roster.vls")

    def path(self, name: str) -> Path:
        """A path in the folder."""
        return self.folder / name

    def copy(self, folder: Path) -> World:
        """The same offices in another folder, to do with as one likes."""
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        return World(folder)

    def order(self, *extra: str | Path, files: Iterable[Path] | None = None) -> list[str | Path]:
        """Arguments of a `seal` that is permitted, without its output."""
        return ["seal", *([self.carrier] if files is None else files), *ORDER, *extra]

    def seal(self, *extra: str | Path, files: Iterable[Path] | None = None, name: str = "envelope.vlz") -> Path:
        """Seal at the origin; returns the envelope."""
        self.kz.works(*self.order(*extra, files=files), "-o", self.path(name))
        return self.path(name)

    def open(self, envelope: Path, *extra: str | Path, name: str = "opened", officer: str = "yanka") -> Path:
        """Open at the destination; returns the folder."""
        self.by.works("open", envelope, *extra, "-o", self.path(name), "--as", officer)
        return self.path(name)

    def acknowledge(self, envelope: Path, *extra: str | Path, name: str = "envelope.ack.vls", officer: str = "yanka") -> Path:
        """Acknowledge at the destination; returns the acknowledgement."""
        self.by.works("acknowledge", envelope, *extra, "-o", self.path(name), "--as", officer)
        return self.path(name)

    def refuse(self, envelope: Path, *extra: str | Path, name: str = "envelope.refusal.vls", officer: str = "yanka") -> Path:
        """Refuse at the destination; returns the refusal."""
        self.by.works("refuse", envelope, "--reason=contents", *extra, "-o", self.path(name), "--as", officer)
        return self.path(name)

    def countersign(self, answer: Path, envelope: Path, name: str = "envelope.receipt.vls", officer: str = "maryna") -> Path:
        """Countersign at the destination; returns the receipt."""
        self.by.works("countersign", answer, "--envelope", envelope, "-o", self.path(name), "--as", officer)
        return self.path(name)

    def exchange(self, *extra: str | Path) -> tuple[Path, Path, Path]:
        """A whole exchange but for the last step; returns envelope, acknowledgement and receipt."""
        envelope = self.seal(*extra)
        self.open(envelope)
        acknowledgement = self.acknowledge(envelope)
        return envelope, acknowledgement, self.countersign(acknowledgement, envelope)


def found_world(folder: Path, draft: str | Path = "kz-by", *, passphrase: bool = False, flourish: str = "") -> World:
    """Make both offices in a folder, as people do once.

    Args:
        folder: where.
        draft: the agreement that both sign and adopt.
        passphrase: protect the keys by what VALIZA_PASSPHRASE says.
        flourish: what every name of a person or body ends with.
    """
    folder.mkdir(exist_ok=True)
    world = World(folder)
    world.carrier.write_text("56.1N 28.5E assembly area\n", encoding="utf-8")
    for party, officers in (("KZ", KZ_OFFICERS), ("BY", BY_OFFICERS)):
        chosen = [f"--name=en={party}-MFA{flourish}", *(f"--officer={officer}{flourish}" for officer in officers)]
        protection = [] if passphrase else ["--unprotected"]
        works("office", "init", folder / party, "--party", party, "--body", f"{party}-MFA", "--degrees=1,2,3", *chosen, *protection)
    for office in (world.kz, world.by):
        office.works("roster", "export", "-o", office.roster)
    world.kz.works("roster", "import", world.by.roster, "--root", world.by.root)
    world.by.works("roster", "import", world.kz.roster, "--root", world.kz.root)
    half = folder / "agreement.half.vls"
    world.kz.works("agreement", "sign", draft, "-o", half)
    world.by.works("agreement", "sign", half, "-o", world.agreement)
    for office in (world.kz, world.by):
        office.works("agreement", "adopt", world.agreement)
        office.works("register", "list")  # the register is there from now on
    return world
