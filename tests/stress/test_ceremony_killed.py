"""Ceremonies that are killed: before changes on the disk (before every one: soak/ceremonies.py), and by `kill -9` of the program."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from tests.support.ceremony import (
    Scene,
    certified_body,
    compromise,
    first_root,
    key_path,
    later_root,
    named,
    old,
    root_before,
)
from tests.support.cli import VALIZA, run, works
from tests.support.strace import points, struck, traced

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.slow

ROOT: Final = Path(__file__).parents[2]
KINDS: Final = ("new-root", "rotation", "new-body", "compromise", "recovery")
PEOPLE: Final = ("aliya", "saule")
EVERY: Final = {"lead": 13, "void": 19}  # of the changes; primes, so that one kind's places are not those of another


@pytest.mark.parametrize("how", ["lead", "void"])
@pytest.mark.parametrize("kind", KINDS)
def test_killed_before_a_change_on_the_disk(kind: str, how: str, tmp_path: Path) -> None:
    """It is gone on with, or void; every key file that is left is one that the transcript tells of, and nothing secret lies in the folder."""
    words = [sys.executable, "-m", "tests.support.killed_ceremony", kind, str(tmp_path), how, str(EVERY[how])]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=1800, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert int(done.stdout) > 40


def _prepared(folder: Path) -> list[str | Path]:
    """A ceremony of one custodian and one witness that a script leads; the passphrases come from files, which can be opened again."""
    folder.mkdir()
    plan = folder / "root.toml"
    digest = works(
        *("ceremony", "plan", "new-root", "--title=A root", "--party=KZ", "--degrees=1,2", "--threshold=1", "--valid-from=2026-01-01T00:00:00Z"),
        *("--operator=timur:Timur", "--custodian=aliya:Aliya", "--witness=saule:Saule", "-o", plan, "--json"),
    ).facts["digest"]
    answers = (
        f'[open]\npresent = true\nplan = "{digest}"\ncode = true\ntime = true\n[draft.root]\nfingerprint = "shown"\n[sign.root.aliya]\nsign = true\n'
    )
    for name in PEOPLE:
        answers += f'[key.{name}]\nfile = "{folder}/{name}.key"\nheard = true\n[attest.{name}]\nsign = true\n'
    answers += "[passphrase]\naliya = 0\nsaule = 0\n"  # one line for both, from standard input
    (folder / "answers.toml").write_text(answers, encoding="utf-8")
    (folder / "secret").write_text("a secret\n", encoding="utf-8")
    command = f'exec "{VALIZA}" ceremony run "{plan}" --dir "{folder}/root" --answers "{folder}/answers.toml" --json < "{folder}/secret"'
    return ["/bin/sh", "-c", command]


@pytest.mark.usefixtures("strace")
def test_program_killed_where_something_gets_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VALIZA_UNLOCK_SECONDS", "0")
    done, calls = traced(_prepared(tmp_path / "count"))
    assert done.code == 0, done.err
    naming = [point for point in points(calls, "answers.toml") if point.call in {"linkat", "rename", "renameat2"}]
    assert len(naming) > 12
    for point in naming[::4]:
        folder = tmp_path / "killed"
        words = _prepared(folder)
        assert struck(words, point, signal.SIGKILL).code == -signal.SIGKILL
        again = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
        assert again.returncode == 0, f"{point}: {again.stderr}"
        assert sorted(path.name for path in folder.glob("*.key")) == ["aliya.key", "saule.key"]
        assert run("ceremony", "verify", folder / "root" / "transcript.vls").code == 0
        assert list(folder.rglob(".valiza-*")) == []
        shutil.rmtree(folder)


@pytest.mark.usefixtures("strace")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_program_asked_to_end(number: signal.Signals, tmp_path: Path) -> None:
    """It ends at the next question at the latest, or does all of it; and goes on."""
    done, calls = traced(_prepared(tmp_path / "count"))
    assert done.code == 0, done.err
    every = points(calls, "answers.toml")
    codes = set()
    for point in every[:: len(every) // 3]:
        folder = tmp_path / "asked"
        words = _prepared(folder)
        codes.add(struck(words, point, number).code)
        again = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
        assert again.returncode == 0, f"{point}: {again.stderr}"
        assert sorted(path.name for path in folder.glob("*.key")) == ["aliya.key", "saule.key"]
        shutil.rmtree(folder)
    assert 130 in codes
    assert codes <= {0, 130}


# -- at every step --------------------------------------------------------------------------------------------------------


def _rotation(table: Path) -> Scene:
    return later_root(table, [old("aliya"), old("bolat", "new"), old("dana", "none"), named("erlan")])


def _revoking(table: Path) -> Scene:
    return compromise(table, grants=[], inputs={"root.vls": root_before().raw, "old.vls": certified_body().raw})


SCENES: Final[dict[str, Callable[[Path], Scene]]] = {"new-root": first_root, "rotation": _rotation, "compromise": _revoking}


class Room:
    """A ceremony that lies ready on a table, for the program; its secrets come from files."""

    def __init__(self, scene: Scene) -> None:
        self.table = scene.table
        self.plan = scene.table / "plan.toml"
        self.plan.write_bytes(scene.plan)
        for name, raw in scene.inputs.items():
            (scene.table / name).write_bytes(raw)
        shown = works("ceremony", "show", self.plan, "--json").facts
        self.steps = [step["id"] for step in shown["steps"]]
        self.secrets: dict[tuple[str, str], str] = {}
        lines = [f'[open]\npresent = true\nplan = "{shown["digest"]}"\ncode = true\ntime = true']
        lines += [f'root = "{root.fingerprint}"' for root in scene.roots[-1:]]
        for step in self.steps:
            name, _, rest = step.partition(".")
            who = rest.rpartition(".")[2]
            if name == "key":
                about = "previous" if rest.startswith("previous.") else None
                what = "passphrase" if about is None else "previous-passphrase"
                self.secrets[what, who] = f"{what} of {who}"
                lines.append(f'[{step}]\nfile = "{key_path(self.table, who, about)}"\nheard = true')
            elif name == "draft":
                lines.append(f'[{step}]\nfingerprint = "shown"')
            elif name in {"sign", "sign-previous", "attest"}:
                lines.append(f"[{step}]\nsign = true")
        self.answers = "\n".join(lines)

    def begin(self) -> subprocess.Popen[str]:
        """Start the program."""
        text, descriptors = self.answers, []
        for what in ("passphrase", "previous-passphrase"):
            text += f"\n[{what}]\n"
            for (kind, who), secret in self.secrets.items():
                if kind == what:
                    reading, writing = os.pipe()
                    os.write(writing, secret.encode())
                    os.close(writing)
                    descriptors.append(reading)
                    text += f"{who} = {reading}\n"
        answers = self.table / "answers.toml"
        answers.write_text(text, encoding="utf-8")
        words: list[str | Path] = [VALIZA, "ceremony", "run", self.plan, "--dir", self.table / "ceremony", "--answers", answers]
        try:
            return subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, pass_fds=descriptors
            )
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def until(self, program: subprocess.Popen[str], step: str) -> str:
        """Read what the program says until it begins with a step, or ends; what it said."""
        said = ""
        assert program.stderr is not None
        for line in program.stderr:
            said += line
            if line.rstrip().endswith(f": {step}") and " of " in line:
                break
        return said

    def require_no_secret(self) -> None:
        """Neither in the ceremony's folder nor anywhere else on the table."""
        for path in self.table.rglob("*"):
            if path.is_file() and path.suffix != ".key":
                data = path.read_bytes()
                assert not any(secret.encode() in data for secret in self.secrets.values()), path


