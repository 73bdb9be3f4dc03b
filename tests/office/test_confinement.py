"""A process that confined itself, and then really tries: other files, the network, programs, other processes.

Every case runs in a process of its own, since nobody gets out again. Where the system has no Landlock or no libseccomp these tests are skipped.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from valiza.keys.errors import Unavailable
from valiza.office.confinement import require_means

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PRELUDE = """
import ctypes, errno, fcntl, json, os, signal, socket, subprocess, sys, threading
from pathlib import Path
from valiza.office.confinement import Need, confine
from valiza.keys.errors import Unavailable

box = Path(sys.argv[1])

def tried(action):
    try:
        action()
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"

def called(number, *arguments):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), "")
"""


@pytest.fixture(autouse=True)
def _means() -> None:
    try:
        require_means()
    except Unavailable as error:
        pytest.skip(error.message)


@pytest.fixture
def confined(tmp_path: Path) -> Callable[..., Any]:
    """Run Python in a process of its own; what it prints as JSON."""

    def run(source: str, *, prelude: str = PRELUDE, code: int = 0) -> Any:
        command = [sys.executable, "-c", prelude + source, str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL)
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout) if code == 0 else done.stderr

    return run


def test_both_means_are_applied(confined: Callable[..., Any]) -> None:
    assert confined("made = confine(Need(), required=True); print(json.dumps([made.applied, made.missing]))") == [["landlock", "seccomp"], []]


def test_files(confined: Callable[..., Any], tmp_path: Path) -> None:
    for name in ("read", "write", "name", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_bytes(b"old")
    (tmp_path / "update").write_bytes(b"old")
    (tmp_path / "link").symlink_to(tmp_path / "other" / "file")
    found = confined("""
confine(Need(read=(box / "read",), update=(box / "update",), write=(box / "write",), name=(box / "name",)), required=True)
print(json.dumps({
    "read": [tried(lambda: (box / "read" / "file").read_bytes()), tried(lambda: os.listdir(box / "read")),
             tried(lambda: (box / "read" / "file").open("r+b")), tried(lambda: (box / "read" / "new").touch()),
             tried(lambda: (box / "read" / "file").unlink()), tried(lambda: os.truncate(box / "read" / "file", 0))],
    "update": [tried(lambda: (box / "update").write_bytes(b"new")), tried(lambda: (box / "update").unlink())],
    "write": [tried(lambda: (box / "write" / "file").write_bytes(b"new")), tried(lambda: (box / "write" / "new").touch()),
              tried(lambda: (box / "write" / "new").unlink()), tried(lambda: (box / "write" / "folder").mkdir()),
              tried(lambda: (box / "write" / "file").rename(box / "name" / "stolen")), tried(lambda: os.link(box / "write" / "file", box / "l"))],
    "name": [tried(lambda: (box / "name" / "folder").mkdir()), tried(lambda: (box / "name" / "folder").rename(box / "name" / "final")),
             tried(lambda: (box / "name" / "final").rmdir()), tried(lambda: (box / "name" / "file").read_bytes()),
             tried(lambda: (box / "name" / "file").write_bytes(b"")), tried(lambda: (box / "name" / "file").unlink()),
             tried(lambda: (box / "name" / "new").touch())],
    "other": [tried(lambda: (box / "other" / "file").read_bytes()), tried(lambda: (box / "link").read_bytes()),
              tried(lambda: os.listdir(box)), tried(lambda: (box / "new").touch()), tried(lambda: (box / "folder").mkdir()),
              tried(lambda: Path("/etc/passwd").read_bytes()), tried(lambda: os.listdir("/")), tried(lambda: Path("/proc/self/mem").open("rb")),
              tried(lambda: (box.parent / "escaped").touch())],
}))""")
    assert found["read"] == ["done", "done", "EACCES", "EACCES", "EACCES", "EPERM"]
    assert found["update"] == ["done", "EACCES"]
    assert found["write"][:4] == ["done"] * 4
    assert set(found["write"][4:]) <= {"EXDEV", "EACCES"}  # nothing is moved or linked out of where it was written
    assert found["name"] == ["done", "done", "done", "EACCES", "EACCES", "EACCES", "EACCES"]
    assert set(found["other"]) == {"EACCES"}
    assert (tmp_path / "read" / "file").read_bytes() == b"old"
    assert (tmp_path / "update").read_bytes() == b"new"


def test_owner_and_mode_of_files(confined: Callable[..., Any], tmp_path: Path) -> None:
    """Landlock guards neither, so a key could be shown to others."""
    (tmp_path / "key").write_bytes(b"secret")
    (tmp_path / "key").chmod(0o600)
    found = confined("""
