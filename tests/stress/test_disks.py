"""A full disk and one that is only read: exit code 7, nothing left, and the same command again when there is room."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest
from tests.support.cli import World, assert_failed, listing, run
from tests.support.interrupted import Exchange, left_over

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.stress.conftest import Disk

pytestmark = pytest.mark.slow

ROOM: Final = (0, 4096, 12288, 28672, 65536)  # bytes left free, so that different pages of the register find none


@dataclass(frozen=True)
class Command:
    """A command that writes: when in the exchange, in which office, and where to."""

    name: str
    words: tuple[str, ...]  # {w} is the world, {out} the output
    before: str = "open"
    office: str = "KZ"
    output: bool = True
    enters: bool = True  # it writes into the office

    def typed(self, world: World, out: Path) -> list[str]:
        return [word.format(w=world.folder, out=out) for word in (*self.words, "--home", f"{{w}}/{self.office}")]


COMMANDS: Final = (
    Command("open", ("open", "{w}/envelope.vlz", "-o", "{out}", "--as=yanka"), office="BY"),
    Command("acknowledge", ("acknowledge", "{w}/envelope.vlz", "-o", "{out}", "--as=yanka"), "acknowledge", office="BY"),
    Command("refuse", ("refuse", "{w}/envelope.vlz", "--reason=contents", "-o", "{out}", "--as=yanka"), office="BY"),
    Command("rewrap", ("rewrap", "{w}/single.vlz", "--to-officer=alena", "-o", "{out}", "--as=yanka"), office="BY", enters=False),
    Command("countersign", ("countersign", "{w}/answer.vls", "--envelope", "{w}/envelope.vlz", "-o", "{out}", "--as=maryna"), "countersign", "BY"),
    Command("receipt verify", ("receipt", "verify", "{w}/receipt.vls"), "verify", output=False),
    Command("withdraw", ("withdraw", "{w}/envelope.vlz", "--reason=a mistake"), output=False),
    Command("credential issue", ("credential", "issue", "timur:seal,open:2:Timur Aliev", "--unprotected"), output=False),
    Command("roster publish", ("roster", "publish", "-o", "{out}")),
    Command("roster export", ("roster", "export", "-o", "{out}"), enters=False),
    Command("roster import", ("roster", "import", "{w}/BY.next.vls"), output=False),
    Command("agreement sign", ("agreement", "sign", "kz-by", "-o", "{out}"), enters=False),
    Command("agreement terminate", ("agreement", "terminate", "kz-by", "--takes-effect=2030-01-01T00:00:00Z", "-o", "{out}"), enters=False),
    Command("agreement adopt", ("agreement", "adopt", "{w}/end.vls"), output=False),
    Command("register checkpoint", ("register", "checkpoint", "--for=BY-MFA", "-o", "{out}")),
    Command("register cosign", ("register", "cosign", "{w}/KZ.request", "-o", "{out}"), office="BY"),
    Command("register import", ("register", "import", "{w}/KZ.cosigned"), output=False),
    Command("register backup", ("register", "backup", "-o", "{out}"), enters=False),
    Command("register restore", ("register", "restore", "{w}/KZ.backup", "--replace"), output=False),
)
READS_REGISTER: Final = {"rewrap", "register backup"}  # and SQLite does not read where it cannot write


@pytest.fixture(scope="module")
def before(exchange: Exchange, tmp_path_factory: pytest.TempPathFactory) -> dict[str, World]:
    """The exchange before its steps, with what the other commands here need."""
    folder = tmp_path_factory.mktemp("before")
    worlds = {}
    for name, world in exchange.before.items():
        copy = world.copy(folder / name)
        copy.seal("--addressee=Yanka Kupava", "--single", name="single.vlz")
        other = copy.copy(folder / "other")
        other.by.works("roster", "publish", "-o", copy.path("BY.next.vls"))
        other.kz.works("agreement", "terminate", "kz-by", "--takes-effect=2030-01-01T00:00:00Z", "-o", copy.path("end.vls"))
        other.kz.works("register", "checkpoint", "--for=BY-MFA", "-o", copy.path("KZ.request"))
        other.by.works("register", "cosign", copy.path("KZ.request"), "-o", copy.path("KZ.cosigned"))
        other.kz.works("register", "backup", "-o", copy.path("KZ.backup"))
        shutil.rmtree(folder / "other")
        worlds[name] = copy
    return worlds


def refused(words: Iterable[str | Path], folders: list[Path], known: list[str]) -> None:
    """The command ends with 7, and leaves nothing."""
    assert_failed(run(*words), 7)
    assert listing(*folders) == known


def full(words: list[str], disk: Disk, folders: list[Path]) -> None:
    """Run a command with less and with more room on the disk: it ends with 7 and leaves nothing, or does all. With none left it cannot."""
    known = listing(*folders)
    for room in ROOM:
        disk.fill(room)
        done = run(*words)
        disk.empty()
        if done.code == 0:
            assert room > 0
            return
        assert_failed(done, 7)
        assert listing(*folders) == known, f"with {room} bytes of room"
    again = run(*words)
    assert again.code == 0, again.err


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.output], ids=lambda command: command.name)
def test_an_output_that_cannot_be_written(command: Command, before: dict[str, World], disk: Disk, tmp_path: Path) -> None:
    world = before[command.before].copy(tmp_path / "world")
    words = command.typed(world, disk.path / "output")
    known = listing(world.folder, disk.path)
    disk.read_only()
    if command.name == "roster publish":  # it is in force before it is written for the other side, and told so
        done = run(*words)
        assert_failed(done, 7)
        assert "roster export" in done.hint
    else:
        refused(words, [world.folder, disk.path], known)
    disk.writable()
    full(words, disk, [disk.path])
    assert (disk.path / "output").exists()
    assert left_over(World(disk.path)) == left_over(world) == []


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.enters], ids=lambda command: command.name)
def test_an_office_that_cannot_be_written(command: Command, before: dict[str, World], disk: Disk, tmp_path: Path) -> None:
    world = before[command.before].copy(disk.path)
    words = command.typed(world, tmp_path / "output")
    known = listing(world.folder, tmp_path)
    disk.read_only()
    refused(words, [world.folder, tmp_path], known)
    disk.writable()
    full(words, disk, [tmp_path])
    assert (tmp_path / "output").exists() == command.output
    assert left_over(world) == []
    for office in (world.kz, world.by):
        assert office.works("register", "verify", "--json").facts["holds"]


@pytest.mark.parametrize("command", [c for c in COMMANDS if not c.enters], ids=lambda command: command.name)
def test_an_office_that_is_only_read_is_enough_for_what_enters_nothing(
    command: Command, before: dict[str, World], disk: Disk, tmp_path: Path
) -> None:
    world = before[command.before].copy(disk.path)
    disk.read_only()
    done = run(*command.typed(world, tmp_path / "output"))
    if command.name in READS_REGISTER:
        assert_failed(done, 7)
    else:
        assert done.code == 0, done.err


@pytest.mark.parametrize("where", ["output", "office"])
def test_sealing(where: str, before: dict[str, World], disk: Disk, tmp_path: Path) -> None:
    """Whatever was entered and got no name is withdrawn, and one envelope is outstanding at the end."""
    world = before["seal"].copy(tmp_path / "world" if where == "output" else disk.path)
    out = (disk.path if where == "output" else tmp_path) / "envelope.vlz"
    words = [str(word) for word in (*world.order(), "-o", out, "--home", world.kz.home)]
    known = listing(world.folder, disk.path, tmp_path)
    disk.read_only()
    refused(words, [world.folder, disk.path, tmp_path], known)
    disk.writable()
    full(words, disk, [disk.path, tmp_path])
    assert run("verify", out, "--home", world.by.home).code == 0
    listed = world.kz.works("register", "list", "--json").facts["envelopes"]
    assert sorted({envelope["verdict"] for envelope in listed}) in (["outstanding"], ["outstanding", "withdrawn"])
    assert len([envelope for envelope in listed if envelope["verdict"] == "outstanding"]) == 2, "this one, and the one sealed before"
    assert world.kz.works("register", "verify", "--json").facts["holds"]


def _init(home: Path, body: str, *more: str | Path) -> list[str]:
    words = ["office", "init", home, "--party=KZ", f"--body={body}", "--officer=timur:seal,open:2:Timur Aliev", "--unprotected", *more]
    return [str(word) for word in words]


def test_making_an_office(disk: Disk) -> None:
    words = _init(disk.path / "office", "KZ-MFA", "--degrees=1,2,3")
    disk.read_only()
    refused(words, [disk.path], [])
    disk.writable()
    full(words, disk, [disk.path])
    assert run("office", "show", "--home", disk.path / "office").code == 0


def test_making_an_office_under_a_root_that_cannot_be_written(before: dict[str, World], disk: Disk, tmp_path: Path) -> None:
    world = before["seal"].copy(disk.path)
    words = _init(tmp_path / "office", "KZ-MOD", "--root-office", world.kz.home)
    known = listing(world.folder, tmp_path)
    disk.read_only()
    refused(words, [world.folder, tmp_path], known)
    disk.writable()
    full(words, disk, [world.folder, tmp_path])
    assert run("office", "show", "--home", tmp_path / "office").code == 0
