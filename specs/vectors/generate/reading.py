"""Envelopes and rewraps as a reader sees them (envelope.md, Reading 1 to 15)."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from datetime import date

import decode as d
import wire
from cryptography.cobblestone import Cobblestone256Decryptor
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from outcome import Malformed, NoKey, NotAuthentic, Refused, step
from treaty import BASES, Agreement, Agreements, Mark
from trust import Credential, Statement, Trust, read_statement, signed_by

MANIFEST_MOST = 8 << 20
RELATIONS = ("part-of", "reply-to", "return-of", "supersedes")
MEDIA = re.compile(r"(?=.{3,127}\Z)[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+")
RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)")
SUITE = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


@dataclass
class World:
    """What the reader has: whom it trusts, which agreements, which private keys, and the time."""

    now: int
    trust: Trust = field(default_factory=Trust)
    agreements: Agreements = field(default_factory=Agreements)
    identities: list[bytes] = field(default_factory=list)


@dataclass(frozen=True)
class Detail:
    """What an open stamp shows and a closed one hides."""

    origin_mark: Mark
    destination_mark: Mark
    transport: str
    escort: str
    legs: list[tuple[str, str]]
    reference: str


@dataclass(frozen=True)
class Core:
    """A header's core, its prefix included in *raw*."""

    raw: bytes
    agreement: bytes
    origin: tuple[str, str]
    destination: tuple[str, str]
    confirming: tuple[str, str]
    sealing: bytes
    channel: str
    due: int
    detail: Detail | bytes

    @property
    def digest(self) -> bytes:
        """What the dispatch, the manifest and every stanza name."""
        return wire.digest("core", self.raw)


@dataclass(frozen=True)
class Dispatch:
    """A dispatch whose signature holds."""

    statement: Statement
    signer: Credential
    core: bytes
    header: bytes
    payload: bytes
    manifest: bytes
    lengths: list[int]
    sealed_at: int


@dataclass(frozen=True)
class Sections:
    """A container, cut by its footer."""

    core: bytes
    stanzas: bytes
    streams: bytes
    manifest: bytes
    dispatch: bytes
    prefix: bytes

    @property
    def payload(self) -> bytes:
        """All ciphertext."""
        return self.streams + self.manifest


@dataclass(frozen=True)
class Envelope:
    """An envelope that passed steps 1 to 6, and what it was judged by later."""

    sections: Sections
    dispatch: Dispatch
    core: Core
    stanzas: dict[bytes, bytes]

    @property
    def header(self) -> bytes:
        """Digest of the whole header."""
        return wire.digest("header", self.sections.core + self.sections.stanzas)


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


def refuse(condition: bool, reason: str) -> None:  # noqa: FBT001 - a condition and what it means
    """Refused, where the condition holds."""
    if condition:
        raise Refused(reason)


def authentic(condition: bool, reason: str) -> None:  # noqa: FBT001 - as `assert` takes it
    """Not authentic, unless the condition holds."""
    if not condition:
        raise NotAuthentic(reason)


def cut(raw: bytes) -> Sections:
    """Reading 1."""
    d.need(56 <= len(raw) <= 1 << 50, "too short or too long")
    footer = raw[-44:]
    d.need(footer[:12] == wire.PREFIX, "magic, version or suite of the footer")
    core, header, manifest, dispatch = (int.from_bytes(footer[i : i + 8], "big") for i in range(12, 44, 8))
    d.need(12 < core < header < manifest < dispatch < len(raw) - 44, "sections overlap")
    d.need(core <= 32768 and header <= 131072 and len(raw) - 44 - dispatch <= 1 << 20, "a section over its limit")
    d.need(dispatch - manifest <= wire.stream_length(MANIFEST_MOST + 4096), "manifest stream over its limit")
    return Sections(raw[:core], raw[core:header], raw[header:manifest], raw[manifest:dispatch], raw[dispatch:-44], footer[:12])


def read_dispatch(raw: bytes, trust: Trust) -> Dispatch:
    """The statement: find its signer, verify, then decode."""
    statement = read_statement(raw, "dispatch")
    signer = signed_by(statement, trust)
    with step("statement 6"):
        core, header, payload, manifest, lengths, sealed_at, attached, extensions = d.fields(d.decode(statement.body), 8)
        d.attachments(attached)
        d.extensions(extensions)
        sizes = [d.integer(length) for length in d.fields(lengths, 4)]
        named = d.digest_of(core), d.digest_of(header), d.digest_of(payload), d.digest_of(manifest)
        return Dispatch(statement, signer, *named, sizes, d.time(sealed_at))


