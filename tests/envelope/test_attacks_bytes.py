"""One byte of an object altered, each in turn, or its end cut off: it never verifies, and fails in an orderly way."""

from __future__ import annotations

import io
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from tests.support.tamper import flipped, split
from tests.support.world import OPENED, Exchange, Piece, World, refused, rewrap_body, say

from valiza.envelope.acknowledgement import verify_answer
from valiza.envelope.opening import open_envelope, unseal_manifest
from valiza.envelope.receipt import compare_with_record, read_receipt, verify_receipt
from valiza.envelope.rewrap import read_rewrap
from valiza.envelope.verifying import authenticate, verify_dispatch
from valiza.keys import labels
from valiza.keys.errors import Malformed, NotAuthentic, Refused
from valiza.keys.files import new_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CHUNKS = 4  # parts in which an object is gone through, so that they spread over the cores
MASKS = (0x01, 0x80, 0x10)  # by turns: a number up or down, text no ASCII, another length


@dataclass(frozen=True)
class Target:
    """Bytes, and what reads them to the end."""

    raw: bytes
    read: Callable[[bytes], object]


def container(exchange: Exchange) -> Target:
    return Target(exchange.sealed.container, exchange.world.verify_whole)


def acknowledgement(exchange: Exchange) -> Target:
    world = exchange.world
    return Target(exchange.acknowledgement.raw, lambda raw: verify_answer(world.read_answer(raw), world.trust, world.agreements))


def refusal(exchange: Exchange) -> Target:
    world = exchange.world
    raw = refused(exchange.expectation.dispatch, exchange.expectation.core, world.destination["chief"], exchange.opening)
    return Target(raw, lambda raw: verify_answer(world.read_answer(raw), world.trust, world.agreements))


def receipt(exchange: Exchange) -> Target:
    world = exchange.world
    return Target(exchange.receipt.raw, lambda raw: verify_receipt(read_receipt(raw, trust=world.trust, agreements=world.agreements)))


def rewrap(exchange: Exchange) -> Target:
    world, chief = exchange.world, exchange.world.destination["chief"]
    body = rewrap_body(world, exchange.sealed, bytes(32), addressee=chief, recipient=world.destination["clerk"])
    signed = world.authenticate(exchange.sealed.container).signed
    return Target(say(labels.REWRAP, body, chief), lambda raw: read_rewrap(raw, signed=signed, trust=world.trust, degree=None, skew=0))


TARGETS = {make.__name__: make for make in (container, acknowledgement, refusal, receipt, rewrap)}


@pytest.mark.parametrize("what", TARGETS)
def test_unaltered_it_verifies(exchange: Exchange, what: str) -> None:
    target = TARGETS[what](exchange)
    target.read(target.raw)


