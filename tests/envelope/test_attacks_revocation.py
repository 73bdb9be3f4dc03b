"""Keys that their party has revoked: what their holders, or whoever has stolen them, can still do, and what nobody can take back."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.support.journals import journal_at
from tests.support.keys import remembering
from tests.support.world import (
    ACKNOWLEDGED,
    COUNTERSIGNED,
    DAY,
    HOUR,
    ISSUED,
    OPENED,
    SEALED,
    Exchange,
    Officer,
    World,
    acknowledged,
    countersigned,
    opening_by,
    recorded,
    refused,
    rewrap_body,
    say,
)

from valiza.envelope.acknowledgement import acknowledge, read_answer, refuse
from valiza.envelope.evidence import NOTHING_SEEN, Vouched
from valiza.envelope.opening import unseal_manifest
from valiza.envelope.receipt import countersign, read_receipt, verify_receipt
from valiza.envelope.rewrap import make_rewrap, read_rewrap
from valiza.envelope.verifying import authenticate, verify_dispatch
from valiza.keys import labels
from valiza.keys.errors import NoKey, Refused
from valiza.keys.trust import Trust

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from valiza.envelope.evidence import Seen
    from valiza.envelope.verifying import AuthenticDispatch
    from valiza.keys.credential import Credential

KINDS: Final = ("suspended", "retired", "compromised")


@dataclass(frozen=True)
class Remembers:
    """A journal that recorded everything at one time."""

    at: int

    def first_seen(self, dispatch_digest: bytes, statement: bytes) -> int | None:  # noqa: ARG002 - the protocol's
        return self.at


def authenticated(world: World, container: bytes, seen: Seen = NOTHING_SEEN) -> AuthenticDispatch:
    return authenticate(io.BytesIO(container), world.trust, seen)


def receipt_of(exchange: Exchange) -> Callable[[World, Seen], object]:
    return lambda world, seen: read_receipt(exchange.receipt.raw, trust=world.trust, agreements=world.agreements, seen=seen)


def revoked(exchange: Exchange, credential: Credential, kind: str, at: int) -> World:
    """The world after a credential of either side was revoked."""
    world = exchange.world
    side = world.origin if credential.body.party == world.origin.party else world.destination
    return world.revoking(side, side.revoke(credential, kind, at))


# -- who has retired ------------------------------------------------------------------------------------------------------


def test_retired_sealer_dates_an_envelope_back(kz_by: World) -> None:
    """The limit: he kept his key. It stands, since nobody can tell it from what he sealed in time; dated later it does not."""
    chief = kz_by.origin["chief"]
    after = kz_by.revoking(kz_by.origin, kz_by.origin.revoke(chief.credentials["seal"], "retired", SEALED))
    after.verify(kz_by.plan(sealed_at=SEALED - 1).seal().container)
    with pytest.raises(Refused, match=r"the seal credential of 'chief' .* was retired .*: it does not count for sealing at"):
        after.verify(kz_by.plan(sealed_at=SEALED).seal().container)


def test_what_was_signed_before_its_signers_retired_stands(exchange: Exchange) -> None:
    """All of them, the second after each signed; and nothing a second earlier."""
    world, opener = exchange.world, exchange.world.destination["chief"]
    signers = (
        (world.origin["chief"].credentials["seal"], SEALED),
        (opener.credentials["open"], OPENED),
        (opener.credentials["acknowledge"], ACKNOWLEDGED),
        (world.countersigner.credentials["countersign"], COUNTERSIGNED),
    )
    for credential, signed_at in signers:
        for kind in ("suspended", "retired"):
            receipt_of(exchange)(revoked(exchange, credential, kind, signed_at + 1), NOTHING_SEEN)
            with pytest.raises(Refused, match=f"was {kind} with effect from"):
                receipt_of(exchange)(revoked(exchange, credential, kind, signed_at), NOTHING_SEEN)


# -- whose key was stolen -------------------------------------------------------------------------------------------------


def test_thief_of_a_seal_key_dates_an_envelope_back(kz_by: World) -> None:
    """Nobody had it before the theft: refused, whatever it says of itself."""
    chief = kz_by.origin["chief"].credentials["seal"]
    stolen = kz_by.revoking(kz_by.origin, kz_by.origin.revoke(chief, "compromised", OPENED))
    container = kz_by.plan(sealed_at=SEALED).seal().container
    for seen in (NOTHING_SEEN, Remembers(OPENED), Remembers(OPENED + 1)):
        with pytest.raises(Refused, match="compromised with effect from") as caught:
            authenticated(stolen, container, seen)
        assert "other evidence" in caught.value.hint
    authenticated(stolen, container, Remembers(OPENED - 1))


def test_what_the_other_party_had_answered_before_the_theft_stands(exchange: Exchange) -> None:
    """The answer is its word, and it is another party's. Its own second makes the difference."""
    seal = exchange.world.origin["chief"].credentials["seal"]
    after, at = revoked(exchange, seal, "compromised", ACKNOWLEDGED + 1), revoked(exchange, seal, "compromised", ACKNOWLEDGED)
    receipt_of(exchange)(after, NOTHING_SEEN)
    read_answer(exchange.acknowledgement.raw, after.trust)
    answer = exchange.world.read_answer(exchange.acknowledgement.raw).answer
    authenticated(after, exchange.sealed.container, Vouched(NOTHING_SEEN, answer.dispatch, answer.answered_at))
    for read in (receipt_of(exchange), lambda world, seen: read_answer(exchange.acknowledgement.raw, world.trust, seen)):
        with pytest.raises(Refused, match="it does not count for sealing"):
            read(at, NOTHING_SEEN)
    with pytest.raises(Refused, match="it does not count for sealing"):
        authenticated(after, exchange.sealed.container)


