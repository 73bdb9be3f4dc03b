"""What a derivation from a passphrase is to cost: a rule that needs no clock to be tried, and a machine that is really asked."""

from __future__ import annotations

import os
from itertools import count
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.keys import signing_key

from valiza.keys import cost
from valiza.keys.cost import FLOOR, chosen_cost, measured_cost, spare_kib
from valiza.keys.errors import Unavailable
from valiza.keys.keyfile import Argon2Cost, load_key, public_part, save_key

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MIB: Final = 1024
PLENTY: Final = 256 * MIB


def machine(seconds_per_mib: float, *, has_kib: int = 1 << 40) -> Callable[[Argon2Cost], float]:
    """A machine whose time is proportional to passes and memory."""

    def takes(price: Argon2Cost) -> float:
        if price.memory_kib > has_kib:
            message = "there is not enough memory"
            raise Unavailable(message)
        return seconds_per_mib * price.passes * price.memory_kib / MIB

    return takes


def test_floor_is_64_mib_three_times() -> None:
    assert Argon2Cost(3, 65536) == FLOOR


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_no_target_is_the_floor_and_nothing_is_measured(seconds: float) -> None:
    assert chosen_cost(seconds, lambda _: pytest.fail("it is measured"), most_kib=PLENTY) == FLOOR


@pytest.mark.parametrize(
    ("per_mib", "most", "chosen"),
    [
        (1 / 64, PLENTY, FLOOR),  # a slow machine: the floor takes 3 s
        (0.5 / 3 / 64, PLENTY, FLOOR),  # just as long as wanted
        (0.5 / 4 / 64, PLENTY, Argon2Cost(4, 64 * MIB)),
        (0.5 / 6 / 64, PLENTY, Argon2Cost(3, 128 * MIB)),  # memory before passes
        (0.5 / 12 / 64, PLENTY, Argon2Cost(3, 256 * MIB)),
        (0.5 / 12 / 64, PLENTY - 1, Argon2Cost(6, 128 * MIB)),
        (0.5 / 12 / 64, 0, Argon2Cost(12, 64 * MIB)),  # the floor's memory is spent in any case
        (0.5 / 48 / 64, PLENTY, Argon2Cost(12, 256 * MIB)),
        (0.5 / 64 / 64, PLENTY, Argon2Cost(16, 256 * MIB)),  # as many passes as a reader accepts
        (0.5 / 100 / 64, PLENTY, Argon2Cost(16, 256 * MIB)),  # 25 would not be too long
        (1e-9, PLENTY, Argon2Cost(16, 256 * MIB)),  # never above what a reader accepts
        (0, PLENTY, Argon2Cost(16, 256 * MIB)),  # a clock that does not move
    ],
)
def test_rule(per_mib: float, most: int, chosen: Argon2Cost) -> None:
    assert chosen_cost(0.5, machine(per_mib), most_kib=most) == chosen


def test_memory_that_is_not_to_be_had_is_not_taken() -> None:
    assert chosen_cost(0.5, machine(0.5 / 12 / 64, has_kib=128 * MIB), most_kib=PLENTY) == Argon2Cost(6, 128 * MIB)


@given(st.floats(0, 60), st.floats(0, 1), st.integers(0, 1 << 20))
def test_between_the_floor_and_what_a_reader_accepts(seconds: float, per_mib: float, most: int) -> None:
    takes = machine(per_mib)
    found = chosen_cost(seconds, takes, most_kib=most)
    assert 3 <= found.passes <= 16
    assert 65536 <= found.memory_kib <= max(most, 65536)
    assert found == FLOOR or takes(found) <= seconds * (1 + 1e-9)


@given(st.floats(0.001, 10), st.floats(1e-6, 1), st.integers(0, 1 << 20))
def test_a_quicker_machine_pays_no_less(seconds: float, per_mib: float, most: int) -> None:
    """What an attacker pays for is passes times memory."""
    slow, quick = (chosen_cost(seconds, machine(rate), most_kib=most) for rate in (per_mib, per_mib / 2))
    assert quick.memory_kib >= slow.memory_kib
    assert quick.passes * quick.memory_kib >= slow.passes * slow.memory_kib


def test_this_machine_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a clock that ticks each time that it is looked at: every derivation takes a second, whatever it costs."""
    asked: list[Argon2Cost] = []
    ticks = count()
    monkeypatch.setattr(cost, "stretch", lambda _passphrase, _salt, price: asked.append(price))
    monkeypatch.setattr(cost, "spare_kib", lambda: 2 * PLENTY)

    def clock() -> float:
        return float(next(ticks))

    assert measured_cost(2.5, clock=clock) == Argon2Cost(7, 256 * MIB)
    assert asked == [FLOOR, Argon2Cost(3, 128 * MIB), Argon2Cost(3, 256 * MIB)]
    assert measured_cost(2.5, clock=clock) == Argon2Cost(7, 256 * MIB)
    assert len(asked) == 3


def test_what_is_measured_here_can_be_read(tmp_path: Path) -> None:
    """A whole derivation at the cost that this very machine chooses for a short while."""
    key = signing_key("officer seal")
    chosen = measured_cost(0.001)
    save_key(tmp_path / "it.key", key, passphrase="x", random=bytes, cost=chosen)
    assert public_part(tmp_path / "it.key").cost == chosen
    assert load_key(tmp_path / "it.key", lambda: "x").public == key.public


def test_a_sixteenth_of_the_memory_that_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "_CONTAINER", ())
    monkeypatch.setattr(os, "sysconf", {"SC_PHYS_PAGES": 3_000_001, "SC_PAGE_SIZE": 4096}.__getitem__)
    assert repr(spare_kib()) == "750000", "a whole number"


def test_nothing_is_spare_where_the_system_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_name: str) -> int:
        message = "unrecognized configuration name"
        raise ValueError(message)

    monkeypatch.setattr(cost, "_CONTAINER", ())
    monkeypatch.setattr(os, "sysconf", unknown)
    assert spare_kib() == 0


def test_memory_that_a_container_allows_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = spare_kib()
    assert whole > 0
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(cost, "_CONTAINER", (tmp_path / "missing", limit))
    limit.write_text("max\n", encoding="ascii")
    assert spare_kib() >= whole
    limit.write_text(f"{512 << 20}\n", encoding="ascii")
    assert spare_kib() == min(whole, 512 * MIB // 16)
