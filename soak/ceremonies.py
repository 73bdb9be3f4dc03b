"""Ceremonies of every kind, killed before every single change on the disk: `python -m soak.ceremonies`.

What must hold stands in tests/support/killed_ceremony.py.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.support.killed_ceremony import SCENES

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    """Each kind is gone on with, and declared void; returns the exit code."""
    failed = 0
    for kind in SCENES:
        for how in ("lead", "void"):
            began = time.monotonic()
            with tempfile.TemporaryDirectory() as folder:
                words = [sys.executable, "-m", "tests.support.killed_ceremony", kind, folder, how]
                done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False)
            failed += done.returncode != 0
            said = f"{done.stdout.strip()} kills" if done.returncode == 0 else f"FAILED\n{done.stderr}"
            sys.stdout.write(f"{kind:<12}{how:<6}{said}, {time.monotonic() - began:.0f} s\n")
            sys.stdout.flush()
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
