"""Acknowledging, refusing, countersigning, and what comes of a receipt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.support.cli import World, run, works

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DAY: Final = 86400
PARCELS: Final = '[[carrier]]\nfile = "map.txt"\n\n' + "".join(f'[[carrier]]\nphysical = true\nname = "parcel {n}"\n\n' for n in (1, 2))
REASONS: Final = ("addressee", "agreement", "basis", "channel", "clearance", "contents", "mark", "other", "route")


def _with_parcels(world: World) -> Path:
    """An opened envelope with a file and two physical carriers."""
    inventory = world.path("list.toml")
    inventory.write_text(PARCELS, encoding="utf-8")
    envelope = world.seal("--inventory", inventory)
    world.open(envelope)
    return envelope


def _verdict(world: World, receipt: Path, *extra: str | Path) -> tuple[int, Any]:
    """Exit code and facts of `receipt verify` at the origin; a verdict that is not good is told as an error too."""
    done = world.kz.run("receipt", "verify", receipt, *extra, "--json")
    assert done.err.count("valiza: error: ") == (done.code != 0)
    return done.code, done.facts


def _opened(world: World) -> Path:
    envelope = world.seal()
    world.open(envelope)
    return envelope


# -- acknowledge -----------------------------------------------------------------------------------------------------------


def test_acknowledgement_says_what_was_found(world: World) -> None:
    envelope = _with_parcels(world)
    done = world.by.works("acknowledge", envelope, "-o", world.path("a.vls"), "--missing=1", "--damaged=2", "--number=in 17", "--json")
    said = done.facts["verified"]
    assert said["conditions"] == ["present", "missing", "damaged"]
    assert said["marks_put_on"] == ["3", "3", "3"]
    assert said["incoming_number"] == "in 17"
    assert said["answered_by"]["name"] == "Yanka Kupava"


@pytest.mark.parametrize("how", [["--missing=1"], ["--damaged=1"], ["--condition=1=missing"], ["--condition=1=damaged", "--condition=2=present"]])
def test_discrepant_receipt(how: list[str], world: World) -> None:
    envelope = _with_parcels(world)
    receipt = world.countersign(world.acknowledge(envelope, *how), envelope)
    code, facts = _verdict(world, receipt)
    assert (code, facts["verdict"]) == (6, "discrepant")
    (row,) = world.kz.works("register", "list", "--json").facts["envelopes"]
    assert row["verdict"] == "discrepant"


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (["--missing=0"], 6),  # a file: opening releases all or nothing
        (["--damaged=0"], 6),
        (["--missing=3"], 2),
        (["--missing=-1"], 2),
        (["--missing=x"], 2),
        (["--condition=1"], 2),
        (["--condition=1=lost"], 2),
        (["--condition==missing"], 2),
        (["--condition=-1=missing"], 2),
        (["--condition=²=missing"], 2),
        (["--condition=" + 5000 * "1" + "=missing"], 2),
        (["--missing=" + 5000 * "1"], 2),
        (["--number=" + 65 * "x"], 2),
        (["--number=a\udcffb"], 2),
    ],
    ids=lambda value: str(value[0])[:24].encode("ascii", "backslashreplace").decode() if isinstance(value, list) else str(value),
)
def test_condition_that_cannot_be(wrong: list[str], code: int, world: World) -> None:
    envelope = _with_parcels(world)
    done = world.by.run("acknowledge", envelope, "-o", world.path("a.vls"), *wrong)
    assert done.code == code or (code == 2 and done.code == 3), done.err
    assert done.error
    assert not world.path("a.vls").exists()
    world.acknowledge(envelope)  # nothing was recorded


def test_contradicting_conditions_are_not_guessed_about(world: World) -> None:
    envelope = _with_parcels(world)
    assert world.by.run("acknowledge", envelope, "-o", world.path("a.vls"), "--missing=1", "--damaged=1").code == 2


def test_not_before_opening(world: World) -> None:
    done = world.by.fails(6, "acknowledge", world.seal(), "-o", world.path("a.vls"))
    assert "valiza open" in done.hint


def test_only_by_who_opened(world: World) -> None:
    envelope = world.seal()
    world.open(envelope, officer="alena")
    assert "Alena Kish" in world.by.fails(6, "acknowledge", envelope, "-o", world.path("a.vls"), "--as=yanka").error
    world.by.fails(5, "acknowledge", envelope, "-o", world.path("a.vls"), "--as=maryna")
    facts = world.by.works("acknowledge", envelope, "-o", world.path("a.vls"), "--json").facts
    assert facts["verified"]["answered_by"]["name"] == "Alena Kish"


def test_acknowledging_again_gives_the_stored_one(world: World) -> None:
    envelope = _opened(world)
    first = world.acknowledge(envelope)
    second = world.acknowledge(envelope, name="second.vls")
    assert second.read_bytes() == first.read_bytes()


def test_acknowledgement_does_not_change_silently(world: World) -> None:
    """Who says something else the second time is told that it does not count."""
    envelope = _with_parcels(world)
    world.acknowledge(envelope)
    done = world.by.run("acknowledge", envelope, "--missing=1", "-o", world.path("second.vls"), "--as=yanka")
    assert (done.code == 6 and done.error) or "valiza: warning: " in done.err


def test_existing_answer_is_not_overwritten(world: World) -> None:
    envelope = _opened(world)
    world.path("a.vls").write_bytes(b"mine")
    world.by.fails(6, "acknowledge", envelope, "-o", world.path("a.vls"), "--as=yanka")
    world.by.fails(6, "refuse", envelope, "--reason=other", "-o", world.path("a.vls"), "--as=yanka")
    assert world.path("a.vls").read_bytes() == b"mine"
    assert world.by.works("register", "list", "--json").facts["envelopes"][0]["verdict"] == "opened"


def test_origin_acknowledges_nothing(world: World) -> None:
    assert world.kz.run("acknowledge", _opened(world), "-o", world.path("a.vls")).code in {5, 6}


# -- refuse ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", REASONS)
def test_refused_unopened(reason: str, world: World) -> None:
    envelope = world.seal()
    facts = world.by.works(
        "refuse", envelope, f"--reason={reason}", "--comment=see letter 5", "-o", world.path("r.vls"), "--as=yanka", "--json"
    ).facts
    said = facts["verified"]
    assert (said["stage"], said["reason"], said["comment"]) == ("unopened", reason, "see letter 5")
    receipt = world.countersign(world.path("r.vls"), envelope)
    code, verdict = _verdict(world, receipt)
    assert (code, verdict["verdict"]) == (6, "refused")


def test_refused_opened_by_its_opener_with_the_same_proof(world: World) -> None:
    envelope = world.seal()
    world.open(envelope, officer="alena")
    world.by.fails(6, "refuse", envelope, "--reason=contents", "-o", world.path("r.vls"), "--as=yanka")
    facts = world.by.works("refuse", envelope, "--reason=contents", "-o", world.path("r.vls"), "--json").facts
    assert (facts["verified"]["stage"], facts["verified"]["answered_by"]["name"]) == ("opened", "Alena Kish")
    receipt = world.countersign(world.path("r.vls"), envelope)
    code, verdict = _verdict(world, receipt)
    assert (code, verdict["verdict"], verdict["verified"]["checked"]) == (6, "refused", ["envelope", "opening"])


def test_refusal_for_what_the_agreement_forbids(world: World, travel: Callable[[int], None]) -> None:
    """What cannot be opened any more can still be answered."""
    envelope = world.seal()
    world.by.works("agreement", "terminate", "kz-by", "--takes-effect=2099-01-01T00:00:00Z", "-o", world.path("end.vls"))
    travel(6 * 365 * DAY)  # all credentials to open have expired
    assert world.by.run("open", envelope, "-o", world.path("opened"), "--as=yanka").code == 6
    travel(0)
    answer = world.refuse(envelope, "--reason=clearance")
    assert answer.exists()


def test_either_acknowledged_or_refused(world: World) -> None:
    envelope, other = _opened(world), world.seal(name="other.vlz")
    world.acknowledge(envelope)
    assert "acknowledged" in world.by.fails(6, "refuse", envelope, "--reason=other", "-o", world.path("r.vls"), "--as=yanka").error
    world.open(other, name="other")
    world.refuse(other)
    assert "refused" in world.by.fails(6, "acknowledge", other, "-o", world.path("a.vls"), "--as=yanka").error


def test_refusing_again_gives_the_stored_one(world: World) -> None:
    envelope = world.seal()
    assert world.refuse(envelope).read_bytes() == world.refuse(envelope, name="second.vls").read_bytes()


def test_only_the_addressee_body_refuses(world: World) -> None:
    assert world.kz.run("refuse", world.seal(), "--reason=other", "-o", world.path("r.vls")).code in {5, 6}


def test_forged_envelope_is_never_answered(world: World) -> None:
    envelope = world.seal()
    raw = bytearray(envelope.read_bytes())
    raw[raw.index(b"Astana")] ^= 1
    envelope.write_bytes(raw)
    world.by.fails(4, "refuse", envelope, "--reason=other", "-o", world.path("r.vls"), "--as=yanka")


def test_envelope_whose_payload_is_false_can_be_refused(world: World) -> None:
    """Behind an authentic dispatch: receipt.md, Refusal."""
    envelope = world.seal()
    raw = bytearray(envelope.read_bytes())
    raw[-6000] ^= 1  # in the manifest stream, which lies before the dispatch
    envelope.write_bytes(raw)
    world.by.fails(4, "verify", envelope)
    world.refuse(envelope)


@pytest.mark.parametrize(
    "extra", [["--reason=because"], ["--reason="], [], ["--reason=other", "--comment=" + 1001 * "x"], ["--reason=other", "--number=" + 65 * "x"]]
)
def test_refusal_that_cannot_be(extra: list[str], world: World) -> None:
    done = world.by.run("refuse", world.seal(), *extra, "-o", world.path("r.vls"), "--as=yanka")
    assert done.code in {2, 3}
    assert not world.path("r.vls").exists()


# -- countersign -----------------------------------------------------------------------------------------------------------


def test_countersigned(world: World) -> None:
    envelope = _opened(world)
    answer = world.acknowledge(envelope)
    facts = world.by.works("countersign", answer, "--envelope", envelope, "-o", world.path("r.vls"), "--as=maryna", "--json").facts
    assert facts["receipt"] == str(world.path("r.vls"))
    assert facts["verified"]["countersigned_by"]["name"] == "Maryna Bor"
    assert facts["verified"]["checked"] == ["envelope", "opening"]


def test_nobody_countersigns_himself(world: World) -> None:
    envelope = _opened(world)
    done = world.by.fails(6, "countersign", world.acknowledge(envelope), "--envelope", envelope, "-o", world.path("r.vls"), "--as=yanka")
    assert "one person" in done.error
    assert not world.path("r.vls").exists()
    world.countersign(world.path("envelope.ack.vls"), envelope)


def test_several_countersigners_have_to_be_told_apart(world: World) -> None:
    envelope = _opened(world)
    done = world.by.fails(2, "countersign", world.acknowledge(envelope), "--envelope", envelope, "-o", world.path("r.vls"))
    assert "--as" in done.hint


@pytest.mark.parametrize(("officer", "code"), [("alena", 5), ("nobody", 5), ("X Y", 2)])
def test_countersigner_who_is_none(officer: str, code: int, world: World) -> None:
    envelope = _opened(world)
    world.by.fails(code, "countersign", world.acknowledge(envelope), "--envelope", envelope, "-o", world.path("r.vls"), f"--as={officer}")


def test_origin_countersigns_nothing(world: World) -> None:
    envelope = _opened(world)
    answer = world.acknowledge(envelope)
    assert world.kz.run("countersign", answer, "--envelope", envelope, "-o", world.path("r.vls")).code in {5, 6}


def test_answer_to_another_envelope(world: World) -> None:
    envelope = _opened(world)
    other = world.seal(name="other.vlz")
    answer = world.acknowledge(envelope)
    assert "another envelope" in world.by.fails(4, "countersign", answer, "--envelope", other, "-o", world.path("r.vls"), "--as=maryna").error


def test_answer_of_another_office_is_not_countersigned(world: World, tmp_path: Path) -> None:
    """A copy of the office that opened the envelope knows what this one does not: the journal tells."""
    envelope = world.seal()
    other = world.copy(tmp_path / "other")
    other.open(other.path("envelope.vlz"))
    answer = other.acknowledge(other.path("envelope.vlz"))
    done = world.by.fails(6, "countersign", answer, "--envelope", envelope, "-o", world.path("r.vls"), "--as=maryna")
    assert "opened" in done.hint


def test_envelope_damaged_since_is_not_countersigned(world: World) -> None:
    envelope = _opened(world)
    answer = world.acknowledge(envelope)
    raw = bytearray(envelope.read_bytes())
    raw[-6000] ^= 1
    envelope.write_bytes(raw)
    world.by.fails(4, "countersign", answer, "--envelope", envelope, "-o", world.path("r.vls"), "--as=maryna")


def test_countersigning_again_gives_the_stored_one(world: World) -> None:
    envelope, answer, receipt = world.exchange()
    assert world.countersign(answer, envelope, name="again.vls").read_bytes() == receipt.read_bytes()


@pytest.mark.parametrize("what", ["envelope", "receipt", "roster", "credential"])
def test_what_is_no_answer_is_not_countersigned(what: str, world: World) -> None:
    envelope, _, receipt = world.exchange()
    objects = {"envelope": envelope, "receipt": receipt, "roster": world.kz.roster, "credential": world.by.home / "credentials/yanka/open.vls"}
    world.by.fails(3, "countersign", objects[what], "--envelope", envelope, "-o", world.path("r2.vls"), "--as=maryna")


# -- receipt show ----------------------------------------------------------------------------------------------------------


def test_show_believes_nothing(world: World) -> None:
    _, answer, receipt = world.exchange()
    facts = works("receipt", "show", receipt, "--json").facts
    assert facts["believed"] is False
    assert (facts["read"]["origin"], facts["read"]["destination"]) == ("KZ/KZ-MFA", "BY/BY-MFA")
    assert facts["read"]["conditions"] == ["present"]
    assert run("receipt", "show", answer).code == 3


def test_show_of_a_refusal(world: World) -> None:
    envelope = world.seal()
    receipt = world.countersign(world.refuse(envelope, "--comment=see letter 5"), envelope)
    read = works("receipt", "show", receipt, "--json").facts["read"]
    assert (read["stage"], read["reason"], read["comment"]) == ("unopened", "contents", "see letter 5")


# -- receipt verify: the verdicts ------------------------------------------------------------------------------------------


def test_delivered_then_duplicate(world: World) -> None:
    _, _, receipt = world.exchange()
    code, facts = _verdict(world, receipt)
    assert (code, facts["verdict"], facts["duplicate"], facts["not_compared"]) == (0, "delivered", False, [])
    code, facts = _verdict(world, receipt)
    assert (code, facts["verdict"], facts["duplicate"]) == (0, "delivered", True)


def test_duplicate_keeps_the_first_exit_code(world: World) -> None:
    envelope = _with_parcels(world)
    receipt = world.countersign(world.acknowledge(envelope, "--missing=1"), envelope)
    first, again = _verdict(world, receipt), _verdict(world, receipt)
    assert (first[0], again[0]) == (6, 6)
    assert again[1]["verdict"] == "discrepant"
    assert again[1]["duplicate"] is True


def test_delivered_with_the_envelope_at_hand(world: World) -> None:
    envelope, _, receipt = world.exchange()
    assert _verdict(world, receipt, "--envelope", envelope)[0] == 0


def test_receipt_of_another_envelope_beside_it(world: World) -> None:
    _, _, receipt = world.exchange()
    other = world.seal(name="other.vlz")
    assert world.kz.run("receipt", "verify", receipt, "--envelope", other).code == 4


def test_unsolicited(world: World, tmp_path: Path) -> None:
    """The origin's register knows nothing of it: sealed by a copy of the office with the same keys."""
    other = world.copy(tmp_path / "other")
    _, _, receipt = other.exchange()
    code, facts = _verdict(world, receipt)
    assert (code, facts["verdict"]) == (6, "unsolicited")
    assert world.kz.works("register", "list", "--json").facts["envelopes"] == []


