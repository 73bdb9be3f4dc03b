"""Backups of the register: whole, checked, and put back; what is not whole is neither written nor restored."""

from __future__ import annotations

import errno
import gc
import os
import sqlite3
import stat
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from valiza.cli import keeping
from valiza.office.home import Office

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.cli import World


def entries(path: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as register:
        return register.execute("SELECT * FROM entry ORDER BY seq").fetchall()


def tampered(path: Path, statement: str) -> None:
    gc.collect()
    with closing(sqlite3.connect(path, isolation_level=None)) as register:
        for (trigger,) in register.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            register.execute(f"DROP TRIGGER {trigger}")
        register.execute(statement)


@pytest.fixture
def used(world: World) -> World:
    """An exchange and a signed head."""
    _, _, receipt = world.exchange()
    world.kz.works("receipt", "verify", receipt)
    world.kz.works("register", "checkpoint")
    return world


def test_backup_is_the_register_in_one_file_for_its_owner(used: World) -> None:
    backup = used.path("backup")
    facts = used.kz.works("register", "backup", "-o", backup, "--json").facts
    assert (facts["entries"], facts["heads"]) == (3, 1)
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert not [path for path in used.folder.iterdir() if path.name.startswith(("backup-", ".valiza-"))]
    gc.collect()
    assert entries(backup) == entries(used.kz.home / "register.db")


def test_lost_register_is_restored_and_goes_on(used: World) -> None:
    backup = used.path("backup")
    used.kz.works("register", "backup", "-o", backup)
    before = used.kz.works("register", "list", "--json").facts
    gc.collect()
    for path in used.kz.home.glob("register.db*"):
        path.unlink()
    used.kz.works("register", "restore", backup)
    assert used.kz.works("register", "list", "--json").facts == before
    used.seal(name="next.vlz")
    found = used.kz.works("register", "verify", "--json").facts
    assert (found["holds"], found["entries"], len(found["heads"])) == (True, 5, 1)
    assert stat.S_IMODE((used.kz.home / "register.db").stat().st_mode) == 0o600


def test_backup_of_a_register_that_others_write_to_is_one_that_was_there(used: World) -> None:
    backup = used.path("backup")
    used.kz.works("register", "backup", "-o", backup)
    used.seal(name="later.vlz")
    used.kz.works("register", "restore", backup, "--replace")
    assert used.kz.works("register", "verify", "--json").facts["entries"] == 3


def test_register_with_entries_is_replaced_only_on_demand_and_kept(used: World) -> None:
    backup = used.path("backup")
    used.kz.works("register", "backup", "-o", backup)
    used.seal(name="later.vlz")
    assert "--replace" in used.kz.fails(6, "register", "restore", backup).hint
    replaced = used.kz.works("register", "restore", backup, "--replace", "--json").facts["replaced"]
    gc.collect()
    assert len(entries(used.kz.home / str(replaced).rpartition("/")[2])) == 5


def test_damaged_register_is_not_backed_up_and_a_damaged_backup_not_restored(used: World) -> None:
    backup = used.path("backup")
    used.kz.works("register", "backup", "-o", backup)
    tampered(backup, "UPDATE entry SET note = 'other' WHERE seq = 2")
    before = sorted(path.name for path in used.kz.home.iterdir())
    assert used.kz.run("register", "restore", backup, "--replace").code == 4
    assert sorted(path.name for path in used.kz.home.iterdir()) == before
    assert used.kz.works("register", "verify", "--json").facts["holds"] is True
    tampered(used.kz.home / "register.db", "DELETE FROM entry WHERE seq = 2")
    assert used.kz.run("register", "backup", "-o", used.path("second")).code == 4
    assert not used.path("second").exists()


def test_backup_of_another_body_is_refused(used: World) -> None:
    backup = used.path("backup")
    used.by.works("register", "backup", "-o", backup)
    assert used.kz.run("register", "restore", backup, "--replace").code == 6


def test_register_that_another_program_has_open_is_not_replaced_and_one_that_is_being_replaced_not_opened(used: World) -> None:
    backup = used.path("backup")
    used.kz.works("register", "backup", "-o", backup)
    gc.collect()
    with closing(Office(used.kz.home, str)) as other:
        assert list(other.journal.states(0))
        assert "another program has the register" in used.kz.fails(7, "register", "restore", backup, "--replace").error
    with other.alone():
        assert "is being restored" in used.kz.fails(7, "register", "list").error
    used.kz.works("register", "restore", backup, "--replace")


def test_two_registers_replaced_within_a_second_are_both_kept(used: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "now", lambda: 2_000_000_000)
    backup = used.path("backup")
    used.kz.works("register", "backup", "-o", backup)
    names = [used.kz.works("register", "restore", backup, "--replace", "--json").facts["replaced"].rpartition("/")[2] for _ in range(2)]
    assert names == ["register-replaced-20330518T033320Z.db", "register-replaced-20330518T033320Z-2.db"]
    assert [len(entries(used.kz.home / name)) for name in names] == [3, 3]


def test_replacing_where_a_file_has_one_name(used: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on most USB sticks: the register that is there is copied aside."""

    def link(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    backup = used.path("backup")
    used.kz.works("register", "backup", "-o", backup)
    monkeypatch.setattr(os, "link", link)
    replaced = used.kz.works("register", "restore", backup, "--replace", "--json").facts["replaced"]
    gc.collect()
    assert entries(used.kz.home / replaced.rpartition("/")[2]) == entries(used.kz.home / "register.db")
    assert used.kz.works("register", "verify", "--json").facts["entries"] == 3


@pytest.mark.parametrize("content", [b"", b"no register" * 100], ids=["empty", "text"])
def test_file_that_is_no_backup(content: bytes, used: World) -> None:
    path = used.path("backup")
    path.write_bytes(content)
    assert used.kz.run("register", "restore", path, "--replace").code == 7
    assert used.kz.works("register", "verify", "--json").facts["entries"] == 3
