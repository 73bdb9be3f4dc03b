"""Every codec of keys/: what is written reads back, what reads is written the same, and no changed byte passes for the object it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.keys import BEGIN, END, counting, flipped, identity, key_of, party, root_of, signed, signing_key, subject

from valiza.keys import keyfile, labels
from valiza.keys.credential import PURPOSES, CredentialDraft, check_credential, issue_credential, signs
from valiza.keys.designation import DESIGNATED, DesignationDraft, check_designation, sign_designation
from valiza.keys.digests import derive, digest
from valiza.keys.encoding import pack
from valiza.keys.errors import Malformed, NoKey, NotAuthentic, ValizaError
from valiza.keys.fields import MAX_TIME
from valiza.keys.keyfile import Argon2Cost, load_key, save_key
from valiza.keys.recipient import Identity, Recipient
from valiza.keys.request import ALONE, ASKED, RequestDraft, make_request, read_request
from valiza.keys.revocation import KINDS, REASONS, RevocationDraft, check_revocation, sign_revocation
from valiza.keys.root import Custodian, RootDraft, make_root, read_root
from valiza.keys.roster import read_roster
from valiza.keys.signing import SigningKey, VerifyKey
from valiza.keys.statement import LIMITS, ROLES, SIGNATURE_BYTES, SignerHeader, read_statement

if TYPE_CHECKING:
    from pathlib import Path

digests = st.binary(min_size=32, max_size=32)
texts = st.text("aZ 9éҚқ中😀", min_size=1, max_size=20)
names = st.dictionaries(st.sampled_from(["en", "kk", "ru", "be"]), texts, min_size=1).map(lambda found: dict(sorted(found.items())))
parties = st.from_regex(r"[A-Z][A-Z0-9]{0,15}", fullmatch=True)
codes = st.from_regex(r"[A-Za-z0-9._-]{1,16}", fullmatch=True)
body_ids = st.from_regex(r"[A-Z][A-Z0-9-]{0,31}", fullmatch=True)
times = st.integers(0, MAX_TIME)
spans = st.tuples(st.integers(0, MAX_TIME), st.integers(0, MAX_TIME)).filter(lambda span: span[0] < span[1])
roles = st.sampled_from(sorted({role for role, _ in ROLES.values()}))
headers = st.builds(SignerHeader, role=roles, signer_digest=digests, key_digest=digests)

# Signing costs: a few cases of each, and the cost of one is not that of a slow test.
few = settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])


def changed(data: st.DataObject, raw: bytes) -> bytes:
    """The bytes with one of them another."""
    return flipped(raw, data.draw(st.integers(0, len(raw) - 1), label="at"), data.draw(st.integers(1, 255), label="mask"))


@given(headers)
def test_a_signer_header_reads_back(header: SignerHeader) -> None:
    assert SignerHeader.read(header.packed()) == header


@given(headers, st.data())
def test_a_changed_signer_header_is_another(header: SignerHeader, data: st.DataObject) -> None:
    raw = changed(data, header.packed())
    try:
        found = SignerHeader.read(raw)
    except Malformed:
        return
    assert found != header
    assert found.packed() == raw


@st.composite
def statements(draw: st.DrawFn) -> tuple[str, bytes, list[list[bytes]]]:
    """Type, body and signatures, well-formed, and signed by nobody."""
    type_ = draw(st.sampled_from(sorted(LIMITS)))
    role, most = ROLES[type_]
    signers = draw(st.lists(st.tuples(digests, digests), min_size=1, max_size=min(most, 4), unique=True))
    entries = [SignerHeader(role=role, signer_digest=one, key_digest=two).packed() for one, two in signers]
    return type_, draw(st.binary(max_size=100)), sorted([entry, draw(st.binary(min_size=1, max_size=4)) * SIGNATURE_BYTES] for entry in entries)


def whole(said: tuple[str, bytes, list[list[bytes]]]) -> bytes:
    return pack([said[0], said[1], [[header, signature[:SIGNATURE_BYTES]] for header, signature in said[2]]])


@given(statements())
def test_a_statement_reads_back(said: tuple[str, bytes, list[list[bytes]]]) -> None:
    found = read_statement(whole(said), *LIMITS)
    assert (found.type, found.body, found.raw) == (said[0], said[1], whole(said))
    assert [entry.header_bytes for entry in found.signatures] == [header for header, _ in said[2]]


@given(statements(), st.data())
def test_a_changed_statement_is_malformed_or_another(said: tuple[str, bytes, list[list[bytes]]], data: st.DataObject) -> None:
    raw = changed(data, whole(said))
    try:
        found = read_statement(raw, *LIMITS)
    except Malformed:
        return
    assert whole((found.type, found.body, [[entry.header.packed(), entry.signature] for entry in found.signatures])) == raw


@few
@given(parties, names, st.lists(codes, min_size=1, max_size=16, unique=True), spans, st.data())
def test_a_root_reads_back_and_no_changed_byte_passes(
    name: str, said: dict[str, str], degrees: list[str], span: tuple[int, int], data: st.DataObject
) -> None:
    keys = [signing_key(f"drawn custodian {index}") for index in range(data.draw(st.integers(1, 3)))]
    custodians = tuple(Custodian(id=subject(f"{index}"), names=said, key=VerifyKey(key.public)) for index, key in enumerate(keys))
    draft = RootDraft(
        party=name,
        names=said,
        degrees=tuple(degrees),
        custodians=tuple(sorted(custodians, key=lambda c: c.id)),
        threshold=data.draw(st.integers(1, len(keys))),
        valid_from=span[0],
        valid_until=span[1],
    )
    root = make_root(draft, keys[: data.draw(st.integers(draft.threshold, len(keys)))])
    assert RootDraft(**{key: getattr(root, key) for key in draft.__slots__}) == draft
    assert [c.key.raw for c in root.custodians] == [c.key.raw for c in draft.custodians]
    assert read_root(root.raw) == root
    with pytest.raises((Malformed, NotAuthentic)):
        read_root(changed(data, root.raw))


@few
@given(
    names,
    body_ids,
    st.sampled_from([p for p in PURPOSES if p not in {"certify", "roster"}]),
    st.sampled_from([None, "1", "2", "3"]),
    st.tuples(st.integers(BEGIN, END), st.integers(BEGIN, END)).filter(lambda span: span[0] < span[1]),
    st.data(),
)
def test_a_credential_reads_back_and_no_changed_byte_passes(  # noqa: PLR0917 - one for each thing drawn
    said: dict[str, str], name: str, purpose: str, clearance: str | None, span: tuple[int, int], data: st.DataObject
) -> None:
    issuer = party().body
    public = key_of(name, purpose)
    draft = CredentialDraft(
        subject=subject(name),
        body=issuer.credential.body,
        names=said,
        purpose=purpose,
        public_key=public,
        clearance=clearance,
        valid_from=span[0],
        valid_until=span[1],
    )
    found = issue_credential(draft, issuer=issuer.credential, keys=[issuer.key])
    assert CredentialDraft(**{key: getattr(found, key) for key in draft.__slots__ if key != "public_key"}, public_key=found.key.raw) == draft
    with pytest.raises((Malformed, NotAuthentic)):
        check_credential(read_statement(changed(data, found.raw), labels.CREDENTIAL), issuer.credential)


@few
@given(
    parties,
    body_ids,
    names,
    st.sets(st.sampled_from([purpose for purpose in ASKED if purpose not in ALONE]), min_size=1, max_size=3).filter(
        lambda asked: any(map(signs, asked))
    )
    | st.sampled_from([{purpose} for purpose in ALONE]),
    st.integers(0, MAX_TIME),
    st.data(),
)
def test_a_request_reads_back_and_no_changed_byte_passes(  # noqa: PLR0917 - one for each thing drawn
    of: str, body: str, said: dict[str, str], purposes: set[str], made_at: int, data: st.DataObject
) -> None:
    alone = not purposes.isdisjoint(ALONE)
    keys = {purpose: signing_key(f"drawn {purpose}") for purpose in purposes if signs(purpose)}
    public = {purpose: key_of("drawn", purpose) for purpose in purposes}
    draft = RequestDraft(
        subject=subject("drawn") if alone or data.draw(st.booleans(), label="known before") else None,
        party=of,
        body_id=None if alone else body,
        names=said,
        keys=public,
        made_at=made_at,
    )
    found = make_request(draft, keys.values())
    assert RequestDraft(**{key: getattr(found, key) for key in draft.__slots__ if key != "keys"}, keys=public) == draft
    assert {purpose: key.raw for purpose, key in found.keys.items()} == public
    assert (found.digest, read_request(found.raw)) == (digest(labels.DIGEST_REQUEST, draft.body), found)
    with pytest.raises((Malformed, NotAuthentic)):
        read_request(changed(data, found.raw))


@few
@given(st.sets(st.sampled_from("abcdef"), max_size=4), st.integers(1, 1 << 62), st.integers(BEGIN, END - 2), st.data())
def test_a_roster_reads_back_and_no_changed_byte_passes(people: set[str], version: int, issued_at: int, data: st.DataObject) -> None:
    of = party()
    roster = of.roster(*(of.officer(name).credential for name in sorted(people)), version=version, issued_at=issued_at, expires_at=issued_at + 1)
    assert (roster.version, roster.issued_at, roster.expires_at, len(roster.credentials)) == (version, issued_at, issued_at + 1, len(people) + 2)
    assert read_roster(roster.raw, root_of("KZ").digest) == roster
    with pytest.raises((Malformed, NotAuthentic)):
        read_roster(changed(data, roster.raw), root_of("KZ").digest)


@few
@given(
    st.sampled_from(KINDS),
    st.sampled_from(REASONS),
    st.integers(1, 1 << 62),
    st.tuples(st.integers(0, MAX_TIME), st.integers(0, MAX_TIME)),
    st.data(),
)
def test_a_revocation_reads_back_and_no_changed_byte_passes(kind: str, reason: str, number: int, span: tuple[int, int], data: st.DataObject) -> None:
    of = party()
    effective_at, issued_at = sorted(span) if kind == "compromised" else span
    by_root = data.draw(st.booleans())
    issuer, key = (of.root, of.key) if by_root else (of.body.credential, of.body.key)
    draft = RevocationDraft(
        party=of.id,
        series=None if by_root else of.body.credential.body.id,
        number=number,
        kind=kind,
        credential=data.draw(digests),
        effective_at=effective_at,
        issued_at=issued_at,
        reason=reason,
    )
    found = check_revocation(sign_revocation(draft, issuer=issuer, keys=[key]), issuer)
    assert RevocationDraft(**{key: getattr(found, key) for key in draft.__slots__}) == draft
    assert found.signer == issuer
    with pytest.raises((Malformed, NotAuthentic)):
        check_revocation(read_statement(changed(data, found.raw), labels.REVOCATION), issuer)


@few
@given(
    st.sampled_from(DESIGNATED),
    st.integers(1, 1 << 62),
    st.lists(st.integers(0, MAX_TIME), min_size=3, max_size=3, unique=True).map(sorted),
    st.tuples(st.booleans(), st.booleans()),
    st.data(),
)
def test_a_designation_reads_back_and_no_changed_byte_passes(
    role: str, number: int, times: list[int], lacking: tuple[bool, bool], data: st.DataObject
) -> None:
    of = party()
    issued_at, effective_from, effective_until = times
    draft = DesignationDraft(
        party=of.id,
        number=number,
        body_id="KZ-B",
        names=data.draw(names),
        role=role,
        effective_from=effective_from,
        effective_until=None if lacking[0] else effective_until,
        replaces=None if lacking[1] else "KZ-C",
        issued_at=issued_at,
    )
    found = check_designation(sign_designation(draft, root=of.root, keys=[of.key]), of.root)
    assert DesignationDraft(**{key: getattr(found, key) for key in draft.__slots__}) == draft
    assert found.signer == of.root
    with pytest.raises((Malformed, NotAuthentic)):
        check_designation(read_statement(changed(data, found.raw), labels.DESIGNATION), of.root)


@few
@given(st.binary(max_size=300), st.binary(max_size=200), st.data())
def test_a_signature_holds_for_its_message_and_context_and_no_changed_byte_passes(message: bytes, context: bytes, data: st.DataObject) -> None:
    key = signing_key("drawn")
    verifier, signature = VerifyKey(key.public), key.sign(message, context)
    verifier.verify(signature, message, context)
    others = [(changed(data, signature), message, context), (signature, message + b"\x00", context), (signature, message, context + b"\x00")]
    for one in others:
        with pytest.raises(NotAuthentic):
            verifier.verify(*one)


@few
@given(digests, st.binary(max_size=200), st.data())
def test_a_wrapped_key_opens_with_its_info_and_no_changed_byte_passes(key: bytes, info: bytes, data: st.DataObject) -> None:
    opener = identity("drawn")
    wrapped = Recipient(opener.public).wrap(key, info)
    assert opener.unwrap(wrapped, info) == key
    with pytest.raises((Malformed, NotAuthentic)):
        opener.unwrap(changed(data, wrapped), info)
    with pytest.raises(NotAuthentic):
        opener.unwrap(wrapped, info + b"\x00")


@few
@given(
    st.binary(min_size=64, max_size=64).map(SigningKey) | st.binary(min_size=32, max_size=32).map(Identity),
    st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.data(),
)
def test_a_key_file_reads_back_and_no_changed_byte_makes_another_key(
    tmp_path_factory: pytest.TempPathFactory, key: SigningKey | Identity, passphrase: str | None, data: st.DataObject
) -> None:
    def derived(text: str, salt: bytes, cost: Argon2Cost) -> bytes:  # instead of Argon2id, which has its own tests
        return derive("test", text.encode(), salt, cost.passes, cost.memory_kib)

    path: Path = tmp_path_factory.mktemp("key") / "it.key"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keyfile, "stretch", derived)
        save_key(path, key, passphrase=passphrase, random=counting())
        asked = (lambda: passphrase) if passphrase is not None else (lambda: pytest.fail("asked"))
        loaded = load_key(path, asked)
        assert (type(loaded), loaded.seed, loaded.public) == (type(key), key.seed, key.public)
        path.chmod(0o600)
        path.write_bytes(changed(data, path.read_bytes()))
        with pytest.raises((Malformed, NoKey)):
            load_key(path, lambda: passphrase or "")


EDGES: dict[str, tuple[Any, Any]] = {
    "names": ({f"a{chr(97 + i)}": "x" for i in range(16)}, {f"a{chr(97 + i)}": "x" for i in range(17)}),
    "text of a name": ({"en": "x" * 1000}, {"en": "x" * 1001}),
    "degrees": ([str(i) for i in range(16)], [str(i) for i in range(17)]),
    "time": (MAX_TIME, MAX_TIME + 1),
    "remarks": ({f"~{i:02}": None for i in range(16)}, {f"~{i:02}": None for i in range(17)}),
    "bytes of remarks": ({"~": bytes(4096 - 6)}, {"~": bytes(4096 - 5)}),
}
_PLACES = {"names": 3, "text of a name": 3, "degrees": 4, "time": 8, "remarks": 9, "bytes of remarks": 9}


@pytest.mark.parametrize("what", EDGES)
def test_limits_hold_at_their_edges(what: str) -> None:
    key = signing_key("edge root")
    outcomes = []
    for value in EDGES[what]:
        keeper = [subject("keeper"), {"en": "x"}, [labels.KIND_SIGNATURE, key.public]]
        items: list[Any] = ["KZ", 1, None, {"en": "x"}, ["1"], [keeper], 1, 0, 1, {}]
        items[_PLACES[what]] = value
        statement = signed(labels.ROOT, "root", items, digest(labels.DIGEST_ROOT, pack(items)), key)
        try:
            read_root(statement.raw)
            outcomes.append("read")
        except ValizaError as error:
            outcomes.append(error.outcome)
    assert outcomes == ["read", "malformed"]
