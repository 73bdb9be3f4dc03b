"""Messages taken apart: what is in them, and what mail programs could read differently."""

from __future__ import annotations

import base64
import binascii
import random
import tracemalloc
from email.message import EmailMessage
from email.policy import SMTP
from typing import TYPE_CHECKING

import pytest

from valiza.gateway.media import Kind
from valiza.gateway.parts import Limits, TakenApart, TooComplex, take_apart
from valiza.keys import labels

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ENVELOPE = labels.MAGIC + random.Random(1).randbytes(5000)  # noqa: S311 - not secret
RECEIPT = b"\x93\xb1" + labels.RECEIPT.encode() + random.Random(2).randbytes(5000)  # noqa: S311
ENCODED = base64.encodebytes(ENVELOPE).replace(b"\n", b"\r\n")
TOP = b"From: a@kz.example\r\nMIME-Version: 1.0\r\n"


def part(content: bytes, header: bytes = b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n") -> bytes:
    return header + b"\r\n" + content


def mixed(*parts: bytes, boundary: bytes = b"=_b", top: bytes = TOP, end: bytes = b"--\r\n", kind: bytes = b"mixed") -> bytes:
    opening = b"--" + boundary
    return b"%bContent-Type: multipart/%b; boundary=%b\r\n\r\npreamble\r\n%b%b%b" % (
        top,
        kind,
        b'"' + boundary + b'"',
        b"".join(opening + b"\r\n" + one + b"\r\n" for one in parts),
        opening,
        end,
    )


TEXT = part(b"Good day", b"Content-Type: text/plain\r\n")
OBJECT = part(ENCODED)


def objects(taken: TakenApart) -> list[bytes]:
    return [one.content.read() for one in taken.parts if one.kind is not None]


def clean(raw: bytes | Path, *expected: bytes) -> TakenApart:
    """A message with these objects, about which all mail programs agree."""
    with take_apart(raw) as taken:
        assert objects(taken) == list(expected)
        assert taken.flaws == []
        assert taken.carries == bool(expected)
    return taken


def flawed(raw: bytes, words: str) -> TakenApart:
    """A message with a flaw, which is seen to carry something."""
    with take_apart(raw) as taken:
        assert any(words in flaw for flaw in taken.flaws), taken.flaws
        assert taken.carries
    return taken


def test_a_message_of_parts() -> None:
    message = EmailMessage(policy=SMTP)
    message["From"] = "Офис <office@kz.example>"
    message["To"] = "b@by.example"
    message["Message-ID"] = "<1@kz.example>"
    message.set_content("Добрый день\n" * 20)
    message.add_attachment(ENVELOPE, maintype="application", subtype="vnd.valiza.envelope", filename="конверт.vlz")
    message.add_attachment(RECEIPT, maintype="application", subtype="octet-stream", filename="a.bin")
    message.add_attachment(b"%PDF-", maintype="application", subtype="pdf", filename="a.pdf")
    taken = clean(message.as_bytes(), ENVELOPE, RECEIPT)
    assert [(one.path, one.kind, one.declared) for one in taken.parts] == [
        ("1", None, False),
        ("2", Kind.ENVELOPE, True),
        ("3", Kind.STATEMENT, False),
        ("4", None, False),
    ]
    assert (taken.sender, taken.message_id) == ("office@kz.example", "<1@kz.example>")
    assert taken.parts[0].content.read().decode() == "Добрый день\r\n" * 20
    assert taken.parts[1].filename == "конверт.vlz"
    assert taken.parts[3].content.read() == b"%PDF-"


@pytest.mark.parametrize("line_end", [b"\r\n", b"\n"])
def test_line_ends_of_either_kind(line_end: bytes) -> None:
    clean(mixed(TEXT, OBJECT).replace(b"\r\n", line_end), ENVELOPE)


@pytest.mark.parametrize("width", [4, 60, 64, 76, 998, 10**6])
def test_base64_in_lines_of_any_length(width: int) -> None:
    one_line = binascii.b2a_base64(ENVELOPE, newline=False)
    lines = b"\r\n".join(one_line[at : at + width] for at in range(0, len(one_line), width))
    clean(mixed(TEXT, part(lines)), ENVELOPE)


def test_quoted_printable() -> None:
    encoded = binascii.b2a_qp(ENVELOPE, quotetabs=True, istext=False)
    clean(mixed(part(encoded, b"Content-Transfer-Encoding: Quoted-Printable\r\n")), ENVELOPE)


def test_binary_that_no_relay_changed() -> None:
    clean(mixed(part(ENVELOPE, b"Content-Transfer-Encoding: binary\r\n"), TEXT), ENVELOPE)


def test_a_message_without_parts() -> None:
    taken = clean(TOP + b"Content-Transfer-Encoding: base64\r\nContent-Type: application/vnd.valiza.envelope\r\n\r\n" + ENCODED, ENVELOPE)
    assert taken.parts[0].path == "1"


def test_messages_inside_are_gone_into_and_counted_as_imap_does() -> None:
    inner = mixed(TEXT, OBJECT, boundary=b"inner")
    single = TOP + OBJECT
    raw = mixed(TEXT, part(inner, b"Content-Type: message/rfc822\r\n"), part(single, b"Content-Type: message/rfc822\r\n"))
    taken = clean(raw, ENVELOPE, ENVELOPE)
    assert [one.path for one in taken.parts] == ["1", "2.1", "2.2", "3.1"]


def test_a_digest_holds_messages() -> None:
    clean(mixed(b"\r\n" + mixed(OBJECT, boundary=b"inner"), kind=b"digest"), ENVELOPE)


def test_a_boundary_is_a_whole_line() -> None:
    clean(mixed(OBJECT, TEXT).replace(b"--=_b\r\n", b"--=_b \t\r\n"), ENVELOPE)


def test_the_line_that_mbox_puts_before() -> None:
    clean(b"From a@kz.example Sun Nov 22 18:00:00 2026\n" + mixed(OBJECT), ENVELOPE)


def test_a_footer_after_the_end_is_in_no_part() -> None:
    clean(mixed(TEXT, OBJECT) + b"_______\r\nlist mailing list\r\nlist@kz.example\r\n", ENVELOPE)


@pytest.mark.parametrize(
    "raw", [b"", b"\r\n", b"\n\n", b"no header at all", b"Subject: x", b"Subject: x\r\n", b"--=_b--", b"From: a@b.c\r\n\r\nhello"]
)
def test_messages_with_nothing(raw: bytes) -> None:
    with take_apart(raw) as taken:
        assert not taken.carries
        assert len(taken.parts) == 1


def test_a_file_is_read_like_bytes(tmp_path: Path) -> None:
    big = labels.MAGIC + random.Random(3).randbytes(3_000_000)  # noqa: S311
    raw = mixed(TEXT, part(base64.encodebytes(big).replace(b"\n", b"\r\n")), OBJECT)
    path = tmp_path / "spooled"
    path.write_bytes(raw)
    with take_apart(path) as taken, take_apart(raw) as other:
        assert not taken.flaws
        assert objects(taken) == objects(other) == [big, ENVELOPE]
        with taken.parts[1].content.open() as file:
            assert file.seek(0, 2) == taken.parts[1].content.size == len(big)
            assert file.seek(8) == 8
            assert file.read(100) == big[8:108]


def test_a_delimiter_is_found_wherever_the_blocks_of_a_file_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = mixed(TEXT, OBJECT, part(mixed(OBJECT, boundary=b"inner"), b"Content-Type: message/rfc822\r\n"))
    path = tmp_path / "spooled"
    path.write_bytes(raw)
    for size in (*range(1, 40), 4095, 4096, 4097):
        monkeypatch.setattr("valiza.gateway.source.BLOCK_BYTES", size)
        clean(path, ENVELOPE, ENVELOPE)


@pytest.mark.slow
@pytest.mark.parametrize("encoding", [b"base64", b"quoted-printable"])
def test_a_large_message_takes_little_memory(tmp_path: Path, encoding: bytes) -> None:
    path, piece = tmp_path / "spooled", random.Random(5).randbytes(57 * 1024)  # noqa: S311
    encoded = base64.encodebytes(piece) if encoding == b"base64" else binascii.b2a_qp(piece, quotetabs=True, istext=False) + b"=\n"
    start, end = mixed(part(b"@@", b"Content-Transfer-Encoding: " + encoding + b"\r\n")).split(b"@@")
    magic = base64.b64encode(labels.MAGIC + b"\0") if encoding == b"base64" else binascii.b2a_qp(labels.MAGIC + b"\0", istext=False)
    with path.open("wb") as file:
        file.write(start + magic)
        for _ in range(150):
            file.write(encoded)
        file.write(b"" if encoding == b"base64" else b"=41")
        file.write(end)
    tracemalloc.start()
    try:
        with take_apart(path) as taken:
            peak = tracemalloc.get_traced_memory()[1]
            assert (taken.parts[0].kind, taken.flaws) == (Kind.ENVELOPE, [])
            assert taken.parts[0].content.size == 9 + 150 * len(piece) + (encoding != b"base64")
    finally:
        tracemalloc.stop()
    assert peak < 4 << 20


FLAWS = {
    "two content types": (
        b"Content-Type: text/plain\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n",
        "two fields",
    ),
    "two encodings": (b"Content-Transfer-Encoding: base64\r\nContent-Transfer-Encoding: 7bit\r\n", "two fields"),
    "two dispositions": (b"Content-Transfer-Encoding: base64\r\nContent-Disposition: inline\r\nContent-Disposition: attachment\r\n", "two fields"),
    "blank before the colon": (b"Content-Transfer-Encoding : base64\r\n", "blank before a colon"),
    "comment in the encoding": (b"Content-Transfer-Encoding: base64 (really)\r\n", "not as the standard"),
    "comment in the type": (b"Content-Type: application/octet-stream (x)\r\nContent-Transfer-Encoding: base64\r\n", "not as the standard"),
    "line of blanks": (b"Content-Type: application/pdf\r\n  \r\nContent-Transfer-Encoding: base64\r\n", "line of blanks"),
    "no field": (b"Content-Transfer-Encoding: base64\r\nContent-Type: application/pdf\r\nwhat is this\r\n", "no field"),
    "lone carriage return": (b"X-A: b\rContent-Transfer-Encoding: 7bit\r\nContent-Transfer-Encoding: base64\r\n", "control character"),
    "null": (b"Content-Transfer-Encoding: base64\r\nX-A: \0\r\n", "control character"),
    "unknown encoding": (b"Content-Type: application/vnd.valiza.envelope\r\nContent-Transfer-Encoding: base-64\r\n", "no part of its own"),
    "no encoding": (b"Content-Type: application/octet-stream\r\n", "no part of its own, as base64"),
    "partial": (b"Content-Type: message/partial; id=1; number=1; total=2\r\n", "in pieces"),
    "external": (b"Content-Type: message/external-body; access-type=URL\r\n", "in pieces"),
}


@pytest.mark.parametrize("name", sorted(FLAWS))
def test_a_header_that_can_be_read_in_two_ways(name: str) -> None:
    header, words = FLAWS[name]
    flawed(mixed(TEXT, part(ENCODED, header)), words)


def test_an_object_in_a_message_whose_parts_are_disputed() -> None:
    other = b"--other\r\n" + OBJECT + b"\r\n--other--\r\n"
    cases = {
        "two fields": TOP + b"Content-Type: text/plain\r\nContent-Type: multipart/mixed; boundary=other\r\n\r\n" + other,
        "says something twice": TOP + b"Content-Type: multipart/mixed; boundary=x; boundary=other\r\n\r\n" + other,
        "not as the standard": TOP + b"Content-Type: multipart/mixed; boundary = other (x)\r\n\r\n" + other,
        "in pieces": TOP + b"Content-Type: multipart/mixed; boundary*0=oth; boundary*1=er\r\n\r\n" + other,
        "without a boundary": TOP + b"Content-Type: multipart/mixed\r\n\r\n" + other,
        "not allowed": TOP + b'Content-Type: multipart/mixed; boundary=""\r\n\r\n' + other,
        "no MIME-Version": b"From: a@kz.example\r\nContent-Type: multipart/mixed; boundary=other\r\n\r\n" + other,
        "not one plain address": b"From: a@kz.example, b@kz.example\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=other\r\n\r\n"
        + other,
        "itself encoded": TOP
        + b"Content-Transfer-Encoding: base64\r\nContent-Type: multipart/mixed; boundary=other\r\n\r\n"
        + base64.encodebytes(other),
        "part 1: a multipart without a boundary": mixed(part(other, b"Content-Type: multipart/mixed; boundary=\r\n")),
    }
    for words, raw in cases.items():
        flawed(raw, words)


def test_ends_that_are_missing_or_come_twice() -> None:
    flawed(mixed(TEXT, OBJECT, end=b""), "without an end")
    flawed(mixed(TEXT, OBJECT).removesuffix(b"--=_b--\r\n"), "without an end")
    inner = mixed(OBJECT, boundary=b"inner", top=b"").removesuffix(b"--inner--\r\n")
    flawed(mixed(inner, TEXT), "part 1: a multipart without an end")
    flawed(mixed(OBJECT) + b"--=_b\r\n" + OBJECT + b"\r\n--=_b--\r\n", "after the end")
    flawed(mixed(TEXT) + b"--=_b\r\n" + OBJECT + b"\r\n--=_b--\r\n", "after the end")
    flawed(mixed(TEXT, b"Content-Transfer-Encoding: base64", OBJECT), "no empty line")


def test_boundaries_that_begin_like_another() -> None:
    for outer, inner in [(b"part", b"part1"), (b"part1", b"part"), (b"part", b"part--"), (b"part--", b"part")]:
        flawed(mixed(TEXT, mixed(OBJECT, boundary=inner, top=b""), boundary=outer), "boundary that begins like")
    flawed(mixed(TEXT, mixed(OBJECT, top=b"")), "boundary that begins like")
    flawed(mixed(part(b"--=_bx\r\n", b""), OBJECT), "line that begins like")


def test_a_delimiter_after_a_lone_carriage_return() -> None:
    flawed(mixed(part(b"text\r--=_b\r" + OBJECT.replace(b"\r\n", b"\r"), b""), OBJECT), "inside a line")


JUNK: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "in the middle": (lambda data: data[:100] + b"!" + data[100:], "not base64"),
    "at the beginning": (lambda data: b"%%" + data, "not base64"),
    "much at the beginning": (lambda data: b"!" * 2000 + data, "not base64"),
    "another after it": (lambda data: data + ENCODED, "not base64"),
    "footer": (lambda data: data + b"\r\n-- \r\nfooter\r\n", "not base64"),
    "footer where no padding is": (lambda data: data[:780] + b"\r\n-- \r\nfooter\r\n", "not base64"),
    "no padding": (lambda data: data.rstrip(b"=\r\n"), "stops in the middle"),
    "one letter too many": (lambda data: data[:780] + b"A", "stops in the middle"),
    "padding in the middle": (lambda data: data[:78] + b"QQ==" + data[78:], "not base64"),
}


