"""The folder of a ceremony: what was done so far, one file for each step, whole or not there. Nothing in it is secret.

begin            plan, inputs, realm, ceremony id, program
sittings/0001    when a sitting began, and with which step
intents/0003-…   a key that is about to be written: where, and its public key
steps/0001       a finished step, and where its key file lies
void             the transcript's body, once the ceremony was declared void; void-NAME: somebody's signature on it; void.vls: both together
NAME.vls         what came of it, once everybody signed; transcript.vls last
"""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from valiza.keys.encoding import pack, unpack
from valiza.keys.errors import Malformed, Refused, Unavailable, Usage
from valiza.keys.fields import array, blob, one_of, text, word
from valiza.keys.files import new_file, new_folder, read_file, storage_errors, sweep, sync_folder
from valiza.keys.keyfile import public_part
from valiza.keys.realm import Realm
from valiza.keys.transcript import MAX_INPUTS, Record, Tool

if TYPE_CHECKING:
    from collections.abc import Iterator

    from valiza.keys.encoding import Value

__all__ = ["Begun", "Folder", "Intent", "remove_key"]

FORM: Final = "ceremony folder 1"
TRANSCRIPT: Final = "transcript.vls"
_MAX: Final = 16 << 20
_FOLDERS: Final = ("sittings", "intents", "steps")


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """What a ceremony began with."""

    id: bytes
    realm: Realm
    plan: bytes
    inputs: dict[str, bytes]
    tool: Tool

    def packed(self) -> bytes:
        """As it is written down."""
        return pack([FORM, self.id, self.realm.value, self.plan, [[name, self.inputs[name]] for name in sorted(self.inputs)], self.tool.packed()])


@dataclass(frozen=True, slots=True)
class Intent:
    """A key that was to be written, in which step, where to."""

    step: int
    path: Path
    public: bytes


