"""Hostile objects: refused as malformed, before they cost more than their own bytes a few times over."""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING, Any

import pytest
from tests.support.bounds import MIB, at_most

from valiza.envelope.container import MAX_CONTAINER, read_container
from valiza.envelope.dispatch import read_dispatch_body
from valiza.envelope.header import MAX_HEADER, PREFIX, read_core, read_stanzas
from valiza.envelope.journal import Expectation, Opening
from valiza.envelope.manifest import MAX_MANIFEST, unpack_manifest
from valiza.envelope.profile import read_profile
from valiza.keys.encoding import pack
from valiza.keys.errors import Malformed
from valiza.keys.recipient import WRAPPED_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable


def stream(body: bytes) -> bytes:
    """The plaintext of a manifest stream."""
    plain = len(body).to_bytes(4, "big") + body
    return plain + bytes(-len(plain) % 4096)


def bodies(size: int) -> dict[str, bytes]:
    """Bodies of about so many bytes that are made to cost much."""
    tiny = b"\xdd" + (size - 5).to_bytes(4, "big")
    return {
        "tiny items": tiny + b"\xc0" * (size - 5),
        "empty arrays": tiny + b"\x90" * (size - 5),
        "empty maps": tiny + b"\x80" * (size - 5),
        "empty texts": tiny + b"\xa0" * (size - 5),
        "arrays of one": b"\x91" * (size - 1) + b"\xc0",
        "heads of arrays": (b"\xdd" + size.to_bytes(4, "big")) * (size // 5),
        "heads of maps": (b"\xdf" + size.to_bytes(4, "big") + b"\xa0") * (size // 6),
        "heads of texts": (b"\x91\xdb" + size.to_bytes(4, "big")) * (size // 6),
        "a length of 4 GiB": b"\xc6\xff\xff\xff\xff" + bytes(size - 5),
        "an array of 4 Gi": b"\xdd\xff\xff\xff\xff" + bytes(size - 5),
        "a map of 4 Gi": b"\xdf\xff\xff\xff\xff" + bytes(size - 5),
        "nested texts": b"\x91" * 900 + b"\xdb" + (size - 905).to_bytes(4, "big") + b"a" * (size - 905),
    }


READERS: dict[str, tuple[Callable[[bytes], Any], int]] = {
    "manifest": (lambda body: unpack_manifest(stream(body)), MAX_MANIFEST),
    "dispatch": (read_dispatch_body, MIB),
    "profile": (read_profile, MIB),
    "core": (lambda body: read_core(PREFIX + body), 32768 - len(PREFIX)),
    "stanzas": (read_stanzas, MAX_HEADER),
    "expectation": (Expectation.read, 8 * MIB),
    "opening": (Opening.read, 8 * MIB),
}


@pytest.mark.parametrize("kind", bodies(4096))
@pytest.mark.parametrize("name", READERS)
def test_a_body_that_is_made_to_cost_much(name: str, kind: str) -> None:
    read, size = READERS[name]
    body = bodies(size)[kind]
    with at_most(24 + 4 * size / MIB), pytest.raises(Malformed):
        read(body)


@pytest.mark.parametrize("length", [0, 1, 4096, MAX_MANIFEST, MAX_MANIFEST + 1, 2**31, 2**32 - 1])
def test_a_manifest_that_says_another_length(length: int) -> None:
    with at_most(1), pytest.raises(Malformed):
        unpack_manifest(length.to_bytes(4, "big") + bytes(100))


def test_64_stanzas_are_read_and_65_are_not() -> None:
    def stanzas(count: int) -> bytes:
        return pack([[index.to_bytes(32, "big"), bytes(1088) + bytes([9]) + bytes(WRAPPED_BYTES - 1089)] for index in range(count)])

    with at_most(2):
        assert len(read_stanzas(stanzas(64))) == 64
    with at_most(2), pytest.raises(Malformed):
        read_stanzas(stanzas(65))


class _Endless(io.RawIOBase):
    """A file that says it is as long as it likes, and is zeros but for beginning and end. It counts what is read of it."""

    def __init__(self, size: int, footer: bytes) -> None:
        self.size, self.footer, self.at, self.count = size, footer, 0, 0

    def seek(self, offset: int, whence: int = 0) -> int:
        self.at = offset if whence == 0 else self.size + offset
        return self.at

    def read(self, size: int = -1) -> bytes:
        self.count += size
        if self.at == 0 and size == len(PREFIX):
            return PREFIX
        return self.footer if self.at == self.size - len(self.footer) else bytes(size)


@pytest.mark.parametrize(
    "offsets",
    [
        (32768, 131072, 2**49, 2**50 - 2**20),
        (2**40, 2**41, 2**42, 2**43),
        (2**63, 2**63 + 1, 2**63 + 2, 2**63 + 3),
        (13, 2**49, 2**49 + 1, 2**49 + 2),
        (13, 14, 15, 2**50 - 100),
        (13, 14, 2**50 - 2**22, 2**50 - 2**21),
    ],
)
def test_a_container_that_claims_petabytes_is_malformed_and_hardly_read(offsets: tuple[int, int, int, int]) -> None:
    source: Any = _Endless(MAX_CONTAINER, PREFIX + struct.pack(">4Q", *offsets))
    with at_most(4), pytest.raises(Malformed):
        read_container(source)
    assert source.count < 4 * MIB
