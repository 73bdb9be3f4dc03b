"""Founding an office in one step: root (or under another office's), body, roster and officers. A single-key root, until quorum roots come."""

from __future__ import annotations

import shutil
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final

from valiza.keys.credential import PURPOSES, Credential, CredentialDraft, issue_credential, kind_of, signs
from valiza.keys.digests import key_digest
from valiza.keys.errors import Refused, Usage
from valiza.keys.external import ExternalSigningKey
from valiza.keys.files import new_file, new_folder, storage_errors, sync_folder
from valiza.keys.keyfile import new_key, public_part, save_key
from valiza.keys.root import Root, make_root, sole_root
from valiza.keys.roster import Roster, make_roster
from valiza.keys.signing import SigningKey, VerifyKey
from valiza.office.book import NewBook, keep_roster
from valiza.office.home import BODY_OFFICER, OFFICER_NAME, Office, toml_string

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from valiza.keys.book import Book
    from valiza.keys.external import ExternalSigner
    from valiza.keys.fields import Body, Names
    from valiza.keys.keyfile import Argon2Cost, PrivateKey
    from valiza.keys.statement import Signer

__all__ = [
    "OFFICER_PURPOSES",
    "YEAR",
    "Founding",
    "NewOfficer",
    "certify_officer",
    "ed25519_halves",
    "enrol_unused",
    "found_office",
    "office_config",
    "require_made",
]

YEAR: Final = 365 * 86400
_ED25519_BYTES: Final = 32  # at the end of a public signing key
OFFICER_PURPOSES: Final = tuple(p for p in PURPOSES if p not in {"certify", "roster"})


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOfficer:
    """An officer to certify: short name, names for display, purposes, clearance (a degree's code, or None)."""

    name: str
    names: Names
    purposes: tuple[str, ...]
    clearance: str | None


@dataclass(frozen=True, kw_only=True)
class Founding:
    """What an office is to be.

    Lengths of validity are in seconds. `cost` is that of deriving a key from the passphrase, None for the least. `signers` are those who keep the
    Ed25519 half of keys, by officer and purpose.
    """

    body: Body
    names: Names
    degrees: tuple[str, ...]
    officers: tuple[NewOfficer, ...]
    validity: int = 5 * YEAR
    roster_validity: int = YEAR
    passphrase: str | None = field(default=None, repr=False)
    cost: Argon2Cost | None = None
    signers: Mapping[tuple[str, str], ExternalSigner] = field(default_factory=dict)


def found_office(home: Path, founding: Founding, *, at: int, random: Callable[[int], bytes], root_office: Office | None = None) -> Office:
    """Make an office's folder with keys, credentials and the party's roster, whole or not at all.

    Args:
        home: the folder; it must not exist.
        founding: what it is to be.
        at: now, in seconds since 1970.
        random: source of secret random bytes.
        root_office: the office that keeps the party's root, when this body is not the first; its roster is published anew with this body.

    Raises:
        Refused: the folder exists. Usage: an officer's name or purpose cannot be. NoKey, NotAuthentic, Unavailable: see `ExternalSigningKey.enrol`.
    """
    for officer in founding.officers:
        require_officer(officer)
    own = ("certify",) if root_office is not None else ("certify", "root", "roster")
    require_made(founding.signers, {(BODY_OFFICER, purpose) for purpose in own} | _signing(founding.officers))
    if len({officer.name for officer in founding.officers}) != len(founding.officers):
        message = "an officer is named twice"
        raise Usage(message, "give all purposes of an officer in one --officer NAME:PURPOSE,PURPOSE")
    with ExitStack() as stack:
        published = None
        with new_folder(home) as work:
            roster = _fill(work, founding, at=at, random=random, root_office=root_office)
            if root_office is not None:  # written before the office has its name, so that hardly anything can go wrong after
                rosters, before = root_office.home / "rosters", root_office.roster_of(roster.party)
                published = stack.enter_context(closing(NewBook(rosters, roster, at=at, before=before)))
        if root_office is not None and published is not None:
            try:
                published.finish()
            except BaseException:
                shutil.rmtree(home)
                raise
            root_office.reread()
    return Office(home, lambda: founding.passphrase or "")


