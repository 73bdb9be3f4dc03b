"""A mail server as a milter sees it: the other end of the protocol, spelled out byte for byte, and made to say what no mail server would."""

from __future__ import annotations

import socket
import struct
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Answer", "MailServer", "connected", "split"]

_OPTIONS: Final = 0x1FFFFF  # all that Postfix 3.7 offers
_ACTIONS: Final = 0x1FF
_CHUNK: Final = 65535
_LEADING_SPACE: Final = 0x100000


def split(raw: bytes) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """A message as a mail server gives it to a milter: names and values of its header, folded lines with LF, and its body."""
    head, _, body = raw.partition(b"\r\n\r\n")
    lines: list[bytes] = []
    for line in head.split(b"\r\n"):
        if line[:1] in {b" ", b"\t"}:
            lines[-1] += b"\n" + line
        elif line:
            lines.append(line)
    pairs = [line.partition(b":") for line in lines]
    return [(name, value) for name, _, value in pairs], body


@dataclass
class Answer:
    """What a milter says at the end of a message."""

    kind: str  # "c" for go on, "y" for a reply, "t" for later
    reply: str = ""
    added: list[tuple[str, str]] = field(default_factory=list)
    changed: list[tuple[int, str, str]] = field(default_factory=list)
    held: str | None = None

    @property
    def accepted(self) -> bool:
        return self.kind in {"c", "a"}

    @property
    def verdicts(self) -> list[str]:
        """The first word of each header that was added."""
        return [value.strip().partition(";")[0] for _, value in self.added]


class MailServer:
    """One connection to a milter."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._lead = False
        self._answers_body = True

    def close(self) -> None:
        self.connection.close()

    # -- frames -----------------------------------------------------------------------------------------------------------

    def say(self, kind: str, data: bytes = b"") -> None:
        self.connection.sendall(struct.pack(">IB", len(data) + 1, ord(kind)) + data)

    def hear(self) -> tuple[str, bytes]:
        """The next frame; EOFError where the milter closed the connection."""
        (size,) = struct.unpack(">I", self._read(4))
        got = self._read(size)
        return chr(got[0]), got[1:]

    def _read(self, size: int) -> bytes:
        got = b""
        while len(got) < size:
            more = self.connection.recv(size - len(got))
            if not more:
                raise EOFError
            got += more
        return got

    def closed(self) -> bool:
        """Wait until the milter closes the connection, whatever it says before."""
        try:
            while self.connection.recv(65536):
                pass
        except ConnectionResetError:
            pass
        return True

    # -- a conversation ---------------------------------------------------------------------------------------------------

    def negotiate(self, options: int = _OPTIONS, actions: int = _ACTIONS, version: int = 6) -> tuple[int, int]:
        """Begin; what the milter wants of what is offered."""
        self.say("O", struct.pack(">III", version, actions, options))
        kind, data = self.hear()
        assert kind == "O"
        found, wanted_actions, wanted_options = struct.unpack(">III", data[:12])
        assert found == 6
        assert not wanted_options & ~options
        assert not wanted_actions & ~actions
        self._lead = bool(wanted_options & _LEADING_SPACE)
        self._answers_body = not wanted_options & 0x80000
        return wanted_options, wanted_actions

    def begin(self, sender: bytes = b"clerk@out.test.invalid", queue_id: bytes = b"4ABC") -> None:
        """The envelope of a message."""
        self.say("M", b"<" + sender + b">\0")
        self.say("D", b"N" + b"i\0" + queue_id + b"\0")

    def content(self, raw: bytes) -> Answer | None:
        """Header and body; an answer where the milter does not wait for the end."""
        pairs, body = split(raw)
        for name, value in pairs:
            self.say("L", name + b"\0" + (value if self._lead else value.lstrip()) + b"\0")
        self.say("N")
        for start in range(0, len(body), _CHUNK):
            self.say("B", body[start : start + _CHUNK])
            if self._answers_body:
                kind, data = self.hear()
                if kind == "s":
                    break
                if kind != "c":
                    return Answer(kind, reply=data.rstrip(b"\0").decode("ascii"))
        return None

    def end(self) -> Answer:
        """The end of the message, and what the milter says to it."""
        self.say("E")
        answer = Answer("")
        while True:
            kind, data = self.hear()
            if kind == "h":
                name, value, _ = data.split(b"\0")
                answer.added.append((name.decode("ascii"), value.decode("ascii")))
            elif kind == "m":
                name, value, _ = data[4:].split(b"\0")
                answer.changed.append((struct.unpack(">I", data[:4])[0], name.decode("ascii", "backslashreplace"), value.decode("ascii")))
            elif kind == "q":
                answer.held = data.rstrip(b"\0").decode("ascii")
            elif kind != "p":
                answer.kind = kind
                answer.reply = data.rstrip(b"\0").decode("ascii")
                return answer

    def send(self, raw: bytes, *, sender: bytes = b"clerk@out.test.invalid", queue_id: bytes = b"4ABC") -> Answer:
        """A whole message, and what becomes of it."""
        self.begin(sender, queue_id)
        return self.content(raw) or self.end()


@contextmanager
def connected(address: Path | tuple[str, int], *, negotiated: bool = True, seconds: float = 60) -> Iterator[MailServer]:
    """A mail server at the milter of an address."""
    connection = socket.socket(socket.AF_UNIX) if isinstance(address, Path) else socket.socket()
    with closing(connection):
        connection.settimeout(seconds)
        connection.connect(str(address) if isinstance(address, Path) else address)
        server = MailServer(connection)
        if negotiated:
            server.negotiate()
        yield server
