"""Agreements: shown, checked, signed by both, adopted, replaced, ended."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from importlib import resources
from typing import TYPE_CHECKING, Final

import pytest
from tests.support.cli import World, fails, found_world, listing, works

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DAY: Final = 86400
TRANSIT: Final = 90 * DAY  # of kz-by


def _draft() -> str:
    return (resources.files("valiza.envelope") / "agreements" / "kz-by.toml").read_text(encoding="utf-8")


def _written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def _utc(at: float) -> str:
    return datetime.fromtimestamp(int(at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _signed(world: World, draft: str | Path, name: str) -> Path:
    """A draft with both signatures."""
    world.kz.works("agreement", "sign", draft, "-o", world.path(f"{name}.half.vls"))
    world.by.works("agreement", "sign", world.path(f"{name}.half.vls"), "-o", world.path(f"{name}.vls"))
    return world.path(f"{name}.vls")


# -- list, show, check -----------------------------------------------------------------------------------------------------


def test_list_needs_no_office() -> None:
    assert works("agreement", "list", "--json").facts == {"adopted": [], "drafts": ["kz-by"]}


def test_list_shows_what_is_adopted(world: World) -> None:
    (adopted,) = world.kz.works("agreement", "list", "--json").facts["adopted"]
    assert (adopted["id"], adopted["version"], adopted["terminated_at"]) == ("kz-by", 1, None)
    assert adopted["digest"] == works("agreement", "show", "kz-by", "--json").facts["digest"]


@pytest.mark.parametrize(("source", "signatures"), [("kz-by", 0), ("agreement.half.vls", 1), ("agreement.vls", 2)])
def test_show_says_the_same_of_draft_half_and_whole(source: str, signatures: int, world: World) -> None:
    facts = works("agreement", "show", source if signatures == 0 else world.path(source), "--json").facts
    draft = works("agreement", "show", "kz-by", "--json").facts
    assert facts == draft | {"signatures": signatures}
    assert facts["signatures_checked"] is False
    assert facts["parties"]["KZ"]["marks"]["3"]["text"] == "Құпия"


def test_show_for_people_has_every_mark_and_term() -> None:
    text = works("agreement", "show", "kz-by").out
    for value in ("Аса маңызды", "Особой важности", "KZ:3 → BY:3", "third parties"):
        assert value in text


def test_check_of_the_draft_that_comes_with_us() -> None:
    facts = works("agreement", "check", "kz-by", "--json").facts
    assert (facts["well_formed"], facts["id"], facts["version"]) == (True, "kz-by", 1)


@pytest.mark.parametrize(
    ("lacking", "clause"),
    [
        ("change_of_marks", "R4(2)"),
        ("marking", "R4(3)"),
        ("copying", "R4(5)"),
        ("protection", "R4(6)"),
        ("third_parties", "R4(7)"),
        ("disputes", "R4(8)"),
        ("measures", "R14"),
    ],
)
def test_check_names_the_clause_that_is_lacking(lacking: str, clause: str, tmp_path: Path) -> None:
    text = re.sub(rf"\[terms\.{lacking}\]\n(.*?\n)(?=\n# |\[|\Z)", "", _draft(), flags=re.DOTALL)
    done = fails(6, "agreement", "check", _written(tmp_path / "draft.toml", text))
    assert clause in done.error
    assert "R10" in done.hint


def test_check_names_all_that_is_lacking_at_once(tmp_path: Path) -> None:
    error = fails(6, "agreement", "check", _written(tmp_path / "draft.toml", 'id = "empty"\n')).error
    assert [n for n in range(1, 9) if f"R4({n})" not in error] == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("needs_reference = true", "need_reference = true"),
        ("skew = 300", "skew = -1"),
        ("skew = 300", "skew = 300.5"),
        ("version = 1", "version = 0"),
        ("version = 1", 'version = "1"'),
        ("version = 1", "version = " + 5000 * "1"),
        ("version = 1", "version = " + 5000 * "[" + 5000 * "]"),
        ('id = "kz-by"', 'id = "KZ BY"'),
        ('id = "kz-by"', 'id = "kz-by"\nnovelty = 1'),
        ("2026-01-01T00:00:00Z", '"tomorrow"'),
        ('stamp = "open"', 'stamp = "half"'),
        ('padding = "none"', "padding = { multiple = 1 }"),
        ("suites = [1]", "suites = [1, 2]"),
        ('from = "BY"\ncode = "1"\nto = "1"', 'from = "BY"\ncode = "1"\nto = "3"'),
        ('from = "BY"\ncode = "1"\nto = "1"', 'from = "BY"\ncode = "2"\nto = "1"'),
        ('from = "BY"\ncode = "1"\nto = "1"', 'from = "XX"\ncode = "1"\nto = "1"'),
        ('text = "Құпия"', "text = 5"),
    ],
    ids=lambda text: text[:30].replace("\n", " "),
)
def test_check_of_a_malformed_draft(old: str, new: str, tmp_path: Path) -> None:
    assert old in _draft()
    fails(3, "agreement", "check", _written(tmp_path / "draft.toml", _draft().replace(old, new, 1)))


@pytest.mark.parametrize("source", ["no-such-draft", "missing.toml"])
def test_source_that_is_not_there(source: str) -> None:
    fails(7, "agreement", "show", source)


def test_file_named_like_a_draft_is_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    _written(tmp_path / "kz-by", _draft().replace("version = 1\n", "version = 2\n").replace('id = "kz-by"', f'id = "kz-by"\nprevious = "{64 * "0"}"'))
    assert works("agreement", "show", "kz-by", "--json").facts["version"] == 2


# -- sign ------------------------------------------------------------------------------------------------------------------


def test_signing_says_whether_it_is_complete(world: World) -> None:
    half, whole = world.path("h.vls"), world.path("w.vls")
    assert world.by.works("agreement", "sign", "kz-by", "-o", half, "--json").facts["complete"] is False
    facts = world.kz.works("agreement", "sign", half, "-o", whole, "--json").facts
    assert (facts["complete"], facts["agreement"]) == (True, str(whole))


@pytest.mark.parametrize(("party", "source"), [("KZ", "agreement.half.vls"), ("KZ", "agreement.vls"), ("BY", "agreement.vls")])
def test_nobody_signs_twice(party: str, source: str, world: World) -> None:
    office = {"KZ": world.kz, "BY": world.by}[party]
    assert "already" in office.fails(6, "agreement", "sign", world.path(source), "-o", world.path("again.vls")).error
    assert not world.path("again.vls").exists()


def test_half_that_was_altered_is_not_signed(world: World) -> None:
    """Else this party's root would sign what a courier wrote."""
    half = world.path("agreement.half.vls")
    raw = half.read_bytes()
    text = "Құпия".encode()
    for at in (raw.index(text) + len(text) - 1, len(raw) - 100, len(raw) - 1):
        half.write_bytes(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :])
        world.by.fails(4, "agreement", "sign", half, "-o", world.path("out.vls"))
    assert not world.path("out.vls").exists()


