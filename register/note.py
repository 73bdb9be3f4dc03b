"""Checkpoints of a log and what is signed on them (specs/log.md): C2SP's signed-note, tlog-checkpoint and tlog-cosignature, and nothing beside them.

A log's key signs its checkpoint twice, an office's key cosigns another's twice: with Ed25519, which every tool for notes verifies, and with
ML-DSA-44. Half a signature is none. The states are types: `Checkpoint` is what somebody wrote, `SignedCheckpoint` what its log signed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

from valiza.keys import labels
from valiza.keys.errors import Malformed, NotAuthentic, Usage
from valiza.keys.fields import MAX_TIME, Body, body_id, party
from valiza.keys.log_key import ED25519_SIGNATURE_BYTES, MLDSA44_SIGNATURE_BYTES, LogVerifyKey
from valiza.register.merkle import EMPTY_ROOT, HASH_BYTES, MAX_SIZE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from valiza.keys.log_key import LogSigningKey

__all__ = [
    "MAX_NOTE",
    "MAX_SIGNATURES",
    "Checkpoint",
    "Cosignature",
    "Note",
    "SignatureLine",
    "SignedCheckpoint",
    "contradict",
    "cosign",
    "format_hash",
    "log_origin",
    "office_name",
    "parse_log_origin",
    "parse_office_name",
    "peek_checkpoint",
    "read_cosignature",
    "read_hash",
    "read_note",
    "read_number",
    "sign_checkpoint",
    "verify_checkpoint",
    "vkeys",
]

MAX_NOTE: Final = 1 << 17
MAX_SIGNATURES: Final = 16  # as many as C2SP asks every reader to take

_ED25519: Final = 0x01
_ED25519_COSIGNATURE: Final = 0x04
_MLDSA_COSIGNATURE: Final = 0x06
_SPLIT: Final = b"\n\n"
_DASH: Final = "— "
_NUMBER: Final = re.compile(rb"0|[1-9][0-9]{0,18}")
_CONTROL: Final = re.compile(rb"[\x00-\x09\x0b-\x1f]")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_TREE: Final = b"subtree/v1\n\x00"
_TIME_BYTES: Final = 8


# -- spellings --------------------------------------------------------------------------------------------------------


def _base64(text: bytes, what: str) -> bytes:
    """Standard base64 with padding, in the one spelling."""
    try:
        data = binascii.a2b_base64(text, strict_mode=True)
    except ValueError as error:
        message = f"{what} is not base64"
        raise Malformed(message) from error
    if base64.b64encode(data) != text:
        message = f"{what} is not base64 in its one spelling"
        raise Malformed(message)
    return data


def format_hash(value: bytes) -> bytes:
    """A hash as a line has it."""
    return base64.b64encode(value)


def read_hash(text: bytes, what: str) -> bytes:
    """A hash: the base64 of 32 bytes."""
    if len(text) != len(format_hash(EMPTY_ROOT)):
        message = f"{what} is not the base64 of {HASH_BYTES} bytes"
        raise Malformed(message)
    found = _base64(text, what)
    if len(found) != HASH_BYTES:
        message = f"{what} has {len(found)} bytes, not {HASH_BYTES}"
        raise Malformed(message)
    return found


def read_number(text: bytes, what: str, *, most: int = MAX_SIZE) -> int:
    """A number in ASCII digits, without leading zeroes."""
    if not _NUMBER.fullmatch(text) or int(text) > most:
        message = f"{what} is not a number from 0 to {most} without leading zeroes"
        raise Malformed(message)
    return int(text)


# -- names ------------------------------------------------------------------------------------------------------------


def log_origin(body: Body, agreement_digest: bytes) -> str:
    """The name of a body's log under an agreement: the first line of its checkpoints, and the name of its key."""
    return f"{labels.LOG}{body}/{agreement_digest.hex()}"


def office_name(body: Body) -> str:
    """The name of a body's office as a cosigner."""
    return f"{labels.OFFICE}{body}"


