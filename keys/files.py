"""Files that appear whole or not at all: written unnamed or in a private folder, synced, then named without overwriting."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import io
import os
import re
import secrets
import shutil
import stat
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from valiza.keys.errors import Malformed, NotAuthentic, Refused, Unavailable, ValizaError
from valiza.keys.interruption import begin, held, naming

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = [
    "NewFile",
    "about",
    "advise",
    "new_file",
    "new_file_by_name",
    "new_folder",
    "open_new_file",
    "read_file",
    "read_text_file",
    "replace_files",
    "require_new",
    "require_space",
    "second_name",
    "storage_errors",
    "sweep",
    "sync_content",
    "sync_files",
    "sync_folder",
]

PREFIX: Final = ".valiza-"  # of whatever is not finished yet, before 16 random digits
_UNFINISHED: Final = re.compile(r"\.valiza-[0-9a-f]{16}")
_MANY: Final = 32  # files from which on syncing the whole file system is quicker than each of them
_AT_FDCWD, _RENAME_NOREPLACE = -100, 1
_NO_LINKS: Final = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
_NO_UNNAMED: Final = {errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL}


@contextmanager
def storage_errors(path: Path | str) -> Iterator[None]:
    """Turn what the operating system says of `path` into Unavailable, in one line."""
    try:
        yield
    except FileExistsError as error:
        message = f"{str(path)!r} exists already"
        raise Refused(message, "choose another name: nothing is ever overwritten") from error
    except OSError as error:
        message = f"{str(error.filename or path)!r}: {(error.strerror or str(error)).lower()}"
        raise Unavailable(message) from error
    except ValueError as error:  # a path with a null byte
        message = f"{str(path)!r} is no path"
        raise Unavailable(message) from error


@contextmanager
def about(path: Path, *families: type[ValizaError]) -> Iterator[None]:
    """Name the file that an error inside is about, if it is of one of the families; without any: if it says that the file does not hold."""
    try:
        yield
    except ValizaError as error:
        if error.named or not isinstance(error, families or (Malformed, NotAuthentic, Refused)):
            raise
        raise error.about(path) from error


def read_file(path: Path, max_bytes: int) -> bytes:
    """The whole of a file, but never more than one byte above `max_bytes`, so that the reader's own limit answers.

    Raises:
        Unavailable: it cannot be read.
    """
    with storage_errors(path), path.open("rb") as file:
        return file.read(max_bytes + 1)


def read_text_file(path: Path, max_bytes: int, what: str) -> str:
    """The whole of a text file in UTF-8.

    Raises:
        Malformed: longer than `max_bytes`, or not UTF-8. Unavailable: it cannot be read.
    """
    raw = read_file(path, max_bytes)
    if len(raw) > max_bytes:
        message = f"{what} {str(path)!r} is longer than {max_bytes} bytes"
        raise Malformed(message)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"{what} {str(path)!r} is not text in UTF-8"
        raise Malformed(message) from error


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = _open_folder(folder)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _open_folder(folder: Path) -> int:
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY)


def sync_files(files: Sequence[NewFile]) -> None:
    """Make what was written to new files durable, however many they are.

    Raises:
        Unavailable: the disk.
    """
    by_device: dict[int, list[NewFile]] = {}
    for new in files:
        by_device.setdefault(os.fstat(new.file.fileno()).st_dev, []).append(new)
    for some in by_device.values():
        with storage_errors(some[0].path.parent):
            if len(some) >= _MANY and _sync_file_system(some[0].path.parent):
                continue
        for new in some:
            new.sync()


def sync_content(folder: Path) -> None:
    """Make the files in a folder durable, however many they are.

    Raises:
        Unavailable: the disk.
    """
    with storage_errors(folder):
        paths = list(folder.iterdir())
        if len(paths) >= _MANY and _sync_file_system(folder):
            return
        for path in paths:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def _sync_file_system(folder: Path) -> bool:
    """One syncfs(2) in place of thousands of fsync, each of which waits for the disk; False where there is none, or where it does not tell errors."""
    import ctypes  # noqa: PLC0415 - for thousands of files only

    syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if syncfs is None or not _tells_errors():
        return False
    descriptor = _open_folder(folder)
    try:
        if syncfs(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(folder))
    finally:
        os.close(descriptor)
    return True


def _tells_errors() -> bool:
    """Since Linux 5.8 syncfs reports that writing failed; before, it said nothing."""
    found = re.match(r"(\d+)\.(\d+)", os.uname().release)
    return os.uname().sysname == "Linux" and found is not None and (int(found[1]), int(found[2])) >= (5, 8)


def advise(file: BinaryIO, advice: str, *, last: int = 0) -> None:
    """Tell the kernel how a file is used, all of it or the `last` bytes before where it stands.

    A hint: what is no file of the system's, or a system that knows no such hint, goes on without.
    """
    if hasattr(os, "posix_fadvise"):
        with contextlib.suppress(OSError):
            os.posix_fadvise(file.fileno(), file.tell() - last if last else 0, last, getattr(os, f"POSIX_FADV_{advice}"))


def require_space(folder: Path, wanted: int, what: str) -> None:
    """Raise Unavailable if `wanted` more bytes do not fit into a folder: before hours of work, not at their end.

    Raises:
        Unavailable: they do not, or the folder cannot be asked.
    """
    with storage_errors(folder):
        system = os.statvfs(folder)
    free = (system.f_bfree if os.geteuid() == 0 else system.f_bavail) * system.f_frsize
    if wanted > free:
        message = f"{what} needs {wanted} bytes in {str(folder)!r}, and {free} are free there"
        raise Unavailable(message, "make room, or choose another disk with -o")


def require_new(path: Path) -> None:
    """Raise Refused if something of that name exists, Unavailable if its folder does not: before any work is begun."""
    with storage_errors(path):
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, "exists", str(path))
        if not path.parent.is_dir():
            raise FileNotFoundError(errno.ENOENT, "the folder does not exist", str(path.parent))
        if len(os.fsencode(path.name)) > os.pathconf(path.parent, "PC_NAME_MAX"):
            raise OSError(errno.ENAMETOOLONG, "file name too long", str(path))


class NewFile:
    """A file that has no name yet: write to `file`, then `sync`, then `give_name`. Closed without a name, it leaves nothing.

    Raises:
        Refused: something of that name exists.
        Unavailable: the disk.
    """

    def __init__(self, path: Path, mode: int = 0o600) -> None:
        begin()
        require_new(path)
        self.path = path
        self._temporary: Path | None = None
        try:
            with storage_errors(path), held():
                self.file, self._temporary = _unnamed(path.parent, mode)
        except KeyboardInterrupt:
            self._forget()
            raise

    def write(self, data: bytes) -> None:
        """Write a small file's content, all of it.

        Raises:
            Unavailable: the disk.
        """
        with storage_errors(self.path):
            _write_all(self.file, data)

    def sync(self) -> None:
        """Make what was written durable.

        Raises:
            Unavailable: the disk.
        """
        with storage_errors(self.path):
            self.file.flush()
            os.fsync(self.file.fileno())

    def give_name(self) -> None:
        """Give the file its name; it is durable after `sync_folder` of its folder.

        Raises:
            Refused: something of that name exists meanwhile. Unavailable: the disk.
        """
        with storage_errors(self.path):
            try:
                _link(self._temporary or Path(f"/proc/self/fd/{self.file.fileno()}"), self.path)
            except OSError as error:
                if self._temporary is None or error.errno not in _NO_LINKS:
                    raise
                _rename_to_new(self._temporary, self.path)

    def finish(self) -> None:
        """All that is left to do for a single file, durably: `sync`, and `give_name`.

        Raises:
            Refused: something of that name exists meanwhile. Unavailable: the disk.
        """
        self.sync()
        with naming(), storage_errors(self.path):
            self.give_name()
            sync_folder(self.path.parent)

    def has_name(self) -> bool:
        """Whether `give_name` got as far as the name, also if it was interrupted before it could say so."""
        try:
            return os.path.samestat(os.fstat(self.file.fileno()), self.path.lstat())
        except OSError:
            return False

    def close(self) -> None:
        """Close the file; without a name it is gone."""
        self.file.close()
        self._forget()

    def _forget(self) -> None:
        if self._temporary is not None:
            self._temporary.unlink(missing_ok=True)


@contextmanager
def open_new_file(path: Path, mode: int = 0o600) -> Iterator[BinaryIO]:
    """A file to write that gets its name `path` when the block ends well, after fsync, and leaves nothing when it does not.

    Raises:
        Refused: something of that name exists.
        Unavailable: the disk.
    """
    with contextlib.closing(NewFile(path, mode)) as new:
        yield new.file
        new.finish()


def _unnamed(folder: Path, mode: int) -> tuple[BinaryIO, Path | None]:
    """A file without a name in `folder`; where the file system has none such, a file with a temporary name, which is returned too."""
    if os.path.isdir("/proc/self/fd"):  # noqa: PTH112 - a constant path
        try:
            return io.FileIO(os.open(folder, os.O_TMPFILE | os.O_RDWR, mode), "r+"), None
        except OSError as error:
            if error.errno not in _NO_UNNAMED:
                raise
    temporary, descriptor = _named(folder, mode)
    return io.FileIO(descriptor, "r+"), temporary


@contextmanager
def _told_of(folder: Path) -> Iterator[None]:
    """What the operating system says of a file with a temporary name is told of its folder, which people know."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(folder)) from error


