"""Rosters and trust: each step of credential.md, Roster, Reading, and whom a reader believes in the end."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.support.keys import (
    BEGIN,
    DAY,
    END,
    NOW,
    YEAR,
    Holder,
    Party,
    credential_items,
    flipped,
    identity,
    issue,
    log_key,
    party,
    reassembled,
    root_of,
    signed,
    signing_key,
    subject,
)

from valiza.keys import labels, roster
from valiza.keys.chain import Chains
from valiza.keys.designation import DesignationDraft, issue_designation
from valiza.keys.digests import digest
from valiza.keys.encoding import pack, unpack
from valiza.keys.errors import Malformed, NotAuthentic, Refused
from valiza.keys.fields import Body
from valiza.keys.revocation import MAX_REVOCATIONS, RevocationDraft, issue_revocation
from valiza.keys.root import Custodian, Root, RootDraft, make_root, read_root
from valiza.keys.roster import (
    Difference,
    Roster,
    check_import,
    claimed_credentials,
    claimed_roots,
    difference,
    make_roster,
    peek_roster,
    read_roster,
)
from valiza.keys.signing import SigningKey, VerifyKey
from valiza.keys.statement import SIGNATURE_BYTES, SignerHeader, read_statement
from valiza.keys.trust import Trust

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from valiza.keys.credential import Credential, Outline

KZ: Final = party("KZ")
BY: Final = party("BY")
OFFICER: Final = KZ.officer("officer")
OPENER: Final = KZ.officer("officer", "open")
REGISTRAR: Final = KZ.officer("officer", "register")


def sorted_raw(*credentials: Credential) -> list[bytes]:
    return [raw for _, raw in sorted({c.digest: c.raw for c in credentials}.items())]


EVERYBODY: Final = sorted_raw(KZ.body.credential, KZ.publisher.credential, OFFICER.credential)


def raw_roster(*, signer: Credential = KZ.publisher.credential, key: SigningKey = KZ.publisher.key, **changes: Any) -> bytes:
    """A roster of any content, signed."""
    said = {
        "party": "KZ",
        "version": 1,
        "issued_at": NOW,
        "expires_at": NOW + YEAR,
        "roots": [KZ.root.raw],
        "credentials": EVERYBODY,
        "revocations": [],
        "designations": [],
        "extensions": {},
    }
    assert not set(changes) - set(said)
    return signed(labels.ROSTER, "roster", list({**said, **changes}.values()), signer.digest, key).raw


# -- good ones ------------------------------------------------------------------------------------------------------------


def test_a_roster_says_what_it_was_made_to_say() -> None:
    found = KZ.roster(OFFICER.credential, OPENER.credential, version=7)
    assert (found.party, found.version, found.issued_at, found.expires_at) == ("KZ", 7, NOW, NOW + YEAR)
    expected = [KZ.body.credential, KZ.publisher.credential, OFFICER.credential, OPENER.credential]
    assert {name: c.raw for name, c in found.credentials.items()} == {c.digest: c.raw for c in expected}
    assert found.root.raw == KZ.root.raw
    assert read_roster(found.raw, KZ.root.digest) is found
    assert found.digest == digest(labels.DIGEST_STATEMENT, found.raw)


def test_credentials_are_found_by_their_key() -> None:
    found = KZ.roster(OFFICER.credential, OPENER.credential)
    for credential in found.credentials.values():
        assert found.with_key(credential.key.key_digest) == [credential]
    assert found.with_key(bytes(32)) == []


def test_the_order_in_which_credentials_are_given_does_not_matter() -> None:
    one, other = KZ.roster(OFFICER.credential, OPENER.credential), KZ.roster(OPENER.credential, OFFICER.credential, OFFICER.credential)
    assert list(one.credentials) == list(other.credentials) == sorted(one.credentials)


def test_remarks_in_a_roster_are_kept() -> None:
    assert read_roster(raw_roster(extensions={"~note": 1}), KZ.root.digest).extensions == {"~note": 1}


def test_a_chain_of_three_is_read_in_whatever_order_it_stands() -> None:
    authorised = issue(KZ.body.credential, KZ.body.key, "MFA", "certify", body=Body("KZ", "KZ-MFA"))
    officers = [issue(authorised.credential, authorised.key, f"officer {i}", "seal").credential for i in range(8)]
    found = KZ.roster(authorised.credential, *officers)
    assert {found.credentials[officer.digest].depth for officer in officers} == {3}


# -- 1: the root ----------------------------------------------------------------------------------------------------------


def test_only_the_pinned_root_is_believed() -> None:
    for fingerprint in (root_of("KZ", "another").digest, BY.root.digest, bytes(32)):
        with pytest.raises(NotAuthentic):
            read_roster(raw_roster(), fingerprint)


def test_a_root_that_did_not_sign_itself_is_not_authentic() -> None:
    with pytest.raises(NotAuthentic):
        read_roster(raw_roster(roots=[flipped(KZ.root.raw, len(KZ.root.raw) - 1)]), KZ.root.digest)


def test_a_roster_of_one_party_with_the_root_of_another_is_refused() -> None:
    for other in ("BY", "UZ"):
        with pytest.raises(Refused, match=f"a roster of {other} has the root of KZ"):
            read_roster(raw_roster(party=other), KZ.root.digest)


def test_peeking_believes_nothing_but_tells_what_is_claimed() -> None:
    assert peek_roster(raw_roster()) == ("KZ", [KZ.root.digest])
    assert peek_roster(raw_roster(key=signing_key("anybody"))) == ("KZ", [KZ.root.digest])


# -- 1: versions of the root ----------------------------------------------------------------------------------------------

RENEWED_KEY: Final = signing_key("the new custodian")


@cache
def renewed() -> tuple[Root, Holder]:
    """Version 2 of the root of KZ, with another custodian, and the credential that signs rosters under it."""
    only = Custodian(id=subject("new custodian"), names={"en": "New"}, key=VerifyKey(RENEWED_KEY.public))
    draft = RootDraft(
        party="KZ",
        version=2,
        previous=KZ.root.digest,
        names=KZ.root.names,
        degrees=KZ.root.degrees,
        custodians=(only,),
        threshold=1,
        valid_from=BEGIN + DAY,
        valid_until=END,
    )
    root = make_root(draft, [RENEWED_KEY], old=KZ.root, old_keys=[KZ.key])
    return root, issue(root, RENEWED_KEY, "new publisher", "roster", clearance=None, valid_from=BEGIN + DAY)


def roster_after(*credentials: Credential, roots: Sequence[Root] | None = None, publisher: Holder | None = None, version: int = 2) -> Roster:
    root, holder = renewed()
    signer = publisher or holder
    return make_roster(
        version=version,
        issued_at=NOW,
        expires_at=NOW + YEAR,
        roots=roots or (KZ.root, root),
        credentials=[KZ.body.credential, KZ.publisher.credential, OFFICER.credential, *credentials],
        signer=signer.credential,
        key=signer.key,
    )


def test_after_a_renewal_the_old_fingerprint_and_the_new_are_good() -> None:
    root, _ = renewed()
    found = roster_after()
    assert found.root == root
    assert found.roots == (KZ.root, root)
    for pinned in (KZ.root.digest, root.digest):
        assert read_roster(found.raw, pinned).credentials[OFFICER.credential.digest].root == KZ.root
    believed = Trust([found])
    assert believed.root(KZ.root.digest) == KZ.root
    assert believed.root(root.digest) == root
    assert peek_roster(found.raw) == ("KZ", [KZ.root.digest, root.digest])


def test_a_roster_is_read_back_with_the_latest_root() -> None:
    asked: list[bytes] = []

    def noted(raw: bytes, fingerprint: bytes) -> Roster:
        asked.append(fingerprint)
        return read_roster(raw, fingerprint)

    root, publisher = renewed()
    said: dict[str, Any] = {"version": 2, "issued_at": NOW, "expires_at": NOW + YEAR, "roots": [KZ.root, root], "credentials": []}
    make_roster(**said, signer=publisher.credential, key=publisher.key, read=noted)
    assert asked == [root.digest]


def test_a_root_is_another_whichever_digest_is_the_greater() -> None:
    def published(root: Root, key: SigningKey, version: int) -> Roster:
        signer = issue(root, key, "publisher", "roster", clearance=None)
        said: dict[str, Any] = {"version": version, "issued_at": NOW, "expires_at": NOW + YEAR, "roots": [root], "credentials": []}
        return make_roster(**said, signer=signer.credential, key=signer.key)

    one, other = (KZ.root, KZ.key), (root_of("KZ", "another"), signing_key("KZanother"))
    for before, after in ((one, other), (other, one)):
        with pytest.raises(Refused, match="another root"):
            check_import(published(*after, version=2), published(*before, version=1), NOW)


def test_after_a_renewal_the_old_publisher_signs_no_roster() -> None:
    """Nor does whoever stole his key, or the keys of the old custodians."""
    with pytest.raises(NotAuthentic, match="latest version of the root"):
        roster_after(publisher=KZ.publisher)
    forged = issue(KZ.root, KZ.key, "forged publisher", "roster", clearance=None)
    with pytest.raises(NotAuthentic, match="latest version of the root"):
        roster_after(publisher=forged)


def test_after_a_renewal_the_old_root_alone_is_refused() -> None:
    before, after = KZ.roster(OFFICER.credential, version=1), roster_after()
    check_import(after, before, NOW)
    with pytest.raises(Refused, match="another root"):
        check_import(KZ.roster(OFFICER.credential, version=3), after, NOW)


def test_a_root_signed_once_more_is_the_same_root() -> None:
    body = unpack(read_statement(KZ.root.raw, labels.ROOT).body, max_bytes=1 << 16, what="root")
    again = read_root(signed(labels.ROOT, "root", body, KZ.root.digest, KZ.key).raw)
    assert again.raw != KZ.root.raw
    check_import(roster_after(roots=(again, renewed()[0]), version=3), roster_after(), NOW)


def test_the_versions_of_a_root_are_all_there_and_in_order() -> None:
    root, _ = renewed()
    for roots in ((root,), (root, KZ.root), (KZ.root, KZ.root), (KZ.root, root, root)):
        with pytest.raises((Malformed, NotAuthentic)):
            roster_after(roots=roots)


def test_no_custodian_s_key_of_any_version_is_in_a_credential() -> None:
    for key in (KZ.key, RENEWED_KEY):
        sharing = KZ.officer("sharing", public_key=key.public)
        with pytest.raises(Refused, match="custodian's key"):
            roster_after(sharing.credential)


# -- 2: the signer --------------------------------------------------------------------------------------------------------


def test_a_roster_is_signed_by_the_credential_and_key_that_it_names() -> None:
    good = raw_roster()
    for bad in (raw_roster(key=signing_key("anybody")), flipped(good, len(good) - 1), flipped(good, len(good) - 65)):
        with pytest.raises(NotAuthentic):
            read_roster(bad, KZ.root.digest)


@pytest.mark.parametrize("signer", [KZ.body, OFFICER], ids=["certify", "seal"])
def test_only_a_roster_credential_signs_a_roster(signer: Holder) -> None:
    with pytest.raises(NotAuthentic):
        read_roster(raw_roster(signer=signer.credential, key=signer.key), KZ.root.digest)


def test_the_signers_credential_is_in_the_roster() -> None:
    with pytest.raises(NotAuthentic):
        read_roster(raw_roster(credentials=sorted_raw(KZ.body.credential)), KZ.root.digest)


def test_the_root_does_not_sign_a_roster_itself() -> None:
    raw = signed(labels.ROSTER, "roster", ["KZ", 1, NOW, NOW + 1, [KZ.root.raw], EVERYBODY, [], [], {}], KZ.root.digest, KZ.key).raw
    with pytest.raises(NotAuthentic):
        read_roster(raw, KZ.root.digest)


@pytest.mark.parametrize("at", [BEGIN - 1, BEGIN + DAY])
def test_the_signers_credential_is_valid_when_the_roster_is_issued(at: int) -> None:
    publisher = issue(KZ.root, KZ.key, "publisher", "roster", clearance=None, valid_until=BEGIN + DAY)
    raw = raw_roster(
        signer=publisher.credential,
        key=publisher.key,
        credentials=sorted_raw(KZ.body.credential, publisher.credential),
        issued_at=at,
        expires_at=at + YEAR,
    )
    with pytest.raises(Refused):
        read_roster(raw, KZ.root.digest)


# -- 3: its credentials ---------------------------------------------------------------------------------------------------


def test_every_credential_is_checked_up_to_the_root() -> None:
    forged = signed(labels.CREDENTIAL, "issuer", credential_items(), KZ.body.credential.digest, signing_key("anybody"))
    orphan = signed(labels.CREDENTIAL, "issuer", credential_items(), bytes(32), signing_key("anybody"))
    foreign = BY.officer("officer").credential
    for bad in (forged, orphan, foreign):
        with pytest.raises(NotAuthentic):
            read_roster(raw_roster(credentials=[raw for _, raw in sorted([(bad.digest, bad.raw), *_digests()])]), KZ.root.digest)


def _digests() -> list[tuple[bytes, bytes]]:
    return [(c.digest, c.raw) for c in (KZ.body.credential, KZ.publisher.credential)]


@pytest.mark.parametrize(
    ("change", "outcome"), [({"clearance": "0"}, Refused), ({"purpose": "certify"}, Refused), ({"names": {}}, Malformed)], ids=str
)
def test_a_credential_that_does_not_hold_spoils_the_roster_with_its_own_outcome(change: dict[str, Any], outcome: type[Exception]) -> None:
    bad = signed(labels.CREDENTIAL, "issuer", credential_items(**change), KZ.body.credential.digest, KZ.body.key)
    with pytest.raises(outcome):
        read_roster(raw_roster(credentials=[raw for _, raw in sorted([(bad.digest, bad.raw), *_digests()])]), KZ.root.digest)


def test_what_an_issuer_lacks_is_lacking_in_all_that_it_issued() -> None:
    """A credential whose issuer stands in the roster, but may not issue anything, is refused as its issuer is."""
    authorised = issue(KZ.body.credential, KZ.body.key, "MFA", "certify", body=Body("KZ", "KZ-MFA"))
    bad = signed(
        labels.CREDENTIAL,
        "issuer",
        credential_items(body_id="KZ-THIRD", purpose="certify", public_key=[labels.KIND_SIGNATURE, signing_key("third").public]),
        authorised.credential.digest,
        authorised.key,
    )
    last = signed(labels.CREDENTIAL, "issuer", credential_items(body_id="KZ-THIRD"), bad.digest, signing_key("third"))
    chain = sorted([(s.digest, s.raw) for s in (bad, last, authorised.credential)] + _digests())
    with pytest.raises(Refused):
        read_roster(raw_roster(credentials=[raw for _, raw in chain]), KZ.root.digest)


def test_a_chain_that_is_too_long_is_refused() -> None:
    links = [KZ.body.credential.digest]
    chain, key = _digests(), KZ.body.key
    for i in range(6):
        own = signing_key(f"link {i}")
        public = [labels.KIND_SIGNATURE, own.public]
        link = signed(labels.CREDENTIAL, "issuer", credential_items(body_id=f"KZ-{i}", purpose="certify", public_key=public), links[-1], key)
        links.append(link.digest)
        chain.append((link.digest, link.raw))
        key = own
    with pytest.raises(Refused):
        read_roster(raw_roster(credentials=[raw for _, raw in sorted(chain)]), KZ.root.digest)


def test_a_chain_of_thousands_is_refused_and_nothing_worse() -> None:
    """Nobody signed any of its links: it costs its author nothing."""
    issuer, chain = bytes(32), _digests()
    body = pack(credential_items())
    for _ in range(2000):
        header = SignerHeader(role="issuer", signer_digest=issuer, key_digest=bytes(32)).packed()
        raw = pack([labels.CREDENTIAL, body, [[header, bytes(SIGNATURE_BYTES)]]])
        issuer = digest(labels.DIGEST_STATEMENT, raw)
        chain.append((issuer, raw))
    with pytest.raises((NotAuthentic, Refused)):
        read_roster(raw_roster(credentials=[raw for _, raw in sorted(chain)]), KZ.root.digest)


def test_one_public_key_is_not_in_two_live_credentials() -> None:
    twice = KZ.officer("another", public_key=OFFICER.key.public).credential
    other_purpose = KZ.officer("officer", "acknowledge", public_key=OFFICER.key.public).credential
    for second in (twice, other_purpose):
        with pytest.raises(Refused):
            KZ.roster(OFFICER.credential, second)


def test_one_opening_key_is_not_in_two_live_credentials() -> None:
    with pytest.raises(Refused):
        KZ.roster(OPENER.credential, KZ.officer("another", "open", public_key=identity("officer").public).credential)


HALVES: Final = {"ML-DSA": slice(-32), "Ed25519": slice(-32, None)}


def mixed(one: bytes, other: bytes, half: slice) -> bytes:
    """A public key with a half of `other`, and the rest of `one`."""
    changed = bytearray(one)
    changed[half] = other[half]
    return bytes(changed)


@pytest.mark.parametrize("half", HALVES.values(), ids=HALVES)
def test_keys_that_share_a_half_are_one(half: slice) -> None:
    """Or who has stolen one half, and cannot break the other, would have it certified again and again."""
    key = mixed(signing_key("other").public, OFFICER.key.public, half)
    sharing = KZ.officer("another", public_key=key, valid_from=BEGIN + 1)
    with pytest.raises(Refused, match="one public key is in two live credentials"):
        KZ.roster(OFFICER.credential, sharing.credential)
    gone = KZ.revoke(OFFICER.credential, at=BEGIN)
    KZ.roster(OFFICER.credential, sharing.credential, revocations=[gone])
    lost = KZ.revoke(OFFICER.credential, "compromised", BEGIN)
    known, new = (KZ.roster(OFFICER.credential, *more, version=v, revocations=[lost]) for v, more in ((1, ()), (2, (sharing.credential,))))
    with pytest.raises(Refused, match="the key of a new seal credential of 'another' was compromised"):
        check_import(new, known, NOW)
    check_import(new, KZ.roster(), NOW)
    custodian = KZ.officer("another", public_key=mixed(signing_key("other").public, KZ.key.public, half))
    with pytest.raises(Refused, match="a custodian's key"):
        KZ.roster(custodian.credential)


@pytest.mark.parametrize("half", [slice(-32), slice(-32, None)], ids=["ML-KEM", "X25519"])
def test_opening_keys_that_share_a_half_are_one(half: slice) -> None:
    key = mixed(identity("other").public, identity("officer").public, half)
    with pytest.raises(Refused, match="one public key is in two live credentials"):
        KZ.roster(OPENER.credential, KZ.officer("another", "open", public_key=key).credential)


@pytest.mark.parametrize("half", HALVES.values(), ids=HALVES)
def test_registers_keys_that_share_a_half_are_one(half: slice) -> None:
    key = mixed(log_key("other").public, log_key("officer").public, half)
    sharing = KZ.officer("another", "register", public_key=key, valid_from=BEGIN + 1)
    with pytest.raises(Refused, match="one public key is in two live credentials"):
        KZ.roster(REGISTRAR.credential, sharing.credential)
    gone, lost = (KZ.revoke(REGISTRAR.credential, kind, BEGIN) for kind in ("retired", "compromised"))
    KZ.roster(REGISTRAR.credential, sharing.credential, revocations=[gone])
    known, new = (KZ.roster(REGISTRAR.credential, *more, version=v, revocations=[lost]) for v, more in ((1, ()), (2, (sharing.credential,))))
    with pytest.raises(Refused, match="the key of a new register credential of 'another' was compromised"):
        check_import(new, known, NOW)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (OFFICER.key.public, "one public key is in two live credentials: of 'officer' .* and of 'officer'"),
        (KZ.body.key.public, "one public key is in two live credentials"),
        (KZ.key.public, "a custodian's key is in a credential"),
    ],
    ids=["a signing key", "the body's", "a custodian's"],
)
def test_a_registers_key_shares_no_ed25519_half_with_another_key(other: bytes, message: str) -> None:
    """Of whatever kind that is: the holder of the one would sign with the other."""
    key = log_key("officer").public[:-32] + other[-32:]
    sharing = KZ.officer("officer", "register", public_key=key)
    with pytest.raises(Refused, match=message):
        KZ.roster(OFFICER.credential, sharing.credential)


def test_a_registers_key_stands_in_a_roster_beside_the_others() -> None:
    found = KZ.roster(OFFICER.credential, OPENER.credential, REGISTRAR.credential)
    (said,) = found.of_body(KZ.body.credential.body, "register")
    assert said.log_key.raw == log_key("officer").public
    assert found.with_key(said.key.key_digest) == [said]


def test_a_renewed_credential_may_keep_its_key_when_the_old_one_has_ended() -> None:
    spans = [(BEGIN + i * DAY, BEGIN + (i + 1) * DAY) for i in range(3)]
    old = [KZ.officer("officer", valid_from=start, valid_until=end).credential for start, end in spans]
    assert len(KZ.roster(*old).credentials) == 5
    later = KZ.officer("officer", valid_from=BEGIN + 9 * DAY, valid_until=END).credential
    assert len(KZ.roster(*old, later).credentials) == 6, "with days between"
    overlapping = KZ.officer("officer", valid_from=BEGIN + 2 * DAY - 1, valid_until=END).credential
    with pytest.raises(Refused):
        KZ.roster(old[0], old[1], overlapping)


def test_a_long_credential_overlaps_more_than_its_neighbour() -> None:
    spans = [(BEGIN, END), (BEGIN + DAY, BEGIN + 2 * DAY), (BEGIN + 3 * DAY, BEGIN + 4 * DAY)]
    with pytest.raises(Refused):
        KZ.roster(*(KZ.officer("officer", valid_from=start, valid_until=end).credential for start, end in spans))


def test_the_roots_own_key_is_in_no_credential() -> None:
    with pytest.raises(Refused):
        KZ.roster(KZ.officer("another", public_key=KZ.key.public).credential)


# -- form -----------------------------------------------------------------------------------------------------------------

MALFORMED: Final[dict[str, dict[str, Any]]] = {
    "party in small letters": {"party": "kz"},
    "version 0": {"version": 0},
    "version as text": {"version": "1"},
    "valid for no time": {"expires_at": NOW},
    "valid backwards": {"expires_at": NOW - 1},
    "valid for more than 400 days": {"expires_at": NOW + 400 * DAY + 1},
    "valid since the first second of all": {"issued_at": 1},
    "no roots": {"roots": []},
    "65 roots": {"roots": [KZ.root.raw] * 65},
    "root not in an array": {"roots": KZ.root.raw},
    "root inline": {"roots": [["KZ"]]},
    "root another statement": {"roots": [OFFICER.credential.raw]},
    "credentials a map": {"credentials": {}},
    "credentials not sorted": {"credentials": EVERYBODY[::-1]},
    "a credential twice": {"credentials": sorted(EVERYBODY + EVERYBODY[:1], key=EVERYBODY.index)},
    "a root among the credentials": {"credentials": [KZ.root.raw]},
    "a credential that is none": {"credentials": [b"credential"]},
    "revocations nil": {"revocations": None},
    "a revocation that is none": {"revocations": [b"revocation"]},
    "a credential among the revocations": {"revocations": [OFFICER.credential.raw]},
    "designations nil": {"designations": None},
    "a designation that is none": {"designations": [b"designation"]},
    "a credential among the designations": {"designations": [OFFICER.credential.raw]},
    "an unknown extension": {"extensions": {"note": 1}},
}


@pytest.mark.parametrize("change", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed(change: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        read_roster(raw_roster(**change), KZ.root.digest)


def test_an_unsigned_roster_with_other_designations_is_not_authentic() -> None:
    """Of what is wrong inside nobody should be told before the signature of the whole holds."""
    good = raw_roster(designations=[b""])
    with pytest.raises(NotAuthentic):
        read_roster(flipped(good, len(good) - 1), KZ.root.digest)


def test_no_more_credentials_are_read_than_a_roster_may_have(monkeypatch: pytest.MonkeyPatch) -> None:
    assert roster.MAX_CREDENTIALS == 16384
    monkeypatch.setattr(roster, "MAX_CREDENTIALS", 3)
    assert len(read_roster(raw_roster(version=11), KZ.root.digest).credentials) == 3
    monkeypatch.setattr(roster, "MAX_CREDENTIALS", 2)
    with pytest.raises(Malformed):
        read_roster(raw_roster(version=12), KZ.root.digest)


def test_no_more_revocations_are_read_than_a_roster_may_have(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_REVOCATIONS == 16384
    revocations = [KZ.revoke(OFFICER.credential, "suspended", NOW), KZ.revoke(OFFICER.credential, "restored", NOW, number=2)]
    raw = KZ.roster(OFFICER.credential, revocations=revocations).raw
    monkeypatch.setattr(roster, "MAX_REVOCATIONS", 2)
    assert len(roster.check_roster(raw, KZ.root.digest).revocations) == 2
    monkeypatch.setattr(roster, "MAX_REVOCATIONS", 1)
    with pytest.raises(Malformed, match=r"^revocations is not an array"):
        roster.check_roster(raw, KZ.root.digest)


def test_a_failure_is_not_remembered_as_a_success() -> None:
    good = raw_roster()
    assert read_roster(good, KZ.root.digest) is read_roster(bytes(bytearray(good)), KZ.root.digest)
    for _ in range(2):
        with pytest.raises(NotAuthentic):
            read_roster(good, BY.root.digest)


def test_nobody_makes_a_roster_that_would_not_be_read() -> None:
    with pytest.raises(NotAuthentic):
        make_roster(version=1, issued_at=NOW, expires_at=NOW + 1, roots=[KZ.root], credentials=[], signer=KZ.publisher.credential, key=KZ.key)
    with pytest.raises(Malformed):
        KZ.roster(version=0)


# -- 4: importing ---------------------------------------------------------------------------------------------------------


def test_a_first_roster_and_a_higher_version_are_imported() -> None:
    first = KZ.roster(OFFICER.credential, version=11)
    check_import(first, None, NOW)
    check_import(first, first, NOW)
    check_import(KZ.roster(OFFICER.credential, OPENER.credential, version=12), first, NOW)
    check_import(KZ.roster(OFFICER.credential, version=17), first, NOW)
    check_import(KZ.roster(OFFICER.credential, version=18, issued_at=NOW + 1), first, NOW)
    check_import(KZ.roster(OFFICER.credential, version=1011), first, NOW)
    with pytest.raises(Refused, match="more than 1000 above version 11"):
        check_import(KZ.roster(OFFICER.credential, version=1012), first, NOW)


def test_no_roster_is_imported_that_has_expired_but_the_one_that_is_known() -> None:
    first = KZ.roster(expires_at=NOW + DAY)
    check_import(first, None, NOW + DAY - 1)
    for at in (NOW + DAY, NOW + DAY + 1):
        check_import(first, first, at)
        for known in (None, KZ.roster(version=1)):
            with pytest.raises(Refused, match="expired at 2026-04-12T00:00:00Z"):
                check_import(KZ.roster(version=2, expires_at=NOW + DAY), known, at)


@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_roster_never_goes_back_nor_changes_under_its_version(version: int) -> None:
    known = KZ.roster(OFFICER.credential, version=3)
    with pytest.raises(Refused):
        check_import(KZ.roster(OFFICER.credential, version=version), known, NOW)


def test_no_credential_is_dropped() -> None:
    known = KZ.roster(OFFICER.credential, version=3)
    with pytest.raises(Refused):
        check_import(KZ.roster(OPENER.credential, version=4), known, NOW)


def test_a_roster_is_issued_at_most_a_day_after_now() -> None:
    new = KZ.roster(version=3, issued_at=NOW)
    for known in (None, new):
        check_import(new, known, NOW - DAY)
        with pytest.raises(Refused):
            check_import(new, known, NOW - DAY - 1)


def test_a_roster_is_in_force_for_400_days_at_most() -> None:
    assert KZ.roster(expires_at=NOW + 400 * DAY).expires_at == NOW + 400 * DAY
    with pytest.raises(Malformed, match="more than 400 days"):
        KZ.roster(expires_at=NOW + 400 * DAY + 1)


@pytest.mark.parametrize("ended", ["expired", "retired", "suspended"])
def test_who_publishes_no_more_does_not_date_back(ended: str) -> None:
    """A roster's own time decides whether its signer may sign it: so that time does not go back."""
    until = BEGIN + 50 * DAY
    old = issue(KZ.root, KZ.key, "old publisher", "roster", clearance=None, valid_until=until if ended == "expired" else END)
    gone = [] if ended == "expired" else [KZ.revoke(old.credential, ended, until, by_root=True)]

    def published(signer: Holder, version: int, issued_at: int) -> Roster:
        members = [KZ.body.credential, KZ.publisher.credential, old.credential]
        said: dict[str, Any] = {"version": version, "issued_at": issued_at, "expires_at": issued_at + YEAR, "roots": [KZ.root]}
        return make_roster(**said, credentials=members, revocations=gone, signer=signer.credential, key=signer.key)

    known = published(KZ.publisher, 7, NOW)
    check_import(published(old, 8, until - 1), None, NOW)
    with pytest.raises(Refused, match="before version 7, which is known"):
        check_import(published(old, 8, until - 1), known, NOW)
    check_import(published(KZ.publisher, 8, NOW), known, NOW)
    with pytest.raises(Refused):
        published(old, 8, NOW)


