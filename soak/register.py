"""Kill the commands of two offices at random moments, and see what their registers hold; from the top of the checkout: `python -m soak.register`.

Two offices work on and on: they seal, open, answer, countersign, judge, sign and cosign heads, back up and restore. Each command is killed at some
moment, and everything is checked that tests/support/killed_register.py lists.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.cli import World, found_world
from tests.support.killed_register import Tally, kill_many
from tests.support.killed_server import keep_in
from tests.support.postgresql import running

from valiza.register.connecting import migrate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def report(tally: Tally, seconds: float) -> None:
    """What was killed, by command."""
    print(f"\n{sum(tally.killed.values())} kills in {seconds:.0f} s; {tally.too_late} commands were quicker than their kill")
    print(f"\n{'command':22}{'killed':>8}{'after it printed something':>28}{'and had entered (of half)':>28}")
    for name, count in sorted(tally.killed.items(), key=lambda found: -found[1]):
        print(f"{name:22}{count:8}{tally.told[name]:28}{tally.entered[name]:28}")
    print(f"\nenvelopes that were entered and had no file yet, and were withdrawn: {tally.nameless}")


@contextmanager
def new_databases() -> Iterator[Callable[[World], None]]:
    """What gives the origin of a world a register in a new database."""
    with running() as cluster:
        template = cluster.make_database()
        migrate(cluster.url(template))
        yield lambda world: keep_in(world.kz, cluster.url(cluster.make_database(template)))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m soak.register", description="Kill commands at random moments, and verify the registers.")
    parser.add_argument("--kills", type=int, default=1000, help="how many (1000)")
    parser.add_argument("--seed", type=int, default=None, help="the same commands again, killed at about the same moments; shown at the start")
    parser.add_argument(
        "--postgresql", action="store_true", help="the origin keeps its register in a PostgreSQL database, of a server of the run's own"
    )
    given = parser.parse_args()
    seed = random.SystemRandom().randrange(1 << 32) if given.seed is None else given.seed
    folder = Path(tempfile.mkdtemp(prefix="valiza-soak."))
    print(f"{given.kills} kills, seed {seed}, in {folder}", flush=True)
    world = found_world(folder / "founded")
    started = time.monotonic()
    told = 0

    def progress(count: int) -> None:
        nonlocal told
        if count >= told + 50:
            told = count
            print(f"{count} of {given.kills}, {time.monotonic() - started:.0f} s", flush=True)

    try:
        with new_databases() if given.postgresql else nullcontext(lambda _: None) as begin:
            tally = kill_many(world, folder, given.kills, random.Random(seed), begin=begin, progress=progress)  # noqa: S311 - which kills come when
    except AssertionError as error:
        print(f"FAULT {error}; {'; '.join(error.__notes__)}")
        return 1
    report(tally, time.monotonic() - started)
    print("\nfaults: 0")
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
