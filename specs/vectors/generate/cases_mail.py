"""Vectors of mail messages (mail.md, Taking apart). The objects in them are only begun: what is in an object matters on its own page."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator

from cases import Cases, Topic

ENVELOPE = bytes.fromhex("89564c5a0d0a1a0a00010001") + bytes(range(60))
BUNDLE = bytes.fromhex("89564c450d0a1a0a") + bytes(range(60))
RECEIPT = b"\x93\xb1valiza/v1/receipt" + bytes(range(60))
TOP = b"From: Registry <registry@mfa.by.example>\r\nTo: registry@mfa.kz.example\r\nMIME-Version: 1.0\r\n"
TEXT = b"Content-Type: text/plain\r\n\r\nGood day.\r\n"
BINARY = b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\n"
VERSION = re.compile(rb"(MIME-Version: 1.0)")
TOPIC = Topic("mail", "mail", {})
Row = tuple[str, bytes, str]  # name, message, comment


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


def with_boundary(parameter: bytes, boundary: bytes = b"=_a1", more: bytes = b"") -> bytes:
    """A message with an envelope whose boundary is given so; *more* stands behind the media type."""
    whole = TOP + multipart(TEXT, in_base64(ENVELOPE), boundary=boundary)
    return whole.replace(
        b'multipart/mixed; boundary="%b"' % boundary, b"multipart/mixed%b;%b" % (more, parameter if parameter[:1] == b"\r" else b" " + parameter)
    )


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
        ("mailbox_line", b"From registry Tue Mar  3 09:00:00 2026\r\n" + TOP + envelope, found(("1", ENVELOPE)), "the line of a mailbox first"),
        ("version_comment", VERSION.sub(b"\\1 (by hand)", TOP + envelope), found(("1", ENVELOPE)), "MIME-Version with a comment"),
        ("boundary_token", with_boundary(b"boundary=a1", b"a1"), found(("2", ENVELOPE)), "a boundary that is a token"),
        ("boundary_next_line", with_boundary(b'\r\n boundary="=_a1"'), found(("2", ENVELOPE)), "a boundary in the second line of its field"),
        ("printable_end", TOP + multipart(TEXT, printable + b"="), found(("2", RECEIPT)), "quoted-printable whose last line goes on"),
        ("binary", TOP + multipart(TEXT, BINARY + ENVELOPE), found(("2", ENVELOPE)), "null bytes where the encoding is binary"),
        ("careless_name", TOP + multipart(in_base64(RECEIPT, b"application/pdf; name=a b")), found(("1", RECEIPT)), "a name in two words"),
        ("short_base64", TOP + multipart(b"\r\niVZMWg0K\r\n"), [], "a short word of base64 in a text"),
        ("flaw_alone", TOP.replace(b"1.0", b"2.0") + multipart(TEXT), [], "a flaw where there is nothing of Valiza"),
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
    for name, raw, comment in (*rows, *_fields(), *_boundaries(), *_bodies(), *_leaves(), *_elsewhere()):
        yield TOPIC.bad(name, raw, "malformed @ 7", comment)
    declared = in_base64(b"text", b'application/octet-stream; name="a.VLS"')
    yield TOPIC.bad("declared", TOP + multipart(declared), "malformed @ 6", "the name says that it is a statement, and it is none")


def _fields() -> Iterator[Row]:
    """Headers."""
    envelope = in_base64(ENVELOPE)
    head, _, body = envelope.partition(b"\r\n\r\n")
    for name, field in (
        ("encodings", b"Content-Transfer-Encoding: base64"),
        ("dispositions", b"Content-Disposition: inline\r\nContent-Disposition: inline"),
        ("versions", b"MIME-Version: 1.0\r\nMIME-Version: 1.0"),
        ("from", b"From: a@kz.example\r\nFrom: a@kz.example"),
        ("message_ids", b"Message-ID: <1@kz.example>\r\nMessage-ID: <1@kz.example>"),
    ):
        yield f"two_{name}", TOP + multipart(b"\r\n".join((head, field, b"", body))), f"two fields {field.partition(b':')[0].decode()}"
    for name, field, comment in (
        ("blank_line", b" \t", "a line of blanks in the header"),
        ("null_in_header", b"X-Note: a\0b", "a null byte in the header"),
        ("return_in_header", b"X-Note: a\rb", "a lone carriage return in the header"),
    ):
        yield name, TOP + multipart(b"\r\n".join((head, field, b"", body))), comment
    yield "no_empty_line", TOP + multipart(TEXT.partition(b"\r\n")[0], envelope), "a part whose header has no empty line after it"
    junk = envelope.replace(b"iVZMWg0K", b"iVZM!Wg0K")
    yield "no_field_first", (TOP + multipart(junk)).replace(b"To:", b"no field\r\nTo:", 1), "no field, in the header of the message"
    yield "no_field_last", TOP + multipart(junk.replace(b"\r\n\r\n", b"\r\n", 1)), "no empty line after the fields, but base64"
    yield "no_version_encoded", TOP.replace(b"MIME-Version: 1.0\r\n", b"") + envelope, "no MIME-Version in a message that is encoded"
    yield "other_version", TOP.replace(b"1.0", b"2.0") + multipart(TEXT, envelope), "another MIME-Version"
    yield "type_comment", TOP + multipart(in_base64(ENVELOPE, b"application/octet-stream (so it is)")), "a comment in Content-Type"
    inside = b"Content-Type: message/rfc822; name=a b\r\n\r\n" + TOP + envelope
    yield "message_parameters", TOP + multipart(TEXT, inside), "a parameter of a message inside that is two words"
    for name, encoding, comment in (
        ("folded", b"\r\n base64", "in the line below its name"),
        ("blank", b" base64 ", "with a blank after it"),
        ("semicolon", b" base64;", "with a semicolon after it"),
        ("empty", b"", "without a word"),
    ):
        yield f"encoding_{name}", TOP + multipart(envelope.replace(b" base64", encoding)), f"a Content-Transfer-Encoding {comment}"
    disputed = envelope.replace(b"base64", b"base64 (so it is)").replace(b"iVZMWg0K", b"iVZM!Wg0K")
    yield "encoding_comment_junk", TOP + multipart(disputed), "a Content-Transfer-Encoding with a comment, and base64 that only some can read"
    unknown = (TOP + b"Content-Transfer-Encoding: 7-bit\r\n" + multipart(TEXT, envelope), "an encoding of a multipart that is not known")
    yield "unknown_encoding_multipart", *unknown


def _boundaries() -> Iterator[Row]:
    """The parameter of a multipart."""
    for name, parameter, boundary, comment in (
        ("long", b'boundary="%b"' % (b"a" * 71), b"a" * 71, "of 71 characters"),
        ("characters", b'boundary="\xd0\xb0"', b"\xd0\xb0", "with letters that are not ASCII"),
        ("twice", b'boundary="=_a1"; boundary="=_b2"', b"=_a1", "that is given twice"),
        ("named_twice", b'name="boundary=a"; boundary="=_a1"', b"=_a1", "that a name seems to give, too"),
        ("pieces", b'boundary*0="=_"; boundary*1="a1"', b"=_a1", "in pieces"),
        ("charset", b"boundary*=us-ascii''a1", b"a1", "with its character set"),
        ("no_token", b"boundary=a/1", b"a/1", "that is no token, and not quoted"),
        ("folded", b'boundary=\r\n "=_a1"', b"=_a1", "in the line below its name"),
        ("spaced", b'boundary= "=_a1"', b"=_a1", "with a blank before it"),
        ("two_lines", b'boundary="=_a\r\n 1"', b"=_a 1", "quoted in two lines"),
        ("pair", b'boundary="=_\\a1"', b"=_a1", "with a quoted pair"),
        ("word", b'boundary="=?us-ascii?q?a1?="', b"=?us-ascii?q?a1?=", "that looks like an encoded word"),
        ("apostrophe", b"boundary=\"'a1'\"", b"'a1'", "that begins with a quotation mark"),
        ("angle", b'boundary="<a1>"', b"<a1>", "that begins with <"),
        ("blank", b'boundary="=_a1 "', b"=_a1", "with a blank at its end"),
        ("comment", b'(so) boundary="=_a1"', b"=_a1", "behind a comment"),
    ):
        yield f"boundary_{name}", with_boundary(parameter, boundary), f"a boundary {comment}"
    yield "parameter_twice", with_boundary(b'boundary="=_a1"', more=b"; charset=a; charset=b"), "a parameter of a multipart that stands twice"
    inner = multipart(in_base64(ENVELOPE))
    yield "prefix_outer", TOP + multipart(inner, boundary=b"=_a12"), "a boundary with which the one around it begins"
    yield "prefix_same", TOP + multipart(inner), "the boundary of the one around it"


def _bodies() -> Iterator[Row]:
    """Lines, null bytes, and parts of unusual kinds."""
    envelope = in_base64(ENVELOPE)
    kinds = b"Content-Type: message/%b\r\n%b\r\n"
    fields = b"Subject: a\r\nContent-Type: text/plain\r\n\r\na\r\n"
    for name, part, comment in (
        ("inside_a_line", TEXT.replace(b"day.", b"day. --=_a1"), "two hyphens and the boundary inside a line"),
        ("inside_after_return", TEXT.replace(b"day.", b"day.\r--=_a1"), "the same after a lone carriage return"),
        ("null", TEXT.replace(b"day.", b"d\0ay."), "a null byte in a text"),
        ("null_base64", in_base64(b"a").replace(b"=", b"\0="), "a null byte in base64"),
        ("fields_of_parts", kinds % (b"delivery-status", b"") + fields, "a field of a part in a message of another kind"),
        ("fields_of_parts_encoded", kinds % (b"x", b"Content-Transfer-Encoding: base64\r\n") + encoded(fields), "the same, encoded"),
        ("external", kinds % (b"external-body; access-type=local-file; name=a", b""), "a part that lies elsewhere"),
        ("tnef", in_base64(b"a", b"application/ms-tnef"), "TNEF beside an envelope"),
    ):
        yield name, TOP + multipart(part, envelope), comment
    preamble = (TOP + multipart(TEXT, envelope)).replace(b"\r\n\r\n--", b"\r\n\r\n\0\r\n--", 1)
    yield "null_preamble", preamble, "a null byte before the first delimiter"
    yield "multipart_object", TOP + multipart(in_base64(ENVELOPE, b'multipart/mixed; boundary="=_b2"')), "an envelope that is said to be a multipart"
    yield "tnef_object", TOP + multipart(in_base64(ENVELOPE, b"application/ms-tnef")), "an envelope that is said to be TNEF"
    inner = multipart(envelope, boundary=b"=_b2").partition(b"\r\n\r\n")[2]
    parts = in_base64(inner, b'multipart/mixed; boundary="=_b2"')
    yield "encoded_multipart", TOP + multipart(TEXT, parts), "a multipart inside that is encoded"


def _leaves() -> Iterator[Row]:
    """Encodings of what is of Valiza."""
    start = in_base64(ENVELOPE)
    kind, _, _ = start.partition(b"\r\n\r\n")
    text = binascii.b2a_qp(RECEIPT, quotetabs=True, istext=False)
    printable = b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
    bare = base64.b64encode(ENVELOPE)
    for name, part, comment in (
        ("padding", kind + b"\r\n\r\n" + bare[:62] + b"==" + bare[64:], "padding in the middle of base64"),
        ("cut", kind + b"\r\n\r\n" + bare[:-1], "base64 that ends inside a group"),
        ("padding_first", kind + b"\r\n\r\n====" + bare, "base64 that begins with padding"),
        ("equals", printable + text.replace(b"receipt", b"receipt=x"), "an equals sign that encodes nothing"),
        ("line_end", printable + text.replace(b"=0A", b"\r\n"), "a line end in quoted-printable that is not encoded"),
    ):
        yield name, TOP + multipart(part), comment


def _elsewhere() -> Iterator[Row]:
    """Where no leaf is."""
    lines = encoded(ENVELOPE)
    whole = TOP + multipart(TEXT)
    raw = b"\x93\xb1valiza/v1/receipt" + b"x" * 20
    yenc = b"=ybegin line=128 size=20 name=a.vls\r\n" + bytes((byte + 42) % 256 for byte in raw) + b"\r\n=yend size=20\r\n"
    secure = b"0\x80" + raw
    yield "preamble", whole.replace(b"\r\n\r\n--", b"\r\n\r\n%b--" % lines, 1), "base64 before the first delimiter"
    yield "epilogue", whole + lines, "base64 after the end"
    for name, part, comment in (
        ("bytes_in_a_text", b"\r\nGood day. " + raw, "the bytes of a statement in a text"),
        ("yenc", b"\r\n" + yenc, "yEnc in a text"),
        ("not_encoded", b"Content-Type: application/pdf\r\n\r\n" + lines, "base64 in a leaf that is not encoded"),
        ("pkcs7", in_base64(secure, b"application/pkcs7-mime"), "in what was signed"),
        ("tnef_holds", in_base64(secure, b"application/ms-tnef"), "in TNEF"),
        ("winmail", in_base64(secure, b"application/octet-stream; name=winmail.dat"), "in TNEF that is known by its name alone"),
        ("other_message", b"Content-Type: message/x\r\n\r\nSee: " + lines[:16], "a short word of base64 in a message of another kind"),
        ("other_message_printable", b"Content-Type: message/x\r\n\r\nSee: " + raw.replace(b"v", b"=76"), "quoted-printable in one"),
    ):
        yield name, TOP + multipart(part), comment
    flawed = TOP.replace(b"1.0", b"2.0") + multipart(TEXT + b"See: " + lines[:16])
    junk = b"".join(lines[at : at + 1] + b"!" for at in range(64))
    inner = b'Content-Type: multipart/mixed; boundary="=_b2"\r\nContent-Transfer-Encoding: base64 (x)\r\n\r\n' + junk + b"\r\n"
    yield "flaw_scattered_base64", TOP + multipart(TEXT, inner), "base64 with other characters in it, in a multipart of a disputed encoding"
    yield "flaw_short_base64", flawed, "a short word of base64 in a message with a flaw"


def cases() -> Cases:
    """All of them."""
    yield from _good()
    yield from _bad()
