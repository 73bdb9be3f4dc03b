"""A message taken apart: its parts, and whatever in it mail programs could read differently (specs/mail.md, Taking apart).

Nothing is executed, nothing decoded but what is looked at, and no more is held in memory than what is small or what its reader asks for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO, Final, Self

from valiza.gateway.content import IN_MEMORY, Content
from valiza.gateway.media import SNIFFED_BYTES, Kind, declared, sniff
from valiza.gateway.mime import Header, read_header
from valiza.gateway.source import File, Source, open_source
from valiza.gateway.transfer import decoder, known, loosely, overlapping, scattered, smuggled, written_out
from valiza.keys.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

__all__ = ["Limits", "Part", "TakenApart", "TooComplex", "take_apart"]

_MOST_FLAWS: Final = 16
_MOST_SPURIOUS: Final = 1000
_EMPTY_LINE: Final = re.compile(rb"\n\r?\n")
_REST_OF_DELIMITER: Final = re.compile(rb"(--)?[ \t]*+\r?(\n|\Z)")
_LINE_FEED: Final = ord("\n")
_FIELD_OF_PARTS: Final = re.compile(rb"^content-(?:type|transfer-encoding)[ \t]*+:", re.IGNORECASE | re.MULTILINE)
_UNKNOWN: Final = -2
_NOWHERE: Final = 1 << 62
_HEADER_BLOCK: Final = 2048  # in which most headers end
_PADDING: Final = 128  # blanks after a delimiter that are looked at
_FROM_LINE: Final = re.compile(rb"From [^\r\n:]*+[^\r\n]*+\r?\n")
_MESSAGES: Final = frozenset({"message/rfc822", "message/global", "message/news"})
_PIECES: Final = frozenset({"message/partial", "message/external-body"})
_TNEF: Final = frozenset({"application/ms-tnef", "application/vnd.ms-tnef"})
_OPAQUE: Final = _PIECES | {"application/pkcs7-mime", "application/x-pkcs7-mime", "application/applefile", "application/mac-binhex40"}


class TooComplex(Refused):
    """A message with more parts, levels or header than is looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much of a message is looked at.

    Attributes:
        parts: of all levels together, multiparts and messages included.
        depth: multiparts and messages one inside the other.
        header_bytes: of the header of the message, and of each part.
    """

    parts: int = 200
    depth: int = 12
    header_bytes: int = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part that has no parts: texts too.

    Attributes:
        path: its number as IMAP counts: `2.1`; of a message without parts `1`.
        media_type: small letters.
        names: every name of a file that it is given, the likeliest first: mail programs differ.
        charset: small letters, or empty.
        kind: what of Valiza its content begins like.
        declared: whether media type or name say that it is something of Valiza. Declared and of no kind: malformed.
        content: what is in it; of what is ours it has been decoded, and is checked as a file (`content.open()`) or bytes (`content.read()`).
    """

    path: str
    media_type: str
    names: tuple[str, ...]
    charset: str
    kind: Kind | None
    declared: bool
    content: Content = field(repr=False)

    @property
    def ours(self) -> bool:
        """Whether it is, or is said to be, something of Valiza."""
        return self.kind is not None or self.declared

    @property
    def filename(self) -> str:
        """The likeliest name of a file, or empty."""
        return self.names[0] if self.names else ""


