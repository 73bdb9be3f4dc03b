"""BLAKE3 under labels, against BLAKE3's own vectors in the two modes that Valiza uses."""

from __future__ import annotations

import json
from typing import Final

import pytest
from tests.support.keys import VECTORS

from valiza.keys import labels
from valiza.keys.digests import DIGEST_BYTES, derive, digest, hasher, keyed, keyed_hasher
from valiza.keys.encoding import pack
from valiza.keys.errors import Malformed

BLAKE3: Final = json.loads((VECTORS / "blake3.json").read_text(encoding="utf-8"))
CASES: Final = [
    (bytes(i % 251 for i in range(case["input_len"])), bytes.fromhex(case["keyed_hash"]), bytes.fromhex(case["derive_key"]))
    for case in BLAKE3["cases"]
]
KEY: Final = BLAKE3["key"].encode()
CONTEXT: Final = BLAKE3["context_string"]


@pytest.mark.parametrize(("data", "expected_keyed", "expected_derived"), CASES, ids=lambda case: str(len(case)))
def test_blake3_vectors(data: bytes, expected_keyed: bytes, expected_derived: bytes) -> None:
    assert digest(CONTEXT, data) == expected_derived[:DIGEST_BYTES]
    assert keyed(KEY, data) == expected_keyed[:DIGEST_BYTES]


@pytest.mark.parametrize(("data", "expected_keyed", "expected_derived"), CASES[-3:], ids=lambda case: str(len(case)))
def test_piece_by_piece_gives_the_same(data: bytes, expected_keyed: bytes, expected_derived: bytes) -> None:
    one, other = hasher(CONTEXT), keyed_hasher(KEY)
    for begin in range(0, len(data), 1000):
        one.update(data[begin : begin + 1000])
        other.update(data[begin : begin + 1000])
    assert one.digest() == expected_derived[:DIGEST_BYTES]
    assert other.digest() == expected_keyed[:DIGEST_BYTES]


def test_a_derived_key_is_the_digest_of_its_items_as_an_array() -> None:
    assert derive(labels.KEY_CARRIER, b"salt", 7) == digest(labels.KEY_CARRIER, pack([b"salt", 7]))


def test_no_two_lists_of_items_derive_the_same_key() -> None:
    lists: list[list[object]] = [[], [b""], [b"", b""], [[]], [b"a", 1], [b"a", "1"], [b"a1"], ["a", 1], [None], [False], [0]]
    assert len({derive(labels.KEY_MARKS, *items) for items in lists}) == len(lists)


def test_no_two_labels_give_the_same_digest() -> None:
    known = [value for name, value in vars(labels).items() if name.startswith(("DIGEST_", "KEY_"))]
    assert len({digest(label, b"the same") for label in known}) == len(known) >= 13


def test_a_key_for_keyed_digests_has_32_bytes() -> None:
    for size in (0, 31, 33):
        with pytest.raises(ValueError, match="32"):
            keyed(bytes(size), b"")


def test_what_has_no_encoding_derives_nothing() -> None:
    with pytest.raises(Malformed):
        derive(labels.KEY_STAMP, -1)
