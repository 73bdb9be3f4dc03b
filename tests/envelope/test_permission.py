"""What an agreement permits, one rule after another; each refusal names its clause (specs/envelope.md, Reading 7, 8 and 13)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.support.world import DAY, SEALED

from valiza.envelope import permission
from valiza.envelope.manifest import Basis
from valiza.envelope.route import Marks
from valiza.keys.errors import Malformed, Refused
from valiza.keys.fields import Body, Mark

if TYPE_CHECKING:
    from tests.support.world import World

    from valiza.envelope.manifest import Entry

KZ, BY, TS = Body("KZ", "KZ-MFA"), Body("BY", "BY-MFA"), Body("TS", "TS-MFA")


# -- bodies --------------------------------------------------------------------------------------------------------------


def test_bodies_of_the_two_parties(kz_by: World) -> None:
    permission.require_bodies(kz_by.profile, kz_by.trust, origin=KZ, destination=BY, confirming=BY, at=SEALED)
    permission.require_bodies(kz_by.profile, kz_by.trust, origin=BY, destination=KZ, confirming=KZ, at=SEALED)


@pytest.mark.parametrize(
    ("origin", "destination", "confirming", "clause"),
    [
        (KZ, Body("KZ", "KZ-BANK"), Body("KZ", "KZ-BANK"), r"of one party: .* \(R2\)"),
        (TS, BY, BY, "TS is not a party"),
        (KZ, TS, TS, "TS is not a party"),
        (KZ, BY, Body("BY", "BY-KGB"), r"BY/BY-KGB does not confirm .*\(R12, A5.4\)"),
        (KZ, BY, Body("KZ", "BY-MFA"), r"does not confirm .*\(R12, A5.4\)"),
        (KZ, BY, Body("AA", "BY-MFA"), r"does not confirm .*\(R12, A5.4\)"),
    ],
    ids=["one party", "origin of a third", "destination of a third", "who does not confirm", "who confirms for another party", "or for a third"],
)
def test_other_bodies(kz_by: World, origin: Body, destination: Body, confirming: Body, clause: str) -> None:
    with pytest.raises(Refused, match=clause):
        permission.require_bodies(kz_by.profile, kz_by.trust, origin=origin, destination=destination, confirming=confirming, at=SEALED)


def test_confirming_body_that_is_not_the_destination(three_four: World) -> None:
    profile = three_four.profile
    origin, destination = three_four.origin.ministry, three_four.destination.ministry
    permission.require_bodies(profile, three_four.trust, at=SEALED, origin=origin, destination=destination, confirming=Body("BB", "BB-CTRL"))
    with pytest.raises(Refused, match=r"\(R12, A5.4\)") as caught:
        permission.require_bodies(profile, three_four.trust, at=SEALED, origin=origin, destination=destination, confirming=destination)
    assert "BB-CTRL" in caught.value.hint


def test_destination_among_other_confirming_bodies(kz_by: World) -> None:
    one, two = kz_by.profile.parties
    profile = replace(kz_by.profile, parties=(replace(one, confirming=("BY-KGB", "destination")), two))
    for confirming in (BY, Body("BY", "BY-KGB")):
        permission.require_bodies(profile, kz_by.trust, at=SEALED, origin=KZ, destination=BY, confirming=confirming)
    with pytest.raises(Refused, match="R12"):
        permission.require_bodies(profile, kz_by.trust, at=SEALED, origin=KZ, destination=BY, confirming=Body("BY", "BY-BANK"))


def test_confirming_body_that_was_designated(kz_by: World) -> None:
    bank = Body("BY", "BY-BANK")
    world = kz_by.designating(kz_by.destination, kz_by.destination.designate("BY-BANK", "confirming", SEALED, effective_until=SEALED + 9))
    for at, good in ((SEALED - 1, False), (SEALED, True), (SEALED + 8, True), (SEALED + 9, False)):
        permission.require_bodies(world.profile, world.trust, origin=KZ, destination=BY, confirming=BY, at=at)
        if good:
            permission.require_bodies(world.profile, world.trust, origin=KZ, destination=BY, confirming=bank, at=at)
            continue
        with pytest.raises(Refused, match=r"BY/BY-BANK does not confirm .*\(R12, A5.4\)"):
            permission.require_bodies(world.profile, world.trust, origin=KZ, destination=BY, confirming=bank, at=at)


def test_body_designated_in_the_place_of_the_destination(kz_by: World) -> None:
    """The agreement's word for the destination stands for this one, and is replaced like any other body."""
    side = kz_by.destination
    world = kz_by.designating(side, side.designate("BY-BANK", "confirming", SEALED, replaces="BY-MFA"))
    assert permission.confirming_bodies(world.profile, world.trust, BY, SEALED) == ("BY-BANK",)
    assert permission.confirming_bodies(world.profile, world.trust, Body("BY", "BY-KGB"), SEALED) == ("BY-KGB",)
    with pytest.raises(Refused, match=r"\(R12, A5.4\)") as caught:
        permission.require_bodies(world.profile, world.trust, origin=KZ, destination=BY, confirming=BY, at=SEALED)
    assert caught.value.hint == "confirming bodies: BY-BANK"


