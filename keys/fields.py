"""Shapes of fields (specs/encoding.md, Shared shapes): each function returns the field, narrowed, or raises Malformed.

`what` names the field in the error, in the spec's words.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from valiza.keys.encoding import MAX_INTEGER, pack
from valiza.keys.errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from valiza.keys.encoding import Value

__all__ = [
    "MAX_TEXT",
    "MAX_TIME",
    "Attachments",
    "Body",
    "Extensions",
    "Mark",
    "Names",
    "array",
    "ascending",
    "attachments",
    "blob",
    "body",
    "body_id",
    "boolean",
    "code",
    "digest_field",
    "extensions",
    "integer",
    "mark",
    "names",
    "one_of",
    "optional",
    "party",
    "text",
    "time",
    "utc",
    "word",
]

MAX_TEXT: Final = 1000
MAX_TIME: Final = 253402300799  # 9999-12-31T23:59:59Z: the last that people and libraries can print
MAX_LIST: Final = 1 << 16

_PARTY: Final = re.compile(r"[A-Z][A-Z0-9]{0,15}")
_BODY: Final = re.compile(r"[A-Z][A-Z0-9-]{0,31}")
_CODE: Final = re.compile(r"[A-Za-z0-9._-]{1,16}")
_WORD: Final = re.compile(r"[a-z][a-z0-9-]{0,31}")
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}")

Names = dict[str, str]
Extensions = dict[str, Any]
Attachments = tuple[tuple[str, bytes], ...]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, order=True)
class Body:
    """A body of a party: an authority, ministry or organisation that sends or receives (A1.6, A1.7)."""

    party: str
    id: str

    def __str__(self) -> str:
        """`PARTY/BODY`, as people write it."""
        return f"{self.party}/{self.id}"

    def packed(self) -> list[Value]:
        """The wire form."""
        return [self.party, self.id]


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """A secrecy mark: a degree in its own party's numbering (A1.4). Never compared across parties."""

    party: str
    code: str

    def __str__(self) -> str:
        """`PARTY:CODE`, as people write it."""
        return f"{self.party}:{self.code}"

    def packed(self) -> list[Value]:
        """The wire form."""
        return [self.party, self.code]


def _no(what: str, expected: str) -> Malformed:
    return Malformed(f"{what} is not {expected}")


def array(value: Value, what: str, *, length: int | None = None, least: int = 0, most: int = MAX_LIST) -> list[Value]:
    """An array of exactly `length` items, or of `least` to `most`."""
    if not isinstance(value, list):
        raise _no(what, "an array")
    if length is not None and len(value) != length:
        raise _no(what, f"an array of {length} items")
    if length is None and not least <= len(value) <= most:
        raise _no(what, f"an array of {least} to {most} items")
    return value


def blob(value: Value, what: str, *, size: int | None = None, most: int | None = None) -> bytes:
    """Bytes, of exactly `size` or at most `most`."""
    if not isinstance(value, bytes):
        raise _no(what, "bytes")
    if size is not None and len(value) != size:
        raise _no(what, f"{size} bytes")
    if most is not None and len(value) > most:
        raise _no(what, f"at most {most} bytes")
    return value


def digest_field(value: Value, what: str) -> bytes:
    """A digest: 32 bytes."""
    return blob(value, what, size=32)


def boolean(value: Value, what: str) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise _no(what, "a boolean")
    return value


def integer(value: Value, what: str, *, least: int = 0, most: int = MAX_INTEGER) -> int:
    """An integer from `least` to `most`."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise _no(what, f"an integer from {least} to {most}")
    return value


def time(value: Value, what: str) -> int:
    """Seconds since 1970-01-01T00:00:00Z."""
    return integer(value, what, most=MAX_TIME)


def utc(at: int) -> str:
    """A time as people write it: `2026-01-01T00:00:00Z`."""
    from datetime import UTC, datetime  # noqa: PLC0415 - beside its only use

    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def text(value: Value, what: str, *, empty: bool = False, most: int = MAX_TEXT) -> str:
    """Text for people, of at most `most` characters."""
    if not isinstance(value, str) or len(value) > most or (not value and not empty):
        raise _no(what, f"text of {0 if empty else 1} to {most} characters")
    return value


def _matching(value: Value, what: str, pattern: re.Pattern[str], expected: str) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise _no(what, expected)
    return value


def party(value: Value, what: str) -> str:
    """Id of a party."""
    return _matching(value, what, _PARTY, "the id of a party (capital letters and digits)")


def body_id(value: Value, what: str) -> str:
    """Id of a body inside its party."""
    return _matching(value, what, _BODY, "the id of a body (capital letters, digits, hyphens)")


def code(value: Value, what: str) -> str:
    """Code of a degree."""
    return _matching(value, what, _CODE, "the code of a degree (1 to 16 letters, digits, . _ -)")


def word(value: Value, what: str) -> str:
    """A word of a list: channel, transport method, purpose and the like."""
    return _matching(value, what, _WORD, "a word of small letters, digits and hyphens")


def body(value: Value, what: str) -> Body:
    """A body with its party."""
    items = array(value, what, length=2)
    return Body(party(items[0], f"party of {what}"), body_id(items[1], f"id of {what}"))


def mark(value: Value, what: str) -> Mark:
    """A mark with its party."""
    items = array(value, what, length=2)
    return Mark(party(items[0], f"party of {what}"), code(items[1], f"code of {what}"))


def one_of(value: Value, what: str, allowed: Collection[str]) -> str:
    """A word of a closed list."""
    if not isinstance(value, str) or value not in allowed:
        raise _no(what, f"one of {', '.join(sorted(allowed))}")
    return value


def optional(value: Value, what: str, field: Callable[[Value, str], T]) -> T | None:
    """Nil, or the field."""
    return None if value is None else field(value, what)


def names(value: Value, what: str) -> Names:
    """Text by language tag, 1 to 16 of them."""
    if not isinstance(value, dict) or not 1 <= len(value) <= 16:  # noqa: PLR2004 - the limit of the spec
        raise _no(what, "a map of 1 to 16 texts by language")
    return {_matching(tag, f"language of {what}", _LANGUAGE, "a language tag"): text(item, what) for tag, item in value.items()}


def ascending(keys: Sequence[Any], what: str) -> None:
    """Raise unless the keys are strictly ascending, so distinct too."""
    if any(not a < b for a, b in itertools.pairwise(keys)):
        raise _no(what, "in strictly ascending order")


def attachments(value: Value, what: str = "attachments") -> Attachments:
    """Attachments of a dispatch or receipt: (kind, bytes), at most one of a kind."""
    items = []
    for item in array(value, what, most=8):
        pair = array(item, "attachment", length=2)
        items.append((word(pair[0], "kind of attachment"), blob(pair[1], "attachment", most=65536)))
    ascending([kind for kind, _ in items], what)
    return tuple(items)


def extensions(value: Value) -> Extensions:
    """The map that ends a structure: only remarks, whose keys begin with `~`."""
    if not isinstance(value, dict) or len(value) > 16:  # noqa: PLR2004 - the limit of the spec
        raise _no("extensions", "a map of at most 16 entries")
    if not value:
        return value
    _only_remarks(value)
    if len(pack(value)) > 4096:  # noqa: PLR2004 - the limit of the spec
        raise _no("extensions", "at most 4096 bytes")
    return value


def _only_remarks(value: Mapping[str, Value]) -> None:
    for key in value:
        if not key.startswith("~"):
            message = f"unknown extension {key!r}"
            raise Malformed(message)
