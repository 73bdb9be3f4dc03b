"""Envelopes and rewraps as a reader sees them without a key (envelope.md, Reading 1 to 9)."""

from __future__ import annotations

from dataclasses import dataclass, field

import decode as d
import wire
from outcome import NotAuthentic, Refused, step
from treaty import Agreement, Agreements, Mark
from trust import Credential, Statement, Trust, read_statement, require_in_force, require_standing, signed_by

MANIFEST_MOST = 8 << 20


@dataclass
class World:
    """What the reader has: whom it trusts, which agreements, which private keys, and the time."""

    now: int
    trust: Trust = field(default_factory=Trust)
    agreements: Agreements = field(default_factory=Agreements)
    identities: list[bytes] = field(default_factory=list)
    recorded: int | None = None
    answered: dict[bytes, int] = field(default_factory=dict)

    def evidence(self, statement: bytes) -> int | None:
        """revocation.md, Evidence: of a statement that the reader's journal may have, and a dispatch that the other party may have answered."""
        times = [time for time in (self.recorded, self.answered.get(statement)) if time is not None]
        return min(times, default=None)


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
    envelope_id: bytes = b""
    package: str = ""

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
    with step("statement 7"):
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
    d.extensions(extensions)
    parties = d.body(origin), d.body(destination), d.body(confirming)
    d.need(parties[0][0] != parties[1][0] == parties[2][0], "parties of origin, destination and confirming")
    channel, number, due, detail = d.fields(stamp, 4)
    inside = d.digest_of(detail) if isinstance(detail, bytes) else read_detail(detail)
    named = d.binary(envelope_id, 32), d.text(number, 64)
    return Core(raw, d.digest_of(agreement), *parties, d.digest_of(sealing), d.word(channel), d.time(due), inside, *named)


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
        check_signer(dispatch, core, world)
    return Envelope(sections, dispatch, core, stanzas)


def check_signer(dispatch: Dispatch, core: Core, world: World) -> None:
    """Reading 6."""
    authentic(dispatch.signer.digest == core.sealing, "signed by another credential than the one in core")
    refuse(dispatch.signer.body != core.origin, "the sealer is of another body")
    refuse(not dispatch.signer.valid_at(dispatch.sealed_at), "the sealer's credential is not valid at sealed at")
    require_standing(dispatch.signer, dispatch.sealed_at, lambda: world.evidence(dispatch.statement.raw), world.trust)


def check_agreement(core: Core, sealed_at: int, accepted_at: int, world: World) -> Agreement:
    """Reading 7."""
    agreement = world.agreements.known.get(core.agreement)
    if agreement is None:
        raise Refused("the agreement is not known")
    refuse({core.origin[0], core.destination[0]} != set(agreement.sides), "the agreement is of other parties")
    world.agreements.in_force(agreement, sealed_at, accepted_at)
    party, destination = core.destination
    named = [destination if one == "destination" else one for one in agreement.sides[party].confirming]
    refuse(core.confirming[1] not in world.trust.who(named, party, "confirming", sealed_at), "this body may not confirm")
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
    require_in_force(credential, when, trust, "an addressee's credential is not valid then")
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

    raw: bytes
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
    return Rewrap(raw, signer, d.digest_of(dispatch), d.digest_of(addressee), *read_stanza(stanza), d.time(made_at))


def check_rewrap(rewrap: Rewrap, dispatch: Dispatch, core: Core, skew: int, world: World) -> None:
    """envelope.md, Detached stanza: all but that the addressee is in the header."""
    trust = world.trust
    authentic(rewrap.dispatch == dispatch.statement.digest, "a rewrap of another dispatch")
    by = trust.credentials.get(rewrap.addressee)
    if by is None or (by.subject, by.body) != (rewrap.signer.subject, rewrap.signer.body):
        raise Refused("signed by somebody else than the addressee")
    require_in_force(by, rewrap.made_at, trust, "the addressee's credential is not valid at made at")
    refuse(not rewrap.signer.valid_at(rewrap.made_at), "the signer's credential is not valid at made at")
    require_standing(rewrap.signer, rewrap.made_at, lambda: world.evidence(rewrap.raw), trust)
    refuse(rewrap.made_at < dispatch.sealed_at - skew, "made before the envelope was sealed")
    check_addressee(trust.credentials.get(rewrap.recipient), core, core.detail, rewrap.made_at, trust)


def rewrapped(raw: bytes, envelope: Envelope, agreement: Agreement, world: World) -> Rewrap:
    """A rewrap for an envelope that is at hand."""
    rewrap = read_rewrap(raw, world.trust)
    refuse(rewrap.addressee not in envelope.stanzas, "made by somebody who is no addressee")
    check_rewrap(rewrap, envelope.dispatch, envelope.core, agreement.skew, world)
    return rewrap
