"""Statements that custodians sign one after the other: who has signed, who is missing, and a signature more.

Nothing here asks anybody, looks at a clock or draws randomness by itself: drafts, keys and times are arguments, statements are results.
An unfinished statement is the same bytes with fewer signatures than the quorum needs; only what is here takes one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from valiza.envelope.agreement import TerminationDraft, read_termination_body, require_degrees, termination_body
from valiza.envelope.profile import Profile, read_profile
from valiza.keys import labels
from valiza.keys.credential import CredentialDraft, read_credential_body
from valiza.keys.designation import Designation, read_designation_body
from valiza.keys.errors import NotAuthentic, Refused
from valiza.keys.revocation import Revocation, read_revocation_body
from valiza.keys.root import Custodian, Root, RootDraft, read_root_body, require_follows, root_header, verify_signatures
from valiza.keys.statement import ROLES, Statement, read_statement, sign_statement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from valiza.envelope.agreement import Agreement
    from valiza.keys.designation import DesignationDraft
    from valiza.keys.fields import Names
    from valiza.keys.revocation import RevocationDraft
    from valiza.keys.statement import Signer

__all__ = [
    "BY_QUORUM",
    "Share",
    "Unfinished",
    "add_signature",
    "begin_agreement",
    "begin_credential",
    "begin_designation",
    "begin_revocation",
    "begin_root",
    "begin_termination",
    "latest_root",
    "read_unfinished",
    "read_unfinished_root",
    "require_no_custodian",
    "to_sign",
]

BY_QUORUM: Final = (
    labels.ROOT,
    labels.CREDENTIAL,
    labels.AGREEMENT,
    labels.TERMINATION,
    labels.REVOCATION,
    labels.DESIGNATION,
)  # types that a quorum signs


# --- who has signed ---------------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one root's custodians have to sign, and who of them did."""

    root: Root | RootDraft
    signed: tuple[Custodian, ...] = ()

    @property
    def missing(self) -> int:
        """How many more are needed."""
        return max(0, self.root.threshold - len(self.signed))


