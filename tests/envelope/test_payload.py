"""The streams of the payload: keys and contexts, lengths, digests in a second thread, and every way to alter or cut them."""

from __future__ import annotations

import errno
import hashlib
import hmac
import io
import mmap
import os
import random
import threading
import time
from typing import TYPE_CHECKING

import pytest
from blake3 import blake3
from cryptography.cobblestone import Cobblestone256Decryptor
from hypothesis import given, settings
from hypothesis import strategies as st

from valiza.envelope.payload import MANIFEST_STREAM, PAD_STREAM, PayloadReader, PayloadWriter, Streams, carrier_stream, stream_length, write_all
from valiza.keys.encoding import pack
from valiza.keys.errors import NotAuthentic, Unavailable

if TYPE_CHECKING:
    from pathlib import Path

    from _typeshed import ReadableBuffer, WriteableBuffer

KEY, CORE, HEADER = (bytes([n]) * 32 for n in (1, 2, 3))
STREAMS = Streams(KEY, core_digest=CORE, header_digest=HEADER)
CHUNK = 16384
MIB = 1 << 20
SIZES = (0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 4 * CHUNK - 1, 4 * CHUNK, MIB - 1, MIB, MIB + 1, 5 * MIB + 7)


def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)  # noqa: S311 - plaintext


def payload_digest(ciphertext: bytes) -> bytes:
    return blake3(ciphertext, derive_key_context="valiza/v1/digest/payload").digest()


def written(*streams: tuple[int, bytes]) -> bytes:
    out = io.BytesIO()
    with PayloadWriter(STREAMS, out) as writer:
        for number, plain in streams:
            writer.write_stream(number, io.BytesIO(plain))
        assert writer.digest() == payload_digest(out.getvalue())
        assert writer.length == len(out.getvalue())
    return out.getvalue()


def read(ciphertext: bytes, *streams: tuple[int, int], using: Streams = STREAMS) -> list[bytes]:
    found = []
    with PayloadReader(io.BytesIO(ciphertext)) as reader:
        for number, length in streams:
            out = io.BytesIO()
            plain = blake3()
            reader.read_stream(using.decryptor(number), length, out, plain)
            found.append(out.getvalue())
            assert plain.digest() == blake3(out.getvalue()).digest()
        assert reader.digest() == payload_digest(ciphertext)
    return found


