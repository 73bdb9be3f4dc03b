"""The milter, over its protocol alone: what a message is, what is done to it, and what happens to whoever speaks badly, slowly or too much."""

from __future__ import annotations

import asyncio
import hashlib
import random
import socket
import struct
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import pytest
from tests.support.milter import Answer, connected

from valiza.gateway.decision import Action, Decision, Finding, GatewayVerdict
from valiza.gateway.milter import Limits, Milter
from valiza.gateway.workers import Setup, Workers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from valiza.keys.errors import ValizaError

FICKLE: Final = Path(__file__).parent.parent / "support" / "fickle_worker.py"
HEAD: Final = b"Do: accept\r\nSubject:  two spaces\r\nX-Folded: a\r\n\tb\r\n  c\r\nX-Empty:\r\nX-None:x\r\n\r\n"


class Served:
    """A milter with workers of its own, in a thread, and what it told."""

    def __init__(self, folder: Path, **limits: Any) -> None:
        self.path = folder / "milter"
        self.spool = folder / "spool"
        self.spool.mkdir()
        self.told: list[tuple[str, Any]] = []
        self.too_large_action = Action.REJECT
        self._limits = Limits(**{"message_bytes": 1 << 21, "connections": 20, **limits})
        self._begun = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._end = asyncio.Event()
        workers = Workers(1, self, self._judged)
        await workers.start(Setup(command=(sys.executable, "-P", str(FICKLE)), start=("one",), seconds=30))
        self.milter = Milter(check=workers.check, judged=self._judged, limits=self._limits, watcher=self, folder=self.spool)
        server = await asyncio.start_unix_server(self.milter.accept, self.path)
        self._begun.set()
        await self._end.wait()
        server.close()
        await self.milter.stop(10)
        await workers.stop()

    def _judged(self, verdict: GatewayVerdict, reason: str) -> Decision:
        finding = Finding(verdict=verdict, exit_code=6, reason=reason)
        if verdict is not GatewayVerdict.TOO_LARGE:
            return Decision(action=Action.DEFER, findings=(finding,), reply=f"451 4.3.0 valiza: {verdict}")
        reply = "552 5.3.4 valiza: too-large" if self.too_large_action is Action.REJECT else ""
        return Decision(action=self.too_large_action, findings=(finding,), reply=reply, headers=(("X-Valiza-Verdict", "too-large"),))

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._begun.wait(60)
        return self

    def stop(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(60)

    def __exit__(self, *_: object) -> None:
        self.stop()
        assert list(self.spool.iterdir()) == [], "nothing of a message stays"

    def of(self, what: str) -> list[Any]:
        return [more for word, more in self.told if word == what]

    def wait_for(self, what: str, count: int = 1) -> list[Any]:
        end = time.monotonic() + 60
        while len(self.of(what)) < count:
            assert time.monotonic() < end, self.told
            time.sleep(0.01)
        return self.of(what)

    # -- who is told --------------------------------------------------------------------------------------------------

    def connections(self, count: int) -> None:
        self.told.append(("connections", count))

    def refused(self, limit: int) -> None:
        self.told.append(("refused", limit))

    def broken(self, reason: str) -> None:
        self.told.append(("broken", reason))

    def decided(self, queue_id: str, decision: Decision, size: int, seconds: float) -> None:
        assert seconds >= 0
        self.told.append(("decided", (queue_id, str(decision.findings[-1].verdict), size)))

    def aborted(self, queue_id: str) -> None:
        self.told.append(("aborted", queue_id))

    def batch(self, size: int) -> None:
        self.told.append(("batch", size))

    def worker_lost(self, cause: str, messages: int) -> None:
        self.told.append(("lost", (cause, messages)))

    def worker_failed(self, error: ValizaError) -> None:
        self.told.append(("failed", error.message))


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with Served(tmp_path) as found:
        yield found


def seen(answer: Answer, space: str = " ") -> list[str]:
    """What the worker got: rules, digest, sender, queue id, kind of message."""
    ((name, value),) = answer.added
    assert name == "X-Valiza-Verdict"
    assert value.startswith(f"{space}delivered; ")
    return value.split("; ")[1:]


def same(answer: Answer, raw: bytes, space: str = " ") -> bool:
    return seen(answer, space)[1] == hashlib.sha256(raw).hexdigest()


# -- what a message is ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw",
    [
        HEAD,
        HEAD + b"one line\r\n",
        HEAD + b"\r\n.\r\nlone\nlf and cr\r and \xd0\x9a \x00\r\n",
        HEAD + b"x" * 65535 + b"\r\n" + bytes(range(256)) * 300,
        HEAD + b"in a file: " + bytes(1 << 20),
    ],
    ids=["empty", "line", "odd", "pieces", "spooled"],
)
def test_a_message_is_checked_byte_for_byte(served: Served, raw: bytes) -> None:
    with connected(served.path) as server:
        answer = server.send(raw, sender="пётр@пример.рф".encode(), queue_id=b"4QrS")
        assert same(answer, raw)
        assert seen(answer)[2].encode().decode("unicode_escape") == "пётр@пример.рф"
        assert seen(answer)[3] == "4QrS"
        assert answer.changed == []
    assert served.wait_for("decided") == [("4QrS", "delivered", len(raw))]


