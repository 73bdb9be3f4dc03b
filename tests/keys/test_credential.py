"""Credentials: each step of credential.md, Checking a credential, with the outcome that it says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.support.keys import (
    BEGIN,
    END,
    Holder,
    credential_items,
    flipped,
    identity,
    issue,
    key_of,
    log_key,
    naming_another_key,
    party,
    reassembled,
    root_of,
    signed,
    signing_key,
    subject,
)

from valiza.keys import labels
from valiza.keys.credential import (
    MAX_CHAIN,
    PURPOSES,
    ROLE_PURPOSE,
    Credential,
    CredentialDraft,
    check_credential,
    kind_of,
    public_key,
    read_credential_body,
    signs,
    verify_by_credential,
)
from valiza.keys.digests import digest
from valiza.keys.encoding import pack
from valiza.keys.errors import Malformed, NotAuthentic, Refused
from valiza.keys.fields import Body
from valiza.keys.signing import SigningKey

if TYPE_CHECKING:
    from valiza.keys.root import Root
    from valiza.keys.statement import Statement

SPECS: Final = Path(__file__).resolve().parents[2] / "specs"
KZ: Final = party("KZ")
ROOT, ROOT_KEY = KZ.root, KZ.key
BODY: Final = KZ.body.credential  # certifies bodies, clearance 1
AUTHORISED: Final = Body("KZ", "KZ-MFA")
SIGNING: Final = tuple(p for p in PURPOSES if signs(p))
OFFICERS: Final = tuple(p for p in PURPOSES if p not in {"certify", "roster"})


def certifier(issuer: Root | Credential = BODY, key: Any = KZ.body.key, body: Body = AUTHORISED, **changes: Any) -> Holder:
    """A body's `certify` credential."""
    return issue(issuer, key, str(body), "certify", body=body, **{"clearance": "2", **changes})


def by_body(**changes: Any) -> Statement:
    """A credential of any content that KZ/KZ-GOV signed."""
    return signed(labels.CREDENTIAL, "issuer", credential_items(**changes), BODY.digest, KZ.body.key)


def by_root(**changes: Any) -> Statement:
    """A credential of any content that the root signed."""
    return signed(labels.CREDENTIAL, "issuer", credential_items(**changes), ROOT.digest, ROOT_KEY)


# -- good ones ------------------------------------------------------------------------------------------------------------


def test_a_credential_says_what_it_was_made_to_say() -> None:
    found = check_credential(by_body(extensions={"~note": 1}), BODY)
    assert (found.subject, found.body, found.names) == (subject("officer"), Body("KZ", "KZ-GOV"), {"en": "officer"})
    assert (found.purpose, found.clearance, found.certifies_bodies) == ("seal", "2", False)
    assert (found.valid_from, found.valid_until, found.extensions) == (BEGIN, END, {"~note": 1})
    assert found.verify_key.raw == signing_key("officer seal").public
    assert (found.issuer, found.root, found.depth) == (BODY, ROOT, 2)


@pytest.mark.parametrize("key", [ROOT_KEY, signing_key("anybody")], ids=["signed", "not yet"])
def test_what_a_root_s_credential_is_to_say_is_read_whoever_signed_it(key: Any) -> None:
    own = signing_key("new body").public
    said = credential_items(purpose="certify", certifies_bodies=True, public_key=[labels.KIND_SIGNATURE, own])
    assert read_credential_body(signed(labels.CREDENTIAL, "issuer", said, ROOT.digest, key), ROOT) == CredentialDraft(
        subject=subject("officer"),
        body=Body("KZ", "KZ-GOV"),
        names={"en": "officer"},
        purpose="certify",
        public_key=own,
        clearance="2",
        certifies_bodies=True,
        valid_from=BEGIN,
        valid_until=END,
    )


def test_of_a_draft_the_key_is_checked() -> None:
    with pytest.raises(Malformed, match="Ed25519 half"):
        read_credential_body(by_root(purpose="certify", public_key=[labels.KIND_SIGNATURE, signing_key("x").public[:-32] + bytes(32)]), ROOT)


@pytest.mark.parametrize(("purpose", "opens"), [("act", False), ("open", True), ("register", False), ("seal", False)])
def test_a_half_of_a_key_that_opens_is_never_one_of_a_key_that_signs(purpose: str, opens: bool) -> None:  # noqa: FBT001 - a parameter
    found = KZ.officer("officer", purpose).credential
    lattice, half = found.key.halves
    assert found.outline.halves == ((opens, lattice), (opens, half))