def _named(folder: Path, mode: int) -> tuple[Path, int]:
    """A new file with a temporary name in `folder`, and the descriptor that locks it."""
    while True:
        temporary = folder / f"{PREFIX}{secrets.token_hex(8)}"
        with _told_of(folder):
            descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)
        if _claim(descriptor, temporary):
            return temporary, descriptor
        os.close(descriptor)


def _claim(descriptor: int, path: Path) -> bool:
    """Lock what was just made, so that `sweep` leaves it alone; False if a sweep was quicker and it is gone."""
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _link(source: Path, path: Path) -> None:
    """Give the file a name that did not exist."""
    folder = _open_folder(path.parent)
    try:
        # Only with a folder's descriptor does Python call linkat with AT_SYMLINK_FOLLOW, which an unnamed file needs.
        os.link(source, path.name, dst_dir_fd=folder, follow_symlinks=True)
    except OSError as error:  # it would name the source
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        os.close(folder)


def second_name(path: Path, other: Path) -> None:
    """Give a file that nobody writes to another name beside the one it has; a copy, where no file has two.

    Raises:
        Refused: something of that name exists. Unavailable: the disk.
    """
    with storage_errors(other):
        try:
            _link(path, other)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
        else:
            sync_folder(other.parent)
            return
    with new_file_by_name(other) as work, storage_errors(other):
        shutil.copyfile(path, work)
        work.chmod(0o600)


