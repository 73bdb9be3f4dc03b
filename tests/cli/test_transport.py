"""Transports by commands, between two offices with couriers; the story is stories/transport.txt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.support.cli import Outcome, World, found_world, listing, run, works

from valiza.cli.options import parse_time

if TYPE_CHECKING:
    from pathlib import Path

TOLD = ("--leaves=2099-01-01T08:00:00Z", "--expected=2099-01-02T08:00:00Z")
LEGS = ("--leg=Astana:Moscow", "--leg=Moscow:Minsk")


@pytest.fixture(scope="module")
def carrying(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Both offices with a courier or two each, whom the other knows, and an envelope of two legs."""
    world = found_world(tmp_path_factory.mktemp("carrying"))
    for office, couriers in ((world.kz, ("aqyl", "ulan")), (world.by, ("uladz",))):
        for name in couriers:
            office.works("credential", "issue", f"{name}:transport:1:{name.title()}", "--unprotected")
        office.works("roster", "publish", "-o", world.path(f"{office.party}.now.vls"))
    world.kz.works("roster", "import", world.path("BY.now.vls"), "--yes")
    world.by.works("roster", "import", world.path("KZ.now.vls"), "--yes")
    world.kz.works(*(word for word in world.order("-o", world.path("e.vlz")) if "--leg" not in str(word)), *LEGS)
    return world


@pytest.fixture
def here(carrying: World, tmp_path: Path) -> World:
    return carrying.copy(tmp_path / "world")


def notice(world: World, *more: str, name: str = "notice.vls") -> Any:
    """Have the origin tell of the envelope."""
    return world.kz.works("transport", "notice", world.path("e.vlz"), *TOLD, *more, "--as=aqyl", "-o", world.path(name), "--json").facts["verified"]


def take(world: World, name: str, *more: str, by: str = "aqyl") -> Outcome:
    """Have a courier of the origin take the envelope over."""
    return world.kz.works("transport", "handover", world.path("e.vlz"), *more, f"--as={by}", "-o", world.path(name), "--json")


def shown(world: World, code: int) -> Any:
    """What the origin's register knows of the transport; it prints its object whatever the state is."""
    done = world.kz.run("transport", "show", world.path("e.vlz"), "--json")
    assert done.code == code, done.err
    assert done.error
    return done.facts


def test_notices_follow_one_another_and_keep_what_is_not_said_anew(here: World) -> None:
    first = notice(here)
    assert (first["number"], first["told"], first["deviation"], first["way"]["transport"]) == (1, "BY/BY-KGB", "", "air")
    second = notice(here, "--leg=Astana:Orsha", "--leg=Orsha:Minsk", "--reason=flood", name="second.vls")
    third = notice(here, "--transport=road", "--reason=flood", name="third.vls")
    assert (second["number"], third["number"], third["way"]["legs"]) == (2, 3, second["way"]["legs"])
    facts = shown(here, 8)
    assert (facts["state"], len(facts["notices"]), facts["missing_notices"]) == ("none", 3, [])
    assert [one["reason"] for one in facts["deviations"]] == ["flood", "flood"]


def test_telling_the_same_again_is_the_same_notice(here: World) -> None:
    """So that a command that was interrupted when its notice was recorded, and had no file yet, can be given again."""
    notice(here)
    assert notice(here, name="again.vls")["number"] == 1
    assert here.path("again.vls").read_bytes() == here.path("notice.vls").read_bytes()
    assert len(shown(here, 8)["notices"]) == 1


def test_missing_notice_is_told_at_the_other_side(here: World) -> None:
    notice(here)
    notice(here, "--reference=order 8", name="second.vls")
    here.by.works("transport", "enter", here.path("second.vls"))
    done = here.by.run("transport", "show", here.path("second.vls"), "--json")
    assert (done.code, done.facts["missing_notices"]) == (8, [1])
    assert done.facts["unconnected_notices"] == [done.facts["notices"][0]["digest"]]
    here.by.works("transport", "enter", here.path("notice.vls"))
    whole = here.by.run("transport", "show", here.path("second.vls"), "--json").facts
    assert (whole["missing_notices"], whole["unconnected_notices"]) == ([], [])


def test_another_notice_with_the_same_number_is_a_conflict(here: World, tmp_path: Path) -> None:
    """Two offices of the origin that do not share a register: the destination takes the first, and tells."""
    other = here.copy(tmp_path / "other")
    notice(here)
    notice(other)
    here.by.works("transport", "enter", here.path("notice.vls"))
    failed = here.by.fails(6, "transport", "enter", other.path("notice.vls"))
    assert "two transport notices of one envelope have the number 1" in failed.error
    again = here.by.works("transport", "enter", here.path("notice.vls"), "--json").facts
    assert again["verdict"] == "known"


