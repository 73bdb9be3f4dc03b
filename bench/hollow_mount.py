"""Mount a hollow file system (hollow.py).

    .venv-bench/bin/python bench/hollow_mount.py MOUNTPOINT STORE KEY

STORE is a folder on a disk, where names, modes and all that has to be kept lie; KEY the addressee's key file, without a passphrase. It is mounted
until standard input ends. Needs /dev/fuse and libfuse3; one thread, requests of up to 1 MiB, nothing cached by the kernel.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from hollow import Content
from valiza.keys.keyfile import load_key
from valiza.keys.recipient import Identity

os.environ.setdefault("FUSE_LIBRARY_NAME", "fuse3")  # its requests are eight times those of libfuse2
import mfusepy

ROOM = 1 << 50  # bytes it says are free


class Hollow(mfusepy.Operations):  # type: ignore[misc] # not in the environment that is checked
    """Names and attributes are the store's; contents go through `Content`."""

    use_ns = True

    def __init__(self, store: Path, identity: Identity) -> None:
        self._store = str(store)
        self._identity = identity
        self._contents: dict[int, Content] = {}  # by inode number of the store

    def _path(self, path: str) -> str:
        return self._store + path

    def _content(self, file: int) -> Content:
        return self._contents.setdefault(os.fstat(file).st_ino, Content(self._identity))

    def init_with_config(self, conn_info: Any, config_3: Any) -> None:  # noqa: ANN401, ARG002 - mfusepy's
        config_3.direct_io = 1
        config_3.use_ino = 1  # two names of one file show that they are
        config_3.hard_remove = 1
        config_3.attr_timeout = config_3.entry_timeout = config_3.negative_timeout = 0.0

    def getattr(self, path: str, fh: int | None = None) -> dict[str, int]:
        state = os.fstat(fh) if fh is not None else os.lstat(self._path(path))
        names = ("st_mode", "st_nlink", "st_uid", "st_gid", "st_size", "st_ino", "st_blocks")
        times = {f"st_{kind}time": getattr(state, f"st_{kind}time_ns") for kind in "amc"}
        return {name: getattr(state, name) for name in names} | times

    def statfs(self, path: str) -> dict[str, int]:
        free = ROOM // 4096
        return {"f_bsize": 4096, "f_frsize": 4096, "f_blocks": free, "f_bfree": free, "f_bavail": free, "f_namemax": 255} | (
            {"f_files": 1 << 32, "f_ffree": 1 << 32} if path else {}
        )

    def readdir(self, path: str, fh: int) -> list[str]:  # noqa: ARG002 - mfusepy's
        return [".", "..", *os.listdir(self._path(path))]  # noqa: PTH208 - names

    def mkdir(self, path: str, mode: int) -> int:
        os.mkdir(self._path(path), mode)  # noqa: PTH102 - as asked
        return 0

    def rmdir(self, path: str) -> int:
        os.rmdir(self._path(path))  # noqa: PTH106
        return 0

    def chmod(self, path: str, mode: int) -> int:
        os.chmod(self._path(path), mode)  # noqa: PTH101
        return 0

    def utimens(self, path: str, times: tuple[int, int] | None = None) -> int:
        os.utime(self._path(path), ns=times) if times else os.utime(self._path(path))
        return 0

    def rename(self, old: str, new: str) -> int:
        os.rename(self._path(old), self._path(new))  # noqa: PTH104
        return 0

    def link(self, target: str, source: str) -> int:
        os.link(self._path(source), self._path(target))
        return 0

    def unlink(self, path: str) -> int:
        state = os.lstat(self._path(path))
        os.unlink(self._path(path))  # noqa: PTH108
        if state.st_nlink == 1:
            self._contents.pop(state.st_ino, None)
        return 0

    def create(self, path: str, mode: int, fi: int | None = None) -> int:  # noqa: ARG002 - mfusepy's
        return os.open(self._path(path), os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)

    def open(self, path: str, flags: int) -> int:
        how = os.O_RDONLY if flags & os.O_ACCMODE == os.O_RDONLY else os.O_RDWR
        return os.open(self._path(path), how | os.O_CLOEXEC)

    def release(self, path: str, fh: int) -> int:  # noqa: ARG002 - mfusepy's
        os.close(fh)
        return 0

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:  # noqa: ARG002 - mfusepy's
        return self._content(fh).read(fh, size, offset)

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:  # noqa: ARG002 - mfusepy's
        return self._content(fh).write(fh, data, offset)

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        file = os.open(self._path(path), os.O_RDWR | os.O_CLOEXEC) if fh is None else fh
        try:
            self._content(file).truncate(file, length)
        finally:
            if fh is None:
                os.close(file)
        return 0

    def fsync(self, path: str, datasync: int, fh: int) -> int:  # noqa: ARG002 - mfusepy's
        self._content(fh).keep(fh)
        os.fsync(fh)
        return 0


def leave(serving: int) -> None:
    """Unmount when standard input ends: who started this closed it, or was killed. At SIGTERM libfuse unmounts, unless it comes at a bad moment."""
    sys.stdin.buffer.read()
    while True:
        signal.pthread_kill(serving, signal.SIGTERM)
        time.sleep(0.2)


def main() -> None:
    mountpoint, store, key = sys.argv[1:]
    identity = load_key(Path(key), lambda: "")
    assert isinstance(identity, Identity)
    threading.Thread(target=leave, args=[threading.get_ident()], daemon=True).start()
    mfusepy.FUSE(Hollow(Path(store), identity), mountpoint, foreground=True, nothreads=True, fsname="hollow")


if __name__ == "__main__":
    main()
