"""The tables of a register in PostgreSQL, as the latest migration leaves them; all in a schema of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import BYTEA

from valiza.register.entry import BLIND_BYTES, HASH_BYTES, ONCE

if TYPE_CHECKING:
    from sqlalchemy.schema import SchemaItem

__all__ = ["GUARDED", "REVISION", "REVISIONS", "SCHEMA", "VERSION_TABLE", "entry", "head", "identity", "metadata", "node", "revision", "unnamed"]

SCHEMA: Final = "valiza"
VERSION_TABLE: Final = "version"
REVISIONS: Final = ("0001",)  # of the tables, each migrated from the one before it
REVISION: Final = REVISIONS[-1]
GUARDED: Final = ("identity", "entry", "node", "head")  # only grow; `unnamed` is a note of work under way, not a part of the register

# Compared byte by byte whatever the language of the database.
_Text: Final = sa.Text(collation="C")

metadata: Final = sa.MetaData(
    schema=SCHEMA,
    naming_convention={"pk": "%(table_name)s_pkey", "uq": "%(table_name)s_%(column_0_N_name)s_key", "ck": "%(table_name)s_%(constraint_name)s_check"},
)


def _bytes(name: str, length: int | None = None, *, unique: bool = False) -> list[SchemaItem]:
    column: list[SchemaItem] = [sa.Column(name, BYTEA, nullable=False, unique=unique)]
    if length is not None:
        column.append(sa.CheckConstraint(f"octet_length({name}) = {length}", name=name))
    return column


revision: Final = sa.Table(VERSION_TABLE, sa.MetaData(schema=SCHEMA), sa.Column("version_num", sa.String(32), primary_key=True))

identity: Final = sa.Table(
    "identity",
    metadata,
    sa.Column("id", sa.Integer, sa.CheckConstraint("id = 1", name="one"), primary_key=True, autoincrement=False),
    sa.Column("party", _Text, nullable=False),
    sa.Column("body", _Text, nullable=False),
)

entry: Final = sa.Table(
    "entry",
    metadata,
    sa.Column("seq", sa.BigInteger, sa.CheckConstraint("seq > 0", name="seq"), primary_key=True, autoincrement=False),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("kind", _Text, nullable=False),
    sa.Column("direction", _Text, sa.CheckConstraint("direction IN ('in', 'out')", name="direction"), nullable=False),
    sa.Column("number", _Text, nullable=False),
    *_bytes("agreement", HASH_BYTES),
    sa.Column("place", sa.BigInteger, sa.CheckConstraint("place >= 0", name="place"), nullable=False),
    sa.Column("origin_party", _Text, nullable=False),
    sa.Column("origin_body", _Text, nullable=False),
    *_bytes("envelope_id"),
    *_bytes("dispatch_digest"),
    sa.Column("note", _Text, nullable=False),
    *_bytes("statement"),
    *_bytes("record"),
    *_bytes("blind", BLIND_BYTES),
    *_bytes("leaf_hash", HASH_BYTES),
    *_bytes("previous", HASH_BYTES, unique=True),
    *_bytes("link", HASH_BYTES, unique=True),
    sa.CheckConstraint("link = sha256(previous || leaf_hash)", name="chain"),
    sa.UniqueConstraint("agreement", "place"),
    sa.Index("entry_by_dispatch", "dispatch_digest", "kind"),
    sa.Index("entry_by_identity", "envelope_id"),
    sa.Index("entry_by_number", "number"),
    sa.Index("entry_numbered", "direction", "seq", postgresql_where=sa.text("kind = 'numbered'")),
    sa.Index("entry_number", "number", unique=True, postgresql_where=sa.text("kind = 'numbered'")),
    sa.Index(
        "entry_once",
        "dispatch_digest",
        "kind",
        unique=True,
        postgresql_where=sa.text(f"kind IN {ONCE!r}"),  # a tuple of plain words looks the same in both languages
    ),
)

node: Final = sa.Table(
    "node",
    metadata,
    sa.Column("agreement", BYTEA, primary_key=True),
    sa.Column("level", sa.Integer, sa.CheckConstraint("level > 0", name="level"), primary_key=True, autoincrement=False),
    sa.Column("place", sa.BigInteger, sa.CheckConstraint("place >= 0", name="place"), primary_key=True, autoincrement=False),
    *_bytes("hash", HASH_BYTES),
)

head: Final = sa.Table(
    "head",
    metadata,
    sa.Column("seq", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("kind", _Text, nullable=False),
    sa.Column("party", _Text, nullable=False),
    sa.Column("body", _Text, nullable=False),
    *_bytes("agreement"),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
    *_bytes("note"),
    sa.Index("head_by_log", "agreement", "party", "body", "kind", "seq"),
    sa.Index("head_by_size", "agreement", "party", "body", "kind", "size"),
)

unnamed: Final = sa.Table(
    "unnamed",
    metadata,
    sa.Column("dispatch_digest", BYTEA, primary_key=True),
    sa.Column("place", _Text, nullable=False),
    *_bytes("path"),
)
