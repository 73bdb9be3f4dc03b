"""The statements that come of a ceremony: what each says, who signs it, and how it is checked. A paper is computed from the story alone.

`at` is when it is drafted, in seconds since 1970.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from valiza.keys.statement import Statement

if TYPE_CHECKING:
    from valiza.keys.signing import VerifyKey
    from valiza.keys.statement import SignerHeader
    from valiza.keys.transcript import Pairs
    from valiza.office.ceremony.plan import Person, Plan
    from valiza.office.ceremony.story import Story

__all__ = ["Paper", "Signing", "root_signings", "unsigned"]


@dataclass(frozen=True, slots=True)
class Signing:
    """Somebody signs with one of his keys, as a custodian of the root before, of the new one, or of both."""

    person: Person
    which: str
    capacities: tuple[str, ...]


class Paper(Protocol):
    """A statement to be drafted, signed by several one after the other, and checked as any reader would."""

    about: str
    type: str

    def draws(self, story: Story) -> bool:
        """Whether 16 random bytes are drawn for it."""

    def take(self, story: Story, drawn: bytes) -> None:
        """Remember them."""

    def body(self, story: Story, at: int) -> bytes:
        """What it says."""

    def aloud(self, story: Story, at: int) -> Pairs:
        """What those who sign hear of it."""

    def signings(self, plan: Plan) -> list[Signing]:
        """Who signs, with which of his keys."""

    def headers(self, story: Story, signing: Signing, key: VerifyKey) -> list[SignerHeader]:
        """The headers of his signatures."""

    def name(self, body: bytes) -> bytes:
        """The digest by which people compare what they sign."""

    def foresee(self, story: Story, at: int) -> None:
        """Raise what `verify` would raise, whoever signed: before anybody does, and before anybody came."""

    def verify(self, story: Story, raw: bytes) -> None:
        """Check the finished statement."""


def unsigned(type_: str, body: bytes) -> Statement:
    """What is to be signed, as if it were a statement already."""
    return Statement(raw=b"", type=type_, body=body, signatures=())


def root_signings(plan: Plan) -> list[Signing]:
    """What all custodians sign who are present, in the name of the root before."""
    return [Signing(one, "own", ("previous",)) for one in plan.of_role("custodian") if one.present]