def test_answer_that_its_own_party_dates_back_is_told_to_be_the_only_evidence(exchange: Exchange) -> None:
    """The limit: with the origin's stolen key the destination makes both, and a stranger believes them; he is told on what that rests."""
    seal = exchange.world.origin["chief"].credentials["seal"]
    stolen = revoked(exchange, seal, "compromised", ACKNOWLEDGED + DAY)
    for world, seen, told in (
        (stolen, NOTHING_SEEN, True),
        (stolen, Vouched(NOTHING_SEEN, exchange.expectation.dispatch, SEALED), False),
        (stolen, Vouched(NOTHING_SEEN, exchange.expectation.dispatch, ACKNOWLEDGED + DAY), True),
        (exchange.world, NOTHING_SEEN, False),
    ):
        authentic = read_receipt(exchange.receipt.raw, trust=world.trust, agreements=world.agreements, seen=seen)
        assert ("evidence" in verify_receipt(authentic).not_compared) is told


def test_answer_to_one_envelope_is_no_evidence_for_another(kz_by: World) -> None:
    seal = kz_by.origin["chief"].credentials["seal"]
    stolen = kz_by.revoking(kz_by.origin, kz_by.origin.revoke(seal, "compromised", OPENED))
    one, other = kz_by.plan(seed="one").seal(), kz_by.plan(seed="other").seal()
    known = Vouched(NOTHING_SEEN, one.dispatch.raw, OPENED - 1)
    authenticated(stolen, one.container, known)
    with pytest.raises(Refused, match="compromised"):
        authenticated(stolen, other.container, known)


def test_thieves_on_both_sides_vouch_for_each_other(kz_by: World) -> None:
    """An answer whose own signer is compromised is evidence for nothing."""
    origin, destination = kz_by.origin, kz_by.destination
    chief = destination["chief"]
    forged = kz_by.plan(sealed_at=SEALED).seal()
    answer = acknowledged(opening_by(chief, forged.expectation), chief)
    both = kz_by.trusting(
        origin.roster_of(revocations=[origin.revoke(origin["chief"].credentials["seal"], "compromised", ACKNOWLEDGED + DAY)]),
        destination.roster_of(revocations=[destination.revoke(chief.credentials["acknowledge"], "compromised", ACKNOWLEDGED + DAY)]),
    )
    with pytest.raises(Refused, match="it does not count for answering"):
        read_answer(answer, both.trust)


