"""Verifying without a key (specs/envelope.md, Reading 1 to 9): container → AuthenticDispatch → VerifiedDispatch → VerifiedEnvelope."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

from valiza.envelope import permission
from valiza.envelope.container import Container, read_container
from valiza.envelope.dispatch import SignedDispatch, authenticate_dispatch
from valiza.envelope.evidence import NOTHING_SEEN, Seen
from valiza.envelope.header import Stanza, header_digest, read_stanzas
from valiza.envelope.payload import PayloadReader
from valiza.keys.errors import NotAuthentic, Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from valiza.envelope.agreement import Agreement, Agreements
    from valiza.envelope.header import Core
    from valiza.envelope.route import Route
    from valiza.keys.credential import Credential
    from valiza.keys.trust import Trust

__all__ = [
    "HIDDEN",
    "AuthenticDispatch",
    "VerifiedDispatch",
    "VerifiedEnvelope",
    "authenticate",
    "require_agreement",
    "verify_dispatch",
    "verify_envelope",
]

# What a reader without a key cannot check under a closed stamp.
HIDDEN = ("marks", "transport", "escort", "legs", "reference", "clearances")


@dataclass(frozen=True, kw_only=True)
class AuthenticDispatch:
    """The signature, the digests and the sealer's credential hold. Nothing is said of the agreement yet."""

    container: Container = field(repr=False)
    signed: SignedDispatch
    stanzas: tuple[Stanza, ...] = field(repr=False)

    @property
    def core(self) -> Core:
        """What the header says."""
        return self.signed.core

    @property
    def addressees(self) -> tuple[bytes, ...]:
        """Digests of the addressees' credentials, ascending."""
        return tuple(stanza.credential for stanza in self.stanzas)


@dataclass(frozen=True, kw_only=True)
class VerifiedDispatch:
    """Agreement, bodies and, as far as the stamp shows them, marks, route and clearances are in order. The payload is not read yet."""

    authentic: AuthenticDispatch
    agreement: Agreement
    addressees: tuple[Credential, ...] = field(repr=False)
    unchecked: tuple[str, ...]

    @property
    def signed(self) -> SignedDispatch:
        """The dispatch."""
        return self.authentic.signed

    @property
    def core(self) -> Core:
        """What the header says."""
        return self.authentic.core


@dataclass(frozen=True, kw_only=True)
class VerifiedEnvelope:
    """The ciphertext is the one signed: one pass over it was made."""

    verified: VerifiedDispatch

    @property
    def signed(self) -> SignedDispatch:
        """The dispatch."""
        return self.verified.signed


def authenticate(source: BinaryIO, trust: Trust, seen: Seen = NOTHING_SEEN) -> AuthenticDispatch:
    """Read a container and check who signed it (Reading 1 to 6); `seen` is what the reader remembers.

    Raises:
        Malformed, NotAuthentic, Refused: as the steps say.
    """
    container = read_container(source)  # steps 1, 2
    signed = authenticate_dispatch(container.dispatch_raw, container.core_raw, trust, seen)  # steps 3 to 6, as far as core goes
    body = signed.body
    lengths = (container.core_length, container.header_length, container.payload_length, container.manifest_length)
    if lengths != (body.core_length, body.header_length, body.payload_length, body.manifest_length):  # step 4
        message = "the footer is not the one of the signed dispatch"
        raise NotAuthentic(message)
    if header_digest(container.header_raw) != body.header_digest:
        message = "the header is not the one signed"
        raise NotAuthentic(message)
    stanzas = read_stanzas(container.header_raw[container.core_length :])  # step 5
    return AuthenticDispatch(container=container, signed=signed, stanzas=stanzas)


def verify_dispatch(authentic: AuthenticDispatch, *, trust: Trust, agreements: Agreements, at: int) -> VerifiedDispatch:
    """Check agreement, route and clearances (Reading 7, 8); `at` is when the envelope is or was accepted.

    Raises:
        Refused: something is not permitted; the message names the clause.
    """
    signed = authentic.signed
    agreement = require_agreement(signed, trust=trust, agreements=agreements, accepted_at=at)  # step 7
    route = signed.core.stamp.route
    degree = None if route is None else route.marks.destination.code
    addressees = tuple(  # step 8
        permission.require_addressee(
            trust.credential(stanza.credential), trust, destination=signed.core.destination, degree=degree, at=signed.body.sealed_at
        )
        for stanza in authentic.stanzas
    )
    return VerifiedDispatch(authentic=authentic, agreement=agreement, addressees=addressees, unchecked=HIDDEN if route is None else ())


def require_agreement(signed: SignedDispatch, *, trust: Trust, agreements: Agreements, accepted_at: int) -> Agreement:
    """Check a dispatch against its agreement (Reading 7), and the sealer's clearance where the stamp is open; returns the agreement.

    Raises:
        Refused: it is not adopted, not in force, or forbids this.
    """
    core, sealed_at = signed.core, signed.body.sealed_at
    agreement = agreements.find(core.agreement)
    profile = agreement.profile
    permission.require_bodies(profile, trust, origin=core.origin, destination=core.destination, confirming=core.confirming, at=sealed_at)
    agreements.require_in_force(agreement, sealed_at=sealed_at, accepted_at=accepted_at)
    if core.stamp.due_at < sealed_at:
        message = "the receipt was due before the envelope was sealed"
        raise Refused(message)
    if profile.closed != (core.stamp.route is None):
        message = f"the stamp is not {profile.stamp}, as the agreement {agreement} wants it"
        raise Refused(message)
    permission.require_channel(profile, core.stamp.channel)
    if core.stamp.route is not None:
        require_open_route(signed, agreement, core.stamp.route)
    return agreement


def require_open_route(signed: SignedDispatch, agreement: Agreement, route: Route) -> None:
    """Check a route, shown by the stamp or found inside, and the sealer's clearance to its mark."""
    core = signed.core
    permission.require_route(agreement.profile, origin_party=core.origin.party, channel=core.stamp.channel, route=route)
    permission.require_sealer_cleared(signed.sealer, route.marks)


def verify_envelope(verified: VerifiedDispatch, progress: Callable[[int], None] = lambda _: None) -> VerifiedEnvelope:
    """Pass once over the ciphertext and compare its digest (Reading 9).

    Raises:
        NotAuthentic: the payload is not the one signed.
    """
    container = verified.authentic.container
    container.seek_payload()
    with PayloadReader(container.source, progress) as reader:
        reader.skip(container.payload_length)
        require_payload_digest(reader, verified.signed)
    return VerifiedEnvelope(verified=verified)


def require_payload_digest(reader: PayloadReader, signed: SignedDispatch) -> None:
    """Raise NotAuthentic unless all ciphertext read is what the dispatch signs."""
    if reader.digest() != signed.body.payload_digest:
        message = "the payload is not the one signed"
        raise NotAuthentic(message)
