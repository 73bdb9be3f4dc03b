"""Receipts that did not come: what is overdue, the signed word for it, and reminders as text to send (R12)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from valiza.envelope.dispatch import EnvelopeName
from valiza.envelope.overdue import Overdue, declare_overdue
from valiza.keys.errors import Refused
from valiza.keys.fields import utc
from valiza.office.following import Wanted, find_standings, standing_of
from valiza.register.store import Query

if TYPE_CHECKING:
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


def remind(office: Office, dispatch_digest: bytes, *, at: int) -> tuple[Standing, str]:
    """A reminder of an envelope's receipt, as text ready to send. Nothing of the contents is in it, and no mark.

    Raises:
        Refused: it waits for no receipt. Usage: it is not in the register.
    """
    standing, core, entries = standing_of(office, dispatch_digest, at)
    state, due = standing.state, standing.due
    if state.direction != "out" or standing.waits_for is None or core is None or due is None:
        message = f"no receipt is waited for: the envelope is {state.verdict}"
        raise Refused(message, "a reminder is about an envelope sent from here: valiza register list --open --direction out")
    declared = next((entry.at for entry in entries if entry.kind == "overdue"), None)
    return standing, _text(office, standing, due, declared, confirming=str(core.confirming), at=at)


def _text(office: Office, one: Standing, due: int, declared: int | None, *, confirming: str, at: int) -> str:
    state, late = one.state, at > due
    own = office.names.get("en", next(iter(office.names.values())))
    agreement = next((str(known) for known in office.agreements.all() if known.digest == state.agreement), "")
    which = f"{state.number} " if state.number else ""
    facts = {
        "our number": state.number,
        "envelope id": state.envelope_id.hex(),
        "dispatch digest": state.dispatch_digest.hex(),
        "agreement": agreement,
        "agreement digest": state.agreement.hex(),
        "entered here": utc(state.since),
        "receipt due": utc(due),
    }
    lines = [
        f"From: {state.origin}, {own}",
        f"To: {one.destination}" + (f"; {confirming}, which confirms" if confirming != str(one.destination) else ""),
        f"Date: {utc(at)}",
        f"Subject: {'Overdue receipt' if late else 'Receipt due'} for our envelope {which}".rstrip(),
        "",
        f"The receipt for the envelope named below {'was' if late else 'is'} due on {utc(due)[:10]}.",
        f"As of {utc(at)} our register has no receipt for it.",
        "",
        *(f"    {label + ':':17} {value}" for label, value in facts.items() if value),
        "",
        "Please send the countersigned receipt, or a countersigned refusal that gives the reason.",
        "If it was sent already, please send the same file once more: it counts as it did the first time.",
        "If no such envelope came to you, please tell us so at once, so that we can look for it.",
    ]
    if declared is not None:
        lines += ["", f"A signed record that this receipt is overdue stands in our register since {utc(declared)}."]
    return "\n".join(lines) + "\n"
