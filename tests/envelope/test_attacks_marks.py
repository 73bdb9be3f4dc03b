"""What the agreement forbids: refused when it is to be sealed, and, sealed by a hostile origin with its own hands, refused by whoever reads it.

The message names the clause in both places. Under an open stamp a reader without a key finds it; under a closed one the addressee does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.support.tamper import put
from tests.support.world import DAY, OPENED, SEALED, Piece, World

from valiza.envelope.agreement import Agreements, terminate
from valiza.envelope.manifest import Basis
from valiza.envelope.route import Marks
from valiza.keys.errors import Malformed, Refused
from valiza.keys.fields import Body, Mark

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


Changes = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Forbidden:
    """A thing that is not permitted.

    Attributes:
        clause: what the message names.
        ask: what an officer would ask to be sealed; None where there is no way to ask for it.
        forge: what a hostile origin seals by hand.
        found: in the `header`, by every reader; in the `route`, which a closed stamp hides; or in the `manifest`, by the addressee only.
        world: the circumstances, where they are what is wrong.
    """

    clause: str
    ask: Callable[[World], Changes] | None = None
    forge: Callable[[World], Changes] = lambda _: {}
    found: str = "route"
    world: Callable[[World], World] = lambda world: world


def codes(world: World) -> list[str]:
    """The origin's codes that can be sent, the most secret first."""
    return [m.code for m in world.profile.party(world.origin.party).marks if world.mark(m.code) in world.profile.rows]


def with_marks(world: World, marks: Marks) -> Changes:
    """A plan whose envelope and carriers all have these marks."""
    return {"route": replace(world.route(), marks=marks), "pieces": (Piece("a", b"x", marks),)}


def marked(world: World, code: str, **route: Any) -> Changes:
    """A plan with another mark, and perhaps another way to go."""
    return with_marks(world, world.marks(code)) | {"route": replace(world.route(), marks=world.marks(code), **route)}


def carriers(world: World, code: str) -> Changes:
    """A consignment of one parcel with a mark."""
    return {"carriers": [world.carrier(None, "parcel", code=code)]}


def not_allowed(world: World) -> dict[str, str]:
    """A way for each part of the route that the most secret mark may not go, though another may."""
    handling = [world.profile.handling[world.mark(code)] for code in codes(world)]
    first, others = handling[0], handling[1:]
    return {
        part: next(x for h in others for x in getattr(h, part) if x not in getattr(first, part)) for part in ("channels", "transports", "escorts")
    }


def highest(world: World) -> Changes:
    """A consignment of the most secret mark that goes as it may."""
    handling = world.profile.handling[world.mark(codes(world)[0])]
    return carriers(world, codes(world)[0]) | {"transport": "road", "escort": handling.escorts[0]}


def terminated(world: World) -> World:
    end = terminate(world.agreement, root=world.destination.root, keys=[world.destination.root_key], given_at=SEALED - DAY, takes_effect_at=SEALED)
    return replace(world, agreements=Agreements([world.agreement], [end]))


def replaced(world: World) -> World:
    later = world.sign(replace(world.profile, version=2, previous=world.agreement.digest, valid_from=SEALED))
    return replace(world, agreements=Agreements([world.agreement, later]))