@pytest.mark.parametrize(
    ("kind", "number"),
    [("new-root", signal.SIGKILL), ("rotation", signal.SIGTERM), ("compromise", signal.SIGINT)],
    ids=lambda value: value.name if isinstance(value, signal.Signals) else value,
)
def test_stopped_in_every_step(kind: str, number: signal.Signals, tmp_path: Path) -> None:
    """One sitting after the other is stopped, each in the next step; the last one comes to the end."""
    room = Room(SCENES[kind](tmp_path))
    before = {path.name: path.read_bytes() for path in tmp_path.glob("*.key")}
    for step in room.steps:
        with room.begin() as program:
            said = room.until(program, step)
            program.send_signal(number)
            rest = program.communicate(timeout=120)[1]
        assert program.returncode in {-number, 128 + number, 130, 0}, said + rest
        room.require_no_secret()
        assert {name: (tmp_path / name).read_bytes() for name in before} == before
    with room.begin() as program:
        said = program.communicate(timeout=120)[1]
    assert program.returncode == 0, said
    facts = works("ceremony", "verify", tmp_path / "ceremony" / "transcript.vls", "--json").facts["verified"]
    assert facts["missing"] == []
    assert facts["sittings"] > len(room.steps) // 2
    room.require_no_secret()
    keys = {one["id"] for one in facts["participants"] if one["signed"]}
    assert {path.name for path in tmp_path.glob("*.key")} - set(before) <= {f"{name}.key" for name in keys}
    assert list(tmp_path.rglob(".valiza-*")) == []