# -- good ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
def test_stream_of_any_length(size: int) -> None:
    plain = noise(size)
    out, told, digested = io.BytesIO(), list[int](), blake3()
    with PayloadWriter(STREAMS, out, told.append) as writer:
        assert writer.write_stream(2, io.BytesIO(plain), digested) == size
        assert digested.digest() == blake3(plain).digest()
        assert writer.digest() == payload_digest(out.getvalue())
    ciphertext = out.getvalue()
    assert len(ciphertext) == stream_length(size) == size + 72 + 16 * (size // CHUNK)
    assert sum(told) == size
    assert read(ciphertext, (2, size)) == [plain]


@pytest.mark.parametrize("number", [MANIFEST_STREAM, PAD_STREAM, 2, 16385])
def test_key_and_context_are_those_of_the_specification(number: int) -> None:
    """HKDF-SHA256 and the canonical arrays written out by hand."""
    extracted = hmac.new(bytes(32), KEY, hashlib.sha256).digest()
    info = pack(["valiza/v1/stream-key", number, CORE])
    key = hmac.new(extracted, info + b"\x01", hashlib.sha256).digest()
    decryptor = Cobblestone256Decryptor(key, pack(["valiza/v1/stream", HEADER, number]))
    ciphertext = written((number, b"the bridge"))
    assert decryptor.update(ciphertext) + decryptor.finalize() == b"the bridge"


def test_numbers_of_streams() -> None:
    assert (MANIFEST_STREAM, PAD_STREAM, carrier_stream(0), carrier_stream(16383)) == (0, 1, 2, 16385)


def test_streams_stand_one_after_another() -> None:
    sizes = (0, 5, MIB + 3, 0, CHUNK, 3 * MIB)
    ciphertext = written(*((2 + i, noise(size)) for i, size in enumerate(sizes)))
    assert len(ciphertext) == sum(map(stream_length, sizes))
    assert read(ciphertext, *((2 + i, size) for i, size in enumerate(sizes))) == [noise(size) for size in sizes]


@pytest.mark.parametrize("size", [0, 1, CHUNK, MIB + 1, 3 * MIB])
def test_zeros(size: int) -> None:
    out = io.BytesIO()
    with PayloadWriter(STREAMS, out) as writer:
        writer.write_zeros(PAD_STREAM, size)
        assert writer.digest() == payload_digest(out.getvalue())
    assert read(out.getvalue(), (PAD_STREAM, size)) == [bytes(size)]
    with PayloadReader(io.BytesIO(out.getvalue())) as reader:
        reader.read_stream(STREAMS.decryptor(PAD_STREAM), size, None, None)
        assert reader.digest() == payload_digest(out.getvalue())


def test_bytes_in_memory_are_a_stream_like_others() -> None:
    out = io.BytesIO()
    with PayloadWriter(STREAMS, out) as writer:
        writer.write_stream(2, io.BytesIO(b"first"))
        assert writer.write_bytes(MANIFEST_STREAM, noise(8192)) == stream_length(8192)
        assert writer.digest() == payload_digest(out.getvalue())
    assert read(out.getvalue(), (2, 5), (MANIFEST_STREAM, 8192)) == [b"first", noise(8192)]


def test_no_two_envelopes_or_streams_share_ciphertext() -> None:
    plain = noise(100)
    made = [written((2, plain)), written((2, plain)), written((3, plain))]
    assert len(set(made)) == 3


@pytest.mark.parametrize("size", [0, 1, MIB, 3 * MIB + 5])
def test_skipping_digests_too(size: int) -> None:
    told = list[int]()
    data = noise(size)
    with PayloadReader(io.BytesIO(data), told.append) as reader:
        reader.skip(size)
        assert reader.digest() == payload_digest(data)
    assert sum(told) == size


class Halting(io.RawIOBase):
    """A file that hands out and takes fewer bytes than it is asked."""

    def __init__(self, data: bytes, steps: list[int]) -> None:
        super().__init__()
        self._data, self._steps, self.taken = io.BytesIO(data), steps, bytearray()

    def _step(self) -> int:
        self._steps.append(self._steps.pop(0))
        return self._steps[-1]

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer)
        return self._data.readinto(view[: self._step()])

    def write(self, data: ReadableBuffer) -> int:
        part = bytes(data)[: self._step()]
        self.taken += part
        return len(part)


@settings(max_examples=30)
@given(st.integers(0, 200_000), st.lists(st.integers(1, 100_000), min_size=1, max_size=4))
def test_short_reads_and_writes_change_nothing(size: int, steps: list[int]) -> None:
    plain = noise(size)
    out = Halting(b"", list(steps))
    with PayloadWriter(STREAMS, out) as writer:  # type: ignore[arg-type] # all of a file that is used
        assert writer.write_stream(2, Halting(plain, list(steps))) == size  # type: ignore[arg-type] # the same
        assert writer.digest() == payload_digest(bytes(out.taken))
    back = Halting(b"", list(steps))
    with PayloadReader(Halting(bytes(out.taken), list(steps))) as reader:  # type: ignore[arg-type] # the same
        reader.read_stream(STREAMS.decryptor(2), size, back, blake3())  # type: ignore[arg-type] # the same
    assert bytes(back.taken) == plain


# -- altered -------------------------------------------------------------------------------------------------------------


def test_every_byte_of_a_small_stream_counts() -> None:
    ciphertext = written((2, b"border"))
    for at in range(len(ciphertext)):
        altered = ciphertext[:at] + bytes([ciphertext[at] ^ 1]) + ciphertext[at + 1 :]
        with pytest.raises(NotAuthentic, match="does not decrypt"):
            read(altered, (2, 6))


@pytest.mark.parametrize("region", ["salt", "commitment", "first chunk", "second chunk", "last chunk", "last tag"])
@pytest.mark.parametrize("size", [3 * CHUNK + 5, 3 * MIB + 5])
def test_every_region_of_a_long_stream_counts(size: int, region: str) -> None:
    ciphertext = bytearray(written((2, noise(size))))
    at = {"salt": 0, "commitment": 40, "first chunk": 100, "second chunk": CHUNK + 200, "last chunk": -20, "last tag": -1}[region]
    ciphertext[at] ^= 0x80
    with pytest.raises(NotAuthentic, match="does not decrypt"):
        read(bytes(ciphertext), (2, size))


