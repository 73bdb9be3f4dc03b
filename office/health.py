"""What is wrong with an office, and how to mend it. Nothing is changed, and no passphrase asked for.

Each check reads for itself and says what it cannot read, so that one damaged file does not hide another.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import shlex
import sqlite3
import stat
import subprocess
import time
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Final

from valiza.keys import labels
from valiza.keys.cost import FLOOR
from valiza.keys.digests import digest
from valiza.keys.errors import NoKey, Refused, ValizaError
from valiza.keys.files import PREFIX, about, read_file
from valiza.keys.keyfile import PublicPart, public_part
from valiza.keys.roster import Counting, untold
from valiza.keys.secrecy import guarded
from valiza.keys.statement import LIMITS
from valiza.keys.trust import Trust
from valiza.office.book import index_faults
from valiza.office.home import BODY_OFFICER, Office, purpose_of
from valiza.office.keyring import OfficeKey, office_keys
from valiza.office.revoking import FOLDER, pending
from valiza.register.connecting import open_store
from valiza.register.sqlite import VERSION
from valiza.register.store import Query

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from valiza.envelope.agreement import Agreement
    from valiza.keys.credential import Credential
    from valiza.keys.keyfile import Argon2Cost
    from valiza.keys.roster import Roster

__all__ = ["CHECKS", "NOTE", "OK", "PROBLEM", "Finding", "examine"]

OK, NOTE, PROBLEM = "ok", "note", "problem"
_DAY: Final = 86400
_SOON: Final = 30 * _DAY
_SCARCE: Final = 64 << 20  # bytes free; below it no command can be relied on
_LITTLE: Final = 1 << 30
_ENOUGH_ADDRESSEES: Final = 2
_FAR: Final = {"9p", "afs", "ceph", "cifs", "fuse.sshfs", "nfs", "nfs4", "smb3", "smbfs"}  # file systems on which SQLite's log cannot be relied on


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    level: ok, note (worth knowing) or problem. check: which check. what: in words. where: the file or party, if one is meant.
    mend: what to type or do.
    """

    level: str
    check: str
    what: str
    where: str = ""
    mend: str = ""


@dataclass(frozen=True, slots=True)
class _Patient:
    """The office that is examined, and when."""

    home: Path
    office: Office
    at: int
    _read: dict[str, tuple[Path, Roster] | ValizaError | None] = field(default_factory=dict)
    _judging: list[Trust] = field(default_factory=list)

    def command(self, *words: str | Path) -> str:
        """A command at this office, to be typed as it is."""
        return shlex.join(["valiza", *map(str, words), "--home", str(self.home)])

    def roster(self, party: str) -> tuple[Path, Roster] | ValizaError | None:
        """The latest roster of a party, read whole, where it lies; or why it cannot be read; or None: there is none."""
        if party not in self._read:
            try:
                self._read[party] = self._read_roster(party)
            except ValizaError as error:
                self._read[party] = error
        return self._read[party]

    def _read_roster(self, party: str) -> tuple[Path, Roster] | None:
        path = self.office.roster_path(party)
        if path is None:
            return None
        with about(path):
            return path, self.office.read_roster(read_file(path, LIMITS[labels.ROSTER]), self.office.pinned()[party])

    @property
    def rosters(self) -> list[Roster]:
        """The rosters that can be read; those that cannot are told by `_rosters`."""
        with contextlib.suppress(ValizaError):
            return [found[1] for name in self.office.pinned() if isinstance(found := self.roster(name), tuple)]
        return []

    @property
    def trust(self) -> Trust:
        """The same."""
        return Trust(self.rosters)

    def fault(self, credential: Credential) -> str:
        """Why a credential is not in force now, as the office judges it, which knows when it first saw each; nothing if it is."""
        if not self._judging:
            try:
                self._judging.append(self.office.trust)
            except (ValizaError, OSError):
                self._judging.append(self.trust)
        try:
            self._judging[0].require_in_force(credential, at=self.at, act="use")
        except Refused as error:
            return error.message
        return ""


