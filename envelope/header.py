"""The header (specs/envelope.md, Header): prefix, core and stanzas. Bytes and objects only; no key is used here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from valiza.envelope.route import Stamp, read_stamp
from valiza.keys import labels
from valiza.keys.digests import digest
from valiza.keys.encoding import pack, unpack
from valiza.keys.errors import Malformed
from valiza.keys.fields import Body, array, ascending, blob, body, digest_field, extensions
from valiza.keys.recipient import WRAPPED_BYTES, check_wrapped

if TYPE_CHECKING:
    from valiza.keys.fields import Extensions

__all__ = ["MAX_CORE", "MAX_HEADER", "MAX_STANZAS", "PREFIX", "Core", "Stanza", "check_prefix", "read_core", "read_stanzas", "wrap_info"]

MAX_CORE: Final = 32768
MAX_HEADER: Final = 131072
MAX_STANZAS: Final = 64
VERSION: Final = 1
PREFIX: Final = labels.MAGIC + VERSION.to_bytes(2, "big") + labels.SUITE.to_bytes(2, "big")


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """Who sends what to whom under which agreement. `raw` includes the prefix; `digest` names it."""

    raw: bytes = field(repr=False)
    envelope_id: bytes
    agreement: bytes
    origin: Body
    destination: Body
    confirming: Body
    sealing_credential: bytes
    stamp: Stamp
    extensions: Extensions

    @property
    def digest(self) -> bytes:
        """Digest of core, its prefix included; 32 bytes."""
        return digest(labels.DIGEST_CORE, self.raw)


@dataclass(frozen=True, slots=True)
class Stanza:
    """The payload key, wrapped for one addressee."""

    credential: bytes
    wrapped: bytes = field(repr=False)

    def packed(self) -> list[bytes]:
        """The wire form."""
        return [self.credential, self.wrapped]


def make_core(
    *, envelope_id: bytes, agreement: bytes, origin: Body, destination: Body, confirming: Body, sealing_credential: bytes, stamp: Stamp
) -> Core:
    """Build core; reading it back is its check."""
    items = [envelope_id, agreement, origin.packed(), destination.packed(), confirming.packed(), sealing_credential, stamp.packed(), {}]
    return read_core(PREFIX + pack(items))


def check_prefix(prefix: bytes) -> None:
    """Raise Malformed unless magic, version and suite are those of this format."""
    if prefix[:8] != labels.MAGIC:
        message = "not a Valiza envelope"
        raise Malformed(message)
    if prefix != PREFIX:
        version, suite = int.from_bytes(prefix[8:10], "big"), int.from_bytes(prefix[10:], "big")
        message = f"an envelope of version {version}, suite {suite} cannot be read: only version {VERSION}, suite {labels.SUITE} is known"
        raise Malformed(message)


def read_core(raw: bytes) -> Core:
    """Decode core, with its prefix.

    Raises:
        Malformed: it is not exactly a core.
    """
    check_prefix(raw[: len(PREFIX)])
    items = array(unpack(raw[len(PREFIX) :], max_bytes=MAX_CORE - len(PREFIX), what="core"), "core", length=8)
    core = Core(
        raw=raw,
        envelope_id=blob(items[0], "envelope id", size=32),
        agreement=digest_field(items[1], "agreement"),
        origin=body(items[2], "origin"),
        destination=body(items[3], "destination"),
        confirming=body(items[4], "confirming body"),
        sealing_credential=digest_field(items[5], "sealing credential"),
        stamp=read_stamp(items[6]),
        extensions=extensions(items[7]),
    )
    if core.origin.party == core.destination.party or core.confirming.party != core.destination.party:
        message = "an envelope goes from one party to the other, and a body of the destination's party confirms (R2, R12)"
        raise Malformed(message)
    return core


def read_stanza(value: object) -> Stanza:
    """Decode one stanza; the X25519 key in its encapsulation is checked."""
    items = array(value, "stanza", length=2)
    stanza = Stanza(digest_field(items[0], "credential of a stanza"), blob(items[1], "wrapped key", size=WRAPPED_BYTES))
    check_wrapped(stanza.wrapped)
    return stanza


def read_stanzas(raw: bytes) -> tuple[Stanza, ...]:
    """Decode the stanzas.

    Raises:
        Malformed: they are not exactly 1 to 64 stanzas in order.
    """
    stanzas = tuple(read_stanza(item) for item in array(unpack(raw, max_bytes=MAX_HEADER, what="stanzas"), "stanzas", least=1, most=MAX_STANZAS))
    ascending([s.credential for s in stanzas], "stanzas")
    return stanzas


def pack_stanzas(stanzas: list[Stanza]) -> bytes:
    """Encode stanzas, in order of their credentials."""
    return pack([s.packed() for s in sorted(stanzas, key=lambda s: s.credential)])


def wrap_info(core_digest: bytes, credential_digest: bytes) -> bytes:
    """HPKE `info` of a stanza, in the header or detached (labels.md)."""
    return pack([labels.WRAP_PAYLOAD_KEY, core_digest, credential_digest])


def header_digest(raw: bytes) -> bytes:
    """Digest of the whole header: core and stanzas."""
    return digest(labels.DIGEST_HEADER, raw)
