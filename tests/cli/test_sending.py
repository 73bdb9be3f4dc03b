"""Sealing: what is shown and asked, papers from files, addressees, numbers, the office's copy; and withdrawing."""

from __future__ import annotations

import csv
import io
import os
import tomllib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import pexpect
import pytest
from tests.support.cli import VALIZA, World, fails, listing, program, run, works

if TYPE_CHECKING:
    from pathlib import Path

YEAR: Final = datetime.now(UTC).year
LEAST: Final = ("--to=BY-MFA", "--agreement=kz-by", "--purpose=exercise", "--decision=No. 12", "--conclusion=No. 7", "--yes")
ROUTE: Final = 'channel = "courier"\ntransport = "air"\nescort = "courier"\n\n[[leg]]\nfrom = "Astana"\nto = "Minsk"\n'


def _write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def _opened(world: World, envelope: Path) -> dict[str, Any]:
    """What the addressee finds."""
    facts = world.by.works("open", envelope, "-o", world.path(f"{envelope.name}.d"), "--as=yanka", "--json").facts
    verified: dict[str, Any] = facts["verified"]
    return verified


# -- what is shown and asked -----------------------------------------------------------------------------------------------


def test_sealed_facts(world: World) -> None:
    facts = world.kz.works(*world.order("--json", "-o", world.path("e.vlz"))).facts
    assert (facts["sealed"], facts["manifest_kept"]) == (True, True)
    assert facts["envelope"] == str(world.path("e.vlz"))
    assert facts["bytes"] == world.path("e.vlz").stat().st_size
    assert (facts["number"], facts["package"]) == (f"KZ-MFA/{YEAR}/out/1", f"KZ-MFA/{YEAR}/out/1")
    assert facts["marks"]["origin_text"] == "Құпия"
    assert facts["marks"]["destination_text"] == "Секретно"
    read = works("inspect", world.path("e.vlz"), "--json").facts["read"]
    assert [facts[key] for key in ("envelope_id", "dispatch", "destination")] == [read[key] for key in ("envelope_id", "dispatch", "destination")]


def test_dry_run_seals_nothing(world: World) -> None:
    before = listing(world.folder)
    facts = world.kz.works(*world.order("--dry-run", "--json")).facts
    assert facts["sealed"] is False
    assert [carrier["name"] for carrier in facts["carriers"]] == ["map.txt"]
    assert listing(world.folder) == before
    assert world.kz.works("register", "list", "--json").facts["envelopes"] == []
    assert world.kz.works(*world.order("--json", "-o", world.path("e.vlz"))).facts["number"].endswith("/out/1")


def test_dry_run_says_what_sealing_will_say(world: World) -> None:
    dry = world.kz.works(*world.order("--dry-run", "--json")).facts
    sealed = world.kz.works(*world.order("--json", "-o", world.path("e.vlz"))).facts
    times = {"receipt_due"}
    assert {key: sealed[key] for key in dry if key not in {"sealed", "package", *times}} == {
        key: value for key, value in dry.items() if key not in {"sealed", "package", *times}
    }


def test_without_terminal_it_asks_for_yes(world: World) -> None:
    order = [word for word in world.order("-o", world.path("e.vlz")) if word != "--yes"]
    done = world.kz.run(*order)
    assert (done.code, done.out) == (2, "")
    assert "--yes" in done.hint
    for shown in ("BY/BY-MFA", "Құпия", "Секретно", "Astana → Minsk", "map.txt", "joint exercise", "Yanka Kupava"):
        assert shown in done.err
    assert not world.path("e.vlz").exists()
    assert world.kz.works("register", "list", "--json").facts["envelopes"] == []


def _terminal(world: World, *extra: str) -> pexpect.spawn[str]:
    words = [str(word) for word in world.order("-o", world.path("e.vlz"), "--home", world.kz.home, *extra) if word != "--yes"]
    return pexpect.spawn(str(VALIZA), words, encoding="utf-8", timeout=30, dimensions=(50, 400))


def _ended(terminal: pexpect.spawn[str]) -> tuple[int | None, str]:
    terminal.expect(pexpect.EOF)
    said = terminal.before or ""
    terminal.close()
    return terminal.exitstatus, said


