"""The bytes of a message, in memory or in the file in which it is spooled: looked through in blocks, so that its size costs no memory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from valiza.keys.files import storage_errors

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["BLOCK_BYTES", "Bytes", "File", "Source", "open_source"]

BLOCK_BYTES: Final = 1 << 18


class Bytes:
    """A message in memory."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.size = len(raw)

    def slice(self, start: int, end: int) -> bytes:
        """The bytes from `start` to before `end`."""
        return self.raw[start:end]

    def find(self, needle: bytes, start: int, end: int) -> int:
        """Where the needle first lies between them, or -1."""
        return self.raw.find(needle, start, end)

    def blocks(self, start: int, end: int) -> Iterator[bytes]:
        """The bytes between them, piece by piece."""
        for at in range(start, end, BLOCK_BYTES):
            yield self.raw[at : min(end, at + BLOCK_BYTES)]


class File:
    """A message in a file, which nobody changes meanwhile."""

    def __init__(self, file: BinaryIO, name: Path | str) -> None:
        self.file = file
        self.name = name
        with storage_errors(name):
            self.size = file.seek(0, 2)

    def slice(self, start: int, end: int) -> bytes:
        """As of `Bytes`.

        Raises:
            Unavailable: the disk.
        """
        with storage_errors(self.name):
            self.file.seek(start)
            return self.file.read(max(0, min(end, self.size) - start))

    def find(self, needle: bytes, start: int, end: int) -> int:
        """As of `Bytes`."""
        end, overlap = min(end, self.size), len(needle) - 1
        for at in range(start, end, BLOCK_BYTES):
            found = self.slice(at, min(end, at + BLOCK_BYTES + overlap)).find(needle)
            if found >= 0:
                return at + found
        return -1

    def blocks(self, start: int, end: int) -> Iterator[bytes]:
        """As of `Bytes`."""
        for at in range(start, end, BLOCK_BYTES):
            yield self.slice(at, min(end, at + BLOCK_BYTES))


Source = Bytes | File


def open_source(raw: bytes | Path | BinaryIO) -> Source:
    """A message to be looked through; of a file, close its `file` in the end. One that is open is seekable.

    Raises:
        Unavailable: the file cannot be read.
    """
    if isinstance(raw, Path):
        with storage_errors(raw):
            return File(raw.open("rb"), raw)
    return Bytes(raw) if isinstance(raw, bytes) else File(raw, "a message")