@pytest.mark.parametrize("role", ["acknowledge", "countersign"])
def test_thief_of_an_answering_key_makes_a_receipt_dated_back(exchange: Exchange, role: str) -> None:
    """A countersignature of his own party is no evidence for the answer: both keys may lie in one drawer. The origin's journal is."""
    officer = exchange.world.destination["chief"] if role == "acknowledge" else exchange.world.countersigner
    stolen = revoked(exchange, officer.credentials[role], "compromised", COUNTERSIGNED + DAY)
    for seen in (NOTHING_SEEN, Remembers(COUNTERSIGNED + DAY)):
        with pytest.raises(Refused, match="compromised with effect from"):
            receipt_of(exchange)(stolen, seen)
    receipt_of(exchange)(stolen, Remembers(COUNTERSIGNED + DAY - 1))


def test_thief_of_a_refusing_key_refuses_dated_back(exchange: Exchange) -> None:
    chief, expectation = exchange.world.destination["chief"], exchange.expectation
    raw = refused(expectation.dispatch, expectation.core, chief)
    stolen = revoked(exchange, chief.credentials["acknowledge"], "compromised", ACKNOWLEDGED + DAY)
    with pytest.raises(Refused, match="it does not count for answering"):
        read_answer(raw, stolen.trust)
    read_answer(raw, stolen.trust, Remembers(ACKNOWLEDGED))


def test_thief_of_a_key_passes_on_dated_back(world: World) -> None:
    chief, clerk = world.destination["chief"], world.destination["clerk"]
    forged = world.plan().seal()
    raw = say(labels.REWRAP, rewrap_body(world, forged, forged.payload_key, addressee=chief, recipient=clerk), chief)
    signed = world.authenticate(forged.container).signed
    made_at = OPENED - HOUR

    def read(credential: Credential, kind: str, at: int, seen: Seen = NOTHING_SEEN) -> None:
        after = world.revoking(world.destination, world.destination.revoke(credential, kind, at))
        read_rewrap(raw, signed=signed, trust=after.trust, degree=None, skew=0, seen=seen)

    for credential in (chief.credentials["acknowledge"], chief.open, clerk.open):
        read(credential, "retired", made_at + 1)
        for kind in KINDS:
            with pytest.raises(Refused, match="it does not count for passing the envelope on"):
                read(credential, kind, made_at)
    with pytest.raises(Refused, match="compromised"):
        read(chief.credentials["acknowledge"], "compromised", made_at + DAY)
    read(chief.credentials["acknowledge"], "compromised", made_at + DAY, Remembers(made_at + 1))
    read(chief.open, "compromised", made_at + 1)


def test_stolen_open_key_makes_nothing_doubtful(exchange: Exchange) -> None:
    """It signs nothing: who has it can read, and that was so from the beginning."""
    stolen = revoked(exchange, exchange.world.destination["chief"].open, "compromised", OPENED + 1)
    receipt_of(exchange)(stolen, NOTHING_SEEN)
    stolen.verify_whole(exchange.sealed.container)


def test_key_of_a_body_is_stolen(kz_by: World) -> None:
    """The thief certifies himself, dated back. Officers whom a reader knew before go on; of the others, thief or not, nobody can tell."""
    side = kz_by.origin
    issuer, key = side.certifiers[side.ministry.id]
    lost = side.revoke(issuer, "compromised", SEALED - DAY, by_root=True)
    thief = side.appoint("thief", clearance=side.root.degrees[0])
    assert thief.credentials["seal"].issuer == issuer
    assert key.key_digest == issuer.key.key_digest
    roster = side.roster_of([thief], revocations=[lost])
    honest, forged = kz_by.plan().seal(), kz_by.plan(sealer=thief).seal()
    strangers, office = kz_by.trusting(roster), replace(kz_by, trust=Trust([remembering(roster, _known_before(kz_by))]))
    for container in (honest.container, forged.container):
        with pytest.raises(Refused, match=r"the certify credential of .* was compromised .*: it does not count for issuing the seal credential"):
            authenticated(strangers, container, Remembers(SEALED))
    authenticated(office, honest.container)
    with pytest.raises(Refused, match="it does not count for issuing the seal credential of 'thief'"):
        authenticated(office, forged.container)


def _known_before(world: World) -> Callable[[bytes], int | None]:
    """An office that imported the first roster when it was issued."""
    return lambda digest: ISSUED if digest in world.origin.roster.credentials else None


