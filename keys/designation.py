"""Designations (specs/designation.md): a party says which of its bodies are competent, or confirm, besides those that its agreements name (A3)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from valiza.keys import labels
from valiza.keys.encoding import pack, unpack
from valiza.keys.errors import Malformed, NotAuthentic, Refused
from valiza.keys.fields import array, body_id, extensions, integer, names, one_of, optional, party, time, utc
from valiza.keys.root import Root, by_quorum, verify_quorum
from valiza.keys.statement import LIMITS, Statement, sign_statement

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from valiza.keys.encoding import Value
    from valiza.keys.fields import Extensions, Names
    from valiza.keys.statement import Signer

__all__ = [
    "COMPETENT",
    "CONFIRMING",
    "DESIGNATED",
    "MAX_DESIGNATIONS",
    "Change",
    "Designation",
    "DesignationDraft",
    "check_designation",
    "check_designation_in",
    "designated",
    "issue_designation",
    "read_designation_body",
    "require_numbers",
    "sign_designation",
]

COMPETENT: Final = "competent"
CONFIRMING: Final = "confirming"
DESIGNATED: Final = (COMPETENT, CONFIRMING)  # what a body is designated for
MAX_DESIGNATIONS: Final = 1024


class Change(Protocol):
    """What the rule looks at: a designation, or anything that says as much."""

    @property
    def body_id(self) -> str:
        """Id of the body that is designated."""

    @property
    def role(self) -> str:
        """One of DESIGNATED."""

    @property
    def effective_from(self) -> int:
        """From when on, in seconds since 1970."""

    @property
    def effective_until(self) -> int | None:
        """Up to, not including; None: without end."""

    @property
    def replaces(self) -> str | None:
        """Id of the body in whose place; None: in addition."""


C = TypeVar("C", bound=Change)


@dataclass(frozen=True, slots=True, kw_only=True)
class DesignationDraft:
    """What a designation is to say; times in seconds since 1970."""

    party: str
    number: int
    body_id: str
    names: Names
    role: str
    effective_from: int
    effective_until: int | None = None
    replaces: str | None = None
    issued_at: int

    def packed(self) -> bytes:
        """The canonical body."""
        items: list[Value] = [self.party, self.number, self.body_id, self.names, self.role, self.effective_from, self.effective_until]
        return pack([*items, self.replaces, self.issued_at, {}])


@dataclass(frozen=True, slots=True, kw_only=True)
class Designation:
    """A designation that a quorum of a root of its party signed, or, while others have still to sign, what it says."""

    raw: bytes = field(repr=False)
    digest: bytes
    party: str
    number: int
    body_id: str
    names: Names
    role: str
    effective_from: int
    effective_until: int | None
    replaces: str | None
    issued_at: int
    extensions: Extensions = field(repr=False)
    signer: Root = field(repr=False)

    @property
    def title(self) -> str:
        """A name of the body for messages: the English one, else any."""
        return self.names.get("en", next(iter(self.names.values())))

    def __str__(self) -> str:
        """What it says, for people: `KZ/KZ-NSC is competent in place of KZ-KNB from … (No. 1)`."""
        place = "" if self.replaces is None else f" in place of {self.replaces}"
        end = "" if self.effective_until is None else f" until {utc(self.effective_until)}"
        return f"{self.party}/{self.body_id} is {self.role}{place} from {utc(self.effective_from)}{end} (No. {self.number})"


def sign_designation(draft: DesignationDraft, *, root: Root, keys: Iterable[Signer], begun: Statement | None = None) -> Statement:
    """Sign a designation with one or more of the custodians' keys of its party's root.

    Returns:
        The statement: complete when the root's quorum has signed, otherwise for other custodians to go on with.

    Raises:
        Malformed: it says what cannot be. Refused: it is not this party's. NotAuthentic: `begun` is another designation.
    """
    body = draft.packed()
    if begun is not None and begun.body != body:
        message = "the other custodians signed another designation"
        raise NotAuthentic(message)
    statement = sign_statement(labels.DESIGNATION, body, by_quorum("root", root, keys), begun=begun, realm=root.realm)
    read_designation_body(statement, root)
    return statement


def issue_designation(draft: DesignationDraft, *, root: Root, keys: Iterable[Signer]) -> Designation:
    """Designate a body, with the keys of a quorum of the root's custodians.

    Raises:
        NotAuthentic: they are no quorum. Malformed, Refused: as `sign_designation` says.
    """
    return check_designation(sign_designation(draft, root=root, keys=keys), root)


def check_designation(statement: Statement, root: Root) -> Designation:
    """Check that a quorum of a root signed a designation, and decode it (designation.md, Reading 2 and 3).

    Raises:
        NotAuthentic: it did not. Malformed: not a designation. Refused: another party's.
    """
    verify_quorum(statement, root)
    return read_designation_body(statement, root)


def check_designation_in(statement: Statement, roots: Iterable[Root]) -> Designation:
    """Check a designation by the roots of its party's roster.

    Raises:
        NotAuthentic: none of them signed it. Malformed, Refused: as `check_designation` says.
    """
    by = statement.signer.signer_digest
    root = next((one for one in roots if one.digest == by), None)
    if root is None:
        message = "who designates is not a root of this roster"
        raise NotAuthentic(message)
    return check_designation(statement, root)


def read_designation_body(statement: Statement, root: Root) -> Designation:
    """What a designation says, whoever of the root's custodians signed it so far: the signatures are the caller's business.

    Raises:
        Malformed: not a designation. Refused: another party's.
    """
    items = array(unpack(statement.body, max_bytes=LIMITS[labels.DESIGNATION], what="designation"), "designation", length=10)
    found = Designation(
        raw=statement.raw,
        digest=statement.digest,
        party=party(items[0], "party"),
        number=integer(items[1], "number", least=1),
        body_id=body_id(items[2], "body id"),
        names=names(items[3], "names"),
        role=one_of(items[4], "role", DESIGNATED),
        effective_from=time(items[5], "effective from"),
        effective_until=optional(items[6], "effective until", time),
        replaces=optional(items[7], "replaces", body_id),
        issued_at=time(items[8], "issued at"),
        extensions=extensions(items[9]),
        signer=root,
    )
    if found.effective_from < found.issued_at:
        message = "a designation is not effective before it is issued"
        raise Malformed(message)
    if found.effective_until is not None and found.effective_until <= found.effective_from:
        message = "a designation ends before it is effective"
        raise Malformed(message)
    if found.replaces == found.body_id:
        message = "a body is not designated in its own place"
        raise Malformed(message)
    if found.party != root.party:
        message = f"a designation of {found.party} is signed by the root of {root.party}"
        raise Refused(message)
    return found


def require_numbers(designations: Sequence[Designation]) -> None:
    """Check that none is missing among a roster's designations, which stand in the order of their numbers (Reading 4).

    Raises:
        Refused: one is.
    """
    for number, one in enumerate(designations, 1):
        if one.number != number:
            message = f"designation {number} of {one.party} is missing"
            raise Refused(message, "a list of designations has no holes: ask the other party what happened")


def designated(named: Iterable[str], designations: Iterable[C], *, role: str, at: int) -> tuple[str, ...]:
    """The rule (designation.md): the ids of the bodies of a party that have a role at a time, in ascending order.

    Args:
        named: those that the agreement names.
        designations: all that the party's roster has, in the order of their numbers.
        role: COMPETENT or CONFIRMING.
        at: in seconds since 1970.
    """
    bodies = set(named)
    for one in designations:
        if one.role != role or at < one.effective_from or (one.effective_until is not None and at >= one.effective_until):
            continue
        if one.replaces is None:
            bodies.add(one.body_id)
        elif one.replaces in bodies:
            bodies = (bodies - {one.replaces}) | {one.body_id}
    return tuple(sorted(bodies))
