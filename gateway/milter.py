"""The conversation with a mail server: the milter protocol of Sendmail and Postfix, version 6, one connection for each SMTP session.

What the message is, is put together again byte for byte as the mail server has it: names and values of its header with the spaces that stand there,
folded lines with CR LF, then the body. Whatever a mail server would not say ends the connection, and the mail server defers the message.

The codec is kilter.protocol's, without its buffers. Two kinds of frames are taken apart here, since it refuses those that are not ASCII, and an
address in another script is no reason to refuse a message.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from kilter.protocol.buffer import SimpleBuffer
from kilter.protocol.core import FilterProtocol
from kilter.protocol.messages import (
    Abort,
    AddHeader,
    Body,
    ChangeHeader,
    Close,
    Continue,
    EndOfMessage,
    EnvelopeFrom,
    Negotiate,
    Progress,
    Quarantine,
    ReplyCode,
    Skip,
    Stage,
)
from kilter.protocol.messages import ActionFlags as Actions
from kilter.protocol.messages import Message as Word
from kilter.protocol.messages import ProtocolFlags as Options

from valiza.gateway.decision import Action, GatewayVerdict
from valiza.gateway.message import Message

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from valiza.gateway.decision import Decision

__all__ = ["OURS", "Limits", "Milter", "Watcher"]

OURS: Final = b"x-valiza-"  # names of headers that only a gateway may set
_VERSION: Final = 6
_LARGEST: Final = 1 << 20  # bytes of a frame; those of a body have up to 65536, and Postfix cuts headers at 102400
_HEAD: Final = struct.Struct(">IB")
_PLACE: Final = struct.Struct(">I")
_MACROS: Final = ord("D")
_HEADER: Final = ord("L")
_CONTINUE: Final = _HEAD.pack(1, Continue.ident)
_LARGEST_ANSWER: Final = 4096  # bytes of a word of ours
_NEEDED: Final = Actions.ADD_HEADERS | Actions.CHANGE_HEADERS | Actions.QUARANTINE
_UNWANTED: Final = Options.NO_CONNECT | Options.NO_HELO | Options.NO_RECIPIENT | Options.NO_DATA | Options.NO_UNKNOWN
_UNANSWERED: Final = (
    Options.NR_CONNECT
    | Options.NR_HELO
    | Options.NR_MAIL
    | Options.NR_RECIPIENT
    | Options.NR_DATA
    | Options.NR_UNKNOWN
    | Options.NR_HEADER
    | Options.NR_EOH
)  # each piece of a body is answered, so that one that is too large can be refused before its end
_OPTIONS: Final = _UNWANTED | _UNANSWERED | Options.SKIP | Options.HEADER_LEADING_SPACE
_IN_MEMORY: Final = 1 << 18  # bytes of a message; more of it goes into a file
_PATIENCE: Final = 20.0  # seconds after which the mail server is told that the answer is still to come
_HEADERS: Final = 10_000  # more than the largest message that any mail server passes has


class Broken(Exception):
    """The other end does not speak the protocol, or not as it is needed; a text of our own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What is taken from a mail server.

    Attributes:
        message_bytes: the largest message.
        connections: how many at once.
        idle_s: how long a connection may be silent between messages, and while a client is still sending one to the mail server.
        frame_s: how long it may be silent within one.
    """

    message_bytes: int
    connections: int
    idle_s: float = 3600
    frame_s: float = 60


class Watcher(Protocol):
    """Who is told what happens on the socket."""

    def connections(self, count: int) -> None:
        """So many connections are open."""

    def refused(self, limit: int) -> None:
        """A connection was closed at once: there are as many as may be."""

    def broken(self, reason: str) -> None:
        """A connection was closed for what came through it."""

    def decided(self, queue_id: str, decision: Decision, size: int, seconds: float) -> None:
        """A message was decided; the time since its last byte came."""

    def aborted(self, queue_id: str) -> None:
        """The mail server gave a message up before its end."""


# -- one message ----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Collected:
    """Header and body as they come; in a file from some size on."""

    folder: Path
    sender: str | None = None
    queue_id: str = ""
    size: int = 0
    forged: list[bytes] = field(default_factory=list)  # names of headers that are to go, in their order
    too_large: bool = False
    too_complex: bool = False
    lost: str = ""  # why it could not be kept
    headers: int = 0  # so far; -1 after the last
    _kept: bytearray = field(default_factory=bytearray)
    _path: Path | None = None

    @property
    def coming(self) -> bool:
        """Whether its content has begun to come: until then a slow client is at work."""
        return self.size > 0

    def add(self, piece: bytes, *, keep: bool) -> None:
        """The next bytes, which are only counted if it is not to be kept. OSError: there is no room for them."""
        self.size += len(piece)
        if not keep:
            return
        self._kept += piece
        if len(self._kept) > _IN_MEMORY:
            if self._path is None:
                with tempfile.NamedTemporaryFile(dir=self.folder, prefix="message-", delete=False) as made:
                    self._path = Path(made.name)
            self._spill(self._path)

    def _spill(self, path: Path) -> None:
        with path.open("ab", buffering=0) as file:
            view = memoryview(bytes(self._kept))
            while view:
                view = view[file.write(view) :]
        self._kept.clear()

    def message(self) -> Message:
        """The whole."""
        if self._path is not None and self._kept:
            self._spill(self._path)
        raw = bytes(self._kept) if self._path is None else self._path
        return Message(raw=raw, sender=self.sender, queue_id=self.queue_id)

    def drop(self) -> None:
        """Forget it."""
        self._kept.clear()
        if self._path is not None:
            self._path.unlink(missing_ok=True)
            self._path = None


class _Frame:
    """One frame, as the codec reads it."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._taken = 0

    @property
    def filled(self) -> int:
        return len(self._raw) - self._taken

    def __getitem__(self, items: slice) -> memoryview:
        return memoryview(self._raw)[self._taken :][items]

    def __delitem__(self, items: slice) -> None:
        self._taken += len(range(*items.indices(self.filled)))