FORBIDDEN: dict[str, Forbidden] = {
    "a code that is none": Forbidden(
        clause="(A2)",
        ask=lambda w: carriers(w, "99"),
        forge=lambda w: with_marks(w, Marks(w.mark("99"), w.marks(w.code).destination)),
    ),
    "a destination's mark that does not compare": Forbidden(
        clause="(A2)",
        forge=lambda w: with_marks(w, replace(w.marks(codes(w)[1]), destination=w.marks(codes(w)[0]).destination)),
    ),
    "a lower mark for the destination": Forbidden(
        clause="(A2)",
        forge=lambda w: with_marks(w, replace(w.marks(codes(w)[0]), destination=w.marks(codes(w)[2]).destination)),
    ),
    "marks the wrong way round": Forbidden(
        clause="(A2)",
        forge=lambda w: with_marks(w, Marks(w.marks(w.code).destination, w.mark(w.code))),
    ),
    "a channel that the degree may not go by": Forbidden(
        clause="(R12, A5.4)",
        ask=lambda w: highest(w) | {"channel": not_allowed(w)["channels"]},
        forge=lambda w: marked(w, codes(w)[0], escort=w.profile.handling[w.mark(codes(w)[0])].escorts[0]) | {"channel": not_allowed(w)["channels"]},
    ),
    "a channel of no agreement": Forbidden(
        clause="(R12, A5.4)",
        ask=lambda _: {"channel": "post"},
        forge=lambda _: {"channel": "post"},
        found="header",
    ),
    "a transport method that the degree may not go by": Forbidden(
        clause="(R13)",
        ask=lambda w: highest(w) | {"transport": not_allowed(w)["transports"]},
        forge=lambda w: marked(w, codes(w)[0], transport=not_allowed(w)["transports"]),
    ),
    "a form of escort that is not enough for the degree": Forbidden(
        clause="(R13)",
        ask=lambda w: highest(w) | {"escort": not_allowed(w)["escorts"]},
        forge=lambda w: marked(w, codes(w)[0], escort=not_allowed(w)["escorts"]),
    ),
    "no basis": Forbidden(
        clause="(R3, R11, A5.2)",
        ask=lambda _: {"basis": ()},
        forge=lambda _: {"basis": (Basis("contract", "No. 1"),)},
        found="manifest",
    ),
    "a basis of another kind than the party requires": Forbidden(
        clause="(R3, R11, A5.2)",
        ask=lambda w: {"basis": (*w.basis[1:], Basis("confirmation", "No. 1"))},
        forge=lambda w: {"basis": (*w.basis[1:], Basis("confirmation", "No. 1"))},
        found="manifest",
    ),
    "an addressee who is not cleared": Forbidden(
        clause="(A4.2, A5.1)",
        ask=lambda w: {"addressees": [w.destination["chief"].open, w.destination["junior"].open]},
        forge=lambda w: {"addressees": (w.destination["chief"].open, w.destination["junior"].open)},
    ),
    "an addressee of another body": Forbidden(
        clause="(A5.4)",
        ask=lambda w: {"addressees": [w.destination["chief"].open, w.destination["banker"].open]},
        forge=lambda w: {"addressees": (w.destination["chief"].open, w.destination["banker"].open)},
        found="header",
    ),
    "an addressee of the own party": Forbidden(
        clause="(A5.4)",
        ask=lambda w: {"addressees": [w.destination["chief"].open, w.origin["deputy"].open]},
        forge=lambda w: {"addressees": (w.destination["chief"].open, w.origin["deputy"].open)},
        found="header",
    ),
    "an addressee of a third party": Forbidden(
        clause="(A5.4)",
        ask=lambda w: {"addressees": [w.destination["chief"].open, w.third["chief"].open]},
        forge=lambda w: {"addressees": (w.destination["chief"].open, w.third["chief"].open)},
        found="header",
    ),
    "a body that does not confirm": Forbidden(
        clause="(R12, A5.4)",
        ask=lambda w: {"confirming": w.destination["banker"].body},
        forge=lambda w: {"confirming": w.destination["banker"].body},
        found="header",
    ),
    "an agreement that has expired": Forbidden(
        clause="(A14)",
        ask=lambda _: {},
        found="header",
        world=lambda w: w.amended(valid_until=SEALED),
    ),
    "an agreement that is not in force yet": Forbidden(
        clause="(A14)",
        ask=lambda _: {},
        found="header",
        world=lambda w: w.amended(valid_from=SEALED + 1),
    ),
    "an agreement that was terminated": Forbidden(clause="(A14)", ask=lambda _: {}, found="header", world=terminated),
    "an agreement that was replaced": Forbidden(clause="(A12)", ask=lambda _: {}, found="header", world=replaced),
}


@pytest.mark.parametrize("case", [case for case, forbidden in FORBIDDEN.items() if forbidden.ask is not None])
def test_not_sealed(world: World, tmp_path: Path, case: str) -> None:
    forbidden = FORBIDDEN[case]
    assert forbidden.ask is not None
    world = forbidden.world(world)
    path = tmp_path / "letter"
    path.write_bytes(b"x")
    consignment = world.consignment(**{"carriers": [world.carrier(path)], **forbidden.ask(world)})
    with pytest.raises(Refused, match=re.escape(forbidden.clause)):
        world.seal(consignment)


