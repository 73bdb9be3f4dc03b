"""Transport notices (specs/transport.md): what is told of a transport, by whom, to whom, and in what order."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.support.journals import journal_at
from tests.support.tamper import edited, flipped, more, put
from tests.support.world import ACKNOWLEDGED, DAY, HOUR, ISSUED, OPENED, SEALED, Exchange, Officer, World, countersigned, recorded, say

from valiza.envelope.acknowledgement import Acknowledgement, acknowledge
from valiza.envelope.agreement import Agreements
from valiza.envelope.notice import MAX_ESCORTS, MAX_NOTICES, Notice, Notices, VerifiedNotice, Way, notify, read_notice, read_notice_body
from valiza.envelope.receipt import Verdict, compare_with_record, read_receipt, verify_receipt
from valiza.envelope.route import Leg
from valiza.keys import labels
from valiza.keys.errors import Conflict, Malformed, NotAuthentic, Refused

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.tamper import Hook

LONGER: Final = (Leg("Астана", "Орша"), Leg("Орша", "Минск"))


def read(world: World, raw: bytes | None = None, *, at: int = OPENED) -> VerifiedNotice:
    """Read a notice: a good one, unless another is given."""
    return read_notice(raw or world.told(), trust=world.trust, agreements=world.agreements, at=at)


def tell(world: World, said: Notice, by: Officer | None = None) -> VerifiedNotice:
    """Have the product make a notice."""
    who = by or world.origin["clerk"]
    return notify(said, signer=who.credentials["transport"], key=who.keys["transport"], trust=world.trust, agreements=world.agreements)


def detour(world: World, **changes: Any) -> Notice:
    """A notice under an open stamp, of another way than the stamp's."""
    said = world.notice()
    assert said.way is not None
    return replace(said, way=replace(said.way, **changes), deviation="the bridge is closed")


# -- good ----------------------------------------------------------------------------------------------------------------


def test_told_and_read(world: World) -> None:
    said = world.notice()
    found = tell(world, said)
    assert read(world, found.raw) == found
    assert (found.said, found.signer.title, found.signed.core.origin) == (said, "clerk", world.origin.ministry)
    assert (said.way is None) == world.profile.closed


def test_what_is_made_by_hand_in_these_tests_is_good(world: World) -> None:
    said = world.notice(extensions={"~": 1})
    assert read(world, world.told(said)).said == said


def test_deviations_have_a_reason(kz_by: World) -> None:
    said = detour(kz_by, legs=LONGER)
    assert read(kz_by, kz_by.told(said)).said.deviation == "the bridge is closed"
    other_package = kz_by.notice(package="12/4", deviation="packed anew")
    assert read(kz_by, kz_by.told(other_package)).said.package == "12/4"


def test_another_package_under_a_closed_stamp(three_four: World) -> None:
    """Its number stands outside there too."""
    assert read(three_four, three_four.told(three_four.notice(package="9", deviation="packed anew"))).said.way is None


# -- form ----------------------------------------------------------------------------------------------------------------

FORMS: Final[dict[str, Hook]] = {
    "dispatch nil": put(None, 0),
    "dispatch over its limit": put(bytes((1 << 20) + 1), 0),
    "core nil": put(None, 1),
    "body told without party": put(["BY-KGB"], 2),
    "number zero": put(0, 3),
    "number too high": put(MAX_NOTICES + 1, 3),
    "first with one before it": put(bytes(32), 4),
    "second without one before it": put(2, 3),
    "digest of 31 bytes": put(bytes(31), 4),
    "leaves never": put(None, 5),
    "expected when it leaves": put(SEALED + HOUR, 6),
    "expected before it leaves": put(SEALED, 6),
    "no package number": put("", 7),
    "package number too long": put("1" * 65, 7),
    "way of two items": put(["road", "armed"], 8),
    "transport method in capitals": put("Road", 8, 0),
    "no leg": put([], 8, 2),
    "legs that do not connect": put([["a", "b"], ["c", "d"]], 8, 2),
    "too many legs": put([["a", "a"]] * 17, 8, 2),
    "deviation nil": put(None, 9),
    "escorts as text": put("Omarov", 10),
    "too many escorts": put(["x"] * (MAX_ESCORTS + 1), 10),
    "escort without a name": put([""], 10),
    "reference too long": put("x" * 1001, 11),
    "time as text": put("2026", 12),
    "unknown extension": put({"copy": 1}, 13),
    "a field more": more(None),
}


@pytest.mark.parametrize("name", FORMS)
def test_form(kz_by: World, name: str) -> None:
    body = edited(kz_by.notice().packed(), FORMS[name])
    with pytest.raises(Malformed):
        read_notice_body(body)
    with pytest.raises(Malformed):
        read(kz_by, say(labels.TRANSPORT_NOTICE, body, kz_by.origin["clerk"]))


