"""Many objects in one command: one result each, in order, the exit code of the first that is not 0; one that fails stops no other."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import nacl.bindings
import pexpect
import pytest
from tests.support.cli import VALIZA, Office, Outcome, World, assert_failed, found_world, listing, program

from valiza.cli.answering import GROUP
from valiza.register.sqlite import SqliteStore
from valiza.register.store import Query

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NAMES: Final = ("a", "b", "c", "d")
NOTHING: Final = "0" * 64


@pytest.fixture
def files(world: World) -> list[Path]:
    """Some files to seal, each by itself."""
    found = [world.path(f"{name}.txt") for name in NAMES]
    for path in found:
        path.write_text(f"carrier {path.stem}\n", encoding="utf-8")
    return found


@pytest.fixture
def envelopes(world: World, files: list[Path]) -> list[Path]:
    """As many envelopes, in one folder."""
    world.kz.works(*world.order("--each", files=files), "-o", world.path("sealed"))
    return [world.path("sealed") / f"{path.name}.vlz" for path in files]


@pytest.fixture
def receipts(world: World, envelopes: list[Path]) -> list[Path]:
    """Their receipts."""
    world.by.works("open", *envelopes, "-o", world.path("opened"), "--as=yanka")
    world.by.works("acknowledge", *envelopes, "-o", world.path("acks"), "--as=yanka")
    acks = sorted(world.path("acks").iterdir())
    world.by.works("countersign", *acks, "--envelope", world.path("sealed"), "-o", world.path("receipts"), "--as=maryna")
    return sorted(world.path("receipts").iterdir())


def lines(done: Outcome) -> list[Any]:
    """What was printed, one JSON object a line."""
    assert done.out.isascii()
    return [json.loads(line) for line in done.out.splitlines()]


def ended(done: Outcome) -> list[tuple[str, int]]:
    """The name of each object, and its exit code; and what holds of every batch."""
    found = lines(done)
    assert "Traceback" not in done.err
    for line in found:
        assert ("error" in line) == ("hint" in line)
        assert ("error" in line) == (line["exit_code"] != 0)
    assert done.code == next((line["exit_code"] for line in found if line["exit_code"]), 0)
    wrong = sum(line["exit_code"] != 0 for line in found)
    assert (f"{wrong} of {len(found)} " in done.err) == (wrong > 0)
    return [(Path(line["object"]).name, line["exit_code"]) for line in found]


def damaged(path: Path, to: Path, at: int = -2000) -> Path:
    """A copy with one byte changed."""
    raw = bytearray(path.read_bytes())
    raw[at] ^= 1
    to.write_bytes(raw)
    return to


def standings(office: Office) -> list[str]:
    """Where the envelopes of an office stand, in order."""
    return [row["verdict"] for row in office.works("register", "list", "--json").facts["envelopes"]]


# -- seal --each -----------------------------------------------------------------------------------------------------------


def test_each_file_is_sealed_into_an_envelope_of_its_own(world: World, files: list[Path]) -> None:
    done = world.kz.works(*world.order("--each", files=files), "-o", world.path("new"), "--json")
    assert ended(done) == [(path.name, 0) for path in files]
    found = lines(done)
    assert [Path(line["envelope"]) for line in found] == [world.path("new") / f"{path.name}.vlz" for path in files]
    assert [line["number"].rpartition("/")[2] for line in found] == ["1", "2", "3", "4"]
    assert [line["package"] for line in found] == [line["number"] for line in found]
    assert [[carrier["name"] for carrier in line["carriers"]] for line in found] == [[path.name] for path in files]
    assert len({line["envelope_id"] for line in found}) == len(files)
    assert world.path("new").stat().st_mode & 0o777 == 0o700
    for path in files:
        world.by.works("open", world.path("new") / f"{path.name}.vlz", "--as=yanka", "-o", world.path(f"out-{path.stem}"))
        assert (world.path(f"out-{path.stem}") / path.name).read_bytes() == path.read_bytes()


def test_a_single_line_says_the_same_as_the_command_alone(world: World, files: list[Path]) -> None:
    (one,) = lines(world.kz.works(*world.order("--each", files=files[:1]), "-o", world.path("new"), "--json"))
    alone = world.kz.works(*world.order(files=files[:1]), "-o", world.path("alone.vlz"), "--json").facts
    assert list(one) == ["object", "exit_code", *alone]


def test_what_cannot_be_sealed_stops_no_other(world: World, files: list[Path]) -> None:
    (world.path("link.txt")).symlink_to(files[0])
    order = [world.path("missing.txt"), files[0], world.path("link.txt"), world.path("sub"), files[1]]
    world.path("sub").mkdir()
    done = world.kz.run(*world.order("--each", files=order), "-o", world.path("new"), "--json")
    assert ended(done) == [("missing.txt", 7), ("a.txt", 0), ("link.txt", 6), ("sub", 6), ("b.txt", 0)]
    assert sorted(path.name for path in world.path("new").iterdir()) == ["a.txt.vlz", "b.txt.vlz"]
    assert standings(world.kz) == ["outstanding", "outstanding"]


def test_a_file_without_a_mark_or_with_a_wrong_one_stops_no_other(world: World, files: list[Path]) -> None:
    inventory = world.path("list.csv")
    inventory.write_text("file,mark\na.txt,3\nb.txt,9\nc.txt,2\n", encoding="utf-8")
    done = world.kz.run(*world.order("--each", "--inventory", inventory, files=files[:3]), "-o", world.path("new"), "--json")
    assert ended(done) == [("a.txt", 0), ("b.txt", 6), ("c.txt", 0)]
    assert [line["marks"]["origin"] for line in lines(done) if not line["exit_code"]] == ["KZ:3", "KZ:2"]


def test_outputs_that_exist_are_refused_one_by_one(world: World, files: list[Path]) -> None:
    world.path("new").mkdir()
    (world.path("new") / "b.txt.vlz").write_bytes(b"precious")
    done = world.kz.run(*world.order("--each", files=files), "-o", world.path("new"), "--json")
    assert ended(done) == [("a.txt", 0), ("b.txt", 6), ("c.txt", 0), ("d.txt", 0)]
    assert (world.path("new") / "b.txt.vlz").read_bytes() == b"precious"
    assert len(list(world.path("new").iterdir())) == 4
    assert standings(world.kz) == ["outstanding"] * 3, "what could not be written was never in the register"


def test_the_same_file_twice_and_the_same_name_from_two_folders(world: World, files: list[Path]) -> None:
    other = world.path("other")
    other.mkdir()
    (other / "a.txt").write_text("another\n", encoding="utf-8")
    done = world.kz.run(*world.order("--each", files=[files[0], files[0], other / "a.txt", files[1]]), "-o", world.path("new"), "--json")
    assert ended(done) == [("a.txt", 0), ("a.txt", 6), ("a.txt", 6), ("b.txt", 0)]
    assert standings(world.kz) == ["outstanding"] * 2
    opened = world.open(world.path("new") / "a.txt.vlz")
    assert (opened / "a.txt").read_text(encoding="utf-8") == "carrier a\n"


def test_one_row_of_an_inventory_does_not_speak_for_two_files(world: World, files: list[Path]) -> None:
    other = world.path("other")
    other.mkdir()
    (other / "a.txt").write_text("another\n", encoding="utf-8")
    inventory = world.path("list.csv")
    inventory.write_text("file,mark\na.txt,3\n", encoding="utf-8")
    done = world.kz.fails(2, *world.order("--each", "--inventory", inventory, files=[files[0], other / "a.txt"]), "-o", world.path("new"))
    assert "several files to seal are called so" in done.error
    assert not world.path("new").exists()


def test_each_seals_files_only(world: World, files: list[Path]) -> None:
    inventory = world.path("list.csv")
    inventory.write_text("name,physical,mark\nparcel,yes,3\n", encoding="utf-8")
    world.kz.fails(2, *world.order("--each", "--inventory", inventory, files=files), "-o", world.path("new"))
    assert not world.path("new").exists()


def test_a_dry_run_of_each_seals_nothing(world: World, files: list[Path]) -> None:
    before = listing(world.folder)
    done = world.kz.run(*world.order("--each", "--dry-run", files=[*files, world.path("missing")]), "--json")
    assert ended(done) == [*((path.name, 0) for path in files), ("missing", 7)]
    assert {line["sealed"] for line in lines(done) if not line["exit_code"]} == {False}
    assert listing(world.folder) == before


def _asked(world: World, files: Sequence[Path], answer: str) -> tuple[int | None, str]:
    words = [word for word in world.order("--each", files=files) if word != "--yes"]
    words = [*words, "-o", world.path("new"), "--home", world.kz.home]
    terminal = pexpect.spawn(str(VALIZA), [str(word) for word in words], encoding="utf-8", timeout=60, dimensions=(40, 200))
    terminal.expect(r"\[y/N\]: ")
    shown = (terminal.before or "") + str(terminal.after)
    terminal.sendline(answer)
    terminal.expect(pexpect.EOF)
    terminal.close()
    return terminal.exitstatus, shown


def test_who_is_asked_sees_every_carrier_and_what_cannot_be(world: World, files: list[Path]) -> None:
    code, shown = _asked(world, [*files, world.path("missing.txt")], "n")
    assert code == 6
    assert "Seal these in 4 envelopes?" in shown
    assert all(path.name in shown for path in files)
    assert re.search(r"not sealed +missing\.txt", shown)
    assert not world.path("new").exists()
    assert standings(world.kz) == []
    code, _ = _asked(world, files, "y")
    assert code == 0
    assert standings(world.kz) == ["outstanding"] * 4


def test_nobody_is_asked_where_nothing_can_be_sealed(world: World) -> None:
    words = [word for word in world.order("--each", files=[world.path("x"), world.path("y")]) if word != "--yes"]
    done = world.kz.run(*words, "-o", world.path("new"), "--json")
    assert ended(done) == [("x", 7), ("y", 7)]
    assert not world.path("new").exists()


@pytest.mark.slow
def test_more_than_one_group(world: World) -> None:
    many = [world.path(f"{number:03}.txt") for number in range(150)]
    for path in many:
        path.write_text(path.name, encoding="utf-8")
    done = world.kz.works(*world.order("--each", files=many), "-o", world.path("new"), "--json")
    assert ended(done) == [(path.name, 0) for path in many]
    assert [line["number"].rpartition("/")[2] for line in lines(done)] == [str(number) for number in range(1, 151)]
    opened = world.by.works("open", *sorted(world.path("new").iterdir()), "-o", world.path("opened"), "--as=yanka", "--json")
    assert ended(opened) == [(f"{path.name}.vlz", 0) for path in many]
    for path in many:
        assert (world.path("opened") / path.name / path.name).read_text(encoding="utf-8") == path.name


# -- verify ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_verifying_in_order_whatever_fails(world: World, envelopes: list[Path], jobs: str) -> None:
    bad = damaged(envelopes[1], world.path("bad.vlz"))
    short = world.path("short.vlz")
    short.write_bytes(b"VALIZA")
    order = [envelopes[0], bad, envelopes[1], short, world.path("missing.vlz"), envelopes[0]]
    done = world.by.run("verify", *order, "--jobs", jobs, "--json")
    assert ended(done) == [("a.txt.vlz", 0), ("bad.vlz", 4), ("b.txt.vlz", 0), ("short.vlz", 3), ("missing.vlz", 7), ("a.txt.vlz", 0)]
    alone = world.by.works("verify", envelopes[0], "--json").facts
    assert list(lines(done)[0]) == ["object", "exit_code", *alone]
    people = world.by.run("verify", *order, "--jobs", jobs)
    assert [line.partition(":")[0] for line in people.out.splitlines()] == [str(order[place]) for place in (0, 2, 5)]
    assert people.err.count("valiza: error: ") == 3
    assert "valiza: 3 of 6 envelopes ended in an error" in people.err


def test_each_prints_lines_also_for_one(world: World, envelopes: list[Path], receipts: list[Path]) -> None:
    """A script that names *.vlz does not know how many there are."""
    assert ended(world.by.run("verify", envelopes[0], "--each", "--json")) == [("a.txt.vlz", 0)]
    assert ended(world.by.run("verify", world.path("missing"), "--each", "--json")) == [("missing", 7)]
    assert ended(world.kz.run("receipt", "verify", receipts[0], "--each", "--json")) == [("a.txt.receipt.vls", 0)]


def test_a_stranger_verifies_many(world: World, envelopes: list[Path], receipts: list[Path]) -> None:
    for jobs in ("1", "2"):
        done = Outcome(*_stranger("verify", *envelopes, *world.strangers_trust, "--jobs", jobs))
        assert ended(done) == [(path.name, 0) for path in envelopes]
        done = Outcome(*_stranger("receipt", "verify", *receipts, "--envelope", world.path("sealed"), *world.strangers_trust, "--jobs", jobs))
        assert ended(done) == [(path.name, 0) for path in receipts]
        assert {line["verdict"] for line in lines(done)} == {"attested"}


def _stranger(*words: str | Path) -> tuple[int, str, str]:
    done = program(*words, "--json")
    return done.code, done.out, done.err


# -- open, acknowledge, countersign ----------------------------------------------------------------------------------------


def test_opening_many(world: World, envelopes: list[Path]) -> None:
    bad = damaged(envelopes[2], world.path("bad.vlz"))
    world.path("opened").mkdir()
    (world.path("opened") / "b.txt").mkdir()
    order = [envelopes[0], bad, envelopes[1], envelopes[2], envelopes[0], envelopes[3]]
    done = world.by.run("open", *order, "-o", world.path("opened"), "--as=yanka", "--json")
    assert ended(done) == [("a.txt.vlz", 0), ("bad.vlz", 4), ("b.txt.vlz", 6), ("c.txt.vlz", 0), ("a.txt.vlz", 6), ("d.txt.vlz", 0)]
    assert sorted(path.name for path in world.path("opened").iterdir()) == ["a.txt", "b.txt", "c.txt", "d.txt"]
    assert list((world.path("opened") / "b.txt").iterdir()) == []
    assert [line["number"].rpartition("/")[2] for line in lines(done) if not line["exit_code"]] == ["1", "2", "3"]


def test_a_line_for_people_says_what_to_put_on(world: World) -> None:
    inventory = world.path("list.toml")
    inventory.write_text('[[carrier]]\nfile = "map.txt"\n\n[[carrier]]\nphysical = true\nname = "parcel"\nmark = "2"\n', encoding="utf-8")
    several, one = world.seal("--inventory", inventory, name="several.vlz"), world.seal(name="one.vlz")
    done = world.by.works("open", several, one, "-o", world.path("opened"), "--as=yanka")
    first, second = done.out.splitlines()
    assert first.endswith("; put on [0] map.txt: Секретно; [1] parcel: Совершенно секретно")
    assert second.endswith("; put on it: Секретно")


def test_acknowledging_and_countersigning_many(world: World, envelopes: list[Path]) -> None:
    world.by.works("open", *envelopes[:3], "-o", world.path("opened"), "--as=yanka")
    done = world.by.run("acknowledge", *envelopes, "-o", world.path("acks"), "--json")
    assert ended(done) == [("a.txt.vlz", 0), ("b.txt.vlz", 0), ("c.txt.vlz", 0), ("d.txt.vlz", 6)]
    acks = [Path(line["acknowledgement"]) for line in lines(done) if not line["exit_code"]]
    assert [path.name for path in acks] == ["a.txt.ack.vls", "b.txt.ack.vls", "c.txt.ack.vls"]
    assert sorted(world.path("acks").iterdir()) == acks
    stray = world.path("stray.vls")
    stray.write_bytes(acks[0].read_bytes()[:-1])
    few = envelopes[:2]
    done = world.by.run(
        *("countersign", acks[0], stray, acks[2], acks[1], "-o", world.path("receipts"), "--as=maryna", "--json"),
        *(word for envelope in few for word in ("--envelope", envelope)),
    )
    assert ended(done) == [("a.txt.ack.vls", 0), ("stray.vls", 3), ("c.txt.ack.vls", 2), ("b.txt.ack.vls", 0)]
    assert "not among those given" in lines(done)[2]["error"]
    assert sorted(path.name for path in world.path("receipts").iterdir()) == ["a.txt.receipt.vls", "b.txt.receipt.vls"]
    again = world.by.run("countersign", *acks, "--envelope", world.path("sealed"), "-o", world.path("receipts"), "--as=maryna", "--json")
    assert ended(again) == [("a.txt.ack.vls", 6), ("b.txt.ack.vls", 6), ("c.txt.ack.vls", 0)]


def test_what_is_no_envelope_in_a_folder_is_passed_over_and_told(world: World, receipts: list[Path]) -> None:
    (world.path("sealed") / "notes.vlz").write_text("not an envelope", encoding="utf-8")
    done = world.kz.run("receipt", "verify", *receipts, "--envelope", world.path("sealed"), "--json")
    assert ended(done) == [(path.name, 0) for path in receipts]
    assert re.search(r"valiza: warning: .*notes\.vlz': .* are not a Valiza envelope; passed over", done.err)
    world.kz.fails(3, "receipt", "verify", *receipts, "--envelope", world.path("sealed") / "notes.vlz")
    world.path("empty").mkdir()
    world.kz.fails(7, "receipt", "verify", *receipts, "--envelope", world.path("empty"))


# -- receipts, and the register --------------------------------------------------------------------------------------------


def test_each_receipt_has_its_verdict(world: World, receipts: list[Path]) -> None:
    refusal = world.refuse(world.seal(name="other.vlz"))
    refused = world.countersign(refusal, world.path("other.vlz"))
    bad = damaged(receipts[1], world.path("bad.vls"))
    order = [receipts[0], refused, bad, world.path("acks") / "b.txt.ack.vls", receipts[1], receipts[0]]
    done = world.kz.run("receipt", "verify", *order, "--json")
    assert [code for _, code in ended(done)] == [0, 6, 4, 8, 0, 0]
    found = lines(done)
    assert [line.get("verdict") for line in found] == ["delivered", "refused", None, "acknowledged", "delivered", "delivered"]
    assert [line.get("duplicate") for line in found] == [False, False, None, False, False, True]
    assert found[1]["error"] == "the envelope was refused: contents"
    assert standings(world.kz) == ["delivered", "delivered", "outstanding", "outstanding", "refused"]
    alone = world.kz.works("receipt", "verify", receipts[2], "--json").facts
    assert list(found[0]) == ["object", "exit_code", *alone]


@pytest.mark.slow
def test_processes_that_share_receipts_enter_each_once(world: World, receipts: list[Path]) -> None:
    """The same bytes come many times, and among several processes: exactly one of them is new."""
    copies = [path for _ in range(GROUP) for path in receipts]
    done = world.kz.run("receipt", "verify", *copies, "--jobs", "4", "--json")
    assert ended(done) == [(path.name, 0) for path in copies]
    for path in receipts:
        assert sorted(line["duplicate"] for line in lines(done) if line["object"] == str(path)) == [False] + [True] * (GROUP - 1)
    store = SqliteStore(world.kz.home / "register.db", lambda: 0)
    entered = [entry.dispatch_digest for entry in store.facts(Query(kinds=("receipt",)))]
    store.close()
    assert len(entered) == len(set(entered)) == len(receipts)
    assert standings(world.kz) == ["delivered"] * len(receipts)


# -- usage -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["--number=7", "--number=", "--condition=1=missing", "--missing=1", "--damaged=0"])
def test_what_is_about_one_envelope_is_refused_with_many(world: World, envelopes: list[Path], option: str) -> None:
    for words in (envelopes[:2], [envelopes[0], "--each"]):
        done = world.by.fails(2, "acknowledge", *words, option, "-o", world.path("acks"))
        assert done.error.startswith(f"{option.partition('=')[0]} is about one object")
    assert not world.path("acks").exists()


def test_other_options_about_one_object_are_refused_with_many(world: World, envelopes: list[Path], files: list[Path]) -> None:
    world.by.fails(2, "open", *envelopes, "--rewrap", world.path("r.vls"), "-o", world.path("opened"), "--as=yanka")
    world.kz.fails(2, *world.order("--each", "--package=7", files=files), "-o", world.path("new"))
    several = world.by.fails(2, "acknowledge", *envelopes, "--number=7", "--missing=1", "-o", world.path("acks"))
    assert several.error.startswith("--number and --missing are about one object")
    assert not {"opened", "new", "acks"} & {path.name for path in world.folder.iterdir()}


def test_results_of_many_go_to_a_folder(world: World, envelopes: list[Path], files: list[Path]) -> None:
    file = world.path("file")
    file.write_bytes(b"precious")
    commands: tuple[tuple[list[str | Path], int], ...] = (
        (["open", *envelopes, "--as=yanka", "-o", file], 2),
        (["open", *envelopes, "--as=yanka", "-o", "-"], 2),
        (["acknowledge", *envelopes, "-o", file], 2),
        (["acknowledge", *envelopes, "-o", "-"], 2),
        (["acknowledge", *envelopes, "-o", world.path("no/folder")], 7),
    )
    for command, code in commands:
        world.by.fails(code, *command)
    world.kz.fails(2, *world.order("--each", files=files), "-o", "-")
    world.kz.fails(2, *world.order("--each", files=files), "-o", file)
    assert file.read_bytes() == b"precious"


def test_standard_input_among_many(world: World, envelopes: list[Path], receipts: list[Path]) -> None:
    raw = envelopes[1].read_bytes()
    done = world.by.run("verify", envelopes[0], "-", "--json", stdin=raw)
    assert ended(done) == [("a.txt.vlz", 0), ("-", 0)]
    assert lines(done)[1]["verified"]["envelope_id"] != lines(done)[0]["verified"]["envelope_id"]
    done = world.kz.run("receipt", "verify", "-", receipts[0], "--json", stdin=receipts[1].read_bytes())
    assert ended(done) == [("-", 0), ("a.txt.receipt.vls", 0)]
    world.by.fails(2, "verify", "-", "-", stdin=raw)
    world.by.fails(2, "verify", envelopes[0], "-", "--jobs=2", stdin=raw)
    world.kz.fails(2, "receipt", "verify", receipts[0], "-", "--jobs=2", stdin=receipts[1].read_bytes())
    world.kz.fails(2, "receipt", "verify", *receipts, "--envelope", "-", stdin=raw)
    for command in (["open", "--as=yanka"], ["acknowledge"]):
        world.by.fails(2, *command, envelopes[0], "-", "-o", world.path("new"), stdin=raw)
        world.by.fails(2, *command, "-", "--each", "-o", world.path("new"), stdin=raw)
    acks = sorted(world.path("acks").iterdir())
    world.by.fails(2, "countersign", acks[0], "-", "--envelope", world.path("sealed"), "-o", world.path("new"), stdin=acks[1].read_bytes())
    assert not world.path("new").exists()


def test_a_hint_that_holds_for_many_is_told_once(world: World, envelopes: list[Path]) -> None:
    done = world.by.run("acknowledge", *envelopes, "-o", world.path("acks"))
    assert done.code == 6
    assert done.err.count("valiza: error: ") == len(envelopes)
    assert done.err.count("valiza: hint: ") == 1


# -- keys ------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def protected(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Both offices with keys under a passphrase."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VALIZA_PASSPHRASE", "right")
        return found_world(tmp_path_factory.mktemp("protected"), passphrase=True)


@pytest.fixture
def derivations(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The salt of every Argon2id that is run from now on."""
    real, seen = nacl.bindings.crypto_pwhash_alg, []

    def counted(size: int, passphrase: bytes, salt: bytes, *cost: int) -> bytes:
        seen.append(salt)
        return real(size, passphrase, salt, *cost)

    monkeypatch.setattr(nacl.bindings, "crypto_pwhash_alg", counted)
    return seen


