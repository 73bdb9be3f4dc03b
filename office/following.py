"""Following up: which envelopes there are, where they stand, what each waits for, and until when."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from valiza.keys.errors import Usage
from valiza.register.journal import core_of
from valiza.register.state import state_of
from valiza.register.store import Query

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from valiza.envelope.header import Core
    from valiza.keys.fields import Body
    from valiza.office.home import Office
    from valiza.register.entry import Entry
    from valiza.register.state import EnvelopeState

__all__ = ["Standing", "Wanted", "find_standings", "standing_of"]

DAY: Final = 86400
_WITH_CORE: Final = ("sealed", "opened", "answered")  # entries that keep what the header says
_FEW: Final = 200  # envelopes up to which each is looked up by itself; for more the register is read through
_LEAST_DIGITS: Final = 8
# What an envelope waits for, by its direction and where it stands. A refusal of an incoming one is countersigned like an acknowledgement.
_WAITS_FOR: Final = {
    ("out", "outstanding"): "receipt",
    ("out", "overdue"): "receipt",
    ("out", "acknowledged"): "countersignature",
    ("in", "arrived"): "opening",
    ("in", "opened"): "answer",
    ("in", "acknowledged"): "countersignature",
    ("in", "refused"): "countersignature",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where an envelope stands, and what its header says besides.

    Attributes:
        state: derived from its entries.
        agreement_id: None if the agreement is not adopted here.
        destination: None of an incoming envelope that was entered and neither opened nor answered: only its dispatch is known.
        due: when its receipt is due, in seconds since 1970; None likewise.
        waits_for: `receipt`, `countersignature`, `opening` or `answer`; None if for nothing.
    """

    state: EnvelopeState
    agreement_id: str | None
    destination: Body | None
    due: int | None
    waits_for: str | None

    @property
    def other(self) -> Body | None:
        """The body on the other side."""
        return self.destination if self.state.direction == "out" else self.state.origin

    def days_late(self, at: int) -> int:
        """Since how many whole days its receipt is overdue at the time `at`, but 1 on the first; 0 if it is not, or nothing is waited for."""
        if self.waits_for is None or self.due is None or at <= self.due:
            return 0
        return max(1, (at - self.due) // DAY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which envelopes are wanted: those that fit everything that is given.

    Attributes:
        direction: `in` or `out`.
        verdicts: any of them.
        other: the other side: PARTY, BODY or PARTY/BODY.
        agreement: its id, or the beginning of its digest.
        since: first entered not before, in seconds since 1970.
        until: first entered not after.
        number: a year, the last part of a number, or a number in which `*` stands for anything.
        waiting: only what waits for something.
        due_within: only what waits, with its receipt due in that many seconds or overdue.
    """

    direction: str | None = None
    verdicts: frozenset[str] = frozenset()
    other: str | None = None
    agreement: str | None = None
    since: int | None = None
    until: int | None = None
    number: str | None = None
    waiting: bool = False
    due_within: int | None = None

    @property
    def everything(self) -> bool:
        """Whether nothing was asked for in particular."""
        return self == Wanted()


def find_standings(office: Office, wanted: Wanted, at: int) -> list[Standing]:
    """The envelopes that are wanted, as they stand at the time `at`, by their numbers.

    Raises:
        Usage: no such agreement. Unavailable: the register.
    """
    names = {agreement.digest: agreement.profile.id for agreement in office.agreements.all()}
    meant = (lambda _: True) if wanted.agreement is None else _is_of(wanted.agreement, names)
    states = [state for state in office.journal.states(at, wanted.direction) if _fits(state, wanted) and meant(state.agreement)]
    known = _headers(office, {state.dispatch_digest for state in states})
    found = (_standing(state, known.get(state.dispatch_digest), names) for state in states)
    return sorted((one for one in found if _fits_more(one, wanted, at)), key=_by_number)


def standing_of(office: Office, dispatch_digest: bytes, at: int) -> tuple[Standing, Core | None, list[Entry]]:
    """Where one envelope stands, what its header says, and all its entries.

    Raises:
        Usage: it is not in the register.
    """
    entries = office.journal.story(dispatch_digest)
    if not entries:
        message = "this envelope is not in the register of this office"
        raise Usage(message, "valiza register list shows those that are there")
    names = {agreement.digest: agreement.profile.id for agreement in office.agreements.all()}
    core = next((found for entry in entries if (found := core_of(entry)) is not None), None)
    return _standing(state_of(entries, at), None if core is None else (core.destination, core.stamp.due_at), names), core, entries


def _standing(state: EnvelopeState, header: tuple[Body, int] | None, names: dict[bytes, str]) -> Standing:
    destination, due = header or (None, None)
    return Standing(
        state=state,
        agreement_id=names.get(state.agreement),
        destination=destination,
        due=due if state.due is None else state.due,
        waits_for=_WAITS_FOR.get((state.direction, state.verdict)),
    )


def _headers(office: Office, wanted: Collection[bytes]) -> dict[bytes, tuple[Body, int]]:
    """Destination and time due of envelopes, by the digests of their dispatches."""
    found: dict[bytes, tuple[Body, int]] = {}
    for entry in _entries(office, wanted):
        if entry.dispatch_digest in wanted and entry.dispatch_digest not in found and (core := core_of(entry)) is not None:
            found[entry.dispatch_digest] = core.destination, core.stamp.due_at
    return found


def _entries(office: Office, wanted: Collection[bytes]) -> Iterator[Entry]:
    store = office.journal.store
    if len(wanted) <= _FEW:
        for dispatch_digest in wanted:
            yield from store.find(Query(kinds=_WITH_CORE, dispatch_digest=dispatch_digest))
    else:
        for page in store.pages(Query(kinds=_WITH_CORE)):
            yield from (chained.entry for chained in page)


def _fits(state: EnvelopeState, wanted: Wanted) -> bool:
    """Whether it fits, by what stands in the entries themselves."""
    return (
        wanted.direction in {None, state.direction}
        and (not wanted.verdicts or state.verdict in wanted.verdicts)
        and (wanted.since is None or state.since >= wanted.since)
        and (wanted.until is None or state.since <= wanted.until)
        and (wanted.number is None or _numbered(state.number, wanted.number))
        and (not (wanted.waiting or wanted.due_within is not None) or (state.direction, state.verdict) in _WAITS_FOR)
    )


def _fits_more(one: Standing, wanted: Wanted, at: int) -> bool:
    """Whether it fits, by what its header says."""
    if wanted.due_within is not None and (one.due is None or one.due > at + wanted.due_within):
        return False
    return wanted.other is None or (one.other is not None and wanted.other.upper() in {one.other.party, one.other.id, str(one.other)})


def _numbered(number: str, pattern: str) -> bool:
    if re.fullmatch("(19|2[0-9])[0-9]{2}", pattern) and f"/{pattern}/" in number:
        return True
    return fnmatchcase(number, f"*/{pattern}" if re.fullmatch("[0-9]+", pattern) else pattern)


def _is_of(wanted: str, names: dict[bytes, str]) -> Callable[[bytes], bool]:
    """Whether a digest is that of the agreement that is meant, of any version."""
    if wanted in names.values():
        return lambda digest: names.get(digest) == wanted
    if re.fullmatch(f"[0-9a-f]{{{_LEAST_DIGITS},64}}", wanted):
        return lambda digest: digest.hex().startswith(wanted)
    message = f"no agreement {wanted!r} is adopted here"
    raise Usage(message, f"adopted are {', '.join(sorted(set(names.values()))) or 'none'}")


def _by_number(one: Standing) -> tuple[bool, str, str, str, int, int]:
    """Order of the numbers, 9 before 10; what has none comes last, in the order of time."""
    state = one.state
    match = re.fullmatch(r"(.*)/([0-9]{4})/(in|out)/([0-9]{1,15})", state.number)
    parts = (match[1], match[2], match[3], int(match[4])) if match else (state.number, "", "", 0)
    return (not state.number, *parts, state.since)
