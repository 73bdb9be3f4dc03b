"""`valiza open --sandbox`: the same result, nothing else within reach; told where a means is missing, refused where it is required."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pexpect
import pytest
from tests.support.cli import VALIZA, Outcome, World, assert_failed, found_world, listing, program

from valiza.keys.errors import Unavailable
from valiza.office.confinement import require_means

if TYPE_CHECKING:
    from pathlib import Path

WITHOUT_PACKAGES: Final = "import sys; sys.modules['py_landlock'] = sys.modules['pyseccomp'] = None"
WITHOUT_SECCOMP: Final = "import sys; sys.modules['pyseccomp'] = None"
BOTH: Final = ["landlock", "seccomp"]

# What somebody does who has taken over the code that reads an envelope. What he could do is told at the end of the output.
TAKEN_OVER: Final = """
import errno, os, socket, subprocess, sys
from pathlib import Path
import valiza.envelope.verifying as verifying

home, into, secret = map(Path, (os.environ["T_HOME"], os.environ["T_INTO"], os.environ["T_SECRET"]))
honest = verifying.read_container

def tried(name, action):
    try:
        action()
    except OSError as error:
        return f"{name}: {errno.errorcode[error.errno]}"
    return f"{name}: done"

attempts = {
    "read": secret.read_bytes,
    "password": lambda: Path("/etc/passwd").read_bytes(),
    "write": lambda: secret.write_bytes(b"overwritten"),
    "plant": lambda: (into.parent / ".profile").write_bytes(b"planted"),
    "trust": lambda: (home / "roots" / "ZZ").write_bytes(b"0" * 64),
    "replace": lambda: next((home / "keys").rglob("*.key")).unlink(),
    "publish": lambda: next((home / "keys").rglob("*.key")).chmod(0o644),
    "send": lambda: socket.socket().connect(("127.0.0.1", 9)),
    "run": lambda: subprocess.run(["true"]),
    "fork": lambda: os.fork() or os._exit(0),
}

def taken_over(source):
    print("|".join(tried(name, attempts[name]) for name in os.environ["T_TRY"].split()), file=sys.stderr)
    return honest(source)