def _fill(work: Path, founding: Founding, *, at: int, random: Callable[[int], bytes], root_office: Office | None) -> Roster:
    """Write all that a new office holds into a folder; returns the roster that names it."""
    known = None if root_office is None else root_office.own_roster
    with closing(_Desk(work, passphrase=founding.passphrase, cost=founding.cost, random=random, signers=founding.signers, known=known)) as desk:
        return _furnish(work, desk, founding, at=at, root_office=root_office)


def _furnish(work: Path, desk: _Desk, founding: Founding, *, at: int, root_office: Office | None) -> Roster:
    random = desk.random
    for folder in ("roots", "rosters", "agreements", "keys", "credentials"):
        (work / folder).mkdir(mode=0o700)
    new_file(work / "office.toml", office_config(founding.body, founding.names).encode("utf-8"), 0o644)
    roots, root_key, roster_credential, roster_key, known, version = _root(founding, desk, root_office, at)
    root = roots[-1]
    until = at + founding.validity
    body_key = desk.signing(BODY_OFFICER, "certify")
    certify = desk.issue(
        BODY_OFFICER,
        CredentialDraft(
            subject=random(16),
            body=founding.body,
            names=founding.names,
            purpose="certify",
            public_key=body_key.public,
            clearance=root.degrees[0],
            certifies_bodies=root_office is None,
            valid_from=at,
            valid_until=min(until, root.valid_until),
        ),
        root,
        root_key,
    )
    issued = [certify]
    for officer in founding.officers:
        issued += _certify(desk, officer, issuer=certify, key=body_key, at=at, until=until, subject=random(16))
    desk.write()
    for officer in founding.officers:  # one without keys: a clerk who looks things up
        (work / "credentials" / officer.name).mkdir(mode=0o700, exist_ok=True)
    roster = make_roster(
        version=version,
        issued_at=at,
        expires_at=at + founding.roster_validity,
        roots=roots,
        credentials=issued,
        others=known,
        revocations=() if root_office is None else root_office.own_roster.revocations,
        signer=roster_credential,
        key=roster_key,
        read=None if root_office is None else root_office.read_roster,
    )
    new_file(work / "roots" / root.party, root.fingerprint.encode("ascii") + b"\n")
    keep_roster(work / "rosters", roster, at=at)
    return roster


def require_officer(officer: NewOfficer) -> None:
    """Raise Usage unless name and purposes can be."""
    if not OFFICER_NAME.fullmatch(officer.name) or officer.name == BODY_OFFICER:
        message = f"{officer.name!r} cannot be an officer's name: small letters, digits, dot, hyphen, underscore, and not {BODY_OFFICER!r}"
        raise Usage(message)
    unknown = [p for p in officer.purposes if p not in OFFICER_PURPOSES]
    if unknown:
        message = f"an officer cannot be certified to {', '.join(unknown)}"
        raise Usage(message, f"purposes: {', '.join(OFFICER_PURPOSES)}")
    if len(set(officer.purposes)) != len(officer.purposes):
        message = f"a purpose of {officer.name!r} stands twice"
        raise Usage(message)


def office_config(body: Body, names: Names) -> str:
    """What `office.toml` says."""
    lines = [f'party = "{body.party}"', f'body = "{body.id}"', "", "[names]"]
    lines += [f"{tag} = {toml_string(text)}" for tag, text in sorted(names.items())]
    return "\n".join(lines) + "\n"


def enrol_unused(signer: ExternalSigner, halves: set[bytes], random: Callable[[int], bytes]) -> ExternalSigningKey:
    """A key around a half that is kept elsewhere, if that is none of some halves; it is added to them.

    Raises:
        Refused: it is one. As `ExternalSigningKey.enrol`: the program cannot be used.
    """
    key = ExternalSigningKey.enrol(signer, random)
    half = key.public[-_ED25519_BYTES:]
    if half in halves:
        key.close()
        message = f"the key {signer.reference!r} of {signer.program!r} is part of another signing key already"
        raise Refused(message, "one key, one power: make a new one there for this purpose")
    halves.add(half)
    return key


def ed25519_halves(known: Book | None) -> set[bytes]:
    """The Ed25519 halves of all keys that sign that a party has, its registers' and custodians' too."""
    if known is None:
        return set()
    return {o.half for o in known.outlines if o.purpose != "open"} | {custodian.key.ed25519 for root in known.roots for custodian in root.custodians}


