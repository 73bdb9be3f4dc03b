"""Keys with a passphrase: asked at a terminal, read from a descriptor or the environment, and never shown."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import pexpect
import pytest
from tests.support.cli import VALIZA, Outcome, World, fails, found_world, leaves, listing, run, works

from valiza.keys import cost
from valiza.keys.keyfile import Argon2Cost, public_part

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRET: Final = "сакрэт 7 ☂"
NEW: Final = ("--party=KZ", "--body=KZ-MFA", "--degrees=1,2,3")


@pytest.fixture(scope="module")
def protected(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Both offices with keys under the passphrase, made once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VALIZA_PASSPHRASE", SECRET)
        return found_world(tmp_path_factory.mktemp("protected"), passphrase=True)


@pytest.fixture
def locked(protected: World, tmp_path: Path) -> World:
    """The same, this test's own."""
    return protected.copy(tmp_path / "world")


@contextmanager
def _written(passphrase: bytes) -> Iterator[int]:
    """A descriptor from which a passphrase can be read."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as pipe:
        pipe.write(passphrase)
    try:
        yield reading
    finally:
        os.close(reading)


def _given(passphrase: bytes, *words: str | Path, env: dict[str, str] | None = None) -> Outcome:
    """Run the program with a passphrase at descriptor 3 or above."""
    with _written(passphrase) as reading:
        done = subprocess.run(
            [VALIZA, *words, "--passphrase-fd", str(reading)],
            pass_fds=[reading], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False, env={**os.environ, **(env or {})},
        )  # fmt: skip
    return Outcome(done.returncode, done.stdout, done.stderr)


def _name(words: list[str | Path]) -> tuple[str, ...]:
    """The words that name the command of a command line."""
    return next(leaf for leaf in leaves() if tuple(map(str, words[: len(leaf)])) == leaf)


def _order(world: World) -> list[str | Path]:
    return [*world.order("-o", world.path("e.vlz")), "--home", world.kz.home]


# -- the right one ---------------------------------------------------------------------------------------------------------


def test_whole_exchange_from_the_environment(locked: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VALIZA_PASSPHRASE", SECRET)
    _, _, receipt = locked.exchange()
    monkeypatch.delenv("VALIZA_PASSPHRASE")
    assert locked.kz.works("receipt", "verify", receipt, "--json").facts["verdict"] == "delivered"  # needs no key


@pytest.mark.parametrize("ending", [b"", b"\n", b"\r\n", b"\nmore that is not read\n"], ids=["end", "newline", "return", "more lines"])
def test_from_a_descriptor(ending: bytes, locked: World) -> None:
    done = _given(SECRET.encode() + ending, *_order(locked))
    assert done.code == 0, done.err
    assert locked.path("e.vlz").exists()


def test_descriptor_wins_over_the_environment(locked: World) -> None:
    assert _given(SECRET.encode(), *_order(locked), env={"VALIZA_PASSPHRASE": "wrong"}).code == 0


def test_either_spelling_of_the_same_letters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VALIZA_PASSPHRASE", "e\u0301clair")
    assert run("office", "init", tmp_path / "kz", *NEW).code == 0
    monkeypatch.setenv("VALIZA_PASSPHRASE", "\u00e9clair")
    assert run("roster", "publish", "--home", tmp_path / "kz", "-o", tmp_path / "KZ.vls").code == 0


def test_at_a_terminal(locked: World) -> None:
    words = [str(word) for word in _order(locked)]
    terminal = pexpect.spawn(str(VALIZA), words, encoding="utf-8", timeout=60)
    terminal.expect("Passphrase.*: ")
    terminal.sendline(SECRET)
    terminal.expect(pexpect.EOF)
    shown = terminal.before or ""
    terminal.close()
    assert terminal.exitstatus == 0, shown
    assert SECRET not in shown


def test_question_before_the_passphrase(locked: World) -> None:
    """Nobody types a passphrase for what he then declines."""
    words = [str(word) for word in _order(locked) if word != "--yes"]
    terminal = pexpect.spawn(str(VALIZA), words, encoding="utf-8", timeout=60)
    terminal.expect("Seal this.*: ")
    assert "Passphrase" not in (terminal.before or "")
    terminal.sendline("y")
    terminal.expect("Passphrase.*: ")
    terminal.sendline(SECRET)
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 0
    assert locked.path("e.vlz").exists()


def test_at_a_terminal_asked_once_for_several_keys(locked: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Publishing a roster needs the roster key, passing on an envelope two keys of one officer."""
    monkeypatch.setenv("VALIZA_PASSPHRASE", SECRET)
    envelope = locked.seal("--addressee=Yanka Kupava", "--addressee=Maryna Bor")
    monkeypatch.delenv("VALIZA_PASSPHRASE")
    words = ["rewrap", envelope, "--to-officer", "alena", "-o", locked.path("r.vls"), "--as", "yanka", "--home", locked.by.home]
    terminal = pexpect.spawn(str(VALIZA), [str(word) for word in words], encoding="utf-8", timeout=60)
    terminal.expect("Passphrase.*: ")
    terminal.sendline(SECRET)
    terminal.expect(pexpect.EOF)
    assert "Passphrase" not in (terminal.before or "")
    terminal.close()
    assert terminal.exitstatus == 0


