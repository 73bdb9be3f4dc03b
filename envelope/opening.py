"""Opening (specs/envelope.md, Reading 10 to 15): manifest, then one pass that decrypts and checks everything, released together or not at all."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, Final

from valiza.envelope import permission
from valiza.envelope.header import wrap_info
from valiza.envelope.journal import Expectation, Opening
from valiza.envelope.manifest import Manifest, carrier_key, commitment, marks_digest, opening_proof, require_core, unpack_manifest
from valiza.envelope.payload import MANIFEST_STREAM, PAD_STREAM, PayloadReader, Streams, carrier_stream, stream_length
from valiza.envelope.route import require_hidden_route
from valiza.envelope.verifying import require_open_route, require_payload_digest
from valiza.keys import labels
from valiza.keys.digests import digest, keyed_hasher
from valiza.keys.errors import Malformed, NoKey, NotAuthentic, Refused
from valiza.keys.files import require_space, storage_errors, sync_content

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from cryptography.cobblestone import Cobblestone256Decryptor

    from valiza.envelope.header import Stanza
    from valiza.envelope.rewrap import Rewrap
    from valiza.envelope.route import Marks, Route
    from valiza.envelope.verifying import VerifiedDispatch
    from valiza.keys.credential import Credential
    from valiza.keys.fields import Body
    from valiza.keys.recipient import Identity
    from valiza.keys.trust import Trust

__all__ = ["OpenedEnvelope", "UnsealedManifest", "open_envelope", "unseal_manifest"]

_SECTOR: Final = 4096  # bytes in which a file takes room on most disks


@dataclass(frozen=True, kw_only=True)
class UnsealedManifest:
    """The manifest is authentic, and all that it says is permitted. The carriers are not read yet."""

    verified: VerifiedDispatch
    opener: Credential
    rewrap: Rewrap | None
    manifest: Manifest
    route: Route
    streams: Streams = field(repr=False)

    @property
    def marks(self) -> Marks:
        """The envelope's pair of marks."""
        return self.route.marks


@dataclass(frozen=True, kw_only=True)
class OpenedEnvelope:
    """Every carrier was decrypted and is the one signed. Its plaintext lies in a folder that has no name yet."""

    unsealed: UnsealedManifest
    opening: Opening

    @property
    def manifest(self) -> Manifest:
        """What was inside."""
        return self.unsealed.manifest


def unseal_manifest(
    verified: VerifiedDispatch, *, own: Body, identities: Mapping[bytes, Identity], trust: Trust, trust_rewrap: Rewrap | None, at: int
) -> UnsealedManifest:
    """Find a key, open the manifest and check what it says (Reading 10 to 13).

    Args:
        verified: from `verify_dispatch`.
        own: the reader's body.
        identities: the reader's keys by the digest of their `open` credential.
        trust: whom the reader believes.
        trust_rewrap: a detached stanza, read by `read_rewrap`.
        at: now, in seconds since 1970.

    Raises:
        NoKey: none of these keys is an addressee's. Refused, NotAuthentic, Malformed: as the steps say.
    """
    core, signed, container = verified.core, verified.signed, verified.authentic.container
    if own != core.destination:  # step 10
        message = f"the envelope is addressed to {core.destination}, and this is {own}"
        raise Refused(message)
    opener, stanza = _own_stanza(verified, identities, trust, trust_rewrap, at)
    payload_key = identities[opener.digest].unwrap(stanza.wrapped, wrap_info(core.digest, opener.digest))
    streams = Streams(payload_key, core_digest=core.digest, header_digest=signed.body.header_digest)
    plain = _decrypt(streams.decryptor(MANIFEST_STREAM), container.read_manifest_stream())  # step 11
    if digest(labels.DIGEST_MANIFEST, plain) != signed.body.manifest_digest:
        message = "the manifest is not the one signed"
        raise NotAuthentic(message)
    manifest = unpack_manifest(plain)
    require_core(manifest, core.digest)
    route = _route(verified, manifest)  # step 12
    if core.stamp.route is None:
        require_open_route(signed, verified.agreement, route)
        for addressee in verified.addressees:
            permission.require_addressee(
                addressee, trust, destination=core.destination, degree=route.marks.destination.code, at=signed.body.sealed_at
            )
    permission.require_addressee(opener, trust, destination=core.destination, degree=route.marks.destination.code, at=at, act="opening")
    profile = verified.agreement.profile  # step 13
    permission.require_carrier_marks(profile, manifest.carriers, route.marks)
    permission.require_basis(profile, core.origin.party, manifest.basis)
    permission.require_padding(profile, total=manifest.total, pad_length=manifest.pad_length)
    lengths = [stream_length(entry.size) for entry in manifest.carriers if entry.size is not None]
    if sum(lengths) + stream_length(manifest.pad_length) + container.manifest_length != container.payload_length:
        message = "the payload has not the length that the manifest says"
        raise Malformed(message)
    return UnsealedManifest(verified=verified, opener=opener, rewrap=trust_rewrap, manifest=manifest, route=route, streams=streams)


