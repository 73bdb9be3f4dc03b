"""Revoking, publishing it, importing it, and what comes of everything that was under way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import pexpect
import pytest
from tests.support.cli import VALIZA, World, fails, works
from tests.support.custodians import five_of, office_under

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.cli import Office

DAY: Final = 86400


def utc(days: float = 0) -> str:
    """A time some days from now, as it is typed."""
    return (datetime.now(UTC) + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


def revoke(office: Office, *what: str | Path, kind: str = "retired", reason: str = "other") -> list[dict[str, Any]]:
    """Revoke at an office; returns what was made."""
    made: list[dict[str, Any]] = office.works("revocation", "make", *what, "--kind", kind, "--reason", reason, "--json").facts["revocations"]
    return made


def publish(world: World, office: Office, name: str, *more: str | Path) -> Path:
    """Publish at an office, and import it at the other one."""
    roster = world.path(name)
    office.works("roster", "publish", "-o", roster, *more)
    other = world.by if office.party == "KZ" else world.kz
    other.works("roster", "import", roster)
    return roster


# -- making ---------------------------------------------------------------------------------------------------------------


def test_an_officer_is_retired_with_all_his_credentials(world: World) -> None:
    made = revoke(world.kz, "aigul", reason="left")
    assert [(one["series"], one["number"], one["kind"], one["reason"], one["of"]["purpose"]) for one in made] == [
        ("KZ-MFA", 1, "retired", "left", "open"),
        ("KZ-MFA", 2, "retired", "left", "seal"),
    ]
    listed = world.kz.works("revocation", "list", "--json").facts["revocations"]
    assert [one["published"] for one in listed] == [False, False]
    world.kz.fails(6, "revocation", "make", "aigul", "--kind=retired", "--reason=left")
    publish(world, world.kz, "KZ-2.vls")
    for office in (world.kz, world.by):
        listed = office.works("revocation", "list", "--party=KZ", "--json").facts["revocations"]
        assert [(one["number"], one["published"]) for one in listed] == [(1, True), (2, True)]
    assert "retired" in world.by.works("revocation", "list").out
    done = world.kz.fails(6, *world.order(), "-o", world.path("late.vlz"))
    assert "was retired with effect from" in done.error


def test_numbers_go_on_whether_published_or_not(world: World) -> None:
    assert [one["number"] for one in revoke(world.kz, "aigul:seal", kind="suspended")] == [1]
    assert [one["number"] for one in revoke(world.kz, "aigul:seal", kind="restored")] == [2]
    publish(world, world.kz, "KZ-2.vls")
    assert [one["number"] for one in revoke(world.kz, "aigul:open", kind="suspended")] == [3]


@pytest.mark.parametrize(
    ("before", "kind"), [((), "restored"), (("suspended",), "suspended"), (("retired",), "suspended"), (("compromised",), "retired")]
)
def test_what_cannot_follow_is_refused_before_it_is_published(world: World, before: tuple[str, ...], kind: str) -> None:
    for one in before:
        revoke(world.kz, "aigul:seal", kind=one)
    done = world.kz.fails(6, "revocation", "make", "aigul:seal", "--kind", kind, "--reason=other")
    assert f"says {kind} of a credential that" in done.error
    assert len(world.kz.works("revocation", "list", "--json").facts["revocations"]) == len(before)


def test_named_by_digest_and_by_file(world: World) -> None:
    path = world.kz.home / "credentials" / "aigul" / "seal.vls"
    facts = works("credential", "verify", path, *world.strangers_trust[:4], "--json").facts
    (made,) = revoke(world.kz, facts["verified"]["credential"], kind="suspended")
    assert made["of"]["credential"] == facts["verified"]["credential"] == made["credential"]
    (again,) = revoke(world.kz, path, kind="restored")
    assert again["credential"] == made["credential"]


def test_who_is_not_known_is_not_revoked(world: World) -> None:
    rest = ("--kind=retired", "--reason=left")
    assert "neither a file, nor the digest" in world.kz.fails(2, "revocation", "make", "nobody", *rest).error
    world.kz.fails(2, "revocation", "make", "0" * 64, *rest)
    world.kz.fails(5, "revocation", "make", "aigul:act", *rest)
    stranger = world.by.home / "credentials" / "yanka" / "open.vls"
    assert "in no roster of KZ" in world.kz.fails(6, "revocation", "make", stranger, *rest).error
    body = world.kz.home / "credentials" / "office" / "certify.vls"
    assert "which the root of KZ issued" in world.kz.fails(6, "revocation", "make", body, *rest).error
    world.kz.fails(3, "revocation", "make", "aigul", "--kind=compromised", "--reason=lost", f"--effective={utc(1)}")
    world.kz.fails(2, "revocation", "make", "aigul", "--kind=compromised", "--reason=lost", "--effective=soon")
    assert world.kz.works("revocation", "list", "--json").facts["revocations"] == []


def test_it_is_written_for_who_publishes(world: World, tmp_path: Path) -> None:
    """The body's own office, which keeps no roster key, hands it over; what was handed over twice is taken in once."""
    one, several = tmp_path / "one.vls", tmp_path / "several"
    (made,) = revoke(world.kz, "aigul:seal", "-o", one, kind="suspended")
    assert made["file"] == str(one)
    assert one.read_bytes() == (world.kz.home / "revocations" / "KZ-MFA-000001.vls").read_bytes()
    revoke(world.kz, "aigul:seal", "aigul:open", "-o", several)
    assert [path.name for path in sorted(several.iterdir())] == ["KZ-MFA-000002.vls", "KZ-MFA-000003.vls"]
    world.kz.fails(6, "revocation", "make", "aigul:open", "--kind=compromised", "--reason=lost", "-o", one)
    (world.kz.home / "revocations" / "KZ-MFA-000002.vls").unlink()
    done = world.kz.fails(6, "roster", "publish", "-o", world.path("KZ-2.vls"))
    assert "revocation 2 of KZ/KZ-MFA is missing" in done.error
    added = [f"--add={path}" for path in (one, *sorted(several.iterdir()))]
    publish(world, world.kz, "KZ-2.vls", *added)
    assert len(world.by.works("revocation", "list", "--json").facts["revocations"]) == 3