def test_without_leading_space_the_usual_one_is_put_there(served: Served) -> None:
    with connected(served.path, negotiated=False) as server:
        server.negotiate(options=0x0FFFFF)
        answer = server.send(b"Do: accept\r\nSubject: one\r\n\r\nx\r\n")
        ((_, value),) = answer.added
        assert value.startswith("delivered; one; " + hashlib.sha256(b"Do: accept\r\nSubject: one\r\n\r\nx\r\n").hexdigest())


def test_a_mail_server_that_offers_little_is_served(served: Served) -> None:
    """Nothing may be left out and everything wants an answer, as in old Sendmail."""
    with connected(served.path, negotiated=False) as server:
        assert server.negotiate(options=0, actions=0x3F) == (0, 0x31)
        for kind, data in (("C", b"host\x004\x00\x1910.0.0.1\0"), ("H", b"host\0"), ("M", b"<a@b>\0"), ("R", b"<c@d>\0"), ("T", b"")):
            server.say("D", kind.encode() + b"{mail_addr}\0\xd0\xbf@\xd1\x80\0i\0Q1\0")
            server.say(kind, data)
            assert server.hear() == ("c", b"")
        for kind, data in (("L", b"Do\0accept\0"), ("N", b""), ("B", b"x")):
            server.say(kind, data)
            assert server.hear() == ("c", b"")
        assert same(server.end(), b"Do: accept\r\n\r\nx", space="")


@pytest.mark.parametrize(("version", "actions"), [(2, 0x1FF), (6, 0x1)])
def test_a_mail_server_that_offers_too_little_is_left(served: Served, version: int, actions: int) -> None:
    with connected(served.path, negotiated=False) as server:
        server.say("O", struct.pack(">III", version, actions, 0x1FFFFF))
        assert server.closed()
    assert "on hold" in served.wait_for("broken")[0]


def test_many_messages_in_one_connection(served: Served) -> None:
    """What another filter lost: every message, and all of it, again and again."""
    with connected(served.path) as server:
        for number in range(60):
            word = (b"accept", b"reject", b"hold")[number % 3]
            raw = b"Do: " + word + b"\r\nX-Number: %d\r\n\r\n" % number + b"b" * number
            answer = server.send(raw, queue_id=b"%d" % number)
            if word == b"reject":
                assert (answer.kind, answer.reply) == ("y", "550 5.7.1 valiza: malformed")
                assert answer.added == []
            else:
                assert same(answer, raw)
                assert seen(answer)[3] == str(number)
            assert answer.held == ("valiza: delivered" if word == b"hold" else None)
    assert len(served.wait_for("decided", 60)) == 60


def test_a_message_that_is_given_up_leaves_nothing(served: Served) -> None:
    with connected(served.path) as server:
        server.begin(queue_id=b"lost")
        server.content(b"Do: reject\r\nX-Valiza-Verdict: delivered\r\n\r\n" + bytes(1 << 20))
        server.say("A")
        answer = server.send(HEAD + b"x", queue_id=b"next")
        assert same(answer, HEAD + b"x")
        assert answer.changed == []
    assert served.of("aborted") == ["lost"]


