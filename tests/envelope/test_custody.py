"""Custody (specs/transport.md): hand-overs that make a whole chain along the planned way, and every way in which they do not (P39)."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.support.world import HOUR, OPENED, SEALED, Exchange, Officer, World

from valiza.envelope.custody import Custody, CustodyState, Problem, custody
from valiza.envelope.handover import Giver, VerifiedHandover, read_handover
from valiza.envelope.notice import Notices, VerifiedNotice, Way, read_notice
from valiza.envelope.route import Leg

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LEGS = (Leg("Астана", "Москва"), Leg("Москва", "Минск"))  # those of the world's envelopes


def taken(exchange: Exchange, giver: Officer, taker: Officer, after: VerifiedHandover | None = None, /, **changes: Any) -> VerifiedHandover:
    """One hand-over, read; each after another, or the first."""
    world = exchange.world
    previous = changes.pop("previous", None if after is None else after.digest)
    leg = changes.pop("leg", 0 if after is None else after.said.leg + 1)
    said = world.handover(exchange.sealed, giver, leg=leg, previous=previous, **changes)
    signed = world.authenticate(exchange.sealed.container).signed
    return read_handover(world.taken(said, taker), signed=signed, trust=world.trust, agreements=world.agreements, at=OPENED)


def people(world: World) -> tuple[Officer, ...]:
    """The chief seals and gives; the origin's clerk, then a bank's courier carry; the destination's clerk takes at the end."""
    return world.origin["chief"], world.origin["clerk"], world.origin["banker"], world.destination["clerk"]


def pair(world: World) -> tuple[Officer, Officer]:
    """Who gives first, and who takes."""
    chief, clerk, *_ = people(world)
    return chief, clerk


def whole(exchange: Exchange) -> list[VerifiedHandover]:
    """A chain with nothing wrong."""
    found: list[VerifiedHandover] = []
    for giver, taker in itertools.pairwise(people(exchange.world)):
        found.append(taken(exchange, giver, taker, found[-1] if found else None))
    return found


def judged(
    exchange: Exchange,
    handovers: Iterable[VerifiedHandover],
    legs: Sequence[Leg] | None = LEGS,
    notices: Sequence[VerifiedNotice] = (),
    at: int | None = None,
) -> Custody:
    signed = exchange.world.authenticate(exchange.sealed.container).signed
    return custody(signed, handovers, legs, Notices(notices), at=at)


def problems(found: Custody) -> list[tuple[Problem, int]]:
    assert (found.state is CustodyState.WRONG) == bool(found.findings)
    return [(one.problem, one.leg) for one in found.findings]


# -- good ----------------------------------------------------------------------------------------------------------------


def test_whole_chain_in_whatever_order_it_comes(exchange: Exchange) -> None:
    chain = whole(exchange)
    for given in itertools.permutations([*chain, chain[0]]):
        found = judged(exchange, given)
        assert (found.state, found.findings, found.chain, found.apart) == (CustodyState.COMPLETE, (), tuple(chain), ())
        assert found.holder == chain[-1].taker


def test_under_way(exchange: Exchange) -> None:
    one, two, _ = whole(exchange)
    for given in ((one,), (one, two)):
        found = judged(exchange, given)
        assert (found.state, found.findings, found.holder) == (CustodyState.UNDER_WAY, (), given[-1].taker)
    nothing = judged(exchange, [])
    assert (nothing.state, nothing.holder, nothing.legs) == (CustodyState.NONE, None, LEGS)


def test_exit_codes() -> None:
    assert {state: state.exit_code for state in CustodyState} == {"none": 8, "under-way": 8, "late": 8, "complete": 0, "wrong": 6}


def test_who_does_not_know_the_legs(closed_letter: Exchange) -> None:
    """Under a closed stamp: it has arrived when the destination has it, and which legs were planned is not compared."""
    chain = whole(closed_letter)
    found = judged(closed_letter, chain, None)
    assert (found.state, found.legs) == (CustodyState.COMPLETE, None)
    assert judged(closed_letter, chain[:2], None).state is CustodyState.UNDER_WAY
    late = taken(closed_letter, people(closed_letter.world)[1], closed_letter.world.destination["clerk"], chain[0], leg=9)
    assert problems(judged(closed_letter, [chain[0], late], None)) == [(Problem.MISSING, leg) for leg in range(1, 9)]


def test_an_open_stamp_s_legs_are_taken_from_there(letter: Exchange) -> None:
    assert judged(letter, whole(letter), None).legs == LEGS
    assert judged(letter, whole(letter), [Leg("a", "b")]).legs == LEGS


