"""Tables of a plan, and shapes of what stands in them: each key is taken once, and what is left over means nothing and is refused."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar

from valiza.keys import fields
from valiza.keys.encoding import pack
from valiza.keys.errors import Malformed
from valiza.keys.root import MAX_VERSIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from valiza.keys.fields import Names

__all__ = [
    "ENTROPY",
    "Table",
    "count",
    "degrees",
    "digest",
    "entropy",
    "file",
    "files",
    "flag",
    "inputs",
    "names",
    "person_id",
    "roots",
    "text",
    "time",
]

ENTROPY: Final = ("dice", "keyboard")  # what custodians may add to what the system draws
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
T = TypeVar("T")


class Table:
    """A table of a plan, from which each key is taken once; what is left over means nothing and is refused."""

    def __init__(self, value: object, where: str) -> None:
        if not isinstance(value, dict):
            message = f"{where} is no table"
            raise Malformed(message)
        self._items: dict[str, Any] = dict(value)
        self.where = where

    def take(self, key: str, read: Callable[[Any, str], T]) -> T:
        """A key that has to be there."""
        if key not in self._items:
            message = f"{self.where} has no {key}"
            raise Malformed(message)
        return read(self._items.pop(key), f"{key} of {self.where}")

    def maybe(self, key: str, read: Callable[[Any, str], T], otherwise: T) -> T:
        """A key that may be left out."""
        return self.take(key, read) if key in self._items else otherwise

    def tables(self, key: str) -> list[Table]:
        """An array of tables, perhaps empty."""
        items = self._items.pop(key, [])
        if not isinstance(items, list):
            message = f"{key} of {self.where} is no array of tables"
            raise Malformed(message)
        return [Table(item, f"{key} {index + 1}") for index, item in enumerate(items)]

    def done(self) -> None:
        """Refuse what was not taken."""
        if self._items:
            message = f"{self.where} has keys that mean nothing here: {', '.join(sorted(map(str, self._items)))}"
            raise Malformed(message)


def text(value: object, what: str) -> str:
    """Text for people."""
    found = fields.text(value, what)
    pack(found)  # what no statement could hold is refused here
    return found


def names(value: object, what: str) -> Names:
    """Names by language."""
    found = fields.names(dict(sorted(value.items())) if isinstance(value, dict) else value, what)
    pack(found)
    return found


def digest(value: object, what: str) -> bytes:
    """A digest in 64 hexadecimal digits."""
    return _hex(value, what, 32)


def person_id(value: object, what: str) -> bytes | None:
    """A custodian's id in 32 hexadecimal digits."""
    return _hex(value, what, 16)


def _hex(value: object, what: str, size: int) -> bytes:
    if not isinstance(value, str) or len(value) != 2 * size or not set(value) <= set("0123456789abcdef"):
        message = f"{what} is not {2 * size} small hexadecimal digits"
        raise Malformed(message)
    return bytes.fromhex(value)


def file(value: object, what: str) -> str:
    """The name of a file beside the plan."""
    name = text(value, what)
    if name in {".", ".."} or "/" in name or "\0" in name:
        message = f"{what} is not the name of a file beside the plan"
        raise Malformed(message)
    return name


def roots(value: object, what: str) -> tuple[str, ...]:
    """One file, or those of all versions, the first one first."""
    if isinstance(value, str):
        return (file(value, what),)
    found = tuple(file(item, what) for item in _array(value, what, MAX_VERSIONS))
    if not found:
        message = f"{what} names no file"
        raise Malformed(message)
    return found


def files(value: object, what: str) -> tuple[str, ...]:
    """At most four of them."""
    return tuple(file(item, what) for item in _array(value, what, 4))


def inputs(value: object, what: str) -> dict[str, bytes]:
    """Digests by file."""
    if not isinstance(value, dict):
        message = f"{what} is no table"
        raise Malformed(message)
    return {file(name, what): digest(found, f"{name} of {what}") for name, found in sorted(value.items())}


def degrees(value: object, what: str) -> tuple[str, ...]:
    """Codes of degrees."""
    return tuple(fields.code(item, what) for item in _array(value, what, 16))


def entropy(value: object, what: str) -> tuple[str, ...]:
    """Sources of entropy, in order, each once."""
    found = tuple(fields.one_of(item, what, ENTROPY) for item in _array(value, what, len(ENTROPY)))
    if any(not a < b for a, b in itertools.pairwise(found)):
        message = f"{what} is not in order, or stands twice"
        raise Malformed(message)
    return found


def _array(value: object, what: str, most: int) -> list[Any]:
    if not isinstance(value, list) or len(value) > most:
        message = f"{what} is not an array of at most {most}"
        raise Malformed(message)
    return value


def count(value: object, what: str) -> int:
    """A number from 1 on."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        message = f"{what} is not a number from 1 on"
        raise Malformed(message)
    return value


def flag(value: object, what: str) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        message = f"{what} is neither true nor false"
        raise Malformed(message)
    return value


def time(value: object, what: str) -> int:
    """A time, in seconds since 1970."""
    if not isinstance(value, datetime) or value.tzinfo is None or value.microsecond:
        message = f"{what} is not a time: write 2026-01-01T00:00:00Z"
        raise Malformed(message)
    seconds = int((value - _EPOCH).total_seconds())
    if not 0 <= seconds <= fields.MAX_TIME:
        message = f"{what} is before 1970 or after 9999"
        raise Malformed(message)
    return seconds