def test_terminal_shows_and_asks_and_yes_seals(world: World) -> None:
    terminal = _terminal(world)
    terminal.expect("Seal this")
    shown = terminal.before or ""
    for value in ("BY/BY-MFA", "Құпия", "Секретно", "courier", "Astana → Minsk", "map.txt", "Government decision", "joint exercise", "Maryna Bor"):
        assert value in shown
    assert not world.path("e.vlz").exists()
    terminal.sendline("y")
    assert _ended(terminal)[0] == 0
    assert world.path("e.vlz").exists()


@pytest.mark.parametrize("answer", ["n", ""])
def test_terminal_no_seals_nothing(answer: str, world: World) -> None:
    terminal = _terminal(world)
    terminal.expect("Seal this")
    terminal.sendline(answer)
    code, said = _ended(terminal)
    assert code == 6
    assert "nothing was sealed" in said
    assert not world.path("e.vlz").exists()


@pytest.mark.parametrize("how", ["interrupt", "end of input"])
def test_terminal_interrupted(how: str, world: World) -> None:
    terminal = _terminal(world)
    terminal.expect("Seal this")
    if how == "interrupt":
        terminal.sendintr()
    else:
        terminal.sendeof()
    code, said = _ended(terminal)
    assert code == 130
    assert "valiza: error: interrupted" in said
    assert not world.path("e.vlz").exists()


def test_terminal_is_not_asked_what_cannot_be(world: World) -> None:
    """An output that exists is told before the question, not after it."""
    world.path("e.vlz").write_bytes(b"mine")
    code, said = _ended(_terminal(world))
    assert code == 6
    assert "Seal this" not in said


# -- papers ----------------------------------------------------------------------------------------------------------------


def test_route_and_basis_from_files(world: World) -> None:
    route = _write(world.path("route.toml"), ROUTE)
    basis = _write(
        world.path("basis.toml"),
        '[[basis]]\nkind = "decision"\nreference = "No. 12"\nissued_by = "Government"\ndate = 2026-11-20\n\n'
        '[[basis]]\nkind = "conclusion"\nreference = "No. 7"\ndate = "2026-11-18"\n',
    )
    envelope = world.path("e.vlz")
    world.kz.works("seal", world.carrier, "--mark=3", *LEAST[:3], "--yes", f"--route={route}", f"--basis={basis}", "-o", envelope)
    found = _opened(world, envelope)
    assert (found["transport"], found["escort"], found["legs"]) == ("air", "courier", ["Astana → Minsk"])
    assert found["basis"] == [
        {"kind": "decision", "reference": "No. 12", "issued_by": "Government", "date": "2026-11-20"},
        {"kind": "conclusion", "reference": "No. 7", "issued_by": "", "date": "2026-11-18"},
    ]


def test_options_replace_parts_of_the_route_file(world: World) -> None:
    route = _write(world.path("route.toml"), ROUTE)
    facts = world.kz.works("seal", world.carrier, "--mark=3", *LEAST, f"--route={route}", "--transport=rail", "--dry-run", "--json").facts
    assert (facts["transport"], facts["escort"], facts["legs"]) == ("rail", "courier", ["Astana → Minsk"])


def test_legs_in_order(world: World) -> None:
    order = [word for word in world.order() if not str(word).startswith("--leg")]
    facts = world.kz.works(*order, "--leg=Astana:Moscow", "--leg= Moscow : Minsk ", "--dry-run", "--json").facts
    assert facts["legs"] == ["Astana → Moscow", "Moscow → Minsk"]


@pytest.mark.parametrize(
    ("missing", "named"),
    [("--channel", "channel"), ("--transport", "transport"), ("--escort", "escort"), ("--leg", "legs")],
)
def test_route_that_lacks_a_part(missing: str, named: str, world: World) -> None:
    order = [word for word in world.order("--dry-run") if not str(word).startswith(missing)]
    done = world.kz.fails(2, *order)
    assert named in done.error
    assert "R13" in done.error


@pytest.mark.parametrize("leg", ["Astana", ":", "Astana:", ":Minsk", ""])
def test_leg_that_is_none(leg: str, world: World) -> None:
    world.kz.fails(2, *world.order(f"--leg={leg}", "--dry-run"))


