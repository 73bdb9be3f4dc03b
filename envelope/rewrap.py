"""Detached stanzas (specs/envelope.md): an addressee passes an unopened envelope on to another officer of his body."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from valiza.envelope import permission
from valiza.envelope.evidence import NOTHING_SEEN, Seen, of_statement
from valiza.envelope.header import Stanza, read_stanza, wrap_info
from valiza.keys import labels
from valiza.keys.encoding import pack, unpack
from valiza.keys.errors import NoKey, NotAuthentic, Refused
from valiza.keys.fields import array, digest_field, extensions, time
from valiza.keys.statement import LIMITS, SignerHeader, read_statement, sign_statement

if TYPE_CHECKING:
    from valiza.envelope.dispatch import SignedDispatch
    from valiza.envelope.verifying import VerifiedDispatch
    from valiza.keys.credential import Credential
    from valiza.keys.fields import Extensions
    from valiza.keys.recipient import Identity
    from valiza.keys.statement import Signer
    from valiza.keys.trust import Trust

__all__ = ["Rewrap", "make_rewrap", "read_rewrap"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewrap:
    """A rewrap whose signature, officers and envelope were checked. That its addressee is in the header is for who has the header."""

    raw: bytes = field(repr=False)
    addressee: Credential
    recipient: Credential
    stanza: Stanza = field(repr=False)
    made_at: int
    extensions: Extensions = field(repr=False)

    def require_addressed(self, addressees: tuple[bytes, ...]) -> None:
        """Raise Refused unless the addressee is one of the header's: a rewrap of a rewrap is none."""
        if self.addressee.digest not in addressees:
            message = f"{self.addressee.title!r} is no addressee of this envelope, and cannot pass it on"
            raise Refused(message)


def make_rewrap(
    verified: VerifiedDispatch,
    *,
    addressee: Credential,
    identity: Identity,
    recipient: Credential,
    signer: Credential,
    key: Signer,
    trust: Trust,
    at: int,
) -> Rewrap:
    """Wrap the payload key for another officer.

    Args:
        verified: the envelope.
        addressee: an `open` credential of the header; `identity` is its key.
        recipient: the `open` credential of the new officer.
        signer: an `acknowledge` credential of the addressee's person; `key` is its key.
        trust: to read the result back.
        at: now, in seconds since 1970.

    Raises:
        NoKey: the addressee is not in the header. Refused: the new officer or the signer may not.
    """
    core_digest = verified.core.digest
    wrapped = next((s.wrapped for s in verified.authentic.stanzas if s.credential == addressee.digest), None)
    if wrapped is None:
        message = f"{addressee.title!r} is no addressee of this envelope"
        raise NoKey(message)
    payload_key = identity.unwrap(wrapped, wrap_info(core_digest, addressee.digest))
    stanza = Stanza(recipient.digest, recipient.recipient.wrap(payload_key, wrap_info(core_digest, recipient.digest)))
    body = pack([verified.signed.digest, addressee.digest, stanza.packed(), at, {}])
    header = SignerHeader(role="acknowledger", signer_digest=signer.digest, key_digest=key.key_digest)
    raw = sign_statement(labels.REWRAP, body, [(header, key)]).raw
    route = verified.core.stamp.route
    degree = None if route is None else route.marks.destination.code
    return read_rewrap(raw, signed=verified.signed, trust=trust, degree=degree, skew=verified.agreement.profile.skew)


def read_rewrap(raw: bytes, *, signed: SignedDispatch, trust: Trust, degree: str | None, skew: int, seen: Seen = NOTHING_SEEN) -> Rewrap:
    """Read a rewrap of this envelope (envelope.md, Detached stanza).

    Args:
        raw: the statement.
        signed: the envelope's dispatch.
        trust: whom the reader believes.
        degree: the destination's code of the envelope, or None where a closed stamp hides it still.
        skew: of the agreement, in seconds.
        seen: what the reader remembers.

    Raises:
        Malformed, NotAuthentic, Refused: it does not hold.
    """
    statement = read_statement(raw, labels.REWRAP)
    signer = trust.signer(statement)
    items = array(unpack(statement.body, max_bytes=LIMITS[labels.REWRAP], what="rewrap"), "rewrap", length=5)
    dispatch_digest = digest_field(items[0], "digest of dispatch")
    addressee_digest = digest_field(items[1], "addressee")
    stanza = read_stanza(items[2])
    made_at = time(items[3], "made at")
    remarks = extensions(items[4])
    if dispatch_digest != signed.digest:
        message = "the rewrap belongs to another envelope"
        raise NotAuthentic(message)
    destination = signed.core.destination
    addressee = permission.require_addressee(
        trust.credential(addressee_digest), trust, destination=destination, degree=None, at=made_at, act="passing the envelope on"
    )
    if (signer.subject, signer.body) != (addressee.subject, addressee.body):
        message = f"the rewrap for {addressee.title!r} is signed by {signer.title!r}"
        raise Refused(message)
    trust.require_standing(signer, dated=made_at, evidence=of_statement(seen, signed.digest, raw), act="passing the envelope on")
    if made_at < signed.body.sealed_at - skew:
        message = "the envelope was passed on before it was sealed"
        raise Refused(message)
    recipient = permission.require_addressee(
        trust.credential(stanza.credential), trust, destination=destination, degree=degree, at=made_at, act="passing the envelope on"
    )
    return Rewrap(raw=raw, addressee=addressee, recipient=recipient, stanza=stanza, made_at=made_at, extensions=remarks)
