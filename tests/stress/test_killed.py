"""`kill -9` at points spread over every step of an exchange. soak/kill.py does the same a thousand times."""

from __future__ import annotations

import shutil
import signal
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Final

import pytest
from tests.support.cli import VALIZA, World, program, run, works
from tests.support.interrupted import STEPS, Exchange, check_after, check_kept, entries, left_over
from tests.support.strace import points, struck, traced

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("strace")]

KILLS: Final = 10  # of each of the five steps
NAMING: Final = {"linkat", "rename", "renameat2"}


@pytest.mark.parametrize("name", STEPS)
def test_after_a_kill_nothing_is_half_done_and_the_work_is_done_again(name: str, exchange: Exchange, tmp_path: Path) -> None:
    """Spread over all changes on the disk; and in any case right before and right after the result gets its name."""
    every = exchange.points(name, tmp_path / "count")
    assert len(every) > KILLS
    chosen = {index * len(every) // KILLS for index in range(KILLS)}
    chosen |= {at + after for at, point in enumerate(every) if point.call in NAMING for after in (0, 1)}
    for index in sorted(chosen):
        step = exchange.at(name, tmp_path / "killed")
        done = struck(step.command, every[index], signal.SIGKILL, env=step.environment)
        assert done.code == -signal.SIGKILL
        check_after(step, check_kept(step, exchange.before[name]))
        shutil.rmtree(tmp_path / "killed")


@pytest.mark.parametrize("without", ["unnamed", "unnamed,links"])
@pytest.mark.parametrize("name", ["seal", "acknowledge", "countersign"])
def test_where_the_file_system_can_do_less_the_next_command_removes_what_is_left(name: str, without: str, exchange: Exchange, tmp_path: Path) -> None:
    """A file then has a temporary name, and a kill leaves it."""
    found_left = 0
    for point in exchange.points(name, tmp_path / "count", without):
        if point.call in NAMING | {"flock", "fsync"} or (point.call == "unlink" and point.nth == 1):
            step = exchange.at(name, tmp_path / "killed", without)
            assert struck(step.command, point, signal.SIGKILL, env=step.environment).code == -signal.SIGKILL
            found = check_kept(step, exchange.before[name])
            found_left += len(found.left)
            check_after(step, found)
            shutil.rmtree(tmp_path / "killed")
    assert found_left > 0


def test_an_envelope_that_was_entered_and_got_no_name_is_withdrawn_and_told(exchange: Exchange, tmp_path: Path) -> None:
    (naming,) = [point for point in exchange.points("seal", tmp_path / "count") if point.call == "linkat"]
    step = exchange.at("seal", tmp_path / "killed")
    struck(step.command, naming, signal.SIGKILL, env=step.environment)
    assert check_kept(step, exchange.before["seal"]).entered == ["numbered", "sealed"]
    listed = works("register", "list", "--json", "--home", step.home)
    assert [envelope["verdict"] for envelope in listed.facts["envelopes"]] == ["withdrawn"]
    assert "interrupted" in listed.err
    again = works("register", "list", "--home", step.home)
    assert again.err == "", "it is told once"


def _kill_everywhere(world: World, words: list[str | Path], folder: Path, begins: str) -> None:
    """Kill a command of the office of KZ whenever it names something, and elsewhere; the same again ends well, or says that it is done already."""
    counted = world.copy(folder / "count")
    done, calls = traced([VALIZA, *_in(words, world, counted)])
    assert done.code == 0, done.err
    shutil.rmtree(counted.folder)
    every = points(calls, begins)
    for point in every[:: len(every) // 6 or 1] + [point for point in every if point.call in NAMING]:
        copy = world.copy(folder / "killed")
        again = _in(words, world, copy)
        struck([VALIZA, *again], point, signal.SIGKILL)
        repeated = run(*again)
        assert repeated.code in {0, 6}, f"{point}: {repeated.err}"
        if repeated.code == 6:
            assert "already" in repeated.error, f"{point}: {repeated.error}"
        assert left_over(copy) == [], point
        assert run(*again).code in {0, 6}
        assert program("office", "show", "--home", copy.kz.home).code == 0
        shutil.rmtree(copy.folder)


def _in(words: list[str | Path], world: World, copy: World) -> list[str | Path]:
    return [str(word).replace(str(world.folder), str(copy.folder)) for word in words]


def test_certifying_an_officer_can_be_done_again(founded: World, tmp_path: Path) -> None:
    world = founded.copy(tmp_path / "world")
    words: list[str | Path] = ["credential", "issue", "timur:seal,open:2:Timur Aliev", "--unprotected", "--home", world.kz.home]
    _kill_everywhere(world, words, tmp_path, "office.toml")


def test_publishing_a_roster_can_be_done_again(founded: World, tmp_path: Path) -> None:
    world = founded.copy(tmp_path / "world")
    _kill_everywhere(world, ["roster", "publish", "-o", world.path("next.vls"), "--home", world.kz.home], tmp_path, "office.toml")


def test_importing_a_roster_can_be_done_again(founded: World, tmp_path: Path) -> None:
    """Wherever it is killed, the old roster is in force or the new one, and with its index."""
    world = founded.copy(tmp_path / "world")
    world.by.works("credential", "issue", "timur:seal,open:2:Timur Aliev", "--unprotected")
    world.by.works("roster", "publish", "-o", world.path("next.vls"))
    words: list[str | Path] = ["roster", "import", world.path("next.vls"), "--home", world.kz.home]
    _kill_everywhere(world, words, tmp_path, "office.toml")
    counted = world.copy(tmp_path / "count")
    again = _in(words, world, counted)
    done, calls = traced([VALIZA, *again])
    assert done.code == 0, done.err
    shutil.rmtree(counted.folder)
    for point in [point for point in points(calls, "office.toml") if point.call in NAMING]:
        copy = world.copy(tmp_path / "killed")
        struck([VALIZA, *_in(words, world, copy)], point, signal.SIGKILL)
        shown = copy.kz.works("roster", "show", "--json")
        assert (shown.facts["BY"]["version"], shown.err) == (1, "")
        assert [path.name for path in sorted((copy.kz.home / "rosters").glob("BY-*.vls"))] == ["BY-000001.vls"]
        copy.kz.works(*words[:3])
        shown = copy.kz.works("roster", "show", "--json")
        assert (shown.facts["BY"]["version"], shown.err) == (2, "")
        shutil.rmtree(copy.folder)


def test_a_hand_over_that_was_interrupted_is_given_again_and_takes_no_further_leg(exchange: Exchange, tmp_path: Path) -> None:
    """Wherever the command is killed: the same again gives one hand-over, that which is in the register, and its file."""
    world = exchange.before["open"].copy(tmp_path / "world")
    world.kz.works("credential", "issue", "aqyl:transport:1:Aqyl Omar", "--unprotected")
    world.kz.works("roster", "publish", "-o", world.path("KZ.now.vls"))
    words: list[str | Path] = ["transport", "handover", world.path("envelope.vlz"), "--giver=Aigul Serik", "--as=aqyl", "--home", world.kz.home]
    words += ["-o", world.path("leg.vls")]
    counted = world.copy(tmp_path / "count")
    done, calls = traced([VALIZA, *_in(words, world, counted)])
    assert done.code == 0, done.err
    every = points(calls, "office.toml")
    naming = [point for point in every if point.call in NAMING]
    assert naming
    recorded = set()
    for point in every[:: len(every) // 6 or 1] + naming:
        copy = world.copy(tmp_path / "killed")
        assert struck([VALIZA, *_in(words, world, copy)], point, signal.SIGKILL).code == -signal.SIGKILL
        before = [one["kind"] for one in copy.kz.works("register", "show", copy.path("envelope.vlz"), "--json").facts["entries"]]
        recorded.add((before.count("handover"), copy.path("leg.vls").exists()))
        copy.path("leg.vls").unlink(missing_ok=True)
        works(*_in(words, world, copy))
        shown = copy.kz.run("transport", "show", copy.path("envelope.vlz"), "--json").facts
        assert [one["leg"] for one in shown["handovers"]] == [0], point
        assert (shown["problems"], shown["apart"]) == ([], []), point
        copy.kz.works("register", "verify")
        shutil.rmtree(copy.folder)
    assert (1, False) in recorded, "it was never killed between its entry and its file's name"


def test_the_first_use_of_a_register_can_be_interrupted(founded: World, tmp_path: Path) -> None:
    world = founded.copy(tmp_path / "world")
    for path in world.kz.home.glob("register.db*"):
        path.unlink()
    _kill_everywhere(world, ["register", "list", "--home", world.kz.home], tmp_path, "office.toml")
    works("register", "list", "--home", world.kz.home)
    assert entries(world.kz.home) == []


def test_restoring_leaves_the_old_register_or_the_new_one(exchange: Exchange, tmp_path: Path) -> None:
    """Never none, and never one without the newest entries that lie beside it in its write-ahead log."""
    world = exchange.before["open"].copy(tmp_path / "world")
    words: list[str | Path] = ["register", "restore", world.path("backup"), "--replace", "--home", world.kz.home]
    world.kz.works("register", "backup", "-o", world.path("backup"))
    with closing(sqlite3.connect(world.kz.home / "register.db")) as register:
        before = register.execute("SELECT seq, link FROM entry").fetchall()  # while somebody reads, what is entered stays in the log
        assert program(*world.order(), "-o", world.path("second.vlz"), "--home", world.kz.home).code == 0
        world.copy(tmp_path / "used")
    used = World(tmp_path / "used")
    assert (used.kz.home / "register.db-wal").stat().st_size > 0
    known = entries(used.kz.home)
    assert len(known) == len(before) + 2
    counted = used.copy(tmp_path / "count")
    done, calls = traced([VALIZA, *_in(words, world, counted)])
    assert done.code == 0, done.err
    every = points(calls, "office.toml")
    found = set()
    naming = [index for index, point in enumerate(every) if point.call in NAMING]
    for point in [every[index + after] for index in naming for after in (0, 1)] + every[:: len(every) // 3]:
        copy = used.copy(tmp_path / "killed")
        assert struck([VALIZA, *_in(words, world, copy)], point, signal.SIGKILL).code == -signal.SIGKILL
        copy.kz.works("register", "list")
        there = len(entries(copy.kz.home))
        assert there in {len(before), len(known)}, point
        assert (there == len(known)) or list(copy.kz.home.glob("register-replaced-*.db")), point
        copy.kz.works(*_in(words[:-2], world, copy))
        assert copy.kz.works("register", "verify", "--json").facts["entries"] == len(before)
        kept = [len(_rows(path)) for path in copy.kz.home.glob("register-replaced-*.db")]
        assert max(kept) == len(known), point
        assert left_over(copy) == []
        found.add(there)
        shutil.rmtree(copy.folder)
    assert found == {len(before), len(known)}


def _rows(register: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(register)) as database:
        return database.execute("SELECT seq FROM entry").fetchall()
