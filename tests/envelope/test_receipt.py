"""Receipts: countersigning, reading, comparing, and the verdicts (specs/receipt.md)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from tests.envelope.strategies import receipts
from tests.support.journals import journal_at
from tests.support.tamper import edited, flipped, more, put
from tests.support.world import (
    ACKNOWLEDGED,
    COUNTERSIGNED,
    DAY,
    DUE,
    HOUR,
    OPENED,
    Exchange,
    Officer,
    World,
    acknowledged,
    countersigned,
    opening_by,
    receipt_body,
    recorded,
    refused,
    say,
)

from valiza.envelope.agreement import Agreements
from valiza.envelope.receipt import (
    AuthenticReceipt,
    Receipt,
    Verdict,
    VerifiedReceipt,
    compare_with_envelope,
    compare_with_record,
    countersign,
    peek_receipt,
    read_receipt,
    verify_receipt,
)
from valiza.keys import labels
from valiza.keys.encoding import pack
from valiza.keys.errors import Conflict, Malformed, NotAuthentic, Refused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.tamper import Hook

    from valiza.keys.statement import Statement
    from valiza.register.journal import RegisterJournal


def journal_of_confirming(exchange: Exchange, path: Path) -> RegisterJournal:
    """A fresh journal of the confirming body; the destination's has the opening in it."""
    journal = journal_at(path, exchange.world.confirming)
    if exchange.world.confirming == exchange.world.destination.ministry:
        journal.record_opening(exchange.opening, exchange.sealed.name, at=OPENED)
    return journal


@pytest.fixture
def confirming_journal(exchange: Exchange, tmp_path: Path) -> Iterator[RegisterJournal]:
    journal = journal_of_confirming(exchange, tmp_path / "confirming.db")
    yield journal
    journal.close()


@pytest.fixture
def origin_journal(exchange: Exchange, tmp_path: Path) -> Iterator[RegisterJournal]:
    journal = recorded(exchange.sealed, tmp_path / "origin.db")
    yield journal
    journal.close()


def confirmed(exchange: Exchange, journal: RegisterJournal, answer: bytes | None = None, *, by: Officer | None = None, **changes: Any) -> Statement:
    """Have the product countersign an answer."""
    world, officer = exchange.world, by or exchange.world.countersigner
    arguments: dict[str, Any] = {"envelope": world.verify_whole(exchange.sealed.container), "at": COUNTERSIGNED, "trust": world.trust, **changes}
    return countersign(
        world.read_answer(answer or exchange.acknowledgement.raw),
        signer=officer.credentials["countersign"],
        key=officer.keys["countersign"],
        agreements=world.agreements,
        journal=journal,
        **arguments,
    )


def by_hand(exchange: Exchange, answer: bytes | None = None, *, by: Officer | None = None, **changes: Any) -> bytes:
    """A receipt for the acknowledgement, or for another answer to an opened envelope, less the changes."""
    own = exchange.world.confirming == exchange.world.destination.ministry
    changes = {"checked": ["envelope", "opening"] if own else ["entered", "envelope"], **changes}
    return countersigned(answer or exchange.acknowledgement.raw, by or exchange.world.countersigner, **changes)


def read(exchange: Exchange, raw: bytes) -> AuthenticReceipt:
    return read_receipt(raw, trust=exchange.world.trust, agreements=exchange.world.agreements)


def at_the_origin(exchange: Exchange, raw: bytes, journal: RegisterJournal) -> VerifiedReceipt:
    return verify_receipt(read(exchange, raw), own=exchange.world.origin.ministry, journal=journal)


def unopened_refusal(exchange: Exchange, **changes: Any) -> bytes:
    return refused(exchange.expectation.dispatch, exchange.expectation.core, exchange.world.destination["deputy"], **changes)


# -- codec ---------------------------------------------------------------------------------------------------------------


@given(receipts)
def test_body_reads_back(receipt: Receipt) -> None:
    header = pack(["countersigner", bytes(32), bytes(32)])
    assert peek_receipt(pack([labels.RECEIPT, receipt.packed(), [[header, bytes(3373)]]])) == receipt


# -- countersigning ------------------------------------------------------------------------------------------------------


def test_confirming_body_countersigns(exchange: Exchange, confirming_journal: RegisterJournal) -> None:
    statement = confirmed(exchange, confirming_journal)
    authentic = read(exchange, statement.raw)
    own = exchange.world.confirming == exchange.world.destination.ministry
    assert authentic.receipt.checked == (("envelope", "opening") if own else ("entered", "envelope"))
    assert authentic.receipt.confirming == exchange.world.confirming
    assert authentic.receipt.countersigned_at == COUNTERSIGNED
    assert authentic.receipt.answer == exchange.acknowledgement.raw  # whole, its signatures included (P30)
    assert authentic.countersigner.title == exchange.world.countersigner.name
    stored = confirming_journal.stored_receipt(exchange.sealed.name.dispatch_digest)
    assert stored is not None
    assert (stored.raw, stored.verdict) == (statement.raw, "countersigned")
    assert confirming_journal.stored_answer(exchange.sealed.name.dispatch_digest) == exchange.acknowledgement.raw