def test_a_root_that_was_replaced_certifies_nobody_new() -> None:
    """Who has stolen the keys of an old quorum can date what he likes before the renewal, and nobody who knows of it takes that in."""
    root, _ = renewed()
    evil = issue(KZ.root, KZ.key, "evil", "certify", body=Body("KZ", "KZ-EVIL"))
    new = issue(root, RENEWED_KEY, "evil", "certify", body=Body("KZ", "KZ-EVIL"), valid_from=BEGIN + DAY)
    known = roster_after()
    with pytest.raises(Refused, match="is new, and issued by version 1 of the root"):
        check_import(roster_after(evil.credential, version=3), known, NOW)
    check_import(roster_after(new.credential, version=3), known, NOW)
    check_import(roster_after(evil.credential, version=3), KZ.roster(OFFICER.credential), NOW)
    check_import(roster_after(evil.credential, version=3), roster_after(evil.credential), NOW)


def ministry(**changes: Any) -> Holder:
    return issue(KZ.body.credential, KZ.body.key, "MFA", "certify", body=Body("KZ", "KZ-MFA"), **changes)


@pytest.mark.parametrize(
    ("kind", "at", "good"),
    [
        ("retired", NOW - DAY, False),
        ("retired", NOW, False),
        ("retired", NOW + 1, True),
        ("suspended", NOW - DAY, True),
        ("compromised", NOW - DAY, False),
        ("compromised", NOW + DAY, False),
    ],
)
def test_whose_credential_is_known_to_have_ended_certifies_nobody_new(kind: str, at: int, good: bool) -> None:  # noqa: FBT001 - a parameter
    body = ministry()
    late = issue(body.credential, body.key, "late", "seal", valid_from=BEGIN + DAY)
    gone = KZ.revoke(body.credential, kind, at)
    known, new = KZ.roster(body.credential, revocations=[gone]), KZ.roster(body.credential, late.credential, version=2, revocations=[gone])
    if good:
        check_import(new, known, NOW)
        return
    with pytest.raises(Refused, match="is new, and issued with a credential that had ended when version 1"):
        check_import(new, known, NOW)
    check_import(new, KZ.roster(body.credential), NOW)


