"""What is reported as done is on the disk: data is synced before it gets its name, the name before the result is told."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import pytest
from tests.support.cli import VALIZA, World
from tests.support.strace import Call, traced

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.interrupted import Exchange

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("strace")]

CALLS: Final = (
    "openat", "close", "write", "pwrite64", "fsync", "fdatasync", "syncfs",
    "?link", "linkat", "?rename", "renameat", "renameat2", "?mkdir", "mkdirat",
)  # fmt: skip


class Files:
    """Which names and data are not durable yet, as the calls of a program go by."""

    def __init__(self) -> None:
        self.open: dict[str, str] = {}  # path by descriptor
        self.data: set[str] = set()  # files written to and not synced; an unnamed one by its descriptor
        self.names: set[str] = set()  # folders in which something was named, and that were not synced
        self.told = False
        self.named: list[str] = []

    def take(self, call: Call) -> None:
        if not call.done:
            return
        words = re.findall(r'"((?:[^"\\]|\\.)*)"', call.text)
        first = call.text.split(",")[0].split(")")[0]
        taker = getattr(self, f"_{call.name}", None)
        if taker is not None:
            taker(call.text, words, first)

    def _openat(self, text: str, words: list[str], _first: str) -> None:
        descriptor = text.rpartition(" = ")[2].strip()
        self.open[descriptor] = f"unnamed {descriptor}" if "O_TMPFILE" in text else words[0]
        if "O_CREAT" in text and not words[0].endswith(("-shm", "-wal", "register.db")):
            self.names.add(_folder(words[0]))

    def _close(self, _text: str, _words: list[str], first: str) -> None:
        path = self.open.pop(first, "")
        if path.startswith("unnamed"):
            self.data.discard(path)

    def _write(self, _text: str, _words: list[str], first: str) -> None:
        if first == "1":
            self.told = True
            assert self.data == set(), "the result is told, and data is not synced"
            assert self.names == set(), "the result is told, and a name is not synced"
        elif first in self.open and not self.open[first].startswith("/dev/"):
            self.data.add(self.open[first])

    def _pwrite64(self, _text: str, _words: list[str], first: str) -> None:
        if self.open.get(first, "").endswith("-wal"):  # the register's own file is written from this one
            self.data.add(self.open[first])

    def _fsync(self, _text: str, _words: list[str], first: str) -> None:
        path = self.open[first]
        self.data.discard(path)
        self.names.discard(path)

    _fdatasync = _fsync

    def _syncfs(self, _text: str, _words: list[str], _first: str) -> None:
        self.data.clear()
        self.names.clear()

    def _linkat(self, text: str, words: list[str], _first: str) -> None:
        descriptor = text.split(",")[2].strip()
        self._name(f"{self.open[descriptor]}/{words[-1]}")

    def _rename(self, _text: str, words: list[str], _first: str) -> None:
        assert not [path for path in self.names if path.startswith(words[0])], "a folder gets its name, and a name in it is not synced"
        self._name(words[1])

    _renameat = _renameat2 = _rename

    def _name(self, path: str) -> None:
        assert self.data == set(), f"{path} gets its name before all data is synced"
        self.named.append(path)
        self.names.add(_folder(path))

    def _mkdir(self, _text: str, words: list[str], first: str) -> None:
        path = words[0] if words else first
        self.names |= {_folder(path), path}


def _folder(path: str) -> str:
    return path.rpartition("/")[0] or "."


def watch(command: list[str | Path], env: dict[str, str] | None = None) -> Files:
    """Run a command that must end well, and check the order of all it does."""
    done, calls = traced(command, calls=CALLS, env=env)
    assert done.code == 0, done.err
    files = Files()
    for call in calls:
        files.take(call)
    assert files.told
    return files


@pytest.mark.parametrize("name", ["seal", "open", "acknowledge", "countersign"])
@pytest.mark.parametrize("without", ["", "unnamed", "unnamed,links"])
def test_data_is_synced_then_named_then_told(name: str, without: str, exchange: Exchange, tmp_path: Path) -> None:
    step = exchange.at(name, tmp_path / "world", without)
    assert watch(step.command, step.environment).named == [str(step.output)]


def test_a_receipt_is_entered_before_the_verdict_is_told(exchange: Exchange, tmp_path: Path) -> None:
    step = exchange.at("verify", tmp_path / "world")
    assert watch(step.command, step.environment).named == []


def test_a_new_office_is_on_the_disk_with_all_its_folders(tmp_path: Path) -> None:
    home = tmp_path / "office"
    officers = ["--officer=aigul:seal,open:1:Aigul Serik", "--officer=dana:::Dana Omar"]
    named = watch([VALIZA, "office", "init", home, "--party=KZ", "--body=KZ-MFA", "--degrees=1,2,3", *officers, "--unprotected"]).named
    assert named[-1] == str(home)


def test_new_keys_of_an_officer_are_on_the_disk(founded: World, tmp_path: Path) -> None:
    world = founded.copy(tmp_path / "world")
    named = watch([VALIZA, "credential", "issue", "timur:seal,open:2:Timur Aliev", "--unprotected", "--home", world.kz.home]).named
    assert [path.rpartition("/")[2] for path in named] == ["seal.key", "open.key", "seal.vls", "open.vls"]
