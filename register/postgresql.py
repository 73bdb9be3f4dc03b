"""The register in a PostgreSQL database, which several machines share. Whoever appends holds a lock until the transaction ends, so nobody overtakes.

READ COMMITTED is needed, and not a stricter level: there every statement sees what was committed before it began. Under REPEATABLE READ or
SERIALIZABLE the very statement that waits for the lock takes the snapshot, before the lock is had, and the end of the register that is read next is
an old one. Should it ever come to that, the unique `previous` and a trigger make it an error, and never a fork.

While the lock is held, everybody waits. So what belongs together goes in one round trip: the beginning, the lock and what is read behind it, each a
statement of its own; and at the end all entries with COMMIT, which the server does not come to if it refuses one of them.
"""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

import psycopg
from psycopg import errors as postgres
from psycopg.pq import PipelineStatus, TransactionStatus
from sqlalchemy.exc import DBAPIError

from valiza.keys.errors import Refused, Unavailable, ValizaError
from valiza.keys.fields import Body
from valiza.register import schema, sql
from valiza.register.entry import Entry
from valiza.register.sqlite import require_nodes
from valiza.register.store import EMPTY, FACTS, PAGE, Chained, Head, Query, Store, Tail, read_facts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from valiza.register.address import Address
    from valiza.register.entry import EntryFacts
    from valiza.register.merkle import Position
    from valiza.register.sql import Sql
    from valiza.register.store import Node

__all__ = ["PostgresqlStore", "migrate"]

T = TypeVar("T")

_WAIT_S: Final = 30  # for another program that holds the register, and for a server that is just starting
_SETTINGS: Final = {
    "lock_timeout": f"{_WAIT_S}s",
    "statement_timeout": "120s",
    "idle_in_transaction_session_timeout": "120s",  # a machine that vanished holds the lock no longer than that
    "default_transaction_isolation": r"read\ committed",
    "search_path": "pg_catalog",  # every name is written out
}
_CONNECTION: Final = {"connect_timeout": 10, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3, "application_name": "valiza"}
_MOST_WAITING: Final = 4 << 20  # bytes of entries that wait for the next round trip; those of a long transaction go before its end
_AT_REST: Final = (TransactionStatus.IDLE, TransactionStatus.INTRANS, TransactionStatus.INERROR)
_COMMITTED: Final = "COMMIT"  # what the server says of it; of a transaction that had failed it says ROLLBACK
_ENDED_BY_SERVER: Final = "57P"  # class of errors: it is shut down, restarted, or somebody ended the session
_ROW_BYTES: Final = 1000  # about what an entry holds beside its statement and record

# What it would say on standard error of a connection that was lost, the error says too.
logging.getLogger("psycopg").addHandler(logging.NullHandler())


def _parameters(address: Address) -> dict[str, Any]:
    settings = " ".join(f"-c {name}={value}" for name, value in _SETTINGS.items())
    return {**_CONNECTION, **address.parameters(), "options": settings}


def _said(error: psycopg.Error) -> str:
    """What the server says, or the library: the first line, which holds no values of the entry."""
    said = error.diag.message_primary or str(error)
    return next((line.strip() for line in said.splitlines() if line.strip()), "no reason was given")


def _told(name: str, error: psycopg.Error) -> ValizaError:
    said = _said(error)
    if isinstance(error, psycopg.IntegrityError):
        return Refused(f"the register refuses the entry: {said}")
    if isinstance(error, postgres.LockNotAvailable):
        return Unavailable(f"the register {name!r} was held by another program for {_WAIT_S} seconds", "try again")
    if isinstance(error, postgres.InsufficientPrivilege):
        hint = "ask the administrator of the database for one of the roles that valiza register roles makes"
        return Unavailable(f"the register {name!r} cannot be used so: {said}", hint)
    return Unavailable(f"the register {name!r} cannot be used: {said}")