def test_whose_credential_had_expired_certifies_nobody_new() -> None:
    for until, good in ((NOW, False), (NOW + 1, True)):
        body = ministry(valid_until=until)
        late = issue(body.credential, body.key, "late", "seal", valid_until=until)
        known, new = KZ.roster(body.credential), KZ.roster(body.credential, late.credential, version=2)
        if good:
            check_import(new, known, NOW)
            continue
        with pytest.raises(Refused, match="had ended"):
            check_import(new, known, NOW)


def test_what_is_new_in_a_roster_is_told() -> None:
    root, publisher = renewed()
    first = KZ.roster(OFFICER.credential, revocations=[KZ.revoke(OFFICER.credential, "suspended", NOW)])
    late = KZ.officer("late").credential
    said = [KZ.revoke(OFFICER.credential, "suspended", NOW), KZ.revoke(OFFICER.credential, "restored", NOW + 1, number=2)]
    second = make_roster(
        version=2,
        issued_at=NOW,
        expires_at=NOW + YEAR,
        roots=[KZ.root, root],
        credentials=first.credentials.values(),
        others={late.digest: late.raw},
        revocations=[*first.revocations, said[1]],
        signer=publisher.credential,
        key=publisher.key,
    )
    found = difference(second, first)
    assert found.roots == (root,)
    assert found.credentials == tuple(sorted((late, publisher.credential), key=lambda c: c.digest))
    assert [one.number for one in found.revocations] == [2]
    whole = difference(second, None)
    assert whole.roots == (KZ.root, root)
    assert [c.digest for c in whole.credentials] == sorted(second.credentials)
    assert whole.revocations == second.revocations
    assert difference(first, first) == Difference(roots=(), credentials=(), revocations=(), designations=())


