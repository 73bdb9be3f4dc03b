"""Transport notices, hand-overs, custody and overdue records as a reader sees them (transport.md)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import decode as d
import wire
from outcome import Refused, step
from reading import (
    Core,
    Detail,
    Dispatch,
    World,
    authentic,
    check_agreement,
    check_route,
    check_signer,
    read_authentic,
    read_core,
    read_dispatch,
    refuse,
)
from treaty import Agreement
from trust import Credential, Statement, read_statement, require_standing, signed_by

Place = tuple[str, str]
Legs = list[tuple[str, str]]


@dataclass(frozen=True)
class Notice:
    """A notice; *legs* is None under a closed stamp."""

    statement: Statement
    dispatch: Dispatch
    number: int
    previous: bytes | None
    legs: Legs | None
    package: str
    expected_at: int
    told_at: int


@dataclass(frozen=True)
class Handover:
    """A hand-over; *giver* is the credential of who gave, where he has one."""

    digest: bytes
    leg: int
    place: str
    giver_body: Place
    giver: Credential | None
    taker: Credential
    taken_at: int
    intact: bool
    sound: bool
    package: str
    previous: bytes


@dataclass(frozen=True)
class Custody:
    """What state an envelope's hand-overs are in; *problems* are those of the table."""

    state: str
    problems: list[tuple[str, int]]

    @property
    def expect(self) -> str:
        """The word of a vector's head."""
        return {"complete": "success", "wrong": "refused"}.get(self.state, "incomplete")

    @property
    def verdict(self) -> str:
        """The state, and each problem with its leg, sorted."""
        return ", ".join([self.state, *(f"{problem} {leg}" for problem, leg in sorted(self.problems))])


def _signed(raw: bytes, kind: str, world: World) -> tuple[Statement, Credential]:
    with step(1):
        statement = read_statement(raw, kind)
    with step(2):
        return statement, signed_by(statement, world.trust)


def _inside(dispatch_raw: bytes, core_raw: bytes, world: World) -> tuple[Dispatch, Core]:
    """Step 3 of both that contain a dispatch."""
    with step(3):
        dispatch = read_dispatch(dispatch_raw, world.trust)
        authentic(dispatch.core == wire.digest("core", core_raw), "digest of core")
        core = read_core(core_raw)
        check_signer(dispatch, core, world)
    return dispatch, core


def _legs(value: d.Value) -> Legs:
    found = [(d.text(start), d.text(end)) for start, end in (d.fields(leg, 2) for leg in d.array(value, 1, 16))]
    d.need(all(one[1] == other[0] for one, other in pairwise(found)), "a leg does not begin where the one before ended")
    return found


def _stands(signer: Credential, dated: int, raw: bytes, world: World) -> None:
    refuse(not signer.valid_at(dated), "the signer was not valid")
    require_standing(signer, dated, lambda: world.evidence(raw), world.trust)


def read_notice(raw: bytes, world: World) -> Notice:
    """Reading a notice."""
    statement, signer = _signed(raw, "transport-notice", world)
    with step(2):
        f = d.fields(d.decode(statement.body), 14)
        dispatch_raw, core_raw, told = d.binary(f[0]), d.binary(f[1]), d.body(f[2])
        d.need(len(dispatch_raw) <= 1 << 20, "a dispatch over its limit")
        number, previous = d.integer(f[3], 1, 1000), d.optional(f[4], d.digest_of)
        d.need((number == 1) == (previous is None), "previous is nil exactly for number 1")
        leaves_at, expected_at, package = d.time(f[5]), d.time(f[6]), d.text(f[7], 64)
        d.need(leaves_at < expected_at, "expected before it leaves")
        way = d.optional(f[8], lambda value: d.fields(value, 3))
        gone = None if way is None else (d.word(way[0]), d.word(way[1]), _legs(way[2]))
        deviation, escorts = d.text(f[9], 1000, 0), [d.text(one) for one in d.array(f[10], 0, 16)]
        d.text(f[11], 1000, 0)
        told_at = d.time(f[12])
        d.extensions(f[13])
    dispatch, core = _inside(dispatch_raw, core_raw, world)
    with step(4):
        agreement = check_agreement(core, dispatch.sealed_at, told_at, world)
        if isinstance(core.detail, Detail):
            refuse(not world.trust.cleared(dispatch.signer.clearance, *core.detail.origin_mark), "the sealer is not cleared")
    with step(5):
        refuse(signer.body != core.origin, "told by another body than the origin")
        refuse(told[0] != core.destination[0], "told to a body of another party")
        refuse(
            told[1] not in world.trust.who(agreement.sides[told[0]].competent, told[0], "competent", told_at), "told to a body that is not competent"
        )
    with step(6):
        planned = (core.detail.transport, core.detail.escort, core.detail.legs) if isinstance(core.detail, Detail) else None
        d.need((gone is None) == (planned is None), "a way exactly under an open stamp")
        d.need(planned is not None or not escorts, "escorts under a closed stamp")
        d.need(bool(deviation) == (gone != planned or package != core.package), "a reason exactly for a deviation")
    if isinstance(core.detail, Detail) and gone is not None:
        with step(7):
            check_route(agreement, core, replace(core.detail, transport=gone[0], escort=gone[1], legs=gone[2]))
    with step(8):
        refuse(told_at < dispatch.sealed_at or leaves_at < dispatch.sealed_at, "told, or left, before it was sealed")
        refuse(told_at > world.now + agreement.skew, "told in the future")
    with step(9):
        _stands(signer, told_at, raw, world)
    return Notice(statement, dispatch, number, previous, None if gone is None else gone[2], package, expected_at, told_at)