# -- what is done to it ---------------------------------------------------------------------------------------------------


def test_forged_headers_are_removed_the_last_first(served: Served) -> None:
    forged = (b"X-Valiza-Verdict: delivered", b"Subject: x", b"x-vALIZA-verdict: attested", b"X-Valiza-: y", b"X-Valiza-Verdict: none")
    with connected(served.path) as server:
        answer = server.send(b"Do: accept\r\n" + b"\r\n".join(forged) + b"\r\n\r\nx")
    removed = [(3, "X-Valiza-Verdict", ""), (1, "X-Valiza-", ""), (2, "x-vALIZA-verdict", ""), (1, "X-Valiza-Verdict", "")]
    assert answer.changed == removed
    assert len(answer.added) == 1


def test_what_is_too_large_is_refused_before_its_end(served: Served) -> None:
    with connected(served.path) as server:
        server.begin()
        answer = server.content(HEAD + bytes(1 << 24))
        assert answer == Answer("y", reply="552 5.3.4 valiza: too-large")
        assert same(server.send(HEAD + b"small"), HEAD + b"small")
    assert served.wait_for("decided")[0][1] == "too-large"


def test_what_is_too_large_can_be_held(served: Served) -> None:
    served.too_large_action = Action.QUARANTINE
    with connected(served.path) as server:
        answer = server.send(b"X-Valiza-Verdict: none\r\n\r\n" + bytes(1 << 24))
    assert answer.held == "valiza: too-large"
    assert answer.verdicts == ["too-large"]
    assert len(answer.changed) == 1
    assert served.wait_for("decided")[0][2] < 1 << 22, "the rest was not asked for"


def test_large_headers_count(served: Served) -> None:
    with connected(served.path) as server:
        answer = server.send(b"".join(b"X-%d: " % number + b"x" * 90_000 + b"\r\n" for number in range(40)) + b"\r\n" + b"x")
        assert answer.reply == "552 5.3.4 valiza: too-large"


# -- faults ---------------------------------------------------------------------------------------------------------------


def test_a_worker_that_dies_over_a_message_defers_it_and_the_session_goes_on(served: Served) -> None:
    with connected(served.path) as server:
        assert server.send(b"Do: die\r\n\r\n").reply == "451 4.3.0 valiza: fault"
        assert same(server.send(HEAD), HEAD)


def test_a_message_that_finds_no_room_is_deferred(served: Served) -> None:
    served.spool.rmdir()
    with connected(served.path) as server:
        assert server.send(HEAD + bytes(1 << 20)).reply == "451 4.3.0 valiza: unavailable"
        assert same(server.send(HEAD), HEAD)
    served.spool.mkdir()


def garbage() -> Iterator[Any]:
    chance = random.Random(20261122)  # noqa: S311 - bytes, not secrets
    for number in range(40):
        yield pytest.param(chance.randbytes(chance.randrange(1, 400)), id=str(number))
    kinds = b"ODCHMRTULNBEAQcx\0"
    for number in range(60):
        size = chance.randrange(0, 40)
        head = struct.pack(">IB", size + 1, kinds[chance.randrange(len(kinds))])
        yield pytest.param(head + chance.randbytes(size), id=f"frame-{number}")


@pytest.mark.slow
def test_random_bytes_end_the_connection_and_nothing_else(served: Served) -> None:
    """One line for each, no traceback, and nobody else notices."""
    given = [param.values[0] for param in garbage()]
    with connected(served.path) as honest:
        for negotiated in (False, True):
            for raw in given:
                with connected(served.path, negotiated=negotiated) as server:
                    server.connection.sendall(raw)
                    server.connection.shutdown(socket.SHUT_WR)
                    assert server.closed()
        assert same(honest.send(HEAD), HEAD)
    assert served.of("broken")
    assert all("\n" not in reason and len(reason) < 100 for reason in served.of("broken"))
    assert len(served.of("broken")) <= 2 * len(given)
    assert served.of("lost") == []


