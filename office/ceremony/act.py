"""Who acts, in which place of a ceremony, about what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from valiza.office.ceremony.plan import Person

__all__ = ["Act"]


@dataclass(frozen=True, kw_only=True)
class Act:
    """A place in a ceremony: its number, who acts, what is done, and what it is about."""

    number: int
    person: Person
    name: str = ""
    about: str | None = None

    @property
    def id(self) -> str:
        """How people and files of answers name it: `sign.root.aliya`; without a name where the operator acts."""
        own = None if self.person.role == "operator" else self.person.id
        return ".".join(part for part in (self.name, self.about, own) if part is not None)
