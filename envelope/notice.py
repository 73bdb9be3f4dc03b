"""Transport notices (specs/transport.md): the origin tells the other party's competent body of each transport, and how it goes (R13)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from valiza.envelope import permission
from valiza.envelope.dispatch import authenticate_dispatch
from valiza.envelope.evidence import NOTHING_SEEN, Seen, of_statement
from valiza.envelope.route import MAX_PACKAGE, Leg, Route, read_legs
from valiza.envelope.verifying import require_agreement
from valiza.keys import labels
from valiza.keys.encoding import pack, unpack
from valiza.keys.errors import Conflict, Malformed, Refused
from valiza.keys.fields import array, blob, body, digest_field, extensions, integer, optional, text, time, word
from valiza.keys.statement import LIMITS, SignerHeader, read_statement, sign_statement

if TYPE_CHECKING:
    from collections.abc import Iterable

    from valiza.envelope.agreement import Agreement, Agreements
    from valiza.envelope.dispatch import SignedDispatch
    from valiza.envelope.route import Stamp
    from valiza.keys.credential import Credential
    from valiza.keys.encoding import Value
    from valiza.keys.fields import Body, Extensions
    from valiza.keys.statement import Signer
    from valiza.keys.trust import Trust

__all__ = [
    "MAX_ESCORTS",
    "MAX_NOTICES",
    "Notice",
    "Notices",
    "VerifiedNotice",
    "Way",
    "last_recorded",
    "notify",
    "peek_notice",
    "read_notice",
    "read_notice_body",
]

MAX_NOTICES: Final = 1000
MAX_ESCORTS: Final = 16
ACT: Final = "telling of a transport"


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How an envelope goes: transport method, form of escort, legs."""

    transport: str
    escort: str
    legs: tuple[Leg, ...]

    def packed(self) -> list[Value]:
        """The wire form."""
        return [self.transport, self.escort, [[leg.start, leg.end] for leg in self.legs]]

    @classmethod
    def of_route(cls, route: Route) -> Way:
        """The way that a stamp shows."""
        return cls(transport=route.transport, escort=route.escort, legs=route.legs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """The body of a transport notice. `way` is None under a closed stamp; `deviation` is the reason why it is not what the stamp says."""

    dispatch: bytes = field(repr=False)
    core: bytes = field(repr=False)
    told: Body
    number: int
    previous: bytes | None
    leaves_at: int
    expected_at: int
    package: str
    way: Way | None
    deviation: str
    escorts: tuple[str, ...]
    reference: str
    told_at: int
    extensions: Extensions = field(default_factory=dict, repr=False)

    def packed(self) -> bytes:
        """The canonical body."""
        return pack(
            [
                self.dispatch,
                self.core,
                self.told.packed(),
                self.number,
                self.previous,
                self.leaves_at,
                self.expected_at,
                self.package,
                None if self.way is None else self.way.packed(),
                self.deviation,
                list(self.escorts),
                self.reference,
                self.told_at,
                self.extensions,
            ]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedNotice:
    """A notice by the origin, about an authentic dispatch that its agreement permits."""

    raw: bytes = field(repr=False)
    digest: bytes
    said: Notice
    signed: SignedDispatch
    signer: Credential
    agreement: Agreement


# -- making ------------------------------------------------------------------------------------------------------------


def notify(said: Notice, *, signer: Credential, key: Signer, trust: Trust, agreements: Agreements, seen: Seen = NOTHING_SEEN) -> VerifiedNotice:
    """Sign a notice, dated now (transport.md, Producing).

    Args:
        said: what is told; `told_at` is now.
        signer: a `transport` credential of the origin; `key` is its key.
        trust: whom the office believes.
        agreements: those adopted.
        seen: what the office remembers.

    Raises:
        Refused, Malformed, NotAuthentic: as a reader would, or a roster has expired.
    """
    found = authenticate_dispatch(said.dispatch, said.core, trust, seen)
    require_transport(signer)
    trust.require_fresh([found.core.origin.party, found.core.destination.party], said.told_at, ACT)
    trust.require_in_force(signer, at=said.told_at, act=ACT)
    header = SignerHeader(role="transport", signer_digest=signer.digest, key_digest=key.key_digest)
    raw = sign_statement(labels.TRANSPORT_NOTICE, said.packed(), [(header, key)]).raw
    return read_notice(raw, trust=trust, agreements=agreements, at=said.told_at, seen=seen)


def require_transport(signer: Credential) -> None:
    """Raise Refused unless a credential is one for transport."""
    if signer.purpose != "transport":
        message = f"{signer.title!r} is certified to {signer.purpose}, not for transport"
        raise Refused(message)


# -- reading -----------------------------------------------------------------------------------------------------------


def read_notice_body(raw: bytes) -> Notice:
    """Decode the body of a notice; the dispatch in it is a statement of its own."""
    what = "transport notice"
    items = array(unpack(raw, max_bytes=LIMITS[labels.TRANSPORT_NOTICE], what=what), what, length=14)
    said = Notice(
        dispatch=blob(items[0], "dispatch", most=LIMITS[labels.DISPATCH]),
        core=blob(items[1], "core"),
        told=body(items[2], "body told"),
        number=integer(items[3], "number", least=1, most=MAX_NOTICES),
        previous=optional(items[4], "previous", digest_field),
        leaves_at=time(items[5], "leaves at"),
        expected_at=time(items[6], "expected at"),
        package=text(items[7], "package number", most=MAX_PACKAGE),
        way=optional(items[8], "way", _read_way),
        deviation=text(items[9], "deviation", empty=True),
        escorts=tuple(text(item, "escort") for item in array(items[10], "escorts", most=MAX_ESCORTS)),
        reference=text(items[11], "reference", empty=True),
        told_at=time(items[12], "told at"),
        extensions=extensions(items[13]),
    )
    if (said.previous is None) != (said.number == 1):
        message = "a transport notice names the one before it exactly when there is one"
        raise Malformed(message)
    if said.expected_at <= said.leaves_at:
        message = "a transport is expected before it leaves"
        raise Malformed(message)
    return said


def peek_notice(raw: bytes) -> Notice:
    """What a notice says: nothing of it is checked."""
    return read_notice_body(read_statement(raw, labels.TRANSPORT_NOTICE).body)


def last_recorded(raws: Iterable[bytes]) -> bytes | None:
    """Digest of the notice with the highest number, of those that were verified and recorded before; None: there is none."""
    recorded = [read_statement(raw, labels.TRANSPORT_NOTICE) for raw in raws]
    return max(((read_notice_body(one.body).number, one.digest) for one in recorded), default=(0, None))[1]


def _read_way(value: Value, what: str) -> Way:
    items = array(value, what, length=3)
    return Way(transport=word(items[0], "transport method"), escort=word(items[1], "escort form"), legs=read_legs(items[2]))


def read_notice(raw: bytes, *, trust: Trust, agreements: Agreements, at: int, seen: Seen = NOTHING_SEEN) -> VerifiedNotice:
    """Read a notice and the dispatch in it (transport.md, Reading a notice).

    Args:
        raw: the statement.
        trust: whom the reader believes.
        agreements: those that he has adopted.
        at: now, in seconds since 1970.
        seen: what the reader remembers; a stranger remembers nothing.

    Raises:
        Malformed, NotAuthentic, Refused: as the steps say.
    """
    statement = read_statement(raw, labels.TRANSPORT_NOTICE)  # step 1
    signer = trust.signer(statement)  # step 2
    said = read_notice_body(statement.body)
    signed = authenticate_dispatch(said.dispatch, said.core, trust, seen)  # step 3
    agreement = require_agreement(signed, trust=trust, agreements=agreements, accepted_at=said.told_at)  # step 4
    core, sealed_at = signed.core, signed.body.sealed_at
    if signer.body != core.origin:  # step 5
        message = f"a transport of {core.origin} is told of by {signer.title!r} of {signer.body} (R13)"
        raise Refused(message)
    if said.told.party != core.destination.party:
        message = f"{said.told} is told of the transport, which is no body of {core.destination.party} (R13)"
        raise Refused(message)
    permission.require_competent(agreement.profile, trust, said.told, said.told_at)
    _require_form(said, core.stamp)  # step 6
    if core.stamp.route is not None and said.way is not None:  # step 7
        way = said.way
        gone = replace(core.stamp.route, transport=way.transport, escort=way.escort, legs=way.legs)
        permission.require_route(agreement.profile, origin_party=core.origin.party, channel=core.stamp.channel, route=gone)
    if said.told_at < sealed_at or said.leaves_at < sealed_at:  # step 8
        message = "the transport was told of, or left, before the envelope was sealed"
        raise Refused(message)
    if said.told_at > at + agreement.profile.skew:
        message = "the transport was told of in the future"
        raise Refused(message, "compare the clocks of both offices")
    trust.require_standing(signer, dated=said.told_at, evidence=of_statement(seen, signed.digest, raw), act=ACT)  # step 9
    return VerifiedNotice(raw=raw, digest=statement.digest, said=said, signed=signed, signer=signer, agreement=agreement)


def _require_form(said: Notice, stamp: Stamp) -> None:
    """What a closed stamp hides is not told; what deviates from the stamp has a reason."""
    if (said.way is None) != (stamp.route is None) or (stamp.route is None and said.escorts):
        message = "a transport notice tells the way exactly under an open stamp, and under a closed one no escorts"
        raise Malformed(message)
    deviates = said.package != stamp.package or (stamp.route is not None and said.way != Way.of_route(stamp.route))
    if deviates != bool(said.deviation):
        message = "a transport notice gives a reason for deviating exactly when it deviates from the stamp"
        raise Malformed(message)


class Notices:
    """The notices of one envelope that a reader has (transport.md, Several notices).

    all: by number. counted: those that follow one another from 1 without a hole, as far as none contradicts another; `unconnected` are the
    others. missing: numbers below the highest that are not here. conflict: what contradicts, at the number `conflict_at`; None: nothing.
    """

    def __init__(self, notices: Iterable[VerifiedNotice]) -> None:
        """Put them in order.

        Raises:
            Refused: they are about different envelopes.
        """
        by_digest = {one.digest: one for one in notices}
        self.all = tuple(sorted(by_digest.values(), key=lambda one: (one.said.number, one.digest)))
        if len({one.signed.digest for one in self.all}) > 1:
            message = "these transport notices are about different envelopes"
            raise Refused(message)
        by_number: dict[int, list[VerifiedNotice]] = {}
        for one in self.all:
            by_number.setdefault(one.said.number, []).append(one)
        self.conflict_at, self.conflict = _conflict(by_number)
        counted: list[VerifiedNotice] = []
        while (number := len(counted) + 1) in by_number and number != self.conflict_at:
            counted += by_number[number]
        self.counted = tuple(counted)
        self.unconnected = tuple(one for one in self.all if one.said.number > len(counted))
        self.missing = tuple(number for number in range(1, max(by_number, default=0)) if number not in by_number)

    @property
    def last(self) -> VerifiedNotice | None:
        """The one that counts; None: there is none."""
        return self.counted[-1] if self.counted else None


def _conflict(by_number: dict[int, list[VerifiedNotice]]) -> tuple[int | None, Refused | None]:
    """The lowest number at which a notice contradicts another, and how: it is one of two, or it does not follow the one before it."""
    for number in sorted(by_number):
        one, *others = by_number[number]
        origin = one.signed.core.origin
        if others:
            message = f"two transport notices of one envelope have the number {number}"
            return number, Conflict(message, f"ask {origin} which of them it stands by")
        before = by_number.get(number - 1)
        if before is not None and one.said.previous != before[0].digest:  # of two before it the search has ended there
            message = f"the transport notice {number} does not follow the notice {number - 1} that is known here"
            return number, Conflict(message, f"ask {origin} for its notices")
        if before is not None and one.said.told_at < before[0].said.told_at:
            message = f"the transport notice {number} is dated before the notice {number - 1}"
            return number, Refused(message)
    return None, None
