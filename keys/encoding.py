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
_PLAIN: Final = {type(None), bool, bytes}

# What a decoded object is made of: None, bool, int, bytes, str, list and dict with str keys. Fields are narrowed in `fields`.
Value = Any


def pack(value: Value) -> bytes:
    """The canonical encoding of a value made of None, bool, int, bytes, str, list or tuple, and dict with str keys.

    Map keys are sorted here; all else has to be within the rules already.

    Raises:
        Malformed: the value has no canonical encoding (encoding.md, The one spelling).
    """
    return _encode(value if _check(value) else _in_order(value))


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
        in_order = _check(value)
    except Malformed as error:
        message = f"{what} is not canonical MessagePack: {error.message}"
        raise Malformed(message) from error
    if not in_order:
        message = f"{what} is not canonical MessagePack: map keys are not sorted"
        raise Malformed(message)
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


def _check(value: Value) -> bool:
    """Raise Malformed unless the value is within the rules; returns whether the keys of all its maps are in order.

    Level by level, since a call for each item would take most of the time of small objects and of those with many items.
    """
    in_order, depth, level = True, 0, [value]
    while level:
        below: list[Value] = []
        for item in level:
            kind = type(item)
            if kind is str:
                if not _is_text(item):
                    message = "a string is not in normalization form NFC, or has unassigned characters"
                    raise Malformed(message)
            elif kind is int:
                if not 0 <= item <= MAX_INTEGER:
                    message = "an integer is out of range"
                    raise Malformed(message)
            elif kind is list or kind is tuple:
                _check_depth(depth)
                below += item
            elif kind is dict:
                _check_depth(depth)
                in_order = _check_keys(item) and in_order
                below += item.values()
            elif kind not in _PLAIN:
                message = f"a value of type {kind.__name__}"
                raise Malformed(message)
        level, depth = below, depth + 1
    return in_order


def _check_depth(depth: int) -> None:
    if depth == MAX_DEPTH:
        message = f"nested deeper than {MAX_DEPTH}"
        raise Malformed(message)


def _check_keys(value: dict[Any, Value]) -> bool:
    """Raise Malformed unless the keys of a map are text; returns whether they are in order."""
    if not all(type(key) is str and _is_text(key) for key in value):
        message = "a map key is not a string in normalization form NFC"
        raise Malformed(message)
    return sorted(value, key=_utf8) == list(value)


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
