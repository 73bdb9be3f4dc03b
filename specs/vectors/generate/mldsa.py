"""ML-DSA-65 and ML-DSA-44 signing, deterministic variant (FIPS 204, algorithm 7 with rnd = 0), in plain Python.

Libraries sign with fresh randomness; vectors have to come out the same each time they are made. Only the generator uses this,
slow and not constant-time as it is: the reader verifies with the library.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache

Poly = list[int]

Q = 8380417
D = 13


@dataclass(frozen=True)
class Parameters:
    """FIPS 204, table 1: *rows* and *columns* of the matrix, there k and l; *bits* are those of gamma1, *challenge* is in bytes."""

    rows: int
    columns: int
    eta: int
    tau: int
    omega: int
    bits: int
    gamma2: int
    challenge: int

    @property
    def gamma1(self) -> int:
        return 1 << self.bits

    @property
    def beta(self) -> int:
        return self.tau * self.eta

    @property
    def high_bits(self) -> int:
        """Of a coefficient of w1."""
        return ((Q - 1) // (2 * self.gamma2) - 1).bit_length()


ML_DSA_44 = Parameters(4, 4, 2, 39, 80, 17, (Q - 1) // 88, 32)
ML_DSA_65 = Parameters(6, 5, 4, 49, 55, 19, (Q - 1) // 32, 48)


def _reverse_bits(value: int, width: int) -> int:
    return int(format(value, f"0{width}b")[::-1], 2)


ZETAS = [pow(1753, _reverse_bits(i, 8), Q) for i in range(256)]


def _h(data: bytes, length: int) -> bytes:
    return hashlib.shake_256(data).digest(length)


def _ntt(poly: Poly) -> Poly:
    w, k, half = list(poly), 0, 128
    while half >= 1:
        for start in range(0, 256, 2 * half):
            k += 1
            zeta = ZETAS[k]
            for j in range(start, start + half):
                t = zeta * w[j + half] % Q
                w[j + half] = (w[j] - t) % Q
                w[j] = (w[j] + t) % Q
        half //= 2
    return w


def _inverse_ntt(poly: Poly) -> Poly:
    w, k, half = list(poly), 256, 1
    while half < 256:
        for start in range(0, 256, 2 * half):
            k -= 1
            zeta = Q - ZETAS[k]
            for j in range(start, start + half):
                t = w[j]
                w[j] = (t + w[j + half]) % Q
                w[j + half] = zeta * (t - w[j + half]) % Q
        half *= 2
    return [8347681 * x % Q for x in w]  # 256^-1


def _dot(left: list[Poly], right: list[Poly]) -> Poly:
    total = [0] * 256
    for a, b in zip(left, right, strict=True):
        total = [(t + x * y) % Q for t, x, y in zip(total, a, b, strict=True)]
    return total


def _add(a: Poly, b: Poly) -> Poly:
    return [(x + y) % Q for x, y in zip(a, b, strict=True)]


def _sub(a: Poly, b: Poly) -> Poly:
    return [(x - y) % Q for x, y in zip(a, b, strict=True)]


def _centred(x: int) -> int:
    return x - Q if x > Q // 2 else x


def _norm(polys: list[Poly]) -> int:
    return max(abs(_centred(x % Q)) for poly in polys for x in poly)


def _pack(values: Poly, bits: int) -> bytes:
    total = 0
    for i, value in enumerate(values):
        total |= value << (i * bits)
    return total.to_bytes(len(values) * bits // 8, "little")


def _uniform(seed: bytes) -> Poly:
    """RejNTTPoly (algorithm 30)."""
    stream, out = hashlib.shake_128(seed).digest(1680), list[int]()
    for i in range(0, len(stream), 3):
        value = stream[i] | stream[i + 1] << 8 | (stream[i + 2] & 0x7F) << 16
        if value < Q:
            out.append(value)
            if len(out) == 256:
                return out
    raise RuntimeError("SHAKE-128 stream too short")


def _bounded(p: Parameters, seed: bytes) -> Poly:
    """RejBoundedPoly (algorithm 31)."""
    out, values = list[int](), 2 * p.eta + 1
    for byte in _h(seed, 1024):
        out.extend(p.eta - nibble % values for nibble in (byte & 15, byte >> 4) if nibble < 15 // values * values)
        if len(out) >= 256:
            return [x % Q for x in out[:256]]
    raise RuntimeError("SHAKE-256 stream too short")


def _mask(p: Parameters, seed: bytes, kappa: int) -> list[Poly]:
    """ExpandMask (algorithm 34)."""
    out, width = list[Poly](), p.bits + 1
    for r in range(p.columns):
        packed = int.from_bytes(_h(seed + (kappa + r).to_bytes(2, "little"), 32 * width), "little")
        out.append([(p.gamma1 - (packed >> (width * i) & (1 << width) - 1)) % Q for i in range(256)])
    return out


def _challenge(p: Parameters, seed: bytes) -> Poly:
    """SampleInBall (algorithm 29)."""
    stream = _h(seed, 1024)
    signs, at, c = int.from_bytes(stream[:8], "little"), 8, [0] * 256
    for i in range(256 - p.tau, 256):
        while stream[at] > i:
            at += 1
        j = stream[at]
        at += 1
        c[i] = c[j]
        c[j] = Q - 1 if signs >> (i + p.tau - 256) & 1 else 1
    return c


def _decompose(p: Parameters, r: int) -> tuple[int, int]:
    low = r % (2 * p.gamma2)
    if low > p.gamma2:
        low -= 2 * p.gamma2
    if r - low == Q - 1:
        return 0, low - 1
    return (r - low) // (2 * p.gamma2), low


@dataclass(frozen=True)
class _Key:
    public: bytes
    prehash: bytes
    secret: bytes
    a: list[list[Poly]]
    s1: list[Poly]
    s2: list[Poly]
    t0: list[Poly]


@lru_cache(maxsize=256)
def _expand(p: Parameters, seed: bytes) -> _Key:
    """KeyGen_internal (algorithm 6); s1, s2 and t0 are kept in the NTT domain."""
    stream = _h(seed + bytes([p.rows, p.columns]), 128)
    rho, rho1, secret = stream[:32], stream[32:96], stream[96:]
    a = [[_uniform(rho + bytes([s, r])) for s in range(p.columns)] for r in range(p.rows)]
    s1 = [_bounded(p, rho1 + r.to_bytes(2, "little")) for r in range(p.columns)]
    s2 = [_bounded(p, rho1 + (p.columns + r).to_bytes(2, "little")) for r in range(p.rows)]
    s1_hat = [_ntt(poly) for poly in s1]
    t = [_add(_inverse_ntt(_dot(row, s1_hat)), s2[i]) for i, row in enumerate(a)]
    t0 = [[(x + 4095) % 8192 - 4095 for x in poly] for poly in t]
    t1 = [[(x - low) >> D for x, low in zip(poly, rest, strict=True)] for poly, rest in zip(t, t0, strict=True)]
    public = rho + b"".join(_pack(poly, 10) for poly in t1)
    return _Key(public, _h(public, 64), secret, a, s1_hat, [_ntt(poly) for poly in s2], [_ntt([x % Q for x in poly]) for poly in t0])


def public_key(seed: bytes, p: Parameters = ML_DSA_65) -> bytes:
    return _expand(p, seed).public


def sign(seed: bytes, message: bytes, context: bytes, p: Parameters = ML_DSA_65) -> bytes:
    """ML-DSA.Sign (algorithm 2), with rnd = 32 zero bytes."""
    key = _expand(p, seed)
    mu = _h(key.prehash + bytes([0, len(context)]) + context + message, 64)
    mask_seed = _h(key.secret + bytes(32) + mu, 64)
    kappa = 0
    while True:
        signature = _attempt(p, key, mu, mask_seed, kappa)
        if signature is not None:
            return signature
        kappa += p.columns


def _attempt(p: Parameters, key: _Key, mu: bytes, mask_seed: bytes, kappa: int) -> bytes | None:
    """One pass of the loop of algorithm 7; None when it rejects."""
    y = _mask(p, mask_seed, kappa)
    y_hat = [_ntt(poly) for poly in y]
    w = [_inverse_ntt(_dot(row, y_hat)) for row in key.a]
    w1 = b"".join(_pack([_decompose(p, x)[0] for x in poly], p.high_bits) for poly in w)
    seed = _h(mu + w1, p.challenge)
    c = _ntt(_challenge(p, seed))
    z = [_add(y[i], _inverse_ntt(_dot([c], [key.s1[i]]))) for i in range(p.columns)]
    if _norm(z) >= p.gamma1 - p.beta:
        return None
    rest = [_sub(w[i], _inverse_ntt(_dot([c], [key.s2[i]]))) for i in range(p.rows)]
    if max(abs(_decompose(p, x)[1]) for poly in rest for x in poly) >= p.gamma2 - p.beta:
        return None
    ct0 = [_inverse_ntt(_dot([c], [poly])) for poly in key.t0]
    if _norm(ct0) >= p.gamma2:
        return None
    hints = [[j for j in range(256) if _decompose(p, rest[i][j])[0] != _decompose(p, (rest[i][j] + ct0[i][j]) % Q)[0]] for i in range(p.rows)]
    if sum(len(row) for row in hints) > p.omega:
        return None
    return seed + b"".join(_pack([p.gamma1 - _centred(x) for x in poly], p.bits + 1) for poly in z) + _pack_hints(p, hints)


def _pack_hints(p: Parameters, hints: list[list[int]]) -> bytes:
    """HintBitPack (algorithm 20)."""
    out, ends = bytearray(), bytearray()
    for row in hints:
        out.extend(row)
        ends.append(len(out))
    return bytes(out).ljust(p.omega, b"\0") + bytes(ends)
