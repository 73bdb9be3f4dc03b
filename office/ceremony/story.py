"""The story of a ceremony so far: what its steps made. Each step adds to it, when it is done and again whenever it is read."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from valiza.keys.realm import Realm
from valiza.keys.root import RootDraft
from valiza.keys.signing import VerifyKey
from valiza.office.ceremony.matter import KEPT

if TYPE_CHECKING:
    from valiza.keys.root import Root
    from valiza.office.ceremony.matter import Matter
    from valiza.office.ceremony.plan import Person

__all__ = ["Story"]


@dataclass
class Story:
    """What there is after some steps.

    Attributes:
        matter: plan and inputs.
        keys: public keys by participant and which of his.
        ids: custodian ids by participant.
        subjects: subjects that were drawn, each with what it was drawn for, by the digest of the request.
        bodies: what is to be signed, by its name in the ceremony.
        signatures: signer headers and signatures, by the same name.
        statements: what was signed by all who had to.
        remark: what was said at the end.
        transcript: what the transcript says, once the last step that it tells of is done.
        attested: the signatures on it.
        ended_at: when the last step ended.
    """

    matter: Matter
    keys: dict[tuple[str, str], VerifyKey] = field(default_factory=dict)
    ids: dict[str, bytes] = field(default_factory=dict)
    subjects: dict[bytes, tuple[str, bytes]] = field(default_factory=dict)
    bodies: dict[str, bytes] = field(default_factory=dict)
    signatures: dict[str, list[tuple[bytes, bytes]]] = field(default_factory=dict)
    statements: dict[str, bytes] = field(default_factory=dict)
    remark: str = ""
    transcript: bytes = b""
    attested: list[tuple[bytes, bytes]] = field(default_factory=list)
    ended_at: int = 0

    def key_of(self, person: Person) -> VerifyKey | None:
        """The key with which somebody signs the transcript: the newest that he has."""
        return self.keys.get((person.id, "own")) or self.keys.get((person.id, "previous"))

    def id_of(self, person: Person) -> bytes:
        """A custodian's id in the new root: his own from before, or the one that was drawn with his key."""
        return self.matter.known_id(person) or self.ids[person.id]

    def new_key(self, person: Person) -> VerifyKey:
        """A custodian's key in the new root; of one who is not here, the one that the inputs have."""
        found = self.keys.get((person.id, "own")) or self.matter.known_key(person, "own")
        if found is None:
            raise AssertionError
        return VerifyKey(found.raw, self.matter.realm)

    def existing_root(self) -> Root:
        """The same of a ceremony that has one before."""
        found = self.root()
        if found is None:
            raise AssertionError  # only the first root has none
        return found

    def root(self) -> Root | None:
        """The party's root before the ceremony, as custodians sign in its name here.

        In a rehearsal it is a copy that nobody signed, with the keys that were made for the rehearsal, and the others' keys as keys of a rehearsal.
        """
        root = self.matter.root
        if root is None or self.matter.realm is Realm.ORDINARY:
            return root
        made = {one.person: key for one in self.matter.plan.people for key in [self._old_key(one)] if key is not None}
        custodians = tuple(dataclasses.replace(c, key=made.get(c.id) or VerifyKey(c.key.raw, Realm.REHEARSAL)) for c in root.custodians)
        copy = RootDraft(
            party=root.party,
            version=root.version,
            previous=root.previous,
            names=root.names,
            degrees=root.degrees,
            custodians=custodians,
            threshold=root.threshold,
            valid_from=root.valid_from,
            valid_until=root.valid_until,
        )
        return dataclasses.replace(root, raw=b"", digest=copy.digest, custodians=custodians, extensions={})

    def _old_key(self, person: Person) -> VerifyKey | None:
        return self.keys.get((person.id, "own" if person.key in KEPT else "previous"))
