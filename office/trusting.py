"""Whom an office trusts and under what: importing rosters, adopting agreements, signing and ending them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from valiza.envelope.agreement import (
    Agreement,
    Termination,
    agreement_digest,
    read_agreement,
    read_termination,
    require_adoptable,
    require_adoptable_end,
    sign_agreement,
    split_by_root,
)
from valiza.envelope.draft import packaged_draft, read_draft
from valiza.envelope.profile import Profile, read_profile
from valiza.keys import labels
from valiza.keys.errors import Malformed, NotAuthentic, Refused, Usage
from valiza.keys.files import about, new_file, read_file
from valiza.keys.root import verify_signatures
from valiza.keys.roster import Difference, Roster, check_import, difference, peek_roster
from valiza.keys.statement import LIMITS, Statement, read_statement
from valiza.office.book import is_kept, keep_roster, mend_roster
from valiza.office.home import BODY_OFFICER
from valiza.office.quorum import add_signature, begin_agreement, begin_termination, latest_root, read_unfinished
from valiza.office.reader import read_object

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from valiza.keys.root import Root
    from valiza.keys.statement import Signer
    from valiza.office.book import KeptBook
    from valiza.office.home import Office
    from valiza.office.quorum import Unfinished

__all__ = [
    "Import",
    "SignedDraft",
    "adopt",
    "finish_import",
    "import_roster",
    "plan_import",
    "read_profile_file",
    "sign",
    "sign_as_custodian",
    "terminate_agreement",
]


@dataclass(frozen=True, kw_only=True)
class Import:
    """A roster that an office may import. Nothing is changed yet.

    roster: what was read and checked. known: what the office has of this party. new: whether it is not that very one.
    """

    roster: Roster = field(repr=False)
    known: KeptBook | None = field(repr=False)
    new: bool
    fingerprint: bytes

    @property
    def difference(self) -> Difference:
        """What it has that the known one has not."""
        return difference(self.roster, self.known if self.new else self.roster)


def plan_import(office: Office, path: Path, fingerprint: bytes | None, *, at: int) -> Import:
    """Read another party's roster, or a newer one of a known party, and check that it may be imported.

    Args:
        office: who imports.
        path: the roster.
        fingerprint: of its party's root, as a person compared it; needed the first time only.
        at: now, in seconds since 1970.

    Raises:
        Usage: the party is not known and no fingerprint was given. NotAuthentic, Refused: as `read_roster` and `check_import` say.
    """
    raw = read_object(path, labels.ROSTER)
    with about(path):
        name, _ = peek_roster(raw)
    pinned = office.pinned().get(name)
    if pinned is None and fingerprint is None:
        message = f"the root of {name} is not pinned here"
        raise Usage(message, "the other side reads its fingerprint to you (valiza office show); give it with --root FINGERPRINT")
    if pinned is not None and fingerprint is not None and pinned != fingerprint:
        message = f"another root of {name} is pinned here: {pinned.hex()}"
        raise Refused(message)
    root = pinned or fingerprint
    if root is None:  # the first check excludes it
        raise AssertionError
    roster = office.read_roster(raw, root)
    kept = office.roster_path(name) if pinned is not None else None
    if kept is not None and is_kept(kept, roster):
        return Import(roster=roster, known=None, new=False, fingerprint=root)
    known = office.roster_of(name) if pinned is not None else None
    check_import(roster, known, at)
    return Import(roster=roster, known=known, new=known is None or known.digest != roster.digest, fingerprint=root)


def finish_import(office: Office, planned: Import, *, at: int) -> None:
    """Import what was planned. The same roster again mends the one that is kept, if that was damaged."""
    roster = planned.roster
    if not planned.new:
        kept = office.roster_path(roster.party)
        if kept is not None and is_kept(kept, roster):
            mend_roster(kept, roster)
        return
    keep_roster(office.home / "rosters", roster, at=at, before=planned.known)
    if roster.party not in office.pinned():
        new_file(office.home / "roots" / roster.party, planned.fingerprint.hex().encode("ascii") + b"\n")
    office.reread()


def import_roster(office: Office, path: Path, fingerprint: bytes | None, *, at: int) -> tuple[Roster, bool]:
    """Import a roster; returns it, and whether it is new here. Arguments and errors as `plan_import`."""
    planned = plan_import(office, path, fingerprint, at=at)
    finish_import(office, planned, at=at)
    return planned.roster, planned.new


@dataclass(frozen=True, kw_only=True)
class SignedDraft:
    """An agreement as one or both parties signed it."""

    profile: Profile
    statement: Statement
    complete: bool


def read_profile_file(source: str | Path) -> tuple[Profile, Statement | None]:
    """A draft that comes with Valiza (by id), a TOML file, or an agreement signed by one or both parties; with its statement if signed."""
    if isinstance(source, str):
        return read_draft(packaged_draft(source)), None
    raw = read_object(source, labels.AGREEMENT)
    with about(source, Malformed):
        if not raw.strip():
            message = "the agreement is empty"
            raise Malformed(message)
        if not raw.startswith(b"\x93"):  # a statement is an array of three; TOML is text
            return read_draft(raw), None
        statement = read_statement(raw, labels.AGREEMENT)
        return read_profile(statement.body), statement


def sign(office: Office, source: str | Path) -> SignedDraft:
    """Sign an agreement with the root of the own party.

    Raises:
        NotAuthentic: the other party's signature does not hold. Refused: it is complete already, or not this party's.
        NoKey: the root's key is not here.
    """
    profile, begun = read_profile_file(source)
    if begun is not None:  # what others did not sign, perhaps because somebody changed it on the way, is not signed here either
        known = {root.digest: root for roster in office.trust.rosters.values() for root in roster.roots}
        for root, part in split_by_root(begun, known):
            verify_signatures(part, root)
    root = office.own_roster.root
    statement = sign_agreement(profile, root=root, keys=[office.signing_key(BODY_OFFICER, "root")], begun=begun)
    return SignedDraft(profile=profile, statement=statement, complete=_complete(statement, office))


def sign_as_custodian(source: str | Path, key: Signer, roots: Mapping[bytes, Root]) -> SignedDraft:
    """Sign an agreement with one custodian's key, offline; the first to sign, or one after others.

    Args:
        source: as for `read_profile_file`.
        key: the custodian's.
        roots: the roots at hand, by their digest: his own, and those in whose name others signed.

    Raises:
        NotAuthentic: a signature of others does not hold. Refused: the key is no custodian's, he has signed, or his party is none of the two.
    """
    profile, begun = read_profile_file(source)
    if begun is not None:
        signed = add_signature(read_unfinished(begun.raw, roots), key, roots)
    else:
        own = [root for name in (party.id for party in profile.parties) if (root := latest_root(roots.values(), name)) is not None]
        mine = [root for root in own if root.custodian(key.key_digest) is not None]
        if not mine:
            message = f"this key is that of no custodian of a root at hand of {' or '.join(party.id for party in profile.parties)}"
            raise Refused(message, "give the latest root of your party with --root FILE")
        signed = begin_agreement(profile, mine[0], key, roots)
    return SignedDraft(profile=profile, statement=signed.statement, complete=signed.complete)


def _complete(statement: Statement, office: Office) -> bool:
    try:
        read_agreement(statement.raw, office.trust)
    except NotAuthentic:
        return False
    return True


def adopt(office: Office, path: Path, *, at: int) -> Agreement | Termination:
    """Adopt a signed agreement or a termination, at the time `at`. What is adopted already stays so, whatever has become of the roots.

    Raises:
        NotAuthentic: not signed by the pinned roots. Refused: the degrees' order, another version's, no such agreement, or, new here, signed by a
            root that was replaced, or an end that lies before now.
    """
    raw = read_object(path, labels.AGREEMENT, labels.TERMINATION)
    with about(path):
        type_ = read_statement(raw, labels.AGREEMENT, labels.TERMINATION).type
    folder = office.home / "agreements"
    if type_ == labels.TERMINATION:
        termination = read_termination(raw, office.trust, office.agreements)
        if not _is_adopted(folder, raw):
            require_adoptable_end(termination, office.trust, at)
        _keep(folder / f"termination-{termination.agreement.hex()[:16]}-{termination.party}-{termination.takes_effect_at}.vls", raw)
        office.reread()
        return termination
    agreement = read_agreement(raw, office.trust)
    agreement.profile.party(office.body.party)
    require_adoptable(agreement, office.trust)
    for known in office.agreements.all():
        same = (known.profile.id, known.profile.version) == (agreement.profile.id, agreement.profile.version)
        if same and known.digest != agreement.digest:
            message = f"another {agreement} is adopted here"
            raise Refused(message, "a new text is a new version")
    _keep(folder / f"{agreement.profile.id}-{agreement.profile.version}-{agreement.digest.hex()[:16]}.vls", raw)
    office.reread()
    return agreement


def _is_adopted(folder: Path, raw: bytes) -> bool:
    return any(read_file(path, LIMITS[labels.AGREEMENT]) == raw for path in folder.glob("termination-*.vls"))


def _keep(path: Path, raw: bytes) -> None:
    if not path.exists():  # the same again changes nothing; its name has its digest
        new_file(path, raw)


def terminate_agreement(office: Office, name: str, key: Signer | None = None, *, at: int, takes_effect_at: int) -> Unfinished:
    """Sign the end of an agreement (A14) with the office's root key, or with a custodian's. It takes effect where it is adopted."""
    known = [a for a in office.agreements.all() if a.profile.id == name]
    if not known:
        message = f"no agreement {name!r} is adopted here"
        raise Refused(message)
    root = office.own_roster.root
    agreement = max(known, key=lambda a: a.profile.version)
    own = office.signing_key(BODY_OFFICER, "root") if key is None else key
    return begin_termination(agreement, root, own, given_at=at, takes_effect_at=takes_effect_at)


def digest_of(profile: Profile) -> bytes:
    """Name of an agreement with this body."""
    return agreement_digest(profile.body)
