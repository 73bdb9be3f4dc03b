"""What an office does with an envelope that arrives: verify, open, pass on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from valiza.envelope.opening import OpenedEnvelope, UnsealedManifest, open_envelope, unseal_manifest
from valiza.envelope.rewrap import Rewrap, make_rewrap, read_rewrap
from valiza.envelope.verifying import VerifiedDispatch, VerifiedEnvelope, authenticate, verify_dispatch, verify_envelope
from valiza.keys import labels
from valiza.keys.errors import Conflict, Malformed, NoKey, Refused, Usage
from valiza.keys.files import about, new_folder
from valiza.office.heads import HeadNews, take_attachments
from valiza.office.reader import Reader, envelope_file, office_reader, read_object, write_object

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import BinaryIO

    from valiza.envelope.evidence import Seen
    from valiza.office.home import Office

__all__ = ["Opened", "check", "open_into", "pass_on", "unseal", "verify"]


def check(source: BinaryIO, reader: Reader, *, at: int, seen: Seen | None = None) -> VerifiedDispatch:
    """Authenticate and verify a dispatch, as of when this reader accepted it, and refuse another dispatch under a known identity.

    `seen` is what the reader knows of it, if that is more than what it remembers.
    """
    authentic = authenticate(source, reader.trust, seen or reader.seen)
    opening = None if reader.journal is None else reader.journal.opening(authentic.signed.digest)
    verified = verify_dispatch(authentic, trust=reader.trust, agreements=reader.agreements, at=at if opening is None else opening.opened_at)
    if reader.journal is not None:
        reader.journal.require_first(verified.signed.name)
    return verified


def verify(path: Path, reader: Reader, *, at: int, progress: Callable[[int], None] = lambda _: None) -> VerifiedEnvelope:
    """Verify a whole envelope without any key.

    Raises:
        Malformed, NotAuthentic, Refused, Unavailable: envelope.md, Reading 1 to 9.
    """
    with envelope_file(path) as source:
        return verify_envelope(check(source, reader, at=at), progress)


@dataclass(frozen=True, kw_only=True)
class Opened:
    """An opened envelope, its carriers in a folder under its final name."""

    envelope: OpenedEnvelope
    number: str
    again: bool
    news: tuple[HeadNews, ...]


def open_into(
    office: Office,
    path: Path,
    into: Path,
    *,
    officer: str | None,
    rewrap: Path | None,
    at: int,
    progress: Callable[[int], None] = lambda _: None,
    confine: Callable[[Path], None] = lambda _: None,
) -> Opened:
    """Open an envelope into a new folder: all of it, or nothing.

    Args:
        office: whose keys open it, and whose register enters it.
        path: the envelope.
        into: the folder, which must not exist.
        officer: who opens it; None: the only one here who can.
        rewrap: the detached stanza by which it was passed on.
        at: now, in seconds since 1970.
        progress: takes the bytes done since its last call.
        confine: called when all is open that has to be, and nothing of the envelope was read yet; takes the folder in which the carriers are written.

    Raises:
        Refused: the folder exists, or something forbids it. NoKey: no key of the officer's opens it.
        Malformed, NotAuthentic, Unavailable: envelope.md, Reading.
    """
    reader = office_reader(office)
    with envelope_file(path) as source, new_folder(into) as work:
        confine(work)
        try:
            verified = check(source, reader, at=at)
        except Conflict:
            signed = authenticate(source, reader.trust, reader.seen).signed
            # Evidence, whoever is to blame.
            office.journal.record_other_dispatch(signed.statement.raw, signed.core.raw, signed.name, at=at)
            raise
        detached = None if rewrap is None else _read_rewrap(verified, rewrap, reader)
        name = _opener(office, verified, detached, officer)
        addressee = office.addressee(name, _addressed(verified, detached))
        identities = {addressee.digest: office.identity(name, addressee)}
        unsealed = unseal_manifest(verified, own=office.body, identities=identities, trust=reader.trust, trust_rewrap=detached, at=at)
        opened = open_envelope(unsealed, into=work, at=at, progress=progress)
        again = office.journal.opening(verified.signed.digest) is not None
        number = office.journal.record_opening(opened.opening, verified.signed.name, at=at)
    signed = verified.signed  # what the origin's register says of itself and of ours decides nothing about the envelope
    news = take_attachments(office, signed.body.attachments, sender=signed.core.origin, agreement=signed.core.agreement, at=at)
    return Opened(envelope=opened, number=number, again=again, news=tuple(news))


def unseal(office: Office, source: BinaryIO, *, officer: str | None, at: int) -> UnsealedManifest:
    """Open the manifest of an envelope, and nothing else of it, with the key of an addressee, or of whom it was passed on to here.

    Raises:
        Refused: something forbids it. NoKey: no key of the officer's opens it. Malformed, NotAuthentic: envelope.md, Reading.
    """
    reader = office_reader(office)
    verified = check(source, reader, at=at)
    opening = office.journal.opening(verified.signed.digest)
    detached = None if opening is None or opening.rewrap is None else _checked_rewrap(verified, opening.rewrap, reader)
    name = _opener(office, verified, detached, officer)
    addressee = office.addressee(name, _addressed(verified, detached))
    identities = {addressee.digest: office.identity(name, addressee)}
    return unseal_manifest(verified, own=office.body, identities=identities, trust=reader.trust, trust_rewrap=detached, at=at)


def _read_rewrap(verified: VerifiedDispatch, path: Path, reader: Reader) -> Rewrap:
    with about(path, Malformed):
        return _checked_rewrap(verified, read_object(path, labels.REWRAP), reader)


def _checked_rewrap(verified: VerifiedDispatch, raw: bytes, reader: Reader) -> Rewrap:
    route = verified.core.stamp.route
    return read_rewrap(
        raw,
        signed=verified.signed,
        trust=reader.trust,
        degree=None if route is None else route.marks.destination.code,
        skew=verified.agreement.profile.skew,
        seen=reader.seen,
    )


def _opener(office: Office, verified: VerifiedDispatch, rewrap: Rewrap | None, wanted: str | None) -> str:
    """The officer named, or the only one here who can open it."""
    if office.body != verified.core.destination:
        message = f"the envelope is addressed to {verified.core.destination}, and this is {office.body}"
        raise Refused(message)
    if wanted is not None:
        return wanted
    addressed = _addressed(verified, rewrap)
    able = [name for name in office.officers_with("open") if office.addressee(name, addressed).digest in addressed]
    if not able:
        message = "no officer of this office is an addressee of this envelope"
        raise NoKey(message, "an addressee can pass it on with: valiza rewrap")
    if len(able) > 1:
        message = f"several officers can open it: {', '.join(able)}"
        raise Usage(message, "say which with --as NAME or VALIZA_AS")
    return able[0]


def _addressed(verified: VerifiedDispatch, rewrap: Rewrap | None) -> set[bytes]:
    """Digests of the credentials that open an envelope."""
    return set(verified.authentic.addressees) | ({rewrap.recipient.digest} if rewrap else set())


def pass_on(office: Office, path: Path, out: Path, *, officer: str | None, to: str, at: int) -> Rewrap:
    """Write a detached stanza by which another officer of this body opens an envelope that stays unaltered.

    Raises:
        NoKey: the officer is no addressee. Refused: the new officer may not.
    """
    reader = office_reader(office)
    with envelope_file(path) as source:
        verified = check(source, reader, at=at)
        name = _opener(office, verified, None, officer)
        addressee = office.addressee(name, verified.authentic.addressees)
        rewrap = make_rewrap(
            verified,
            addressee=addressee,
            identity=office.identity(name, addressee),
            recipient=office.credential(to, "open"),
            signer=office.credential(name, "acknowledge"),
            key=office.signing_key(name, "acknowledge"),
            trust=reader.trust,
            at=at,
        )
    write_object(out, rewrap.raw)
    return rewrap
