"""The key of a register's log (specs/credential.md, Keys of a register): ML-DSA-44 and Ed25519, each of which signs a line of its own in a C2SP note.

It is no composite: a note has one line for each half, in formats of others, and who reads one of ours wants both. It signs no statement.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final

import nacl.bindings
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

from valiza.keys import labels
from valiza.keys.digests import digest
from valiza.keys.encoding import pack
from valiza.keys.errors import Malformed, NotAuthentic
from valiza.keys.realm import Realm
from valiza.keys.secrecy import hold
from valiza.keys.signing import require_point, verify_half

if TYPE_CHECKING:
    from collections.abc import Callable

    from valiza.keys.encoding import Value

__all__ = ["ED25519_SIGNATURE_BYTES", "LOG_PUBLIC_BYTES", "LOG_SEED_BYTES", "MLDSA44_SIGNATURE_BYTES", "LogSigningKey", "LogVerifyKey"]

LOG_PUBLIC_BYTES: Final = 1344
LOG_SEED_BYTES: Final = 64
ED25519_SIGNATURE_BYTES: Final = 64
MLDSA44_SIGNATURE_BYTES: Final = 2420
_MLDSA_PUBLIC: Final = 1312
_FAILURE: Final = "a signature of a register does not verify"


def _key_digest(public: bytes, realm: Realm) -> bytes:
    return digest(labels.DIGEST_PUBLIC_KEY, pack([realm.kind(labels.KIND_LOG), public]))


class LogVerifyKey:
    """A register's public key, 1344 bytes: ML-DSA-44 and Ed25519. The halves verify apart; who wants both asks for both.

    With `checked` its halves were checked before, when the roster that has it was imported: they are again when one first verifies, and not before.

    Raises:
        Malformed: another length, or an Ed25519 half that is not the canonical encoding of a point of prime order (P6).
    """

    __slots__ = ("_digest", "_mldsa", "raw", "realm")

    def __init__(self, raw: bytes, realm: Realm = Realm.ORDINARY, *, checked: bool = False) -> None:
        if len(raw) != LOG_PUBLIC_BYTES:
            message = f"a register's public key has {LOG_PUBLIC_BYTES} bytes, not {len(raw)}"
            raise Malformed(message)
        self.raw = raw
        self.realm = realm
        self._mldsa = None if checked else self._check()
        self._digest = b""

    def _check(self) -> MLDSA44PublicKey:
        require_point(self.ed25519, "a register's public key")
        return MLDSA44PublicKey.from_public_bytes(self.mldsa)

    def _checked(self) -> MLDSA44PublicKey:
        if self._mldsa is None:
            self._mldsa = self._check()
        return self._mldsa

    @property
    def mldsa(self) -> bytes:
        """The half that is an ML-DSA-44 key, 1312 bytes."""
        return self.raw[:_MLDSA_PUBLIC]

    @property
    def ed25519(self) -> bytes:
        """The half that is an Ed25519 key, 32 bytes."""
        return self.raw[_MLDSA_PUBLIC:]

    @property
    def halves(self) -> tuple[bytes, bytes]:
        """Digest of the ML-DSA half, and the Ed25519 half."""
        return digest(labels.DIGEST_PUBLIC_KEY, self.mldsa), self.ed25519

    @property
    def key_digest(self) -> bytes:
        """Digest of this public key."""
        self._digest = self._digest or _key_digest(self.raw, self.realm)
        return self._digest

    @property
    def packed(self) -> list[Value]:
        """The wire form: kind and bytes."""
        return [self.realm.kind(labels.KIND_LOG), self.raw]

    def verify_ed25519(self, signature: bytes, message: bytes) -> None:
        """Return if the Ed25519 half signed `message`; 64 bytes.

        Raises:
            NotAuthentic: it did not, or the signature has another length.
        """
        self._checked()
        # Behind a longer signature the bytes that follow it would count as the beginning of the message.
        if len(signature) != ED25519_SIGNATURE_BYTES:
            raise NotAuthentic(_FAILURE)
        try:
            verify_half(signature, message, self.ed25519)
        except NotAuthentic as error:
            raise NotAuthentic(_FAILURE) from error

    def verify_mldsa(self, signature: bytes, message: bytes) -> None:
        """Return if the ML-DSA-44 half signed `message`, with an empty context as in C2SP's formats; 2420 bytes.

        Raises:
            NotAuthentic: it did not, or the signature has another length.
        """
        key = self._checked()
        if len(signature) != MLDSA44_SIGNATURE_BYTES:
            raise NotAuthentic(_FAILURE)
        try:
            key.verify(signature, message)
        except InvalidSignature as error:
            raise NotAuthentic(_FAILURE) from error


class LogSigningKey:
    """A register's private key, from its 64-byte seed: 32 bytes for ML-DSA-44, then 32 for Ed25519."""

    def __init__(self, seed: bytes, realm: Realm = Realm.ORDINARY) -> None:
        if len(seed) != LOG_SEED_BYTES:
            message = f"the seed of a register's key has {LOG_SEED_BYTES} bytes"
            raise Malformed(message)
        self.seed = hold(seed)
        self.realm = realm
        self._mldsa = MLDSA44PrivateKey.from_seed_bytes(seed[:32])
        self._ed25519_public, self._ed25519 = nacl.bindings.crypto_sign_seed_keypair(seed[32:])

    @classmethod
    def generate(cls, random: Callable[[int], bytes], realm: Realm = Realm.ORDINARY) -> LogSigningKey:
        """A new key from `random`, a source of that many secret random bytes."""
        return cls(random(LOG_SEED_BYTES), realm)

    @cached_property
    def public(self) -> bytes:
        """The public key, 1344 bytes."""
        return self._mldsa.public_key().public_bytes_raw() + self._ed25519_public

    @cached_property
    def key_digest(self) -> bytes:
        """Digest of the public key."""
        return _key_digest(self.public, self.realm)

    def sign_ed25519(self, message: bytes) -> bytes:
        """An Ed25519 signature, 64 bytes: the same for the same message."""
        return nacl.bindings.crypto_sign(message, self._ed25519)[:ED25519_SIGNATURE_BYTES]

    def sign_mldsa(self, message: bytes) -> bytes:
        """An ML-DSA-44 signature with an empty context, 2420 bytes. Randomised: two calls give two signatures."""
        return self._mldsa.sign(message)
