"""The register in a PostgreSQL database, which several machines share. Whoever appends holds a lock until the transaction ends, so nobody overtakes.

READ COMMITTED is needed, and not a stricter level: there every statement sees what was committed before it began. Under REPEATABLE READ or
SERIALIZABLE the very statement that waits for the lock takes the snapshot, before the lock is had, and the end of the register that is read next is
an old one. Should it ever come to that, the unique `previous` and a trigger make it an error, and never a fork.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

import psycopg
import sqlalchemy as sa
from psycopg import errors as postgres
from psycopg.pq import TransactionStatus
from sqlalchemy import exc
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA, insert

from valiza.keys.errors import Refused, Unavailable, ValizaError
from valiza.keys.fields import Body
from valiza.register import schema
from valiza.register.entry import Entry, EntryFacts
from valiza.register.schema import entry
from valiza.register.sqlite import require_nodes, share_common
from valiza.register.store import EMPTY, PAGE, Chained, Head, Query, Store, Tail

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from valiza.register.address import Address
    from valiza.register.merkle import Position
    from valiza.register.store import Node

__all__ = ["LOCK", "PostgresqlStore", "migrate"]

T = TypeVar("T")

LOCK: Final = (0x56414C49, 1)  # the advisory lock of whoever appends: "VALI", and a number
_WAIT_S: Final = 30  # for another program that holds the register, and for a server that is just starting
_SETTINGS: Final = {
    "lock_timeout": f"{_WAIT_S}s",
    "statement_timeout": "120s",
    "idle_in_transaction_session_timeout": "120s",  # a machine that vanished holds the lock no longer than that
    "default_transaction_isolation": r"read\ committed",
    "search_path": "pg_catalog",  # every name is written out
}
_CONNECTION: Final = {"connect_timeout": 10, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3, "application_name": "valiza"}
_KEPT: Final = ("statement", "record", "blind", "leaf_hash", "previous", "link")  # besides the facts of an entry
_FACTS: Final = tuple(column for column in entry.c if column.name not in _KEPT)

# The advisory lock comes first in every transaction that writes. A database that was told to answer before it has written is told otherwise.
_LOCK: Final = sa.select(
    sa.func.pg_advisory_xact_lock(*LOCK),
    sa.case((sa.func.current_setting("synchronous_commit") == "off", sa.func.set_config("synchronous_commit", "on", sa.true()))),
)
_LOG: Final = entry.alias("log")
_TAIL: Final = (
    sa.select(
        entry.c.seq,
        entry.c.at,
        entry.c.link,
        sa.func.coalesce(sa.select(sa.func.max(_LOG.c.place) + 1).where(_LOG.c.agreement == sa.bindparam("agreement")).scalar_subquery(), 0),
    )
    .order_by(entry.c.seq.desc())
    .limit(1)
)
_WANTED: Final = (
    sa.func.unnest(sa.bindparam("levels", type_=ARRAY(sa.Integer)), sa.bindparam("places", type_=ARRAY(sa.BigInteger)))
    .table_valued("level", "place", name="wanted")
    .render_derived()
)
_NODES: Final = sa.select(schema.node.c.level, schema.node.c.place, schema.node.c.hash).where(
    schema.node.c.agreement == sa.bindparam("agreement"), schema.node.c.level == _WANTED.c.level, schema.node.c.place == _WANTED.c.place
)
_LEAVES: Final = sa.select(entry.c.place, entry.c.leaf_hash).where(
    entry.c.agreement == sa.bindparam("agreement"), entry.c.place == sa.any_(sa.bindparam("places", type_=ARRAY(sa.BigInteger)))
)

# An entry and the nodes that it completes, in one go. What is there already is left alone, and no error that would end the transaction.
_ADDED: Final = (
    insert(entry).values({column: sa.bindparam(column.name) for column in entry.c}).on_conflict_do_nothing().returning(entry.c.seq).cte("added")
)
_COMPLETED: Final = (
    sa.func.unnest(
        sa.bindparam("levels", type_=ARRAY(sa.Integer)),
        sa.bindparam("places", type_=ARRAY(sa.BigInteger)),
        sa.bindparam("hashes", type_=ARRAY(BYTEA)),
    )
    .table_valued("level", "place", "hash", name="completed")
    .render_derived()
)
_GROWN: Final = (
    sa.insert(schema.node)
    .from_select(
        ["agreement", "level", "place", "hash"],
        sa.select(sa.bindparam("agreement", type_=BYTEA), _COMPLETED.c.level, _COMPLETED.c.place, _COMPLETED.c.hash).where(
            sa.exists(sa.select(_ADDED))
        ),
    )
    .cte("grown")
)
_APPEND: Final = sa.select(_ADDED.c.seq).add_cte(_GROWN)
_CLAIM: Final = insert(schema.identity).on_conflict_do_nothing().returning(schema.identity.c.id)
_EXPECT: Final = insert(schema.unnamed).on_conflict_do_nothing().returning(schema.unnamed.c.place)


def _engine(address: Address) -> sa.Engine:
    """Makes connections to a database, one at a time. Its errors tell nothing of what was entered."""
    return sa.create_engine(
        "postgresql+psycopg://",
        connect_args={**_CONNECTION, **address.parameters(), "options": " ".join(f"-c {name}={value}" for name, value in _SETTINGS.items())},
        isolation_level="READ COMMITTED",
        pool_size=1,
        max_overflow=0,
        use_native_hstore=False,  # asking for that type would be a statement more at each start
        hide_parameters=True,
    )


def _said(error: exc.DBAPIError) -> str:
    """What the server says, or the library: the first line, which holds no values of the entry."""
    said = error.orig.diag.message_primary if isinstance(error.orig, psycopg.Error) else None
    return next((line.strip() for line in (said or str(error.orig)).splitlines() if line.strip()), "no reason was given")


def _told(name: str, error: exc.DBAPIError) -> ValizaError:
    original, said = error.orig, _said(error)
    if isinstance(original, psycopg.IntegrityError):
        return Refused(f"the register refuses the entry: {said}")
    if isinstance(original, postgres.LockNotAvailable):
        return Unavailable(f"the register {name!r} was held by another program for {_WAIT_S} seconds", "try again")
    if isinstance(original, postgres.InsufficientPrivilege):
        hint = "ask the administrator of the database for one of the roles that valiza register roles makes"
        return Unavailable(f"the register {name!r} cannot be used so: {said}", hint)
    return Unavailable(f"the register {name!r} cannot be used: {said}")


@contextmanager
def _errors(name: str) -> Iterator[None]:
    try:
        yield
    except exc.DBAPIError as error:
        raise _told(name, error) from error
    except (exc.SQLAlchemyError, UnicodeError, OverflowError) as error:
        message = f"the register {name!r} cannot be used: {next(iter(str(error).splitlines()), '')}"
        raise Unavailable(message) from error


def _connect(engine: sa.Engine, first: Callable[[sa.Connection], T]) -> tuple[sa.Connection, T]:
    """A connection on which `first` was done, and its result.

    `first` writes nothing, so it is done again where the connection had been lost before; a server that is just starting is waited for.
    """
    until = time.monotonic() + _WAIT_S
    again = True
    while True:
        connection = None
        try:
            connection = engine.connect()
            return connection, first(connection)
        except BaseException as error:
            if connection is not None:
                connection.close()
            if not isinstance(error, exc.DBAPIError):
                raise
            if isinstance(error.orig, psycopg.OperationalError) and "starting up" in str(error.orig) and time.monotonic() < until:
                time.sleep(0.1)
            elif error.connection_invalidated and again:
                again = False
            else:
                raise


class PostgresqlStore(Store):
    """A register in a database, whose tables an administrator made before. It is connected to again whenever the server was restarted.

    Raises:
        Unavailable: the database cannot be used, has no tables, or those of another version of the program.
    """

    def __init__(self, address: Address, clock: Callable[[], int]) -> None:
        super().__init__(str(address), clock)
        self._engine = _engine(address)
        self._reader = self._engine.execution_options(isolation_level="AUTOCOMMIT")  # one statement is one snapshot, without a transaction around it
        self._open: sa.Connection | None = None
        try:
            self._require_durable()
            self._require_version()
        except BaseException:
            self.close()
            raise

    def _require_durable(self) -> None:
        safe = self._read(lambda connection: connection.scalar(sa.select(sa.func.current_setting("fsync"))))
        if safe != "on":
            message = f"the server of the register {self.name!r} does not wait for its disk (fsync = {safe}): what was entered could be lost"
            raise Unavailable(message, "ask its administrator to set fsync = on")

    def _require_version(self) -> None:
        migrating = f"ask the administrator of the database to run: valiza register migrate {self.name}"
        try:
            found = self._read(lambda connection: list(connection.scalars(sa.select(schema.revision.c.version_num))))
        except Unavailable as error:
            cause = error.__cause__
            if isinstance(cause, exc.DBAPIError) and isinstance(cause.orig, (postgres.UndefinedTable, postgres.InvalidSchemaName)):
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
    def transaction(self) -> Iterator[None]:
        """Everything in the block happens, in order and alone, or nothing. Inside another transaction it is part of that one."""
        if self._open is not None:
            self._require_alive(self._open)
            yield
            return
        with _errors(self.name):
            connection, _ = _connect(self._engine, lambda connection: connection.execute(_LOCK).one())
            self._open = connection
            self.forget_tail()
            try:
                yield
                self._require_alive(connection)
                self._commit(connection)
            finally:
                self._open = None
                self.forget_tail()
                connection.close()  # which takes back what was not committed

    def _require_alive(self, connection: sa.Connection) -> None:
        """Nothing is entered alone that belongs to a transaction which has ended; and COMMIT of one that failed takes it back without a word."""
        raw: Any = None if connection.invalidated else connection.connection.driver_connection
        if raw is None or raw.info.transaction_status != TransactionStatus.INTRANS:
            message = f"the register {self.name!r} took back what belongs together: the connection was lost, or the database failed"
            raise Unavailable(message, "begin again")

    def _commit(self, connection: sa.Connection) -> None:
        """COMMIT is never tried again: where its answer is lost, nobody here knows whether it happened."""
        try:
            connection.commit()
        except exc.DBAPIError as error:
            if not error.connection_invalidated or isinstance(error.orig, postgres.IdleInTransactionSessionTimeout):
                raise
            message = f"the register {self.name!r} was lost at the end: {_said(error)}; what was entered last is there, or it is not"
            raise Unavailable(message, "look whether it is there before you do it again: valiza register list") from error

    def _read(self, work: Callable[[sa.Connection], T]) -> T:
        """What `work` reads, in the transaction that is open, or in none."""
        with _errors(self.name):
            if self._open is not None:
                return work(self._open)
            connection, found = _connect(self._reader, work)
            connection.close()
            return found

    def _write(self, statement: sa.Executable, values: dict[str, Any], refused: str | None = None) -> None:
        """Execute a statement in the transaction; where it must return a row and does not, Refused with what is in the way."""
        connection = self._open
        if connection is None:
            message = "nothing is written outside a transaction"
            raise RuntimeError(message)
        with _errors(self.name):
            self._require_alive(connection)
            result = connection.execute(statement, values)
            if refused is not None and result.first() is None:
                message = f"the register refuses the entry: {refused}"
                raise Refused(message)

    def close(self) -> None:
        """Close the connection."""
        self._engine.dispose()

    # -- whose it is ---------------------------------------------------------------------------------------------------

    def identity(self) -> Body | None:
        """Whose register this is; None if nobody's yet."""
        row = self._read(lambda connection: connection.execute(sa.select(schema.identity.c.party, schema.identity.c.body)).one_or_none())
        return None if row is None else Body(*row)

    def claim(self, body: Body) -> None:
        """Write down whose register this is, once."""
        self._write(_CLAIM, {"id": 1, "party": body.party, "body": body.id}, "it is of one body already")

    # -- entries -------------------------------------------------------------------------------------------------------

    def _read_tail(self, agreement: bytes) -> Tail:
        """The end of the register, and the size of a log."""
        row = self._read(lambda connection: connection.execute(_TAIL, {"agreement": agreement}).one_or_none())
        return EMPTY if row is None else Tail(*row)

    def insert(self, chained: Chained, nodes: Sequence[Node]) -> None:
        """Insert an entry with the nodes that it completes."""
        grown = {
            "levels": [level for (level, _), _ in nodes],
            "places": [place for (_, place), _ in nodes],
            "hashes": [hashed for _, hashed in nodes],
        }
        self._write(_APPEND, _row(chained) | grown, "there is one already that it would repeat")

    def nodes(self, agreement: bytes, wanted: Sequence[Position]) -> list[bytes]:
        """Hashes of complete nodes of a log, in the order in which they are wanted; those of level 0 are hashes of leaves.

        Raises:
            Unavailable: one is missing.
        """
        above = [position for position in wanted if position[0]]
        leaves = [place for level, place in wanted if not level]

        def look(connection: sa.Connection) -> dict[Position, bytes]:
            found: dict[Position, bytes] = {}
            if above:
                asked = {"agreement": agreement, "levels": [level for level, _ in above], "places": [place for _, place in above]}
                found |= {(level, place): hashed for level, place, hashed in connection.execute(_NODES, asked)}
            if leaves:
                found |= {(0, place): hashed for place, hashed in connection.execute(_LEAVES, {"agreement": agreement, "places": leaves})}
            return found

        found = self._read(look)
        return require_nodes(self.name, wanted, [found.get(position) for position in wanted])

    def chained(self, query: Query) -> list[Chained]:
        """Entries as they stand in the table."""
        statement = _select(tuple(entry.c), query)
        found = [_chained(row) for row in self._read(lambda connection: connection.execute(statement).mappings().all())]
        self.require_times(chained.entry for chained in found)
        return found

    def facts(self, query: Query) -> Iterator[EntryFacts]:
        """Entries without the bytes that they keep, one after the other: a register of any size takes the same memory.

        They are read in pages, so that the connection is free in between. Entries that others append meanwhile are none of them.
        """
        through, last, left = None, None, query.limit
        shared: dict[object, Any] = {}
        while left is None or left > 0:
            size = PAGE if left is None else min(PAGE, left)
            statement = _select(_FACTS, query).limit(size)
            if last is not None:
                statement = statement.where(entry.c.seq < last if query.newest_first else entry.c.seq.between(last + 1, through))
            page = [EntryFacts(**share_common(_named(row), shared)) for row in self._rows(statement)]
            self.require_times(page)
            if len(page) == size and through is None:
                through = self._read(lambda connection: connection.scalar(sa.select(sa.func.max(entry.c.seq))))
            yield from page
            if len(page) < size:
                return
            last, left = page[-1].seq, None if left is None else left - size

    def _rows(self, statement: sa.Select[Any]) -> Sequence[sa.RowMapping]:
        return self._read(lambda connection: connection.execute(statement).mappings().all())

    def count(self, query: Query) -> int:
        """How many entries there are; no further than to the limit are they counted."""
        counted = sa.select(entry.c.seq).where(*_conditions(query)).limit(query.limit)
        statement = sa.select(sa.func.count()).select_from(counted.subquery())
        return self._read(lambda connection: connection.scalar(statement)) or 0

    def logs(self) -> list[bytes]:
        """Digests of the agreements that have a log here, in the order in which their first entries stand."""
        found: list[tuple[int, bytes]] = []  # from one log to the next in the index: there are few of them, and many entries in each
        following = sa.select(entry.c.seq, entry.c.agreement).order_by(entry.c.agreement, entry.c.place).limit(1)
        while rows := self._rows(following.where(entry.c.agreement > (found[-1][1] if found else b""))):
            found.append((rows[0]["seq"], rows[0]["agreement"]))
        return [agreement for _, agreement in sorted(found)]

    def all_nodes(self, agreement: bytes) -> Iterator[Node]:
        """Every stored node of a log above the leaves."""
        table, last = schema.node.c, (0, 0)
        while True:
            statement = sa.select(table.level, table.place, table.hash).where(table.agreement == agreement)
            statement = statement.where(sa.tuple_(table.level, table.place) > last).order_by(table.level, table.place).limit(PAGE)
            page = [((row["level"], row["place"]), row["hash"]) for row in self._rows(statement)]
            yield from page
            if len(page) < PAGE:
                return
            last = page[-1][0]

    # -- heads ---------------------------------------------------------------------------------------------------------

    def add_head(self, head: Head) -> None:
        """Store a head, durably once the transaction ends."""
        of = {"kind": head.kind, "party": head.body.party, "body": head.body.id, "agreement": head.agreement}
        with self.transaction():
            self._write(schema.head.insert(), of | {"size": head.size, "at": head.at, "note": head.note})

    def heads(self, kind: str, body: Body, agreement: bytes, *, size: int | None = None, newest: bool = False) -> list[Head]:
        """Heads of a kind of a body's log, in the order in which they were stored; only those of a size, or only the last."""
        table = schema.head.c
        statement = sa.select(table.size, table.at, table.note)
        statement = statement.where(table.agreement == agreement, table.party == body.party, table.body == body.id, table.kind == kind)
        if size is not None:
            statement = statement.where(table.size == size)
        statement = statement.order_by(table.seq.desc()).limit(1) if newest else statement.order_by(table.seq)
        return [Head(kind=kind, body=body, agreement=agreement, **row) for row in self._rows(statement)]

    def has_head(self, head: Head) -> bool:
        """Whether this note is stored already as a head of this kind, body, log and size."""
        table = schema.head.c
        same = (table.party == head.body.party, table.body == head.body.id, table.kind == head.kind, table.size == head.size, table.note == head.note)
        return bool(self._rows(sa.select(table.seq).where(table.agreement == head.agreement, *same).limit(1)))

    def covering(self, kind: str, agreement: bytes, place: int) -> Head | None:
        """The smallest head of a kind, of or with whichever body, that has the entry at a place of the log; of several the earliest."""
        table = schema.head.c
        statement = sa.select(table.party, table.body, table.size, table.at, table.note).limit(1).order_by(table.size, table.at, table.seq)
        rows = self._rows(statement.where(table.agreement == agreement, table.kind == kind, table.size > place))
        found = {**rows[0]} if rows else None
        return None if found is None else Head(kind=kind, body=Body(found.pop("party"), found.pop("body")), agreement=agreement, **found)

    def head_logs(self) -> list[tuple[str, Body, bytes]]:
        """Kind, body and agreement of all heads that are here, each once, in no order."""
        table = schema.head.c
        rows = self._rows(sa.select(table.kind, table.party, table.body, table.agreement).distinct())
        return [(row["kind"], Body(row["party"], row["body"]), row["agreement"]) for row in rows]

    # -- files that are recorded, and have no name yet: a note of work under way, not a part of the register ------------

    def expect_file(self, dispatch_digest: bytes, place: str, path: bytes) -> None:
        """Note, inside a transaction, that the envelope just recorded gets the name `path` in the office at `place` next."""
        self._write(_EXPECT, {"dispatch_digest": dispatch_digest, "place": place, "path": path}, "its file is expected already")

    def expected_files(self, place: str) -> list[tuple[bytes, bytes]]:
        """Digest of the dispatch and path of every envelope that was recorded at `place` and not seen under its name."""
        table = schema.unnamed.c
        statement = sa.select(table.dispatch_digest, table.path).where(table.place == place).order_by(table.dispatch_digest)
        return [(row["dispatch_digest"], row["path"]) for row in self._rows(statement)]

    def forget_files(self, dispatch_digests: Iterable[bytes]) -> None:
        """These have their names, or never will. Durable: with the note back, an envelope that was carried away meanwhile would seem lost."""
        with self.transaction():
            self._write(sa.delete(schema.unnamed).where(schema.unnamed.c.dispatch_digest.in_(list(dispatch_digests))), {})


