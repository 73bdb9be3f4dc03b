"""Bodies and officers of another party, as people name them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from valiza.keys.errors import Malformed, Usage
from valiza.keys.fields import Body, body_id, party

if TYPE_CHECKING:
    from collections.abc import Sequence

    from valiza.keys.credential import Credential
    from valiza.office.home import Office

__all__ = ["is_called", "named_opener", "named_openers", "openers", "parse_body"]


def parse_body(wanted: str, other: str) -> Body:
    """A body written `BY/BY-MFA`, or `BY-MFA` alone for one of the other party.

    Raises:
        Usage: it is written otherwise.
    """
    name, slash, rest = wanted.rpartition("/")
    try:
        return Body(party(name if slash else other, "party"), body_id(rest, "id"))
    except Malformed as error:
        message = f"{wanted!r} is no body"
        raise Usage(message, f"write its id as the roster does, in capital letters: {other}-MFA or {other}/{other}-MFA, for example") from error


def openers(office: Office, destination: Body, at: int) -> list[Credential]:
    """The `open` credentials of a body that are in force, one of each person: after a renewal the new one, although the old one may still be too."""
    known = [c for c in office.trust.of_body(destination, "open") if office.trust.in_force(c, at)]
    newest = {c.subject: c for c in sorted(known, key=lambda c: (c.valid_from, c.valid_until))}
    return [c for c in known if newest[c.subject] is c]


def named_openers(office: Office, destination: Body, names: Sequence[str], at: int, act: str) -> list[Credential]:
    """Those of them who are called so; `act` is what is done with them, for a message.

    Raises:
        Usage: nobody is called so, or several are. Refused: somebody is, and his credential does not count now; the message says why.
    """
    certified, known = office.trust.of_body(destination, "open"), openers(office, destination, at)
    for name in names:
        found = [c for c in certified if is_called(c, name)]
        if found and not any(is_called(c, name) for c in known):
            office.trust.require_in_force(max(found, key=lambda c: c.valid_from), at=at, act=act)
    return [named_opener(known, destination, name) for name in names]


def named_opener(known: Sequence[Credential], destination: Body, wanted: str) -> Credential:
    """One of some credentials by a name, or by the digits of subject or credential.

    Raises:
        Usage: none is called so, or several are.
    """
    found = [c for c in known if is_called(c, wanted)]
    if len(found) != 1:
        message = f"{'several officers' if found else 'no officer'} of {destination} certified to open {'are' if found else 'is'} called {wanted!r}"
        raise Usage(message, f"name one of: {', '.join(f'{c.title} ({c.subject.hex()})' for c in known)}")
    return found[0]


def is_called(credential: Credential, wanted: str) -> bool:
    """Whether somebody is called so, in any language, or has these digits as subject or credential."""
    return wanted in credential.names.values() or wanted in {credential.subject.hex(), credential.digest.hex()}
