"""The key of a register's log: two halves that sign apart, neither of which takes what is not exactly its own."""

from __future__ import annotations

import json
from contextlib import nullcontext
from typing import Any, Final

import nacl.bindings
import pytest
from tests.support.keys import VECTORS, counting, flipped, log_key, signing_key

from valiza.keys import labels
from valiza.keys.digests import digest
from valiza.keys.encoding import pack
from valiza.keys.errors import Malformed, NotAuthentic
from valiza.keys.log_key import ED25519_SIGNATURE_BYTES, LOG_PUBLIC_BYTES, LOG_SEED_BYTES, MLDSA44_SIGNATURE_BYTES, LogSigningKey, LogVerifyKey
from valiza.keys.realm import Realm

WYCHEPROOF: Final = json.loads((VECTORS / "mldsa44-wycheproof.json").read_text(encoding="utf-8"))["testGroups"]
EDGE_POINTS: Final = json.loads((VECTORS / "ed25519-edge-points.json").read_text(encoding="utf-8"))


KEY: Final = log_key("register")
VERIFY: Final = LogVerifyKey(KEY.public)
OTHER: Final = log_key("another")
MESSAGE: Final = b"example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
MLDSA_PUBLIC: Final = KEY.public[:-32]


def test_what_each_half_signs_it_verifies() -> None:
    ed25519, mldsa = KEY.sign_ed25519(MESSAGE), KEY.sign_mldsa(MESSAGE)
    VERIFY.verify_ed25519(ed25519, MESSAGE)
    VERIFY.verify_mldsa(mldsa, MESSAGE)
    assert (len(ed25519), len(mldsa)) == (ED25519_SIGNATURE_BYTES, MLDSA44_SIGNATURE_BYTES) == (64, 2420)
    assert KEY.sign_ed25519(MESSAGE) == ed25519
    assert KEY.sign_mldsa(MESSAGE) != mldsa


@pytest.mark.parametrize("index", [0, 31, 32, 63])
def test_an_altered_ed25519_signature_does_not_hold(index: int) -> None:
    with pytest.raises(NotAuthentic, match="of a register"):
        VERIFY.verify_ed25519(flipped(KEY.sign_ed25519(MESSAGE), index), MESSAGE)


@pytest.mark.parametrize("index", [0, 31, 32, 1000, 2300, 2419])
def test_an_altered_ml_dsa_signature_does_not_hold(index: int) -> None:
    with pytest.raises(NotAuthentic, match="of a register"):
        VERIFY.verify_mldsa(flipped(KEY.sign_mldsa(MESSAGE), index), MESSAGE)


@pytest.mark.parametrize("group", WYCHEPROOF, ids=lambda group: str(group["tests"][0]["tcId"]))
def test_wycheproof_signature_is_accepted_exactly_if_it_is_valid_and_has_no_context(group: dict[str, Any]) -> None:
    public = bytes.fromhex(group["publicKey"])
    if len(public) != 1312:
        with pytest.raises(Malformed):
            LogVerifyKey(public + KEY.public[-32:])
        return
    key = LogVerifyKey(public + KEY.public[-32:])
    for test in group["tests"]:
        good = test["result"] == "valid" and not test.get("ctx")
        with nullcontext() if good else pytest.raises(NotAuthentic):
            key.verify_mldsa(bytes.fromhex(test["sig"]), bytes.fromhex(test["msg"]))


def test_wycheproof_seeds_give_their_keys() -> None:
    seeds = {group["privateSeed"]: group["publicKey"] for group in WYCHEPROOF if "privateSeed" in group}
    assert len(seeds) == 4
    assert {seed: LogSigningKey(bytes.fromhex(seed) + bytes(32)).public[:-32].hex() for seed in seeds} == seeds


def test_a_signature_belongs_to_one_message_and_one_key() -> None:
    for key, message in ((VERIFY, MESSAGE[:-1]), (VERIFY, MESSAGE + b"\n"), (VERIFY, b""), (LogVerifyKey(OTHER.public), MESSAGE)):
        with pytest.raises(NotAuthentic):
            key.verify_ed25519(KEY.sign_ed25519(MESSAGE), message)
        with pytest.raises(NotAuthentic):
            key.verify_mldsa(KEY.sign_mldsa(MESSAGE), message)


def test_each_half_is_that_of_its_place() -> None:
    mixed = LogVerifyKey(MLDSA_PUBLIC + OTHER.public[-32:])
    mixed.verify_mldsa(KEY.sign_mldsa(MESSAGE), MESSAGE)
    mixed.verify_ed25519(OTHER.sign_ed25519(MESSAGE), MESSAGE)
    with pytest.raises(NotAuthentic):
        mixed.verify_ed25519(KEY.sign_ed25519(MESSAGE), MESSAGE)
    with pytest.raises(NotAuthentic):
        mixed.verify_mldsa(OTHER.sign_mldsa(MESSAGE), MESSAGE)


@pytest.mark.parametrize("size", [0, 32, 63, 65, 128])
def test_an_ed25519_signature_of_another_length_is_none(size: int) -> None:
    with pytest.raises(NotAuthentic):
        VERIFY.verify_ed25519((KEY.sign_ed25519(MESSAGE) * 2)[:size], MESSAGE)


def test_what_stands_behind_an_ed25519_signature_is_no_part_of_the_message() -> None:
    with pytest.raises(NotAuthentic):
        VERIFY.verify_ed25519(KEY.sign_ed25519(b"more" + MESSAGE) + b"more", MESSAGE)


