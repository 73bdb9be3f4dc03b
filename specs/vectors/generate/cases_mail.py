"""Vectors of mail messages (mail.md, Taking apart). The objects in them are only begun: what is in an object matters on its own page."""

from __future__ import annotations

import base64
import binascii
import hashlib

from cases import Cases, Topic

ENVELOPE = bytes.fromhex("89564c5a0d0a1a0a00010001") + bytes(range(60))
BUNDLE = bytes.fromhex("89564c450d0a1a0a") + bytes(range(60))
RECEIPT = b"\x93\xb1valiza/v1/receipt" + bytes(range(60))
TOP = b"From: Registry <registry@mfa.by.example>\r\nTo: registry@mfa.kz.example\r\nMIME-Version: 1.0\r\n"
TEXT = b"Content-Type: text/plain\r\n\r\nGood day.\r\n"
TOPIC = Topic("mail", "mail", {})


def encoded(data: bytes) -> bytes:
    """In base64, as mail has it."""
    return base64.encodebytes(data).replace(b"\n", b"\r\n")


def in_base64(data: bytes, media_type: bytes = b"application/octet-stream") -> bytes:
    """A part, or what comes below the head of a message."""
    return b"Content-Type: %b\r\nContent-Transfer-Encoding: base64\r\n\r\n%b" % (media_type, encoded(data))


def multipart(*parts: bytes, boundary: bytes = b"=_a1", kind: bytes = b"mixed") -> bytes:
    """Parts together."""
    body = b"".join(b"--%b\r\n%b\r\n" % (boundary, part) for part in parts)
    return b'Content-Type: multipart/%b; boundary="%b"\r\n\r\n%b--%b--\r\n' % (kind, boundary, body, boundary)


def found(*objects: tuple[str, bytes]) -> list[str]:
    """The head's lines for what is in a message."""
    return [f"{path} {hashlib.sha256(raw).hexdigest()}" for path, raw in objects]


def _good() -> Cases:
    envelope = in_base64(ENVELOPE)
    printable = b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + binascii.b2a_qp(RECEIPT, quotetabs=True, istext=False)
    named = in_base64(RECEIPT, b'application/pdf; name="report.pdf"')
    inside = b"Content-Type: message/rfc822\r\n\r\n" + TOP + multipart(TEXT, envelope, boundary=b"=_b2")
    footer = b"_____\r\nlist@kz.example\r\n"
    rows: tuple[tuple[str, bytes, list[str], str], ...] = (
        ("nothing", TOP + multipart(TEXT), [], "no object"),
        ("alone", TOP + envelope, found(("1", ENVELOPE)), "a message without parts, which is an envelope"),
        ("parts", TOP + multipart(TEXT, envelope, in_base64(BUNDLE)), found(("2", ENVELOPE), ("3", BUNDLE)), "an envelope and a bundle"),
        ("line_feeds", (TOP + multipart(TEXT, envelope)).replace(b"\r\n", b"\n"), found(("2", ENVELOPE)), "lines that end with line feeds"),
        ("printable", TOP + multipart(TEXT, printable), found(("2", RECEIPT)), "a receipt in quoted-printable"),
        ("other_name", TOP + multipart(named), found(("1", RECEIPT)), "a receipt that is said to be something else"),
        ("forwarded", TOP + multipart(TEXT, inside), found(("2.2", ENVELOPE)), "in a message inside"),
        ("digest", TOP + multipart(b"\r\n" + TOP + envelope, kind=b"digest"), found(("1.1", ENVELOPE)), "a digest, whose parts are messages"),
        ("nested", TOP + multipart(multipart(TEXT, envelope, boundary=b"=_b2"), TEXT), found(("1.2", ENVELOPE)), "parts of a part"),
        ("footer", TOP + multipart(TEXT, envelope) + footer, found(("2", ENVELOPE)), "text of a mailing list after the end"),
    )
    for name, raw, objects, comment in rows:
        yield TOPIC.good(name, raw, comment, found=objects)


def _bad() -> Cases:
    envelope = in_base64(ENVELOPE)
    two_types = envelope.replace(b"Content-Transfer", b"Content-Type: text/plain\r\nContent-Transfer")
    uu = b"\r\nbegin 644 a.vlz\r\n" + binascii.b2a_uu(ENVELOPE[:45]) + b"`\r\nend\r\n"
    whole = TOP + multipart(TEXT, envelope)
    rows = (
        ("two_fields", TOP + multipart(two_types), "two fields Content-Type"),
        ("comment", TOP + multipart(envelope.replace(b": base64", b": base64 (so it is)")), "a comment in Content-Transfer-Encoding"),
        ("blank", TOP + multipart(envelope.replace(b"Encoding:", b"Encoding :")), "a blank before the colon"),
        ("no_field", TOP + multipart(envelope.replace(b"\r\n\r\n", b"\r\nno field\r\n\r\n")), "a line in the header that is no field"),
        ("two_senders", whole.replace(b"example>", b"example>, a@kz.example", 1), "From with two addresses"),
        ("no_version", whole.replace(b"MIME-Version: 1.0\r\n", b""), "no MIME-Version"),
        ("unknown_encoding", TOP + multipart(envelope.replace(b"base64", b"base-64")), "an encoding that is not known"),
        ("no_end", whole.removesuffix(b"--=_a1--\r\n"), "a multipart without an end"),
        ("after_end", whole + b"--=_a1\r\n" + envelope + b"\r\n--=_a1--\r\n", "a delimiter after the end"),
        ("prefix", TOP + multipart(multipart(envelope, boundary=b"=_a12")), "a boundary that begins like the one around it"),
        ("longer_line", TOP + multipart(TEXT + b"--=_a1x\r\n", envelope), "a line that begins like a delimiter"),
        ("no_boundary", TOP + b"Content-Type: multipart/mixed\r\n\r\n--=_a1\r\n" + envelope, "a multipart without a boundary"),
        ("junk", TOP + multipart(envelope.replace(b"iVZMWg0K", b"iVZM!Wg0K")), "a character in base64 that is none"),
        ("more", TOP + multipart(in_base64(ENVELOPE[:-1]) + encoded(RECEIPT)), "base64 that goes on after its end"),
        ("encoded_message", TOP + multipart(in_base64(TOP + envelope, b"message/rfc822")), "a message inside that is encoded"),
        ("partial", TOP + multipart(b"Content-Type: message/partial; id=1; number=1\r\n\r\n" + TOP + envelope), "a message in pieces"),
        ("uuencode", TOP + multipart(uu), "uuencode in a text"),
        ("in_a_text", TOP + multipart(b"\r\n" + encoded(ENVELOPE)), "lines of base64 in a text"),
    )
    for name, raw, comment in rows:
        yield TOPIC.bad(name, raw, "malformed @ 7", comment)
    declared = in_base64(b"text", b'application/octet-stream; name="a.VLS"')
    yield TOPIC.bad("declared", TOP + multipart(declared), "malformed @ 6", "the name says that it is a statement, and it is none")


def cases() -> Cases:
    """All of them."""
    yield from _good()
    yield from _bad()
