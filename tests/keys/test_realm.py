"""Realms: what a rehearsal makes is good in a rehearsal, and malformed or not authentic everywhere else; and the other way round."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.support.keys import BEGIN, DEGREES, END, counting, root_of, signing_key, subject

from valiza.keys import labels
from valiza.keys.credential import CredentialDraft, check_credential, issue_credential
from valiza.keys.encoding import pack, unpack
from valiza.keys.errors import Malformed, NotAuthentic
from valiza.keys.fields import Body
from valiza.keys.keyfile import Argon2Cost, load_key, public_part, save_key
from valiza.keys.realm import Realm
from valiza.keys.root import Custodian, Root, RootDraft, by_quorum, make_root, read_root, require_succession, signing_public_key
from valiza.keys.signing import SigningKey, VerifyKey
from valiza.keys.statement import LIMITS, read_statement, sign_statement

if TYPE_CHECKING:
    from pathlib import Path

PEOPLE: Final = ("Aliya", "Bolat", "Dana")
BOTH: Final = pytest.mark.parametrize("realm", list(Realm))


def key_of(name: str, realm: Realm) -> SigningKey:
    return SigningKey(signing_key(name).seed, realm)


def draft(realm: Realm, **changes: Any) -> RootDraft:
    custodians = tuple(Custodian(id=subject(name), names={"en": name}, key=VerifyKey(key_of(name, realm).public, realm)) for name in PEOPLE)
    said = {"party": "KZ", "names": {"en": "KZ"}, "degrees": DEGREES, "custodians": custodians, "threshold": 2}
    return RootDraft(**{**said, "valid_from": BEGIN, "valid_until": END, **changes})


def root(realm: Realm) -> Root:
    return make_root(draft(realm), [key_of(name, realm) for name in PEOPLE[:2]])


def other(realm: Realm) -> Realm:
    return Realm.REHEARSAL if realm is Realm.ORDINARY else Realm.ORDINARY


def body_credential(issuer: Root, realm: Realm) -> CredentialDraft:
    return CredentialDraft(
        subject=subject("body"),
        body=Body("KZ", "KZ-GOV"),
        names={"en": "Ministry"},
        purpose="certify",
        public_key=signing_key("body").public,
        clearance="1",
        valid_from=BEGIN,
        valid_until=issuer.valid_until,
        realm=realm,
    )


@BOTH
def test_labels_and_kinds_of_a_realm(realm: Realm) -> None:
    begins = {Realm.ORDINARY: ("valiza/v1/", ""), Realm.REHEARSAL: ("valiza/rehearsal/", "rehearsal/")}[realm]
    assert [realm.label(type_) for type_ in LIMITS] == [begins[0] + type_.removeprefix("valiza/v1/") for type_ in LIMITS]
    assert realm.kind("MLDSA65-Ed25519") == f"{begins[1]}MLDSA65-Ed25519"


@BOTH
def test_a_root_is_read_in_its_realm_only(realm: Realm) -> None:
    made = root(realm)
    assert (read_root(made.raw, realm).digest, made.realm) == (made.digest, realm)
    assert unpack(made.raw, max_bytes=1 << 20, what="it")[0] == realm.label(labels.ROOT)
    with pytest.raises(Malformed, match="statement type") as told:
        read_root(made.raw, other(realm))
    assert "rehearsal" in told.value.hint
    assert root(other(realm)).digest != made.digest


def test_a_rehearsal_relabelled_is_not_what_was_signed() -> None:
    """Neither with the other type alone, nor with the other kinds of key too."""
    type_, body, signatures = unpack(root(Realm.REHEARSAL).raw, max_bytes=1 << 20, what="it")
    assert type_ == "valiza/rehearsal/root"
    with pytest.raises(Malformed, match="kind of public key"):
        read_root(pack([labels.ROOT, body, signatures]))
    with pytest.raises(NotAuthentic):
        read_root(pack([labels.ROOT, draft(Realm.ORDINARY).body, signatures]))


@BOTH
def test_a_key_of_the_other_realm_signs_nothing_here(realm: Realm) -> None:
    with pytest.raises(NotAuthentic):
        make_root(draft(realm), [key_of(name, other(realm)) for name in PEOPLE])


def test_no_root_has_custodians_of_both_realms() -> None:
    mixed = draft(Realm.ORDINARY).custodians[:1] + draft(Realm.REHEARSAL).custodians[1:]
    for realm in Realm:
        with pytest.raises(Malformed, match="kind of public key"):
            make_root(draft(realm, custodians=mixed), [key_of(name, realm) for name in PEOPLE])


@BOTH
def test_versions_follow_one_another_in_one_realm(realm: Realm) -> None:
    first = root(realm)
    keys = [key_of(name, realm) for name in PEOPLE]
    after = make_root(draft(realm, version=2, previous=first.digest), keys, old=first, old_keys=keys)
    require_succession(read_root(after.raw, realm), first)
    here = draft(other(realm), version=2, previous=first.digest)
    with pytest.raises((Malformed, NotAuthentic)):
        make_root(here, [key_of(name, other(realm)) for name in PEOPLE], old=first, old_keys=keys)


@BOTH
def test_a_credential_is_of_its_root_s_realm(realm: Realm) -> None:
    issuer = root(realm)
    keys = [key_of(name, realm) for name in PEOPLE]
    issued = issue_credential(body_credential(issuer, realm), issuer=issuer, keys=keys)
    assert issued.realm is realm
    assert read_statement(issued.raw, labels.CREDENTIAL, realm=realm).type == realm.label(labels.CREDENTIAL)
    with pytest.raises(Malformed, match="statement type"):
        read_statement(issued.raw, labels.CREDENTIAL, realm=other(realm))
    with pytest.raises(Malformed, match="kind of public key"):
        issue_credential(body_credential(issuer, other(realm)), issuer=issuer, keys=keys)


def test_a_rehearsed_root_issues_nothing_that_is_meant() -> None:
    """Not even with a credential in the ordinary form, and keys that sign it as such."""
    issuer = root(Realm.REHEARSAL)
    meant = dataclasses.replace(body_credential(issuer, Realm.ORDINARY))
    signers = by_quorum("issuer", issuer, [key_of(name, Realm.ORDINARY) for name in PEOPLE])
    with pytest.raises(NotAuthentic):
        check_credential(sign_statement(labels.CREDENTIAL, meant.packed(), signers), issuer)


@BOTH
def test_a_public_key_is_read_in_its_realm_only(realm: Realm) -> None:
    packed = VerifyKey(signing_key("a").public, realm).packed
    assert signing_public_key(packed, realm).packed == packed
    with pytest.raises(Malformed, match="kind of public key") as told:
        signing_public_key(packed, other(realm))
    assert "rehearsal" in told.value.hint or realm is Realm.ORDINARY


@pytest.mark.parametrize("passphrase", [None, "secret"], ids=["open", "passphrase"])
@BOTH
def test_a_key_file_is_read_in_its_realm_only(realm: Realm, passphrase: str | None, tmp_path: Path) -> None:
    path, key = tmp_path / "it.key", key_of("a", realm)
    save_key(path, key, passphrase=passphrase, random=counting(), cost=Argon2Cost(1, 8192))
    found = load_key(path, lambda: passphrase or "", realm)
    assert isinstance(found, SigningKey)
    assert (found.seed, found.realm, found.key_digest) == (key.seed, realm, key.key_digest)
    assert public_part(path, realm).public == key.public
    for read in (lambda: load_key(path, lambda: passphrase or "", other(realm)), lambda: public_part(path, other(realm))):
        with pytest.raises(Malformed) as told:
            read()
        assert "rehearsal" in told.value.hint


def test_one_seed_is_another_key_in_a_rehearsal() -> None:
    meant, practised = (key_of("a", realm) for realm in Realm)
    assert meant.public == practised.public
    assert meant.key_digest != practised.key_digest
    assert VerifyKey(meant.public).key_digest == meant.key_digest
    assert VerifyKey(meant.public, Realm.REHEARSAL).key_digest == practised.key_digest
    assert root_of("KZ").realm is Realm.ORDINARY