def test_each_party_designates_its_own_bodies(kz_by: World) -> None:
    world = kz_by.designating(kz_by.origin, kz_by.origin.designate("BY-BANK", "confirming", SEALED))
    with pytest.raises(Refused, match=r"\(R12, A5.4\)"):
        permission.require_bodies(world.profile, world.trust, origin=KZ, destination=BY, confirming=Body("BY", "BY-BANK"), at=SEALED)


def test_competent_bodies(kz_by: World) -> None:
    (named, *_) = kz_by.profile.party("BY").competent
    side = kz_by.destination
    world = kz_by.designating(side, side.designate("BY-BANK", "competent", SEALED, replaces=named))
    for body, good_before in ((Body("BY", named), True), (Body("BY", "BY-BANK"), False)):
        for at, good in ((SEALED - 1, good_before), (SEALED, not good_before)):
            if good:
                permission.require_competent(world.profile, world.trust, body, at)
                continue
            with pytest.raises(Refused, match=r"no competent body of BY under the agreement .* \(R4\(1\), A3\)") as caught:
                permission.require_competent(world.profile, world.trust, body, at)
            assert caught.value.hint.startswith("competent bodies: ")


# -- channel and route ---------------------------------------------------------------------------------------------------


def test_channel_is_one_of_the_agreement_s(kz_by: World) -> None:
    for channel in kz_by.profile.channels:
        permission.require_channel(kz_by.profile, channel)
    for channel in ("encrypted", "post", ""):  # R12: encrypted communication only where the agreement has it
        with pytest.raises(Refused, match=r"no channel of the agreement kz-by \(R12, A5.4\)"):
            permission.require_channel(kz_by.profile, channel)


def test_route_that_is_allowed(world: World) -> None:
    permission.require_route(world.profile, origin_party=world.origin.party, channel="courier", route=world.route())


@pytest.mark.parametrize(
    ("code", "channel", "changes", "clause"),
    [
        ("1", "empowered", {}, r"channel 'empowered' is not allowed for the mark KZ:1 \(R12, A5.4\)"),
        ("1", "courier", {"transport": "electronic"}, r"transport method 'electronic' is not allowed for the mark KZ:1 \(R13\)"),
        ("1", "courier", {"escort": "none"}, r"escort form 'none' is not allowed for the mark KZ:1 \(R13\)"),
        ("2", "courier", {"transport": "pigeon"}, r"transport method 'pigeon' .*\(R13\)"),
        ("2", "courier", {"escort": "band"}, r"escort form 'band' .*\(R13\)"),
        ("2", "post", {}, r"no channel of the agreement .*\(R12, A5.4\)"),
        ("2", "agreed", {}, r"needs a reference .*\(A5.5\)"),
        ("2", "courier", {"marks": Marks(Mark("KZ", "2"), Mark("BY", "3"))}, r"do not compare .*\(A2\)"),
        ("2", "courier", {"marks": Marks(Mark("KZ", "2"), Mark("BY", "1"))}, r"do not compare .*\(A2\)"),
        ("2", "courier", {"marks": Marks(Mark("BY", "2"), Mark("KZ", "2"))}, r"do not compare .*\(A2\)"),
        ("2", "courier", {"marks": Marks(Mark("KZ", "2"), Mark("KZ", "2"))}, r"do not compare .*\(A2\)"),
        ("2", "courier", {"marks": Marks(Mark("KZ", "4"), Mark("BY", "4"))}, r"no mark with the code '4' .*\(A2\)"),
        ("2", "courier", {"marks": Marks(Mark("KZ", "2"), Mark("TS", "2"))}, r"do not compare .*\(A2\)"),
    ],
    ids=range(13),
)
def test_route_that_is_not_allowed(kz_by: World, code: str, channel: str, changes: dict[str, object], clause: str) -> None:
    with pytest.raises(Refused, match=clause):
        permission.require_route(kz_by.profile, origin_party="KZ", channel=channel, route=replace(kz_by.route(code), **changes))  # type: ignore[arg-type] # by name


