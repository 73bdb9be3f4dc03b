"""Sealing (specs/envelope.md, Producing): carriers → manifest → payload → dispatch → container, in one pass."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, BinaryIO

from valiza.envelope import permission
from valiza.envelope.carrier import check_name, check_twins, open_carrier
from valiza.envelope.container import pack_footer
from valiza.envelope.dispatch import Dispatch, sign_dispatch
from valiza.envelope.header import MAX_STANZAS, Core, Stanza, header_digest, make_core, pack_stanzas, wrap_info
from valiza.envelope.journal import Expectation
from valiza.envelope.manifest import (
    MAX_CARRIERS,
    MAX_LIST,
    Basis,
    Entry,
    Manifest,
    Reference,
    carrier_key,
    commitment,
    marks_digest,
    opening_proof,
    pack_manifest,
    unpack_manifest,
)
from valiza.envelope.manifest_copy import make_manifest_copy
from valiza.envelope.payload import MANIFEST_STREAM, PAD_STREAM, PayloadWriter, Streams, carrier_stream, write_all
from valiza.envelope.route import MAX_LEGS, Leg, Marks, Route, Stamp, close_stamp, read_stamp
from valiza.keys import labels
from valiza.keys.digests import digest, keyed_hasher
from valiza.keys.errors import Malformed, Refused
from valiza.keys.fields import Body, Mark, text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from valiza.envelope.agreement import Agreement, Agreements
    from valiza.envelope.carrier import Carrier
    from valiza.envelope.clearance import Clearances
    from valiza.envelope.profile import Profile
    from valiza.keys.credential import Credential
    from valiza.keys.fields import Attachments
    from valiza.keys.statement import Signer, Statement
    from valiza.keys.trust import Trust

__all__ = ["Consignment", "PreparedConsignment", "SealedEnvelope", "prepare", "seal_envelope"]


@dataclass(frozen=True, kw_only=True)
class Consignment:
    """What is to be sealed, as the origin's officer asks for it."""

    destination: Body
    confirming: Body
    agreement: Agreement
    channel: str
    transport: str
    escort: str
    legs: tuple[Leg, ...]
    reference: str
    package: str
    due_at: int
    carriers: Sequence[Carrier]
    basis: tuple[Basis, ...]
    purpose: str
    term: str = ""
    caveats: tuple[str, ...] = ()
    references: tuple[Reference, ...] = ()
    addressees: Sequence[Credential] = field(repr=False)
    clearances: Clearances | None = field(default=None, repr=False)  # then each addressee has to be confirmed
    keep_for: Sequence[Credential] = field(default=(), repr=False)


@dataclass(frozen=True, kw_only=True)
class PreparedConsignment:
    """A consignment that the agreement permits: step 1 is done."""

    consignment: Consignment
    sealer: Credential
    carrier_marks: tuple[Marks, ...]
    route: Route
    at: int

    @property
    def marks(self) -> Marks:
        """The envelope's pair of marks."""
        return self.route.marks


@dataclass(frozen=True, kw_only=True)
class SealedEnvelope:
    """What sealing made, apart from the container itself."""

    core: Core
    dispatch: Statement
    expectation: Expectation
    manifest_copy: bytes | None = field(repr=False)
    marks: Marks
    length: int


def prepare(consignment: Consignment, *, sealer: Credential, trust: Trust, agreements: Agreements, at: int) -> PreparedConsignment:
    """Check that everything is permitted (envelope.md, Producing 1).

    Raises:
        Refused: the agreement, a clearance or a validity forbids it; the message names the clause.
        Malformed: a carrier's name or a text cannot be.
    """
    c = consignment
    profile = c.agreement.profile
    origin = sealer.body
    trust.require_fresh([p.id for p in profile.parties], at, "sealing")
    agreements.require_in_force(c.agreement, sealed_at=at, accepted_at=at)
    if sealer.purpose != "seal":
        message = f"{sealer.title!r} is certified to {sealer.purpose}, not to seal"
        raise Refused(message)
    trust.require_in_force(sealer, at=at, act="sealing")
    permission.require_bodies(profile, trust, origin=origin, destination=c.destination, confirming=c.confirming, at=at)
    _require_carriers(c.carriers)
    for items, most, what in ((c.legs, MAX_LEGS, "legs"), (c.basis, MAX_LIST, "bases"), (c.caveats, MAX_LIST, "caveats")):
        _require_few(items, most, what)
    _require_few(c.references, MAX_LIST, "references to others")
    carrier_marks = tuple(_pair(profile, Mark(origin.party, carrier.code)) for carrier in c.carriers)
    marks = permission.envelope_marks(profile, [m.origin for m in carrier_marks])
    route = Route(marks=marks, transport=c.transport, escort=c.escort, legs=c.legs, reference=c.reference)
    permission.require_route(profile, origin_party=origin.party, channel=c.channel, route=route)
    c = _confirmed(c, marks.origin, at)
    permission.require_basis(profile, origin.party, c.basis)
    text(c.purpose, "purpose (A4.1)")
    permission.require_sealer_cleared(sealer, marks)
    if not 1 <= len(c.addressees) <= MAX_STANZAS:
        message = f"an envelope has 1 to {MAX_STANZAS} addressees, not {len(c.addressees)}"
        raise Refused(message)
    if len({a.digest for a in c.addressees}) != len(c.addressees):
        message = "an addressee is named twice"
        raise Refused(message)
    for addressee in c.addressees:
        permission.require_addressee(addressee, trust, destination=c.destination, degree=marks.destination.code, at=at)
    if c.due_at < at:
        message = "the receipt would be due before the envelope is sealed"
        raise Refused(message)
    prepared = PreparedConsignment(consignment=c, sealer=sealer, carrier_marks=carrier_marks, route=route, at=at)
    _require_readable(prepared)
    return prepared


