"""The gateway as a service: its socket, its workers, its signals, and what it tells the system that started it.

It begins only if rules and office can be read. SIGHUP lets it read both again: new workers begin with them, then take over, and no message is
dropped; where they cannot be read all stays as it was. SIGTERM and SIGINT let it finish the messages that are on their way, and end.
"""

from __future__ import annotations

import asyncio
import contextlib
import grp
import os
import shutil
import signal
import socket
import stat
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from valiza.gateway.deciding import decide
from valiza.gateway.decision import Finding, GatewayVerdict
from valiza.gateway.logs import Log, take_logging
from valiza.gateway.metrics import Metrics, MonitorServer
from valiza.gateway.milter import Limits, Milter
from valiza.gateway.rules import parse_rules
from valiza.gateway.workers import Setup, Workers
from valiza.keys.errors import Unavailable, Usage, ValizaError, system_error
from valiza.keys.fields import utc
from valiza.keys.files import read_text_file

if TYPE_CHECKING:
    from valiza.gateway.decision import Decision
    from valiza.gateway.rules import Rules

__all__ = ["Address", "Options", "parse_address", "parse_host_port", "serve_gateway"]

_TICK: Final = 5.0  # seconds between looks at itself
_SOON: Final = 30 * 86400  # seconds before a roster's end that it is told of
_BACKLOG: Final = 128
_STARTING: Final = "it is starting"
_CODES: Final = {GatewayVerdict.TOO_LARGE: 6, GatewayVerdict.TOO_COMPLEX: 6, GatewayVerdict.UNAVAILABLE: 7, GatewayVerdict.FAULT: 1}
_MAX_RULES: Final = 1 << 20  # bytes
_GRACE: Final = 10.0  # seconds, beside the time limit, for messages on their way when it has to end


