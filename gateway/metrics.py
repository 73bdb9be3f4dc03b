"""What a monitor asks of the service: numbers in Prometheus' form, whether it lives, and whether it is ready."""

from __future__ import annotations

import socket
from http import HTTPStatus
from socketserver import ThreadingMixIn
from threading import Thread
from typing import TYPE_CHECKING, Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import make_wsgi_app
from prometheus_client.process_collector import ProcessCollector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment

    from valiza.gateway.decision import Decision

__all__ = ["Metrics", "MonitorServer"]

_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_BATCH: Final = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """All numbers, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        given: dict[str, Any] = {"namespace": "valiza_gateway", "registry": self.registry}
        self.messages = Counter("messages", "Messages decided, by what each finding was and what was done.", ["verdict", "action"], **given)
        self.seconds = Histogram("decision_seconds", "From the last byte of a message to the answer.", buckets=_SECONDS, **given)
        self.batches = Histogram("batch_messages", "Messages that one worker decided together.", buckets=_BATCH, **given)
        self.waiting = Gauge("waiting_messages", "Messages that wait for a worker.", **given)
        self.workers = Gauge("workers_ready", "Workers that can be given work.", **given)
        self.lost = Counter("workers_lost", "Workers that died, or took too long.", ["cause"], **given)
        self.connections = Gauge("connections", "Connections of mail servers.", **given)
        self.refused = Counter("connections_refused", "Connections closed at once: there were as many as may be.", **given)
        self.broken = Counter("connections_broken", "Connections closed for what came through them.", **given)
        self.reloads = Counter("reloads", "Rules and office read again, by how it ended.", ["result"], **given)
        self.available = Gauge("available", "1 if the register and the rosters could be used when it was last tried.", **given)
        self.expires = Gauge("roster_expires_timestamp_seconds", "When the roster of a party ends.", ["party"], **given)
        for cause in ("died", "time"):
            self.lost.labels(cause)
        for result in ("done", "failed"):
            self.reloads.labels(result)
        ProcessCollector(namespace="valiza_gateway", registry=self.registry)

    def decided(self, decision: Decision, seconds: float) -> None:
        """Count a message under each verdict that it got, once."""
        for verdict in {str(finding.verdict) for finding in decision.findings}:
            self.messages.labels(verdict, str(decision.action)).inc()
        self.seconds.observe(seconds)


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 16

    def handle_error(self, *_: object) -> None:
        """Say nothing of a client that broke off: it is no event of the gateway."""


class _Server6(_Server):
    address_family = socket.AF_INET6


class _Handler(WSGIRequestHandler):
    timeout = 10  # for a client that sends nothing

    def log_message(self, *_: object) -> None:
        """Say nothing: a monitor asks every few seconds."""

    def address_string(self) -> str:
        """No question to a name server."""
        return str(self.client_address[0])


class MonitorServer:
    """Answers `/metrics`, `/health/live` and `/health/ready` on a TCP port, in a thread.

    Args:
        host, port: where; nobody is asked who he is, so not where strangers are.
        metrics: the numbers.
        lives, ready: why it does not live, or is not ready; empty if it does.

    Raises:
        OSError: the port is not to be had.
    """

    def __init__(self, host: str, port: int, *, metrics: Metrics, lives: Callable[[], str], ready: Callable[[], str]) -> None:
        self._numbers = make_wsgi_app(metrics.registry)
        self._health = {"/health/live": lives, "/health/ready": ready}
        kind = _Server6 if ":" in host else _Server
        self._server = kind((host, port), _Handler)
        self._server.set_app(self._answer)
        self.port: int = self._server.server_port
        Thread(target=self._server.serve_forever, name="monitor", daemon=True).start()

    def _answer(self, environment: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        path = environment.get("PATH_INFO", "")
        if path == "/metrics":
            answer: Iterable[bytes] = self._numbers(environment, start)
            return answer
        asked = self._health.get(path)
        if asked is None:
            status, text = HTTPStatus.NOT_FOUND, "there are /metrics, /health/live and /health/ready"
        else:
            why = asked()
            status, text = (HTTPStatus.SERVICE_UNAVAILABLE, why) if why else (HTTPStatus.OK, "ok")
        start(f"{status.value} {status.phrase}", [("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-store")])
        return [f"{text}\n".encode()]

    def stop(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()
