"""The register in one SQLite file: what an office has by default, with nothing but Python's standard library."""

from __future__ import annotations

import sqlite3
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from valiza.keys.errors import Refused, Unavailable
from valiza.keys.fields import Body
from valiza.keys.files import storage_errors
from valiza.register.entry import KINDS, ONCE, Entry
from valiza.register.store import EMPTY, FACTS, PAGE, Chained, Head, Query, Store, Tail, read_facts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from valiza.register.entry import EntryFacts
    from valiza.register.merkle import Position
    from valiza.register.store import Node

__all__ = ["VERSION", "SqliteStore"]

VERSION: Final = 3
_WAIT_S: Final = 30.0  # for another process that holds the register
_ONCE: Final = ", ".join(f"'{kind}'" for kind in ONCE)
_SCHEMA: Final = """
CREATE TABLE identity (id INTEGER PRIMARY KEY CHECK (id = 1), party TEXT NOT NULL, body TEXT NOT NULL) STRICT;
CREATE TABLE entry (
    seq             INTEGER PRIMARY KEY CHECK (seq > 0),
    at              INTEGER NOT NULL,
    kind            TEXT    NOT NULL,
    direction       TEXT    NOT NULL CHECK (direction IN ('in', 'out')),
    number          TEXT    NOT NULL,
    agreement       BLOB    NOT NULL CHECK (length(agreement) = 32),
    place           INTEGER NOT NULL CHECK (place >= 0),
    origin_party    TEXT    NOT NULL,
    origin_body     TEXT    NOT NULL,
    envelope_id     BLOB    NOT NULL,
    dispatch_digest BLOB    NOT NULL,
    note            TEXT    NOT NULL,
    statement       BLOB    NOT NULL,
    record          BLOB    NOT NULL,
    blind           BLOB    NOT NULL CHECK (length(blind) = 16),
    leaf_hash       BLOB    NOT NULL CHECK (length(leaf_hash) = 32),
    previous        BLOB    NOT NULL UNIQUE CHECK (length(previous) = 32),
    link            BLOB    NOT NULL UNIQUE CHECK (length(link) = 32),
    UNIQUE (agreement, place)
) STRICT;
CREATE INDEX entry_by_dispatch ON entry (dispatch_digest, kind);
CREATE INDEX entry_by_identity ON entry (envelope_id);
CREATE INDEX entry_by_number ON entry (number);
CREATE INDEX entry_numbered ON entry (direction) WHERE kind = 'numbered';
CREATE UNIQUE INDEX entry_number ON entry (number) WHERE kind = 'numbered';
CREATE UNIQUE INDEX entry_once ON entry (dispatch_digest, kind) WHERE kind IN (ONCE);
CREATE TRIGGER entry_never_replaced BEFORE INSERT ON entry WHEN EXISTS (
    SELECT 1 FROM entry WHERE seq = NEW.seq OR previous = NEW.previous OR link = NEW.link OR (agreement = NEW.agreement AND place = NEW.place)
    OR (kind = NEW.kind AND ((kind IN (ONCE) AND dispatch_digest = NEW.dispatch_digest) OR (kind = 'numbered' AND number = NEW.number)))
) BEGIN SELECT RAISE(ABORT, 'an entry is never replaced'); END;
CREATE TABLE node (
    agreement BLOB NOT NULL, level INTEGER NOT NULL CHECK (level > 0), place INTEGER NOT NULL, hash BLOB NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (agreement, level, place)
) STRICT, WITHOUT ROWID;
CREATE TABLE head (
    seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, party TEXT NOT NULL, body TEXT NOT NULL, agreement BLOB NOT NULL, size INTEGER NOT NULL,
    at INTEGER NOT NULL, note BLOB NOT NULL
) STRICT;
CREATE INDEX head_by_log ON head (agreement, party, body, kind, seq);
CREATE INDEX head_by_size ON head (agreement, party, body, kind, size);
CREATE TABLE unnamed (dispatch_digest BLOB PRIMARY KEY, place TEXT NOT NULL, path BLOB NOT NULL) STRICT, WITHOUT ROWID;
""".replace("(ONCE)", f"({_ONCE})")
_TRIGGERS: Final = "".join(
    f"CREATE TRIGGER {table}_never_changes BEFORE UPDATE ON {table} BEGIN SELECT RAISE(ABORT, 'nothing in the register is changed'); END;\n"
    f"CREATE TRIGGER {table}_never_goes BEFORE DELETE ON {table} BEGIN SELECT RAISE(ABORT, 'nothing in the register is removed'); END;\n"
    for table in ("identity", "entry", "node", "head")
)
_REPLACED: Final = """
CREATE TRIGGER node_never_replaced BEFORE INSERT ON node WHEN EXISTS (
    SELECT 1 FROM node WHERE agreement = NEW.agreement AND level = NEW.level AND place = NEW.place
) BEGIN SELECT RAISE(ABORT, 'a node is never replaced'); END;
CREATE TRIGGER head_never_replaced BEFORE INSERT ON head WHEN EXISTS (SELECT 1 FROM head WHERE seq = NEW.seq)
BEGIN SELECT RAISE(ABORT, 'a head is never replaced'); END;
CREATE TRIGGER identity_never_replaced BEFORE INSERT ON identity WHEN EXISTS (SELECT 1 FROM identity)
BEGIN SELECT RAISE(ABORT, 'a register is of one body'); END;
"""
_ALL: Final = (*FACTS, "statement", "record", "blind", "leaf_hash", "previous", "link")
# What each field of a query asks for; the columns are the program's own text, never input.
_CONDITIONS: Final = {
    "dispatch_digest": "dispatch_digest = ?",
    "envelope_id": "envelope_id = ?",
    "id_from": "envelope_id >= ?",
    "id_before": "envelope_id < ?",
    "agreement": "agreement = ?",
    "place": "place = ?",
    "direction": "direction = ?",
    "number": "number = ?",
    "statement": "statement = ?",
    "after": "seq > ?",
    "before": "seq < ?",
}


