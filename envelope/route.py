"""The stamp and the route (specs/envelope.md, Header): both marks, channel, transport method, escort form, legs."""

from __future__ import annotations

import hmac
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from valiza.keys import labels
from valiza.keys.digests import derive, keyed
from valiza.keys.encoding import pack
from valiza.keys.errors import Malformed, NotAuthentic
from valiza.keys.fields import Mark, array, blob, mark, text, time, word

if TYPE_CHECKING:
    from valiza.keys.encoding import Value

__all__ = [
    "MAX_LEGS",
    "MAX_PACKAGE",
    "Leg",
    "Marks",
    "Route",
    "Stamp",
    "close_stamp",
    "read_legs",
    "read_marks",
    "read_route",
    "read_stamp",
    "require_hidden_route",
]

MAX_LEGS: Final = 16
MAX_PACKAGE: Final = 64


@dataclass(frozen=True, slots=True)
class Marks:
    """A pair of equivalent marks: the origin's and the destination's (A2, A6.1)."""

    origin: Mark
    destination: Mark

    def packed(self) -> list[Value]:
        """The wire form."""
        return [self.origin.packed(), self.destination.packed()]


@dataclass(frozen=True, slots=True)
class Leg:
    """A part of the way, between two places."""

    start: str
    end: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """The detail of a stamp (R13): marks of the envelope, transport method, form of escort, legs, and the arrangement referred to (A5.5)."""

    marks: Marks
    transport: str
    escort: str
    legs: tuple[Leg, ...]
    reference: str

    def packed(self) -> list[Value]:
        """The wire form."""
        return [self.marks.packed(), self.transport, self.escort, [[leg.start, leg.end] for leg in self.legs], self.reference]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What stands outside. Under a closed stamp `route` is None and `hidden` is the keyed digest of the route."""

    channel: str
    package: str
    due_at: int
    route: Route | None
    hidden: bytes | None = None

    def packed(self) -> list[Value]:
        """The wire form."""
        return [self.channel, self.package, self.due_at, self.hidden if self.route is None else self.route.packed()]


def read_marks(value: Value, what: str) -> Marks:
    """Decode a pair of marks."""
    items = array(value, what, length=2)
    return Marks(mark(items[0], f"{what} of the origin"), mark(items[1], f"{what} of the destination"))


def read_legs(value: Value) -> tuple[Leg, ...]:
    """Decode the legs of a route; they have to connect."""
    legs = []
    for item in array(value, "legs", least=1, most=MAX_LEGS):
        pair = array(item, "leg", length=2)
        legs.append(Leg(text(pair[0], "start of a leg"), text(pair[1], "end of a leg")))
    if any(one.end != two.start for one, two in itertools.pairwise(legs)):
        message = "a leg of the route does not begin where the one before it ended (R13)"
        raise Malformed(message)
    return tuple(legs)


def read_route(value: Value) -> Route:
    """Decode the detail of a stamp; its legs have to connect."""
    items = array(value, "detail of the stamp", length=5)
    return Route(
        legs=read_legs(items[3]),
        marks=read_marks(items[0], "mark"),
        transport=word(items[1], "transport method"),
        escort=word(items[2], "escort form"),
        reference=text(items[4], "reference", empty=True),
    )


def read_stamp(value: Value) -> Stamp:
    """Decode a stamp, open or closed."""
    items = array(value, "stamp", length=4)
    closed = isinstance(items[3], bytes)
    return Stamp(
        channel=word(items[0], "channel"),
        package=text(items[1], "package number", most=MAX_PACKAGE),
        due_at=time(items[2], "receipt due"),
        route=None if closed else read_route(items[3]),
        hidden=blob(items[3], "detail of the stamp", size=32) if closed else None,
    )


def close_stamp(salt: bytes, route: Route) -> bytes:
    """What stands in core for a route that a closed stamp hides; 32 bytes."""
    return keyed(derive(labels.KEY_STAMP, salt), pack(route.packed()))


def require_hidden_route(stamp: Stamp, salt: bytes, route: Route) -> None:
    """Raise NotAuthentic unless `route`, found inside, is the one that the closed stamp covers (envelope.md, Reading 12)."""
    # Keyed digests are compared in the same time wherever they differ: what they cover is a secret to whoever may be trying.
    if stamp.hidden is None or not hmac.compare_digest(stamp.hidden, close_stamp(salt, route)):
        message = "the route inside is not the one that the closed stamp covers"
        raise NotAuthentic(message)