# What is wrong with a paper → its text.
WRONG_ROUTES: Final = {
    "channel is a number": "channel = 5\n",
    "unknown key": 'chanel = "courier"\n',
    "leg is a number": "leg = 5\n",
    "legs are numbers": "leg = [5]\n",
    "unknown key of a leg": '[[leg]]\nfrom = "A"\nvia = "B"\n',
}
WRONG_BASES: Final = {
    "basis is a number": "basis = 5\n",
    "bases are numbers": "basis = [5]\n",
    "bases are texts": 'basis = ["decision"]\n',
    "basis is one table": "[basis]\n",
    "unknown kind": '[[basis]]\nkind = "opinion"\nreference = "x"\n',
    "unknown key": '[[basis]]\nkind = "decision"\nref = "x"\n',
    "no reference": '[[basis]]\nkind = "decision"\n',
    "no day of the calendar": '[[basis]]\nkind = "decision"\nreference = "x"\ndate = "2026-13-45"\n',
    "no date": '[[basis]]\nkind = "decision"\nreference = "x"\ndate = "tomorrow"\n',
    "time for a date": '[[basis]]\nkind = "decision"\nreference = "x"\ndate = 2026-11-20T10:00:00Z\n',
}
WRONG_INVENTORIES: Final = {
    "carrier is a number": "carrier = 5\n",
    "carriers are numbers": "carrier = [5]\n",
    "carriers are texts": 'carrier = ["map.txt"]\n',
    "carrier is one table": '[carrier]\nfile = "map.txt"\n',
    "file is a number": "[[carrier]]\nfile = 5\n",
    "mark is a number": '[[carrier]]\nfile = "map.txt"\nmark = 3\n',
    "unknown key": '[[carrier]]\nfile = "map.txt"\nsheet = 3\n',
    "sheets no integer": '[[carrier]]\nfile = "map.txt"\nsheets = 1.5\n',
    "sheets negative": '[[carrier]]\nfile = "map.txt"\nsheets = -1\n',
    "sheets too many": '[[carrier]]\nfile = "map.txt"\nsheets = 99999999999999999999\n',
    "no media type": '[[carrier]]\nfile = "map.txt"\nmedia_type = "Text"\n',
    "neither file nor physical": '[[carrier]]\nname = "parcel"\n',
    "physical without name": "[[carrier]]\nphysical = true\n",
    "file and physical": '[[carrier]]\nphysical = true\nfile = "map.txt"\nname = "parcel"\n',
    "name is a path": '[[carrier]]\nfile = "map.txt"\nname = "a/b"\n',
    "name is reserved": '[[carrier]]\nfile = "map.txt"\nname = "CON"\n',
    "registration too long": '[[carrier]]\nfile = "map.txt"\nregistration = "' + 1001 * "x" + '"\n',
    "no TOML": "not toml",
    "nested deeply": "a = " + 5000 * "[" + 5000 * "]",
    "many digits": "a = " + 5000 * "1",
}


def _refused_paper(option: str, text: str, world: World) -> None:
    paper = _write(world.path("paper.toml"), text)
    before = listing(world.folder)
    files: list[Path] | None = [] if option == "--inventory" else None
    done = world.kz.run(*world.order(option, paper, "-o", world.path("e.vlz"), files=files))
    assert done.code in {2, 3}, done.err
    assert done.error
    assert len(done.error) < 1000
    assert listing(world.folder) == before
    assert world.kz.works("register", "list", "--json").facts["envelopes"] == []


@pytest.mark.parametrize("what", WRONG_ROUTES)
def test_route_that_is_not_well_written(what: str, world: World) -> None:
    _refused_paper("--route", WRONG_ROUTES[what], world)


@pytest.mark.parametrize("what", WRONG_BASES)
def test_basis_that_is_not_well_written(what: str, world: World) -> None:
    _refused_paper("--basis", WRONG_BASES[what], world)


@pytest.mark.parametrize("what", WRONG_INVENTORIES)
def test_inventory_that_is_not_well_written(what: str, world: World) -> None:
    _refused_paper("--inventory", WRONG_INVENTORIES[what], world)