def _parts(name: str, beginning: str, count: int, what: str) -> list[str]:
    found = name.removeprefix(beginning).split("/")
    if not name.startswith(beginning) or len(found) != count:
        message = f"{what} does not begin with {beginning}"
        raise Malformed(message)
    return found


def parse_log_origin(name: str) -> tuple[Body, bytes]:
    """The body and the digest of the agreement that a log is of.

    Raises:
        Malformed: no log of ours has this name.
    """
    first, second, digest = _parts(name, labels.LOG, 3, "the origin of a log")
    if not _DIGEST.fullmatch(digest):
        message = "the origin of a log does not end in the digest of an agreement (64 small hexadecimal digits)"
        raise Malformed(message)
    return _body(first, second), bytes.fromhex(digest)


def parse_office_name(name: str) -> Body:
    """The body whose office has this name as a cosigner.

    Raises:
        Malformed: no office has this name.
    """
    return _body(*_parts(name, labels.OFFICE, 2, "the name of an office"))


def _body(first: str, second: str) -> Body:
    return Body(party(first, "party"), body_id(second, "id of the body"))


# -- notes ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SignatureLine:
    """One signature on a note: whoever it says it is of."""

    name: str
    key_id: bytes
    signature: bytes

    def format(self) -> bytes:
        """The line, with the newline that ends it."""
        return f"{_DASH}{self.name} {base64.b64encode(self.key_id + self.signature).decode('ascii')}\n".encode()


@dataclass(frozen=True, slots=True)
class Note:
    """A signed note (C2SP signed-note), of which nothing is verified. `text` ends in a newline."""

    text: bytes
    lines: tuple[SignatureLine, ...]

    def format(self) -> bytes:
        """The bytes that were read."""
        return b"%b\n%b" % (self.text, b"".join(line.format() for line in self.lines))


def read_note(data: bytes) -> Note:
    """Read a note, steps 1 to 4 of Reading a checkpoint. Its lines are in their order, also those of keys that nobody here knows.

    Raises:
        Malformed: C2SP signed-note forbids it, or it is longer than we take.
    """
    # 1. Limits.
    if len(data) > MAX_NOTE:
        message = f"a note has at most {MAX_NOTE} bytes"
        raise Malformed(message)
    # 2. Characters.
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        message = "a note is not UTF-8"
        raise Malformed(message) from error
    if _CONTROL.search(data):
        message = "a note has a control character"
        raise Malformed(message)
    # 3. The last empty line parts the text from the signatures.
    split = data.rfind(_SPLIT)
    text, rest = data[: split + 1], data[split + 2 :]
    if split < 0 or not rest.endswith(b"\n"):
        message = "a note does not end in signatures behind an empty line"
        raise Malformed(message)
    # 4. The lines.
    lines = rest[:-1].split(b"\n")
    if len(lines) > MAX_SIGNATURES:
        message = f"a note has {len(lines)} signatures; at most {MAX_SIGNATURES} are read"
        raise Malformed(message)
    return Note(text, tuple(_read_line(line.decode("utf-8")) for line in lines))


def _read_line(line: str) -> SignatureLine:
    name, space, coded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not space or not _is_name(name) or not coded.isascii():
        message = "a signature of a note does not have the form '— NAME BASE64'"
        raise Malformed(message)
    data = _base64(coded.encode("ascii"), "a signature of a note")
    if len(data) <= 4:  # noqa: PLR2004 - the key ID
        message = "a signature of a note is empty"
        raise Malformed(message)
    return SignatureLine(name, data[:4], data[4:])


def _is_name(name: str) -> bool:
    return bool(name) and "+" not in name and not any(character.isspace() for character in name)


# -- keys -------------------------------------------------------------------------------------------------------------


def _key_id(name: str, kind: int, public: bytes) -> bytes:
    return hashlib.sha256(b"%b\n%c%b" % (name.encode(), kind, public)).digest()[:4]


def _vkey(name: str, kind: int, public: bytes) -> str:
    return f"{name}+{_key_id(name, kind, public).hex()}+{base64.b64encode(bytes([kind]) + public).decode('ascii')}"


