"""Acknowledgements, refusals and receipts as a reader sees them (receipt.md, Reading a receipt 1 to 12)."""

from __future__ import annotations

from dataclasses import dataclass

import decode as d
import wire
from outcome import Incomplete, Malformed, Outcome, step
from reading import (
    Core,
    Detail,
    Dispatch,
    Rewrap,
    World,
    authentic,
    check_agreement,
    check_rewrap,
    check_signer,
    read_authentic,
    read_core,
    read_dispatch,
    read_rewrap,
    refuse,
    verify,
)
from treaty import Agreement
from trust import Credential, Statement, read_statement, require_in_force, require_standing, signed_by

REASONS = ("addressee", "agreement", "basis", "channel", "clearance", "contents", "mark", "other", "route")
ANSWERS = ("acknowledgement", "refusal")
CONDITIONS = ("present", "missing", "damaged")


@dataclass(frozen=True)
class Record:
    """What the origin's journal keeps of an envelope: all that a receipt must say."""

    dispatch: bytes
    core: bytes
    stanzas: list[bytes]
    openings: list[bytes | None]
    proof: bytes
    marks: list[str] | bytes
    notices: list[bytes]


@dataclass(frozen=True)
class Opening:
    """What only opening shows."""

    openings: list[bytes | None]
    proof: bytes
    credential: bytes
    opened_at: int
    rewrap: bytes | None


@dataclass(frozen=True)
class Answer:
    """An acknowledgement or refusal whose signature holds; *opening* is nil for a refusal at stage `unopened`."""

    statement: Statement
    signer: Credential
    dispatch: bytes
    core: bytes
    opening: Opening | None
    answered_at: int
    refusal: bool
    marks: list[str] | bytes | None
    conditions: list[str]
    notice: bytes | None = None


@dataclass(frozen=True)
class Subject:
    """What an answer is about, and under which agreement; nil for a refusal at stage `unopened`, which may be about just that."""

    dispatch: Dispatch
    core: Core
    agreement: Agreement | None
    rewrap: Rewrap | None


@dataclass(frozen=True)
class Receipt:
    """A receipt that is what it says; *verdict* is the first that fits, *expect* the outcome that goes with it."""

    verdict: str

    @property
    def expect(self) -> str:
        """`delivered` and `attested` are success."""
        return "success" if self.verdict in {"delivered", "attested"} else "refused"


def read_answer(raw: bytes, kind: str, world: World) -> Answer:
    """Reading 3, but for the body, which the core names."""
    statement = read_statement(raw, kind)
    signer = signed_by(statement, world.trust)
    value = d.decode(statement.body)
    return _acknowledgement(statement, signer, value) if kind == "acknowledgement" else _refusal(statement, signer, value)


def _openings(value: d.Value) -> list[bytes | None]:
    return [d.optional(item, d.digest_of) for item in d.array(value, 1, 16384)]


def _acknowledgement(statement: Statement, signer: Credential, value: d.Value) -> Answer:
    f = d.fields(value, 13)
    opening = Opening(_openings(f[2]), d.digest_of(f[3]), d.digest_of(f[4]), d.time(f[7]), d.optional(f[11], d.binary))
    d.text(f[6], 64, 0)
    notice = d.optional(f[10], d.digest_of)
    d.extensions(f[12])
    marks = d.digest_of(f[5]) if isinstance(f[5], bytes) else [d.matching(code, d.CODE) for code in d.array(f[5])]
    conditions = [d.one_of(condition, CONDITIONS) for condition in d.array(f[9])]
    inside = d.binary(f[0]), d.binary(f[1])
    return Answer(statement, signer, *inside, opening, d.time(f[8]), refusal=False, marks=marks, conditions=conditions, notice=notice)


def _refusal(statement: Statement, signer: Credential, value: d.Value) -> Answer:
    f = d.fields(value, 9)
    stage = d.one_of(f[2], ("unopened", "opened"))
    d.one_of(f[3], REASONS)
    d.text(f[4], 1000, 0)
    d.text(f[5], 64, 0)
    d.extensions(f[8])
    d.need((stage == "unopened") == (f[7] is None), "an opening at stage unopened, or none at stage opened")
    return Answer(
        statement, signer, d.binary(f[0]), d.binary(f[1]), d.optional(f[7], _opening), d.time(f[6]), refusal=True, marks=None, conditions=[]
    )


