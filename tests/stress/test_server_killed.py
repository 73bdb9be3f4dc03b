"""A PostgreSQL server that dies under clerks who share a register in it, and one whose disk is full. soak/server.py does the first more often."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.support.cli import assert_failed
from tests.support.disks import mounted
from tests.support.killed_register import kill_many
from tests.support.killed_server import keep_in, kill_server, moved_into, receipts_of
from tests.support.postgresql import running

from valiza.register.connecting import migrate

if TYPE_CHECKING:
    from tests.support.cli import World
    from tests.support.postgresql import Cluster

pytestmark = pytest.mark.slow


def test_what_a_server_acknowledged_that_died_is_there_once(founded: World, cluster: Cluster, address: str, tmp_path: Path) -> None:
    world = founded.copy(tmp_path / "world")
    receipts = receipts_of(world, 6)
    moved_into(world, address)
    done = kill_server(cluster, world, address, receipts, deaths=2, chance=random.Random(5))  # noqa: S311 - when it dies
    assert done.server_deaths == 2
    assert done.ended["seal", 0] > 0
    assert done.ended["receipt", 0] > 0


def test_clients_that_are_killed(founded: World, address: str, tmp_path: Path) -> None:
    """As test_register_killed.py, where the origin's register is in a database."""
    tally = kill_many(founded, tmp_path, 10, random.Random(5), begin=lambda world: keep_in(world.kz, address))  # noqa: S311 - as above
    assert sum(tally.killed.values()) == 10


def test_a_server_whose_disk_is_full(founded: World, tmp_path: Path) -> None:
    """Nothing is half entered, and when there is room all goes on, if need be after the server was started again."""
    world = founded.copy(tmp_path / "world")
    with tempfile.TemporaryDirectory() as short, mounted(Path(short, "disk"), "160m") as disk:
        Path(short).chmod(0o755)  # the server's user has to get there
        with running(disk) as cluster:
            address = cluster.url(cluster.make_database())
            migrate(address)
            moved_into(world, address)
            world.seal(name="before.vlz")
            with pytest.raises(OSError, match="No space left"):
                (disk / "ballast").write_bytes(bytes(160 << 20))
            sealed = 1
            while (done := world.kz.run(*world.order(), "-o", world.path(f"{sealed}.vlz"))).code == 0:
                sealed += 1
                assert sealed < 500, "the disk is never full"
            assert_failed(done, 7)
            assert not world.path(f"{sealed}.vlz").exists()
            (disk / "ballast").unlink()
            cluster.restart()
            world.seal(name="after.vlz")
            listed = world.kz.works("register", "list", "--json").facts["envelopes"]
            assert [envelope["verdict"] for envelope in listed].count("outstanding") == sealed + 1
            assert {envelope["verdict"] for envelope in listed} <= {"outstanding", "withdrawn"}
            assert world.kz.works("register", "verify", "--json").facts["holds"]