verifying.read_container = taken_over
"""


@pytest.fixture
def _means() -> None:
    try:
        require_means()
    except Unavailable as error:
        pytest.skip(error.message)


def opening(world: World, *envelopes: Path, into: str = "opened") -> list[str | Path]:
    return ["open", *envelopes, "-o", world.path(into), "--home", world.by.home, "--as=yanka"]


def changed(source: str, *words: str | Path, **env: str) -> Outcome:
    """Run the command in a Python in which something was changed first."""
    command = [sys.executable, "-c", f"{source}\nfrom valiza.cli.main import main\nmain()", *words]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False, env={**os.environ, **env})
    return Outcome(done.returncode, done.stdout, done.stderr)


@pytest.mark.slow
@pytest.mark.usefixtures("_means")
def test_carriers_come_out_and_the_exchange_goes_on(world: World, tmp_path: Path) -> None:
    """A carrier that needs a second thread, and as many as are synced in one go."""
    carriers = [tmp_path / "large.bin", *(tmp_path / f"small-{number}.txt" for number in range(40))]
    for number, carrier in enumerate(carriers):
        carrier.write_bytes(os.urandom(6 << 20) if number == 0 else b"%d" % number)
    envelope = world.seal(files=carriers)
    done = program(*opening(world, envelope), "--require-sandbox", "--json")
    assert done.code == 0, done.err
    assert done.facts["sandbox"] == BOTH
    assert {path.name: path.read_bytes() for path in world.path("opened").iterdir()} == {path.name: path.read_bytes() for path in carriers}
    answer = world.acknowledge(envelope)
    receipt = world.countersign(answer, envelope)
    assert world.kz.works("receipt", "verify", receipt, "--json").facts["verdict"] == "delivered"
    assert [name for name in listing(world.folder) if ".valiza-" in name] == []


@pytest.mark.usefixtures("_means")
def test_code_that_is_taken_over_reaches_nothing(world: World, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    envelope = world.seal()
    places = {"T_HOME": str(world.by.home), "T_INTO": str(world.path("opened")), "T_SECRET": str(secret)}

    free = changed(TAKEN_OVER, *opening(world, envelope, into="free"), **places, T_TRY="read password plant run fork")
    assert free.code == 0, free.err
    assert free.err.splitlines()[0] == "read: done|password: done|plant: done|run: done|fork: done"  # without the option all of it works
    (world.folder / ".profile").unlink()

    refused = dict.fromkeys(["read", "password", "write", "plant", "trust", "replace"], "EACCES")
    refused |= dict.fromkeys(["publish", "send", "run", "fork"], "EPERM")
    done = changed(TAKEN_OVER, *opening(world, envelope), "--require-sandbox", **places, T_TRY=" ".join(refused))
    assert done.code == 0, done.err
    told = dict(attempt.split(": ") for attempt in done.err.splitlines()[0].split("|"))
    assert told == refused
    assert secret.read_bytes() == b"secret"


@pytest.mark.slow
@pytest.mark.usefixtures("_means")
def test_several_envelopes(world: World) -> None:
    envelopes = [world.seal(name=f"{name}.vlz") for name in ("one", "two")]
    done = program(*opening(world, *envelopes), "--require-sandbox", "--json")
    assert done.code == 0, done.err
    assert [json.loads(line)["sandbox"] for line in done.out.splitlines()] == [BOTH, BOTH]
    assert sorted(path.name for path in world.path("opened").iterdir()) == ["one", "two"]


@pytest.mark.slow
@pytest.mark.usefixtures("_means")
def test_envelope_from_a_pipe(world: World) -> None:
    raw = world.seal().read_bytes()
    done = program("open", "-", "-o", world.path("opened"), "--home", world.by.home, "--as=yanka", "--require-sandbox", "--json", stdin=raw)
    assert done.code == 0, done.err
    assert done.facts["sandbox"] == BOTH


@pytest.mark.usefixtures("_means")
def test_altered_envelope_leaves_nothing(world: World) -> None:
    envelope = world.seal()
    raw = bytearray(envelope.read_bytes())
    raw[raw.index(b"Astana")] ^= 1
    envelope.write_bytes(raw)
    before = listing(world.folder)
    done = program(*opening(world, envelope), "--require-sandbox")
    assert_failed(done, 4)
    assert [name for name in listing(world.folder) if name not in before and "register.db-" not in name] == []


@pytest.mark.slow
@pytest.mark.usefixtures("_means")
def test_passphrase_is_asked_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VALIZA_PASSPHRASE", "correct horse")
    world = found_world(tmp_path / "world", passphrase=True)
    envelope = world.seal()
    monkeypatch.delenv("VALIZA_PASSPHRASE")
    terminal = pexpect.spawn(str(VALIZA), [str(word) for word in (*opening(world, envelope), "--require-sandbox")], encoding="utf-8", timeout=60)
    terminal.expect("Passphrase: ")
    terminal.sendline("correct horse")
    terminal.expect("sandbox: landlock, seccomp")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 0
    assert world.path("opened").is_dir()


def test_without_the_option_nothing_is_confined_or_said(world: World) -> None:
    done = changed(WITHOUT_PACKAGES, *opening(world, world.seal()), "--json")
    assert done.code == 0, done.err
    assert done.facts["sandbox"] == []
    assert "sandbox" not in done.err


def test_missing_means_are_told_and_it_goes_on(world: World) -> None:
    done = changed(WITHOUT_PACKAGES, *opening(world, world.seal()), "--sandbox", "--json")
    assert done.code == 0, done.err
    assert done.facts["sandbox"] == []
    (told,) = [line for line in done.err.splitlines() if line.startswith("valiza: warning: ")]
    assert told == (
        "valiza: warning: no sandbox: landlock: the Python package py-landlock is not installed; "
        "seccomp: the Python package pyseccomp is not installed"
    )


@pytest.mark.usefixtures("_means")
def test_one_missing_means_is_told_and_the_other_applied(world: World) -> None:
    done = changed(WITHOUT_SECCOMP, *opening(world, world.seal()), "--sandbox", "--json")
    assert done.code == 0, done.err
    assert done.facts["sandbox"] == ["landlock"]
    assert "valiza: warning: sandbox without seccomp: the Python package pyseccomp is not installed" in done.err


@pytest.mark.parametrize("asked", [["--require-sandbox"], []], ids=["option", "environment"])
def test_missing_means_that_are_required_refuse(world: World, asked: list[str]) -> None:
    envelope = world.seal()
    before = listing(world.folder)
    env = {} if asked else {"VALIZA_SANDBOX": "require"}
    done = changed(WITHOUT_SECCOMP, *opening(world, envelope), *asked, **env)
    assert_failed(done, 7)
    assert done.error == "no sandbox: seccomp: the Python package pyseccomp is not installed"
    assert listing(world.folder) == before


@pytest.mark.slow
@pytest.mark.usefixtures("_means")
@pytest.mark.parametrize(("value", "applied"), [("1", BOTH), ("require", BOTH), ("0", []), ("", [])])
def test_environment(world: World, value: str, applied: list[str]) -> None:
    done = program(*opening(world, world.seal()), "--json", env={"VALIZA_SANDBOX": value})
    assert done.code == 0, done.err
    assert done.facts["sandbox"] == applied


def test_environment_that_says_something_else_is_wrong_usage(world: World) -> None:
    assert_failed(program(*opening(world, world.seal()), env={"VALIZA_SANDBOX": "yes"}), 2)
