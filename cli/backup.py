"""Commands for the backup of a key: key backup, key recover. No word of a share is ever shown, logged or an argument."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

import click

from valiza.cli.options import FILE, FOLDER, Text, as_json, clear_up, command_epilog, now, passphrase_fd, require_output, typed, unlock_seconds_option
from valiza.cli.render import emit
from valiza.cli.terminal import (
    backup_passphrase,
    backup_passphrase_given,
    hidden_line,
    new_passphrase,
    passphrase_source,
    quoted,
    say,
    terminal_present,
    warn,
)
from valiza.keys.errors import Malformed, NoKey, Refused, Usage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from valiza.keys.backup import Share, WholeKey
    from valiza.office.backup import Recovery

_TRIES: Final = 3  # at a passphrase that a person types, once all words are there

_backup_passphrase_fd = click.option(
    "--backup-passphrase-fd",
    type=click.IntRange(0, 2**31 - 1),
    metavar="N",
    help="Read the passphrase of the backup from file descriptor N (or VALIZA_BACKUP_PASSPHRASE, or a prompt).",
)


@click.command(
    "backup",
    short_help="Share a key out over sheets of paper.",
    epilog=command_epilog(
        "valiza key backup kz/keys/office/root.key --shares 5 --threshold 3 -o /dev/shm/sheets",
        "valiza key backup root.key --shares 3 --threshold 2 --holder Aigul --holder Dana --holder Timur -o sheets",
    ),
)
@click.argument("key", type=FILE)
@click.option("--shares", type=click.IntRange(2, 16), required=True, metavar="N", help="How many shares to make.")
@click.option("--threshold", type=click.IntRange(2, 16), required=True, metavar="T", help="How many of them give the key back.")
@click.option("--holder", "holders", type=Text(60), multiple=True, metavar="NAME", help="Who gets a sheet. Repeatable: one for each share, or none.")
@click.option("--name", type=Text(60), metavar="TEXT", help="Which key it is, for people; otherwise as its place in an office says.")
@click.option("--with-passphrase", is_flag=True, help="Let the backup need a passphrase, too. It stands on no sheet.")
@click.option("-o", "--output", type=FOLDER, required=True, metavar="DIR", help="The folder for the sheets; it must not exist.")
@passphrase_fd
@_backup_passphrase_fd
@as_json
def backup(
    key: Path,
    shares: int,
    threshold: int,
    holders: tuple[str, ...],
    name: str | None,
    with_passphrase: bool,
    output: Path,
    passphrase_fd: int | None,
    backup_passphrase_fd: int | None,
    json_: bool,
) -> None:
    """Write N sheets, of which any T give the key back, into the folder DIR, and read them back.

    For a key that nobody can do without: a custodian's, a body's. Print each sheet, hand it to its holder, and remove the folder; best is one that
    lies in memory only. T holders together have the key.
    """
    from valiza.keys.keyfile import load_key
    from valiza.office.backup import back_up, check_value, name_of_key, require_whole, sheet_name

    if passphrase_fd is not None and passphrase_fd == backup_passphrase_fd:
        message = "the passphrases of the key and of the backup cannot be read from the same file descriptor"
        raise Usage(message, "give --backup-passphrase-fd another one")
    require_output(output)
    unlocked = require_whole(load_key(key, passphrase_source(passphrase_fd)))
    protection = backup_passphrase(backup_passphrase_fd, new=True) if with_passphrase or backup_passphrase_fd is not None else ""
    sheets = back_up(
        unlocked,
        output,
        name=name_of_key(key) if name is None else name,
        shares=shares,
        threshold=threshold,
        passphrase=protection,
        holders=holders,
        at=now(),
    )
    facts = {
        "sheets": [str(output / sheet_name(sheet)) for sheet in sheets],
        "threshold": threshold,
        "backup": sheets[0].share.backup,
        "name": sheets[0].key,
        **_facts(unlocked),
        "passphrase": bool(protection),
    }
    emit(facts, json_=json_, title=f"backup of {sheets[0].key}", people={**facts, "check_value": check_value(unlocked)})
    say(f"valiza: print the sheets, hand each to its holder, and remove them: rm -r {quoted(output)}")


def _facts(key: WholeKey) -> dict[str, Any]:
    """What may be said of a key."""
    from valiza.keys.keyfile import key_kind
    from valiza.office.backup import check_value

    return {"kind": key_kind(key), "key_digest": key.key_digest.hex(), "check_value": check_value(key).replace(" ", "")}


@click.command(
    "recover",
    short_help="Get a key back from its shares.",
    epilog=command_epilog(
        "valiza key recover -o root.key",
        "valiza key recover share-01.txt share-03.txt share-04.txt -o root.key",
        "valiza key recover share-0*.txt --dry-run",
    ),
)
@click.argument("sheets", nargs=-1, type=FILE, metavar="[SHEET]...")
@click.option("-o", "--output", type=FILE, metavar="PATH", help="The key file to write; it must not exist.")
@click.option("--dry-run", is_flag=True, help="Say whether the shares give the key, and write nothing.")
@click.option("--check", metavar="DIGITS", help="The check value that the key has to have; otherwise that of the sheets, or a prompt.")
@click.option("--unprotected", is_flag=True, help="Write the key without a passphrase. For tests and demonstrations.")
@_backup_passphrase_fd
@click.option(
    "--new-passphrase-fd",
    type=click.IntRange(0, 2**31 - 1),
    metavar="N",
    help="Read the passphrase for the key file from file descriptor N (or VALIZA_NEW_PASSPHRASE, or a prompt).",
)
@unlock_seconds_option
@as_json
def recover(
    sheets: tuple[Path, ...],
    output: Path | None,
    dry_run: bool,
    check: str | None,
    unprotected: bool,
    backup_passphrase_fd: int | None,
    new_passphrase_fd: int | None,
    unlock_seconds: float,
    json_: bool,
) -> None:
    """Get a key back from the sheets of enough holders, or from words that they type, and write it under a new passphrase.

    Words are not shown while they are typed; each share is checked before the next is asked for. No key is written but the one whose check value
    stands on the sheets. Exit status 8: there are too few shares; 5: the passphrase of the backup is wrong.
    """
    from valiza.keys.cost import measured_cost
    from valiza.keys.keyfile import save_key
    from valiza.office.backup import parse_check_value

    if dry_run is (output is not None):
        message = "-o and --dry-run exclude each other" if dry_run else "missing where to write the key"
        raise Usage(message, "give -o PATH, or --dry-run")
    if backup_passphrase_fd is not None and backup_passphrase_fd == new_passphrase_fd:
        message = "the passphrases of the backup and of the new key file cannot be read from the same file descriptor"
        raise Usage(message, "give --new-passphrase-fd another one")
    if output is not None:
        require_output(output)
    with typed("--check"):
        wanted = None if check is None else parse_check_value(check)
    key, numbers = _from_sheets(sheets, wanted, backup_passphrase_fd) if sheets else _from_words(wanted, backup_passphrase_fd)
    facts = {"dry_run": dry_run, "shares": numbers, **_facts(key)}
    if output is not None:
        protection = None if unprotected else new_passphrase(new_passphrase_fd)
        clear_up(output.parent)
        save_key(output, key, passphrase=protection, random=os.urandom, cost=None if protection is None else measured_cost(unlock_seconds))
        facts |= {"written": str(output), "protected": protection is not None}
    emit(facts, json_=json_, title="the key is recovered" if output is not None else "these shares give the key")
    if output is not None and unprotected:
        warn("the key is written without a passphrase: whoever reads the file has it")


def _from_sheets(paths: tuple[Path, ...], check: str | None, descriptor: int | None) -> tuple[WholeKey, list[int]]:
    """The key from sheets, and the numbers of their shares."""
    from valiza.keys.backup import find_word
    from valiza.office.backup import read_sheets
    from valiza.office.backup import recover as recover_key

    if any(path.name and all(map(find_word, path.name.split())) and not os.path.lexists(path) for path in paths):
        message = "words of a share are no argument: they stand in the history of the shell now"  # and an error about a file would show them
        raise Usage(message, "name the files of the sheets, or leave them out and type the words when they are asked for")
    sheets = read_sheets(paths)
    key = _tried(lambda: recover_key(sheets, lambda: backup_passphrase(descriptor)), descriptor)
    if check is not None and not key.key_digest.hex().startswith(check):
        message = "the sheets are of another key than --check says"
        raise Refused(message, "take the sheets of the backup that is meant")
    return key, sorted({sheet.share.number for sheet in sheets})


def _tried(work: Callable[[], WholeKey], descriptor: int | None) -> WholeKey:
    """Work for which a person types a passphrase; he may mistype it, after all those words."""
    for left in range(_TRIES - 1, -1, -1):
        try:
            return work()
        except NoKey as error:
            if not left or backup_passphrase_given(descriptor) or not terminal_present():
                raise
            say(f"valiza: {error.message}; try again")
    raise AssertionError


# --- words that are typed ---------------------------------------------------------------------------------------------------------------------------


def _from_words(check: str | None, descriptor: int | None) -> tuple[WholeKey, list[int]]:
    """The key from words that holders type one after the other, and the numbers of their shares."""
    from valiza.office.backup import Recovery, parse_check_value

    recovery = Recovery()
    if not terminal_present():
        message = "nobody can be asked: standard input is no terminal"
        raise Usage(message, "name the files of the sheets")
    count = _number_of_words()
    while not recovery.complete:
        _take(recovery, _typed_share(recovery, count))
    if check is None:
        check = _asked(lambda: parse_check_value(str(click.prompt("Check value, as it stands on the sheets", err=True))))
    wanted = check
    return _tried(lambda: recovery.key(wanted, backup_passphrase(descriptor, may_be_none=True)), descriptor), recovery.numbers


def _asked(ask: Callable[[], str]) -> str:
    """What is asked for until it can be."""
    while True:
        try:
            return ask()
        except Usage as error:
            say(f"valiza: {error.message}; {error.hint}")


def _number_of_words() -> int:
    from valiza.keys.backup import LENGTHS

    return int(click.prompt("Words on each sheet", type=click.Choice([str(length) for length in LENGTHS]), default=str(LENGTHS[-1]), err=True))


def _take(recovery: Recovery, share: Share) -> None:
    """Take a share that was typed, and say how far that is."""
    try:
        new = recovery.add(share)
    except Refused as error:
        say(f"valiza: {error.message}; {error.hint}")
        return
    have, need = len(recovery.numbers), recovery.threshold
    say(f"valiza: share {share.number} is {'right' if new else 'here already'}: {have} of {need} that are needed")


def _typed_share(recovery: Recovery, count: int) -> Share:
    """A share whose words fit together; whoever mistypes one is told, and types on or begins again."""
    from valiza.keys.backup import find_word, read_share

    place = f"{len(recovery.numbers) + 1}{'' if recovery.threshold is None else f' of {recovery.threshold}'}"
    say(f"valiza: sheet {place}: type its words in order, one or more in a line, not shown; an empty line begins the sheet again")
    words: list[str] = []
    while True:
        line = hidden_line(f"Sheet {place}, from word {len(words) + 1}").split()
        if not line:
            words = []
        for typed_word in line:
            word = find_word(typed_word)
            if word is None:
                say(f"valiza: word {len(words) + 1} is none of the list: type it again, and what comes after it")
                break
            words.append(word)
        if len(words) > count:
            say(f"valiza: these are more than {count} words: begin the sheet again")
            words = []
        if len(words) == count:
            try:
                return read_share(words)
            except Malformed as error:
                say(f"valiza: {error.message}; begin the sheet again")
                words = []
