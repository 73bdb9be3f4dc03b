"""The header of a message or of a part: what it says of the content, and where mail programs may read it differently (RFC 2045, 2183, 2231, 5322)."""

from __future__ import annotations

import encodings.aliases
import pkgutil
import re
from dataclasses import dataclass
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message as StandardMessage
from email.utils import collapse_rfc2231_value, decode_params
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Header", "decoded_words", "is_charset", "read_header"]

_WANTED: Final = frozenset({b"content-type", b"content-transfer-encoding", b"content-disposition", b"mime-version", b"from", b"message-id"})
_NAME: Final = re.compile(rb"[!-9;-~]+")
_FIELD: Final = re.compile(rb"([^\n:]*+)(:?)([^\n]*+(?:\n[ \t][^\n]*+)*+)(?:\n|\Z)")
_BLANK_LINE: Final = re.compile(rb"\n[ \t]++\r?(?:\n|\Z)")
_FOLD: Final = re.compile(r"\r?\n")
_LETTER: Final = "[!#$%&'*+.^_`{|}~0-9A-Za-z-]"
_TYPE: Final = re.compile(rf"\s*+({_LETTER}++/{_LETTER}++)\s*+(?:;(.*))?", re.DOTALL | re.ASCII)
_WORD: Final = re.compile(rf"\s*+({_LETTER}++)\s*+(?:;(.*))?", re.DOTALL | re.ASCII)
_FIRST_WORD: Final = re.compile(rf"\s*+({_LETTER}++)", re.ASCII)
_PARAMETER: Final = re.compile(rf'\s*+({_LETTER}++)\s*+=\s*+(?:"((?:[^"\\]|\\.)*+)"|([^\s;"\\()<>@,]++))\s*+(?:;\s*+|\Z)', re.DOTALL | re.ASCII)
_PLAIN_ENCODING: Final = re.compile(rb"[ \t]*+[!#$%&'*+.^_`{|}~0-9A-Za-z-]++\r?")
_BOUNDARY_NAME: Final = re.compile(rb"boundary[*0-9]*+\s*+=", re.IGNORECASE)
# Quoted without quoted pairs, in one line, and beginning with nothing that mail programs take for another quotation mark; or a token.
_PLAIN_BOUNDARY: Final = re.compile(
    rb""";[ \t]*+(?:\r?\n[ \t]++)?boundary=(?:"(?![<'])[^"\\\r\n]*[^"\\\r\n ]"|[^\s;"\\()<>@,:/[\]?='][^\s;"\\()<>@,:/[\]?=]*+)[ \t\r\n]*+(?:;|\Z)""",
    re.IGNORECASE,
)
_MIME_1: Final = re.compile(r"\s*+1\.0\s*+(?:\([^()]*+\)\s*+)?", re.ASCII)
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_ATOM: Final = r"[^\s<>@,;:\\\"()\[\]]++"
_ADDRESS: Final = re.compile(rf'\s*+(?:(?:"(?:[^"\\]|\\.)*+"|[^<>@,;:\\"()\[\]])*+<({_ATOM}@{_ATOM})>|({_ATOM}@{_ATOM}))\s*+')
_BOUNDARY: Final = re.compile(r"[ !-~]{0,69}[!-~]")  # RFC 2046, 5.1.1; more characters than there, since mail programs take them too
_MOST_PARAMETERS: Final = 64
_SHORT: Final = 128  # bytes of a header that may come again and again
_LONGEST_NAME: Final = 1024
_LONGEST_WORDS: Final = 4096  # characters of a text of a header in which encoded words are looked for: the library's way is not linear
_LONGEST_LENIENT: Final = 2048  # of a field that is not as the standard has it: the same
_NO_CHARSETS: Final = frozenset({"idna", "punycode", "raw_unicode_escape", "undefined", "unicode_escape"})  # of no mail; two take quadratic time
_UNREADABLE: Final = (MessageError, ValueError, TypeError, LookupError, AttributeError)  # what the library says to hostile values

