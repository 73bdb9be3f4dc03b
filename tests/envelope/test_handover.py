"""Hand-over records (specs/transport.md): each by itself. How they fit together is in test_custody."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.support.tamper import edited, flipped, more, put
from tests.support.world import DAY, HOUR, ISSUED, OPENED, SEALED, Exchange, Officer, World, say

from valiza.envelope.agreement import Agreements
from valiza.envelope.handover import Giver, Handover, VerifiedHandover, peek_handover, read_handover, read_handover_body, take_over
from valiza.keys import labels
from valiza.keys.errors import Malformed, NotAuthentic, Refused

if TYPE_CHECKING:
    from tests.support.tamper import Hook


def first(exchange: Exchange) -> Handover:
    """The origin's chief gives to his colleague."""
    return exchange.world.handover(exchange.sealed, exchange.world.origin["chief"])


def read(exchange: Exchange, raw: bytes, *, at: int = OPENED, world: World | None = None) -> VerifiedHandover:
    """Read a hand-over of the exchange's envelope."""
    by = world or exchange.world
    signed = exchange.world.authenticate(exchange.sealed.container).signed
    return read_handover(raw, signed=signed, trust=by.trust, agreements=by.agreements, at=at)


def hand(exchange: Exchange, said: Handover | None = None, by: Officer | None = None) -> bytes:
    """Signed by hand."""
    return exchange.world.taken(said or first(exchange), by or exchange.world.origin["clerk"])


def test_taken_and_read(exchange: Exchange) -> None:
    world, said = exchange.world, first(exchange)
    clerk = world.origin["clerk"]
    signed = world.authenticate(exchange.sealed.container).signed
    found = take_over(
        said, signed=signed, signer=clerk.credentials["transport"], key=clerk.keys["transport"], trust=world.trust, agreements=world.agreements
    )
    assert read(exchange, found.raw) == found
    assert (found.said, found.taker.title, found.giver and found.giver.title) == (said, "clerk", "chief")
    assert peek_handover(found.raw) == said


def test_what_is_made_by_hand_in_these_tests_is_good(exchange: Exchange) -> None:
    """By bodies of either party; from somebody without a credential; with a broken seal that is told."""
    world, said = exchange.world, first(exchange)
    nobody = replace(said, giver=Giver(name="driver", body=world.origin.ministry, credential=None))
    found = replace(said, intact=False, condition="damaged", remark="cut open at one side", extensions={"~": 1})
    for one in (said, nobody, found):
        for by in (world.origin["clerk"], world.origin["banker"], world.destination["banker"]):
            assert read(exchange, hand(exchange, one, by)).said == one


def test_taking_over_with_an_expired_roster(exchange: Exchange) -> None:
    """A courier on his way has no later one."""
    world, clerk = exchange.world, exchange.world.origin["clerk"]
    stale = world.trusting(world.origin.roster_of(expires_at=ISSUED + DAY), world.destination.roster_of(expires_at=ISSUED + DAY))
    signed = world.authenticate(exchange.sealed.container).signed
    take_over(
        first(exchange),
        signed=signed,
        signer=clerk.credentials["transport"],
        key=clerk.keys["transport"],
        trust=stale.trust,
        agreements=stale.agreements,
    )


# -- form ----------------------------------------------------------------------------------------------------------------

FORMS: Final[dict[str, Hook]] = {
    "dispatch of 31 bytes": put(bytes(31), 0),
    "origin nil": put(None, 1),
    "envelope id of 31 bytes": put(bytes(31), 2),
    "leg below the first": put(None, 3),
    "leg above the last": put(17, 3),
    "place nil": put(None, 4),
    "who gave nil": put(None, 5),
    "who gave without a name": put("", 5, 0),
    "who gave without a body": put(None, 5, 1),
    "credential of 16 bytes": put(bytes(16), 5, 2),
    "one item more of who gave": put(["chief", ["KZ", "KZ-MFA"], None, 1], 5),
    "taken never": put(None, 6),
    "seal as a number": put(1, 7),
    "unknown condition": put("lost", 8),
    "remark nil": put(None, 9),
    "broken seal without a remark": put(False, 7),  # noqa: FBT003 - what stands on the wire
    "damage without a remark": put("damaged", 8),
    "package number nil": put(None, 10),
    "package number empty": put("", 10),
    "package number too long": put("x" * 65, 10),
    "previous nil": put(None, 11),
    "unknown extension": put({"copy": 1}, 12),
    "a field more": more(None),
}


@pytest.mark.parametrize("name", FORMS)
def test_form(letter: Exchange, name: str) -> None:
    body = edited(first(letter).packed(), FORMS[name])
    with pytest.raises(Malformed):
        read_handover_body(body)
    with pytest.raises(Malformed):
        read(letter, say(labels.HANDOVER, body, letter.world.origin["clerk"]))


@pytest.mark.slow
def test_no_byte_can_be_altered(letter: Exchange) -> None:
    raw = hand(letter)
    for index in range(len(raw)):
        with pytest.raises((Malformed, NotAuthentic)):
            read(letter, flipped(raw, index))


def test_some_bytes_that_cannot_be_altered(exchange: Exchange) -> None:
    raw = hand(exchange)
    for index in range(0, len(raw), 97):
        with pytest.raises((Malformed, NotAuthentic)):
            read(exchange, flipped(raw, index, 0x80))


