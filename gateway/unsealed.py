"""What must not travel outside an envelope: files by name and media type, and the text of a secrecy mark (docs/gateway.md, Unsealed).

This finds mistakes of people, and no malice: whoever wants to get something out unseen writes it otherwise.
"""

from __future__ import annotations

import codecs
import html
import re
import unicodedata
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from valiza.gateway.mime import decoded_words, is_charset
from valiza.gateway.parts import TooComplex
from valiza.gateway.rules import MarkTexts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from valiza.envelope.agreement import Agreements
    from valiza.gateway.parts import Part, TakenApart
    from valiza.gateway.rules import Unsealed

__all__ = ["MarkFinder", "mark_texts", "unsealed_in"]

_PIECE: Final = 1 << 20  # characters of a text that are looked at at once
_OVERLAP: Final = 4096  # of which the next piece begins with the end of the one before
_SHORT: Final = 4  # letters; what is shorter is a mark only where it stands alone or in brackets
_MOST_BYTES: Final = 32 << 20  # of all texts of a message, each as often as it is read in another character set: more takes more time than there is
_MOST_PLACES: Final = 2000  # in one piece of a text where a mark's words are looked at: nobody writes so many of them, and each takes its time
_MOST_COMBINING: Final = 30  # characters that combine with one (UAX 15, Stream-Safe Text): sorting more of them takes quadratic time
_GUESSES: Final = ("utf-8", "cp1251", "koi8-r")  # where a text does not say what it is in, or says what is not known
_INVISIBLE: Final = re.compile("[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]")
_LINE_ENDS: Final = ("\r\n", "\r", "\v", "\f", "\x85", "\u2028", "\u2029")
_BREAK: Final = re.compile(
    r"<\s*+/?\s*+(?:br|p|div|h[1-6]|li|ul|ol|t[rdh]|table|hr|body|head|title|pre|blockquote|section|article)\b[^<>]*+>", re.IGNORECASE
)
_ZEROS: Final = re.compile(r"(&#[xX]?)0++(?=[0-9a-fA-F])")
_NO_CHARACTER: Final = re.compile(r"&#(?:[0-9]{8,}+|[xX][0-9a-fA-F]{7,}+)")  # numbers that are too large for one, or for the library
_LONG_FORMS: Final = str.maketrans({"\ufdfa": " ", "\ufdfb": " "})  # phrases in one character, which fill memory when they are written out
_TAG: Final = re.compile(r"<[^<>]*+>")
_LINE: Final = 200  # characters on either side that are looked at to see how a mark stands in its line
_LETTER: Final = re.compile(r"[^\W\d_]")
_HEADING: Final = re.compile(r"\s*(?:[:;./|\u2013\u2014\u2116#(\[]|-\s|\s{2}|\s*(?:экз|copy|дана|no\b))", re.IGNORECASE)
_BRACKETS: Final = frozenset(["()", "[]", "{}", "<>", "«»", '""', "''", "“”", "„“", "**", "__", "==", "//", "||"])
_NAME_GAPS: Final = re.compile(r"[\W_]+")


def mark_texts(agreements: Agreements) -> tuple[str, ...]:
    """The texts of all marks of all adopted agreements, in every language that they have."""
    found = {
        text
        for agreement in agreements.all()
        for party in agreement.profile.parties
        for mark in party.marks
        for text in (mark.text, *mark.names.values())
    }
    return tuple(sorted(found))


class MarkFinder:
    """Looks for marks in texts. Capitals, the kind and number of blanks, compatible forms and invisible characters make no difference.

    A mark is found as whole words. `standing`: only where it stands as a mark does: alone on its line but for digits and punctuation; in brackets or
    quotation marks; at the beginning of a line before punctuation or a copy number; at the end of one behind a colon; or in capitals. `anywhere`:
    inside a sentence, too. A mark of up to three letters has to be alone or in brackets in any case.
    """

    def __init__(self, texts: Iterable[str], where: MarkTexts) -> None:
        self._anywhere = where is MarkTexts.ANYWHERE
        words = {tuple(_plain(text).split()) for text in texts} if where is not MarkTexts.IGNORED else set()
        self._marks = [("".join(mark).casefold(), _pattern(mark)) for mark in sorted(words) if mark]

    def __bool__(self) -> bool:
        """Whether there is anything to look for."""
        return bool(self._marks)

    def in_text(self, text: str, *, is_html: bool = False) -> bool:
        """Whether a mark is in a text."""
        shown = _plain(_shown(text) if is_html else text)
        folded = "".join(shown.split()).casefold()  # a mark that is not in it without blanks is not in it at all
        return any(squeezed in folded and self._stands(pattern, shown) for squeezed, pattern in self._marks)

    def in_name(self, name: str) -> bool:
        """Whether a mark is in the name of a file: as whole words, whatever separates them; a short one only as the whole name without its ending."""
        words, alone = (_NAME_GAPS.sub(" ", _plain(text)).strip() for text in (name, name.rpartition(".")[0] or name))
        squeezed = words.replace(" ", "").casefold()
        for mark, pattern in self._marks:
            if mark in squeezed and (pattern.fullmatch(alone) if len(mark) < _SHORT else pattern.search(words)) is not None:
                return True
        return False

    def _stands(self, pattern: re.Pattern[str], text: str) -> bool:
        return any(place >= _MOST_PLACES or self._counts(found, text) for place, found in enumerate(pattern.finditer(text)))

    def _counts(self, found: re.Match[str], text: str) -> bool:
        short = sum(map(str.isalpha, found[0])) < _SHORT
        if self._anywhere and not short:
            return True
        before = text[max(0, found.start() - _LINE) : found.start()].rpartition("\n")[2]
        after = text[found.end() : found.end() + _LINE].partition("\n")[0]
        alone_before, alone_after = _LETTER.search(before) is None, _LETTER.search(after) is None
        if (alone_before and alone_after) or before.rstrip()[-1:] + after.lstrip()[:1] in _BRACKETS:
            return True
        if short:
            return False
        heads = alone_before and _HEADING.match(after) is not None
        return heads or (alone_after and before.rstrip().endswith(":")) or found[0].isupper()


