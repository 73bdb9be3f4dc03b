"""How bodies and officers come to credentials, each keeping his keys to himself: request, issue, accept, renew; and how an office joins its party."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from valiza.keys import labels
from valiza.keys.chain import Chains
from valiza.keys.credential import PURPOSES, CredentialDraft, issue_credential, kind_of, signs
from valiza.keys.errors import NoKey, Refused, Usage, ValizaError
from valiza.keys.files import about, new_file, new_folder, read_file, storage_errors, sync_folder
from valiza.keys.keyfile import key_file, new_key, save_key
from valiza.keys.request import unvouched, vouching_purpose
from valiza.keys.root import Root, read_root, require_pinned
from valiza.keys.roster import check_import, claimed_credentials
from valiza.keys.statement import LIMITS, read_statement
from valiza.office.book import keep_roster
from valiza.office.founding import OFFICER_PURPOSES, ed25519_halves, enrol_unused, office_config, require_made
from valiza.office.granting import granted, new_request
from valiza.office.home import BODY_OFFICER, OFFICER_NAME, Office, next_renewal, purpose_of, with_public_key
from valiza.office.publishing import collect
from valiza.office.roots import roots_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from valiza.keys.credential import Credential
    from valiza.keys.external import ExternalSigner
    from valiza.keys.fields import Body, Names
    from valiza.keys.keyfile import Argon2Cost, PrivateKey
    from valiza.keys.request import Request
    from valiza.keys.statement import Signer, Statement
    from valiza.office.granting import Grant

__all__ = [
    "Accepted",
    "Protection",
    "accept",
    "accept_in_folder",
    "issue_on_request",
    "issuer_of",
    "join_office",
    "renew",
    "request_here",
    "request_in_folder",
]

BODY_PURPOSES: Final = ("certify", "roster")  # those of the body's own keys, which the officer `office` has
REQUEST: Final = "request.vls"


@dataclass(frozen=True, slots=True)
class Protection:
    """How new keys are protected: by a passphrase at a cost of guessing, or not at all (None)."""

    passphrase: str | None
    cost: Argon2Cost | None = None


# --- asking -----------------------------------------------------------------------------------------------------------------------------------------


def request_here(
    office: Office,
    officer: str,
    purposes: Sequence[str],
    *,
    names: Names | None,
    at: int,
    random: Callable[[int], bytes],
    protection: Protection,
    deliver: Callable[[bytes], None],
    same_key: bool = False,
    signers: Mapping[tuple[str, str], ExternalSigner] | None = None,
) -> Request:
    """Make keys for an officer of this office, or with the name `office` for its body, and the request to have them certified.

    Credentials that he has already give the subject, and vouch for the request. The keys lie beside those that are there; they count when the
    credentials for them have been accepted.

    Args:
        office: the office.
        officer: short name of the officer.
        purposes: what the keys are for.
        names: for display; None: as in his credentials, or the short name.
        at: now, in seconds since 1970.
        random: source of secret random bytes.
        protection: of the new keys.
        deliver: writes the request where it is to go; if it cannot, no key is left.
        same_key: ask with the keys that he has in the place of new ones.
        signers: who keep the Ed25519 half of his new keys, by officer and purpose.

    Raises:
        Usage: the name or a purpose cannot be. NoKey: an earlier key is not here. Refused: a credential of his is in no roster known here.
    """
    _require_may_ask(officer, purposes)
    require_made(signers or {}, set() if same_key else {(officer, purpose) for purpose in purposes if signs(purpose)})
    held = _held(office, officer, at)
    keep: dict[str, PrivateKey] = {}
    halves = ed25519_halves(office.trust.rosters.get(office.body.party)) if signers else set()
    if same_key:
        missing = [purpose for purpose in purposes if purpose not in held]
        if missing:
            message = f"{officer!r} has no {missing[0]} credential whose key could be certified once more"
            raise Usage(message, "ask with a new key")
        keep = {purpose: office.private_key(officer, held[purpose]) for purpose in purposes}
    old = set(keep)
    with ExitStack() as programs:
        for purpose in purposes:
            signer = (signers or {}).get((officer, purpose))
            if signer is not None:
                key = enrol_unused(signer, halves, random)
                programs.callback(key.close)
                keep[purpose] = key
        keys, request = new_request(
            office.body,
            names=names or _names(office, officer, held),
            purposes=purposes,
            at=at,
            random=random,
            subject=_subject(held, purposes),
            vouching=_vouching(office, officer, held, purposes, at),
            keep=keep,
        )
        with _new_keys(office, officer, {purpose: key for purpose, key in keys.items() if purpose not in old}, random, protection):
            deliver(request.raw)
    return request


def _require_may_ask(officer: str, purposes: Sequence[str]) -> None:
    if not OFFICER_NAME.fullmatch(officer):
        message = f"{officer!r} cannot be an officer's name: small letters, digits, dot, hyphen, underscore"
        raise Usage(message)
    may = BODY_PURPOSES if officer == BODY_OFFICER else OFFICER_PURPOSES
    wrong = [purpose for purpose in purposes if purpose not in may]
    if wrong:
        message = f"{officer!r} cannot be certified to {', '.join(wrong)}"
        hint = f"{BODY_OFFICER!r} stands for the body itself, which alone has {' and '.join(BODY_PURPOSES)} keys"
        raise Usage(message, f"purposes: {', '.join(may)}; {hint}")
    if len(set(purposes)) != len(purposes):
        message = f"a purpose of {officer!r} stands twice"
        raise Usage(message)


def _held(office: Office, officer: str, at: int) -> dict[str, Credential]:
    """The credentials by which an officer acts, by purpose: those in force, or else the last ones."""
    found = {purpose: office.credential(officer, purpose) for purpose in PURPOSES if office.has_credential(officer, purpose)}
    if len({credential.subject for purpose, credential in found.items() if purpose != "roster"}) > 1:
        message = f"the credentials of {officer!r} in this office are of several persons"
        raise Refused(message, "put them back into the folders of those to whom they belong")
    return dict(sorted(found.items(), key=lambda pair: not office.trust.in_force(pair[1], at)))


def _names(office: Office, officer: str, held: Mapping[str, Credential]) -> Names:
    if officer == BODY_OFFICER:
        return office.names
    return next((credential.names for credential in held.values()), {"en": officer})


def _subject(held: Mapping[str, Credential], purposes: Sequence[str]) -> bytes | None:
    """Whose credentials he has already: of this purpose, or of any."""
    known = [held[purpose] for purpose in purposes if purpose in held] or list(held.values())
    return known[0].subject if known else None


def _vouching(office: Office, officer: str, held: Mapping[str, Credential], purposes: Sequence[str], at: int) -> list[tuple[Credential, Signer]]:
    """Credentials of his that are in force and can sign, each with its key: of all these purposes, or else one of any.

    For a key that signs nothing another one of his vouches.
    """
    subject = _subject(held, purposes)
    wanted = {vouching_purpose(purpose) for purpose in purposes}
    able = [
        credential
        for purpose, credential in held.items()
        if signs(purpose)
        and credential.subject == subject
        and office.trust.in_force(credential, at)
        and with_public_key(office.key_paths(officer, purpose), credential.verify_key.raw) is not None
    ]
    chosen = [credential for credential in able if credential.purpose in wanted]
    if not chosen and not unvouched(purposes, chosen):
        chosen = able[:1]
    return [(credential, office.key_of(officer, credential)) for credential in chosen]


@contextmanager
def _new_keys(office: Office, officer: str, keys: Mapping[str, PrivateKey], random: Callable[[int], bytes], protection: Protection) -> Iterator[None]:
    """Key files, which stay if the block ends well; otherwise none does."""
    folder = office.home / "keys" / officer
    made: list[Path] = []
    try:
        _make_folder(folder, made)
        for purpose, key in keys.items():
            path = next_renewal(office.key_paths(officer, purpose), office.key_path(officer, purpose))
            save_key(path, key, passphrase=protection.passphrase, random=random, cost=protection.cost)
            made.append(path)
        yield
    except BaseException:
        _unmake(made)
        raise


def _make_folder(folder: Path, made: list[Path]) -> None:
    """A folder, unless it is there; durable before anything in it is."""
    if not folder.is_dir():
        with storage_errors(folder):
            folder.mkdir(mode=0o700)
            made.append(folder)
            sync_folder(folder.parent)


def _unmake(made: Iterable[Path]) -> None:
    for path in reversed(list(made)):
        with suppress(OSError):
            path.rmdir() if path.is_dir() else path.unlink(missing_ok=True)


def request_in_folder(
    folder: Path,
    body: Body,
    *,
    names: Names,
    purposes: Sequence[str],
    at: int,
    random: Callable[[int], bytes],
    protection: Protection,
    signers: Mapping[str, ExternalSigner] | None = None,
) -> Request:
    """Make keys and a request in a new folder that is no office: PURPOSE.key each, and request.vls; `signers` keep halves of them, by purpose.

    Raises:
        Refused: the folder exists. Usage: a purpose cannot be asked for.
    """
    require_made([("", purpose) for purpose in signers or {}], {("", purpose) for purpose in purposes if signs(purpose)})
    halves: set[bytes] = set()
    with ExitStack() as programs:
        keep: dict[str, PrivateKey] = {}
        for purpose, signer in (signers or {}).items():
            key = enrol_unused(signer, halves, random)
            programs.callback(key.close)
            keep[purpose] = key
        keys, request = new_request(body, names=names, purposes=purposes, at=at, random=random, keep=keep)
        with new_folder(folder) as work:
            for purpose, made in keys.items():
                new_file(work / f"{purpose}.key", key_file(made, passphrase=protection.passphrase, random=random, cost=protection.cost), 0o600)
            new_file(work / REQUEST, request.raw, 0o644)
    return request


# --- issuing ----------------------------------------------------------------------------------------------------------------------------------------


def issuer_of(office: Office, at: int) -> Credential:
    """The certify credential by which the body of an office issues now.

    Raises:
        NoKey: the office has none. Refused: it is not in force.
    """
    issuer = office.credential(BODY_OFFICER, "certify")
    office.trust.require_in_force(issuer, at=at, act="issuing")
    return issuer


def issue_on_request(
    office: Office, request: Request, grant: Grant, *, at: int, random: Callable[[int], bytes], lost: bool = False
) -> list[Credential]:
    """Issue credentials on a request with this body's certify key. They are kept in this office, for the next roster.

    Raises:
        NoKey: this office does not keep the certify key. Refused: the body may not issue it, or `granted` says so.
    """
    issuer = issuer_of(office, at)
    key = office.key_of(BODY_OFFICER, issuer)
    known = collect(office).checked(None)
    drafts = granted(request, grant, roots=office.own_roster.roots, trust=office.trust, at=at, random=random, lost=lost, known=known)
    issued = [issue_credential(draft, issuer=issuer, keys=[key]) for draft in drafts]
    keep_issued(office, issued)
    return issued


def keep_issued(office: Office, issued: Iterable[Credential | Root]) -> None:
    """Keep what was issued here, for the next roster."""
    folder = office.home / "issued"
    _make_folder(folder, [])
    for one in issued:
        path = folder / (f"root-{one.version}.vls" if isinstance(one, Root) else f"{one.purpose}-{one.digest.hex()[:16]}.vls")
        if not path.exists():
            new_file(path, one.raw)


# --- accepting --------------------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A credential that was put beside its key. new: it was not there before. counts: it is in the roster in force here."""

    officer: str
    path: Path
    credential: Credential
    new: bool
    counts: bool


