"""Rosters with their indexes, from outside: what is told, what mends it, and what is listed."""

from __future__ import annotations

import shutil
import stat
from typing import TYPE_CHECKING

import pytest
from tests.support.keys import flipped

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.cli import Office, World


def index(office: Office, name: str = "BY-000001") -> Path:
    return office.home / "rosters" / f"{name}.index"


def roster(office: Office, name: str = "BY-000001") -> Path:
    return office.home / "rosters" / f"{name}.vls"


@pytest.mark.parametrize("how", ["missing", "damaged", "of another roster"])
def test_an_index_is_made_anew_and_that_is_said_in_one_line(how: str, world: World) -> None:
    path = index(world.kz)
    if how == "missing":
        path.unlink()
    elif how == "damaged":
        path.write_bytes(flipped(path.read_bytes(), 2000))
    else:
        shutil.copy(index(world.kz, "KZ-000001"), path)
    said = world.kz.works("credential", "list", "--json")
    assert said.err.count("\n") == 1
    assert said.err.startswith("valiza: making the index of ")
    assert "BY-000001.vls" in said.err
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert world.kz.works("credential", "list", "--json").err == ""
    assert world.kz.run("doctor").code == 0


def test_a_damaged_roster_is_told_with_what_mends_it(world: World) -> None:
    path = roster(world.kz)
    right = path.read_bytes()
    within = right.index(b"valiza/v1/credential")
    for place, code in ((within, 3), (len(right) - 1, 4)):
        path.write_bytes(flipped(right, place))
        done = world.kz.fails(code, *world.order("-o", world.path("out.vlz")))
        assert "BY-000001.vls" in done.error
        assert "import the same roster again" in done.err
    assert world.kz.works("roster", "import", world.by.roster, "--json").facts["imported"] is False
    assert path.read_bytes() == right
    assert world.seal().exists()
    path.write_bytes(flipped(right, within))
    index(world.kz).unlink()
    assert "restore it from a backup" in world.kz.fails(3, "roster", "show").err


def test_what_doctor_says_of_an_index(world: World) -> None:
    def said() -> list[tuple[str, str, str]]:
        found = world.kz.run("doctor", "--json").facts["findings"]
        return [(one["level"], one["what"].rpartition(": ")[2], one["mend"]) for one in found if one["check"] == "rosters" and "index" in one["what"]]

    assert said() == []
    index(world.kz).write_bytes(b"")
    before = sorted((path, path.read_bytes()) for path in world.kz.home.rglob("*.index"))
    ((level, what, mend),) = said()
    assert (level, what) == ("note", "it is damaged")
    assert sorted((path, path.read_bytes()) for path in world.kz.home.rglob("*.index")) == before, "doctor changes nothing"
    world.kz.works(*mend.split()[1:3])
    assert said() == []


def test_credentials_of_a_body_or_for_a_purpose_are_listed(world: World) -> None:
    def names(*words: str) -> list[tuple[str, str]]:
        found = world.kz.works("credential", "list", "--json", *words).facts
        return sorted((one["body"], one["purpose"]) for some in found.values() for one in some)

    every = names()
    assert len(every) > len(names("--body=BY-MFA")) > len(names("--body=BY-MFA", "--purpose=open")) > 0
    assert names("--body=BY-MFA") == names("--body=BY/BY-MFA") == [one for one in every if one[0].endswith("BY-MFA")]
    assert names("--purpose=open") == [one for one in every if one[1] == "open"]
    assert names("--body=BY-NONE") == []
    assert "no purpose" in world.kz.fails(2, "credential", "list", "--purpose=openn").error
