"""Work that several processes share. The one that began it is interrupted for all of them, and is not survived by any."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

from valiza.keys.errors import Unavailable
from valiza.keys.secrecy import guard_process, guarded

__all__ = ["Share", "Start", "processors", "shared"]

# Takes a function that can be imported, and what to call it with; gives what came of each, in order.
Share = Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[Any]]
Start = tuple[Callable[..., None], tuple[Any, ...]]


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def shared(jobs: int, start: Start | None = None, *, hint: str = "") -> Iterator[Share]:
    """Processes that share work, which goes on while the block lasts.

    Args:
        jobs: how many.
        start: what each process calls first, with its arguments.
        hint: what to try if one of them is ended.

    Raises:
        Unavailable: one of them was ended from outside.
    """
    from concurrent.futures import ProcessPoolExecutor  # noqa: PLC0415 - where work is shared only
    from concurrent.futures.process import BrokenProcessPool  # noqa: PLC0415
    from multiprocessing import get_context  # noqa: PLC0415

    pool = ProcessPoolExecutor(jobs, get_context("spawn"), _begin, (start, guarded() is not None))

    def share(work: Callable[[Any], Any], parts: Iterable[Any]) -> Iterator[Any]:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # inherited: a process that is just starting would die of it, and say so
        try:
            return pool.map(work, parts)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})

    try:
        yield share
    except BrokenProcessPool as error:
        message = "a process that shared the work was ended from outside"
        raise Unavailable(message, hint) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(start: Start | None, guard: bool) -> None:  # noqa: FBT001 - called by the pool
    """In a new process, whose memory is guarded if that of the one that began it is: the environment has passphrases for both."""
    if guard:
        guard_process()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()
    if start is not None:
        call, arguments = start
        call(*arguments)


def _end_with_parent() -> None:
    from multiprocessing import parent_process  # noqa: PLC0415

    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)  # it was killed; waiting for work from it would never end