def test_what_a_roster_claims_is_told_before_anything_is_believed() -> None:
    root, _ = renewed()
    found = roster_after()
    assert claimed_roots(found.raw) == (KZ.root, root)
    assert [statement.digest for statement in claimed_credentials(found.raw)] == list(found.credentials)


@pytest.mark.parametrize(("many", "jobs"), [(2, 5), (3, 5), (4, 1)])
def test_a_large_roster_is_checked_by_several_processes(monkeypatch: pytest.MonkeyPatch, many: int, jobs: int) -> None:
    asked: list[int] = []
    check_all = Chains.check_all

    def noted(self: Chains, *, jobs: int, advance: Callable[[int], None]) -> tuple[Outline, ...]:
        asked.append(jobs)
        return check_all(self, advance=advance)

    raw = KZ.roster(OFFICER.credential).raw
    monkeypatch.setattr(roster, "_MANY", many)
    monkeypatch.setattr(Chains, "check_all", noted)
    assert len(roster.check_roster(raw, KZ.root.digest, jobs=5).credentials) == 3
    roster.check_roster(raw, KZ.root.digest)
    assert asked == [jobs, 1]


def test_a_key_that_is_known_as_compromised_is_in_no_new_credential() -> None:
    lost, kept = KZ.revoke(OFFICER.credential, "compromised", NOW), KZ.revoke(OFFICER.credential, "retired", NOW)
    again = KZ.officer("officer", "countersign", public_key=OFFICER.key.public, valid_from=NOW + 1).credential
    known = KZ.roster(OFFICER.credential, revocations=[lost])
    with pytest.raises(Refused, match=r"^the key of a new countersign credential of 'officer' was compromised"):
        check_import(KZ.roster(OFFICER.credential, again, version=2, revocations=[lost]), known, NOW)
    check_import(KZ.roster(OFFICER.credential, KZ.officer("other").credential, version=2, revocations=[lost]), known, NOW)
    check_import(KZ.roster(OFFICER.credential, again, version=2, revocations=[kept]), KZ.roster(OFFICER.credential, revocations=[kept]), NOW)


