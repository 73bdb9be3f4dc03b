"""What Valiza is in a message, written to a new folder under names of our own: for people, and nothing of it is believed."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final

from valiza.envelope.payload import write_all
from valiza.gateway.media import ENDINGS, SNIFFED_BYTES, Kind, sniff, statement_type
from valiza.gateway.parts import Limits, TakenApart, take_apart
from valiza.gateway.source import BLOCK_BYTES
from valiza.keys import labels
from valiza.keys.errors import Malformed, Refused
from valiza.keys.files import new_folder, open_new_file, storage_errors
from valiza.keys.statement import LIMITS
from valiza.office.reader import standard_input

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from valiza.gateway.parts import Part

__all__ = ["Unwrapped", "message_file", "objects_in", "unwrap"]

_MOST_BYTES: Final = 1 << 29
_MOST: Final = 64  # objects in a message that somebody takes out by hand


@dataclass(frozen=True, slots=True, kw_only=True)
class Unwrapped:
    """An object that was taken out.

    Attributes:
        file: its name in the folder.
        kind: what it begins like.
        type: the last word of a statement's type, if that is known; else empty.
        part: where it was, counted as IMAP does.
        media_type: that the message gives it.
        filename: that the message gives it: somebody else's text.
        size: in bytes.
    """

    file: str
    kind: Kind
    type: str
    part: str
    media_type: str
    filename: str
    size: int


@contextmanager
def message_file(path: Path, most: int = _MOST_BYTES) -> Iterator[BinaryIO]:
    """A message as a seekable file. Standard input (`-`) and pipes are spooled first.

    Raises:
        Malformed: it has more than `most` bytes, or is no message but an object of Valiza. Unavailable: it cannot be read.
    """
    with storage_errors(path):
        source = standard_input() if str(path) == "-" else path.open("rb", buffering=0)
    with ExitStack() as open_files:
        if str(path) != "-":
            open_files.enter_context(source)
        with storage_errors(path):
            if str(path) == "-" or not source.seekable():
                source = open_files.enter_context(_spooled(source, most))
            elif source.seek(0, 2) > most:
                raise _too_long(most)
            source.seek(0)
            start = source.read(SNIFFED_BYTES)
            source.seek(0)
        kind = sniff(start)
        if kind is None and b"\0" in start:  # a database, an archive: no header begins so
            message = "it is no message"
            raise Malformed(message)
        if kind is not None:
            message = f"it is no message, but itself {'an' if kind.value[0] in 'ae' else 'a'} {kind.value}"
            raise Malformed(message)
        yield source


def _spooled(source: BinaryIO, most: int) -> BinaryIO:
    file, length = tempfile.TemporaryFile(buffering=0), 0  # noqa: SIM115 - closed by who asked
    while data := source.read(BLOCK_BYTES):
        length += len(data)
        if length > most:
            file.close()
            raise _too_long(most)
        write_all(file, memoryview(data))
    return file


def _too_long(most: int) -> Malformed:
    return Malformed(f"a message of more than {most} bytes")


def unwrap(raw: bytes | Path | BinaryIO, into: Path) -> tuple[TakenApart, list[Unwrapped]]:
    """Write every object in a message to a new folder, all or none; the message as taken apart is closed already.

    Raises:
        Malformed: there is none, one is not what it is said to be, or mail programs may see other objects in it.
        Refused: the folder exists, or the message is too complex. Unavailable: the disk.
    """
    with take_apart(raw, Limits()) as taken:
        found = objects_in(taken)
        _require_fit(found)
        with new_folder(into) as work:
            return taken, [_write(part, kind, number, work) for number, (part, kind) in enumerate(found, 1)]


def objects_in(taken: TakenApart) -> list[tuple[Part, Kind]]:
    """The leaves of Valiza in a message, and what each begins like (mail.md, Taking apart, steps 6 and 7).

    Raises:
        Malformed: mail programs may see others, or one is not what it is said to be.
    """
    if taken.carries and taken.flaws:
        message = f"mail programs may see different things in this message: {'; '.join(taken.flaws)}"
        raise Malformed(message, "ask for it once more, or save the attachment with your mail program and verify it")
    parts: list[tuple[Part, Kind]] = []
    for part in filter(lambda part: part.ours, taken.parts):
        if part.kind is None:
            message = f"part {part.path} is said to be a Valiza object, and is none"
            raise Malformed(message)
        parts.append((part, part.kind))
    return parts


def _require_fit(parts: list[tuple[Part, Kind]]) -> None:
    for part, kind in parts:
        if kind is Kind.KEY:
            message = f"part {part.path} is a private key"
            raise Refused(message, "whoever sent it should make a new one: keys are never sent by mail")
    if not parts:
        message = "no Valiza object is in this message"
        raise Malformed(message)
    if len(parts) > _MOST:
        message = f"{len(parts)} Valiza objects are in this message, more than {_MOST}"
        raise Refused(message)


def _write(part: Part, kind: Kind, number: int, folder: Path) -> Unwrapped:
    said = statement_type(part.content.head(SNIFFED_BYTES)) if kind is Kind.STATEMENT else ""
    type_ = said if labels.BEGIN + said in LIMITS else ""
    name, size = f"{number}-{type_ or kind.value}{ENDINGS[kind]}", 0
    with open_new_file(folder / name) as file, storage_errors(folder / name):
        for block in part.content.blocks():
            view = memoryview(block)
            while view:
                view = view[file.write(view) :]
            size += len(block)
    return Unwrapped(file=name, kind=kind, type=type_, part=part.path, media_type=part.media_type, filename=part.filename, size=size)