@contextmanager
def _errors(name: str) -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:  # of a migration
        raise _told(name, error.orig if isinstance(error.orig, psycopg.Error) else psycopg.Error(str(error.orig))) from error
    except psycopg.Error as error:
        raise _told(name, error) from error
    except (UnicodeError, OverflowError) as error:
        message = f"the register {name!r} cannot be used: {next(iter(str(error).splitlines()), '')}"
        raise Unavailable(message) from error


def _execute(connection: psycopg.Connection, statement: Sql, /, **values: Any) -> psycopg.Cursor:  # noqa: ANN401 - of every type a column has
    text, fixed = statement
    return connection.cursor(binary=True).execute(text, fixed | values)


def _is_lost(connection: psycopg.Connection, error: psycopg.Error) -> bool:
    """Whether the connection was lost, or the server has said that it ends it."""
    return connection.closed or (error.sqlstate or "").startswith(_ENDED_BY_SERVER)


class _Session:
    """One connection to a database, on which every statement is a transaction of its own unless one was begun. Made again where it was lost."""

    def __init__(self, address: Address) -> None:
        self._parameters = _parameters(address)
        self._connection: psycopg.Connection | None = None

    def first(self, work: Callable[[psycopg.Connection], T]) -> T:
        """Does what writes nothing outside a transaction, or begins one, and returns its result.

        So it is done again where the connection had been lost before; a server that is just starting is waited for. After an error nothing is open.
        """
        until = time.monotonic() + _WAIT_S
        again = self._connection is not None
        while True:
            try:
                if self._connection is None:
                    self._connection = psycopg.connect(autocommit=True, **self._parameters)
                return work(self._connection)
            except psycopg.OperationalError as error:
                lost = self._connection is not None and _is_lost(self._connection, error)
                self.close()
                if "starting up" in str(error) and time.monotonic() < until:
                    time.sleep(0.1)
                elif lost and again:
                    again = False
                else:
                    raise
            except BaseException:
                self.close()
                raise

    def release(self) -> None:
        """Take back what was begun and not committed."""
        connection = self._connection
        if connection is None:
            return
        status = connection.info.transaction_status
        if connection.info.pipeline_status != PipelineStatus.OFF or status not in _AT_REST:  # it was interrupted in the middle of something
            self.close()
        elif status != TransactionStatus.IDLE:
            try:
                _execute(connection, sql.ROLLBACK)
            except psycopg.Error:
                self.close()

    def close(self) -> None:
        """Close the connection; the next work makes another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.Error):
                connection.close()


class PostgresqlStore(Store):
    """A register in a database, whose tables an administrator made before. It is connected to again whenever the server was restarted.

    Raises:
        Unavailable: the database cannot be used, has no tables, or those of another version of the program.
    """

    def __init__(self, address: Address, clock: Callable[[], int]) -> None:
        super().__init__(str(address), clock)
        self._session = _Session(address)
        self._open: psycopg.Connection | None = None
        self._entries: list[Chained] = []  # that were appended, and wait for the next round trip
        self._nodes: list[tuple[bytes, Node]] = []
        self._waiting = 0  # bytes of them
        self._expected: list[dict[str, Any]] = []  # files, likewise
        self._ahead: tuple[Query, list[EntryFacts]] | None = None  # what was asked for with the lock, as long as nothing was appended
        try:
            self._require_fit()
        except BaseException:
            self.close()
            raise

    def _require_fit(self) -> None:
        """The server waits for its disk, and the tables are those that this program knows."""
        (safe,), *_ = self._read(sql.FSYNC)
        if safe != "on":
            message = f"the server of the register {self.name!r} does not wait for its disk (fsync = {safe}): what was entered could be lost"
            raise Unavailable(message, "ask its administrator to set fsync = on")
        migrating = f"ask the administrator of the database to run: valiza register migrate {self.name}"
        try:
            found = [version for (version,) in self._read(sql.VERSION)]
        except Unavailable as error:
            if isinstance(error.__cause__, (postgres.UndefinedTable, postgres.InvalidSchemaName)):
                message = f"there is no register in the database {self.name!r} yet"
                raise Unavailable(message, migrating) from error
            raise
        if found != [schema.REVISION]:
            older = set(found) <= set(schema.REVISIONS)
            message = f"the register {self.name!r} is of version {', '.join(found) or 'none'}, and this program knows {schema.REVISION}"
            raise Unavailable(message, migrating if older else "use the version of Valiza that it was migrated with, or a later one")

    # -- transactions --------------------------------------------------------------------------------------------------

    @property
    def inside(self) -> bool:
        """Whether a transaction is open."""
        return self._open is not None

    @contextmanager
    def transaction(self, agreement: bytes | None = None, ahead: Query | None = None) -> Iterator[None]:
        """Everything in the block happens, in order and alone, or nothing. Inside another transaction it is part of that one."""
        if self._open is not None:
            self._require_alive()
            yield
            return
        with _errors(self.name):
            self._forget()
            try:
                self._open = self._session.first(partial(self._begin, agreement, ahead))
                yield
                self._commit(self._require_alive())
            finally:
                self._open = None
                self._forget()
                self._session.release()

    def _begin(self, agreement: bytes | None, ahead: Query | None, connection: psycopg.Connection) -> psycopg.Connection:
        """Begin, wait for the lock, and read what is wanted first. The server begins each statement when the one before is done."""
        with connection.pipeline():
            _execute(connection, sql.BEGIN)
            _execute(connection, sql.LOCK)
            tail = None if agreement is None else _execute(connection, sql.TAIL, agreement=agreement)
            found = None if ahead is None else _execute(connection, sql.selecting(FACTS, ahead))
        if agreement is not None and tail is not None:
            self.take_tail(agreement, _tail_of(tail.fetchall()))
        if ahead is not None and found is not None:
            self._ahead = ahead, self._facts_of(found.fetchall())
        return connection

    def _forget(self) -> None:
        self.forget_tail()
        self._entries.clear()
        self._nodes.clear()
        self._waiting = 0
        self._expected.clear()
        self._ahead = None

    def _require_alive(self) -> psycopg.Connection:
        """Nothing is entered alone that belongs to a transaction which has ended; and COMMIT of one that failed takes it back without a word."""
        connection = self._open
        if connection is None:
            message = "nothing is written outside a transaction"
            raise RuntimeError(message)
        if connection.closed or connection.info.transaction_status != TransactionStatus.INTRANS:
            raise self._taken_back()
        return connection

    def _taken_back(self) -> Unavailable:
        message = f"the register {self.name!r} took back what belongs together: the connection was lost, or the database failed"
        return Unavailable(message, "begin again")

    def _commit(self, connection: psycopg.Connection) -> None:
        """COMMIT is never tried again: where its answer is lost, nobody here knows whether it happened."""
        done: psycopg.Cursor | None = None
        ending = False
        try:
            with connection.pipeline():
                self._send(connection)
                ending = True
                done = _execute(connection, sql.COMMIT)
        except psycopg.Error as error:
            if done is not None and done.statusmessage == _COMMITTED:
                return  # it was confirmed before the connection was lost
            if not _is_lost(connection, error) or isinstance(error, postgres.IdleInTransactionSessionTimeout):
                raise
            if not ending:
                raise self._taken_back() from error
            message = f"the register {self.name!r} was lost at the end: {_said(error)}; what was entered last is there, or it is not"
            raise Unavailable(message, "look whether it is there before you do it again: valiza register list") from error
        if done.statusmessage != _COMMITTED:
            raise self._taken_back()

    def _send(self, connection: psycopg.Connection) -> None:
        """Send what waits, the entries with their nodes, inside a pipeline."""
        for chained in self._entries:
            _execute(connection, sql.APPEND, **_row(chained))
        if self._nodes:
            agreements, nodes = zip(*self._nodes, strict=True)
            positions, hashes = zip(*nodes, strict=True)
            levels, places = zip(*positions, strict=True)
            _execute(connection, sql.ARISE, agreements=[*agreements], levels=[*levels], places=[*places], hashes=[*hashes])
        for file in self._expected:
            _execute(connection, sql.EXPECT, **file)
        self._entries.clear()
        self._nodes.clear()
        self._waiting = 0
        self._expected.clear()

    def _flush(self) -> None:
        """What was appended is in the database, as the transaction sees it."""
        if self._entries or self._expected:
            connection = self._require_alive()
            with connection.pipeline():
                self._send(connection)

    def _read(self, statement: Sql, /, **values: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401 - of every type a column has
        """The rows that a statement finds, in the transaction that is open, or in none."""
        with _errors(self.name):
            if self._open is not None:
                return _execute(self._open, statement, **values).fetchall()
            return self._session.first(lambda connection: _execute(connection, statement, **values).fetchall())

    def _read_entries(self, statement: Sql, /, **values: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401 - as above
        """As `_read`, what hangs on entries or expected files: those of the transaction that is open are among them."""
        with _errors(self.name):
            self._flush()
        return self._read(statement, **values)

    def _write(self, statement: Sql, /, **values: Any) -> None:  # noqa: ANN401 - as above
        """Execute a statement in the transaction."""
        with _errors(self.name):
            _execute(self._require_alive(), statement, **values)

    def close(self) -> None:
        """Close the connection."""
        self._session.close()

    # -- whose it is ---------------------------------------------------------------------------------------------------

    def identity(self) -> Body | None:
        """Whose register this is; None if nobody's yet."""
        return next((Body(*row) for row in self._read(sql.IDENTITY)), None)

    def claim(self, body: Body) -> None:
        """Write down whose register this is, once."""
        self._write(sql.CLAIM, party=body.party, body=body.id)

    # -- entries -------------------------------------------------------------------------------------------------------

    def _read_tail(self, agreement: bytes) -> Tail:
        """The end of the register, and the size of a log."""
        return _tail_of(self._read_entries(sql.TAIL, agreement=agreement))

    def require_new(self, entry: Entry) -> None:
        """Raise Refused if an entry would repeat what happens once, or a number that was given out."""
        asked = sql.repeated(entry.kind)
        if asked is None:
            return
        self._require_alive()
        key = {"number": entry.number} if entry.kind == "numbered" else {"dispatch_digest": entry.dispatch_digest}
        if self._read_entries(asked, **key):
            message = "the register refuses the entry: there is one already that it would repeat"
            raise Refused(message)

    def insert(self, chained: Chained, nodes: Sequence[Node]) -> None:
        """Insert an entry with the nodes that it completes, before the transaction ends or something of it is read."""
        self._require_alive()
        self._ahead = None
        self._entries.append(chained)
        self._nodes += [(chained.entry.agreement, node) for node in nodes]
        self._waiting += _ROW_BYTES + len(chained.entry.statement) + len(chained.entry.record)
        if self._waiting >= _MOST_WAITING:
            with _errors(self.name):
                self._flush()

    def nodes(self, agreement: bytes, wanted: Sequence[Position]) -> list[bytes]:
        """Hashes of complete nodes of a log, in the order in which they are wanted; those of level 0 are hashes of leaves.

        Raises:
            Unavailable: one is missing.
        """
        above = [position for position in wanted if position[0]]
        asked = {"levels": [level for level, _ in above], "places": [place for _, place in above]}
        leaves = [place for level, place in wanted if not level]
        rows = self._read_entries(sql.NODES, agreement=agreement, leaves=leaves, **asked) if wanted else []
        found = {(level, place): hashed for level, place, hashed in rows}
        return require_nodes(self.name, wanted, [found.get(position) for position in wanted])

    def chained(self, query: Query) -> list[Chained]:
        """Entries as they stand in the table."""
        found = [_chained(row) for row in self._read_entries(sql.selecting(sql.ALL, query))]
        self.require_times(chained.entry for chained in found)
        return found

    def facts(self, query: Query) -> Iterator[EntryFacts]:
        """Entries without the bytes that they keep, one after the other: a register of any size takes the same memory.

        They are read in pages, so that the connection is free in between. Entries that others append meanwhile are none of them.
        """
        if self._ahead is not None and self._ahead[0] == query:
            yield from self._ahead[1]
            return
        through, left = 0, query.limit
        shared: dict[object, Any] = {}
        while left is None or left > 0:
            size = PAGE if left is None else min(PAGE, left)
            page = self._facts_of(self._read_entries(sql.selecting(FACTS, replace(query, limit=size))), shared)
            if len(page) == size and size != left and not through:
                ((through,),) = self._read_entries(sql.LAST_SEQ)
            yield from (fact for fact in page if not through or fact.seq <= through)
            if len(page) < size or size == left or page[-1].seq > through:
                return
            query = replace(query, before=page[-1].seq) if query.newest_first else replace(query, after=page[-1].seq)
            left = None if left is None else left - size

    def _facts_of(self, rows: Sequence[tuple[Any, ...]], shared: dict[object, Any] | None = None) -> list[EntryFacts]:
        common = {} if shared is None else shared
        found = [read_facts(row, common) for row in rows]
        self.require_times(found)
        return found

    def count(self, query: Query) -> int:
        """How many entries there are; no further than to the limit are they counted."""
        ((counted,),) = self._read_entries(sql.counting(query))
        return int(counted)

    def logs(self) -> list[bytes]:
        """Digests of the agreements that have a log here, in the order in which their first entries stand."""
        found: list[tuple[int, bytes]] = []
        while rows := self._read_entries(sql.LOG_AFTER, agreement=found[-1][1] if found else b""):
            found += rows
        return [agreement for _, agreement in sorted(found)]

    def all_nodes(self, agreement: bytes) -> Iterator[Node]:
        """Every stored node of a log above the leaves."""
        last = 0, 0
        while True:
            rows = self._read_entries(sql.NODES_AFTER, agreement=agreement, level=last[0], place=last[1], limit=PAGE)
            yield from (((level, place), hashed) for level, place, hashed in rows)
            if len(rows) < PAGE:
                return
            last = rows[-1][:2]

    # -- heads ---------------------------------------------------------------------------------------------------------

    def add_head(self, head: Head) -> None:
        """Store a head, durably once the transaction ends."""
        with self.transaction():
            self._write(sql.ADD_HEAD, **_of(head.kind, head.body, head.agreement), size=head.size, at=head.at, note=head.note)

    def heads(self, kind: str, body: Body, agreement: bytes, *, size: int | None = None, newest: bool = False) -> list[Head]:
        """Heads of a kind of a body's log, in the order in which they were stored; only those of a size, or only the last."""
        given = _of(kind, body, agreement) | ({} if size is None else {"size": size})
        rows = self._read(sql.HEADS[size is not None, newest], **given)
        return [Head(kind=kind, body=body, agreement=agreement, size=size, at=at, note=note) for size, at, note in rows]

    def has_head(self, head: Head) -> bool:
        """Whether this note is stored already as a head of this kind, body, log and size."""
        return bool(self._read(sql.HAS_HEAD, **_of(head.kind, head.body, head.agreement), size=head.size, note=head.note))

    def covering(self, kind: str, agreement: bytes, place: int) -> Head | None:
        """The smallest head of a kind, of or with whichever body, that has the entry at a place of the log; of several the earliest."""
        rows = self._read(sql.COVERING, kind=kind, agreement=agreement, place=place)
        found = [Head(kind=kind, body=Body(party, body), agreement=agreement, size=size, at=at, note=note) for party, body, size, at, note in rows]
        return found[0] if found else None

    def head_logs(self) -> list[tuple[str, Body, bytes]]:
        """Kind, body and agreement of all heads that are here, each once, in no order."""
        return [(kind, Body(party, body), agreement) for kind, party, body, agreement in self._read(sql.HEAD_LOGS)]

    # -- files that are recorded, and have no name yet: a note of work under way, not a part of the register ------------

    def expect_file(self, dispatch_digest: bytes, place: str, path: bytes) -> None:
        """Note, inside a transaction, that the envelope just recorded gets the name `path` in the office at `place` next."""
        self._require_alive()
        self._expected.append({"dispatch_digest": dispatch_digest, "place": place, "path": path})

    def expected_files(self, place: str) -> list[tuple[bytes, bytes]]:
        """Digest of the dispatch and path of every envelope that was recorded at `place` and not seen under its name."""
        return [(dispatch_digest, path) for dispatch_digest, path in self._read_entries(sql.EXPECTED, place=place)]

    def forget_files(self, dispatch_digests: Iterable[bytes]) -> None:
        """These have their names, or never will. Durable: with the note back, an envelope that was carried away meanwhile would seem lost."""
        with self.transaction():
            self._flush()
            self._write(sql.FORGET, dispatch_digests=[*dispatch_digests])


