"""Messages that carry Valiza's objects: envelopes as attachments, a receipt as a report (specs/mail.md, Messages).

They are written piece by piece, whatever their size.
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import TYPE_CHECKING, BinaryIO, Final

from valiza.envelope.acknowledgement import Refusal, peek_answer
from valiza.envelope.container import read_container
from valiza.envelope.header import Core, read_core
from valiza.envelope.receipt import Receipt, peek_receipt
from valiza.gateway.media import ENDINGS, MEDIA_TYPES, REPORT_TYPE, REPORT_TYPE_OF_RECEIPTS, SNIFFED_BYTES, Kind, sniff
from valiza.gateway.notice import notice_of
from valiza.gateway.words import WORDS, languages_of, paragraphs
from valiza.keys import labels
from valiza.keys.errors import Malformed, Refused, Usage
from valiza.keys.fields import utc
from valiza.keys.statement import LIMITS, Statement, read_statement
from valiza.register.bundle import read_bundle_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Letter", "Wrapped", "mailbox", "read_object", "require_message_id", "wrap"]

_LINE: Final = 57  # bytes of a line of base64 with 76 characters
_BLOCK: Final = _LINE * 4096
_ATOM: Final = r"[0-9A-Za-z!#$%&'*+/=?^_`{|}~-]+"
_ADDRESS: Final = re.compile(
    rf"(?:(?P<name>[^<>\"\\,;:@]*)<)?(?P<user>{_ATOM}(?:\.{_ATOM})*)@(?P<domain>[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)(?P<end>>?)"
)
_LONGEST: Final = 254
_MESSAGE_ID: Final = re.compile(r"<[!-;=?A-~]{1,200}@[!-;=?A-~]{1,200}>")
_BOUNDARY: Final = re.compile(r"=_[0-9A-Za-z]{8,64}")
_DIGITS: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrapped:
    """An object to be sent. It is well-formed; nothing of it is verified.

    Attributes:
        kind: what it is.
        type: the last word of a statement's type; empty of other things.
        source: where its bytes are, from the beginning.
        core: of the envelope that it is, or that it is a receipt for.
        receipt: what it says, if it is one.
        digest: of a statement.
    """

    kind: Kind
    type: str = ""
    source: BinaryIO = field(repr=False)
    core: Core | None = None
    receipt: Receipt | None = None
    digest: bytes = b""

    @property
    def name(self) -> str:
        """What its file is called: nothing of the sender's own name of it."""
        known = (self.core.envelope_id if self.core is not None else self.digest).hex()[:_DIGITS]
        return "-".join(part for part in (self.type or self.kind.value, known) if part) + ENDINGS[self.kind]


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """The head of a message.

    Attributes:
        sender: one address, with or without a name: `a@kz.example`, `Registry <a@kz.example>`.
        to: addresses, one or more.
        cc: addresses.
        subject: empty for one of ours.
        message_id: with its angle brackets.
        in_reply_to: the message that this one answers, or empty.
        date: seconds since 1970.
        boundary: `=_` and 8 to 64 letters and digits that nobody foresees.
        languages: of the words for people; empty for those that the parties read.
    """

    sender: str
    to: Sequence[str]
    cc: Sequence[str] = ()
    subject: str = ""
    message_id: str
    in_reply_to: str = ""
    date: int
    boundary: str
    languages: Sequence[str] = ()


def read_object(source: BinaryIO) -> Wrapped:
    """Whatever a seekable file holds, if it may be sent by mail.

    Raises:
        Malformed: it is no well-formed object of Valiza. Refused: it is a private key.
    """
    kind = sniff(source.read(SNIFFED_BYTES))
    source.seek(0)
    if kind is Kind.KEY:
        message = "it is a private key"
        raise Refused(message, "keys are never sent by mail")
    if kind is Kind.ENVELOPE:
        return Wrapped(kind=kind, source=source, core=read_core(read_container(source).core_raw))
    if kind is Kind.EVIDENCE:
        read_bundle_file(source)
        return Wrapped(kind=kind, source=source)
    if kind is None:
        message = "no Valiza object"
        raise Malformed(message)
    return _statement(source, read_statement(source.read(max(LIMITS.values()) + 1), *LIMITS))


def _statement(source: BinaryIO, statement: Statement) -> Wrapped:
    type_ = statement.type.rpartition("/")[2]
    if statement.type != labels.RECEIPT:
        return Wrapped(kind=Kind.STATEMENT, type=type_, source=source, digest=statement.digest)
    receipt = peek_receipt(statement.raw)
    return Wrapped(kind=Kind.STATEMENT, type=type_, source=source, digest=statement.digest, receipt=receipt, core=peek_answer(receipt.answer)[1])


def mailbox(text: str) -> Address:
    """An address of one mailbox, perhaps with a name before it.

    Raises:
        Usage: it is not that.
    """
    found = _ADDRESS.fullmatch(text.strip())
    if found is None or (found["name"] is None) == bool(found["end"]) or not text.isprintable() or len(text) > _LONGEST:
        message = f"{text!r} is no address of one mailbox"
        raise Usage(message, "write it like registry@mfa.example, or like: Registry <registry@mfa.example>")
    return Address(display_name=(found["name"] or "").strip(), username=found["user"], domain=found["domain"])


def require_message_id(text: str) -> str:
    """A Message-ID.

    Raises:
        Usage: it is none.
    """
    if _MESSAGE_ID.fullmatch(text) is None:
        message = f"{text!r} is no Message-ID"
        raise Usage(message, "write it as it stands in the header, with its angle brackets: <1234@mail.example>")
    return text


