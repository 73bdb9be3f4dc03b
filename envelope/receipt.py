"""Receipts (specs/receipt.md): countersigned answers, and the origin's comparison with its own record. The steps are those of the spec."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from valiza.envelope.acknowledgement import Acknowledgement, Refusal, VerifiedAnswer, peek_answer, read_answer, verify_answer
from valiza.envelope.evidence import NOTHING_SEEN, Seen
from valiza.envelope.verifying import VerifiedEnvelope
from valiza.keys import labels
from valiza.keys.digests import digest
from valiza.keys.encoding import pack, unpack
from valiza.keys.errors import Conflict, Malformed, NotAuthentic, Refused
from valiza.keys.fields import Body, array, ascending, attachments, blob, body, extensions, one_of, time
from valiza.keys.statement import LIMITS, SignerHeader, Statement, read_statement, sign_statement

if TYPE_CHECKING:
    from collections.abc import Collection

    from valiza.envelope.agreement import Agreements
    from valiza.envelope.journal import Expectation, Journal
    from valiza.envelope.verifying import AuthenticDispatch
    from valiza.keys.credential import Credential
    from valiza.keys.encoding import Value
    from valiza.keys.fields import Attachments, Extensions
    from valiza.keys.statement import Signer
    from valiza.keys.trust import Evidence, Trust

__all__ = [
    "CHECKED",
    "NOT_COMPARED",
    "AuthenticReceipt",
    "Receipt",
    "Verdict",
    "VerifiedReceipt",
    "compare_with_envelope",
    "compare_with_record",
    "countersign",
    "peek_receipt",
    "read_receipt",
    "verify_receipt",
]

CHECKED: Final = ("entered", "envelope", "opening")
NOT_COMPARED: Final = ("openings", "proof", "marks", "addressee", "payload")


class Verdict(StrEnum):
    """What comes of an envelope (design; receipt.md, Verdicts)."""

    DELIVERED = "delivered"
    ATTESTED = "attested"
    OUTSTANDING = "outstanding"
    ACKNOWLEDGED = "acknowledged"
    OVERDUE = "overdue"
    REFUSED = "refused"
    DISCREPANT = "discrepant"
    LATE = "late"
    UNSOLICITED = "unsolicited"
    CONFLICT = "conflict"
    WITHDRAWN = "withdrawn"

    @property
    def exit_code(self) -> int:
        """0 done and verified, 8 no final answer yet, 6 authentic but not what was wanted."""
        if self in {Verdict.DELIVERED, Verdict.ATTESTED}:
            return 0
        return 8 if self in {Verdict.OUTSTANDING, Verdict.ACKNOWLEDGED, Verdict.OVERDUE} else 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The body of a receipt."""

    answer: bytes = field(repr=False)
    confirming: Body
    checked: tuple[str, ...]
    countersigned_at: int
    attachments: Attachments = ()
    extensions: Extensions = field(default_factory=dict)

    def packed(self) -> bytes:
        """The canonical body."""
        items = [list(item) for item in self.attachments]
        return pack([self.answer, self.confirming.packed(), list(self.checked), self.countersigned_at, items, self.extensions])


@dataclass(frozen=True, kw_only=True)
class AuthenticReceipt:
    """Both signatures, the dispatch inside, the officers and the agreement hold (Reading 1 to 9). Nothing was compared yet."""

    statement: Statement = field(repr=False)
    receipt: Receipt
    answer: VerifiedAnswer
    countersigner: Credential


@dataclass(frozen=True, kw_only=True)
class VerifiedReceipt:
    """The outcome of verifying a receipt: verdict, and what could not be compared."""

    authentic: AuthenticReceipt
    verdict: Verdict
    duplicate: bool
    not_compared: tuple[str, ...]


