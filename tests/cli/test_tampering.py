"""Every byte of what is signed, damaged in three ways, is refused as malformed (3) or not authentic (4), and leaves nothing behind.

The objects are as small as they can be, and the commands run in this process: it is some hundred thousand runs.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from tests.support.cli import VALIZA, Office, World, found_world, listing, program, run

if TYPE_CHECKING:
    from collections.abc import Iterator

REFUSED: Final = {3, 4}
COMMANDS: Final = ("verify", "open", "countersign", "receipt verify", "credential verify", "agreement adopt")
OTHERS: Final = ("open --rewrap", "roster import", "agreement sign", "agreement adopt, a termination")  # every eighth byte of what these read
WAYS: Final = ("flip", "cut", "insert")
PARTS: Final = 8  # each test takes every eighth byte, so that workers share them
CASES: Final = [(command, part) for command in COMMANDS for part in range(PARTS)] + [(command, 1) for command in OTHERS]
SAMPLE: Final = 40


def damaged(good: bytes, way: str, at: int) -> bytes:
    """A copy with one bit flipped in the byte `at`, cut off before it, or with a byte put in before it."""
    if way == "cut":
        return good[:at]
    if way == "insert":
        return good[:at] + bytes([(151 * at + 89) % 256]) + good[at:]
    return good[:at] + bytes([good[at] ^ (1 << at % 8)]) + good[at + 1 :]


@dataclass(frozen=True)
class Target:
    """A command, the object that it verifies, and the office that has not seen it yet."""

    office: Office
    command: tuple[str | Path, ...]
    path: Path
    options: tuple[str | Path, ...] = ()

    def arguments(self, path: Path) -> list[str | Path]:
        """The command on a file."""
        return [*self.command, path, *self.options, "--home", self.office.home]

    @property
    def folders(self) -> tuple[Path, Path]:
        """Where something could be left: beside the output, and in the office."""
        return self.path.parent, self.office.home


@pytest.fixture(scope="session")
def targets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Target]:
    """For each command an office at the stage where it would accept the object."""
    base = tmp_path_factory.mktemp("tampering")
    empty = found_world(base / "founded", Path(__file__).with_name("short.toml"))
    sealed = empty.copy(base / "sealed")
    sealed.path("carrier").write_bytes(b"x")
    envelope = sealed.seal("--agreement=short", "--addressee=Yanka Kupava", "--single", files=[sealed.path("carrier")])
    opened = sealed.copy(base / "opened")
    opened.open(opened.path("envelope.vlz"))
    opened.by.works("rewrap", envelope, "--to-officer=alena", "-o", sealed.path("rewrap.vls"), "--as=yanka")
    opened.kz.works("agreement", "terminate", "short", "--takes-effect=2099-01-01T00:00:00Z", "-o", sealed.path("termination.vls"))
    opened.kz.works("roster", "publish", "-o", sealed.path("roster.vls"))
    answer = opened.acknowledge(opened.path("envelope.vlz"))
    finished = opened.copy(base / "finished")
    receipt = finished.countersign(finished.path(answer.name), finished.path("envelope.vlz"))
    for office in (empty.kz, empty.by):
        for adopted in (office.home / "agreements").iterdir():
            adopted.unlink()
    return {
        "verify": Target(sealed.by, ("verify",), envelope),
        "open": Target(sealed.by, ("open",), envelope, ("-o", sealed.path("out"), "--as", "yanka")),
        "countersign": Target(
            opened.by, ("countersign",), answer, ("--envelope", opened.path("envelope.vlz"), "-o", opened.path("out"), "--as", "maryna")
        ),
        "receipt verify": Target(sealed.kz, ("receipt", "verify"), receipt),
        "credential verify": Target(sealed.by, ("credential", "verify"), sealed.kz.home / "credentials" / "aigul" / "seal.vls"),
        "agreement adopt": Target(empty.kz, ("agreement", "adopt"), empty.agreement),
        "open --rewrap": Target(sealed.by, ("open", envelope, "--rewrap"), sealed.path("rewrap.vls"), ("-o", sealed.path("out"), "--as", "alena")),
        "roster import": Target(sealed.by, ("roster", "import"), sealed.path("roster.vls")),
        "agreement sign": Target(empty.by, ("agreement", "sign"), empty.path("agreement.half.vls"), ("-o", empty.path("out"))),
        "agreement adopt, a termination": Target(sealed.by, ("agreement", "adopt"), sealed.path("termination.vls")),
    }


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    return tmp_path / "bad"


@pytest.mark.slow
@pytest.mark.parametrize(("command", "part"), CASES)
@pytest.mark.parametrize("way", WAYS)
def test_every_byte(command: str, way: str, part: int, targets: dict[str, Target], bad: Path) -> None:
    target = targets[command]
    good = target.path.read_bytes()
    arguments = target.arguments(bad)
    before, register = listing(*target.folders), target.office.run("register", "list", "--json").out
    for at in range(part, len(good), PARTS):
        bad.write_bytes(damaged(good, way, at))
        done = run(*arguments)
        assert done.code in REFUSED, f"{way} at byte {at} of {len(good)}: exit {done.code}, {done.err}{done.out}"
        assert done.out == ""
        assert "Traceback" not in done.err
    assert listing(*target.folders) == before
    assert target.office.run("register", "list", "--json").out == register


@pytest.mark.parametrize("command", [*COMMANDS, *OTHERS])
def test_undamaged_is_accepted(command: str, targets: dict[str, Target], tmp_path: Path) -> None:
    """The counterpart: each command would have ended well."""
    target = targets[command]
    here = World(target.office.home.parent).copy(tmp_path / "here")
    moved = [str(word).replace(str(target.office.home.parent), str(here.folder)) for word in target.arguments(target.path)]
    assert run(*moved).code == 0


def _sample() -> Iterator[tuple[str, str, float]]:
    draw = random.Random(2026)  # noqa: S311 - the same cases each time
    for number in range(SAMPLE):
        yield (*COMMANDS, *OTHERS)[number % 10], draw.choice(WAYS), draw.random()


@pytest.mark.slow
@pytest.mark.parametrize(("command", "way", "place"), list(_sample()))
def test_the_program_itself(command: str, way: str, place: float, targets: dict[str, Target], bad: Path) -> None:
    """A few of the same, as a shell would run them."""
    assert VALIZA.is_file()
    target = targets[command]
    good = target.path.read_bytes()
    bad.write_bytes(damaged(good, way, int(place * len(good))))
    before = listing(*target.folders)
    done = program(*target.arguments(bad))
    assert done.code in REFUSED, done.err
    assert done.out == ""
    assert "Traceback" not in done.err
    assert done.error
    assert listing(*target.folders) == before


def test_each_way_of_damage_damages() -> None:
    """Test of the test: no damaged copy is the original."""
    good = bytes(range(256))
    assert [(way, at) for way in WAYS for at in range(256) if damaged(good, way, at) == good] == []
