"""What Valiza's objects are called in mail, and how one is known by its first bytes: content decides, never a name (specs/mail.md, Media types)."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from valiza.keys import labels

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["ENDINGS", "MEDIA_TYPES", "REPORT_TYPE", "REPORT_TYPE_OF_RECEIPTS", "SNIFFED_BYTES", "Kind", "declared", "sniff", "statement_type"]


class Kind(StrEnum):
    """What of Valiza some bytes begin like."""

    ENVELOPE = "envelope"
    STATEMENT = "statement"
    EVIDENCE = "evidence"
    KEY = "key file"  # never meant for mail


MEDIA_TYPES: Final = {
    Kind.ENVELOPE: "application/vnd.valiza.envelope",
    Kind.STATEMENT: "application/vnd.valiza.statement",
    Kind.EVIDENCE: "application/vnd.valiza.evidence",
}
ENDINGS: Final = {Kind.ENVELOPE: ".vlz", Kind.STATEMENT: ".vls", Kind.EVIDENCE: ".vle"}
REPORT_TYPE: Final = "message/vnd.valiza.receipt-notice"  # of the machine part of a report
REPORT_TYPE_OF_RECEIPTS: Final = "valiza-receipt"  # `report-type` of multipart/report
SNIFFED_BYTES: Final = 48  # enough for `sniff` and `statement_type`
_FAMILY: Final = "application/vnd.valiza."
_MAGIC_BYTES: Final = 4  # what follows them a relay that changes line ends may have damaged: then it is malformed, and not nothing
_BEGINNINGS: Final = {labels.MAGIC[:_MAGIC_BYTES]: Kind.ENVELOPE, labels.MAGIC_EVIDENCE[:_MAGIC_BYTES]: Kind.EVIDENCE}

# An array, then a string in any of its spellings (statement.md, Form): one that is not canonical is malformed, and not nothing.
_TYPED: Final = re.compile(rb"[\x90-\x9f](?:[\xa0-\xbf]|\xd9.|\xda..)(valiza/(?:v1|rehearsal)/)([a-z-]*)", re.DOTALL)
_KEY_FILE: Final = labels.KEY_FILE.removeprefix(labels.BEGIN).encode("ascii")
_UNSEEN: Final = re.compile(r"[\x00-\x20\x7f-\xa0\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


def sniff(start: bytes) -> Kind | None:
    """What the first bytes of something begin like, or None if not like anything of Valiza. It is not read, and may still be malformed."""
    kind = _BEGINNINGS.get(start[:_MAGIC_BYTES])
    if kind is None and (typed := _TYPED.match(start)) is not None:
        return Kind.KEY if typed[2] == _KEY_FILE else Kind.STATEMENT
    return kind


def statement_type(start: bytes) -> str:
    """The last word of a statement's type, as its first bytes say it: `receipt`. Empty where it is no statement of a version that is known."""
    typed = _TYPED.match(start)
    return "" if typed is None or typed[1] != labels.BEGIN.encode("ascii") else typed[2].decode("ascii")


def declared(media_type: str, names: Iterable[str]) -> bool:
    """Whether a media type, small letters, or one of the names of a file says that it is something of Valiza.

    Letters that nobody sees, and full stops and spaces at the end, which some systems drop, do not hide an ending.
    """
    endings = tuple(ENDINGS.values())
    return media_type.startswith(_FAMILY) or any(_UNSEEN.sub("", name).rstrip(".").lower().endswith(endings) for name in names)
