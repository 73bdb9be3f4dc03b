"""Answers to an envelope (specs/receipt.md): acknowledgement and refusal, made from what opening returned and read by whoever has the rosters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from valiza.envelope import permission
from valiza.envelope.dispatch import SignedDispatch, authenticate_dispatch
from valiza.envelope.evidence import NOTHING_SEEN, Seen, Vouched, of_statement
from valiza.envelope.header import Core, read_core
from valiza.envelope.journal import read_marks_put_on, read_openings
from valiza.envelope.notice import last_recorded
from valiza.envelope.rewrap import Rewrap, read_rewrap
from valiza.envelope.verifying import require_agreement
from valiza.keys import labels
from valiza.keys.encoding import pack, unpack
from valiza.keys.errors import Conflict, Malformed, Refused
from valiza.keys.fields import array, blob, digest_field, extensions, one_of, optional, text, time
from valiza.keys.statement import LIMITS, SignerHeader, Statement, read_statement, sign_statement

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from valiza.envelope.agreement import Agreements
    from valiza.envelope.journal import Journal, MarksPutOn, Opening
    from valiza.envelope.manifest import Openings
    from valiza.envelope.profile import PartyTerms
    from valiza.envelope.verifying import AuthenticDispatch
    from valiza.keys.credential import Credential
    from valiza.keys.encoding import Value
    from valiza.keys.fields import Extensions
    from valiza.keys.statement import Signer
    from valiza.keys.trust import Trust

__all__ = [
    "CONDITIONS",
    "REASONS",
    "Acknowledgement",
    "Answer",
    "OpeningClaim",
    "Refusal",
    "VerifiedAnswer",
    "acknowledge",
    "peek_answer",
    "read_answer",
    "refuse",
    "verify_answer",
]

CONDITIONS: Final = ("present", "missing", "damaged")
REASONS: Final = ("addressee", "agreement", "basis", "channel", "clearance", "contents", "mark", "other", "route")
STAGES: Final = ("unopened", "opened")
MAX_NUMBER: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningClaim:
    """What only opening shows, as an answer states it."""

    openings: Openings = field(repr=False)
    proof: bytes = field(repr=False)
    credential: bytes
    opened_at: int
    rewrap: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """The body of an acknowledgement."""

    dispatch: bytes = field(repr=False)
    core: bytes = field(repr=False)
    claim: OpeningClaim
    marks: MarksPutOn
    number: str
    answered_at: int
    conditions: tuple[str, ...]
    notice: bytes | None
    extensions: Extensions

    def packed(self) -> bytes:
        """The canonical body."""
        marks: Value = self.marks if isinstance(self.marks, bytes) else list(self.marks)
        c = self.claim
        return pack(
            [
                self.dispatch,
                self.core,
                list(c.openings),
                c.proof,
                c.credential,
                marks,
                self.number,
                c.opened_at,
                self.answered_at,
                list(self.conditions),
                self.notice,
                c.rewrap,
                self.extensions,
            ]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The body of a refusal."""

    dispatch: bytes = field(repr=False)
    core: bytes = field(repr=False)
    stage: str
    reason: str
    comment: str
    number: str
    answered_at: int
    claim: OpeningClaim | None
    extensions: Extensions

    def packed(self) -> bytes:
        """The canonical body."""
        c = self.claim
        claim: Value = None if c is None else [list(c.openings), c.proof, c.credential, c.opened_at, c.rewrap]
        return pack([self.dispatch, self.core, self.stage, self.reason, self.comment, self.number, self.answered_at, claim, self.extensions])


Answer = Acknowledgement | Refusal


@dataclass(frozen=True, kw_only=True)
class VerifiedAnswer:
    """An answer, its signer, the dispatch inside and the officer who opened, each checked (receipt.md, Reading 3 to 9).

    only_evidence: the dispatch stands, for this reader, on nothing but this answer: the sealer's key is known as compromised.
    """

    statement: Statement = field(repr=False)
    answer: Answer
    signed: SignedDispatch
    signer: Credential
    opener: Credential | None
    rewrap: Rewrap | None
    only_evidence: bool


