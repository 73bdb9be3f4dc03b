"""Offices whose register is in a PostgreSQL database: the same work, by several of them at once; and what its administrator types."""

from __future__ import annotations

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.support.cli import ORDER, VALIZA, Office, Outcome, World, assert_failed, fails, program, works
from tests.support.postgresql import OWNER
from tests.support.registers import clock, require_whole

from valiza.keys.errors import Unavailable
from valiza.office.confinement import require_means
from valiza.register.connecting import open_store

if TYPE_CHECKING:
    from tests.support.postgresql import Cluster

HEAVY: Final = {"sqlalchemy", "psycopg", "alembic"}


def keep_in(office: Office, address: str) -> None:
    """From now on the register of an office is in a database, and the file is gone."""
    path = office.home / "office.toml"
    path.write_text(f'register = "{address}"\n{path.read_text(encoding="utf-8")}', encoding="utf-8")
    for file in office.home.glob("register.db*"):
        file.unlink()


@pytest.fixture
def shared(world: World, address: str) -> World:
    """Both offices, that of the origin with its register in a database."""
    keep_in(world.kz, address)
    return world


def whole(address: str) -> list[str]:
    """Kinds of all entries, in order."""
    with closing(open_store(address, Path("none"), clock)) as store:
        return [entry.kind for entry in require_whole(store)]


def standing(office: Office) -> list[tuple[str, str]]:
    return [(row["number"].rpartition("/")[2], row["verdict"]) for row in office.works("register", "list", "--json").facts["envelopes"]]


# -- the same work --------------------------------------------------------------------------------------------------------


def test_an_exchange_with_a_register_in_a_database(shared: World, address: str) -> None:
    envelope, _, receipt = shared.exchange()
    assert standing(shared.kz) == [("1", "outstanding")]
    assert shared.kz.works("receipt", "verify", receipt, "--json").facts["verdict"] == "delivered"
    assert standing(shared.kz) == [("1", "delivered")]
    shared.kz.works("register", "show", envelope)
    assert shared.kz.works("register", "verify", "--json").facts["holds"]
    assert whole(address)[:2] == ["numbered", "sealed"]
    assert not list(shared.kz.home.glob("register.db*"))


def test_a_gateway_enters_what_comes_and_only_the_office_signs_for_the_register(world: World, cluster: Cluster, tmp_path: Path) -> None:
    """Keys kept apart: a gateway is a copy of the office's folder without any key, and has a role that only appends."""
    name = cluster.make_database()
    works("register", "migrate", cluster.url(name))
    script = cluster.folder / "roles.sql"
    script.write_text(works("register", "roles", cluster.url(name)).out, encoding="utf-8")
    cluster.run("psql", "-X", "-q", "-h", str(cluster.folder), "-U", OWNER, "-d", name, "-f", str(script))
    cluster.sql(f"CREATE ROLE office_in_{name} LOGIN IN ROLE valiza_office; CREATE ROLE gateway_in_{name} LOGIN IN ROLE valiza_gateway")
    gateway = Office(home=tmp_path / "gateway", party="KZ", roster=world.kz.roster)
    shutil.copytree(world.kz.home, gateway.home, ignore=shutil.ignore_patterns("keys", "register.db*"))
    (gateway.home / "keys").mkdir(mode=0o700)
    keep_in(world.kz, cluster.url(name, f"office_in_{name}"))
    keep_in(gateway, cluster.url(name, f"gateway_in_{name}"))
    world.seal(name="first.vlz")
    world.kz.works("register", "checkpoint")
    _, _, receipt = world.exchange()
    assert gateway.works("receipt", "verify", receipt, "--json").facts["verdict"] == "delivered"
    assert standing(world.kz) == [("1", "outstanding"), ("2", "delivered")]
    assert gateway.run("register", "checkpoint").code == 5, "no key of the register is there"
    assert gateway.works("register", "verify", "--json").facts["holds"]
    world.kz.works("register", "checkpoint")
    (log,) = gateway.works("register", "verify", "--json").facts["logs"]
    assert log["covered"]["own"] == log["entries"] == 5
    taken = world.by.works("register", "heads", "--json").facts["heads"]
    assert [head["kind"] for head in taken] == ["seen"], "what the office signed travels with what any host seals"
    cluster.drop_database(name)
    cluster.sql(f"DROP ROLE office_in_{name}, gateway_in_{name}")