def _pattern(mark: tuple[str, ...]) -> re.Pattern[str]:
    words = r"\s++".join(map(re.escape, mark))
    return re.compile(rf"(?<!\w){words}(?!\w)", re.IGNORECASE)


def _plain(text: str) -> str:
    """A text as it is compared: compatible characters made one, invisible ones left out, one kind of line end."""
    if not text.isascii():
        text = _INVISIBLE.sub("", _compatible(text.replace("№", "#")))
    for end in _LINE_ENDS:
        text = text.replace(end, "\n")
    return text


def _compatible(text: str) -> str:
    """A text with compatible characters made one (NFKC), in linear time."""
    combining = "".join(letter for letter in set(text) if unicodedata.combining(unicodedata.normalize("NFKD", letter)[0]))
    if combining:
        one = f"[{re.escape(combining)}]"
        text = re.sub(rf"({one}{{{_MOST_COMBINING}}}){one}++", r"\1", text)
    return unicodedata.normalize("NFKC", text.translate(_LONG_FORMS))


def _shown(markup: str) -> str:
    """The text in HTML, roughly: comments left out, what breaks a line breaks it, other tags join, entities are decoded."""
    first, *others = markup.split("<!--")
    without = first + "".join(rest if end else other for other, end, rest in ((text, *text.partition("-->")[1:]) for text in others))
    return html.unescape(_NO_CHARACTER.sub("", _ZEROS.sub(r"\1", _TAG.sub("", _BREAK.sub("\n", without)))))


def unsealed_in(taken: TakenApart, rules: Unsealed, marks: MarkFinder) -> Iterator[tuple[str, str]]:
    """What should be in an envelope and is not: number of the part, and why, in words.

    Raises:
        Unavailable: the disk. TooComplex: there is more text than is looked through.
    """
    reading = _Reading()
    for part in taken.parts:
        if part.ours:
            continue
        reason = _fault(part, rules, marks, reading)
        if reason:
            yield part.path, reason
    if marks and any(marks.in_text(decoded_words(subject)) for subject in taken.subjects):
        yield "", "the text of a secrecy mark is in the subject"


def _fault(part: Part, rules: Unsealed, marks: MarkFinder, reading: _Reading) -> str:
    for name in part.names:
        folded = _compatible(_INVISIBLE.sub("", name)).casefold()
        for pattern in rules.names:
            if fnmatchcase(folded, pattern):
                return f"the name of a file fits {pattern!r}"
        if marks and marks.in_name(name):
            return "the text of a secrecy mark is in the name of a file"
    for pattern in rules.media_types:
        if fnmatchcase(part.media_type.casefold(), pattern):
            return f"the media type of a part fits {pattern!r}"
    if marks and part.media_type.startswith("text/"):
        is_html = part.media_type in {"text/html", "text/xml", "text/enriched"}
        if any(marks.in_text(piece, is_html=is_html) for piece in reading.pieces(part)):
            return "the text of a secrecy mark is in a text"
    return ""


class _Reading:
    """Reads texts, and no more of them in one message than there is time for."""

    def __init__(self) -> None:
        self._left = _MOST_BYTES

    def pieces(self, part: Part) -> Iterator[str]:
        """A text piece by piece: in the character set that it names, and where that does not fit all of it in each that it may be in."""
        named = part.charset if _is_known(part.charset) else "utf-8"
        spoiled = False
        for piece in self._decoded(part, named):
            spoiled = spoiled or "\ufffd" in piece
            yield piece
        for charset in _GUESSES if spoiled else ():
            if charset != named:
                yield from self._decoded(part, charset)

    def _decoded(self, part: Part, charset: str) -> Iterator[str]:
        decoder = codecs.getincrementaldecoder(charset)("replace")
        text = ""
        for block in part.content.blocks():
            self._left -= len(block)
            if self._left < 0:
                message = f"a message with more than {_MOST_BYTES} bytes of text to look through"
                raise TooComplex(message)
            text += decoder.decode(block)
            if len(text) >= _PIECE:
                yield text
                text = text[-_OVERLAP:]
        yield text + decoder.decode(b"", final=True)


def _is_known(charset: str) -> bool:
    if not is_charset(charset):
        return False
    try:
        "".encode(charset).decode(charset)
        codecs.getincrementaldecoder(charset)
    except (LookupError, ValueError):  # base64 and the like are codecs too, and no character sets
        return False
    return True
