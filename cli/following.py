"""Commands that look up in the office's register what there is, where it stands, and what is waited for."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any, Final

import click

from valiza.cli.options import (
    ENVELOPE,
    NameOrFile,
    as_json,
    as_officer,
    command_epilog,
    home_option,
    now,
    offer,
    open_office,
    parse_time,
    passphrase_fd,
)
from valiza.cli.render import emit, in_brief, manifest_facts, stamp_facts, utc
from valiza.cli.sending import named_envelope
from valiza.cli.terminal import passphrase_source, print_result, safe, say

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from valiza.cli.render import Facts
    from valiza.envelope.profile import Profile
    from valiza.office.following import Standing, Wanted
    from valiza.office.home import Office
    from valiza.office.telling import Person, Story, Told

__all__ = ["STANDINGS", "list_", "profile_of", "show", "standing_facts", "story_facts", "story_people", "waits_for", "wanted", "wanted_options"]

# Every way in which an envelope can stand: the verdicts, and what an incoming one goes through.
STANDINGS: Final = (
    *("announced", "arrived", "opened", "acknowledged", "countersigned", "outstanding", "overdue", "delivered", "refused"),
    *("discrepant", "late", "conflict", "withdrawn"),
)
DAY: Final = 86400
_WIDTH: Final = 100  # characters that a line of the list has at most, where the number is of an ordinary length
_LEAST: Final = 8  # of them for the other side


def wanted_options(command: Any) -> Any:  # noqa: ANN401 - a decorator of click's
    """The options that say which envelopes are wanted; see `wanted`."""
    for option in (
        click.option("--due-within", type=click.IntRange(0, 36500), metavar="DAYS", help="Only what waits and is due in so many days, or overdue."),
        click.option("--open", "waiting", is_flag=True, help="Only what waits for something: a receipt, opening, an answer, a countersignature."),
        click.option("--number", metavar="PATTERN", help="Only numbers like this: a year, the last part, or a pattern with `*`."),
        click.option("--until", metavar="DATE", help="Only envelopes first entered then or before, like 2026-03-31."),
        click.option("--since", metavar="DATE", help="Only envelopes first entered then or later, like 2026-01-01."),
        click.option("--agreement", metavar="ID", shell_complete=offer("agreements"), help="Only envelopes under this agreement, of any version."),
        click.option("--with", "other", metavar="BODY|PARTY", shell_complete=offer("bodies"), help="Only envelopes to and from there."),
        click.option("--verdict", "verdicts", type=click.Choice(STANDINGS), multiple=True, help="Only envelopes that stand so. Repeatable."),
        click.option("--direction", type=click.Choice(["in", "out"]), help="Only incoming, or only outgoing ones."),
    ):
        command = option(command)
    return command


def wanted(given: dict[str, Any]) -> Wanted:
    """Which envelopes are wanted, by what was typed.

    Raises:
        Usage: what was typed is no date.
    """
    from valiza.office.following import Wanted

    until = given["until"]
    whole_day = DAY - 1 if until is not None and re.fullmatch(r"\d{4}-?\d\d-?\d\d", until) else 0
    return Wanted(
        direction=given["direction"],
        verdicts=frozenset(given["verdicts"]),
        other=given["other"],
        agreement=given["agreement"],
        since=None if given["since"] is None else parse_time(given["since"]),
        until=None if until is None else parse_time(until) + whole_day,
        number=given["number"],
        waiting=given["waiting"],
        due_within=None if given["due_within"] is None else given["due_within"] * DAY,
    )


def standing_facts(one: Standing) -> Facts:
    """Where an envelope stands."""
    state = one.state
    return {
        "number": state.number,
        "direction": state.direction,
        "verdict": state.verdict,
        "waits_for": one.waits_for,
        "due": None if one.due is None else utc(one.due),
        "agreement": state.agreement.hex(),
        "agreement_id": one.agreement_id,
        "origin": str(state.origin),
        "destination": None if one.destination is None else str(one.destination),
        "since": utc(state.since),
        "changed": utc(state.changed),
        "envelope_id": state.envelope_id.hex(),
        "dispatch": state.dispatch_digest.hex(),
    }


@click.command("list", short_help="List envelopes and where they stand.")
@wanted_options
@home_option
@as_json
def list_(home: Path | None, json_: bool, **given: Any) -> None:  # noqa: ANN401 - what `wanted_options` takes
    """List the envelopes in this office's register by number: where they stand, the other side, when first entered, when due if they wait."""
    from valiza.office.following import find_standings

    found = find_standings(open_office(home), wanted(given), now())
    if json_:
        emit({"envelopes": [standing_facts(one) for one in found]}, json_=True)
    elif found:
        _table(found)


list_.epilog = command_epilog(
    "valiza register list --home kz --verdict outstanding --verdict overdue",
    "valiza register list --home kz --open --with BY-MFA --due-within 7",
    "valiza register list --home kz --number 2026 --direction in --json",
)


