"""Answers: who gives them, what they say, and one kind only for each envelope (specs/receipt.md, Acknowledgement, Refusal)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from tests.envelope.strategies import acknowledgements, refusals
from tests.support.journals import journal_at
from tests.support.tamper import edited, flipped, more, put
from tests.support.world import (
    ACKNOWLEDGED,
    DAY,
    OPENED,
    SEALED,
    Exchange,
    World,
    acknowledged,
    acknowledgement_body,
    opening_by,
    refusal_body,
    refused,
    rewrap_body,
    say,
)

from valiza.envelope.acknowledgement import (
    REASONS,
    Acknowledgement,
    Refusal,
    acknowledge,
    peek_answer,
    read_answer,
    refuse,
    verify_answer,
)
from valiza.keys import labels
from valiza.keys.encoding import pack, unpack
from valiza.keys.errors import Malformed, NotAuthentic, Refused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.tamper import Hook
    from tests.support.world import Officer

    from valiza.envelope.acknowledgement import Answer
    from valiza.keys.statement import Statement
    from valiza.register.journal import RegisterJournal


@pytest.fixture
def journal(exchange: Exchange, tmp_path: Path) -> Iterator[RegisterJournal]:
    """The destination's, with the opening in it."""
    journal = journal_at(tmp_path / "register.db", exchange.world.destination.ministry)
    journal.record_opening(exchange.opening, exchange.sealed.name, at=OPENED)
    yield journal
    journal.close()


def acknowledged_by(exchange: Exchange, journal: RegisterJournal, officer: Officer, **changes: Any) -> Statement:
    arguments: dict[str, Any] = {"trust": exchange.world.trust, "journal": journal, "at": ACKNOWLEDGED, **changes}
    return acknowledge(exchange.opening, signer=officer.credentials["acknowledge"], key=officer.keys["acknowledge"], **arguments)


def refused_by(exchange: Exchange, journal: RegisterJournal, officer: Officer, **changes: Any) -> Statement:
    arguments: dict[str, Any] = {
        "opening": exchange.opening,
        "reason": "contents",
        "comment": "",
        "trust": exchange.world.trust,
        "journal": journal,
        "at": ACKNOWLEDGED,
        **changes,
    }
    authentic = exchange.world.authenticate(exchange.sealed.container)
    return refuse(authentic, signer=officer.credentials["acknowledge"], key=officer.keys["acknowledge"], **arguments)


# -- codecs --------------------------------------------------------------------------------------------------------------


def said(type_: str, body: bytes) -> bytes:
    """A statement of a type with two empty signatures: enough to be peeked into."""
    header = pack(["acknowledger", bytes(32), bytes(32)])
    return pack([type_, body, [[header, bytes(3373)]]])


def peeked(world: World, type_: str, answer: Answer) -> Answer:
    """The answer that is read from its packed form, with the core of a real envelope in it."""
    found, _ = peek_answer(said(type_, replace(answer, core=world.plan().seal().core).packed()))
    return replace(found, core=answer.core)


@given(acknowledgement=acknowledgements)
def test_acknowledgement_reads_back(kz_by: World, acknowledgement: Acknowledgement) -> None:
    assert peeked(kz_by, labels.ACKNOWLEDGEMENT, acknowledgement) == acknowledgement


@given(refusal=refusals)
def test_refusal_reads_back(kz_by: World, refusal: Refusal) -> None:
    assert peeked(kz_by, labels.REFUSAL, refusal) == refusal


# -- acknowledging -------------------------------------------------------------------------------------------------------


def test_opener_acknowledges(exchange: Exchange, journal: RegisterJournal) -> None:
    chief = exchange.world.destination["chief"]
    statement = acknowledged_by(exchange, journal, chief, number="in 7")
    answer = read_answer(statement.raw, exchange.world.trust)
    verify_answer(answer, exchange.world.trust, exchange.world.agreements)
    assert isinstance(answer.answer, Acknowledgement)
    assert answer.answer.claim.openings == exchange.expectation.openings
    assert answer.answer.claim.proof == exchange.expectation.proof
    assert answer.answer.marks == exchange.expectation.marks
    assert answer.answer.conditions == ("present", "present")
    assert (answer.answer.number, answer.answer.answered_at) == ("in 7", ACKNOWLEDGED)
    assert (answer.signer.title, answer.opener and answer.opener.title) == ("chief", "chief")
    assert answer.signed.digest == exchange.sealed.envelope.dispatch.digest
    assert journal.stored_answer(answer.signed.digest) == statement.raw