def test_the_root_revokes_a_body(world: World, travel: Callable[[int], None]) -> None:
    """With its key in the office, or by a custodian who has no office, and only the roster."""
    travel(DAY)
    body = world.kz.home / "credentials" / "office" / "certify.vls"
    made = world.path("body.vls")
    rest = ("--kind=suspended", "--reason=suspected")
    facts = world.kz.works("revocation", "make", body, *rest, "--by-root", "-o", made, "--json").facts
    assert facts["complete"]
    assert (facts["says"]["series"], facts["says"]["number"]) == (None, 1)
    key = world.kz.home / "keys" / "office" / "root.key"
    alone = world.path("alone.vls")
    facts = works("revocation", "make", body, *rest, "--root", world.kz.roster, "--key", key, "--number=7", "-o", alone, "--json").facts
    assert (facts["says"]["number"], facts["says"]["party"]) == (7, "KZ")
    publish(world, world.kz, "KZ-2.vls", "--add", made)
    (one,) = world.by.works("revocation", "list", "--json").facts["revocations"]
    assert (one["series"], one["of"]["purpose"]) == (None, "certify")
    world.kz.fails(6, "credential", "issue", "dana:seal:1", "--unprotected")
    world.kz.works(*world.order(), "-o", world.path("still.vlz"))  # whom it certified before goes on


