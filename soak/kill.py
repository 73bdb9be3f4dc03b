"""Kill commands at many points, and see what is left; run from the top of the checkout, as `python -m soak.kill`.

Two offices are made once, and the exchange is kept as it stood before each step. Then, as often as wanted, a step is begun in a copy of it and
killed, and everything is checked that tests/support/interrupted.py lists. Three kills of four come at a system call that changes something on the
disk: at all that give something its final name, and spread evenly over the others. One kill of four comes at some time after the start.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.support.interrupted import STEPS, Exchange, Found, Step, check_after, check_kept, prepare
from tests.support.strace import Point, struck, why_not

WITHOUT: Final = ("", "unnamed", "unnamed,links")  # what the file system cannot do
NAMING: Final = ("linkat", "rename", "renameat2")
NAMES: Final = {"": "all that Linux has", "unnamed": "no unnamed files", "unnamed,links": "neither unnamed files nor links (FAT)"}


@dataclass(frozen=True)
class Kill:
    """One kill: at a point, or after a part of the time that the step takes."""

    step: str
    without: str
    point: Point | None
    part: float = 0.0

    @property
    def where(self) -> str:
        return "at some time" if self.point is None else self.point.call


@dataclass
class Tally:
    """What was done and found."""

    killed: Counter[tuple[str, str]] = field(default_factory=Counter)  # by step and place
    modes: Counter[str] = field(default_factory=Counter)
    found: Counter[tuple[str, str]] = field(default_factory=Counter)  # by step and what was found
    too_late: int = 0
    faults: list[str] = field(default_factory=list)

    def note(self, kill: Kill, found: Found) -> None:
        self.killed[kill.step, kill.where] += 1
        self.modes[kill.without] += 1
        state = "done, and whole" if found.output else "entered, and without its name" if found.entered[-1:] not in ([], ["numbered"]) else "nothing"
        if kill.step == "verify":
            state = "entered" if found.entered else "nothing"
        self.found[kill.step, f"{state}{'; unfinished things' if found.left else ''}"] += 1


def plan(exchange: Exchange, folder: Path, kills: int, chance: random.Random) -> list[Kill]:
    """Which kills: those at points in an even spread, and one of four at some time."""
    timed = kills // 4
    every = [Kill(step, without, point) for without in WITHOUT for step in STEPS for point in exchange.points(step, folder / "count", without)]
    print(f"{len(every)} points at which a step changes something on the disk", flush=True)
    sharp = [kill for kill in every if kill.where in NAMING][: kills - timed]
    others = [kill for kill in every if kill.where not in NAMING]
    wanted = kills - timed - len(sharp)
    chosen = sharp + [others[index * len(others) // wanted % len(others)] for index in range(wanted)]
    chosen += [Kill(chance.choice(STEPS), chance.choice(WITHOUT), None, chance.uniform(0.3, 1.0)) for _ in range(timed)]
    chance.shuffle(chosen)
    return chosen


def duration(step: Step) -> float:
    """Seconds that a step takes."""
    started = time.monotonic()
    subprocess.run(step.command, env={**os.environ, **step.environment}, stdin=subprocess.DEVNULL, capture_output=True, check=True)
    return time.monotonic() - started


def kill_at_some_time(step: Step, seconds: float) -> bool:
    """Kill a step so many seconds after its start; False if it had ended."""
    environment = {**os.environ, **step.environment}
    quiet = subprocess.DEVNULL
    with subprocess.Popen(step.command, env=environment, stdin=quiet, stdout=quiet, stderr=quiet) as process:
        time.sleep(seconds)
        process.kill()
    return process.returncode == -signal.SIGKILL


def do(exchange: Exchange, kill: Kill, folder: Path, seconds: dict[str, float], tally: Tally) -> None:
    """One kill, and what must hold after it. The folder is kept if it does not."""
    step = exchange.at(kill.step, folder, kill.without)
    if kill.point is not None:
        killed = struck(step.command, kill.point, signal.SIGKILL, env=step.environment).code == -signal.SIGKILL
    else:
        wait = seconds[kill.step] * kill.part
        while not (killed := kill_at_some_time(step, wait)):  # it had ended: again in another copy, and earlier
            tally.too_late += 1
            wait *= 0.8
            shutil.rmtree(folder)
            step = exchange.at(kill.step, folder, kill.without)
    if not killed:
        tally.faults.append(f"{kill} was not killed")
    try:
        found = check_kept(step, exchange.before[kill.step])
        check_after(step, found)
    except AssertionError as error:
        tally.faults.append(f"{kill}: {error}; see {folder}")
        print(f"FAULT {tally.faults[-1]}", flush=True)
        return
    if killed:
        tally.note(kill, found)
    shutil.rmtree(folder)


def report(tally: Tally, seconds: float) -> None:
    print(f"\n{sum(tally.killed.values())} kills in {seconds:.0f} s; {tally.too_late} more came too late and were done again")
    print("\nfile system with:  " + ", ".join(f"{NAMES[name]}: {count}" for name, count in sorted(tally.modes.items())))
    places = sorted({place for _, place in tally.killed}, key=lambda place: -sum(tally.killed[step, place] for step in STEPS))
    print(f"\n{'killed before':16}" + "".join(f"{step:>13}" for step in STEPS))
    for place in places:
        print(f"{place:16}" + "".join(f"{tally.killed[step, place]:13}" for step in STEPS))
    states = sorted({state for _, state in tally.found})
    print(f"\n{'found':50}" + "".join(f"{step:>13}" for step in STEPS))
    for state in states:
        print(f"{state:50}" + "".join(f"{tally.found[step, state]:13}" for step in STEPS))
    print(f"\nfaults: {len(tally.faults)}")
    for fault in tally.faults:
        print(f"  {fault}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m soak.kill", description="Kill commands at many points, and see what is left.")
    parser.add_argument("--kills", type=int, default=1000, help="how many (1000)")
    parser.add_argument("--seed", type=int, default=None, help="repeats a run, but for the kills at some time; shown at the start")
    parser.add_argument("--size", type=int, default=300_000, help="bytes of the largest carrier (300000)")
    parser.add_argument("--dir", type=Path, default=None, help="a new folder to work in; without it a temporary one")
    given = parser.parse_args()
    reason = why_not()
    if reason is not None:
        parser.error(reason)
    seed = random.SystemRandom().randrange(1 << 32) if given.seed is None else given.seed
    folder = Path(tempfile.mkdtemp(prefix="valiza-soak.")) if given.dir is None else given.dir
    folder.mkdir(exist_ok=True)
    print(f"{given.kills} kills, seed {seed}, in {folder}", flush=True)
    exchange = prepare(folder, given.size)
    kills = plan(exchange, folder, given.kills, random.Random(seed))  # noqa: S311 - which kills come when
    seconds = {}
    for name in STEPS:
        seconds[name] = duration(exchange.at(name, folder / "time"))
        shutil.rmtree(folder / "time")
    tally = Tally()
    started = time.monotonic()
    for index, kill in enumerate(kills):
        do(exchange, kill, folder / f"kill-{index}", seconds, tally)
        if (index + 1) % 50 == 0:
            print(f"{index + 1} of {len(kills)}, {time.monotonic() - started:.0f} s, faults: {len(tally.faults)}", flush=True)
    report(tally, time.monotonic() - started)
    if not tally.faults:
        shutil.rmtree(folder)
    return min(len(tally.faults), 1)


if __name__ == "__main__":
    sys.exit(main())
