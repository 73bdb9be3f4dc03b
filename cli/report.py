"""The command that makes a report of the register for people: one page of HTML."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from valiza.cli.following import DAY, profile_of, standing_facts, story_facts, story_people, wanted, wanted_options
from valiza.cli.options import as_json, command_epilog, home_option, now, open_office, output, require_output
from valiza.cli.render import emit, utc
from valiza.cli.terminal import counting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from valiza.cli.render import Facts
    from valiza.office.following import Standing
    from valiza.office.home import Office

__all__ = ["report"]


@click.command(short_help="Write a report as one page of HTML.")
@wanted_options
@output("The page, in HTML")
@home_option
@as_json
def report(output: Path, home: Path | None, json_: bool, **given: Any) -> None:  # noqa: ANN401 - of `wanted_options`
    """Write a page for people: what is overdue and outstanding, deliveries by month, and the story of each envelope that is asked for.

    It is one file that needs nothing else, runs no script and fetches nothing. It has marks and names in it: keep it as the register itself.
    """
    from valiza.cli.page import page
    from valiza.office.exporting import write_lines
    from valiza.office.following import find_standings

    require_output(output)
    at, chosen, at_office = now(), wanted(given), open_office(home)
    found = find_standings(at_office, chosen, at)
    waiting = [_waiting(one, at) for one in found if one.waits_for]
    waiting.sort(key=lambda one: one["due"] or "9")
    overdue = sum(1 for one in waiting if one["direction"] == "out" and one["late"])
    stands = Counter(one.state.verdict for one in found)
    counts = {
        "overdue": overdue,
        "outstanding": sum(1 for one in waiting if one["direction"] == "out") - overdue,
        "delivered": stands["delivered"],
        "waiting here": sum(1 for one in waiting if one["direction"] == "in"),
        "receipts made": stands["countersigned"],
        "refused, late, lacking or in conflict": sum(stands[name] for name in ("refused", "late", "discrepant", "conflict")),
    }
    with counting("telling", len(found)) as done:
        told = {
            "body": str(at_office.body),
            "names": at_office.names,
            "as_of": utc(at),
            "whole": chosen.everything,
            "count": len(found),
            "waiting": waiting,
            "months": _months(at_office, found),
            "counts": counts,
            "stories": _stories(at_office, found, at, done),
        }
        write_lines(output, page(told))
    emit({"report": str(output), "envelopes": len(found), "overdue": overdue, "as_of": utc(at)}, json_=json_, output=output)


report.epilog = command_epilog(
    "valiza register report --home kz -o register.html",
    "valiza register report --home kz --number 2026 --with BY -o 2026.html",
)


def _waiting(one: Standing, at: int) -> Facts:
    return {
        **standing_facts(one),
        "other": None if one.other is None else str(one.other),
        "late": one.days_late(at),
        "left": 0 if one.due is None else max(0, (one.due - at) // DAY),
    }


def _months(office: Office, found: Sequence[Standing]) -> dict[str, dict[str, int]]:
    """What was sent, delivered, received and confirmed in each month, the first one first."""
    from valiza.register.store import Query

    entered = {one.state.dispatch_digest: one.state for one in found}
    counted: Counter[tuple[str, str]] = Counter()
    for state in entered.values():
        counted[utc(state.since)[:7], "sent" if state.direction == "out" else "received"] += 1
    for entry in office.journal.store.facts(Query(kinds=("receipt",))):
        if entry.dispatch_digest in entered and entry.note in {"delivered", "countersigned"}:
            counted[utc(entry.at)[:7], "delivered" if entry.note == "delivered" else "confirmed"] += 1
    names = sorted({month for month, _ in counted})
    return {month: {what: counted[month, what] for what in ("sent", "delivered", "received", "confirmed")} for month in names}


def _stories(office: Office, found: Sequence[Standing], at: int, done: Callable[[int], None]) -> Iterator[Facts]:
    from valiza.office.telling import tell_story

    for one in found:
        story = tell_story(office, one.state.dispatch_digest, at)
        facts = story_facts(story, profile_of(office, one), at)
        people = story_people(story, facts)
        yield {
            **{key: facts[key] for key in ("number", "envelope_id", "dispatch", "verdict", "direction", "since")},
            "other": None if one.other is None else str(one.other),
            "facts": {key.replace("_", " "): ", ".join(item) if isinstance(item, list) else item for key, item in people.items() if key != "entries"},
            "entries": [(utc(told.entry.at), told.words) for told in story.told],
        }
        done(1)
