"""Two worlds and an exchange in each, made once: kz-by (open stamp) and three-four (closed stamp, padding, another body confirms)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.support.world import Exchange, World, kz_by_world, make_exchange, three_four_world

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def kz_by() -> World:
    return kz_by_world()


@pytest.fixture(scope="session")
def three_four() -> World:
    return three_four_world()


@pytest.fixture(params=["kz-by", "three-four"])
def world(request: pytest.FixtureRequest, kz_by: World, three_four: World) -> World:
    return kz_by if request.param == "kz-by" else three_four


def _exchange(world: World, factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    exchange = make_exchange(world, factory.mktemp("exchange"))
    yield exchange
    for journal in {exchange.origin_journal, exchange.destination_journal, exchange.confirming_journal}:
        journal.close()


@pytest.fixture(scope="session")
def letter(kz_by: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    """An exchange under kz-by. Its journals are read only: a test that records has its own."""
    yield from _exchange(kz_by, tmp_path_factory)


@pytest.fixture(scope="session")
def closed_letter(three_four: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    """The same under three-four."""
    yield from _exchange(three_four, tmp_path_factory)


@pytest.fixture(params=["kz-by", "three-four"])
def exchange(request: pytest.FixtureRequest, letter: Exchange, closed_letter: Exchange) -> Exchange:
    return letter if request.param == "kz-by" else closed_letter
