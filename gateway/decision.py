"""What becomes of a message: the verdict on each object in it, and what the mail server is told (docs/gateway.md, Verdicts)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from valiza.envelope.receipt import Verdict

__all__ = ["FAULTS", "Action", "Decision", "Finding", "GatewayVerdict"]


class Action(StrEnum):
    """What the mail server is to do with a message, the mildest first."""

    ACCEPT = "accept"
    QUARANTINE = "quarantine"
    REJECT = "reject"
    DEFER = "defer"


class GatewayVerdict(StrEnum):
    """What a gateway says of an object, or of a message, besides the verdicts on receipts (receipt.md, Verdicts)."""

    NONE = "none"
    DUPLICATE = "duplicate"
    ARRIVED = "arrived"
    OUTGOING = "outgoing"
    PASSING = "passing"
    STATEMENT = "statement"
    MISADDRESSED = "misaddressed"
    UNRECORDED = "unrecorded"
    UNVERIFIED = "unverified"
    MALFORMED = "malformed"
    NOT_AUTHENTIC = "not-authentic"
    FORBIDDEN = "forbidden"
    SENDER = "sender"
    UNSEALED = "unsealed"
    TOO_LARGE = "too-large"
    TOO_COMPLEX = "too-complex"
    UNAVAILABLE = "unavailable"
    FAULT = "fault"


FAULTS: Final = (GatewayVerdict.UNAVAILABLE, GatewayVerdict.FAULT)  # nothing is known of the message, so it is deferred


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was found of one object in a message, or of the message as a whole.

    Attributes:
        verdict: in one word.
        exit_code: of the tool, for this object alone.
        envelope_id: 32 bytes, where the object is about one envelope and authentic.
        unchecked: what could not be checked here, in the words of `valiza verify` and `valiza receipt verify`.
        reason: why, for the log and the terminal, not yet escaped. It never travels with the message.
        part: which part of the message it was, counted as IMAP does (`2.1`); empty for the message.
    """

    verdict: Verdict | GatewayVerdict
    exit_code: int
    envelope_id: bytes | None = None
    unchecked: tuple[str, ...] = ()
    reason: str = ""
    part: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What becomes of a message.

    Attributes:
        action: what the mail server does.
        findings: one for each object, in their order; one with the verdict `none` where there is none.
        reply: an SMTP reply for `reject` and `defer` (`550 5.7.1 …`), printable ASCII in one line; else empty.
        headers: added to a message that goes on, names and values, printable ASCII.
    """

    action: Action
    findings: tuple[Finding, ...]
    reply: str = ""
    headers: tuple[tuple[str, str], ...] = ()
