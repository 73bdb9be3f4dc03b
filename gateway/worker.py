"""One process that checks messages: batches come through a pipe, and what was decided goes back the same way.

A frame is four bytes of length, the highest first, and a MessagePack array that begins with a word: `start`, `check`, `probe` to the worker; `ready`,
`failed`, `decided`, `probed` from it. Both ends are this program, on one machine. A worker ends when its pipe does, and by no signal that can be
ignored: what it began it finishes.
"""

from __future__ import annotations

import os
import signal
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgpack

from valiza.envelope.receipt import Verdict
from valiza.gateway.decision import Action, Decision, Finding, GatewayVerdict
from valiza.gateway.message import Message
from valiza.keys.errors import Refused, ValizaError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import BinaryIO

__all__ = ["HEAD", "Judge", "frame", "main", "read_decision", "read_message", "serve", "unpack", "write_decision", "write_message"]

HEAD: Final = struct.Struct(">I")
_IGNORED: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # they are meant for who started it


class Judge(Protocol):
    """What a worker runs."""

    def check(self, messages: Sequence[Message]) -> list[Decision]:
        """What becomes of each message."""

    def probe(self) -> None:
        """Raise a ValizaError if nothing could be decided now: no register, no roster in force."""

    def expiries(self) -> Mapping[str, int]:
        """When the roster of each party ends, in seconds since 1970."""


# -- what goes through the pipe -------------------------------------------------------------------------------------------


def frame(*items: object) -> bytes:
    """A frame with these items. Text may be what is no UTF-8 (surrogates), as the mail had it."""
    packed: bytes = msgpack.packb(items, unicode_errors="surrogatepass")
    return HEAD.pack(len(packed)) + packed


def unpack(packed: bytes) -> list[Any]:
    """The items of a frame, without its length."""
    items: list[Any] = msgpack.unpackb(packed, unicode_errors="surrogatepass")
    return items


def write_message(message: Message) -> list[object]:
    """A message as an item of a frame: its bytes, or where they are spooled."""
    spooled = isinstance(message.raw, Path)
    return [str(message.raw) if spooled else message.raw, message.sender, message.queue_id]


def read_message(item: Sequence[Any]) -> Message:
    """The message in an item."""
    raw, sender, queue_id = item
    return Message(raw=Path(raw) if isinstance(raw, str) else raw, sender=sender, queue_id=queue_id)


def write_decision(decision: Decision) -> list[object]:
    """A decision as an item of a frame."""
    findings = [[str(f.verdict), f.exit_code, f.envelope_id, f.unchecked, f.reason, f.part] for f in decision.findings]
    return [str(decision.action), findings, decision.reply, decision.headers]


def read_decision(item: Sequence[Any]) -> Decision:
    """The decision in an item."""
    action, findings, reply, headers = item
    return Decision(
        action=Action(action),
        findings=tuple(
            Finding(
                verdict=Verdict(verdict) if verdict in set(Verdict) else GatewayVerdict(verdict),
                exit_code=code,
                envelope_id=envelope_id,
                unchecked=tuple(unchecked),
                reason=reason,
                part=part,
            )
            for verdict, code, envelope_id, unchecked, reason, part in findings
        ),
        reply=reply,
        headers=tuple((name, value) for name, value in headers),
    )


# -- the process ----------------------------------------------------------------------------------------------------------


def serve(make: Callable[[list[Any]], Judge], source: BinaryIO, sink: BinaryIO) -> None:
    """Make a judge of what the first frame says, and answer frames until they end."""

    def say(*items: object) -> None:
        sink.write(frame(*items))
        sink.flush()

    started = _read(source)
    if started is None:
        return
    try:
        judge = make(started[1:])
        say("ready", dict(judge.expiries()))
    except ValizaError as error:
        say("failed", error.exit_code, error.message, error.hint)
        return
    while (asked := _read(source)) is not None:
        if asked[0] == "check":
            say("decided", [write_decision(decision) for decision in judge.check([read_message(item) for item in asked[1]])])
        else:
            say("probed", *_probed(judge))


def _probed(judge: Judge) -> tuple[str, dict[str, int]]:
    """Why nothing could be decided now, empty if something could; and when the rosters end."""
    expiries: dict[str, int] = {}
    try:
        expiries.update(judge.expiries())
        judge.probe()
    except ValizaError as error:
        return error.message, expiries
    return "", expiries


def _read(source: BinaryIO) -> list[Any] | None:
    """The next frame, or None where the pipe ends."""
    head = source.read(HEAD.size)
    if len(head) < HEAD.size:
        return None
    (size,) = HEAD.unpack(head)
    packed = source.read(size)
    return unpack(packed) if len(packed) == size else None


def private_streams() -> tuple[BinaryIO, BinaryIO]:
    """Standard input and output for frames alone: whatever else would be printed goes to standard error."""
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    source, sink = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    return source, sink


def main(make: Callable[[list[Any]], Judge]) -> int:
    """Serve one gateway, which started this process; the exit code."""
    try:
        serve(make, *private_streams())
    except BrokenPipeError:
        pass  # the gateway is gone, and with it whoever waits for an answer
    except Exception as error:  # noqa: BLE001 - a traceback could show what is in a message; the gateway replaces this process
        sys.stderr.write(f"valiza: a worker of the gateway ends: {type(error).__name__}\n")
        return 1
    return 0


def _make(given: list[Any]) -> Judge:
    """The checker of an office, by rules.

    Raises:
        ValizaError: rules or office are not as they have to be.
    """
    from valiza.gateway.checking import Checker, patient_clock  # noqa: PLC0415 - not where only frames are read
    from valiza.gateway.rules import parse_rules  # noqa: PLC0415
    from valiza.office.home import Office  # noqa: PLC0415

    home, text = given
    office = Office(Path(home), _no_passphrase, clock=patient_clock(), mends=False)
    judge = Checker(office, parse_rules(text))
    _ = office.trust, office.agreements  # all that is read once is read now
    return judge


def _no_passphrase() -> str:
    message = "a gateway opens no key"
    raise Refused(message)


if __name__ == "__main__":
    sys.exit(main(_make))