def test_clocks_of_two_bodies_may_differ_by_the_skew(exchange: Exchange) -> None:
    chief, clerk, banker, last = people(exchange.world)
    one = taken(exchange, chief, clerk)
    skew = exchange.world.profile.skew
    two = taken(exchange, clerk, banker, one, taken_at=one.said.taken_at - skew)
    assert judged(exchange, [one, two]).findings == ()
    same = taken(exchange, banker, exchange.world.origin["teller"], two, taken_at=two.said.taken_at - 1)
    assert problems(judged(exchange, [one, two, same])) == [(Problem.TAKER, 2), (Problem.TIME, 2)]
    far = taken(exchange, banker, last, two, taken_at=two.said.taken_at - skew - 1)
    assert problems(judged(exchange, [one, two, far])) == [(Problem.TIME, 2)]


# -- wrong ---------------------------------------------------------------------------------------------------------------


def test_one_kept_back(exchange: Exchange) -> None:
    """In the middle, or the first: what follows it hangs on nothing, and its leg is missing."""
    one, two, three = whole(exchange)
    assert problems(judged(exchange, [one, three])) == [(Problem.CHAIN, 2), (Problem.MISSING, 1)]
    found = judged(exchange, [two, three])
    assert problems(found) == [(Problem.CHAIN, 1), (Problem.CHAIN, 2), (Problem.MISSING, 0)]
    assert (found.chain, found.apart, found.holder) == ((), (two, three), None)


def test_leg_for_which_nobody_signed(exchange: Exchange) -> None:
    """The chain is whole, and jumps."""
    chief, clerk, _, last = people(exchange.world)
    one = taken(exchange, chief, clerk)
    two = taken(exchange, clerk, last, one, leg=2)
    found = judged(exchange, [one, two])
    assert problems(found) == [(Problem.MISSING, 1)]
    assert "Москва" in found.findings[0].text


def test_two_chains_from_one_place(exchange: Exchange) -> None:
    """A courier hands the same envelope over twice, or signs anew: neither is believed, however much hangs on one, and the one before is the last."""
    chain = whole(exchange)
    _, clerk, banker, _ = people(exchange.world)
    fork = taken(exchange, clerk, banker, chain[0], remark="again")
    found = judged(exchange, [fork, *chain])
    assert (found.chain, {one.digest for one in found.apart}) == ((chain[0],), {fork.digest, chain[1].digest, chain[2].digest})
    assert found.holder == chain[0].taker
    assert sorted(problems(found)) == [(Problem.CHAIN, 2), (Problem.DOUBLE, 1), (Problem.FORKED, 1), (Problem.FORKED, 1)]
    at_first = judged(exchange, [*chain, taken(exchange, *pair(exchange.world), remark="again")])
    assert (at_first.chain, at_first.holder, len(at_first.apart)) == ((), None, 4)
    assert sorted(problems(at_first)) == [(Problem.CHAIN, 1), (Problem.CHAIN, 2), (Problem.DOUBLE, 0), (Problem.FORKED, 0), (Problem.FORKED, 0)]


def test_longer_chain_of_a_stolen_key_takes_nobody_s_place(exchange: Exchange) -> None:
    """A body of either party that has no part in it hooks a chain of its own on the dispatch: the chain is forked, and not the thief's."""
    world, chain = exchange.world, whole(exchange)
    thief = world.destination["banker"]
    own = [taken(exchange, world.origin["chief"], thief, remark="mine")]
    for _ in range(4):
        own.append(taken(exchange, thief, thief, own[-1], taken_at=own[-1].said.taken_at))
    found = judged(exchange, [*own, *chain])
    assert (found.chain, found.state) == ((), CustodyState.WRONG)
    assert {one.handover for one in found.findings if one.problem is Problem.FORKED} == {own[0].digest, chain[0].digest}


