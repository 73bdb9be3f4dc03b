"""Records of the journal: packed and read back; and the register's journal is what the protocol asks for."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.envelope.strategies import codes, digests, openings, times
from tests.support.journals import journal_at
from tests.support.tamper import edited, more, put
from tests.support.world import OPENED, SEALED

from valiza.envelope.journal import Expectation, Opening, read_marks_put_on, read_openings
from valiza.keys.errors import Malformed, Refused

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.tamper import Hook
    from tests.support.world import Exchange

    from valiza.envelope.journal import Journal

expectations = st.builds(
    Expectation,
    dispatch=st.binary(max_size=64),
    core=st.binary(max_size=64),
    addressees=st.lists(digests, min_size=1, max_size=4).map(tuple),
    openings=openings,
    proof=digests,
    marks=digests | st.lists(codes, min_size=1, max_size=4).map(tuple),
)
found = st.builds(Opening, expectation=expectations, credential=digests, opened_at=times, rewrap=st.none() | st.binary(max_size=64))


@given(expectations)
def test_expectation_reads_back(expectation: Expectation) -> None:
    assert Expectation.read(expectation.packed()) == expectation


@given(found)
def test_opening_reads_back(opening: Opening) -> None:
    assert Opening.read(opening.packed()) == opening


@pytest.mark.parametrize("value", [None, [], [bytes(31)], [b""], bytes(32), ["x"], [None] * 16385], ids=lambda v: repr(v)[:20])
def test_malformed_openings(value: Any) -> None:
    with pytest.raises(Malformed):
        read_openings(value)


@pytest.mark.parametrize("value", [None, [], bytes(31), ["a b"], [""], [None], "A", ["A"] * 16385], ids=lambda v: repr(v)[:20])
def test_malformed_marks_put_on(value: Any) -> None:
    with pytest.raises(Malformed):
        read_marks_put_on(value)


@pytest.mark.parametrize("count", [1, 16384])
def test_as_many_openings_and_marks_as_carriers(count: int) -> None:
    assert read_openings([None] * count) == (None,) * count
    assert read_marks_put_on(["A"] * count) == ("A",) * count


LONG = Expectation(dispatch=bytes(70000), core=b"", addressees=(), openings=(None,), proof=bytes(32), marks=bytes(32))
FOUND = Opening(expectation=LONG, credential=bytes(32), opened_at=OPENED, rewrap=None)


def test_expectation_of_8_mib() -> None:
    longest = replace(LONG, dispatch=bytes(70000 + 8388608 - len(LONG.packed())))
    assert Expectation.read(longest.packed()) == longest
    with pytest.raises(Malformed, match="has 8388609 bytes, more than the limit of 8388608"):
        Expectation.read(replace(longest, core=b"x").packed())


def test_opening_of_8_mib() -> None:
    longest = replace(FOUND, expectation=replace(LONG, dispatch=bytes(70000 + 8388608 - len(FOUND.packed()))))
    assert Opening.read(longest.packed()) == longest
    with pytest.raises(Malformed, match="has 8388609 bytes, more than the limit of 8388608"):
        Opening.read(replace(longest, expectation=replace(longest.expectation, core=b"x")).packed())


RECORDS: dict[str, Hook] = {"an item more": more(0), "proof short": put(bytes(31), 4), "no openings": put([], 3), "marks nil": put(None, 5)}


@pytest.mark.parametrize("case", RECORDS)
def test_malformed_record(exchange: Exchange, case: str) -> None:
    with pytest.raises(Malformed):
        Expectation.read(edited(exchange.expectation.packed(), RECORDS[case]))


def test_record_holds_no_key_and_no_content(exchange: Exchange) -> None:
    """A clerk verifies receipts with it and learns nothing (P34)."""
    kept = exchange.opening.packed()
    assert exchange.opened.manifest.salt not in kept
    assert b"bridge" not in kept
    assert "письмо".encode() not in kept


def test_what_sealing_expects_is_what_opening_finds(exchange: Exchange) -> None:
    assert exchange.opening.expectation == exchange.expectation
    assert exchange.expectation.dispatch_digest == exchange.sealed.envelope.dispatch.digest


def test_register_implements_the_protocol(exchange: Exchange, tmp_path: Path) -> None:
    journal: Journal = journal_at(tmp_path / "register.db", exchange.world.destination.ministry, clock=lambda: OPENED - 1)
    name = exchange.sealed.name
    assert journal.opening(name.dispatch_digest) is None
    assert journal.expectation(name.dispatch_digest) is None
    assert journal.stored_answer(name.dispatch_digest) is None
    assert journal.stored_receipt(name.dispatch_digest) is None
    assert not journal.withdrawn(name.dispatch_digest)
    journal.require_first(name)
    journal.record_opening(exchange.opening, name, at=OPENED)
    assert journal.opening(name.dispatch_digest) == exchange.opening
    with pytest.raises(Refused, match="runs back"):
        journal.record_opening(exchange.opening, name, at=SEALED)


def test_what_is_answered_without_being_entered_is_entered_by_the_dispatch_inside(exchange: Exchange, tmp_path: Path) -> None:
    with closing(journal_at(tmp_path / "register.db", exchange.world.confirming)) as journal:
        journal.record_answer(exchange.acknowledgement.raw, exchange.sealed.name, at=OPENED)
        entered = journal.story(exchange.sealed.name.dispatch_digest)
    assert [(entry.kind, entry.statement) for entry in entered] == [
        ("arrived", exchange.expectation.dispatch),
        ("answered", exchange.acknowledgement.raw),
    ]
