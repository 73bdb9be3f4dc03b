"""Receipts that did not come: what is overdue, the signed word for it, and reminders as text to send (R12)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from valiza.envelope.dispatch import EnvelopeName
from valiza.envelope.overdue import Overdue, declare_overdue
from valiza.keys.errors import Refused
from valiza.keys.fields import utc
from valiza.office.following import Wanted, find_standings, standing_of
from valiza.office.letter import LETTERS
from valiza.register.store import Query

if TYPE_CHECKING:
    from collections.abc import Sequence

    from valiza.office.following import Standing
    from valiza.office.home import Office

__all__ = ["Late", "declare", "find_late", "remind", "reminder_name"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Late:
    """An envelope whose receipt is overdue, and whether the register has the signed word for it."""

    standing: Standing
    declared: bool


def find_late(office: Office, at: int, wanted: Wanted | None = None) -> list[Late]:
    """The envelopes sent from here whose receipt is overdue at the time `at`, by their numbers."""
    found = [one for one in find_standings(office, wanted or Wanted(direction="out", verdicts=frozenset({"overdue"})), at) if one.days_late(at)]
    declared = {entry.dispatch_digest for entry in office.journal.store.facts(Query(kinds=("overdue",)))} if found else set()
    return [Late(standing=one, declared=one.state.dispatch_digest in declared) for one in found]


def declare(office: Office, late: Late, officer: str | None, *, at: int) -> bool:
    """Sign and enter that a receipt is overdue, once; returns whether it was entered: a receipt that came meanwhile is better.

    Raises:
        NoKey, Usage: no officer can act, or several could. Refused: the officer may not. Unavailable: the register.
    """
    state = late.standing.state
    expected = office.journal.expectation(state.dispatch_digest)
    if expected is None or late.standing.due is None:
        message = "this envelope was not sealed here"
        raise Refused(message)
    name = office.pick(officer, "act")
    said = Overdue(dispatch=expected.dispatch, core=expected.core, due_at=late.standing.due, noticed_at=at)
    signed = declare_overdue(
        said,
        signer=office.credential(name, "act"),
        key=office.signing_key(name, "act"),
        trust=office.trust,
        agreements=office.agreements,
        seen=office.journal,
    )
    journal, known = office.journal, Query(kinds=("overdue", "receipt", "withdrawn"), dispatch_digest=state.dispatch_digest)
    with journal.together():
        if journal.store.count(known):
            return False
        return journal.record_statement("overdue", signed.raw, _name(late.standing), at=at, note=str(said.due_at))


def _name(one: Standing) -> EnvelopeName:
    state = one.state
    return EnvelopeName(origin=state.origin, envelope_id=state.envelope_id, dispatch_digest=state.dispatch_digest, agreement=state.agreement)


def reminder_name(one: Standing) -> str:
    """What the file of a reminder is called: by the office's number, or the envelope's id."""
    return f"{(one.state.number or one.state.envelope_id.hex()).replace('/', '-')}.txt"


def remind(office: Office, dispatch_digest: bytes, *, languages: Sequence[str], at: int) -> tuple[Standing, str]:
    """A reminder of an envelope's receipt, as text ready to send, in each of the languages (of `LETTERS`) one after the other.

    Nothing of the contents is in it, and no mark.

    Raises:
        Refused: it waits for no receipt. Usage: it is not in the register.
    """
    standing, core, entries = standing_of(office, dispatch_digest, at)
    state, due = standing.state, standing.due
    if state.direction != "out" or standing.waits_for is None or core is None or due is None:
        message = f"no receipt is waited for: the envelope is {state.verdict}"
        raise Refused(message, "a reminder is about an envelope sent from here: valiza register list --open --direction out")
    declared = next((entry.at for entry in entries if entry.kind == "overdue"), None)
    told = _Told(standing=standing, due=due, declared=declared, confirming=str(core.confirming), at=at)
    return standing, "\n".join(_text(office, told, language) for language in languages)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What a reminder tells, in any language; times in seconds since 1970."""

    standing: Standing
    due: int
    declared: int | None
    confirming: str
    at: int


def _text(office: Office, told: _Told, language: str) -> str:
    letter, one = LETTERS[language], told.standing
    state, late = one.state, told.at > told.due
    own = office.names.get(language, next(iter(office.names.values())))
    agreement = next((str(known) for known in office.agreements.all() if known.digest == state.agreement), "")
    known = (
        state.number,
        state.envelope_id.hex(),
        state.dispatch_digest.hex(),
        agreement,
        state.agreement.hex(),
        utc(state.since),
        utc(told.due),
    )
    width = max(map(len, letter.facts)) + 1
    sender, addressee, date, subject = letter.head
    confirms = "" if told.confirming == str(one.destination) else "; " + letter.confirms.format(body=told.confirming)
    lines = [
        f"{sender}: {state.origin}, {own}",
        f"{addressee}: {one.destination}{confirms}",
        f"{date}: {utc(told.at)}",
        f"{subject}: {' '.join(letter.subject[late].format(number=state.number).split())}",
        "",
        letter.due[late].format(day=utc(told.due)[:10]),
        letter.missing.format(time=utc(told.at)),
        "",
        *(f"    {label + ':':{width}} {value}" for label, value in zip(letter.facts, known, strict=True) if value),
        "",
        *letter.asked,
    ]
    if told.declared is not None:
        lines += ["", letter.declared.format(time=utc(told.declared))]
    return "\n".join(lines) + "\n"