def test_three_of_five_revoke_in_the_name_of_the_root(tmp_path: Path) -> None:
    """Each sees what he signs; before the third nobody takes it for anything."""
    people, root = five_of(tmp_path / "five")
    office = office_under(people, root)
    body = office.home / "credentials" / "office" / "certify.vls"
    begun = people.path("1.vls")
    made = works("revocation", "make", body, "--kind=suspended", "--reason=suspected", "--root", office.roster, "--key", people.key("aliya"),
                 "-o", begun, "--json").facts  # fmt: skip
    assert (made["complete"], made["shares"][0]["signed"], made["shares"][0]["missing"]) == (False, ["aliya"], 2)
    done = people.sign(begun, "x.vls", "aliya", office.roster)
    assert (done.code, done.error) == (6, "the custodian 'aliya' of KZ has signed this revocation already")
    two = people.sign(begun, "2.vls", "erlan", office.roster).facts
    assert (two["says"]["kind"], two["says"]["series"], two["says"]["reason"], two["complete"]) == ("suspended", None, "suspected", False)
    for unfinished in (begun, people.path("2.vls")):
        assert "3 of 5 are needed" in office.fails(4, "roster", "publish", "--add", unfinished, "-o", people.path("x.vls")).error
    whole = people.finish(people.path("2.vls"), "3.vls", "gulnar", roots=(root,))
    done = people.sign(whole, "x.vls", "bolat", office.roster)
    assert (done.code, done.error) == (6, "enough custodians of KZ have signed this revocation")
    office.works("roster", "publish", "--add", whole, "-o", people.path("KZ-2.vls"))
    (one,) = office.works("revocation", "list", "--json").facts["revocations"]
    assert (one["series"], one["kind"], one["of"]["purpose"], one["published"]) == (None, "suspended", "certify", True)
    assert "was suspended with effect from" in office.fails(6, "credential", "issue", "nur:act", "--unprotected").error
    restored = people.path("4.vls")
    office.works("revocation", "make", body, "--kind=restored", "--reason=mistaken", "--key", people.key("aliya"), "-o", restored)
    restored = people.finish(restored, "5.vls", "bolat", "dana", roots=(root,))
    office.works("roster", "publish", "--add", restored, "-o", people.path("KZ-3.vls"))
    office.works("credential", "issue", "nur:act", "--unprotected")


def test_a_party_that_is_not_known_has_no_list(world: World) -> None:
    """An empty list would say that nothing of it is revoked."""
    for group in ("revocation", "designation"):
        assert world.kz.fails(2, group, "list", "--party=UZ").hint == "known: BY, KZ"
        world.kz.works(group, "list", "--party=BY")


def test_what_the_root_needs(world: World) -> None:
    body = world.kz.home / "credentials" / "office" / "certify.vls"
    rest = ("--kind=suspended", "--reason=suspected")
    world.kz.fails(2, "revocation", "make", body, *rest, "--by-root")
    world.kz.fails(2, "revocation", "make", body, "aigul:seal", *rest, "--by-root", "-o", world.path("x.vls"))
    world.kz.fails(2, "revocation", "make", "aigul", *rest, "--by-root", "-o", world.path("x.vls"))
    world.kz.fails(2, "revocation", "make", "aigul:seal", *rest, "--number=2")
    fails(2, "revocation", "make", body, *rest, "--by-root", "--root", world.kz.roster, "-o", world.path("x.vls"))
    world.kz.fails(
        2, "revocation", "make", body, *rest, "--by-root", "--key", world.kz.home / "keys" / "office" / "root.key", "-o", world.path("x.vls")
    )
    fails(6, "revocation", "make", world.by.home / "credentials" / "yanka" / "open.vls", *rest, "--root", world.kz.roster,
          "--key", world.kz.home / "keys" / "office" / "root.key", "-o", world.path("x.vls"))  # fmt: skip
    fails(6, "revocation", "make", body, *rest, "--root", world.kz.roster, "--key", world.by.home / "keys" / "office" / "root.key",
          "-o", world.path("x.vls"))  # fmt: skip
    assert not world.path("x.vls").exists()


