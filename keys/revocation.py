"""Revocations (specs/revocation.md): that a credential counts no longer, or for a while not; and what becomes of what was signed with it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from valiza.keys import labels
from valiza.keys.credential import Credential, issuer_signs, verify_by_credential
from valiza.keys.encoding import pack, unpack
from valiza.keys.errors import Malformed, NotAuthentic, Refused
from valiza.keys.fields import array, body_id, digest_field, extensions, integer, one_of, optional, party, time, utc
from valiza.keys.root import Root, verify_quorum
from valiza.keys.statement import LIMITS, Statement, sign_statement

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from valiza.keys.encoding import Value
    from valiza.keys.fields import Extensions
    from valiza.keys.statement import Signer

__all__ = [
    "KINDS",
    "MAX_REVOCATIONS",
    "NOTHING_REVOKED",
    "REASONS",
    "Event",
    "History",
    "Revocation",
    "RevocationDraft",
    "Revoked",
    "check_revocation",
    "check_revocation_in",
    "issue_revocation",
    "judge",
    "read_revocation_body",
    "require_authority",
    "require_follows_history",
    "require_series",
    "revoked_of",
    "sign_revocation",
]

KINDS: Final = ("suspended", "restored", "retired", "compromised")
REASONS: Final = ("clearance", "closed", "left", "lost", "mistaken", "other", "replaced", "stolen", "suspected")
MAX_REVOCATIONS: Final = 16384


class Event(Protocol):
    """What the time rule looks at: a revocation, or anything that says as much."""

    @property
    def series(self) -> str | None:
        """Id of the body that revokes; None: the root."""

    @property
    def kind(self) -> str:
        """One of KINDS."""

    @property
    def effective_at(self) -> int:
        """From when on it counts, in seconds since 1970."""


E = TypeVar("E", bound=Event)


@dataclass(frozen=True, slots=True, kw_only=True)
class RevocationDraft:
    """What a revocation is to say. `credential` is the digest of the credential; times in seconds since 1970."""

    party: str
    series: str | None
    number: int
    kind: str
    credential: bytes
    effective_at: int
    issued_at: int
    reason: str

    def packed(self) -> bytes:
        """The canonical body."""
        items: list[Value] = [self.party, self.series, self.number, self.kind, self.credential, self.effective_at, self.issued_at, self.reason, {}]
        return pack(items)

    @property
    def by(self) -> str:
        """Who revokes, as people write it."""
        return _by(self.party, self.series)


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """A revocation whose signature holds. Whether its signer may revoke this credential is asked by `require_authority`."""

    raw: bytes = field(repr=False)
    digest: bytes
    party: str
    series: str | None
    number: int
    kind: str
    credential: bytes
    effective_at: int
    issued_at: int
    reason: str
    extensions: Extensions = field(repr=False)
    signer: Root | Credential = field(repr=False)

    @property
    def place(self) -> tuple[bool, str, int]:
        """Its place in a roster: the root's series first, then by the id of the body, and by number."""
        return (self.series is not None, self.series or "", self.number)

    @property
    def by(self) -> str:
        """Who revokes, as people write it."""
        return _by(self.party, self.series)

    def __str__(self) -> str:
        """What it says, for a message: `retired with effect from …, by KZ/KZ-MFA (No. 3, left)`."""
        return f"{self.kind} with effect from {utc(self.effective_at)}, by {self.by} (No. {self.number}, {self.reason})"


def _by(party_id: str, series: str | None) -> str:
    return f"the root of {party_id}" if series is None else f"{party_id}/{series}"


def sign_revocation(draft: RevocationDraft, *, issuer: Root | Credential, keys: Iterable[Signer], begun: Statement | None = None) -> Statement:
    """Sign a revocation with the key of the issuing body, or with one or more of the root's custodians' keys.

    Returns:
        The statement: complete for a body; for a root when its quorum has signed, otherwise for other custodians to go on with.

    Raises:
        Malformed: no such kind or reason, or a compromise from the future. Refused: not this party's, or another series'.
        NotAuthentic: `begun` is another revocation.
    """
    body = draft.packed()
    if begun is not None and begun.body != body:
        message = "the other custodians signed another revocation"
        raise NotAuthentic(message)
    statement = sign_statement(labels.REVOCATION, body, issuer_signs(issuer, keys), begun=begun, realm=issuer.realm)
    read_revocation_body(statement, issuer)
    return statement


def issue_revocation(draft: RevocationDraft, *, target: Credential, issuer: Root | Credential, keys: Iterable[Signer]) -> Revocation:
    """Revoke a credential; `keys` are those of a quorum of the root's custodians, or the one of the issuing body.

    Raises:
        NotAuthentic: they are no quorum. Refused: the issuer may not revoke it. Malformed: as `sign_revocation` says.
    """
    revocation = check_revocation(sign_revocation(draft, issuer=issuer, keys=keys), issuer)
    require_authority(revocation, target)
    return revocation