def examine(home: Path, *, at: int, counting: Counting = untold) -> list[Finding]:
    """Look at everything, in the order of `CHECKS`; `counting` is told how reading large rosters goes on.

    Raises:
        Usage: there is no office. Malformed: its office.toml. Unavailable, OSError: the folder cannot be read.
    """

    def nobody() -> str:
        message = "no passphrase is asked for here"
        raise NoKey(message)

    os.listdir(home)  # noqa: PTH208 - told as it is if that fails
    patient = _Patient(home, Office(home, nobody, counting=counting, mends=False), at)
    found: list[Finding] = []
    for name, check in CHECKS.items():
        try:
            findings = [Finding(level, name, *rest) for level, *rest in check(patient)]
        except OSError as error:
            findings = [Finding(PROBLEM, name, f"it cannot be looked at: {(error.strerror or str(error)).lower()}", str(error.filename or home))]
        found += findings or [Finding(OK, name, _FINE[name])]
    return found


# --- files ------------------------------------------------------------------------------------------------------------------------------------------

_Row = tuple[str, ...]


def _files(patient: _Patient) -> Iterator[_Row]:
    for path in [patient.home, *sorted(patient.home.rglob("*"))]:
        state = path.lstat()
        quoted = shlex.quote(str(path))
        if path.name.startswith(PREFIX):
            continue  # another check's
        if stat.S_ISLNK(state.st_mode) and path != patient.home:
            yield NOTE, "it is a link: what it leads to is not examined", str(path)
            continue
        state = path.stat()
        if state.st_uid != os.geteuid():
            yield PROBLEM, f"it belongs to user {state.st_uid}, not to you ({os.geteuid()})", str(path), f"chown {os.geteuid()} {quoted}"
        if stat.S_ISDIR(state.st_mode):
            if state.st_mode & 0o077:
                yield PROBLEM, f"others may enter this folder (mode {state.st_mode & 0o777:04o})", str(path), f"chmod 0700 {quoted}"
        elif not stat.S_ISREG(state.st_mode):
            yield PROBLEM, "it is neither a file nor a folder", str(path), f"rm {quoted}"
        elif path.suffix == ".key" and state.st_mode & 0o077:
            yield PROBLEM, f"others may read this private key (mode {state.st_mode & 0o777:04o})", str(path), f"chmod 0600 {quoted}"
        elif state.st_mode & 0o022 or (path.name.startswith("register.db") and state.st_mode & 0o077):
            yield PROBLEM, f"others may use this file (mode {state.st_mode & 0o777:04o})", str(path), f"chmod go-rwx {quoted}"


def _above(patient: _Patient) -> Iterator[_Row]:
    for folder in patient.home.resolve().parents:
        state = folder.stat()
        quoted = shlex.quote(str(folder))
        if state.st_mode & stat.S_ISVTX:
            continue
        if state.st_mode & stat.S_IWOTH:
            yield PROBLEM, "anybody may put another folder in the place of this office", str(folder), f"chmod o-w {quoted}"
        elif state.st_mode & stat.S_IWGRP and state.st_gid not in {0, os.getegid()}:
            yield NOTE, f"the members of group {state.st_gid} may put another folder in the place of this office", str(folder), f"chmod g-w {quoted}"
        if state.st_uid not in {0, os.geteuid()}:
            yield NOTE, f"user {state.st_uid} may put another folder in the place of this office", str(folder)


def _leftovers(patient: _Patient) -> Iterator[_Row]:
    for path in sorted(p for pattern in ("", "*/", "*/*/") for p in patient.home.glob(f"{pattern}{PREFIX}*")):
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)  # who is still writing holds it
        except BlockingIOError:
            continue
        finally:
            os.close(descriptor)
        yield NOTE, "an interrupted command left it; the next one removes it", str(path), patient.command("office", "show")


