"""The ceremonies in docs/ceremony: a root of three in five and what becomes of it, made by the scripts as they stand there."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
from tests.support.cli import VALIZA, Outcome, works

from valiza.keys.root import read_root

pytestmark = [pytest.mark.slow, pytest.mark.checkout]

SCRIPTS: Final = Path(__file__).parents[2] / "docs" / "ceremony"
PEOPLE: Final = ("aliya", "bolat", "dana", "erlan", "gulnar", "saule")


def secrets(folder: Path, names: tuple[str, ...] = PEOPLE) -> None:
    (folder / "secrets").mkdir(exist_ok=True)
    for name in names:
        (folder / "secrets" / f"{name}.passphrase").write_text(f"a secret of {name}\n", encoding="utf-8")


def lead(folder: Path, *more: str, script: str = "first-root.sh") -> Outcome:
    bash = shutil.which("bash")
    assert bash is not None
    environment = {**os.environ, "PATH": f"{VALIZA.parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        [bash, SCRIPTS / script, folder, *more], env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=300, check=False
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


def held(folder: Path, script: str, *more: str) -> dict[str, Any]:
    """Hold a ceremony, practised first; returns what its transcript says."""
    for rehearsal in (["--rehearsal"], []):
        done = lead(folder, *more, *rehearsal, script=script)
        assert done.code == 0, done.err
        assert f"rehearsal: {'yes' if rehearsal else 'no'}" in done.out
    facts: dict[str, Any] = works("ceremony", "verify", folder / script.removesuffix(".sh") / "transcript.vls", "--root", more[0], "--json").facts
    return dict(facts["verified"])


def test_what_becomes_of_it(tmp_path: Path) -> None:
    """A ministry is certified, custodians change, and the ministry's key is stolen."""
    secrets(tmp_path, (*PEOPLE, "madina", "yerbol", "zhanar"))
    assert lead(tmp_path).code == 0
    first = read_root((tmp_path / "ceremony" / "root.vls").read_bytes())
    kz = tmp_path / "kz"
    works("office", "join", kz, "--party=KZ", "--body=KZ-MFA", "--roster", tmp_path / "ceremony" / "root.vls", f"--root={first.fingerprint}")
    works("credential", "request", "office:certify,roster", "--home", kz, "--unprotected", "-o", tmp_path / "request.vls")
    assert held(tmp_path, "new-body.sh", first.fingerprint)["statements"] == ["credential-1", "credential-2"]
    works("credential", "accept", tmp_path / "new-body" / "credential-1.vls", tmp_path / "new-body" / "credential-2.vls", "--home", kz)
    works("roster", "publish", "--home", kz, "-o", tmp_path / "KZ.roster.vls")

    wrong = lead(tmp_path, "0" * 64, script="rotation.sh")
    assert wrong.code == 4, wrong.err
    assert held(tmp_path, "rotation.sh", first.fingerprint)["sittings"] == 2
    second = read_root((tmp_path / "rotation" / "root.vls").read_bytes())
    assert (second.version, {c.names["en"] for c in second.custodians}) == (
        2,
        {"Aliya Serik", "Bolat Omar", "Dana Akhmet", "Erlan Nur", "Madina Ospan"},
    )

    works("credential", "renew", "office:certify", "--home", kz, "--unprotected", "-o", tmp_path / "anew.vls")
    assert held(tmp_path, "compromise.sh", second.fingerprint, "1")["statements"] == ["credential-1", "revocation-1"]
    made = tmp_path / "compromise"
    works("credential", "accept", made / "credential-1.vls", tmp_path / "rotation" / "root.vls", "--home", kz)
    said = works("inspect", made / "revocation-1.vls", "--json").out
    assert "compromised" in said
    assert "stolen" in said
    files = [path for path in tmp_path.rglob("*") if path.is_file() and path.parent.name != "secrets"]
    assert [path for path in files if b"a secret of" in path.read_bytes()] == []
