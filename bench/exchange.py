"""Sealing and opening as the commands that people type, in turn: the machine's limit, Valiza, and what others use. Time, processor time, memory."""

from __future__ import annotations

import filecmp
import json
import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from measuring import MIB, Row, Spread, Taken, attempt, environment, run, size_text, touch, valiza
from peers import PEERS, Contestant, dismiss_peers, found_peers, limit

GOAL_SIZE = 1 << 30  # below it the start of Python is more of the time than the work
GOALS = {"seal": {"limit": 1.15, "age": 0.45}, "open": {"limit": 1.2, "age": 0.40}}
DAMAGED_SIZE = 16 * MIB
YARDSTICK = "age + minisign"


@dataclass(frozen=True)
class Offices:
    """The two offices of a demonstration, and its commands to seal and to open, which are used again for other files."""

    folder: Path
    steps: dict[str, list[str]]

    def command(self, *words: str) -> list[str]:
        return [*valiza(), *words]

    def again(self, step: str, old: Sequence[str], new: Sequence[str], output: Path) -> list[str]:
        """The command of a step with other files in the place of `old`, and another output."""
        argv = self.steps[step]
        at = argv.index(old[0])
        changed = [*self.command(*argv[1:at]), *new, *argv[at + len(old) :]]
        changed[changed.index("-o") + 1] = str(output)
        return changed

    def seal(self, carriers: Sequence[Path], envelope: Path) -> list[str]:
        first = self.steps["seal"]
        return self.again("seal", first[2 : first.index("--to")], [str(c) for c in carriers], envelope)

    def open(self, envelope: Path, folder: Path) -> list[str]:
        return self.again("open", [self.steps["open"][2]], [str(envelope)], folder)

    def contestant(self, folder: Path, carrier: Path) -> Contestant:
        out = folder / "out"
        sealed, opened = out / "sealed.vlz", out / "opened"
        return Contestant("Valiza", out, self.seal([carrier], sealed), self.open(sealed, opened), sealed, opened / carrier.name)


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


def measure_exchange(offices: Offices, sizes: Sequence[int], rounds: int, say: Callable[[str], None]) -> list[Row]:
    work = offices.folder / "contest"
    carrier = work / "carrier.bin"
    work.mkdir()
    try:
        contestants = [limit(work / "limit", carrier), offices.contestant(work / "valiza", carrier), *found_peers(work / "peers", carrier)]
        make_carrier(carrier, DAMAGED_SIZE)
        notes = {each.name: damage(each, carrier) for each in contestants[1:]}  # the limit checks what it decrypts, and nothing else
        rows = []
        for size in sizes:
            make_carrier(carrier, size)
            rows += measure_size(contestants, carrier, size=size, rounds=rounds, notes=notes, say=say)
        carrier.unlink()
        return rows
    finally:
        dismiss_peers(work / "peers")


def damage(contestant: Contestant, carrier: Path) -> str:
    """What becomes of an envelope with one altered bit towards its end: whether it is refused, and what is left of the plaintext."""
    contestant.clear()
    run(contestant.seal, contestant.out)
    with contestant.sealed.open("r+b") as file:
        file.seek(-(1 << 18), os.SEEK_END)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 1]))
    before = set(contestant.out.rglob("*"))
    code = attempt(contestant.open, contestant.out)
    left = sum(path.stat().st_size for path in set(contestant.out.rglob("*")) - before if path.is_file())
    contestant.clear()
    return f"{'refused' if code else 'ACCEPTED'}, {f'{left / carrier.stat().st_size:.0%} of the plaintext left' if left else 'nothing left'}"


def measure_size(
    contestants: Sequence[Contestant], carrier: Path, *, size: int, rounds: int, notes: dict[str, str], say: Callable[[str], None]
) -> list[Row]:
    """All in turn, sealing and then opening, another first in each round; one round more than is counted, to warm up."""
    taken: dict[tuple[str, str], list[Taken]] = {}
    for count in range(rounds + 1):
        first = count % len(contestants)
        for verb in ("seal", "open"):
            for each in (*contestants[first:], *contestants[:first]):
                if verb == "seal":
                    each.clear()
                touch(size)
                took = run(each.seal if verb == "seal" else each.open, each.out)
                spent = f"{took.seconds:.3f} s (program {took.user_seconds:.3f}, kernel {took.system_seconds:.3f}), {took.peak_kib >> 10} MiB"
                say(f"{size_text(size)}, round {count}: {verb}, {each.name}: {spent}")
                if count:
                    taken.setdefault((verb, each.name), []).append(took)
                elif verb == "open":
                    assert filecmp.cmp(carrier, each.released, shallow=False), each.name
                if verb == "open":
                    each.clear()
    return [row for verb in ("seal", "open") for row in _rows(verb, size, taken, notes)]


def _rows(verb: str, size: int, taken: dict[tuple[str, str], list[Taken]], notes: dict[str, str]) -> list[Row]:
    times = {name: Spread.of([t.seconds for t in runs]) for (of, name), runs in taken.items() if of == verb}
    yardstick = times.get(YARDSTICK)
    rows = []
    for name in ("limit", "Valiza", *PEERS):
        what = f"{verb} {size_text(size)}"
        if name not in times:
            rows.append(Row(what=what, who=name, note="not installed"))
            continue
        runs, time = taken[verb, name], times[name]
        rows.append(
            Row(
                what=what,
                who=name,
                unit="s",
                value=time,
                to_limit=time.median / times["limit"].median,
                to_age=time.median / yardstick.median if yardstick else None,
                goals=GOALS[verb] if name == "Valiza" and size == GOAL_SIZE else {},
                processor_seconds=Spread.of([t.user_seconds + t.system_seconds for t in runs]).median,
                peak_mib=max(t.peak_kib for t in runs) / 1024,
                note=notes.get(name, "") if verb == "open" else "",
                verb=verb,
                size=size,
            )
        )
    return rows
