"""The Journal of envelope/ over a store: openings, answers, receipts, what a receipt must say; and the numbers of the office."""

from __future__ import annotations

import os
import re
import secrets
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from valiza.envelope.acknowledgement import peek_answer
from valiza.envelope.dispatch import EnvelopeName
from valiza.envelope.header import read_core
from valiza.envelope.journal import Expectation, Opening, StoredReceipt
from valiza.envelope.receipt import Verdict
from valiza.keys import labels
from valiza.keys.digests import digest
from valiza.keys.encoding import pack, unpack
from valiza.keys.errors import Conflict, Malformed, Refused, Unavailable
from valiza.keys.fields import array, blob, optional
from valiza.keys.statement import read_statement
from valiza.register.entry import BLIND_BYTES, Entry
from valiza.register.state import Course, ForbiddenStep, require_step
from valiza.register.store import Query

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager

    from valiza.envelope.header import Core
    from valiza.keys.encoding import Value
    from valiza.keys.fields import Body
    from valiza.register.entry import EntryFacts
    from valiza.register.state import EnvelopeState
    from valiza.register.store import Store

__all__ = ["RegisterJournal", "core_of"]

_MAX_RECORD = 8 << 20
_MOST_KNOWN = 1000  # envelopes of which a long transaction remembers what it read


