"""Showing roots, and comparing fingerprints: yes is 0, no is 4, and what is mistyped is never yes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pexpect
import pytest
from tests.support.cli import VALIZA, World, fails, run, works

if TYPE_CHECKING:
    from collections.abc import Callable


def words_of(world: World) -> list[str]:
    """The fingerprint of BY's root in words."""
    words: str = works("root", "show", world.by.roster, "--json").facts["roots"][0]["words"]
    return words.split()


def test_a_root_is_shown_from_a_roster_and_from_an_office(world: World) -> None:
    (root,) = works("root", "show", world.by.roster, "--json").facts["roots"]
    assert world.by.works("root", "show", "--json").facts["roots"] == [root]
    assert root["fingerprint"] == world.by.root == "".join(root["digits"].split())
    assert (root["party"], root["version"], root["degrees"], root["threshold"], root["complete"]) == ("BY", 1, ["1", "2", "3"], 1, True)
    (custodian,) = root["custodians"]
    assert custodian["signed"]
    text = works("root", "show", world.by.roster).out
    assert text.startswith("root of BY, version 1\n")
    assert all(value in text for value in (root["digits"], root["words"], custodian["id"]))


def test_show_needs_a_file_or_an_office(world: World) -> None:
    assert "missing a root" in fails(2, "root", "show").error
    fails(3, "root", "show", world.agreement)
    fails(3, "root", "show", world.carrier)
    fails(7, "root", "show", world.path("missing.vls"))


GOOD: Final[dict[str, Callable[[str, list[str]], list[str]]]] = {
    "digits": lambda digits, _: [digits],
    "groups": lambda digits, _: [digits[i : i + 4] for i in range(0, 64, 4)],
    "groups in one word": lambda digits, _: [" ".join(digits[i : i + 8] for i in range(0, 64, 8))],
    "capitals and colons": lambda digits, _: [":".join(digits[i : i + 2] for i in range(0, 64, 2)).upper()],
    "words": lambda _, words: words,
    "words in one word": lambda _, words: [" ".join(words)],
    "capital words": lambda _, words: [word.upper() for word in words],
}
OTHER: Final[dict[str, Callable[[str, list[str]], list[str]]]] = {
    "another last digit": lambda digits, _: [digits[:-1] + f"{int(digits[-1], 16) ^ 1:x}"],
    "another first digit": lambda digits, _: [f"{int(digits[0], 16) ^ 8:x}" + digits[1:]],
    "two groups exchanged": lambda digits, _: [digits[4:8] + digits[:4] + digits[8:]],
}
WRONG: Final[dict[str, Callable[[str, list[str]], list[str]]]] = {
    "the first half": lambda digits, _: [digits[:32]],
    "eight digits": lambda digits, _: [digits[:8]],
    "a group missing": lambda digits, _: [digits[:-4]],
    "a group more": lambda digits, _: [digits + digits[:4]],
    "a letter that is no digit": lambda digits, _: [digits[:-1] + "g"],
    "the last word missing": lambda _, words: words[:-1],
    "a word in the middle missing": lambda _, words: [*words[:10], *words[11:]],
    "a word more": lambda _, words: [*words, words[-1]],
    "a mistyped word": lambda _, words: [*words[:3], words[3] + "x", *words[4:]],
    "a shortened word": lambda _, words: [*words[:3], words[3][:3], *words[4:]],
    "nothing but space": lambda _digits, _words: [" "],
}


@pytest.mark.parametrize("typed", GOOD.values(), ids=GOOD.keys())
def test_the_same_is_yes(typed: Callable[[str, list[str]], list[str]], world: World) -> None:
    value = typed(world.by.root, words_of(world))
    done = works("root", "compare", world.by.roster, *value, "--json")
    assert done.facts == {"same": True, "party": "BY", "version": 1, "fingerprint": world.by.root, "complete": True}
    assert works("root", "compare", world.by.roster, "-", stdin="\n".join(value).encode()).out.startswith("same: yes\n")


@pytest.mark.parametrize("typed", OTHER.values(), ids=OTHER.keys())
def test_anything_else_is_no(typed: Callable[[str, list[str]], list[str]], world: World) -> None:
    done = fails(4, "root", "compare", world.by.roster, *typed(world.by.root, words_of(world)))
    assert done.error.startswith("no: the root of BY in ")


def test_another_root_is_no_in_words_too(world: World) -> None:
    fails(4, "root", "compare", world.kz.roster, *words_of(world))


@pytest.mark.parametrize("typed", WRONG.values(), ids=WRONG.keys())
def test_what_is_no_fingerprint_is_malformed(typed: Callable[[str, list[str]], list[str]], world: World) -> None:
    value = typed(world.by.root, words_of(world))
    fails(3, "root", "compare", world.by.roster, *value)
    fails(3, "root", "compare", world.by.roster, "-", stdin=" ".join(value).encode())


def test_two_words_exchanged_are_never_yes(world: World) -> None:
    words = words_of(world)
    done = run("root", "compare", world.by.roster, words[1], words[0], *words[2:])
    assert (done.code in {3, 4}) == (words[0] != words[1])


def test_what_cannot_be_compared(world: World) -> None:
    fails(2, "root", "compare", world.by.roster)
    fails(2, "root", "compare", "-", "-")
    fails(2, "root", "compare", world.by.roster, "-", stdin=b"a" * 5000)
    fails(3, "root", "compare", world.by.roster, "-", stdin=b"")
    fails(3, "root", "compare", world.by.roster, "-", stdin=b"\xff\xfe")
    fails(3, "root", "compare", world.agreement, world.by.root)


def test_a_person_is_asked(world: World) -> None:
    child = pexpect.spawn(str(VALIZA), ["root", "compare", str(world.by.roster)], encoding="utf-8", timeout=30)
    child.expect("as the other side reads it: ")
    child.sendline(" ".join(words_of(world)))
    child.expect("same: yes")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


def test_words_pin_a_root_wherever_a_fingerprint_does(world: World) -> None:
    """Import, and a stranger's --root."""
    new = world.path("new")
    works("office", "init", new, "--party=KZ", "--body=KZ-NEW", "--degrees=1,2,3", "--unprotected")
    words = words_of(world)
    fails(2, "roster", "import", world.by.roster, "--home", new, "--root", " ".join(words[:-1]))
    works("roster", "import", world.by.roster, "--home", new, "--root", " ".join(words))
    assert (new / "roots" / "BY").read_text(encoding="ascii").strip() == world.by.root
    credential = world.by.home / "credentials" / "yanka" / "open.vls"
    works("credential", "verify", credential, "--root", " ".join(words).upper(), "--roster", world.by.roster)
