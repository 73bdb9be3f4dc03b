"""Opening an envelope as a reader with a key sees it (envelope.md, Reading 10 to 15)."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date

from cryptography.cobblestone import Cobblestone256Decryptor
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

import decode as d
import wire
from outcome import Malformed, NoKey, NotAuthentic, step
from reading import (
    MANIFEST_MOST,
    Detail,
    Envelope,
    World,
    authentic,
    check_addressee,
    check_pair,
    check_route,
    check_stanzas,
    read_detail,
    refuse,
    rewrapped,
    verify_dispatch,
)
from treaty import BASES, Agreement, Mark
from trust import in_force

RELATIONS = ("part-of", "reply-to", "return-of", "supersedes")
MEDIA = re.compile(r"(?=.{3,127}\Z)[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+")
RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)")
SUITE = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


@dataclass(frozen=True)
class Carrier:
    """One entry of the manifest; *size* and *commitment* are nil for a physical carrier."""

    name: str
    size: int | None
    commitment: bytes | None
    marks: tuple[Mark, Mark]


@dataclass(frozen=True)
class Manifest:
    """A manifest, form checked."""

    salt: bytes
    core: bytes
    carriers: list[Carrier]
    pad: int
    basis: list[str]
    detail: d.Value


@dataclass(frozen=True)
class Opened:
    """What opening releases."""

    envelope: Envelope
    manifest: Manifest
    plaintexts: list[bytes]
    openings: list[bytes | None]


def open_envelope(raw: bytes, world: World, rewrap: bytes | None = None) -> Opened:
    """Reading 1 to 8 and 10 to 15."""
    envelope, agreement = verify_dispatch(raw, world)
    stanzas, passed_on = envelope.stanzas, None
    if rewrap is not None:
        with step("rewrap"):
            passed_on = rewrapped(rewrap, envelope, agreement, world)
            stanzas = {passed_on.recipient: passed_on.wrapped}
    with step(10):
        payload_key = unwrap(envelope, stanzas, world)
    with step(11):
        plaintext = decrypt(envelope, payload_key, 0, envelope.sections.manifest)
        manifest = read_manifest(plaintext, envelope)
    with step(12):
        detail = hidden_detail(manifest, envelope)
        if isinstance(envelope.core.detail, bytes):
            check_route(agreement, envelope.core, detail)
            check_stanzas(envelope, detail, world)
            if passed_on is not None:
                recipient = world.trust.credentials.get(passed_on.recipient)
                check_addressee(recipient, envelope.core, detail, passed_on.made_at, world.trust)
    with step(13):
        check_manifest(manifest, envelope, agreement, detail)
    with step(14):
        plaintexts, openings = decrypt_all(envelope, payload_key, manifest)
    return Opened(envelope, manifest, plaintexts, openings)


def unwrap(envelope: Envelope, stanzas: dict[bytes, bytes], world: World) -> bytes:
    """Reading 10."""
    by_key = {wire.xwing_public(seed): seed for seed in world.identities}
    own = [credential for credential in world.trust.credentials.values() if credential.public_key in by_key]
    refuse(all(credential.body != envelope.core.destination for credential in own), "the reader's body is not the destination")
    for credential in own:
        if credential.digest in stanzas and in_force(credential, world.now, world.trust):
            mlkem_seed, scalar = wire.xwing_halves(by_key[credential.public_key])
            halves = MLKEM768PrivateKey.from_seed_bytes(mlkem_seed), X25519PrivateKey.from_private_bytes(scalar)
            info = wire.encode(["valiza/v1/wrap/payload-key", envelope.core.digest, credential.digest])
            try:
                return SUITE.decrypt(stanzas[credential.digest], hpke.MLKEM768X25519PrivateKey(*halves), info)
            except (InvalidTag, ValueError) as error:
                raise NotAuthentic("an own stanza does not open") from error
    refuse(any(credential.digest in stanzas for credential in own), "no own credential in the header is in force now")
    raise NoKey("no stanza for a credential of the reader's")


def decrypt(envelope: Envelope, payload_key: bytes, number: int, ciphertext: bytes) -> bytes:
    """One stream of the payload."""
    key = wire.stream_key(payload_key, number, envelope.core.digest)
    decryptor = Cobblestone256Decryptor(key, wire.stream_context(envelope.header, number))
    try:
        return decryptor.update(ciphertext) + decryptor.finalize()
    except (InvalidTag, ValueError) as error:
        raise NotAuthentic(f"stream {number} does not decrypt") from error


def read_manifest(plaintext: bytes, envelope: Envelope) -> Manifest:
    """Reading 11, behind the decryption."""
    authentic(wire.digest("manifest", plaintext) == envelope.dispatch.manifest, "digest of the manifest")
    d.need(len(plaintext) >= 4 and len(plaintext) % 4096 == 0, "length of the manifest stream")
    length = int.from_bytes(plaintext[:4], "big")
    d.need(length <= MANIFEST_MOST and 0 <= len(plaintext) - 4 - length < 4096, "length of the manifest")
    d.need(not any(plaintext[4 + length :]), "zeros behind the manifest")
    f = d.fields(d.decode(plaintext[4 : 4 + length]), 11)
    carriers = [_carrier(item) for item in d.array(f[2], 1, 16384)]
    basis = [_basis(item) for item in d.array(f[4], 1, 32)]
    d.text(f[5])
    d.text(f[6], 1000, 0)
    for caveat in d.array(f[7], 0, 32):
        d.text(caveat)
    for item in d.array(f[8], 0, 32):
        relation, digest = d.fields(item, 2)
        d.one_of(relation, RELATIONS)
        d.digest_of(digest)
    d.extensions(f[10])
    manifest = Manifest(d.binary(f[0], 32), d.digest_of(f[1]), carriers, d.integer(f[3]), basis, f[9])
    authentic(manifest.core == envelope.core.digest, "a manifest of another core")
    return manifest


def _carrier(value: d.Value) -> Carrier:
    name, media, size, commitment, marks, registration, copy, sheets, classified_by, ground = d.fields(value, 10)
    d.need((size is None) == (commitment is None), "size and commitment, or neither")
    if size is None:
        d.need(media == "", "a physical carrier has no media type")
        d.text(name, 255)
    else:
        d.matching(media, MEDIA)
    one, other = d.fields(marks, 2)
    for item in (registration, classified_by, ground):
        d.text(item, 1000, 0)
    for number in (copy, sheets):
        d.optional(number, d.integer)
    label = d.text(name, 1 << 20, 0)
    return Carrier(label, d.optional(size, d.integer), d.optional(commitment, d.digest_of), (d.mark(one), d.mark(other)))


def _basis(value: d.Value) -> str:
    kind, reference, issued_by, day = d.fields(value, 4)
    d.text(reference)
    d.text(issued_by, 1000, 0)
    if day != "":
        try:
            date.fromisoformat(d.matching(day, re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")))
        except ValueError as error:
            raise Malformed("not a date") from error
    return d.one_of(kind, BASES)


def hidden_detail(manifest: Manifest, envelope: Envelope) -> Detail:
    """Reading 12: the detail, wherever it stands."""
    outside = envelope.core.detail
    if isinstance(outside, Detail):
        d.need(manifest.detail is None, "a detail inside, under an open stamp")
        return outside
    d.need(isinstance(manifest.detail, list), "no detail inside, under a closed stamp")
    inside = wire.keyed(wire.derive("stamp", [manifest.salt]), wire.encode(manifest.detail))
    authentic(inside == outside, "the detail is not the one that core promises")
    return read_detail(manifest.detail)


def check_manifest(manifest: Manifest, envelope: Envelope, agreement: Agreement, detail: Detail) -> None:
    """Reading 13."""
    check_names([carrier.name for carrier in manifest.carriers if carrier.size is not None])
    for carrier in manifest.carriers:
        check_pair(agreement, envelope.core, carrier.marks)
    highest = agreement.most_secret([carrier.marks for carrier in manifest.carriers])
    refuse(highest != (detail.origin_mark, detail.destination_mark), "the envelope's marks are not those of its most secret carrier")
    required = agreement.sides[envelope.core.origin[0]].basis
    refuse(not set(required) <= set(manifest.basis), "a kind of basis is missing")
    sizes = [carrier.size for carrier in manifest.carriers if carrier.size is not None]
    d.need(manifest.pad == agreement.pad(sum(sizes)), "pad length is not what the rule gives")
    streams = sum(wire.stream_length(size) for size in [*sizes, manifest.pad])
    d.need(streams == len(envelope.sections.streams), "the streams' lengths are not the payload's")


def check_names(names: list[str]) -> None:
    """Names of file carriers, 1 to 4."""
    for name in names:
        d.need(1 <= len(name.encode()) <= 255, "a name's length")
        d.need(not any(unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"} for c in name), "a name's character")
        d.need(not set(name) & set('/\\:*?"<>|'), "a name's character")
        d.need(name not in {".", ".."} and name[0] != " " and name[-1] not in " .", "a name's first or last character")
        d.need(not RESERVED.fullmatch(name.split(".")[0].rstrip(" ").casefold()), "a reserved name")
    folded = {unicodedata.normalize("NFC", name.casefold()) for name in names}
    d.need(len(folded) == len(names), "two names that fold to one")


def decrypt_all(envelope: Envelope, payload_key: bytes, manifest: Manifest) -> tuple[list[bytes], list[bytes | None]]:
    """Reading 14."""
    authentic(wire.digest("payload", envelope.sections.payload) == envelope.dispatch.payload, "digest of the payload")
    at, plaintexts, openings = 0, list[bytes](), list[bytes | None]()
    streams = envelope.sections.streams
    for index, carrier in enumerate(manifest.carriers):
        if carrier.size is None:
            openings.append(None)
            continue
        end = at + wire.stream_length(carrier.size)
        plaintext, at = decrypt(envelope, payload_key, index + 2, streams[at:end]), end
        opening = wire.keyed(wire.derive("carrier", [manifest.salt, index]), plaintext)
        authentic(len(plaintext) == carrier.size, "size of a carrier")
        authentic(wire.digest("commitment", opening) == carrier.commitment, "commitment of a carrier")
        plaintexts.append(plaintext)
        openings.append(opening)
    pad = decrypt(envelope, payload_key, 1, streams[at:])
    authentic(len(pad) == manifest.pad and not any(pad), "the pad is not zeros")
    return plaintexts, openings
