"""The ceremony in docs/ceremony: a root of three in five, made by the script as it stands there."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest
from tests.support.cli import VALIZA, Outcome, works

from valiza.keys.root import read_root

pytestmark = [pytest.mark.slow, pytest.mark.checkout]

SCRIPT: Final = Path(__file__).parents[2] / "docs" / "ceremony" / "first-root.sh"
PEOPLE: Final = ("aliya", "bolat", "dana", "erlan", "gulnar", "saule")


def secrets(folder: Path) -> None:
    (folder / "secrets").mkdir()
    for name in PEOPLE:
        (folder / "secrets" / f"{name}.passphrase").write_text(f"a secret of {name}\n", encoding="utf-8")


def lead(folder: Path, *more: str) -> Outcome:
    bash = shutil.which("bash")
    assert bash is not None
    environment = {**os.environ, "PATH": f"{VALIZA.parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        [bash, SCRIPT, folder, *more], env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=300, check=False
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def test_three_of_five(tmp_path: Path) -> None:
    secrets(tmp_path)
    (tmp_path / "secrets" / "erlan.passphrase").rename(tmp_path / "later")
    (tmp_path / "secrets" / "erlan.passphrase").write_text("\n", encoding="utf-8")
    stopped = lead(tmp_path)
    assert stopped.code == 2, stopped.err
    assert "passphrase is empty" in stopped.error
    (tmp_path / "later").rename(tmp_path / "secrets" / "erlan.passphrase")
    done = lead(tmp_path)
    assert done.code == 0, done.err
    root = read_root((tmp_path / "ceremony" / "root.vls").read_bytes())
    assert (root.threshold, len(root.custodians), root.names["kk"]) == (3, 5, "Қазақстан")
    assert root.fingerprint in done.out
    verified = works("ceremony", "verify", tmp_path / "ceremony" / "transcript.vls", "--root", root.fingerprint, "--json").facts["verified"]
    assert verified["sittings"] == 2
    assert sorted(path.name for path in (tmp_path / "keys").iterdir()) == sorted(f"{name}.key" for name in PEOPLE)
    places = [tmp_path / "ceremony", tmp_path / "keys", tmp_path / "answers.toml", tmp_path / "root.toml"]
    files = [path for place in places for path in (place.rglob("*") if place.is_dir() else [place]) if path.is_file()]
    assert [path for path in files if b"a secret of" in path.read_bytes()] == []


def test_rehearsal(tmp_path: Path) -> None:
    secrets(tmp_path)
    done = lead(tmp_path, "--rehearsal")
    assert done.code == 0, done.err
    assert "rehearsal: yes" in done.out
