"""Clearances by commands, between offices of competent bodies and of ministries; the story is stories/clearance.txt."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pexpect
import pytest
from tests.support.cli import ORDER, VALIZA, Office, World, fails, found_world, listing, run, works

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DAY = 86400


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> World:
    """The ministries' offices, and those of the competent bodies beside them; an enquiry and three answers."""
    world = found_world(tmp_path_factory.mktemp("asking"))
    for party, body, name in (("KZ", "KZ-KNB", "serik"), ("BY", "BY-KGB", "uladz")):
        root = world.folder / party
        officer = f"--officer={name}:act:1:{name.title()}"
        works("office", "init", world.path(body), "--party", party, "--body", body, "--root-office", root, officer, "--unprotected")
        works("roster", "export", "--home", root, "-o", world.path(f"{party}.now.vls"))
    for home, other in (("KZ", "BY"), ("KZ-KNB", "BY"), ("BY", "KZ"), ("BY-KGB", "KZ")):
        office = world.kz if other == "KZ" else world.by
        works("roster", "import", world.path(f"{other}.now.vls"), "--root", office.root, "--home", world.path(home))
    for home in ("KZ-KNB", "BY-KGB"):
        works("agreement", "adopt", world.agreement, "--home", world.path(home))
    knb(world).works(*ENQUIRE, "-o", world.path("enquiry.vls"))
    for name, answer in (("yes", "--all"), ("no", "--nobody"), ("partly", "--cleared=Yanka Kupava")):
        kgb(world).works("clearance", "answer", world.path("enquiry.vls"), answer, "-o", world.path(f"{name}.vls"))
    return world


@pytest.fixture
def here(asking: World, tmp_path: Path) -> World:
    return asking.copy(tmp_path / "world")


ENQUIRE = ("clearance", "enquire", "--to=BY-MFA", "--agreement=kz-by", "--mark=2", "--purpose=exercise")


def knb(world: World) -> Office:
    return Office(home=world.path("KZ-KNB"), party="KZ", roster=world.path("KZ.now.vls"))


def kgb(world: World) -> Office:
    return Office(home=world.path("BY-KGB"), party="BY", roster=world.path("BY.now.vls"))


# -- asking --------------------------------------------------------------------------------------------------------------


def test_everybody_who_could_be_sealed_to_is_asked_about(here: World) -> None:
    facts = knb(here).works(*ENQUIRE, "-o", here.path("e.vls"), "--json").facts["verified"]
    assert {one["name"] for one in facts["officers"]} == {"Yanka Kupava", "Maryna Bor"}
    assert (facts["asking"], facts["asked"], facts["destination"]) == ("KZ/KZ-KNB", "BY/BY-KGB", "BY/BY-MFA")
    lowest = knb(here).works(*ENQUIRE, "--mark=3", "-o", here.path("f.vls"), "--json").facts["verified"]
    assert len(lowest["officers"]) == 3


@pytest.mark.parametrize(
    ("code", "words", "said"),
    [
        (6, ["--mark=9"], "has no mark with the code '9'"),
        (6, ["--to=BY-KNB"], "no officer of BY/BY-KNB is certified to open"),
        (6, ["--to=KZ/KZ-MFA"], "is no body of its party"),
        (6, ["--agreement=other"], "no agreement 'other' is adopted here"),
        (6, ["--ask=BY-MFA"], "BY/BY-MFA is no competent body of BY"),
        (6, ["--ask=KZ/KZ-KNB"], "are of one party"),
        (2, ["--to=by mfa"], "is no body"),
        (2, ["--addressee=Nobody"], "is called 'Nobody'"),
        (2, ["--purpose= "], "it is blank"),
        (5, ["--as=nobody"], "'nobody'"),
    ],
)
def test_what_cannot_be_asked(here: World, code: int, words: list[str], said: str) -> None:
    before = listing(here.folder)
    assert said in knb(here).fails(code, *ENQUIRE, *words, "-o", here.path("e.vls")).error
    assert listing(here.folder) == before


# -- answering -----------------------------------------------------------------------------------------------------------


def test_answer_to_an_answer_is_the_next(here: World) -> None:
    third = kgb(here).works("clearance", "answer", here.path("yes.vls"), "--nobody", "-o", here.path("second.vls"), "--json").facts["verified"]
    assert (third["number"], third["cleared"]) == (2, [])
    here.kz.works(*order(here, "yes"), "-o", here.path("a.vlz"))
    assert "does not confirm" in here.kz.fails(6, *order(here, "yes", "second"), "-o", here.path("b.vlz")).error