@pytest.mark.slow
@pytest.mark.parametrize("chunk", range(CHUNKS))
@pytest.mark.parametrize("what", TARGETS)
def test_any_byte(letter: Exchange, what: str, chunk: int) -> None:
    target = TARGETS[what](letter)
    for at in range(chunk, len(target.raw), CHUNKS):
        with pytest.raises((Malformed, NotAuthentic, Refused)):
            target.read(flipped(target.raw, at, MASKS[at // CHUNKS % len(MASKS)]))


@pytest.mark.parametrize("what", TARGETS)
def test_any_end_cut_off(letter: Exchange, what: str) -> None:
    target = TARGETS[what](letter)
    for length in range(0, len(target.raw), 7):
        with pytest.raises(Malformed):
            target.read(target.raw[:length])


@pytest.mark.parametrize("what", TARGETS)
@pytest.mark.parametrize("extra", [b"\x00", b"\n", b"\xc0", bytes(44)], ids=repr)
def test_anything_after_the_end(exchange: Exchange, what: str, extra: bytes) -> None:
    target = TARGETS[what](exchange)
    with pytest.raises(Malformed):
        target.read(target.raw + extra)


def test_any_byte_of_the_payload_when_it_is_opened(exchange: Exchange, tmp_path: Path) -> None:
    """The opener finds it by himself, and nothing is left of what was decrypted already."""
    sections = split(exchange.sealed.container)
    start = len(sections.core + sections.stanzas)
    for at in range(start, start + len(sections.streams)):
        unsealed = exchange.world.unseal(flipped(exchange.sealed.container, at))
        with pytest.raises(NotAuthentic), new_folder(tmp_path / "out") as work:
            open_envelope(unsealed, into=work, at=OPENED)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_any_byte_of_the_manifest_stream_when_it_is_opened(letter: Exchange) -> None:
    sections = split(letter.sealed.container)
    start = len(sections.core + sections.stanzas + sections.streams)
    for at in range(start, start + len(sections.manifest), 3):
        with pytest.raises(NotAuthentic, match="manifest does not decrypt"):
            letter.world.unseal(flipped(letter.sealed.container, at))


@pytest.mark.slow
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_any_byte_of_a_body_signed_again_by_its_signer(letter: Exchange, chunk: int) -> None:
    """With a good signature over it: whatever the acknowledger states otherwise, the origin's record tells, or it says nothing of the opening."""
    world, chief = letter.world, letter.world.destination["chief"]
    body = letter.acknowledgement.body
    known = letter.expectation.dispatch, letter.expectation.core
    own = len(known[0]) + len(known[1]) + 10  # what stands before the acknowledger's own words
    told = 0
    for at in range(own + chunk, len(body), CHUNKS):
        try:
            raw = say(labels.ACKNOWLEDGEMENT, flipped(body, at), chief)
            answer = world.read_answer(raw)
            compare_with_record(answer, letter.expectation)
        except (Malformed, NotAuthentic, Refused):
            told += 1
            continue
        # Number and times are his word alone.
        assert answer.answer.claim is not None
        assert answer.answer.claim.openings == letter.expectation.openings
        assert answer.answer.claim.proof == letter.expectation.proof
        assert answer.answer.claim.credential == letter.opening.credential
    assert told


class Changing(io.BytesIO):
    """A file on a disk that others write to: what is read of a place the first so many times is right, and from then on false."""

    def __init__(self, good: bytes, at: int, honest_reads: int) -> None:
        super().__init__(good)
        self.at = at
        self.left = honest_reads

    def _falsified(self, start: int, data: memoryview) -> None:
        if start <= self.at < start + len(data):
            if self.left <= 0:
                data[self.at - start] ^= 1
            self.left -= 1

    def readinto(self, buffer: Any) -> int:
        start = self.tell()
        count = super().readinto(buffer)
        self._falsified(start, memoryview(buffer).cast("B")[:count])
        return count

    def read(self, size: int | None = -1) -> bytes:
        start = self.tell()
        data = bytearray(super().read(size))
        self._falsified(start, memoryview(data))
        return bytes(data)


@pytest.mark.parametrize("honest_reads", [0, 1, 2])
@pytest.mark.parametrize("part", ["core", "stanzas", "streams", "manifest", "dispatch", "footer"])
def test_file_that_changes_while_it_is_read(world: World, tmp_path: Path, part: str, honest_reads: int) -> None:
    """By whoever shares the disk: it fails, or what comes out is what was sealed."""
    good = world.plan(pieces=(Piece("plan", b"the bridge " * 4000, world.marks(world.code)),)).seal().container
    sections = split(good)
    lengths = [len(getattr(sections, name)) for name in ("core", "stanzas", "streams", "manifest", "dispatch")]
    begins = dict(zip(["core", "stanzas", "streams", "manifest", "dispatch", "footer"], [0, *itertools.accumulate(lengths)], strict=True))
    outcomes = set()
    for n, offset in enumerate((13, 40)):
        source = Changing(good, begins[part] + offset, honest_reads)
        into = tmp_path / f"{part} {honest_reads} {n}"
        try:
            verified = verify_dispatch(authenticate(source, world.trust), trust=world.trust, agreements=world.agreements, at=OPENED)
            chief = world.destination["chief"]
            own = {chief.open.digest: chief.identity}
            unsealed = unseal_manifest(verified, own=chief.body, identities=own, trust=world.trust, trust_rewrap=None, at=OPENED)
            into.mkdir()
            open_envelope(unsealed, into=into, at=OPENED)
        except (Malformed, NotAuthentic):
            outcomes.add("refused")
        else:
            assert (into / "plan").read_bytes() == b"the bridge " * 4000
            outcomes.add("opened")
    if honest_reads == 0:
        assert outcomes == {"refused"}
