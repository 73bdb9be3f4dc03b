"""Evidence bundles at the command line: made at either side, verified by somebody who has nothing but two fingerprints."""

from __future__ import annotations

import json
import subprocess
import time
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest
from tests.support.bundles import Case, cosign, make_case, taken_apart, write
from tests.support.cli import VALIZA, World, fails, found_world, listing, run, works

from valiza.envelope.dispatch import sign_dispatch
from valiza.envelope.verifying import authenticate
from valiza.office.home import Office

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PARCELS: Final = '[[carrier]]\nfile = "map.txt"\n\n[[carrier]]\nphysical = true\nname = "parcel"\n'


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """Made once; no test changes what is in it."""
    return make_case(tmp_path_factory.mktemp("evidence"))


@pytest.fixture
def fresh(case: Case, tmp_path: Path) -> Case:
    """The same, this test's own."""
    world = case.world.copy(tmp_path / "world")
    paths = (world.path(path.name) for path in (case.envelope, case.origin, case.destination, case.other))
    return Case(world, *paths)


def test_an_arbiter_needs_nothing_else(case: Case, tmp_path: Path) -> None:
    bundle = tmp_path / "case.vle"
    bundle.write_bytes(case.destination.read_bytes())
    empty = tmp_path / "empty"
    empty.mkdir()
    words: list[str | Path] = [VALIZA, "evidence", "verify", bundle, *case.roots, "-o", tmp_path / "shown", "--json"]
    done = subprocess.run(words, env={"HOME": str(empty)}, cwd=empty, capture_output=True, check=True, timeout=60)
    facts = json.loads(done.stdout)
    assert facts["verdict"] == "attested"
    assert (tmp_path / "shown" / "map.txt").read_bytes() == case.world.carrier.read_bytes()
    assert (tmp_path / "shown" / "list.csv").read_bytes() == case.world.path("list.csv").read_bytes()
    assert listing(empty) == []


def test_it_says_in_words_what_is_proved_and_what_is_not(case: Case) -> None:
    said = works("evidence", "verify", case.origin, *case.roots).out
    proved, _, rest = said.partition("not proved:")
    assert "KZ/KZ-MFA entered the sealing in its log" in proved
    assert "what stands in the log of BY/BY-MFA" in rest
    facts = works("evidence", "verify", case.origin, *case.roots, "--json").facts
    assert [entry["kind"] for entry in facts["log"]] == ["sealed", "receipt"]
    assert {entry["cosigned_by"] for entry in facts["log"]} == {"BY/BY-MFA"}
    assert facts["verified"]["manifest"]["carriers"][0]["name"] == "map.txt"


def test_without_disclosing_nothing_of_the_contents_is_in_it(fresh: Case) -> None:
    path = fresh.world.path("closed.vle")
    fresh.world.by.works("evidence", "make", fresh.envelope, "-o", path)
    data = path.read_bytes()
    assert not any(words in data for words in (b"map.txt", b"joint exercise", b"assembly area"))
    facts = works("evidence", "verify", path, *fresh.roots, "--json").facts
    assert "what the contents are: the manifest is not shown, and no carrier is" in facts["not_proved"]
    assert "manifest" not in facts["verified"]


def test_one_carrier_shows_no_other(fresh: Case) -> None:
    path = fresh.world.path("one.vle")
    fresh.world.by.works("evidence", "make", fresh.envelope, "--disclose=list.csv", "--as=alena", "-o", path)
    facts = works("evidence", "verify", path, *fresh.roots, "-o", fresh.world.path("shown"), "--json").facts
    assert facts["carriers"] == [{"index": 1, "name": "carrier-1", "size": 36000, "acknowledged": True}]
    assert (fresh.world.path("shown") / "carrier-1").read_bytes() == fresh.world.path("list.csv").read_bytes()
    assert "what the carrier 0 contains: it is not shown" in facts["not_proved"]
    assert b"map.txt" not in path.read_bytes()


