"""Questions and replies of external signers: each has one spelling, and whatever else a program writes is malformed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from valiza.keys.conversation import MAX_QUESTION, MAX_REPLY, Question, Reply, parse_reply, read_question, read_reply, require_reference
from valiza.keys.errors import Malformed, NoKey, Refused, Unavailable, ValizaError
from valiza.keys.signing import composite_message

if TYPE_CHECKING:
    from collections.abc import Callable

MESSAGE: Final = composite_message(b"body", b"valiza/v1/dispatch")
HELLO: Final = Question(verb="hello")
PUBLIC: Final = Question(verb="public", reference="pkcs11:token=vz;object=a%20b")
SIGN: Final = Question(verb="sign", reference="7", message=MESSAGE)


@pytest.mark.parametrize(
    ("question_", "line"),
    [
        (HELLO, b"hello valiza-signer/1\n"),
        (PUBLIC, b"public pkcs11:token=vz;object=a%20b\n"),
        (SIGN, b"sign 7 " + MESSAGE.hex().encode() + b"\n"),
    ],
    ids=["hello", "public", "sign"],
)
def test_a_question_is_written_and_read(question_: Question, line: bytes) -> None:
    assert question_.line() == line
    assert read_question(line) == question_


def test_the_longest_question_is_read() -> None:
    longest = Question(verb="sign", reference="~" * 255, message=composite_message(b"", b"x" * 255))
    assert len(longest.line()) == MAX_QUESTION
    assert read_question(longest.line()) == longest


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"hello\n",
        b"hello valiza-signer/2\n",
        b"hello valiza-signer/1",
        b"hello valiza-signer/1\r\n",
        b"hello  valiza-signer/1\n",
        b"Hello valiza-signer/1\n",
        b"hello valiza-signer/1 \n",
        b"hello valiza-signer/1\nhello valiza-signer/1\n",
        b"public\n",
        b"public \n",
        b"public a b\n",
        b"public " + b"a" * 256 + b"\n",
        b"public \xd0\xb0\n",
        b"public a\0\n",
        b"sign 7\n",
        b"sign 7 \n",
        b"sign 7 " + MESSAGE.hex().upper().encode() + b"\n",
        b"sign 7 " + MESSAGE.hex()[:-1].encode() + b"\n",
        b"sign 7 " + b"ab" * 1000 + b"\n",
        b"forget 7\n",
        b"\xff\n",
    ],
)
def test_what_is_no_question(line: bytes) -> None:
    with pytest.raises(Malformed):
        read_question(line)


@pytest.mark.parametrize(
    "message",
    [
        b"\0" * 200,
        b"Transfer 1000000 to the bearer" * 5,
        MESSAGE[1:],
        MESSAGE[:-1],
        MESSAGE + b"\0",
        MESSAGE[:62] + b"\x00" + MESSAGE[63:],
        MESSAGE[:62] + b"\x00" + MESSAGE[81:],
        MESSAGE[:63] + b"\n" + MESSAGE[64:],
        composite_message(b"", b""),
        b"",
    ],
)
def test_nothing_is_signed_that_is_no_half_of_a_signature(message: bytes) -> None:
    with pytest.raises(Malformed):
        read_question(Question(verb="sign", reference="7", message=message).line())


@pytest.mark.parametrize(
    ("reply", "line"),
    [
        (Reply(verb="ready"), b"ready valiza-signer/1\n"),
        (Reply(verb="key", value=b"\xab" * 32), b"key " + b"ab" * 32 + b"\n"),
        (Reply(verb="signature", value=b"\xab" * 64), b"signature " + b"ab" * 64 + b"\n"),
        (Reply(verb="error", reason="no-key", said="кілт жоқ"), "error no-key кілт жоқ\n".encode()),
        (Reply(verb="error", reason="pin", said="\U0001f512" * 200), b"error pin " + "\U0001f512".encode() * 200 + b"\n"),
    ],
)
def test_a_reply_is_written_and_read(reply: Reply, line: bytes) -> None:
    assert reply.line() == line
    assert parse_reply(line) == reply


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"ready\n",
        b"ready valiza-signer/10\n",
        b"ready valiza-signer/1",
        b"ready valiza-signer/1\r\n",
        b" ready valiza-signer/1\n",
        b"hello valiza-signer/1\n",
        b"key " + b"ab" * 31 + b"\n",
        b"key " + b"ab" * 33 + b"\n",
        b"key " + b"AB" * 32 + b"\n",
        b"signature " + b"ab" * 63 + b"\n",
        b"signature " + b"ab" * 32 + b" " + b"ab" * 32 + b"\n",
        b"error\n",
        b"error pin\n",
        b"error pin \n",
        b"error tired of it\n",
        b"error pin " + b"a" * 201 + b"\n",
        b"error pin a\tb\n",
        b"error pin \x1b[31m\n",
        "error pin a\x85b\n".encode(),
        b"error pin \xff\n",
        b"error pin \xed\xa0\x80\n",
        b"error pin a\nb\n",
        b"error pin " + b"a" * 2000 + b"\n",
    ],
)
def test_what_is_no_reply(line: bytes) -> None:
    with pytest.raises(Malformed):
        parse_reply(line)


@given(
    st.binary(max_size=MAX_REPLY + 2) | st.text(max_size=60).map(str.encode) | st.from_regex(r"(ready|key|signature|error) .{0,40}\n").map(str.encode)
)
def test_whatever_is_written_it_is_a_reply_in_its_one_spelling_or_malformed(line: bytes) -> None:
    try:
        reply = parse_reply(line)
    except Malformed:
        return
    assert reply.line() == line


@pytest.mark.parametrize(("read", "most"), [(read_question, 1026), (parse_reply, 1024)], ids=["question", "reply"])
def test_how_long_a_line_may_be(read: Callable[[bytes], object], most: int) -> None:
    with pytest.raises(Malformed, match="does not end with a line feed"):
        read(b"a" * most)
    for more in (1, 2):
        with pytest.raises(Malformed, match=f"longer than {most} bytes"):
            read(b"a" * (most + more))


def test_each_question_has_its_own_reply() -> None:
    replies = {"hello": Reply(verb="ready"), "public": Reply(verb="key", value=bytes(32)), "sign": Reply(verb="signature", value=bytes(64))}
    for question in (HELLO, PUBLIC, SIGN):
        for verb, reply in replies.items():
            if verb == question.verb:
                assert read_reply(reply.line(), question) == reply.value
            else:
                with pytest.raises(Malformed):
                    read_reply(reply.line(), question)


def test_an_echo_is_no_reply() -> None:
    for question in (HELLO, PUBLIC, SIGN):
        with pytest.raises(Malformed):
            read_reply(question.line(), question)


@pytest.mark.parametrize(
    ("reason", "family"), [("no-key", NoKey), ("pin", NoKey), ("refused", Refused), ("unavailable", Unavailable), ("malformed", Unavailable)]
)
def test_an_error_is_of_its_family_and_says_what_was_said(reason: str, family: type[ValizaError]) -> None:
    for question in (HELLO, PUBLIC, SIGN):
        with pytest.raises(family, match=r": the card is upside down$"):
            read_reply(Reply(verb="error", reason=reason, said="the card is upside down").line(), question)


def test_a_reference_is_visible_ascii() -> None:
    assert require_reference("pkcs11:object=a") == "pkcs11:object=a"
    for reference in ("", "a b", "ä", "a" * 256, "a\n", "a\x7f"):
        with pytest.raises(Malformed):
            require_reference(reference)
