"""Sealing and opening against the machine's limit, as the commands that people type: time and memory from 1 MiB to 1 GiB."""

from __future__ import annotations

import filecmp
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from measuring import MIB, Row, Spread, Taken, environment, run, size_text, touch, valiza

LIMIT = Path(__file__).with_name("limit.py")
GOAL_SEAL, GOAL_OPEN, GOAL_PEAK_MIB = 1.3, 1.4, 64.0
GOAL_SIZE = 1 << 30  # below it the start of Python is more of the time than the work


@dataclass(frozen=True)
class Offices:
    """The two offices of a demonstration, and its commands to seal and to open, which are used again for other files."""

    folder: Path
    steps: dict[str, list[str]]

    def again(self, step: str, old: Sequence[str], new: Sequence[str], output: Path) -> list[str]:
        """The command of a step with other files in the place of `old`, and another output."""
        argv = self.steps[step]
        at = argv.index(old[0])
        changed = [*valiza(), *argv[1:at], *new, *argv[at + len(old) :]]
        changed[changed.index("-o") + 1] = str(output)
        return changed

    def seal(self, carriers: Sequence[Path], envelope: Path) -> list[str]:
        first = self.steps["seal"]
        return self.again("seal", first[2 : first.index("--to")], [str(c) for c in carriers], envelope)

    def open(self, envelope: Path, folder: Path) -> list[str]:
        return self.again("open", [self.steps["open"][2]], [str(envelope)], folder)


def found_offices(folder: Path) -> Offices:
    """Make both offices, with unprotected keys, and a whole exchange between them."""
    command = [*valiza(), "demo", "--dir", str(folder), "--json"]
    done = subprocess.run(command, env=environment(), capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr.decode(errors="replace"))
    return Offices(folder, {step["step"]: step["argv"] for step in json.loads(done.stdout)["steps"]})


def make_carrier(path: Path, size: int) -> None:
    block = os.urandom(min(size, MIB))
    with path.open("wb", buffering=0) as file:
        for _ in range(size // len(block)):
            file.write(block)
        os.fsync(file.fileno())


def measure_size(offices: Offices, size: int, rounds: int, say: Callable[[str], None]) -> list[Row]:
    """Limit and Valiza in turn, first sealing, then opening; one round more than is counted, to warm up."""
    work = offices.folder
    carrier, cipher, plain, envelope, opened = (work / name for name in ("carrier.bin", "limit.cipher", "limit.plain", "carrier.vlz", "carrier"))
    make_carrier(carrier, size)
    limit = [sys.executable, str(LIMIT)]
    commands = {
        "limit seal": [*limit, "seal", str(carrier), str(cipher)],
        "seal": offices.seal([carrier], envelope),
        "limit open": [*limit, "open", str(cipher), str(plain)],
        "open": offices.open(envelope, opened),
    }
    taken: dict[str, list[Taken]] = {name: [] for name in commands}
    for count in range(rounds + 1):
        for name, command in commands.items():
            touch(size)
            took = run(command, work)
            spent = f"{took.seconds:.3f} s (program {took.user_seconds:.3f}, kernel {took.system_seconds:.3f}), {took.peak_kib >> 10} MiB"
            say(f"{size_text(size)}, round {count}: {name} {spent}")
            if count:
                taken[name].append(took)
        if not count:  # all of it did what it should
            assert filecmp.cmp(carrier, plain, shallow=False)
            assert filecmp.cmp(carrier, opened / carrier.name, shallow=False)
        for file in (cipher, plain, envelope):
            file.unlink()
        shutil.rmtree(opened)
    carrier.unlink()
    goals = {"seal": GOAL_SEAL, "open": GOAL_OPEN} if size == GOAL_SIZE else {}
    return [_row(f"{name} {size_text(size)}", taken[f"limit {name}"], taken[name], goals.get(name)) for name in ("seal", "open")]


def _row(what: str, limit: Sequence[Taken], ours: Sequence[Taken], goal: float | None) -> Row:
    a, b = (Spread.of([t.seconds for t in taken]) for taken in (limit, ours))
    return Row(
        what=what,
        unit="s",
        limit=a,
        ours=b,
        ratio=b.median / a.median,
        goal=goal,
        peak_mib=max(t.peak_kib for t in ours) / 1024,
        goal_peak_mib=GOAL_PEAK_MIB,
        more={
            "limit_user_seconds": Spread.of([t.user_seconds for t in limit]).median,
            "limit_system_seconds": Spread.of([t.system_seconds for t in limit]).median,
            "user_seconds": Spread.of([t.user_seconds for t in ours]).median,
            "system_seconds": Spread.of([t.system_seconds for t in ours]).median,
            "limit_peak_mib": max(t.peak_kib for t in limit) / 1024,
        },
    )
