"""The composite signature: both halves hold or nothing does, and no key is taken with which one half would be none."""

from __future__ import annotations

import base64
import json
from typing import Any, Final

import nacl.bindings
import nacl.exceptions
import pytest
from tests.support.keys import VECTORS, counting, flipped, signing_key

from valiza.keys import labels
from valiza.keys.digests import digest
from valiza.keys.encoding import pack
from valiza.keys.errors import Malformed, NotAuthentic
from valiza.keys.signing import SIGNING_PUBLIC_BYTES, SIGNING_SEED_BYTES, SigningKey, VerifyKey, composite_message, composite_type, verify_half
from valiza.keys.statement import SIGNATURE_BYTES

COMPOSITE: Final = json.loads((VECTORS / "composite-mldsa65-ed25519.json").read_text(encoding="utf-8"))
TEST: Final = {name: base64.b64decode(value) for name, value in COMPOSITE["tests"][0].items() if name != "tcId"}
MESSAGE: Final = base64.b64decode(COMPOSITE["m"])
CONTEXT: Final = base64.b64decode(COMPOSITE["ctx"])
WYCHEPROOF: Final = [
    {**test, "pk": group["publicKey"]["pk"]}
    for group in json.loads((VECTORS / "ed25519-wycheproof.json").read_text(encoding="utf-8"))["testGroups"]
    for test in group["tests"]
]
EDGE_POINTS: Final = json.loads((VECTORS / "ed25519-edge-points.json").read_text(encoding="utf-8"))
MLDSA: Final = 3309

KEY: Final = signing_key("signer")
VERIFY: Final = VerifyKey(KEY.public)
MLDSA_PUBLIC: Final = KEY.public[:-32]


def accepts(public: bytes, signature: bytes, message: bytes) -> bool:
    """Whether libsodium's function, the one that VerifyKey calls, takes an Ed25519 signature."""
    try:
        return nacl.bindings.crypto_sign_open(signature + message, public) == message
    except nacl.exceptions.BadSignatureError:
        return False


def require_not_authentic(signature: bytes, message: bytes = b"message", context: bytes = b"context", key: VerifyKey = VERIFY) -> None:
    with pytest.raises(NotAuthentic):
        key.verify(signature, message, context)


# -- the composite draft's own vectors ------------------------------------------------------------------------------------


def test_composite_vector_key() -> None:
    assert SigningKey(TEST["sk"]).public == TEST["pk"]


@pytest.mark.parametrize(("name", "context"), [("s", b""), ("sWithContext", CONTEXT)], ids=["without ctx", "with ctx"])
def test_composite_vector_signature(name: str, context: bytes) -> None:
    key = VerifyKey(TEST["pk"])
    key.verify(TEST[name], MESSAGE, context)
    require_not_authentic(TEST[name], MESSAGE + b".", context, key)
    require_not_authentic(TEST[name], MESSAGE, context + b".", key)
    assert SigningKey(TEST["sk"]).sign(MESSAGE, context)[MLDSA:] == TEST[name][MLDSA:], "Ed25519 is not randomised"


def test_composite_vector_signatures_do_not_stand_for_each_other() -> None:
    key = VerifyKey(TEST["pk"])
    require_not_authentic(TEST["s"], MESSAGE, CONTEXT, key)
    require_not_authentic(TEST["sWithContext"], MESSAGE, b"", key)


# -- both halves ----------------------------------------------------------------------------------------------------------


def test_what_a_key_signs_it_verifies_and_each_time_otherwise() -> None:
    one, two = (KEY.sign(b"message", b"context") for _ in range(2))
    VERIFY.verify(one, b"message", b"context")
    VERIFY.verify(two, b"message", b"context")
    assert one[:MLDSA] != two[:MLDSA]
    assert len(one) == SIGNATURE_BYTES
    assert len(KEY.public) == SIGNING_PUBLIC_BYTES


@pytest.mark.parametrize("index", [0, 40, 3000, 3308, 3309, 3340, 3341, 3372])
def test_either_half_alone_is_not_enough(index: int) -> None:
    require_not_authentic(flipped(KEY.sign(b"message", b"context"), index))


