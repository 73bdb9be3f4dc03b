"""`kill -9` at fifty random moments in the work of two offices, and what their registers hold then. soak/register.py does it a thousand times."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from tests.support.killed_register import kill_many

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.cli import World

pytestmark = pytest.mark.slow


def test_nothing_acknowledged_is_lost_and_nothing_is_doubled(founded: World, tmp_path: Path) -> None:
    tally = kill_many(founded, tmp_path, 50, random.Random(5), each=50)  # noqa: S311 - the same commands every time
    assert sum(tally.killed.values()) == 50
    assert len(tally.killed) > 7, "kinds of commands"
