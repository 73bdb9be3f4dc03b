"""What mail does to a message on its way: the objects come out byte for byte, or the message is said to be ambiguous."""

from __future__ import annotations

import base64
import binascii
import copy
import re
from email import message_from_bytes, policy
from email.message import EmailMessage, Message
from email.mime.application import MIMEApplication
from email.mime.message import MIMEMessage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.mail import ENVELOPE, RECEIPT, STATEMENT, message

from valiza.gateway.parts import Limits, take_apart

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.postfix import Postfix

MESSAGES = {
    "envelope": (message(ENVELOPE), [ENVELOPE]),
    "receipt": (message(RECEIPT), [RECEIPT]),
    "both": (message(RECEIPT, ENVELOPE), [RECEIPT, ENVELOPE]),
}


def objects(raw: bytes) -> list[bytes]:
    """The objects in a message that all mail programs read alike."""
    with take_apart(raw) as taken:
        assert taken.flaws == []
        return [part.content.read() for part in taken.parts if part.kind is not None]


def old(raw: bytes) -> Message:
    return message_from_bytes(raw, policy=policy.compat32)


def leaves_of(found: Message) -> list[Message]:
    """Parts without parts. The library goes into machine parts as if they were messages; relays do not."""
    if not found.is_multipart() or found.get_content_type() == "message/vnd.valiza.receipt-notice":
        return [found]
    return [leaf for part in found.get_payload() if isinstance(part, Message) for leaf in leaves_of(part)]


@pytest.fixture(params=MESSAGES)
def sent(request: pytest.FixtureRequest) -> tuple[bytes, list[bytes]]:
    return MESSAGES[request.param]


def test_as_it_was_sent(sent: tuple[bytes, list[bytes]]) -> None:
    raw, expected = sent
    assert objects(raw) == expected
    assert objects(raw.replace(b"\r\n", b"\n")) == expected


def in_base64(part: Message, data: bytes) -> None:
    part["Content-Transfer-Encoding"] = "base64"
    part.set_payload(base64.encodebytes(data).decode())


def in_quoted_printable(part: Message, data: bytes) -> None:
    part["Content-Transfer-Encoding"] = "Quoted-Printable"
    part.set_payload(binascii.b2a_qp(data, quotetabs=True, istext=False).decode("ascii"))


