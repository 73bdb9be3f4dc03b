"""Custodians at the command line: keys and requests, roots drafted, signed one after the other and renewed; what may not be is refused."""

from __future__ import annotations

import shutil
import stat
from typing import TYPE_CHECKING, Final

import pexpect
import pytest
from tests.support.cli import VALIZA, World, fails, run, works
from tests.support.custodians import FIVE, Custodians, five_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five custodians with a root, made once."""
    folder = tmp_path_factory.mktemp("custodians") / "five"
    five_of(folder)
    return folder


@pytest.fixture
def five(made: Path, tmp_path: Path) -> Custodians:
    """The same, this test's own: root.1.vls is begun, root.vls is finished."""
    return Custodians(shutil.copytree(made, tmp_path / "five"))


def ids(root: Path) -> dict[str, str]:
    """The ids of a root's custodians by their names."""
    return {one["name"]: one["id"] for one in works("root", "show", root, "--json").facts["roots"][-1]["custodians"]}


# -- custodian new --------------------------------------------------------------------------------------------------------


def test_new_makes_a_key_and_a_request(tmp_path: Path) -> None:
    facts = works("custodian", "new", "--party=KZ", "--name=en=Aliya", "--name=kk=Әлия", "--unprotected", "-o", tmp_path / "a", "--json").facts
    assert (facts["party"], facts["body"], facts["name"], facts["names"]) == ("KZ", None, "Aliya", {"en": "Aliya", "kk": "Әлия"})
    assert list(facts["keys"]) == ["custodian"]
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["custodian.key", "request.vls"]
    assert stat.S_IMODE((tmp_path / "a" / "custodian.key").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o700
    read = works("inspect", tmp_path / "a" / "request.vls", "--json").facts["read"]
    assert read["type"] == "valiza/v1/request"
    assert read["body"][0] == facts["subject"]


def test_new_keeps_an_id(five: Custodians) -> None:
    known = ids(five.path("root.vls"))["erlan"]
    assert five.new("erlan-2", f"--id={known}") == known


@pytest.mark.parametrize(
    "wrong",
    [["--party=kz"], ["--name=Aliya"], ["--name=en="], ["--id=60a3"], ["--id=" + "g" * 32], ["--id=" + " ".join(["ab"] * 16)], ["--id="]],
    ids=" ".join,
)
def test_new_with_what_cannot_be_leaves_nothing(wrong: list[str], tmp_path: Path) -> None:
    done = run("custodian", "new", "--party=KZ", "--name=en=A", "--unprotected", "-o", tmp_path / "a", *wrong)
    assert done.code == 2
    assert list(tmp_path.iterdir()) == []


def test_new_overwrites_nothing(five: Custodians) -> None:
    before = five.key("aliya").read_bytes()
    fails(6, "custodian", "new", "--party=KZ", "--name=en=A", "--unprotected", "-o", five.folder / "aliya")
    assert five.key("aliya").read_bytes() == before


def test_a_key_is_protected_unless_said_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fails(2, "custodian", "new", "--party=KZ", "--name=en=A", "-o", tmp_path / "a")
    monkeypatch.setenv("VALIZA_PASSPHRASE", "correct horse")
    people = Custodians(tmp_path)
    for name in ("a", "b"):
        works("custodian", "new", "--party=KZ", f"--name=en={name}", "-o", tmp_path / name)
    first = ("root", "draft", "--party=KZ", "--name=en=KZ", "--degrees=1", "--threshold=2", *people.asking("a", "b"))
    works(*first, "--key", people.key("a"), "-o", tmp_path / "r1")
    monkeypatch.setenv("VALIZA_PASSPHRASE", "wrong horse")
    fails(5, *first, "--key", people.key("a"), "-o", tmp_path / "r2")
    fails(5, "custodian", "sign", tmp_path / "r1", "--key", people.key("b"), "-o", tmp_path / "r2")
    monkeypatch.setenv("VALIZA_PASSPHRASE", "correct horse")
    assert works("custodian", "sign", tmp_path / "r1", "--key", people.key("b"), "-o", tmp_path / "r2", "--json").facts["complete"]


# -- root draft -----------------------------------------------------------------------------------------------------------


def test_a_draft_tells_what_is_missing(five: Custodians) -> None:
    facts = five.draft("again.vls").facts
    assert not facts["complete"]
    assert facts["changes"] == {
        "added": sorted(FIVE, key=lambda name: ids(five.path("root.vls"))[name]),
        "replaced": [],
        "removed": [],
        "threshold": [3],
    }
    (share,) = facts["shares"]
    assert (share["party"], share["version"], share["threshold"], share["custodians"], share["signed"], share["missing"]) == (
        "KZ", 1, 3, 5, ["aliya"], 2,
    )  # fmt: skip
    text = run("root", "draft", "--party=KZ", "--degrees=1", "--threshold=2", *five.asking("aliya", "bolat"), "--key", five.key("bolat"), "-o", "-")
    assert text.raw.startswith(b"\x93")
    assert "still needed: 1 of KZ, version 1" in text.err


@pytest.mark.parametrize(
    ("names", "options", "code"),
    [
        ((*FIVE, "aliya"), [], 6),
        (FIVE, ["--threshold=6"], 2),
        (FIVE, ["--threshold=0"], 2),
        (FIVE, ["--degrees=1,1"], 2),
        (FIVE, ["--party=BY"], 6),
        (FIVE, ["--validity=0"], 2),
        ((), [], 2),
        (FIVE[1:], [], 6),  # the key is aliya's
    ],
)
def test_a_draft_that_cannot_be(names: tuple[str, ...], options: list[str], code: int, five: Custodians) -> None:
    done = five.draft("wrong.vls", *options, names=names)
    assert done.code == code, done.err
    assert not five.path("wrong.vls").exists()


def test_a_custodian_stands_once_under_any_name(five: Custodians) -> None:
    """His id, and his key."""
    five.new("twin", f"--id={ids(five.path('root.vls'))['aliya']}")
    assert five.draft("wrong.vls", names=(*FIVE, "twin")).code == 6


def test_a_draft_takes_requests_and_nothing_else(five: Custodians, world: World) -> None:
    for wrong, code in ((five.path("root.vls"), 3), (world.agreement, 3), (world.carrier, 3), (five.path("missing"), 7)):
        done = five.draft("wrong.vls", f"--custodian={wrong}")
        assert done.code == code, done.err
    damaged = bytearray(five.request("bolat").read_bytes())
    damaged[-1] ^= 1
    five.path("damaged.vls").write_bytes(damaged)
    assert five.draft("wrong.vls", f"--custodian={five.path('damaged.vls')}", names=("aliya", "dana", "erlan")).code == 4


@pytest.mark.parametrize("lacking", ["--party=KZ", "--degrees=1", "--threshold=2"])
def test_a_first_version_says_everything(lacking: str, five: Custodians) -> None:
    given = [option for option in ("--party=KZ", "--degrees=1", "--threshold=2") if option != lacking]
    done = fails(2, "root", "draft", *given, *five.asking("aliya", "bolat"), "--key", five.key("aliya"), "-o", five.path("x"))
    assert lacking.partition("=")[0] in done.error


# -- custodian sign -------------------------------------------------------------------------------------------------------


def test_three_of_five_finish_a_root(five: Custodians) -> None:
    two = five.sign(five.path("root.1.vls"), "two.vls", "erlan").facts
    assert (two["complete"], two["shares"][0]["missing"], two["signed_for"]) == (False, 1, [{"party": "KZ", "version": 1}])
    three = five.sign(five.path("two.vls"), "three.vls", "gulnar").facts
    assert (three["complete"], three["shares"][0]["missing"]) == (True, 0)
    assert works("root", "show", five.path("three.vls"), "--json").facts["roots"][0]["complete"]


def test_below_the_threshold_it_is_accepted_nowhere(five: Custodians, world: World) -> None:
    five.sign(five.path("root.1.vls"), "two.vls", "erlan")
    (shown,) = works("root", "show", five.path("two.vls"), "--json").facts["roots"]
    assert not shown["complete"]
    accepting: list[list[str | Path]] = [
        ["root", "draft", "--previous", five.path("two.vls"), "--key", five.key("aliya")],
        ["agreement", "sign", "kz-by", "--root", five.path("two.vls"), "--key", five.key("aliya")],
    ]
    for words in accepting:
        done = fails(4, *words, "-o", five.path("x"))
        assert "2 custodians of the root of KZ signed, and 3 of 5 are needed" in done.error
    world.kz.fails(3, "roster", "import", five.path("two.vls"))


def test_nobody_signs_twice(five: Custodians) -> None:
    done = five.sign(five.path("root.1.vls"), "x", "aliya")
    assert (done.code, done.error) == (6, "the custodian 'aliya' of KZ has signed this root already")
    assert not five.path("x").exists()


def test_a_complete_root_needs_no_more(five: Custodians) -> None:
    for name in ("erlan", "aliya"):
        done = five.sign(five.path("root.vls"), "x", name)
        assert (done.code, done.error) == (6, "enough custodians of KZ have signed this root")


def test_who_is_no_custodian_does_not_sign(five: Custodians, world: World) -> None:
    five.new("saule")
    for key in (five.key("saule"), world.kz.home / "keys" / "office" / "root.key", world.kz.home / "keys" / "aigul" / "seal.key"):
        done = fails(6, "custodian", "sign", five.path("root.1.vls"), "--key", key, "-o", five.path("x"))
        assert done.error.startswith("this key is that of no custodian of the root of KZ")


def test_what_is_no_key_does_not_sign(five: Custodians, world: World) -> None:
    for key, code in ((world.kz.home / "keys" / "aigul" / "open.key", 5), (five.path("root.vls"), 3), (five.path("missing"), 7)):
        fails(code, "custodian", "sign", five.path("root.1.vls"), "--key", key, "-o", five.path("x"))
    fails(2, "custodian", "sign", five.path("root.1.vls"), "-o", five.path("x"))


def test_a_damaged_signature_condemns_what_was_begun(five: Custodians) -> None:
    damaged = bytearray(five.path("root.1.vls").read_bytes())
    damaged[-1] ^= 1
    five.path("damaged.vls").write_bytes(damaged)
    assert five.sign(five.path("damaged.vls"), "x", "bolat").code == 4


@pytest.mark.parametrize("what", ["roster", "credential", "envelope", "carrier"])
def test_nothing_else_is_signed_by_custodians(what: str, five: Custodians, world: World) -> None:
    given = {
        "roster": world.kz.roster,
        "credential": world.kz.home / "credentials" / "aigul" / "seal.vls",
        "envelope": world.seal(),
        "carrier": world.carrier,
    }[what]
    done = five.sign(given, "x", "aliya", five.path("root.vls"))
    assert done.code == (4 if what == "credential" else 3)


def test_a_person_is_shown_what_he_signs_and_asked(five: Custodians) -> None:
    words = works("root", "show", five.path("root.1.vls"), "--json").facts["roots"][0]["words"]
    for answer, code in (("n", 6), ("y", 0)):
        arguments = ["custodian", "sign", five.path("root.1.vls"), "--key", five.key("bolat"), "-o", five.path(answer)]
        child = pexpect.spawn(str(VALIZA), [str(argument) for argument in arguments], encoding="utf-8", timeout=30, dimensions=(60, 400))
        child.expect_exact(words)
        child.expect("Sign this")
        child.sendline(answer)
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == code
        assert five.path(answer).exists() == (code == 0)


def test_yes_answers_beforehand(five: Custodians) -> None:
    arguments = ["custodian", "sign", five.path("root.1.vls"), "--key", five.key("bolat"), "--yes", "-o", five.path("x")]
    child = pexpect.spawn(str(VALIZA), [str(argument) for argument in arguments], encoding="utf-8", timeout=30)
    child.expect("still needed: 1 of KZ, version 1")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


# -- the next version -----------------------------------------------------------------------------------------------------


def renewed(five: Custodians, key: str, *options: str) -> Path:
    """Version 2, begun: erlan leaves, saule comes, gulnar gets another key."""
    known = ids(five.path("root.vls"))
    five.new("saule")
    five.new("gulnar-2", f"--id={known['gulnar']}")
    changes = ["--remove", known["erlan"], *five.asking("saule", "gulnar-2"), *options]
    done = works("root", "draft", "--previous", five.path("root.vls"), *changes, "--key", five.key(key), "-o", five.path("next.1.vls"), "--json")
    assert done.facts["changes"] == {"added": ["saule"], "replaced": ["gulnar-2"], "removed": ["erlan"], "threshold": [3, 3]}
    return five.path("next.1.vls")


def test_both_quorums_renew_a_root(five: Custodians) -> None:
    begun, old = renewed(five, "aliya"), five.path("root.vls")
    new = five.finish(begun, "next.vls", "saule", "gulnar-2", "erlan", "gulnar", roots=(old,))
    (alone,) = works("root", "show", new, "--json").facts["roots"]
    assert alone["complete"] is None, "the version before it is not at hand"
    (shown,) = works("root", "show", new, "--root", old, "--json").facts["roots"]
    assert (shown["version"], shown["complete"], shown["previous"]) == (
        2,
        True,
        works("root", "show", old, "--json").facts["roots"][0]["fingerprint"],
    )


def test_the_old_quorum_alone_renews_nothing(five: Custodians) -> None:
    begun, old = renewed(five, "erlan"), five.path("root.vls")
    five.sign(begun, "a", "gulnar", old)
    facts = five.sign(five.path("a"), "b", "bolat", old).facts
    assert (facts["complete"], [share["missing"] for share in facts["shares"]]) == (False, [2, 0])
    assert five.sign(five.path("b"), "c", "erlan", old).code == 6
    fails(4, "root", "draft", "--previous", five.path("b"), "--key", five.key("aliya"), "-o", five.path("x"))


def test_the_new_quorum_alone_renews_nothing(five: Custodians) -> None:
    begun, old = renewed(five, "saule"), five.path("root.vls")
    five.sign(begun, "a", "gulnar-2", old)
    facts = five.sign(five.path("a"), "b", "bolat", old).facts
    assert (facts["complete"], [share["missing"] for share in facts["shares"]]) == (False, [0, 2])
    assert five.sign(five.path("b"), "c", "saule", old).code == 6
    (shown,) = works("root", "show", five.path("b"), "--root", old, "--json").facts["roots"]
    assert shown["complete"] is False


def test_the_version_before_it_is_at_hand(five: Custodians) -> None:
    begun = renewed(five, "aliya")
    done = five.sign(begun, "x", "bolat")
    assert (done.code, done.error) == (4, f"{str(begun)!r}: version 2 of the root of KZ follows one that is not at hand")


def test_a_next_version_that_cannot_be(five: Custodians) -> None:
    previous: list[str | Path] = ["--previous", five.path("root.vls"), "--key", five.key("aliya"), "-o", five.path("x")]
    known = ids(five.path("root.vls"))
    for options, code in (
        (["--remove", "00" * 16], 6),
        (["--remove", "erlan"], 2),
        (["--remove", known["erlan"], *five.asking("erlan")], 6),
        (["--threshold=6"], 2),
        (["--party=KZ"], 2),
        (["--degrees=1,2"], 2),
    ):
        assert run("root", "draft", *previous, *options).code == code, options
    fails(2, "root", "draft", "--party=KZ", "--degrees=1", "--threshold=1", *five.asking("aliya"), "--remove", known["aliya"], *previous[2:])
    assert not five.path("x").exists()


# -- agreements -----------------------------------------------------------------------------------------------------------

SIGN: Final = ("agreement", "sign")


def test_an_agreement_is_signed_by_custodians_without_an_office(five: Custodians, world: World) -> None:
    """Three of five of KZ, offline; then the one custodian of BY, who is an office."""
    root = five.path("root.vls")
    begun = works(*SIGN, "kz-by", "--key", five.key("aliya"), "--root", root, "-o", five.path("1.vls"), "--json").facts
    assert not begun["complete"]
    two = five.sign(five.path("1.vls"), "2.vls", "bolat", root).facts
    assert (two["unknown"], two["says"]["agreement"]) == (["BY"], begun["digest"])
    works(*SIGN, five.path("2.vls"), "--key", five.key("dana"), "--root", root, "-o", five.path("3.vls"))
    done = five.sign(five.path("3.vls"), "x", "erlan", root)
    assert (done.code, done.error) == (6, "enough custodians of KZ have signed this agreement")
    key = world.by.home / "keys" / "office" / "root.key"
    fails(4, "custodian", "sign", five.path("3.vls"), "--key", key, "--root", world.by.roster, "-o", five.path("x"))
    last = works("custodian", "sign", five.path("3.vls"), "--key", key, "--root", world.by.roster, "--root", root, "-o", five.path("4.vls"), "--json")
    assert last.facts["complete"]


def test_an_agreement_needs_the_root_of_the_custodian_who_signs(five: Custodians, world: World) -> None:
    done = fails(6, *SIGN, "kz-by", "--key", five.key("aliya"), "--root", world.kz.roster, "-o", five.path("x"))
    assert done.error.startswith("this key is that of no custodian of a root at hand")
    fails(6, *SIGN, "kz-by", "--key", five.key("aliya"), "-o", five.path("x"))
    fails(2, *SIGN, "kz-by", "--root", world.kz.roster, "--home", world.kz.home, "-o", five.path("x"))


def test_a_termination_is_begun_by_a_custodian_s_key(world: World) -> None:
    key = world.kz.home / "keys" / "office" / "root.key"
    end = ["agreement", "terminate", "kz-by", "--takes-effect=2099-06-01T00:00:00Z"]
    facts = world.kz.works(*end, "--key", key, "-o", world.path("end.vls"), "--json").facts
    assert facts["complete"]
    world.kz.fails(6, *end, "--key", world.by.home / "keys" / "office" / "root.key", "-o", world.path("x"))
    world.by.works("agreement", "adopt", world.path("end.vls"))