Said = RootDraft | CredentialDraft | Profile | TerminationDraft | Revocation | Designation


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfinished:
    """A statement that custodians sign, with every signature that it has verified; perhaps it is complete.

    says: what it says, decoded. shares: one for each root whose quorum it needs. unknown: parties that have not signed and whose root is not at hand.
    """

    statement: Statement = field(repr=False)
    says: Said
    shares: tuple[Share, ...]
    unknown: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every quorum has signed."""
        return not self.unknown and not any(share.missing for share in self.shares)


def read_unfinished(raw: bytes, roots: Mapping[bytes, Root]) -> Unfinished:
    """Read a statement that custodians sign, finished or not, and verify every signature that it has.

    Args:
        raw: the statement.
        roots: the roots at hand, by their digest: of all in whose name it is signed, and, for a later version of a root, the one before it.

    Raises:
        Malformed: not such a statement. NotAuthentic: a signature does not hold, or is in the name of a root that is not at hand.
        Refused: it says what no reader would accept.
    """
    statement = read_statement(raw, *BY_QUORUM)
    return _READERS[statement.type](statement, roots)


def read_unfinished_root(statement: Statement, roots: Mapping[bytes, Root]) -> Unfinished:
    """A root, read likewise; `roots` holds the version before it, if it has one."""
    draft = read_root_body(statement)
    shares = [Share(root=draft, signed=verify_signatures(statement, draft))]
    if draft.previous is not None:
        previous = roots.get(draft.previous)
        if previous is None:
            message = f"version {draft.version} of the root of {draft.party} follows one that is not at hand"
            raise NotAuthentic(message, "give the version before it: --root FILE")
        require_follows(draft, previous)
        shares.append(Share(root=previous, signed=verify_signatures(statement, previous)))
    return Unfinished(statement=statement, says=draft, shares=tuple(shares))


def _read_credential(statement: Statement, roots: Mapping[bytes, Root]) -> Unfinished:
    root = _one_root(statement, roots)
    share = Share(root=root, signed=verify_signatures(statement, root))
    draft = read_credential_body(statement, root)
    require_no_custodian(draft.public_key, roots.values())
    return Unfinished(statement=statement, says=draft, shares=(share,))


def _read_termination(statement: Statement, roots: Mapping[bytes, Root]) -> Unfinished:
    root = _one_root(statement, roots)
    share = Share(root=root, signed=verify_signatures(statement, root))
    return Unfinished(statement=statement, says=read_termination_body(statement, root), shares=(share,))


def _read_revocation(statement: Statement, roots: Mapping[bytes, Root]) -> Unfinished:
    root = _one_root(statement, roots)
    share = Share(root=root, signed=verify_signatures(statement, root))
    return Unfinished(statement=statement, says=read_revocation_body(statement, root), shares=(share,))


def _read_designation(statement: Statement, roots: Mapping[bytes, Root]) -> Unfinished:
    root = _one_root(statement, roots)
    share = Share(root=root, signed=verify_signatures(statement, root))
    return Unfinished(statement=statement, says=read_designation_body(statement, root), shares=(share,))


def _read_agreement(statement: Statement, roots: Mapping[bytes, Root]) -> Unfinished:
    signing = [_known(name, roots) for name in sorted({entry.header.signer_digest for entry in statement.signatures})]
    shares = [Share(root=root, signed=verify_signatures(statement, root)) for root in signing]
    profile = read_profile(statement.body)
    signed = [share.root.party for share in shares]
    parties = [party.id for party in profile.parties]
    if len(set(signed)) != len(signed) or not set(signed) <= set(parties):
        message = f"the agreement {profile.id} is signed by {' and '.join(signed)}, and its parties are {' and '.join(parties)}"
        raise NotAuthentic(message)
    latest = {name: latest_root(roots.values(), name) for name in parties if name not in signed}
    shares += [Share(root=root) for root in latest.values() if root is not None]
    for share in shares:
        require_degrees(profile, share.root)
    shares.sort(key=lambda share: share.root.party)
    return Unfinished(statement=statement, says=profile, shares=tuple(shares), unknown=tuple(name for name, root in latest.items() if root is None))


_READERS: Final[dict[str, Callable[[Statement, Mapping[bytes, Root]], Unfinished]]] = {
    labels.ROOT: read_unfinished_root,
    labels.CREDENTIAL: _read_credential,
    labels.AGREEMENT: _read_agreement,
    labels.TERMINATION: _read_termination,
    labels.REVOCATION: _read_revocation,
    labels.DESIGNATION: _read_designation,
}


def _known(name: bytes, roots: Mapping[bytes, Root]) -> Root:
    root = roots.get(name)
    if root is None:
        message = f"it is signed in the name of a root that is not at hand: {name.hex()}"
        raise NotAuthentic(message, "give that root, or a roster with it: --root FILE")
    return root


def _one_root(statement: Statement, roots: Mapping[bytes, Root]) -> Root:
    root = _known(statement.signer.signer_digest, roots)
    if any(entry.header.signer_digest != root.digest for entry in statement.signatures):
        message = f"a {_kind(statement.type)} is signed in the name of one root, and this one of several"
        raise NotAuthentic(message)
    return root


def _kind(type_: str) -> str:
    return type_.rpartition("/")[2]


def latest_root(roots: Iterable[Root], party: str) -> Root | None:
    """The highest version at hand of a party's root."""
    return max((root for root in roots if root.party == party), key=lambda root: root.version, default=None)


def require_no_custodian(public_key: bytes, roots: Iterable[Root | RootDraft]) -> None:
    """Raise Refused if it is the key of a custodian."""
    if any(custodian.key.raw == public_key for root in roots for custodian in root.custodians):
        message = "the key of a custodian is certified for nothing else"
        raise Refused(message, "each key has one purpose: make another one")


# --- signing ----------------------------------------------------------------------------------------------------------------------------------------


def add_signature(unfinished: Unfinished, key: Signer, roots: Mapping[bytes, Root]) -> Unfinished:
    """Add a custodian's signature to an unfinished statement: in the name of every root that he is a custodian of, and whose quorum is not there yet.

    Args:
        unfinished: the statement.
        key: the custodian's.
        roots: the roots at hand, as for `read_unfinished`.

    Raises:
        Refused: the key is no custodian's, he has signed, enough have, or a later version of the root is at hand.
    """
    statement = unfinished.statement
    return _sign(statement.type, statement.body, unfinished.shares, key, roots=roots, begun=statement)


def to_sign(unfinished: Unfinished, key_digest: bytes, roots: Mapping[bytes, Root]) -> list[Root | RootDraft]:
    """The roots in whose name the custodian with a key would sign, before the key is unlocked; errors as `add_signature`."""
    return _to_sign(unfinished.statement.type, unfinished.shares, key_digest, roots)


