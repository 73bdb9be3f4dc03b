"""Clearance enquiries, their confirmations, and sealing that rests on them (specs/clearance.md)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.support.tamper import edited, flipped, more, put
from tests.support.world import DAY, HOUR, OPENED, SEALED, VALID_FROM, Officer, World, say

from valiza.envelope.agreement import Agreements, terminate
from valiza.envelope.clearance import (
    MAX_OFFICERS,
    Clearances,
    VerifiedConfirmation,
    VerifiedEnquiry,
    confirm,
    enquire,
    read_confirmation,
    read_confirmation_body,
    read_enquiry,
    read_enquiry_body,
)
from valiza.envelope.manifest import Basis
from valiza.keys import labels
from valiza.keys.errors import Conflict, Malformed, NotAuthentic, Refused, ValizaError
from valiza.keys.fields import Body, Mark

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.tamper import Hook

ASKED: Final = SEALED - 7 * DAY
ANSWERED: Final = SEALED - 3 * DAY


def ask(world: World, raw: bytes | None = None, *, at: int = SEALED) -> VerifiedEnquiry:
    """Read an enquiry: a good one, unless another is given."""
    return read_enquiry(raw or world.asked(), trust=world.trust, agreements=world.agreements, at=at)


def answer(world: World, raw: bytes | None = None, *, at: int = SEALED) -> VerifiedConfirmation:
    """Read a confirmation, likewise."""
    return read_confirmation(raw or world.confirmed(), trust=world.trust, agreements=world.agreements, at=at)


def answered(world: World, enquiry: bytes | None = None, *, at: int = SEALED, **changes: Any) -> VerifiedConfirmation:
    """A confirmation by hand, less the changes, read."""
    return answer(world, world.confirmed(world.confirmation(enquiry, **changes)), at=at)


def seal(world: World, path: Path, *confirmations: VerifiedConfirmation, **changes: Any) -> tuple[Basis, ...]:
    """Have an envelope sealed that rests on confirmations; returns the basis in its manifest, as the destination finds it."""
    path.write_bytes(b"the bridge at the border\n")
    consignment = world.consignment([world.carrier(path)], **{"clearances": Clearances(confirmations), **changes})
    return world.unseal(world.seal(consignment).container).manifest.basis


@pytest.fixture
def letter(tmp_path: Path) -> Path:
    return tmp_path / "letter.txt"


# -- good ----------------------------------------------------------------------------------------------------------------


def test_asked_answered_and_sealed(world: World, letter: Path) -> None:
    asking, answering = world.origin["head"], world.destination["head"]
    given: dict[str, Any] = {"trust": world.trust, "agreements": world.agreements}
    enquiry = enquire(world.enquiry(), signer=asking.credentials["act"], key=asking.keys["act"], **given)
    said = world.confirmation(enquiry.raw)
    found = confirm(said, signer=answering.credentials["act"], key=answering.keys["act"], **given)
    assert (found.said, found.enquiry.said) == (said, world.enquiry())
    assert (found.signer.title, found.enquiry.signer.title) == ("head", "head")
    basis = seal(world, letter, found)
    assert basis == (
        *world.basis,
        Basis("confirmation", f"clearance-confirmation {found.digest.hex()}", str(world.destination.control), "2026-02-27"),
    )


def test_what_is_made_by_hand_in_these_tests_is_good(world: World, letter: Path) -> None:
    assert ask(world).said == world.enquiry()
    found = answer(world)
    assert found.said == world.confirmation(found.enquiry.raw)
    assert len(seal(world, letter, answer(world))) == len(world.basis) + 1


def test_basis_that_the_agreement_requires(kz_by: World, letter: Path) -> None:
    """Where the origin's party gives nothing without a confirmation, the signed one is it."""
    parties = tuple(replace(p, basis=("confirmation",)) for p in kz_by.profile.parties)
    world = kz_by.amended(parties=parties)
    with pytest.raises(Refused, match=r"the basis lacks a confirmation: .*\(R3, R11, A5\.2\)"):
        seal(world, letter, basis=(Basis("decision", "No. 1"),), clearances=None)
    (only,) = seal(world, letter, answer(world), basis=())
    assert only.kind == "confirmation"


def test_remarks_are_kept(world: World) -> None:
    enquiry = world.asked(world.enquiry(extensions={"~": 1}))
    found = answered(world, enquiry, extensions={"~by": "phone"})
    assert (found.said.extensions, found.enquiry.said.extensions) == ({"~by": "phone"}, {"~": 1})