def _disk(patient: _Patient) -> Iterator[_Row]:
    system = os.statvfs(patient.home)
    free = system.f_bavail * system.f_frsize
    if free < _LITTLE:
        yield (PROBLEM if free < _SCARCE else NOTE), f"{free >> 20} MiB are free on its disk", str(patient.home), "make room"
    if system.f_files and not system.f_favail:
        yield PROBLEM, "no further file can be made on its disk", str(patient.home), "remove files that nobody needs"
    if system.f_flag & os.ST_RDONLY:
        yield PROBLEM, "its disk can only be read", str(patient.home), "mount it for writing"
        return
    kind = _file_system(patient.home)
    if kind in _FAR:
        yield PROBLEM, f"it lies on a network file system ({kind}), where a register can be damaged", str(patient.home), "move it to a local disk"
    try:
        os.close(os.open(patient.home, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    except OSError as error:
        if error.errno in {errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL}:
            yield NOTE, f"its file system ({kind}) knows no unnamed files: what is being written has a .valiza- name meanwhile", str(patient.home)
        else:
            yield (
                PROBLEM,
                f"no file can be made there: {(error.strerror or '').lower()}",
                str(patient.home),
                f"ls -ld {shlex.quote(str(patient.home))}",
            )


def _file_system(path: Path) -> str:
    """The kind of file system that a path lies on, as the kernel calls it; "unknown" where it does not say."""
    wanted = os.stat(path).st_dev  # noqa: PTH116 - beside makedev
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            major, minor = line.split()[2].split(":")
            if os.makedev(int(major), int(minor)) == wanted:
                return line.partition(" - ")[2].split()[0]
    return "unknown"


# --- keys and trust ---------------------------------------------------------------------------------------------------------------------------------


def _keys(patient: _Patient) -> Iterator[_Row]:
    trust, found = patient.trust, list[tuple[OfficeKey, PublicPart]]()
    for key in office_keys(patient.home):
        try:
            part = public_part(key.path)
        except ValizaError as error:
            yield PROBLEM, f"it cannot be read as a key: {error.message}", str(key.path), "restore it from a backup"
            continue
        found.append((key, part))
    for key, part in found:
        certified = _certified(patient, trust, key.officer, key.purpose)
        if part.public in certified:
            continue
        right = {other.public for one, other in found if (one.officer, one.purpose) == (key.officer, key.purpose)} & certified
        if right or not (certified or patient.office.has_credential(key.officer, key.purpose)):
            yield NOTE, "no credential here belongs to this key", str(key.path)
        elif certified:
            yield PROBLEM, f"it is not the key that is certified for {key.officer!r}", str(key.path), "restore the right one from a backup"
    for officer in dict.fromkeys(key.officer for key, _ in found):
        yield from _passphrases(patient, officer, [part.cost for key, part in found if key.officer == officer])
    here = {
        (key.officer, key.purpose): {part.public for one, part in found if (one.officer, one.purpose) == (key.officer, key.purpose)}
        for key, _ in found
    }
    for path in sorted((patient.home / "credentials").glob("*/*.vls")):
        officer, purpose = path.parent.name, purpose_of(path)
        credential, keys = _credential(trust, path), here.get((officer, purpose), set())
        if not keys if credential is None else credential.key.raw not in keys:
            missing = patient.home / "keys" / officer / f"{path.stem}.key"
            # Those of the body may be kept elsewhere, and after a renewal the old one is needed less.
            level = NOTE if officer == BODY_OFFICER or _followed(patient, path) else PROBLEM
            yield level, f"the {purpose} key of {officer!r} is not here", str(missing), "restore it from a backup, or certify the officer anew"


def _followed(patient: _Patient, path: Path) -> bool:
    """Whether another credential has taken the place of this one: it is in force, and ends later."""
    own = _credential(patient.trust, path)
    others = (_credential(patient.trust, other) for other in patient.office.credential_paths(path.parent.name, purpose_of(path)) if other != path)
    return any(one is not None and patient.trust.in_force(one, patient.at) and (own is None or one.valid_until > own.valid_until) for one in others)


def _passphrases(patient: _Patient, officer: str, costs: list[Argon2Cost | None]) -> Iterator[_Row]:
    """What protects the keys of an officer."""
    where, mend = str(patient.home / "keys" / officer), patient.command("key", "passphrase", "--as", officer)
    if count := costs.count(None):
        yield NOTE, f"{count} keys of {officer!r} have no passphrase: whoever reads the files has them", where, mend
    if count := sum(cost is not None and (cost.passes < FLOOR.passes or cost.memory_kib < FLOOR.memory_kib) for cost in costs):
        yield NOTE, f"the passphrase of {count} keys of {officer!r} is cheap to guess at", where, mend


def _signers(patient: _Patient) -> Iterator[_Row]:
    """Who keeps halves of keys. No program is started: nobody has unlocked the files that name them."""
    for key in office_keys(patient.home):
        with contextlib.suppress(ValizaError):  # what cannot be read is told by `_keys`
            signer = public_part(key.path).signer
            if signer is None:
                continue
            whose = f"a half of the {key.purpose} key of {key.officer!r} is kept by {signer.program}"
            if os.access(signer.program, os.X_OK):
                yield OK, f"{whose}, as {signer.reference}", str(key.path), patient.command("key", "check", "--as", key.officer)
            else:
                yield PROBLEM, f"{whose}, which is not there", str(key.path), patient.command("key", "external", "FILE")


def _certified(patient: _Patient, trust: Trust, officer: str, purpose: str) -> set[bytes]:
    """The public keys that are certified for an officer; none if the rosters here know of none. A root's are those of its custodians."""
    if (officer, purpose) == (BODY_OFFICER, "root"):
        own = trust.rosters.get(patient.office.body.party)
        return set() if own is None else {custodian.key.raw for custodian in own.root.custodians}
    found = [_credential(trust, path) for path in patient.office.credential_paths(officer, purpose)]
    return {credential.key.raw for credential in found if credential is not None}


def _credential(trust: Trust, path: Path) -> Credential | None:
    with contextlib.suppress(ValizaError):
        return trust.credential(digest(labels.DIGEST_STATEMENT, read_file(path, LIMITS[labels.CREDENTIAL])))
    return None


def _date(at: int) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(at))


def _until(patient: _Patient, end: float) -> str:
    days = int(abs(end - patient.at)) // _DAY
    count = "today" if days == 0 else f"{days} day{'s' * (days != 1)}"
    if end <= patient.at:
        return "expired today" if days == 0 else f"expired {count} ago"
    return "expires today" if days == 0 else f"expires in {count}"


def _credentials(patient: _Patient) -> Iterator[_Row]:
    trust = patient.trust
    for path in sorted((patient.home / "credentials").glob("*/*.vls")):
        officer, purpose = path.parent.name, purpose_of(path)
        found = _credential(trust, path)
        if found is None:
            mend = patient.command("roster", "publish", "-o", "FILE")
            yield PROBLEM, "it is in no roster known here, so nobody accepts it", str(path), f"{mend}, or restore it from a backup"
            continue
        followed = _followed(patient, path)
        if found.valid_until - patient.at < _SOON and not followed:
            level = PROBLEM if found.valid_until <= patient.at else NOTE
            mend = patient.command("credential", "renew", officer) + (", or with -o FILE for the custodians of the root" * (officer == BODY_OFFICER))
            yield level, f"the {purpose} credential of {officer!r} {_until(patient, found.valid_until)}", str(path), mend
        if found.valid_from > patient.at:
            yield NOTE, f"the {purpose} credential of {officer!r} is not valid yet", str(path)
        elif found.valid_until > patient.at and not followed and (fault := patient.fault(found)):
            yield PROBLEM, fault, str(path), patient.command("revocation", "list")
        for one in trust.history(found).revocations:
            if one.effective_at > patient.at:
                yield NOTE, f"the {purpose} credential of {officer!r} is to be {one}", str(path), "certify him anew in time, if he stays"
    yield from _waiting(patient)


def _waiting(patient: _Patient) -> Iterator[_Row]:
    """Revocations that nobody else knows yet."""
    where = str(patient.home / FOLDER)
    try:
        count = len(pending(patient.office))
    except ValizaError as error:
        yield PROBLEM, f"the revocations that were signed here cannot be read: {error.message}", where, "restore them from a backup"
        return
    if count:
        what = f"{count} revocation{'s' * (count != 1)} that this office signed wait for the next roster: until then they count for nobody"
        yield PROBLEM, what, where, patient.command("roster", "publish", "-o", "FILE")


def _rosters(patient: _Patient) -> Iterator[_Row]:
    own = patient.office.body.party
    try:
        pinned = patient.office.pinned()
    except ValizaError as error:
        yield PROBLEM, error.message, str(patient.home / "roots"), "restore it from a backup"
        return
    if own not in pinned:
        yield PROBLEM, f"the root of {own}, this office's own party, is not pinned", str(patient.home / "roots"), "restore it from a backup"
    if not set(pinned) - {own}:
        mend = patient.command("roster", "import", "FILE", "--root", "FINGERPRINT")
        yield NOTE, "no other party is known here", str(patient.home / "roots"), mend
    for name in pinned:
        newer = patient.command("roster", "publish", "-o", "FILE") if name == own else patient.command("roster", "import", "FILE")
        read = patient.roster(name)
        if isinstance(read, ValizaError):
            yield PROBLEM, read.message, str(patient.home / "rosters"), "restore it from a backup"
            continue
        if read is None:
            yield PROBLEM, f"no roster of {name} is here", str(patient.home / "rosters"), newer
            continue
        path, roster = read
        fault, used = index_faults(path, roster)
        if fault:
            mend = f"rm {shlex.quote(str(path.with_suffix('.index')))}" if used else patient.command("roster", "show")
            yield PROBLEM if used else NOTE, f"the index of {str(path)!r} has to be made anew: {fault}", str(path.with_suffix(".index")), mend
        left = roster.expires_at - patient.at
        level = PROBLEM if left <= 0 else NOTE if left < _SOON else OK
        what = f"the roster of {name}, version {roster.version}, issued {_date(roster.issued_at)}, {_until(patient, roster.expires_at)}"
        yield level, what, name, "" if level == OK else newer
        if roster.root.valid_until - patient.at < _SOON:
            level = PROBLEM if roster.root.valid_until <= patient.at else NOTE
            yield level, f"the root of {name} {_until(patient, roster.root.valid_until)}", name, "a new root, and its fingerprint compared anew"
        if roster.issued_at > patient.at:
            yield PROBLEM, f"the roster of {name} is issued in the future", name, "set the clock right"


def _addressees(patient: _Patient) -> Iterator[_Row]:
    openers: dict[str, set[bytes]] = {str(patient.office.body): set()}
    for roster in patient.rosters:
        for credential in roster.outlines:
            if credential.purpose == "open" and not patient.fault(roster.credentials[credential.digest]):
                openers.setdefault(str(credential.body), set()).add(credential.subject)
    for body, officers in openers.items():
        if len(officers) < _ENOUGH_ADDRESSEES:
            ours = body == str(patient.office.body)
            mend = patient.command("credential", "issue", "NAME:open:CLEARANCE") if ours else "ask them to certify a second officer"
            what = (
                f"{'nobody' if not officers else 'only one officer'} of {body} can open what is sealed for it; without a second, seal needs --single"
            )
            yield NOTE, what, body, mend


def _agreements(patient: _Patient) -> Iterator[_Row]:
    where = str(patient.home / "agreements")
    try:
        known = patient.office.agreements
        versions: dict[str, list[Agreement]] = {}
        for agreement in known.all():
            versions.setdefault(agreement.profile.id, []).append(agreement)
    except ValizaError as error:
        yield PROBLEM, f"the agreements cannot be read: {error.message}", where, error.hint or "restore them from a backup"
        return
    if not versions:
        yield NOTE, "no agreement is adopted here", where, patient.command("agreement", "adopt", "FILE")
    for name, found in versions.items():
        ends = [(_end(known.terminated_at(a), a.profile.valid_until), a) for a in found if a.profile.valid_from <= patient.at]
        if not ends:
            yield NOTE, f"{name} is not in force yet", where
            continue
        end, last = max(ends, key=lambda pair: (pair[0], pair[1].profile.version))
        if end - patient.at < _SOON:
            level = PROBLEM if end <= patient.at else NOTE
            mend = "adopt the version that follows: " + patient.command("agreement", "adopt", "FILE")
            yield level, f"{last} {_until(patient, end)}", where, mend


def _end(*times: int | None) -> float:
    return min((at for at in times if at is not None), default=float("inf"))


# --- register, clock, machine -----------------------------------------------------------------------------------------------------------------------


def _register(patient: _Patient) -> Iterator[_Row]:
    path = patient.home / "register.db"
    if patient.office.register_address is not None:
        yield from _shared_register(patient, patient.office.register_address)
        if path.exists():
            yield NOTE, "it is not used any more: the register is in a database", str(path)
        return
    if not path.exists():
        yield NOTE, "there is no register yet; the first command that needs it makes it", str(path)
        return
    log = path.with_name("register.db-wal")
    logged = log.exists() and log.stat().st_size > 0
    try:
        with contextlib.closing(_read_only(path, logged=logged)) as database:
            said = [str(row[0]) for row in database.execute("PRAGMA quick_check(5)")]
            version = database.execute("PRAGMA user_version").fetchone()[0]
            if version != VERSION:
                yield PROBLEM, f"it is of version {version}, and this program knows {VERSION}", str(path), "use the program that made it"
            if said != ["ok"]:
                yield PROBLEM, f"it is damaged: {'; '.join(said)}", str(path), "restore it from a backup"
            count, last = database.execute("SELECT count(*), max(at) FROM entry").fetchone()
    except sqlite3.Error as error:
        yield PROBLEM, f"it cannot be read: {error}", str(path), "restore it from a backup"
        return
    if last is not None and last > patient.at:
        yield _ahead(last, str(path))
    if logged:
        yield NOTE, "it has a log that is not taken in: a command is at work, or was killed; the next one takes it in", str(log)
    yield OK, f"{count} entries, no damage found", str(path)


def _shared_register(patient: _Patient, address: str) -> Iterator[_Row]:
    try:
        with contextlib.closing(open_store(address, patient.home, lambda: patient.at)) as store:
            count, body = store.count(Query()), store.identity()
            last = next(store.facts(Query(newest_first=True, limit=1)), None)
    except ValizaError as error:
        yield PROBLEM, error.message, "", error.hint
        return
    if body not in {None, patient.office.body}:
        mend = "set register in office.toml, or VALIZA_REGISTER, to the address of the register of this body"
        yield PROBLEM, f"it is that of {body}, and this office is of {patient.office.body}", address, mend
    if last is not None and last.at > patient.at:
        yield _ahead(last.at, address)
    yield OK, f"{count} entries in {address}", address


def _ahead(at: int, where: str) -> _Row:
    what = f"its last entry is of {time.strftime('%Y-%m-%d %H:%M', time.gmtime(at))} UTC, which is still to come"
    return PROBLEM, what, where, "set the clock right; within one office time never runs back"


def _read_only(path: Path, *, logged: bool) -> sqlite3.Connection:
    """The register, to read only. Where nobody has a log open it is read as a file that does not change: so not even a log is made beside it."""
    how = "mode=ro" if logged else "mode=ro&immutable=1"
    return sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True, timeout=5)


