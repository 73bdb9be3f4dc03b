"""Worthless receipts, each with real keys: made by someone nobody asked, over other content, or without opening (lessons.md, 1).

OpenSSL's `cms -verify_receipt` accepts the first two.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.support.journals import journal_at
from tests.support.tamper import flipped, put, split
from tests.support.world import OPENED, Exchange, Officer, Piece, World, acknowledged, countersigned, opening_by, recorded

from valiza.envelope.manifest import carrier_key, commitment, opening_proof
from valiza.envelope.receipt import Verdict, compare_with_record, countersign, read_receipt, verify_receipt
from valiza.envelope.verifying import verify_envelope
from valiza.keys.digests import keyed
from valiza.keys.errors import NotAuthentic, Refused, ValizaError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from valiza.envelope.journal import Opening
    from valiza.keys.statement import Statement
    from valiza.register.journal import RegisterJournal


@pytest.fixture
def origin_journal(exchange: Exchange, tmp_path: Path) -> Iterator[RegisterJournal]:
    journal = recorded(exchange.sealed, tmp_path / "origin.db")
    yield journal
    journal.close()


@pytest.fixture
def confirming_journal(exchange: Exchange, tmp_path: Path) -> Iterator[RegisterJournal]:
    journal = journal_at(tmp_path / "confirming.db", exchange.world.confirming)
    yield journal
    journal.close()


def receipt_for(exchange: Exchange, answer: bytes, *, by: Officer | None = None, **changes: Any) -> bytes:
    """A receipt by hand: whoever signs it does not look at what he signs."""
    own = exchange.world.confirming == exchange.world.destination.ministry
    confirming = exchange.world.confirming.packed()
    checked = ["envelope", "opening"] if own else ["entered", "envelope"]
    return countersigned(answer, by or exchange.world.countersigner, **{"confirming": confirming, "checked": checked, **changes})


def judged(exchange: Exchange, raw: bytes, journal: RegisterJournal | None) -> Verdict:
    """What the origin makes of a receipt, with or without its record."""
    own = None if journal is None else exchange.world.origin.ministry
    authentic = read_receipt(raw, trust=exchange.world.trust, agreements=exchange.world.agreements)
    return verify_receipt(authentic, own=own, journal=journal).verdict


def confirmed(exchange: Exchange, answer: bytes, journal: RegisterJournal, *, by: Officer | None = None) -> Statement:
    """A receipt by the product, for a countersigner who looks."""
    officer, world = by or exchange.world.countersigner, exchange.world
    return countersign(
        world.read_answer(answer),
        envelope=world.verify_whole(exchange.sealed.container),
        signer=officer.credentials["countersign"],
        key=officer.keys["countersign"],
        trust=world.trust,
        agreements=world.agreements,
        journal=journal,
        at=OPENED + 7200,
    )


def test_the_honest_receipt_is_accepted(exchange: Exchange, origin_journal: RegisterJournal) -> None:
    """So whatever is refused below is refused for what is wrong with it."""
    raw = receipt_for(exchange, acknowledged(exchange.opening, exchange.world.destination["chief"]))
    assert judged(exchange, raw, origin_journal) is Verdict.DELIVERED
    assert judged(exchange, raw, None) is Verdict.ATTESTED


# -- made by someone nobody asked ----------------------------------------------------------------------------------------

SOMEBODY = {
    "an addressee who did not open": ("destination", "deputy"),
    "a colleague who is no addressee": ("destination", "clerk"),
    "another body of the party": ("destination", "banker"),
    "the competent body": ("destination", "head"),
    "the sealer himself": ("origin", "chief"),
    "a colleague of the sealer": ("origin", "deputy"),
    "a third party": ("third", "chief"),
}


def somebody(world: World, case: str) -> Officer:
    side, name = SOMEBODY[case]
    officer: Officer = getattr(world, side)[name]
    return officer


@pytest.mark.parametrize("case", SOMEBODY)
def test_acknowledged_by_somebody_for_the_opener(exchange: Exchange, case: str) -> None:
    """The mallory of lessons.md: certified under the same root, and not asked."""
    officer = somebody(exchange.world, case)
    raw = acknowledged(exchange.opening, officer)
    with pytest.raises(Refused, match=f"'{officer.name}'"):
        exchange.world.read_answer(raw)
    with pytest.raises(Refused):
        judged(exchange, receipt_for(exchange, raw), None)


@pytest.mark.parametrize("case", [case for case in SOMEBODY if case != "an addressee who did not open"])
def test_acknowledged_by_somebody_for_himself(exchange: Exchange, origin_journal: RegisterJournal, case: str) -> None:
    """He names his own credential; what he states of the opening was copied from the opener."""
    officer = somebody(exchange.world, case)
    copied = acknowledged(replace(exchange.opening, credential=officer.open.digest), officer)
    if officer.body != exchange.world.destination.ministry:
        with pytest.raises(Refused, match=f"is answered by '{officer.name}' of {officer.body}"):
            judged(exchange, receipt_for(exchange, copied), None)
        return
    by_another = exchange.world.destination["head" if exchange.world.countersigner.name == "warden" else "deputy"]
    raw = receipt_for(exchange, copied, by=by_another)
    with pytest.raises(NotAuthentic, match=f"not addressed to '{officer.name}', who answers it"):
        judged(exchange, raw, origin_journal)
    authentic = read_receipt(raw, trust=exchange.world.trust, agreements=exchange.world.agreements)
    envelope = exchange.world.verify_whole(exchange.sealed.container)
    with pytest.raises(NotAuthentic, match=f"not addressed to '{officer.name}', who answers it"):
        verify_receipt(authentic, envelope=envelope)


def test_addressee_who_copied_is_told_by_the_journal(letter: Exchange, tmp_path: Path) -> None:
    journal = journal_at(tmp_path / "destination.db", letter.world.confirming)
    journal.record_opening(letter.opening, letter.sealed.name, at=OPENED)
    deputy = letter.world.destination["deputy"]
    copied = acknowledged(replace(letter.opening, credential=deputy.open.digest), deputy)
    with pytest.raises(NotAuthentic, match="other than this office's journal recorded"):
        confirmed(letter, copied, journal)


@pytest.mark.parametrize("purpose", ["seal", "countersign"])
def test_acknowledged_with_a_key_that_is_not_certified_for_it(exchange: Exchange, purpose: str) -> None:
    chief = exchange.world.destination["chief"]
    misused = replace(
        chief,
        keys={**chief.keys, "acknowledge": chief.keys[purpose]},
        credentials={**chief.credentials, "acknowledge": chief.credentials[purpose]},
    )
    with pytest.raises(NotAuthentic, match=f"a {purpose} credential cannot sign as acknowledger"):
        judged(exchange, receipt_for(exchange, acknowledged(exchange.opening, misused)), None)


@pytest.mark.parametrize("case", SOMEBODY)
def test_countersigned_by_somebody(exchange: Exchange, confirming_journal: RegisterJournal, case: str) -> None:
    """Nobody but the confirming body, whatever the receipt says of itself."""
    officer = somebody(exchange.world, case)
    if officer.body == exchange.world.confirming:  # these may: who has the key is for the body to say
        assert judged(exchange, receipt_for(exchange, exchange.acknowledgement.raw, by=officer), None) is Verdict.ATTESTED
        return
    with pytest.raises(Refused):
        judged(exchange, receipt_for(exchange, exchange.acknowledgement.raw, by=officer), None)
    with pytest.raises(Refused):
        judged(exchange, receipt_for(exchange, exchange.acknowledgement.raw, by=officer, confirming=officer.body.packed()), None)
    with pytest.raises(Refused, match="does not countersign for"):
        confirmed(exchange, exchange.acknowledgement.raw, confirming_journal, by=officer)


@pytest.mark.parametrize("purpose", ["seal", "acknowledge"])
def test_countersigned_with_a_key_that_is_not_certified_for_it(exchange: Exchange, purpose: str) -> None:
    officer = exchange.world.countersigner
    misused = replace(
        officer,
        keys={**officer.keys, "countersign": officer.keys[purpose]},
        credentials={**officer.credentials, "countersign": officer.credentials[purpose]},
    )
    with pytest.raises(NotAuthentic, match=f"a {purpose} credential cannot sign as countersigner"):
        judged(exchange, receipt_for(exchange, exchange.acknowledgement.raw, by=misused), None)


def test_keys_of_a_party_that_nobody_pinned(exchange: Exchange) -> None:
    """The third party's keys are real; a reader without its roster does not even know it."""
    world = exchange.world
    narrow = replace(exchange, world=replace(world, trust=type(world.trust)([world.origin.roster, world.destination.roster])))
    for raw in (
        receipt_for(exchange, exchange.acknowledgement.raw, by=world.third["clerk"]),
        receipt_for(exchange, acknowledged(exchange.opening, world.third["chief"])),
    ):
        with pytest.raises(NotAuthentic, match="in no roster that is trusted here"):
            judged(narrow, raw, None)