def test_what_was_read_twice_is_the_same() -> None:
    statement = by_body()
    assert check_credential(statement, BODY) == check_credential(statement, BODY)
    assert check_credential(statement, BODY) != check_credential(by_body(), BODY), "signed again"


def test_a_credential_is_named_by_all_its_bytes() -> None:
    statement = by_body()
    assert check_credential(statement, BODY).digest == digest(labels.DIGEST_STATEMENT, statement.raw)


@pytest.mark.parametrize("purpose", OFFICERS)
def test_a_body_gives_its_officers_every_purpose_but_those_of_a_body(purpose: str) -> None:
    assert KZ.officer("officer", purpose).credential.purpose == purpose


def test_a_chain_has_up_to_three_links() -> None:
    authorised = certifier()
    officer = issue(authorised.credential, authorised.key, "officer", "open")
    assert [c.depth for c in (BODY, authorised.credential, officer.credential)] == [1, 2, 3]
    assert officer.credential.depth == MAX_CHAIN
    assert officer.credential.root is ROOT


def test_a_title_is_english_or_the_first_name() -> None:
    assert KZ.officer("a", names={"be": "Афіцэр", "en": "Officer"}).credential.title == "Officer"
    assert KZ.officer("a", names={"be": "Афіцэр", "ru": "Офицер"}).credential.title == "Афіцэр"


# -- 1 and 2: who issued it -----------------------------------------------------------------------------------------------


def test_an_issuer_that_did_not_sign_is_not_the_issuer() -> None:
    other = certifier().credential
    for issuer in (ROOT, root_of("BY"), root_of("KZ", "another root"), other, party("BY").body.credential):
        with pytest.raises(NotAuthentic):
            check_credential(by_body(), issuer)
    with pytest.raises(NotAuthentic):
        check_credential(by_root(purpose="certify"), BODY)


def test_an_issuers_signature_is_by_the_issuers_key() -> None:
    for statement, issuer in (
        (signed(labels.CREDENTIAL, "issuer", credential_items(), BODY.digest, signing_key("another")), BODY),
        (signed(labels.CREDENTIAL, "issuer", credential_items(purpose="certify"), ROOT.digest, signing_key("another")), ROOT),
    ):
        with pytest.raises(NotAuthentic):
            check_credential(statement, issuer)


def test_nobody_signs_beside_an_issuer_who_is_no_root() -> None:
    """A second signature would be one that nobody looked at."""
    with pytest.raises(NotAuthentic, match="several sign only for a root"):
        issue(BODY, KZ.body.key, "officer", "seal", keys=[signing_key("another")])


@pytest.mark.parametrize("place", [0, 3308, 3309, 3372])
def test_no_half_of_the_signature_may_be_broken(place: int) -> None:
    good = by_body()
    with pytest.raises(NotAuthentic):
        check_credential(reassembled(good, signature=flipped(good.signatures[0].signature, place)), BODY)


def test_the_signature_is_checked_before_the_body_is_decoded() -> None:
    """What nobody signed is not authentic, however malformed it is (P1)."""
    good = by_body()
    for body in (b"", b"\xc1", pack(credential_items(names={})), pack([])):
        with pytest.raises(NotAuthentic):
            check_credential(reassembled(good, body=body), BODY)


@pytest.mark.parametrize("purpose", [p for p in OFFICERS if signs(p)])
def test_only_a_certify_credential_issues(purpose: str) -> None:
    officer = KZ.officer("officer", purpose)
    with pytest.raises(NotAuthentic):
        issue(officer.credential, officer.key, "another", "seal")


def test_neither_the_roster_credential_nor_a_key_that_signs_no_statement_issues() -> None:
    with pytest.raises(NotAuthentic):
        issue(KZ.publisher.credential, KZ.publisher.key, "another", "seal")
    for purpose in ("open", "register"):
        officer = KZ.officer("officer", purpose)
        with pytest.raises(NotAuthentic):
            issue(officer.credential, officer.key, "another", "seal")


# -- form -----------------------------------------------------------------------------------------------------------------

