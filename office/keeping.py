"""Backups of an office's register: one file, checked entry by entry as it is written and as it is restored; and a move into a database."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Final

from valiza.keys.errors import Refused, Unavailable
from valiza.keys.files import new_file_by_name, second_name, storage_errors
from valiza.register.copying import Copied, copy_register
from valiza.register.sqlite import SqliteStore
from valiza.register.store import Query

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from valiza.office.home import Office

__all__ = ["Restored", "back_up_register", "restore_register"]

_BESIDE: Final = ("-wal", "-shm", "-journal")


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """A register that was restored.

    Attributes:
        copied: what of.
        replaced: where the register that was there before is now; None if there was none.
    """

    copied: Copied
    replaced: Path | None


def back_up_register(office: Office, out: Path, *, progress: Callable[[int], None] = lambda _: None) -> Copied:
    """Copy the register into the new file `out` (0600), of whatever kind it is. Others go on entering meanwhile.

    Raises:
        Refused: `out` exists. NotAuthentic: the register does not hold: nothing is written. Unavailable: the disk, or the database.
    """
    with new_file_by_name(out) as work, closing(SqliteStore(work, lambda: 0)) as target:
        copied = copy_register(office.journal.store, target, progress=progress)
        target.settle()
    return copied


def restore_register(office: Office, backup: Path, *, replace: bool, at: int, progress: Callable[[int], None] = lambda _: None) -> Restored:
    """Make the office's register that of a backup, which is checked on the way.

    Args:
        office: which has no register, an empty one, or with `replace` any in a file.
        backup: the file.
        replace: move the register that is there away first; it stays beside it under another name.
        at: now, in seconds since 1970.
        progress: told how many entries were done since its last call.

    Raises:
        Refused: the office has entries, or the backup is of another body. NotAuthentic: an entry of the backup is not what was entered.
        Unavailable: the disk, the database, the backup is no register, or another program has the register open.
    """
    with closing(SqliteStore(backup, lambda: at, read_only=True)) as source:
        body = source.identity()
        if body != office.body:
            message = f"the backup is of the register of {body or 'nobody'}, and this office is of {office.body}"
            raise Refused(message)
        replaced = None
        if office.register_address is None:
            replaced = _restore_file(office, source, replace=replace, at=at, progress=progress)
        else:
            if replace:
                message = "the register of this office is in a database: nothing there is replaced"
                raise Refused(message, "make a new database for it, and name that in office.toml")
            copy_register(source, office.journal.store, progress=progress)
        end = next(iter(source.facts(Query(newest_first=True, limit=1))), None)
        heads = sum(len(source.heads(*log)) for log in source.head_logs())
    return Restored(copied=Copied(entries=end.seq if end else 0, at=end.at if end else 0, heads=heads), replaced=replaced)


def _restore_file(office: Office, source: SqliteStore, *, replace: bool, at: int, progress: Callable[[int], None]) -> Path | None:
    """Write the register anew, and put it in the place of the one that is there when it is whole. At every moment one of the two is there."""
    path = office.home / "register.db"
    office.close()
    with office.alone():
        there = path.exists()
        if there and not replace:
            with closing(SqliteStore(path, lambda: at)) as store:
                if store.count(Query(limit=1)):
                    message = "this office has a register with entries"
                    raise Refused(message, "to put the backup in its place: --replace; the register that is there is kept under another name")
        aside = None
        with new_file_by_name(path, replaces=True) as work:
            with closing(SqliteStore(work, lambda: at)) as target:
                copy_register(source, target, progress=progress)
                target.settle()
            if there:
                aside = _put_aside(path, at)
        return aside


def _put_aside(path: Path, at: int) -> Path:
    """Give the register that is there a second name, whole; nothing of it may lie beside the one that takes its place. Returns the name."""
    stem = f"register-replaced-{datetime.fromtimestamp(at, UTC):%Y%m%dT%H%M%SZ}"
    names = (path.with_name(f"{stem}{'' if number == 1 else f'-{number}'}.db") for number in count(1))
    aside = next(name for name in names if not os.path.lexists(name))
    try:
        with closing(SqliteStore(path, lambda: at)) as store:
            store.settle()
    except Unavailable as error:
        code = getattr(error.__cause__, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
        if code & 0xFF not in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
            raise
    second_name(path, aside)
    with storage_errors(path):
        for ending in _BESIDE:  # of a register that is too damaged to take in what lies beside it
            beside = path.with_name(path.name + ending)
            if beside.exists():
                beside.rename(aside.with_name(aside.name + ending))
    return aside