def test_clocks_of_two_bodies_may_differ_by_the_skew(world: World) -> None:
    skew = world.profile.skew
    assert answered(world, answered_at=ASKED - skew).said.answered_at == ASKED - skew
    assert answered(world, at=ANSWERED - skew).said.answered_at == ANSWERED
    assert ask(world, at=ASKED - skew).said.asked_at == ASKED


# -- form ----------------------------------------------------------------------------------------------------------------

ENQUIRY_FORMS: Final[dict[str, Hook]] = {
    "id of 31 bytes": put(bytes(31), 0),
    "agreement of 16 bytes": put(bytes(16), 1),
    "asking body without party": put(["KZ-KNB"], 2),
    "asked body in small letters": put(["BY", "by-kgb"], 3),
    "destination nil": put(None, 4),
    "nobody": put([], 5),
    "subject of 15 bytes": put([bytes(15)], 5),
    "one officer twice": put([bytes(16)] * 2, 5),
    "officers descending": put([b"b" * 16, b"a" * 16], 5),
    "too many": put([i.to_bytes(16, "big") for i in range(MAX_OFFICERS + 1)], 5),
    "mark without party": put("3", 6),
    "no purpose": put("", 7),
    "time as text": put("2026", 8),
    "unknown extension": put({"copy": 1}, 9),
    "a field more": more(None),
}
CONFIRMATION_FORMS: Final[dict[str, Hook]] = {
    "enquiry nil": put(None, 0),
    "enquiry over its limit": put(bytes((64 << 10) + 1), 0),
    "number zero": put(0, 1),
    "cleared as a boolean": put(True, 2),  # noqa: FBT003 - what stands on the wire
    "one officer twice": put([bytes(16)] * 2, 2),
    "time missing": put(None, 3),
    "ends when it begins": put(ANSWERED, 4),
    "ends before it begins": put(ANSWERED - 1, 4),
    "unknown extension": put({"copy": 1}, 5),
    "a field more": more(None),
}


@pytest.mark.parametrize("name", ENQUIRY_FORMS)
def test_form_of_an_enquiry(kz_by: World, name: str) -> None:
    body = edited(kz_by.enquiry().packed(), ENQUIRY_FORMS[name])
    with pytest.raises(Malformed):
        read_enquiry_body(body)
    with pytest.raises(Malformed):
        ask(kz_by, say(labels.CLEARANCE_ENQUIRY, body, kz_by.origin["head"]))


@pytest.mark.parametrize("name", CONFIRMATION_FORMS)
def test_form_of_a_confirmation(kz_by: World, name: str) -> None:
    body = edited(kz_by.confirmation().packed(), CONFIRMATION_FORMS[name])
    with pytest.raises(Malformed):
        read_confirmation_body(body)
    with pytest.raises(Malformed):
        answer(kz_by, say(labels.CLEARANCE_CONFIRMATION, body, kz_by.destination["head"]))


def test_as_many_officers_as_an_envelope_has_addressees(kz_by: World) -> None:
    people = tuple(i.to_bytes(16, "big") for i in range(MAX_OFFICERS))
    assert len(read_enquiry_body(kz_by.enquiry(officers=people).packed()).officers) == 64


def test_as_many_are_confirmed_as_were_asked_about_or_none(kz_by: World) -> None:
    people = tuple(i.to_bytes(16, "big") for i in range(MAX_OFFICERS + 1))
    for cleared in ((), people[1:]):
        assert read_confirmation_body(kz_by.confirmation(cleared=cleared).packed()).cleared == cleared
    with pytest.raises(Malformed, match="cleared is not an array of 0 to 64 items"):
        read_confirmation_body(kz_by.confirmation(cleared=people).packed())


@pytest.mark.slow
def test_no_byte_can_be_altered(kz_by: World) -> None:
    """Of both statements, every byte: the enquiry is read whole inside the confirmation."""
    for raw, read in ((kz_by.asked(), ask), (kz_by.confirmed(), answer)):
        for index in range(len(raw)):
            with pytest.raises((Malformed, NotAuthentic)):
                read(kz_by, flipped(raw, index))


def test_some_bytes_that_cannot_be_altered(kz_by: World) -> None:
    for raw, read in ((kz_by.asked(), ask), (kz_by.confirmed(), answer)):
        for index in range(0, len(raw), 211):
            with pytest.raises((Malformed, NotAuthentic)):
                read(kz_by, flipped(raw, index, 0x80))


