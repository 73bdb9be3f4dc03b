"""Evidence bundles: an office gathers what it has of an envelope, and shows what it is told to show; anybody verifies one (specs/evidence.md)."""

from __future__ import annotations

from contextlib import closing, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final

from valiza.envelope.manifest import carrier_key, unpack_manifest
from valiza.envelope.payload import MANIFEST_STREAM, carrier_stream, stream_length, write_all
from valiza.envelope.verifying import authenticate
from valiza.keys import labels
from valiza.keys.digests import digest
from valiza.keys.errors import NotAuthentic, Refused, Unavailable, Usage
from valiza.keys.files import NewFile, new_folder
from valiza.office.reader import envelope_file, read_object
from valiza.office.receiving import unseal
from valiza.office.registering import prove_entry
from valiza.office.sending import kept_manifest_stream
from valiza.register.bundle import (
    ANSWER,
    DISPATCH,
    RECEIPT,
    Bundle,
    DisclosedCarrier,
    LoggedEntry,
    LogPart,
    pack_bundle,
    read_bundle_file,
)
from valiza.register.evidence import EVIDENT, VerifiedBundle, peek_core, release_carriers, verify_bundle
from valiza.register.findings import Findings, findings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from valiza.envelope.header import Core
    from valiza.envelope.opening import UnsealedManifest
    from valiza.envelope.verifying import AuthenticDispatch
    from valiza.office.home import Office
    from valiza.register.entry import Entry
    from valiza.register.evidence import ShownCarrier

__all__ = ["Evidence", "make_evidence", "read_evidence", "verify_evidence"]

MANIFEST: Final = "manifest"
_BLOCK: Final = 1 << 20
_FURTHER: Final = ("conflict", "notice", "handover", "overdue")


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """A bundle that was verified, the carriers that it shows, and what all that comes to."""

    verified: VerifiedBundle
    shown: tuple[ShownCarrier, ...]
    findings: Findings


@dataclass(frozen=True, kw_only=True)
class _Shown:
    """What is disclosed of an envelope, and where its streams are."""

    manifest: bytes | None = None
    carriers: tuple[DisclosedCarrier, ...] = ()
    places: tuple[int, ...] = ()


# -- making ------------------------------------------------------------------------------------------------------------


def make_evidence(
    office: Office,
    dispatch_digest: bytes,
    out: Path,
    *,
    disclose: Sequence[str] = (),
    envelope: Path | None = None,
    officer: str | None = None,
    at: int,
) -> Evidence:
    """Gather what this office has of an envelope into the new file `out`; it gets its name once it was verified as others will.

    Args:
        office: the origin's, the destination's or the confirming body's.
        dispatch_digest: of the envelope, which is in the register.
        out: a new file.
        disclose: `manifest`, and carriers by index or name.
        envelope: the envelope, where something is shown that only it holds.
        officer: whose key opens what is shown; None: the only one here who can.
        at: now, in seconds since 1970.

    Raises:
        Usage: what is to be shown is not in it, or the envelope is needed. Refused, NoKey, Unavailable: it cannot be made.
    """
    with closing(NewFile(out, 0o600)) as new, envelope_file(envelope) if envelope is not None else nullcontext() as source:
        authentic = None if source is None else _same_envelope(office, source, dispatch_digest)
        shown = _disclosed(office, dispatch_digest, source, disclose=disclose, officer=officer, at=at)
        bundle = _gather(office, dispatch_digest, authentic, shown, at)
        new.write(pack_bundle(bundle))
        if source is not None:
            for carrier, place in zip(shown.carriers, shown.places, strict=True):
                _copy(source, place, carrier.stream_length, new.file)
        made = _verify(new.file, [office.pinned()[party] for party in office.pinned()])
        new.finish()
    return made


def _same_envelope(office: Office, source: BinaryIO, dispatch_digest: bytes) -> AuthenticDispatch:
    authentic = authenticate(source, office.trust, office.journal)
    if authentic.signed.digest != dispatch_digest:
        message = "the file is another envelope than the one that the bundle is about"
        raise Usage(message, "name the envelope by its file, or give the one that belongs to it with --envelope")
    return authentic


