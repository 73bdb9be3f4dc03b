"""Designations as a reader sees them, and who has which role (designation.md)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import decode as d
from outcome import Refused, step

DESIGNATED = ("competent", "confirming")


@dataclass(frozen=True)
class Change:
    """What the rule looks at."""

    body: str
    role: str
    start: int
    end: int | None
    replaces: str | None

    def covers(self, when: int) -> bool:
        """From the first second up to, not including, the last."""
        return self.start <= when and (self.end is None or when < self.end)


@dataclass(frozen=True)
class Designation(Change):
    """A designation, decoded; *version* is that of the root that signed."""

    digest: bytes
    party: str
    number: int
    version: int


def body_of(raw: bytes, digest: bytes, version: int) -> Designation:
    """The form of a body."""
    f = d.fields(d.decode(raw), 10)
    d.names(f[3])
    d.extensions(f[9])
    start, end, issued_at = d.time(f[5]), d.optional(f[6], d.time), d.time(f[8])
    d.need(start >= issued_at, "effective before it is issued")
    d.need(end is None or end > start, "it ends before it begins")
    body, replaces = d.matching(f[2], d.BODY_ID), d.optional(f[7], lambda item: d.matching(item, d.BODY_ID))
    d.need(body != replaces, "a body in its own place")
    return Designation(body, d.one_of(f[4], DESIGNATED), start, end, replaces, digest, d.matching(f[0], d.PARTY), d.integer(f[1], 1), version)


def check_numbers(designations: Sequence[Designation]) -> None:
    """Reading 4."""
    with step("designation 4"):
        d.ascending(designations, lambda one: one.number)
        if [one.number for one in designations] != list(range(1, len(designations) + 1)):
            raise Refused("a number is missing")


def who(named: Iterable[str], changes: Iterable[Change], role: str, when: int) -> set[str]:
    """Who has a role; *changes* are in the order of their numbers."""
    found = list(named)
    for change in changes:
        if change.role == role and change.covers(when):
            if change.replaces is None:
                found.append(change.body)
            elif change.replaces in found:
                found = [change.body, *(one for one in found if one != change.replaces)]
    return set(found)


def read_role(raw: bytes) -> None:
    """A vector of the rule alone: `[body id, role, at, named, [[body id, role, effective from, effective until, replaces], …]]`."""
    body, role, when, named, changes = d.fields(d.decode(raw), 5)
    found = []
    for item in d.array(changes):
        one = d.fields(item, 5)
        replaces = d.optional(one[4], lambda each: d.matching(each, d.BODY_ID))
        found.append(Change(d.matching(one[0], d.BODY_ID), d.one_of(one[1], DESIGNATED), d.time(one[2]), d.optional(one[3], d.time), replaces))
    bodies = [d.matching(item, d.BODY_ID) for item in d.array(named)]
    with step("rule"):
        if d.matching(body, d.BODY_ID) not in who(bodies, found, d.one_of(role, DESIGNATED), d.time(when)):
            raise Refused("it has not that role")
