"""`valiza demo`: a whole exchange in one folder, of which every step can be typed again."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.support.cli import VALIZA, Outcome, assert_failed, fails, program

if TYPE_CHECKING:
    from pathlib import Path

STEPS: Final = [
    *("office-KZ", "roster-KZ", "office-BY", "roster-BY", "trust-BY", "trust-KZ"),
    *("agreement-half", "agreement-whole", "agreement-adopt", "agreement-adopt"),
    *("seal", "inspect", "verify", "open", "acknowledge", "countersign", "verify-receipt"),
]


@pytest.fixture(scope="module")
def carriers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("carriers")
    (folder / "Есеп № 7.txt").write_bytes("Құпия мәтін".encode())
    (folder / "empty.bin").write_bytes(b"")
    return folder


@pytest.fixture(scope="module")
def demo(carriers: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    """One demonstration with carriers given, as JSON."""
    folder = tmp_path_factory.mktemp("demo") / "try"
    return folder, program("demo", *sorted(carriers.iterdir()), "--dir", folder, "--json")


def _steps(facts: dict[str, Any]) -> dict[str, list[str]]:
    return {step["step"]: step["argv"] for step in facts["steps"]}


def test_it_ends_well_and_tells_it_in_one_object(demo: tuple[Path, Outcome]) -> None:
    folder, done = demo
    assert done.code == 0, done.err
    facts = done.facts
    assert facts["verdict"] == "delivered"
    assert facts["marks"] == {"KZ": "Құпия", "BY": "Секретно"}
    assert facts["offices"] == {body: str(folder / "offices" / body) for body in ("KZ-MFA", "BY-MFA")}
    assert [facts[kind] for kind in ("envelope", "acknowledgement", "receipt")] == [
        str(folder / name) for name in ("envelope.vlz", "acknowledgement.vls", "receipt.vls")
    ]
    assert [step["step"] for step in facts["steps"]] == STEPS
    assert {step["exit"] for step in facts["steps"]} == {0}
    assert facts["seconds"] > 0


def test_carriers_arrive(demo: tuple[Path, Outcome], carriers: Path) -> None:
    folder, _ = demo
    arrived = {path.name: path.read_bytes() for path in (folder / "opened").iterdir()}
    assert arrived == {path.name: path.read_bytes() for path in carriers.iterdir()}


def test_it_shows_each_command_as_it_was_run(demo: tuple[Path, Outcome]) -> None:
    _, done = demo
    shown = [shlex.split(line.partition("$ ")[2]) for line in done.err.splitlines() if line.startswith("    $ ")]
    assert shown == [step["argv"] for step in done.facts["steps"]]


def test_it_warns_of_unprotected_keys(demo: tuple[Path, Outcome]) -> None:
    assert re.search(r"^valiza: warning: .*without a passphrase", demo[1].err, re.MULTILINE)


def test_every_step_names_its_files_wholly(demo: tuple[Path, Outcome]) -> None:
    """So that it can be typed again from any folder."""
    for words in _steps(demo[1].facts).values():
        assert words[0] == "valiza"
        assert [word for word in words if "/" in word and not word.startswith("/")] == []


@pytest.mark.parametrize("step", ["inspect", "verify", "verify-receipt", "agreement-adopt", "trust-BY"])
def test_step_that_only_reads_can_be_typed_again(step: str, demo: tuple[Path, Outcome], tmp_path: Path) -> None:
    again = program(*_steps(demo[1].facts)[step][1:], cwd=tmp_path)
    assert again.code == 0, again.err


@pytest.mark.parametrize("step", ["roster-KZ", "agreement-half", "seal", "open", "acknowledge", "countersign"])
def test_step_that_writes_can_be_typed_again_with_another_output(step: str, demo: tuple[Path, Outcome], tmp_path: Path) -> None:
    words = _steps(demo[1].facts)[step][1:]
    same = program(*words, cwd=tmp_path)
    assert_failed(same, 6)
    words[words.index("-o") + 1] = str(tmp_path / "out")
    other = program(*words, cwd=tmp_path)
    assert other.code == 0, other.err
    assert (tmp_path / "out").exists()


@pytest.mark.parametrize("step", ["office-KZ", "office-BY"])
def test_offices_are_not_made_twice(step: str, demo: tuple[Path, Outcome]) -> None:
    assert program(*_steps(demo[1].facts)[step][1:]).code == 6


@pytest.mark.slow
def test_made_up_carriers_and_text_for_people(tmp_path: Path) -> None:
    done = program("demo", "--dir", tmp_path / "try")
    assert done.code == 0, done.err
    assert re.search(r"^  verdict: delivered$", done.out, re.MULTILINE)
    made_up = {path.name: path.read_bytes() for path in (tmp_path / "try" / "carriers").iterdir()}
    assert made_up
    assert {path.name: path.read_bytes() for path in (tmp_path / "try" / "opened").iterdir()} == made_up


@pytest.mark.parametrize("kind", ["folder", "full folder", "file", "dangling link"])
def test_what_is_there_is_not_touched(kind: str, tmp_path: Path) -> None:
    there = tmp_path / "try"
    if kind == "file":
        there.write_bytes(b"mine")
    elif kind == "dangling link":
        there.symlink_to("nowhere")
    else:
        there.mkdir()
    if kind == "full folder":
        (there / "mine").write_bytes(b"mine")
    before = sorted(tmp_path.rglob("*"))
    assert "exists already" in fails(6, "demo", "--dir", there).error
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("kind", ["missing", "folder", "pipe", "dangling link"])
def test_carrier_that_is_no_file_is_told_before_anything_is_made(kind: str, tmp_path: Path) -> None:
    carrier = tmp_path / "carrier"
    if kind == "folder":
        carrier.mkdir()
    elif kind == "pipe":
        os.mkfifo(carrier)
    elif kind == "dangling link":
        carrier.symlink_to("nowhere")
    assert "carrier" in fails(2, "demo", carrier, "--dir", tmp_path / "try").error
    assert not (tmp_path / "try").exists()


@pytest.mark.slow
def test_step_that_fails_says_which_and_why(tmp_path: Path) -> None:
    carrier = tmp_path / "CON.txt"  # no name for a carrier: some systems reserve it
    carrier.write_bytes(b"")
    done = program("demo", carrier, "--dir", tmp_path / "try")
    assert_failed_step(done, 3, "seal")
    assert "CON.txt" in done.error


def assert_failed_step(done: Outcome, code: int, step: str) -> None:
    assert (done.code, done.out) == (code, "")
    assert done.error.startswith(f"step {step} failed: ")
    assert "Traceback" not in done.err


@pytest.mark.slow
def test_nothing_of_the_current_folder_is_run(tmp_path: Path) -> None:
    """A `click.py` that lies where the demonstration is started is none of ours."""
    here = tmp_path / "here"
    here.mkdir()
    for name in ("click", "json", "blake3"):
        (here / f"{name}.py").write_text("raise SystemExit(77)\n", encoding="ascii")
    assert program("demo", "--dir", tmp_path / "try", cwd=here).code == 0


@pytest.mark.slow
def test_what_is_set_for_other_work_does_not_disturb(tmp_path: Path) -> None:
    env = {"VALIZA_HOME": str(tmp_path / "other"), "VALIZA_AS": "nobody", "VALIZA_PASSPHRASE": "secret"}
    assert program("demo", "--dir", tmp_path / "try", env=env).code == 0


@pytest.mark.slow
def test_folder_of_any_name(tmp_path: Path) -> None:
    folder = tmp_path / "it's a $(folder)"
    assert program("demo", "--dir", folder, "--json").facts["verdict"] == "delivered"


@pytest.mark.slow
def test_relative_names_and_a_carrier_that_looks_like_an_option(tmp_path: Path) -> None:
    (tmp_path / "-o").write_bytes(b"odd")
    done = subprocess.run([VALIZA, "demo", "--dir", "try", "--", "-o"], cwd=tmp_path, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "try" / "opened" / "-o").read_bytes() == b"odd"