def test_answer_that_would_have_ended(here: World) -> None:
    words = ("clearance", "answer", here.path("enquiry.vls"), "--all", "-o", here.path("a.vls"))
    assert "cannot end before it is made" in kgb(here).fails(2, *words, "--until=2001-01-01").error
    assert "is not a time" in kgb(here).fails(2, *words, "--until=soon").error


@pytest.mark.parametrize("ways", [[], ["--all", "--nobody"], ["--all", "--cleared=Yanka Kupava"], ["--nobody", "--cleared=Yanka Kupava"]])
def test_answer_is_given_in_one_way(here: World, ways: list[str]) -> None:
    done = kgb(here).fails(2, "clearance", "answer", here.path("enquiry.vls"), *ways, "-o", here.path("a.vls"))
    assert "in one way" in done.error


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 6)])
def test_terminal_shows_what_was_asked_and_asks(here: World, answer: str, code: int) -> None:
    words = ["clearance", "answer", here.path("enquiry.vls"), "--all", "-o", here.path("a.vls"), "--home", kgb(here).home]
    terminal = pexpect.spawn(str(VALIZA), [str(word) for word in words], encoding="utf-8", timeout=60, dimensions=(50, 200))
    terminal.expect("Sign this answer")
    shown = terminal.before or ""
    for value in ("KZ/KZ-KNB", "BY/BY-MFA", "Совершенно секретно", "Yanka Kupava", "exercise", "all of them", "there is another answer"):
        assert value in shown
    terminal.sendline(answer)
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert (terminal.exitstatus, here.path("a.vls").exists()) == (code, code == 0)


# -- keys, and where it is written ---------------------------------------------------------------------------------------


def writing(world: World, out: Path) -> list[tuple[Office, list[str | Path]]]:
    """Both commands that sign, each at its office."""
    return [
        (knb(world), [*ENQUIRE, "-o", out]),
        (kgb(world), ["clearance", "answer", world.path("enquiry.vls"), "--all", "-o", out]),
    ]


