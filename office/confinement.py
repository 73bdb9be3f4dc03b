"""Confine this process before it reads what a stranger sent, as far as the system has means for it: Landlock and seccomp, both optional.

Whoever takes the process over by a fault in what reads an envelope then has its memory, and these files, and no more: Landlock takes away the other
files, seccomp what a program that only reads and writes files never needs (network, processes, other processes, the kernel's own doors). What was
taken away cannot be had again, by threads or children neither. Files that are open stay open.
"""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from valiza.keys.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Confinement", "Need", "confine", "require_means"]

_ARCHITECTURES: Final = {"x86_64", "aarch64"}  # what the lists below were written for
_DEVICES: Final = ("/dev/null", "/dev/tty")  # a passphrase may still have to be asked for
_LIBRARIES: Final = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache")

_CLONE_THREAD: Final = 0x10000
_TERMINAL_INPUT: Final = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX: type into the terminal for the person who sits there
_LOW_HALF: Final = 0xFFFFFFFF  # all that the kernel looks at in a request or an identifier
_REFUSED: Final = {
    "network": "socket socketpair connect bind listen accept accept4",
    "programs and processes": "fork vfork execve execveat unshare setns",
    "other processes": (
        "ptrace process_vm_readv process_vm_writev process_madvise kcmp pidfd_open pidfd_getfd pidfd_send_signal tkill "
        "rt_sigqueueinfo rt_tgsigqueueinfo"
    ),
    "what Landlock does not see": (
        "chmod fchmod fchmodat chown fchown lchown fchownat setxattr lsetxattr fsetxattr removexattr lremovexattr fremovexattr "
        "truncate utime utimes futimesat utimensat open_by_handle_at name_to_handle_at chroot"
    ),
    "doors of the kernel": (
        "bpf perf_event_open userfaultfd io_uring_setup io_uring_enter io_uring_register keyctl add_key request_key fanotify_init"
    ),
    "rule over the machine": (
        "mount umount2 pivot_root move_mount open_tree fsopen fsconfig fsmount fspick mount_setattr swapon swapoff reboot "
        "kexec_load kexec_file_load init_module finit_module delete_module acct quotactl syslog settimeofday clock_settime "
        "clock_adjtime adjtimex sethostname setdomainname iopl ioperm modify_ldt vhangup"
    ),
}
# Newer than some libseccomp that are in use; these numbers are the same on both architectures.
_REFUSED_BY_NUMBER: Final = {"fchmodat2": 452, "setxattrat": 463, "removexattrat": 466, "open_tree_attr": 467, "file_setattr": 469}


