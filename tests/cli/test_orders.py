"""Orders that were typed wrong: the error names what was typed, and says what to try; nothing is sealed."""

from __future__ import annotations

import os

import pytest
from tests.support.cli import World, fails, works


@pytest.mark.parametrize("option", ["--to", "--confirming"])
@pytest.mark.parametrize("body", ["", "by-mfa", "BY/", "/BY-MFA/", "BY/BY-MFA/x", "BY MFA", "BY-MFA\n", "by/BY-MFA"])
def test_what_is_no_body(body: str, option: str, world: World) -> None:
    done = world.kz.fails(2, *world.order(f"{option}={body}", "-o", world.path("e.vlz")))
    assert "is no body" in done.error
    assert "BY-MFA or BY/BY-MFA" in done.hint


@pytest.mark.parametrize("body", ["KZ/KZ-MFA", "KZ/KZ-NONE"])
def test_own_party_as_destination_is_told_so(body: str, world: World) -> None:
    """And not that too few of its officers could open it."""
    assert "of one party" in world.kz.fails(6, *world.order(f"--to={body}", "-o", world.path("e.vlz"))).error


@pytest.mark.parametrize("body", ["XX/BY-MFA", "KZ/BY-MFA", "KZ/KZ-MFA"])
def test_confirming_body_of_another_party_is_not_taken_for_the_destination_s(body: str, world: World) -> None:
    assert world.kz.fails(6, *world.order(f"--confirming={body}", "-o", world.path("e.vlz"))).error.startswith(f"{body} does not confirm")


@pytest.mark.parametrize("body", ["BY-MFA", "BY/BY-MFA"])
def test_body_in_either_form(body: str, world: World) -> None:
    world.seal(f"--to={body}", f"--confirming={body}")


@pytest.mark.parametrize("name", ["", "KZ-BY", "agreement.vls"])
def test_agreement_that_is_none(name: str, world: World) -> None:
    done = world.kz.fails(6, *world.order(f"--agreement={name}", "-o", world.path("e.vlz")))
    assert repr(name) in done.error
    assert done.hint.endswith("adopted are kz-by")


@pytest.mark.parametrize("option", ["--purpose", "--decision", "--package", "--term", "--leg"])
@pytest.mark.parametrize("blank", [" ", "\t \n", "\u00a0\u2003"])
def test_blank_text(option: str, blank: str, world: World) -> None:
    assert "it is blank" in world.kz.fails(2, *world.order(f"{option}={blank}", "-o", world.path("e.vlz"))).error


def test_withdrawn_for_no_reason(world: World) -> None:
    assert "it is blank" in world.kz.fails(2, "withdraw", world.seal(), "--reason= ").error


@pytest.mark.parametrize("number", ["x", "1e3", "3.5", ""])
def test_number_that_is_none(number: str, world: World) -> None:
    envelope = world.seal()
    for words in (world.order(f"--due={number}", "-o", world.path("e.vlz")), ["verify", envelope, f"--jobs={number}"]):
        assert f"{number!r} is not a whole number" in world.kz.fails(2, *words).error


def test_the_same_file_twice(world: World) -> None:
    done = world.kz.fails(3, *world.order("-o", world.path("e.vlz"), files=[world.carrier, world.carrier]))
    assert done.error == "two carriers have the name 'map.txt'"


@pytest.mark.parametrize("name", ["CON", "a:b", " a", "e\u0301", "a\u202eb", os.fsdecode(b"\xff")])
def test_file_whose_name_no_carrier_may_have(name: str, world: World) -> None:
    """It can be sealed all the same, under another name."""
    file = world.path(name)
    file.write_bytes(b"x")
    assert "give the carrier another name in an inventory" in world.kz.fails(3, *world.order("-o", world.path("e.vlz"), files=[file])).hint


def test_folder_in_the_place_of_a_carrier(world: World) -> None:
    done = world.kz.fails(6, *world.order("-o", world.path("e.vlz"), files=[world.kz.home]))
    assert "is a folder" in done.error
    assert "name the files in it" in done.hint


@pytest.mark.parametrize(
    ("option", "most", "what"),
    [("--caveat=x", 32, "caveats"), ("--decision=x", 30, "bases"), ("--leg=Minsk:Minsk", 15, "legs")],
)
def test_too_many(option: str, most: int, what: str, world: World) -> None:
    """`most` beside those that the order has already."""
    world.seal(*most * [option])
    done = world.kz.fails(3, *world.order(*(most + 1) * [option], "-o", world.path("e.vlz")))
    assert f"{what}, not" in done.error


def test_too_many_references(world: World) -> None:
    references = [f"--refers-to=reply-to:{number:064x}" for number in range(33)]
    assert "at most 32 references" in world.kz.fails(3, *world.order(*references, "-o", world.path("e.vlz"))).error


def test_template_and_output_exclude_each_other(world: World) -> None:
    """Or somebody waits for a file that nobody writes."""
    done = fails(2, "seal", world.carrier, "--inventory-template", "-o", world.path("list.toml"))
    assert "> list.toml" in done.hint
    assert not world.path("list.toml").exists()


@pytest.mark.parametrize("command", [["withdraw", "--reason=x"], ["register", "show"]], ids=lambda words: words[0])
@pytest.mark.parametrize("name", ["1", "nope", "ABCDEF12", "kz-mfa/2026/out/1", "KZ-MFA/26/out/1"])
def test_what_is_neither_a_file_nor_an_envelope_s_name(name: str, command: list[str], world: World) -> None:
    world.seal()
    done = world.kz.fails(2, *command, name)
    assert done.error == f"{name!r} is no file, and no id or number of an envelope"
    assert "register list" in done.hint


def test_index_that_no_carrier_has(world: World) -> None:
    envelope = world.seal()
    world.open(envelope)
    done = world.by.fails(2, "acknowledge", envelope, "--missing=7", "-o", world.path("a.vls"), "--as=yanka")
    assert done.error == "there is no carrier with the index 7: the envelope has 1, counted from 0"


def test_stranger_with_the_roster_of_one_party_is_told_how_to_give_the_other(world: World) -> None:
    envelope = world.seal()
    trust = [f"--root={world.kz.root}", f"--roster={world.kz.roster}", f"--agreement={world.agreement}"]
    done = fails(4, "verify", envelope, *trust)
    assert "--roster" in done.hint
    assert "--root" in done.hint
    works("verify", envelope, *world.strangers_trust)