def _rename_to_new(source: Path, path: Path) -> None:
    """Give the file a name that did not exist instead of the one it has: for file systems where no file has two, as on most USB sticks."""
    import ctypes  # noqa: PLC0415 - for these file systems only

    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is not None:
        if renameat2(_AT_FDCWD, os.fsencode(source), _AT_FDCWD, os.fsencode(path), _RENAME_NOREPLACE) == 0:
            return
        number = ctypes.get_errno()
        if number not in {errno.EINVAL, errno.ENOSYS}:  # the file system does not know the flag
            raise OSError(number, os.strerror(number), str(path))
    if os.path.lexists(path):
        raise FileExistsError(errno.EEXIST, "exists", str(path))
    source.rename(path)


def new_file(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Write a small file whole; see `open_new_file`."""
    with open_new_file(path, mode) as file, storage_errors(path):
        _write_all(file, data)


def _write_all(file: BinaryIO, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


def replace_files(contents: Mapping[Path, bytes], mode: int = 0o600) -> None:
    """Put new content in the place of files that are there, each whole.

    All are written and synced before the first takes its place, so that what is likely to go wrong changes none of them.

    Raises:
        Refused: one of them is a link, or has another name too: the old content would stay behind.
        Unavailable: the disk; the message says how many have their new content, if any has.
    """
    for path in contents:
        with storage_errors(path):
            state = path.lstat()
        if not stat.S_ISREG(state.st_mode) or state.st_nlink > 1:
            message = f"{str(path)!r} is a link, or has a second name: what is there now would stay behind"
            raise Refused(message, "put the file itself in that place, and remove its other names")
    waiting: dict[Path, tuple[Path, int]] = {}
    try:
        for path, data in contents.items():
            with storage_errors(path):
                temporary, descriptor = _named(path.parent, mode)
                waiting[path] = temporary, descriptor
                view = memoryview(data)
                while view:
                    view = view[os.write(descriptor, view) :]
                os.fsync(descriptor)
        for done, (path, (temporary, _)) in enumerate(waiting.items()):
            try:
                with storage_errors(path):
                    temporary.rename(path)
                    sync_folder(path.parent)
            except Unavailable as error:
                message = f"{error.message}; {done} of {len(waiting)} files were replaced before it"
                raise Unavailable(message, "mend that, and do it again") from error
    finally:
        for temporary, descriptor in waiting.values():
            temporary.unlink(missing_ok=True)
            os.close(descriptor)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A private folder (0700) beside `path` that becomes `path` when the block ends well, and vanishes when it does not.

    While it is being filled it is locked, so that `sweep` tells a living one from what a killed process left.

    Raises:
        Refused: something of that name exists.
        Unavailable: the disk.
    """
    begin()
    require_new(path)
    work: Path | None = None
    lock: int | None = None
    try:
        with storage_errors(path), held():
            work, lock = _private_folder(path.parent)
        yield work
        with naming(), storage_errors(path):
            for folder, _, _ in os.walk(work):
                sync_folder(Path(folder))
            if os.path.lexists(path):  # a folder renamed on to an empty one would replace it
                raise FileExistsError(errno.EEXIST, "exists", str(path))
            work.rename(path)
            sync_folder(path.parent)
    finally:
        if lock is not None:
            os.close(lock)
        if work is not None and os.path.lexists(work):
            shutil.rmtree(work, ignore_errors=True)


@contextmanager
def new_file_by_name(path: Path, *, replaces: bool = False) -> Iterator[Path]:
    """A file for what writes files by their names only, as SQLite does: it is `path` when the block ends well, and vanishes when it does not.

    With `replaces` it takes the place of the file that is there, in one step.

    Raises:
        Refused: something of that name exists.
        Unavailable: the disk.
    """
    begin()
    if not replaces:
        require_new(path)
    work: Path | None = None
    lock: int | None = None
    try:
        with storage_errors(path), held():
            work, lock = _private_folder(path.parent)
        made = work / "file"
        yield made
        with naming(), storage_errors(path):
            with made.open("rb") as file:
                os.fsync(file.fileno())
            if replaces:
                made.rename(path)
            else:
                _rename_to_new(made, path)
            sync_folder(path.parent)
    finally:
        if lock is not None:
            os.close(lock)
        if work is not None and os.path.lexists(work):
            shutil.rmtree(work, ignore_errors=True)


def _private_folder(parent: Path) -> tuple[Path, int]:
    """A new 0700 folder in `parent`, and the descriptor that locks it."""
    while True:
        work = parent / f"{PREFIX}{secrets.token_hex(8)}"
        with _told_of(parent):
            work.mkdir(mode=0o700)
        try:
            lock = _open_folder(work)
        except FileNotFoundError:  # a sweep was quicker
            continue
        if _claim(lock, work):
            return work, lock
        os.close(lock)


def sweep(folder: Path) -> list[Path]:
    """Remove what killed processes left unfinished in `folder`; returns what was removed."""
    removed = []
    for left in sorted(folder.glob(f"{PREFIX}*")):
        if not _UNFINISHED.fullmatch(left.name):
            continue  # not of our making
        with contextlib.suppress(OSError):  # it may have got its name meanwhile
            if left.lstat().st_uid != os.geteuid():
                continue
            descriptor = os.open(left, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if left.is_dir():
                    shutil.rmtree(left)
                else:
                    left.unlink()
                removed.append(left)
            finally:
                os.close(descriptor)
    return removed
