"""Changing passphrases: all keys or none, in the place of the old files, and nothing of the old ones stays."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Final

import pexpect
import pytest
from tests.support.cli import VALIZA, World, fails, found_world, listing

from valiza.keys.files import replace_files
from valiza.keys.keyfile import public_part

if TYPE_CHECKING:
    from pathlib import Path

OLD: Final = "old secret"
NEW: Final = "жаңа құпия"


@pytest.fixture(scope="module")
def protected(tmp_path_factory: pytest.TempPathFactory) -> World:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VALIZA_PASSPHRASE", OLD)
        return found_world(tmp_path_factory.mktemp("protected"), passphrase=True)


@pytest.fixture
def locked(protected: World, tmp_path: Path) -> World:
    return protected.copy(tmp_path / "world")


def _keys(home: Path, officer: str = "*") -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in home.glob(f"keys/{officer}/*.key")}


def _seals(world: World, name: str = "e.vlz") -> int:
    return world.kz.run(*world.order("-o", world.path(name))).code


def test_keys_of_one_officer(locked: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VALIZA_PASSPHRASE", OLD)
    monkeypatch.setenv("VALIZA_NEW_PASSPHRASE", NEW)
    before, others = _keys(locked.kz.home, "aigul"), _keys(locked.kz.home, "office")
    done = locked.kz.works("key", "passphrase", "--as=aigul", "--json")
    assert done.facts == {"changed": [{"officer": "aigul", "purpose": p} for p in ("open", "seal")], "protected": True}
    after = _keys(locked.kz.home, "aigul")
    assert set(after) == set(before)
    assert not set(after.values()) & set(before.values())
    assert _keys(locked.kz.home, "office") == others
    assert [path.stat().st_mode & 0o777 for path in after] == [0o600, 0o600]
    assert _seals(locked) == 5
    monkeypatch.setenv("VALIZA_PASSPHRASE", NEW)
    assert _seals(locked) == 0


def test_all_keys_and_nothing_of_the_old_ones_stays(locked: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VALIZA_PASSPHRASE", OLD)
    monkeypatch.setenv("VALIZA_NEW_PASSPHRASE", NEW)
    before, names = _keys(locked.kz.home), listing(locked.kz.home)
    locked.kz.works("key", "passphrase", "--all")
    assert set(_keys(locked.kz.home)) == set(before)
    assert listing(locked.kz.home) == names
    held = b"".join(path.read_bytes() for path in locked.kz.home.rglob("*") if path.is_file())
    assert [path for path, raw in before.items() if raw in held] == []
    monkeypatch.setenv("VALIZA_PASSPHRASE", NEW)
    locked.kz.works("roster", "publish", "-o", locked.path("KZ-2.vls"))


def test_passphrase_is_taken_off_only_when_confirmed(locked: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VALIZA_PASSPHRASE", OLD)
    before = _keys(locked.kz.home)
    assert "--yes" in locked.kz.fails(2, "key", "passphrase", "--as=aigul", "--unprotected").hint
    assert _keys(locked.kz.home) == before
    done = locked.kz.works("key", "passphrase", "--as=aigul", "--unprotected", "--yes")
    assert "without a passphrase" in done.err
    assert not any(public_part(path).protected for path in _keys(locked.kz.home, "aigul"))
    monkeypatch.delenv("VALIZA_PASSPHRASE")
    assert _seals(locked) == 0


def test_passphrase_is_put_on(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys made without one need no old passphrase."""
    monkeypatch.setenv("VALIZA_NEW_PASSPHRASE", NEW)
    world.kz.works("key", "passphrase", "--all")
    assert all(public_part(path).protected for path in _keys(world.kz.home))
    assert _seals(world) == 2
    monkeypatch.setenv("VALIZA_PASSPHRASE", NEW)
    assert _seals(world) == 0


def test_at_a_terminal(locked: World) -> None:
    words = ["key", "passphrase", "--as", "aigul", "--home", str(locked.kz.home)]
    terminal = pexpect.spawn(str(VALIZA), words, encoding="utf-8", timeout=60)
    terminal.expect("Passphrase: ")
    terminal.sendline(OLD)
    for typed in (NEW, "a mistake", NEW, NEW):
        terminal.expect("(New passphrase|Repeat for confirmation): ")
        terminal.sendline(typed)
    terminal.expect(pexpect.EOF)
    shown = terminal.before or ""
    terminal.close()
    assert terminal.exitstatus == 0, shown
    assert NEW not in shown
    assert OLD not in shown


def test_wrong_old_one_is_told_before_a_new_one_is_asked(locked: World) -> None:
    before = _keys(locked.kz.home)
    words = ["key", "passphrase", "--as", "aigul", "--home", str(locked.kz.home)]
    terminal = pexpect.spawn(str(VALIZA), words, encoding="utf-8", timeout=60)
    terminal.expect("Passphrase: ")
    terminal.sendline("wrong")
    terminal.expect(pexpect.EOF)
    shown = terminal.before or ""
    terminal.close()
    assert terminal.exitstatus == 5, shown
    assert "New passphrase" not in shown
    assert _keys(locked.kz.home) == before


