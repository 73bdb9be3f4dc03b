"""Publishing the own party's roster: everything that was issued, here or elsewhere, and new versions of the root, signed anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from valiza.keys import labels
from valiza.keys.chain import Chains
from valiza.keys.designation import check_designation_in
from valiza.keys.errors import NoKey, Refused
from valiza.keys.files import about, read_file
from valiza.keys.revocation import check_revocation_in
from valiza.keys.root import Root, read_root, read_roots, require_pinned
from valiza.keys.roster import check_import, make_roster, require_latest_root, require_new_authority, require_new_issuer
from valiza.keys.statement import LIMITS, Statement, read_statement
from valiza.office.book import keep_roster
from valiza.office.home import BODY_OFFICER, with_public_key
from valiza.office.revoking import lying

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from valiza.keys.book import Book
    from valiza.keys.credential import Credential
    from valiza.keys.designation import Designation
    from valiza.keys.revocation import Revocation
    from valiza.keys.roster import Roster
    from valiza.office.book import KeptBook
    from valiza.office.home import Office

__all__ = ["ADDED", "Collected", "collect", "publish_roster"]

ADDED: Final = (labels.ROOT, labels.CREDENTIAL, labels.REVOCATION, labels.DESIGNATION)  # types of what a roster can take in


class _Statements(Mapping[bytes, Statement]):
    """The credentials of a roster and further ones, by their digests."""

    def __init__(self, new: Mapping[bytes, Statement], old: KeptBook | None) -> None:
        self._new = new
        self._old: Chains | Mapping[bytes, Credential] = {} if old is None else old.credentials
        self._raw = None if old is None else old.credentials.raw

    def __getitem__(self, wanted: bytes) -> Statement:
        if wanted in self._new or self._raw is None:
            return self._new[wanted]
        return read_statement(self._raw(wanted), labels.CREDENTIAL)

    def __contains__(self, wanted: object) -> bool:
        return wanted in self._new or wanted in self._old

    def __iter__(self) -> Iterator[bytes]:
        yield from self._old
        yield from (name for name in self._new if name not in self._old)

    def __len__(self) -> int:
        return sum(1 for _ in self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What an office knows of its own party beyond the roster in force: versions of the root, and what no roster has yet.

    roots: all versions. chains: every credential, checked when it is taken out. new: credentials that the roster in force does not have, with their
    files. revoking, designating: revocations and designations that it does not have, likewise.
    """

    roots: tuple[Root, ...]
    chains: Chains = field(repr=False)
    new: Mapping[bytes, Path]
    revoking: Mapping[Path, Statement] = field(default_factory=dict, repr=False)
    designating: Mapping[Path, Statement] = field(default_factory=dict, repr=False)

    def revocations(self, known: Book | None) -> list[Revocation]:
        """The new revocations, each checked: by whom it is, and that he may still revoke by what is known; what is wrong with one names its file."""
        found = []
        for path, statement in self.revoking.items():
            with about(path):
                revocation = check_revocation_in(statement, self.roots, self.chains)
                if known is not None:
                    require_new_authority(revocation, known)
                found.append(revocation)
        return found

    def designations(self, known: Book | None) -> list[Designation]:
        """The new designations, each checked likewise."""
        found = []
        for path, statement in self.designating.items():
            with about(path):
                designation = check_designation_in(statement, self.roots)
                if known is not None:
                    require_latest_root(designation, known)
                found.append(designation)
        return found

    def checked(self, known: Book | None) -> list[Credential]:
        """The new credentials, each checked, and that its issuer could still issue by what is known; what is wrong with one names its file."""
        found = []
        for name, path in self.new.items():
            with about(path):
                credential = self.chains[name]
                if known is not None:
                    require_new_issuer(credential, known)
                found.append(credential)
        return found


