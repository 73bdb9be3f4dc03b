"""Commands for custodians, who sign for a party's root one after the other: custodian new, custodian sign."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from valiza.cli.external import external_option, given_signers
from valiza.cli.options import (
    STATEMENT,
    OrderedGroup,
    Text,
    as_json,
    command_epilog,
    home_option,
    now,
    output,
    passphrase_fd,
    require_output,
    typed,
    unlock_seconds_option,
    yes_option,
)
from valiza.cli.people import (
    agreed,
    custodian_option,
    new_passphrase,
    parse_names,
    parse_subject,
    public_digest,
    roots_at_hand,
    signing_key,
    warn_unprotected,
)
from valiza.cli.render import emit, request_facts, still_needed, tell, unfinished_facts, unfinished_people
from valiza.cli.terminal import passphrase_source
from valiza.keys.errors import Refused

if TYPE_CHECKING:
    from pathlib import Path


@click.group(cls=OrderedGroup)
def custodian() -> None:
    """Custodians: the persons of whom a quorum speaks for a party. Each has a key of his own, and signs for himself."""


@custodian.command(
    "new",
    short_help="Make a custodian's key, and the request to be one.",
    epilog=command_epilog(
        "valiza custodian new --party KZ --name 'en=Aliya Nur' -o aliya",
        "valiza custodian new --party KZ --name 'en=Aliya Nur' --id 60a33013… -o aliya-2",
    ),
)
@click.option("--party", required=True, metavar="ID", help="The party, for example KZ.")
@click.option("--name", "name", type=Text(), multiple=True, required=True, metavar="LANG=TEXT", help="Your name in a language. Repeatable.")
@click.option("--id", "known", metavar="ID", help="The id that you have as a custodian, if your key is to be replaced. Without it you get a new one.")
@output("A new folder for key and request")
@click.option("--unprotected", is_flag=True, help="Write the key without a passphrase. For tests and demonstrations.")
@external_option
@passphrase_fd
@unlock_seconds_option
@as_json
def new(
    party: str,
    name: tuple[str, ...],
    known: str | None,
    output: Path,
    unprotected: bool,
    external: Path | None,
    passphrase_fd: int | None,
    unlock_seconds: float,
    json_: bool,
) -> None:
    """Make a key in a new folder, and beside it a request, which is signed with it and goes to whoever drafts the root.

    The key stays with you: custodian.key. The request is request.vls; read its words to whoever drafts, so that it cannot be exchanged on the way.
    """
    from valiza.keys import fields
    from valiza.keys.cost import measured_cost
    from valiza.keys.files import new_file, new_folder
    from valiza.keys.keyfile import save_key
    from valiza.office.founding import require_made
    from valiza.office.roots import new_custodian

    with typed("--party"):
        fields.party(party, "party")
    names, subject = parse_names(name, ""), None if known is None else parse_subject(known, "--id")
    require_output(output)
    signers = given_signers(external)
    passphrase = new_passphrase(unprotected, passphrase_fd, passphrase_source(passphrase_fd))
    cost = None if unprotected else measured_cost(unlock_seconds)
    require_made(signers, {(output.absolute().name, "custodian")})
    key, request = new_custodian(party=party, names=names, at=now(), random=os.urandom, custodian=subject, signer=next(iter(signers.values()), None))
    with new_folder(output) as work:
        save_key(work / "custodian.key", key, passphrase=passphrase, random=os.urandom, cost=cost)
        new_file(work / "request.vls", request.raw, 0o644)
    facts = {"folder": str(output), "key": str(output / "custodian.key"), "request": str(output / "request.vls"), **request_facts(request)}
    emit(facts, json_=json_, people={key: facts[key] for key in ("key", "request", "party", "name", "subject", "digits", "words")})
    warn_unprotected(unprotected)


@custodian.command(
    "sign",
    short_help="Add a custodian's signature to what others began.",
    epilog=command_epilog(
        "valiza custodian sign root.1.vls --key aliya/custodian.key -o root.2.vls",
        "valiza custodian sign certify.1.vls --root KZ.root.vls --key aliya/custodian.key -o certify.2.vls",
    ),
)
@click.argument("file", type=STATEMENT)
@custodian_option(required=True)
@click.option(
    "--root",
    "roots",
    type=STATEMENT,
    multiple=True,
    metavar="FILE",
    help="A root in whose name it is signed, or a roster with it; for a new version of a root the one before it. Repeatable.",
)
@output("What was signed")
@yes_option("Sign without asking.")
@home_option
@passphrase_fd
@as_json
def sign(file: Path, key: Path, roots: tuple[Path, ...], output: Path, yes: bool, home: Path | None, passphrase_fd: int | None, json_: bool) -> None:
    """Show what FILE says and who signed it, and add the signature of one more custodian.

    FILE is a root, a credential that a root issues, an agreement or a termination, begun by another custodian. Every signature that it has is
    verified first. When enough have signed, it is complete and needs no more.
    """
    from valiza.keys.files import about
    from valiza.office.quorum import BY_QUORUM, add_signature, read_unfinished, to_sign
    from valiza.office.reader import read_object, write_object

    require_output(output)
    known = roots_at_hand(roots, home)
    with about(file):
        unfinished = read_unfinished(read_object(file, *BY_QUORUM), known)
    names = to_sign(unfinished, public_digest(key), known)
    if not agreed("Sign this?", yes, lambda: tell(unfinished_people(unfinished), "to be signed:")):
        message = "not confirmed: nothing was signed"
        raise Refused(message)
    signed = add_signature(unfinished, signing_key(key, passphrase_source(passphrase_fd)), known)
    write_object(output, signed.statement.raw)
    facts = {
        "statement": str(output),
        "signed_for": [{"party": root.party, "version": root.version} for root in names],
        **unfinished_facts(signed),
    }
    people = {"statement": str(output), "type": facts["type"], "complete": signed.complete, "still_needed": still_needed(signed)}
    emit(facts, json_=json_, people=people, output=output)
