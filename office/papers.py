"""The papers that go with an envelope, as officers write them: route and basis (TOML), inventory of carriers (TOML or CSV)."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections import Counter
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final

from valiza.envelope.carrier import Carrier, guess_media_type
from valiza.envelope.manifest import Basis
from valiza.envelope.profile import BASIS_KINDS
from valiza.envelope.route import Leg
from valiza.keys.encoding import MAX_INTEGER
from valiza.keys.errors import Malformed, Usage
from valiza.keys.fields import MAX_TEXT
from valiza.keys.files import read_text_file
from valiza.keys.toml import parse_toml
from valiza.office.home import toml_string

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

__all__ = ["inventory_template", "parse_basis", "parse_leg", "read_basis", "read_carriers", "read_route_file"]

_MAX_PAPER: Final = 16 << 20
_ROUTE_KEYS: Final = {"channel", "transport", "escort", "reference", "leg"}
_MORE: Final = "(more)"  # key of the fields for which there is no column
_YES: Final = {"true", "yes", "1"}
_NO: Final = {"", "false", "no", "0"}
_UNASSIGNED: Final = {"Cn", "Cs"}
_COLUMNS: Final = ("file", "name", "physical", "mark", "media_type", "registration", "copy", "sheets", "classified_by", "ground")

Table = dict[str, Any]


def _toml(path: Path, what: str) -> Table:
    return parse_toml(read_text_file(path, _MAX_PAPER, what), f"{what} {str(path)!r}")


def _tables(table: Table, key: str, where: str) -> list[Table]:
    """The tables of `[[key]]`."""
    found = table.get(key, [])
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        message = f"{key} in {where} is not written as [[{key}]]"
        raise Malformed(message)
    return found


def _known(table: Table, keys: Iterable[str], where: str) -> None:
    unknown = sorted(set(table) - set(keys))
    if unknown:
        message = f"{where} has keys that mean nothing: {', '.join(unknown)}"
        raise Malformed(message, f"it may have {', '.join(sorted(keys))}")


def _str(table: Table, key: str, where: str) -> str:
    """Text, put into normalization form NFC as that of options is; blank is empty. The name of a file stays as it is."""
    value = table.get(key, "")
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    if not isinstance(value, str):
        message = f"{key} in {where} is no {'day' if isinstance(value, datetime) else 'text'}"
        raise Malformed(message)
    if key == "file":
        return value
    text = "" if value.isspace() else unicodedata.normalize("NFC", value)
    if len(text) > MAX_TEXT:
        message = f"{key} in {where} has {len(text)} characters, and at most {MAX_TEXT} are allowed"
        raise Malformed(message)
    if any(unicodedata.category(character) in _UNASSIGNED for character in text):
        message = f"{key} in {where} has a character that Unicode does not assign"
        raise Malformed(message)
    return text


def _required(table: Table, key: str, where: str) -> str:
    value = _str(table, key, where)
    if not value:
        message = f"{key} in {where} is missing"
        raise Malformed(message)
    return value


def _int(table: Table, key: str, where: str) -> int | None:
    value = table.get(key)
    if value in (None, ""):
        return None
    try:
        number = int(str(value))
    except ValueError as error:
        message = f"{key} in {where} is no number: {value!r}"
        raise Malformed(message) from error
    if not 0 <= number <= MAX_INTEGER:
        message = f"{key} in {where} cannot be {number}"
        raise Malformed(message)
    return number


def _flag(table: Table, key: str, where: str) -> bool:
    value = table.get(key, "")
    word = str(value).strip().lower()
    if word not in _YES | _NO:  # or a carrier on paper would silently be taken for a file
        message = f"{key} in {where} is neither yes nor no: {value!r}"
        raise Malformed(message)
    return word in _YES


def parse_leg(value: str) -> Leg:
    """A leg written `FROM:TO`.

    Raises:
        Usage: it is written otherwise.
    """
    start, colon, end = value.partition(":")
    if not colon or not start.strip() or not end.strip():
        message = f"{value!r} is no leg"
        raise Usage(message, "write it as FROM:TO, for example Astana:Minsk")
    return Leg(start.strip(), end.strip())


def read_route_file(path: Path) -> dict[str, Any]:
    """Route from TOML: `channel`, `transport`, `escort`, `reference`, and `[[leg]]` with `from` and `to`.

    Raises:
        Malformed: it is not so written. Unavailable: it cannot be read.
    """
    where = f"route {str(path)!r}"
    table = _toml(path, "route")
    _known(table, _ROUTE_KEYS, where)
    legs = _tables(table, "leg", where)
    for leg in legs:
        _known(leg, {"from", "to"}, f"a leg of {where}")
    return {
        **{key: _str(table, key, where) for key in ("channel", "transport", "escort", "reference")},
        "legs": tuple(Leg(_required(leg, "from", f"a leg of {where}"), _required(leg, "to", f"a leg of {where}")) for leg in legs),
    }


def parse_basis(kind: str, value: str) -> Basis:
    """A basis of a kind from an option: its reference as text."""
    return Basis(kind, value)


def read_basis(path: Path) -> tuple[Basis, ...]:
    """Basis from TOML: `[[basis]]` with `kind`, `reference`, `issued_by`, `date`.

    Raises:
        Malformed: it is not so written. Unavailable: it cannot be read.
    """
    where = f"basis {str(path)!r}"
    table = _toml(path, "basis")
    _known(table, {"basis"}, where)
    found = []
    for item in _tables(table, "basis", where):
        _known(item, {"kind", "reference", "issued_by", "date"}, where)
        kind = _str(item, "kind", where)
        if kind not in BASIS_KINDS:
            message = f"{kind!r} in {where} is no kind of basis"
            raise Malformed(message, f"kinds: {', '.join(BASIS_KINDS)}")
        found.append(Basis(kind, _required(item, "reference", where), _str(item, "issued_by", where), _str(item, "date", where)))
    return tuple(found)


def read_carriers(files: Sequence[Path], inventory: Path | None, *, mark: str | None, classified_by: str = "", ground: str = "") -> list[Carrier]:
    """The carriers to seal: the files named, with what the inventory says of each, and the inventory's physical carriers after them.

    Without files, those of the inventory are sealed, relative to its folder. Options hold for whatever the inventory leaves out.

    Raises:
        Usage: a carrier has no mark, or the inventory names a file that is not sealed, or two by one row.
        Malformed: the inventory is not well written.
    """
    rows = [] if inventory is None else _rows(inventory)
    listed = [row for row in rows if not row["physical"]]
    if inventory is not None and not files:
        files = [inventory.parent / row["file"] for row in listed]
    by_name: dict[str, Table] = {}
    for row in listed:
        name = row["file"].rpartition("/")[2]
        if name in by_name:  # or the last row would silently win, perhaps with a lower mark
            message = f"the inventory names {name!r} twice"
            raise Usage(message)
        by_name[name] = row
    names = [path.name for path in files]
    ambiguous = sorted(name for name, count in Counter(names).items() if count > 1 and name in by_name)
    if ambiguous:  # or one row would speak for several files
        message = f"the inventory names {ambiguous[0]!r}, and several files to seal are called so"
        raise Usage(message, "seal files of the same name apart, each with its own inventory")
    strangers = sorted(set(by_name) - set(names))
    if strangers:
        message = f"the inventory names {', '.join(map(repr, strangers))}, which is not among the files to seal"
        raise Usage(message)
    defaults = {"mark": mark or "", "classified_by": classified_by, "ground": ground}
    carriers = [_carrier(path, by_name.get(path.name, {}), defaults) for path in files]
    return carriers + [_carrier(None, row, defaults) for row in rows if row["physical"]]


def _carrier(path: Path | None, row: Table, defaults: dict[str, str]) -> Carrier:
    name = row.get("name") or (path.name if path is not None else "")
    merged = {**defaults, **{key: value for key, value in row.items() if value not in (None, "")}}
    if not merged["mark"]:
        message = f"the carrier {name!r} has no mark"
        raise Usage(message, "give --mark CODE for all, or a mark for each in the inventory")
    return Carrier(
        name=name,
        path=path,
        code=merged["mark"],
        media_type="" if path is None else merged.get("media_type") or guess_media_type(name),
        registration=merged.get("registration", ""),
        copy=merged.get("copy"),
        sheets=merged.get("sheets"),
        classified_by=merged["classified_by"],
        ground=merged["ground"],
    )


def _rows(path: Path) -> list[Table]:
    where = f"inventory {str(path)!r}"
    if path.suffix.lower() == ".csv":
        raw = _csv(path, where)
    else:
        table = _toml(path, "inventory")
        _known(table, {"carrier"}, where)
        raw = _tables(table, "carrier", where)
    rows = []
    for number, item in enumerate(raw, 1):
        spot = f"carrier {number} of {where}"
        _known(item, _COLUMNS, spot)
        row: Table = {key: _str(item, key, spot) for key in _COLUMNS if key not in {"physical", "copy", "sheets"}}
        row |= {"copy": _int(item, "copy", spot), "sheets": _int(item, "sheets", spot), "physical": _flag(item, "physical", spot)}
        if bool(row["file"]) == row["physical"] or (row["physical"] and not row["name"]):
            message = f"{spot} has no file and is not physical with a name, or has both"
            raise Malformed(message, "a carrier has a file, or it is physical and has a name")
        rows.append(row)
    return rows


def _csv(path: Path, where: str) -> list[Table]:
    text = read_text_file(path, _MAX_PAPER, "inventory")
    try:
        reader = csv.DictReader(io.StringIO(text), restkey=_MORE, restval="", strict=True)
        columns = list(reader.fieldnames or [])
        if len(set(columns)) != len(columns):  # or the last one would silently win
            message = f"{where} has a column twice"
            raise Malformed(message)
        if len(columns) == 1 and not set(columns[0]).isdisjoint(";\t|"):
            message = f"the columns of {where} are not separated by commas"
            raise Malformed(message, "save it as CSV with commas")
        _known(dict.fromkeys(columns), _COLUMNS, where)
        rows = [dict(row) for row in reader]
        long = next((number for number, row in enumerate(rows, 1) if _MORE in row), None)
        if long is not None:
            message = f"carrier {long} of {where} has more fields than there are columns"
            raise Malformed(message, "put text with commas in it into quotation marks")
    except csv.Error as error:
        message = f"{where} is not CSV: {error}"
        raise Malformed(message) from error
    return rows


def inventory_template(files: Sequence[Path], mark: str | None) -> str:
    """An inventory in TOML for some files, to be filled in."""
    lines = ["# Inventory of carriers. What is left empty is left out.", ""]
    for path in files:
        if any("\udc80" <= c <= "\udcff" for c in path.name):  # what Python makes of bytes that are no UTF-8
            message = f"the file name {path.name!r} is not text in UTF-8"
            raise Malformed(message)
        lines += [
            "[[carrier]]",
            f"file = {toml_string(path.name)}",
            f"mark = {toml_string(mark or '')}",
            f'media_type = "{guess_media_type(path.name)}"',
            'registration = ""',
            "# copy = 1",
            "# sheets = 1",
            'classified_by = ""',
            'ground = ""',
            "",
        ]
    lines += [
        "# A carrier that travels beside the envelope:",
        "# [[carrier]]",
        "# physical = true",
        '# name = "parcel 1"',
        f"# mark = {toml_string(mark or '')}",
        "",
    ]
    return "\n".join(lines)