def read_core(raw: bytes) -> Core:
    """A core, prefix included."""
    d.need(len(raw) <= 32768 and raw[:12] == wire.PREFIX, "prefix of the header")
    envelope_id, agreement, origin, destination, confirming, sealing, stamp, extensions = d.fields(d.decode(raw[12:]), 8)
    d.binary(envelope_id, 32)
    d.extensions(extensions)
    parties = d.body(origin), d.body(destination), d.body(confirming)
    d.need(parties[0][0] != parties[1][0] == parties[2][0], "parties of origin, destination and confirming")
    channel, number, due, detail = d.fields(stamp, 4)
    d.text(number, 64)
    inside = d.digest_of(detail) if isinstance(detail, bytes) else read_detail(detail)
    return Core(raw, d.digest_of(agreement), *parties, d.digest_of(sealing), d.word(channel), d.time(due), inside)


def read_detail(value: d.Value) -> Detail:
    """The detail of a stamp."""
    marks, transport, escort, legs, reference = d.fields(value, 5)
    one, other = d.fields(marks, 2)
    pairs = [(d.text(start), d.text(end)) for start, end in (d.fields(leg, 2) for leg in d.array(legs, 1, 16))]
    return Detail(d.mark(one), d.mark(other), d.word(transport), d.word(escort), pairs, d.text(reference, 1000, 0))


def read_stanzas(raw: bytes) -> dict[bytes, bytes]:
    """Wrapped keys by credential digest."""
    pairs = [read_stanza(item) for item in d.array(d.decode(raw), 1, 64)]
    d.ascending(pairs, lambda pair: pair[0])
    return dict(pairs)


def read_stanza(value: d.Value) -> tuple[bytes, bytes]:
    """One stanza, its X25519 half checked."""
    credential, wrapped = d.fields(value, 2)
    data = d.binary(wrapped, 1168)
    d.x25519_key(data[1088:1120])
    return d.digest_of(credential), data


def read_authentic(raw: bytes, world: World) -> Envelope:
    """Reading 1 to 6: AuthenticDispatch."""
    with step(1):
        sections = cut(raw)
    with step(2):
        d.need(sections.core[:12] == sections.prefix, "the header's prefix is not the footer's")
    with step(3):
        dispatch = read_dispatch(sections.dispatch, world.trust)
    with step(4):
        header = sections.core + sections.stanzas
        sizes = [len(part) for part in (sections.core, header, sections.payload, sections.manifest)]
        authentic(dispatch.lengths == sizes, "the lengths signed are not those of the footer")
        authentic(dispatch.core == wire.digest("core", sections.core), "digest of core")
        authentic(dispatch.header == wire.digest("header", header), "digest of header")
    with step(5):
        core, stanzas = read_core(sections.core), read_stanzas(sections.stanzas)
    with step(6):
        check_signer(dispatch, core)
    return Envelope(sections, dispatch, core, stanzas)


def check_signer(dispatch: Dispatch, core: Core) -> None:
    """Reading 6."""
    authentic(dispatch.signer.digest == core.sealing, "signed by another credential than the one in core")
    refuse(dispatch.signer.body != core.origin, "the sealer is of another body")
    refuse(not dispatch.signer.valid_at(dispatch.sealed_at), "the sealer's credential is not valid at sealed at")


def check_agreement(core: Core, sealed_at: int, accepted_at: int, world: World) -> Agreement:
    """Reading 7."""
    agreement = world.agreements.known.get(core.agreement)
    if agreement is None:
        raise Refused("the agreement is not known")
    refuse({core.origin[0], core.destination[0]} != set(agreement.sides), "the agreement is of other parties")
    world.agreements.in_force(agreement, sealed_at, accepted_at)
    confirming = agreement.sides[core.destination[0]].confirming
    own = "destination" in confirming and core.confirming == core.destination
    refuse(not own and core.confirming[1] not in confirming, "this body may not confirm")
    refuse(isinstance(core.detail, bytes) != agreement.closed, "a stamp of the other form")
    refuse(core.due < sealed_at, "receipt due before sealed at")
    refuse(core.channel not in agreement.channels, "channel not known")
    if isinstance(core.detail, Detail):
        check_route(agreement, core, core.detail)
    return agreement


def check_route(agreement: Agreement, core: Core, detail: Detail) -> None:
    """Reading 7, what the stamp shows."""
    check_pair(agreement, core, (detail.origin_mark, detail.destination_mark))
    handling = agreement.handling[detail.origin_mark]
    refuse(core.channel not in handling.channels, "channel not allowed for this mark")
    refuse(detail.transport not in handling.transports, "transport method not allowed for this mark")
    refuse(detail.escort not in handling.escorts, "form of escort not allowed for this mark")
    refuse(agreement.channels[core.channel] and not detail.reference, "the channel needs a reference")
    connected = all(one[1] == other[0] for one, other in zip(detail.legs, detail.legs[1:], strict=False))
    d.need(connected, "a leg does not begin where the one before ended")


def check_pair(agreement: Agreement, core: Core, pair: tuple[Mark, Mark]) -> None:
    """A pair of marks is a row, in the direction of this envelope."""
    origin, destination = pair
    refuse(origin[0] != core.origin[0] or destination[0] != core.destination[0], "marks of other parties")
    refuse(agreement.rows.get(origin) != destination[1], "the pair of marks is no row")


