"""Making an office, certifying officers, publishing and importing rosters."""

from __future__ import annotations

import re
import stat
from typing import TYPE_CHECKING, Final

import pexpect
import pytest
from tests.support.cli import VALIZA, World, fails, listing, run, works

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

YEAR: Final = 365 * 86400
NEW: Final = ("--party=KZ", "--body=KZ-MFA", "--degrees=1,2,3", "--unprotected")


# -- office ----------------------------------------------------------------------------------------------------------------


def test_init_makes_a_folder_that_only_its_owner_reads(tmp_path: Path) -> None:
    home = tmp_path / "kz"
    works("office", "init", home, *NEW, "--officer=aigul:seal,open:1")
    made = {str(path.relative_to(home)): stat.S_IMODE(path.stat().st_mode) for path in home.rglob("*")}
    folders = {name for name in made if (home / name).is_dir()}
    assert {name for name in folders if "/" not in name} == {"agreements", "credentials", "keys", "roots", "rosters"}
    assert {made[name] for name in folders} == {0o700}
    keys = {f"keys/{key}.key" for key in ("aigul/seal", "aigul/open", "office/root", "office/roster", "office/certify")}
    assert {name for name in made if name.endswith(".key")} == keys
    assert {made[name] for name in keys} == {0o600}
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


def test_init_tells_what_it_made(tmp_path: Path) -> None:
    facts = works("office", "init", tmp_path / "kz", *NEW, "--name=en=Ministry", "--name=kk=Министрлік", "--officer=aigul:seal:1", "--json").facts
    assert facts["body"] == "KZ/KZ-MFA"
    assert facts["names"] == {"en": "Ministry", "kk": "Министрлік"}
    assert re.fullmatch("[0-9a-f]{64}", facts["root"])
    assert facts["roots"] == {"KZ": facts["root"]}
    assert facts["roster"]["version"] == 1
    assert facts["officers"] == {"aigul": ["seal"]}
    assert facts["agreements"] == []
    assert works("office", "show", "--home", tmp_path / "kz", "--json").facts == facts


def test_init_warns_of_keys_without_passphrase(tmp_path: Path) -> None:
    assert "without a passphrase" in works("office", "init", tmp_path / "kz", *NEW).err


def test_text_and_json_say_the_same(world: World) -> None:
    text = world.kz.works("office", "show").out
    assert text.startswith("office of KZ/KZ-MFA\n")
    for value in (world.kz.root, "kz-by version 1"):
        assert value in text


@pytest.mark.parametrize(
    ("officer", "name", "purposes", "clearance"),
    [
        ("a:seal:1:Aigul Serik", "Aigul Serik", ["seal"], "1"),
        ("a:seal::Aigul Serik", "Aigul Serik", ["seal"], None),
        ("a:seal,act:3", "a", ["seal", "act"], "3"),
        ("a:seal", "a", ["seal"], None),
        ("a:seal:1:Dr. Serik: legal", "Dr. Serik: legal", ["seal"], "1"),
        ("a:seal:1:Айгүл", "Айгүл", ["seal"], "1"),
    ],
)
def test_officer_as_written(officer: str, name: str, purposes: list[str], clearance: str | None, tmp_path: Path) -> None:
    works("office", "init", tmp_path / "kz", *NEW, f"--officer={officer}")
    credentials = works("credential", "list", "--home", tmp_path / "kz", "--json").facts["KZ"]
    mine = [c for c in credentials if c["purpose"] not in {"certify", "roster"}]
    assert {(c["name"], c["clearance"]) for c in mine} == {(name, clearance)}
    assert {c["purpose"] for c in mine} == set(purposes)
    assert len({c["subject"] for c in mine}) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        ["--officer="],
        ["--officer=Aigul:seal"],
        ["--officer=a b:seal"],
        ["--officer=../a:seal"],
        ["--officer=office:seal"],
        ["--officer=a:bogus"],
        ["--officer=a:certify"],
        ["--officer=a:roster"],
        ["--officer=a:seal,seal"],
        ["--officer=a:seal", "--officer=a:open"],
        ["--officer=a:seal:x y"],
        ["--officer=a:seal:1:" + 1001 * "x"],
        ["--party=kz"],
        ["--party="],
        ["--body=kz-mfa"],
        ["--body=KZ/MFA"],
        ["--degrees="],
        ["--degrees=1,1"],
        ["--degrees=1,,2"],
        ["--degrees=a b"],
        ["--degrees=" + ",".join(map(str, range(17)))],
        ["--name=Ministry"],
        ["--name=en="],
        ["--name=english=Ministry"],
        ["--name=en=a\udcffb"],
        ["--validity=0"],
        ["--validity=3651"],
        ["--validity=soon"],
        ["--roster-validity=0"],
        ["--roster-validity=401"],
        ["--passphrase-fd=-1"],
    ],
    ids=lambda wrong: " ".join(wrong)[:40].encode("ascii", "backslashreplace").decode(),
)
def test_init_with_what_cannot_be_leaves_nothing(wrong: list[str], tmp_path: Path) -> None:
    done = run("office", "init", tmp_path / "kz", *NEW, *wrong)
    assert done.code in {2, 3}, done.err
    assert done.error
    assert listing(tmp_path) == []


