"""Custody (specs/transport.md): whether the hand-overs of an envelope make a whole chain along its planned way (R13, P39)."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from valiza.envelope.dispatch import SignedDispatch
    from valiza.envelope.handover import VerifiedHandover
    from valiza.envelope.notice import Notices
    from valiza.envelope.route import Leg
    from valiza.keys.credential import Credential

__all__ = ["Custody", "CustodyState", "Deviation", "Finding", "Problem", "custody"]


class CustodyState(StrEnum):
    """How far the custody of an envelope is told without a gap."""

    NONE = "none"
    UNDER_WAY = "under-way"
    LATE = "late"
    COMPLETE = "complete"
    WRONG = "wrong"

    @property
    def exit_code(self) -> int:
        """0 complete, 8 not yet or late, 6 something is wrong."""
        return {CustodyState.COMPLETE: 0, CustodyState.WRONG: 6}.get(self, 8)


class Problem(StrEnum):
    """What is wrong with a chain of hand-overs."""

    FORKED = "forked"
    CHAIN = "chain-broken"
    DOUBLE = "double-leg"
    MISSING = "missing-leg"
    ORDER = "out-of-order"
    BEYOND = "no-such-leg"
    PLACE = "other-place"
    PACKAGE = "other-package"
    GIVER = "other-giver"
    TAKER = "other-taker"
    TIME = "time-back"
    SEAL = "seal-broken"
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong: with which hand-over, or at which leg where there is none; and in words."""

    problem: Problem
    leg: int
    handover: bytes | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviation:
    """A notice told that the way, or the package number, is another than the stamp's: its number, its digest and the reason."""

    number: int
    notice: bytes
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Custody:
    """Who had an envelope, one after the other, and what is wrong with that.

    expected_at: when it is to arrive, as the notice that counts says, in seconds since 1970; None: none says it.
    legs: as planned, or as the last notice tells; None where a closed stamp hides them from this reader, who then cannot say whether all are there.
    chain: hand-overs from the dispatch on, each after the one that it names, up to where several name the same one. apart: those that are not in it.
    """

    state: CustodyState
    expected_at: int | None
    legs: tuple[Leg, ...] | None
    chain: tuple[VerifiedHandover, ...]
    apart: tuple[VerifiedHandover, ...]
    findings: tuple[Finding, ...]
    deviations: tuple[Deviation, ...]

    @property
    def holder(self) -> Credential | None:
        """Who took last, as far as the chain tells."""
        return self.chain[-1].taker if self.chain else None


def custody(
    signed: SignedDispatch,
    handovers: Iterable[VerifiedHandover],
    legs: Sequence[Leg] | None = None,
    notices: Notices | None = None,
    *,
    at: int | None = None,
) -> Custody:
    """Judge the hand-overs of one envelope (transport.md, Custody).

    Args:
        signed: its dispatch.
        handovers: of this envelope, in any order; the same one twice counts once.
        legs: the planned route where a closed stamp hides it and the reader knows it; an open stamp's are taken from there.
        notices: those that the reader has.
        at: now, in seconds since 1970; None: whether it is late is not judged.
    """
    told = () if notices is None else notices.counted
    way = told[-1].said.way if told else None
    route = signed.core.stamp.route
    planned = way.legs if way is not None else route.legs if route is not None else None if legs is None else tuple(legs)
    taken = sorted({one.digest: one for one in handovers}.values(), key=_order)
    following: dict[bytes, list[VerifiedHandover]] = defaultdict(list)
    for one in taken:
        following[one.said.previous].append(one)
    chain = _chained(signed.digest, following)
    inside = {one.digest for one in chain}
    apart = [one for one in taken if one.digest not in inside]
    judge = _Judge(signed, planned, {signed.core.stamp.package, *(one.said.package for one in told)})
    before: VerifiedHandover | None = None
    for one in chain:
        judge.look_at(one)
        judge.follows(one, before)
        before = one
    for one in apart:
        judge.look_at(one)
        if len(following[one.said.previous]) > 1:
            judge.add(
                Problem.FORKED, one.said.leg, one, f"another hand-over follows the same one; {one.taker.title!r} of {one.taker.body} signed this"
            )
        else:
            judge.add(Problem.CHAIN, one.said.leg, one, "what it follows is not the hand-over before it, or is not here")
    judge.missing()
    state = _state(signed, chain, planned, judge.findings)
    if state is CustodyState.UNDER_WAY and told and at is not None and at > told[-1].said.expected_at + told[-1].agreement.profile.skew:
        state = CustodyState.LATE
    return Custody(
        state=state,
        expected_at=told[-1].said.expected_at if told else None,
        legs=planned,
        chain=tuple(chain),
        apart=tuple(apart),
        findings=tuple(judge.findings),
        deviations=tuple(Deviation(number=one.said.number, notice=one.digest, reason=one.said.deviation) for one in told if one.said.deviation),
    )