def _table(found: Sequence[Standing]) -> None:
    """A line for each; above them for people at a terminal what the columns are."""
    number = max(24, *(len(safe(one.state.number)) for one in found))
    other = max(_LEAST, min(max(len(str(one.other or "-")) for one in found), _WIDTH - number - 60))
    form = f"{{:{number}}} {{:3}} {{:13}} {{:{other}}} {{:10}} {{:10}} {{}}"
    if sys.stdout is not None and sys.stdout.isatty():
        say(form.format("number", "", "stands", "with", "since", "due", "envelope"))
    lines = []
    for one in found:
        state, side = one.state, str(one.other or "-")
        due = utc(one.due)[:10] if one.due is not None and one.waits_for else ""
        short = side if len(side) <= other else f"{side[: other - 1]}…"
        shown = (safe(state.number) or "-", state.direction, state.verdict, short, utc(state.since)[:10], due, f"{state.envelope_id.hex()[:16]}…")
        lines.append(form.format(*shown))
    print_result("\n".join(lines))


@click.command("show", short_help="Show the whole story of one envelope.")
@click.argument("envelope", type=NameOrFile(), metavar="ENVELOPE|ID", shell_complete=ENVELOPE.offer)
@click.option(
    "--manifest",
    "with_manifest",
    is_flag=True,
    help="Show the manifest of an envelope sealed here too; needs the key of an officer that it was kept for.",
)
@home_option
@as_officer
@passphrase_fd
@as_json
def show(envelope: str, with_manifest: bool, home: Path | None, officer: str | None, passphrase_fd: int | None, json_: bool) -> None:
    """Show the story of an envelope, named by its file, id or number: what it is, each entry in order, and what is waited for until when.

    The statements that the entries keep were verified when they were entered, and are not verified anew.
    """
    from valiza.office.sending import find_dispatch, kept_manifest
    from valiza.office.telling import tell_story

    at, at_office = now(), open_office(home, passphrase_source(passphrase_fd))
    digest = find_dispatch(at_office, named_envelope(envelope))
    story = tell_story(at_office, digest, at)
    facts = story_facts(story, profile_of(at_office, story.standing), at)
    people = story_people(story, facts)
    if with_manifest:
        facts["manifest"] = people["manifest"] = manifest_facts(kept_manifest(at_office, digest, officer), None)
    emit(facts, json_=json_, title=f"{safe(facts['number'] or facts['envelope_id'])}: {facts['verdict']}", people=people)


show.epilog = command_epilog("valiza register show report.vlz --home kz", "valiza register show KZ-MFA/2026/out/17 --home kz --json")


def profile_of(office: Office, one: Standing) -> Profile | None:
    """What the agreement of an envelope says; None if it is not adopted here."""
    return next((known.profile for known in office.agreements.all() if known.digest == one.state.agreement), None)


def story_facts(story: Story, profile: Profile | None, at: int) -> Facts:
    """All that the register knows of an envelope."""
    core = story.core
    return {
        **standing_facts(story.standing),
        "confirming": None if core is None else str(core.confirming),
        "stamp": None if core is None else stamp_facts(core, profile),
        "as_of": utc(at),
        "entries": [_told_facts(one) for one in story.told],
    }


def _told_facts(one: Told) -> Facts:
    entry = one.entry
    return {
        "entry": entry.seq,
        "at": utc(entry.at),
        "kind": entry.kind,
        "direction": entry.direction,
        "number": entry.number,
        "note": f"receipt due {one.says['receipt_due']}" if "receipt_due" in one.says else entry.note,
        "words": one.words,
        "by": None if one.by is None else _person_facts(one.by),
        "says": {key: _person_facts(item) if key == "answered_by" else item for key, item in one.says.items()},
    }


def _person_facts(person: Person) -> Facts:
    return {"name": person.name, "body": person.body, "credential": person.credential.hex()}


def story_people(story: Story, facts: Facts) -> Facts:
    """The same for people: what the envelope is, what it waits for, and the entries in words."""
    stamp = in_brief({"stamp": facts["stamp"] or {}})["stamp"]
    confirmed = f", confirmed by {facts['confirming']}" if facts["confirming"] not in {None, facts["destination"]} else ""
    return {
        "envelope_id": facts["envelope_id"],
        "dispatch": facts["dispatch"],
        "from": facts["origin"],
        "to": facts["destination"] and f"{facts['destination']}{confirmed}",
        "agreement": facts["agreement_id"] or facts["agreement"],
        **{key: item for key, item in stamp.items() if key not in {"closed", "receipt_due"}},
        "waits for": waits_for(story.standing, facts),
        "entries": {f"{utc(one.entry.at)} [{one.entry.seq}]": one.words for one in story.told},
    }


def waits_for(one: Standing, facts: Facts) -> str:
    """What an envelope waits for, and until when, for people."""
    if one.waits_for is None:
        return "nothing"
    what = one.waits_for if one.waits_for == "opening" else f"{'an' if one.waits_for == 'answer' else 'a'} {one.waits_for}"
    return what if facts["due"] is None else f"{what}; the receipt {'was' if facts['due'] < facts['as_of'] else 'is'} due {facts['due']}"
