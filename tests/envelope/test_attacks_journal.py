"""One envelope, two stories: another dispatch, another answer, another receipt; and the same once more (P32, P33, P41)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.support.journals import journal_at
from tests.support.tamper import split
from tests.support.world import (
    ACKNOWLEDGED,
    COUNTERSIGNED,
    HOUR,
    OPENED,
    Exchange,
    Officer,
    World,
    acknowledged,
    countersigned,
    recorded,
    refused,
    say,
)

from valiza.envelope.acknowledgement import acknowledge, refuse
from valiza.envelope.receipt import Verdict, VerifiedReceipt, countersign, read_receipt, verify_receipt
from valiza.keys import labels
from valiza.keys.errors import Conflict, NotAuthentic, Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from valiza.envelope.dispatch import EnvelopeName
    from valiza.keys.statement import Statement
    from valiza.register.journal import RegisterJournal


@dataclass(frozen=True)
class Office:
    """An exchange, and a fresh journal of the destination's in which nothing but the opening is recorded."""

    exchange: Exchange
    journal: RegisterJournal

    @property
    def world(self) -> World:
        return self.exchange.world

    @property
    def chief(self) -> Officer:
        return self.world.destination["chief"]

    @property
    def name(self) -> EnvelopeName:
        return self.exchange.sealed.name

    def acknowledge(self) -> Statement:
        return acknowledge(
            self.exchange.opening,
            signer=self.chief.credentials["acknowledge"],
            key=self.chief.keys["acknowledge"],
            trust=self.world.trust,
            journal=self.journal,
            at=ACKNOWLEDGED,
        )

    def refuse(self) -> Statement:
        return refuse(
            self.world.authenticate(self.exchange.sealed.container),
            opening=self.exchange.opening,
            reason="contents",
            comment="",
            signer=self.chief.credentials["acknowledge"],
            key=self.chief.keys["acknowledge"],
            trust=self.world.trust,
            journal=self.journal,
            at=ACKNOWLEDGED,
        )

    def countersign(self, answer: bytes) -> Statement:
        clerk = self.world.countersigner
        return countersign(
            self.world.read_answer(answer),
            envelope=self.world.verify_whole(self.exchange.sealed.container),
            signer=clerk.credentials["countersign"],
            key=clerk.keys["countersign"],
            trust=self.world.trust,
            agreements=self.world.agreements,
            journal=self.journal,
            at=COUNTERSIGNED,
        )

    def verify(self, raw: bytes, own: Any, journal: RegisterJournal) -> VerifiedReceipt:
        return verify_receipt(read_receipt(raw, trust=self.world.trust, agreements=self.world.agreements), own=own, journal=journal)


@pytest.fixture
def office(letter: Exchange, tmp_path: Path) -> Iterator[Office]:
    journal = journal_at(tmp_path / "register.db", letter.world.destination.ministry)
    journal.record_opening(letter.opening, letter.sealed.name, at=OPENED)
    yield Office(letter, journal)
    journal.close()


@pytest.fixture
def origin(letter: Exchange, tmp_path: Path) -> Iterator[RegisterJournal]:
    journal = recorded(letter.sealed, tmp_path / "origin.db")
    yield journal
    journal.close()


# -- another dispatch under a known identity -----------------------------------------------------------------------------


def signed_again(world: World, container: bytes) -> bytes:
    """The same header and payload under another dispatch, with the same body: a sealer can do that."""
    sections = split(container)
    body = world.authenticate(container).signed.statement.body
    return replace(sections, dispatch=say(labels.DISPATCH, body, world.origin["chief"])).join()