confine(Need(read=(box,)), required=True)
path, file = bytes(box / "key"), (box / "key").open("rb")
print(json.dumps([
    tried(lambda: os.chmod(path, 0o644)), tried(lambda: os.fchmod(file.fileno(), 0o644)), tried(lambda: called(452, -100, path, 0o644, 0)),
    tried(lambda: os.chown(path, 1, 1)), tried(lambda: os.setxattr(path, "user.a", b"b")), tried(lambda: os.utime(path)),
]))""")
    assert set(found) == {"EPERM"}
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


def test_network(confined: Callable[..., Any]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        found = confined(f"""
early = socket.socket()
address = ("127.0.0.1", {server.getsockname()[1]})
confine(Need(read=(box,)), required=True)
families = [(socket.AF_INET, socket.SOCK_STREAM), (socket.AF_INET6, socket.SOCK_DGRAM), (socket.AF_UNIX, socket.SOCK_STREAM)]
print(json.dumps([
    *(tried(lambda: socket.socket(*family)) for family in families),
    tried(socket.socketpair), tried(lambda: early.connect(address)), tried(lambda: early.bind(("127.0.0.1", 0))), tried(lambda: early.listen()),
]))""")
        server.settimeout(0.1)
        with pytest.raises(TimeoutError):
            server.accept()
    assert set(found) == {"EPERM"}


def test_programs_and_processes(confined: Callable[..., Any], tmp_path: Path) -> None:
    found = confined("""
confine(Need(read=(box, Path("/usr"), Path("/bin"))), required=True)
print(json.dumps({
    "refused": [tried(os.fork), tried(lambda: os.execv("/bin/sh", ["sh"])), tried(lambda: subprocess.run([sys.executable, "-V"])),
                tried(lambda: os.posix_spawn("/bin/sh", ["sh"], {})), tried(lambda: os.kill(os.getppid(), signal.SIGTERM)),
                tried(lambda: os.kill(-1, signal.SIGTERM)), tried(lambda: os.pidfd_open(os.getppid())),
                tried(lambda: called(101 if os.uname().machine == "x86_64" else 117, 16, os.getppid(), 0, 0))],
    "without a process": tried(lambda: called(435, None, 0)),
    "itself": tried(lambda: os.kill(os.getpid(), 0)),
}))""")
    assert set(found["refused"]) == {"EPERM"}
    assert found["without a process"] == "ENOSYS"
    assert found["itself"] == "done"


def test_threads_run_and_are_confined_too(confined: Callable[..., Any]) -> None:
    found = confined("""
confine(Need(read=(box,)), required=True)
found = []
thread = threading.Thread(target=lambda: found.extend([tried(lambda: Path("/etc/passwd").read_bytes()), tried(socket.socket)]))
thread.start()
thread.join()
print(json.dumps(found))""")
    assert found == ["EACCES", "EPERM"]


def test_nothing_is_typed_into_the_terminal_of_the_person_who_sits_there(tmp_path: Path) -> None:
    source = (
        PRELUDE
        + """
