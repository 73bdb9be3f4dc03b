"""Revocations as a reader sees them, and which signatures stand (revocation.md)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import decode as d
from outcome import Refused, step

KINDS = ("suspended", "restored", "retired", "compromised")
REASONS = ("clearance", "closed", "left", "lost", "mistaken", "other", "replaced", "stolen", "suspected")
AFTER = {
    "": {"suspended", "retired", "compromised"},
    "suspended": {"restored", "retired", "compromised"},
    "restored": {"suspended", "retired", "compromised"},
    "retired": {"compromised"},
    "compromised": set[str](),
}


@dataclass(frozen=True)
class Event:
    """What the time rule looks at."""

    series: str | None
    kind: str
    effective_at: int


@dataclass(frozen=True)
class Revocation(Event):
    """A revocation, decoded; *signer* is the digest of the credential that signed, nil for a root, whose *version* there is then."""

    digest: bytes
    party: str
    number: int
    credential: bytes
    issued_at: int
    signer: bytes | None
    version: int

    @property
    def place(self) -> tuple[bytes, ...]:
        """Where it stands in a roster; nil before every body id, which begins with a letter."""
        return (self.series or "").encode(), self.number.to_bytes(8, "big")


def body_of(raw: bytes, digest: bytes, signer: bytes | None, version: int) -> Revocation:
    """The form of a body."""
    f = d.fields(d.decode(raw), 9)
    kind = d.one_of(f[3], KINDS)
    effective_at, issued_at = d.time(f[5]), d.time(f[6])
    d.need(kind != "compromised" or effective_at <= issued_at, "a compromise effective after it is issued")
    d.one_of(f[7], REASONS)
    d.extensions(f[8])
    series = d.optional(f[1], lambda item: d.matching(item, d.BODY_ID))
    party, number, credential = d.matching(f[0], d.PARTY), d.integer(f[2], 1), d.digest_of(f[4])
    return Revocation(series, kind, effective_at, digest, party, number, credential, issued_at, signer, version)


def check_series(revocations: Sequence[Revocation]) -> None:
    """Reading 6 and 7."""
    with step("revocation 6"):
        d.ascending(revocations, lambda one: one.place)
        for series in {one.series for one in revocations}:
            own = [one for one in revocations if one.series == series]
            if [one.number for one in own] != list(range(1, len(own) + 1)):
                raise Refused("a number is missing")
    with step("revocation 7"):
        for series, credential in {(one.series, one.credential) for one in revocations}:
            _check_order([one for one in revocations if (one.series, one.credential) == (series, credential)])


def _check_order(own: Sequence[Revocation]) -> None:
    kind, since = "", 0
    for one in own:
        if one.kind not in AFTER[kind]:
            raise Refused(f"{one.kind} after {kind}")
        if one.kind != "compromised" and one.effective_at < since:
            raise Refused("effective before the one that it follows")
        kind, since = one.kind, one.effective_at


def stands(events: Sequence[Event], dated: int, evidence: int | None) -> bool:
    """The time rule; *events* has each series in its order, and every compromise of the key."""
    for place, event in enumerate(events):
        start = event.effective_at
        if event.kind == "compromised" and not (dated < start and evidence is not None and evidence < start):
            return False
        if event.kind == "retired" and not dated < start:
            return False
        if event.kind == "suspended" and not dated < start:
            after = [later for later in events[place + 1 :] if later.series == event.series and later.kind != "compromised"]
            if not after or after[0].kind != "restored" or not after[0].effective_at <= dated:
                return False
    return True


def read_standing(raw: bytes) -> None:
    """A vector of the time rule alone: `[dated, evidence, [[series, kind, effective at], …]]`."""
    dated, evidence, events = d.fields(d.decode(raw), 3)
    found = []
    for item in d.array(events):
        series, kind, effective_at = d.fields(item, 3)
        found.append(Event(d.optional(series, lambda one: d.matching(one, d.BODY_ID)), d.one_of(kind, KINDS), d.time(effective_at)))
    if not stands(found, d.time(dated), d.optional(evidence, d.time)):
        raise Refused("does not stand")
