"""Rosters (specs/credential.md, Roster): all credentials of a party, signed, up to a root pinned by fingerprint."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from valiza.keys import labels
from valiza.keys.chain import Chains
from valiza.keys.credential import Credential, verify_by_credential
from valiza.keys.designation import MAX_DESIGNATIONS, Designation, check_designation_in, require_numbers
from valiza.keys.digests import digest
from valiza.keys.encoding import pack, unpack
from valiza.keys.errors import Malformed, NotAuthentic, Refused
from valiza.keys.fields import array, ascending, blob, extensions, integer, party, time, utc
from valiza.keys.revocation import MAX_REVOCATIONS, History, Revocation, Revoked, check_revocation_in, require_series, revoked_of
from valiza.keys.root import MAX_VERSIONS, Root, read_roots, require_pinned
from valiza.keys.statement import LIMITS, SignerHeader, Statement, read_statement, sign_statement

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from valiza.keys.book import Book
    from valiza.keys.credential import Outline
    from valiza.keys.encoding import Value
    from valiza.keys.fields import Body, Extensions
    from valiza.keys.statement import Signer

__all__ = [
    "MAX_SKIPPED",
    "MAX_VALIDITY",
    "Counting",
    "Difference",
    "Roster",
    "check_import",
    "check_roster",
    "claimed_credentials",
    "claimed_roots",
    "difference",
    "make_roster",
    "peek_roster",
    "read_roster",
    "require_key_never_compromised",
    "require_latest_root",
    "require_new_authority",
    "require_new_issuer",
    "require_new_issuers",
    "untold",
]

MAX_CREDENTIALS: Final = 16384
_DAY: Final = 86400
MAX_VALIDITY: Final = 400 * _DAY  # of a roster: a year, and time to renew it
MAX_SKIPPED: Final = 1000  # versions from one imported roster to the next
_MANY: Final = 1000  # credentials from which on it pays to start other processes
_NONE: Final[Mapping[bytes, bytes]] = MappingProxyType({})

# Told how many credentials there are, gives what is told how many were checked since it was last told.
Counting = Callable[[int], AbstractContextManager[Callable[[int], None]]]


def untold(_total: int) -> AbstractContextManager[Callable[[int], None]]:
    """Tells nobody."""
    return nullcontext(lambda _count: None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Roster:
    """A party's credentials, each checked, as of a time."""

    raw: bytes = field(repr=False)
    party: str
    version: int
    issued_at: int
    expires_at: int
    roots: tuple[Root, ...] = field(repr=False)
    credentials: Chains = field(repr=False)
    outlines: tuple[Outline, ...] = field(repr=False)
    revoked: Revoked = field(repr=False)
    designations: tuple[Designation, ...] = field(repr=False)
    extensions: Extensions = field(repr=False)

    @property
    def root(self) -> Root:
        """The latest version of the party's root."""
        return self.roots[-1]

    @property
    def digest(self) -> bytes:
        """The name of this statement."""
        return digest(labels.DIGEST_STATEMENT, self.raw)

    @property
    def revocations(self) -> tuple[Revocation, ...]:
        """All revocations, in their order."""
        return self.revoked.all

    def history(self, credential: Credential) -> History:
        """What was revoked of a credential of this party, and of its key."""
        return self.revoked.history(credential.digest, credential.key.key_digest)

    def known_since(self, credential: bytes) -> int | None:  # noqa: ARG002 - who has a roster in his hand remembers nothing
        """When a roster with the credential of this digest was first imported; None: nobody knows."""
        return None

    def of_body(self, body: Body, purpose: str) -> list[Credential]:
        """Credentials of a body for a purpose, in the order of their digests."""
        return [self.credentials[o.digest] for o in self.outlines if o.body == body and o.purpose == purpose]

    def with_key(self, key_digest: bytes) -> list[Credential]:
        """Credentials of the public key with this digest, in the order of their digests."""
        return [self.credentials[o.digest] for o in self.outlines if o.key_digest == key_digest]


