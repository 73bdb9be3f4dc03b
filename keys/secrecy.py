"""Secrets in memory: no core dump, no look from other processes, no swap, as far as the system grants that to a program (SECURITY.md, The machine).

Best effort. Where not all memory can be locked, `hold` locks the very objects that it is given; copies that Python and the libraries make of them
stay where they are. Nothing here wipes anything.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    import ctypes
    from collections.abc import Callable

__all__ = ["Guard", "guard_process", "guarded", "hold"]

T = TypeVar("T", bytes, str)

_SET_DUMPABLE: Final = 4  # of prctl(2)
_CURRENT, _FUTURE, _ON_FAULT = 1, 2, 4  # of mlockall(2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """What the system granted to this process.

    Attributes:
        no_core: no core dump of it is written.
        private: no other process of the same user can look into it or trace it.
        locked: what stays out of swap: "all" of its memory, the "secrets" that `hold` is given, or "nothing".
        lockable: how many bytes may be locked; None for all.
    """

    no_core: bool
    private: bool
    locked: str
    lockable: int | None


@dataclass
class _State:
    granted: Guard | None = None
    lock: Callable[[int, int], int] | None = None


_state: Final = _State()


def guard_process() -> Guard:
    """Ask the system for all of it, for the rest of this process: before there are secrets. What it refuses is no error."""
    import resource  # noqa: PLC0415 - `valiza --help` guards nothing

    no_core = _limited(resource.RLIMIT_CORE, 0, 0)
    hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)[1]
    library = _c_library()
    private, locked = False, "nothing"
    if library is not None:
        # A limit of 0 does not stop a core dump that the kernel pipes to a program, as on most systems. This does, and keeps debuggers out.
        private = library.prctl(_SET_DUMPABLE, 0, 0, 0, 0) == 0
        # Under a limit allocating would fail, with the future locked. Of 0 it lets only those do that for whom it is none.
        _limited(resource.RLIMIT_MEMLOCK, hard if hard == resource.RLIM_INFINITY else 0, hard)
        everything = library.mlockall(_CURRENT | _FUTURE | _ON_FAULT) == 0  # a page when it is first used: what is never used costs nothing
        _limited(resource.RLIMIT_MEMLOCK, hard, hard)
        locked = "all" if everything else _lock_secrets(library)
    _state.granted = Guard(no_core=no_core and private, private=private, locked=locked, lockable=None if locked == "all" else hard)
    return _state.granted


def guarded() -> Guard | None:
    """What was granted, if this process asked."""
    return _state.granted


def hold(secret: T) -> T:
    """The secret itself, which stays out of swap from now on if that was granted. Harmless where it was not."""
    if _state.lock is not None:
        _state.lock(id(secret), sys.getsizeof(secret))
    return secret


def _limited(which: int, soft: int, hard: int) -> bool:
    """Set a limit of this process; whether that is allowed."""
    import resource  # noqa: PLC0415 - as above

    try:
        resource.setrlimit(which, (soft, hard))
    except (OSError, ValueError):
        return False
    return True


def _c_library() -> ctypes.CDLL | None:
    """The C library, if it is Linux that it speaks to and CPython that it is called from: there an id is an address."""
    import ctypes  # noqa: PLC0415 - as above

    if sys.platform != "linux" or sys.implementation.name != "cpython":
        return None
    library = ctypes.CDLL(None)
    library.prctl.argtypes = (ctypes.c_int, *[ctypes.c_ulong] * 4)
    library.mlock.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
    return library


def _lock_secrets(library: ctypes.CDLL) -> str:
    """Let `hold` lock what it is given, if any memory may be locked; what is locked then, as `Guard` calls it."""
    probe = "no secret, but somewhere in memory"
    if library.mlock(id(probe), sys.getsizeof(probe)) != 0:
        return "nothing"
    _state.lock = library.mlock
    return "secrets"