@contextmanager
def _database_errors(name: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.IntegrityError as error:
        message = f"the register refuses the entry: {error}"
        raise Refused(message) from error
    except (sqlite3.Error, UnicodeError, OverflowError) as error:  # a damaged file shows itself in many ways
        message = f"the register {name!r} cannot be used: {error}"
        raise Unavailable(message) from error


class SqliteStore(Store):
    """A register in a file of mode 0600.

    Raises:
        Unavailable: the file cannot be used, or is of another version of the program.
    """

    def __init__(self, path: Path, clock: Callable[[], int], *, read_only: bool = False) -> None:
        super().__init__(str(path), clock)
        self._path = path
        self._inside = False
        with _database_errors(self.name):
            if read_only:
                self._db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=_WAIT_S)
            else:
                self._db = sqlite3.connect(path, isolation_level=None, timeout=_WAIT_S)
            try:
                self._require_version() if read_only else self._prepare()
            except BaseException:
                self._db.close()
                raise

    def _prepare(self) -> None:
        with storage_errors(self._path):
            self._path.chmod(0o600)
        self._write_ahead()
        self._db.execute("PRAGMA synchronous = FULL")
        if self._db.execute("PRAGMA user_version").fetchone()[0] == 0:
            self._create()
        self._require_version()

    def _require_version(self) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version != VERSION:
            message = f"the register {self.name!r} is of version {version}, and this program knows {VERSION}"
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
                message = f"the register {self.name!r} cannot keep a write-ahead log there"
                raise Unavailable(message, "keep the office on a local disk")
            return

    def _create(self) -> None:
        with self.transaction():
            if self._db.execute("PRAGMA user_version").fetchone()[0] == 0:  # another process may have been first
                for statement in _statements(_SCHEMA + _TRIGGERS + _REPLACED):
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version = {VERSION}")

    @property
    def inside(self) -> bool:
        """Whether a transaction is open."""
        return self._inside

    @contextmanager
    def transaction(self, agreement: bytes | None = None, ahead: Query | None = None) -> Iterator[None]:  # noqa: ARG002 - nothing is far from here
        """Everything in the block happens, in order and alone, or nothing. Inside another transaction it is part of that one."""
        if self._inside:
            self._require_alive()
            yield
            return
        with _database_errors(self.name):
            self._db.execute("BEGIN IMMEDIATE")
            self._inside = True
            self.forget_tail()
            try:
                yield
                self._require_alive()
                self._db.execute("COMMIT")
            except BaseException:
                self._roll_back()
                raise
            finally:
                self._inside = False
                self.forget_tail()

    def _require_alive(self) -> None:
        """Nothing is entered alone that belongs to a transaction which a full disk, or one that fails, has ended already."""
        if not self._db.in_transaction:
            message = f"the register {self.name!r} took back what belongs together: the disk is full, or fails"
            raise Unavailable(message, "make room, and begin again")

    def _roll_back(self) -> None:
        if self._db.in_transaction:  # a full disk has ended it already
            self._db.execute("ROLLBACK")

    def identity(self) -> Body | None:
        """Whose register this is; None if nobody's yet."""
        with _database_errors(self.name):
            row = self._db.execute("SELECT party, body FROM identity").fetchone()
        return None if row is None else Body(*row)

    def claim(self, body: Body) -> None:
        """Write down whose register this is, once."""
        with _database_errors(self.name):
            self._db.execute("INSERT INTO identity VALUES (1, ?, ?)", [body.party, body.id])

    def _read_tail(self, agreement: bytes) -> Tail:
        """The end of the register, and the size of a log."""
        with _database_errors(self.name):
            last = self._db.execute("SELECT seq, at, link FROM entry ORDER BY seq DESC LIMIT 1").fetchone()
            size = self._db.execute("SELECT place + 1 FROM entry WHERE agreement = ? ORDER BY place DESC LIMIT 1", [agreement]).fetchone()
        return EMPTY if last is None else Tail(seq=last[0], at=last[1], link=last[2], size=0 if size is None else size[0])

    def require_new(self, entry: Entry) -> None:
        """The database refuses what repeats an entry, at once and without an end of the transaction."""

    def insert(self, chained: Chained, nodes: Sequence[Node]) -> None:
        """Insert an entry with the nodes that it completes."""
        with _database_errors(self.name):
            self._db.execute(_INSERT, _row(chained))
            if nodes:
                agreement = chained.entry.agreement
                self._db.executemany("INSERT INTO node VALUES (?, ?, ?, ?)", [(agreement, *position, hashed) for position, hashed in nodes])

    def nodes(self, agreement: bytes, wanted: Sequence[Position]) -> list[bytes]:
        """Hashes of complete nodes of a log, in the order in which they are wanted; those of level 0 are hashes of leaves.

        Raises:
            Unavailable: one is missing.
        """
        found = []
        with _database_errors(self.name):
            for level, place in wanted:
                if level:
                    row = self._db.execute("SELECT hash FROM node WHERE agreement = ? AND level = ? AND place = ?", [agreement, level, place])
                else:
                    row = self._db.execute("SELECT leaf_hash FROM entry WHERE agreement = ? AND place = ?", [agreement, place])
                found.append(row.fetchone())
        return require_nodes(self.name, wanted, [None if row is None else row[0] for row in found])

    def chained(self, query: Query) -> list[Chained]:
        """Entries as they stand in the table."""
        with _database_errors(self.name):
            found = [_chained(row) for row in self._select(_ALL, query)]
        self.require_times(chained.entry for chained in found)
        return found

    def facts(self, query: Query) -> Iterator[EntryFacts]:
        """Entries without the bytes that they keep, one after the other: a register of any size takes the same memory."""
        shared: dict[object, Any] = {}
        with _database_errors(self.name):
            rows = self._select(FACTS, query)
            while page := rows.fetchmany(PAGE):
                found = [read_facts(row, shared) for row in page]
                self.require_times(found)
                yield from found

    def _select(self, columns: Sequence[str], query: Query) -> sqlite3.Cursor:
        where, values = _where(query)
        order = f"ORDER BY seq{' DESC' if query.newest_first else ''}{'' if query.limit is None else f' LIMIT {query.limit:d}'}"
        return self._db.execute(f"SELECT {', '.join(columns)} FROM entry WHERE {where} {order}", values)  # noqa: S608 - the program's own text

    def count(self, query: Query) -> int:
        """How many entries there are; no further than to the limit are they counted."""
        where, values = _where(query)
        counted = f"entry WHERE {where}" if query.limit is None else f"(SELECT 1 FROM entry WHERE {where} LIMIT {query.limit:d})"  # noqa: S608
        with _database_errors(self.name):
            return int(self._db.execute(f"SELECT count(*) FROM {counted}", values).fetchone()[0])  # noqa: S608 - the program's own text

    def logs(self) -> list[bytes]:
        """Digests of the agreements that have a log here, in the order in which their first entries stand."""
        found: list[tuple[int, bytes]] = []
        with _database_errors(self.name):  # from one log to the next in the index: there are few of them, and many entries in each
            following = "SELECT seq, agreement FROM entry WHERE agreement > ? ORDER BY agreement, place LIMIT 1"
            while row := self._db.execute(following, [found[-1][1] if found else b""]).fetchone():
                found.append(row)
        return [agreement for _, agreement in sorted(found)]

    def all_nodes(self, agreement: bytes) -> Iterator[Node]:
        """Every stored node of a log above the leaves."""
        with _database_errors(self.name):
            rows = self._db.execute("SELECT level, place, hash FROM node WHERE agreement = ? ORDER BY level, place", [agreement])
            while page := rows.fetchmany(PAGE):
                yield from (((level, place), hashed) for level, place, hashed in page)

    def add_head(self, head: Head) -> None:
        """Store a head, durably once the transaction ends."""
        with self.transaction(), _database_errors(self.name):
            self._db.execute(
                "INSERT INTO head (kind, party, body, agreement, size, at, note) VALUES (?, ?, ?, ?, ?, ?, ?)",
                [head.kind, head.body.party, head.body.id, head.agreement, head.size, head.at, head.note],
            )

    def heads(self, kind: str, body: Body, agreement: bytes, *, size: int | None = None, newest: bool = False) -> list[Head]:
        """Heads of a kind of a body's log, in the order in which they were stored; only those of a size, or only the last."""
        order = "DESC LIMIT 1" if newest else ""
        only = "" if size is None else f"AND size = {size:d}"
        with _database_errors(self.name):
            rows = self._db.execute(
                f"SELECT size, at, note FROM head WHERE agreement = ? AND party = ? AND body = ? AND kind = ? {only} ORDER BY seq {order}",  # noqa: S608
                [agreement, body.party, body.id, kind],
            )
            return [Head(kind=kind, body=body, agreement=agreement, size=size, at=at, note=note) for size, at, note in rows]

    def has_head(self, head: Head) -> bool:
        """Whether this note is stored already as a head of this kind, body, log and size."""
        asked = "SELECT 1 FROM head WHERE agreement = ? AND party = ? AND body = ? AND kind = ? AND size = ? AND note = ? LIMIT 1"
        values = [head.agreement, head.body.party, head.body.id, head.kind, head.size, head.note]
        with _database_errors(self.name):
            return self._db.execute(asked, values).fetchone() is not None

    def covering(self, kind: str, agreement: bytes, place: int) -> Head | None:
        """The smallest head of a kind, of or with whichever body, that has the entry at a place of the log; of several the earliest."""
        asked = "SELECT party, body, size, at, note FROM head WHERE agreement = ? AND kind = ? AND size > ? ORDER BY size, at, seq LIMIT 1"
        with _database_errors(self.name):
            row = self._db.execute(asked, [agreement, kind, place]).fetchone()
        return None if row is None else Head(kind=kind, body=Body(*row[:2]), agreement=agreement, size=row[2], at=row[3], note=row[4])

    def head_logs(self) -> list[tuple[str, Body, bytes]]:
        """Kind, body and agreement of all heads that are here, each once, in no order."""
        with _database_errors(self.name):
            rows = self._db.execute("SELECT DISTINCT kind, party, body, agreement FROM head")
            return [(kind, Body(party, body), agreement) for kind, party, body, agreement in rows]

    # -- files that are recorded, and have no name yet: a note of work under way, not a part of the register ------------

    def expect_file(self, dispatch_digest: bytes, place: str, path: bytes) -> None:
        """Note, inside a transaction, that the envelope just recorded gets the name `path` in the office at `place` next."""
        with _database_errors(self.name):
            self._db.execute("INSERT INTO unnamed VALUES (?, ?, ?)", [dispatch_digest, place, path])

    def expected_files(self, place: str) -> list[tuple[bytes, bytes]]:
        """Digest of the dispatch and path of every envelope that was recorded at `place` and not seen under its name."""
        with _database_errors(self.name):
            return list(self._db.execute("SELECT dispatch_digest, path FROM unnamed WHERE place = ?", [place]))

    def forget_files(self, dispatch_digests: Iterable[bytes]) -> None:
        """These have their names, or never will. Durable: with the note back, an envelope that was carried away meanwhile would seem lost."""
        with self.transaction():
            self._db.executemany("DELETE FROM unnamed WHERE dispatch_digest = ?", [(name,) for name in dispatch_digests])

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def settle(self) -> None:
        """Make it one file, which can be carried away: nothing is left in a write-ahead log beside it."""
        with _database_errors(self.name):
            self._db.execute("PRAGMA journal_mode = DELETE")


