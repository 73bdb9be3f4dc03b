"""Whoever speaks to the service badly, slowly, too much, or in its name: each message gets its decision, and the next good one passes as ever."""

from __future__ import annotations

import random
import socket
import struct
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Final

import pytest
from tests.support.gateway import Gateway, serving
from tests.support.letters import plain
from tests.support.milter import Answer, connected
from tests.support.post import mail
from tests.support.postfix import wait

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.cli import World
    from tests.support.postfix import Postfix

pytestmark = pytest.mark.slow

RULES: Final = """version = 1
[limits]
message = "16 MiB"
connections = 30
[unsealed]
names = ["*.dsp.*"]
marks = true
"""
HEAD: Final = b"From: a@kz.example\r\nMIME-Version: 1.0\r\n"


class Attacked:
    """A service, and a receipt that passes there."""

    def __init__(self, gateway: Gateway, path: Path, post: World) -> None:
        self.gateway, self.path = gateway, path
        self.receipt = post.path("good.receipt.vls").read_bytes()
        self.good = mail(self.receipt)

    def send(self, raw: bytes) -> Answer:
        with connected(self.path) as server:
            return server.send(raw)

    def wait_for_room(self) -> None:
        """Wait until connections that were broken off are seen to be, and others are let in."""
        wait(self._lets_in, "a connection", say=self.gateway.story)

    def _lets_in(self) -> bool:
        try:
            return self.send(self.good).accepted
        except (EOFError, OSError):
            return False

    def require_well(self) -> None:
        """A good message passes, and no worker was lost."""
        answer = self.send(self.good)
        assert answer.accepted, (answer, self.gateway.story())
        assert answer.verdicts in (["delivered"], ["duplicate"])
        assert self.gateway.events("worker-lost") == []
        assert self.gateway.ask("/health/ready")[0] == 200