def test_withdrawn(world: World) -> None:
    envelope, _, receipt = world.exchange()
    world.kz.works("withdraw", envelope, "--reason=wrong annex")
    code, facts = _verdict(world, receipt)
    assert (code, facts["verdict"]) == (6, "withdrawn")
    assert world.kz.works("register", "list", "--json").facts["envelopes"][0]["verdict"] == "withdrawn"


def test_late(world: World, travel: Callable[[int], None]) -> None:
    envelope = world.seal("--due=1")
    travel(2 * DAY)
    assert world.kz.works("register", "list", "--json").facts["envelopes"][0]["verdict"] == "overdue"
    world.open(envelope)
    receipt = world.countersign(world.acknowledge(envelope), envelope)
    code, facts = _verdict(world, receipt)
    assert (code, facts["verdict"]) == (6, "late")
    assert _verdict(world, receipt)[0] == 6


def _two_receipts(world: World, tmp_path: Path) -> tuple[Path, Path]:
    """Two receipts for one envelope: by a destination's office, and by a copy of it that was made before answering."""
    envelope = _opened(world)
    other = world.copy(tmp_path / "other")
    first = world.countersign(world.acknowledge(envelope), envelope)
    second = other.countersign(other.refuse(other.path("envelope.vlz")), other.path("envelope.vlz"))
    return first, second


