"""`kill -9` at fifty random moments in the work of two offices, and what their registers hold then. soak/register.py does it a thousand times."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.checkout]

ROOT: Final = Path(__file__).resolve().parents[2]


def test_nothing_acknowledged_is_lost_and_nothing_is_doubled() -> None:
    # In a program of its own: it forks for every command, and a process that ran thousands of tests is slow at that.
    command = [sys.executable, "-m", "soak.register", "--kills", "50", "--seed", "5"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\nfaults: 0" in done.stdout
    killed = re.findall(r"^(\w[\w ~-]*?) +(\d+) +\d+ +\d+$", done.stdout, re.MULTILINE)
    assert sum(int(count) for _, count in killed) == 50
    assert len(killed) > 7, "kinds of commands"
