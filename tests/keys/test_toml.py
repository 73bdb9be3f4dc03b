"""TOML within limits: what an office sends must not cost more than its bytes, nor come out as an error that is not ours."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.bounds import at_most

from valiza.keys.errors import Malformed
from valiza.keys.toml import MAX_DEPTH, parse_toml
from valiza.office.home import toml_string

if TYPE_CHECKING:
    from collections.abc import Callable


def nested_array(depth: int) -> str:
    return f"a = {'[' * depth}{']' * depth}"


def dotted(parts: int) -> str:
    return f"{'.'.join(['a'] * parts)} = 1"


def inline(depth: int) -> str:
    return f"a = {'{a = ' * depth}1{'}' * depth}"


def headers(depth: int) -> str:
    return "\n".join(f"[{'.'.join(['a'] * (n + 1))}]" for n in range(depth))


@pytest.mark.parametrize(
    ("make", "most"), [(nested_array, 15), (dotted, 16), (inline, 15), (headers, 15)], ids=lambda v: getattr(v, "__name__", str(v))
)
def test_nested_up_to_16_deep_and_no_deeper(make: Callable[[int], str], most: int) -> None:
    assert parse_toml(make(most), "it") == tomllib.loads(make(most))
    with pytest.raises(Malformed, match=f"nested deeper than {MAX_DEPTH}|more than {MAX_DEPTH} parts"):
        parse_toml(make(most + 1), "it")


@pytest.mark.parametrize("number", [2**64 - 1, -(2**64) + 1, 2**63])
def test_integers_of_64_bits(number: int) -> None:
    assert parse_toml(f"a = {number}", "it") == {"a": number}
    with pytest.raises(Malformed, match="more than 64 bits"):
        parse_toml(f"a = [{{b = {number * 4}}}]", "it")


HOSTILE = {
    "long key": "a." * 80_000 + "a = 1",
    "long key with spaces": "a . " * 80_000 + "a = 1",
    "long quoted key": '"a".' * 80_000 + "a = 1",
    "long literal key": "'a'\t.\t" * 80_000 + "a = 1",
    "long name of a table": "[" + "a." * 80_000 + "a]",
    "long key in an inline table": "a = {" + "a." * 80_000 + "a = 1}",
    "wide integer": "a = 0x" + "F" * 500_000,
    "wide decimal": "a = " + "9" * 500_000,
    "deep array": nested_array(100_000),
    "deep inline table": inline(100_000),
    "a word": "a" * 500_000,
    "words": "a " * 250_000,
    "quotes": '"' * 500_000,
    "dots": "." * 500_000,
    "unclosed quotes": ('"' + "a" * 50 + "\n") * 10_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_text_is_malformed_and_costs_little(text: str) -> None:
    with at_most(80), pytest.raises(Malformed):
        parse_toml(text, "it")


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=40), max_size=20))
def test_text_is_never_taken_for_a_long_key_of_the_kind_that_people_write(texts: list[str]) -> None:
    table = {f"t{index}": text for index, text in enumerate(texts) if text.count(".") < MAX_DEPTH}
    assert parse_toml("\n".join(f"{key} = {toml_string(text)}" for key, text in table.items()), "it") == table


@pytest.mark.parametrize("text", ["a", "a = ", "= 1", '"', "[a", "a = 1\na = 2", "\x00"])
def test_what_is_no_toml_is_malformed(text: str) -> None:
    with pytest.raises(Malformed, match="it is not TOML"):
        parse_toml(text, "it")


scalars: st.SearchStrategy[Any] = st.booleans() | st.integers(-(2**63), 2**63) | st.text(st.characters(exclude_categories=["Cs"]), max_size=9)
tables = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3), max_leaves=8)


def written(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return toml_string(value)
    if isinstance(value, list):
        return f"[{', '.join(written(item) for item in value)}]"
    return "{" + ", ".join(f"{key} = {written(item)}" for key, item in value.items()) + "}"


@given(tables)
def test_what_is_written_reads_back(value: Any) -> None:
    assert parse_toml(f"it = {written(value)}", "it") == {"it": value}
