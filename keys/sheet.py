"""The paper that a share stands on (specs/backup.md, Sheet): text, in lines of at most 80 characters, one share on a sheet."""

from __future__ import annotations

import re
import time
import unicodedata
from dataclasses import dataclass
from typing import Final

from valiza.keys.backup import CHECK_DIGITS, Share, read_share
from valiza.keys.errors import Malformed, Usage
from valiza.keys.labels import REHEARSAL
from valiza.keys.realm import Realm

__all__ = ["MAX_FIELD", "MAX_SHEET", "Sheet", "format_sheet", "read_sheet"]

MAX_FIELD: Final = 60  # characters of a name on a sheet
MAX_SHEET: Final = 1 << 14  # bytes of a file that is read as a sheet
_WIDTH: Final = 80
_HEADINGS: Final = {Realm.ORDINARY: "VALIZA KEY BACKUP", Realm.REHEARSAL: "VALIZA REHEARSAL BACKUP"}
_FORMAT: Final = 1
_COLUMN: Final = 16  # where the values of fields begin
_ROW: Final = 4  # words
_NONE, _NEEDED = "none", "needed, and on no sheet"
_UNSEEN: Final = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_WORD: Final = re.compile(r"([0-9]{1,2})[ .:)]+([A-Za-z]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """What a sheet says.

    Attributes:
        share: the share.
        total: how many shares there are.
        key_digest: digest of the public key, 64 hexadecimal digits.
        kind: of the key, as it is called outside of rehearsals.
        protected: whether a passphrase is needed, too.
        key: which key it is, for people.
        holder: for whom the sheet is; may be empty.
        made_at: when, in seconds since 1970.
        realm: whether it is meant.
    """

    share: Share
    total: int
    key_digest: str
    kind: str
    protected: bool
    key: str = ""
    holder: str = ""
    made_at: int = 0
    realm: Realm = Realm.ORDINARY


def format_sheet(sheet: Sheet) -> str:
    """The text of a sheet.

    Raises:
        Usage: a name on it is too long, or has characters that paper does not show.
    """
    share, digits = sheet.share, sheet.key_digest
    for what, text in (("name of a key", sheet.key), ("name of a holder", sheet.holder)):
        if len(text) > MAX_FIELD or any(unicodedata.category(character) in _UNSEEN for character in text):
            message = f"a {what} on a sheet has at most {MAX_FIELD} characters, and none that paper does not show"
            raise Usage(message)
    groups = [digits[start : start + 8] for start in range(0, 64, 8)]
    heading, part = f"{_HEADINGS[sheet.realm]} {_FORMAT}", f"share {share.number} of {sheet.total}"
    made = time.strftime("%Y-%m-%d", time.gmtime(sheet.made_at))
    fields = {
        "Key": sheet.key,
        "Kind": sheet.realm.kind(sheet.kind),
        "Check value": " ".join(digits[start : start + 4] for start in range(0, CHECK_DIGITS, 4)),
        "Key digest": f"{' '.join(groups[:4])}\n{'':{_COLUMN}}{' '.join(groups[4:])}",
        "Backup": f"{share.backup}, made {made}",
        "Passphrase": _NEEDED if sheet.protected else _NONE,
        "Holder": sheet.holder,
    }
    words = [f"{number:2} {word:8}" for number, word in enumerate(share.words, 1)]
    lines = [
        heading + f"{part:>{_WIDTH - len(heading)}}",
        _WIDTH * "=",
        "",
        f"Any {share.threshold} of the {sheet.total} shares give the key back. This is one of them. Do not copy or",
        "photograph it, and keep no two of them in one place.",
        "",
        *(f"{name:{_COLUMN}}{value}".rstrip() for name, value in fields.items()),
        "",
        "Words",
        "",
        *("    ".join(words[start : start + _ROW]).rstrip() for start in range(0, len(words), _ROW)),
        "",
        _WIDTH * "-",
        "To recover the key: valiza key recover, on a machine without network, with the",
        f"holders of {share.threshold} shares. Each types his own words, or hands over his file. Whoever",
        "asks for your words at any other place is not entitled to them. The check value",
        "shows that it is this key that was recovered.",
    ]
    return "\n".join(lines) + "\n"


def read_sheet(text: str, realm: Realm = Realm.ORDINARY) -> Sheet:
    """What a sheet of a realm says, as far as a recovery needs it.

    Raises:
        Malformed: it is no sheet, or one on which something is missing or does not fit together.
    """
    lines = text.splitlines()
    headings = {found: _heading(lines[0] if lines else "", found) for found in Realm}
    heading = headings.pop(realm)
    if heading is None:
        message = "that is no sheet of a key's backup"
        other = any(headings.values())
        raise Malformed(message, realm.hint(REHEARSAL if realm is Realm.ORDINARY else "") if other else f"its first line begins {_HEADINGS[realm]}")
    if int(heading[1]) != _FORMAT:
        message = f"a sheet of format {heading[1]} is not known here"
        raise Malformed(message, "a newer version of this program may know it")
    try:
        begin = next(index for index, line in enumerate(lines) if line.strip() == "Words")
    except StopIteration:
        raise _missing("words") from None
    fields = _fields(lines[1:begin])
    digits = re.sub(r"\s", "", fields.get("Key digest", ""))
    if re.fullmatch("[0-9a-f]{64}", digits) is None:
        raise _missing("key digest")
    if fields.get("Passphrase") not in {_NONE, _NEEDED}:
        raise _missing("word on the passphrase")
    share = read_share(_words(lines[begin + 1 :]))
    if share.number != int(heading[2]):
        message = f"the words on the sheet of share {heading[2]} are those of share {share.number}"
        raise Malformed(message)
    return Sheet(
        share=share,
        total=int(heading[3]),
        key_digest=digits,
        kind=fields.get("Kind", "").removeprefix(realm.kind("")),
        protected=fields["Passphrase"] == _NEEDED,
        key=fields.get("Key", ""),
        holder=fields.get("Holder", ""),
        realm=realm,
    )


def _heading(line: str, realm: Realm) -> re.Match[str] | None:
    """Format, number of the share, and how many there are."""
    return re.fullmatch(rf"\s*{_HEADINGS[realm]} ([0-9]+)\s+share ([0-9]{{1,2}}) of ([0-9]{{1,2}})\s*", line)


def _missing(what: str) -> Malformed:
    message = f"the {what} of a sheet is missing, or not readable"
    return Malformed(message)


def _fields(lines: list[str]) -> dict[str, str]:
    """Names and values; a line that begins in the column of the values goes on with the one before it."""
    found: dict[str, str] = {}
    last = ""
    for line in lines:
        name, value = line[:_COLUMN].strip(), line[_COLUMN:].strip()
        last = name or (last if value else "")
        if last:
            found[last] = f"{found[last]} {value}" if not name and last in found else value
    return found


def _words(lines: list[str]) -> list[str]:
    """The words, by their numbers, up to the first empty line behind them."""
    found: dict[int, str] = {}
    for line in lines:
        if not line.strip():
            if found:
                break
            continue
        if _WORD.sub("", line).strip():
            raise _missing("list of words")
        for number, word in _WORD.findall(line):
            if int(number) in found:
                message = f"word {int(number)} stands twice on a sheet"
                raise Malformed(message)
            found[int(number)] = word
    for number in range(1, len(found) + 1):
        if number not in found:
            message = f"word {number} is missing on a sheet"
            raise Malformed(message)
    return [found[number] for number in sorted(found)]
