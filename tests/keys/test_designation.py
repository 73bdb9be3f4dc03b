"""Designations: who designates, lists that have no holes and never go back, and who has a role, case by case and against a slow second rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.keys import BEGIN, DAY, END, NOW, flipped, issue, party, signed, signing_key, subject

from valiza.keys import labels
from valiza.keys.designation import (
    DESIGNATED,
    MAX_DESIGNATIONS,
    DesignationDraft,
    check_designation,
    check_designation_in,
    designated,
    issue_designation,
    sign_designation,
)
from valiza.keys.encoding import unpack
from valiza.keys.errors import Malformed, NotAuthentic, Refused
from valiza.keys.root import Custodian, Root, RootDraft, make_root
from valiza.keys.roster import Roster, check_import, difference, make_roster
from valiza.keys.signing import VerifyKey
from valiza.keys.statement import read_statement
from valiza.keys.trust import Trust

if TYPE_CHECKING:
    from valiza.keys.designation import Designation

KZ: Final = party("KZ")
BY: Final = party("BY")
OFFICER: Final = KZ.officer("officer")


@dataclass(frozen=True)
class Said:
    body_id: str
    role: str
    effective_from: int
    effective_until: int | None
    replaces: str | None


# -- who has a role -------------------------------------------------------------------------------------------------------


def test_nothing_designated() -> None:
    assert designated(["B", "A"], [], role="competent", at=0) == ("A", "B")


@pytest.mark.parametrize(("at", "found"), [(9, "A"), (10, "A B"), (19, "A B"), (20, "A")])
def test_in_addition_for_a_time(at: int, found: str) -> None:
    said = [Said("B", "competent", 10, 20, None)]
    assert designated(["A"], said, role="competent", at=at) == tuple(found.split())
    assert designated(["A"], said, role="confirming", at=at) == ("A",)


@pytest.mark.parametrize(("at", "found"), [(9, "A C"), (10, "B C"), (19, "B C"), (20, "A C")])
def test_in_the_place_of_another_one_for_a_time(at: int, found: str) -> None:
    assert designated(["A", "C"], [Said("B", "confirming", 10, 20, "A")], role="confirming", at=at) == tuple(found.split())


def test_in_the_place_of_one_who_has_no_role_nothing_changes() -> None:
    assert designated(["A"], [Said("B", "competent", 0, None, "C")], role="competent", at=0) == ("A",)


def test_by_number_and_not_by_time() -> None:
    first, second = Said("B", "competent", 5, None, "A"), Said("C", "competent", 0, None, "B")
    assert designated(["A"], [first, second], role="competent", at=4) == ("A",)
    assert designated(["A"], [first, second], role="competent", at=5) == ("C",)
    assert designated(["A"], [second, first], role="competent", at=5) == ("B",)


def test_in_the_place_of_one_by_one_who_has_the_role_already() -> None:
    assert designated(["A", "B"], [Said("B", "competent", 0, None, "A")], role="competent", at=0) == ("B",)


def slow(named: list[str], said: list[Said], role: str, at: int) -> set[str]:
    """The rule once more, as a filter for each body: who is in, after each designation."""
    held = {name: name in named for name in "ABCD"}
    for one in (each for each in said if each.role == role):
        until = float("inf") if one.effective_until is None else one.effective_until
        if not one.effective_from <= at < until:
            continue
        if one.replaces is not None and not held[one.replaces]:
            continue
        if one.replaces is not None:
            held[one.replaces] = False
        held[one.body_id] = True
    return {name for name, holds in held.items() if holds}


bodies = st.sampled_from("ABCD")
said = st.builds(Said, bodies, st.sampled_from(DESIGNATED), st.integers(0, 5), st.none() | st.integers(0, 6), st.none() | bodies).filter(
    lambda one: one.body_id != one.replaces
)


@given(st.lists(bodies, min_size=1, unique=True), st.lists(said, max_size=6), st.sampled_from(DESIGNATED), st.integers(0, 6))
def test_the_rule_against_a_slow_one(named: list[str], changes: list[Said], role: str, at: int) -> None:
    found = designated(named, changes, role=role, at=at)
    assert set(found) == slow(named, changes, role, at)
    assert found == tuple(sorted(found))
    assert found, "somebody always has it"


def test_trust_asks_the_roster_of_that_party() -> None:
    trust = Trust([KZ.roster(designations=[KZ.designate("KZ-B")]), BY.roster()])
    assert trust.designated("KZ", "competent", ["KZ-A"], NOW) == ("KZ-A", "KZ-B")
    assert trust.designated("KZ", "competent", ["KZ-A"], NOW - 1) == ("KZ-A",)
    assert trust.designated("BY", "competent", ["KZ-A"], NOW) == ("KZ-A",)
    assert trust.designated("UZ", "competent", ["UZ-A"], NOW) == ("UZ-A",)


# -- one designation ------------------------------------------------------------------------------------------------------


def body_of(**changes: Any) -> list[Any]:
    """What a designation says, field by field."""
    usual: dict[str, Any] = {
        "party": "KZ",
        "number": 1,
        "body_id": "KZ-B",
        "names": {"en": "B"},
        "role": "competent",
        "effective_from": NOW,
        "effective_until": None,
        "replaces": None,
        "issued_at": NOW,
        "extensions": {},
    }
    assert not set(changes) - set(usual)
    return list({**usual, **changes}.values())


def written(**changes: Any) -> Designation:
    """A designation of any body that the root of KZ signed, read back."""
    statement = signed(labels.DESIGNATION, "root", body_of(**changes), KZ.root.digest, KZ.key)
    return check_designation(statement, KZ.root)


def test_the_body_of_a_designation_is_what_the_specification_says() -> None:
    one = KZ.designate("KZ-B", "confirming", number=3, replaces="KZ-A", effective_until=NOW + 1, names={"en": "Body", "kk": "Орган"})
    items = ["KZ", 3, "KZ-B", {"en": "Body", "kk": "Орган"}, "confirming", NOW, NOW + 1, "KZ-A", NOW, {}]
    assert unpack(read_statement(one.raw, labels.DESIGNATION).body, max_bytes=1 << 16, what="it") == items
    assert (one.title, one.signer) == ("Body", KZ.root)


def test_a_designation_in_one_line() -> None:
    assert str(KZ.designate("KZ-B", effective_from=0, issued_at=0)) == "KZ/KZ-B is competent from 1970-01-01T00:00:00Z (No. 1)"
    one = KZ.designate("KZ-B", "confirming", number=2, effective_from=0, issued_at=0, effective_until=60, replaces="KZ-A")
    assert str(one) == "KZ/KZ-B is confirming in place of KZ-A from 1970-01-01T00:00:00Z until 1970-01-01T00:01:00Z (No. 2)"


def test_a_name_is_shown_in_some_language() -> None:
    assert KZ.designate("KZ-B", names={"kk": "Орган"}).title == "Орган"


MALFORMED: Final[dict[str, dict[str, Any]]] = {
    "number 0": {"number": 0},
    "role of an officer": {"role": "authorised"},
    "body id in small letters": {"body_id": "kz-b"},
    "no name": {"names": {}},
    "effective before it is issued": {"effective_from": NOW - 1},
    "until at once": {"effective_until": NOW},
    "until before": {"effective_until": NOW - 1},
    "in its own place": {"replaces": "KZ-B"},
    "in the place of a word": {"replaces": "destination"},
    "time a text": {"issued_at": "now"},
    "an unknown extension": {"extensions": {"note": 1}},
}


@pytest.mark.parametrize("change", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed(change: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        written(**change)


def test_what_no_reader_would_take_is_not_signed() -> None:
    with pytest.raises(Malformed):
        KZ.designate("KZ-B", replaces="KZ-B")
    with pytest.raises(Refused, match="a designation of BY is signed by the root of KZ"):
        KZ.designate("KZ-B", party="BY")


def test_remarks_are_kept() -> None:
    assert written(extensions={"~note": 1}).extensions == {"~note": 1}


def test_one_second_is_long_enough() -> None:
    assert written(effective_until=NOW + 1).effective_until == NOW + 1


def test_it_may_be_effective_later_than_it_is_issued() -> None:
    assert (written(effective_from=NOW + 1).effective_from, written(effective_from=NOW + DAY).issued_at) == (NOW + 1, NOW)


@pytest.mark.parametrize("other", ["BY", "UZ"])
def test_another_party_s_is_refused(other: str) -> None:
    with pytest.raises(Refused, match=f"a designation of {other} is signed by the root of KZ"):
        written(party=other)


def test_signed_by_whom_it_says() -> None:
    good = KZ.designate("KZ-B").raw
    with pytest.raises(NotAuthentic):
        check_designation(read_statement(flipped(good, len(good) - 1), labels.DESIGNATION), KZ.root)
    with pytest.raises(NotAuthentic):
        check_designation(read_statement(good, labels.DESIGNATION), BY.root)
    stranger = signed(labels.DESIGNATION, "root", body_of(), KZ.root.digest, signing_key("stranger"))
    with pytest.raises(NotAuthentic):
        check_designation(stranger, KZ.root)


def test_a_body_designates_nobody() -> None:
    by_body = signed(labels.DESIGNATION, "root", body_of(), KZ.body.credential.digest, KZ.body.key)
    with pytest.raises(NotAuthentic, match="who designates is not a root of this roster"):
        check_designation_in(by_body, [KZ.root])


# -- by a quorum ----------------------------------------------------------------------------------------------------------


def test_a_quorum_signs_one_after_the_other() -> None:
    keys = [signing_key(f"custodian {i}") for i in range(3)]
    people = tuple(Custodian(id=subject(f"{i}"), names={"en": "x"}, key=VerifyKey(k.public)) for i, k in enumerate(keys))
    root = make_root(
        RootDraft(party="UZ", names={"en": "UZ"}, degrees=("1",), custodians=people, threshold=2, valid_from=BEGIN, valid_until=END), keys
    )
    what: dict[str, Any] = {"party": "UZ", "body_id": "UZ-B", "names": {"en": "B"}, "role": "competent", "effective_from": NOW, "issued_at": NOW}
    draft = DesignationDraft(**what, number=1)
    begun = sign_designation(draft, root=root, keys=keys[:1])
    with pytest.raises(NotAuthentic, match=r"1 custodians .* signed, and 2 of 3 are needed"):
        check_designation(begun, root)
    whole = sign_designation(draft, root=root, keys=keys[2:], begun=begun)
    assert check_designation(whole, root).body_id == "UZ-B"
    for number in (2, 3):
        other = sign_designation(DesignationDraft(**what, number=number), root=root, keys=keys[:1])
        for one, another in ((draft, other), (DesignationDraft(**what, number=number), begun)):
            with pytest.raises(NotAuthentic, match="the other custodians signed another designation"):
                sign_designation(one, root=root, keys=keys[2:], begun=another)
    with pytest.raises(NotAuthentic):
        issue_designation(draft, root=root, keys=keys[:1])


# -- in a roster ----------------------------------------------------------------------------------------------------------


def test_they_stand_in_the_order_of_their_numbers() -> None:
    one, two = KZ.designate("KZ-B"), KZ.designate("KZ-C", "confirming", number=2)
    assert KZ.roster(designations=[two, one, one]).designations == (one, two)


@pytest.mark.parametrize("numbers", [[2], [1, 3], [1, 2, 4]])
def test_none_is_missing(numbers: list[int]) -> None:
    missing = next(n for n in range(1, 9) if n not in numbers)
    with pytest.raises(Refused, match=f"designation {missing} of KZ is missing"):
        KZ.roster(designations=[KZ.designate("KZ-B", number=number) for number in numbers])


def test_a_number_stands_once() -> None:
    with pytest.raises(Malformed, match="ascending"):
        KZ.roster(designations=[KZ.designate("KZ-B"), KZ.designate("KZ-C")])


def test_another_party_s_does_not_stand_there() -> None:
    with pytest.raises(NotAuthentic, match="who designates is not a root of this roster"):
        KZ.roster(designations=[BY.designate("BY-B")])


def test_no_more_are_read_than_a_roster_may_have(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_DESIGNATIONS == 1024
    monkeypatch.setattr("valiza.keys.roster.MAX_DESIGNATIONS", 1)
    KZ.roster(designations=[KZ.designate("KZ-B")], version=71)
    with pytest.raises(Malformed):
        KZ.roster(designations=[KZ.designate("KZ-B"), KZ.designate("KZ-C", number=2)])


def test_none_is_dropped_or_replaced() -> None:
    one, two = KZ.designate("KZ-B"), KZ.designate("KZ-C", number=2)
    known = KZ.roster(designations=[one])
    check_import(KZ.roster(designations=[one, two], version=2), known, NOW)
    for others in ([], [KZ.designate("KZ-D")]):
        with pytest.raises(Refused, match="drops or replaces 1 designations of version 1"):
            check_import(KZ.roster(designations=others, version=2), known, NOW)


def test_what_is_new_is_told() -> None:
    one, two = KZ.designate("KZ-B"), KZ.designate("KZ-C", number=2)
    old, new = KZ.roster(designations=[one]), KZ.roster(designations=[one, two], version=2)
    assert difference(new, old).designations == (two,)
    assert difference(new, None).designations == (one, two)
    assert difference(new, new).designations == ()


def test_a_root_that_was_replaced_designates_nothing_new() -> None:
    new_key = signing_key("new custodian")
    draft = RootDraft(
        party="KZ",
        version=2,
        previous=KZ.root.digest,
        names=KZ.root.names,
        degrees=KZ.root.degrees,
        custodians=(Custodian(id=subject("new"), names={"en": "x"}, key=VerifyKey(new_key.public)),),
        threshold=1,
        valid_from=BEGIN,
        valid_until=END,
    )
    root: Root = make_root(draft, [new_key], old=KZ.root, old_keys=[KZ.key])
    publisher = issue(root, new_key, "new publisher", "roster", clearance=None)

    def published(*designations: Designation, version: int) -> Roster:
        return make_roster(
            version=version,
            issued_at=NOW,
            expires_at=NOW + DAY,
            roots=[KZ.root, root],
            credentials=[KZ.body.credential, KZ.publisher.credential, OFFICER.credential],
            designations=designations,
            signer=publisher.credential,
            key=publisher.key,
        )

    old = KZ.designate("KZ-B")
    with pytest.raises(Refused, match="designation 1 of KZ is new, and signed by version 1 of the root"):
        check_import(published(old, version=3), published(version=2), NOW)
    check_import(published(old, version=3), published(old, version=2), NOW)
    said_: dict[str, Any] = {"party": "KZ", "number": 1, "body_id": "KZ-B", "names": {"en": "B"}, "role": "competent"}
    new = issue_designation(DesignationDraft(**said_, effective_from=NOW, issued_at=NOW), root=root, keys=[new_key])
    check_import(published(new, version=3), published(version=2), NOW)
