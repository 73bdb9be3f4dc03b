"""Small disks for tests: a file system of a few hundred KiB that is soon full, and can be made read-only."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["MOUNT", "mounted"]

MOUNT: Final = shutil.which("mount")


@contextmanager
def mounted(disk: Path, size: str) -> Iterator[Path]:
    """A new file system of `size`, as tmpfs writes it, at a new folder; skips the test where it cannot be had."""
    if os.geteuid() != 0 or MOUNT is None:
        pytest.skip("only root mounts a small disk")
    disk.mkdir()
    done = subprocess.run([MOUNT, "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"this machine lets nobody mount a small disk: {done.stderr.strip()}")
    try:
        yield disk
    finally:
        subprocess.run([MOUNT.replace("mount", "umount"), str(disk)], check=True)