def acknowledge(
    opening: Opening,
    *,
    signer: Credential,
    key: Signer,
    trust: Trust,
    journal: Journal,
    at: int,
    number: str = "",
    conditions: Sequence[str] | None = None,
) -> Statement:
    """Acknowledge an opened envelope, or return the acknowledgement that the journal has (receipt.md, Producing).

    Args:
        opening: from `open_envelope`, or the journal's record of it: there is no other way to the openings (step 1).
        signer: the `acknowledge` credential of the person who opened; `key` is its key.
        trust: whom the office believes.
        journal: the office's.
        at: now, in seconds since 1970.
        number: incoming number.
        conditions: of each carrier by index; None: all present.

    Raises:
        Conflict: the envelope was refused before. Refused: the signer is not the opener.
    """
    expectation = opening.expectation
    stored = journal.stored_answer(expectation.dispatch_digest)  # step 2
    if stored is not None:
        return read_statement(stored, labels.ACKNOWLEDGEMENT) if _is(stored, labels.ACKNOWLEDGEMENT) else _conflict("refused")
    body = Acknowledgement(
        dispatch=expectation.dispatch,
        core=expectation.core,
        claim=_claim(opening),
        marks=expectation.marks,
        number=text(number, "incoming number", empty=True, most=MAX_NUMBER),
        answered_at=at,
        conditions=tuple(conditions) if conditions is not None else ("present",) * len(expectation.openings),
        notice=last_recorded(journal.statements("notice", expectation.dispatch_digest)),
        extensions={},
    )
    return _sign_and_record(labels.ACKNOWLEDGEMENT, body, signer=signer, key=key, trust=trust, journal=journal, at=at)


def refuse(
    envelope: AuthenticDispatch,
    *,
    opening: Opening | None,
    reason: str,
    comment: str,
    signer: Credential,
    key: Signer,
    trust: Trust,
    journal: Journal,
    at: int,
    number: str = "",
) -> Statement:
    """Refuse an authentic envelope, or return the refusal that the journal has. With `opening` the stage is `opened`.

    Raises:
        Conflict: it was acknowledged before. Refused: the signer is not of the destination or not the opener.
        Malformed: no such reason.
    """
    stored = journal.stored_answer(envelope.signed.digest)
    if stored is not None:
        return read_statement(stored, labels.REFUSAL) if _is(stored, labels.REFUSAL) else _conflict("acknowledged")
    body = Refusal(
        dispatch=envelope.signed.statement.raw,
        core=envelope.core.raw,
        stage="unopened" if opening is None else "opened",
        reason=one_of(reason, "reason", REASONS),
        comment=text(comment, "comment", empty=True),
        number=text(number, "incoming number", empty=True, most=MAX_NUMBER),
        answered_at=at,
        claim=None if opening is None else _claim(opening),
        extensions={},
    )
    return _sign_and_record(labels.REFUSAL, body, signer=signer, key=key, trust=trust, journal=journal, at=at)


def _claim(opening: Opening) -> OpeningClaim:
    return OpeningClaim(
        openings=opening.expectation.openings,
        proof=opening.expectation.proof,
        credential=opening.credential,
        opened_at=opening.opened_at,
        rewrap=opening.rewrap,
    )


def _is(raw: bytes, type_: str) -> bool:
    return read_statement(raw, labels.ACKNOWLEDGEMENT, labels.REFUSAL).type == type_


def _conflict(done: str) -> Statement:
    message = f"this envelope was {done} before: an envelope is either acknowledged or refused"
    raise Conflict(message)


def _sign_and_record(type_: str, body: Answer, *, signer: Credential, key: Signer, trust: Trust, journal: Journal, at: int) -> Statement:
    if signer.purpose != "acknowledge":
        message = f"{signer.title!r} is certified to {signer.purpose}, not to acknowledge"
        raise Refused(message)
    header = SignerHeader(role="acknowledger", signer_digest=signer.digest, key_digest=key.key_digest)  # step 4
    trust.require_in_force(signer, at=at, act="answering")
    statement = sign_statement(type_, body.packed(), [(header, key)])
    verified = read_answer(statement.raw, trust, journal)  # step 3 and all that a reader will check
    journal.record_answer(statement.raw, verified.signed.name, at=at)
    return statement