def test_clearance_that_is_no_degree_is_refused(tmp_path: Path) -> None:
    done = run("office", "init", tmp_path / "kz", *NEW, "--officer=a:seal:9")
    assert done.code in {2, 6}
    assert "'9'" in done.error
    assert listing(tmp_path) == []


@pytest.mark.parametrize("name", ["en=a\x7fb", "en=a\x1bb", 'en="quoted" \\ back', "en=a\tb", "en=é", "en=日本"])
def test_any_name_of_a_body_is_kept_or_refused_whole(name: str, tmp_path: Path) -> None:
    done = run("office", "init", tmp_path / "kz", *NEW, f"--name={name}", "--json")
    if done.code == 0:
        assert works("office", "show", "--home", tmp_path / "kz", "--json").facts["names"] == {"en": name.removeprefix("en=")}
    else:
        assert done.code in {2, 3}
        assert listing(tmp_path) == []


@pytest.mark.parametrize("kind", ["office", "folder", "file"])
def test_init_overwrites_nothing(kind: str, world: World, tmp_path: Path) -> None:
    there = world.kz.home if kind == "office" else tmp_path / "there"
    if kind == "folder":
        there.mkdir()
    elif kind == "file":
        there.write_bytes(b"mine")
    before = listing(tmp_path)
    assert "exists already" in fails_init(6, there)
    assert listing(tmp_path) == before


def fails_init(code: int, home: Path, *extra: str | Path) -> str:
    done = run("office", "init", home, *NEW, *extra)
    assert done.code == code, done.err
    return done.error


def test_init_in_a_missing_folder(tmp_path: Path) -> None:
    fails_init(7, tmp_path / "missing" / "kz")
    assert listing(tmp_path) == []


def test_init_asks_nobody_without_terminal(tmp_path: Path) -> None:
    done = fails(2, "office", "init", tmp_path / "kz", *NEW[:-1])
    assert "--passphrase-fd" in done.hint
    assert listing(tmp_path) == []


def test_second_body_of_a_party(world: World) -> None:
    archive = world.path("archive")
    facts = works(
        "office", "init", archive, "--party=KZ", "--body=KZ-ARCHIVE", "--degrees=1,2,3", "--officer=a:seal:2", "--unprotected",
        "--root-office", world.kz.home, "--json",
    ).facts  # fmt: skip
    assert (facts["root"], facts["roster"]["version"]) == (world.kz.root, 2)
    assert world.kz.works("office", "show", "--json").facts["roster"]["version"] == 2
    bodies = {c["body"] for c in world.kz.works("credential", "list", "--json").facts["KZ"]}
    assert bodies == {"KZ/KZ-MFA", "KZ/KZ-ARCHIVE"}
    assert not (archive / "keys" / "office" / "root.key").exists()


def test_second_body_seals_under_the_partys_agreement(world: World) -> None:
    archive = world.path("archive")
    works(
        "office", "init", archive, "--party=KZ", "--body=KZ-ARCHIVE", "--degrees=1,2,3", "--officer=a:seal:2", "--unprotected",
        "--root-office", world.kz.home,
    )  # fmt: skip
    works("roster", "export", "-o", world.path("KZ-2.vls"), "--home", archive)
    world.by.works("roster", "import", world.path("KZ-2.vls"))
    works("roster", "import", world.by.roster, "--root", world.by.root, "--home", archive)
    works("agreement", "adopt", world.agreement, "--home", archive)
    works(*world.order("-o", world.path("e.vlz")), "--home", archive)
    assert world.by.works("verify", world.path("e.vlz"), "--json").facts["verified"]["origin"] == "KZ/KZ-ARCHIVE"


