"""The courier, and who runs the gateway: they hold what passes, and swap, cut, repeat, delay and withhold it. They have no key."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest
from tests.support.cli import World, fails, works
from tests.support.tamper import split

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DAY: Final = 86400
TWO: Final = ("--addressee=Yanka Kupava", "--addressee=Maryna Bor")


def _stands(world: World, envelope: Path) -> str:
    """Where an envelope stands in the origin's register."""
    facts = world.kz.works("register", "show", envelope, "--json").facts
    rows = world.kz.works("register", "list", "--json").facts["envelopes"]
    (verdict,) = [row["verdict"] for row in rows if row["dispatch"] == facts["dispatch"]]
    assert isinstance(verdict, str)
    return verdict


# -- bags -----------------------------------------------------------------------------------------------------------------


def test_envelopes_swapped_between_two_bags(world: World) -> None:
    """What is written on the bag counts for nothing: each envelope tells its own package number, and is answered for itself."""
    one, two = world.seal("--package=bag 1", name="one.vlz"), world.seal("--package=bag 2", name="two.vlz")
    bag = {"bag 1": two, "bag 2": one}
    for written, envelope in bag.items():
        told = world.by.works("verify", envelope, "--json").facts["verified"]["stamp"]["package"]
        assert told != written
        assert bag[told] != envelope
    world.open(bag["bag 1"])
    receipt = world.countersign(world.acknowledge(two), two)
    assert world.kz.works("receipt", "verify", receipt, "--json").facts["verdict"] == "delivered"
    assert (_stands(world, two), _stands(world, one)) == ("delivered", "outstanding")


def test_bag_taken_to_another_body(world: World) -> None:
    bank = world.path("bank")
    works(
        *("office", "init", bank, "--party=BY", "--body=BY-BANK", "--degrees=1,2,3", "--officer=teller:open,acknowledge:1", "--unprotected"),
        *("--root-office", world.by.home),
    )
    works("roster", "import", world.kz.roster, "--root", world.kz.root, "--home", bank)
    works("agreement", "adopt", world.agreement, "--home", bank)
    envelope = world.seal()
    works("verify", envelope, "--home", bank)
    assert "addressed to BY/BY-MFA" in fails(6, "open", envelope, "-o", world.path("out"), "--home", bank).error
    assert "addressed to BY/BY-MFA" in fails(6, "refuse", envelope, "--reason=addressee", "-o", world.path("r.vls"), "--home", bank).error


@pytest.mark.parametrize("part", ["core", "stanzas", "streams", "manifest", "dispatch"])
def test_parts_swapped_between_two_envelopes(part: str, world: World) -> None:
    """Of one sealer, to the same officers, with the same contents and lengths."""
    one, two = (split(world.seal(name=f"{n}.vlz").read_bytes()) for n in (1, 2))
    world.path("mixed.vlz").write_bytes(replace(one, **{part: getattr(two, part)}).join())
    world.by.fails(4, "verify", world.path("mixed.vlz"))
    world.by.fails(4, "open", world.path("mixed.vlz"), "-o", world.path("out"), "--as=yanka")
    assert not world.path("out").exists()


def test_detached_stanzas_swapped(world: World) -> None:
    """Each is for one envelope and one officer."""
    pairs = []
    for n in ("1", "2"):
        envelope = world.seal(*TWO, name=f"{n}.vlz")
        world.by.works("rewrap", envelope, "--to-officer=alena", "-o", world.path(f"{n}.vls"), "--as=yanka")
        pairs.append((envelope, world.path(f"{n}.vls")))
    (one, of_one), (_, of_two) = pairs
    world.by.fails(4, "open", one, "--rewrap", of_two, "-o", world.path("out"), "--as=alena")
    assert not world.path("out").exists()
    world.by.works("open", one, "--rewrap", of_one, "-o", world.path("out"), "--as=alena")


# -- time -----------------------------------------------------------------------------------------------------------------


def test_envelope_that_never_arrives(world: World, travel: Callable[[int], None]) -> None:
    """Nothing makes anybody deliver. The origin's register tells when the day has passed, and asks nobody's word for it."""
    envelope = world.seal("--due=1")
    assert _stands(world, envelope) == "outstanding"
    travel(2 * DAY)
    assert _stands(world, envelope) == "overdue"


