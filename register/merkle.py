"""The hash tree of RFC 6962 over SHA-256 (specs/log.md, Tree): pure functions over hashes, which a look-up provides.

A complete node (level, place) covers the leaves from place × 2^level to (place + 1) × 2^level − 1; level 0 are the hashes of the leaves. Once
complete it never changes, so these are what a register stores. A root or a proof of any size is put together from O(log n) of them, asked for in one
call.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Final

from valiza.keys.errors import NotAuthentic, Usage

__all__ = [
    "EMPTY_ROOT",
    "HASH_BYTES",
    "MAX_PROOF",
    "MAX_SIZE",
    "Frontier",
    "Nodes",
    "Position",
    "arising",
    "consistency_proof",
    "inclusion_proof",
    "leaf_hash",
    "node_hash",
    "root",
    "verify_consistency",
    "verify_inclusion",
]

HASH_BYTES: Final = 32
MAX_SIZE: Final = 1 << 62  # the largest whose proofs have at most MAX_PROOF hashes
MAX_PROOF: Final = 63
EMPTY_ROOT: Final = hashlib.sha256().digest()

Position = tuple[int, int]
"""Level and place of a complete node."""

Nodes = Callable[[Sequence[Position]], Sequence[bytes]]
"""A look-up: the hashes of complete nodes, in the order in which they were asked for."""

_Range = tuple[int, int]  # leaves from the first to before the second


def leaf_hash(leaf: bytes) -> bytes:
    """The hash of a leaf's bytes."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of the node over two others."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def _complete(begin: int, end: int) -> list[Position]:
    """The complete nodes that together cover a subtree of the tree, the leftmost (and largest) first."""
    found = []
    while begin < end:
        level = (end - begin).bit_length() - 1
        found.append((level, begin >> level))
        begin += 1 << level
    return found


def _together(hashes: Sequence[bytes]) -> bytes:
    """The hash over adjacent complete subtrees, each larger than the next."""
    *others, result = hashes
    for left in reversed(others):
        result = node_hash(left, result)
    return result


def _subtrees(ranges: Sequence[_Range], nodes: Nodes) -> list[bytes]:
    """The hash of each subtree, all from one call of the look-up."""
    parts = [_complete(begin, end) for begin, end in ranges]
    wanted = [position for positions in parts for position in positions]
    found = iter(nodes(wanted) if wanted else ())
    return [_together([next(found) for _ in positions]) for positions in parts]


def _split(begin: int, end: int) -> int:
    """Where the two halves of a subtree of more than one leaf meet: the left one is the largest power of two that is smaller."""
    return begin + (1 << (end - begin - 1).bit_length() - 1)


def _require_size(size: int) -> None:
    if not 0 <= size <= MAX_SIZE:
        message = f"a log has at most {MAX_SIZE} leaves, not {size}"
        raise Usage(message)


def root(size: int, nodes: Nodes) -> bytes:
    """The root of the tree of the first `size` leaves."""
    _require_size(size)
    return _subtrees([(0, size)], nodes)[0] if size else EMPTY_ROOT


def arising(index: int, leaf: bytes, nodes: Nodes) -> list[tuple[Position, bytes]]:
    """The nodes, from level 1 up, that become complete when the leaf with hash `leaf` is appended at `index`; asks for earlier nodes only."""
    _require_size(index + 1)
    ones = ((index + 1) & ~index).bit_length() - 1  # how many lowest bits of index are 1: so many subtrees end here
    lefts = nodes([(level, (index >> level) - 1) for level in range(ones)]) if ones else ()
    found: list[tuple[Position, bytes]] = []
    for level, left in enumerate(lefts, 1):
        leaf = node_hash(left, leaf)
        found.append(((level, index >> level), leaf))
    return found


class Frontier:
    """The right edge of a growing tree: appends without any look-up, in memory for O(log n) hashes.

    `size` leaves are in it already; the look-up is asked once, for their largest complete nodes.
    """

    def __init__(self, size: int = 0, nodes: Nodes | None = None) -> None:
        _require_size(size)
        self.size = size
        wanted = _complete(0, size)
        self._peaks = [] if nodes is None or not wanted else list(nodes(wanted))
        if len(self._peaks) != len(wanted):
            message = f"the frontier of {size} leaves needs {len(wanted)} nodes"
            raise Usage(message)

    def append(self, leaf: bytes) -> list[tuple[Position, bytes]]:
        """Append the leaf with this hash. Returns what `arising` does."""
        found: list[tuple[Position, bytes]] = []
        index = self.size
        _require_size(index + 1)
        for level in range(1, ((index + 1) & ~index).bit_length()):
            leaf = node_hash(self._peaks.pop(), leaf)
            found.append(((level, index >> level), leaf))
        self._peaks.append(leaf)
        self.size += 1
        return found

    def root(self) -> bytes:
        """The root of what is in it."""
        return _together(self._peaks) if self._peaks else EMPTY_ROOT


