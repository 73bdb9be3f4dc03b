"""What an external signer is asked, and what it replies (specs/external-signer.md, Lines): one line each way, in its one spelling."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from valiza.keys.errors import Malformed, NoKey, Refused, Unavailable, ValizaError
from valiza.keys.signing import composite_type

__all__ = ["MAX_QUESTION", "MAX_REPLY", "VERSION", "Question", "Reply", "parse_reply", "read_question", "read_reply", "require_reference"]

VERSION: Final = "valiza-signer/1"
MAX_QUESTION: Final = 1026  # bytes, the line feed included
MAX_REPLY: Final = 1024
_ASKED: Final = {"hello": "ready", "public": "key", "sign": "signature"}  # which reply fits which question, unless it is an error
_REASONS: Final[dict[str, tuple[type[ValizaError], str]]] = {
    "no-key": (NoKey, "knows no such key"),
    "pin": (NoKey, "cannot unlock the key"),
    "refused": (Refused, "refuses"),
    "unavailable": (Unavailable, "cannot reach the key"),
    "malformed": (Unavailable, "did not understand"),
}
_MAX_SAID: Final = 200  # characters

_REFERENCE: Final = re.compile(r"[!-~]{1,255}")
_QUESTION: Final = re.compile(
    rf"hello {re.escape(VERSION)}|public (?P<asked>{_REFERENCE.pattern})|sign (?P<signing>{_REFERENCE.pattern}) (?P<message>(?:[0-9a-f]{{2}})+)"
)
_REPLY: Final = re.compile(
    rf"ready {re.escape(VERSION)}|key (?P<key>[0-9a-f]{{64}})|signature (?P<signature>[0-9a-f]{{128}})"
    rf"|error (?P<reason>{'|'.join(_REASONS)}) (?P<said>[^\x00-\x1f\x7f-\x9f]{{1,{_MAX_SAID}}})"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What Valiza asks: `hello`, `public` or `sign`.

    Attributes:
        verb: which of them.
        reference: what the signer calls the key; not of `hello`.
        message: what the Ed25519 half signs; of `sign` only.
    """

    verb: str
    reference: str = ""
    message: bytes = b""

    def line(self) -> bytes:
        """The question as it is written, line feed included."""
        words = {
            "hello": [VERSION],
            "public": [self.reference],
            "sign": [self.reference, self.message.hex()],
        }[self.verb]
        return _line(self.verb, *words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the signer replies: `ready`, `key`, `signature` or `error`.

    Attributes:
        verb: which of them.
        value: the Ed25519 public key, 32 bytes, or the Ed25519 signature, 64 bytes.
        reason: of an error, `no-key`, `pin`, `refused`, `unavailable` or `malformed`.
        said: of an error, what happened, in words.
    """

    verb: str
    value: bytes = b""
    reason: str = ""
    said: str = ""

    def line(self) -> bytes:
        """The reply as it is written, line feed included."""
        words = {
            "ready": [VERSION],
            "key": [self.value.hex()],
            "signature": [self.value.hex()],
            "error": [self.reason, self.said],
        }[self.verb]
        return _line(self.verb, *words)


def _line(*words: str) -> bytes:
    return " ".join(words).encode("utf-8") + b"\n"


def read_question(line: bytes) -> Question:
    """Decode a question, line feed included.

    Raises:
        Malformed: it is none, or what it asks to sign is nothing that a half of a signature covers.
    """
    text = _text(line, MAX_QUESTION, "question")
    found = _QUESTION.fullmatch(text)
    if found is None:
        message = "the question is none that an external signer knows"
        raise Malformed(message)
    if found["message"] is not None:
        question = Question(verb="sign", reference=found["signing"], message=bytes.fromhex(found["message"]))
        composite_type(question.message)
        return question
    return Question(verb="public", reference=found["asked"]) if found["asked"] is not None else Question(verb="hello")


def parse_reply(line: bytes) -> Reply:
    """Decode a reply to whatever question, line feed included.

    Raises:
        Malformed: it is none.
    """
    found = _REPLY.fullmatch(_text(line, MAX_REPLY, "reply"))
    if found is None:
        message = "the reply is none that an external signer may give"
        raise Malformed(message)
    for verb in ("key", "signature"):
        if found[verb] is not None:
            return Reply(verb=verb, value=bytes.fromhex(found[verb]))
    return Reply(verb="error", reason=found["reason"], said=found["said"]) if found["reason"] is not None else Reply(verb="ready")


def read_reply(line: bytes, question: Question) -> bytes:
    """Decode the reply to a question, line feed included; returns what was asked for, nothing of `hello`. A signature is not verified here.

    Raises:
        Malformed: it is no reply, or that to another question.
        NoKey, Refused, Unavailable: it is an error. The message goes on where "the external signer" ends.
    """
    reply = parse_reply(line)
    if reply.verb == "error":
        family, what = _REASONS[reply.reason]
        message = f"{what}: {reply.said}"
        raise family(message)
    if reply.verb != _ASKED[question.verb]:
        message = f"{reply.verb!r} is no reply to {question.verb!r}"
        raise Malformed(message)
    return reply.value


def _text(line: bytes, most: int, what: str) -> str:
    """The text of one whole line, without its line feed."""
    if len(line) > most:
        message = f"the {what} is longer than {most} bytes"
        raise Malformed(message)
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        message = f"the {what} is not text in UTF-8"
        raise Malformed(message) from error
    if not text.endswith("\n"):
        message = f"the {what} does not end with a line feed"
        raise Malformed(message)
    return text.removesuffix("\n")


def require_reference(reference: str) -> str:
    """What the signer calls a key: 1 to 255 visible ASCII characters.

    Raises:
        Malformed: it is not so written.
    """
    if not _REFERENCE.fullmatch(reference):
        message = "the reference to a key is not 1 to 255 visible ASCII characters"
        raise Malformed(message)
    return reference
