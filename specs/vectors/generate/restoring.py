"""Reading of backups (backup.md, Recovering), with the library for SLIP-0039."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from shamir_mnemonic import MnemonicError, Share, recover_ems
from shamir_mnemonic.shamir import ShareGroup
from shamir_mnemonic.wordlist import WORDLIST

import wire
from outcome import Incomplete, Malformed, NoKey, NotAuthentic, Refused, step

NEEDED = "needed, and on no sheet"


@dataclass(frozen=True)
class Sheet:
    """What is read of a sheet."""

    number: int
    digest: str
    protected: bool
    words: list[str]


def _sheet(text: str) -> Sheet:
    head, _, rest = text.partition("\n")
    found = re.fullmatch(r"VALIZA KEY BACKUP 1 +share (\d+) of \d+", head)
    fields, words, below = (
        re.split(r"^ *(Words) *$", rest, maxsplit=1, flags=re.MULTILINE) if re.search(r"^ *Words *$", rest, re.MULTILINE) else ("", "", "")
    )
    digest = re.search(r"^Key digest +((?:[0-9a-f]{8}\s+){7}[0-9a-f]{8})$", fields, re.MULTILINE)
    passphrase = re.search(rf"^Passphrase +(none|{NEEDED})$", fields, re.MULTILINE)
    if found is None or not words or digest is None or passphrase is None:
        raise Malformed("a sheet lacks something")
    table = re.findall(r"(\d+)\W+([A-Za-z]+)", below.lstrip("\n").partition("\n\n")[0])
    if [int(number) for number, _ in table] != list(range(1, len(table) + 1)) or len(table) not in {33, 59}:
        raise Malformed("a sheet has other words")
    return Sheet(int(found[1]), "".join(digest[1].split()), passphrase[1] == NEEDED, [word.lower() for _, word in table])


def _word(typed: str) -> str:
    found = [word for word in WORDLIST if word == typed or (len(typed) >= 4 and word.startswith(typed))]
    if not found:
        raise Malformed("a word is none of the list")
    return str(found[0])


def _share(sheet: Sheet) -> Share:
    try:
        share = Share.from_mnemonic(" ".join(map(_word, sheet.words)))
    except MnemonicError as error:
        raise Malformed(str(error)) from error
    if (share.group_index, share.group_threshold, share.group_count) != (0, 1, 1) or share.member_threshold < 2 or share.iteration_exponent > 8:
        raise Malformed("a share of something else")
    if len(share.value) not in {32, 64} or share.index + 1 != sheet.number:
        raise Malformed("a share of another length or number")
    return share


def _collect(sheets: Sequence[Sheet], shares: Sequence[Share]) -> dict[int, Share]:
    found: dict[int, Share] = {}
    for sheet, share in zip(sheets, shares, strict=True):
        parameters = [(one.common_parameters(), one.member_threshold, len(one.value)) for one in (share, shares[0])]
        if parameters[0] != parameters[1] or (sheet.digest, sheet.protected) != (sheets[0].digest, sheets[0].protected):
            raise Refused("of another backup")
        if found.setdefault(share.index, share) != share:
            raise Refused("two of one number")
    return found


def read_backup(raw: bytes, passphrase: str) -> bytes:
    """The seed that sheets give."""
    with step(1):
        sheets = [_sheet(text) for text in re.split(r"^(?=VALIZA KEY BACKUP)", raw.decode(), flags=re.MULTILINE) if text]
    with step(2):
        shares = [_share(sheet) for sheet in sheets]
    with step(3):
        found = list(_collect(sheets, shares).values())
    need = found[0].member_threshold
    with step(4):
        if len(found) < need:
            raise Incomplete(f"{len(found)} of {need}")
    with step(5):
        secrets = set()
        for share in found[need - 1 :]:
            group = ShareGroup()
            group.shares = {*found[: need - 1], share}
            try:
                secrets.add(recover_ems({0: group}))
            except MnemonicError as error:
                raise NotAuthentic(str(error)) from error
        if len(secrets) != 1:
            raise NotAuthentic("they do not agree")
    with step(6):
        seed: bytes = secrets.pop().decrypt(passphrase.encode())
        kinds = (wire.SIGNING_KIND, wire.LOG_KIND) if len(seed) == 64 else (wire.OPENING_KIND,)
        if sheets[0].digest not in [wire.digest("public-key", wire.encode([kind, wire.public_of(kind, seed)])).hex() for kind in kinds]:
            raise (NoKey if sheets[0].protected else NotAuthentic)("another key")
    return seed
