"""The container: sections one after another, nothing before, between or after them (specs/envelope.md, Container, Reading 1 and 2)."""

from __future__ import annotations

import io
import itertools
import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.tamper import FOOTER, split

from valiza.envelope.container import FOOTER_BYTES, pack_footer, read_container
from valiza.envelope.header import PREFIX
from valiza.keys.errors import Malformed, Unavailable

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from tests.support.world import Exchange

# A container that is well-formed as far as this module reads: core, stanzas, streams, manifest stream, dispatch.
SECTIONS = (PREFIX + b"core", b"stanzas", b"streams of the carriers", b"manifest", b"dispatch")
CORE, HEADER, MANIFEST, DISPATCH = 16, 23, 46, 54
BODY = b"".join(SECTIONS)
SIZE = len(BODY) + FOOTER_BYTES


def footer(core: int = CORE, header: int = HEADER, manifest: int = MANIFEST, dispatch: int = DISPATCH, *, prefix: bytes = PREFIX) -> bytes:
    return FOOTER.pack(prefix, core, header, manifest, dispatch)


def test_sections() -> None:
    container = read_container(io.BytesIO(BODY + footer()))
    assert container.core_raw == SECTIONS[0]
    assert container.header_raw == SECTIONS[0] + SECTIONS[1]
    assert container.dispatch_raw == SECTIONS[4]
    assert container.read_manifest_stream() == SECTIONS[3]
    assert (container.core_length, container.header_length, container.payload_length, container.manifest_length) == (16, 23, 31, 8)
    container.seek_payload()
    assert container.source.read(31) == SECTIONS[2] + SECTIONS[3]


@given(*[st.integers(0, 1 << 60)] * 4)
def test_footer_says_where_the_sections_end(core: int, stanzas: int, streams: int, manifest: int) -> None:
    packed = pack_footer(core_length=core, header_length=core + stanzas, payload_length=streams + manifest, manifest_length=manifest)
    assert len(packed) == FOOTER_BYTES == 44
    assert packed[:12] == PREFIX
    assert struct.unpack(">4Q", packed[12:]) == (core, core + stanzas, core + stanzas + streams, core + stanzas + streams + manifest)


OFFSETS: dict[str, bytes] = {
    "core empty": footer(core=12),
    "core within the prefix": footer(core=4),
    "core nowhere": footer(core=0),
    "core to the end of the header": footer(core=HEADER),
    "core beyond the header": footer(core=HEADER + 1),
    "header to the end of the streams": footer(header=MANIFEST),
    "header beyond the manifest": footer(header=MANIFEST + 1),
    "no manifest stream": footer(manifest=DISPATCH),
    "manifest beyond dispatch": footer(manifest=DISPATCH + 1),
    "no dispatch": footer(dispatch=SIZE - FOOTER_BYTES),
    "dispatch in the footer": footer(dispatch=SIZE - 1),
    "dispatch beyond the file": footer(dispatch=SIZE + 1),
    "all zero": footer(0, 0, 0, 0),
    "all at once": footer(CORE, CORE, CORE, CORE),
    "turned round": footer(DISPATCH, MANIFEST, HEADER, CORE),
    "greatest": footer(*([2**64 - 1] * 4)),
    "signed": footer(core=2**63),
    "wrapping round": footer(core=2**64 - 4, header=HEADER),
}


@pytest.mark.parametrize("case", OFFSETS)
def test_offsets_out_of_order(case: str) -> None:
    with pytest.raises(Malformed, match="out of order"):
        read_container(io.BytesIO(BODY + OFFSETS[case]))


@pytest.mark.parametrize("size", [0, 1, 12, 55])
def test_too_small(size: int) -> None:
    with pytest.raises(Malformed, match=f"{size} bytes are not a Valiza envelope"):
        read_container(io.BytesIO((PREFIX + bytes(100))[:size]))


def test_what_is_no_envelope_at_all() -> None:
    for data in (b"%PDF-1.7" + bytes(100), bytes(100), PREFIX[1:] + bytes(100)):
        with pytest.raises(Malformed, match="not a Valiza envelope"):
            read_container(io.BytesIO(data))


def test_trailing_bytes() -> None:
    for extra in (b"\x00", b"\n", footer()[:1], bytes(FOOTER_BYTES)):
        with pytest.raises(Malformed, match="not whole"):
            read_container(io.BytesIO(BODY + footer() + extra))


def test_second_footer_after_the_first() -> None:
    """Then the first would lie in the dispatch, which is no statement: nothing is ignored."""
    container = read_container(io.BytesIO(BODY + footer() + footer()))
    assert container.dispatch_raw == SECTIONS[4] + footer()