# -- over other content --------------------------------------------------------------------------------------------------


def test_altered_envelope_is_neither_opened_nor_countersigned(exchange: Exchange, tmp_path: Path) -> None:
    """OpenSSL signs a receipt over it and verifies it against the original."""
    sections = split(exchange.sealed.container)
    altered = replace(sections, streams=flipped(sections.streams, 50)).join()
    with pytest.raises(NotAuthentic, match="does not decrypt"):
        exchange.world.open(altered, tmp_path / "out")
    with pytest.raises(NotAuthentic, match="payload is not the one signed"):
        verify_envelope(exchange.world.verify(altered))


def opening_of(world: World, exchange: Exchange, content: bytes) -> Opening:
    """What an opener with salt and key would state if the file had had another content, proof included."""
    salt = exchange.opened.manifest.salt
    openings = (keyed(carrier_key(salt, 0), content), None)
    signed = world.authenticate(exchange.sealed.container).signed
    proof = opening_proof(salt, signed.digest, signed.body.manifest_digest, openings)
    return replace(exchange.opening, expectation=replace(exchange.expectation, openings=openings, proof=proof))


def test_receipt_over_altered_content(exchange: Exchange, origin_journal: RegisterJournal) -> None:
    """The opener himself acknowledges, and the confirming officer countersigns, another content than was sealed."""
    world, chief = exchange.world, exchange.world.destination["chief"]
    honest = opening_of(world, exchange, b"the bridge at the border\n")
    assert honest == exchange.opening
    other = acknowledged(opening_of(world, exchange, b"the bridge at the harbour\n"), chief)
    with pytest.raises(NotAuthentic, match="another openings than was sealed here"):
        judged(exchange, receipt_for(exchange, other), origin_journal)