def test_somebody_at_a_terminal_is_asked(world: World) -> None:
    command = ["revocation", "make", "aigul:seal", "--kind=suspended", "--reason=lost", "--home", str(world.kz.home)]
    for answer, code in (("n", 6), ("y", 0)):
        child = pexpect.spawn(str(VALIZA), command, encoding="utf-8", timeout=60)
        child.expect_exact("Aigul Serik, KZ/KZ-MFA, seal")
        child.expect_exact("Revoke these?")
        child.sendline(answer)
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == code
    assert len(world.kz.works("revocation", "list", "--json").facts["revocations"]) == 1


# -- importing ------------------------------------------------------------------------------------------------------------


def test_the_difference_is_shown_and_nothing_changed(world: World) -> None:
    world.kz.works("credential", "issue", "dana:countersign:2:Dana Omar", "--unprotected")
    revoke(world.kz, "aigul:seal", kind="compromised", reason="stolen")
    roster = world.path("KZ-2.vls")
    world.kz.works("roster", "publish", "-o", roster)
    facts = world.by.works("roster", "diff", roster, "--json").facts
    changes = facts["changes"]
    assert (facts["new"], facts["version"], changes["known"]["version"]) == (True, 2, 1)
    assert [(one["name"], one["purpose"]) for one in changes["credentials"]] == [("Dana Omar", "countersign")]
    (one,) = changes["revocations"]
    assert (one["kind"], one["reason"], one["of"]["name"]) == ("compromised", "stolen", "Aigul Serik")
    assert changes["roots"] == []
    text = world.by.works("roster", "diff", roster).out
    assert "Aigul Serik, KZ/KZ-MFA, seal: compromised with effect from" in text
    assert "Dana Omar, KZ/KZ-MFA: countersign; clearance 2" in text
    assert world.by.works("roster", "show", "--json").facts["KZ"]["version"] == 1
    assert world.by.works("roster", "import", roster, "--json").facts["changes"] == changes
    again = world.by.works("roster", "diff", roster, "--json").facts
    assert (again["new"], again["changes"]["credentials"], again["changes"]["revocations"]) == (False, [], [])
    assert not world.by.works("roster", "import", roster, "--json").facts["imported"]


def test_of_an_unknown_party_everything_is_new(world: World, tmp_path: Path) -> None:
    works("office", "init", tmp_path / "ru", "--party=RU", "--body=RU-MFA", "--degrees=1,2", "--officer=ivan:open:1", "--unprotected")
    works("roster", "export", "--home", tmp_path / "ru", "-o", tmp_path / "RU.vls")
    root = (tmp_path / "ru" / "roots" / "RU").read_text(encoding="ascii").strip()
    world.kz.fails(2, "roster", "diff", tmp_path / "RU.vls")
    changes = world.kz.works("roster", "diff", tmp_path / "RU.vls", "--root", root, "--json").facts["changes"]
    assert changes["known"] is None
    assert [one["root"] for one in changes["roots"]] == [root]
    assert len(changes["credentials"]) == 3
    assert not (world.kz.home / "roots" / "RU").exists()


def test_who_imports_at_a_terminal_is_asked(world: World) -> None:
    revoke(world.kz, "aigul:seal", kind="retired", reason="left")
    roster = world.path("KZ-2.vls")
    world.kz.works("roster", "publish", "-o", roster)
    for answer, code, version in (("n", 6, 1), ("y", 0, 2)):
        child = pexpect.spawn(str(VALIZA), ["roster", "import", str(roster), "--home", str(world.by.home)], encoding="utf-8", timeout=60)
        child.expect_exact("Aigul Serik, KZ/KZ-MFA, seal: retired")
        child.expect_exact("Import this?")
        child.sendline(answer)
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == code
        assert world.by.works("roster", "show", "--json").facts["KZ"]["version"] == version


