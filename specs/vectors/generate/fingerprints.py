"""Fingerprints as a reader is told them (credential.md, Fingerprint)."""

from __future__ import annotations

import re

import decode as d
import wire
from outcome import Malformed, NotAuthentic, step


def compare(typed: bytes, pinned: bytes) -> None:
    """Digits or words, compared whole."""
    with step("body"):
        try:
            text = typed.decode()
        except UnicodeDecodeError as error:
            raise Malformed("not text") from error
        found = _digits(text) if re.fullmatch(r"[0-9a-fA-F:\s]*", text) else _words(text.lower().split())
    with step("pinned"):
        if found != pinned:
            raise NotAuthentic("another fingerprint")


def _digits(text: str) -> bytes:
    digits = re.sub(r"[:\s]", "", text)
    d.need(len(digits) == 64, "not 64 digits")
    return bytes(int(digits[at : at + 2], 16) for at in range(0, 64, 2))


def _words(said: list[str]) -> bytes:
    d.need(len(said) == 26, "not 26 words")
    known = {word: place for place, word in enumerate(wire.word_list())}
    d.need(all(word in known for word in said), "a word that is not in the list")
    total = 0
    for word in said:
        total = total * 1024 + known[word]
    fingerprint, check = divmod(total, 16)
    out = fingerprint.to_bytes(32, "big")
    d.need(wire.digest("fingerprint", out)[0] >> 4 == check, "the check does not hold")
    return out
