"""Evidence: what a reader's memory says, and what the other party's answer vouches for."""

from __future__ import annotations

from typing import Final

import pytest

from valiza.envelope.evidence import NOTHING_SEEN, Vouched, of_statement

DISPATCH: Final = b"\x80" * 32
OTHERS: Final = {"a lesser digest": b"\x7f" * 32, "a greater digest": b"\x81" * 32}


class Journal:
    """A memory in which everything was recorded at one time."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.asked: list[tuple[bytes, bytes]] = []

    def first_seen(self, dispatch_digest: bytes, statement: bytes) -> int | None:
        self.asked.append((dispatch_digest, statement))
        return self.at


def test_a_stranger_has_seen_nothing() -> None:
    assert NOTHING_SEEN.first_seen(DISPATCH, DISPATCH) is None


@pytest.mark.parametrize(("recorded", "earliest"), [(99, 99), (100, 100), (101, 100)])
def test_an_answer_vouches_for_the_dispatch_in_it(recorded: int, earliest: int) -> None:
    assert Vouched(NOTHING_SEEN, DISPATCH, 100).first_seen(b"name", DISPATCH) == 100
    assert Vouched(Journal(recorded), DISPATCH, 100).first_seen(b"name", DISPATCH) == earliest


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS.keys())
def test_it_vouches_for_nothing_else(other: bytes) -> None:
    assert Vouched(NOTHING_SEEN, DISPATCH, 100).first_seen(b"name", other) is None
    assert Vouched(Journal(101), DISPATCH, 100).first_seen(b"name", other) == 101


def test_a_memory_is_asked_when_the_evidence_is() -> None:
    journal = Journal(7)
    evidence = of_statement(journal, b"name", DISPATCH)
    assert journal.asked == []
    assert evidence() == 7
    assert journal.asked == [(b"name", DISPATCH)]