class Folder:
    """A ceremony's folder that is there.

    Raises:
        Usage: there is none. Malformed: somebody changed it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not (path / "begin").is_file():
            message = f"{str(path)!r} is no folder of a ceremony"
            raise Usage(message)
        items = self._read(path / "begin", 6)
        one_of(items[0], "folder of a ceremony", [FORM])
        inputs = [array(pair, "input", length=2) for pair in array(items[4], "inputs", most=MAX_INPUTS)]
        self.begun = Begun(
            id=blob(items[1], "ceremony id", size=32),
            realm=Realm(one_of(items[2], "realm", [realm.value for realm in Realm])),
            plan=blob(items[3], "plan"),
            inputs={text(name, "name of an input"): blob(data, "input") for name, data in inputs},
            tool=Tool.read(items[5]),
        )

    @classmethod
    def create(cls, path: Path, begun: Begun) -> Folder:
        """Make the folder of a ceremony that begins."""
        with new_folder(path) as work:
            for name in _FOLDERS:
                (work / name).mkdir(mode=0o700)
            new_file(work / "begin", begun.packed())
        return cls(path)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """While one program leads the ceremony no other does. What a killed one left unfinished is removed first.

        Raises:
            Refused: another one does.
        """
        with storage_errors(self.path):
            descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                message = f"another program leads the ceremony in {str(self.path)!r}"
                raise Refused(message) from error
            for folder in (self.path, *(self.path / name for name in _FOLDERS)):
                with storage_errors(folder):
                    sweep(folder)
            yield
        finally:
            os.close(descriptor)

    # -- what is in it ---------------------------------------------------------------------------------------------------

    def steps(self) -> list[tuple[Record, dict[str, Path]]]:
        """Finished steps, with where their key files lie by which of the participant's keys."""
        found = []
        for path in self._numbered("steps"):
            record, local = self._read(path, 2)
            pairs = [array(pair, "key file", length=2) for pair in array(local, "key files", most=4)]
            found.append((Record.read(record), {word(which, "key"): Path(os.fsdecode(blob(name, "path"))) for which, name in pairs}))
        return found

    def sittings(self) -> list[tuple[int, int]]:
        """When each sitting began, and with which step."""
        return [(at, first) for at, first in (self._read(path, 2) for path in self._numbered("sittings"))]

    def intents(self) -> list[Intent]:
        """Keys that were to be written, whether they were or not."""
        found = []
        for path in self._files("intents"):
            name, public = self._read(path, 2)
            found.append(Intent(int(path.name[:4]), Path(os.fsdecode(blob(name, "path"))), blob(public, "public key")))
        return found

    def void(self) -> bytes | None:
        """The body of the transcript of a ceremony that was declared void."""
        path = self.path / "void"
        return read_file(path, _MAX) if path.is_file() else None

    def complete(self) -> bytes | None:
        """The transcript, once everybody signed it."""
        path = self.path / TRANSCRIPT
        return read_file(path, _MAX) if path.is_file() else None

    def void_signature(self, person: str) -> list[Value] | None:
        """Somebody's signature on the transcript of a void ceremony: its header, and the signature."""
        path = self.path / f"void-{person}"
        return self._read(path, 2) if path.is_file() else None

    def _numbered(self, folder: str) -> list[Path]:
        found = self._files(folder)
        if [path.name for path in found] != [f"{number:04}" for number in range(1, len(found) + 1)]:
            message = f"{str(self.path / folder)!r} has holes: somebody changed it"
            raise Malformed(message, "declare the ceremony void")
        return found

    def _files(self, folder: str) -> list[Path]:
        with storage_errors(self.path / folder):
            return sorted(path for path in (self.path / folder).iterdir() if not path.name.startswith("."))

    def _read(self, path: Path, length: int) -> list[Value]:
        try:
            return array(unpack(read_file(path, _MAX), max_bytes=_MAX, what="file of a ceremony"), "file of a ceremony", length=length)
        except Malformed as error:
            message = f"{str(path)!r}: {error.message}"
            raise Malformed(message, "somebody changed it: declare the ceremony void") from error

    # -- what is added ---------------------------------------------------------------------------------------------------

    def sit(self, at: int, first: int) -> None:
        """A sitting begins."""
        new_file(self.path / "sittings" / f"{len(self._files('sittings')) + 1:04}", pack([at, first]))

    def intend(self, step: int, path: Path, public: bytes) -> None:
        """A key is about to be written: from here on nobody forgets where it could be."""
        number = len(self._files("intents")) + 1
        new_file(self.path / "intents" / f"{step:04}-{number:04}", pack([os.fsencode(path), public]))

    def commit(self, record: Record, local: dict[str, Path]) -> None:
        """A step is done."""
        kept: list[Value] = [[which, os.fsencode(path)] for which, path in sorted(local.items())]
        new_file(self.path / "steps" / f"{record.number:04}", pack([record.packed(), kept]))

    def forget(self) -> None:
        """Remove the finished steps of a ceremony that is void: signatures stand in them that nobody is to put together."""
        for path in reversed(self._files("steps")):
            with storage_errors(path):
                path.unlink()
        with storage_errors(self.path):
            sync_folder(self.path / "steps")

    def write(self, name: str, data: bytes) -> None:
        """Something that came of the ceremony; the same again changes nothing."""
        path = self.path / name
        if not (path.is_file() and read_file(path, _MAX) == data):
            new_file(path, data, 0o644)

    def withdraw(self, step: int) -> None:
        """Remove the keys of a step that did not get done: nothing refers to them.

        Raises:
            Unavailable: the medium of one of them is not there.
        """
        if (self.path / "steps" / f"{step:04}").exists():
            return
        for intent in self.intents():
            if intent.step == step:
                remove_key(intent, self.begun.realm)


def remove_key(intent: Intent, realm: Realm) -> bool:
    """Remove a key that was made in a ceremony, if it lies where it was to be; whether it did.

    Raises:
        Unavailable: its folder is not there, so nobody can tell.
    """
    folder = intent.path.parent
    if not folder.is_dir():
        message = f"the folder {str(folder)!r} is not there, where a key was to be written"
        raise Unavailable(message, "put the medium back in its place")
    with storage_errors(folder):
        sweep(folder)
        with suppress(Malformed):  # another file has that name
            if intent.path.is_file() and public_part(intent.path, realm).public == intent.public:
                intent.path.unlink()
                sync_folder(folder)
                return True
    return False