def vkeys(name: str, key: LogVerifyKey) -> tuple[str, str]:
    """The Ed25519 and the ML-DSA-44 key as other tools for notes take them: of a log by its origin, of an office by its name.

    Raises:
        Malformed: it is the name of neither.
    """
    if name.startswith(labels.OFFICE):
        parse_office_name(name)
        return _vkey(name, _ED25519_COSIGNATURE, key.ed25519), _vkey(name, _MLDSA_COSIGNATURE, key.mldsa)
    parse_log_origin(name)
    return _vkey(name, _ED25519, key.ed25519), _vkey(name, _MLDSA_COSIGNATURE, key.mldsa)


def _held(
    note: Note, name: str, kind: int, keys: Sequence[LogVerifyKey], verify: Callable[[LogVerifyKey, bytes, bytes], int]
) -> list[tuple[LogVerifyKey, int]]:
    """The keys both of whose lines hold, and the time of each: none if no line is of a known key.

    An ID has 4 bytes, so a body can have a key certified whose ID, or whose half, is that of an earlier one of its own. Such a key takes nothing from
    what the earlier one signed: a line has to be one of a key that holds, and not of every key whose ID it has.

    Args:
        note: whose lines they are.
        name: of the log or office.
        kind: type of the Ed25519 line.
        keys: that are known.
        verify: checks the Ed25519 and the ML-DSA-44 line of a key, and returns the time that they have.
    """
    ids = [(_key_id(name, kind, key.ed25519), _key_id(name, _MLDSA_COSIGNATURE, key.mldsa)) for key in keys]
    known = {key_id for pair in ids for key_id in pair}
    found: dict[bytes, bytes] = {}
    for line in note.lines:
        if line.name == name and line.key_id in known:
            if line.key_id in found:
                message = f"a checkpoint has two signatures of one key of {name}"
                raise Malformed(message)
            found[line.key_id] = line.signature
    whole = [(key, pair) for key, pair in zip(keys, ids, strict=True) if found.keys() >= set(pair)]
    if not found.keys() <= {key_id for _, pair in whole for key_id in pair}:
        message = f"a checkpoint has only half of a signature of {name}"
        raise NotAuthentic(message, "an Ed25519 and an ML-DSA-44 line belong together")
    held: list[tuple[LogVerifyKey, int]] = []
    covered: set[bytes] = set()
    failed: NotAuthentic | None = None
    for key, pair in whole:
        try:
            held.append((key, verify(key, found[pair[0]], found[pair[1]])))
        except NotAuthentic as error:
            failed = failed or error
        else:
            covered.update(pair)
    if failed is not None and not found.keys() <= covered:
        raise failed
    return held


# -- checkpoints ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The head of a log's tree: `root` of the first `size` leaves of the log `origin`."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> bytes:
        """The text of its note: three lines."""
        return b"%b\n%d\n%b\n" % (self.origin.encode(), self.size, format_hash(self.root))


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint that its log signed, both ways. `at` is when, as the log says; `key` with which of its keys; `raw` the whole note as it came."""

    checkpoint: Checkpoint
    at: int
    key: LogVerifyKey = field(compare=False, repr=False)
    raw: bytes


@dataclass(frozen=True, slots=True)
class Cosignature:
    """An office's word that a checkpoint was, at this time, the head of the longest tree it knew of this log, and consistent with all before."""

    name: str
    at: int
    key: LogVerifyKey = field(compare=False, repr=False)


def _cosigned(name: str, at: int, checkpoint: Checkpoint) -> bytes:
    """`cosigned_message` of tlog-cosignature, for the whole tree."""
    cosigner, origin = name.encode(), checkpoint.origin.encode()
    return b"".join(
        [
            _TREE,
            bytes([len(cosigner)]),
            cosigner,
            at.to_bytes(_TIME_BYTES, "big"),
            bytes([len(origin)]),
            origin,
            bytes(8),
            checkpoint.size.to_bytes(8, "big"),
            checkpoint.root,
        ]
    )