def test_who_said_yes_is_shown_it_and_not_asked(world: World) -> None:
    revoke(world.kz, "aigul:seal", kind="retired", reason="left")
    roster = world.path("KZ-2.vls")
    world.kz.works("roster", "publish", "-o", roster)
    child = pexpect.spawn(str(VALIZA), ["roster", "import", str(roster), "--yes", "--home", str(world.by.home)], encoding="utf-8", timeout=60)
    child.expect_exact("Aigul Serik, KZ/KZ-MFA, seal: retired")
    child.expect_exact("imported: yes")
    child.expect(pexpect.EOF)


def test_what_is_not_imported(world: World, travel: Callable[[int], None], tmp_path: Path) -> None:
    """Backwards, without a revocation that is known, after it expired."""
    copy = world.copy(tmp_path / "copy")
    revoke(world.kz, "aigul:seal", kind="retired", reason="left")
    publish(world, world.kz, "KZ-2.vls")
    assert "never goes back" in world.by.fails(6, "roster", "import", world.kz.roster).hint
    revoke(copy.kz, "aigul:seal", kind="suspended", reason="lost")
    for name in ("a.vls", "b.vls"):
        copy.kz.works("roster", "publish", "-o", copy.path(name))
    for command in ("diff", "import"):
        assert "drops or replaces 1 revocations" in world.by.fails(6, "roster", command, copy.path("b.vls")).error
        assert "version 2 is already known" in world.by.fails(6, "roster", command, copy.path("a.vls")).error
    short = world.path("KZ-3.vls")
    world.kz.works("roster", "publish", "-o", short, "--validity=1")
    travel(2 * DAY)
    assert "expired at" in world.by.fails(6, "roster", "import", short).error
    assert world.by.works("roster", "show", "--json").facts["KZ"]["version"] == 2


def test_another_root_under_a_known_name_is_not_imported(world: World, tmp_path: Path) -> None:
    """Somebody made a party of the same name: neither its roster, nor its root with the name of the true one."""
    works("office", "init", tmp_path / "false", "--party=KZ", "--body=KZ-MFA", "--degrees=1,2,3", "--officer=aigul:seal,open:1", "--unprotected")
    false = tmp_path / "KZ.vls"
    works("roster", "export", "--home", tmp_path / "false", "-o", false)
    root = (tmp_path / "false" / "roots" / "KZ").read_text(encoding="ascii").strip()
    for command in ("diff", "import"):
        world.by.fails(4, "roster", command, false)
        assert "another root of KZ is pinned here" in world.by.fails(6, "roster", command, false, "--root", root).error
    world.by.fails(4, "roster", "import", false, "--root", world.kz.root)
    assert world.by.works("roster", "show", "--json").facts["KZ"]["root"] == world.kz.root


# -- what comes of it -----------------------------------------------------------------------------------------------------


def test_nobody_who_is_revoked_acts_and_nothing_is_sealed_to_him(world: World, travel: Callable[[int], None]) -> None:
    envelope = world.seal()
    travel(DAY)
    revoke(world.by, "yanka")
    publish(world, world.by, "BY-2.vls")
    assert "was retired" in world.by.fails(6, "open", envelope, "-o", world.path("x"), "--as=yanka").error
    world.open(envelope, officer="maryna")
    names = {one["name"] for one in world.kz.works(*world.order("--dry-run", "--json")).facts["addressees"]}
    assert "Yanka Kupava" not in names
    assert "Maryna Bor" in names


