"""The one strict MessagePack codec (specs/encoding.md): one accepted spelling for each value."""

from __future__ import annotations

import unicodedata
from typing import Any, Final

import msgpack

from valiza.keys.errors import Malformed

__all__ = ["MAX_DEPTH", "MAX_INTEGER", "MAX_ITEMS", "Value", "pack", "unpack"]

MAX_DEPTH: Final = 16
MAX_INTEGER: Final = 2**63 - 1
MAX_ITEMS: Final = 1 << 17  # of all arrays and maps of an object together; decoded, an item takes some hundred times its bytes
_NOT_TEXT: Final = {"Cn", "Cs"}

# What a decoded object is made of: None, bool, int, bytes, str, list and dict with str keys. Fields are narrowed in `fields`.
Value = Any


def pack(value: Value) -> bytes:
    """The canonical encoding of a value made of None, bool, int, bytes, str, list or tuple, and dict with str keys.

    Map keys are sorted here; all else has to be within the rules already.

    Raises:
        Malformed: the value has no canonical encoding (encoding.md, The one spelling).
    """
    _check(value, MAX_DEPTH, in_order=False)
    return _encode(_in_order(value))


def unpack(data: bytes, *, max_bytes: int, what: str, max_items: int = MAX_ITEMS) -> Value:
    """Decode one object from exactly `data`, refusing every spelling but the canonical one (encoding.md, Reading).

    Args:
        data: the bytes, as received.
        max_bytes: limit of the object read, in bytes.
        what: name of the object, for the error.
        max_items: limit of the items in all its arrays and maps together.

    Raises:
        Malformed: too long, too many items, not MessagePack, or not canonical.
    """
    if len(data) > max_bytes:  # step 1
        message = f"{what} has {len(data)} bytes, more than the limit of {max_bytes}"
        raise Malformed(message)
    budget = _Budget(max_items)
    try:  # step 2
        _require_whole(data)
        value = msgpack.unpackb(
            data,
            raw=False,
            strict_map_key=True,
            max_array_len=max_items,  # refused at its head, before it is allocated
            max_map_len=max_items,
            list_hook=budget.array,
            object_pairs_hook=budget.map,
            ext_hook=_no_extension,
        )
    except (ValueError, RecursionError, msgpack.UnpackException) as error:
        message = f"{what} is not canonical MessagePack"
        raise Malformed(message) from error
    try:
        _check(value, MAX_DEPTH, in_order=True)
    except Malformed as error:
        message = f"{what} is not canonical MessagePack: {error.message}"
        raise Malformed(message) from error
    if _encode(value) != data:  # step 3: catches long forms, whatever the decoder let through
        message = f"{what} is not in its shortest MessagePack spelling"
        raise Malformed(message)
    return value


def _require_whole(data: bytes) -> None:
    """Walk once over the object without making it: heads alone, one in the other, must not allocate what does not follow."""
    walker = msgpack.Unpacker(max_buffer_size=len(data), read_size=len(data))
    walker.feed(data)
    walker.skip()


class _Budget:
    """Counts items as they are decoded: a few bytes of a hostile object must not become hundreds of times as much memory."""

    def __init__(self, items: int) -> None:
        self._left = items

    def _spend(self, items: int) -> None:
        self._left -= items + 1
        if self._left < 0:
            message = "too many items"
            raise ValueError(message)

    def array(self, items: list[Value]) -> list[Value]:
        self._spend(len(items))
        return items

    def map(self, pairs: list[tuple[Value, Value]]) -> dict[str, Value]:
        self._spend(len(pairs))
        return dict(pairs)  # a key that appears twice is missing when the value is packed again


def _encode(value: Value) -> bytes:
    return msgpack.packb(value, use_bin_type=True)


def _no_extension(code: int, _data: bytes) -> None:
    message = f"extension type {code}"
    raise ValueError(message)


def _check(value: Value, depth: int, *, in_order: bool) -> None:  # noqa: C901 - one case for each type reads best in one place
    """Raise Malformed unless the value is within the rules; with `in_order`, map keys too."""
    if value is None or isinstance(value, bool | bytes):
        return
    if isinstance(value, int):
        if not 0 <= value <= MAX_INTEGER:
            message = "an integer is out of range"
            raise Malformed(message)
    elif isinstance(value, str):
        if not _is_text(value):
            message = "a string is not in normalization form NFC, or has unassigned characters"
            raise Malformed(message)
    elif depth == 0:
        message = f"nested deeper than {MAX_DEPTH}"
        raise Malformed(message)
    elif isinstance(value, list | tuple):
        for item in value:
            _check(item, depth - 1, in_order=in_order)
    elif isinstance(value, dict):
        _check_keys(value, in_order=in_order)
        for item in value.values():
            _check(item, depth - 1, in_order=in_order)
    else:
        message = f"a value of type {type(value).__name__}"
        raise Malformed(message)


def _check_keys(value: dict[Any, Value], *, in_order: bool) -> None:
    if not all(isinstance(key, str) and _is_text(key) for key in value):
        message = "a map key is not a string in normalization form NFC"
        raise Malformed(message)
    if in_order and sorted(value, key=_utf8) != list(value):
        message = "map keys are not sorted"
        raise Malformed(message)


def _in_order(value: Value) -> Value:
    """The value with the keys of its maps sorted."""
    if isinstance(value, list | tuple):
        return [_in_order(item) for item in value]
    if isinstance(value, dict):
        return {key: _in_order(value[key]) for key in sorted(value, key=_utf8)}
    return value


def _is_text(value: str) -> bool:
    # Unassigned code points may be decomposed by a later Unicode version: what has none keeps its form for ever.
    return value.isascii() or (unicodedata.is_normalized("NFC", value) and not any(unicodedata.category(c) in _NOT_TEXT for c in value))


def _utf8(key: str) -> bytes:
    return key.encode("utf-8")
