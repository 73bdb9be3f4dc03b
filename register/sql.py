"""What a PostgreSQL database is told and asked: SQL with names for its values, made once by SQLAlchemy from the tables of `schema`."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA, aggregate_order_by
from sqlalchemy.dialects.postgresql import psycopg as driver

from valiza.register import schema
from valiza.register.entry import KINDS, ONCE
from valiza.register.schema import entry, head, identity, node, unnamed
from valiza.register.store import FACTS

if TYPE_CHECKING:
    from valiza.register.store import Query

__all__ = [
    "ADD_HEAD",
    "ALL",
    "APPEND",
    "ARISE",
    "BEGIN",
    "CLAIM",
    "COMMIT",
    "COVERING",
    "EXPECT",
    "EXPECTED",
    "FORGET",
    "FSYNC",
    "HAS_HEAD",
    "HEADS",
    "HEAD_LOGS",
    "IDENTITY",
    "LAST_SEQ",
    "LOCK",
    "LOG_AFTER",
    "NODES",
    "NODES_AFTER",
    "ROLLBACK",
    "TAIL",
    "VERSION",
    "Sql",
    "counting",
    "repeated",
    "selecting",
]

Sql = tuple[bytes, dict[str, Any]]
"""A statement, and those of its values that are always the same."""

_DIALECT: Final = driver.dialect()  # type: ignore[no-untyped-call]
_LOCK_NAME: Final = (0x56414C49, 1)  # the advisory lock of whoever appends: "VALI", and a number
_MAX_LEVEL: Final = 62  # of a log's tree


def _sql(statement: sa.Executable) -> Sql:
    compiled = statement.compile(dialect=_DIALECT)  # type: ignore[attr-defined] # every statement here has it
    return str(compiled).encode(), dict(compiled.params)


def _given(name: str, type_: Any = None) -> Any:  # noqa: ANN401 - SQLAlchemy's types are not worth their names here
    return sa.bindparam(name, type_=type_)


def _array(name: str, type_: Any) -> Any:  # noqa: ANN401 - as above
    return sa.bindparam(name, type_=ARRAY(type_))


# -- transactions ---------------------------------------------------------------------------------------------------------

BEGIN: Final[Sql] = (b"BEGIN ISOLATION LEVEL READ COMMITTED", {})
COMMIT: Final[Sql] = (b"COMMIT", {})
ROLLBACK: Final[Sql] = (b"ROLLBACK", {})

# The advisory lock comes first in every transaction that writes. A database that was told to answer before it has written is told otherwise.
LOCK: Final = _sql(
    sa.select(
        sa.func.pg_advisory_xact_lock(*_LOCK_NAME),
        sa.case((sa.func.current_setting("synchronous_commit") == "off", sa.func.set_config("synchronous_commit", "on", sa.true()))),
    )
)

# -- a database as it is found --------------------------------------------------------------------------------------------

FSYNC: Final = _sql(sa.select(sa.func.current_setting("fsync")))
VERSION: Final = _sql(sa.select(schema.revision.c.version_num))
IDENTITY: Final = _sql(sa.select(identity.c.party, identity.c.body))
CLAIM: Final = _sql(sa.insert(identity).values(id=1, party=_given("party"), body=_given("body")))

# -- the end of the register, and of a log --------------------------------------------------------------------------------

_LAST: Final = sa.select(entry.c.seq, entry.c.at, entry.c.link).order_by(entry.c.seq.desc()).limit(1).subquery("last")
_LOG: Final = (
    sa.select((entry.c.place + 1).label("size"), entry.c.leaf_hash)
    .where(entry.c.agreement == _given("agreement"))
    .order_by(entry.c.place.desc())
    .limit(1)
    .subquery("log")
)
_LEVEL: Final = sa.func.generate_series(1, _MAX_LEVEL).column_valued("wanted")
_SHIFTED: Final = _LOG.c.size.op(">>")(_LEVEL)
# The largest complete nodes that cover a log, those of its right edge: whatever is appended is hashed with these and with what was appended before.
_EDGE: Final = (
    sa.select(sa.func.array_agg(aggregate_order_by(node.c.hash, node.c.level)))
    .where(node.c.agreement == _given("agreement"), node.c.level == _LEVEL, node.c.place == _SHIFTED - 1, _SHIFTED.op("&")(1) == 1)
    .correlate(_LOG)
    .scalar_subquery()
)
TAIL: Final = _sql(
    sa.select(_LAST.c.seq, _LAST.c.at, _LAST.c.link, sa.func.coalesce(_LOG.c.size, 0), _LOG.c.leaf_hash, _EDGE).select_from(
        _LAST.outerjoin(_LOG, sa.true())
    )
)
LAST_SEQ: Final = _sql(sa.select(sa.func.max(entry.c.seq)))

# -- entries --------------------------------------------------------------------------------------------------------------

ALL: Final = (*FACTS, "statement", "record", "blind", "leaf_hash", "previous", "link")

APPEND: Final = _sql(sa.insert(entry).values({column: _given(column.name) for column in entry.c}))
_ARISEN: Final = (
    sa.func.unnest(_array("agreements", BYTEA), _array("levels", sa.Integer), _array("places", sa.BigInteger), _array("hashes", BYTEA))
    .table_valued("agreement", "level", "place", "hash", name="arisen")
    .render_derived()
)
ARISE: Final = _sql(sa.insert(node).from_select(["agreement", "level", "place", "hash"], sa.select(*_ARISEN.c)))


def repeated(kind: str) -> Sql | None:
    """Asks whether an entry of this kind is there that another one would repeat; None of a kind of which there may be any number."""
    if kind == "numbered":
        return _REPEATED_NUMBER
    return _REPEATED_STEP[kind] if kind in ONCE else None


def _kinds(kinds: tuple[str, ...]) -> sa.ColumnElement[bool]:
    """Written into the statement, so that the indexes over some kinds are seen to fit."""
    known: list[sa.ColumnElement[str]] = [sa.literal_column(f"'{kind}'") for kind in kinds if kind in KINDS]
    return entry.c.kind == known[0] if len(known) == 1 else entry.c.kind.in_(known)


_REPEATED_NUMBER: Final = _sql(sa.select(entry.c.seq).where(_kinds(("numbered",)), entry.c.number == _given("number")))
_REPEATED_STEP: Final = {
    kind: _sql(sa.select(entry.c.seq).where(_kinds((kind,)), entry.c.dispatch_digest == _given("dispatch_digest"))) for kind in ONCE
}

_CONDITIONS: Final[dict[str, sa.ColumnElement[bool]]] = {
    "dispatch_digest": entry.c.dispatch_digest == _given("dispatch_digest"),
    "envelope_id": entry.c.envelope_id == _given("envelope_id"),
    "envelope_ids": entry.c.envelope_id == sa.any_(_array("envelope_ids", BYTEA)),
    "id_from": entry.c.envelope_id >= _given("id_from"),
    "id_before": entry.c.envelope_id < _given("id_before"),
    "agreement": entry.c.agreement == _given("agreement"),
    "place": entry.c.place == _given("place"),
    "direction": entry.c.direction == _given("direction"),
    "number": entry.c.number == _given("number"),
    # So that no index of numbers is used: the one of the direction nearly always begins with the row wanted.
    "series": sa.func.substr(entry.c.number, 1, sa.func.length(_given("series", sa.Text))) == _given("series", sa.Text),
    "statement": entry.c.statement == _given("statement"),
    "after": entry.c.seq > _given("after"),
    "before": entry.c.seq < _given("before"),
}


def _values(query: Query) -> dict[str, Any]:
    found = {name: getattr(query, name) for name in (*_CONDITIONS, "limit")}
    if query.envelope_ids is not None:
        found["envelope_ids"] = list(query.envelope_ids)
    return {name: value for name, value in found.items() if value is not None}


def _conditions(given: tuple[str, ...], kinds: tuple[str, ...], *, enveloped: bool) -> list[sa.ColumnElement[bool]]:
    found = [_CONDITIONS[name] for name in given if name != "limit"]
    if kinds:
        found.append(_kinds(kinds))
    if enveloped:
        found.append(entry.c.dispatch_digest != sa.literal_column("''::bytea"))
    return found


@cache
def _select(columns: tuple[str, ...], given: tuple[str, ...], kinds: tuple[str, ...], enveloped: bool, newest_first: bool) -> Sql:  # noqa: FBT001 - of one use
    order = entry.c.seq.desc() if newest_first else entry.c.seq
    statement = sa.select(*(entry.c[name] for name in columns)).where(*_conditions(given, kinds, enveloped=enveloped)).order_by(order)
    return _sql(statement.limit(_given("limit")) if "limit" in given else statement)


@cache
def _count(given: tuple[str, ...], kinds: tuple[str, ...], enveloped: bool) -> Sql:  # noqa: FBT001 - as above
    counted = sa.select(entry.c.seq).where(*_conditions(given, kinds, enveloped=enveloped))
    return _sql(sa.select(sa.func.count()).select_from((counted.limit(_given("limit")) if "limit" in given else counted).subquery()))


def selecting(columns: tuple[str, ...], query: Query) -> Sql:
    """Asks for columns of the entries that fit. Queries for the same things are one statement, which the server prepares once."""
    values = _values(query)
    text, fixed = _select(columns, tuple(values), query.kinds, query.enveloped, query.newest_first)
    return text, fixed | values


def counting(query: Query) -> Sql:
    """Asks how many entries fit."""
    values = _values(query)
    text, fixed = _count(tuple(values), query.kinds, query.enveloped)
    return text, fixed | values


# -- logs and their trees -------------------------------------------------------------------------------------------------

LOG_AFTER: Final = _sql(  # from one log to the next in the index: there are few of them, and many entries in each
    sa.select(entry.c.seq, entry.c.agreement).where(entry.c.agreement > _given("agreement")).order_by(entry.c.agreement, entry.c.place).limit(1)
)
_WANTED: Final = (
    sa.func.unnest(_array("levels", sa.Integer), _array("places", sa.BigInteger)).table_valued("level", "place", name="wanted").render_derived()
)
NODES: Final = _sql(
    sa.select(node.c.level, node.c.place, node.c.hash)
    .where(node.c.agreement == _given("agreement"), node.c.level == _WANTED.c.level, node.c.place == _WANTED.c.place)
    .union_all(
        sa.select(sa.literal_column("0"), entry.c.place, entry.c.leaf_hash).where(
            entry.c.agreement == _given("agreement"), entry.c.place == sa.any_(_array("leaves", sa.BigInteger))
        )
    )
)
NODES_AFTER: Final = _sql(
    sa.select(node.c.level, node.c.place, node.c.hash)
    .where(node.c.agreement == _given("agreement"), sa.tuple_(node.c.level, node.c.place) > sa.tuple_(_given("level"), _given("place")))
    .order_by(node.c.level, node.c.place)
    .limit(_given("limit"))
)

# -- heads ----------------------------------------------------------------------------------------------------------------

_ROW: Final = ("kind", "party", "body", "agreement", "size", "at", "note")
_OF: Final = tuple(head.c[name] == _given(name) for name in ("agreement", "party", "body", "kind"))
_HEADS: Final = sa.select(head.c.size, head.c.at, head.c.note).where(*_OF)
ADD_HEAD: Final = _sql(sa.insert(head).values({name: _given(name) for name in _ROW}).inline())
HEADS: Final = {  # only those of a size, and only the last one
    (False, False): _sql(_HEADS.order_by(head.c.seq)),
    (False, True): _sql(_HEADS.order_by(head.c.seq.desc()).limit(1)),
    (True, False): _sql(_HEADS.where(head.c.size == _given("size")).order_by(head.c.seq)),
    (True, True): _sql(_HEADS.where(head.c.size == _given("size")).order_by(head.c.seq.desc()).limit(1)),
}
HAS_HEAD: Final = _sql(sa.select(head.c.seq).where(*_OF, head.c.size == _given("size"), head.c.note == _given("note")).limit(1))
COVERING: Final = _sql(
    sa.select(head.c.party, head.c.body, head.c.size, head.c.at, head.c.note)
    .where(head.c.agreement == _given("agreement"), head.c.kind == _given("kind"), head.c.size > _given("place"))
    .order_by(head.c.size, head.c.at, head.c.seq)
    .limit(1)
)
HEAD_LOGS: Final = _sql(sa.select(head.c.kind, head.c.party, head.c.body, head.c.agreement).distinct())

# -- files that are recorded, and have no name yet ------------------------------------------------------------------------

EXPECT: Final = _sql(sa.insert(unnamed).values(dispatch_digest=_given("dispatch_digest"), place=_given("place"), path=_given("path")))
EXPECTED: Final = _sql(
    sa.select(unnamed.c.dispatch_digest, unnamed.c.path).where(unnamed.c.place == _given("place")).order_by(unnamed.c.dispatch_digest)
)
FORGET: Final = _sql(sa.delete(unnamed).where(unnamed.c.dispatch_digest == sa.any_(_array("dispatch_digests", BYTEA))))
