"""The encrypted streams of the payload (specs/envelope.md, Payload), in constant memory.

A second thread digests while this one encrypts or decrypts: BLAKE3 lets other threads run, Cobblestone does not. The kernel is told to read ahead,
and to write to the disk what it is given as it comes: synced at the end, nearly all of it is there already.
"""

from __future__ import annotations

import io
import mmap
import queue
import threading
from functools import partial
from typing import TYPE_CHECKING, BinaryIO, Final, Self

from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from valiza.keys import labels
from valiza.keys.digests import hasher
from valiza.keys.encoding import pack
from valiza.keys.errors import NotAuthentic, Unavailable
from valiza.keys.files import advise

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from _typeshed import WriteableBuffer
    from blake3 import blake3

__all__ = ["MANIFEST_STREAM", "PAD_STREAM", "PayloadReader", "PayloadWriter", "Streams", "carrier_stream", "stream_decryptor", "stream_length"]

MANIFEST_STREAM: Final = 0
PAD_STREAM: Final = 1
BLOCK: Final = 1048576  # bytes of plaintext or ciphertext handled at a time
_SLACK: Final = 65536  # the most by which a block grows: salt, commitment, and a tag for each chunk
_SMALL: Final = 65536  # below this a second thread costs more than it saves
_BEHIND: Final = 4194304  # bytes after which the kernel is told to write them to the disk


def carrier_stream(index: int) -> int:
    """Stream number of the file carrier with an index."""
    return index + 2


def stream_length(plain: int) -> int:
    """Bytes of the stream of `plain` bytes."""
    return plain + 72 + 16 * (plain // 16384)


class Streams:
    """Keys and contexts of one envelope's streams."""

    def __init__(self, payload_key: bytes, *, core_digest: bytes, header_digest: bytes) -> None:
        self._payload_key = payload_key
        self._core_digest = core_digest
        self._header_digest = header_digest

    def key(self, number: int) -> bytes:
        """The key of a stream, 32 bytes: who has it reads that stream and no other."""
        info = pack([labels.STREAM_KEY, number, self._core_digest])
        return HKDF(SHA256(), 32, salt=None, info=info).derive(self._payload_key)

    def encryptor(self, number: int) -> Cobblestone256Encryptor:
        """What encrypts a stream."""
        return Cobblestone256Encryptor(self.key(number), _context(self._header_digest, number))

    def decryptor(self, number: int) -> Cobblestone256Decryptor:
        """What decrypts a stream."""
        return stream_decryptor(self.key(number), header_digest=self._header_digest, number=number)


def _context(header_digest: bytes, number: int) -> bytes:
    return pack([labels.STREAM, header_digest, number])


def stream_decryptor(key: bytes, *, header_digest: bytes, number: int) -> Cobblestone256Decryptor:
    """What decrypts one stream of the envelope with this header, by that stream's own key."""
    return Cobblestone256Decryptor(key, _context(header_digest, number))


class _Digesting:
    """Feeds hashers from another thread, in order; each buffer comes back by its `done` when it has been read."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[tuple[blake3, memoryview, Callable[[], None]] | threading.Event | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._settled = True

    def update(self, target: blake3, data: memoryview, done: Callable[[], None]) -> None:
        if self._settled and len(data) < _SMALL:  # no older block is waiting that this one would overtake
            target.update(data)
            done()
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()
        self._settled = False
        self._jobs.put((target, data, done))

    def settle(self) -> None:
        """Wait until everything given so far has been digested."""
        if not self._settled:
            reached = threading.Event()
            self._jobs.put(reached)
            reached.wait()
            self._settled = True

    def rest(self) -> None:
        """Settle, and end the thread; the next large block starts another."""
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join()
            self._thread = None
            self._settled = True

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            if isinstance(job, threading.Event):
                job.set()
            else:
                target, data, done = job
                target.update(data)
                done()


class _Buffers:
    """Two buffers in turn: one is digested while the other is filled."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._free: queue.SimpleQueue[memoryview] = queue.SimpleQueue()
        self._made = 0

    def take(self) -> memoryview:
        if self._made < 2 and self._free.empty():  # noqa: PLR2004 - two in turn
            self._made += 1
            return memoryview(mmap.mmap(-1, self._size))  # takes and clears a page when it is first used: small carriers use one
        return self._free.get()

    def give_back(self, buffer: memoryview) -> Callable[[], None]:
        return partial(self._free.put, buffer)


class _Output:
    """Writes to a file, and has the kernel write to the disk meanwhile."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._behind = 0  # bytes written since the kernel was last told

    def write(self, data: memoryview) -> None:
        write_all(self._file, data)
        self._behind += len(data)
        if self._behind >= _BEHIND:
            # "Not needed" is how it is told to begin. What is not on the disk yet stays in memory.
            advise(self._file, "DONTNEED", last=self._behind)
            self._behind = 0


class _Pass:
    """What both directions share: buffers, the digest of all ciphertext, and the thread that digests."""

    def __init__(self) -> None:
        self._digesting = _Digesting()
        self._sources = _Buffers(BLOCK)
        self._results = _Buffers(BLOCK + _SLACK)
        self._payload = hasher(labels.DIGEST_PAYLOAD)

    def digest(self) -> bytes:
        """Digest of all ciphertext so far."""
        self._digesting.settle()
        return self._payload.digest()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self._digesting.rest()


class PayloadWriter(_Pass):
    """Encrypts streams one after another into `out`, digesting the ciphertext."""

    def __init__(self, streams: Streams, out: BinaryIO, progress: Callable[[int], None] = lambda _: None) -> None:
        super().__init__()
        self._streams = streams
        self._out = _Output(out)
        self._progress = progress
        self.length = 0

    def write_stream(self, number: int, source: BinaryIO, plain: blake3 | None = None) -> int:
        """Encrypt all of `source` as the stream `number`, digesting the plaintext with `plain`; returns its bytes."""
        encryptor = self._streams.encryptor(number)
        total = 0
        while True:
            buffer = self._sources.take()
            count = _read_into(source, buffer)
            if count == 0:
                self._sources.give_back(buffer)()
                break
            if total == 0 and count == len(buffer):  # more than one read will take it
                advise(source, "SEQUENTIAL")
            total += count
            result = self._results.take()
            written = encryptor.update_into(buffer[:count], result)
            if plain is not None:
                self._digesting.update(plain, buffer[:count], self._sources.give_back(buffer))
            else:
                self._sources.give_back(buffer)()
            self._write(result[:written], self._results.give_back(result))
            self._progress(count)
        self._write(memoryview(encryptor.finalize()), lambda: None)
        self._digesting.settle()
        return total

    def write_zeros(self, number: int, length: int) -> None:
        """Encrypt `length` zero bytes as the stream `number`."""
        self.write_stream(number, _Zeros(length))  # type: ignore[arg-type] # all of BinaryIO that is used

    def write_bytes(self, number: int, plain: bytes) -> int:
        """Encrypt a stream that is in memory; returns the length of its ciphertext."""
        before = self.length
        encryptor = self._streams.encryptor(number)
        self._write(memoryview(encryptor.update(plain)), lambda: None)
        self._write(memoryview(encryptor.finalize()), lambda: None)
        self._digesting.settle()
        return self.length - before

    def _write(self, data: memoryview, done: Callable[[], None]) -> None:
        self.length += len(data)
        self._digesting.update(self._payload, data, done)
        self._out.write(data)


class _Zeros(io.RawIOBase):
    """A source of zero bytes."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self._left = length

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer)
        count = min(self._left, len(view))
        view[:count] = bytes(count)
        self._left -= count
        return count