# -- who asks, about whom ------------------------------------------------------------------------------------------------


def enquiry_refused(world: World, match: str, by: Officer | None = None, *, at: int = SEALED, **changes: Any) -> None:
    """An enquiry, alone and in a confirmation that is in order otherwise, is refused."""
    raw = world.asked(world.enquiry(**changes), by)
    with pytest.raises(Refused, match=match):
        ask(world, raw, at=at)
    with pytest.raises(Refused, match=match):
        answered(world, raw, at=at, answered_at=max(ANSWERED, changes.get("asked_at", 0)))


def test_asking_body_that_is_not_competent(world: World) -> None:
    asking, chief = world.origin.ministry, world.origin["chief"]
    enquiry_refused(world, rf"{asking} is no competent body of {asking.party} .*\(R4\(1\), A3\)", chief, asking=asking)


def test_asked_body_that_is_not_competent(world: World) -> None:
    enquiry_refused(world, "is no competent body", asked=world.destination.ministry)


def test_asked_body_that_was_designated(kz_by: World) -> None:
    """In the place of one that the agreement names: from then on the one is asked, and not the other any more."""
    side = kz_by.destination
    when = SEALED - 7 * DAY
    raw = kz_by.asked()
    for at, good in ((when + 1, True), (when, False)):
        world = kz_by.designating(side, side.designate(side.ministry.id, "competent", at, replaces=side.control.id))
        if good:
            ask(world, raw)
            continue
        with pytest.raises(Refused, match=f"{side.control} is no competent body"):
            ask(world, raw)
    after = kz_by.designating(side, side.designate(side.ministry.id, "competent", when, replaces=side.control.id))
    assert ask(after, kz_by.asked(kz_by.enquiry(asked=side.ministry))).said.asked == side.ministry


def test_who_was_asked_is_competent_still_when_he_answers(kz_by: World) -> None:
    side = kz_by.destination
    when = SEALED - 3 * DAY
    raw = kz_by.confirmed()
    for at, good in ((when + 1, True), (when, False)):
        world = kz_by.designating(side, side.designate(side.ministry.id, "competent", at, replaces=side.control.id))
        if good:
            answer(world, raw)
            continue
        with pytest.raises(Refused, match=f"{side.control} is no competent body"):
            answer(world, raw)


def test_bodies_of_one_party(world: World) -> None:
    enquiry_refused(world, "are of one party", asked=world.origin.control)


def test_body_of_a_third_party(world: World) -> None:
    enquiry_refused(world, "are of one party", asked=world.third.control)
    enquiry_refused(world, "is not a party to the agreement", world.third["head"], asking=world.third.control)


def test_signed_for_another_body(world: World) -> None:
    """A colleague of a ministry, with a key to act, signs for the competent body."""
    enquiry_refused(world, "is signed by 'chief' of", world.origin["chief"])


def test_signed_with_a_key_for_something_else(world: World) -> None:
    head = world.origin["head"]
    header = replace(head.header("sealer"), role="competent")
    raw = say(labels.CLEARANCE_ENQUIRY, world.enquiry().packed(), replace(head, keys={**head.keys, "act": head.keys["seal"]}), header=header)
    with pytest.raises(NotAuthentic, match="a seal credential cannot sign as competent"):
        ask(world, raw)


def test_signed_by_a_stranger(world: World) -> None:
    stranger = world.origin.appoint("stranger", clearance=None, body=world.origin.control.id)
    with pytest.raises(NotAuthentic, match="in no roster that is trusted here"):
        ask(world, world.asked(by=stranger))


def test_destination_of_another_party(world: World) -> None:
    enquiry_refused(world, "is no body of its party", destination=world.origin.ministry)


def test_mark_of_the_other_party(world: World) -> None:
    enquiry_refused(world, r"is no mark of its party \(A2\)", mark=world.marks(world.code).destination)


def test_mark_that_there_is_not(world: World) -> None:
    enquiry_refused(world, r"\(A2\)", mark=Mark(world.origin.party, "none"))


def test_person_of_another_body(world: World) -> None:
    enquiry_refused(world, "nobody with the subject", officers=(world.destination["banker"].open.subject,))


def test_person_of_the_asking_party(world: World) -> None:
    enquiry_refused(world, "nobody with the subject", officers=(world.origin["chief"].open.subject,))