def test_countersigned_twice_is_the_stored_one(exchange: Exchange, confirming_journal: RegisterJournal) -> None:
    first = confirmed(exchange, confirming_journal)
    assert confirmed(exchange, confirming_journal, at=COUNTERSIGNED + DAY).raw == first.raw


def test_refusal_of_an_unopened_envelope(exchange: Exchange, tmp_path: Path) -> None:
    """Steps 1 to 6 are enough for it, and then nothing is said to be checked."""
    authentic = exchange.world.authenticate(exchange.sealed.container)
    whole = exchange.world.verify_whole(exchange.sealed.container)
    for number, (envelope, checked) in enumerate([(authentic, ()), (whole, ("envelope",))]):
        journal = journal_at(tmp_path / f"{number}.db", exchange.world.confirming)
        statement = confirmed(exchange, journal, unopened_refusal(exchange), envelope=envelope)
        assert read(exchange, statement.raw).receipt.checked == checked
        journal.close()


def test_refusal_about_the_agreement_itself(world: World, tmp_path: Path) -> None:
    """It is countersigned and read though the agreement is not known, which it may be about (Reading 6)."""
    forged = world.plan().seal()
    deputy, clerk = world.destination["deputy"], world.countersigner
    nothing = Agreements([])
    answer = world.read_answer(refused(forged.dispatch.raw, forged.core, deputy, reason="agreement"))
    statement = countersign(
        answer,
        envelope=world.authenticate(forged.container),
        signer=clerk.credentials["countersign"],
        key=clerk.keys["countersign"],
        trust=world.trust,
        agreements=nothing,
        journal=journal_at(tmp_path / "fresh.db", world.confirming),
        at=COUNTERSIGNED,
    )
    authentic = read_receipt(statement.raw, trust=world.trust, agreements=nothing)
    assert verify_receipt(authentic).verdict is Verdict.REFUSED


def test_opened_answer_needs_the_whole_envelope(exchange: Exchange, confirming_journal: RegisterJournal) -> None:
    with pytest.raises(Refused, match="verified whole before"):
        confirmed(exchange, confirming_journal, envelope=exchange.world.authenticate(exchange.sealed.container))


def test_answer_about_another_envelope(exchange: Exchange, confirming_journal: RegisterJournal) -> None:
    """Of two envelopes, each with the answer to the other."""
    other = exchange.world.plan(seed="other").seal()
    theirs = acknowledged(opening_by(exchange.world.destination["chief"], other.expectation), exchange.world.destination["chief"])
    for answer, container in ((None, other.container), (theirs, exchange.sealed.container)):
        with pytest.raises(NotAuthentic, match="about another envelope"):
            confirmed(exchange, confirming_journal, answer, envelope=exchange.world.verify_whole(container))


def test_another_answer_is_recorded(exchange: Exchange, tmp_path: Path) -> None:
    """The one that is recorded is countersigned, and no other, though it is by the same officer and of the same kind."""
    answers = [acknowledged(exchange.opening, exchange.world.destination["chief"], number=number) for number in "12"]
    for known, other in (answers, answers[::-1]):
        journal = journal_of_confirming(exchange, tmp_path / f"{answers.index(known)}.db")
        journal.record_answer(known, exchange.sealed.name, at=ACKNOWLEDGED)
        with pytest.raises(Conflict, match="another answer to this envelope is recorded"):
            confirmed(exchange, journal, other)
        assert read(exchange, confirmed(exchange, journal, known).raw).receipt.answer == known


def test_opened_envelope_is_not_said_to_have_stayed_closed(letter: Exchange, tmp_path: Path) -> None:
    """The refusal came from elsewhere, so nothing compared it with the journal before."""
    journal = journal_of_confirming(letter, tmp_path / "fresh.db")
    with pytest.raises(Conflict, match="says that this envelope stayed closed") as caught:
        confirmed(letter, journal, unopened_refusal(letter))
    assert "who opened it refuses it" in caught.value.hint
    assert journal.stored_answer(letter.sealed.name.dispatch_digest) is None


