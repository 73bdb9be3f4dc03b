"""The register in one SQLite file: other programs, other users, other versions, and disks that are full."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest
from tests.support.disks import MOUNT, mounted
from tests.support.registers import ALL, ENTRY, append, clock

from valiza.keys.errors import Unavailable
from valiza.register.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(path, clock)) as found:
        yield found


def raw(path: Path) -> sqlite3.Connection:
    """The file as any program with SQLite opens it."""
    return sqlite3.connect(path, isolation_level=None)


# -- nothing is changed or removed ----------------------------------------------------------------------------------------

ASSAULTS: Final = (
    "UPDATE entry SET note = 'other'",
    "UPDATE entry SET seq = 7 WHERE seq = 1",
    "UPDATE OR REPLACE entry SET note = 'other'",
    "DELETE FROM entry",
    "DELETE FROM entry WHERE seq = 1",
)


@pytest.mark.parametrize("assault", ASSAULTS)
def test_an_entry_is_neither_changed_nor_removed_by_any_program(store: SqliteStore, path: Path, assault: str) -> None:
    append(store)
    with closing(raw(path)) as database, pytest.raises(sqlite3.IntegrityError, match="nothing in the register"):
        database.execute(assault)
    assert store.find(ALL) == [replace(ENTRY, seq=1)]


@pytest.mark.parametrize("kind", ["opened", "sealed", "numbered"])
def test_an_entry_is_not_replaced(store: SqliteStore, path: Path, kind: str) -> None:
    """INSERT OR REPLACE removes the row that stands in the way: by the same place, or by what may stand once."""
    append(store, kind=kind)
    with closing(raw(path)) as database:
        names = [row[1] for row in database.execute("PRAGMA table_info(entry)")]
        (row,) = database.execute("SELECT * FROM entry").fetchall()
        other = dict(zip(names, row, strict=True)) | {"note": "other"}
        unique = {"seq": 7, "agreement": b"A" * 32, "previous": b"p" * 32, "link": b"l" * 32, "dispatch_digest": b"D" * 32, "number": "N"}
        for kept in (*unique, None):
            if kept in {"dispatch_digest", "number"} and kept != {"sealed": "dispatch_digest", "numbered": "number"}.get(kind):
                continue  # what may stand again
            values = other | {name: value for name, value in unique.items() if name != kept}
            statement = f"INSERT OR REPLACE INTO entry ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})"  # noqa: S608 - constants
            if kept is None:
                database.execute(statement, list(values.values()))
            else:
                with pytest.raises(sqlite3.IntegrityError, match="never replaced"):
                    database.execute(statement, list(values.values()))
    assert store.first(ALL) == replace(ENTRY, seq=1, kind=kind)


def test_types_are_strict(store: SqliteStore, path: Path) -> None:
    append(store)
    with closing(raw(path)) as database, pytest.raises(sqlite3.IntegrityError, match="TEXT value in INTEGER column"):
        database.execute(
            "INSERT INTO entry SELECT 2, 'today', kind, direction, number, x'00', 1, origin_party, origin_body, envelope_id, dispatch_digest, note,"
            " statement, record, blind, leaf_hash, link, leaf_hash FROM entry"
        )


# -- the file -------------------------------------------------------------------------------------------------------------


def test_only_its_owner_reads_the_register(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with closing(SqliteStore(tmp_path / "register.db", clock)) as store:
            append(store)
            modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    finally:
        os.umask(before)
    assert modes == {"register.db": 0o600, "register.db-wal": 0o600, "register.db-shm": 0o600}


def test_a_register_of_a_later_version_is_left_alone(path: Path) -> None:
    with closing(SqliteStore(path, clock)) as store:
        append(store)
    with closing(raw(path)) as database:
        database.execute("PRAGMA user_version = 4")
    with pytest.raises(Unavailable, match="version 4"):
        SqliteStore(path, clock)


def test_what_is_no_register_is_unavailable(path: Path) -> None:
    path.write_bytes(b"This is no database, but a letter of some length." * 100)
    with pytest.raises(Unavailable):
        SqliteStore(path, clock)
    assert path.read_bytes().startswith(b"This is no database")
    for other in (path.parent, path.parent / "missing" / "register.db"):
        with pytest.raises(Unavailable):
            SqliteStore(other, clock)


def test_every_append_is_synced_to_the_disk(store: SqliteStore) -> None:
    settings = {name: store._db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("synchronous", "journal_mode")}
    assert settings == {"synchronous": 2, "journal_mode": "wal"}


def test_a_register_that_another_process_is_just_making_is_waited_for(path: Path) -> None:
    """SQLite's own timeout does not hold for the switch to the write-ahead log."""
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        timer = threading.Timer(0.1, other.execute, ["ROLLBACK"])
        timer.start()
        try:
            with closing(SqliteStore(path, clock)) as store:
                append(store)
        finally:
            timer.join()