def inclusion_proof(index: int, size: int, nodes: Nodes) -> list[bytes]:
    """PATH of RFC 6962, 2.1.1: from the sibling of leaf `index` up to a child of the root of the first `size` leaves.

    Raises:
        Usage: there is no such leaf.
    """
    _require_size(size)
    if not 0 <= index < size:
        message = f"there is no leaf {index} in a log of {size}"
        raise Usage(message)
    begin, end, siblings = 0, size, []
    while end - begin > 1:
        middle = _split(begin, end)
        if index < middle:
            siblings.append((middle, end))
            end = middle
        else:
            siblings.append((begin, middle))
            begin = middle
    return _subtrees(siblings[::-1], nodes)


def consistency_proof(old: int, new: int, nodes: Nodes) -> list[bytes]:
    """PROOF of RFC 6962, 2.1.2: that the first `old` leaves of the first `new` are what they were. Empty if `old` is 0 or `new`.

    Raises:
        Usage: `old` is more than `new`.
    """
    _require_size(new)
    if not 0 <= old <= new:
        message = f"a log of {new} leaves had never {old}"
        raise Usage(message)
    if old in {0, new}:
        return []
    begin, end, subtrees = 0, new, []
    while old != end:
        middle = _split(begin, end)
        if old <= middle:
            subtrees.append((middle, end))
            end = middle
        else:
            subtrees.append((begin, middle))
            begin = middle
    if begin:
        subtrees.append((begin, end))
    return _subtrees(subtrees[::-1], nodes)


def _well_formed(proof: Sequence[bytes]) -> bool:
    return len(proof) <= MAX_PROOF and all(len(item) == HASH_BYTES for item in proof)


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], expected: bytes) -> None:
    """Return if the leaf with hash `leaf` is at `index` of the tree of `size` leaves whose root is `expected`.

    Raises:
        NotAuthentic: the proof does not show it.
    """
    if not _includes(leaf, index, size, proof, expected):
        message = "the proof of inclusion does not hold"
        raise NotAuthentic(message)


def _includes(leaf: bytes, index: int, size: int, proof: Sequence[bytes], expected: bytes) -> bool:
    if not 0 <= index < size <= MAX_SIZE or not _well_formed([leaf, expected]) or not _well_formed(proof):
        return False
    # As in RFC 9162, 2.1.3.2: `place` is that of the node at hand, `last` that of the last node on its level.
    place, last, hashed = index, size - 1, leaf
    for sibling in proof:
        if not last:
            return False
        if place & 1 or place == last:
            hashed = node_hash(sibling, hashed)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            hashed = node_hash(hashed, sibling)
        place, last = place >> 1, last >> 1
    return not last and hashed == expected


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Return if the tree of `new` leaves with root `new_root` begins with the tree of `old` leaves with root `old_root`.

    Raises:
        NotAuthentic: the proof does not show it.
    """
    if not _consistent(old, new, old_root, new_root, proof):
        message = "the proof of consistency does not hold"
        raise NotAuthentic(message)


def _consistent(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    if not 0 <= old <= new <= MAX_SIZE or not _well_formed([old_root, new_root]) or not _well_formed(proof):
        return False
    if not old:
        return not proof and old_root == EMPTY_ROOT and (new > 0 or new_root == EMPTY_ROOT)  # anything begins with nothing
    if old == new:
        return not proof and old_root == new_root
    # The proof begins with the largest complete subtree that ends at `old`; if that is the whole old tree, it is left out.
    return _grows(old, new, old_root, new_root, proof if old & (old - 1) else (old_root, *proof))


def _grows(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """As in RFC 9162, 2.1.4.2, from step 3: for 0 < old < new."""
    if not proof:
        return False
    place, last = old - 1, new - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    old_hash = new_hash = proof[0]
    for item in proof[1:]:
        if not last:
            return False
        if place & 1 or place == last:
            old_hash, new_hash = node_hash(item, old_hash), node_hash(item, new_hash)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            new_hash = node_hash(new_hash, item)
        place, last = place >> 1, last >> 1
    return not last and old_hash == old_root and new_hash == new_root