class PayloadReader(_Pass):
    """Reads streams one after another from `source`, digesting the ciphertext whether it decrypts or not."""

    def __init__(self, source: BinaryIO, progress: Callable[[int], None] = lambda _: None) -> None:
        super().__init__()
        advise(source, "SEQUENTIAL")
        self._source = source
        self._progress = progress

    def skip(self, length: int) -> None:
        """Digest `length` bytes of ciphertext without decrypting them.

        Raises:
            NotAuthentic: there are fewer.
        """
        while length:
            buffer = self._sources.take()
            count = self._fill(buffer[: min(length, len(buffer))])
            self._digesting.update(self._payload, buffer[:count], self._sources.give_back(buffer))
            self._progress(count)
            length -= count

    def read_stream(self, decryptor: Cobblestone256Decryptor, plain_length: int, out: BinaryIO | None, plain: blake3 | None) -> None:
        """Decrypt the next stream, of `plain_length` bytes of plaintext, into `out`; without `out` they have to be zeros.

        Raises:
            NotAuthentic: the ciphertext is altered or cut, or a byte of the pad is not zero.
        """
        left = stream_length(plain_length)
        output = None if out is None else _Output(out)
        try:
            while left:
                buffer = self._sources.take()
                count = self._fill(buffer[: min(left, len(buffer))])
                left -= count
                result = self._results.take()
                written = decryptor.update_into(buffer[:count], result)
                self._digesting.update(self._payload, buffer[:count], self._sources.give_back(buffer))
                self._release(result[:written], output, plain, self._results.give_back(result))
                self._progress(count)
            self._release(memoryview(decryptor.finalize()), output, plain, lambda: None)
        except InvalidTag as error:
            message = "the payload is altered: a stream does not decrypt"
            raise NotAuthentic(message) from error
        self._digesting.settle()

    def _release(self, data: memoryview, out: _Output | None, plain: blake3 | None, done: Callable[[], None]) -> None:
        if out is None or plain is None:
            if data.tobytes() != bytes(len(data)):
                message = "the pad has a byte that is not zero"
                raise NotAuthentic(message)
            done()
            return
        self._digesting.update(plain, data, done)
        out.write(data)

    def _fill(self, buffer: memoryview) -> int:
        count = _read_into(self._source, buffer)
        if count == 0:
            message = "the envelope became shorter while it was read"
            raise NotAuthentic(message)
        return count


def _read_into(source: BinaryIO, buffer: memoryview) -> int:
    """Fill a buffer, as far as one read of an unbuffered file does; 0 at the end.

    Raises:
        Unavailable: it cannot be read.
    """
    try:
        return source.readinto(buffer) or 0  # type: ignore[attr-defined] # raw files have it
    except OSError as error:
        message = f"reading failed: {(error.strerror or str(error)).lower()}"
        raise Unavailable(message) from error


def write_all(out: BinaryIO, data: memoryview) -> None:
    """Write all of `data` to an unbuffered file.

    Raises:
        Unavailable: the disk.
    """
    try:
        while data:
            data = data[out.write(data) :]
    except OSError as error:
        message = f"writing failed: {(error.strerror or str(error)).lower()}"
        raise Unavailable(message) from error
