"""A key shared out over sheets, and got back from them or from words that people type: never another key, and no word where it does not belong."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Final

import pexpect
import pytest
from tests.support.cli import VALIZA, Outcome, World, assert_failed, fails, listing, works

from valiza.keys.keyfile import load_key, public_part, save_key
from valiza.keys.sheet import read_sheet
from valiza.keys.signing import SigningKey

NUMBERS: Final = ("--shares=5", "--threshold=3")
SECRET: Final = "A rose is a rose"


@pytest.fixture
def root_key(world: World) -> Path:
    return world.kz.home / "keys" / "office" / "root.key"


@pytest.fixture
def sheets(root_key: Path, tmp_path: Path) -> list[Path]:
    works("key", "backup", root_key, *NUMBERS, "-o", tmp_path / "sheets")
    return sorted((tmp_path / "sheets").iterdir())


def _words(sheet: Path) -> list[str]:
    return list(read_sheet(sheet.read_text(encoding="utf-8")).share.words)


def _seed(path: Path) -> bytes:
    return load_key(path, lambda: pytest.fail("a passphrase is asked for")).seed


def _says_no_word(done: Outcome, sheets: list[Path]) -> None:
    """None of the words of the shares, but those of a few that messages have in common with the list."""
    said = set(re.findall("[a-z]+", f"{done.out} {done.err}".lower()))
    for sheet in sheets:
        words = set(_words(sheet))
        assert len(words & said) <= 6, words & said


# -- there and back -------------------------------------------------------------------------------------------------------


def test_sheets_are_private_and_one_for_each_holder(root_key: Path, tmp_path: Path) -> None:
    folder = tmp_path / "sheets"
    holders = ["Айгүл Серік", "Dana Omar", "Timur Aliev"]
    done = works("key", "backup", root_key, "--shares=3", "--threshold=2", *(f"--holder={name}" for name in holders), "-o", folder, "--json")
    written = sorted(folder.iterdir())
    assert done.facts["sheets"] == [str(path) for path in written]
    assert [path.name for path in written] == ["share-01.txt", "share-02.txt", "share-03.txt"]
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in written} == {0o600}
    read = [read_sheet(path.read_text(encoding="utf-8")) for path in written]
    assert [(sheet.share.number, sheet.holder) for sheet in read] == list(enumerate(holders, 1))
    assert {(sheet.total, sheet.share.threshold, sheet.protected, sheet.key) for sheet in read} == {(3, 2, False, "root key of office, KZ/KZ-MFA")}
    assert {sheet.key_digest for sheet in read} == {done.facts["key_digest"]}
    assert (done.facts["check_value"], done.facts["threshold"]) == (done.facts["key_digest"][:16], 2)
    assert f"rm -r {folder}" in done.err
    _says_no_word(done, written)


def test_lost_key_of_the_root_is_recovered_and_works(world: World, root_key: Path, sheets: list[Path]) -> None:
    """The whole of it: the key is gone, three holders come, and the party ends an agreement with it."""
    lost = root_key.read_bytes()
    root_key.unlink()
    words = ("agreement", "terminate", "kz-by", "--takes-effect=2099-01-01T00:00:00Z", "-o", world.path("end.vls"))
    world.kz.fails(5, *words)
    done = works("key", "recover", sheets[4], sheets[0], sheets[2], "-o", root_key, "--unprotected")
    assert "without a passphrase" in done.err
    assert root_key.read_bytes() == lost
    assert root_key.stat().st_mode & 0o777 == 0o600
    world.kz.works(*words)
    assert [f for f in world.kz.run("doctor", "--json").facts["findings"] if f["check"] == "keys" and f["level"] == "problem"] == []


def test_under_a_new_passphrase(sheets: list[Path], tmp_path: Path, root_key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VALIZA_NEW_PASSPHRASE", "four new words here")
    done = works("key", "recover", *sheets, "-o", tmp_path / "new.key", "--json")
    assert done.facts["protected"] is True
    assert done.facts["shares"] == [1, 2, 3, 4, 5]
    assert load_key(tmp_path / "new.key", lambda: "four new words here").seed == _seed(root_key)
    assert public_part(tmp_path / "new.key").protected


@pytest.mark.parametrize("purpose", ["open", "seal"])
def test_keys_of_an_officer(purpose: str, world: World, tmp_path: Path) -> None:
    key = world.kz.home / "keys" / "aigul" / f"{purpose}.key"
    works("key", "backup", key, "--shares=2", "--threshold=2", "-o", tmp_path / "sheets")
    both = sorted((tmp_path / "sheets").iterdir())
    assert len(_words(both[0])) == (33 if purpose == "open" else 59)
    assert f"Key             {purpose} key of aigul, KZ/KZ-MFA\n" in both[0].read_text(encoding="utf-8")
    works("key", "recover", *both, "-o", tmp_path / "new.key", "--unprotected")
    assert (tmp_path / "new.key").read_bytes() == key.read_bytes()


def test_key_of_no_office_has_the_name_of_its_file_or_one_that_is_given(root_key: Path, tmp_path: Path) -> None:
    alone = tmp_path / "custodian Дана.key"
    save_key(alone, load_key(root_key, lambda: ""), passphrase=None, random=os.urandom)
    for name, expected in (((), "custodian Дана.key"), (("--name=third custodian of KZ",), "third custodian of KZ")):
        done = works("key", "backup", alone, "--shares=2", "--threshold=2", *name, "-o", tmp_path / f"sheets{len(name)}", "--json")
        assert done.facts["name"] == expected
        assert f"Key             {expected}\n" in Path(done.facts["sheets"][0]).read_text(encoding="utf-8")


def test_dry_run_says_whether_the_shares_give_the_key(sheets: list[Path], tmp_path: Path) -> None:
    before = listing(tmp_path)
    done = works("key", "recover", *sheets[1:4], "--dry-run", "--json")
    assert done.facts["dry_run"] is True
    assert done.facts["shares"] == [2, 3, 4]
    assert listing(tmp_path) == before
    fails(8, "key", "recover", *sheets[1:3], "--dry-run")


# -- what is refused ------------------------------------------------------------------------------------------------------


def test_too_few(sheets: list[Path], tmp_path: Path) -> None:
    before = listing(tmp_path)
    for some in (sheets[:1], sheets[:2], [sheets[0], sheets[1], sheets[0]]):
        done = fails(8, "key", "recover", *some, "-o", tmp_path / "new.key", "--unprotected")
        assert f"{len(set(some))} of 3 shares" in done.error
    assert listing(tmp_path) == before


def test_sheets_of_two_backups(sheets: list[Path], root_key: Path, tmp_path: Path) -> None:
    works("key", "backup", root_key, *NUMBERS, "-o", tmp_path / "again")
    works("key", "backup", root_key.with_name("roster.key"), *NUMBERS, "-o", tmp_path / "other")
    for other in ("again", "other"):
        done = fails(6, "key", "recover", *sheets[:2], tmp_path / other / "share-03.txt", "--dry-run")
        _says_no_word(done, sheets)


def test_word_that_is_wrong_is_told_with_the_file_and_not_shown(sheets: list[Path]) -> None:
    text = sheets[1].read_text(encoding="utf-8")
    for number, wrong in ((20, "zzyzx"), (7, "zero" if _words(sheets[1])[6] != "zero" else "acid")):
        sheets[1].write_text(re.sub(rf"\b{number} +[a-z]+", f"{number} {wrong}", text), encoding="utf-8")
        done = fails(3, "key", "recover", *sheets[:3], "--dry-run")
        assert str(sheets[1]) in done.error
        assert wrong not in done.err
        _says_no_word(done, sheets[:1])


def test_sheets_that_name_another_key(sheets: list[Path], world: World) -> None:
    """The key is not written, since the sheets say that it is another."""
    digest = read_sheet(sheets[0].read_text(encoding="utf-8")).key_digest
    for sheet in sheets:
        sheet.write_text(sheet.read_text(encoding="utf-8").replace(digest[:8], "00000000"), encoding="utf-8")
    fails(4, "key", "recover", *sheets, "-o", world.path("new.key"), "--unprotected")
    assert not world.path("new.key").exists()


def test_sheets_of_another_s_own_key_are_recovered_and_the_doctor_tells(world: World, root_key: Path, tmp_path: Path) -> None:
    """The limit: who makes all sheets anew makes a check value that fits. What a key may do does not rest on that."""
    his = tmp_path / "his.key"
    save_key(his, SigningKey.generate(os.urandom), passphrase=None, random=os.urandom)
    works("key", "backup", his, *NUMBERS, "--name=root key of office, KZ/KZ-MFA", "-o", tmp_path / "sheets")
    root_key.unlink()
    works("key", "recover", *sorted((tmp_path / "sheets").iterdir()), "-o", root_key, "--unprotected")
    told = [f for f in world.kz.run("doctor", "--json").facts["findings"] if f["check"] == "keys" and f["level"] == "problem"]
    assert [f["where"] for f in told] == [str(root_key)]
    world.kz.fails(5, "agreement", "terminate", "kz-by", "--takes-effect=2099-01-01T00:00:00Z", "-o", world.path("end.vls"))


def test_check_value_on_the_command_line_has_to_fit(sheets: list[Path]) -> None:
    digest = read_sheet(sheets[0].read_text(encoding="utf-8")).key_digest
    for good in (digest[:16], digest, f"{digest[:4]} {digest[4:16]}".upper()):
        works("key", "recover", *sheets, "--dry-run", "--check", good)
    fails(6, "key", "recover", *sheets, "--dry-run", "--check", "0" * 16)
    fails(2, "key", "recover", *sheets, "--dry-run", "--check", digest[:15])


def test_existing_output_is_not_touched(sheets: list[Path], root_key: Path, tmp_path: Path) -> None:
    before = root_key.read_bytes()
    fails(6, "key", "recover", *sheets, "-o", root_key, "--unprotected")
    assert root_key.read_bytes() == before
    names = listing(tmp_path)
    fails(6, "key", "backup", root_key, *NUMBERS, "-o", sheets[0].parent)
    assert listing(tmp_path) == names


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (("--shares=2", "--threshold=3"), "3 of 2 shares"),
        (("--shares=3", "--threshold=2", "--holder=a"), "1 holders"),
        (("--shares=2", "--threshold=2", "--holder=a", "--holder=a"), "twice"),
        (("--shares=17", "--threshold=2"), "17"),
        (("--shares=3", "--threshold=1"), "1"),
        (("--shares=3", "--threshold=2", "--name=a\nb"), "paper"),
        (("--shares=3", "--threshold=2", f"--name={'x' * 61}"), "61"),
        (("--shares=3",), "--threshold"),
    ],
    ids=lambda value: " ".join(value).encode("unicode_escape").decode()[:40] if isinstance(value, tuple) else "",
)
def test_backup_that_cannot_be(extra: tuple[str, ...], words: str, root_key: Path, tmp_path: Path) -> None:
    assert words in fails(2, "key", "backup", root_key, *extra, "-o", tmp_path / "sheets").error
    assert not (tmp_path / "sheets").exists()


def test_order_that_cannot_be(sheets: list[Path], tmp_path: Path) -> None:
    orders: tuple[list[str | Path], ...] = (
        ["key", "recover", *sheets],
        ["key", "recover", *sheets, "--dry-run", "-o", tmp_path / "x"],
        ["key", "recover", *sheets, "-o", tmp_path / "x", "--backup-passphrase-fd=5", "--new-passphrase-fd=5"],
        ["key", "recover", "-o", tmp_path / "x"],
        ["key", "backup", sheets[0], *NUMBERS, "-o", tmp_path / "x", "--backup-passphrase-fd=5", "--passphrase-fd=5"],
        ["key", "recover", *sheets, "-o", tmp_path / "x"],
    )
    for words in orders:
        fails(2, *words)
    assert not (tmp_path / "x").exists()


def test_wrong_files(sheets: list[Path], root_key: Path, tmp_path: Path) -> None:
    fails(3, "key", "backup", sheets[0], *NUMBERS, "-o", tmp_path / "x")
    fails(7, "key", "backup", tmp_path / "missing", *NUMBERS, "-o", tmp_path / "x")
    fails(3, "key", "recover", root_key, "--dry-run")
    fails(7, "key", "recover", tmp_path / "missing", "--dry-run")
    big = tmp_path / "big"
    big.write_text(sheets[0].read_text(encoding="utf-8") + "x" * 20_000, encoding="utf-8")
    fails(3, "key", "recover", big, "--dry-run")


def test_no_room_for_the_sheets_leaves_none(root_key: Path, tmp_path: Path) -> None:
    limited: list[str | Path] = ["sh", "-c", 'ulimit -f 0; exec "$@"', "sh", VALIZA, "key", "backup", root_key, *NUMBERS, "-o", tmp_path / "sheets"]
    done = subprocess.run(limited, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL)
    assert_failed(Outcome(done.returncode, done.stdout, done.stderr), 7)
    assert [path.name for path in tmp_path.iterdir()] == ["world"]


# -- passphrases ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def protected(root_key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Sheets of a backup that needs a passphrase."""
    monkeypatch.setenv("VALIZA_BACKUP_PASSPHRASE", SECRET)
    assert works("key", "backup", root_key, *NUMBERS, "--with-passphrase", "-o", tmp_path / "protected", "--json").facts["passphrase"] is True
    monkeypatch.delenv("VALIZA_BACKUP_PASSPHRASE")
    return sorted((tmp_path / "protected").iterdir())


