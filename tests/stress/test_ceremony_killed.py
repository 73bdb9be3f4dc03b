"""Ceremonies that are killed: before every single change on the disk, and by `kill -9` of the program where something gets its name."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from tests.support.cli import VALIZA, run, works
from tests.support.strace import points, struck, traced

pytestmark = pytest.mark.slow

ROOT: Final = Path(__file__).parents[2]
KINDS: Final = ("new-root", "rotation", "new-body", "compromise", "recovery")
PEOPLE: Final = ("aliya", "saule")


@pytest.mark.parametrize("how", ["lead", "void"])
@pytest.mark.parametrize("kind", KINDS)
def test_killed_before_every_change_on_the_disk(kind: str, how: str, tmp_path: Path) -> None:
    """It is gone on with, or void; every key file that is left is one that the transcript tells of, and nothing secret lies in the folder."""
    words = [sys.executable, "-m", "tests.support.killed_ceremony", kind, str(tmp_path), how]
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
    for point in every[:: len(every) // 5]:
        folder = tmp_path / "asked"
        words = _prepared(folder)
        codes.add(struck(words, point, number).code)
        again = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
        assert again.returncode == 0, f"{point}: {again.stderr}"
        assert sorted(path.name for path in folder.glob("*.key")) == ["aliya.key", "saule.key"]
        shutil.rmtree(folder)
    assert 130 in codes
    assert codes <= {0, 130}