def test_nothing_is_sealed_to_somebody_while_he_is_suspended(world: World) -> None:
    order = [*world.order("--addressee=Yanka Kupava", "--addressee=Maryna Bor"), "-o"]
    revoke(world.by, "yanka", kind="suspended", reason="suspected")
    world.kz.works(*order, world.path("before.vlz"))  # what is not published counts for nobody
    publish(world, world.by, "BY-2.vls")
    done = world.kz.fails(6, *order, world.path("x.vlz"))
    assert "was suspended with effect from" in done.error
    revoke(world.by, "yanka", kind="restored", reason="mistaken")
    publish(world, world.by, "BY-3.vls")
    world.kz.works(*order, world.path("after.vlz"))
    world.open(world.path("after.vlz"))
    revoke(world.by, "yanka", kind="retired", reason="left")
    publish(world, world.by, "BY-4.vls")
    assert "was retired with effect from" in world.kz.fails(6, *order, world.path("x.vlz")).error


def test_a_receipt_stands_after_everybody_who_signed_it_left(world: World, travel: Callable[[int], None]) -> None:
    envelope, _, receipt = world.exchange()
    travel(DAY)
    revoke(world.by, "yanka", "maryna", reason="left")
    revoke(world.kz, "aigul", reason="left")
    by, kz = publish(world, world.by, "BY-2.vls"), publish(world, world.kz, "KZ-2.vls")
    assert world.kz.works("receipt", "verify", receipt, "--envelope", envelope, "--json").facts["verdict"] == "delivered"
    roots = [f"--root={office.root}" for office in (world.kz, world.by)]
    trust = [*roots, f"--roster={by}", f"--roster={kz}", f"--agreement={world.agreement}"]
    assert works("receipt", "verify", receipt, "--envelope", envelope, *trust, "--json").facts["verdict"] == "attested"


def test_a_receipt_of_compromised_keys_stands_where_it_was_entered_in_time(world: World, travel: Callable[[int], None]) -> None:
    """The origin entered it the day before; an arbiter has no register, and cannot tell it from what the thief would make."""
    _, _, receipt = world.exchange()
    assert world.kz.works("receipt", "verify", receipt, "--json").facts["verdict"] == "delivered"
    travel(DAY)
    revoke(world.by, "yanka:acknowledge", "maryna:countersign", kind="compromised", reason="stolen")
    by = publish(world, world.by, "BY-2.vls")
    facts = world.kz.works("receipt", "verify", receipt, "--json").facts
    assert (facts["verdict"], facts["duplicate"]) == ("delivered", True)
    roots = [f"--root={office.root}" for office in (world.kz, world.by)]
    trust = [*roots, f"--roster={by}", f"--roster={world.kz.roster}", f"--agreement={world.agreement}"]
    assert "was compromised with effect from" in fails(6, "receipt", "verify", receipt, *trust).error


def test_a_receipt_of_compromised_keys_that_came_later_is_refused(world: World, travel: Callable[[int], None]) -> None:
    envelope, acknowledgement, receipt = world.exchange()
    travel(DAY)
    revoke(world.by, "yanka:acknowledge", kind="compromised", reason="stolen")
    publish(world, world.by, "BY-2.vls")
    done = world.kz.fails(6, "receipt", "verify", receipt)
    assert "does not count for answering" in done.error
    assert "other evidence" in done.hint
    (row,) = world.kz.works("register", "list", "--json").facts["envelopes"]
    assert row["verdict"] == "outstanding"
    # The destination's own office recorded the answer in time, and goes on with it.
    again = world.path("again.receipt.vls")
    world.by.works("countersign", acknowledgement, "--envelope", envelope, "-o", again, "--as=maryna")
    assert again.read_bytes() == receipt.read_bytes()


def test_the_compromised_key_of_a_body_leaves_officers_who_were_known_before(world: World, travel: Callable[[int], None]) -> None:
    """Offices that imported the first roster before the theft go on; a stranger, and whoever joins later, refuses them all."""
    envelope = world.seal()
    travel(DAY)
    body = world.kz.home / "credentials" / "office" / "certify.vls"
    world.kz.works("revocation", "make", body, "--kind=compromised", "--reason=stolen", "--by-root", "-o", world.path("body.vls"))
    roster = publish(world, world.kz, "KZ-2.vls", "--add", world.path("body.vls"))
    world.by.works("verify", envelope)
    world.kz.works(*world.order(), "-o", world.path("another.vlz"))
    roots = [f"--root={office.root}" for office in (world.kz, world.by)]
    trust = [*roots, f"--roster={roster}", f"--roster={world.by.roster}", f"--agreement={world.agreement}"]
    assert "does not count for issuing the seal credential" in fails(6, "verify", envelope, *trust).error


