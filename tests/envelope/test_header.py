"""Prefix, core and stanzas: what is malformed in them, and what names an envelope (specs/envelope.md, Header)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st
from tests.envelope.strategies import bodies, digests, remarks, stamps
from tests.support.tamper import LOW_ORDER_X25519, edited, more, put

from valiza.envelope.header import PREFIX, Core, Stanza, check_prefix, header_digest, make_core, pack_stanzas, read_core, read_stanzas, wrap_info
from valiza.envelope.route import Stamp
from valiza.keys.encoding import pack, unpack
from valiza.keys.errors import Malformed
from valiza.keys.fields import Body

if TYPE_CHECKING:
    from tests.support.tamper import Hook

CORE = make_core(
    envelope_id=bytes(range(32)),
    agreement=bytes(32),
    origin=Body("KZ", "KZ-MFA"),
    destination=Body("BY", "BY-MFA"),
    confirming=Body("BY", "BY-KGB"),
    sealing_credential=bytes(32),
    stamp=Stamp(channel="courier", package="1", due_at=0, route=None, hidden=bytes(32)),
)
WRAPPED = bytes(1120 - 32) + bytes([9]) + bytes(31) + bytes(48)  # 9: the base point of Curve25519


def altered(hook: Hook) -> bytes:
    return PREFIX + edited(CORE.raw[len(PREFIX) :], hook)


# -- prefix --------------------------------------------------------------------------------------------------------------


def test_prefix_is_that_of_the_specification() -> None:
    assert bytes.fromhex("89564c5a0d0a1a0a 0001 0001") == PREFIX
    check_prefix(PREFIX)


@pytest.mark.parametrize("at", range(8))
def test_another_magic(at: int) -> None:
    with pytest.raises(Malformed, match="not a Valiza envelope"):
        check_prefix(PREFIX[:at] + bytes([PREFIX[at] ^ 1]) + PREFIX[at + 1 :])


@pytest.mark.parametrize(("version", "suite"), [(0, 1), (2, 1), (256, 1), (1, 0), (1, 2), (1, 256), (65535, 65535)])
def test_another_version_or_suite_is_named(version: int, suite: int) -> None:
    with pytest.raises(Malformed, match=f"version {version}, suite {suite} cannot be read"):
        check_prefix(PREFIX[:8] + version.to_bytes(2, "big") + suite.to_bytes(2, "big"))


@pytest.mark.parametrize("length", [0, 7, 8, 11])
def test_prefix_cut_short(length: int) -> None:
    with pytest.raises(Malformed):
        check_prefix(PREFIX[:length])


# -- core ----------------------------------------------------------------------------------------------------------------


@st.composite
def cores(draw: st.DrawFn) -> bytes:
    origin, destination = draw(st.tuples(bodies, bodies).filter(lambda pair: pair[0].party != pair[1].party))
    confirming = replace(draw(bodies), party=destination.party)
    places: list[Any] = [body.packed() for body in (origin, destination, confirming)]
    return PREFIX + pack([draw(digests), draw(digests), *places, draw(digests), draw(stamps()).packed(), draw(remarks)])


@given(cores())
def test_core_reads_back(raw: bytes) -> None:
    core = read_core(raw)
    places: list[Any] = [body.packed() for body in (core.origin, core.destination, core.confirming)]
    items = [core.envelope_id, core.agreement, *places, core.sealing_credential, core.stamp.packed(), core.extensions]
    assert PREFIX + pack(items) == raw == core.raw
    assert core.digest == blake3(raw, derive_key_context="valiza/v1/digest/core").digest()


def test_digest_of_core_covers_the_prefix() -> None:
    assert CORE.digest != blake3(CORE.raw[len(PREFIX) :], derive_key_context="valiza/v1/digest/core").digest()


MALFORMED: dict[str, tuple[Hook, str]] = {
    "an item more": (more({}), "8 items"),
    "id of 31 bytes": (put(bytes(31), 0), "envelope id"),
    "id as text": (put("0" * 32, 0), "envelope id"),
    "agreement by name": (put("kz-by", 1), "agreement"),
    "origin without body": (put(["KZ"], 2), "origin"),
    "origin in small letters": (put("kz", 2, 0), "party of origin"),
    "destination nil": (put(None, 3), "destination"),
    "body id with a slash": (put("BY/MFA", 3, 1), "id of destination"),
    "confirming nil": (put(None, 4), "confirming"),
    "sealing credential nil": (put(None, 5), "sealing credential"),
    "stamp nil": (put(None, 6), "stamp"),
    "unknown extension": (put({"x": 1}, 7), "unknown extension"),
    "within one party": (put(["BY", "BY-BANK"], 2), r"\(R2, R12\)"),
    "confirmed by the origin's party": (put(["KZ", "KZ-MFA"], 4), r"\(R2, R12\)"),
    "confirmed by a third party": (put(["TS", "TS-MFA"], 4), r"\(R2, R12\)"),
    "confirmed by one that sorts before": (put(["AA", "AA-MFA"], 4), r"\(R2, R12\)"),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_core(case: str) -> None:
    hook, message = MALFORMED[case]
    with pytest.raises(Malformed, match=message):
        read_core(altered(hook))


def test_core_is_exactly_its_section() -> None:
    for raw in (CORE.raw[:-1], CORE.raw + b"\x00", CORE.raw + pack([]), PREFIX, b""):
        with pytest.raises(Malformed):
            read_core(raw)


@pytest.mark.parametrize("at", range(12))
def test_core_begins_with_the_prefix(at: int) -> None:
    """Inside an answer too, where no container is read."""
    with pytest.raises(Malformed, match=r"not a Valiza envelope|only version 1, suite 1"):
        read_core(CORE.raw[:at] + bytes([CORE.raw[at] ^ 1]) + CORE.raw[at + 1 :])


def test_core_of_32768_bytes_and_of_more() -> None:
    """Its prefix counts: it is a part of the section."""
    head = len(pack([bytes(1000)])) - 1000
    for size, message in ((32768, "core is not an array of 8 items"), (32769, "more than the limit")):
        raw = PREFIX + pack([bytes(size - len(PREFIX) - head)])
        assert len(raw) == size
        with pytest.raises(Malformed, match=message):
            read_core(raw)


def test_remarks_are_kept() -> None:
    core: Core = read_core(altered(put({"~note": [1, "x"]}, 7)))
    assert core.extensions == {"~note": [1, "x"]}


# -- stanzas -------------------------------------------------------------------------------------------------------------


def stanza(number: int, wrapped: bytes = WRAPPED) -> Stanza:
    return Stanza(bytes([number]) * 32, wrapped)


@given(
    st.dictionaries(digests, st.tuples(st.binary(min_size=1088, max_size=1088), digests, st.binary(min_size=48, max_size=48)), min_size=1, max_size=4)
)
def test_stanzas_read_back_in_order(drawn: dict[bytes, tuple[bytes, bytes, bytes]]) -> None:
    """Whatever stands in them, but for the X25519 key, which has to be one: here 9 and more, below 2^252."""
    stanzas = [Stanza(name, mlkem + bytes([9]) + x25519[1:31] + b"\x01" + sealed) for name, (mlkem, x25519, sealed) in drawn.items()]
    assert read_stanzas(pack_stanzas(stanzas)) == tuple(sorted(stanzas, key=lambda s: s.credential))


def test_as_many_stanzas_as_there_may_be() -> None:
    stanzas = [stanza(number) for number in range(64)]
    assert read_stanzas(pack_stanzas(stanzas[::-1])) == tuple(stanzas)


def packed(stanzas: list[Stanza]) -> list[Any]:
    items: list[Any] = unpack(pack_stanzas(stanzas), max_bytes=1 << 17, what="stanzas")
    return items


MALFORMED_STANZAS: dict[str, list[Any]] = {
    "none": [],
    "65": packed([stanza(n) for n in range(65)]),
    "twice the same": packed([stanza(1), stanza(1)]),
    "one credential twice": [[bytes(32), WRAPPED], [bytes(32), WRAPPED[:-1] + b"\x01"]],
    "unsorted": packed([stanza(1), stanza(2)])[::-1],
    "credential short": [[bytes(31), WRAPPED]],
    "wrapped key short": [[bytes(32), WRAPPED[:-1]]],
    "wrapped key long": [[bytes(32), WRAPPED + b"\x00"]],
    "three items": [[bytes(32), WRAPPED, None]],
    "wrapped key as text": [[bytes(32), "x" * 1168]],
}


@pytest.mark.parametrize("case", MALFORMED_STANZAS)
def test_malformed_stanzas(case: str) -> None:
    with pytest.raises(Malformed):
        read_stanzas(pack(MALFORMED_STANZAS[case]))


def test_stanzas_of_131072_bytes_and_of_more() -> None:
    head = len(pack([bytes(70000)])) - 70000
    for size, message in ((131072, "stanza is not an array"), (131073, "stanzas has 131073 bytes, more than the limit of 131072")):
        with pytest.raises(Malformed, match=message):
            read_stanzas(pack([bytes(size - head)]))


def test_stanzas_are_exactly_their_section() -> None:
    raw = pack_stanzas([stanza(1)])
    for other in (raw[:-1], raw + b"\x00", b""):
        with pytest.raises(Malformed):
            read_stanzas(other)


@pytest.mark.parametrize("name", LOW_ORDER_X25519)
def test_low_order_key_in_an_encapsulation(name: str) -> None:
    wrapped = WRAPPED[:1088] + LOW_ORDER_X25519[name] + WRAPPED[1120:]
    with pytest.raises(Malformed, match="X25519 half of an encapsulation"):
        read_stanzas(pack_stanzas([stanza(1, wrapped)]))


def test_info_of_a_stanza_is_that_of_labels() -> None:
    one, two = bytes([1]) * 32, bytes([2]) * 32
    assert wrap_info(one, two) == pack(["valiza/v1/wrap/payload-key", one, two])


def test_digest_of_the_header_is_over_all_of_it() -> None:
    assert header_digest(b"core and stanzas") == blake3(b"core and stanzas", derive_key_context="valiza/v1/digest/header").digest()
