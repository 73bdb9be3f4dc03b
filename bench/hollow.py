"""What a hollow file system keeps of a file: every byte, but no room for zeros, nor for zeros that were encrypted.

A sparse carrier takes no room; its ciphertext looks random and takes all of it, except for who has the key. This is who has it: while an envelope is
written, its payload key is unwrapped from its header with the addressee's key, and each chunk of the first carrier's stream is compared with what
zeros give as that chunk (C2SP chunked-encryption). Equal, it is marked, and computed again when it is read; otherwise it is stored. Nothing is
supposed: what is read is what was written, byte for byte, whatever it was. Marks are in memory, for as long as the file system is mounted.
"""

from __future__ import annotations

import errno
import os

import msgpack
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256, SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

from valiza.envelope.header import header_digest, wrap_info
from valiza.keys import labels
from valiza.keys.digests import digest
from valiza.keys.errors import ValizaError
from valiza.keys.recipient import Identity

PLAIN = 16384  # bytes of a chunk before it is encrypted
CHUNK = PLAIN + 16
SALT, COMMITMENT = 24, 32
PREFIX = 12
MAX_HEADER = 131072
CARRIER_STREAM = 2
_ZEROS = bytes(1 << 20)
_PLAIN = bytes(PLAIN)


def is_zeros(data: bytes) -> bool:
    return _ZEROS.startswith(data) if len(data) <= len(_ZEROS) else data == bytes(len(data))


class ZeroStream:
    """The chunks that zeros give in one Cobblestone-256 stream."""

    def __init__(self, key: bytes, context: bytes, salt: bytes) -> None:
        info = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\x00" + salt + context
        derived = HKDFExpand(SHA512(), 32 + 12 + COMMITMENT, info).derive(key)
        self._aead = AESGCM(derived[:32])
        self._base = int.from_bytes(derived[32:44], "big")
        self.commitment = derived[44:]

    def chunk(self, index: int) -> bytes:
        return self._aead.encrypt((self._base ^ index).to_bytes(12, "big"), _PLAIN, None)

    def chunks(self, first: int, after: int) -> bytes:
        return b"".join([self.chunk(index) for index in range(first, after)])


def first_stream(beginning: bytes, identity: Identity) -> tuple[int, ZeroStream] | None:
    """Where the chunks of an envelope's first carrier begin, and its stream; None for what is no such envelope, or not yet."""
    if not beginning.startswith(labels.MAGIC):
        return None
    unpacker = msgpack.Unpacker(strict_map_key=False)
    unpacker.feed(beginning[PREFIX:])
    try:
        unpacker.skip()
        core_length = PREFIX + unpacker.tell()
        stanzas = unpacker.unpack()
        header_length = PREFIX + unpacker.tell()
    except (msgpack.UnpackException, ValueError):
        return None
    prelude = beginning[header_length : header_length + SALT + COMMITMENT]
    if len(prelude) < SALT + COMMITMENT:
        return None
    if not isinstance(stanzas, list) or not all(isinstance(stanza, list) and [type(part) for part in stanza] == [bytes, bytes] for stanza in stanzas):
        return None
    core = digest(labels.DIGEST_CORE, beginning[:core_length])
    for credential, wrapped in stanzas:
        try:
            payload_key = identity.unwrap(wrapped, wrap_info(core, credential))
        except ValizaError:
            continue
        key = HKDF(SHA256(), 32, None, msgpack.packb([labels.STREAM_KEY, CARRIER_STREAM, core])).derive(payload_key)
        context = msgpack.packb([labels.STREAM, header_digest(beginning[:header_length]), CARRIER_STREAM])
        stream = ZeroStream(key, context, prelude[:SALT])
        if stream.commitment == prelude[SALT:]:
            return header_length + SALT + COMMITMENT, stream
    return None


