"""The story of an envelope in words: what each entry of the register says, who signed what it is about, and what is waited for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from valiza.envelope.acknowledgement import Refusal, peek_answer
from valiza.envelope.dispatch import read_dispatch_body
from valiza.envelope.handover import read_handover_body
from valiza.envelope.journal import Opening
from valiza.envelope.notice import read_notice_body
from valiza.envelope.overdue import read_overdue_body
from valiza.envelope.receipt import peek_receipt
from valiza.keys import labels
from valiza.keys.errors import ValizaError
from valiza.keys.fields import utc
from valiza.keys.statement import LIMITS, read_statement
from valiza.office.following import standing_of
from valiza.register.state import receipt_due

if TYPE_CHECKING:
    from collections.abc import Callable

    from valiza.envelope.header import Core
    from valiza.keys.statement import Statement
    from valiza.keys.trust import Trust
    from valiza.office.following import Standing
    from valiza.office.home import Office
    from valiza.register.entry import Entry

__all__ = ["Person", "Story", "Told", "tell_story"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who signed or opened: by name and body where a roster known here has the credential, and else by the credential's digest alone."""

    credential: bytes
    name: str | None
    body: str | None

    def __str__(self) -> str:
        """As people are told it."""
        return f"somebody unknown here (credential {self.credential.hex()[:16]}…)" if self.name is None else f"{self.name} ({self.body})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An entry, told.

    Attributes:
        entry: as it stands in the register.
        words: what happened, in one line. It has text from outside in it.
        by: who signed the statement that it is about, or who opened; None if nobody.
        says: what else the statement says, by documented names.
    """

    entry: Entry
    words: str
    by: Person | None = None
    says: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """All that the register knows of an envelope. `core` is None where it keeps nothing of the header."""

    standing: Standing
    core: Core | None
    told: tuple[Told, ...]


def tell_story(office: Office, dispatch_digest: bytes, at: int) -> Story:
    """The whole story of an envelope, as of `at`. Statements are not verified anew: they were when they were entered.

    Raises:
        Usage: it is not in the register. Unavailable: the register.
    """
    standing, core, entries = standing_of(office, dispatch_digest, at)
    teller = _Teller(office.trust, core)
    return Story(standing=standing, core=core, told=tuple(teller.tell(entry) for entry in entries))


class _Teller:
    def __init__(self, trust: Trust, core: Core | None) -> None:
        self._trust = trust
        self._core = core
        self._tells: dict[str, Callable[[Entry], Told]] = {
            "sealed": self._sealed,
            "withdrawn": self._withdrawn,
            "arrived": self._arrived,
            "opened": self._opened,
            "answered": self._answered,
            "receipt": self._receipt,
            "conflict": self._conflict,
            "attempt": self._attempt,
            "notice": self._notice,
            "handover": self._handover,
            "overdue": self._overdue,
            "log-conflict": lambda entry: self._kept(entry, "the log of the other body was rewritten"),
        }

    def tell(self, entry: Entry) -> Told:
        """An entry, told. One whose statement cannot be read is told as well: it is there."""
        try:
            return self._tells.get(entry.kind, self._other)(entry)
        except ValizaError as error:
            return Told(entry=entry, words=f"{entry.kind}: what was kept of it cannot be read", says={"unreadable": error.message})

    def _person(self, credential: bytes) -> Person:
        found = self._trust.credential(credential)
        if found is None:
            return Person(credential=credential, name=None, body=None)
        return Person(credential=credential, name=found.title, body=str(found.body))

    def _signed(self, raw: bytes) -> tuple[Statement, Person]:
        statement = read_statement(raw, *LIMITS)
        return statement, self._person(statement.signer.signer_digest)

    def _sealed(self, entry: Entry) -> Told:
        statement, by = self._signed(entry.statement)
        to = f" for {self._core.destination}" if self._core else ""
        due = utc(receipt_due(entry))
        says = {"sealed_at": utc(read_dispatch_body(statement.body).sealed_at), "receipt_due": due}
        return Told(entry=entry, words=f"sealed{to} by {by}; its receipt is due {due}", by=by, says=says)

    def _arrived(self, entry: Entry) -> Told:
        statement, by = self._signed(entry.statement)
        sealed_at = utc(read_dispatch_body(statement.body).sealed_at)
        return Told(entry=entry, words=f"came from {entry.origin}, sealed by {by} at {sealed_at}", by=by, says={"sealed_at": sealed_at})

    def _opened(self, entry: Entry) -> Told:
        opening = Opening.read(entry.record)
        by, passed_on = self._person(opening.credential), opening.rewrap is not None
        words = f"opened by {by}{', to whom an addressee had passed it on' if passed_on else ''}"
        return Told(entry=entry, words=words, by=by, says={"opened_at": utc(opening.opened_at), "passed_on": passed_on})

    def _answered(self, entry: Entry) -> Told:
        _, by = self._signed(entry.statement)
        words, says = _answer(entry.statement)
        return Told(entry=entry, words=words.replace("{by}", f"by {by}", 1), by=by, says=says)

    def _receipt(self, entry: Entry) -> Told:
        _, by = self._signed(entry.statement)
        receipt = peek_receipt(entry.statement)
        _, answerer = self._signed(receipt.answer)
        words, says = _answer(receipt.answer)
        at = utc(receipt.countersigned_at)
        says |= {"confirming": str(receipt.confirming), "countersigned_at": at, "checked": list(receipt.checked), "answered_by": answerer}
        if entry.note == "countersigned":  # made here: the answer has an entry of its own
            return Told(entry=entry, words=f"receipt made: countersigned by {by} for {receipt.confirming}", by=by, says=says)
        answered = words.replace("{by}", f"by {answerer}", 1)
        return Told(entry=entry, words=f"{entry.note}: the receipt came, {answered}; countersigned by {by} at {at}", by=by, says=says)

    def _withdrawn(self, entry: Entry) -> Told:
        return Told(entry=entry, words=f"withdrawn, since it was never sent: {entry.note}", says={"reason": entry.note})

    def _conflict(self, entry: Entry) -> Told:
        return self._kept(entry, f"conflict: {entry.note} came")

    def _attempt(self, entry: Entry) -> Told:
        kind, _, why = entry.note.partition(": ")
        return self._kept(entry, f"refused, and not entered: {_STEPS.get(kind, kind)}, since {why or 'it may not follow'}")

    def _notice(self, entry: Entry) -> Told:
        statement, by = self._signed(entry.statement)
        said = read_notice_body(statement.body)
        leaves, expected = utc(said.leaves_at), utc(said.expected_at)
        deviation = f"; not as the stamp says: {said.deviation}" if said.deviation else ""
        words = f"transport notice {said.number} for {said.told}, by {by}: leaves {leaves}, expected {expected}{deviation}"
        says = {"notice": said.number, "told": str(said.told), "leaves_at": leaves, "expected_at": expected, "deviation": said.deviation}
        return Told(entry=entry, words=words, by=by, says=says)

    def _handover(self, entry: Entry) -> Told:
        statement, by = self._signed(entry.statement)
        said = read_handover_body(statement.body)
        at, seal = utc(said.taken_at), "seal intact" if said.intact else "seal broken"
        remark = f"; {said.remark}" if said.remark else ""
        where = f" in {said.place}" if said.place else ""
        words = f"handed over{where} at {at}: taken by {by} from {said.giver.name} ({said.giver.body}); {seal}, {said.condition}{remark}"
        says = {
            "leg": said.leg,
            "place": said.place,
            "taken_at": at,
            "giver": said.giver.name,
            "giver_body": str(said.giver.body),
            "intact": said.intact,
            "condition": said.condition,
            "remark": said.remark,
            "package": said.package,
        }
        return Told(entry=entry, words=words, by=by, says=says)

    def _overdue(self, entry: Entry) -> Told:
        statement, by = self._signed(entry.statement)
        said = read_overdue_body(statement.body)
        noticed, due = utc(said.noticed_at), utc(said.due_at)
        words = f"declared overdue by {by}: at {noticed} there was no receipt, which was due {due}"
        return Told(entry=entry, words=words, by=by, says={"noticed_at": noticed, "was_due": due})

    def _other(self, entry: Entry) -> Told:
        return self._kept(entry, f"{entry.kind}{f': {entry.note}' if entry.note else ''}")

    def _kept(self, entry: Entry, words: str) -> Told:
        """What an entry says, and who signed the statement that it keeps, if it keeps one."""
        if not entry.statement:
            return Told(entry=entry, words=words)
        statement, by = self._signed(entry.statement)
        type_ = statement.type.rpartition("/")[2]
        return Told(entry=entry, words=f"{words}, {type_} signed by {by}", by=by, says={"statement": type_, "digest": statement.digest.hex()})


def _answer(raw: bytes) -> tuple[str, dict[str, Any]]:
    """What an answer says, with `{by}` in the place of who says it."""
    answer, _ = peek_answer(raw)
    says: dict[str, Any] = {"answered_at": utc(answer.answered_at), "incoming_number": answer.number}
    as_number = f" as {answer.number}" if answer.number else ""
    if isinstance(answer, Refusal):
        comment = f", {answer.comment!r}" if answer.comment else ""
        says |= {"answer": labels.REFUSAL.rpartition("/")[2], "stage": answer.stage, "reason": answer.reason, "comment": answer.comment}
        return f"refused {answer.stage} {{by}}{as_number}: {answer.reason}{comment}", says
    says |= {"answer": labels.ACKNOWLEDGEMENT.rpartition("/")[2], "conditions": list(answer.conditions)}
    lacking = ", ".join(f"carrier {index} {condition}" for index, condition in enumerate(answer.conditions) if condition != "present")
    return f"acknowledged {{by}}{as_number}{f'; {lacking}' if lacking else ', all carriers present'}", says


# What was tried, by the kind of entry that it would have made.
_STEPS: Final = {
    "sealed": "sealing it",
    "withdrawn": "withdrawing it",
    "arrived": "its arrival",
    "opened": "opening it",
    "answered": "an answer",
    "receipt": "a receipt",
    "notice": "a notice of its transport",
    "handover": "a hand-over",
    "overdue": "declaring it overdue",
}