_INSERT: Final = f"INSERT INTO entry ({', '.join(_ALL)}) VALUES ({', '.join('?' * len(_ALL))})"  # noqa: S608 - constant column names


def _row(chained: Chained) -> list[object]:
    entry = chained.entry
    given = {"origin_party": entry.origin.party, "origin_body": entry.origin.id}
    given |= {"leaf_hash": chained.leaf_hash, "previous": chained.previous, "link": chained.link}  # type: ignore[dict-item]
    return [given[name] if name in given else getattr(entry, name) for name in _ALL]


def _named(row: Sequence[object]) -> dict[str, object]:
    found = dict(zip(FACTS, row, strict=False))
    found["origin"] = Body(found.pop("origin_party"), found.pop("origin_body"))  # type: ignore[arg-type]
    return found


def _chained(row: Sequence[object]) -> Chained:
    statement, record, blind, hashed, previous, link = row[len(FACTS) :]
    entry = Entry(**_named(row), statement=statement, record=record, blind=blind)  # type: ignore[arg-type]
    return Chained(entry, hashed, previous, link)  # type: ignore[arg-type]


def _where(query: Query) -> tuple[str, list[object]]:
    conditions, values = ["1"], []
    for name, condition in _CONDITIONS.items():
        if (value := getattr(query, name)) is not None:
            conditions.append(condition)
            values.append(value)
    if query.envelope_ids is not None:
        conditions.append(f"envelope_id IN ({', '.join('?' * len(query.envelope_ids))})")
        values += query.envelope_ids
    if query.kinds:  # written out, so that SQLite sees that an index for one kind will do
        kinds = [f"'{kind}'" for kind in query.kinds if kind in KINDS]
        conditions.append(f"kind = {kinds[0]}" if len(kinds) == 1 else f"kind IN ({', '.join(kinds)})")
    if query.enveloped:
        conditions.append("dispatch_digest <> x''")
    if query.series is not None:  # "+" keeps SQLite from the index of the numbers: the one of the direction nearly always begins with the row wanted
        conditions.append("substr(+number, 1, ?) = ?")
        values += [len(query.series), query.series]
    return " AND ".join(conditions), values


def require_nodes(name: str, wanted: Sequence[Position], found: Sequence[bytes | None]) -> list[bytes]:
    """The hashes found, if none is missing."""
    hashes = []
    for (level, place), hashed in zip(wanted, found, strict=True):
        if hashed is None:
            message = f"the register {name!r} is damaged: it has no hash for place {place} on level {level} of a log"
            raise Unavailable(message, "see what else is wrong: valiza register verify; then restore it from a backup")
        hashes.append(hashed)
    return hashes


def _statements(script: str) -> list[str]:
    """The statements of a script; `executescript` would commit the transaction that they belong to."""
    found, current = [], ""
    for line in script.splitlines(keepends=True):
        current += line
        if sqlite3.complete_statement(current):
            found.append(current)
            current = ""
    return found
