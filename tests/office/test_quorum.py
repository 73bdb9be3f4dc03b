"""Custodians sign one after the other: whatever is begun, nobody signs twice, nobody signs who may not, and only a quorum finishes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from tests.support.keys import BEGIN, DEGREES, END, NOW, YEAR, flipped, party, root_of, signing_key, subject
from tests.support.quorum import AT_HAND, OTHER, ROOT, agreement, body_draft, finished, first, key, next_draft, person, profile, signed_by

from valiza.envelope.agreement import TerminationDraft
from valiza.keys.credential import check_credential
from valiza.keys.encoding import pack
from valiza.keys.errors import Malformed, NotAuthentic, Refused
from valiza.keys.fields import Body
from valiza.keys.request import CUSTODIAN, RequestDraft, make_request
from valiza.keys.root import read_root
from valiza.keys.roster import make_roster
from valiza.office.quorum import (
    Unfinished,
    add_signature,
    begin_agreement,
    begin_credential,
    begin_root,
    begin_termination,
    read_unfinished,
    to_sign,
)
from valiza.office.roots import draft_next_root, roots_in

if TYPE_CHECKING:
    from collections.abc import Callable


BEGUN: Final[dict[str, Callable[[], Unfinished]]] = {
    "root": lambda: begin_root(first(), key("Aliya")),
    "credential": lambda: begin_credential(body_draft(), ROOT, key("Aliya")),
    "agreement": lambda: begin_agreement(profile(), ROOT, key("Aliya")),
    "termination": lambda: begin_termination(agreement(), ROOT, key("Aliya"), given_at=NOW, takes_effect_at=NOW + YEAR),
}
KINDS: Final = pytest.mark.parametrize("kind", BEGUN)


# -- one after the other -------------------------------------------------------------------------------------------------


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


# -- credentials, agreements, terminations -------------------------------------------------------------------------------


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
