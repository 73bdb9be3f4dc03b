"""The TOML form of an agreement: every point of R4 is asked for, nothing unknown passes, and the draft kz-by says what A2 says."""

from __future__ import annotations

import json
import tomllib
from copy import deepcopy
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.world import THREE_FOUR, when

from valiza.envelope.draft import drafts, missing_points, packaged_draft, read_draft
from valiza.envelope.profile import TERMS, Padding, read_profile
from valiza.keys.errors import Malformed, Refused
from valiza.keys.fields import Mark

if TYPE_CHECKING:
    from collections.abc import Callable

Table = dict[str, Any]
KZ_BY: Table = tomllib.loads(packaged_draft("kz-by").decode())
LANGUAGES = ["be", "en", "kk", "ru"]


def toml(value: Any) -> str:
    """A value in TOML, tables inline."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, datetime):
        return value.isoformat()
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def draft(table: Table) -> bytes:
    return "\n".join(f"{json.dumps(key)} = {toml(value)}" for key, value in table.items()).encode()


def changed(change: Callable[[Table], object]) -> bytes:
    table = deepcopy(KZ_BY)
    change(table)
    return draft(table)


def test_this_form_of_toml_says_the_same() -> None:
    assert read_draft(draft(KZ_BY)).body == read_draft(packaged_draft("kz-by")).body


# -- the points of R4 ----------------------------------------------------------------------------------------------------

POINTS: dict[str, tuple[Callable[[Table], object], str]] = {
    "competent bodies": (lambda t: t["party"]["KZ"].pop("competent"), r"R4\(1\): each side's competent"),
    "competent bodies empty": (lambda t: t["party"]["BY"].update(competent=[]), r"R4\(1\): each side's competent"),
    "confirming bodies": (lambda t: t["party"]["BY"].pop("confirming"), r"R4\(1\): .* R12"),
    "basis": (lambda t: t["party"]["KZ"].pop("basis"), "R3, R11, A5.2"),
    "marks": (lambda t: t["party"]["KZ"].pop("mark"), r"R4\(2\): the comparison"),
    "rows": (lambda t: t.pop("row"), r"R4\(2\): the comparison"),
    "change of marks": (lambda t: t["terms"].pop("change_of_marks"), r"R4\(2\): how a mark is changed"),
    "marking": (lambda t: t["terms"].pop("marking"), r"R4\(3\)"),
    "channels": (lambda t: t.pop("channel"), r"R4\(4\): channels"),
    "transports": (lambda t: t.pop("transport"), r"R4\(4\): transport"),
    "escorts": (lambda t: t.pop("escort"), r"R4\(4\): forms of escort"),
    "handling": (lambda t: t.pop("handling"), r"R4\(4\): what each degree"),
    "copying": (lambda t: t["terms"].pop("copying"), r"R4\(5\)"),
    "protection": (lambda t: t["terms"].pop("protection"), r"R4\(6\)"),
    "third parties": (lambda t: t["terms"].pop("third_parties"), r"R4\(7\)"),
    "disputes": (lambda t: t["terms"].pop("disputes"), r"R4\(8\)"),
    "disputes empty": (lambda t: t["terms"].update(disputes={}), r"R4\(8\)"),
    "measures": (lambda t: t["terms"].pop("measures"), "R14"),
    "all terms": (lambda t: t.pop("terms"), r"R4\(2\).*R4\(3\).*R4\(5\).*R4\(6\).*R4\(7\).*R4\(8\).*R14"),
    "parties": (lambda t: t.pop("party"), r"R4\(1\).*R4\(1\).*R3, R11.*R4\(2\)"),
}


@pytest.mark.parametrize("case", POINTS)
def test_point_of_r4_that_is_missing_is_named(case: str) -> None:
    change, clause = POINTS[case]
    with pytest.raises(Refused, match=clause) as caught:
        read_draft(changed(change))
    assert "R10" in caught.value.hint


@pytest.mark.parametrize("case", [case for case in POINTS if case not in {"all terms", "parties"}])
def test_only_what_is_missing_is_named(case: str) -> None:
    table = deepcopy(KZ_BY)
    POINTS[case][0](table)
    assert len(missing_points(table)) == 1


def test_empty_draft_lacks_all_eight_points_and_the_measures() -> None:
    with pytest.raises(Refused) as caught:
        read_draft(b"")
    for clause in (*(f"R4({n})" for n in range(1, 9)), "R14", "R3, R11, A5.2"):
        assert clause in caught.value.message


# -- what is malformed ---------------------------------------------------------------------------------------------------

UNKNOWN: dict[str, Callable[[Table], object]] = {
    "top": lambda t: t.update(padding_rule="none"),
    "party": lambda t: t["party"]["KZ"].update(competents=["KZ-KNB"]),
    "party.mark": lambda t: t["party"]["KZ"]["mark"][0].update(name={"en": "x"}),
    "row": lambda t: t["row"][0].update(direction="both"),
    "channel": lambda t: t["channel"][0].update(need_reference=True),
    "transport": lambda t: t["transport"][0].update(names_={"en": "x"}),
    "escort": lambda t: t["escort"][0].update(size=2),
    "handling": lambda t: t["handling"][0].update(channel=["courier"]),
    "terms": lambda t: t["terms"].update(dispute={"en": "x"}),
    "padding": lambda t: t.update(padding={"multiple": 4096, "least": 1}),
    "language": lambda t: t["title"].update(english="x"),
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_unknown_key_is_malformed_everywhere(case: str) -> None:
    with pytest.raises(Malformed):
        read_draft(changed(UNKNOWN[case]))


MALFORMED: dict[str, tuple[Callable[[Table], object], str]] = {
    "not monotone": (lambda t: t["row"][3].update(to="3"), "not monotone"),
    "two rows for one code": (lambda t: t["row"].append({"from": "KZ", "code": "1", "to": "2"}), "stands twice in rows"),
    "row twice": (lambda t: t["row"].append(t["row"][0]), "stands twice in rows"),
    "row to no mark": (lambda t: t["row"][0].update(to="4"), "no mark with the code"),
    "handling missing": (lambda t: t["handling"].pop(), "one entry in handling"),
    "handling twice": (lambda t: t["handling"].append(t["handling"][0]), "stands twice in handling"),
    "handling of no mark": (lambda t: t["row"].pop(), "one entry in handling"),
    "channel twice": (lambda t: t["channel"].append(t["channel"][0]), "stands twice in channels"),
    "transport twice": (lambda t: t["transport"].append(t["transport"][0]), "stands twice in transports"),
    "escort twice": (lambda t: t["escort"].append(t["escort"][0]), "stands twice in escorts"),
    "competent body twice": (lambda t: t["party"]["KZ"]["competent"].append("KZ-KNB"), "ascending"),
    "needs reference missing": (lambda t: t["channel"][0].pop("needs_reference"), "needs_reference"),
    "no id": (lambda t: t.pop("id"), "id"),
    "no skew": (lambda t: t.pop("skew"), "skew"),
    "no max_transit": (lambda t: t.pop("max_transit"), "max_transit"),
    "no valid_from": (lambda t: t.pop("valid_from"), "valid_from"),
    "one party": (lambda t: t["party"].pop("BY"), "two parties"),
    "three parties": (lambda t: t["party"].update(TS=t["party"]["KZ"]), "two parties"),
    "time as text": (lambda t: t.update(valid_from="2026-01-01T00:00:00Z"), "not a time"),
    "time as number": (lambda t: t.update(valid_until=1767225600), "not a time"),
    "ends when it begins": (lambda t: t.update(valid_until=t["valid_from"]), "valid until before"),
    "before 1970": (lambda t: t.update(valid_from=datetime(1969, 12, 31, tzinfo=UTC)), "range"),
    "previous no digest": (lambda t: t.update(version=2, previous="00ff"), "previous"),
    "previous no hex": (lambda t: t.update(version=2, previous="xyz"), "missing or of the wrong type"),
    "padding word": (lambda t: t.update(padding="lots"), "padding"),
    "multiple of 1": (lambda t: t.update(padding={"multiple": 1}), "multiple"),
    "stamp word": (lambda t: t.update(stamp="half"), "stamp"),
    "suite 2": (lambda t: t.update(suites=[1, 2]), "suites"),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_what_is_malformed(case: str) -> None:
    change, message = MALFORMED[case]
    with pytest.raises(Malformed, match=message):
        read_draft(changed(change))


@pytest.mark.parametrize("raw", [b"id = ", b"\xff\xfe", b"id = 1\nid = 2\n", b"[party", "id = '\ud800'".encode("utf-8", "surrogatepass")])
def test_what_is_no_toml_is_malformed(raw: bytes) -> None:
    with pytest.raises(Malformed, match="not TOML"):
        read_draft(raw)


def test_draft_of_more_than_a_mebibyte_is_not_even_parsed() -> None:
    raw = packaged_draft("kz-by")
    filled = raw + b"#" * ((1 << 20) - len(raw))
    assert read_draft(filled).body == read_draft(raw).body
    with pytest.raises(Malformed, match="longer than 1048576 bytes"):
        read_draft(filled + b"#")


def test_arrays_nested_without_end_are_malformed() -> None:
    with pytest.raises(Malformed):
        read_draft(b"id = " + b"[" * 100_000)


values = st.recursive(
    st.booleans() | st.integers(-5, 1 << 64) | st.text("ab1Ж\x00", max_size=5) | st.floats(allow_nan=False, allow_infinity=False) | st.just(""),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abK-", max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=200)
@given(st.data(), values)
def test_any_value_anywhere_is_read_or_refused_but_never_a_fault(data: st.DataObject, value: Any) -> None:
    table = deepcopy(KZ_BY)
    place: Any = table
    while True:
        key = data.draw(st.sampled_from(list(place) if isinstance(place, dict) else list(range(len(place)))))
        if not isinstance(place[key], dict | list) or not place[key] or data.draw(st.integers(0, 2)) == 0:
            break
        place = place[key]
    place[key] = value
    try:
        profile = read_draft(draft(table))
    except (Malformed, Refused):
        return
    assert read_profile(profile.body) == profile


# -- what is read --------------------------------------------------------------------------------------------------------


def test_times_without_a_zone_are_utc_and_others_are_converted() -> None:
    raw = packaged_draft("kz-by").decode()
    for written in ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00", "2026-01-01T05:00:00+05:00"):
        again = raw.replace("valid_from = 2026-01-01T00:00:00Z", f"valid_from = {written}")
        assert read_draft(again.encode()).valid_from == when("2026-01-01")


@pytest.mark.parametrize(
    ("written", "padding"), [("none", Padding("none")), ("padme", Padding("padme")), ({"multiple": 64}, Padding("multiple", 64))]
)
def test_padding(written: object, padding: Padding) -> None:
    assert read_draft(changed(lambda t: t.update(padding=written))).padding == padding


def test_what_a_draft_may_leave_out() -> None:
    profile = read_draft(changed(lambda t: [t.pop(key, None) for key in ("suites", "stamp", "padding", "previous", "valid_until")]))
    found = (profile.suites, profile.stamp, profile.padding, profile.previous, profile.valid_until)
    assert found == ((1,), "open", Padding("none"), None, None)


def test_order_in_the_file_does_not_matter_but_that_of_marks_does() -> None:
    def turned(table: Table) -> None:
        for key in ("row", "channel", "transport", "escort", "handling"):
            table[key].reverse()

    assert read_draft(changed(turned)).body == read_draft(packaged_draft("kz-by")).body
    with pytest.raises(Malformed, match="not monotone"):
        read_draft(changed(lambda t: t["party"]["KZ"]["mark"].reverse()))


# -- the draft kz-by -----------------------------------------------------------------------------------------------------


def test_the_only_draft_is_kz_by() -> None:
    assert drafts() == ["kz-by"]


def test_a2_of_the_agreement() -> None:
    """Both parties' marks, exactly, in the languages of the parties, and which compares to which."""
    profile = read_draft(packaged_draft("kz-by"))
    assert {p.id: [(m.code, m.text) for m in p.marks] for p in profile.parties} == {
        "KZ": [("1", "Аса маңызды"), ("2", "Өте құпия"), ("3", "Құпия")],
        "BY": [("1", "Особой важности"), ("2", "Совершенно секретно"), ("3", "Секретно")],
    }
    assert profile.rows == {Mark(party, code): code for party in ("BY", "KZ") for code in "123"}


