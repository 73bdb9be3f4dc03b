"""Files that appear whole or not at all, are never overwritten, and leave nothing behind."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import io
import os
import re
import subprocess
import sys
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import pytest
from tests.support.disks import MOUNT, mounted

from valiza.keys import files, interruption
from valiza.keys.errors import Incomplete, Malformed, NoKey, NotAuthentic, Refused, Unavailable, ValizaError
from valiza.keys.files import (
    PREFIX,
    NewFile,
    about,
    advise,
    new_file,
    new_folder,
    open_new_file,
    read_file,
    read_text_file,
    replace_files,
    require_new,
    require_space,
    storage_errors,
    sweep,
    sync_content,
    sync_files,
    sync_folder,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REAL_OPEN: Final = os.open
REAL_FSYNC: Final = os.fsync
REAL_CDLL: Final = ctypes.CDLL


class SomethingElseError(Exception):
    """Whatever goes wrong in the block that fills a file."""


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(params=["unnamed", "no unnamed files", "no /proc"])
def how(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Every way in which a file is made: without a name, and with a temporary one where the file system or /proc does not have that."""

    def without_tmpfile(path: Any, flags: int, *arguments: Any, **keywords: Any) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(errno.EOPNOTSUPP, "not supported", str(path))
        return REAL_OPEN(path, flags, *arguments, **keywords)

    if request.param == "no unnamed files":
        monkeypatch.setattr(os, "open", without_tmpfile)
    elif request.param == "no /proc":
        monkeypatch.setattr(os.path, "isdir", lambda path: path != "/proc/self/fd")
    return str(request.param)


# -- new files ------------------------------------------------------------------------------------------------------------


def test_a_new_file_has_its_bytes_and_belongs_to_its_owner_alone(tmp_path: Path, how: str) -> None:
    before = os.umask(0)
    try:
        new_file(tmp_path / "it", b"bytes" * 100_000)
    finally:
        os.umask(before)
    assert (tmp_path / "it").read_bytes() == b"bytes" * 100_000
    assert (tmp_path / "it").stat().st_mode & 0o777 == 0o600
    assert left_in(tmp_path) == ["it"]


def made(path: Path) -> None:
    with open_new_file(path):
        pass


def made_in_steps(path: Path) -> None:
    with closing(NewFile(path)) as new:
        new.give_name()


def replaced(path: Path) -> None:
    path.touch()
    replace_files({path: b"new"})


@pytest.mark.parametrize("make", [made, made_in_steps, replaced])
def test_unless_it_is_said_a_file_belongs_to_its_owner_alone(tmp_path: Path, how: str, make: Callable[[Path], None]) -> None:
    before = os.umask(0)
    try:
        make(tmp_path / "it")
    finally:
        os.umask(before)
    assert (tmp_path / "it").stat().st_mode & 0o7777 == 0o600


def test_no_program_that_is_started_inherits_it(tmp_path: Path, how: str) -> None:
    with open_new_file(tmp_path / "it") as file:
        assert not os.get_inheritable(file.fileno())


def test_what_a_killed_process_left_of_a_file_is_swept_away(tmp_path: Path, how: str) -> None:
    with closing(NewFile(tmp_path / "it")) as new:
        new.file.write(b"half")
        left = left_in(tmp_path)
        new.file.close()  # as the system does for a process that is killed: the lock is gone too
        assert [path.name for path in sweep(tmp_path)] == left
    assert (left == []) == (how == "unnamed")
    assert all(re.fullmatch(r"\.valiza-[0-9a-f]{16}", name) for name in left)


def test_a_temporary_name_that_somebody_has_is_not_taken_from_him(tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / f"{PREFIX}{'0' * 16}").write_bytes(b"precious")
    monkeypatch.setattr("secrets.token_hex", lambda size: "0" * (2 * size))
    if how == "unnamed":
        new_file(tmp_path / "it", b"other")
    else:
        with pytest.raises(Refused):
            new_file(tmp_path / "it", b"other")
    assert (tmp_path / f"{PREFIX}{'0' * 16}").read_bytes() == b"precious"


def test_a_disk_that_fails_is_not_taken_for_one_that_cannot_have_unnamed_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Any, flags: int, *arguments: Any, **keywords: Any) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(errno.EDQUOT, "Disk quota exceeded", str(path))
        return REAL_OPEN(path, flags, *arguments, **keywords)

    monkeypatch.setattr(os, "open", full)
    with pytest.raises(Unavailable, match="disk quota exceeded"):
        new_file(tmp_path / "it", b"x")