_Parameters = list[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a header says.

    Attributes:
        media_type: small letters; empty where none is given that can be read.
        encoding: Content-Transfer-Encoding, small letters; empty where none is given.
        boundary: of a multipart; empty where there is none that can be used.
        names: every name of a file that it gives, decoded in each way that a mail program may; the likeliest first.
        charset: small letters, or empty.
        sender: the address in From, or empty where it is not exactly one.
        message_id: as it stands, or empty.
        subjects: as they stand, unfolded.
        mime: whether it has MIME-Version.
        flaws: what can be read in two ways, in words.
    """

    media_type: str = ""
    encoding: str = ""
    boundary: bytes = b""
    names: tuple[str, ...] = ()
    charset: str = ""
    sender: str = ""
    message_id: str = ""
    subjects: tuple[str, ...] = ()
    mime: bool = False
    flaws: tuple[str, ...] = ()


def read_header(block: bytes, *, to_the_end: bool = False) -> tuple[Header, int]:
    """A header, and how many of the bytes are of it: all, or those before a line that cannot be in a header.

    Args:
        block: the lines before the empty line.
        to_the_end: pass over a line that cannot be in a header, as some mail programs do; then all the bytes are of it.
    """
    return _read_again(block, to_the_end=to_the_end) if len(block) <= _SHORT else _read(block, to_the_end=to_the_end)


@lru_cache(maxsize=256)
def _read_again(block: bytes, *, to_the_end: bool) -> tuple[Header, int]:
    """Of parts that one program made all have nearly the same few lines."""
    return _read(block, to_the_end=to_the_end)


def _read(block: bytes, *, to_the_end: bool) -> tuple[Header, int]:
    flaws = list(_careless_lines(block))
    found: dict[bytes, bytes] = {}
    subjects: list[str] = []
    end = len(block)
    for field in _FIELD.finditer(block):
        name = field[1].lower()
        if name not in _WANTED or not field[2]:
            if _NAME.fullmatch(name) is not None and field[2] and not name.startswith(b"--"):
                if name == b"subject":
                    subjects.append(_FOLD.sub("", field[3].decode("utf-8", "replace")).strip())
                continue
            name = name.rstrip(b" \t")
            if name not in _WANTED or not field[2]:
                if field[0].strip(b"\r\n"):
                    flaws.append("a line in a header that is no field")
                    if not to_the_end:
                        end = field.start()
                        break
                continue
            flaws.append("a blank before a colon in a header")
        if name in found:
            flaws.append(f"two fields {name.decode('ascii')}")
        else:
            found[name] = field[3]
    flaws += _disputed(found)
    return _header({name: _FOLD.sub("", value.decode("utf-8", "replace")) for name, value in found.items()}, subjects, flaws), end


def _careless_lines(block: bytes) -> Iterator[str]:
    if b"\0" in block or block.count(b"\r") != block.count(b"\r\n") + block.endswith(b"\r"):
        yield "a control character in a header"
    if _BLANK_LINE.search(block) is not None:
        yield "a line of blanks in a header"


def _disputed(found: dict[bytes, bytes]) -> Iterator[str]:
    """What mail programs read differently in fields as they stand."""
    if _PLAIN_ENCODING.fullmatch(found.get(b"content-transfer-encoding", b"7bit")) is None:
        yield "content-transfer-encoding is not as the standard has it"
    kind = found.get(b"content-type", b"")
    if kind.lstrip().lower().startswith(b"multipart/") and (len(_BOUNDARY_NAME.findall(kind)) > 1 or _PLAIN_BOUNDARY.search(kind) is None):
        yield "a boundary that mail programs may read differently"


def _header(found: dict[bytes, str], subjects: list[str], flaws: list[str]) -> Header:
    media_type, parameters, plain = _value(found.get(b"content-type"), _TYPE)
    _, disposition, _ = _value(found.get(b"content-disposition"), _WORD)  # a careless name there hides nothing: all of them are taken
    encoding = _encoding(found.get(b"content-transfer-encoding"), media_type)
    if _MIME_1.fullmatch(found.get(b"mime-version", "1.0")) is None:
        flaws.append("another MIME-Version than 1.0")
    boundary = ""
    if not plain and (not media_type or media_type.startswith(("multipart/", "message/"))):  # elsewhere it is a careless name
        flaws.append("content-type is not as the standard has it")
    if media_type.startswith("multipart/"):
        boundary = _boundary(parameters, flaws)
    sender = _ADDRESS.fullmatch(found[b"from"]) if b"from" in found else None
    if sender is None and b"from" in found:
        flaws.append("From is not one plain address")
    return Header(
        media_type=media_type,
        encoding=encoding,
        boundary=boundary.encode("ascii"),
        names=(*_names(disposition, "filename", flaws), *_names(parameters, "name", flaws)) if disposition or parameters else (),
        charset=next((value.lower() for key, value in parameters if key == "charset"), ""),
        sender="" if sender is None else sender[1] or sender[2],
        message_id=found.get(b"message-id", "").strip(),
        subjects=tuple(subjects),
        mime=b"mime-version" in found,
        flaws=tuple(flaws),
    )


def _encoding(value: str | None, media_type: str) -> str:
    """The one that a field names. Of a leaf whose field is not as the standard has it, its first word, as most programs read it."""
    encoding, _, _ = _value(value, _WORD)
    if encoding or value is None or media_type.startswith(("multipart/", "message/")):
        return encoding
    first = _FIRST_WORD.match(value)
    return "" if first is None else first[1].lower()


def _boundary(parameters: _Parameters, flaws: list[str]) -> str:
    keys = [key for key, _ in parameters]
    if len(set(keys)) != len(keys):
        flaws.append("content-type says something twice")
    if any(key.startswith("boundary*") for key in keys):
        flaws.append("a boundary in pieces")
        parameters = parameters + _joined(parameters, "boundary", flaws)
    boundary = next((value for key, value in parameters if key == "boundary"), "").rstrip(" ")
    if "=?" in boundary:
        flaws.append("a boundary that mail programs may read differently")
    if _BOUNDARY.fullmatch(boundary) is None:
        flaws.append("a multipart without a boundary, or with one that is not allowed")
        return ""
    return boundary


def _value(value: str | None, form: re.Pattern[str]) -> tuple[str, _Parameters, bool]:
    """The word of a field, small letters, its parameters, their names in small letters, and whether it is written as the standard has it."""
    if value is None:
        return "", [], True
    whole = form.fullmatch(value)
    parameters: _Parameters = []
    rest, at = ("", 0) if whole is None else (whole[2] or "", 0)
    while at < len(rest) and len(parameters) < _MOST_PARAMETERS and (one := _PARAMETER.match(rest, at)) is not None:
        parameters.append((one[1].lower(), _ESCAPED.sub(r"\1", one[2]) if one[2] is not None else one[3]))
        at = one.end()
    if whole is None:
        return "", _lenient(value), False
    if rest[at:].strip():
        return whole[1].lower(), _lenient(value), False
    return whole[1].lower(), parameters, True


def _lenient(value: str) -> _Parameters:
    """The parameters that the standard library finds."""
    message = StandardMessage()
    message["content-type"] = value[:_LONGEST_LENIENT]
    try:
        return [(key.lower(), _collapsed(value)) for key, value in message.get_params([])[1:_MOST_PARAMETERS]]
    except _UNREADABLE:
        return []


def _joined(parameters: _Parameters, name: str, flaws: list[str]) -> _Parameters:
    """A parameter given in pieces, or with its character set (RFC 2231), as one."""
    pieces = [(key, value) for key, value in parameters if key.startswith(f"{name}*")]
    if sum(len(value) for _, value in pieces) > _LONGEST_WORDS:
        flaws.append(f"a very long {name}")
        return []
    try:
        joined = decode_params([("", ""), *pieces])[1:]
        return [(name, _collapsed(value).removeprefix('"').removesuffix('"')) for _, value in joined]
    except _UNREADABLE:
        flaws.append(f"a {name} in pieces that do not fit")
        return []


def _collapsed(value: str | tuple[str | None, str | None, str]) -> str:
    """A parameter's value, in a character set that is one."""
    if isinstance(value, tuple) and value[0] is not None and not is_charset(value[0]):
        value = (None, value[1], value[2])
    return collapse_rfc2231_value(value)


@cache
def _charsets() -> frozenset[str]:
    known = {*encodings.aliases.aliases, *encodings.aliases.aliases.values(), *(module.name for module in pkgutil.iter_modules(encodings.__path__))}
    return frozenset(known) - _NO_CHARSETS


def is_charset(name: str) -> bool:
    """Whether a character set is known, and one that mail may use.

    The library is not asked: it remembers for good whatever name it was asked for, and a hostile sender has many.
    """
    plain = encodings.normalize_encoding(name[:_LONGEST_NAME]).lower()
    return plain in _charsets() and encodings.aliases.aliases.get(plain) not in _NO_CHARSETS


def _decoded(text: str) -> str:
    """Encoded words decoded. What the library says to hostile ones it says here, too."""
    words = decode_header(text)
    return str(make_header([(word, charset if charset is None or is_charset(charset) else "utf-8") for word, charset in words]))


def decoded_words(text: str) -> str:
    """A text of a header with its encoded words (RFC 2047) decoded; as it stands where that fails, and where it is very long."""
    if "=?" not in text:
        return text
    try:
        return _decoded(text[:_LONGEST_WORDS]) + text[_LONGEST_WORDS:]
    except _UNREADABLE:
        return text


def _names(parameters: _Parameters, name: str, flaws: list[str]) -> list[str]:
    found: list[str] = []
    if any("*" in key for key, _ in parameters):
        found += [value for _, value in _joined(parameters, name, flaws)]
    found += [value for key, value in parameters if key == name or key.startswith(f"{name}*")]
    for value in [value for value in found if "=?" in value]:
        if len(value) > _LONGEST_NAME:
            flaws.append("a very long name of a file")
            continue
        try:
            found.insert(0, _decoded(value))
        except _UNREADABLE:
            flaws.append("a name of a file that cannot be decoded")
    return list(dict.fromkeys(found))
