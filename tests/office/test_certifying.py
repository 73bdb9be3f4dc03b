"""Custodians sign one after the other: whatever is begun, nobody signs twice, nobody signs who may not, and only a quorum finishes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.support.keys import BEGIN, DEGREES, END, NOW, YEAR, counting, flipped, party, root_of, signing_key, subject

from valiza.envelope.agreement import Agreement, TerminationDraft, agreement_digest
from valiza.envelope.draft import packaged_draft, read_draft
from valiza.keys import labels
from valiza.keys.credential import CredentialDraft, check_credential
from valiza.keys.encoding import pack
from valiza.keys.errors import Malformed, NotAuthentic, Refused, Usage
from valiza.keys.fields import Body
from valiza.keys.request import CUSTODIAN, WITNESS, Request, RequestDraft, make_request, read_request
from valiza.keys.root import Root, read_root, read_roots
from valiza.keys.roster import make_roster
from valiza.keys.signing import SigningKey
from valiza.keys.statement import read_statement
from valiza.office.certifying import (
    Unfinished,
    add_signature,
    begin_agreement,
    begin_credential,
    begin_root,
    begin_termination,
    claims,
    draft_next_root,
    draft_root,
    latest_root,
    new_custodian,
    read_unfinished,
    roots_in,
    to_sign,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from valiza.envelope.profile import Profile

FIVE: Final = ("Aliya", "Bolat", "Dana", "Erlan", "Gulnar")


def person(name: str, known: bytes | None = None, of: str = "KZ") -> tuple[SigningKey, Request]:
    """A custodian's key and request; the same for the same name."""
    key, request = new_custodian(party=of, names={"en": name}, at=NOW, random=counting(f"{of} {name}"), custodian=known)
    assert isinstance(key, SigningKey)
    return key, request


def key(name: str) -> SigningKey:
    return person(name)[0]


def requests(*names: str) -> list[Request]:
    return [person(name)[1] for name in names]


def first(*, people: tuple[str, ...] = FIVE, **changes: Any) -> Any:
    said = {"party": "KZ", "names": {"en": "KZ"}, "degrees": DEGREES, "requests": requests(*people), "threshold": 3}
    return draft_root(**{**said, "valid_from": BEGIN, "valid_until": END, **changes})


def signed_by(begun: Unfinished, *names: str, roots: dict[bytes, Root] | None = None) -> Unfinished:
    for name in names:
        begun = add_signature(begun, key(name), roots or {})
    return begun


def finished(begun: Unfinished) -> Root:
    assert begun.complete
    return read_root(begun.statement.raw)


ROOT: Final = finished(signed_by(begin_root(first(), key("Aliya")), "Bolat", "Dana"))
AT_HAND: Final = {ROOT.digest: ROOT}
OTHER: Final = root_of("BY")


def body_draft(**changes: Any) -> CredentialDraft:
    """A body of KZ, to be certified by the root."""
    said = {"subject": subject("body"), "body": Body("KZ", "KZ-GOV"), "names": {"en": "Body"}, "purpose": "certify", "clearance": "1"}
    return CredentialDraft(**{**said, "public_key": signing_key("body").public, "valid_from": BEGIN, "valid_until": END, **changes})


def profile() -> Profile:
    return read_draft(packaged_draft("kz-by"))


def agreement() -> Agreement:
    """An agreement, whose signatures do not matter here."""
    said = profile()
    return Agreement(raw=b"", digest=agreement_digest(said.body), signers=(), profile=said)


BEGUN: Final[dict[str, Callable[[], Unfinished]]] = {
    "root": lambda: begin_root(first(), key("Aliya")),
    "credential": lambda: begin_credential(body_draft(), ROOT, key("Aliya")),
    "agreement": lambda: begin_agreement(profile(), ROOT, key("Aliya")),
    "termination": lambda: begin_termination(agreement(), ROOT, key("Aliya"), given_at=NOW, takes_effect_at=NOW + YEAR),
}
KINDS: Final = pytest.mark.parametrize("kind", BEGUN)


