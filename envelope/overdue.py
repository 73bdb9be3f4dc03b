"""Overdue records (specs/transport.md): the origin's word that a receipt was due, and that its register has none (R12)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from valiza.envelope.dispatch import authenticate_dispatch
from valiza.envelope.evidence import NOTHING_SEEN, Seen, of_statement
from valiza.keys import labels
from valiza.keys.encoding import pack, unpack
from valiza.keys.errors import Malformed, Refused
from valiza.keys.fields import array, blob, extensions, time
from valiza.keys.statement import LIMITS, SignerHeader, read_statement, sign_statement

if TYPE_CHECKING:
    from valiza.envelope.agreement import Agreement, Agreements
    from valiza.envelope.dispatch import SignedDispatch
    from valiza.keys.credential import Credential
    from valiza.keys.fields import Extensions
    from valiza.keys.statement import Signer
    from valiza.keys.trust import Trust

__all__ = ["Overdue", "VerifiedOverdue", "declare_overdue", "read_overdue", "read_overdue_body"]

ACT: Final = "declaring a receipt overdue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Overdue:
    """The body of an overdue record: as of `noticed_at` the origin's register has no receipt, which was due at `due_at`."""

    dispatch: bytes = field(repr=False)
    core: bytes = field(repr=False)
    due_at: int
    noticed_at: int
    extensions: Extensions = field(default_factory=dict, repr=False)

    def packed(self) -> bytes:
        """The canonical body."""
        return pack([self.dispatch, self.core, self.due_at, self.noticed_at, self.extensions])


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedOverdue:
    """An overdue record by the origin, about an authentic dispatch."""

    raw: bytes = field(repr=False)
    digest: bytes
    said: Overdue
    signed: SignedDispatch
    signer: Credential
    agreement: Agreement


def declare_overdue(
    said: Overdue, *, signer: Credential, key: Signer, trust: Trust, agreements: Agreements, seen: Seen = NOTHING_SEEN
) -> VerifiedOverdue:
    """Sign an overdue record, dated now (transport.md, Producing). That the register has no receipt is for the caller to have looked up.

    Args:
        said: what is recorded; `noticed_at` is now.
        signer: an `act` credential of the origin; `key` is its key.
        trust: whom the office believes.
        agreements: those adopted.
        seen: what the office remembers.

    Raises:
        Refused: it is not overdue, the signer may not, or is not in force now. Malformed, NotAuthentic: as a reader would.
    """
    if signer.purpose != "act":
        message = f"{signer.title!r} is certified to {signer.purpose}, not to act"
        raise Refused(message)
    trust.require_in_force(signer, at=said.noticed_at, act=ACT)
    header = SignerHeader(role="clerk", signer_digest=signer.digest, key_digest=key.key_digest)
    raw = sign_statement(labels.OVERDUE, said.packed(), [(header, key)]).raw
    return read_overdue(raw, trust=trust, agreements=agreements, at=said.noticed_at, seen=seen)


def read_overdue_body(raw: bytes) -> Overdue:
    """Decode the body of an overdue record; the dispatch in it is a statement of its own."""
    what = "overdue record"
    items = array(unpack(raw, max_bytes=LIMITS[labels.OVERDUE], what=what), what, length=5)
    return Overdue(
        dispatch=blob(items[0], "dispatch", most=LIMITS[labels.DISPATCH]),
        core=blob(items[1], "core"),
        due_at=time(items[2], "receipt due"),
        noticed_at=time(items[3], "noticed at"),
        extensions=extensions(items[4]),
    )


def read_overdue(raw: bytes, *, trust: Trust, agreements: Agreements, at: int, seen: Seen = NOTHING_SEEN) -> VerifiedOverdue:
    """Read an overdue record and the dispatch in it (transport.md, Reading an overdue record).

    Args:
        raw: the statement.
        trust: whom the reader believes.
        agreements: those that he has adopted.
        at: now, in seconds since 1970.
        seen: what the reader remembers; a stranger remembers nothing.

    Raises:
        Malformed, NotAuthentic, Refused: as the steps say.
    """
    statement = read_statement(raw, labels.OVERDUE)  # step 1
    signer = trust.signer(statement)  # step 2
    said = read_overdue_body(statement.body)
    signed = authenticate_dispatch(said.dispatch, said.core, trust, seen)  # step 3
    core = signed.core
    if signer.body != core.origin:  # step 4
        message = f"the receipt for an envelope of {core.origin} is called overdue by {signer.title!r} of {signer.body}"
        raise Refused(message)
    if said.due_at != core.stamp.due_at:  # step 5
        message = "the overdue record names another time than the stamp for the receipt that was due"
        raise Malformed(message)
    if said.noticed_at <= said.due_at:  # step 6
        message = "the receipt was called overdue before it was"
        raise Refused(message)
    agreement = agreements.find(core.agreement)
    if said.noticed_at > at + agreement.profile.skew:
        message = "the receipt was called overdue in the future"
        raise Refused(message, "compare the clocks of both offices")
    trust.require_standing(signer, dated=said.noticed_at, evidence=of_statement(seen, signed.digest, raw), act=ACT)  # step 7
    return VerifiedOverdue(raw=raw, digest=statement.digest, said=said, signed=signed, signer=signer, agreement=agreement)