def test_a_root_that_was_replaced_revokes_nothing_new_by_itself() -> None:
    root, _ = renewed()
    by_old = KZ.revoke(OFFICER.credential, "retired", NOW, by_root=True)
    by_new = issue_revocation(
        RevocationDraft(
            party="KZ",
            series=None,
            number=1,
            kind="retired",
            credential=OFFICER.credential.digest,
            effective_at=NOW,
            issued_at=NOW,
            reason="left",
        ),
        target=OFFICER.credential,
        issuer=root,
        keys=[RENEWED_KEY],
    )
    before, after = KZ.roster(OFFICER.credential), roster_after()
    roster.require_new_authority(by_old, before)
    roster.require_new_authority(by_new, before)
    roster.require_new_authority(by_new, after)
    with pytest.raises(Refused, match="is new, and signed by version 1 of the root") as told:
        roster.require_new_authority(by_old, after)
    assert told.value.hint == "the custodians of version 2 sign it"


def test_a_root_that_was_replaced_designates_nobody_new() -> None:
    root, _ = renewed()
    draft = DesignationDraft(
        party="KZ", number=1, body_id="KZ-NEW", names={"en": "New"}, role="competent", effective_from=NOW, issued_at=NOW, replaces=None
    )
    by_old, by_new = issue_designation(draft, root=KZ.root, keys=[KZ.key]), issue_designation(draft, root=root, keys=[RENEWED_KEY])
    before, after = KZ.roster(OFFICER.credential), roster_after()
    roster.require_latest_root(by_old, before)
    roster.require_latest_root(by_new, before)
    roster.require_latest_root(by_new, after)
    with pytest.raises(Refused, match="designation 1 of KZ is new, and signed by version 1 of the root") as told:
        roster.require_latest_root(by_old, after)
    assert told.value.hint == "the custodians of version 2 sign it"


