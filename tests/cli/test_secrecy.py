"""The program itself: it guards its memory before it asks for a passphrase, and tells what it could not have."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final
from unittest import mock

import pexpect
import pytest
from tests.support.cli import VALIZA, World, program

from valiza.keys.secrecy import Guard
from valiza.office import health

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux is asked")

# A core dump is wanted, whatever the limit of who runs the tests: the kernel says of each process that ended whether it wrote one.
DUMPING: Final = 'ulimit -c "$(ulimit -H -c)"; exec "$@"'
ASKING: Final = [sys.executable, "-c", "input('Passphrase: ')"]


def _asked(words: list[str], folder: Path, **env: str) -> pexpect.spawn[str]:
    """A program that waits for a passphrase at a terminal."""
    terminal = pexpect.spawn("/bin/sh", ["-c", DUMPING, "sh", *words], encoding="utf-8", timeout=60, cwd=str(folder), env={**os.environ, **env})
    terminal.expect("Passphrase.*: ")
    return terminal


def _init(folder: Path) -> list[str]:
    return [str(VALIZA), "office", "init", str(folder / "kz"), "--party=KZ", "--body=KZ-MFA", "--degrees=1"]


def _dumped(terminal: pexpect.spawn[str], number: signal.Signals) -> bool:
    """Whether the kernel wrote a core dump of a program that a signal ended."""
    terminal.kill(number)
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.signalstatus == number
    assert terminal.status is not None
    return os.WCOREDUMP(terminal.status)


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT], ids=lambda number: number.name)
def test_crash_leaves_no_core_dump(number: signal.Signals, tmp_path: Path) -> None:
    terminal = _asked(_init(tmp_path), tmp_path)
    assert not _dumped(terminal, number)
    assert list(tmp_path.iterdir()) == []
    # Elsewhere it does, if this machine dumps anything at all; and it does of this program when somebody looks for a fault.
    other = _dumped(_asked(ASKING, tmp_path), number)
    assert _dumped(_asked(_init(tmp_path), tmp_path, VALIZA_DEBUG="1"), number) is other


def test_what_the_kernel_says_of_it_when_it_asks(tmp_path: Path) -> None:
    """Who may look into it is tried in tests/keys/test_secrecy.py."""
    terminal = _asked(_init(tmp_path), tmp_path)
    limits, status = (Path(f"/proc/{terminal.pid}/{name}").read_text(encoding="ascii") for name in ("limits", "status"))
    terminal.sendintr()
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 130
    assert [line.split()[4:6] for line in limits.splitlines() if line.startswith("Max core file size")] == [["0", "0"]]
    locked = int(status.partition("VmLck:")[2].split()[0])
    assert (locked > 0) is (resource.getrlimit(resource.RLIMIT_MEMLOCK)[1] != 0)


@pytest.mark.parametrize("words", [["--help"], ["seal", "--help"], ["office", "init", "-h"], ["--version"], ["completion", "bash"]], ids=" ".join)
def test_help_costs_nothing(words: list[str]) -> None:
    done = subprocess.run([sys.executable, "-X", "importtime", VALIZA, *words], capture_output=True, text=True, check=True, timeout=60)
    imported = {line.rsplit("|", 1)[1].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "valiza.keys.secrecy" in imported
    assert ("ctypes" in imported) is (words[0] == "completion")


def test_told_when_it_is_left_open(world: World) -> None:
    done = program("office", "show", "--home", world.kz.home, env={"VALIZA_DEBUG": "1"})
    assert done.code == 0
    assert "valiza: warning: VALIZA_DEBUG is set" in done.err
    assert program("office", "show", "--home", world.kz.home, env={"VALIZA_DEBUG": ""}).err == ""


# -- what the doctor says --------------------------------------------------------------------------------------------------

ALL: Final = Guard(no_core=True, private=True, locked="all", lockable=None)
SOME: Final = Guard(no_core=True, private=True, locked="secrets", lockable=65536)
NONE: Final = Guard(no_core=False, private=False, locked="nothing", lockable=0)


def test_doctor_says_what_this_machine_grants(world: World) -> None:
    told = [f for f in program("doctor", "--home", world.kz.home, "--json").facts["findings"] if f["check"] == "memory"]
    assert told
    assert [f for f in told if "core dump of" in f["what"] or "same user" in f["what"]] == []


@pytest.mark.parametrize(
    ("guard", "swaps", "notes", "words"),
    [
        (ALL, ["/dev/sda2"], 0, "no core dump, no debugger and no swap"),
        (ALL, [], 0, "no core dump and no debugger"),
        (SOME, [], 0, "no core dump and no debugger"),
        (SOME, ["/dev/sda2"], 1, "copies of them do not: 65536 bytes may be locked"),
        (NONE, ["/dev/sda2", "/swap"], 3, "nothing stays out of it: 0 bytes"),
        (None, [], 1, "VALIZA_DEBUG"),
    ],
)
def test_doctor(guard: Guard | None, swaps: list[str], notes: int, words: str, world: World) -> None:
    """What the kernel granted and swaps to is made up; the rest is the doctor's."""
    with mock.patch.object(health, "guarded", return_value=guard), mock.patch.object(health, "_swaps", return_value=swaps):
        told = [f for f in world.kz.run("doctor", "--json").facts["findings"] if f["check"] == "memory"]
    assert [f["level"] for f in told] == (["note"] * notes or ["ok"])
    assert words in told[-1]["what"]
    assert told[-1]["where"] == (", ".join(swaps) if notes else "")


def test_swap_is_read_from_the_kernel() -> None:
    lines = Path("/proc/swaps").read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("Filename")
    assert len(health._swaps()) == len(lines) - 1
