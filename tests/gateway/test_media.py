"""Media types, and what bytes begin like."""

from __future__ import annotations

import pytest

from valiza.gateway.media import ENDINGS, MEDIA_TYPES, SNIFFED_BYTES, Kind, declared, sniff, statement_type
from valiza.keys import labels
from valiza.keys.encoding import pack
from valiza.keys.statement import LIMITS


@pytest.mark.parametrize("type_", sorted(LIMITS))
def test_a_statement_is_known_by_its_type(type_: str) -> None:
    start = pack([type_, b"body", []])[:SNIFFED_BYTES]
    assert sniff(start) is Kind.STATEMENT
    assert statement_type(start) == type_.rpartition("/")[2]


def test_a_statement_of_a_rehearsal_is_one_and_of_no_type() -> None:
    start = pack([labels.RECEIPT.replace(labels.BEGIN, labels.REHEARSAL), b"body", []])
    assert sniff(start) is Kind.STATEMENT
    assert not statement_type(start)


@pytest.mark.parametrize("spelling", [b"\xd9\x11", b"\xda\x00\x11"], ids=["str8", "str16"])
def test_another_spelling_of_a_statement_is_malformed_and_not_nothing(spelling: bytes) -> None:
    assert sniff(b"\x93" + spelling + labels.RECEIPT.encode()) is Kind.STATEMENT


def test_envelope_and_bundle_are_known_by_their_magic() -> None:
    assert sniff(labels.MAGIC + bytes(40)) is Kind.ENVELOPE
    assert sniff(labels.MAGIC_EVIDENCE + bytes(40)) is Kind.EVIDENCE


@pytest.mark.parametrize("magic", [labels.MAGIC, labels.MAGIC_EVIDENCE])
def test_a_magic_whose_line_end_was_changed_is_known(magic: bytes) -> None:
    assert sniff(magic.replace(b"\r\n", b"\n")) is sniff(magic)


def test_a_key_file_is_known() -> None:
    assert sniff(pack([labels.KEY_FILE, b"", b""])) is Kind.KEY


@pytest.mark.parametrize("start", [b"", b"\x89", b"\x89PNG\r\n\x1a\n", b"\x93", b"\x93\xa3abc", b"valiza/v1/receipt", b"Dear colleague"])
def test_other_bytes_are_nothing_of_valiza(start: bytes) -> None:
    assert sniff(start) is None
    assert not statement_type(start)


def test_media_types_and_endings_declare() -> None:
    assert all(declared(media_type, ()) for media_type in MEDIA_TYPES.values())
    assert all(declared("", ["a", f"b{ending}"]) for ending in ENDINGS.values())
    assert not declared("application/octet-stream", ["a.txt", "vlz"])


@pytest.mark.parametrize("name", ["A.VLS", "a.vls.", "a.vls ", "a.v\u200bls", "a.vls\u202e", "a\0.vls", "a.vls. ."])
def test_no_trick_hides_an_ending(name: str) -> None:
    assert declared("", [name])
