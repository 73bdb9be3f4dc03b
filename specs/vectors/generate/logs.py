"""Checkpoints, cosignatures, proofs and requests as a reader sees them (log.md)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey
from nacl.bindings import crypto_sign_open
from nacl.exceptions import BadSignatureError

from outcome import Malformed, NotAuthentic, Refused, step

NOTE, FILE, LINES, HASHES, SIZE, LAST_TIME = 131072, 135168, 16, 63, 1 << 62, 253402300799
ORIGIN = re.compile(r"valiza/v1/log/[A-Z][A-Z0-9]{0,15}/[A-Z][A-Z0-9-]{0,31}/[0-9a-f]{64}")
LINE = re.compile(r"— ([^+\s]+) ([A-Za-z0-9+/]+={0,2})")
EMPTY = hashlib.sha256(b"").digest()


@dataclass(frozen=True)
class Key:
    """A register's public key: ML-DSA-44 (1312 bytes), Ed25519 (32)."""

    raw: bytes

    @property
    def mldsa(self) -> bytes:
        return self.raw[:1312]

    @property
    def ed25519(self) -> bytes:
        return self.raw[1312:]


@dataclass(frozen=True)
class Note:
    """A text and its lines: name, key ID, signature."""

    text: bytes
    lines: list[tuple[str, bytes, bytes]]


@dataclass(frozen=True)
class Checkpoint:
    """The three lines; and when the log signed them, once that is known."""

    origin: str
    size: int
    root: bytes
    at: int = 0


def malformed(condition: bool, reason: str) -> None:  # noqa: FBT001 - as `assert` takes it
    """Raise unless the condition holds."""
    if not condition:
        raise Malformed(reason)


def authentic(condition: bool, reason: str) -> None:  # noqa: FBT001 - as `assert` takes it
    """The same for what has to hold of signatures and proofs."""
    if not condition:
        raise NotAuthentic(reason)


