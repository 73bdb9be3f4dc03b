"""The bytes of Valiza as a generator writes them: encoding, digests, statements, streams (labels.md, encoding.md, statement.md).

Nothing here checks anything: vectors need bad objects as much as good ones.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import metadata
from typing import TypeAlias

from blake3 import blake3
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from nacl.bindings import crypto_scalarmult_base, crypto_sign, crypto_sign_seed_keypair

import mldsa
from xwing import hpke_seal

MAGIC = bytes.fromhex("89564C5A0D0A1A0A")
PREFIX = MAGIC + b"\0\1\0\1"
COMPOSITE_PREFIX = b"CompositeAlgorithmSignatures2025"
COMPOSITE_LABEL = b"COMPSIG-MLDSA65-Ed25519-SHA512"
SIGNING_KIND, OPENING_KIND, LOG_KIND = "MLDSA65-Ed25519", "X-Wing", "MLDSA44-Ed25519-log"
KINDS = {"open": OPENING_KIND, "register": LOG_KIND}  # of the keys that sign no statement, by purpose
CHUNK = 16384


@dataclass(frozen=True)
class Raw:
    """Bytes that stand in an encoding as they are: the way to a spelling that nobody may write."""

    data: bytes


Item: TypeAlias = "bool | int | bytes | str | Raw | Sequence[Item] | Mapping[str, Item] | None"


def _head(length: int, fix: tuple[int, int] | None, markers: tuple[int | None, int, int]) -> bytes:
    """The shortest header for a length; *fix* is (marker, exclusive limit), *markers* those of 8, 16 and 32 bits."""
    if fix is not None and length < fix[1]:
        return bytes([fix[0] | length])
    for marker, width in zip(markers, (1, 2, 4), strict=True):
        if marker is not None and length < 1 << (8 * width):
            return bytes([marker]) + length.to_bytes(width, "big")
    raise ValueError(length)


def _integer(value: int) -> bytes:
    if 0 <= value < 128:
        return bytes([value])
    for marker, width in ((0xCC, 1), (0xCD, 2), (0xCE, 4), (0xCF, 8)):
        if 0 <= value < 1 << (8 * width):
            return bytes([marker]) + value.to_bytes(width, "big")
    raise ValueError(value)


def encode(item: Item) -> bytes:  # noqa: PLR0911 - one for each type
    """encoding.md, "The one spelling"; map keys are written in the order given, so sorting them is the caller's duty."""
    match item:
        case None:
            return b"\xc0"
        case bool():
            return b"\xc3" if item else b"\xc2"
        case int():
            return _integer(item)
        case bytes():
            return _head(len(item), None, (0xC4, 0xC5, 0xC6)) + item
        case str():
            text = item.encode()
            return _head(len(text), (0xA0, 32), (0xD9, 0xDA, 0xDB)) + text
        case Raw():
            return item.data
        case Mapping():
            pairs = b"".join(encode(key) + encode(value) for key, value in item.items())
            return _head(len(item), (0x80, 16), (None, 0xDE, 0xDF)) + pairs
        case _:
            return _head(len(item), (0x90, 16), (None, 0xDC, 0xDD)) + b"".join(encode(part) for part in item)


def digest(label: str, data: bytes) -> bytes:
    """labels.md, Conventions; *label* without the common beginning."""
    return blake3(data, derive_key_context=f"valiza/v1/digest/{label}").digest()


def derive(label: str, items: Sequence[Item]) -> bytes:
    return blake3(encode(items), derive_key_context=f"valiza/v1/key/{label}").digest()


def keyed(key: bytes, data: bytes) -> bytes:
    return blake3(data, key=key).digest()


@cache
def word_list() -> list[str]:
    """The 1024 words of SLIP-39 (credential.md, Fingerprint), of which the page gives the digest."""
    (found,) = [file for file in metadata.files("shamir-mnemonic") or () if file.name == "wordlist.txt"]
    raw = found.read_binary()
    assert hashlib.sha256(raw).hexdigest() == "bcc4555340332d169718aed8bf31dd9d5248cb7da6e5d355140ef4f1e601eec3"
    return raw.decode("ascii").split()


def draw(name: str, length: int = 32) -> bytes:
    """The seeded stream: every random value has a name, so that a new case changes no older one."""
    return hashlib.shake_256(b"valiza vectors, version 1: " + name.encode()).digest(length)


@lru_cache(maxsize=1024)
def xwing_halves(seed: bytes) -> tuple[bytes, bytes]:
    """The ML-KEM seed `d || z` and the X25519 scalar of a 32-byte X-Wing seed (credential.md, Public keys)."""
    expanded = hashlib.shake_256(seed).digest(96)
    return expanded[:64], expanded[64:]


@lru_cache(maxsize=1024)
def xwing_public(seed: bytes) -> bytes:
    mlkem_seed, scalar = xwing_halves(seed)
    return MLKEM768PrivateKey.from_seed_bytes(mlkem_seed).public_key().public_bytes_raw() + crypto_scalarmult_base(scalar)


