"""Every codec of envelope/: a changed byte is malformed, or it is another object, written as it stands; nothing is read in two spellings."""

from __future__ import annotations

import io
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tests.envelope import strategies as drawn
from tests.envelope.test_header import cores
from tests.support.tamper import flipped
from tests.support.world import OPENED, World, seeded

from valiza.envelope.acknowledgement import Acknowledgement, Refusal, peek_answer
from valiza.envelope.agreement import Agreements, read_termination, terminate
from valiza.envelope.clearance import read_confirmation_body, read_enquiry_body
from valiza.envelope.container import pack_footer, read_container
from valiza.envelope.dispatch import read_dispatch_body
from valiza.envelope.handover import read_handover_body
from valiza.envelope.header import PREFIX, pack_stanzas, read_core, read_stanzas
from valiza.envelope.journal import Expectation, Opening
from valiza.envelope.manifest import pack_manifest, unpack_manifest
from valiza.envelope.manifest_copy import make_manifest_copy, open_manifest_copy
from valiza.envelope.notice import read_notice_body
from valiza.envelope.overdue import read_overdue_body
from valiza.envelope.profile import read_profile
from valiza.envelope.receipt import peek_receipt
from valiza.envelope.route import read_route, read_stamp
from valiza.keys import labels
from valiza.keys.encoding import pack, unpack
from valiza.keys.errors import Malformed, NotAuthentic, ValizaError
from valiza.keys.fields import MAX_TIME
from valiza.keys.statement import ROLES, SIGNATURE_BYTES, SignerHeader

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.world import Exchange

    from valiza.envelope.manifest import Manifest

    Codec = tuple[st.SearchStrategy[bytes], Callable[[bytes], bytes]]


def _value(data: bytes) -> Any:
    return unpack(data, max_bytes=1 << 20, what="it")


def _stated(type_: str, body: bytes) -> bytes:
    """A body in a statement that nobody signed: what is peeked at is not verified."""
    return pack([type_, body, [[SignerHeader(role=ROLES[type_][0], signer_digest=bytes(32), key_digest=bytes(32)).packed(), bytes(SIGNATURE_BYTES)]]])


def _core(data: bytes) -> bytes:
    core = read_core(data)
    bodies: list[Any] = [body.packed() for body in (core.origin, core.destination, core.confirming)]
    return PREFIX + pack([core.envelope_id, core.agreement, *bodies, core.sealing_credential, core.stamp.packed(), core.extensions])


_CORE: Final = PREFIX + pack([bytes(32), bytes(32), ["A", "A"], ["B", "B"], ["B", "B"], bytes(32), ["c", "1", 0, bytes(32)], {}])


def _answer(type_: str) -> Callable[[bytes], bytes]:
    def coded(body: bytes) -> bytes:
        answer, _ = peek_answer(_stated(type_, body))
        assert isinstance(answer, Acknowledgement if type_ == labels.ACKNOWLEDGEMENT else Refusal)
        return answer.packed()

    return coded


def _with_core(packed: bytes) -> bytes:
    """An answer with a core in it that can be peeked at."""
    items = _value(packed)
    return pack([items[0], _CORE, *items[2:]])


openings = st.builds(
    Opening,
    expectation=st.builds(
        Expectation,
        dispatch=st.binary(max_size=40),
        core=st.binary(max_size=40),
        addressees=st.lists(drawn.digests, max_size=3).map(tuple),
        openings=drawn.openings,
        proof=drawn.digests,
        marks=drawn.digests | st.lists(drawn.codes, min_size=1, max_size=3).map(tuple),
    ),
    credential=drawn.digests,
    opened_at=drawn.times,
    rewrap=st.none() | st.binary(max_size=40),
)

# What writes an object, and what reads it and writes it again.
CODECS: Final[dict[str, Codec]] = {
    "stamp": (drawn.stamps().map(lambda s: pack(s.packed())), lambda d: pack(read_stamp(_value(d)).packed())),
    "route": (drawn.routes().map(lambda r: pack(r.packed())), lambda d: pack(read_route(_value(d)).packed())),
    "core": (cores(), _core),
    "dispatch": (drawn.dispatches.map(lambda d: d.packed()), lambda d: read_dispatch_body(d).packed()),
    "manifest": (drawn.manifests().map(pack_manifest), lambda d: pack_manifest(unpack_manifest(d))),
    "profile": (drawn.profiles().map(lambda p: p.body), lambda d: read_profile(d).body),
    "acknowledgement": (drawn.acknowledgements.map(lambda a: _with_core(a.packed())), _answer(labels.ACKNOWLEDGEMENT)),
    "refusal": (drawn.refusals.map(lambda r: _with_core(r.packed())), _answer(labels.REFUSAL)),
    "receipt": (drawn.receipts.map(lambda r: r.packed()), lambda d: peek_receipt(_stated(labels.RECEIPT, d)).packed()),
    "enquiry": (drawn.enquiries.map(lambda e: e.packed()), lambda d: read_enquiry_body(d).packed()),
    "confirmation": (drawn.confirmations().map(lambda c: c.packed()), lambda d: read_confirmation_body(d).packed()),
    "notice": (drawn.notices().map(lambda n: n.packed()), lambda d: read_notice_body(d).packed()),
    "hand-over": (drawn.handovers().map(lambda h: h.packed()), lambda d: read_handover_body(d).packed()),
    "overdue record": (drawn.overdue_records.map(lambda o: o.packed()), lambda d: read_overdue_body(d).packed()),
    "expectation": (openings.map(lambda o: o.expectation.packed()), lambda d: Expectation.read(d).packed()),
    "opening": (openings.map(lambda o: o.packed()), lambda d: Opening.read(d).packed()),
}
EACH: Final = pytest.mark.parametrize("name", CODECS)
few = settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])


