"""The journal of an office: what was sent and received, with numbers. Modules in order: store, journal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from valiza.keys.lazy import lazy

if TYPE_CHECKING:
    from valiza.register.journal import EnvelopeState, RegisterJournal
    from valiza.register.store import Entry, Store

__all__ = [
    "Entry",
    "EnvelopeState",
    "RegisterJournal",
    "Store",
]

__getattr__ = lazy(
    __name__,
    __all__,
    ("store", "journal"),
)