# -- trust ----------------------------------------------------------------------------------------------------------------


def trust(*parties: Party) -> Trust:
    return Trust([p.roster(p.officer("officer").credential, p.officer("officer", "open").credential) for p in parties])


def test_credentials_and_roots_of_all_rosters_are_found() -> None:
    both = trust(KZ, BY)
    for root in (KZ.root, BY.root):
        assert getattr(both.root(root.digest), "raw", None) == root.raw
    assert both.root(bytes(32)) is None
    for found in both.rosters.values():
        for name, credential in found.credentials.items():
            assert both.credential(name) is credential
    assert both.credential(bytes(32)) is None
    assert both.credential(KZ.root.digest) is None


def test_two_rosters_of_one_party_are_refused() -> None:
    with pytest.raises(Refused):
        Trust([KZ.roster(version=1), BY.roster(), KZ.roster(version=2)])


def test_a_signer_is_found_and_its_signature_verified() -> None:
    officer = KZ.officer("officer")
    believed = KZ.trust(officer.credential)
    good = signed(labels.DISPATCH, "sealer", ["said"], officer.credential.digest, officer.key)
    assert believed.signer(good).raw == officer.credential.raw
    for bad in (
        reassembled(good, body=pack(["otherwise"])),
        signed(labels.DISPATCH, "sealer", ["said"], officer.credential.digest, signing_key("anybody")),
        signed(labels.RECEIPT, "countersigner", ["said"], officer.credential.digest, officer.key),
    ):
        with pytest.raises(NotAuthentic):
            believed.signer(bad)


