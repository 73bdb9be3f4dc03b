"""Overdue records (specs/transport.md): who may say that a receipt did not come, of what, and when."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest
from tests.support.tamper import edited, flipped, more, put
from tests.support.world import DAY, DUE, World, say

from valiza.envelope.agreement import Agreements
from valiza.envelope.overdue import VerifiedOverdue, declare_overdue, read_overdue, read_overdue_body
from valiza.keys import labels
from valiza.keys.errors import Malformed, NotAuthentic, Refused

if TYPE_CHECKING:
    from tests.support.tamper import Hook

NOW: Final = DUE + 2 * DAY


def read(world: World, raw: bytes | None = None, *, at: int = NOW) -> VerifiedOverdue:
    """Read an overdue record: a good one, unless another is given."""
    return read_overdue(raw or world.missed(), trust=world.trust, agreements=world.agreements, at=at)


def test_declared_and_read(world: World) -> None:
    clerk, said = world.origin["clerk"], world.overdue()
    found = declare_overdue(said, signer=clerk.credentials["act"], key=clerk.keys["act"], trust=world.trust, agreements=world.agreements)
    assert read(world, found.raw) == found
    assert (found.said, found.signer.title, found.signed.core.stamp.due_at) == (said, "clerk", said.due_at)


def test_what_is_made_by_hand_in_these_tests_is_good(world: World) -> None:
    said = world.overdue(extensions={"~": 1})
    assert read(world, world.missed(said)).said == said


FORMS: Final[dict[str, Hook]] = {
    "dispatch nil": put(None, 0),
    "dispatch over its limit": put(bytes((1 << 20) + 1), 0),
    "core as text": put("core", 1),
    "due nil": put(None, 2),
    "noticed never": put(None, 3),
    "unknown extension": put({"copy": 1}, 4),
    "a field more": more(None),
}


@pytest.mark.parametrize("name", FORMS)
def test_form(kz_by: World, name: str) -> None:
    body = edited(kz_by.overdue().packed(), FORMS[name])
    with pytest.raises(Malformed):
        read_overdue_body(body)
    with pytest.raises(Malformed):
        read(kz_by, say(labels.OVERDUE, body, kz_by.origin["clerk"]))


@pytest.mark.slow
def test_no_byte_can_be_altered(kz_by: World) -> None:
    raw = kz_by.missed()
    for index in range(len(raw)):
        with pytest.raises((Malformed, NotAuthentic)):
            read(kz_by, flipped(raw, index))


def test_some_bytes_that_cannot_be_altered(world: World) -> None:
    raw = world.missed()
    for index in range(0, len(raw), 211):
        with pytest.raises((Malformed, NotAuthentic)):
            read(world, flipped(raw, index, 0x80))


def test_by_another_body(world: World) -> None:
    for by in (world.destination["clerk"], world.origin["head"], world.origin["banker"], world.third["clerk"]):
        with pytest.raises(Refused, match=f"is called overdue by '{by.name}' of {by.body}"):
            read(world, world.missed(by=by))


def test_with_a_key_for_something_else(world: World) -> None:
    clerk = world.origin["clerk"]
    header = replace(clerk.header("transport"), role="clerk")
    raw = say(labels.OVERDUE, world.overdue().packed(), replace(clerk, keys={**clerk.keys, "act": clerk.keys["transport"]}), header=header)
    with pytest.raises(NotAuthentic, match="a transport credential cannot sign as clerk"):
        read(world, raw)
    with pytest.raises(Refused, match="is certified to transport, not to act"):
        declare_overdue(
            world.overdue(), signer=clerk.credentials["transport"], key=clerk.keys["transport"], trust=world.trust, agreements=world.agreements
        )


def test_due_at_another_time_than_the_stamp_says(world: World) -> None:
    for due in (DUE - 1, DUE + 1):
        with pytest.raises(Malformed, match="another time than the stamp"):
            read(world, world.missed(world.overdue(due_at=due)))


def test_noticed_before_it_was_due_or_in_the_future(world: World) -> None:
    """To the second: a receipt that is countersigned in the second in which it is due is in time."""
    read(world, world.missed(world.overdue(noticed_at=DUE + 1)))
    with pytest.raises(Refused, match="called overdue before it was"):
        read(world, world.missed(world.overdue(noticed_at=DUE)))
    late = world.missed(world.overdue(noticed_at=NOW + world.profile.skew))
    read(world, late)
    with pytest.raises(Refused, match="called overdue in the future"):
        read(world, late, at=NOW - 1)


def test_of_another_envelope(world: World) -> None:
    other = world.plan(seed="other").seal()
    with pytest.raises(NotAuthentic, match="was signed over another core"):
        read(world, world.missed(world.overdue(core=other.core)))
    with pytest.raises(Malformed):
        read(world, world.missed(world.overdue(dispatch=world.missed())))


def test_under_an_agreement_that_is_not_adopted(world: World) -> None:
    with pytest.raises(Refused, match="is not adopted here"):
        read_overdue(world.missed(), trust=world.trust, agreements=Agreements([]), at=NOW)


@pytest.mark.parametrize("kind", ["retired", "suspended", "compromised"])
def test_signer_whose_key_was_revoked(kz_by: World, kind: str) -> None:
    credential, raw = kz_by.origin["clerk"].credentials["act"], kz_by.missed()
    at = kz_by.revoking(kz_by.origin, kz_by.origin.revoke(credential, kind, DUE + DAY))
    with pytest.raises(Refused, match=f"was {kind} .*declaring a receipt overdue"):
        read(at, raw)
    after = kz_by.revoking(kz_by.origin, kz_by.origin.revoke(credential, kind, DUE + DAY + 1))
    if kind == "compromised":
        with pytest.raises(Refused, match="compromised"):
            read(after, raw)
    else:
        read(after, raw)
