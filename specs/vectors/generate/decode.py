"""A strict decoder of the one spelling, and the shared shapes (encoding.md). Every failure is `Malformed`.

It checks each header as it reads it, and does not encode again and compare: so it is another parser than one that does.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TypeAlias, TypeVar

from nacl.bindings import crypto_core_ed25519_is_valid_point, crypto_scalarmult

from outcome import Malformed
from wire import encode

Value: TypeAlias = "int | bool | bytes | str | list[Value] | dict[str, Value] | None"
T = TypeVar("T")

DEPTH = 16
YEAR_9999 = 253402300799
WORD = re.compile(r"[a-z][a-z0-9-]{0,31}")
PARTY = re.compile(r"[A-Z][A-Z0-9]{0,15}")
BODY_ID = re.compile(r"[A-Z][A-Z0-9-]{0,31}")
CODE = re.compile(r"[A-Za-z0-9._-]{1,16}")
LANGUAGE = re.compile(r"[a-z]{2,3}")

_SIZED = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4, 0xDC: 2, 0xDD: 4, 0xDE: 2, 0xDF: 4}
_INTEGERS = {0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8}
_LEAST = {0xC4: 0, 0xC5: 1 << 8, 0xC6: 1 << 16, 0xD9: 32, 0xDA: 1 << 8, 0xDB: 1 << 16, 0xDC: 16, 0xDD: 1 << 16, 0xDE: 16, 0xDF: 1 << 16}
_LEAST_INTEGER = {0xCC: 1 << 7, 0xCD: 1 << 8, 0xCE: 1 << 16, 0xCF: 1 << 32}


class _Parser:
    """One pass over the input, forwards."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, count: int) -> bytes:
        if count > len(self.data) - self.at:
            raise Malformed("input ends inside an object")
        self.at += count
        return self.data[self.at - count : self.at]

    def value(self, depth: int) -> Value:
        """One object, of which at most *depth* levels of arrays and maps are left."""
        marker = self.take(1)[0]
        if marker < 0x80:
            return marker
        if marker in {0xC0, 0xC2, 0xC3}:
            return {0xC0: None, 0xC2: False, 0xC3: True}[marker]
        if marker in _INTEGERS:
            return self.integer(marker)
        if marker >= 0xE0 or (marker not in _SIZED and marker >= 0xC0):
            raise Malformed(f"type {marker:#x} is not allowed")
        return self.sized(marker, depth)

    def integer(self, marker: int) -> int:
        number = int.from_bytes(self.take(_INTEGERS[marker]), "big")
        if not _LEAST_INTEGER[marker] <= number < 1 << 63:
            raise Malformed("integer too large, or not in its shortest form")
        return number

    def sized(self, marker: int, depth: int) -> Value:
        if marker in _SIZED:
            length = int.from_bytes(self.take(_SIZED[marker]), "big")
            if length < _LEAST[marker]:
                raise Malformed("length not in its shortest form")
        else:
            length = marker & (0x1F if marker >= 0xA0 else 0x0F)
        if marker in {0xC4, 0xC5, 0xC6}:
            return self.take(length)
        if 0xA0 <= marker < 0xC0 or marker in {0xD9, 0xDA, 0xDB}:
            return self.text(length)
        if depth == 0:
            raise Malformed("nested too deep")
        if 0x90 <= marker < 0xA0 or marker in {0xDC, 0xDD}:
            return [self.value(depth - 1) for _ in range(length)]
        return self.map(length, depth - 1)

    def text(self, length: int) -> str:
        try:
            text = self.take(length).decode("utf-8", "strict")
        except UnicodeDecodeError as error:
            raise Malformed("text is not UTF-8") from error
        if any(unicodedata.category(character) == "Cn" for character in text):
            raise Malformed("text with a code point that is not assigned")
        if not unicodedata.is_normalized("NFC", text):
            raise Malformed("text is not in NFC")
        return text

    def map(self, length: int, depth: int) -> dict[str, Value]:
        out: dict[str, Value] = {}
        last: bytes | None = None
        for _ in range(length):
            key = self.value(depth)
            if not isinstance(key, str):
                raise Malformed("a map's key is not text")
            if last is not None and key.encode() <= last:
                raise Malformed("a map's keys are not ascending")
            last = key.encode()
            out[key] = self.value(depth)
        return out


def decode(data: bytes, limit: int | None = None) -> Value:
    """encoding.md, Reading."""
    if limit is not None and len(data) > limit:
        raise Malformed(f"longer than {limit} bytes")
    parser = _Parser(data)
    value = parser.value(DEPTH)
    if parser.at != len(data):
        raise Malformed("bytes after the object")
    return value


def need(condition: bool, reason: str) -> None:  # noqa: FBT001 - as `assert` takes it
    """Malformed, unless the condition holds."""
    if not condition:
        raise Malformed(reason)


def array(value: Value, least: int = 0, most: int | None = None) -> list[Value]:
    """An array of *least* to *most* items."""
    if not isinstance(value, list) or len(value) < least or (most is not None and len(value) > most):
        raise Malformed("not an array of the right length")
    return value


def fields(value: Value, count: int) -> list[Value]:
    """An array of exactly *count* items."""
    return array(value, count, count)


