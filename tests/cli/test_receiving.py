"""What arrives: inspected, verified by an office and by strangers, opened by addressees, passed on to others."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from tests.support.cli import VALIZA, World, fails, found_world, listing, program, run, works

if TYPE_CHECKING:
    from collections.abc import Callable

TWO: Final = ("--addressee=Yanka Kupava", "--addressee=Maryna Bor")  # so that Alena is no addressee


# -- inspect ---------------------------------------------------------------------------------------------------------------


def test_inspect_believes_nothing(world: World) -> None:
    facts = works("inspect", world.seal(), "--json").facts
    assert facts["believed"] is False
    assert set(facts) == {"believed", "read"}


def test_inspect_of_every_object(world: World) -> None:
    envelope, answer, receipt = world.exchange(*TWO)
    world.by.works("rewrap", envelope, "--to-officer=alena", "-o", world.path("r.vls"), "--as=yanka")
    world.kz.works("agreement", "terminate", "kz-by", "--takes-effect=2099-01-01T00:00:00Z", "-o", world.path("end.vls"))
    credential = world.kz.home / "credentials" / "aigul" / "seal.vls"
    objects = {
        "valiza/v1/acknowledgement": answer,
        "valiza/v1/receipt": receipt,
        "valiza/v1/rewrap": world.path("r.vls"),
        "valiza/v1/termination": world.path("end.vls"),
        "valiza/v1/roster": world.kz.roster,
        "valiza/v1/agreement": world.agreement,
        "valiza/v1/credential": credential,
        "envelope": envelope,
    }
    assert {kind: works("inspect", path, "--json").facts["read"]["type"] for kind, path in objects.items()} == {kind: kind for kind in objects}


def test_inspect_of_what_is_about_a_log(world: World) -> None:
    """A request, what comes back, and a proof that an entry is there; each believed in nothing, and told where it is not whole."""
    envelope = world.seal()
    request, cosigned = world.path("log.request"), world.path("log.cosigned")
    world.kz.works("register", "checkpoint", "--agreement=kz-by", "--for=BY-MFA", "-o", request)
    world.by.works("register", "cosign", request, "-o", cosigned)
    world.kz.works("register", "import", cosigned)
    world.kz.works("register", "prove", envelope, "-o", world.path("proofs"))
    (proof,) = (path for path in world.path("proofs").iterdir() if path.read_bytes().startswith(b"c2sp.org/"))
    found = {name: works("inspect", path, "--json").facts["read"] for name, path in (("r", request), ("c", cosigned), ("p", proof))}
    assert [found[name]["type"] for name in "rcp"] == ["request", "checkpoint", "proof"]
    assert {(read["log_of"], read["size"], read["root"]) for read in found.values()} == {("KZ/KZ-MFA", 2, found["c"]["root"])}
    assert [len(found[name]["lines"]) for name in "rcp"] == [2, 4, 4]
    assert (found["r"]["old_size"], found["p"]["place"], found["p"]["hashes"]) == (0, 1, 1)
    assert found["c"]["lines"][2]["name"] == "valiza/v1/office/BY/BY-MFA"
    for path in (request, cosigned, proof):
        raw = path.read_bytes()
        for spoilt in (raw[:-9], raw.replace(b"/KZ-MFA/", b"/kz/"), raw.replace(b"\n2\n", b"\n02\n")):
            fails(3, "inspect", "-", stdin=spoilt)
        forged = raw.replace(b"/KZ-MFA/", b"/KZ-KNB/")
        assert works("inspect", "-", "--json", stdin=forged).facts["read"]["log_of"] == "KZ/KZ-KNB"


def test_inspect_of_a_half_signed_agreement(world: World) -> None:
    """It goes from one party to the other, so it has to be readable on the way: `agreement show` reads it."""
    assert works("agreement", "show", world.path("agreement.half.vls"), "--json").facts["signatures"] == 1
    assert run("inspect", world.path("agreement.half.vls")).code in {0, 3}


def test_inspect_reads_a_forged_object_all_the_same(world: World) -> None:
    envelope = world.seal()
    raw = bytearray(envelope.read_bytes())
    raw[raw.index(b"Astana")] ^= 1
    envelope.write_bytes(raw)
    assert works("inspect", envelope, "--json").facts["read"]["stamp"]["legs"] == ["@stana → Minsk"]
    world.by.fails(4, "verify", envelope)


# -- verify ----------------------------------------------------------------------------------------------------------------


def test_verified_by_the_destination(world: World) -> None:
    facts = world.by.works("verify", world.seal(), "--json").facts
    assert facts["verdict"] == "verified"
    assert facts["verified"]["sealer"]["name"] == "Aigul Serik"
    assert {addressee["name"] for addressee in facts["verified"]["addressees"]} == {"Yanka Kupava", "Maryna Bor", "Alena Kish"}
    assert facts["unchecked"] == []


def test_verified_by_origin_and_stranger_alike(world: World) -> None:
    envelope = world.seal()
    everyone = (world.kz.works("verify", envelope, "--json"), world.by.works("verify", envelope, "--json"))
    stranger = works("verify", envelope, *world.strangers_trust, "--json")
    assert [done.facts["verified"] for done in everyone] == 2 * [stranger.facts["verified"]]


@pytest.mark.parametrize("missing", ["--root", "--roster", "--agreement"])
def test_stranger_needs_all_three(missing: str, world: World) -> None:
    trust = [option for option in world.strangers_trust if not str(option).startswith(missing + "=")]
    done = run("verify", world.seal(), *trust)
    assert done.code in {2, 6}
    assert missing in done.hint


@pytest.mark.parametrize("party", ["kz", "by"])
def test_stranger_needs_both_parties(party: str, world: World) -> None:
    office = getattr(world, party)
    trust = [option for option in world.strangers_trust if str(office.roster) not in str(option)]
    assert run("verify", world.seal(), *trust).code in {2, 4, 6}


def test_stranger_with_a_wrong_fingerprint(world: World) -> None:
    trust = [f"--root={64 * '0'}" if str(option) == f"--root={world.by.root}" else option for option in world.strangers_trust]
    fails(4, "verify", world.seal(), *trust)


def test_stranger_with_another_agreement(world: World, tmp_path: Path) -> None:
    other = found_world(tmp_path / "other")
    trust = [f"--agreement={other.agreement}" if str(option).startswith("--agreement") else option for option in world.strangers_trust]
    fails(4, "verify", world.seal(), *trust)


def test_office_and_trust_by_hand_exclude_each_other(world: World) -> None:
    world.by.fails(2, "verify", world.seal(), *world.strangers_trust)


def test_trust_by_hand_wins_over_the_environment(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VALIZA_HOME", str(world.path("nowhere")))
    works("verify", world.seal(), *world.strangers_trust)


def test_home_and_officer_from_the_environment(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    envelope = world.seal()
    monkeypatch.setenv("VALIZA_HOME", str(world.by.home))
    monkeypatch.setenv("VALIZA_AS", "maryna")
    facts = works("open", envelope, "-o", world.path("opened"), "--json").facts
    assert facts["verified"]["opened_by"]["name"] == "Maryna Bor"


def test_third_office_verifies_under_the_agreement_only(world: World, tmp_path: Path) -> None:
    third = tmp_path / "third"
    works("office", "init", third, "--party=XX", "--body=XX-MFA", "--degrees=1", "--unprotected")
    for office in (world.kz, world.by):
        works("roster", "import", office.roster, "--root", office.root, "--home", third)
    assert "adopt" in fails(6, "verify", world.seal(), "--home", third).hint


# -- pipes -----------------------------------------------------------------------------------------------------------------


def test_envelope_from_standard_input(world: World) -> None:
    raw = world.seal().read_bytes()
    assert works("inspect", "-", stdin=raw).out
    world.by.works("verify", "-", stdin=raw)
    world.by.works("open", "-", "-o", world.path("opened"), "--as=yanka", stdin=raw)
    assert (world.path("opened") / "map.txt").read_bytes() == world.carrier.read_bytes()
    world.by.works("acknowledge", "-", "-o", world.path("a.vls"), "--as=yanka", stdin=raw)


def test_statements_from_standard_input(world: World) -> None:
    envelope, answer, receipt = world.exchange()
    again = world.by.works("countersign", "-", "--envelope", envelope, "-o", world.path("r2.vls"), "--as=maryna", stdin=answer.read_bytes())
    assert again.out
    assert works("receipt", "show", "-", stdin=receipt.read_bytes()).out
    world.kz.works("receipt", "verify", "-", stdin=receipt.read_bytes())


def test_envelope_from_a_real_pipe(world: World) -> None:
    envelope = world.seal()
    done = program("verify", "-", "--home", world.by.home, "--json", stdin=envelope.read_bytes())
    assert (done.code, done.facts["verdict"]) == (0, "verified")


def test_envelope_from_a_named_pipe(world: World) -> None:
    envelope, fifo = world.seal(), world.path("fifo")
    os.mkfifo(fifo)
    writer = threading.Thread(target=fifo.write_bytes, args=(envelope.read_bytes(),))
    writer.start()
    done = program("open", fifo, "-o", world.path("opened"), "--as", "yanka", "--home", world.by.home)
    writer.join(60)
    assert done.code == 0, done.err
    assert (world.path("opened") / "map.txt").read_bytes() == world.carrier.read_bytes()


@pytest.mark.parametrize("stdin", [b"", b"x", b"\0" * 100])
def test_nothing_of_worth_on_standard_input(stdin: bytes, world: World) -> None:
    fails(3, "inspect", "-", stdin=stdin)
    world.by.fails(3, "verify", "-", stdin=stdin)


# -- open ------------------------------------------------------------------------------------------------------------------


def test_opened_folder_is_private(world: World) -> None:
    folder = world.open(world.seal())
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_opening_tells_mark_and_measures(world: World) -> None:
    facts = world.by.works("open", world.seal(), "-o", world.path("opened"), "--as=yanka", "--json").facts
    assert facts["envelope_mark"] == {"code": "3", "text": "Секретно"}
    assert "additional" in facts["measures"]["en"]
    assert facts["number"].endswith("/in/1")
    assert facts["opened_before"] is False


def test_opened_again_into_another_folder_under_the_same_number(world: World) -> None:
    envelope = world.seal()
    first = world.by.works("open", envelope, "-o", world.path("one"), "--as=yanka", "--json").facts
    second = world.by.works("open", envelope, "-o", world.path("two"), "--as=maryna", "--json").facts
    assert (second["number"], second["opened_before"]) == (first["number"], True)
    assert (world.path("two") / "map.txt").read_bytes() == world.carrier.read_bytes()


@pytest.mark.parametrize("kind", ["folder", "empty folder", "file", "dangling link"])
def test_existing_output_is_not_touched(kind: str, world: World) -> None:
    envelope, there = world.seal(), world.path("there")
    if kind == "file":
        there.write_bytes(b"mine")
    elif kind == "dangling link":
        there.symlink_to("nowhere")
    else:
        there.mkdir()
    if kind == "folder":
        (there / "mine").write_bytes(b"mine")
    before = listing(world.folder)
    world.by.fails(6, "open", envelope, "-o", there, "--as=yanka")
    assert listing(world.folder) == before
    assert world.by.works("register", "list", "--json").facts["envelopes"] == []


def test_output_is_never_the_input(world: World) -> None:
    envelope = world.seal()
    before = envelope.read_bytes()
    world.by.fails(6, "open", envelope, "-o", envelope, "--as=yanka")
    assert envelope.read_bytes() == before


def test_officer_who_is_no_addressee(world: World) -> None:
    done = world.by.fails(5, "open", world.seal(*TWO), "-o", world.path("opened"), "--as=alena")
    assert "rewrap" in done.hint
    assert not world.path("opened").exists()


def test_officer_must_be_named_where_several_could(world: World) -> None:
    done = world.by.fails(2, "open", world.seal(*TWO), "-o", world.path("opened"))
    assert "yanka" in done.error
    assert "alena" not in done.error
    assert "--as" in done.hint


def test_only_addressee_need_not_be_named(world: World) -> None:
    envelope = world.seal("--addressee=Alena Kish", "--single")
    facts = world.by.works("open", envelope, "-o", world.path("opened"), "--json").facts
    assert facts["verified"]["opened_by"]["name"] == "Alena Kish"


@pytest.mark.parametrize(("officer", "code"), [("dana", 5), ("nobody", 5), ("X Y", 2), ("../yanka", 2), ("", 2)])
def test_officer_who_is_none(officer: str, code: int, world: World) -> None:
    world.by.fails(code, "open", world.seal(), "-o", world.path("opened"), f"--as={officer}")


def test_origin_does_not_open_its_own(world: World) -> None:
    done = world.kz.fails(6, "open", world.seal(), "-o", world.path("opened"), "--as=aigul")
    assert "BY/BY-MFA" in done.error


def test_key_of_somebody_else_under_the_addressees_name(world: World) -> None:
    envelope = world.seal(*TWO)
    key = world.by.home / "keys" / "yanka" / "open.key"
    key.write_bytes((world.by.home / "keys" / "alena" / "open.key").read_bytes())
    assert world.by.run("open", envelope, "-o", world.path("opened"), "--as=yanka").code in {3, 4, 5}
    assert not world.path("opened").exists()


def test_officer_whose_credential_expired(world: World, travel: Callable[[int], None]) -> None:
    envelope = world.seal()
    travel(6 * 365 * 86400)
    assert "expired" in world.by.fails(6, "open", envelope, "-o", world.path("opened"), "--as=yanka").error


def test_sealed_in_the_future(world: World, travel: Callable[[int], None]) -> None:
    travel(3600)
    envelope = world.seal()
    travel(0)
    assert "future" in world.by.fails(6, "open", envelope, "-o", world.path("opened"), "--as=yanka").error


def test_second_sealing_under_one_identity_cannot_be_forged_by_renaming(world: World) -> None:
    """The same bytes under another name are the same envelope."""
    envelope = world.seal()
    other = world.path("renamed.vlz")
    other.write_bytes(envelope.read_bytes())
    world.open(envelope)
    assert world.by.works("open", other, "-o", world.path("two"), "--as=yanka", "--json").facts["opened_before"] is True


def test_what_others_left_beside_the_output_stays(world: World) -> None:
    mine = world.path(".valiza-notes")
    mine.mkdir()
    (mine / "text").write_bytes(b"mine")
    (world.path(".valiza-")).write_bytes(b"mine")
    world.open(world.seal())
    assert (mine / "text").read_bytes() == b"mine"
    assert world.path(".valiza-").exists()


def test_what_a_killed_command_left_is_removed_and_told(world: World) -> None:
    envelope = world.seal()
    left = world.path(".valiza-0123456789abcdef")
    left.mkdir(mode=0o700)
    (left / "map.txt").write_bytes(b"plaintext")
    done = world.by.works("open", envelope, "-o", world.path("opened"), "--as=yanka")
    assert left.name in done.err
    assert not left.exists()


@pytest.mark.slow
def test_killed_while_opening(world: World) -> None:
    """`kill -9` in the middle: nothing under the final name, nothing in the register; the next command clears up, and tells it."""
    world.carrier.write_bytes(os.urandom(64 << 20))
    envelope = world.seal()
    opening: list[str | Path] = [VALIZA, "open", envelope, "-o", world.path("opened"), "--as", "yanka", "--home", world.by.home]
    with subprocess.Popen(opening, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while not (left := list(world.folder.glob(".valiza-*"))):
            assert process.poll() is None
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert not world.path("opened").exists()
    assert world.by.works("register", "list", "--json").facts["envelopes"] == []
    done = world.by.works("open", envelope, "-o", world.path("opened"), "--as=yanka")
    assert left[0].name in done.err
    assert not left[0].exists()
    assert (world.path("opened") / "map.txt").read_bytes() == world.carrier.read_bytes()


# -- rewrap ----------------------------------------------------------------------------------------------------------------


def _passed_on(world: World, *extra: str) -> tuple[Path, Path]:
    envelope, stanza = world.seal(*TWO, *extra), world.path("passed.vls")
    facts = world.by.works("rewrap", envelope, "--to-officer=alena", "-o", stanza, "--as=yanka", "--json").facts
    assert (facts["from"]["name"], facts["to"]["name"]) == ("Yanka Kupava", "Alena Kish")
    return envelope, stanza


def test_passed_on_to_its_legal_end(world: World) -> None:
    envelope, stanza = _passed_on(world)
    before = envelope.read_bytes()
    world.open(envelope, "--rewrap", stanza, officer="alena")
    assert envelope.read_bytes() == before
    facts = world.by.works("acknowledge", envelope, "-o", world.path("a.vls"), "--json").facts
    assert (facts["verified"]["answered_by"]["name"], facts["verified"]["passed_on"]) == ("Alena Kish", True)
    receipt = world.countersign(world.path("a.vls"), envelope)
    assert world.kz.works("receipt", "verify", receipt, "--json").facts["verdict"] == "delivered"


def test_passed_on_without_saying_who_opens(world: World) -> None:
    envelope, stanza = _passed_on(world)
    done = world.by.fails(2, "open", envelope, "--rewrap", stanza, "-o", world.path("opened"))
    assert "alena" in done.error


def test_stanza_of_another_envelope(world: World) -> None:
    _, stanza = _passed_on(world)
    other = world.seal(*TWO, name="other.vlz")
    world.by.fails(4, "open", other, "--rewrap", stanza, "-o", world.path("opened"), "--as=alena")


def test_who_is_no_addressee_passes_nothing_on(world: World) -> None:
    envelope = world.seal(*TWO)
    world.by.fails(5, "rewrap", envelope, "--to-officer=yanka", "-o", world.path("r.vls"), "--as=alena")
    assert not world.path("r.vls").exists()


def test_nobody_passes_on_what_was_passed_on_to_him(world: World) -> None:
    envelope, _ = _passed_on(world)
    world.by.works("credential", "issue", "ryhor:open:3:Ryhor", "--unprotected")
    world.by.works("roster", "publish", "-o", world.path("BY-2.vls"))
    world.by.fails(5, "rewrap", envelope, "--to-officer=ryhor", "-o", world.path("r.vls"), "--as=alena")


def test_passed_on_only_to_who_is_cleared(world: World) -> None:
    envelope = world.seal(*TWO, "--mark=2")
    done = world.by.fails(6, "rewrap", envelope, "--to-officer=alena", "-o", world.path("r.vls"), "--as=yanka")
    assert "Alena Kish" in done.error


@pytest.mark.parametrize(("officer", "code"), [("dana", 5), ("nobody", 5), ("X Y", 2)])
def test_passed_on_to_nobody(officer: str, code: int, world: World) -> None:
    world.by.fails(code, "rewrap", world.seal(*TWO), f"--to-officer={officer}", "-o", world.path("r.vls"), "--as=yanka")


def test_addressee_without_acknowledge_key_passes_nothing_on(world: World) -> None:
    world.by.fails(5, "rewrap", world.seal(*TWO), "--to-officer=alena", "-o", world.path("r.vls"), "--as=maryna")


def test_stanza_does_not_change_who_may_open(world: World) -> None:
    envelope, stanza = _passed_on(world)
    world.by.fails(5, "open", envelope, "-o", world.path("opened"), "--as=alena")
    world.open(envelope, "--rewrap", stanza, officer="maryna")


def test_existing_stanza_is_not_overwritten(world: World) -> None:
    envelope, stanza = _passed_on(world)
    before = stanza.read_bytes()
    world.by.fails(6, "rewrap", envelope, "--to-officer=alena", "-o", stanza, "--as=yanka")
    assert stanza.read_bytes() == before


# -- results ---------------------------------------------------------------------------------------------------------------


def test_json_is_alone_on_standard_output(world: World) -> None:
    envelope = world.seal()
    done = program("open", envelope, "-o", world.path("opened"), "--as", "yanka", "--home", world.by.home, "--json")
    assert json.loads(done.out)["verdict"] == "opened"
    assert done.out.isascii()


# -- a closed stamp --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, Path]:
    """Offices under an agreement with closed stamps, and an envelope."""
    base = tmp_path_factory.mktemp("closed")
    draft = (
        Path(__file__)
        .with_name("short.toml")
        .read_text(encoding="utf-8")
        .replace("version = 1\n", 'version = 1\nstamp = "closed"\npadding = "padme"\n', 1)
    )
    (base / "draft.toml").write_text(draft, encoding="utf-8")
    world = found_world(base / "world", base / "draft.toml")
    return world, world.seal("--agreement=short", "--leg=Minsk:Brest")


def test_closed_stamp_shows_neither_marks_nor_route(closed: tuple[World, Path]) -> None:
    world, envelope = closed
    stamp = works("inspect", envelope, "--json").facts["read"]["stamp"]
    assert set(stamp) == {"channel", "package", "receipt_due", "closed"}
    assert stamp["closed"] is True
    raw = envelope.read_bytes()
    assert [word for word in (b"Astana", b"Brest", b"air", b"KZ:3") if word in raw] == []
    facts = world.by.works("verify", envelope, "--json").facts
    assert facts["unchecked"] == ["marks", "transport", "escort", "legs", "reference", "clearances"]


def test_closed_stamp_is_opened_and_brought_to_its_end(closed: tuple[World, Path], tmp_path: Path) -> None:
    world = closed[0].copy(tmp_path / "world")
    envelope = world.path(closed[1].name)
    found = world.by.works("open", envelope, "-o", world.path("opened"), "--as=yanka", "--json").facts
    assert found["verified"]["legs"] == ["Astana → Minsk", "Minsk → Brest"]
    assert found["envelope_mark"]["text"] == "Секретно"
    answer = world.acknowledge(envelope)
    assert len(world.by.works("acknowledge", envelope, "-o", world.path("again"), "--as=yanka", "--json").facts["verified"]["marks_put_on"]) == 64
    receipt = world.countersign(answer, envelope)
    assert world.kz.works("receipt", "verify", receipt, "--json").facts["verdict"] == "delivered"
