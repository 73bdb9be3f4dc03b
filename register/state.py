"""Where an envelope stands, derived from its entries, and which entry may follow on them (specs/receipt.md, Verdicts)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

from valiza.envelope.receipt import Verdict
from valiza.keys.errors import Refused, Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet

    from valiza.keys.fields import Body
    from valiza.register.entry import EntryFacts

__all__ = ["BASES", "Course", "EnvelopeState", "ForbiddenStep", "receipt_due", "require_after", "require_step", "state_of"]


class ForbiddenStep(Refused):
    """An entry that may not follow on those that are there. The journal records that it was tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvelopeState:
    """Where an envelope stands, derived from its entries.

    Attributes:
        direction: `out` or `in`.
        number: the office's number of it; empty if it has none.
        origin: body from which it goes.
        envelope_id: 32 bytes.
        dispatch_digest: digest of its dispatch.
        agreement: digest of the agreement's body.
        since: when it was first entered, in seconds since 1970.
        changed: when its last entry was made.
        due: when its receipt is due; None of an incoming one.
        verdict: a verdict of specs/receipt.md, or `announced`, `arrived`, `opened`, `countersigned` of an incoming one.
    """

    direction: str
    number: str
    origin: Body
    envelope_id: bytes
    dispatch_digest: bytes
    agreement: bytes
    since: int
    changed: int
    due: int | None
    verdict: str


def receipt_due(sealed: EntryFacts) -> int:
    """When the receipt of an envelope sealed here is due, in seconds since 1970.

    Raises:
        Unavailable: the entry is damaged.
    """
    if not re.fullmatch("[0-9]{1,11}", sealed.note):
        message = f"entry {sealed.seq} of the register is damaged: {sealed.note!r} is no time"
        raise Unavailable(message, "restore it from a backup")
    return int(sealed.note)


class Course:
    """The course of an envelope: of its entries, taken one after the other, as little as says where it stands, for there may be a million of them."""

    __slots__ = ("_changed", "_due", "_first", "_kinds", "_number", "_said")

    def __init__(self, first: EntryFacts) -> None:
        self._first = first
        self._number = ""
        self._due: int | None = None
        self._said = ""  # in words, by the answer, and then by the receipt
        self._kinds: frozenset[str] = frozenset()
        self.take(first)

    def take(self, entry: EntryFacts) -> None:
        """Go on with the next entry.

        Raises:
            Unavailable: the entry is damaged.
        """
        self._changed = entry.at
        self._number = self._number or entry.number
        if entry.kind == "sealed":
            self._due = receipt_due(entry)
        if entry.kind == "receipt" or (entry.kind == "answered" and "receipt" not in self._kinds):
            self._said = entry.note
        if entry.kind not in self._kinds:
            self._kinds = _with(self._kinds, entry.kind)

    def state(self, at: int) -> EnvelopeState:
        """Where the envelope stands at the time `at`."""
        first = self._first
        return EnvelopeState(
            direction=first.direction,
            number=self._number,
            origin=first.origin,
            envelope_id=first.envelope_id,
            dispatch_digest=first.dispatch_digest,
            agreement=first.agreement,
            since=first.at,
            changed=self._changed,
            due=self._due,
            verdict=self._verdict(at),
        )

    def _verdict(self, at: int) -> str:
        kinds = self._kinds
        if "conflict" in kinds:
            return Verdict.CONFLICT.value
        if "receipt" in kinds:
            return self._said
        if "withdrawn" in kinds:
            return Verdict.WITHDRAWN.value
        if "answered" in kinds:
            return self._said
        if self._due is not None:
            return (Verdict.OVERDUE if at > self._due else Verdict.OUTSTANDING).value
        return next((kind for kind in ("opened", "arrived") if kind in kinds), "announced")


@cache
def _with(kinds: frozenset[str], kind: str) -> frozenset[str]:
    """One set of kinds for all envelopes that have these."""
    return kinds | {kind}


def state_of(story: Sequence[EntryFacts], at: int) -> EnvelopeState:
    """Where an envelope stands at the time `at` by its entries, of which there is one at least.

    Raises:
        Unavailable: one of them is damaged.
    """
    course = Course(story[0])
    for entry in story[1:]:
        course.take(entry)
    return course.state(at)


def require_step(kind: str, story: Sequence[EntryFacts]) -> None:
    """Raise ForbiddenStep if an entry of this kind may not follow on these."""
    require_after(kind, {entry.kind for entry in story})


def require_after(kind: str, known: AbstractSet[str]) -> None:
    """Raise ForbiddenStep if an entry of this kind may not follow on entries of those kinds."""
    fault = _fault(kind, known)
    if fault:
        raise ForbiddenStep(fault)


_ONCE: Final = {
    "sealed": "this envelope was entered already",
    "withdrawn": "this envelope is withdrawn already",
    "arrived": "this envelope was entered already",
    "answered": "this envelope was answered already",
    "receipt": "this envelope has a receipt already",
}
_NOT_WITHDRAWN: Final = ("withdrawn", "this envelope is withdrawn")
_NO_HANDOVER: Final = ("handover", "this envelope was handed over, so it was sent")
_NO_RECEIPT: Final = ("receipt", "this envelope has a receipt, so it was sent")
# By kind: entries of which one has to be there, and what is said if none is; entries that must not be there, and what is said if they are.
_AFTER: Final = {
    "withdrawn": (("sealed",), "this envelope was not sealed here"),
    "overdue": (("sealed",), "this envelope was not sealed here"),
    "opened": (("arrived",), "this envelope never came here"),
    "answered": (("arrived",), "this envelope never came here"),
    "receipt": (("sealed", "answered"), "this envelope was neither sealed nor answered here"),
}
# Those of which another one has to be there first.
BASES: Final = frozenset(kind for wanted, _ in _AFTER.values() for kind in wanted)
_NEVER_AFTER: Final = {
    "withdrawn": (_NO_RECEIPT, _NO_HANDOVER),
    "notice": (_NOT_WITHDRAWN,),
    "handover": (_NOT_WITHDRAWN,),
    "overdue": (_NO_RECEIPT, _NOT_WITHDRAWN),
}


def _fault(kind: str, known: AbstractSet[str]) -> str:
    """Why not; empty if it may."""
    if kind in _ONCE and (kind in known or (kind == "sealed" and known)):
        return _ONCE[kind]
    wanted, message = _AFTER.get(kind, ((), ""))
    if wanted and known.isdisjoint(wanted):
        return message
    return next((said for other, said in _NEVER_AFTER.get(kind, ()) if other in known), "")
