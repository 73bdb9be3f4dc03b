"""An office's folder: who it is, whom it trusts, its officers' keys and its register.

office.toml                    body and names; `register`, the address of a database, where the register is not in register.db
roots/PARTY                    pinned fingerprints
rosters/PARTY-VERSION.vls      imported rosters, each with its index; the highest version counts
agreements/*.vls               adopted agreements and terminations
keys/OFFICER/PURPOSE.key       private keys, 0600; after a renewal PURPOSE-2.key and so on beside it
credentials/OFFICER/PURPOSE.vls and PURPOSE-2.vls and so on; a credential's key is the one with its public key, whatever their numbers
issued/                        credentials that this body issued on request, and roots, for the next roster
register.db                    the journal
"""

from __future__ import annotations

import fcntl
import os
import re
import time
import unicodedata
from contextlib import ExitStack, contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Final, TypeVar

from valiza.envelope.agreement import Agreements, read_agreement, read_termination
from valiza.envelope.container import read_container
from valiza.keys import labels
from valiza.keys.digests import digest
from valiza.keys.errors import Malformed, NoKey, NotAuthentic, Refused, Unavailable, Usage, ValizaError
from valiza.keys.external import ExternalSigningKey
from valiza.keys.fields import Body, body_id, names, party
from valiza.keys.files import about, read_file, read_text_file, storage_errors, sweep
from valiza.keys.fingerprint import parse_fingerprint
from valiza.keys.keyfile import load_key, public_part
from valiza.keys.log_key import LogSigningKey
from valiza.keys.processes import processors
from valiza.keys.recipient import Identity
from valiza.keys.roster import Counting, Roster, check_roster, peek_roster, read_roster, untold
from valiza.keys.signing import SigningKey
from valiza.keys.statement import LIMITS, read_statement
from valiza.keys.toml import parse_toml
from valiza.keys.trust import Trust
from valiza.office.book import KeptBook, Opening, open_book

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from pathlib import Path

    from valiza.keys.book import Book
    from valiza.keys.credential import Credential
    from valiza.keys.fields import Names
    from valiza.keys.keyfile import PrivateKey
    from valiza.register.journal import RegisterJournal

__all__ = [
    "BODY_OFFICER",
    "OFFICER_NAME",
    "Office",
    "next_renewal",
    "purpose_of",
    "read_given_roster",
    "require_office",
    "toml_string",
    "with_public_key",
]

_NUMBERED: Final = re.compile(r"([a-z]+)(?:-([1-9][0-9]*))?")  # PURPOSE, or PURPOSE-N after a renewal
OFFICER_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
BODY_OFFICER: Final = "office"  # whose folder of keys holds the root, certify and roster keys
_MAX_CONFIG: Final = 1 << 16
T = TypeVar("T")


def present() -> int:
    """The present, in seconds since 1970."""
    return int(time.time())


