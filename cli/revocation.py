"""Commands for revocations: revocation make, revocation list."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from valiza.cli.options import (
    FILE,
    STATEMENT,
    NameOrFile,
    OrderedGroup,
    as_json,
    command_epilog,
    home_option,
    now,
    open_office,
    parse_time,
    passphrase_fd,
    require_output,
    yes_option,
)
from valiza.cli.people import agreed, books_of, by_root, custodian_option
from valiza.cli.render import credential_facts, emit, revocation_facts, revoked_people, still_needed, tell, unfinished_facts
from valiza.cli.terminal import passphrase_source, say
from valiza.keys.errors import Refused, Unavailable, Usage
from valiza.keys.revocation import KINDS, REASONS, Revocation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from valiza.keys.book import Book
    from valiza.keys.credential import Credential
    from valiza.keys.statement import Signer
    from valiza.office.home import Office
    from valiza.office.revoking import Order


@click.group(cls=OrderedGroup)
def revocation() -> None:
    """Revocations: that a credential counts no longer, or for a while not, or again. They count once a roster with them is imported."""


@revocation.command(
    "make",
    short_help="Suspend, restore or retire credentials, or tell that a key is compromised.",
    epilog=command_epilog(
        "valiza revocation make aigul --kind retired --reason left --home kz",
        "valiza revocation make aigul:seal --kind compromised --reason stolen --effective 2026-11-20T00:00:00Z --home kz -o seal.vls",
        "valiza revocation make mod.certify.vls --kind retired --reason closed --root KZ.roster.vls --key aliya/custodian.key -o mod.1.vls",
        "valiza roster publish --home kz -o KZ.roster-2.vls",
    ),
)
@click.argument("credentials", type=NameOrFile(), nargs=-1, required=True, metavar="CREDENTIAL…")
@click.option("--kind", type=click.Choice(KINDS), required=True, help="What is said.")
@click.option("--reason", type=click.Choice(REASONS), required=True, help="Why. It is for people: nothing follows from it.")
@click.option("--effective", metavar="TIME", help="From when on, for example 2026-11-20T00:00:00Z; without it from now on.")
@click.option("--by-root", "in_office", is_flag=True, help="Sign with the key of the root in this office. A custodian gives his key with --key.")
@custodian_option()
@click.option("--root", "roster", type=STATEMENT, metavar="FILE", help="The party's latest roster, for a custodian who has no office.")
@click.option("--number", type=click.IntRange(1), metavar="N", help="Its number in the root's series, if others wait to be published.")
@click.option("-o", "--output", "output", type=FILE, metavar="PATH", help="A file for one, a folder for several; it must not exist.")
@yes_option("Revoke without asking.")
@home_option
@passphrase_fd
@as_json
def make(
    credentials: tuple[str, ...],
    kind: str,
    reason: str,
    effective: str | None,
    in_office: bool,
    key: Path | None,
    roster: Path | None,
    number: int | None,
    output: Path | None,
    yes: bool,
    home: Path | None,
    passphrase_fd: int | None,
    json_: bool,
) -> None:
    """Say of credentials that they are suspended, restored, retired or compromised, with the key of the body that issued them, or of the root.

    CREDENTIAL is an officer of this office with a purpose (aigul:seal), or without one, which means all of his; a credential's digest; or a file.
    What the body signs is kept in the office until `roster publish` takes it in; -o writes it for an office elsewhere that publishes.

    suspended: does not count until it is restored. retired: has ended; what was signed before stands. compromised: others may have the key; of what
    was signed with it only that stands which a reader, or the other party, had before. That cannot be taken back.
    """
    from valiza.office.revoking import Order, find_in, find_targets

    order = Order(kind=kind, reason=reason, effective_at=None if effective is None else parse_time(effective))
    if output is not None:
        require_output(output)
    source = passphrase_source(passphrase_fd)
    if key is None and not in_office:
        if roster is not None or number is not None:
            message = "a body revokes by its office's own roster, and numbers by itself"
            raise Usage(message, "leave --root and --number out, or revoke in the name of the root: --key FILE")
        _by_body(open_office(home, source), credentials, order, output, yes=yes, json_=json_)
        return
    if len(credentials) != 1 or output is None:
        message = "a root revokes one credential at a time, into a file that goes on to the other custodians"
        raise Usage(message, "name one credential, and the file with -o")
    at_office = None if roster is not None else open_office(home, source)
    book, signer = by_root(at_office, source, in_office=in_office, key=key, roster=roster)
    wanted = _typed(credentials[0])
    targets = [find_in(book, wanted)] if at_office is None else find_targets(at_office, wanted)
    if len(targets) != 1:
        message = f"{credentials[0]!r} names {len(targets)} credentials, and a root revokes one at a time"
        raise Usage(message, "name one with its purpose, for example aigul:seal")
    if not agreed("Revoke this?", yes, lambda: tell(_told(order, targets), "to be revoked:")):
        raise _unconfirmed()
    _by_root(book, targets[0], order, signer(), number, output, json_=json_)


def _typed(wanted: str) -> str | Path:
    """A file, if there is one; otherwise what it is called."""
    return Path(wanted) if Path(wanted).is_file() else wanted


def _told(order: Order, targets: Sequence[Credential]) -> dict[str, Any]:
    from valiza.keys.fields import utc

    return {
        "kind": order.kind,
        "reason": order.reason,
        "effective": "now" if order.effective_at is None else utc(order.effective_at),
        "credentials": [f"{one.title}, {one.body}, {one.purpose}" for one in targets],
    }


def _unconfirmed() -> Refused:
    return Refused("not confirmed: nothing was revoked")


def _by_body(at_office: Office, wanted: Sequence[str], order: Order, output: Path | None, *, yes: bool, json_: bool) -> None:
    from valiza.office.revoking import FOLDER, file_name, find_targets, revoke, write_revocations

    targets = list({one.digest: one for name in wanted for one in find_targets(at_office, _typed(name))}.values())
    if not agreed("Revoke these?", yes, lambda: tell(_told(order, targets), "to be revoked:")):
        raise _unconfirmed()
    made = revoke(at_office, targets, order, at=now())
    paths = [at_office.home / FOLDER / file_name(one) for one in made]
    if output is not None:
        try:
            paths = write_revocations(made, output)
        except Unavailable as error:
            raise Unavailable(error.message, f"they are signed: copy them from {at_office.home / FOLDER}, or publish here") from error
    by_digest = {one.digest: one for one in targets}
    facts = {"revocations": [{"file": str(path), **_facts(one, by_digest[one.credential])} for path, one in zip(paths, made, strict=True)]}
    people = {"revoked": revoked_people((one, by_digest[one.credential]) for one in made), "kept in": [str(path) for path in paths]}
    emit(facts, json_=json_, people=people, output=output)
    say("valiza: they count once a roster with them is published and imported: valiza roster publish -o FILE")


def _by_root(book: Book, target: Credential, order: Order, key: Signer, number: int | None, output: Path, *, json_: bool) -> None:
    from valiza.keys.fields import utc
    from valiza.office.reader import write_object
    from valiza.office.revoking import revoke_by_root

    begun = revoke_by_root(book, target, order, key, number=number, at=now())
    write_object(output, begun.statement.raw)
    facts = {"statement": str(output), **unfinished_facts(begun)}
    people = {"statement": str(output), **_told(order, [target]), "complete": begun.complete, "still needed": still_needed(begun)}
    if isinstance(begun.says, Revocation):
        people["effective"] = utc(begun.says.effective_at)
    emit(facts, json_=json_, people=people, output=output)


def _facts(one: Revocation, target: Credential) -> dict[str, Any]:
    return {**revocation_facts(one), "of": credential_facts(target)}


@revocation.command(
    "list",
    short_help="List the revocations that are known here.",
    epilog=command_epilog("valiza revocation list --home kz", "valiza revocation list --party BY --home kz --json"),
)
@click.option("--party", metavar="ID", help="Only those of this party.")
@home_option
@as_json
def list_revocations(party: str | None, home: Path | None, json_: bool) -> None:
    """List what every roster known here revokes, and what this office signed and no roster has yet."""
    from valiza.office.revoking import revoked_in

    at_office = open_office(home)
    found = list(revoked_in(at_office, books_of(at_office, party)))
    facts = {"revocations": [{**_facts(one, target), "published": published} for one, target, published in found]}
    people = {
        "published": revoked_people((one, target) for one, target, published in found if published),
        "waiting for the next roster": revoked_people((one, target) for one, target, published in found if not published),
    }
    emit(facts, json_=json_, people=people)
    if not found and not json_:
        say("valiza: nothing is revoked")
