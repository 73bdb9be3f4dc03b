"""Detached stanzas: an addressee passes an unopened envelope on, once, to an officer of his body (specs/envelope.md, Detached stanza)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.support.tamper import LOW_ORDER_X25519, edited, flipped, more, put
from tests.support.world import HOUR, OPENED, SEALED, Forged, Officer, World, acknowledged, rewrap_body, say

from valiza.envelope.acknowledgement import verify_answer
from valiza.envelope.receipt import compare_with_envelope, compare_with_record
from valiza.envelope.rewrap import Rewrap, make_rewrap, read_rewrap
from valiza.keys import labels
from valiza.keys.errors import Malformed, NoKey, NotAuthentic, Refused

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.tamper import Hook


@pytest.fixture
def forged(world: World) -> Forged:
    return world.plan().seal()


def made(world: World, forged: Forged, *, to: str = "clerk", by: str = "chief", at: int = OPENED - HOUR) -> Rewrap:
    """A rewrap that the product made."""
    officer, recipient = world.destination[by], world.destination[to]
    return make_rewrap(
        world.verify(forged.container),
        addressee=officer.open,
        identity=officer.identity,
        recipient=recipient.open,
        signer=officer.credentials["acknowledge"],
        key=officer.keys["acknowledge"],
        trust=world.trust,
        at=at,
    )


def by_hand(
    world: World, forged: Forged, *, signer: Officer | None = None, to: Officer | None = None, hook: Hook | None = None, **changes: object
) -> bytes:
    """A rewrap of the envelope from chief to clerk, signed by the chief, less the changes."""
    chief = world.destination["chief"]
    body = rewrap_body(world, forged, forged.payload_key, addressee=chief, recipient=to or world.destination["clerk"], **changes)
    return say(labels.REWRAP, edited(body, hook) if hook else body, signer or chief)


def read(world: World, forged: Forged, raw: bytes) -> Rewrap:
    signed = world.authenticate(forged.container).signed
    degree = None if world.profile.closed else world.marks(world.code).destination.code
    return read_rewrap(raw, signed=signed, trust=world.trust, degree=degree, skew=world.profile.skew)


# -- good ----------------------------------------------------------------------------------------------------------------


def test_new_officer_opens_and_acknowledges(world: World, forged: Forged, tmp_path: Path) -> None:
    rewrap = made(world, forged)
    clerk = world.destination["clerk"]
    assert (rewrap.addressee.title, rewrap.recipient.title) == ("chief", "clerk")
    opened = world.open(forged.container, tmp_path / "out", by=clerk, rewrap=rewrap)
    assert (tmp_path / "out" / "письмо.txt").read_bytes() == b"the bridge at the border\n"
    assert opened.opening.rewrap == rewrap.raw
    assert opened.opening.credential == clerk.open.digest
    answer = world.read_answer(acknowledged(opened.opening, clerk))
    assert answer.rewrap is not None
    verify_answer(answer, world.trust, world.agreements)
    compare_with_record(answer, forged.expectation)
    compare_with_envelope(answer, world.verify_whole(forged.container))


def test_what_is_made_by_hand_in_these_tests_is_good(world: World, forged: Forged) -> None:
    assert read(world, forged, by_hand(world, forged)).recipient.title == "clerk"


def test_container_stays_as_it_is(world: World, forged: Forged) -> None:
    assert made(world, forged).raw not in forged.container
    world.verify_whole(forged.container)


def test_addressee_of_the_header_needs_none(world: World, forged: Forged, tmp_path: Path) -> None:
    """He opens with his own stanza, and his answer names no rewrap."""
    opened = world.open(forged.container, tmp_path / "out", by=world.destination["deputy"], rewrap=made(world, forged))
    assert opened.opening.rewrap is None


def test_remarks_are_kept(world: World, forged: Forged) -> None:
    assert read(world, forged, by_hand(world, forged, extensions={"~": 1})).extensions == {"~": 1}


@pytest.mark.parametrize("early", [0, 60])
def test_clocks_of_two_offices_may_differ_by_the_skew(world: World, forged: Forged, early: int) -> None:
    raw = by_hand(world, forged, made_at=SEALED - early)
    assert read(world, forged, raw).made_at == SEALED - early


def test_one_makes_what_others_accept(world: World, forged: Forged) -> None:
    """Within the skew it is made too, not only read."""
    assert made(world, forged, at=SEALED - world.profile.skew).made_at == SEALED - world.profile.skew


# -- who may -------------------------------------------------------------------------------------------------------------


def test_who_is_no_addressee_has_nothing_to_pass_on(world: World, forged: Forged) -> None:
    with pytest.raises(NoKey, match="'clerk' is no addressee"):
        made(world, forged, by="clerk", to="chief")


def test_no_chains(world: World, forged: Forged) -> None:
    """A rewrap of a rewrap: only an addressee in the header makes one."""
    clerk, leaving = world.destination["clerk"], world.destination["leaving"]
    body = rewrap_body(world, forged, forged.payload_key, addressee=clerk, recipient=leaving, made_at=SEALED)
    second = read(world, forged, say(labels.REWRAP, body, clerk))
    with pytest.raises(Refused, match="'clerk' is no addressee of this envelope, and cannot pass it on"):
        world.unseal(forged.container, by=leaving, rewrap=second, at=OPENED - 2 * HOUR)


def test_signed_by_another_person(world: World, forged: Forged) -> None:
    for name in ("deputy", "clerk", "banker"):
        with pytest.raises(Refused, match=f"rewrap for 'chief' is signed by '{name}'"):
            read(world, forged, by_hand(world, forged, signer=world.destination[name]))


def test_signed_by_the_origin(world: World, forged: Forged) -> None:
    with pytest.raises(Refused, match="is signed by 'chief'"):
        read(world, forged, by_hand(world, forged, signer=world.origin["chief"]))


def test_signed_with_a_key_of_another_purpose(world: World, forged: Forged) -> None:
    chief = world.destination["chief"]
    for purpose in ("seal", "countersign"):
        misused = replace(
            chief,
            keys={**chief.keys, "acknowledge": chief.keys[purpose]},
            credentials={**chief.credentials, "acknowledge": chief.credentials[purpose]},
        )
        with pytest.raises(NotAuthentic, match="cannot sign as acknowledger"):
            read(world, forged, by_hand(world, forged, signer=misused))


def test_new_officer_of_another_body_or_party(world: World, forged: Forged) -> None:
    for other in (world.destination["banker"], world.origin["chief"], world.third["chief"]):
        with pytest.raises(Refused, match=r"not certified to open for .* \(A5\.4\)"):
            read(world, forged, by_hand(world, forged, to=other))


def test_new_officer_who_is_not_cleared(kz_by: World, three_four: World) -> None:
    """Under a closed stamp the degree shows only inside, so opening finds it."""
    forged = kz_by.plan().seal()
    with pytest.raises(Refused, match=r"'junior' is not cleared to BY:2 \(A4\.2, A5\.1\)"):
        read(kz_by, forged, by_hand(kz_by, forged, to=kz_by.destination["junior"]))
    forged = three_four.plan().seal()
    junior = three_four.destination["junior"]
    rewrap = read(three_four, forged, by_hand(three_four, forged, to=junior))
    with pytest.raises(Refused, match=r"'junior' is not cleared to BB:2 \(A4\.2, A5\.1\)"):
        three_four.unseal(forged.container, by=junior, rewrap=rewrap)


def test_new_officer_in_no_roster(world: World, forged: Forged) -> None:
    stranger = world.destination.appoint("stranger", clearance=world.destination.root.degrees[0])
    with pytest.raises(Refused, match="in no roster"):
        read(world, forged, by_hand(world, forged, to=stranger))


def test_officers_are_valid_when_it_is_made(world: World, forged: Forged) -> None:
    former = world.destination["former"]
    with pytest.raises(Refused, match=r"'former' .* expired at the time of passing the envelope on"):
        read(world, forged, by_hand(world, forged, to=former))
    plan = world.plan(addressees=(world.destination["leaving"].open,)).seal()
    leaving = world.destination["leaving"]
    for at, expired in ((leaving.open.valid_until - 1, False), (leaving.open.valid_until, True)):
        body = rewrap_body(world, plan, plan.payload_key, addressee=leaving, recipient=world.destination["clerk"], made_at=at)
        raw = say(labels.REWRAP, body, leaving)
        if expired:
            with pytest.raises(Refused, match=r"'leaving' .* expired at the time of passing the envelope on"):
                read(world, plan, raw)
        else:
            assert read(world, plan, raw).made_at == at


def test_made_before_it_was_sealed(world: World, forged: Forged) -> None:
    with pytest.raises(Refused, match="before it was sealed"):
        read(world, forged, by_hand(world, forged, made_at=SEALED - world.profile.skew - 1))


def test_made_after_the_opening(world: World, forged: Forged, tmp_path: Path) -> None:
    """No answer could fit, so it is refused before anything is opened, and in an answer too."""
    clerk = world.destination["clerk"]
    early = read(world, forged, by_hand(world, forged))
    late = read(world, forged, by_hand(world, forged, made_at=OPENED + 1))
    opened = world.open(forged.container, tmp_path / "out", by=clerk, rewrap=early)
    with pytest.raises(Refused, match="after the opening"):
        world.read_answer(acknowledged(replace(opened.opening, rewrap=late.raw), clerk))
    with pytest.raises(Refused):
        world.unseal(forged.container, by=clerk, rewrap=late)


def test_made_in_the_second_of_the_opening(world: World, forged: Forged, tmp_path: Path) -> None:
    clerk = world.destination["clerk"]
    opened = world.open(forged.container, tmp_path / "out", by=clerk, rewrap=made(world, forged, at=OPENED))
    verify_answer(world.read_answer(acknowledged(opened.opening, clerk)), world.trust, world.agreements)


# -- what it is of -------------------------------------------------------------------------------------------------------


def test_rewrap_of_another_envelope(world: World, forged: Forged) -> None:
    other = world.plan(seed="another").seal()
    with pytest.raises(NotAuthentic, match="belongs to another envelope"):
        read(world, other, by_hand(world, forged))


def test_stanza_of_another_envelope(world: World, forged: Forged) -> None:
    """The wrapped key is bound to core: moved on to another envelope it does not open."""
    other = world.plan(seed="another").seal()
    clerk = world.destination["clerk"]
    stanza = read(world, other, by_hand(world, other)).stanza
    moved = read(world, forged, by_hand(world, forged, stanza=stanza.packed()))
    with pytest.raises(NotAuthentic, match="does not open"):
        world.unseal(forged.container, by=clerk, rewrap=moved)


def test_stanza_of_the_header_for_another_officer(world: World, forged: Forged) -> None:
    clerk = world.destination["clerk"]
    (stanza, *_) = world.authenticate(forged.container).stanzas
    moved = read(world, forged, by_hand(world, forged, stanza=[clerk.open.digest, stanza.wrapped]))
    with pytest.raises(NotAuthentic, match="does not open"):
        world.unseal(forged.container, by=clerk, rewrap=moved)


def test_wrong_payload_key(world: World, forged: Forged) -> None:
    clerk = world.destination["clerk"]
    body = rewrap_body(world, forged, bytes(32), addressee=world.destination["chief"], recipient=clerk)
    rewrap = read(world, forged, say(labels.REWRAP, body, world.destination["chief"]))
    with pytest.raises(NotAuthentic, match="manifest does not decrypt"):
        world.unseal(forged.container, by=clerk, rewrap=rewrap)


def test_rewrap_for_another_officer(world: World, forged: Forged) -> None:
    rewrap = read(world, forged, by_hand(world, forged))
    with pytest.raises(NoKey):
        world.unseal(forged.container, by=world.destination["junior"], rewrap=rewrap)


@pytest.mark.parametrize("name", LOW_ORDER_X25519)
def test_low_order_key_in_it(kz_by: World, name: str) -> None:
    forged = kz_by.plan().seal()

    def hook(items: list[list[bytes]]) -> list[list[bytes]]:
        items[2][1] = items[2][1][:1088] + LOW_ORDER_X25519[name] + items[2][1][1120:]
        return items

    with pytest.raises(Malformed, match="X25519 half of an encapsulation"):
        read(kz_by, forged, by_hand(kz_by, forged, hook=hook))


MALFORMED: dict[str, Hook] = {
    "an item more": more(0),
    "digest short": put(bytes(31), 0),
    "addressee nil": put(None, 1),
    "stanza nil": put(None, 2),
    "wrapped key short": lambda items: put(items[2][1][:-1], 2, 1)(items),
    "made after the year 9999": put(253402300800, 3),
    "unknown extension": put({"x": 1}, 4),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_rewrap(kz_by: World, case: str) -> None:
    forged = kz_by.plan().seal()
    with pytest.raises(Malformed):
        read(kz_by, forged, by_hand(kz_by, forged, hook=MALFORMED[case]))


def test_altered_rewrap(kz_by: World) -> None:
    forged = kz_by.plan().seal()
    raw = by_hand(kz_by, forged)
    for at in (60, 1000, len(raw) - 1):
        with pytest.raises(NotAuthentic):
            read(kz_by, forged, flipped(raw, at))


# -- in an answer --------------------------------------------------------------------------------------------------------


def test_answer_with_a_rewrap_for_another(world: World, forged: Forged, tmp_path: Path) -> None:
    clerk, junior = world.destination["clerk"], world.destination["leaving"]
    opened = world.open(forged.container, tmp_path / "out", by=clerk, rewrap=made(world, forged))
    other = by_hand(world, forged, to=junior, made_at=SEALED)
    with pytest.raises(Refused, match="made for another officer"):
        world.read_answer(acknowledged(replace(opened.opening, rewrap=other), clerk))


def test_answer_with_a_rewrap_from_before_the_sealing(world: World, forged: Forged, tmp_path: Path) -> None:
    """Which skew is allowed, the agreement says."""
    clerk, skew = world.destination["clerk"], world.profile.skew
    opened = world.open(forged.container, tmp_path / "out", by=clerk, rewrap=made(world, forged))
    for made_at, good in ((SEALED - skew, True), (SEALED - skew - 1, False)):
        opening = replace(opened.opening, rewrap=by_hand(world, forged, made_at=made_at))
        answer = world.read_answer(acknowledged(opening, clerk))
        if good:
            verify_answer(answer, world.trust, world.agreements)
            continue
        with pytest.raises(Refused, match="passed on before it was sealed"):
            verify_answer(answer, world.trust, world.agreements)


def test_answer_without_the_rewrap_that_it_needs(world: World, forged: Forged, tmp_path: Path) -> None:
    clerk = world.destination["clerk"]
    opened = world.open(forged.container, tmp_path / "out", by=clerk, rewrap=made(world, forged))
    answer = world.read_answer(acknowledged(replace(opened.opening, rewrap=None), clerk))
    with pytest.raises(NotAuthentic, match="not addressed to 'clerk'"):
        compare_with_record(answer, forged.expectation)
    with pytest.raises(NotAuthentic, match="not addressed to 'clerk'"):
        compare_with_envelope(answer, world.verify_whole(forged.container))


def test_answer_with_a_rewrap_by_one_who_was_not_addressed(world: World, forged: Forged, tmp_path: Path) -> None:
    """The clerk, to whom the chief passed it on, passes it on again: the last link is not in the header."""
    clerk, leaving = world.destination["clerk"], world.destination["leaving"]
    body = rewrap_body(world, forged, forged.payload_key, addressee=clerk, recipient=leaving, made_at=SEALED)
    second = say(labels.REWRAP, body, clerk)
    opened = world.open(forged.container, tmp_path / "out")
    opening = replace(opened.opening, credential=leaving.open.digest, rewrap=second, opened_at=SEALED + HOUR)
    answer = world.read_answer(acknowledged(opening, leaving, answered_at=SEALED + HOUR))
    with pytest.raises(NotAuthentic, match="not addressed to 'clerk'"):
        compare_with_record(answer, forged.expectation)
