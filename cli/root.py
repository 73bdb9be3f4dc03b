"""Commands for roots: root draft, root show, root compare."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from valiza.cli.options import (
    STATEMENT,
    OrderedGroup,
    Text,
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
from valiza.cli.people import custodian_option, parse_names, parse_subject, roots_at_hand, signing_key
from valiza.cli.render import emit, root_facts, root_people, title, unfinished_facts, unfinished_people
from valiza.cli.terminal import clear_line, passphrase_source, terminal_present
from valiza.keys.errors import NotAuthentic, Usage

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from valiza.keys.request import Request
    from valiza.keys.root import Custodian, Root, RootDraft
    from valiza.office.roots import ClaimedRoot

DAY = 86400
_MAX_TYPED = 4096  # bytes; a fingerprint in words has 234 at most


@click.group(cls=OrderedGroup)
def root() -> None:
    """Roots: what a party says of itself, who its custodians are, and the fingerprint by which others know it."""


@root.command(
    "draft",
    short_help="Draft a root from its custodians' requests, and sign it first.",
    epilog=command_epilog(
        "valiza root draft --party KZ --name en=Kazakhstan --degrees 1,2,3 --threshold 3 \\",
        "    --custodian aliya.vls --custodian bolat.vls --custodian dana.vls --custodian erlan.vls --custodian gulnar.vls \\",
        "    --key aliya/custodian.key -o root.1.vls",
        "valiza root draft --previous KZ.root.vls --remove 60a33013… --custodian saule.vls --key aliya/custodian.key -o root2.1.vls",
    ),
)
@click.option("--previous", type=STATEMENT, metavar="FILE", help="The version that this one follows; what is not said anew stays.")
@click.option("--party", metavar="ID", help="The party, for example KZ. Not with --previous.")
@click.option("--degrees", metavar="CODE,…", help="The party's degrees of secrecy, the most secret first. Not with --previous.")
@click.option("--name", "name", type=Text(), multiple=True, metavar="LANG=TEXT", help="The party's name in a language. Repeatable.")
@click.option("--threshold", type=click.IntRange(1, 16), metavar="N", help="How many custodians are a quorum.")
@click.option(
    "--custodian",
    "requests",
    type=STATEMENT,
    multiple=True,
    metavar="FILE",
    help="The request of a custodian; with the id of one of --previous it replaces his key. Repeatable.",
)
@click.option("--remove", multiple=True, metavar="ID", help="The id of a custodian of --previous who leaves. Repeatable.")
@click.option("--validity", type=click.IntRange(1, 7300), default=3650, show_default=True, metavar="DAYS", help="Validity of the root.")
@custodian_option(required=True)
@output("The root, to be signed by the next custodian")
@passphrase_fd
@as_json
def draft(
    previous: Path | None,
    party: str | None,
    degrees: str | None,
    name: tuple[str, ...],
    threshold: int | None,
    requests: tuple[Path, ...],
    remove: tuple[str, ...],
    validity: int,
    key: Path,
    output: Path,
    passphrase_fd: int | None,
    json_: bool,
) -> None:
    """Draft a root, or its next version, from the requests of its custodians, and sign it with the key of one of them.

    The others sign it one after the other (valiza custodian sign); each compares the fingerprint first. A new version is signed by a quorum of
    its own custodians and by one of the version before it.
    """
    from valiza.office.quorum import begin_root
    from valiza.office.reader import write_object
    from valiza.office.roots import draft_next_root, draft_root

    require_output(output)
    at = now()
    asked = _read_requests(requests)
    if previous is None:
        if not party or not degrees or threshold is None:
            lacking = "--party" if not party else "--degrees" if not degrees else "--threshold"
            message = f"missing option {lacking!r}: the first version of a root needs it"
            raise Usage(message, "give --party, --degrees, --threshold and --custodian; or --previous FILE for the next version")
        if remove:
            message = "nobody can be removed from the first version of a root"
            raise Usage(message, "give the version before it with --previous FILE")
        old, codes = None, _parse_degrees(party, degrees)
        said = draft_root(
            party=party,
            names=parse_names(name, party),
            degrees=codes,
            requests=asked,
            threshold=threshold,
            valid_from=at,
            valid_until=at + validity * DAY,
        )
    else:
        if party or degrees:
            message = "party and degrees of a root stay the same in every version"
            raise Usage(message, "leave --party and --degrees out: they are in --previous")
        old = _latest(previous)
        said = draft_next_root(
            old,
            requests=asked,
            remove=[parse_subject(text, "--remove") for text in remove],
            threshold=threshold,
            names=parse_names(name, "") if name else None,
            valid_from=max(at, old.valid_from),
            valid_until=at + validity * DAY,
        )
    begun = begin_root(said, signing_key(key, passphrase_source(passphrase_fd)), old)
    write_object(output, begun.statement.raw)
    facts = {"root": str(output), "changes": _changes(said, old), **unfinished_facts(begun)}
    people = {"root": str(output), **unfinished_people(begun), "changes": facts["changes"]}
    emit(facts, json_=json_, people=people, output=output)


def _parse_degrees(party: str, degrees: str) -> tuple[str, ...]:
    from valiza.keys import fields

    codes = tuple(degrees.split(","))
    with typed("--party"):
        fields.party(party, "party")
    with typed("--degrees"):
        for code in codes:
            fields.code(code, f"degree {code!r}")
    if len(set(codes)) != len(codes):
        message = "a degree stands twice in --degrees"
        raise Usage(message)
    return codes


def _read_requests(paths: Sequence[Path]) -> list[Request]:
    from valiza.keys import labels
    from valiza.keys.files import about
    from valiza.keys.request import read_request
    from valiza.office.reader import read_object

    found = []
    for path in paths:
        with about(path):
            found.append(read_request(read_object(path, labels.REQUEST)))
    return found


def _latest(path: Path) -> Root:
    return max(roots_at_hand([path], None).values(), key=lambda one: one.version)


def _changes(said: RootDraft, old: Root | None) -> dict[str, Any]:
    """Who came, went and got another key."""
    before: dict[bytes, Custodian] = {} if old is None else {one.id: one for one in old.custodians}
    after = {one.id: one for one in said.custodians}
    both = [(before[one], after[one]) for one in before if one in after]
    return {
        "added": [title(one.names) for one in said.custodians if one.id not in before],
        "replaced": [title(new.names) for one, new in both if one.key.raw != new.key.raw],
        "removed": [title(one.names) for one in before.values() if one.id not in after],
        "threshold": [old.threshold, said.threshold] if old is not None else [said.threshold],
    }


before_option = click.option(
    "--root", "before", type=STATEMENT, multiple=True, metavar="FILE", help="The version before it, or a roster with that. Repeatable."
)


def _claims(file: Path | None, before: tuple[Path, ...], home: Path | None) -> tuple[ClaimedRoot, ...]:
    from valiza.keys import labels
    from valiza.office.reader import read_object
    from valiza.office.roots import claims, roots_in

    if file is None:
        if home is None:
            message = "missing a root, and no office was named"
            raise Usage(message, "give a FILE with a root or roster, or --home DIR for the root of that office's party")
        return claims(open_office(home).own_roster.raw)
    known = {one.digest: one for path in before for one in roots_in(read_object(path, labels.ROOT, labels.ROSTER))}
    return claims(read_object(file, labels.ROOT, labels.ROSTER), known)


@root.command(
    "show",
    short_help="Show a root and its fingerprint.",
    epilog=command_epilog("valiza root show KZ.root.vls", "valiza root show KZ.roster.vls --json", "valiza root show --home kz"),
)
@click.argument("file", type=STATEMENT, required=False)
@before_option
@home_option
@as_json
def show_root(file: Path | None, before: tuple[Path, ...], home: Path | None, json_: bool) -> None:
    """Show the root in FILE, finished or not, or every version in a roster; without FILE that of the office's own party.

    The fingerprint is shown as digits and as words. Whose root it is, only comparing the fingerprint tells.
    """
    found = [root_facts(one) for one in _claims(file, before, home)]
    shown = root_people(found[-1])
    emit({"roots": found}, json_=json_, title=f"root of {shown.pop('party')}, version {shown.pop('version')}", people=shown)


@root.command(
    "compare",
    short_help="Compare a root's fingerprint with what the other side reads.",
    epilog=command_epilog("valiza root compare BY.root.vls 3f5a 90c1 …", "valiza root compare BY.roster.vls - < words.txt"),
)
@click.argument("file", type=STATEMENT)
@click.argument("value", nargs=-1, metavar="[VALUE…|-]")
@as_json
def compare(file: Path, value: tuple[str, ...], json_: bool) -> None:
    """Compare the fingerprint of the root in FILE with VALUE: all 64 digits, or all 26 words. A part is never enough.

    VALUE is what the other side reads aloud or wrote down; `-` reads it from standard input, and without it you are asked. It may be that of
    any version in a roster. The command ends with 0 if they are the same, and with 4 if not.
    """
    from valiza.keys.fingerprint import parse_fingerprint, same_fingerprint

    if value == ("-",) and str(file) == "-":
        message = "FILE and VALUE cannot both be standard input"
        raise Usage(message)
    found = _claims(file, (), None)
    wanted = parse_fingerprint(_typed(value))
    same = [one for one in found if same_fingerprint(one.says.digest, wanted)]
    if not same:
        latest = found[-1].says
        message = f"no: the root of {latest.party} in {str(file)!r} has another fingerprint, {latest.digest.hex()}"
        raise NotAuthentic(message, "if it was read and typed rightly, that is not their root: do not use it, and find out what happened")
    facts = {"same": True, "party": same[0].says.party, "version": same[0].says.version, "fingerprint": wanted.hex(), "complete": same[0].complete}
    emit(facts, json_=json_)


def _typed(value: tuple[str, ...]) -> str:
    """What is compared with."""
    if value and value != ("-",):
        return " ".join(value)
    if not value:
        if not terminal_present():
            message = "nothing was given to compare with"
            raise Usage(message, "give the fingerprint behind FILE, or - for standard input")
        clear_line()
        return str(click.prompt("Fingerprint, as the other side reads it", err=True))
    text = sys.stdin.buffer.read(_MAX_TYPED + 1).decode("utf-8", "replace") if sys.stdin is not None else ""
    if len(text) > _MAX_TYPED:
        message = "what was read from standard input is no fingerprint: it is too long"
        raise Usage(message)
    return text
