"""Evidence in worlds of the tests: a closed stamp and another confirming body, keys that were stolen later, and what is told of the way."""

from __future__ import annotations

import io
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.support.world import (
    ACKNOWLEDGED,
    COUNTERSIGNED,
    DAY,
    DUE,
    HOUR,
    SEALED,
    Exchange,
    Registrar,
    World,
    acknowledged,
    countersigned,
    kz_by_world,
    make_exchange,
    say,
    three_four_world,
)

from valiza.envelope.custody import CustodyState
from valiza.envelope.receipt import Verdict
from valiza.keys import labels
from valiza.keys.errors import Incomplete, Malformed, NotAuthentic, Refused, Usage
from valiza.keys.fields import utc
from valiza.keys.statement import read_statement
from valiza.register.bundle import ANSWER, DISPATCH, RECEIPT, Bundle, LoggedEntry, LogPart, pack_bundle, read_bundle_file
from valiza.register.entry import Entry
from valiza.register.evidence import VerifiedBundle, release_carriers, verify_bundle
from valiza.register.findings import Findings, findings
from valiza.register.merkle import Frontier, inclusion_proof, leaf_hash
from valiza.register.note import Checkpoint, cosign, log_origin, sign_checkpoint
from valiza.register.proof import Proof

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from valiza.envelope.dispatch import EnvelopeName
    from valiza.keys.fields import Body
    from valiza.register.merkle import Position

SIGNED = COUNTERSIGNED + HOUR
COSIGNED = SIGNED + HOUR


