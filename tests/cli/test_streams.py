"""Standard streams that are closed, full, without end, or in an encoding that has not all characters; and commands that would use one twice."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from tests.support.cli import VALIZA, Outcome, World, assert_failed, fails, listing, works

if TYPE_CHECKING:
    from pathlib import Path


def _shell(line: str, folder: Path, **environment: str) -> Outcome:
    """What a line ends with that somebody types there."""
    env = {**os.environ, **environment, "PATH": f"{VALIZA.parent}:{os.environ['PATH']}"}
    done = subprocess.run(["/bin/bash", "-c", line], cwd=folder, env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
    return Outcome(done.returncode, done.stdout.decode("latin-1"), done.stderr.decode("latin-1"))


# -- standard output -------------------------------------------------------------------------------------------------------

STATEMENTS = {
    "rewrap": "valiza rewrap envelope.vlz --to-officer alena --home BY --as yanka -o -",
    "refuse": "valiza refuse envelope.vlz --reason other --home BY --as yanka -o -",
    "agreement sign": "valiza agreement sign kz-by --home KZ -o -",
    "roster export": "valiza roster export --home KZ -o -",
}


@pytest.mark.parametrize("command", STATEMENTS)
def test_statement_for_standard_output_that_is_closed(command: str, world: World) -> None:
    """Told before anything is done: what is refused is entered in the register."""
    world.seal()
    done = _shell(f"{STATEMENTS[command]} >&-", world.folder)
    assert_failed(done, 7)
    assert done.error == "standard output is closed"
    assert world.by.works("register", "list", "--json").facts["envelopes"] == []


@pytest.mark.parametrize("command", STATEMENTS)
def test_statement_for_standard_output_that_is_full(command: str, world: World) -> None:
    world.seal()
    done = _shell(f"{STATEMENTS[command]} >/dev/full", world.folder)
    assert_failed(done, 7)
    assert done.error == "standard output: no space left on device"


def test_result_that_cannot_be_printed_is_told_apart_from_the_work(world: World) -> None:
    line = "valiza seal map.txt {} --home KZ -o e.vlz >/dev/full".format(" ".join(f"'{word}'" for word in world.order(files=[])[1:]))
    done = _shell(line, world.folder)
    assert_failed(done, 7)
    assert done.error == "the result could not be printed: no space left on device"
    assert "is done" in done.hint
    assert [e["verdict"] for e in world.kz.works("register", "list", "--json").facts["envelopes"]] == ["outstanding"]
    world.by.works("verify", world.path("e.vlz"))


@pytest.mark.parametrize("words", ["register list --home KZ", "doctor --home KZ", "config show --home KZ", "verify a.vlz b.vlz --home BY"])
def test_list_that_cannot_be_printed(words: str, world: World) -> None:
    for name in ("a.vlz", "b.vlz"):
        world.seal(name=name)
    done = _shell(f"valiza {words} >/dev/full", world.folder)
    assert_failed(done, 7)
    assert "could not be printed" in done.error


@pytest.mark.parametrize("encoding", ["latin-1", "koi8-r", "cp1251"])
def test_encoding_without_some_letters(encoding: str, world: World) -> None:
    """As on a terminal of another time: what was done is told, each letter that is lacking by its number."""
    world.seal()
    done = _shell("valiza open envelope.vlz --home BY --as yanka -o opened", world.folder, PYTHONIOENCODING=encoding)
    assert done.code == 0, done.err
    assert "marks: " in done.out
    assert r"\u049a" in done.out  # Қ, of "Құпия", which none of them has
    assert world.path("opened").is_dir()


# -- standard error --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("valiza open envelope.vlz --home BY --as yanka -o opened", 0),
        ("valiza open nothing.vlz --home BY --as yanka -o opened", 7),
        ("valiza open map.txt --home BY --as yanka -o opened", 3),
        ("valiza register", 2),
        ("valiza nonsense", 2),
    ],
)
def test_standard_error_that_is_full(line: str, code: int, world: World) -> None:
    """What cannot be told changes nothing of how a command ends."""
    world.seal()
    assert _shell(f"{line} 2>/dev/full", world.folder).code == code
    assert world.path("opened").exists() == (code == 0)


# -- standard input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", ["inspect -", "verify - --home BY", "open - --home BY --as yanka -o opened", "acknowledge - --home BY -o ack.vls"])
def test_standard_input_without_end_that_is_no_envelope(words: str, world: World) -> None:
    """It is not kept on the disk until that is full."""
    before = listing(world.folder)
    assert_failed(_shell(f"valiza {words} </dev/zero", world.folder), 3)
    assert listing(world.folder) == before


def test_envelope_that_comes_a_byte_at_a_time(world: World) -> None:
    world.seal()
    script = "mkfifo pipe; (head -c 3; sleep 0.2; cat) < envelope.vlz > pipe & valiza verify pipe --home BY"
    assert _shell(script, world.folder).code == 0


def test_standard_input_for_two_objects(world: World) -> None:
    envelope = world.seal()
    done = world.by.fails(2, "open", "-", "--rewrap", "-", "-o", world.path("opened"), "--as=alena", stdin=envelope.read_bytes())
    assert "can be one object" in done.error


def test_standard_input_is_no_carrier(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(world.folder)
    done = world.kz.fails(2, *world.order("-o", world.path("e.vlz"), files=[world.path("-").relative_to(world.folder)]), stdin=b"secret")
    assert "has no name" in done.error


def test_what_to_do_next_does_not_name_standard_input(world: World) -> None:
    done = world.by.works("open", "-", "-o", world.path("opened"), "--as=yanka", stdin=world.seal().read_bytes())
    assert "valiza acknowledge ENVELOPE -o FILE" in done.err


# -- inside a command ------------------------------------------------------------------------------------------------------


def test_an_error_without_a_file_is_not_quoted_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("valiza.cli.defaults.user_settings", broken)
    assert fails(7, "office", "show").error == "input or output: input/output error"
    works("completion", "bash")