@dataclass(frozen=True, kw_only=True)
class Need:
    """What the process still has to reach. What does not exist is left out.

    Attributes:
        read: files, and folders with all below them, to read.
        update: files to read and write.
        write: folders in which anything may be made, written and removed.
        name: folders in which folders may be made, renamed and, when they are empty, removed; no file below them can be read or written.
    """

    read: tuple[Path, ...] = ()
    update: tuple[Path, ...] = ()
    write: tuple[Path, ...] = ()
    name: tuple[Path, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Confinement:
    """What came of it: `applied`, of "landlock" and "seccomp", and in `missing` a line for each that is not there."""

    applied: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


class _Missing(Exception):
    """A means that this system does not have; the message names what is missing."""


def require_means() -> None:
    """Raise Unavailable unless both means are here.

    Raises:
        Unavailable: one of them, or both, are not.
    """
    _, missing = _means()
    if missing:
        _refuse(missing)


def confine(need: Need, *, required: bool = False) -> Confinement:
    """Confine this process for the rest of its life, with what the system has for it. Call it before any thread is started.

    Raises:
        Unavailable: `required`, and a means is not here or could not be applied.
    """
    means, missing = _means()
    if missing and required:
        _refuse(missing)
    applied = []
    for name, apply in means.items():  # Landlock first: seccomp needs no file
        try:
            apply(need)
        except _Missing as error:
            missing.append(f"{name}: {error}")
        else:
            applied.append(name)
    if missing and required:
        _refuse(missing)
    return Confinement(applied=tuple(applied), missing=tuple(missing))


def _refuse(missing: list[str]) -> None:
    message = f"no sandbox: {'; '.join(missing)}"
    raise Unavailable(message, "it needs valiza[sandbox], the system's libseccomp, and Linux 5.13 or newer with Landlock")


def _means() -> tuple[dict[str, Callable[[Need], None]], list[str]]:
    """What can be applied, loaded already (finding a library starts programs), and what is missing."""
    means: dict[str, Callable[[Need], None]] = {}
    missing = []
    for name, load in (("landlock", _load_landlock), ("seccomp", _load_seccomp)):
        try:
            means[name] = load()
        except _Missing as error:
            missing.append(f"{name}: {error}")
    return means, missing


def _require_system() -> None:
    if sys.platform != "linux" or platform.machine() not in _ARCHITECTURES:
        message = f"not on {platform.system()} on {platform.machine()}"
        raise _Missing(message)


# --- files ------------------------------------------------------------------------------------------------------------------------------------------


def _load_landlock() -> Callable[[Need], None]:
    _require_system()
    try:
        import py_landlock  # noqa: PLC0415 - optional
    except ImportError as error:
        message = "the Python package py-landlock is not installed"
        raise _Missing(message) from error
    try:
        py_landlock.get_abi_version()
    except py_landlock.LandlockError as error:
        raise _Missing(_said(error)) from error
    return _apply_landlock


def _apply_landlock(need: Need) -> None:
    from py_landlock import AccessFs, Landlock, LandlockError  # noqa: PLC0415 - optional

    if len(os.listdir("/proc/self/task")) > 1:  # noqa: PTH208 - names alone
        message = "threads are running, and it would confine one of them only"
        raise _Missing(message)
    file = {
        "read": AccessFs.READ_FILE,
        "update": AccessFs.READ_FILE | AccessFs.WRITE_FILE | AccessFs.TRUNCATE,
        "device": AccessFs.READ_FILE | AccessFs.WRITE_FILE | AccessFs.IOCTL_DEV,
    }
    made = AccessFs.MAKE_REG | AccessFs.MAKE_DIR | AccessFs.REMOVE_FILE | AccessFs.REMOVE_DIR
    folder = {
        "read": AccessFs.READ_FILE | AccessFs.READ_DIR,
        "write": AccessFs.READ_FILE | AccessFs.READ_DIR | AccessFs.WRITE_FILE | AccessFs.TRUNCATE | made,
        "name": AccessFs.READ_DIR | AccessFs.MAKE_DIR | AccessFs.REMOVE_DIR,
    }
    wanted = {
        "read": (*need.read, *_own_files()),
        "update": need.update,
        "write": need.write,
        "name": need.name,
        "device": tuple(map(Path, _DEVICES)),
    }
    try:
        rules = Landlock(strict=False)  # a right that this kernel does not know, it does not guard either
        for kind, paths in wanted.items():
            for path in (named.resolve() for named in paths):
                access = (folder if path.is_dir() else file).get(kind)
                if access is not None and path.exists():
                    rules.add_path_rule(path, access=access)
        rules.apply()
    except (LandlockError, OSError) as error:
        raise _Missing(_said(error)) from error


def _own_files() -> tuple[Path, ...]:
    """Python, the installed packages, and the libraries that they load: a module may be imported later."""
    found = {Path(prefix) for prefix in (sys.prefix, sys.base_prefix, sys.exec_prefix)}
    found |= {Path(entry) for entry in sys.path if entry}
    for name in {__name__.partition(".")[0], "encodings"}:
        for folder in map(Path, getattr(sys.modules.get(name), "__path__", ())):
            found |= {folder, *(path.resolve() for path in folder.iterdir() if path.is_symlink())}  # in a checkout the layers are links
    return (*sorted(found), *map(Path, _LIBRARIES))


# --- system calls -----------------------------------------------------------------------------------------------------------------------------------


def _load_seccomp() -> Callable[[Need], None]:
    _require_system()
    try:
        import pyseccomp  # type: ignore[import-untyped]  # noqa: F401, PLC0415 - optional
    except ImportError as error:
        message = "the Python package pyseccomp is not installed"
        raise _Missing(message) from error
    except (RuntimeError, OSError) as error:
        message = "the library libseccomp is not installed"
        raise _Missing(message) from error
    return _apply_seccomp


def _apply_seccomp(_need: Need) -> None:
    import errno  # noqa: PLC0415 - optional

    import pyseccomp  # noqa: PLC0415 - optional

    try:
        rules = pyseccomp.SyscallFilter(pyseccomp.ALLOW)  # by the conventions of another architecture a call ends the thread
        rules.set_attr(pyseccomp.Attr.CTL_TSYNC, 1)
        refuse = pyseccomp.ERRNO(errno.EPERM)
        for name in " ".join(_REFUSED.values()).split():
            number = pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, name)
            if number >= 0:  # some exist on one architecture only
                rules.add_rule(refuse, number)
        for number in _REFUSED_BY_NUMBER.values():
            rules.add_rule(refuse, number)
        _refuse_some(rules, refuse, pyseccomp)
        rules.add_rule(pyseccomp.ERRNO(errno.ENOSYS), "clone3")  # its flags cannot be seen; libraries then use clone
        rules.load()
    except OSError as error:
        raise _Missing(_said(error)) from error


def _refuse_some(rules: Any, refuse: int, pyseccomp: Any) -> None:  # noqa: ANN401 - a library without types
    """Calls that are refused by their arguments."""
    arg = pyseccomp.Arg
    rules.add_rule(refuse, "clone", arg(0, pyseccomp.MASKED_EQ, _CLONE_THREAD, 0))  # a process; threads are needed
    for call in ("kill", "tgkill"):
        rules.add_rule(refuse, call, arg(0, pyseccomp.NE, os.getpid()))
    for request in _TERMINAL_INPUT:
        rules.add_rule(refuse, "ioctl", arg(1, pyseccomp.MASKED_EQ, _LOW_HALF, request))


def _said(error: Exception) -> str:
    """What a library or the system said, as part of one line."""
    said = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
    return " ".join(said.split()).lower() or type(error).__name__
