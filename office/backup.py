"""Backup of a key: sheets for the holders of its shares, and the key from their sheets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from valiza.keys.backup import Recovery, check_value, parse_check_value, share_out
from valiza.keys.errors import Incomplete, Malformed, Refused, Usage
from valiza.keys.external import ExternalSigningKey
from valiza.keys.files import new_file, new_folder, read_text_file
from valiza.keys.keyfile import key_kind
from valiza.keys.realm import Realm
from valiza.keys.recipient import Identity
from valiza.keys.sheet import MAX_FIELD, MAX_SHEET, Sheet, format_sheet, read_sheet
from valiza.office.home import Office

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from valiza.keys.backup import WholeKey
    from valiza.keys.keyfile import PrivateKey

__all__ = ["Recovery", "back_up", "check_value", "name_of_key", "parse_check_value", "read_sheets", "recover", "require_whole", "sheet_name"]


def back_up(
    key: WholeKey,
    folder: Path,
    *,
    name: str,
    shares: int,
    threshold: int,
    passphrase: str,
    holders: Sequence[str],
    at: int,
) -> list[Sheet]:
    """Write a sheet for each share of a key into a new private folder, whole or not at all, once the key was recovered from them.

    Args:
        key: the key.
        folder: it must not exist.
        name: which key it is, for people.
        shares: how many.
        threshold: how many of them give the key.
        passphrase: that is needed besides; empty for none.
        holders: names of those who get the sheets, in order; none, or one for each.
        at: now, in seconds since 1970.

    Raises:
        Usage: what is asked for cannot be. Refused: the folder exists. Unavailable: the disk.
    """
    if holders and len(holders) != shares:
        message = f"there are {shares} shares, and {len(holders)} holders are named"
        raise Usage(message, "name a holder for each share, or none, and write the names by hand")
    if len(set(holders)) != len(holders):
        message = "a holder is named twice: he would have two shares"
        raise Usage(message)
    sheets = [
        Sheet(
            share=share,
            total=shares,
            key_digest=key.key_digest.hex(),
            kind=key_kind(key),
            protected=bool(passphrase),
            key=name,
            holder=holders[share.number - 1] if holders else "",
            made_at=at,
            realm=Realm.ORDINARY if isinstance(key, Identity) else key.realm,
        )
        for share in share_out(key, shares=shares, threshold=threshold, passphrase=passphrase)
    ]
    texts = [format_sheet(sheet) for sheet in sheets]
    written = [read_sheet(text, sheet.realm) for sheet, text in zip(sheets, texts, strict=True)]
    for some in (written, written[-threshold:]):
        recover(some, lambda: passphrase)  # that they give this key, and no other
    with new_folder(folder) as work:
        for sheet, text in zip(sheets, texts, strict=True):
            new_file(work / sheet_name(sheet), text.encode("utf-8"), 0o600)
    return sheets


def require_whole(key: PrivateKey) -> WholeKey:
    """The key, if all of it is here.

    Raises:
        Refused: another program keeps half of it.
    """
    if isinstance(key, ExternalSigningKey):
        message = f"half of this key is kept by {key.signer.program!r}: shares of what is in its file would give no key"
        raise Refused(message, "keep copies of the key file, and back the other half up as its device allows")
    return key


def sheet_name(sheet: Sheet) -> str:
    """Name of the file of a sheet."""
    return f"share-{sheet.share.number:02}.txt"


def name_of_key(path: Path) -> str:
    """Which key a file holds, for people: of an office's key its purpose, officer and body; else the name of the file."""
    home = path.absolute().parent.parent.parent
    if path.absolute().parent.parent.name == "keys" and (home / "office.toml").is_file():
        body = Office(home, lambda: "").body
        return f"{path.stem} key of {path.absolute().parent.name}, {body}"[:MAX_FIELD]
    return path.name[:MAX_FIELD]


def read_sheets(paths: Sequence[Path], realm: Realm = Realm.ORDINARY) -> list[Sheet]:
    """Sheets of a realm from files.

    Raises:
        Malformed: one is no sheet, or a word on it is wrong. Unavailable: it cannot be read.
    """
    found = []
    for path in paths:
        text = read_text_file(path, MAX_SHEET, "sheet")
        try:
            found.append(read_sheet(text, realm))
        except Malformed as error:
            message = f"{str(path)!r}: {error.message}"
            raise Malformed(message, error.hint) from error
    return found


def recover(sheets: Sequence[Sheet], passphrase: Callable[[], str]) -> WholeKey:
    """The key that sheets give, and no other than the one that they name.

    Args:
        sheets: of enough holders.
        passphrase: asked for that of the backup, if they speak of one.

    Raises:
        Incomplete: there are too few. Refused: they are of several backups.
        NotAuthentic: they do not belong together, or give another key. NoKey: the passphrase is wrong.
    """
    if not sheets:
        message = "there is no sheet"
        raise Incomplete(message)
    recovery, first = Recovery(), sheets[0]
    for sheet in sheets:
        recovery.add(sheet.share)
        if (sheet.key_digest, sheet.protected) != (first.key_digest, first.protected):
            message = f"the sheets of shares {first.share.number} and {sheet.share.number} are of different keys, or differ on the passphrase"
            raise Refused(message, "take the sheets of one backup")
    recovery.require_complete()
    return recovery.key(first.key_digest, passphrase() if first.protected else "", protected=first.protected, realm=first.realm)
