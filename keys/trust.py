"""Trust: the credentials that a reader believes, by the roster of each party (specs/credential.md)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from valiza.keys import labels
from valiza.keys.credential import Credential, check_credential, verify_by_credential
from valiza.keys.designation import designated
from valiza.keys.errors import NotAuthentic, Refused
from valiza.keys.fields import utc
from valiza.keys.revocation import NOTHING_REVOKED, History, Revocation
from valiza.keys.statement import Statement, read_statement

if TYPE_CHECKING:
    from collections.abc import Iterable

    from valiza.keys.book import Book
    from valiza.keys.fields import Body
    from valiza.keys.root import Root

__all__ = ["Evidence", "Trust", "no_evidence"]

Evidence = Callable[[], int | None]  # the earliest time for which a reader has evidence that a signature was there


def no_evidence() -> int | None:
    """What a reader has who remembers nothing."""
    return None


class Trust:
    """Whom a reader believes: one roster of each party, each checked up to a pinned root."""

    def __init__(self, rosters: Iterable[Book]) -> None:
        self.rosters: dict[str, Book] = {}
        self._found: dict[bytes, Credential] = {}  # those that were asked for
        for roster in rosters:
            if roster.party in self.rosters:
                message = f"two rosters of {roster.party}"
                raise Refused(message, "give the latest only")
            self.rosters[roster.party] = roster

    def credential(self, wanted: bytes) -> Credential | None:
        """The credential with this digest, or None if no roster has it."""
        known = self._found.get(wanted)
        if known is None:
            known = next((found for roster in self.rosters.values() if (found := roster.credentials.get(wanted)) is not None), None)
            if known is not None:
                self._found[wanted] = known
        return known

    def root(self, wanted: bytes) -> Root | None:
        """The root with this digest, of any version, or None."""
        return next((root for roster in self.rosters.values() for root in roster.roots if root.digest == wanted), None)

    def history(self, credential: Credential) -> History:
        """What the roster of its party says was revoked of a credential."""
        roster = self.rosters.get(credential.body.party)
        return NOTHING_REVOKED if roster is None else roster.history(credential)

    def known_since(self, credential: Credential) -> int | None:
        """When the reader first imported a roster with a credential, in seconds since 1970; None: he does not know."""
        roster = self.rosters.get(credential.body.party)
        return None if roster is None else roster.known_since(credential.digest)

    def require_standing(self, credential: Credential, *, dated: int, evidence: Evidence, act: str) -> None:
        """Check that a signature with this credential stands, its issuers' too (revocation.md, Who is judged).

        Args:
            credential: with which was signed.
            dated: when, by its own word, in seconds since 1970.
            evidence: asked only where a key is compromised.
            act: what was signed, for the message.

        Raises:
            Refused: it was not valid then, or does not stand because of a revocation; the message says which.
        """
        credential.require_valid(dated, act)
        self._require_link(credential, dated=dated, evidence=evidence, act=act)
        while isinstance(credential.issuer, Credential):
            issued, credential = credential, credential.issuer
            self._require_link(
                credential,
                dated=issued.valid_from,
                evidence=lambda: self.known_since(issued),  # noqa: B023 - asked at once
                act=f"issuing the {issued.purpose} credential of {issued.title!r}",
            )

    def require_in_force(self, credential: Credential, *, at: int, act: str) -> None:
        """Check that a credential is in force at a time: now, or for an `open` credential whenever something says that it was used.

        Raises:
            Refused: as `require_standing` does.
        """
        self.require_standing(credential, dated=at, evidence=lambda: at, act=act)

    def in_force(self, credential: Credential, at: int) -> bool:
        """Whether a credential is in force at a time."""
        try:
            self.require_in_force(credential, at=at, act="it")
        except Refused:
            return False
        return True

    def knows(self, credential: Credential) -> bool:
        """Whether the roster of its party has a credential."""
        roster = self.rosters.get(credential.body.party)
        return roster is not None and credential.digest in roster.credentials

    def require_counting(self, credential: Credential, at: int) -> None:
        """Check that everybody may rely on a credential at a time: the roster of its party has it, and it is in force.

        Raises:
            Refused: it is not so.
        """
        if not self.knows(credential):
            message = f"the {credential.purpose} credential of {credential.title!r} ({credential.body}) is in no roster known here: it does not count"
            raise Refused(message, "if it is new, import the latest roster of that party: valiza roster import FILE")
        self.require_in_force(credential, at=at, act="use")

    def _require_link(self, credential: Credential, *, dated: int, evidence: Evidence, act: str) -> None:
        history = self.history(credential)
        if not history:
            return
        found = history.judge(dated=dated, evidence=None if history.compromised is None else evidence())
        if found is None:
            return
        what = f"the {credential.purpose} credential of {credential.title!r} ({credential.body})"
        message = f"{what} was {found}: it does not count for {act} at {utc(dated)}"
        raise Refused(message, _hint(found, dated))

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

    def designated(self, party: str, role: str, named: Iterable[str], at: int) -> tuple[str, ...]:
        """Ids of the bodies of a party that have a role at a time: those that an agreement names, changed by the party's designations."""
        roster = self.rosters.get(party)
        return designated(named, () if roster is None else roster.designations, role=role, at=at)

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


def _hint(found: Revocation, dated: int) -> str:
    """Why it takes what seems to lie before it: only a compromise does."""
    return "only what is known by other evidence to have been there before the compromise stands" if dated < found.effective_at else ""