@pytest.mark.slow
def test_new_keys_at_a_terminal_are_asked_for_twice(tmp_path: Path) -> None:
    terminal = pexpect.spawn(str(VALIZA), ["office", "init", str(tmp_path / "kz"), *NEW], encoding="utf-8", timeout=60)
    for typed in (SECRET, "a typing mistake", SECRET, SECRET):
        terminal.expect(": $")
        terminal.sendline(typed)
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 0
    assert run("roster", "publish", "--home", tmp_path / "kz", "-o", tmp_path / "KZ.vls").code == 2
    assert _given(SECRET.encode(), "roster", "publish", "--home", tmp_path / "kz", "-o", tmp_path / "KZ.vls").code == 0


@pytest.mark.slow
def test_new_officer_in_a_protected_office(locked: World) -> None:
    """One passphrase for the body's key and the new one, given once."""
    done = _given(SECRET.encode(), "credential", "issue", "nurlan:seal:1", "--home", locked.kz.home)
    assert done.code == 0, done.err
    assert _given(SECRET.encode(), "roster", "publish", "--home", locked.kz.home, "-o", locked.path("KZ-2.vls")).code == 0
    assert _given(SECRET.encode(), *_order(locked), "--as", "nurlan").code == 0


def test_second_body_of_a_protected_party(locked: World) -> None:
    done = _given(SECRET.encode(), "office", "init", locked.path("archive"), *NEW[:1], "--body=KZ-ARCHIVE", NEW[2], "--root-office", locked.kz.home)
    assert done.code == 0, done.err