WITHOUT_SHARED_MEMORY: Final = """
import sqlite3, sys
from pathlib import Path
from valiza.keys.errors import Unavailable

real = sqlite3.connect
sqlite3.connect = lambda path, **options: real(f"file:{path}?vfs=unix-none", uri=True, **options)

from valiza.register.sqlite import SqliteStore

try:
    SqliteStore(Path(sys.argv[1]), lambda: 0)
except Unavailable:
    print("unavailable")
"""


def test_where_there_can_be_no_write_ahead_log_it_is_told(path: Path) -> None:
    """As on some file systems over a network. SQLite then stays as it is, without an error."""
    done = subprocess.run([sys.executable, "-c", WITHOUT_SHARED_MEMORY, str(path)], capture_output=True, text=True, check=False, timeout=10)
    assert (done.stdout, done.stderr) == ("unavailable\n", "")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 512 KiB."""
    with mounted(tmp_path / "disk", "512k") as disk:
        yield disk


def fill(store: SqliteStore) -> None:
    for _ in range(1000):
        append(store, kind="conflict", record=bytes(4000))


def test_on_a_full_disk_nothing_is_lost_and_nothing_is_half_there(small_disk: Path) -> None:
    with closing(SqliteStore(small_disk / "register.db", clock)) as store:
        with pytest.raises(Unavailable, match="full"):
            fill(store)
        entered = store.find(ALL)
        assert 0 < len(entered) < 1000
        assert {entry.record for entry in entered} == {bytes(4000)}
        subprocess.run([str(MOUNT), "-o", "remount,size=2m", str(small_disk)], check=True)
        append(store)
        assert [entry.seq for entry in store.find(ALL)] == list(range(1, len(entered) + 2))


def test_what_belongs_together_is_not_entered_in_part_when_the_disk_was_full(small_disk: Path) -> None:
    """SQLite ends the whole transaction then, and what came after would stand alone."""
    path = small_disk / "register.db"
    with closing(SqliteStore(path, clock)) as store:
        append(store)
        store._db.execute("PRAGMA cache_size = 10")  # pages: the rest of a transaction goes to the disk before it ends

        def enter_together() -> None:
            with store.transaction():
                append(store, kind="sealed")
                with pytest.raises(Unavailable, match="full"):
                    fill(store)
                subprocess.run([str(MOUNT), "-o", "remount,size=4m", str(small_disk)], check=True)
                assert not store._db.in_transaction
                for _ in range(2):
                    with pytest.raises(Unavailable, match="took back"):
                        append(store, kind="receipt")

        with pytest.raises(Unavailable, match="took back"):
            enter_together()
        assert [entry.kind for entry in store.find(ALL)] == ["opened"]
        append(store, kind="receipt")
        with closing(SqliteStore(path, clock)) as other:
            assert [entry.kind for entry in other.find(ALL)] == ["opened", "receipt"]


def test_on_a_disk_that_is_only_read_a_register_is_unavailable(small_disk: Path) -> None:
    with closing(SqliteStore(small_disk / "register.db", clock)) as store:
        append(store)
    subprocess.run([str(MOUNT), "-o", "remount,ro", str(small_disk)], check=True)
    for name in ("register.db", "another.db"):
        with pytest.raises(Unavailable):
            SqliteStore(small_disk / name, clock)
