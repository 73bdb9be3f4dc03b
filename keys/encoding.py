"""The one strict MessagePack codec (specs/encoding.md): one accepted spelling for each value."""

from __future__ import annotations

import unicodedata
from typing import Any, Final

import msgpack

from valiza.keys.errors import Malformed

__all__ = ["MAX_DEPTH", "MAX_INTEGER", "Value", "pack", "unpack"]

MAX_DEPTH: Final = 16
MAX_INTEGER: Final = 2**63 - 1
_NOT_TEXT: Final = {"Cn", "Cs"}

# What a decoded object is made of: None, bool, int, bytes, str, list and dict with str keys. Fields are narrowed in `fields`.
Value = Any


def pack(value: Value) -> bytes:
    """The canonical encoding of a value made of None, bool, int, bytes, str, list or tuple, and dict with str keys.

    Map keys are sorted here; all else has to be within the rules already.

    Raises:
        Malformed: the value has no canonical encoding (encoding.md, The one spelling).
    """
    return _encode(_checked(value, MAX_DEPTH, sort=True))


def unpack(data: bytes, *, max_bytes: int, what: str) -> Value:
    """Decode one object from exactly `data`, refusing every spelling but the canonical one (encoding.md, Reading).

    Args:
        data: the bytes, as received.
        max_bytes: limit of the object read, in bytes.
        what: name of the object, for the error.

    Raises:
        Malformed: too long, not MessagePack, or not canonical.
    """
    if len(data) > max_bytes:  # step 1
        message = f"{what} has {len(data)} bytes, more than the limit of {max_bytes}"
        raise Malformed(message)
    try:  # step 2
        value = msgpack.unpackb(data, raw=False, strict_map_key=True, object_pairs_hook=_unique_pairs, ext_hook=_no_extension)
    except (ValueError, RecursionError, msgpack.UnpackException) as error:
        message = f"{what} is not canonical MessagePack"
        raise Malformed(message) from error
    try:
        _checked(value, MAX_DEPTH, sort=False)
    except Malformed as error:
        message = f"{what} is not canonical MessagePack: {error.message}"
        raise Malformed(message) from error
    if _encode(value) != data:  # step 3: catches long forms, whatever the decoder let through
        message = f"{what} is not in its shortest MessagePack spelling"
        raise Malformed(message)
    return value


def _encode(value: Value) -> bytes:
    return msgpack.packb(value, use_bin_type=True)


def _unique_pairs(pairs: list[tuple[Value, Value]]) -> dict[str, Value]:
    items = dict(pairs)
    if len(items) != len(pairs):
        message = "a map key appears twice"
        raise ValueError(message)
    return items


def _no_extension(code: int, _data: bytes) -> None:
    message = f"extension type {code}"
    raise ValueError(message)


def _checked(value: Value, depth: int, *, sort: bool) -> Value:  # noqa: C901 - one case for each type reads best in one place
    """The value if it is within the rules; with `sort`, with its map keys in order and tuples as lists."""
    if value is None or isinstance(value, bool | bytes):
        return value
    if isinstance(value, int):
        if not 0 <= value <= MAX_INTEGER:
            message = "an integer is out of range"
            raise Malformed(message)
        return value
    if isinstance(value, str):
        if not _is_text(value):
            message = "a string is not in normalization form NFC, or has unassigned characters"
            raise Malformed(message)
        return value
    if depth == 0:
        message = f"nested deeper than {MAX_DEPTH}"
        raise Malformed(message)
    if isinstance(value, list | tuple):
        return [_checked(item, depth - 1, sort=sort) for item in value]
    if isinstance(value, dict):
        if not all(isinstance(key, str) and _is_text(key) for key in value):
            message = "a map key is not a string in normalization form NFC"
            raise Malformed(message)
        ordered = sorted(value, key=_utf8)
        if not sort and ordered != list(value):
            message = "map keys are not sorted"
            raise Malformed(message)
        return {key: _checked(value[key], depth - 1, sort=sort) for key in ordered}
    message = f"a value of type {type(value).__name__}"
    raise Malformed(message)


def _is_text(value: str) -> bool:
    # Unassigned code points may be decomposed by a later Unicode version: what has none keeps its form for ever.
    return value.isascii() or (unicodedata.is_normalized("NFC", value) and not any(unicodedata.category(c) in _NOT_TEXT for c in value))


def _utf8(key: str) -> bytes:
    return key.encode("utf-8")