def test_the_destination_too(world: World, address: str) -> None:
    keep_in(world.by, address)
    world.exchange()
    assert standing(world.by) == [("1", "countersigned")]
    assert world.by.works("register", "verify", "--json").facts["holds"]


def test_a_sandbox_leaves_the_connection_open(world: World, address: str) -> None:
    """What is confined makes no new connection; the one that is open is enough."""
    try:
        require_means()
    except Unavailable as error:
        pytest.skip(error.message)
    keep_in(world.by, address)
    done = program("open", world.seal(), "-o", world.path("opened"), "--as", "yanka", "--require-sandbox", "--home", world.by.home)
    assert done.code == 0, done.err
    assert standing(world.by) == [("1", "opened")]


def test_the_environment_wins(world: World, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (world.kz.home / "register.db").read_bytes()
    monkeypatch.setenv("VALIZA_REGISTER", address)
    world.seal()
    assert standing(world.kz) == [("1", "outstanding")]
    assert (world.kz.home / "register.db").read_bytes() == before
    monkeypatch.setenv("VALIZA_REGISTER", "")
    assert standing(world.kz) == []


def test_a_database_keeps_the_register_of_one_body(shared: World, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shared.seal()
    monkeypatch.setenv("VALIZA_REGISTER", address)
    assert "is that of KZ" in shared.by.fails(6, "register", "list").error


def test_two_hosts_of_a_body_seal_at_once(shared: World, address: str, tmp_path: Path) -> None:
    """Each has a folder of its own, and they give out one series of numbers."""
    second = tmp_path / "second"
    shutil.copytree(shared.kz.home, second)

    def seal(number: int) -> Outcome:
        home = shared.kz.home if number % 2 else second
        return program("seal", shared.carrier, *ORDER, "-o", tmp_path / f"{number}.vlz", "--home", home)

    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(seal, range(6)))
    assert [(one.code, one.err) for one in done if one.code] == []
    assert sorted(number for number, _ in standing(shared.kz)) == ["1", "2", "3", "4", "5", "6"]
    assert sorted(whole(address)) == sorted(["numbered", "sealed"] * 6)
    assert all((tmp_path / f"{number}.vlz").exists() for number in range(6)), "nobody took another's envelope for left over"


@pytest.mark.slow
def test_a_server_that_is_not_there(shared: World, cluster: Cluster, address: str) -> None:
    envelope = shared.seal()
    cluster.stop()
    try:
        for words in (["register", "list"], ["register", "verify"], ["withdraw", envelope, "--reason=none"]):
            done = shared.kz.fails(7, *words)
            assert "cannot be used: connection" in done.error
        done = shared.kz.run(*shared.order(), "-o", shared.path("second.vlz"))
        assert_failed(done, 7)
        assert not shared.path("second.vlz").exists()
    finally:
        cluster.start()
    shared.seal(name="second.vlz")
    assert standing(shared.kz)[0][1] == "outstanding"
    assert shared.kz.works("register", "verify", "--json").facts["holds"]


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ('register = "postgresql://kz:Sesam@db/register"', 2, "password"),
        ('register = "register.db"', 2, "postgresql://"),
        ("register = 5", 3, "register is not the address"),
    ],
)
def test_an_address_that_is_none(world: World, line: str, code: int, said: str) -> None:
    path = world.kz.home / "office.toml"
    path.write_text(f"{line}\n{path.read_text(encoding='utf-8')}", encoding="utf-8")
    done = world.kz.fails(code, "register", "list")
    assert said in done.error
    assert "Sesam" not in done.err


