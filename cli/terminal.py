"""Everything said to people, and asked of them.

Rules:

- stdout carries the result only; people are spoken to on stderr.
- `valiza: error: …` in one line, lower case, no full stop; then `valiza: hint: …` if there is something to try.
- Whatever came from outside is shown with control, format and bidirectional characters escaped.
- A passphrase comes from a file descriptor, the environment or a prompt; never from argv, and it is never shown.
"""

from __future__ import annotations

import os
import sys
import time
import unicodedata
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

import click

from valiza.keys.errors import Unavailable, Usage
from valiza.keys.secrecy import hold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

__all__ = [
    "ask",
    "backup_passphrase",
    "backup_passphrase_given",
    "clear_line",
    "complain",
    "counting",
    "hidden_line",
    "keep_quiet",
    "new_passphrase",
    "passphrase_source",
    "print_result",
    "progress",
    "quoted",
    "safe",
    "say",
    "terminal_present",
    "warn",
]

_LONGEST: Final = 1000
_UNSAFE: Final = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def safe(text: object) -> str:
    """`text` with every character escaped that could move the cursor, hide text or turn its direction (P43)."""
    shown = str(text)
    if shown.isprintable():  # nothing that is unsafe is
        return shown
    return "".join(f"\\u{{{ord(c):04X}}}" if unicodedata.category(c) in _UNSAFE else c for c in shown)


def quoted(path: object) -> str:
    """A path as it can be typed to a shell, shown safely."""
    import shlex

    return safe(shlex.quote(str(path)))


def say(text: str) -> None:
    """One line to people. The text is the program's own or has gone through `safe`."""
    clear_line()
    with suppress(OSError):  # a full disk behind standard error changes nothing of what is done
        click.echo(text, err=True)


def print_result(text: str) -> None:
    """A result on standard output, when the work that it tells of is done. The text is the program's own or has gone through `safe`.

    Raises:
        BrokenPipeError: nobody reads it any more.
        Unavailable: it cannot be written.
    """
    clear_line()
    try:
        click.echo(text)
    except BrokenPipeError:
        raise
    except OSError as error:
        message = f"the result could not be printed: {(error.strerror or str(error)).lower()}"
        raise Unavailable(message, "only that is lacking: what the command had to do is done") from error


def warn(text: str) -> None:
    """A line that deserves attention. Never used where the truth is "no": that is an error."""
    say(f"valiza: warning: {safe(text)}")


def complain(message: str, hint: str = "") -> None:
    """Say what went wrong, and what to try."""
    say(f"valiza: error: {_cut(safe(message))}")
    if hint:
        say(f"valiza: hint: {safe(hint)}")


def _cut(text: str) -> str:
    """A line that people read; an error may quote input of any length."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def terminal_present() -> bool:
    """Whether a person can be asked."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))  # a daemon may have closed them


def ask(question: str, *, otherwise: str) -> bool:
    """Ask yes or no.

    Raises:
        Usage: nobody can be asked; `otherwise` is the option that answers.
    """
    if not terminal_present():
        message = "nobody can be asked: standard input is no terminal"
        raise Usage(message, f"give {otherwise} to answer beforehand")
    clear_line()
    return click.confirm(question, err=True)


def passphrase_source(descriptor: int | None) -> Callable[[], str]:
    """What asks for the passphrase when a key needs it, and remembers it for the other keys of this command."""
    known: list[str] = []

    def ask_once() -> str:
        if not known:
            known.append(hold(_usable(_asked_passphrase() if (given := _given_passphrase(descriptor, _OLD)) is None else given)))
        return known[0]

    return ask_once


def _usable(passphrase: str) -> str:
    """The passphrase, unless it protects nothing or cannot be written down."""
    try:
        passphrase.encode("utf-8")
    except UnicodeEncodeError as error:
        message = "the passphrase is not text in UTF-8"
        raise Usage(message) from error
    if not passphrase:
        message = "the passphrase is empty"
        raise Usage(message, "keys without a passphrase are made with --unprotected")
    return passphrase


def new_passphrase(descriptor: int | None) -> str:
    """The passphrase that keys are to get, from a descriptor, VALIZA_NEW_PASSPHRASE or a prompt.

    A person is asked twice: nobody could use keys under a typing mistake.
    """
    given = _given_passphrase(descriptor, _NEW)
    if given is None:
        _require_terminal(_NEW)
        clear_line()
        given = str(click.prompt("New passphrase", hide_input=True, confirmation_prompt=True, err=True))
    return _usable(given)


def backup_passphrase(descriptor: int | None, *, new: bool = False, may_be_none: bool = False) -> str:
    """The passphrase of a key's backup, from a descriptor, VALIZA_BACKUP_PASSPHRASE or a prompt; a new one is asked for twice."""
    given = _given_passphrase(descriptor, _BACKUP)
    if given is None:
        _require_terminal(_BACKUP)
        clear_line()
        text = "Passphrase of the backup" + (" (empty if it has none)" if may_be_none else "")
        given = str(click.prompt(text, default="" if may_be_none else None, show_default=False, hide_input=True, confirmation_prompt=new, err=True))
    return hold(given if may_be_none else _usable(given))


