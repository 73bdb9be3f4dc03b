"""The Journal of envelope/ over the store: openings, answers, receipts, what a receipt must say; and the numbers of the office."""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from valiza.envelope.dispatch import EnvelopeName
from valiza.envelope.journal import Expectation, Opening, StoredReceipt
from valiza.envelope.receipt import Verdict
from valiza.keys import labels
from valiza.keys.digests import digest
from valiza.keys.errors import Conflict, Refused, Unavailable
from valiza.keys.fields import Body
from valiza.keys.statement import read_statement
from valiza.register.store import Entry, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager

__all__ = ["EnvelopeState", "RegisterJournal", "receipt_due"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvelopeState:
    """Where an envelope stands, derived from its entries."""

    direction: str
    number: str
    origin: Body
    envelope_id: bytes
    dispatch_digest: bytes
    since: int
    verdict: str


class RegisterJournal:
    """An office's journal in `register.db`. `clock` tells the present, in seconds since 1970."""

    def __init__(self, path: Path, own: Body, clock: Callable[[], int] = lambda: int(time.time())) -> None:
        self._store = Store(path, clock)
        self._own = own

    def together(self) -> AbstractContextManager[None]:
        """What is recorded in the block becomes durable together, at its end, or not at all."""
        return self._store.transaction()

    # -- identity --------------------------------------------------------------------------------------------------------

    def first_seen(self, dispatch_digest: bytes, statement: bytes) -> int | None:
        """When a statement about an envelope, or something that contains it whole, was first recorded; a dispatch is known by its digest."""
        itself = digest(labels.DIGEST_STATEMENT, statement) == dispatch_digest
        return next((entry.at for entry in self.story(dispatch_digest) if itself or statement in entry.record), None)

    def require_first(self, name: EnvelopeName) -> None:
        """Raise Conflict if another dispatch is known under this identity."""
        for entry in self._store.find("envelope_id = ? AND kind <> 'numbered'", [name.envelope_id]):
            if _origin(entry) == name.origin and entry.dispatch_digest != name.dispatch_digest:
                message = f"another dispatch of the envelope {name.envelope_id.hex()} is in the register: conflict"
                raise Conflict(message, "keep both files: they are evidence; ask the origin which one stands")

    def _append(
        self, kind: str, name: EnvelopeName, *, at: int, record: bytes = b"", number: str = "", note: str = "", copy: bytes | None = None
    ) -> None:
        self.require_first(name)
        entry = Entry(
            at=at,
            kind=kind,
            direction="out" if name.origin == self._own else "in",
            number=number,
            origin_party=name.origin.party,
            origin_body=name.origin.id,
            envelope_id=name.envelope_id,
            dispatch_digest=name.dispatch_digest,
            record=record,
            copy=copy,
            note=note,
        )
        self._store.append(entry)

    def _one(self, kind: str, dispatch_digest: bytes) -> Entry | None:
        found = self._store.find("dispatch_digest = ? AND kind = ?", [dispatch_digest, kind])
        return found[0] if found else None

    # -- numbers ---------------------------------------------------------------------------------------------------------

    def next_number(self, direction: str, at: int) -> str:
        """Give out the next number of the year: `BODY/YEAR/out/N`. A number given out for work that then fails is not given again."""
        with self._store.transaction():
            return self._next_number(direction, at)

    def _next_number(self, direction: str, at: int) -> str:
        year = datetime.fromtimestamp(at, UTC).year
        series = f"{self._own.id}/{year}/{direction}/"
        # Backwards over those of the direction, so that the first row is nearly always the one; "+" keeps SQLite from another index.
        last = self._store.find("kind = 'numbered' AND direction = ? AND +number LIKE ?", [direction, series + "%"], last=True)
        number = f"{series}{_count(last[0]) + 1 if last else 1}"
        entry = Entry(at=at, kind="numbered", direction=direction, number=number, origin_party=self._own.party, origin_body=self._own.id)
        self._store.append(entry)
        return number

    # -- origin ----------------------------------------------------------------------------------------------------------

    def record_sealed(
        self, expectation: Expectation, name: EnvelopeName, *, path: Path, number: str, due_at: int, manifest_copy: bytes | None, at: int
    ) -> None:
        """Record what a receipt must say, before the envelope gets its name `path`."""
        with self._store.transaction():
            self._append("sealed", name, at=at, number=number, record=expectation.packed(), copy=manifest_copy, note=str(due_at))
            self._store.expect_file(name.dispatch_digest, os.fsencode(path.absolute()))

    def unnamed(self) -> list[tuple[bytes, Path]]:
        """Envelopes that were recorded, and not seen under their names yet: digest of the dispatch, and the name."""
        return [(name, Path(os.fsdecode(path))) for name, path in self._store.expected_files()]

    def settle(self, dispatch_digests: Iterable[bytes]) -> None:
        """These envelopes have their names, or are withdrawn."""
        self._store.forget_files(dispatch_digests)

    def expectation(self, dispatch_digest: bytes) -> Expectation | None:
        """What a receipt for an envelope sent from here must say."""
        entry = self._one("sealed", dispatch_digest)
        return None if entry is None else Expectation.read(entry.record)

    def manifest_copy(self, dispatch_digest: bytes) -> bytes | None:
        """The encrypted copy of the manifest of an envelope sent from here."""
        entry = self._one("sealed", dispatch_digest)
        return None if entry is None else entry.copy

    def withdraw(self, dispatch_digest: bytes, *, reason: str, at: int) -> None:
        """Record that an envelope was never sent.

        Raises:
            Refused: it was not sealed here, is withdrawn already, or has a receipt.
        """
        with self._store.transaction():
            sealed = self._one("sealed", dispatch_digest)
            if sealed is None:
                message = "this envelope was not sealed here"
                raise Refused(message)
            if self._one("receipt", dispatch_digest) is not None:
                message = "this envelope has a receipt, so it was sent"
                raise Refused(message)
            if self.withdrawn(dispatch_digest):
                message = "this envelope is withdrawn already"
                raise Refused(message)
            name = EnvelopeName(origin=self._own, envelope_id=sealed.envelope_id, dispatch_digest=dispatch_digest)
            self._append("withdrawn", name, at=at, number=sealed.number, note=reason)

    def withdrawn(self, dispatch_digest: bytes) -> bool:
        """Whether the envelope was recorded as never sent."""
        return self._one("withdrawn", dispatch_digest) is not None

    # -- destination -----------------------------------------------------------------------------------------------------

    def record_opening(self, opening: Opening, name: EnvelopeName, *, at: int) -> str:
        """Record an opening before its plaintext is released; returns the incoming number, given when the envelope was first entered."""
        with self._store.transaction():
            number = self._arrive(name, at)
            self._append("opened", name, at=at, number=number, record=opening.packed())
            return number

    def enter_arrival(self, name: EnvelopeName, *, at: int) -> str:
        """Enter an envelope that came in and give it an incoming number (A6.2), once; returns the number."""
        with self._store.transaction():
            return self._arrive(name, at)

    def _arrive(self, name: EnvelopeName, at: int) -> str:
        known = self._one("arrived", name.dispatch_digest)
        if known is not None:
            return known.number
        number = self._next_number("in", at)
        self._append("arrived", name, at=at, number=number)
        return number

    def opening(self, dispatch_digest: bytes) -> Opening | None:
        """The first recorded opening of an envelope."""
        entry = self._one("opened", dispatch_digest)
        return None if entry is None else Opening.read(entry.record)

    def incoming_number(self, dispatch_digest: bytes) -> str:
        """The number that an incoming envelope was given; empty if none."""
        entry = self._one("arrived", dispatch_digest)
        return "" if entry is None else entry.number

    # -- answers and receipts --------------------------------------------------------------------------------------------

    def stored_answer(self, dispatch_digest: bytes) -> bytes | None:
        """The acknowledgement or refusal recorded for an envelope."""
        entry = self._one("answered", dispatch_digest)
        return None if entry is None else entry.record

    def record_answer(self, answer: bytes, name: EnvelopeName, *, at: int) -> None:
        """Record an answer; a second one to the same envelope is refused."""
        type_ = read_statement(answer, labels.ACKNOWLEDGEMENT, labels.REFUSAL).type
        note = Verdict.ACKNOWLEDGED if type_ == labels.ACKNOWLEDGEMENT else Verdict.REFUSED
        with self._store.transaction():
            self._append("answered", name, at=at, number=self._arrive(name, at), record=answer, note=note.value)

    def stored_receipt(self, dispatch_digest: bytes) -> StoredReceipt | None:
        """The receipt recorded for an envelope, and the verdict it got."""
        entry = self._one("receipt", dispatch_digest)
        return None if entry is None else StoredReceipt(entry.record, entry.note)

    def record_receipt(self, receipt: bytes, verdict: str, name: EnvelopeName, *, at: int) -> None:
        """Record a receipt made here or received; of one envelope there is one."""
        with self._store.transaction():
            sealed = self._one("sealed", name.dispatch_digest)
            number = sealed.number if sealed is not None else self.incoming_number(name.dispatch_digest)
            self._append("receipt", name, at=at, number=number, record=receipt, note=verdict)

    def record_conflict(self, evidence: bytes, name: EnvelopeName, *, what: str, at: int) -> None:
        """Keep an object that contradicts what is recorded; the same bytes are kept once."""
        with self._store.transaction():
            if not self._store.count("kind = 'conflict' AND dispatch_digest = ? AND record = ?", [name.dispatch_digest, evidence]):
                self._append("conflict", name, at=at, record=evidence, note=what)

    def record_other_dispatch(self, dispatch: bytes, name: EnvelopeName, *, at: int) -> None:
        """Keep a dispatch that came under the identity of another one, beside the one that is known."""
        known = [e for e in self._store.find("envelope_id = ? AND kind <> 'numbered'", [name.envelope_id]) if _origin(e) == name.origin]
        if known and known[0].dispatch_digest != name.dispatch_digest:
            first = EnvelopeName(origin=name.origin, envelope_id=name.envelope_id, dispatch_digest=known[0].dispatch_digest)
            self.record_conflict(dispatch, first, what="another dispatch", at=at)

    # -- looking up ------------------------------------------------------------------------------------------------------

    def story(self, dispatch_digest: bytes) -> list[Entry]:
        """All entries of an envelope, in order."""
        return self._store.find("dispatch_digest = ?", [dispatch_digest])

    def dispatches_of(self, envelope_id: bytes) -> list[bytes]:
        """Digests of the dispatches known under an envelope id."""
        return list(dict.fromkeys(e.dispatch_digest for e in self._store.find("envelope_id = ? AND kind <> 'numbered'", [envelope_id])))

    def named(self, wanted: str) -> list[bytes]:
        """Digests of the dispatches whose envelope id begins so, or that have this number; the first known one of each envelope."""
        found = {
            e.envelope_id: e.dispatch_digest
            for e in reversed(self._store.find("kind <> 'numbered'"))
            if wanted in {e.number, e.envelope_id.hex()[: len(wanted)]}
        }
        return list(found.values())

    def states(self, at: int) -> list[EnvelopeState]:
        """Every envelope and where it stands at the time `at`, in the order in which they were first entered."""
        entries: dict[bytes, list[Entry]] = {}
        for entry in self._store.find("kind <> 'numbered'"):
            entries.setdefault(entry.dispatch_digest, []).append(entry)
        return [_state(story, at) for story in entries.values()]

    def close(self) -> None:
        """Close the register."""
        self._store.close()


def _count(numbered: Entry) -> int:
    """The last part of a number that was given out."""
    count = numbered.number.rpartition("/")[2]
    if not re.fullmatch("[0-9]{1,15}", count):
        message = f"entry {numbered.seq} of the register is damaged: {numbered.number!r} is no number"
        raise Unavailable(message, "restore it from a backup")
    return int(count)


def receipt_due(sealed: Entry) -> int:
    """When the receipt of an envelope sealed here is due, in seconds since 1970.

    Raises:
        Unavailable: the entry is damaged.
    """
    if not re.fullmatch("[0-9]{1,11}", sealed.note):
        message = f"entry {sealed.seq} of the register is damaged: {sealed.note!r} is no time"
        raise Unavailable(message, "restore it from a backup")
    return int(sealed.note)


def _origin(entry: Entry) -> Body:
    return Body(entry.origin_party, entry.origin_body)


def _state(story: list[Entry], at: int) -> EnvelopeState:
    first = story[0]
    kinds = {entry.kind: entry for entry in story}
    if "conflict" in kinds:
        verdict = Verdict.CONFLICT.value
    elif "receipt" in kinds:
        verdict = kinds["receipt"].note
    elif "withdrawn" in kinds:
        verdict = Verdict.WITHDRAWN.value
    elif "answered" in kinds:
        verdict = kinds["answered"].note
    elif "sealed" in kinds:
        verdict = (Verdict.OVERDUE if at > receipt_due(kinds["sealed"]) else Verdict.OUTSTANDING).value
    else:
        verdict = "opened" if "opened" in kinds else "arrived"
    return EnvelopeState(
        direction=first.direction,
        number=next((entry.number for entry in story if entry.number), ""),
        origin=_origin(first),
        envelope_id=first.envelope_id,
        dispatch_digest=first.dispatch_digest,
        since=first.at,
        verdict=verdict,
    )