def test_marks_put_on_are_the_destination_s(letter: Exchange, closed_letter: Exchange) -> None:
    """A6.1: by index; under a closed stamp only their digest."""
    assert letter.expectation.marks == ("2", "2")
    assert isinstance(closed_letter.expectation.marks, bytes)


def test_same_answer_twice_is_the_stored_one(exchange: Exchange, journal: RegisterJournal) -> None:
    """P32: replayed, not made again."""
    first = acknowledged_by(exchange, journal, exchange.world.destination["chief"])
    again = acknowledged_by(exchange, journal, exchange.world.destination["chief"], at=ACKNOWLEDGED + DAY, number="another")
    assert again.raw == first.raw


def test_parcel_that_did_not_come(exchange: Exchange, journal: RegisterJournal) -> None:
    chief = exchange.world.destination["chief"]
    with pytest.raises(Malformed, match="file carrier is always present"):
        acknowledged_by(exchange, journal, chief, conditions=["missing", "present"])
    assert journal.stored_answer(exchange.sealed.name.dispatch_digest) is None
    statement = acknowledged_by(exchange, journal, chief, conditions=["present", "damaged"])
    answer = read_answer(statement.raw, exchange.world.trust).answer
    assert isinstance(answer, Acknowledgement)
    assert answer.conditions == ("present", "damaged")


@pytest.mark.parametrize("conditions", [[], ["present"], ["present"] * 3, ["present", "lost"]], ids=str)
def test_conditions_of_each_carrier(exchange: Exchange, journal: RegisterJournal, conditions: list[str]) -> None:
    with pytest.raises(Malformed):
        acknowledged_by(exchange, journal, exchange.world.destination["chief"], conditions=conditions)


def test_number_is_short(exchange: Exchange, journal: RegisterJournal) -> None:
    with pytest.raises(Malformed, match="incoming number"):
        acknowledged_by(exchange, journal, exchange.world.destination["chief"], number="1" * 65)
    statement = acknowledged_by(exchange, journal, exchange.world.destination["chief"], number="1" * 64)
    assert read_answer(statement.raw, exchange.world.trust).answer.number == "1" * 64


def test_only_the_opener(exchange: Exchange, journal: RegisterJournal) -> None:
    side = exchange.world.destination
    with pytest.raises(Refused, match="'deputy' answers for what 'chief' opened: the opener answers himself"):
        acknowledged_by(exchange, journal, side["deputy"])
    with pytest.raises(Refused, match="is answered by 'banker'"):
        acknowledged_by(exchange, journal, side["banker"])
    assert journal.stored_answer(exchange.sealed.name.dispatch_digest) is None


def test_only_with_an_acknowledge_key(exchange: Exchange, journal: RegisterJournal) -> None:
    chief = exchange.world.destination["chief"]
    for purpose in ("seal", "countersign"):
        with pytest.raises(Refused, match=f"certified to {purpose}, not to acknowledge"):
            acknowledge(
                exchange.opening,
                signer=chief.credentials[purpose],
                key=chief.keys[purpose],
                trust=exchange.world.trust,
                journal=journal,
                at=ACKNOWLEDGED,
            )


def test_not_before_it_was_opened(exchange: Exchange, journal: RegisterJournal) -> None:
    acknowledged_by(exchange, journal, exchange.world.destination["chief"], at=OPENED)
    answer = acknowledged(exchange.opening, exchange.world.destination["chief"], answered_at=OPENED - 1)
    with pytest.raises(Refused, match="answered before it was opened"):
        exchange.world.read_answer(answer)


