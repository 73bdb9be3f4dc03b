"""The Journal protocol: what an office writes down of envelopes, and asks again. The register implements it; nothing here stores anything.

Records are kept packed: `Expectation` is what a receipt must say (specs/receipt.md, Reading 10), `Opening` what opening found.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from valiza.envelope.evidence import Seen
from valiza.keys import labels
from valiza.keys.digests import digest
from valiza.keys.encoding import pack, unpack
from valiza.keys.fields import array, blob, code, digest_field, optional, time

if TYPE_CHECKING:
    from valiza.envelope.dispatch import EnvelopeName
    from valiza.envelope.manifest import Openings
    from valiza.keys.encoding import Value

__all__ = ["Expectation", "Journal", "MarksPutOn", "Opening", "StoredReceipt", "read_marks_put_on", "read_openings"]

MarksPutOn = tuple[str, ...] | bytes  # the destination's code of each carrier, or under a closed stamp their keyed digest
_MAX_RECORD = 8 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What every answer to an envelope must say. It holds no key and no content: a clerk or gateway verifies with it."""

    dispatch: bytes = field(repr=False)
    core: bytes = field(repr=False)
    addressees: tuple[bytes, ...]
    openings: Openings = field(repr=False)
    proof: bytes = field(repr=False)
    marks: MarksPutOn = field(repr=False)

    @property
    def dispatch_digest(self) -> bytes:
        """Digest of the dispatch: the name of the envelope's sealing."""
        return digest(labels.DIGEST_STATEMENT, self.dispatch)

    def value(self) -> list[Value]:
        """Form in which it is recorded."""
        marks = self.marks if isinstance(self.marks, bytes) else list(self.marks)
        return [self.dispatch, self.core, list(self.addressees), list(self.openings), self.proof, marks]

    def packed(self) -> bytes:
        """Bytes in which it is recorded."""
        return pack(self.value())

    @classmethod
    def read(cls, data: bytes) -> Expectation:
        """Read a record."""
        return cls.from_value(unpack(data, max_bytes=_MAX_RECORD, what="recorded expectation"))

    @classmethod
    def from_value(cls, value: Value) -> Expectation:
        """Read the form in which it is recorded."""
        items = array(value, "recorded expectation", length=6)
        return cls(
            dispatch=blob(items[0], "dispatch"),
            core=blob(items[1], "core"),
            addressees=tuple(digest_field(item, "addressee") for item in array(items[2], "addressees")),
            openings=read_openings(items[3]),
            proof=digest_field(items[4], "proof"),
            marks=read_marks_put_on(items[5]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What opening an envelope found, and by which `open` credential: the only source of an acknowledgement."""

    expectation: Expectation
    credential: bytes
    opened_at: int
    rewrap: bytes | None = field(repr=False)

    def packed(self) -> bytes:
        """Bytes in which it is recorded."""
        return pack([self.expectation.value(), self.credential, self.opened_at, self.rewrap])

    @classmethod
    def read(cls, data: bytes) -> Opening:
        """Read a record."""
        items = array(unpack(data, max_bytes=_MAX_RECORD, what="recorded opening"), "recorded opening", length=4)
        return cls(
            expectation=Expectation.from_value(items[0]),
            credential=digest_field(items[1], "open credential"),
            opened_at=time(items[2], "opened at"),
            rewrap=optional(items[3], "rewrap", blob),
        )


@dataclass(frozen=True, slots=True)
class StoredReceipt:
    """A receipt that was recorded, and the verdict it got."""

    raw: bytes = field(repr=False)
    verdict: str


class Journal(Seen, Protocol):
    """What envelope/ asks of an office's journal, which is its memory too.

    Every `record_…` is durable when it returns, and refuses conflicts by raising Refused.
    """

    def require_first(self, name: EnvelopeName) -> None:
        """Raise Conflict if another dispatch is known under this identity (envelope.md, Reading)."""

    def record_opening(self, opening: Opening, name: EnvelopeName, *, at: int) -> str:
        """Record an opening before its plaintext is released; returns the incoming number. A second opening of the same dispatch is recorded too."""

    def opening(self, dispatch_digest: bytes) -> Opening | None:
        """The first recorded opening of an envelope."""

    def stored_answer(self, dispatch_digest: bytes) -> bytes | None:
        """The acknowledgement or refusal recorded for an envelope."""

    def record_answer(self, answer: bytes, name: EnvelopeName, *, at: int) -> None:
        """Record an answer of the own office, or of another office of the party that this one confirms."""

    def expectation(self, dispatch_digest: bytes) -> Expectation | None:
        """What a receipt for an envelope sent from here must say."""

    def withdrawn(self, dispatch_digest: bytes) -> bool:
        """Whether the envelope was recorded as never sent."""

    def stored_receipt(self, dispatch_digest: bytes) -> StoredReceipt | None:
        """The receipt recorded for an envelope, made here or received."""

    def statements(self, kind: str, dispatch_digest: bytes) -> list[bytes]:
        """Further statements recorded for an envelope, of a kind: `notice`, `handover` or `overdue`."""

    def record_receipt(self, receipt: bytes, verdict: str, name: EnvelopeName, *, at: int) -> None:
        """Record a receipt made here or received, with its verdict."""


def read_openings(value: Value) -> Openings:
    """Decode openings: d_i by index, or nil."""
    return tuple(optional(item, "opening", digest_field) for item in array(value, "openings", least=1, most=16384))


def read_marks_put_on(value: Value) -> MarksPutOn:
    """Decode the marks put on."""
    if isinstance(value, bytes):
        return digest_field(value, "marks put on")
    return tuple(code(item, "mark put on") for item in array(value, "marks put on", least=1, most=16384))
