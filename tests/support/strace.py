"""Programs under strace: every call that changes something on the disk, and a signal or an error at exactly the one that is wanted.

Nothing in the program knows of it. A SIGKILL comes before the call is carried out, any other signal right after it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.support.cli import Outcome

if TYPE_CHECKING:
    import signal
    from collections.abc import Mapping, Sequence

__all__ = ["CHANGING", "Call", "Point", "points", "struck", "traced", "why_not"]

STRACE: Final = shutil.which("strace")
# What changes a disk, or decides what a process will change. "?": some machines have no such call.
CHANGING: Final = (
    "write", "pwrite64", "openat", "fsync", "fdatasync", "?link", "linkat", "?rename", "renameat", "renameat2", "?mkdir", "mkdirat", "?rmdir",
    "?unlink", "unlinkat", "ftruncate", "?chmod", "fchmod", "fchown", "flock",
)  # fmt: skip
_WRITING: Final = re.compile(r"O_CREAT|O_WRONLY|O_RDWR|O_TMPFILE")
_LINE: Final = re.compile(r"(?P<pid>[0-9]+) +(?P<name>[a-z0-9_]+)\((?P<rest>.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Call:
    """A system call: its name, its arguments and result as strace shows them, and how many of that name the process had made with it."""

    name: str
    text: str
    nth: int

    @property
    def done(self) -> bool:
        """Whether it succeeded."""
        return not self.text.rpartition(" = ")[2].startswith("-1 ")


@dataclass(frozen=True, slots=True)
class Point:
    """A place in the run of a program: the n-th call of a name."""

    call: str
    nth: int


def why_not() -> str | None:
    """Why no program can be traced here; None if it can."""
    if STRACE is None:
        return "strace is not installed"
    done = subprocess.run([STRACE, "-o", os.devnull, "true"], capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else f"nothing can be traced here: {done.stderr.strip()}"


def _run(options: Sequence[str], command: Sequence[str | Path], log: Path | str, env: Mapping[str, str] | None) -> Outcome:
    assert STRACE is not None
    words = [STRACE, "-f", "-qq", "-s", "4096", "-o", log, *options, "--", *command]
    # Without VALIZA_DEBUG only root's strace would see the arguments of calls.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "VALIZA_DEBUG": "1", **(env or {})}
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, env=environment, timeout=120, check=False)
    return Outcome(done.returncode, done.stdout.decode("utf-8", "surrogateescape"), done.stderr.decode("utf-8", "surrogateescape"))


def traced(command: Sequence[str | Path], *, calls: Sequence[str] = CHANGING, env: Mapping[str, str] | None = None) -> tuple[Outcome, list[Call]]:
    """Run a program; returns how it ended and those of its calls that were asked for, of its main thread, in order."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        done = _run(["-e", f"trace={','.join(calls)}"], command, log, env)
        lines = log.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    found: list[Call] = []
    counted: dict[str, int] = {}
    first = None
    for line in lines:
        match = _LINE.fullmatch(line)
        if match is None:
            continue
        first = first or match["pid"]
        if match["pid"] == first:
            name = match["name"]
            counted[name] = counted.get(name, 0) + 1
            found.append(Call(name, match["rest"], counted[name]))
    return done, found


def points(calls: Sequence[Call], begins: str) -> list[Point]:
    """The calls that change something, from the first call on that mentions `begins`: before it a program only loads itself."""
    start = next(index for index, call in enumerate(calls) if begins in call.text)
    return [Point(call.name, call.nth) for call in calls[start:] if call.name != "openat" or _WRITING.search(call.text)]


def struck(command: Sequence[str | Path], point: Point, number: signal.Signals, env: Mapping[str, str] | None = None) -> Outcome:
    """Run a program that gets a signal at one point; its code is negative if that ended it."""
    name = number.name.removeprefix("SIG")
    options = ["-e", f"trace={point.call}", "-e", f"inject={point.call}:signal={name}:when={point.nth}"]
    return _run(options, command, os.devnull, env)
