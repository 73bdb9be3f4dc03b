"""Realms (specs/labels.md, Rehearsals): what a rehearsal of a ceremony makes differs by its form from everything that is meant.

Every reader reads one realm, the ordinary one unless it is told otherwise, and takes what is of the other for malformed. Only ceremonies tell it.
"""

from __future__ import annotations

from enum import Enum

from valiza.keys import labels

__all__ = ["Realm"]


class Realm(Enum):
    """Whether something is meant, or was made to practise."""

    ORDINARY = "ordinary"
    REHEARSAL = "rehearsal"

    def label(self, label: str) -> str:
        """A type string, or the label of a key file, as it stands in this realm."""
        return label if self is Realm.ORDINARY else labels.REHEARSAL + label.removeprefix(labels.BEGIN)

    def kind(self, kind: str) -> str:
        """A kind of public key, as it stands in this realm."""
        return kind if self is Realm.ORDINARY else labels.REHEARSAL_KIND + kind

    def hint(self, found: object) -> str:
        """What to tell a person about a label or kind that does not fit: perhaps it is of the other realm."""
        practised = isinstance(found, str) and found.startswith((labels.REHEARSAL, labels.REHEARSAL_KIND))
        if self is Realm.REHEARSAL:
            return "" if practised else "a rehearsal takes only what a rehearsal made"
        return "it was made in a rehearsal, and counts for nothing" if practised else ""