def _coded(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Malformed("no base64") from error
    malformed(base64.b64encode(data).decode() == text, "another spelling of base64")
    return data


def _hash(text: str) -> bytes:
    data = _coded(text)
    malformed(len(data) == 32, "a hash has 32 bytes")
    return data


def _number(text: str) -> int:
    malformed(re.fullmatch(r"0|[1-9][0-9]*", text, re.ASCII) is not None and len(text) < 20 and int(text) <= SIZE, "no number")
    return int(text)


def read_note(raw: bytes) -> Note:
    """Steps 1 to 4 of Reading a checkpoint."""
    with step(1):
        malformed(len(raw) <= NOTE, "too long")
    with step(2):
        try:
            whole = raw.decode()
        except UnicodeDecodeError as error:
            raise Malformed("no UTF-8") from error
        malformed(not any(character < " " and character != "\n" for character in whole), "a control character")
    with step(3):
        text, empty, below = whole.rpartition("\n\n")
        malformed(bool(empty) and below.endswith("\n"), "no signatures behind an empty line")
    with step(4):
        lines = [LINE.fullmatch(line) for line in below[:-1].split("\n")]
        malformed(len(lines) <= LINES, "too many lines")
        found = []
        for line in lines:
            if line is None:
                raise Malformed("no signature line")
            data = _coded(line[2])
            malformed(len(data) > 4, "no signature")
            found.append((line[1], data[:4], data[4:]))
        return Note(f"{text}\n".encode(), found)


def read_text(note: Note) -> Checkpoint:
    """Step 5."""
    with step(5):
        lines = note.text.decode().split("\n")
        malformed(len(lines) == 4, "three lines")
        malformed(ORIGIN.fullmatch(lines[0]) is not None, "no log has this name")
        size, root = _number(lines[1]), _hash(lines[2])
        malformed(size > 0 or root == EMPTY, "the root of an empty log")
        return Checkpoint(lines[0], size, root)


def _known(note: Note, name: str, kind: int, keys: Sequence[Key]) -> list[tuple[Key, bytes, bytes]]:
    """Steps 7 and 9: the keys that have both lines, with what is in these."""
    ids = [[hashlib.sha256(b"%s\n%c%s" % (name.encode(), *one)).digest()[:4] for one in ((kind, key.ed25519), (6, key.mldsa))] for key in keys]
    named = [(key_id, signature) for named, key_id, signature in note.lines if named == name and any(key_id in pair for pair in ids)]
    lines = dict(named)
    malformed(len(lines) == len(named), "two lines of one key")
    whole = [(key, pair) for key, pair in zip(keys, ids, strict=True) if set(pair) <= set(lines)]
    authentic(set(lines) <= {key_id for _, pair in whole for key_id in pair}, "half a signature")
    authentic(bool(whole), "no known key signed")
    return [(key, lines[one], lines[two]) for key, (one, two) in whole]


def _times(known: Sequence[tuple[Key, bytes, bytes]], verify: Callable[[Key, bytes, bytes], int]) -> set[int]:
    """Steps 8 and 10: the times of the keys that hold, of which each line is one."""
    times, held, failure = set(), set(), None
    for key, one, two in known:
        try:
            times.add(verify(key, one, two))
        except NotAuthentic as error:
            failure = error
        else:
            held |= {one, two}
    if failure is not None and not {line for _, *lines in known for line in lines} <= held:
        raise failure
    return times


def _verify(key: Key, message: bytes, signature: bytes) -> None:
    authentic(len(signature) == 64, "64 bytes")
    try:
        crypto_sign_open(signature + message, key.ed25519)
    except BadSignatureError as error:
        raise NotAuthentic("the Ed25519 signature fails") from error


def _verify_tree(key: Key, name: str, said: Checkpoint, signature: bytes) -> int:
    """The ML-DSA-44 signature of a log or cosigner; returns its time."""
    authentic(len(signature) == 2428, "2428 bytes")
    names = [bytes([len(text)]) + text.encode() for text in (name, said.origin)]
    message = b"subtree/v1\n\0" + names[0] + signature[:8] + names[1] + bytes(8) + said.size.to_bytes(8, "big") + said.root
    try:
        MLDSA44PublicKey.from_public_bytes(key.mldsa).verify(signature[8:], message)
    except InvalidSignature as error:
        raise NotAuthentic("the ML-DSA-44 signature fails") from error
    at = int.from_bytes(signature[:8], "big")
    malformed(1 <= at <= LAST_TIME, "no time")
    return at


def read_checkpoint(raw: bytes, origin: str, keys: Sequence[Key]) -> Checkpoint:
    """Reading a checkpoint, steps 1 to 8."""
    note = read_note(raw)
    said = read_text(note)
    return _signed(note, said, origin, keys)


def _signed(note: Note, said: Checkpoint, origin: str, keys: Sequence[Key]) -> Checkpoint:
    """Steps 6 to 8."""
    with step(6):
        authentic(said.origin == origin, "another log")
    with step(7):
        known = _known(note, origin, 1, keys)
    with step(8):
        times = _times(known, lambda key, one, two: _own(key, note, said, one, two))
        malformed(len(times) == 1, "two times")
    return Checkpoint(said.origin, said.size, said.root, *times)


def _own(key: Key, note: Note, said: Checkpoint, one: bytes, two: bytes) -> int:
    _verify(key, note.text, one)
    return _verify_tree(key, said.origin, said, two)


def _cosigned(key: Key, note: Note, name: str, one: bytes, two: bytes) -> int:
    authentic(len(one) == 72, "72 bytes")
    at = int.from_bytes(one[:8], "big")
    _verify(key, f"cosignature/v1\ntime {at}\n".encode() + note.text, one[8:])
    malformed(_verify_tree(key, name, read_text(note), two) == at, "two times")
    return at


def require_cosignature(raw: bytes, name: str, keys: Sequence[Key]) -> None:
    """Steps 9 and 10, of a checkpoint that was read."""
    note = read_note(raw)
    read_text(note)
    with step(9):
        known = _known(note, name, 4, keys)
    with step(10):
        _times(known, lambda key, one, two: _cosigned(key, note, name, one, two))


def _cut(raw: bytes, first: str) -> tuple[int, list[bytes], bytes]:
    """The number behind *first*, hashes, and the checkpoint behind the empty line."""
    above, empty, note = raw.partition(b"\n\n")
    malformed(bool(empty), "no empty line")
    try:
        head, *lines = above.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise Malformed("not ASCII") from error
    malformed(head.startswith(first), f"no line {first}")
    number = _number(head.removeprefix(first))
    malformed(len(lines) <= HASHES, "too many hashes")
    return number, [_hash(line) for line in lines], note


def _join(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def _half(count: int) -> int:
    half = 1
    while 2 * half < count:
        half *= 2
    return half


def _climb(leaf: bytes, index: int, size: int, hashes: list[bytes]) -> bytes:
    """The root that a proof of inclusion leads to; takes what it uses from the end."""
    if size == 1:
        return leaf
    authentic(bool(hashes), "a hash is missing")
    other, half = hashes.pop(), _half(size)
    return _join(_climb(leaf, index, half, hashes), other) if index < half else _join(other, _climb(leaf, index - half, size - half, hashes))


def _grow(old: int, size: int, root: bytes, hashes: list[bytes], *, whole: bool) -> tuple[bytes, bytes]:
    """The old root and the new one that a proof of consistency leads to."""
    if old == size:
        if whole:
            return root, root
        authentic(bool(hashes), "a hash is missing")
        same = hashes.pop()
        return same, same
    authentic(bool(hashes), "a hash is missing")
    other, half = hashes.pop(), _half(size)
    if old <= half:
        before, after = _grow(old, half, root, hashes, whole=whole)
        return before, _join(after, other)
    before, after = _grow(old - half, size - half, root, hashes, whole=False)
    return _join(other, before), _join(other, after)


def read_proof(raw: bytes, leaf: bytes, origin: str, keys: Sequence[Key]) -> tuple[int, Checkpoint, bytes]:
    """Reading a proof: the index, the checkpoint, and its note."""
    with step(1):
        malformed(len(raw) <= FILE, "too long")
    with step(2):
        magic, _, rest = raw.partition(b"\n")
        malformed(magic == b"c2sp.org/tlog-proof@v1", "no proof")
        index, hashes, raw_note = _cut(rest, "index ")
    with step(3):
        note = read_note(raw_note)
        said = read_text(note)
        malformed(index < said.size, "no such entry")
    with step(4):
        said = _signed(note, said, origin, keys)
    with step(5):
        found = _climb(hashlib.sha256(b"\0" + leaf).digest(), index, said.size, hashes)
        authentic(not hashes and found == said.root, "the proof does not hold")
    return index, said, raw_note


def read_request(raw: bytes, origin: str, keys: Sequence[Key], last: Checkpoint | None) -> None:
    """Reading a request."""
    with step(1):
        malformed(len(raw) <= FILE, "too long")
    with step(2):
        old, hashes, raw_note = _cut(raw, "old ")
    with step(3):
        note = read_note(raw_note)
        said = read_text(note)
        malformed(old <= said.size, "from more than there is")
    with step(4):
        said = _signed(note, said, origin, keys)
    with step(5):
        if last is not None:
            authentic(last.size != said.size or last.root == said.root, "split view")
            authentic((last.size - said.size) * (last.at - said.at) >= 0, "rollback")
    with step(6):
        size, root = (last.size, last.root) if last else (0, EMPTY)
        if old != size:
            raise Refused("from another size")
    with step(7):
        if not size or size == said.size:
            authentic(not hashes, "nothing to prove")
            return
        before, after = _grow(size, said.size, root, hashes, whole=True)
        authentic(not hashes and (before, after) == (root, said.root), "the proof does not hold")
