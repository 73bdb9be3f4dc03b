"""A PostgreSQL server that dies under clerks who share a register in it. soak/server.py does the same more often."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from tests.support.killed_server import kill_server, moved_into, receipts_of

if TYPE_CHECKING:
    from pathlib import Path

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