def test_as_many_as_may_be(kz_by: World) -> None:
    said = kz_by.notice(number=MAX_NOTICES, previous=bytes(32), escorts=("x",) * MAX_ESCORTS)
    assert read_notice_body(said.packed()) == said


@pytest.mark.slow
def test_no_byte_can_be_altered(kz_by: World) -> None:
    """Every byte, those of the dispatch and core inside too."""
    raw = kz_by.told()
    for index in range(len(raw)):
        with pytest.raises((Malformed, NotAuthentic)):
            read(kz_by, flipped(raw, index))


def test_some_bytes_that_cannot_be_altered(world: World) -> None:
    raw = world.told()
    for index in range(0, len(raw), 211):
        with pytest.raises((Malformed, NotAuthentic)):
            read(world, flipped(raw, index, 0x80))


# -- against the stamp ---------------------------------------------------------------------------------------------------


def test_deviation_without_a_reason(kz_by: World) -> None:
    """Of the way in each of its parts, and of the package."""
    for said in (detour(kz_by, legs=LONGER), detour(kz_by, transport="rail"), kz_by.notice(package="12/4")):
        with pytest.raises(Malformed, match="gives a reason for deviating exactly when it deviates"):
            read(kz_by, kz_by.told(replace(said, deviation="")))


def test_reason_without_a_deviation(world: World) -> None:
    with pytest.raises(Malformed, match="gives a reason for deviating exactly when it deviates"):
        read(world, world.told(world.notice(deviation="to be safe")))


def test_what_a_closed_stamp_hides_is_not_told(three_four: World) -> None:
    route = three_four.route()
    for change in ({"way": Way.of_route(route)}, {"way": Way.of_route(route), "deviation": "shown"}, {"escorts": ("courier Omarov",)}):
        with pytest.raises(Malformed, match="under a closed one no escorts"):
            read(three_four, three_four.told(three_four.notice(**change)))


def test_way_that_is_not_told_under_an_open_stamp(kz_by: World) -> None:
    with pytest.raises(Malformed, match="the way exactly under an open stamp"):
        read(kz_by, kz_by.told(kz_by.notice(way=None)))


def test_deviating_to_what_the_agreement_does_not_allow(kz_by: World) -> None:
    for said, clause in ((detour(kz_by, transport="balloon"), "transport method 'balloon'"), (detour(kz_by, escort="nobody"), "escort form")):
        with pytest.raises(Refused, match=rf"{clause}.* is not allowed .*\(R13\)"):
            read(kz_by, kz_by.told(said))


# -- who tells whom ------------------------------------------------------------------------------------------------------


def test_told_by_another_body(world: World) -> None:
    """Of the other party, of the same party, of a third: the transport is the origin's."""
    for by in (world.destination["clerk"], world.origin["banker"], world.third["chief"]):
        with pytest.raises(Refused, match=r"is told of by .*\(R13\)"):
            read(world, world.told(by=by))


def test_told_with_a_key_for_something_else(world: World) -> None:
    chief = world.origin["chief"]
    header = replace(chief.header("sealer"), role="transport")
    raw = say(labels.TRANSPORT_NOTICE, world.notice().packed(), replace(chief, keys={**chief.keys, "transport": chief.keys["seal"]}), header=header)
    with pytest.raises(NotAuthentic, match="a seal credential cannot sign as transport"):
        read(world, raw)
    with pytest.raises(Refused, match="is certified to seal, not for transport"):
        notify(world.notice(), signer=chief.credentials["seal"], key=chief.keys["seal"], trust=world.trust, agreements=world.agreements)


def test_told_by_a_stranger(world: World) -> None:
    stranger = world.origin.appoint("stranger", clearance=None)
    with pytest.raises(NotAuthentic, match="in no roster that is trusted here"):
        read(world, world.told(by=stranger))


def test_told_to_whom_it_does_not_concern(world: World) -> None:
    for told, match in (
        (world.origin.control, "is told of the transport, which is no body of"),
        (world.third.control, "is told of the transport, which is no body of"),
        (world.destination.ministry, r"is no competent body of .*\(R4\(1\), A3\)"),
    ):
        with pytest.raises(Refused, match=match):
            read(world, world.told(world.notice(told=told)))


def test_told_to_a_body_that_was_designated(kz_by: World) -> None:
    side = kz_by.destination
    raw = kz_by.told(kz_by.notice(told=side.ministry))
    read(kz_by.designating(side, side.designate(side.ministry.id, "competent", SEALED)), raw)
    with pytest.raises(Refused, match="is no competent body"):
        read(kz_by.designating(side, side.designate(side.ministry.id, "competent", SEALED + 1)), raw)


# -- about which envelope ------------------------------------------------------------------------------------------------


