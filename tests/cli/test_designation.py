"""Designating a body, telling the other party, and what comes of it for who confirms (A3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pexpect
import pytest
from tests.cli.test_revocation import DAY, publish, utc
from tests.support.cli import VALIZA, World, fails, works
from tests.support.custodians import five_of, office_under

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MAKE: Final = ("designation", "make")


def designate(world: World, *words: str, name: str = "made.vls") -> Path:
    """Designate a body of Belarus at its office."""
    world.by.works(*MAKE, *words, "--by-root", "-o", world.path(name))
    return world.path(name)


def test_another_body_confirms(world: World) -> None:
    """Belarus names a confirming body; Kazakhstan seals for it once it has imported that, and an arbiter verifies by the rosters."""
    order = world.order("--confirming=BY-ARCHIVE")
    refused = world.kz.fails(6, *order, "-o", world.path("x.vlz"))
    assert "does not confirm receipt" in refused.error
    assert "confirming bodies: BY-MFA" in refused.hint
    made = designate(world, "BY-ARCHIVE", "--role=confirming", "--name=en=Archive")
    world.kz.fails(6, *order, "-o", world.path("x.vlz"))
    roster = publish(world, world.by, "BY-2.vls", "--add", made)
    envelope = world.path("letter.vlz")
    world.kz.works(*order, "-o", envelope)
    world.by.works("verify", envelope)
    roots = [f"--root={office.root}" for office in (world.kz, world.by)]
    trust = [*roots, f"--roster={world.kz.roster}", f"--agreement={world.agreement}"]
    assert works("verify", envelope, *trust, f"--roster={roster}", "--json").facts["verified"]["confirming"] == "BY/BY-ARCHIVE"
    fails(6, "verify", envelope, *trust, f"--roster={world.by.roster}")
    world.seal(name="usual.vlz")  # besides: the destination itself still does


def test_in_the_place_of_the_destination(world: World, travel: Callable[[int], None]) -> None:
    """From a day on; what was sealed before is confirmed as its core says, and nothing has to be typed afterwards."""
    made = designate(world, "BY-ARCHIVE", "--role=confirming", "--name=en=Archive", "--replaces=BY/BY-MFA", f"--effective={utc(1)}")
    publish(world, world.by, "BY-2.vls", "--add", made)
    before, _, receipt = world.exchange()
    travel(2 * DAY)
    assert world.kz.works("receipt", "verify", receipt, "--envelope", before, "--json").facts["verdict"] == "delivered"
    assert world.kz.works(*world.order("--dry-run", "--json")).facts["confirming"] == "BY/BY-ARCHIVE"
    world.kz.fails(6, *world.order("--confirming=BY-MFA"), "-o", world.path("x.vlz"))


def test_what_is_designated_is_shown_and_listed(world: World) -> None:
    made = designate(world, "BY-NSC", "--role=competent", "--name=en=Committee", "--name=be=Камітэт", f"--until={utc(9)}")
    read = works("inspect", made, "--json").facts["read"]
    assert (read["type"], read["body"][:3]) == ("valiza/v1/designation", ["BY", 1, "BY-NSC"])
    roster = world.path("BY-2.vls")
    world.by.works("roster", "publish", "--add", made, "-o", roster)
    facts = world.kz.works("roster", "diff", roster, "--json").facts
    (one,) = facts["changes"]["designations"]
    assert (one["body"], one["role"], one["names"], one["replaces"]) == ("BY/BY-NSC", "competent", {"be": "Камітэт", "en": "Committee"}, None)
    assert "designated: BY/BY-NSC is competent from" in world.kz.works("roster", "diff", roster).out
    assert world.kz.works("designation", "list", "--json").facts["designations"] == []
    assert "the agreements tell all" in world.kz.works("designation", "list").err
    world.kz.works("roster", "import", roster)
    listed = world.kz.works("designation", "list", "--json").facts
    assert listed["designations"] == [one]
    (roles,) = listed["now"].values()
    assert "BY-NSC" in roles["BY"]["competent"]
    assert "BY-NSC" not in roles["KZ"]["competent"]
    assert world.kz.works("designation", "list", "--party=KZ", "--json").facts["designations"] == []
    assert world.kz.works("roster", "show", "--json").facts["BY"]["designations"] == 1
    assert "is competent from" in world.kz.works("designation", "list").out


def test_the_name_of_a_known_body_need_not_be_typed(world: World) -> None:
    facts = world.by.works(*MAKE, "BY-MFA", "--role=competent", "--by-root", "-o", world.path("a.vls"), "--json").facts
    assert facts["complete"]
    assert facts["says"]["name"] == "BY-MFA"
    assert "its name is not known" in world.by.fails(2, *MAKE, "BY-NSC", "--role=competent", "--by-root", "-o", world.path("x.vls")).error


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["BY-MFA", "--by-root"], 2),
        (["by-mfa", "--role=competent", "--by-root"], 2),
        (["KZ/KZ-MFA", "--role=competent", "--by-root"], 2),
        (["BY-MFA", "--role=competent"], 2),
        (["BY-MFA", "--role=authorised", "--by-root"], 2),
        (["BY-MFA", "--role=competent", "--by-root", "--replaces=destination"], 2),
        (["BY-MFA", "--role=competent", "--by-root", "--replaces=BY-MFA"], 3),
        (["BY-MFA", "--role=competent", "--by-root", "--effective=2020-01-01T00:00:00Z"], 3),
        (["BY-MFA", "--role=competent", "--by-root", "--until=2020-01-01T00:00:00Z"], 3),
        (["BY-MFA", "--role=competent", "--by-root", "--name=Archive"], 2),
        (["BY-MFA", "--role=competent", "--by-root", "--number=0"], 2),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, list) else "",
)
def test_what_cannot_be(world: World, words: list[str], code: int) -> None:
    world.by.fails(code, *MAKE, *words, "-o", world.path("x.vls"))
    assert not world.path("x.vls").exists()


def test_a_list_has_no_holes_and_never_goes_back(world: World) -> None:
    second = designate(world, "BY-NSC", "--role=competent", "--name=en=C", "--number=2", name="2.vls")
    done = world.by.fails(6, "roster", "publish", "--add", second, "-o", world.path("x.vls"))
    assert "designation 1 of BY is missing" in done.error
    copy = world.copy(world.folder / "copy")
    first = designate(world, "BY-ARCHIVE", "--role=confirming", "--name=en=A", name="1.vls")
    publish(world, world.by, "BY-2.vls", "--add", first, "--add", second)
    for name in ("a.vls", "b.vls"):
        copy.by.works("roster", "publish", "-o", copy.path(name))
    done = world.kz.fails(6, "roster", "import", copy.path("b.vls"))
    assert "drops or replaces 2 designations of version 2" in done.error
    third = world.by.works(*MAKE, "BY-MFA", "--role=competent", "--by-root", "-o", world.path("3.vls"), "--json").facts
    assert third["says"]["number"] == 3


def test_another_party_s_designation_is_not_taken_in(world: World) -> None:
    made = designate(world, "BY-MFA", "--role=competent")
    assert "who designates is not a root of this roster" in world.kz.fails(4, "roster", "publish", "--add", made, "-o", world.path("x.vls")).error


def test_three_of_five_designate_without_an_office(tmp_path: Path) -> None:
    people, root = five_of(tmp_path / "five")
    office = office_under(people, root)
    begun = people.path("1.vls")
    words = (*MAKE, "KZ-NSC", "--role=competent", "--name=en=Committee", "--key", people.key("aliya"))
    fails(2, *words, "--by-root", "--root", office.roster, "-o", begun)
    made = works(*words, "--root", office.roster, "-o", begun, "--json").facts
    assert (made["complete"], made["shares"][0]["signed"], made["shares"][0]["missing"]) == (False, ["aliya"], 2)
    assert "3 of 5 are needed" in office.fails(4, "roster", "publish", "--add", begun, "-o", people.path("x.vls")).error
    two = people.sign(begun, "2.vls", "erlan", office.roster).facts
    assert (two["says"]["body"], two["says"]["role"], two["complete"]) == ("KZ/KZ-NSC", "competent", False)
    whole = people.finish(people.path("2.vls"), "3.vls", "gulnar", roots=(root,))
    office.works("roster", "publish", "--add", whole, "-o", people.path("KZ-2.vls"))
    (one,) = office.works("designation", "list", "--json").facts["designations"]
    assert (one["body"], one["name"]) == ("KZ/KZ-NSC", "Committee")
    fails(6, *MAKE, "KZ-NSC", "--role=competent", "--name=en=C", "--key", office.home / "keys" / "office" / "certify.key", "--root", office.roster,
          "-o", people.path("x.vls"))  # fmt: skip


def test_somebody_at_a_terminal_is_asked(world: World) -> None:
    out = world.path("made.vls")
    command = [*MAKE, "BY-MFA", "--role=competent", "--by-root", "--home", str(world.by.home), "-o", str(out)]
    for answer, code in (("n", 6), ("y", 0)):
        child = pexpect.spawn(str(VALIZA), command, encoding="utf-8", timeout=60)
        child.expect_exact("in place of: nobody: besides the others")
        child.expect_exact("Designate it?")
        child.sendline(answer)
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == code
        assert out.exists() == (code == 0)