def test_agreement_that_is_not_adopted(world: World) -> None:
    enquiry_refused(world, "is not adopted here", agreement=bytes(32))


def test_agreement_not_in_force_when_asked(world: World) -> None:
    early = world.profile.valid_from - 1
    enquiry_refused(world, r"not yet in force when the clearance enquiry was made \(A14\)", asked_at=early)


def test_agreement_terminated(kz_by: World) -> None:
    end = terminate(kz_by.agreement, root=kz_by.origin.root, keys=[kz_by.origin.root_key], given_at=ASKED, takes_effect_at=ASKED)
    ended = replace(kz_by, agreements=Agreements([kz_by.agreement], [end]))
    enquiry_refused(ended, r"had been terminated when the clearance enquiry was made \(A14\)")


def test_asked_in_the_future(world: World) -> None:
    late = SEALED + world.profile.skew + 1
    enquiry_refused(world, "made in the future", asked_at=late)


# -- who answers ---------------------------------------------------------------------------------------------------------


def confirmation_refused(world: World, match: str, by: Officer | None = None, *, at: int = SEALED, **changes: Any) -> None:
    with pytest.raises(Refused, match=match):
        answer(world, world.confirmed(world.confirmation(**changes), by), at=at)


def test_answered_by_the_destination_itself(world: World) -> None:
    """The ministry that wants the papers vouches for its own officers."""
    confirmation_refused(world, rf"was asked, and .* signed by 'chief' of {world.destination.ministry} \(A5\.1\)", world.destination["chief"])


def test_answered_by_the_body_that_asked(world: World) -> None:
    confirmation_refused(world, "was asked, and", world.origin["head"])


def test_answered_by_a_body_of_a_third_party(world: World) -> None:
    confirmation_refused(world, "was asked, and", world.third["head"])


def test_somebody_confirmed_who_was_not_asked_about(world: World) -> None:
    with pytest.raises(Malformed, match="not asked about"):
        answered(world, cleared=(world.destination["junior"].open.subject,))


def test_answered_before_it_was_asked(world: World) -> None:
    confirmation_refused(world, "made before the enquiry", answered_at=ASKED - world.profile.skew - 1)


def test_answered_in_the_future(world: World) -> None:
    confirmation_refused(world, "made in the future", answered_at=SEALED + world.profile.skew + 1)


def test_enquiry_inside_is_of_another_type(world: World) -> None:
    with pytest.raises(Malformed):
        answered(world, world.confirmed())


def test_enquiry_inside_was_altered(world: World) -> None:
    """The answerer signs over an enquiry that nobody made so."""
    with pytest.raises((Malformed, NotAuthentic)):
        answered(world, flipped(world.asked(), 300))


# -- revocation ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["retired", "suspended", "compromised"])
def test_signer_of_the_confirmation_was_revoked_before(world: World, kind: str) -> None:
    target = world.destination["head"].credentials["act"]
    knowing = world.revoking(world.destination, world.destination.revoke(target, kind, ANSWERED))
    confirmation_refused(knowing, rf"was {kind} .* does not count for confirming a clearance")


def test_signer_of_the_confirmation_left_after(world: World) -> None:
    """What he said while he could stands, unless his key is in other hands: then nobody knows when it was said."""
    target = world.destination["head"].credentials["act"]
    raw = world.confirmed()
    knowing = world.revoking(world.destination, world.destination.revoke(target, "retired", ANSWERED + 1))
    assert answer(knowing, raw).digest == answer(world, raw).digest
    lost = world.revoking(world.destination, world.destination.revoke(target, "compromised", ANSWERED + 1))
    with pytest.raises(Refused, match="was compromised"):
        answer(lost, raw)


def test_signer_of_the_enquiry_was_revoked_before(world: World) -> None:
    target = world.origin["head"].credentials["act"]
    knowing = world.revoking(world.origin, world.origin.revoke(target, "retired", ASKED))
    enquiry_refused(knowing, "does not count for enquiring about a clearance")


