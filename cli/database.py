"""Commands for the administrator of a database that keeps a register: make its tables, and say who may do what."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from valiza.cli.options import Text, as_json, command_epilog, home_option, open_office
from valiza.cli.register import register
from valiza.cli.render import emit
from valiza.cli.terminal import print_result, quoted, say
from valiza.keys.errors import Usage

if TYPE_CHECKING:
    from pathlib import Path


def _address(given: str | None, home: Path | None) -> str:
    """The address on the command line, or the one of the office.

    Raises:
        Usage: neither names one.
    """
    if given is not None:
        return given
    found = os.environ.get("VALIZA_REGISTER") if home is None else open_office(home).register_address
    if not found:
        message = "the address of a register in a database is missing"
        raise Usage(message, "name one: postgresql://USER@HOST/DATABASE; or an office whose office.toml says register = …")
    return found


@register.command(
    "migrate",
    short_help="Make the tables of a register in a database.",
    epilog=command_epilog("valiza register migrate postgresql://owner@db.mfa.example/register"),
)
@click.argument("address", type=Text(), required=False, metavar="[ADDRESS]")
@home_option
@as_json
def migrate(address: str | None, home: Path | None, json_: bool) -> None:
    """Make the tables of a register in a PostgreSQL database, or bring them to the version that this program knows; as the owner of the database.

    The address is that on the command line, or that of an office. It holds no password: that comes from ~/.pgpass, or from the file that
    ?passfile=FILE names. Nothing that was entered is changed, and what is up to date stays as it is.
    """
    from valiza.register.connecting import migrate as migrate_database

    where = _address(address, home)
    done = migrate_database(where)
    if json_:
        emit({"register": where, "migrated_to": done}, json_=True)
        return
    say(f"the register {quoted(where)} is now of version {done[-1]}" if done else f"the register {quoted(where)} was up to date")


@register.command(
    "roles",
    short_help="Print the script that makes the roles of a database.",
    epilog=command_epilog("valiza register roles postgresql://owner@db.mfa.example/register > roles.sql"),
)
@click.argument("address", type=Text(), required=False, metavar="[ADDRESS]")
@click.option("--gateway", type=Text(), default="valiza_gateway", show_default=True, metavar="ROLE", help="The role that reads and appends.")
@click.option("--office", type=Text(), default="valiza_office", show_default=True, metavar="ROLE", help="The role of offices that seal, too.")
@home_option
@as_json
def roles(address: str | None, gateway: str, office: str, home: Path | None, json_: bool) -> None:
    """Print a script for psql that makes the roles by which programs use a register in a database. It asks no database.

    Neither role owns anything, or can change or remove what was entered.
    """
    from valiza.register.address import parse_address
    from valiza.register.roles import roles as script

    found = parse_address(_address(address, home))
    text = script(found.database, gateway=gateway, office=office)
    if json_:
        emit({"database": found.database, "gateway": gateway, "office": office, "script": text}, json_=True)
        return
    print_result(text.rstrip("\n"))
