"""The origin's own copy of a manifest: for the officers named, of this envelope, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.support.tamper import edited, put
from tests.support.world import World, seeded

from valiza.envelope.manifest import pack_manifest
from valiza.envelope.manifest_copy import make_manifest_copy, manifest_copy_recipients, open_manifest_copy
from valiza.keys.encoding import pack
from valiza.keys.errors import Malformed, NoKey, NotAuthentic, ValizaError

if TYPE_CHECKING:
    from tests.support.tamper import Hook
    from tests.support.world import Exchange

DISPATCH = bytes(range(32))


def copy_for(exchange: Exchange, *officers: str) -> bytes:
    plain = pack_manifest(exchange.opened.manifest)
    made = make_manifest_copy(plain, DISPATCH, [exchange.world.origin[name].open for name in officers], seeded("copy"))
    assert made is not None
    return made


def opened_by(world: World, copy: bytes, name: str, dispatch: bytes = DISPATCH) -> object:
    officer = world.origin[name]
    return open_manifest_copy(copy, dispatch, officer.open.digest, officer.identity)


def test_each_officer_named_reads_it(exchange: Exchange) -> None:
    copy = copy_for(exchange, "chief", "deputy")
    for name in ("chief", "deputy"):
        assert opened_by(exchange.world, copy, name) == exchange.opened.manifest


def test_it_tells_whom_it_is_kept_for(exchange: Exchange) -> None:
    officers = exchange.world.origin
    for names in (["chief"], ["chief", "deputy"]):
        assert manifest_copy_recipients(copy_for(exchange, *names)) == {officers[name].open.digest for name in names}


def test_others_do_not(exchange: Exchange) -> None:
    copy = copy_for(exchange, "chief")
    with pytest.raises(NoKey, match="not kept for this officer"):
        opened_by(exchange.world, copy, "deputy")
    chief, deputy = exchange.world.origin["chief"], exchange.world.origin["deputy"]
    with pytest.raises(NotAuthentic):
        open_manifest_copy(copy, DISPATCH, chief.open.digest, deputy.identity)


def test_no_officer_no_copy(exchange: Exchange) -> None:
    assert make_manifest_copy(pack_manifest(exchange.opened.manifest), DISPATCH, [], seeded("copy")) is None


def test_copy_of_another_envelope(letter: Exchange) -> None:
    with pytest.raises(NotAuthentic):
        opened_by(letter.world, copy_for(letter, "chief"), "chief", bytes(32))


def test_nothing_shows(letter: Exchange) -> None:
    copy = copy_for(letter, "chief")
    assert "письмо".encode() not in copy
    assert letter.opened.manifest.salt not in copy


def test_altered_copy(letter: Exchange) -> None:
    copy = copy_for(letter, "chief")
    for at in range(0, len(copy), 97):
        altered = copy[:at] + bytes([copy[at] ^ 1]) + copy[at + 1 :]
        with pytest.raises(ValizaError):
            opened_by(letter.world, altered, "chief")


MALFORMED: dict[str, Hook] = {
    "no stanzas": put([], 0),
    "copy as text": put("x", 1),
    "an item more": lambda items: [*items, 0],
    "stanza of one item": put([bytes(32)], 0, 0),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_copy(letter: Exchange, case: str) -> None:
    with pytest.raises(Malformed):
        opened_by(letter.world, edited(copy_for(letter, "chief"), MALFORMED[case]), "chief")


def stanzas(count: int) -> Hook:
    """A hook that puts so many stanzas in, none of them for anybody."""
    return lambda items: [[[n.to_bytes(32, "big"), items[0][0][1]] for n in range(count)], items[1]]


def filled(size: int) -> Hook:
    """A hook that makes the copy that long."""
    return lambda items: [items[0], bytes(size - len(pack([items[0], bytes(1 << 20)])) + (1 << 20))]


def test_copy_up_to_its_limits(letter: Exchange) -> None:
    copy = copy_for(letter, "chief")
    for hook in (stanzas(64), filled(9437184)):
        with pytest.raises(NoKey, match="not kept for this officer"):
            opened_by(letter.world, edited(copy, hook), "deputy")
    for hook, message in ((stanzas(65), "stanzas is not an array of 1 to 64 items"), (filled(9437185), "more than the limit of 9437184")):
        with pytest.raises(Malformed, match=message):
            opened_by(letter.world, edited(copy, hook), "deputy")


def test_no_copy_at_all(letter: Exchange) -> None:
    for raw in (b"", pack([]), pack(None)):
        with pytest.raises(Malformed):
            opened_by(letter.world, raw, "chief")
