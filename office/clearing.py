"""What the office of a competent body does about clearances: ask, and answer; and what any office reads of it (A5.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from valiza.envelope import permission
from valiza.envelope.clearance import (
    Clearances,
    Confirmation,
    Enquiry,
    VerifiedConfirmation,
    VerifiedEnquiry,
    confirm,
    enquire,
    read_confirmation,
    read_enquiry,
)
from valiza.keys import labels
from valiza.keys.errors import Malformed, Refused, Usage
from valiza.keys.fields import Body, Mark
from valiza.keys.files import about
from valiza.keys.statement import read_statement
from valiza.office.addressing import named_opener, named_openers, openers, parse_body
from valiza.office.reader import office_reader, read_object, write_object

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from valiza.envelope.profile import Profile
    from valiza.keys.credential import Credential
    from valiza.keys.trust import Trust
    from valiza.office.home import Office
    from valiza.office.reader import Reader

__all__ = ["EnquiryOrder", "answer", "ask", "officers_of", "read_asked", "read_clearance", "read_clearances"]


@dataclass(frozen=True, kw_only=True)
class EnquiryOrder:
    """What an officer of a competent body asks. None and empty mean: the office chooses."""

    officer: str | None
    agreement: str
    destination: str
    mark: str
    purpose: str
    addressees: tuple[str, ...] = ()
    asked: str | None = None


def ask(office: Office, order: EnquiryOrder, out: Path, *, at: int, random: Callable[[int], bytes]) -> VerifiedEnquiry:
    """Ask the other party's competent body whether officers of a body are cleared, into the new file `out`.

    Without addressees it asks about everybody whom an envelope would be sealed to: all who open there and are cleared by their credentials.

    Raises:
        Refused, Usage, NoKey: this office may not ask so, or the order is not clear.
    """
    agreement = office.agreements.named(order.agreement, at)
    profile = agreement.profile
    permission.require_competent(profile, office.trust, office.body, at)  # before an officer is looked for: most offices have none who could
    officer = office.pick(order.officer, "act")
    other = profile.other(office.body.party).id
    destination = parse_body(order.destination, other)
    mark = Mark(office.body.party, order.mark)
    degree = profile.counterpart(mark).code
    if order.addressees:
        chosen = named_openers(office, destination, order.addressees, at, "asking about him")
    else:
        chosen = [c for c in openers(office, destination, at) if c.cleared_to(degree)]
    if not chosen:
        message = f"no officer of {destination} is certified to open, and cleared to {other}:{degree}"
        raise Refused(message, "import the latest roster of that party, or check the body's id")
    said = Enquiry(
        enquiry_id=random(32),
        agreement=agreement.digest,
        asking=office.body,
        asked=_asked(office, profile, other, order.asked, at),
        destination=destination,
        officers=tuple(sorted({c.subject for c in chosen})),
        mark=mark,
        purpose=order.purpose,
        asked_at=at,
    )
    signer = office.credential(officer, "act")
    found = enquire(said, signer=signer, key=office.signing_key(officer, "act"), trust=office.trust, agreements=office.agreements)
    write_object(out, found.raw)
    return found


def _asked(office: Office, profile: Profile, other: str, wanted: str | None, at: int) -> Body:
    """The competent body that is asked: the one named, or the only one."""
    if wanted is not None:
        return parse_body(wanted, other)
    competent = permission.competent_bodies(profile, office.trust, other, at)
    if len(competent) != 1:
        message = f"{other} has several competent bodies: {', '.join(competent)}"
        raise Usage(message, "say which is asked with --ask BODY")
    return Body(other, competent[0])


def read_clearance(reader: Reader, path: Path, *, at: int) -> VerifiedEnquiry | VerifiedConfirmation:
    """The enquiry or confirmation in a file, verified.

    Raises:
        Malformed, NotAuthentic, Refused, Unavailable: it is none, or does not hold.
    """
    types = labels.CLEARANCE_ENQUIRY, labels.CLEARANCE_CONFIRMATION
    with about(path, Malformed):
        raw = read_object(path, *types)
        read = read_enquiry if read_statement(raw, *types).type == labels.CLEARANCE_ENQUIRY else read_confirmation
        return read(raw, trust=reader.trust, agreements=reader.agreements, at=at)


def read_clearances(office: Office, paths: Sequence[Path], *, at: int) -> Clearances:
    """The confirmations in some files; errors as `read_clearance`.

    Raises:
        Conflict: two of them contradict each other.
    """
    found = []
    for path in paths:
        one = read_clearance(office_reader(office), path, at=at)
        if isinstance(one, VerifiedEnquiry):
            with about(path):
                message = "it is an enquiry, and nobody has answered it here"
                raise Refused(message, "wait for the confirmation of the body that was asked")
        found.append(one)
    return Clearances(found)


def read_asked(office: Office, path: Path, *, at: int) -> tuple[VerifiedEnquiry, int]:
    """The enquiry that this office is to answer, and the number of the answer: 1, or one more than that of the answer that stands in the file.

    Raises:
        Malformed, NotAuthentic, Refused, Unavailable: it is none, does not hold, or another body is asked.
    """
    found = read_clearance(office_reader(office), path, at=at)
    enquiry, number = (found, 1) if isinstance(found, VerifiedEnquiry) else (found.enquiry, found.said.number + 1)
    if enquiry.said.asked != office.body:
        message = f"{enquiry.said.asked} is asked, and this is {office.body}"
        raise Refused(message)
    return enquiry, number


def answer(
    office: Office,
    enquiry: VerifiedEnquiry,
    out: Path,
    *,
    number: int,
    cleared: Sequence[str] | None,
    valid_until: int | None,
    officer: str | None,
    at: int,
) -> VerifiedConfirmation:
    """Answer an enquiry, into the new file `out`.

    Args:
        office: of the body that is asked.
        enquiry: what was asked.
        out: a new file.
        number: of the answer.
        cleared: names of officers asked about who are cleared; None: all of them; none: nobody.
        valid_until: in seconds since 1970; None: until there is another answer.
        officer: who signs; None: the only one who can.
        at: now.

    Raises:
        Refused, Usage, NoKey: this office may not say so, or it is not clear who is meant.
    """
    name = office.pick(officer, "act")
    asked = enquiry.said
    known = officers_of(enquiry, office.trust)
    people = asked.officers if cleared is None else {named_opener(known, asked.destination, one).subject for one in cleared}
    if valid_until is not None and valid_until <= at:
        message = "a confirmation cannot end before it is made"
        raise Usage(message, "give --until a later time, or leave it out")
    said = Confirmation(enquiry=enquiry.raw, number=number, cleared=tuple(sorted(people)), answered_at=at, valid_until=valid_until)
    signer = office.credential(name, "act")
    found = confirm(said, signer=signer, key=office.signing_key(name, "act"), trust=office.trust, agreements=office.agreements)
    write_object(out, found.raw)
    return found


def officers_of(enquiry: VerifiedEnquiry, trust: Trust) -> list[Credential]:
    """For each officer asked about, in their order, the latest of his `open` credentials for that body."""
    latest = {c.subject: c for c in sorted(trust.of_body(enquiry.said.destination, "open"), key=lambda c: (c.valid_from, c.valid_until))}
    return [latest[person] for person in enquiry.said.officers]
