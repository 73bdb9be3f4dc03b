"""Commands for designations: designation make, designation list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from valiza.cli.options import (
    FILE,
    STATEMENT,
    OrderedGroup,
    Text,
    as_json,
    command_epilog,
    home_option,
    now,
    open_office,
    parse_time,
    passphrase_fd,
    require_output,
    typed,
    yes_option,
)
from valiza.cli.people import agreed, books_of, by_root, custodian_option, parse_names
from valiza.cli.render import designation_facts, emit, still_needed, tell, unfinished_facts
from valiza.cli.terminal import passphrase_source, say
from valiza.keys.designation import DESIGNATED
from valiza.keys.errors import Refused

if TYPE_CHECKING:
    from pathlib import Path

    from valiza.office.designating import Wish


@click.group(cls=OrderedGroup)
def designation() -> None:
    """Designations: which bodies of a party are competent, or confirm receipt, besides those that its agreements name (A3)."""


@designation.command(
    "make",
    short_help="Name a competent or confirming body of this party.",
    epilog=command_epilog(
        "valiza designation make KZ-NSC --role competent --replaces KZ-KNB --effective 2027-01-01T00:00:00Z --by-root --home kz -o nsc.vls",
        "valiza designation make KZ-NSC --role competent --name 'en=Committee' --root KZ.roster.vls --key aliya/custodian.key -o nsc.1.vls",
        "valiza roster publish --add nsc.vls --home kz -o KZ.roster-2.vls",
    ),
)
@click.argument("body", type=Text(), metavar="BODY")
@click.option("--role", type=click.Choice(DESIGNATED), required=True, help="What it is named for.")
@click.option("--name", "name", type=Text(), multiple=True, metavar="LANG=TEXT", help="Its name; without it that of its credential. Repeatable.")
@click.option("--replaces", type=Text(), metavar="BODY", help="In whose place. Where that one has no such role, nothing changes.")
@click.option("--effective", metavar="TIME", help="From when on, for example 2027-01-01T00:00:00Z; without it from now on.")
@click.option("--until", metavar="TIME", help="Up to when; without it without end.")
@click.option("--by-root", "in_office", is_flag=True, help="Sign with the key of the root in this office. A custodian gives his key with --key.")
@custodian_option()
@click.option("--root", "roster", type=STATEMENT, metavar="FILE", help="The party's latest roster, for a custodian who has no office.")
@click.option("--number", type=click.IntRange(1), metavar="N", help="Its number, if others wait to be published.")
@click.option("-o", "--output", "output", type=FILE, required=True, metavar="FILE", help="The designation; it must not exist.")
@yes_option("Designate without asking.")
@home_option
@passphrase_fd
@as_json
def make(
    body: str,
    role: str,
    name: tuple[str, ...],
    replaces: str | None,
    effective: str | None,
    until: str | None,
    in_office: bool,
    key: Path | None,
    roster: Path | None,
    number: int | None,
    output: Path,
    yes: bool,
    home: Path | None,
    passphrase_fd: int | None,
    json_: bool,
) -> None:
    """Say that BODY of this party is competent, or confirms receipt: besides the others, or in the place of one of them.

    A quorum of the root's custodians signs it, one after the other; the office that publishes takes it in with `roster publish --add`. It counts for
    who has imported that roster; say it in time. To end it, name the body that takes its place.
    """
    from valiza.keys import fields
    from valiza.office.designating import Wish, designate, names_of
    from valiza.office.reader import write_object

    require_output(output)
    source = passphrase_source(passphrase_fd)
    at_office = None if roster is not None else open_office(home, source)
    book, signer = by_root(at_office, source, in_office=in_office, key=key, roster=roster)
    with typed("BODY"):
        body_id = fields.body_id(body.removeprefix(f"{book.party}/"), "body id")
    with typed("--replaces"):
        replaced = None if replaces is None else fields.body_id(replaces.removeprefix(f"{book.party}/"), "body id")
    wish = Wish(
        body_id=body_id,
        names=parse_names(name, "") if name else names_of(book, body_id),
        role=role,
        effective_from=None if effective is None else parse_time(effective),
        effective_until=None if until is None else parse_time(until),
        replaces=replaced,
    )
    if not agreed("Designate it?", yes, lambda: tell(_told(book.party, wish), "to be designated:")):
        message = "not confirmed: nothing was designated"
        raise Refused(message)
    begun = designate(book, wish, signer(), number=number, at=now())
    write_object(output, begun.statement.raw)
    facts = {"statement": str(output), **unfinished_facts(begun)}
    people = {"statement": str(output), "says": str(begun.says), "complete": begun.complete, "still needed": still_needed(begun)}
    emit(facts, json_=json_, people=people, output=output)


def _told(party: str, wish: Wish) -> dict[str, Any]:
    from valiza.keys.fields import utc

    return {
        "body": f"{party}/{wish.body_id}",
        "names": dict(wish.names),
        "role": wish.role,
        "in place of": "nobody: besides the others" if wish.replaces is None else f"{party}/{wish.replaces}",
        "from": "now" if wish.effective_from is None else utc(wish.effective_from),
        "until": "without end" if wish.effective_until is None else utc(wish.effective_until),
    }


@designation.command(
    "list",
    short_help="List the designations that are known here, and who has which role now.",
    epilog=command_epilog("valiza designation list --home kz", "valiza designation list --party BY --home kz --json"),
)
@click.option("--party", metavar="ID", help="Only those of this party.")
@home_option
@as_json
def list_designations(party: str | None, home: Path | None, json_: bool) -> None:
    """List what every roster known here designates; and, for each agreement adopted here, which bodies have which role now."""
    from valiza.office.designating import roles_at

    at_office = open_office(home)
    found = [one for book in books_of(at_office, party) for one in book.designations]
    roles = roles_at(at_office, now(), party)
    emit(
        {"designations": [designation_facts(one) for one in found], "now": roles},
        json_=json_,
        people={"designations": [str(one) for one in found], "now": roles},
    )
    if not found and not json_:
        say("valiza: nothing is designated: the agreements tell all")
