"""What a hostile input may cost."""

from __future__ import annotations

import faulthandler
import tracemalloc
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

MIB: Final = 1 << 20
_HANGS: Final = 300  # seconds; no test comes near, and one that hangs says where


@contextmanager
def at_most(mebibytes: float) -> Iterator[None]:
    """What runs inside allocates no more than so much at a time, and comes to an end."""
    faulthandler.dump_traceback_later(_HANGS, exit=True)
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        faulthandler.cancel_dump_traceback_later()
    assert peak <= mebibytes * MIB, f"{peak / MIB:.1f} MiB"