def test_other_dispatch_of_a_known_envelope(world: World, tmp_path: Path) -> None:
    """Both verify; the first that was recorded stands, and nothing is recorded of the other."""
    container = world.plan().seal().container
    name = world.verify(container).signed.name
    other = world.verify(signed_again(world, container)).signed.name
    assert (other.origin, other.envelope_id) == (name.origin, name.envelope_id)
    assert other.dispatch_digest != name.dispatch_digest
    opening = world.open(container, tmp_path / "out").opening
    journal = journal_at(tmp_path / "register.db", world.destination.ministry)
    journal.record_opening(opening, name, at=OPENED)
    journal.require_first(name)
    for act in (
        lambda: journal.require_first(other),
        lambda: journal.record_opening(opening, other, at=OPENED),
        lambda: journal.record_answer(acknowledged(opening, world.destination["chief"]), other, at=ACKNOWLEDGED),
        lambda: journal.record_receipt(b"", "countersigned", other, at=COUNTERSIGNED),
        lambda: journal.record_sealed(opening.expectation, other, path=Path("it.vlz"), number="1", due_at=0, manifest_copy=None, at=COUNTERSIGNED),
    ):
        with pytest.raises(Conflict, match="another dispatch of the envelope"):
            act()
    assert journal.opening(other.dispatch_digest) is None


def test_same_id_of_another_origin_is_another_envelope(world: World, tmp_path: Path) -> None:
    journal = journal_at(tmp_path / "register.db", world.destination.ministry)
    container = world.plan().seal().container
    name = world.authenticate(container).signed.name
    journal.record_opening(world.open(container, tmp_path / "out").opening, name, at=OPENED)
    journal.require_first(replace(name, origin=world.origin["banker"].body, dispatch_digest=bytes(32)))


def test_receipt_for_the_other_dispatch_is_none_for_this(letter: Exchange, origin: RegisterJournal, tmp_path: Path) -> None:
    """The origin signed twice, recorded one, and is answered the other: it is no envelope of the record."""
    world = letter.world
    opened = world.open(signed_again(world, letter.sealed.container), tmp_path / "out")
    raw = countersigned(acknowledged(opened.opening, world.destination["chief"]), world.countersigner)
    authentic = read_receipt(raw, trust=world.trust, agreements=world.agreements)
    assert verify_receipt(authentic, own=world.origin.ministry, journal=origin).verdict is Verdict.UNSOLICITED


# -- acknowledgement and refusal -----------------------------------------------------------------------------------------


def test_acknowledged_and_then_refused(office: Office) -> None:
    first = office.acknowledge()
    with pytest.raises(Conflict, match="acknowledged before"):
        office.refuse()
    assert office.journal.stored_answer(office.name.dispatch_digest) == first.raw
    assert office.acknowledge().raw == first.raw


def test_refused_and_then_acknowledged(office: Office) -> None:
    first = office.refuse()
    with pytest.raises(Conflict, match="refused before"):
        office.acknowledge()
    assert office.journal.stored_answer(office.name.dispatch_digest) == first.raw
    assert office.refuse().raw == first.raw


@pytest.mark.parametrize("kind", ["acknowledgement", "refusal"])
def test_countersigner_does_not_confirm_another_answer_than_is_recorded(office: Office, kind: str) -> None:
    """Made by hand beside the journal, by the opener himself."""
    office.acknowledge()
    expectation = office.exchange.expectation
    other = (
        acknowledged(office.exchange.opening, office.chief, number="another")
        if kind == "acknowledgement"
        else refused(expectation.dispatch, expectation.core, office.chief, office.exchange.opening)
    )
    with pytest.raises(Conflict, match="another answer to this envelope is recorded"):
        office.countersign(other)


def test_countersigned_another_answer_before(office: Office) -> None:
    answer = office.acknowledge().raw
    first = office.countersign(answer)
    others = [acknowledged(office.exchange.opening, office.chief, number="", answered_at=ACKNOWLEDGED + late) for late in (-1, 1)]
    assert [other < answer for other in others] == [True, False]
    for other in others:
        with pytest.raises(Conflict, match="another answer to this envelope was countersigned before"):
            office.countersign(other)
    stored = office.journal.stored_receipt(office.name.dispatch_digest)
    assert stored is not None
    assert stored.raw == first.raw