def test_refusal_of_an_opened_envelope(exchange: Exchange, confirming_journal: RegisterJournal) -> None:
    """It states no marks put on, so none are compared."""
    answer = refused(exchange.expectation.dispatch, exchange.expectation.core, exchange.world.destination["chief"], exchange.opening)
    own = exchange.world.confirming == exchange.world.destination.ministry
    receipt = read(exchange, confirmed(exchange, confirming_journal, answer).raw).receipt
    assert receipt.checked == (("envelope", "opening") if own else ("entered", "envelope"))


def test_body_that_confirms_for_others(three_four: World, tmp_path: Path) -> None:
    """Whether its id stands before that of the destination or after it."""
    world, side, skew = three_four, three_four.destination, three_four.profile.skew
    warden = world.countersigner
    assert side["banker"].body < world.confirming < side["chief"].body
    for first, second in (("banker", "teller"), ("chief", "deputy")):
        forged = world.plan(destination=side[first].body, addressees=(side[first].open, side[second].open)).seal()
        answer = acknowledged(opening_by(side[first], forged.expectation), side[first])
        statement = countersign(
            world.read_answer(answer),
            envelope=world.verify_whole(forged.container),
            signer=warden.credentials["countersign"],
            key=warden.keys["countersign"],
            trust=world.trust,
            agreements=world.agreements,
            journal=journal_at(tmp_path / f"{first}.db", world.confirming),
            at=ACKNOWLEDGED - skew,
        )
        assert read_receipt(statement.raw, trust=world.trust, agreements=world.agreements).receipt.checked == ("entered", "envelope")
        early: dict[str, Any] = {"checked": ["entered", "envelope"], "countersigned_at": ACKNOWLEDGED - skew - 1}
        with pytest.raises(Refused, match="countersigned before the envelope was answered"):
            read_receipt(countersigned(answer, warden, **early), trust=world.trust, agreements=world.agreements)
        with pytest.raises(Malformed, match="says that envelope, opening was checked, which does not fit"):
            read_receipt(countersigned(answer, warden), trust=world.trust, agreements=world.agreements)


def test_countersigner_of_another_body_or_purpose(exchange: Exchange, confirming_journal: RegisterJournal) -> None:
    world = exchange.world
    others = [world.destination["banker"], world.origin["clerk"], world.third["clerk"]]
    others += [world.destination["head" if world.confirming == world.destination.ministry else "clerk"]]
    for officer in others:
        with pytest.raises(Refused, match="does not countersign for"):
            confirmed(exchange, confirming_journal, by=officer)
    clerk = world.countersigner
    for purpose in ("acknowledge", "seal"):
        misused = replace(clerk, credentials={**clerk.credentials, "countersign": clerk.credentials[purpose]})
        with pytest.raises(Refused, match=rf"\({purpose}\) does not countersign for"):
            confirmed(exchange, confirming_journal, by=misused)
    assert confirming_journal.stored_receipt(exchange.sealed.name.dispatch_digest) is None


@pytest.mark.parametrize("side", ["origin", "destination"])
def test_expired_rosters_refuse_it(exchange: Exchange, confirming_journal: RegisterJournal, side: str) -> None:
    party = getattr(exchange.world, side)
    trust = exchange.world.trusting(party.roster_of(expires_at=COUNTERSIGNED)).trust
    with pytest.raises(Refused, match=f"roster of {party.party} expired, and countersigning needs one in force"):
        confirmed(exchange, confirming_journal, trust=trust)
    fresh = exchange.world.trusting(party.roster_of(expires_at=COUNTERSIGNED + 1)).trust
    confirmed(exchange, confirming_journal, trust=fresh)


def test_countersigner_who_is_not_valid_now(exchange: Exchange, confirming_journal: RegisterJournal) -> None:
    side, world = exchange.world.destination, exchange.world
    temporary = side.appoint("temporary", clearance=side.root.degrees[0], valid=(OPENED, COUNTERSIGNED), body=world.confirming.id)
    trust = world.trusting(side.roster_of([temporary])).trust
    with pytest.raises(Refused, match=r"countersign credential of 'temporary' .* expired at the time of countersigning"):
        confirmed(exchange, confirming_journal, by=temporary, trust=trust)
    confirmed(exchange, confirming_journal, by=temporary, trust=trust, at=COUNTERSIGNED - 1)


def test_destination_countersigns_only_what_its_journal_recorded(letter: Exchange, tmp_path: Path) -> None:
    journal = journal_at(tmp_path / "fresh.db", letter.world.confirming)
    with pytest.raises(Refused, match="no opening of this envelope"):
        confirmed(letter, journal)
    assert journal.stored_answer(letter.sealed.name.dispatch_digest) is None


OTHER_CLAIMS: dict[str, dict[str, Any]] = {
    "openings": {"openings": [bytes(32), None]},
    "proof": {"proof": bytes(32)},
    "time of opening": {"opened_at": OPENED + 1},
    "marks put on": {"marks": ["2", "3"]},
}


