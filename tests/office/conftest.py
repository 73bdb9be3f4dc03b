"""Two offices, Kazakhstan's and Belarus's, each with three officers; and a second office of Kazakhstan. Made once, and copied for each test."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from tests.support.keys import BEGIN, counting

from valiza.keys.fields import Body
from valiza.office.founding import Founding, NewOfficer, found_office
from valiza.office.home import Office
from valiza.office.trusting import import_roster

if TYPE_CHECKING:
    from pathlib import Path

OFFICERS = (
    NewOfficer(name="aliya", names={"en": "Aliya"}, purposes=("seal", "open", "acknowledge"), clearance="2"),
    NewOfficer(name="bolat", names={"en": "Bolat"}, purposes=("open", "acknowledge", "countersign"), clearance="1"),
    NewOfficer(name="clerk", names={"en": "Clerk"}, purposes=(), clearance=None),
)


def founding(party: str, body: str) -> Founding:
    return Founding(body=Body(party, body), names={"en": body, "ru": "Министерство"}, degrees=("1", "2", "3"), officers=OFFICERS)


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("offices")
    random = counting()
    root_office = found_office(folder / "KZ", founding("KZ", "KZ-MFA"), at=BEGIN, random=random)
    found_office(folder / "KZ-2", founding("KZ", "KZ-MOD"), at=BEGIN + 10, random=random, root_office=root_office)
    found_office(folder / "BY", founding("BY", "BY-MFA"), at=BEGIN, random=random)
    return folder


def copied(templates: Path, name: str, tmp_path: Path) -> Office:
    shutil.copytree(templates / name, tmp_path / name)
    return Office(tmp_path / name, lambda: pytest.fail("a passphrase is asked for"))


@pytest.fixture
def kz(templates: Path, tmp_path: Path) -> Office:
    """The office that keeps Kazakhstan's root. Its roster has version 2, since a second office joined."""
    return copied(templates, "KZ", tmp_path)


@pytest.fixture
def kz_second(templates: Path, tmp_path: Path) -> Office:
    """Another office of Kazakhstan."""
    return copied(templates, "KZ-2", tmp_path)


@pytest.fixture
def by(templates: Path, tmp_path: Path) -> Office:
    """The office that keeps Belarus's root."""
    return copied(templates, "BY", tmp_path)


@pytest.fixture
def acquainted(kz: Office, by: Office) -> tuple[Office, Office]:
    """Both offices, after each imported the other's roster."""
    for own, other in ((kz, by), (by, kz)):
        roster = other.trust.rosters[other.body.party]
        latest = max((other.home / "rosters").glob(f"{other.body.party}-*.vls"))
        import_roster(own, latest, roster.root.digest, at=BEGIN + 20)
    return kz, by
