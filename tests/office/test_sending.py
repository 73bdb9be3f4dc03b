"""Sealing in groups: in the register before it has its name, and whatever gets no name is withdrawn, at once or by the next command."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import subprocess
import sys
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.support.cli import found_world
from tests.support.journals import database_of

from valiza.envelope.carrier import Carrier
from valiza.envelope.container import read_container
from valiza.envelope.manifest import Basis
from valiza.envelope.route import Leg
from valiza.keys import labels
from valiza.keys.digests import digest
from valiza.keys.errors import Refused, Unavailable, ValizaError
from valiza.keys.files import NewFile
from valiza.office.home import Office, present
from valiza.office.sending import SealOrder, SealPlan, Sent, plan_sealing, seal, seal_group

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.cli import World

# What `python -c` runs to seal one file, and is killed on the way: before the envelope has its name, or after.
KILLED: Final = """
import os, signal, sys
from valiza.keys.files import NewFile
from valiza.register.journal import RegisterJournal
from valiza.cli.main import main

def die(*_arguments):
    os.kill(os.getpid(), signal.SIGKILL)

{owner}.{name} = die
main()
"""
BEFORE_THE_NAME: Final = KILLED.format(owner="NewFile", name="give_name")
AFTER_THE_NAME: Final = KILLED.format(owner="RegisterJournal", name="settle")


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Both offices, made once."""
    return found_world(tmp_path_factory.mktemp("founded"))


@pytest.fixture
def world(founded: World, tmp_path: Path) -> World:
    """Both offices, this test's own."""
    return founded.copy(tmp_path / "world")


@contextmanager
def office_of(world: World) -> Iterator[tuple[Office, list[str]]]:
    """The origin's office, and what it tells."""
    told: list[str] = []
    with closing(Office(world.kz.home, lambda: pytest.fail("a passphrase is asked for"), tell=told.append)) as found:
        yield found, told


@pytest.fixture
def office(world: World) -> Iterator[Office]:
    with office_of(world) as (found, told):
        yield found
        assert told == []


def plan(office: Office, path: Path, **changes: Any) -> SealPlan:
    values: dict[str, Any] = {
        "officer": None,
        "destination": "BY-MFA",
        "agreement": "kz-by",
        "carriers": [Carrier(name=path.name, path=path, code="3", media_type="text/plain")],
        "channel": "courier",
        "transport": "air",
        "escort": "courier",
        "legs": (Leg("Astana", "Minsk"),),
        "basis": (Basis("decision", "No. 12"), Basis("conclusion", "No. 7")),
        "purpose": "joint exercise",
    }
    return plan_sealing(office, SealOrder(**{**values, **changes}), at=present())


def orders(office: Office, world: World, count: int) -> list[tuple[SealPlan, Path]]:
    return [(plan(office, world.carrier), world.path(f"{number}.vlz")) for number in range(count)]


def group(office: Office, orders: list[tuple[SealPlan, Path]]) -> list[Sent | ValizaError]:
    return seal_group(office, orders, at=present(), random=os.urandom)


def standings(office: Office) -> list[tuple[str, str]]:
    """Number within the year, and standing, of every envelope."""
    return [(state.number.rpartition("/")[2], state.verdict) for state in office.journal.states(present())]


def on_disk(path: Path) -> bytes:
    """Digest of the dispatch of an envelope."""
    with path.open("rb", buffering=0) as file:
        return digest(labels.DIGEST_STATEMENT, read_container(file).dispatch_raw)


# -- a group ---------------------------------------------------------------------------------------------------------------