confine(Need(), required=True)
print(json.dumps([tried(lambda: fcntl.ioctl(0, request, b"x")) for request in (0x5412, 0x541C, 0x5412 | 1 << 32)]))"""
    )
    controller, terminal = os.openpty()
    try:
        command = [sys.executable, "-c", source, str(tmp_path)]
        done = subprocess.run(command, stdin=terminal, capture_output=True, text=True, timeout=60, check=True)
    finally:
        os.close(controller)
        os.close(terminal)
    assert json.loads(done.stdout) == ["EPERM", "EPERM", "EPERM"]


def test_modules_are_imported_later_and_open_files_stay_open(confined: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    found = confined("""
file = (box / "file").open("rb")
confine(Need(), required=True)
import sqlite3, valiza.cli.main, valiza.envelope.opening, valiza.register.journal
print(json.dumps([file.read().decode(), tried(lambda: (box / "file").open("rb"))]))""")
    assert found == ["content", "EACCES"]


def test_what_does_not_exist_is_left_out(confined: Callable[..., Any]) -> None:
    assert confined("""
made = confine(Need(read=(box / "missing",), update=(box / "none",), write=(box / "no",), name=(box / "nowhere",)))
print(json.dumps(made.applied))""") == ["landlock", "seccomp"]


# -- means that are missing ------------------------------------------------------------------------------------------------------------------------

NO_PACKAGES = "import sys\nsys.modules['py_landlock'] = sys.modules['pyseccomp'] = None\n"
NO_LIBRARY = (
    "import ctypes.util\nreal = ctypes.util.find_library\nctypes.util.find_library = lambda name: None if name == 'seccomp' else real(name)\n"
)
OLD_KERNEL = """
import errno, pyseccomp
rules = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
rules.add_rule(pyseccomp.ERRNO(errno.{0}), 444)
rules.load()
"""
TELL = "made = confine(Need()); print(json.dumps([made.applied, made.missing]))"


def test_without_the_packages_both_are_named(confined: Callable[..., Any]) -> None:
    applied, missing = confined(TELL, prelude=NO_PACKAGES + PRELUDE)
    assert applied == []
    assert missing == ["landlock: the Python package py-landlock is not installed", "seccomp: the Python package pyseccomp is not installed"]


def test_without_the_library_landlock_is_applied_alone(confined: Callable[..., Any]) -> None:
    applied, missing = confined(TELL, prelude=NO_LIBRARY + PRELUDE)
    assert applied == ["landlock"]
    assert missing == ["seccomp: the library libseccomp is not installed"]


@pytest.mark.parametrize(("answer", "said"), [("ENOSYS", "landlock syscalls not available"), ("EOPNOTSUPP", "disabled at boot time")])
def test_kernel_without_landlock(confined: Callable[..., Any], answer: str, said: str) -> None:
    applied, missing = confined(TELL, prelude=OLD_KERNEL.format(answer) + PRELUDE)
    assert applied == ["seccomp"]
    (only,) = missing
    assert only.startswith("landlock: ")
    assert said in only


def test_threads_that_run_already_are_not_passed_over(confined: Callable[..., Any]) -> None:
    applied, missing = confined("""
end = threading.Event()
threading.Thread(target=end.wait).start()
made = confine(Need())
end.set()
print(json.dumps([made.applied, made.missing]))""")
    assert applied == ["seccomp"]
    assert missing == ["landlock: threads are running, and it would confine one of them only"]


def test_required_means_that_are_missing_are_an_error_and_nothing_is_applied(confined: Callable[..., Any]) -> None:
    found = confined(
        """
try:
    confine(Need(), required=True)
except Unavailable as error:
    print(json.dumps([error.exit_code, error.message, tried(lambda: Path("/etc/passwd").read_bytes())]))""",
        prelude=NO_LIBRARY + PRELUDE,
    )
    assert found == [7, "no sandbox: seccomp: the library libseccomp is not installed", "done"]