def test_a_party_dates_a_compromise_back_to_disown_its_receipt(world: World, travel: Callable[[int], None]) -> None:
    """The limit: it is no longer verified. The register keeps the verdict, and the revocation says itself when it was issued."""
    before = utc(-1 / 24)
    _, _, receipt = world.exchange()
    world.kz.works("receipt", "verify", receipt)
    travel(30 * DAY)
    revoke(world.by, "maryna:countersign", "--effective", before, kind="compromised", reason="stolen")
    publish(world, world.by, "BY-2.vls")
    world.kz.fails(6, "receipt", "verify", receipt)
    (row,) = world.kz.works("register", "list", "--json").facts["envelopes"]
    assert row["verdict"] == "delivered"
    (one,) = world.kz.works("revocation", "list", "--json").facts["revocations"]
    entered = max(entry["at"] for entry in world.kz.works("register", "show", row["number"], "--json").facts["entries"])
    assert one["effective_at"] < entered < one["issued_at"]


# -- telling --------------------------------------------------------------------------------------------------------------


def test_credentials_say_what_was_revoked_of_them(world: World) -> None:
    """A script needs the exit code only: 0 where it counts now."""
    revoke(world.by, "yanka:open", kind="suspended", reason="lost")
    publish(world, world.by, "BY-2.vls")
    path = world.by.home / "credentials" / "yanka" / "open.vls"
    done = world.kz.run("credential", "verify", path, "--json")
    assert (done.code, done.facts["in_roster"], done.facts["in_force_now"], done.facts["valid_now"]) == (6, True, False, True)
    assert [one["kind"] for one in done.facts["revoked"]] == ["suspended"]
    assert "was suspended with effect from" in done.error
    other = world.by.home / "credentials" / "maryna" / "open.vls"
    facts = world.kz.works("credential", "verify", other, "--json").facts
    assert (facts["in_force_now"], facts["revoked"]) == (True, [])
    done = world.kz.run("credential", "verify", path)
    assert done.code == 6
    assert "suspended with effect from" in done.out
    revoke(world.by, "yanka:open", kind="restored", reason="mistaken")
    publish(world, world.by, "BY-3.vls")
    facts = world.kz.works("credential", "verify", path, "--json").facts
    assert [one["kind"] for one in facts["revoked"]] == ["suspended", "restored"]
    assert facts["in_force_now"]


def test_the_doctor_tells_of_own_credentials_that_are_revoked(world: World) -> None:
    revoke(world.by, "yanka:open", kind="suspended", reason="lost")
    publish(world, world.by, "BY-2.vls")
    found = world.by.run("doctor", "--json").facts["findings"]
    (one,) = [each for each in found if "was suspended" in each["what"]]
    assert one["level"] == "problem"
    assert one["where"].endswith("yanka/open.vls")


def test_the_doctor_tells_of_revocations_that_wait(world: World) -> None:
    revoke(world.by, "yanka:open", kind="suspended", reason="lost")
    found = world.by.run("doctor", "--json").facts["findings"]
    assert any("wait for the next roster" in each["what"] for each in found)


def test_inspect_shows_a_revocation(world: World) -> None:
    path = world.path("one.vls")
    revoke(world.kz, "aigul:seal", "-o", path, kind="suspended", reason="lost")
    facts = works("inspect", path, "--json").facts
    assert not facts["believed"]
    assert facts["read"]["type"] == "valiza/v1/revocation"
    assert facts["read"]["body"][:4] == ["KZ", "KZ-MFA", 1, "suspended"]
