"""The content of one part: where it lies in the message, and decoded when it is asked for; a large one goes into a file, not into memory."""

from __future__ import annotations

import tempfile
from io import BytesIO
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO, Final

from valiza.envelope.payload import write_all
from valiza.gateway.source import Bytes, File, Source
from valiza.gateway.transfer import decoder
from valiza.keys.files import storage_errors

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["IN_MEMORY", "Content"]

IN_MEMORY: Final = 1 << 20  # bytes, as encoded, up to which it is kept there
_HEAD: Final = 256
_NAME: Final = "a spooled part"


class Content:
    """A body.

    Attributes:
        encoding: its transfer encoding, small letters.
        encoded_size: in bytes, as it stands in the message.
    """

    __slots__ = ("_end", "_file", "_memory", "_source", "_start", "encoded_size", "encoding")

    def __init__(self, source: Source, start: int, end: int, encoding: str) -> None:
        self._source, self._start, self._end = source, start, end
        self.encoding, self.encoded_size = encoding, end - start
        self._memory: bytes | None = None
        self._file: BinaryIO | None = None

    def head(self, length: int) -> bytes:
        """The first `length` bytes or some more, decoded; all of it if it is shorter."""
        if self._memory is not None:
            return self._memory[:length]
        decoding, head = decoder(self.encoding), b""
        first = min(self._end, self._start + _HEAD)
        for block in chain((self._source.slice(self._start, first),), self._source.blocks(first, self._end)):
            head += decoding.feed(block)
            if len(head) >= length:
                return head
        return head + decoding.finish()

    def keep(self, files: list[BinaryIO]) -> str:
        """Decode all of it, once for all.

        Args:
            files: gets the file in which a large one is put, to be closed.

        Returns:
            What mail programs may decode differently, in words; empty if nothing.

        Raises:
            Unavailable: the disk.
        """
        decoding = decoder(self.encoding)
        if self.encoded_size <= IN_MEMORY:
            self._memory = decoding.feed(self._source.slice(self._start, self._end)) + decoding.finish()
            return decoding.flaw
        with storage_errors(_NAME):
            file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed with the message
        files.append(file)
        for block in self.raw():
            write_all(file, memoryview(decoding.feed(block)))
        write_all(file, memoryview(decoding.finish()))
        self._file = file
        return decoding.flaw

    @property
    def size(self) -> int | None:
        """Its length in bytes, if it was decoded."""
        if self._memory is not None:
            return len(self._memory)
        return None if self._file is None else File(self._file, _NAME).size

    def raw(self) -> Iterator[bytes]:
        """As it stands in the message, piece by piece."""
        return self._source.blocks(self._start, self._end)

    def blocks(self) -> Iterator[bytes]:
        """Decoded, piece by piece.

        Raises:
            Unavailable: the disk.
        """
        if self._memory is not None:
            yield self._memory
        elif self._file is not None:
            file = File(self._file, _NAME)
            yield from file.blocks(0, file.size)
        else:
            decoding = decoder(self.encoding)
            for block in self.raw():
                yield decoding.feed(block)
            yield decoding.finish()

    def read(self, most: int | None = None) -> bytes:
        """Decoded, or the beginning of it up to `most` bytes."""
        if self._memory is not None:
            return self._memory if most is None else self._memory[:most]
        if most is not None:
            return self.head(most)[:most]
        return b"".join(self.blocks())

    def open(self) -> BinaryIO:
        """As a seekable file, at its beginning; what was kept in a file is that file, the same at each call."""
        if self._file is None:
            return BytesIO(self.read())
        with storage_errors(_NAME):
            self._file.seek(0)
        return self._file

    def source(self) -> Source:
        """What was kept, to be looked through."""
        return File(self._file, _NAME) if self._file is not None else Bytes(self.read())
