"""Mail that was written to do harm: whatever it is, it is decided, in a time that its size bounds, and nothing passes under another's verdict."""

from __future__ import annotations

import encodings
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import pytest

from valiza.gateway.mime import decoded_words, read_header
from valiza.gateway.parts import TooComplex, take_apart
from valiza.gateway.rules import MarkTexts, Unsealed
from valiza.gateway.unsealed import MarkFinder, unsealed_in

if TYPE_CHECKING:
    from collections.abc import Iterator

MARKS: Final = ("Для служебного пользования", "ДСП")
TOP: Final = b"From: a@kz.example\r\nMIME-Version: 1.0\r\n"
PATIENCE: Final = 20.0  # seconds of a processor: what a worker is given for a batch


@contextmanager
def processor_time() -> Iterator[None]:
    """What takes longer than any message may fails; what is meant here takes hours where it is not mended, and a moment where it is."""

    def late(*_: object) -> None:
        message = "it takes too long"
        raise AssertionError(message)

    before = signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, PATIENCE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def unsealed(raw: bytes, where: MarkTexts = MarkTexts.STANDING) -> list[str]:
    """What should be in an envelope and is not."""
    rules = Unsealed(names=("*.dsp.*",), media_types=("application/x-secret*",), marks=where)
    with processor_time(), take_apart(raw) as taken:
        return [reason for _, reason in unsealed_in(taken, rules, MarkFinder(() if where is MarkTexts.IGNORED else MARKS, where))]


def text(content: bytes, media_type: bytes = b"text/plain; charset=utf-8") -> bytes:
    return TOP + b"Content-Type: " + media_type + b"\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + content


def header(name: bytes, value: bytes) -> bytes:
    return TOP + name + b": " + value + b"\r\n\r\nx\r\n"


# -- time -----------------------------------------------------------------------------------------------------------------

MARK: Final = "\r\nДля служебного пользования\r\n".encode()
COMBINING: Final = {
    "in two classes": "\u0300\u0316",
    "made of two": "\u0f73",
    "half wide": "\uff9e\u0316",
}


@pytest.mark.parametrize("name", COMBINING)
def test_characters_that_combine_without_end(name: str) -> None:
    many = (COMBINING[name] * 300_000).encode()
    assert unsealed(text(many)) == []
    assert unsealed(text(many + MARK)) == ["the text of a secrecy mark is in a text"]
    assert unsealed(header(b"Content-Disposition", b'attachment; filename="a' + many[:60_000] + b'"')) == []


def test_what_combines_is_still_read() -> None:
    """A letter written as two characters is the same letter."""
    assert MarkFinder(["ЙОД"], MarkTexts.STANDING).in_text("И\u0306ОД")


@pytest.mark.parametrize(
    "charset", [b"punycode", b"idna", b"undefined", b"unicode_escape", b"raw-unicode-escape", b"base64", b"x" * 60_000, b'"\\\0"']
)
def test_character_sets_that_are_none(charset: bytes) -> None:
    """The mark is found all the same: they are left out of account."""
    raw = text(b"a9" * 500_000 + MARK, b"text/plain; charset=" + charset)
    assert unsealed(raw) == ["the text of a secrecy mark is in a text"]


@pytest.mark.parametrize("number", [b"&#" + b"9" * 5000 + b";", b"&#x" + b"f" * 5000, b"&#" + b"0" * 5000 + b"65;", b"&#99999999;&#xd800;&#0;"])
def test_numbers_of_characters_without_end(number: bytes) -> None:
    assert unsealed(text(number * 100 + b"<p>" + MARK, b"text/html; charset=utf-8")) == ["the text of a secrecy mark is in a text"]


def test_a_character_by_its_number_with_many_zeros_is_read() -> None:
    assert MarkFinder(["ДСП"], MarkTexts.STANDING).in_text("<b>&#0000000000001044;&#x000000421;П</b>", is_html=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    "unit", ["а дсп б ", "а для служебного пользования б ", "\ufdfa", "<", "<br ", "<!--", "&aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "для "]
)
def test_large_texts_of_what_is_costly(unit: str) -> None:
    for kind in (b"plain", b"html"):
        many = unit.encode() * ((1 << 20) // len(unit.encode()))
        unsealed(text(many + b"\xff", b"text/" + kind + b"; charset=utf-8"))


@pytest.mark.slow
def test_more_text_than_there_is_time_for() -> None:
    """Each byte that does not fit its character set makes the text be read in others, too."""
    lines = (b"x" * 4095 + b"\n") * (1 << 8)
    parts = b"".join(b"--=_b\r\nContent-Type: text/plain\r\n\r\n" + lines + b"\r\n" for _ in range(65))
    whole = TOP + b'Content-Type: multipart/mixed; boundary="=_b"\r\n\r\n' + parts + b"--=_b--\r\n"
    with pytest.raises(TooComplex, match="text to look through"):
        unsealed(whole)
    assert unsealed(whole, MarkTexts.IGNORED) == []


HEADERS: Final = {
    "encoded words": (b"Subject", b"=?a?q?", b""),
    "ends of encoded words": (b"Subject", b"=?utf-8?b?A?=", b""),
    "quoted semicolons": (b"Content-Type", b";", b'text/plain; x="'),
    "semicolons in a disposition": (b"Content-Disposition", b";", b'attachment; filename="'),
    "punycode": (b"Content-Disposition", b"a9", b"attachment; filename*=punycode''a-"),
    "percent": (b"Content-Disposition", b"%CC%80%CC%96", b"attachment; filename*=utf-8''a"),
    "pieces": (b"Content-Disposition", b"filename*1=a;", b"attachment; "),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", HEADERS)
def test_as_many_large_headers_as_may_be(name: str) -> None:
    field, unit, before = HEADERS[name]
    one = field + b": " + before + unit * (60_000 // len(unit)) + b"\r\n\r\nx\r\n"
    parts = b"".join(b"--=_b\r\n" + (b"Content-Type: message/rfc822\r\n\r\n" if field == b"Subject" else b"") + one for _ in range(95))
    assert unsealed(TOP + b'Content-Type: multipart/mixed; boundary="=_b"\r\n\r\n' + parts + b"--=_b--\r\n") == []


# -- memory ---------------------------------------------------------------------------------------------------------------


def test_names_of_character_sets_are_not_remembered() -> None:
    """The library keeps every name that it is asked for, and senders have as many as they like."""
    before = set(encodings._cache)
    for number in range(50):
        name = b"hostile-%d" % number
        unsealed(text(b"\xd0\xff", b"text/plain; charset=" + name))
        unsealed(header(b"Subject", b"=?" + name + b"?q?a?="))
        unsealed(header(b"Content-Disposition", b"attachment; filename*=" + name + b"''a"))
        unsealed(header(b"Content-Disposition", b"attachment; filename*=(x) " + name + b"''a"))
        unsealed(header(b"Content-Disposition", b'attachment; filename="=?' + name + b'?q?a?="'))
    assert not [name for name in set(encodings._cache) - before if "hostile" in name]


def test_words_in_a_character_set_that_is_none_are_read_as_far_as_they_can_be() -> None:
    assert decoded_words("=?x-unknown?q?=D0=90?= b") == "А b"
    assert read_header(b"Content-Disposition: attachment; filename*=x-unknown''a.vls\r\n")[0].names[0] == "a.vls"
