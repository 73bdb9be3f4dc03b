"""The hash tree: against RFC 6962 as its text defines it, and against the vectors of transparency-dev."""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from valiza.keys.errors import NotAuthentic, Usage
from valiza.register import merkle

if TYPE_CHECKING:
    from collections.abc import Sequence

OFFICIAL: Final[dict[str, Any]] = json.loads((Path(__file__).parent.parent / "vectors" / "merkle.json").read_text(encoding="ascii"))
MOST: Final = 300


# -- RFC 6962, 2.1, word for word: of lists of leaves, without any stored node -----------------------------------------------------------------------


def half(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def mth(d: list[bytes]) -> bytes:
    if not d:
        return hashlib.sha256(b"").digest()
    if len(d) == 1:
        return hashlib.sha256(b"\x00" + d[0]).digest()
    k = half(len(d))
    return hashlib.sha256(b"\x01" + mth(d[:k]) + mth(d[k:])).digest()


def path(m: int, d: list[bytes]) -> list[bytes]:
    if len(d) == 1:
        return []
    k = half(len(d))
    return [*path(m, d[:k]), mth(d[k:])] if m < k else [*path(m - k, d[k:]), mth(d[:k])]


def subproof(m: int, d: list[bytes], *, whole: bool) -> list[bytes]:
    if m == len(d):
        return [] if whole else [mth(d)]
    k = half(len(d))
    if m <= k:
        return [*subproof(m, d[:k], whole=whole), mth(d[k:])]
    return [*subproof(m - k, d[k:], whole=False), mth(d[:k])]


LEAVES: Final = [b"leaf %d" % number for number in range(MOST)]


class Stored:
    """The complete nodes of a log, kept as they arise, as a register does; counts what it is asked."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self.hashes: dict[merkle.Position, bytes] = {}
        self.calls = 0
        self.asked = 0
        self.size = 0
        for leaf in leaves:
            self.append(leaf)

    def append(self, leaf: bytes) -> None:
        hashed = merkle.leaf_hash(leaf)
        self.hashes[0, self.size] = hashed
        for position, node in merkle.arising(self.size, hashed, self):
            assert position not in self.hashes
            self.hashes[position] = node
        self.size += 1

    def __call__(self, wanted: Sequence[merkle.Position]) -> list[bytes]:
        assert wanted
        self.calls += 1
        self.asked += len(wanted)
        return [self.hashes[position] for position in wanted]

    def once(self, size: int) -> None:
        """Check that what was done since needed one call, and few nodes."""
        assert self.calls <= 1
        assert self.asked <= 2 * size.bit_length() + 1
        self.calls = self.asked = 0


@pytest.fixture(scope="module")
def log() -> Stored:
    return Stored(LEAVES)


sizes = st.integers(0, MOST)


def test_every_complete_node_is_stored_once(log: Stored) -> None:
    assert set(log.hashes) == {(level, place) for level in range(MOST.bit_length()) for place in range(MOST >> level)}


@given(size=sizes)
def test_root(log: Stored, size: int) -> None:
    log.calls = log.asked = 0
    assert merkle.root(size, log) == mth(LEAVES[:size])
    log.once(size)


@given(size=st.integers(1, MOST), data=st.data())
def test_inclusion(log: Stored, size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    log.calls = log.asked = 0
    proof = merkle.inclusion_proof(index, size, log)
    log.once(size)
    assert proof == path(index, LEAVES[:size])
    merkle.verify_inclusion(merkle.leaf_hash(LEAVES[index]), index, size, proof, mth(LEAVES[:size]))


@given(new=st.integers(1, MOST), data=st.data())
def test_consistency(log: Stored, new: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, new))
    log.calls = log.asked = 0
    proof = merkle.consistency_proof(old, new, log)
    log.once(new)
    assert proof == subproof(old, LEAVES[:new], whole=True)
    merkle.verify_consistency(old, new, mth(LEAVES[:old]), mth(LEAVES[:new]), proof)


def test_every_pair_of_small_sizes(log: Stored) -> None:
    roots = [mth(LEAVES[:size]) for size in range(34)]
    for new in range(34):
        for old in range(new + 1):
            merkle.verify_consistency(old, new, roots[old], roots[new], merkle.consistency_proof(old, new, log))
        for index in range(new):
            merkle.verify_inclusion(log.hashes[0, index], index, new, merkle.inclusion_proof(index, new, log), roots[new])


@given(size=sizes)
def test_the_frontier_goes_on_from_any_size(log: Stored, size: int) -> None:
    frontier = merkle.Frontier(size, log)
    assert frontier.root() == mth(LEAVES[:size])
    for index in range(size, min(size + 9, MOST)):
        hashed = log.hashes[0, index]
        assert frontier.append(hashed) == merkle.arising(index, hashed, log)
        assert frontier.root() == mth(LEAVES[: index + 1])


def test_a_frontier_needs_what_came_before() -> None:
    with pytest.raises(Usage):
        merkle.Frontier(3)


# -- what must not verify ----------------------------------------------------------------------------------------------------------------------------


def included(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    try:
        merkle.verify_inclusion(leaf, index, size, proof, root)
    except NotAuthentic:
        return False
    return True


def consistent(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    try:
        merkle.verify_consistency(old, new, old_root, new_root, proof)
    except NotAuthentic:
        return False
    return True


def flipped(data: bytes, bit: int) -> bytes:
    return bytes(byte ^ (1 << bit % 8 if place == bit // 8 else 0) for place, byte in enumerate(data))


SMALL: Final = (1, 2, 3, 5, 6, 7, 8, 11)


@pytest.mark.parametrize("size", SMALL)
def test_every_flipped_bit_of_an_inclusion_is_refused(log: Stored, size: int) -> None:
    root = merkle.root(size, log)
    for index in range(size):
        leaf, proof = log.hashes[0, index], merkle.inclusion_proof(index, size, log)
        assert included(leaf, index, size, proof, root)
        for bit in range(256):
            assert not included(flipped(leaf, bit), index, size, proof, root)
            assert not included(leaf, index, size, proof, flipped(root, bit))
            for place in range(len(proof)):
                assert not included(leaf, index, size, [*proof[:place], flipped(proof[place], bit), *proof[place + 1 :]], root)


@pytest.mark.parametrize("size", SMALL)
def test_every_flipped_bit_of_a_consistency_is_refused(log: Stored, size: int) -> None:
    root = merkle.root(size, log)
    for old in range(1, size + 1):
        old_root, proof = merkle.root(old, log), merkle.consistency_proof(old, size, log)
        assert consistent(old, size, old_root, root, proof)
        for bit in range(256):
            assert not consistent(old, size, flipped(old_root, bit), root, proof)
            assert not consistent(old, size, old_root, flipped(root, bit), proof)
            for place in range(len(proof)):
                assert not consistent(old, size, old_root, root, [*proof[:place], flipped(proof[place], bit), *proof[place + 1 :]])


def test_every_other_size_with_another_path_is_refused(log: Stored) -> None:
    """A proof of inclusion fixes index and size only as far as they fix the path: the root, signed with its size, does the rest."""
    for size in range(1, 20):
        root = merkle.root(size, log)
        for index in range(size):
            leaf, proof = log.hashes[0, index], merkle.inclusion_proof(index, size, log)
            assert [claimed for claimed in range(22) if included(leaf, claimed, size, proof, root)] == [index]
            for other in range(1, 22):
                for claimed in range(other):
                    assert included(leaf, claimed, other, proof, root) == (turns(claimed, other) == turns(index, size))


def turns(index: int, size: int) -> list[bool]:
    """On which side the sibling is, from the leaf up."""
    if size == 1:
        return []
    k = half(size)
    return [*turns(index, k), False] if index < k else [*turns(index - k, size - k), True]


def test_a_consistency_between_other_sizes_is_refused(log: Stored) -> None:
    roots = [merkle.root(size, log) for size in range(20)]
    for new in range(1, 18):
        for old in range(1, new):
            proof = merkle.consistency_proof(old, new, log)
            for claimed in range(1, 20):
                assert consistent(claimed, new, roots[claimed], roots[new], proof) == (claimed == old)
                assert consistent(old, claimed, roots[old], roots[claimed], proof) == (claimed == new)


def test_proofs_with_more_or_less_are_refused(log: Stored) -> None:
    for size in range(1, 18):
        root = merkle.root(size, log)
        for index in range(size):
            leaf, proof = log.hashes[0, index], merkle.inclusion_proof(index, size, log)
            for other in (proof[:-1], proof[1:], [*proof, root], [leaf, *proof], [*proof, b""], proof[::-1]):
                if other != proof:
                    assert not included(leaf, index, size, other, root)
        for old in range(1, size):
            old_root, proof = merkle.root(old, log), merkle.consistency_proof(old, size, log)
            for other in (proof[:-1], proof[1:], [*proof, root], [old_root, *proof], [*proof, b""], proof[::-1]):
                if other != proof:
                    assert not consistent(old, size, old_root, root, other)


def test_a_rewritten_log_is_not_consistent(log: Stored) -> None:
    for changed in range(12):
        other = Stored([*LEAVES[:changed], b"rewritten", *LEAVES[changed + 1 : 20]])
        for new in range(12, 21):
            proof = merkle.consistency_proof(12, new, other)
            assert not consistent(12, new, merkle.root(12, log), merkle.root(new, other), proof)


def test_the_empty_log(log: Stored) -> None:
    empty, some = merkle.EMPTY_ROOT, merkle.root(5, log)
    assert merkle.root(0, log) == empty
    assert merkle.Frontier().root() == empty
    assert consistent(0, 0, empty, empty, [])
    assert consistent(0, 5, empty, some, [])
    assert not consistent(0, 5, some, some, [])
    assert not consistent(0, 5, empty, some, [some])
    assert not consistent(0, 0, some, some, [])
    assert not consistent(0, 0, empty, empty, [empty])
    assert not included(empty, 0, 0, [], empty)


def test_of_sizes_beyond_all_limits_nothing_is_shown(log: Stored) -> None:
    root, most = merkle.root(1, log), merkle.MAX_SIZE
    assert not included(root, most, most + 1, [root] * 63, root)
    assert not included(root, -1, 1, [], root)
    assert not consistent(-1, 1, root, root, [])
    assert not consistent(1, most + 1, root, root, [root] * 63)
    assert not consistent(2, 1, root, root, [])
    assert not included(root, 0, most, [root] * 64, root)
    assert not consistent(most - 1, most, root, root, [root] * 64)
    for wrong in (lambda: merkle.root(most + 1, log), lambda: merkle.inclusion_proof(5, 5, log), lambda: merkle.consistency_proof(6, 5, log)):
        with pytest.raises(Usage):
            wrong()


def test_the_largest_log_has_proofs_of_at_most_63_hashes() -> None:
    """Of a tree in which all complete nodes of a level are alike, so that the look-up needs no table."""
    levels = [merkle.leaf_hash(b"")]
    for _ in range(62):
        levels.append(merkle.node_hash(levels[-1], levels[-1]))

    def alike(wanted: Sequence[merkle.Position]) -> list[bytes]:
        return [levels[level] for level, _ in wanted]

    for size in (merkle.MAX_SIZE, merkle.MAX_SIZE - 1):
        root = merkle.root(size, alike)
        for index in (0, 1, size // 2, size - 2, size - 1):
            proof = merkle.inclusion_proof(index, size, alike)
            assert len(proof) <= 62
            merkle.verify_inclusion(levels[0], index, size, proof, root)
        for old in (1, 2, 3, size // 2, size // 2 + 1, size - 2, size - 1):
            proof = merkle.consistency_proof(old, size, alike)
            assert len(proof) <= merkle.MAX_PROOF
            merkle.verify_consistency(old, size, merkle.root(old, alike), root, proof)
        assert len(merkle.consistency_proof(size - 1, size, alike)) >= 61


# -- vectors of others -------------------------------------------------------------------------------------------------------------------------------


def test_official_hashes() -> None:
    leaves = [bytes.fromhex(leaf) for leaf in OFFICIAL["leaves"]]
    stored = Stored(leaves)
    expected = {(level, place): bytes.fromhex(node) for level, nodes in enumerate(OFFICIAL["nodes"]) for place, node in enumerate(nodes)}
    assert stored.hashes == expected
    assert [merkle.root(size, stored).hex() for size in range(9)] == OFFICIAL["roots"]


@pytest.mark.parametrize("name", sorted(OFFICIAL["inclusion"]))
def test_official_inclusion(name: str) -> None:
    case = OFFICIAL["inclusion"][name]
    proof = [b64decode(item) for item in case["proof"] or ()]
    holds = included(b64decode(case["leafHash"]), case["leafIdx"], case["treeSize"], proof, b64decode(case["root"]))
    assert holds == (not case["wantErr"])
    if holds:
        assert merkle.inclusion_proof(case["leafIdx"], case["treeSize"], Stored([bytes.fromhex(leaf) for leaf in OFFICIAL["leaves"]])) == proof


@pytest.mark.parametrize("name", sorted(OFFICIAL["consistency"]))
def test_official_consistency(name: str) -> None:
    case = OFFICIAL["consistency"][name]
    proof = [b64decode(item) for item in case["proof"] or ()]
    roots = b64decode(case["root1"]), b64decode(case["root2"])
    holds = consistent(case["size1"], case["size2"], *roots, proof)
    if any(len(root) != merkle.HASH_BYTES for root in roots):
        assert not holds  # "sizes are equal (one) and proof is empty" has a root of 12 bytes, which there only has to be equal
        return
    assert holds == (not case["wantErr"])
    if holds and case["size1"]:
        assert merkle.consistency_proof(case["size1"], case["size2"], Stored([bytes.fromhex(leaf) for leaf in OFFICIAL["leaves"]])) == proof
