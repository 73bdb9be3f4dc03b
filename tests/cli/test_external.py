"""Keys with an external half at the command line: an exchange as any other, and whatever the program does, one error and nothing left."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from tests.support.cli import VALIZA, Office, World, assert_failed, fails, listing, works
from tests.support.custodians import Custodians
from tests.support.signer import public_of
from tests.support.signers import SCRIPT, command, toml

from valiza.keys.keyfile import public_part

if TYPE_CHECKING:
    from collections.abc import Iterator

LOG: Final = "signer.log"  # in the current folder, which is the world's
SIGNER: Final = command("--log", LOG)


@pytest.fixture(scope="module")
def enrolled(founded: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    """The same offices, and at the origin a second sealer, whose key has an external half."""
    world = founded.copy(tmp_path_factory.mktemp("enrolled") / "world")
    signers = world.path("signers.toml")
    signers.write_text(toml(("daria", "seal", SIGNER)), encoding="utf-8")
    with contextlib.chdir(world.folder):
        world.kz.works("credential", "issue", "daria:seal:1:Daria Kim", "--external", signers, "--unprotected")
        world.kz.works("roster", "publish", "-o", world.path("KZ-2.vls"))
        world.by.works("roster", "import", world.path("KZ-2.vls"))
    world.path(LOG).unlink()
    return world


@pytest.fixture
def world(enrolled: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The offices, this test's own. No signer is left when it is done."""
    own = enrolled.copy(tmp_path / "world")
    monkeypatch.chdir(own.folder)
    monkeypatch.delenv("SIGNER_MISCHIEF", raising=False)
    yield own
    assert _signers_left(own) == []


def _signers_left(world: World) -> list[bytes]:
    """Command lines of the signers that still run here."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (path / "cmdline").read_bytes()
            if os.fsencode(SCRIPT) in words and (path / "cwd").resolve() == world.folder.resolve():
                found.append(words)
    return found


def _asked(world: World) -> list[str]:
    """What the signer was asked."""
    return [line.split()[0] for line in world.path(LOG).read_text().splitlines()] if world.path(LOG).exists() else []


def _order(world: World, *extra: str | Path) -> list[str | Path]:
    return [*world.order(*extra), "--as=daria"]


# -- an exchange -----------------------------------------------------------------------------------------------------------


def test_sealed_with_an_external_half_it_goes_to_its_end(world: World) -> None:
    envelope = world.path("envelope.vlz")
    sealed = world.kz.works(*_order(world, "-o", envelope), "--json").facts
    assert sealed["sealer"]["name"] == "Daria Kim"
    world.by.works("verify", envelope)
    opened = world.open(envelope)
    assert [path.read_bytes() for path in opened.iterdir()] == [world.carrier.read_bytes()]
    receipt = world.countersign(world.acknowledge(envelope), envelope)
    assert world.kz.works("receipt", "verify", receipt, "--json").facts["verdict"] == "delivered"


def test_of_many_envelopes_each_is_signed_and_the_program_is_started_once(world: World) -> None:
    files = [world.path(f"{number}.txt") for number in range(5)]
    for path in files:
        path.write_text(path.name)
    world.kz.works(*[*world.order(files=files), "--as=daria", "--each", "-o", world.path("sealed")])
    assert _asked(world) == ["hello", "public", *["sign"] * 5]
    world.by.works("verify", *sorted(world.path("sealed").iterdir()))


def test_of_many_envelopes_none_is_signed_after_the_first_failure(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch must not try a wrong PIN until the token locks itself."""
    files = [world.path(f"{number}.txt") for number in range(3)]
    for path in files:
        path.write_text(path.name)
    monkeypatch.setenv("SIGNER_MISCHIEF", "wrong-pin")
    done = world.kz.run(*[*world.order(files=files), "--as=daria", "--each", "-o", world.path("sealed")])
    assert done.code == 5
    assert done.err.count("cannot unlock the key: CKR_PIN_INCORRECT") == 3
    assert _asked(world) == ["hello", "public"]


