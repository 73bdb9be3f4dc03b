"""Who broke one half of a composite key: Ed25519 and X25519 with a quantum computer, or the younger ML-DSA and ML-KEM by a flaw."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from tests.support.tamper import split
from tests.support.world import Exchange, Officer, World, acknowledged, acknowledgement_body, countersigned, receipt_body, say, seeded

from valiza.envelope.header import wrap_info
from valiza.envelope.receipt import read_receipt
from valiza.keys import labels
from valiza.keys.credential import check_credential
from valiza.keys.digests import digest
from valiza.keys.encoding import unpack
from valiza.keys.errors import NotAuthentic
from valiza.keys.recipient import Identity
from valiza.keys.root import read_root
from valiza.keys.roster import read_roster
from valiza.keys.signing import SigningKey
from valiza.keys.statement import SignerHeader, read_statement, sign_statement

if TYPE_CHECKING:
    from collections.abc import Callable

HALVES = ["Ed25519", "ML-DSA-65"]
ENCAPSULATION = 1120


def broken(victim: SigningKey, known: str) -> SigningKey:
    """A key of the attacker's with one half of the victim's: a signature by it is right in that half."""
    own = seeded("attacker")(32)
    return SigningKey(own + victim.seed[32:] if known == "Ed25519" else victim.seed[:32] + own)


def half_of(victim: Officer, known: str) -> Officer:
    """The victim as somebody plays him who knows one half of each of his signing keys."""
    return replace(victim, keys={purpose: broken(key, known) for purpose, key in victim.keys.items()})


def signed_in_the_name_of(victim: Officer, type_: str, body: bytes, known: str, role: str) -> bytes:
    """A statement whose signer header names the victim's true key."""
    return say(type_, body, half_of(victim, known), header=victim.header(role))


@pytest.mark.parametrize("known", HALVES)
def test_the_half_that_is_known_is_right_in_what_is_forged_here(known: str) -> None:
    """Otherwise the tests below would show nothing: the attacker's signature is the victim's in exactly one half."""
    victim = SigningKey.generate(seeded("victim"))
    attacker = broken(victim, known)
    same = [attacker.public[:1952] == victim.public[:1952], attacker.public[1952:] == victim.public[1952:]]
    assert same == [known == "ML-DSA-65", known == "Ed25519"]


@pytest.mark.parametrize("known", HALVES)
def test_dispatch_with_one_right_half(world: World, known: str) -> None:
    forged = world.plan().seal()
    chief = world.origin["chief"]
    again = replace(split(forged.container), dispatch=say(labels.DISPATCH, forged.dispatch.body, chief)).join()
    world.authenticate(again)
    raw = signed_in_the_name_of(chief, labels.DISPATCH, forged.dispatch.body, known, "sealer")
    with pytest.raises(NotAuthentic, match="does not verify"):
        world.authenticate(replace(split(forged.container), dispatch=raw).join())


@pytest.mark.parametrize("known", HALVES)
def test_answer_and_receipt_with_one_right_half(exchange: Exchange, known: str) -> None:
    world = exchange.world
    chief, clerk = world.destination["chief"], world.countersigner
    answer = signed_in_the_name_of(chief, labels.ACKNOWLEDGEMENT, acknowledgement_body(exchange.opening), known, "acknowledger")
    with pytest.raises(NotAuthentic, match="does not verify"):
        world.read_answer(answer)
    checked = ["envelope", "opening"] if world.confirming == world.destination.ministry else ["entered", "envelope"]
    good = acknowledged(exchange.opening, chief)
    read_receipt(countersigned(good, clerk, checked=checked), trust=world.trust, agreements=world.agreements)
    raw = signed_in_the_name_of(clerk, labels.RECEIPT, receipt_body(good, clerk, checked=checked), known, "countersigner")
    with pytest.raises(NotAuthentic, match="does not verify"):
        read_receipt(raw, trust=world.trust, agreements=world.agreements)


@pytest.mark.parametrize("known", HALVES)
def test_root_roster_and_credential_with_one_right_half(kz_by: World, known: str) -> None:
    side = kz_by.origin
    issuer, key = side.certifiers[side.ministry.id]
    of_root = SignerHeader(role="root", signer_digest=side.root.digest, key_digest=side.root_key.key_digest)
    of_roster = SignerHeader(role="roster", signer_digest=side.roster_credential.digest, key_digest=side.roster_key.key_digest)
    of_issuer = SignerHeader(role="issuer", signer_digest=issuer.digest, key_digest=key.key_digest)
    cases: list[tuple[str, bytes, SignerHeader, SigningKey, Callable[[bytes], object]]] = [
        (labels.ROOT, side.root.raw, of_root, side.root_key, read_root),
        (labels.ROSTER, side.roster.raw, of_roster, side.roster_key, lambda raw: read_roster(raw, side.root.digest)),
        (
            labels.CREDENTIAL,
            side["chief"].credentials["seal"].raw,
            of_issuer,
            key,
            lambda raw: check_credential(read_statement(raw, labels.CREDENTIAL), issuer),
        ),
    ]
    for type_, good, header, signer, read in cases:
        body = read_statement(good, type_).body
        read(sign_statement(type_, body, [(header, signer)]).raw)
        with pytest.raises(NotAuthentic, match="does not verify"):
            read(sign_statement(type_, body, [(header, broken(signer, known))]).raw)


@pytest.mark.parametrize("known", ["X25519", "ML-KEM-768"])
def test_payload_key_with_one_half_of_the_shared_secret(world: World, known: str) -> None:
    """He computes the one shared secret as the addressee does; without the other the stanza does not open."""
    forged = world.plan().seal()
    chief = world.destination["chief"]
    attacker, other = Identity(chief.identity.seed), Identity(seeded("attacker")(32))
    if known == "X25519":
        attacker._mlkem = other._mlkem
    else:
        attacker._x25519 = other._x25519
    items = unpack(split(forged.container).stanzas, max_bytes=1 << 17, what="stanzas")
    (wrapped,) = [wrapped for name, wrapped in items if name == chief.open.digest]
    ciphertext, point = wrapped[: ENCAPSULATION - 32], X25519PublicKey.from_public_bytes(wrapped[ENCAPSULATION - 32 : ENCAPSULATION])
    same = [
        attacker._x25519.exchange(point) == chief.identity._x25519.exchange(point),
        attacker._mlkem.decapsulate(ciphertext) == chief.identity._mlkem.decapsulate(ciphertext),
    ]
    assert same == [known == "X25519", known == "ML-KEM-768"]
    info = wrap_info(digest(labels.DIGEST_CORE, forged.core), chief.open.digest)
    assert chief.identity.unwrap(wrapped, info) == forged.payload_key
    with pytest.raises(NotAuthentic, match="does not open"):
        attacker.unwrap(wrapped, info)
    with pytest.raises(NotAuthentic, match="does not open"):
        world.unseal(forged.container, by=replace(chief, identity=attacker))
