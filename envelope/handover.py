"""Hand-over records (specs/transport.md): who took an envelope from whom, on which leg of its way, and whether its seal was intact (R13, P39)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from valiza.envelope.evidence import NOTHING_SEEN, Seen, of_statement
from valiza.envelope.notice import require_transport
from valiza.envelope.route import MAX_LEGS, MAX_PACKAGE
from valiza.keys import labels
from valiza.keys.encoding import pack, unpack
from valiza.keys.errors import Malformed, NotAuthentic, Refused
from valiza.keys.fields import array, blob, body, boolean, digest_field, extensions, integer, one_of, optional, text, time
from valiza.keys.statement import LIMITS, SignerHeader, read_statement, sign_statement

if TYPE_CHECKING:
    from valiza.envelope.agreement import Agreement, Agreements
    from valiza.envelope.dispatch import SignedDispatch
    from valiza.keys.credential import Credential
    from valiza.keys.encoding import Value
    from valiza.keys.fields import Body, Extensions
    from valiza.keys.statement import Signer
    from valiza.keys.trust import Trust

__all__ = ["CONDITIONS", "Giver", "Handover", "VerifiedHandover", "peek_handover", "read_handover", "read_handover_body", "take_over"]

CONDITIONS: Final = ("sound", "damaged")
ACT: Final = "taking an envelope over"


@dataclass(frozen=True, slots=True, kw_only=True)
class Giver:
    """Who gave, as the taker names him: his name, his body, and his credential where he has one."""

    name: str
    body: Body
    credential: bytes | None

    def packed(self) -> list[Value]:
        """The wire form."""
        return [self.name, self.body.packed(), self.credential]


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """The body of a hand-over. `leg` is the leg that begins with it, or how many legs there are where the way ends; who took is who signs."""

    dispatch_digest: bytes
    origin: Body
    envelope_id: bytes
    leg: int
    place: str
    giver: Giver
    taken_at: int
    intact: bool
    condition: str
    remark: str
    package: str
    previous: bytes
    extensions: Extensions = field(default_factory=dict, repr=False)

    def packed(self) -> bytes:
        """The canonical body."""
        return pack(
            [
                self.dispatch_digest,
                self.origin.packed(),
                self.envelope_id,
                self.leg,
                self.place,
                self.giver.packed(),
                self.taken_at,
                self.intact,
                self.condition,
                self.remark,
                self.package,
                self.previous,
                self.extensions,
            ]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedHandover:
    """A hand-over about this dispatch, by an officer of one of its two parties. How it fits the others is for `custody` to say.

    taker: who took, and signed. giver: the credential that he names for who gave, if he names one.
    """

    raw: bytes = field(repr=False)
    digest: bytes
    said: Handover
    taker: Credential
    giver: Credential | None
    agreement: Agreement


def take_over(
    said: Handover, *, signed: SignedDispatch, signer: Credential, key: Signer, trust: Trust, agreements: Agreements, seen: Seen = NOTHING_SEEN
) -> VerifiedHandover:
    """Sign a hand-over, dated now (transport.md, Producing). An expired roster does not stop it: a courier on his way has no later one.

    Args:
        said: what is recorded; `taken_at` is now.
        signed: the envelope's dispatch.
        signer: a `transport` credential of who takes; `key` is its key.
        trust: whom he believes.
        agreements: those adopted.
        seen: what his office remembers.

    Raises:
        Refused: he may not, or his credential is not in force now. Malformed, NotAuthentic: as a reader would.
    """
    require_transport(signer)
    trust.require_in_force(signer, at=said.taken_at, act=ACT)
    header = SignerHeader(role="transport", signer_digest=signer.digest, key_digest=key.key_digest)
    raw = sign_statement(labels.HANDOVER, said.packed(), [(header, key)]).raw
    return read_handover(raw, signed=signed, trust=trust, agreements=agreements, at=said.taken_at, seen=seen)


def read_handover_body(raw: bytes) -> Handover:
    """Decode the body of a hand-over."""
    items = array(unpack(raw, max_bytes=LIMITS[labels.HANDOVER], what="hand-over"), "hand-over", length=13)
    said = Handover(
        dispatch_digest=digest_field(items[0], "dispatch"),
        origin=body(items[1], "origin"),
        envelope_id=blob(items[2], "envelope id", size=32),
        leg=integer(items[3], "leg", most=MAX_LEGS),
        place=text(items[4], "place", empty=True),
        giver=_read_giver(items[5]),
        taken_at=time(items[6], "taken at"),
        intact=boolean(items[7], "seal intact"),
        condition=one_of(items[8], "condition", CONDITIONS),
        remark=text(items[9], "remark", empty=True),
        package=text(items[10], "package number", most=MAX_PACKAGE),
        previous=digest_field(items[11], "previous"),
        extensions=extensions(items[12]),
    )
    if not said.remark and not (said.intact and said.condition == "sound"):
        message = "a hand-over with a broken seal or damage says in a remark what was found"
        raise Malformed(message)
    return said


def _read_giver(value: Value) -> Giver:
    items = array(value, "who gave", length=3)
    return Giver(
        name=text(items[0], "name of who gave"),
        body=body(items[1], "body of who gave"),
        credential=optional(items[2], "credential of who gave", digest_field),
    )


def peek_handover(raw: bytes) -> Handover:
    """What a hand-over says, so that its envelope can be found: nothing of it is checked."""
    return read_handover_body(read_statement(raw, labels.HANDOVER).body)


def read_handover(
    raw: bytes, *, signed: SignedDispatch, trust: Trust, agreements: Agreements, at: int, seen: Seen = NOTHING_SEEN
) -> VerifiedHandover:
    """Read a hand-over of this envelope (transport.md, Reading a hand-over).

    Args:
        raw: the statement.
        signed: the envelope's dispatch.
        trust: whom the reader believes.
        agreements: those that he has adopted.
        at: now, in seconds since 1970.
        seen: what the reader remembers; a stranger remembers nothing.

    Raises:
        Malformed, NotAuthentic, Refused: as the steps say.
    """
    statement = read_statement(raw, labels.HANDOVER)  # step 1
    taker = trust.signer(statement)  # step 2
    said = read_handover_body(statement.body)
    core = signed.core
    if (said.dispatch_digest, said.origin, said.envelope_id) != (signed.digest, core.origin, core.envelope_id):  # step 3
        message = "the hand-over is of another envelope"
        raise NotAuthentic(message)
    parties = {core.origin.party, core.destination.party}
    if taker.body.party not in parties or said.giver.body.party not in parties:  # step 4
        message = f"{taker.title!r} of {taker.body} took the envelope from {said.giver.body}: only bodies of {' and '.join(sorted(parties))} carry it"
        raise Refused(message)
    if bool(said.place) != (core.stamp.route is not None):  # step 5
        message = "a hand-over names the place exactly under an open stamp"
        raise Malformed(message)
    giver = None if said.giver.credential is None else _giver(said.giver, said.giver.credential, trust)  # step 6
    agreement = agreements.find(core.agreement)
    skew = agreement.profile.skew
    if said.taken_at < signed.body.sealed_at - skew:  # step 7
        message = "the envelope was taken over before it was sealed"
        raise Refused(message)
    if said.taken_at > at + skew:
        message = "the envelope was taken over in the future"
        raise Refused(message, "compare the clocks of both offices")
    trust.require_standing(taker, dated=said.taken_at, evidence=of_statement(seen, signed.digest, raw), act=ACT)  # step 8
    return VerifiedHandover(raw=raw, digest=statement.digest, said=said, taker=taker, giver=giver, agreement=agreement)


def _giver(named: Giver, credential: bytes, trust: Trust) -> Credential:
    found = trust.credential(credential)
    if found is None:
        message = "the credential of who gave is in no roster that is trusted here"
        raise Refused(message, "import the latest roster of that party")
    if found.body != named.body:
        message = f"who gave is named as of {named.body}, and his credential is of {found.body}"
        raise Refused(message)
    return found