# -- refusing ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", REASONS)
def test_unopened_envelope_is_refused(exchange: Exchange, tmp_path: Path, reason: str) -> None:
    journal = journal_at(tmp_path / "fresh.db", exchange.world.destination.ministry)
    statement = refused_by(exchange, journal, exchange.world.destination["deputy"], opening=None, reason=reason, comment="not ours")
    answer = read_answer(statement.raw, exchange.world.trust)
    verify_answer(answer, exchange.world.trust, exchange.world.agreements)
    assert isinstance(answer.answer, Refusal)
    assert (answer.answer.stage, answer.answer.reason, answer.answer.comment, answer.answer.claim) == ("unopened", reason, "not ours", None)
    assert answer.opener is None


def test_opened_envelope_is_refused_by_its_opener(exchange: Exchange, journal: RegisterJournal) -> None:
    with pytest.raises(Refused, match="the opener answers himself"):
        refused_by(exchange, journal, exchange.world.destination["deputy"])
    statement = refused_by(exchange, journal, exchange.world.destination["chief"])
    answer = read_answer(statement.raw, exchange.world.trust)
    assert isinstance(answer.answer, Refusal)
    assert answer.answer.stage == "opened"
    assert answer.answer.claim is not None
    assert answer.answer.claim.proof == exchange.expectation.proof


def test_what_the_agreement_forbids_can_be_refused(kz_by: World, tmp_path: Path) -> None:
    """From an authentic dispatch on, so that the refusal of what is not permitted is an answer too."""
    forged = kz_by.plan(route=kz_by.route(transport="pigeon")).seal()
    with pytest.raises(Refused, match="R13"):
        kz_by.verify(forged.container)
    deputy = kz_by.destination["deputy"]
    statement = refuse(
        kz_by.authenticate(forged.container),
        opening=None,
        reason="route",
        comment="",
        signer=deputy.credentials["acknowledge"],
        key=deputy.keys["acknowledge"],
        trust=kz_by.trust,
        journal=journal_at(tmp_path / "fresh.db", kz_by.destination.ministry),
        at=ACKNOWLEDGED,
    )
    verify_answer(kz_by.read_answer(statement.raw), kz_by.trust, kz_by.agreements)


def test_reason_is_of_a_closed_list(exchange: Exchange, journal: RegisterJournal) -> None:
    for reason in ("", "whim", "Mark"):
        with pytest.raises(Malformed, match="reason is not one of addressee"):
            refused_by(exchange, journal, exchange.world.destination["chief"], reason=reason)


def test_refused_by_another_body(exchange: Exchange, journal: RegisterJournal) -> None:
    with pytest.raises(Refused, match="is answered by 'banker'"):
        refused_by(exchange, journal, exchange.world.destination["banker"], opening=None)


def test_refused_twice_is_the_stored_one(exchange: Exchange, journal: RegisterJournal) -> None:
    first = refused_by(exchange, journal, exchange.world.destination["chief"])
    assert refused_by(exchange, journal, exchange.world.destination["chief"], reason="other", at=ACKNOWLEDGED + 1).raw == first.raw


# -- reading -------------------------------------------------------------------------------------------------------------


def test_what_is_made_by_hand_in_these_tests_is_good(exchange: Exchange) -> None:
    world, chief = exchange.world, exchange.world.destination["chief"]
    dispatch, core = exchange.expectation.dispatch, exchange.expectation.core
    for raw in (acknowledged(exchange.opening, chief), refused(dispatch, core, chief), refused(dispatch, core, chief, exchange.opening)):
        verify_answer(world.read_answer(raw), world.trust, world.agreements)