@pytest.mark.parametrize("name", JUNK)
def test_base64_with_junk(name: str) -> None:
    change, words = JUNK[name]
    assert ENCODED.endswith(b"=\r\n")
    taken = flawed(mixed(part(change(ENCODED))), words)
    assert taken.parts[0].kind is Kind.ENVELOPE


def test_stray_equals_signs_in_quoted_printable() -> None:
    encoded = binascii.b2a_qp(ENVELOPE, quotetabs=True, istext=False).replace(b"=\r\n", b"=zz=\r\n", 1)
    flawed(mixed(part(encoded, b"Content-Transfer-Encoding: quoted-printable\r\n")), "stray equals")
    text = part(b"50 = 50\r\n", b"Content-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n")
    clean(mixed(text, OBJECT), ENVELOPE)  # a careless text hides nothing


def uuencoded(data: bytes) -> bytes:
    return b"begin 644 a.bin\r\n" + b"".join(binascii.b2a_uu(data[at : at + 45]) for at in range(0, len(data), 45)) + b"`\nend\r\n"


def yencoded(data: bytes) -> bytes:
    shifted = bytes((byte + 42) % 256 for byte in data)
    line = b"".join(b"=%c" % ((byte + 64) % 256) if byte in b"\0\n\r=" else bytes([byte]) for byte in shifted)
    return b"=ybegin line=128 size=%d name=a.bin\r\n%b\r\n=yend size=%d\r\n" % (len(data), line, len(data))