@pytest.mark.parametrize("case", FORBIDDEN)
def test_not_read(world: World, case: str) -> None:
    forbidden = FORBIDDEN[case]
    world = forbidden.world(world)
    container = world.plan(**forbidden.forge(world)).seal().container
    if forbidden.found == "header" or (forbidden.found == "route" and not world.profile.closed):
        with pytest.raises(Refused, match=re.escape(forbidden.clause)):
            world.verify(container)
    else:
        world.verify_whole(container)
    with pytest.raises(Refused, match=re.escape(forbidden.clause)):
        world.unseal(container)


def test_what_these_cases_are_made_of_is_permitted(world: World) -> None:
    """Each is refused for the one thing that it is about."""
    world.unseal(world.plan().seal().container)
    world.seal(world.consignment(**highest(world)))
    top = codes(world)[0]
    world.unseal(world.plan(**marked(world, top, escort=world.profile.handling[world.mark(top)].escorts[0])).seal().container)


# -- one by one ----------------------------------------------------------------------------------------------------------


def test_mark_without_a_row(three_four: World) -> None:
    """BB's 4 has no counterpart, though it is one: AA's C → 4 goes one way."""
    back = three_four.reversed()
    with pytest.raises(Refused, match=r"BB:4 has no counterpart .* \(A2\)"):
        back.seal(back.consignment([back.carrier(None, "parcel", code="4")]))
    forged = back.plan(**with_marks(back, Marks(Mark("BB", "4"), Mark("AA", "C")))).seal()
    with pytest.raises(Refused, match=r"BB:4 has no counterpart .* \(A2\)"):
        back.unseal(forged.container)


def test_one_carrier_without_a_row_among_others(three_four: World) -> None:
    back = three_four.reversed()
    with pytest.raises(Refused, match=r"\(A2\)"):
        back.seal(back.consignment([back.carrier(None, "one", code="2"), back.carrier(None, "two", code="4")]))
    pieces = (Piece("a", b"x", back.marks("2")), Piece("b", b"y", Marks(Mark("BB", "4"), Mark("AA", "C"))))
    with pytest.raises(Refused, match=r"BB:4 has no counterpart .* \(A2\)"):
        back.unseal(back.plan(pieces=pieces).seal().container)


def test_carrier_above_the_envelope(world: World) -> None:
    """It cannot be asked for, since sealing derives the envelope's mark; stamped so by hand, it is found at opening."""
    high, low = codes(world)[1], codes(world)[2]
    sealed = world.seal(world.consignment([world.carrier(None, "one", code=low), world.carrier(None, "two", code=high)]))
    assert sealed.envelope.marks == world.marks(high)
    pieces = (Piece("a", b"x", world.marks(low)), Piece("b", b"y", world.marks(high)))
    container = world.plan(route=world.route(low), pieces=pieces).seal().container
    world.verify_whole(container)
    with pytest.raises(Refused, match=rf"stamped {world.origin.party}:{low}, and its most secret carrier is {world.origin.party}:{high} \(A2\)"):
        world.unseal(container)


def test_envelope_above_its_carriers(world: World) -> None:
    """A stamp that says more than is in it is not the pair of the most secret carrier either."""
    high, low = codes(world)[1], codes(world)[2]
    container = world.plan(route=world.route(high), pieces=(Piece("a", b"x", world.marks(low)),)).seal().container
    with pytest.raises(Refused, match=r"its most secret carrier is .* \(A2\)"):
        world.unseal(container)


def test_carrier_with_a_pair_that_is_no_row(world: World) -> None:
    marks = replace(world.marks(codes(world)[2]), destination=world.marks(codes(world)[1]).destination)
    pieces = (Piece("a", b"x", world.marks(world.code)), Piece("b", b"y", marks))
    with pytest.raises(Refused, match=r"do not compare .* \(A2\)"):
        world.unseal(world.plan(pieces=pieces).seal().container)


def test_sealer_who_is_not_cleared(world: World) -> None:
    junior, code = world.origin["junior"], world.code
    with pytest.raises(Refused, match=rf"'junior' is not cleared to {world.origin.party}:{code} \(A4\.2\)"):
        world.seal(world.consignment([world.carrier(None, "parcel")]), sealer="junior")
    container = world.plan(sealer=junior).seal().container
    if not world.profile.closed:
        with pytest.raises(Refused, match=r"\(A4\.2\)"):
            world.verify(container)
    with pytest.raises(Refused, match=rf"'junior' is not cleared to {world.origin.party}:{code} \(A4\.2\)"):
        world.unseal(container)
    lowest = codes(world)[-1]
    world.unseal(world.plan(sealer=junior, **marked(world, lowest)).seal().container)