def test_conflict(world: World, tmp_path: Path) -> None:
    first, second = _two_receipts(world, tmp_path)
    assert _verdict(world, first)[0] == 0
    code, facts = _verdict(world, second)
    assert (code, facts["verdict"]) == (6, "conflict")
    assert world.kz.works("register", "list", "--json").facts["envelopes"][0]["verdict"] == "conflict"
    assert _verdict(world, second)[1]["verdict"] == "conflict"
    kinds = [entry["kind"] for entry in world.kz.works("register", "show", world.path("envelope.vlz"), "--json").facts["entries"]]
    assert kinds.count("conflict") == 1


def test_conflict_the_other_way_round(world: World, tmp_path: Path) -> None:
    first, second = _two_receipts(world, tmp_path)
    assert _verdict(world, second)[1]["verdict"] == "refused"
    assert _verdict(world, first)[1]["verdict"] == "conflict"


def test_acknowledgement_is_no_receipt(world: World) -> None:
    _, answer, _ = world.exchange()
    code, facts = _verdict(world, answer)
    assert (code, facts["verdict"]) == (8, "acknowledged")
    assert world.kz.works("register", "list", "--json").facts["envelopes"][0]["verdict"] == "outstanding"


def test_refusal_is_no_receipt(world: World) -> None:
    assert _verdict(world, world.refuse(world.seal()))[0] == 8


