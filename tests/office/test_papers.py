"""Papers as officers write them: what they may say, and that a slip of the pen is told in one line."""

from __future__ import annotations

import csv
import io
import itertools
import tomllib
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from valiza.envelope.carrier import Carrier, check_name
from valiza.envelope.manifest import Basis
from valiza.envelope.profile import BASIS_KINDS
from valiza.envelope.route import Leg
from valiza.keys.errors import Malformed, Unavailable, Usage, ValizaError
from valiza.office import papers
from valiza.office.home import toml_string
from valiza.office.papers import inventory_template, parse_basis, parse_leg, read_basis, read_carriers, read_route_file

if TYPE_CHECKING:
    from collections.abc import Callable

READERS: Final[dict[str, Callable[[Path], Any]]] = {
    "route": read_route_file,
    "basis": read_basis,
    "inventory": lambda path: read_carriers([], path, mark="2"),
}
EACH: Final = pytest.mark.parametrize("reader", READERS.values(), ids=READERS.keys())


@pytest.fixture
def paper(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a paper; TOML unless it begins with `file,`."""

    def write(text: str) -> Path:
        path = tmp_path / ("paper.csv" if text.lstrip("\ufeff").startswith("file,") else "paper.toml")
        path.write_text(text, encoding="utf-8")
        return path

    return write


# -- route ----------------------------------------------------------------------------------------------------------------

ROUTE: Final = """
channel = "agreed"
transport = "courier-by-air"
escort = "two-couriers"
reference = "No. 17 of 2026"

[[leg]]
from = "Астана"
to = "Мінск"

[[leg]]
from = "Мінск"
to = "Гродна"
"""


def test_a_route_is_read_as_written(paper: Callable[[str], Path]) -> None:
    assert read_route_file(paper(ROUTE)) == {
        "channel": "agreed",
        "transport": "courier-by-air",
        "escort": "two-couriers",
        "reference": "No. 17 of 2026",
        "legs": (Leg("Астана", "Мінск"), Leg("Мінск", "Гродна")),
    }


def test_what_a_route_leaves_out_is_empty(paper: Callable[[str], Path]) -> None:
    assert read_route_file(paper("")) == {"channel": "", "transport": "", "escort": "", "reference": "", "legs": ()}


def test_a_date_may_be_written_as_a_date(paper: Callable[[str], Path]) -> None:
    assert read_route_file(paper("reference = 2026-03-01"))["reference"] == "2026-03-01"


BAD_ROUTES: Final = (
    "chanel = 'agreed'",
    "channel = 1",
    "channel = ['agreed']",
    "leg = 'Astana:Minsk'",
    "leg = ['Astana:Minsk']",
    "[leg]\nfrom = 'a'\nto = 'b'",
    "[[leg]]\nform = 'a'\nto = 'b'",
    "[[leg]]\nfrom = 1\nto = 'b'",
    "leg = [1]",
    "channel = 'a'\nchannel = 'b'",
    "[[leg.leg]]",
    "channel =",
)


@pytest.mark.parametrize("text", BAD_ROUTES)
def test_a_route_written_otherwise_is_malformed(paper: Callable[[str], Path], text: str) -> None:
    with pytest.raises(Malformed):
        read_route_file(paper(text))


@pytest.mark.parametrize("text", ["Astana:Minsk", " Astana : Minsk ", "Astana:Minsk:2"])
def test_a_leg_is_from_and_to(text: str) -> None:
    assert parse_leg(text) == Leg("Astana", text.partition(":")[2].strip())


@pytest.mark.parametrize("text", ["", ":", "Astana", "Astana:", ":Minsk", " : Minsk", "Astana-Minsk"])
def test_a_leg_with_one_end_is_no_leg(text: str) -> None:
    with pytest.raises(Usage):
        parse_leg(text)


# -- basis ----------------------------------------------------------------------------------------------------------------


def test_a_basis_is_read_as_written(paper: Callable[[str], Path]) -> None:
    text = """
    [[basis]]
    kind = "decision"
    reference = "No. 12"
    issued_by = "Government"
    date = 2026-02-03

    [[basis]]
    kind = "conclusion"
    reference = "No. 5"
    """
    assert read_basis(paper(text)) == (Basis("decision", "No. 12", "Government", "2026-02-03"), Basis("conclusion", "No. 5", "", ""))


def test_a_basis_may_be_empty_and_from_an_option_it_is_a_reference(paper: Callable[[str], Path]) -> None:
    assert read_basis(paper("")) == ()
    assert parse_basis("contract", "No. 1") == Basis("contract", "No. 1")


BAD_BASES: Final = (
    "[basis]\nkind = 'decision'",
    "basis = 5",
    "basis = [1]",
    "basis = ['']",
    "basis = 'decision'",
    "[[base]]",
    "[[basis]]",
    "[[basis]]\nkind = 1",
    "[[basis]]\nkind = 'Decision'",
    "[[basis]]\nkind = 'decision'\nnumber = '1'",
    "[[basis]]\nkind = 'decision'\nreference = 12",
    "basis = [[{ kind = 'decision' }]]",
    "kind = 'decision'",
)


@pytest.mark.parametrize("text", BAD_BASES)
def test_a_basis_written_otherwise_is_malformed(paper: Callable[[str], Path], text: str) -> None:
    with pytest.raises(Malformed):
        read_basis(paper(text))


def test_whoever_mistakes_the_kind_of_a_basis_is_told_the_kinds(paper: Callable[[str], Path]) -> None:
    with pytest.raises(Malformed) as caught:
        read_basis(paper("[[basis]]\nkind = 'law'"))
    assert "confirmation, conclusion, contract, decision" in caught.value.hint


# -- inventory ------------------------------------------------------------------------------------------------------------

TOML: Final = """
[[carrier]]
file = "note.pdf"
mark = "1"
registration = "R-1"
copy = 1
sheets = 3
classified_by = "Minister"
ground = "List, 4"

[[carrier]]
file = "map.bin"
name = "map of the border.bin"
media_type = "application/x-map"

[[carrier]]
physical = true
name = "parcel 1"
mark = "3"
"""
CSV: Final = """\
file,name,physical,mark,media_type,registration,copy,sheets,classified_by,ground
note.pdf,,,1,,R-1,1,3,Minister,"List, 4"
map.bin,map of the border.bin,no,,application/x-map,,,,,
,parcel 1,yes,3,,,,,,
"""


def expected(folder: Path) -> list[Carrier]:
    note = Carrier(
        name="note.pdf",
        path=folder / "note.pdf",
        code="1",
        media_type="application/pdf",
        registration="R-1",
        copy=1,
        sheets=3,
        classified_by="Minister",
        ground="List, 4",
    )
    border = Carrier(
        name="map of the border.bin", path=folder / "map.bin", code="2", media_type="application/x-map", classified_by="Deputy", ground="Rule 1"
    )
    parcel = Carrier(name="parcel 1", path=None, code="3", media_type="", classified_by="Deputy", ground="Rule 1")
    return [note, border, parcel]


@pytest.mark.parametrize("text", [TOML, CSV, "\ufeff" + CSV, CSV.replace("\n", "\r\n")], ids=["TOML", "CSV", "CSV with a mark", "CSV of Windows"])
def test_an_inventory_names_the_carriers_and_options_fill_what_it_leaves_out(paper: Callable[[str], Path], tmp_path: Path, text: str) -> None:
    found = read_carriers([], paper(text), mark="2", classified_by="Deputy", ground="Rule 1")
    assert found == expected(tmp_path)


def test_files_named_are_sealed_in_their_order_with_what_the_inventory_says(paper: Callable[[str], Path]) -> None:
    files = [Path("/elsewhere/map.bin"), Path("/elsewhere/note.pdf"), Path("/elsewhere/more.txt")]
    found = read_carriers(files, paper(TOML), mark="2")
    assert [(carrier.path, carrier.code) for carrier in found] == [(files[0], "2"), (files[1], "1"), (files[2], "2"), (None, "3")]
    assert found[0].name == "map of the border.bin"


def test_without_an_inventory_each_file_has_the_mark_of_the_option() -> None:
    assert read_carriers([Path("a.txt"), Path("b")], None, mark="3") == [
        Carrier(name="a.txt", path=Path("a.txt"), code="3", media_type="text/plain"),
        Carrier(name="b", path=Path("b"), code="3", media_type="application/octet-stream"),
    ]
    assert read_carriers([], None, mark="3") == []


def test_an_inventory_stands_beside_its_files(paper: Callable[[str], Path], tmp_path: Path) -> None:
    (carrier,) = read_carriers([], paper("[[carrier]]\nfile = 'sub/note.pdf'\nmark = '1'"), mark=None)
    assert (carrier.path, carrier.name) == (tmp_path / "sub" / "note.pdf", "note.pdf")


@pytest.mark.parametrize("text", ["[[carrier]]\nfile = 'note.pdf'", "[[carrier]]\nphysical = true\nname = 'parcel'", "file,mark\nnote.pdf,\n"])
def test_a_carrier_without_a_mark_is_sealed_under_none(paper: Callable[[str], Path], text: str) -> None:
    """Never "the highest", never that of the carrier before it."""
    for mark in (None, ""):
        with pytest.raises(Usage, match="mark"):
            read_carriers([], paper(text), mark=mark)


def test_an_inventory_that_names_a_file_that_is_not_sealed_is_refused(paper: Callable[[str], Path]) -> None:
    with pytest.raises(Usage, match=r"map\.bin"):
        read_carriers([Path("note.pdf")], paper(TOML), mark="2")


@pytest.mark.parametrize("text", ["[[carrier]]\nfile = 'a/x'\nmark = '1'\n[[carrier]]\nfile = 'b/x'\nmark = '3'", "file,mark\nx,1\nx,3\n"])
def test_a_file_named_twice_does_not_get_one_of_two_marks(paper: Callable[[str], Path], text: str) -> None:
    for files in ([], [Path("a/x")]):
        with pytest.raises(ValizaError):
            read_carriers(files, paper(text), mark=None)


BAD_INVENTORIES: Final = (
    "carrier = 5",
    "carrier = [1]",
    "carrier = ['']",
    "[carrier]\nfile = 'a'",
    "[[carriers]]",
    "[[carrier]]",
    "[[carrier]]\nname = 'a'",
    "[[carrier]]\nfile = 'a'\nphysical = true\nname = 'a'",
    "[[carrier]]\nphysical = true",
    "[[carrier]]\nfile = 1",
    "[[carrier]]\nfile = ['a']",
    "[[carrier]]\nfile = 'a'\ncopies = 1",
    "[[carrier]]\nfile = 'a'\ncopy = 'one'",
    "[[carrier]]\nfile = 'a'\nsheets = 1.5",
    "[[carrier]]\nfile = 'a'\nsheets = true",
    "[[carrier]]\nfile = 'a'\nmark = 1",
    "file = 'a'",
    "file,mark\na,1,more\n",
    "file,colour\na,red\n",
    'file,mark\na,"1\n',
    "file,copy\na,one\n",
    "file,name\n,a\n",
    "file,mark\n,1\n",
    "file,mark,mark\na,1,3\n",
    "file,physical,name\na,yes,a\n",
)


@pytest.mark.parametrize("text", BAD_INVENTORIES)
def test_an_inventory_written_otherwise_is_malformed(paper: Callable[[str], Path], text: str) -> None:
    with pytest.raises(Malformed):
        read_carriers([], paper(text), mark="2")


@pytest.mark.parametrize("word", ["true", "TRUE", "yes", "Yes", "1"])
def test_words_for_a_physical_carrier(paper: Callable[[str], Path], word: str) -> None:
    (carrier,) = read_carriers([], paper(f"file,physical,name\n,{word},parcel\n"), mark="2")
    assert (carrier.path, carrier.name) == (None, "parcel")


def test_a_row_that_ends_early_leaves_the_rest_to_the_options(paper: Callable[[str], Path]) -> None:
    (carrier,) = read_carriers([], paper("file,mark,ground\na\n\n"), mark="2", ground="Rule 1")
    assert (carrier.code, carrier.ground, carrier.copy) == ("2", "Rule 1", None)


@pytest.mark.parametrize("word", ["", "false", "No", "0", " "])
def test_words_for_a_file(paper: Callable[[str], Path], word: str) -> None:
    (carrier,) = read_carriers([], paper(f"file,physical\na,{word}\n"), mark="2")
    assert carrier.path is not None


@pytest.mark.parametrize("text", ["file,physical,name\n,да,parcel\n", "[[carrier]]\nfile = 'a'\nphysical = 'maybe'", "[[carrier]]\nphysical = 5"])
def test_a_word_that_says_neither_is_no_file(paper: Callable[[str], Path], text: str) -> None:
    with pytest.raises(Malformed, match=r"physical in carrier 1 of inventory .* is neither yes nor no"):
        read_carriers([], paper(text), mark="2")


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_columns_that_are_separated_by_something_else(paper: Callable[[str], Path], separator: str) -> None:
    """As spreadsheets do where the comma is for decimals."""
    path = paper("file,").with_suffix(".csv")
    path.write_text(f"file{separator}mark\na{separator}3\n", encoding="utf-8")
    with pytest.raises(Malformed, match="are not separated by commas") as caught:
        read_carriers([], path, mark="2")
    assert "with commas" in caught.value.hint


def test_a_row_with_more_fields_than_columns_is_named(paper: Callable[[str], Path]) -> None:
    with pytest.raises(Malformed, match=r"carrier 2 of inventory .* has more fields than there are columns"):
        read_carriers([], paper("file,ground\na,x\nb,Rule 1, 2\n"), mark="2")


# -- what text and numbers can be --------------------------------------------------------------------------------------------

LEG: Final = "[[leg]]\nfrom = 'a'\nto = "
BASIS: Final = "[[basis]]\nkind = 'decision'\n"
CARRIER: Final = "[[carrier]]\nfile = 'a'\n[[carrier]]\nfile = 'b'\n"
WRONG_VALUES: Final = {
    "text too long": ("route", f"reference = '{1001 * 'x'}'", "reference in route .* has 1001 characters"),
    "leg without an end": ("route", "[[leg]]\nfrom = 'a'", "to in a leg of route .* is missing"),
    "leg with a blank end": ("route", LEG + "' '", "to in a leg of route .* is missing"),
    "unassigned": ("route", 'reference = "\\u0378"', "reference in route .* does not assign"),
    "no reference": ("basis", BASIS, "reference in basis .* is missing"),
    "blank reference": ("basis", BASIS + "reference = '\t'", "reference in basis .* is missing"),
    "time for a day": ("basis", BASIS + "reference = 'x'\ndate = 2026-02-03T00:00:00Z", "date in basis .* is no day"),
    "negative": ("inventory", CARRIER + "copy = -1", "copy in carrier 2 of inventory .* cannot be -1"),
    "too great": ("inventory", CARRIER + "sheets = 9223372036854775808", "sheets in carrier 2 of inventory .* cannot be 9223372036854775808"),
    "no number": ("inventory", CARRIER + "sheets = 'x'", "sheets in carrier 2 of inventory .* is no number: 'x'"),
    "no text": ("inventory", CARRIER + "ground = 5", "ground in carrier 2 of inventory .* is no text"),
    "unknown": ("inventory", CARRIER + "colour = 'red'", "carrier 2 of inventory .* has keys that mean nothing: colour"),
    "unknown column": ("inventory", "file,colour\n", "inventory .* has keys that mean nothing: colour"),
}


@pytest.mark.parametrize("what", WRONG_VALUES)
def test_what_is_wrong_is_told_with_its_place(paper: Callable[[str], Path], what: str) -> None:
    reader, text, message = WRONG_VALUES[what]
    with pytest.raises(Malformed, match=f"^{message}"):
        READERS[reader](paper(text))


def test_either_spelling_of_the_same_letters(paper: Callable[[str], Path]) -> None:
    """As with options; but a file is found by the name that it has."""
    assert read_route_file(paper("reference = 'e\u0301'"))["reference"] == "\u00e9"
    (carrier,) = read_carriers([], paper("[[carrier]]\nfile = 'e\u0301'\nname = 'e\u0301'\nground = ' '"), mark="2", ground="Rule 1")
    assert carrier.path is not None
    assert (carrier.path.name, carrier.name, carrier.ground) == ("e\u0301", "\u00e9", "Rule 1")


# -- the template ---------------------------------------------------------------------------------------------------------


def test_a_template_lists_the_files_to_be_filled_in(tmp_path: Path) -> None:
    files = [tmp_path / "note.pdf", tmp_path / "a 'quoted' name, Құпия.txt"]
    path = tmp_path / "inventory.toml"
    path.write_text(inventory_template(files, "2"), encoding="utf-8")
    found = read_carriers([], path, mark=None)
    assert [(carrier.path, carrier.code) for carrier in found] == [(files[0], "2"), (files[1], "2")]
    assert [carrier.media_type for carrier in found] == ["application/pdf", "text/plain"]


@given(st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=30), st.none() | st.text(max_size=10))
@example('a "quoted" name', None)
@example("\\", '"')
@example("a\x7f", "\x7f")
@example("~", "\U0001f4bc\x85\u2028")
def test_a_template_is_toml_whatever_the_file_and_mark_are_called(name: str, mark: str | None) -> None:
    path = Path("folder") / name
    try:
        template = inventory_template([path], mark)
    except Malformed:
        with pytest.raises(Malformed):
            check_name(path.name)
        return
    (carrier,) = tomllib.loads(template)["carrier"]
    assert (carrier["file"], carrier["mark"]) == (path.name, mark or "")


# -- any paper ------------------------------------------------------------------------------------------------------------


NO_TOML: Final = {"BOM": b"\xff\xfe", "Latin": b"a = '\x80'", "equals": b"=", "deep": b"a = " + b"[" * 5000, "digits": b"a = " + b"9" * 5000}


@EACH
@pytest.mark.parametrize("raw", NO_TOML.values(), ids=NO_TOML.keys())
def test_what_is_no_toml_is_malformed(tmp_path: Path, reader: Callable[[Path], Any], raw: bytes) -> None:
    (tmp_path / "paper.toml").write_bytes(raw)
    with pytest.raises(Malformed):
        reader(tmp_path / "paper.toml")


@pytest.mark.parametrize("raw", [b"file,mark\n\xff,1\n", b"file,mark\na\0,1\n" + b"b" * 200_000 + b",1\n"], ids=["not UTF-8", "a field too long"])
def test_what_is_no_csv_is_malformed(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "paper.csv").write_bytes(raw)
    with pytest.raises(Malformed):
        read_carriers([], tmp_path / "paper.csv", mark="1")


@pytest.mark.parametrize(
    ("reader", "text"),
    [
        (read_route_file, "channel = 'agreed'\n# a remark\n[[leg]]\nfrom = 'a'\nto = 'b'\n"),
        (read_basis, "# a remark of some more length\n[[basis]]\nkind = 'decision'\nreference = '1'\n"),
        (READERS["inventory"], "[[carrier]]\nfile = 'a'\n# ......\n[[carrier]]\nfile = 'b'\n"),
        (READERS["inventory"], "file,mark,ground\nfirst,1,one\nsecond,1,two\n"),
    ],
    ids=["route", "basis", "inventory", "inventory in CSV"],
)
def test_a_paper_that_is_too_long_is_not_read_up_to_there(
    paper: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, reader: Callable[[Path], Any], text: str
) -> None:
    """Or a carrier, a leg or a basis at its end would be lost without a word."""
    monkeypatch.setattr(papers, "_MAX_PAPER", 28)
    with pytest.raises(Malformed):
        reader(paper(text))


@EACH
def test_a_paper_that_is_not_there_is_unavailable(tmp_path: Path, reader: Callable[[Path], Any]) -> None:
    with pytest.raises(Unavailable):
        reader(tmp_path / "missing")


@EACH
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    value=st.recursive(
        st.sampled_from(["''", "'a'", "1", "-1", "1.5", "true", "2026-01-01", "2026-01-01T00:00:00Z", "12:00:00"]),
        lambda inner: (
            st.lists(inner, max_size=2).map(lambda items: f"[{', '.join(items)}]")
            | st.dictionaries(st.sampled_from(["kind", "file", "from", "physical", "copy"]), inner, max_size=2).map(
                lambda table: "{" + ", ".join(f"{key} = {item}" for key, item in table.items()) + "}"
            )
        ),
        max_leaves=4,
    ),
    key=st.sampled_from(["leg", "basis", "carrier", "channel"]),
)
def test_whatever_a_paper_says_it_is_read_or_told_in_one_line(tmp_path: Path, reader: Callable[[Path], Any], key: str, value: str) -> None:
    path = tmp_path / "paper.toml"
    path.write_text(f"{key} = {value}", encoding="utf-8")
    try:
        reader(path)
    except ValizaError as error:
        assert "\n" not in error.message  # noqa: PT017 - both ways are right


# -- whatever is written -----------------------------------------------------------------------------------------------

PARTS: Final = (
    st.text(st.characters(exclude_categories=["Cs", "Cn"], exclude_characters="\x00"), min_size=1, max_size=20)
    .map(lambda text: unicodedata.normalize("NFC", text))
    .filter(lambda text: not text.isspace())
)
NUMBERS: Final = st.none() | st.integers(0, 2**63 - 1)


def told(value: str | int | None) -> str:
    return toml_string(value) if isinstance(value, str) else str(value)


@given(PARTS, PARTS, PARTS, st.lists(PARTS, min_size=2, max_size=4))
def test_a_route_reads_back_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, channel: str, transport: str, reference: str, places: list[str]
) -> None:
    path = tmp_path_factory.mktemp("route") / "route.toml"
    legs = [Leg(one, two) for one, two in itertools.pairwise(places)]
    lines = [f"channel = {told(channel)}", f"transport = {told(transport)}", f"reference = {told(reference)}"]
    lines += [f"[[leg]]\nfrom = {told(leg.start)}\nto = {told(leg.end)}" for leg in legs]
    path.write_bytes("\n".join(lines).encode())
    assert read_route_file(path) == {"channel": channel, "transport": transport, "escort": "", "reference": reference, "legs": tuple(legs)}


@given(st.lists(st.tuples(st.sampled_from(BASIS_KINDS), PARTS, PARTS, st.dates().map(str)), max_size=4), st.booleans())
def test_a_basis_reads_back_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, given_: list[tuple[str, str, str, str]], bare: bool) -> None:  # noqa: FBT001 - drawn
    path = tmp_path_factory.mktemp("basis") / "basis.toml"
    lines = [
        f"[[basis]]\nkind = {told(kind)}\nreference = {told(reference)}\nissued_by = {told(issuer)}\ndate = {day if bare else told(day)}"
        for kind, reference, issuer, day in given_
    ]
    path.write_bytes("\n".join(lines).encode())
    assert read_basis(path) == tuple(Basis(*item) for item in given_)


@given(
    st.lists(st.tuples(PARTS, PARTS, NUMBERS, NUMBERS, PARTS), min_size=1, max_size=4, unique_by=lambda row: row[0]),
    st.sampled_from(["toml", "csv"]),
)
def test_an_inventory_reads_back_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, int | None, int | None, str]], form: str
) -> None:
    """Of parcels: their names are free text."""
    path = tmp_path_factory.mktemp("inventory") / f"inventory.{form}"
    columns = ("name", "mark", "copy", "sheets", "ground")
    if form == "csv":
        out = io.StringIO()
        writer = csv.writer(out, quoting=csv.QUOTE_ALL)
        writer.writerow(["physical", *columns])
        writer.writerows(["yes", *("" if item is None else item for item in row)] for row in rows)
        path.write_bytes(out.getvalue().encode())
    else:
        said = [[f"{key} = {told(item)}" for key, item in zip(columns, row, strict=True) if item is not None] for row in rows]
        path.write_bytes("\n".join("\n".join(["[[carrier]]", "physical = true", *lines]) for lines in said).encode())
    found = read_carriers([], path, mark=None)
    assert [(c.name, c.code, c.copy, c.sheets, c.ground, c.path) for c in found] == [(*row, None) for row in rows]


@pytest.mark.parametrize("key", ["copy", "sheets", "physical", "mark", "name"])
@pytest.mark.parametrize("value", ["0x" + "F" * 5000, "[" * 200 + "]" * 200, "{a.b.c = 1}"], ids=["wide", "deep", "table"])
def test_what_python_could_not_print_is_malformed(paper: Callable[[str], Path], key: str, value: str) -> None:
    with pytest.raises((Malformed, Usage)):
        read_carriers([], paper(f'[[carrier]]\nfile = "a"\n{key} = {value}\n'), mark=None)


def test_a_key_of_thousands_of_parts_is_malformed(paper: Callable[[str], Path]) -> None:
    for reader in READERS.values():
        with pytest.raises(Malformed, match="a key of more than 16 parts"):
            reader(paper("x." + "a." * 5000 + "a = 1"))
