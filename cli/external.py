"""Keys of which a half is kept by another program: how that program is named, and the commands that ask for it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from valiza.cli.options import FILE, PAPER, as_json, command_epilog, home_option, offer, open_office, passphrase_fd
from valiza.cli.render import emit
from valiza.cli.terminal import passphrase_source
from valiza.keys.errors import Usage

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from valiza.keys.external import ExternalSigner
    from valiza.office.keyring import OfficeKey

__all__ = ["check", "external", "external_option", "given_signers", "show"]

external_option = click.option(
    "--external",
    type=PAPER,
    metavar="FILE",
    help="Signing keys whose Ed25519 half another program keeps, such as a bridge to an HSM (TOML; see valiza key external).",
)


_lone_key = click.option("--key", type=FILE, metavar="FILE", help="A key file outside an office, such as a custodian's, in place of --home.")


def given_signers(path: Path | None) -> dict[tuple[str, str], ExternalSigner]:
    """What a file given with --external says, by officer and purpose."""
    from valiza.office.keyring import read_signers

    return {} if path is None else read_signers(path)


def _facts(key: OfficeKey, signer: ExternalSigner | None) -> dict[str, object]:
    return {
        "officer": key.officer,
        "purpose": key.purpose,
        "signer": None if signer is None else {"reference": signer.reference, "command": list(signer.command)},
    }


def _for_people(keys: Iterable[tuple[OfficeKey, ExternalSigner | None, str]]) -> dict[str, dict[str, str]]:
    """Keys by officer and purpose, with what is said of each and who keeps its other half."""
    shown: dict[str, dict[str, str]] = {}
    for key, signer, said in keys:
        half = "" if signer is None else f"; Ed25519 half kept by {signer}, as {signer.reference}"
        shown.setdefault(key.officer, {})[key.purpose] = said + half
    return shown


@click.command("show", short_help="Show the key files.", epilog=command_epilog("valiza key show --home kz"))
@home_option
@as_json
def show(home: Path | None, json_: bool) -> None:
    """Show which keys this office has, whether a passphrase protects them, and which program keeps a half of one. No passphrase is asked for."""
    from valiza.keys.files import about
    from valiza.keys.keyfile import public_part
    from valiza.office.keyring import office_keys

    found = []
    for one in office_keys(open_office(home).home):
        with about(one.path):
            found.append((one, public_part(one.path)))
    emit(
        {"keys": [{**_facts(one, part.signer), "protected": part.protected} for one, part in found]},
        json_=json_,
        people=_for_people((one, part.signer, "passphrase" if part.protected else "no passphrase") for one, part in found),
    )


@click.command(
    "check",
    short_help="Unlock keys, and see whether external signers answer.",
    epilog=command_epilog("valiza key check --as aigul --home kz", "valiza key check --key aliya/custodian.key"),
)
@click.option("--as", "whose", metavar="NAME", shell_complete=offer("officers"), help="Whose keys; office for those of the body. Without it, all.")
@_lone_key
@home_option
@passphrase_fd
@as_json
def check(whose: str | None, key: Path | None, home: Path | None, passphrase_fd: int | None, json_: bool) -> None:
    """Unlock keys, and where another program keeps a half of one, start it and have it sign something that means nothing.

    It stops at the first key that is not as it should be.
    """
    from valiza.office.keyring import check_keys, keys_of, lone_key

    if key is not None and whose is not None:
        message = "--as and --key exclude each other"
        raise Usage(message, "--as NAME is for the keys of an office")
    source = passphrase_source(passphrase_fd)
    chosen = keys_of(open_office(home, source), whose) if key is None else [lone_key(key)]
    checked = check_keys(chosen, source, random=os.urandom)
    emit(
        {"checked": [_facts(one, signer) for one, signer in checked]},
        json_=json_,
        people=_for_people((one, signer, "unlocked" if signer is None else "unlocked, signs") for one, signer in checked),
    )


@click.command(
    "external",
    short_help="Tell where the halves of keys are now.",
    epilog=command_epilog("valiza key external signers.toml --home kz", "valiza key external signers.toml --key aliya/custodian.key"),
)
@click.argument("file", type=PAPER)
@_lone_key
@home_option
@passphrase_fd
@as_json
def external(file: Path, key: Path | None, home: Path | None, passphrase_fd: int | None, json_: bool) -> None:
    """Tell by which program, and under which name, the Ed25519 halves of keys are reached from now on. The keys stay the same.

    FILE has a [[key]] for each: officer, purpose, reference (what the program calls the key) and command (the program and its arguments, an array).
    For a key outside an office, officer is the folder that it is in, and purpose the name of its file without .key. The same form makes keys with an
    external half: --external FILE of office init, credential issue and custodian new.
    """
    from valiza.office.keyring import lone_key, move_signers, office_keys

    source = passphrase_source(passphrase_fd)
    signers = given_signers(file)
    if key is None:
        at = open_office(home, source).home
        keys, folder = office_keys(at), at / "keys"
    else:
        keys, folder = [lone_key(key)], key.absolute().parent
    moved = move_signers(keys, signers, source, folder=folder, random=os.urandom)
    chosen = [(one, signers[one.officer, one.purpose]) for one in moved]
    emit({"changed": [_facts(*one) for one in chosen]}, json_=json_, people=_for_people((*one, "signs") for one in chosen))