def _of(kind: str, body: Body, agreement: bytes) -> dict[str, Any]:
    return {"kind": kind, "party": body.party, "body": body.id, "agreement": agreement}


def _tail_of(rows: Sequence[tuple[Any, ...]]) -> Tail:
    if not rows:
        return EMPTY
    ((seq, at, link, size, leaf, above),) = rows
    edge = {(0, size - 1): leaf} if size & 1 else {}
    levels = [level for level in range(1, size.bit_length()) if size >> level & 1]
    hashes = above or []
    if len(hashes) == len(levels):  # where one is missing, it is told once it is needed
        edge |= {(level, (size >> level) - 1): hashed for level, hashed in zip(levels, hashes, strict=True)}
    return Tail(seq, at, link, size, edge)


def _row(chained: Chained) -> dict[str, Any]:
    entry = chained.entry
    found = {"origin_party": entry.origin.party, "origin_body": entry.origin.id}
    hashes = {"leaf_hash": chained.leaf_hash, "previous": chained.previous, "link": chained.link}
    return found | hashes | {name: getattr(entry, name) for name in sql.ALL if name not in found | hashes}


def _named(row: Sequence[Any]) -> dict[str, Any]:
    found = dict(zip(FACTS, row, strict=False))
    found["origin"] = Body(found.pop("origin_party"), found.pop("origin_body"))
    return found