def _chained(start: bytes, following: dict[bytes, list[VerifiedHandover]]) -> list[VerifiedHandover]:
    """The chain from the dispatch on: it ends where none follows, and where several do, of which none is in it."""
    chain: list[VerifiedHandover] = []
    # A digest covers its predecessor's, so there are no rings.
    while len(after := following.get(start, [])) == 1:
        chain += after
        start = after[0].digest
    return chain


def _order(one: VerifiedHandover) -> tuple[int, int, bytes]:
    return one.said.taken_at, one.said.leg, one.digest


class _Judge:
    """Collects what is wrong."""

    def __init__(self, signed: SignedDispatch, legs: tuple[Leg, ...] | None, packages: set[str]) -> None:
        self.findings: list[Finding] = []
        self._signed = signed
        self._legs = legs
        self._packages = packages
        self._seen: set[int] = set()
        self._places = None if legs is None else [*(leg.start for leg in legs), legs[-1].end]

    def add(self, problem: Problem, leg: int, one: VerifiedHandover | None, text: str) -> None:
        """Note a problem; of a hand-over, behind the name of its leg."""
        text = text if one is None else f"{_name(self._legs, leg)}: {text}"
        self.findings.append(Finding(problem=problem, leg=leg, handover=None if one is None else one.digest, text=text))

    def look_at(self, one: VerifiedHandover) -> None:
        """What a hand-over tells by itself, and that no other has its leg."""
        said = one.said
        if said.leg in self._seen:
            self.add(Problem.DOUBLE, said.leg, one, "another hand-over has it too")
        self._seen.add(said.leg)
        if self._places is not None and said.leg >= len(self._places):
            self.add(Problem.BEYOND, said.leg, one, f"the way has {len(self._places) - 1} legs")
        elif self._places is not None and said.place not in {"", self._places[said.leg]}:
            self.add(Problem.PLACE, said.leg, one, f"it was taken over at {said.place!r}, and {self._places[said.leg]!r} was planned")
        if said.package not in self._packages:
            self.add(Problem.PACKAGE, said.leg, one, f"the package had the number {said.package!r}, and neither stamp nor notice says so")
        if self._legs is not None and said.leg == len(self._legs) and one.taker.body != self._signed.core.destination:
            self.add(Problem.TAKER, said.leg, one, f"{one.taker.body} took it, and it is for {self._signed.core.destination}")
        if not said.intact:
            self.add(Problem.SEAL, said.leg, one, f"the seal was not intact: {said.remark}")
        if said.condition == "damaged":
            self.add(Problem.DAMAGED, said.leg, one, f"it was damaged: {said.remark}")

    def follows(self, one: VerifiedHandover, before: VerifiedHandover | None) -> None:
        """What a hand-over says against the one before it in the chain; the first, against the origin."""
        if before is None:
            if one.said.giver.body != self._signed.core.origin:
                self.add(Problem.GIVER, one.said.leg, one, f"the first to give is {one.said.giver.body}, and not the origin")
            return
        taker = before.taker
        if one.giver is None or (one.giver.subject, one.giver.body) != (taker.subject, taker.body):
            self.add(Problem.GIVER, one.said.leg, one, f"{one.said.giver.name!r} gave it, and {taker.title!r} had taken it before")
        if one.said.leg < before.said.leg:
            self.add(Problem.ORDER, one.said.leg, one, f"it comes after {_name(self._legs, before.said.leg)}")
        skew = 0 if one.taker.body == taker.body else one.agreement.profile.skew  # two bodies have two clocks
        if one.said.taken_at < before.said.taken_at - skew:
            self.add(Problem.TIME, one.said.leg, one, "it was taken over before the hand-over that it follows")

    def missing(self) -> None:
        """Legs before the last one known for which nobody signed."""
        for leg in range(max(self._seen, default=0)):
            if leg not in self._seen:
                self.add(Problem.MISSING, leg, None, f"nobody signed for {_name(self._legs, leg)}")


def _name(legs: tuple[Leg, ...] | None, leg: int) -> str:
    """A leg in words; legs are counted from 1 for people."""
    if legs is None or leg > len(legs):
        return f"leg {leg + 1}"
    return f"the end of the way, {legs[-1].end!r}" if leg == len(legs) else f"leg {leg + 1}, {legs[leg].start!r} to {legs[leg].end!r}"


def _state(signed: SignedDispatch, chain: list[VerifiedHandover], legs: tuple[Leg, ...] | None, findings: list[Finding]) -> CustodyState:
    if findings:
        return CustodyState.WRONG
    if not chain:
        return CustodyState.NONE
    # Where the legs are hidden, the envelope has arrived when the destination has it: whether a leg is missing at the end, nobody can tell.
    last = chain[-1]
    arrived = last.taker.body == signed.core.destination if legs is None else last.said.leg == len(legs)
    return CustodyState.COMPLETE if arrived else CustodyState.UNDER_WAY
