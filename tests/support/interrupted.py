"""An exchange in which commands are interrupted: its steps, each with the world as it was before it, and what must hold after a command ended early.

What is checked after a kill:

1. nothing stands under its final name unless it is whole and in the register;
2. no plaintext lies outside the one private folder, and nothing else was changed or left but files of the name `.valiza-…`;
3. the register is a sound database, and has all the entries that it had, in order;
4. the same command again ends with 0 (or with 6 where its output is there already), removes and reports what was left;
5. the exchange goes on to the verdict `delivered`, and no other envelope is left open in the register.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sqlite3
import stat
import sys
import tempfile
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.support.cli import VALIZA, Outcome, World, assert_failed, found_world, run, works
from tests.support.strace import points, traced

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.strace import Point

__all__ = ["STEPS", "Exchange", "Found", "Step", "check_after", "check_interrupted", "check_kept", "entries", "left_over", "prepare"]

STEPS: Final = ("seal", "open", "acknowledge", "countersign", "verify")
MARKER: Final = b"<this is plaintext>"  # in every carrier, and nowhere else
TEMPORARY: Final = "temporary"  # TMPDIR of the commands, in the world, so that it is looked through too
_LEFT: Final = re.compile(r"\.valiza-[0-9a-f]{16}")
_WITHOUT: Final = Path(__file__).with_name("without.py")
_BESIDE: Final = ("-wal", "-shm", "-journal")


@dataclass(frozen=True)
class Step:
    """One command of the exchange, in a world where all before it is done."""

    name: str
    world: World
    without: str = ""  # what the file system cannot do: see without.py

    @property
    def output(self) -> Path | None:
        """What it makes, if it makes a file or folder."""
        name = {"seal": "envelope.vlz", "open": "opened", "acknowledge": "answer.vls", "countersign": "receipt.vls"}.get(self.name)
        return None if name is None else self.world.path(name)

    @property
    def home(self) -> Path:
        """The office that acts."""
        return (self.world.kz if self.name in {"seal", "verify"} else self.world.by).home

    @property
    def words(self) -> list[str | Path]:
        """The command's arguments."""
        world = self.world
        envelope, answer, receipt = world.path("envelope.vlz"), world.path("answer.vls"), world.path("receipt.vls")
        said: dict[str, list[str | Path]] = {
            "seal": [*world.order(files=_carriers(world))],
            "open": ["open", envelope, "--as=yanka"],
            "acknowledge": ["acknowledge", envelope, "--as=yanka"],
            "countersign": ["countersign", answer, "--envelope", envelope, "--as=maryna"],
            "verify": ["receipt", "verify", receipt],
        }
        output: list[str | Path] = [] if self.output is None else ["-o", self.output]
        return [*said[self.name], *output, "--home", self.home]

    @property
    def command(self) -> list[str | Path]:
        """The command as a program."""
        limited: list[str | Path] = [sys.executable, "-I", "-S", _WITHOUT, self.without] if self.without else []
        return [*limited, VALIZA, *self.words]

    @property
    def environment(self) -> dict[str, str]:
        """What its process needs to be told."""
        return {"TMPDIR": str(self.world.path(TEMPORARY))}


def _carriers(world: World) -> list[Path]:
    return [world.path(f"carrier-{index}.bin") for index in range(3)]


@dataclass(frozen=True)
class Exchange:
    """The worlds before each step."""

    before: dict[str, World]

    def at(self, name: str, folder: Path, without: str = "") -> Step:
        """A step in a world of its own, in a new folder."""
        return Step(name, self.before[name].copy(folder), without)

    def points(self, name: str, folder: Path, without: str = "") -> list[Point]:
        """Every point at which this step changes something on the disk, found by doing it in a new folder, which is removed."""
        step = self.at(name, folder, without)
        done, calls = traced(step.command, env=step.environment)
        assert done.code == 0, done.err
        shutil.rmtree(folder)
        return points(calls, "office.toml")


