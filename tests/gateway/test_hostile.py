"""Mail that was written to do harm: whatever it is, it is decided, in a time that its size bounds, and nothing passes under another's verdict."""

from __future__ import annotations

import base64
import binascii
import encodings
import signal
from contextlib import contextmanager
from email import message_from_bytes, policy
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.support.mail import ENVELOPE, RECEIPT
from tests.support.post import gateway_at, mail, verdicts

from valiza.gateway.media import sniff
from valiza.gateway.mime import decoded_words, read_header
from valiza.gateway.parts import TooComplex, take_apart
from valiza.gateway.rules import MarkTexts, Unsealed
from valiza.gateway.unsealed import MarkFinder, unsealed_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.cli import World

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


# -- what another mail program finds --------------------------------------------------------------------------------------


def attached(content: bytes, encoding: bytes = b" base64", width: int = 76, media_type: bytes = b"application/octet-stream") -> bytes:
    """A part; in short lines it is found in no text that is looked through."""
    lines = base64.b64encode(content)
    body = b"\r\n".join(lines[at : at + width] for at in range(0, len(lines), width))
    return b"Content-Type: " + media_type + b"\r\nContent-Transfer-Encoding:" + encoding + b"\r\n\r\n" + body + b"\r\n"


def parted(boundary: bytes, *parts: bytes) -> bytes:
    return b"".join(b"--" + boundary + b"\r\n" + one for one in parts) + b"--" + boundary + b"--\r\n"


def multipart(said: bytes, body: bytes, *, version: bytes = b"1.0") -> bytes:
    return b"From: a@kz.example\r\nMIME-Version: " + version + b"\r\nContent-Type: multipart/mixed; " + said + b"\r\n\r\n" + body


CHECKED: Final = attached(ENVELOPE)
HIDDEN: Final = attached(RECEIPT, width=20)
INSIDE: Final = TOP + b"Content-Type: multipart/mixed; boundary=ii\r\n\r\n" + parted(b"ii", HIDDEN)


def uuencoded(size: int, end: bytes = b"\r\n", begin: bytes = b"begin 644 a") -> bytes:
    lines = (binascii.b2a_uu(RECEIPT[at : at + size]).rstrip(b"\n") + end for at in range(0, len(RECEIPT), size))
    return b"\r\n" + begin + b"\r\n" + b"".join(lines) + b"`\r\nend\r\n"


