"""What is given to commands in other ways than as a file: standard input, devices, pipes, nothing at all, and what belongs to another user."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.support.cli import VALIZA, World, assert_failed, fails, program, run, works
from tests.support.cli import Outcome as Ended

if TYPE_CHECKING:
    from pathlib import Path


# -- standard input --------------------------------------------------------------------------------------------------------


def test_roster_from_standard_input(world: World) -> None:
    world.by.works("roster", "publish", "-o", world.path("BY-2.vls"))
    done = world.kz.works("roster", "import", "-", "--json", stdin=world.path("BY-2.vls").read_bytes())
    assert (done.facts["imported"], done.facts["version"]) == (True, 2)


@pytest.mark.parametrize("command", ["show", "check"])
def test_agreement_from_standard_input(command: str, world: World) -> None:
    assert works("agreement", command, "-", "--json", stdin=world.agreement.read_bytes()).facts["id"] == "kz-by"


def test_agreement_signed_and_adopted_through_a_pipe(world: World) -> None:
    for path in [*(world.kz.home / "agreements").iterdir(), *(world.by.home / "agreements").iterdir()]:
        path.unlink()
    half = world.kz.works("agreement", "sign", "kz-by", "-o", "-").raw
    whole = world.by.works("agreement", "sign", "-", "-o", "-", stdin=half).raw
    assert world.kz.works("agreement", "adopt", "-", "--json", stdin=whole).facts["adopted"] == "kz-by version 1"


@pytest.mark.parametrize("given", [b"", b"nonsense", b"\x93", b"\xc1" * 100_000], ids=["nothing", "text", "begin", "long"])
@pytest.mark.parametrize(
    "words", [["roster", "import"], ["agreement", "adopt"], ["agreement", "sign"], ["agreement", "show"], ["agreement", "check"]], ids=" ".join
)
def test_nonsense_from_standard_input(words: list[str], given: bytes, world: World) -> None:
    more = [] if words[1] in {"show", "check"} else ["--home", str(world.kz.home)]
    more += ["-o", str(world.path("out"))] if words[1] == "sign" else []
    fails(3, *words, "-", *more, stdin=given)


# -- nothing ---------------------------------------------------------------------------------------------------------------

NOTHING = (
    ["roster", "import", ""],
    ["roster", "export", "-o", ""],
    ["agreement", "show", ""],
    ["agreement", "check", ""],
    ["agreement", "adopt", ""],
    ["agreement", "sign", "", "-o", "x"],
    ["agreement", "sign", "kz-by", "-o", ""],
    ["credential", "verify", ""],
    ["office", "init", "", "--party=KZ", "--body=KZ-MFA", "--degrees=1", "--unprotected"],
    ["office", "init", "x", "--party=KZ", "--body=KZ-MFA", "--root-office=", "--unprotected"],
    ["office", "show", "--home="],
    ["register", "list", "--home="],
    ["register", "show", ""],
    ["demo", "--dir="],
    ["demo", "", "--dir=x"],
    ["inspect", ""],
    ["withdraw", "", "--reason=x"],
    ["doctor", "--home="],
    ["verify", ""],
    ["open", "x.vlz", "-o", ""],
    ["seal", "", "-o", "x"],
)


@pytest.mark.parametrize("words", NOTHING, ids=shlex.join)
def test_an_empty_path_is_told_as_empty(words: list[str], world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As a path it would be the current folder, and `'.' is a folder` helps nobody."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    given = any(word.startswith("--home") for word in words) or words[:2] in (["agreement", "show"], ["agreement", "check"])
    alone = given or words[0] in {"demo", "inspect"} or "init" in words
    done = run(*words) if alone else world.kz.run(*words)
    assert_failed(done, 2)
    assert "empty" in done.error
    assert list(here.iterdir()) == []


# -- devices and pipes -----------------------------------------------------------------------------------------------------

READING = (
    ["roster", "import", "FILE"],
    ["agreement", "show", "FILE"],
    ["agreement", "check", "FILE"],
    ["agreement", "adopt", "FILE"],
    ["agreement", "sign", "FILE", "-o", "OUT"],
    ["credential", "verify", "FILE"],
)


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null", "/dev/urandom"])
@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_a_device_without_end_is_not_read_to_its_end(words: list[str], device: str, world: World) -> None:
    typed = [{"FILE": device, "OUT": str(world.path("out"))}.get(word, word) for word in words]
    done = run(*typed) if words[1] in {"show", "check"} else world.kz.run(*typed)
    assert_failed(done, 3)


@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_from_a_pipe_with_a_name(words: list[str], world: World) -> None:
    """As a shell makes one for <(command)."""
    typed = shlex.join([str(VALIZA), *words, *([] if words[1] in {"show", "check"} else ["--home", str(world.kz.home)])])
    source = {"roster": world.by.roster, "credential": world.kz.home / "credentials" / "aigul" / "seal.vls"}.get(words[0], world.agreement)
    script = typed.replace("FILE", f"<(cat {shlex.quote(str(source))})").replace("OUT", str(world.path("out")))
    done = subprocess.run(["/bin/bash", "-c", script], capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == (6 if words[1] == "sign" else 0), done.stderr  # that one is signed by both already


# -- twice, and other users -------------------------------------------------------------------------------------------------

# The first run loads all that the command needs: the program's own files may lie where nobody else can read.
AS_NOBODY = """
import contextlib, io, os, sys
from valiza.cli.main import run
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    assert run(sys.argv[1:]) == 0
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
sys.exit(run(sys.argv[1:]))
"""


def test_an_option_twice_is_the_last_one(world: World) -> None:
    """As with every other program; nothing is done with the first."""
    done = run("office", "show", "--home", "/nowhere", "--home", world.kz.home, "--json")
    assert done.facts["body"] == "KZ/KZ-MFA"


@pytest.mark.parametrize(
    "words", [["office", "show"], ["roster", "show"], ["register", "list"], ["doctor"], ["credential", "list"], ["agreement", "list"]], ids=" ".join
)
def test_office_of_another_user(words: list[str], world: World) -> None:
    """Nothing is to be had there, and one line says why."""
    if os.geteuid() != 0:
        world.kz.home.chmod(0o000)
        done = program(*words, "--home", world.kz.home)
        world.kz.home.chmod(0o700)
    else:
        above = [folder for folder in world.kz.home.parents if folder.stat().st_mode & 0o005 != 0o005]
        for folder in above:
            folder.chmod(folder.stat().st_mode | 0o005)
        command = [sys.executable, "-c", AS_NOBODY, *words, "--home", str(world.kz.home)]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        done = Ended(ended.returncode, ended.stdout, ended.stderr)
        for folder in above:
            folder.chmod(folder.stat().st_mode & ~0o005)
    assert_failed(done, 7)
    assert "permission denied" in done.error


# -- what reads badly otherwise --------------------------------------------------------------------------------------------


def test_language_of_a_name_twice(tmp_path: Path) -> None:
    words: list[str | Path] = ["office", "init", tmp_path / "o", "--party=KZ", "--body=KZ-MFA", "--degrees=1", "--unprotected"]
    assert "'en' stands twice" in fails(2, *words, "--name=en=A", "--name=en=B").error


@pytest.mark.parametrize("text", ["nova", "nova:", "nova::1"])
def test_officer_certified_for_nothing(text: str, world: World) -> None:
    done = world.kz.fails(2, "credential", "issue", text, "--unprotected")
    assert "no purpose" in done.error
    assert not (world.kz.home / "credentials" / "nova").exists()


def test_agreement_that_one_party_has_signed(world: World) -> None:
    half = world.path("agreement.half.vls")
    done = world.kz.fails(4, "agreement", "adopt", half)
    assert done.error == "the agreement kz-by is signed by KZ, not by both its parties"
    assert "agreement sign" in done.hint


@pytest.mark.parametrize("words", [["roster", "import"], ["agreement", "adopt"]], ids=" ".join)
def test_object_of_another_kind_is_named(words: list[str], world: World) -> None:
    path = world.agreement if words[0] == "roster" else world.by.roster
    assert world.kz.fails(3, *words, path).error.startswith(repr(str(path)))
