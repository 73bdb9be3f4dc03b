"""What one derivation from a passphrase is to cost: measured on this machine, and never below a floor (specs/credential.md, Key files).

An attacker who has a key file pays for every guess what the machine that wrote it pays once, in memory as much as in time. So the memory is raised
first, as far as the machine can spare it, and then the passes.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from valiza.keys.errors import Unavailable
from valiza.keys.keyfile import MAX_PASSES, Argon2Cost, stretch

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FLOOR", "chosen_cost", "measured_cost", "spare_kib"]

FLOOR: Final = Argon2Cost()
_MOST_KIB: Final = 256 << 10  # a key may be unlocked on a smaller machine than the one that wrote it
_SHARE: Final = 16  # the part of a machine's memory that is spent: one 16th
_CONTAINER: Final = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def chosen_cost(seconds: float, measure: Callable[[Argon2Cost], float], *, most_kib: int) -> Argon2Cost:
    """The cost whose derivation takes about `seconds`, between the floor and what a reader accepts.

    Args:
        seconds: the target; 0 chooses the floor unmeasured.
        measure: tells how many seconds a derivation at a cost takes.
        most_kib: the memory that may be spent; the floor's is spent in any case.
    """
    cost = FLOOR
    if not seconds > 0:
        return cost
    took = measure(cost)
    while 2 * took <= seconds and 2 * cost.memory_kib <= most_kib:
        larger = Argon2Cost(cost.passes, 2 * cost.memory_kib)
        try:
            took = measure(larger)
        except Unavailable:  # what is spare in general is not to be had now
            break
        cost = larger
    passes = MAX_PASSES if took * MAX_PASSES <= seconds * cost.passes else int(seconds / took * cost.passes)
    return Argon2Cost(max(passes, FLOOR.passes), cost.memory_kib)


@cache
def measured_cost(seconds: float, *, clock: Callable[[], float] = time.thread_time) -> Argon2Cost:
    """`chosen_cost` on this machine, measured once in a process.

    Args:
        seconds: the target; 0 chooses the floor unmeasured.
        clock: seconds; by default those of the processor, so that others' work on a busy machine does not count.
    """

    def measure(cost: Argon2Cost) -> float:
        before = clock()
        stretch("", bytes(16), cost)
        return clock() - before

    return chosen_cost(seconds, measure, most_kib=min(spare_kib(), _MOST_KIB))


def spare_kib() -> int:
    """The memory of this machine, or of the container that this is, that a derivation may take; in KiB."""
    found = []
    with suppress(OSError, ValueError):  # not every system tells
        found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for limit in _CONTAINER:
        with suppress(OSError, ValueError):  # no container, or "max"
            found.append(int(limit.read_text(encoding="ascii")))
    return min(found, default=0) // _SHARE // 1024
