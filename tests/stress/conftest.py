"""Fixtures for what goes wrong in the machine: two offices and an exchange, strace, and small disks."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from tests.support.cli import World, found_world
from tests.support.interrupted import Exchange, prepare
from tests.support.strace import why_not

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No VALIZA_HOME, VALIZA_AS, VALIZA_PASSPHRASE or VALIZA_TRACEBACK of the person who runs the tests."""
    for name in [name for name in os.environ if name.startswith("VALIZA_")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def founded(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Both offices, made once. Tests copy them."""
    return found_world(tmp_path_factory.mktemp("founded"))


@pytest.fixture(scope="session")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Exchange:
    """An exchange, as it was before each of its steps."""
    return prepare(tmp_path_factory.mktemp("exchange"))


@pytest.fixture(scope="session")
def strace() -> None:
    """Skip where no program can be traced."""
    reason = why_not()
    if reason is not None:
        pytest.skip(reason)


class Disk:
    """A small file system in memory, that can be filled and made read-only."""

    def __init__(self, path: Path, mount: str) -> None:
        self.path = path
        self._mount = mount

    def mount(self, *options: str) -> str:
        """Mount it; returns what went wrong."""
        self.path.mkdir(exist_ok=True)
        done = subprocess.run([self._mount, *options, "tmpfs", str(self.path)], capture_output=True, text=True, check=False)
        return done.stderr.strip() if done.returncode else ""

    def unmount(self) -> None:
        subprocess.run([self._mount.replace("mount", "umount"), str(self.path)], check=True)

    def fill(self, leave: int = 0) -> None:
        """Leave so many bytes free, in whole pages."""
        system = os.statvfs(self.path)
        (self.path / "ballast").write_bytes(bytes(max(system.f_bavail * system.f_frsize - leave, 0)))

    def empty(self) -> None:
        """Take back what `fill` filled."""
        (self.path / "ballast").unlink(missing_ok=True)

    def read_only(self) -> None:
        subprocess.run([self._mount, "-o", "remount,ro", str(self.path)], check=True)

    def writable(self) -> None:
        subprocess.run([self._mount, "-o", "remount,rw", str(self.path)], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A disk of 8 MiB."""
    mount = shutil.which("mount")
    if os.geteuid() != 0 or mount is None:
        pytest.skip("only root mounts a small disk")
    made = Disk(tmp_path / "disk", mount)
    trouble = made.mount("-t", "tmpfs", "-o", "size=8m")
    if trouble:
        pytest.skip(f"this machine lets nobody mount a small disk: {trouble}")
    try:
        yield made
    finally:
        made.unmount()
