"""docs/threat-model.md and SECURITY.md: every test and vector that they name is there, every attacker has his table, and every attack is in one."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import Final

import pytest

pytestmark = pytest.mark.checkout

ROOT: Final = Path(__file__).parent.parent
MODEL: Final = "docs/threat-model.md"
PAGES: Final = (MODEL, "SECURITY.md")
ATTACKERS: Final = (
    "The courier",
    "The operator of a gateway",
    "Who sends mail through a gateway",
    "An officer of the same body",
    "The other party",
    "The thief of a key",
    "Who asks for a credential",
    "The holder of a share",
    "Somebody in the room of a ceremony",
    "A program that keeps half of a key",
    "A quantum computer, later",
    "The clerk's mistake",
)
HOLDS: Final = {"yes", "told", "limit"}
ID: Final = re.compile(r"tests/[\w/]+\.py::\w+")
TOPICS: Final = (
    "acknowledgement|agreement|backup|clearance|credential|encoding|envelope|receipt|refusal|revocation|rewrap|root|roster|standing|statement"
)
VECTOR: Final = re.compile(rf"`((?:{TOPICS})_\w+)`")


def _text(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


@cache
def _tests(file: str) -> frozenset[str]:
    """Names of the tests of a file, read and not run."""
    tree = ast.parse((ROOT / file).read_bytes())
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"))


def _sections() -> dict[str, str]:
    parts = re.split(r"^## (.+)$", _text(MODEL), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def _rows(section: str) -> list[list[str]]:
    """The cells of every row of every table in a section, without the heads."""
    lines = [line for line in section.splitlines() if line.startswith("|")]
    heads = {number - 1 for number, line in enumerate(lines) if line.startswith("|---")}
    return [[cell.strip() for cell in line.strip("|").split("|")] for n, line in enumerate(lines) if n not in heads and not line.startswith("|---")]


@pytest.mark.parametrize("page", PAGES)
def test_every_test_named_is_there(page: str) -> None:
    named = ID.findall(_text(page))
    assert named
    missing = [
        name for name in named if not (ROOT / name.partition("::")[0]).is_file() or name.partition("::")[2] not in _tests(name.partition("::")[0])
    ]
    assert missing == []
    whole = re.findall(r"`(tests/[\w/]+\.py)`", _text(page))
    assert [name for name in whole if not _tests(name)] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_vector_named_is_there(page: str) -> None:
    assert [name for name in VECTOR.findall(_text(page)) if not (ROOT / "specs" / "vectors" / f"{name}.vector").is_file()] == []


def test_every_attacker_has_a_section_and_no_other_claims_to_be_one() -> None:
    sections = _sections()
    assert [name for name in sections if _rows(sections[name])] == list(ATTACKERS)


@pytest.mark.parametrize("attacker", ATTACKERS)
def test_every_attacker_has_means_a_wish_and_a_table_in_which_each_row_is_shown_by_a_test(attacker: str) -> None:
    section = _sections()[attacker]
    assert re.search(r"^\*\*Has\*\*: \S", section, re.MULTILINE)
    assert re.search(r"^\*\*(Wants|Does)\*\*: \S", section, re.MULTILINE)
    rows = _rows(section)
    assert rows
    for row in rows:
        *tries, outcome, holds, shown = row
        assert tries
        assert all(tries), row
        assert outcome, row
        assert holds in HOLDS, row
        assert ID.search(shown), row
        rest = VECTOR.sub("", re.sub(rf"`{ID.pattern}`", "", shown)).replace(",", "").strip()
        assert rest == "", f"something else than tests: {rest}"


def test_what_does_not_hold_is_told_of_every_attacker() -> None:
    """Nobody is withstood in everything: a table without a limit was not thought through."""
    sections = _sections()
    assert [name for name in ATTACKERS if not {"limit", "told"} & {row[-2] for row in _rows(sections[name])}] == []


def test_every_test_of_an_attack_is_in_the_model() -> None:
    named = set(ID.findall(_text(MODEL)))
    files = [*sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("test_attacks_*.py")), "tests/cli/test_mistakes.py"]
    assert len(files) > 8
    assert sorted({f"{file}::{name}" for file in files for name in _tests(file)} - named) == []