@pytest.mark.parametrize("other", ["payload key", "core", "header", "number"])
def test_stream_of_another_place_does_not_decrypt(other: str) -> None:
    using = Streams(
        bytes(32) if other == "payload key" else KEY,
        core_digest=bytes(32) if other == "core" else CORE,
        header_digest=bytes(32) if other == "header" else HEADER,
    )
    with pytest.raises(NotAuthentic, match="does not decrypt"):
        read(written((2, b"border")), (3 if other == "number" else 2, 6), using=using)


def test_streams_that_changed_places() -> None:
    one, two = written((2, b"border")), written((3, b"bridge"))
    with pytest.raises(NotAuthentic):
        read(two + one, (2, 6), (3, 6))


@pytest.mark.parametrize("size", [CHUNK, 2 * CHUNK + 3, MIB + CHUNK])
@pytest.mark.parametrize("change", [-CHUNK, -1, 1, CHUNK])
def test_length_that_the_manifest_has_wrong(size: int, change: int) -> None:
    """Another length finds another end: cut at a chunk too, the stream does not verify."""
    ciphertext = written((2, noise(size)))
    with pytest.raises(NotAuthentic):
        read(ciphertext + bytes(2 * CHUNK), (2, size + change))


@pytest.mark.parametrize("size", [6, 2 * CHUNK, 3 * MIB])
def test_file_that_became_shorter(size: int) -> None:
    ciphertext = written((2, noise(size)))
    with pytest.raises(NotAuthentic, match="became shorter"):
        read(ciphertext[:-1], (2, size))
    with PayloadReader(io.BytesIO(ciphertext[:-1])) as reader, pytest.raises(NotAuthentic, match="became shorter"):
        reader.skip(len(ciphertext))


@pytest.mark.parametrize(("size", "at"), [(1, 0), (CHUNK + 1, 0), (CHUNK + 1, CHUNK), (3 * MIB, 2 * MIB), (3 * MIB, 3 * MIB - 1)])
def test_pad_is_zeros_and_nothing_else(size: int, at: int) -> None:
    """Otherwise it could carry what no inventory lists."""
    pad = bytearray(size)
    pad[at] = 1
    ciphertext = written((PAD_STREAM, bytes(pad)))
    with PayloadReader(io.BytesIO(ciphertext)) as reader, pytest.raises(NotAuthentic, match="not zero"):
        reader.read_stream(STREAMS.decryptor(PAD_STREAM), size, None, None)


# -- the machine ---------------------------------------------------------------------------------------------------------


class Broken(io.RawIOBase):
    """A disk that fails."""

    def readinto(self, _buffer: WriteableBuffer) -> int:
        raise OSError(errno.EIO, "Input/output error")

    def write(self, _data: ReadableBuffer) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_disk_that_is_full() -> None:
    with pytest.raises(Unavailable, match=r"^writing failed: no space left on device$"):
        write_all(Broken(), memoryview(b"x"))  # type: ignore[arg-type] # all of a file that is used
    with PayloadWriter(STREAMS, Broken()) as writer, pytest.raises(Unavailable, match="no space left"):  # type: ignore[arg-type] # the same
        writer.write_stream(2, io.BytesIO(noise(MIB)))


def test_carrier_that_cannot_be_read() -> None:
    with PayloadWriter(STREAMS, io.BytesIO()) as writer, pytest.raises(Unavailable, match=r"^reading failed: input/output error$"):
        writer.write_stream(2, Broken())  # type: ignore[arg-type] # all of a file that is used


def test_streams_that_fail_without_a_number() -> None:
    """As Python's own do."""
    with pytest.raises(Unavailable, match=r"^writing failed: write$"):
        write_all(io.BufferedReader(io.BytesIO()), memoryview(b"x"))
    with pytest.raises(Unavailable, match=r"^reading failed: read$"), PayloadReader(io.BufferedWriter(io.BytesIO())) as reader:
        reader.skip(1)


def test_envelope_that_cannot_be_read() -> None:
    with PayloadReader(Broken()) as reader, pytest.raises(Unavailable, match="input/output error"):  # type: ignore[arg-type] # the same
        reader.skip(1)