def test_half_of_a_stranger_is_not_signed(world: World, tmp_path: Path) -> None:
    other = found_world(tmp_path / "other")
    assert world.by.run("agreement", "sign", other.path("agreement.half.vls"), "-o", world.path("out.vls")).code in {4, 6}
    assert not world.path("out.vls").exists()


def test_signing_needs_the_root_key(world: World) -> None:
    (world.kz.home / "keys" / "office" / "root.key").unlink()
    world.kz.fails(5, "agreement", "sign", "kz-by", "-o", world.path("h.vls"))


def test_signing_with_a_key_that_is_not_the_roots(world: World) -> None:
    keys = world.kz.home / "keys" / "office"
    (keys / "root.key").write_bytes((keys / "certify.key").read_bytes())
    assert world.kz.run("agreement", "sign", "kz-by", "-o", world.path("h.vls")).code in {3, 4, 5}
    assert not world.path("h.vls").exists()


def test_third_party_signs_nothing_of_others(world: World, tmp_path: Path) -> None:
    works("office", "init", tmp_path / "third", "--party=XX", "--body=XX-MFA", "--degrees=1", "--unprotected")
    fails(6, "agreement", "sign", "kz-by", "-o", world.path("h.vls"), "--home", tmp_path / "third")


def test_degrees_in_another_order_are_not_signed(world: World, tmp_path: Path) -> None:
    works("office", "init", tmp_path / "kz", "--party=KZ", "--body=KZ-MFA", "--degrees=3,2,1", "--unprotected")
    assert "orders" in fails(6, "agreement", "sign", "kz-by", "-o", world.path("h.vls"), "--home", tmp_path / "kz").error


def test_signing_overwrites_nothing(world: World) -> None:
    world.kz.fails(6, "agreement", "sign", "kz-by", "-o", world.agreement)


# -- adopt -----------------------------------------------------------------------------------------------------------------


def test_adopting_again_changes_nothing(world: World) -> None:
    before = listing(world.kz.home)
    world.kz.works("agreement", "adopt", world.agreement)
    assert listing(world.kz.home) == before


def test_half_is_not_adopted(world: World) -> None:
    world.kz.fails(4, "agreement", "adopt", world.path("agreement.half.vls"))


def test_draft_is_not_adopted(world: World) -> None:
    world.kz.fails(3, "agreement", "adopt", _written(world.path("draft.toml"), _draft()))


