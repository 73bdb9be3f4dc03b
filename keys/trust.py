"""Trust: the credentials that a reader believes, by the roster of each party (specs/credential.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from valiza.keys import labels
from valiza.keys.credential import Credential, check_credential, verify_by_credential
from valiza.keys.errors import NotAuthentic, Refused
from valiza.keys.statement import Statement, read_statement

if TYPE_CHECKING:
    from collections.abc import Iterable

    from valiza.keys.book import Book
    from valiza.keys.fields import Body
    from valiza.keys.root import Root

__all__ = ["Trust"]


class Trust:
    """Whom a reader believes: one roster of each party, each checked up to a pinned root."""

    def __init__(self, rosters: Iterable[Book]) -> None:
        self.rosters: dict[str, Book] = {}
        for roster in rosters:
            if roster.party in self.rosters:
                message = f"two rosters of {roster.party}"
                raise Refused(message, "give the latest only")
            self.rosters[roster.party] = roster

    def credential(self, wanted: bytes) -> Credential | None:
        """The credential with this digest, or None if no roster has it."""
        return next((found for roster in self.rosters.values() if (found := roster.credentials.get(wanted)) is not None), None)

    def root(self, wanted: bytes) -> Root | None:
        """The root with this digest, of any version, or None."""
        return next((root for roster in self.rosters.values() for root in roster.roots if root.digest == wanted), None)

    def signer(self, statement: Statement) -> Credential:
        """The credential that signed a statement with one signature, after its signature was verified (statement.md, Reading 4, 5).

        Raises:
            NotAuthentic: the signer is unknown, or the signature does not hold.
        """
        signer = self.credential(statement.signer.signer_digest)
        if signer is None:
            message = f"the {statement.signer.role} of this {statement.type.rpartition('/')[2]} is in no roster that is trusted here"
            raise NotAuthentic(message, "import the latest roster of that party")
        verify_by_credential(statement, signer)
        return signer

    def check(self, raw: bytes) -> Credential:
        """A credential from a file, checked against its issuer, which has to be trusted here; it need not be in a roster itself.

        Raises:
            NotAuthentic: the issuer is unknown, or did not sign it. Malformed, Refused: as `check_credential` says.
        """
        statement = read_statement(raw, labels.CREDENTIAL)
        issuer = self.root(statement.signer.signer_digest) or self.credential(statement.signer.signer_digest)
        if issuer is None:
            message = "the issuer of this credential is in no roster that is trusted here"
            raise NotAuthentic(message, "import the latest roster of that party")
        return check_credential(statement, issuer)

    def of_body(self, body: Body, purpose: str) -> list[Credential]:
        """Credentials of a body for a purpose, in the order of their digests."""
        roster = self.rosters.get(body.party)
        return [] if roster is None else roster.of_body(body, purpose)

    def require_fresh(self, parties: Iterable[str], at: int, act: str) -> None:
        """Raise Refused unless the roster of each party is there and not expired (credential.md, Roster)."""
        for name in parties:
            roster = self.rosters.get(name)
            if roster is None:
                message = f"no roster of {name} is known here"
                raise Refused(message, "import it with: valiza roster import FILE --root FINGERPRINT")
            if at >= roster.expires_at:
                message = f"the roster of {name} expired, and {act} needs one in force"
                raise Refused(message, "import the latest with: valiza roster import FILE")