def countersign(
    answer: VerifiedAnswer,
    *,
    envelope: VerifiedEnvelope | AuthenticDispatch,
    signer: Credential,
    key: Signer,
    trust: Trust,
    agreements: Agreements,
    journal: Journal,
    at: int,
    attachments: Attachments = (),
) -> Statement:
    """Countersign an answer for the confirming body, or return the receipt that the journal has (receipt.md, Producing).

    Args:
        answer: from `read_answer`.
        envelope: verified without keys; a refusal of an unopened envelope needs an authentic dispatch only.
        signer: the `countersign` credential; `key` is its key.
        trust: whom the office believes.
        agreements: those adopted.
        journal: the office's.
        at: now, in seconds since 1970.
        attachments: what travels with the receipt (log.md, Attachments).

    Raises:
        NotAuthentic: the answer is about another envelope, or says other than the journal.
        Refused: the signer may not, rosters are expired, or another answer is known.
    """
    core, claim = answer.signed.core, answer.answer.claim
    checked = _require_same_envelope(answer, envelope)  # step 1
    verify_answer(answer, trust, agreements)  # step 2: the rest of it
    if signer.purpose != "countersign" or signer.body != core.confirming:  # step 3
        message = f"{signer.title!r} of {signer.body} ({signer.purpose}) does not countersign for {core.confirming}"
        raise Refused(message)
    trust.require_in_force(signer, at=at, act="countersigning")
    _require_two_persons(answer, signer)
    trust.require_fresh([core.origin.party, core.destination.party], at, "countersigning")
    stored = journal.stored_receipt(answer.signed.digest)
    if stored is not None:
        statement = read_statement(stored.raw, labels.RECEIPT)
        if _read_body(statement).answer == answer.statement.raw:
            return statement
        message = "another answer to this envelope was countersigned before"
        raise Conflict(message)
    if claim is not None:  # step 4
        checked.append(_require_recorded(answer, journal) if signer.body == core.destination else "entered")
    known = journal.stored_answer(answer.signed.digest)  # step 5
    if known is None:
        if claim is None:
            _require_unopened(answer, journal)
        journal.record_answer(answer.statement.raw, answer.signed.name, at=at)
    elif known != answer.statement.raw:
        message = "another answer to this envelope is recorded: acknowledged and refused, or answered twice"
        raise Conflict(message)
    body = Receipt(  # step 6
        answer=answer.statement.raw, confirming=core.confirming, checked=tuple(sorted(checked)), countersigned_at=at, attachments=attachments
    )
    header = SignerHeader(role="countersigner", signer_digest=signer.digest, key_digest=key.key_digest)
    statement = sign_statement(labels.RECEIPT, body.packed(), [(header, key)])
    read_receipt(statement.raw, trust=trust, agreements=agreements, seen=journal)  # what we hand out, every reader accepts
    journal.record_receipt(statement.raw, "countersigned", answer.signed.name, at=at)
    return statement


def _require_same_envelope(answer: VerifiedAnswer, envelope: VerifiedEnvelope | AuthenticDispatch) -> list[str]:
    whole = isinstance(envelope, VerifiedEnvelope)
    authentic = envelope.verified.authentic if isinstance(envelope, VerifiedEnvelope) else envelope
    _require_dispatch(answer, authentic)
    if not whole and answer.answer.claim is not None:
        message = "an envelope that was opened is verified whole before its answer is countersigned"
        raise Refused(message)
    return ["envelope"] if whole else []


def _require_dispatch(answer: VerifiedAnswer, envelope: AuthenticDispatch) -> None:
    """Dispatch and core inside the answer are those of the envelope, and who opened it was addressed."""
    if answer.answer.dispatch != envelope.signed.statement.raw:  # each core was compared with the digest in it
        message = "the answer is about another envelope"
        raise NotAuthentic(message)
    _require_addressed(answer, envelope.addressees)


def _require_addressed(answer: VerifiedAnswer, addressees: tuple[bytes, ...]) -> None:
    if answer.opener is None:
        return
    addressed = answer.opener if answer.rewrap is None else answer.rewrap.addressee
    if addressed.digest not in addressees:
        message = f"the envelope was not addressed to {addressed.title!r}, who answers it"
        raise NotAuthentic(message)


def _require_two_persons(answer: VerifiedAnswer, countersigner: Credential) -> None:
    """Acknowledger and countersigner are two persons with two keys (P8); nor is either key the sealer's."""
    keys = {c.key.key_digest for c in (answer.signer, countersigner, answer.signed.sealer)}
    if answer.signer.subject == countersigner.subject or len(keys) != 3:  # noqa: PLR2004 - three signers
        message = "one person, or one key, answered and countersigned"
        raise Refused(message, "another officer of the confirming body countersigns")


