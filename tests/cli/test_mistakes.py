"""A clerk in a hurry: the wrong file, body, mark or folder, a restored backup, two copies of one office, a clock that is wrong."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Final

import pytest
from tests.support.cli import World, listing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DAY: Final = 86400
YEAR: Final = 365 * DAY


def _restored(world: World, folder: Path) -> World:
    """A backup of both offices, to be put back later."""
    gc.collect()  # no register of this process is open
    return world.copy(folder)


# -- the wrong thing ------------------------------------------------------------------------------------------------------


def test_own_party_as_destination(world: World) -> None:
    world.kz.fails(6, *world.order("--to=KZ-MFA", "-o", world.path("out.vlz")))
    assert not world.path("out.vlz").exists()


def test_body_that_nobody_certified(world: World) -> None:
    world.kz.fails(6, *world.order("--to=BY-MFO", "-o", world.path("out.vlz")))
    assert not world.path("out.vlz").exists()


def test_mark_that_is_none(world: World) -> None:
    world.kz.fails(6, *world.order("--mark=4", "-o", world.path("out.vlz")))
    assert not world.path("out.vlz").exists()


def test_mark_too_low_is_sealed(world: World) -> None:
    """The limit: nobody but the sealer knows what a file is. He is shown the marks before he says yes."""
    done = world.kz.works(*world.order("--mark=3", "--dry-run", "--json"))
    assert done.facts["marks"]["origin"] == "KZ:3"
    world.seal("--mark=3")


def test_wrong_file_was_sealed_and_is_withdrawn_before_it_left(world: World) -> None:
    """A receipt that comes for it all the same is not `delivered`."""
    envelope, _, receipt = world.exchange()
    world.kz.works("withdraw", envelope, "--reason=wrong file")
    done = world.kz.run("receipt", "verify", receipt, "--json")
    assert (done.code, done.facts["verdict"]) == (6, "withdrawn")


def test_wrong_envelope_acknowledged(world: World) -> None:
    """One that was not opened cannot be; the one that was opened is named in the answer, whatever the file is called."""
    one, two = world.seal(name="one.vlz"), world.seal(name="two.vlz")
    world.open(one)
    world.by.fails(6, "acknowledge", two, "-o", world.path("a.vls"), "--as=yanka")
    answer = world.acknowledge(one, name="two.ack.vls")
    world.by.fails(4, "countersign", answer, "--envelope", two, "-o", world.path("r.vls"), "--as=maryna")


def test_command_run_twice(world: World) -> None:
    """Sealing once more is another envelope, with a number of its own; answering once more is the same answer."""
    envelope, answer, receipt = world.exchange()
    again = world.seal(name="again.vlz")
    numbers = [row["number"] for row in world.kz.works("register", "list", "--json").facts["envelopes"]]
    assert len(set(numbers)) == 2
    assert again.read_bytes() != envelope.read_bytes()
    assert world.acknowledge(envelope, name="again.ack.vls").read_bytes() == answer.read_bytes()
    assert world.countersign(answer, envelope, name="again.receipt.vls").read_bytes() == receipt.read_bytes()


def test_envelope_and_receipt_given_in_each_other_s_place(world: World) -> None:
    envelope, answer, receipt = world.exchange()
    world.kz.fails(3, "receipt", "verify", envelope)
    world.by.fails(3, "open", receipt, "-o", world.path("out"), "--as=yanka")
    world.by.fails(3, "countersign", receipt, "--envelope", answer, "-o", world.path("r.vls"), "--as=maryna")


def test_office_of_the_other_side_named_by_mistake(world: World) -> None:
    """The destination's officer works with a folder in which the origin's office lies."""
    envelope = world.seal()
    before = listing(world.folder)
    world.kz.fails(6, "open", envelope, "-o", world.path("out"))
    world.by.fails(5, *world.order("--to=KZ-MFA", "-o", world.path("back.vlz")))
    assert listing(world.folder) == before


def test_one_name_for_two_officers_is_not_guessed_about(world: World) -> None:
    """The other side has a namesake: the subject tells them apart."""
    world.by.works("credential", "issue", "second:open:1:Yanka Kupava", "--unprotected")
    world.by.works("roster", "publish", "-o", world.path("BY-2.vls"))
    world.kz.works("roster", "import", world.path("BY-2.vls"))
    done = world.kz.fails(2, *world.order("--addressee=Yanka Kupava", "--single", "-o", world.path("out.vlz")))
    assert done.hint.count("Yanka Kupava (") == 2


def test_envelope_named_by_its_first_letters_is_not_guessed_about(world: World) -> None:
    envelope = world.seal()
    id_ = world.kz.works("verify", envelope, "--json").facts["verified"]["envelope_id"]
    assert "8 digits or more" in world.kz.fails(2, "withdraw", id_[:7], "--reason=wrong annex").hint
    assert world.kz.works("register", "list", "--json").facts["envelopes"][0]["verdict"] == "outstanding"


def test_folder_of_the_office_that_everybody_may_read(world: World) -> None:
    """Keys are made for their owner alone; what a copy or a restored backup made of their modes is told by `valiza doctor`, and used."""
    key = world.kz.home / "keys" / "aigul" / "seal.key"
    assert key.stat().st_mode & 0o077 == 0
    for path in (key, key.parent, key.parent.parent, world.kz.home):
        path.chmod(0o777)
    world.seal()


# -- a backup -------------------------------------------------------------------------------------------------------------


def test_origin_restored_to_before_it_sealed(world: World, tmp_path: Path) -> None:
    """The limit: its register has forgotten the envelope. The receipt is `unsolicited`, and the number is given out again."""
    old = _restored(world, tmp_path / "backup")
    envelope, _, receipt = world.exchange()
    number = world.kz.works("register", "show", envelope, "--json").facts["entries"][0]["number"]
    done = old.kz.run("receipt", "verify", receipt, "--json")
    assert (done.code, done.facts["verdict"]) == (6, "unsolicited")
    old.seal(name="next.vlz")
    assert old.kz.works("register", "list", "--json").facts["envelopes"][0]["number"] == number


def test_origin_restored_to_before_the_receipt(world: World, tmp_path: Path) -> None:
    """What was sealed is in it: the receipt is entered once more, with the same verdict."""
    envelope = world.seal()
    old = _restored(world, tmp_path / "backup")
    world.open(envelope)
    receipt = world.countersign(world.acknowledge(envelope), envelope)
    for office in (world.kz, old.kz):
        assert office.works("receipt", "verify", receipt, "--json").facts["verdict"] == "delivered"


def test_destination_restored_to_before_it_answered(world: World, tmp_path: Path, travel: Callable[[int], None]) -> None:
    """The limit: it answers anew, in other words. The origin has the first receipt, keeps the second, and calls it a conflict."""
    old = _restored(world, tmp_path / "backup")
    envelope, _, receipt = world.exchange()
    world.kz.works("receipt", "verify", receipt)
    travel(DAY)
    old.open(envelope)
    second = old.countersign(old.acknowledge(envelope), envelope)
    done = world.kz.run("receipt", "verify", second, "--json")
    assert (done.code, done.facts["verdict"]) == (6, "conflict")


def test_destination_restored_finds_its_own_receipt_and_takes_it_for_no_other(world: World, tmp_path: Path) -> None:
    """It has no opening of its own for it, and countersigns no answer that it does not know."""
    old = _restored(world, tmp_path / "backup")
    envelope, answer, receipt = world.exchange()
    old.by.fails(6, "countersign", answer, "--envelope", envelope, "-o", old.path("r.vls"), "--as=maryna")
    assert old.by.works("receipt", "verify", receipt, "--json").facts["verdict"] == "attested"


def test_two_offices_with_one_key(world: World, tmp_path: Path) -> None:
    """Copies of one folder: each gives out the same numbers, and the one knows nothing of what the other sealed."""
    other = _restored(world, tmp_path / "other")
    here, there = world.seal(), other.seal()
    numbers = [w.kz.works("register", "list", "--json").facts["envelopes"][0]["number"] for w in (world, other)]
    assert numbers[0] == numbers[1]
    assert here.read_bytes() != there.read_bytes()
    world.open(here, name="one")
    world.open(there, name="two")
    receipt = world.countersign(world.acknowledge(there), there)
    assert world.kz.run("receipt", "verify", receipt, "--json").facts["verdict"] == "unsolicited"
    assert other.kz.works("receipt", "verify", receipt, "--json").facts["verdict"] == "delivered"


# -- a clock --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ahead", [DAY, 364 * DAY])
def test_origin_s_clock_ahead(ahead: int, world: World, travel: Callable[[int], None]) -> None:
    """Refused on arrival by whoever has the right time: no receipt would ever fit."""
    travel(ahead)
    envelope = world.seal()
    travel(0)
    assert "future" in world.by.fails(6, "verify", envelope).error
    assert "future" in world.by.fails(6, "open", envelope, "-o", world.path("out"), "--as=yanka").error
    assert "clock" in world.kz.fails(6, *world.order("-o", world.path("next.vlz"))).error  # and its register waits until then


def test_origin_s_clock_a_year_ahead(world: World, travel: Callable[[int], None]) -> None:
    """The rosters have expired there: nothing is sealed, and nothing entered."""
    travel(YEAR + DAY)
    assert "expired" in world.kz.fails(6, *world.order("-o", world.path("out.vlz"))).error
    travel(0)
    world.seal()


@pytest.mark.parametrize("behind", [DAY, YEAR])
def test_origin_s_clock_before_anybody_was_certified(behind: int, world: World, travel: Callable[[int], None]) -> None:
    travel(-behind)
    world.kz.fails(6, *world.order("-o", world.path("out.vlz")))
    assert not world.path("out.vlz").exists()


def test_origin_s_clock_behind(world: World, travel: Callable[[int], None]) -> None:
    """The limit: a time is a claim, and one that lies back is believed."""
    travel(9 * DAY)
    envelope = world.seal()
    travel(10 * DAY)
    world.open(envelope)
    receipt = world.countersign(world.acknowledge(envelope), envelope)
    assert world.kz.works("receipt", "verify", receipt, "--json").facts["verdict"] == "delivered"


def test_origin_s_clock_behind_its_register(world: World, travel: Callable[[int], None]) -> None:
    travel(2 * DAY)
    world.seal()
    travel(DAY)
    assert "clock" in world.kz.fails(6, *world.order("-o", world.path("out.vlz"))).error


def test_destination_s_clock_behind(world: World, travel: Callable[[int], None]) -> None:
    """What came from the future for it is refused, until the clock is right; nothing of it is entered."""
    travel(2 * DAY)
    envelope = world.seal()
    travel(DAY)
    assert "future" in world.by.fails(6, "open", envelope, "-o", world.path("out"), "--as=yanka").error
    assert world.by.works("register", "list", "--json").facts["envelopes"] == []
    travel(2 * DAY)
    world.open(envelope)


def test_destination_s_clock_a_year_ahead_for_a_moment(world: World, travel: Callable[[int], None]) -> None:
    """The limit: what was entered then stays, the receipt is late by its own word, and the register waits until that time."""
    envelope, other = world.seal(), world.seal(name="other.vlz")
    travel(360 * DAY)
    world.open(envelope)
    receipt = world.countersign(world.acknowledge(envelope), envelope)
    travel(0)
    done = world.kz.run("receipt", "verify", receipt, "--json")
    assert (done.code, done.facts["verdict"]) == (6, "late")
    assert "clock" in world.by.fails(6, "open", other, "-o", world.path("two"), "--as=yanka").error