def _row(chained: Chained) -> dict[str, Any]:
    given = chained.entry
    found = {"origin_party": given.origin.party, "origin_body": given.origin.id}
    hashes = {"leaf_hash": chained.leaf_hash, "previous": chained.previous, "link": chained.link}
    return found | hashes | {column.name: getattr(given, column.name) for column in entry.c if column.name not in found | hashes}


def _named(row: sa.RowMapping) -> dict[str, Any]:
    found = {column.name: row[column] for column in _FACTS}
    found["origin"] = Body(found.pop("origin_party"), found.pop("origin_body"))
    return found


def _chained(row: sa.RowMapping) -> Chained:
    found = Entry(**_named(row), statement=row[entry.c.statement], record=row[entry.c.record], blind=row[entry.c.blind])
    return Chained(found, row[entry.c.leaf_hash], row[entry.c.previous], row[entry.c.link])


def _select(columns: Sequence[sa.Column[Any]], query: Query) -> sa.Select[Any]:
    order = entry.c.seq.desc() if query.newest_first else entry.c.seq
    return sa.select(*columns).where(*_conditions(query)).order_by(order).limit(query.limit)


def _conditions(query: Query) -> list[sa.ColumnElement[bool]]:
    given = (
        (query.dispatch_digest, entry.c.dispatch_digest),
        (query.envelope_id, entry.c.envelope_id),
        (query.agreement, entry.c.agreement),
        (query.place, entry.c.place),
        (query.direction, entry.c.direction),
        (query.number, entry.c.number),
        (query.statement, entry.c.statement),
    )
    found: list[sa.ColumnElement[bool]] = [column == value for value, column in given if value is not None]
    if query.id_from is not None:
        found.append(entry.c.envelope_id >= query.id_from)
    if query.id_before is not None:
        found.append(entry.c.envelope_id < query.id_before)
    if query.after is not None:
        found.append(entry.c.seq > query.after)
    if query.kinds:  # written into the statement, so that the indexes over some kinds are seen to fit
        found.append(entry.c.kind.in_(sa.bindparam("kinds", query.kinds, expanding=True, literal_execute=True)))
    if query.enveloped:
        found.append(entry.c.dispatch_digest != b"")
    if query.series is not None:  # so that no index of numbers is used: the one of the direction nearly always begins with the row wanted
        found.append(sa.func.substr(entry.c.number, 1, len(query.series)) == query.series)
    return found


def migrate(address: Address) -> list[str]:
    """Make the tables in a database, or bring them to the version that this program knows; returns the versions that were gone through.

    Raises:
        Unavailable: the database cannot be used, or its tables are of a later version.
    """
    from alembic.util import CommandError  # noqa: PLC0415 - slow to import, and only a migration needs it

    from valiza.register.migrations import upgrade  # noqa: PLC0415 - as above

    engine = _engine(address)
    name = str(address)
    try:
        with _errors(name):
            connection, _ = _connect(engine, lambda connection: connection.execute(_LOCK).one())
            with connection:
                done = upgrade(connection)
                connection.commit()
                return done
    except CommandError as error:
        message = f"the register {name!r} is of a version that this program, which knows {schema.REVISION}, cannot migrate"
        raise Unavailable(message, "use the version of Valiza that it was migrated with, or a later one") from error
    finally:
        engine.dispose()