def _sign(
    type_: str, body: bytes, shares: Sequence[Share], key: Signer, *, roots: Mapping[bytes, Root], begun: Statement | None = None
) -> Unfinished:
    signers = [(root_header(ROLES[type_][0], root.digest, key), key) for root in _to_sign(type_, shares, key.key_digest, roots)]
    return read_unfinished(sign_statement(type_, body, signers, begun=begun).raw, roots)


def _to_sign(type_: str, shares: Sequence[Share], key_digest: bytes, roots: Mapping[bytes, Root]) -> list[Root | RootDraft]:
    what = _kind(type_)
    found = [(share, custodian) for share in shares if (custodian := share.root.custodian(key_digest)) is not None]
    if not found:
        roots_ = " and ".join(f"the root of {share.root.party}, version {share.root.version}" for share in shares)
        message = f"this key is that of no custodian of {roots_}"
        raise Refused(message, "valiza root show FILE tells who its custodians are")
    waiting = [(share, custodian) for share, custodian in found if share.missing]
    if not waiting:
        message = f"enough custodians of {found[0][0].root.party} have signed this {what}"
        raise Refused(message, "it needs no more of their signatures")
    missing = [(share, custodian) for share, custodian in waiting if custodian not in share.signed]
    if not missing:
        message = f"the custodian {_title(waiting[0][1].names)!r} of {waiting[0][0].root.party} has signed this {what} already"
        raise Refused(message, "another custodian signs it next")
    for share, _ in missing:
        latest = latest_root(roots.values(), share.root.party)
        if type_ != labels.ROOT and latest is not None and latest.version > share.root.version:
            message = (
                f"this {what} was begun in the name of version {share.root.version} of the root of {latest.party}, which {latest.version} replaced"
            )
            raise Refused(message, "begin it anew in the name of the latest version")
    return [share.root for share, _ in missing]


def _title(names: Names) -> str:
    return names.get("en", next(iter(names.values())))


def begin_root(draft: RootDraft, key: Signer, previous: Root | None = None) -> Unfinished:
    """Sign a root as its first custodian: with his key in the new version, the one before it, or both.

    Raises:
        Refused: the key is no custodian's, or the draft does not follow the version before it. NotAuthentic: the same, by its links.
    """
    shares = [Share(root=draft)]
    if previous is not None:
        require_follows(draft, previous)
        shares.append(Share(root=previous))
    return _sign(labels.ROOT, draft.body, shares, key, roots={} if previous is None else {previous.digest: previous})


def begin_credential(draft: CredentialDraft, root: Root, key: Signer) -> Unfinished:
    """Sign a credential that a root issues, as its first custodian.

    Raises:
        Refused: the key is no custodian's, or the root may not issue it.
    """
    return _sign(labels.CREDENTIAL, draft.packed(), [Share(root=root)], key, roots={root.digest: root})


def begin_agreement(profile: Profile, root: Root, key: Signer, roots: Mapping[bytes, Root] | None = None) -> Unfinished:
    """Sign an agreement as the first custodian of either party; `roots` may hold the other party's root, so that it is known who is missing.

    Raises:
        Refused: the key is no custodian's, the root's party is none of the two, or orders its degrees otherwise.
    """
    require_degrees(profile, root)
    return _sign(labels.AGREEMENT, profile.body, [Share(root=root)], key, roots={**(roots or {}), root.digest: root})


def begin_revocation(draft: RevocationDraft, root: Root, key: Signer) -> Unfinished:
    """Sign a revocation in the name of the root, as the first custodian.

    Raises:
        Refused: the key is no custodian's. Malformed: it says what cannot be.
    """
    return _sign(labels.REVOCATION, draft.packed(), [Share(root=root)], key, roots={root.digest: root})


def begin_designation(draft: DesignationDraft, root: Root, key: Signer) -> Unfinished:
    """Sign a designation (A3) as the first custodian.

    Raises:
        Refused: the key is no custodian's. Malformed: it says what cannot be.
    """
    return _sign(labels.DESIGNATION, draft.packed(), [Share(root=root)], key, roots={root.digest: root})


def begin_termination(agreement: Agreement, root: Root, key: Signer, *, given_at: int, takes_effect_at: int) -> Unfinished:
    """Sign the end of an agreement (A14) as the first custodian.

    Raises:
        Refused: the key is no custodian's, the root's party is no party to it, or the end would lie before the notice.
    """
    body = termination_body(agreement, root, given_at=given_at, takes_effect_at=takes_effect_at)
    return _sign(labels.TERMINATION, body, [Share(root=root)], key, roots={root.digest: root})