# -- one after the other --------------------------------------------------------------------------------------------------


@KINDS
def test_custodians_sign_one_after_the_other_until_there_are_enough(kind: str) -> None:
    begun = BEGUN[kind]()
    share = begun.shares[0]
    assert (len(begun.statement.signatures), share.missing, begun.complete) == (1, 2, False)
    two = add_signature(begun, key("Dana"), AT_HAND)
    three = add_signature(two, key("Gulnar"), AT_HAND)
    assert [len(part.statement.signatures) for part in (two, three)] == [2, 3]
    assert {custodian.names["en"] for custodian in three.shares[0].signed} == {"Aliya", "Dana", "Gulnar"}
    assert three.shares[0].missing == 0
    assert three.statement.body == begun.statement.body
    assert three.complete == (kind != "agreement"), "an agreement needs the other party too"


@KINDS
def test_in_whatever_order(kind: str) -> None:
    one = add_signature(add_signature(BEGUN[kind](), key("Dana"), AT_HAND), key("Bolat"), AT_HAND)
    other = add_signature(add_signature(BEGUN[kind](), key("Bolat"), AT_HAND), key("Dana"), AT_HAND)
    assert [s.header_bytes for s in one.statement.signatures] == [s.header_bytes for s in other.statement.signatures]


@KINDS
def test_nobody_signs_twice(kind: str) -> None:
    begun = add_signature(BEGUN[kind](), key("Bolat"), AT_HAND)
    for name in ("Aliya", "Bolat"):
        with pytest.raises(Refused, match=f"the custodian '{name}' of KZ has signed this {kind} already"):
            add_signature(begun, key(name), AT_HAND)


@KINDS
def test_a_second_signature_of_one_custodian_is_malformed_when_it_is_put_there_by_hand(kind: str) -> None:
    """ML-DSA signs otherwise each time; the header is the same, so there is no place for it."""
    statement, again = BEGUN[kind]().statement, BEGUN[kind]().statement
    assert statement.signatures[0].signature != again.signatures[0].signature
    entries = sorted([s.header_bytes, s.signature] for s in (*statement.signatures, *again.signatures))
    with pytest.raises(Malformed, match="ascending"):
        read_unfinished(pack([statement.type, statement.body, entries]), AT_HAND)


@KINDS
@pytest.mark.parametrize("stranger", ["a stranger", "a custodian of another party", "the body's own key"])
def test_who_is_no_custodian_does_not_sign(kind: str, stranger: str) -> None:
    keys = {"a stranger": key("Saule"), "a custodian of another party": signing_key("BYroot"), "the body's own key": signing_key("body")}
    begun = BEGUN[kind]()
    with pytest.raises(Refused, match="that of no custodian of the root of KZ"):
        add_signature(begun, keys[stranger], AT_HAND)
    with pytest.raises(Refused, match="that of no custodian of the root of KZ"):
        to_sign(begun, keys[stranger].key_digest, AT_HAND)


@KINDS
def test_what_is_complete_needs_no_more(kind: str) -> None:
    begun = BEGUN[kind]()
    for name in ("Bolat", "Dana"):
        begun = add_signature(begun, key(name), AT_HAND)
    for name in ("Erlan", "Aliya"):
        with pytest.raises(Refused, match=f"enough custodians of KZ have signed this {kind}"):
            add_signature(begun, key(name), AT_HAND)


@KINDS
def test_every_signature_is_verified_before_one_is_added(kind: str) -> None:
    statement = add_signature(BEGUN[kind](), key("Bolat"), AT_HAND).statement
    for index in range(2):
        for at in (9, -1):
            entries = [[s.header_bytes, flipped(s.signature, at) if n == index else s.signature] for n, s in enumerate(statement.signatures)]
            with pytest.raises(NotAuthentic, match="does not verify"):
                read_unfinished(pack([statement.type, statement.body, entries]), AT_HAND)


