"""Messages in batches: taken apart, examined, judged by the register and entered in one transaction, decided (docs/decisions/018).

A checker is for one process, and for one batch at a time. What is wrong with one message is a finding of that message; where a transaction fails,
each message that was in it is tried alone. A fault of ours defers the message in which it shows, and no other.
"""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from io import BytesIO
from itertools import accumulate, chain, takewhile
from typing import TYPE_CHECKING, Final

from valiza.envelope.receipt import AuthenticReceipt, Verdict
from valiza.gateway.deciding import decide
from valiza.gateway.decision import Finding, GatewayVerdict
from valiza.gateway.examining import Examiner, Object, Waiting, finding_of
from valiza.gateway.judging import judge
from valiza.gateway.media import REPORT_TYPE, SNIFFED_BYTES, sniff
from valiza.gateway.notice import NOTICE_BYTES, notice_of
from valiza.gateway.parts import Limits, TakenApart, TooComplex, take_apart
from valiza.gateway.rules import MarkTexts, Mode
from valiza.gateway.unsealed import MarkFinder, mark_texts, unsealed_in
from valiza.keys.errors import Malformed, Refused, Unavailable, ValizaError, system_error
from valiza.keys.files import storage_errors
from valiza.keys.interruption import naming
from valiza.office.home import present
from valiza.office.passing import Memory
from valiza.office.reader import office_reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path
    from typing import BinaryIO

    from valiza.envelope.agreement import Agreements
    from valiza.gateway.decision import Decision
    from valiza.gateway.message import Message
    from valiza.gateway.rules import Rules
    from valiza.office.home import Office
    from valiza.office.passing import HeadsTaken

__all__ = ["Checker", "patient_clock"]

_REFUSED: Final = Refused.exit_code
_TRUSTED: Final = ("office.toml", "roots", "rosters", "agreements")  # in the office's folder: what changes when something is imported
_AT_ONCE: Final = 64  # envelopes of which everything known is read in one go
_PASSED: Final = {GatewayVerdict.STATEMENT, Verdict.ACKNOWLEDGED}  # verdicts on what held, and is no receipt
_GIVE_UP: Final = 2  # messages in a row for which the register is not there; the rest of a batch is not tried then


_APART: Final = 5  # seconds by which the clocks of gateways that share a register may differ


def patient_clock(clock: Callable[[], int] = present) -> Callable[[], int]:
    """A clock for the office of a gateway, by which time has not run back where another host, whose clock is a little ahead, entered something.

    An entry that comes after it gets its time. The checker itself goes by the true clock.
    """
    return lambda: clock() + _APART


@dataclass(slots=True)
class _Job:
    """A message, and what was found in it so far."""

    findings: list[Finding | Waiting] = field(default_factory=list)

    @property
    def waits(self) -> bool:
        """Whether something in it has to be judged by the register."""
        return any(isinstance(found, Waiting) for found in self.findings)

    def settled(self) -> list[Finding]:
        """What was found, when nothing waits any more."""
        return [found for found in self.findings if isinstance(found, Finding)]

    def failed(self, error: ValizaError) -> None:
        """What waited cannot be judged."""
        self.findings = [finding_of(error, f.part, f.signed.core.envelope_id) if isinstance(f, Waiting) else f for f in self.findings]

    def faulty(self, error: Exception) -> None:
        """Something went wrong that nobody thought of. Its text stays here: it may be of the message."""
        fault = Finding(verdict=GatewayVerdict.FAULT, exit_code=ValizaError.exit_code, reason=f"a fault of ours: {type(error).__name__}")
        self.findings = [fault, *self.settled()]


@dataclass(frozen=True, slots=True)
class _File:
    """A file that is an object itself."""

    file: BinaryIO

    def head(self, length: int) -> bytes:
        """Its first bytes."""
        self.file.seek(0)
        return self.file.read(length)

    def read(self, most: int | None = None) -> bytes:
        """All of it, or no more than that."""
        self.file.seek(0)
        return self.file.read(-1 if most is None else most)

    def open(self) -> BinaryIO:
        """Itself."""
        self.file.seek(0)
        return self.file


