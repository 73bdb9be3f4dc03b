"""The composite signature MLDSA65-Ed25519-SHA512 (specs/statement.md, What is signed): both halves must hold."""

from __future__ import annotations

import hashlib
import re
from functools import cached_property
from typing import TYPE_CHECKING, Final

import nacl.bindings
import nacl.exceptions
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey, MLDSA65PublicKey

from valiza.keys import labels
from valiza.keys.digests import digest
from valiza.keys.encoding import pack
from valiza.keys.errors import Malformed, NotAuthentic
from valiza.keys.realm import Realm
from valiza.keys.secrecy import hold
from valiza.keys.statement import SIGNATURE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from valiza.keys.encoding import Value

__all__ = [
    "SIGNING_PUBLIC_BYTES",
    "SIGNING_SEED_BYTES",
    "SigningKey",
    "VerifyKey",
    "composite_message",
    "composite_type",
    "require_point",
    "verify_half",
]

SIGNING_PUBLIC_BYTES: Final = 1984
SIGNING_SEED_BYTES: Final = 64
_MLDSA_PUBLIC: Final = 1952
_MLDSA_SIGNATURE: Final = 3309
_FAILURE: Final = "a signature does not verify"
_BEGIN: Final = labels.COMPOSITE_PREFIX + labels.COMPOSITE_LABEL
_COMPOSED: Final = re.compile(re.escape(_BEGIN) + rb"(.)([!-~]{1,255}).{64}", re.DOTALL)


def composite_message(message: bytes, context: bytes) -> bytes:
    """M' of the composite draft: what each half signs. ctx is a statement type, far below its 255 bytes."""
    return _BEGIN + bytes([len(context)]) + context + hashlib.sha512(message).digest()


def composite_type(composed: bytes) -> str:
    """The statement type in M', which somebody else composed.

    Raises:
        Malformed: it has not the form that `composite_message` gives.
    """
    found = _COMPOSED.fullmatch(composed)
    if found is None or found[1] != bytes([len(found[2])]):
        message = "what is to be signed is not what the half of a signature covers"
        raise Malformed(message)
    return found[2].decode("ascii")


def verify_half(half: bytes, composed: bytes, ed25519_public: bytes) -> None:
    """Return if the Ed25519 half of a signature over M' holds. Half a signature is none: this tells whose fault it is when the whole fails.

    Raises:
        NotAuthentic: it does not.
    """
    try:
        nacl.bindings.crypto_sign_open(half + composed, ed25519_public)
    except nacl.exceptions.BadSignatureError as error:
        raise NotAuthentic(_FAILURE) from error


def require_point(ed25519_public: bytes, what: str) -> None:
    """Refuse an Ed25519 half of `what`, a public key, under which signatures of others would hold too (P6).

    Raises:
        Malformed: it is not the canonical encoding of a point of prime order.
    """
    # A signature under a point of low order verifies for any message: such a half would be no half at all.
    if not nacl.bindings.crypto_core_ed25519_is_valid_point(ed25519_public):
        message = f"the Ed25519 half of {what} is not a point of prime order in canonical form"
        raise Malformed(message)


def _key_digest(public: bytes, realm: Realm) -> bytes:
    return digest(labels.DIGEST_PUBLIC_KEY, pack([realm.kind(labels.KIND_SIGNATURE), public]))


class VerifyKey:
    """A public signing key, 1984 bytes: ML-DSA-65 and Ed25519.

    With `checked` its halves were checked before, when the roster that has it was imported: they are again when it first verifies, and not before.

    Raises:
        Malformed: another length, or an Ed25519 half that is not the canonical encoding of a point of prime order (P6).
    """

    __slots__ = ("_digest", "_ed25519", "_mldsa", "raw", "realm")

    def __init__(self, raw: bytes, realm: Realm = Realm.ORDINARY, *, checked: bool = False) -> None:
        if len(raw) != SIGNING_PUBLIC_BYTES:
            message = f"a public signing key has {SIGNING_PUBLIC_BYTES} bytes, not {len(raw)}"
            raise Malformed(message)
        self.raw = raw
        self.realm = realm
        self._ed25519 = raw[_MLDSA_PUBLIC:]
        self._mldsa = None if checked else self._check()
        self._digest = b""

    def _check(self) -> MLDSA65PublicKey:
        require_point(self._ed25519, "a public signing key")
        return MLDSA65PublicKey.from_public_bytes(self.raw[:_MLDSA_PUBLIC])

    @property
    def ed25519(self) -> bytes:
        """The half that is an Ed25519 key, 32 bytes."""
        return self._ed25519

    @property
    def halves(self) -> tuple[bytes, bytes]:
        """Digest of the ML-DSA half, and the Ed25519 half."""
        return digest(labels.DIGEST_PUBLIC_KEY, self.raw[:_MLDSA_PUBLIC]), self._ed25519

    @property
    def key_digest(self) -> bytes:
        """Digest of this public key."""
        self._digest = self._digest or _key_digest(self.raw, self.realm)
        return self._digest

    @property
    def packed(self) -> list[Value]:
        """The wire form: kind and bytes."""
        return [self.realm.kind(labels.KIND_SIGNATURE), self.raw]

    def verify(self, signature: bytes, message: bytes, context: bytes) -> None:
        """Return if both halves hold.

        Raises:
            NotAuthentic: one of them does not, or the signature has another length than 3373 bytes.
        """
        if len(signature) != SIGNATURE_BYTES:
            raise NotAuthentic(_FAILURE)
        if self._mldsa is None:
            self._mldsa = self._check()
        composed = composite_message(message, context)
        verify_half(signature[_MLDSA_SIGNATURE:], composed, self._ed25519)
        try:
            self._mldsa.verify(signature[:_MLDSA_SIGNATURE], composed, labels.COMPOSITE_LABEL)
        except InvalidSignature as error:
            raise NotAuthentic(_FAILURE) from error


class SigningKey:
    """A private signing key, from its 64-byte seed: 32 bytes for ML-DSA-65, then 32 for Ed25519."""

    def __init__(self, seed: bytes, realm: Realm = Realm.ORDINARY) -> None:
        if len(seed) != SIGNING_SEED_BYTES:
            message = f"the seed of a signing key has {SIGNING_SEED_BYTES} bytes"
            raise Malformed(message)
        self.seed = hold(seed)
        self.realm = realm
        self._mldsa = MLDSA65PrivateKey.from_seed_bytes(seed[:32])
        self._ed25519_public, self._ed25519 = nacl.bindings.crypto_sign_seed_keypair(seed[32:])

    @classmethod
    def generate(cls, random: Callable[[int], bytes], realm: Realm = Realm.ORDINARY) -> SigningKey:
        """A new key from `random`, a source of that many secret random bytes."""
        return cls(random(SIGNING_SEED_BYTES), realm)

    @cached_property
    def public(self) -> bytes:
        """The public key, 1984 bytes."""
        return self._mldsa.public_key().public_bytes_raw() + self._ed25519_public

    @cached_property
    def key_digest(self) -> bytes:
        """Digest of the public key."""
        return _key_digest(self.public, self.realm)

    def sign(self, message: bytes, context: bytes) -> bytes:
        """A composite signature, 3373 bytes. The ML-DSA half is randomised: two calls give two signatures."""
        composed = composite_message(message, context)
        half = nacl.bindings.crypto_sign(composed, self._ed25519)[:64]
        return self._mldsa.sign(composed, labels.COMPOSITE_LABEL) + half