def test_one_key_with_another_passphrase_leaves_all_as_they_are(locked: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VALIZA_PASSPHRASE", OLD)
    monkeypatch.setenv("VALIZA_NEW_PASSPHRASE", NEW)
    locked.kz.works("key", "passphrase", "--as=aigul")
    before = _keys(locked.kz.home)
    done = locked.kz.fails(5, "key", "passphrase", "--all")
    assert "'aigul'" in done.error
    assert "--as NAME" in done.hint
    assert _keys(locked.kz.home) == before
    assert list(locked.kz.home.rglob(".valiza-*")) == []


def test_both_from_descriptors(locked: World) -> None:
    reading = []
    for text in (OLD, NEW):
        end, writing = os.pipe()
        os.write(writing, text.encode() + b"\n")
        os.close(writing)
        reading.append(end)
    words = ["key", "passphrase", "--all", "--home", str(locked.kz.home), f"--passphrase-fd={reading[0]}", f"--new-passphrase-fd={reading[1]}"]
    done = subprocess.run([VALIZA, *words], pass_fds=reading, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    for end in reading:
        os.close(end)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "whose keys"),
        (["--as=aigul", "--all"], "exclude"),
        (["--as=aigul", "--passphrase-fd=7", "--new-passphrase-fd=7"], "same file descriptor"),
        (["--as="], "''"),
        (["--as=aigul", "--new-passphrase-fd=99"], "descriptor 99"),
    ],
)
def test_wrong_usage(words: list[str], said: str, world: World) -> None:
    done = world.kz.run("key", "passphrase", *words)
    assert done.code in {2, 5}
    assert said in done.error


@pytest.mark.parametrize("new", ["", "\udcff"])
def test_new_one_that_is_none(new: str, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VALIZA_NEW_PASSPHRASE", new)
    before = _keys(world.kz.home)
    world.kz.fails(2, "key", "passphrase", "--all")
    assert _keys(world.kz.home) == before


def test_nobody_to_ask_for_the_new_one(world: World) -> None:
    assert "--new-passphrase-fd" in world.kz.fails(2, "key", "passphrase", "--all").hint


def test_officer_without_keys(world: World) -> None:
    done = world.kz.fails(5, "key", "passphrase", "--as=dana")
    assert "aigul" in done.hint
    assert "office" in done.hint


@pytest.mark.parametrize("kind", ["symbolic link", "second name"])
def test_key_file_that_is_a_link(kind: str, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old content would stay behind under the other name."""
    monkeypatch.setenv("VALIZA_NEW_PASSPHRASE", NEW)
    key, other = world.kz.home / "keys" / "aigul" / "seal.key", world.path("elsewhere.key")
    if kind == "second name":
        other.hardlink_to(key)
    else:
        key.rename(other)
        key.symlink_to(other)
    before = _keys(world.kz.home)
    assert "seal.key" in world.kz.fails(6, "key", "passphrase", "--all").error
    assert _keys(world.kz.home) == before


def test_damaged_key_is_named(world: World) -> None:
    path = world.kz.home / "keys" / "aigul" / "seal.key"
    path.write_bytes(b"nonsense")
    before = _keys(world.kz.home)
    assert str(path) in world.kz.fails(3, "key", "passphrase", "--all", "--unprotected", "--yes").error
    assert _keys(world.kz.home) == before


def test_no_room_changes_no_key(world: World) -> None:
    before = _keys(world.kz.home)
    env = {**os.environ, "VALIZA_NEW_PASSPHRASE": NEW}
    limited = ["sh", "-c", 'ulimit -f 0; exec "$@"', "sh", str(VALIZA), "key", "passphrase", "--all", "--home", str(world.kz.home)]
    done = subprocess.run(limited, capture_output=True, text=True, timeout=60, check=False, env=env)
    assert done.returncode == 7, done.stderr
    assert _keys(world.kz.home) == before
    assert list(world.kz.home.rglob(".valiza-*")) == []


def test_replacing_files_that_cannot_be_replaced_all(tmp_path: Path) -> None:
    """The second is refused before the first is touched."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_bytes(b"1")
    with pytest.raises(Exception, match="second"):
        replace_files({first: b"2", second: b"2"})
    assert first.read_bytes() == b"1"
    assert [path.name for path in tmp_path.iterdir()] == ["first"]


def test_two_at_once(world: World) -> None:
    import fcntl  # noqa: PLC0415 - this test only

    descriptor = os.open(world.kz.home / "keys", os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        assert "another command" in world.kz.fails(6, "key", "passphrase", "--all", "--unprotected", "--yes").error
    finally:
        os.close(descriptor)


def test_default_officer_is_not_meant(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose passphrase is changed is said each time."""
    monkeypatch.setenv("VALIZA_AS", "aigul")
    assert fails(2, "key", "passphrase", "--home", world.kz.home, "--unprotected", "--yes").error == "missing whose keys"
