"""The page of labels and the module of labels say the same, and nobody else writes a label down."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from valiza.keys import labels
from valiza.keys.log_key import LOG_PUBLIC_BYTES
from valiza.keys.recipient import ENCRYPTION_PUBLIC_BYTES
from valiza.keys.signing import SIGNING_PUBLIC_BYTES
from valiza.keys.statement import LIMITS, ROLES

pytestmark = pytest.mark.checkout

ROOT: Final = Path(__file__).resolve().parents[2]
PAGE: Final = ROOT / "specs" / "labels.md"
LABEL: Final = re.compile(r"valiza/v\d+/[a-z0-9/-]+")
CONSTANTS: Final = {name: value for name, value in vars(labels).items() if name.isupper()}
STRINGS: Final = [value for value in CONSTANTS.values() if isinstance(value, str) and LABEL.fullmatch(value)]


def tables() -> dict[str, list[list[str]]]:
    """Rows of the page's tables, without their heads, by the heading above them."""
    found: dict[str, list[list[str]]] = {}
    heading = ""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            heading = line.removeprefix("## ")
        elif line.startswith("|"):
            found.setdefault(heading, []).append([cell.strip() for cell in line.strip("|").split("|")])
    return {name: rows[2:] for name, rows in found.items()}


def column(heading: str, index: int) -> list[str]:
    return [row[index].strip("`") for row in tables()[heading]]


def named(prefix: str) -> set[str]:
    return {value for name, value in CONSTANTS.items() if name.startswith(prefix) and isinstance(value, str)}


def test_the_page_and_the_module_have_the_same_labels() -> None:
    on_page = LABEL.findall("\n".join(cell for rows in tables().values() for row in rows for cell in row))
    assert sorted(on_page) == sorted(STRINGS)
    assert len(on_page) == 50


def test_labels_are_distinct_ascii_and_of_version_1() -> None:
    assert len(set(STRINGS)) == len(STRINGS)
    assert [label for label in STRINGS if not label.isascii() or not label.startswith("valiza/v1/")] == []


def test_no_constant_stands_twice_in_the_module() -> None:
    assert len(set(CONSTANTS.values())) == len(CONSTANTS)


def test_statement_types_and_who_signs_them() -> None:
    rows = tables()["Statement types, which are also the composite signature's `ctx`"]
    roles = {row[0].strip("`"): (re.findall(r"`([a-z]+)`", row[2])[0], max(map(int, re.findall(r"\d+", row[2])))) for row in rows}
    assert roles == ROLES
    assert set(LIMITS) == set(ROLES)


def test_digest_labels_and_key_labels_stand_under_their_names() -> None:
    assert set(column("Digest labels", 0)) == named("DIGEST_")
    assert set(column("Key labels, for `derive`", 0)) == named("KEY_") - {labels.KEY_FILE}


def test_suite() -> None:
    assert column("Suite", 0) == [str(labels.SUITE)]


def test_other_constants() -> None:
    rows = dict(tables()["Other constants"])
    assert bytes.fromhex(rows["magic of a container"].strip("`")) == labels.MAGIC
    assert bytes.fromhex(rows["magic of an evidence bundle"].strip("`")) == labels.MAGIC_EVIDENCE
    assert rows["prefix of the pre-authentication encoding"] == f"`{labels.PAE_PREFIX.decode()}`"
    assert rows["beginnings in a rehearsal"] == f"`{labels.REHEARSAL}`, `{labels.REHEARSAL_KIND}`"
    assert rows["kinds of public key"] == (
        f"`{labels.KIND_SIGNATURE}` ({SIGNING_PUBLIC_BYTES} bytes), `{labels.KIND_ENCRYPTION}` ({ENCRYPTION_PUBLIC_BYTES} bytes), "
        f"`{labels.KIND_LOG}` ({LOG_PUBLIC_BYTES} bytes)"
    )
    assert rows["composite prefix, label"] == f"`{labels.COMPOSITE_PREFIX.decode()}`, `{labels.COMPOSITE_LABEL.decode()}`"


def test_the_magic_of_a_container_is_spoilt_by_whoever_takes_it_for_text() -> None:
    for magic in (labels.MAGIC, labels.MAGIC_EVIDENCE):
        assert magic[0] > 127
        assert b"\r\n" in magic
        assert b"\x1a" in magic


def test_no_other_module_writes_a_label_down() -> None:
    sources = [path for folder in ("keys", "envelope", "register", "office", "gateway", "cli") for path in (ROOT / folder).rglob("*.py")]
    strangers = [
        (path.name, match)
        for path in sources
        if path.name != "labels.py"
        for match in re.findall(r'"(valiza/(?:v\d|rehearsal)[^"]*)"', path.read_text(encoding="utf-8"))
    ]
    assert len(sources) > 30
    assert strangers == []
