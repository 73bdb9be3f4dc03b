"""Rules beside the office that they are for: names in them that mean nothing there, and so are likely written wrongly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from valiza.envelope.profile import DESTINATION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from valiza.gateway.rules import Rules
    from valiza.office.home import Office

__all__ = ["misfits"]


def misfits(rules: Rules, office: Office) -> Iterator[str]:
    """What in the rules fits nothing that the office knows, each beginning with the path of its key."""
    profiles = [agreement.profile for agreement in office.agreements.all()]
    channels = {channel for profile in profiles for channel in profile.channels}
    for channel in sorted((rules.channels or frozenset()) - channels):
        yield f"channel: no agreement adopted here has the channel {channel!r}{_there_are(channels)}"
    marks: dict[str, set[str]] = {}
    for terms in (terms for profile in profiles for terms in profile.parties):
        marks.setdefault(terms.id, set()).update(mark.code for mark in terms.marks)
    for party, codes in sorted(rules.marks.items()):
        if party not in marks:
            yield f"marks.{party}: no agreement adopted here is with this party{_there_are(marks)}"
            continue
        for code in sorted(codes - marks[party]):
            yield f"marks.{party}: it has no mark with the code {code!r}{_there_are(marks[party])}"
    bodies = {office.body.id} | {
        body for profile in profiles for terms in profile.parties for body in (*terms.competent, *terms.confirming) if body != DESTINATION
    }
    bodies |= {outline.body.id for roster in office.trust.rosters.values() for outline in roster.outlines}
    for body in sorted(rules.pass_for - bodies):
        yield f"pass_for: no roster or agreement here names the body {body!r}"
    for address, named in sorted(rules.senders.items()):
        for body in sorted(named - bodies):
            yield f'senders."{address}": no roster or agreement here names the body {body!r}'


def _there_are(known: set[str] | dict[str, set[str]]) -> str:
    return f"; there are {', '.join(sorted(known))}" if known else ""