class RegisterJournal:
    """A body's journal.

    Args:
        store: keeps it.
        own: the body.
        clock: tells the present, in seconds since 1970.
        random: a source of random bytes.
        place: which of several offices that share the store this is; empty where there is one.

    Raises:
        Refused: the store keeps the register of another body.
    """

    def __init__(
        self,
        store: Store,
        own: Body,
        clock: Callable[[], int] = lambda: int(time.time()),
        random: Callable[[int], bytes] = secrets.token_bytes,
        place: str = "",
    ) -> None:
        self.store = store
        self.own = own
        self._clock = clock
        self._random = random
        self._place = place
        self._attempts: list[Entry] = []
        self._remembers = False  # inside `together`, where nobody else appends: what was read stays true, and is not read again
        self._known: dict[bytes, list[EntryFacts]] = {}  # by id of the envelope
        self._stories: dict[bytes, list[Entry]] = {}  # by dispatch, of those that were recalled
        self._counts: dict[str, int] = {}  # numbers given out, by series
        self._require_own()

    def _require_own(self) -> None:
        known = self.store.identity()
        if known is None:
            with self.store.transaction():
                known = self.store.identity()  # another process may have been first
                if known is None:
                    self.store.claim(self.own)
                    return
        if known != self.own:
            message = f"the register {self.store.name!r} is that of {known}, and this office is of {self.own}"
            raise Refused(message, "each body has a register of its own")

    @contextmanager
    def together(self, agreement: bytes | None = None, ahead: Query | None = None) -> Iterator[None]:
        """What is recorded in the block becomes durable together, at its end, or not at all. A forbidden step in it is recorded in any case.

        Args:
            agreement: under which most of it is; it saves time.
            ahead: what is asked first, as of `Store.transaction`.
        """
        if self.store.inside:
            yield
            return
        try:
            with self.store.transaction(agreement, ahead):
                self._remembers = True
                yield
        finally:
            self._forget()
            self._record_attempts()

    def _forget(self) -> None:
        self._remembers = False
        self._known.clear()
        self._stories.clear()
        self._counts.clear()

    def recall(self, names: Iterable[EnvelopeName]) -> None:
        """Read at once, inside `together`, all that is known of envelopes.

        What is asked of them until its end, or until others are recalled, takes no look at the store.
        """
        if not self._remembers:
            return
        wanted = list(names)
        self._known = {name.envelope_id: [] for name in wanted}
        self._stories = {name.dispatch_digest: [] for name in wanted}
        for entry in self.store.find(Query(envelope_ids=tuple(self._known), enveloped=True)):
            self._remember(entry, self._known[entry.envelope_id])

    def _remember(self, entry: Entry, known: list[EntryFacts]) -> None:
        known.append(entry.facts())
        if entry.dispatch_digest in self._stories:
            self._stories[entry.dispatch_digest].append(entry)

    def _about(self, name: EnvelopeName) -> list[EntryFacts]:
        """What every entry says that is about an envelope of this id."""
        known = self._known.get(name.envelope_id)
        if known is None:
            known = list(self.store.facts(_of_envelope(name)))
            if self._remembers:
                if len(self._known) >= _MOST_KNOWN:
                    self._known.clear()
                self._known[name.envelope_id] = known
        return known

    def _steps(self, name: EnvelopeName) -> list[EntryFacts]:
        """What every entry says that is about the envelope with this very dispatch."""
        return [fact for fact in self._about(name) if fact.dispatch_digest == name.dispatch_digest]

    def _record_attempts(self) -> None:
        attempts, self._attempts = self._attempts, []
        if attempts:
            with self.store.transaction():
                for attempt in attempts:
                    same = Query(kinds=("attempt",), dispatch_digest=attempt.dispatch_digest, statement=attempt.statement)
                    if not any(entry.note == attempt.note for entry in self.store.facts(same)):  # the same again and again is one
                        self.store.append(attempt)

    # -- identity --------------------------------------------------------------------------------------------------------

    def first_seen(self, dispatch_digest: bytes, statement: bytes) -> int | None:
        """When a statement about an envelope, or something that contains it whole, was first recorded; a dispatch is known by its digest."""
        itself = digest(labels.DIGEST_STATEMENT, statement) == dispatch_digest
        known = self.story(dispatch_digest)
        return next((e.at for e in known if e.kind != "attempt" and (itself or statement in e.statement or statement in e.record)), None)

    def require_first(self, name: EnvelopeName) -> None:
        """Raise Conflict if another dispatch is known under this identity."""
        for entry in self._about(name):
            if entry.origin == name.origin and entry.dispatch_digest != name.dispatch_digest:
                message = f"another dispatch of the envelope {name.envelope_id.hex()} is in the register: conflict"
                raise Conflict(message, "keep both files: they are evidence; ask the origin which one stands")

    def _entry(
        self, kind: str, name: EnvelopeName, *, at: int, number: str = "", statement: bytes = b"", record: bytes = b"", note: str = ""
    ) -> Entry:
        return Entry(
            at=at,
            kind=kind,
            direction="out" if name.origin == self.own else "in",
            number=number,
            agreement=name.agreement,
            origin=name.origin,
            envelope_id=name.envelope_id,
            dispatch_digest=name.dispatch_digest,
            note=note,
            statement=statement,
            record=record,
            blind=self._random(BLIND_BYTES),
        )

    def _append(
        self, kind: str, name: EnvelopeName, *, at: int, number: str | None = None, statement: bytes = b"", record: bytes = b"", note: str = ""
    ) -> None:
        """Append an entry, inside `together`; where no number is given, with the one that the envelope has.

        Raises:
            ForbiddenStep: it may not follow on those that are there; that it was tried is recorded. Conflict: another dispatch has this identity.
        """
        self.require_first(name)
        steps = self._steps(name)
        if number is None:
            number = next((step.number for step in steps if step.number), "")
        try:
            require_step(kind, steps)
        except ForbiddenStep as error:
            self._attempts.append(self._entry("attempt", name, at=at, number=number, statement=statement, note=f"{kind}: {error.message}"))
            raise
        entered = self.store.append(self._entry(kind, name, at=at, number=number, statement=statement, record=record, note=note), new=True)
        self._remember(entered, self._about(name))

    def _one(self, kind: str, dispatch_digest: bytes) -> Entry | None:
        recalled = self._stories.get(dispatch_digest)
        if recalled is not None:
            return next((entry for entry in recalled if entry.kind == kind), None)
        return self.store.first(Query(kinds=(kind,), dispatch_digest=dispatch_digest))

    def name_of(self, dispatch_digest: bytes) -> EnvelopeName | None:
        """The envelope with this dispatch; None if it is not known here."""
        known = next(self.store.facts(Query(dispatch_digest=dispatch_digest, limit=1)), None)
        return None if known is None else _name(known)

    # -- numbers ---------------------------------------------------------------------------------------------------------

    def next_number(self, direction: str, agreement: bytes, at: int) -> str:
        """Give out the next number of the year: `BODY/YEAR/out/N`. A number given out for work that then fails is not given again."""
        with self.together(agreement, _last_number(self._series(direction, at), direction)):
            return self._next_number(direction, agreement, at)

    def _series(self, direction: str, at: int) -> str:
        return f"{self.own.id}/{datetime.fromtimestamp(at, UTC).year}/{direction}/"

    def _next_number(self, direction: str, agreement: bytes, at: int) -> str:
        series = self._series(direction, at)
        count = self._counts.get(series)
        if count is None:
            last = next(self.store.facts(_last_number(series, direction)), None)
            count = 0 if last is None else _count(last)
        number = f"{series}{count + 1}"
        blind = self._random(BLIND_BYTES)
        entry = Entry(at=at, kind="numbered", direction=direction, number=number, agreement=agreement, origin=self.own, blind=blind)
        self.store.append(entry, new=True)
        if self._remembers:
            self._counts[series] = count + 1
        return number

    # -- origin ----------------------------------------------------------------------------------------------------------

    def record_sealed(
        self, expectation: Expectation, name: EnvelopeName, *, path: Path, number: str, due_at: int, manifest_copy: bytes | None, at: int
    ) -> None:
        """Record what a receipt must say, before the envelope gets its name `path`."""
        with self._entering(name):
            record = pack([expectation.value()[1:], manifest_copy])
            self._append("sealed", name, at=at, number=number, statement=expectation.dispatch, record=record, note=str(due_at))
            self.store.expect_file(name.dispatch_digest, self._place, os.fsencode(path.absolute()))

    def _entering(self, name: EnvelopeName) -> AbstractContextManager[None]:
        """Together, beginning with what is asked before an entry about an envelope."""
        return self.together(name.agreement, _of_envelope(name))

    def unnamed(self) -> list[tuple[bytes, Path]]:
        """Envelopes that were recorded in this office, and not seen under their names yet: digest of the dispatch, and the name."""
        return [(name, Path(os.fsdecode(path))) for name, path in self.store.expected_files(self._place)]

    def settle(self, dispatch_digests: Iterable[bytes]) -> None:
        """These envelopes have their names, or are withdrawn."""
        self.store.forget_files(dispatch_digests)

    def expectation(self, dispatch_digest: bytes) -> Expectation | None:
        """What a receipt for an envelope sent from here must say."""
        entry = self._one("sealed", dispatch_digest)
        return None if entry is None else Expectation.from_value([entry.statement, *array(_sealed(entry)[0], "recorded expectation")])

    def manifest_copy(self, dispatch_digest: bytes) -> bytes | None:
        """The encrypted copy of the manifest of an envelope sent from here."""
        entry = self._one("sealed", dispatch_digest)
        return None if entry is None else optional(_sealed(entry)[1], "manifest copy", blob)

    def withdraw(self, dispatch_digest: bytes, *, reason: str, at: int) -> None:
        """Record that an envelope was never sent.

        Raises:
            Refused: it was not sealed here, is withdrawn already, or has a receipt.
        """
        with self.together():
            known = next(self.store.facts(Query(dispatch_digest=dispatch_digest, limit=1)), None)
            if known is None:
                message = "this envelope was not sealed here"
                raise Refused(message)
            self._append("withdrawn", _name(known), at=at, number=known.number, note=reason)

    def withdrawn(self, dispatch_digest: bytes) -> bool:
        """Whether the envelope was recorded as never sent."""
        return self._one("withdrawn", dispatch_digest) is not None

    # -- destination -----------------------------------------------------------------------------------------------------

    def record_opening(self, opening: Opening, name: EnvelopeName, *, at: int) -> str:
        """Record an opening before its plaintext is released; returns the incoming number, given when the envelope was first entered."""
        with self._entering(name):
            number = self._arrive(name, opening.expectation.dispatch, at)
            self._append("opened", name, at=at, number=number, record=opening.packed())
            return number

    def enter_arrival(self, name: EnvelopeName, dispatch: bytes, *, at: int) -> str:
        """Enter an envelope that came in and give it an incoming number (A6.2), once; returns the number."""
        with self._entering(name):
            return self._arrive(name, dispatch, at)

    def _arrive(self, name: EnvelopeName, dispatch: bytes, at: int) -> str:
        known = self._arrived(name)
        if known is not None:
            return known
        self.require_first(name)
        number = self._next_number("in", name.agreement, at)
        self._append("arrived", name, at=at, number=number, statement=dispatch)
        return number

    def _arrived(self, name: EnvelopeName) -> str | None:
        """The incoming number; None if it never came."""
        return next((step.number for step in self._steps(name) if step.kind == "arrived"), None)

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
        return None if entry is None else entry.statement

    def record_answer(self, answer: bytes, name: EnvelopeName, *, at: int) -> None:
        """Record an answer; a second one to the same envelope is refused."""
        type_ = read_statement(answer, labels.ACKNOWLEDGEMENT, labels.REFUSAL).type
        note = Verdict.ACKNOWLEDGED if type_ == labels.ACKNOWLEDGEMENT else Verdict.REFUSED
        with self._entering(name):
            self.require_first(name)
            number = self._arrived(name) or self._arrive(name, peek_answer(answer)[0].dispatch, at)
            self._append("answered", name, at=at, number=number, statement=answer, note=note.value)

    def stored_receipt(self, dispatch_digest: bytes) -> StoredReceipt | None:
        """The receipt recorded for an envelope, and the verdict it got."""
        entry = self._one("receipt", dispatch_digest)
        return None if entry is None else StoredReceipt(entry.statement, entry.note)

    def record_receipt(self, receipt: bytes, verdict: str, name: EnvelopeName, *, at: int) -> None:
        """Record a receipt made here or received; of one envelope there is one."""
        with self._entering(name):
            self._append("receipt", name, at=at, statement=receipt, note=verdict)

    def number_of(self, dispatch_digest: bytes) -> str:
        """The office's number of an envelope; empty if it has none."""
        return next((e.number for e in self.store.facts(Query(dispatch_digest=dispatch_digest)) if e.number), "")

    def record_statement(self, kind: str, statement: bytes, name: EnvelopeName, *, at: int, note: str = "") -> bool:
        """Record a further statement about an envelope: a `notice`, `handover` or `overdue`. The same bytes once; returns whether they are new.

        Raises:
            ForbiddenStep: it may not follow on what is known of the envelope.
        """
        with self._entering(name):
            if self._has(kind, statement, name):
                return False
            self._append(kind, name, at=at, statement=statement, note=note)
            return True

    def _has(self, kind: str, statement: bytes, name: EnvelopeName) -> bool:
        """Whether these bytes are kept of an envelope in an entry of a kind; the store is asked only if there are such entries."""
        if all(step.kind != kind for step in self._steps(name)):
            return False
        recalled = self._stories.get(name.dispatch_digest)
        if recalled is not None:
            return any((entry.kind, entry.statement) == (kind, statement) for entry in recalled)
        return bool(self.store.count(Query(kinds=(kind,), dispatch_digest=name.dispatch_digest, statement=statement, limit=1)))

    def statements(self, kind: str, dispatch_digest: bytes) -> list[bytes]:
        """The statements of a kind recorded for an envelope, in the order in which they were."""
        recalled = self._stories.get(dispatch_digest)
        if recalled is not None:
            return [entry.statement for entry in recalled if entry.kind == kind]
        return [entry.statement for entry in self.store.find(Query(kinds=(kind,), dispatch_digest=dispatch_digest))]

    def record_conflict(self, evidence: bytes, name: EnvelopeName, *, what: str, at: int, core: bytes = b"") -> None:
        """Keep an object that contradicts what is recorded; the same bytes are kept once. `core`: of a dispatch, to show of which envelope it is."""
        with self._entering(name):
            if not self._has("conflict", evidence, name):
                self._append("conflict", name, at=at, number="", statement=evidence, record=core, note=what)

    def record_other_dispatch(self, dispatch: bytes, core: bytes, name: EnvelopeName, *, at: int) -> None:
        """Keep a dispatch that came under the identity of another one, beside the one that is known."""
        known = [fact for fact in self._about(name) if fact.origin == name.origin]
        if known and known[0].dispatch_digest != name.dispatch_digest:
            self.record_conflict(dispatch, _name(known[0]), what="another dispatch", at=at, core=core)

    def record_log_conflict(self, body: Body, agreement: bytes, evidence: bytes, *, what: str, at: int) -> None:
        """Keep heads of another body's log that do not go together; the same bytes are kept once."""
        with self.together(agreement):
            same = Query(kinds=("log-conflict",), dispatch_digest=b"", agreement=agreement, statement=evidence)  # about no envelope
            if not self.store.count(same):
                blind = self._random(BLIND_BYTES)
                self.store.append(
                    Entry(at=at, kind="log-conflict", direction="in", agreement=agreement, origin=body, note=what, statement=evidence, blind=blind)
                )

    # -- looking up ------------------------------------------------------------------------------------------------------

    def story(self, dispatch_digest: bytes) -> list[Entry]:
        """All entries of an envelope, in order."""
        recalled = self._stories.get(dispatch_digest)
        if recalled is not None:
            return list(recalled)
        return self.store.find(Query(dispatch_digest=dispatch_digest))

    def dispatches_of(self, envelope_id: bytes) -> list[bytes]:
        """Digests of the dispatches known under an envelope id."""
        return list(dict.fromkeys(e.dispatch_digest for e in self.store.facts(Query(envelope_id=envelope_id, enveloped=True))))

    def named(self, wanted: str) -> list[bytes]:
        """Digests of the dispatches whose envelope id begins so, or that have this number; the first known one of each envelope."""
        queries = [Query(number=wanted, enveloped=True)] if wanted else []
        if re.fullmatch("[0-9a-f]*", wanted):
            first, before = _ids(wanted)
            queries.append(Query(id_from=first, id_before=before, enveloped=True))
        found: dict[bytes, bytes] = {}
        for entry in sorted((entry for query in queries for entry in self.store.facts(query)), key=lambda entry: entry.seq):
            found.setdefault(entry.envelope_id, entry.dispatch_digest)
        return list(found.values())

    def states(self, at: int, direction: str | None = None) -> Iterator[EnvelopeState]:
        """Every envelope, or those of one direction, and where it stands at the time `at`, in the order in which they were first entered."""
        courses: dict[bytes, Course] = {}
        for entry in self.store.facts(Query(enveloped=True, direction=direction)):
            course = courses.get(entry.dispatch_digest)
            if course is None:
                courses[entry.dispatch_digest] = Course(entry)
            else:
                course.take(entry)
        for name in list(courses):
            yield courses.pop(name).state(at)

    def close(self) -> None:
        """Close the register."""
        self.store.close()