@pytest.mark.parametrize("case", OTHER_CLAIMS)
def test_answer_that_says_other_than_the_journal(letter: Exchange, tmp_path: Path, case: str) -> None:
    journal = journal_at(tmp_path / "fresh.db", letter.world.confirming)
    journal.record_opening(letter.opening, letter.sealed.name, at=OPENED)
    answer = acknowledged(letter.opening, letter.world.destination["chief"], **OTHER_CLAIMS[case])
    with pytest.raises(NotAuthentic, match="other than this office's journal recorded"):
        confirmed(letter, journal, answer)


def test_answer_by_an_addressee_who_did_not_open(letter: Exchange, tmp_path: Path) -> None:
    """He saw a colleague's acknowledgement and copied its openings and proof; the journal knows who opened."""
    journal = journal_at(tmp_path / "fresh.db", letter.world.confirming)
    journal.record_opening(letter.opening, letter.sealed.name, at=OPENED)
    deputy = letter.world.destination["deputy"]
    copied = acknowledged(replace(letter.opening, credential=deputy.open.digest), deputy)
    with pytest.raises(NotAuthentic, match="other than this office's journal recorded"):
        confirmed(letter, journal, copied)


def test_receipt_that_no_reader_would_accept_is_not_made(exchange: Exchange, confirming_journal: RegisterJournal) -> None:
    skew = 0 if exchange.world.confirming == exchange.world.destination.ministry else exchange.world.profile.skew
    with pytest.raises(Refused, match="countersigned before"):
        confirmed(exchange, confirming_journal, at=ACKNOWLEDGED - skew - 1)
    assert confirming_journal.stored_receipt(exchange.sealed.name.dispatch_digest) is None
    confirmed(exchange, confirming_journal, at=ACKNOWLEDGED - skew)


# -- reading -------------------------------------------------------------------------------------------------------------


def test_what_is_made_by_hand_in_these_tests_is_good(exchange: Exchange) -> None:
    assert read(exchange, by_hand(exchange)).receipt.answer == exchange.acknowledgement.raw


def test_acknowledgement_is_no_receipt(exchange: Exchange) -> None:
    """Whoever asks for a receipt is told what it is: not countersigned (P31)."""
    for raw in (exchange.acknowledgement.raw, unopened_refusal(exchange), exchange.expectation.dispatch):
        with pytest.raises(Malformed, match="is not 'valiza/v1/receipt'"):
            read(exchange, raw)