def _timed(at: int, checkpoint: Checkpoint) -> bytes:
    """What an Ed25519 cosignature signs."""
    return b"cosignature/v1\ntime %d\n%b" % (at, checkpoint.text)


def _require_time(at: int) -> None:
    if not 0 < at <= MAX_TIME:
        message = f"a checkpoint cannot be signed at the time {at}"
        raise Usage(message)


def _read_text(text: bytes) -> Checkpoint:
    """Step 5: exactly three lines, each in its one spelling."""
    lines = text.split(b"\n")
    if len(lines) != 4:  # noqa: PLR2004 - three lines, and nothing behind the last newline
        message = "a checkpoint does not have exactly three lines"
        raise Malformed(message)
    origin = lines[0].decode("utf-8")
    parse_log_origin(origin)
    size = read_number(lines[1], "the size of a log")
    root = read_hash(lines[2], "the root of a log")
    if not size and root != EMPTY_ROOT:
        message = "the root of an empty log is not that of the empty tree"
        raise Malformed(message)
    return Checkpoint(origin, size, root)


def peek_checkpoint(data: bytes) -> Checkpoint:
    """What a note says before anything of it is verified: to find the keys that should have signed it, and for nothing else."""
    return _read_text(read_note(data).text)


def sign_checkpoint(checkpoint: Checkpoint, key: LogSigningKey, at: int) -> SignedCheckpoint:
    """The log's own note. `at` is never before that of an earlier checkpoint: see `contradict`."""
    _require_time(at)
    if _read_text(checkpoint.text) != checkpoint:
        message = "a checkpoint of no log"
        raise Usage(message)
    origin, public = checkpoint.origin, LogVerifyKey(key.public, key.realm)
    lines = (
        SignatureLine(origin, _key_id(origin, _ED25519, public.ed25519), key.sign_ed25519(checkpoint.text)),
        _mldsa_line(origin, checkpoint, key, public, at),
    )
    return SignedCheckpoint(checkpoint, at, public, Note(checkpoint.text, lines).format())


def _mldsa_line(name: str, checkpoint: Checkpoint, key: LogSigningKey, public: LogVerifyKey, at: int) -> SignatureLine:
    signature = key.sign_mldsa(_cosigned(name, at, checkpoint))
    return SignatureLine(name, _key_id(name, _MLDSA_COSIGNATURE, public.mldsa), at.to_bytes(_TIME_BYTES, "big") + signature)


def verify_checkpoint(data: bytes, origin: str, keys: Sequence[LogVerifyKey]) -> SignedCheckpoint:
    """Read a checkpoint of the log `origin`. `keys` are all that its body ever had for this: with one of them it is signed.

    Raises:
        Malformed: no checkpoint of ours.
        NotAuthentic: it is of another log, none of these keys signed it, or a signature of one of them does not verify.
    """
    note = read_note(data)
    checkpoint = _read_text(note.text)
    # 6. Whose it is.
    if checkpoint.origin != origin:
        message = f"a checkpoint of another log: {checkpoint.origin}"
        raise NotAuthentic(message)
    # 7 and 8. The lines of known keys: at most one of each, none without its other half, and every one of a key that holds.
    found = _held(note, origin, _ED25519, keys, partial(_verify_log, origin, checkpoint))
    if not found:
        message = f"a checkpoint is not signed by a known key of {origin}"
        raise NotAuthentic(message)
    if len({at for _, at in found}) > 1:
        message = f"two keys of {origin} signed a checkpoint at two times"
        raise Malformed(message)
    key, at = found[0]
    return SignedCheckpoint(checkpoint, at, key, data)


def _verify_log(origin: str, checkpoint: Checkpoint, key: LogVerifyKey, ed25519: bytes, mldsa: bytes) -> int:
    key.verify_ed25519(ed25519, checkpoint.text)
    return _verify_mldsa(mldsa, origin, checkpoint, key)


