"""Commands for the office itself."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from valiza.cli.enrolling import join
from valiza.cli.external import external_option, given_signers
from valiza.cli.options import (
    FOLDER,
    OrderedGroup,
    Text,
    as_json,
    command_epilog,
    home_option,
    now,
    open_office,
    passphrase_fd,
    require_output,
    typed,
    unlock_seconds_option,
)
from valiza.cli.people import new_passphrase, parse_names, parse_officer, warn_unprotected
from valiza.cli.render import show_office
from valiza.cli.terminal import passphrase_source
from valiza.keys.errors import Usage

if TYPE_CHECKING:
    from pathlib import Path

DAY = 86400


@click.group(cls=OrderedGroup)
def office() -> None:
    """Make and show an office: the folder with one body's keys, credentials, agreements and register."""


@office.command(
    "init",
    short_help="Make a working office in one step.",
    epilog=command_epilog(
        "valiza office init kz --party KZ --body KZ-MFA --degrees 1,2,3 \\",
        "    --officer aigul:seal,open:1 --officer clerk:",
        "valiza office init kz-archive --party KZ --body KZ-ARCHIVE --root-office kz",
    ),
)
@click.argument("home", type=FOLDER)
@click.option("--party", required=True, metavar="ID", help="The party, for example KZ.")
@click.option("--body", required=True, metavar="ID", help="The body, for example KZ-MFA.")
@click.option("--degrees", metavar="CODE,…", help="The party's degrees of secrecy, the most secret first. Not with --root-office.")
@click.option("--name", "name", type=Text(), multiple=True, metavar="LANG=TEXT", help="The body's name in a language. Repeatable.")
@click.option(
    "--officer",
    "officers",
    type=Text(),
    multiple=True,
    metavar="NAME:PURPOSE,…[:CLEARANCE[:TEXT]]",
    help="An officer with purposes (seal, open, acknowledge, countersign, transport, register, act), clearance and name. Repeatable.",
)
@click.option("--root-office", type=FOLDER, metavar="DIR", help="The office that keeps the party's root, when this body is not the party's first.")
@click.option("--validity", type=click.IntRange(1, 3650), default=1825, show_default=True, metavar="DAYS", help="Validity of the credentials.")
@click.option("--roster-validity", type=click.IntRange(1, 400), default=365, show_default=True, metavar="DAYS", help="Validity of the roster.")
@click.option("--unprotected", is_flag=True, help="Write keys without a passphrase. For tests and demonstrations.")
@external_option
@passphrase_fd
@unlock_seconds_option
@as_json
def init(
    home: Path,
    party: str,
    body: str,
    degrees: str | None,
    name: tuple[str, ...],
    officers: tuple[str, ...],
    root_office: Path | None,
    validity: int,
    roster_validity: int,
    unprotected: bool,
    external: Path | None,
    passphrase_fd: int | None,
    unlock_seconds: float,
    json_: bool,
) -> None:
    """Make the folder HOME with keys and credentials of a body and its officers, and the party's roster.

    The root made here has one custodian, who is this office. Compare its fingerprint with the other side by a way that you both trust.
    """
    from valiza.keys import fields
    from valiza.keys.cost import measured_cost
    from valiza.office.founding import Founding, found_office

    if root_office is None and not degrees:
        message = "the party's degrees are missing"
        raise Usage(message, "give --degrees CODE,…, the most secret first")
    require_output(home)
    signers = given_signers(external)
    source = passphrase_source(passphrase_fd)
    passphrase = new_passphrase(unprotected, passphrase_fd, source)
    root = open_office(root_office, source) if root_office is not None else None
    codes = tuple(degrees.split(",")) if degrees else ()
    with typed("--degrees"):
        for code in codes:
            fields.code(code, f"degree {code!r}")
    if len(set(codes)) != len(codes):
        message = "a degree stands twice in --degrees"
        raise Usage(message)
    with typed("--party, --body"):
        at_body = fields.Body(fields.party(party, "party"), fields.body_id(body, "body"))
    founding = Founding(
        body=at_body,
        names=parse_names(name, body),
        degrees=codes,
        officers=tuple(parse_officer(text) for text in officers),
        validity=validity * DAY,
        roster_validity=roster_validity * DAY,
        passphrase=passphrase,
        cost=None if unprotected else measured_cost(unlock_seconds),
        signers=signers,
    )
    made = found_office(home, founding, at=now(), random=os.urandom, root_office=root)
    show_office(str(home), made, json_=json_)
    warn_unprotected(unprotected)


office.add_command(join)


@office.command("show", short_help="Show an office.", epilog=command_epilog("valiza office show --home kz"))
@home_option
@as_json
def show(home: Path | None, json_: bool) -> None:
    """Show an office: body, pinned roots, roster, officers, agreements."""
    show_office(str(home), open_office(home), json_=json_)