def test_file_with_a_name_that_no_system_has(world: World) -> None:
    inventory = _write(world.path("list.toml"), '[[carrier]]\nfile = "a\\u0000b"\nname = "ok.txt"\n')
    assert world.kz.run(*world.order("--inventory", inventory, "-o", world.path("e.vlz"), files=[])).code in {2, 3, 7}


@pytest.mark.parametrize(
    "row", ["map.txt,3,4,5", '"map.txt', "map.txt,3,x", "map.txt,,", "other.txt,3,1"], ids=["more", "quote", "no number", "no mark", "another file"]
)
def test_csv_that_is_not_well_written(row: str, world: World) -> None:
    inventory = _write(world.path("list.csv"), f"file,mark,copy\n{row}\n")
    order = [word for word in world.order("--inventory", inventory, "-o", world.path("e.vlz")) if word != "--mark=3"]
    assert world.kz.run(*order).code in {2, 3}
    assert not world.path("e.vlz").exists()


# -- inventory -------------------------------------------------------------------------------------------------------------


def test_inventory_template_filled_in(world: World) -> None:
    files = [_write(world.path(name), name) for name in ("Есеп № 7.txt", 'a "quoted" name.pdf')[:1]] + [world.carrier]
    template = works("seal", "--inventory-template", *files, "--mark=3").out
    rows = tomllib.loads(template)["carrier"]
    assert [(row["file"], row["mark"], row["media_type"]) for row in rows] == [(path.name, "3", "text/plain") for path in files]
    filled = template.replace('registration = ""', 'registration = "KZ-17"').replace("# copy = 1", "copy = 2").replace("# sheets = 1", "sheets = 40")
    filled = filled.replace('classified_by = ""', 'classified_by = "KZ-MFA"').replace('ground = ""', 'ground = "item 4"')
    inventory = _write(world.path("list.toml"), filled)
    carriers = _opened(world, world.seal("--inventory", inventory, files=files))["carriers"]
    assert [carrier["name"] for carrier in carriers] == [path.name for path in files]
    for carrier in carriers:
        said = (carrier["registration"], carrier["copy"], carrier["sheets"], carrier["classified_by"], carrier["ground"])
        assert said == ("KZ-17", 2, 40, "KZ-MFA", "item 4")


@pytest.mark.parametrize(
    "name", ["plain.txt", 'quote".txt', "back\\slash.txt", "tab\t.txt", "del\x7f.txt", "esc\x1b[2J.txt", "rlo\u202e.txt", "csi\x9b.txt", "日本.txt"]
)
def test_inventory_template_is_toml_and_harmless(name: str) -> None:
    template = works("seal", "--inventory-template", name, '--mark=3"\nx = "').out
    assert tomllib.loads(template)["carrier"][0]["file"] == name
    assert [c for c in template if (ord(c) < 0x20 and c != "\n") or c in "\x7f\x9b\u202e"] == []


def test_inventory_template_of_a_name_that_is_no_text() -> None:
    done = run("seal", "--inventory-template", "a\udcff.txt")
    assert done.code in {0, 2, 3}, done.err


def test_inventory_in_csv(world: World) -> None:
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(["file", "name", "physical", "mark", "registration", "copy", "sheets"])
    rows.writerow(["map.txt", "", "", "3", 'KZ-17, "annex"', "2", "40"])
    rows.writerow(["", "parcel 1", "yes", "2", "", "", ""])
    inventory = world.path("list.csv")
    inventory.write_bytes(text.getvalue().encode("utf-8-sig"))
    carriers = _opened(world, world.seal("--inventory", inventory))["carriers"]
    said = [(c["name"], c["physical"], c["marks"]["origin"], c["registration"], c["copy"], c["sheets"]) for c in carriers]
    assert said == [("map.txt", False, "KZ:3", 'KZ-17, "annex"', 2, 40), ("parcel 1", True, "KZ:2", "", None, None)]


def test_inventory_alone_names_the_files_beside_it(world: World) -> None:
    folder = world.path("papers")
    folder.mkdir()
    _write(folder / "report.txt", "report")
    inventory = _write(folder / "list.toml", '[[carrier]]\nfile = "report.txt"\n')
    _opened(world, world.seal("--inventory", inventory, files=[]))
    assert (world.path("envelope.vlz.d") / "report.txt").read_text(encoding="utf-8") == "report"