def accept(office: Office, files: Sequence[Path]) -> list[Accepted]:
    """Put credentials beside the keys in this office that they are for, each checked up to the pinned root.

    Among the files may be new versions of the root: they are kept for the next roster, and count for what they issued.

    Raises:
        NoKey: no key here belongs to one. NotAuthentic: an issuer is not known here, or did not sign. Malformed: a file is neither.
        Refused: one claims more than its issuer may give, is of another body, or of another person than those beside it.
        Usage: there is no credential among them.
    """
    collected = collect(office, files)
    found: list[tuple[Credential, str]] = []
    for path in files:
        with about(path):
            statement = read_statement(read_file(path, LIMITS[labels.ROOT]), labels.CREDENTIAL, labels.ROOT)
            if statement.type == labels.CREDENTIAL:
                credential = collected.chains[statement.digest]
                found.append((credential, _owner(office, credential)))
    if files and not found:
        message = "there is no credential among the files"
        raise Usage(message, "to take in a new version of the root alone: valiza roster publish --add FILE")
    old = office.roster_of(office.body.party)
    keep_issued(office, [root for root in collected.roots if old is None or root.version > old.root.version])
    return [_put(office, credential, officer) for credential, officer in found]


def _owner(office: Office, credential: Credential) -> str:
    """The officer here who has the key of a credential."""
    if credential.body != office.body:
        message = f"it is a credential of {credential.body}, and this is {office.body}"
        raise Refused(message)
    for folder in sorted(path for path in (office.home / "keys").iterdir() if path.is_dir()):
        if OFFICER_NAME.fullmatch(folder.name) and with_public_key(office.key_paths(folder.name, credential.purpose), credential.key.raw) is not None:
            return folder.name
    message = f"no key in this office belongs to the {credential.purpose} credential of {credential.title!r}"
    raise NoKey(message, "it is accepted where the key was made")


