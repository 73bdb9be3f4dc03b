"""Messages that carry envelopes and receipts: what is in them, and what never is."""

from __future__ import annotations

import io
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import TYPE_CHECKING, Any

import pytest
from tests.support.mail import ENVELOPE, LETTER, RECEIPT, REFUSED, STATEMENT, message, vector

from valiza.envelope.acknowledgement import peek_answer
from valiza.envelope.receipt import peek_receipt
from valiza.gateway.media import Kind
from valiza.gateway.parts import take_apart
from valiza.gateway.words import LANGUAGES, WORDS, languages_of
from valiza.gateway.wrapping import Letter, mailbox, read_object, require_message_id, wrap
from valiza.keys import labels
from valiza.keys.encoding import pack
from valiza.keys.errors import Malformed, Refused, Usage
from valiza.keys.fields import utc
from valiza.keys.statement import read_statement

if TYPE_CHECKING:
    from collections.abc import Sequence


def parsed(raw: bytes) -> EmailMessage:
    found = message_from_bytes(raw, policy=policy.default)
    assert isinstance(found, EmailMessage)
    assert not any(part.defects for part in found.walk())
    return found


def text_of(raw: bytes) -> str:
    body = parsed(raw).get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def test_an_envelope_is_an_attachment() -> None:
    found = parsed(message(ENVELOPE))
    assert found.get_content_type() == "multipart/mixed"
    (attached,) = found.iter_attachments()
    assert attached.get_content_type() == "application/vnd.valiza.envelope"
    assert attached.get_content() == ENVELOPE
    assert found["Subject"] == "Valiza envelope 6088e0ca507f58ab"
    assert attached.get_filename() == "envelope-6088e0ca507f58ab.vlz"


def test_a_receipt_is_a_report() -> None:
    found = parsed(message(RECEIPT, in_reply_to="<7@mfa.kz.example>"))
    assert found.get_content_type() == "multipart/report"
    assert found.get_param("report-type") == "valiza-receipt"
    assert found["In-Reply-To"] == found["References"] == "<7@mfa.kz.example>"
    assert found["Auto-Submitted"] == "auto-generated"
    text, notice, attached = found.iter_parts()
    assert text.get_content_type() == "text/plain"
    assert attached.get_content_type() == "application/vnd.valiza.statement"
    assert attached.get_param("type") == "receipt"
    assert attached.get_content() == RECEIPT
    assert notice.get_content_type() == "message/vnd.valiza.receipt-notice"


@pytest.mark.parametrize(("raw", "word"), [(RECEIPT, "acknowledged"), (REFUSED, "refused")])
def test_the_notice_says_what_the_receipt_says(raw: bytes, word: str) -> None:
    receipt = peek_receipt(raw)
    answer, core = peek_answer(receipt.answer)
    notice = message(raw).partition(b"Encoding: 7bit\r\n\r\n")[2].partition(b"\r\n--=_")[0].decode("ascii")
    assert dict(line.split(": ") for line in notice.split("\r\n")) == {
        "Notice-Version": "1",
        "Reporting-Body": str(receipt.confirming),
        "Envelope-Id": core.envelope_id.hex(),
        "Original-Dispatch-Digest": read_statement(answer.dispatch, labels.DISPATCH).digest.hex(),
        "Origin-Body": str(core.origin),
        "Destination-Body": str(core.destination),
        "Answer": word,
        "Countersigned-At": utc(receipt.countersigned_at),
        "Receipt-Digest": read_statement(raw, labels.RECEIPT).digest.hex(),
    }


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("raw", [ENVELOPE, RECEIPT, REFUSED, STATEMENT], ids=["envelope", "receipt", "refused", "notice"])
def test_people_are_told_in_their_languages(language: str, raw: bytes) -> None:
    words = WORDS[language]
    text = text_of(message(raw, languages=[language]))
    wanted = words.envelope if raw is ENVELOPE else words.other if raw is STATEMENT else words.receipt
    assert all(sentence in text for sentence in wanted)
    assert (words.says[raw is REFUSED] in text) == (raw in {RECEIPT, REFUSED})
    if raw is RECEIPT:
        receipt = peek_receipt(raw)
        core = peek_answer(receipt.answer)[1]
        for value in (core.envelope_id.hex(), str(core.confirming), utc(receipt.countersigned_at)):
            assert value in text


def test_the_languages_are_those_of_the_parties() -> None:
    text = text_of(message(RECEIPT))
    assert [language for language in LANGUAGES if WORDS[language].receipt[0] in text] == ["kk", "ru", "be"]
    assert languages_of(["KZ"]) == ("kk", "ru")
    assert languages_of(["XX", "YY"]) == languages_of([]) == ("en",)


@pytest.mark.parametrize("raw", [ENVELOPE, RECEIPT, REFUSED])
def test_no_mark_and_nothing_of_the_contents_is_outside_the_object(raw: bytes) -> None:
    """The names and marks of the world of the vectors; and words that are told only inside."""
    whole = message(raw, languages=LANGUAGES)
    with take_apart(whole) as taken:
        outside = "\n".join(part.content.read().decode() for part in taken.parts if part.kind is None)
    head = whole.partition(b"\r\n\r\n")[0].decode()
    for word in ("secret", "құпия", "секретно", "сакрэтна", "KZ:", "BY:", ".pdf", ".txt", "kz-by", "air", "courier"):
        assert word not in (outside + head).lower()