class Checker:
    """Checks messages for an office, which needs no key.

    Args:
        office: whose register and whose trust it is.
        rules: of the gateway.
        clock: tells the present, in seconds since 1970.
        enters: whether what passes is entered in the register; where rules are only observed nothing is.
    """

    def __init__(self, office: Office, rules: Rules, *, clock: Callable[[], int] = present, enters: bool = True) -> None:
        self.office, self.rules = office, rules
        self._clock = clock
        self._enters = enters and rules.mode is Mode.ENFORCE
        self._limits = Limits(parts=rules.limits.parts, depth=rules.limits.depth)
        self._memory = Memory(office)
        self._stamps: tuple[int, ...] | None = None
        self._finder = MarkFinder((), MarkTexts.IGNORED)
        self._found_for: Agreements | None = None

    # -- what a service asks -----------------------------------------------------------------------------------------------

    def probe(self) -> None:
        """Raise unless messages could be decided now.

        Raises:
            Unavailable: the register is not there, a roster is missing or expired, or the office's folder is damaged.
        """
        self._examiner().require_ready()
        self.office.journal.store.identity()

    def expiries(self) -> Mapping[str, int]:
        """When the roster of each party that has one here ends, in seconds since 1970.

        Raises:
            Unavailable: the office's folder cannot be read, or is damaged.
        """
        with _folder_errors():
            self._reread()
            return {party: roster.expires_at for party, roster in sorted(self.office.trust.rosters.items())}

    # -- checking ----------------------------------------------------------------------------------------------------------

    def check(self, messages: Sequence[Message]) -> list[Decision]:
        """What becomes of each message. What passes has been entered when this returns.

        Raises:
            Nothing: whatever goes wrong with a message is a finding of it, and the message is deferred.
        """
        try:
            examiner: Examiner | Unavailable = self._examiner()
        except Unavailable as error:
            examiner = error
        jobs = [self._examine(message, examiner) for message in messages]
        waiting = [job for job in jobs if job.waits]
        if waiting:
            self._judge_together(waiting)
        return [decide(job.settled(), self.rules) for job in jobs]

    def _examiner(self) -> Examiner:
        """With what is trusted and agreed now.

        Raises:
            Unavailable: the office's folder cannot be read, or is damaged.
        """
        with _folder_errors():
            self._reread()
            trust, agreements = self.office.trust, self.office.agreements
        marks = self.rules.unsealed.marks
        if marks is not MarkTexts.IGNORED and self._found_for is not agreements:
            self._finder, self._found_for = MarkFinder(mark_texts(agreements), marks), agreements
        return Examiner(self.rules, trust=trust, agreements=agreements, memory=self._memory, own=self.office.body.id, at=self._clock())

    def _reread(self) -> None:
        """Forget what was read of rosters and agreements if something was imported since."""
        stamps = tuple((self.office.home / name).stat().st_mtime_ns for name in _TRUSTED)
        if stamps != self._stamps:
            self.office.reread()
            self._stamps = stamps

    # -- without the register ----------------------------------------------------------------------------------------------

    def _examine(self, message: Message, examiner: Examiner | Unavailable) -> _Job:
        job = _Job()
        try:
            self._look(message, examiner, job)
        except TooComplex as error:
            job.findings = [Finding(verdict=GatewayVerdict.TOO_COMPLEX, exit_code=_REFUSED, reason=error.message)]
        except ValizaError as error:
            job.findings.append(finding_of(error))
        except Exception as error:  # noqa: BLE001 - one message stops no other
            job.faulty(error)
        return job

    def _look(self, message: Message, examiner: Examiner | Unavailable, job: _Job) -> None:
        size = _size(message.raw)
        if size > self.rules.limits.message:
            reason = f"it has {size} bytes, and {self.rules.limits.message} may pass"
            job.findings.append(Finding(verdict=GatewayVerdict.TOO_LARGE, exit_code=_REFUSED, reason=reason))
            return
        if message.bare:
            with _opened(message.raw) as file:
                content = _File(file)
                self._examine_objects([Object(part="", kind=sniff(content.head(SNIFFED_BYTES)), content=content)], examiner, message.sender, job)
            return
        with take_apart(message.raw, self._limits) as taken:
            ours = [Object(part=part.path, kind=part.kind, content=part.content) for part in taken.parts if part.ours]
            if taken.carries and (taken.flaws or not ours):
                reason = f"mail programs may read it differently: {'; '.join(taken.flaws)}"
                job.findings.append(Finding(verdict=GatewayVerdict.MALFORMED, exit_code=Malformed.exit_code, reason=reason))
            self._look_for_unsealed(taken, examiner, job)
            if len(ours) > self.rules.limits.objects:
                reason = f"it carries {len(ours)} objects, and {self.rules.limits.objects} may pass together"
                job.findings.append(Finding(verdict=GatewayVerdict.TOO_COMPLEX, exit_code=_REFUSED, reason=reason))
                return
            self._examine_objects(ours, examiner, taken.sender if message.sender is None else message.sender, job)
            _compare_notices(taken, job)

    def _look_for_unsealed(self, taken: TakenApart, examiner: Examiner | Unavailable, job: _Job) -> None:
        unsealed = self.rules.unsealed
        if not (unsealed.names or unsealed.media_types or unsealed.marks is not MarkTexts.IGNORED):
            return
        finder = self._finder
        if isinstance(examiner, Unavailable):
            if unsealed.marks is not MarkTexts.IGNORED:  # which they are is not known now
                raise examiner
            finder = MarkFinder((), MarkTexts.IGNORED)
        for part, reason in unsealed_in(taken, unsealed, finder):
            job.findings.append(Finding(verdict=GatewayVerdict.UNSEALED, exit_code=_REFUSED, reason=reason, part=part))

    def _examine_objects(self, objects: Sequence[Object], examiner: Examiner | Unavailable, sender: str | None, job: _Job) -> None:
        for item in objects:
            if isinstance(examiner, Unavailable):
                job.findings.append(finding_of(examiner, item.part))
            else:
                job.findings.append(examiner.examine(item, sender))

    # -- with the register -------------------------------------------------------------------------------------------------

    def _judge_together(self, jobs: Sequence[_Job]) -> None:
        """Judge and enter all in one transaction; where that fails each by itself, until the register is plainly not there."""
        if len(jobs) > 1:
            try:
                judged = self._in_transaction(jobs)
            except Exception:  # noqa: BLE001, S110 - whoever it is about will show below
                pass
            else:
                for job, findings in zip(jobs, judged, strict=True):
                    job.findings = list(findings)
                return
        missing: Unavailable | None = None
        count = 0
        for job in jobs:
            if missing is not None and count >= _GIVE_UP:
                job.failed(missing)
                continue
            try:
                job.findings = list(self._in_transaction([job])[0])
                count = 0
            except Unavailable as error:
                job.failed(error)
                missing, count = error, count + 1
            except ValizaError as error:  # what was judged good cannot be entered, since a clock runs back for example: nobody else is to blame
                job.failed(_unavailable(error))
                count = 0
            except Exception as error:  # noqa: BLE001 - one message stops no other
                job.faulty(error)
                count = 0

    def _in_transaction(self, jobs: Sequence[_Job]) -> list[list[Finding]]:
        reader, journal, at = office_reader(self.office), self.office.journal, self._clock()
        names = [[found.signed.name for found in job.findings if isinstance(found, Waiting)] for job in jobs]
        together: AbstractContextManager[None] = journal.together(names[0][0].agreement) if self._enters else nullcontext()
        taken: HeadsTaken | None = {} if self._enters else None
        judged, recalled = [], 0
        with naming() if self._enters else nullcontext(), together:
            for place, job in enumerate(jobs):
                if place >= recalled:  # what is known of the envelopes of some messages is read in one go
                    some = list(takewhile(lambda known: known <= _AT_ONCE, accumulate(map(len, names[place:]))))
                    recalled = place + max(1, len(some))
                    journal.recall(chain.from_iterable(names[place:recalled]))
                judged.append(judge(job.findings, reader, self.rules, at=at, taken=taken))
        return judged