# -- what it is asked for -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Address:
    """Where the mail server finds it: a socket in the file system, or a TCP port."""

    path: Path | None = None
    host: str = ""
    port: int = 0

    def __str__(self) -> str:
        return f"unix:{self.path}" if self.path is not None else f"inet:{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the service is started with.

    Attributes:
        home: the office's folder.
        rules: the file with the rules.
        address: of the socket.
        mode, group: of a socket in the file system.
        workers: how many processes check.
        monitor: host and port for metrics and health, or None.
        spool: a folder for large messages while they are checked; None: one of its own in the system's folder for temporary files.
    """

    home: Path
    rules: Path
    address: Address
    mode: int
    group: str | None
    workers: int
    monitor: tuple[str, int] | None
    spool: Path | None


def parse_address(text: str) -> Address:
    """The address of a socket as Postfix writes it (`unix:PATH`, `inet:HOST:PORT`), or as Sendmail does (`local:PATH`, `inet:PORT@HOST`).

    Raises:
        Usage: it is none.
    """
    kind, colon, rest = text.partition(":")
    if kind in {"unix", "local"} and colon and rest:
        return Address(path=Path(rest))
    if kind in {"inet", "inet6"} and "@" in rest:
        port, _, host = rest.partition("@")
        return Address(None, *parse_host_port(f"{host}:{port}" if ":" not in host else f"[{host}]:{port}"))
    if kind in {"inet", "inet6"}:
        return Address(None, *parse_host_port(rest))
    message = f"{text!r} is not the address of a socket"
    raise Usage(message, "write unix:/path/of/socket, or inet:127.0.0.1:8891")


def parse_host_port(text: str) -> tuple[str, int]:
    """`HOST:PORT`, `[ADDRESS]:PORT` for IPv6.

    Raises:
        Usage: it is none.
    """
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") if host.startswith("[") else host
    if not host or not port.isascii() or not port.isdecimal() or not 0 <= int(port) < 1 << 16:
        message = f"{text!r} is not a host and a port"
        raise Usage(message, "write 127.0.0.1:8891, or [::1]:8891")
    return host, int(port)


def _listening(address: Address, mode: int, group: str | None) -> socket.socket:
    """A socket that listens at an address; what a killed gateway left there is removed.

    Raises:
        Unavailable: it cannot be made, or another program listens there.
        Usage: there is no such group.
    """
    try:
        if address.path is None:
            return socket.create_server((address.host, address.port), family=_family(address.host), backlog=_BACKLOG)
        return _listening_at(address.path, mode, group)
    except KeyError as error:
        message = f"there is no group {group!r}"
        raise Usage(message) from error
    except OSError as error:
        message = f"the gateway cannot listen at {str(address)!r}: {system_error(error)}"
        raise Unavailable(message, "see that no other gateway runs, and who may write in that folder") from error


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _listening_at(path: Path, mode: int, group: str | None) -> socket.socket:
    number = -1 if group is None else grp.getgrnam(group).gr_gid
    _remove_left(path)
    made = socket.socket(socket.AF_UNIX)
    try:
        before = os.umask(0o177)  # nobody else comes in before group and mode are what they shall be
        try:
            made.bind(str(path))
        finally:
            os.umask(before)
        os.chown(path, -1, number)
        path.chmod(mode)
        made.listen(_BACKLOG)
    except BaseException:
        made.close()
        raise
    return made


def _remove_left(path: Path) -> None:
    """Remove a socket at which nobody listens any more."""
    try:
        kind = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(kind):
        message = "a file is there that is no socket"
        raise FileExistsError(0, message)
    with socket.socket(socket.AF_UNIX) as tried:
        try:
            tried.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    message = "another program listens there"
    raise FileExistsError(0, message)


def _read_rules(path: Path) -> tuple[str, Rules]:
    """The rules in a file, as they stand there and as they are meant: the workers read the same text, whatever becomes of the file.

    Raises:
        ValizaError: they cannot be read, or not be followed.
    """
    text = read_text_file(path, _MAX_RULES, "the file of rules")
    return text, parse_rules(text, repr(str(path)))


# -- what it tells the system ---------------------------------------------------------------------------------------------


class _Notifier:
    """Tells systemd how the service is, by the socket that it named; does nothing where there is none (sd_notify(3))."""

    def __init__(self) -> None:
        self._address = os.environ.pop("NOTIFY_SOCKET", "")
        timeout, process = os.environ.pop("WATCHDOG_USEC", ""), os.environ.pop("WATCHDOG_PID", "")
        ours = process in {"", str(os.getpid())}
        self.watchdog_s = int(timeout) / 1e6 if self._address and ours and timeout.isdecimal() else None

    def tell(self, *lines: str) -> None:
        """Say one or more things at once."""
        if not self._address:
            return
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
            out.connect(address)
            out.send("\n".join(lines).encode())


# -- the service ----------------------------------------------------------------------------------------------------------


class _Gateway:
    """The running service; it is also who is told what milter and workers do."""

    def __init__(self, options: Options, log: Log, spool: Path) -> None:
        self._options = options
        self._log = log
        self._notifier = _Notifier()
        self._metrics = Metrics()
        self._workers = Workers(options.workers, self, self._judged)
        self._text, self._rules = _read_rules(options.rules)
        self._milter = Milter(check=self._workers.check, judged=self._judged, limits=self._limits(), watcher=self, folder=spool)
        self._monitor: MonitorServer | None = None
        self._beat = time.monotonic()
        self._told_end: dict[str, int] = {}  # ends of rosters, by party, that the log has told
        self._why_not = _STARTING
        self._ending = asyncio.Event()
        self._reloading = asyncio.Event()

    # -- its life ---------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until it is told to end."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._ending.set)
        loop.add_signal_handler(signal.SIGHUP, self._reloading.set)
        self._log.say("starting", address=str(self._options.address), workers=self._options.workers, mode=str(self._rules.mode))
        self._open_monitor()
        await self._workers.start(self._setup(self._text, self._rules))
        try:
            made = _listening(self._options.address, self._options.mode, self._options.group)
        except BaseException:
            await self._workers.stop()
            raise
        start = asyncio.start_server if self._options.address.path is None else asyncio.start_unix_server
        at = self._options.address if self._options.address.path is not None else Address(None, *made.getsockname()[:2])
        server = await start(self._milter.accept, sock=made)
        try:
            await self._look()
            self._log.say("ready", address=str(at), **({"monitor": self._monitor.port} if self._monitor else {}))
            self._notifier.tell("READY=1", f"STATUS={self._status()}")
            await self._live()
        finally:
            self._log.say("stopping")
            self._notifier.tell("STOPPING=1")
            self._why_not = "it is stopping"
            server.close()
            await self._milter.stop(self._rules.limits.time + _GRACE)
            await self._workers.stop()
            if self._options.address.path is not None:
                self._options.address.path.unlink(missing_ok=True)
            if self._monitor is not None:
                await asyncio.to_thread(self._monitor.stop)
            self._log.say("stopped")

    async def _live(self) -> None:
        """Look at itself from time to time, and read all again when told to."""
        tick = min(_TICK, (self._notifier.watchdog_s or _TICK) / 3)
        while not self._ending.is_set():
            events = [asyncio.ensure_future(event.wait()) for event in (self._ending, self._reloading)]
            await asyncio.wait(events, timeout=tick, return_when=asyncio.FIRST_COMPLETED)
            for event in events:
                event.cancel()
            if self._ending.is_set():
                return
            if self._reloading.is_set():
                self._reloading.clear()
                await self._reload()
            await self._look()
            self._notifier.tell("WATCHDOG=1", f"STATUS={self._status()}")

    async def _reload(self) -> None:
        self._log.say("reloading")
        self._notifier.tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
        try:
            text, rules = _read_rules(self._options.rules)
            await self._workers.start(self._setup(text, rules))
        except ValizaError as error:
            self._metrics.reloads.labels("failed").inc()
            self._log.say("reload-failed", reason=error.message, hint=error.hint)
        else:
            self._text, self._rules = text, rules
            self._milter.limits = self._limits()
            self._metrics.reloads.labels("done").inc()
            self._log.say("reloaded", mode=str(rules.mode))
        self._notifier.tell("READY=1")

    async def _look(self) -> None:
        """See whether anything could be decided now."""
        self._beat = time.monotonic()
        before, self._why_not = self._why_not, await self._workers.probe()
        if self._why_not and self._why_not != before:
            self._log.say("unavailable", reason=self._why_not)
        elif before not in {"", _STARTING} and not self._why_not:
            self._log.say("available")
        self._metrics.available.set(not self._why_not)
        self._metrics.waiting.set(self._workers.waiting)
        self._metrics.workers.set(len(self._workers.ready))
        for party, at in self._workers.expiries.items():
            self._metrics.expires.labels(party).set(at)
            if at - time.time() < _SOON and self._told_end.get(party) != at:
                self._told_end[party] = at
                self._log.say("roster-expires", party=party, at=utc(at))
        self._beat = time.monotonic()

    def _status(self) -> str:
        return f"not ready: {self._why_not}" if self._why_not else f"{len(self._workers.ready)} workers, {self._rules.mode}"

    # -- what it is made of -----------------------------------------------------------------------------------------------

    def _setup(self, text: str, rules: Rules) -> Setup:
        # Not with -O: the codec and ours check with assert. The text of the rules goes along, so that a worker started later has the same.
        command = (sys.executable, "-P", "-m", "valiza.gateway.worker")
        return Setup(command=command, start=(str(self._options.home.absolute()), text), seconds=rules.limits.time)

    def _limits(self) -> Limits:
        return Limits(message_bytes=self._rules.limits.message, connections=self._rules.limits.connections)

    def _judged(self, verdict: GatewayVerdict, reason: str) -> Decision:
        """The decision on a message that no worker looked at, or none could."""
        return decide([Finding(verdict=verdict, exit_code=_CODES[verdict], reason=reason)], self._rules)

    def _open_monitor(self) -> None:
        if self._options.monitor is None:
            return
        host, port = self._options.monitor
        try:
            self._monitor = MonitorServer(host, port, metrics=self._metrics, lives=self._dead, ready=lambda: self._why_not)
        except OSError as error:
            message = f"metrics cannot be served at {host}:{port}: {system_error(error)}"
            raise Unavailable(message, "choose another --metrics HOST:PORT") from error

    def _dead(self) -> str:
        """Why it does not live; asked from another thread."""
        silent = time.monotonic() - self._beat
        return f"nothing has moved for {silent:.0f} seconds" if silent > max(60.0, 12 * _TICK) else ""

    # -- what it is told --------------------------------------------------------------------------------------------------

    def connections(self, count: int) -> None:
        """So many connections are open."""
        self._metrics.connections.set(count)

    def refused(self, limit: int) -> None:
        """A connection was closed at once."""
        self._metrics.refused.inc()
        self._log.say("connection-refused", limit=limit)

    def broken(self, reason: str) -> None:
        """A connection was closed for what came through it."""
        self._metrics.broken.inc()
        self._log.say("connection-broken", reason=reason)

    def aborted(self, queue_id: str) -> None:
        """A message was given up before its end."""
        self._log.say("aborted", queue_id=queue_id)

    def decided(self, queue_id: str, decision: Decision, size: int, seconds: float) -> None:
        """A message was decided."""
        self._metrics.decided(decision, seconds)
        fault = any(finding.verdict is GatewayVerdict.FAULT for finding in decision.findings)
        self._log.say(
            "message-fault" if fault else "message",
            queue_id=queue_id,
            action=str(decision.action),
            size=size,
            seconds=round(seconds, 4),
            findings=[_told(finding) for finding in decision.findings],
        )

    def batch(self, size: int) -> None:
        """So many messages were decided together."""
        self._metrics.batches.observe(size)

    def worker_lost(self, cause: str, messages: int) -> None:
        """A worker died, or took too long."""
        self._metrics.lost.labels(cause).inc()
        self._log.say("worker-lost", cause=cause, messages=messages)

    def worker_failed(self, error: ValizaError) -> None:
        """A worker could not be started."""
        self._log.say("worker-failed", reason=error.message, hint=error.hint)


def _told(finding: Finding) -> dict[str, object]:
    """A finding for the log: only what says something."""
    facts = {
        "verdict": str(finding.verdict),
        "part": finding.part,
        "envelope": finding.envelope_id.hex() if finding.envelope_id else "",
        "unchecked": list(finding.unchecked),
        "reason": finding.reason,
    }
    return {name: fact for name, fact in facts.items() if fact}


def serve_gateway(options: Options, log: Log | None = None) -> None:
    """Serve until it is told to end.

    Raises:
        ValizaError: it cannot begin: rules, office, socket or port are not as they have to be.
    """
    spool = Path(tempfile.mkdtemp(prefix="valiza-gateway-", dir=options.spool))
    try:
        asyncio.run(_serve(options, log or Log(), spool))
    finally:
        shutil.rmtree(spool, ignore_errors=True)


async def _serve(options: Options, log: Log, spool: Path) -> None:
    take_logging(log)
    await _Gateway(options, log, spool).run()