@pytest.mark.parametrize("refused", [False, True])
def test_disk_is_told_to_write_while_more_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, refused: bool) -> None:
    """All of a long file but its end, in order and without gaps; a file system that knows no such advice changes nothing."""
    told: list[tuple[int, int]] = []

    def advise(_descriptor: int, offset: int, length: int, advice: int) -> None:
        if advice == os.POSIX_FADV_DONTNEED:
            told.append((offset, offset + length))
        if refused:
            raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "posix_fadvise", advise)
    size, envelope, carrier = 11 * MIB + 7, tmp_path / "envelope", tmp_path / "carrier"
    with envelope.open("wb", buffering=0) as out, PayloadWriter(STREAMS, out) as writer:
        out.write(b"header")
        writer.write_stream(2, io.BytesIO(noise(size)), blake3())
    assert told[0][0] == len(b"header")
    assert told[-1][1] > 8 * MIB
    assert [start for start, _ in told[1:]] == [end for _, end in told[:-1]]
    told.clear()
    with envelope.open("rb", buffering=0) as source, carrier.open("wb", buffering=0) as out, PayloadReader(source) as reader:
        source.seek(len(b"header"))
        reader.read_stream(STREAMS.decryptor(2), size, out, blake3())
    assert carrier.read_bytes() == noise(size)
    assert told[0][0] == 0
    assert told[-1][1] > 8 * MIB


@pytest.mark.parametrize(("size", "times"), [(0, 0), (1, 0), (MIB - 1, 0), (MIB, 1), (3 * MIB, 1)])
def test_the_system_is_told_to_read_ahead_where_one_read_is_not_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, times: int
) -> None:
    """Once for a carrier, and for an envelope whatever it holds."""
    told: list[int] = []
    monkeypatch.setattr(os, "posix_fadvise", lambda _descriptor, _offset, _length, advice: told.append(advice))
    (tmp_path / "carrier").write_bytes(bytes(size))
    with (tmp_path / "carrier").open("rb", buffering=0) as source, PayloadWriter(STREAMS, io.BytesIO()) as writer:
        writer.write_stream(2, source)
        assert told == [os.POSIX_FADV_SEQUENTIAL] * times
        told.clear()
        with PayloadReader(source):
            assert told == [os.POSIX_FADV_SEQUENTIAL]


@pytest.mark.parametrize(("size", "threads"), [(1, 0), (65535, 0), (65536, 1), (3 * MIB, 1)])
def test_a_thread_of_its_own_is_for_what_is_worth_it(size: int, threads: int) -> None:
    before = threading.active_count()
    data = noise(size)
    with PayloadReader(io.BytesIO(data * 2)) as reader:
        for times in (1, 2):
            reader.skip(size)
            assert reader.digest() == payload_digest(data * times)
            assert threading.active_count() == before + threads
    assert threading.active_count() == before


class Watched(io.RawIOBase):
    """A carrier of some blocks, and an event when the second is read."""

    def __init__(self, blocks: int) -> None:
        super().__init__()
        self.blocks, self.reads, self.second = blocks, 0, threading.Event()

    def readinto(self, buffer: WriteableBuffer) -> int:
        self.reads += 1
        if self.reads == 2:
            self.second.set()
        return len(memoryview(buffer)) if self.reads <= self.blocks else 0


def test_one_block_is_read_while_another_is_digested_and_never_a_third(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow digesting is: memory stays as it is."""
    source, overlapping, made, real = Watched(6), list[bool](), list[int](), mmap.mmap

    class Slow:
        def update(self, _data: memoryview) -> None:
            overlapping.append(source.second.wait(timeout=20))  # it comes at once, or never
            time.sleep(0.02)

    def mapped(descriptor: int, size: int) -> mmap.mmap:
        made.append(size)
        return real(descriptor, size)

    monkeypatch.setattr(mmap, "mmap", mapped)
    with PayloadWriter(STREAMS, io.BytesIO()) as writer:
        assert writer.write_stream(2, source, Slow()) == 6 * MIB  # type: ignore[arg-type] # all of both that is used
    assert overlapping == [True] * 6
    assert made.count(MIB) == 2
    assert 1 <= len(made) - 2 <= 2


def test_no_thread_is_left_behind() -> None:
    before = threading.active_count()
    ciphertext = bytearray(written((2, noise(3 * MIB))))
    ciphertext[2 * MIB] ^= 1
    with pytest.raises(NotAuthentic):
        read(bytes(ciphertext), (2, 3 * MIB))
    assert threading.active_count() == before