def test_passphrase_of_the_backup(protected: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    assert [path for path in protected if SECRET in path.read_text(encoding="utf-8")] == []
    monkeypatch.setenv("VALIZA_BACKUP_PASSPHRASE", SECRET)
    works("key", "recover", *protected[2:], "--dry-run")
    for wrong in ("A rose is a Rose", "x"):
        monkeypatch.setenv("VALIZA_BACKUP_PASSPHRASE", wrong)
        done = fails(5, "key", "recover", *protected[2:], "--dry-run")
        assert "wrong passphrase" in done.error
        assert wrong not in done.err.split()
    monkeypatch.delenv("VALIZA_BACKUP_PASSPHRASE")
    assert "--backup-passphrase-fd" in fails(2, "key", "recover", *protected[2:], "--dry-run").hint


def test_passphrase_is_asked_for_only_when_it_is_of_use(protected: list[Path], sheets: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Too few sheets are told first; and sheets that need none give the key whatever the environment says."""
    fails(8, "key", "recover", *protected[:2], "--dry-run")
    monkeypatch.setenv("VALIZA_BACKUP_PASSPHRASE", "something else")
    works("key", "recover", *sheets[:3], "--dry-run")


def test_backup_has_a_passphrase_only_when_that_is_said(root_key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VALIZA_BACKUP_PASSPHRASE", SECRET)
    assert works("key", "backup", root_key, *NUMBERS, "-o", tmp_path / "sheets", "--json").facts["passphrase"] is False


@pytest.mark.parametrize("passphrase", ["құпия сөз", ""])
def test_passphrase_that_cannot_be(passphrase: str, root_key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VALIZA_BACKUP_PASSPHRASE", passphrase)
    done = fails(2, "key", "backup", root_key, *NUMBERS, "--with-passphrase", "-o", tmp_path / "sheets")
    assert not passphrase or passphrase not in done.err
    assert not (tmp_path / "sheets").exists()


def test_all_passphrases_from_descriptors(root_key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VALIZA_NEW_PASSPHRASE", "old")
    works("key", "passphrase", "--all", "--home", root_key.parents[2])
    monkeypatch.delenv("VALIZA_NEW_PASSPHRASE")
    backed = f"{VALIZA} key backup {root_key} --shares 3 --threshold 2 -o sheets --passphrase-fd 3 --backup-passphrase-fd 4 3<<<old 4<<<'{SECRET}'"
    recovered = f"{VALIZA} key recover sheets/share-0[13].txt -o new.key --backup-passphrase-fd 3 --new-passphrase-fd 4 3<<<'{SECRET}' 4<<<new"
    for command in (backed, recovered):
        done = subprocess.run(["/bin/bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
    assert load_key(tmp_path / "new.key", lambda: "new").seed == load_key(root_key, lambda: "old").seed


def test_wrong_passphrase_of_the_key_is_told_before_anything_is_written(root_key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VALIZA_NEW_PASSPHRASE", "right")
    works("key", "passphrase", "--all", "--home", root_key.parents[2])
    monkeypatch.setenv("VALIZA_PASSPHRASE", "wrong")
    fails(5, "key", "backup", root_key, *NUMBERS, "-o", tmp_path / "sheets")
    assert not (tmp_path / "sheets").exists()


# -- at a terminal --------------------------------------------------------------------------------------------------------


class Typist:
    """Somebody at a terminal, who keeps what was shown."""

    def __init__(self, *words: str | Path) -> None:
        self.terminal = pexpect.spawn(str(VALIZA), [str(word) for word in words], encoding="utf-8", timeout=60, dimensions=(50, 300))
        self.shown = ""

    def answers(self, question: str, answer: str) -> None:
        self.terminal.expect(question)
        self.shown += (self.terminal.before or "") + str(self.terminal.after)
        self.terminal.sendline(answer)

    def ends(self) -> int:
        self.terminal.expect(pexpect.EOF)
        self.shown += self.terminal.before or ""
        self.terminal.close()
        return self.terminal.exitstatus or 0


def _check(sheet: Path) -> str:
    found = re.search(r"Check value +(.*)", sheet.read_text(encoding="utf-8"))
    assert found is not None
    return found[1]


def test_words_that_three_holders_type(sheets: list[Path], root_key: Path, tmp_path: Path) -> None:
    """One by one, all in a line, and by their first letters; nothing of it is shown."""
    typist = Typist("key", "recover", "-o", tmp_path / "new.key", "--unprotected")
    typist.answers("Words on each sheet.*: ", "")
    for number, word in enumerate(_words(sheets[3]), 1):
        typist.answers(f"Sheet 1, from word {number}: ", word)
    typist.answers("1 of 3 .*Sheet 2 of 3, from word 1: ", " ".join(_words(sheets[0])))
    some = [word[:4].upper() for word in _words(sheets[1])]
    typist.answers("2 of 3 .*Sheet 3 of 3, from word 1: ", " ".join(some[:30]))
    typist.answers("Sheet 3 of 3, from word 31: ", "  ".join(some[30:]) + " ")
    typist.answers("3 of 3 .*Check value.*: ", _check(sheets[0]))
    typist.answers("Passphrase of the backup .empty if it has none.*: ", "")
    assert typist.ends() == 0, typist.shown
    assert (tmp_path / "new.key").read_bytes() == root_key.read_bytes()
    _says_no_word(Outcome(0, typist.shown, ""), sheets)


def test_mistakes_are_told_at_once(sheets: list[Path], root_key: Path, tmp_path: Path) -> None:
    works("key", "backup", root_key, *NUMBERS, "-o", tmp_path / "again")
    first, second, third = (_words(sheet) for sheet in sheets[:3])
    wrong = "zero" if first[5] != "zero" else "acid"
    typist = Typist("key", "recover", "--dry-run")
    typist.answers("Words on each sheet.*: ", "20")
    typist.answers("Words on each sheet.*: ", "59")
    typist.answers("from word 1: ", " ".join([*first[:5], "zzyzx", *first[5:]]))
    typist.answers("word 6 is none of the list.*from word 6: ", " ".join([wrong, *first[6:]]))  # what came after it was dropped
    typist.answers("do not fit together.*begin the sheet again.*from word 1: ", " ".join([*first, "academic"]))
    typist.answers("more than 59 words.*from word 1: ", " ".join(first[:7]))
    typist.answers("from word 8: ", "")
    typist.answers("from word 1: ", " ".join(first))
    typist.answers("share 1 is right: 1 of 3 .*from word 1: ", " ".join(first))
    typist.answers("share 1 is here already: 1 of 3.*from word 1: ", " ".join(_words(tmp_path / "again" / "share-02.txt")))
    typist.answers("another backup.*Sheet 2 of 3, from word 1: ", " ".join(second))
    typist.answers("share 2 is right: 2 of 3.*from word 1: ", " ".join(third))
    typist.answers("share 3 is right: 3 of 3.*Check value.*: ", "0123")
    typist.answers("no check value.*Check value.*: ", _check(sheets[0]).replace(" ", ""))
    typist.answers("Passphrase of the backup.*: ", "one that it has not")
    typist.answers("wrong passphrase.*try again.*Passphrase of the backup.*: ", "")
    assert typist.ends() == 0, typist.shown
    _says_no_word(Outcome(0, typist.shown, ""), sheets)
    assert "zzyzx" not in typist.shown


def test_passphrase_is_asked_for_three_times_and_then_there_is_no_key(protected: list[Path], tmp_path: Path) -> None:
    typist = Typist("key", "recover", *protected[:3], "-o", tmp_path / "new.key")
    for _ in range(3):
        typist.answers("Passphrase of the backup: ", "mistyped")
    assert typist.ends() == 5
    assert not (tmp_path / "new.key").exists()
    typist = Typist("key", "recover", *protected[:3], "--dry-run")
    typist.answers("Passphrase of the backup: ", "mistyped")
    typist.answers("try again.*Passphrase of the backup: ", SECRET)
    assert typist.ends() == 0


def test_new_passphrases_are_asked_for_twice(root_key: Path, tmp_path: Path) -> None:
    typist = Typist("key", "backup", root_key, *NUMBERS, "--with-passphrase", "-o", tmp_path / "sheets")
    for answer in (SECRET, "mistyped", SECRET, SECRET):
        typist.answers("(Passphrase of the backup|Repeat for confirmation): ", answer)
    assert typist.ends() == 0
    typist = Typist("key", "recover", *sorted((tmp_path / "sheets").iterdir()), "-o", tmp_path / "new.key")
    typist.answers("Passphrase of the backup: ", SECRET)
    for answer in ("new", "mistyped", "new", "new"):
        typist.answers("(New passphrase|Repeat for confirmation): ", answer)
    assert typist.ends() == 0
    assert SECRET not in typist.shown
    assert load_key(tmp_path / "new.key", lambda: "new").seed == _seed(root_key)


def test_interrupted_among_the_words(sheets: list[Path], tmp_path: Path) -> None:
    typist = Typist("key", "recover", "-o", tmp_path / "new.key")
    typist.answers("Words on each sheet.*: ", "59")
    typist.answers("from word 1: ", " ".join(_words(sheets[0])[:20]))
    typist.terminal.expect("from word 21: ")
    for _ in range(60):  # Python sleeps on if it is interrupted just before it begins to read
        typist.terminal.sendintr()
        if typist.terminal.expect([pexpect.EOF, pexpect.TIMEOUT], timeout=1) == 0:
            break
    assert typist.ends() == 130
    assert not (tmp_path / "new.key").exists()


def test_words_are_no_argument(sheets: list[Path]) -> None:
    """They stand in the list of processes and in the shell's history; at least no error shows them again."""
    words = _words(sheets[0])
    for typed in ([" ".join(words)], words, [*sheets[1:3], words[0]]):
        done = fails(2, "key", "recover", *typed, "--dry-run")
        assert "no argument" in done.error
        _says_no_word(done, sheets)
    fails(7, "key", "recover", "share-01.txt", "--dry-run")