def wrap(objects: Sequence[Wrapped], letter: Letter) -> Iterator[bytes]:
    """A message with objects: a report for one receipt, else one with attachments. Its lines end with CR LF, and none is longer than 78 characters.

    Raises:
        Usage: an address, a Message-ID or the boundary is not well-formed, or there is nothing to wrap. Unavailable: the disk.
    """
    if not objects or not letter.to or _BOUNDARY.fullmatch(letter.boundary) is None:
        message = "a message needs an object, an addressee and a boundary"
        raise Usage(message)
    if not letter.subject.isprintable():
        message = "the subject has control characters"
        raise Usage(message)
    cores = [one.core for one in objects if one.core is not None]
    languages = letter.languages or languages_of(body.party for core in cores for body in (core.origin, core.destination))
    (first, *others) = objects
    head = _head(letter, _subject(objects), report=not others and first.receipt is not None)
    return _message(head, letter.boundary, objects, languages)


def _message(head: bytes, boundary: str, objects: Sequence[Wrapped], languages: Sequence[str]) -> Iterator[bytes]:
    delimiter = f"--{boundary}\r\n".encode("ascii")
    yield head
    yield delimiter
    yield b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    yield _base64("\n".join(_words(objects, language) for language in languages).replace("\n", "\r\n").encode())
    if len(objects) == 1 and (notice := _notice(objects[0])):
        yield delimiter
        yield f"Content-Type: {REPORT_TYPE}\r\nContent-Transfer-Encoding: 7bit\r\n\r\n".encode("ascii") + notice
    names: set[str] = set()
    for one in objects:
        yield delimiter
        yield _attachment_header(one, names)
        one.source.seek(0)
        while block := _read(one.source, _BLOCK):
            yield _base64(block)
    yield f"--{boundary}--\r\n".encode("ascii")


def _read(source: BinaryIO, length: int) -> bytes:
    """So many bytes, or all that are left: an unbuffered file may give fewer at a time."""
    found = b""
    while len(found) < length and (more := source.read(length - len(found))):
        found += more
    return found


def _base64(data: bytes) -> bytes:
    whole = binascii.b2a_base64(data, newline=False)
    return b"".join(whole[at : at + 76] + b"\r\n" for at in range(0, len(whole), 76))


def _attachment_header(one: Wrapped, names: set[str]) -> bytes:
    name, number = one.name, 1
    while name in names:
        number += 1
        name = f"{number}-{one.name}"
    names.add(name)
    media_type = MEDIA_TYPES[one.kind] + (f"; type={one.type}" if one.type else "")
    return (
        f'Content-Type: {media_type};\r\n name="{name}"\r\nContent-Transfer-Encoding: base64\r\n'
        f'Content-Disposition: attachment;\r\n filename="{name}"\r\n\r\n'
    ).encode("ascii")


def _subject(objects: Sequence[Wrapped]) -> str:
    if len(objects) == 1 and (core := objects[0].core) is not None:
        return f"Valiza {'receipt for envelope' if objects[0].receipt is not None else 'envelope'} {core.envelope_id.hex()[:_DIGITS]}"
    return f"Valiza: {len(objects)} attachments" if len(objects) > 1 else f"Valiza {objects[0].type or objects[0].kind.value}"


def _head(letter: Letter, subject: str, *, report: bool) -> bytes:
    message = EmailMessage(policy=SMTP)
    message["Date"] = format_datetime(datetime.fromtimestamp(letter.date, UTC))
    message["From"] = mailbox(letter.sender)
    message["To"] = tuple(map(mailbox, letter.to))
    if letter.cc:
        message["Cc"] = tuple(map(mailbox, letter.cc))
    message["Subject"] = letter.subject or subject
    lines = [f"Message-ID: {require_message_id(letter.message_id)}"]  # the library would encode a long one
    if letter.in_reply_to:
        lines += [f"{name}: {require_message_id(letter.in_reply_to)}" for name in ("In-Reply-To", "References")]
    if report:
        lines += ["Auto-Submitted: auto-generated"]  # nothing is to answer it (RFC 3834)
    form = f"report;\r\n report-type={REPORT_TYPE_OF_RECEIPTS}" if report else "mixed"
    lines += ["MIME-Version: 1.0", f'Content-Type: multipart/{form};\r\n boundary="{letter.boundary}"', "", ""]
    return message.as_bytes().removesuffix(b"\r\n") + "\r\n".join(lines).encode("ascii")


def _facts(one: Wrapped, language: str) -> list[tuple[str, str]]:
    core, words = one.core, WORDS[language]
    if core is None:
        return []
    values = [core.envelope_id.hex(), str(core.origin), str(core.destination), str(core.confirming)]
    if one.receipt is not None:
        values += [words.says[_refused(one.receipt)], utc(one.receipt.countersigned_at)]
    return list(zip(words.facts, values, strict=False))


def _refused(receipt: Receipt) -> bool:
    return isinstance(peek_answer(receipt.answer)[0], Refusal)


def _words(objects: Sequence[Wrapped], language: str) -> str:
    words = WORDS[language]
    if all(one.kind is Kind.ENVELOPE for one in objects):
        sentences = words.envelope
    else:
        sentences = words.receipt if all(one.receipt is not None for one in objects) else words.other
    return paragraphs(sentences, [_facts(one, language) for one in objects])


def _notice(one: Wrapped) -> bytes:
    """The part of a report that programs read; empty of what is no receipt."""
    if one.core is None or one.receipt is None:
        return b""
    answer, _ = peek_answer(one.receipt.answer)
    dispatch = read_statement(answer.dispatch, labels.DISPATCH)
    return notice_of(one.receipt, digest=one.digest, answer=answer, core=one.core, dispatch_digest=dispatch.digest)
