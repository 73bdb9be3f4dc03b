"""What an agreement permits: the same checks when sealing, verifying and opening (specs/envelope.md, Reading 7, 8 and 13).

Each failure is Refused, and its message names the clause.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from valiza.envelope.profile import DESTINATION
from valiza.envelope.route import Marks
from valiza.keys.designation import COMPETENT, CONFIRMING
from valiza.keys.errors import Malformed, Refused

if TYPE_CHECKING:
    from collections.abc import Iterable

    from valiza.envelope.manifest import Basis, Entry
    from valiza.envelope.profile import Profile
    from valiza.envelope.route import Route
    from valiza.keys.credential import Credential
    from valiza.keys.fields import Body, Mark
    from valiza.keys.trust import Trust

__all__ = [
    "competent_bodies",
    "confirming_bodies",
    "require_addressee",
    "require_basis",
    "require_bodies",
    "require_carrier_marks",
    "require_channel",
    "require_competent",
    "require_padding",
    "require_route",
    "require_sealer_cleared",
]


def confirming_bodies(profile: Profile, trust: Trust, destination: Body, at: int) -> tuple[str, ...]:
    """Ids of the bodies that confirm receipt for a destination at a time: by the agreement, changed by its party's designations (R12, A5.4, A3)."""
    named = [destination.id if name == DESTINATION else name for name in profile.party(destination.party).confirming]
    return trust.designated(destination.party, CONFIRMING, named, at)


def competent_bodies(profile: Profile, trust: Trust, party: str, at: int) -> tuple[str, ...]:
    """Ids of the competent bodies of a party at a time: by the agreement, changed by its designations (R4(1), A3)."""
    return trust.designated(party, COMPETENT, profile.party(party).competent, at)


def require_competent(profile: Profile, trust: Trust, body: Body, at: int) -> None:
    """A body is a competent body of its party at a time (R4(1), A3)."""
    competent = competent_bodies(profile, trust, body.party, at)
    if body.id not in competent:
        message = f"{body} is no competent body of {body.party} under the agreement {profile.id} (R4(1), A3)"
        raise Refused(message, f"competent bodies: {', '.join(competent)}")


def require_bodies(profile: Profile, trust: Trust, *, origin: Body, destination: Body, confirming: Body, at: int) -> None:
    """Origin and destination are of the two parties, and the confirming body may confirm at the time of sealing (R2, R12, A5.4)."""
    terms = profile.party(destination.party)
    if profile.other(origin.party) is not terms:
        message = f"{origin} and {destination} are of one party: an envelope goes from one party to the other (R2)"
        raise Refused(message)
    allowed = confirming_bodies(profile, trust, destination, at)
    if confirming.party != destination.party or confirming.id not in allowed:
        message = f"{confirming} does not confirm receipt for {destination} under the agreement {profile.id} (R12, A5.4)"
        raise Refused(message, f"confirming bodies: {', '.join(allowed)}")


def require_channel(profile: Profile, channel: str) -> None:
    """The channel is one of the agreement's (R12, A5.4)."""
    if channel not in profile.channels:
        message = f"{channel!r} is no channel of the agreement {profile.id} (R12, A5.4)"
        raise Refused(message, f"its channels are {', '.join(profile.channels)}")


def require_route(profile: Profile, *, origin_party: str, channel: str, route: Route) -> None:
    """The pair of marks is a row, and channel, transport method and escort form are allowed for it (A2, R12, R13, A5.4, A5.5)."""
    require_channel(profile, channel)
    _require_row(profile, origin_party, route.marks)
    handling = profile.handling[route.marks.origin]
    for what, value, allowed, clause in (
        ("channel", channel, handling.channels, "R12, A5.4"),
        ("transport method", route.transport, handling.transports, "R13"),
        ("escort form", route.escort, handling.escorts, "R13"),
    ):
        if value not in allowed:
            message = f"the {what} {value!r} is not allowed for the mark {route.marks.origin} ({clause})"
            raise Refused(message, f"allowed: {', '.join(allowed)}")
    needs_reference, _ = profile.channels[channel]
    if needs_reference and not route.reference:
        message = f"the channel {channel!r} needs a reference to what was agreed in writing (A5.5)"
        raise Refused(message, 'give it in the route: reference = "…"')


def _require_row(profile: Profile, origin_party: str, marks: Marks) -> None:
    if marks.origin.party != origin_party or profile.counterpart(marks.origin) != marks.destination:
        message = f"the marks {marks.origin} and {marks.destination} do not compare under the agreement {profile.id} (A2)"
        raise Refused(message)


def envelope_marks(profile: Profile, origin_marks: Iterable[Mark]) -> Marks:
    """The pair of an envelope: that of its most secret carrier (envelope.md)."""
    highest = profile.most_secret(origin_marks)
    return Marks(highest, profile.counterpart(highest))


def require_sealer_cleared(sealer: Credential, marks: Marks) -> None:
    """The sealer is cleared to the origin's degree (A4.2)."""
    if not sealer.cleared_to(marks.origin.code):
        message = f"the sealer {sealer.title!r} is not cleared to {marks.origin} (A4.2)"
        raise Refused(message)


def require_addressee(
    credential: Credential | None, trust: Trust, *, destination: Body, degree: str | None, at: int, act: str = "sealing"
) -> Credential:
    """An addressee: known, certified to open for the destination, in force at `at`, cleared to `degree` (A1.8, A4.2); returns it.

    `degree` is the destination's code, or None where a closed stamp hides it still; `act` says in an error what was done at `at`.
    """
    if credential is None:
        message = "an addressee's credential is in no roster that is trusted here"
        raise Refused(message, "import the latest roster of that party")
    if credential.purpose != "open" or credential.body != destination:
        message = f"{credential.title!r} ({credential.body}, {credential.purpose}) is not certified to open for {destination} (A5.4)"
        raise Refused(message)
    trust.require_in_force(credential, at=at, act=act)
    if degree is not None and not credential.cleared_to(degree):
        message = f"the addressee {credential.title!r} is not cleared to {destination.party}:{degree} (A4.2, A5.1)"
        raise Refused(message)
    return credential


def require_basis(profile: Profile, origin_party: str, basis: Iterable[Basis]) -> None:
    """Every kind of basis that the origin's party requires is there (R3, R11, A5.2)."""
    kinds = {b.kind for b in basis}
    missing = [kind for kind in profile.party(origin_party).basis if kind not in kinds]
    if missing:
        message = f"the basis lacks a {' and a '.join(missing)}: {origin_party} transfers nothing without (R3, R11, A5.2)"
        raise Refused(message)


def require_carrier_marks(profile: Profile, entries: Iterable[Entry], marks: Marks) -> None:
    """Each carrier's pair is a row, and the envelope's pair is that of its most secret carrier (A2, A6.1)."""
    found = []
    for entry in entries:
        _require_row(profile, marks.origin.party, entry.marks)
        found.append(entry.marks.origin)
    if envelope_marks(profile, found) != marks:
        message = f"the envelope is stamped {marks.origin}, and its most secret carrier is {profile.most_secret(found)} (A2)"
        raise Refused(message)


def require_padding(profile: Profile, *, total: int, pad_length: int) -> None:
    """The pad is as long as the agreement's rule gives."""
    if pad_length != profile.padding.length(total):
        message = f"the pad has {pad_length} bytes, and the agreement's rule gives {profile.padding.length(total)}"
        raise Malformed(message)