def make_roster(
    *,
    version: int,
    issued_at: int,
    expires_at: int,
    roots: Sequence[Root],
    credentials: Iterable[Credential],
    others: Mapping[bytes, bytes] = _NONE,
    revocations: Iterable[Revocation] = (),
    designations: Iterable[Designation] = (),
    signer: Credential,
    key: Signer,
    read: Callable[[bytes, bytes], Roster] | None = None,
) -> Roster:
    """Make and sign a roster.

    Args:
        version: one more than the last.
        issued_at: in seconds since 1970, as the next.
        expires_at: until when it is in force.
        roots: every version of the root.
        credentials: what it is to hold.
        others: the bytes of further credentials, by their digests: those of an older roster.
        revocations: whole series of them, in any order.
        designations: all of them, in any order.
        signer: the roster credential that `key` belongs to; it is included.
        key: its private half.
        read: reads it back; as `read_roster`, which it is unless given.

    Raises:
        Malformed, NotAuthentic, Refused: as a reader would.
    """
    whole = sorted({**others, **{c.digest: c.raw for c in (*credentials, signer)}}.items())
    revoked = sorted({r.digest: r for r in revocations}.values(), key=lambda r: r.place)
    root = roots[-1]
    named = sorted({d.digest: d for d in designations}.values(), key=lambda d: d.number)
    said: list[Value] = [[one.raw for one in roots], [raw for _, raw in whole], [one.raw for one in revoked], [one.raw for one in named]]
    body = pack([root.party, version, issued_at, expires_at, *said, {}])
    header = SignerHeader(role="roster", signer_digest=signer.digest, key_digest=key.key_digest)
    return (read or read_roster)(sign_statement(labels.ROSTER, body, [(header, key)]).raw, root.digest)


def peek_roster(raw: bytes) -> tuple[str, list[bytes]]:
    """The party and the root fingerprints, first version first, that a roster claims: nothing of it is to be believed."""
    items = _items(read_statement(raw, labels.ROSTER))
    return party(items[0], "party"), [root.digest for root in _read_roots(items[4])]


def claimed_roots(raw: bytes) -> tuple[Root, ...]:
    """All versions of the root that a roster claims, each signed by its quorums: whose they are, only a fingerprint says."""
    return _read_roots(_items(read_statement(raw, labels.ROSTER))[4])


def claimed_credentials(raw: bytes) -> list[Statement]:
    """The credentials in a roster, none of them checked: nothing of it is to be believed."""
    return [
        read_statement(blob(item, "credential"), labels.CREDENTIAL) for item in array(_items(read_statement(raw, labels.ROSTER))[5], "credentials")
    ]


def _read_roots(value: Value) -> tuple[Root, ...]:
    return read_roots(tuple(blob(item, "root") for item in array(value, "roots", least=1, most=MAX_VERSIONS)))


def _items(statement: Statement) -> list[Value]:
    return array(unpack(statement.body, max_bytes=LIMITS[labels.ROSTER], what="roster"), "roster", length=9)


@lru_cache(maxsize=16)  # a roster already read in this process is not read again
def read_roster(raw: bytes, fingerprint: bytes) -> Roster:
    """`check_roster`, for a roster that may be read again."""
    return check_roster(raw, fingerprint)


def check_roster(raw: bytes, fingerprint: bytes, *, jobs: int = 1, counting: Counting = untold) -> Roster:
    """Read and check a roster of whose root a version has the pinned `fingerprint` (credential.md, Roster, Reading 1 to 5).

    Args:
        raw: the roster.
        fingerprint: of a version of the root, as a person compared it.
        jobs: processes that share the work, if there is much of it.
        counting: is told how it goes on.

    Raises:
        Malformed, NotAuthentic, Refused: as the steps say.
    """
    statement = read_statement(raw, labels.ROSTER)
    items = _items(statement)
    roots = _read_roots(items[4])  # step 1
    require_pinned(roots, fingerprint)
    root = roots[-1]
    name = party(items[0], "party")
    if name != root.party:
        message = f"a roster of {name} has the root of {root.party}"
        raise Refused(message)
    statements = [read_statement(blob(item, "credential"), labels.CREDENTIAL) for item in array(items[5], "credentials", most=MAX_CREDENTIALS)]
    ascending([s.digest for s in statements], "credentials")
    credentials = Chains(roots, {s.digest: s for s in statements})
    signer = credentials.get(statement.signer.signer_digest)  # step 2
    if signer is None:
        message = "a signer's credential is not in the roster"
        raise NotAuthentic(message)
    if signer.issuer != root:
        message = "a roster is signed by a credential that the latest version of the root issued"
        raise NotAuthentic(message)
    verify_by_credential(statement, signer)
    with counting(len(credentials)) as advance:
        outlines = credentials.check_all(jobs=jobs if len(credentials) >= _MANY else 1, advance=advance)  # step 3
    revocations = _read_revocations(items[6], roots, credentials)  # step 4
    designations = _read_designations(items[7], roots)
    roster = Roster(
        raw=raw,
        party=name,
        version=integer(items[1], "version", least=1),
        issued_at=time(items[2], "issued at"),
        expires_at=time(items[3], "expires at"),
        roots=roots,
        credentials=credentials,
        outlines=outlines,
        revoked=revoked_of(revocations, credentials),
        designations=designations,
        extensions=extensions(items[8]),
    )
    if roster.issued_at >= roster.expires_at:
        message = "a roster expires before it is issued"
        raise Malformed(message)
    if roster.expires_at - roster.issued_at > MAX_VALIDITY:
        message = f"a roster expires more than {MAX_VALIDITY // _DAY} days after it is issued"
        raise Malformed(message)
    signer.require_valid(roster.issued_at, "issuing the roster")
    _require_signer_stands(roster, signer)
    _require_one_credential_per_key(roster)  # step 5
    return roster