def test_countersigner_compares_with_what_was_opened(letter: Exchange, tmp_path: Path) -> None:
    journal = journal_at(tmp_path / "destination.db", letter.world.confirming)
    journal.record_opening(letter.opening, letter.sealed.name, at=OPENED)
    other = acknowledged(opening_of(letter.world, letter, b"the bridge at the harbour\n"), letter.world.destination["chief"])
    with pytest.raises(NotAuthentic, match="other than this office's journal recorded"):
        confirmed(letter, other, journal)


def test_receipt_for_another_sealing_of_the_same_letter(exchange: Exchange, origin_journal: RegisterJournal, tmp_path: Path) -> None:
    """The origin has no such envelope; that it is the same text does not make it the same envelope."""
    world = exchange.world
    other = world.plan(seed="again").seal()
    opened = world.open(other.container, tmp_path / "out")
    raw = receipt_for(exchange, acknowledged(opened.opening, world.destination["chief"]))
    assert judged(exchange, raw, origin_journal) is Verdict.UNSOLICITED
    with pytest.raises(NotAuthentic, match="another dispatch than was sealed here"):
        compare_with_record(world.read_answer(acknowledged(opened.opening, world.destination["chief"])), exchange.expectation)


def test_dispatch_inside_is_altered(exchange: Exchange) -> None:
    raw = exchange.expectation.dispatch
    for at in range(40, len(raw), 401):
        answer = acknowledged(exchange.opening, exchange.world.destination["chief"], dispatch=flipped(raw, at))
        with pytest.raises(ValizaError):
            judged(exchange, receipt_for(exchange, answer), None)


# -- made without opening ------------------------------------------------------------------------------------------------


def guesses(exchange: Exchange) -> dict[str, tuple[list[bytes | None], bytes]]:
    """Openings and proof, as somebody states them who has seen less than all of it."""
    world, salt = exchange.world, exchange.opened.manifest.salt
    signed = world.authenticate(exchange.sealed.container).signed
    committed = [entry.commitment for entry in exchange.opened.manifest.carriers]

    def proved(openings: list[bytes | None]) -> tuple[list[bytes | None], bytes]:
        return openings, opening_proof(salt, signed.digest, signed.body.manifest_digest, tuple(openings))

    first = committed[0]
    assert first is not None
    return {
        "from the dispatch alone: digests it shows": ([signed.body.payload_digest, None], signed.body.manifest_digest),
        "from the dispatch alone: zeros": ([bytes(32), None], bytes(32)),
        "from the manifest alone: commitments": proved([first, None]),
        "from the manifest alone: digests of commitments": proved([commitment(first), None]),
        "from the manifest alone: nothing": proved([None, None]),
        "from the manifest alone: keys of the carriers": proved([carrier_key(salt, 0), None]),
        "with the proof of another's answer only": ([bytes(32), None], exchange.expectation.proof),
    }


def guessed(exchange: Exchange, openings: list[bytes | None], proof: bytes) -> bytes:
    """An acknowledgement of a guess, signed by the addressee himself."""
    conditions = ["present" if opening is not None else "missing" for opening in openings]
    return acknowledged(exchange.opening, exchange.world.destination["chief"], openings=openings, proof=proof, conditions=conditions)


