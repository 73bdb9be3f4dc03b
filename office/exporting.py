"""The register as lines of text, for other programs: JSON Lines, or CSV that no spreadsheet takes for formulas."""

from __future__ import annotations

import csv
import io
import json
import sys
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from valiza.keys.errors import Unavailable
from valiza.keys.files import open_new_file, storage_errors
from valiza.office.following import find_standings
from valiza.register.store import Query

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from valiza.office.following import Wanted
    from valiza.office.home import Office
    from valiza.register.store import Chained

__all__ = ["FORMATS", "as_lines", "find_entries", "guarded", "unguarded", "write_lines", "write_pieces"]

FORMATS: Final = ("jsonl", "csv")
# A spreadsheet computes a cell that begins so; the last four are the wide forms, which some take for the same.
_FORMULA: Final = frozenset("=+-@\t\r\uff1d\uff0b\uff0d\uff20")
# Behind each of these a cell begins where somebody's settings have another separator, or do without quotes.
_SEPARATORS: Final = frozenset(';,|\t\r\n"')
_GUARD: Final = "'"
_BLOCK: Final = 1 << 20  # bytes


def find_entries(office: Office, wanted: Wanted, at: int) -> Iterator[Chained]:
    """Every entry of the register in order, or those about envelopes that are wanted: where they get their numbers too.

    Raises:
        Usage: no such agreement. Unavailable: the register.
    """
    digests, numbers = None, set()
    if not wanted.everything:
        found = find_standings(office, wanted, at)
        digests = {one.state.dispatch_digest for one in found}
        numbers = {one.state.number for one in found}
    for page in office.journal.store.pages(Query()):
        for chained in page:
            entry = chained.entry
            if digests is None or (entry.dispatch_digest in digests if entry.dispatch_digest else entry.number in numbers):
                yield chained


def guarded(cell: str) -> str:
    """A cell of CSV in which nothing that begins a formula stands at its beginning, or where one might seem to begin; see `unguarded`."""
    shown, begins = [], True
    for character in cell:
        if begins and (character in _FORMULA or character == _GUARD):
            shown.append(_GUARD)
        shown.append(character)
        begins = character in _SEPARATORS
    return "".join(shown)


def unguarded(cell: str) -> str:
    """The cell as it was before `guarded`."""
    shown, begins, literal = [], True, False
    for character in cell:
        if begins and not literal and character == _GUARD:
            literal = True
            continue
        shown.append(character)
        begins, literal = character in _SEPARATORS, False
    return "".join(shown)


def as_lines(rows: Iterable[Mapping[str, Any]], form: str, fields: Iterable[str]) -> Iterator[str]:
    """Rows as lines in one of `FORMATS`, ends of lines among them. In CSV (RFC 4180) the names of the fields stand above, and null is empty."""
    if form == "jsonl":
        for row in rows:
            yield json.dumps(row, ensure_ascii=False) + "\n"
        return
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    names = list(fields)
    writer.writerow(names)
    for row in rows:
        writer.writerow(["" if row[name] is None else guarded(str(row[name])) for name in names])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()


def write_lines(path: Path, lines: Iterable[str]) -> int:
    """Write lines in UTF-8 as `write_pieces` does."""
    return write_pieces(path, (line.encode() for line in lines))


def write_pieces(path: Path, pieces: Iterable[bytes]) -> int:
    """Write pieces, of any size together, to a new file of mode 0600, or to standard output for `-`; returns how many bytes.

    Raises:
        Refused: the file exists. Unavailable: the disk.
    """
    if str(path) != "-":
        with open_new_file(path) as file, storage_errors(path):
            return _write(file, pieces)
    if sys.stdout is None:
        message = "standard output is closed"
        raise Unavailable(message)
    try:
        count = _write(sys.stdout.buffer, pieces)
        sys.stdout.buffer.flush()
    except OSError as error:
        message = f"standard output: {(error.strerror or str(error)).lower()}"
        raise Unavailable(message) from error
    return count


def _write(out: BinaryIO, pieces: Iterable[bytes]) -> int:
    """Write pieces, many at once: the file has no buffer."""
    count, waiting = 0, bytearray()
    for piece in pieces:
        waiting += piece
        if len(waiting) >= _BLOCK:
            count += _write_all(out, bytes(waiting))
            waiting.clear()
    return count + _write_all(out, bytes(waiting))


def _write_all(out: BinaryIO, data: bytes) -> int:
    view = memoryview(data)
    while view:
        view = view[out.write(view) :]
    return len(data)