def test_core_of_another_envelope(world: World) -> None:
    other = world.plan(seed="other").seal()
    with pytest.raises(NotAuthentic, match="was signed over another core"):
        read(world, world.told(world.notice(core=other.core)))


def test_dispatch_that_a_colleague_of_the_sealer_signed(world: World) -> None:
    forged = world.plan(signer=world.origin["deputy"]).seal()
    with pytest.raises(NotAuthentic, match="not signed by the sealer"):
        read(world, world.told(world.notice(forged)))


def test_something_else_in_the_place_of_the_dispatch(world: World, letter: Exchange) -> None:
    for other in (letter.receipt.raw, world.told(), b"", b"\xc0"):
        with pytest.raises(Malformed):
            read(world, world.told(world.notice(dispatch=other)))


def test_agreement_that_is_not_adopted(world: World) -> None:
    with pytest.raises(Refused, match="is not adopted here"):
        read_notice(world.told(), trust=world.trust, agreements=Agreements([]), at=OPENED)


def test_envelope_that_the_agreement_forbids(kz_by: World) -> None:
    forged = kz_by.plan(route=kz_by.route(transport="balloon")).seal()
    with pytest.raises(Refused, match="the transport method 'balloon' is not allowed"):
        read(kz_by, kz_by.told(kz_by.notice(forged)))


# -- when ----------------------------------------------------------------------------------------------------------------


def test_times(world: World) -> None:
    """To the second."""
    skew = world.profile.skew
    late = world.told(world.notice(told_at=OPENED + skew))
    read(world, late)
    with pytest.raises(Refused, match="was told of in the future"):
        read(world, late, at=OPENED - 1)
    read(world, world.told(world.notice(leaves_at=SEALED)))
    for said in (world.notice(told_at=SEALED - 1), world.notice(leaves_at=SEALED - 1)):
        with pytest.raises(Refused, match="before the envelope was sealed"):
            read(world, world.told(said))


def test_signer_who_has_left(world: World) -> None:
    former = world.origin["leaving"]
    read(world, world.told(world.notice(told_at=OPENED - 2 * HOUR), former))
    with pytest.raises(Refused, match="telling of a transport"):
        read(world, world.told(world.notice(told_at=OPENED), former))


@pytest.mark.parametrize("kind", ["retired", "suspended", "compromised"])
def test_signer_whose_key_was_revoked(kz_by: World, kind: str) -> None:
    """Dated before, it stands; with a stolen key only for who recorded it before."""
    credential = kz_by.origin["clerk"].credentials["transport"]
    raw = kz_by.told()
    at = kz_by.revoking(kz_by.origin, kz_by.origin.revoke(credential, kind, SEALED))
    with pytest.raises(Refused, match=f"was {kind} .*telling of a transport"):
        read(at, raw)
    after = kz_by.revoking(kz_by.origin, kz_by.origin.revoke(credential, kind, SEALED + 1))
    if kind != "compromised":
        read(after, raw)
        return
    with pytest.raises(Refused, match="compromised"):
        read(after, raw)

    class Remembers:
        def first_seen(self, dispatch_digest: bytes, statement: bytes) -> int | None:  # noqa: ARG002 - the protocol's
            return SEALED if statement == raw else None

    read_notice(raw, trust=after.trust, agreements=after.agreements, at=OPENED, seen=Remembers())


def test_making_one_with_an_expired_roster(world: World) -> None:
    stale = world.trusting(world.destination.roster_of(expires_at=ISSUED + DAY))
    with pytest.raises(Refused, match=r"roster of .* expired"):
        tell(stale, stale.notice())


# -- several -------------------------------------------------------------------------------------------------------------


def series(world: World, exchange: Exchange, count: int) -> list[VerifiedNotice]:
    """Notices of one envelope, each after the one before."""
    found: list[VerifiedNotice] = []
    for number in range(1, count + 1):
        previous = found[-1].digest if found else None
        said = world.notice(exchange.sealed, number=number, previous=previous, told_at=SEALED + number)
        found.append(read(world, world.told(said)))
    return found


def test_the_highest_number_counts_in_whatever_order_they_come(letter: Exchange) -> None:
    one, two, three = series(letter.world, letter, 3)
    for given in ([one, two, three], [three, one, two], [two, three, two, one]):
        found = Notices(given)
        assert (found.all, found.last, found.missing, found.unconnected, found.conflict) == ((one, two, three), three, (), (), None)
    assert (Notices([]).last, Notices([]).missing) == (None, ())


def test_missing_numbers_are_told(letter: Exchange) -> None:
    one, two, _, four = series(letter.world, letter, 4)
    assert Notices([one, four]).missing == (2, 3)
    assert Notices([two, four]).missing == (1, 3)