class _Desk:
    """Makes keys and credentials in memory; `write` puts them into an office together, or none of them."""

    def __init__(
        self,
        home: Path,
        *,
        passphrase: str | None,
        cost: Argon2Cost | None,
        random: Callable[[int], bytes],
        signers: Mapping[tuple[str, str], ExternalSigner],
        known: Book | None,
    ) -> None:
        self._home = home
        self._passphrase = passphrase
        self._cost = cost
        self._signers = signers
        self._known = known
        self._keys: list[tuple[Path, PrivateKey]] = []
        self._credentials: list[tuple[Path, Credential]] = []
        self.random = random

    def signing(self, officer: str, purpose: str) -> SigningKey | ExternalSigningKey:
        key = self._external(officer, purpose) if (officer, purpose) in self._signers else SigningKey.generate(self.random)
        self._keys.append((self._home / "keys" / officer / f"{purpose}.key", key))
        return key

    def _external(self, officer: str, purpose: str) -> ExternalSigningKey:
        """A key around a half that is kept elsewhere, if it is part of no other key."""
        return enrol_unused(self._signers[officer, purpose], self._halves, self.random)

    def public(self, officer: str, purpose: str) -> bytes:
        """Make a key for any purpose of an officer; returns the public one."""
        if signs(purpose):
            return self.signing(officer, purpose).public
        key = new_key(kind_of(purpose), self.random)
        self._keys.append((self._home / "keys" / officer / f"{purpose}.key", key))
        return key.public

    def close(self) -> None:
        """End the programs that keep halves of keys."""
        for _, key in self._keys:
            if isinstance(key, ExternalSigningKey):
                key.close()

    def issue(self, officer: str, draft: CredentialDraft, issuer: Root | Credential, key: Signer) -> Credential:
        credential = issue_credential(draft, issuer=issuer, keys=[key])
        self._credentials.append((self._home / "credentials" / officer / f"{draft.purpose}.vls", credential))
        return credential

    def write(self) -> None:
        made: list[Path] = []
        try:
            for path, key in self._keys:
                self._make_folder(path.parent, made)
                save_key(path, key, passphrase=self._passphrase, random=self.random, cost=self._cost)
                made.append(path)
            for path, credential in self._credentials:
                self._make_folder(path.parent, made)
                new_file(path, credential.raw)
                made.append(path)
        except BaseException:
            for path in reversed(made):
                path.rmdir() if path.is_dir() else path.unlink(missing_ok=True)
            raise

    @cached_property
    def _halves(self) -> set[bytes]:
        """The Ed25519 halves of all signing keys that the party has."""
        return ed25519_halves(self._known)

    @staticmethod
    def _make_folder(folder: Path, made: list[Path]) -> None:
        """An officer's folder, unless it is there; durable before anything in it is."""
        if not folder.is_dir():
            with storage_errors(folder):
                folder.mkdir(mode=0o700)
                made.append(folder)
                sync_folder(folder.parent)


def _root(
    founding: Founding, desk: _Desk, root_office: Office | None, at: int
) -> tuple[tuple[Root, ...], Signer, Credential, Signer, dict[bytes, bytes], int]:
    """Versions of the root, a custodian's key, the roster credential and its key, credentials known already, and the next version of the roster."""
    if root_office is not None:
        if root_office.body.party != founding.body.party:
            message = f"{root_office.body} is of another party than {founding.body}"
            raise Refused(message)
        old = root_office.roster_of(founding.body.party)
        if old is not None and founding.degrees not in ((), old.root.degrees):
            message = f"the degrees of {old.party} are {','.join(old.root.degrees)}, not {','.join(founding.degrees)}"
            raise Usage(message, "leave --degrees out: they are the root's")
        if old is None:
            message = f"the office of {root_office.body} has no roster"
            raise Refused(message)
        if any(o.body == founding.body for o in old.outlines):
            message = f"{founding.body} has an office already"
            raise Refused(message, "certify further officers there: valiza credential issue")
        signer = root_office.credential(BODY_OFFICER, "roster")
        root_key, roster_key = root_office.signing_key(BODY_OFFICER, "root"), root_office.signing_key(BODY_OFFICER, "roster")
        return old.roots, root_key, signer, roster_key, {name: old.credentials.raw(name) for name in old.credentials}, old.version + 1
    until = at + 2 * founding.validity
    new_root_key = desk.signing(BODY_OFFICER, "root")
    draft_root = sole_root(
        party_id=founding.body.party,
        party_names=founding.names,
        degrees=founding.degrees,
        custodian=desk.random(16),
        key=VerifyKey(new_root_key.public),
        valid_from=at,
        valid_until=until,
    )
    root = make_root(draft_root, [new_root_key])
    new_roster_key = desk.signing(BODY_OFFICER, "roster")
    draft = CredentialDraft(
        subject=desk.random(16),
        body=founding.body,
        names=founding.names,
        purpose="roster",
        public_key=new_roster_key.public,
        clearance=None,
        valid_from=at,
        valid_until=until,
    )
    signer = desk.issue(BODY_OFFICER, draft, root, new_root_key)
    return (root,), new_root_key, signer, new_roster_key, {}, 1


