"""Revocations by a root (specs/revocation.md), as custodians make them together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from valiza.keys import labels
from valiza.keys.digests import digest
from valiza.keys.fields import utc
from valiza.keys.revocation import RevocationDraft, check_revocation, read_revocation_body, require_authority
from valiza.keys.statement import SignerHeader, read_statement
from valiza.office.ceremony.papers import root_signings, unsigned

if TYPE_CHECKING:
    from valiza.keys.signing import VerifyKey
    from valiza.keys.transcript import Pairs
    from valiza.office.ceremony.papers import Signing
    from valiza.office.ceremony.plan import Plan, Revoke
    from valiza.office.ceremony.story import Story

__all__ = ["RevocationPaper"]


class RevocationPaper:
    """A revocation, numbered among those of the plan from 1 on; its own number is that in the root's series."""

    type = labels.REVOCATION

    def __init__(self, revoke: Revoke, number: int) -> None:
        self.about = f"revocation-{number}"
        self._revoke = revoke

    def draws(self, story: Story) -> bool:  # noqa: ARG002 - as every paper
        """Nothing in it is random."""
        return False

    def take(self, story: Story, drawn: bytes) -> None:
        """Nothing is drawn for it."""

    def draft(self, story: Story, at: int) -> RevocationDraft:
        """What the revocation is to say; without another time it is effective when it is drafted."""
        revoke = self._revoke
        return RevocationDraft(
            party=story.matter.party,
            series=None,
            number=revoke.number,
            kind=revoke.kind,
            credential=story.matter.revoked(revoke).digest,
            effective_at=at if revoke.effective_at is None else revoke.effective_at,
            issued_at=at,
            reason=revoke.reason,
        )

    def body(self, story: Story, at: int) -> bytes:
        """What it says."""
        return self.draft(story, at).packed()

    def aloud(self, story: Story, at: int) -> Pairs:
        """What those who sign hear of it."""
        draft, target = self.draft(story, at), story.matter.revoked(self._revoke)
        return (
            ("body", str(target.body)),
            ("name", target.title),
            ("purpose", target.purpose),
            ("credential", target.digest.hex()),
            ("kind", draft.kind),
            ("reason", draft.reason),
            ("number", str(draft.number)),
            ("effective-at", utc(draft.effective_at)),
            ("issued-at", utc(draft.issued_at)),
            ("fingerprint", self.name(draft.packed()).hex()),
        )

    def signings(self, plan: Plan) -> list[Signing]:
        """All custodians who are present."""
        return root_signings(plan)

    def headers(self, story: Story, signing: Signing, key: VerifyKey) -> list[SignerHeader]:
        """In the name of the root."""
        root = story.existing_root()
        return [SignerHeader(role="issuer", signer_digest=root.digest, key_digest=key.key_digest) for _ in signing.capacities]

    def name(self, body: bytes) -> bytes:
        """The digest of what is drafted; the revocation has another one, with its signatures."""
        return digest(labels.DIGEST_DRAFT, body)

    def foresee(self, story: Story, at: int) -> None:
        """Whether the root may revoke this, and so."""
        root = story.existing_root()
        require_authority(read_revocation_body(unsigned(self.type, self.body(story, at)), root), story.matter.revoked(self._revoke))

    def verify(self, story: Story, raw: bytes) -> None:
        """Check it as anybody would."""
        found = check_revocation(read_statement(raw, labels.REVOCATION, realm=story.matter.realm), story.existing_root())
        require_authority(found, story.matter.revoked(self._revoke))