# -- what the program itself does no more ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_who_is_revoked_seals_nothing_and_is_sealed_to_no_more(kz_by: World, kind: str) -> None:
    consignment = kz_by.consignment([kz_by.carrier(None, "parcel")])
    for credential, act in ((kz_by.origin["chief"].credentials["seal"], "sealing"), (kz_by.destination["deputy"].open, "sealing")):
        side = kz_by.origin if credential.purpose == "seal" else kz_by.destination
        after = kz_by.revoking(side, side.revoke(credential, kind, SEALED))
        with pytest.raises(Refused, match=f"was {kind} .*: it does not count for {act}"):
            after.seal(consignment)
        restored = [side.revoke(credential, "suspended", SEALED - 9), side.revoke(credential, "restored", SEALED, number=2)]
        kz_by.revoking(side, *restored).seal(consignment)


@pytest.mark.parametrize("kind", KINDS)
def test_who_is_revoked_opens_nothing_and_the_other_addressee_does(exchange: Exchange, kind: str) -> None:
    """The bag was under way when he left: it is opened by who stayed."""
    chief, deputy = exchange.world.destination["chief"], exchange.world.destination["deputy"]
    after = revoked(exchange, chief.open, kind, OPENED)
    verified = after.verify(exchange.sealed.container)
    arguments: dict[str, Any] = {"own": after.destination.ministry, "trust": after.trust, "trust_rewrap": None, "at": OPENED}
    with pytest.raises(Refused, match=f"was {kind} .*: it does not count for opening"):
        unseal_manifest(verified, identities={chief.open.digest: chief.identity}, **arguments)
    unseal_manifest(verified, identities={deputy.open.digest: deputy.identity}, **arguments)
    both = {officer.open.digest: officer.identity for officer in (chief, deputy)}
    assert unseal_manifest(verified, identities=both, **arguments).opener == deputy.open
    with pytest.raises(NoKey):
        unseal_manifest(verified, identities={}, **arguments)


@pytest.mark.parametrize("kind", KINDS)
def test_who_is_revoked_answers_nothing(exchange: Exchange, kind: str, tmp_path: Path) -> None:
    chief = exchange.world.destination["chief"]
    after = revoked(exchange, chief.credentials["acknowledge"], kind, ACKNOWLEDGED)
    journal = journal_at(tmp_path / "register.db", chief.body)
    name, keys = exchange.sealed.name.dispatch_digest, {"signer": chief.credentials["acknowledge"], "key": chief.keys["acknowledge"]}
    with pytest.raises(Refused, match=f"was {kind} .*: it does not count for answering"):
        acknowledge(exchange.opening, trust=after.trust, journal=journal, at=ACKNOWLEDGED, **keys)  # type: ignore[arg-type] # by name
    envelope = after.authenticate(exchange.sealed.container)
    with pytest.raises(Refused, match=f"was {kind} .*: it does not count for answering"):
        refuse(envelope, opening=None, reason="other", comment="", trust=after.trust, journal=journal, at=ACKNOWLEDGED, **keys)  # type: ignore[arg-type] # by name
    assert journal.stored_answer(name) is None


@pytest.mark.parametrize("kind", KINDS)
def test_who_is_revoked_countersigns_nothing(exchange: Exchange, kind: str, tmp_path: Path) -> None:
    countersigner = exchange.world.countersigner
    after = revoked(exchange, countersigner.credentials["countersign"], kind, COUNTERSIGNED)
    journal = journal_at(tmp_path / "register.db", countersigner.body)
    with pytest.raises(Refused, match=f"was {kind} .*: it does not count for countersigning"):
        countersign(
            after.read_answer(exchange.acknowledgement.raw),
            envelope=after.verify_whole(exchange.sealed.container),
            signer=countersigner.credentials["countersign"],
            key=countersigner.keys["countersign"],
            trust=after.trust,
            agreements=after.agreements,
            journal=journal,
            at=COUNTERSIGNED,
        )
    assert journal.stored_receipt(exchange.sealed.name.dispatch_digest) is None