def test_second_body_needs_an_office_of_its_own_party(world: World) -> None:
    before = listing(world.folder)
    assert "another party" in fails_init(6, world.path("archive"), "--body=KZ-ARCHIVE", "--root-office", world.by.home)
    assert "no office" in fails_init(2, world.path("archive"), "--body=KZ-ARCHIVE", "--root-office", world.path("missing"))
    assert listing(world.folder) == before


# -- credentials -----------------------------------------------------------------------------------------------------------


def test_new_officer_counts_once_published_and_imported(world: World) -> None:
    issued = world.kz.works("credential", "issue", "nurlan:seal:2:Nurlan", "--unprotected", "--json").facts["issued"]
    assert [(c["name"], c["purpose"], c["clearance"]) for c in issued] == [("Nurlan", "seal", "2")]
    early = world.kz.fails(6, *world.order("--as=nurlan", "-o", world.path("early.vlz")))
    assert "roster publish" in early.hint
    published = world.kz.works("roster", "publish", "-o", world.path("KZ-2.vls"), "--json").facts
    assert published["version"] == 2
    envelope = world.seal("--as=nurlan")
    assert "latest roster" in world.by.fails(4, "verify", envelope).hint
    assert world.by.works("roster", "import", world.path("KZ-2.vls"), "--json").facts["imported"] is True
    assert world.by.works("verify", envelope, "--json").facts["verified"]["sealer"]["name"] == "Nurlan"


def test_second_purpose_is_for_the_same_person(world: World) -> None:
    before = {c["subject"] for c in world.kz.works("credential", "list", "--json").facts["KZ"] if c["name"] == "Aigul Serik"}
    issued = world.kz.works("credential", "issue", "aigul:acknowledge:1:Aigul Serik", "--unprotected", "--json").facts["issued"]
    assert {c["subject"] for c in issued} == before


@pytest.mark.parametrize(("officer", "code"), [("aigul:seal:1", 6), ("aigul:bogus", 2), ("office:seal", 2), ("x:seal:9", 6), ("", 2)])
def test_credential_that_is_not_issued(officer: str, code: int, world: World) -> None:
    before = listing(world.kz.home)
    assert world.kz.run("credential", "issue", officer, "--unprotected").code == code
    assert listing(world.kz.home) == before


def test_credential_is_issued_by_a_body_only(world: World) -> None:
    (world.kz.home / "keys" / "office" / "certify.key").unlink()
    assert world.kz.run("credential", "issue", "nurlan:seal", "--unprotected").code == 5
    assert not (world.kz.home / "credentials" / "nurlan").exists()


def test_credential_verified_by_office_and_stranger(world: World) -> None:
    path = world.kz.home / "credentials" / "aigul" / "seal.vls"
    for done in (world.by.works("credential", "verify", path, "--json"), works("credential", "verify", path, *world.strangers_trust, "--json")):
        assert done.facts["verified"]["name"] == "Aigul Serik"
        assert (done.facts["in_roster"], done.facts["valid_now"]) == (True, True)


def test_credential_of_nobody_known(world: World, tmp_path: Path) -> None:
    works("office", "init", tmp_path / "other", *NEW, "--officer=a:seal")
    assert world.by.run("credential", "verify", tmp_path / "other" / "credentials" / "a" / "seal.vls").code == 4


def test_expired_credential_says_so(world: World, travel: Callable[[int], None]) -> None:
    travel(6 * YEAR)
    path = world.kz.home / "credentials" / "aigul" / "seal.vls"
    done = world.by.run("credential", "verify", path, "--json")
    assert (done.code, done.facts["valid_now"], done.facts["in_force_now"]) == (6, False, False)
    assert "is expired at the time of use" in done.error