@pytest.mark.parametrize("what", ["envelope", "roster", "agreement", "credential"])
def test_what_is_neither_receipt_nor_answer(what: str, world: World) -> None:
    objects = {
        "envelope": world.seal(),
        "roster": world.by.roster,
        "agreement": world.agreement,
        "credential": world.by.home / "credentials/yanka/open.vls",
    }
    world.kz.fails(3, "receipt", "verify", objects[what])


def test_attested_by_a_stranger_who_says_what_he_could_not_compare(world: World) -> None:
    envelope, _, receipt = world.exchange()
    alone = works("receipt", "verify", receipt, *world.strangers_trust, "--json").facts
    assert (alone["verdict"], alone["not_compared"]) == ("attested", ["openings", "proof", "marks", "addressee", "payload"])
    beside = works("receipt", "verify", receipt, "--envelope", envelope, *world.strangers_trust, "--json").facts
    assert (beside["verdict"], beside["not_compared"]) == ("attested", ["openings", "proof", "marks"])


def test_stranger_is_not_told_delivered_for_a_discrepancy(world: World) -> None:
    envelope = _with_parcels(world)
    receipt = world.countersign(world.acknowledge(envelope, "--missing=1"), envelope)
    done = run("receipt", "verify", receipt, *world.strangers_trust, "--json")
    assert (done.code, done.facts["verdict"]) == (6, "discrepant")


