"""Cobblestone-256 as the library computes it, against Wycheproof's vectors: key files and payloads rest on it."""

from __future__ import annotations

import hashlib
import json
import zlib
from typing import Any, Final

import pytest
from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor
from cryptography.exceptions import InvalidTag
from tests.support.keys import VECTORS, flipped

FILE: Final = json.loads((VECTORS / "cobblestone-256.json").read_text(encoding="utf-8"))
TESTS: Final = [test for group in FILE["testGroups"] for test in group["tests"]]
VALID: Final = [test for test in TESTS if test["result"] == "valid"]
INVALID: Final = [test for test in TESTS if test["result"] == "invalid"]
CHUNK: Final = 16384


def ciphertext(test: dict[str, Any]) -> bytes:
    return zlib.decompress(bytes.fromhex(test["ct"]))


def decrypt(key: bytes, context: bytes, data: bytes, piece: int = 1 << 30) -> bytes:
    decryptor = Cobblestone256Decryptor(key, context)
    pieces = [decryptor.update(data[begin : begin + piece]) for begin in range(0, len(data), piece)]
    return b"".join(pieces) + decryptor.finalize()


def encrypt(data: bytes, key: bytes = b"k" * 32, context: bytes = b"c") -> bytes:
    encryptor = Cobblestone256Encryptor(key, context)
    return encryptor.update(data) + encryptor.finalize()


def test_all_vectors_are_there() -> None:
    assert (FILE["algorithm"], len(VALID), len(INVALID)) == ("Cobblestone-256", 10, 25)
    assert {(group["aead"], group["sha"]) for group in FILE["testGroups"]} == {("AEAD_AES_256_GCM", "SHA-512")}


@pytest.mark.parametrize("test", VALID, ids=lambda test: test["comment"])
def test_valid(test: dict[str, Any]) -> None:
    message = decrypt(bytes.fromhex(test["key"]), bytes.fromhex(test["ctx"]), ciphertext(test))
    assert len(message) == test["msgLength"]
    assert hashlib.sha512(message).hexdigest() == test["msgSha512"]


@pytest.mark.parametrize("piece", [1, 57, CHUNK, CHUNK + 16, CHUNK + 17])
def test_a_message_decrypts_in_pieces_of_any_size(piece: int) -> None:
    (test,) = (test for test in VALID if test["msgLength"] == CHUNK + 1)
    message = decrypt(bytes.fromhex(test["key"]), bytes.fromhex(test["ctx"]), ciphertext(test), piece)
    assert hashlib.sha512(message).hexdigest() == test["msgSha512"]


@pytest.mark.parametrize("test", INVALID, ids=lambda test: test["comment"])
def test_invalid(test: dict[str, Any]) -> None:
    expected = ValueError if "InvalidKeySize" in test["flags"] else InvalidTag
    with pytest.raises(expected):
        decrypt(bytes.fromhex(test["key"]), bytes.fromhex(test["ctx"]), ciphertext(test))


@pytest.mark.parametrize("test", [test for test in INVALID if "PartialPlaintext" in test["flags"]], ids=lambda test: test["comment"])
def test_what_comes_out_before_the_failure_is_at_most_the_longest_valid_beginning(test: dict[str, Any]) -> None:
    """So whoever writes plaintext down before the end must remove it on failure (P15)."""
    decryptor = Cobblestone256Decryptor(bytes.fromhex(test["key"]), bytes.fromhex(test["ctx"]))
    begun = b""
    data = ciphertext(test)
    with pytest.raises(InvalidTag):  # noqa: PT012 - where it fails is the library's business
        for begin in range(0, len(data), 1000):
            begun += decryptor.update(data[begin : begin + 1000])
        decryptor.finalize()
    assert len(begun) <= test["msgLength"]
    if len(begun) == test["msgLength"]:
        assert hashlib.sha512(begun).hexdigest() == test["msgSha512"]


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 7])
def test_n_bytes_become_n_and_72_and_16_for_each_whole_chunk(size: int) -> None:
    """The length that the design and envelope.md reckon with."""
    data = encrypt(bytes(size))
    assert len(data) == size + 72 + 16 * (size // CHUNK)
    assert decrypt(b"k" * 32, b"c", data) == bytes(size)


def test_the_same_message_is_never_encrypted_to_the_same_bytes() -> None:
    assert len({encrypt(b"message") for _ in range(20)}) == 20


def test_key_and_context_are_committed_to() -> None:
    data = encrypt(b"message")
    for key, context in ((b"K" * 32, b"c"), (b"k" * 32, b"C"), (b"k" * 32, b"")):
        with pytest.raises(InvalidTag):
            Cobblestone256Decryptor(key, context).update(data[:56] + bytes(1))


def test_no_byte_of_a_message_can_be_altered_cut_or_added() -> None:
    data = encrypt(b"message")
    for index in range(len(data)):
        for other in (flipped(data, index), data[:index], data + data[: index + 1]):
            with pytest.raises(InvalidTag):
                decrypt(b"k" * 32, b"c", other)