def _clock(patient: _Patient) -> Iterator[_Row]:
    made = max(_installed_at(), int((patient.home / "office.toml").stat().st_mtime))
    if patient.at < made - _DAY:
        what = f"it says {_date(patient.at)}, and this office or program was there on {_date(made)}"
        yield PROBLEM, what, "", "set the clock right"
    if _synchronized() == "no":
        yield NOTE, "nothing keeps the clock of this machine right", "", "timedatectl set-ntp true, or compare it with another clock now and then"


def _installed_at() -> int:
    with contextlib.suppress(metadata.PackageNotFoundError, OSError):
        for file in metadata.files("valiza") or ():
            if file.name == "METADATA":
                return int(Path(str(file.locate())).stat().st_mtime)
    return 0


def _synchronized() -> str:
    """What systemd says, if it runs here: yes, no, or nothing."""
    if not Path("/run/systemd/system").exists():
        return ""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(["timedatectl", "show", "-p", "NTPSynchronized", "--value"], capture_output=True, text=True, timeout=3, check=False)  # noqa: S607
        return done.stdout.strip()
    return ""


def _libraries(_patient: _Patient) -> Iterator[_Row]:
    try:
        wanted = metadata.requires("valiza") or []
    except metadata.PackageNotFoundError:
        yield NOTE, "valiza is not installed, so it is not known which versions it needs"
        return
    for requirement in wanted:
        found = re.match(r"([A-Za-z0-9._-]+)>=([0-9.]+)", requirement.replace(" ", ""))
        if found is None or ";" in requirement:
            continue
        name, least = found[1], found[2]
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            yield PROBLEM, f"{name} is not installed", "", f"pip install '{name}>={least}'"
            continue
        if _numbers(version) < _numbers(least):
            yield PROBLEM, f"{name} {version} is too old: {least} is needed", "", f"pip install '{name}>={least}'"
    if sqlite3.sqlite_version_info < (3, 37):
        yield PROBLEM, f"SQLite {sqlite3.sqlite_version} is too old: 3.37 is needed", "", "a newer Python, or a newer system"


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version.partition("+")[0])][:3]


