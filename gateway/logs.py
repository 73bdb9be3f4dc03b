"""The log of the service: one JSON object in a line, ASCII, whatever it quotes.

Nothing of a message is in it but the mail server's name of it, its size, what was decided, envelope ids, and why: reasons are ours, and may quote an
id, never a mark, a file's name or text. docs/gateway.md lists the events.
"""

from __future__ import annotations

import json
import logging
import os
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

__all__ = ["EVENTS", "Log", "take_logging"]

EVENTS: Final = {
    "starting": "info",
    "ready": "info",
    "message": "info",
    "message-fault": "error",
    "aborted": "info",
    "connection-refused": "warning",
    "connection-broken": "warning",
    "worker-lost": "error",
    "worker-failed": "error",
    "unavailable": "error",
    "available": "info",
    "reloading": "info",
    "reloaded": "info",
    "reload-failed": "error",
    "roster-expires": "warning",
    "library": "warning",
    "stopping": "info",
    "stopped": "info",
}
_LONGEST: Final = 1000  # characters of one text
_LIBRARY: Final = 200  # the same, of a library


class Log:
    """Lines for a file descriptor, standard error if not said otherwise. One that cannot be written is lost: the mail goes on."""

    def __init__(self, descriptor: int = 2) -> None:
        self._descriptor = descriptor

    def say(self, event: str, **facts: object) -> None:
        """One event, with what is to be known of it."""
        line = {"time": _now(), "level": EVENTS[event], "event": event, **{name: _short(fact) for name, fact in facts.items()}}
        with suppress(OSError):
            os.write(self._descriptor, json.dumps(line, ensure_ascii=True).encode("ascii") + b"\n")


class _Taken(logging.Handler):
    """What a library tells, as an event: its first line only, for the rest may quote what it works on."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Tell of one record."""
        lines = record.getMessage().splitlines()
        self._log.say("library", name=record.name, reason=lines[0][:_LIBRARY] if lines else "")


def take_logging(log: Log) -> None:
    """From now on whatever the libraries log is an event of ours."""
    logging.getLogger().handlers[:] = [_Taken(log)]


def _short(fact: object) -> object:
    """A fact, cut where it is a text without end."""
    return f"{fact[:_LONGEST]}…" if isinstance(fact, str) and len(fact) > _LONGEST else fact


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