def test_another_dispatch_is_shown_with_its_core(fresh: Case) -> None:
    """What an office kept of an envelope that came twice, with two dispatches, is a conflict for the arbiter too."""
    kz, by = fresh.world.kz, fresh.world.by
    with closing(Office(kz.home, lambda: pytest.fail("a passphrase is asked for"))) as office, fresh.envelope.open("rb") as source:
        first = authenticate(source, office.trust, office.journal).signed
        other = sign_dispatch(replace(first.body, sealed_at=first.body.sealed_at + 1), first.sealer, office.signing_key("aigul", "seal"))
    with closing(Office(by.home, lambda: pytest.fail("a passphrase is asked for"))) as office:
        office.journal.record_other_dispatch(other.raw, first.core.raw, replace(first.name, dispatch_digest=other.digest), at=int(time.time()))
    path = fresh.world.path("conflict.vle")
    made = by.works("evidence", "make", fresh.envelope, "-o", path, "--json").facts
    assert made["verdict"] == "conflict"
    done = run("evidence", "verify", path, *fresh.roots, "--json")
    assert (done.code, done.facts["verdict"]) == (6, "conflict")
    assert any("signed another dispatch of the same envelope, at " in line for line in done.facts["proved"])
    assert works("evidence", "show", path, "--json").facts["read"]["further_cores"] == 1


def test_arbiter_who_has_the_parties_own_rosters(fresh: Case) -> None:
    """The latest roster of each is settled, and what it revoked later counts; another party's is none of this."""
    kz, by = fresh.world.kz, fresh.world.by
    facts = works("evidence", "verify", fresh.origin, *fresh.roots, "--json").facts
    assert facts["rosters_compared"] == []
    later = fresh.world.path("KZ.later.vls")
    kz.works("roster", "publish", "-o", later)
    facts = works("evidence", "verify", fresh.origin, *fresh.roots, "--roster", later, "--roster", by.roster, "--json").facts
    assert facts["rosters_compared"] == ["BY", "KZ"]
    assert not any("is the latest and complete" in line for line in facts["not_proved"])
    assert any("of its roster" in line and "which it gave itself" in line for line in facts["proved"])
    fails(3, "evidence", "verify", fresh.origin, *fresh.roots, "--roster", fresh.envelope)
    fails(7, "evidence", "verify", fresh.origin, *fresh.roots, "--roster", fresh.world.path("none.vls"))
    fails(2, "evidence", "verify", "-", *fresh.roots, "--roster", "-")


def test_by_number_and_id_and_with_the_file_beside_it(fresh: Case) -> None:
    (row, _) = fresh.world.by.works("register", "list", "--json").facts["envelopes"]
    for index, name in enumerate((row["number"], row["envelope_id"][:12])):
        path = fresh.world.path(f"{index}.vle")
        fresh.world.by.works("evidence", "make", name, "--envelope", fresh.envelope, "--disclose=0", "--as=yanka", "-o", path)
        works("evidence", "verify", path, *fresh.roots)
    other = fresh.world.path("second.vlz")
    done = fresh.world.by.fails(2, "evidence", "make", row["number"], "--envelope", other, "-o", fresh.world.path("no.vle"))
    assert "the file is another envelope" in done.error
    assert not fresh.world.path("no.vle").exists()


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (["--disclose=nothing", "--as=yanka"], 2, "no carrier is named 'nothing'"),
        (["--disclose=2", "--as=yanka"], 2, "no carrier is named '2'"),
        (["--disclose=0", "--as=nobody"], 5, "nobody"),
        (["--disclose=0"], 2, "several officers can open it"),
    ],
)
def test_what_cannot_be_disclosed(words: list[str], code: int, error: str, fresh: Case) -> None:
    done = fresh.world.by.fails(code, "evidence", "make", fresh.envelope, *words, "-o", fresh.world.path("x.vle"))
    assert error in done.err
    assert not fresh.world.path("x.vle").exists()


def test_the_origin_shows_no_carrier(fresh: Case) -> None:
    number = fresh.world.kz.works("register", "list", "--json").facts["envelopes"][0]["number"]
    done = fresh.world.kz.fails(2, "evidence", "make", number, "--disclose=0", "-o", fresh.world.path("x.vle"))
    assert "a carrier is shown from the envelope" in done.error
    done = fresh.world.kz.fails(6, "evidence", "make", fresh.envelope, "--disclose=0", "-o", fresh.world.path("x.vle"))
    assert "addressed to BY/BY-MFA" in done.error


def test_without_an_answer_or_countersignature_it_is_incomplete(world: World) -> None:
    roots = [f"--root={office.root}" for office in (world.kz, world.by)]
    envelope = world.seal()
    done = world.kz.run("evidence", "make", envelope, "-o", world.path("sent.vle"))
    assert done.code == 0, done.err
    done = run("evidence", "verify", world.path("sent.vle"), *roots, "--json")
    assert (done.code, done.facts["verdict"]) == (8, "outstanding")
    assert "valiza: error: the bundle holds no answer to the envelope" in done.err
    assert "that anybody received the envelope: no answer of BY/BY-MFA is in the bundle" in done.facts["not_proved"]
    world.open(envelope)
    world.by.works("evidence", "make", envelope, "-o", world.path("opened.vle"))
    assert run("evidence", "verify", world.path("opened.vle"), *roots).code == 8
    world.acknowledge(envelope)
    world.by.works("evidence", "make", envelope, "-o", world.path("answered.vle"))
    done = run("evidence", "verify", world.path("answered.vle"), *roots, "--json")
    assert (done.code, done.facts["verdict"]) == (8, "acknowledged")


