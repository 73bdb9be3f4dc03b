"""One spelling for each value: others' spellings are refused, and whatever is read packs to the same bytes."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
import unicodedata
from typing import Any, Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.support.keys import VECTORS

from valiza.keys.encoding import MAX_DEPTH, MAX_INTEGER, MAX_ITEMS, pack, unpack
from valiza.keys.errors import Malformed

SPELLINGS: Final = json.loads((VECTORS / "msgpack-spellings.json").read_text(encoding="utf-8"))
EXAMPLE: Final = bytes.fromhex("94 01 aa d2 9a d2 b1 d0 bf d0 b8 d1 8f c4 02 00 ff 81 a1 61 c0")

FLOATS: Final = b"\xca\xcb"  # a float is now and then shorter than the integer it equals

# Kinds that exist in Valiza, as the file calls them.
ALLOWED: Final = ("nil", "bool", "binary", "string", "array", "map")


def read(data: bytes) -> Any:
    return unpack(data, max_bytes=1 << 20, what="object")


def spelled(entry: dict[str, Any]) -> list[bytes]:
    return [bytes.fromhex(spelling.replace("-", "")) for spelling in entry["msgpack"]]


def value_of(entry: dict[str, Any]) -> Any:
    if "binary" in entry:
        return bytes.fromhex(entry["binary"].replace("-", ""))
    if "bignum" in entry:
        return int(entry["bignum"])
    return next(entry[kind] for kind in (*ALLOWED, "number") if kind in entry)


def is_allowed(entry: dict[str, Any]) -> bool:
    if any(kind in entry for kind in ALLOWED):
        return True
    if "bignum" in entry:
        return 0 <= int(entry["bignum"]) <= MAX_INTEGER
    return isinstance(entry.get("number"), int) and entry["number"] >= 0


ENTRIES: Final = [entry for entries in SPELLINGS.values() for entry in entries]
GOOD: Final = [entry for entry in ENTRIES if is_allowed(entry)]
BAD: Final = [entry for entry in ENTRIES if not is_allowed(entry)]


@pytest.mark.parametrize("entry", GOOD, ids=lambda entry: entry["msgpack"][0])
def test_of_the_spellings_of_a_value_only_one_is_read(entry: dict[str, Any]) -> None:
    value, spellings = value_of(entry), spelled(entry)
    canonical = pack(value)
    assert canonical in spellings
    assert len(canonical) == min(len(spelling) for spelling in spellings if spelling[0] not in FLOATS)
    assert read(canonical) == value
    for other in spellings:
        if other != canonical:
            with pytest.raises(Malformed):
                read(other)


@pytest.mark.parametrize("entry", BAD, ids=lambda entry: entry["msgpack"][0])
def test_what_is_no_value_here_is_read_in_no_spelling(entry: dict[str, Any]) -> None:
    """Negative numbers, floats, integers above 2^63 - 1, extension types, timestamps."""
    for spelling in spelled(entry):
        with pytest.raises(Malformed):
            read(spelling)


def test_others_spellings_hold_what_these_tests_need() -> None:
    assert (len(GOOD), len(BAD)) == (43, 42)


def test_example_of_the_specification() -> None:
    assert pack([1, "Құпия", b"\x00\xff", {"a": None}]) == EXAMPLE
    assert read(EXAMPLE) == [1, "Құпия", b"\x00\xff", {"a": None}]


# -- any value and any bytes ----------------------------------------------------------------------------------------------


def is_text(value: str) -> bool:
    return unicodedata.is_normalized("NFC", value) and not any(unicodedata.category(character) in {"Cn", "Cs"} for character in value)


texts = st.text(max_size=40).map(lambda value: unicodedata.normalize("NFC", value)).filter(is_text)
scalars = st.none() | st.booleans() | st.integers(0, MAX_INTEGER) | st.binary(max_size=300) | texts
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=20) | st.dictionaries(texts, inner, max_size=20), max_leaves=40)


@given(values)
@example([])
@example("é" * 40)
@example([{}] * 16)
@example(MAX_INTEGER)
def test_a_value_comes_back_as_it_was_packed(value: Any) -> None:
    packed = pack(value)
    back = read(packed)
    assert back == value
    assert pack(back) == packed


def test_tuples_are_arrays() -> None:
    assert pack((1, ("a", ()), {"b": (None,)})) == pack([1, ["a", []], {"b": [None]}])


def test_maps_are_sorted_however_deep_they_stand() -> None:
    assert pack([{"b": 1, "a": [{"d": 1, "c": 2}]}]) == pack([{"a": [{"c": 2, "d": 1}], "b": 1}])


def require_one_spelling(data: bytes) -> None:
    try:
        value = read(data)
    except Malformed:
        return
    assert pack(value) == data


@given(st.binary(max_size=64))
@example(b"\xc1")
@example(b"")
@example(b"\xdd\xff\xff\xff\xff")
@example(b"\x81" * 40)
@example(b"\xd6\xff\x00\x00\x00\x00")
def test_any_bytes_are_malformed_or_the_one_spelling(data: bytes) -> None:
    require_one_spelling(data)


@given(values.map(pack), st.data())
def test_an_altered_object_is_malformed_or_the_one_spelling_of_another(packed: bytes, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(packed) - 1))
    byte = data.draw(st.integers(0, 255))
    require_one_spelling(packed[:index] + bytes([byte]) + packed[index + 1 :])


@given(values.map(pack), st.binary(min_size=1, max_size=4))
def test_nothing_may_follow_the_object(packed: bytes, more: bytes) -> None:
    with pytest.raises(Malformed):
        read(packed + more)


@given(values.map(pack), st.data())
def test_a_cut_object_is_malformed(packed: bytes, data: st.DataObject) -> None:
    with pytest.raises(Malformed):
        read(packed[: data.draw(st.integers(0, len(packed) - 1))])


@given(st.dictionaries(texts, st.integers(0, 9), max_size=20))
def test_a_map_is_written_in_the_order_of_its_keys_utf_8(items: dict[str, int]) -> None:
    backwards = dict(sorted(items.items(), reverse=True))
    assert pack(backwards) == pack(items)
    assert list(read(pack(items))) == sorted(items, key=lambda key: key.encode())


# -- one rule after the other ---------------------------------------------------------------------------------------------

REFUSED: Final = {
    "a key twice": "82 a1 61 01 a1 61 01",
    "a key twice with another value": "82 a1 61 01 a1 61 02",
    "keys not sorted": "82 a1 62 01 a1 61 01",
    "keys sorted by length": "82 a1 62 01 a2 61 61 01",
    "keys sorted by UTF-16": "82 a4 f0 90 80 80 01 a3 ef bc a1 01",  # U+10000 before U+FF21
    "key of bytes": "81 c4 01 61 01",
    "key of an integer": "81 01 01",
    "key of nil": "81 c0 01",
    "key of an array": "81 90 01",
    "key not in NFC": "81 a3 65 cc 81 01",
    "string not in NFC": "a3 65 cc 81",
    "string with a surrogate": "a3 ed a0 80",
    "string with a pair of surrogates": "a6 ed a0 bd ed b8 80",
    "string with an unassigned code point": "a2 cd b8",  # U+0378
    "string with a noncharacter": "a3 ef bf bf",
    "string not in UTF-8": "a1 ff",
    "string with an overlong form": "a2 c0 80",
    "string beyond U+10FFFF": "a4 f4 90 80 80",
    "string cut inside a character": "a1 d0",
    "the byte that is never used": "c1",
    "a float": "cb 3f f0 00 00 00 00 00 00",
    "a float without fraction, in 32 bits": "ca 00 00 00 00",
    "minus one": "ff",
    "2^63": "cf 80 00 00 00 00 00 00 00",
    "an extension": "d4 01 00",
    "an extension of no bytes": "c7 00 01",
    "a timestamp": "d6 ff 00 00 00 00",
    "a timestamp of a length that there is not": "d4 ff 00",
    "an extension inside a map": "81 a1 61 d4 01 00",
    "nothing": "",
    "two objects": "01 01",
    "an array of 2^32 - 1 items in five bytes": "dd ff ff ff ff",
    "a map of 2^32 - 1 items in five bytes": "df ff ff ff ff",
    "a string of 2^32 - 1 bytes in five": "db ff ff ff ff",
    "bytes of 2^32 - 1 in five": "c6 ff ff ff ff",
    "an extension of 2^32 - 1 bytes in six": "c9 ff ff ff ff 01",
}


@pytest.mark.parametrize("spelling", REFUSED.values(), ids=REFUSED.keys())
def test_refused(spelling: str) -> None:
    with pytest.raises(Malformed):
        read(bytes.fromhex(spelling))


NO_VALUES: Final = {
    "float": 1.0,
    "negative": -1,
    "beyond 2^63 - 1": 2**63,
    "not NFC": "e\u0301",
    "surrogate": "\ud800",
    "unassigned": "\u0378",
    "noncharacter": "\U0010ffff",
    "key of an integer": {1: 1},
    "key not NFC": {"e\u0301": 1},
    "key of bytes": {b"a": 1},
    "set": {1},
    "object": object(),
    "bytearray": bytearray(b"a"),
}


@pytest.mark.parametrize("value", NO_VALUES.values(), ids=NO_VALUES.keys())
def test_a_value_outside_the_rules_is_not_packed(value: Any) -> None:
    for where in (value, [value], {"a": value}):
        with pytest.raises(Malformed):
            pack(where)


def nested(depth: int, inner: bytes = b"") -> bytes:
    """Arrays of that many levels around `inner`, or around nothing."""
    return b"\x91" * (depth - 1) + (b"\x90" if not inner else b"\x91" + inner)


def test_sixteen_levels_are_read_and_seventeen_are_not() -> None:
    assert pack(read(nested(MAX_DEPTH))) == nested(MAX_DEPTH)
    assert pack(read(nested(MAX_DEPTH, b"\x01"))) == nested(MAX_DEPTH, b"\x01")
    for deeper in (nested(MAX_DEPTH + 1), nested(MAX_DEPTH + 1, b"\x01"), nested(MAX_DEPTH, b"\x80"), b"\x81\xa1a" * MAX_DEPTH + b"\x80"):
        with pytest.raises(Malformed, match="nested deeper than 16"):
            read(deeper)


def test_sixteen_levels_of_maps_are_read_too() -> None:
    deepest = b"\x81\xa1a" * (MAX_DEPTH - 1)
    for inner in (b"\x80", b"\x81\xa1a\x01"):
        assert pack(read(deepest + inner)) == deepest + inner
        with pytest.raises(Malformed, match="nested deeper than 16"):
            read(b"\x81\xa1a" + deepest + inner)


def test_the_same_depth_is_packed() -> None:
    value: Any = 1
    for _ in range(MAX_DEPTH):
        value = [value]
    pack(value)
    with pytest.raises(Malformed, match="nested deeper than 16"):
        pack([value])


@pytest.mark.parametrize("opening", [b"\x91", b"\x81\xa1a", b"\xdc\x00\x01", b"\xdd\xff\xff\xff\x00"])
def test_nesting_without_end_is_malformed_and_nothing_worse(opening: bytes) -> None:
    with pytest.raises(Malformed):
        read(opening * (1 << 16))


def test_an_object_may_have_as_many_bytes_as_its_limit() -> None:
    packed = pack(b"x" * 100)
    assert unpack(packed, max_bytes=len(packed), what="object") == b"x" * 100
    with pytest.raises(Malformed, match="object has 102 bytes, more than the limit of 101"):
        unpack(packed, max_bytes=len(packed) - 1, what="object")


def test_what_is_too_long_is_not_decoded_at_all() -> None:
    data = pack([0] * 100_000)
    tracemalloc.start()
    try:
        with pytest.raises(Malformed, match="more than the limit"):
            unpack(data, max_bytes=len(data) - 1, what="object")
        assert tracemalloc.get_traced_memory()[1] < 10_000
    finally:
        tracemalloc.stop()


ITEMS: Final = {
    "scalars in one array": [0] * (MAX_ITEMS - 1),
    "arrays of one": [[0]] * ((MAX_ITEMS - 1) // 3),
    "entries of a map": {str(i): 0 for i in range(MAX_ITEMS - 1)},
    "half arrays, half maps": [[], {}] * ((MAX_ITEMS - 1) // 4),
}


@pytest.mark.parametrize("value", ITEMS.values(), ids=ITEMS.keys())
def test_all_arrays_and_maps_together_have_at_most_131072_items(value: Any) -> None:
    """Each array and map counts as one more (encoding.md, The one spelling, 6)."""
    assert MAX_ITEMS == 131072
    packed = pack(value)
    unpack(packed, max_bytes=len(packed), what="object")
    more = pack([value, 0, 0, 0])
    with pytest.raises(Malformed):
        unpack(more, max_bytes=len(more), what="object")
    unpack(more, max_bytes=len(more), what="object", max_items=MAX_ITEMS + 5)


@pytest.mark.parametrize("value", [[0] * 9, {str(i): 0 for i in range(9)}, [[]] * 4 + [0], [{}, [0, 0], {"a": 0}]], ids=str)
def test_the_limit_of_items_is_exact(value: Any) -> None:
    """Each of these has 10 items, itself included."""
    assert MAX_ITEMS == 131072
    packed = pack(value)
    assert unpack(packed, max_bytes=len(packed), what="object", max_items=10) == value
    with pytest.raises(Malformed):
        unpack(packed, max_bytes=len(packed), what="object", max_items=9)


WITH_LITTLE_MEMORY: Final = """
import resource, sys
from valiza.keys.encoding import unpack
from valiza.keys.errors import Malformed