def _verify_mldsa(data: bytes, name: str, checkpoint: Checkpoint, key: LogVerifyKey) -> int:
    """Check a line of type 0x06 and return its time."""
    if len(data) != _TIME_BYTES + MLDSA44_SIGNATURE_BYTES:
        message = f"an ML-DSA-44 signature of {name} has another length"
        raise NotAuthentic(message)
    at = int.from_bytes(data[:_TIME_BYTES], "big")
    key.verify_mldsa(data[_TIME_BYTES:], _cosigned(name, at, checkpoint))
    if not 0 < at <= MAX_TIME:
        message = "a checkpoint was signed at no time"
        raise Malformed(message)
    return at


# -- cosignatures -----------------------------------------------------------------------------------------------------


def cosign(signed: SignedCheckpoint, body: Body, key: LogSigningKey, at: int) -> bytes:
    """A note with the log's signature that was verified and this office's cosignature, and nothing else.

    Before it is released, whoever calls has checked that the checkpoint is consistent with the last one cosigned, and has stored it as the last.
    """
    _require_time(at)
    checkpoint, name, public = signed.checkpoint, office_name(body), LogVerifyKey(key.public, key.realm)
    stamped = at.to_bytes(_TIME_BYTES, "big") + key.sign_ed25519(_timed(at, checkpoint))
    own = (_key_id(checkpoint.origin, _ED25519, signed.key.ed25519), _key_id(checkpoint.origin, _MLDSA_COSIGNATURE, signed.key.mldsa))
    lines = (
        *(line for key_id in own for line in read_note(signed.raw).lines if (line.name, line.key_id) == (checkpoint.origin, key_id)),
        SignatureLine(name, _key_id(name, _ED25519_COSIGNATURE, public.ed25519), stamped),
        _mldsa_line(name, checkpoint, key, public, at),
    )
    return Note(checkpoint.text, lines).format()


def read_cosignature(signed: SignedCheckpoint, body: Body, keys: Sequence[LogVerifyKey]) -> Cosignature | None:
    """The cosignature of this body's office on a checkpoint. None if there is no line of one of `keys`: all that the body ever had for this.

    Raises:
        Malformed: it has two lines of one key, or its two lines have two times.
        NotAuthentic: half of it is missing, or does not verify.
    """
    name = office_name(body)
    # 9 and 10. Its lines: at most one of each key, none without its other half, every one of a key that holds, and both halves have one time.
    found = _held(read_note(signed.raw), name, _ED25519_COSIGNATURE, keys, partial(_verify_cosignature, name, signed.checkpoint))
    return Cosignature(name, found[0][1], found[0][0]) if found else None


def _verify_cosignature(name: str, checkpoint: Checkpoint, key: LogVerifyKey, ed25519: bytes, mldsa: bytes) -> int:
    if len(ed25519) != _TIME_BYTES + ED25519_SIGNATURE_BYTES:
        message = f"an Ed25519 cosignature of {name} has another length"
        raise NotAuthentic(message)
    at = int.from_bytes(ed25519[:_TIME_BYTES], "big")
    key.verify_ed25519(ed25519[_TIME_BYTES:], _timed(at, checkpoint))
    if _verify_mldsa(mldsa, name, checkpoint, key) != at:
        message = f"the two halves of a cosignature of {name} have two times"
        raise Malformed(message)
    return at


# -- heads that contradict each other ---------------------------------------------------------------------------------


def contradict(first: SignedCheckpoint, second: SignedCheckpoint) -> str | None:
    """What two checkpoints of one log, each signed by it, prove by themselves: `split-view`, `rollback`, or nothing.

    A split view: two roots for one size. A rollback: at a later time the log says it has fewer leaves. For all else a proof of consistency is needed.

    Raises:
        Usage: they are of two logs.
    """
    if first.checkpoint.origin != second.checkpoint.origin:
        message = "checkpoints of two logs cannot be compared"
        raise Usage(message)
    if first.checkpoint.size == second.checkpoint.size:
        return "split-view" if first.checkpoint.root != second.checkpoint.root else None
    smaller, larger = sorted((first, second), key=lambda signed: signed.checkpoint.size)
    return "rollback" if smaller.at > larger.at else None