MALFORMED: Final[dict[str, dict[str, Any]]] = {
    "subject short": {"subject": bytes(15)},
    "subject long": {"subject": bytes(17)},
    "subject text": {"subject": "a" * 16},
    "party in small letters": {"party": "kz"},
    "body in small letters": {"body_id": "kz-gov"},
    "no name": {"names": {}},
    "purpose unknown": {"purpose": "sign"},
    "purpose as bytes": {"purpose": b"seal"},
    "seal with an opening key": {"public_key": [labels.KIND_ENCRYPTION, identity("x").public]},
    "open with a signing key": {"purpose": "open"},
    "kind unknown": {"public_key": ["Ed25519", bytes(32)]},
    "kind of the other": {"public_key": [labels.KIND_ENCRYPTION, signing_key("x").public]},
    "opening key with the kind of a signing key": {"purpose": "open", "public_key": [labels.KIND_SIGNATURE, identity("x").public]},
    "signing key with a point of low order": {"public_key": [labels.KIND_SIGNATURE, signing_key("x").public[:-32] + bytes(32)]},
    "opening key with a point of low order": {"purpose": "open", "public_key": [labels.KIND_ENCRYPTION, identity("x").public[:-32] + bytes(32)]},
    "seal with a register's key": {"public_key": [labels.KIND_LOG, log_key("x").public]},
    "open with a register's key": {"purpose": "open", "public_key": [labels.KIND_LOG, log_key("x").public]},
    "register with a signing key": {"purpose": "register"},
    "register with an opening key": {"purpose": "register", "public_key": [labels.KIND_ENCRYPTION, identity("x").public]},
    "register's key with the kind of a signing key": {"purpose": "register", "public_key": [labels.KIND_SIGNATURE, log_key("x").public]},
    "register's key with a point of low order": {"purpose": "register", "public_key": [labels.KIND_LOG, log_key("x").public[:-32] + bytes(32)]},
    "register's key with the half of a signing key": {"purpose": "register", "public_key": [labels.KIND_LOG, signing_key("x").public]},
    "key inline": {"public_key": signing_key("x").public},
    "clearance as number": {"clearance": 2},
    "clearance empty": {"clearance": ""},
    "certifies bodies as number": {"certifies_bodies": 0},
    "certifies bodies nil": {"certifies_bodies": None},
    "certifies bodies without purpose certify": {"certifies_bodies": True},
    "valid for no time": {"valid_until": BEGIN},
    "valid backwards": {"valid_from": END, "valid_until": BEGIN},
    "a time too late": {"valid_until": 253402300800},
    "an unknown extension": {"extensions": {"note": 1}},
}