@lru_cache(maxsize=1024)
def composite_public(seed: bytes) -> bytes:
    """ML-DSA-65 (1952) || Ed25519 (32), from the two 32-byte seeds in this order."""
    return mldsa.public_key(seed[:32]) + crypto_sign_seed_keypair(seed[32:])[0]


@lru_cache(maxsize=1024)
def log_public(seed: bytes) -> bytes:
    """ML-DSA-44 (1312) || Ed25519 (32), from the two 32-byte seeds in this order."""
    return mldsa.public_key(seed[:32], mldsa.ML_DSA_44) + crypto_sign_seed_keypair(seed[32:])[0]


def public_of(kind: str, seed: bytes) -> bytes:
    """The public key of a seed, by its kind."""
    return {SIGNING_KIND: composite_public, OPENING_KIND: xwing_public, LOG_KIND: log_public}[kind](seed)


def composite_message(kind: str, message: bytes) -> bytes:
    """M' of statement.md, "What is signed"; *kind* is the statement's type, which is the ctx."""
    context = kind.encode()
    return COMPOSITE_PREFIX + COMPOSITE_LABEL + bytes([len(context)]) + context + hashlib.sha512(message).digest()


@lru_cache(maxsize=4096)
def composite_sign(seed: bytes, kind: str, message: bytes) -> bytes:
    full = composite_message(kind, message)
    ed25519 = crypto_sign(full, crypto_sign_seed_keypair(seed[32:])[1])[:64]
    return mldsa.sign(seed[:32], full, COMPOSITE_LABEL) + ed25519


def pae(kind: str, header: bytes, body: bytes) -> bytes:
    parts = [part for item in (kind.encode(), header, body) for part in (str(len(item)).encode(), item)]
    return b" ".join([b"VALIZAv1", *parts])


@dataclass(frozen=True)
class Signer:
    """Who signs: a role, the digest of a credential (or of a root's body), a key by its two seeds.

    The last five fields spoil it on purpose: another key digest in the header, another key or another type or body signed, the signature
    changed when it is made.
    """

    role: str
    named: bytes
    seed: bytes
    key_digest: bytes | None = None
    signs_with: bytes | None = None
    signs_type: str | None = None
    signs_body: bytes | None = None
    change: Callable[[bytes], bytes] | None = None

    def header(self) -> bytes:
        key = digest("public-key", encode([SIGNING_KIND, composite_public(self.seed)]))
        return encode([self.role, self.named, key if self.key_digest is None else self.key_digest])

    def sign(self, kind: str, body: bytes) -> bytes:
        kind = self.signs_type or kind
        body = body if self.signs_body is None else self.signs_body
        signature = composite_sign(self.signs_with or self.seed, kind, pae(kind, self.header(), body))
        return signature if self.change is None else self.change(signature)


def statement(kind: str, body: bytes, signers: Sequence[Signer]) -> bytes:
    """statement.md, Producing."""
    signatures = sorted((signer.header(), signer.sign(kind, body)) for signer in signers)
    return encode([kind, body, [[header, signature] for header, signature in signatures]])


def wrap(public: bytes, info: Sequence[Item], key: bytes, name: str, point: bytes | None = None) -> bytes:
    """The wrapped payload key, 1168 bytes (envelope.md, Header)."""
    return hpke_seal(public, encode(info), key, draw(f"{name}/wrap", 64), point)


def hkdf_sha256(key: bytes, info: bytes) -> bytes:
    """HKDF-SHA256 without salt, 32 bytes."""
    return hmac.digest(hmac.digest(bytes(32), key, "sha256"), info + b"\1", "sha256")


def cobblestone(key: bytes, context: bytes, plaintext: bytes, salt: bytes) -> bytes:
    """Cobblestone-256 (C2SP chunked-encryption) with a given salt."""
    info = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0" + salt + context
    derived, block = b"", b""
    for counter in (1, 2):
        block = hmac.digest(key, block + info + bytes([counter]), "sha512")
        derived += block
    cipher, base, commitment = AESGCM(derived[:32]), int.from_bytes(derived[32:44], "big"), derived[44:76]
    out = [salt, commitment]
    for number in range(len(plaintext) // CHUNK + 1):
        nonce = (base ^ number).to_bytes(12, "big")
        out.append(cipher.encrypt(nonce, plaintext[number * CHUNK : (number + 1) * CHUNK], b""))
    return b"".join(out)


def stream_key(payload_key: bytes, number: int, core_digest: bytes) -> bytes:
    return hkdf_sha256(payload_key, encode(["valiza/v1/stream-key", number, core_digest]))


def stream_context(header_digest: bytes, number: int) -> bytes:
    return encode(["valiza/v1/stream", header_digest, number])


def stream_length(size: int) -> int:
    """envelope.md, Payload: n + 72 + 16·⌊n/16384⌋."""
    return size + 72 + 16 * (size // CHUNK)