def _certify(desk: _Desk, officer: NewOfficer, *, issuer: Credential, key: Signer, at: int, until: int, subject: bytes) -> list[Credential]:
    issued = []
    for purpose in officer.purposes:
        draft = CredentialDraft(
            subject=subject,
            body=issuer.body,
            names=officer.names,
            purpose=purpose,
            public_key=desk.public(officer.name, purpose),
            clearance=officer.clearance,
            valid_from=at,
            valid_until=min(until, issuer.valid_until),
        )
        issued.append(desk.issue(officer.name, draft, issuer, key))
    return issued


def _signing(officers: Iterable[NewOfficer]) -> set[tuple[str, str]]:
    """The keys of officers that sign statements, by officer and purpose."""
    return {(officer.name, purpose) for officer in officers for purpose in officer.purposes if signs(purpose)}


def require_made(signers: Iterable[tuple[str, str]], made: set[tuple[str, str]]) -> None:
    """Raise Usage if an external signer is named for a key that is not made: a slip of the pen must not make a key that is all in a file."""
    for officer, purpose in signers:
        if purpose == "register":
            message = f"an external signer is named for the register key of {officer!r}, and the key of a register is all in its file"
            raise Usage(message, "leave it out of the list: keep that file where only the command for checkpoints runs")
        if (officer, purpose) not in made:
            message = f"an external signer is named for the {purpose} key of {officer!r}, and no such signing key is made"
            raise Usage(message, f"signing keys that are made: {', '.join(f'{name}: {what}' for name, what in sorted(made))}")


def certify_officer(
    office: Office,
    officer: NewOfficer,
    *,
    at: int,
    validity: int,
    random: Callable[[int], bytes],
    passphrase: str | None,
    cost: Argon2Cost | None = None,
    signers: Mapping[tuple[str, str], ExternalSigner] | None = None,
) -> list[Credential]:
    """Make keys and credentials for an officer of this office. They count once a roster with them is published.

    Args:
        office: his office, whose body issues the credentials.
        officer: who, and for what.
        at: now, in seconds since 1970.
        validity: of the credentials, in seconds.
        random: source of secret random bytes.
        passphrase: of the new keys; None leaves them unprotected.
        cost: of deriving a key from it; None for the least.
        signers: who keep the Ed25519 half of his keys, by officer and purpose.

    Raises:
        Refused: the officer has a credential for one of the purposes, or the body may not give the clearance.
        NoKey, NotAuthentic, Unavailable: see `ExternalSigningKey.enrol`.
    """
    require_officer(officer)
    require_made(signers or {}, _signing([officer]))
    for purpose in officer.purposes:
        if office.credential_path(officer.name, purpose).exists():
            message = f"{officer.name!r} has a {purpose} credential already"
            raise Refused(message)
    own = [p for p in PURPOSES if office.has_credential(officer.name, p)]
    subject = office.credential(officer.name, own[0]).subject if own else random(16)
    issuer, key = office.credential(BODY_OFFICER, "certify"), office.signing_key(BODY_OFFICER, "certify")
    office.trust.require_in_force(issuer, at=at, act="issuing")
    with closing(_Desk(office.home, passphrase=passphrase, cost=cost, random=random, signers=signers or {}, known=office.own_roster)) as desk:
        issued = _certify(desk, officer, issuer=issuer, key=key, at=at, until=at + validity, subject=subject)
        for purpose in officer.purposes:
            _remove_uncertified(office, officer.name, purpose)
        desk.write()
        return issued


def _remove_uncertified(office: Office, officer: str, purpose: str) -> None:
    """A key that was left when certifying was interrupted: it has no credential, here or in the roster, so nobody ever used it."""
    path = office.key_path(officer, purpose)
    if path.is_file() and not office.own_roster.with_key(key_digest(kind_of(purpose), public_part(path).public)):
        with storage_errors(path):
            path.unlink()
