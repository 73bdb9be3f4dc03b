"""What goes into the wheelhouse. `.ci/run` makes it and installs from it without network."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from types import ModuleType

pytestmark = pytest.mark.checkout

ROOT: Final = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheelhouse() -> ModuleType:
    spec = importlib.util.spec_from_file_location("wheelhouse", ROOT / "tools" / "wheelhouse.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_lock_is_read_whole(wheelhouse: ModuleType) -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="ascii")
    locked = wheelhouse.locked(ROOT / "requirements.lock")
    assert len(locked) == len(re.findall(r"^[a-z0-9]", text, re.MULTILINE))
    assert sum(line.count("--hash=sha256:") for line in locked.values()) == text.count("--hash=sha256:")
    assert [name for name, line in locked.items() if "#" in line or "\\" in line] == []


def test_what_is_needed_at_run_time_is_all_locked_and_nothing_for_development(wheelhouse: ModuleType) -> None:
    needed = wheelhouse.needed(["blake3", "click>=8", "cryptography", "msgpack", "pynacl"], ["3.11", "3.13"])
    assert {"blake3", "click", "cryptography", "msgpack", "pynacl", "cffi", "pycparser"} <= needed
    assert needed <= set(wheelhouse.locked(ROOT / "requirements.lock"))
    assert needed & {"pytest", "hypothesis", "mypy", "ruff", "setuptools"} == set()


def test_what_only_another_python_needs_is_asked_for_that_python(wheelhouse: ModuleType) -> None:
    wanted = ['click; python_version == "3.12"', 'nothing-of-that-name; sys_platform == "no such system"']
    assert wheelhouse.needed(wanted, ["3.11"]) == set()
    assert "click" in wheelhouse.needed(wanted, ["3.11", "3.12"])