@contextmanager
def _folder_errors() -> Iterator[None]:
    try:
        yield
    except ValizaError as error:
        raise _unavailable(error) from error
    except OSError as error:
        raise Unavailable(system_error(error)) from error


def _compare_notices(taken: TakenApart, job: _Job) -> None:
    """Nothing passes that tells programs of another receipt than the one beside it (mail.md, Notice)."""
    notices = [part for part in taken.parts if part.media_type == REPORT_TYPE]
    if not notices or any(isinstance(found, Finding) and found.verdict not in _PASSED for found in job.findings):
        return  # what did not hold says nothing that could be compared
    receipts = [found.found for found in job.findings if isinstance(found, Waiting)]
    told = {_notice(receipt) for receipt in receipts if isinstance(receipt, AuthenticReceipt)}
    for part in notices:
        lines = part.content.read(NOTICE_BYTES + 1).rstrip(b"\r\n").splitlines()
        if b"".join(line + b"\r\n" for line in lines) not in told:
            reason = "a notice tells of a receipt that is not in this message, or not what the receipt says"
            job.findings.append(Finding(verdict=GatewayVerdict.MALFORMED, exit_code=Malformed.exit_code, reason=reason, part=part.path))


def _notice(found: AuthenticReceipt) -> bytes:
    signed = found.answer.signed
    return notice_of(found.receipt, digest=found.statement.digest, answer=found.answer.answer, core=signed.core, dispatch_digest=signed.digest)


def _size(raw: bytes | Path) -> int:
    if isinstance(raw, bytes):
        return len(raw)
    with storage_errors(raw):
        return raw.stat().st_size


def _opened(raw: bytes | Path) -> BinaryIO:
    """An object as a file."""
    if isinstance(raw, bytes):
        return BytesIO(raw)
    with storage_errors(raw):
        return raw.open("rb", buffering=0)


def _unavailable(error: ValizaError) -> Unavailable:
    """Something of our own that is not in order, as what it is for a message: nobody can say now."""
    return error if isinstance(error, Unavailable) else Unavailable(error.message, error.hint)