@pytest.mark.parametrize("cut", [1, 10, FOOTER_BYTES, FOOTER_BYTES + 3])
def test_cut_at_the_end(cut: int) -> None:
    with pytest.raises(Malformed):
        read_container(io.BytesIO((BODY + footer())[:-cut]))


@pytest.mark.parametrize("prefix", [bytes(12), PREFIX[:9] + b"\x02" + PREFIX[10:], PREFIX[:11] + b"\x02"], ids=["none", "version", "suite"])
def test_prefixes_have_to_be_equal(prefix: bytes) -> None:
    with pytest.raises(Malformed, match="footer is not where it should be"):
        read_container(io.BytesIO(BODY + footer(prefix=prefix)))
    with pytest.raises(Malformed):
        read_container(io.BytesIO(prefix + BODY[12:] + footer()))
    with pytest.raises(Malformed):
        read_container(io.BytesIO(prefix + BODY[12:] + footer(prefix=prefix)))


def laid_out(*, core: int = 16, stanzas: int = 7, streams: int = 7, manifest: int = 8, dispatch: int = 8) -> io.BytesIO:
    """A container of sections of these lengths."""
    ends = list(itertools.accumulate([core, stanzas, streams, manifest]))
    return io.BytesIO(PREFIX + bytes(ends[3] + dispatch - 12) + footer(*ends))


# The section, what makes it longer by one, and its greatest length.
LIMITS = {"core": ("core", 32768), "header": ("stanzas", 131072), "manifest stream": ("manifest", 8400968), "dispatch": ("dispatch", 1 << 20)}


@pytest.mark.parametrize("streams", [7, 3 << 19], ids=["short streams", "long streams"])
@pytest.mark.parametrize("what", LIMITS)
def test_limits_of_sections(what: str, streams: int) -> None:
    part, limit = LIMITS[what]
    greatest = limit - (16 if part == "stanzas" else 0)
    read_container(laid_out(streams=streams, **{part: greatest}))
    with pytest.raises(Malformed, match=f"{what} has {limit + 1} bytes, more than the limit of {limit}"):
        read_container(laid_out(streams=streams, **{part: greatest + 1}))


@pytest.mark.parametrize(("size", "message"), [((1 << 50) + 1, "1125899906842625 bytes are not"), (1 << 50, "became shorter")])
def test_container_of_more_than_2_to_50_bytes(size: int, message: str) -> None:
    class Huge(io.BytesIO):
        def seek(self, offset: int, whence: int = 0, /) -> int:
            return size if whence == 2 else super().seek(offset, whence)

    with pytest.raises(Malformed, match=message):
        read_container(Huge(BODY + footer()))


def test_prefix_and_footer_alone() -> None:
    """The least that is looked at: its sections are empty."""
    with pytest.raises(Malformed, match="out of order"):
        read_container(io.BytesIO(PREFIX + footer(12, 12, 12, 12)))


def test_file_that_cannot_be_read() -> None:
    class Broken(io.RawIOBase):
        def seek(self, _offset: int, whence: int = 0, /) -> int:
            return SIZE if whence == 2 else 0

        def readinto(self, _buffer: WriteableBuffer) -> int:
            raise OSError(5, "Input/output error")

    with pytest.raises(Unavailable, match=r"^the envelope cannot be read: input/output error$"):
        read_container(Broken())  # type: ignore[arg-type] # all of a file that is used


@pytest.mark.parametrize(
    ("error", "said"), [(OSError(29, "Illegal seek"), "illegal seek"), (io.UnsupportedOperation("Underlying stream"), "underlying stream")], ids=repr
)
@pytest.mark.parametrize("known", [True, False])
def test_what_is_no_file_to_go_to_and_fro_in(error: OSError, said: str, known: bool) -> None:  # noqa: FBT001 - both cases
    """Python's own streams say so without a number; the length may be known, as of a tape."""

    class Pipe(io.RawIOBase):
        def seek(self, _offset: int, whence: int = 0, /) -> int:
            if known and whence == 2:
                return SIZE
            raise error

    with pytest.raises(Unavailable, match=f"^the envelope cannot be read: {said}$"):
        read_container(Pipe())  # type: ignore[arg-type] # all of a file that is used


def test_file_that_became_shorter() -> None:
    class Shrinking(io.BytesIO):
        def seek(self, offset: int, whence: int = 0, /) -> int:
            return SIZE if whence == 2 else super().seek(offset, whence)

    with pytest.raises(Malformed, match="became shorter"):
        read_container(Shrinking(BODY))


def test_tools_of_these_tests_put_together_what_they_took_apart(exchange: Exchange) -> None:
    container = exchange.sealed.container
    assert split(container).join() == container