def test_what_has_a_hole_before_it_does_not_count(letter: Exchange) -> None:
    """A thief's number 1000, after which no other could come; and any that hangs on what the reader does not have."""
    world = letter.world
    one, two, three, four = series(world, letter, 4)
    far = read(world, world.told(replace(four.said, number=1000, previous=bytes(32))))
    found = Notices([far, two, one])
    assert (found.last, found.unconnected, found.conflict) == (two, (far,), None)
    assert (Notices([one, three, four]).last, Notices([one, three, four]).unconnected) == (one, (three, four))
    assert (Notices([two]).last, Notices([two]).counted) == (None, ())


def test_in_a_conflict_nothing_counts_from_its_number_on(letter: Exchange) -> None:
    world = letter.world
    one, two, three = series(world, letter, 3)
    again = read(world, world.told(two.said))
    loose = read(world, world.told(replace(two.said, previous=bytes(32))))
    early = read(world, world.told(replace(two.said, told_at=one.said.told_at - 1)))
    for given in ([one, two, again, three], [one, loose, three], [three, early, one]):
        found = Notices(given)
        assert (found.last, found.conflict_at) == (one, 2)
        assert three in found.unconnected
        assert found.conflict is not None
    assert Notices([one, two, three, read(world, world.told(three.said))]).last == two


def test_two_with_one_number(letter: Exchange) -> None:
    """The same words signed twice are two acts already."""
    one, _ = series(letter.world, letter, 2)
    again = read(letter.world, letter.world.told(one.said))
    found = Notices([one, again])
    assert isinstance(found.conflict, Conflict)
    assert found.conflict.message == "two transport notices of one envelope have the number 1"
    assert (found.last, found.unconnected) == (None, found.all)


def test_one_that_does_not_follow_the_one_before(letter: Exchange) -> None:
    world = letter.world
    one, two = series(world, letter, 2)
    other = read(world, world.told(replace(two.said, previous=bytes(32))))
    conflict = Notices([other, one]).conflict
    assert isinstance(conflict, Conflict)
    assert conflict.message.startswith("the transport notice 2 does not follow the notice 1")


def test_times_that_run_back(letter: Exchange) -> None:
    world = letter.world
    one, two = series(world, letter, 2)
    early = read(world, world.told(replace(two.said, told_at=one.said.told_at - 1)))
    conflict = Notices([one, early]).conflict
    assert conflict is not None
    assert "is dated before the notice 1" in conflict.message


def test_of_two_envelopes(letter: Exchange) -> None:
    (one,) = series(letter.world, letter, 1)
    with pytest.raises(Refused, match="about different envelopes"):
        Notices([one, read(letter.world)])
    later = read(letter.world, letter.world.told(letter.world.notice(number=2, previous=one.digest)))
    with pytest.raises(Refused, match="about different envelopes"):
        Notices([one, later])


# -- in an acknowledgement -----------------------------------------------------------------------------------------------


def test_acknowledgement_names_the_last_notice_on_record_and_the_origin_compares_it(letter: Exchange, tmp_path: Path) -> None:
    """The last by number, whenever it came; and only what the origin made."""
    world, opener = letter.world, letter.world.destination["chief"]
    one, two = series(world, letter, 2)
    here = journal_at(tmp_path / "destination.db", world.destination.ministry)
    here.record_opening(letter.opening, letter.sealed.name, at=OPENED)
    for notice in (two, one):
        assert here.record_statement("notice", notice.raw, letter.sealed.name, at=OPENED)
    made = acknowledge(
        letter.opening,
        signer=opener.credentials["acknowledge"],
        key=opener.keys["acknowledge"],
        trust=world.trust,
        journal=here,
        at=ACKNOWLEDGED,
    )
    answer = world.read_answer(made.raw)
    assert isinstance(answer.answer, Acknowledgement)
    assert answer.answer.notice == two.digest
    authentic = read_receipt(countersigned(made.raw, world.countersigner), trust=world.trust, agreements=world.agreements)
    assert verify_receipt(authentic).not_compared[-1] == "notice"
    there = recorded(letter.sealed, tmp_path / "origin.db")
    there.record_statement("notice", one.raw, letter.sealed.name, at=SEALED + 1)
    with pytest.raises(NotAuthentic, match="names a transport notice that was not made here"):
        verify_receipt(authentic, own=world.origin.ministry, journal=there)
    there.record_statement("notice", two.raw, letter.sealed.name, at=SEALED + 2)
    found = verify_receipt(authentic, own=world.origin.ministry, journal=there)
    assert (found.verdict, found.not_compared) == (Verdict.DELIVERED, ())


def test_acknowledgement_without_a_notice_says_so(letter: Exchange) -> None:
    """Nothing came, or nothing was told: no difference, even where the origin had told."""
    answer = letter.world.read_answer(letter.acknowledgement.raw)
    assert isinstance(answer.answer, Acknowledgement)
    assert answer.answer.notice is None
    compare_with_record(answer, letter.expectation, [bytes(32)])