def test_answer_is_evidence_of_the_enquiry(world: World) -> None:
    """The asking key is lost later. The other party had the enquiry before, so it stands in its answer; alone it does not."""
    target = world.origin["head"].credentials["act"]
    enquiry = world.asked()
    raw = world.confirmed(world.confirmation(enquiry))
    lost = world.revoking(world.origin, world.origin.revoke(target, "compromised", ANSWERED + 1))
    assert answer(lost, raw).enquiry.raw == enquiry
    with pytest.raises(Refused, match="was compromised"):
        ask(lost, enquiry)
    before = world.revoking(world.origin, world.origin.revoke(target, "compromised", ANSWERED))
    with pytest.raises(Refused, match="was compromised"):
        answer(before, raw)


def test_credential_of_the_signer_had_expired(kz_by: World) -> None:
    side = kz_by.destination
    late = side.appoint("late", clearance="1", body=side.control.id, valid=(VALID_FROM, ANSWERED))
    knowing = kz_by.trusting(side.roster_of([late]))
    confirmation_refused(knowing, "is expired at the time of confirming a clearance", late)


# -- making --------------------------------------------------------------------------------------------------------------


def test_who_asks_needs_a_key_to_act(world: World) -> None:
    head = world.origin["head"]
    for purpose in ("acknowledge", "seal"):
        with pytest.raises(Refused, match=f"certified to {purpose}, not to act"):
            enquire(world.enquiry(), signer=head.credentials[purpose], key=head.keys[purpose], trust=world.trust, agreements=world.agreements)


def test_nothing_is_asked_or_answered_with_an_expired_roster(world: World) -> None:
    old = world.trusting(world.destination.roster_of(expires_at=ASKED))
    asking, answering = world.origin["head"], world.destination["head"]
    given: dict[str, Any] = {"trust": old.trust, "agreements": world.agreements}
    with pytest.raises(Refused, match=r"the roster of .* expired"):
        enquire(world.enquiry(), signer=asking.credentials["act"], key=asking.keys["act"], **given)
    with pytest.raises(Refused, match=r"the roster of .* expired"):
        confirm(world.confirmation(), signer=answering.credentials["act"], key=answering.keys["act"], **given)


def test_nobody_is_confirmed_above_his_clearance(world: World) -> None:
    """By his own credential he is not: then the roster and the confirmation would say different things (A1.8)."""
    head, junior = world.destination["head"], world.destination["junior"].open.subject
    said = world.confirmation(world.asked(world.enquiry(officers=(junior,))), cleared=(junior,))
    with pytest.raises(Refused, match=r"has no credential in force that is cleared to .*\(A1\.8, A4\.2\)"):
        confirm(said, signer=head.credentials["act"], key=head.keys["act"], trust=world.trust, agreements=world.agreements)
    no = replace(said, cleared=())
    made = confirm(no, signer=head.credentials["act"], key=head.keys["act"], trust=world.trust, agreements=world.agreements)
    assert made.said.cleared == ()


# -- who is confirmed, to what, until when -------------------------------------------------------------------------------


def seal_refused(
    world: World, path: Path, match: str, *confirmations: VerifiedConfirmation, error: type[ValizaError] = Refused, **changes: Any
) -> None:
    with pytest.raises(error, match=match):
        seal(world, path, *confirmations, **changes)


def test_no_confirmation(world: World, letter: Path) -> None:
    seal_refused(world, letter, r"no confirmation under the agreement .* says that the addressee 'chief' .* is cleared to .*\(A5\.1\)")


def test_somebody_else_was_asked_about(world: World, letter: Path) -> None:
    one = (world.destination["chief"].open.subject,)
    found = answered(world, world.asked(world.enquiry(officers=one)), cleared=one)
    seal_refused(world, letter, "no confirmation .* the addressee 'deputy'", found)


def test_an_enquiry_for_each_addressee(world: World, letter: Path) -> None:
    found = []
    for name in ("chief", "deputy"):
        one = (world.destination[name].open.subject,)
        found.append(answered(world, world.asked(world.enquiry(officers=one, enquiry_id=one[0] * 2)), cleared=one))
    basis = seal(world, letter, *found)
    assert [b.reference.rpartition(" ")[2] for b in basis[len(world.basis) :]] == [one.digest.hex() for one in found]


def test_confirmation_that_is_not_needed_is_not_named(world: World, letter: Path) -> None:
    junior = (world.destination["junior"].open.subject,)
    other = answered(world, world.asked(world.enquiry(officers=junior)), cleared=junior)
    good = answer(world)
    assert [b.reference.rpartition(" ")[2] for b in seal(world, letter, other, good)[len(world.basis) :]] == [good.digest.hex()]


