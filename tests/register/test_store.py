"""The table of entries: what is in it stays as it is, in order, whoever else writes at the same time."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.disks import MOUNT, mounted

from valiza.keys.errors import Refused, Unavailable
from valiza.keys.fields import MAX_TIME, Body
from valiza.register.entry import Entry
from valiza.register.sqlite import SqliteStore
from valiza.register.store import Query

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ENTRY: Final = Entry(
    at=1000,
    kind="opened",
    direction="in",
    number="KZ-MFA/2026/in/1",
    agreement=b"a" * 32,
    origin=Body("BY", "BY-MFA"),
    envelope_id=b"e" * 32,
    dispatch_digest=b"d" * 32,
    statement=b"statement",
    record=b"record",
    note="a note",
    blind=b"b" * 16,
)
ALL: Final = Query()


def clock() -> int:
    """Before every entry that the tests write."""
    return 0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "register.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(path, clock)) as found:
        yield found


def append(store: SqliteStore, **changes: Any) -> None:
    with store.transaction():
        store.append(replace(ENTRY, **changes))


def raw(path: Path) -> sqlite3.Connection:
    """The file as any program with SQLite opens it."""
    return sqlite3.connect(path, isolation_level=None)


# -- appending ------------------------------------------------------------------------------------------------------------


def test_an_entry_comes_back_as_it_was_appended_with_its_place(store: SqliteStore) -> None:
    append(store)
    less: dict[str, Any] = {"statement": b"", "number": "", "note": "", "record": b""}
    append(store, **less)
    append(store, agreement=b"A" * 32)
    expected = [replace(ENTRY, seq=1, place=0), replace(ENTRY, seq=2, place=1, **less), replace(ENTRY, seq=3, place=0, agreement=b"A" * 32)]
    assert store.find(Query(kinds=("opened",))) == expected
    assert (store.count(Query(kinds=("opened",))), store.count(Query(kinds=("sealed",)))) == (3, 0)
    assert store.find(Query(kinds=("sealed",))) == []
    assert store.logs() == [b"a" * 32, b"A" * 32]


def test_what_was_appended_is_there_for_the_next_who_opens_the_file(path: Path) -> None:
    for number in range(3):
        with closing(SqliteStore(path, clock)) as store:
            append(store, note=str(number))
    with closing(SqliteStore(path, clock)) as store:
        assert [entry.note for entry in store.find(ALL)] == ["0", "1", "2"]


def test_all_of_a_transaction_happens_or_nothing(store: SqliteStore) -> None:
    def fail() -> None:
        with store.transaction():
            store.append(ENTRY)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert store.count(ALL) == 0
    append(store)
    assert store.count(ALL) == 1


def test_a_transaction_inside_another_is_part_of_it(store: SqliteStore, path: Path) -> None:
    def fail_inside() -> None:
        with store.transaction():
            append(store, kind="sealed")
            append(store, kind="sealed")

    with closing(SqliteStore(path, clock)) as other:
        with store.transaction():
            append(store)
            with store.transaction():
                append(store)
            assert other.count(ALL) == 0, "nothing is there before the outermost ends"
        assert other.count(ALL) == 2
        with pytest.raises(Refused):
            fail_inside()
        assert other.count(ALL) == 2
        with store.transaction():  # one that is refused inside, and told, stops no other
            append(store, kind="sealed")
            with pytest.raises(Refused):
                append(store, kind="sealed")
            append(store, kind="receipt")
        assert [entry.kind for entry in other.find(ALL)] == ["opened", "opened", "sealed", "receipt"]


def test_only_the_last_entry_can_be_asked_for(store: SqliteStore) -> None:
    for number in range(3):
        append(store, note=str(number))
        append(store, kind="conflict", note=str(number))
    assert [entry.note for entry in store.find(Query(kinds=("opened",), newest_first=True, limit=1))] == ["2"]
    assert [entry.note for entry in store.facts(Query(kinds=("opened", "conflict"), newest_first=True))] == ["2", "2", "1", "1", "0", "0"]
    assert store.first(Query(kinds=("sealed",), newest_first=True)) is None


def test_files_without_a_name_are_noted_and_forgotten(path: Path) -> None:
    with closing(SqliteStore(path, clock)) as store:
        with store.transaction():
            for number in range(3):
                store.expect_file(bytes([number]) * 32, "here", f"/выход/{number}.vlz".encode())
        with pytest.raises(Refused), store.transaction():
            store.expect_file(bytes(32), "here", b"/another")
        store.forget_files([bytes([1]) * 32, b"never noted"])
        store.forget_files([])
        assert store._db.execute("PRAGMA synchronous").fetchone()[0] == 2, "entries are synced as before"
    with closing(SqliteStore(path, clock)) as store:
        assert store.expected_files("here") == [(bytes(32), "/выход/0.vlz".encode()), (bytes([2]) * 32, "/выход/2.vlz".encode())]


def test_a_note_of_a_failed_transaction_is_gone_with_it(store: SqliteStore) -> None:
    def fail() -> None:
        with store.transaction():
            store.expect_file(bytes(32), "here", b"/it")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert store.expected_files("here") == []


def test_time_never_runs_back(store: SqliteStore) -> None:
    append(store)
    append(store)
    with pytest.raises(Refused, match="clock"):
        append(store, at=ENTRY.at - 1)
    append(store, at=ENTRY.at + 1)
    with pytest.raises(Refused, match="clock"):
        append(store)
    assert [entry.at for entry in store.find(ALL)] == [1000, 1000, 1001]


def test_long_work_that_others_overtook_is_entered_after_theirs(path: Path) -> None:
    with closing(SqliteStore(path, lambda: 1005)) as store:
        append(store, at=1003)
        append(store, at=1001)
        assert [entry.at for entry in store.find(ALL)] == [1003, 1003]
        append(store, at=1006)
        with pytest.raises(Refused, match="clock"):
            append(store, at=1005)


@pytest.mark.parametrize("kind", ["sealed", "withdrawn", "answered", "receipt"])
def test_what_happens_once_to_an_envelope_is_entered_once(store: SqliteStore, kind: str) -> None:
    append(store, kind=kind)
    append(store, kind=kind, dispatch_digest=b"another")
    with pytest.raises(Refused):
        append(store, kind=kind, note="again", record=b"other")
    assert store.count(ALL) == 2


@pytest.mark.parametrize("kind", ["opened", "conflict"])
def test_what_may_happen_again_is_entered_again(store: SqliteStore, kind: str) -> None:
    append(store, kind=kind)
    append(store, kind=kind)
    assert store.count(ALL) == 2


def test_a_number_is_given_out_once(store: SqliteStore) -> None:
    append(store, kind="numbered")
    append(store, kind="opened")
    with pytest.raises(Refused):
        append(store, kind="numbered", dispatch_digest=b"another")


def test_a_direction_is_in_or_out(store: SqliteStore) -> None:
    with pytest.raises(Refused):
        append(store, direction="sideways")


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


# -- several processes ----------------------------------------------------------------------------------------------------

APPENDING: Final = """
import sys
import threading
from pathlib import Path
from valiza.keys.fields import Body
from valiza.register.journal import RegisterJournal
from valiza.register.sqlite import SqliteStore

