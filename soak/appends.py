"""Append by many processes at once, and see that nothing is missing, forked or double; run from the top of the checkout, as `python -m soak.appends`.

Every process gives out numbers of one register, each an entry in a transaction of its own. Beside it, in turns and with as many processes, rows of
the same size are inserted into a plain table of the same database, one in a transaction: what the database itself can do. Once for SQLite, once for a
PostgreSQL server of the run's own, both on the disk of TMPDIR, and both waiting for it.
"""

from __future__ import annotations

import argparse
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Final

from tests.support.postgresql import Cluster, running
from tests.support.registers import require_whole

from valiza.keys.fields import Body
from valiza.register.connecting import migrate, open_store
from valiza.register.entry import Entry
from valiza.register.journal import RegisterJournal

AT: Final = 1_780_000_000
AGREEMENT: Final = bytes(32)
OWN: Final = Body("KZ", "KZ-MFA")
ROW_BYTES: Final = 250  # about what the columns of a numbered entry hold


def clock() -> int:
    return AT


# -- one of the processes -------------------------------------------------------------------------------------------------


def work(way: str, where: str, path: Path, count: int) -> None:
    """Say `ready`, wait for a line, do it, and say how it went."""
    with ExitStack() as stack:
        if way == "register":
            store = stack.enter_context(closing(open_store(None if where == "-" else where, path, clock)))
            journal = RegisterJournal(store, OWN, clock)
            begin()
            numbers = [journal.next_number("out", AGREEMENT, AT) for _ in range(count)]
            print(*numbers, sep="\n")
        elif where == "-":
            database = stack.enter_context(closing(sqlite3.connect(path, isolation_level=None, timeout=60)))
            database.execute("PRAGMA synchronous = FULL")
            begin()
            for _ in range(count):
                database.execute("BEGIN IMMEDIATE")
                database.execute("INSERT INTO plain (row) VALUES (?)", [bytes(ROW_BYTES)])
                database.execute("COMMIT")
        else:
            import psycopg  # noqa: PLC0415 - not where SQLite is measured

            connection = stack.enter_context(closing(psycopg.connect(where)))
            begin()
            for _ in range(count):
                connection.execute("INSERT INTO plain (row) VALUES (%s)", [bytes(ROW_BYTES)])
                connection.commit()


def begin() -> None:
    print("ready", flush=True)
    sys.stdin.readline()


# -- all of them ----------------------------------------------------------------------------------------------------------


def together(way: str, where: str, path: Path, entries: int, processes: int) -> tuple[float, list[str]]:
    """How long it took from the word to begin until all were done, and what they said."""
    command = [sys.executable, "-m", "soak.appends", "--work", way, where, str(path), str(entries // processes)]
    started = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(processes)]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    start = time.perf_counter()
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.close()
    said = []
    for process in started:
        with process:
            assert process.stdout is not None
            said += process.stdout.read().splitlines()
        assert process.returncode == 0
    return time.perf_counter() - start, said


def require_sound(where: str, path: Path, numbers: list[str]) -> None:
    """No gap, no fork, no number twice, and every number that was given out is that of an entry."""
    with closing(open_store(None if where == "-" else where, path, clock)) as store:
        entries: list[Entry] = require_whole(store)
    assert Counter(entry.number for entry in entries) == Counter(numbers)
    assert sorted(int(number.rpartition("/")[2]) for number in numbers) == list(range(1, len(numbers) + 1))


def measure(name: str, where: str, path: Path, given: argparse.Namespace) -> None:
    times: dict[str, list[float]] = {"register": [], "raw": []}
    numbers: list[str] = []
    size = given.entries // given.rounds
    for _ in range(given.rounds):
        for way, found in times.items():
            took, said = together(way, where, path, size, given.processes)
            found.append(took)
            numbers += said
    done = size // given.processes * given.processes
    rates = {way: [done / took for took in found] for way, found in times.items()}
    require_sound(where, path, numbers)
    for way, label in (("register", "appended to the register"), ("raw", "rows inserted raw")):
        low, high, all_of_it = min(rates[way]), max(rates[way]), done * given.rounds / sum(times[way])
        print(f"{name:10}  {label:25} {all_of_it:7.0f} a second  (rounds: {low:.0f} to {high:.0f})", flush=True)
    print(f"{name:10}  {len(numbers)} entries by {given.processes} processes: no gap, no fork, no number twice", flush=True)


def on_postgresql(cluster: Cluster, path: Path, given: argparse.Namespace) -> None:
    database = cluster.make_database()
    migrate(cluster.url(database))
    cluster.sql("CREATE TABLE public.plain (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, row bytea NOT NULL)", database)
    measure("PostgreSQL", cluster.url(database), path, given)


def on_sqlite(path: Path, given: argparse.Namespace) -> None:
    with closing(open_store(None, path, clock)), closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE plain (id INTEGER PRIMARY KEY, row BLOB NOT NULL)")
        database.commit()
    measure("SQLite", "-", path, given)


def main() -> None:
    if sys.argv[1:2] == ["--work"]:
        way, where, path, count = sys.argv[2:]
        work(way, where, Path(path), int(count))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=20_000)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5, help="in which register and raw rows take turns (5)")
    given = parser.parse_args()
    with running() as cluster, tempfile.TemporaryDirectory() as folder:
        on_sqlite(Path(folder, "register.db"), given)
        on_postgresql(cluster, Path(folder, "none"), given)


if __name__ == "__main__":
    main()