head, body, size = bytes.fromhex(sys.argv[1]), bytes.fromhex(sys.argv[2]), int(sys.argv[3])
hostile = (head + body * (size // len(body)))[:size]
with open("/proc/self/statm") as file:
    used = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (256 << 20),) * 2)
try:
    unpack(hostile, max_bytes=size, what="object")
except Malformed:
    print("malformed")
"""

RECEIPT: Final = 8 << 20
ROSTER: Final = 64 << 20
GREEDY: Final = {
    "empty arrays in an array": ("dd 00 7f ff fb", "90", RECEIPT),
    "empty maps in an array": ("dd 00 7f ff fb", "80", RECEIPT),
    "nils in an array": ("dd 03 ff ff fb", "c0", ROSTER),
    "arrays in arrays that all claim to be long": ("dd 00 7f 00 00" * 1000, "c0", RECEIPT),
    "maps with one long key each": ("dd 00 00 ff ff", "81 a1 61 c0", RECEIPT),
}


@pytest.mark.parametrize(("head", "body", "size"), GREEDY.values(), ids=GREEDY.keys())
def test_no_object_costs_many_times_its_length_in_memory(head: str, body: str, size: int) -> None:
    """Within the limits of a receipt and a roster, with 256 MiB to spare: limits come before anything is allocated (P16)."""
    command = [sys.executable, "-c", WITH_LITTLE_MEMORY, head, body, str(size)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.stdout, done.stderr) == ("malformed\n", "")
