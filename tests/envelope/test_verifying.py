"""Verifying without a key: what each state says, and which step finds what (specs/envelope.md, Reading 1 to 9)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.support.tamper import LOW_ORDER_X25519, flipped, more, put, split
from tests.support.world import DAY, DUE, OPENED, SEALED, Exchange, World

from valiza.envelope.agreement import Agreements
from valiza.envelope.route import Leg, Marks
from valiza.envelope.verifying import HIDDEN, AuthenticDispatch, VerifiedDispatch, VerifiedEnvelope, verify_envelope
from valiza.keys.errors import Malformed, NotAuthentic, Refused
from valiza.keys.fields import Body, Mark

if TYPE_CHECKING:
    from tests.support.tamper import Hook


def test_three_states(exchange: Exchange) -> None:
    world, container = exchange.world, exchange.sealed.container
    authentic = world.authenticate(container)
    assert isinstance(authentic, AuthenticDispatch)
    assert authentic.core.raw == exchange.sealed.envelope.core.raw
    assert authentic.addressees == exchange.expectation.addressees
    verified = world.verify(container)
    assert isinstance(verified, VerifiedDispatch)
    assert verified.agreement.digest == world.agreement.digest
    assert {c.digest for c in verified.addressees} == set(exchange.expectation.addressees)
    whole = verify_envelope(verified)
    assert isinstance(whole, VerifiedEnvelope)
    assert whole.signed.digest == exchange.sealed.envelope.dispatch.digest


def test_what_a_closed_stamp_keeps_from_a_reader_without_a_key(letter: Exchange, closed_letter: Exchange) -> None:
    assert letter.world.verify(letter.sealed.container).unchecked == ()
    assert closed_letter.world.verify(closed_letter.sealed.container).unchecked == HIDDEN
    assert HIDDEN == ("marks", "transport", "escort", "legs", "reference", "clearances")


def test_progress_is_told_over_all_ciphertext(exchange: Exchange) -> None:
    told = list[int]()
    verified = exchange.world.verify(exchange.sealed.container)
    verify_envelope(verified, told.append)
    assert sum(told) == verified.signed.body.payload_length


def test_expired_rosters_do_not_matter(world: World) -> None:
    container = world.plan().seal().container
    late = world.trusting(world.origin.roster_of(expires_at=OPENED), world.destination.roster_of(expires_at=OPENED))
    late.verify_whole(container, at=OPENED + 300 * DAY)


def test_remarks_and_unknown_attachments_are_ignored(world: World) -> None:
    forged = world.plan().seal(core=put({"~core": "x"}, 7), dispatch=lambda items: put([["photo", b"x"]], 6)(put({"~dispatch": None}, 7)(items)))
    verified = world.verify_whole(forged.container).verified
    assert verified.core.extensions == {"~core": "x"}
    assert verified.signed.body.extensions == {"~dispatch": None}
    assert verified.signed.body.attachments == (("photo", b"x"),)


# -- steps 1 to 6: the dispatch is authentic -----------------------------------------------------------------------------


def test_footer_of_other_lengths(kz_by: World) -> None:
    """Any offset can be moved, but the dispatch signs the lengths."""
    container = kz_by.plan().seal().container
    sections = split(container)
    moved = {
        "core": replace(sections, core=sections.core + sections.stanzas[:1], stanzas=sections.stanzas[1:]),
        "header": replace(sections, stanzas=sections.stanzas + sections.streams[:1], streams=sections.streams[1:]),
        "header shorter": replace(sections, stanzas=sections.stanzas[:-1], streams=sections.stanzas[-1:] + sections.streams),
        "manifest": replace(sections, streams=sections.streams[:-1], manifest=sections.streams[-1:] + sections.manifest),
    }
    for what, pieces in moved.items():
        altered = pieces.join()
        assert altered[:-44] == container[:-44], what
        with pytest.raises(NotAuthentic):
            kz_by.authenticate(altered)


@pytest.mark.parametrize("index", range(4))
def test_each_length_is_signed(kz_by: World, index: int) -> None:
    forged = kz_by.plan().seal(dispatch=lambda items: put(items[4][index] + 1, 4, index)(items))
    with pytest.raises(NotAuthentic, match="footer is not the one of the signed dispatch"):
        kz_by.authenticate(forged.container)


def test_header_of_another_digest(kz_by: World) -> None:
    with pytest.raises(NotAuthentic, match="header is not the one signed"):
        kz_by.authenticate(kz_by.plan().seal(dispatch=put(bytes(32), 1)).container)


def test_core_of_another_digest(kz_by: World) -> None:
    with pytest.raises(NotAuthentic, match="over another core"):
        kz_by.authenticate(kz_by.plan().seal(dispatch=put(bytes(32), 0)).container)


@pytest.mark.parametrize("section", ["core", "stanzas"])
def test_altered_header(kz_by: World, section: str) -> None:
    sections = split(kz_by.plan().seal().container)
    for at in range(13, len(getattr(sections, section)), 53):
        altered = replace(sections, **{section: flipped(getattr(sections, section), at)})
        with pytest.raises(NotAuthentic):
            kz_by.authenticate(altered.join())


SIGNED_NONSENSE: dict[str, tuple[dict[str, Hook], str]] = {
    "core an item more": ({"core": more(0)}, "8 items"),
    "core an unknown extension": ({"core": put({"x": 1}, 7)}, "unknown extension"),
    "legs that do not connect": ({"core": put([["a", "b"], ["c", "d"]], 6, 3, 3)}, r"\(R13\)"),
    "no stanzas": ({"stanzas": lambda _: []}, "stanzas"),
    "stanzas unsorted": ({"stanzas": lambda items: items[::-1]}, "ascending"),
    "one stanza twice": ({"stanzas": lambda items: [items[0], items[0]]}, "ascending"),
    "stanza an item more": ({"stanzas": put(None, 0, 1)}, "wrapped key"),
    "dispatch an item more": ({"dispatch": more(0)}, "8 items"),
}


@pytest.mark.parametrize("case", SIGNED_NONSENSE)
def test_what_a_hostile_origin_signs_is_malformed_still(kz_by: World, case: str) -> None:
    hooks, message = SIGNED_NONSENSE[case]
    forged = kz_by.plan().seal(core=hooks.get("core", _same), stanzas=hooks.get("stanzas", _same), dispatch=hooks.get("dispatch", _same))
    with pytest.raises(Malformed, match=message):
        kz_by.authenticate(forged.container)


def _same(items: list[object]) -> list[object]:
    return items


@pytest.mark.parametrize("name", LOW_ORDER_X25519)
def test_low_order_key_in_a_signed_stanza(kz_by: World, name: str) -> None:
    def hook(items: list[list[bytes]]) -> list[list[bytes]]:
        items[0][1] = items[0][1][:1088] + LOW_ORDER_X25519[name] + items[0][1][1120:]
        return items

    with pytest.raises(Malformed, match="X25519 half of an encapsulation"):
        kz_by.authenticate(kz_by.plan().seal(stanzas=hook).container)


def test_prefix_of_core_is_read_before_any_signature(kz_by: World) -> None:
    container = kz_by.plan().seal().container
    for altered in (flipped(container, 9), flipped(container, 11)):
        with pytest.raises(Malformed, match="only version 1, suite 1 is known"):
            kz_by.authenticate(altered)


# -- steps 7 and 8: the agreement and the officers (more in test_attacks_marks) ------------------------------------------


def test_agreement_that_is_not_adopted(kz_by: World) -> None:
    container = kz_by.plan().seal().container
    other = kz_by.amended(skew=301)
    with pytest.raises(Refused, match="not adopted here"):
        other.verify(container)


def test_agreement_of_other_parties(kz_by: World, three_four: World) -> None:
    forged = kz_by.plan(agreement=three_four.agreement.digest).seal()
    world = replace(kz_by, agreements=Agreements([kz_by.agreement, three_four.agreement]))
    with pytest.raises(Refused, match="BY is not a party to the agreement three-four"):
        world.verify(forged.container)


def test_stamp_of_another_form_than_the_agreement_s(kz_by: World, three_four: World) -> None:
    with pytest.raises(Refused, match="the stamp is not open"):
        kz_by.verify(kz_by.plan(closed=True).seal().container)
    with pytest.raises(Refused, match="the stamp is not closed"):
        three_four.verify(three_four.plan(closed=False).seal().container)


def test_receipt_due_before_sealing(world: World) -> None:
    world.verify(world.plan(due_at=SEALED).seal().container)
    with pytest.raises(Refused, match="receipt was due before"):
        world.verify(world.plan(due_at=SEALED - 1).seal().container)


def test_overdue_envelope_is_verified_all_the_same(world: World) -> None:
    world.verify(world.plan().seal().container, at=DUE + DAY)


def test_addressee_in_no_roster(kz_by: World) -> None:
    stranger = kz_by.destination.appoint("stranger", clearance="1")
    forged = kz_by.plan(addressees=(kz_by.destination["chief"].open, stranger.open)).seal()
    with pytest.raises(Refused, match="in no roster"):
        kz_by.verify(forged.container)
    kz_by.trusting(kz_by.destination.roster_of([stranger])).verify(forged.container)


def test_addressee_who_left_since_is_no_reason(kz_by: World) -> None:
    """Valid at the time of sealing is what counts for the header; whether he may still open, only opening asks."""
    kz_by.verify(kz_by.plan(addressees=(kz_by.destination["leaving"].open,)).seal().container, at=OPENED)


def test_channel_of_a_closed_stamp_is_checked_as_far_as_it_shows(three_four: World) -> None:
    with pytest.raises(Refused, match=r"no channel of the agreement three-four \(R12, A5.4\)"):
        three_four.verify(three_four.plan(channel="diplomatic").seal().container)


def test_without_a_key_a_closed_stamp_hides_what_is_forbidden(three_four: World) -> None:
    """Said in `unchecked`, and found when it is opened: test_attacks_marks."""
    marks = Marks(Mark("AA", "A"), Mark("BB", "4"))
    forged = three_four.plan(route=replace(three_four.route(), marks=marks, legs=(Leg("a", "b"),))).seal()
    assert "marks" in three_four.verify_whole(forged.container).verified.unchecked


# -- step 9: the ciphertext ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("section", ["streams", "manifest"])
def test_altered_ciphertext(exchange: Exchange, section: str) -> None:
    sections = split(exchange.sealed.container)
    stream = getattr(sections, section)
    for at in (0, len(stream) // 2, len(stream) - 1):
        verified = exchange.world.verify(replace(sections, **{section: flipped(stream, at)}).join())
        with pytest.raises(NotAuthentic, match="payload is not the one signed"):
            verify_envelope(verified)


def test_destination_is_not_asked_who_reads(kz_by: World) -> None:
    """A gateway, an arbiter or a third body verifies: nothing in steps 1 to 9 is about the reader."""
    forged = kz_by.plan(destination=Body("BY", "BY-BANK"), confirming=Body("BY", "BY-BANK"), addressees=(kz_by.destination["banker"].open,)).seal()
    kz_by.verify_whole(forged.container)