def check_revocation(statement: Statement, signer: Root | Credential) -> Revocation:
    """Check the signature of a revocation, and decode it (revocation.md, Reading 2 and 3).

    Raises:
        NotAuthentic: the signer did not sign it. Malformed: not a revocation. Refused: another party's or body's series.
    """
    if isinstance(signer, Root):
        verify_quorum(statement, signer)
    else:
        verify_by_credential(statement, signer)
    return read_revocation_body(statement, signer)


def check_revocation_in(statement: Statement, roots: Iterable[Root], credentials: Mapping[bytes, Credential]) -> Revocation:
    """Check a revocation by the roots and credentials of its party's roster (revocation.md, Reading 2 to 5).

    Raises:
        NotAuthentic, Malformed, Refused: as the steps say.
    """
    by = statement.signer.signer_digest
    signer = next((root for root in roots if root.digest == by), None) or credentials.get(by)
    if signer is None:
        message = "who revokes is not in the roster"
        raise NotAuthentic(message)
    revocation = check_revocation(statement, signer)
    target = credentials.get(revocation.credential)
    if target is None:
        message = f"revocation {revocation.number} of {revocation.by} is of a credential that is not in the roster"
        raise Refused(message)
    require_authority(revocation, target)
    return revocation


def read_revocation_body(statement: Statement, signer: Root | Credential) -> Revocation:
    """What a revocation says, whoever signed it so far: its signatures are the caller's business.

    Raises:
        Malformed: not a revocation. Refused: another party's or body's series.
    """
    items = array(unpack(statement.body, max_bytes=LIMITS[labels.REVOCATION], what="revocation"), "revocation", length=9)
    found = Revocation(
        raw=statement.raw,
        digest=statement.digest,
        party=party(items[0], "party"),
        series=optional(items[1], "series", body_id),
        number=integer(items[2], "number", least=1),
        kind=one_of(items[3], "kind", KINDS),
        credential=digest_field(items[4], "credential"),
        effective_at=time(items[5], "effective at"),
        issued_at=time(items[6], "issued at"),
        reason=one_of(items[7], "reason", REASONS),
        extensions=extensions(items[8]),
        signer=signer,
    )
    if found.kind == "compromised" and found.effective_at > found.issued_at:
        message = "a compromise is not effective after it is issued"
        raise Malformed(message)
    _require_own_series(found)
    return found


def _require_own_series(revocation: Revocation) -> None:
    """Step 3: a body revokes in its own series, a root in the one without a body, each in its own party."""
    signer = revocation.signer
    own = (signer.party, None) if isinstance(signer, Root) else (signer.body.party, signer.body.id)
    if (revocation.party, revocation.series) != own:
        name = f"the root of {signer.party}" if isinstance(signer, Root) else str(signer.body)
        message = f"a revocation of {revocation.by} is signed by {name}"
        raise Refused(message)


def require_authority(revocation: Revocation, target: Credential) -> None:
    """Check that who revokes is the root, or the body that issued the credential, with a credential of that time (Reading 4 and 5).

    Raises:
        Refused: it is not so.
    """
    signer = revocation.signer
    if isinstance(signer, Root):
        return
    issuer = target.issuer
    if isinstance(issuer, Root) or issuer.body != signer.body:
        by = f"the root of {issuer.party}" if isinstance(issuer, Root) else str(issuer.body)
        message = f"{signer.body} revokes a credential of {target.title!r} ({target.body}, {target.purpose}), which {by} issued"
        raise Refused(message, "who issued a credential revokes it, or the root of the party")
    signer.require_valid(revocation.issued_at, "revoking")


def require_series(revocations: Sequence[Revocation]) -> None:
    """Check that each series of a roster is whole, and that what it says of each credential can follow what it said before (Reading 6 and 7).

    Args:
        revocations: in the order of their places.

    Raises:
        Refused: a number is missing, or one says what cannot be said after the one before it.
    """
    last: dict[str | None, int] = defaultdict(int)
    before: dict[tuple[str | None, bytes], Revocation] = {}
    for one in revocations:
        if one.number != last[one.series] + 1:
            message = f"revocation {last[one.series] + 1} of {one.by} is missing"
            raise Refused(message, "a list of revocations has no holes: ask the other party what happened")
        last[one.series] = one.number
        _require_next(one, before.get((one.series, one.credential)))
        before[one.series, one.credential] = one


_FOLLOWS: Final = {  # what a series may say of a credential after what it said last
    None: ("suspended", "retired", "compromised"),
    "suspended": ("restored", "retired", "compromised"),
    "restored": ("suspended", "retired", "compromised"),
    "retired": ("compromised",),
    "compromised": (),
}