journal = RegisterJournal(SqliteStore(Path(sys.argv[1]), lambda: 1_780_000_000), Body("KZ", "KZ-MFA"))
print("ready", flush=True)
sys.stdin.readline()
for _ in range(200):
    print(journal.next_number("out", bytes(32), 1_780_000_000))
"""


@pytest.mark.slow
def test_two_processes_give_out_400_numbers_without_a_gap_or_a_duplicate(path: Path) -> None:
    """Both open a register that neither has made before, and then wait for each other."""
    command = [sys.executable, "-c", APPENDING, str(path)]
    both = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for process in both:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in both:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    given = [process.communicate(timeout=60)[0].split() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert [len(numbers) for numbers in given] == [200, 200]
    assert {number for numbers in given for number in numbers} == {f"KZ-MFA/2026/out/{n}" for n in range(1, 401)}
    with closing(SqliteStore(path, clock)) as store:
        assert [entry.seq for entry in store.find(ALL)] == list(range(1, 401))


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


def test_a_transaction_sees_nothing_of_another_and_the_other_waits(path: Path) -> None:
    with closing(SqliteStore(path, clock)) as one, closing(SqliteStore(path, clock)) as other:
        other._db.execute("PRAGMA busy_timeout = 10")
        with one.transaction():
            one.append(ENTRY)
            assert other.count(ALL) == 0
            with pytest.raises(Unavailable, match="locked"):
                append(other)
        append(other, at=ENTRY.at + 1)
        assert one.count(ALL) == 2


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


texts = st.text("abc жқ-/0123", max_size=20)
entries = st.builds(
    Entry,
    at=st.integers(0, MAX_TIME),
    kind=st.sampled_from(["opened", "conflict"]),
    direction=st.sampled_from(["in", "out"]),
    number=texts,
    agreement=st.sampled_from([b"a" * 32, b"A" * 32]),
    origin=st.builds(Body, texts, texts),
    envelope_id=st.binary(max_size=40),
    dispatch_digest=st.binary(max_size=40),
    record=st.binary(max_size=100),
    statement=st.binary(max_size=100),
    note=st.text("abc жқ", max_size=20),
    blind=st.binary(min_size=16, max_size=16),
)


@settings(max_examples=30)
@given(st.lists(entries, min_size=1, max_size=5).map(lambda found: sorted(found, key=lambda entry: entry.at)))
def test_whatever_is_entered_comes_back_in_order(tmp_path_factory: pytest.TempPathFactory, drawn: list[Entry]) -> None:
    with closing(SqliteStore(tmp_path_factory.mktemp("register") / "register.db", clock)) as store:
        with store.transaction():
            for entry in drawn:
                store.append(entry)
        places = [sum(other.agreement == entry.agreement for other in drawn[:index]) for index, entry in enumerate(drawn)]
        assert store.find(ALL) == [replace(entry, seq=index + 1, place=place) for index, (entry, place) in enumerate(zip(drawn, places, strict=True))]