def test_channel_that_needs_a_reference(kz_by: World) -> None:
    with pytest.raises(Refused, match=r"needs a reference .* \(A5\.5\)"):
        kz_by.seal(kz_by.consignment([kz_by.carrier(None, "parcel")], channel="agreed"))
    container = kz_by.plan(channel="agreed").seal().container
    with pytest.raises(Refused, match=r"needs a reference .* \(A5\.5\)"):
        kz_by.verify(container)


def test_within_one_party(kz_by: World) -> None:
    """As a header it is malformed, so that nobody has to ask an agreement."""
    banker = kz_by.origin["banker"]
    with pytest.raises(Refused, match=r"are of one party: .* \(R2\)"):
        kz_by.seal(kz_by.consignment([kz_by.carrier(None, "parcel")], destination=banker.body, confirming=banker.body, addressees=[banker.open]))
    forged = kz_by.plan(destination=banker.body, confirming=banker.body, addressees=(banker.open,)).seal()
    with pytest.raises(Malformed, match=r"\(R2, R12\)"):
        kz_by.authenticate(forged.container)


def test_party_that_is_none_of_the_agreement(kz_by: World) -> None:
    third = kz_by.third
    with pytest.raises(Refused, match="TS is not a party to the agreement kz-by"):
        kz_by.seal(
            kz_by.consignment(
                [kz_by.carrier(None, "parcel")], destination=third.ministry, confirming=third.ministry, addressees=[third["chief"].open]
            )
        )
    forged = kz_by.plan(destination=third.ministry, confirming=third.ministry, addressees=(third["chief"].open,)).seal()
    with pytest.raises(Refused, match="TS is not a party to the agreement kz-by"):
        kz_by.verify(forged.container)


def test_envelope_under_way_when_the_agreement_ended_is_accepted(world: World) -> None:
    """A14.4: what was sealed before is opened, answered and verified still."""
    end = terminate(world.agreement, root=world.origin.root, keys=[world.origin.root_key], given_at=SEALED, takes_effect_at=SEALED + 1)
    ended = replace(world, agreements=Agreements([world.agreement], [end]))
    ended.unseal(world.plan().seal().container, at=OPENED)


def test_envelope_under_way_when_the_agreement_was_replaced(world: World) -> None:
    """Accepted for `max transit` after the new version is in force, and refused then (A12)."""
    later = world.sign(replace(world.profile, version=2, previous=world.agreement.digest, valid_from=SEALED + 1))
    both = replace(world, agreements=Agreements([world.agreement, later]))
    container = world.plan().seal().container
    last = SEALED + 1 + world.profile.max_transit
    both.unseal(container, at=last - 1)
    with pytest.raises(Refused, match=r"\(A12\)"):
        both.verify(container, at=last)


def test_pad_of_another_length_than_the_rule_gives(world: World) -> None:
    """It would be a channel of its own, and is malformed."""
    padding = world.profile.padding.length(24)
    container = world.plan(pad_length=padding + 16).seal().container
    world.verify_whole(container)
    with pytest.raises(Malformed, match="the agreement's rule gives"):
        world.unseal(container)


def test_manifest_without_purpose(world: World) -> None:
    with pytest.raises(Malformed, match=r"\(A4\.1\)"):
        world.seal(world.consignment([world.carrier(None, "parcel")], purpose=""))
    with pytest.raises(Malformed, match="purpose"):
        world.unseal(world.plan().seal(manifest=put("", 5)).container)


def test_confirming_body_of_the_other_party(kz_by: World) -> None:
    with pytest.raises(Refused, match=r"\(R12, A5\.4\)"):
        kz_by.seal(kz_by.consignment([kz_by.carrier(None, "parcel")], confirming=Body("KZ", "KZ-MFA")))
    with pytest.raises(Malformed, match=r"\(R2, R12\)"):
        kz_by.authenticate(kz_by.plan(confirming=Body("KZ", "KZ-MFA")).seal().container)
