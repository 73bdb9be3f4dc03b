"""A party's roster as an office keeps it: the bytes as they were signed, and beside them an index by which one credential is found and read.

rosters/PARTY-VERSION.vls      the roster
rosters/PARTY-VERSION.index    made from it when it was imported, with everything checked; made anew if it is not there or does not fit

What is believed of an index, and what is checked again, stands in docs/decisions/012-kept-rosters.md.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from valiza.keys import labels
from valiza.keys.chain import Chains
from valiza.keys.credential import Outline
from valiza.keys.designation import Designation, check_designation_in
from valiza.keys.digests import DIGEST_BYTES, digest
from valiza.keys.errors import Malformed, NotAuthentic, Refused, Unavailable
from valiza.keys.fields import Body
from valiza.keys.files import NewFile, about, new_file, read_file, replace_files, storage_errors
from valiza.keys.revocation import NOTHING_REVOKED, History, Revocation, check_revocation_in
from valiza.keys.root import read_roots, require_pinned
from valiza.keys.statement import LIMITS, Statement, read_statement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from valiza.keys.credential import Credential
    from valiza.keys.root import Root
    from valiza.keys.roster import Roster

__all__ = ["KeptBook", "NewBook", "Opening", "index_faults", "is_kept", "keep_roster", "mend_roster", "open_book", "roster_name"]

_VERSION: Final = 4
_MAX_INDEX: Final = 64 << 20  # of the largest roster it takes a tenth
_SMALL: Final = 1 << 20  # a roster up to this length is read whole when it is opened
_TAIL: Final = 4096  # of a longer one its end: there stands its signature, and no two have the same
_MENDED: Final = "restore it from a backup, or import the same roster again: valiza roster import FILE"
_SCHEMA: Final = """
CREATE TABLE roster (
    party TEXT NOT NULL, version INTEGER NOT NULL, issued_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,
    size INTEGER NOT NULL, digest BLOB NOT NULL, tail BLOB NOT NULL
) STRICT;
CREATE TABLE root (version INTEGER PRIMARY KEY, raw BLOB NOT NULL) STRICT;
CREATE TABLE credential (
    digest BLOB PRIMARY KEY, place INTEGER NOT NULL, size INTEGER NOT NULL, known_since INTEGER NOT NULL,
    subject BLOB NOT NULL, body TEXT NOT NULL, purpose TEXT NOT NULL, title TEXT NOT NULL, key_digest BLOB NOT NULL,
    lattice BLOB NOT NULL, half BLOB NOT NULL,
    valid_from INTEGER NOT NULL, valid_until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX credential_of_body ON credential (body, purpose);
CREATE INDEX credential_with_key ON credential (key_digest);
CREATE TABLE revocation (
    ordinal INTEGER PRIMARY KEY, digest BLOB NOT NULL, place INTEGER NOT NULL, size INTEGER NOT NULL,
    credential BLOB NOT NULL, kind TEXT NOT NULL, effective_at INTEGER NOT NULL, key_digest BLOB NOT NULL
) STRICT;
CREATE TABLE designation (number INTEGER PRIMARY KEY, raw BLOB NOT NULL) STRICT;
CREATE INDEX revocation_of_credential ON revocation (credential);
CREATE INDEX revocation_of_key ON revocation (key_digest) WHERE kind = 'compromised';
"""
_OUTLINE: Final = "digest, subject, body, purpose, title, key_digest, lattice, half, valid_from, valid_until"
_SAID: Final = (  # all that an index says of the roster, and not of the office
    "SELECT * FROM roster",
    "SELECT * FROM root ORDER BY version",
    f"SELECT {_OUTLINE}, place, size FROM credential ORDER BY digest",  # noqa: S608 - constant text
    "SELECT * FROM revocation ORDER BY ordinal",
    "SELECT * FROM designation ORDER BY number",
)


class _Unfit(Exception):
    """An index that cannot be used; the message says why."""


def roster_name(roster: Roster) -> str:
    """File name of a roster in an office."""
    return f"{roster.party}-{roster.version:06}.vls"


# -- looking up -----------------------------------------------------------------------------------------------------------


class _Statements(Mapping[bytes, Statement]):
    """The credentials of a kept roster, each read from the disk when it is asked for. Their digests are right; nothing else was checked here."""

    def __init__(self, path: Path, descriptor: int, index: sqlite3.Connection) -> None:
        self._path = path
        self._descriptor = descriptor
        self._index = index
        self._count = int(index.execute("SELECT count(*) FROM credential").fetchone()[0])

    def __getitem__(self, wanted: bytes) -> Statement:
        row = self._index.execute("SELECT place, size FROM credential WHERE digest = ?", [wanted]).fetchone()
        if row is None:
            raise KeyError(wanted)
        place, size = row
        with storage_errors(self._path):
            raw = os.pread(self._descriptor, size, place)
        if digest(labels.DIGEST_STATEMENT, raw) != wanted:
            message = "a credential in it is not as it was when the roster was imported"
            raise Malformed(message, _MENDED)
        return read_statement(raw, labels.CREDENTIAL)

    def __contains__(self, wanted: object) -> bool:
        return self._index.execute("SELECT 1 FROM credential WHERE digest = ?", [wanted]).fetchone() is not None

    def __iter__(self) -> Iterator[bytes]:
        return (name for (name,) in self._index.execute("SELECT digest FROM credential ORDER BY digest"))

    def __len__(self) -> int:
        return self._count


class _Kept(Chains):
    """Chains that tell in which file something is wrong."""

    def __init__(self, path: Path, roots: tuple[Root, ...], statements: _Statements) -> None:
        super().__init__(roots, statements, keys_checked=True)
        self._path = path

    def __getitem__(self, wanted: bytes) -> Credential:
        with about(self._path):
            return super().__getitem__(wanted)


class KeptBook:
    """A roster in an office, read through its index. Its roots are checked when it is opened, up to the pinned fingerprint.

    Args:
        path: the roster.
        index: the bytes of its index.
        fingerprint: of a version of its root, as it is pinned.

    Raises:
        NotAuthentic, Malformed, Refused: its roots do not hold. Unavailable: the disk.
    """

    def __init__(self, path: Path, index: bytes, fingerprint: bytes) -> None:
        self.path = path
        rows = _database(index)
        with storage_errors(path):
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        weakref.finalize(self, os.close, descriptor)
        weakref.finalize(self, rows.close)
        self._index = rows
        self._descriptor = descriptor
        with _index_errors():
            said = rows.execute("SELECT party, version, issued_at, expires_at, size, digest, tail FROM roster").fetchone()
            self.party, self.version, self.issued_at, self.expires_at, self._size, self.digest, self._tail = said
            raws = tuple(raw for (raw,) in rows.execute("SELECT raw FROM root ORDER BY version"))
            statements = _Statements(path, descriptor, rows)
        self._require_same()
        self.roots = read_roots(raws)
        require_pinned(self.roots, fingerprint)
        if self.party != self.root.party:
            message = f"a roster of {self.party} has the root of {self.root.party}"
            raise Refused(message)
        self.credentials: Chains = _Kept(path, self.roots, statements)
        self._revocations: dict[int, Revocation] = {}
        self._histories: dict[bytes, History] = {}

    def _require_same(self) -> None:
        """Whether the file is the one that the index was made from, as far as that is seen without reading much."""
        with storage_errors(self.path):
            size = os.fstat(self._descriptor).st_size
            end = os.pread(self._descriptor, _TAIL, max(size - _TAIL, 0))
            whole = os.pread(self._descriptor, size, 0) if size <= _SMALL else None
        if (size, end) != (self._size, self._tail) or (whole is not None and digest(labels.DIGEST_STATEMENT, whole) != self.digest):
            message = "it was made from another roster"
            raise _Unfit(message)

    @property
    def root(self) -> Root:
        """The latest version of the party's root."""
        return self.roots[-1]

    @property
    def raw(self) -> bytes:
        """The roster as it was signed.

        Raises:
            Malformed: it is not as it was when it was imported. Unavailable: the disk.
        """
        raw = read_file(self.path, LIMITS[labels.ROSTER])
        if digest(labels.DIGEST_STATEMENT, raw) != self.digest:
            message = f"{str(self.path)!r} is not as it was when it was imported"
            raise Malformed(message, _MENDED)
        return raw

    @property
    def outlines(self) -> tuple[Outline, ...]:
        """What the index says of every credential, in the order of their digests. It was checked when the roster was imported, and is not again."""
        found = []
        for name, subject, body, *rest in self._index.execute(f"SELECT {_OUTLINE} FROM credential ORDER BY digest"):  # noqa: S608 - constant text
            purpose, title, key_digest, lattice, half, valid_from, valid_until = rest
            found.append(
                Outline(
                    digest=name,
                    subject=subject,
                    body=Body(self.party, body),
                    purpose=purpose,
                    title=title,
                    key_digest=key_digest,
                    lattice=lattice,
                    half=half,
                    valid_from=valid_from,
                    valid_until=valid_until,
                )
            )
        return tuple(found)

    def of_body(self, body: Body, purpose: str) -> list[Credential]:
        """Credentials of a body for a purpose, in the order of their digests."""
        if body.party != self.party:
            return []
        return self._found("body = ? AND purpose = ?", body.id, purpose)

    def with_key(self, key_digest: bytes) -> list[Credential]:
        """Credentials of the public key with this digest, in the order of their digests."""
        return self._found("key_digest = ?", key_digest)

    def _found(self, where: str, *values: object) -> list[Credential]:
        names = self._index.execute(f"SELECT digest FROM credential WHERE {where} ORDER BY digest", values).fetchall()  # noqa: S608 - constant text
        return [self.credentials[name] for (name,) in names]

    @property
    def revocations(self) -> tuple[Revocation, ...]:
        """All revocations, in the order of the roster."""
        return self._revoked("TRUE ORDER BY ordinal")

    @cached_property
    def designations(self) -> tuple[Designation, ...]:
        """All designations, in the order of the roster; each is checked when they are first asked for."""
        with about(self.path):
            raws = [raw for (raw,) in self._index.execute("SELECT raw FROM designation ORDER BY number")]
            return tuple(check_designation_in(read_statement(raw, labels.DESIGNATION), self.roots) for raw in raws)

    def history(self, credential: Credential) -> History:
        """What was revoked of a credential of this party, and of its key. As everything in an index, that there is nothing is believed of it."""
        known = self._histories.get(credential.digest)
        if known is None:
            own = tuple(one for one in self._revoked("credential = ? ORDER BY ordinal", credential.digest) if one.credential == credential.digest)
            lost = self._revoked("kind = 'compromised' AND key_digest = ? ORDER BY effective_at, ordinal LIMIT 1", credential.key.key_digest)
            known = History(revocations=own, compromised=lost[0] if lost else None) if own or lost else NOTHING_REVOKED
            self._histories[credential.digest] = known  # of a roster that never changes: a gateway asks thousands of times a minute
        return known

    def _revoked(self, where: str, *values: object) -> tuple[Revocation, ...]:
        rows = self._index.execute(f"SELECT ordinal, digest, place, size FROM revocation WHERE {where}", values)  # noqa: S608 - constant text
        return tuple(self._revocation(*row) for row in rows.fetchall())

    def _revocation(self, ordinal: int, name: bytes, place: int, size: int) -> Revocation:
        """One revocation, checked when it is first asked for: its bytes, its signer, and that he may revoke this credential."""
        found = self._revocations.get(ordinal)
        if found is None:
            with about(self.path):
                with storage_errors(self.path):
                    raw = os.pread(self._descriptor, size, place)
                if digest(labels.DIGEST_STATEMENT, raw) != name:
                    message = "a revocation in it is not as it was when the roster was imported"
                    raise Malformed(message, _MENDED)
                statement = read_statement(raw, labels.REVOCATION)
                found = self._revocations[ordinal] = check_revocation_in(statement, self.roots, self.credentials)
        return found

    def known_since(self, wanted: bytes) -> int | None:
        """When a roster with this credential was first imported here, in seconds since 1970; None if none was."""
        row = self._index.execute("SELECT known_since FROM credential WHERE digest = ?", [wanted]).fetchone()
        return None if row is None else int(row[0])

    def all_known_since(self) -> dict[bytes, int]:
        """The same of all credentials, by digest."""
        return dict(self._index.execute("SELECT digest, known_since FROM credential"))


@contextlib.contextmanager
def _index_errors() -> Iterator[None]:
    """An index whose bytes are as they were written, and which still says nothing that can be understood."""
    try:
        yield
    except (sqlite3.Error, TypeError, ValueError) as error:
        message = "it cannot be read"
        raise _Unfit(message) from error


def _database(index: bytes) -> sqlite3.Connection:
    """The index as a database in memory, so that nothing of the folder is written, locked or waited for. The caller closes it."""
    content = index[DIGEST_BYTES:]
    if not content or digest(labels.DIGEST_INDEX, content) != index[:DIGEST_BYTES]:
        message = "it is damaged"
        raise _Unfit(message)
    rows = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    try:
        with _index_errors():
            rows.deserialize(content)
            rows.execute("PRAGMA query_only = TRUE")
            _require_version(rows.execute("PRAGMA user_version").fetchone()[0])
    except BaseException:
        rows.close()
        raise
    return rows


def _require_version(found: int) -> None:
    if found != _VERSION:
        message = "another version of this program made it"
        raise _Unfit(message)


# -- making an index ------------------------------------------------------------------------------------------------------


def _index_of(roster: Roster, since: Mapping[bytes, int], at: int) -> bytes:
    """The index of a checked roster.

    Args:
        roster: the roster.
        since: when its credentials were first imported here, those that are known.
        at: now, in seconds since 1970: since when the others are known.
    """
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as rows:
        rows.executescript(_SCHEMA)
        rows.execute("BEGIN")
        said = [roster.party, roster.version, roster.issued_at, roster.expires_at, len(roster.raw), roster.digest, roster.raw[-_TAIL:]]
        rows.execute("INSERT INTO roster VALUES (?, ?, ?, ?, ?, ?, ?)", said)
        rows.executemany("INSERT INTO root VALUES (?, ?)", [(root.version, root.raw) for root in roster.roots])
        rows.executemany("INSERT INTO credential VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", _rows(roster, since, at))
        rows.executemany("INSERT INTO revocation VALUES (?, ?, ?, ?, ?, ?, ?, ?)", _revocation_rows(roster))
        rows.executemany("INSERT INTO designation VALUES (?, ?)", [(one.number, one.raw) for one in roster.designations])
        rows.execute("COMMIT")
        rows.execute(f"PRAGMA user_version = {_VERSION}")
        made = rows.serialize()
    return digest(labels.DIGEST_INDEX, made) + made


def _rows(roster: Roster, since: Mapping[bytes, int], at: int) -> Iterator[tuple[object, ...]]:
    place = 0
    for outline in roster.outlines:
        raw = roster.credentials.raw(outline.digest)
        place = roster.raw.index(raw, place)  # they stand in this order; anywhere else the same bytes would do as well
        yield (
            outline.digest,
            place,
            len(raw),
            since.get(outline.digest, at),
            outline.subject,
            outline.body.id,
            outline.purpose,
            outline.title,
            outline.key_digest,
            outline.lattice,
            outline.half,
            outline.valid_from,
            outline.valid_until,
        )
        place += len(raw)


def _revocation_rows(roster: Roster) -> Iterator[tuple[object, ...]]:
    place = 0
    for ordinal, one in enumerate(roster.revocations):
        place = roster.raw.index(one.raw, place)
        key = roster.credentials[one.credential].key.key_digest
        yield ordinal, one.digest, place, len(one.raw), one.credential, one.kind, one.effective_at, key
        place += len(one.raw)


def _index_path(path: Path) -> Path:
    return path.with_suffix(".index")


def _put(path: Path, index: bytes) -> None:
    """Write an index, whole, in the place of one that is there."""
    if os.path.lexists(path):
        replace_files({path: index})
    else:
        new_file(path, index)


class NewBook:
    """A roster with its index that an office is about to keep: both are written, and the roster has no name yet, so that nothing counts.

    Raises:
        Refused: a file with the roster's name is there. Unavailable: the disk.
    """

    def __init__(self, folder: Path, roster: Roster, *, at: int, before: KeptBook | None = None) -> None:
        self._new = NewFile(folder / roster_name(roster))
        self._finished = False
        try:
            self._new.write(roster.raw)
            self._new.sync()
            _put(_index_path(self._new.path), _index_of(roster, {} if before is None else before.all_known_since(), at))
        except BaseException:
            self.close()
            raise

    def finish(self) -> None:
        """From here on it counts, durably.

        Raises:
            Refused: a file of that name is there meanwhile. Unavailable: the disk.
        """
        self._new.finish()
        self._finished = True

    def close(self) -> None:
        """Without `finish`, nothing is left of it."""
        self._new.close()
        if not self._finished and not self._new.path.exists():
            _index_path(self._new.path).unlink(missing_ok=True)


def keep_roster(folder: Path, roster: Roster, *, at: int, before: KeptBook | None = None) -> None:
    """Keep a checked roster in an office's folder of rosters, with its index. Until it has its name, the one before it counts.

    Args:
        folder: where.
        roster: the roster.
        at: now, in seconds since 1970.
        before: the one that it follows.

    Raises:
        Refused: another roster of that name is there. Unavailable: the disk.
    """
    path = folder / roster_name(roster)
    if path.exists() and read_file(path, LIMITS[labels.ROSTER]) == roster.raw:  # an import was interrupted before it pinned the root
        _put(_index_path(path), _index_of(roster, {} if before is None else before.all_known_since(), at))
        return
    with contextlib.closing(NewBook(folder, roster, at=at, before=before)) as new:
        new.finish()


def is_kept(path: Path, roster: Roster) -> bool:
    """Whether this very roster was kept at a path, by what its index says, however damaged it is now."""
    return _indexed(path) == roster.digest


def _indexed(path: Path) -> bytes | None:
    """Digest of the roster that an index was made from; None if it cannot be used."""
    with contextlib.suppress(_Unfit), contextlib.closing(_database(_read_index(path))) as rows, _index_errors():
        return bytes(rows.execute("SELECT digest FROM roster").fetchone()[0])
    return None


def mend_roster(path: Path, roster: Roster) -> None:
    """Put a roster in the place of the same one that was kept there, if that was damaged.

    Raises:
        Refused, Unavailable: as `replace_files` says.
    """
    if read_file(path, LIMITS[labels.ROSTER]) != roster.raw:
        replace_files({path: roster.raw})


def index_faults(path: Path, roster: Roster) -> tuple[str, bool]:
    """What is wrong with the index of a kept roster, which was read whole; and whether it is used as it is. Nothing: no fault."""
    try:
        with (
            _index_errors(),
            contextlib.closing(_database(_read_index(path))) as found,
            contextlib.closing(_database(_index_of(roster, {}, 0))) as right,
        ):
            file = "SELECT size, tail FROM roster"
            if found.execute(file).fetchall() != right.execute(file).fetchall():
                return "it was made from another roster", False
            for query in _SAID:
                if found.execute(query).fetchall() != right.execute(query).fetchall():
                    return "it says something else than the roster", True
    except _Unfit as error:
        return str(error), False
    return "", False


# -- opening --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Opening:
    """What is done if the index of a roster has to be made anew.

    Attributes:
        at: now, in seconds since 1970.
        tell: is told.
        read: reads the roster, with the fingerprint that is pinned, and checks all of it.
        keep: whether the new index is written down.
    """

    at: int
    tell: Callable[[str], None]
    read: Callable[[bytes, bytes], Roster]
    keep: bool


def open_book(path: Path, fingerprint: bytes, opening: Opening) -> KeptBook:
    """Open a roster that an office keeps, whose root has a version with the pinned fingerprint; its index is made anew if it has to be.

    Raises:
        NotAuthentic, Malformed, Refused: it does not hold. Unavailable: the disk.
    """
    with about(path):
        try:
            return KeptBook(path, _read_index(path), fingerprint)
        except _Unfit as error:
            opening.tell(f"making the index of {str(path)!r} anew: {error}")
        try:
            roster = opening.read(read_file(path, LIMITS[labels.ROSTER]), fingerprint)
        except (Malformed, NotAuthentic, Refused) as error:
            again = _MENDED if _indexed(path) else "restore it from a backup"
            raise type(error)(error.message, error.hint or again) from error
        index = _index_of(roster, _remembered(path), opening.at)
        if opening.keep:
            with contextlib.suppress(Unavailable, Refused):  # in a folder that can only be read it is made anew each time
                _put(_index_path(path), index)
        return KeptBook(path, index, fingerprint)


def _read_index(path: Path) -> bytes:
    try:
        return read_file(_index_path(path), _MAX_INDEX)
    except Unavailable as error:
        message = "it is not there" if not _index_path(path).exists() else "it cannot be read"
        raise _Unfit(message) from error


def _remembered(path: Path) -> dict[bytes, int]:
    """Since when credentials of a party are known, by the indexes of its other rosters."""
    found: dict[bytes, int] = {}
    party = path.name.partition("-")[0]
    for other in sorted(path.parent.glob(f"{party}-*.index")):
        with contextlib.suppress(_Unfit, Unavailable), _index_errors(), contextlib.closing(_database(read_file(other, _MAX_INDEX))) as rows:
            for name, since in rows.execute("SELECT digest, known_since FROM credential"):
                found[name] = min(since, found.get(name, since))
    return found