@pytest.mark.parametrize("kind", [kind for kind in BEGUN if kind != "root"])
def test_the_root_in_whose_name_it_is_signed_is_at_hand(kind: str) -> None:
    raw = BEGUN[kind]().statement.raw
    for roots in ({}, {OTHER.digest: OTHER}):
        with pytest.raises(NotAuthentic, match="that is not at hand"):
            read_unfinished(raw, roots)


def test_nothing_else_is_signed_by_custodians() -> None:
    kz = party("KZ")
    officer = kz.officer("officer").credential
    roster = kz.roster()
    for raw in (person("Aliya")[1].raw, roster.raw):
        with pytest.raises(Malformed):
            read_unfinished(raw, AT_HAND)
    with pytest.raises(NotAuthentic, match="that is not at hand"):
        read_unfinished(officer.raw, {kz.root.digest: kz.root})


def test_what_is_unfinished_is_accepted_nowhere_else() -> None:
    two = add_signature(BEGUN["root"](), key("Bolat"), {})
    for read in (lambda: read_root(two.statement.raw), lambda: roots_in(two.statement.raw)):
        with pytest.raises(NotAuthentic, match="2 custodians of the root of KZ signed, and 3 of 5 are needed"):
            read()
    certify = add_signature(BEGUN["credential"](), key("Bolat"), AT_HAND)
    with pytest.raises(NotAuthentic, match="2 custodians"):
        check_credential(certify.statement, ROOT)
    assert check_credential(add_signature(certify, key("Dana"), AT_HAND).statement, ROOT).purpose == "certify"


def test_what_an_old_version_began_is_begun_anew() -> None:
    """It was begun in the name of version 1, and who signs knows that version 2 is there."""
    second = finished(signed_by(begin_root(next_draft(), key("Aliya"), ROOT), "Bolat", "Dana", roots=AT_HAND))
    both = {**AT_HAND, second.digest: second}
    for kind in ("credential", "agreement", "termination"):
        with pytest.raises(Refused, match="begun in the name of version 1 of the root of KZ, which 2 replaced"):
            add_signature(BEGUN[kind](), key("Bolat"), both)


# -- roots ----------------------------------------------------------------------------------------------------------------


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


# -- versions -------------------------------------------------------------------------------------------------------------


def next_draft(**changes: Any) -> Any:
    """Version 2: Erlan leaves, Saule comes, and Gulnar has another key."""
    again = person("Gulnar's new key", known=person("Gulnar")[1].subject)[1]
    said = {"requests": [*requests("Saule"), again], "remove": [person("Erlan")[1].subject], "valid_from": NOW, "valid_until": END + YEAR}
    return draft_next_root(ROOT, **{**said, **changes})


def begin_next(name: str, **changes: Any) -> Unfinished:
    return begin_root(next_draft(**changes), key(name), ROOT)


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


# -- credentials, agreements, terminations --------------------------------------------------------------------------------


def test_a_root_issues_nothing_that_it_may_not() -> None:
    for change in ({"purpose": "seal"}, {"body": Body("BY", "BY-GOV")}, {"clearance": "9"}, {"valid_until": END + 1}, {"valid_from": BEGIN - 1}):
        with pytest.raises(Refused):
            begin_credential(body_draft(**change), ROOT, key("Aliya"))


def test_a_custodian_s_key_is_certified_for_nothing_else() -> None:
    with pytest.raises(Refused, match="the key of a custodian is certified for nothing else"):
        begin_credential(body_draft(public_key=key("Erlan").public), ROOT, key("Aliya"))


def test_a_custodian_s_key_in_a_credential_condemns_the_roster() -> None:
    """Also when the credential came first, and the custodian after it."""
    kz = party("KZ")
    draft = RequestDraft(subject=subject("new"), party="KZ", body_id=None, names={"en": "x"}, keys={CUSTODIAN: kz.body.key.public}, made_at=NOW)
    said = draft_next_root(kz.root, requests=[make_request(draft, [kz.body.key])], valid_from=BEGIN, valid_until=END)
    second = finished(begin_root(said, kz.key, kz.root))
    publisher = begin_credential(body_draft(purpose="roster", public_key=signing_key("p").public, clearance=None), second, kz.key)
    with pytest.raises(Refused, match="a custodian's key is in a credential"):
        make_roster(
            version=2,
            issued_at=NOW,
            expires_at=NOW + YEAR,
            roots=[kz.root, second],
            credentials=[kz.body.credential, kz.publisher.credential],
            signer=check_credential(publisher.statement, second),
            key=signing_key("p"),
        )