def test_who_is_revoked_passes_nothing_on(world: World) -> None:
    chief, deputy, clerk = (world.destination[name] for name in ("chief", "deputy", "clerk"))
    forged = world.plan().seal()

    def pass_on(after: World, addressee: Officer, recipient: Officer) -> object:
        return make_rewrap(
            after.verify(forged.container),
            addressee=addressee.open,
            identity=addressee.identity,
            recipient=recipient.open,
            signer=addressee.credentials["acknowledge"],
            key=addressee.keys["acknowledge"],
            trust=after.trust,
            at=OPENED,
        )

    for credential in (chief.open, chief.credentials["acknowledge"], clerk.open):
        for kind in KINDS:
            after = world.revoking(world.destination, world.destination.revoke(credential, kind, OPENED))
            with pytest.raises(Refused, match=f"was {kind} .*: it does not count for passing the envelope on"):
                pass_on(after, chief, clerk)
    pass_on(world.revoking(world.destination, world.destination.revoke(chief.open, "retired", OPENED)), deputy, clerk)


# -- evidence in the journal ----------------------------------------------------------------------------------------------


def test_register_is_evidence_for_what_it_recorded_and_what_that_contains(exchange: Exchange, tmp_path: Path) -> None:
    name, dispatch = exchange.sealed.name, exchange.expectation.dispatch
    origin = recorded(exchange.sealed, tmp_path / "origin.db")
    answer, receipt = exchange.acknowledgement.raw, exchange.receipt.raw
    assert origin.first_seen(name.dispatch_digest, dispatch) == SEALED
    assert origin.first_seen(name.dispatch_digest, answer) is None
    origin.record_receipt(receipt, "delivered", name, at=COUNTERSIGNED + HOUR)
    assert [origin.first_seen(name.dispatch_digest, raw) for raw in (dispatch, answer, receipt)] == [SEALED, *[COUNTERSIGNED + HOUR] * 2]
    assert origin.first_seen(bytes(32), dispatch) is None
    destination = exchange.destination_journal
    assert destination.first_seen(name.dispatch_digest, dispatch) == OPENED
    assert destination.first_seen(name.dispatch_digest, answer) == ACKNOWLEDGED


def test_register_that_entered_an_envelope_knows_its_dispatch(exchange: Exchange, tmp_path: Path) -> None:
    journal = journal_at(tmp_path / "register.db", exchange.world.destination.ministry)
    journal.enter_arrival(exchange.sealed.name, exchange.expectation.dispatch, at=OPENED)
    assert journal.first_seen(exchange.sealed.name.dispatch_digest, exchange.expectation.dispatch) == OPENED
    assert journal.first_seen(exchange.sealed.name.dispatch_digest, exchange.acknowledgement.raw) is None


def test_offices_that_recorded_in_time_go_on(exchange: Exchange, tmp_path: Path) -> None:
    """All four signers are compromised after the exchange, and both offices have it in their registers."""
    world, opener = exchange.world, exchange.world.destination["chief"]
    at = COUNTERSIGNED + DAY
    seal, answer, confirm = (
        world.origin["chief"].credentials["seal"],
        opener.credentials["acknowledge"],
        world.countersigner.credentials["countersign"],
    )
    second = 2 if answer.body == confirm.body else 1
    rosters = [
        world.origin.roster_of(revocations=[world.origin.revoke(seal, "compromised", at)]),
        world.destination.roster_of(
            revocations=[
                world.destination.revoke(answer, "compromised", at),
                world.destination.revoke(confirm, "compromised", at, number=second),
            ]
        ),
    ]
    after = world.trusting(*rosters)
    origin = recorded(exchange.sealed, tmp_path / "origin.db")
    with pytest.raises(Refused):
        receipt_of(exchange)(after, origin)
    origin.record_receipt(exchange.receipt.raw, "delivered", exchange.sealed.name, at=COUNTERSIGNED)
    receipt_of(exchange)(after, origin)
    verify_dispatch(authenticated(after, exchange.sealed.container, origin), trust=after.trust, agreements=after.agreements, at=OPENED)
    read_answer(exchange.acknowledgement.raw, after.trust, exchange.destination_journal)
    authenticated(after, exchange.sealed.container, exchange.destination_journal)
    with pytest.raises(Refused):
        read_receipt(
            countersigned(exchange.acknowledgement.raw, world.countersigner, checked=["envelope", "opening"]),
            trust=after.trust,
            agreements=after.agreements,
            seen=origin,
        )