class Office:
    """An office at a folder. What it holds is read when it is first asked for, and checked as it is read; a key is unlocked once.

    Args:
        home: the folder.
        passphrase: asks for the passphrase of its keys.
        clock: tells the present, in seconds since 1970.
        tell: is told what was put right after an interrupted command, or is made anew.
        counting: is told how reading a large roster goes on.
        mends: whether what is made anew is written down.

    Raises:
        Usage: the folder is no office. Malformed: its `office.toml`.
    """

    def __init__(
        self,
        home: Path,
        passphrase: Callable[[], str],
        *,
        clock: Callable[[], int] = present,
        tell: Callable[[str], None] = lambda _: None,
        counting: Counting = untold,
        mends: bool = True,
    ) -> None:
        self.home = home
        self._passphrase = passphrase
        self._clock = clock
        self._tell = tell
        self._counting = counting
        self._mends = mends
        self._keys: dict[tuple[str, str, bytes], PrivateKey | NoKey] = {}  # by officer, purpose and public key
        self._credentials: dict[tuple[str, str], Credential] = {}
        self._books: dict[tuple[Path, bytes], KeptBook] = {}
        self._held = ExitStack()
        path = require_office(home)
        with about(path):
            config = _config(path)
            self.body = Body(party(config.get("party"), "party"), body_id(config.get("body"), "body"))
            given = config.get("names")
            self.names: Names = names(dict(sorted(given.items())) if isinstance(given, dict) else given, "names")
            self.register_address = _register_address(config)

    @property
    def own_roster(self) -> Book:
        """The latest roster of the own party.

        Raises:
            Refused: there is none here.
        """
        found = self.trust.rosters.get(self.body.party)
        if found is None:
            message = f"no roster of {self.body.party} is in this office"
            raise Refused(message, "restore it, or import it: valiza roster import FILE --root FINGERPRINT")
        return found

    # -- whom it trusts --------------------------------------------------------------------------------------------------

    def pinned(self) -> dict[str, bytes]:
        """Fingerprints of the pinned roots by party."""
        return self._pinned

    @cached_property
    def _pinned(self) -> dict[str, bytes]:
        found = {}
        for path in self._files("roots"):
            with about(path):
                found[path.name] = parse_fingerprint(read_file(path, 256).decode("ascii", "replace"))
        return found

    def roster_path(self, party_id: str) -> Path | None:
        """Where the latest roster of a party lies that was imported here."""
        found = [(int(m.group(1)), path) for path in self._files("rosters") if (m := re.fullmatch(rf"{party_id}-(\d+)\.vls", path.name))]
        return max(found)[1] if found else None

    def roster_of(self, party_id: str) -> KeptBook | None:
        """The latest roster of a party that was imported here."""
        path = self.roster_path(party_id)
        if path is None:
            return None
        fingerprint = self.pinned().get(party_id)
        if fingerprint is None:
            message = f"the root of {party_id} is not pinned here"
            raise Refused(message)
        book = self._books.get((path, fingerprint))
        if book is None:
            how = Opening(at=self._clock(), tell=self._tell, read=self.read_roster, keep=self._mends)
            book = self._books[path, fingerprint] = open_book(path, fingerprint, how)
        return book

    def read_roster(self, raw: bytes, fingerprint: bytes) -> Roster:
        """Read a roster and check every credential in it, with all processors if there are many.

        Raises:
            NotAuthentic, Malformed, Refused: as `check_roster` says.
        """
        return check_roster(raw, fingerprint, jobs=processors(), counting=self._counting)

    @cached_property
    def trust(self) -> Trust:
        """The rosters in force here, each as it was checked when it was imported, up to the root that is pinned now."""
        return Trust([roster for name in self.pinned() if (roster := self.roster_of(name)) is not None])

    @cached_property
    def agreements(self) -> Agreements:
        """The agreements and terminations adopted here."""
        paths, types = self._files("agreements"), (labels.AGREEMENT, labels.TERMINATION)
        ending = {path for path in paths if self._read(path, lambda raw, _: read_statement(raw, *types).type) == labels.TERMINATION}
        signed = Agreements([self._read(path, read_agreement) for path in paths if path not in ending])
        return Agreements(signed.all(), [self._read(path, read_termination, signed) for path in paths if path in ending])

    def _read(self, path: Path, read: Callable[..., T], *more: object) -> T:
        with about(path):
            return read(read_file(path, LIMITS[labels.AGREEMENT]), self.trust, *more)

    def _files(self, folder: str) -> list[Path]:
        return [path for path in sorted((self.home / folder).iterdir()) if not path.name.startswith(".")]

    @cached_property
    def journal(self) -> RegisterJournal:
        """The office's journal. What a killed command recorded as sealed, and never wrote, is withdrawn first."""
        from valiza.register.connecting import open_store  # noqa: PLC0415 - a database only where a journal is used
        from valiza.register.journal import RegisterJournal  # noqa: PLC0415 - the same

        if self.register_address is None:
            self._hold(fcntl.LOCK_SH, "the register is being restored", "try again")
        store = open_store(self.register_address, self.home / "register.db", self._clock)
        place = "" if self.register_address is None else f"{os.uname().nodename}:{self.home.resolve()}"  # the one of those who share it
        try:
            journal = RegisterJournal(store, self.body, self._clock, place=place)
        except BaseException:
            store.close()
            raise
        try:
            if journal.unnamed():
                self._withdraw_unnamed(journal)
        except BaseException:
            journal.close()
            raise
        return journal

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else has the register in this folder open, or opens it, while the block runs.

        Raises:
            Unavailable: another program has it open.
        """
        self._hold(fcntl.LOCK_EX, "another program has the register of this office open", "let it end, and try again")
        try:
            yield
        finally:
            self._held.close()

    def _hold(self, how: int, message: str, hint: str) -> None:
        """Hold a lock that says who uses the register: whoever puts another one in its place has to be alone with it."""
        try:
            self._held.enter_context(_locked(self.home / "office.toml", how | fcntl.LOCK_NB))
        except BlockingIOError as error:
            raise Unavailable(message, hint) from error

    @contextmanager
    def naming(self) -> Iterator[None]:
        """Holds the office's lock while envelopes are recorded that have no name yet, so that no other command takes them for left over."""
        with _locked(self.home, fcntl.LOCK_SH):
            yield

    def _withdraw_unnamed(self, journal: RegisterJournal) -> None:
        try:
            with _locked(self.home, fcntl.LOCK_EX | fcntl.LOCK_NB):
                for dispatch_digest, path in journal.unnamed():
                    if not journal.withdrawn(dispatch_digest) and _dispatch_of(path) != dispatch_digest:
                        journal.withdraw(dispatch_digest, reason="interrupted before the envelope had its name", at=self._clock())
                        number = journal.story(dispatch_digest)[0].number
                        self._tell(f"withdrew {number}: sealing was interrupted before {str(path)!r} was there")
                    journal.settle([dispatch_digest])
        except BlockingIOError:
            pass  # somebody is sealing now: they are his

    def register_files(self) -> tuple[Path, ...]:
        """The files of the register, which is opened if it was not: all that is written in this folder while an envelope is opened."""
        _ = self.journal
        if self.register_address is not None:
            return ()
        return tuple(self.home / f"register.db{ending}" for ending in ("", "-wal", "-shm"))

    def close(self) -> None:
        """Close the journal, if it was used, and end the programs that keep halves of keys."""
        for key in self._keys.values():
            if isinstance(key, ExternalSigningKey):
                key.close()
        journal = self.__dict__.pop("journal", None)
        if journal is not None:
            journal.close()
        self._held.close()

    def reread(self) -> None:
        """Forget what was read of trust and agreements, after they changed."""
        for name in ("_pinned", "trust", "agreements"):
            self.__dict__.pop(name, None)
        self._books.clear()
        self._credentials.clear()

    def sweep(self) -> list[Path]:
        """Remove what killed commands left unfinished in this folder; returns what was removed."""
        removed = sweep(self.home)
        for folder in sorted(path for pattern in ("*", "*/*") for path in self.home.glob(pattern) if path.is_dir()):
            removed += sweep(folder)
        return removed

    # -- officers --------------------------------------------------------------------------------------------------------

    def officers(self) -> list[str]:
        """Names of the officers of this office."""
        return [path.name for path in self._files("credentials") if path.name != BODY_OFFICER]

    def credential_path(self, officer: str, purpose: str) -> Path:
        """Where an officer's own credential for a purpose lies, or the first of several."""
        return self.home / "credentials" / _officer(officer) / f"{purpose}.vls"

    def key_path(self, officer: str, purpose: str) -> Path:
        """Where an officer's key for a purpose lies, or the first of several."""
        return self.home / "keys" / _officer(officer) / f"{purpose}.key"

    def credential_paths(self, officer: str, purpose: str) -> list[Path]:
        """An officer's credentials for a purpose, the first one first: a renewal puts another one beside those that are there."""
        return _renewals(self.credential_path(officer, purpose))

    def key_paths(self, officer: str, purpose: str) -> list[Path]:
        """An officer's keys for a purpose, the first one first."""
        return _renewals(self.key_path(officer, purpose))

    def credential(self, officer: str, purpose: str) -> Credential:
        """The credential by which an officer acts for a purpose now: the latest that is in the roster of the own party and in force.

        Raises:
            NoKey: the officer has none. Refused: none is in the roster, or it is of another body.
        """
        known = self._credentials.get((officer, purpose))
        if known is None:
            found, at = self.credentials(officer, purpose), self._clock()
            in_force = [credential for credential in found if self.trust.in_force(credential, at)]
            known = max(in_force or found, key=lambda credential: credential.valid_from if in_force else credential.valid_until)
            self._credentials[officer, purpose] = known
        return known

    def credentials(self, officer: str, purpose: str) -> list[Credential]:
        """Every credential of an officer for a purpose that is in the roster of the own party, the newest first, in force or not.

        Raises:
            NoKey: the officer has none. Refused: none is in the roster, or one is of another body.
        """
        paths = self.credential_paths(officer, purpose)
        if not paths:
            message = f"the officer {officer!r} has no {purpose} credential in this office"
            raise NoKey(message, f"officers who have: {', '.join(self.officers_with(purpose)) or 'none'}")
        names = [digest(labels.DIGEST_STATEMENT, read_file(path, LIMITS[labels.CREDENTIAL])) for path in reversed(paths)]
        found = [credential for name in names if (credential := self.trust.credential(name)) is not None]
        if not found:
            message = f"the {purpose} credential of {officer!r} is not in the roster of {self.body.party} known here"
            raise Refused(message, "publish a roster with it: valiza roster publish")
        strange = next((credential for credential in found if credential.body != self.body), None)
        if strange is not None:
            message = f"the {purpose} credential of {officer!r} is of {strange.body}, and this is {self.body}"
            raise Refused(message, "put back the credential, or office.toml, that was changed")
        return found

    def has_credential(self, officer: str, purpose: str) -> bool:
        """Whether an officer has a credential for a purpose; it may yet be refused."""
        return (officer, purpose) in self._credentials or bool(self.credential_paths(officer, purpose))

    def officers_with(self, purpose: str) -> list[str]:
        """Officers who have a credential for a purpose."""
        return [name for name in self.officers() if self.has_credential(name, purpose)]

    def pick(self, officer: str | None, purpose: str) -> str:
        """The officer named, or the only one who has a credential for the purpose.

        Raises:
            Usage: none was named, and several could be meant. NoKey: nobody has one.
        """
        if officer is not None:
            _officer(officer)
            return officer
        able = self.officers_with(purpose)
        if not able:
            message = f"no officer of this office is certified to {purpose}"
            raise NoKey(message)
        if len(able) > 1:
            message = f"several officers are certified to {purpose}: {', '.join(able)}"
            raise Usage(message, "say which with --as NAME or VALIZA_AS")
        return able[0]

    def signing_key(self, officer: str, purpose: str) -> SigningKey | ExternalSigningKey:
        """An officer's signing key, unlocked, and the one that is certified. Who keeps a half of it elsewhere is asked for it here, before any work.

        Raises:
            NoKey: it is not here, another one lies in its place, or the passphrase is wrong. Refused, Unavailable: see `ExternalSigningKey.begin`.
        """
        if purpose == "root":
            key = self._custodian_key(officer)
            if isinstance(key, ExternalSigningKey):
                key.begin()
            return key
        return self.key_of(officer, self.credential(officer, purpose))

    def key_of(self, officer: str, credential: Credential) -> SigningKey | ExternalSigningKey:
        """The signing key that belongs to one of an officer's credentials; errors as `signing_key`."""
        key = self._key(officer, credential.purpose, credential.verify_key.raw)
        if not isinstance(key, SigningKey | ExternalSigningKey):
            raise self._other_key(officer, credential.purpose)
        if isinstance(key, ExternalSigningKey):
            key.begin()
        return key

    def _custodian_key(self, officer: str) -> SigningKey | ExternalSigningKey:
        for custodian in self.own_roster.root.custodians:
            if with_public_key(self.key_paths(officer, "root"), custodian.key.raw) is not None:
                key = self._key(officer, "root", custodian.key.raw)
                if isinstance(key, SigningKey | ExternalSigningKey):
                    return key
        if not self.key_paths(officer, "root"):
            message = f"the root key of {officer!r} is not in this office"
            raise NoKey(message)
        message = f"the root key in this office is that of no custodian of {self.body.party}"
        raise NoKey(message, "the root was renewed, or another file lies in its place")

    def identity(self, officer: str, credential: Credential | None = None) -> Identity:
        """An officer's opening key, unlocked, and the one that is certified: now, or by an earlier credential of his.

        Raises:
            NoKey: it is not here, another one lies in its place, or the passphrase is wrong.
        """
        certified = self.credential(officer, "open") if credential is None else credential
        key = self._key(officer, "open", certified.recipient.raw)
        if not isinstance(key, Identity):
            raise self._other_key(officer, "open")
        return key

    def log_key(self, officer: str, credential: Credential | None = None) -> LogSigningKey:
        """An officer's key for the register, unlocked, the one that is certified: now, or by an earlier credential of his; errors as `identity`."""
        certified = self.credential(officer, "register") if credential is None else credential
        key = self._key(officer, "register", certified.log_key.raw)
        if not isinstance(key, LogSigningKey):
            raise self._other_key(officer, "register")
        return key

    def private_key(self, officer: str, credential: Credential) -> PrivateKey:
        """The key that belongs to one of an officer's credentials, whatever it is for; errors as `signing_key`."""
        if credential.purpose == "open":
            return self.identity(officer, credential)
        return self.log_key(officer, credential) if credential.purpose == "register" else self.key_of(officer, credential)

    def addressee(self, officer: str, addressed: Collection[bytes]) -> Credential:
        """The newest `open` credential of an officer that is among the addressed ones, or else the one that he has now; errors as `credential`."""
        found = (credential for credential in self.credentials(officer, "open") if credential.digest in addressed)
        return next(found, None) or self.credential(officer, "open")

    def _other_key(self, officer: str, purpose: str) -> NoKey:
        message = f"the {purpose} key of {officer!r} in this office is not the one that is certified"
        return NoKey(message, f"put the right file at {self.key_path(officer, purpose)}, or certify the officer anew")

    def _key(self, officer: str, purpose: str, public: bytes) -> PrivateKey:
        if (officer, purpose, public) not in self._keys:
            self._keys[officer, purpose, public] = self._unlock(officer, purpose, public)
        found = self._keys[officer, purpose, public]
        if isinstance(found, NoKey):
            raise found
        return found

    def _unlock(self, officer: str, purpose: str, public: bytes) -> PrivateKey | NoKey:
        """The key with a public key; or why it cannot be had, so that a wrong passphrase is tried once however many objects there are."""
        paths = self.key_paths(officer, purpose)
        if not paths:
            message = f"the {purpose} key of {officer!r} is not in this office"
            return NoKey(message)
        path = with_public_key(paths, public)
        if path is None:
            return self._other_key(officer, purpose)
        with about(path):
            try:
                return load_key(path, self._passphrase)
            except NoKey as error:
                return error


