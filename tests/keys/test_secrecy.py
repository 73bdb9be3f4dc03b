"""What the kernel says of a process that guards its memory: its limits, what is locked of it, and who may look into it.

A process guards itself once and for good, so each test has one of its own. Where the tests run as root, it is first made an ordinary user's.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import pytest

from valiza.keys import secrecy
from valiza.keys.secrecy import Guard

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux is asked")

NOBODY: Final = 65534
ROOT: Final = os.geteuid() == 0
_IPC_LOCK: Final = 1 << 14  # the capability to lock any memory
_DUMPABLE: Final = 4

# All that is needed is loaded while the files can be read. Then it says on each line of standard output what it is asked for on standard input.
CHILD: Final = """
import ctypes, json, os, resource, shutil, sys, tempfile
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from valiza.keys.files import new_file
from valiza.keys.processes import shared
from valiza.keys.secrecy import guard_process, guarded, hold
from valiza.keys.signing import SigningKey

lockable, user = map(int, sys.argv[1:])
SigningKey(bytes(64))
if lockable >= 0:
    with suppress(ValueError):  # above the limit that there is
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (min(lockable, 4096), lockable))
if user:
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # as after the start of a program: changing the user had closed it

def locked():
    text = Path("/proc/self/status").read_text()
    return int(text.partition("VmLck:")[2].split()[0]) << 10

def is_locked(address):
    here = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        words = line.split()
        if "-" in words[0]:
            low, high = (int(word, 16) for word in words[0].split("-"))
            here = low <= address < high
        elif here and words[0] == "Locked:":
            return int(words[1]) > 0

def in_another_process(expression):
    with shared(1) as share:
        return next(share(eval, [expression]))

for line in sys.stdin:
    print(json.dumps(eval(line)), flush=True)