@pytest.fixture(scope="module")
def service(made_post: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    folder = tmp_path_factory.mktemp("attacked")
    post = made_post.copy(folder / "post")
    with serving(post.path("KZ"), f"unix:{folder / 'milter'}", "--workers", "2", rules=RULES) as gateway:
        yield Attacked(gateway, folder / "milter", post)


@pytest.fixture
def attacked(service: Attacked) -> Iterator[Attacked]:
    """The service, which is well before and after each test, and says nothing but events: no traceback."""
    service.require_well()
    yield service
    service.require_well()
    assert service.gateway.strays == []


def resident(gateway: Gateway) -> int:
    """KiB in memory, of all its processes."""
    total = 0
    for pid in (gateway.process.pid, *gateway.workers):
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as status:  # noqa: PTH123 - a line of it
            total += sum(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
    return total


@contextmanager
def broken_off(address: Path | tuple[str, int]) -> Iterator[socket.socket]:
    """A connection that ends as when its host does: at once, with a reset over TCP."""
    with socket.socket(socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX) as connection:
        connection.connect(address if isinstance(address, tuple) else str(address))
        connection.settimeout(60)
        yield connection
        if isinstance(address, tuple):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


# -- the milter's socket --------------------------------------------------------------------------------------------------


def test_thousands_of_random_streams(attacked: Attacked) -> None:
    """Bytes without sense, and words of the protocol in any order with data without sense, before and after a beginning that is right."""
    chance = random.Random(20261123)  # noqa: S311 - bytes, not secrets
    kinds = b"ODCHMRTULNBEAQKcxy\0\xff"
    for number in range(2000):
        with suppress(OSError), broken_off(attacked.path) as connection:
            if number % 4:
                connection.sendall(struct.pack(">IBIII", 13, ord("O"), 6, 0x1FF, 0x1FFFFF))
            for _ in range(chance.randrange(1, 6)):
                data = chance.randbytes(chance.choice([0, 1, 3, 12, 200]))
                if chance.random() < 0.3:
                    data = data.replace(b"\0", b"") + b"\0"
                head = struct.pack(">IB", len(data) + 1 + chance.choice([0, 0, 0, 0, 5, 1 << 20, 1 << 31]), chance.choice(kinds))
                connection.sendall(head + data if number % 3 else data)
            if number % 8:  # others break off
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):
                    pass
    attacked.wait_for_room()
    assert len(attacked.gateway.events("connection-broken")) > 500


def test_more_connections_than_may_be(attacked: Attacked) -> None:
    """Those that stay take their places; when they go the next are served."""
    with ExitStack() as stack:
        for _ in range(200):
            with suppress(OSError):
                stack.enter_context(broken_off(attacked.path))
    attacked.wait_for_room()
    assert attacked.gateway.events("connection-refused")


def test_a_client_that_stops_in_the_middle_holds_up_nobody(attacked: Attacked) -> None:
    with ExitStack() as stack:
        for number in range(10):
            server = stack.enter_context(connected(attacked.path))
            server.begin()
            server.connection.sendall(struct.pack(">IB", 100, ord("L"))[: 1 + number % 5] if number % 2 else b"")
        attacked.require_well()


FORGED: Final[dict[str, tuple[bytes, int, str]]] = {
    "8-bit": (b"X-Valiza-\xff: y\r\nX-VALIZA-\xff: z\r\n", 2, "none"),
    "empty": (b"X-Valiza-Verdict:\r\nX-Valiza-:\r\n", 2, "none"),
    "long": (b"X-Valiza-" + b"A" * 50_000 + b": y\r\n", 1, "none"),
    "odd spaces": (b"X-Valiza-Verdict : y\r\n\vX-Valiza-Verdict: y\r\nx-valiza-VERDICT\t: y\r\n", 3, "none"),
    "many": (b"X-Valiza-Verdict: delivered\r\n" * 2000, 2000, "none"),
}


@pytest.mark.parametrize("name", FORGED)
def test_forged_verdicts(attacked: Attacked, name: str) -> None:
    forged, count, verdict = FORGED[name]
    answer = attacked.send(HEAD + forged + b"\r\nX-Valiza-Verdict: in the body\r\n")
    assert answer.accepted, answer
    assert (len(answer.changed), answer.verdicts) == (count, [verdict])
    assert all(value == "" for _, _, value in answer.changed)


LARGE: Final[dict[str, tuple[bytes, str]]] = {
    "100,000 headers": (HEAD + b"X: y\r\n" * 100_000 + b"\r\n", "550 5.7.1 valiza: too-complex"),
    "headers of 12 MB": (HEAD + (b"X: " + b"y" * 100_000 + b"\r\n") * 120 + b"\r\n", "550 5.7.1 valiza: too-complex"),
    "too large": (HEAD + b"\r\n" + b"x" * (17 << 20), "552 5.3.4 valiza: too-large"),
    "parts": (HEAD + b"Content-Type: multipart/mixed; boundary=a\r\n\r\n" + b"--a\r\n\r\n" * 500_000, "550 5.7.1 valiza: too-complex"),
    "false delimiters": (HEAD + b"Content-Type: multipart/mixed; boundary=a\r\n\r\n" + b"\n--ab" * 3_000_000, "550 5.7.1 valiza: too-complex"),
    "depth": ((HEAD + b"Content-Type: message/rfc822\r\n\r\n") * 1000 + b"\r\n", "550 5.7.1 valiza: too-complex"),
    "junk": (
        HEAD + b"Content-Type: a/b; name=a.vlz\r\nContent-Transfer-Encoding: base64\r\n\r\n" + b"!" * (15 << 20),
        "550 5.7.1 valiza: malformed",
    ),
    "a line": (HEAD + b"\r\n" + b"x" * (15 << 20), ""),
    "beginnings": (HEAD + b"\r\n" + b"begin 644 a\r\n" * 1_000_000, "550 5.7.1 valiza: malformed"),
    "combining": (HEAD + b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + "\u0300\u0316".encode() * (1 << 20), ""),
}


@pytest.mark.parametrize("name", LARGE)
def test_large_messages_of_the_worst_kind_are_decided(attacked: Attacked, name: str) -> None:
    raw, reply = LARGE[name]
    answer = attacked.send(raw)
    assert (answer.reply, answer.accepted) == (reply, not reply)


def test_memory_does_not_grow(attacked: Attacked) -> None:
    """Each brings its own names of everything; what is kept of one is nothing."""
    chance = random.Random(5)  # noqa: S311 - bytes, not secrets

    def round_of(count: int) -> None:
        with connected(attacked.path) as server:
            for _ in range(count):
                name = chance.randbytes(8).hex().encode()
                header = b"Subject: =?%b?q?a?=\r\nX-Valiza-%b: x\r\n" % (name, name)
                kind = b'Content-Type: text/plain; charset=%b; name="%b"\r\n\r\n' % (name * 2000, name)
                assert server.send(HEAD + header + kind + b"\xff" * 500, sender=name + b"@kz.example", queue_id=name).accepted

    round_of(60)
    before = resident(attacked.gateway)
    round_of(300)
    assert resident(attacked.gateway) - before < 300 * 8  # KiB; of names alone each brings 8


# -- the monitor's port ---------------------------------------------------------------------------------------------------

REQUESTS: Final = (
    b"",
    b"\0\xff" * 4000,
    b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\n" + b"A: b\r\n" * 500,
    b"GET /health/ready HTTP/9.9\r\n\r\n",
    b"POST /metrics HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\nx",
    b"GET /metrics?name[]=\xff%ff&x HTTP/1.1\r\n\r\n",
    b"GET \xff\xfe HTTP/1.1\r\nHost: \xff\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nAccept: " + b"a;q=x," * 3000 + b"\r\n\r\n",
)


def test_a_monitor_that_speaks_badly_or_breaks_off(attacked: Attacked) -> None:
    """Not a line of it is said on standard error: events alone are there."""
    for raw in REQUESTS:
        for waits in (False, True):
            with suppress(OSError), broken_off(("127.0.0.1", attacked.gateway.monitor)) as connection:
                connection.sendall(raw)
                if waits:
                    connection.shutdown(socket.SHUT_WR)
                    connection.recv(100)
    with ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(broken_off(("127.0.0.1", attacked.gateway.monitor)))
        attacked.require_well()


# -- through a real mail server -------------------------------------------------------------------------------------------


def test_a_thousand_forged_verdicts_and_those_of_attached_messages(attacked: Attacked, postfix: Postfix) -> None:
    """What is attached stays as it is."""
    attacked.path.parent.chmod(0o755)
    inside = b"Content-Type: message/rfc822\r\nMIME-Version: 1.0\r\n\r\nFrom: b@kz.example\r\nX-Valiza-Verdict: inside\r\n\r\nhello\r\n"
    forged = b"".join(
        (b"X-Valiza-Verdict: forged", b"x-VALIZA-verdict : forged", b"X-Valiza-A:\r\n forged", b"X-Valiza-A:")[n % 4] + b"\r\n" for n in range(1000)
    )
    with serving_for(postfix, attacked):
        assert postfix.send(forged + plain(b"text\r\n", header=forged)).code == 250
        (arrived,) = postfix.arrivals()
        assert arrived.lower().count(b"x-valiza-") == 1
        assert b"\nX-Valiza-Verdict: none\n" in arrived
        assert postfix.send(b"From: a@kz.example\r\n" + forged + inside).code == 250
        (arrived,) = postfix.arrivals()
        assert b"\nX-Valiza-Verdict: inside\n" in arrived
        assert arrived.lower().count(b"x-valiza-") == 2


@contextmanager
def serving_for(postfix: Postfix, attacked: Attacked) -> Iterator[None]:
    """The mail server asks a gateway at its own socket."""
    home = attacked.path.parent / "post" / "KZ"
    with serving(home, f"unix:{postfix.socket}", rules=RULES):
        postfix.use_milter(f"unix:{postfix.socket}")
        yield
