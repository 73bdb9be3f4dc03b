"""What comes after opening: acknowledge or refuse, countersign, and at the origin verify the receipt and close the entry."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from valiza.envelope.acknowledgement import Acknowledgement, Answer, Refusal, VerifiedAnswer, acknowledge, read_answer, refuse
from valiza.envelope.evidence import NOTHING_SEEN, Seen, Vouched
from valiza.envelope.receipt import AuthenticReceipt, Verdict, VerifiedReceipt, countersign, read_receipt
from valiza.envelope.verifying import AuthenticDispatch, VerifiedEnvelope, authenticate, verify_envelope
from valiza.keys import labels
from valiza.keys.errors import Conflict, Malformed, Refused, Usage, ValizaError
from valiza.keys.files import about
from valiza.keys.interruption import naming
from valiza.office.heads import HeadNews, attachments_for
from valiza.office.passing import HeadsTaken, enter_receipt, exit_code_of, judge_receipt, read_reply
from valiza.office.reader import Reader, envelope_file, office_reader, read_object, write_object
from valiza.office.receiving import check

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from valiza.envelope.profile import Profile
    from valiza.keys.statement import Statement
    from valiza.keys.trust import Trust
    from valiza.office.home import Office

__all__ = ["Answered", "ReceiptOutcome", "acknowledge_envelope", "countersign_answer", "judge_receipts", "read_answer_file", "refuse_envelope"]

_AT_ONCE = 64  # receipts whose envelopes are looked up in one go


@dataclass(frozen=True, kw_only=True)
class Answered:
    """A statement that was made, or that the journal had already."""

    statement: Statement
    answer: VerifiedAnswer


def acknowledge_envelope(
    office: Office, path: Path, out: Path, *, officer: str | None, number: str | None, conditions: Mapping[int, str], at: int
) -> Answered:
    """Acknowledge an envelope that this office opened, into the new file `out`.

    Args:
        office: the destination's.
        path: the envelope.
        out: a new file for the acknowledgement.
        officer: who opened it; None: found by the journal.
        number: incoming number; None: the one that the office gave at opening.
        conditions: by index, of carriers that are not present.
        at: now, in seconds since 1970.

    Raises:
        Refused: it was not opened here, or was refused before.
    """
    with envelope_file(path) as source:
        name = authenticate(source, office.trust, office.journal).signed.digest
    opening = office.journal.opening(name)
    if opening is None:
        message = "this office has not opened this envelope: what was not opened cannot be acknowledged"
        raise Refused(message, "open it first: valiza open ENVELOPE -o DIR")
    count = len(opening.expectation.openings)
    wrong = [str(index) for index in conditions if not 0 <= index < count]
    if wrong:
        message = f"there is no carrier with the index {', '.join(wrong)}: the envelope has {count}, counted from 0"
        raise Usage(message)
    for index, condition in conditions.items():
        if condition != "present" and opening.expectation.openings[index] is not None:
            message = f"the carrier {index} is a file, and came whole: opening releases all or nothing"
            raise Refused(message, "refuse the envelope if its contents are not as agreed: valiza refuse --reason contents")
    name_of_signer = _opener_name(office, opening.credential, officer)
    statement = acknowledge(
        opening,
        signer=office.credential(name_of_signer, "acknowledge"),
        key=office.signing_key(name_of_signer, "acknowledge"),
        trust=office.trust,
        journal=office.journal,
        at=at,
        number=office.journal.incoming_number(name) if number is None else number,
        conditions=[conditions.get(index, "present") for index in range(count)],
    )
    verified = read_answer(statement.raw, office.trust, office.journal)
    _require_same(verified.answer, conditions, number)
    write_object(out, statement.raw)
    return Answered(statement=statement, answer=verified)


def _require_same(answer: Answer, conditions: Mapping[int, str], number: str | None) -> None:
    """An acknowledgement that the journal had already is handed out again only to who asks for nothing else."""
    if not isinstance(answer, Acknowledgement) or number not in (None, answer.number):
        message = f"this envelope was acknowledged before, with the number {answer.number!r}"
        raise Conflict(message)
    if conditions and any(conditions.get(index, "present") != said for index, said in enumerate(answer.conditions)):
        message = f"this envelope was acknowledged before, with the conditions {', '.join(answer.conditions)}"
        raise Conflict(message, "a supplement to an acknowledgement is a later act, outside this version")


def _opener_name(office: Office, credential: bytes, wanted: str | None) -> str:
    """The officer named, or the one whose credential opened the envelope."""
    if wanted is not None:
        return wanted
    for name in office.officers_with("open"):
        if office.addressee(name, [credential]).digest == credential:
            return name
    return office.pick(None, "acknowledge")


def refuse_envelope(
    office: Office, path: Path, out: Path, *, officer: str | None, reason: str, comment: str, number: str | None, at: int
) -> Answered:
    """Refuse an authentic envelope, opened or not, into the new file `out`."""
    with envelope_file(path) as source:
        envelope = authenticate(source, office.trust, office.journal)
    core = envelope.core
    if core.destination != office.body:
        message = f"the envelope is addressed to {core.destination}, and this is {office.body}"
        raise Refused(message)
    office.journal.require_first(envelope.signed.name)
    given = office.journal.enter_arrival(envelope.signed.name, envelope.signed.statement.raw, at=at)
    opening = office.journal.opening(envelope.signed.digest)
    name = office.pick(officer, "acknowledge") if opening is None else _opener_name(office, opening.credential, officer)
    statement = refuse(
        envelope,
        opening=opening,
        reason=reason,
        comment=comment,
        signer=office.credential(name, "acknowledge"),
        key=office.signing_key(name, "acknowledge"),
        trust=office.trust,
        journal=office.journal,
        at=at,
        number=given if number is None else number,
    )
    verified = read_answer(statement.raw, office.trust, office.journal)
    if isinstance(verified.answer, Refusal) and (verified.answer.reason, verified.answer.comment) != (reason, comment):
        message = f"this envelope was refused before, for the reason {verified.answer.reason!r}"
        raise Conflict(message)
    write_object(out, statement.raw)
    return Answered(statement=statement, answer=verified)


@dataclass(frozen=True, kw_only=True)
class Countersigned:
    """A receipt that was made, or that the journal had already."""

    statement: Statement
    authentic: AuthenticReceipt


def read_answer_file(path: Path, trust: Trust, seen: Seen = NOTHING_SEEN) -> VerifiedAnswer:
    """The answer in a file, its signatures checked; `seen` is what the reader remembers.

    Raises:
        Malformed, NotAuthentic, Refused, Unavailable: it is none, or does not hold.
    """
    with about(path, Malformed):
        return read_answer(read_object(path, labels.ACKNOWLEDGEMENT, labels.REFUSAL), trust, seen)


def countersign_answer(office: Office, answer: VerifiedAnswer, envelope_path: Path, out: Path, *, officer: str | None, at: int) -> Countersigned:
    """Verify an answer's envelope, and countersign for the confirming body, into the new file `out`."""
    reader = office_reader(office)
    with envelope_file(envelope_path) as source:
        envelope = _envelope(source, reader, answer, at)
        name = office.pick(officer, "countersign")
        statement = countersign(
            answer,
            envelope=envelope,
            signer=office.credential(name, "countersign"),
            key=office.signing_key(name, "countersign"),
            trust=office.trust,
            agreements=office.agreements,
            journal=office.journal,
            at=at,
            attachments=attachments_for(office, answer.signed.core.agreement, answer.signed.core.origin),
        )
    write_object(out, statement.raw)
    authentic = read_receipt(statement.raw, trust=office.trust, agreements=office.agreements, seen=office.journal)
    return Countersigned(statement=statement, authentic=authentic)


