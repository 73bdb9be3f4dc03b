"""Clerks who share a register in PostgreSQL, while its server dies again and again and they are killed too; and what must hold in the end.

The server is stopped as when its machine loses power, as far as its processes can tell (`pg_ctl -m immediate`), and started again; clerks are killed
with `kill -9`. Then:

1. the register holds, no number was given out twice, and no envelope or receipt was entered twice;
2. whatever a clerk was told is in the register, once;
3. a command that failed said so with exit code 7, and left no file;
4. every envelope on the disk has its entry, and one that was entered and has no file is withdrawn.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.support.cli import ORDER, Office, World, works
from tests.support.interrupted import left_over
from tests.support.killed_register import dispatch_of
from tests.support.registers import clock, require_whole

from valiza.register.connecting import open_store

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from tests.support.postgresql import Cluster

__all__ = ["Outcome", "keep_in", "kill_server", "moved_into", "receipts_of"]

CLERKS: Final = 3
_CLERK: Final = Path(__file__).with_name("clerk.py")
_TOP: Final = Path(__file__).parent.parent.parent


@dataclass
class Outcome:
    """What came of it."""

    server_deaths: int = 0
    clerk_deaths: int = 0
    ended: Counter[tuple[str, int]] = field(default_factory=Counter)  # commands by what they did and their exit codes
    entries: int = 0
    withdrawn: int = 0


def receipts_of(world: World, number: int) -> list[Path]:
    """Receipts for so many envelopes, which the origin has not seen."""
    carriers = [world.path(f"carrier-{index}.txt") for index in range(number)]
    for carrier in carriers:
        carrier.write_text(carrier.name, encoding="utf-8")
    folders = {name: world.path(name) for name in ("sealed", "opened", "answers", "receipts")}
    world.kz.works(*world.order("--each", files=carriers), "-o", folders["sealed"])
    envelopes = sorted(folders["sealed"].iterdir())
    world.by.works("open", *envelopes, "--each", "--as=yanka", "-o", folders["opened"])
    world.by.works("acknowledge", *envelopes, "--each", "--as=yanka", "-o", folders["answers"])
    answers = sorted(folders["answers"].iterdir())
    world.by.works("countersign", *answers, "--each", "--envelope", folders["sealed"], "--as=maryna", "-o", folders["receipts"])
    return sorted(folders["receipts"].iterdir())


def keep_in(office: Office, address: str) -> None:
    """From now on the register of an office is in a database, and the file is gone."""
    path = office.home / "office.toml"
    path.write_text(f'register = "{address}"\n{path.read_text(encoding="utf-8")}', encoding="utf-8")
    for file in office.home.glob("register.db*"):
        file.unlink()


def moved_into(world: World, address: str) -> None:
    """Put the register of the origin's office into an empty database, by a backup."""
    world.kz.works("register", "backup", "-o", world.path("moved"))
    keep_in(world.kz, address)
    world.kz.works("register", "restore", world.path("moved"))


class _Clerk:
    """A clerk at work, in a process of his own, and what he says."""

    def __init__(self, home: Path, folder: Path, name: str, receipts: Sequence[Path]) -> None:
        self.home = home
        self._said = folder / f"{name}.said"
        environment = {**os.environ, "PYTHONPATH": str(_TOP)}
        with self._said.open("wb") as out:
            words: list[str | Path] = [sys.executable, _CLERK, home, folder, name, *receipts]
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment)

    def said(self) -> list[Any]:
        """What he said whole."""
        lines = self._said.read_text(encoding="utf-8").splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def done(self) -> int:
        """How many commands of his ended well."""
        return sum(one["code"] == 0 for one in self.said())


def kill_server(cluster: Cluster, world: World, address: str, receipts: Sequence[Path], *, deaths: int, chance: random.Random) -> Outcome:
    """Let the server die so many times under load, and check what must hold. `world`: its origin keeps its register at `address`."""
    outcome = Outcome()
    folder = world.path("work")
    folder.mkdir()
    homes = [world.kz.home, world.kz.home, world.path("second-host")]
    shutil.copytree(world.kz.home, homes[2])
    clerks = [_Clerk(home, folder, f"clerk-{index}", receipts[index::CLERKS]) for index, home in enumerate(homes)]
    everybody = list(clerks)
    try:
        while outcome.server_deaths < deaths:
            _await_work(clerks)
            time.sleep(chance.uniform(0, 1))
            cluster.stop()
            outcome.server_deaths += 1
            if chance.random() < 0.5:  # one of them does not live to see it again
                index = chance.randrange(CLERKS)
                clerks[index].process.kill()
                clerks[index].process.wait()
                outcome.clerk_deaths += 1
                clerks[index] = _Clerk(homes[index], folder, f"clerk-{len(everybody)}", receipts[index::CLERKS])
                everybody.append(clerks[index])
            time.sleep(chance.uniform(0, 0.5))
            cluster.start()
        _await_work(clerks)  # it goes on
        (folder / "stop").touch()
        for clerk in clerks:
            assert clerk.process.wait(60) == 0, clerk.said()[-1:]
    finally:
        for clerk in clerks:
            clerk.process.kill()
            clerk.process.wait()
    _check(world, homes, address, [one for clerk in everybody for one in clerk.said()], outcome)
    return outcome


def _await_work(clerks: Sequence[_Clerk]) -> None:
    """Until each clerk has done something more, if that comes within a minute."""
    before = [clerk.done() for clerk in clerks]
    until = time.monotonic() + 60
    while time.monotonic() < until and any(clerk.done() <= count for clerk, count in zip(clerks, before, strict=True)):
        time.sleep(0.05)


def _check(world: World, homes: Sequence[Path], address: str, said: Sequence[Any], outcome: Outcome) -> None:
    for home in dict.fromkeys(homes):
        works("register", "list", "--home", home)  # which puts right what was interrupted there
    assert world.kz.works("register", "verify", "--json").facts["holds"]
    with closing(open_store(address, Path("none"), clock)) as store:
        entries = require_whole(store)
    outcome.entries = len(entries)
    outcome.ended.update((one["what"], one["code"]) for one in said)
    numbers = Counter(entry.number for entry in entries if entry.kind == "numbered")
    assert max(numbers.values()) == 1, "a number was given out twice"
    for kind in ("sealed", "withdrawn", "receipt"):
        assert max(Counter(entry.dispatch_digest for entry in entries if entry.kind == kind).values(), default=1) == 1, f"two entries {kind}"
    sealed = {entry.dispatch_digest: entry.number for entry in entries if entry.kind == "sealed"}
    assert len(set(sealed.values())) == len(sealed)
    gone = {entry.dispatch_digest for entry in entries if entry.kind == "withdrawn"}
    outcome.withdrawn = len(gone)
    there = {dispatch_of(path): path for path in world.folder.rglob("*.vlz")}
    assert set(there) == set(sealed) - gone, "files and entries do not fit"
    received = {entry.statement for entry in entries if entry.kind == "receipt" and entry.note == "delivered"}
    for one in said:
        assert one["code"] in {0, 7}, one
        if one["what"] == "seal":
            assert Path(one["out"]).exists() == (one["code"] == 0), one
            if one["code"] == 0:
                assert sealed[bytes.fromhex(one["told"]["dispatch"])] == one["told"]["number"]
        elif one["what"] == "receipt" and one["code"] == 0:
            assert one["told"]["verdict"] == "delivered"
            assert Path(one["receipt"]).read_bytes() in received
    world.kz.works("seal", world.carrier, *ORDER, "-o", world.path("work") / "last.vlz")
    assert left_over(world) == []
