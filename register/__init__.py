"""The register of a body: what was sent and received, with numbers, and the logs that prove it.

Modules in order: entry, merkle, note, proof, store, sqlite, address, roles, schema, migrations, postgresql, connecting, state, log, journal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from valiza.keys.lazy import lazy

if TYPE_CHECKING:
    from valiza.register.entry import Entry, EntryFacts
    from valiza.register.journal import RegisterJournal
    from valiza.register.log import Log
    from valiza.register.note import (
        Checkpoint,
        Cosignature,
        SignedCheckpoint,
        cosign,
        log_origin,
        office_name,
        read_cosignature,
        sign_checkpoint,
        verify_checkpoint,
        vkeys,
    )
    from valiza.register.proof import HeadConflict, Proof, Request, verify_proof, verify_request
    from valiza.register.sqlite import SqliteStore
    from valiza.register.state import EnvelopeState
    from valiza.register.store import Query, Store

__all__ = [
    "Checkpoint",
    "Cosignature",
    "Entry",
    "EntryFacts",
    "EnvelopeState",
    "HeadConflict",
    "Log",
    "Proof",
    "Query",
    "RegisterJournal",
    "Request",
    "SignedCheckpoint",
    "SqliteStore",
    "Store",
    "cosign",
    "log_origin",
    "office_name",
    "read_cosignature",
    "sign_checkpoint",
    "verify_checkpoint",
    "verify_proof",
    "verify_request",
    "vkeys",
]

__getattr__ = lazy(
    __name__,
    __all__,
    ("entry", "merkle", "note", "proof", "store", "sqlite", "state", "log", "journal"),
)
