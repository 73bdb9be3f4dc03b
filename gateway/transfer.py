"""Content-Transfer-Encoding, decoded piece by piece: leniently as mail programs do, and saying where they may differ (RFC 2045, section 6)."""

from __future__ import annotations

import binascii
import re
import string
from typing import TYPE_CHECKING, Final, Protocol

from valiza.gateway.media import SNIFFED_BYTES, sniff

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Decoder", "decoder", "known", "loosely", "overlapping", "scattered", "smuggled", "written_out"]

_BLANKS: Final = b" \t\r\n"
_ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
_NOT_ALPHABET: Final = bytes(sorted(set(range(256)) - set(_ALPHABET)))
_GROUP: Final = 4
_LETTERS: Final = SNIFFED_BYTES // 3 * _GROUP
_LONGEST_LINE: Final = 1 << 16
_STRAY_EQUALS: Final = re.compile(rb"=(?![0-9A-Fa-f]{2}|\r?\n)")
_LINE_END: Final = re.compile(rb"(?<!=)(?:\r\n|(?<!\r)\n)")
_BLANKS_AT_END: Final = re.compile(rb"(?<![ \t])[ \t]++(?=\r?\n)")
_BLANK_AND_END: Final = (b" \r", b" \n", b"\t\r", b"\t\n")  # without one of them the slower search is spared
_AS_IT_IS: Final = frozenset({"", "7bit", "8bit", "binary"})


class Decoder(Protocol):
    """Decodes one part.

    Attributes:
        flaw: what mail programs may read differently, in words, known when all of it is decoded; empty if nothing.
    """

    flaw: str

    def feed(self, data: bytes) -> bytes:
        """What can be decoded by now."""

    def finish(self) -> bytes:
        """The rest."""


class _Identity:
    def __init__(self, flaw: str = "") -> None:
        self.flaw = flaw

    def feed(self, data: bytes) -> bytes:
        return data

    def finish(self) -> bytes:
        return b""


class _Base64:
    """Strictly first, since the library does that in one pass; from the first fault on by leaving out what is no base64, up to the first padding."""

    def __init__(self) -> None:
        self.flaw = ""
        self._rest = b""
        self._ended = False

    def feed(self, data: bytes) -> bytes:
        data = self._rest + data.translate(None, _BLANKS)
        if self._ended:
            if data:
                self.flaw = "base64 goes on after its end"
            return b""
        if self.flaw:
            return self._lenient(data)
        whole = len(data) - len(data) % _GROUP
        try:
            decoded = binascii.a2b_base64(data[:whole], strict_mode=True)
        except binascii.Error:
            self.flaw = "something in base64 that is not base64"
            return self._lenient(data)
        self._rest, self._ended = data[whole:], data[:whole].endswith(b"=")
        if self._ended and self._rest:
            self.flaw, self._rest = "base64 goes on after its end", b""
        return decoded

    def _lenient(self, data: bytes) -> bytes:
        data = data.translate(None, _NOT_ALPHABET)
        end = data.find(b"=")
        if end >= 0:
            self._ended, data = True, data[:end]
        whole = len(data) - len(data) % _GROUP
        self._rest = data[whole:]
        return binascii.a2b_base64(data[:whole]) + (self._last() if self._ended else b"")

    def _last(self) -> bytes:
        rest, self._rest = self._rest, b""
        return binascii.a2b_base64(rest + b"==") if len(rest) > 1 else b""

    def finish(self) -> bytes:
        if self._rest and not self.flaw:
            self.flaw = "base64 stops in the middle"
            return self._lenient(self._rest) + self._last()
        return self._last()


class _QuotedPrintable:
    def __init__(self) -> None:
        self.flaw = ""
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        data = self._rest + data
        cut = data.rfind(b"\n") + 1
        if len(data) - cut > _LONGEST_LINE:
            self.flaw = "a line of quoted-printable without an end"
            escape = data.find(b"=", len(data) - 2)  # which may go on in the next piece
            cut = escape if escape >= 0 else len(data)
        self._rest = data[cut:]
        return self._decode(data[:cut])

    def finish(self) -> bytes:
        rest, self._rest = self._rest, b""
        return self._decode(rest)

    def _decode(self, data: bytes) -> bytes:
        if any(blank in data for blank in _BLANK_AND_END):
            data = _BLANKS_AT_END.sub(b"", data)
        if b"=" in data and (stray := _STRAY_EQUALS.search(data)) is not None and (stray.end() < len(data) or data.endswith(b"==")):
            self.flaw = self.flaw or "quoted-printable with a stray equals sign"
        if not self.flaw and b"\n" in data and _LINE_END.search(data) is not None:
            self.flaw = "line ends in quoted-printable, which are written in two ways"  # and in an object each byte counts
        return binascii.a2b_qp(data)


def loosely(blocks: Iterable[bytes]) -> bytes:
    """How something in base64 begins for mail programs that pass over padding in wrong places."""
    letters = b""
    for block in blocks:
        letters += block.translate(None, _NOT_ALPHABET + b"=")
        if len(letters) >= _LETTERS:
            break
    return _groups(letters[:_LETTERS])


