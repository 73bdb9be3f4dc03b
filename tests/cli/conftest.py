"""Fixtures for the command line: nothing from outside decides, two offices for each test, and a clock that can be put forward."""

from __future__ import annotations

import os
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from tests.support.cli import World, found_world

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No VALIZA_HOME, VALIZA_AS, VALIZA_PASSPHRASE or VALIZA_TRACEBACK of the person who runs the tests; what tests/conftest.py sets stays."""
    for name in [name for name in os.environ if name.startswith("VALIZA_") and name != "VALIZA_UNLOCK_SECONDS"]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def founded(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Both offices, made once. Tests copy them."""
    return found_world(tmp_path_factory.mktemp("founded"))


@pytest.fixture
def world(founded: World, tmp_path: Path) -> World:
    """Both offices, this test's own."""
    return founded.copy(tmp_path / "world")


@pytest.fixture
def travel(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Put the clock of commands in this process some seconds forward or back, from the true time."""

    def to(seconds: int) -> None:
        monkeypatch.setattr("valiza.cli.options.time", SimpleNamespace(time=lambda: time.time() + seconds))

    return to