def test_receipt_that_was_held_back(world: World, travel: Callable[[int], None]) -> None:
    """Made in time, and on its way for a month: it counts as of the time that it states, and the register knows when it came."""
    envelope, _, receipt = world.exchange("--due=1")
    travel(30 * DAY)
    assert _stands(world, envelope) == "overdue"
    assert world.kz.works("receipt", "verify", receipt, "--json").facts["verdict"] == "delivered"
    entries = world.kz.works("register", "show", envelope, "--json").facts["entries"]
    sealed, received = (next(e["at"] for e in entries if e["kind"] == kind) for kind in ("sealed", "receipt"))
    assert received[:10] > sealed[:10]


# -- once more ------------------------------------------------------------------------------------------------------------


def test_envelope_repeated(world: World) -> None:
    envelope = world.seal()
    world.open(envelope)
    number = world.by.works("register", "list", "--json").facts["envelopes"][0]["number"]
    facts = world.by.works("open", envelope, "-o", world.path("again"), "--as=yanka", "--json").facts
    assert (facts["opened_before"], facts["number"]) == (True, number)
    assert len(world.by.works("register", "list", "--json").facts["envelopes"]) == 1


def test_old_envelope_repeated_to_an_office_that_was_set_up_again(world: World, tmp_path: Path) -> None:
    """Same keys, new register: there it is new, and is answered anew. The origin has the first receipt, and calls the second one a conflict."""
    again = world.copy(tmp_path / "again")
    envelope, _, receipt = world.exchange()
    assert world.kz.works("receipt", "verify", receipt, "--json").facts["verdict"] == "delivered"
    again.open(envelope)
    second = again.countersign(again.acknowledge(envelope), envelope)
    done = world.kz.run("receipt", "verify", second, "--json")
    assert (done.code, done.facts["verdict"]) == (6, "conflict")


# -- receipts -------------------------------------------------------------------------------------------------------------


def test_receipts_swapped(world: World) -> None:
    """A receipt names its envelope itself; beside another envelope it is refused."""
    found = []
    for n in ("1", "2"):
        envelope = world.seal(name=f"{n}.vlz")
        world.open(envelope, name=n)
        answer = world.acknowledge(envelope, name=f"{n}.ack.vls")
        found.append((envelope, world.countersign(answer, envelope, name=f"{n}.receipt.vls")))
    (one, of_one), (two, of_two) = found
    world.kz.fails(4, "receipt", "verify", of_two, "--envelope", one)
    world.kz.fails(4, "receipt", "verify", of_one, "--envelope", two)
    world.kz.works("receipt", "verify", of_two)
    assert (_stands(world, one), _stands(world, two)) == ("outstanding", "delivered")


def test_acknowledgement_taken_to_the_origin_before_it_was_countersigned(world: World) -> None:
    envelope = world.seal()
    world.open(envelope)
    done = world.kz.run("receipt", "verify", world.acknowledge(envelope), "--json")
    assert (done.code, done.facts["verdict"]) == (8, "acknowledged")
    assert _stands(world, envelope) == "outstanding"


def test_answer_taken_to_the_countersigner_with_another_envelope(world: World) -> None:
    one, two = world.seal(name="one.vlz"), world.seal(name="two.vlz")
    world.open(one)
    answer = world.acknowledge(one)
    world.by.fails(4, "countersign", answer, "--envelope", two, "-o", world.path("r.vls"), "--as=maryna")


# -- what he reads --------------------------------------------------------------------------------------------------------


def test_stamp_is_all_that_is_read_without_a_key(world: World) -> None:
    """Names of carriers, purpose, basis and contents are not among the bytes that pass, nor in what `inspect` shows."""
    envelope = world.seal()
    raw, told = envelope.read_bytes(), works("inspect", envelope).out
    for secret in (b"map.txt", b"joint exercise", b"Government decision No. 12", b"assembly area"):
        assert secret not in raw
        assert secret.decode() not in told
    for outside in (b"Astana", b"Minsk", b"KZ-MFA", b"BY-MFA", b"courier"):
        assert outside in raw


def test_length_is_seen(world: World) -> None:
    """Under kz-by nothing is padded: who sees two envelopes knows by how much one is longer, and slightly how many files there are."""
    sizes = []
    for n, contents in enumerate([[b"x" * 1000], [b"x" * 1001], [b"x" * 500, b"x" * 500]]):
        files = []
        for index, content in enumerate(contents):
            path = world.path(f"{n}-{index}")
            path.write_bytes(content)
            files.append(path)
        sizes.append(len(split(world.seal(files=files, name=f"{n}.vlz").read_bytes()).streams))
    assert sizes[1] - sizes[0] == 1
    assert sizes[2] - sizes[0] == 72