def test_route_of_the_other_direction(kz_by: World) -> None:
    """A row it is, but not of the party that sends: whichever of the two comes first."""
    back = Marks(Mark("BY", "2"), Mark("KZ", "2"))
    for origin, marks in (("BY", kz_by.marks("2")), ("KZ", back)):
        permission.require_route(kz_by.profile, origin_party=marks.origin.party, channel="courier", route=kz_by.route("2", marks=marks))
        with pytest.raises(Refused, match=r"do not compare .*\(A2\)"):
            permission.require_route(kz_by.profile, origin_party=origin, channel="courier", route=kz_by.route("2", marks=marks))


def test_channel_that_needs_a_reference(kz_by: World) -> None:
    permission.require_route(kz_by.profile, origin_party="KZ", channel="agreed", route=kz_by.route(reference="protocol of 1 March"))
    permission.require_route(kz_by.profile, origin_party="KZ", channel="courier", route=kz_by.route(reference="no harm"))


def test_mark_without_a_row(three_four: World) -> None:
    back = three_four.reversed()
    route = replace(back.route("3"), marks=Marks(Mark("BB", "4"), Mark("AA", "C")))  # C → 4 is a row, 4 → C is none
    with pytest.raises(Refused, match=r"BB:4 has no counterpart .*\(A2\)"):
        permission.require_route(back.profile, origin_party="BB", channel="courier", route=route)


# -- carriers, padding, basis --------------------------------------------------------------------------------------------


def entries(world: World, codes: str) -> list[Entry]:
    """What a manifest lists of carriers with these codes."""
    entry = world.plan().pieces[0].entry(0, bytes(32))
    return [replace(entry, marks=world.marks(code)) for code in codes]


@pytest.mark.parametrize(("codes", "envelope"), [("2", "2"), ("23", "2"), ("3323", "2"), ("321", "1"), ("333", "3")])
def test_envelope_has_the_mark_of_its_most_secret_carrier(kz_by: World, codes: str, envelope: str) -> None:
    permission.require_carrier_marks(kz_by.profile, entries(kz_by, codes), kz_by.marks(envelope))
    for other in set("123") - {envelope}:
        with pytest.raises(Refused, match=rf"stamped KZ:{other}, and its most secret carrier is KZ:{envelope} \(A2\)"):
            permission.require_carrier_marks(kz_by.profile, entries(kz_by, codes), kz_by.marks(other))


def test_each_carrier_s_pair_is_a_row(kz_by: World) -> None:
    good, bad = entries(kz_by, "23")
    for marks in (Marks(Mark("KZ", "3"), Mark("BY", "2")), Marks(Mark("KZ", "4"), Mark("BY", "3")), Marks(Mark("BY", "3"), Mark("KZ", "3"))):
        with pytest.raises(Refused, match=r"\(A2\)"):
            permission.require_carrier_marks(kz_by.profile, [good, replace(bad, marks=marks)], kz_by.marks("2"))