def _gather(office: Office, dispatch_digest: bytes, authentic: AuthenticDispatch | None, shown: _Shown, at: int) -> Bundle:
    journal = office.journal
    story = journal.story(dispatch_digest)
    dispatch = next((entry.statement for entry in story if entry.kind in {"sealed", "arrived"}), None)
    if dispatch is None:
        message = "this register has only what was told of the envelope's transport: it was neither sealed here, nor did it come here"
        raise Refused(message, "evidence is made where it was sealed, came in or was confirmed")
    receipt, answer = journal.stored_receipt(dispatch_digest), journal.stored_answer(dispatch_digest)
    core: bytes | None = None
    if receipt is not None:
        kind, statement = RECEIPT, receipt.raw
    elif answer is not None:
        kind, statement = ANSWER, answer
    else:
        kind, core = DISPATCH, _core(office, dispatch_digest, authentic)
        statement = dispatch
    bundle = Bundle(kind=kind, made_at=at, statement=statement, core=core, rosters=(), agreements=(), logs=())
    said = peek_core(bundle)
    parties = sorted((said.origin.party, said.destination.party))
    for party in parties:
        if party not in office.trust.rosters:
            message = f"no roster of {party} is known here"
            raise Refused(message, "import it with: valiza roster import FILE --root FINGERPRINT")
    return Bundle(
        kind=kind,
        made_at=at,
        statement=statement,
        core=core,
        rosters=tuple(office.trust.rosters[party].raw for party in parties),
        agreements=_agreements(office, said),
        further=tuple(sorted({entry.statement for entry in story if entry.kind in _FURTHER})),
        cores=tuple(sorted({entry.record for entry in story if entry.kind == "conflict" and entry.record})),
        logs=(LogPart(body=office.body, entries=_entries(office, story)),),
        manifest=shown.manifest,
        carriers=shown.carriers,
    )


def _core(office: Office, dispatch_digest: bytes, authentic: AuthenticDispatch | None) -> bytes:
    """The core of an envelope that nobody answered."""
    expected, opening = office.journal.expectation(dispatch_digest), office.journal.opening(dispatch_digest)
    if expected is not None:
        return expected.core
    if opening is not None:
        return opening.expectation.core
    if authentic is None:
        message = "this envelope was neither sealed nor opened nor answered here, so its header is only in the envelope"
        raise Usage(message, "give it with --envelope FILE")
    return authentic.core.raw


def _agreements(office: Office, core: Core) -> tuple[bytes, ...]:
    """The agreement and all that bears on it; nothing where it is not adopted here, as a refused envelope's may be."""
    known = {agreement.digest: agreement for agreement in office.agreements.all()}
    return tuple(office.agreements.bearing_on(known[core.agreement])) if core.agreement in known else ()


def _entries(office: Office, story: Sequence[Entry]) -> tuple[LoggedEntry, ...]:
    """The entries of the envelope, each with the best proof that there is: of a head that the other party cosigned, or of one signed here."""
    found = []
    for entry in story:
        if entry.kind in EVIDENT:
            proved = prove_entry(office, entry)
            standing = "entered" if proved is None else "cosigned" if proved.cosigned_by else "signed"
            found.append(LoggedEntry(leaf=entry.leaf(), standing=standing, proof=b"" if proved is None else proved.proof))
    return tuple(found)


# -- disclosing --------------------------------------------------------------------------------------------------------


def _disclosed(office: Office, dispatch_digest: bytes, source: BinaryIO | None, *, disclose: Sequence[str], officer: str | None, at: int) -> _Shown:
    if not disclose:
        return _Shown()
    names = [name for name in disclose if name != MANIFEST]
    if source is None:
        if names:
            message = "a carrier is shown from the envelope, with the key of an addressee"
            raise Usage(message, "give the envelope with --envelope FILE")
        return _Shown(manifest=kept_manifest_stream(office, dispatch_digest, officer))
    if not names and office.journal.manifest_copy(dispatch_digest) is not None:
        return _Shown(manifest=kept_manifest_stream(office, dispatch_digest, officer))
    unsealed = unseal(office, source, officer=officer, at=at)
    carriers = sorted({_index(unsealed, name) for name in names})
    return _Shown(
        manifest=_manifest_stream(unsealed) if MANIFEST in disclose else None,
        carriers=tuple(_shown(unsealed, index) for index in carriers),
        places=tuple(_place(unsealed, index) for index in carriers),
    )