def test_notice_that_another_shows_as_false_does_not_keep_that_one_out(here: World, tmp_path: Path) -> None:
    """A thief's second notice came first: the true first one is entered, and the second does not count."""
    other = here.copy(tmp_path / "other")
    notice(here)
    notice(other)
    notice(other, "--leg=Astana:Orsha", "--leg=Orsha:Minsk", "--reason=flood", name="second.vls")
    here.by.works("transport", "enter", other.path("second.vls"))
    here.by.works("transport", "enter", here.path("notice.vls"))
    facts = here.by.run("transport", "show", here.path("e.vlz"), "--json").facts
    assert "the transport notice 2 does not follow the notice 1" in facts["notices_conflict"]
    assert facts["unconnected_notices"] == [one["digest"] for one in facts["notices"] if one["number"] == 2]
    assert [leg["to"] for leg in facts["legs"]] == ["Moscow", "Minsk"]


def test_chain_from_the_origin_to_the_destination(here: World) -> None:
    notice(here)
    take(here, "one.vls", "--giver=Aigul Serik")
    facts = take(here, "two.vls", by="ulan").facts["verified"]
    assert (facts["leg"], facts["place"], facts["giver"]) == (1, "Moscow", {"name": "Aqyl", "body": "KZ/KZ-MFA", "certified": True})
    here.by.works("transport", "enter", *(here.path(f"{name}.vls") for name in ("two", "one", "notice")))
    here.by.works("transport", "handover", here.path("notice.vls"), "-o", here.path("end.vls"))
    done = here.by.works("transport", "show", here.path("e.vlz"), "--json").facts
    assert (done["state"], [one["leg"] for one in done["handovers"]], done["holder"]["name"]) == ("complete", [0, 1, 2], "Uladz")
    here.kz.works("transport", "enter", here.path("end.vls"))
    assert here.kz.works("transport", "show", here.path("e.vlz"), "--json").facts["state"] == "complete"
    for office in (here.kz, here.by):
        office.works("register", "verify")
    refused = here.by.fails(6, "transport", "handover", here.path("e.vlz"), "--leg=4", "-o", here.path("more.vls"))
    assert "the way has 2 legs" in refused.error


def test_taking_over_the_same_again_is_the_same_hand_over(here: World) -> None:
    """So that a command that was interrupted when it was recorded, and had no file yet, can be given again; it takes no next leg."""
    first = ("--giver=Aigul Serik", "--remark=wet")
    take(here, "one.vls", *first)
    take(here, "two.vls", by="ulan")
    assert take(here, "two-again.vls", by="ulan").facts["verified"]["leg"] == 1
    assert here.path("two-again.vls").read_bytes() == here.path("two.vls").read_bytes()
    assert [one["leg"] for one in shown(here, 8)["handovers"]] == [0, 1]
    for words in ((), ("--remark=dry",)):  # another one of the same person, and no word that he goes on himself
        refused = here.kz.fails(2, "transport", "handover", here.path("e.vlz"), "--giver=Ulan", *words, "--as=ulan", "-o", here.path("three.vls"))
        assert "'Ulan' took this envelope over already, for leg 2, 'Moscow'" in refused.error
    assert not here.path("three.vls").exists()


def test_courier_who_goes_on_himself_says_which_leg_begins(here: World) -> None:
    take(here, "one.vls", "--giver=Aigul Serik")
    facts = take(here, "two.vls", "--leg=2").facts["verified"]
    assert (facts["leg"], facts["giver"]["name"]) == (1, "Aqyl")
    take(here, "again.vls", "--leg=2")
    assert here.path("again.vls").read_bytes() == here.path("two.vls").read_bytes()
    facts = shown(here, 8)
    assert ([one["leg"] for one in facts["handovers"]], facts["problems"]) == ([0, 1], [])


def test_hand_over_behind_a_fork_follows_who_gave(here: World, tmp_path: Path) -> None:
    """Two couriers sign for one leg at offices that do not share a register. Who takes it on says from which of them; the same again is the same."""
    take(here, "one.vls", "--giver=Aigul Serik")
    other = here.copy(tmp_path / "other")
    take(here, "two.vls", by="ulan")
    take(other, "fork.vls", "--leg=2", "--remark=he never came")
    here.kz.works("transport", "enter", other.path("fork.vls"))
    facts = shown(here, 6)
    assert (sorted(one["problem"] for one in facts["problems"]), facts["holder"]["name"]) == (["double-leg", "forked", "forked"], "Aqyl")
    take(here, "two-again.vls", by="ulan")
    assert here.path("two-again.vls").read_bytes() == here.path("two.vls").read_bytes()
    came = (here.path("one.vls"), here.path("two.vls"), other.path("fork.vls"))
    here.by.works("transport", "enter", *came, "--envelope", here.path("e.vlz"))
    end = ("transport", "handover", here.path("e.vlz"), "-o", here.path("end.vls"))
    assert "who gave it has to be said" in here.by.fails(2, *end).error
    taken = here.by.works(*end, "--giver=Ulan", "--giver-body=KZ/KZ-MFA", "--json").facts["verified"]
    assert (taken["leg"], taken["giver"]["name"]) == (2, "Ulan")
    found = here.by.run("transport", "show", here.path("e.vlz"), "--json").facts
    assert sorted(one["problem"] for one in found["problems"]) == ["chain-broken", "double-leg", "forked", "forked"]


