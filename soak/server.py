"""Let a PostgreSQL server die under clerks who share a register in it; run from the top of the checkout, as `python -m soak.server`.

It starts a server of its own, in a temporary folder. What must hold stands on top of tests/support/killed_server.py.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.support.cli import found_world
from tests.support.killed_server import kill_server, moved_into, receipts_of
from tests.support.postgresql import running

from valiza.register.connecting import migrate


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m soak.server", description="Let a PostgreSQL server die under load, and verify its register.")
    parser.add_argument("--deaths", type=int, default=10, help="how often the server dies (10)")
    parser.add_argument("--seed", type=int, default=None, help="dies after the same times again; shown at the start")
    given = parser.parse_args()
    seed = random.SystemRandom().randrange(1 << 32) if given.seed is None else given.seed
    folder = Path(tempfile.mkdtemp(prefix="valiza-soak."))
    print(f"{given.deaths} deaths, seed {seed}, in {folder}", flush=True)
    with running() as cluster:
        address = cluster.url(cluster.make_database())
        migrate(address)
        world = found_world(folder / "world")
        receipts = receipts_of(world, 3 * given.deaths)
        moved_into(world, address)
        started = time.monotonic()
        done = kill_server(cluster, world, address, receipts, deaths=given.deaths, chance=random.Random(seed))  # noqa: S311 - when it dies
    print(f"{done.server_deaths} deaths of the server and {done.clerk_deaths} of clerks in {time.monotonic() - started:.0f} s")
    print(f"{done.entries} entries; {done.withdrawn} envelopes were entered, got no name, and were withdrawn")
    for (what, code), count in sorted(done.ended.items()):
        print(f"  {what:12} ended with {code}: {count:5}")
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