def with_public_key(paths: Iterable[Path], public: bytes) -> Path | None:
    """The key file among some that has this public key; None if none has.

    Raises:
        Malformed: none has, and one of them is no key file. Unavailable: one cannot be read.
    """
    damaged: list[Malformed] = []
    for path in paths:
        try:
            with about(path):
                if public_part(path).public == public:
                    return path
        except Malformed as error:  # a damaged file hides no other one
            damaged.append(error)
    if damaged:
        raise damaged[0]
    return None


def _renewals(first: Path) -> list[Path]:
    """A file of an officer, and those that renewals put beside it, by their numbers."""
    try:
        names = [path.name for path in first.parent.iterdir()]  # what may not be listed is an error, and not empty
    except (FileNotFoundError, NotADirectoryError):
        return []
    found = {}
    for name in names:
        if name.startswith(first.stem) and name.endswith(first.suffix):
            match = _NUMBERED.fullmatch(name.removesuffix(first.suffix))
            if match is not None and match[1] == first.stem and match[2] != "1" and (path := first.with_name(name)).is_file():
                found[int(match[2] or 1)] = path
    return [found[number] for number in sorted(found)]


def next_renewal(paths: list[Path], first: Path) -> Path:
    """The name for one more of these files; `first` where there is none."""
    if not paths:
        return first
    last = _NUMBERED.fullmatch(paths[-1].stem)
    return first.with_stem(f"{first.stem}-{int(last[2] or 1) + 1 if last else len(paths) + 1}")


