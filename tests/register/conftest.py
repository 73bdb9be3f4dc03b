"""The same register in each kind of database."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from tests.support.registers import Opening, clock

from valiza.register.connecting import open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from valiza.register.store import Store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file for a register."""
    return tmp_path / "register.db"


@pytest.fixture(params=["sqlite", "postgresql"])
def where(request: pytest.FixtureRequest) -> str | None:
    """The address of the register; None where it is a file."""
    return str(request.getfixturevalue("address")) if request.param == "postgresql" else None


@pytest.fixture
def opening(where: str | None, path: Path) -> Opening:
    """Opens the register."""

    def opened(clock: Callable[[], int] = clock) -> Store:
        return open_store(where, path, clock)

    return opened


@pytest.fixture
def store(opening: Opening) -> Iterator[Store]:
    """An empty register."""
    with closing(opening()) as found:
        yield found