def test_negative_answer(world: World, letter: Path) -> None:
    seal_refused(world, letter, rf"{world.destination.control} does not confirm that the addressee 'chief' is cleared", answered(world, cleared=()))


def test_one_of_two_is_cleared(world: World, letter: Path) -> None:
    chief = world.destination["chief"].open
    found = answered(world, cleared=(chief.subject,))
    seal_refused(world, letter, "does not confirm that the addressee 'deputy'", found)
    assert seal(world, letter, found, addressees=(chief,))


def test_expired_confirmation(world: World, letter: Path) -> None:
    seal_refused(world, letter, r"expired at 2026-03-02T09:00:00Z \(A5\.1\)", answered(world, valid_until=SEALED))
    seal_refused(world, letter, r"expired at 2026-03-02T08:59:59Z \(A5\.1\)", answered(world, valid_until=SEALED - 1))
    assert seal(world, letter, answered(world, valid_until=SEALED + 1))
    assert seal(world, letter, answered(world, valid_until=None))


def test_confirmed_to_a_lower_degree(world: World, letter: Path) -> None:
    lowest = next(m.code for m in reversed(world.profile.party(world.origin.party).marks) if world.mark(m.code) in world.profile.rows)
    found = answered(world, world.asked(world.enquiry(mark=world.mark(lowest))))
    seal_refused(world, letter, rf"no confirmation .* is cleared to {world.mark(world.code)}", found)


def test_confirmed_to_a_higher_degree(world: World, letter: Path) -> None:
    highest = world.profile.party(world.origin.party).marks[0].code
    assert seal(world, letter, answered(world, world.asked(world.enquiry(mark=world.mark(highest)))))


def test_not_cleared_to_a_higher_degree_says_nothing_of_a_lower(world: World, letter: Path) -> None:
    highest = world.profile.party(world.origin.party).marks[0].code
    no = answered(world, world.asked(world.enquiry(mark=world.mark(highest))), cleared=(), answered_at=ANSWERED + HOUR)
    seal_refused(world, letter, "no confirmation", no)
    assert seal(world, letter, no, answer(world))


def test_confirmation_under_another_agreement(kz_by: World, letter: Path) -> None:
    other = kz_by.amended(id="kz-by-2")
    two = (kz_by.agreement, other.agreement)
    for sealed, asked in (two, two[::-1]):
        both = replace(kz_by, agreement=sealed, agreements=Agreements(two))
        found = answered(both, both.asked(both.enquiry(agreement=asked.digest)))
        seal_refused(both, letter, f"no confirmation under the agreement {sealed.profile.id} version 1", found)


def test_confirmation_of_the_other_direction(kz_by: World, letter: Path) -> None:
    """The origin's own officers were confirmed to the destination."""
    back = kz_by.reversed()
    seal_refused(kz_by, letter, "no confirmation", answered(back))


def test_a_confirmation_says_nothing_of_marks_of_the_party_that_was_asked(kz_by: World) -> None:
    for world in (kz_by, kz_by.reversed()):
        told = answered(world)
        own, other = told.enquiry.said.mark, Mark(told.enquiry.said.asked.party, told.enquiry.said.mark.code)
        for person in told.said.cleared:
            assert (told.says(person, own), told.says(person, other)) == (True, None)
        assert told.says(bytes(16), own) is None


def test_answer_to_an_enquiry_about_another_body(kz_by: World, letter: Path) -> None:
    """Somebody has one subject in two bodies, and was confirmed in the other."""
    side = kz_by.destination
    chief = side["chief"].open
    double = side.appoint("double", clearance="1", body="BY-BANK", subject=chief.subject)
    knowing = kz_by.trusting(side.roster_of([double]))
    bank = Body(side.party, "BY-BANK")
    found = answered(knowing, knowing.asked(knowing.enquiry(destination=bank, officers=(chief.subject,))), cleared=(chief.subject,))
    seal_refused(knowing, letter, "no confirmation", found, addressees=(chief,))
    wanted: dict[str, Any] = {"agreement": knowing.agreement, "wanted": knowing.mark(knowing.code), "at": SEALED}
    assert Clearances([found]).require(double.open, **wanted) is found
    back = answered(knowing, knowing.asked(knowing.enquiry(officers=(chief.subject,))), cleared=(chief.subject,))
    assert Clearances([back]).require(chief, **wanted) is back
    with pytest.raises(Refused, match=f"no confirmation .* says that the addressee 'double' of {bank} is cleared"):
        Clearances([back]).require(double.open, **wanted)