# -- what goes wrong -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mischief", "code", "words"),
    [
        ("signs-with-another-key", 4, "gave a signature that does not verify"),
        ("signs-something-else", 4, "gave a signature that does not verify"),
        ("zeros", 4, "gave a signature that does not verify"),
        ("no-such-key", 5, "knows no such key: there is none"),
        ("wrong-pin", 5, r"cannot unlock the key: CKR_PIN_INCORRECT \u{202E}"),
        ("says-no", 6, "refuses: the person pressed cancel"),
        ("not-there", 7, "cannot reach the key: plug it in"),
        ("crashes-at-once", 7, "(status 1); it told: RuntimeError: no card in the reader"),
        ("crashes-at-sign", 7, "(status 1); it told: RuntimeError: no card in the reader"),
        ("killed-at-sign", 7, "(signal 9)"),
        ("chatty", 7, "does not keep to the protocol"),
        ("long-line", 7, "does not keep to the protocol"),
        ("two-replies", 7, "does not keep to the protocol"),
        ("floods-output", 7, "does not keep to the protocol"),
        ("floods-errors", 7, "does not keep to the protocol"),
        ("capitals", 7, "does not keep to the protocol"),
    ],
)
def test_a_signer_that_fails_leaves_one_error_and_no_envelope(
    world: World, mischief: str, code: int, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGNER_MISCHIEF", mischief)
    registered = world.kz.works("register", "list", "--json").facts
    before = listing(world.folder)
    done = world.kz.fails(code, *_order(world, "-o", world.path("envelope.vlz")))
    assert words in done.error
    assert set(listing(world.folder)) - set(before) <= {str(world.path(LOG))}
    assert world.kz.works("register", "list", "--json").facts == registered
    monkeypatch.delenv("SIGNER_MISCHIEF")
    world.kz.works(*_order(world, "-o", world.path("envelope.vlz")))


def test_a_signer_that_is_gone(world: World) -> None:
    path = world.kz.home / "keys" / "daria" / "seal.key"
    raw = path.read_bytes()
    assert os.fsencode(SCRIPT) in raw
    path.write_bytes(raw.replace(os.fsencode(SCRIPT), b"/" + b"x" * (len(os.fsencode(SCRIPT)) - 1)))  # without a passphrase nothing protects it
    done = world.kz.fails(7, *_order(world, "-o", world.path("envelope.vlz")))
    assert "ended without a reply (status 2)" in done.error


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_who_is_interrupted_while_the_signer_hangs_ends_at_once_and_it_too(world: World, number: signal.Signals) -> None:
    before = listing(world.folder)
    words = [VALIZA, *_order(world, "-o", world.path("envelope.vlz")), "--home", world.kz.home]
    environment = {**os.environ, "SIGNER_MISCHIEF": "hangs-at-sign"}
    process = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for _ in range(600):
        if "sign" in _asked(world):
            break
        time.sleep(0.05)
    assert "sign" in _asked(world)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err.strip()) == (130, "", "valiza: error: interrupted")
    assert set(listing(world.folder)) - set(before) == {str(world.path(LOG))}