def test_an_unknown_signer_is_not_authentic() -> None:
    stranger = BY.officer("officer")
    statement = signed(labels.DISPATCH, "sealer", ["said"], stranger.credential.digest, stranger.key)
    for believed in (KZ.trust(), Trust([])):
        with pytest.raises(NotAuthentic, match=r"^the sealer of this dispatch is in no roster"):
            believed.signer(statement)
    assert BY.trust(stranger.credential).signer(statement).raw == stranger.credential.raw


def test_credentials_of_a_body_for_a_purpose() -> None:
    officers = [KZ.officer(f"officer {i}", "open").credential for i in range(4)]
    believed = KZ.trust(*officers, OFFICER.credential)
    assert [c.digest for c in believed.of_body(Body("KZ", "KZ-GOV"), "open")] == sorted(c.digest for c in officers)
    assert believed.of_body(Body("KZ", "KZ-GOV"), "act") == []
    for other in (Body("BY", "KZ-GOV"), Body("KZ", "KZ-A"), Body("KZ", "KZ-Z"), Body("UZ", "KZ-GOV")):
        assert believed.of_body(other, "open") == []


def test_sealing_asks_for_a_roster_in_force_of_each_party() -> None:
    both = trust(KZ, BY)
    both.require_fresh(["KZ", "BY"], NOW + YEAR - 1, "sealing")
    both.require_fresh([], NOW + 9 * YEAR, "sealing")
    for at in (NOW + YEAR, NOW + YEAR + 1, NOW + 2 * YEAR):
        with pytest.raises(Refused, match="expired"):
            both.require_fresh(["KZ"], at, "sealing")
    with pytest.raises(Refused, match="no roster of RU"):
        both.require_fresh(["KZ", "RU"], NOW, "sealing")


