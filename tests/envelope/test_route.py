"""Stamp, route and closed stamp: what each field may be, and what the keyed digest covers (specs/envelope.md, Header)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.envelope.strategies import digests, routes, stamps
from tests.support.tamper import more, put

from valiza.envelope.route import Leg, Marks, Route, Stamp, close_stamp, read_route, read_stamp, require_hidden_route
from valiza.keys.encoding import pack, unpack
from valiza.keys.errors import Malformed, NotAuthentic
from valiza.keys.fields import Mark

if TYPE_CHECKING:
    from tests.support.tamper import Hook

ROUTE = Route(
    marks=Marks(Mark("KZ", "2"), Mark("BY", "2")),
    transport="road",
    escort="armed",
    legs=(Leg("Астана", "Москва"), Leg("Москва", "Минск")),
    reference="No. 7 of 2026",
)
STAMP = Stamp(channel="courier", package="MFA/2026/out/1", due_at=1, route=ROUTE)


def packed(stamp: Stamp) -> list[Any]:
    items: list[Any] = unpack(pack(stamp.packed()), max_bytes=1 << 16, what="stamp")
    return items


@given(stamps())
def test_stamp_reads_back(stamp: Stamp) -> None:
    assert read_stamp(packed(stamp)) == stamp


MALFORMED: dict[str, Hook] = {
    "an item more": more(0),
    "channel no word": put("Courier", 0),
    "channel nil": put(None, 0),
    "package empty": put("", 1),
    "package too long": put("1" * 65, 1),
    "due after the year 9999": put(253402300800, 2),
    "detail nil": put(None, 3),
    "detail short digest": put(bytes(31), 3),
    "detail long digest": put(bytes(33), 3),
    "detail an item more": put([*ROUTE.packed(), ""], 3),
    "detail without marks": put([], 3, 0),
    "one mark": put([["KZ", "2"]], 3, 0),
    "three marks": put([["KZ", "2"]] * 3, 3, 0),
    "mark without party": put("2", 3, 0, 0),
    "code empty": put("", 3, 0, 0, 1),
    "code with a space": put("2 ", 3, 0, 1, 1),
    "transport empty": put("", 3, 1),
    "escort no word": put("armed guard", 3, 2),
    "no legs": put([], 3, 3),
    "17 legs": put([["a", "a"]] * 17, 3, 3),
    "leg of one place": put([["a"]], 3, 3),
    "leg to nowhere": put([["a", ""]], 3, 3),
    "legs that do not connect": put("Варшава", 3, 3, 1, 0),
    "reference nil": put(None, 3, 4),
    "reference too long": put("x" * 1001, 3, 4),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_stamp(case: str) -> None:
    with pytest.raises(Malformed):
        read_stamp(MALFORMED[case](packed(STAMP)))


def test_gap_in_the_route_names_the_clause() -> None:
    with pytest.raises(Malformed, match=r"does not begin where the one before it ended \(R13\)"):
        read_route(replace(ROUTE, legs=(Leg("a", "b"), Leg("c", "d"))).packed())


def test_limits_are_allowed() -> None:
    stamp = replace(STAMP, package="п" * 64, route=replace(ROUTE, legs=(Leg("a", "a"),) * 16, reference="я" * 1000))
    assert read_stamp(packed(stamp)) == stamp


@given(digests, routes(), routes())
def test_closed_stamp_covers_its_route_and_no_other(salt: bytes, route: Route, other: Route) -> None:
    stamp = Stamp(channel="courier", package="1", due_at=0, route=None, hidden=close_stamp(salt, route))
    require_hidden_route(stamp, salt, route)
    if other != route:
        with pytest.raises(NotAuthentic, match="closed stamp"):
            require_hidden_route(stamp, salt, other)


@given(st.sampled_from(["marks", "transport", "escort", "legs", "reference"]), digests)
def test_closed_stamp_covers_every_field_and_the_salt(field: str, salt: bytes) -> None:
    changes = {
        "marks": Marks(Mark("KZ", "2"), Mark("BY", "3")),
        "transport": "rail",
        "escort": "none",
        "legs": ROUTE.legs[:1],
        "reference": "",
    }
    stamp = Stamp(channel="courier", package="1", due_at=0, route=None, hidden=close_stamp(salt, ROUTE))
    with pytest.raises(NotAuthentic):
        require_hidden_route(stamp, salt, replace(ROUTE, **{field: changes[field]}))  # type: ignore[arg-type] # by name
    with pytest.raises(NotAuthentic):
        require_hidden_route(stamp, bytes(b ^ 1 for b in salt), ROUTE)
