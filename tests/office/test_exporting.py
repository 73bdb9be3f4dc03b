"""Export: what a spreadsheet would compute is guarded, and everything comes back."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from valiza.keys.errors import Refused
from valiza.office.exporting import as_lines, guarded, unguarded, write_lines

if TYPE_CHECKING:
    from pathlib import Path

FORMULAS: Final = "=+-@\t\r＝＋－＠"
CELLS: Final = st.text() | st.text(alphabet=f"{FORMULAS}'\";,|\n ax1")


@given(CELLS)
def test_no_cell_begins_a_formula_and_every_cell_comes_back(cell: str) -> None:
    shown = guarded(cell)
    assert not shown.startswith(tuple(FORMULAS))
    assert unguarded(shown) == cell


@given(CELLS, st.sampled_from([";", ",", "|", "\t", "\n", "\r", '"']))
def test_nor_where_another_program_sees_another_cell(cell: str, separator: str) -> None:
    """Where semicolons separate, as in most of these countries, a cell with one in it becomes two."""
    for part in guarded(cell).split(separator):
        assert not part.startswith(tuple(FORMULAS))


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("", ""),
        ("wrong annex", "wrong annex"),
        ("-1", "'-1"),
        ("=1+1", "'=1+1"),
        ("'=1+1", "''=1+1"),
        ("a=b", "a=b"),
        ("it's", "it's"),
        ("x;=1+1", "x;'=1+1"),
        ("\t=1", "'\t'=1"),
        ("2026-03-01T00:00:00Z", "2026-03-01T00:00:00Z"),
        ("\uff1dSUM(A1)", "'\uff1dSUM(A1)"),
    ],
)
def test_guarded_cells(cell: str, shown: str) -> None:
    assert guarded(cell) == shown


@given(st.lists(st.fixed_dictionaries({"a": CELLS | st.none(), "b": CELLS, "c": st.integers(0, 99)})))
def test_csv_is_read_back(rows: list[dict[str, str | int | None]]) -> None:
    text = "".join(as_lines(rows, "csv", ["a", "b", "c"]))
    assert text.startswith("a,b,c\r\n")
    read = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert read[0] == ["a", "b", "c"]
    for cells in read[1:]:
        assert not any(cell.startswith(tuple(FORMULAS)) for cell in cells)
    assert [[unguarded(cell) for cell in cells] for cells in read[1:]] == [["" if row[f] is None else str(row[f]) for f in "abc"] for row in rows]


@given(st.lists(st.fixed_dictionaries({"a": CELLS | st.none(), "c": st.integers()})))
def test_json_lines_are_read_back(rows: list[dict[str, str | int | None]]) -> None:
    lines = list(as_lines(rows, "jsonl", ["a", "c"]))
    assert all(line.count("\n") == 1 and line.endswith("\n") for line in lines)
    assert [json.loads(line) for line in lines] == rows


def test_more_than_is_written_at_once(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    lines = [f"{n:0999}\n" for n in range(5000)]
    assert write_lines(path, lines) == 5_000_000
    assert path.read_text(encoding="utf-8") == "".join(lines)
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(Refused):
        write_lines(path, [])
