"""Signed statements (specs/statement.md): typed bytes with signatures, and what exactly a signature covers."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Protocol

from valiza.keys import labels
from valiza.keys.digests import digest
from valiza.keys.encoding import pack, unpack
from valiza.keys.errors import Malformed
from valiza.keys.fields import array, ascending, blob, digest_field, word
from valiza.keys.realm import Realm

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "LIMITS",
    "ROLES",
    "SIGNATURE_BYTES",
    "Signature",
    "Signer",
    "SignerHeader",
    "Statement",
    "Verifier",
    "pae",
    "read_statement",
    "sign_statement",
]

SIGNATURE_BYTES: Final = 3373
_FEW: Final = 3  # types that an error lists
_KIB: Final = 1024
_MIB: Final = 1024 * _KIB

# Greatest length of a whole statement, in bytes (statement.md, Reading, step 1).
LIMITS: Final = {
    labels.ROOT: 256 * _KIB,
    labels.CREDENTIAL: 64 * _KIB,
    labels.REQUEST: 128 * _KIB,
    labels.ROSTER: 64 * _MIB,
    labels.REVOCATION: 64 * _KIB,
    labels.DESIGNATION: 64 * _KIB,
    labels.AGREEMENT: _MIB,
    labels.TERMINATION: 64 * _KIB,
    labels.CLEARANCE_ENQUIRY: 64 * _KIB,
    labels.CLEARANCE_CONFIRMATION: 128 * _KIB,
    labels.DISPATCH: _MIB,
    labels.REWRAP: 64 * _KIB,
    labels.ACKNOWLEDGEMENT: 4 * _MIB,
    labels.REFUSAL: 4 * _MIB,
    labels.RECEIPT: 8 * _MIB,
    labels.TRANSPORT_NOTICE: 2 * _MIB,
    labels.HANDOVER: 64 * _KIB,
    labels.OVERDUE: 2 * _MIB,
    labels.TRANSCRIPT: 8 * _MIB,
}

# The role in which each type is signed, and by how many at most (labels.md). Several sign for a root, whose quorum its reader counts, and for a
# request, with every key that it asks for.
ROLES: Final = {
    labels.ROOT: ("root", 32),
    labels.CREDENTIAL: ("issuer", 16),
    labels.REQUEST: ("holder", 16),
    labels.ROSTER: ("roster", 1),
    labels.REVOCATION: ("issuer", 16),
    labels.DESIGNATION: ("root", 16),
    labels.AGREEMENT: ("root", 32),
    labels.TERMINATION: ("root", 16),
    labels.CLEARANCE_ENQUIRY: ("competent", 1),
    labels.CLEARANCE_CONFIRMATION: ("competent", 1),
    labels.DISPATCH: ("sealer", 1),
    labels.REWRAP: ("acknowledger", 1),
    labels.ACKNOWLEDGEMENT: ("acknowledger", 1),
    labels.REFUSAL: ("acknowledger", 1),
    labels.RECEIPT: ("countersigner", 1),
    labels.TRANSPORT_NOTICE: ("transport", 1),
    labels.HANDOVER: ("transport", 1),
    labels.OVERDUE: ("clerk", 1),
    labels.TRANSCRIPT: ("participant", 64),
}


class Signer(Protocol):
    """The private half of a signing key, wherever it is kept."""

    @property
    def key_digest(self) -> bytes:
        """Digest of its public key, 32 bytes."""

    def sign(self, message: bytes, context: bytes) -> bytes:
        """A composite signature over `message` with `context` as ctx, 3373 bytes."""


class Verifier(Protocol):
    """The public half."""

    @property
    def key_digest(self) -> bytes:
        """Digest of this public key, 32 bytes."""

    def verify(self, signature: bytes, message: bytes, context: bytes) -> None:
        """Return if both halves of the signature hold; raise NotAuthentic otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignerHeader:
    """Who signs in what role: signed together with the body, so that no other key or role can be put in its place (P4)."""

    role: str
    signer_digest: bytes
    key_digest: bytes

    def packed(self) -> bytes:
        """The wire form."""
        return pack([self.role, self.signer_digest, self.key_digest])

    @classmethod
    @lru_cache(maxsize=256)  # whoever issues one credential issues many
    def read(cls, data: bytes) -> SignerHeader:
        """Decode a signer header."""
        role, signer, key = array(unpack(data, max_bytes=256, what="signer header"), "signer header", length=3)
        return cls(role=word(role, "role"), signer_digest=digest_field(signer, "signer digest"), key_digest=digest_field(key, "key digest"))


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature as read: the header's own bytes, what they say, and the signature over them."""

    header_bytes: bytes
    header: SignerHeader
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A well-formed statement. That it was decoded says nothing of its truth: call `verify` with the signer's key."""

    raw: bytes = field(repr=False)
    type: str
    body: bytes = field(repr=False)
    signatures: tuple[Signature, ...] = field(repr=False)

    @property
    def digest(self) -> bytes:
        """The name of this statement: digest of its whole bytes (not for roots and agreements)."""
        return digest(labels.DIGEST_STATEMENT, self.raw)

    @property
    def signer(self) -> SignerHeader:
        """The only signer, or the first of several."""
        return self.signatures[0].header

    def verify(self, index: int, verifier: Verifier) -> None:
        """Check one signature over the very bytes read.

        Raises:
            NotAuthentic: the signature does not hold.
        """
        entry = self.signatures[index]
        verifier.verify(entry.signature, pae(self.type, entry.header_bytes, self.body), self.type.encode("ascii"))