@pytest.mark.parametrize("change", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed(change: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        check_credential(by_body(**change), BODY)


def test_a_key_is_checked_when_it_is_read_unless_it_was_before() -> None:
    for kind, purpose, good in (
        (labels.KIND_SIGNATURE, "seal", signing_key("x").public),
        (labels.KIND_ENCRYPTION, "open", identity("x").public),
        (labels.KIND_LOG, "register", log_key("x").public),
    ):
        bad = good[:-32] + bytes(32)
        assert public_key([kind, bad], purpose, checked=True).raw == bad
        with pytest.raises(Malformed):
            public_key([kind, bad], purpose)


@pytest.mark.parametrize("purpose", [p for p in OFFICERS if signs(p)])
def test_an_officer_certifies_no_bodies(purpose: str) -> None:
    with pytest.raises(Malformed, match="only a certify credential certifies bodies"):
        check_credential(by_body(purpose=purpose, certifies_bodies=True), BODY)


def test_a_roster_credential_certifies_no_bodies() -> None:
    with pytest.raises(Malformed):
        check_credential(by_root(purpose="roster", certifies_bodies=True), ROOT)


@pytest.mark.parametrize("body", [[], credential_items()[:-1], [*credential_items(), {}], {}, 0], ids=["empty", "ten", "twelve", "map", "number"])
def test_a_body_of_another_form_is_malformed(body: Any) -> None:
    with pytest.raises(Malformed):
        check_credential(signed(labels.CREDENTIAL, "issuer", body, BODY.digest, KZ.body.key), BODY)


# -- 3: party -------------------------------------------------------------------------------------------------------------


def test_nobody_issues_for_another_party() -> None:
    for other in ("BY", "UZ"):
        for statement, issuer in ((by_body(party=other), BODY), (by_root(party=other, purpose="certify"), ROOT)):
            with pytest.raises(Refused, match="another party, KZ"):
                check_credential(statement, issuer)


# -- 4: what an issuer may issue ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("purpose", OFFICERS)
def test_a_root_issues_to_no_officer(purpose: str) -> None:
    with pytest.raises(Refused):
        check_credential(by_root(purpose=purpose, public_key=[kind_of(purpose), key_of("x", purpose)]), ROOT)


@pytest.mark.parametrize("purpose", ["certify", "roster"])
def test_a_root_issues_to_bodies_and_for_the_roster(purpose: str) -> None:
    assert check_credential(by_root(purpose=purpose, body_id="KZ-ANY"), ROOT).depth == 1


@pytest.mark.parametrize("purpose", ["certify", "roster"])
def test_a_body_gives_its_own_powers_to_nobody_of_its_own(purpose: str) -> None:
    with pytest.raises(Refused):
        check_credential(by_body(purpose=purpose), BODY)


@pytest.mark.parametrize("purpose", [p for p in PURPOSES if p != "certify"])
def test_a_body_issues_to_no_officer_of_another_body(purpose: str) -> None:
    with pytest.raises(Refused):
        check_credential(by_body(purpose=purpose, body_id="KZ-MFA", public_key=[kind_of(purpose), key_of("x", purpose)]), BODY)


def test_a_body_certifies_another_only_if_it_certifies_bodies() -> None:
    plain = certifier(ROOT, ROOT_KEY, Body("KZ", "KZ-PLAIN"))
    with pytest.raises(Refused):
        certifier(plain.credential, plain.key)
    assert certifier().credential.body == AUTHORISED


def test_what_a_body_certifies_does_not_certify_bodies_itself() -> None:
    with pytest.raises(Refused):
        certifier(certifies_bodies=True)
    authorised = certifier()
    with pytest.raises(Refused):
        certifier(authorised.credential, authorised.key, Body("KZ", "KZ-THIRD"))


# -- 5: clearance ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("clearance", [None, "1", "2", "3"])
def test_the_root_gives_any_of_its_degrees(clearance: str | None) -> None:
    assert check_credential(by_root(purpose="certify", clearance=clearance), ROOT).clearance == clearance


@pytest.mark.parametrize("clearance", ["0", "4", "secret", "01"])
def test_nobody_gives_what_is_no_degree(clearance: str) -> None:
    for statement, issuer in ((by_root(purpose="certify", clearance=clearance), ROOT), (by_body(clearance=clearance), BODY)):
        with pytest.raises(Refused):
            check_credential(statement, issuer)


@pytest.mark.parametrize(("own", "given"), [("2", "2"), ("2", "3"), ("3", "3"), ("1", "1"), ("1", None), (None, None)])
def test_an_issuer_gives_its_own_clearance_or_less(own: str | None, given: str | None) -> None:
    authorised = certifier(clearance=own)
    assert issue(authorised.credential, authorised.key, "officer", "seal", clearance=given).credential.clearance == given


@pytest.mark.parametrize(("own", "given"), [("2", "1"), ("3", "2"), ("3", "1"), (None, "3"), (None, "1")])
def test_no_chain_widens_a_clearance(own: str | None, given: str) -> None:
    authorised = certifier(clearance=own)
    with pytest.raises(Refused):
        issue(authorised.credential, authorised.key, "officer", "seal", clearance=given)


@pytest.mark.parametrize(("clearance", "reached"), [("1", ["1", "2", "3"]), ("2", ["2", "3"]), ("3", ["3"]), (None, [])])
def test_a_clearance_reaches_its_degree_and_the_less_secret(clearance: str | None, reached: list[str]) -> None:
    found = KZ.officer("officer", clearance=clearance).credential
    assert [degree for degree in ("0", "1", "2", "3", "4") if found.cleared_to(degree)] == reached


# -- 6: validity ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", [{"valid_from": BEGIN - 1}, {"valid_until": END + 1}], ids=str)
def test_no_chain_widens_a_validity(change: dict[str, int]) -> None:
    for statement, issuer in ((by_root(purpose="certify", **change), ROOT), (by_body(**change), BODY)):
        with pytest.raises(Refused):
            check_credential(statement, issuer)


def test_valid_from_the_first_second_up_to_not_including_the_last() -> None:
    found = KZ.officer("officer", valid_from=BEGIN + 10, valid_until=BEGIN + 20).credential
    for at in (BEGIN + 10, BEGIN + 19):
        found.require_valid(at, "sealing")
    for at, state in ((BEGIN + 9, "not yet valid"), (BEGIN + 20, "expired")):
        with pytest.raises(Refused, match=state):
            found.require_valid(at, "sealing")


# -- who signed a statement -----------------------------------------------------------------------------------------------

ROLE_TYPES: Final = {
    "issuer": labels.CREDENTIAL,
    "roster": labels.ROSTER,
    "sealer": labels.DISPATCH,
    "acknowledger": labels.ACKNOWLEDGEMENT,
    "countersigner": labels.RECEIPT,
    "transport": labels.HANDOVER,
    "clerk": labels.OVERDUE,
}


def holder(purpose: str) -> Holder:
    return {"certify": KZ.body, "roster": KZ.publisher}.get(purpose) or KZ.officer("officer", purpose)


@pytest.mark.parametrize("role", ROLE_TYPES)
@pytest.mark.parametrize("purpose", PURPOSES)
def test_a_role_is_signed_with_the_purpose_that_fits_it_and_no_other(role: str, purpose: str) -> None:
    signer = holder(purpose)
    statement = signed(ROLE_TYPES[role], role, ["said"], signer.credential.digest, signer.key)
    if ROLE_PURPOSE[role] == purpose:
        verify_by_credential(statement, signer.credential)
    else:
        with pytest.raises(NotAuthentic):
            verify_by_credential(statement, signer.credential)


def test_a_statement_names_its_signers_credential_and_key() -> None:
    """Whichever of two digests is the greater one."""
    one, other = KZ.officer("officer"), KZ.officer("colleague")
    for signer, colleague in ((one, other), (other, one)):
        with pytest.raises(NotAuthentic, match="cannot sign as sealer"):
            verify_by_credential(signed(labels.DISPATCH, "sealer", ["said"], colleague.credential.digest, signer.key), signer.credential)
        with pytest.raises(NotAuthentic, match="names another key"):
            verify_by_credential(signed(labels.DISPATCH, "sealer", ["said"], signer.credential.digest, colleague.key), signer.credential)
        good = signed(labels.DISPATCH, "sealer", ["said"], signer.credential.digest, signer.key)
        with pytest.raises(NotAuthentic, match="names another key"):
            verify_by_credential(naming_another_key(good, signer.key, colleague.key), signer.credential)


def test_a_renewed_credential_with_the_same_key_is_another_signer() -> None:
    """The header names the credential, so that its validity and clearance are those that count."""
    old, new = (KZ.officer("officer", valid_until=END - i) for i in range(2))
    assert old.key.public == new.key.public
    with pytest.raises(NotAuthentic):
        verify_by_credential(signed(labels.DISPATCH, "sealer", ["said"], old.credential.digest, old.key), new.credential)


def test_an_opening_key_signs_nothing_and_to_a_signing_key_nothing_is_sealed() -> None:
    opener, sealer = KZ.officer("officer", "open").credential, KZ.officer("officer").credential
    assert opener.recipient.raw == identity("officer").public
    with pytest.raises(NotAuthentic):
        _ = opener.verify_key
    with pytest.raises(Refused):
        _ = sealer.recipient


def test_a_registers_key_signs_no_statement_and_is_sealed_to_by_nobody() -> None:
    register, sealer = KZ.officer("officer", "register").credential, KZ.officer("officer").credential
    assert register.log_key.raw == log_key("officer").public
    assert "register" not in ROLE_PURPOSE.values()
    assert [p for p in PURPOSES if not signs(p)] == ["open", "register"]
    with pytest.raises(NotAuthentic, match="signs no statement"):
        _ = register.verify_key
    with pytest.raises(Refused):
        _ = register.recipient
    for other in (sealer, KZ.officer("officer", "open").credential):
        with pytest.raises(NotAuthentic, match="signs for no register"):
            _ = other.log_key


@pytest.mark.parametrize("role", ROLE_TYPES)
def test_not_even_a_composite_of_a_registers_seed_signs_in_its_name(role: str) -> None:
    """Who has a register's seed makes of it a signing key with the same Ed25519 half."""
    credential, key = KZ.officer("officer", "register").credential, SigningKey(log_key("officer").seed)
    assert key.public[-32:] == credential.log_key.ed25519
    statement = signed(ROLE_TYPES[role], role, ["said"], credential.digest, key)
    with pytest.raises(NotAuthentic, match="a register credential cannot sign as"):
        verify_by_credential(statement, credential)


@pytest.mark.checkout
def test_purposes_and_roles_are_those_of_the_specification() -> None:
    page = (SPECS / "credential.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^- \*\*purpose\*\*: one of (.*)\.$", page, re.MULTILINE)
    assert tuple(re.findall(r"`([a-z]+)`", line)) == PURPOSES
    rows = re.findall(r"^\| `([a-z]+)` \| `([a-z]+)`", (SPECS / "statement.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert dict(rows) == ROLE_PURPOSE