def test_several_objects_in_one_message() -> None:
    raw = message(ENVELOPE, RECEIPT, STATEMENT, ENVELOPE)
    with take_apart(raw) as taken:
        assert not taken.flaws
        assert [part.content.read() for part in taken.parts if part.kind] == [ENVELOPE, RECEIPT, STATEMENT, ENVELOPE]
        names = [part.filename for part in taken.parts if part.kind]
    assert names[0] == "envelope-6088e0ca507f58ab.vlz"
    assert names[3] == f"2-{names[0]}"
    assert parsed(raw)["Subject"] == "Valiza: 4 attachments"
    assert parsed(raw).get_content_type() == "multipart/mixed"


def test_every_line_is_short_and_ends_as_in_mail() -> None:
    for raw in (message(ENVELOPE, RECEIPT), message(RECEIPT, subject="Подтверждение " * 10, to=[f"a{index}@kz.example" for index in range(30)])):
        lines = raw.split(b"\r\n")
        assert lines[-1] == b""
        assert all(b"\n" not in line and b"\r" not in line and len(line) <= 100 for line in lines)
        raw.decode("ascii")


def test_the_same_head_gives_the_same_bytes() -> None:
    assert message(RECEIPT) == message(RECEIPT)


def test_names_and_subjects_in_any_script() -> None:
    found = parsed(message(ENVELOPE, sender="Рэестр <a@by.example>", cc=["b@by.example"], subject="Қабылдау"))
    assert found["From"].addresses[0].display_name == "Рэестр"
    assert found["From"].addresses[0].addr_spec == "a@by.example"
    assert found["Cc"] == "b@by.example"
    assert found["Subject"] == "Қабылдау"
    with take_apart(message(ENVELOPE, sender="Рэестр <a@by.example>")) as taken:
        assert taken.sender == "a@by.example"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a@",
        "@b",
        "a@b@c",
        "a b@c",
        "<a@b>x",
        "a@b>",
        "<a@b",
        "a@b, c@d",
        "a@b\r\nBcc: c@d",
        "x\ny <a@b>",
        '"x" <a@b>',
        "a..b@c",
        "a@b..c",
        f"{'a' * 300}@b",
    ],
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(Usage, match="no address"):
        mailbox(text)


@pytest.mark.parametrize("text", ["", "a@b", "<a@b", "<>", "<a>", "<a b@c>", "<a@b>\r\nX: y", "<a@<b>>", f"<{'a' * 300}@b>"])
def test_what_is_no_message_id(text: str) -> None:
    with pytest.raises(Usage, match="no Message-ID"):
        require_message_id(text)


@pytest.mark.parametrize("change", [{"to": []}, {"boundary": "abc"}, {"boundary": '=_01234567"'}])
def test_a_head_that_makes_no_message(change: dict[str, Any]) -> None:
    with pytest.raises(Usage):
        message(ENVELOPE, **change)


def test_a_message_without_objects() -> None:
    nothing: Sequence[Any] = ()
    with pytest.raises(Usage):
        wrap(nothing, LETTER)


@pytest.mark.parametrize("raw", [b"", b"text", ENVELOPE[:500], RECEIPT[:-1], RECEIPT + b"x", b"\x93\xb1valiza/v1/receipt", labels.MAGIC_EVIDENCE])
def test_what_is_not_well_formed_is_not_sent(raw: bytes) -> None:
    with pytest.raises(Malformed):
        read_object(io.BytesIO(raw))


def test_a_private_key_is_not_sent() -> None:
    with pytest.raises(Refused, match="private key"):
        read_object(io.BytesIO(pack([labels.KEY_FILE, b"", b""])))


def test_what_an_object_is_called() -> None:
    assert read_object(io.BytesIO(ENVELOPE)).name == "envelope-6088e0ca507f58ab.vlz"
    assert read_object(io.BytesIO(ENVELOPE)).kind is Kind.ENVELOPE
    assert read_object(io.BytesIO(RECEIPT)).name.startswith("receipt-")
    assert read_object(io.BytesIO(vector("roster_good"))).name.startswith("roster-")


def test_a_file_that_gives_little_at_a_time() -> None:
    class Slow(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(7 if size is None or size > 7 else size)

    source = read_object(io.BytesIO(ENVELOPE))
    slow = type(source)(kind=source.kind, source=Slow(ENVELOPE), core=source.core)
    assert b"".join(wrap([slow], LETTER)) == message(ENVELOPE)


def test_a_letter_names_its_defaults() -> None:
    letter = Letter(sender="a@b", to=["c@d"], message_id="<a@b>", date=0, boundary="=_12345678")
    assert (letter.cc, letter.subject, letter.in_reply_to, letter.languages) == ((), "", "", ())