# A message in which the checked object is one thing for some mail programs, and nothing or something else for others. Those of which the library is
# one are said to be so, and it is asked.
DISPUTED: Final[dict[str, tuple[bytes, bool]]] = {
    "quoted pair": (multipart(b'boundary="x\\y"', parted(b"x\\y", HIDDEN) + parted(b"xy", CHECKED)), True),
    "angle brackets": (multipart(b'boundary="<xy>"', parted(b"xy", HIDDEN) + parted(b"<xy>", CHECKED)), True),
    "quotation marks twice": (multipart(b'boundary="\\"xy\\""', parted(b"xy", HIDDEN) + parted(b'"xy"', CHECKED)), True),
    "other quotation marks": (multipart(b"boundary='xy'", parted(b"xy", HIDDEN) + parted(b"'xy'", CHECKED)), True),
    "other quotation marks inside": (multipart(b"boundary=\"'xy'\"", parted(b"xy", HIDDEN) + parted(b"'xy'", CHECKED)), False),
    "folded": (multipart(b'boundary="x\r\n y"', parted(b"xy", HIDDEN) + parted(b"x y", CHECKED)), True),
    "blank at the end": (multipart(b'boundary="xy "', parted(b"xy", CHECKED)), False),
    "blanks around the equals sign": (multipart(b"boundary = xy", parted(b"xy", CHECKED)), False),
    "encoded word": (multipart(b'boundary="=?utf-8?q?xy?="', parted(b"xy", HIDDEN) + parted(b"=?utf-8?q?xy?=", CHECKED)), True),
    "in another parameter": (multipart(b'x="; boundary=ab"; boundary=xy', parted(b"ab", HIDDEN) + parted(b"xy", CHECKED)), False),
    "an equals sign that is not quoted": (multipart(b"boundary=x=y", parted(b"x", HIDDEN) + parted(b"x=y", CHECKED)), True),
    "another kind of blank before a type": (
        multipart(b"boundary=xy", parted(b"xy", CHECKED, b"Content-Type: \xc2\xa0message/rfc822\r\n\r\n" + INSIDE)),
        True,
    ),
    "another kind of blank in a boundary": (multipart(b"boundary=\xc2\xa0xy", parted(b"xy", CHECKED)), True),
    "another kind of blank at the end": (multipart(b"boundary=xy\xc2\x85", parted(b"xy", CHECKED)), True),
    "name and colon in two lines": (
        multipart(b"boundary=xy", parted(b"xy", CHECKED.replace(b"Content-Transfer-Encoding:", b"Content-Transfer-Encoding\n "))),
        True,
    ),
    "padding before it": (multipart(b"boundary=xy", parted(b"xy", CHECKED, HIDDEN.replace(b"\r\n\r\n", b"\r\n\r\n=", 1))), True),
    "padding in its beginning": (
        multipart(b"boundary=xy", parted(b"xy", CHECKED, HIDDEN.replace(base64.b64encode(RECEIPT)[:4], base64.b64encode(RECEIPT)[:4] + b"=\r\n", 1))),
        True,
    ),
    "another version": (multipart(b"boundary=xy", parted(b"xy", CHECKED), version=b"2.0"), False),
    "semicolon after the encoding": (multipart(b"boundary=xy", parted(b"xy", attached(ENVELOPE, b" base64;"))), True),
    "parameter of the encoding": (multipart(b"boundary=xy", parted(b"xy", attached(ENVELOPE, b" base64; a=b"))), True),
    "blank after the encoding": (multipart(b"boundary=xy", parted(b"xy", attached(ENVELOPE, b" base64 "))), True),
    "folded encoding": (multipart(b"boundary=xy", parted(b"xy", attached(ENVELOPE, b"\r\n base64"))), True),
    "unknown message": (multipart(b"boundary=xy", parted(b"xy", CHECKED, b"Content-Type: message/x-a\r\n\r\n" + INSIDE)), True),
    "notice": (multipart(b"boundary=xy", parted(b"xy", CHECKED, b"Content-Type: message/vnd.valiza.receipt-notice\r\n\r\n" + INSIDE)), True),
    "unknown message in base64": (
        multipart(b"boundary=xy", parted(b"xy", CHECKED, b"Content-Type: message/x-a\r\nContent-Transfer-Encoding: base64\r\n\r\n" + INSIDE)),
        True,
    ),
    "disposition": (multipart(b"boundary=xy", parted(b"xy", CHECKED, b"Content-Type: message/disposition-notification\r\n\r\n" + HIDDEN)), True),
    "status": (multipart(b"boundary=xy", parted(b"xy", CHECKED, b"Content-Type: message/delivery-status\r\n\r\nA: b\r\n\r\n" + INSIDE)), False),
    "null in a delimiter": (multipart(b"boundary=xy", b"--xy\r\n\r\nhello\r\n-\0-xy\r\n" + HIDDEN + parted(b"xy", CHECKED)), False),
    "null before all parts": (multipart(b"boundary=xy", b"-\0-xy\r\n" + HIDDEN + parted(b"xy", CHECKED)), False),
    "null among base64": (multipart(b"boundary=xy", parted(b"xy", attached(b"x" * 99).replace(b"eHh4", b"eHh4\r\n-\0-xy", 1), CHECKED)), False),
    "form feed": (multipart(b"boundary=xy", b"--xy\r\n\r\nhello\f--xy\r\n" + HIDDEN + parted(b"xy", CHECKED)), False),
    "another line end": (multipart(b"boundary=xy", b"--xy\r\n\r\nhello\xc2\x85--xy\r\n" + HIDDEN + parted(b"xy", CHECKED)), False),
    "blank before a delimiter": (multipart(b"boundary=xy", b"--xy\r\n\r\nhello\r\n --xy\r\n" + HIDDEN + parted(b"xy", CHECKED)), False),
    "blanks after a delimiter": (multipart(b"boundary=xy", b"--xy\r\n\r\nx\r\n--xy" + b" " * 500 + b"\r\n" + HIDDEN + parted(b"xy", CHECKED)), True),
    "uuencode in short lines": (multipart(b"boundary=xy", parted(b"xy", CHECKED, uuencoded(3))), False),
    "uuencode in long lines": (multipart(b"boundary=xy", parted(b"xy", CHECKED, uuencoded(45, b"XX\r\n"))), False),
    "uuencode with two blanks": (multipart(b"boundary=xy", parted(b"xy", CHECKED, uuencoded(45, begin=b"begin  0644"))), False),
}


