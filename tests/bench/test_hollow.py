"""A hollow file keeps every byte that is written, and no room for zeros that were encrypted. Without FUSE: what is mounted adds only names."""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgpack
import pytest
from cryptography.cobblestone import Cobblestone256Encryptor
from hypothesis import given
from hypothesis import strategies as st

from valiza.envelope.header import wrap_info
from valiza.envelope.payload import Streams
from valiza.keys import labels
from valiza.keys.digests import digest
from valiza.keys.recipient import Identity, Recipient

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hollow import Content as HollowContent

BENCH = Path(__file__).resolve().parents[2] / "bench"
CHUNK: Final = 16400
KEY: Final = Identity(bytes(range(32)))
OTHER: Final = Identity(bytes(32))
PAYLOAD_KEY: Final = b"p" * 32

pytestmark = pytest.mark.checkout


@pytest.fixture(name="hollow", scope="module")
def fixture_hollow() -> Iterator[Any]:
    sys.path.insert(0, str(BENCH))
    try:
        import hollow  # noqa: PLC0415 - a script's module, found there

        yield hollow
    finally:
        sys.path.remove(str(BENCH))


def envelope(plain: bytes, identity: Identity = KEY) -> bytes:
    """A header as far as a reader of streams looks at it, the stream of one carrier, and something behind it."""
    core = labels.MAGIC + b"\x00\x01\x00\x01" + msgpack.packb(["core", {}])
    core_digest = digest(labels.DIGEST_CORE, core)
    wrapped = Recipient(identity.public).wrap(PAYLOAD_KEY, wrap_info(core_digest, b"c" * 32))
    header = core + msgpack.packb([[b"c" * 32, wrapped]])
    encryptor = Streams(PAYLOAD_KEY, core_digest=core_digest, header_digest=digest(labels.DIGEST_HEADER, header)).encryptor(2)
    return header + encryptor.update(plain) + encryptor.finalize() + b"what follows" * 100


class File:
    """A file in a hollow file system, and what should be in it."""

    def __init__(self, hollow: Any, path: Path, identity: Identity = KEY) -> None:
        self.file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        self.content: HollowContent = hollow.Content(identity)
        self.expected = b""

    def write(self, data: bytes, offset: int) -> None:
        assert self.content.write(self.file, data, offset) == len(data)
        self.expected = self.expected.ljust(offset, b"\0")
        self.expected = self.expected[:offset] + data + self.expected[offset + len(data) :]

    def append(self, data: bytes, pieces: random.Random | None = None) -> None:
        header = data[:2000]  # in a piece of its own, or the stream's beginning is stored
        while data:
            length = len(header) if header else pieces.randrange(1, 70_000) if pieces else 1 << 20
            header = b""
            self.write(data[:length], len(self.expected))
            data = data[length:]

    def truncate(self, length: int) -> None:
        self.content.truncate(self.file, length)
        self.expected = self.expected[:length].ljust(length, b"\0")

    def check(self, offset: int = 0, length: int = 1 << 30) -> None:
        assert self.content.read(self.file, length, offset) == self.expected[offset : offset + length]
        assert os.fstat(self.file).st_size == len(self.expected)

    def kept(self) -> int:
        return os.fstat(self.file).st_blocks * 512


@pytest.mark.parametrize("chunks", [1, 2, 300])
def test_the_chunks_of_zeros_are_those_of_the_library(hollow: Any, chunks: int) -> None:
    """300: the counter in the nonce crosses a byte."""
    encryptor = Cobblestone256Encryptor(b"k" * 32, b"context")
    encrypted = encryptor.update(bytes(16384 * chunks)) + encryptor.finalize()
    stream = hollow.ZeroStream(b"k" * 32, b"context", encrypted[:24])
    assert stream.commitment == encrypted[24:56]
    assert stream.chunks(0, chunks) == encrypted[56:-16]


def test_zeros_take_no_room(hollow: Any, tmp_path: Path) -> None:
    file = File(hollow, tmp_path / "file")
    file.append(bytes(4 << 20))
    file.check()
    assert file.kept() == 0


def test_encrypted_zeros_take_hardly_any(hollow: Any, tmp_path: Path) -> None:
    file = File(hollow, tmp_path / "file")
    file.append(envelope(bytes(4 << 20)), random.Random(1))  # noqa: S311 - sizes of pieces
    assert file.content.marked == 256
    file.check()
    assert file.kept() < 100_000


@pytest.mark.parametrize("place", [0, 16383, 16384, 2 << 20, (4 << 20) - 1])
def test_a_byte_that_is_not_zero_is_kept(hollow: Any, tmp_path: Path, place: int) -> None:
    plain = bytearray(4 << 20)
    plain[place] = 1
    file = File(hollow, tmp_path / "file")
    file.append(envelope(bytes(plain)))
    assert file.content.marked == 255
    file.check()


@pytest.mark.parametrize("place", [3000, 2 << 20, -1])
def test_a_byte_altered_on_the_way_is_kept(hollow: Any, tmp_path: Path, place: int) -> None:
    altered = bytearray(envelope(bytes(4 << 20)))
    altered[place] ^= 1
    file = File(hollow, tmp_path / "file")
    file.append(bytes(altered))
    file.check()


def test_who_has_another_key_keeps_everything(hollow: Any, tmp_path: Path) -> None:
    file = File(hollow, tmp_path / "file", OTHER)
    file.append(envelope(bytes(1 << 20)))
    assert file.content.marked == 0
    file.check()
    assert file.kept() >= 1 << 20


@given(seed=st.integers(min_value=0, max_value=1 << 32))
def test_whatever_is_written_is_read(hollow: Any, tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    """An envelope in pieces, of zeros and others; then writes anywhere, cuts, and reads between them."""
    choose = random.Random(seed)  # noqa: S311 - what is tried
    file = File(hollow, tmp_path_factory.getbasetemp() / "anything")
    plain = b"".join(choose.choice([bytes(30_000), choose.randbytes(20_000)]) for _ in range(12))
    whole = envelope(plain)
    file.append(whole[: choose.randrange(len(whole))], choose)
    for _ in range(6):
        size = len(file.expected)
        match choose.randrange(5):
            case 0:
                file.write(choose.choice([bytes(40_000), choose.randbytes(40_000)]), choose.randrange(size + 50_000))
            case 1:
                file.truncate(choose.randrange(size + 50_000))
            case 2:
                file.append(whole[size : size + choose.randrange(60_000)], choose)
            case 3:
                file.content.keep(file.file)
            case _:
                file.check(choose.randrange(size + 100), choose.randrange(100_000))
    file.check()
    os.close(file.file)
