"""The gateway as a service: how it starts, reads its rules again, stops, and what it tells systemd and monitors."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from tests.support.cli import World, assert_failed, found_world, program
from tests.support.gateway import RULES, serving
from tests.support.letters import letter, plain
from tests.support.milter import Answer, MailServer, connected
from tests.support.postfix import free_port, wait

from valiza.gateway.decision import FAULTS, Action, Decision, Finding, GatewayVerdict
from valiza.gateway.logs import EVENTS, Log
from valiza.gateway.metrics import Metrics, MonitorServer
from valiza.gateway.service import Address, parse_address, parse_host_port
from valiza.keys.errors import Usage

if TYPE_CHECKING:
    from collections.abc import Callable

WORKERS: Final = ("--workers", "2")


@pytest.fixture(scope="session")
def founded(tmp_path_factory: pytest.TempPathFactory) -> World:
    return found_world(tmp_path_factory.mktemp("founded"))


@pytest.fixture
def world(founded: World, tmp_path: Path) -> World:
    return founded.copy(tmp_path / "world")


# -- addresses ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("unix:/run/valiza/milter", Address(path=Path("/run/valiza/milter"))),
        ("local:/run/valiza/milter", Address(path=Path("/run/valiza/milter"))),
        ("inet:127.0.0.1:8891", Address(None, "127.0.0.1", 8891)),
        ("inet:8891@localhost", Address(None, "localhost", 8891)),
        ("inet:[::1]:8891", Address(None, "::1", 8891)),
        ("inet6:8891@::1", Address(None, "::1", 8891)),
    ],
)
def test_addresses_as_mail_servers_write_them(text: str, address: Address) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize("text", ["", "unix:", "/run/milter", "inet:8891", "inet:host:", "inet:host:65536", "inet:host:-1", "inet:host:²", "tcp:h:1"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(Usage, match="is not"):
        parse_address(text)


@pytest.mark.parametrize("text", ["9464", ":9464", "host:port", "host:"])
def test_what_is_no_host_with_port(text: str) -> None:
    with pytest.raises(Usage, match="is not a host and a port"):
        parse_host_port(text)


# -- log and metrics ------------------------------------------------------------------------------------------------------


def test_whatever_is_told_is_one_line_of_ascii() -> None:
    reading, writing = os.pipe()
    log = Log(writing)
    log.say("message", queue_id="4\n5", reason="\u202ered \x1b[2J \udcff" + "x" * 5000, findings=[{"reason": "\u2028"}])
    os.close(writing)
    with os.fdopen(reading, "rb") as said:
        raw = said.read()
    assert raw.count(b"\n") == 1
    assert all(32 <= byte < 127 for byte in raw[:-1])
    event = json.loads(raw)
    assert (event["event"], event["level"], event["queue_id"]) == ("message", "info", "4\n5")
    assert len(event["reason"]) == 1001


def test_a_log_that_cannot_be_written_stops_nothing() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with closing(os.fdopen(writing, "wb")):
        Log(writing).say("message")


def test_a_message_counts_once_under_each_verdict() -> None:
    metrics = Metrics()
    findings = tuple(Finding(verdict=verdict, exit_code=0) for verdict in (GatewayVerdict.ARRIVED, GatewayVerdict.ARRIVED, GatewayVerdict.STATEMENT))
    metrics.decided(Decision(action=Action.ACCEPT, findings=findings), 0.02)
    for verdict in ("arrived", "statement"):
        assert metrics.registry.get_sample_value("valiza_gateway_messages_total", {"verdict": verdict, "action": "accept"}) == 1
    assert metrics.registry.get_sample_value("valiza_gateway_decision_seconds_count") == 1


def test_a_monitor_that_says_nothing_holds_up_no_other() -> None:
    with closing(Monitor(lives=lambda: "", ready=lambda: "no worker is ready")) as monitor, socket.create_connection(("127.0.0.1", monitor.port)):
        assert monitor.ask("GET /health/live HTTP/1.0") == ("200 OK", "ok\n")
        assert monitor.ask("GET /health/ready HTTP/1.0") == ("503 Service Unavailable", "no worker is ready\n")
        assert monitor.ask("GET / HTTP/1.0")[0] == "404 Not Found"
        assert monitor.ask("GET /metrics HTTP/1.0")[1].startswith("# HELP")


class Monitor:
    """The server of metrics, and who asks it."""

    def __init__(self, lives: Callable[[], str], ready: Callable[[], str]) -> None:
        self._server = MonitorServer("127.0.0.1", 0, metrics=Metrics(), lives=lives, ready=ready)
        self.port = self._server.port

    def ask(self, line: str) -> tuple[str, str]:
        with socket.create_connection(("127.0.0.1", self.port), 60) as asked:
            asked.sendall(f"{line}\r\n\r\n".encode())
            with asked.makefile("rb") as answer:
                head, _, body = answer.read().decode().partition("\r\n\r\n")
        return head.partition("\r\n")[0].partition(" ")[2], body

    def close(self) -> None:
        self._server.stop()


def test_what_is_deferred_says_nothing_but_the_verdict() -> None:
    assert {str(verdict) for verdict in FAULTS} == {"unavailable", "fault"}


# -- starting -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "options", "code", "said"),
    [
        ("version = 1\nmood = 5\n", [], 3, "mood"),
        ("version = 1\n", ["--socket", "milter"], 2, "'milter' is not the address of a socket"),
        ("version = 1\n", ["--metrics", "9464"], 2, "'9464' is not a host and a port"),
        ("version = 1\n", ["--socket-mode", "777777"], 2, "no mode"),
        ("version = 1\n", ["--socket-group", "no-such-group"], 2, "there is no group"),
        ("version = 1\n", ["--socket", "unix:/nowhere/milter"], 7, "cannot listen"),
        ("version = 1\n", ["--home", "/nowhere"], 2, "/nowhere"),
    ],
)
def test_what_cannot_be_served_is_said_at_once(world: World, rules: str, options: list[str], code: int, said: str) -> None:
    path = world.path("rules.toml")
    path.write_text(rules, encoding="utf-8")
    done = program("gateway", "serve", "--home", world.kz.home, "--rules", path, "--socket", f"unix:{world.path('s')}", "--workers", "1", *options)
    events = [line for line in done.err.splitlines() if line.startswith("{")]
    assert done.code == code, done.err
    assert said in done.error
    assert "Traceback" not in done.err
    assert not [event for event in events if '"ready"' in event]
    assert not world.path("s").exists()


def test_an_office_that_trusts_nobody_is_no_gateway(world: World) -> None:
    (world.kz.home / "roots" / "BY").write_text("1234\n", encoding="ascii")
    path = world.path("rules.toml")
    path.write_text(RULES, encoding="utf-8")
    done = program("gateway", "serve", "--home", world.kz.home, "--rules", path, "--socket", f"unix:{world.path('s')}", "--workers", "1")
    assert done.code in {2, 3, 4, 6}
    assert "BY" in done.error


@pytest.mark.slow
def test_a_socket_that_was_left_is_removed_and_one_in_use_is_not(world: World) -> None:
    path = world.path("milter")
    with closing(socket.socket(socket.AF_UNIX)) as left:
        left.bind(str(path))
    with serving(world.kz.home, f"unix:{path}", "--socket-mode", "600"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        rules = world.path("rules.toml")
        rules.write_text(RULES, encoding="utf-8")
        done = program("gateway", "serve", "--home", world.kz.home, "--rules", rules, "--socket", f"unix:{path}", "--workers", "1")
        assert done.code == 7
        assert "another program listens there" in done.error
        with connected(path) as server:
            assert server.send(plain()).verdicts == ["none"]
    assert not path.exists()
    path.write_text("a file\n", encoding="utf-8")
    done = program("gateway", "serve", "--home", world.kz.home, "--rules", rules, "--socket", f"unix:{path}", "--workers", "1")
    assert (done.code, path.read_text(encoding="utf-8")) == (7, "a file\n")


# -- its life -------------------------------------------------------------------------------------------------------------


class Load:
    """Mail servers that send without end until told."""

    def __init__(self, path: Path, raw: bytes, count: int = 4) -> None:
        self.answers: list[Answer] = []
        self.ended = threading.Event()
        self._path, self._raw = path, raw
        self._threads = [threading.Thread(target=self._run) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def _run(self) -> None:
        with connected(self._path) as server:
            while not self.ended.is_set():
                self.answers.append(server.send(self._raw))

    def stop(self) -> None:
        self.ended.set()
        for thread in self._threads:
            thread.join()


@pytest.mark.slow
def test_rules_are_read_again_under_load_and_no_message_is_dropped(world: World) -> None:
    _, _, receipt = world.exchange()
    path = world.path("milter")
    with serving(world.kz.home, f"unix:{path}", *WORKERS) as gateway:
        load = Load(path, letter(receipt.read_bytes()))
        try:
            for number in range(3):
                wait(lambda: len(load.answers) > 20 * number, "messages")  # noqa: B023 - called at once
                gateway.write_rules(f"{RULES}parts = {100 + number}\n")
                gateway.reload()
                gateway.wait_for("reloaded", number + 1)
            gateway.write_rules("version = 1\nmood = 5\n")
            gateway.reload()
            assert "mood" in gateway.wait_for("reload-failed")["reason"]
            before = len(load.answers)
            wait(lambda: len(load.answers) > before + 20, "messages by the old rules")
        finally:
            load.stop()
        assert {answer.kind for answer in load.answers} == {"c"}
        verdicts = [answer.verdicts for answer in load.answers]
        assert min(verdicts) == ["delivered"]
        assert verdicts.count(["delivered"]) == 1
        assert verdicts.count(["duplicate"]) == len(verdicts) - 1
        assert gateway.metric('valiza_gateway_reloads_total{result="done"}') == 3
        assert gateway.metric('valiza_gateway_reloads_total{result="failed"}') == 1
        assert gateway.metric("valiza_gateway_decision_seconds_count") == len(verdicts)
        wait(lambda: len(gateway.workers) == 2, "the end of the old workers")


@pytest.mark.slow
def test_a_worker_that_is_killed_costs_no_message(world: World) -> None:
    _, _, receipt = world.exchange()
    path = world.path("milter")
    with serving(world.kz.home, f"unix:{path}", *WORKERS) as gateway:
        load = Load(path, letter(receipt.read_bytes()))
        try:
            for number in range(3):
                wait(lambda: len(load.answers) > 20 * number, "messages")  # noqa: B023 - called at once
                os.kill(gateway.workers[0], signal.SIGKILL)
                gateway.wait_for("worker-lost", number + 1)
        finally:
            load.stop()
        assert {answer.kind for answer in load.answers} == {"c"}
        assert {verdict for answer in load.answers for verdict in answer.verdicts} <= {"delivered", "duplicate"}
        assert gateway.metric('valiza_gateway_workers_lost_total{cause="died"}') >= 3
        wait(lambda: len(gateway.workers) == 2, "two workers")


@pytest.mark.slow
def test_told_to_end_it_finishes_what_is_begun(world: World) -> None:
    _, _, receipt = world.exchange()
    raw, path = letter(receipt.read_bytes()), world.path("milter")
    with serving(world.kz.home, f"unix:{path}") as gateway, connected(path) as begun, connected(path) as idle:
        begun.begin()
        begun.content(raw)
        gateway.process.send_signal(signal.SIGTERM)
        assert idle.closed()
        gateway.wait_for("stopping")
        assert begun.end().verdicts == ["delivered"]
        assert begun.closed()
        assert gateway.process.wait(60) == 0
        assert [event["action"] for event in gateway.events("message")] == ["accept"]
    assert world.kz.works("register", "list", "--json").facts["envelopes"][0]["verdict"] == "delivered"


@pytest.mark.slow
def test_whoever_starts_it_is_told_how_it_is(world: World, tmp_path: Path) -> None:
    """sd_notify(3): READY, WATCHDOG, RELOADING, STOPPING."""
    told: list[str] = []
    address = tmp_path / "notify"
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as listening:
        listening.bind(str(address))
        listening.settimeout(0.1)
        ended = threading.Event()

        def listen() -> None:
            while not ended.is_set():
                try:
                    told.extend(listening.recv(4096).decode().splitlines())
                except TimeoutError:
                    continue

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            env = {"NOTIFY_SOCKET": str(address), "WATCHDOG_USEC": "300000"}
            with serving(world.kz.home, f"unix:{world.path('milter')}", env=env) as gateway:
                wait(lambda: told.count("WATCHDOG=1") > 2, "a sign of life")
                assert told[0] == "READY=1"
                gateway.reload()
                gateway.wait_for("reloaded")
            wait(lambda: "STOPPING=1" in told, "the end")
        finally:
            ended.set()
            thread.join()
    assert "RELOADING=1" in told
    assert any(line.startswith("MONOTONIC_USEC=") for line in told)
    assert told.index("RELOADING=1") < len(told) - told[::-1].index("READY=1")


@pytest.mark.slow
def test_random_bytes_and_slow_ones_on_the_socket(world: World) -> None:
    path = world.path("milter")
    with serving(world.kz.home, f"unix:{path}", rules="version = 1\n[limits]\nconnections = 4\n") as gateway:
        with connected(path) as honest, connected(path) as silent:
            silent.begin()
            for number in range(20):
                with connected(path, negotiated=False) as server:
                    server.connection.sendall(bytes([number]) * 4 + os.urandom(200))
                    server.connection.shutdown(socket.SHUT_WR)
                    assert server.closed()
            assert honest.send(plain()).verdicts == ["none"]
            others = [connected(path, negotiated=False) for _ in range(3)]
            servers: list[MailServer] = [other.__enter__() for other in others]
            assert servers[2].closed(), "more than may be"
            for other in others:
                other.__exit__(None, None, None)
        gateway.wait_for("connection-refused")
        wait(lambda: gateway.metric("valiza_gateway_connections_broken_total") == 20 + 1, "the end of those, and of the one that was silent")
        assert {event["event"] for event in gateway.said} <= set(EVENTS)
        assert "Traceback" not in gateway.story()
        wait(lambda: gateway.metric("valiza_gateway_connections") == 0, "no connection")


@pytest.mark.slow
def test_over_ipv4_and_with_metrics_at_a_given_port(world: World) -> None:
    port, monitor = free_port(), free_port()
    with serving(world.kz.home, f"inet:127.0.0.1:{port}", "--metrics", f"127.0.0.1:{monitor}") as gateway:
        assert gateway.monitor == monitor
        with connected(("127.0.0.1", port)) as server:
            assert server.send(plain()).verdicts == ["none"]
        wait(lambda: gateway.metric('valiza_gateway_messages_total{action="accept",verdict="none"}') == 1, "a message that is counted")
        status, text = gateway.ask("/metrics")
        assert status == 200
        assert "valiza_gateway_process_resident_memory_bytes" in text
        expires = gateway.metric('valiza_gateway_roster_expires_timestamp_seconds{party="KZ"}')
        assert time.time() < expires < time.time() + 400 * 86400


def test_it_says_what_to_install(world: World, tmp_path: Path) -> None:
    """A package that cannot be imported stands for one that is not there."""
    hiding = tmp_path / "sitecustomize.py"
    hiding.write_text(
        "import sys\n"
        "class Hide:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'kilter': raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Hide())\n",
        encoding="utf-8",
    )
    words = ("gateway", "serve", "--home", world.kz.home, "--rules", "rules.toml", "--socket", "unix:s")
    done = program(*words, env={"PYTHONPATH": str(tmp_path)})
    assert_failed(done, 7)
    assert "valiza[gateway]" in done.hint