@pytest.mark.slow
def test_the_passphrase_of_the_key_file_is_not_handed_on(world: World) -> None:
    """Neither in the environment nor by the descriptor that it came from; another descriptor is, for a PIN."""
    world.kz.works("key", "passphrase", "--as=daria", "--new-passphrase-fd", str(_pipe(b"secret\n")))
    found, curious = world.path("found"), world.path("curious.py")
    curious.write_text(
        f"import os, runpy, sys\nopen({str(found)!r}, 'w').write(repr(('VALIZA_PASSPHRASE' in os.environ, "
        "[d for d in map(int, os.listdir('/proc/self/fd')) if d > 2 and os.path.exists(f'/proc/self/fd/{d}')])))\n"
        "sys.argv = sys.argv[1:]\nrunpy.run_path(sys.argv[0], run_name='__main__')\n"
    )
    world.path("moved.toml").write_text(toml(("daria", "seal", (SIGNER[0], str(curious), *SIGNER[2:]))))
    world.kz.works("key", "external", world.path("moved.toml"), "--passphrase-fd", str(_pipe(b"secret\n")))
    passphrase, pin = world.path("passphrase"), world.path("pin")
    passphrase.write_text("secret\n")
    pin.write_text("1234\n")
    with passphrase.open() as secret, pin.open() as handed:
        fds = [secret.fileno(), handed.fileno()]
        line: list[str | Path] = [VALIZA, "key", "check", "--as=daria", "--home", world.kz.home, "--passphrase-fd", str(fds[0])]
        done = subprocess.run(line, pass_fds=fds, env={**os.environ, "VALIZA_PASSPHRASE": "other"}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    in_environment, descriptors = eval(found.read_text())  # noqa: S307 - what our own script wrote
    assert not in_environment
    assert fds[0] not in descriptors
    assert fds[1] in descriptors


def _pipe(data: bytes) -> int:
    """A descriptor from which some bytes can be read once."""
    reading, writing = os.pipe()
    os.write(writing, data)
    os.close(writing)
    return reading


# -- show, check, external, doctor -----------------------------------------------------------------------------------------


def test_keys_are_shown_without_a_passphrase_and_nothing_is_started(world: World) -> None:
    world.kz.works("key", "passphrase", "--as=daria", "--new-passphrase-fd", str(_pipe(b"secret\n")))
    shown = {(key["officer"], key["purpose"]): key for key in world.kz.works("key", "show", "--json").facts["keys"]}
    signer = {"reference": "any", "command": list(SIGNER)}
    assert shown["daria", "seal"] == {"officer": "daria", "purpose": "seal", "signer": signer, "protected": True}
    assert shown["aigul", "seal"] == {"officer": "aigul", "purpose": "seal", "signer": None, "protected": False}
    assert f"  seal: passphrase; Ed25519 half kept by {' '.join(SIGNER)}, as any\n" in world.kz.works("key", "show").out
    assert _asked(world) == []


def test_check(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    done = world.kz.works("key", "check", "--json").facts["checked"]
    assert [(key["officer"], key["purpose"]) for key in done if key["signer"]] == [("daria", "seal")]
    assert "seal: unlocked, signs; Ed25519 half kept by" in world.kz.works("key", "check", "--as=daria").out
    monkeypatch.setenv("SIGNER_MISCHIEF", "not-there")
    assert world.kz.works("key", "check", "--as=aigul").out.count("unlocked") == 2
    assert world.kz.fails(7, "key", "check").error.startswith("seal key of 'daria': the external signer ")
    assert "there is no key of 'nobody'" in world.kz.fails(5, "key", "check", "--as=nobody").error


def test_a_half_that_moved(world: World) -> None:
    there = world.path("there.toml")
    there.write_text(toml(("daria", "seal", command("--key", "two"))))
    assert "keeps another key" in world.kz.fails(5, "key", "external", there).error
    there.write_text(toml(("daria", "seal", command("--log", world.path("other.log")))))
    done = world.kz.works("key", "external", there, "--json").facts
    assert [(key["officer"], key["purpose"], key["signer"]["command"]) for key in done["changed"]] == [
        ("daria", "seal", list(command("--log", world.path("other.log"))))
    ]
    envelope = world.path("envelope.vlz")
    world.kz.works(*_order(world, "-o", envelope))
    world.by.works("verify", envelope)
    assert "sign" in world.path("other.log").read_text()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", 3),
        ('[[key]]\nofficer = "daria"\n', 3),
        (toml(("daria", "seal", ("/nowhere/signer",))), 2),
        (toml(("aigul", "seal", command())), 6),
        (toml(("nobody", "seal", command())), 5),
    ],
)
def test_what_does_not_move_a_half(world: World, text: str, code: int) -> None:
    path = world.path("there.toml")
    path.write_text(text)
    before = (world.kz.home / "keys" / "daria" / "seal.key").read_bytes()
    world.kz.fails(code, "key", "external", path)
    world.kz.fails(7, "key", "external", world.path("nowhere.toml"))
    assert (world.kz.home / "keys" / "daria" / "seal.key").read_bytes() == before


def test_the_doctor_looks_whether_the_program_is_there_and_starts_nothing(world: World) -> None:
    told = [f for f in world.kz.run("doctor", "--json").facts["findings"] if f["check"] == "signers"]
    assert [(f["level"], f["where"]) for f in told] == [("ok", str(world.kz.home / "keys" / "daria" / "seal.key"))]
    assert told[0]["what"] == f"a half of the seal key of 'daria' is kept by {command()[0]}, as any"
    assert told[0]["mend"].startswith("valiza key check --as daria")
    assert not world.path(LOG).exists()
    gone = world.path("bridge")
    gone.write_text(f'#!/bin/sh\nexec {shlex.join(SIGNER)} "$@"\n')
    gone.chmod(0o755)
    world.path("there.toml").write_text(toml(("daria", "seal", (str(gone),))))
    world.kz.works("key", "external", world.path("there.toml"))
    gone.unlink()
    done = world.kz.run("doctor", "--json")
    assert done.code == 6
    told = [f for f in done.facts["findings"] if f["check"] == "signers"]
    assert [(f["level"], f["what"]) for f in told] == [("problem", f"a half of the seal key of 'daria' is kept by {gone}, which is not there")]


def test_an_office_without_external_signers_has_nothing_to_look_for(world: World) -> None:
    told = [f for f in world.by.run("doctor", "--json").facts["findings"] if f["check"] == "signers"]
    assert [(f["level"], f["what"]) for f in told] == [("ok", "every key is whole in its file")]


# -- making keys -----------------------------------------------------------------------------------------------------------


