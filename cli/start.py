"""Where the program begins. Until the commands are loaded nothing is begun, so a request to end needs no more than an exit code."""

from __future__ import annotations

import os
import signal
from typing import NoReturn


def _leave(_signal: int, _frame: object) -> NoReturn:
    os.write(2, b"valiza: error: interrupted\n")
    os._exit(130)


def main() -> NoReturn:
    """The console script."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup means it
            signal.signal(number, _leave)
    from valiza.cli.main import main as run_main

    run_main()
