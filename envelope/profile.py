"""The canonical body of an agreement (specs/agreement.md): both parties' marks, what they compare to, and what may travel how."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final, TypeVar

from valiza.keys import labels
from valiza.keys.encoding import pack, unpack
from valiza.keys.errors import Malformed, Refused
from valiza.keys.fields import (
    MAX_LIST,
    Mark,
    array,
    ascending,
    body_id,
    boolean,
    code,
    digest_field,
    extensions,
    integer,
    names,
    one_of,
    optional,
    party,
    text,
    time,
    word,
)
from valiza.keys.statement import LIMITS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from valiza.keys.encoding import Value
    from valiza.keys.fields import Extensions, Names

__all__ = ["BASIS_KINDS", "DESTINATION", "TERMS", "Handling", "MarkText", "Padding", "PartyTerms", "Profile", "read_profile"]

TERMS: Final = ("change_of_marks", "copying", "disputes", "marking", "measures", "protection", "third_parties")
BASIS_KINDS: Final = ("confirmation", "conclusion", "contract", "decision")
DESTINATION: Final = "destination"  # among the confirming bodies: the receiving body itself
_MAX_MULTIPLE: Final = 1 << 40
_MAX_BODIES: Final = 64
K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class MarkText:
    """A degree of a party: its code, the mark in the party's law, and translations for readers."""

    code: str
    text: str
    names: Names


@dataclass(frozen=True, slots=True, kw_only=True)
class PartyTerms:
    """What an agreement says of one party. Marks stand in order, the most secret first."""

    id: str
    names: Names
    marks: tuple[MarkText, ...]
    competent: tuple[str, ...]
    confirming: tuple[str, ...]
    basis: tuple[str, ...]

    def mark(self, wanted: str) -> MarkText:
        """The mark with a code.

        Raises:
            Refused: the party has none such in this agreement (A2).
        """
        for mark in self.marks:
            if mark.code == wanted:
                return mark
        message = f"{self.id} has no mark with the code {wanted!r} in this agreement (A2)"
        raise Refused(message, f"its codes are {', '.join(m.code for m in self.marks)}")

    def rank(self, wanted: str) -> int:
        """Place of a code in this party's own order: 0 is the most secret."""
        return self.marks.index(self.mark(wanted))


@dataclass(frozen=True, slots=True)
class Handling:
    """What a carrier with a mark may travel by (R13)."""

    channels: tuple[str, ...]
    transports: tuple[str, ...]
    escorts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Padding:
    """Rule for the length of the pad stream (agreement.md, Padding)."""

    rule: str
    multiple: int = 0  # of the rule `multiple`; 0 with the others

    def length(self, total: int) -> int:
        """Bytes of padding for `total` bytes of file carriers."""
        if self.multiple:
            return -total % self.multiple
        if self.rule == "none" or not total:
            return 0
        exponent = total.bit_length() - 1
        unit = 1 << (exponent - exponent.bit_length())
        return -total % unit


