"""Credentials that a root issues in a ceremony: those of a body, and of whoever publishes its party's roster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from valiza.keys import labels
from valiza.keys.credential import CredentialDraft, check_credential, decode_credential
from valiza.keys.digests import digest
from valiza.keys.fields import Body, utc
from valiza.keys.statement import SignerHeader, read_statement
from valiza.office.ceremony.papers import root_signings, unsigned

if TYPE_CHECKING:
    from valiza.keys.signing import VerifyKey
    from valiza.keys.transcript import Pairs
    from valiza.office.ceremony.papers import Signing
    from valiza.office.ceremony.plan import Grant, Plan
    from valiza.office.ceremony.story import Story

__all__ = ["CredentialPaper"]


class CredentialPaper:
    """A credential, numbered among those of the plan from 1 on."""

    type = labels.CREDENTIAL

    def __init__(self, grant: Grant, number: int) -> None:
        self.about = f"credential-{number}"
        self._grant = grant

    def draws(self, story: Story) -> bool:
        """Whether a subject is drawn: the body has none yet, and no earlier credential of this ceremony gave it one."""
        asked = story.matter.asked(self._grant)
        return asked.subject is None and story.subjects.get(asked.digest, (self.about, b""))[0] == self.about

    def take(self, story: Story, drawn: bytes) -> None:
        """Remember the subject that was drawn."""
        story.subjects[story.matter.asked(self._grant).digest] = self.about, drawn

    def draft(self, story: Story, at: int) -> CredentialDraft:
        """What the credential is to say; `at` is when it is drafted."""
        grant, matter = self._grant, story.matter
        asked = matter.vouched(grant, at)
        return CredentialDraft(
            subject=asked.subject or story.subjects[asked.digest][1],
            body=Body(matter.party, grant.body),
            names=grant.names,
            purpose=grant.purpose,
            public_key=asked.keys[grant.purpose].raw,
            clearance=grant.clearance,
            certifies_bodies=grant.certifies_bodies,
            valid_from=grant.valid_from,
            valid_until=grant.valid_until,
            realm=matter.realm,
        )

    def body(self, story: Story, at: int) -> bytes:
        """What it says."""
        return self.draft(story, at).packed()

    def aloud(self, story: Story, at: int) -> Pairs:
        """What those who sign hear of it."""
        draft = self.draft(story, at)
        return (
            ("body", str(draft.body)),
            ("name", draft.names.get("en", next(iter(draft.names.values())))),
            ("purpose", draft.purpose),
            ("clearance", draft.clearance or ""),
            ("certifies-bodies", "yes" if draft.certifies_bodies else "no"),
            ("valid-from", utc(draft.valid_from)),
            ("valid-until", utc(draft.valid_until)),
            ("request", story.matter.asked(self._grant).digest.hex()),
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
        """The digest of what is drafted; the credential has another one, with its signatures."""
        return digest(labels.DIGEST_DRAFT, body)

    def foresee(self, story: Story, at: int) -> None:
        """Who vouches for the request, and whether the root may give all of that."""
        if self.draws(story):
            self.take(story, bytes(16))
        decode_credential(unsigned(self.type, self.body(story, at)), story.existing_root())

    def verify(self, story: Story, raw: bytes) -> None:
        """Check it as anybody would."""
        check_credential(read_statement(raw, labels.CREDENTIAL, realm=story.matter.realm), story.existing_root())
