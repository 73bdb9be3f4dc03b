"""Designating: the party names a body as competent or confirming, besides or in place of those that its agreements name (A3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from valiza.keys.designation import COMPETENT, CONFIRMING, DesignationDraft
from valiza.keys.errors import Usage
from valiza.keys.fields import Body
from valiza.office.quorum import begin_designation

if TYPE_CHECKING:
    from valiza.keys.book import Book
    from valiza.keys.fields import Names
    from valiza.keys.statement import Signer
    from valiza.office.home import Office
    from valiza.office.quorum import Unfinished

__all__ = ["Wish", "designate", "names_of", "roles_at"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be said of a body of the party; times in seconds since 1970. `effective_from`: None: from now on."""

    body_id: str
    names: Names
    role: str
    effective_from: int | None = None
    effective_until: int | None = None
    replaces: str | None = None


def names_of(book: Book, body_id: str) -> Names:
    """What a body is called by its latest credential to certify.

    Raises:
        Usage: the roster knows no such body.
    """
    known = book.of_body(Body(book.party, body_id), "certify")
    if not known:
        message = f"no body {body_id} of {book.party} is in the roster, so its name is not known"
        raise Usage(message, "check the id; a body that is not certified yet is named with --name en=TEXT")
    return max(known, key=lambda one: one.valid_from).names


def roles_at(office: Office, at: int, party: str | None = None) -> dict[str, dict[str, dict[str, list[str]]]]:
    """Who has which role at a time, by agreement and party, or of one party: what the agreement says, with the designations that are known here.

    The word `destination` stands there as in the agreement: for the destination of each envelope.
    """
    return {
        str(agreement): {
            terms.id: {
                COMPETENT: list(office.trust.designated(terms.id, COMPETENT, terms.competent, at)),
                CONFIRMING: list(office.trust.designated(terms.id, CONFIRMING, terms.confirming, at)),
            }
            for terms in agreement.profile.parties
            if party in {None, terms.id}
        }
        for agreement in office.agreements.all()
    }


def designate(book: Book, wish: Wish, key: Signer, *, number: int | None = None, at: int) -> Unfinished:
    """Sign a designation in the name of the party's root, as the first custodian.

    Args:
        book: the party's roster, the latest there is.
        wish: what is to be said.
        key: the custodian's.
        number: of the designation; None: the one after the roster's last.
        at: now, in seconds since 1970.

    Raises:
        Refused: the key is no custodian's. Malformed: it is to be effective before now, or to end before it is effective.
    """
    draft = DesignationDraft(
        party=book.party,
        number=len(book.designations) + 1 if number is None else number,
        body_id=wish.body_id,
        names=wish.names,
        role=wish.role,
        effective_from=at if wish.effective_from is None else wish.effective_from,
        effective_until=wish.effective_until,
        replaces=wish.replaces,
        issued_at=at,
    )
    return begin_designation(draft, book.root, key)
