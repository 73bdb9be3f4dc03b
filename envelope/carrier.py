"""Carriers (A1.3): one thing handed over to be carried. One file carrier is one regular file with one safe leaf name (P17, P18)."""

from __future__ import annotations

import io
import mimetypes
import os
import re
import stat
import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, Final

from valiza.keys.errors import Malformed, Refused
from valiza.keys.files import advise, storage_errors

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["Carrier", "check_media_type", "check_name", "check_twins", "guess_media_type", "open_carrier", "require_carrier"]

MAX_NAME_BYTES: Final = 255
_AT_ONCE: Final = 1 << 16  # bytes; the system itself reads larger files ahead
_FORBIDDEN_CATEGORIES: Final = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
_FORBIDDEN: Final = re.compile(r'[/\\:*?"<>|]')
_RESERVED: Final = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", *(f"{port}{n}" for port in ("COM", "LPT") for n in "0123456789¹²³")}
_NO_URL: Final = str.maketrans("/:", "__")
_MEDIA_TYPE: Final = re.compile(r"[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """What the origin knows of a carrier before sealing. A physical carrier has no path: it travels beside the envelope, and is in its inventory."""

    name: str
    path: Path | None
    code: str
    media_type: str = ""
    registration: str = ""
    copy: int | None = None
    sheets: int | None = None
    classified_by: str = field(default="", repr=False)
    ground: str = field(default="", repr=False)


def check_name(name: object) -> str:
    """The name, if it is safe as a file's leaf name anywhere (envelope.md, Names of file carriers 1 to 3).

    Raises:
        Malformed: it is not; the message says why.
    """
    if not isinstance(name, str) or not 1 <= len(name.encode("utf-8", "surrogatepass")) <= MAX_NAME_BYTES:
        message = f"the carrier name {name!r} is not 1 to {MAX_NAME_BYTES} bytes long"
        raise Malformed(message)
    reason = _why_not(name)
    if reason:
        message = f"the carrier name {name!r} {reason}"
        raise Malformed(message)
    return name


def _why_not(name: str) -> str:
    if not unicodedata.is_normalized("NFC", name):
        return "is not in normalization form NFC"
    if not name.isprintable() and any(unicodedata.category(character) in _FORBIDDEN_CATEGORIES for character in name):
        return "has a control, format or private character in it"
    if forbidden := _FORBIDDEN.search(name):
        return f"has {forbidden[0]!r} in it"
    if name in {".", ".."} or name.startswith(" ") or name.endswith((" ", ".")):
        return "is a path, or begins or ends with a space or dot"
    if name.partition(".")[0].rstrip(" ").upper() in _RESERVED:
        return "is reserved by some systems"
    return ""


def check_twins(names: Iterable[str]) -> None:
    """Raise Malformed if two names are the same to a file system that ignores case (envelope.md, Names of file carriers 4)."""
    seen: dict[str, str] = {}
    for name in names:
        folded = unicodedata.normalize("NFC", name.casefold())
        if seen.get(folded) == name:
            message = f"two carriers have the name {name!r}"
            raise Malformed(message)
        if folded in seen:
            message = f"the carrier names {seen[folded]!r} and {name!r} are the same to some systems"
            raise Malformed(message)
        seen[folded] = name


def check_media_type(value: object) -> str:
    """The media type, if it is well-formed.

    Raises:
        Malformed: it is not.
    """
    if not isinstance(value, str) or len(value) > 127 or not _MEDIA_TYPE.fullmatch(value):  # noqa: PLR2004 - the limit of the spec
        message = f"{value!r} is not a media type like text/plain, in small letters"
        raise Malformed(message)
    return value


def guess_media_type(name: str) -> str:
    """A media type by the name's ending alone."""
    leaf = name.translate(_NO_URL)  # or "data:text/html,a" has one of its own, and "//[" is no URL and stops later versions of Python
    return (mimetypes.guess_type(leaf)[0] or "application/octet-stream").lower()


def open_carrier(path: Path) -> BinaryIO:
    """Open a regular file for reading, unbuffered.

    Raises:
        Refused: a link, folder, device or anything else that is not a regular file (P17).
        Unavailable: it cannot be read.
    """
    with storage_errors(path):
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            message = f"{str(path)!r} is a symbolic link; a carrier is a regular file"
            raise Refused(message, "name the file that it points to")
        if stat.S_ISDIR(mode):
            message = f"{str(path)!r} is a folder; a carrier is a regular file"
            raise Refused(message, "name the files in it")
        if not stat.S_ISREG(mode):
            message = f"{str(path)!r} is not a regular file"
            raise Refused(message)
        # O_NONBLOCK: opening a named pipe must not wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            message = f"{str(path)!r} is no regular file any more"
            raise Refused(message)
        return io.FileIO(descriptor)


def require_carrier(path: Path) -> int:
    """Bytes of a file that can be sealed as it stands now. A small one is fetched meanwhile, or sealing would wait for each of thousands.

    Raises:
        Refused, Unavailable: as `open_carrier`.
    """
    with open_carrier(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size <= _AT_ONCE:
            advise(file, "WILLNEED")
    return size