def _index(unsealed: UnsealedManifest, wanted: str) -> int:
    """The index of a file carrier, named by it or by its name."""
    entries = unsealed.manifest.carriers
    found = [index for index, entry in enumerate(entries) if wanted in {str(index), entry.name}]
    named = [index for index in found if entries[index].name == wanted] or found
    if len(named) != 1:
        message = f"{'several carriers are' if named else 'no carrier is'} named {wanted!r}: the envelope has {len(entries)}, counted from 0"
        raise Usage(message, "valiza open shows them, or the manifest: valiza register show --manifest")
    if entries[named[0]].physical:
        message = f"the carrier {wanted!r} is a physical one: there is nothing of it to show"
        raise Usage(message)
    return named[0]


def _shown(unsealed: UnsealedManifest, index: int) -> DisclosedCarrier:
    return DisclosedCarrier(
        index=index,
        stream_key=unsealed.streams.key(carrier_stream(index)),
        commitment_key=carrier_key(unsealed.manifest.salt, index),
        size=unsealed.manifest.carriers[index].size or 0,
    )


def _place(unsealed: UnsealedManifest, index: int) -> int:
    """Where the stream of a file carrier begins in the container."""
    before = unsealed.manifest.carriers[:index]
    return unsealed.verified.authentic.container.header_length + sum(stream_length(entry.size) for entry in before if entry.size is not None)


def _manifest_stream(unsealed: UnsealedManifest) -> bytes:
    """The plaintext of the manifest stream, which was decrypted and checked before."""
    stream = unsealed.verified.authentic.container.read_manifest_stream()
    decryptor = unsealed.streams.decryptor(MANIFEST_STREAM)
    plain = bytes(decryptor.update(stream) + decryptor.finalize())
    if digest(labels.DIGEST_MANIFEST, plain) != unsealed.verified.signed.body.manifest_digest or unpack_manifest(plain) != unsealed.manifest:
        message = "the manifest is not the one signed"
        raise NotAuthentic(message)
    return plain


def _copy(source: BinaryIO, place: int, length: int, out: BinaryIO) -> None:
    """Copy a stream as it is: it stays encrypted under its own key."""
    source.seek(place)
    while length:
        data = source.read(min(length, _BLOCK))
        if not data:
            message = "the envelope became shorter while it was read"
            raise Unavailable(message)
        write_all(out, memoryview(data))
        length -= len(data)


# -- verifying ---------------------------------------------------------------------------------------------------------


def read_evidence(source: BinaryIO) -> Bundle:
    """What a bundle says that it holds: nothing of it is checked."""
    return read_bundle_file(source).bundle


def verify_evidence(
    path: Path,
    fingerprints: Sequence[bytes],
    into: Path | None = None,
    *,
    rosters: Sequence[Path] = (),
    progress: Callable[[int], None] = lambda _: None,
) -> Evidence:
    """Verify a bundle with nothing but the fingerprints of both parties' roots; without office, roster and network.

    Args:
        path: the bundle.
        fingerprints: as a person compared them.
        into: a folder for the carriers that it shows, which must not exist; None: they are only checked.
        rosters: files with rosters of one party or both, from themselves.
        progress: takes the bytes done since its last call.

    Raises:
        Usage: a roster is of another party. Malformed, NotAuthentic, Refused, Incomplete: what is wrong with it or missing. Unavailable: the disk.
    """
    if not fingerprints:
        message = "an evidence bundle is verified with the fingerprints of both parties' roots"
        raise Usage(message, "give each with --root FINGERPRINT, as you compared it: whoever made the bundle is no source for it")
    own = [read_object(roster, labels.ROSTER) for roster in rosters]
    with envelope_file(path) as source:
        if into is None:
            return _verify(source, fingerprints, None, own, progress)
        with new_folder(into) as work:
            made = _verify(source, fingerprints, work, own, progress)
            if not made.shown:
                message = "the evidence bundle shows no carrier: there is nothing to write"
                raise Refused(message, "leave out -o")
            return made


def _verify(
    source: BinaryIO,
    fingerprints: Sequence[bytes],
    into: Path | None = None,
    rosters: Sequence[bytes] = (),
    progress: Callable[[int], None] = lambda _: None,
) -> Evidence:
    verified = verify_bundle(read_bundle_file(source), fingerprints, rosters)
    shown = release_carriers(verified, into, progress)
    return Evidence(verified=verified, shown=shown, findings=findings(verified, shown))