def test_an_agreement_needs_both_parties() -> None:
    begun = begin_agreement(profile(), ROOT, key("Aliya"))
    assert (begun.unknown, begun.complete) == (("BY",), False)
    both = {**AT_HAND, OTHER.digest: OTHER}
    known = read_unfinished(begun.statement.raw, both)
    assert [(share.root.party, share.missing) for share in known.shares] == [("BY", 1), ("KZ", 2)]
    done = add_signature(signed_by(known, "Bolat", "Dana", roots=both), signing_key("BYroot"), both)
    assert done.complete
    assert done.unknown == ()


def test_an_agreement_is_signed_by_its_parties_alone() -> None:
    third = root_of("UZ")
    with pytest.raises(Refused, match="UZ is not a party"):
        begin_agreement(profile(), third, signing_key("UZroot"))
    otherwise = finished(signed_by(begin_root(first(degrees=DEGREES[::-1]), key("Aliya")), "Bolat", "Dana"))
    with pytest.raises(Refused, match="orders the marks of KZ otherwise"):
        begin_agreement(profile(), otherwise, key("Aliya"))


def test_an_agreement_signed_by_two_versions_of_one_root_is_not_authentic() -> None:
    second = finished(signed_by(begin_root(next_draft(), key("Aliya"), ROOT), "Bolat", "Dana", roots=AT_HAND))
    one, two = begin_agreement(profile(), ROOT, key("Aliya")).statement, begin_agreement(profile(), second, key("Bolat")).statement
    entries = sorted([s.header_bytes, s.signature] for s in (*one.signatures, *two.signatures))
    with pytest.raises(NotAuthentic, match="is signed by KZ and KZ"):
        read_unfinished(pack([one.type, one.body, entries]), {**AT_HAND, second.digest: second})


def test_a_termination_says_what_it_ends() -> None:
    said = BEGUN["termination"]().says
    assert isinstance(said, TerminationDraft)
    assert (said.agreement, said.party, said.takes_effect_at) == (agreement().digest, "KZ", NOW + YEAR)
    with pytest.raises(Refused, match="cannot take effect before it is given"):
        begin_termination(agreement(), ROOT, key("Aliya"), given_at=NOW, takes_effect_at=NOW - 1)
    with pytest.raises(Refused, match="UZ is not a party"):
        begin_termination(agreement(), root_of("UZ"), signing_key("UZroot"), given_at=NOW, takes_effect_at=NOW)


def test_a_statement_in_the_name_of_two_roots_is_not_authentic() -> None:
    """But for a root and an agreement."""
    one = begin_termination(agreement(), ROOT, key("Aliya"), given_at=NOW, takes_effect_at=NOW).statement
    two = begin_termination(agreement(), OTHER, signing_key("BYroot"), given_at=NOW, takes_effect_at=NOW).statement
    entries = sorted([s.header_bytes, s.signature] for s in (*one.signatures, *two.signatures))
    with pytest.raises(NotAuthentic, match="in the name of one root, and this one of several"):
        read_unfinished(pack([one.type, one.body, entries]), {**AT_HAND, OTHER.digest: OTHER})


# -- reading --------------------------------------------------------------------------------------------------------------


def test_roots_are_read_from_roots_and_rosters() -> None:
    assert roots_in(ROOT.raw) == (ROOT,)
    assert roots_in(party("KZ").roster().raw) == (root_of("KZ"),)
    assert latest_root([root_of("KZ"), OTHER], "BY") == OTHER
    assert latest_root([], "BY") is None


def test_what_a_file_claims_of_a_root() -> None:
    (begun,) = claims(BEGUN["root"]().statement.raw)
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
