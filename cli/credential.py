"""Commands for credentials."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from valiza.cli.enrolling import accept, grant_options, issue_requested, renew
from valiza.cli.enrolling import request as request_command
from valiza.cli.external import external_option, given_signers
from valiza.cli.options import (
    STATEMENT,
    OrderedGroup,
    Text,
    as_json,
    command_epilog,
    home_option,
    now,
    offer,
    open_office,
    open_reader,
    passphrase_fd,
    trust_options,
    unlock_seconds_option,
    yes_option,
)
from valiza.cli.people import custodian_option, new_passphrase, parse_officer, warn_unprotected
from valiza.cli.render import as_of, credential_facts, emit, revocation_facts
from valiza.cli.terminal import complain, counting, passphrase_source, say
from valiza.keys.errors import Malformed, Refused, Usage

if TYPE_CHECKING:
    from pathlib import Path

DAY = 86400


@click.group(cls=OrderedGroup)
def credential() -> None:
    """Certify officers and bodies; ask for it, accept and renew; show credentials."""


credential.add_command(request_command)


@credential.command(
    "issue",
    short_help="Certify an officer, or a body.",
    epilog=command_epilog(
        "valiza credential issue aigul:seal,open:1 --home kz",
        "valiza credential issue --request aigul.request.vls --clearance 1 --home kz -o aigul",
        "valiza credential issue --request body.request.vls --clearance 1 --root KZ.root.vls --key aliya/custodian.key -o body.1",
    ),
)
@click.argument("officer", type=Text(), required=False, metavar="[NAME:PURPOSE,…[:CLEARANCE[:TEXT]]]")
@grant_options
@click.option(
    "--validity",
    type=click.IntRange(1, 3650),
    metavar="DAYS",
    help="Validity of the credentials: never longer than the issuer's. Without it 1825, or as far as the issuer's goes.",
)
@custodian_option()
@click.option("--root", "roots", type=STATEMENT, multiple=True, metavar="FILE", help="With --key: the party's root, or its roster. Repeatable.")
@click.option("-o", "--output", "output", type=STATEMENT, metavar="PATH", help="With --request: a new folder for the credentials.")
@yes_option("With --request: issue without asking.")
@click.option("--unprotected", is_flag=True, help="Write keys without a passphrase. For tests and demonstrations.")
@external_option
@home_option
@passphrase_fd
@unlock_seconds_option
@as_json
def issue(
    officer: str | None,
    request: Path | None,
    purposes: str | None,
    clearance: str | None,
    begin: str | None,
    certifies_bodies: bool,
    lost: bool,
    validity: int | None,
    key: Path | None,
    roots: tuple[Path, ...],
    output: Path | None,
    yes: bool,
    unprotected: bool,
    external: Path | None,
    home: Path | None,
    passphrase_fd: int | None,
    unlock_seconds: float,
    json_: bool,
) -> None:
    """Make keys and credentials for an officer of this office; or with --request certify keys that somebody made and keeps himself.

    On a request the body of the office issues, for its officers, or for other bodies if it may certify them; with --key and --root a custodian
    issues in the name of the root, and others sign it after him. Nothing is given that was not asked for, or that the issuer may not give.
    Credentials count once a roster with them is published and imported.
    """
    from valiza.keys.cost import measured_cost
    from valiza.office.founding import certify_officer

    if (officer is None) is (request is None):
        message = "missing whom to certify" if officer is None else "an officer and --request exclude each other"
        raise Usage(message, "write it as NAME:PURPOSE,…, for example aigul:seal,open:1; or give --request FILE")
    if request is not None:
        if unprotected or external is not None:
            message = "on a request no keys are made here"
            raise Usage(message, "leave --unprotected and --external out")
        issue_requested(
            request,
            purposes=purposes,
            clearance=clearance,
            begin=begin,
            validity=validity,
            certifies_bodies=certifies_bodies,
            lost=lost,
            roots=roots,
            key=key,
            output=output,
            yes=yes,
            home=home,
            passphrase_fd=passphrase_fd,
            json_=json_,
        )
        return
    given = {"--purpose": purposes, "--clearance": clearance, "--from": begin, "--key": key, "-o": output}
    unfit = [option for option, value in given.items() if value is not None]
    unfit += [option for option, value in {"--certifies-bodies": certifies_bodies, "--lost": lost, "--root": roots, "--yes": yes}.items() if value]
    if unfit or officer is None:
        message = f"{', '.join(unfit)}: only with --request"
        raise Usage(message, "what an officer gets is written NAME:PURPOSE,…[:CLEARANCE[:TEXT]]")
    wanted = parse_officer(officer)
    if not wanted.purposes:
        message = f"{officer!r} names no purpose"
        raise Usage(message, "write it as NAME:PURPOSE,…, for example aigul:seal,open:1")
    signers = given_signers(external)
    source = passphrase_source(passphrase_fd)
    at_office = open_office(home, source)
    passphrase = new_passphrase(unprotected, passphrase_fd, source)
    cost = None if unprotected else measured_cost(unlock_seconds)
    issued = certify_officer(
        at_office, wanted, at=now(), validity=(validity or 1825) * DAY, random=os.urandom, passphrase=passphrase, cost=cost, signers=signers
    )
    emit({"issued": [credential_facts(c) for c in issued]}, json_=json_)
    warn_unprotected(unprotected)
    say("valiza: publish a roster with it: valiza roster publish -o FILE")


credential.add_command(accept)
credential.add_command(renew)


@credential.command(
    "verify",
    short_help="Verify a credential.",
    epilog=command_epilog("valiza credential verify seal.vls --home by", "valiza credential verify seal.vls --root 3f5a… --roster KZ.vls"),
)
@click.argument("file", type=STATEMENT)
@trust_options
@home_option
@as_json
def verify_credential(
    file: Path, roots: tuple[str, ...], rosters: tuple[Path, ...], agreements: tuple[Path, ...], home: Path | None, json_: bool
) -> int:
    """Verify a credential up to a pinned root: who issued it, for what, to whom, until when; and whether it counts now.

    It counts if a roster known here has it, it has begun and not ended, and nothing that is revoked takes it away. Otherwise the exit status is 6;
    the result is printed all the same.
    """
    from valiza.keys import labels
    from valiza.keys.files import about
    from valiza.office.reader import read_object

    reader = open_reader(home, roots, rosters, agreements, needs_agreement=False)
    with about(file, Malformed):
        checked = reader.trust.check(read_object(file, labels.CREDENTIAL))
    history = reader.trust.history(checked)
    facts = {
        "verified": credential_facts(checked),
        "in_roster": reader.trust.knows(checked),
        "valid_now": checked.valid_from <= now() < checked.valid_until,
        "in_force_now": reader.trust.in_force(checked, now()),
        "revoked": [revocation_facts(one) for one in history.all],
        "roster_as_of": as_of(reader.trust, [checked.body.party], now()),
    }
    emit(facts, json_=json_, people={**facts, "revoked": [str(one) for one in history.all]})
    try:
        reader.trust.require_counting(checked, now())
    except Refused as error:
        complain(error.message, error.hint)
        return error.exit_code
    return 0


@credential.command(
    "list",
    short_help="List the credentials that are trusted here.",
    epilog=command_epilog("valiza credential list --home kz", "valiza credential list --body BY-MFA --purpose open --home kz"),
)
@click.option("--body", metavar="BODY", shell_complete=offer("bodies"), help="Only those of this body, for example BY-MFA.")
@click.option("--purpose", metavar="PURPOSE", help="Only those for this purpose, for example open.")
@home_option
@as_json
def list_credentials(home: Path | None, body: str | None, purpose: str | None, json_: bool) -> None:
    """List the credentials of all rosters imported here."""
    from valiza.keys.credential import PURPOSES

    if purpose not in {None, *PURPOSES}:
        message = f"{purpose!r} is no purpose of a credential"
        raise Usage(message, f"one of: {', '.join(PURPOSES)}")
    rosters = open_office(home).trust.rosters
    wanted = {
        name: [o.digest for o in roster.outlines if body in {None, o.body.id, str(o.body)} and purpose in {None, o.purpose}]
        for name, roster in rosters.items()
    }
    facts: dict[str, list[dict[str, Any]]] = {name: [] for name in rosters}
    with counting("checking credentials", sum(map(len, wanted.values()))) as advance:
        for name, digests in wanted.items():
            for digest in digests:
                facts[name].append(credential_facts(rosters[name].credentials[digest]))
                advance(1)
    emit(facts, json_=json_)
