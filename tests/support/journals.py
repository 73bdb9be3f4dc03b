"""Journals of offices, in a file each."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from valiza.register.journal import RegisterJournal
from valiza.register.sqlite import SqliteStore

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from pathlib import Path

    from valiza.keys.fields import Body


def journal_at(path: Path, own: Body, clock: Callable[[], int] = lambda: int(time.time())) -> RegisterJournal:
    """The journal of a body in a SQLite file."""
    return RegisterJournal(SqliteStore(path, clock), own, clock)


def database_of(journal: RegisterJournal) -> sqlite3.Connection:
    """SQLite's connection of a journal."""
    assert isinstance(journal.store, SqliteStore)
    return journal.store._db
