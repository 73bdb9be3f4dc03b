"""Agreements signed by the roots of both parties, terminations, and whether an agreement was in force (specs/agreement.md)."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from valiza.envelope.profile import Profile, read_profile
from valiza.keys import labels
from valiza.keys.digests import digest
from valiza.keys.encoding import pack, unpack
from valiza.keys.errors import Malformed, NotAuthentic, Refused
from valiza.keys.fields import array, digest_field, extensions, party, time
from valiza.keys.root import read_root, verify_by_root
from valiza.keys.statement import LIMITS, SignerHeader, Statement, read_statement, sign_statement

if TYPE_CHECKING:
    from collections.abc import Iterable

    from valiza.keys.fields import Extensions
    from valiza.keys.root import Root
    from valiza.keys.roster import Trust
    from valiza.keys.signing import SigningKey

__all__ = [
    "Agreement",
    "Agreements",
    "Termination",
    "agreement_digest",
    "read_agreement",
    "read_agreements",
    "read_termination",
    "require_adoptable",
    "sign_agreement",
    "terminate",
]


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """An agreement that both parties' roots signed."""

    raw: bytes = field(repr=False)
    digest: bytes
    profile: Profile

    def __str__(self) -> str:
        """Id and version, as people write it."""
        return f"{self.profile.id} version {self.profile.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Termination:
    """A party's word that an agreement ends (A14)."""

    raw: bytes = field(repr=False)
    agreement: bytes
    party: str
    given_at: int
    takes_effect_at: int
    extensions: Extensions = field(repr=False)


def agreement_digest(body: bytes) -> bytes:
    """The name of an agreement everywhere: the digest of its body."""
    return digest(labels.DIGEST_AGREEMENT, body)


def sign_agreement(profile: Profile, *, root: Root, key: SigningKey, half: Statement | None = None) -> Statement:
    """Sign an agreement for one party.

    Args:
        profile: what is agreed.
        root: of one of the parties; `key` is its key.
        half: what the other party signed already, if it did.

    Returns:
        The statement, complete when `half` was given; otherwise with one signature, for the other party to complete.

    Raises:
        Refused: the root's party is not one of the two, or orders its degrees otherwise.
        NotAuthentic: `half` is signed for the same party, or is another agreement.
    """
    _require_degrees(profile, root)
    if half is not None and half.body != profile.body:
        message = "the other party signed another agreement"
        raise NotAuthentic(message)
    if half is not None and any(entry.header.key_digest == root.key.key_digest for entry in half.signatures):
        message = f"{root.party} has signed this agreement already"
        raise Refused(message)
    header = SignerHeader(role="root", signer_digest=root.digest, key_digest=key.key_digest)
    return sign_statement(labels.AGREEMENT, profile.body, [(header, key)], half=half)


def read_agreement(raw: bytes, trust: Trust) -> Agreement:
    """Read an agreement and check that the pinned roots of both its parties signed it.

    Raises:
        Malformed, NotAuthentic: it is not so.
    """
    return _read_agreement(raw, tuple(roster.root.raw for roster in trust.rosters.values()))


@lru_cache(maxsize=16)  # an agreement already checked in this process, against the same roots, is not checked again
def _read_agreement(raw: bytes, roots: tuple[bytes, ...]) -> Agreement:
    trusted = {root.digest: root for root in map(read_root, roots)}
    statement = read_statement(raw, labels.AGREEMENT)
    signers = []
    for index, entry in enumerate(statement.signatures):
        root = trusted.get(entry.header.signer_digest)
        if root is None:
            message = "an agreement is signed by a root that is not pinned here"
            raise NotAuthentic(message, "import the roster of that party with its root's fingerprint first")
        verify_by_root(statement, index, root)
        signers.append(root.party)
    profile = read_profile(statement.body)
    if sorted(signers) != [p.id for p in profile.parties]:
        message = f"the agreement {profile.id} is signed by {' and '.join(sorted(signers))}, not by both its parties"
        raise NotAuthentic(message)
    return Agreement(raw=raw, digest=agreement_digest(statement.body), profile=profile)


def require_adoptable(agreement: Agreement, trust: Trust) -> None:
    """Check that the marks stand in the order of the degrees of each party's root (agreement.md, Adopting).

    Raises:
        Refused: they do not.
    """
    for terms in agreement.profile.parties:
        _require_degrees(agreement.profile, trust.rosters[terms.id].root)


def _require_degrees(profile: Profile, root: Root) -> None:
    codes = [mark.code for mark in profile.party(root.party).marks]
    if [degree for degree in root.degrees if degree in codes] != codes:
        message = f"the agreement {profile.id} orders the marks of {root.party} otherwise than its root does"
        raise Refused(message)


def terminate(agreement: Agreement, *, root: Root, key: SigningKey, given_at: int, takes_effect_at: int) -> Termination:
    """Sign the end of an agreement for one party.

    Raises:
        Refused: it is no party to it, or the end would lie before the notice.
    """
    agreement.profile.party(root.party)
    if takes_effect_at < given_at:
        message = "a termination cannot take effect before it is given (A14)"
        raise Refused(message)
    body = pack([agreement.digest, root.party, given_at, takes_effect_at, {}])
    header = SignerHeader(role="root", signer_digest=root.digest, key_digest=key.key_digest)
    return _termination(sign_statement(labels.TERMINATION, body, [(header, key)]), root)


def read_termination(raw: bytes, trust: Trust, agreements: Agreements) -> Termination:
    """Read a termination and check that a pinned root of its party signed it, and that this is a party to the agreement it ends.

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


def _termination(statement: Statement, root: Root) -> Termination:
    verify_by_root(statement, 0, root)
    items = array(unpack(statement.body, max_bytes=LIMITS[labels.TERMINATION], what="termination"), "termination", length=5)
    found = Termination(
        raw=statement.raw,
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
            raise Refused(message, "adopt it with: valiza agreement adopt FILE")
        begun = [a for a in known if a.profile.valid_from <= at] or known
        latest = max(begun, key=lambda a: a.profile.version)
        self.require_in_force(latest, sealed_at=at, accepted_at=at)
        return latest

    def terminated_at(self, agreement: Agreement) -> int | None:
        """When the earliest known termination of an agreement takes effect."""
        return min((t.takes_effect_at for t in self._terminations if t.agreement == agreement.digest), default=None)

    def require_in_force(self, agreement: Agreement, *, sealed_at: int, accepted_at: int) -> None:
        """Check an envelope's times against its agreement (agreement.md, In force).

        Raises:
            Refused: it was sealed when the agreement was not in force, or is accepted too late after a new version.
        """
        profile = agreement.profile
        if sealed_at < profile.valid_from:  # 1
            message = f"the agreement {agreement} was not yet in force when the envelope was sealed (A14)"
            raise Refused(message)
        if profile.valid_until is not None and sealed_at >= profile.valid_until:
            message = f"the agreement {agreement} had expired when the envelope was sealed (A14)"
            raise Refused(message)
        end = self.terminated_at(agreement)
        if end is not None and sealed_at >= end:  # 2
            message = f"the agreement {agreement} had been terminated when the envelope was sealed (A14)"
            raise Refused(message)
        if sealed_at > accepted_at + profile.skew:  # 4
            message = "the envelope was sealed in the future"
            raise Refused(message, "compare the clocks of both offices")
        for later in self._by_digest.values():  # 3
            if _is_next(later, agreement):
                if sealed_at >= later.profile.valid_from:
                    message = f"the agreement {agreement} had been replaced by {later} when the envelope was sealed (A12)"
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
