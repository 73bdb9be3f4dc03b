"""Agreements signed by the roots of both parties, terminations, and whether an agreement was in force (specs/agreement.md)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from valiza.envelope.profile import Profile, read_profile
from valiza.keys import labels
from valiza.keys.digests import digest
from valiza.keys.encoding import pack, unpack
from valiza.keys.errors import Malformed, NotAuthentic, Refused
from valiza.keys.fields import array, digest_field, extensions, party, time, utc
from valiza.keys.root import by_quorum, read_root, verify_quorum
from valiza.keys.statement import LIMITS, Statement, read_statement, sign_statement

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from valiza.keys.fields import Extensions
    from valiza.keys.root import Root, RootDraft
    from valiza.keys.statement import Signature, Signer
    from valiza.keys.trust import Trust

__all__ = [
    "Agreement",
    "Agreements",
    "Termination",
    "TerminationDraft",
    "agreement_digest",
    "read_agreement",
    "read_agreements",
    "read_termination",
    "read_termination_body",
    "require_adoptable",
    "require_adoptable_end",
    "require_degrees",
    "sign_agreement",
    "split_by_root",
    "terminate",
    "termination_body",
]


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """An agreement that both parties' roots signed."""

    raw: bytes = field(repr=False)
    digest: bytes
    signers: tuple[bytes, ...]
    profile: Profile

    def __str__(self) -> str:
        """Id and version, as people write it."""
        return f"{self.profile.id} version {self.profile.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminationDraft:
    """What a party's word that an agreement ends is to say (A14)."""

    agreement: bytes
    party: str
    given_at: int
    takes_effect_at: int
    extensions: Extensions = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Termination:
    """A party's word that an agreement ends (A14). root_version: that of its root by whose quorum it is signed."""

    raw: bytes = field(repr=False)
    root_version: int
    agreement: bytes
    party: str
    given_at: int
    takes_effect_at: int
    extensions: Extensions = field(repr=False)


def agreement_digest(body: bytes) -> bytes:
    """The name of an agreement everywhere: the digest of its body."""
    return digest(labels.DIGEST_AGREEMENT, body)


def sign_agreement(profile: Profile, *, root: Root, keys: Iterable[Signer], begun: Statement | None = None) -> Statement:
    """Sign an agreement for one party, with one or more of its custodians' keys.

    Args:
        profile: what is agreed.
        root: of one of the parties; `keys` are its custodians'.
        begun: what others signed already, if they did.

    Returns:
        The statement, complete when the quorums of both roots have signed; otherwise for others to go on with.

    Raises:
        Refused: the root's party is not one of the two, or orders its degrees otherwise, or a key has signed it already.
        NotAuthentic: `begun` is another agreement.
    """
    require_degrees(profile, root)
    if begun is not None and begun.body != profile.body:
        message = "the other party signed another agreement"
        raise NotAuthentic(message)
    signers = by_quorum("root", root, keys)
    signed = set() if begun is None else {entry.header.key_digest for entry in begun.signatures}
    if any(header.key_digest in signed for header, _ in signers):
        message = f"this custodian of {root.party} has signed this agreement already"
        raise Refused(message, "another custodian, or the other party, signs it next")
    return sign_statement(labels.AGREEMENT, profile.body, signers, begun=begun)


def read_agreement(raw: bytes, trust: Trust) -> Agreement:
    """Read an agreement and check that quorums of the pinned roots of both its parties signed it.

    Raises:
        Malformed, NotAuthentic: it is not so.
    """
    return _read_agreement(raw, tuple(root.raw for roster in trust.rosters.values() for root in roster.roots))


@lru_cache(maxsize=16)  # an agreement already checked in this process, against the same roots, is not checked again
def _read_agreement(raw: bytes, roots: tuple[bytes, ...]) -> Agreement:
    statement = read_statement(raw, labels.AGREEMENT)
    signed = split_by_root(statement, {root.digest: root for root in map(read_root, roots)})
    for root, part in signed:
        verify_quorum(part, root)
    profile = read_profile(statement.body)
    signers = sorted(root.party for root, _ in signed)
    if signers != [p.id for p in profile.parties]:
        message = f"the agreement {profile.id} is signed by {' and '.join(signers)}, not by both its parties"
        raise NotAuthentic(message, "the custodians of the other sign it with: valiza agreement sign FILE" if len(signers) == 1 else "")
    return Agreement(raw=raw, digest=agreement_digest(statement.body), signers=tuple(root.digest for root, _ in signed), profile=profile)


