"""Files about a log that carry a proof (specs/log.md): C2SP's tlog-proof for one leaf, and tlog-witness's request to cosign a checkpoint.

Both are a few lines, an empty line, and a checkpoint as it came.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from valiza.keys.errors import Malformed, NotAuthentic, Refused
from valiza.register.merkle import EMPTY_ROOT, MAX_PROOF, leaf_hash, verify_consistency, verify_inclusion
from valiza.register.note import (
    MAX_NOTE,
    Checkpoint,
    SignedCheckpoint,
    contradict,
    format_hash,
    peek_checkpoint,
    read_hash,
    read_number,
    verify_checkpoint,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from valiza.keys.log_key import LogVerifyKey

__all__ = [
    "MAX_FILE",
    "HeadConflict",
    "Proof",
    "Request",
    "follow",
    "read_proof",
    "read_request",
    "verify_proof",
    "verify_request",
]

MAX_FILE: Final = MAX_NOTE + 4096  # the longest head has 63 hashes and two lines more
_MAGIC: Final = b"c2sp.org/tlog-proof@v1"
_END: Final = b"\n\n"


class HeadConflict(NotAuthentic):
    """What a log signed does not go with what it signed before.

    `kind` is `split-view` or `rollback`, which the two checkpoints prove by themselves, or `inconsistent`: the proof does not hold, which alone
    convicts nobody, since nobody signed it.
    """

    def __init__(self, kind: str, message: str) -> None:
        proved = "keep both checkpoints: together they prove it; ask the other side in writing what happened"
        super().__init__(message, "keep both checkpoints, and ask for another proof" if kind == "inconsistent" else proved)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Proof:
    """A tlog-proof: that some leaf is at `index` of the log whose checkpoint is in `note`. Nothing of it is verified."""

    index: int
    hashes: tuple[bytes, ...]
    note: bytes

    def format(self) -> bytes:
        """The bytes of the file."""
        return b"%b\n%b" % (_MAGIC, _format(b"index %d" % self.index, self.hashes, self.note))


@dataclass(frozen=True, slots=True)
class Request:
    """The body of add-checkpoint of tlog-witness: a checkpoint, and that it goes on from the first `old` leaves. Nothing of it is verified."""

    old: int
    hashes: tuple[bytes, ...]
    note: bytes

    def format(self) -> bytes:
        """The bytes of the file."""
        return _format(b"old %d" % self.old, self.hashes, self.note)


def _format(first: bytes, hashes: Sequence[bytes], note: bytes) -> bytes:
    return b"%b\n%b\n%b" % (first, b"".join(format_hash(item) + b"\n" for item in hashes), note)


def _read(data: bytes, word: bytes, what: str) -> tuple[int, tuple[bytes, ...], bytes]:
    """The number behind `word`, the hashes, and the note; `data` begins with the line that has the number."""
    head, end, note = data.partition(_END)
    first, *lines = head.split(b"\n")
    if not end or not first.startswith(word):
        message = f"{what} does not begin with a line {word.decode('ascii')}N and end in a checkpoint"
        raise Malformed(message)
    number = read_number(first.removeprefix(word), f"the number in {what}")
    if len(lines) > MAX_PROOF:
        message = f"{what} has {len(lines)} hashes; at most {MAX_PROOF} are read"
        raise Malformed(message)
    return number, tuple(read_hash(line, f"a hash in {what}") for line in lines), note


def _require_length(data: bytes, what: str) -> None:
    if len(data) > MAX_FILE:
        message = f"{what} has at most {MAX_FILE} bytes"
        raise Malformed(message)


# -- inclusion --------------------------------------------------------------------------------------------------------


def read_proof(data: bytes) -> Proof:
    """Read a tlog-proof: steps 1 to 3 of Reading a proof.

    Raises:
        Malformed: it is none, has extra data, or its index is not in the tree.
    """
    # 1. Limits.
    what = "a proof of inclusion"
    _require_length(data, what)
    # 2. The lines.
    magic, _, rest = data.partition(b"\n")
    if magic != _MAGIC:
        message = f"{what} does not begin with {_MAGIC.decode('ascii')}"
        raise Malformed(message)
    if rest.startswith(b"extra "):
        message = f"{what} has extra data, which nobody signed"
        raise Malformed(message)
    index, hashes, note = _read(rest, b"index ", what)
    # 3. The checkpoint, before anything of it is verified.
    size = peek_checkpoint(note).size
    if index >= size:
        message = f"{what} is about leaf {index} of a log of {size}"
        raise Malformed(message)
    return Proof(index, hashes, note)


def verify_proof(data: bytes, leaf: bytes, origin: str, keys: Sequence[LogVerifyKey]) -> tuple[int, SignedCheckpoint]:
    """Return where these bytes are a leaf of the log `origin`, and the checkpoint that says so.

    Raises:
        Malformed: no proof of inclusion.
        NotAuthentic: the log did not sign the checkpoint, or the proof does not hold.
    """
    proof = read_proof(data)
    # 4. The checkpoint's own steps.
    signed = verify_checkpoint(proof.note, origin, keys)
    # 5. From the leaf to the root.
    verify_inclusion(leaf_hash(leaf), proof.index, signed.checkpoint.size, proof.hashes, signed.checkpoint.root)
    return proof.index, signed


# -- consistency ------------------------------------------------------------------------------------------------------


def read_request(data: bytes) -> Request:
    """Read a request to cosign: steps 1 to 3 of Reading a request.

    Raises:
        Malformed: it is none, or it says that the log was longer than it is.
    """
    # 1. Limits.
    what = "a request to cosign"
    _require_length(data, what)
    # 2. The lines.
    old, hashes, note = _read(data, b"old ", what)
    # 3. The checkpoint, before anything of it is verified.
    size = peek_checkpoint(note).size
    if old > size:
        message = f"{what} goes on from {old} leaves to {size}"
        raise Malformed(message)
    return Request(old, hashes, note)


def verify_request(data: bytes, origin: str, keys: Sequence[LogVerifyKey], last: SignedCheckpoint | None) -> SignedCheckpoint:
    """Return the checkpoint that is asked to be cosigned, if it goes on from `last`, the last one of this log that was cosigned here (or none).

    Raises:
        Malformed: no request.
        NotAuthentic: the log did not sign the checkpoint.
        HeadConflict: it signed it, and it does not go on from `last`.
        Refused: it goes on from another size than that of `last`: nothing can be said.
    """
    request = read_request(data)
    # 4. The checkpoint's own steps.
    signed = verify_checkpoint(request.note, origin, keys)
    # 5. to 7.
    follow(last, signed, request.old, request.hashes)
    return signed


def follow(last: SignedCheckpoint | None, signed: SignedCheckpoint, old: int, hashes: Sequence[bytes]) -> None:
    """Return if a signed checkpoint goes on from `last`, as the proof from size `old` has to show: steps 5 to 7 of Reading a request.

    Raises:
        HeadConflict: it does not.
        Refused: `old` is not the size of `last`.
    """
    known = last.checkpoint if last else Checkpoint(signed.checkpoint.origin, 0, EMPTY_ROOT)
    # 5. What two signatures of the log prove without any proof.
    kind = contradict(last, signed) if last else None
    if kind == "split-view":
        raise HeadConflict(kind, f"the log {known.origin} has two roots for the same {known.size} leaves")
    if kind == "rollback":
        smaller, larger = sorted((known.size, signed.checkpoint.size))
        raise HeadConflict(kind, f"the log {known.origin} says at a later time that it has {smaller} leaves, and had {larger}")
    # 6. From where.
    if old != known.size:
        message = f"the longest head of {known.origin} that was seen or cosigned here has {known.size} leaves, not {old}"
        raise Refused(message, f"ask for a consistency proof from {known.size}: valiza register checkpoint --for BODY --from {known.size} -o FILE")
    # 7. The proof.
    try:
        verify_consistency(known.size, signed.checkpoint.size, known.root, signed.checkpoint.root, hashes)
    except NotAuthentic as error:
        message = f"the log {known.origin} of {signed.checkpoint.size} leaves is not shown to go on from the {known.size} that were cosigned here"
        raise HeadConflict("inconsistent", message) from error
