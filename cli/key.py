"""Commands for key files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from valiza.cli.backup import backup, recover
from valiza.cli.external import check, external, show
from valiza.cli.options import OrderedGroup, as_json, command_epilog, home_option, offer, open_office, passphrase_fd, unlock_seconds_option
from valiza.cli.render import emit
from valiza.cli.terminal import ask, new_passphrase, passphrase_source, warn
from valiza.keys.errors import Refused, Usage

if TYPE_CHECKING:
    from pathlib import Path


@click.group(cls=OrderedGroup)
def key() -> None:
    """The key files of this office."""


@key.command(
    "passphrase",
    short_help="Change the passphrase of keys.",
    epilog=command_epilog(
        "valiza key passphrase --as aigul --home kz",
        "valiza key passphrase --all --home kz --passphrase-fd 3 --new-passphrase-fd 4 3< old 4< new",
    ),
)
# Not the usual --as: whose keys are changed is said each time.
@click.option("--as", "whose", metavar="NAME", shell_complete=offer("officers"), help="Whose keys; office for those of the body.")
@click.option("--all", "all_", is_flag=True, help="All keys of this office.")
@click.option("--unprotected", is_flag=True, help="Take the passphrase off. For tests and demonstrations.")
@click.option("--yes", is_flag=True, help="Do not ask before the passphrase is taken off.")
@home_option
@passphrase_fd
@click.option(
    "--new-passphrase-fd",
    type=click.IntRange(0, 2**31 - 1),
    metavar="N",
    help="Read the new passphrase from file descriptor N (or VALIZA_NEW_PASSPHRASE, or a prompt).",
)
@unlock_seconds_option
@as_json
def passphrase(
    whose: str | None,
    all_: bool,
    unprotected: bool,
    yes: bool,
    home: Path | None,
    passphrase_fd: int | None,
    new_passphrase_fd: int | None,
    unlock_seconds: float,
    json_: bool,
) -> None:
    """Write keys anew under another passphrase, in the place of the old files. If one cannot be unlocked, none is changed.

    Copies and backups of the old files keep the old passphrase.
    """
    from valiza.keys.cost import measured_cost
    from valiza.office.keyring import change_passphrase

    if all_ is (whose is not None):
        message = "missing whose keys" if whose is None else "--as and --all exclude each other"
        raise Usage(message, "give --as NAME, or --all")
    if passphrase_fd is not None and passphrase_fd == new_passphrase_fd:
        message = "the old and the new passphrase cannot be read from the same file descriptor"
        raise Usage(message, "give --new-passphrase-fd another one")
    source = passphrase_source(passphrase_fd)
    at_office = open_office(home, source)
    if unprotected and not yes and not ask("Write the keys without a passphrase? Whoever reads the files has them then.", otherwise="--yes"):
        message = "not confirmed: no key was changed"
        raise Refused(message)
    changed = change_passphrase(
        at_office,
        whose,
        source,
        lambda: None if unprotected else new_passphrase(new_passphrase_fd),
        random=os.urandom,
        cost=lambda: measured_cost(unlock_seconds),
    )
    emit(
        {"changed": [{"officer": one.officer, "purpose": one.purpose} for one in changed], "protected": not unprotected},
        json_=json_,
        people={"changed": [f"{one.officer}: {one.purpose}" for one in changed], "protected": not unprotected},
    )
    if unprotected:
        warn("the keys are written without a passphrase: whoever reads the files has them")


for command in (show, check, external, backup, recover):
    key.add_command(command)