def found_by_the_library(raw: bytes, by: Any) -> list[bytes]:
    leaves = [part for part in message_from_bytes(raw, policy=by).walk() if not part.is_multipart()]
    contents = [part.get_payload(decode=True) for part in leaves]
    return [content for content in contents if isinstance(content, bytes) and sniff(content) is not None]


@pytest.mark.parametrize("name", DISPUTED)
def test_what_mail_programs_read_differently_is_no_good_message(name: str) -> None:
    raw, library = DISPUTED[name]
    with take_apart(raw) as taken:
        assert taken.carries
        assert taken.flaws
    readings = [found_by_the_library(raw, by) for by in (policy.compat32, policy.default)]
    assert any(found != [ENVELOPE] for found in readings) == library


PLAIN: Final = (
    b'boundary="=_alternative 0051CDD780256F1A_="',
    b'charset="utf-8"; boundary="----=_Part_1_2.3"; type="text/html"',
    b"boundary=----_Part_1_2.3",
    b'\r\n\tboundary="Boundary_(ID_0)"',
    b"BOUNDARY=b1-Apple-Mail_0;\r\n\tcharset=us-ascii",
    b'boundary="a=b?c:d/e,f"',
)


@pytest.mark.parametrize("said", PLAIN)
@pytest.mark.parametrize("version", [b"1.0", b"1.0 (Apple Message framework v929)"])
def test_what_mail_programs_write_is_no_flaw(said: bytes, version: bytes) -> None:
    boundary = said.lower().partition(b"boundary=")[2].split(b";")[0].strip(b'"')
    exact = said[said.lower().index(boundary) :][: len(boundary)]
    raw = multipart(said, parted(exact, CHECKED), version=version)
    with take_apart(raw) as taken:
        assert taken.flaws == []
        assert [part.content.read() for part in taken.parts] == [ENVELOPE]
    assert all(found_by_the_library(raw, by) == [ENVELOPE] for by in (policy.compat32, policy.default))


# -- the register ---------------------------------------------------------------------------------------------------------


def test_what_is_sent_again_and_again_fills_no_register(post: World) -> None:
    """Evidence of a conflict is kept once, a receipt entered once; of what is refused nothing is kept, however often it comes."""
    good, other, late = (post.path(f"{name}.receipt.vls").read_bytes() for name in ("good", "other", "late"))
    gateway = gateway_at(post.path("KZ"))
    before = len(gateway.kinds())
    for _ in range(5):
        first, second = gateway.check(mail(good), mail(other))
        assert verdicts(second) == ["conflict"]
        assert first.action == "accept"
    assert sorted(gateway.kinds()[before:]) == ["conflict", "receipt"]
    before = len(gateway.kinds())
    bad = late[:-1] + bytes([late[-1] ^ 1])
    strangers = gateway_at(post.path("KZ.empty"))
    empty = len(strangers.kinds())
    for number in range(20):
        (decision,) = gateway.check(mail(late, bad, subject=str(number)))
        assert decision.action == "reject"
        (decision,) = strangers.check(mail(good, subject=str(number)))
        assert verdicts(decision) == ["unsolicited"]
    assert len(gateway.kinds()) == before
    assert len(strangers.kinds()) == empty


def test_a_disputed_message_enters_nothing(post: World) -> None:
    """The receipt in it is good; which of the attachments somebody finds is not sure."""
    receipt = post.path("good.receipt.vls").read_bytes()
    gateway = gateway_at(post.path("KZ"))
    before = gateway.kinds()
    for name in sorted(DISPUTED):
        shown = attached(receipt).partition(b"\r\n\r\n")[2]
        (decision,) = gateway.check(DISPUTED[name][0].replace(CHECKED.partition(b"\r\n\r\n")[2], shown))
        assert (decision.action, gateway.kinds()) == ("reject", before), name
        assert "malformed" in verdicts(decision), name
        assert decision.reply.isascii()
        assert decision.reply.isprintable()
    (decision,) = gateway.check(multipart(b"boundary=xy", parted(b"xy", attached(receipt))))
    assert verdicts(decision) == ["delivered"]
