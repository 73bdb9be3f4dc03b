"""The limits of the format from the command line, and a disk that is too small: told at once, with a documented exit code, and nothing left."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from tests.support.cli import VALIZA, Outcome, assert_failed, found_world
from tests.support.disks import mounted

from valiza.envelope.header import MAX_STANZAS
from valiza.envelope.manifest import MAX_CARRIERS
from valiza.envelope.payload import PayloadReader

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.support.cli import World

FAR_TOO_MANY: Final = 65_536
MEMORY: Final = 256 << 20  # bytes that the program may use for its limits' worth of carriers; it takes some 80 MiB


def bounded(*words: str | Path, cwd: Path | None = None) -> Outcome:
    """Run the program where it cannot have more memory than that."""
    script = f'ulimit -v {(MEMORY >> 10) * 4} && ulimit -d {MEMORY >> 10} && exec "$@"'  # addresses are not memory: threads reserve them
    done = subprocess.run(["/bin/sh", "-c", script, "sh", VALIZA, *words], capture_output=True, text=True, timeout=600, check=False, cwd=cwd)
    return Outcome(done.returncode, done.stdout, done.stderr)


def parcels(path: Path, count: int) -> Path:
    """An inventory of physical carriers."""
    if path.suffix == ".csv":
        text = "name,physical,mark\n" + "".join(f"parcel {number},yes,3\n" for number in range(count))
    else:
        text = "".join(f'[[carrier]]\nphysical = true\nname = "parcel {number}"\nmark = "3"\n' for number in range(count))
    path.write_text(text, encoding="utf-8")
    return path


def empty_files(folder: Path, count: int) -> list[Path]:
    """Files named by a few digits, relative to their folder: the system takes 2 MiB of arguments."""
    folder.mkdir()
    found = [Path(f"{number:05}") for number in range(count)]
    for path in found:
        (folder / path).touch()
    return found


# -- carriers --------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", ["list.csv", "list.toml"])
@pytest.mark.parametrize("count", [MAX_CARRIERS + 1, FAR_TOO_MANY])
def test_an_inventory_of_too_many_is_refused(world: World, name: str, count: int) -> None:
    inventory = parcels(world.path(name), count)
    done = bounded(*world.order("--inventory", inventory, files=[]), "-o", world.path("e.vlz"), "--home", world.kz.home)
    assert_failed(done, 6)
    assert done.error == f"an envelope has 1 to {MAX_CARRIERS} carriers, not {count}"
    assert not world.path("e.vlz").exists()
    assert world.kz.works("register", "list").out.strip() == ""


@pytest.mark.slow
def test_too_many_files_are_refused(world: World) -> None:
    files = empty_files(world.path("many"), FAR_TOO_MANY)
    done = bounded(*world.order(files=files), "-o", world.path("e.vlz"), "--home", world.kz.home, cwd=world.path("many"))
    assert_failed(done, 6)
    assert done.error == f"an envelope has 1 to {MAX_CARRIERS} carriers, not {FAR_TOO_MANY}"
    assert not world.path("e.vlz").exists()


def _exchange(world: World, order: Sequence[str | Path], cwd: Path | None = None) -> None:
    envelope, ack, receipt = (world.path(name) for name in ("e.vlz", "e.ack.vls", "e.receipt.vls"))
    home = ("--home", world.by.home)
    done = None
    for words in (
        (*order, "-o", envelope, "--home", world.kz.home),
        ("verify", envelope, *home),
        ("open", envelope, *home, "--as=yanka", "-o", world.path("opened")),
        ("acknowledge", envelope, *home, "-o", ack),
        ("countersign", ack, "--envelope", envelope, *home, "--as=maryna", "-o", receipt),
        ("receipt", "verify", receipt, "--home", world.kz.home),
    ):
        done = bounded(*words, cwd=cwd)
        assert done.code == 0, done.err[-1000:]
    assert done is not None
    assert done.out.startswith("verdict: delivered\n")


@pytest.mark.slow
def test_as_many_physical_carriers_as_there_may_be(world: World) -> None:
    _exchange(world, world.order("--inventory", parcels(world.path("list.csv"), MAX_CARRIERS), files=[]))
    assert list(world.path("opened").iterdir()) == []


@pytest.mark.slow
def test_as_many_files_as_there_may_be(world: World) -> None:
    files = empty_files(world.path("many"), MAX_CARRIERS)
    last = world.path("many") / files[-1]
    last.write_text("the last of them\n", encoding="utf-8")
    _exchange(world, world.order(files=files), cwd=world.path("many"))
    assert sorted(path.name for path in world.path("opened").iterdir()) == [path.name for path in files]
    assert (world.path("opened") / files[-1]).read_bytes() == last.read_bytes()


# -- addressees ------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("count", [MAX_STANZAS, MAX_STANZAS + 1])
def test_as_many_addressees_as_there_may_be_and_one_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    crowd = tuple(f"officer{number}:open,acknowledge:1:Officer {number}" for number in range(count))
    monkeypatch.setattr("tests.support.cli.BY_OFFICERS", crowd)
    world = found_world(tmp_path / "world")
    if count > MAX_STANZAS:
        done = world.kz.fails(6, *world.order("-o", world.path("e.vlz")))
        assert done.error == f"an envelope has 1 to {MAX_STANZAS} addressees, not {count}"
        world.kz.works(*world.order("-o", world.path("e.vlz")), "--addressee=Officer 0", f"--addressee=Officer {count - 1}")
    else:
        world.seal(name="e.vlz")
    assert len(world.by.works("verify", world.path("e.vlz"), "--json").facts["verified"]["addressees"]) == min(
        count, 2 if count > MAX_STANZAS else count
    )
    for name in ("officer0", f"officer{count - 1}"):
        opened = world.open(world.path("e.vlz"), name=f"opened by {name}", officer=name)
        assert (opened / "map.txt").read_bytes() == world.carrier.read_bytes()


# -- space -----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    with mounted(tmp_path / "disk", "256k") as disk:
        yield disk


def test_what_does_not_fit_is_refused_before_any_of_it_is_decrypted(world: World, small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [world.path(f"{number}.bin") for number in range(3)]
    for path in files:
        path.write_bytes(bytes(100_000))
    envelope, fitting = world.seal(files=files), world.seal(files=files[:2], name="fitting.vlz")
    with monkeypatch.context() as patch:
        patch.setattr(PayloadReader, "read_stream", lambda *_: pytest.fail("a carrier is decrypted"))
        done = world.by.fails(7, "open", envelope, "--as=yanka", "-o", small_disk / "opened")
    assert done.error.startswith("opening needs 307200 bytes in ")
    assert done.hint == "make room, or choose another disk with -o"
    assert list(small_disk.iterdir()) == []
    assert world.by.works("register", "list").out.strip() == ""
    world.by.works("open", fitting, "--as=yanka", "-o", small_disk / "opened")
    assert len(list((small_disk / "opened").iterdir())) == 2
    several = world.by.run("open", envelope, fitting, "--as=yanka", "-o", small_disk, "--json")
    assert several.code == 7
    assert several.out.count('"exit_code": 7') == 2
    assert [path.name for path in small_disk.iterdir()] == ["opened"]


def test_sealing_on_a_disk_that_is_too_small_leaves_nothing(world: World, small_disk: Path) -> None:
    large = world.path("large.bin")
    large.write_bytes(bytes(300_000))
    done = world.kz.run(*world.order("--each", files=[world.carrier, large, world.carrier.with_name("map.txt")]), "-o", small_disk, "--json")
    assert done.code == 7
    assert "no space left" in done.out
    assert [path.name for path in small_disk.iterdir()] == ["map.txt.vlz"]
    assert done.out.count('"sealed": true') == 1
    assert len(world.kz.works("register", "list", "--json").facts["envelopes"]) == 1