def test_agreement_under_other_roots_is_not_adopted(world: World, tmp_path: Path) -> None:
    before = listing(world.kz.home)
    done = world.kz.fails(4, "agreement", "adopt", found_world(tmp_path / "other").agreement)
    assert done.hint
    assert listing(world.kz.home) == before


def test_another_text_needs_another_version(world: World) -> None:
    draft = _written(world.path("draft.toml"), _draft().replace("skew = 300 ", "skew = 301 "))
    assert "version" in world.kz.fails(6, "agreement", "adopt", _signed(world, draft, "second")).hint


# -- versions and the end --------------------------------------------------------------------------------------------------


def _second_version(world: World, *, valid_from: float) -> Path:
    first = works("agreement", "show", "kz-by", "--json").facts["digest"]
    text = _draft().replace("version = 1\n", f'version = 2\nprevious = "{first}"\n').replace("2026-01-01T00:00:00Z", _utc(valid_from))
    return _signed(world, _written(world.path("v2.toml"), text), "v2")


def test_new_version_takes_over_and_old_envelopes_arrive(world: World, travel: Callable[[int], None]) -> None:
    old = world.seal()
    second = _second_version(world, valid_from=time.time() + DAY)
    for office in (world.kz, world.by):
        office.works("agreement", "adopt", second)
    assert world.kz.works(*world.order("--dry-run", "--json")).facts["agreement_version"] == 1
    travel(2 * DAY)
    new = world.seal(name="new.vlz")
    assert world.by.works("verify", new, "--json").facts["verified"]["agreement_version"] == 2
    assert world.by.works("verify", old, "--json").facts["verified"]["agreement_version"] == 1


def test_old_envelope_after_the_longest_transit(world: World, travel: Callable[[int], None]) -> None:
    old = world.seal()
    opened = world.seal(name="opened.vlz")
    world.open(opened)
    world.by.works("agreement", "adopt", _second_version(world, valid_from=time.time() + DAY))
    travel(2 * DAY + TRANSIT)
    assert "A12" in world.by.fails(6, "open", old, "-o", world.path("late"), "--as=yanka").error
    assert world.by.works("verify", opened, "--json").facts["verdict"] == "verified"


def test_end_of_an_agreement(world: World, travel: Callable[[int], None]) -> None:
    """A14: nothing new is sealed; what was sealed before is brought to its end."""
    envelope = world.seal()
    end = world.path("end.vls")
    facts = world.by.works("agreement", "terminate", "kz-by", "--takes-effect", _utc(time.time() + DAY), "-o", end, "--json").facts
    assert facts["agreement"] == works("agreement", "show", "kz-by", "--json").facts["digest"]
    for office in (world.kz, world.by):
        adopted = office.works("agreement", "adopt", end, "--json").facts
        assert (adopted["by"], adopted["root_version"]) == ("BY", 1)
    assert world.kz.works("agreement", "list", "--json").facts["adopted"][0]["terminated_at"] == facts["takes_effect_at"]
    world.seal(name="last.vlz")
    travel(2 * DAY)
    assert "A14" in world.kz.fails(6, *world.order("-o", world.path("late.vlz"))).error
    world.open(envelope)
    receipt = world.countersign(world.acknowledge(envelope), envelope)
    assert world.kz.works("receipt", "verify", receipt, "--json").facts["verdict"] == "delivered"


@pytest.mark.parametrize(
    ("name", "when", "codes"),
    [
        ("kz-by", "tomorrow", {2}),
        ("kz-by", "", {2}),
        ("kz-by", "2020-01-01T00:00:00Z", {6}),
        ("kz-by", "0001-01-01T00:00:00+14:00", {2, 6}),
        ("kz-by", "9999-12-31T23:59:59-14:00", {2, 3}),
        ("no-such", "2099-01-01T00:00:00Z", {6}),
    ],
)
def test_end_that_cannot_be(name: str, when: str, codes: set[int], world: World) -> None:
    done = world.kz.run("agreement", "terminate", name, "--takes-effect", when, "-o", world.path("end.vls"))
    assert done.code in codes, done.err
    assert done.error
    assert not world.path("end.vls").exists()


def test_end_of_what_is_not_adopted(world: World, tmp_path: Path) -> None:
    world.by.works("agreement", "terminate", "kz-by", "--takes-effect=2099-01-01T00:00:00Z", "-o", world.path("end.vls"))
    home = tmp_path / "kz"
    works("office", "init", home, "--party=KZ", "--body=KZ-ARCHIVE", "--degrees=1,2,3", "--unprotected", "--root-office", world.kz.home)
    works("roster", "import", world.by.roster, "--root", world.by.root, "--home", home)
    assert "not adopted" in fails(6, "agreement", "adopt", world.path("end.vls"), "--home", home).error