def test_carrier_under_another_name(world: World) -> None:
    inventory = _write(world.path("list.toml"), '[[carrier]]\nfile = "map.txt"\nname = "Карта.txt"\n')
    envelope = world.seal("--inventory", inventory)
    assert [path.name for path in world.open(envelope).iterdir()] == ["Карта.txt"]


def test_envelope_has_the_mark_of_its_most_secret_carrier(world: World) -> None:
    inventory = _write(world.path("list.toml"), '[[carrier]]\nfile = "map.txt"\n\n[[carrier]]\nphysical = true\nname = "parcel"\nmark = "2"\n')
    facts = world.kz.works(*world.order("--inventory", inventory, "--dry-run", "--json")).facts
    assert facts["marks"]["origin"] == "KZ:2"
    assert [carrier["marks"]["origin"] for carrier in facts["carriers"]] == ["KZ:3", "KZ:2"]
    assert [carrier["physical"] for carrier in facts["carriers"]] == [False, True]


def test_file_listed_twice_is_not_guessed_about(world: World) -> None:
    inventory = _write(world.path("list.toml"), '[[carrier]]\nfile = "map.txt"\nmark = "1"\n\n[[carrier]]\nfile = "map.txt"\nmark = "3"\n')
    for files in ([world.carrier], []):
        done = world.kz.run(*world.order("--inventory", inventory, "-o", world.path("e.vlz"), files=files))
        assert done.code in {2, 3}
        assert "map.txt" in done.error


def test_physical_carriers_alone(world: World) -> None:
    inventory = _write(world.path("list.toml"), '[[carrier]]\nphysical = true\nname = "parcel"\n')
    envelope = world.seal("--inventory", inventory, files=[])
    assert list(world.open(envelope).iterdir()) == []


def test_file_that_the_inventory_does_not_list_has_the_defaults(world: World) -> None:
    other = _write(world.path("other.txt"), "other")
    inventory = _write(world.path("list.toml"), '[[carrier]]\nfile = "map.txt"\nground = "item 4"\n')
    carriers = _opened(world, world.seal("--inventory", inventory, "--ground=item 9", files=[world.carrier, other]))["carriers"]
    assert [(c["name"], c["ground"]) for c in carriers] == [("map.txt", "item 4"), ("other.txt", "item 9")]


def test_carrier_without_mark(world: World) -> None:
    order = [word for word in world.order("--dry-run") if word != "--mark=3"]
    assert "map.txt" in world.kz.fails(2, *order).error


def test_nothing_to_seal(world: World) -> None:
    world.kz.fails(2, *world.order("--dry-run", files=[]))
    empty = _write(world.path("list.toml"), "")
    assert world.kz.run(*world.order("--inventory", empty, "--dry-run", files=[])).code in {2, 6}


# -- what is sealed can be opened ------------------------------------------------------------------------------------------

LONG: Final = 1001 * "x"


@pytest.mark.parametrize(
    "extra",
    [
        [f"--term={LONG}"],
        [f"--caveat={LONG}"],
        ["--caveat="],
        33 * ["--caveat=x"],
        [f"--decision={LONG}"],
        ["--decision="],
        33 * ["--decision=x"],
        [f"--refers-to=reply-to:{n:064x}" for n in range(33)],
        [f"--classified-by={LONG}"],
        [f"--ground={LONG}"],
        [f"--purpose={LONG}"],
        ["--purpose="],
        [f"--reference={LONG}"],
        [f"--leg={LONG}:Minsk"],
        17 * ["--leg=A:A"],
        ["--leg=A:B", "--leg=C:D"],
        ["--package=" + 65 * "x"],
        ["--purpose=a\udcffb"],
        ["--package=a\udcffb"],
        ["--leg=a\udcff:b"],
    ],
    ids=lambda extra: f"{extra[0][:20]}×{len(extra)}, {len(extra[0])} characters".encode("ascii", "replace").decode(),
)
def test_what_no_reader_would_take_is_not_sealed(extra: list[str], world: World) -> None:
    """The refusal comes with the plan already, so that no number is used up and nobody is asked in vain."""
    order = world.order(*extra)
    if any(word.startswith("--leg") for word in extra):
        order = [word for word in order if word != "--leg=Astana:Minsk"]
    for output in (["--dry-run"], ["-o", world.path("e.vlz")]):
        done = world.kz.run(*order, *output)
        assert done.code in {2, 3}, done.err
        assert done.error
    assert not world.path("e.vlz").exists()
    assert world.kz.works(*world.order("--json", "-o", world.path("good.vlz"))).facts["number"].endswith("/out/1")