def _put(office: Office, credential: Credential, officer: str) -> Accepted:
    paths = office.credential_paths(officer, credential.purpose)
    counts = office.trust.credential(credential.digest) is not None
    for path in paths:
        if read_file(path, LIMITS[labels.CREDENTIAL]) == credential.raw:
            return Accepted(officer=officer, path=path, credential=credential, new=False, counts=counts)
    for path in (office.home / "credentials" / officer).glob("*.vls"):
        _require_same_person(office, path, credential)
    _make_folder(office.home / "credentials" / officer, [])
    path = next_renewal(paths, office.credential_path(officer, credential.purpose))
    new_file(path, credential.raw)
    office.reread()
    return Accepted(officer=officer, path=path, credential=credential, new=True, counts=counts)


def _require_same_person(office: Office, path: Path, credential: Credential) -> None:
    """The body's own keys are of several subjects: its certify key is of the body, its roster key need not be."""
    other = None
    with suppress(ValizaError):
        other = office.trust.credential(read_statement(read_file(path, LIMITS[labels.CREDENTIAL]), labels.CREDENTIAL).digest)
    if other is not None and other.subject != credential.subject and path.parent.name != BODY_OFFICER:
        message = f"the {credential.purpose} credential of {credential.title!r} is of another subject than the credentials of {path.parent.name!r}"
        raise Refused(message, "make keys under another name for another person")


