"""Commands for receipts that did not come: list them, sign that they are overdue, write reminders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from valiza.cli.following import standing_facts
from valiza.cli.options import (
    ENVELOPE,
    FOLDER,
    NameOrFile,
    as_json,
    as_officer,
    command_epilog,
    home_option,
    now,
    open_office,
    output,
    passphrase_fd,
    require_output,
)
from valiza.cli.render import emit, utc
from valiza.cli.sending import named_envelope
from valiza.cli.terminal import passphrase_source, print_result, safe
from valiza.keys.errors import Incomplete

if TYPE_CHECKING:
    from pathlib import Path

    from valiza.office.home import Office
    from valiza.office.reminding import Late

__all__ = ["overdue", "remind"]

language = click.option(
    "--lang",
    "languages",
    type=click.Choice(("en", "kk", "ru", "be")),
    multiple=True,
    default=("en",),
    show_default=True,
    help="The language of a reminder; repeated, one text after the other.",
)


@click.command(short_help="List overdue receipts; sign that they are; write reminders.")
@click.option("--sign", is_flag=True, help="Sign and enter the overdue record of each that has none yet; tell only of these. Needs an `act` key.")
@click.option("--remind", "folder", type=FOLDER, metavar="DIR", help="Write a reminder of each into this folder, where there is none yet.")
@language
@home_option
@as_officer
@passphrase_fd
@as_json
def overdue(
    *, sign: bool, folder: Path | None, languages: tuple[str, ...], home: Path | None, officer: str | None, passphrase_fd: int | None, json_: bool
) -> int:
    """List the envelopes sent from here whose receipt is overdue; the exit code is 8 if there is any.

    With --sign it is meant for cron: it can run as often as one likes, and is silent when there is nothing new.
    """
    from valiza.office.reminding import declare, find_late

    at, at_office = now(), open_office(home, passphrase_source(passphrase_fd))
    rows: list[dict[str, Any]] = []
    for late in find_late(at_office, at):
        new = sign and not late.declared and declare(at_office, late, officer, at=at)
        row = {
            **standing_facts(late.standing),
            "days_late": late.standing.days_late(at),
            "declared": late.declared or new,
            "signed": new,
            "reminder": None,
        }
        if folder is not None:
            row["reminder"] = _write_reminder(at_office, late, folder, languages, at)
        rows.append(row)
    if json_:
        emit({"as_of": utc(at), "overdue": rows}, json_=True)
    else:
        for row in rows:
            if row["signed"] or not sign:
                said = "signed now" if row["signed"] else "signed" if row["declared"] else "not signed"
                shown = f"{safe(row['number']) or '-':24} {row['destination']!s:20} due {row['due'][:10]}, {row['days_late']} days late"
                print_result(f"{shown}  {said:10}  {row['envelope_id'][:16]}…")
    return Incomplete.exit_code if rows else 0


overdue.epilog = command_epilog(
    "valiza register overdue --home kz",
    "valiza register overdue --home kz --sign --as marat --remind reminders",
)


def _write_reminder(office: Office, late: Late, folder: Path, languages: tuple[str, ...], at: int) -> str:
    """Write a reminder, if there is none of this name; returns its path."""
    from valiza.keys.files import storage_errors
    from valiza.office.exporting import write_lines
    from valiza.office.reminding import remind as text_of
    from valiza.office.reminding import reminder_name

    with storage_errors(folder):
        folder.mkdir(mode=0o700, exist_ok=True)
        path = folder / reminder_name(late.standing)
        there = path.exists()
    if not there:
        write_lines(path, [text_of(office, late.standing.state.dispatch_digest, languages=languages, at=at)[1]])
    return str(path)


@click.command(short_help="Write a reminder of a receipt, as text to send.")
@click.argument("envelope", type=NameOrFile(), metavar="ENVELOPE|ID", shell_complete=ENVELOPE.offer)
@output("The text, in UTF-8")
@language
@home_option
@as_json
def remind(envelope: str, output: Path, languages: tuple[str, ...], home: Path | None, json_: bool) -> None:
    """Write a reminder of the receipt for an envelope sent from here, named by its file, id or number.

    It names number, envelope id, dispatch digest, agreement and the day when it is due: nothing of the contents, and no mark.
    """
    from valiza.office.exporting import write_lines
    from valiza.office.reminding import remind as text_of
    from valiza.office.sending import find_dispatch

    require_output(output)
    at, at_office = now(), open_office(home)
    standing, text = text_of(at_office, find_dispatch(at_office, named_envelope(envelope)), languages=languages, at=at)
    write_lines(output, [text])
    emit({"reminder": str(output), **standing_facts(standing)}, json_=json_, people={"reminder": str(output)}, output=output)


remind.epilog = command_epilog("valiza register remind KZ-MFA/2026/out/17 --home kz --lang ru --lang en -o reminder.txt")