def read_answer(raw: bytes, trust: Trust, seen: Seen = NOTHING_SEEN) -> VerifiedAnswer:
    """Read an acknowledgement or refusal and check all that needs no agreement (receipt.md, Reading 3, 4, 7, 8, 9).

    Args:
        raw: the statement.
        trust: whom the reader believes.
        seen: what the reader remembers; a stranger remembers nothing.

    Raises:
        Malformed, NotAuthentic, Refused: as the steps say.
    """
    statement = read_statement(raw, labels.ACKNOWLEDGEMENT, labels.REFUSAL)
    signer = trust.signer(statement)  # step 3
    answer = _read_body(statement)
    # Step 4. The answer is the other party's word that the dispatch was there; that the answer stands itself is checked below.
    signed = authenticate_dispatch(answer.dispatch, answer.core, trust, Vouched(seen, answer.dispatch, answer.answered_at))
    if signer.body != signed.core.destination:
        message = f"an envelope to {signed.core.destination} is answered by {signer.title!r} of {signer.body}"
        raise Refused(message)
    trust.require_standing(signer, dated=answer.answered_at, evidence=of_statement(seen, signed.digest, raw), act="answering")  # step 7
    _require_form(answer, signed)  # step 8: form first, so that nothing after it meets a claim that cannot be
    opener, rewrap = _opener(answer.claim, signer, signed, trust, seen)
    if answer.claim is not None and answer.claim.opened_at > answer.answered_at:  # step 9, as far as it needs no agreement
        message = "the envelope was answered before it was opened"
        raise Refused(message)
    history = trust.history(signed.sealer)  # where nothing is compromised no register is asked
    seen_at = None if history.compromised is None else seen.first_seen(signed.digest, answer.dispatch)
    own = history.judge(dated=signed.body.sealed_at, evidence=seen_at)
    return VerifiedAnswer(
        statement=statement, answer=answer, signed=signed, signer=signer, opener=opener, rewrap=rewrap, only_evidence=own is not None
    )


def _opener(
    claim: OpeningClaim | None, signer: Credential, signed: SignedDispatch, trust: Trust, seen: Seen
) -> tuple[Credential | None, Rewrap | None]:
    if claim is None:
        return None, None
    route = signed.core.stamp.route
    degree = None if route is None else route.marks.destination.code
    destination = signed.core.destination
    opener = permission.require_addressee(trust.credential(claim.credential), trust, destination=destination, degree=degree, at=claim.opened_at)
    if opener.subject != signer.subject:
        message = f"{signer.title!r} answers for what {opener.title!r} opened: the opener answers himself"
        raise Refused(message)
    if claim.rewrap is None:
        return opener, None
    # The agreement's skew is applied by `verify_answer`; a day is the most that an agreement may have.
    rewrap = read_rewrap(claim.rewrap, signed=signed, trust=trust, degree=degree, skew=86400, seen=seen)
    if rewrap.recipient.digest != opener.digest or rewrap.made_at > claim.opened_at:
        message = "the rewrap was made for another officer, or after the opening"
        raise Refused(message)
    return opener, rewrap


def _require_form(answer: Answer, signed: SignedDispatch) -> None:
    if isinstance(answer, Refusal):
        if answer.stage != ("unopened" if answer.claim is None else "opened"):
            message = "a refusal states openings exactly when the envelope was opened"
            raise Malformed(message)
        return
    count = len(answer.claim.openings)
    if len(answer.conditions) != count or (not isinstance(answer.marks, bytes) and len(answer.marks) != count):
        message = "an acknowledgement does not have one opening, condition and mark for each carrier"
        raise Malformed(message)
    if isinstance(answer.marks, bytes) != (signed.core.stamp.route is None):
        message = "marks put on are shown exactly under an open stamp"
        raise Malformed(message)
    if any(condition != "present" and opening is not None for condition, opening in zip(answer.conditions, answer.claim.openings, strict=True)):
        message = "a file carrier is always present: opening releases all or nothing"
        raise Malformed(message)