def purpose_of(path: Path) -> str:
    """What a key or credential file of an officer is for, by its name."""
    match = _NUMBERED.fullmatch(path.stem)
    return match[1] if match else path.stem


def require_office(home: Path) -> Path:
    """The file by which a folder is an office.

    Raises:
        Usage: it is not there.
    """
    path = home / "office.toml"
    if not path.is_file():
        message = f"{str(home)!r} is no office"
        raise Usage(message, "make one with: valiza office init, or name one with --home DIR or VALIZA_HOME")
    return path


@contextmanager
def _locked(path: Path, how: int) -> Iterator[None]:
    """Hold a lock on a folder or file; `BlockingIOError` if it cannot be had and is not waited for."""
    with storage_errors(path):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, how)
        yield
    finally:
        os.close(descriptor)


def _dispatch_of(path: Path) -> bytes | None:
    """Digest of the dispatch of the envelope at a path; None if there is no envelope."""
    try:
        with path.open("rb", buffering=0) as file:
            return digest(labels.DIGEST_STATEMENT, read_container(file).dispatch_raw)
    except (OSError, ValizaError):
        return None


def _config(path: Path) -> dict[str, object]:
    return parse_toml(read_text_file(path, _MAX_CONFIG, "office file"), "it")


def _register_address(config: dict[str, object]) -> str | None:
    """Where the register is, if it is not in the office's folder. The environment wins, so that one machine can go another way to it."""
    given = os.environ.get("VALIZA_REGISTER") or config.get("register")
    if given is not None and not isinstance(given, str):
        message = "register is not the address of a database"
        raise Malformed(message, 'write it so: register = "postgresql://USER@HOST/DATABASE"')
    return given


