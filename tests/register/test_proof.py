"""Files with proofs: of one leaf, and that a log goes on from where it was."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from valiza.keys.errors import Malformed, NotAuthentic, Refused
from valiza.keys.fields import Body
from valiza.keys.log_key import LogSigningKey, LogVerifyKey
from valiza.register import merkle, note, proof
from valiza.register.note import Checkpoint, SignedCheckpoint

if TYPE_CHECKING:
    from collections.abc import Sequence

AT: Final = 1772442000
ORIGIN: Final = note.log_origin(Body("KZ", "KZ-MFA"), hashlib.sha256(b"agreement").digest())
LOG: Final = LogSigningKey(bytes([1]) * 64)
KEYS: Final = [LogVerifyKey(LOG.public)]
LEAVES: Final = [b"leaf %d" % index for index in range(21)]


class Tree:
    """The complete nodes of a log."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self.hashes: dict[merkle.Position, bytes] = {}
        for index, leaf in enumerate(leaves):
            hashed = merkle.leaf_hash(leaf)
            self.hashes[0, index] = hashed
            self.hashes.update(merkle.arising(index, hashed, self))

    def __call__(self, wanted: Sequence[merkle.Position]) -> list[bytes]:
        return [self.hashes[position] for position in wanted]

    def signed(self, size: int, at: int = 0) -> SignedCheckpoint:
        """A later checkpoint is signed at a later time."""
        return note.sign_checkpoint(Checkpoint(ORIGIN, size, merkle.root(size, self)), LOG, at or AT + size)


TREE: Final = Tree(LEAVES)
HEAD: Final = TREE.signed(21)
PROOF: Final = proof.Proof(8, tuple(merkle.inclusion_proof(8, 21, TREE)), HEAD.raw)
REQUEST: Final = proof.Request(13, tuple(merkle.consistency_proof(13, 21, TREE)), HEAD.raw)


def request(old: int, new: SignedCheckpoint, tree: Tree = TREE) -> bytes:
    return proof.Request(old, tuple(merkle.consistency_proof(old, new.checkpoint.size, tree)), new.raw).format()


# -- inclusion --------------------------------------------------------------------------------------------------------


def test_a_proof_of_every_leaf() -> None:
    for index, leaf in enumerate(LEAVES):
        data = proof.Proof(index, tuple(merkle.inclusion_proof(index, 21, TREE)), HEAD.raw).format()
        assert proof.verify_proof(data, leaf, ORIGIN, KEYS) == (index, HEAD)
        assert proof.read_proof(data).format() == data


def test_the_form_of_a_proof() -> None:
    found = PROOF.format().split(b"\n")
    assert found[:2] == [b"c2sp.org/tlog-proof@v1", b"index 8"]
    assert found[2 : 2 + len(PROOF.hashes)] == [note.format_hash(item) for item in PROOF.hashes]
    assert found[2 + len(PROOF.hashes)] == b""
    assert b"\n".join(found[3 + len(PROOF.hashes) :]) == HEAD.raw


def test_a_proof_for_a_log_of_one_leaf_has_no_hashes() -> None:
    data = proof.Proof(0, (), TREE.signed(1).raw).format()
    assert data.startswith(b"c2sp.org/tlog-proof@v1\nindex 0\n\nvaliza/")
    assert proof.verify_proof(data, LEAVES[0], ORIGIN, KEYS)[0] == 0


