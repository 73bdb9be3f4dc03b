"""Clearance enquiries and confirmations (specs/clearance.md): before a transfer one party's competent body asks the other's who is cleared (A5.1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from valiza.envelope import permission
from valiza.envelope.manifest import Basis
from valiza.keys import labels
from valiza.keys.encoding import pack, unpack
from valiza.keys.errors import Conflict, Malformed, Refused
from valiza.keys.fields import array, ascending, blob, body, digest_field, extensions, integer, mark, optional, text, time, utc
from valiza.keys.statement import LIMITS, SignerHeader, read_statement, sign_statement
from valiza.keys.trust import no_evidence

if TYPE_CHECKING:
    from collections.abc import Iterable

    from valiza.envelope.agreement import Agreement, Agreements
    from valiza.keys.credential import Credential
    from valiza.keys.encoding import Value
    from valiza.keys.fields import Body, Extensions, Mark
    from valiza.keys.statement import Signer
    from valiza.keys.trust import Evidence, Trust

__all__ = [
    "MAX_OFFICERS",
    "Clearances",
    "Confirmation",
    "Enquiry",
    "VerifiedConfirmation",
    "VerifiedEnquiry",
    "confirm",
    "enquire",
    "read_confirmation",
    "read_confirmation_body",
    "read_enquiry",
    "read_enquiry_body",
]

MAX_OFFICERS: Final = 64  # as many as an envelope has addressees
_REFERENCE: Final = "clearance-confirmation"  # how a basis names one
_ASKING: Final = "the clearance enquiry was made"


@dataclass(frozen=True, slots=True, kw_only=True)
class Enquiry:
    """The body of an enquiry: whether the officers, by their subjects, of the destination are cleared to what the asking party's mark compares to."""

    enquiry_id: bytes
    agreement: bytes
    asking: Body
    asked: Body
    destination: Body
    officers: tuple[bytes, ...]
    mark: Mark
    purpose: str
    asked_at: int
    extensions: Extensions = field(default_factory=dict, repr=False)

    def packed(self) -> bytes:
        """The canonical body."""
        return pack(
            [
                self.enquiry_id,
                self.agreement,
                self.asking.packed(),
                self.asked.packed(),
                self.destination.packed(),
                list(self.officers),
                self.mark.packed(),
                self.purpose,
                self.asked_at,
                self.extensions,
            ]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """The body of a confirmation: which of the officers asked about are cleared; none, where the answer is no."""

    enquiry: bytes = field(repr=False)
    number: int
    cleared: tuple[bytes, ...]
    answered_at: int
    valid_until: int | None
    extensions: Extensions = field(default_factory=dict, repr=False)

    def packed(self) -> bytes:
        """The canonical body."""
        return pack([self.enquiry, self.number, list(self.cleared), self.answered_at, self.valid_until, self.extensions])


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedEnquiry:
    """An enquiry that a competent body made, about officers who are known here."""

    raw: bytes = field(repr=False)
    digest: bytes
    said: Enquiry
    signer: Credential
    agreement: Agreement


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedConfirmation:
    """A confirmation by the competent body that was asked. What it is good for is for `Clearances` to say: it may be a no, or have expired."""

    raw: bytes = field(repr=False)
    digest: bytes
    said: Confirmation
    enquiry: VerifiedEnquiry
    signer: Credential

    @property
    def basis(self) -> Basis:
        """How the manifest of an envelope that rests on it names it (clearance.md, Sealing)."""
        day = datetime.fromtimestamp(self.said.answered_at, UTC).strftime("%Y-%m-%d")
        return Basis("confirmation", f"{_REFERENCE} {self.digest.hex()}", str(self.enquiry.said.asked), day)

    def says(self, person: bytes, wanted: Mark) -> bool | None:
        """Whether it says of a person that he is cleared to what a mark of the asking party compares to; None: it does not say."""
        asked = self.enquiry.said
        if person not in asked.officers or wanted.party != asked.mark.party:
            return None
        terms = self.enquiry.agreement.profile.party(wanted.party)
        about, rank = terms.rank(asked.mark.code), terms.rank(wanted.code)  # 0 is the most secret
        if person in self.said.cleared:
            return True if rank >= about else None
        return False if rank <= about else None


# -- making ------------------------------------------------------------------------------------------------------------


def enquire(said: Enquiry, *, signer: Credential, key: Signer, trust: Trust, agreements: Agreements) -> VerifiedEnquiry:
    """Sign an enquiry, dated now (clearance.md, Producing).

    Raises:
        Refused, Malformed, NotAuthentic: as a reader would, or a roster has expired.
    """
    _require_signer(signer, agreements.find(said.agreement), trust, at=said.asked_at, act="enquiring about a clearance")
    return read_enquiry(_sign(labels.CLEARANCE_ENQUIRY, said.packed(), signer, key), trust=trust, agreements=agreements, at=said.asked_at)


def confirm(said: Confirmation, *, signer: Credential, key: Signer, trust: Trust, agreements: Agreements) -> VerifiedConfirmation:
    """Sign a confirmation, dated now (clearance.md, Producing).

    Raises:
        Refused: somebody confirmed has no credential in force that is cleared, or as a reader would. Malformed, NotAuthentic: as a reader would.
    """
    at, act = said.answered_at, "confirming a clearance"
    enquiry = read_enquiry(said.enquiry, trust=trust, agreements=agreements, at=at)
    _require_signer(signer, enquiry.agreement, trust, at=at, act=act)
    asked = enquiry.said
    degree = enquiry.agreement.profile.counterpart(asked.mark).code
    for person in said.cleared:
        if not any(trust.in_force(one, at) and one.cleared_to(degree) for one in _openers(trust, asked.destination, person)):
            message = f"the officer {person.hex()} of {asked.destination} has no credential in force that is cleared to {asked.asked.party}:{degree}"
            raise Refused(f"{message} (A1.8, A4.2)", "confirm the others only, or certify him first")
    return read_confirmation(_sign(labels.CLEARANCE_CONFIRMATION, said.packed(), signer, key), trust=trust, agreements=agreements, at=at)


def _require_signer(signer: Credential, agreement: Agreement, trust: Trust, *, at: int, act: str) -> None:
    if signer.purpose != "act":
        message = f"{signer.title!r} is certified to {signer.purpose}, not to act"
        raise Refused(message)
    trust.require_fresh([terms.id for terms in agreement.profile.parties], at, act)
    trust.require_in_force(signer, at=at, act=act)


def _sign(type_: str, body_: bytes, signer: Credential, key: Signer) -> bytes:
    header = SignerHeader(role="competent", signer_digest=signer.digest, key_digest=key.key_digest)
    return sign_statement(type_, body_, [(header, key)]).raw


# -- reading -----------------------------------------------------------------------------------------------------------


def read_enquiry_body(raw: bytes) -> Enquiry:
    """Decode the body of an enquiry."""
    items = array(unpack(raw, max_bytes=LIMITS[labels.CLEARANCE_ENQUIRY], what="clearance enquiry"), "clearance enquiry", length=10)
    return Enquiry(
        enquiry_id=blob(items[0], "enquiry id", size=32),
        agreement=digest_field(items[1], "agreement"),
        asking=body(items[2], "asking body"),
        asked=body(items[3], "asked body"),
        destination=body(items[4], "destination"),
        officers=_people(items[5], "officers", least=1),
        mark=mark(items[6], "mark"),
        purpose=text(items[7], "purpose"),
        asked_at=time(items[8], "asked at"),
        extensions=extensions(items[9]),
    )


def read_confirmation_body(raw: bytes) -> Confirmation:
    """Decode the body of a confirmation; the enquiry in it is a statement of its own."""
    what = "clearance confirmation"
    items = array(unpack(raw, max_bytes=LIMITS[labels.CLEARANCE_CONFIRMATION], what=what), what, length=6)
    said = Confirmation(
        enquiry=blob(items[0], "enquiry", most=LIMITS[labels.CLEARANCE_ENQUIRY]),
        number=integer(items[1], "number", least=1),
        cleared=_people(items[2], "cleared", least=0),
        answered_at=time(items[3], "answered at"),
        valid_until=optional(items[4], "valid until", time),
        extensions=extensions(items[5]),
    )
    if said.valid_until is not None and said.valid_until <= said.answered_at:
        message = "a clearance confirmation is valid until before it is made"
        raise Malformed(message)
    return said


def _people(value: Value, what: str, *, least: int) -> tuple[bytes, ...]:
    found = tuple(blob(item, f"subject in {what}", size=16) for item in array(value, what, least=least, most=MAX_OFFICERS))
    ascending(found, what)
    return found


def read_enquiry(raw: bytes, *, trust: Trust, agreements: Agreements, at: int) -> VerifiedEnquiry:
    """Read an enquiry (clearance.md, Reading an enquiry).

    Args:
        raw: the statement.
        trust: whom the reader believes.
        agreements: those that he has adopted.
        at: now, in seconds since 1970.

    Raises:
        Malformed, NotAuthentic, Refused: as the steps say.
    """
    found = _authentic_enquiry(raw, trust, agreements)
    _require_made(found, trust, at=at, evidence=no_evidence)
    return found


def _authentic_enquiry(raw: bytes, trust: Trust, agreements: Agreements) -> VerifiedEnquiry:
    """Steps 1 to 6."""
    statement = read_statement(raw, labels.CLEARANCE_ENQUIRY)  # step 1
    signer = trust.signer(statement)  # step 2
    said = read_enquiry_body(statement.body)
    agreement = agreements.find(said.agreement)  # step 3
    agreements.require_in_force(agreement, sealed_at=said.asked_at, accepted_at=said.asked_at, act=_ASKING)
    profile = agreement.profile
    if profile.other(said.asking.party).id != said.asked.party:  # step 4
        message = f"{said.asking} and {said.asked} are of one party: a clearance is asked of the other party's competent body (A5.1)"
        raise Refused(message)
    permission.require_competent(profile, trust, said.asking, said.asked_at)
    permission.require_competent(profile, trust, said.asked, said.asked_at)
    if signer.body != said.asking:
        message = f"the clearance enquiry of {said.asking} is signed by {signer.title!r} of {signer.body}"
        raise Refused(message)
    if said.destination.party != said.asked.party:  # step 5
        message = f"{said.asked} is asked about {said.destination}, which is no body of its party (A5.1)"
        raise Refused(message)
    if said.mark.party != said.asking.party:
        message = f"{said.asking} asks about {said.mark}, which is no mark of its party (A2)"
        raise Refused(message)
    profile.counterpart(said.mark)
    for person in said.officers:  # step 6
        if not _openers(trust, said.destination, person):
            message = f"nobody with the subject {person.hex()} is certified to open for {said.destination}"
            raise Refused(message, "import the latest roster of that party")
    return VerifiedEnquiry(raw=raw, digest=statement.digest, said=said, signer=signer, agreement=agreement)


def _openers(trust: Trust, destination: Body, person: bytes) -> list[Credential]:
    return [one for one in trust.of_body(destination, "open") if one.subject == person]


def _require_made(enquiry: VerifiedEnquiry, trust: Trust, *, at: int, evidence: Evidence) -> None:
    """Step 7."""
    if enquiry.said.asked_at > at + enquiry.agreement.profile.skew:
        message = "the clearance enquiry was made in the future"
        raise Refused(message, "compare the clocks of both offices")
    trust.require_standing(enquiry.signer, dated=enquiry.said.asked_at, evidence=evidence, act="enquiring about a clearance")


def read_confirmation(raw: bytes, *, trust: Trust, agreements: Agreements, at: int) -> VerifiedConfirmation:
    """Read a confirmation and the enquiry in it (clearance.md, Reading a confirmation); arguments as for `read_enquiry`.

    Raises:
        Malformed, NotAuthentic, Refused: as the steps say.
    """
    statement = read_statement(raw, labels.CLEARANCE_CONFIRMATION)  # step 1
    signer = trust.signer(statement)  # step 2
    said = read_confirmation_body(statement.body)
    enquiry = _authentic_enquiry(said.enquiry, trust, agreements)  # step 3
    asked, skew = enquiry.said, enquiry.agreement.profile.skew
    if signer.body != asked.asked:  # step 4
        message = f"{asked.asked} was asked, and the clearance confirmation is signed by {signer.title!r} of {signer.body} (A5.1)"
        raise Refused(message)
    permission.require_competent(enquiry.agreement.profile, trust, asked.asked, said.answered_at)
    if not set(said.cleared) <= set(asked.officers):  # step 5
        message = "somebody is confirmed who was not asked about"
        raise Malformed(message)
    if said.answered_at < asked.asked_at - skew:  # step 6
        message = "the clearance confirmation was made before the enquiry"
        raise Refused(message)
    if said.answered_at > at + skew:
        message = "the clearance confirmation was made in the future"
        raise Refused(message, "compare the clocks of both offices")
    trust.require_standing(signer, dated=said.answered_at, evidence=no_evidence, act="confirming a clearance")  # step 7
    _require_made(enquiry, trust, at=at, evidence=lambda: said.answered_at)  # step 8
    return VerifiedConfirmation(raw=raw, digest=statement.digest, said=said, enquiry=enquiry, signer=signer)


# -- what they are good for --------------------------------------------------------------------------------------------


class Clearances:
    """Confirmations that a sealer has, of one or more enquiries (clearance.md, Who is confirmed)."""

    def __init__(self, confirmations: Iterable[VerifiedConfirmation]) -> None:
        newest: dict[bytes, VerifiedConfirmation] = {}
        for one in sorted(confirmations, key=lambda c: (c.said.number, c.digest)):  # step 1
            before = newest.get(one.enquiry.digest)
            if before is not None and before.said.number == one.said.number and before.said != one.said:
                message = f"two confirmations with the number {one.said.number} say different things of one enquiry"
                raise Conflict(message, f"ask {one.enquiry.said.asked} for another")
            newest[one.enquiry.digest] = one
        self._newest = tuple(newest.values())

    def require(self, addressee: Credential, *, agreement: Agreement, wanted: Mark, at: int) -> VerifiedConfirmation:
        """The confirmation by which an addressee is cleared to a mark of the origin's party.

        Raises:
            Refused: there is none in force, or the latest answer is no.
        """
        who = f"the addressee {addressee.title!r}"
        about = [one for one in self._newest if one.enquiry.agreement.digest == agreement.digest and one.enquiry.said.destination == addressee.body]
        told = [(one, says) for one in about if (says := one.says(addressee.subject, wanted)) is not None]  # step 2
        if not told:
            message = f"no confirmation under the agreement {agreement} says that {who} of {addressee.body} is cleared to {wanted} (A5.1)"
            raise Refused(message, "a competent body asks for one with: valiza clearance enquire")
        latest, cleared = max(told, key=_weight)  # step 3
        if not cleared:
            message = f"{latest.enquiry.said.asked} does not confirm that {who} is cleared to {wanted} (A5.1)"
            raise Refused(message)
        end = latest.said.valid_until
        if end is not None and at >= end:  # step 4
            message = f"the confirmation that {who} is cleared to {wanted} expired at {utc(end)} (A5.1)"
            raise Refused(message, "ask again with: valiza clearance enquire")
        return latest


def _weight(told: tuple[VerifiedConfirmation, bool]) -> tuple[int, bool, bool, int]:
    """What decides: the later; at one time a no; and of those that say yes the one that lasts longer."""
    one, cleared = told
    return one.said.answered_at, not cleared, one.said.valid_until is None, one.said.valid_until or 0
