"""HPKE with X-Wing from given randomness: ML-KEM-768 encapsulation (FIPS 203), X-Wing, RFC 9180 base mode, in plain Python.

Libraries draw their own randomness; vectors have to come out the same each time, and some need an X25519 half that no honest
sender makes. Only the generator uses this; the reader opens with the library.
"""

from __future__ import annotations

import hashlib
import hmac

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from nacl.bindings import crypto_scalarmult, crypto_scalarmult_base

Poly = list[int]

Q = 3329
K = 3
SUITE = b"HPKE" + bytes.fromhex("647a00010002")
LABEL = b"\\.//^\\"


def _reverse_bits(value: int) -> int:
    return int(format(value, "07b")[::-1], 2)


ZETAS = [pow(17, _reverse_bits(i), Q) for i in range(128)]
GAMMAS = [pow(17, 2 * _reverse_bits(i) + 1, Q) for i in range(128)]


def _ntt(poly: Poly) -> Poly:
    f, i, half = list(poly), 1, 128
    while half >= 2:
        for start in range(0, 256, 2 * half):
            zeta = ZETAS[i]
            i += 1
            for j in range(start, start + half):
                t = zeta * f[j + half] % Q
                f[j + half], f[j] = (f[j] - t) % Q, (f[j] + t) % Q
        half //= 2
    return f


def _inverse_ntt(poly: Poly) -> Poly:
    f, i, half = list(poly), 127, 2
    while half <= 128:
        for start in range(0, 256, 2 * half):
            zeta = ZETAS[i]
            i -= 1
            for j in range(start, start + half):
                t = f[j]
                f[j] = (t + f[j + half]) % Q
                f[j + half] = zeta * (f[j + half] - t) % Q
        half *= 2
    return [x * 3303 % Q for x in f]


def _dot(left: list[Poly], right: list[Poly]) -> Poly:
    out = [0] * 256
    for f, g in zip(left, right, strict=True):
        for i in range(128):
            a, b, c, d = f[2 * i], f[2 * i + 1], g[2 * i], g[2 * i + 1]
            out[2 * i] = (out[2 * i] + a * c + b * d * GAMMAS[i]) % Q
            out[2 * i + 1] = (out[2 * i + 1] + a * d + b * c) % Q
    return out


def _uniform(seed: bytes) -> Poly:
    """SampleNTT (algorithm 7)."""
    stream, out = hashlib.shake_128(seed).digest(1344), list[int]()
    for i in range(0, len(stream), 3):
        a = stream[i] + 256 * (stream[i + 1] % 16)
        b = stream[i + 1] // 16 + 16 * stream[i + 2]
        out.extend(x for x in (a, b) if x < Q)
        if len(out) >= 256:
            return out[:256]
    raise RuntimeError("SHAKE-128 stream too short")


def _noise(seed: bytes, nonce: int) -> Poly:
    """PRF with eta = 2 and SamplePolyCBD (algorithm 8)."""
    bits = int.from_bytes(hashlib.shake_256(seed + bytes([nonce])).digest(128), "little")
    out = list[int]()
    for i in range(256):
        four = bits >> (4 * i) & 15
        out.append(((four & 1) + (four >> 1 & 1) - (four >> 2 & 1) - (four >> 3)) % Q)
    return out


def _unpack(data: bytes, bits: int) -> Poly:
    value = int.from_bytes(data, "little")
    return [value >> (bits * i) & ((1 << bits) - 1) for i in range(256)]


def _compress(poly: Poly, bits: int) -> bytes:
    total = 0
    for i, x in enumerate(poly):
        total |= (((x << bits) + Q // 2) // Q % (1 << bits)) << (bits * i)
    return total.to_bytes(32 * bits, "little")


def _add(*polys: Poly) -> Poly:
    return [sum(xs) % Q for xs in zip(*polys, strict=True)]


def mlkem_encapsulate(public: bytes, message: bytes) -> tuple[bytes, bytes]:
    """ML-KEM.Encaps_internal (algorithm 17): the shared secret and the 1088 bytes of ciphertext."""
    g = hashlib.sha3_512(message + hashlib.sha3_256(public).digest()).digest()
    t = [_unpack(public[384 * i : 384 * (i + 1)], 12) for i in range(K)]
    rho = public[384 * K :]
    y = [_ntt(_noise(g[32:], i)) for i in range(K)]
    columns = [[_uniform(rho + bytes([i, j])) for j in range(K)] for i in range(K)]
    u = [_add(_inverse_ntt(_dot(columns[i], y)), _noise(g[32:], K + i)) for i in range(K)]
    bits = int.from_bytes(message, "little")
    mu = [(bits >> i & 1) * 1665 for i in range(256)]
    v = _add(_inverse_ntt(_dot(t, y)), _noise(g[32:], 2 * K), mu)
    return g[:32], b"".join(_compress(p, 10) for p in u) + _compress(v, 4)


def xwing_encapsulate(public: bytes, randomness: bytes, point: bytes | None = None) -> tuple[bytes, bytes]:
    """X-Wing from 64 bytes; *point* puts another X25519 half into the encapsulation, of low order: its shared secret is zero."""
    secret, ciphertext = mlkem_encapsulate(public[:1184], randomness[:32])
    if point is None:
        point = crypto_scalarmult_base(randomness[32:])
        shared = crypto_scalarmult(randomness[32:], public[1184:])
    else:
        shared = bytes(32)
    return hashlib.sha3_256(secret + shared + point + public[1184:] + LABEL).digest(), ciphertext + point


def _extract(salt: bytes, label: bytes, ikm: bytes) -> bytes:
    return hmac.digest(salt or bytes(32), b"HPKE-v1" + SUITE + label + ikm, "sha256")


def _expand(prk: bytes, label: bytes, info: bytes, length: int) -> bytes:
    labelled = length.to_bytes(2, "big") + b"HPKE-v1" + SUITE + label + info
    return hmac.digest(prk, labelled + b"\1", "sha256")[:length]


def hpke_seal(public: bytes, info: bytes, plaintext: bytes, randomness: bytes, point: bytes | None = None) -> bytes:
    """RFC 9180, single shot, base mode, empty aad: encapsulation || ciphertext (labels.md, Conventions)."""
    shared, encapsulation = xwing_encapsulate(public, randomness, point)
    context = b"\0" + _extract(b"", b"psk_id_hash", b"") + _extract(b"", b"info_hash", info)
    secret = _extract(shared, b"secret", b"")
    key, nonce = _expand(secret, b"key", context, 32), _expand(secret, b"base_nonce", context, 12)
    return encapsulation + AESGCM(key).encrypt(nonce, plaintext, b"")