def prepare(folder: Path, size: int = 300_000) -> Exchange:
    """Found two offices, play the exchange, and keep the world as it was before each step. `size`: of the largest carrier, in bytes."""
    world = found_world(folder / "world")
    for path, length in zip(_carriers(world), (0, 100, size), strict=True):
        path.write_bytes((MARKER * (length // len(MARKER) + 1))[:length])
    world.path(TEMPORARY).mkdir()
    before = {}
    for name in STEPS:
        before[name] = world.copy(folder / f"before-{name}")
        works(*Step(name, world).words)
    return Exchange(before)


@dataclass
class Found:
    """What was found after a command had been interrupted."""

    output: bool  # it stands under its final name
    left: list[str] = field(default_factory=list)  # unfinished things, by path in the world
    entered: list[str] = field(default_factory=list)  # kinds of the entries that it made in the register


def left_over(world: World) -> list[Path]:
    """Everything unfinished in a world, the topmost of each."""
    return sorted(path for path in world.folder.rglob(".valiza-*") if _LEFT.fullmatch(path.name))


def entries(home: Path) -> list[tuple[object, ...]]:
    """All entries of a register, from a copy of its files, so that nothing is repaired by looking; the database itself is checked too."""
    with tempfile.TemporaryDirectory() as folder:
        for path in home.glob("register.db*"):
            shutil.copy(path, folder)
        copy = Path(folder, "register.db")
        if not copy.exists():
            return []
        with closing(sqlite3.connect(copy)) as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            found = database.execute("SELECT * FROM entry ORDER BY seq").fetchall()
    assert [row[0] for row in found] == list(range(1, len(found) + 1)), "an entry is missing"
    return found


def _kinds(rows: Sequence[tuple[object, ...]]) -> list[str]:
    return [str(row[2]) for row in rows]


def _contents(world: World) -> dict[str, str]:
    """Digest of every file, and the name of every folder; without the registers."""
    found = {}
    for path in world.folder.rglob("*"):
        if path.name == "register.db" or path.name.endswith(_BESIDE):
            continue
        name = str(path.relative_to(world.folder))
        found[name] = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
    return found


def check_kept(step: Step, before: World) -> Found:
    """Check what an interrupted command left as it is (1 to 3 above).

    Args:
        step: the step, in the world where it was interrupted.
        before: the world that this one is a copy of.
    """
    world = step.world
    old, new = _contents(before), _contents(world)
    assert {name: new.get(name) for name in old} == old, "a file that was there is not as it was"
    left = left_over(world)
    output = step.output
    allowed = [*left, *([] if output is None else [output])]
    strays = [name for name in set(new) - set(old) if not any(world.path(name).is_relative_to(path) for path in allowed)]
    assert strays == [], "something else was left"
    _check_secrecy(step, left)
    entered = []
    for home, earlier in ((world.kz.home, before.kz.home), (world.by.home, before.by.home)):
        rows, were = entries(home), entries(earlier)
        assert rows[: len(were)] == were, "an entry was changed"
        assert home == step.home or rows == were
        entered += _kinds(rows[len(were) :])
    found = Found(output is not None and os.path.lexists(output), [str(path.relative_to(world.folder)) for path in left], entered)
    if found.output:
        _check_whole(step)
    return found


def _check_secrecy(step: Step, left: Sequence[Path]) -> None:
    """Plaintext is where it was, in the finished output of `open`, or in a private folder that only its owner enters."""
    private = [path for path in left if path.is_dir()]
    for path in left:
        mode = path.lstat().st_mode
        assert stat.S_ISREG(mode) or (stat.S_ISDIR(mode) and stat.S_IMODE(mode) == 0o700), f"{path} has the mode {mode:o}"
    sources = _carriers(step.world)
    opened = step.world.path("opened")
    for path in step.world.folder.rglob("*"):
        if path.is_file() and path not in sources and MARKER in path.read_bytes():
            assert path.is_relative_to(opened) or any(path.is_relative_to(folder) for folder in private), f"plaintext lies in {path}"


_STATEMENT: Final = 12  # place of the column


def _record(home: Path, kind: str) -> bytes:
    """The statement that the last entry of a kind keeps; empty if it keeps none."""
    found = [row for row in entries(home) if row[2] == kind]
    assert found, f"nothing was entered as {kind!r}, and the output is there"
    statement = found[-1][_STATEMENT]
    assert isinstance(statement, bytes)
    return statement


def _check_whole(step: Step) -> None:
    """What stands under its final name is complete, and was entered before."""
    output = step.output
    assert output is not None
    if step.name == "seal":
        works("verify", output, "--home", step.world.by.home)
        _record(step.home, "sealed")
    elif step.name == "open":
        assert stat.S_IMODE(output.stat().st_mode) == 0o700
        assert {path.name: path.read_bytes() for path in output.iterdir()} == {path.name: path.read_bytes() for path in _carriers(step.world)}
        assert {stat.S_IMODE(path.stat().st_mode) for path in output.iterdir()} == {0o600}
        _record(step.home, "opened")
    else:
        assert output.read_bytes() == _record(step.home, "answered" if step.name == "acknowledge" else "receipt")


def check_after(step: Step, found: Found) -> None:
    """Do the work again and bring the exchange to its end (4 and 5 above)."""
    world, left = step.world, left_over(step.world)
    done = run(*step.words)
    expected = 6 if found.output else 0
    assert done.code == expected, f"the same command again ended with {done.code}: {done.err}"
    for path in left:
        assert path.name in done.err, f"it was not told that {path.name} was left"
    assert left_over(world) == [], "the next command did not remove what was left"
    assert list(world.path(TEMPORARY).iterdir()) == []
    if step.output is not None:
        _check_whole(step)
    _finish(step)
    for office, verdict in ((world.kz, "delivered"), (world.by, "countersigned")):
        listed = office.works("register", "list", "--json").facts["envelopes"]
        verdicts = [envelope["verdict"] for envelope in listed if envelope["verdict"] != "withdrawn"]
        assert verdicts == [verdict], f"the register of {office.party} has envelopes that are {', '.join(verdicts)}"
    assert left_over(world) == []


def check_interrupted(step: Step, before: World, done: Outcome) -> Found:
    """Check what a command left that was asked to end, and did: everything, with exit code 0, or nothing, with 130."""
    found = check_kept(step, before)
    assert found.left == []
    if done.code == 0:
        assert found.output or step.output is None
        return found
    assert_failed(done, 130)
    assert done.error == "interrupted"
    assert not found.output
    assert list(step.world.path(TEMPORARY).iterdir()) == []
    return found


def _finish(step: Step) -> None:
    """The steps after this one; the last of them says `delivered`."""
    for name in STEPS[STEPS.index(step.name) + 1 :]:
        works(*Step(name, step.world).words)
    final: Outcome = works(*Step("verify", step.world).words, "--json")
    assert final.facts["verdict"] == "delivered"