def test_broken_seal_is_told_from_then_on(here: World) -> None:
    take(here, "one.vls", "--giver=Aigul Serik", "--seal-broken", "--remark=cut open")
    facts = shown(here, 6)
    assert [(one["problem"], one["leg"]) for one in facts["problems"]] == [("seal-broken", 0)]
    assert facts["handovers"][0]["remark"] == "cut open"


def test_giver_who_is_nobody_s_officer_and_one_who_had_not_taken_it(here: World) -> None:
    driver = take(here, "one.vls", "--giver=a driver").facts["verified"]
    assert driver["giver"] == {"name": "a driver", "body": "KZ/KZ-MFA", "certified": False}
    assert shown(here, 8)["problems"] == []
    take(here, "two.vls", "--giver=Ulan", by="ulan")
    assert [one["problem"] for one in shown(here, 6)["problems"]] == ["other-giver"]


def test_what_is_refused_leaves_nothing(here: World) -> None:
    """Neither a file nor an entry; and nobody tells or takes without a key for transport."""
    before = listing(here.folder)
    envelope, out = here.path("e.vlz"), ("-o", here.path("out"))
    here.kz.fails(2, "transport", "notice", envelope, "--leaves=2099-01-02", "--expected=2099-01-01", *out)
    here.kz.fails(2, "transport", "notice", envelope, *TOLD, *out)  # several couriers
    here.kz.fails(3, "transport", "notice", envelope, *TOLD, "--as=aqyl", "--reason=none", *out)
    here.kz.fails(5, "transport", "notice", envelope, *TOLD, "--as=aigul", *out)
    here.by.fails(6, "transport", "notice", envelope, *TOLD, *out)
    here.kz.fails(2, "transport", "handover", envelope, "--as=aqyl", *out)
    here.kz.fails(2, "transport", "handover", envelope, "--giver=x", "--damaged", "--as=aqyl", *out)
    here.kz.fails(2, "transport", "show", "0123456789abcdef")
    assert listing(here.folder) == before
    assert [one["kind"] for one in here.kz.works("register", "show", envelope, "--json").facts["entries"]] == ["sealed"]