def test_origin_s_record_knows_what_only_opening_shows(exchange: Exchange, origin_journal: RegisterJournal) -> None:
    for openings, proof in guesses(exchange).values():
        with pytest.raises(NotAuthentic, match="another openings than was sealed here"):
            judged(exchange, receipt_for(exchange, guessed(exchange, openings, proof)), origin_journal)


def test_destination_countersigns_no_guess(letter: Exchange, tmp_path: Path) -> None:
    journal = journal_at(tmp_path / "destination.db", letter.world.confirming)
    for openings, proof in guesses(letter).values():
        with pytest.raises(Refused, match="no opening of this envelope"):
            confirmed(letter, guessed(letter, openings, proof), journal)
    journal.record_opening(letter.opening, letter.sealed.name, at=OPENED)
    for openings, proof in guesses(letter).values():
        with pytest.raises(NotAuthentic, match="other than this office's journal recorded"):
            confirmed(letter, guessed(letter, openings, proof), journal)


def test_body_that_only_entered_the_answer_says_no_more_than_that(closed_letter: Exchange, tmp_path: Path) -> None:
    """It cannot tell, its receipt says `entered`, and the origin's record tells all the same."""
    openings, proof = guesses(closed_letter)["from the manifest alone: commitments"]
    answer = acknowledged(closed_letter.opening, closed_letter.world.destination["chief"], openings=openings, proof=proof)
    receipt = confirmed(closed_letter, answer, journal_at(tmp_path / "control.db", closed_letter.world.confirming))
    authentic = read_receipt(receipt.raw, trust=closed_letter.world.trust, agreements=closed_letter.world.agreements)
    assert authentic.receipt.checked == ("entered", "envelope")
    journal = recorded(closed_letter.sealed, tmp_path / "origin.db")
    with pytest.raises(NotAuthentic, match="another openings"):
        verify_receipt(authentic, own=closed_letter.world.origin.ministry, journal=journal)


def test_one_carrier_of_two_is_not_the_whole(world: World) -> None:
    """Who was shown one carrier knows one d_i."""
    marks = world.marks(world.code)
    forged = world.plan(pieces=(Piece("a", b"one", marks), Piece("b", b"two", marks))).seal()
    chief = world.destination["chief"]
    second = forged.expectation.openings[1]
    assert second is not None
    openings = [forged.expectation.openings[0], commitment(second)]
    answer = world.read_answer(acknowledged(opening_by(chief, forged.expectation), chief, openings=openings))
    with pytest.raises(NotAuthentic, match="another openings"):
        compare_with_record(answer, forged.expectation)


def test_nothing_on_the_way_holds_what_only_opening_shows(exchange: Exchange) -> None:
    """Neither the envelope nor its manifest contains a d_i; an acknowledgement does, and comes after."""
    (opening, _) = exchange.expectation.openings
    assert opening is not None
    assert opening not in exchange.sealed.container
    assert all(opening != entry.commitment for entry in exchange.opened.manifest.carriers)
    assert opening in exchange.acknowledgement.raw


def test_marks_put_on_need_the_manifest_too(closed_letter: Exchange) -> None:
    """Under a closed stamp their digest is keyed with the salt."""
    chief = closed_letter.world.destination["chief"]
    answer = closed_letter.world.read_answer(acknowledged(closed_letter.opening, chief, marks=bytes(32)))
    with pytest.raises(NotAuthentic, match="marks put on"):
        compare_with_record(answer, closed_letter.expectation)


def test_openings_swapped_between_carriers(world: World) -> None:
    marks = world.marks(world.code)
    forged = world.plan(pieces=(Piece("a", b"one", marks), Piece("b", b"one", marks))).seal()
    chief = world.destination["chief"]
    assert forged.expectation.openings[0] != forged.expectation.openings[1]  # equal contents, and yet each has its own
    answer = world.read_answer(acknowledged(opening_by(chief, forged.expectation), chief, openings=list(forged.expectation.openings)[::-1]))
    with pytest.raises(NotAuthentic, match="another openings"):
        compare_with_record(answer, forged.expectation)


def test_manifest_of_another_sealing_gives_no_proof(world: World) -> None:
    """Salt and proof are of one envelope."""
    forged = world.plan().seal()
    other = world.plan(seed="other").seal(manifest=put("another purpose", 5))
    chief = world.destination["chief"]
    answer = world.read_answer(acknowledged(opening_by(chief, forged.expectation), chief, proof=other.expectation.proof))
    with pytest.raises(NotAuthentic, match="another proof"):
        compare_with_record(answer, forged.expectation)
