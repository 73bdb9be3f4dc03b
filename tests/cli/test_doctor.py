"""A real office, broken in each way; the doctor sees it, says how to mend it, and changes nothing."""

from __future__ import annotations

import fcntl
import os
import re
import shlex
import shutil
import sqlite3
import subprocess
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.support.cli import Office, Outcome, World, assert_failed, fails, found_world, run, works

from valiza.keys.keyfile import Argon2Cost, load_key, save_key
from valiza.office import health

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DAY: Final = 86400


@dataclass(frozen=True)
class Told:
    """What the doctor said."""

    code: int
    facts: Any

    def of(self, check: str, level: str) -> list[dict[str, str]]:
        return [f for f in self.facts["findings"] if (f["check"], f["level"]) == (check, level)]

    def one(self, check: str, level: str, words: str) -> dict[str, str]:
        """The finding that says these words."""
        found = [f for f in self.of(check, level) if words in f["what"]]
        assert len(found) == 1, self.facts["findings"]
        return found[0]


def _examined(office: Office) -> Told:
    done: Outcome = office.run("doctor", "--json")
    assert done.code in {0, 6}, done.err
    told = Told(done.code, done.facts)
    assert told.facts["problems"] == sum(f["level"] == "problem" for f in told.facts["findings"])
    assert (told.code == 6) is (told.facts["problems"] > 0)
    return told


def _state(folder: Path) -> dict[str, tuple[int, int, int]]:
    return {str(path): (path.lstat().st_mtime_ns, path.lstat().st_mode, path.lstat().st_size) for path in [folder, *folder.rglob("*")]}


@pytest.fixture
def office(world: World) -> Office:
    return world.by


# -- a sound one -----------------------------------------------------------------------------------------------------------


def test_nothing_is_wrong(office: Office) -> None:
    told = _examined(office)
    assert told.facts["problems"] == 0, told.facts["findings"]
    assert [f["check"] for f in told.facts["findings"] if f["level"] == "note" and f["check"] not in {"keys", "addressees", "memory", "clock"}] == []
    assert {f["check"] for f in told.facts["findings"]} == {*health.CHECKS, "defaults"}


def test_nothing_is_changed_and_no_passphrase_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VALIZA_PASSPHRASE", "secret")
    world = found_world(tmp_path / "locked", passphrase=True)
    monkeypatch.delenv("VALIZA_PASSPHRASE")
    (world.kz.home / f".valiza-{16 * 'b'}").write_bytes(b"left")
    before = _state(world.folder)
    told = _examined(world.kz)
    assert _state(world.folder) == before
    assert told.of("keys", "note") == []


def test_shown_to_people(office: Office) -> None:
    office.home.chmod(0o755)
    done = office.run("doctor")
    assert done.code == 6
    assert f"problem  files: others may enter this folder (mode 0755)  ({office.home})" in done.out
    assert f"→ chmod 0700 {office.home}" in done.out
    assert re.search(r"^1 problems, \d+ notes$", done.out, re.MULTILINE)


def test_what_is_to_be_typed_can_be_typed(office: Office) -> None:
    """Every chmod that is told mends what it is told for."""
    for path, mode in ((office.home, 0o777), (office.home / "keys" / "yanka", 0o750), (office.home / "keys" / "yanka" / "open.key", 0o644)):
        path.chmod(mode)
    (office.home / "office.toml").chmod(0o666)
    wrong = _examined(office).of("files", "problem")
    assert len(wrong) == 4
    for finding in wrong:
        subprocess.run(shlex.split(finding["mend"]), check=True)
    assert _examined(office).code == 0


# -- files -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "mode", "words"),
    [
        ("", 0o755, "enter this folder"),
        ("keys", 0o710, "enter this folder"),
        ("keys/yanka/open.key", 0o640, "read this private key"),
        ("register.db", 0o644, "use this file"),
        ("rosters/BY-000001.vls", 0o622, "use this file"),
    ],
)
def test_modes(name: str, mode: int, words: str, office: Office) -> None:
    path = office.home / name
    path.chmod(mode)
    assert _examined(office).one("files", "problem", words)["where"] == str(path)