def _envelope(source: object, reader: Reader, answer: VerifiedAnswer, at: int) -> VerifiedEnvelope | AuthenticDispatch:
    """The envelope, verified as far as this kind of answer needs it (receipt.md, Producing 1)."""
    claim = answer.answer.claim
    seen = Vouched(reader.seen, answer.answer.dispatch, answer.answer.answered_at)
    if claim is None:
        return authenticate(source, reader.trust, seen)  # type: ignore[arg-type] # from envelope_file
    return verify_envelope(check(source, reader, at=claim.opened_at if reader.journal is None else at, seen=seen))  # type: ignore[arg-type]


@dataclass(frozen=True, kw_only=True)
class ReceiptOutcome:
    """What comes of a receipt: the verdict, whether it was known, and the exit code."""

    verified: VerifiedReceipt | None
    answer: VerifiedAnswer
    verdict: Verdict
    exit_code: int
    profile: Profile | None
    news: tuple[HeadNews, ...] = ()


def judge_receipts(
    reader: Reader, paths: Sequence[Path], *, envelope_of: Callable[[bytes], Path | None], at: int
) -> list[ReceiptOutcome | ValizaError]:
    """Verify receipts, compare them with what is at hand, and at the origin enter them together (receipt.md, Reading).

    Args:
        reader: the office, or a stranger.
        paths: the receipts.
        envelope_of: finds the envelope by the digest of its dispatch, if it is at hand.
        at: now, in seconds since 1970.

    Returns:
        For each what came of it, or why it is no receipt for what it claims.
    """
    outcomes: dict[int, ReceiptOutcome | ValizaError] = {}
    read: dict[int, tuple[AuthenticReceipt, VerifiedEnvelope | AuthenticDispatch | None]] = {}
    for index, path in enumerate(paths):
        try:
            found = _read_receipt(reader, path, envelope_of, at)
        except ValizaError as error:
            outcomes[index] = error
        else:
            if isinstance(found, ReceiptOutcome):
                outcomes[index] = found
            else:
                read[index] = found
    if read:
        known: HeadsTaken = {}
        signed = {index: authentic.answer.signed for index, (authentic, _) in read.items()}
        agreement = next(iter(signed.values())).core.agreement
        with naming(), nullcontext() if reader.journal is None else reader.journal.together(agreement):
            for count, (index, (authentic, envelope)) in enumerate(read.items()):
                if reader.journal is not None and count % _AT_ONCE == 0:
                    reader.journal.recall(one.name for one in [*signed.values()][count : count + _AT_ONCE])
                try:
                    outcomes[index] = _judge(reader, authentic, envelope, at, known)
                except ValizaError as error:
                    outcomes[index] = error
    return [outcomes[index] for index in range(len(paths))]


