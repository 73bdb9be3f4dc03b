"""Commands that look things up in the office's register."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from valiza.cli.options import ENVELOPE, NameOrFile, OrderedGroup, as_json, as_officer, command_epilog, home_option, now, open_office, passphrase_fd
from valiza.cli.render import emit, manifest_facts, utc
from valiza.cli.sending import named_envelope
from valiza.cli.terminal import passphrase_source, print_result

if TYPE_CHECKING:
    from pathlib import Path


# Every way in which an envelope can stand: the verdicts, and what an incoming one goes through.
STANDINGS = (
    *("arrived", "opened", "acknowledged", "countersigned", "outstanding", "overdue", "delivered", "refused"),
    *("discrepant", "late", "conflict", "withdrawn"),
)


@click.group(cls=OrderedGroup)
def register() -> None:
    """The register: what was sent and received, answered, and what is outstanding."""


@register.command(
    "list", short_help="List envelopes and where they stand.", epilog=command_epilog("valiza register list --home kz --verdict outstanding")
)
@click.option("--direction", type=click.Choice(["in", "out"]), help="Only incoming, or only outgoing ones.")
@click.option("--verdict", type=click.Choice(STANDINGS), help="Only envelopes that stand so.")
@home_option
@as_json
def list_(direction: str | None, verdict: str | None, home: Path | None, json_: bool) -> None:
    """List the envelopes in this office's register, with number and where they stand."""
    states = open_office(home).journal.states(now())
    rows = [
        {
            "number": s.number,
            "direction": s.direction,
            "verdict": s.verdict,
            "origin": str(s.origin),
            "since": utc(s.since),
            "envelope_id": s.envelope_id.hex(),
            "dispatch": s.dispatch_digest.hex(),
        }
        for s in states
        if direction in (None, s.direction) and verdict in (None, s.verdict)
    ]
    if json_:
        emit({"envelopes": rows}, json_=True)
        return
    for row in rows:
        print_result(f"{row['number'] or '-':24} {row['direction']:3} {row['verdict']:12} {row['since']}  {row['envelope_id'][:16]}…")


@register.command("show", short_help="Show all entries of one envelope.", epilog=command_epilog("valiza register show report.vlz --home kz"))
@click.argument("envelope", type=NameOrFile(), metavar="ENVELOPE|ID", shell_complete=ENVELOPE.offer)
@click.option(
    "--manifest",
    "with_manifest",
    is_flag=True,
    help="Show the manifest of an envelope sealed here too; needs the key of an officer that it was kept for.",
)
@home_option
@as_officer
@passphrase_fd
@as_json
def show(envelope: str, with_manifest: bool, home: Path | None, officer: str | None, passphrase_fd: int | None, json_: bool) -> None:
    """Show the entries of an envelope, named by its file, id or number, in order."""
    from valiza.office.sending import find_dispatch, kept_manifest, story

    at_office = open_office(home, passphrase_source(passphrase_fd))
    digest = find_dispatch(at_office, named_envelope(envelope))
    entries = [
        {
            "entry": e.seq,
            "at": utc(e.at),
            "kind": e.kind,
            "direction": e.direction,
            "number": e.number,
            "note": e.note if due is None else f"receipt due {utc(due)}",
        }
        for e, due in story(at_office, digest)
    ]
    facts: dict[str, object] = {"dispatch": digest.hex(), "entries": entries}
    if with_manifest:
        facts["manifest"] = manifest_facts(kept_manifest(at_office, digest, officer), None)
    emit(facts, json_=json_)
