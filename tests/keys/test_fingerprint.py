"""Fingerprints in groups and in words: all of them are compared, and nothing that people mistype passes."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.keys import flipped, root_of

from valiza.keys.errors import Malformed
from valiza.keys.fingerprint import WORDS, in_groups, in_words, parse_fingerprint, same_fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable

SPECS: Final = Path(__file__).resolve().parents[2] / "specs"
FINGERPRINT: Final = root_of("KZ").digest
SAID: Final = in_words(FINGERPRINT).split()
fingerprints = st.binary(min_size=32, max_size=32)


# -- digits ---------------------------------------------------------------------------------------------------------------


@given(fingerprints, st.sampled_from([" ", ":", "\n", " : ", ""]), st.integers(1, 64), st.sampled_from([str.upper, str.lower]))
def test_digits_are_read_in_groups_of_any_size(raw: bytes, between: str, size: int, case: Callable[[str], str]) -> None:
    digits = case(raw.hex())
    assert parse_fingerprint(between.join(digits[i : i + size] for i in range(0, 64, size)) + between) == raw


@given(fingerprints)
def test_what_is_shown_reads_back(raw: bytes) -> None:
    assert re.fullmatch(r"([0-9a-f]{4} ){15}[0-9a-f]{4}", in_groups(raw))
    assert re.fullmatch(r"([a-z]{4,8} ){25}[a-z]{4,8}", in_words(raw))
    assert parse_fingerprint(in_groups(raw)) == parse_fingerprint(in_words(raw)) == raw


NO_FINGERPRINTS: Final = {
    "empty": "",
    "two digits": "ab",
    "63 digits": "a" * 63,
    "65 digits": "a" * 65,
    "66 digits": "a" * 66,
    "other letters": "g" * 64,
    "0x": "0x" + "a" * 62,
    "0x before all": "0x" + "a" * 64,
    "Arabic digits": "a" * 62 + "\u0661\u0661",
    "wide letters": "\uff41" * 64,
    "a hyphen": "a" * 32 + "-" + "a" * 32,
    "beginning and dots": "a" * 32 + "…",
    "a group missing": in_groups(FINGERPRINT)[:-5],
    "a group more": in_groups(FINGERPRINT) + " 0000",
    "the last word missing": " ".join(SAID[:-1]),
    "the first word missing": " ".join(SAID[1:]),
    "one word": SAID[0],
    "a word more": " ".join([*SAID, SAID[0]]),
    "a word twice": " ".join([SAID[0], *SAID]),
    "words without spaces": "".join(SAID),
    "words with commas": ", ".join(SAID),
    "words with hyphens": "-".join(SAID),
    "first letters": " ".join(word[:4] for word in SAID),
    "a word with a letter more": " ".join([SAID[0] + "s", *SAID[1:]]),
    "a word with a Cyrillic letter": " ".join([SAID[0].replace("a", "\u0430").replace("e", "\u0435").replace("o", "\u043e"), *SAID[1:]]),
    "a word in wide letters": " ".join(["\uff41cademic", *SAID[1:]]),
    "half and half": " ".join([*SAID[:13], FINGERPRINT.hex()[32:]]),
    "words and digits": " ".join([*SAID, FINGERPRINT.hex()]),
}


@pytest.mark.parametrize("value", NO_FINGERPRINTS.values(), ids=NO_FINGERPRINTS.keys())
def test_a_part_of_a_fingerprint_or_anything_else_is_malformed(value: str) -> None:
    assert value not in {FINGERPRINT.hex(), " ".join(SAID)}
    with pytest.raises(Malformed):
        parse_fingerprint(value)


# -- words ----------------------------------------------------------------------------------------------------------------


@given(fingerprints, st.sampled_from([" ", "\n", "\t ", "\r\n"]), st.sampled_from([str.upper, str.lower, str.title]))
def test_words_are_read_in_any_lines_and_case(raw: bytes, between: str, case: Callable[[str], str]) -> None:
    assert parse_fingerprint(between.join(case(word) for word in in_words(raw).split()) + between) == raw


def test_every_bit_is_in_the_words() -> None:
    """Two fingerprints that differ in one bit differ in a word other than that of the check, wherever the bit is."""
    for bit in range(256):
        other = in_words(flipped(FINGERPRINT, bit // 8, 1 << bit % 8)).split()
        assert len(other) == WORDS
        assert parse_fingerprint(" ".join(other)) != FINGERPRINT
        assert bit >= 250 or other[bit // 10] != SAID[bit // 10] or other != SAID


def test_a_mistaken_word_is_never_taken_for_the_fingerprint() -> None:
    """Every word in the place of every other: malformed, or the fingerprint of another root; 1 in 16 is not told from that."""
    from shamir_mnemonic.wordlist import WORDLIST  # noqa: PLC0415 - as in the product

    malformed = tried = 0
    for place in range(WORDS):
        for word in WORDLIST[place::16]:
            if word == SAID[place]:
                continue
            tried += 1
            try:
                assert parse_fingerprint(" ".join([*SAID[:place], word, *SAID[place + 1 :]])) != FINGERPRINT
            except Malformed:
                malformed += 1
    assert malformed / tried > 0.9


def test_two_words_exchanged_are_never_taken_for_the_fingerprint() -> None:
    for place in range(WORDS - 1):
        words = [*SAID[:place], SAID[place + 1], SAID[place], *SAID[place + 2 :]]
        if words == SAID:
            continue
        with contextlib.suppress(Malformed):
            assert parse_fingerprint(" ".join(words)) != FINGERPRINT


def test_what_is_wrong_is_said() -> None:
    for text, message, hint in (
        ("ab cd", "has 64 hexadecimal digits, and this has 4", "a part is never enough"),
        (" ".join(SAID[:20]), "has 26 words, and this has 20", "a part is never enough"),
        (" ".join([*SAID[:6], SAID[6][:-1] + "q", *SAID[7:]]), "the word 7 of the fingerprint", f"did you mean {SAID[6]!r}?"),
        ("x" * 1000, "the word 1 of the fingerprint", "26 words"),
    ):
        with pytest.raises(Malformed) as raised:
            parse_fingerprint(text)
        assert message in raised.value.message
        assert hint in raised.value.hint
        assert len(raised.value.message) < 200


def test_the_words_are_those_of_slip_39() -> None:
    """By their digest, which the specification tells; each is known by its first four letters."""
    import hashlib  # noqa: PLC0415 - beside its only use

    from shamir_mnemonic.wordlist import WORDLIST  # noqa: PLC0415 - as in the product

    assert len({word[:4] for word in WORDLIST}) == 1024
    found = hashlib.sha256("".join(f"{word}\n" for word in WORDLIST).encode()).hexdigest()
    assert found == "bcc4555340332d169718aed8bf31dd9d5248cb7da6e5d355140ef4f1e601eec3"


@pytest.mark.checkout
def test_the_example_of_the_specification() -> None:
    page = (SPECS / "credential.md").read_text(encoding="utf-8")
    block = page.partition("The fingerprint of KZ's root in `vectors/world`:\n\n")[2].partition("\n\n")[0]
    digits, *words = block.splitlines()
    root = (SPECS / "vectors" / "root_good.vector").read_text(encoding="utf-8", errors="replace").partition("root: KZ ")[2].partition("\n")[0]
    assert parse_fingerprint(digits) == parse_fingerprint(" ".join(words)) == bytes.fromhex(root)
    assert in_groups(bytes.fromhex(root)) == digits.strip()


def test_the_whole_is_compared() -> None:
    assert same_fingerprint(FINGERPRINT, bytes(bytearray(FINGERPRINT)))
    assert not any(same_fingerprint(FINGERPRINT, flipped(FINGERPRINT, index)) for index in range(32))
    assert not same_fingerprint(FINGERPRINT, FINGERPRINT[:31])
