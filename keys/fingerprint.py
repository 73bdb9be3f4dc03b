"""Fingerprints as people compare them (specs/credential.md, Fingerprint): 32 bytes as groups of digits, or as words."""

from __future__ import annotations

import hmac
import re
from typing import TYPE_CHECKING, Final

from valiza.keys import labels
from valiza.keys.digests import DIGEST_BYTES, digest
from valiza.keys.errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["WORDS", "in_groups", "in_words", "parse_fingerprint", "same_fingerprint"]

WORDS: Final = 26  # of 10 bits each: 256 of the fingerprint, and 4 that check it
_BITS: Final = 10
_CHECK_BITS: Final = 4
_DIGITS: Final = 2 * DIGEST_BYTES
_GROUP: Final = 4
_HEX: Final = re.compile(r"[0-9A-Fa-f\s:]*", re.ASCII)
_WHOLE: Final = "all of it is compared: a part is never enough"


def in_groups(fingerprint: bytes) -> str:
    """The 64 digits in 16 groups of four, between spaces."""
    digits = fingerprint.hex()
    return " ".join(digits[i : i + _GROUP] for i in range(0, len(digits), _GROUP))


def in_words(fingerprint: bytes) -> str:
    """The 26 words, between spaces."""
    number = int.from_bytes(fingerprint) << _CHECK_BITS | _check(fingerprint)
    known = _word_list()
    return " ".join(known[number >> shift & (1 << _BITS) - 1] for shift in range(_BITS * (WORDS - 1), -1, -_BITS))


def _check(fingerprint: bytes) -> int:
    """Four bits by which a mistaken word is told from another fingerprint, mostly."""
    return digest(labels.DIGEST_FINGERPRINT, fingerprint)[0] >> 8 - _CHECK_BITS


def _word_list() -> Sequence[str]:
    from shamir_mnemonic.wordlist import WORDLIST  # noqa: PLC0415 - only where words are read or shown

    words: Sequence[str] = WORDLIST
    return words


def parse_fingerprint(text: str) -> bytes:
    """The 32 bytes of a fingerprint written as 64 hexadecimal digits or as 26 words.

    White space, and colons between digits, are ignored, and so is the case of letters.

    Raises:
        Malformed: anything else. A part of a fingerprint is never enough.
    """
    if _HEX.fullmatch(text):
        digits = "".join(text.replace(":", " ").split())
        if len(digits) != _DIGITS:
            message = f"a fingerprint has {_DIGITS} hexadecimal digits, and this has {len(digits)}"
            raise Malformed(message, _WHOLE)
        return bytes.fromhex(digits)
    return _parse_words(text.split())


def _parse_words(words: Sequence[str]) -> bytes:
    index = {word: number for number, word in enumerate(_word_list())}
    number = 0
    for at, word in enumerate(words[:WORDS], 1):
        found = index.get(word.lower()) if word.isascii() else None
        if found is None:
            message = f"the word {at} of the fingerprint, {word[:_DIGITS]!r}, is none of the list"
            raise Malformed(message, _near(word, index))
        number = number << _BITS | found
    if len(words) != WORDS:
        message = f"a fingerprint has {WORDS} words, and this has {len(words)}"
        raise Malformed(message, _WHOLE)
    fingerprint = (number >> _CHECK_BITS).to_bytes(DIGEST_BYTES)
    if number & (1 << _CHECK_BITS) - 1 != _check(fingerprint):
        message = "the last word of the fingerprint does not fit the others"
        raise Malformed(message, "a word was mistaken for another, or two were exchanged: read it once more")
    return fingerprint


def _near(word: str, known: dict[str, int]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - only for a mistake

    near = get_close_matches(word[:_DIGITS].lower(), known, 1)
    return f"did you mean {near[0]!r}?" if near else f"a fingerprint is written as {_DIGITS} hexadecimal digits, or as {WORDS} words"


def same_fingerprint(one: bytes, other: bytes) -> bool:
    """Whether two fingerprints are the same, all of them."""
    return hmac.compare_digest(one, other)
