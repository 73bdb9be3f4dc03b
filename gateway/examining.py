"""One object in a message: who signed it, and whether the rules let it pass. The register is not asked, unless a key is compromised.

What holds so far waits for the register as `Waiting`; of anything else there is a `Finding`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from valiza.envelope.acknowledgement import VerifiedAnswer
from valiza.envelope.dispatch import SignedDispatch
from valiza.envelope.receipt import AuthenticReceipt, Verdict
from valiza.gateway.decision import Finding, GatewayVerdict
from valiza.gateway.media import SNIFFED_BYTES, Kind, statement_type
from valiza.gateway.statements import TYPES, read_other
from valiza.keys.errors import Conflict, Malformed, NotAuthentic, Refused, Unavailable, ValizaError
from valiza.keys.statement import LIMITS
from valiza.office.passing import read_envelope, read_reply

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import BinaryIO

    from valiza.envelope.agreement import Agreements
    from valiza.gateway.rules import Rules
    from valiza.keys.trust import Trust
    from valiza.office.passing import Memory

__all__ = ["Examiner", "Object", "Waiting", "finding_of"]

_REFUSED_CODE: Final = Refused.exit_code
_REPLIES: Final = frozenset({"receipt", "acknowledgement", "refusal"})


class Content(Protocol):
    """What is in an object."""

    def head(self, length: int) -> bytes:
        """Its first bytes."""

    def read(self, most: int | None = None) -> bytes:
        """All of it, or no more than that."""

    def open(self) -> BinaryIO:
        """A seekable file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Object:
    """Something of Valiza in a message, or what is said to be such a thing.

    Attributes:
        part: its number in the message.
        kind: what it begins like; None: like nothing of Valiza.
        content: what is in it.
    """

    part: str
    kind: Kind | None
    content: Content = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A receipt or envelope that holds as far as it can be seen without the register."""

    part: str
    found: AuthenticReceipt | SignedDispatch
    unchecked: tuple[str, ...] = ()

    @property
    def signed(self) -> SignedDispatch:
        """The dispatch of its envelope."""
        return self.found if isinstance(self.found, SignedDispatch) else self.found.answer.signed

    def becomes(self, verdict: Verdict | GatewayVerdict, exit_code: int, reason: str = "", *, unchecked: Iterable[str] = ()) -> Finding:
        """The finding that comes of it."""
        return Finding(
            verdict=verdict,
            exit_code=exit_code,
            envelope_id=self.signed.core.envelope_id,
            unchecked=(*self.unchecked, *unchecked),
            reason=reason,
            part=self.part,
        )


_FAMILIES: Final[tuple[tuple[type[ValizaError], Verdict | GatewayVerdict], ...]] = (
    (Malformed, GatewayVerdict.MALFORMED),
    (NotAuthentic, GatewayVerdict.NOT_AUTHENTIC),
    (Conflict, Verdict.CONFLICT),
    (Refused, GatewayVerdict.FORBIDDEN),
    (Unavailable, GatewayVerdict.UNAVAILABLE),
)


def finding_of(error: ValizaError, part: str = "", envelope_id: bytes | None = None) -> Finding:
    """What an error means for the object that it is about."""
    verdict = next((verdict for family, verdict in _FAMILIES if isinstance(error, family)), GatewayVerdict.FAULT)
    return Finding(verdict=verdict, exit_code=error.exit_code, reason=error.message, part=part, envelope_id=envelope_id)


class _Against(Exception):
    """A rule does not let an authentic object pass."""

    def __init__(self, verdict: GatewayVerdict, reason: str, envelope_id: bytes | None) -> None:
        super().__init__(reason)
        self.verdict, self.reason, self.envelope_id = verdict, reason, envelope_id


class Examiner:
    """Examines objects, with what is trusted and agreed at one moment.

    Args:
        rules: of the gateway.
        trust: whom the office believes.
        agreements: those that it adopted.
        memory: what it remembers.
        own: id of its body.
        at: now, in seconds since 1970.
    """

    def __init__(self, rules: Rules, *, trust: Trust, agreements: Agreements, memory: Memory, own: str, at: int) -> None:
        self.rules, self.trust, self.agreements, self.memory, self.at = rules, trust, agreements, memory, at
        self.behind = rules.pass_for | {own}

    def examine(self, item: Object, sender: str | None) -> Finding | Waiting:
        """What is to be said of an object, as far as the register is not needed.

        Args:
            item: the object.
            sender: of the message; None: nobody said.
        """
        try:
            return self._examine(item, sender)
        except _Against as against:
            return Finding(verdict=against.verdict, exit_code=_REFUSED_CODE, reason=against.reason, part=item.part, envelope_id=against.envelope_id)
        except (NotAuthentic, Refused) as error:
            stale = self._stale()
            return finding_of(stale or error, item.part)
        except ValizaError as error:
            return finding_of(error, item.part)

    def _examine(self, item: Object, sender: str | None) -> Finding | Waiting:
        if item.kind is None:
            message = "it is said to be something of Valiza, and is not"
            raise Malformed(message)
        if item.kind is Kind.KEY:
            raise _Against(GatewayVerdict.FORBIDDEN, "a private key is never sent", None)
        if item.kind is Kind.ENVELOPE:
            return self._envelope(item, sender)
        if item.kind is Kind.STATEMENT:
            type_ = statement_type(item.content.head(SNIFFED_BYTES))
            if type_ in _REPLIES:
                return self._reply(item, type_, sender)
            return self._statement(item, type_, sender)
        return Finding(verdict=GatewayVerdict.UNVERIFIED, exit_code=_REFUSED_CODE, part=item.part, reason=f"an {item.kind} is not verified here")

    # -- each kind ---------------------------------------------------------------------------------------------------------

    def _envelope(self, item: Object, sender: str | None) -> Waiting:
        envelope = read_envelope(item.content.open(), trust=self.trust, agreements=self.agreements, seen=self.memory, at=self.at)
        signed, core = envelope.signed, envelope.signed.core
        self._require_fresh(core.origin.party, core.destination.party)
        channel, route = core.stamp.channel, core.stamp.route
        if self.rules.channels is not None and channel not in self.rules.channels:
            raise _Against(GatewayVerdict.FORBIDDEN, f"the rules let no envelope pass whose stamp names the channel {channel!r}", core.envelope_id)
        if route is None and not self.rules.closed:
            raise _Against(GatewayVerdict.FORBIDDEN, "its stamp hides its mark, and the rules let no such envelope pass", core.envelope_id)
        for mark in () if route is None else (route.marks.origin, route.marks.destination):
            if mark.code not in self.rules.marks.get(mark.party, {mark.code}):
                raise _Against(GatewayVerdict.FORBIDDEN, f"the rules let no envelope with the mark {mark} pass", core.envelope_id)
        if self.behind.isdisjoint({core.origin.id, core.destination.id, core.confirming.id}):
            reason = f"it goes from {core.origin} to {core.destination}, and neither is behind this gateway"
            raise _Against(GatewayVerdict.MISADDRESSED, reason, core.envelope_id)
        unchecked = self._check_sender(sender, core.origin.id, core.envelope_id)
        return Waiting(part=item.part, found=signed, unchecked=(*envelope.verified.unchecked, *unchecked))

    def _reply(self, item: Object, type_: str, sender: str | None) -> Finding | Waiting:
        raw = item.content.read(LIMITS[TYPES[type_]] + 1)
        found = read_reply(raw, trust=self.trust, agreements=self.agreements, seen=self.memory)
        answer = found if isinstance(found, VerifiedAnswer) else found.answer
        core = answer.signed.core
        self._require_fresh(core.origin.party, core.destination.party)
        speaker = answer.signer.body if isinstance(found, VerifiedAnswer) else found.receipt.confirming
        unchecked = self._check_sender(sender, speaker.id, core.envelope_id)
        if isinstance(found, AuthenticReceipt):
            return Waiting(part=item.part, found=found, unchecked=unchecked)
        verdict = Verdict.ACKNOWLEDGED
        reason = "it is not countersigned, so it is no receipt"
        return Finding(verdict=verdict, exit_code=verdict.exit_code, envelope_id=core.envelope_id, part=item.part, reason=reason, unchecked=unchecked)

    def _statement(self, item: Object, type_: str, sender: str | None) -> Finding:
        limit = LIMITS[TYPES[type_]] if type_ in TYPES else max(LIMITS.values())
        raw = item.content.read(limit + 1)
        said = read_other(raw, type_, trust=self.trust, agreements=self.agreements, seen=self.memory, at=self.at)
        name = type_.replace("-", " ")
        if said is None:
            reason = f"nothing here can tell whether this {name} is authentic"
            return Finding(verdict=GatewayVerdict.UNVERIFIED, exit_code=_REFUSED_CODE, part=item.part, reason=reason)
        self._require_fresh(*said.parties)
        unchecked = self._check_sender(sender, said.body, said.envelope_id) if said.body else ()
        return Finding(verdict=GatewayVerdict.STATEMENT, exit_code=0, part=item.part, envelope_id=said.envelope_id, unchecked=unchecked, reason=name)

    # -- what holds for all ------------------------------------------------------------------------------------------------

    def _check_sender(self, sender: str | None, body: str, envelope_id: bytes | None) -> tuple[str, ...]:
        """What could not be checked of the sender: nothing, unless nobody said who it is."""
        if not self.rules.senders:
            return ()
        if sender is None:
            return ("sender",)
        if not self.rules.may_send(sender, body):
            raise _Against(GatewayVerdict.SENDER, f"the rules do not let the sender of this mail send for {body}", envelope_id)
        return ()

    def _require_fresh(self, *parties: str) -> None:
        """Nothing passes by a roster that is not in force: what it does not say yet could forbid it.

        Raises:
            Unavailable: one is missing, or expired.
        """
        try:
            self.trust.require_fresh(parties, self.at, "passing mail")
        except Refused as error:
            raise Unavailable(error.message, error.hint) from None

    def require_ready(self) -> None:
        """Raise Unavailable unless there is a roster in force of each party whose mail is to be checked."""
        stale = self._stale()
        if stale is not None:
            raise stale

    def _stale(self) -> Unavailable | None:
        """Whether a roster is missing or expired that could say of a signer what is not known here."""
        try:
            self._require_fresh(*self.parties())
        except Unavailable as error:
            return error
        return None

    def parties(self) -> list[str]:
        """The parties of the agreements in force."""
        found = set()
        for agreement in self.agreements.all():
            try:
                self.agreements.require_in_force(agreement, sealed_at=self.at, accepted_at=self.at)
            except Refused:
                continue
            found |= {party.id for party in agreement.profile.parties}
        return sorted(found)
