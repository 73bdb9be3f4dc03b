"""The register of a body: what was sent and received, with numbers, and the logs that prove it.

Modules in order: entry, merkle, store, sqlite, state, journal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from valiza.keys.lazy import lazy

if TYPE_CHECKING:
    from valiza.register.entry import Entry, EntryFacts
    from valiza.register.journal import RegisterJournal
    from valiza.register.sqlite import SqliteStore
    from valiza.register.state import EnvelopeState
    from valiza.register.store import Query, Store

__all__ = [
    "Entry",
    "EntryFacts",
    "EnvelopeState",
    "Query",
    "RegisterJournal",
    "SqliteStore",
    "Store",
]

__getattr__ = lazy(
    __name__,
    __all__,
    ("entry", "merkle", "store", "sqlite", "state", "journal"),
)