@pytest.mark.parametrize(
    "extra",
    [
        [f"--term={LONG[1:]}"],
        32 * ["--caveat=x"],
        [f"--refers-to=reply-to:{n:064x}" for n in range(32)],
        ["--package=" + 64 * "x"],
        ["--purpose=e\u0301clair"],
        ["--purpose=Бірлескен жаттығу"],
        ["--due=0"],
        ["--due=3650"],
    ],
    ids=lambda extra: f"{extra[0][:20]}×{len(extra)}, {len(extra[0])} characters".encode("ascii", "replace").decode(),
)
def test_what_is_at_the_limit_is_sealed_and_opens(extra: list[str], world: World) -> None:
    assert _opened(world, world.seal(*extra))["carriers"]


@pytest.mark.parametrize("size", [0, 1, 16383, 16384, 16385, 70001])
def test_carriers_of_every_size_arrive(size: int, world: World) -> None:
    world.carrier.write_bytes(os.urandom(size))
    folder = world.open(world.seal())
    assert (folder / "map.txt").read_bytes() == world.carrier.read_bytes()


def test_key_that_is_not_the_certified_one(world: World) -> None:
    key = world.kz.home / "keys" / "aigul" / "seal.key"
    key.write_bytes((world.by.home / "keys" / "yanka" / "acknowledge.key").read_bytes())
    assert world.kz.run(*world.order("-o", world.path("e.vlz"))).code in {3, 4, 5}
    assert not world.path("e.vlz").exists()


