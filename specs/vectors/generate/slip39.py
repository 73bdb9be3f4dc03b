"""SLIP-0039 written out, as far as shares of one group are made: libraries draw their own randomness. Only the list of words is a library's."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from shamir_mnemonic.wordlist import WORDLIST

SECRET, DIGEST = 255, 254  # where the polynomial has the secret, and what tells whether it is right
GENERATOR = (0xE0E040, 0x1C1C080, 0x3838100, 0x7070200, 0xE0E0009, 0x1C0C2412, 0x38086C24, 0x3090FC48, 0x21B1F890, 0x3F3F120)


@dataclass(frozen=True)
class Share:
    """What a share says. Counts and thresholds are those that people say, from 1."""

    identifier: int
    index: int
    threshold: int
    value: bytes
    extendable: bool = True
    exponent: int = 0
    group: tuple[int, int, int] = (0, 1, 1)  # index, threshold, count
    padding: int = 0

    def words(self) -> list[str]:
        """The share as words, with its checksum."""
        bits = f"{self.identifier:015b}{int(self.extendable)}{self.exponent:04b}"
        bits += f"{self.group[0]:04b}{self.group[1] - 1:04b}{self.group[2] - 1:04b}{self.index:04b}{self.threshold - 1:04b}"
        bits += f"{self.padding:b}".zfill(-8 * len(self.value) % 10) + "".join(f"{byte:08b}" for byte in self.value)
        numbers = [int(bits[start : start + 10], 2) for start in range(0, len(bits), 10)]
        name = b"shamir_extendable" if self.extendable else b"shamir"
        rest = polynomial([*name, *numbers, 0, 0, 0]) ^ 1
        return [WORDLIST[number] for number in (*numbers, rest >> 20, rest >> 10 & 1023, rest & 1023)]


def polynomial(values: Iterable[int]) -> int:
    """The checksum RS1024 of some ten-bit values."""
    found = 1
    for value in values:
        high = found >> 20
        found = (found & 0xFFFFF) << 10 ^ value
        for bit, term in enumerate(GENERATOR):
            found ^= term if high >> bit & 1 else 0
    return found


def times(left: int, right: int) -> int:
    """The product in the field of 256 elements, modulo x^8 + x^4 + x^3 + x + 1."""
    found = 0
    while right:
        found ^= left if right & 1 else 0
        left = left << 1 ^ (0x11B if left & 0x80 else 0)
        right >>= 1
    return found


def over(left: int, right: int) -> int:
    """The quotient: times the 254th power, which is the inverse."""
    for _ in range(254):
        left = times(left, right)
    return left


def at(x: int, points: dict[int, bytes]) -> bytes:
    """The value at *x* of the polynomials through some points."""
    found = bytes(len(next(iter(points.values()))))
    for own, value in points.items():
        factor = 1
        for other in points.keys() - {own}:
            factor = over(times(factor, x ^ other), own ^ other)
        found = bytes(old ^ times(byte, factor) for old, byte in zip(found, value, strict=True))
    return found


def encrypted(secret: bytes, passphrase: bytes, exponent: int, salt: bytes = b"") -> bytes:
    """The master secret under a passphrase: four rounds of a Feistel cipher."""
    half = len(secret) // 2
    left, right = secret[:half], secret[half:]
    for number in range(4):
        mask = hashlib.pbkdf2_hmac("sha256", bytes([number]) + passphrase, salt + right, 2500 << exponent, half)
        left, right = right, bytes(a ^ b for a, b in zip(left, mask, strict=True))
    return right + left


def split(secret: bytes, threshold: int, count: int, draw: Callable[[str, int], bytes]) -> list[bytes]:
    """The values of *count* shares, of which *threshold* give the (encrypted) secret."""
    points = {index: draw(f"share {index}", len(secret)) for index in range(threshold - 2)}
    random = draw("digest", len(secret) - 4)
    points |= {DIGEST: hmac.digest(random, secret, "sha256")[:4] + random, SECRET: secret}
    return [at(index, points) for index in range(count)]