def test_credential_that_no_roster_has_does_not_count_yet(world: World) -> None:
    world.kz.works("credential", "issue", "dana:seal:1", "--unprotected")
    path = world.kz.home / "credentials" / "dana" / "seal.vls"
    for office in (world.kz, world.by):
        done = office.run("credential", "verify", path, "--json")
        assert (done.code, done.facts["in_roster"], done.facts["in_force_now"]) == (6, False, True)
        assert "is in no roster known here" in done.error
        assert "import the latest roster" in done.hint
    roster = world.path("KZ-2.vls")
    world.kz.works("roster", "publish", "-o", roster)
    assert world.kz.works("credential", "verify", path, "--json").facts["in_roster"]
    assert world.by.run("credential", "verify", path).code == 6
    world.by.works("roster", "import", roster)
    world.by.works("credential", "verify", path)


# -- rosters ---------------------------------------------------------------------------------------------------------------


def test_export_is_what_was_signed(world: World) -> None:
    world.by.works("roster", "export", "--party=KZ", "-o", world.path("again.vls"))
    assert world.path("again.vls").read_bytes() == world.kz.roster.read_bytes()


def test_statement_is_not_written_to_a_terminal(world: World) -> None:
    terminal = pexpect.spawn(str(VALIZA), ["roster", "export", "-o", "-", "--home", str(world.kz.home)], timeout=60)
    terminal.expect(pexpect.EOF)
    shown = terminal.before or b""
    terminal.close()
    assert terminal.exitstatus == 2
    assert b"valiza: error: " in shown
    assert world.kz.works("roster", "export", "-o", "-").raw == world.kz.roster.read_bytes()


def test_export_of_a_party_that_is_not_known(world: World) -> None:
    assert "KZ" in world.by.fails(2, "roster", "export", "--party=XX", "-o", world.path("x.vls")).hint
    assert not world.path("x.vls").exists()


def test_first_import_asks_for_the_fingerprint_and_does_not_prompt_it(world: World, tmp_path: Path) -> None:
    """What the roster itself claims must not be at hand to be pasted: it has to come from the other side."""
    works("office", "init", tmp_path / "third", "--party=XX", "--body=XX-MFA", "--degrees=1", "--unprotected")
    done = fails(2, "roster", "import", world.kz.roster, "--home", tmp_path / "third")
    assert "--root" in done.hint
    assert world.kz.root not in done.err
    assert not (tmp_path / "third" / "roots" / "KZ").exists()


@pytest.mark.parametrize("how", ["plain", "upper", "spaces", "colons"])
def test_fingerprint_as_people_write_it(how: str, world: World, tmp_path: Path) -> None:
    works("office", "init", tmp_path / "third", "--party=XX", "--body=XX-MFA", "--degrees=1", "--unprotected")
    groups = re.findall("....", world.kz.root)
    written = {"plain": world.kz.root, "upper": world.kz.root.upper(), "spaces": " ".join(groups), "colons": ":".join(groups)}[how]
    works("roster", "import", world.kz.roster, "--root", written, "--home", tmp_path / "third")
    assert (tmp_path / "third" / "roots" / "KZ").read_text(encoding="ascii").strip() == world.kz.root


@pytest.mark.parametrize("part", [0, 1, 8, 63])
def test_part_of_a_fingerprint_is_never_enough(part: int, world: World) -> None:
    assert world.kz.run("roster", "import", world.by.roster, "--root", world.by.root[:part]).code in {2, 3}


def test_import_with_another_root(world: World, tmp_path: Path) -> None:
    works("office", "init", tmp_path / "third", "--party=XX", "--body=XX-MFA", "--degrees=1", "--unprotected")
    before = listing(tmp_path / "third")
    fails(4, "roster", "import", world.kz.roster, "--root", world.by.root, "--home", tmp_path / "third")
    assert listing(tmp_path / "third") == before
    assert "another root" in world.kz.fails(6, "roster", "import", world.by.roster, "--root", world.kz.root).error


def test_another_root_of_a_known_party_is_not_believed(world: World, tmp_path: Path) -> None:
    works("office", "init", tmp_path / "false", "--party=BY", "--body=BY-MFA", "--degrees=1,2,3", "--unprotected")
    works("roster", "export", "-o", tmp_path / "false.vls", "--home", tmp_path / "false")
    assert world.by.root in world.kz.fails(4, "roster", "import", tmp_path / "false.vls").error