def test_a_register_in_a_file_needs_no_package_of_databases(world: World) -> None:
    command: list[str | Path] = [sys.executable, "-X", "importtime", VALIZA, "register", "list", "--home", world.kz.home]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    imported = {line.rsplit("|", 1)[1].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "valiza.register.sqlite" in imported
    assert sorted(name for name in imported if name.partition(".")[0] in HEAVY) == []


def test_a_register_in_a_database_needs_no_alembic(shared: World) -> None:
    command: list[str | Path] = [sys.executable, "-X", "importtime", VALIZA, "register", "list", "--home", shared.kz.home]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    imported = {line.rsplit("|", 1)[1].strip().partition(".")[0] for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert imported & HEAVY == {"sqlalchemy", "psycopg"}


# -- the doctor -----------------------------------------------------------------------------------------------------------


def examined(office: Office) -> dict[str, list[dict[str, Any]]]:
    """What the doctor says of the register, by level."""
    rows = [row for row in office.run("doctor", "--json").facts["findings"] if row["check"] == "register"]
    return {level: [row for row in rows if row["level"] == level] for level in ("ok", "note", "problem")}


def test_the_doctor_looks_into_the_database(world: World, shared: World, address: str, cluster: Cluster) -> None:
    shared.seal()
    said = examined(shared.kz)
    assert [row["what"] for row in said["ok"]] == [f"2 entries in {address}"]
    assert said["note"] == said["problem"] == []
    (shared.kz.home / "register.db").write_bytes(b"")
    assert ["not used any more" in row["what"] for row in examined(shared.kz)["note"]] == [True]
    empty = cluster.make_database()
    path = shared.kz.home / "office.toml"
    path.write_text(path.read_text(encoding="utf-8").replace(address, cluster.url(empty)), encoding="utf-8")
    (problem,) = examined(shared.kz)["problem"]
    assert "no register in the database" in problem["what"]
    assert "valiza register migrate" in problem["mend"]
    cluster.drop_database(empty)


# -- the administrator ----------------------------------------------------------------------------------------------------


def test_an_administrator_makes_tables_and_roles(world: World, cluster: Cluster, tmp_path: Path) -> None:
    name = cluster.make_database()
    address = cluster.url(name)
    assert works("register", "migrate", address).err == f"the register {address!r} is now of version 0001\n"
    assert works("register", "migrate", address).err == f"the register {address!r} was up to date\n"
    assert works("register", "migrate", address, "--json").facts == {"register": address, "migrated_to": []}
    script = cluster.folder / "roles.sql"
    script.write_text(works("register", "roles", address).out, encoding="utf-8")
    cluster.run("psql", "-X", "-q", "-h", str(cluster.folder), "-U", OWNER, "-d", name, "-f", str(script))
    cluster.sql(f"CREATE ROLE seals_in_{name} LOGIN IN ROLE valiza_office; CREATE ROLE reads_in_{name} LOGIN IN ROLE valiza_gateway")
    keep_in(world.kz, cluster.url(name, f"seals_in_{name}"))
    envelope = world.seal()
    assert fails(7, "register", "migrate", cluster.url(name, f"seals_in_{name}")).error.endswith("permission denied for database " + name)
    path = world.kz.home / "office.toml"
    path.write_text(path.read_text(encoding="utf-8").replace("seals_in", "reads_in"), encoding="utf-8")
    assert standing(world.kz) == [("1", "outstanding")]
    done = world.kz.fails(7, *world.order(), "-o", tmp_path / "second.vlz")  # a gateway seals nothing
    assert "permission denied for table unnamed" in done.error
    assert not (tmp_path / "second.vlz").exists()
    world.kz.works("register", "show", envelope)
    cluster.drop_database(name)
    cluster.sql(f"DROP ROLE seals_in_{name}, reads_in_{name}")


def test_the_address_is_that_of_the_office(shared: World, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert shared.kz.works("register", "migrate", "--json").facts["register"] == address
    facts = shared.kz.works("register", "roles", "--gateway=mfa_gateway", "--office=mfa_office", "--json").facts
    assert (facts["gateway"], facts["office"]) == ("mfa_gateway", "mfa_office")
    assert facts["script"] == shared.kz.works("register", "roles", "--gateway=mfa_gateway", "--office=mfa_office").out
    assert facts["database"] in facts["script"]
    for command in ("migrate", "roles"):
        assert "the address of a register in a database is missing" in shared.by.fails(2, "register", command).error
        assert "the address of a register in a database is missing" in fails(2, "register", command).error
    monkeypatch.setenv("VALIZA_REGISTER", address)
    assert works("register", "roles", "--json").facts["database"] == facts["database"]


@pytest.mark.parametrize("command", ["migrate", "roles"])
def test_no_password_is_taken_or_told(command: str) -> None:
    done = fails(2, "register", command, "postgresql://owner:Sesam@db/register")
    assert "Sesam" not in done.err