def _confirmed(c: Consignment, wanted: Mark, at: int) -> Consignment:
    """The consignment, with a basis for each confirmation that its addressees need (clearance.md, Sealing)."""
    if c.clearances is None:
        return c
    used = {one.digest: one for one in (c.clearances.require(a, agreement=c.agreement, wanted=wanted, at=at) for a in c.addressees)}
    basis = (*c.basis, *(one.basis for one in used.values()))
    _require_few(basis, MAX_LIST, "bases")
    return replace(c, basis=basis)


def _require_readable(prepared: PreparedConsignment) -> None:
    """What we seal, every reader accepts: stamp and manifest are read back before a key is used or a number given out."""
    nothing = bytes(32)
    read_stamp(_stamp(prepared, nothing).packed())
    entries = [
        _entry(carrier, marks, None if carrier.path is None else 0, None if carrier.path is None else nothing)
        for carrier, marks in zip(prepared.consignment.carriers, prepared.carrier_marks, strict=True)
    ]
    try:
        unpack_manifest(pack_manifest(_manifest(prepared, salt=nothing, core_digest=nothing, entries=entries, pad_length=0)))
    except Malformed:
        _require_names([carrier.name for carrier in prepared.consignment.carriers if carrier.path is not None])  # tells more, if it is one of them
        raise


def _require_names(names: Sequence[str]) -> None:
    try:
        for name in names:
            check_name(name)
        check_twins(names)
    except Malformed as error:
        raise Malformed(error.message, "rename the file, or give the carrier another name in an inventory: --inventory FILE") from error


def _pair(profile: Profile, mark: Mark) -> Marks:
    return Marks(mark, profile.counterpart(mark))


def _require_carriers(carriers: Sequence[Carrier]) -> None:
    if not 1 <= len(carriers) <= MAX_CARRIERS:
        message = f"an envelope has 1 to {MAX_CARRIERS} carriers, not {len(carriers)}"
        raise Refused(message)


def _require_few(items: Sequence[object], most: int, what: str) -> None:
    if len(items) > most:
        message = f"an envelope has at most {most} {what}, not {len(items)}"
        raise Malformed(message)