def collect(office: Office, add: Iterable[Path] = ()) -> Collected:
    """Collect what lies in an office and in files: versions of the root, credentials, revocations, designations.

    Args:
        office: the office.
        add: files with any of these that were signed elsewhere, in any order.

    Raises:
        Refused: the own root is not pinned, or there is another one of that version. Malformed, NotAuthentic: a file holds nothing of that kind, or
            a root is not signed by its quorums.
    """
    party = office.body.party
    pinned = office.pinned().get(party)
    if pinned is None:
        message = f"the root of {party} is not pinned here"
        raise Refused(message, "restore it, or join anew: valiza office join DIR --root FINGERPRINT")
    old = office.roster_of(party)
    credentials: dict[bytes, Statement] = {}
    paths: dict[bytes, Path] = {}
    roots = {} if old is None else {root.version: root for root in old.roots}
    said: dict[str, dict[bytes, tuple[Path, Statement]]] = {labels.REVOCATION: {}, labels.DESIGNATION: {}}
    known = set() if old is None else {one.digest for one in old.revocations} | {one.digest for one in old.designations}
    files = [*sorted((office.home / "credentials").glob("*/*.vls")), *sorted((office.home / "issued").glob("*.vls")), *lying(office), *add]
    for path in files:
        with about(path):
            statement = read_statement(read_file(path, max(LIMITS[type_] for type_ in ADDED)), *ADDED)
            if statement.type == labels.ROOT:
                _add_root(roots, read_root(statement.raw), party)
            elif statement.type in said:
                if statement.digest not in known:
                    said[statement.type].setdefault(statement.digest, (path, statement))
            elif old is None or statement.digest not in old.credentials:
                credentials[statement.digest] = statement
                paths.setdefault(statement.digest, path)
    if not roots:
        message = f"neither a roster nor a root of {party} is in this office"
        raise Refused(message, "import the roster: valiza roster import FILE; or give the root: valiza roster publish --add FILE")
    versions = read_roots(tuple(roots[version].raw for version in sorted(roots)))
    require_pinned(versions, pinned)
    return Collected(
        roots=versions,
        chains=Chains(versions, _Statements(credentials, old)),
        new=paths,
        revoking=dict(said[labels.REVOCATION].values()),
        designating=dict(said[labels.DESIGNATION].values()),
    )


def _add_root(roots: dict[int, Root], root: Root, party: str) -> None:
    if root.party != party:
        message = f"it is the root of {root.party}, and this office is of {party}"
        raise Refused(message)
    known = roots.setdefault(root.version, root)
    if known.digest != root.digest:
        message = f"another version {root.version} of the root of {party} is known here"
        raise Refused(message, "the version that is known stays: find out what happened")


def publish_roster(office: Office, *, at: int, validity: int, add: Sequence[Path] = (), version: int | None = None) -> Roster:
    """Sign a new version of the party's roster, the first one if there is none yet, and import it here.

    Args:
        office: one that keeps a roster key. Every credential and revocation that lies in it is taken in.
        at: now, in seconds since 1970.
        validity: for how many seconds the roster is in force.
        add: files with credentials, revocations, designations and roots that were signed elsewhere.
        version: of the roster; None: the next one. A higher one goes past what a thief of the roster key may have published.

    Raises:
        NoKey: this office does not keep the roster key. Refused: its roster credential is not issued by the latest version of the root.
        Malformed, NotAuthentic, Refused: what is to be taken in does not hold.
    """
    old = office.roster_of(office.body.party)
    collected = collect(office, add)
    signer = _signer(office, collected, at)
    key = office.key_of(BODY_OFFICER, signer)
    roster = make_roster(
        version=(1 if old is None else old.version + 1) if version is None else version,
        issued_at=at,
        expires_at=at + validity,
        roots=collected.roots,
        credentials=collected.checked(old),
        others={} if old is None else {name: old.credentials.raw(name) for name in old.credentials},
        revocations=[*([] if old is None else old.revocations), *collected.revocations(old)],
        designations=[*([] if old is None else old.designations), *collected.designations(old)],
        signer=signer,
        key=key,
        read=office.read_roster,
    )
    check_import(roster, old, at)
    keep_roster(office.home / "rosters", roster, at=at, before=old)
    office.reread()
    return roster


def _signer(office: Office, collected: Collected, at: int) -> Credential:
    """The newest roster credential of this office that the latest version of the root issued, and whose key is here."""
    paths = office.credential_paths(BODY_OFFICER, "roster")
    if not paths:
        message = f"the officer {BODY_OFFICER!r} has no roster credential in this office"
        raise NoKey(message, "publish where the roster key is, with what was issued here: valiza roster publish --add FILE")
    root = collected.roots[-1]
    found = []
    for path in reversed(paths):
        with about(path):
            found.append(collected.chains[read_statement(read_file(path, LIMITS[labels.CREDENTIAL]), labels.CREDENTIAL).digest])
    by_latest = [credential for credential in found if isinstance(credential.issuer, Root) and credential.issuer.digest == root.digest]
    if not by_latest:
        message = f"the roster credential of this office is of an earlier version of the root of {root.party} than the latest, {root.version}"
        raise Refused(message, "its custodians issue a new one: valiza credential renew office:roster -o REQUEST")
    keys = office.key_paths(BODY_OFFICER, "roster")
    usable = [c for c in by_latest if office.trust.in_force(c, at) and with_public_key(keys, c.verify_key.raw) is not None]
    return usable[0] if usable else by_latest[0]