def check_stanzas(envelope: Envelope, detail: Detail | bytes, world: World) -> None:
    """Reading 8; what a closed stamp hides is checked by another call, with the detail."""
    for digest in envelope.stanzas:
        check_addressee(world.trust.credentials.get(digest), envelope.core, detail, envelope.dispatch.sealed_at, world.trust)
    if isinstance(detail, Detail):
        clearance = envelope.dispatch.signer.clearance
        refuse(not world.trust.cleared(clearance, *detail.origin_mark), "the sealer is not cleared")


def check_addressee(credential: Credential | None, core: Core, detail: Detail | bytes, when: int, trust: Trust) -> None:
    """Reading 8, for one addressee."""
    if credential is None:
        raise Refused("an addressee is not known")
    refuse(credential.purpose != "open", "an addressee's credential has another purpose")
    refuse(credential.body != core.destination, "an addressee is of another body")
    refuse(not credential.valid_at(when), "an addressee's credential is not valid then")
    if isinstance(detail, Detail):
        refuse(not trust.cleared(credential.clearance, *detail.destination_mark), "an addressee is not cleared")


def verify_dispatch(raw: bytes, world: World, accepted_at: int | None = None) -> tuple[Envelope, Agreement]:
    """Reading 1 to 8: VerifiedDispatch."""
    envelope = read_authentic(raw, world)
    with step(7):
        accepted = world.now if accepted_at is None else accepted_at
        agreement = check_agreement(envelope.core, envelope.dispatch.sealed_at, accepted, world)
    with step(8):
        check_stanzas(envelope, envelope.core.detail, world)
    return envelope, agreement


def verify(raw: bytes, world: World, accepted_at: int | None = None) -> Envelope:
    """Reading 1 to 9: VerifiedEnvelope."""
    envelope, _ = verify_dispatch(raw, world, accepted_at)
    with step(9):
        authentic(wire.digest("payload", envelope.sections.payload) == envelope.dispatch.payload, "digest of the payload")
    return envelope


@dataclass(frozen=True)
class Rewrap:
    """A detached stanza whose signature holds."""

    signer: Credential
    dispatch: bytes
    addressee: bytes
    recipient: bytes
    wrapped: bytes
    made_at: int


def read_rewrap(raw: bytes, trust: Trust) -> Rewrap:
    """envelope.md, Detached stanza: signature and form."""
    statement = read_statement(raw, "rewrap")
    signer = signed_by(statement, trust)
    dispatch, addressee, stanza, made_at, extensions = d.fields(d.decode(statement.body), 5)
    d.extensions(extensions)
    return Rewrap(signer, d.digest_of(dispatch), d.digest_of(addressee), *read_stanza(stanza), d.time(made_at))


def check_rewrap(rewrap: Rewrap, dispatch: Dispatch, core: Core, skew: int, trust: Trust) -> None:
    """envelope.md, Detached stanza: all but that the addressee is in the header."""
    authentic(rewrap.dispatch == dispatch.statement.digest, "a rewrap of another dispatch")
    by = trust.credentials.get(rewrap.addressee)
    if by is None or (by.subject, by.body) != (rewrap.signer.subject, rewrap.signer.body):
        raise Refused("signed by somebody else than the addressee")
    refuse(not by.valid_at(rewrap.made_at) or not rewrap.signer.valid_at(rewrap.made_at), "a credential is not valid at made at")
    refuse(rewrap.made_at < dispatch.sealed_at - skew, "made before the envelope was sealed")
    check_addressee(trust.credentials.get(rewrap.recipient), core, core.detail, rewrap.made_at, trust)


def rewrapped(raw: bytes, envelope: Envelope, agreement: Agreement, world: World) -> Rewrap:
    """A rewrap for an envelope that is at hand."""
    rewrap = read_rewrap(raw, world.trust)
    refuse(rewrap.addressee not in envelope.stanzas, "made by somebody who is no addressee")
    check_rewrap(rewrap, envelope.dispatch, envelope.core, agreement.skew, world.trust)
    return rewrap


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
        if credential.digest in stanzas and credential.valid_at(world.now):
            mlkem_seed, scalar = wire.xwing_halves(by_key[credential.public_key])
            halves = MLKEM768PrivateKey.from_seed_bytes(mlkem_seed), X25519PrivateKey.from_private_bytes(scalar)
            info = wire.encode(["valiza/v1/wrap/payload-key", envelope.core.digest, credential.digest])
            try:
                return SUITE.decrypt(stanzas[credential.digest], hpke.MLKEM768X25519PrivateKey(*halves), info)
            except (InvalidTag, ValueError) as error:
                raise NotAuthentic("an own stanza does not open") from error
    refuse(any(credential.digest in stanzas for credential in own), "no own credential in the header is valid now")
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