def known(encoding: str) -> bool:
    """Whether a transfer encoding, small letters, is one of the standard's."""
    return encoding in _AS_IT_IS or encoding in {"base64", "quoted-printable"}


def written_out(encoding: str) -> bool:
    """Whether what is so encoded stands in the message as it is."""
    return encoding not in {"base64", "quoted-printable"}


def decoder(encoding: str) -> Decoder:
    """Whatever decodes a transfer encoding, small letters; one that nobody knows is left as it is."""
    if encoding == "base64":
        return _Base64()
    if encoding == "quoted-printable":
        return _QuotedPrintable()
    return _Identity("" if encoding in _AS_IT_IS else "a transfer encoding that is not known")


# What older mail programs take out of a text, or what lies inside a form that only some of them read.
_UU: Final = re.compile(rb"^begin[ \t]+[0-7]{3,4}\b[^\r\n]{0,998}\r?\n(?=((?:[^\r\n]{2,90}\r?\n?){1,48}))", re.MULTILINE)
_UU_BASE64: Final = re.compile(rb"^begin-base64 [0-7]{3,4} [^\r\n]{0,998}\r?\n([A-Za-z0-9+/]{8,90})", re.MULTILINE)
_YENC: Final = re.compile(rb"^=ybegin [^\r\n]{0,998}\r?\n(?:=ypart [^\r\n]{0,998}\r?\n)?([^\r\n]{8,998})", re.MULTILINE)
_ESCAPED: Final = re.compile(rb"=(.)", re.DOTALL)
_BEGINNING: Final = rb"(?:iVZM(?:Wg|RQ)|k[67][A-Za-z0-9+/]{2}YWxpemEv|k9k[A-Za-z0-9+/]dmFsaXphL)"
_LINES_OF_BASE64: Final = re.compile(rb"^(?=[A-Za-z0-9+/]{32})" + _BEGINNING, re.MULTILINE)
_ANY_BASE64: Final = re.compile(rb"(?<![A-Za-z0-9+/])" + _BEGINNING)
# The whole magic here, since any six letters stand somewhere in a large message.
_SCATTERED: Final = re.compile(rb"iVZM(?:Wg0KGg|RQ0KGg)|k[67][A-Za-z0-9+/]{2}YWxpemEv|k9k[A-Za-z0-9+/]dmFsaXphL")
_NOT_BASE64: Final = bytes(set(range(256)) - set(string.ascii_letters.encode() + string.digits.encode() + b"+/"))
_RAW: Final = re.compile(rb"\x89VL[ZE]\r\n\x1a\n|\x93(?:[\xa0-\xbf]|\xd9.|\xda..)valiza/(?:v1|rehearsal)/[a-z]", re.DOTALL)
_OVERLAP: Final = 8192
_MOST_TRIES: Final = 1000  # of encoded files in one text: nobody writes so many, and they would take their time


def _uu(lines: bytes) -> bytes:
    """The first bytes of it, as mail programs decode that are not strict: what stands behind the letters that a line says it has is left out."""
    plain = b""
    for line in lines.splitlines():
        groups = ((line[0] - 32) % 64 + 2) // 3
        try:
            plain += binascii.a2b_uu(line[: 1 + groups * _GROUP])
        except binascii.Error:
            break
        if not groups or len(plain) >= SNIFFED_BYTES:
            break
    return plain


def _yenc(line: bytes) -> bytes:
    plain = _ESCAPED.sub(lambda found: bytes([(found[1][0] - 64) % 256]), line)
    return bytes((byte - 42) % 256 for byte in plain)


def _groups(line: bytes) -> bytes:
    return binascii.a2b_base64(line[: len(line) - len(line) % _GROUP])


_FORMS: Final = ((_UU, _uu, "uuencode"), (_UU_BASE64, _groups, "uuencode"), (_YENC, _yenc, "yEnc"))


def smuggled(blocks: Iterable[bytes], *, careful: bool = False) -> str:
    """Where something of Valiza lies in a text that is no part of its own: in which form, in words; empty if nothing was seen.

    That is uuencode and yEnc, lines of base64 (if careful, any base64), and its very bytes.
    """
    base64 = _ANY_BASE64 if careful else _LINES_OF_BASE64
    tries = 0
    for text in overlapping(blocks):
        # Written out: every text of every message is asked this, and a generator would take as long again.
        if not (b"begin" in text or b"iVZ" in text or b"YWxpemEv" in text or b"dmFsaXphL" in text or b"\x89VL" in text or b"valiza/" in text):
            continue
        for pattern, decode, name in _FORMS:
            for found in pattern.finditer(text):
                tries += 1
                if sniff(decode(found[1])) is not None or tries > _MOST_TRIES:
                    return name
        if base64.search(text) is not None:
            return "base64"
        if _RAW.search(text) is not None:
            return "binary"
    return ""


def scattered(blocks: Iterable[bytes]) -> bool:
    """Whether something of Valiza begins anywhere in it, read as base64 whose every other character is passed over, as many mail programs do."""
    return any(_SCATTERED.search(text) is not None for text in overlapping(block.translate(None, _NOT_BASE64) for block in blocks))


def overlapping(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Blocks, each with the end of the one before it."""
    before = b""
    for block in blocks:
        text = before + block if before else block
        yield text
        before = text[-_OVERLAP:]