def test_a_withdrawn_envelope_is_told(world: World) -> None:
    envelope = world.seal()
    world.kz.works("withdraw", envelope, "--reason=wrong annex")
    roots = [f"--root={office.root}" for office in (world.kz, world.by)]
    world.kz.works("evidence", "make", envelope, "-o", world.path("entered.vle"))
    done = run("evidence", "verify", world.path("entered.vle"), *roots, "--json")
    assert (done.code, done.facts["verdict"]) == (8, "outstanding")
    assert any("it is the word of whoever made the bundle" in said for said in done.facts["not_proved"])
    cosign(world.kz, world.by, world)
    world.kz.works("evidence", "make", envelope, "-o", world.path("w.vle"))
    done = run("evidence", "verify", world.path("w.vle"), *roots, "--json")
    assert (done.code, done.facts["verdict"]) == (6, "withdrawn")


@pytest.mark.parametrize("stage", ["unopened", "opened"])
def test_a_refusal_is_evidence_too(stage: str, world: World) -> None:
    envelope = world.seal()
    if stage == "opened":
        world.open(envelope)
    receipt = world.countersign(world.refuse(envelope), envelope)
    assert world.kz.run("receipt", "verify", receipt).code == 6
    for office in (world.kz, world.by):
        path = world.path(f"{office.party}.vle")
        office.works("evidence", "make", envelope, "-o", path)
        done = run("evidence", "verify", path, f"--root={world.kz.root}", f"--root={world.by.root}", "--json")
        assert (done.code, done.facts["verdict"]) == (6, "refused")
        assert any("Yanka Kupava of BY/BY-MFA refused the envelope" in said for said in done.facts["proved"])


def test_discrepant_and_its_physical_carrier_cannot_be_shown(world: World) -> None:
    inventory = world.path("list.toml")
    inventory.write_text(PARCELS, encoding="utf-8")
    envelope = world.seal("--inventory", inventory)
    world.open(envelope)
    world.countersign(world.acknowledge(envelope, "--missing=1"), envelope)
    done = world.by.fails(2, "evidence", "make", envelope, "--disclose=parcel", "--as=yanka", "-o", world.path("x.vle"))
    assert "physical" in done.error
    world.by.works("evidence", "make", envelope, "-o", world.path("x.vle"))
    done = run("evidence", "verify", world.path("x.vle"), f"--root={world.kz.root}", f"--root={world.by.root}", "--json")
    assert (done.code, done.facts["verdict"]) == (6, "discrepant")
    assert any("carrier 1 missing" in said for said in done.facts["proved"])


def test_two_receipts_are_a_conflict(world: World, tmp_path: Path) -> None:
    envelope = world.seal()
    world.open(envelope)
    answer = world.acknowledge(envelope)
    second = world.copy(tmp_path / "second").countersign(answer, envelope)
    world.kz.works("receipt", "verify", world.countersign(answer, envelope))
    assert world.kz.run("receipt", "verify", second).code == 6
    world.kz.works("evidence", "make", envelope, "-o", world.path("x.vle"))
    done = run("evidence", "verify", world.path("x.vle"), f"--root={world.kz.root}", f"--root={world.by.root}", "--json")
    assert (done.code, done.facts["verdict"]) == (6, "conflict")
    assert any("Maryna Bor of BY/BY-MFA countersigned another receipt" in said for said in done.facts["proved"])
    bundle, _ = taken_apart(world.path("x.vle"))
    error = fails(
        8, "evidence", "verify", write(world.path("y.vle"), replace(bundle, further=())), f"--root={world.kz.root}", f"--root={world.by.root}"
    )
    assert "the statement that the entry 'conflict' is about is missing" in error.error


def test_an_overdue_record_is_evidence(world: World, travel: Callable[[int], None]) -> None:
    envelope = world.seal()
    travel(40 * 86400)
    assert world.kz.run("register", "overdue", "--sign").code == 8
    world.kz.works("evidence", "make", envelope, "-o", world.path("x.vle"))
    done = run("evidence", "verify", world.path("x.vle"), f"--root={world.kz.root}", f"--root={world.by.root}", "--json")
    assert (done.code, done.facts["verdict"]) == (8, "overdue")
    assert any("stated that KZ/KZ-MFA had no receipt at" in said for said in done.facts["proved"])


