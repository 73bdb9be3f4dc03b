"""What the register says of the objects in a message, and the entries that follow from it. Called between `journal.together()` and its end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from valiza.envelope.receipt import AuthenticReceipt, Verdict
from valiza.gateway.deciding import worst_of
from valiza.gateway.decision import Action, Finding, GatewayVerdict
from valiza.gateway.examining import Waiting, finding_of
from valiza.keys.errors import Refused, Unavailable, ValizaError
from valiza.office.passing import Course, course_of, enter_envelope, enter_receipt, exit_code_of, judge_receipt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from valiza.envelope.dispatch import SignedDispatch
    from valiza.gateway.rules import Rules
    from valiza.office.passing import HeadsTaken
    from valiza.office.reader import Reader

__all__ = ["judge"]

_REFUSED: Final = Refused.exit_code
_BEFORE: Final = "it was entered before, or is in this message twice"

# The verdict, exit code and reason of an envelope by where it stands in the register.
_COURSES: Final[Mapping[Course, tuple[Verdict | GatewayVerdict, int, str]]] = {
    Course.ARRIVING: (GatewayVerdict.ARRIVED, 0, ""),
    Course.KNOWN: (GatewayVerdict.DUPLICATE, 0, _BEFORE),
    Course.SENT: (GatewayVerdict.OUTGOING, 0, ""),
    Course.UNRECORDED: (GatewayVerdict.UNRECORDED, _REFUSED, "it is from here, as it says, and not in the register"),
    Course.WITHDRAWN: (GatewayVerdict.UNRECORDED, _REFUSED, "it is recorded as never sent"),
    Course.CONFLICTING: (Verdict.CONFLICT, _REFUSED, "another dispatch of this envelope is known"),
    Course.ELSEWHERE: (GatewayVerdict.PASSING, 0, ""),
}
_REASONS: Final = {
    Verdict.CONFLICT: "another receipt for this envelope, or another answer to it, is recorded",
    Verdict.UNSOLICITED: "this envelope was not sealed here",
    Verdict.WITHDRAWN: "this envelope is recorded as never sent",
    Verdict.REFUSED: "the envelope was refused",
    Verdict.DISCREPANT: "something is missing or damaged",
    Verdict.LATE: "it was countersigned after it was due",
}


def judge(found: Sequence[Finding | Waiting], reader: Reader, rules: Rules, *, at: int, taken: HeadsTaken | None) -> list[Finding]:
    """Judge what waits in a message, and enter it.

    All of it is entered if the message is accepted, and none if not: but what conflicts with an entry is kept as evidence, where all else holds.

    Args:
        found: everything in the message.
        reader: an office.
        rules: of the gateway.
        at: now, in seconds since 1970.
        taken: what came of heads before in this transaction; None where nothing is entered.

    Raises:
        Unavailable: the register. ForbiddenStep: it refuses an entry. What was entered before for this message is taken back with the transaction.
    """
    judging = _Judging(reader, at, {} if taken is None else taken)
    findings = [item if isinstance(item, Finding) else judging.judge(item) for item in found]
    if taken is not None:
        accepted = worst_of(findings, rules)[0] is Action.ACCEPT
        fine = all(rules.actions[item.verdict] is Action.ACCEPT or item.verdict == Verdict.CONFLICT for item in findings)
        for verdict, enter in judging.entries:
            if accepted or (fine and verdict == Verdict.CONFLICT):
                enter()
    return findings


@dataclass(slots=True)
class _Judging:
    reader: Reader
    at: int
    taken: HeadsTaken
    entries: list[tuple[Verdict | GatewayVerdict, Callable[[], object]]] = field(default_factory=list)
    receipts: dict[bytes, bytes] = field(default_factory=dict)  # of this message, by the digests of their dispatches
    done: set[bytes] = field(default_factory=set)  # those of which one is to be entered
    dispatches: dict[tuple[str, bytes], SignedDispatch] = field(default_factory=dict)  # of this message, by the identities of their envelopes

    def judge(self, item: Waiting) -> Finding:
        """What the register says of an object now."""
        try:
            if isinstance(item.found, AuthenticReceipt):
                return self._receipt(item, item.found)
            return self._envelope(item, item.found)
        except Unavailable:
            raise
        except ValizaError as error:
            return finding_of(error, item.part, item.signed.core.envelope_id)

    def _receipt(self, item: Waiting, authentic: AuthenticReceipt) -> Finding:
        verified = judge_receipt(self.reader, authentic)
        code, verdict = exit_code_of(self.reader, verified), verified.verdict
        raw, signed = authentic.statement.raw, authentic.answer.signed
        first = self.receipts.setdefault(signed.digest, raw)
        if first != raw:
            return item.becomes(Verdict.CONFLICT, _REFUSED, "two receipts for one envelope are in this message")
        if verdict is not Verdict.CONFLICT:
            if self.reader.own == signed.core.confirming:
                if verified.duplicate:
                    return item.becomes(GatewayVerdict.OUTGOING, 0)
                return item.becomes(GatewayVerdict.UNRECORDED, _REFUSED, "it was countersigned here, as it says, and is not in the register")
            if verified.duplicate or signed.digest in self.done:
                return item.becomes(GatewayVerdict.DUPLICATE, code, _BEFORE)
        self.done.add(signed.digest)
        self.entries.append((verdict, lambda: enter_receipt(self.reader, verified, self.at, self.taken)))
        return item.becomes(verdict, code, _REASONS.get(verdict, ""), unchecked=verified.not_compared)

    def _envelope(self, item: Waiting, signed: SignedDispatch) -> Finding:
        course = course_of(self.reader, signed)
        identity = (str(signed.core.origin), signed.core.envelope_id)
        if self.dispatches.setdefault(identity, signed) is not signed and course is Course.ARRIVING:
            course = Course.KNOWN if self.dispatches[identity].digest == signed.digest else Course.CONFLICTING
        verdict, code, reason = _COURSES[course]
        self.entries.append((verdict, lambda: enter_envelope(self.reader, signed, course, self.at)))
        return item.becomes(verdict, code, reason)