def toml_string(text: str) -> str:
    """A TOML basic string; whatever could not stand in one, or would turn a terminal's text, is escaped."""
    shown = []
    for character in text:
        if character in '"\\':
            shown.append("\\" + character)
        elif unicodedata.category(character) in {"Cc", "Cf", "Co", "Zl", "Zp"}:
            shown.append(f"\\U{ord(character):08X}")
        else:
            shown.append(character)
    return '"' + "".join(shown) + '"'


def _officer(name: str) -> str:
    if not OFFICER_NAME.fullmatch(name):
        message = f"{name!r} is no officer's name: small letters, digits, dot, hyphen, underscore"
        raise Usage(message)
    return name


def read_given_roster(path: Path, fingerprints: list[bytes]) -> Roster:
    """A roster from a file whose root has one of the given fingerprints.

    Raises:
        NotAuthentic, Malformed, Refused, Unavailable: it has not, or is none.
    """
    if not fingerprints:
        message = "no fingerprint of a root was given"
        raise Usage(message, "give the fingerprint of each party's root with --root")
    raw = read_file(path, LIMITS[labels.ROSTER])
    with about(path, Malformed):
        name, claimed = peek_roster(raw)
    found = [root for root in claimed if root in fingerprints]
    if not found:
        message = f"the roster {str(path)!r} of {name} has a root whose fingerprint was not given"
        raise NotAuthentic(message, "give the fingerprint of each party's root, as you compared it, with --root")
    with about(path, Malformed):
        return read_roster(raw, found[-1])
