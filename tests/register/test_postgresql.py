"""The register in PostgreSQL: what the database itself refuses, whoever asks; other versions; and a server that dies."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import psycopg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from psycopg import errors as postgres
from psycopg.pq import Trace
from tests.support import appender
from tests.support.postgresql import OWNER, running
from tests.support.registers import ALL, ENTRY, append, clock, require_whole

from valiza.envelope.dispatch import EnvelopeName
from valiza.keys.errors import Refused, Unavailable, Usage
from valiza.keys.fields import Body
from valiza.register import postgresql, schema, sql
from valiza.register.address import parse_address
from valiza.register.connecting import migrate
from valiza.register.journal import RegisterJournal
from valiza.register.postgresql import PostgresqlStore
from valiza.register.roles import roles
from valiza.register.store import Head

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.postgresql import Cluster

TABLES: Final = ("identity", "entry", "node", "head")
AGREEMENT: Final = ENTRY.agreement


def connect(address: str) -> PostgresqlStore:
    return PostgresqlStore(parse_address(address), clock)


@pytest.fixture
def store(address: str) -> Iterator[PostgresqlStore]:
    with closing(connect(address)) as found:
        yield found


def session(cluster: Cluster, database: str, user: str = OWNER) -> psycopg.Connection[tuple[object, ...]]:
    """The database as any program opens it."""
    return psycopg.connect(host=str(cluster.folder), dbname=database, user=user, autocommit=True)


def fill(store: PostgresqlStore) -> None:
    """Something in every table."""
    with store.transaction():
        store.claim(Body("KZ", "KZ-MFA"))
        for _ in range(2):
            store.append(ENTRY)
        store.add_head(Head(kind="own", body=Body("KZ", "KZ-MFA"), agreement=AGREEMENT, size=2, at=1000, note=b"note"))
        store.expect_file(b"d" * 32, "here", b"/path")


# -- nothing is changed or removed ----------------------------------------------------------------------------------------


def changes(table: str) -> list[str]:
    column = {"identity": "body", "node": "hash"}.get(table, "kind")
    return [
        f"UPDATE valiza.{table} SET {column} = {column}",  # noqa: S608 - constants
        f"UPDATE valiza.{table} SET {column} = {column} WHERE false",  # noqa: S608 - constants
        f"DELETE FROM valiza.{table}",  # noqa: S608 - constants
        f"TRUNCATE valiza.{table} CASCADE",
        f"INSERT INTO valiza.{table} OVERRIDING SYSTEM VALUE SELECT * FROM valiza.{table} LIMIT 1 ON CONFLICT DO NOTHING",  # noqa: S608 - constants
    ]


@pytest.mark.parametrize("table", TABLES)
def test_not_even_the_owner_changes_or_removes_anything_by_mistake(cluster: Cluster, database: str, store: PostgresqlStore, table: str) -> None:
    fill(store)
    before = cluster.sql(f"SELECT * FROM valiza.{table}", database)  # noqa: S608 - constants
    assert before
    with session(cluster, database) as owner:
        for role in ("origin", "replica"):
            owner.execute(f"SET session_replication_role = {role}")
            for change in changes(table)[:-1]:
                with pytest.raises(postgres.IntegrityConstraintViolation, match="only grows"):
                    owner.execute(change)
    assert cluster.sql(f"SELECT * FROM valiza.{table}", database) == before  # noqa: S608 - constants


def test_an_entry_is_not_replaced_by_inserting(cluster: Cluster, database: str, store: PostgresqlStore) -> None:
    append(store)
    with session(cluster, database) as owner, pytest.raises(postgres.IntegrityConstraintViolation, match="only grows"):
        owner.execute("INSERT INTO valiza.entry SELECT * FROM valiza.entry ON CONFLICT (seq) DO UPDATE SET note = 'other'")
    assert require_whole(store) == [replace(ENTRY, seq=1)]


@pytest.mark.parametrize(
    "seq_previous_link",
    [
        "seq + 2, link, sha256(link || leaf_hash)",  # a gap
        "seq + 1, previous, sha256(previous || leaf_hash)",  # a fork
        "seq + 1, leaf_hash, sha256(leaf_hash || leaf_hash)",  # no link before
        "seq + 1, link, sha256(leaf_hash || link)",  # another link
        "seq, previous, link",
        "0, link, sha256(link || leaf_hash)",
    ],
)
def test_only_what_continues_the_chain_is_inserted(cluster: Cluster, database: str, store: PostgresqlStore, seq_previous_link: str) -> None:
    append(store)
    seq, previous, link = seq_previous_link.split(", ")
    columns = (
        "at, kind, direction, number, agreement, {place}, origin_party, origin_body, envelope_id, dispatch_digest, note, statement, record, blind"
    )
    names, values = columns.format(place="place"), columns.format(place="place + 1")
    insert = (
        f"INSERT INTO valiza.entry (seq, previous, link, leaf_hash, {names}) SELECT {{}}, {{}}, {{}}, leaf_hash, {values} FROM valiza.entry LIMIT 1"  # noqa: S608
    )
    with session(cluster, database) as owner:
        with pytest.raises(psycopg.IntegrityError):
            owner.execute(insert.format(seq, previous, link))
        assert len(require_whole(store)) == 1
        owner.execute(insert.format("seq + 1", "link", "sha256(link || leaf_hash)"))
    assert store.count(ALL) == 2


def test_an_empty_register_begins_with_the_first_entry(cluster: Cluster, database: str, store: PostgresqlStore) -> None:
    assert store.count(ALL) == 0
    insert = (
        "INSERT INTO valiza.entry VALUES (%s, 1, 'opened', 'in', '', sha256(''), 0, '', '', '', '', '', '', '', "
        "substr(sha256(''), 1, 16), sha256(''), %s, sha256(%s || sha256('')))"
    )
    with session(cluster, database) as owner:
        for seq, previous in ((1, b"p" * 32), (2, bytes(32))):
            with pytest.raises(postgres.IntegrityConstraintViolation, match="does not continue"):
                owner.execute(insert, [seq, previous, previous])
        owner.execute(insert, [1, bytes(32), bytes(32)])


# -- roles ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def users(cluster: Cluster, database: str) -> Iterator[dict[str, str]]:
    """Two who log in, one with each role; by role."""
    script = cluster.folder / f"{database}.sql"
    script.write_text(roles(database), encoding="utf-8")
    cluster.run("psql", "-X", "-q", "-h", str(cluster.folder), "-U", OWNER, "-d", database, "-f", str(script))
    cluster.run("psql", "-X", "-q", "-h", str(cluster.folder), "-U", OWNER, "-d", database, "-f", str(script))  # as often as wanted
    found = {role: f"{role}_of_{database}" for role in ("valiza_gateway", "valiza_office")}
    for role, user in found.items():
        cluster.sql(f"CREATE ROLE {user} LOGIN IN ROLE {role}")
    yield found
    for user in found.values():
        cluster.sql(f"DROP ROLE {user}")


FORBIDDEN: Final = (
    *(change for table in TABLES for change in changes(table)[:-1]),
    *(f"ALTER TABLE valiza.{table} DISABLE TRIGGER ALL" for table in TABLES),
    *(f"ALTER TABLE valiza.{table} DISABLE TRIGGER {table}_only_grows" for table in TABLES),
    *(f"DROP TRIGGER {table}_only_grows ON valiza.{table}" for table in TABLES),
    *(f"DROP TABLE valiza.{table}" for table in (*TABLES, "unnamed", "version")),
    *(f"ALTER TABLE valiza.{table} OWNER TO CURRENT_USER" for table in TABLES),
    "ALTER TABLE valiza.entry ADD COLUMN more text",
    "ALTER TABLE valiza.entry RENAME TO other",
    "ALTER TABLE valiza.entry DROP CONSTRAINT entry_previous_key",
    "DROP INDEX valiza.entry_once",
    "DROP FUNCTION valiza.refuse() CASCADE",
    "CREATE OR REPLACE FUNCTION valiza.refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    "CREATE RULE other AS ON INSERT TO valiza.entry DO INSTEAD NOTHING",
    "CREATE TRIGGER other BEFORE INSERT ON valiza.entry FOR EACH ROW EXECUTE FUNCTION valiza.refuse()",
    "DROP SCHEMA valiza CASCADE",
    "CREATE TABLE valiza.other (a int)",
    "CREATE TABLE public.other (a int)",
    "CREATE SCHEMA other",
    "UPDATE valiza.version SET version_num = '9999'",
    "INSERT INTO valiza.version VALUES ('9999')",
    "DELETE FROM valiza.version",
    "UPDATE valiza.unnamed SET path = ''",
    "TRUNCATE valiza.unnamed",
    "SET session_replication_role = replica",
    f"SET ROLE {OWNER}",
    "ALTER SYSTEM SET fsync = off",
    "COPY valiza.entry TO PROGRAM 'cat'",
    "SELECT lo_create(0), pg_read_file('/etc/passwd')",
)


@pytest.mark.parametrize("role", ["valiza_gateway", "valiza_office"])
def test_who_appends_can_do_nothing_else(cluster: Cluster, database: str, store: PostgresqlStore, users: dict[str, str], role: str) -> None:
    fill(store)
    before = require_whole(store)
    with session(cluster, database, users[role]) as user:
        for statement in FORBIDDEN:
            with pytest.raises(postgres.InsufficientPrivilege):
                user.execute(statement)
        if role == "valiza_gateway":
            for statement in ("DELETE FROM valiza.unnamed", "INSERT INTO valiza.unnamed VALUES ('', '', '')"):
                with pytest.raises(postgres.InsufficientPrivilege):
                    user.execute(statement)
    with closing(connect(cluster.url(database, users[role]))) as theirs:
        append(theirs)
        theirs.add_head(Head(kind="own", body=Body("KZ", "KZ-MFA"), agreement=AGREEMENT, size=3, at=1000, note=b"note"))
        assert [*before, replace(ENTRY, seq=3, place=2)] == require_whole(theirs)
        if role == "valiza_office":
            theirs.forget_files([b"d" * 32])
        else:
            with pytest.raises(Unavailable, match="permission denied") as caught:
                theirs.forget_files([b"d" * 32])
            assert "valiza register roles" in caught.value.hint
        assert theirs.expected_files("here") == ([] if role == "valiza_office" else [(b"d" * 32, b"/path")])


def test_who_has_no_role_has_no_register(cluster: Cluster, database: str, users: dict[str, str]) -> None:
    cluster.sql(f"CREATE ROLE stranger_of_{database} LOGIN")
    with pytest.raises(Unavailable, match="permission denied for database"):
        connect(cluster.url(database, f"stranger_of_{database}"))
    cluster.sql(f"GRANT CONNECT ON DATABASE {database} TO stranger_of_{database}")
    with pytest.raises(Unavailable, match="permission denied for schema valiza") as caught:
        connect(cluster.url(database, f"stranger_of_{database}"))
    assert "valiza register roles" in caught.value.hint
    cluster.sql(f"REVOKE ALL ON DATABASE {database} FROM stranger_of_{database}; DROP ROLE stranger_of_{database}")


def test_a_script_is_for_one_database(cluster: Cluster, database: str) -> None:
    script = cluster.folder / "other.sql"
    script.write_text(roles("other"), encoding="utf-8")
    with pytest.raises(AssertionError, match="this script is for another database"):
        cluster.run("psql", "-X", "-q", "-h", str(cluster.folder), "-U", OWNER, "-d", database, "-f", str(script))


def test_names_stand_in_the_script_as_names(cluster: Cluster, template: str) -> None:
    name, gateway, office = 'A "register"; it\'s', "The \"gateway\" of 'us'", "--office"
    cluster.sql(f"CREATE DATABASE {quoted(name)} TEMPLATE {template}")
    script = cluster.folder / "names.sql"
    script.write_text(roles(name, gateway=gateway, office=office), encoding="utf-8")
    cluster.run("psql", "-X", "-q", "-h", str(cluster.folder), "-U", OWNER, "-d", name, "-f", str(script))
    asked = "SELECT DISTINCT grantee, table_name, privilege_type FROM information_schema.role_table_grants WHERE table_schema = 'valiza'"
    grants = [(who, table, what) for who, table, what in cluster.sql(asked, name) if who != OWNER]
    everything = {(table, what) for table in TABLES for what in ("SELECT", "INSERT")} | {("version", "SELECT"), ("unnamed", "SELECT")}
    assert {(table, what) for who, table, what in grants if who == gateway} == everything
    assert {(table, what) for who, table, what in grants if who == office} == everything | {("unnamed", "INSERT"), ("unnamed", "DELETE")}
    assert {who for who, _, _ in grants} == {gateway, office}
    cluster.drop_database(name.replace('"', '""'))
    cluster.sql(f"DROP ROLE {quoted(gateway)}, {quoted(office)}")


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@pytest.mark.parametrize("name", ["", "a\nb", "a\0", "a$roles$", "ж" * 32])
def test_what_can_be_no_name_is_refused(name: str) -> None:
    for names in ({"database": name}, {"database": "a", "gateway": name}, {"database": "a", "office": name}):
        with pytest.raises(Usage):
            roles(**names)
    with pytest.raises(Usage):
        roles("a", gateway="b", office="b")


# -- versions -------------------------------------------------------------------------------------------------------------


def test_the_tables_are_those_that_the_program_knows(cluster: Cluster, database: str, address: str) -> None:
    assert migrate(address) == []
    engine = sa.create_engine("postgresql+psycopg://", connect_args=parse_address(address).parameters())
    with engine.connect() as connection:
        options: dict[str, Any] = {"include_schemas": True, "version_table": schema.VERSION_TABLE, "version_table_schema": schema.SCHEMA}
        options["include_name"] = lambda name, kind, _: kind != "schema" or name == schema.SCHEMA
        assert compare_metadata(MigrationContext.configure(connection, opts=options), schema.metadata) == []
    engine.dispose()
    listed = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'valiza' AND tablename <> 'version' ORDER BY indexname"
    checked = (
        "SELECT conrelid::regclass, conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'valiza'::regnamespace "
        "AND conrelid <> 'valiza.version'::regclass ORDER BY conrelid::regclass::text, conname"
    )
    other = cluster.make_database()
    cluster.sql("CREATE SCHEMA valiza; CREATE TABLE valiza.version ()", other)
    made = sa.create_engine("postgresql+psycopg://", connect_args=parse_address(cluster.url(other)).parameters())
    schema.metadata.create_all(made)
    made.dispose()
    assert cluster.sql(listed, other) == cluster.sql(listed, database)
    assert cluster.sql(checked, other) == cluster.sql(checked, database)
    cluster.drop_database(other)


def test_a_database_without_a_register_is_told_with_what_to_do(cluster: Cluster) -> None:
    name = cluster.make_database()
    with pytest.raises(Unavailable, match="no register in the database") as caught:
        connect(cluster.url(name))
    assert f"valiza register migrate {cluster.url(name)}" in caught.value.hint
    assert migrate(cluster.url(name)) == list(schema.REVISIONS)
    connect(cluster.url(name)).close()
    cluster.drop_database(name)


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ("UPDATE valiza.version SET version_num = '9999'", ("is of version 9999", "a later one")),
        ("DELETE FROM valiza.version", ("is of version none", "valiza register migrate postgresql://")),
        ("INSERT INTO valiza.version VALUES ('9999')", ("is of version 0001, 9999", "a later one")),
    ],
)
def test_a_register_of_another_version_is_left_alone(cluster: Cluster, database: str, address: str, found: str, told: tuple[str, str]) -> None:
    cluster.sql(found, database)
    with pytest.raises(Unavailable, match=told[0]) as caught:
        connect(address)
    assert told[1] in caught.value.hint


def test_an_older_register_is_told_with_what_to_do(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "REVISION", "0002")
    monkeypatch.setattr(schema, "REVISIONS", ("0001", "0002"))
    with pytest.raises(Unavailable, match="is of version 0001, and this program knows 0002") as caught:
        connect(address)
    assert f"valiza register migrate {address}" in caught.value.hint


def test_a_later_register_is_not_migrated(cluster: Cluster, database: str, address: str) -> None:
    cluster.sql("UPDATE valiza.version SET version_num = '9999'", database)
    with pytest.raises(Unavailable, match="cannot migrate"):
        migrate(address)
    assert cluster.sql("SELECT * FROM valiza.version", database) == [["9999"]]


def test_a_migration_happens_once_or_not_at_all(cluster: Cluster) -> None:
    name = cluster.make_database()
    cluster.sql("CREATE SCHEMA valiza; CREATE TABLE valiza.unnamed ()", name)
    with pytest.raises(Unavailable, match="already exists"):
        migrate(cluster.url(name))
    assert cluster.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'valiza'", name) == [["unnamed"]]
    cluster.sql("DROP TABLE valiza.unnamed", name)
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(migrate, [cluster.url(name)] * 4))
    assert sorted(done) == [[], [], [], list(schema.REVISIONS)]
    cluster.drop_database(name)


# -- transactions ---------------------------------------------------------------------------------------------------------


@contextmanager
def waiting_behind(  # noqa: PLR0917 - two stores, and how they are used
    one: PostgresqlStore, other: PostgresqlStore, cluster: Cluster, database: str, agreement: bytes | None, level: str = "READ COMMITTED"
) -> Iterator[list[Exception]]:
    """In the block `one` has the lock, and `other` waits for it to append; behind the block it has appended, or what went wrong is in the list.

    With an agreement the end of the register is read in the round trip that waits for the lock.
    """
    wrong: list[Exception] = []

    def behind() -> None:
        try:
            with other.transaction(agreement):
                append(other, kind="conflict")
        except Exception as error:  # noqa: BLE001 - looked at by the test
            wrong.append(error)

    thread = threading.Thread(target=behind)
    with one.transaction(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(sql, "BEGIN", (f"BEGIN ISOLATION LEVEL {level}".encode(), {}))
        thread.start()
        while cluster.sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted", database) != [["1"]]:
            time.sleep(0.01)
        yield wrong
    thread.join()


@pytest.mark.parametrize("agreement", [None, AGREEMENT])
def test_who_waited_sees_what_was_entered_meanwhile(
    cluster: Cluster, database: str, address: str, store: PostgresqlStore, agreement: bytes | None
) -> None:
    with closing(connect(address)) as other:
        with waiting_behind(store, other, cluster, database, agreement) as wrong:
            store.append(ENTRY)
        assert wrong == []
    assert [entry.kind for entry in require_whole(store)] == ["opened", "conflict"]


@pytest.mark.parametrize("agreement", [None, AGREEMENT])
@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_a_stricter_level_would_see_an_old_end(  # noqa: PLR0917 - fixtures and cases
    cluster: Cluster, database: str, address: str, store: PostgresqlStore, level: str, agreement: bytes | None
) -> None:
    """And then the database refuses what would be a fork. So the test before this one would fail if the level were another."""
    append(store)
    with closing(connect(address)) as other:
        with waiting_behind(store, other, cluster, database, agreement, level) as wrong:
            store.append(ENTRY)
        assert [type(error) for error in wrong] in ([Refused], [Unavailable])
    assert [entry.kind for entry in require_whole(store)] == ["opened", "opened"]


def test_the_level_is_ours_whatever_the_database_is_told(cluster: Cluster, database: str, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster.sql(f"ALTER DATABASE {database} SET default_transaction_isolation = 'serializable'")
    cluster.sql(f"ALTER DATABASE {database} SET synchronous_commit = off")
    monkeypatch.setenv("PGOPTIONS", "-c default_transaction_isolation=serializable -c synchronous_commit=off")
    asked = b"SELECT current_setting('transaction_isolation'), current_setting('synchronous_commit')"
    with closing(connect(address)) as store, store.transaction():
        assert store._read((asked, {})) == [("read committed", "on")]


def test_a_server_that_does_not_wait_for_its_disk_is_refused(cluster: Cluster, address: str) -> None:
    cluster.sql("ALTER SYSTEM SET fsync = off")
    cluster.sql("SELECT pg_reload_conf()")
    try:
        until_it_says(cluster, "off")
        with pytest.raises(Unavailable, match="fsync = off"):
            connect(address)
    finally:
        cluster.sql("ALTER SYSTEM RESET fsync")
        cluster.sql("SELECT pg_reload_conf()")
        until_it_says(cluster, "on")


def until_it_says(cluster: Cluster, fsync: str) -> None:
    """A reload takes a moment."""
    while cluster.sql("SHOW fsync") != [[fsync]]:
        time.sleep(0.01)


def test_one_connection_is_enough(cluster: Cluster, database: str, store: PostgresqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("valiza.register.postgresql.PAGE", 2)
    asked = f"SELECT count(*) FROM pg_stat_activity WHERE application_name = 'valiza' AND datname = '{database}'"  # noqa: S608 - constants
    for _ in range(5):
        append(store)
    reading = store.facts(ALL)
    next(reading)
    with store.transaction():
        store.append(ENTRY)
        assert len(store.find(ALL)) == 6
        assert cluster.sql(asked) == [["1"]]
    append(store)
    assert [fact.seq for fact in reading] == [2, 3, 4, 5], "what is appended while somebody reads is none of it"
    store.close()
    assert cluster.sql(asked) == [["0"]]


def test_who_holds_the_register_too_long_is_told(address: str, store: PostgresqlStore) -> None:
    with closing(connect(address)) as other, store.transaction():
        other._read((b"SELECT set_config('lock_timeout', '20ms', false)", {}))
        with pytest.raises(Unavailable, match="held by another program"):
            append(other)


def test_other_locks_stop_nobody(cluster: Cluster, database: str, store: PostgresqlStore) -> None:
    with session(cluster, database) as other:
        other.execute("SELECT pg_advisory_lock(%s), pg_advisory_lock(%s, %s)", [1, 0x56414C49, 2])
        append(store)


def test_a_transaction_that_failed_is_not_taken_for_one_that_was_kept(store: PostgresqlStore) -> None:
    """The server answers COMMIT of it with ROLLBACK, and no error."""

    def fail_and_go_on() -> None:
        with store.transaction():
            store.append(ENTRY)
            with pytest.raises(Unavailable, match="division by zero"):
                store._read((b"SELECT 1 / 0", {}))
            with pytest.raises(Unavailable):
                store.find(ALL)

    with pytest.raises(Unavailable, match="took back"):
        fail_and_go_on()
    assert store.count(ALL) == 0
    append(store)
    assert len(require_whole(store)) == 1


def test_what_the_database_cannot_keep_is_told_without_what_it_is(store: PostgresqlStore) -> None:
    secret = "the secret ground"
    for changed in ({"note": f"{secret}\0"}, {"direction": secret}):
        with pytest.raises((Unavailable, Refused)) as caught:
            append(store, **changed)
        assert secret not in caught.value.message + caught.value.hint
    assert store.count(ALL) == 0


def test_what_is_refused_at_the_end_takes_back_all_of_the_transaction(store: PostgresqlStore) -> None:
    """Who says of an entry that it is new, and it is not."""
    append(store, kind="sealed")

    def repeat() -> None:
        with store.transaction():
            store.append(ENTRY)
            store.append(replace(ENTRY, kind="sealed"), new=True)
            store.append(ENTRY)

    with pytest.raises(Refused, match="refuses the entry"):
        repeat()
    assert len(require_whole(store)) == 1
    append(store)
    assert len(require_whole(store)) == 2


def test_a_long_transaction_keeps_few_of_its_entries_in_memory(store: PostgresqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("valiza.register.postgresql._MOST_WAITING", 10_000)
    with store.transaction():
        for _ in range(50):
            store.append(ENTRY)
            assert len(store._entries) < 10
    assert len(require_whole(store)) == 50


def test_an_end_that_is_not_confirmed_is_none(store: PostgresqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sql, "COMMIT", sql.ROLLBACK)
        with pytest.raises(Unavailable, match="took back"):
            append(store)
    assert store.count(ALL) == 0
    append(store)
    assert len(require_whole(store)) == 1


@pytest.mark.parametrize("when", ["with the entries", "at the end", "behind it"])
def test_a_connection_that_is_lost_at_the_end_is_told_as_it_was(store: PostgresqlStore, monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    lose = b"SELECT pg_catalog.pg_terminate_backend(pg_catalog.pg_backend_pid())"
    append(store)

    def send(connection: psycopg.Connection) -> None:
        sent(connection)
        if when == "with the entries":
            connection.execute(lose)
            connection.execute("SELECT 1").fetchone()  # so that it is noticed here

    def execute(connection: psycopg.Connection, statement: sql.Sql, /, **values: Any) -> psycopg.Cursor:
        if statement is not sql.COMMIT or when == "with the entries":
            return executed(connection, statement, **values)
        if when == "at the end":
            connection.execute(lose)
        done = executed(connection, statement, **values)
        if when == "behind it":
            connection.execute(lose)
        return done

    sent, executed = store._send, postgresql._execute
    with monkeypatch.context() as patch:
        patch.setattr(store, "_send", send)
        patch.setattr(postgresql, "_execute", execute)
        if when == "behind it":
            append(store)
        else:
            told = {"with the entries": "took back", "at the end": "is there, or it is not"}[when]
            with pytest.raises(Unavailable, match=told):
                append(store)
    assert len(require_whole(store)) == (2 if when == "behind it" else 1)
    append(store)


def round_trips(store: PostgresqlStore, trace: Path, work: Callable[[], object]) -> int:
    """How often the server says, during some work, that it has answered all that it was asked."""
    store.count(ALL)
    connection = store._session._connection
    assert connection is not None
    with trace.open("wb") as file:
        connection.pgconn.trace(file.fileno())
        connection.pgconn.set_trace_flags(Trace.SUPPRESS_TIMESTAMPS)
        work()
        connection.pgconn.untrace()
    return trace.read_bytes().count(b"ReadyForQuery")


def test_while_the_lock_is_held_the_server_is_asked_rarely(store: PostgresqlStore, path: Path) -> None:
    journal = RegisterJournal(store, Body("KZ", "KZ-MFA"), clock)
    names = [EnvelopeName(origin=journal.own, envelope_id=bytes([n]) * 32, dispatch_digest=bytes([n]) * 31, agreement=AGREEMENT) for n in range(64)]

    def enter_receipts() -> None:
        with journal.together(AGREEMENT):
            journal.recall(names)
            for name in names:
                assert journal.stored_receipt(name.dispatch_digest) is None
                journal.record_receipt(b"receipt", "delivered", name, at=1000)

    def seal() -> None:
        with journal.together(AGREEMENT):
            for name in names:
                journal.next_number("out", AGREEMENT, 1000)
                store.expect_file(name.dispatch_digest, "here", b"it")

    with journal.together():
        for name in names:
            store.append(replace(ENTRY, kind="sealed", direction="out", envelope_id=name.envelope_id, dispatch_digest=name.dispatch_digest))
    assert round_trips(store, path, lambda: journal.next_number("out", AGREEMENT, 1000)) == 2
    assert round_trips(store, path, lambda: journal.record_conflict(b"it", names[0], what="", at=1000)) == 2
    assert round_trips(store, path, enter_receipts) == 3
    assert round_trips(store, path, seal) == 3
    assert len(require_whole(store)) == 64 + 2 + 64 + 64
    assert len(store.expected_files("here")) == 64


def test_nothing_is_written_outside_a_transaction(store: PostgresqlStore) -> None:
    with pytest.raises(RuntimeError, match="transaction"):
        store.append(ENTRY)


# -- a server that dies ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_after_a_restart_reading_and_appending_go_on(cluster: Cluster, store: PostgresqlStore) -> None:
    append(store)
    for ways in (lambda: store.count(ALL), lambda: append(store), lambda: list(store.facts(ALL)), lambda: append(store)):
        cluster.restart()
        ways()
    assert len(require_whole(store)) == 3


@pytest.mark.slow
def test_what_was_begun_when_the_server_died_is_gone_as_a_whole(cluster: Cluster, store: PostgresqlStore) -> None:
    append(store)

    def die_inside(*, told: bool) -> None:
        with store.transaction():
            store.append(ENTRY)
            cluster.restart()
            if told:
                with pytest.raises(Unavailable):
                    store.find(ALL)
                with pytest.raises(Unavailable, match="took back"), store.transaction():
                    store.append(ENTRY)

    for told in (True, False):
        with pytest.raises(Unavailable) as caught:
            die_inside(told=told)
        said = ("took back",) if told else ("took back", "is there, or it is not")  # by whether it shows before COMMIT is sent, or with it
        assert any(words in caught.value.message for words in said)
        assert len(require_whole(store)) == 1
    append(store)
    assert len(require_whole(store)) == 2


@pytest.mark.slow
def test_a_server_that_is_not_there_is_told_at_once(cluster: Cluster, store: PostgresqlStore, address: str) -> None:
    append(store)
    cluster.stop()
    try:
        for fails in (lambda: store.count(ALL), lambda: append(store), lambda: connect(address)):
            with pytest.raises(Unavailable, match="cannot be used: connection"):
                fails()
    finally:
        cluster.start()
    append(store)
    assert len(require_whole(store)) == 2


@pytest.mark.slow
def test_a_server_that_dies_under_load_loses_and_doubles_nothing(cluster: Cluster, address: str, tmp_path: Path) -> None:
    command = [sys.executable, appender.__file__, address, str(tmp_path / "none")]
    processes = [subprocess.Popen([*command, f"p{n}", "150"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for n in range(4)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    with ThreadPoolExecutor(len(processes)) as pool:
        ending = [pool.submit(process.communicate, timeout=300) for process in processes]
        for _ in range(4):
            time.sleep(0.2)
            cluster.restart()
        told = [line for each in ending for line in each.result()[0].splitlines()]
    assert [process.returncode for process in processes] == [0] * len(processes)
    assert [line for line in told if line.startswith("!")], "the server died while somebody needed it"
    with closing(connect(address)) as store:
        numbers = [entry.number for entry in require_whole(store)]
    assert sorted(numbers) == sorted(line for line in told if not line.startswith("!"))
    assert sorted(numbers) == sorted(f"p{n}/{index}" for n in range(len(processes)) for index in range(150))


# -- passwords ------------------------------------------------------------------------------------------------------------


def test_a_password_comes_from_a_file_and_is_in_no_message(cluster: Cluster, database: str, tmp_path: Path) -> None:
    cluster.sql(f"CREATE ROLE keeper_of_{database} LOGIN SUPERUSER PASSWORD 'Sesam'")
    rules = cluster.folder / "data" / "pg_hba.conf"
    before = rules.read_bytes()
    rules.write_bytes(f"local {database} keeper_of_{database} scram-sha-256\n".encode() + before)
    cluster.sql("SELECT pg_reload_conf()")
    try:
        passwords = tmp_path / "pgpass"
        address = f"{cluster.url(database, f'keeper_of_{database}')}&passfile={passwords}"
        for password, works in (("Wrong-Sesam", False), ("Sesam", True)):
            passwords.write_text(f"*:*:*:*:{password}\n", encoding="ascii")
            passwords.chmod(0o600)
            if works:
                connect(address).close()
            else:
                with pytest.raises(Unavailable, match="password authentication failed") as caught:
                    connect(address)
                assert "Sesam" not in caught.value.message + caught.value.hint + repr(caught.value.__cause__)
    finally:
        rules.write_bytes(before)
        cluster.sql("SELECT pg_reload_conf()")
        cluster.sql(f"DROP ROLE keeper_of_{database}")


# -- a server on another machine ------------------------------------------------------------------------------------------


def certificate() -> tuple[bytes, bytes]:
    """A certificate for localhost, signed by itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - timedelta(days=1), now + timedelta(days=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    signed = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return signed, key.private_bytes(serialization.Encoding.PEM, *form)


@pytest.mark.slow
def test_a_server_elsewhere_proves_who_it_is(tmp_path: Path) -> None:
    """127.0.0.2 stands for another machine: nobody says that it is this one."""
    (ours, key), (other, _) = certificate(), certificate()
    for name, content in (("ours", ours), ("other", other)):
        (tmp_path / f"{name}.crt").write_bytes(content)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    listening = ("listen_addresses=127.0.0.1,127.0.0.2", f"port={port}")

    def said(host: str, *options: str) -> str:
        with pytest.raises(Unavailable) as caught:
            connect(f"postgresql://{OWNER}@{host}:{port}/postgres?{'&'.join(options)}".rstrip("?"))
        return caught.value.message

    with running() as server:
        server.keep("server.crt", ours)
        server.keep("server.key", key)
        server.stop()
        server.start(*listening, "ssl=on")
        trusted, distrusted = (f"sslrootcert={tmp_path / name}.crt" for name in ("ours", "other"))
        for mode in ("verify-full", "verify-ca"):
            assert "there is no register" in said("localhost", f"sslmode={mode}", trusted)
            assert "certificate verify failed" in said("localhost", f"sslmode={mode}", distrusted)
        assert "does not match host name" in said("127.0.0.2", trusted)
        assert "certificate verify failed" in said("127.0.0.2", distrusted)
        server.stop()
        server.start(*listening)
        assert "server does not support SSL" in said("127.0.0.2", trusted)
        assert "there is no register" in said("127.0.0.1")


# -- packages that are not there ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", ["sqlalchemy", "psycopg", "alembic"])
def test_without_the_packages_it_says_how_to_get_them(address: str, missing: str) -> None:
    program = f"""
import sys
from pathlib import Path
sys.modules[{missing!r}] = None
from valiza.keys.errors import Unavailable
from valiza.register.connecting import migrate, open_store
for way in (lambda: open_store(sys.argv[1], Path("none"), lambda: 0).close(), lambda: migrate(sys.argv[1])):
    try:
        way()
        print("works")
    except Unavailable as error:
        print(error.hint)
"""
    done = subprocess.run([sys.executable, "-c", program, address], capture_output=True, text=True, check=True, timeout=60)
    hint = "install them: pip install 'valiza[postgresql]'"
    assert done.stdout.splitlines() == ["works" if missing == "alembic" else hint, hint]


def test_a_file_needs_none_of_them(path: Path) -> None:
    program = """
import sys
from pathlib import Path
for name in ("sqlalchemy", "psycopg", "alembic"):
    sys.modules[name] = None
from valiza.register.connecting import open_store
open_store(None, Path(sys.argv[1]), lambda: 0).close()
"""
    subprocess.run([sys.executable, "-c", program, str(path)], check=True, timeout=60)
    assert path.exists()