@dataclass(slots=True)
class TakenApart:
    """A message, to be used as a context: with it the files are closed that its parts read from.

    Attributes:
        parts: those without parts of their own, in their order.
        sender: the one address in From, or empty.
        message_id: as it stands, or empty.
        subjects: of the message and of those inside, as they stand.
        flaws: what mail programs may read differently, in words for the log: none of them from the message.
        carries: whether something of Valiza is in it, as a part or anywhere else where it was seen. With flaws it is malformed.
        headers: how many it has: its own, and those of parts and messages inside.
        files: that are open.
    """

    parts: list[Part] = field(default_factory=list)
    sender: str = ""
    message_id: str = ""
    subjects: list[str] = field(default_factory=list)
    flaws: list[str] = field(default_factory=list)
    carries: bool = False
    headers: int = 0
    files: list[BinaryIO] = field(default_factory=list, repr=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the files."""
        for file in self.files:
            file.close()


def take_apart(raw: bytes | Path | BinaryIO, limits: Limits | None = None) -> TakenApart:
    """A message's parts, those of messages inside it too.

    Args:
        raw: its bytes, or the file that holds them, perhaps open; from a MiB on a file costs less memory.
        limits: None for the usual ones.

    Raises:
        TooComplex: there is more of it than the limits allow. Unavailable: the disk.
    """
    taken = TakenApart()
    source = open_source(raw)
    if isinstance(source, File):
        taken.files.append(source.file)
    try:
        _Walk(source, limits or Limits(), taken).walk()
    except BaseException:
        taken.close()
        raise
    return taken


def _printable(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """What it is if it is quoted-printable."""
    decoding = decoder("quoted-printable")
    for block in blocks:
        yield decoding.feed(block)
    yield decoding.finish()


@dataclass(slots=True)
class _Level:
    """A multipart, or a message inside (without a needle), that is being read."""

    path: str
    needle: bytes = b""  # line end, two hyphens and the boundary
    digest: bool = False
    parts: int = 0
    next: int = _UNKNOWN  # where its next delimiter may be; of use as long as that place has not been passed


@dataclass(frozen=True, slots=True)
class _Delimiter:
    level: int
    start: int  # of the line end before it
    end: int  # of its line
    closes: bool


@dataclass(frozen=True, slots=True)
class _Body:
    """A part that is being read."""

    header: Header
    media_type: str
    path: str
    start: int


class _Walk:
    """One pass over a message. The places of delimiters are found as bytes, so that a body costs no more than a search."""

    def __init__(self, source: Source, limits: Limits, taken: TakenApart, path: str = "", depth: int = 0, *, to_the_end: bool = False) -> None:
        self.source, self.limits, self.taken = source, limits, taken
        self.path, self.depth, self.to_the_end = path, depth, to_the_end
        self.cut_short = False  # whether a header ended at a line that is no field
        self.levels: list[_Level] = []
        self.reached = 0
        self.spurious = 0

    def walk(self) -> None:
        """Read the whole source as one message."""
        first = None if self.path else _FROM_LINE.match(self.source.slice(0, 1024))
        body = self._entity(0 if first is None else first.end(), self.path, message=True)
        while (found := self._next(self.reached)) is not None:
            self._end(body, found.start)
            self._unclosed(found.level + 1)
            self.reached = found.end
            level = self.levels[found.level]
            if found.closes:
                self.levels.pop()
                body = None
                after = self._next(found.end)
                if self.source.find(level.needle, found.end - 1, self.source.size if after is None else after.start) >= 0:
                    self._flaw("a delimiter after the end of its multipart", level.path)
            else:
                level.parts += 1
                body = self._entity(found.end, f"{level.path}.{level.parts}".lstrip("."), digest=level.digest)
        self._end(body, self.source.size)
        self._unclosed(0)
        if self.cut_short and not self.taken.carries:
            self._read_on()
        if self.taken.flaws and not self.taken.carries:  # somebody else may find parts where we found none
            self._look_hard(Content(self.source, 0, self.source.size, ""), self.path)

    def _read_on(self) -> None:
        """Read all of it again as mail programs do that pass over a line in a header that is no field: their bodies are others."""
        others = TakenApart(files=self.taken.files)
        _Walk(self.source, self.limits, others, self.path, self.depth, to_the_end=True).walk()
        self.taken.carries = others.carries

    def _flaw(self, words: str, path: str) -> None:
        flaw = f"part {path}: {words}" if path else words
        if len(self.taken.flaws) < _MOST_FLAWS and flaw not in self.taken.flaws:
            self.taken.flaws.append(flaw)

    def _unclosed(self, first: int) -> None:
        """Leave the levels from one on, whose ends did not come."""
        for level in self.levels[first:]:
            if level.needle:
                self._flaw("a multipart without an end", level.path)
        del self.levels[first:]

    def _deeper(self) -> None:
        if self.depth + len(self.levels) >= self.limits.depth:
            message = f"a message with more than {self.limits.depth} multiparts or messages one inside the other"
            raise TooComplex(message)

    def _entity(self, at: int, path: str, *, message: bool = False, digest: bool = False) -> _Body | None:
        """Begin a message or part whose header is at a place: its body, or None where that is one of parts."""
        while True:
            self.taken.headers += 1
            if self.taken.headers > self.limits.parts:
                text = f"a message with more than {self.limits.parts} parts"
                raise TooComplex(text)
            header, at = self._header(at, path)
            media_type = header.media_type or ("message/rfc822" if digest else "text/plain")
            if message:
                self._message(header, path)
            self.reached = at
            if not known(header.encoding) and (header.boundary or media_type in _MESSAGES):  # some take it for a leaf
                self._flaw("a transfer encoding that is not known", path)
            if header.boundary and written_out(header.encoding):
                self._multipart(header, path, at)
                return None
            if media_type not in _MESSAGES or not written_out(header.encoding):
                return _Body(header, media_type, f"{path}.1".lstrip(".") if message else path, at)
            self._deeper()
            self.levels.append(_Level(path))
            message, digest = True, False

    def _message(self, header: Header, path: str) -> None:
        if not path:
            self.taken.sender, self.taken.message_id = header.sender, header.message_id
        self.taken.subjects += header.subjects
        if not header.mime and (header.boundary or not written_out(header.encoding)):
            self._flaw("no MIME-Version", path)

    def _multipart(self, header: Header, path: str, at: int) -> None:
        self._deeper()
        needle = b"\n--" + header.boundary
        if any(level.needle and (level.needle.startswith(needle) or needle.startswith(level.needle)) for level in self.levels):
            self._flaw("a boundary that begins like one around it", path)
        around = self._next(at)
        if self._inside_a_line(needle[1:], at, self.source.size if around is None else around.start):
            self._flaw("a delimiter inside a line", path)
        self.levels.append(_Level(path, needle, header.media_type == "multipart/digest"))

    def _inside_a_line(self, words: bytes, at: int, end: int) -> bool:
        """Whether they stand behind anything but a line end: mail programs may see one in it, such as a lone carriage return."""
        before = b"\n"
        for block in self.source.blocks(at, end):
            text, place = before + block, 0
            while (place := text.find(words, place + 1)) >= 0:
                if text[place - 1] != _LINE_FEED:
                    return True
            before = text[-len(words) :]
        return False

    def _header(self, at: int, path: str) -> tuple[Header, int]:
        """The header at a place, and where the body begins."""
        around = self._next(at)
        end = self.source.size if around is None else around.start + 1
        block, most = b"", self.limits.header_bytes
        empty = None
        for length in (_HEADER_BLOCK, most + 4):
            block = self.source.slice(at, min(end, at + length))
            empty = _EMPTY_LINE.search(block)
            if block.startswith((b"\n", b"\r\n")):
                return Header(), at + block.index(b"\n") + 1
            if empty is not None or len(block) < length:
                break
        if (len(block) if empty is None else empty.start()) > most:
            message = f"a message with a header of more than {most} bytes"
            raise TooComplex(message)
        if empty is None and around is not None:
            self._flaw("no empty line after the header", path)
        lines = block if empty is None else block[: empty.start() + 1]
        header, used = read_header(lines, to_the_end=self.to_the_end)
        self.cut_short = self.cut_short or used < len(lines)
        for flaw in header.flaws:
            self._flaw(flaw, path)
        return header, at + (used if used < len(lines) or empty is None else empty.end())

    def _next(self, at: int) -> _Delimiter | None:
        """The next delimiter of any level, at a place or after it. The one of an inner level counts only before the next of those around it."""
        while True:
            bound, innermost = self.source.size, -1
            for index, level in enumerate(self.levels):
                if level.needle:
                    if level.next < at - 1:
                        found = self.source.find(level.needle, max(0, at - 1), bound)
                        level.next = found if found >= 0 else _NOWHERE
                    if level.next < bound:
                        bound, innermost = level.next, index
            if innermost < 0:
                return None
            level = self.levels[innermost]
            line = bound + len(level.needle)
            rest = _REST_OF_DELIMITER.match(self.source.slice(line, line + _PADDING))
            if rest is not None and (rest[2] or line + rest.end() == self.source.size):
                return _Delimiter(innermost, bound, line + rest.end(), rest[1] is not None)
            self._flaw("a line that begins like a delimiter", level.path)
            self.spurious += 1
            if self.spurious > _MOST_SPURIOUS:
                message = "a message with too many lines that begin like delimiters"
                raise TooComplex(message)
            found = self.source.find(level.needle, bound + 1, self.source.size)
            level.next = found if found >= 0 else _NOWHERE

    def _end(self, body: _Body | None, end: int) -> None:
        """What has been read up to a place was a body, or belongs to no part."""
        start = self.reached
        if body is None or body.header.encoding != "binary":
            self._no_null(start, end, "" if body is None else body.path)
        if body is None:
            if start < end:
                self._look(self.source.blocks(start, end), "")
            return
        if end < self.source.size and end > start and self.source.slice(end - 1, end) == b"\r":
            end -= 1
        self._leaf(body, start, max(start, end))

    def _look_hard(self, content: Content, path: str) -> None:
        """Look for what might be parts for somebody else, in either encoding."""
        self._look(content.blocks(), path, careful=True)
        self._look(_printable(content.blocks()), path)
        if scattered(content.blocks()):
            self._hidden("base64", path)

    def _no_null(self, start: int, end: int, path: str) -> None:
        """Some mail programs leave null bytes out, and see a delimiter or an object where others see none."""
        if self.source.find(b"\0", start, end) >= 0:
            self._flaw("a null byte in what is not binary", path)

    def _look(self, blocks: Iterator[bytes], path: str, *, careful: bool = False) -> None:
        form = smuggled(blocks, careful=careful)
        if form:
            self._hidden(form, path)

    def _hidden(self, form: str, path: str) -> None:
        self.taken.carries = True
        self._flaw(f"something of Valiza that is no part of its own, as {form}", path)

    def _leaf(self, body: _Body, start: int, end: int) -> None:
        header, path = body.header, body.path
        content = Content(self.source, start, end, header.encoding)
        if body.media_type in _MESSAGES:
            self._encoded_message(content, path)
            return
        kind, said = sniff(content.head(SNIFFED_BYTES)), declared(body.media_type, header.names)
        flaw = "" if known(header.encoding) else "a transfer encoding that is not known"
        if kind is None and header.encoding == "base64" and sniff(loosely(content.raw())) is not None:
            self.taken.carries, flaw = True, "something of Valiza in base64 behind padding"
        if kind is not None or said:
            self.taken.carries = True
            flaw = content.keep(self.taken.files) or flaw
        elif body.media_type.startswith("text/") and content.encoded_size <= IN_MEMORY:
            content.keep(self.taken.files)
        if flaw:
            self._flaw(flaw, path)
        part = Part(path=path, media_type=body.media_type, names=header.names, charset=header.charset, kind=kind, declared=said, content=content)
        self.taken.parts.append(part)
        self._suspect(part)

    def _suspect(self, part: Part) -> None:
        """Look into what mail programs may take something out of."""
        content, multipart = part.content, part.media_type.startswith("multipart/")
        if part.media_type in _PIECES:
            self._flaw("a message in pieces, or one that lies elsewhere", part.path)
        elif part.media_type.startswith("message/") and any(
            _FIELD_OF_PARTS.search(text) for text in overlapping(chain(content.raw(), content.blocks()))
        ):
            self._flaw("a message of another kind, with fields of a part", part.path)
        tnef = part.media_type in _TNEF or any(name.lower() == "winmail.dat" for name in part.names)
        if tnef:
            self._flaw("winmail.dat (TNEF): what is in it cannot be checked", part.path)
        if multipart and not written_out(content.encoding):
            self._flaw("a multipart that is itself encoded", part.path)
        if part.kind is not None:
            return
        if multipart and not written_out(content.encoding):
            self._look(content.raw(), part.path)
        if part.media_type.startswith("message/"):  # one that we do not know: others may take it for a message
            self._look_hard(content, part.path)
        elif multipart or tnef or part.media_type.startswith("text/") or part.media_type in _OPAQUE or written_out(content.encoding):
            self._look(content.blocks(), part.path)

    def _encoded_message(self, content: Content, path: str) -> None:
        self._flaw("a message inside that is encoded", path)
        self._deeper()
        flaw = content.keep(self.taken.files)
        if flaw:
            self._flaw(flaw, path)
        _Walk(content.source(), self.limits, self.taken, path, self.depth + len(self.levels) + 1, to_the_end=self.to_the_end).walk()