# -- a wrong one, or none --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", ["quite another", SECRET.upper(), SECRET + " ", " " + SECRET, SECRET[:-1]])
def test_wrong_passphrase(wrong: str, locked: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VALIZA_PASSPHRASE", wrong)
    before = listing(locked.folder)
    done = locked.kz.fails(5, *locked.order("-o", locked.path("e.vlz")))
    assert "wrong passphrase" in done.error
    assert wrong not in done.err
    assert listing(locked.folder) == before


@pytest.mark.slow
def test_wrong_passphrase_of_each_command_that_needs_a_key(locked: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the environment and from a descriptor, which wins; and with neither the command says how to give one."""
    monkeypatch.setenv("VALIZA_PASSPHRASE", SECRET)
    envelope = locked.seal("--addressee=Yanka Kupava", "--addressee=Maryna Bor")
    opened = locked.seal(name="opened.vlz")
    locked.open(opened)
    answered = locked.seal(name="answered.vlz")
    locked.open(answered, name="opened-2")
    answer = locked.acknowledge(answered)
    out = ("-o", locked.path("out"))
    draft: list[str | Path] = ["root", "draft", "--party=BY", "--name=en=BY", "--degrees=1", "--threshold=2"]
    for name in ("first", "second"):
        works("custodian", "new", "--party=BY", f"--name=en={name}", "-o", locked.path(name))
        draft += ["--custodian", locked.path(name) / "request.vls"]
    draft += ["--key", locked.path("first") / "custodian.key"]
    works(*draft, "-o", locked.path("begun.vls"))
    locked.by.works("register", "checkpoint", "-o", locked.path("head.request"))
    before = listing(locked.folder)
    commands: tuple[list[str | Path], ...] = (
        ["open", envelope, *out, "--as=yanka"],
        ["rewrap", envelope, "--to-officer=alena", *out, "--as=yanka"],
        ["acknowledge", opened, *out, "--as=yanka"],
        ["refuse", envelope, "--reason=other", *out, "--as=yanka"],
        ["countersign", answer, "--envelope", answered, *out, "--as=maryna"],
        ["roster", "publish", *out],
        ["agreement", "sign", "kz-by", *out],
        ["agreement", "terminate", "kz-by", "--takes-effect=2099-01-01T00:00:00Z", *out],
        ["credential", "issue", "nurlan:seal:1"],
        ["revocation", "make", "yanka", "--kind=suspended", "--reason=other"],
        ["designation", "make", "BY-NSC", "--role=competent", "--name=en=Committee", "--by-root", *out],
        ["office", "init", locked.path("archive"), "--party=BY", "--body=BY-ARCHIVE", "--root-office", locked.by.home],
        ["key", "passphrase", "--as=yanka"],
        ["key", "backup", locked.by.home / "keys" / "office" / "root.key", "--shares=2", "--threshold=2", *out],
        ["key", "check", "--as=yanka"],
        [*draft, *out],
        ["custodian", "sign", locked.path("begun.vls"), "--key", locked.path("second") / "custodian.key", *out],
        ["register", "show", envelope, "--manifest"],
        ["register", "checkpoint", *out],
        ["register", "cosign", locked.path("head.request"), *out],
        ["evidence", "make", answered, "--disclose=0", *out, "--as=yanka"],
    )
    elsewhere = {("seal",), ("custodian", "new"), ("key", "external")}  # tried above; makes keys and unlocks none; in test_external.py
    elsewhere |= {("credential", "request"), ("credential", "renew")}  # these give new keys the passphrase first
    elsewhere |= {("register", "overdue")}  # only of what is overdue: in test_following.py
    elsewhere |= {("transport", "notice"), ("transport", "handover")}  # by officers whom these have not: in test_transport.py
    elsewhere |= {("clearance", "enquire"), ("clearance", "answer")}  # by bodies that these are not: in test_clearance.py
    assert {_name(words) for words in commands} | elsewhere == {leaf for leaf in leaves() if "--passphrase-fd" in run(*leaf, "--help").out}
    for words in commands:
        office = locked.kz if words[0] == "register" else locked.by
        typed = (
            words
            if _name(words) in {("office", "init"), ("key", "backup"), ("root", "draft"), ("custodian", "sign")}
            else [*words, "--home", office.home]
        )
        monkeypatch.setenv("VALIZA_PASSPHRASE", "wrong")
        fails(5, *typed)
        monkeypatch.setenv("VALIZA_PASSPHRASE", SECRET)
        with _written(b"wrong") as descriptor:
            fails(5, *typed, f"--passphrase-fd={descriptor}")
        monkeypatch.delenv("VALIZA_PASSPHRASE")
        assert "--passphrase-fd" in fails(2, *typed).hint
        assert listing(locked.folder) == before, words


def test_nobody_to_ask(locked: World) -> None:
    done = locked.kz.fails(2, *locked.order("-o", locked.path("e.vlz")))
    assert "--passphrase-fd" in done.hint
    assert "VALIZA_PASSPHRASE" in done.hint


def test_interrupted_at_the_question(locked: World) -> None:
    terminal = pexpect.spawn(str(VALIZA), [str(word) for word in _order(locked)], encoding="utf-8", timeout=60)
    terminal.expect("Passphrase.*: ")
    terminal.sendintr()
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 130
    assert not locked.path("e.vlz").exists()


@pytest.mark.parametrize("passphrase", [b"", b"\n", b"\xff\xfe"], ids=["empty", "empty line", "no text"])
def test_what_is_no_passphrase(passphrase: bytes, locked: World, tmp_path: Path) -> None:
    assert _given(passphrase, *_order(locked)).code == 2
    done = _given(passphrase, "office", "init", tmp_path / "new", *NEW)
    assert done.code == 2
    assert done.error
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("value", ["", "\udcff"], ids=["empty", "no text"])
def test_what_is_no_passphrase_in_the_environment(value: str, locked: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VALIZA_PASSPHRASE", value)
    locked.kz.fails(2, *locked.order("-o", locked.path("e.vlz")))


@pytest.mark.parametrize("number", ["99", "-1", "999999999999", "x", ""])
def test_descriptor_that_is_none(number: str, locked: World) -> None:
    locked.kz.fails(2, *locked.order("-o", locked.path("e.vlz")), f"--passphrase-fd={number}")


def test_descriptor_that_cannot_be_read(locked: World) -> None:
    for path, flags in (("/", os.O_RDONLY), ("/dev/null", os.O_WRONLY)):
        descriptor = os.open(path, flags)
        try:
            locked.kz.fails(2, *locked.order("-o", locked.path("e.vlz")), f"--passphrase-fd={descriptor}")
        finally:
            os.close(descriptor)


# -- what a guess at it costs ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", ["office init", "credential issue", "key passphrase"])
def test_cost_is_measured_for_new_keys(words: str, locked: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the time that this machine takes is made up."""
    for name in ("VALIZA_PASSPHRASE", "VALIZA_NEW_PASSPHRASE"):
        monkeypatch.setenv(name, SECRET)
    asked = []

    def chosen(seconds: float, _measure: object, *, most_kib: int) -> Argon2Cost:
        asked.append((seconds, most_kib > 0))
        return Argon2Cost(4, 65536)

    monkeypatch.setattr(cost, "chosen_cost", chosen)
    monkeypatch.setattr(cost, "measured_cost", cost.measured_cost.__wrapped__)
    monkeypatch.setenv("VALIZA_UNLOCK_SECONDS", "9")
    typed: dict[str, list[str | Path]] = {
        "office init": [locked.path("new"), *NEW],
        "credential issue": ["nurlan:seal,open:1", "--home", locked.kz.home],
        "key passphrase": ["--as=aigul", "--home", locked.kz.home],
    }
    before = {path: path.read_bytes() for path in locked.folder.rglob("*.key")}
    done = run(*words.split(), *typed[words], *(["--unlock-seconds=7.5"] if words == "key passphrase" else []))
    assert done.code == 0, done.err
    written = [path for path in locked.folder.rglob("*.key") if before.get(path) != path.read_bytes()]
    assert {public_part(path).cost for path in written} == {Argon2Cost(4, 65536)}
    assert asked == [(7.5 if words == "key passphrase" else 9.0, True)]


@pytest.mark.parametrize("seconds", ["-1", "61", "x", ""])
def test_time_that_cannot_be(seconds: str, tmp_path: Path) -> None:
    fails(2, "office", "init", tmp_path / "new", *NEW, f"--unlock-seconds={seconds}")


def test_nothing_is_measured_for_keys_without_a_passphrase(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "measured_cost", lambda _: pytest.fail("it is measured"))
    assert run("office", "init", tmp_path / "new", *NEW, "--unprotected", "--unlock-seconds=9").code == 0


# -- never shown -----------------------------------------------------------------------------------------------------------


def test_passphrase_is_in_no_output_and_no_file(locked: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VALIZA_PASSPHRASE", SECRET)
    said = []
    for words in (
        ["office", "init", locked.path("new"), *NEW, "--json"],
        [*locked.order("-o", locked.path("e.vlz")), "--home", locked.kz.home],
        ["office", "show", "--home", locked.kz.home],
        ["credential", "list", "--home", locked.kz.home],
        ["open", locked.path("missing"), "-o", locked.path("out"), "--home", locked.by.home],
    ):
        done = run(*words)
        said += [done.out, done.err]
    assert [text for text in said if SECRET in text] == []
    assert [path for path in locked.folder.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()] == []


def test_passphrase_is_no_option(locked: World) -> None:
    locked.kz.fails(2, *locked.order("-o", locked.path("e.vlz")), f"--passphrase={SECRET}")


def test_help_never_shows_what_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VALIZA_PASSPHRASE", SECRET)
    assert SECRET not in run("seal", "--help").out
