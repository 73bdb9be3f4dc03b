"""The register as an officer sees it: standings, numbers, entries; and what happens when its file is not what it was."""

from __future__ import annotations

import gc
import random
import re
import shutil
import sqlite3
import stat
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.support.cli import Office, World, works

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DAY: Final = 86400
YEAR: Final = datetime.now(UTC).year
FLIPS: Final = 150


def _rows(office: Office, *extra: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = office.works("register", "list", *extra, "--json").facts["envelopes"]
    return rows


def _stands(office: Office) -> list[str]:
    return [row["verdict"] for row in _rows(office)]


# -- list ------------------------------------------------------------------------------------------------------------------


def test_empty_register(world: World) -> None:
    assert _rows(world.kz) == []
    assert world.kz.works("register", "list").out == ""


def test_where_an_envelope_stands_at_each_step(world: World) -> None:
    envelope = world.seal()
    assert (_stands(world.kz), _stands(world.by)) == (["outstanding"], [])
    world.open(envelope)
    assert _stands(world.by) == ["opened"]
    answer = world.acknowledge(envelope)
    assert _stands(world.by) == ["acknowledged"]
    receipt = world.countersign(answer, envelope)
    assert _stands(world.by) == ["countersigned"]
    world.kz.works("receipt", "verify", receipt)
    assert (_stands(world.kz), _stands(world.by)) == (["delivered"], ["countersigned"])


def test_overdue(world: World, travel: Callable[[int], None]) -> None:
    envelope, _, receipt = world.exchange("--due=1")
    travel(2 * DAY)
    assert _stands(world.kz) == ["overdue"]
    world.kz.works("receipt", "verify", receipt)
    assert _stands(world.kz) == ["delivered"]  # it was countersigned in time
    assert envelope.exists()


def test_row_for_scripts_and_for_people(world: World) -> None:
    envelope = world.seal()
    read = works("inspect", envelope, "--json").facts["read"]
    (row,) = _rows(world.kz)
    assert (row["number"], row["direction"], row["verdict"], row["origin"]) == (f"KZ-MFA/{YEAR}/out/1", "out", "outstanding", "KZ/KZ-MFA")
    assert (row["envelope_id"], row["dispatch"], row["since"]) == (read["envelope_id"], read["dispatch"], read["sealed_at"])
    text = world.kz.works("register", "list").out
    assert text.count("\n") == 1
    for value in (row["number"], "out", "outstanding", row["envelope_id"][:16]):
        assert value in text


def test_only_those_that_were_asked_for(world: World) -> None:
    first = world.seal()
    world.seal(name="second.vlz")
    world.kz.works("withdraw", first, "--reason=x")
    assert [row["number"][-1] for row in _rows(world.kz, "--verdict=withdrawn")] == ["1"]
    assert [row["number"][-1] for row in _rows(world.kz, "--verdict=outstanding")] == ["2"]
    assert _rows(world.kz, "--verdict=delivered") == []
    assert len(_rows(world.kz, "--direction=out")) == 2
    assert _rows(world.kz, "--direction=in") == []


@pytest.mark.parametrize("wrong", ["--verdict=lost", "--verdict=", "--direction=up"])
def test_word_that_means_nothing(wrong: str, world: World) -> None:
    world.kz.fails(2, "register", "list", wrong)


def test_incoming_numbers_count_up(world: World) -> None:
    for n in range(3):
        world.open(world.seal(name=f"{n}.vlz"), name=f"opened-{n}")
    assert [row["number"] for row in _rows(world.by)] == [f"BY-MFA/{YEAR}/in/{n}" for n in (1, 2, 3)]


def test_numbers_begin_anew_each_year(world: World, travel: Callable[[int], None]) -> None:
    world.seal()
    days = (datetime(YEAR + 1, 1, 2, tzinfo=UTC) - datetime.now(UTC)).days
    travel(days * DAY)
    world.seal(name="next.vlz")
    assert [row["number"] for row in _rows(world.kz)] == [f"KZ-MFA/{YEAR}/out/1", f"KZ-MFA/{YEAR + 1}/out/1"]


# -- show ------------------------------------------------------------------------------------------------------------------


def test_story_of_an_envelope(world: World) -> None:
    envelope, _, receipt = world.exchange()
    world.kz.works("receipt", "verify", receipt)
    sent = world.kz.works("register", "show", envelope, "--json").facts["entries"]
    assert [(entry["kind"], entry["direction"]) for entry in sent] == [("sealed", "out"), ("receipt", "out")]
    assert re.fullmatch(r"receipt due \S+Z", sent[0]["note"])
    assert sent[1]["note"] == "delivered"
    came = world.by.works("register", "show", envelope, "--json").facts["entries"]
    assert [entry["kind"] for entry in came] == ["arrived", "opened", "answered", "receipt"]
    assert len({entry["number"] for entry in came}) == 1


@pytest.mark.parametrize("by", ["file", "id", "number", "standard input"])
def test_envelope_named_in_each_way(by: str, world: World) -> None:
    envelope = world.seal()
    (row,) = _rows(world.kz)
    name: str | Path = {"file": envelope, "id": row["envelope_id"], "number": row["number"], "standard input": "-"}[by]
    assert world.kz.works("register", "show", name, "--json", stdin=envelope.read_bytes()).facts["dispatch"] == row["dispatch"]


@pytest.mark.parametrize("name", [64 * "0", "KZ-MFA/1999/out/1"])
def test_envelope_that_is_not_in_the_register(name: str, world: World) -> None:
    assert world.kz.run("register", "show", name).code in {2, 7}


def test_envelope_that_is_not_in_this_register(world: World) -> None:
    """It is authentic, but was never opened here: nothing is shown as if it were known."""
    done = world.by.run("register", "show", world.seal(), "--json")
    assert done.code in {2, 6} or done.facts["entries"] == []


# -- the file --------------------------------------------------------------------------------------------------------------


def test_register_is_its_owners_alone(world: World) -> None:
    world.seal()
    assert stat.S_IMODE((world.kz.home / "register.db").stat().st_mode) == 0o600


def test_reading_changes_nothing(world: World) -> None:
    envelope, _, receipt = world.exchange()
    world.kz.works("receipt", "verify", receipt)
    gc.collect()
    database = world.kz.home / "register.db"
    before = database.read_bytes()
    for words in (["register", "list"], ["register", "show", envelope], ["verify", envelope], ["receipt", "verify", receipt], ["office", "show"]):
        world.kz.works(*words)
    world.kz.works(*world.order("--dry-run"))
    gc.collect()
    assert database.read_bytes() == before


@pytest.mark.parametrize("content", [b"not a database" * 1000, b"SQLite format 3\0" + bytes(4000)], ids=["text", "header only"])
def test_file_that_is_no_register(content: bytes, world: World) -> None:
    gc.collect()
    (world.kz.home / "register.db").write_bytes(content)
    assert "register.db" in world.kz.fails(7, "register", "list").error
    world.kz.fails(7, *world.order("-o", world.path("e.vlz")))
    assert not world.path("e.vlz").exists()


def test_folder_in_the_place_of_the_register(world: World) -> None:
    (world.kz.home / "register.db").unlink()
    (world.kz.home / "register.db").mkdir()
    world.kz.fails(7, "register", "list")


def test_register_of_a_later_version(world: World) -> None:
    with closing(sqlite3.connect(world.kz.home / "register.db")) as database:
        database.execute("PRAGMA user_version = 99")
    assert "version 99" in world.kz.fails(7, "register", "list").error


def test_register_that_was_lost(world: World) -> None:
    """A new one begins; the receipt of what it knew is then unsolicited, never delivered."""
    _, _, receipt = world.exchange()
    gc.collect()
    (world.kz.home / "register.db").unlink()
    done = world.kz.run("receipt", "verify", receipt, "--json")
    assert (done.code, done.facts["verdict"]) == (6, "unsolicited")


@pytest.mark.slow
def test_damaged_register_is_no_fault_of_ours(world: World, tmp_path: Path) -> None:
    """Bits flipped all over the file: what comes is a wrong or an unreadable register, never a crash."""
    envelope, _, receipt = world.exchange()
    world.kz.works("receipt", "verify", receipt)
    gc.collect()
    database = world.kz.home / "register.db"
    good = database.read_bytes()
    draw = random.Random(2026)  # noqa: S311 - the same cases each time
    places = [at for at in range(len(good)) if good[at]]  # an empty page says nothing
    for at in draw.sample(places, FLIPS):
        database.write_bytes(good[:at] + bytes([good[at] ^ (1 << draw.randrange(8))]) + good[at + 1 :])
        for words in (["register", "list"], ["register", "show", envelope], ["receipt", "verify", receipt]):
            done = world.kz.run(*words)
            assert done.code in {0, 3, 4, 6, 7}, f"byte {at}, {words[:2]}: {done.err}"
        gc.collect()
        for suffix in ("-wal", "-shm"):
            shutil.rmtree(tmp_path / suffix, ignore_errors=True)
            database.with_name(database.name + suffix).unlink(missing_ok=True)


@pytest.mark.parametrize(
    ("column", "value"), [("note", "soon"), ("note", str(10**30)), ("at", 10**18), ("record", b"x"), ("kind", "lost"), ("number", "\x1b[2J")]
)
def test_entry_that_somebody_wrote(column: str, value: object, world: World) -> None:
    envelope = world.seal()
    gc.collect()
    with closing(sqlite3.connect(world.kz.home / "register.db")) as database, database:
        database.execute("DROP TRIGGER entry_never_changes")
        database.execute(f"UPDATE entry SET {column} = ? WHERE kind = 'sealed'", [value])  # noqa: S608 - column names of this test
    for words in (["register", "list"], ["register", "show", envelope], ["register", "show", envelope, "--json"]):
        done = world.kz.run(*words)
        assert done.code in {0, 2, 3, 4, 6, 7}, done.err
        assert "\x1b" not in done.out + done.err
