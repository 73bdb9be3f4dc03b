"""The dispatch (specs/envelope.md, Dispatch): the origin's signed word on header, payload and manifest."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from valiza.envelope.evidence import NOTHING_SEEN, Seen, of_statement
from valiza.envelope.header import Core, read_core
from valiza.keys import labels
from valiza.keys.digests import digest
from valiza.keys.encoding import pack, unpack
from valiza.keys.errors import NotAuthentic, Refused
from valiza.keys.fields import array, attachments, digest_field, extensions, integer, time
from valiza.keys.statement import LIMITS, SignerHeader, Statement, read_statement, sign_statement

if TYPE_CHECKING:
    from valiza.keys.credential import Credential
    from valiza.keys.fields import Attachments, Body, Extensions
    from valiza.keys.statement import Signer
    from valiza.keys.trust import Trust

__all__ = ["Dispatch", "EnvelopeName", "SignedDispatch", "authenticate_dispatch", "read_dispatch_body", "sign_dispatch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatch:
    """The body of a dispatch. Lengths are bytes in the container."""

    core_digest: bytes
    header_digest: bytes
    payload_digest: bytes
    manifest_digest: bytes
    core_length: int
    header_length: int
    payload_length: int
    manifest_length: int
    sealed_at: int
    attachments: Attachments = ()
    extensions: Extensions = field(default_factory=dict)

    def packed(self) -> bytes:
        """The canonical body."""
        return pack(
            [
                self.core_digest,
                self.header_digest,
                self.payload_digest,
                self.manifest_digest,
                [self.core_length, self.header_length, self.payload_length, self.manifest_length],
                self.sealed_at,
                [list(item) for item in self.attachments],
                self.extensions,
            ]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvelopeName:
    """What identifies an envelope, the dispatch known under that identity (envelope.md, Reading), and the agreement that it goes under."""

    origin: Body
    envelope_id: bytes
    dispatch_digest: bytes
    agreement: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedDispatch:
    """A dispatch whose signature holds, with the core that it covers and the credential of its sealer."""

    statement: Statement = field(repr=False)
    digest: bytes
    body: Dispatch
    core: Core
    sealer: Credential

    @property
    def name(self) -> EnvelopeName:
        """Identity and dispatch of the envelope."""
        return EnvelopeName(origin=self.core.origin, envelope_id=self.core.envelope_id, dispatch_digest=self.digest, agreement=self.core.agreement)


def read_dispatch_body(body: bytes) -> Dispatch:
    """Decode the body of a dispatch."""
    items = array(unpack(body, max_bytes=LIMITS[labels.DISPATCH], what="dispatch"), "dispatch", length=8)
    lengths = [integer(item, "length") for item in array(items[4], "lengths", length=4)]
    return Dispatch(
        core_digest=digest_field(items[0], "digest of core"),
        header_digest=digest_field(items[1], "digest of header"),
        payload_digest=digest_field(items[2], "digest of payload"),
        manifest_digest=digest_field(items[3], "digest of manifest"),
        core_length=lengths[0],
        header_length=lengths[1],
        payload_length=lengths[2],
        manifest_length=lengths[3],
        sealed_at=time(items[5], "sealed at"),
        attachments=attachments(items[6]),
        extensions=extensions(items[7]),
    )


def sign_dispatch(dispatch: Dispatch, sealer: Credential, key: Signer) -> Statement:
    """Sign a dispatch as its sealer."""
    header = SignerHeader(role="sealer", signer_digest=sealer.digest, key_digest=key.key_digest)
    return sign_statement(labels.DISPATCH, dispatch.packed(), [(header, key)])


def authenticate_dispatch(raw: bytes, core_raw: bytes, trust: Trust, seen: Seen = NOTHING_SEEN) -> SignedDispatch:
    """Check a dispatch and that it covers this core (envelope.md, Reading 3 to 6, as far as they need no header).

    Args:
        raw: the statement.
        core_raw: the core, its prefix included.
        trust: whom the reader believes.
        seen: what the reader remembers; a stranger remembers nothing.

    Raises:
        Malformed, NotAuthentic, Refused: as the steps say.
    """
    statement = read_statement(raw, labels.DISPATCH)  # step 3
    sealer = trust.signer(statement)
    body = read_dispatch_body(statement.body)
    # Step 4 before 5: what is decoded is what was signed.
    if body.core_digest != digest(labels.DIGEST_CORE, core_raw):
        message = "the dispatch was signed over another core"
        raise NotAuthentic(message)
    core = read_core(core_raw)  # step 5
    if core.sealing_credential != sealer.digest:  # step 6
        message = "the dispatch is not signed by the sealer whom the header names"
        raise NotAuthentic(message)
    if sealer.body != core.origin:
        message = f"the sealer is of {sealer.body}, and the envelope of {core.origin}"
        raise Refused(message)
    trust.require_standing(sealer, dated=body.sealed_at, evidence=of_statement(seen, statement.digest, raw), act="sealing")
    return SignedDispatch(statement=statement, digest=statement.digest, body=body, core=core, sealer=sealer)
