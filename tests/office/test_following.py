"""Following up in an office: how what is wanted is found, however many there are, and what a damaged register tells."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest
from tests.support.cli import found_world
from tests.support.journals import database_of

from valiza.keys.errors import Unavailable, Usage
from valiza.office.following import Wanted, find_standings, standing_of
from valiza.office.home import Office
from valiza.office.telling import tell_story
from valiza.register.store import Query

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from valiza.register.entry import Entry

MANY: Final = 250  # more than are looked up one by one


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an office that sealed one envelope."""
    world = found_world(tmp_path_factory.mktemp("world"))
    world.seal()
    return world.kz.home


@pytest.fixture
def office(folder: Path) -> Office:
    """The office. What a test changes in the register, it takes back."""
    return Office(folder, lambda: pytest.fail("a passphrase is asked for"))


def _sealed(office: Office) -> Entry:
    (entry,) = office.journal.store.find(Query(kinds=("sealed",)))
    return entry


class _TakeBackError(Exception):
    """Ends a transaction as if nothing had been."""


@contextmanager
def _taken_back(office: Office) -> Iterator[None]:
    """A transaction of which nothing is left."""
    with suppress(_TakeBackError), office.journal.store.transaction():
        yield
        raise _TakeBackError


def test_few_are_looked_up_and_many_read_through_and_both_find_the_same(office: Office) -> None:
    entry, journal = _sealed(office), office.journal
    with _taken_back(office):
        for n in range(2, MANY + 2):
            name = n.to_bytes(32)
            number = f"{entry.number.rpartition('/')[0]}/{n}"
            journal.store.append(replace(entry, envelope_id=name, dispatch_digest=name, number=number, blind=bytes(16)))
        found = find_standings(office, Wanted(), entry.at)
        assert [one.state.number.rpartition("/")[2] for one in found] == [str(n) for n in range(1, MANY + 2)]
        assert {str(one.other) for one in found} == {"BY/BY-MFA"}
        (one,) = find_standings(office, Wanted(number="77"), entry.at)
        assert one == found[76]
    assert len(find_standings(office, Wanted(), entry.at)) == 1


@pytest.mark.parametrize(("late", "days"), [(-1, 0), (0, 0), (1, 1), (86400, 1), (2 * 86400 - 1, 1), (2 * 86400, 2)])
def test_days_late(late: int, days: int, office: Office) -> None:
    (one,) = find_standings(office, Wanted(), 0)
    assert one.due is not None
    (one,) = find_standings(office, Wanted(), one.due + late)
    assert one.due is not None
    assert one.days_late(one.due + late) == days


def test_nobody_knows_an_envelope_that_is_not_there(office: Office) -> None:
    with pytest.raises(Usage, match="not in the register"):
        standing_of(office, bytes(32), 0)


def test_entry_that_is_damaged_is_told_as_it_is(office: Office) -> None:
    entry, database = _sealed(office), database_of(office.journal)
    with _taken_back(office):
        database.execute("DROP TRIGGER entry_never_changes")
        database.execute("UPDATE entry SET statement = x'00' WHERE kind = 'sealed'")
        (told,) = tell_story(office, entry.dispatch_digest, entry.at).told
        assert told.words == "sealed: what was kept of it cannot be read"
        assert "unreadable" in told.says
        database.execute("UPDATE entry SET record = x'00' WHERE kind = 'sealed'")
        with pytest.raises(Unavailable, match=f"entry {entry.seq} of the register is damaged"):
            find_standings(office, Wanted(), entry.at)


def test_who_is_in_no_roster_is_told_by_his_credential(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = _sealed(office)
    monkeypatch.setattr(office.trust, "credential", lambda _: None)
    (told,) = tell_story(office, entry.dispatch_digest, entry.at).told
    assert told.by is not None
    assert told.by.name is None
    assert f"somebody unknown here (credential {told.by.credential.hex()[:16]}…)" in told.words
