"""Requests to end (SIGINT, SIGTERM, SIGHUP): obeyed at once, but never while something gets its final name.

What has its name is done, so a request that comes then or later waits until the next piece of work is begun; with nothing more to do the command
ends well. Whoever asks twice is not made to wait. All this concerns a program that calls `request` from its signal handlers, as the command line
does; elsewhere nothing is changed.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["begin", "held", "naming", "request"]


@dataclass
class _State:
    held: int = 0  # blocks in which nothing interrupts
    done: bool = False  # something got its name, and nothing was begun since
    asked: bool = False  # a request waits
    ending: bool = False  # a request is obeyed: what is half done is being removed, and nothing may interrupt that


_state = _State()


def request(*_signal: object) -> None:
    """A request to end, from a signal handler.

    Raises:
        KeyboardInterrupt: it is obeyed now.
    """
    if _state.ending:
        return
    if _state.held or (_state.done and not _state.asked):
        _state.asked = True
        return
    _obey()


def _obey() -> None:
    _state.ending = True
    raise KeyboardInterrupt


def begin() -> None:
    """The next piece of work is begun.

    Raises:
        KeyboardInterrupt: a request was waiting.
    """
    _state.done = False
    _obey_if_asked()


def _obey_if_asked() -> None:
    if _state.asked and not _state.held and not _state.ending:
        _obey()


@contextmanager
def held() -> Iterator[None]:
    """While something is made that has to be removed: whoever makes it knows of it before a request is obeyed, at the end of the block.

    Raises:
        KeyboardInterrupt: a request came meanwhile.
    """
    _state.held += 1
    try:
        yield
    finally:
        _state.held -= 1
    if not _state.done:
        _obey_if_asked()


@contextmanager
def naming() -> Iterator[None]:
    """While something is entered and gets its final name: all of this happens, or none of it."""
    _state.held += 1
    try:
        yield
        _state.done = True
    finally:
        _state.held -= 1