def test_owner(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() == 0:
        os.chown(office.home / "office.toml", 12345, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert any("belongs to user" in f["what"] for f in _examined(office).of("files", "problem"))


def test_link_and_pipe(office: Office) -> None:
    (office.home / "keys" / "elsewhere").symlink_to("/")
    os.mkfifo(office.home / "pipe")
    told = _examined(office)
    told.one("files", "note", "it is a link")
    told.one("files", "problem", "neither a file nor a folder")


def test_folder_above_that_anybody_can_write(world: World) -> None:
    world.folder.chmod(0o777)
    assert _examined(world.by).one("above", "problem", "anybody")["where"] == str(world.folder)
    world.folder.chmod(0o1777)
    assert _examined(world.by).of("above", "problem") == []


def test_left_of_an_interrupted_command(office: Office) -> None:
    left = office.home / "keys" / f".valiza-{16 * 'c'}"
    left.mkdir()
    finding = _examined(office).one("leftovers", "note", "interrupted")
    assert finding["where"] == str(left)
    works(*shlex.split(finding["mend"])[1:])
    assert _examined(office).of("leftovers", "note") == []


def test_what_a_living_command_writes_is_left_alone(office: Office) -> None:
    left = office.home / f".valiza-{16 * 'd'}"
    left.write_bytes(b"")
    with left.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert _examined(office).of("leftovers", "note") == []


@pytest.mark.parametrize(("free", "level"), [(1 << 20, "problem"), (500 << 20, "note"), (100 << 30, "ok")])
def test_disk_space(free: int, level: str, office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    true = os.statvfs(office.home)
    told = os.statvfs_result((4096, 4096, free >> 12, free >> 12, free >> 12, *tuple(true)[5:]))
    monkeypatch.setattr(os, "statvfs", lambda _: told)
    assert len(_examined(office).of("disk", level)) == 1


# -- keys and credentials --------------------------------------------------------------------------------------------------


def test_keys_whose_passphrase_is_cheap_to_guess_at(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a program with another idea of what is enough wrote them."""
    seal = office.home / "keys" / "yanka" / "open.key"
    key = load_key(seal, lambda: "")
    seal.unlink()
    save_key(seal, key, passphrase="x", random=os.urandom, cost=Argon2Cost(2, 65536))
    finding = _examined(office).one("keys", "note", "cheap to guess at")
    assert "1 keys of 'yanka'" in finding["what"]
    monkeypatch.setenv("VALIZA_PASSPHRASE", "x")
    monkeypatch.setenv("VALIZA_NEW_PASSPHRASE", "y")
    assert run(*shlex.split(finding["mend"])[1:]).code == 0
    assert [f for f in _examined(office).of("keys", "note") if "cheap" in f["what"]] == []


def test_keys_without_a_passphrase(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    finding = _examined(office).one("keys", "note", "'yanka' have no passphrase")
    monkeypatch.setenv("VALIZA_NEW_PASSPHRASE", "secret")
    works(*shlex.split(finding["mend"])[1:])
    assert [f for f in _examined(office).of("keys", "note") if "'yanka'" in f["what"]] == []


def test_key_of_another(office: Office) -> None:
    keys = office.home / "keys"
    shutil.copy(keys / "maryna" / "open.key", keys / "yanka" / "open.key")
    assert _examined(office).one("keys", "problem", "not the key that is certified")["where"] == str(keys / "yanka" / "open.key")


def test_root_key_of_another(world: World) -> None:
    shutil.copy(world.kz.home / "keys" / "office" / "root.key", world.by.home / "keys" / "office" / "root.key")
    _examined(world.by).one("keys", "problem", "not the key that is certified")


def test_damaged_key(office: Office) -> None:
    (office.home / "keys" / "yanka" / "open.key").write_bytes(b"nonsense")
    _examined(office).one("keys", "problem", "cannot be read as a key")


def test_missing_key(office: Office) -> None:
    (office.home / "keys" / "yanka" / "open.key").unlink()
    (office.home / "keys" / "office" / "certify.key").unlink()
    told = _examined(office)
    told.one("keys", "problem", "the open key of 'yanka' is not here")
    told.one("keys", "note", "the certify key of 'office' is not here")


def test_key_without_credential(office: Office) -> None:
    (office.home / "credentials" / "yanka" / "open.vls").unlink()
    _examined(office).one("keys", "note", "no credential here belongs to this key")


def test_credential_in_no_roster(office: Office) -> None:
    office.works("credential", "issue", "nova:open:1", "--unprotected")
    finding = _examined(office).one("credentials", "problem", "in no roster")
    assert "roster publish" in finding["mend"]
    office.works("roster", "publish", "-o", office.home.parent / "new.vls")
    assert _examined(office).of("credentials", "problem") == []


def test_only_one_addressee(world: World) -> None:
    """Kazakhstan's test office has nobody else who opens."""
    finding = _examined(world.kz).one("addressees", "note", "only one officer of KZ/KZ-MFA")
    assert "credential issue" in finding["mend"]


# -- what ends -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "where", "words"),
    [
        (0, "rosters ok", "the roster of KZ, version 1"),
        (340, "rosters note", "the roster of KZ, version 1"),
        (366, "rosters problem", "expired 1 day ago"),
        (1800, "credentials note", "the open credential of 'yanka' expires in 2"),
        (1826, "credentials problem", "the open credential of 'yanka' expired 1 day ago"),
        (3640, "rosters note", "the root of KZ expires in"),
        (3651, "rosters problem", "the root of KZ expired"),
    ],
)
def test_what_expires(days: int, where: str, words: str, office: Office, travel: Callable[[int], None]) -> None:
    check, level = where.split()
    travel(days * DAY + 3600)
    found = [f for f in _examined(office).of(check, level) if words in f["what"]]
    assert found
    assert all(f["mend"] for f in found if level != "ok")


def test_own_roster_is_renewed_by_what_is_told(office: Office, travel: Callable[[int], None], tmp_path: Path) -> None:
    travel(340 * DAY)
    (finding,) = [f for f in _examined(office).of("rosters", "note") if "roster of BY" in f["what"]]
    works(*[word if word != "FILE" else str(tmp_path / "BY.vls") for word in shlex.split(finding["mend"])[1:]])
    assert [f for f in _examined(office).of("rosters", "note") if "roster of BY" in f["what"]] == []


def test_agreement_that_ends(world: World, travel: Callable[[int], None]) -> None:
    end = world.path("end.vls")
    world.kz.works("agreement", "terminate", "kz-by", "--takes-effect=2099-06-01T00:00:00Z", "-o", end)
    world.by.works("agreement", "adopt", end)
    assert _examined(world.by).of("agreements", "problem") == []
    import time  # noqa: PLC0415 - for this test only

    travel(4_083_955_200 - int(time.time()) - 10 * DAY)
    _examined(world.by).one("agreements", "note", "expires in")
    travel(4_083_955_200 - int(time.time()) + 2 * DAY)
    _examined(world.by).one("agreements", "problem", "kz-by")


def test_agreement_that_is_missing_or_damaged(office: Office) -> None:
    (path,) = (office.home / "agreements").iterdir()
    raw = path.read_bytes()
    path.write_bytes(raw[:-1] + bytes([raw[-1] ^ 1]))
    _examined(office).one("agreements", "problem", "cannot be read")
    path.unlink()
    _examined(office).one("agreements", "note", "no agreement")


# -- trust -----------------------------------------------------------------------------------------------------------------


def test_roster_that_is_damaged_or_missing(office: Office) -> None:
    path = office.home / "rosters" / "KZ-000001.vls"
    raw = path.read_bytes()
    path.write_bytes(raw[:-1] + bytes([raw[-1] ^ 1]))
    _examined(office).one("rosters", "problem", "KZ-000001.vls")
    path.unlink()
    _examined(office).one("rosters", "problem", "no roster of KZ")


def test_pinned_root_that_is_damaged(office: Office) -> None:
    (office.home / "roots" / "KZ").write_text("nonsense", encoding="utf-8")
    assert _examined(office).of("rosters", "problem")


def test_alone_in_the_world(tmp_path: Path) -> None:
    works("office", "init", tmp_path / "new", "--party=KZ", "--body=KZ-MFA", "--degrees=1", "--unprotected")
    told = _examined(Office(tmp_path / "new", "KZ", tmp_path))
    assert told.code == 0
    told.one("rosters", "note", "no other party")
    told.one("agreements", "note", "no agreement")
    told.one("register", "note", "no register yet")


# -- register and clock ----------------------------------------------------------------------------------------------------


def test_damaged_register(office: Office) -> None:
    path = office.home / "register.db"
    raw = bytearray(path.read_bytes())
    raw[4096:8192] = os.urandom(4096)
    path.write_bytes(raw)
    assert _examined(office).of("register", "problem")
    path.write_bytes(b"no database at all" * 100)
    _examined(office).one("register", "problem", "cannot be read")


def test_register_of_another_version(office: Office) -> None:
    with sqlite3.connect(office.home / "register.db") as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    _examined(office).one("register", "problem", "version 99")


def test_register_after_a_crash(world: World) -> None:
    """The log that a killed command left is a note, its entries are read, and it stays as it is."""
    world.seal()
    home = world.kz.home
    with sqlite3.connect(home / "register.db") as database:
        database.execute("PRAGMA wal_autocheckpoint = 0")
        database.execute("CREATE TABLE crash (x)")
        database.commit()
        copy = world.folder / "crashed"
        shutil.copytree(home, copy)
    database.close()
    assert (copy / "register.db-wal").stat().st_size > 0
    told = _examined(Office(copy, "KZ", world.kz.roster))
    told.one("register", "note", "not taken in")
    assert told.code == 0


def test_clock_behind_the_register(world: World, travel: Callable[[int], None]) -> None:
    world.seal()
    travel(-3600)
    told = _examined(world.kz)
    told.one("register", "problem", "still to come")
    assert "clock" in told.of("register", "problem")[0]["mend"]


def test_clock_behind_the_program(office: Office, travel: Callable[[int], None]) -> None:
    travel(-3 * DAY)
    told = _examined(office)
    told.one("clock", "problem", "was there on")
    assert told.of("rosters", "problem")


def test_library_that_is_too_old(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    true = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: "49.0.1" if name == "cryptography" else true(name))
    assert "50" in _examined(office).one("libraries", "problem", "cryptography 49.0.1")["what"]


def test_defaults_that_cannot_be_read(office: Office) -> None:
    """Every other command refuses to work then; this one says why."""
    path = office.home / "defaults.toml"
    path.write_text("yes = true\n", encoding="utf-8")
    office.fails(2, "register", "list")
    assert str(path) in _examined(office).one("defaults", "problem", "'yes'")["what"]


# -- what is no office -----------------------------------------------------------------------------------------------------


def test_no_office(tmp_path: Path) -> None:
    assert "no office was named" in fails(2, "doctor").error
    fails(7, "doctor", "--home", tmp_path / "missing")
    fails(2, "doctor", "--home", tmp_path)
    (tmp_path / "file").write_bytes(b"")
    fails(7, "doctor", "--home", tmp_path / "file")


def test_office_file_that_is_damaged(office: Office) -> None:
    (office.home / "office.toml").write_text("party =", encoding="utf-8")
    done = run("doctor", "--home", office.home)
    assert_failed(done, 3)