def split_by_root(statement: Statement, roots: Mapping[bytes, Root]) -> list[tuple[Root, Statement]]:
    """The roots in whose name an agreement is signed, each with its own signatures.

    Raises:
        NotAuthentic: one is not known.
    """
    parts: dict[bytes, list[Signature]] = {}
    for entry in statement.signatures:
        parts.setdefault(entry.header.signer_digest, []).append(entry)
    if not parts.keys() <= roots.keys():
        message = "an agreement is signed by a root that is not pinned here"
        raise NotAuthentic(message, "import that party's roster first, or give it with --roster, and its root's fingerprint with --root")
    return [(roots[name], replace(statement, signatures=tuple(entries))) for name, entries in parts.items()]


def require_adoptable(agreement: Agreement, trust: Trust) -> None:
    """Check that the latest roots signed, and that the marks stand in the order of each root's degrees (agreement.md, Adopting).

    Raises:
        Refused: they do not.
    """
    for terms in agreement.profile.parties:
        root = trust.rosters[terms.id].root
        if root.digest not in agreement.signers:
            message = f"the agreement {agreement} is signed by an old version of the root of {terms.id}"
            raise Refused(message, f"the custodians of version {root.version} sign it")
        require_degrees(agreement.profile, root)


def require_degrees(profile: Profile, root: Root | RootDraft) -> None:
    """Raise Refused unless the marks of a root's party stand in the order of its degrees, or if the party is none of the two."""
    codes = [mark.code for mark in profile.party(root.party).marks]
    if [degree for degree in root.degrees if degree in codes] != codes:
        message = f"the agreement {profile.id} orders the marks of {root.party} otherwise than its root does"
        raise Refused(message)


def terminate(agreement: Agreement, *, root: Root, keys: Iterable[Signer], given_at: int, takes_effect_at: int) -> Termination:
    """Sign the end of an agreement for one party, with a quorum of its custodians.

    Raises:
        Refused: it is no party to it, or the end would lie before the notice.
    """
    body = termination_body(agreement, root, given_at=given_at, takes_effect_at=takes_effect_at)
    return _termination(sign_statement(labels.TERMINATION, body, by_quorum("root", root, keys)), root)


def termination_body(agreement: Agreement, root: Root, *, given_at: int, takes_effect_at: int) -> bytes:
    """The canonical body of a termination.

    Raises:
        Refused: the root's party is none to it, or the end would lie before the notice.
    """
    agreement.profile.party(root.party)
    if takes_effect_at < given_at:
        message = "a termination cannot take effect before it is given (A14)"
        raise Refused(message)
    return pack([agreement.digest, root.party, given_at, takes_effect_at, {}])


def read_termination(raw: bytes, trust: Trust, agreements: Agreements) -> Termination:
    """Read a termination and check that a quorum of a pinned root of its party signed it, and that this is a party to the agreement it ends.

    Raises:
        Malformed, NotAuthentic: it is not so. Refused: the agreement is not adopted here, or the party is not one of its two.
    """
    statement = read_statement(raw, labels.TERMINATION)
    root = trust.root(statement.signer.signer_digest)
    if root is None:
        message = "a termination is signed by a root that is not pinned here"
        raise NotAuthentic(message)
    termination = _termination(statement, root)
    agreements.find(termination.agreement).profile.party(termination.party)
    return termination


def require_adoptable_end(termination: Termination, trust: Trust, at: int) -> None:
    """Check that the latest root signed a termination, and that it does not take effect before now (agreement.md, Adopting).

    Raises:
        Refused: it is not so.
    """
    root = trust.rosters[termination.party].root
    if termination.root_version < root.version:
        message = f"the termination by {root.party} is signed by version {termination.root_version} of its root, which {root.version} replaced"
        raise Refused(message, f"the custodians of version {root.version} sign it")
    if termination.takes_effect_at < at:
        message = f"the termination by {root.party} took effect at {utc(termination.takes_effect_at)}, before it is adopted (A14)"
        raise Refused(message, "an end does not undo what was done: the party gives notice anew, for a time to come")


def _termination(statement: Statement, root: Root) -> Termination:
    verify_quorum(statement, root)
    draft = read_termination_body(statement, root)
    return Termination(raw=statement.raw, root_version=root.version, **{name: getattr(draft, name) for name in TerminationDraft.__slots__})


def read_termination_body(statement: Statement, root: Root) -> TerminationDraft:
    """What a termination says, whoever signed it so far: one that a quorum of its root did not sign is a draft.

    Raises:
        Malformed: not a termination. NotAuthentic: it is of another party than its root.
    """
    items = array(unpack(statement.body, max_bytes=LIMITS[labels.TERMINATION], what="termination"), "termination", length=5)
    found = TerminationDraft(
        agreement=digest_field(items[0], "agreement"),
        party=party(items[1], "party"),
        given_at=time(items[2], "given at"),
        takes_effect_at=time(items[3], "takes effect at"),
        extensions=extensions(items[4]),
    )
    if found.party != root.party:
        message = f"a termination by {found.party} is signed by the root of {root.party}"
        raise NotAuthentic(message)
    if found.takes_effect_at < found.given_at:
        message = "a termination takes effect before it is given"
        raise Malformed(message)
    return found


