"""Run a program as on a file system that cannot do what others can.

    python -I -S without.py unnamed[,links] PROGRAM ARGUMENT…

`unnamed`: no file without a name (O_TMPFILE), as on FAT, on many network file systems and in older FUSE. `links`: no second name for a file, as on
FAT. The kernel itself refuses these calls, by a seccomp filter that the program inherits.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys
from typing import Final

# Audit number of the machine, and the numbers of openat and linkat there.
MACHINES: Final = {"x86_64": (0xC000003E, 257, 265), "aarch64": (0xC00000B7, 56, 37)}
_LOAD, _EQUAL, _BITS, _RETURN = 0x20, 0x15, 0x45, 0x06  # BPF_LD|W|ABS, JMP|JEQ|K, JMP|JSET|K, RET|K
_ALLOW, _ERROR = 0x7FFF0000, 0x00050000
_TMPFILE: Final = 0o20000000  # the bit that O_TMPFILE has beyond O_DIRECTORY
_NO_NEW_PRIVILEGES, _SET_SECCOMP, _FILTER = 38, 22, 2


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def refuse(what: set[str]) -> None:
    """Refuse these calls to this process and all that it starts, for good."""
    machine, openat, linkat = MACHINES[os.uname().machine]
    steps = [(_LOAD, 0, 0, 4), (_EQUAL, 1, 0, machine), (_RETURN, 0, 0, _ALLOW), (_LOAD, 0, 0, 0)]
    if "links" in what:
        steps += [(_EQUAL, 0, 1, linkat), (_RETURN, 0, 0, _ERROR | errno.EPERM)]
    if "unnamed" in what:  # the flags are openat's third argument
        steps += [(_EQUAL, 0, 3, openat), (_LOAD, 0, 0, 32), (_BITS, 0, 1, _TMPFILE), (_RETURN, 0, 0, _ERROR | errno.EOPNOTSUPP)]
    steps += [(_RETURN, 0, 0, _ALLOW)]
    packed = b"".join(struct.pack("HBBI", *step) for step in steps)
    kernel = ctypes.CDLL(None, use_errno=True)
    for request in ((_NO_NEW_PRIVILEGES, 1, 0, 0, 0), (_SET_SECCOMP, _FILTER, ctypes.byref(_Program(len(steps), packed)), 0, 0)):
        if kernel.prctl(*request) != 0:
            raise OSError(ctypes.get_errno(), "the kernel takes no filter")


if __name__ == "__main__":
    refuse(set(sys.argv[1].split(",")))
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606 - the program that is tested