def _read_revocations(value: Value, roots: Sequence[Root], credentials: Chains) -> tuple[Revocation, ...]:
    """revocation.md, Reading 1 to 7."""
    raws = array(value, "revocations", most=MAX_REVOCATIONS)
    statements = [read_statement(blob(raw, "revocation"), labels.REVOCATION) for raw in raws]
    found = tuple(check_revocation_in(statement, roots, credentials) for statement in statements)
    ascending([one.place for one in found], "revocations")
    require_series(found)
    return found


def _read_designations(value: Value, roots: Sequence[Root]) -> tuple[Designation, ...]:
    """designation.md, Reading 1 to 4."""
    raws = array(value, "designations", most=MAX_DESIGNATIONS)
    statements = [read_statement(blob(raw, "designation"), labels.DESIGNATION) for raw in raws]
    found = tuple(check_designation_in(statement, roots) for statement in statements)
    ascending([one.number for one in found], "designations")
    require_numbers(found)
    return found


def _require_signer_stands(roster: Roster, signer: Credential) -> None:
    """A roster has no other evidence of its time than its own word: who has stolen a compromised key writes what he likes."""
    found = roster.history(signer).judge(dated=roster.issued_at, evidence=None)
    if found is not None:
        message = f"the roster of {roster.party} is signed with a credential that was {found}"
        raise Refused(message)


