"""Commands for roots: root show, root compare."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from valiza.cli.options import STATEMENT, OrderedGroup, as_json, command_epilog, home_option, open_office
from valiza.cli.render import emit, root_facts
from valiza.cli.terminal import clear_line, terminal_present
from valiza.keys.errors import NotAuthentic, Usage

if TYPE_CHECKING:
    from pathlib import Path

    from valiza.office.certifying import ClaimedRoot

_MAX_TYPED = 4096  # bytes; a fingerprint in words has 234 at most


@click.group(cls=OrderedGroup)
def root() -> None:
    """Roots: what a party says of itself, who its custodians are, and the fingerprint by which others know it."""


before_option = click.option(
    "--root", "before", type=STATEMENT, multiple=True, metavar="FILE", help="The version before it, or a roster with that. Repeatable."
)


def _claims(file: Path | None, before: tuple[Path, ...], home: Path | None) -> tuple[ClaimedRoot, ...]:
    from valiza.keys import labels
    from valiza.office.certifying import claims, roots_in
    from valiza.office.reader import read_object

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
    shown = {**found[-1], "custodians": [_in_short(one) for one in found[-1]["custodians"]]}
    emit({"roots": found}, json_=json_, title=f"root of {shown.pop('party')}, version {shown.pop('version')}", people=shown)


def _in_short(custodian: dict[str, Any]) -> str:
    return f"{custodian['name']}, id {custodian['id']}{', signed' if custodian['signed'] else ''}"


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
