"""The manifest (specs/envelope.md, Manifest): carriers, physical ones too, basis, purpose, term, and what only openers learn."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date as calendar_date
from typing import TYPE_CHECKING, Final

from valiza.envelope.carrier import check_media_type, check_name, check_twins
from valiza.envelope.profile import BASIS_KINDS
from valiza.envelope.route import Marks, Route, read_marks, read_route
from valiza.keys import labels
from valiza.keys.digests import derive, digest, keyed
from valiza.keys.encoding import pack, unpack
from valiza.keys.errors import Malformed, NotAuthentic
from valiza.keys.fields import array, digest_field, extensions, integer, one_of, optional, text

if TYPE_CHECKING:
    from valiza.keys.encoding import Value
    from valiza.keys.fields import Extensions

__all__ = [
    "MAX_CARRIERS",
    "MAX_LIST",
    "MAX_MANIFEST",
    "RELATIONS",
    "Basis",
    "Entry",
    "Manifest",
    "Openings",
    "Reference",
    "carrier_key",
    "commitment",
    "marks_digest",
    "opening_proof",
    "pack_manifest",
    "unpack_manifest",
]

MAX_CARRIERS: Final = 16384
MAX_MANIFEST: Final = 8 << 20
MAX_LIST: Final = 32  # bases, caveats, references
MAX_ITEMS: Final = 1 << 19  # a carrier has 18, and there may be 16384
RELATIONS: Final = ("part-of", "reply-to", "return-of", "supersedes")
_BLOCK: Final = 4096
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

Openings = tuple[bytes | None, ...]  # d_i by index; None for a physical carrier


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A carrier as the manifest lists it. For a physical carrier `size` and `commitment` are None."""

    name: str
    media_type: str
    size: int | None
    commitment: bytes | None
    marks: Marks
    registration: str
    copy: int | None
    sheets: int | None
    classified_by: str
    ground: str

    @property
    def physical(self) -> bool:
        """Whether it travels beside the envelope, not in it."""
        return self.size is None

    def packed(self) -> list[Value]:
        """The wire form."""
        return [
            self.name,
            self.media_type,
            self.size,
            self.commitment,
            self.marks.packed(),
            self.registration,
            self.copy,
            self.sheets,
            self.classified_by,
            self.ground,
        ]


@dataclass(frozen=True, slots=True)
class Basis:
    """What a transfer rests on (R3, R11, A5.2): a decision, conclusion, contract or confirmation."""

    kind: str
    reference: str
    issued_by: str = ""
    date: str = ""