def test_journal_itself_takes_one_answer_and_one_receipt(office: Office) -> None:
    answer = office.acknowledge()
    receipt = office.countersign(answer.raw)
    with pytest.raises(Refused):
        office.journal.record_answer(answer.raw, office.name, at=COUNTERSIGNED)
    with pytest.raises(Refused):
        office.journal.record_receipt(receipt.raw, "countersigned", office.name, at=COUNTERSIGNED)


# -- receipts ------------------------------------------------------------------------------------------------------------


def test_second_different_receipt_is_a_conflict(office: Office, origin: RegisterJournal) -> None:
    """Both are well made; only one can be what happened."""
    world, expectation = office.world, office.exchange.expectation
    first = office.exchange.receipt.raw
    origin.record_receipt(first, Verdict.DELIVERED.value, office.name, at=COUNTERSIGNED)
    again = countersigned(office.exchange.acknowledgement.raw, world.countersigner, countersigned_at=COUNTERSIGNED + 1)
    other_answer = countersigned(acknowledged(office.exchange.opening, office.chief, number="another"), world.countersigner)
    refusal = countersigned(refused(expectation.dispatch, expectation.core, office.chief, office.exchange.opening), world.countersigner)
    for raw in (again, other_answer, refusal):
        found = office.verify(raw, world.origin.ministry, origin)
        assert (found.verdict, found.duplicate, found.verdict.exit_code) == (Verdict.CONFLICT, False, 6)
    assert office.verify(first, world.origin.ministry, origin).verdict is Verdict.DELIVERED


def test_receipt_for_an_answer_of_the_other_kind_than_is_recorded(office: Office) -> None:
    """The destination refused, and is shown a receipt for an acknowledgement."""
    office.refuse()
    found = office.verify(office.exchange.receipt.raw, office.world.destination.ministry, office.journal)
    assert found.verdict is Verdict.CONFLICT


def test_replayed_receipt_is_a_duplicate(office: Office, origin: RegisterJournal) -> None:
    raw = office.exchange.receipt.raw
    assert not office.verify(raw, office.world.origin.ministry, origin).duplicate
    origin.record_receipt(raw, Verdict.DELIVERED.value, office.name, at=COUNTERSIGNED)
    for _ in range(2):
        found = office.verify(raw, office.world.origin.ministry, origin)
        assert (found.verdict, found.duplicate) == (Verdict.DELIVERED, True)


def test_conflict_does_not_hide_what_is_false(office: Office, origin: RegisterJournal) -> None:
    """A second receipt that says other than the record is not authentic, conflict or not."""
    origin.record_receipt(office.exchange.receipt.raw, Verdict.DELIVERED.value, office.name, at=COUNTERSIGNED)
    false = countersigned(acknowledged(office.exchange.opening, office.chief, proof=bytes(32)), office.world.countersigner)
    with pytest.raises(NotAuthentic, match="another proof"):
        office.verify(false, office.world.origin.ministry, origin)


def test_replayed_envelope_is_opened_again_and_answered_as_before(office: Office, tmp_path: Path) -> None:
    """P32: the stored answer, byte for byte, whatever was opened later."""
    first = office.acknowledge()
    again = office.world.open(office.exchange.sealed.container, tmp_path / "again", at=OPENED + HOUR)
    number = office.journal.record_opening(again.opening, office.name, at=ACKNOWLEDGED)
    assert number == office.journal.incoming_number(office.name.dispatch_digest)
    assert office.journal.opening(office.name.dispatch_digest) == office.exchange.opening  # the first counts
    assert office.acknowledge().raw == first.raw


def test_withdrawn_after_all(office: Office, origin: RegisterJournal) -> None:
    """It was sent: there is a receipt."""
    origin.record_receipt(office.exchange.receipt.raw, Verdict.DELIVERED.value, office.name, at=COUNTERSIGNED)
    with pytest.raises(Refused, match="has a receipt, so it was sent"):
        origin.withdraw(office.name.dispatch_digest, reason="never sent", at=COUNTERSIGNED)
