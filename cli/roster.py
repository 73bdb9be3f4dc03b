"""Commands for rosters."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import click

from valiza.cli.options import (
    STATEMENT,
    OrderedGroup,
    as_json,
    command_epilog,
    home_option,
    now,
    open_office,
    output,
    passphrase_fd,
    require_output,
    typed,
    yes_option,
)
from valiza.cli.people import agreed
from valiza.cli.render import credential_facts, designation_facts, emit, revocation_facts, revoked_people, tell, utc
from valiza.cli.terminal import passphrase_source, terminal_present
from valiza.keys.errors import Refused, Unavailable, Usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from valiza.keys.book import Book
    from valiza.keys.credential import Credential
    from valiza.office.home import Office
    from valiza.office.trusting import Import

DAY = 86400
_MOST_LINES = 100

_fingerprint_option = click.option(
    "--root",
    metavar="FINGERPRINT",
    help="The fingerprint of that party's root, as you compared it: all 64 digits or all 26 words. Needed the first time.",
)


@click.group(cls=OrderedGroup)
def roster() -> None:
    """Publish this party's roster; compare the other party's, and import it."""


def _roster_facts(shown: Book) -> dict[str, Any]:
    return {
        "party": shown.party,
        "root": shown.root.fingerprint,
        "version": shown.version,
        "issued_at": utc(shown.issued_at),
        "expires_at": utc(shown.expires_at),
        "credentials": len(shown.credentials),
        "revocations": len(shown.revocations),
        "designations": len(shown.designations),
    }


def _changes(planned: Import) -> dict[str, Any]:
    """What an import would change."""
    new, added = planned.roster, planned.difference
    known: Book | None = planned.known if planned.new else new
    return {
        "known": None if known is None else {"version": known.version, "issued_at": utc(known.issued_at), "expires_at": utc(known.expires_at)},
        "roots": [{"version": root.version, "root": root.fingerprint} for root in added.roots],
        "credentials": [credential_facts(one) for one in added.credentials],
        "revocations": [{**revocation_facts(one), "of": credential_facts(new.credentials[one.credential])} for one in added.revocations],
        "designations": [designation_facts(one) for one in added.designations],
    }


def _people(planned: Import, facts: dict[str, Any]) -> dict[str, Any]:
    """The same for people: a line each."""
    added, known = planned.difference, facts["changes"]["known"]
    revoked = revoked_people((one, planned.roster.credentials[one.credential]) for one in added.revocations)
    return {
        **{key: item for key, item in facts.items() if key != "changes"},
        "known so far": f"version {known['version']}, issued {known['issued_at']}, expires {known['expires_at']}" if known else "nothing",
        "new versions of the root": {str(root.version): root.fingerprint for root in added.roots},
        "revoked": _first(revoked),
        "designated": [str(one) for one in added.designations],
        "new credentials": _first(_by_person(added.credentials)),
    }


def _first(told: Mapping[str, str]) -> dict[str, str]:
    """As many as people read; --json has all."""
    shown = dict(itertools.islice(told.items(), _MOST_LINES))
    return shown if len(told) <= _MOST_LINES else {**shown, f"and {len(told) - _MOST_LINES} more": "--json shows all"}


def _by_person(credentials: Iterable[Credential]) -> dict[str, str]:
    """Persons and bodies, each with what they are certified for."""
    found: dict[tuple[str, str], list[str]] = {}
    for one in credentials:
        rest = f"clearance {one.clearance or 'none'}, until {utc(one.valid_until)[:10]}"
        found.setdefault((f"{one.title}, {one.body}", rest), []).append(one.purpose)
    told: dict[str, list[str]] = {}
    for (who, rest), purposes in found.items():
        told.setdefault(who, []).append(f"{', '.join(sorted(purposes))}; {rest}")
    return {who: "; ".join(each) for who, each in told.items()}


@roster.command(
    "publish",
    short_help="Sign a new roster of this party.",
    epilog=command_epilog("valiza roster publish --home kz -o KZ.roster.vls", "valiza roster publish --add KZ.root-2.vls --home kz -o KZ.roster.vls"),
)
@output("The new roster")
@click.option(
    "--add",
    type=STATEMENT,
    multiple=True,
    metavar="FILE",
    help="A credential, revocation or designation signed elsewhere, or a new version of the root, to take in. Repeatable.",
)
@click.option("--validity", type=click.IntRange(1, 400), default=365, show_default=True, metavar="DAYS", help="Until it expires.")
@click.option(
    "--version",
    type=click.IntRange(1, 2**63 - 1),
    metavar="NUMBER",
    help="Its version, at most 1,000 above the last, to go past what a thief of the roster key published; without it the next one.",
)
@home_option
@passphrase_fd
@as_json
def publish(
    output: Path, add: tuple[Path, ...], validity: int, version: int | None, home: Path | None, passphrase_fd: int | None, json_: bool
) -> None:
    """Sign a new version of this party's roster, with every credential issued and revocation signed here, and write it for the other side.

    It takes the key and credential of a roster's signer, which the root issued, and no key of the root.
    """
    from valiza.office.publishing import publish_roster
    from valiza.office.reader import write_object

    require_output(output)
    published = publish_roster(open_office(home, passphrase_source(passphrase_fd)), at=now(), validity=validity * DAY, add=add, version=version)
    try:
        write_object(output, published.raw)
    except Unavailable as error:
        raise Unavailable(error.message, "the roster is in force here; write it with: valiza roster export -o FILE") from error
    emit({"roster": str(output), **_roster_facts(published)}, json_=json_, output=output)


@roster.command(
    "export", short_help="Write the roster in force here to a file.", epilog=command_epilog("valiza roster export --home kz -o KZ.roster.vls")
)
@output("The roster")
@click.option("--party", metavar="ID", help="Whose roster; without it this party's.")
@home_option
@as_json
def export(output: Path, party: str | None, home: Path | None, json_: bool) -> None:
    """Write a roster that is in force here to a file, as it was signed."""
    from valiza.office.reader import write_object

    at_office = open_office(home)
    wanted = party or at_office.body.party
    found = at_office.trust.rosters.get(wanted)
    if found is None:
        message = f"no roster of {wanted!r} is known here"
        raise Usage(message, f"known: {', '.join(at_office.trust.rosters)}")
    write_object(output, found.raw)
    emit({"roster": str(output), **_roster_facts(found)}, json_=json_, output=output)


@roster.command(
    "import",
    short_help="Import the other party's roster.",
    epilog=command_epilog("valiza roster import BY.roster.vls --home kz --root 3f5a…", "valiza roster import BY.roster-2.vls --home kz"),
)
@click.argument("file", type=STATEMENT)
@_fingerprint_option
@yes_option("Import without asking.")
@home_option
@as_json
def import_(file: Path, root: str | None, yes: bool, home: Path | None, json_: bool) -> None:
    """Show what a roster changes, and import it. It never goes back to an older one, drops nothing, and has not expired.

    Somebody at a terminal is asked first. Elsewhere nobody is: the fingerprint of the root was compared when it was pinned.
    """
    from valiza.office.trusting import finish_import

    at_office = open_office(home)
    planned = _plan(at_office, file, root)
    facts = {"imported": planned.new, **_roster_facts(planned.roster), "changes": _changes(planned)}
    people = _people(planned, facts)
    if planned.new and not agreed("Import this?", yes, lambda: tell(people, "to be imported:")):
        message = "not confirmed: nothing was imported"
        raise Refused(message)
    finish_import(at_office, planned, at=now())
    emit(facts, json_=json_, people={"imported": planned.new, **_roster_facts(planned.roster)} if terminal_present() else people)


@roster.command(
    "diff",
    short_help="Show what a roster would change here.",
    epilog=command_epilog("valiza roster diff BY.roster-2.vls --home kz", "valiza roster diff BY.roster.vls --home kz --root 3f5a…"),
)
@click.argument("file", type=STATEMENT)
@_fingerprint_option
@home_option
@as_json
def diff(file: Path, root: str | None, home: Path | None, json_: bool) -> None:
    """Show what importing FILE would change here: new credentials, revocations, designations, versions of the root.

    What would not be imported is refused likewise.
    """
    planned = _plan(open_office(home), file, root)
    facts = {"new": planned.new, **_roster_facts(planned.roster), "changes": _changes(planned)}
    emit(facts, json_=json_, people=_people(planned, facts))


def _plan(at_office: Office, file: Path, root: str | None) -> Import:
    from valiza.keys.fingerprint import parse_fingerprint
    from valiza.office.trusting import plan_import

    with typed("--root"):
        fingerprint = None if root is None else parse_fingerprint(root)
    return plan_import(at_office, file, fingerprint, at=now())


@roster.command("show", short_help="Show the rosters in force here.", epilog=command_epilog("valiza roster show --home kz"))
@home_option
@as_json
def show_rosters(home: Path | None, json_: bool) -> None:
    """Show the roster of each party that is in force here."""
    rosters = open_office(home).trust.rosters
    emit({name: _roster_facts(shown) for name, shown in rosters.items()}, json_=json_)