def require_follows_history(one: Revocation | RevocationDraft, before: Iterable[Revocation]) -> None:
    """Check that a revocation can follow what its series said of its credential, the last of these (Reading 7).

    Raises:
        Refused: it cannot.
    """
    own = [said for said in before if (said.series, said.credential) == (one.series, one.credential)]
    _require_next(one, own[-1] if own else None)


def _require_next(one: Revocation | RevocationDraft, before: Revocation | None) -> None:
    if one.kind not in _FOLLOWS[None if before is None else before.kind]:
        state = "was never revoked in this series" if before is None else f"is {before.kind}"
        message = f"revocation {one.number} of {one.by} says {one.kind} of a credential that {state}"
        raise Refused(message)
    if before is not None and one.kind != "compromised" and one.effective_at < before.effective_at:
        message = f"revocation {one.number} of {one.by} is effective before {before.number}, which it follows"
        raise Refused(message)


# -- the time rule --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What was revoked of one credential, in the order of a roster, and the earliest compromise of its key, in whichever credential."""

    revocations: tuple[Revocation, ...] = ()
    compromised: Revocation | None = None

    def __bool__(self) -> bool:
        """Whether there is anything."""
        return bool(self.revocations) or self.compromised is not None

    @property
    def all(self) -> tuple[Revocation, ...]:
        """All that counts: the revocations, and the compromise if another credential's said it."""
        lost = self.compromised
        return self.revocations if lost is None or lost in self.revocations else (*self.revocations, lost)

    def ended_at(self, otherwise: int) -> int:
        """When the credential ended: by retirement, by compromise of its key, or at the time given."""
        retired = [one.effective_at for one in self.revocations if one.kind == "retired"]
        return min([otherwise, *retired, *([] if self.compromised is None else [self.compromised.effective_at])])

    def judge(self, *, dated: int, evidence: int | None) -> Revocation | None:
        """The revocation because of which a signature with this credential does not stand; None: it stands."""
        return judge([*([] if self.compromised is None else [self.compromised]), *self.revocations], dated=dated, evidence=evidence)


NOTHING_REVOKED: Final = History()


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoked:
    """All that a roster revokes: in its order, by credential, and the earliest compromise of each key, by the digest of the key."""

    all: tuple[Revocation, ...] = ()
    by_credential: Mapping[bytes, tuple[Revocation, ...]] = field(default_factory=dict)
    by_key: Mapping[bytes, Revocation] = field(default_factory=dict)

    def history(self, credential: bytes, key: bytes) -> History:
        """The history of a credential, by its digest and that of its key."""
        own, lost = self.by_credential.get(credential, ()), self.by_key.get(key)
        return History(revocations=own, compromised=lost) if own or lost else NOTHING_REVOKED


def revoked_of(revocations: tuple[Revocation, ...], credentials: Mapping[bytes, Credential]) -> Revoked:
    """What revocations say, in the order of a roster, of the credentials in it. A compromise concerns the key, in whichever credential it stands."""
    by_credential: dict[bytes, tuple[Revocation, ...]] = {}
    by_key: dict[bytes, Revocation] = {}
    for one in revocations:
        by_credential[one.credential] = (*by_credential.get(one.credential, ()), one)
        if one.kind == "compromised":
            key = credentials[one.credential].key.key_digest
            if key not in by_key or one.effective_at < by_key[key].effective_at:
                by_key[key] = one
    return Revoked(all=revocations, by_credential=by_credential, by_key=by_key)


def judge(events: Iterable[E], *, dated: int, evidence: int | None) -> E | None:
    """The time rule (revocation.md): whether a signature stands.

    Args:
        events: all revocations of the credential, each series in the order of its numbers, and every compromise of its key.
        dated: when it was made, as it says itself, in seconds since 1970.
        evidence: the earliest time for which the reader has evidence that it was there; None: there is none.

    Returns:
        What it does not stand against, a compromise before anything else; None if it stands.
    """
    found: list[E] = []
    suspended: dict[str | None, E] = {}  # by series, those that nothing has ended yet
    for event in events:
        if event.kind == "compromised":
            if dated >= event.effective_at or evidence is None or evidence >= event.effective_at:
                return event
        elif event.kind == "retired":
            if dated >= event.effective_at:
                found.append(event)
        elif event.kind == "suspended":
            suspended[event.series] = event
        else:
            begun = suspended.pop(event.series, None)
            if begun is not None and begun.effective_at <= dated < event.effective_at:
                found.append(begun)
    found += [begun for begun in suspended.values() if begun.effective_at <= dated]
    return found[0] if found else None