def test_the_halves_belong_to_one_message_one_context_and_one_key() -> None:
    good = KEY.sign(b"message", b"context")
    others = (KEY.sign(b"other", b"context"), KEY.sign(b"message", b"other"), signing_key("another").sign(b"message", b"context"))
    for other in others:
        require_not_authentic(good[:MLDSA] + other[MLDSA:])
        require_not_authentic(other[:MLDSA] + good[MLDSA:])


def test_the_halves_of_a_public_key_belong_together() -> None:
    other = signing_key("another").public
    for public in (other[:-32] + KEY.public[-32:], KEY.public[:-32] + other[-32:]):
        require_not_authentic(KEY.sign(b"message", b"context"), key=VerifyKey(public))


@pytest.mark.parametrize("size", [0, 64, MLDSA, SIGNATURE_BYTES - 1, SIGNATURE_BYTES + 1, 2 * SIGNATURE_BYTES])
def test_a_signature_of_another_length_is_none(size: int) -> None:
    require_not_authentic((KEY.sign(b"message", b"context") * 2)[:size])


def test_what_the_signer_puts_behind_the_signature_is_no_part_of_the_message() -> None:
    """The one who has the key could make an Ed25519 half that holds for a longer message, whose beginning it carries itself: a second form."""
    composed = composite_message(b"message", b"context")
    mldsa = KEY.sign(b"message", b"context")[:MLDSA]
    for more in (b"", b"x", b"more"):
        half = nacl.bindings.crypto_sign(more + composed, KEY._ed25519)[:64]
        if more:
            require_not_authentic(mldsa + half + more)
        else:
            VERIFY.verify(mldsa + half, b"message", b"context")


def test_context_and_message_do_not_flow_into_each_other() -> None:
    require_not_authentic(KEY.sign(b"bc", b"a"), b"c", b"ab")
    require_not_authentic(KEY.sign(b"", b"ab"), b"ab", b"")


# -- halves ---------------------------------------------------------------------------------------------------------------


def test_an_ed25519_half_is_told_from_a_wrong_one() -> None:
    composed = composite_message(b"message", b"context")
    half = KEY.sign(b"message", b"context")[MLDSA:]
    verify_half(half, composed, KEY.public[-32:])
    for wrong, message in ((flipped(half, 3), composed), (half, flipped(composed, 70)), (flipped(half, 40), composed)):
        with pytest.raises(NotAuthentic):
            verify_half(wrong, message, KEY.public[-32:])
    with pytest.raises(NotAuthentic):
        verify_half(half, composed, signing_key("another").public[-32:])


@pytest.mark.parametrize("context", [b"x", b"valiza/v1/dispatch", b"~" * 255])
def test_the_type_of_what_a_half_signs_can_be_read(context: bytes) -> None:
    composed = composite_message(b"message", context)
    assert len(composed) == 127 + len(context)
    assert composite_type(composed) == context.decode()


@pytest.mark.parametrize("context", [b"", b"a b", b"\n", b"\xd0\xb0", b"\x00" * 64])
def test_no_type_of_a_statement_is_no_type(context: bytes) -> None:
    with pytest.raises(Malformed):
        composite_type(composite_message(b"message", context))


def test_what_is_not_exactly_what_a_half_signs_has_no_type() -> None:
    composed = composite_message(b"message", b"valiza/v1/dispatch")
    for index in range(63):
        with pytest.raises(Malformed):
            composite_type(flipped(composed, index))
    for other in (b"", composed[:-1], composed + b"\0", composed[:63], b"\0" + composed):
        with pytest.raises(Malformed):
            composite_type(other)


# -- keys -----------------------------------------------------------------------------------------------------------------


def test_a_key_is_made_of_its_seed_alone() -> None:
    assert SigningKey(KEY.seed).public == KEY.public
    assert SigningKey(KEY.seed[:32] + bytes(32)).public[:-32] == KEY.public[:-32]
    assert SigningKey(bytes(32) + KEY.seed[32:]).public[-32:] == KEY.public[-32:]
    random = counting()
    assert SigningKey.generate(random).seed == counting()(SIGNING_SEED_BYTES)
    assert SigningKey.generate(random).seed != SigningKey.generate(random).seed


@pytest.mark.parametrize("size", [0, 32, 63, 65])
def test_a_seed_has_64_bytes(size: int) -> None:
    with pytest.raises(Malformed):
        SigningKey(bytes(size))