def _read_body(statement: Statement) -> Answer:
    readers: dict[str, Callable[[bytes], Answer]] = {labels.ACKNOWLEDGEMENT: _read_acknowledgement, labels.REFUSAL: _read_refusal}
    return readers[statement.type](statement.body)


def _read_acknowledgement(body: bytes) -> Acknowledgement:
    items = array(unpack(body, max_bytes=LIMITS[labels.ACKNOWLEDGEMENT], what="acknowledgement"), "acknowledgement", length=13)
    return Acknowledgement(
        dispatch=blob(items[0], "dispatch"),
        core=blob(items[1], "core"),
        claim=_read_claim([*items[2:5], items[7], items[11]]),
        marks=read_marks_put_on(items[5]),
        number=text(items[6], "incoming number", empty=True, most=MAX_NUMBER),
        answered_at=time(items[8], "acknowledged at"),
        conditions=tuple(one_of(item, "condition", CONDITIONS) for item in array(items[9], "conditions")),
        notice=optional(items[10], "notice", digest_field),
        extensions=extensions(items[12]),
    )


def _read_refusal(body: bytes) -> Refusal:
    items = array(unpack(body, max_bytes=LIMITS[labels.REFUSAL], what="refusal"), "refusal", length=9)
    return Refusal(
        dispatch=blob(items[0], "dispatch"),
        core=blob(items[1], "core"),
        stage=one_of(items[2], "stage", STAGES),
        reason=one_of(items[3], "reason", REASONS),
        comment=text(items[4], "comment", empty=True),
        number=text(items[5], "incoming number", empty=True, most=MAX_NUMBER),
        answered_at=time(items[6], "refused at"),
        claim=optional(items[7], "opening", lambda v, w: _read_claim(array(v, w, length=5))),
        extensions=extensions(items[8]),
    )


def _read_claim(items: list[Value]) -> OpeningClaim:
    return OpeningClaim(
        openings=read_openings(items[0]),
        proof=digest_field(items[1], "proof"),
        credential=digest_field(items[2], "open credential"),
        opened_at=time(items[3], "opened at"),
        rewrap=optional(items[4], "rewrap", blob),
    )


def verify_answer(verified: VerifiedAnswer, trust: Trust, agreements: Agreements) -> None:
    """Check an answer against the agreement (receipt.md, Reading 6, and 9 between the two offices).

    A refusal of an unopened envelope may be about the agreement itself, so nothing is asked of it.

    Raises:
        Refused: the agreement was not in force or forbids the envelope, or the times are out of order.
    """
    claim, signed = verified.answer.claim, verified.signed
    if claim is None:
        return
    # And that it was sealed before it was opened.
    agreement = require_agreement(signed, trust=trust, agreements=agreements, accepted_at=claim.opened_at)
    if isinstance(verified.answer, Acknowledgement) and not isinstance(verified.answer.marks, bytes):
        _require_marks(verified.answer.marks, agreement.profile.party(signed.core.destination.party))  # step 8
    if verified.rewrap is not None and verified.rewrap.made_at < signed.body.sealed_at - agreement.profile.skew:
        message = "the envelope was passed on before it was sealed"
        raise Refused(message)


def _require_marks(codes: tuple[str, ...], terms: PartyTerms) -> None:
    """The marks put on are marks of the destination's party (A6.1)."""
    unknown = sorted(set(codes) - {mark.code for mark in terms.marks})
    if unknown:
        message = f"{', '.join(map(repr, unknown))}, put on a carrier, is no mark of {terms.id} (A6.1)"
        raise Malformed(message)


def peek_answer(raw: bytes) -> tuple[Answer, Core]:
    """What an answer and the core inside it say: nothing of it is checked."""
    statement = read_statement(raw, labels.ACKNOWLEDGEMENT, labels.REFUSAL)
    answer = _read_body(statement)
    return answer, read_core(answer.core)
