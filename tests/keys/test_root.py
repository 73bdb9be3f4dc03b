"""Roots: they sign themselves, and are believed for their fingerprint alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.keys import BEGIN, DEGREES, END, flipped, identity, naming_another_key, reassembled, root_of, signed, signing_key

from valiza.keys import labels
from valiza.keys.digests import digest
from valiza.keys.encoding import pack
from valiza.keys.errors import Malformed, NotAuthentic
from valiza.keys.root import Root, make_root, parse_fingerprint, read_root, require_fingerprint, signing_public_key, verify_by_root
from valiza.keys.signing import VerifyKey
from valiza.keys.statement import Statement, read_statement

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT: Final = root_of("KZ")
KEY: Final = signing_key("KZroot")
OTHER: Final = signing_key("another")


def items(**changes: Any) -> list[Any]:
    """The body of a root, as a list, with some fields changed."""
    said = {
        "party": "KZ",
        "names": {"en": "State of KZ", "kk": "Қазақстан"},
        "degrees": list(DEGREES),
        "key": [labels.KIND_SIGNATURE, KEY.public],
        "valid_from": BEGIN,
        "valid_until": END,
        "extensions": {},
    }
    assert not set(changes) - set(said)
    return list({**said, **changes}.values())


def statement(body: list[Any], *, signer: bytes | None = None, key: Any = KEY) -> Statement:
    return signed(labels.ROOT, "root", body, digest(labels.DIGEST_ROOT, pack(body)) if signer is None else signer, key)


# -- reading --------------------------------------------------------------------------------------------------------------


def test_a_root_says_what_it_was_made_to_say() -> None:
    root = make_root(party_id="KZ", party_names={"en": "State of KZ"}, degrees=DEGREES, key=KEY, valid_from=BEGIN, valid_until=END)
    assert (root.party, root.names, root.degrees) == ("KZ", {"en": "State of KZ"}, DEGREES)
    assert (root.valid_from, root.valid_until, root.extensions) == (BEGIN, END, {})
    assert root.key.raw == KEY.public
    assert read_root(root.raw) == root


def test_a_root_is_named_by_its_body_however_often_it_is_signed() -> None:
    one, two = (read_root(statement(items()).raw) for _ in range(2))
    assert one.raw != two.raw
    assert one.digest == two.digest == digest(labels.DIGEST_ROOT, pack(items()))
    assert one.fingerprint == one.digest.hex()


def test_every_field_is_part_of_the_fingerprint() -> None:
    changes: list[dict[str, Any]] = [
        {},
        {"party": "BY"},
        {"names": {"en": "x"}},
        {"degrees": ["2", "1", "3"]},
        {"valid_from": BEGIN + 1},
        {"valid_until": END - 1},
        {"extensions": {"~note": 1}},
    ]
    assert len({read_root(statement(items(**change)).raw).fingerprint for change in changes}) == len(changes)


MALFORMED: Final[dict[str, dict[str, Any]]] = {
    "party in small letters": {"party": "kz"},
    "no names": {"names": {}},
    "no degrees": {"degrees": []},
    "17 degrees": {"degrees": [str(i) for i in range(17)]},
    "a degree twice": {"degrees": ["1", "2", "1"]},
    "a degree too long": {"degrees": ["1" * 17]},
    "a degree as number": {"degrees": [1]},
    "key of another kind": {"key": [labels.KIND_ENCRYPTION, identity("x").public]},
    "key of another length": {"key": [labels.KIND_SIGNATURE, KEY.public[:-1]]},
    "key without kind": {"key": KEY.public},
    "key with a point of low order": {"key": [labels.KIND_SIGNATURE, KEY.public[:-32] + bytes([1]) + bytes(31)]},
    "valid for no time": {"valid_until": BEGIN},
    "valid backwards": {"valid_until": BEGIN - 1},
    "a time too late": {"valid_until": 253402300800},
    "an unknown extension": {"extensions": {"note": 1}},
    "extensions nil": {"extensions": None},
}


@pytest.mark.parametrize("change", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed(change: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        read_root(statement(items(**change)).raw)


@pytest.mark.parametrize("body", [[], items()[:-1], [*items(), {}], {"party": "KZ"}, "KZ"], ids=["empty", "six", "eight", "map", "text"])
def test_a_body_of_another_form_is_malformed(body: Any) -> None:
    with pytest.raises(Malformed):
        read_root(statement(body).raw)


def test_another_statement_is_no_root() -> None:
    with pytest.raises(Malformed):
        read_root(signed(labels.CREDENTIAL, "issuer", items(), bytes(32), KEY).raw)


# -- whose signature ------------------------------------------------------------------------------------------------------


def test_a_root_is_signed_by_itself() -> None:
    for stranger in (
        statement(items(), key=OTHER),  # names another key
        statement(items(), signer=bytes(32)),  # names another root
        statement(items(), signer=root_of("BY").digest),
        reassembled(statement(items()), signature=statement(items(party="BY")).signatures[0].signature),
        reassembled(statement(items()), body=pack(items(party="BY"))),
    ):
        with pytest.raises(NotAuthentic):
            read_root(stranger.raw)


@pytest.mark.parametrize("half", [-3373, -65, -64, -1], ids=["ML-DSA begins", "ML-DSA ends", "Ed25519 begins", "Ed25519 ends"])
def test_both_halves_of_the_signature_hold(half: int) -> None:
    with pytest.raises(NotAuthentic):
        read_root(flipped(ROOT.raw, len(ROOT.raw) + half))


def test_a_signature_of_the_root_is_recognised_and_no_other() -> None:
    good = signed(labels.TERMINATION, "root", ["said"], ROOT.digest, KEY)
    verify_by_root(good, 0, ROOT)
    for other in (
        signed(labels.TERMINATION, "root", ["said"], bytes(32), KEY),
        signed(labels.TERMINATION, "root", ["said"], ROOT.digest, OTHER),
        reassembled(good, body=pack(["otherwise"])),
        naming_another_key(good, KEY, OTHER),
    ):
        with pytest.raises(NotAuthentic):
            verify_by_root(other, 0, ROOT)
    with pytest.raises(NotAuthentic):
        verify_by_root(good, 0, root_of("BY"))


def test_another_root_with_the_same_key_is_another_root() -> None:
    again = make_root(party_id="KZ", party_names={"en": "x"}, degrees=DEGREES, key=KEY, valid_from=BEGIN, valid_until=END)
    with pytest.raises(NotAuthentic):
        verify_by_root(signed(labels.TERMINATION, "root", [], ROOT.digest, KEY), 0, again)


# -- fingerprints ---------------------------------------------------------------------------------------------------------


@given(st.binary(min_size=32, max_size=32), st.sampled_from([" ", ":", "\n", " : ", ""]), st.integers(1, 64), st.sampled_from([str.upper, str.lower]))
def test_a_fingerprint_is_read_in_groups_of_any_size(raw: bytes, between: str, size: int, case: Callable[[str], str]) -> None:
    digits = case(raw.hex())
    assert parse_fingerprint(between.join(digits[i : i + size] for i in range(0, 64, size)) + between) == raw


NO_FINGERPRINTS: Final = {
    "empty": "",
    "two digits": "ab",
    "63 digits": "a" * 63,
    "65 digits": "a" * 65,
    "66 digits": "a" * 66,
    "other letters": "g" * 64,
    "0x": "0x" + "a" * 62,
    "0x before all": "0x" + "a" * 64,
    "Arabic digits": "a" * 62 + "\u0661\u0661",
    "wide letters": "\uff41" * 64,
    "a hyphen": "a" * 32 + "-" + "a" * 32,
    "beginning and dots": "a" * 32 + "…",
}


@pytest.mark.parametrize("value", NO_FINGERPRINTS.values(), ids=NO_FINGERPRINTS.keys())
def test_a_part_of_a_fingerprint_or_anything_else_is_malformed(value: str) -> None:
    with pytest.raises(Malformed):
        parse_fingerprint(value)


def test_the_whole_fingerprint_is_compared() -> None:
    require_fingerprint(ROOT, ROOT.digest)
    for index in range(32):
        with pytest.raises(NotAuthentic):
            require_fingerprint(ROOT, flipped(ROOT.digest, index))
    with pytest.raises(NotAuthentic):
        require_fingerprint(ROOT, ROOT.digest[:31])


# -- public keys ----------------------------------------------------------------------------------------------------------


def test_a_signing_public_key_has_its_kind_and_is_valid() -> None:
    assert signing_public_key(["MLDSA65-Ed25519", KEY.public]).key_digest == VerifyKey(KEY.public).key_digest
    for value in (
        ["X-Wing", KEY.public],
        [None, KEY.public],
        [KEY.public],
        ["MLDSA65-Ed25519", KEY.public, b""],
        ["MLDSA65-Ed25519", "text"],
        KEY.public,
    ):
        with pytest.raises(Malformed):
            signing_public_key(value)


def test_a_root_read_twice_is_checked_as_strictly_the_second_time() -> None:
    """What is read is remembered by its bytes alone, and a failure is not remembered."""
    raw = statement(items()).raw
    assert read_root(raw) is read_root(bytes(bytearray(raw)))
    for _ in range(2):
        with pytest.raises(NotAuthentic):
            read_root(flipped(raw, len(raw) - 1))


def test_reading_a_root_believes_nothing_of_it() -> None:
    """Anybody makes a root of any party: only the pinned fingerprint tells."""
    stranger = make_root(party_id="KZ", party_names={"en": "State of KZ"}, degrees=DEGREES, key=OTHER, valid_from=BEGIN, valid_until=END)
    assert isinstance(read_root(stranger.raw), Root)
    with pytest.raises(NotAuthentic):
        require_fingerprint(stranger, ROOT.digest)
    assert read_statement(stranger.raw, labels.ROOT).signer.signer_digest == stranger.digest