def _require_recorded(answer: VerifiedAnswer, journal: Journal) -> str:
    """The journal of the destination's office recorded this opening, by this credential."""
    opening, claim = journal.opening(answer.signed.digest), answer.answer.claim
    if opening is None or claim is None:
        message = "this office's journal has no opening of this envelope"
        raise Refused(message, "the envelope is opened in this office before its answer is countersigned")
    recorded = opening.expectation
    marks = answer.answer.marks if isinstance(answer.answer, Acknowledgement) else recorded.marks
    same = _same(recorded.openings, claim.openings) and _same(recorded.proof, claim.proof) and _same(recorded.marks, marks)
    if not same or (opening.credential, opening.opened_at) != (claim.credential, claim.opened_at):
        message = "the answer says other than this office's journal recorded of the opening"
        raise NotAuthentic(message)
    return "opening"


def _require_unopened(answer: VerifiedAnswer, journal: Journal) -> None:
    """A refusal that was not made in this office, so that nothing compared it with the journal, is not of an envelope that was opened here."""
    if journal.opening(answer.signed.digest) is not None:
        message = "the answer says that this envelope stayed closed, and this office's journal recorded its opening"
        raise Conflict(message, "who opened it refuses it: valiza refuse ENVELOPE --reason REASON -o FILE")


def _same(said: Value, recorded: Value) -> bool:
    """Whether an answer says what was recorded, in a time that does not tell how far it does.

    Openings and proof are known only to who opened: somebody who sent one answer after another could otherwise find them byte by byte.
    """
    return hmac.compare_digest(pack(said), pack(recorded))


def read_receipt(raw: bytes, *, trust: Trust, agreements: Agreements, seen: Seen = NOTHING_SEEN) -> AuthenticReceipt:
    """Read a receipt and check all that needs neither the origin's record nor the envelope (Reading 1 to 9); `seen` is what the reader remembers.

    Raises:
        Malformed, NotAuthentic, Refused: as the steps say.
    """
    statement = read_statement(raw, labels.RECEIPT)  # step 1
    countersigner = trust.signer(statement)  # step 2
    receipt = _read_body(statement)
    trust.require_standing(countersigner, dated=receipt.countersigned_at, evidence=_evidence(seen, receipt, raw), act="countersigning")
    answer = read_answer(receipt.answer, trust, seen)  # steps 3, 4, 7, 8
    core = answer.signed.core
    if receipt.confirming != core.confirming or countersigner.body != core.confirming:  # step 5
        message = f"the receipt is for {receipt.confirming} by an officer of {countersigner.body}, and {core.confirming} confirms"
        raise Refused(message)
    _require_two_persons(answer, countersigner)
    verify_answer(answer, trust, agreements)  # step 6, and 9 between the two offices
    _require_checked(receipt, answer)  # step 8
    # A refusal of an unopened envelope may be about an agreement that is not known here, so it gets no skew of it.
    with_skew = core.confirming != core.destination and answer.answer.claim is not None
    skew = agreements.find(core.agreement).profile.skew if with_skew else 0
    if answer.answer.answered_at > receipt.countersigned_at + skew:  # step 9
        message = "the receipt was countersigned before the envelope was answered"
        raise Refused(message)
    return AuthenticReceipt(statement=statement, receipt=receipt, answer=answer, countersigner=countersigner)


def _evidence(seen: Seen, receipt: Receipt, raw: bytes) -> Evidence:
    """What the reader remembers of a receipt, by the envelope that the answer inside says it is about."""

    def look_up() -> int | None:
        answer, _ = peek_answer(receipt.answer)
        return seen.first_seen(digest(labels.DIGEST_STATEMENT, answer.dispatch), raw)

    return look_up


def _read_body(statement: Statement) -> Receipt:
    items = array(unpack(statement.body, max_bytes=LIMITS[labels.RECEIPT], what="receipt"), "receipt", length=6)
    checked = tuple(one_of(item, "checked", CHECKED) for item in array(items[2], "checked", most=len(CHECKED)))
    ascending(checked, "checked")
    return Receipt(
        answer=blob(items[0], "answer"),
        confirming=body(items[1], "confirming body"),
        checked=checked,
        countersigned_at=time(items[3], "countersigned at"),
        attachments=attachments(items[4]),
        extensions=extensions(items[5]),
    )


def _require_checked(receipt: Receipt, answer: VerifiedAnswer) -> None:
    core = answer.signed.core
    if answer.answer.claim is None:
        allowed = [(), ("envelope",)]
    else:
        allowed = [("envelope", "opening") if core.confirming == core.destination else ("entered", "envelope")]
    if receipt.checked not in allowed:
        message = f"the receipt says that {', '.join(receipt.checked) or 'nothing'} was checked, which does not fit"
        raise Malformed(message)