def test_every_envelope_of_a_group_is_its_own(office: Office, world: World) -> None:
    sent = group(office, orders(office, world, 3))
    found = [one for one in sent if isinstance(one, Sent)]
    assert len(found) == 3
    assert [one.number.rpartition("/")[2] for one in found] == ["1", "2", "3"]
    assert [one.package for one in found] == [one.number for one in found]
    assert len({one.sealed.core.envelope_id for one in found}) == 3
    assert [on_disk(world.path(f"{n}.vlz")) for n in range(3)] == [one.sealed.dispatch.digest for one in found]
    assert standings(office) == [("1", "outstanding"), ("2", "outstanding"), ("3", "outstanding")]
    assert office.journal.unnamed() == []
    assert group(office, []) == []


def test_members_fail_alone(office: Office, world: World) -> None:
    gone = world.path("gone.txt")
    gone.write_text("soon away", encoding="utf-8")
    made = orders(office, world, 4)
    made[1] = (plan(office, gone), made[1][1])
    made.append((made[0][0], made[0][1]))  # the same name
    made.append((made[0][0], world.path("no") / "folder.vlz"))
    gone.unlink()
    made[2][1].write_bytes(b"precious")
    outcomes = group(office, made)
    assert [type(outcome) for outcome in outcomes] == [Sent, Unavailable, Refused, Sent, Refused, Unavailable]
    assert made[2][1].read_bytes() == b"precious"
    assert standings(office) == [("1", "outstanding"), ("3", "outstanding")], "a number given out for work that fails is not given again"
    assert group(office, [(made[0][0], world.path("next.vlz"))])[0].number.endswith("/4")  # type: ignore[union-attr] # it is Sent, or this fails


def test_a_group_is_entered_by_as_many_transactions_as_one(office: Office, world: World) -> None:
    def transactions(count: int, name: str) -> int:
        seen: list[str] = []
        made = [(one, path.with_name(f"{name}-{path.name}")) for one, path in orders(office, world, count)]
        database_of(office.journal).set_trace_callback(seen.append)
        assert all(isinstance(outcome, Sent) for outcome in group(office, made))
        database_of(office.journal).set_trace_callback(None)
        return seen.count("COMMIT")

    assert transactions(1, "one") == transactions(9, "nine") > 0


def test_one_package_number_may_be_given(office: Office, world: World) -> None:
    sent = seal(office, plan(office, world.carrier, package="bag 7"), world.path("it.vlz"), at=present(), random=os.urandom)
    assert (sent.package, sent.number.rpartition("/")[2]) == ("bag 7", "1")


# -- no name -----------------------------------------------------------------------------------------------------------------


