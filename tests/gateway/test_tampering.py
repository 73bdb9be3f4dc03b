"""Mail that was changed on its way: no change makes a receipt of what is none, and none makes the gateway stumble."""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING, Final

import pytest
from tests.support.post import Gateway, gateway_at, mail, verdicts

from valiza.gateway.message import Message
from valiza.gateway.parts import TooComplex, take_apart
from valiza.keys.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.support.cli import World

GOOD: Final = {"delivered", "arrived", "outgoing", "duplicate"}


def _objects(message: bytes) -> list[bytes]:
    """What of Valiza is in a message, decoded."""
    try:
        with take_apart(message) as taken:
            return [part.content.read() for part in taken.parts if part.ours]
    except (TooComplex, Refused):
        return []


def _check(at: Gateway, raw: bytes, changed: Iterable[tuple[str, bytes]]) -> int:
    """How many of these messages were accepted as good; each of them has the very object in it."""
    accepted = 0
    for what, message in changed:
        (decision,) = at.check(message)
        found = verdicts(decision)
        assert not {"fault", "unavailable"} & set(found), what
        if GOOD & set(found):
            assert _objects(message) == [raw], what
            accepted += decision.action == "accept"
    return accepted


def _flipped(message: bytes, places: Iterable[int], mask: int) -> Iterable[tuple[str, bytes]]:
    for place in places:
        yield f"byte {place} of {len(message)}", message[:place] + bytes([message[place] ^ mask]) + message[place + 1 :]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "mask", "step"), [("good.receipt.vls", 1, 1), ("good.receipt.vls", 0x20, 23), ("good.vlz", 0x80, 23)])
def test_every_byte_of_a_message(name: str, mask: int, step: int, post: World) -> None:
    """Of the lines in base64 every byte, or some; of everything else, where one byte may hide an object, every one."""
    raw = post.path(name).read_bytes()
    message = mail(raw)
    at = gateway_at(post.path("KZ"), enters=False)
    encoded = [place for line in re.finditer(rb"(?m)^[0-9A-Za-z+/=]{76}\r$", message) for place in range(*line.span())]
    places = sorted({*range(len(message))} - {*encoded} | {*encoded[::step]})
    assert 0 < _check(at, raw, _flipped(message, places, mask)) < len(places), "what is no part of the object may be anything"


def test_bytes_here_and_there(post: World) -> None:
    raw = post.path("good.receipt.vls").read_bytes()
    message = mail(raw)
    at = gateway_at(post.path("KZ"), enters=False)
    _check(at, raw, _flipped(message, range(0, len(message), 97), 1))


def test_every_byte_of_the_object_itself(post: World) -> None:
    """Every seventh: without the mail around it each one counts."""
    raw = post.path("good.receipt.vls").read_bytes()
    at = gateway_at(post.path("KZ"), enters=False)
    for what, changed in _flipped(raw, range(0, len(raw), 7), 1):
        (decision,) = at.check(Message(raw=changed, bare=True))
        assert decision.action == "reject", what
        assert set(verdicts(decision)) <= {"malformed", "not-authentic", "forbidden", "unverified"}, what


@pytest.mark.parametrize("name", ["good.receipt.vls", "good.vlz"])
def test_cut_short(name: str, post: World) -> None:
    raw = post.path(name).read_bytes()
    message = mail(raw)
    at = gateway_at(post.path("KZ"), enters=False)
    _check(at, raw, ((f"the first {length} bytes", message[:length]) for length in range(0, len(message), 211)))


@pytest.mark.slow
def test_lines_moved_doubled_and_lost(post: World) -> None:
    raw = post.path("good.receipt.vls").read_bytes()
    lines = mail(raw).splitlines(keepends=True)
    at = gateway_at(post.path("KZ"), enters=False)
    chance = random.Random("lines")  # noqa: S311 - the same every time

    def changed() -> Iterable[tuple[str, bytes]]:
        for index in range(len(lines)):
            yield f"without line {index}", b"".join(lines[:index] + lines[index + 1 :])
            yield f"line {index} twice", b"".join([*lines[:index], lines[index], *lines[index:]])
            other = chance.randrange(len(lines))
            swapped = list(lines)
            swapped[index], swapped[other] = swapped[other], swapped[index]
            yield f"lines {index} and {other} swapped", b"".join(swapped)

    _check(at, raw, changed())