# -- one connection -------------------------------------------------------------------------------------------------------


class _Session:
    """A connection of a mail server, which brings one message after another."""

    def __init__(self, milter: Milter, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._milter = milter
        self._reader = reader
        self._writer = writer
        self._protocol = FilterProtocol()
        self._message: _Collected | None = None
        self._queue_id = ""
        self._leading_space = False

    @property
    def busy(self) -> bool:
        """Whether a message is on its way."""
        return self._message is not None

    async def run(self) -> None:
        """Until the mail server has nothing more, or says what it should not.

        Raises:
            Broken, or whatever the codec raises over bytes that are none of the protocol's.
        """
        try:
            while (raw := await self._next()) is not None:
                if not await self._take(raw):
                    break
                if self._milter.stopping and not self.busy:
                    break
        finally:
            self._forget()

    async def _next(self) -> bytes | None:
        """The next frame with its length; None where the connection ends."""
        limits = self._milter.limits
        try:
            async with asyncio.timeout(limits.frame_s if self._message is not None and self._message.coming else limits.idle_s):
                head = await self._reader.readexactly(_HEAD.size)
        except TimeoutError as error:
            message = "nothing came for too long"
            raise Broken(message) from error
        except asyncio.IncompleteReadError as error:
            if error.partial or self.busy:
                message = "it ended within a message"
                raise Broken(message) from error
            return None
        size, _ = _HEAD.unpack(head)
        if not 1 <= size <= _LARGEST:
            message = f"a frame of {size} bytes"
            raise Broken(message)
        try:
            async with asyncio.timeout(limits.frame_s):
                return head + await self._reader.readexactly(size - 1)
        except (TimeoutError, asyncio.IncompleteReadError) as error:
            message = "a frame did not come whole"
            raise Broken(message) from error

    async def _take(self, raw: bytes) -> bool:
        """Do what a frame says; False after the last one."""
        kind, data = raw[_HEAD.size - 1], raw[_HEAD.size :]
        if kind == _MACROS:
            self._macros(data)
            return True
        if kind == _HEADER:
            self._header(data)
            if kind not in self._protocol.nr:
                await self._write(_CONTINUE)
            return True
        for word in self._protocol.read_from(_Frame(raw)):  # type: ignore[arg-type] # it is read, and never written
            if isinstance(word, Close):
                return False
            await self._hear(word)
        return True

    async def _hear(self, word: Word) -> None:
        match word:
            case Negotiate():
                await self._negotiate(word)
            case EnvelopeFrom():
                self._begin(bytes(word.sender))
                if self._protocol.needs_response(word):
                    await self._send(Continue())
            case Body():
                await self._body(bytes(word.content))
            case EndOfMessage():
                await self._end(bytes(word.content))
            case Abort():
                if self._message is not None:
                    self._milter.watcher.aborted(self._message.queue_id)
                self._forget()
            case _ if self._protocol.needs_response(word):  # type: ignore[arg-type] # it came from a mail server
                await self._send(Continue())

    # -- what comes -------------------------------------------------------------------------------------------------------

    async def _negotiate(self, offered: Negotiate) -> None:
        if offered.version < _VERSION or _NEEDED & ~offered.action_flags:
            message = "the mail server lets no header be changed, or nothing be put on hold"
            raise Broken(message)
        options = _OPTIONS & offered.protocol_flags
        actions, macros = _NEEDED, {}
        if Actions.SETSYMLIST in offered.action_flags:  # of all that it could tell only its name of the message is wanted
            actions |= Actions.SETSYMLIST
            macros = {stage: ["i"] if stage in {Stage.END_HEADERS, Stage.END_MESSAGE} else [] for stage in Stage}
        self._leading_space = Options.HEADER_LEADING_SPACE in options
        await self._send(Negotiate(_VERSION, actions, options, macros))

    def _macros(self, data: bytes) -> None:
        """Names and values, each ended by a zero byte, after one byte that says to what they belong."""
        words = data[1:].split(b"\0")
        for name, value in zip(words[::2], words[1::2], strict=False):
            if name in {b"i", b"{i}"}:
                self._queue_id = value.decode("ascii", "backslashreplace")[:64]
                if self._message is not None:
                    self._message.queue_id = self._queue_id

    def _begin(self, sender: bytes) -> None:
        self._forget()
        address = sender.removeprefix(b"<").removesuffix(b">").decode("utf-8", "surrogateescape")
        self._message = _Collected(self._milter.folder, sender=address)

    def _header(self, data: bytes) -> None:
        message = self._required()
        name, zero, rest = data.partition(b"\0")
        value, end, more = rest.partition(b"\0")
        message.headers += 1
        if not zero or not end or more or not name:
            text = "a header that is none"
            raise Broken(text)
        if message.headers > _HEADERS:  # the rest is only counted
            message.too_complex = True
        if name.strip().lower().startswith(OURS):
            message.forged.append(name)
            if len(message.forged) > _HEADERS:
                text = "too many headers in our name"
                raise Broken(text)
        self._add(message, name + (b":" if self._leading_space else b": ") + _folded(value) + b"\r\n")

    async def _body(self, content: bytes) -> None:
        message = self._required()
        if message.headers >= 0:  # the first piece: the empty line comes before it
            self._end_header(message)
        self._add(message, content)
        if not self._protocol.needs_response(Body(b"")):
            return
        if message.too_large:
            refusal = self._milter.judged(GatewayVerdict.TOO_LARGE, "")
            if refusal.reply:  # the rest need not come
                await self._reply(message, refusal, time.monotonic())
                return
            if self._protocol.skip:
                await self._send(Skip())
                return
        await self._send(Continue())

    def _add(self, message: _Collected, piece: bytes) -> None:
        """The next bytes, unless there were too many before; what does not fit on the disk is not checked, and deferred."""
        if message.size + len(piece) > self._milter.limits.message_bytes:
            message.too_large = True
        try:
            message.add(piece, keep=not message.too_large and not message.too_complex and not message.lost)
        except OSError as error:
            message.lost = f"a message could not be spooled: {error.strerror or type(error).__name__}"

    def _end_header(self, message: _Collected) -> None:
        self._add(message, b"\r\n")
        message.headers = -1

    async def _end(self, last: bytes) -> None:
        """The end of a message: its last bytes, if they come so late."""
        since = time.monotonic()
        message = self._required()
        if message.headers >= 0:
            self._end_header(message)
        self._add(message, last)
        if message.too_large:
            decision = self._milter.judged(GatewayVerdict.TOO_LARGE, "")
        elif message.too_complex:
            decision = self._milter.judged(GatewayVerdict.TOO_COMPLEX, f"it has more than {_HEADERS} headers")
        elif message.lost:
            decision = self._milter.judged(GatewayVerdict.UNAVAILABLE, message.lost)
        else:
            decision = await self._decision(message)
        await self._reply(message, decision, since)

    async def _decision(self, message: _Collected) -> Decision:
        try:
            whole = message.message()
        except OSError as error:
            return self._milter.judged(GatewayVerdict.UNAVAILABLE, f"a message could not be spooled: {error.strerror or type(error).__name__}")
        asked = asyncio.ensure_future(self._milter.check(whole))
        try:
            while True:
                done, _ = await asyncio.wait({asked}, timeout=_PATIENCE)
                if done:
                    return asked.result()
                await self._send(Progress())
        finally:
            asked.cancel()

    def _required(self) -> _Collected:
        if self._message is None:
            message = "a message that nobody sends"
            raise Broken(message)
        return self._message

    def _forget(self) -> None:
        if self._message is not None:
            self._message.drop()
        self._message = None
        self._queue_id = ""

    # -- what is answered -------------------------------------------------------------------------------------------------

    async def _reply(self, message: _Collected, decision: Decision, since: float) -> None:
        if decision.action in {Action.REJECT, Action.DEFER}:
            await self._send(ReplyCode(decision.reply.encode("ascii") + b"\0"))
        else:
            await self._write(self._removals(message))
            await self._send(*self._changes(decision), Continue())
        self._milter.watcher.decided(message.queue_id, decision, message.size, time.monotonic() - since)
        self._forget()

    def _removals(self, message: _Collected) -> bytes:
        """Away with what others said in our name, the last first so that places stay; the codec takes no name that is not ASCII."""
        counts: dict[bytes, int] = {}
        words = []
        for name in message.forged:
            counts[name.lower()] = counts.get(name.lower(), 0) + 1
            data = _PLACE.pack(counts[name.lower()]) + name + b"\0\0"
            words.append(_HEAD.pack(1 + len(data), ChangeHeader.ident) + data)
        return b"".join(reversed(words))

    def _changes(self, decision: Decision) -> Iterable[Word]:
        """Our headers, and whether it is held."""
        space = b" " if self._leading_space else b""
        for title, value in decision.headers:
            yield AddHeader(title, space + value.encode("ascii"))
        if decision.action is Action.QUARANTINE:
            yield Quarantine(f"valiza: {', '.join(dict.fromkeys(str(finding.verdict) for finding in decision.findings))}")

    async def _send(self, *words: Word) -> None:
        out = SimpleBuffer(_LARGEST_ANSWER * len(words))
        for word in words:
            self._protocol.write_to(out, word)  # type: ignore[arg-type] # Quarantine is lacking in its list
        await self._write(bytes(out[:]))

    async def _write(self, raw: bytes) -> None:
        self._writer.write(raw)
        try:
            async with asyncio.timeout(self._milter.limits.frame_s):
                await self._writer.drain()
        except TimeoutError as error:
            message = "the answer was not taken"
            raise Broken(message) from error


def _folded(value: bytes) -> bytes:
    """A value with the ends of its lines as the mail has them."""
    return value.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") if b"\n" in value else value


# -- all of them ----------------------------------------------------------------------------------------------------------


class Milter:
    """All connections of the mail servers.

    Args:
        check: decides on a message.
        judged: the decision on one that is not checked, by verdict and reason: too large, or not to be kept.
        limits: what is taken.
        watcher: is told what happens.
        folder: for large messages.
    """

    def __init__(
        self,
        *,
        check: Callable[[Message], Awaitable[Decision]],
        judged: Callable[[GatewayVerdict, str], Decision],
        limits: Limits,
        watcher: Watcher,
        folder: Path,
    ) -> None:
        self.check = check
        self.judged = judged
        self.limits = limits
        self.watcher = watcher
        self.folder = folder
        self.stopping = False
        self._sessions: dict[_Session, asyncio.Task[None]] = {}

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A new connection."""
        if self.stopping or len(self._sessions) >= self.limits.connections:
            self.watcher.refused(self.limits.connections)
            writer.close()
            return
        session = _Session(self, reader, writer)
        self._sessions[session] = asyncio.create_task(self._serve(session, writer))
        self.watcher.connections(len(self._sessions))

    async def _serve(self, session: _Session, writer: asyncio.StreamWriter) -> None:
        try:
            await session.run()
        except Broken as error:
            self.watcher.broken(str(error))
        except OSError as error:
            self.watcher.broken(error.strerror or type(error).__name__)
        except Exception as error:  # noqa: BLE001 - the codec raises whatever bytes lead it to; only its kind is told, since a text may quote them
            self.watcher.broken(f"not the milter protocol ({type(error).__name__})")
        finally:
            del self._sessions[session]
            self.watcher.connections(len(self._sessions))
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def stop(self, seconds: float) -> None:
        """End every connection: those at rest now, others when their message is decided, all after some time."""
        self.stopping = True
        for session, task in list(self._sessions.items()):
            if not session.busy:
                task.cancel()
        if self._sessions:
            _, late = await asyncio.wait(set(self._sessions.values()), timeout=seconds)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)