def test_passphrase_of_a_protected_key(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, (office, words) in enumerate(writing(here, here.path("out.vls"))):
        monkeypatch.setenv("VALIZA_NEW_PASSPHRASE", "correct horse battery")
        office.works("key", "passphrase", "--as", ("serik", "uladz")[number])
        before = listing(here.folder)
        assert "--passphrase-fd" in office.fails(2, *words).hint
        monkeypatch.setenv("VALIZA_PASSPHRASE", "wrong")
        assert "wrong passphrase" in office.fails(5, *words).error
        assert listing(here.folder) == before
        monkeypatch.setenv("VALIZA_PASSPHRASE", "correct horse battery")
        office.works(*words)
        here.path("out.vls").unlink()
        monkeypatch.delenv("VALIZA_PASSPHRASE")


def test_output_that_cannot_be_or_exists(here: World) -> None:
    there = here.path("there")
    there.write_bytes(b"mine")
    for out, code in ((here.path("missing") / "out", 7), (here.carrier / "out", 7), (there, 6), (here.path("enquiry.vls"), 6)):
        before = listing(here.folder)
        for office, words in writing(here, out):
            office.fails(code, *words)
        assert listing(here.folder) == before
    assert there.read_bytes() == b"mine"


def test_standard_output(here: World) -> None:
    """The statement goes there and nothing else; what is told goes to standard error."""
    for office, words in writing(here, here.path("-")):
        done = office.works(*words[:-1], "-")
        here.path("piped.vls").write_bytes(done.raw)
        works("clearance", "verify", here.path("piped.vls"), "--home", here.kz.home)
        assert "purpose: exercise" in done.err


# -- sealing -------------------------------------------------------------------------------------------------------------


def order(world: World, *names: str, mark: str = "2") -> list[str | Path]:
    return ["seal", world.carrier, *ORDER, f"--mark={mark}", *(f"--clearance={world.path(name)}.vls" for name in names)]


def test_only_who_is_confirmed_is_addressed(here: World) -> None:
    facts = here.kz.works(*order(here, "partly"), "--single", "-o", here.path("a.vlz"), "--json").facts
    assert [one["name"] for one in facts["addressees"]] == ["Yanka Kupava"]
    assert facts["basis"][-1]["kind"] == "confirmation"
    assert facts["basis"][-1]["issued_by"] == "BY/BY-KGB"
    for name in ("--addressee=Maryna Bor", "--addressee=Alena Kish"):
        assert "(A5.1)" in here.kz.fails(6, *order(here, "partly"), "--single", name, "-o", here.path("b.vlz")).error


def test_dry_run_asks_for_confirmations_too(here: World) -> None:
    assert here.kz.works(*order(here, "yes"), "--dry-run", "--json").facts["basis"][-1]["kind"] == "confirmation"
    here.kz.fails(6, *order(here, "no"), "--dry-run")
    here.kz.fails(6, *order(here), "--require-confirmation", "--dry-run")


def test_each_file_by_the_mark_that_it_has(here: World) -> None:
    """One of two bears a mark to which nobody is confirmed; the other is sealed."""
    listed = here.path("list.toml")
    listed.write_text('[[carrier]]\nfile = "map.txt"\nmark = "1"\n[[carrier]]\nfile = "two.txt"\nmark = "2"\n', encoding="utf-8")
    here.path("two.txt").write_text("2", encoding="utf-8")
    done = here.kz.run(*order(here, "yes"), here.path("two.txt"), "--inventory", listed, "--channel=diplomatic", "--each", "-o", here.path("out"))
    assert done.code == 6, done.err
    assert [path.name for path in here.path("out").iterdir()] == ["two.txt.vlz"]


def test_confirmation_that_ended_meanwhile(here: World, travel: Callable[[int], None]) -> None:
    soon = here.path("soon.vls")
    kgb(here).works("clearance", "answer", here.path("enquiry.vls"), "--all", "--until=2099-01-01T00:00:00Z", "-o", soon)
    assert works("clearance", "verify", soon, "--home", here.kz.home, "--json").facts["verdict"] == "confirmed"
    here.kz.works(*order(here, "soon"), "-o", here.path("a.vlz"))
    travel(80 * 365 * DAY)
    done = here.kz.run("clearance", "verify", soon, "--json")
    assert (done.code, done.facts["verdict"]) == (6, "expired")


def test_standard_input(here: World) -> None:
    raw = here.path("yes.vls").read_bytes()
    here.kz.works(*order(here), "--clearance=-", "-o", here.path("a.vlz"), stdin=raw)
    assert "one object" in here.kz.fails(2, *order(here), "--clearance=-", "--clearance=-", "-o", here.path("b.vlz"), stdin=raw).error
    assert "no name" in here.kz.fails(2, *order(here), "--clearance=-", "--each", "-o", here.path("c"), stdin=raw).error
    assert works("clearance", "verify", "-", "--home", here.kz.home, "--json", stdin=raw).facts["verdict"] == "confirmed"


@pytest.mark.parametrize("value", ["true", "false", "1"])
def test_office_that_requires_confirmations(here: World, value: str) -> None:
    (here.kz.home / "defaults.toml").write_text(f"[seal]\nrequire-confirmation = {value}\n", encoding="utf-8")
    code = {"true": 6, "false": 0, "1": 2}[value]
    assert here.kz.run(*order(here), "-o", here.path("a.vlz")).code == code
    assert here.kz.run(*order(here, "yes"), "-o", here.path("b.vlz")).code == (2 if code == 2 else 0)


def test_confirmation_by_an_officer_whose_key_was_stolen(here: World) -> None:
    """What he signed counts no longer, for whoever has the roster that says so; sealing tells why."""
    at_kgb = kgb(here)
    at_kgb.works(
        "revocation", "make", at_kgb.home / "credentials" / "uladz" / "act.vls", "--kind=compromised", "--reason=stolen", "-o", here.path("r.vls")
    )
    here.by.works("roster", "publish", "--add", here.path("r.vls"), "-o", here.path("BY.later.vls"))
    here.kz.works("roster", "import", here.path("BY.later.vls"))
    assert "was compromised" in here.kz.fails(6, *order(here, "yes"), "-o", here.path("a.vlz")).error


# -- verifying -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "verdict", "code"), [("enquiry", "asked", 0), ("yes", "confirmed", 0), ("partly", "partly", 6), ("no", "denied", 6)]
)
def test_verdicts(here: World, name: str, verdict: str, code: int) -> None:
    trust = [f"--root={here.kz.root}", f"--root={here.by.root}", f"--roster={here.path('KZ.now.vls')}", f"--roster={here.path('BY.now.vls')}"]
    for reader in (["--home", here.kz.home], ["--home", here.by.home], [*trust, f"--agreement={here.agreement}"]):
        found = run("clearance", "verify", here.path(f"{name}.vls"), *reader, "--json")
        assert (found.code, found.facts["verdict"]) == (code, verdict)


def test_other_objects_are_none(here: World) -> None:
    for file in (here.agreement, here.kz.roster, here.carrier):
        for command in ("show", "verify"):
            fails(3, "clearance", command, file, *(["--home", str(here.kz.home)] if command == "verify" else []))


def test_shown_without_belief(here: World) -> None:
    facts = works("clearance", "show", here.path("partly.vls"), "--json").facts
    assert facts["believed"] is False
    assert (facts["read"]["number"], len(facts["read"]["cleared"]), len(facts["read"]["enquiry"]["officers"])) == (1, 1, 2)
    assert "number" not in works("clearance", "show", here.path("enquiry.vls"), "--json").facts["read"]