@pytest.mark.parametrize("size", [0, 64, 2419, 2421, 4840])
def test_an_ml_dsa_signature_of_another_length_is_none(size: int) -> None:
    with pytest.raises(NotAuthentic):
        VERIFY.verify_mldsa((KEY.sign_mldsa(MESSAGE) * 2)[:size], MESSAGE)


def test_an_ml_dsa_signature_with_a_context_is_another() -> None:
    with pytest.raises(NotAuthentic):
        VERIFY.verify_mldsa(KEY._mldsa.sign(MESSAGE, b"context"), MESSAGE)


def test_a_composite_half_does_not_verify_as_a_registers() -> None:
    """A signing key with the same seed of Ed25519: what it signs for a statement begins with its own prefix."""
    composite = signing_key("signer")
    log = LogSigningKey(composite.seed)
    assert log.public[-32:] == composite.public[-32:]
    with pytest.raises(NotAuthentic):
        LogVerifyKey(log.public).verify_ed25519(composite.sign(MESSAGE, b"valiza/v1/receipt")[-64:], MESSAGE)


# -- keys -----------------------------------------------------------------------------------------------------------------


def test_a_key_is_made_of_its_seed_alone() -> None:
    assert LogSigningKey(KEY.seed).public == KEY.public
    assert LogSigningKey(KEY.seed[:32] + bytes(32)).public[:-32] == MLDSA_PUBLIC
    assert LogSigningKey(bytes(32) + KEY.seed[32:]).public[-32:] == KEY.public[-32:]
    random = counting()
    assert LogSigningKey.generate(random).seed == counting()(LOG_SEED_BYTES)
    assert LogSigningKey.generate(random).seed != LogSigningKey.generate(random).seed


def test_the_ed25519_half_is_what_rfc_8032_makes_of_its_seed() -> None:
    """Its first test vector."""
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    key = LogSigningKey(bytes(32) + seed)
    assert key.public[-32:].hex() == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    assert key.sign_ed25519(b"").hex().startswith("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155")


@pytest.mark.parametrize("size", [0, 32, 63, 65])
def test_a_seed_has_64_bytes(size: int) -> None:
    with pytest.raises(Malformed, match="64 bytes"):
        LogSigningKey(bytes(size))


@pytest.mark.parametrize("size", [0, 32, 1312, 1343, 1345, 1984])
def test_a_public_key_has_1344_bytes(size: int) -> None:
    with pytest.raises(Malformed, match="1344 bytes"):
        LogVerifyKey((KEY.public + KEY.public)[:size])


def is_taken(public: bytes) -> bool:
    try:
        LogVerifyKey(MLDSA_PUBLIC + public)
    except Malformed:
        return False
    return True


def test_every_key_of_low_or_mixed_order_or_in_another_form_is_refused() -> None:
    weak = {"low_order_A", "non_canonical_A", "low_order_component_A"}
    taken = {point["number"] for point in EDGE_POINTS if is_taken(bytes.fromhex(point["key"]))}
    assert taken == {point["number"] for point in EDGE_POINTS if not set(point["flags"] or ()) & weak}
    assert len(taken) == 28


def test_a_key_that_was_checked_before_is_checked_again_when_it_verifies() -> None:
    before = LogVerifyKey(KEY.public, checked=True)
    for _ in range(2):
        before.verify_ed25519(KEY.sign_ed25519(MESSAGE), MESSAGE)
        before.verify_mldsa(KEY.sign_mldsa(MESSAGE), MESSAGE)
    for verify in ("verify_ed25519", "verify_mldsa"):
        bad = LogVerifyKey(MLDSA_PUBLIC + bytes(32), checked=True)
        with pytest.raises(Malformed, match="Ed25519 half of a register"):
            getattr(bad, verify)(bytes(2420), MESSAGE)


def test_the_halves_of_a_key_are_told() -> None:
    assert (VERIFY.mldsa, VERIFY.ed25519) == (KEY.public[:1312], KEY.public[1312:])
    assert VERIFY.halves == (digest(labels.DIGEST_PUBLIC_KEY, MLDSA_PUBLIC), KEY.public[-32:])


@pytest.mark.parametrize(("realm", "kind"), [(Realm.ORDINARY, "MLDSA44-Ed25519-log"), (Realm.REHEARSAL, "rehearsal/MLDSA44-Ed25519-log")])
def test_a_key_is_named_by_kind_and_bytes(realm: Realm, kind: str) -> None:
    key = LogSigningKey(KEY.seed, realm)
    verify = LogVerifyKey(key.public, realm)
    assert verify.packed == [kind, KEY.public]
    assert key.key_digest == verify.key_digest == digest(labels.DIGEST_PUBLIC_KEY, pack([kind, KEY.public]))
    assert len(key.public) == LOG_PUBLIC_BYTES


def test_a_private_key_does_not_show_its_seed() -> None:
    for shown in (repr(KEY), str(KEY), f"{KEY}"):
        assert KEY.seed.hex() not in shown
        assert repr(KEY.seed)[2:-1] not in shown


def test_libsodium_alone_would_take_what_follows_a_signature_for_the_message() -> None:
    """Why the length is checked first."""
    signed = KEY.sign_ed25519(b"more" + MESSAGE) + b"more"
    assert nacl.bindings.crypto_sign_open(signed + MESSAGE, VERIFY.ed25519) == b"more" + MESSAGE