@dataclass(frozen=True, kw_only=True)
class Profile:
    """The body of an agreement, well-formed. Nobody need have signed it: see `agreement`."""

    id: str
    version: int
    previous: bytes | None
    title: Names
    parties: tuple[PartyTerms, PartyTerms]
    rows: dict[Mark, str] = field(repr=False)
    channels: dict[str, tuple[bool, Names]] = field(repr=False)
    transports: dict[str, Names] = field(repr=False)
    escorts: dict[str, Names] = field(repr=False)
    handling: dict[Mark, Handling] = field(repr=False)
    terms: dict[str, Names] = field(repr=False)
    suites: tuple[int, ...]
    stamp: str
    padding: Padding
    skew: int
    max_transit: int
    valid_from: int
    valid_until: int | None
    extensions: Extensions = field(default_factory=dict, repr=False)

    @property
    def closed(self) -> bool:
        """Whether the stamp hides marks and route from those who carry the envelope."""
        return self.stamp == "closed"

    def party(self, wanted: str) -> PartyTerms:
        """What is said of one party.

        Raises:
            Refused: it is not a party to this agreement.
        """
        for terms in self.parties:
            if terms.id == wanted:
                return terms
        message = f"{wanted} is not a party to the agreement {self.id}"
        raise Refused(message)

    def other(self, than: str) -> PartyTerms:
        """The other party."""
        one, two = self.parties
        return two if self.party(than) is one else one

    def counterpart(self, mark: Mark) -> Mark:
        """The mark of the other party that this one compares to, when sent in its direction.

        Raises:
            Refused: there is no row; never "nearest", never "higher" (A2, P22).
        """
        self.party(mark.party).mark(mark.code)
        found = self.rows.get(mark)
        if found is None:
            message = f"the mark {mark} has no counterpart in the agreement {self.id}, so nothing with it can be sent (A2)"
            raise Refused(message)
        return Mark(self.other(mark.party).id, found)

    def most_secret(self, marks: Iterable[Mark]) -> Mark:
        """The most secret of some marks of one party, by that party's order."""
        return min(marks, key=lambda mark: self.party(mark.party).rank(mark.code))

    @cached_property
    def body(self) -> bytes:
        """The canonical body: what is signed, and whose digest is the agreement's identity."""
        parties: list[Value] = [
            [p.id, p.names, [[m.code, m.text, m.names] for m in p.marks], list(p.competent), list(p.confirming), list(p.basis)] for p in self.parties
        ]
        rows: list[Value] = [[mark.party, mark.code, to] for mark, to in sorted(self.rows.items())]
        handling: list[Value] = [
            [mark.party, mark.code, list(h.channels), list(h.transports), list(h.escorts)] for mark, h in sorted(self.handling.items())
        ]
        return pack(
            [
                self.id,
                self.version,
                self.previous,
                self.title,
                parties,
                rows,
                [[key, needs, title] for key, (needs, title) in sorted(self.channels.items())],
                [[key, title] for key, title in sorted(self.transports.items())],
                [[key, title] for key, title in sorted(self.escorts.items())],
                handling,
                self.terms,
                list(self.suites),
                self.stamp,
                [self.padding.rule, self.padding.multiple] if self.padding.multiple else [self.padding.rule],
                self.skew,
                self.max_transit,
                self.valid_from,
                self.valid_until,
                self.extensions,
            ]
        )


def read_profile(body: bytes) -> Profile:
    """Decode the body of an agreement.

    Raises:
        Malformed: a field is wrong, or the marks are not well-formed (agreement.md, Well-formed marks).
    """
    items = array(unpack(body, max_bytes=LIMITS[labels.AGREEMENT], what="agreement"), "agreement", length=19)
    parties = [_read_party(item) for item in array(items[4], "parties", length=2)]
    ascending([p.id for p in parties], "parties")
    rows = _table(items[5], "rows", 3, _mark_key, lambda row: code(row[2], "destination code"))
    channels = _table(items[6], "channels", 3, lambda c: word(c[0], "channel"), lambda c: (boolean(c[1], "needs reference"), names(c[2], "channel")))
    transports = _table(items[7], "transports", 2, lambda c: word(c[0], "transport method"), lambda c: names(c[1], "transport method"))
    escorts = _table(items[8], "escorts", 2, lambda c: word(c[0], "escort form"), lambda c: names(c[1], "escort form"))
    handling = _table(items[9], "handling", 5, _mark_key, lambda h: _read_handling(h, set(channels), set(transports), set(escorts)))
    profile = Profile(
        id=word(items[0], "id"),
        version=integer(items[1], "version", least=1),
        previous=optional(items[2], "previous", digest_field),
        title=names(items[3], "title"),
        parties=(parties[0], parties[1]),
        rows=rows,
        channels=channels,
        transports=transports,
        escorts=escorts,
        handling=handling,
        terms=_read_terms(items[10]),
        suites=_read_suites(items[11]),
        stamp=one_of(items[12], "stamp", ["open", "closed"]),
        padding=_read_padding(items[13]),
        skew=integer(items[14], "skew", most=86400),
        max_transit=integer(items[15], "max transit", most=31622400),
        valid_from=time(items[16], "valid from"),
        valid_until=optional(items[17], "valid until", time),
        extensions=extensions(items[18]),
    )
    _require_well_formed(profile)
    return profile


