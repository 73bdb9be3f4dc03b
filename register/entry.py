"""An entry of the register, and the bytes by which it stands in the log of its agreement (specs/log.md, Leaf)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from valiza.keys import labels
from valiza.keys.digests import digest
from valiza.keys.encoding import pack

if TYPE_CHECKING:
    from valiza.keys.fields import Body

__all__ = ["BLIND_BYTES", "FIRST_LINK", "HASH_BYTES", "KINDS", "ONCE", "Entry", "EntryFacts", "link"]

BLIND_BYTES: Final = 16
HASH_BYTES: Final = 32
FIRST_LINK: Final = bytes(HASH_BYTES)

# What an entry can be. Most are steps in the life of an envelope; `numbered` gives out a number, `attempt` is a step that was refused, `overdue`
# the office's word that a receipt is, `log-conflict` shows that the other body's log was rewritten.
KINDS: Final = (
    *("numbered", "sealed", "withdrawn", "arrived", "opened", "answered", "receipt", "conflict"),
    *("notice", "handover", "overdue", "attempt", "log-conflict"),
)
# Of these an envelope has one at most.
ONCE: Final = ("sealed", "withdrawn", "arrived", "answered", "receipt")


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryFacts:
    """What an entry says, without the bytes that it keeps.

    Attributes:
        seq: its place in the register, from 1; 0 before it is appended.
        at: when it was entered, in seconds since 1970.
        kind: one of `KINDS`.
        direction: `out` of what this body sends, `in` of what comes.
        number: the office's number of the envelope, `BODY/YEAR/DIRECTION/N`; empty if it has none.
        agreement: digest of the agreement's body, 32 bytes: whose log it stands in.
        place: its place in that log, from 0.
        origin: body from which the envelope goes.
        envelope_id: 32 bytes; empty where no envelope is meant.
        dispatch_digest: digest of its dispatch; empty where no envelope is meant.
        note: verdict, reason or time due, by kind.
    """

    seq: int = 0
    at: int
    kind: str
    direction: str
    number: str = ""
    agreement: bytes
    place: int = 0
    origin: Body
    envelope_id: bytes = b""
    dispatch_digest: bytes = b""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry(EntryFacts):
    """A whole entry.

    Attributes:
        statement: the signed statement that it is about; empty if none.
        record: what the office remembers beside it, and never shows; empty if nothing.
        blind: 16 random bytes, so that nobody finds out by its hash what an entry says.
    """

    statement: bytes = field(default=b"", repr=False)
    record: bytes = field(default=b"", repr=False)
    blind: bytes = field(repr=False)

    def facts(self) -> EntryFacts:
        """What it says, without the bytes that it keeps."""
        return EntryFacts(
            seq=self.seq,
            at=self.at,
            kind=self.kind,
            direction=self.direction,
            number=self.number,
            agreement=self.agreement,
            place=self.place,
            origin=self.origin,
            envelope_id=self.envelope_id,
            dispatch_digest=self.dispatch_digest,
            note=self.note,
        )

    def leaf(self) -> bytes:
        """What stands in the log for this entry: all that it says, and digests of the bytes that it keeps (specs/log.md, Leaf)."""
        statement = digest(labels.DIGEST_STATEMENT, self.statement) if self.statement else None
        record = digest(labels.DIGEST_RECORD, self.record) if self.record else None
        return pack(
            [
                self.blind,
                self.kind,
                self.direction,
                self.number,
                self.at,
                self.agreement,
                self.origin.packed(),
                self.envelope_id,
                self.dispatch_digest,
                statement,
                record,
                self.note,
            ]
        )


def link(previous: bytes, leaf_hash: bytes) -> bytes:
    """What chains an entry to all before it, whichever log they stand in: SHA-256 of the link before and the hash of the leaf, 32 bytes."""
    return hashlib.sha256(previous + leaf_hash).digest()