def _require_one_credential_per_key(roster: Roster) -> None:
    """A credential lives until it ends, is retired, or its key is compromised. Keys that share either half are one."""
    custodians = {(False, half) for root in roster.roots for custodian in root.custodians for half in custodian.key.halves}
    by_key: dict[tuple[bool, bytes], list[Outline]] = defaultdict(list)
    for credential in roster.outlines:
        if not custodians.isdisjoint(credential.halves):
            message = f"a custodian's key is in a credential of {credential.title!r}"
            raise Refused(message)
        for half in credential.halves:
            by_key[half].append(credential)
    for sharing in by_key.values():
        sharing.sort(key=lambda c: c.valid_from)
        for one, other in itertools.pairwise(sharing):
            if other.valid_from < roster.revoked.history(one.digest, one.key_digest).ended_at(one.valid_until):
                message = f"one public key is in two live credentials: of {one.title!r} ({one.purpose}) and of {other.title!r} ({other.purpose})"
                raise Refused(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What a roster has that an older one of its party has not."""

    roots: tuple[Root, ...] = field(repr=False)
    credentials: tuple[Credential, ...] = field(repr=False)
    revocations: tuple[Revocation, ...] = field(repr=False)
    designations: tuple[Designation, ...] = field(repr=False)


def difference(new: Book, old: Book | None) -> Difference:
    """What is new in a roster; without an older one all of it."""
    revoked = set() if old is None else {one.digest for one in old.revocations}
    named = set() if old is None else {one.digest for one in old.designations}
    return Difference(
        roots=new.roots if old is None else new.roots[len(old.roots) :],
        credentials=tuple(new.credentials[name] for name in new.credentials if old is None or name not in old.credentials),
        revocations=tuple(one for one in new.revocations if one.digest not in revoked),
        designations=tuple(one for one in new.designations if one.digest not in named),
    )


def check_import(new: Book, old: Book | None, at: int) -> None:
    """Whether a roster may be imported at the time `at`, in the place of an older one (credential.md, Roster, Reading 6).

    Raises:
        Refused: it goes back, has expired, changes without a new version, drops something, or what is new is said by who may no longer say it.
    """
    if new.issued_at > at + _DAY:
        message = f"the roster of {new.party} is issued in the future"
        raise Refused(message, "compare the clocks of both offices")
    if old is not None and new.digest == old.digest:
        return
    if at >= new.expires_at:
        message = f"the roster of {new.party} expired at {utc(new.expires_at)}"
        raise Refused(message, "somebody may be holding the latest back: ask the other party for it")
    if old is not None:
        _require_later(new, old)


def _require_later(new: Book, old: Book) -> None:
    if new.version <= old.version:
        message = f"the roster of {new.party} has version {new.version}, and version {old.version} is already known"
        raise Refused(message, "a roster never goes back: ask the other party for its latest")
    if new.version > old.version + MAX_SKIPPED:  # or whoever once had a roster's key could use up all versions that there are
        message = f"the roster of {new.party} has version {new.version}, more than {MAX_SKIPPED} above version {old.version}, which is known"
        raise Refused(message, "import one of those between first: ask the other party for it")
    if new.issued_at < old.issued_at:  # or a publisher whose time has run out would go on, dating back
        message = f"the roster of {new.party} is issued at {utc(new.issued_at)}, before version {old.version}, which is known"
        raise Refused(message, "no publisher dates back: ask the other party for its latest")
    if [root.digest for root in new.roots[: len(old.roots)]] != [root.digest for root in old.roots]:
        message = f"the roster of {new.party} has another root than version {old.version} had"
        raise Refused(message, "the root that is known here stays, and new versions follow it: ask the other party what happened")
    missing = set(old.credentials) - set(new.credentials)
    if missing:
        message = f"the roster of {new.party} drops {len(missing)} credentials of version {old.version}"
        raise Refused(message, "old credentials stay in a roster, so that old envelopes can be verified")
    _require_all_said(new, old)
    added = difference(new, old)
    for revocation in added.revocations:
        require_new_authority(revocation, old)
    for designation in added.designations:
        require_latest_root(designation, old)
    require_new_issuers(new, old)
    require_key_never_compromised(new, old)


def _require_all_said(new: Book, old: Book) -> None:
    """Nothing that was said is unsaid: of revocations and designations."""
    for what, before, after in (("revocations", old.revocations, new.revocations), ("designations", old.designations, new.designations)):
        forgotten = {one.digest for one in before} - {one.digest for one in after}
        if forgotten:
            message = f"the roster of {new.party} drops or replaces {len(forgotten)} {what} of version {old.version}"
            raise Refused(message, "what a roster once said stays in every later one: ask the other party what happened")


def require_latest_root(designation: Designation, known: Book) -> None:
    """Check that the root that signed a new designation was not replaced, by a roster that is known (designation.md, Reading 5).

    Raises:
        Refused: it was.
    """
    if designation.signer.version < known.root.version:
        message = f"designation {designation.number} of {designation.party} is new, and signed by version {designation.signer.version} of the root"
        raise Refused(message, f"the custodians of version {known.root.version} sign it")


def require_new_issuers(new: Book, known: Book) -> None:
    """Check that who issued a credential that a known roster does not have could still issue when that was published (credential.md, Roster, 6).

    Raises:
        Refused: he could not.
    """
    for name in new.credentials:
        if name not in known.credentials:
            require_new_issuer(new.credentials[name], known)


def require_new_issuer(credential: Credential, known: Book) -> None:
    """The same of one credential.

    Raises:
        Refused: its issuer could not.
    """
    issuer = credential.issuer
    what = f"the {credential.purpose} credential of {credential.title!r} ({credential.body}) is new, and issued"
    if isinstance(issuer, Root):
        if issuer.version < known.root.version:
            message = f"{what} by version {issuer.version} of the root"
            raise Refused(message, f"the custodians of version {known.root.version} issue it")
    elif known.history(issuer).compromised is not None or known.history(issuer).ended_at(issuer.valid_until) <= known.issued_at:
        message = f"{what} with a credential that had ended when version {known.version} of the roster of {known.party} was issued"
        raise Refused(message, "another credential of that body, or the root, issues it anew")


def require_new_authority(revocation: Revocation, known: Book) -> None:
    """Check that who signed a new revocation may do so still, by a roster that is known (revocation.md, Reading 8).

    Raises:
        Refused: he may not.
    """
    signer = revocation.signer
    if isinstance(signer, Root):
        if signer.version < known.root.version:
            message = f"revocation {revocation.number} of {revocation.by} is new, and signed by version {signer.version} of the root"
            raise Refused(message, f"the custodians of version {known.root.version} sign it")
        return
    what, hint = f"revocation {revocation.number} of {revocation.by} is new, and signed", "another credential of that body, or the root, revokes"
    found = known.history(signer).judge(dated=revocation.issued_at, evidence=None)
    if found is not None:
        message = f"{what} with a credential that was {found}"
        raise Refused(message, hint)
    while isinstance(signer.issuer, Credential):  # whoever stole the key of one above it makes as many as he likes
        since = known.known_since(signer.digest) if signer.digest in known.credentials else None
        found = known.history(signer.issuer).judge(dated=signer.valid_from, evidence=since)
        if found is not None:
            message = f"{what} with a credential issued by one that was {found}"
            raise Refused(message, hint)
        signer = signer.issuer


def require_key_never_compromised(new: Book, known: Book) -> None:
    """Check that no new credential is for a key that is known as compromised, or for one that shares a half with such a key.

    Raises:
        Refused: one is.
    """
    lost = {half: one for one in known.revocations if one.kind == "compromised" for half in known.credentials[one.credential].outline.halves}
    for found in new.outlines if lost else ():
        one = next((lost[half] for half in found.halves if half in lost), None)
        if one is not None and found.digest not in known.credentials:
            message = f"the key of a new {found.purpose} credential of {found.title!r} was {one}"
            raise Refused(message, "a compromised key is never certified again, nor is half of it: the holder makes a new one")