def pae(type_: str, header: bytes, body: bytes) -> bytes:
    """The pre-authentication encoding: what a signature covers (statement.md, What is signed)."""
    parts = [labels.PAE_PREFIX]
    for item in (type_.encode("ascii"), header, body):
        parts += [str(len(item)).encode("ascii"), item]
    return b" ".join(parts)


def sign_statement(
    type_: str, body: bytes, signers: Sequence[tuple[SignerHeader, Signer]], begun: Statement | None = None, *, realm: Realm = Realm.ORDINARY
) -> Statement:
    """Sign `body` as a statement of `type_` (statement.md, Producing).

    Args:
        type_: one of the statement types.
        body: canonical body, as it will stand in the statement.
        signers: a header and a signer each; the header's key digest is the signer's.
        begun: the same statement as others signed it before, when its type takes more than one signature.
        realm: whether it is meant.
    """
    name = realm.label(type_)
    entries = [[entry.header_bytes, entry.signature] for entry in begun.signatures] if begun else []
    for header, signer in signers:
        header_bytes = header.packed()
        entries.append([header_bytes, signer.sign(pae(name, header_bytes, body), name.encode("ascii"))])
    entries.sort()
    return read_statement(pack([name, body, entries]), type_, realm=realm)


@lru_cache(maxsize=256)
def _wanted(types: tuple[str, ...], realm: Realm) -> tuple[str, dict[str, str], int]:
    """What statements of these types are called in an error, the types by their labels in this realm, and the greatest length of any."""
    what = " or ".join(t.rpartition("/")[2] for t in types) if len(types) <= _FEW else "valiza statement"
    return what, {realm.label(t): t for t in types}, max(LIMITS[t] for t in types)


def read_statement(raw: bytes, *types: str, realm: Realm = Realm.ORDINARY) -> Statement:
    """Decode a statement of one of `types` in a realm; steps 1 to 3 of statement.md, Reading.

    Raises:
        Malformed: not a statement, of another type, or signed in another role or by more than its type allows.
    """
    what, by_name, limit = _wanted(types, realm)
    value = unpack(raw, max_bytes=limit, what=what)  # steps 1, 2
    items = array(value, what, length=3)
    name = items[0]
    if not isinstance(name, str) or name not in by_name:
        wanted = " or ".join(map(repr, by_name)) if len(types) <= _FEW else "one that is known"
        message = f"statement type {name!r} is not {wanted}" if isinstance(name, str) else f"not a {what}"
        raise Malformed(message, realm.hint(name))
    type_ = by_name[name]
    if len(raw) > LIMITS[type_]:
        message = f"{what} has {len(raw)} bytes, more than the limit of {LIMITS[type_]}"
        raise Malformed(message)
    signatures = []
    role, most = ROLES[type_]
    for entry in array(items[2], "signatures", least=1, most=most):  # step 3
        header, signature = array(entry, "signature", length=2)
        header_bytes = blob(header, "signer header")
        signatures.append(Signature(header_bytes, SignerHeader.read(header_bytes), blob(signature, "signature", size=SIGNATURE_BYTES)))
    ascending([entry.header_bytes for entry in signatures], "signatures")
    if any(entry.header.role != role for entry in signatures):
        message = f"a {what} is signed in the role {role}"
        raise Malformed(message)
    return Statement(raw=raw, type=name, body=blob(items[1], "body"), signatures=tuple(signatures))