def test_an_office_is_founded_with_external_halves(tmp_path: Path) -> None:
    home, signers = tmp_path / "office", tmp_path / "signers.toml"
    keys = [("office", purpose, command("--key", purpose)) for purpose in ("root", "certify", "roster")]
    signers.write_text(toml(*keys, ("aigul", "seal", command("--key", "aigul"))))
    init: list[str | Path] = ["office", "init", home, "--party=KZ", "--body=KZ-MFA", "--degrees=1,2,3", "--external", signers, "--unprotected"]
    assert "no such signing key is made" in fails(2, *init).error
    assert not home.exists()
    works(*init, "--officer=aigul:seal,open:1")
    office = Office(home=home, party="KZ", roster=tmp_path / "KZ.vls")
    assert len([key for key in office.works("key", "check", "--json").facts["checked"] if key["signer"]]) == 4
    assert public_part(home / "keys" / "office" / "root.key").public[-32:] == public_of("root")
    office.works("roster", "publish", "-o", office.roster)


@pytest.mark.parametrize(("mischief", "code"), [("zeros", 4), ("low-order-key", 3), ("wrong-pin", 5), ("says-no", 6), ("leaves-at-once", 7)])
def test_a_signer_that_cannot_sign_is_not_enrolled(world: World, mischief: str, code: int) -> None:
    signers = world.path("more.toml")
    signers.write_text(toml(("erlan", "seal", command(mischief, "--log", world.path(LOG)))))
    done = world.kz.run("credential", "issue", "erlan:seal:1", "--external", signers, "--unprotected")
    assert_failed(done, code)
    assert not (world.kz.home / "keys" / "erlan").exists()
    assert not (world.kz.home / "credentials" / "erlan").exists()


# -- custodians ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def people(tmp_path: Path) -> Custodians:
    """Two custodians; the first one's key has an external half."""
    signers = tmp_path / "signers.toml"
    signers.write_text(toml(("aliya", "custodian", command("--key", "aliya"))))
    works("custodian", "new", "--party=KZ", "--name=en=Aliya", "--unprotected", "-o", tmp_path / "aliya", "--external", signers)
    works("custodian", "new", "--party=KZ", "--name=en=Bolat", "--unprotected", "-o", tmp_path / "bolat")
    return Custodians(tmp_path)


def test_a_root_is_signed_by_a_custodian_with_an_external_half(people: Custodians) -> None:
    assert public_part(people.key("aliya")).public[-32:] == public_of("aliya")
    words = ["--party=KZ", "--name=en=KZ", "--degrees=1", "--threshold=2", *people.asking("aliya", "bolat")]
    works("root", "draft", *words, "--key", people.key("bolat"), "-o", people.path("r1"))
    assert works("custodian", "sign", people.path("r1"), "--key", people.key("aliya"), "-o", people.path("r2"), "--json").facts["complete"]
    works("root", "draft", *words, "--key", people.key("aliya"), "-o", people.path("r3"))
    assert _signers_left(World(people.folder)) == []


def test_a_custodian_whose_signer_fails_signs_nothing(people: Custodians, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["--party=KZ", "--name=en=KZ", "--degrees=1", "--threshold=2", *people.asking("aliya", "bolat")]
    for mischief, code in (("zeros", 4), ("wrong-pin", 5), ("leaves-at-once", 7)):
        monkeypatch.setenv("SIGNER_MISCHIEF", mischief)
        fails(code, "root", "draft", *words, "--key", people.key("aliya"), "-o", people.path("r1"))
        fails(code, "key", "check", "--key", people.key("aliya"))
    assert not people.path("r1").exists()


def test_a_custodian_s_half_is_checked_and_moved(people: Custodians) -> None:
    facts = works("key", "check", "--key", people.key("aliya"), "--json").facts
    assert [(key["officer"], key["purpose"], bool(key["signer"])) for key in facts["checked"]] == [("aliya", "custodian", True)]
    there = people.path("there.toml")
    there.write_text(toml(("aliya", "custodian", command("--key", "aliya", "--log", people.path("there.log")))))
    works("key", "external", there, "--key", people.key("aliya"))
    works("key", "check", "--key", people.key("aliya"))
    assert people.path("there.log").exists()
    there.write_text(toml(("bolat", "custodian", command())))
    assert "there is no custodian key of 'bolat' here" in fails(5, "key", "external", there, "--key", people.key("aliya")).error
    assert "no program keeps a half of it" in fails(6, "key", "external", there, "--key", people.key("bolat")).error
    fails(2, "key", "check", "--key", people.key("aliya"), "--as=aliya")


@pytest.mark.parametrize("key", [("bolat", "custodian"), ("aliya", "root"), ("aliya", "seal")])
def test_a_list_for_another_key_makes_no_custodian(tmp_path: Path, key: tuple[str, str]) -> None:
    signers = tmp_path / "signers.toml"
    signers.write_text(toml((*key, command())))
    done = fails(2, "custodian", "new", "--party=KZ", "--name=en=Aliya", "--unprotected", "-o", tmp_path / "aliya", "--external", signers)
    assert "no such signing key is made" in done.error
    assert not (tmp_path / "aliya").exists()