def in_order(notices: list[Notice]) -> list[Notice]:
    """Several notices: those that follow one another from the first."""
    ordered = sorted(notices, key=lambda one: one.number)
    for one, other in pairwise(ordered):
        with step("several 1"):
            same = one.statement.raw == other.statement.raw
            refuse(one.number == other.number and not same, "two with one number")
            refuse(other.number == one.number + 1 and other.previous != one.statement.digest, "does not follow the one before it")
        with step("several 2"):
            refuse(other.number == one.number + 1 and other.told_at < one.told_at, "dated before the one before it")
    numbers = sorted({one.number for one in ordered})
    return [one for one in ordered if numbers[: one.number] == list(range(1, one.number + 1))]


def _agreement(core: Core, world: World) -> Agreement:
    agreement = world.agreements.known.get(core.agreement)
    if agreement is None:
        raise Refused("the agreement is not adopted")
    return agreement


def read_overdue(raw: bytes, world: World) -> None:
    """Reading an overdue record."""
    statement, signer = _signed(raw, "overdue", world)
    with step(2):
        f = d.fields(d.decode(statement.body), 5)
        dispatch_raw, core_raw, due, noticed_at = d.binary(f[0]), d.binary(f[1]), d.time(f[2]), d.time(f[3])
        d.need(len(dispatch_raw) <= 1 << 20, "a dispatch over its limit")
        d.extensions(f[4])
    _, core = _inside(dispatch_raw, core_raw, world)
    with step(4):
        refuse(signer.body != core.origin, "signed by another body than the origin")
    with step(5):
        d.need(due == core.due, "another time than the stamp's")
    with step(6):
        refuse(noticed_at <= due, "noticed before it was due")
        refuse(noticed_at > world.now + _agreement(core, world).skew, "noticed in the future")
    with step(7):
        _stands(signer, noticed_at, raw, world)


def read_handover(raw: bytes, world: World, envelope: bytes) -> Handover:
    """Reading a hand-over; the reader has the envelope."""
    found = read_authentic(envelope, world)
    core, dispatch = found.core, found.dispatch
    statement, taker = _signed(raw, "handover", world)
    with step(2):
        f = d.fields(d.decode(statement.body), 13)
        named = d.digest_of(f[0]), d.body(f[1]), d.binary(f[2], 32)
        leg, place = d.integer(f[3], 0, 16), d.text(f[4], 1000, 0)
        who = d.fields(f[5], 3)
        d.text(who[0])
        giver_body, giver_digest = d.body(who[1]), d.optional(who[2], d.digest_of)
        taken_at, intact = d.time(f[6]), d.boolean(f[7])
        sound = d.one_of(f[8], ("sound", "damaged")) == "sound"
        remark, package, previous = d.text(f[9], 1000, 0), d.text(f[10], 64), d.digest_of(f[11])
        d.need(bool(remark) or (intact and sound), "no remark")
        d.extensions(f[12])
    with step(3):
        authentic(named == (dispatch.statement.digest, core.origin, core.envelope_id), "of another envelope")
    with step(4):
        parties = {core.origin[0], core.destination[0]}
        refuse(not {taker.body[0], giver_body[0]} <= parties, "a body of a third party")
    with step(5):
        d.need(bool(place) == isinstance(core.detail, Detail), "a place exactly under an open stamp")
    with step(6):
        giver = None if giver_digest is None else world.trust.credentials.get(giver_digest)
        refuse(giver_digest is not None and giver is None, "who gave is not known")
        refuse(giver is not None and giver.body != giver_body, "who gave is of another body")
    with step(7):
        skew = _agreement(core, world).skew
        refuse(not dispatch.sealed_at - skew <= taken_at <= world.now + skew, "taken before it was sealed, or in the future")
    with step(8):
        _stands(taker, taken_at, raw, world)
    return Handover(statement.digest, leg, place, giver_body, giver, taker, taken_at, intact, sound, package, previous)