def accept_in_folder(folder: Path, files: Sequence[Path], known: Sequence[Path]) -> list[Accepted]:
    """Put credentials beside the keys in a folder that is no office, each checked up to a root that is given.

    Args:
        folder: with key files called by their purpose.
        files: the credentials.
        known: the party's root or roster.

    Raises:
        Errors as `accept`; whose root it is, only its fingerprint says.
    """
    roots: dict[bytes, Root] = {}
    statements: dict[bytes, Statement] = {}
    for path in (*known, *files):
        with about(path):
            statement = read_statement(read_file(path, LIMITS[labels.ROSTER]), labels.ROOT, labels.ROSTER, labels.CREDENTIAL)
            if statement.type == labels.CREDENTIAL:
                statements[statement.digest] = statement
            else:
                roots |= {root.digest: root for root in roots_in(statement.raw)}
            if statement.type == labels.ROSTER:
                statements |= {one.digest: one for one in claimed_credentials(statement.raw)}
    chains = Chains(roots.values(), statements)
    found = []
    for path in files:
        with about(path):
            credential = chains[read_statement(read_file(path, LIMITS[labels.CREDENTIAL]), labels.CREDENTIAL).digest]
            key = with_public_key((one for one in sorted(folder.glob("*.key")) if purpose_of(one) == credential.purpose), credential.key.raw)
            if key is None:
                message = f"no key in {str(folder)!r} belongs to the {credential.purpose} credential of {credential.title!r}"
                raise NoKey(message, "it is accepted where the key was made")
            found.append((key.with_suffix(".vls"), credential))
    accepted = []
    for path, credential in found:
        new = not (path.exists() and read_file(path, LIMITS[labels.CREDENTIAL]) == credential.raw)
        if new:
            new_file(path, credential.raw)
        accepted.append(Accepted(officer="", path=path, credential=credential, new=new, counts=False))
    return accepted


