"""Where the program begins. Until the commands are loaded nothing is begun, so a request to end needs no more than an exit code."""

from __future__ import annotations

import os
import signal
import sys
from typing import NoReturn


def _leave(_signal: int, _frame: object) -> NoReturn:
    os.write(2, b"valiza: error: interrupted\n")
    os._exit(130)


def _load_sources_only() -> None:
    """Compile every module that is still to be loaded from its source: that is what the digest of the program is over (specs/transcript.md, tool)."""
    sys.pycache_prefix = os.devnull  # below which nothing lies, and nothing can be laid
    sys.dont_write_bytecode = True


def main() -> NoReturn:
    """The console script."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup means it
            signal.signal(number, _leave)
    if "ceremony" in sys.argv[1:]:
        _load_sources_only()
    from valiza.cli.main import main as run_main

    run_main()
