"""Roots that custodians draft: who may stand in one, what a next version may change, and what a file says of roots."""

from __future__ import annotations

import pytest
from tests.support.keys import BEGIN, NOW, counting, flipped, party, root_of, signing_key, subject
from tests.support.quorum import AT_HAND, FIVE, OTHER, ROOT, begin_next, first, key, next_draft, person, requests, signed_by

from valiza.keys import labels
from valiza.keys.errors import Malformed, NotAuthentic, Refused, Usage
from valiza.keys.request import CUSTODIAN, WITNESS, RequestDraft, make_request, read_request
from valiza.keys.root import read_roots
from valiza.keys.statement import read_statement
from valiza.office.quorum import (
    add_signature,
    begin_root,
    latest_root,
    read_unfinished,
)
from valiza.office.roots import claims, new_custodian, roots_in

# -- roots ---------------------------------------------------------------------------------------------------------------


def test_a_root_says_what_was_asked_for() -> None:
    assert (ROOT.party, ROOT.threshold, ROOT.version, ROOT.previous) == ("KZ", 3, 1, None)
    assert {c.id: c.key.raw for c in ROOT.custodians} == {r.subject: r.keys[CUSTODIAN].raw for r in requests(*FIVE)}
    assert list(ROOT.custodians) == sorted(ROOT.custodians, key=lambda c: c.id)


def test_whoever_drafts_it_gets_the_same_fingerprint() -> None:
    assert first(requests=requests(*FIVE[::-1])).digest == first().digest == ROOT.digest


def test_a_party_with_one_custodian_is_done_at_once() -> None:
    assert begin_root(first(people=("Aliya",), threshold=1), key("Aliya")).complete


def test_a_custodian_stands_once() -> None:
    same_id = new_custodian(party="KZ", names={"en": "Twin"}, at=NOW, random=counting("twin"), custodian=person("Aliya")[1].subject)[1]
    draft = RequestDraft(subject=subject("other"), party="KZ", body_id=None, names={"en": "x"}, keys={CUSTODIAN: key("Aliya").public}, made_at=NOW)
    same_key = make_request(draft, [key("Aliya")])
    for twin in (same_id, same_key, person("Aliya")[1]):
        with pytest.raises(Refused, match="a custodian of the root of KZ stands twice"):
            first(requests=[*requests(*FIVE), twin])
    assert person("Aliya")[1].subject != same_key.subject


@pytest.mark.parametrize(("people", "threshold"), [(5, 0), (5, 6), (0, 1), (17, 3)])
def test_no_quorum_can_be_none_or_more_than_all(people: int, threshold: int) -> None:
    with pytest.raises(Usage, match="cannot be a quorum"):
        first(people=tuple(f"{n}" for n in range(people)), threshold=threshold)


def test_sixteen_custodians_at_most() -> None:
    assert len(first(people=tuple(f"{n}" for n in range(16)), threshold=16).custodians) == 16


def test_a_request_for_something_else_makes_nobody_a_custodian() -> None:
    seal = RequestDraft(subject=None, party="KZ", body_id="KZ-GOV", names={"en": "x"}, keys={"seal": signing_key("x").public}, made_at=NOW)
    witness = new_custodian(party="KZ", names={"en": "x"}, at=NOW, random=counting("w"), purpose=WITNESS)[1]
    for request in (make_request(seal, [signing_key("x")]), witness):
        with pytest.raises(Refused, match="is not to become a custodian"):
            first(requests=[*requests(*FIVE), request])
    with pytest.raises(Refused, match="a custodian of BY, not of KZ"):
        first(requests=[*requests(*FIVE), person("Yanka", of="BY")[1]])


def test_a_root_does_not_end_before_it_begins() -> None:
    for until in (BEGIN, BEGIN - 1):
        with pytest.raises(Usage, match="would end before it begins"):
            first(valid_until=until)


def test_a_new_custodian_proves_that_he_has_his_key() -> None:
    own, request = person("Saule")
    assert read_request(request.raw).keys[CUSTODIAN].raw == own.public
    assert len(request.subject or b"") == 16
    assert person("Saule", known=subject("x"))[1].subject == subject("x")


# -- versions ------------------------------------------------------------------------------------------------------------


def test_the_next_version_adds_replaces_and_removes() -> None:
    draft = next_draft(threshold=2)
    before, after = ({c.id: c.key.raw for c in one.custodians} for one in (ROOT, draft))
    saule, gulnar, erlan = (person(name)[1].subject for name in ("Saule", "Gulnar", "Erlan"))
    assert after.keys() == (before.keys() | {saule}) - {erlan}
    assert after[gulnar or b""] == key("Gulnar's new key").public != before[gulnar or b""]
    assert (draft.version, draft.previous, draft.threshold, draft.degrees) == (2, ROOT.digest, 2, ROOT.degrees)
    assert next_draft().threshold == 3