# --- renewing ---------------------------------------------------------------------------------------------------------------------------------------


def renew(
    office: Office,
    officer: str,
    purposes: Sequence[str],
    *,
    at: int,
    validity: int,
    random: Callable[[int], bytes],
    protection: Protection,
    same_key: bool = False,
    signers: Mapping[tuple[str, str], ExternalSigner] | None = None,
) -> list[Credential]:
    """Renew credentials of this office with its own certify key, or its root key for those of the body: same subject, names and clearance.

    Args:
        office: the office.
        officer: short name of the officer, or `office`.
        purposes: which of his credentials.
        at: now, in seconds since 1970.
        validity: for how many seconds the new ones are valid, as far as the issuer's go.
        random: source of secret random bytes.
        protection: of the new keys.
        same_key: certify the keys that he has once more, from when the old credentials end.
        signers: who keep the Ed25519 half of his new keys, by officer and purpose.

    Raises:
        NoKey: he has no such credential, or the issuer's key is not here. Refused: the issuer may not renew it, or others have to sign too.
    """
    _require_may_ask(officer, purposes)
    require_made(signers or {}, set() if same_key else {(officer, purpose) for purpose in purposes if signs(purpose)})
    old = {purpose: office.credential(officer, purpose) for purpose in purposes}
    issuers = {purpose: _issuer(office, credential, at) for purpose, credential in old.items()}
    halves = ed25519_halves(office.own_roster) if signers else set()
    keys: dict[str, PrivateKey] = {}
    with ExitStack() as programs:
        for purpose in [] if same_key else purposes:
            signer = (signers or {}).get((officer, purpose))
            if signer is not None:
                key = enrol_unused(signer, halves, random)
                programs.callback(key.close)
                keys[purpose] = key
            else:
                keys[purpose] = new_key(kind_of(purpose), random)
        issued = []
        for purpose, credential in old.items():
            issuer, issuing_key = issuers[purpose]
            begin = max(at, credential.valid_until) if same_key else at
            draft = CredentialDraft(
                subject=credential.subject,
                body=credential.body,
                names=credential.names,
                purpose=purpose,
                public_key=credential.key.raw if same_key else keys[purpose].public,
                clearance=credential.clearance,
                certifies_bodies=credential.certifies_bodies,
                valid_from=begin,
                valid_until=min(begin + validity, issuer.valid_until),
            )
            if draft.valid_from >= draft.valid_until:
                message = f"the issuer's own validity leaves no time for the {purpose} credential of {officer!r}"
                raise Refused(message, "renew the issuer's credential first")
            issued.append(issue_credential(draft, issuer=issuer, keys=[issuing_key]))
        with _new_keys(office, officer, keys, random, protection):
            pass  # they stay even if a credential cannot be written: what is there of them is of use
    for credential in issued:
        _put(office, credential, officer)
    return issued