def seal_envelope(
    prepared: PreparedConsignment,
    *,
    key: Signer,
    out: BinaryIO,
    random: Callable[[int], bytes],
    attachments: Attachments = (),
    progress: Callable[[int], None] = lambda _: None,
) -> SealedEnvelope:
    """Seal a consignment into `out`, an unbuffered file (envelope.md, Producing 2 to 6).

    Args:
        prepared: what `prepare` permitted.
        key: of the sealer's `seal` credential.
        out: where the container goes; what is in it counts only when this returns.
        random: source of that many secret random bytes.
        attachments: what travels with the dispatch (log.md, Attachments).
        progress: told the bytes of plaintext as they are done.

    Raises:
        Refused, Unavailable: a carrier is no regular file, or cannot be read.
    """
    c = prepared.consignment
    profile = c.agreement.profile
    salt, envelope_id, payload_key = random(32), random(32), random(32)  # step 2

    core = make_core(  # step 3
        envelope_id=envelope_id,
        agreement=c.agreement.digest,
        origin=prepared.sealer.body,
        destination=c.destination,
        confirming=c.confirming,
        sealing_credential=prepared.sealer.digest,
        stamp=_stamp(prepared, salt),
    )
    stanzas = [Stanza(a.digest, a.recipient.wrap(payload_key, wrap_info(core.digest, a.digest))) for a in c.addressees]
    header = core.raw + pack_stanzas(stanzas)
    write_all(out, memoryview(header))

    streams = Streams(payload_key, core_digest=core.digest, header_digest=header_digest(header))
    with PayloadWriter(streams, out, progress) as writer:
        entries: list[Entry] = []  # step 4
        openings: list[bytes | None] = []
        for index, (carrier, marks) in enumerate(zip(c.carriers, prepared.carrier_marks, strict=True)):
            size, opening = _seal_carrier(writer, carrier, index, salt)
            openings.append(opening)
            entries.append(_entry(carrier, marks, size, opening))
        pad_length = profile.padding.length(sum(entry.size or 0 for entry in entries))
        writer.write_zeros(PAD_STREAM, pad_length)
        manifest = _manifest(prepared, salt=salt, core_digest=core.digest, entries=entries, pad_length=pad_length)  # step 5
        plain = pack_manifest(manifest)
        manifest_length = writer.write_bytes(MANIFEST_STREAM, plain)
        payload_digest, payload_length = writer.digest(), writer.length

    dispatch = Dispatch(  # step 6
        core_digest=core.digest,
        header_digest=header_digest(header),
        payload_digest=payload_digest,
        manifest_digest=digest(labels.DIGEST_MANIFEST, plain),
        core_length=len(core.raw),
        header_length=len(header),
        payload_length=payload_length,
        manifest_length=manifest_length,
        sealed_at=prepared.at,
        attachments=attachments,
    )
    statement = sign_dispatch(dispatch, prepared.sealer, key)
    footer = pack_footer(core_length=len(core.raw), header_length=len(header), payload_length=payload_length, manifest_length=manifest_length)
    write_all(out, memoryview(statement.raw + footer))

    codes = tuple(entry.marks.destination.code for entry in entries)
    expectation = Expectation(  # step 7 is the caller's: record it before the envelope gets its name
        dispatch=statement.raw,
        core=core.raw,
        addressees=tuple(sorted(a.digest for a in c.addressees)),
        openings=tuple(openings),
        proof=opening_proof(salt, statement.digest, dispatch.manifest_digest, tuple(openings)),
        marks=marks_digest(salt, codes) if profile.closed else codes,
    )
    return SealedEnvelope(
        core=core,
        dispatch=statement,
        expectation=expectation,
        manifest_copy=make_manifest_copy(plain, statement.digest, c.keep_for, random),
        marks=prepared.marks,
        length=len(header) + payload_length + len(statement.raw) + len(footer),
    )


def _stamp(prepared: PreparedConsignment, salt: bytes) -> Stamp:
    c = prepared.consignment
    closed = c.agreement.profile.closed
    return Stamp(
        channel=c.channel,
        package=c.package,
        due_at=c.due_at,
        route=None if closed else prepared.route,
        hidden=close_stamp(salt, prepared.route) if closed else None,
    )


def _manifest(prepared: PreparedConsignment, *, salt: bytes, core_digest: bytes, entries: Sequence[Entry], pad_length: int) -> Manifest:
    c = prepared.consignment
    return Manifest(
        salt=salt,
        core_digest=core_digest,
        carriers=tuple(entries),
        pad_length=pad_length,
        basis=c.basis,
        purpose=c.purpose,
        term=c.term,
        caveats=c.caveats,
        references=c.references,
        route=prepared.route if c.agreement.profile.closed else None,
        extensions={},
    )


def _seal_carrier(writer: PayloadWriter, carrier: Carrier, index: int, salt: bytes) -> tuple[int | None, bytes | None]:
    """Encrypt one carrier; returns its size and d_i, both None for a physical one."""
    if carrier.path is None:
        return None, None
    plain = keyed_hasher(carrier_key(salt, index))
    with open_carrier(carrier.path) as source:
        size = writer.write_stream(carrier_stream(index), source, plain)
    return size, plain.digest()


def _entry(carrier: Carrier, marks: Marks, size: int | None, opening: bytes | None) -> Entry:
    return Entry(
        name=carrier.name,
        media_type="" if size is None else carrier.media_type,
        size=size,
        commitment=None if opening is None else commitment(opening),
        marks=marks,
        registration=carrier.registration,
        copy=carrier.copy,
        sheets=carrier.sheets,
        classified_by=carrier.classified_by,
        ground=carrier.ground,
    )