def test_a_name_taken_meanwhile_withdraws_that_one_at_once(office: Office, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    real = NewFile.give_name

    def give_name(file: NewFile) -> None:
        if file.path.name == "1.vlz":
            file.path.write_bytes(b"precious")
        real(file)

    monkeypatch.setattr(NewFile, "give_name", give_name)
    outcomes = group(office, orders(office, world, 3))
    assert [type(outcome) for outcome in outcomes] == [Sent, Refused, Sent]
    assert world.path("1.vlz").read_bytes() == b"precious"
    assert standings(office) == [("1", "outstanding"), ("2", "withdrawn"), ("3", "outstanding")]
    assert office.journal.unnamed() == []


@pytest.mark.parametrize("named", [False, True])
def test_interrupted_at_the_name(office: Office, world: World, monkeypatch: pytest.MonkeyPatch, *, named: bool) -> None:
    """What has its name stands, also if nobody came to say so; what has none is withdrawn."""
    real = NewFile.give_name

    def give_name(file: NewFile) -> None:
        if named or file.path.name != "1.vlz":
            real(file)
        if file.path.name == "1.vlz":
            raise KeyboardInterrupt

    monkeypatch.setattr(NewFile, "give_name", give_name)
    with pytest.raises(KeyboardInterrupt):
        group(office, orders(office, world, 3))
    assert sorted(path.name for path in world.folder.glob("*.vlz")) == (["0.vlz", "1.vlz"] if named else ["0.vlz"])
    assert standings(office) == [("1", "outstanding"), ("2", "outstanding" if named else "withdrawn"), ("3", "withdrawn")]
    assert office.journal.unnamed() == []


def test_a_disk_that_fails_leaves_no_entry(office: Office, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def fsync(_descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    made = orders(office, world, 2)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        with pytest.raises(Unavailable, match="input/output error"):
            group(office, made)
    assert list(world.folder.glob("*.vlz")) == []
    assert standings(office) == []


# -- killed ------------------------------------------------------------------------------------------------------------------


def killed(world: World, script: str) -> None:
    words = [*world.order("-o", world.path("it.vlz")), "--home", world.kz.home]
    done = subprocess.run([sys.executable, "-c", script, *map(str, words)], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == -9, done.stderr


def test_killed_before_the_name_it_is_withdrawn_by_the_next_command(world: World) -> None:
    killed(world, BEFORE_THE_NAME)
    assert not world.path("it.vlz").exists()
    done = world.kz.works("register", "list", "--json")
    (line,) = done.err.splitlines()
    assert line.startswith("valiza: withdrew KZ-MFA/")
    assert line.endswith("/out/1: sealing was interrupted before " + repr(str(world.path("it.vlz"))) + " was there")
    (row,) = done.facts["envelopes"]
    assert row["verdict"] == "withdrawn"
    again = world.kz.works("register", "list", "--json")
    assert again.err == ""
    assert again.facts == done.facts
    entries = world.kz.works("register", "show", row["number"], "--json").facts["entries"]
    assert [entry["kind"] for entry in entries] == ["sealed", "withdrawn"]
    assert world.seal(name="it.vlz").exists()


def test_killed_after_the_name_it_stands(world: World) -> None:
    killed(world, AFTER_THE_NAME)
    assert world.path("it.vlz").exists()
    with office_of(world) as (office, told):
        assert standings(office) == [("1", "outstanding")]
        assert office.journal.unnamed() == []
    assert told == []
    world.open(world.path("it.vlz"))


@pytest.mark.parametrize("what", ["another envelope", "no envelope", "a folder"])
def test_something_else_under_its_name_is_not_the_envelope(world: World, what: str) -> None:
    killed(world, BEFORE_THE_NAME)
    if what == "a folder":
        world.path("it.vlz").mkdir()
    elif what == "no envelope":
        world.path("it.vlz").write_bytes(b"notes")
    else:
        other = found_other(world)
        shutil.copyfile(other, world.path("it.vlz"))
    with office_of(world) as (office, told):
        assert ("1", "withdrawn") in standings(office)
    assert len(told) == 1
    assert world.path("it.vlz").exists()


def found_other(world: World) -> Path:
    """An envelope that another copy of the same office sealed."""
    other = world.copy(world.folder.parent / "other")
    return other.seal(name="other.vlz")


def test_what_another_process_is_sealing_is_left_alone(world: World) -> None:
    killed(world, BEFORE_THE_NAME)
    descriptor = os.open(world.kz.home, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        with office_of(world) as (office, told):
            assert standings(office) == [("1", "outstanding")]
            assert len(office.journal.unnamed()) == 1
            assert isinstance(group(office, orders(office, world, 1))[0], Sent), "nor does it keep others from sealing"
            assert len(office.journal.unnamed()) == 1
        assert told == []
    finally:
        os.close(descriptor)
    with office_of(world) as (office, told):
        assert standings(office) == [("1", "withdrawn"), ("2", "outstanding")]
    assert len(told) == 1


def test_what_was_withdrawn_by_hand_meanwhile_is_only_settled(world: World) -> None:
    killed(world, BEFORE_THE_NAME)
    with office_of(world) as (office, _):
        name = next(office.journal.states(present())).dispatch_digest
        database_of(office.journal).execute("INSERT INTO unnamed VALUES (?, '', ?)", [name, os.fsencode(world.path("it.vlz"))])
    with office_of(world) as (office, told):
        assert standings(office) == [("1", "withdrawn")]
        assert office.journal.unnamed() == []
    assert told == []
