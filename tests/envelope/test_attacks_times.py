"""Times out of order, rosters and agreements that have run out (P40): what stops new things never stops what is under way."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.support.journals import journal_at
from tests.support.world import (
    ACKNOWLEDGED,
    COUNTERSIGNED,
    DAY,
    EXPIRES,
    OPENED,
    SEALED,
    Exchange,
    World,
    acknowledged,
    countersigned,
    opening_by,
    refused,
)

from valiza.envelope.acknowledgement import acknowledge, verify_answer
from valiza.envelope.receipt import countersign, read_receipt, verify_receipt
from valiza.keys.errors import Refused

if TYPE_CHECKING:
    from pathlib import Path


def receipt_for(exchange: Exchange, answer: bytes, at: int = COUNTERSIGNED) -> bytes:
    own = exchange.world.confirming == exchange.world.destination.ministry
    checked = ["envelope", "opening"] if own else ["entered", "envelope"]
    return countersigned(answer, exchange.world.countersigner, checked=checked, countersigned_at=at)


def read(exchange: Exchange, raw: bytes) -> object:
    return read_receipt(raw, trust=exchange.world.trust, agreements=exchange.world.agreements)


# -- the order of times --------------------------------------------------------------------------------------------------


def test_sealed_in_the_future(world: World) -> None:
    """No receipt could ever fit, so it is refused on arrival, by readers without a key too."""
    skew = world.profile.skew
    world.verify(world.plan(sealed_at=OPENED + skew).seal().container, at=OPENED)
    container = world.plan(sealed_at=OPENED + skew + 1).seal().container
    with pytest.raises(Refused, match="sealed in the future"):
        world.verify(container, at=OPENED)
    world.verify(container, at=OPENED + 1)


def test_opened_before_it_was_sealed(exchange: Exchange) -> None:
    world, chief, skew = exchange.world, exchange.world.destination["chief"], exchange.world.profile.skew
    for opened_at, good in ((SEALED - skew, True), (SEALED - skew - 1, False)):
        answer = acknowledged(opening_by(chief, exchange.expectation, opened_at=opened_at), chief)
        if good:
            read(exchange, receipt_for(exchange, answer))
            continue
        with pytest.raises(Refused, match="sealed in the future"):
            read(exchange, receipt_for(exchange, answer))
        with pytest.raises(Refused, match="sealed in the future"):
            verify_answer(world.read_answer(answer), world.trust, world.agreements)


def test_answered_before_it_was_opened(exchange: Exchange) -> None:
    """Within one office, not a second."""
    chief, expectation = exchange.world.destination["chief"], exchange.expectation
    read(exchange, receipt_for(exchange, acknowledged(exchange.opening, chief, answered_at=OPENED)))
    for answer in (
        acknowledged(exchange.opening, chief, answered_at=OPENED - 1),
        refused(expectation.dispatch, expectation.core, chief, exchange.opening, answered_at=OPENED - 1),
    ):
        with pytest.raises(Refused, match="answered before it was opened"):
            read(exchange, receipt_for(exchange, answer))


def test_countersigned_before_it_was_answered(exchange: Exchange) -> None:
    """Within one office not a second; between two the skew."""
    skew = 0 if exchange.world.confirming == exchange.world.destination.ministry else exchange.world.profile.skew
    read(exchange, receipt_for(exchange, exchange.acknowledgement.raw, ACKNOWLEDGED - skew))
    with pytest.raises(Refused, match="countersigned before the envelope was answered"):
        read(exchange, receipt_for(exchange, exchange.acknowledgement.raw, ACKNOWLEDGED - skew - 1))


def test_unopened_refusal_is_not_compared_with_the_sealing(exchange: Exchange) -> None:
    """It may be about just that: an envelope from the future."""
    world = exchange.world
    forged = world.plan(sealed_at=OPENED + DAY).seal()
    answer = world.read_answer(refused(forged.dispatch.raw, forged.core, world.destination["chief"], reason="other"))
    verify_answer(answer, world.trust, world.agreements)


def test_clock_of_an_office_runs_back(exchange: Exchange, tmp_path: Path) -> None:
    journal = journal_at(tmp_path / "register.db", exchange.world.destination.ministry, clock=lambda: OPENED - 1)
    journal.record_opening(exchange.opening, exchange.sealed.name, at=OPENED)
    chief = exchange.world.destination["chief"]
    arguments = {"signer": chief.credentials["acknowledge"], "key": chief.keys["acknowledge"], "trust": exchange.world.trust, "journal": journal}
    earlier = replace(exchange.opening, opened_at=OPENED - 10)
    with pytest.raises(Refused, match="clock of this office runs back"):
        acknowledge(earlier, at=OPENED - 1, **arguments)  # type: ignore[arg-type] # by name
    assert journal.stored_answer(exchange.sealed.name.dispatch_digest) is None


# -- rosters that have run out -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", ["origin", "destination"])
def test_expired_roster_refuses_sealing(world: World, side: str) -> None:
    party = getattr(world, side)
    late = world.trusting(party.roster_of(expires_at=SEALED))
    consignment = late.consignment([late.carrier(None, "parcel")])
    with pytest.raises(Refused, match=f"roster of {party.party} expired, and sealing needs one in force"):
        late.seal(consignment)


def test_expired_rosters_refuse_nothing_but_sealing_and_countersigning(world: World, tmp_path: Path) -> None:
    """Verifying, opening, acknowledging, refusing, reading receipts: all go on, as of the roster that there is."""
    sealed = world.seal(world.consignment([world.carrier(None, "parcel")]))
    late = world.trusting(world.origin.roster_of(expires_at=SEALED + 1), world.destination.roster_of(expires_at=SEALED + 1))
    chief, countersigner = late.destination["chief"], late.countersigner
    envelope = late.verify_whole(sealed.container)
    opened = late.open(sealed.container, tmp_path / "out")
    journal = journal_at(tmp_path / "register.db", late.confirming)
    journal.record_opening(opened.opening, sealed.name, at=OPENED)
    answer = acknowledge(
        opened.opening,
        signer=chief.credentials["acknowledge"],
        key=chief.keys["acknowledge"],
        trust=late.trust,
        journal=journal,
        at=ACKNOWLEDGED,
    )
    verified = late.read_answer(answer.raw)
    verify_answer(verified, late.trust, late.agreements)

    def confirm(trusting: World) -> bytes:
        return countersign(
            verified,
            envelope=envelope,
            signer=countersigner.credentials["countersign"],
            key=countersigner.keys["countersign"],
            trust=trusting.trust,
            agreements=trusting.agreements,
            journal=journal,
            at=COUNTERSIGNED,
        ).raw

    with pytest.raises(Refused, match="expired, and countersigning needs one in force"):
        confirm(late)
    receipt = confirm(world)
    verify_receipt(read_receipt(receipt, trust=late.trust, agreements=late.agreements))


def test_long_after_everything_expired(exchange: Exchange, tmp_path: Path) -> None:
    """An arbiter years later (R4.8): rosters are old, and the envelope is opened and verified still."""
    world = exchange.world
    years = EXPIRES + 5 * 365 * DAY
    world.verify_whole(exchange.sealed.container, at=years)
    world.open(exchange.sealed.container, tmp_path / "out", at=years)
    verify_receipt(read_receipt(exchange.receipt.raw, trust=world.trust, agreements=world.agreements))


def test_receipt_is_read_as_of_the_opening(exchange: Exchange) -> None:
    """Not as of today: a version that came into force since does not make it void."""
    world = exchange.world
    later = world.sign(replace(world.profile, version=2, previous=world.agreement.digest, valid_from=SEALED + 1, max_transit=0))
    both = type(world.agreements)([world.agreement, later])
    read_receipt(exchange.receipt.raw, trust=world.trust, agreements=both)
    chief = world.destination["chief"]
    too_late = SEALED + 1 + world.profile.max_transit
    answer = acknowledged(replace(exchange.opening, opened_at=too_late), chief, answered_at=too_late)
    with pytest.raises(Refused, match=r"\(A12\)"):
        verify_answer(world.read_answer(answer), world.trust, both)


def test_officer_who_was_appointed_later_cannot_have_sealed_earlier(world: World) -> None:
    new = world.origin.appoint("new", clearance=world.origin.root.degrees[0], valid=(SEALED, SEALED + DAY))
    knowing = world.trusting(world.origin.roster_of([new]))
    knowing.verify(knowing.plan(sealer=new).seal().container)
    for sealed_at in (SEALED - 1, SEALED + DAY):
        with pytest.raises(Refused, match="seal credential of 'new'"):
            knowing.authenticate(knowing.plan(sealer=new, sealed_at=sealed_at).seal().container)