def test_another_leaf_or_log_or_key_is_refused() -> None:
    data = PROOF.format()
    for leaf, origin, keys in (
        (LEAVES[7], ORIGIN, KEYS),
        (b"", ORIGIN, KEYS),
        (LEAVES[8], note.log_origin(Body("BY", "BY-MFA"), bytes(32)), KEYS),
        (LEAVES[8], ORIGIN, [LogVerifyKey(LogSigningKey(bytes(64)).public)]),
    ):
        with pytest.raises(NotAuthentic):
            proof.verify_proof(data, leaf, origin, keys)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"c2sp.org/tlog-proof@v1\n", b""),
        (b"c2sp.org/tlog-proof@v1\n", b"c2sp.org/tlog-proof@v2\n"),
        (b"c2sp.org/tlog-proof@v1\n", b"c2sp.org/tlog-proof@v1\r\n"),
        (b"c2sp.org/tlog-proof@v1\n", b"c2sp.org/tlog-proof@v1\nextra YQ==\n"),
        (b"c2sp.org/tlog-proof@v1\n", b"c2sp.org/tlog-proof@v1\n\n"),
        (b"index 8\n", b"index 08\n"),
        (b"index 8\n", b"index  8\n"),
        (b"index 8\n", b"index 8 \n"),
        (b"index 8\n", b"index -8\n"),
        (b"index 8\n", b"index\n"),
        (b"index 8\n", b"Index 8\n"),
        (b"index 8\n", b"8\n"),
        (b"index 8\n", b"index 21\n"),
        (b"index 8\n", b""),
        (b"\n\n", b"\n"),
        (b"\n\n", b"\n\n\n"),
        (b"=\n", b"\n"),
        (b"=\n", b"= \n"),
        (note.format_hash(PROOF.hashes[0]), note.format_hash(PROOF.hashes[0][:-1])),
        (note.format_hash(PROOF.hashes[0]), PROOF.hashes[0].hex().encode()),
        (note.format_hash(PROOF.hashes[0]) + b"\n", (note.format_hash(bytes(32)) + b"\n") * 64),
        (HEAD.raw, b""),
        (HEAD.raw, HEAD.raw[:-1]),
        (HEAD.raw, HEAD.raw + b"\n"),
    ],
)
def test_what_is_no_proof(old: bytes, new: bytes) -> None:
    data = PROOF.format().replace(old, new, 1)
    assert data != PROOF.format()
    with pytest.raises(Malformed):
        proof.verify_proof(data, LEAVES[8], ORIGIN, KEYS)


@given(st.integers(0, len(PROOF.format()) - 1), st.integers(0, 7))
def test_a_changed_bit_of_a_proof_is_refused(place: int, bit: int) -> None:
    whole = PROOF.format()
    with pytest.raises((Malformed, NotAuthentic)):
        proof.verify_proof(whole[:place] + bytes([whole[place] ^ (1 << bit)]) + whole[place + 1 :], LEAVES[8], ORIGIN, KEYS)


def test_every_changed_bit_before_the_checkpoint_is_refused() -> None:
    whole = PROOF.format()
    for place in range(len(whole) - len(HEAD.raw)):
        for bit in range(8):
            with pytest.raises((Malformed, NotAuthentic)):
                proof.verify_proof(whole[:place] + bytes([whole[place] ^ (1 << bit)]) + whole[place + 1 :], LEAVES[8], ORIGIN, KEYS)


# -- requests ---------------------------------------------------------------------------------------------------------


def test_every_request_that_goes_on() -> None:
    for old in range(22):
        last = TREE.signed(old) if old else None
        for new in range(max(old, 1), 22):
            data = request(old, TREE.signed(new))
            assert proof.verify_request(data, ORIGIN, KEYS, last).checkpoint.size == new
            assert proof.read_request(data).format() == data


def test_the_form_of_a_request() -> None:
    assert REQUEST.format().startswith(b"old 13\n" + note.format_hash(REQUEST.hashes[0]) + b"\n")
    assert REQUEST.format().endswith(b"=\n\n" + HEAD.raw)
    assert request(0, TREE.signed(1)).startswith(b"old 0\n\nvaliza/")