def test_import_again_changes_nothing(world: World) -> None:
    before = listing(world.kz.home)
    assert world.kz.works("roster", "import", world.by.roster, "--json").facts["imported"] is False
    assert listing(world.kz.home) == before


def test_roster_never_goes_back(world: World) -> None:
    world.by.works("roster", "publish", "-o", world.path("BY-2.vls"))
    world.kz.works("roster", "import", world.path("BY-2.vls"))
    assert "version 2" in world.kz.fails(6, "roster", "import", world.by.roster).error
    assert world.kz.works("roster", "show", "--json").facts["BY"]["version"] == 2


def test_two_rosters_of_one_version(world: World, tmp_path: Path) -> None:
    other = world.copy(tmp_path / "other")
    world.by.works("roster", "publish", "-o", world.path("BY-2.vls"))
    other.by.works("roster", "publish", "-o", other.path("BY-2.vls"))
    world.kz.works("roster", "import", world.path("BY-2.vls"))
    world.kz.fails(6, "roster", "import", other.path("BY-2.vls"))


def test_roster_goes_past_what_a_thief_published(world: World, tmp_path: Path) -> None:
    thief = world.copy(tmp_path / "thief")
    stolen, right = world.path("BY-1001.vls"), world.path("BY-1002.vls")
    assert thief.by.works("roster", "publish", "--version=1001", "-o", stolen, "--json").facts["version"] == 1001
    world.kz.works("roster", "import", stolen)
    assert "more than 1000" in world.by.fails(6, "roster", "publish", "--version=1002", "-o", right).error
    world.by.works("roster", "publish", "--version=1000", "-o", world.path("BY-1000.vls"))
    world.by.works("roster", "publish", "--version=1002", "-o", right)
    world.kz.works("roster", "import", right)
    assert world.kz.works("roster", "show", "--json").facts["BY"]["version"] == 1002


def test_roster_from_the_future(world: World, travel: Callable[[int], None]) -> None:
    travel(3 * 86400)
    world.by.works("roster", "publish", "-o", world.path("BY-2.vls"))
    travel(0)
    assert "future" in world.kz.fails(6, "roster", "import", world.path("BY-2.vls")).error


def test_publish_needs_the_roster_key(world: World) -> None:
    (world.by.home / "keys" / "office" / "roster.key").unlink()
    world.by.fails(5, "roster", "publish", "-o", world.path("BY-2.vls"))
    assert not world.path("BY-2.vls").exists()


def test_publish_leaves_out_nobody(world: World) -> None:
    """A credential that does not fit the roster stops the publishing, whatever is wrong with it."""
    world.kz.works("credential", "issue", "nurlan:seal", "--unprotected")
    path = world.kz.home / "credentials" / "nurlan" / "seal.vls"
    raw = path.read_bytes()
    issuer = raw.rindex(b"issuer") + 8  # after the role and its length: the digest of the issuer's credential
    path.write_bytes(raw[:issuer] + bytes([raw[issuer] ^ 1]) + raw[issuer + 1 :])
    done = world.kz.fails(4, "roster", "publish", "-o", world.path("KZ-2.vls"))
    assert "nurlan" in done.error
    assert world.kz.works("roster", "show", "--json").facts["KZ"]["version"] == 1


def test_expired_roster_stops_sealing_and_countersigning_and_nothing_else(world: World, travel: Callable[[int], None]) -> None:
    envelope = world.seal()
    travel(YEAR + 60)
    assert "expired" in world.kz.fails(6, *world.order("-o", world.path("late.vlz"))).error
    assert world.by.works("verify", envelope, "--json").facts["roster_as_of"]["KZ"]["expired"] is True
    world.open(envelope)
    answer = world.acknowledge(envelope)
    assert "expired" in world.by.fails(6, "countersign", answer, "--envelope", envelope, "-o", world.path("r.vls"), "--as=maryna").error
    for office in (world.kz, world.by):
        office.works("roster", "publish", "-o", world.path(f"{office.body}-2.vls"))
    for office, other in ((world.kz, world.by), (world.by, world.kz)):
        office.works("roster", "import", world.path(f"{other.body}-2.vls"))
    world.countersign(answer, envelope)
