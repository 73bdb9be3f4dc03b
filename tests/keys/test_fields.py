"""Shapes of fields: what each takes, and that everything else is Malformed and nothing worse."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from valiza.keys import fields
from valiza.keys.encoding import MAX_INTEGER, pack
from valiza.keys.errors import Malformed
from valiza.keys.fields import Body, Mark

if TYPE_CHECKING:
    from collections.abc import Callable

decoded = st.recursive(
    st.none() | st.booleans() | st.integers(0, MAX_INTEGER) | st.binary(max_size=40) | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=6,
)

READERS: Final[dict[str, Callable[[Any], Any]]] = {
    "array": lambda v: fields.array(v, "it"),
    "array of two": lambda v: fields.array(v, "it", length=2),
    "blob": lambda v: fields.blob(v, "it", most=20),
    "digest": lambda v: fields.digest_field(v, "it"),
    "boolean": lambda v: fields.boolean(v, "it"),
    "integer": lambda v: fields.integer(v, "it", least=1, most=9),
    "time": lambda v: fields.time(v, "it"),
    "text": lambda v: fields.text(v, "it"),
    "party": lambda v: fields.party(v, "it"),
    "body id": lambda v: fields.body_id(v, "it"),
    "code": lambda v: fields.code(v, "it"),
    "word": lambda v: fields.word(v, "it"),
    "body": lambda v: fields.body(v, "it"),
    "mark": lambda v: fields.mark(v, "it"),
    "one of": lambda v: fields.one_of(v, "it", ["a", "b"]),
    "optional": lambda v: fields.optional(v, "it", fields.word),
    "names": lambda v: fields.names(v, "it"),
    "attachments": fields.attachments,
    "extensions": fields.extensions,
}


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS.keys())
@given(value=decoded)
@example(value=[[]])
@example(value=[["a"], ["b"]])
@example(value={"": ""})
@example(value=[None, None])
def test_any_value_is_taken_or_malformed(reader: Callable[[Any], Any], value: Any) -> None:
    with contextlib.suppress(Malformed):
        reader(value)


@given(decoded)
def test_what_a_field_returns_is_what_was_given(value: Any) -> None:
    for name in set(READERS) - {"body", "mark", "attachments"}:
        try:
            found = READERS[name](value)
        except Malformed:
            continue
        assert found == value
        assert type(found) is type(value)


# -- ids and words --------------------------------------------------------------------------------------------------------

PATTERNS: Final = {
    "party": r"[A-Z][A-Z0-9]{0,15}",
    "body id": r"[A-Z][A-Z0-9-]{0,31}",
    "code": r"[A-Za-z0-9._-]{1,16}",
    "word": r"[a-z][a-z0-9-]{0,31}",
}


@pytest.mark.parametrize("name", PATTERNS)
@given(data=st.data())
def test_an_id_is_taken_exactly_if_it_matches_the_specification(name: str, data: st.DataObject) -> None:
    value = data.draw(st.from_regex(PATTERNS[name], fullmatch=True) | st.text("AZaz09-._ \n\u0410\u0661", max_size=34))
    if re.fullmatch(PATTERNS[name], value, re.ASCII):
        assert READERS[name](value) == value
    else:
        with pytest.raises(Malformed):
            READERS[name](value)


@pytest.mark.parametrize(
    ("name", "longest"),
    [("party", "K" * 16), ("body id", "K" * 32), ("code", "k" * 16), ("word", "k" * 32)],
    ids=["party", "body id", "code", "word"],
)
def test_ids_have_a_greatest_length_and_no_line_end_behind(name: str, longest: str) -> None:
    assert READERS[name](longest) == longest
    for other in (longest + longest[0], longest[1:] + "\n", "", "\u0410", "A\u0661", "\uff2b"):
        with pytest.raises(Malformed):
            READERS[name](other)


def test_a_body_and_a_mark_are_read_from_two_items() -> None:
    assert fields.body(["KZ", "KZ-MFA"], "it") == Body("KZ", "KZ-MFA")
    assert fields.mark(["KZ", "2"], "it") == Mark("KZ", "2")
    assert (str(Body("KZ", "KZ-MFA")), str(Mark("KZ", "2"))) == ("KZ/KZ-MFA", "KZ:2")
    for value in (["KZ"], ["KZ", "KZ-MFA", "x"], ("KZ", "KZ-MFA"), {"KZ": "KZ-MFA"}, "KZ", ["kz", "KZ-MFA"], ["KZ", b"2"]):
        for reader in (fields.body, fields.mark):
            with pytest.raises(Malformed):
                reader(value, "it")


# -- numbers, bytes, text -------------------------------------------------------------------------------------------------


def test_an_integer_is_none_below_zero_and_none_beyond_what_fits() -> None:
    assert [fields.integer(value, "it") for value in (0, 1, MAX_INTEGER)] == [0, 1, MAX_INTEGER]
    for value in (-1, MAX_INTEGER + 1):
        with pytest.raises(Malformed, match=f"it is not an integer from 0 to {MAX_INTEGER}"):
            fields.integer(value, "it")


def test_true_is_no_integer_and_one_is_no_boolean() -> None:
    for number in (0, 1):
        with pytest.raises(Malformed):
            fields.boolean(number, "it")
        with pytest.raises(Malformed):
            fields.integer(bool(number), "it")


def test_times_end_with_the_year_9999() -> None:
    assert fields.time(253402300799, "it") == 253402300799
    for value in (253402300800, -1, 1.0, "0"):
        with pytest.raises(Malformed):
            fields.time(value, "it")


def test_lengths_are_checked_at_both_ends() -> None:
    assert fields.blob(b"12", "it", size=2, most=2) == b"12"
    for size in (0, 1, 2):
        assert fields.blob(bytes(size), "it", most=2) == bytes(size)
    assert fields.array([1, 2], "it", least=2, most=2) == [1, 2]
    for size in (1, 3):
        with pytest.raises(Malformed):
            fields.blob(bytes(size), "it", size=2)
        with pytest.raises(Malformed):
            fields.array([0] * size, "it", length=2)
        with pytest.raises(Malformed):
            fields.array([0] * size, "it", least=2, most=2)
    with pytest.raises(Malformed):
        fields.blob(bytes(3), "it", most=2)


def test_a_digest_has_32_bytes() -> None:
    assert fields.digest_field(bytes(32), "it") == bytes(32)
    for value in (bytes(31), bytes(33), "0" * 32):
        with pytest.raises(Malformed):
            fields.digest_field(value, "it")


def test_text_is_counted_in_characters() -> None:
    assert fields.text("\U0001f4bc" * 1000, "it")
    assert fields.text("", "it", empty=True) == ""
    for value in ("", "x" * 1001, b"x", None):
        with pytest.raises(Malformed):
            fields.text(value, "it")


# -- maps and lists -------------------------------------------------------------------------------------------------------


def test_names_have_one_to_sixteen_languages() -> None:
    tags = ["kk", "ru", "be", *(f"q{chr(97 + i)}" for i in range(13))]
    assert len(fields.names(dict.fromkeys(tags, "x"), "it")) == 16
    assert fields.names({"tlh": "x"}, "it") == {"tlh": "x"}
    for value in ({}, dict.fromkeys([*tags, "en"], "x"), {"EN": "x"}, {"e": "x"}, {"engl": "x"}, {"en": ""}, {"en": 1}, [["en", "x"]]):
        with pytest.raises(Malformed):
            fields.names(value, "it")


@given(st.lists(st.integers(0, 5), max_size=6))
def test_strictly_ascending_means_sorted_and_each_once(keys: list[int]) -> None:
    if keys == sorted(set(keys)):
        fields.ascending(keys, "it")
    else:
        with pytest.raises(Malformed):
            fields.ascending(keys, "it")


def test_attachments_are_sorted_each_kind_once_and_limited() -> None:
    eight = [[f"k{i}", bytes(65536)] for i in range(8)]
    assert fields.attachments(eight) == tuple((kind, data) for kind, data in eight)
    bad: list[Any] = [
        [*eight, ["k8", b""]],
        [["k", bytes(65537)]],
        [["a", b""], ["a", b""]],
        [["b", b""], ["a", b""]],
        [["A", b""]],
        [["a", "text"]],
        [["a"]],
        {"a": b""},
    ]
    for value in bad:
        with pytest.raises(Malformed):
            fields.attachments(value)


@pytest.mark.parametrize("value", [{}, {"~note": "x"}, {"~": None}, {"~a": {"b": [1]}}], ids=str)
def test_remarks_are_kept_whatever_they_say(value: dict[str, Any]) -> None:
    assert fields.extensions(value) == value


@pytest.mark.parametrize("value", [{"note": 1}, {"": 1}, {"\u223cnote": 1}, {"~a": 1, "b": 1}, [], None], ids=str)
def test_any_other_extension_is_malformed(value: Any) -> None:
    with pytest.raises(Malformed):
        fields.extensions(value)


def test_extensions_have_at_most_16_entries_in_4096_bytes() -> None:
    sixteen = {f"~{i:02}": i for i in range(16)}
    assert fields.extensions(sixteen) == sixteen
    with pytest.raises(Malformed):
        fields.extensions({**sixteen, "~16": 16})
    overhead = len(pack({"~a": bytes(4000)})) - 4000
    assert fields.extensions({"~a": bytes(4096 - overhead)})
    with pytest.raises(Malformed):
        fields.extensions({"~a": bytes(4097 - overhead)})


def test_a_list_without_a_limit_of_its_own_has_at_most_65536_items() -> None:
    assert len(fields.array([0] * 65536, "it")) == 65536
    with pytest.raises(Malformed, match="0 to 65536 items"):
        fields.array([0] * 65537, "it")


def test_an_error_says_how_much_text_there_may_be() -> None:
    with pytest.raises(Malformed, match=r"^it is not text of 1 to 9 characters$"):
        fields.text("", "it", most=9)
    with pytest.raises(Malformed, match=r"^it is not text of 0 to 9 characters$"):
        fields.text("x" * 10, "it", most=9, empty=True)
    assert fields.text("", "it", most=9, empty=True) == ""