@pytest.mark.parametrize("size", [0, 32, 1952, 1983, 1985])
def test_a_public_key_has_1984_bytes(size: int) -> None:
    with pytest.raises(Malformed):
        VerifyKey((KEY.public + KEY.public)[:size])


def test_a_key_that_was_checked_before_is_checked_again_when_it_verifies() -> None:
    signature = KEY.sign(b"message", b"context")
    before = VerifyKey(KEY.public, checked=True)
    for _ in range(2):
        before.verify(signature, b"message", b"context")
    bad = VerifyKey(MLDSA_PUBLIC + bytes(32), checked=True)
    with pytest.raises(Malformed, match="Ed25519 half"):
        bad.verify(signature, b"message", b"context")


def test_the_halves_of_a_key_are_told() -> None:
    assert VERIFY.ed25519 == KEY.public[-32:]
    assert VERIFY.halves == (digest(labels.DIGEST_PUBLIC_KEY, MLDSA_PUBLIC), KEY.public[-32:])


def test_a_key_is_named_by_kind_and_bytes() -> None:
    expected = digest(labels.DIGEST_PUBLIC_KEY, pack(["MLDSA65-Ed25519", KEY.public]))
    assert KEY.key_digest == VERIFY.key_digest == expected


def test_a_private_key_does_not_show_its_seed() -> None:
    for shown in (repr(KEY), str(KEY), f"{KEY}"):
        assert KEY.seed.hex() not in shown
        assert repr(KEY.seed)[2:-1] not in shown


# -- Ed25519 --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("test", [t for t in WYCHEPROOF if len(t["sig"]) == 128], ids=lambda test: str(test["tcId"]))
def test_wycheproof_signature_is_accepted_exactly_if_valid(test: dict[str, Any]) -> None:
    public = bytes.fromhex(test["pk"])
    VerifyKey(MLDSA_PUBLIC + public)
    assert accepts(public, bytes.fromhex(test["sig"]), bytes.fromhex(test["msg"])) == (test["result"] == "valid")


def test_wycheproof_signatures_of_another_length_never_get_as_far() -> None:
    """They are all invalid, and the length of a composite signature leaves exactly 64 bytes for this half."""
    others = [test for test in WYCHEPROOF if len(test["sig"]) != 128]
    assert len(others) == 12
    assert {test["result"] for test in others} == {"invalid"}
    mldsa = KEY.sign(b"message", b"context")[:MLDSA]
    for test in others:
        require_not_authentic(mldsa + bytes.fromhex(test["sig"]))


def is_taken(public: bytes) -> bool:
    try:
        VerifyKey(MLDSA_PUBLIC + public)
    except Malformed:
        return False
    return True


WEAK: Final = {"low_order_A", "non_canonical_A", "low_order_component_A"}


def test_every_key_of_low_or_mixed_order_or_in_another_form_is_refused() -> None:
    """All 914 edge points of C2SP's collection: exactly the keys of prime order, in canonical form, are taken (P6)."""
    assert len(EDGE_POINTS) == 914
    flags = {point["number"]: set(point["flags"] or ()) for point in EDGE_POINTS}
    taken = {point["number"] for point in EDGE_POINTS if is_taken(bytes.fromhex(point["key"]))}
    assert taken == {number for number, found in flags.items() if not found & WEAK}
    assert len(taken) == 28


def test_of_the_edge_signatures_under_a_key_that_is_taken_only_the_plain_one_holds() -> None:
    """Where the point R is of low order or in another form, or only the cofactor would save it, the signature does not hold."""
    under_good_keys = [point for point in EDGE_POINTS if is_taken(bytes.fromhex(point["key"]))]
    held = [p for p in under_good_keys if accepts(bytes.fromhex(p["key"]), bytes.fromhex(p["sig"]), p["msg"].encode())]
    assert [point["flags"] for point in held] == [None]


@pytest.mark.parametrize("index", range(32))
def test_a_key_that_is_no_point_is_refused_whatever_its_ml_dsa_half(index: int) -> None:
    for filling in (b"\x00", b"\xff", b"\x02"):
        point = filling * index + b"\x01" + filling * (31 - index)
        if not nacl.bindings.crypto_core_ed25519_is_valid_point(point):
            with pytest.raises(Malformed, match="Ed25519 half"):
                VerifyKey(MLDSA_PUBLIC + point)