def _read_receipt(
    reader: Reader, path: Path, envelope_of: Callable[[bytes], Path | None], at: int
) -> ReceiptOutcome | tuple[AuthenticReceipt, VerifiedEnvelope | AuthenticDispatch | None]:
    """All that takes time and changes nothing: signatures, and the envelope if it is at hand."""
    with about(path, Malformed):
        read = read_reply(read_object(path, labels.RECEIPT), trust=reader.trust, agreements=reader.agreements, seen=reader.seen)
    if isinstance(read, VerifiedAnswer):
        return ReceiptOutcome(verified=None, answer=read, verdict=Verdict.ACKNOWLEDGED, exit_code=Verdict.ACKNOWLEDGED.exit_code, profile=None)
    place = envelope_of(read.answer.signed.digest)
    if place is None:
        return read, None
    claim = read.answer.answer.claim
    with envelope_file(place) as source:
        return read, _envelope(source, reader, read.answer, at if claim is None else claim.opened_at)


def _judge(
    reader: Reader, authentic: AuthenticReceipt, envelope: VerifiedEnvelope | AuthenticDispatch | None, at: int, known: HeadsTaken
) -> ReceiptOutcome:
    verified = judge_receipt(reader, authentic, envelope)
    return ReceiptOutcome(
        verified=verified,
        answer=authentic.answer,
        verdict=verified.verdict,
        exit_code=exit_code_of(reader, verified),
        profile=_profile(reader, verified),
        news=enter_receipt(reader, verified, at, known),
    )


def _profile(reader: Reader, verified: VerifiedReceipt) -> Profile | None:
    """The agreement's text for display; a refusal may be about one that is not known here."""
    try:
        return reader.agreements.find(verified.authentic.answer.signed.core.agreement).profile
    except Refused:
        return None