def test_newest_number_counts(world: World, letter: Path) -> None:
    """Whatever its date, and in whatever order they are given."""
    enquiry = world.asked()
    yes = answered(world, enquiry, number=1)
    no = answered(world, enquiry, number=2, cleared=(), answered_at=ANSWERED - HOUR)
    again = answered(world, enquiry, number=3)
    for order in ((yes, no), (no, yes)):
        seal_refused(world, letter, "does not confirm", *order)
    assert seal(world, letter, again, yes, no)[-1] == again.basis


def test_two_answers_with_one_number(world: World, letter: Path) -> None:
    enquiry = world.asked()
    yes, no = answered(world, enquiry), answered(world, enquiry, cleared=())
    for order in ((yes, no), (no, yes)):
        seal_refused(world, letter, "two confirmations with the number 1", *order, error=Conflict)
    assert seal(world, letter, yes, answered(world, enquiry)), "the same said twice is no contradiction"


def test_latest_of_several_enquiries_counts(world: World, letter: Path) -> None:
    """A no to a later enquiry ends what an earlier one gave; of two at one time the no counts."""
    later = world.asked(world.enquiry(enquiry_id=bytes(32)))
    yes = answer(world)
    for at in (ANSWERED, ANSWERED + 1):
        no = answered(world, later, cleared=(), answered_at=at)
        for order in ((yes, no), (no, yes)):
            seal_refused(world, letter, "does not confirm", *order)
    assert seal(world, letter, yes, answered(world, later, cleared=(), answered_at=ANSWERED - 1))


def test_of_two_at_one_time_the_one_that_lasts_longer_counts(world: World, letter: Path) -> None:
    later = world.asked(world.enquiry(enquiry_id=bytes(32)))
    short, longer, endless = (answered(world, later, number=1, valid_until=SEALED), answer(world), answered(world, valid_until=None))
    for order in ((short, longer), (longer, short)):
        assert seal(world, letter, *order)[-1] == longer.basis
    for order in ((endless, longer), (longer, endless)):
        assert seal(world, letter, *order)[-1] == endless.basis


def test_expired_answer_that_is_the_latest_counts(world: World, letter: Path) -> None:
    """It was given for a time, on purpose: an older one without end does not outlive it."""
    later = world.asked(world.enquiry(enquiry_id=bytes(32)))
    short = answered(world, later, valid_until=SEALED, answered_at=ANSWERED + 1)
    seal_refused(world, letter, "expired", answered(world, valid_until=None), short)


def test_confirmed_person_with_a_renewed_key(world: World, letter: Path) -> None:
    """A confirmation is of a person: a later `open` credential of the same subject is covered."""
    side = world.destination
    chief = side["chief"].open
    renewed = side.appoint("chief renewed", clearance=side.root.degrees[0], subject=chief.subject)
    knowing = world.trusting(side.roster_of([renewed]))
    path = letter
    path.write_bytes(b"x")
    consignment = knowing.consignment(
        [knowing.carrier(path)], clearances=Clearances([answer(knowing)]), addressees=(renewed.open, side["deputy"].open)
    )
    assert knowing.seal(consignment).container


def test_confirmed_and_yet_not_cleared_by_his_credential(kz_by: World, letter: Path) -> None:
    """What a confirmation says takes the place of nothing (A4.2)."""
    junior = kz_by.destination["junior"].open
    found = answered(kz_by, kz_by.asked(kz_by.enquiry(officers=(junior.subject,))), cleared=(junior.subject,))
    seal_refused(kz_by, letter, r"'junior' is not cleared to BY:2 \(A4\.2, A5\.1\)", found, addressees=(junior,))


def test_more_bases_than_a_manifest_has(world: World, letter: Path) -> None:
    many = tuple(Basis("decision", f"No. {i}") for i in range(32))
    seal_refused(world, letter, "at most 32 bases, not 33", answer(world), basis=many, error=Malformed)


def test_opening_asks_for_no_confirmation(world: World, letter: Path, tmp_path: Path) -> None:
    """The destination opens without it: who gives asks, and who receives is bound by its own clearances."""
    letter.write_bytes(b"x")
    sealed = world.seal(world.consignment([world.carrier(letter)], clearances=Clearances([answer(world)])))
    world.open(sealed.container, tmp_path / "out", at=OPENED)
