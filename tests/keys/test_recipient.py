"""Opening keys: X-Wing and HPKE as others compute them, and what is refused in keys and encapsulations."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from tests.support.keys import VECTORS, counting, flipped, identity

from valiza.keys import labels
from valiza.keys.digests import digest
from valiza.keys.encoding import pack
from valiza.keys.errors import Malformed, NotAuthentic
from valiza.keys.recipient import ENCRYPTION_PUBLIC_BYTES, ENCRYPTION_SEED_BYTES, WRAPPED_BYTES, Identity, Recipient, check_wrapped

XWING: Final = json.loads((VECTORS / "xwing.json").read_text(encoding="utf-8"))
HPKE: Final = json.loads((VECTORS / "hpke-xwing.json").read_text(encoding="utf-8"))
MLKEM: Final = 1184
MLKEM_CIPHERTEXT: Final = 1088
ENCAPSULATION: Final = 1120
FIELD: Final = 2**255 - 19
XWING_LABEL: Final = bytes.fromhex("5c2e2f2f5e5c")

OPENER: Final = identity("opener")
RECIPIENT: Final = Recipient(OPENER.public)
INFO: Final = b"what it is bound to"

# Points of low order in canonical form: of order 4 (or 1 and 2 on the curve and its twist) and 8.
LOW_ORDER: Final = {
    "zero": 0,
    "one": 1,
    "p - 1": FIELD - 1,
    "order 8": 0x00B8495F16056286FDB1329CEB8D09DA6AC49FF1FAE35616AEB8413B7C7AEBE0,
    "order 8, the other": 0x57119FD0DD4E22D8868E1C58C45C44045BEF839C55B1D0B1248C50A3BC959C5F,
}
NOT_CANONICAL: Final = {
    "p": FIELD,
    "p + 1": FIELD + 1,
    "p + 9, which is the base point": FIELD + 9,
    "2^255 - 1": 2**255 - 1,
    "base point with the top bit": 9 + 2**255,
    "all bits": 2**256 - 1,
}
BAD_X25519: Final = {name: number.to_bytes(32, "little") for name, number in (LOW_ORDER | NOT_CANONICAL).items()}


# -- X-Wing and HPKE, computed here ---------------------------------------------------------------------------------------


def decapsulate(opener: Identity, encapsulation: bytes) -> bytes:
    """draft-connolly-cfrg-xwing-kem, Decapsulate."""
    mlkem = opener._mlkem.decapsulate(encapsulation[:MLKEM_CIPHERTEXT])
    x25519 = opener._x25519.exchange(X25519PublicKey.from_public_bytes(encapsulation[MLKEM_CIPHERTEXT:]))
    return hashlib.sha3_256(mlkem + x25519 + encapsulation[MLKEM_CIPHERTEXT:] + opener.public[MLKEM:] + XWING_LABEL).digest()


def extract(salt: bytes, material: bytes) -> bytes:
    return hmac.digest(salt or bytes(32), material, "sha256")


def expand(key: bytes, info: bytes, length: int) -> bytes:
    block = found = b""
    while len(found) < length:
        block = hmac.digest(key, block + info + bytes([len(found) // 32 + 1]), "sha256")
        found += block
    return found[:length]


def key_schedule(suite: bytes, shared_secret: bytes, info: bytes) -> tuple[bytes, bytes, bytes]:
    """RFC 9180, 5.1, base mode, HKDF-SHA256: key, nonce, exporter secret."""

    def labeled_extract(salt: bytes, label: bytes, material: bytes) -> bytes:
        return extract(salt, b"HPKE-v1" + suite + label + material)

    def labeled_expand(label: bytes, context: bytes, length: int) -> bytes:
        return expand(secret, length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + context, length)

    context = b"\x00" + labeled_extract(b"", b"psk_id_hash", b"") + labeled_extract(b"", b"info_hash", info)
    secret = labeled_extract(shared_secret, b"secret", b"")
    return labeled_expand(b"key", context, 32), labeled_expand(b"base_nonce", context, 12), labeled_expand(b"exp", context, 32)


@pytest.mark.parametrize("vector", XWING, ids=lambda vector: vector["seed"][:8])
def test_xwing_vectors(vector: dict[str, str]) -> None:
    opener = Identity(bytes.fromhex(vector["seed"]))
    assert opener.public.hex() == vector["pk"]
    assert Recipient(opener.public).raw == opener.public
    assert decapsulate(opener, bytes.fromhex(vector["ct"])).hex() == vector["ss"]


@pytest.mark.parametrize("vector", HPKE, ids=lambda vector: vector["suite_id"])
def test_hpke_vectors_of_kem_647a_have_these_keys_and_secrets(vector: dict[str, Any]) -> None:
    assert vector["kem_id"] == 0x647A
    opener = Identity(bytes.fromhex(vector["skRm"]))
    assert opener.public.hex() == vector["pkRm"]
    assert decapsulate(opener, bytes.fromhex(vector["enc"])).hex() == vector["shared_secret"]


def test_hpke_vector_key_schedule() -> None:
    """So that what computes the schedule here, and below reads what the product wrapped, is HPKE."""
    (vector,) = (v for v in HPKE if v["kdf_id"] == 1)
    secret = decapsulate(Identity(bytes.fromhex(vector["skRm"])), bytes.fromhex(vector["enc"]))
    key, nonce, exporter = key_schedule(bytes.fromhex(vector["suite_id"]), secret, bytes.fromhex(vector["info"]))
    assert [part.hex() for part in (key, nonce, exporter)] == [vector["key"], vector["base_nonce"], vector["exporter_secret"]]
    assert len(vector["encryptions"]) == 3
    for sequence, encryption in enumerate(vector["encryptions"]):
        own = (int.from_bytes(nonce, "big") ^ sequence).to_bytes(12, "big")
        opened = ChaCha20Poly1305(key).decrypt(own, bytes.fromhex(encryption["ct"]), bytes.fromhex(encryption["aad"]))
        assert opened.hex() == encryption["pt"]


def test_a_key_is_wrapped_with_kem_647a_hkdf_sha256_aes_256_gcm_and_no_aad() -> None:
    suite = b"HPKE" + bytes.fromhex("647a 0001 0002")
    wrapped = RECIPIENT.wrap(b"k" * 32, INFO)
    key, nonce, _ = key_schedule(suite, decapsulate(OPENER, wrapped[:ENCAPSULATION]), INFO)
    assert AESGCM(key).decrypt(nonce, wrapped[ENCAPSULATION:], b"") == b"k" * 32


# -- wrapping and unwrapping ----------------------------------------------------------------------------------------------


def test_what_is_wrapped_is_unwrapped_with_the_key_and_info_it_was_wrapped_with() -> None:
    wrapped = RECIPIENT.wrap(b"k" * 32, INFO)
    assert len(wrapped) == WRAPPED_BYTES
    assert wrapped != RECIPIENT.wrap(b"k" * 32, INFO)
    assert OPENER.unwrap(wrapped, INFO) == b"k" * 32
    for opener, info in ((OPENER, INFO + b"."), (OPENER, b""), (identity("another"), INFO)):
        with pytest.raises(NotAuthentic):
            opener.unwrap(wrapped, info)


@pytest.mark.parametrize("index", [0, 500, 1087, 1088, 1100, 1118, 1120, 1151, 1152, 1167])
def test_an_altered_wrapped_key_does_not_open(index: int) -> None:
    wrapped = RECIPIENT.wrap(b"k" * 32, INFO)
    with pytest.raises(NotAuthentic):
        OPENER.unwrap(flipped(wrapped, index), INFO)


def test_the_parts_of_two_wrapped_keys_do_not_mix() -> None:
    one, other = (RECIPIENT.wrap(bytes([i]) * 32, INFO) for i in range(2))
    for cut in (MLKEM_CIPHERTEXT, ENCAPSULATION):
        with pytest.raises(NotAuthentic):
            OPENER.unwrap(one[:cut] + other[cut:], INFO)


@pytest.mark.parametrize("size", [0, ENCAPSULATION, WRAPPED_BYTES - 1, WRAPPED_BYTES + 1])
def test_a_wrapped_key_has_1168_bytes(size: int) -> None:
    wrapped = (RECIPIENT.wrap(b"k" * 32, INFO) * 2)[:size]
    for reader in (check_wrapped, lambda data: OPENER.unwrap(data, INFO)):
        with pytest.raises(Malformed):
            reader(wrapped)


@pytest.mark.parametrize("size", [31, 33])
def test_only_a_key_of_32_bytes_is_wrapped(size: int) -> None:
    """Another length gives no wrapped key."""
    with pytest.raises(Malformed):
        check_wrapped(RECIPIENT.wrap(bytes(size), INFO))


@pytest.mark.parametrize("x25519", BAD_X25519.values(), ids=BAD_X25519.keys())
def test_an_encapsulation_with_a_bad_x25519_key_is_malformed(x25519: bytes) -> None:
    wrapped = RECIPIENT.wrap(b"k" * 32, INFO)
    bad = wrapped[:MLKEM_CIPHERTEXT] + x25519 + wrapped[ENCAPSULATION:]
    for reader in (check_wrapped, lambda data: OPENER.unwrap(data, INFO)):
        with pytest.raises(Malformed):
            reader(bad)


# -- keys -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("x25519", BAD_X25519.values(), ids=BAD_X25519.keys())
def test_a_public_key_with_a_bad_x25519_half_is_malformed(x25519: bytes) -> None:
    with pytest.raises(Malformed):
        Recipient(OPENER.public[:MLKEM] + x25519)


@pytest.mark.parametrize("number", LOW_ORDER.values(), ids=LOW_ORDER.keys())
def test_the_points_called_of_low_order_here_are(number: int) -> None:
    for seed in (b"a", b"b"):
        with pytest.raises(ValueError, match="key"):
            X25519PrivateKey.from_private_bytes(seed * 32).exchange(X25519PublicKey.from_public_bytes(number.to_bytes(32, "little")))


@pytest.mark.parametrize("coefficient", [3329, 3330, 4095])
@pytest.mark.parametrize("place", [0, 383, 767])
def test_an_ml_kem_half_with_a_coefficient_not_below_3329_is_malformed(coefficient: int, place: int) -> None:
    """Coefficients are packed little-endian in 12 bits each."""
    bits = int.from_bytes(OPENER.public[: MLKEM - 32], "little")
    bits = bits & ~(0xFFF << 12 * place) | coefficient << 12 * place
    with pytest.raises(Malformed):
        Recipient(bits.to_bytes(MLKEM - 32, "little") + OPENER.public[MLKEM - 32 :])


@pytest.mark.parametrize("size", [0, 32, MLKEM, ENCRYPTION_PUBLIC_BYTES - 1, ENCRYPTION_PUBLIC_BYTES + 1])
def test_a_public_key_has_1216_bytes(size: int) -> None:
    with pytest.raises(Malformed):
        Recipient((OPENER.public * 2)[:size])


def test_a_key_that_was_checked_before_is_checked_again_when_it_wraps() -> None:
    before = Recipient(OPENER.public, checked=True)
    for _ in range(2):
        assert OPENER.unwrap(before.wrap(b"k" * 32, INFO), INFO) == b"k" * 32
    bad = Recipient(OPENER.public[:MLKEM] + bytes(32), checked=True)
    with pytest.raises(Malformed):
        bad.wrap(b"k" * 32, INFO)


def test_a_zero_byte_more_is_no_public_key() -> None:
    """The number in the X25519 half would still be the same."""
    with pytest.raises(Malformed, match="1216 bytes, not 1217"):
        Recipient(OPENER.public + b"\0")


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_a_seed_has_32_bytes(size: int) -> None:
    with pytest.raises(Malformed):
        Identity(bytes(size))


def test_a_key_is_made_of_its_seed_alone() -> None:
    assert Identity(OPENER.seed).public == OPENER.public
    assert Identity.generate(counting()).seed == counting()(ENCRYPTION_SEED_BYTES)


def test_a_key_is_named_by_kind_and_bytes() -> None:
    expected = digest(labels.DIGEST_PUBLIC_KEY, pack(["X-Wing", OPENER.public]))
    assert OPENER.key_digest == RECIPIENT.key_digest == expected


def test_a_private_key_does_not_show_its_seed() -> None:
    for shown in (repr(OPENER), str(OPENER)):
        assert OPENER.seed.hex() not in shown
        assert repr(OPENER.seed)[2:-1] not in shown