def _opening(value: d.Value) -> Opening:
    f = d.fields(value, 5)
    return Opening(_openings(f[0]), d.digest_of(f[1]), d.digest_of(f[2]), d.time(f[3]), d.optional(f[4], d.binary))


def judge(answer: Answer, world: World) -> Subject:
    """Reading 3 (the body), 4, 6, 7 and 8, and what of 9 needs no receipt."""
    with step(4):
        world.answered[answer.dispatch] = answer.answered_at
        dispatch = read_dispatch(answer.dispatch, world.trust)
        authentic(dispatch.core == wire.digest("core", answer.core), "digest of core")
        core = read_core(answer.core)
        check_signer(dispatch, core, world)
    with step(3):
        refuse(answer.signer.body != core.destination, "answered by another body than the destination")
    agreement, rewrap = None, None
    if answer.opening is not None:
        with step(6):
            agreement = check_agreement(core, dispatch.sealed_at, answer.opening.opened_at, world)
            if isinstance(core.detail, Detail):
                refuse(not world.trust.cleared(dispatch.signer.clearance, *core.detail.origin_mark), "the sealer is not cleared")
        with step(7):
            rewrap = check_opener(answer, answer.opening, Subject(dispatch, core, agreement, None), world)
    with step(7):
        refuse(not answer.signer.valid_at(answer.answered_at), "the acknowledger's credential is not valid at the answer's time")
        require_standing(answer.signer, answer.answered_at, lambda: world.evidence(answer.statement.raw), world.trust)
    if answer.opening is not None and agreement is not None:
        with step(8):
            check_form(answer, answer.opening, core, agreement)
        with step(9):
            refuse(dispatch.sealed_at > answer.opening.opened_at + agreement.skew, "opened before it was sealed")
            refuse(answer.opening.opened_at > answer.answered_at, "answered before it was opened")
    return Subject(dispatch, core, agreement, rewrap)


def check_opener(answer: Answer, opening: Opening, subject: Subject, world: World) -> Rewrap | None:
    """Reading 7, the open credential."""
    opener, core = world.trust.credentials.get(opening.credential), subject.core
    refuse(opener is None or opener.purpose != "open" or opener.body != core.destination, "the open credential is none of the destination's")
    refuse(opener is None or opener.subject != answer.signer.subject, "the opener is not the acknowledger")
    if opener is not None:
        require_in_force(opener, opening.opened_at, world.trust, "the open credential is not valid at opened at")
    if isinstance(core.detail, Detail):
        clearance = None if opener is None else opener.clearance
        refuse(not world.trust.cleared(clearance, *core.detail.destination_mark), "the opener is not cleared")
    if opening.rewrap is None or subject.agreement is None:
        return None
    rewrap = read_rewrap(opening.rewrap, world.trust)
    check_rewrap(rewrap, subject.dispatch, core, subject.agreement.skew, world)
    refuse(rewrap.recipient != opening.credential, "the rewrap is for another credential")
    refuse(rewrap.made_at > opening.opened_at, "the rewrap was made after the opening")
    return rewrap


def check_form(answer: Answer, opening: Opening, core: Core, agreement: Agreement) -> None:
    """Reading 8, of an answer."""
    if answer.refusal:
        return
    count = len(opening.openings)
    d.need(len(answer.conditions) == count, "as many conditions as openings")
    present = [condition == "present" for condition, opened in zip(answer.conditions, opening.openings, strict=True) if opened is not None]
    d.need(all(present), "a file carrier is always present")
    d.need(isinstance(answer.marks, bytes) == agreement.closed, "marks put on in the other form")
    if isinstance(answer.marks, list):
        codes = agreement.sides[core.destination[0]].codes
        d.need(len(answer.marks) == count and all(code in codes for code in answer.marks), "the marks put on")