def binary(value: Value, length: int | None = None) -> bytes:
    """A `bin`, of exactly *length* bytes where one is given."""
    if not isinstance(value, bytes) or (length is not None and len(value) != length):
        raise Malformed("not a bin of the right length")
    return value


def digest_of(value: Value) -> bytes:
    """A digest."""
    return binary(value, 32)


def integer(value: Value, least: int = 0, most: int = (1 << 63) - 1) -> int:
    """An integer in bounds; a boolean is none."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise Malformed("not an integer in bounds")
    return value


def boolean(value: Value) -> bool:
    """A boolean."""
    if not isinstance(value, bool):
        raise Malformed("not a boolean")
    return value


def time(value: Value) -> int:
    """A time."""
    return integer(value, 0, YEAR_9999)


def text(value: Value, most: int = 1000, least: int = 1) -> str:
    """A text; with *least* 0, text or empty."""
    if not isinstance(value, str) or not least <= len(value) <= most:
        raise Malformed("not a text of the right length")
    return value


def matching(value: Value, pattern: re.Pattern[str]) -> str:
    """A `str` that a pattern describes."""
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise Malformed(f"not {pattern.pattern}")
    return value


def word(value: Value) -> str:
    """A word."""
    return matching(value, WORD)


def one_of(value: Value, words: Sequence[str]) -> str:
    """A word of a closed list."""
    if not isinstance(value, str) or value not in words:
        raise Malformed(f"not one of {', '.join(words)}")
    return value


def optional(value: Value, shape: Callable[[Value], T]) -> T | None:
    """A shape, or nil."""
    return None if value is None else shape(value)


def ascending(values: Sequence[T], key: Callable[[T], bytes | tuple[bytes, ...] | int]) -> None:
    """Strictly ascending, so distinct too."""
    keys = [key(value) for value in values]
    need(all(a < b for a, b in pairwise(keys)), "not strictly ascending")  # type: ignore[operator]


def body(value: Value) -> tuple[str, str]:
    """A body: party and body id."""
    party, body_id = fields(value, 2)
    return matching(party, PARTY), matching(body_id, BODY_ID)


def mark(value: Value) -> tuple[str, str]:
    """A mark: party and code."""
    party, code = fields(value, 2)
    return matching(party, PARTY), matching(code, CODE)


def names(value: Value) -> dict[str, str]:
    """Texts by language tag."""
    if not isinstance(value, dict) or not 1 <= len(value) <= 16:
        raise Malformed("not names")
    return {matching(key, LANGUAGE): text(item) for key, item in value.items()}


def attachments(value: Value) -> None:
    """Attachments: none is known in version 1, so nothing is kept of them."""
    items = [fields(item, 2) for item in array(value, 0, 8)]
    ascending([word(kind) for kind, _ in items], str.encode)
    need(all(len(binary(data)) <= 65536 for _, data in items), "attachment too large")


def extensions(value: Value) -> None:
    """Extensions: only keys that begin with `~`."""
    if not isinstance(value, dict) or len(value) > 16 or len(encode(value)) > 4096:
        raise Malformed("not extensions")
    need(all(key.startswith("~") for key in value), "an extension that version 1 does not know")


def signing_key(value: Value) -> bytes:
    """A public key of kind `MLDSA65-Ed25519` (credential.md, Public keys)."""
    kind, key = fields(value, 2)
    need(kind == "MLDSA65-Ed25519", "another kind of key")
    data = binary(key, 1984)
    # libsodium: canonical, on the curve, in the prime-order subgroup, not of small order
    need(crypto_core_ed25519_is_valid_point(data[1952:]), "an Ed25519 half that is not the canonical encoding of a point of prime order")
    return data


def log_key(value: Value) -> bytes:
    """A public key of kind `MLDSA44-Ed25519-log`."""
    kind, key = fields(value, 2)
    need(kind == "MLDSA44-Ed25519-log", "another kind of key")
    data = binary(key, 1344)
    need(crypto_core_ed25519_is_valid_point(data[1312:]), "an Ed25519 half that is not the canonical encoding of a point of prime order")
    return data


def key_for(purpose: str, value: Value) -> bytes:
    """A public key of the kind that a purpose has."""
    return {"open": opening_key, "register": log_key}.get(purpose, signing_key)(value)


def opening_key(value: Value) -> bytes:
    """A public key of kind `X-Wing`."""
    kind, key = fields(value, 2)
    need(kind == "X-Wing", "another kind of key")
    data = binary(key, 1216)
    packed = int.from_bytes(data[:1152], "little")
    need(all(packed >> (12 * i) & 0xFFF < 3329 for i in range(768)), "an ML-KEM coefficient out of range")
    x25519_key(data[1184:])
    return data


def x25519_key(data: bytes) -> None:
    """An X25519 public key: canonical, and not of low order."""
    need(int.from_bytes(data, "little") < 2**255 - 19, "an X25519 key that is not canonical")
    try:
        crypto_scalarmult(b"\x01" * 32, data)  # refuses a product of zero; low order gives zero with every clamped scalar
    except RuntimeError as error:
        raise Malformed("an X25519 key of low order") from error
