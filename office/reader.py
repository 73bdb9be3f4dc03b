"""Whoever reads: an office with its trust and journal, or a stranger with rosters, fingerprints and agreements in his hand."""

from __future__ import annotations

import stat
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final

from valiza.envelope.agreement import Agreements, read_agreements
from valiza.envelope.evidence import NOTHING_SEEN
from valiza.envelope.payload import write_all
from valiza.keys import labels
from valiza.keys.errors import Malformed, Unavailable, Usage
from valiza.keys.files import about, new_file, read_file, storage_errors
from valiza.keys.statement import LIMITS, read_statement
from valiza.keys.trust import Trust
from valiza.office.home import read_given_roster

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from valiza.envelope.evidence import Seen
    from valiza.keys.fields import Body
    from valiza.office.home import Office
    from valiza.register.journal import RegisterJournal

__all__ = ["Reader", "envelope_file", "office_reader", "read_object", "standard_input", "standard_output", "stranger", "write_object"]

_BLOCK: Final = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Reader:
    """Whom a reader trusts and what it remembers."""

    trust: Trust
    agreements: Agreements
    own: Body | None = None
    journal: RegisterJournal | None = None

    @property
    def seen(self) -> Seen:
        """Its memory of statements: the journal, or none."""
        return NOTHING_SEEN if self.journal is None else self.journal


def office_reader(office: Office) -> Reader:
    """The office as a reader."""
    return Reader(trust=office.trust, agreements=office.agreements, own=office.body, journal=office.journal)


def stranger(fingerprints: Sequence[bytes], rosters: Sequence[Path], agreements: Sequence[Path], *, needs_agreement: bool = True) -> Reader:
    """A reader without an office: an arbiter, a gateway script (R4.8, A13).

    Raises:
        Usage: something that is needed was not given. NotAuthentic, Malformed, Refused: what was given does not hold.
    """
    if not fingerprints or not rosters or (needs_agreement and not agreements):
        message = "without an office, verifying needs the roots' fingerprints, the rosters and the agreement"
        raise Usage(message, "give --root FINGERPRINT, --roster FILE and --agreement FILE, each as often as needed; or --home DIR")
    trust = Trust([read_given_roster(path, list(fingerprints)) for path in rosters])
    return Reader(trust=trust, agreements=read_agreements([_agreement(path) for path in agreements], trust))


def _agreement(path: Path) -> bytes:
    """An agreement or termination, of which no more is known than that it is one."""
    with about(path, Malformed):
        return read_statement(read_object(path, labels.AGREEMENT, labels.TERMINATION), labels.AGREEMENT, labels.TERMINATION).raw


def standard_input() -> BinaryIO:
    """Standard input, where there is one."""
    if sys.stdin is None:
        message = "standard input is closed"
        raise Unavailable(message)
    return sys.stdin.buffer


def read_object(path: Path, *types: str) -> bytes:
    """The bytes of a file with a statement of one of `types`, or of standard input for `-`; of a longer one no more than shows that it is."""
    limit = max(LIMITS[type_] for type_ in types)
    raw = standard_input().read(limit + 1) if str(path) == "-" else read_file(path, limit)
    if raw.startswith(labels.MAGIC):
        with about(path):
            message = f"it is an envelope, no {' or '.join(type_.rpartition('/')[2] for type_ in types)}"
            raise Malformed(message)
    return raw


def standard_output() -> BinaryIO:
    """Standard output, where it can take a statement: before any work is begun.

    Raises:
        Unavailable: it is closed. Usage: it is a terminal.
    """
    if sys.stdout is None:
        message = "standard output is closed"
        raise Unavailable(message)
    if sys.stdout.isatty():
        message = "a statement is bytes, and standard output is a terminal"
        raise Usage(message, "name a file with -o, or send it through a pipe")
    return sys.stdout.buffer


def write_object(path: Path, raw: bytes) -> None:
    """Write a statement to a new file, or to standard output for `-`."""
    if str(path) == "-":
        out = standard_output()
        try:
            out.write(raw)
            out.flush()
        except OSError as error:
            message = f"standard output: {(error.strerror or str(error)).lower()}"
            raise Unavailable(message) from error
    else:
        new_file(path, raw, 0o644)


def _spool(source: BinaryIO, file: BinaryIO) -> None:
    """Copy an envelope or evidence bundle, or of anything else so much that its reader sees what it is: it may have no end, and the disk has one."""
    start, copied, magics = b"", 0, {labels.MAGIC, labels.MAGIC_EVIDENCE}
    while data := source.read(_BLOCK):
        write_all(file, memoryview(data))
        start, copied = (start + data[: len(labels.MAGIC)])[: len(labels.MAGIC)], copied + len(data)
        if start not in magics and copied > max(LIMITS.values()):
            return


@contextmanager
def envelope_file(path: Path) -> Iterator[BinaryIO]:
    """An envelope as a seekable, unbuffered file. Standard input (`-`) and pipes are spooled first, still encrypted.

    Raises:
        Unavailable: it cannot be read.
    """
    with storage_errors(path):
        source = standard_input() if str(path) == "-" else path.open("rb", buffering=0)
        if str(path) != "-" and stat.S_ISDIR(path.stat().st_mode):
            message = f"{str(path)!r} is a folder"
            raise Unavailable(message)
        if source.seekable() and str(path) != "-":
            file: BinaryIO = source
        else:
            file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed below
            _spool(source, file)
            file.seek(0)
    try:
        with about(path, Malformed):
            yield file
    finally:
        file.close()