def test_destination_attests_its_own_receipt(world: World) -> None:
    _, _, receipt = world.exchange()
    done = world.by.works("receipt", "verify", receipt, "--json")
    assert (done.facts["verdict"], done.facts["duplicate"]) == ("attested", True)


def test_receipt_verifies_years_later(world: World, travel: Callable[[int], None]) -> None:
    """A13: an arbiter has only the papers; rosters and credentials have expired long since."""
    envelope, _, receipt = world.exchange()
    travel(9 * 365 * DAY)
    facts = works("receipt", "verify", receipt, "--envelope", envelope, *world.strangers_trust, "--json").facts
    assert facts["verdict"] == "attested"
    assert {roster["expired"] for roster in facts["roster_as_of"].values()} == {True}


def test_clerk_without_any_key_verifies(world: World) -> None:
    _, _, receipt = world.exchange()
    for key in (world.kz.home / "keys").rglob("*.key"):
        key.unlink()
    assert _verdict(world, receipt)[0] == 0


def test_clock_that_runs_back_is_refused_not_recorded(world: World, travel: Callable[[int], None]) -> None:
    envelope, other = world.seal(), world.seal(name="other.vlz")
    travel(200)
    world.open(envelope)
    travel(0)
    done = world.by.fails(6, "open", other, "-o", world.path("two"), "--as=yanka")
    assert "clock" in done.error
    assert not world.path("two").exists()
