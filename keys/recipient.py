"""Keys that open: X-Wing in HPKE base mode (specs/labels.md, specs/credential.md). `Recipient.wrap`, `Identity.unwrap`."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, MLKEM768X25519PrivateKey, MLKEM768X25519PublicKey, Suite

from valiza.keys import labels
from valiza.keys.digests import digest
from valiza.keys.encoding import pack
from valiza.keys.errors import Malformed, NotAuthentic
from valiza.keys.secrecy import hold

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ENCRYPTION_PUBLIC_BYTES", "ENCRYPTION_SEED_BYTES", "WRAPPED_BYTES", "Identity", "Recipient", "check_wrapped"]

ENCRYPTION_PUBLIC_BYTES: Final = 1216
ENCRYPTION_SEED_BYTES: Final = 32
WRAPPED_BYTES: Final = 1168
_ENCAPSULATION: Final = 1120
_MLKEM_PUBLIC: Final = 1184
_FIELD: Final = 2**255 - 19
_SUITE: Final = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_PROBE: Final = X25519PrivateKey.from_private_bytes(bytes(range(32)))  # any scalar: it only tells points of low order


def _key_digest(public: bytes) -> bytes:
    return digest(labels.DIGEST_PUBLIC_KEY, pack([labels.KIND_ENCRYPTION, public]))


def _x25519(raw: bytes, what: str) -> X25519PublicKey:
    """An X25519 public key, refused in non-canonical form or of low order, in every place where one is read."""
    message = f"the X25519 half of {what} is of low order or not in canonical form"
    if int.from_bytes(raw, "little") >= _FIELD:
        raise Malformed(message)
    key = X25519PublicKey.from_public_bytes(raw)
    try:
        _PROBE.exchange(key)
    except ValueError as error:
        raise Malformed(message) from error
    return key


def check_wrapped(wrapped: bytes) -> None:
    """Refuse a wrapped key of another length than 1168 bytes, or whose encapsulation holds a bad X25519 key (P13).

    Raises:
        Malformed: it is so.
    """
    if len(wrapped) != WRAPPED_BYTES:
        message = f"a wrapped key has {WRAPPED_BYTES} bytes, not {len(wrapped)}"
        raise Malformed(message)
    _x25519(wrapped[_ENCAPSULATION - 32 : _ENCAPSULATION], "an encapsulation")


class Recipient:
    """A public key that something is sealed to, 1216 bytes: ML-KEM-768 and X25519.

    With `checked` its halves were checked before, when the roster that has it was imported: they are again when it first wraps, and not before.

    Raises:
        Malformed: another length, or a half that is not a valid key.
    """

    __slots__ = ("_digest", "_key", "raw")

    def __init__(self, raw: bytes, *, checked: bool = False) -> None:
        if len(raw) != ENCRYPTION_PUBLIC_BYTES:
            message = f"a public encryption key has {ENCRYPTION_PUBLIC_BYTES} bytes, not {len(raw)}"
            raise Malformed(message)
        self.raw = raw
        self._key = None if checked else self._check()
        self._digest = b""

    @property
    def halves(self) -> tuple[bytes, bytes]:
        """Digest of the ML-KEM half, and the X25519 half."""
        return digest(labels.DIGEST_PUBLIC_KEY, self.raw[:_MLKEM_PUBLIC]), self.raw[_MLKEM_PUBLIC:]

    @property
    def key_digest(self) -> bytes:
        """Digest of this public key."""
        self._digest = self._digest or _key_digest(self.raw)
        return self._digest

    def _check(self) -> MLKEM768X25519PublicKey:
        try:
            mlkem = MLKEM768PublicKey.from_public_bytes(self.raw[:_MLKEM_PUBLIC])
        except ValueError as error:
            message = "the ML-KEM half of a public encryption key is not one"
            raise Malformed(message) from error
        return MLKEM768X25519PublicKey(mlkem, _x25519(self.raw[_MLKEM_PUBLIC:], "a public encryption key"))

    def wrap(self, key: bytes, info: bytes) -> bytes:
        """Wrap a 32-byte key for this recipient, bound to `info`; 1168 bytes."""
        if self._key is None:
            self._key = self._check()
        return _SUITE.encrypt(key, self._key, info)


class Identity:
    """The private half of a Recipient, from its 32-byte X-Wing seed."""

    def __init__(self, seed: bytes) -> None:
        if len(seed) != ENCRYPTION_SEED_BYTES:
            message = f"the seed of an encryption key has {ENCRYPTION_SEED_BYTES} bytes"
            raise Malformed(message)
        self.seed = hold(seed)
        expanded = hashlib.shake_256(seed).digest(96)  # draft-connolly-cfrg-xwing-kem: d || z || X25519 scalar
        self._mlkem = MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
        self._x25519 = X25519PrivateKey.from_private_bytes(expanded[64:])

    @classmethod
    def generate(cls, random: Callable[[int], bytes]) -> Identity:
        """A new key from `random`, a source of that many secret random bytes."""
        return cls(random(ENCRYPTION_SEED_BYTES))

    @cached_property
    def public(self) -> bytes:
        """The public key, 1216 bytes."""
        return self._mlkem.public_key().public_bytes_raw() + self._x25519.public_key().public_bytes_raw()

    @cached_property
    def key_digest(self) -> bytes:
        """Digest of the public key."""
        return _key_digest(self.public)

    def unwrap(self, wrapped: bytes, info: bytes) -> bytes:
        """The 32-byte key that was wrapped for this identity with the same `info`.

        Raises:
            Malformed: not a wrapped key.
            NotAuthentic: it was wrapped for another key or with another `info`, or altered.
        """
        check_wrapped(wrapped)  # of that length, so what is in it has 32 bytes
        try:
            return _SUITE.decrypt(wrapped, MLKEM768X25519PrivateKey(self._mlkem, self._x25519), info)
        except (InvalidTag, ValueError) as error:
            message = "a wrapped key does not open with the key it is addressed to"
            raise NotAuthentic(message) from error