def _table(value: Value, what: str, length: int, key: Callable[[list[Value]], K], item: Callable[[list[Value]], V]) -> dict[K, V]:
    pairs = []
    for entry in array(value, what, least=1, most=32):
        fields = array(entry, what, length=length)
        pairs.append((key(fields), item(fields)))
    ascending([k for k, _ in pairs], what)
    return dict(pairs)


def _mark_key(row: list[Value]) -> Mark:
    return Mark(party(row[0], "party of a row"), code(row[1], "code of a row"))


def _word_list(value: Value, what: str, field_: Callable[[Value, str], str], *, most: int = MAX_LIST) -> tuple[str, ...]:
    items = tuple(field_(item, what) for item in array(value, what, least=1, most=most))
    ascending(items, what)
    return items


def _read_party(value: Value) -> PartyTerms:
    items = array(value, "party", length=6)
    marks = []
    for item in array(items[2], "marks", least=1, most=16):
        fields = array(item, "mark", length=3)
        marks.append(MarkText(code(fields[0], "code"), text(fields[1], "mark"), names(fields[2], "mark")))
    if len({m.code for m in marks}) != len(marks):
        message = "a code of a party appears twice"
        raise Malformed(message)
    return PartyTerms(
        id=party(items[0], "party"),
        names=names(items[1], "names of a party"),
        marks=tuple(marks),
        competent=_word_list(items[3], "competent bodies", body_id, most=_MAX_BODIES),
        confirming=_word_list(items[4], "confirming bodies", lambda v, w: v if v == DESTINATION else body_id(v, w), most=_MAX_BODIES),
        basis=_word_list(items[5], "basis", lambda v, w: one_of(v, w, BASIS_KINDS)),
    )


def _read_handling(row: list[Value], channels: set[str], transports: set[str], escorts: set[str]) -> Handling:
    return Handling(
        _word_list(row[2], "channels of handling", lambda v, w: one_of(v, w, channels)),
        _word_list(row[3], "transports of handling", lambda v, w: one_of(v, w, transports)),
        _word_list(row[4], "escorts of handling", lambda v, w: one_of(v, w, escorts)),
    )


def _read_terms(value: Value) -> dict[str, Names]:
    if not isinstance(value, dict) or tuple(value) != TERMS:
        message = f"the terms of an agreement are {', '.join(TERMS)}"
        raise Malformed(message)
    return {key: names(value[key], f"term {key}") for key in TERMS}


def _read_suites(value: Value) -> tuple[int, ...]:
    return tuple(integer(item, "suite", least=labels.SUITE, most=labels.SUITE) for item in array(value, "suites", length=1))


def _read_padding(value: Value) -> Padding:
    items = array(value, "padding", least=1)
    rule = one_of(items[0], "padding", ["none", "padme", "multiple"])
    if rule == "multiple":
        array(value, "padding", length=2)
        return Padding(rule, integer(items[1], "multiple of padding", least=2, most=_MAX_MULTIPLE))
    array(value, "padding", length=1)
    return Padding(rule)


def _require_well_formed(profile: Profile) -> None:
    """agreement.md, Well-formed marks, 1 to 4 (2 is what the tables' order ensures), and the versions."""
    if (profile.previous is None) != (profile.version == 1):
        message = "version 1 of an agreement replaces none, and every other names the one it replaces"
        raise Malformed(message)
    if profile.valid_until is not None and profile.valid_until <= profile.valid_from:
        message = "an agreement is valid until before it is valid"
        raise Malformed(message)
    try:
        for mark, to in profile.rows.items():  # 1
            profile.party(mark.party).mark(mark.code)
            profile.other(mark.party).mark(to)
    except Refused as error:
        message = f"a row compares marks that are not there: {error.message}"
        raise Malformed(message) from error
    for terms in profile.parties:  # 3
        ranks = [profile.other(terms.id).rank(profile.rows[Mark(terms.id, m.code)]) for m in terms.marks if Mark(terms.id, m.code) in profile.rows]
        if ranks != sorted(ranks):
            message = f"a more secret mark of {terms.id} compares to a less secret one: the rows are not monotone (A2)"
            raise Malformed(message)
    if set(profile.handling) != set(profile.rows):  # 4
        message = "every mark that can be sent has one entry in handling, and no other has (R4(4))"
        raise Malformed(message)
