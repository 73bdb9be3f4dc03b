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
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import click

from valiza.keys.errors import Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["ask", "complain", "passphrase_source", "progress", "safe", "say", "terminal_present", "warn"]

_LONGEST: Final = 1000
_UNSAFE: Final = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def safe(text: object) -> str:
    """`text` with every character escaped that could move the cursor, hide text or turn its direction (P43)."""
    return "".join(f"\\u{{{ord(c):04X}}}" if unicodedata.category(c) in _UNSAFE else c for c in str(text))


def say(text: str) -> None:
    """One line to people. The text is the program's own or has gone through `safe`."""
    click.echo(text, err=True)


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
    return click.confirm(question, err=True)


def passphrase_source(descriptor: int | None) -> Callable[[], str]:
    """What asks for the passphrase when a key needs it, and remembers it for the other keys of this command."""
    known: list[str] = []

    def ask_once() -> str:
        if not known:
            known.append(_usable(_read_passphrase(descriptor)))
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


def _read_passphrase(descriptor: int | None) -> str:
    if descriptor is not None:
        try:
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                return file.readline(4097).rstrip(b"\r\n").decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            message = f"the passphrase cannot be read from file descriptor {descriptor}"
            raise Usage(message) from error
    given = os.environ.get("VALIZA_PASSPHRASE")
    if given is not None:
        return given
    if not terminal_present():
        message = "a key needs a passphrase, and nobody can be asked"
        raise Usage(message, "give it with --passphrase-fd N or VALIZA_PASSPHRASE")
    return str(click.prompt("Passphrase", hide_input=True, err=True))


@contextmanager
def progress(label: str, total: int) -> Iterator[Callable[[int], None]]:
    """A progress line for long work on a terminal; nothing otherwise. The function given takes the bytes done since its last call."""
    if sys.stderr is None or not sys.stderr.isatty() or total < 64 << 20:  # below that it is over before it is read
        yield lambda _count: None
        return
    started, done, shown = time.monotonic(), 0, 0.0

    def advance(count: int) -> None:
        nonlocal done, shown
        done += count
        now = time.monotonic()
        if now - shown >= 0.2:  # noqa: PLR2004 - often enough to see it move
            shown = now
            rate = done / max(now - started, 1e-6)
            left = max(total - done, 0) / max(rate, 1.0)
            sys.stderr.write(f"\r{label}: {min(done * 100 // total, 100):3d} %  {rate / 1e6:.0f} MB/s  {left:.0f} s left ")
            sys.stderr.flush()

    try:
        yield advance
    finally:
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()