class Content:
    """The content of one file. What has to be kept is in a sparse file, where it belongs; holes are zeros, or marked chunks.

    A stream is written from its beginning to its end. A chunk that has come in part is held back (`_tail`) until it is whole, or until it is
    asked for. Who writes anywhere else ends that: what is marked there is stored first, and no more is marked.
    """

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self._stream: ZeroStream | None = None
        self._begin = 0  # of the stream's first chunk
        self._marked = bytearray()  # one for each chunk up to the last marked one
        self._tail: bytes | None = None  # what was written of the chunk that is not whole yet; None: chunks are no longer looked at
        self._tail_kept = True  # whether it is in the file too

    @property
    def marked(self) -> int:
        """Chunks for which no room is kept."""
        return self._marked.count(1)

    def write(self, file: int, data: bytes, offset: int) -> int:
        size = os.fstat(file).st_size
        if self._tail is not None and offset == size:
            self._append(file, data, size)
        else:
            self._end_stream(file, offset, offset + len(data))
            if offset >= size and is_zeros(data):
                os.ftruncate(file, offset + len(data))
            else:
                write_all(file, data, offset)
            if self._stream is None and offset + len(data) <= 4 * MAX_HEADER + (4 << 20):
                self._look_for_stream(file)
        return len(data)

    def read(self, file: int, length: int, offset: int) -> bytes:
        self.keep(file)
        if not self._marked or self._stream is None:
            return os.pread(file, length, offset)
        end = min(offset + length, os.fstat(file).st_size)
        parts = []
        while offset < end:
            index = (offset - self._begin) // CHUNK
            if offset < self._begin or index >= len(self._marked) or not self._marked[index]:
                stop = self._begin if offset < self._begin else self._begin + (index + 1) * CHUNK if index < len(self._marked) else end
                part = os.pread(file, min(stop, end) - offset, offset)
                if not part:
                    raise OSError(errno.EIO, "the store became shorter")
            else:
                within = offset - self._begin - index * CHUNK
                part = self._stream.chunk(index)[within : within + end - offset]
            parts.append(part)
            offset += len(part)
        return b"".join(parts)

    def truncate(self, file: int, length: int) -> None:
        self._end_stream(file, length, max(length, os.fstat(file).st_size))
        os.ftruncate(file, length)

    def keep(self, file: int) -> None:
        """Put what is held back into the file too, still waiting for the rest of its chunk."""
        if self._tail and not self._tail_kept:
            write_all(file, self._tail, os.fstat(file).st_size - len(self._tail))
            self._tail_kept = True

    def _look_for_stream(self, file: int) -> None:
        found = first_stream(os.pread(file, MAX_HEADER + SALT + COMMITMENT, 0), self._identity)
        if found is None:
            return
        self._begin, self._stream = found
        size = os.fstat(file).st_size
        whole = (size - self._begin) // CHUNK
        self._marked = bytearray(whole)  # stored already
        self._tail = os.pread(file, CHUNK, self._begin + whole * CHUNK)

    def _append(self, file: int, data: bytes, size: int) -> None:
        assert self._stream is not None
        assert self._tail is not None
        os.ftruncate(file, size + len(data))
        waiting = self._tail + data
        begin = size - len(self._tail)
        first = (begin - self._begin) // CHUNK
        count = len(waiting) // CHUNK
        expected = self._stream.chunks(first, first + count)
        if waiting.startswith(expected):
            self._marked += b"\x01" * count
        else:
            for number in range(count):
                chunk = waiting[number * CHUNK : (number + 1) * CHUNK]
                equal = chunk == expected[number * CHUNK : (number + 1) * CHUNK]
                self._marked.append(equal)
                if not equal:
                    write_all(file, chunk, begin + number * CHUNK)
        self._tail = waiting[count * CHUNK :]
        self._tail_kept = False

    def _end_stream(self, file: int, begin: int, end: int) -> None:
        """Store what is marked between two places, and mark no more."""
        self.keep(file)
        self._tail = None
        if self._stream is None:
            return
        for index in range(max(0, (begin - self._begin) // CHUNK), min(len(self._marked), (end - self._begin) // CHUNK + 1)):
            if self._marked[index]:
                write_all(file, self._stream.chunk(index), self._begin + index * CHUNK)
                self._marked[index] = 0


def write_all(file: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        count = os.pwrite(file, view, offset)
        view = view[count:]
        offset += count