@pytest.mark.parametrize("content", [ENVELOPE, RECEIPT])
@pytest.mark.parametrize(("encode", "words"), [(uuencoded, "uuencode"), (yencoded, "yEnc"), (base64.encodebytes, "base64")])
def test_something_of_valiza_in_a_text(content: bytes, encode: Callable[[bytes], bytes], words: str) -> None:
    text = b"Look at this:\r\n" + encode(content)
    flawed(mixed(part(text, b"")), words)
    flawed(mixed(part(base64.encodebytes(text), b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n")), words)
    flawed(mixed(TEXT).replace(b"preamble", text), words)
    flawed(mixed(TEXT) + text, words)


@pytest.mark.parametrize("media_type", [b"application/ms-tnef", b"application/pkcs7-mime", b"application/applefile"])
def test_something_of_valiza_in_a_form_that_only_some_read(media_type: bytes) -> None:
    inside = random.Random(4).randbytes(999) + RECEIPT  # noqa: S311
    header = b"Content-Type: " + media_type + b"\r\nContent-Transfer-Encoding: base64\r\n"
    flawed(mixed(part(base64.encodebytes(inside), header)), "no part of its own, as binary")


def test_winmail_dat_is_said_to_be_unverifiable() -> None:
    header = b"Content-Type: application/octet-stream; name=winmail.dat\r\nContent-Transfer-Encoding: base64\r\n"
    flawed(mixed(OBJECT, part(base64.encodebytes(b"x\x9f>\x22"), header)), "TNEF")


def test_a_message_inside_that_is_encoded_is_gone_into_and_is_a_flaw() -> None:
    header = b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n"
    taken = flawed(mixed(part(base64.encodebytes(mixed(TEXT, OBJECT)), header)), "message inside that is encoded")
    assert [one.path for one in taken.parts] == ["1.1", "1.2"]
    assert objects(taken) == [ENVELOPE]


@pytest.mark.parametrize("inner", [part(ENCODED), part(binascii.b2a_qp(RECEIPT, istext=False), b"Content-Transfer-Encoding: quoted-printable\r\n")])
def test_what_others_may_take_for_a_message(inner: bytes) -> None:
    """Some go into a part of any type `message/…`; the standard library does."""
    for media_type in (b"message/delivery-status", b"message/rfc#822", b"message/x"):
        flawed(mixed(part(TOP + inner, b"Content-Type: " + media_type + b"\r\n")), "no part of its own")


@pytest.mark.parametrize("inner", [part(ENCODED), part(binascii.b2a_qp(RECEIPT, istext=False), b"Content-Transfer-Encoding: quoted-printable\r\n")])
def test_a_message_whose_line_ends_are_carriage_returns(inner: bytes) -> None:
    """For us it is a header without an end; others find parts in it."""
    flawed(mixed(inner).replace(b"\r\n", b"\n").replace(b"\n", b"\r"), "control character")


def test_short_lines_of_base64_in_a_disputed_message() -> None:
    short = b"\r\n".join(ENCODED.replace(b"\r\n", b"")[at : at + 12] for at in range(0, 600, 12))
    flawed(mixed(part(short), top=TOP + b"Content-Type: text/plain\r\n"), "two fields content-type")
    clean(TOP + b"\r\nIn a text it may stand: iVZMWg0KGgo\r\n")


@pytest.mark.parametrize(
    "header",
    [
        b'Content-Disposition: attachment; filename="A.VLS"\r\n',
        b"Content-Disposition: attachment; filename=a.vls\r\n",
        b"Content-Disposition: attachment; filename*=utf-8'ru'%D0%B0.vl%73\r\n",
        b"Content-Disposition: attachment; filename*0=a.; filename*1=vls\r\n",
        b"Content-Disposition: attachment; filename*0*=utf-8''%D0; filename*1*=%B0.vls\r\n",
        b"Content-Disposition: attachment; filename=\"a.txt\"; filename*=utf-8''a.vls\r\n",
        b'Content-Type: application/pdf; name="=?utf-8?B?0LAudmxz?="\r\n',
        b"Content-Type: application/pdf; name==?utf-8?Q?a=2Evls?=\r\n",
        b'Content-Type: application/pdf; name="a.vls"\r\nContent-Disposition: attachment; filename="a.pdf"\r\n',
        b'Content-Type: application/pdf;\r\n\tname="a.\\vls"\r\n',
        b"Content-Disposition: attachment; filename=my file.vls\r\n",
        b'Content-Disposition: attachment; filename="a.pdf"; filename="a.vls"\r\n',
        'Content-Disposition: attachment; filename="а.vls"\r\n'.encode(),
        b"Content-Type: APPLICATION/VND.Valiza.Anything\r\n",
    ],
)
def test_what_is_said_to_be_ours_is_looked_at(header: bytes) -> None:
    with take_apart(mixed(part(b"aGVsbG8=", header + b"Content-Transfer-Encoding: base64\r\n"))) as taken:
        assert taken.parts[0].declared, taken.parts
        assert taken.parts[0].kind is None
        assert taken.carries


@pytest.mark.parametrize(
    "name",
    [
        b"=?utf-8?B?%b?=" % (b"A" * 20_000),
        b"=?nonsense?Q?a?=",
        b"=?utf-8?B?A?=",
        b"=?utf-8?q?" * 5000,
        b"\xff\xfe\x00"[:2] * 100,
    ],
)
def test_names_that_cannot_be_decoded(name: bytes) -> None:
    with take_apart(mixed(part(ENCODED, b'Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename="%b"\r\n' % name))) as taken:
        assert objects(taken) == [ENVELOPE]


@pytest.mark.parametrize(
    "value",
    [b"name*0=a; name*=b", b"name*99999999999999999999=a", b"name*%b=a" % (b"9" * 5000), b"name*=x", b"name*0*=%", b"name*=''", b"=;;=", b'"'],
)
def test_parameters_that_do_not_fit(value: bytes) -> None:
    with take_apart(mixed(part(ENCODED, b"Content-Transfer-Encoding: base64\r\nContent-Type: application/pdf; " + value + b"\r\n"))) as taken:
        assert objects(taken) == [ENVELOPE]


@pytest.mark.parametrize(
    ("value", "sender"),
    [
        (b"a@kz.example", "a@kz.example"),
        (b"<a@kz.example>", "a@kz.example"),
        (b'"Surname, \\"Name\\"" <a@kz.example>', "a@kz.example"),
        (b"=?utf-8?B?0LA=?= <a@kz.example>", "a@kz.example"),
        (b"Name\r\n <a@kz.example>", "a@kz.example"),
        (b"a@kz.example <b@evil.example>", ""),
        (b"a@kz.example, b@kz.example", ""),
        (b"<a@kz.example> <b@evil.example>", ""),
        (b'"a@kz.example" <b@evil.example>', "b@evil.example"),
        (b"group: a@kz.example;", ""),
        (b"a@b@c", ""),
        (b"", ""),
        (b" " * 60_000, ""),
        (b'"' * 60_001, ""),
    ],
)
def test_the_sender_is_one_plain_address(value: bytes, sender: str) -> None:
    with take_apart(b"From: " + value + b"\r\n\r\ntext\r\n") as taken:
        assert taken.sender == sender
        assert bool(sender) != bool(taken.flaws)


def nested(depth: int) -> bytes:
    raw = b"Content-Type: text/plain\r\n\r\nhello"
    for level in range(depth):
        raw = mixed(raw, boundary=b"b%dx" % level, top=b"")
    return TOP + raw


def forwarded(depth: int) -> bytes:
    return (TOP + b"Content-Type: message/rfc822\r\n\r\n") * depth + OBJECT


def encoded_forwarded(depth: int) -> bytes:
    raw = TOP + OBJECT
    for _ in range(depth):
        raw = TOP + b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(raw)
    return raw


@pytest.mark.parametrize(
    "raw",
    [
        mixed(*[TEXT] * 10_000),
        nested(1000),
        nested(13),
        forwarded(1000),
        encoded_forwarded(13),
        TOP + b"X: y\r\n" * 20_000 + b"\r\n",
        TOP + b"X: " + b"y" * 70_000 + b"\r\n\r\n",
        TOP + b"Subject: x\r\n" + b" y\r\n" * 20_000 + b"\r\n",
        mixed(b"X: " + b"y" * 70_000 + b"\r\n\r\n"),
        mixed(part(b"--=_bx\r\n" * 2000, b"")),
    ],
    ids=[
        "10,000 parts",
        "1,000 multiparts",
        "13 multiparts",
        "1,000 messages",
        "13 encoded",
        "20,000 fields",
        "a long field",
        "a folded field",
        "in a part",
        "false delimiters",
    ],
)
def test_more_than_is_looked_at(raw: bytes) -> None:
    with pytest.raises(TooComplex):
        take_apart(raw)


def test_the_limits_are_those_given() -> None:
    take_apart(nested(11), Limits(depth=11)).close()
    with pytest.raises(TooComplex):
        take_apart(nested(12), Limits(depth=11))
    take_apart(mixed(*[TEXT] * 4), Limits(parts=5)).close()
    with pytest.raises(TooComplex):
        take_apart(mixed(*[TEXT] * 5), Limits(parts=5))
    with pytest.raises(TooComplex):
        take_apart(mixed(TEXT), Limits(header_bytes=20))