def _chained(row: Sequence[Any]) -> Chained:
    statement, record, blind, hashed, previous, link = row[len(FACTS) :]
    return Chained(Entry(**_named(row), statement=statement, record=record, blind=blind), hashed, previous, link)


def migrate(address: Address) -> list[str]:
    """Make the tables in a database, or bring them to the version that this program knows; returns the versions that were gone through.

    Raises:
        Unavailable: the database cannot be used, or its tables are of a later version.
    """
    import sqlalchemy as sa  # noqa: PLC0415 - only a migration has it make connections
    from alembic.util import CommandError  # noqa: PLC0415 - slow to import, and only a migration needs it

    from valiza.register.migrations import upgrade  # noqa: PLC0415 - as above

    name, session = str(address), _Session(address)
    engine = sa.create_engine("postgresql+psycopg://", connect_args=_parameters(address), isolation_level="READ COMMITTED", hide_parameters=True)
    try:
        with _errors(name):
            session.first(lambda _: None)  # who waits for a server that is just starting
            with engine.connect() as connection:
                text, values = sql.LOCK
                connection.exec_driver_sql(text.decode(), values)
                done = upgrade(connection)
                connection.commit()
                return done
    except CommandError as error:
        message = f"the register {name!r} is of a version that this program, which knows {schema.REVISION}, cannot migrate"
        raise Unavailable(message, "use the version of Valiza that it was migrated with, or a later one") from error
    finally:
        session.close()
        engine.dispose()