@pytest.mark.parametrize("encode", [in_base64, in_quoted_printable])
def test_relay_that_encodes_anew(sent: tuple[bytes, list[bytes]], encode: Callable[[Message, bytes], None]) -> None:
    raw, expected = sent
    found = old(raw)
    for part in leaves_of(found):
        data = part.get_payload(decode=True)
        if not isinstance(data, bytes) or part.get_content_maintype() == "message":
            continue
        del part["Content-Transfer-Encoding"]
        encode(part, data)
    for linesep in (b"\r\n", b"\n"):
        assert objects(found.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", linesep)) == expected


def test_relay_that_takes_an_object_for_a_text() -> None:
    """Its line ends are gone, and nobody can say which they were."""
    found = old(message(ENVELOPE))
    attached = leaves_of(found)[1]
    del attached["Content-Transfer-Encoding"]
    attached["Content-Transfer-Encoding"] = "quoted-printable"
    attached.set_payload(binascii.b2a_qp(ENVELOPE, istext=True).decode("ascii"))
    with take_apart(found.as_bytes()) as taken:
        assert taken.carries
        assert any("line ends in quoted-printable" in flaw for flaw in taken.flaws)


@pytest.mark.parametrize("width", [4, 64, 72, 996])
def test_relay_that_wraps_base64_otherwise(sent: tuple[bytes, list[bytes]], width: int) -> None:
    raw, expected = sent

    def wrapped(found: re.Match[bytes]) -> bytes:
        whole = found[0].replace(b"\r\n", b"")
        return b"".join(whole[at : at + width] + b"\r\n" for at in range(0, len(whole), width))

    again = re.sub(rb"(?m)(?:^[A-Za-z0-9+/=]{4,76}\r\n)+(?=--)", wrapped, raw)
    assert (again == raw) == (width == 76)
    assert objects(again) == expected


def test_relay_that_makes_texts_8bit(sent: tuple[bytes, list[bytes]]) -> None:
    raw, expected = sent
    found = old(raw)
    (text,) = [part for part in leaves_of(found) if part.get_content_type() == "text/plain"][:1]
    data = text.get_payload(decode=True)
    del text["Content-Transfer-Encoding"]
    text["Content-Transfer-Encoding"] = "8bit"
    assert isinstance(data, bytes)
    text.set_payload(data.decode("utf-8", "strict").encode().decode("ascii", "surrogateescape"))
    again = found.as_bytes()
    assert any(byte > 127 for byte in again)
    assert objects(again) == expected


def test_relay_that_folds_and_unfolds(sent: tuple[bytes, list[bytes]]) -> None:
    raw, expected = sent
    unfolded = re.sub(rb"\r\n[ \t]+", b" ", raw)
    assert objects(unfolded) == expected
    folded = re.sub(rb";[ ]?(?=(?:name|filename|boundary|charset|type)=)", b";\r\n\t\t ", unfolded)
    assert folded != unfolded
    assert objects(folded) == expected


def test_relay_that_adds_lines_to_the_header(sent: tuple[bytes, list[bytes]]) -> None:
    raw, expected = sent
    more = b"Received: from a (b [192.0.2.1])\r\n\tby c with ESMTPS id 1\r\n\t(version=TLS1_3); Sun, 22 Nov 2026 18:00:00 +0000\r\nX-Spam: no\r\n"
    assert objects(more * 20 + raw) == expected


def test_forwarded_as_an_attachment(sent: tuple[bytes, list[bytes]]) -> None:
    raw, expected = sent
    found = old(raw)
    for _ in range(3):
        outer = MIMEMultipart()
        outer["From"] = "clerk@by.example"
        outer.attach(MIMEText("See attached.\n"))
        outer.attach(MIMEMessage(found))
        found = old(outer.as_bytes())
    assert objects(found.as_bytes()) == expected


def test_forwarded_inline(sent: tuple[bytes, list[bytes]]) -> None:
    """As mail programs do it: the text quoted, what was attached attached anew, the machine part perhaps shown as text."""
    raw, expected = sent
    found = message_from_bytes(raw, policy=policy.default)
    assert isinstance(found, EmailMessage)
    body = found.get_body(("plain",))
    assert body is not None
    forwarded = EmailMessage(policy=policy.SMTP)
    forwarded["From"] = "clerk@by.example"
    forwarded.set_content("-------- Forwarded Message --------\n" + "".join(f"> {line}\n" for line in body.get_content().splitlines()))
    for part in found.iter_parts():
        if part.get_content_maintype() == "application":
            forwarded.add_attachment(part.get_content(), maintype="application", subtype="octet-stream", filename=part.get_filename())
        elif part.get_content_maintype() == "message":
            forwarded.add_attachment(part.as_string().partition("\n\n")[2], subtype="plain", filename="details.txt")
    assert objects(forwarded.as_bytes()) == expected


FOOTER = "_______________________________________________\nList mailing list\nlist@kz.example\n"


def test_list_that_adds_a_part(sent: tuple[bytes, list[bytes]]) -> None:
    raw, expected = sent
    found = old(raw)
    found.attach(MIMEText(FOOTER, "plain", "us-ascii"))
    assert objects(found.as_bytes()) == expected


def test_list_that_wraps_the_message(sent: tuple[bytes, list[bytes]]) -> None:
    raw, expected = sent
    found = old(raw)
    outer = MIMEMultipart()
    outer["From"] = found["From"]
    for name in ("From", "To", "Subject", "Date", "Message-ID"):
        del found[name]
    outer.attach(found)
    outer.attach(MIMEText(FOOTER))
    assert objects(outer.as_bytes()) == expected


def test_list_that_appends_text_after_the_end(sent: tuple[bytes, list[bytes]]) -> None:
    raw, expected = sent
    assert objects(raw + FOOTER.replace("\n", "\r\n").encode()) == expected


def test_list_that_appends_text_to_the_first_part(sent: tuple[bytes, list[bytes]]) -> None:
    raw, expected = sent
    found = old(raw)
    text = leaves_of(found)[0]
    data = text.get_payload(decode=True)
    assert isinstance(data, bytes)
    del text["Content-Transfer-Encoding"]
    text.set_payload(data.decode() + FOOTER, "utf-8")
    assert objects(found.as_bytes()) == expected


def test_text_appended_to_what_is_nothing_but_the_object() -> None:
    """Mail programs differ in what they take it for: it is not passed over in silence."""
    alone = MIMEApplication(ENVELOPE, "vnd.valiza.envelope")
    raw = alone.as_bytes()
    assert objects(raw) == [ENVELOPE]
    with take_apart(raw + FOOTER.encode()) as taken:
        assert taken.carries
        assert taken.flaws


def test_a_message_cut_short(sent: tuple[bytes, list[bytes]]) -> None:
    raw, _ = sent
    end = raw.rindex(b"\r\n--=_")
    for cut in range(len(raw) - 3, end - 200, -7):
        with take_apart(raw[:cut]) as taken:
            assert taken.carries
            assert taken.flaws, cut


# -- any tree that the standard library builds -----------------------------------------------------------------------------

TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"], exclude_characters="\r\0"), max_size=200)
NAMES = st.text(st.characters(codec="utf-8", categories=["L", "N", "Zs"]), min_size=1, max_size=60)
OBJECTS = st.sampled_from([ENVELOPE, RECEIPT, STATEMENT])
ENCODINGS = st.sampled_from(["base64", "quoted-printable"])


@st.composite
def leaf(draw: st.DrawFn) -> tuple[EmailMessage, list[bytes]]:
    part = EmailMessage(policy=policy.SMTP)
    match draw(st.sampled_from(["text", "html", "bytes", "object", "object"])):
        case "text":
            part.set_content(draw(TEXTS), cte=draw(st.sampled_from([None, "base64", "quoted-printable", "8bit"])) or "base64")
        case "html":
            part.set_content(draw(TEXTS), subtype="html", cte=draw(ENCODINGS))
        case "bytes":
            part.set_content(draw(st.binary(max_size=300)), "application", "octet-stream", cte=draw(ENCODINGS), filename=draw(NAMES))
        case _:
            one = draw(OBJECTS)
            subtype = draw(st.sampled_from(["octet-stream", "vnd.valiza.statement", "pdf"]))
            part.set_content(
                one, "application", subtype, cte=draw(ENCODINGS), filename=draw(NAMES), disposition=draw(st.sampled_from(["attachment", "inline"]))
            )
            return part, [one]
    return part, []


@st.composite
def inner(draw: st.DrawFn, children: Any) -> tuple[EmailMessage, list[bytes]]:
    found = draw(st.lists(children, min_size=1, max_size=4))
    part = EmailMessage(policy=policy.SMTP)
    if draw(st.booleans()):
        child = copy.deepcopy(found[0][0])
        child["From"] = "a@kz.example"
        if "MIME-Version" not in child:
            child["MIME-Version"] = "1.0"
        part.set_content(child)
        return part, found[0][1]
    part["Content-Type"] = f"multipart/{draw(st.sampled_from(['mixed', 'related', 'alternative', 'report', 'x-unknown']))}"
    for child, _ in found:
        part.attach(copy.deepcopy(child))
    part.preamble, part.epilogue = draw(st.sampled_from([None, "preamble\n"])), draw(st.sampled_from([None, "", "epilogue\n"]))
    return part, [one for _, some in found for one in some]


@settings(max_examples=150)
@given(st.recursive(leaf(), inner, max_leaves=10), st.sampled_from([policy.SMTP, policy.default, policy.compat32, policy.SMTPUTF8]))
def test_whatever_tree_is_around_an_object_it_comes_out_byte_for_byte(tree: tuple[EmailMessage, list[bytes]], written: Any) -> None:
    whole, expected = tree
    if "MIME-Version" not in whole:
        whole["MIME-Version"] = "1.0"
    whole["From"] = "a@kz.example"
    with take_apart(whole.as_bytes(policy=written), Limits(depth=40)) as taken:
        assert [part.content.read() for part in taken.parts if part.kind is not None] == expected
        assert taken.flaws == [] or not expected
        assert taken.carries == bool(expected)


# -- a real mail server ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_through_postfix(postfix: Postfix) -> None:
    for raw, expected in MESSAGES.values():
        assert postfix.send(raw).code == 250
        (arrived,) = postfix.arrivals()
        assert objects(arrived) == expected