# -- what the agreement permits --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("extra", "clause"),
    [
        (["--mark=9"], "A2"),
        (["--channel=encrypted"], "A5.4"),
        (["--mark=1", "--channel=empowered"], "A5.4"),
        (["--mark=1", "--transport=electronic"], "R13"),
        (["--mark=1", "--escort=none"], "R13"),
        (["--channel=agreed"], "A5.5"),
        (["--confirming=BY-KGB"], "R12"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_what_the_agreement_forbids_names_the_clause(extra: list[str], clause: str, world: World) -> None:
    assert clause in world.kz.fails(6, *world.order(*extra, "-o", world.path("e.vlz"))).error
    assert not world.path("e.vlz").exists()


@pytest.mark.parametrize("lacking", ["--decision", "--conclusion"])
def test_basis_is_needed(lacking: str, world: World) -> None:
    order = [word for word in world.order("--dry-run") if not str(word).startswith(lacking)]
    assert "R11" in world.kz.fails(6, *order).error


def test_channel_agreed_in_writing(world: World) -> None:
    envelope = world.seal("--channel=agreed", "--reference=protocol No. 3")
    assert _opened(world, envelope)["reference"] == "protocol No. 3"


@pytest.mark.parametrize(
    ("extra", "code"), [(["--to=BY-NONE"], 6), (["--to=KZ/KZ-MFA"], 6), (["--agreement=none"], 6), (["--as=dana"], 5), (["--as=X Y"], 2)]
)
def test_order_that_nobody_can_carry_out(extra: list[str], code: int, world: World) -> None:
    world.kz.fails(code, *world.order(*extra, "-o", world.path("e.vlz")))


def test_origin_only_seals(world: World) -> None:
    world.by.fails(5, *world.order("--to=KZ-MFA", "-o", world.path("e.vlz")))


# -- addressees ------------------------------------------------------------------------------------------------------------


def _names(facts: Any) -> set[str]:
    return {addressee["name"] for addressee in facts["addressees"]}


def test_without_choice_all_who_are_cleared(world: World) -> None:
    everyone = {"Yanka Kupava", "Maryna Bor", "Alena Kish"}
    assert _names(world.kz.works(*world.order("--dry-run", "--json")).facts) == everyone
    assert _names(world.kz.works(*world.order("--mark=2", "--dry-run", "--json")).facts) == everyone - {"Alena Kish"}


def test_addressees_by_name_subject_and_credential(world: World) -> None:
    credentials = {c["name"]: c for c in world.kz.works("credential", "list", "--json").facts["BY"] if c["purpose"] == "open"}
    chosen = ["Yanka Kupava", credentials["Maryna Bor"]["subject"], credentials["Alena Kish"]["credential"]]
    facts = world.kz.works(*world.order(*(f"--addressee={one}" for one in chosen), "--dry-run", "--json")).facts
    assert _names(facts) == set(credentials)


@pytest.mark.parametrize("wanted", ["Nobody", "", "yanka"])
def test_addressee_who_is_not_known(wanted: str, world: World) -> None:
    done = world.kz.fails(2, *world.order(f"--addressee={wanted}", "--dry-run"))
    assert "Yanka Kupava" in done.hint


def test_addressee_who_is_not_cleared(world: World) -> None:
    done = world.kz.fails(6, *world.order("--mark=1", "--addressee=Alena Kish", "--addressee=Yanka Kupava", "--dry-run"))
    assert "Alena Kish" in done.error


@pytest.mark.parametrize("chosen", [["Yanka Kupava"], ["Yanka Kupava", "Yanka Kupava"]])
def test_one_addressee_is_too_few_unless_said(chosen: list[str], world: World) -> None:
    order = world.order(*(f"--addressee={name}" for name in chosen), "--dry-run", "--json")
    assert "--single" in world.kz.fails(6, *order).hint
    assert _names(world.kz.works(*order, "--single").facts) == {"Yanka Kupava"}


# -- numbers ---------------------------------------------------------------------------------------------------------------


def test_numbers_count_up_and_each_is_given_once(world: World) -> None:
    numbers = [world.kz.works(*world.order("-o", world.path(f"{n}.vlz"), "--json")).facts["number"] for n in range(3)]
    assert numbers == [f"KZ-MFA/{YEAR}/out/{n}" for n in (1, 2, 3)]


def test_own_package_number_stands_outside(world: World) -> None:
    facts = world.kz.works(*world.order("--package=bag 7", "-o", world.path("e.vlz"), "--json")).facts
    assert (facts["package"], facts["number"]) == ("bag 7", f"KZ-MFA/{YEAR}/out/1")
    assert works("inspect", world.path("e.vlz"), "--json").facts["read"]["stamp"]["package"] == "bag 7"


def test_two_officers_seal_at_once(world: World) -> None:
    def seal(n: int) -> str:
        done = program(*world.order("-o", world.path(f"{n}.vlz"), "--json", "--home", world.kz.home))
        assert done.code == 0, done.err
        return str(done.facts["number"])

    with ThreadPoolExecutor(4) as pool:
        numbers = list(pool.map(seal, range(4)))
    assert sorted(numbers) == [f"KZ-MFA/{YEAR}/out/{n}" for n in (1, 2, 3, 4)]


# -- output ----------------------------------------------------------------------------------------------------------------


def test_existing_output_is_not_touched(world: World) -> None:
    world.path("e.vlz").write_bytes(b"mine")
    world.kz.fails(6, *world.order("-o", world.path("e.vlz")))
    assert world.path("e.vlz").read_bytes() == b"mine"


def test_output_is_never_the_input(world: World) -> None:
    before = world.carrier.read_bytes()
    world.kz.fails(6, *world.order("-o", world.carrier))
    assert world.carrier.read_bytes() == before


def test_output_is_no_terminal(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """An envelope gets its name when it is whole and registered; nothing of it goes to standard output."""
    monkeypatch.chdir(world.folder)
    world.kz.fails(2, *world.order("-o", "-"))
    assert not world.path("-").exists()


def test_carrier_that_is_no_regular_file(world: World) -> None:
    link = world.path("link.txt")
    link.symlink_to(world.carrier)
    os.mkfifo(world.path("pipe.txt"))
    for path in (link, world.path("pipe.txt"), world.kz.home):
        assert world.kz.run(*world.order("-o", world.path("e.vlz"), files=[path])).code in {2, 6}
    assert not world.path("e.vlz").exists()
    assert world.kz.works("register", "list", "--json").facts["envelopes"] == []


# -- the office's copy -----------------------------------------------------------------------------------------------------


def test_copy_of_the_manifest_is_kept_for_the_sealer(world: World) -> None:
    envelope = world.seal("--term=until 2030", "--caveat=no copies")
    shown = world.kz.works("register", "show", envelope, "--manifest", "--json").facts["manifest"]
    assert (shown["purpose"], shown["term"], shown["caveats"]) == ("joint exercise", "until 2030", ["no copies"])
    assert shown["carriers"] == [
        {**carrier, "marks": {key: carrier["marks"][key] for key in ("origin", "destination")}} for carrier in _opened(world, envelope)["carriers"]
    ]


def _second_reader(world: World) -> None:
    world.kz.works("credential", "issue", "erlan:open:1:Erlan", "--unprotected")
    world.kz.works("roster", "publish", "-o", world.path("KZ-2.vls"))


def test_copy_for_those_who_were_named(world: World) -> None:
    _second_reader(world)
    envelope = world.seal("--keep-for=erlan")
    world.kz.works("register", "show", envelope, "--manifest", "--as=erlan")
    world.kz.fails(5, "register", "show", envelope, "--manifest", "--as=aigul")
    world.kz.fails(2, "register", "show", envelope, "--manifest")  # either could be meant


def test_copy_for_one_who_cannot_open(world: World) -> None:
    world.kz.fails(5, *world.order("--keep-for=dana", "-o", world.path("e.vlz")))
    assert not world.path("e.vlz").exists()


def test_no_copy_when_the_sealer_cannot_open(world: World) -> None:
    world.kz.works("credential", "issue", "nurlan:seal:1", "--unprotected")
    world.kz.works("roster", "publish", "-o", world.path("KZ-2.vls"))
    facts = world.kz.works(*world.order("--as=nurlan", "-o", world.path("e.vlz"), "--json")).facts
    assert facts["manifest_kept"] is False
    assert "--keep-for" in world.kz.fails(6, "register", "show", world.path("e.vlz"), "--manifest").hint


def test_register_shows_no_manifest_unasked(world: World) -> None:
    assert "manifest" not in world.kz.works("register", "show", world.seal(), "--json").facts


# -- withdraw --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["file", "id"])
def test_withdrawn_by_file_or_id(by: str, world: World) -> None:
    envelope = world.seal()
    name = envelope if by == "file" else works("inspect", envelope, "--json").facts["read"]["envelope_id"]
    facts = world.kz.works("withdraw", name, "--reason=wrong annex", "--json").facts
    assert (facts["verdict"], facts["reason"]) == ("withdrawn", "wrong annex")
    (row,) = world.kz.works("register", "list", "--json").facts["envelopes"]
    assert row["verdict"] == "withdrawn"


def test_withdrawn_once(world: World) -> None:
    envelope = world.seal()
    world.kz.works("withdraw", envelope, "--reason=wrong annex")
    assert "already" in world.kz.fails(6, "withdraw", envelope, "--reason=again").error


def test_what_has_a_receipt_was_sent(world: World) -> None:
    envelope, _, receipt = world.exchange()
    world.kz.works("receipt", "verify", receipt)
    world.kz.fails(6, "withdraw", envelope, "--reason=x")


def test_withdrawn_only_where_it_was_sealed(world: World) -> None:
    world.by.fails(6, "withdraw", world.seal(), "--reason=x")


@pytest.mark.parametrize("reason", ["", "a\udcffb", 1001 * "x"])
def test_reason_that_cannot_be_written_down(reason: str, world: World) -> None:
    envelope = world.seal()
    assert world.kz.run("withdraw", envelope, f"--reason={reason}").code in {2, 3}
    (row,) = world.kz.works("register", "list", "--json").facts["envelopes"]
    assert row["verdict"] == "outstanding"


def test_withdraw_of_what_is_not_known(world: World) -> None:
    fails(2, "withdraw", 64 * "0", "--reason=x", "--home", world.kz.home)