def read_custody(raw: bytes, world: World, envelope: bytes) -> Custody:
    """Custody: *raw* is an array of hand-overs and one of notices."""
    handover_raws, notice_raws = d.fields(d.decode(raw), 2)
    found = read_authentic(envelope, world)
    handovers = {one.digest: one for one in (read_handover(d.binary(item), world, envelope) for item in d.array(handover_raws))}
    notices = in_order([read_notice(d.binary(item), world) for item in d.array(notice_raws)])
    legs = notices[-1].legs if notices else found.core.detail.legs if isinstance(found.core.detail, Detail) else None
    start, skew = found.dispatch.statement.digest, _agreement(found.core, world).skew
    named = [one.previous for one in handovers.values()]
    chain = _chain(start, [one for one in handovers.values() if named.count(one.previous) == 1])
    apart = [one for one in handovers.values() if one not in chain]
    problems = [("forked" if named.count(one.previous) > 1 else "chain-broken", one.leg) for one in apart]
    problems += _legs_taken([*chain, *apart], legs)
    for one in handovers.values():
        problems += _alone(one, legs, found.core.destination)
    for index, one in enumerate(chain):
        problems += _after(one, chain[index - 1] if index else None, found.core.origin, skew)
    packages = {found.core.package, *(one.package for one in notices)}
    problems += [("other-package", one.leg) for one in handovers.values() if one.package not in packages]
    state = _state(problems, chain, legs, found.core.destination)
    if state == "under-way" and notices and world.now > notices[-1].expected_at + skew:
        state = "late"
    return Custody(state, problems)


def _chain(last: bytes, unforked: list[Handover]) -> list[Handover]:
    return next(([one, *_chain(one.digest, unforked)] for one in unforked if one.previous == last), [])


def _legs_taken(handovers: list[Handover], legs: Legs | None) -> list[tuple[str, int]]:
    taken = [one.leg for one in handovers]
    double = [("double-leg", leg) for leg in set(taken) for _ in range(taken.count(leg) - 1)]
    missing = [("missing-leg", leg) for leg in range(max(taken, default=0)) if leg not in taken]
    beyond = [("no-such-leg", leg) for leg in taken if legs is not None and leg > len(legs)]
    return [*double, *missing, *beyond]


def _alone(one: Handover, legs: Legs | None, destination: Place) -> list[tuple[str, int]]:
    found = []
    if legs is not None and one.leg <= len(legs):
        ends = one.leg == len(legs)
        place = legs[-1][1] if ends else legs[one.leg][0]
        if one.place and one.place != place:
            found.append("other-place")
        if ends and one.taker.body != destination:
            found.append("other-taker")
    if not one.intact:
        found.append("seal-broken")
    if not one.sound:
        found.append("damaged")
    return [(problem, one.leg) for problem in found]


def _after(one: Handover, before: Handover | None, origin: Place, skew: int) -> list[tuple[str, int]]:
    if before is None:
        return [] if one.giver_body == origin else [("other-giver", one.leg)]
    found = []
    if one.giver is None or (one.giver.subject, one.giver.body) != (before.taker.subject, before.taker.body):
        found.append("other-giver")
    if one.leg < before.leg:
        found.append("out-of-order")
    if one.taken_at < before.taken_at - (0 if one.taker.body == before.taker.body else skew):
        found.append("time-back")
    return [(problem, one.leg) for problem in found]


def _state(problems: list[tuple[str, int]], chain: list[Handover], legs: Legs | None, destination: Place) -> str:
    if problems:
        return "wrong"
    if not chain:
        return "none"
    arrived = chain[-1].taker.body == destination if legs is None else chain[-1].leg == len(legs)
    return "complete" if arrived else "under-way"