def test_a_request_from_an_empty_log_that_was_cosigned() -> None:
    empty = note.sign_checkpoint(Checkpoint(ORIGIN, 0, merkle.EMPTY_ROOT), LOG, AT)
    assert proof.verify_request(request(0, empty), ORIGIN, KEYS, None).checkpoint.size == 0
    assert proof.verify_request(request(0, HEAD), ORIGIN, KEYS, empty).checkpoint.size == 21


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"old 13\n", b""),
        (b"old 13\n", b"old 013\n"),
        (b"old 13\n", b"old -1\n"),
        (b"old 13\n", b"old 22\n"),
        (b"old 13\n", b"old\n"),
        (b"old 13\n", b"old 13\n\n"),
        (b"old 13\n", b"new 13\n"),
        (b"old 13\n", b"13\n"),
        (b"old 13\n", b"old 13\r\n"),
        (b"\n\n", b"\n"),
        (b"=\n", b"=="),
        (note.format_hash(REQUEST.hashes[0]) + b"\n", (note.format_hash(bytes(32)) + b"\n") * 64),
        (HEAD.raw, b""),
    ],
)
def test_what_is_no_request(old: bytes, new: bytes) -> None:
    data = REQUEST.format().replace(old, new, 1)
    assert data != REQUEST.format()
    with pytest.raises(Malformed):
        proof.verify_request(data, ORIGIN, KEYS, TREE.signed(13))


def test_every_changed_bit_of_a_request_is_refused() -> None:
    whole, last = REQUEST.format(), TREE.signed(13)
    for place in range(len(whole) - len(HEAD.raw)):
        for bit in range(8):
            with pytest.raises((Malformed, NotAuthentic, Refused)):
                proof.verify_request(whole[:place] + bytes([whole[place] ^ (1 << bit)]) + whole[place + 1 :], ORIGIN, KEYS, last)


def test_a_request_from_another_size_says_nothing() -> None:
    for last in (None, TREE.signed(12), TREE.signed(14)):
        with pytest.raises(Refused, match="cosigned here"):
            proof.verify_request(REQUEST.format(), ORIGIN, KEYS, last)


def test_a_request_that_the_log_did_not_sign() -> None:
    with pytest.raises(NotAuthentic, match="known key") as caught:
        proof.verify_request(REQUEST.format(), ORIGIN, [LogVerifyKey(LogSigningKey(bytes(64)).public)], TREE.signed(13))
    assert not isinstance(caught.value, proof.HeadConflict)


OTHER: Final = Tree([*LEAVES[:4], b"rewritten", *LEAVES[5:]])


@pytest.mark.parametrize(
    ("new", "old", "last", "kind"),
    [
        (OTHER.signed(21), 21, HEAD, "split-view"),
        (OTHER.signed(21), 0, HEAD, "split-view"),
        (OTHER.signed(21), 13, TREE.signed(13), "inconsistent"),
        (TREE.signed(13, AT + 100), 13, HEAD, "rollback"),
        (OTHER.signed(13, AT + 100), 0, HEAD, "rollback"),
        (TREE.signed(21, AT + 1), 13, TREE.signed(13), "rollback"),
    ],
)
def test_a_log_that_contradicts_itself_is_told_apart(new: SignedCheckpoint, old: int, last: SignedCheckpoint, kind: str) -> None:
    with pytest.raises(proof.HeadConflict) as caught:
        proof.verify_request(
            request(old, new, OTHER if new.checkpoint.root == OTHER.signed(new.checkpoint.size).checkpoint.root else TREE), ORIGIN, KEYS, last
        )
    assert caught.value.kind == kind
    assert caught.value.exit_code == 4


def test_the_same_head_again() -> None:
    assert proof.verify_request(request(21, TREE.signed(21, AT + 500)), ORIGIN, KEYS, HEAD).at == AT + 500
    with pytest.raises(proof.HeadConflict, match="not shown"):
        proof.verify_request(proof.Request(21, (bytes(32),), HEAD.raw).format(), ORIGIN, KEYS, HEAD)


def test_as_many_hashes_as_any_proof_has_are_read() -> None:
    hashes = (bytes(32),) * merkle.MAX_PROOF
    assert proof.read_proof(proof.Proof(8, hashes, HEAD.raw).format()).hashes == hashes
    assert proof.read_request(proof.Request(13, hashes, HEAD.raw).format()).hashes == hashes


def test_limits() -> None:
    assert (note.MAX_NOTE, note.MAX_SIGNATURES, proof.MAX_FILE, merkle.MAX_PROOF, merkle.MAX_SIZE) == (131072, 16, 135168, 63, 2**62)
    for read in (proof.read_proof, proof.read_request):
        with pytest.raises(Malformed, match="at most"):
            read(b" " * (proof.MAX_FILE + 1))