# -- of which envelope ---------------------------------------------------------------------------------------------------


def test_of_another_envelope(exchange: Exchange) -> None:
    """Each of the three that name it."""
    world, said = exchange.world, first(exchange)
    other = world.plan(seed="other").seal()
    for one in (
        world.handover(other, world.origin["chief"]),
        replace(said, dispatch_digest=other.expectation.dispatch_digest),
        replace(said, origin=world.origin.control),
        replace(said, envelope_id=bytes(32)),
    ):
        with pytest.raises(NotAuthentic, match="is of another envelope"):
            read(exchange, hand(exchange, one))


def test_place_is_shown_exactly_under_an_open_stamp(exchange: Exchange) -> None:
    said = first(exchange)
    with pytest.raises(Malformed, match="names the place exactly under an open stamp"):
        read(exchange, hand(exchange, replace(said, place="" if said.place else "Astana")))


def test_under_an_agreement_that_is_not_adopted(exchange: Exchange) -> None:
    world = replace(exchange.world, agreements=Agreements([]))
    with pytest.raises(Refused, match="is not adopted here"):
        read(exchange, hand(exchange), world=world)


# -- who -----------------------------------------------------------------------------------------------------------------


def test_of_a_third_party(exchange: Exchange) -> None:
    """As taker, or as giver."""
    world, said = exchange.world, first(exchange)
    third = world.third["chief"]
    given = replace(said, giver=Giver(name="chief", body=third.body, credential=None))
    for raw in (hand(exchange, by=third), hand(exchange, given)):
        with pytest.raises(Refused, match="only bodies of"):
            read(exchange, raw)


def test_giver_with_a_credential_that_is_not_his(exchange: Exchange) -> None:
    world, said = exchange.world, first(exchange)
    elsewhere = replace(said.giver, credential=world.origin["banker"].open.digest)
    with pytest.raises(Refused, match=r"is named as of .*, and his credential is of") as caught:
        read(exchange, hand(exchange, replace(said, giver=elsewhere)))
    assert str(world.origin["banker"].body) in caught.value.message
    unknown = replace(said.giver, credential=bytes(32))
    with pytest.raises(Refused, match="the credential of who gave is in no roster"):
        read(exchange, hand(exchange, replace(said, giver=unknown)))


def test_taken_with_a_key_for_something_else(exchange: Exchange) -> None:
    chief = exchange.world.origin["chief"]
    header = replace(chief.header("acknowledger"), role="transport")
    forged = replace(chief, keys={**chief.keys, "transport": chief.keys["acknowledge"]})
    with pytest.raises(NotAuthentic, match="a acknowledge credential cannot sign as transport"):
        read(exchange, say(labels.HANDOVER, first(exchange).packed(), forged, header=header))
    signed = exchange.world.authenticate(exchange.sealed.container).signed
    given: dict[str, Any] = {"trust": exchange.world.trust, "agreements": exchange.world.agreements}
    with pytest.raises(Refused, match="is certified to acknowledge, not for transport"):
        take_over(first(exchange), signed=signed, signer=chief.credentials["acknowledge"], key=chief.keys["acknowledge"], **given)


def test_taken_by_a_stranger(exchange: Exchange) -> None:
    stranger = exchange.world.origin.appoint("stranger", clearance=None)
    with pytest.raises(NotAuthentic, match="in no roster that is trusted here"):
        read(exchange, hand(exchange, by=stranger))


def test_notice_in_its_place(exchange: Exchange) -> None:
    """The same role, the same key: another type."""
    with pytest.raises(Malformed, match="is not 'valiza/v1/handover'"):
        read(exchange, exchange.world.told())


# -- when ----------------------------------------------------------------------------------------------------------------


def test_times(exchange: Exchange) -> None:
    """To the second, with the skew of two clocks."""
    said, skew = first(exchange), exchange.world.profile.skew
    read(exchange, hand(exchange, replace(said, taken_at=SEALED - skew)))
    with pytest.raises(Refused, match="taken over before it was sealed"):
        read(exchange, hand(exchange, replace(said, taken_at=SEALED - skew - 1)))
    late = hand(exchange, replace(said, taken_at=OPENED + skew))
    read(exchange, late)
    with pytest.raises(Refused, match="taken over in the future"):
        read(exchange, late, at=OPENED - 1)


def test_taker_who_has_left(exchange: Exchange) -> None:
    leaving = exchange.world.origin["leaving"]
    read(exchange, hand(exchange, by=leaving))
    with pytest.raises(Refused, match="taking an envelope over"):
        read(exchange, hand(exchange, replace(first(exchange), taken_at=OPENED), leaving))


@pytest.mark.parametrize("kind", ["retired", "suspended", "compromised"])
def test_taker_whose_key_was_revoked(letter: Exchange, kind: str) -> None:
    world, raw = letter.world, hand(letter)
    credential = world.origin["clerk"].credentials["transport"]
    at = world.revoking(world.origin, world.origin.revoke(credential, kind, SEALED + HOUR))
    with pytest.raises(Refused, match=f"was {kind} .*taking an envelope over"):
        read(letter, raw, world=at)
    after = world.revoking(world.origin, world.origin.revoke(credential, kind, SEALED + HOUR + 1))
    if kind == "compromised":
        with pytest.raises(Refused, match="compromised"):
            read(letter, raw, world=after)
    else:
        read(letter, raw, world=after)