def test_what_was_passed_on_is_shown_by_who_got_it(world: World) -> None:
    envelope = world.seal("--addressee=Yanka Kupava", "--single")
    world.by.works("rewrap", envelope, "--to-officer=alena", "--as=yanka", "-o", world.path("r.vls"))
    world.open(envelope, "--rewrap", world.path("r.vls"), officer="alena")
    world.countersign(world.acknowledge(envelope, officer="alena"), envelope)
    world.by.works("evidence", "make", envelope, "--disclose=0", "--as=alena", "-o", world.path("x.vle"))
    facts = works("evidence", "verify", world.path("x.vle"), f"--root={world.kz.root}", f"--root={world.by.root}", "--json").facts
    assert any("Yanka Kupava of BY/BY-MFA had passed it on" in said for said in facts["proved"])
    assert [carrier["index"] for carrier in facts["carriers"]] == [0]


def test_show_and_inspect_believe_nothing(case: Case) -> None:
    shown = works("evidence", "show", case.destination, "--json").facts
    assert shown["believed"] is False
    assert shown == works("inspect", case.destination, "--json").facts
    read = shown["read"]
    assert (read["kind"], read["rosters"], read["manifest"]) == ("receipt", ["BY", "KZ"], True)
    assert [entry["kind"] for entry in read["log"]] == ["arrived", "opened", "answered", "receipt"]
    assert read["carriers"] == [{"index": 0, "size": 26}, {"index": 1, "size": 36000}]


def test_one_fingerprint_or_none_is_not_enough(case: Case) -> None:
    assert "BY in the evidence bundle has none of the fingerprints" in fails(4, "evidence", "verify", case.origin, case.roots[0]).error
    fails(2, "evidence", "verify", case.origin)
    fails(2, "evidence", "verify", case.origin, "--root=12")


def test_nothing_is_written_that_was_not_verified(case: Case, tmp_path: Path) -> None:
    data = bytearray(case.destination.read_bytes())
    data[-1] ^= 1
    (tmp_path / "bad.vle").write_bytes(data)
    fails(4, "evidence", "verify", tmp_path / "bad.vle", *case.roots, "-o", tmp_path / "shown")
    fails(6, "evidence", "verify", case.origin, *case.roots, "-o", tmp_path / "shown")
    assert [path.name for path in tmp_path.iterdir()] == ["bad.vle"]


def test_through_a_pipe(case: Case) -> None:
    assert works("evidence", "verify", "-", *case.roots, "--json", stdin=case.destination.read_bytes()).facts["verdict"] == "attested"
    done = fails(2, "evidence", "make", "12345678", "-o", "-")
    assert "verified before it gets its name" in done.error


@pytest.mark.slow
def test_a_long_bundle_through_a_pipe_is_read_to_its_end(world: World) -> None:
    """Of what is neither envelope nor bundle no more is spooled than shows it."""
    long = world.path("long.bin")
    long.write_bytes(bytes(80 << 20))
    envelope = world.seal(files=[long])
    world.open(envelope)
    world.acknowledge(envelope)
    path = world.path("long.vle")
    world.by.works("evidence", "make", envelope, "--disclose=long.bin", "--as=yanka", "-o", path)
    done = run("evidence", "verify", "-", f"--root={world.kz.root}", f"--root={world.by.root}", "--json", stdin=path.read_bytes())
    assert (done.code, done.facts["carriers"][0]["size"]) == (8, 80 << 20)


def test_it_is_as_secret_as_what_it_shows(case: Case) -> None:
    assert case.destination.stat().st_mode & 0o777 == 0o600


def test_entries_after_the_last_checkpoint_are_told(tmp_path: Path) -> None:
    world = found_world(tmp_path / "world")
    envelope = world.seal()
    cosign(world.kz, world.by, world)
    world.open(envelope)
    receipt = world.countersign(world.acknowledge(envelope), envelope)
    world.kz.works("receipt", "verify", receipt)
    world.kz.works("evidence", "make", envelope, "-o", world.path("x.vle"))
    done = works("evidence", "verify", world.path("x.vle"), f"--root={world.kz.root}", f"--root={world.by.root}", "--json").facts
    assert [(entry["kind"], entry["cosigned_by"]) for entry in done["log"]] == [("sealed", "BY/BY-MFA"), ("receipt", None)]
    assert any("that KZ/KZ-MFA ever entered the receipt: no signed head of its log covers that" in said for said in done["not_proved"])