def test_basis(kz_by: World) -> None:
    conclusion, decision, contract = (Basis(kind, "1") for kind in ("conclusion", "decision", "contract"))
    permission.require_basis(kz_by.profile, "KZ", [decision, contract, conclusion, decision])
    permission.require_basis(kz_by.profile, "BY", [decision])
    for party, basis, missing in (
        ("KZ", [decision, contract], "a conclusion"),
        ("KZ", [conclusion], "a decision"),
        ("KZ", [], "a conclusion and a decision"),
        ("BY", [conclusion], "a decision"),
    ):
        with pytest.raises(Refused, match=rf"lacks {missing}: {party} transfers nothing without \(R3, R11, A5.2\)"):
            permission.require_basis(kz_by.profile, party, basis)


def test_padding_is_what_the_rule_gives(three_four: World, kz_by: World) -> None:
    permission.require_padding(three_four.profile, total=1000, pad_length=24)
    permission.require_padding(kz_by.profile, total=1000, pad_length=0)
    for profile, pad in ((three_four.profile, 0), (three_four.profile, 25), (kz_by.profile, 24)):
        with pytest.raises(Malformed, match="the agreement's rule gives"):
            permission.require_padding(profile, total=1000, pad_length=pad)


# -- officers ------------------------------------------------------------------------------------------------------------


def test_sealer_is_cleared(kz_by: World) -> None:
    chief, junior = (kz_by.origin[name].credentials["seal"] for name in ("chief", "junior"))
    for code in "123":
        permission.require_sealer_cleared(chief, kz_by.marks(code))
    permission.require_sealer_cleared(junior, kz_by.marks("3"))
    for code in "12":
        with pytest.raises(Refused, match=rf"'junior' is not cleared to KZ:{code} \(A4.2\)"):
            permission.require_sealer_cleared(junior, kz_by.marks(code))


def test_nobody_is_cleared_without_a_clearance(kz_by: World) -> None:
    nobody = kz_by.origin.appoint("nobody", clearance=None)
    with pytest.raises(Refused, match=r"\(A4.2\)"):
        permission.require_sealer_cleared(nobody.credentials["seal"], kz_by.marks("3"))


def test_clearance_is_of_the_party_s_own_degrees(three_four: World) -> None:
    """A cleared to the first degree of three says nothing of another party's codes."""
    with pytest.raises(Refused, match=r"\(A4.2\)"):
        permission.require_sealer_cleared(three_four.origin["chief"].credentials["seal"], Marks(Mark("BB", "4"), Mark("AA", "C")))


def test_addressee_in_order(kz_by: World) -> None:
    for name, degree in (("chief", "1"), ("junior", "3"), ("junior", None), ("leaving", "1")):
        credential = kz_by.destination[name].open
        assert permission.require_addressee(credential, kz_by.trust, destination=BY, degree=degree, at=SEALED) is credential


def test_addressee_not_in_order(kz_by: World) -> None:
    side = kz_by.destination
    for credential, degree, clause in (
        (None, "1", "in no roster"),
        (side["junior"].open, "2", r"'junior' is not cleared to BY:2 \(A4.2, A5.1\)"),
        (side["banker"].open, "3", r"not certified to open for BY/BY-MFA \(A5.4\)"),
        (side["chief"].credentials["acknowledge"], "3", r"not certified to open for BY/BY-MFA \(A5.4\)"),
        (side["chief"].credentials["seal"], "3", r"not certified to open for BY/BY-MFA \(A5.4\)"),
        (kz_by.origin["chief"].open, "3", r"not certified to open for BY/BY-MFA \(A5.4\)"),
        (kz_by.third["chief"].open, None, r"not certified to open for BY/BY-MFA \(A5.4\)"),
        (side["former"].open, "3", "'former' .* expired at the time"),
        (side.appoint("coming", clearance="1", valid=(SEALED + 1, SEALED + DAY)).open, "3", "'coming' .* not yet valid at the time"),
        (side.appoint("nobody", clearance=None).open, "3", r"not cleared .*\(A4.2, A5.1\)"),
    ):
        with pytest.raises(Refused, match=clause):
            permission.require_addressee(credential, kz_by.trust, destination=BY, degree=degree, at=SEALED)
