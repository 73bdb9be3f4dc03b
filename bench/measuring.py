"""What all measurements share: one command through the launcher, memory touched beforehand, medians, and a row of the table."""

from __future__ import annotations

import mmap
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

LAUNCHER = Path(__file__).with_name("launcher.py")
MIB = 1 << 20
HOLD = 2.2  # seconds


@dataclass(frozen=True)
class Taken:
    """What one run of a command took."""

    seconds: float
    user_seconds: float
    system_seconds: float
    peak_kib: int
    output: bytes


@dataclass(frozen=True)
class Spread:
    """Median, least and greatest of some rounds."""

    median: float
    least: float
    greatest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(statistics.median(values), min(values), max(values))


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table: what one program took for one thing, as such and as a multiple of what the machine allows and of `age` + `minisign`."""

    what: str
    who: str
    unit: str = ""
    value: Spread | None = None  # None: not installed
    to_limit: float | None = None
    to_age: float | None = None
    goals: dict[str, float] = field(default_factory=dict)  # for to_limit ("limit") and to_age ("age")
    at_least: bool = False  # the goal is a lower bound: a rate, not a time
    processor_seconds: float | None = None
    peak_mib: float | None = None
    note: str = ""
    verb: str = ""  # these two for the plot
    size: int | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def environment() -> dict[str, str]:
    """The environment without what would change a measured command."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("VALIZA_", "PYTHON"))}


def valiza() -> list[str]:
    """The installed command, as people call it."""
    script = Path(sys.executable).with_name("valiza")
    return [str(script)] if script.is_file() else [sys.executable, "-m", "valiza.cli"]


def run(command: Sequence[str], folder: Path) -> Taken:
    """Run a command in a folder and measure it; it has to end with 0."""
    code, taken, said = _launch(command, folder)
    if code:
        raise SystemExit(f"{' '.join(command)}\nended with {code}:\n{said.decode(errors='replace')}")
    return taken


def attempt(command: Sequence[str], folder: Path) -> int:
    """Run a command that may fail; returns its exit code."""
    return _launch(command, folder)[0]


def _launch(command: Sequence[str], folder: Path) -> tuple[int, Taken, bytes]:
    """Exit code, what it took, and what it said on standard error."""
    reading, writing = os.pipe()
    launched = [sys.executable, "-S", "-E", str(LAUNCHER), str(writing), *command]
    try:
        done = subprocess.run(launched, cwd=folder, env=environment(), capture_output=True, pass_fds=[writing], stdin=subprocess.DEVNULL, check=False)
    finally:
        os.close(writing)
    with os.fdopen(reading) as result:
        told = result.read().split()
    if done.returncode or not told:
        raise SystemExit(f"{' '.join(command)}\ncould not be started:\n{done.stderr.decode(errors='replace')}")
    return int(told[0]), Taken(float(told[1]), float(told[2]), float(told[3]), int(told[4]), done.stdout), done.stderr


def touch(size: int) -> None:
    """Use and free twice the memory that the next command fills: a machine that lends its free memory elsewhere has to fetch it back first.

    That takes seconds for a GiB, and would be counted as the command's, as time in the kernel. Twice, since the kernel may choose other pages. Held
    for a while, since Linux lends out what is free every two seconds: then the next time comes two seconds after this is freed, and not at once.
    """
    with mmap.mmap(-1, 2 * size + 64 * MIB) as memory:
        if hasattr(mmap, "MADV_HUGEPAGE"):  # the same in half the time
            memory.madvise(mmap.MADV_HUGEPAGE)
        for offset in range(0, len(memory), mmap.PAGESIZE):
            memory[offset] = 1
        time.sleep(HOLD if size > 64 * MIB else 0)


def size_text(size: int) -> str:
    for unit, name in ((1 << 30, "GiB"), (MIB, "MiB"), (1 << 10, "KiB")):
        if size >= unit and size % unit == 0:
            return f"{size // unit} {name}"
    return f"{size} bytes"