"""


@dataclass
class Child:
    """A process that does what it is told."""

    process: subprocess.Popen[str]

    def does(self, expression: str) -> Any:
        """What an expression gives in it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(expression + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def seen(self, name: str, *, user: int) -> subprocess.CompletedProcess[bytes]:
        """What another process of a user gets when it reads something of this one in /proc."""
        become: dict[str, Any] = {"user": user, "group": user, "extra_groups": []} if user else {}
        return subprocess.run(["/usr/bin/head", "-c", "1", f"/proc/{self.process.pid}/{name}"], capture_output=True, check=False, **become)


def _started(lockable: int, user: int) -> Iterator[Child]:
    with subprocess.Popen([sys.executable, "-c", CHILD, str(lockable), str(user)], stdin=-1, stdout=-1, text=True) as process:
        child = Child(process)
        child.does("'it is ready'")
        yield child
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture
def ordinary(request: pytest.FixtureRequest) -> Iterator[Child]:
    """A process of an ordinary user, who may lock 64 KiB or what the test says."""
    yield from _started(getattr(request, "param", 65536), NOBODY if ROOT else 0)


@pytest.fixture
def like_us() -> Iterator[Child]:
    """A process with the rights that the tests have."""
    yield from _started(-1, 0)


def test_nothing_is_asked_before_it_is_wanted(ordinary: Child) -> None:
    """A library changes nothing about the process that uses it."""
    ordinary.does("SigningKey(bytes(64)).public and None")
    assert ordinary.does("[guarded(), locked(), hold('x')]") == [None, 0, "x"]
    assert ordinary.seen("environ", user=NOBODY if ROOT else 0).returncode == 0


def test_no_core_dump_and_nobody_looks_into_it(ordinary: Child) -> None:
    user = NOBODY if ROOT else 0
    assert ordinary.seen("environ", user=user).returncode == 0
    guard = ordinary.does("asdict(guard_process())")
    assert (guard["no_core"], guard["private"]) == (True, True)
    assert ordinary.does("asdict(guarded())") == guard
    limits = Path(f"/proc/{ordinary.process.pid}/limits").read_text(encoding="ascii")
    assert [line.split()[4:6] for line in limits.splitlines() if line.startswith("Max core file size")] == [["0", "0"]]
    assert ordinary.does("ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)") == 0  # PR_GET_DUMPABLE
    for name in ("environ", "mem", "maps"):  # mem needs what a debugger needs
        seen = ordinary.seen(name, user=user)
        assert seen.returncode != 0, name
        assert b"ermission denied" in seen.stderr or b"not permitted" in seen.stderr


def test_its_own_files_stay_within_its_reach(ordinary: Child) -> None:
    """Files get their names by way of /proc/self/fd."""
    ordinary.does("asdict(guard_process())")
    assert ordinary.does("os.readlink('/proc/self/fd/0')").startswith("pipe:")
    ordinary.does("globals().update(folder=Path(tempfile.mkdtemp())) and None")
    ordinary.does("new_file(folder / 'it', b'content')")
    assert ordinary.does("[path.name for path in folder.iterdir()], (folder / 'it').read_text()") == [["it"], "content"]
    ordinary.does("shutil.rmtree(folder)")


@pytest.mark.parametrize("guarded", [True, False])
def test_processes_that_share_its_work_are_guarded_like_it(like_us: Child, *, guarded: bool) -> None:
    if guarded:
        like_us.does("asdict(guard_process())")
    asked = "__import__('sys').modules['valiza.keys.secrecy'].guarded() is not None"
    assert like_us.does(f"in_another_process({asked!r})") is guarded


def _may_lock_all(lockable: int) -> bool:
    capabilities = int(Path("/proc/self/status").read_text(encoding="ascii").partition("CapEff:")[2].split()[0], 16)
    return lockable == resource.RLIM_INFINITY or (ROOT and bool(capabilities & _IPC_LOCK))


def test_seeds_of_keys_are_locked_as_far_as_an_ordinary_user_may(ordinary: Child) -> None:
    assert ordinary.does("asdict(guard_process())")["locked"] == "secrets"
    assert ordinary.does("asdict(guarded())")["lockable"] == 65536  # the soft limit is raised to the hard one
    before = ordinary.does("locked()")
    assert 0 < before < 65536
    ordinary.does("globals().update(seed=bytes(range(64)) * 4096, key=SigningKey(bytes(range(1, 65))), text=hold('passphrase' * 9000)) and None")
    assert ordinary.does("[is_locked(id(key.seed)), is_locked(id(text) + 50_000), is_locked(id(seed) + 50_000)]") == [True, False, False]
    assert before < ordinary.does("locked()") <= 65536


@pytest.mark.parametrize("ordinary", [0], indirect=True)
def test_who_may_lock_nothing_locks_nothing(ordinary: Child) -> None:
    """And works all the same."""
    guard = ordinary.does("asdict(guard_process())")
    assert guard == {"no_core": True, "private": True, "locked": "nothing", "lockable": 0}
    assert ordinary.does("[len(SigningKey(bytes(64)).seed), locked()]") == [64, 0]


@pytest.mark.parametrize("ordinary", [1 << 30], indirect=True)
def test_a_large_limit_is_no_leave_to_lock_everything(ordinary: Child) -> None:
    """All that it has is less, but what it allocated beyond the limit later would fail. Where the limit cannot be raised so far, it is what it is."""
    assert ordinary.does("asdict(guard_process())")["locked"] == "secrets"
    assert ordinary.does("len(bytearray(1200 << 20))") == 1200 << 20


def test_who_may_lock_everything_does(like_us: Child) -> None:
    """Root, as a rule; and whoever has no limit."""
    hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)[1]
    guard = like_us.does("asdict(guard_process())")
    assert guard["locked"] == ("all" if _may_lock_all(hard) else "secrets" if hard else "nothing")
    before = like_us.does("locked()")
    assert like_us.does("globals().update(more=bytearray(64 << 20)) and None") is None
    after = like_us.does("locked()")
    assert (after - before >= 64 << 20) is _may_lock_all(hard)