def _ids(prefix: str) -> tuple[bytes, bytes | None]:
    """The ids that begin so in hexadecimal digits: the first that can, and the first behind them; None where there is none behind."""
    behind = f"{int(prefix or '0', 16) + 1:0{len(prefix)}x}"
    even = len(prefix) + len(prefix) % 2
    return bytes.fromhex(prefix.ljust(even, "0")), bytes.fromhex(behind.ljust(even, "0")) if prefix and len(behind) == len(prefix) else None


def _of_envelope(name: EnvelopeName) -> Query:
    """All entries about an envelope, under whichever dispatch."""
    return Query(envelope_id=name.envelope_id, enveloped=True)


def _last_number(series: str, direction: str) -> Query:
    """The number last given out of a series. Backwards over those of the direction, so that the first row is nearly always the one."""
    return Query(kinds=("numbered",), direction=direction, series=series, newest_first=True, limit=1)


def _sealed(entry: Entry) -> list[Value]:
    """What is recorded beside a dispatch: what else a receipt must say, and the copy of the manifest."""
    return array(unpack(entry.record, max_bytes=_MAX_RECORD, what="recorded sealing"), "recorded sealing", length=2)


def _name(known: EntryFacts) -> EnvelopeName:
    return EnvelopeName(origin=known.origin, envelope_id=known.envelope_id, dispatch_digest=known.dispatch_digest, agreement=known.agreement)


def _count(numbered: EntryFacts) -> int:
    """The last part of a number that was given out."""
    count = numbered.number.rpartition("/")[2]
    if not re.fullmatch("[0-9]{1,15}", count):
        message = f"entry {numbered.seq} of the register is damaged: {numbered.number!r} is no number"
        raise Unavailable(message, "restore it from a backup")
    return int(count)


def core_of(entry: Entry) -> Core | None:
    """What the header of the envelope says, by what an entry keeps of it; None where it keeps none of it.

    Raises:
        Unavailable: the entry is damaged.
    """
    try:
        if entry.kind == "sealed":
            return read_core(blob(array(_sealed(entry)[0], "recorded expectation")[0], "core"))
        if entry.kind == "opened":
            return read_core(Opening.read(entry.record).expectation.core)
        return peek_answer(entry.statement)[1] if entry.kind == "answered" else None
    except Malformed as error:
        message = f"entry {entry.seq} of the register is damaged: {error.message}"
        raise Unavailable(message, "see what else is wrong: valiza register verify; then restore it from a backup") from error
