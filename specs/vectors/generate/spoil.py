"""Ways to spoil keys and signatures on purpose."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace

from nacl.bindings import (
    crypto_core_ed25519_add,
    crypto_core_ed25519_scalar_add,
    crypto_core_ed25519_scalar_mul,
    crypto_core_ed25519_scalar_reduce,
    crypto_scalarmult_ed25519_base_noclamp,
    crypto_sign_seed_keypair,
)

import wire

Change = Callable[[bytes], bytes]

ORDER = 2**252 + 27742317777372353535851937790883648493
IDENTITY = bytes([1]) + bytes(31)
# A point of order 8; the identity spelt with y + p; on Curve25519 a point of order 8, and the base point spelt with u + p.
TORSION = bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")
IDENTITY_PLUS_P = bytes.fromhex("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")
X25519_ORDER_8 = bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800")
X25519_NINE_PLUS_P = (2**255 - 19 + 9).to_bytes(32, "little")
TOP_BIT_NINE = bytes([9]) + bytes(30) + b"\x80"


def flip(at: int) -> Change:
    """One bit of one byte, counted from the end where *at* is negative."""

    def change(data: bytes) -> bytes:
        out = bytearray(data)
        out[at] ^= 1
        return bytes(out)

    return change


def larger_s(signature: bytes) -> bytes:
    """The Ed25519 half with S + L for S: the same equation, another spelling."""
    s = int.from_bytes(signature[-32:], "little") + ORDER
    return signature[:-32] + s.to_bytes(32, "little")


def halves_swapped(signature: bytes) -> bytes:
    """Ed25519 first."""
    return signature[3309:] + signature[:3309]


def trivial(signature: bytes) -> bytes:
    """R the identity and S zero: under a public key that is the identity this verifies for every message."""
    return signature[:3309] + IDENTITY + bytes(32)


def torsion_in_r(seed: bytes, kind: str, message: bytes) -> Change:
    """The Ed25519 half made anew with R = rB + T, T of order 8: right only for a verifier that multiplies by the cofactor."""
    full = wire.composite_message(kind, message)
    public, _ = crypto_sign_seed_keypair(seed)
    clamped = bytearray(hashlib.sha512(seed).digest()[:32])
    clamped[0] &= 248
    clamped[31] = clamped[31] & 127 | 64
    secret = crypto_core_ed25519_scalar_reduce(bytes(clamped) + bytes(32))
    nonce = crypto_core_ed25519_scalar_reduce(hashlib.sha512(b"torsion" + full).digest())
    point = crypto_core_ed25519_add(crypto_scalarmult_ed25519_base_noclamp(nonce), TORSION)
    challenge = crypto_core_ed25519_scalar_reduce(hashlib.sha512(point + public + full).digest())
    s = crypto_core_ed25519_scalar_add(nonce, crypto_core_ed25519_scalar_mul(challenge, secret))
    return lambda signature: signature[:3309] + point + s


def mixed_order(public: bytes) -> bytes:
    """A composite key whose Ed25519 half has a component of order 8."""
    return public[:1952] + crypto_core_ed25519_add(public[1952:], TORSION)


def spoilt(signer: wire.Signer, change: Change) -> wire.Signer:
    """A signer whose signature is changed when it is made."""
    return replace(signer, change=change)