def compare_with_record(answer: VerifiedAnswer, expected: Expectation, notices: Collection[bytes] = ()) -> None:
    """Compare an answer with what the origin recorded at sealing, field by field (Reading 10).

    Args:
        answer: from `read_answer`.
        expected: what was recorded.
        notices: digests of the transport notices that the origin recorded for this envelope.

    Raises:
        NotAuthentic: a field differs.
    """
    given, claim = answer.answer, answer.answer.claim
    fields: list[tuple[str, Value, Value]] = [("dispatch", given.dispatch, expected.dispatch), ("core", given.core, expected.core)]
    if claim is not None:
        fields += [("openings", claim.openings, expected.openings), ("proof", claim.proof, expected.proof)]
    if isinstance(given, Acknowledgement):
        fields.append(("marks put on", given.marks, expected.marks))
    for name, said, wanted in fields:
        if not _same(said, wanted):
            message = f"the answer states another {name} than was sealed here"
            raise NotAuthentic(message)
    if isinstance(given, Acknowledgement) and given.notice is not None and given.notice not in notices:
        message = "the answer names a transport notice that was not made here"
        raise NotAuthentic(message)
    _require_addressed(answer, expected.addressees)


def compare_with_envelope(answer: VerifiedAnswer, envelope: VerifiedEnvelope | AuthenticDispatch) -> None:
    """Compare an answer with the envelope itself (Reading 11).

    Raises:
        NotAuthentic: it is about another envelope, or its opener was not addressed.
    """
    _require_same_envelope(answer, envelope)


def verify_receipt(
    authentic: AuthenticReceipt,
    *,
    own: Body | None = None,
    journal: Journal | None = None,
    envelope: VerifiedEnvelope | AuthenticDispatch | None = None,
) -> VerifiedReceipt:
    """Compare a receipt with the origin's record, the envelope, or neither, and find the verdict (Reading 10 to 12).

    Args:
        authentic: from `read_receipt`.
        own: the reader's body, if he has an office.
        journal: of that office.
        envelope: the envelope, if it is at hand.

    Raises:
        NotAuthentic: the receipt says other than the record or the envelope.
    """
    answer = authentic.answer
    name = answer.signed.digest
    is_origin = own == answer.signed.core.origin
    expected = journal.expectation(name) if journal is not None and is_origin else None
    missing = set(NOT_COMPARED)
    if expected is not None:
        told = () if journal is None else journal.statements("notice", name)
        compare_with_record(answer, expected, {digest(labels.DIGEST_STATEMENT, raw) for raw in told})
        missing = set()
    if envelope is not None:
        compare_with_envelope(answer, envelope)
        missing -= {"addressee", "payload"}
    not_compared: tuple[str, ...] = tuple(
        what for what in NOT_COMPARED if what in missing and not (answer.answer.claim is None and what != "payload")
    )
    if expected is None and isinstance(answer.answer, Acknowledgement) and answer.answer.notice is not None:
        not_compared = (*not_compared, "notice")
    if answer.only_evidence:
        not_compared = (*not_compared, "evidence")
    stored = journal.stored_receipt(name) if journal is not None else None
    duplicate = stored is not None and stored.raw == authentic.statement.raw
    known = journal.stored_answer(name) if journal is not None else None
    contradicted = known is not None and read_statement(known, labels.ACKNOWLEDGEMENT, labels.REFUSAL).type != answer.statement.type
    if contradicted or (stored is not None and not duplicate):
        verdict = Verdict.CONFLICT
    elif is_origin and expected is None:
        verdict = Verdict.UNSOLICITED
    elif is_origin and journal is not None and journal.withdrawn(name):
        verdict = Verdict.WITHDRAWN
    else:
        verdict = _verdict(authentic, with_record=expected is not None)
    return VerifiedReceipt(authentic=authentic, verdict=verdict, duplicate=duplicate, not_compared=not_compared)


def _verdict(authentic: AuthenticReceipt, *, with_record: bool) -> Verdict:
    answer = authentic.answer.answer
    if isinstance(answer, Refusal):
        return Verdict.REFUSED
    if any(condition != "present" for condition in answer.conditions):
        return Verdict.DISCREPANT
    if authentic.receipt.countersigned_at > authentic.answer.signed.core.stamp.due_at:
        return Verdict.LATE
    return Verdict.DELIVERED if with_record else Verdict.ATTESTED


def peek_receipt(raw: bytes) -> Receipt:
    """What a receipt says: nothing of it is checked."""
    return _read_body(read_statement(raw, labels.RECEIPT))