class Agreements:
    """The agreements and terminations that a reader has adopted or was given."""

    def __init__(self, agreements: Iterable[Agreement], terminations: Iterable[Termination] = ()) -> None:
        self._by_digest = {a.digest: a for a in agreements}
        self._terminations = list(terminations)

    def all(self) -> list[Agreement]:
        """All of them, by id and version."""
        return sorted(self._by_digest.values(), key=lambda a: (a.profile.id, a.profile.version))

    def find(self, wanted: bytes) -> Agreement:
        """The agreement with this digest.

        Raises:
            Refused: it is not adopted here.
        """
        found = self._by_digest.get(wanted)
        if found is None:
            message = f"the agreement {wanted.hex()[:16]}… is not adopted here"
            raise Refused(message, "adopt it with: valiza agreement adopt FILE, or give it with --agreement FILE")
        return found

    def named(self, name: str, at: int) -> Agreement:
        """The latest version of an agreement that is valid at a time.

        Raises:
            Refused: there is none.
        """
        known = [a for a in self._by_digest.values() if a.profile.id == name]
        if not known:
            message = f"no agreement {name!r} is adopted here"
            others = ", ".join(sorted({a.profile.id for a in self._by_digest.values()}))
            raise Refused(message, f"adopt it with: valiza agreement adopt FILE{f'; adopted are {others}' if others else ''}")
        begun = [a for a in known if a.profile.valid_from <= at] or known
        latest = max(begun, key=lambda a: a.profile.version)
        self.require_in_force(latest, sealed_at=at, accepted_at=at)
        return latest

    def bearing_on(self, agreement: Agreement) -> list[bytes]:
        """All that decides whether something was in force under an agreement: itself, its next versions, what ends it; in ascending order."""
        following = [later.raw for later in self._by_digest.values() if _is_next(later, agreement)]
        return sorted({agreement.raw, *following, *(t.raw for t in self._terminations if t.agreement == agreement.digest)})

    def terminated_at(self, agreement: Agreement) -> int | None:
        """When the earliest known termination of an agreement takes effect."""
        return min((t.takes_effect_at for t in self._terminations if t.agreement == agreement.digest), default=None)

    def require_in_force(self, agreement: Agreement, *, sealed_at: int, accepted_at: int, act: str = "the envelope was sealed") -> None:
        """Check an envelope's times against its agreement (agreement.md, In force); `act` is what was done at `sealed_at`, if it is another thing.

        Raises:
            Refused: it was sealed when the agreement was not in force, or is accepted too late after a new version.
        """
        profile = agreement.profile
        if sealed_at < profile.valid_from:  # 1
            message = f"the agreement {agreement} was not yet in force when {act} (A14)"
            raise Refused(message)
        if profile.valid_until is not None and sealed_at >= profile.valid_until:
            message = f"the agreement {agreement} had expired when {act} (A14)"
            raise Refused(message)
        end = self.terminated_at(agreement)
        if end is not None and sealed_at >= end:  # 2
            message = f"the agreement {agreement} had been terminated when {act} (A14)"
            raise Refused(message)
        if sealed_at > accepted_at + profile.skew:  # 4
            message = "the envelope was sealed in the future"
            raise Refused(message, "compare the clocks of both offices")
        for later in self._by_digest.values():  # 3
            if _is_next(later, agreement):
                if sealed_at >= later.profile.valid_from:
                    message = f"the agreement {agreement} had been replaced by {later} when {act} (A12)"
                    raise Refused(message)
                if accepted_at >= later.profile.valid_from + profile.max_transit:
                    message = f"an envelope under {agreement} is accepted only for {profile.max_transit} s after {later} entered into force (A12)"
                    raise Refused(message)


def _is_next(later: Agreement, agreement: Agreement) -> bool:
    """Whether an agreement is the next version of another: of the same id and parties, and naming it as what it replaces."""
    new, old = later.profile, agreement.profile
    same = new.id == old.id and [party.id for party in new.parties] == [party.id for party in old.parties]
    return same and new.version == old.version + 1 and new.previous == agreement.digest


def read_agreements(raws: Iterable[bytes], trust: Trust) -> Agreements:
    """Read agreements and terminations, in any order.

    Raises:
        Malformed, NotAuthentic, Refused: one of them does not hold.
    """
    statements = [read_statement(raw, labels.AGREEMENT, labels.TERMINATION) for raw in raws]
    signed = Agreements([read_agreement(s.raw, trust) for s in statements if s.type == labels.AGREEMENT])
    ended = [read_termination(s.raw, trust, signed) for s in statements if s.type == labels.TERMINATION]
    return Agreements(signed.all(), ended)
