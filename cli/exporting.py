"""The command that writes the register down for other programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from valiza.cli.following import standing_facts, wanted, wanted_options
from valiza.cli.options import as_json, command_epilog, home_option, now, open_office, output, require_output
from valiza.cli.render import emit, utc

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from valiza.cli.render import Facts
    from valiza.office.following import Wanted
    from valiza.office.home import Office
    from valiza.register.store import Chained

__all__ = ["export"]

# The columns of CSV, which are the fields of a line of JSON Lines. They are documented in docs/json.md.
ENTRY: Final = (
    *("entry", "at", "kind", "direction", "number", "agreement", "agreement_id", "place", "origin", "envelope_id", "dispatch", "note"),
    *("statement_digest", "leaf_hash", "link"),
)
STATE: Final = (
    *("number", "direction", "verdict", "waits_for", "due", "agreement", "agreement_id", "origin", "destination", "since", "changed"),
    *("envelope_id", "dispatch"),
)


@click.command(short_help="Write entries or envelopes to a file for other programs.")
@click.option("--format", "form", type=click.Choice(["jsonl", "csv"]), required=True, help="JSON Lines, or CSV.")
@click.option("--states", is_flag=True, help="A line for each envelope and where it stands, and not for each entry.")
@wanted_options
@output("The lines, in UTF-8")
@home_option
@as_json
def export(form: str, states: bool, output: Path, home: Path | None, json_: bool, **given: Any) -> None:  # noqa: ANN401 - of `wanted_options`
    """Write every entry of the register to a file, a line each, or those about the envelopes that are asked for.

    Statements are named by their digests, and what the office remembers for itself stays here. In CSV a cell that a spreadsheet would take for a
    formula has an apostrophe before it.
    """
    from valiza.office.exporting import as_lines, write_lines

    require_output(output)
    chosen, at_office = wanted(given), open_office(home)
    rows, fields = (_states(at_office, chosen), STATE) if states else (_entries(at_office, chosen), ENTRY)
    count = 0

    def counted() -> Iterator[Facts]:
        nonlocal count
        for row in rows:
            count += 1
            yield row

    write_lines(output, as_lines(counted(), form, fields))
    emit({"export": str(output), "format": form, "lines": count}, json_=json_, output=output)


export.epilog = command_epilog(
    "valiza register export --home kz --format jsonl -o register.jsonl",
    "valiza register export --home kz --format csv --states --open -o open.csv",
)


def _states(office: Office, chosen: Wanted) -> Iterator[Facts]:
    from valiza.office.following import find_standings

    yield from (standing_facts(one) for one in find_standings(office, chosen, now()))


def _entries(office: Office, chosen: Wanted) -> Iterator[Facts]:
    from valiza.office.exporting import find_entries

    names = {agreement.digest: agreement.profile.id for agreement in office.agreements.all()}
    yield from (_entry_facts(chained, names) for chained in find_entries(office, chosen, now()))


def _entry_facts(chained: Chained, names: dict[bytes, str]) -> Facts:
    from valiza.keys import labels
    from valiza.keys.digests import digest

    entry = chained.entry
    return {
        "entry": entry.seq,
        "at": utc(entry.at),
        "kind": entry.kind,
        "direction": entry.direction,
        "number": entry.number,
        "agreement": entry.agreement.hex(),
        "agreement_id": names.get(entry.agreement),
        "place": entry.place,
        "origin": str(entry.origin),
        "envelope_id": entry.envelope_id.hex() or None,
        "dispatch": entry.dispatch_digest.hex() or None,
        "note": entry.note,
        "statement_digest": digest(labels.DIGEST_STATEMENT, entry.statement).hex() if entry.statement else None,
        "leaf_hash": chained.leaf_hash.hex(),
        "link": chained.link.hex(),
    }
