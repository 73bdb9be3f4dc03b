"""What passes through hands that have no key: receipts and envelopes are judged by the register and entered in it, whoever brings them.

A clerk brings files, a mail gateway messages. Everything here is done between `journal.together()` and its end, where nobody overtakes: what is
judged is still so when it is entered.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from valiza.envelope.acknowledgement import VerifiedAnswer, read_answer, verify_answer
from valiza.envelope.receipt import AuthenticReceipt, Verdict, VerifiedReceipt, read_receipt, verify_receipt
from valiza.envelope.verifying import AuthenticDispatch, VerifiedEnvelope, authenticate, verify_dispatch, verify_envelope
from valiza.keys import labels
from valiza.keys.encoding import pack
from valiza.keys.errors import Conflict, Refused
from valiza.keys.statement import read_statement
from valiza.office.checkpoints import Registrar
from valiza.office.heads import HeadNews, take_attachments

if TYPE_CHECKING:
    from typing import BinaryIO

    from valiza.envelope.agreement import Agreements
    from valiza.envelope.dispatch import SignedDispatch
    from valiza.envelope.evidence import Seen
    from valiza.keys.fields import Attachments, Body
    from valiza.keys.trust import Trust
    from valiza.office.home import Office
    from valiza.office.reader import Reader

__all__ = [
    "Course",
    "HeadsTaken",
    "Memory",
    "course_of",
    "enter_envelope",
    "enter_receipt",
    "exit_code_of",
    "judge_receipt",
    "read_envelope",
    "read_reply",
]

_KEPT = {Verdict.DELIVERED, Verdict.REFUSED, Verdict.DISCREPANT, Verdict.LATE, Verdict.WITHDRAWN}
_RECEIPT = b"\x93" + pack(labels.RECEIPT)  # how every receipt begins: an array of three, and its type
_ACCEPTED = {"sealed", "arrived"}  # entries by which an envelope was accepted here


@dataclass(frozen=True, slots=True)
class Memory:
    """What an office remembers, without opening its register before something is asked."""

    office: Office

    def first_seen(self, dispatch_digest: bytes, statement: bytes) -> int | None:
        """The earliest time at which a statement about an envelope, or something that contains it, was recorded."""
        return self.office.journal.first_seen(dispatch_digest, statement)

    def accepted_at(self, dispatch_digest: bytes) -> int | None:
        """When an envelope was sealed or arrived here; None: it was not."""
        return next((entry.at for entry in self.office.journal.story(dispatch_digest) if entry.kind in _ACCEPTED), None)


# -- receipts -------------------------------------------------------------------------------------------------------------


def read_reply(raw: bytes, *, trust: Trust, agreements: Agreements, seen: Seen) -> AuthenticReceipt | VerifiedAnswer:
    """A receipt, or an answer that is not countersigned: that is verified as far as it goes, and never taken for a receipt (receipt.md, Reading 1).

    Raises:
        Malformed, NotAuthentic, Refused: it is none, or does not hold.
    """
    if raw.startswith(_RECEIPT) or read_statement(raw, labels.RECEIPT, labels.ACKNOWLEDGEMENT, labels.REFUSAL).type == labels.RECEIPT:
        return read_receipt(raw, trust=trust, agreements=agreements, seen=seen)
    answer = read_answer(raw, trust, seen)
    verify_answer(answer, trust, agreements)
    return answer


def judge_receipt(reader: Reader, authentic: AuthenticReceipt, envelope: VerifiedEnvelope | AuthenticDispatch | None = None) -> VerifiedReceipt:
    """Compare a receipt with what the reader's register says of it now.

    Raises:
        NotAuthentic: it says other than was recorded. Unavailable: the register.
    """
    return verify_receipt(authentic, own=reader.own, journal=reader.journal, envelope=envelope)


def exit_code_of(reader: Reader, verified: VerifiedReceipt) -> int:
    """That of the verdict; for bytes that were entered before that of the first one."""
    if verified.duplicate and verified.verdict is not Verdict.CONFLICT and reader.journal is not None:
        stored = reader.journal.stored_receipt(verified.authentic.answer.signed.digest)
        if stored is not None and stored.verdict in set(Verdict):
            return Verdict(stored.verdict).exit_code
    return verified.verdict.exit_code


# What came of heads, by who sent them, and under which agreement.
HeadsTaken = dict[tuple["Body", bytes, "Attachments"], tuple[HeadNews, ...]]


def enter_receipt(reader: Reader, verified: VerifiedReceipt, at: int, taken: HeadsTaken | None = None) -> tuple[HeadNews, ...]:
    """Enter a receipt in the origin's register, or what contradicts it as evidence in any; returns what came of the heads that it brought.

    Receipts that come together mostly bring the same heads: `taken` remembers them, so that these are taken in once.

    Raises:
        ForbiddenStep: it may not follow on what is entered. Unavailable: the register.
    """
    signed = verified.authentic.answer.signed
    raw, journal = verified.authentic.statement.raw, reader.journal
    if journal is None:
        return ()
    if verified.verdict is Verdict.CONFLICT:
        journal.record_conflict(raw, signed.name, what="another receipt", at=at)
    elif not verified.duplicate and reader.own == signed.core.origin and verified.verdict in _KEPT:
        journal.record_receipt(raw, verified.verdict.value, signed.name, at=at)
    if reader.own is None or reader.own != signed.core.origin:
        return ()
    attached = verified.authentic.receipt.attachments  # what that register says of itself and of ours decides nothing about the receipt
    came, known = (signed.core.confirming, signed.core.agreement, attached), {} if taken is None else taken
    if came not in known:
        office = Registrar(body=reader.own, trust=reader.trust, agreements=reader.agreements, journal=journal)
        known[came] = tuple(take_attachments(office, attached, sender=signed.core.confirming, agreement=signed.core.agreement, at=at))
    return known[came]


# -- envelopes ------------------------------------------------------------------------------------------------------------


class Course(StrEnum):
    """Where an envelope stands in the register of the body that meets it on its way."""

    ARRIVING = "arriving"  # to be confirmed or opened here, and not entered yet
    KNOWN = "known"  # entered before
    SENT = "sent"  # sealed here
    UNRECORDED = "unrecorded"  # from here, as it says, and not in the register
    WITHDRAWN = "withdrawn"  # sealed here, and recorded as never sent
    CONFLICTING = "conflicting"  # another dispatch has this identity
    ELSEWHERE = "elsewhere"  # neither from here nor for this body


def read_envelope(source: BinaryIO, *, trust: Trust, agreements: Agreements, seen: Memory, at: int) -> VerifiedEnvelope:
    """Verify a whole envelope without any key, as of when it was accepted here if it was, and else as of now.

    Raises:
        Malformed, NotAuthentic, Refused, Unavailable: envelope.md, Reading 1 to 9.
    """
    authentic = authenticate(source, trust, seen)
    try:
        verified = verify_dispatch(authentic, trust=trust, agreements=agreements, at=at)
    except Refused:  # an agreement that ends undoes nothing
        accepted_at = seen.accepted_at(authentic.signed.digest)
        if accepted_at is None:
            raise
        verified = verify_dispatch(authentic, trust=trust, agreements=agreements, at=accepted_at)
    return verify_envelope(verified)


def course_of(reader: Reader, signed: SignedDispatch) -> Course:
    """Where a verified envelope stands.

    Raises:
        Unavailable: the register.
    """
    journal, core = reader.journal, signed.core
    if journal is None or reader.own not in {core.origin, core.destination, core.confirming}:
        return Course.ELSEWHERE
    try:
        journal.require_first(signed.name)
    except Conflict:
        return Course.CONFLICTING
    if reader.own != core.origin:
        return Course.KNOWN if journal.incoming_number(signed.digest) else Course.ARRIVING
    if journal.expectation(signed.digest) is None:
        return Course.UNRECORDED
    return Course.WITHDRAWN if journal.withdrawn(signed.digest) else Course.SENT


def enter_envelope(reader: Reader, signed: SignedDispatch, course: Course, at: int) -> None:
    """Enter an envelope as arrived, with an incoming number (A6.2); or keep what conflicts with one that is known, as evidence.

    Raises:
        ForbiddenStep, Unavailable: the register refuses it.
    """
    if reader.journal is None:
        return
    if course is Course.ARRIVING:
        reader.journal.enter_arrival(signed.name, signed.statement.raw, at=at)
    elif course is Course.CONFLICTING:
        reader.journal.record_other_dispatch(signed.statement.raw, signed.core.raw, signed.name, at=at)