@pytest.mark.slow
def test_a_key_is_unlocked_once_and_a_wrong_passphrase_tried_once(
    protected: World, tmp_path: Path, derivations: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = protected.copy(tmp_path / "world")
    files = [world.path(f"{name}.txt") for name in NAMES]
    for path in files:
        path.write_text(path.name, encoding="utf-8")
    order = [*world.order("--each", files=files), "-o", world.path("sealed"), "--json"]
    monkeypatch.setenv("VALIZA_PASSPHRASE", "wrong")
    wrong = world.kz.run(*order)
    assert ended(wrong) == [(path.name, 5) for path in files]
    assert {line["error"].rpartition(": ")[2] for line in lines(wrong)} == {"wrong passphrase"}
    assert len(derivations) == 1
    assert list(world.path("sealed").iterdir()) == []
    assert standings(world.kz) == []
    monkeypatch.setenv("VALIZA_PASSPHRASE", "right")
    world.kz.works(*order)
    assert len(derivations) == 2
    envelopes = sorted(world.path("sealed").iterdir())
    world.by.works("open", *envelopes, "-o", world.path("opened"), "--as=yanka")
    world.by.works("acknowledge", *envelopes, "-o", world.path("acks"), "--as=yanka")
    assert len(derivations) == 4


# -- interruption ----------------------------------------------------------------------------------------------------------


@contextmanager
def started(*words: str | Path) -> Iterator[subprocess.Popen[str]]:
    """The program at work, in a process group of its own, as a shell starts it."""
    command = [str(VALIZA), *map(str, words)]
    with (
        tempfile.TemporaryFile("w+") as said,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, text=True, start_new_session=True) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


def interrupted(process: subprocess.Popen[str], after: int) -> tuple[list[str], str]:
    """Ctrl-C to all its processes after it printed some lines; returns all lines, and what it said."""
    assert process.stdout is not None
    printed = [process.stdout.readline() for _ in range(after)]
    said = os.open(f"/proc/{process.pid}/fd/2", os.O_RDONLY)
    os.killpg(process.pid, signal.SIGINT)
    printed += process.stdout.readlines()
    process.wait(timeout=60)
    with os.fdopen(said, encoding="utf-8") as file:
        return [line for line in printed if line.strip()], file.read()


def counted(err: str) -> int:
    """How many were reported, as it was told; the interruption may come between counting and printing."""
    found = re.search(r"valiza: (\d+) of \d+ envelopes were reported", err)
    assert found is not None, err
    return int(found[1])


@pytest.mark.slow
@pytest.mark.parametrize(("jobs", "after"), [("1", 20), ("3", 20), ("3", 0)])
def test_interrupted_while_verifying(world: World, envelopes: list[Path], jobs: str, after: int) -> None:
    """At once, too, when other processes are just starting."""
    many = [path for _ in range(2000) for path in envelopes]
    with started("verify", *many, "--home", world.by.home, "--jobs", jobs, "--json") as process:
        if not after:
            _wait_for_children(process.pid)
        printed, err = interrupted(process, after)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert err.endswith("valiza: error: interrupted\n")
    if after:
        assert len(printed) <= counted(err) <= len(printed) + 1
    assert after <= len(printed) < len(many)
    assert all(json.loads(line)["exit_code"] == 0 for line in printed)


def _wait_for_children(pid: int) -> None:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    while len(children.read_text(encoding="ascii").split()) < 2:  # the tracker of multiprocessing, and the first of ours
        pass


@pytest.mark.slow
def test_interrupted_while_opening_and_taken_up_again(world: World, envelopes: list[Path]) -> None:
    many = [world.path("many") / f"{number:03}.vlz" for number in range(300)]
    world.path("many").mkdir()
    for path in many:
        shutil.copyfile(envelopes[0], path)
    with started("open", *many, "-o", world.path("opened"), "--home", world.by.home, "--as=yanka", "--json") as process:
        printed, err = interrupted(process, 5)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert len(printed) <= counted(err) <= len(printed) + 1
    reported = {Path(json.loads(line)["folder"]) for line in printed}
    there = set(world.path("opened").iterdir())
    assert reported <= there
    assert len(there - reported) <= 1, "at most the one that was done, and not told yet"
    assert all((folder / "a.txt").read_text(encoding="utf-8") == "carrier a\n" for folder in there), "none is half written"
    again = world.by.run("open", *many, "-o", world.path("opened"), "--as=yanka", "--json")
    assert [code for _, code in ended(again)] == [6 if world.path("opened") / path.stem in there else 0 for path in many]


@pytest.mark.slow
def test_interrupted_while_sealing(world: World) -> None:
    many = [world.path(f"{number:03}.txt") for number in range(400)]
    for path in many:
        path.write_text(path.name, encoding="utf-8")
    with started(*world.order("--each", files=many), "-o", world.path("new"), "--home", world.kz.home, "--json") as process:
        printed, err = interrupted(process, 10)
    assert process.returncode == 130
    assert "Traceback" not in err
    reported = {Path(json.loads(line)["envelope"]) for line in printed}
    there = set(world.path("new").iterdir())
    assert reported <= there
    assert not [path for path in there if path.suffix != ".vlz"]
    assert standings(world.kz).count("outstanding") == len(there), "each that is there stands in the register, and no other"
    done = world.by.run("verify", *there, "--json")
    assert {code for _, code in ended(done)} == {0}


SHARED: Final = """
import os, signal, sys
from pathlib import Path
from valiza.cli import batch
from valiza.cli.main import main
from valiza.keys.errors import Unavailable

def work(paths):
    if paths[0].name == "fatal":
        os.kill(os.getpid(), signal.SIGKILL)
    if paths[0].name == "full":
        raise Unavailable("the disk is full", "make room")
    return [batch.Result(line="done") for _ in paths]

if __name__ == "__main__":
    try:
        code = batch.report([Path(word) for word in sys.argv[1:]], work, many=True, json_=False, what="objects", group=2, jobs=2)
    except Unavailable as error:
        print(error.message)
        code = error.exit_code
    sys.exit(code)
"""


def _shared(tmp_path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    script = tmp_path / "shared.py"
    script.write_text(SHARED, encoding="utf-8")
    return subprocess.run([sys.executable, script, *words], capture_output=True, text=True, timeout=60, check=False)


def test_what_stops_a_group_is_the_result_of_each_of_it(tmp_path: Path) -> None:
    done = _shared(tmp_path, "a", "b", "full", "c", "d")
    assert done.returncode == 7
    assert done.stdout == "a: done\nb: done\nd: done\n"
    assert done.stderr.splitlines() == [
        "valiza: error: full: the disk is full",
        "valiza: hint: make room",
        "valiza: error: c: the disk is full",
        "valiza: 2 of 5 objects ended in an error",
    ]


def test_a_process_that_is_killed_is_told_in_one_line(tmp_path: Path) -> None:
    done = _shared(tmp_path, "fatal", "b", "c", "d")
    assert done.returncode == 7
    assert done.stdout.splitlines()[-1] == "a process that shared the work was ended from outside"
    assert done.stderr == ""


@pytest.mark.slow
def test_processes_do_not_outlive_the_one_that_started_them(world: World, envelopes: list[Path]) -> None:
    many = [path for _ in range(2000) for path in envelopes]
    with started("verify", *many, "--home", world.by.home, "--jobs=2", "--json") as process:
        assert process.stdout is not None
        process.stdout.readline()
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii").split()
        assert len(children) >= 2
        process.kill()
        process.stdout.read()  # ends when nobody holds its standard output any more: no child is left


def test_one_that_fails_and_is_alone_prints_nothing(world: World, envelopes: list[Path]) -> None:
    """Without --each one object is what it always was."""
    done = world.by.run("verify", damaged(envelopes[0], world.path("bad.vlz")), "--json")
    assert_failed(done, 4)
