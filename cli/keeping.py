"""Commands for backups of the register: backup, restore."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import click

from valiza.cli.options import FILE, as_json, command_epilog, home_option, now, open_office, output, require_output
from valiza.cli.register import register
from valiza.cli.render import emit, utc
from valiza.cli.terminal import counting, print_result, quoted, say

if TYPE_CHECKING:
    from pathlib import Path


@register.command("backup", short_help="Copy the register into a file.", epilog=command_epilog("valiza register backup --home kz -o KZ-MFA.register"))
@output("The backup")
@home_option
@as_json
def backup(output: Path, home: Path | None, json_: bool) -> None:
    """Copy the whole register, entries and heads, into a new file. Every entry is checked on the way, and others go on working.

    The file says what the register says: who exchanged what with whom, and what receipts must say. Keep it as secret as the office's folder. It
    holds no keys.
    """
    from valiza.office.keeping import back_up_register
    from valiza.register.store import Query

    require_output(output)
    at_office = open_office(home)
    total = at_office.journal.store.count(Query())
    with counting("copying", total) if total else nullcontext(lambda _: None) as progress:
        done = back_up_register(at_office, output, progress=progress)
    facts = {"backup": str(output), "entries": done.entries, "last_entry": utc(done.at) if done.entries else None, "heads": done.heads}
    if json_:
        emit(facts, json_=True)
        return
    print_result(f"wrote {quoted(output)}: {done.entries} entries{f', the last of {utc(done.at)}' if done.entries else ''}")


@register.command(
    "restore",
    short_help="Make the register that of a backup.",
    epilog=command_epilog("valiza register restore KZ-MFA.register --home kz", "valiza register restore KZ-MFA.register --home kz --replace"),
)
@click.argument("backup", type=FILE, metavar="BACKUP")
@click.option("--replace", is_flag=True, help="Put it in the place of the register that is there, which is kept under another name.")
@home_option
@as_json
def restore(backup: Path, replace: bool, home: Path | None, json_: bool) -> None:
    """Put a backup in the place of a register that is lost or damaged, or into an empty database. Every entry is checked on the way.

    It takes the place of the old one in one step, whenever it is interrupted, and only where no other program has that open.

    What was entered after the backup is not in it, and the other side may have seen it: its next cosignature tells. Take one in with `register
    import` before anything new is entered.
    """
    from valiza.office.keeping import restore_register

    done = restore_register(open_office(home), backup, replace=replace, at=now())
    copied = done.copied
    facts = {
        "backup": str(backup),
        "entries": copied.entries,
        "last_entry": utc(copied.at) if copied.entries else None,
        "heads": copied.heads,
        "replaced": None if done.replaced is None else str(done.replaced),
    }
    if json_:
        emit(facts, json_=True)
        return
    print_result(f"restored {copied.entries} entries{f', the last of {utc(copied.at)}' if copied.entries else ''}")
    if done.replaced is not None:
        print_result(f"the register that was there is now {quoted(done.replaced)}")
    say("valiza: what was entered after that is lost: enter again what you have, and ask each other body for its last cosignature of your log:")
    say("valiza: valiza register import FILE tells whether it has seen more than this")