@pytest.fixture(scope="module")
def kz_by(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    """An exchange under an open stamp, which the destination confirms."""
    exchange = make_exchange(kz_by_world(), tmp_path_factory.mktemp("kz-by"))
    yield exchange
    exchange.close()


@pytest.fixture(scope="module")
def three_four(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    """An exchange under a closed stamp, which another body confirms."""
    exchange = make_exchange(three_four_world(), tmp_path_factory.mktemp("three-four"))
    yield exchange
    exchange.close()


@dataclass(frozen=True)
class Log:
    """A log of a body with entries about an envelope, signed and cosigned as asked for."""

    body: Body
    registrar: Registrar
    said: Sequence[tuple[str, bytes]] = field(repr=False)
    cosigner: Registrar | None = None
    direction: str = ""
    at: int = SIGNED
    notes: Mapping[str, str] = field(default_factory=dict)
    entered_at: Mapping[str, int] = field(default_factory=dict)

    def part(self, name: EnvelopeName) -> LogPart:
        """What a bundle has of it."""
        named: dict[str, Any] = {"origin": name.origin, "envelope_id": name.envelope_id, "agreement": name.agreement}
        direction = self.direction or ("out" if self.body == name.origin else "in")
        judged = "delivered" if self.body == name.origin else "countersigned"
        notes = {"sealed": str(DUE), "answered": "acknowledged", "receipt": judged, **self.notes}
        leaves = [
            Entry(
                at=self.entered_at.get(kind, SEALED),
                kind=kind,
                direction=direction,
                note=notes.get(kind, ""),
                statement=said,
                blind=bytes(16),
                dispatch_digest=name.dispatch_digest,
                **named,
            ).leaf()
            for kind, said in self.said
        ]
        frontier = Frontier()
        known: dict[Position, bytes] = {}
        for place, leaf in enumerate(leaves):
            known[0, place] = leaf_hash(leaf)
            known.update(frontier.append(known[0, place]))
        signed = sign_checkpoint(Checkpoint(log_origin(self.body, name.agreement), len(leaves), frontier.root()), self.registrar.key, self.at)
        note = signed.raw if self.cosigner is None else cosign(signed, self.cosigner.body, self.cosigner.key, COSIGNED)
        standing = "signed" if self.cosigner is None else "cosigned"
        entries = [
            LoggedEntry(
                leaf=leaf,
                standing=standing,
                proof=Proof(place, tuple(inclusion_proof(place, len(leaves), lambda wanted: [known[one] for one in wanted])), note).format(),
            )
            for place, leaf in enumerate(leaves)
        ]
        return LogPart(body=self.body, entries=tuple(entries))


def origin_log(exchange: Exchange, *more: tuple[str, bytes], **changes: Any) -> Log:
    """What the origin entered: the sealing, the receipt, and more."""
    world = exchange.world
    said = [("sealed", exchange.expectation.dispatch), *more, ("receipt", exchange.receipt.raw)]
    given = {"body": world.origin.ministry, "registrar": world.origin.registrar, "said": said, "cosigner": world.destination.registrar}
    return Log(**{**given, **changes})


def bundle_of(exchange: Exchange, *logs: Log, world: World | None = None, **changes: Any) -> Bundle:
    """A bundle about the receipt of an exchange."""
    world = world or exchange.world
    parties = sorted((world.origin.party, world.destination.party))
    given: dict[str, Any] = {
        "kind": RECEIPT,
        "made_at": COSIGNED,
        "statement": exchange.receipt.raw,
        "core": None,
        "rosters": tuple(world.trust.rosters[party].raw for party in parties),
        "agreements": (world.agreement.raw,),
        "logs": tuple(sorted((log.part(exchange.sealed.name) for log in logs), key=lambda part: part.body)),
    }
    return Bundle(**{**given, **changes})


def verified(exchange: Exchange, bundle: Bundle, *rosters: bytes) -> tuple[VerifiedBundle, Findings]:
    """What comes of a bundle, for a reader with these rosters of the parties."""
    world = exchange.world
    roots = [side.root.digest for side in (world.origin, world.destination)]
    found = verify_bundle(read_bundle_file(io.BytesIO(pack_bundle(bundle))), roots, rosters)
    return found, findings(found, release_carriers(found, None))


# -- another confirming body ---------------------------------------------------------------------------------------------


def test_every_body_has_its_own_log(three_four: Exchange) -> None:
    world, dispatch = three_four.world, three_four.expectation.dispatch
    answered = [("arrived", dispatch), ("answered", three_four.acknowledgement.raw)]
    destination = Log(world.destination.ministry, world.destination.registrar, answered, world.origin.registrar)
    confirming = Log(
        world.confirming, world.destination.registrars[world.confirming.id], [*answered, ("receipt", three_four.receipt.raw)], world.origin.registrar
    )
    found, said = verified(three_four, bundle_of(three_four, origin_log(three_four), destination, confirming))
    assert found.verdict is Verdict.ATTESTED
    assert len({fact.body for fact in found.logged}) == 3
    assert not any(line.startswith("what stands in the log") for line in said.not_proved)
    assert any(f"countersigned that answer for {world.confirming}" in line for line in said.proved)
    short = Log(confirming.body, confirming.registrar, answered, world.origin.registrar)
    with pytest.raises(Incomplete, match=f"the log of {world.confirming}: .*: the entry 'receipt' is missing"):
        verified(three_four, bundle_of(three_four, short))


def test_an_answer_alone_is_no_receipt(three_four: Exchange) -> None:
    world = three_four.world
    answered = [("arrived", three_four.expectation.dispatch), ("answered", three_four.acknowledgement.raw)]
    log = Log(world.destination.ministry, world.destination.registrar, answered, world.origin.registrar)
    found, said = verified(three_four, bundle_of(three_four, log, kind=ANSWER, statement=three_four.acknowledgement.raw))
    assert found.verdict is Verdict.ACKNOWLEDGED
    assert any("it is not countersigned, and no receipt" in line for line in said.not_proved)


# -- what nobody but the body itself can say --------------------------------------------------------------------------------


def only_entered(bundle: Bundle) -> Bundle:
    """The same with entries that no head covers: as anybody can make them up."""
    logs = tuple(replace(part, entries=tuple(replace(one, standing="entered", proof=b"") for one in part.entries)) for part in bundle.logs)
    return replace(bundle, logs=logs)


def unanswered(exchange: Exchange, *logs: Log, **changes: Any) -> Bundle:
    """A bundle about a dispatch that nobody answered."""
    sealed, core = exchange.expectation.dispatch, exchange.expectation.core
    return bundle_of(exchange, *logs, kind=DISPATCH, statement=sealed, core=core, **changes)


def test_withdrawn_is_what_the_origin_signed_and_nothing_less(kz_by: Exchange) -> None:
    """Or the destination would say so of an envelope that it does not want to have got."""
    world, sealed = kz_by.world, ("sealed", kz_by.expectation.dispatch)
    for cosigner in (world.destination.registrar, None):
        log = origin_log(kz_by, said=[sealed, ("withdrawn", b"")], cosigner=cosigner)
        assert verified(kz_by, unanswered(kz_by, log))[0].verdict is Verdict.WITHDRAWN
        found, said = verified(kz_by, only_entered(unanswered(kz_by, log)))
        assert found.verdict is Verdict.OUTSTANDING
        words = "that KZ/KZ-MFA ever entered the sealing and that it was never sent: no signed head of its log covers that"
        assert any(line.startswith(words) for line in said.not_proved)
    stolen = world.revoking(world.origin, world.origin.revoke(world.origin.registrar.credential, "compromised", SIGNED - DAY))
    log = origin_log(kz_by, said=[sealed, ("withdrawn", b"")], cosigner=None)
    assert verified(kz_by, unanswered(kz_by, log, world=stolen))[0].verdict is Verdict.OUTSTANDING


@pytest.mark.parametrize("kind", ["sealed", "withdrawn", "overdue", "arrived", "opened", "answered"])
@pytest.mark.parametrize("standing", ["cosigned", "entered"])
def test_no_body_tells_of_the_deeds_of_another(kind: str, standing: str, kz_by: Exchange) -> None:
    world, dispatch = kz_by.world, kz_by.expectation.dispatch
    own = kind in {"arrived", "opened", "answered"}
    statement = {"withdrawn": b"", "opened": b"", "answered": kz_by.acknowledgement.raw}.get(kind, dispatch)
    said = [("sealed" if own else "arrived", dispatch), (kind, statement)]
    side, other = (world.origin, world.destination) if own else (world.destination, world.origin)
    bundle = unanswered(kz_by, Log(side.ministry, side.registrar, said, other.registrar))
    with pytest.raises(Malformed, match=f"an entry {kind!r} is not one that {side.ministry} makes of this envelope"):
        verified(kz_by, only_entered(bundle) if standing == "entered" else bundle)


def test_the_direction_is_that_of_the_body(kz_by: Exchange) -> None:
    with pytest.raises(Malformed, match="the entry 'sealed' has the direction 'in', and the envelope goes from KZ/KZ-MFA to BY/BY-MFA"):
        verified(kz_by, bundle_of(kz_by, origin_log(kz_by, direction="in")))


def test_a_fingerprint_of_an_earlier_root_is_told(kz_by: Exchange) -> None:
    """Who held an earlier root can make a roster that ends with it, or one of his own that goes on from it."""
    found, said = verified(kz_by, bundle_of(kz_by, origin_log(kz_by)))
    words = "that the last root in the roster of KZ is its root: that is version 1, whose fingerprint was not given"
    assert not any(line.startswith("that the last root") for line in said.not_proved)
    earlier = replace(found, pinned=(kz_by.world.destination.root.digest, bytes(32)))
    assert [line.startswith(words) for line in findings(earlier, ()).not_proved].count(True) == 1


# -- what cannot be in one log ---------------------------------------------------------------------------------------------


def mixed(exchange: Exchange, *taken: tuple[Log, int]) -> Bundle:
    """A bundle whose origin's part has single entries of several trees."""
    name = exchange.sealed.name
    entries = tuple(log.part(name).entries[place] for log, place in taken)
    return replace(bundle_of(exchange), logs=(LogPart(body=name.origin, entries=entries),))


@pytest.mark.parametrize("cosigned", [True, False])
def test_two_trees_of_one_log_prove_something_against_it(cosigned: bool, kz_by: Exchange) -> None:  # noqa: FBT001 - a parameter of the test
    """A body shows one tree to the other side and another one to the arbiter."""
    sealed, receipt = ("sealed", kz_by.expectation.dispatch), ("receipt", kz_by.receipt.raw)
    cosigner = kz_by.world.destination.registrar if cosigned else None

    def log(*said: tuple[str, bytes], at: int = SIGNED) -> Log:
        return origin_log(kz_by, said=said, at=at, cosigner=cosigner)

    whole = log(sealed, receipt)
    assert verified(kz_by, mixed(kz_by, (log(sealed), 0), (whole, 1)))[0].verdict is Verdict.ATTESTED
    for taken, words in (
        ([(log(sealed, sealed), 0), (whole, 1)], "of 2 and 2 entries, contradict each other: split-view"),
        ([(log(sealed, at=SIGNED + 1), 0), (whole, 1)], "of 1 and 2 entries, contradict each other: rollback"),
        ([(log(sealed), 0), (log(receipt, sealed), 0)], "two entries, 'receipt' and 'sealed', are proved at one place"),
        ([(log(receipt, sealed), 0), (log(receipt, sealed), 1)], "the entry 'receipt' may not follow on those before it"),
        ([(log(sealed, receipt, receipt), place) for place in range(3)], "it has two entries 'receipt' of one envelope"),
    ):
        with pytest.raises(NotAuthentic, match=f"the log of KZ/KZ-MFA: .*{words}"):
            verified(kz_by, mixed(kz_by, *taken))


def test_an_entry_without_a_place_may_be_anywhere(kz_by: Exchange) -> None:
    bundle = bundle_of(kz_by, origin_log(kz_by))
    (part,) = bundle.logs
    weaker = replace(part, entries=(replace(part.entries[0], standing="entered", proof=b""), part.entries[1]))
    assert verified(kz_by, replace(bundle, logs=(weaker,)))[0].verdict is Verdict.ATTESTED


# -- what competes ---------------------------------------------------------------------------------------------------------


def _destination_log(exchange: Exchange, *said: tuple[str, bytes]) -> Log:
    world = exchange.world
    return Log(world.destination.ministry, world.destination.registrar, [("arrived", exchange.expectation.dispatch), *said], world.origin.registrar)


def test_a_genuine_receipt_or_answer_is_not_passed_off_as_a_conflict(kz_by: Exchange) -> None:
    answer, receipt = kz_by.acknowledgement.raw, kz_by.receipt.raw
    for said in (answer, receipt):
        bundle = unanswered(kz_by, _destination_log(kz_by, ("conflict", said)), further=(said,))
        with pytest.raises(Malformed, match="the bundle is about the furthest statement that it has, which is this"):
            verified(kz_by, bundle)
    log = _destination_log(kz_by, ("answered", answer), ("conflict", receipt))
    with pytest.raises(Malformed, match=r"it contradicts nothing: .* which is this receipt"):
        verified(kz_by, bundle_of(kz_by, log, kind=ANSWER, statement=answer, further=(receipt,)))


def test_another_answer_or_its_receipt_is_a_conflict(kz_by: Exchange) -> None:
    world, answer = kz_by.world, kz_by.acknowledgement.raw
    other = acknowledged(kz_by.opening, world.destination["chief"], answered_at=ACKNOWLEDGED + 1)
    for said in (other, countersigned(other, world.countersigner)):
        log = _destination_log(kz_by, ("answered", answer), ("conflict", said))
        found, _ = verified(kz_by, bundle_of(kz_by, log, kind=ANSWER, statement=answer, further=(said,)))
        assert found.verdict is Verdict.CONFLICT
        found, _ = verified(kz_by, bundle_of(kz_by, origin_log(kz_by, ("conflict", said)), further=(said,)))
        assert found.verdict is Verdict.CONFLICT


def test_a_dispatch_of_another_envelope_is_no_conflict(kz_by: Exchange) -> None:
    """Without its core nothing shows of which envelope it is: any other one of the sealer's would do."""
    other = kz_by.world.plan().seal().expectation.dispatch
    log = origin_log(kz_by, ("conflict", other))
    found, said = verified(kz_by, bundle_of(kz_by, log, further=(other,)))
    assert found.verdict is Verdict.ATTESTED
    assert any("signed another dispatch: it counts for nothing" in line for line in said.not_proved)
    assert not any("signed another dispatch" in line for line in said.proved)


def _sealed_again(exchange: Exchange, **changes: Any) -> tuple[bytes, bytes]:
    """Dispatch and core of another envelope with the same id and origin."""

    def core(items: list[Any]) -> list[Any]:
        return [changes.get("envelope_id", exchange.sealed.name.envelope_id), *items[1:-1], {"~": "again"}]

    made = exchange.world.plan().seal(core=core).expectation
    return made.dispatch, made.core


def test_another_dispatch_with_its_core_is_a_conflict(kz_by: Exchange) -> None:
    """And without it nothing; with the core of the envelope itself, it needs no other."""
    other, core = _sealed_again(kz_by)
    log = origin_log(kz_by, ("conflict", other))
    found, said = verified(kz_by, bundle_of(kz_by, log, further=(other,), cores=(core,)))
    assert found.verdict is Verdict.CONFLICT
    assert any("signed another dispatch of the same envelope, at " in line for line in said.proved)
    found, _ = verified(kz_by, bundle_of(kz_by, log, further=(other,)))
    assert found.verdict is Verdict.ATTESTED
    body = read_statement(kz_by.expectation.dispatch, labels.DISPATCH).body
    again = say(labels.DISPATCH, body, kz_by.world.origin["chief"])
    assert again != kz_by.expectation.dispatch
    found, _ = verified(kz_by, bundle_of(kz_by, origin_log(kz_by, ("conflict", again)), further=(again,)))
    assert found.verdict is Verdict.CONFLICT


def test_core_of_another_envelope_or_of_none_is_found(kz_by: Exchange) -> None:
    other, core = _sealed_again(kz_by, envelope_id=bytes(32))
    log = origin_log(kz_by, ("conflict", other))
    with pytest.raises(NotAuthentic, match="another dispatch: it is about another envelope"):
        verified(kz_by, bundle_of(kz_by, log, further=(other,), cores=(core,)))
    _, wrong = _sealed_again(kz_by)
    for given, further in (((wrong,), (other,)), ((core,), ())):
        told = log if further else origin_log(kz_by)
        with pytest.raises(Malformed, match="the evidence bundle has a core of no dispatch in it"):
            verified(kz_by, bundle_of(kz_by, told, further=further, cores=given))
    with pytest.raises(Malformed, match="cores is not in strictly ascending order"):
        verified(kz_by, bundle_of(kz_by, log, further=(other,), cores=(core, core)))


def test_another_dispatch_whose_key_was_stolen_is_no_conflict(kz_by: Exchange) -> None:
    world = kz_by.world
    other, core = _sealed_again(kz_by)
    stolen = world.origin.revoke(world.origin["chief"].credentials["seal"], "compromised", COSIGNED)
    bundle = bundle_of(kz_by, origin_log(kz_by, ("conflict", other)), further=(other,), cores=(core,), world=world.revoking(world.origin, stolen))
    found, said = verified(kz_by, bundle)
    assert found.verdict is Verdict.ATTESTED
    assert any("signed another dispatch: it counts for nothing, " in line and "was compromised" in line for line in said.not_proved)


def test_a_further_statement_whose_key_was_stolen_counts_for_nothing_and_leaves_the_rest(kz_by: Exchange) -> None:
    """Or whoever revokes a key for transports would undo the bundles of the other side."""
    world = kz_by.world
    more = _on_the_way(kz_by)
    further = tuple(sorted(raw for _, raw in more))
    credential = world.origin["clerk"].credentials["transport"]
    for at, count, cosigner in (
        (COSIGNED, 2, world.destination.registrar),
        (COSIGNED + 1, 0, world.destination.registrar),  # both registers had them before
        (COSIGNED + 1, 2, None),
    ):
        known = world.revoking(world.origin, world.origin.revoke(credential, "compromised", at))
        found, said = verified(kz_by, bundle_of(kz_by, origin_log(kz_by, *more, cosigner=cosigner), further=further, world=known))
        assert found.verdict is Verdict.ATTESTED
        assert sum("it counts for nothing, " in line and "was compromised" in line for line in said.not_proved) == count
        assert sum(" told " in line or " took the envelope " in line for line in said.proved) == 2 - count


@pytest.mark.parametrize(("kind", "note"), [("sealed", str(DUE + DAY)), ("receipt", "refused"), ("receipt", "countersigned"), ("receipt", "")])
def test_what_an_entry_remarks_is_what_its_statement_says(kind: str, note: str, kz_by: Exchange) -> None:
    with pytest.raises(NotAuthentic, match=f"the entry '{kind}' in the log of KZ/KZ-MFA says '{note}', and what it is about says"):
        verified(kz_by, bundle_of(kz_by, origin_log(kz_by, notes={kind: note})))


def test_an_acknowledgement_is_not_entered_as_a_refusal(kz_by: Exchange) -> None:
    log = replace(_destination_log(kz_by, ("answered", kz_by.acknowledgement.raw)), notes={"answered": "refused"})
    with pytest.raises(NotAuthentic, match="says 'refused', and what it is about says 'acknowledged'"):
        verified(kz_by, bundle_of(kz_by, log, kind=ANSWER, statement=kz_by.acknowledgement.raw))


def test_agreements_that_have_nothing_to_do_with_it_are_not_in_it(kz_by: Exchange) -> None:
    world = kz_by.world
    other = world.sign(replace(world.profile, id="another"))
    agreements = tuple(sorted((world.agreement.raw, other.raw)))
    with pytest.raises(Malformed, match="it is neither the one that the envelope names, nor its next version, nor what ended it"):
        verified(kz_by, bundle_of(kz_by, origin_log(kz_by), agreements=agreements))


# -- who signs and cosigns -----------------------------------------------------------------------------------------------


def test_only_the_other_party_cosigns(kz_by: Exchange) -> None:
    world = kz_by.world
    for stranger in (world.origin.registrars[world.origin.control.id], world.third.registrar):
        with pytest.raises(Incomplete, match="the cosignature of BY on the checkpoint of the entry 'sealed' is missing"):
            verified(kz_by, bundle_of(kz_by, origin_log(kz_by, cosigner=stranger)))
    _, said = verified(kz_by, bundle_of(kz_by, origin_log(kz_by, cosigner=world.destination.registrars[world.destination.control.id])))
    assert any(f"; {world.destination.control} cosigned that" in line for line in said.proved)


def test_only_the_body_itself_signs_its_log(kz_by: Exchange) -> None:
    world = kz_by.world
    for other in (world.origin.registrars[world.origin.control.id], world.destination.registrar):
        with pytest.raises(NotAuthentic, match="the log of KZ/KZ-MFA: a checkpoint is not signed by a known key"):
            verified(kz_by, bundle_of(kz_by, origin_log(kz_by, registrar=other)))


def test_a_register_whose_key_was_stolen_before_proves_nothing_and_takes_nothing_away(kz_by: Exchange) -> None:
    """Or either party could undo a receipt by calling a key stolen that has nothing to do with it."""
    world = kz_by.world
    for side, name, act in ((world.origin, "KZ", "signing"), (world.destination, "BY", "cosigning")):
        known = world.revoking(side, side.revoke(side.registrar.credential, "compromised", SIGNED - DAY))
        found, said = verified(kz_by, bundle_of(kz_by, origin_log(kz_by), world=known))
        assert found.verdict is Verdict.ATTESTED
        assert all(fact.vouched_at is None for fact in found.logged)
        told = next(
            line for line in said.not_proved if line.startswith("that KZ/KZ-MFA could not take back its entry of the sealing and the receipt: ")
        )
        assert f"({name}/{name}-MFA) was compromised" in told
        assert f"it does not count for {act} a checkpoint" in told


# -- keys that were stolen later -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("officer", ["sealer", "acknowledger", "countersigner"])
def test_what_both_registers_had_before_a_key_was_stolen_stands(officer: str, kz_by: Exchange) -> None:
    world = kz_by.world
    side, credential = {
        "sealer": (world.origin, world.origin["chief"].credentials["seal"]),
        "acknowledger": (world.destination, world.destination["chief"].credentials["acknowledge"]),
        "countersigner": (world.destination, world.countersigner.credentials["countersign"]),
    }[officer]
    stolen = {at: world.revoking(side, side.revoke(credential, "compromised", at)) for at in (COSIGNED, COSIGNED + 1)}
    found, _ = verified(kz_by, bundle_of(kz_by, origin_log(kz_by), world=stolen[COSIGNED + 1]))
    assert found.verdict is Verdict.ATTESTED
    assert "evidence" not in found.not_compared
    for bundle in (
        bundle_of(kz_by, origin_log(kz_by), world=stolen[COSIGNED]),  # not before
        bundle_of(kz_by, origin_log(kz_by, cosigner=None), world=stolen[COSIGNED + 1]),  # only one party vouches
    ):
        if officer == "sealer":  # of a dispatch the answer is evidence, and nothing else
            found, said = verified(kz_by, bundle)
            assert "evidence" in found.not_compared
            assert any("by anything but the answering party's word" in line for line in said.not_proved)
        else:
            with pytest.raises(Refused, match=r"the receipt: the .* credential of .* was compromised"):
                verified(kz_by, bundle)


# -- what is told of the way ---------------------------------------------------------------------------------------------


def _on_the_way(exchange: Exchange) -> list[tuple[str, bytes]]:
    """A notice, and the first hand-over."""
    world, sealed = exchange.world, exchange.sealed
    taken = world.taken(world.handover(sealed, world.origin["chief"]), world.origin["clerk"])
    return [("notice", world.told(world.notice(sealed))), ("handover", taken)]


def test_notices_and_hand_overs_are_told(kz_by: Exchange) -> None:
    more = _on_the_way(kz_by)
    further = tuple(sorted(raw for _, raw in more))
    found, said = verified(kz_by, bundle_of(kz_by, origin_log(kz_by, *more), further=further))
    assert found.verdict is Verdict.ATTESTED
    assert any(line.startswith(f"clerk of KZ/KZ-MFA told {kz_by.world.destination.control} of transport 1 of the envelope") for line in said.proved)
    assert any(
        line.startswith("clerk of KZ/KZ-MFA took the envelope from chief of KZ/KZ-MFA") and "seal intact, sound" in line for line in said.proved
    )
    assert said.custody is not None
    assert (said.custody.state, said.custody.holder) == (CustodyState.UNDER_WAY, kz_by.world.origin["clerk"].credentials["transport"])
    assert any(line.startswith("of those who signed for it, each after the one before, clerk of KZ/KZ-MFA was the last, at ") for line in said.proved)
    expected = f"the hand-overs shown end before, and it was expected at {utc(SEALED + DAY)}"
    assert f"that the envelope came to the end of its way: {expected}" in said.not_proved
    for index in range(len(further)):
        left = further[:index] + further[index + 1 :]
        with pytest.raises(Incomplete, match=r"the statement that the entry '(notice|handover)' is about is missing"):
            verified(kz_by, bundle_of(kz_by, origin_log(kz_by, *more), further=left))
    with pytest.raises(Malformed, match="no entry of a log is about it"):
        verified(kz_by, bundle_of(kz_by, origin_log(kz_by), further=further[:1]))


def test_notices_that_contradict_each_other_are_told_and_leave_the_rest(kz_by: Exchange) -> None:
    world, sealed = kz_by.world, kz_by.sealed
    two = [world.told(replace(world.notice(sealed), expected_at=SEALED + days * DAY)) for days in (1, 2)]
    log = origin_log(kz_by, *(("notice", raw) for raw in two))
    found, said = verified(kz_by, bundle_of(kz_by, log, further=tuple(sorted(two))))
    assert found.verdict is Verdict.ATTESTED
    assert [line.startswith("that the transport notices go together: ") for line in said.not_proved].count(True) == 1


def test_a_hand_over_of_another_envelope_is_found(kz_by: Exchange) -> None:
    world = kz_by.world
    other = world.plan().seal()
    for said in (world.taken(world.handover(other, world.origin["chief"]), world.origin["clerk"]), world.told(world.notice(other))):
        kind = "handover" if b"/handover" in said[:64] else "notice"
        with pytest.raises(NotAuthentic, match=r"of another envelope|about another envelope"):
            verified(kz_by, bundle_of(kz_by, origin_log(kz_by, (kind, said)), further=(said,)))


def test_a_missing_leg_is_told(kz_by: Exchange) -> None:
    world, sealed = kz_by.world, kz_by.sealed
    late = world.taken(replace(world.handover(sealed, world.origin["chief"], leg=1), taken_at=ACKNOWLEDGED), world.origin["clerk"])
    _, said = verified(kz_by, bundle_of(kz_by, origin_log(kz_by, ("handover", late)), further=(late,)))
    assert any(line.startswith("that the envelope was in good hands all the way: ") for line in said.not_proved)


# -- rosters that the reader has, and times ------------------------------------------------------------------------------


def _latest_told(said: Findings) -> list[str]:
    return [line.split()[4] for line in said.not_proved if "is the latest and complete" in line]


def test_reader_with_a_party_s_own_roster_does_not_depend_on_that_of_the_bundle(kz_by: Exchange) -> None:
    """Whoever made the bundle left out the revocation; or the party published it afterwards."""
    world, bundle = kz_by.world, bundle_of(kz_by, origin_log(kz_by, cosigner=None))
    lost = world.destination["chief"].credentials["acknowledge"]
    newer = world.destination.roster_of(revocations=[world.destination.revoke(lost, "compromised", SEALED)])
    found, said = verified(kz_by, bundle)
    assert (found.verdict, found.compared, _latest_told(said)) == (Verdict.ATTESTED, frozenset(), ["BY", "KZ"])
    with pytest.raises(Refused, match=r"the receipt: the acknowledge credential of .* was compromised"):
        verified(kz_by, bundle, newer.raw)


def test_same_or_later_roster_of_the_party_settles_what_the_bundle_has(kz_by: Exchange) -> None:
    world, bundle = kz_by.world, bundle_of(kz_by, origin_log(kz_by))
    one, two = (world.trust.rosters[party].raw for party in ("BY", "KZ"))
    found, said = verified(kz_by, bundle, one)
    assert (found.compared, _latest_told(said)) == (frozenset({"BY"}), ["KZ"])
    found, said = verified(kz_by, bundle, two, one)
    assert (found.verdict, found.compared, _latest_told(said)) == (Verdict.ATTESTED, frozenset({"KZ", "BY"}), [])
    later = world.destination.roster_of(version=7)
    found, said = verified(kz_by, bundle, later.raw)
    assert (found.compared, found.trust.rosters["BY"].version) == (frozenset({"BY"}), 7)
    assert any(line.startswith("whose keys are whose in BY: by version 7 of its roster") and "which it gave itself" in line for line in said.proved)
    # An earlier one of the party's is gone on from, and says nothing of what came after it.
    found, said = verified(kz_by, bundle_of(kz_by, origin_log(kz_by), world=world.trusting(later)), one)
    assert (found.compared, found.trust.rosters["BY"].version, _latest_told(said)) == (frozenset(), 7, ["BY", "KZ"])


def test_roster_of_a_thief_does_not_go_with_the_party_s_own(kz_by: Exchange) -> None:
    """Another one of the same version, one that unsays a revocation, and one that the party never had."""
    world = kz_by.world
    side, lost = world.destination, world.destination["teller"].credentials["seal"]
    revoked = side.roster_of(revocations=[side.revoke(lost, "compromised", SEALED)])
    for made, given in (
        (side.roster_of(version=2), revoked),
        (side.roster_of(version=3), revoked),
        (revoked, side.roster_of(version=3)),
    ):
        with pytest.raises(NotAuthentic, match=r"the roster of BY in the evidence bundle, version \d, does not go with that which was given"):
            verified(kz_by, bundle_of(kz_by, origin_log(kz_by), world=world.trusting(made)), given.raw)


def test_roster_that_has_nothing_to_do_with_it(kz_by: Exchange) -> None:
    world, bundle = kz_by.world, bundle_of(kz_by, origin_log(kz_by))
    with pytest.raises(Usage, match=f"a roster that was given: it is of {world.third.party}, and the evidence bundle is about BY and KZ"):
        verified(kz_by, bundle, world.third.roster.raw)
    with pytest.raises(Malformed, match="a roster that was given: "):
        verified(kz_by, bundle, b"")


def test_roster_that_had_expired_when_a_key_was_used_is_told(kz_by: Exchange) -> None:
    """A revocation of before that, which the next one has, is not in it."""
    world = kz_by.world
    for expires_at, told in ((COUNTERSIGNED + 1, 0), (COUNTERSIGNED, 1)):
        stale = world.trusting(world.destination.roster_of(expires_at=expires_at))
        found, said = verified(kz_by, bundle_of(kz_by, origin_log(kz_by), world=stale))
        assert found.verdict is Verdict.ATTESTED
        lines = [line for line in said.not_proved if line.startswith("that the keys of BY still counted at ")]
        assert len(lines) == told, expires_at
        assert not any(line.startswith("that the keys of KZ still counted") for line in said.not_proved)


def test_times_of_entries_that_cannot_be_are_told(kz_by: Exchange) -> None:
    """One from after the tree that covers it was signed; and one from after that which follows it; by more than skew."""
    skew = kz_by.world.profile.skew

    def told(**entered_at: int) -> list[str]:
        _, said = verified(kz_by, bundle_of(kz_by, origin_log(kz_by, entered_at=entered_at)))
        return [line for line in said.not_proved if line.startswith("that KZ/KZ-MFA entered the ")]

    assert told(receipt=SIGNED + skew) == []
    (line,) = told(receipt=SIGNED + skew + 1)
    assert line.endswith(f"KZ/KZ-MFA signed its log with that entry at {utc(SIGNED)}, before that")
    assert told(sealed=SIGNED + skew, receipt=SIGNED) == []
    (line,) = told(sealed=SIGNED, receipt=SIGNED - skew - 1)
    assert line.endswith(f"behind it in the log comes the receipt, of {utc(SIGNED - skew - 1)}")
