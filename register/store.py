"""An append-only table of entries in SQLite: nothing in it is ever changed or removed, and every append is durable when it returns."""

from __future__ import annotations

import sqlite3
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from valiza.keys.errors import Refused, Unavailable
from valiza.keys.fields import MAX_TIME
from valiza.keys.files import storage_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

__all__ = ["VERSION", "Entry", "Store"]

VERSION: Final = 2
_WAIT_S: Final = 30.0  # for another process that holds the register
_SCHEMA: Final = """
CREATE TABLE entry (
    seq             INTEGER PRIMARY KEY,
    at              INTEGER NOT NULL,
    kind            TEXT    NOT NULL,
    direction       TEXT    NOT NULL CHECK (direction IN ('in', 'out')),
    number          TEXT    NOT NULL,
    origin_party    TEXT    NOT NULL,
    origin_body     TEXT    NOT NULL,
    envelope_id     BLOB    NOT NULL,
    dispatch_digest BLOB    NOT NULL,
    record          BLOB    NOT NULL,
    copy            BLOB,
    note            TEXT    NOT NULL
) STRICT;
CREATE INDEX entry_by_dispatch ON entry (dispatch_digest, kind);
CREATE INDEX entry_by_identity ON entry (envelope_id);
CREATE INDEX entry_numbered ON entry (direction) WHERE kind = 'numbered';
CREATE UNIQUE INDEX entry_number ON entry (number) WHERE kind = 'numbered';
CREATE UNIQUE INDEX entry_once ON entry (dispatch_digest, kind) WHERE kind IN ('sealed', 'arrived', 'withdrawn', 'answered', 'receipt');
CREATE TRIGGER entry_never_replaced BEFORE INSERT ON entry WHEN EXISTS (
    SELECT 1 FROM entry WHERE seq = NEW.seq OR (kind = NEW.kind AND (
        (kind IN ('sealed', 'arrived', 'withdrawn', 'answered', 'receipt') AND dispatch_digest = NEW.dispatch_digest)
        OR (kind = 'numbered' AND number = NEW.number)
    ))
) BEGIN SELECT RAISE(ABORT, 'an entry is never replaced'); END;
CREATE TABLE unnamed (dispatch_digest BLOB PRIMARY KEY, path BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TRIGGER entry_never_changes BEFORE UPDATE ON entry BEGIN SELECT RAISE(ABORT, 'an entry is never changed'); END;
CREATE TRIGGER entry_never_goes BEFORE DELETE ON entry BEGIN SELECT RAISE(ABORT, 'an entry is never removed'); END;
"""
_COLUMNS: Final = "seq, at, kind, direction, number, origin_party, origin_body, envelope_id, dispatch_digest, record, copy, note"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry. `at` in seconds since 1970; `record` is what the kind says; `note` a verdict or reason."""

    seq: int = 0
    at: int
    kind: str
    direction: str
    number: str = ""
    origin_party: str
    origin_body: str
    envelope_id: bytes = b""
    dispatch_digest: bytes = b""
    record: bytes = field(default=b"", repr=False)
    copy: bytes | None = field(default=None, repr=False)
    note: str = ""


@contextmanager
def _database_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.IntegrityError as error:
        message = f"the register refuses the entry: {error}"
        raise Refused(message) from error
    except (sqlite3.Error, UnicodeError, OverflowError) as error:  # a damaged file shows itself in many ways
        message = f"the register {str(path)!r} cannot be used: {error}"
        raise Unavailable(message) from error


class Store:
    """The table, in one file of mode 0600. `clock` tells the present, in seconds since 1970."""

    def __init__(self, path: Path, clock: Callable[[], int]) -> None:
        self._path = path
        self._clock = clock
        self._inside = False
        with _database_errors(path):
            self._db = sqlite3.connect(path, isolation_level=None, timeout=_WAIT_S)
            try:
                self._prepare()
            except BaseException:
                self._db.close()
                raise

    def _prepare(self) -> None:
        with storage_errors(self._path):
            self._path.chmod(0o600)
        self._write_ahead()
        self._db.execute("PRAGMA synchronous = FULL")
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            self._create()
        elif version != VERSION:
            message = f"the register {str(self._path)!r} is of version {version}, and this program knows {VERSION}"
            raise Unavailable(message)

    def _write_ahead(self) -> None:
        """Switch to WAL. SQLite does not wait for another process that is just switching, so this does."""
        until = time.monotonic() + _WAIT_S
        while True:
            try:
                mode = self._db.execute("PRAGMA journal_mode = WAL").fetchone()[0]
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                    raise
                time.sleep(0.01)
                continue
            if mode != "wal":
                message = f"the register {str(self._path)!r} cannot keep a write-ahead log there"
                raise Unavailable(message, "keep the office on a local disk")
            return

    def _create(self) -> None:
        with self.transaction():
            if self._db.execute("PRAGMA user_version").fetchone()[0] == 0:  # another process may have been first
                for statement in _statements(_SCHEMA):
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version = {VERSION}")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything in the block happens, in order and alone, or nothing. Inside another transaction it is part of that one."""
        if self._inside:
            self._require_alive()
            yield
            return
        with _database_errors(self._path):
            self._db.execute("BEGIN IMMEDIATE")
            self._inside = True
            try:
                yield
                self._require_alive()
                self._db.execute("COMMIT")
            except BaseException:
                self._roll_back()
                raise
            finally:
                self._inside = False

    def _require_alive(self) -> None:
        """Nothing is entered alone that belongs to a transaction which a full disk, or one that fails, has ended already."""
        if not self._db.in_transaction:
            message = f"the register {str(self._path)!r} took back what belongs together: the disk is full, or fails"
            raise Unavailable(message, "make room, and begin again")

    def _roll_back(self) -> None:
        if self._db.in_transaction:  # a full disk has ended it already
            self._db.execute("ROLLBACK")

    def append(self, entry: Entry) -> None:
        """Add an entry, inside a transaction. Entries stand in the order of their times: one that others overtook gets the time of the last.

        Raises:
            Refused: time would run back, or the entry conflicts with one that is there.
        """
        with _database_errors(self._path):
            last = next(self._db.execute("SELECT at FROM entry ORDER BY seq DESC LIMIT 1"), (0,))[0]
            if entry.at < last:
                if self._clock() < last:
                    message = "the clock of this office runs back: its register has a later entry"
                    raise Refused(message, "set the clock right; within one office time never runs back")
                entry = replace(entry, at=last)  # long work, and others have entered theirs meanwhile
            columns = _COLUMNS.removeprefix("seq, ")
            values = [getattr(entry, name) for name in columns.split(", ")]
            self._db.execute(f"INSERT INTO entry ({columns}) VALUES ({', '.join('?' * len(values))})", values)  # noqa: S608 - constant column names

    def find(self, where: str, values: Sequence[object] = (), *, last: bool = False) -> list[Entry]:
        """Entries that a condition selects, in order; or only the last of them. `where` is the program's own text, never input."""
        with _database_errors(self._path):
            order = "ORDER BY seq DESC LIMIT 1" if last else "ORDER BY seq"
            rows = self._db.execute(f"SELECT {_COLUMNS} FROM entry WHERE {where} {order}", values)  # noqa: S608 - see above
            found = [Entry(**dict(zip(_COLUMNS.split(", "), row, strict=True))) for row in rows]
        if any(not 0 <= entry.at <= MAX_TIME for entry in found):
            message = f"the register {str(self._path)!r} is damaged: an entry has a time that cannot be"
            raise Unavailable(message, "restore it from a backup")
        return found

    def count(self, where: str, values: Sequence[object] = ()) -> int:
        """How many entries a condition selects."""
        with _database_errors(self._path):
            return int(self._db.execute(f"SELECT count(*) FROM entry WHERE {where}", values).fetchone()[0])  # noqa: S608 - see above

    # -- files that are recorded, and have no name yet: a note of work under way, not a part of the register --------------

    def expect_file(self, dispatch_digest: bytes, path: bytes) -> None:
        """Note, inside a transaction, that the envelope just recorded gets the name `path` next."""
        with _database_errors(self._path):
            self._db.execute("INSERT INTO unnamed VALUES (?, ?)", [dispatch_digest, path])

    def expected_files(self) -> list[tuple[bytes, bytes]]:
        """Digest of the dispatch and path of every envelope that was recorded and not seen under its name."""
        with _database_errors(self._path):
            return list(self._db.execute("SELECT dispatch_digest, path FROM unnamed"))

    def forget_files(self, dispatch_digests: Iterable[bytes]) -> None:
        """These have their names, or never will. Durable: with the note back, an envelope that was carried away meanwhile would seem lost."""
        with self.transaction():
            self._db.executemany("DELETE FROM unnamed WHERE dispatch_digest = ?", [(name,) for name in dispatch_digests])

    def close(self) -> None:
        """Close the file."""
        self._db.close()


def _statements(script: str) -> list[str]:
    """The statements of a script; `executescript` would commit the transaction that they belong to."""
    found, current = [], ""
    for line in script.splitlines(keepends=True):
        current += line
        if sqlite3.complete_statement(current):
            found.append(current)
            current = ""
    return found
