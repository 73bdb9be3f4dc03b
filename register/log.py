"""The log of a body under one agreement, over the store that keeps its entries (specs/log.md, Tree)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from valiza.keys.errors import Refused
from valiza.register.merkle import consistency_proof, inclusion_proof, root
from valiza.register.note import Checkpoint, log_origin
from valiza.register.proof import Proof, Request

if TYPE_CHECKING:
    from collections.abc import Sequence

    from valiza.keys.fields import Body
    from valiza.register.merkle import Position
    from valiza.register.note import SignedCheckpoint
    from valiza.register.store import Store

__all__ = ["Log"]


class Log:
    """The log of `body` under the agreement with this digest. A root or a proof takes one look-up of O(log n) nodes."""

    def __init__(self, store: Store, body: Body, agreement: bytes) -> None:
        self.store = store
        self.body = body
        self.agreement = agreement

    @property
    def origin(self) -> str:
        """Its name: the first line of its checkpoints."""
        return log_origin(self.body, self.agreement)

    @property
    def size(self) -> int:
        """How many entries it has."""
        return self.store.size(self.agreement)

    def _nodes(self, wanted: Sequence[Position]) -> Sequence[bytes]:
        return self.store.nodes(self.agreement, wanted)

    def checkpoint(self, size: int) -> Checkpoint:
        """Its head when it had `size` entries.

        Raises:
            Refused: it never had so many.
        """
        self._require(size)
        return Checkpoint(self.origin, size, root(size, self._nodes))

    def request(self, old: int, signed: SignedCheckpoint) -> Request:
        """What the other body is asked to cosign: a signed checkpoint, and the proof that it goes on from the first `old` entries.

        Raises:
            Refused: `old` is more than the checkpoint has.
        """
        size = signed.checkpoint.size
        self._require(size)
        if old > size:
            message = f"the checkpoint is of {size} entries, and cannot go on from {old}"
            raise Refused(message, "sign a checkpoint of the log as it is now: valiza register checkpoint")
        return Request(old, tuple(consistency_proof(old, size, self._nodes)), signed.raw)

    def proof(self, place: int, signed: SignedCheckpoint) -> Proof:
        """That the entry at `place` is in the log of a signed checkpoint.

        Raises:
            Refused: the checkpoint was signed before.
        """
        size = signed.checkpoint.size
        self._require(size)
        if place >= size:
            message = f"the last checkpoint is of {size} entries, and this one is entry {place + 1} of its log"
            raise Refused(message, "sign a checkpoint of the log as it is now: valiza register checkpoint")
        return Proof(place, tuple(inclusion_proof(place, size, self._nodes)), signed.raw)

    def _require(self, size: int) -> None:
        have = self.size
        if size > have:
            message = f"the log {self.origin} has {have} entries here, and a checkpoint of it {size}: this register went back"
            raise Refused(message, "it was restored from an older backup, or cut: restore the newest one, and tell the other body")