def test_wrong_passphrase_and_output_that_is_there(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of both commands that sign; a key that is locked is asked for its passphrase."""
    monkeypatch.setenv("VALIZA_NEW_PASSPHRASE", "secret and long enough")
    works("key", "passphrase", "--as=aqyl", "--home", here.kz.home, "--yes")
    monkeypatch.setenv("VALIZA_PASSPHRASE", "wrong")
    commands = (("notice", here.path("e.vlz"), *TOLD), ("handover", here.path("e.vlz"), "--giver=x"))
    for words in commands:
        here.kz.fails(5, "transport", *words, "--as=aqyl", "-o", here.path("out"))
    for words in commands:
        here.kz.fails(6, "transport", *words, "--as=ulan", "-o", here.path("e.vlz"))
        here.kz.fails(7, "transport", *words, "--as=ulan", "-o", here.path("missing") / "out")


def test_number_on_the_package_is_signed_and_compared(here: World) -> None:
    facts = take(here, "one.vls", "--giver=Aigul Serik").facts["verified"]
    notice(here, "--package=other 9", "--reason=packed anew")
    told = take(here, "two.vls", by="ulan").facts["verified"]
    assert (facts["package"] != "other 9", told["package"]) == (True, "other 9")
    assert shown(here, 8)["problems"] == []
    here.by.works("transport", "enter", *(here.path(f"{name}.vls") for name in ("notice", "one", "two")))
    end = here.by.works("transport", "handover", here.path("e.vlz"), "--package=third", "-o", here.path("end.vls"), "--json").facts["verified"]
    assert end["package"] == "third"
    done = here.by.run("transport", "show", here.path("e.vlz"), "--json")
    assert (done.code, [(one["problem"], one["leg"]) for one in done.facts["problems"]]) == (6, [("other-package", 2)])


def test_late_is_told_with_who_had_it_last(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A courier who lost it signs nothing more."""
    expected = notice(here)["expected_at"]
    take(here, "one.vls", "--giver=Aigul Serik")
    assert (shown(here, 8)["state"], shown(here, 8)["expected_at"]) == ("under-way", expected)
    monkeypatch.setattr("valiza.cli.transport.now", lambda: parse_time("2099-01-03"))
    done = here.kz.run("transport", "show", here.path("e.vlz"), "--json")
    assert (done.code, done.facts["state"], done.facts["holder"]["name"]) == (8, "late", "Aqyl")
    assert f"the envelope was expected at {expected}, and the last who signed for it is 'Aqyl' of KZ/KZ-MFA (R13)" in done.error


def test_what_was_told_and_taken_is_written_out_again(here: World, tmp_path: Path) -> None:
    """For who lost the file, or never had it: the very bytes, each under a name of its own; whatever the state is."""
    other = here.copy(tmp_path / "other")
    given = {"notice-1.vls": "notice.vls", "leg-1.vls": "one.vls"}
    notice(here)
    take(here, "one.vls", "--giver=Aigul Serik")
    out = here.path("told")
    done = here.kz.run("transport", "show", here.path("e.vlz"), "-o", out, "--json")
    assert (done.code, done.facts["output"]) == (8, str(out))
    assert {path.name: path.read_bytes() for path in out.iterdir()} == {name: here.path(file).read_bytes() for name, file in given.items()}
    here.by.works("transport", "enter", *sorted(out.iterdir(), reverse=True))
    refused = here.kz.run("transport", "show", here.path("e.vlz"), "-o", out)
    assert (refused.code, refused.out) == (6, "")
    take(other, "fork.vls", "--giver=a driver")
    here.kz.works("transport", "enter", other.path("fork.vls"))
    here.kz.run("transport", "show", here.path("e.vlz"), "-o", here.path("both"))
    raws = {here.path("one.vls").read_bytes(), other.path("fork.vls").read_bytes(), here.path("notice.vls").read_bytes()}
    assert {path.read_bytes() for path in here.path("both").iterdir()} == raws
    assert sorted(path.name.split("-")[0] for path in here.path("both").iterdir()) == ["leg", "leg", "notice"]
    here.kz.fails(2, "transport", "show", here.path("e.vlz"), "-o", "-")


def test_withdrawn_envelope_is_neither_told_of_nor_carried(here: World) -> None:
    here.kz.works("withdraw", here.path("e.vlz"), "--reason=wrong annex")
    for words in (("notice", here.path("e.vlz"), *TOLD), ("handover", here.path("e.vlz"), "--giver=x")):
        failed = here.kz.fails(6, "transport", *words, "--as=aqyl", "-o", here.path("out"))
        assert "this envelope is withdrawn" in failed.error
    assert not here.path("out").exists()


def test_what_was_told_of_a_transport_is_evidence(here: World) -> None:
    notice(here)
    take(here, "leg.vls", "--giver=Aigul Serik")
    here.kz.works("evidence", "make", here.path("e.vlz"), "-o", here.path("e.vle"))
    done = run("evidence", "verify", here.path("e.vle"), f"--root={here.kz.root}", f"--root={here.by.root}", "--json")
    assert (done.code, done.facts["verdict"]) == (8, "outstanding")
    assert [entry["kind"] for entry in done.facts["log"]] == ["sealed", "notice", "handover"]
    assert any(said.startswith("Aqyl of KZ/KZ-MFA told BY/BY-KGB of transport 1 of the envelope") for said in done.facts["proved"])
    assert any(said.startswith("Aqyl of KZ/KZ-MFA took the envelope from Aigul Serik of KZ/KZ-MFA in Astana") for said in done.facts["proved"])
    ends = "that the envelope came to the end of its way: the hand-overs shown end before, and it was expected at 2099-01-02T08:00:00Z"
    assert ends in done.facts["not_proved"]
    custody = done.facts["custody"]
    assert (custody["state"], custody["holder"]["name"], custody["problems"]) == ("under-way", "Aqyl", [])


def test_where_only_a_transport_is_known_nothing_is_proved(here: World) -> None:
    notice(here)
    here.by.works("transport", "enter", here.path("notice.vls"))
    done = here.by.fails(6, "evidence", "make", here.path("e.vlz"), "-o", here.path("e.vle"))
    assert "only what was told of the envelope's transport" in done.error
    assert not here.path("e.vle").exists()


def test_evidence_compares_the_notice_that_an_answer_names(here: World) -> None:
    """It is: the origin has it in its register."""
    notice(here)
    here.by.works("transport", "enter", here.path("notice.vls"))
    envelope = here.path("e.vlz")
    here.open(envelope)
    answer = here.acknowledge(envelope)
    receipt = here.path("receipt.vls")
    here.by.works("countersign", answer, "--envelope", envelope, "--as=maryna", "-o", receipt)
    here.kz.works("receipt", "verify", receipt)
    facts = here.kz.works("evidence", "make", envelope, "-o", here.path("e.vle"), "--json").facts
    assert "notice" not in facts["not_compared"]