@dataclass(frozen=True, slots=True)
class Reference:
    """Another envelope that this one belongs to, by the digest of its dispatch."""

    relation: str
    dispatch_digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The manifest. Its salt keys everything that only opening shows, so it is not for display."""

    salt: bytes = field(repr=False)
    core_digest: bytes
    carriers: tuple[Entry, ...]
    pad_length: int
    basis: tuple[Basis, ...]
    purpose: str
    term: str
    caveats: tuple[str, ...]
    references: tuple[Reference, ...]
    route: Route | None
    extensions: Extensions

    @property
    def total(self) -> int:
        """Bytes of all file carriers."""
        return sum(entry.size or 0 for entry in self.carriers)

    def packed(self) -> list[Value]:
        """The wire form."""
        return [
            self.salt,
            self.core_digest,
            [entry.packed() for entry in self.carriers],
            self.pad_length,
            [[b.kind, b.reference, b.issued_by, b.date] for b in self.basis],
            self.purpose,
            self.term,
            list(self.caveats),
            [[r.relation, r.dispatch_digest] for r in self.references],
            None if self.route is None else self.route.packed(),
            self.extensions,
        ]


def pack_manifest(manifest: Manifest) -> bytes:
    """The plaintext of the manifest stream: length, manifest, zeros to the next multiple of 4096.

    Raises:
        Malformed: longer than 8 MiB.
    """
    packed = pack(manifest.packed())
    if len(packed) > MAX_MANIFEST:
        message = f"the manifest has {len(packed)} bytes, more than the limit of {MAX_MANIFEST}"
        raise Malformed(message)
    plain = len(packed).to_bytes(4, "big") + packed
    return plain + bytes(-len(plain) % _BLOCK)


def unpack_manifest(plain: bytes) -> Manifest:
    """Read the plaintext of the manifest stream; it is bound to its envelope by the caller (envelope.md, Reading 11).

    Raises:
        Malformed: length, zeros or a field are wrong.
    """
    length = int.from_bytes(plain[:4], "big")
    if length > MAX_MANIFEST or len(plain) != 4 + length + (-(4 + length) % _BLOCK):
        message = "the manifest stream has not the length that it says"
        raise Malformed(message)
    if any(plain[4 + length :]):
        message = "the manifest stream is not filled up with zeros"
        raise Malformed(message)
    return _read_manifest(unpack(plain[4 : 4 + length], max_bytes=MAX_MANIFEST, what="manifest", max_items=MAX_ITEMS))


def _read_manifest(value: Value) -> Manifest:
    items = array(value, "manifest", length=11)
    carriers = tuple(_read_entry(item) for item in array(items[2], "carriers", least=1, most=MAX_CARRIERS))
    check_twins(entry.name for entry in carriers if not entry.physical)
    return Manifest(
        salt=digest_field(items[0], "salt"),
        core_digest=digest_field(items[1], "digest of core"),
        carriers=carriers,
        pad_length=integer(items[3], "pad length"),
        basis=tuple(_read_basis(item) for item in array(items[4], "basis", least=1, most=MAX_LIST)),
        purpose=text(items[5], "purpose"),
        term=text(items[6], "term", empty=True),
        caveats=tuple(text(item, "caveat") for item in array(items[7], "caveats", most=MAX_LIST)),
        references=tuple(_read_reference(item) for item in array(items[8], "references", most=MAX_LIST)),
        route=optional(items[9], "detail of the stamp", lambda v, _: read_route(v)),
        extensions=extensions(items[10]),
    )


def _read_entry(value: Value) -> Entry:
    items = array(value, "carrier", length=10)
    physical = items[2] is None
    if physical and (items[3] is not None or items[1] != ""):
        message = "a physical carrier has no commitment and no media type"
        raise Malformed(message)
    return Entry(
        name=text(items[0], "designation of a physical carrier", most=255) if physical else check_name(items[0]),
        media_type="" if physical else check_media_type(items[1]),
        size=None if physical else integer(items[2], "size of a carrier", most=1 << 50),
        commitment=None if physical else digest_field(items[3], "commitment"),
        marks=read_marks(items[4], "mark of a carrier"),
        registration=text(items[5], "registration number", empty=True),
        copy=optional(items[6], "copy number", integer),
        sheets=optional(items[7], "sheets", integer),
        classified_by=text(items[8], "classified by", empty=True),
        ground=text(items[9], "ground", empty=True),
    )


def _read_basis(value: Value) -> Basis:
    items = array(value, "basis", length=4)
    date = text(items[3], "date of a basis", empty=True)
    if date and not _is_date(date):
        message = f"the date of a basis, {date!r}, is no day written YYYY-MM-DD"
        raise Malformed(message)
    return Basis(
        one_of(items[0], "kind of basis", BASIS_KINDS),
        text(items[1], "reference of a basis"),
        text(items[2], "issuer of a basis", empty=True),
        date,
    )


def _is_date(text_: str) -> bool:
    """Whether it is a day of the calendar: the shape alone would let 2026-02-30 through."""
    try:
        return bool(_DATE.fullmatch(text_)) and bool(calendar_date.fromisoformat(text_))
    except ValueError:
        return False


def _read_reference(value: Value) -> Reference:
    items = array(value, "reference", length=2)
    return Reference(one_of(items[0], "relation", RELATIONS), digest_field(items[1], "dispatch digest"))


def carrier_key(salt: bytes, index: int) -> bytes:
    """Key of d_i for the carrier of an index; 32 bytes."""
    return derive(labels.KEY_CARRIER, salt, index)


def commitment(opening: bytes) -> bytes:
    """What the manifest holds of a d_i; 32 bytes."""
    return digest(labels.DIGEST_COMMITMENT, opening)


def opening_proof(salt: bytes, dispatch_digest: bytes, manifest_digest: bytes, openings: Openings) -> bytes:
    """The proof of an acknowledgement (receipt.md): nobody makes it who has not the salt and every d_i; 32 bytes."""
    return keyed(derive(labels.KEY_ACKNOWLEDGEMENT, salt), pack([dispatch_digest, manifest_digest, list(openings)]))


def marks_digest(salt: bytes, codes: tuple[str, ...]) -> bytes:
    """What an acknowledgement says of the marks put on under a closed stamp; 32 bytes."""
    return keyed(derive(labels.KEY_MARKS, salt), pack(list(codes)))


def require_core(manifest: Manifest, core_digest: bytes) -> None:
    """Raise NotAuthentic unless the manifest is of the envelope with this core."""
    if manifest.core_digest != core_digest:
        message = "the manifest belongs to another envelope"
        raise NotAuthentic(message)
