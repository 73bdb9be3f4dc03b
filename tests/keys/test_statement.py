"""Statements: what a signature covers, which signatures a type has, and that no byte of one can be altered."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.keys import flipped, reassembled, root_of, signed, signing_key

from valiza.keys import labels
from valiza.keys.digests import digest
from valiza.keys.encoding import pack, unpack
from valiza.keys.errors import Malformed, NotAuthentic
from valiza.keys.signing import VerifyKey
from valiza.keys.statement import LIMITS, ROLES, SIGNATURE_BYTES, SignerHeader, Statement, pae, read_statement, sign_statement

if TYPE_CHECKING:
    from valiza.keys.signing import SigningKey

SPEC: Final = Path(__file__).resolve().parents[2] / "specs" / "statement.md"
KEY: Final = signing_key("sealer")
OTHER: Final = signing_key("another")
VERIFY: Final = VerifyKey(KEY.public)


def dispatch(items: Any = ("said",)) -> Statement:
    return signed(labels.DISPATCH, "sealer", items, bytes(32), KEY)


def header(role: str = "sealer", signer: bytes = bytes(32), key: SigningKey = KEY) -> SignerHeader:
    return SignerHeader(role=role, signer_digest=signer, key_digest=key.key_digest)


def both_roots() -> tuple[tuple[SignerHeader, SigningKey], tuple[SignerHeader, SigningKey]]:
    one, other = ((header("root", root_of(name).digest, signing_key(name + "root")), signing_key(name + "root")) for name in ("KZ", "BY"))
    return one, other


# -- what is signed -------------------------------------------------------------------------------------------------------


def test_pre_authentication_encoding_byte_for_byte() -> None:
    assert pae("valiza/v1/root", b"head", b"the body") == b"VALIZAv1 14 valiza/v1/root 4 head 8 the body"
    assert pae("t", b"", b"") == b"VALIZAv1 1 t 0  0 "
    assert pae("t", b" 1", b"\x00" * 10) == b"VALIZAv1 1 t 2  1 10 " + bytes(10)


@given(st.binary(max_size=12), st.binary(max_size=12), st.binary(max_size=12), st.binary(max_size=12))
def test_no_two_statements_have_the_same_encoding(one: bytes, two: bytes, three: bytes, four: bytes) -> None:
    assert (pae("t", one, two) == pae("t", three, four)) == ((one, two) == (three, four))


def test_the_signature_is_over_type_header_and_body_with_the_type_as_context() -> None:
    statement = dispatch()
    (entry,) = statement.signatures
    VERIFY.verify(entry.signature, pae(labels.DISPATCH, entry.header_bytes, statement.body), labels.DISPATCH.encode())
    statement.verify(0, VERIFY)


def test_layout() -> None:
    statement = dispatch(["said", 1])
    (entry,) = statement.signatures
    assert unpack(statement.raw, max_bytes=1 << 16, what="statement") == [
        labels.DISPATCH,
        pack(["said", 1]),
        [[pack(["sealer", bytes(32), KEY.key_digest]), entry.signature]],
    ]
    assert statement.body == pack(["said", 1])
    assert statement.signer == header()


def test_a_statement_is_named_by_all_its_bytes() -> None:
    """ML-DSA is randomised: signing the same again is another act, with another name."""
    one, two = dispatch(), dispatch()
    assert one.body == two.body
    assert one.digest == digest(labels.DIGEST_STATEMENT, one.raw) != two.digest


# -- types, roles, numbers of signatures ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("type_", "role"), [(type_, role) for type_, (role, _) in ROLES.items()], ids=[name.rpartition("/")[2] for name in ROLES])
def test_each_type_is_read_as_itself_and_as_no_other(type_: str, role: str) -> None:
    statement = sign_statement(type_, b"body", [(header(role), KEY)])
    assert read_statement(statement.raw, type_) == statement
    assert read_statement(statement.raw, *ROLES) == statement
    for other in set(ROLES) - {type_}:
        with pytest.raises(Malformed):
            read_statement(statement.raw, other)


@pytest.mark.parametrize("role", ["root", "transport", "issuer", "roster", "acknowledger", "countersigner", "seal", "Sealer", "sealer ", ""])
def test_a_role_that_the_type_does_not_have_is_malformed(role: str) -> None:
    with pytest.raises(Malformed):
        sign_statement(labels.DISPATCH, b"", [(header(role), KEY)])


def test_a_signature_as_another_type_does_not_verify() -> None:
    """An acknowledgement and a refusal are signed in the same role: only the type tells them apart (P2)."""
    one = signed(labels.ACKNOWLEDGEMENT, "acknowledger", [], bytes(32), KEY)
    other = read_statement(pack([labels.REFUSAL, *unpack(one.raw, max_bytes=1 << 16, what="it")[1:]]), labels.REFUSAL)
    with pytest.raises(NotAuthentic):
        other.verify(0, VERIFY)


# Where several custodians sign for one root or two, or one holder with several keys; all other types have a single signature.
SEVERAL: Final = {
    labels.ROOT: 32,
    labels.CREDENTIAL: 16,
    labels.REVOCATION: 16,
    labels.DESIGNATION: 16,
    labels.REQUEST: 16,
    labels.AGREEMENT: 32,
    labels.TERMINATION: 16,
    labels.TRANSCRIPT: 64,
}


@pytest.mark.parametrize(("type_", "role"), [(type_, role) for type_, (role, _) in ROLES.items()], ids=[name.rpartition("/")[2] for name in ROLES])
def test_a_type_has_so_many_signatures_at_most(type_: str, role: str) -> None:
    most = SEVERAL.get(type_, 1)
    entries = [[header(role, bytes([i]) * 32).packed(), bytes(SIGNATURE_BYTES)] for i in range(most + 1)]
    assert len(read_statement(pack([type_, b"", entries[:-1]]), type_).signatures) == most
    for wrong in (entries, []):
        with pytest.raises(Malformed):
            read_statement(pack([type_, b"", wrong]), type_)


def test_two_signatures_are_sorted_by_their_headers_whoever_signs_first() -> None:
    one, other = both_roots()
    there, back = (sign_statement(labels.AGREEMENT, b"body", order) for order in ((one, other), (other, one)))
    assert [s.header_bytes for s in there.signatures] == [s.header_bytes for s in back.signatures] == sorted(h.packed() for h, _ in (one, other))


def test_signatures_in_another_order_are_malformed() -> None:
    type_, body, entries = unpack(sign_statement(labels.AGREEMENT, b"body", both_roots()).raw, max_bytes=1 << 16, what="it")
    with pytest.raises(Malformed):
        read_statement(pack([type_, body, entries[::-1]]), labels.AGREEMENT)


def test_one_root_does_not_sign_for_two() -> None:
    one, _ = both_roots()
    with pytest.raises(Malformed):
        sign_statement(labels.AGREEMENT, b"body", [one, one])


def test_others_sign_what_was_begun() -> None:
    one, other = both_roots()
    half = sign_statement(labels.AGREEMENT, b"body", [one])
    assert read_statement(half.raw, labels.AGREEMENT) == half
    whole = sign_statement(labels.AGREEMENT, half.body, [other], begun=half)
    assert read_statement(whole.raw, labels.AGREEMENT) == whole
    assert half.signatures[0] in whole.signatures
    assert whole.signer == min(one[0], other[0], key=SignerHeader.packed)
    for index, entry in enumerate(whole.signatures):
        key = one[1] if entry.header == one[0] else other[1]
        whole.verify(index, VerifyKey(key.public))


def test_nobody_signs_what_was_begun_a_second_time() -> None:
    one, other = both_roots()
    whole = sign_statement(labels.AGREEMENT, b"body", [one, other])
    with pytest.raises(Malformed):
        sign_statement(labels.AGREEMENT, b"body", [one], begun=whole)


# -- reading --------------------------------------------------------------------------------------------------------------

GOOD: Final = unpack(dispatch().raw, max_bytes=1 << 16, what="it")
ENTRY: Final = GOOD[2][0]
MALFORMED: Final[dict[str, Any]] = {
    "no array": "text",
    "two items": GOOD[:2],
    "four items": [*GOOD, None],
    "a map": {"type": GOOD[0]},
    "type unknown": ["valiza/v1/nothing", *GOOD[1:]],
    "type of version 2": ["valiza/v2/dispatch", *GOOD[1:]],
    "type of bytes": [GOOD[0].encode(), *GOOD[1:]],
    "type an array": [[GOOD[0]], *GOOD[1:]],
    "body as text": [GOOD[0], "body", GOOD[2]],
    "body inline": [GOOD[0], ["said"], GOOD[2]],
    "body nil": [GOOD[0], None, GOOD[2]],
    "signatures nil": [GOOD[0], GOOD[1], None],
    "signatures a map": [GOOD[0], GOOD[1], {"a": ENTRY}],
    "unsigned": [GOOD[0], GOOD[1], []],
    "signed twice over": [GOOD[0], GOOD[1], [ENTRY, ENTRY]],
    "signature without header": [GOOD[0], GOOD[1], [[ENTRY[1]]]],
    "signature with more": [GOOD[0], GOOD[1], [[*ENTRY, b""]]],
    "signature short": [GOOD[0], GOOD[1], [[ENTRY[0], ENTRY[1][:-1]]]],
    "signature long": [GOOD[0], GOOD[1], [[ENTRY[0], ENTRY[1] + b"\0"]]],
    "signature empty": [GOOD[0], GOOD[1], [[ENTRY[0], b""]]],
    "Ed25519 alone": [GOOD[0], GOOD[1], [[ENTRY[0], ENTRY[1][-64:]]]],
    "ML-DSA alone": [GOOD[0], GOOD[1], [[ENTRY[0], ENTRY[1][:-64]]]],
    "header inline": [GOOD[0], GOOD[1], [[["sealer", bytes(32), bytes(32)], ENTRY[1]]]],
    "header empty": [GOOD[0], GOOD[1], [[b"", ENTRY[1]]]],
    "header of two": [GOOD[0], GOOD[1], [[pack(["sealer", bytes(32)]), ENTRY[1]]]],
    "header of four": [GOOD[0], GOOD[1], [[pack(["sealer", bytes(32), bytes(32), None]), ENTRY[1]]]],
    "header with a short digest": [GOOD[0], GOOD[1], [[pack(["sealer", bytes(31), bytes(32)]), ENTRY[1]]]],
    "header too long": [GOOD[0], GOOD[1], [[pack(["sealer", bytes(32), bytes(300)]), ENTRY[1]]]],
    "header not in its shortest form": [GOOD[0], GOOD[1], [[b"\xdc\x00\x03" + ENTRY[0][1:], ENTRY[1]]]],
}


@pytest.mark.parametrize("value", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed(value: Any) -> None:
    with pytest.raises(Malformed):
        read_statement(pack(value), labels.DISPATCH)


def test_the_good_one_of_these_is_read() -> None:
    assert read_statement(pack(GOOD), labels.DISPATCH).type == labels.DISPATCH


def test_no_byte_can_be_altered() -> None:
    """Whichever byte it is: the object is malformed, or its one signature does not hold."""
    raw = dispatch().raw
    for index in range(len(raw)):
        with pytest.raises((Malformed, NotAuthentic)):
            read_statement(flipped(raw, index, 1 << index % 8), labels.DISPATCH).verify(0, VERIFY)


def test_no_byte_can_be_missing_or_added() -> None:
    raw = dispatch().raw
    for cut in (raw[:-1], raw[1:], raw + b"\0", b"\0" + raw, raw[:100] + raw[101:], raw[:100] + b"\0" + raw[100:], b""):
        with pytest.raises(Malformed):
            read_statement(cut, labels.DISPATCH)


def test_the_parts_of_two_statements_do_not_mix() -> None:
    one, other = dispatch(["one"]), dispatch(["other"])
    foreign = signed(labels.DISPATCH, "sealer", ["one"], bytes(32), OTHER)
    for mixed in (
        reassembled(one, body=other.body),
        reassembled(one, signature=other.signatures[0].signature),
        reassembled(one, signature=foreign.signatures[0].signature),
        reassembled(one, header=header(signer=b"\1" * 32).packed()),
        reassembled(one, header=header(key=OTHER).packed()),
    ):
        with pytest.raises(NotAuthentic):
            mixed.verify(0, VERIFY)


# -- limits ---------------------------------------------------------------------------------------------------------------


@pytest.mark.checkout
def test_limits_are_those_of_the_specification() -> None:
    (step,) = re.findall(r"^1\. Refuse more bytes than the limit of the type: (.*?)\.$", SPEC.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    units = {"KiB": 1024, "MiB": 1024**2}
    limits: dict[str, int] = {}
    for part in step.replace("\n", " ").split(";"):
        names, size, unit = re.fullmatch(r"\s*(.*?) (\d+) ([KM]iB)\s*", part).groups()  # type: ignore[union-attr]
        limits |= {f"valiza/v1/{name}": int(size) * units[unit] for name in re.findall(r"[a-z-]+", names) if name != "and"}
    assert limits == LIMITS


def statement_of(size: int, type_: str) -> bytes:
    """A statement of exactly that many bytes. Nobody signed it."""
    entry = [header(ROLES[type_][0]).packed(), bytes(SIGNATURE_BYTES)]
    overhead = len(pack([type_, bytes(1 << 16), [entry]])) - (1 << 16)
    raw = pack([type_, bytes(size - overhead), [entry]])
    assert len(raw) == size
    return raw


@pytest.mark.parametrize("type_", [labels.DISPATCH, labels.ACKNOWLEDGEMENT])
def test_a_statement_may_be_as_long_as_its_limit(type_: str) -> None:
    assert read_statement(statement_of(LIMITS[type_], type_), type_).type == type_
    with pytest.raises(Malformed):
        read_statement(statement_of(LIMITS[type_] + 1, type_), type_)


def test_where_several_types_are_expected_each_keeps_its_own_limit() -> None:
    with pytest.raises(Malformed):
        read_statement(statement_of(LIMITS[labels.DISPATCH] + 1, labels.DISPATCH), labels.DISPATCH, labels.RECEIPT)


@pytest.mark.parametrize(
    ("types", "name"),
    [
        ([labels.DISPATCH], "dispatch"),
        ([labels.ACKNOWLEDGEMENT, labels.REFUSAL], "acknowledgement or refusal"),
        ([labels.ACKNOWLEDGEMENT, labels.REFUSAL, labels.RECEIPT], "acknowledgement or refusal or receipt"),
        ([labels.ACKNOWLEDGEMENT, labels.REFUSAL, labels.RECEIPT, labels.ROOT], "valiza statement"),
        (list(ROLES), "valiza statement"),
    ],
    ids=["one", "two", "three", "four", "all"],
)
def test_an_error_names_what_was_wanted_unless_that_is_too_much(types: list[str], name: str) -> None:
    with pytest.raises(Malformed, match=f"^{name} is not an array of 3 items$"):
        read_statement(pack([]), *types)
    with pytest.raises(Malformed, match=f"^not a {name}$"):
        read_statement(pack([1, b"", []]), *types)
    wanted = "one that is known" if name == "valiza statement" else " or ".join(f"'{type_}'" for type_ in types)
    with pytest.raises(Malformed, match=f"^statement type 'x' is not {wanted}$"):
        read_statement(pack(["x", b"", []]), *types)
