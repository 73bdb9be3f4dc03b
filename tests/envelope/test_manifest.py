"""The manifest: fields, zeros and lengths of its stream, and the digests that only an opener can make (specs/envelope.md, Manifest)."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st
from tests.envelope.strategies import digests, manifests, openings
from tests.support.tamper import more, put

from valiza.envelope.manifest import (
    Basis,
    Entry,
    Manifest,
    Reference,
    carrier_key,
    commitment,
    marks_digest,
    opening_proof,
    pack_manifest,
    require_core,
    unpack_manifest,
)
from valiza.envelope.route import Marks
from valiza.keys.encoding import pack, unpack
from valiza.keys.errors import Malformed, NotAuthentic
from valiza.keys.fields import Mark

if TYPE_CHECKING:
    from tests.support.tamper import Hook

    from valiza.envelope.manifest import Openings

MARKS = Marks(Mark("KZ", "2"), Mark("BY", "2"))
FILE = Entry(
    name="a.txt",
    media_type="text/plain",
    size=5,
    commitment=bytes(32),
    marks=MARKS,
    registration="12",
    copy=1,
    sheets=2,
    classified_by="x",
    ground="y",
)
PARCEL = replace(FILE, name="parcel / 1: *", media_type="", size=None, commitment=None)
MANIFEST = Manifest(
    salt=bytes(32),
    core_digest=bytes(32),
    carriers=(FILE, PARCEL),
    pad_length=0,
    basis=(Basis("decision", "No. 1", "Government", "2026-02-28"),),
    purpose="joint work",
    term="",
    caveats=("no copies",),
    references=(Reference("reply-to", bytes(32)),),
    route=None,
    extensions={},
)
SALT, CORE, CARRIERS, PAD, BASIS, PURPOSE, TERM, CAVEATS, REFERENCES, DETAIL, EXTENSIONS = range(11)


def stream(items: Any) -> bytes:
    """The plaintext of a manifest stream around anything."""
    packed = pack(items)
    plain = len(packed).to_bytes(4, "big") + packed
    return plain + bytes(-len(plain) % 4096)


@given(manifests())
def test_manifest_reads_back(manifest: Manifest) -> None:
    plain = pack_manifest(manifest)
    assert len(plain) % 4096 == 0
    assert unpack_manifest(plain) == manifest
    assert pack_manifest(unpack_manifest(plain)) == plain


MALFORMED: dict[str, tuple[Hook, str]] = {
    "an item more": (more({}), "11 items"),
    "salt short": (put(bytes(31), SALT), "salt"),
    "digest of core missing": (put(None, CORE), "digest of core"),
    "no carriers": (put([], CARRIERS), "carriers"),
    "carrier of nine items": (put([FILE.packed()[:9]], CARRIERS), "carrier"),
    "name of a path": (put("../a", CARRIERS, 0, 0), "the carrier name"),
    "name no string": (put(b"a", CARRIERS, 0, 0), "the carrier name"),
    "media type missing": (put("", CARRIERS, 0, 1), "media type"),
    "media type in capitals": (put("Text/plain", CARRIERS, 0, 1), "media type"),
    "size beyond the container": (put((1 << 50) + 1, CARRIERS, 0, 2), "size"),
    "file without commitment": (put(None, CARRIERS, 0, 3), "commitment"),
    "commitment short": (put(bytes(16), CARRIERS, 0, 3), "commitment"),
    "physical one with media type": (put("a/b", CARRIERS, 1, 1), "physical"),
    "physical one with no word of a media type": (put(None, CARRIERS, 1, 1), "physical"),
    "physical one with commitment": (put(bytes(32), CARRIERS, 1, 3), "physical"),
    "physical one without designation": (put("", CARRIERS, 1, 0), "designation"),
    "physical one with a long designation": (put("x" * 256, CARRIERS, 1, 0), "designation"),
    "size nil and commitment there": (put(None, CARRIERS, 0, 2), "physical"),
    "one mark": (put([["KZ", "2"]], CARRIERS, 0, 4), "mark of a carrier"),
    "mark of no party": (put(["kz", "2"], CARRIERS, 0, 4, 0), "party"),
    "registration nil": (put(None, CARRIERS, 0, 5), "registration"),
    "copy as text": (put("1", CARRIERS, 0, 6), "copy"),
    "sheets true": (put(True, CARRIERS, 0, 7), "sheets"),  # noqa: FBT003 - a value on the wire
    "classified by nil": (put(None, CARRIERS, 0, 8), "classified by"),
    "ground too long": (put("x" * 1001, CARRIERS, 0, 9), "ground"),
    "pad length nil": (put(None, PAD), "pad length"),
    "no basis": (put([], BASIS), "basis"),
    "33 bases": (put([["decision", "1", "", ""]] * 33, BASIS), "basis"),
    "basis of another kind": (put("order", BASIS, 0, 0), "kind of basis"),
    "basis without reference": (put("", BASIS, 0, 1), "reference of a basis"),
    "date and more": (put("2026-02-011", BASIS, 0, 3), "no day written YYYY-MM-DD"),
    "date in words": (put("1 May 2026", BASIS, 0, 3), "date of a basis"),
    "date without a day": (put("2026-02", BASIS, 0, 3), "date of a basis"),
    "date that is no day": (put("2026-02-30", BASIS, 0, 3), "date of a basis"),
    "29 February of another year": (put("2026-02-29", BASIS, 0, 3), "date of a basis"),
    "date in other digits": (put("２０２６-01-01", BASIS, 0, 3), "date of a basis"),
    "date of the year 0": (put("0000-01-01", BASIS, 0, 3), "date of a basis"),
    "date without hyphens": (put("20260101", BASIS, 0, 3), "date of a basis"),
    "week date": (put("2026-W01-1", BASIS, 0, 3), "date of a basis"),
    "no purpose": (put("", PURPOSE), "purpose"),
    "term nil": (put(None, TERM), "term"),
    "33 caveats": (put(["x"] * 33, CAVEATS), "caveats"),
    "caveat empty": (put([""], CAVEATS), "caveat"),
    "33 references": (put([["reply-to", bytes(32)]] * 33, REFERENCES), "references"),
    "unknown relation": (put("about", REFERENCES, 0, 0), "relation"),
    "reference by id": (put(bytes(16), REFERENCES, 0, 1), "dispatch digest"),
    "detail a digest": (put(bytes(32), DETAIL), "detail"),
    "unknown extension": (put({"secret": 1}, EXTENSIONS), "unknown extension"),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_manifest(case: str) -> None:
    hook, message = MALFORMED[case]
    items = unpack(pack(MANIFEST.packed()), max_bytes=1 << 16, what="manifest")
    with pytest.raises(Malformed, match=message):
        unpack_manifest(stream(hook(items)))


@pytest.mark.parametrize("names", [("a", "a"), ("a", "A"), ("ß", "ss"), ("письмо", "ПИСЬМО")], ids=repr)
def test_twins_are_malformed(names: tuple[str, str]) -> None:
    manifest = replace(MANIFEST, carriers=tuple(replace(FILE, name=name) for name in names))
    with pytest.raises(Malformed, match=r"the same to some systems|two carriers have the name"):
        unpack_manifest(pack_manifest(manifest))


def test_physical_carriers_may_be_called_alike() -> None:
    manifest = replace(MANIFEST, carriers=(PARCEL, PARCEL, replace(FILE, name="parcel")))
    assert unpack_manifest(pack_manifest(manifest)) == manifest


@pytest.mark.parametrize("size", [0, 1, 16384, 1 << 50])
def test_a_carrier_may_be_as_long_as_a_container(size: int) -> None:
    manifest = replace(MANIFEST, carriers=(replace(FILE, size=size),), pad_length=size)
    assert unpack_manifest(pack_manifest(manifest)) == manifest


def test_carriers_up_to_the_limit() -> None:
    parcels = replace(MANIFEST, carriers=(replace(PARCEL, registration="", classified_by="", ground=""),) * 16384)
    assert unpack_manifest(pack_manifest(parcels)) == parcels


@pytest.mark.parametrize(("count", "message"), [(16384, "^carrier is not an array$"), (16385, "^carriers is not an array of 1 to 16384 items$")])
def test_carriers_are_counted_before_one_is_read(count: int, message: str) -> None:
    with pytest.raises(Malformed, match=message):
        unpack_manifest(stream(put([None] * count, CARRIERS)(MANIFEST.packed())))


def counted(value: Any) -> int:
    """Items of all arrays and maps, and these themselves."""
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if below is None else len(below) + 1 + sum(map(counted, below))


@pytest.mark.parametrize(("beyond", "message"), [(0, "caveats is not an array"), (1, "not canonical MessagePack")])
def test_items_are_counted_before_one_is_read(beyond: int, message: str) -> None:
    """Of all kinds together 524288: each of 16384 carriers has 18."""
    items = put([], CAVEATS)(MANIFEST.packed())
    nothing = [None] * (524288 - counted(items) + beyond)
    with pytest.raises(Malformed, match=message):
        unpack_manifest(stream(put(nothing, CAVEATS)(items)))


def test_lists_up_to_their_limits() -> None:
    manifest = replace(MANIFEST, basis=MANIFEST.basis * 32, caveats=("x",) * 32, references=MANIFEST.references * 32)
    assert unpack_manifest(pack_manifest(manifest)) == manifest


def test_designation_up_to_its_limit() -> None:
    manifest = replace(MANIFEST, carriers=(replace(PARCEL, name="я" * 255),))
    assert unpack_manifest(pack_manifest(manifest)) == manifest


def test_basis_may_go_without_an_issuer_and_a_date() -> None:
    manifest = replace(MANIFEST, basis=(Basis("contract", "No. 1"),))
    assert unpack_manifest(pack_manifest(manifest)) == manifest


@pytest.mark.parametrize("entry", ["empty", "nil", pytest.param("whole", marks=pytest.mark.slow)])
def test_a_hostile_number_of_carriers_is_malformed(entry: str) -> None:
    """Whatever an entry is: of short ones a great many fit into the limit of the whole."""
    plain = pack_manifest(MANIFEST)
    items: Any = unpack(plain[4 : 4 + int.from_bytes(plain[:4], "big")], max_bytes=1 << 20, what="manifest")
    items[CARRIERS] = [{"whole": items[CARRIERS][1], "empty": [], "nil": None}[entry]] * 65536
    with pytest.raises(Malformed):
        unpack_manifest(stream(items))


def test_total_counts_the_files_only() -> None:
    assert replace(MANIFEST, carriers=(FILE, PARCEL, FILE)).total == 10


# -- the stream ----------------------------------------------------------------------------------------------------------


def test_every_zero_is_checked() -> None:
    plain = pack_manifest(MANIFEST)
    length = int.from_bytes(plain[:4], "big")
    for at in range(4 + length, len(plain)):
        with pytest.raises(Malformed, match="not filled up with zeros"):
            unpack_manifest(plain[:at] + b"\x01" + plain[at + 1 :])


@pytest.mark.parametrize("wrong", [-1, 1, -(1 << 12), 1 << 12, 1 << 30])
def test_length_says_what_is_there(wrong: int) -> None:
    plain = pack_manifest(MANIFEST)
    length = (int.from_bytes(plain[:4], "big") + wrong) % (1 << 32)
    with pytest.raises(Malformed):
        unpack_manifest(length.to_bytes(4, "big") + plain[4:])


@pytest.mark.parametrize("length", [0, 1, 3, 4, 4095, 4097, 8192])
def test_only_zeros(length: int) -> None:
    with pytest.raises(Malformed):
        unpack_manifest(bytes(length))


@pytest.mark.parametrize("change", ["a block more", "a byte more", "a byte less", "a block less"])
def test_stream_ends_with_the_block_of_the_manifest(change: str) -> None:
    plain = pack_manifest(MANIFEST)
    altered = {"a block more": plain + bytes(4096), "a byte more": plain + b"\x00", "a byte less": plain[:-1], "a block less": plain[:-4096]}
    with pytest.raises(Malformed):
        unpack_manifest(altered[change])


@pytest.mark.parametrize(("size", "blocks"), [(4091, 1), (4092, 1), (4093, 2)])
def test_no_zeros_where_none_are_needed(size: int, blocks: int) -> None:
    """With the four bytes of the length, 4092 bytes fill a block."""
    base = replace(MANIFEST, caveats=("x" * 1000,) * 3)
    short = size - len(pack(replace(base, caveats=(*base.caveats, "x" * 300)).packed()))
    manifest = replace(base, caveats=(*base.caveats, "x" * (300 + short)))
    assert len(pack(manifest.packed())) == size
    plain = pack_manifest(manifest)
    assert len(plain) == blocks * 4096
    assert unpack_manifest(plain) == manifest


def of_size(size: int) -> Manifest:
    """A manifest of so many bytes, most of them of a purpose that is too long."""
    long = replace(MANIFEST, purpose="x" * 70000)
    return replace(long, purpose="x" * (70000 + size - len(pack(long.packed()))))


def test_manifest_of_8_mib() -> None:
    """Its length passes, and then it is read."""
    plain = pack_manifest(of_size(8388608))
    assert len(plain) == 8388608 + 4096
    with pytest.raises(Malformed, match="purpose is not text of 1 to 1000 characters"):
        unpack_manifest(plain)


def test_manifest_of_more_than_8_mib() -> None:
    with pytest.raises(Malformed, match="the manifest has 8388609 bytes, more than the limit of 8388608"):
        pack_manifest(of_size(8388609))


def test_length_beyond_the_limit_is_refused_before_anything_is_decoded() -> None:
    with pytest.raises(Malformed, match="the length that it says"):
        unpack_manifest(stream(of_size(8388609).packed()))


# -- what only opening shows ---------------------------------------------------------------------------------------------


@given(digests, st.integers(0, 16383))
def test_key_of_a_carrier_is_that_of_labels(salt: bytes, index: int) -> None:
    assert carrier_key(salt, index) == blake3(pack([salt, index]), derive_key_context="valiza/v1/key/carrier").digest()
    assert carrier_key(salt, index) != carrier_key(salt, index + 1)


@given(digests)
def test_commitment_is_a_digest_of_the_opening(opening: bytes) -> None:
    assert commitment(opening) == blake3(opening, derive_key_context="valiza/v1/digest/commitment").digest()
    assert commitment(opening) != opening


@given(digests, digests, digests, openings)
def test_proof_is_that_of_the_specification(salt: bytes, dispatch: bytes, manifest: bytes, found: Openings) -> None:
    key = blake3(pack([salt]), derive_key_context="valiza/v1/key/acknowledgement").digest()
    assert opening_proof(salt, dispatch, manifest, found) == blake3(pack([dispatch, manifest, list(found)]), key=key).digest()


@given(digests, st.lists(st.sampled_from("ABC"), min_size=1, max_size=5))
def test_marks_put_on_under_a_closed_stamp(salt: bytes, codes: list[str]) -> None:
    key = blake3(pack([salt]), derive_key_context="valiza/v1/key/marks").digest()
    assert marks_digest(salt, tuple(codes)) == blake3(pack(codes), key=key).digest()


def test_manifest_of_another_envelope() -> None:
    manifest = replace(MANIFEST, core_digest=bytes([2]) * 32)
    require_core(manifest, bytes([2]) * 32)
    for other in (1, 3):
        with pytest.raises(NotAuthentic, match="another envelope"):
            require_core(manifest, bytes([other]) * 32)


def test_salt_is_not_for_display() -> None:
    salt = bytes(range(32))
    assert repr(salt) not in repr(replace(MANIFEST, salt=salt))


def test_names_on_the_wire_are_nfc() -> None:
    decomposed = unicodedata.normalize("NFD", "é.txt")
    with pytest.raises(Malformed):
        pack_manifest(replace(MANIFEST, carriers=(replace(FILE, name=decomposed),)))
