"""Vectors of fingerprints as people write them (credential.md, Fingerprint): the raw object is what was typed."""

from __future__ import annotations

from collections.abc import Sequence

import wire
import world as w
from cases import Cases, Topic

TOPIC = Topic("fingerprint", "fingerprint", {"root": (f"KZ {w.KZ.digest.hex()}",)})


def words(fingerprint: bytes, check: int | None = None) -> list[str]:
    """The 26 words; with another check, if one is given."""
    known = wire.word_list()
    bits = "".join(f"{byte:08b}" for byte in fingerprint)
    bits += f"{wire.digest('fingerprint', fingerprint)[0] >> 4 if check is None else check:04b}"
    return [known[int(bits[at : at + 10], 2)] for at in range(0, 260, 10)]


def cases() -> Cases:
    """All of them."""
    digits = w.KZ.digest.hex()
    said = words(w.KZ.digest)
    other = words(w.BY.digest)
    right = wire.digest("fingerprint", w.KZ.digest)[0] >> 4
    groups = " ".join(digits[at : at + 4] for at in range(0, 64, 4))
    for name, text, comment in (
        ("digits", digits, "64 digits in one"),
        ("groups", groups, "sixteen groups of four"),
        ("colons", ":".join(digits[at : at + 2] for at in range(0, 64, 2)).upper(), "capitals, and colons between the bytes"),
        ("lines", groups.replace(" ", "\n") + "\n", "a group a line"),
        ("words", " ".join(said), "26 words"),
        ("words_lines", "\n".join(said).upper() + "\n", "a word a line, in capitals"),
    ):
        yield TOPIC.good(name, text.encode(), comment)
    for name, text, comment in (
        ("other_digits", w.BY.digest.hex(), "the fingerprint of another root"),
        ("last_digit", digits[:-1] + f"{int(digits[-1], 16) ^ 1:x}", "the last digit is another"),
        ("other_words", " ".join(other), "the words of another root"),
    ):
        yield TOPIC.bad(name, text.encode(), "not authentic @ pinned", comment)
    wrong: Sequence[tuple[str, str, str]] = (
        ("empty", "", "nothing"),
        ("prefix", digits[:16], "the beginning of it"),
        ("group_missing", groups[:-5], "a group is missing"),
        ("group_more", f"{groups} {digits[:4]}", "a group too many"),
        ("hyphens", groups.replace(" ", "-"), "hyphens between the groups"),
        ("words_prefix", " ".join(said[:25]), "the last word is missing"),
        ("words_more", " ".join([*said, said[0]]), "a word too many"),
        ("words_unknown", " ".join([*said[:4], "valiza", *said[5:]]), "a word that is not in the list"),
        ("words_short", " ".join(word[:4] for word in said), "the first four letters of each word, which no other word has"),
        ("words_check", " ".join(words(w.KZ.digest, right ^ 1)), "four bits that do not check"),
        ("words_and_digits", " ".join([*said[:13], digits[32:]]), "half in words and half in digits"),
    )
    for name, text, comment in wrong:
        yield TOPIC.bad(name, text.encode(), "malformed @ body", comment)
