"""Clearance enquiries and confirmations as a reader sees them, and whom they confirm (clearance.md)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import decode as d
from outcome import NotAuthentic, Refused, step
from reading import World, refuse
from treaty import Agreement, Mark
from trust import Credential, Statement, read_statement, require_standing, signed_by

Place = tuple[str, str]


@dataclass(frozen=True)
class Enquiry:
    """What was asked, by whom, under which agreement."""

    raw: bytes
    signer: Credential
    agreement: Agreement
    asking: Place
    asked: Place
    destination: Place
    officers: list[bytes]
    mark: Mark
    asked_at: int


@dataclass(frozen=True)
class Confirmation:
    """What was answered."""

    body: bytes
    enquiry: Enquiry
    number: int
    cleared: list[bytes]
    answered_at: int
    valid_until: int | None

    def says(self, person: bytes, wanted: Mark) -> bool | None:
        """Who is confirmed, step 2."""
        asked = self.enquiry
        if person not in asked.officers or asked.mark[0] != wanted[0]:
            return None
        order = asked.agreement.sides[wanted[0]].codes
        above = order.index(wanted[1]) - order.index(asked.mark[1])  # negative: more secret than what was asked
        if person in self.cleared:
            return True if above >= 0 else None
        return False if above <= 0 else None


def read_enquiry(raw: bytes, world: World) -> Enquiry:
    """Reading an enquiry."""
    enquiry = _enquiry(raw, world)
    with step(7):
        _made(enquiry, world, lambda: None)
    return enquiry


def _signed(raw: bytes, kind: str, world: World) -> tuple[Statement, Credential]:
    with step(1):
        statement = read_statement(raw, kind)
    with step(2):
        return statement, signed_by(statement, world.trust)


def _people(value: d.Value, least: int) -> list[bytes]:
    found = [d.binary(item, 16) for item in d.array(value, least, 64)]
    d.ascending(found, lambda person: person)
    return found


def _enquiry(raw: bytes, world: World) -> Enquiry:
    """Steps 1 to 6."""
    statement, signer = _signed(raw, "clearance-enquiry", world)
    with step(2):
        f = d.fields(d.decode(statement.body), 10)
        d.binary(f[0], 32)
        named, asking, asked, destination = d.digest_of(f[1]), d.body(f[2]), d.body(f[3]), d.body(f[4])
        officers, mark, asked_at = _people(f[5], 1), d.mark(f[6]), d.time(f[8])
        d.text(f[7])
        d.extensions(f[9])
    with step(3):
        agreement = world.agreements.known.get(named)
        if agreement is None:
            raise Refused("the agreement is not adopted")
        world.agreements.in_force(agreement, asked_at, asked_at)
    with step(4):
        refuse({asking[0], asked[0]} != set(agreement.sides), "not one body of each of the two parties")
        for place in (asking, asked):
            _competent(agreement, place, asked_at, world)
        refuse(signer.body != asking, "signed by another body")
    with step(5):
        refuse(destination[0] != asked[0] or mark not in agreement.rows or mark[0] != asking[0], "a body or mark of the wrong party, or without row")
    with step(6):
        known = {one.subject for one in world.trust.credentials.values() if one.purpose == "open" and one.body == destination}
        refuse(not set(officers) <= known, "somebody who is nobody's opener there")
    return Enquiry(raw, signer, agreement, asking, asked, destination, officers, mark, asked_at)


def _competent(agreement: Agreement, place: tuple[str, str], when: int, world: World) -> None:
    party, body = place
    refuse(body not in world.trust.who(agreement.sides[party].competent, party, "competent", when), "a body that is not competent")


def _made(enquiry: Enquiry, world: World, evidence: Callable[[], int | None]) -> None:
    """Step 7."""
    refuse(enquiry.asked_at > world.now + enquiry.agreement.skew, "asked in the future")
    refuse(not enquiry.signer.valid_at(enquiry.asked_at), "the signer was not valid")
    require_standing(enquiry.signer, enquiry.asked_at, evidence, world.trust)


def read_confirmation(raw: bytes, world: World) -> Confirmation:
    """Reading a confirmation."""
    statement, signer = _signed(raw, "clearance-confirmation", world)
    with step(2):
        f = d.fields(d.decode(statement.body), 6)
        inner, number, cleared = d.binary(f[0]), d.integer(f[1], 1), _people(f[2], 0)
        d.need(len(inner) <= 65536, "an enquiry over its limit")
        answered_at, valid_until = d.time(f[3]), d.optional(f[4], d.time)
        d.need(valid_until is None or answered_at < valid_until, "valid until is not after answered at")
        d.extensions(f[5])
    with step(3):
        enquiry = _enquiry(inner, world)
    with step(4):
        refuse(signer.body != enquiry.asked, "signed by a body that was not asked")
        _competent(enquiry.agreement, enquiry.asked, answered_at, world)
    with step(5):
        d.need(set(cleared) <= set(enquiry.officers), "somebody cleared who was not asked about")
    with step(6):
        skew = enquiry.agreement.skew
        refuse(answered_at < enquiry.asked_at - skew or answered_at > world.now + skew, "answered before it was asked, or in the future")
    with step(7):
        refuse(not signer.valid_at(answered_at), "the signer was not valid")
        require_standing(signer, answered_at, lambda: None, world.trust)
    with step(8):
        _made(enquiry, world, lambda: answered_at)
    return Confirmation(statement.body, enquiry, number, cleared, answered_at, valid_until)


def require_confirmed(raw: bytes, world: World, agreement: Agreement, addressee: bytes, wanted: Mark) -> None:
    """Who is confirmed; *raw* is an array of confirmations, *addressee* the digest of an `open` credential."""
    all_of_them = [read_confirmation(d.binary(item), world) for item in d.array(d.decode(raw), 0, 64)]
    opener = world.trust.credentials.get(addressee)
    if opener is None:
        raise NotAuthentic("the addressee is not known")
    with step(1):
        numbers: dict[tuple[bytes, int], set[bytes]] = {}
        for one in all_of_them:
            numbers.setdefault((one.enquiry.raw, one.number), set()).add(one.body)
        refuse(any(len(bodies) > 1 for bodies in numbers.values()), "one number, two answers")
        newest = [one for one in all_of_them if not any(o.enquiry.raw == one.enquiry.raw and o.number > one.number for o in all_of_them)]
    with step(3):
        of_it = [one for one in newest if one.enquiry.agreement.digest == agreement.digest and one.enquiry.destination == opener.body]
        said = [(one.answered_at, one.says(opener.subject, wanted), one.valid_until) for one in of_it]
        last = max((at for at, says, _ in said if says is not None), default=None)
        deciding = [(says, until) for at, says, until in said if at == last and says is not None]
        refuse(not deciding, "nothing is said of him")
        refuse(any(says is False for says, _ in deciding), "he is not cleared")
    with step(4):
        refuse(all(until is not None and world.now >= until for _, until in deciding), "it has expired")  # if the latest has, all have
