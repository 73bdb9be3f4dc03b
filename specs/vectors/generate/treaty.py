"""Agreements and terminations as a reader sees them (agreement.md)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

import decode as d
import wire
from outcome import NotAuthentic, Refused, step
from trust import Root, Trust, read_statement, roots_that_sign

BASES = ("confirmation", "conclusion", "contract", "decision")
TERMS = ["change_of_marks", "copying", "disputes", "marking", "measures", "protection", "third_parties"]
Mark = tuple[str, str]


@dataclass(frozen=True)
class Side:
    """What an agreement says of one party."""

    codes: list[str]
    competent: list[str]
    confirming: list[str]
    basis: list[str]


@dataclass(frozen=True)
class Handling:
    """What a carrier with one mark may travel by."""

    channels: list[str]
    transports: list[str]
    escorts: list[str]


@dataclass(frozen=True)
class Agreement:
    """An agreement that both roots signed and whose body is well-formed."""

    digest: bytes
    id: str
    version: int
    previous: bytes | None
    sides: dict[str, Side]
    rows: dict[Mark, str]
    channels: dict[str, bool]
    handling: dict[Mark, Handling]
    closed: bool
    padding: tuple[str, int]
    skew: int
    max_transit: int
    valid_from: int
    valid_until: int | None

    def pad(self, size: int) -> int:
        """agreement.md, Padding."""
        rule, multiple = self.padding
        if rule == "multiple":
            return -size % multiple
        if rule == "none" or size < 2:
            return 0
        exponent = size.bit_length() - 1
        step_size = 1 << (exponent - exponent.bit_length())
        return -size % step_size

    def most_secret(self, marks: list[tuple[Mark, Mark]]) -> tuple[Mark, Mark]:
        """The pair of the most secret carrier, by the origin's list."""
        return min(marks, key=lambda pair: self.sides[pair[0][0]].codes.index(pair[0][1]))


@dataclass
class Agreements:
    """What the reader has adopted or was given."""

    known: dict[bytes, Agreement] = field(default_factory=dict)
    ended: list[tuple[bytes, int]] = field(default_factory=list)

    def in_force(self, agreement: Agreement, sealed_at: int, accepted_at: int) -> None:
        """agreement.md, In force."""
        if sealed_at > accepted_at + agreement.skew:
            raise Refused("sealed in the future")
        until = agreement.valid_until
        if not agreement.valid_from <= sealed_at or (until is not None and sealed_at >= until):
            raise Refused("the agreement was not valid at sealed at")
        if any(digest == agreement.digest and when <= sealed_at for digest, when in self.ended):
            raise Refused("the agreement had been terminated")
        for other in self.known.values():
            same = other.id == agreement.id and other.sides.keys() == agreement.sides.keys()
            if same and other.version == agreement.version + 1 and other.previous == agreement.digest:
                late = sealed_at >= other.valid_from or accepted_at >= other.valid_from + agreement.max_transit
                if late:
                    raise Refused("the next version is in force")


def read_agreement(raw: bytes, trust: Trust) -> Agreement:
    """The statement, its two roots, the body, and what an office checks when it adopts."""
    statement = read_statement(raw, "agreement")
    roots = roots_that_sign(statement, trust)
    with step("body", otherwise=True):
        agreement = _body(statement.body)
    with step("statement 7"):
        if len(roots) != 2 or {root.party for root in roots} != set(agreement.sides):
            raise NotAuthentic("signed by others than its parties")
    with step("adopting"):
        for root in roots:
            if root != trust.root_of(root.party):
                raise Refused("signed by an old version of a root")
            _same_order(agreement.sides[root.party].codes, root)
    return agreement


def _same_order(codes: list[str], root: Root) -> None:
    places = [root.degrees.index(code) if code in root.degrees else -1 for code in codes]
    if -1 in places or places != sorted(places):
        raise Refused(f"the codes are not the degrees of {root.party}, in their order")


def _body(body: bytes) -> Agreement:
    f = d.fields(d.decode(body), 19)
    name = d.word(f[0])
    version, previous = d.integer(f[1], 1), d.optional(f[2], d.digest_of)
    d.need((previous is None) == (version == 1), "previous is nil exactly when version is 1")
    d.names(f[3])
    parties = [_side(item) for item in d.fields(f[4], 2)]
    d.ascending(parties, lambda pair: pair[0].encode())
    sides = dict(parties)
    channels = {d.word(item[0]): d.boolean(item[1]) for item in _listed(f[6], 3)}
    transports, escorts = ([d.word(item[0]) for item in _listed(value, 2)] for value in (f[7], f[8]))
    rows, handling = _rows(f[5], sides), _handling(f[9], channels, transports, escorts)
    with step("marks 4"):
        d.need(rows.keys() == handling.keys(), "handling for each mark with a row, and no other")
    d.need(isinstance(f[10], dict) and list(f[10]) == TERMS, "not exactly the seven terms")
    for term in f[10].values() if isinstance(f[10], dict) else []:
        d.names(term)
    d.need([d.integer(suite) for suite in d.array(f[11])] == [1], "version 1 knows suite 1 only")
    stamp = d.one_of(f[12], ("open", "closed"))
    valid_from, valid_until = d.time(f[16]), d.optional(f[17], d.time)
    d.need(valid_until is None or valid_until > valid_from, "valid until is not after valid from")
    d.extensions(f[18])
    return Agreement(
        wire.digest("agreement", body),
        name,
        version,
        previous,
        sides,
        rows,
        channels,
        handling,
        stamp == "closed",
        _padding(f[13]),
        d.integer(f[14], 0, 86400),
        d.integer(f[15], 0, 31622400),
        valid_from,
        valid_until,
    )