def test_one_expired_roster_of_two_is_enough_to_refuse() -> None:
    both = Trust([KZ.roster(expires_at=NOW + DAY), BY.roster()])
    with pytest.raises(Refused):
        both.require_fresh(["BY", "KZ"], NOW + DAY, "sealing")
    both.require_fresh(["BY"], NOW + DAY, "sealing")


@pytest.mark.parametrize(("links", "message"), [(4, "may not issue it"), (5, "too long"), (6, "too long"), (40, "too long")])
def test_a_long_chain_is_refused_before_it_is_followed_to_its_end(links: int, message: str) -> None:
    """A roster may hold 16384 credentials, and each may name the one before as its issuer: that must not be gone through."""
    certify = {"purpose": "certify", "certifies_bodies": True}
    statements = [signed(labels.CREDENTIAL, "issuer", credential_items(**certify), KZ.root.digest, KZ.key)]
    for number in range(1, links):
        body = f"KZ-{number}"
        key = signing_key("officer seal")  # that of `credential_items`
        statements.append(signed(labels.CREDENTIAL, "issuer", credential_items(**certify, body_id=body), statements[-1].digest, key))
    chains = Chains([KZ.root], {s.digest: s for s in statements})
    with pytest.raises(Refused, match=message):
        _ = chains[statements[-1].digest]
