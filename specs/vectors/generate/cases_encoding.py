"""Vectors of the encoding: the one spelling, and every other (encoding.md)."""

from __future__ import annotations

import wire
from cases import Cases, Topic

TOPIC = Topic("encoding", "encoding", {})
EDGES = [0, 127, 128, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**63 - 1]


def _nested(depth: int) -> bytes:
    return b"\x91" * (depth - 1) + b"\x90"


def _accepted() -> Cases:
    yield TOPIC.good("example", wire.encode([1, "Құпия", b"\0\xff", {"a": None}]), "the example of encoding.md")
    yield TOPIC.good("integers", wire.encode(EDGES), "integers at the edges of each form, up to 2^63 - 1")
    yield TOPIC.good("strings", wire.encode(["", "a" * 31, "a" * 32, "a" * 255, "a" * 256]), "text at the edges of each form")
    yield TOPIC.good("binaries", wire.encode([b"", b"a" * 255, b"a" * 256]), "bin at the edges of each form")
    yield TOPIC.good("arrays", wire.encode([[], [0] * 15, [0] * 16]), "arrays at the edges of each form")
    yield TOPIC.good("map_16", wire.encode({f"{i:02}": None for i in range(16)}), "a map of 16 entries")
    yield TOPIC.good("empty_map", wire.encode({}), "an empty map")
    yield TOPIC.good("scalar", wire.encode(None), "one scalar")
    yield TOPIC.good("depth_16", _nested(16), "16 arrays, the innermost empty")
    yield TOPIC.good("depth_16_scalar", b"\x91" * 16 + b"\xc0", "a scalar in 16 arrays")
    yield TOPIC.good("map_order_bytes", wire.encode({"aa": 1, "b": 2, "～": 3, "\U00010330": 4}), "keys by UTF-8 bytes, not by length nor by UTF-16")


def _integers() -> Cases:
    for name, data, comment in (
        ("uint8_short", "cc7f", "127 in two bytes"),
        ("uint16_short", "cd00ff", "255 in three bytes"),
        ("uint32_short", "ce0000ffff", "65535 in five bytes"),
        ("uint64_short", "cf00000000ffffffff", "2^32 - 1 in nine bytes"),
        ("int8_positive", "d07f", "127 as a signed integer"),
        ("int16_positive", "d100ff", "255 as a signed integer"),
        ("int32_positive", "d200010000", "65536 as a signed integer"),
        ("int64_positive", "d30000000100000000", "2^32 as a signed integer"),
        ("negative_fix", "ff", "-1"),
        ("negative_8", "d080", "-128"),
        ("negative_64", "d38000000000000000", "-2^63"),
        ("uint64_over", "cf8000000000000000", "2^63, one too large"),
        ("float32", "ca3f800000", "1.0 as a float"),
        ("float64", "cb3ff0000000000000", "1.0 as a double"),
        ("never_used", "c1", "the marker that MessagePack never uses"),
        ("fixext1", "d40100", "an extension type"),
        ("timestamp", "d6ff00000000", "an extension type: a timestamp"),
        ("ext8", "c70101ff", "an extension type with a length"),
    ):
        yield TOPIC.bad(name, bytes.fromhex(data), "malformed", comment)


def _lengths() -> Cases:
    for name, data, comment in (
        ("str8_short", b"\xd9\x1f" + b"a" * 31, "31 bytes of text with a one-byte length"),
        ("str16_short", b"\xda\x00\xff" + b"a" * 255, "255 bytes of text with a two-byte length"),
        ("str32_short", b"\xdb\x00\x00\x00\x01a", "one byte of text with a four-byte length"),
        ("bin16_short", b"\xc5\x00\x01a", "one byte with a two-byte length"),
        ("bin32_short", b"\xc6\x00\x00\x00\x01a", "one byte with a four-byte length"),
        ("array16_short", b"\xdc\x00\x0f" + b"\xc0" * 15, "15 items with a two-byte length"),
        ("array32_short", b"\xdd\x00\x00\x00\x01\xc0", "one item with a four-byte length"),
        ("map16_short", b"\xde\x00\x01\xa1a\xc0", "one entry with a two-byte length"),
        ("map32_short", b"\xdf\x00\x00\x00\x01\xa1a\xc0", "one entry with a four-byte length"),
        ("empty", b"", "no object"),
        ("truncated_str", b"\xa5abc", "text that ends too early"),
        ("truncated_array", b"\x92\xc0", "an array that ends too early"),
        ("array_huge", b"\xdd\xff\xff\xff\xff", "a length of 2^32 - 1 with nothing behind it: nothing may be allocated for it"),
        ("trailing", b"\xc0\xc0", "two objects"),
        ("depth_17", _nested(17), "17 arrays, the innermost empty"),
        ("depth_17_scalar", b"\x91" * 17 + b"\xc0", "a scalar in 17 arrays"),
        ("depth_17_map", b"\x81\xa1a" * 17 + b"\xc0", "a scalar in 17 maps"),
    ):
        yield TOPIC.bad(name, data, "malformed", comment)


def _texts_and_maps() -> Cases:
    for name, data, comment in (
        ("nfd", wire.encode("и\u0306"), "и and a combining breve, not й: another normalization form"),
        ("nfd_key", wire.encode({"и\u0306": 1}), "a key that is not in NFC"),
        ("singleton", wire.encode("\u212b"), "ANGSTROM SIGN, which NFC replaces"),
        ("unassigned", wire.encode("\u0378"), "a code point that Unicode does not assign"),
        ("noncharacter", wire.encode("\uffff"), "a noncharacter, which is in category Cn as well"),
        ("utf8_invalid", b"\xa1\xff", "no UTF-8"),
        ("utf8_overlong", b"\xa2\xc0\x80", "NUL in two bytes"),
        ("utf8_surrogate", b"\xa3\xed\xa0\x80", "half a surrogate pair"),
        ("utf8_beyond", b"\xa4\xf4\x90\x80\x80", "a code point beyond U+10FFFF"),
        ("key_twice", b"\x82\xa1a\x01\xa1a\x02", "a key twice"),
        ("keys_unsorted", b"\x82\xa1b\x01\xa1a\x02", "keys that are not sorted"),
        ("keys_by_length", b"\x82\xa1b\x01\xa2aa\x02", "keys sorted by length first"),
        ("keys_utf16", wire.encode({"\U00010330": 1, "～": 2}), "keys sorted by UTF-16"),
        ("key_integer", b"\x81\x01\x01", "a key that is a number"),
        ("key_binary", b"\x81\xc4\x01a\x01", "a key that is a bin"),
    ):
        yield TOPIC.bad(name, data, "malformed", comment)


def cases() -> Cases:
    """All of them."""
    yield from _accepted()
    yield from _integers()
    yield from _lengths()
    yield from _texts_and_maps()