def test_courier_who_signs_another_afterwards(exchange: Exchange) -> None:
    """Found broken later, or lost: one for the same leg, with the same previous, an earlier time and a broken seal."""
    chief, clerk, banker, _ = people(exchange.world)
    one = taken(exchange, chief, clerk)
    two = taken(exchange, clerk, banker, one)
    again = taken(exchange, clerk, banker, one, taken_at=two.said.taken_at - HOUR // 2, intact=False, remark="cut open")
    found = judged(exchange, [one, two, again])
    assert (found.state, found.chain) == (CustodyState.WRONG, (one,))
    assert problems(found).count((Problem.FORKED, 1)) == 2


def test_leg_that_is_taken_twice_in_one_chain(exchange: Exchange) -> None:
    chief, clerk, banker, _ = people(exchange.world)
    one = taken(exchange, chief, clerk)
    two = taken(exchange, clerk, banker, one, leg=0, taken_at=SEALED + 2 * HOUR)
    assert problems(judged(exchange, [one, two])) == [(Problem.DOUBLE, 0)]


def test_legs_out_of_order(exchange: Exchange) -> None:
    chief, clerk, banker, _ = people(exchange.world)
    one = taken(exchange, chief, clerk, leg=1)
    two = taken(exchange, clerk, banker, one, leg=0, taken_at=SEALED + 3 * HOUR)
    assert problems(judged(exchange, [one, two])) == [(Problem.ORDER, 0)]


def test_leg_that_there_is_not(exchange: Exchange) -> None:
    chain = whole(exchange)
    over = taken(exchange, people(exchange.world)[3], exchange.world.destination["chief"], chain[-1])
    assert problems(judged(exchange, [*chain, over])) == [(Problem.BEYOND, 3)]


def test_another_place(letter: Exchange) -> None:
    one = taken(letter, *pair(letter.world), place="Москва")
    found = judged(letter, [one])
    assert problems(found) == [(Problem.PLACE, 0)]
    assert found.findings[0].text == "leg 1, 'Астана' to 'Москва': it was taken over at 'Москва', and 'Астана' was planned"


def test_giver_who_had_not_taken_it(exchange: Exchange) -> None:
    """Another officer; the same name without a credential; a namesake of another body; at first, a body that is not the origin."""
    world = exchange.world
    chief, clerk, banker, last = people(world)
    one = taken(exchange, chief, clerk)
    for giver in (chief, world.destination["clerk"]):
        assert problems(judged(exchange, [one, taken(exchange, giver, banker, one)])) == [(Problem.GIVER, 1)]
    unnamed = taken(exchange, clerk, banker, one, giver=Giver(name=clerk.name, body=clerk.body, credential=None))
    assert problems(judged(exchange, [one, unnamed])) == [(Problem.GIVER, 1)]
    assert problems(judged(exchange, [taken(exchange, last, clerk)])) == [(Problem.GIVER, 0)]
    assert problems(judged(exchange, [taken(exchange, banker, clerk)])) == [(Problem.GIVER, 0)]


def test_giver_with_another_credential_of_his(exchange: Exchange) -> None:
    """A renewed one, or one for another purpose: the person counts."""
    chief, clerk, banker, _ = people(exchange.world)
    one = taken(exchange, chief, clerk)
    two = taken(exchange, clerk, banker, one, giver=Giver(name="clerk", body=clerk.body, credential=clerk.open.digest))
    assert judged(exchange, [one, two]).findings == ()


def test_first_giver_without_a_credential(exchange: Exchange) -> None:
    chief, clerk, *_ = people(exchange.world)
    one = taken(exchange, chief, clerk, giver=Giver(name="duty officer", body=chief.body, credential=None))
    assert judged(exchange, [one]).findings == ()


def test_wrong_hands_at_the_end(exchange: Exchange) -> None:
    """Another body of the destination's party, too."""
    chain = whole(exchange)[:2]
    for taker in (exchange.world.destination["banker"], exchange.world.origin["clerk"]):
        end = taken(exchange, people(exchange.world)[2], taker, chain[-1])
        assert problems(judged(exchange, [*chain, end])) == [(Problem.TAKER, 2)]


def test_broken_seal_and_damage(exchange: Exchange) -> None:
    chief, clerk, banker, last = people(exchange.world)
    one = taken(exchange, chief, clerk)
    two = taken(exchange, clerk, banker, one, intact=False, condition="damaged", remark="cut open")
    three = taken(exchange, banker, last, two)
    found = judged(exchange, [one, two, three])
    assert problems(found) == [(Problem.SEAL, 1), (Problem.DAMAGED, 1)]
    assert [one.text for one in found.findings] == [
        "leg 2, 'Москва' to 'Минск': the seal was not intact: cut open",
        "leg 2, 'Москва' to 'Минск': it was damaged: cut open",
    ]


def test_chain_of_a_dispatch_s_digest_only(exchange: Exchange) -> None:
    """A hand-over that names itself first and hangs on something else stands apart."""
    one = taken(exchange, *pair(exchange.world), previous=bytes(32))
    found = judged(exchange, [one])
    assert (problems(found), found.chain) == ([(Problem.CHAIN, 0)], ())


def test_longest_chain_of_hundreds(letter: Exchange) -> None:
    """Made by who has one key: judged without recursion, and told whole."""
    chief, clerk, *_ = people(letter.world)
    one = taken(letter, chief, clerk)
    chain = [one]
    for number in range(1, 1200):
        fake = replace(one.said, previous=chain[-1].digest)
        chain.append(replace(one, digest=number.to_bytes(32, "big"), said=fake))
    found = judged(letter, reversed(chain))
    assert (found.chain, found.state) == (tuple(chain), CustodyState.WRONG)


# -- deviations ----------------------------------------------------------------------------------------------------------


def told(exchange: Exchange, after: VerifiedNotice | None = None, **changes: Any) -> VerifiedNotice:
    world = exchange.world
    number, previous = (1, None) if after is None else (after.said.number + 1, after.digest)
    said = world.notice(exchange.sealed, **{"number": number, "previous": previous, **changes})
    return read_notice(world.told(said), trust=world.trust, agreements=world.agreements, at=OPENED)


def test_way_that_a_notice_tells_is_the_one_that_counts(letter: Exchange) -> None:
    longer = (Leg("Астана", "Орша"), Leg("Орша", "Москва"), Leg("Москва", "Минск"))
    way = Way.of_route(letter.world.route())
    one = told(letter)
    two = told(letter, one, way=replace(way, legs=longer), deviation="flood")
    chief, clerk, banker, last = people(letter.world)
    chain = [taken(letter, chief, clerk)]
    chain.append(taken(letter, clerk, banker, chain[-1], place="Орша"))
    chain.append(taken(letter, banker, clerk, chain[-1], place="Москва"))
    chain.append(taken(letter, clerk, last, chain[-1], place="Минск"))
    found = judged(letter, chain, notices=[two, one])
    assert (found.state, found.legs) == (CustodyState.COMPLETE, longer)
    assert [(one.number, one.notice, one.reason) for one in found.deviations] == [(2, two.digest, "flood")]
    as_planned = judged(letter, chain, notices=[one])
    assert (as_planned.legs, as_planned.deviations) == (LEGS, ())
    assert Problem.PLACE in dict(problems(as_planned))
    back = told(letter, two)
    again = judged(letter, chain, notices=[one, two, back])
    assert (again.legs, len(again.deviations), again.state) == (LEGS, 1, CustodyState.WRONG)


def test_late_from_the_time_on_at_which_the_notice_that_counts_expected_it(letter: Exchange) -> None:
    """Who carries it signs nothing more: from then on that is told, and by whom it was last seen. Nothing else is late."""
    chain, skew = whole(letter), letter.world.profile.skew
    one = told(letter)
    expected = one.said.expected_at
    for at, state in ((expected + skew, CustodyState.UNDER_WAY), (expected + skew + 1, CustodyState.LATE)):
        found = judged(letter, chain[:2], notices=[one], at=at)
        assert (found.state, found.expected_at, found.holder) == (state, expected, chain[1].taker)
    later = told(letter, one, expected_at=expected + skew)
    unconnected = told(letter, later, number=9, expected_at=expected)
    assert judged(letter, chain[:2], notices=[one, later, unconnected], at=expected + skew + 1).state is CustodyState.UNDER_WAY
    assert judged(letter, chain[:2], notices=[one, later], at=expected + 2 * skew + 1).state is CustodyState.LATE
    never = 1 << 40
    assert judged(letter, chain, notices=[one], at=never).state is CustodyState.COMPLETE
    assert judged(letter, [], notices=[one], at=never).state is CustodyState.NONE
    assert judged(letter, chain[:1], at=never).state is CustodyState.UNDER_WAY, "nobody said when it is expected"
    assert judged(letter, chain[1:], notices=[one], at=never).state is CustodyState.WRONG


def test_number_on_the_package(letter: Exchange) -> None:
    """What a courier sees of an envelope: that of the stamp, or of a notice that counts, or did."""
    world = letter.world
    chief, clerk, banker, last = people(world)
    chain = [taken(letter, chief, clerk)]
    chain.append(taken(letter, clerk, banker, chain[-1], package="anew"))
    found = judged(letter, chain)
    assert problems(found) == [(Problem.PACKAGE, 1)]
    assert found.findings[0].text == "leg 2, 'Москва' to 'Минск': the package had the number 'anew', and neither stamp nor notice says so"
    one = told(letter)
    two = told(letter, one, package="anew", deviation="packed anew")
    three = told(letter, two)
    for notices in ([one, two], [one, two, three]):
        assert judged(letter, chain, notices=notices).findings == ()
    loose = told(letter, one, number=7, package="anew", deviation="packed anew")
    assert problems(judged(letter, chain, notices=[one, loose])) == [(Problem.PACKAGE, 1)]
    back = taken(letter, banker, last, chain[-1])
    assert judged(letter, [*chain, back], notices=[one, two]).state is CustodyState.COMPLETE