def test_both_quorums_sign_the_next_version() -> None:
    begun = begin_next("Aliya")
    assert [(share.root.version, share.missing) for share in begun.shares] == [(2, 2), (1, 2)], "she is a custodian of both"
    new = signed_by(begun, "Saule", "Gulnar's new key", roots=AT_HAND)
    assert [share.missing for share in new.shares] == [0, 2]
    done = signed_by(new, "Erlan", "Gulnar", roots=AT_HAND)
    assert done.complete
    assert read_roots((ROOT.raw, done.statement.raw))[-1].version == 2


def test_who_is_a_custodian_of_both_signs_for_both_at_once() -> None:
    done = signed_by(begin_next("Aliya"), "Bolat", "Dana", roots=AT_HAND)
    assert done.complete
    assert len(done.statement.signatures) == 6


def test_the_old_quorum_alone_renews_nothing() -> None:
    """Aliya, Erlan and Gulnar by her old key are three of the old five, and one of the new."""
    old = signed_by(begin_next("Aliya"), "Erlan", "Gulnar", roots=AT_HAND)
    assert [share.missing for share in old.shares] == [2, 0]
    assert not old.complete
    with pytest.raises(NotAuthentic):
        read_roots((ROOT.raw, old.statement.raw))
    with pytest.raises(Refused, match="enough custodians of KZ have signed"):
        add_signature(old, key("Erlan"), AT_HAND)


def test_the_new_quorum_alone_renews_nothing() -> None:
    new = signed_by(begin_next("Saule"), "Gulnar's new key", "Aliya", roots=AT_HAND)
    assert [share.missing for share in new.shares] == [0, 2]
    assert not new.complete
    with pytest.raises(NotAuthentic):
        read_roots((ROOT.raw, new.statement.raw))
    with pytest.raises(Refused, match="enough custodians of KZ have signed"):
        add_signature(new, key("Saule"), AT_HAND)


def test_a_key_that_was_replaced_signs_for_the_version_that_it_stands_in() -> None:
    begun = begin_next("Gulnar's new key")
    assert [len(share.signed) for share in begun.shares] == [1, 0]
    assert [len(share.signed) for share in add_signature(begun, key("Gulnar"), AT_HAND).shares] == [1, 1]


def test_the_version_before_it_is_at_hand() -> None:
    raw = begin_next("Aliya").statement.raw
    with pytest.raises(NotAuthentic, match="follows one that is not at hand"):
        read_unfinished(raw, {})
    assert read_unfinished(raw, AT_HAND).shares[1].root == ROOT


def test_what_cannot_be_the_next_version() -> None:
    stranger = subject("nobody")
    with pytest.raises(Refused, match=f"no custodian of the root of KZ has the id {stranger.hex()}"):
        next_draft(remove=[stranger])
    with pytest.raises(Refused, match="is removed, and asks to be one"):
        next_draft(remove=[person("Gulnar")[1].subject], requests=requests("Gulnar"))
    with pytest.raises(Refused, match="stands twice"):
        next_draft(requests=[*requests("Saule"), person("Bolat again", known=person("Saule")[1].subject)[1]])
    taken = RequestDraft(subject=subject("new"), party="KZ", body_id=None, names={"en": "x"}, keys={CUSTODIAN: key("Bolat").public}, made_at=NOW)
    with pytest.raises(Refused, match="stands twice"):
        next_draft(requests=[make_request(taken, [key("Bolat")])])
    with pytest.raises(Usage, match="cannot be a quorum"):
        next_draft(threshold=6)
    with pytest.raises(Refused, match="is valid before the one that it replaces"):
        next_draft(valid_from=BEGIN - 1)
    with pytest.raises(NotAuthentic, match="does not follow"):
        begin_root(first(), key("Aliya"), ROOT)


# -- reading -------------------------------------------------------------------------------------------------------------


def test_roots_are_read_from_roots_and_rosters() -> None:
    assert roots_in(ROOT.raw) == (ROOT,)
    assert roots_in(party("KZ").roster().raw) == (root_of("KZ"),)
    assert latest_root([root_of("KZ"), OTHER], "BY") == OTHER
    assert latest_root([], "BY") is None


def test_what_a_file_claims_of_a_root() -> None:
    (begun,) = claims(begin_root(first(), key("Aliya")).statement.raw)
    assert (begun.complete, [c.names["en"] for c in begun.signed]) == (False, ["Aliya"])
    (done,) = claims(ROOT.raw)
    assert done.complete
    assert done.says.digest == ROOT.digest
    raw = begin_next("Aliya").statement.raw
    assert [claim.complete for claim in (*claims(raw), *claims(raw, AT_HAND))] == [None, False]
    (of_roster,) = claims(party("KZ").roster().raw)
    assert of_roster.complete
    with pytest.raises(Malformed):
        claims(person("Aliya")[1].raw)
    with pytest.raises(NotAuthentic):
        claims(flipped(ROOT.raw, len(ROOT.raw) - 1))
    assert read_statement(ROOT.raw, labels.ROOT).signer.role == "root"
