"""Run one command and tell what it took: a small process between the benchmark and what it measures.

    python -S -E launcher.py RESULT COMMAND ARGUMENT…

A process's peak memory (ru_maxrss) begins at that of the process that started it, so whoever starts it must be smaller than anything measured:
nothing is imported here that Python has not loaded already, and nothing is kept. To RESULT, a file descriptor, go the exit code, seconds by the
clock, seconds of processor time in the program and in the kernel, and peak memory in KiB.
"""

from __future__ import annotations

import os
import sys
import time


def launch(result: int, command: list[str]) -> None:
    os.set_inheritable(result, False)  # noqa: FBT003 - it takes no keyword
    started = time.perf_counter()
    child = os.posix_spawn(command[0], command, os.environ)
    _, status, usage = os.wait4(child, 0)
    seconds = time.perf_counter() - started
    os.write(result, f"{os.waitstatus_to_exitcode(status)} {seconds} {usage.ru_utime} {usage.ru_stime} {usage.ru_maxrss}".encode())


if __name__ == "__main__":
    launch(int(sys.argv[1]), sys.argv[2:])