def backup_passphrase_given(descriptor: int | None) -> bool:
    """Whether nobody has to be asked for the passphrase of a backup."""
    return descriptor is not None or _BACKUP[0] in os.environ


def hidden_line(question: str) -> str:
    """A line that is typed and not shown; empty if nothing was.

    Raises:
        Usage: nobody can be asked.
    """
    if not terminal_present():
        message = "nobody can be asked: standard input is no terminal"
        raise Usage(message, "name the files of the sheets")
    clear_line()
    return str(click.prompt(question, default="", show_default=False, hide_input=True, err=True))


_BACKUP: Final = ("VALIZA_BACKUP_PASSPHRASE", "--backup-passphrase-fd")
_OLD: Final = ("VALIZA_PASSPHRASE", "--passphrase-fd")
_NEW: Final = ("VALIZA_NEW_PASSPHRASE", "--new-passphrase-fd")


def _given_passphrase(descriptor: int | None, names: tuple[str, str]) -> str | None:
    """What a descriptor or the environment gives; None if a person has to be asked."""
    if descriptor is not None:
        try:
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                os.set_inheritable(descriptor, False)  # no program that we start has to do with it  # noqa: FBT003 - its one argument
                return file.readline(4097).rstrip(b"\r\n").decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            message = f"the passphrase cannot be read from file descriptor {descriptor}"
            raise Usage(message) from error
    return os.environ.get(names[0])


def _require_terminal(names: tuple[str, str]) -> None:
    if not terminal_present():
        message = f"a {'backup' if names is _BACKUP else 'key'} needs a passphrase, and nobody can be asked"
        raise Usage(message, f"give it with {names[1]} N or {names[0]}")


def _asked_passphrase() -> str:
    _require_terminal(_OLD)
    clear_line()
    return str(click.prompt("Passphrase", hide_input=True, err=True))


# --- progress ---------------------------------------------------------------------------------------------------------------------------------------

_EVERY_S: Final = 0.2  # often enough to see it move; what is over sooner needs no line
_NOTICEABLE: Final = 64 << 20  # bytes; less is over before it is read
_ERASE: Final = "\r\x1b[K"
_lines_shown: list[bool] = []  # of each progress line at work, the outermost first, whether it stands on the terminal
_quiet: list[bool] = []


def clear_line() -> None:
    """Erase the progress line, if one stands on the terminal, before something else is written there. It comes back by itself."""
    if any(_lines_shown):
        _lines_shown[:] = [False] * len(_lines_shown)
        _write(_ERASE)


def keep_quiet() -> None:
    """Show no progress line from here on: another process shows one for all."""
    _quiet.append(True)


def progress(label: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
    """A progress line for long work on a terminal; nothing otherwise. The function given takes the bytes done since its last call."""

    def shown(done: int, rate: float) -> str:
        return f"{label}: {min(done * 100 // total, 100):3d} %  {rate / 1e6:.0f} MB/s"

    return _line(shown, total if total >= _NOTICEABLE else 0)


def counting(label: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
    """A progress line for work on many objects, on a terminal; nothing otherwise. The function given takes the objects done since its last call."""

    def shown(done: int, rate: float) -> str:
        return f"{label}: {done} of {total}  {rate:.{0 if rate >= 10 else 1}f}/s"  # noqa: PLR2004 - a decimal says something where the number is small

    return _line(shown, total if total > 1 else 0)


@contextmanager
def _line(shown: Callable[[int, float], str], total: int) -> Iterator[Callable[[int], None]]:
    """A line that is written over and over, and erased at the end. A total of 0: none."""
    if not total or _quiet or sys.stderr is None or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield lambda _count: None
        return
    started = shown_at = time.monotonic()
    done, place = 0, len(_lines_shown)
    _lines_shown.append(False)

    def advance(count: int) -> None:
        nonlocal done, shown_at
        done += count
        now = time.monotonic()
        if now - shown_at < _EVERY_S:
            return
        shown_at = now
        rate = done / (now - started)
        left = f"  {_duration(max(total - done, 0) / rate)} left" if rate else ""
        _lines_shown[place] = True
        _write(_ERASE + (shown(done, rate) + left)[: _width() - 1])

    try:
        yield advance
    finally:
        if _lines_shown.pop():
            _write(_ERASE)


def _duration(seconds: float) -> str:
    """Time left, as roughly as it is known."""
    if seconds < 100:  # noqa: PLR2004 - up to here seconds are what one thinks in
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes / 60:.0f} h"  # noqa: PLR2004 - likewise


def _width() -> int:
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    except (OSError, ValueError):  # it was never asked for its size
        return 80


def _write(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()