@EACH
@few
@given(data=st.data())
def test_what_is_written_reads_back_and_is_written_the_same(name: str, data: st.DataObject) -> None:
    objects, again = CODECS[name]
    raw = data.draw(objects)
    assert again(raw) == raw


@EACH
@few
@given(data=st.data())
def test_a_changed_byte_is_malformed_or_makes_another_object(name: str, data: st.DataObject) -> None:
    objects, again = CODECS[name]
    raw = data.draw(objects)
    for _ in range(8):
        altered = flipped(raw, data.draw(st.integers(0, len(raw) - 1)), data.draw(st.integers(1, 255)))
        try:
            assert again(altered) == altered
        except Malformed:
            continue


@EACH
@few
@given(data=st.data(), more=st.binary(min_size=1, max_size=3))
def test_nothing_is_cut_off_and_nothing_follows(name: str, data: st.DataObject, more: bytes) -> None:
    objects, again = CODECS[name]
    raw = data.draw(objects)
    for other in (raw + more, raw[: data.draw(st.integers(0, len(raw) - 1))]):
        with pytest.raises(Malformed):
            again(other)


@few
@given(data=st.data(), more=st.binary(min_size=1, max_size=3))
def test_stanzas_are_written_as_they_were_read(letter: Exchange, data: st.DataObject, more: bytes) -> None:
    container = read_container(_file(letter.sealed.container))
    raw = container.header_raw[container.core_length :]
    assert pack_stanzas(list(read_stanzas(raw))) == raw
    altered = flipped(raw, data.draw(st.integers(0, len(raw) - 1)), data.draw(st.integers(1, 255)))
    with suppress(Malformed):
        assert pack_stanzas(list(read_stanzas(altered))) == altered
    with pytest.raises(Malformed):
        read_stanzas(raw + more)


def _file(raw: bytes) -> Any:
    return io.BytesIO(raw)


@given(st.lists(st.binary(min_size=1, max_size=50), min_size=5, max_size=5), st.data())
def test_a_container_is_its_sections_and_no_changed_byte_of_its_footer_passes(sections: list[bytes], data: st.DataObject) -> None:
    core, stanzas, streams, manifest, dispatch = sections
    footer = pack_footer(
        core_length=12 + len(core),
        header_length=12 + len(core) + len(stanzas),
        payload_length=len(streams) + len(manifest),
        manifest_length=len(manifest),
    )
    raw = PREFIX + core + stanzas + streams + manifest + dispatch + footer
    found = read_container(_file(raw))
    assert (found.core_raw, found.header_raw, found.dispatch_raw) == (PREFIX + core, PREFIX + core + stanzas, dispatch)
    assert found.read_manifest_stream() == manifest
    altered = flipped(raw, data.draw(st.integers(len(raw) - 44, len(raw) - 1)), data.draw(st.integers(1, 255)))
    try:
        other = read_container(_file(altered))
    except Malformed:
        return
    lengths = (other.core_length, other.header_length, other.payload_length, other.manifest_length)
    assert lengths != (found.core_length, found.header_length, found.payload_length, found.manifest_length)


@few
@given(st.integers(0, MAX_TIME), st.integers(0, MAX_TIME), st.data())
def test_a_termination_reads_back_and_no_changed_byte_passes(kz_by: World, given_at: int, takes_effect_at: int, data: st.DataObject) -> None:
    assume(given_at <= takes_effect_at)
    side = data.draw(st.sampled_from([kz_by.origin, kz_by.destination]))
    made = terminate(kz_by.agreement, root=side.root, keys=[side.root_key], given_at=given_at, takes_effect_at=takes_effect_at)
    agreements = Agreements([kz_by.agreement])
    assert read_termination(made.raw, kz_by.trust, agreements) == made
    assert (made.party, made.given_at, made.takes_effect_at) == (side.party, given_at, takes_effect_at)
    altered = flipped(made.raw, data.draw(st.integers(0, len(made.raw) - 1)), data.draw(st.integers(1, 255)))
    with pytest.raises((Malformed, NotAuthentic)):
        read_termination(altered, kz_by.trust, agreements)


@few
@given(drawn.manifests(), drawn.digests, st.data())
def test_a_copy_of_any_manifest_reads_back_and_no_changed_byte_passes(kz_by: World, manifest: Manifest, dispatch: bytes, data: st.DataObject) -> None:
    officer = kz_by.origin["chief"]
    copy = make_manifest_copy(pack_manifest(manifest), dispatch, [officer.open], seeded(f"{OPENED}"))
    assert copy is not None
    assert open_manifest_copy(copy, dispatch, officer.open.digest, officer.identity) == manifest
    altered = flipped(copy, data.draw(st.integers(0, len(copy) - 1)), data.draw(st.integers(1, 255)))
    with pytest.raises(ValizaError):
        open_manifest_copy(altered, dispatch, officer.open.digest, officer.identity)
