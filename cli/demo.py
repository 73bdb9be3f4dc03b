"""`valiza demo`: an office of each party in one folder, and a whole exchange, each step a command that can be typed again."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from valiza.cli.options import FILE, as_json, command_epilog
from valiza.cli.render import emit
from valiza.cli.terminal import safe, say, warn
from valiza.keys.errors import Refused, Usage, ValizaError

if TYPE_CHECKING:
    from pathlib import Path

ORIGIN, DESTINATION = ("KZ", "KZ-MFA"), ("BY", "BY-MFA")
SEALER, CLERK = "aigul", "dana"
OPENER, COUNTERSIGNER = "yanka", "maryna"
REGISTRARS = "sanzhar", "mikola"  # of the origin and the destination
MARK = "3"


@dataclass
class _Demo:
    """The folder, and the steps done so far."""

    folder: Path
    steps: list[dict[str, Any]] = field(default_factory=list)

    @property
    def origin(self) -> Path:
        return self.folder / "offices" / ORIGIN[1]

    @property
    def destination(self) -> Path:
        return self.folder / "offices" / DESTINATION[1]

    def path(self, name: str) -> Path:
        return self.folder / name

    def run(self, step: str, who: str, *arguments: str | Path) -> str:
        """Run one command in a process of its own, exactly as it is shown; returns what it printed on stdout."""
        argv = ["valiza", *map(str, arguments)]
        say(f"{len(self.steps) + 1:2}. {step}, by {who}")
        say(f"    $ {safe(shlex.join(argv))}")
        # -P: nothing that lies in the current folder is imported.
        command = [sys.executable, "-P", "-m", "valiza.cli", *argv[1:]]
        environment = {**os.environ, "VALIZA_CONFIG": ""}  # the steps say all; nobody's defaults change them
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, env=environment, check=False)  # noqa: S603 - our own command
        self.steps.append({"step": step, "argv": argv, "exit": done.returncode})
        if done.returncode:
            raise _step_failed(step, done)
        return done.stdout


def _step_failed(step: str, done: subprocess.CompletedProcess[str]) -> ValizaError:
    """What the step said, with its exit code."""
    lines = [line.removeprefix("valiza: error: ") for line in done.stderr.splitlines() if line.startswith("valiza: error: ")]
    error = ValizaError(f"step {step} failed: {lines[-1] if lines else 'it said nothing'}")
    error.exit_code = done.returncode
    return error


@click.command(
    epilog=command_epilog("valiza demo --dir try", "valiza demo report.pdf map.png --dir try --json"),
)
@click.argument("files", nargs=-1, type=FILE, metavar="[FILE…]")
@click.option("--dir", "folder", type=FILE, required=True, metavar="DIR", help="A new folder for everything; it must not exist.")
@as_json
def demo(files: tuple[Path, ...], folder: Path, json_: bool) -> None:
    """Make one office of each party in DIR, seal FILEs (made up if none are given) and run the exchange to its legal end.

    Four officers act: at the origin a sealer and a receipt clerk without any key, at the destination the officer who opens and
    acknowledges, and the countersigner; each office has a registrar besides, whose keys sign for its register. Each step shows the command,
    which you can type again.
    """
    started = time.monotonic()
    folder = folder.absolute()
    if folder.exists() or folder.is_symlink():
        message = f"{str(folder)!r} exists already"
        raise Refused(message, "name a new folder")
    for file in files:
        if not file.is_file():
            message = f"{str(file)!r} is no file"
            raise Usage(message)
    folder.mkdir(mode=0o700, parents=True)
    warn("demonstration: the keys are written without a passphrase")
    run = _Demo(folder)
    _found(run)
    facts = _exchange(run, [file.absolute() for file in files] or _made_up(folder))
    facts |= {"seconds": round(time.monotonic() - started, 3), "steps": run.steps}
    if json_:
        emit(facts, json_=True)
        return
    shown = {key: facts[key] for key in ("verdict", "envelope", "acknowledgement", "receipt", "offices", "marks", "seconds")}
    emit(shown, json_=False, title="the whole exchange is done")


def _made_up(folder: Path) -> list[Path]:
    carriers = folder / "carriers"
    carriers.mkdir()
    texts = {"Есеп № 7.txt": "Бірлескен жаттығудың есебі.\n", "map.txt": "56.1N 28.5E assembly area\n"}
    for name, text in texts.items():
        (carriers / name).write_text(text, encoding="utf-8")
    return [carriers / name for name in texts]


def _found(run: _Demo) -> None:
    """Offices, rosters and agreement: what two parties do once, by a way that they trust."""
    (run.folder / "offices").mkdir(mode=0o700)
    roots = {}
    for (party, body), home, officers in (
        (ORIGIN, run.origin, (f"{SEALER}:seal,open:1:Aigul Serik", f"{CLERK}:::Dana Omar", f"{REGISTRARS[0]}:act,register:1:Sanzhar Nur")),
        (
            DESTINATION,
            run.destination,
            (
                f"{OPENER}:open,acknowledge:1:Yanka Kupava",
                f"{COUNTERSIGNER}:countersign,open:1:Maryna Bor",
                f"{REGISTRARS[1]}:act,register:1:Mikola Haj",
            ),
        ),
    ):
        chosen = [word for officer in officers for word in ("--officer", officer)]
        made = run.run(
            f"office-{party}",
            body,
            "office",
            "init",
            home,
            "--party",
            party,
            "--body",
            body,
            "--degrees",
            "1,2,3",
            *chosen,
            "--unprotected",
            "--json",
        )
        roots[party] = json.loads(made)["root"]
        run.run(f"roster-{party}", body, "roster", "export", "-o", run.path(f"{party}.roster.vls"), "--home", home)
    for home, other in ((run.origin, DESTINATION[0]), (run.destination, ORIGIN[0])):
        run.run(f"trust-{other}", home.name, "roster", "import", run.path(f"{other}.roster.vls"), "--root", roots[other], "--home", home)
    half, whole = run.path("kz-by.half.vls"), run.path("kz-by.vls")
    run.run("agreement-half", ORIGIN[1], "agreement", "sign", "kz-by", "-o", half, "--home", run.origin)
    run.run("agreement-whole", DESTINATION[1], "agreement", "sign", half, "-o", whole, "--home", run.destination)
    for home in (run.origin, run.destination):
        run.run("agreement-adopt", home.name, "agreement", "adopt", whole, "--home", home)


def _exchange(run: _Demo, files: list[Path]) -> dict[str, Any]:
    envelope, acknowledgement, receipt = run.path("envelope.vlz"), run.path("acknowledgement.vls"), run.path("receipt.vls")
    sealed = json.loads(
        run.run(
            "seal", SEALER, "seal", *files, "--to", DESTINATION[1], "--agreement", "kz-by", "--mark", MARK,
            "--channel", "courier", "--transport", "air", "--escort", "courier", "--leg", "Astana:Minsk",
            "--decision", "Government decision No. 12 of 2026-11-20", "--conclusion", "expert conclusion No. 7 of 2026-11-18",
            "--purpose", "joint exercise", "--classified-by", "KZ-MFA", "--ground", "list of secrets, item 4",
            "-o", envelope, "--yes", "--json", "--home", run.origin, "--as", SEALER,
        )
    )  # fmt: skip
    marks = {ORIGIN[0]: sealed["marks"]["origin_text"], DESTINATION[0]: sealed["marks"]["destination_text"]}
    say(f"    marks: {ORIGIN[0]} {marks[ORIGIN[0]]} = {DESTINATION[0]} {marks[DESTINATION[0]]}")
    run.run("inspect", OPENER, "inspect", envelope)
    run.run("verify", OPENER, "verify", envelope, "--home", run.destination)
    run.run("open", OPENER, "open", envelope, "-o", run.path("opened"), "--home", run.destination, "--as", OPENER)
    run.run("acknowledge", OPENER, "acknowledge", envelope, "-o", acknowledgement, "--home", run.destination, "--as", OPENER)
    run.run(
        "countersign", COUNTERSIGNER, "countersign", acknowledgement, "--envelope", envelope, "-o", receipt, "--home", run.destination,
        "--as", COUNTERSIGNER,
    )  # fmt: skip
    verified = json.loads(run.run("verify-receipt", CLERK, "receipt", "verify", receipt, "--json", "--home", run.origin))
    return {
        "verdict": verified["verdict"],
        "envelope": str(envelope),
        "acknowledgement": str(acknowledgement),
        "receipt": str(receipt),
        "offices": {ORIGIN[1]: str(run.origin), DESTINATION[1]: str(run.destination)},
        "marks": marks,
    }
