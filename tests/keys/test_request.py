"""Requests: nobody gets a key certified that he does not have, and nobody's keys vouch for another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.support.keys import BEGIN, END, NOW, Holder, flipped, identity, issue, key_of, log_key, party, reassembled, signing_key, subject

from valiza.keys import labels
from valiza.keys.credential import signs
from valiza.keys.digests import digest
from valiza.keys.encoding import pack, unpack
from valiza.keys.errors import Malformed, NotAuthentic, Refused
from valiza.keys.fields import Body
from valiza.keys.request import ALONE, ASKED, Request, RequestDraft, check_vouching, make_request, read_request
from valiza.keys.signing import SigningKey
from valiza.keys.statement import SignerHeader, Statement, read_statement, sign_statement
from valiza.keys.trust import Trust

if TYPE_CHECKING:
    from valiza.keys.credential import Credential

KZ: Final = party("KZ")
ACKNOWLEDGER: Final = KZ.officer("officer", "acknowledge")
SEALER: Final = KZ.officer("officer", "seal")
OPENER: Final = KZ.officer("officer", "open")
ACTOR: Final = KZ.officer("officer", "act")
REGISTRAR: Final = KZ.officer("officer", "register")
TRUST: Final = Trust([KZ.roster(*(holder.credential for holder in (ACKNOWLEDGER, SEALER, OPENER, ACTOR, REGISTRAR)))])


def draft(*purposes: str, **changes: Any) -> RequestDraft:
    """A request for new keys, each of which is `signing_key("new PURPOSE")`, `identity("new")` or `log_key("new")`."""
    keys = {purpose: key_of("new", purpose) for purpose in purposes or ("seal",)}
    alone = not set(ALONE).isdisjoint(keys)
    said = {"subject": subject("custodian") if alone else None, "party": "KZ", "body_id": None if alone else "KZ-GOV", "names": {"en": "Officer"}}
    return RequestDraft(**{**said, "keys": keys, "made_at": NOW, **changes})


def keys(*purposes: str) -> list[SigningKey]:
    return [signing_key(f"new {purpose}") for purpose in purposes or ("seal",) if signs(purpose)]


def asked(*purposes: str, vouching: tuple[Holder, ...] = (), **changes: Any) -> Request:
    return make_request(draft(*purposes, **changes), keys(*purposes), [(holder.credential, holder.key) for holder in vouching])


def signed(body: bytes, *signers: tuple[bytes, SigningKey]) -> Statement:
    """A request as these keys sign it, each in some name, whatever comes of it."""
    headers = [(SignerHeader(role="holder", signer_digest=name, key_digest=key.key_digest), key) for name, key in signers]
    return sign_statement(labels.REQUEST, body, headers)


def vouched(request: Request, at: int = NOW, trust: Trust = TRUST) -> list[Credential]:
    return list(check_vouching(request, trust, at))


# -- possession -----------------------------------------------------------------------------------------------------------


def test_a_request_says_what_it_was_made_to_say() -> None:
    request = asked("open", "acknowledge", "countersign")
    assert list(request.keys) == ["acknowledge", "countersign", "open"]
    assert request.keys["open"].raw == identity("new").public
    assert (request.subject, request.party, request.body_id, request.title, request.made_at) == (None, "KZ", "KZ-GOV", "Officer", NOW)
    assert vouched(request) == []


def test_it_is_named_by_its_body_however_often_it_is_signed() -> None:
    one, two = asked(), asked()
    assert one.raw != two.raw
    assert one.digest == two.digest == digest(labels.DIGEST_REQUEST, draft().body)


def test_every_signing_key_in_it_signs() -> None:
    asking = draft("acknowledge", "countersign", "seal", "open")
    mine = keys("acknowledge", "countersign", "seal")
    assert len(read_request(signed(asking.body, *((digest(labels.DIGEST_REQUEST, asking.body), key) for key in mine)).raw).keys) == 4
    for missing in mine:
        with pytest.raises(NotAuthentic, match="not signed by every signing key"):
            make_request(asking, [key for key in mine if key is not missing])


def test_no_other_key_signs_in_its_name() -> None:
    """Not a stranger's, and not one of the holder's own that he does not ask for."""
    for other in (signing_key("stranger"), ACKNOWLEDGER.key):
        with pytest.raises(NotAuthentic, match="or by another one"):
            make_request(draft(), [*keys(), other])


def test_somebody_else_s_public_key_gets_nobody_anything() -> None:
    """He names it, and cannot sign with it: not with his own key, and not with a signature that its owner gave to another request."""
    asking = draft(keys={"seal": SEALER.key.public})
    with pytest.raises(NotAuthentic):
        make_request(asking, [signing_key("thief")])
    name = digest(labels.DIGEST_REQUEST, asking.body)
    owners = make_request(draft(keys={"seal": SEALER.key.public}, names={"en": "Owner"}), [SEALER.key])
    (given,) = read_request_statement(owners).signatures
    header = SignerHeader(role="holder", signer_digest=name, key_digest=SEALER.key.key_digest).packed()
    forged = reassembled(read_request_statement(owners), body=asking.body, header=header, signature=given.signature)
    with pytest.raises(NotAuthentic, match="does not verify"):
        read_request(forged.raw)


def test_as_many_keys_as_there_are_purposes_of_officers() -> None:
    every = [purpose for purpose in ASKED if purpose not in ALONE]
    assert len(asked(*every).keys) == len(every) == 9
    more = [["custodian", [labels.KIND_SIGNATURE, signing_key("new custodian").public]]]
    with pytest.raises(Malformed, match="keys is not an array of 1 to 9 items"):
        read_request(signed_items(*every, more=more).raw)


def signed_items(*purposes: str, more: list[Any]) -> Statement:
    """A request for keys of these purposes, and for more, which do not sign it."""
    asking = draft(*purposes)
    items: Any = unpack(asking.body, max_bytes=1 << 20, what="it")
    items[4] = sorted([*items[4], *more])
    body = pack(items)
    return signed(body, *((digest(labels.DIGEST_REQUEST, body), key) for key in keys(*purposes)))


def test_a_request_is_the_same_whenever_it_is_read() -> None:
    request = asked("open", "acknowledge")
    assert read_request(request.raw) == request
    assert asked("open", "acknowledge", names={"en": "Other"}) != request


def read_request_statement(request: Request) -> Statement:
    return read_statement(request.raw, labels.REQUEST)


@pytest.mark.parametrize("at", [9, -1], ids=["ML-DSA", "Ed25519"])
def test_both_halves_of_each_signature_hold(at: int) -> None:
    request = asked("acknowledge", "seal")
    statement = read_request_statement(request)
    for broken in range(2):
        entries = [[s.header_bytes, flipped(s.signature, at) if n == broken else s.signature] for n, s in enumerate(statement.signatures)]
        with pytest.raises(NotAuthentic):
            read_request(pack([statement.type, statement.body, entries]))


def test_a_signature_on_another_statement_is_none_on_a_request() -> None:
    """The same body and header, signed as a credential would be."""
    asking = draft()
    name = digest(labels.DIGEST_REQUEST, asking.body)
    header = SignerHeader(role="issuer", signer_digest=name, key_digest=keys()[0].key_digest)
    (entry,) = sign_statement(labels.CREDENTIAL, asking.body, [(header, keys()[0])]).signatures
    as_holder = SignerHeader(role="holder", signer_digest=name, key_digest=keys()[0].key_digest).packed()
    with pytest.raises(NotAuthentic):
        read_request(pack([labels.REQUEST, asking.body, [[as_holder, entry.signature]]]))
    with pytest.raises(Malformed):
        read_request(pack([labels.REQUEST, asking.body, [[entry.header_bytes, entry.signature]]]))


# -- form -----------------------------------------------------------------------------------------------------------------

SEAL_KEY: Final = [labels.KIND_SIGNATURE, signing_key("new seal").public]
OPEN_KEY: Final = [labels.KIND_ENCRYPTION, identity("new").public]
LOG_KEY: Final = [labels.KIND_LOG, log_key("new").public]
MALFORMED: Final[dict[str, dict[str, Any]]] = {
    "subject too short": {"subject": bytes(15)},
    "subject too long": {"subject": bytes(17)},
    "party in small letters": {"party": "kz"},
    "no body id": {"body_id": None},
    "body id in small letters": {"body_id": "kz-gov"},
    "no names": {"names": {}},
    "no keys": {"keys": []},
    "keys as a map": {"keys": {"seal": SEAL_KEY}},
    "a purpose that there is not": {"keys": [["read", SEAL_KEY]]},
    "a register key that signs": {"keys": [["register", SEAL_KEY]]},
    "a register key that opens": {"keys": [["register", OPEN_KEY]]},
    "a seal key of a register": {"keys": [["seal", LOG_KEY]]},
    "a register key of low order": {"keys": [["register", [labels.KIND_LOG, log_key("new").public[:-32] + bytes([1]) + bytes(31)]]]},
    "a purpose twice": {"keys": [["seal", SEAL_KEY], ["seal", [labels.KIND_SIGNATURE, signing_key("x").public]]]},
    "purposes out of order": {"keys": [["seal", SEAL_KEY], ["open", OPEN_KEY]]},
    "a key twice": {"keys": [["act", SEAL_KEY], ["seal", SEAL_KEY]]},
    "an open key that signs": {"keys": [["open", SEAL_KEY]]},
    "a seal key that opens": {"keys": [["seal", OPEN_KEY]]},
    "a key without kind": {"keys": [["seal", SEAL_KEY[1]]]},
    "a key of low order": {"keys": [["seal", [labels.KIND_SIGNATURE, signing_key("new seal").public[:-32] + bytes([1]) + bytes(31)]]]},
    "ten keys": {"keys": [["act", SEAL_KEY]] * 10},
    "made too late": {"made_at": 253402300800},
    "an unknown extension": {"extensions": {"clearance": "1"}},
    "a custodian of a body": {"keys": [["custodian", SEAL_KEY]], "subject": bytes(16)},
    "a custodian without id": {"keys": [["custodian", SEAL_KEY]], "body_id": None},
    "a witness without id": {"keys": [["witness", SEAL_KEY]], "body_id": None},
    "a custodian who seals too": {"keys": [["custodian", SEAL_KEY], ["seal", [labels.KIND_SIGNATURE, signing_key("x").public]]], "body_id": None},
}


@pytest.mark.parametrize("change", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed(change: dict[str, Any]) -> None:
    said = {"subject": None, "party": "KZ", "body_id": "KZ-GOV", "names": {"en": "x"}, "keys": [["seal", SEAL_KEY]], "made_at": NOW, "extensions": {}}
    good, bad = list(said.values()), list({**said, **change}.values())
    read_request(signed(pack(good), (digest(labels.DIGEST_REQUEST, pack(good)), signing_key("new seal"))).raw)
    with pytest.raises(Malformed):
        read_request(signed(pack(bad), (digest(labels.DIGEST_REQUEST, pack(bad)), signing_key("new seal"))).raw)


@pytest.mark.parametrize("purpose", ASKED)
def test_every_purpose_can_be_asked_for(purpose: str) -> None:
    purposes = (purpose,) if signs(purpose) else (purpose, "seal")
    assert purpose in asked(*purposes).keys


@pytest.mark.parametrize("body", [[], {}, None, "request", [1] * 7], ids=["empty", "map", "nil", "text", "numbers"])
def test_a_body_of_another_form_is_malformed(body: Any) -> None:
    with pytest.raises(Malformed):
        read_request(signed(pack(body), (bytes(32), signing_key("new seal"))).raw)


# -- vouching -------------------------------------------------------------------------------------------------------------


def test_earlier_keys_of_the_same_subject_vouch() -> None:
    request = asked("seal", "open", subject=subject("officer"), vouching=(ACKNOWLEDGER, SEALER))
    assert {credential.digest for credential in vouched(request)} == {ACKNOWLEDGER.credential.digest, SEALER.credential.digest}
    assert vouched(asked(subject=subject("officer"))) == [], "for the issuer to judge"


def test_an_open_key_alone_comes_with_the_acknowledge_key() -> None:
    alone = draft("open", subject=subject("officer"))
    assert vouched(make_request(alone, [], [(ACKNOWLEDGER.credential, ACKNOWLEDGER.key)])) == [ACKNOWLEDGER.credential]
    with pytest.raises(Refused, match="no acknowledge credential of his vouches for the open key"):
        vouched(make_request(alone, [], [(SEALER.credential, SEALER.key)]))
    with pytest.raises(Malformed):
        make_request(alone, [])


def test_a_register_key_alone_comes_with_the_key_to_act() -> None:
    alone = draft("register", subject=subject("officer"))
    assert vouched(make_request(alone, [], [(ACTOR.credential, ACTOR.key)])) == [ACTOR.credential]
    for other in (SEALER, ACKNOWLEDGER):
        with pytest.raises(Refused, match="no act credential of his vouches for the register key"):
            vouched(make_request(alone, [], [(other.credential, other.key)]))
    with pytest.raises(Malformed):
        make_request(alone, [])


def test_keys_that_sign_nothing_are_each_vouched_for() -> None:
    both = draft("open", "register", subject=subject("officer"))
    for only, missing in ((ACTOR, "acknowledge"), (ACKNOWLEDGER, "act")):
        with pytest.raises(Refused, match=f"no {missing} credential"):
            vouched(make_request(both, [], [(only.credential, only.key)]))
    assert len(vouched(make_request(both, [], [(one.credential, one.key) for one in (ACTOR, ACKNOWLEDGER)]))) == 2


def test_a_register_key_signs_no_request_and_vouches_for_none() -> None:
    """Neither the key that is asked for nor an earlier one, not even by the half that a signing key could have in common with it."""
    composite = SigningKey(log_key("new").seed)
    with pytest.raises(NotAuthentic, match="not signed by every signing key in it, or by another one"):
        make_request(draft("act", "register"), [*keys("act"), composite])
    request = make_request(draft("act", subject=subject("officer")), keys("act"), [(REGISTRAR.credential, SigningKey(log_key("officer").seed))])
    with pytest.raises(NotAuthentic, match="signs no statement"):
        vouched(request)


def test_who_is_unknown_vouches_for_nobody() -> None:
    request = asked(subject=subject("officer"), vouching=(ACKNOWLEDGER,))
    with pytest.raises(NotAuthentic, match="in no roster"):
        vouched(request, trust=Trust([]))


def test_one_broken_signature_of_a_voucher_condemns_the_request() -> None:
    statement = read_request_statement(asked(subject=subject("officer"), vouching=(ACKNOWLEDGER, SEALER)))
    for index, entry in enumerate(statement.signatures):
        if TRUST.credential(entry.header.signer_digest) is None:
            continue
        entries = [[s.header_bytes, flipped(s.signature, 9) if n == index else s.signature] for n, s in enumerate(statement.signatures)]
        request = read_request(pack([statement.type, statement.body, entries]))
        with pytest.raises(NotAuthentic):
            vouched(request)


@pytest.mark.parametrize("named", ["a", "b", "c", "d", "e", "f"])
def test_who_vouches_names_his_own_key(named: str) -> None:
    """Also where the key that he signs with is the right one."""
    asking = draft(subject=subject("officer"))
    own = SignerHeader(role="holder", signer_digest=digest(labels.DIGEST_REQUEST, asking.body), key_digest=keys()[0].key_digest)
    other = SignerHeader(role="holder", signer_digest=ACKNOWLEDGER.credential.digest, key_digest=signing_key(named).key_digest)
    statement = sign_statement(labels.REQUEST, asking.body, [(own, keys()[0]), (other, ACKNOWLEDGER.key)])
    with pytest.raises(NotAuthentic, match="names another key than the credential that vouches"):
        vouched(read_request(statement.raw))


def test_another_key_does_not_sign_in_the_name_of_a_credential() -> None:
    asking = draft(subject=subject("officer"))
    own = (digest(labels.DIGEST_REQUEST, asking.body), keys()[0])
    for name, key in ((ACKNOWLEDGER.credential.digest, SEALER.key), (OPENER.credential.digest, signing_key("x"))):
        with pytest.raises(NotAuthentic):
            vouched(read_request(signed(asking.body, own, (name, key)).raw))


BY: Final = party("BY")
SUB: Final = issue(KZ.body.credential, KZ.body.key, "office", "certify", body=Body("KZ", "KZ-SUB"))
OTHERS: Final = {
    "a colleague": KZ.officer("colleague", "acknowledge"),
    "the body": KZ.body,
    "the same subject in another body": issue(SUB.credential, SUB.key, "officer", "acknowledge", body=Body("KZ", "KZ-SUB")),
    "the same subject of another party": BY.officer("officer", "acknowledge"),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS.keys())
def test_nobody_vouches_for_another(other: Holder) -> None:
    of = other.credential.body.party
    both = Trust([{"KZ": KZ, "BY": BY}[of].roster(other.credential, *([SUB.credential] if of == "KZ" else []))])
    request = asked(subject=subject("officer"), vouching=(other,))
    with pytest.raises(Refused, match="vouched for by another"):
        vouched(request, trust=both)


def test_who_vouches_is_in_force_now() -> None:
    request = asked(subject=subject("officer"), vouching=(ACKNOWLEDGER,))
    for at in (BEGIN, END - 1):
        assert vouched(request, at)
    for at in (BEGIN - 1, END):
        with pytest.raises(Refused, match="at the time of vouching"):
            vouched(request, at)


@pytest.mark.parametrize("purpose", ALONE)
def test_nobody_vouches_for_a_custodian(purpose: str) -> None:
    """His key is in the root because two quorums put it there."""
    assert vouched(asked(purpose, subject=subject("officer"))) == []
    with pytest.raises(NotAuthentic, match="nobody vouches"):
        vouched(asked(purpose, subject=subject("officer"), vouching=(ACKNOWLEDGER,)))
