"""The root that a ceremony makes: a party's first one, or the next version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from valiza.keys import labels
from valiza.keys.digests import digest
from valiza.keys.errors import Refused
from valiza.keys.fields import utc
from valiza.keys.root import Custodian, RootDraft, read_root, require_succession
from valiza.keys.statement import SignerHeader
from valiza.office.ceremony.papers import Signing

if TYPE_CHECKING:
    from valiza.keys.signing import VerifyKey
    from valiza.keys.transcript import Pairs
    from valiza.office.ceremony.plan import NewRoot, Plan
    from valiza.office.ceremony.story import Story

__all__ = ["RootPaper"]


class RootPaper:
    """A party's first root, or its next version."""

    about = "root"
    type = labels.ROOT

    def __init__(self, new: NewRoot) -> None:
        self._new = new

    def draws(self, story: Story) -> bool:  # noqa: ARG002 - as every paper
        """Ids of custodians are drawn with their keys."""
        return False

    def take(self, story: Story, drawn: bytes) -> None:
        """Nothing is drawn for it."""

    def draft(self, story: Story) -> RootDraft:
        """What the root is to say."""
        new, before = self._new, story.root()
        keeping = [one for one in story.matter.plan.of_role("custodian") if one.key != "none"]
        custodians = sorted((Custodian(id=story.id_of(one), names=one.names, key=story.new_key(one)) for one in keeping), key=lambda c: c.id)
        return RootDraft(
            party=new.party or "" if before is None else before.party,  # the plan of a first root has a party
            version=1 if before is None else before.version + 1,
            previous=None if before is None else before.digest,
            names=new.names,
            degrees=new.degrees or () if before is None else before.degrees,
            custodians=tuple(custodians),
            threshold=new.threshold,
            valid_from=new.valid_from,
            valid_until=new.valid_until,
        )

    def body(self, story: Story, at: int) -> bytes:  # noqa: ARG002 - as every paper
        """What it says."""
        return self.draft(story).body

    def aloud(self, story: Story, at: int) -> Pairs:  # noqa: ARG002 - as every paper
        """What those who sign hear of it."""
        draft = self.draft(story)
        return (
            ("party", draft.party),
            ("name", draft.names.get("en", next(iter(draft.names.values())))),
            ("version", str(draft.version)),
            ("degrees", " ".join(draft.degrees)),
            *(pair for custodian in draft.custodians for pair in _told(custodian)),
            ("threshold", f"{draft.threshold} of {len(draft.custodians)}"),
            ("valid-from", utc(draft.valid_from)),
            ("valid-until", utc(draft.valid_until)),
            ("fingerprint", draft.digest.hex()),
        )

    def signings(self, plan: Plan) -> list[Signing]:
        """All who are present: the custodians before, then those of the new version. Who keeps his key signs for both at once."""
        present = [one for one in plan.of_role("custodian") if one.present]
        before = [Signing(one, "previous", ("previous",)) for one in present if one.person is not None and not one.lost and one.key != "previous"]
        keeping = [Signing(one, "own", ("previous", "own")) for one in present if one.key == "previous"]
        return before + keeping + [Signing(one, "own", ("own",)) for one in present if one.key in {"new", "request"}]

    def headers(self, story: Story, signing: Signing, key: VerifyKey) -> list[SignerHeader]:
        """In the name of this version, or of the one before, or of both."""
        before = story.root()
        names = {"own": self.name(story.bodies[self.about]), "previous": b"" if before is None else before.digest}
        return [SignerHeader(role="root", signer_digest=names[capacity], key_digest=key.key_digest) for capacity in signing.capacities]

    def name(self, body: bytes) -> bytes:
        """The fingerprint."""
        return digest(labels.DIGEST_ROOT, body)

    def foresee(self, story: Story, at: int) -> None:  # noqa: ARG002 - as every paper
        """Whether it may follow the one before; all else was compared with the plan."""
        before = story.root()
        if before is not None and self._new.valid_from < before.valid_from:
            message = f"the next version of the root of {before.party} is to be valid before the one that it replaces"
            raise Refused(message, f"which is valid from {utc(before.valid_from)}")

    def verify(self, story: Story, raw: bytes) -> None:
        """Check the quorums of both versions."""
        root, before = read_root(raw, story.matter.realm), story.root()
        if before is not None:
            require_succession(root, before)


def _told(custodian: Custodian) -> Pairs:
    """What everybody hears of a custodian; the key of one who is not in the room is heard nowhere else."""
    name = custodian.names.get("en", next(iter(custodian.names.values())))
    return (("custodian", name), ("custodian-id", custodian.id.hex()), ("custodian-key", custodian.key.key_digest.hex()))