def test_kz_by_is_in_four_languages_throughout() -> None:
    profile = read_draft(packaged_draft("kz-by"))
    found = {
        "title": profile.title,
        **{f"party {p.id}": p.names for p in profile.parties},
        **{f"mark {p.id} {m.code}": m.names for p in profile.parties for m in p.marks},
        **{f"channel {key}": names for key, (_, names) in profile.channels.items()},
        **{f"transport {key}": names for key, names in profile.transports.items()},
        **{f"escort {key}": names for key, names in profile.escorts.items()},
        **{f"term {key}": names for key, names in profile.terms.items()},
    }
    assert {what: sorted(names) for what, names in found.items()} == dict.fromkeys(found, LANGUAGES)
    assert set(profile.terms) == set(TERMS)


def test_kz_by_channels_are_those_of_a5() -> None:
    """A5.4 names three; encrypted communication goes only by what was agreed in writing (A5.5, R12)."""
    profile = read_draft(packaged_draft("kz-by"))
    assert {key: needs for key, (needs, _) in profile.channels.items()} == {
        "agreed": True,
        "courier": False,
        "diplomatic": False,
        "empowered": False,
    }


def test_kz_by_says_who_confirms_and_on_what_it_rests() -> None:
    profile = read_draft(packaged_draft("kz-by"))
    assert [p.id for p in profile.parties] == ["BY", "KZ"]
    assert {p.id: p.confirming for p in profile.parties} == {"BY": ("destination",), "KZ": ("destination",)}
    assert {p.id: p.basis for p in profile.parties} == {"BY": ("decision",), "KZ": ("conclusion", "decision")}
    assert (profile.stamp, profile.padding, profile.valid_until) == ("open", Padding("none"), None)


def test_three_four_is_what_its_comment_says() -> None:
    profile = read_draft(THREE_FOUR.read_bytes())
    assert (profile.stamp, profile.padding.rule, profile.skew) == ("closed", "padme", 60)
    assert [len(p.marks) for p in profile.parties] == [3, 4]
    assert profile.party("BB").confirming == ("BB-CTRL",)
    assert Mark("BB", "4") not in profile.handling