def _side(value: d.Value) -> tuple[str, Side]:
    party, names, marks, competent, confirming, basis = d.fields(value, 6)
    d.names(names)
    codes = list[str]()
    for item in d.array(marks, 1, 16):
        code, text, translated = d.fields(item, 3)
        d.text(text)
        d.names(translated)
        codes.append(d.matching(code, d.CODE))
    d.need(len(set(codes)) == len(codes), "a code twice")
    named = [d.matching(item, d.BODY_ID) for item in d.array(competent, 1, 64)]
    d.ascending(named, str.encode)
    confirmed = [item if item == "destination" else d.matching(item, d.BODY_ID) for item in d.array(confirming, 1, 64)]
    d.ascending(confirmed, str.encode)
    bases = [d.one_of(item, BASES) for item in d.array(basis, 1, 4)]
    d.ascending(bases, str.encode)
    return d.matching(party, d.PARTY), Side(codes, named, confirmed, bases)


def _listed(value: d.Value, count: int) -> list[list[d.Value]]:
    """Channels, transports, escorts: 1 to 32 arrays, by their id; names stand last."""
    items = [d.fields(item, count) for item in d.array(value, 1, 32)]
    d.ascending([d.word(item[0]) for item in items], str.encode)
    for item in items:
        d.names(item[-1])
    return items


def _rows(value: d.Value, sides: dict[str, Side]) -> dict[Mark, str]:
    """Well-formed marks, 1 to 3."""
    rows = list[tuple[Mark, str]]()
    for item in d.array(value, 1, 32):
        origin, code, other = d.fields(item, 3)
        rows.append((d.mark([origin, code]), d.matching(other, d.CODE)))
    with step("marks 1"):
        for (party, code), other in rows:
            d.need(party in sides, "a row of a third party")
            d.need(code in sides[party].codes and other in _facing(sides, party).codes, "a row with a code that is not defined")
    with step("marks 2"):
        d.ascending([row[0] for row in rows], lambda mark: (mark[0].encode(), mark[1].encode()))
    with step("marks 3"):
        for party, side in sides.items():
            ranks = [_facing(sides, party).codes.index(dict(rows)[party, code]) for code in side.codes if (party, code) in dict(rows)]
            d.need(ranks == sorted(ranks), "a more secret mark maps to a less secret one")
    return dict(rows)


def _facing(sides: dict[str, Side], party: str) -> Side:
    (other,) = (name for name in sides if name != party)
    return sides[other]


def _handling(value: d.Value, channels: dict[str, bool], transports: list[str], escorts: list[str]) -> dict[Mark, Handling]:
    marks, out = list[Mark](), dict[Mark, Handling]()
    for item in d.array(value, 1, 32):
        party, code, *lists = d.fields(item, 5)
        marks.append(d.mark([party, code]))
        chosen = [_subset(ids, defined) for ids, defined in zip(lists, (channels, transports, escorts), strict=True)]
        out[marks[-1]] = Handling(*chosen)
    d.ascending(marks, lambda mark: (mark[0].encode(), mark[1].encode()))
    return out


def _subset(value: d.Value, defined: Collection[str]) -> list[str]:
    ids = [d.word(item) for item in d.array(value, 1, 32)]
    d.ascending(ids, str.encode)
    d.need(all(item in defined for item in ids), "handling names what is not defined")
    return ids


def _padding(value: d.Value) -> tuple[str, int]:
    items = d.array(value, 1, 2)
    if items in (["none"], ["padme"]):
        return str(items[0]), 0
    rule, multiple = d.fields(value, 2)
    d.one_of(rule, ("multiple",))
    return "multiple", d.integer(multiple, 2, 1 << 40)


def read_termination(raw: bytes, trust: Trust, agreements: Agreements) -> tuple[bytes, int]:
    """agreement.md, Termination: which agreement ends, and when."""
    statement = read_statement(raw, "termination")
    (root, *others) = roots_that_sign(statement, trust)
    with step("statement 6"):
        if others:
            raise NotAuthentic("signed by two roots")
    with step("body"):
        agreement, party, given_at, takes_effect_at, extensions = d.fields(d.decode(statement.body), 5)
        name = d.matching(party, d.PARTY)
        d.need(d.time(given_at) <= d.time(takes_effect_at), "takes effect before it is given")
        d.extensions(extensions)
        digest = d.digest_of(agreement)
    with step("statement 4"):
        if root.party != name:
            raise NotAuthentic("signed by the root of another party")
    with step("parties"):
        known = agreements.known.get(digest)
        if known is None or name not in known.sides:
            raise Refused("not an agreement of this party that the reader knows")
    return digest, d.time(takes_effect_at)