@pytest.mark.parametrize("size", [0, 1 << 21, 0xFFFFFFFF])
def test_a_frame_of_no_size_ends_the_connection_at_once(served: Served, size: int) -> None:
    with connected(served.path) as server:
        server.connection.sendall(struct.pack(">IB", size, ord("B")))
        assert server.closed()
    assert served.wait_for("broken") == [f"a frame of {size} bytes"]


@pytest.mark.parametrize("kind", ["L", "B", "E"])
def test_content_of_no_message_ends_the_connection(served: Served, kind: str) -> None:
    with connected(served.path) as server:
        server.say(kind, b"a\0b\0" if kind == "L" else b"")
        assert server.closed()
    assert served.wait_for("broken") == ["a message that nobody sends"]


@pytest.mark.parametrize("data", [b"", b"name\0", b"name\0value", b"\0value\0", b"name\0va\0lue\0"])
def test_a_header_that_is_none_ends_the_connection(served: Served, data: bytes) -> None:
    with connected(served.path) as server:
        server.begin()
        server.say("L", data)
        assert server.closed()
    assert served.wait_for("broken") == ["a header that is none"]


def test_more_connections_than_may_be_are_closed_at_once(tmp_path: Path) -> None:
    with Served(tmp_path, connections=3) as served, ExitStack() as stack:
        servers = [stack.enter_context(connected(served.path)) for _ in range(3)]
        with connected(served.path, negotiated=False) as fourth:
            assert fourth.closed()
        assert served.of("refused") == [3]
        assert same(servers[0].send(HEAD), HEAD)
        servers[1].say("Q")
        assert servers[1].closed()
        served.wait_for("connections", 4)
        with connected(served.path) as again:
            assert same(again.send(HEAD), HEAD)


def test_who_says_nothing_for_too_long_is_left(tmp_path: Path) -> None:
    with Served(tmp_path, idle_s=0.2) as served, connected(served.path, negotiated=False) as server:
        assert server.closed()
        assert served.of("broken") == ["nothing came for too long"]


def test_who_stops_within_a_message_is_left_sooner(tmp_path: Path) -> None:
    with Served(tmp_path, frame_s=0.2) as served, connected(served.path) as waiting, connected(served.path) as server:
        waiting.begin()  # its client is still sending: that may take long
        server.begin()
        server.say("L", b"Do\0 accept\0")
        assert server.closed()
        with connected(served.path) as third:
            third.connection.sendall(struct.pack(">IB", 100, ord("B")) + b"only this")
            assert third.closed()
        assert served.of("broken") == ["nothing came for too long", "a frame did not come whole"]
        waiting.say("A")
        waiting.say("Q")
        assert waiting.closed()
        assert len(served.of("broken")) == 2


def test_slow_bytes_arrive(served: Served) -> None:
    whole = b""

    class Recorder:
        def sendall(self, data: bytes) -> None:
            nonlocal whole
            whole += data

    with connected(served.path) as server:
        real, recorder = server.connection, Recorder()
        server.connection = recorder  # type: ignore[assignment]
        server.begin()
        server.content(b"Do: accept\r\nA: b\r\n\r\n")
        server.connection = real
        for byte in whole:
            real.sendall(bytes([byte]))
        assert same(server.end(), b"Do: accept\r\nA: b\r\n\r\n")


def test_stopping_answers_what_is_begun_and_closes_the_rest(served: Served) -> None:
    with connected(served.path) as busy, connected(served.path) as idle, connected(served.path) as between:
        between.begin()
        between.say("L", b"Do\0 accept\0")
        busy.begin()
        busy.content(b"Do: sleep 0.3\r\n\r\n")
        busy.say("E")
        served.wait_for("connections", 3)
        time.sleep(0.05)
        stopping = threading.Thread(target=served.stop)
        stopping.start()
        assert idle.closed()
        between.say("N")
        assert between.end().accepted
        assert busy.hear()[0] == "h"
        assert busy.hear()[0] == "c"
        assert busy.closed()
        assert between.closed()
        stopping.join()
    assert len(served.of("decided")) == 2
    assert served.of("broken") == []