MALFORMED: dict[str, Hook] = {
    "an item more": more(0),
    "answer nil": put(None, 0),
    "answer no statement": put(b"yes", 0),
    "confirming nil": put(None, 1),
    "confirming without party": put(["BY-MFA"], 1),
    "checked nil": put(None, 2),
    "checked a word": put("envelope", 2),
    "checked an unknown word": put(["contents", "envelope"], 2),
    "checked unsorted": put(["opening", "envelope"], 2),
    "checked twice": put(["envelope", "envelope"], 2),
    "checked too little": put(["envelope"], 2),
    "checked nothing": put([], 2),
    "checked without the envelope": put(["opening"], 2),
    "checked as the other kind of body": put(["entered", "envelope"], 2),
    "checked as both": put(["entered", "envelope", "opening"], 2),
    "countersigned nil": put(None, 3),
    "attachments unsorted": put([["b", b""], ["a", b""]], 4),
    "unknown extension": put({"x": 1}, 5),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_receipt(letter: Exchange, case: str) -> None:
    body = edited(receipt_body(letter.acknowledgement.raw, letter.world.countersigner), MALFORMED[case])
    with pytest.raises(Malformed):
        read(letter, say(labels.RECEIPT, body, letter.world.countersigner))


@pytest.mark.parametrize("checked", [["entered", "envelope"], ["envelope", "opening"], ["entered"], ["opening"]], ids=str)
def test_what_cannot_be_checked_of_an_unopened_envelope(exchange: Exchange, checked: list[str]) -> None:
    with pytest.raises(Malformed, match=f"^the receipt says that {', '.join(checked)} was checked, which does not fit$"):
        read(exchange, by_hand(exchange, unopened_refusal(exchange), checked=checked))


def test_who_countersigns_an_opened_envelope_checked_something(exchange: Exchange) -> None:
    with pytest.raises(Malformed, match=r"^the receipt says that nothing was checked, which does not fit$"):
        read(exchange, by_hand(exchange, checked=[]))


def test_other_bodies_do_not_have_seen_the_opening(closed_letter: Exchange) -> None:
    with pytest.raises(Malformed, match="does not fit"):
        read(closed_letter, by_hand(closed_letter, checked=["envelope", "opening"]))


def test_remarks_and_unknown_attachments_are_kept(exchange: Exchange) -> None:
    authentic = read(exchange, by_hand(exchange, attachments=[["stamp-image", b"png"]], extensions={"~": 1}))
    assert authentic.receipt.attachments == (("stamp-image", b"png"),)
    assert authentic.receipt.extensions == {"~": 1}


def test_altered_receipt(exchange: Exchange) -> None:
    raw = exchange.receipt.raw
    for at in (100, len(raw) // 2, len(raw) - 3500, len(raw) - 1):
        with pytest.raises(NotAuthentic, match="does not verify"):
            read(exchange, flipped(raw, at))


def test_answer_inside_is_verified(exchange: Exchange) -> None:
    """The countersigner's word does not stand for the acknowledger's."""
    raw = exchange.acknowledgement.raw
    for at in (len(raw) - 1, len(raw) - 3373):
        with pytest.raises(NotAuthentic, match="does not verify"):
            read(exchange, by_hand(exchange, flipped(raw, at)))


def test_unknown_countersigner(exchange: Exchange) -> None:
    side = exchange.world.destination
    stranger = side.appoint("stranger", clearance=side.root.degrees[0], body=exchange.world.confirming.id)
    with pytest.raises(NotAuthentic, match="countersigner of this receipt is in no roster"):
        read(exchange, by_hand(exchange, by=stranger))


def test_countersigner_of_another_body(exchange: Exchange) -> None:
    """With real keys, known to all, and certified to countersign, but not for this body (P29)."""
    world = exchange.world
    confirming = world.confirming.packed()
    for officer in (world.destination["banker"], world.origin["clerk"], world.third["clerk"]):
        for claimed in (officer.body.packed(), confirming):
            with pytest.raises(Refused, match="confirms"):
                read(exchange, by_hand(exchange, by=officer, confirming=claimed))


def test_confirming_body_of_another_name(exchange: Exchange) -> None:
    for other in (exchange.world.destination["banker"].body, exchange.world.third.ministry):
        with pytest.raises(Refused, match=f"the receipt is for {other} by an officer of {exchange.world.confirming}"):
            read(exchange, by_hand(exchange, confirming=other.packed()))


def test_one_person_with_two_keys(exchange: Exchange) -> None:
    """What counts is the subject, not the key (P8)."""
    side = exchange.world.destination
    again = side.appoint("again", clearance=side.root.degrees[0], body=exchange.world.confirming.id, subject=side["chief"].open.subject)
    knowing = replace(exchange, world=exchange.world.trusting(side.roster_of([again])))
    with pytest.raises(Refused, match="one person, or one key, answered and countersigned"):
        read(knowing, by_hand(knowing, by=again))


@pytest.mark.parametrize("whose", ["the sealer's", "the acknowledger's"])
def test_one_key_in_two_hands(exchange: Exchange, whose: str) -> None:
    """A roster lets nobody have a key while another has it; but another party has its own roster, and who left leaves a key behind."""
    side, leaving = exchange.world.destination, exchange.world.destination["leaving"]
    key = exchange.world.origin["chief"].keys["seal"] if whose == "the sealer's" else leaving.keys["acknowledge"]
    heir = side.appoint(
        "heir",
        clearance=side.root.degrees[0],
        body=exchange.world.confirming.id,
        valid=(leaving.open.valid_until, COUNTERSIGNED + DAY),
        keys={"countersign": key},
    )
    knowing = replace(exchange, world=exchange.world.trusting(side.roster_of([heir])))
    opened_at = leaving.open.valid_until - 1
    answer = acknowledged(opening_by(leaving, exchange.expectation, opened_at=opened_at), leaving, answered_at=opened_at)
    read(knowing, by_hand(knowing, answer))
    with pytest.raises(Refused, match="one person, or one key, answered and countersigned"):
        read(knowing, by_hand(knowing, answer, by=heir))


def test_countersigner_with_a_key_of_another_purpose(exchange: Exchange) -> None:
    clerk = exchange.world.countersigner
    for purpose in ("seal", "acknowledge"):
        misused = replace(
            clerk,
            keys={**clerk.keys, "countersign": clerk.keys[purpose]},
            credentials={**clerk.credentials, "countersign": clerk.credentials[purpose]},
        )
        with pytest.raises(NotAuthentic, match=f"{purpose} credential cannot sign as countersigner"):
            read(exchange, by_hand(exchange, by=misused))


def test_countersigner_is_valid_when_he_signs(exchange: Exchange) -> None:
    side, world = exchange.world.destination, exchange.world
    temporary = side.appoint("temporary", clearance=side.root.degrees[0], valid=(OPENED, COUNTERSIGNED), body=world.confirming.id)
    knowing = replace(exchange, world=world.trusting(side.roster_of([temporary])))
    read(knowing, by_hand(knowing, by=temporary, countersigned_at=COUNTERSIGNED - 1))
    with pytest.raises(Refused, match=r"countersign credential of 'temporary' .* expired at the time of countersigning"):
        read(knowing, by_hand(knowing, by=temporary, countersigned_at=COUNTERSIGNED))


def test_countersigned_before_it_was_answered(exchange: Exchange) -> None:
    """Within one office time never runs back; between two the agreement's skew is allowed."""
    skew = 0 if exchange.world.confirming == exchange.world.destination.ministry else exchange.world.profile.skew
    read(exchange, by_hand(exchange, countersigned_at=ACKNOWLEDGED - skew))
    with pytest.raises(Refused, match="countersigned before the envelope was answered"):
        read(exchange, by_hand(exchange, countersigned_at=ACKNOWLEDGED - skew - 1))


def test_expired_rosters_do_not_matter_to_a_reader(exchange: Exchange) -> None:
    world = exchange.world
    late = world.trusting(world.origin.roster_of(expires_at=OPENED), world.destination.roster_of(expires_at=OPENED))
    read(replace(exchange, world=late), exchange.receipt.raw)


def test_agreement_that_is_not_adopted(exchange: Exchange) -> None:
    with pytest.raises(Refused, match="not adopted"):
        read_receipt(exchange.receipt.raw, trust=exchange.world.trust, agreements=Agreements([]))


# -- comparing -----------------------------------------------------------------------------------------------------------

# What an answer can have otherwise than the origin recorded, in the order of Reading 10.
DIFFERENCES: dict[str, dict[str, Any]] = {
    "openings": {"openings": [bytes(32), None]},
    "proof": {"proof": bytes(32)},
}


@pytest.mark.parametrize("field", DIFFERENCES)
def test_each_field_is_compared_with_the_record(exchange: Exchange, origin_journal: RegisterJournal, field: str) -> None:
    answer = acknowledged(exchange.opening, exchange.world.destination["chief"], **DIFFERENCES[field])
    raw = by_hand(exchange, answer)
    with pytest.raises(NotAuthentic, match=f"another {field} than was sealed here"):
        at_the_origin(exchange, raw, origin_journal)
    assert verify_receipt(read(exchange, raw)).not_compared  # without the record it stands, and says what it does not know


def test_refusal_of_an_opened_envelope_is_compared_too(exchange: Exchange) -> None:
    chief, expectation = exchange.world.destination["chief"], exchange.expectation
    honest = [list(expectation.openings), expectation.proof, chief.open.digest, OPENED, None]
    for index, false, field in ((0, [bytes(32), None], "openings"), (1, bytes(32), "proof")):
        claim = [*honest[:index], false, *honest[index + 1 :]]
        answer = exchange.world.read_answer(refused(expectation.dispatch, expectation.core, chief, exchange.opening, claim=claim))
        with pytest.raises(NotAuthentic, match=f"another {field} than was sealed here"):
            compare_with_record(answer, expectation)
    compare_with_record(exchange.world.read_answer(refused(expectation.dispatch, expectation.core, chief, exchange.opening)), expectation)


def test_marks_put_on_are_compared(letter: Exchange, closed_letter: Exchange) -> None:
    for exchange, marks in ((letter, ["2", "3"]), (closed_letter, bytes(32))):
        answer = exchange.world.read_answer(acknowledged(exchange.opening, exchange.world.destination["chief"], marks=marks))
        with pytest.raises(NotAuthentic, match="another marks put on than was sealed here"):
            compare_with_record(answer, exchange.expectation)


def test_openings_of_a_parcel_and_a_file_are_told_apart(exchange: Exchange) -> None:
    """Nil for a physical carrier, and for no other."""
    chief = exchange.world.destination["chief"]
    for openings in ([None, None], [exchange.expectation.openings[0], bytes(32)]):
        answer = exchange.world.read_answer(acknowledged(exchange.opening, chief, openings=openings))
        with pytest.raises(NotAuthentic, match="another openings"):
            compare_with_record(answer, exchange.expectation)


def test_file_said_to_be_missing(exchange: Exchange) -> None:
    """Its opening says that it came; if the opening is left out too, it is another opening."""
    answer = acknowledged(exchange.opening, exchange.world.destination["chief"], openings=[None, None], conditions=["missing", "present"])
    with pytest.raises(NotAuthentic, match="another openings"):
        compare_with_record(exchange.world.read_answer(answer), exchange.expectation)


def test_same_letter_sealed_twice(exchange: Exchange) -> None:
    """The dispatch is compared whole: its signature names one act of sealing."""
    other = exchange.world.plan(seed="other").seal()
    answer = exchange.world.read_answer(exchange.acknowledgement.raw)
    with pytest.raises(NotAuthentic, match="another dispatch than was sealed here"):
        compare_with_record(answer, other.expectation)
    with pytest.raises(NotAuthentic, match="another core than was sealed here"):
        compare_with_record(answer, replace(exchange.expectation, core=other.core))


def test_opener_who_was_not_addressed(exchange: Exchange) -> None:
    clerk = exchange.world.destination["clerk"]
    answer = exchange.world.read_answer(acknowledged(replace(exchange.opening, credential=clerk.open.digest), clerk))
    with pytest.raises(NotAuthentic, match="not addressed to 'clerk', who answers it"):
        compare_with_record(answer, exchange.expectation)
    with pytest.raises(NotAuthentic, match="not addressed to 'clerk', who answers it"):
        compare_with_envelope(answer, exchange.world.verify_whole(exchange.sealed.container))


def test_unopened_refusal_is_compared_as_far_as_it_goes(exchange: Exchange) -> None:
    answer = exchange.world.read_answer(unopened_refusal(exchange))
    compare_with_record(answer, exchange.expectation)
    compare_with_envelope(answer, exchange.world.authenticate(exchange.sealed.container))
    with pytest.raises(NotAuthentic, match="another dispatch"):
        compare_with_record(answer, exchange.world.plan(seed="other").seal().expectation)


def test_compared_with_another_envelope(exchange: Exchange) -> None:
    for seed in ("other", "another", "a third"):
        other = exchange.world.plan(seed=seed).seal()
        with pytest.raises(NotAuthentic, match="about another envelope"):
            verify_receipt(read(exchange, exchange.receipt.raw), envelope=exchange.world.verify_whole(other.container))


# -- verdicts ------------------------------------------------------------------------------------------------------------


def test_delivered(exchange: Exchange, origin_journal: RegisterJournal) -> None:
    found = at_the_origin(exchange, exchange.receipt.raw, origin_journal)
    assert (found.verdict, found.duplicate, found.not_compared) == (Verdict.DELIVERED, False, ())


def test_attested_says_what_was_not_compared(exchange: Exchange) -> None:
    authentic = read(exchange, exchange.receipt.raw)
    alone = verify_receipt(authentic)
    assert (alone.verdict, alone.not_compared) == (Verdict.ATTESTED, ("openings", "proof", "marks", "addressee", "payload"))
    beside = verify_receipt(authentic, envelope=exchange.world.verify_whole(exchange.sealed.container))
    assert (beside.verdict, beside.not_compared) == (Verdict.ATTESTED, ("openings", "proof", "marks"))


def test_refusal_that_says_nothing_of_the_contents_leaves_nothing_of_them_to_compare(exchange: Exchange) -> None:
    authentic = read(exchange, by_hand(exchange, unopened_refusal(exchange), checked=[]))
    assert verify_receipt(authentic).not_compared == ("payload",)
    assert verify_receipt(authentic, envelope=exchange.world.verify_whole(exchange.sealed.container)).not_compared == ()
    opened = refused(exchange.expectation.dispatch, exchange.expectation.core, exchange.world.destination["chief"], exchange.opening)
    assert verify_receipt(read(exchange, by_hand(exchange, opened))).not_compared == ("openings", "proof", "marks", "addressee", "payload")


def test_reader_who_is_not_the_origin_has_no_record_of_it(exchange: Exchange, origin_journal: RegisterJournal) -> None:
    found = verify_receipt(read(exchange, exchange.receipt.raw), own=exchange.world.third.ministry, journal=origin_journal)
    assert found.verdict is Verdict.ATTESTED


def test_same_receipt_again_and_another(exchange: Exchange, tmp_path: Path) -> None:
    """The same bytes get the same verdict; any others for the same dispatch are a conflict, whichever came first."""
    both = [by_hand(exchange, countersigned_at=COUNTERSIGNED + n) for n in (0, 1)]
    for first, other in (both, both[::-1]):
        journal = recorded(exchange.sealed, tmp_path / f"{both.index(first)}.db")
        journal.record_receipt(first, "delivered", exchange.sealed.name, at=COUNTERSIGNED + HOUR)
        again, conflict = (at_the_origin(exchange, raw, journal) for raw in (first, other))
        assert (again.verdict, again.duplicate) == (Verdict.DELIVERED, True)
        assert (conflict.verdict, conflict.duplicate, conflict.verdict.exit_code) == (Verdict.CONFLICT, False, 6)


def test_answer_of_the_other_kind_is_recorded(exchange: Exchange, tmp_path: Path) -> None:
    """The reader's office acknowledged, and is shown a receipt for a refusal, or the reverse."""
    own = exchange.world.destination.ministry
    answers = {Verdict.ATTESTED: exchange.acknowledgement.raw, Verdict.REFUSED: unopened_refusal(exchange)}
    receipts = {Verdict.ATTESTED: by_hand(exchange), Verdict.REFUSED: by_hand(exchange, unopened_refusal(exchange), checked=[])}
    for known, answer in answers.items():
        journal = journal_at(tmp_path / f"{known}.db", own)
        journal.record_answer(answer, exchange.sealed.name, at=ACKNOWLEDGED)
        for shown, receipt in receipts.items():
            found = verify_receipt(read(exchange, receipt), own=own, journal=journal)
            assert found.verdict is (shown if shown is known else Verdict.CONFLICT)


def test_unsolicited(exchange: Exchange, tmp_path: Path) -> None:
    empty = journal_at(tmp_path / "empty.db", exchange.world.origin.ministry)
    assert at_the_origin(exchange, exchange.receipt.raw, empty).verdict is Verdict.UNSOLICITED


def test_withdrawn(exchange: Exchange, origin_journal: RegisterJournal) -> None:
    origin_journal.withdraw(exchange.sealed.name.dispatch_digest, reason="never sent", at=COUNTERSIGNED)
    assert at_the_origin(exchange, exchange.receipt.raw, origin_journal).verdict is Verdict.WITHDRAWN


@pytest.mark.parametrize("opened", [False, True], ids=["unopened", "opened"])
def test_refused(exchange: Exchange, origin_journal: RegisterJournal, opened: bool) -> None:  # noqa: FBT001 - a parameter of the test
    chief = exchange.world.destination["chief"]
    if opened:
        raw = by_hand(exchange, refused(exchange.expectation.dispatch, exchange.expectation.core, chief, exchange.opening))
    else:
        raw = by_hand(exchange, unopened_refusal(exchange), checked=[])
    found = at_the_origin(exchange, raw, origin_journal)
    assert (found.verdict, found.verdict.exit_code) == (Verdict.REFUSED, 6)


@pytest.mark.parametrize("condition", ["missing", "damaged"])
def test_discrepant(exchange: Exchange, origin_journal: RegisterJournal, condition: str) -> None:
    answer = acknowledged(exchange.opening, exchange.world.destination["chief"], conditions=["present", condition])
    found = at_the_origin(exchange, by_hand(exchange, answer), origin_journal)
    assert (found.verdict, found.verdict.exit_code) == (Verdict.DISCREPANT, 6)


def test_late(exchange: Exchange, origin_journal: RegisterJournal) -> None:
    assert at_the_origin(exchange, by_hand(exchange, countersigned_at=DUE), origin_journal).verdict is Verdict.DELIVERED
    assert at_the_origin(exchange, by_hand(exchange, countersigned_at=DUE + 1), origin_journal).verdict is Verdict.LATE
    assert verify_receipt(read(exchange, by_hand(exchange, countersigned_at=DUE + 1))).verdict is Verdict.LATE


def test_worse_comes_first(exchange: Exchange, origin_journal: RegisterJournal) -> None:
    """Refused before discrepant before late, and all of these before delivered."""
    chief = exchange.world.destination["chief"]
    late: dict[str, Any] = {"countersigned_at": DUE + HOUR}
    refusal = refused(exchange.expectation.dispatch, exchange.expectation.core, chief, exchange.opening)
    damaged = acknowledged(exchange.opening, chief, conditions=["present", "damaged"])
    assert at_the_origin(exchange, by_hand(exchange, refusal, **late), origin_journal).verdict is Verdict.REFUSED
    assert at_the_origin(exchange, by_hand(exchange, damaged, **late), origin_journal).verdict is Verdict.DISCREPANT
    origin_journal.withdraw(exchange.sealed.name.dispatch_digest, reason="never sent", at=COUNTERSIGNED)
    assert at_the_origin(exchange, by_hand(exchange, refusal, **late), origin_journal).verdict is Verdict.WITHDRAWN


def test_exit_codes() -> None:
    codes = {verdict: verdict.exit_code for verdict in Verdict}
    assert {v for v, code in codes.items() if code == 0} == {Verdict.DELIVERED, Verdict.ATTESTED}
    assert {v for v, code in codes.items() if code == 8} == {Verdict.OUTSTANDING, Verdict.ACKNOWLEDGED, Verdict.OVERDUE}
    assert set(codes.values()) == {0, 6, 8}
