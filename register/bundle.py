"""The evidence bundle (specs/evidence.md): what it is made of, and where. Nothing in it is believed here; `evidence` verifies it."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, Final

from valiza.envelope.header import MAX_CORE
from valiza.envelope.manifest import MAX_CARRIERS, MAX_MANIFEST
from valiza.envelope.payload import stream_length
from valiza.keys import labels
from valiza.keys.encoding import pack, unpack
from valiza.keys.errors import Malformed, Unavailable
from valiza.keys.fields import Body, array, ascending, blob, body, digest_field, extensions, integer, one_of, optional, text, time
from valiza.keys.statement import LIMITS
from valiza.register.entry import BLIND_BYTES, KINDS, EntryFacts
from valiza.register.proof import MAX_FILE

if TYPE_CHECKING:
    from valiza.keys.encoding import Value
    from valiza.keys.fields import Extensions

__all__ = [
    "ANSWER",
    "DISPATCH",
    "KINDS_OF_BUNDLE",
    "MAX_CONTENTS",
    "RECEIPT",
    "Bundle",
    "BundleFile",
    "DisclosedCarrier",
    "Leaf",
    "LogPart",
    "LoggedEntry",
    "pack_bundle",
    "read_bundle",
    "read_bundle_file",
    "read_leaf",
]

RECEIPT: Final = "receipt"
ANSWER: Final = "answer"
DISPATCH: Final = "dispatch"
KINDS_OF_BUNDLE: Final = (RECEIPT, ANSWER, DISPATCH)

VERSION: Final = 1
MAX_CONTENTS: Final = 192 << 20  # two rosters of the longest, and all else
MAX_LEAF: Final = 8192
MAX_AGREEMENTS: Final = 64
MAX_FURTHER: Final = 1024
MAX_ENTRIES: Final = 2048
_HEAD: Final = len(labels.MAGIC_EVIDENCE) + 8
_BODIES: Final = 3  # origin, destination and confirming body
STANDINGS: Final = ("cosigned", "entered", "signed")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedEntry:
    """An entry of a log, and how far its body says that others can see it.

    Attributes:
        leaf: its bytes.
        standing: `cosigned`: in a checkpoint that the other party cosigned; `signed`: in one that nobody had cosigned; `entered`: in none.
        proof: a tlog-proof; empty of one that is only entered.
    """

    leaf: bytes = field(repr=False)
    standing: str
    proof: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPart:
    """What the log of a body has of the envelope."""

    body: Body
    entries: tuple[LoggedEntry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DisclosedCarrier:
    """A file carrier that is shown: by its own stream's key, and the key of its d_i."""

    index: int
    stream_key: bytes = field(repr=False)
    commitment_key: bytes = field(repr=False)
    size: int

    @property
    def stream_length(self) -> int:
        """Bytes of its stream."""
        return stream_length(self.size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """What a bundle holds. Nothing of it is believed.

    Attributes:
        kind: of which kind it says it is: `receipt`, `answer` or `dispatch`.
        made_at: when it was made, as its maker says, in seconds since 1970.
        statement: receipt, answer or dispatch; empty if it is not there.
        core: beside a dispatch; otherwise inside the statement, and None here.
        rosters: of both parties.
        agreements: the agreement, and all that its maker knew to bear on whether it was in force.
        further: other statements about the envelope.
        cores: of other dispatches among those: they show that these are of this envelope.
        logs: by body.
        manifest: the plaintext of the manifest stream, if it is shown.
        carriers: those that are shown.
    """

    kind: str
    made_at: int
    statement: bytes = field(repr=False)
    core: bytes | None = field(repr=False)
    rosters: tuple[bytes, ...] = field(repr=False)
    agreements: tuple[bytes, ...] = field(repr=False)
    further: tuple[bytes, ...] = field(default=(), repr=False)
    cores: tuple[bytes, ...] = field(default=(), repr=False)
    logs: tuple[LogPart, ...]
    manifest: bytes | None = field(default=None, repr=False)
    carriers: tuple[DisclosedCarrier, ...] = ()
    extensions: Extensions = field(default_factory=dict)

    def packed(self) -> bytes:
        """The canonical array."""
        return pack(
            [
                VERSION,
                labels.SUITE,
                self.kind,
                self.made_at,
                self.statement,
                self.core,
                list(self.rosters),
                list(self.agreements),
                list(self.further),
                list(self.cores),
                [[part.body.packed(), [[e.leaf, e.standing, e.proof] for e in part.entries]] for part in self.logs],
                self.manifest,
                [[c.index, c.stream_key, c.commitment_key, c.size] for c in self.carriers],
                self.extensions,
            ]
        )


@dataclass(frozen=True, kw_only=True)
class BundleFile:
    """A bundle in a file whose length is right. `streams_at` is where the disclosed streams begin."""

    source: BinaryIO = field(repr=False)
    bundle: Bundle
    streams_at: int


def pack_bundle(bundle: Bundle) -> bytes:
    """All of a file but the streams.

    Raises:
        Malformed: it is longer than a bundle may be.
    """
    contents = bundle.packed()
    _require_length(len(contents))
    return labels.MAGIC_EVIDENCE + len(contents).to_bytes(8, "big") + contents


def _require_length(length: int) -> None:
    if length > MAX_CONTENTS:
        message = f"an evidence bundle has {length} bytes beside its carriers, more than the limit of {MAX_CONTENTS}"
        raise Malformed(message)


def read_bundle_file(source: BinaryIO) -> BundleFile:
    """Read a bundle from a seekable file (evidence.md, Reading 1 to 3).

    Raises:
        Malformed: it is none, or not whole. Unavailable: the file cannot be read.
    """
    try:
        size = source.seek(0, io.SEEK_END)
        source.seek(0)
        head = _read(source, min(size, _HEAD))
        magic, length = head[: len(labels.MAGIC_EVIDENCE)], int.from_bytes(head[len(labels.MAGIC_EVIDENCE) :], "big")
        if magic != labels.MAGIC_EVIDENCE or len(head) < _HEAD:  # step 1
            message = "not an evidence bundle"
            raise Malformed(message)
        _require_length(length)
        if length > size - _HEAD:
            message = "the evidence bundle is not whole: its contents are cut"
            raise Malformed(message)
        bundle = read_bundle(_read(source, length))  # step 2
    except OSError as error:
        message = f"the evidence bundle cannot be read: {(error.strerror or str(error)).lower()}"
        raise Unavailable(message) from error
    begin = _HEAD + length
    wanted = sum(carrier.stream_length for carrier in bundle.carriers)
    if size - begin != wanted:  # step 3
        what = "the stream of a disclosed carrier is missing or cut" if size - begin < wanted else "something follows after the last carrier"
        message = f"the evidence bundle is not whole: {what}"
        raise Malformed(message)
    return BundleFile(source=source, bundle=bundle, streams_at=begin)


def _read(source: BinaryIO, length: int) -> bytes:
    parts = []
    while length and (part := source.read(length)):
        parts.append(part)
        length -= len(part)
    if length:
        message = "the evidence bundle became shorter while it was read"
        raise Malformed(message)
    return b"".join(parts)


def read_bundle(contents: bytes) -> Bundle:
    """Decode the array of a bundle (Reading 2).

    Raises:
        Malformed: it is none.
    """
    value = unpack(contents, max_bytes=MAX_CONTENTS, what="evidence bundle")
    if isinstance(value, list) and len(value) >= 2 and value[:2] != [VERSION, labels.SUITE]:  # noqa: PLR2004 - version and suite
        message = f"an evidence bundle of version {value[0]}, suite {value[1]} cannot be read: only version {VERSION}, suite {labels.SUITE} is known"
        raise Malformed(message)
    items = array(value, "evidence bundle", length=14)
    bundle = Bundle(
        kind=one_of(items[2], "kind of evidence bundle", KINDS_OF_BUNDLE),
        made_at=time(items[3], "made at"),
        statement=blob(items[4], "statement", most=LIMITS[labels.RECEIPT]),
        core=optional(items[5], "core", lambda v, w: blob(v, w, most=MAX_CORE)),
        rosters=_statements(items[6], "rosters", labels.ROSTER, 2),
        agreements=_statements(items[7], "agreements", labels.AGREEMENT, MAX_AGREEMENTS),
        further=_statements(items[8], "further statements", labels.RECEIPT, MAX_FURTHER),
        cores=tuple(blob(item, "core", most=MAX_CORE) for item in array(items[9], "cores", most=MAX_FURTHER)),
        logs=tuple(_read_part(item) for item in array(items[10], "logs", most=_BODIES)),
        manifest=optional(items[11], "manifest", lambda v, w: blob(v, w, most=MAX_MANIFEST + 4096)),
        carriers=tuple(_read_carrier(item) for item in array(items[12], "disclosed carriers", most=MAX_CARRIERS)),
        extensions=extensions(items[13]),
    )
    ascending(bundle.cores, "cores")
    ascending([part.body for part in bundle.logs], "logs")
    ascending([carrier.index for carrier in bundle.carriers], "disclosed carriers")
    if bundle.core is not None and bundle.kind != DISPATCH:
        message = f"an evidence bundle of a {bundle.kind} has a core beside the one inside"
        raise Malformed(message)
    return bundle


def _statements(value: Value, what: str, type_: str, most: int) -> tuple[bytes, ...]:
    found = tuple(blob(item, what, most=LIMITS[type_]) for item in array(value, what, most=most))
    if what != "rosters":  # those stand in the order of their parties
        ascending(found, what)
    return found


def _read_part(value: Value) -> LogPart:
    items = array(value, "part of a log", length=2)
    entries = tuple(_read_logged(item) for item in array(items[1], "entries of a log", most=MAX_ENTRIES))
    return LogPart(body=body(items[0], "body of a log"), entries=entries)


def _read_logged(value: Value) -> LoggedEntry:
    items = array(value, "entry of a log", length=3)
    found = LoggedEntry(
        leaf=blob(items[0], "leaf", most=MAX_LEAF),
        standing=one_of(items[1], "standing of an entry", STANDINGS),
        proof=blob(items[2], "proof of inclusion", most=MAX_FILE),
    )
    if found.standing == "entered" and found.proof:
        message = "an entry that is in no checkpoint has a proof"
        raise Malformed(message)
    return found


def _read_carrier(value: Value) -> DisclosedCarrier:
    items = array(value, "disclosed carrier", length=4)
    return DisclosedCarrier(
        index=integer(items[0], "index of a carrier", most=MAX_CARRIERS - 1),
        stream_key=digest_field(items[1], "stream key"),
        commitment_key=digest_field(items[2], "commitment key"),
        size=integer(items[3], "size of a carrier", most=1 << 50),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """What a leaf of a log says: an entry without its place and the bytes it is about, and the digests of those."""

    facts: EntryFacts
    statement: bytes | None
    record: bytes | None


def read_leaf(data: bytes) -> Leaf:
    """Decode a leaf (log.md, Leaf).

    Raises:
        Malformed: it is none.
    """
    items = array(unpack(data, max_bytes=MAX_LEAF, what="leaf of a log"), "leaf of a log", length=12)
    blob(items[0], "blinding", size=BLIND_BYTES)
    facts = EntryFacts(
        kind=one_of(items[1], "kind of entry", KINDS),
        direction=one_of(items[2], "direction", ("in", "out")),
        number=text(items[3], "number", empty=True),
        at=time(items[4], "entered at"),
        agreement=digest_field(items[5], "agreement"),
        origin=body(items[6], "origin"),
        envelope_id=blob(items[7], "envelope id", most=32),
        dispatch_digest=blob(items[8], "dispatch digest", most=32),
        note=text(items[11], "note", empty=True),
    )
    return Leaf(
        facts=facts,
        statement=optional(items[9], "digest of the statement", digest_field),
        record=optional(items[10], "digest of the record", digest_field),
    )