def _memory(_patient: _Patient) -> Iterator[_Row]:
    guard = guarded()
    if guard is None:
        yield NOTE, "core dumps, debuggers and swap can have what is in memory: this is not the program as it is installed, or VALIZA_DEBUG is set"
        return
    if not guard.no_core:
        yield NOTE, "a core dump of a command that crashes would hold its keys", "", "ulimit -c 0, and nothing in /proc/sys/kernel/core_pattern"
    if not guard.private:
        yield NOTE, "other processes of the same user can read the memory of a command", "", "give each officer a user of his own"
    swaps = _swaps()
    if guard.locked == "all" or not swaps:
        yield OK, "no core dump, no debugger and no swap has what is in memory" if swaps else "no core dump and no debugger has what is in memory"
    else:
        parts = "passphrases and the seeds of keys stay out of it, copies of them do not" if guard.locked == "secrets" else "nothing stays out of it"
        mend = "encrypt the swap or turn it off (swapoff -a), or let this user lock any memory (ulimit -l unlimited)"
        yield NOTE, f"this machine has swap, and {parts}: {guard.lockable} bytes may be locked", ", ".join(swaps), mend


def _swaps() -> list[str]:
    """What this machine swaps to, as far as it says so."""
    with contextlib.suppress(OSError):
        return [line.split()[0] for line in Path("/proc/swaps").read_text(encoding="utf-8", errors="replace").splitlines()[1:]]
    return []


CHECKS: Final[dict[str, Callable[[_Patient], Iterator[_Row]]]] = {
    "files": _files,
    "above": _above,
    "leftovers": _leftovers,
    "disk": _disk,
    "keys": _keys,
    "signers": _signers,
    "credentials": _credentials,
    "rosters": _rosters,
    "addressees": _addressees,
    "agreements": _agreements,
    "register": _register,
    "clock": _clock,
    "memory": _memory,
    "libraries": _libraries,
}
_FINE: Final = {
    "files": "every file and folder is yours alone",
    "above": "nobody else can put another folder in the place of this office",
    "leftovers": "nothing is left of interrupted commands",
    "disk": "there is room, and files can be made",
    "keys": "every key is the one that is certified",
    "signers": "every key is whole in its file",
    "credentials": "every credential is valid and in the roster",
    "rosters": "every roster is in force",
    "addressees": "every known body has two officers who can open",
    "agreements": "every agreement is in force",
    "register": "no damage found",
    "clock": "it agrees with what is known here",
    "memory": "no core dump, no debugger and no swap has what is in memory",
    "libraries": "every library is recent enough",
}
