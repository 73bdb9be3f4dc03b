"""Commands for rosters."""

from __future__ import annotations

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
)
from valiza.cli.render import emit, utc
from valiza.cli.terminal import passphrase_source
from valiza.keys.errors import Unavailable, Usage

if TYPE_CHECKING:
    from pathlib import Path

    from valiza.keys.book import Book

DAY = 86400


@click.group(cls=OrderedGroup)
def roster() -> None:
    """Publish this party's roster, and import the other party's."""


def _roster_facts(shown: Book) -> dict[str, Any]:
    return {
        "party": shown.party,
        "root": shown.root.fingerprint,
        "version": shown.version,
        "issued_at": utc(shown.issued_at),
        "expires_at": utc(shown.expires_at),
        "credentials": len(shown.credentials),
    }


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
    help="A credential issued elsewhere, or a new version of the root, to take in. Repeatable.",
)
@click.option("--validity", type=click.IntRange(1, 3650), default=365, show_default=True, metavar="DAYS", help="Until it expires.")
@home_option
@passphrase_fd
@as_json
def publish(output: Path, add: tuple[Path, ...], validity: int, home: Path | None, passphrase_fd: int | None, json_: bool) -> None:
    """Sign a new version of this party's roster, with every credential issued here, and write it for the other side.

    It takes the key and credential of a roster's signer, which the root issued, and no key of the root.
    """
    from valiza.office.publishing import publish_roster
    from valiza.office.reader import write_object

    require_output(output)
    published = publish_roster(open_office(home, passphrase_source(passphrase_fd)), at=now(), validity=validity * DAY, add=add)
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
@click.option(
    "--root",
    metavar="FINGERPRINT",
    help="The fingerprint of that party's root, as you compared it: all 64 digits or all 26 words. Needed the first time.",
)
@home_option
@as_json
def import_(file: Path, root: str | None, home: Path | None, json_: bool) -> None:
    """Import the roster of the other party. It never goes back to an older one."""
    from valiza.keys.fingerprint import parse_fingerprint
    from valiza.office.trusting import import_roster

    with typed("--root"):
        fingerprint = None if root is None else parse_fingerprint(root)
    imported, new = import_roster(open_office(home), file, fingerprint, at=now())
    emit({"imported": new, **_roster_facts(imported)}, json_=json_)


@roster.command("show", short_help="Show the rosters in force here.", epilog=command_epilog("valiza roster show --home kz"))
@home_option
@as_json
def show_rosters(home: Path | None, json_: bool) -> None:
    """Show the roster of each party that is in force here."""
    rosters = open_office(home).trust.rosters
    emit({name: _roster_facts(shown) for name, shown in rosters.items()}, json_=json_)