def _own_stanza(
    verified: VerifiedDispatch, identities: Mapping[bytes, Identity], trust: Trust, rewrap: Rewrap | None, at: int
) -> tuple[Credential, Stanza]:
    """The stanza to use, and the credential it is for: of the header, or the detached one."""
    found = [(c, s) for c, s in zip(verified.addressees, verified.authentic.stanzas, strict=True) if c.digest in identities]
    if rewrap is not None:
        rewrap.require_addressed(verified.authentic.addressees)
        if rewrap.made_at > at:
            message = "the envelope was passed on in the future"
            raise Refused(message, "compare the clocks of this office")
        if not found and rewrap.recipient.digest in identities:
            found.append((rewrap.recipient, rewrap.stanza))
    if not found:
        message = "no key here opens this envelope: none is an addressee's"
        raise NoKey(message, "an addressee can pass it on with: valiza rewrap ENVELOPE --to-officer NAME -o FILE")
    valid = [(c, s) for c, s in found if trust.in_force(c, at)]
    if not valid:
        trust.require_in_force(found[0][0], at=at, act="opening")
    return valid[0]


def _route(verified: VerifiedDispatch, manifest: Manifest) -> Route:
    stamp = verified.core.stamp
    if (stamp.route is None) != (manifest.route is not None):
        message = "the manifest has a route where the stamp is open, or has none where it is closed"
        raise Malformed(message)
    if stamp.route is not None:
        return stamp.route
    if manifest.route is None:  # for the type checker: the two conditions above leave nothing else
        message = "the manifest has no route"
        raise Malformed(message)
    require_hidden_route(stamp, manifest.salt, manifest.route)
    return manifest.route


def _decrypt(decryptor: Cobblestone256Decryptor, stream: bytes) -> bytes:
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - beside its only use

    try:
        return decryptor.update(stream) + decryptor.finalize()
    except InvalidTag as error:
        message = "the manifest does not decrypt"
        raise NotAuthentic(message) from error


def open_envelope(unsealed: UnsealedManifest, *, into: Path, at: int, progress: Callable[[int], None] = lambda _: None) -> OpenedEnvelope:
    """Decrypt and check every carrier in one pass, into the empty private folder `into` (Reading 14).

    The caller records the opening and then gives the folder its name (step 15), or removes it.

    Raises:
        NotAuthentic: a carrier, the pad or the ciphertext is not what was signed.
        Unavailable: the disk.
    """
    verified, manifest = unsealed.verified, unsealed.manifest
    container = verified.authentic.container
    require_space(into, sum(-(-entry.size // _SECTOR) * _SECTOR for entry in manifest.carriers if entry.size is not None), "opening")
    container.seek_payload()
    openings: list[bytes | None] = []
    with PayloadReader(container.source, progress) as reader:  # step 14
        for index, entry in enumerate(manifest.carriers):
            if entry.size is None:
                openings.append(None)
                continue
            plain = keyed_hasher(carrier_key(manifest.salt, index))
            with _new_carrier(f"{into}/{entry.name}") as out:
                reader.read_stream(unsealed.streams.decryptor(carrier_stream(index)), entry.size, out, plain)
            if commitment(plain.digest()) != entry.commitment:
                message = f"the carrier with the index {index} is not the one that the manifest lists"
                raise NotAuthentic(message)
            openings.append(plain.digest())
        reader.read_stream(unsealed.streams.decryptor(PAD_STREAM), manifest.pad_length, None, None)
        reader.skip(container.manifest_length)
        require_payload_digest(reader, verified.signed)
    sync_content(into)
    return OpenedEnvelope(unsealed=unsealed, opening=_opening(unsealed, tuple(openings), at))


def _new_carrier(path: str) -> BinaryIO:
    with storage_errors(path):
        return io.FileIO(path, "x", opener=lambda name, flags: os.open(name, flags, 0o600))


def _opening(unsealed: UnsealedManifest, openings: tuple[bytes | None, ...], at: int) -> Opening:
    verified, manifest = unsealed.verified, unsealed.manifest
    signed = verified.signed
    codes = tuple(entry.marks.destination.code for entry in manifest.carriers)
    expectation = Expectation(
        dispatch=signed.statement.raw,
        core=signed.core.raw,
        addressees=verified.authentic.addressees,
        openings=openings,
        proof=opening_proof(manifest.salt, signed.digest, signed.body.manifest_digest, openings),
        marks=marks_digest(manifest.salt, codes) if verified.agreement.profile.closed else codes,
    )
    header_addressed = unsealed.opener.digest in verified.authentic.addressees
    rewrap = None if header_addressed or unsealed.rewrap is None else unsealed.rewrap.raw
    return Opening(expectation=expectation, credential=unsealed.opener.digest, opened_at=at, rewrap=rewrap)