def read_receipt(raw: bytes, world: World, record: Record | None, envelope: bytes | None) -> Receipt:
    """Reading a receipt, 1 to 12."""
    statement = _receipt_statement(raw, world)
    with step(2):
        countersigner = signed_by(statement, world.trust)
        answer_raw, confirming, checked, countersigned_at, attached, extensions = d.fields(d.decode(statement.body), 6)
        d.attachments(attached)
        d.extensions(extensions)
        body, when = d.body(confirming), d.time(countersigned_at)
        words = [d.one_of(item, ("entered", "envelope", "opening")) for item in d.array(checked)]
        d.ascending(words, str.encode)
        refuse(not countersigner.valid_at(when), "the countersigner's credential is not valid at countersigned at")
        require_standing(countersigner, when, lambda: world.evidence(raw), world.trust)
    with step(3):
        answer = read_answer(d.binary(answer_raw), kind_of(d.binary(answer_raw)), world)
    subject = judge(answer, world)
    with step(5):
        refuse(body != subject.core.confirming, "confirming is not core's")
        refuse(countersigner.body != body, "the countersigner is of another body")
        refuse(countersigner.subject == answer.signer.subject, "acknowledger and countersigner are one person")
        keys = {answer.signer.public_key, subject.dispatch.signer.public_key}
        refuse(countersigner.public_key in keys, "one key in two roles")
    with step(8):
        check_checked(words, answer, subject.core)
    with step(9):
        apart = 0 if body == subject.core.destination or subject.agreement is None else subject.agreement.skew
        refuse(answer.answered_at > when + apart, "countersigned before it was answered")
    compare(answer, subject, world, record, envelope)
    return Receipt(verdict(answer, subject.core, when, record))


def _receipt_statement(raw: bytes, world: World) -> Statement:
    """Reading 1."""
    try:
        with step(1):
            return read_statement(raw, "receipt")
    except Malformed:
        if not any(is_of(raw, kind) for kind in ANSWERS):
            raise
    with step(3):
        answer = read_answer(raw, kind_of(raw), world)
    judge(answer, world)
    with step(1):
        raise Incomplete("answered, and not countersigned")


def is_of(raw: bytes, kind: str) -> bool:
    """Whether the outside of a statement is that of some type."""
    try:
        read_statement(raw, kind)
    except Outcome:
        return False
    return True


def kind_of(raw: bytes) -> str:
    """Which of the two answers the bytes say they are; for other bytes either will do, as neither reads them."""
    return "refusal" if is_of(raw, "refusal") else "acknowledgement"


def check_checked(words: list[str], answer: Answer, core: Core) -> None:
    """Reading 8, *checked*."""
    if answer.opening is None:
        d.need(words in ([], ["envelope"]), "checked, at stage unopened")
        return
    own = core.confirming == core.destination
    d.need(words == (["envelope", "opening"] if own else ["entered", "envelope"]), "checked is not what this body can have checked")


def compare(answer: Answer, subject: Subject, world: World, record: Record | None, envelope: bytes | None) -> None:
    """Reading 10 and 11."""
    opening = answer.opening
    if record is not None:
        with step(10):
            authentic(answer.dispatch == record.dispatch, "another dispatch than recorded")
            authentic(answer.core == record.core, "another core than recorded")
            if opening is not None:
                authentic(opening.openings == record.openings, "openings are not those recorded")
                authentic(opening.proof == record.proof, "proof is not the one recorded")
                authentic(answer.refusal or answer.marks == record.marks, "marks put on are not those of the agreement")
                authentic(_addressee(opening, subject) in record.stanzas, "the opener is no addressee")
            authentic(answer.notice is None or answer.notice in record.notices, "a notice that was not made here")
    if envelope is not None:
        with step(11):
            accepted_at = None if opening is None else opening.opened_at
            found = read_authentic(envelope, world) if opening is None else verify(envelope, world, accepted_at)
            authentic(found.dispatch.statement.raw == answer.dispatch, "another dispatch than the envelope's")
            authentic(found.core.raw == answer.core, "another core than the envelope's")
            authentic(opening is None or _addressee(opening, subject) in found.stanzas, "the opener is no addressee")


def _addressee(opening: Opening, subject: Subject) -> bytes:
    return opening.credential if subject.rewrap is None else subject.rewrap.addressee


def verdict(answer: Answer, core: Core, countersigned_at: int, record: Record | None) -> str:
    """The table of verdicts, as far as it needs no journal."""
    if answer.refusal:
        return "refused"
    if any(condition != "present" for condition in answer.conditions):
        return "discrepant"
    if countersigned_at > core.due:
        return "late"
    return "delivered" if record is not None else "attested"