def test_interrupted_while_it_is_made_it_leaves_nothing(tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = files._unnamed
    made: list[BinaryIO] = []

    def interrupted(folder: Path, mode: int) -> tuple[BinaryIO, Path | None]:
        file, temporary = real(folder, mode)
        made.append(file)
        interruption.request()
        return file, temporary

    monkeypatch.setattr(interruption, "_state", interruption._State())
    monkeypatch.setattr(files, "_unnamed", interrupted)
    with pytest.raises(KeyboardInterrupt):
        NewFile(tmp_path / "it")
    assert left_in(tmp_path) == []
    made[0].close()


def test_another_mode_can_be_asked_for(tmp_path: Path, how: str) -> None:
    before = os.umask(0o022)
    try:
        new_file(tmp_path / "it", b"", 0o644)
    finally:
        os.umask(before)
    assert (tmp_path / "it").stat().st_mode & 0o777 == 0o644


def test_a_file_has_no_name_before_it_is_whole(tmp_path: Path, how: str) -> None:
    with open_new_file(tmp_path / "it") as file:
        file.write(b"half")
        assert "it" not in left_in(tmp_path)
        assert (left_in(tmp_path) == []) == (how == "unnamed")
        file.write(b" and half")
    assert (tmp_path / "it").read_bytes() == b"half and half"


@pytest.mark.parametrize("error", [SomethingElseError, KeyboardInterrupt, SystemExit])
def test_nothing_is_left_when_the_block_fails(tmp_path: Path, how: str, error: type[BaseException]) -> None:
    def fail() -> None:
        with open_new_file(tmp_path / "it") as file:
            file.write(b"half")
            raise error

    with pytest.raises(error):
        fail()
    assert left_in(tmp_path) == []


def test_a_file_is_written_in_pieces_if_the_system_takes_only_some_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Reluctant:
        taken = b""

        def write(self, data: memoryview) -> int:
            self.taken += bytes(data[:3])
            return min(3, len(data))

    reluctant = Reluctant()

    @contextmanager
    def opened(_path: Path, _mode: int) -> Iterator[Reluctant]:
        yield reluctant

    monkeypatch.setattr(files, "open_new_file", opened)
    new_file(tmp_path / "it", b"ten bytes.")
    assert reluctant.taken == b"ten bytes."


def existing_file(path: Path) -> None:
    path.write_bytes(b"precious")


def existing_folder(path: Path) -> None:
    path.mkdir()


def dangling_link(path: Path) -> None:
    path.symlink_to("nowhere")


EXISTING: Final = pytest.mark.parametrize("existing", [existing_file, existing_folder, dangling_link])


@EXISTING
def test_what_exists_is_never_overwritten(tmp_path: Path, how: str, existing: Callable[[Path], None]) -> None:
    existing(tmp_path / "it")
    before = os.lstat(tmp_path / "it")
    for make in (lambda: require_new(tmp_path / "it"), lambda: new_file(tmp_path / "it", b"other"), lambda: new_folder(tmp_path / "it").__enter__()):
        with pytest.raises(Refused, match="exists already"):
            make()
    assert os.lstat(tmp_path / "it").st_ino == before.st_ino
    assert left_in(tmp_path) == ["it"]


@EXISTING
def test_what_came_into_being_meanwhile_is_not_overwritten(tmp_path: Path, how: str, existing: Callable[[Path], None]) -> None:
    def write() -> None:
        with open_new_file(tmp_path / "it") as file:
            file.write(b"other")
            existing(tmp_path / "it")

    with pytest.raises(Refused):
        write()
    assert left_in(tmp_path) == ["it"]
    assert (tmp_path / "it").is_symlink() or (tmp_path / "it").is_dir() or (tmp_path / "it").read_bytes() == b"precious"


@pytest.mark.parametrize("path", ["missing/it", "file/it", "x" * 300], ids=["no folder", "a file for a folder", "name too long"])
def test_where_nothing_can_be_made_it_is_unavailable(tmp_path: Path, how: str, path: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable):
        new_file(tmp_path / path, b"x")
    with pytest.raises(Unavailable), new_folder(tmp_path / path):
        pass
    assert left_in(tmp_path) == ["file"]


@pytest.mark.parametrize("name", ["x" * 255, "я" * 127 + "x"], ids=["letters of one byte", "letters of two"])
def test_a_name_may_be_as_long_as_the_file_system_has_it(tmp_path: Path, how: str, name: str) -> None:
    new_file(tmp_path / name, b"x")
    assert left_in(tmp_path) == [name]
    for longer in (f"{name}x", f"{name}xx"):
        with pytest.raises(Unavailable, match="file name too long"):
            require_new(tmp_path / longer)


def test_a_file_gets_its_name_when_it_is_told_to(tmp_path: Path, how: str) -> None:
    with closing(NewFile(tmp_path / "it", 0o644)) as new:
        new.file.write(b"bytes")
        new.sync()
        assert "it" not in left_in(tmp_path)
        assert not new.has_name()
        new.give_name()
        assert new.has_name()
    assert left_in(tmp_path) == ["it"]
    assert (tmp_path / "it").read_bytes() == b"bytes"


def test_a_file_gets_its_name_where_no_file_has_two(tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def link(*_arguments: Any, **_keywords: Any) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    with closing(NewFile(tmp_path / "it")) as new, monkeypatch.context() as patch:
        new.file.write(b"bytes")
        patch.setattr(os, "link", link)
        if how == "unnamed":
            with pytest.raises(Unavailable):
                new.give_name()
        else:
            new.give_name()
        assert new.has_name() == (how != "unnamed")
    assert left_in(tmp_path) == ([] if how == "unnamed" else ["it"])


class Libc:
    """The system's functions, with another answer of renameat2, or without it."""

    def __init__(self, answer: int | None) -> None:
        self.answer = answer

    def __call__(self, name: None, *, use_errno: bool) -> Any:
        assert use_errno, "only then is errno kept"
        real = REAL_CDLL(name, use_errno=True)
        if self.answer is None:
            return SimpleNamespace()
        return SimpleNamespace(renameat2=self.fail if self.answer else real.renameat2)

    def fail(self, *_arguments: object) -> int:
        assert self.answer is not None
        ctypes.set_errno(self.answer)
        return -1


@pytest.fixture(params=["renameat2", "no renameat2", "a file system without it", "a kernel without it"])
def renaming(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Every way in which a file gets a name where none has two."""
    answer = {"renameat2": 0, "a file system without it": errno.EINVAL, "a kernel without it": errno.ENOSYS}.get(request.param)

    def link(*_arguments: Any, **_keywords: Any) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    monkeypatch.setattr(os.path, "isdir", lambda path: path != "/proc/self/fd")
    monkeypatch.setattr(ctypes, "CDLL", Libc(answer))
    return str(request.param)


def test_a_file_is_renamed_where_none_has_two_names(tmp_path: Path, renaming: str, monkeypatch: pytest.MonkeyPatch) -> None:
    new_file(tmp_path / "it", b"bytes")
    monkeypatch.chdir(tmp_path)
    new_file(Path("other"), b"bytes")
    assert left_in(tmp_path) == ["it", "other"]
    assert (tmp_path / "it").read_bytes() == (tmp_path / "other").read_bytes() == b"bytes"


@EXISTING
def test_renaming_takes_no_name_that_was_given_meanwhile(tmp_path: Path, renaming: str, existing: Callable[[Path], None]) -> None:
    with closing(NewFile(tmp_path / "it")) as new:
        new.file.write(b"other")
        existing(tmp_path / "it")
        with pytest.raises(Refused, match=f"{str(tmp_path / 'it')!r} exists already"):
            new.give_name()
    assert left_in(tmp_path) == ["it"]
    assert (tmp_path / "it").is_symlink() or (tmp_path / "it").is_dir() or (tmp_path / "it").read_bytes() == b"precious"


def test_renaming_that_fails_is_told(tmp_path: Path, renaming: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", Libc(errno.EIO))
    with closing(NewFile(tmp_path / "it")) as new, pytest.raises(Unavailable, match="it': input/output error"):
        new.give_name()
    assert left_in(tmp_path) == []


def test_a_file_closed_without_a_name_is_gone(tmp_path: Path, how: str) -> None:
    with closing(NewFile(tmp_path / "it")) as new:
        new.file.write(b"bytes")
    assert left_in(tmp_path) == []


@EXISTING
def test_a_name_taken_meanwhile_is_refused_and_the_file_has_none(tmp_path: Path, how: str, existing: Callable[[Path], None]) -> None:
    with closing(NewFile(tmp_path / "it")) as new:
        new.file.write(b"other")
        existing(tmp_path / "it")
        with pytest.raises(Refused):
            new.give_name()
        assert not new.has_name()
    assert left_in(tmp_path) == ["it"]


# -- files that are there -------------------------------------------------------------------------------------------------


@pytest.fixture
def old(tmp_path: Path) -> list[Path]:
    """Three files with an old content."""
    paths = [tmp_path / name for name in ("a", "b", "c")]
    for path in paths:
        path.write_bytes(b"old")
    return paths


def test_files_get_new_content_and_nothing_else_is_left(old: list[Path]) -> None:
    replace_files({path: path.name.encode() * 100_000 for path in old}, 0o640)
    assert [path.read_bytes() for path in old] == [path.name.encode() * 100_000 for path in old]
    assert left_in(old[0].parent) == ["a", "b", "c"]
    assert {path.stat().st_mode & 0o777 for path in old} == {0o640}


def test_content_is_replaced_in_pieces_if_the_system_takes_only_some_bytes(old: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, bytes(data[:3])))
    replace_files({old[0]: b"ten bytes."})
    assert old[0].read_bytes() == b"ten bytes."


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("kind", ["link", "second name", "third name", "folder", "pipe"])
def test_what_is_no_file_of_one_name_keeps_all_from_being_replaced(old: list[Path], kind: str, place: int) -> None:
    path = old[place]
    aside = path.parent / "aside"
    aside.mkdir()
    if kind in {"second name", "third name"}:
        (aside / "second").hardlink_to(path)
        if kind == "third name":
            (aside / "third").hardlink_to(path)
    else:
        path.rename(aside / "moved")
        if kind == "link":
            path.symlink_to(aside / "moved")
        elif kind == "folder":
            path.mkdir()
        else:
            os.mkfifo(path)
    with pytest.raises(Refused, match=f"^{str(path)!r} is a link, or has a second name: what is there now would stay behind$"):
        replace_files(dict.fromkeys(old, b"new"))
    kept = [other for other in old if other != path] + [found for found in aside.iterdir() if found.is_file()]
    assert {found.read_bytes() for found in kept} == {b"old"}
    assert left_in(path.parent) == ["a", "aside", "b", "c"]


def test_a_disk_that_fails_before_the_first_file_is_replaced_changes_none(old: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def fsync(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 3:
            raise OSError(errno.EIO, "Input/output error")
        REAL_FSYNC(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(Unavailable, match=r"c': input/output error$"):
        replace_files(dict.fromkeys(old, b"new"))
    assert [path.read_bytes() for path in old] == [b"old"] * 3
    assert left_in(old[0].parent) == ["a", "b", "c"]


@pytest.mark.parametrize("done", [0, 1, 2])
def test_a_disk_that_fails_while_files_are_replaced_is_told_with_how_many_were(old: list[Path], monkeypatch: pytest.MonkeyPatch, done: int) -> None:
    real = Path.rename

    def rename(source: Path, target: Path) -> Path:
        if target == old[done]:
            raise OSError(errno.EIO, "Input/output error")
        return real(source, target)

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(Unavailable, match=f"input/output error; {done} of 3 files were replaced before it$") as caught:
        replace_files(dict.fromkeys(old, b"new"))
    assert caught.value.hint == "mend that, and do it again"
    assert [path.read_bytes() for path in old] == [b"new"] * done + [b"old"] * (3 - done)
    assert left_in(old[0].parent) == ["a", "b", "c"]


def test_no_descriptor_stays_open_when_files_were_replaced(old: list[Path]) -> None:
    before = sorted(Path("/proc/self/fd").iterdir())
    replace_files(dict.fromkeys(old, b"new"))
    assert sorted(Path("/proc/self/fd").iterdir()) == before


# -- syncing --------------------------------------------------------------------------------------------------------------

MANY: Final = 32  # from which on the file system is synced whole


class Disk:
    """Counts what is synced, and fails if it is told to; otherwise it does what the system does."""

    def __init__(self) -> None:
        self.fsyncs = self.syncfs_calls = 0
        self.fails = self.has_no_syncfs = False

    def fsync(self, descriptor: int) -> None:
        self.fsyncs += 1
        if self.fails:
            raise OSError(errno.EIO, "Input/output error")
        REAL_FSYNC(descriptor)

    def libc(self, name: None, *, use_errno: bool) -> Any:
        assert use_errno, "only then is errno kept"
        real = REAL_CDLL(name, use_errno=use_errno)
        return SimpleNamespace() if self.has_no_syncfs else SimpleNamespace(syncfs=partial(self.syncfs, real.syncfs))

    def syncfs(self, real: Callable[[int], int], descriptor: int) -> int:
        self.syncfs_calls += 1
        if self.fails:
            ctypes.set_errno(errno.EIO)
            return -1
        return real(descriptor)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    found = Disk()
    monkeypatch.setattr(os, "fsync", found.fsync)
    monkeypatch.setattr(ctypes, "CDLL", found.libc)
    return found


@contextmanager
def unnamed_files(folder: Path, count: int) -> Iterator[list[NewFile]]:
    with ExitStack() as stack:
        made = [stack.enter_context(closing(NewFile(folder / str(number)))) for number in range(count)]
        for new in made:
            new.file.write(b"bytes")
        yield made


def sync_new(folder: Path, count: int) -> None:
    """`sync_files` of some new files."""
    with unnamed_files(folder, count) as made:
        sync_files(made)


def sync_written(folder: Path, count: int) -> None:
    """`sync_content` of a folder with some files."""
    for number in range(count):
        (folder / str(number)).write_bytes(b"bytes")
    sync_content(folder)


SYNCING: Final = pytest.mark.parametrize("sync", [sync_new, sync_written])


@SYNCING
def test_few_files_are_synced_one_by_one_and_many_at_once(tmp_path: Path, disk: Disk, sync: Callable[[Path, int], None]) -> None:
    for count, fsyncs, calls in ((0, 0, 0), (1, 1, 0), (31, 31, 0), (32, 0, 1), (33, 0, 1)):
        folder = tmp_path / f"{count}"
        folder.mkdir()
        disk.fsyncs = disk.syncfs_calls = 0
        sync(folder, count)
        assert (disk.fsyncs, disk.syncfs_calls) == (fsyncs, calls)


@SYNCING
@pytest.mark.parametrize("release", ["5.8.0", "5.10.0-28-amd64", "6.0", "10.1"])
def test_since_linux_5_8_one_sync_tells_errors(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch, sync: Callable[[Path, int], None], release: str
) -> None:
    monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(sysname="Linux", release=release))
    sync(tmp_path, MANY)
    assert (disk.fsyncs, disk.syncfs_calls) == (0, 1)


@SYNCING
@pytest.mark.parametrize("why", ["no syncfs", "Linux before 5.8", "no Linux", "no Linux either", "a strange release"])
def test_where_one_sync_for_all_is_not_to_be_had_each_is_synced(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch, sync: Callable[[Path, int], None], why: str
) -> None:
    disk.has_no_syncfs = why == "no syncfs"
    system, release = {
        "Linux before 5.8": ("Linux", "5.7.19"),
        "no Linux": ("FreeBSD", "15.0"),
        "no Linux either": ("SunOS", "5.11"),
        "a strange release": ("Linux", "next"),
    }.get(why, ("Linux", "6.1.0"))
    monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(sysname=system, release=release))
    sync(tmp_path, MANY)
    assert (disk.fsyncs, disk.syncfs_calls) == (MANY, 0)


@SYNCING
@pytest.mark.parametrize("count", [1, MANY])
def test_a_disk_that_fails_is_told(tmp_path: Path, disk: Disk, sync: Callable[[Path, int], None], count: int) -> None:
    disk.fails = True
    with pytest.raises(Unavailable, match="input/output error") as failed:
        sync(tmp_path, count)
    assert failed.value.exit_code == 7
    assert (disk.fsyncs, disk.syncfs_calls) == ((1, 0) if count == 1 else (0, 1))


def test_files_on_two_disks_are_each_synced_on_their_own(tmp_path: Path, small_disk: Path, disk: Disk) -> None:
    with unnamed_files(tmp_path, MANY) as here, unnamed_files(small_disk, 3) as there:
        sync_files([*here, *there])
    assert (disk.fsyncs, disk.syncfs_calls) == (3, 1)


def test_content_is_not_followed_out_of_its_folder(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "link").symlink_to("/etc/hostname")
    with pytest.raises(Unavailable):
        sync_content(tmp_path / "folder")


# -- advice ---------------------------------------------------------------------------------------------------------------


def test_advice_is_of_all_of_a_file_or_of_what_was_written_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, ...]] = []
    monkeypatch.setattr(os, "posix_fadvise", lambda _descriptor, *advice: told.append(advice))
    with (tmp_path / "it").open("wb", buffering=0) as file:
        file.write(b"twelve bytes")
        advise(file, "SEQUENTIAL")
        advise(file, "DONTNEED", last=5)
    assert told == [(0, 0, os.POSIX_FADV_SEQUENTIAL), (7, 5, os.POSIX_FADV_DONTNEED)]


def test_without_advice_all_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    advise(io.BytesIO(), "SEQUENTIAL")
    read, write = os.pipe()
    with open(read, "rb") as source, open(write, "wb", buffering=0):  # noqa: PTH123 - it has no path
        advise(source, "SEQUENTIAL")
    monkeypatch.delattr(os, "posix_fadvise")
    (tmp_path / "it").touch()
    with (tmp_path / "it").open("rb") as file:
        advise(file, "SEQUENTIAL")


# -- space ----------------------------------------------------------------------------------------------------------------


def test_what_fits_is_found_out_beforehand(small_disk: Path) -> None:
    require_space(small_disk, 64 << 10, "opening")
    with pytest.raises(Unavailable) as refused:
        require_space(small_disk, (64 << 10) + 1, "opening")
    assert refused.value.message == f"opening needs 65537 bytes in {str(small_disk)!r}, and 65536 are free there"
    assert refused.value.exit_code == 7
    new_file(small_disk / "it", bytes(40_000))
    require_space(small_disk, 24_576, "opening")
    with pytest.raises(Unavailable, match="and 24576 are free there"):
        require_space(small_disk, 24_577, "opening")
    require_space(small_disk, 0, "opening")


@pytest.mark.parametrize(("user", "free"), [(0, 40960), (1, 20480), (1000, 20480)])
def test_what_is_kept_for_the_system_is_free_for_it_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user: int, free: int) -> None:
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_bfree=10, f_bavail=5, f_frsize=4096))
    monkeypatch.setattr(os, "geteuid", lambda: user)
    require_space(tmp_path, free, "opening")
    with pytest.raises(Unavailable, match=f"and {free} are free there"):
        require_space(tmp_path, free + 1, "opening")


def test_where_space_cannot_be_asked_for_it_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="no such file"):
        require_space(tmp_path / "missing", 1, "opening")


# -- new folders ----------------------------------------------------------------------------------------------------------


def test_a_new_folder_appears_with_all_that_is_in_it(tmp_path: Path) -> None:
    with new_folder(tmp_path / "it") as work:
        assert work.stat().st_mode & 0o777 == 0o700
        assert work.parent == tmp_path
        assert re.fullmatch(r"\.valiza-[0-9a-f]{16}", work.name), "or no sweep knows what is left of it"
        new_file(work / "a", b"a")
        (work / "b").mkdir()
        assert not (tmp_path / "it").exists()
    assert left_in(tmp_path) == ["it"]
    assert left_in(tmp_path / "it") == ["a", "b"]
    assert (tmp_path / "it").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("error", [SomethingElseError, KeyboardInterrupt, SystemExit])
def test_nothing_is_left_of_a_folder_when_its_block_fails(tmp_path: Path, error: type[BaseException]) -> None:
    def fail() -> None:
        with new_folder(tmp_path / "it") as work:
            new_file(work / "a", b"a")
            raise error

    with pytest.raises(error):
        fail()
    assert left_in(tmp_path) == []


def test_no_descriptor_stays_open_when_a_folder_was_made(tmp_path: Path) -> None:
    before = sorted(Path("/proc/self/fd").iterdir())
    with new_folder(tmp_path / "it"):
        pass
    with pytest.raises(SomethingElseError), new_folder(tmp_path / "other"):
        raise SomethingElseError
    assert sorted(Path("/proc/self/fd").iterdir()) == before


def test_names_in_a_folder_are_durable_and_those_in_its_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []

    def fsync(descriptor: int) -> None:
        synced.append(os.fstat(descriptor).st_ino)
        REAL_FSYNC(descriptor)

    with new_folder(tmp_path / "it") as work:
        (work / "inner" / "most").mkdir(parents=True)
        monkeypatch.setattr(os, "fsync", fsync)
    folders = [tmp_path, tmp_path / "it", tmp_path / "it" / "inner", tmp_path / "it" / "inner" / "most"]
    assert sorted(synced) == sorted(folder.stat().st_ino for folder in folders)


def test_what_cannot_be_removed_does_not_hide_what_went_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(path: object, **_keywords: object) -> None:
        raise OSError(errno.EBUSY, "Device or resource busy", str(path))

    monkeypatch.setattr(os, "rmdir", busy)
    with pytest.raises(SomethingElseError), new_folder(tmp_path / "it"):
        raise SomethingElseError


@EXISTING
def test_a_folder_does_not_take_the_place_of_what_came_meanwhile(tmp_path: Path, existing: Callable[[Path], None]) -> None:
    def fill() -> None:
        with new_folder(tmp_path / "it") as work:
            new_file(work / "a", b"a")
            existing(tmp_path / "it")

    with pytest.raises(Refused):
        fill()
    assert left_in(tmp_path) == ["it"]
    assert not (tmp_path / "it" / "a").exists()


# -- what killed processes leave ------------------------------------------------------------------------------------------

FILLING: Final = """
import sys, time
from pathlib import Path
from valiza.keys.files import new_file, new_folder

with new_folder(Path(sys.argv[1])) as work:
    new_file(work / "secret", b"plaintext")
    print(work.name, flush=True)
    time.sleep(60)
"""


@contextmanager
def another_process(path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process that is filling a new folder, and the folder's name for now."""
    with subprocess.Popen([sys.executable, "-c", FILLING, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def test_what_a_living_process_fills_is_left_alone_and_what_a_killed_one_left_is_removed(tmp_path: Path) -> None:
    with another_process(tmp_path / "it") as (process, name):
        assert (tmp_path / name / "secret").read_bytes() == b"plaintext"
        assert sweep(tmp_path) == []
        assert left_in(tmp_path) == [name]
        process.kill()
        process.wait()
    assert left_in(tmp_path) == [name], "a kill leaves it, but never under its final name"
    assert sweep(tmp_path) == [tmp_path / name]
    assert left_in(tmp_path) == []


def test_a_file_that_is_being_written_is_not_swept_away(tmp_path: Path, how: str) -> None:
    with open_new_file(tmp_path / "it") as file:
        file.write(b"bytes")
        assert sweep(tmp_path) == []
    assert (tmp_path / "it").read_bytes() == b"bytes"


def test_a_folder_is_made_although_another_process_sweeps_at_that_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between making the folder and locking it: then there is nothing that tells it from one left behind."""
    real = fcntl.flock
    swept: list[list[Path]] = []

    def flock(descriptor: int, operation: int) -> None:
        if operation == fcntl.LOCK_EX and not swept:
            monkeypatch.undo()
            swept.append(sweep(tmp_path))
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    with new_folder(tmp_path / "it") as work:
        new_file(work / "a", b"a")
    assert left_in(tmp_path / "it") == ["a"]


def test_a_folder_is_made_although_another_process_sweeps_a_moment_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between making the folder and opening it."""
    real = Path.mkdir
    gone: list[Path] = []

    def mkdir(path: Path, mode: int = 0o777) -> None:
        real(path, mode)
        if not gone:
            path.rmdir()
            gone.append(path)

    monkeypatch.setattr(Path, "mkdir", mkdir)
    with new_folder(tmp_path / "it") as work:
        new_file(work / "a", b"a")
    assert left_in(tmp_path / "it") == ["a"]
    assert left_in(tmp_path) == ["it"]


@pytest.mark.parametrize("step", [-1, 1])
def test_what_another_user_left_is_his(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Whichever number he has; and what comes after it is swept."""
    own = os.geteuid()
    names = [f"{PREFIX}{digit * 16}" for digit in "ab"]
    for name in names:
        (tmp_path / name).touch()
    users = iter([own + step, own + step, own + step, own])
    monkeypatch.setattr(os, "geteuid", lambda: next(users))
    assert sweep(tmp_path) == []
    assert left_in(tmp_path) == names
    assert sweep(tmp_path) == [tmp_path / names[1]]
    assert left_in(tmp_path) == names[:1]


def test_only_what_has_a_name_of_ours_is_swept_and_no_link_is_followed(tmp_path: Path) -> None:
    aside = tmp_path / "aside"
    aside.mkdir()
    for name in ("kept", ".hidden", "valiza-kept", f"{PREFIX}0", f"{PREFIX}notes"):
        (aside / name).touch()
    link, file, folder, to_a_file = (f"{PREFIX}{digit * 16}" for digit in "abcd")
    (aside / link).symlink_to(tmp_path)
    (aside / to_a_file).symlink_to("kept")
    (aside / file).touch()
    (aside / folder).mkdir()
    (aside / folder / "link").symlink_to(aside / "kept")
    assert sweep(aside) == [aside / file, aside / folder]
    assert left_in(aside) == [".hidden", f"{PREFIX}0", link, to_a_file, f"{PREFIX}notes", "kept", "valiza-kept"]


def test_sweeping_a_clean_or_missing_folder_removes_nothing(tmp_path: Path) -> None:
    assert sweep(tmp_path) == []
    assert sweep(tmp_path / "missing") == []


# -- reading, and what the system says ------------------------------------------------------------------------------------


def test_never_more_than_one_byte_above_the_limit_is_read(tmp_path: Path) -> None:
    (tmp_path / "it").write_bytes(b"0123456789")
    assert [read_file(tmp_path / "it", limit) for limit in (4, 9, 10, 11)] == [b"01234", b"0123456789", b"0123456789", b"0123456789"]
    assert read_file(Path("/dev/zero"), 1000) == bytes(1001)


def test_a_text_file_up_to_its_limit(tmp_path: Path) -> None:
    (tmp_path / "it").write_text("Құпия", encoding="utf-8")
    assert read_text_file(tmp_path / "it", 10, "inventory") == "Құпия"
    with pytest.raises(Malformed, match=f"^inventory {str(tmp_path / 'it')!r} is longer than 9 bytes$"):
        read_text_file(tmp_path / "it", 9, "inventory")


def test_a_text_file_may_begin_with_a_mark_of_its_encoding_and_has_to_be_in_utf_8(tmp_path: Path) -> None:
    (tmp_path / "it").write_text("Құпия", encoding="utf-8-sig")
    assert read_text_file(tmp_path / "it", 100, "inventory") == "Құпия"
    (tmp_path / "it").write_text("Секретно", encoding="cp1251")
    with pytest.raises(Malformed, match=f"^inventory {str(tmp_path / 'it')!r} is not text in UTF-8$"):
        read_text_file(tmp_path / "it", 100, "inventory")


def test_what_cannot_be_read_is_unavailable_and_named(tmp_path: Path) -> None:
    for path in (tmp_path / "missing", tmp_path):
        with pytest.raises(Unavailable, match=path.name):
            read_file(path, 10)


def test_an_error_of_the_system_becomes_one_line() -> None:
    with pytest.raises(Unavailable) as unavailable, storage_errors("the disk"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert unavailable.value.message == "'the disk': no space left on device"
    with pytest.raises(Unavailable, match="'/the/other': permission denied"), storage_errors("the disk"):
        raise PermissionError(errno.EACCES, "Permission denied", "/the/other")
    with pytest.raises(Refused), storage_errors("the disk"):
        raise FileExistsError(errno.EEXIST, "File exists")
    with pytest.raises(SomethingElseError), storage_errors("the disk"):
        raise SomethingElseError


@pytest.mark.parametrize("family", [Malformed, NotAuthentic, Refused, NoKey, Unavailable])
def test_an_error_about_a_file_names_it_once(family: type[ValizaError]) -> None:
    """Unless it is said which errors are meant, those that say that the file does not hold."""
    families: tuple[tuple[type[ValizaError], ...], ...] = ((), (family,), (Malformed, family), (Incomplete,))
    for asked in families:
        meant = family in asked or (not asked and family in {Malformed, NotAuthentic, Refused})
        error = family("it does not hold", "a hint")
        with pytest.raises(family) as caught, about(Path("outer"), *asked), about(Path("inner"), *asked):
            raise error
        assert caught.value.message == ("'inner': it does not hold" if meant else "it does not hold")
        assert (caught.value.hint, caught.value.named) == ("a hint", meant)


def test_a_full_device_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="no space left"), Path("/dev/full").open("wb", buffering=0) as device, storage_errors("/dev/full"):
        device.write(b"x")


def test_a_folder_is_synced_and_a_file_is_no_folder(tmp_path: Path) -> None:
    sync_folder(tmp_path)
    (tmp_path / "it").touch()
    with pytest.raises(NotADirectoryError):
        sync_folder(tmp_path / "it")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    with mounted(tmp_path / "disk", "64k") as disk:
        yield disk


def fill_folder(path: Path) -> None:
    with new_folder(path) as work:
        new_file(work / "small", b"x")
        new_file(work / "large", bytes(1 << 20))


def test_on_a_full_disk_nothing_is_left(small_disk: Path) -> None:
    new_file(small_disk / "small", b"x")
    with pytest.raises(Unavailable, match="no space left"):
        new_file(small_disk / "large", bytes(1 << 20))
    with pytest.raises(Unavailable, match="no space left"):
        fill_folder(small_disk / "folder")
    assert left_in(small_disk) == ["small"]
    new_file(small_disk / "again", bytes(40_000))


def test_on_a_disk_that_is_only_read_nothing_can_be_made(small_disk: Path) -> None:
    new_file(small_disk / "it", b"x")
    subprocess.run([str(MOUNT), "-o", "remount,ro", str(small_disk)], check=True)
    for make in (lambda: new_file(small_disk / "other", b"x"), lambda: new_folder(small_disk / "other").__enter__()):
        with pytest.raises(Unavailable, match="read-only"):
            make()
    with pytest.raises(Refused):
        new_file(small_disk / "it", b"x")
    assert read_file(small_disk / "it", 10) == b"x"
