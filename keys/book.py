"""What a reader asks of a party's roster, however it is kept: all of it in memory, or on the disk with an index (specs/credential.md, Roster)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from valiza.keys.chain import Chains
    from valiza.keys.credential import Credential, Outline
    from valiza.keys.designation import Designation
    from valiza.keys.fields import Body
    from valiza.keys.revocation import History, Revocation
    from valiza.keys.root import Root

__all__ = ["Book"]


class Book(Protocol):
    """A party's roster, checked when it was imported, up to the pinned root; a credential taken out of it was checked in this process."""

    @property
    def party(self) -> str:
        """Id of the party."""

    @property
    def version(self) -> int:
        """Version of the roster."""

    @property
    def issued_at(self) -> int:
        """When it was issued, in seconds since 1970."""

    @property
    def expires_at(self) -> int:
        """Until when it is in force, in seconds since 1970."""

    @property
    def roots(self) -> tuple[Root, ...]:
        """Every version of the party's root, the first one first."""

    @property
    def root(self) -> Root:
        """The latest version of the party's root."""

    @property
    def digest(self) -> bytes:
        """The name of the roster as a statement."""

    @property
    def raw(self) -> bytes:
        """The roster as it was signed: up to 64 MiB."""

    @property
    def credentials(self) -> Chains:
        """All credentials by their digests, in ascending order; each is checked when it is first taken out."""

    @property
    def outlines(self) -> tuple[Outline, ...]:
        """What an index says of every credential, in ascending order of their digests: for finding, not for believing."""

    @property
    def revocations(self) -> tuple[Revocation, ...]:
        """All revocations, in the order of the roster."""

    @property
    def designations(self) -> tuple[Designation, ...]:
        """All designations, in the order of the roster."""

    def history(self, credential: Credential) -> History:
        """What was revoked of a credential of this party, and of its key."""

    def known_since(self, credential: bytes) -> int | None:
        """When the reader first imported a roster with the credential of this digest, in seconds since 1970; None: he does not know."""

    def of_body(self, body: Body, purpose: str) -> list[Credential]:
        """Credentials of a body for a purpose, in the order of their digests."""

    def with_key(self, key_digest: bytes) -> list[Credential]:
        """Credentials of the public key with this digest, in the order of their digests."""
