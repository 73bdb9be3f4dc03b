"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import BYTEA

revision = "0001"
down_revision = None

_SCHEMA = "valiza"
_GUARDED = ("identity", "entry", "node", "head")
_ONCE = "kind IN ('sealed', 'withdrawn', 'arrived', 'answered', 'receipt')"


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(collation="C"), nullable=False)


def _bytes(name: str) -> sa.Column[bytes]:
    return sa.Column(name, BYTEA, nullable=False)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False)


def _length(table: str, column: str, length: int) -> sa.CheckConstraint:
    return sa.CheckConstraint(f"octet_length({column}) = {length}", name=f"{table}_{column}_check")


def upgrade() -> None:
    """Make tables that only grow, and a chain in which every entry continues the one before."""
    _make_identity()
    _make_entry()
    _make_log()
    _guard()


def _make_identity() -> None:
    op.create_table(
        "identity",
        sa.Column("id", sa.Integer, nullable=False, autoincrement=False),
        _text("party"),
        _text("body"),
        sa.PrimaryKeyConstraint("id", name="identity_pkey"),
        sa.CheckConstraint("id = 1", name="identity_one_check"),
        schema=_SCHEMA,
    )
    op.create_table(
        "unnamed",
        _bytes("dispatch_digest"),
        _text("place"),
        _bytes("path"),
        sa.PrimaryKeyConstraint("dispatch_digest", name="unnamed_pkey"),
        schema=_SCHEMA,
    )


def _make_entry() -> None:
    op.create_table(
        "entry",
        sa.Column("seq", sa.BigInteger, nullable=False, autoincrement=False),
        _number("at"),
        _text("kind"),
        _text("direction"),
        _text("number"),
        _bytes("agreement"),
        _number("place"),
        _text("origin_party"),
        _text("origin_body"),
        _bytes("envelope_id"),
        _bytes("dispatch_digest"),
        _text("note"),
        _bytes("statement"),
        _bytes("record"),
        _bytes("blind"),
        _bytes("leaf_hash"),
        _bytes("previous"),
        _bytes("link"),
        sa.PrimaryKeyConstraint("seq", name="entry_pkey"),
        sa.UniqueConstraint("previous", name="entry_previous_key"),
        sa.UniqueConstraint("link", name="entry_link_key"),
        sa.UniqueConstraint("agreement", "place", name="entry_agreement_place_key"),
        sa.CheckConstraint("seq > 0", name="entry_seq_check"),
        sa.CheckConstraint("direction IN ('in', 'out')", name="entry_direction_check"),
        sa.CheckConstraint("place >= 0", name="entry_place_check"),
        sa.CheckConstraint("link = sha256(previous || leaf_hash)", name="entry_chain_check"),
        _length("entry", "agreement", 32),
        _length("entry", "blind", 16),
        _length("entry", "leaf_hash", 32),
        _length("entry", "previous", 32),
        _length("entry", "link", 32),
        schema=_SCHEMA,
    )
    numbered = sa.text("kind = 'numbered'")
    op.create_index("entry_by_dispatch", "entry", ["dispatch_digest", "kind"], schema=_SCHEMA)
    op.create_index("entry_by_identity", "entry", ["envelope_id"], schema=_SCHEMA)
    op.create_index("entry_by_number", "entry", ["number"], schema=_SCHEMA)
    op.create_index("entry_numbered", "entry", ["direction", "seq"], schema=_SCHEMA, postgresql_where=numbered)
    op.create_index("entry_number", "entry", ["number"], unique=True, schema=_SCHEMA, postgresql_where=numbered)
    op.create_index("entry_once", "entry", ["dispatch_digest", "kind"], unique=True, schema=_SCHEMA, postgresql_where=sa.text(_ONCE))


def _make_log() -> None:
    op.create_table(
        "node",
        _bytes("agreement"),
        sa.Column("level", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("place", sa.BigInteger, nullable=False, autoincrement=False),
        _bytes("hash"),
        sa.PrimaryKeyConstraint("agreement", "level", "place", name="node_pkey"),
        sa.CheckConstraint("level > 0", name="node_level_check"),
        sa.CheckConstraint("place >= 0", name="node_place_check"),
        _length("node", "hash", 32),
        schema=_SCHEMA,
    )
    op.create_table(
        "head",
        sa.Column("seq", sa.BigInteger, sa.Identity(always=True), nullable=False),
        _text("kind"),
        _text("party"),
        _text("body"),
        _bytes("agreement"),
        _number("size"),
        _number("at"),
        _bytes("note"),
        sa.PrimaryKeyConstraint("seq", name="head_pkey"),
        schema=_SCHEMA,
    )
    op.create_index("head_by_log", "head", ["agreement", "party", "body", "kind", "seq"], schema=_SCHEMA)
    op.create_index("head_by_size", "head", ["agreement", "party", "body", "kind", "size"], schema=_SCHEMA)


def _guard() -> None:
    """Refuse every change. For each statement, so that one that touches no row is refused too; ENABLE ALWAYS, so that no session does without."""
    op.execute(
        """
        CREATE FUNCTION valiza.refuse() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
        BEGIN
            RAISE EXCEPTION 'the register only grows: nothing in it is changed or removed' USING ERRCODE = 'integrity_constraint_violation';
        END $$
        """
    )
    for table in _GUARDED:
        changes = f"BEFORE UPDATE OR DELETE OR TRUNCATE ON valiza.{table}"
        op.execute(f"CREATE TRIGGER {table}_only_grows {changes} FOR EACH STATEMENT EXECUTE FUNCTION valiza.refuse()")
        op.execute(f"ALTER TABLE valiza.{table} ENABLE ALWAYS TRIGGER {table}_only_grows")
    op.execute(
        """
        CREATE FUNCTION valiza.continue_chain() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
        DECLARE
            last record;
        BEGIN
            SELECT seq, link INTO last FROM valiza.entry ORDER BY seq DESC LIMIT 1;
            IF NEW.seq <> coalesce(last.seq, 0) + 1 OR NEW.previous <> coalesce(last.link, decode(repeat('00', 32), 'hex')) THEN
                RAISE EXCEPTION 'the entry does not continue the last one' USING ERRCODE = 'integrity_constraint_violation';
            END IF;
            RETURN NEW;
        END $$
        """
    )
    op.execute("CREATE TRIGGER entry_continues BEFORE INSERT ON valiza.entry FOR EACH ROW EXECUTE FUNCTION valiza.continue_chain()")
    op.execute("ALTER TABLE valiza.entry ENABLE ALWAYS TRIGGER entry_continues")