MALFORMED: dict[str, Hook] = {
    "an item more": more(0),
    "dispatch nil": put(None, 0),
    "core as text": put("core", 1),
    "no openings": put([], 2),
    "opening short": put([bytes(31), None], 2),
    "an opening more": put([bytes(32), None, None], 2),
    "proof short": put(bytes(31), 3),
    "credential nil": put(None, 4),
    "a mark more": put(["2", "2", "2"], 5),
    "a mark less": put(["2"], 5),
    "marks as digest": put(bytes(32), 5),
    "mark nil": put([None, "2"], 5),
    "number too long": put("1" * 65, 6),
    "opened after the year 9999": put(253402300800, 7),
    "answered nil": put(None, 8),
    "unknown condition": put(["present", "wet"], 9),
    "a condition less": put(["present"], 9),
    "file missing": put(["missing", "present"], 9),
    "file damaged": put(["damaged", "present"], 9),
    "notice short": put(bytes(31), 10),
    "rewrap as text": put("x", 11),
    "unknown extension": put({"x": 1}, 12),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_acknowledgement(letter: Exchange, case: str) -> None:
    body = edited(acknowledgement_body(letter.opening), MALFORMED[case])
    with pytest.raises(Malformed):
        letter.world.read_answer(say(labels.ACKNOWLEDGEMENT, body, letter.world.destination["chief"]))


def test_marks_shown_under_a_closed_stamp(closed_letter: Exchange) -> None:
    with pytest.raises(Malformed, match="shown exactly under an open stamp"):
        closed_letter.world.read_answer(acknowledged(closed_letter.opening, closed_letter.world.destination["chief"], marks=["2", "2"]))


@pytest.mark.parametrize("marks", [["2", "9"], ["A", "2"]], ids=str)
def test_marks_put_on_are_marks_of_the_destination(letter: Exchange, marks: list[str]) -> None:
    """Found by any reader who has the agreement, without record or envelope (A6.1, Reading 8)."""
    answer = letter.world.read_answer(acknowledged(letter.opening, letter.world.destination["chief"], marks=marks))
    with pytest.raises(Malformed, match=r"no mark of BY \(A6\.1\)"):
        verify_answer(answer, letter.world.trust, letter.world.agreements)


MALFORMED_REFUSAL: dict[str, Hook] = {
    "an item more": more(0),
    "unknown stage": put("half", 2),
    "unknown reason": put("whim", 3),
    "comment nil": put(None, 4),
    "number too long": put("1" * 65, 5),
    "opened without opening": put(None, 7),
    "unopened with opening": put("unopened", 2),
    "opening an item more": lambda items: put([*items[7], 0], 7)(items),
    "unknown extension": put({"x": 1}, 8),
}


@pytest.mark.parametrize("case", MALFORMED_REFUSAL)
def test_malformed_refusal(letter: Exchange, case: str) -> None:
    body = edited(refusal_body(letter.expectation.dispatch, letter.expectation.core, letter.opening), MALFORMED_REFUSAL[case])
    with pytest.raises(Malformed):
        letter.world.read_answer(say(labels.REFUSAL, body, letter.world.destination["chief"]))


@pytest.mark.parametrize(("by", "opener"), [("chief", "deputy"), ("deputy", "chief")])
def test_answer_for_what_another_opened(exchange: Exchange, by: str, opener: str) -> None:
    """Of the same body and with the same rights, and still another person."""
    side = exchange.world.destination
    answer = acknowledged(exchange.opening, side[by], credential=side[opener].open.digest)
    with pytest.raises(Refused, match=f"'{by}' answers for what '{opener}' opened: the opener answers himself"):
        exchange.world.read_answer(answer)


def test_only_the_destination_answers(exchange: Exchange) -> None:
    """Neither another body of its party, nor the origin itself, nor a third party that all know."""
    world, said = exchange.world, exchange.expectation
    for other in (world.destination["banker"], world.origin["chief"], world.third["chief"]):
        for raw in (refused(said.dispatch, said.core, other), acknowledged(exchange.opening, other)):
            with pytest.raises(Refused, match=f"an envelope to {world.destination.ministry} is answered by '{other.name}' of {other.body}"):
                world.read_answer(raw)


def test_altered_answer(exchange: Exchange) -> None:
    raw = exchange.acknowledgement.raw
    for at in (100, len(raw) // 2, len(raw) - 3500, len(raw) - 1):
        with pytest.raises(NotAuthentic, match="does not verify"):
            exchange.world.read_answer(flipped(raw, at))


def test_dispatch_and_core_inside_are_of_one_envelope(exchange: Exchange) -> None:
    other, chief = exchange.world.plan(seed="other").seal(), exchange.world.destination["chief"]
    for changes in ({"core": other.core}, {"dispatch": other.dispatch.raw}):
        with pytest.raises(NotAuthentic, match="over another core"):
            exchange.world.read_answer(acknowledged(exchange.opening, chief, **changes))


def test_dispatch_inside_is_verified(exchange: Exchange) -> None:
    raw = exchange.expectation.dispatch
    with pytest.raises(NotAuthentic, match="does not verify"):
        exchange.world.read_answer(acknowledged(exchange.opening, exchange.world.destination["chief"], dispatch=flipped(raw, len(raw) - 1)))


def test_dispatch_of_an_unknown_sealer(world: World, tmp_path: Path) -> None:
    stranger = world.origin.appoint("stranger", clearance=world.origin.root.degrees[0])
    knowing = world.trusting(world.origin.roster_of([stranger]))
    opened = knowing.open(knowing.plan(sealer=stranger).seal().container, tmp_path / "out")
    answer = acknowledged(opened.opening, world.destination["chief"])
    knowing.read_answer(answer)
    with pytest.raises(NotAuthentic, match="sealer of this dispatch is in no roster"):
        world.read_answer(answer)


def test_credentials_are_valid_when_they_are_used(world: World, tmp_path: Path) -> None:
    """The acknowledger's at the time of the answer, the opener's at the opening."""
    leaving = world.destination["leaving"]
    forged = world.plan(addressees=(leaving.open,)).seal()
    last = leaving.open.valid_until - 1
    opened = world.open(forged.container, tmp_path / "out", by=leaving, at=last)
    world.read_answer(acknowledged(opened.opening, leaving, answered_at=last))
    with pytest.raises(Refused, match=r"acknowledge credential of 'leaving' .* expired at the time of answering"):
        world.read_answer(acknowledged(opened.opening, leaving, answered_at=last + 1))
    with pytest.raises(Refused, match=r"'leaving' .* expired at the time"):
        world.read_answer(acknowledged(opened.opening, leaving, answered_at=last, opened_at=last + 1))


def test_opener_who_is_not_cleared(kz_by: World, tmp_path: Path) -> None:
    """Found without record or envelope, since the stamp is open (Reading 7)."""
    opened = kz_by.open(kz_by.plan().seal().container, tmp_path / "out")
    junior = kz_by.destination["junior"]
    with pytest.raises(Refused, match=r"'junior' is not cleared to BY:2 \(A4\.2, A5\.1\)"):
        kz_by.read_answer(acknowledged(replace(opened.opening, credential=junior.open.digest), junior))


def test_open_credential_that_opens_nothing(exchange: Exchange) -> None:
    chief = exchange.world.destination["chief"]
    for credential in (chief.credentials["acknowledge"], exchange.world.destination["banker"].open, exchange.world.origin["chief"].open):
        with pytest.raises(Refused, match=r"not certified to open for .* \(A5\.4\)"):
            exchange.world.read_answer(acknowledged(exchange.opening, chief, credential=credential.digest))
    with pytest.raises(Refused, match="in no roster"):
        exchange.world.read_answer(acknowledged(exchange.opening, chief, credential=bytes(32)))


def test_agreement_is_asked_unless_the_envelope_stayed_closed(kz_by: World, tmp_path: Path) -> None:
    """A refusal of an unopened envelope may be about just that (Reading 6)."""
    forged = kz_by.plan().seal()
    opened = kz_by.open(forged.container, tmp_path / "out")
    chief = kz_by.destination["chief"]
    other = kz_by.amended(skew=301)
    for raw in (acknowledged(opened.opening, chief), refused(forged.dispatch.raw, forged.core, chief, opened.opening)):
        with pytest.raises(Refused, match="not adopted"):
            verify_answer(kz_by.read_answer(raw), other.trust, other.agreements)
    verify_answer(kz_by.read_answer(refused(forged.dispatch.raw, forged.core, chief)), other.trust, other.agreements)


def test_opened_before_it_was_sealed(world: World) -> None:
    forged, chief, skew = world.plan().seal(), world.destination["chief"], world.profile.skew
    early, too_early = (opening_by(chief, forged.expectation, opened_at=SEALED - skew - n) for n in (0, 1))
    verify_answer(world.read_answer(acknowledged(early, chief)), world.trust, world.agreements)
    with pytest.raises(Refused, match="sealed in the future"):
        verify_answer(world.read_answer(acknowledged(too_early, chief)), world.trust, world.agreements)


# -- with a rewrap -------------------------------------------------------------------------------------------------------


def passed_on(world: World, *, made_at: int, to: str = "clerk", by: str = "clerk") -> bytes:
    """An acknowledgement by the clerk, to whom the chief passed the envelope on at a time; or one to whom he did not."""
    forged, chief, opener = world.plan().seal(), world.destination["chief"], world.destination[by]
    body = rewrap_body(world, forged, forged.payload_key, addressee=chief, recipient=world.destination[to], made_at=made_at)
    return acknowledged(opening_by(opener, forged.expectation), opener, rewrap=say(labels.REWRAP, body, chief))


@pytest.mark.parametrize("skew", [0, 60, DAY])
def test_passed_on_after_it_was_sealed(kz_by: World, skew: int) -> None:
    """By the clocks of two offices, whose difference the agreement allows: up to a day."""
    world = kz_by.amended(skew=skew)
    for made_at in (SEALED - skew, SEALED, OPENED - 1, OPENED):
        verify_answer(world.read_answer(passed_on(world, made_at=made_at)), world.trust, world.agreements)
    with pytest.raises(Refused, match="passed on before it was sealed"):
        verify_answer(world.read_answer(passed_on(world, made_at=SEALED - skew - 1)), world.trust, world.agreements)


def test_passed_on_earlier_than_any_agreement_allows(kz_by: World) -> None:
    """Found without the agreement."""
    assert kz_by.read_answer(passed_on(kz_by, made_at=SEALED - DAY)).rewrap is not None
    with pytest.raises(Refused, match="passed on before it was sealed"):
        kz_by.read_answer(passed_on(kz_by, made_at=SEALED - DAY - 1))


def test_passed_on_after_the_opening(kz_by: World) -> None:
    with pytest.raises(Refused, match="made for another officer, or after the opening"):
        kz_by.read_answer(passed_on(kz_by, made_at=OPENED + 1))


def test_passed_on_to_another_officer(kz_by: World) -> None:
    for to, by in (("clerk", "deputy"), ("deputy", "clerk")):
        with pytest.raises(Refused, match="made for another officer, or after the opening"):
            kz_by.read_answer(passed_on(kz_by, made_at=OPENED - 1, to=to, by=by))


# -- what it says --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "at", "told"), [("compromised", ACKNOWLEDGED + 1, True), ("retired", ACKNOWLEDGED + 1, False), (None, 0, False)])
def test_answer_that_is_the_only_evidence_of_its_dispatch(kz_by: World, kind: str | None, at: int, told: bool) -> None:  # noqa: FBT001
    """The sealer's key was in other hands after the answer: that the dispatch was there before, only the answer says."""
    forged, chief = kz_by.plan().seal(), kz_by.destination["chief"]
    raw = acknowledged(opening_by(chief, forged.expectation), chief)
    seal = kz_by.origin["chief"].credentials["seal"]
    world = kz_by if kind is None else kz_by.revoking(kz_by.origin, kz_by.origin.revoke(seal, kind, at))
    assert world.read_answer(raw).only_evidence is told


def test_remarks_are_kept(exchange: Exchange) -> None:
    raw = acknowledged(exchange.opening, exchange.world.destination["chief"], extensions={"~": "x"})
    assert exchange.world.read_answer(raw).answer.extensions == {"~": "x"}


def test_nothing_else_is_an_answer(exchange: Exchange) -> None:
    for raw in (exchange.receipt.raw, exchange.expectation.dispatch, exchange.world.agreement.raw, b"", pack([])):
        with pytest.raises(Malformed):
            exchange.world.read_answer(raw)


def test_body_says_what_it_was_made_of(exchange: Exchange) -> None:
    items = unpack(exchange.acknowledgement.body, max_bytes=1 << 20, what="acknowledgement")
    assert items[0] == exchange.expectation.dispatch
    assert items[1] == exchange.expectation.core
    assert items[4] == exchange.world.destination["chief"].open.digest
    assert items[7:9] == [OPENED, ACKNOWLEDGED]
