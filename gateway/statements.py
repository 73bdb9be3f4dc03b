"""Statements that are neither receipts nor answers: who signed them, where something here can tell. Nothing of them is entered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from valiza.envelope.agreement import read_agreement, read_termination
from valiza.envelope.clearance import read_confirmation, read_enquiry
from valiza.envelope.notice import read_notice
from valiza.envelope.overdue import read_overdue
from valiza.keys.credential import Credential
from valiza.keys.statement import LIMITS, read_statement

if TYPE_CHECKING:
    from collections.abc import Callable

    from valiza.envelope.agreement import Agreements
    from valiza.envelope.evidence import Seen
    from valiza.keys.trust import Trust

__all__ = ["TYPES", "Said", "read_other"]

TYPES: Final = {type_.rpartition("/")[2]: type_ for type_ in LIMITS}  # by their last words
_ABOUT_ENVELOPES: Final[dict[str, Callable[..., Any]]] = {"transport-notice": read_notice, "overdue": read_overdue}
_OF_CLEARANCES: Final[dict[str, Callable[..., Any]]] = {"clearance-enquiry": read_enquiry, "clearance-confirmation": read_confirmation}
_SIGNED: Final = frozenset({"roster", "revocation", "rewrap", "handover"})  # by one credential: its signature is checked, and no more


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """An authentic statement.

    Attributes:
        parties: whose it is.
        body: id of the body whose officer signed it; empty where a root did.
        envelope_id: of the envelope that it is about, if it says one.
    """

    parties: tuple[str, ...]
    body: str = ""
    envelope_id: bytes | None = None


def read_other(raw: bytes, type_: str, *, trust: Trust, agreements: Agreements, seen: Seen, at: int) -> Said | None:  # noqa: PLR0911 - one return for each kind
    """Check a statement.

    Args:
        raw: the statement.
        type_: the last word of its type, as its first bytes say it.
        trust: whom the reader believes.
        agreements: those that he adopted.
        seen: what he remembers.
        at: now, in seconds since 1970.

    Returns:
        None where it is well-formed, and nothing here can tell whether it is authentic.

    Raises:
        Malformed, NotAuthentic, Refused: it does not hold.
    """
    if type_ in _ABOUT_ENVELOPES:
        known = _ABOUT_ENVELOPES[type_](raw, trust=trust, agreements=agreements, at=at, seen=seen)
        return _by(known.signer, known.signed.core.envelope_id)
    if type_ in _OF_CLEARANCES:
        return _by(_OF_CLEARANCES[type_](raw, trust=trust, agreements=agreements, at=at).signer)
    if type_ == "agreement":
        return Said(parties=tuple(party.id for party in read_agreement(raw, trust).profile.parties))
    if type_ == "termination":
        return Said(parties=(read_termination(raw, trust, agreements).party,))
    if type_ == "credential":
        credential = trust.check(raw)
        return _by(credential.issuer) if isinstance(credential.issuer, Credential) else Said(parties=(credential.body.party,))
    statement = read_statement(raw, *([TYPES[type_]] if type_ in TYPES else LIMITS))
    if type_ not in _SIGNED:
        return None
    named = statement.signer.signer_digest
    if trust.root(named) is not None or (type_ == "roster" and trust.credential(named) is None):
        return None  # a quorum of the root, or a credential that perhaps only this roster has
    signer = trust.signer(statement)
    if trust.history(signer):
        trust.require_in_force(signer, at=at, act=f"signing a {type_}")
    return _by(signer)


def _by(signer: Credential, envelope_id: bytes | None = None) -> Said:
    return Said(parties=(signer.body.party,), body=signer.body.id, envelope_id=envelope_id)
