"""Everything that can go wrong, in families: one for each exit code, named for whose fault it is."""

from __future__ import annotations

from typing import Self

__all__ = ["Conflict", "Incomplete", "Malformed", "NoKey", "NotAuthentic", "Refused", "Unavailable", "Usage", "ValizaError", "system_error"]


class ValizaError(Exception):
    """Base of every error that Valiza raises on purpose.

    `message` says what happened, lower case, without a full stop; `hint`, where there is one, says what to try.
    """

    exit_code = 1
    outcome = "fault"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.named = False  # whether the message begins with the name of what it is about

    def about(self, path: object) -> Self:
        """The same error, its message with the name of the file that it is about."""
        name = "standard input" if str(path) == "-" else repr(str(path))
        error = type(self)(f"{name}: {self.message}", self.hint)
        error.named = True
        return error


class Usage(ValizaError):
    """The caller asked for something that cannot be asked for: wrong option, wrong value."""

    exit_code = 2
    outcome = "usage"


class Malformed(ValizaError):
    """Not a well-formed Valiza object."""

    exit_code = 3
    outcome = "malformed"


class NotAuthentic(ValizaError):
    """A signature, credential, digest or proof does not hold."""

    exit_code = 4
    outcome = "not authentic"


class NoKey(ValizaError):
    """No key here opens it, or the passphrase is wrong."""

    exit_code = 5
    outcome = "no key"


class Refused(ValizaError):
    """Authentic, but agreement, clearance, validity, an existing output or a conflict forbids it."""

    exit_code = 6
    outcome = "refused"


class Conflict(Refused):
    """It contradicts what is recorded: another dispatch, answer or receipt for one envelope."""


class Unavailable(ValizaError):
    """Disk, database or network did not do their part."""

    exit_code = 7
    outcome = "unavailable"


class Incomplete(ValizaError):
    """No final answer yet."""

    exit_code = 8
    outcome = "incomplete"


def system_error(error: OSError) -> str:
    """What the operating system says, in our form, with the file's name where it tells one."""
    what = "input or output" if error.filename is None else repr(str(error.filename))
    return f"{what}: {(error.strerror or str(error)).lower()}"