def _issuer(office: Office, credential: Credential, at: int) -> tuple[Root | Credential, Signer]:
    """Who can renew a credential in this office, with his key."""
    if credential.purpose not in BODY_PURPOSES:
        issuer = issuer_of(office, at)
        return issuer, office.key_of(BODY_OFFICER, issuer)
    root = office.own_roster.root
    if root.threshold > 1:
        message = f"{root.threshold} custodians of the root of {root.party} issue this together"
        raise Refused(message, "make a request for them: -o REQUEST; they issue it with: valiza credential issue --request")
    return root, office.signing_key(BODY_OFFICER, "root")


# --- joining ----------------------------------------------------------------------------------------------------------------------------------------


def join_office(
    home: Path, body: Body, *, names: Names, roster: Path, fingerprint: bytes, officers: Mapping[str, Path], at: int, passphrase: Callable[[], str]
) -> tuple[Office, list[Accepted]]:
    """Make the office of a body or officer whose party has a root already, without any key of the root; whole or not at all.

    Args:
        home: the folder; it must not exist.
        body: the office's.
        names: of the body.
        roster: the party's roster; or its root, while there is no roster yet.
        fingerprint: of that root, as a person compared it.
        officers: folders with keys and credentials, by the short name of the officer, or `office` for the keys of the body.
        at: now, in seconds since 1970.
        passphrase: asks for the passphrase of its keys.

    Raises:
        NotAuthentic: the root has another fingerprint, or a signature does not hold. Refused: the folder exists, or something is of another party.
    """
    for name in officers:
        if not OFFICER_NAME.fullmatch(name):
            message = f"{name!r} cannot be an officer's name: small letters, digits, dot, hyphen, underscore"
            raise Usage(message)
    with new_folder(home) as work:
        for folder in ("roots", "rosters", "agreements", "keys", "credentials", "issued"):
            (work / folder).mkdir(mode=0o700)
        new_file(work / "office.toml", office_config(body, names).encode("utf-8"), 0o644)
        new_file(work / "roots" / body.party, fingerprint.hex().encode("ascii") + b"\n")
        _take_in(work, body, roster, fingerprint, at)
        given = [path for name, folder in officers.items() for path in _copy_keys(work, name, folder)]
        joined = Office(work, passphrase)
        accepted = accept(joined, given)
        for name in officers:
            (work / "credentials" / name).mkdir(mode=0o700, exist_ok=True)
    return Office(home, passphrase), accepted


def _take_in(work: Path, body: Body, path: Path, fingerprint: bytes, at: int) -> None:
    """The party's roster, or its first root, into a new office."""
    with about(path):
        statement = read_statement(read_file(path, LIMITS[labels.ROSTER]), labels.ROOT, labels.ROSTER)
        if statement.type == labels.ROOT:
            root = read_root(statement.raw)
            require_pinned([root], fingerprint)
            if root.version != 1:
                message = f"version {root.version} of a root comes with those before it, in a roster"
                raise Refused(message, "give the party's roster")
            party = root.party
            new_file(work / "issued" / "root-1.vls", root.raw)
        else:
            new = Office(work, lambda: "").read_roster(statement.raw, fingerprint)
            check_import(new, None, at)
            party = new.party
            keep_roster(work / "rosters", new, at=at)
        if party != body.party:
            message = f"it is of the party {party}, and {body} is of {body.party}"
            raise Refused(message)


def _copy_keys(work: Path, name: str, folder: Path) -> list[Path]:
    """Copy the key files of a folder to an officer; returns the files in it that are credentials."""
    with storage_errors(folder):
        files = sorted(path for path in folder.iterdir() if path.is_file())
    keys = [path for path in files if path.suffix == ".key"]
    if not keys:
        message = f"there is no key in {str(folder)!r}"
        raise NoKey(message, "name the folder that valiza credential request made")
    (work / "keys" / name).mkdir(mode=0o700)
    for path in keys:
        if purpose_of(path) not in PURPOSES:
            message = f"{str(path)!r} is for nothing that an office knows"
            raise Refused(message, "a key file is called by its purpose, as valiza credential request writes it")
        new_file(work / "keys" / name / path.name, read_file(path, 8192), 0o600)
    return [path for path in files if path.suffix == ".vls" and path.name != REQUEST]