class System:
    """A system that is asked and does nothing: it refuses what it is told to, and notes each question."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, hard: int = 65536, refusing: tuple[str, ...] = (), library: bool = True) -> None:
        self.asked: list[tuple[object, ...]] = []
        self.refusing = refusing
        monkeypatch.setattr(secrecy, "_state", secrecy._State())
        monkeypatch.setattr(secrecy, "_c_library", lambda: self if library else None)
        monkeypatch.setattr(resource, "getrlimit", lambda which: {resource.RLIMIT_MEMLOCK: (0, hard)}[which])
        monkeypatch.setattr(resource, "setrlimit", self.setrlimit)

    def setrlimit(self, *what: object) -> None:
        self.asked.append(("limit", *what))
        if "limit" in self.refusing:
            raise ValueError
        if "permission" in self.refusing:
            raise PermissionError

    def prctl(self, *what: int) -> int:
        return self._told("prctl", *what)

    def mlockall(self, flags: int) -> int:
        return self._told("mlockall", flags)

    def mlock(self, *what: int) -> int:
        return self._told("mlock", *what)

    def _told(self, *what: object) -> int:
        self.asked.append(what)
        return -1 if what[0] in self.refusing else 0


@pytest.mark.parametrize("hard", [65536, resource.RLIM_INFINITY])
def test_what_the_system_is_asked(monkeypatch: pytest.MonkeyPatch, hard: int) -> None:
    """The limit is 0 when all memory is to be locked, unless there is none: then only those may for whom it does not count."""
    system = System(monkeypatch, hard=hard)
    assert secrecy.guard_process() == Guard(no_core=True, private=True, locked="all", lockable=None) == secrecy.guarded()
    assert system.asked == [
        ("limit", resource.RLIMIT_CORE, (0, 0)),
        ("prctl", 4, 0, 0, 0, 0),
        ("limit", resource.RLIMIT_MEMLOCK, (0 if hard == 65536 else hard, hard)),
        ("mlockall", 7),
        ("limit", resource.RLIMIT_MEMLOCK, (hard, hard)),
    ]
    assert secrecy.hold("a secret") == "a secret"
    assert len(system.asked) == 5, "all of it is locked already"


@pytest.mark.parametrize(
    ("refusing", "granted"),
    [
        (("limit",), (False, True, "all", None)),
        (("permission",), (False, True, "all", None)),
        (("prctl",), (False, False, "all", None)),
        (("mlockall",), (True, True, "secrets", 65536)),
        (("mlockall", "mlock"), (True, True, "nothing", 65536)),
        (("limit", "prctl", "mlockall", "mlock"), (False, False, "nothing", 65536)),
    ],
    ids=["no limit", "not permitted", "no privacy", "not all of it", "no lock", "nothing"],
)
def test_what_the_system_refuses_is_no_error(
    monkeypatch: pytest.MonkeyPatch, refusing: tuple[str, ...], granted: tuple[bool, bool, str, int | None]
) -> None:
    system = System(monkeypatch, refusing=refusing)
    guard = secrecy.guard_process()
    assert (guard.no_core, guard.private, guard.locked, guard.lockable) == granted
    secret = secrecy.hold("a secret")
    assert (system.asked[-1] == ("mlock", id(secret), sys.getsizeof(secret))) is (guard.locked == "secrets")


def test_without_the_library_only_a_limit_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    system = System(monkeypatch, library=False)
    assert secrecy.guard_process() == Guard(no_core=False, private=False, locked="nothing", lockable=65536)
    assert system.asked == [("limit", resource.RLIMIT_CORE, (0, 0))]


def test_only_linux_and_cpython_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    library = secrecy._c_library()
    assert library is not None
    assert list(library.prctl.argtypes) == [ctypes.c_int, *[ctypes.c_ulong] * 4], "as wide as the system reads them"
    for name in ("cpytho", "pypy"):
        with monkeypatch.context() as patch:
            patch.setattr(sys, "implementation", SimpleNamespace(name=name))
            assert secrecy._c_library() is None
    for platform in ("darwin", "win32"):
        with monkeypatch.context() as patch:
            patch.setattr(sys, "platform", platform)
            assert secrecy._c_library() is None
