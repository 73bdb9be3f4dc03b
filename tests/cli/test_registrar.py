"""Keys of purpose `register`: asked for, certified, renewed, looked at, shared out; and no statement is signed with one."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest
from tests.support.cli import Office, World, fails, works

from valiza.keys.keyfile import load_key, public_part
from valiza.keys.log_key import LogSigningKey

if TYPE_CHECKING:
    from pathlib import Path

KIND = "MLDSA44-Ed25519-log"


def ask(office: Office, keys: str) -> dict[str, Any]:
    found: dict[str, Any] = office.works("credential", "request", keys, "--unprotected", "-o", request_of(office), "--json").facts
    return found


def request_of(office: Office) -> Path:
    return office.home.parent / "request.vls"


def publish(world: World) -> None:
    world.kz.works("roster", "publish", "-o", world.path(f"{len(list(world.folder.iterdir()))}.vls"))


def enrol(world: World) -> list[str]:
    """Issue what was asked for, accept it and publish; returns its purposes."""
    out = world.path(f"issued-{len(list(world.folder.iterdir()))}")
    made = world.kz.works("credential", "issue", "--request", request_of(world.kz), "--clearance=1", "-o", out, "--json").facts
    world.kz.works("credential", "accept", *made["files"].values())
    publish(world)
    request_of(world.kz).unlink()
    return [one["purpose"] for one in made["issued"]]


def certified(world: World) -> list[dict[str, Any]]:
    """The credentials for registers that are trusted at the origin."""
    found = world.kz.works("credential", "list", "--purpose=register", "--json").facts
    return [one for party in found.values() for one in party]


@pytest.fixture
def key(world: World) -> Path:
    """That of Sanzhar, who signs for the register of KZ-MFA."""
    return world.kz.home / "keys" / "sanzhar" / "register.key"


# -- coming to one --------------------------------------------------------------------------------------------------------


def test_an_office_shows_who_signs_for_its_register(world: World) -> None:
    assert world.kz.works("office", "show", "--json").facts["officers"]["sanzhar"] == ["register", "act"]
    assert {one["body"] for one in certified(world)} == {"KZ/KZ-MFA", "BY/BY-MFA"}
    shown = world.kz.works("key", "show", "--json").facts["keys"]
    assert {"register"} == {one["purpose"] for one in shown if one["officer"] == "sanzhar"} - {"act"}


def test_a_key_is_asked_for_with_one_to_act_and_certified(world: World) -> None:
    asked = ask(world.kz, "daria:act,register")
    assert sorted(asked["keys"]) == ["act", "register"]
    assert sorted(enrol(world)) == ["act", "register"]
    again = ask(world.kz, "daria:register")
    assert list(again["keys"]) == ["register"]
    assert enrol(world) == ["register"]
    assert isinstance(load_key(world.kz.home / "keys" / "daria" / "register-2.key", lambda: ""), LogSigningKey)


def test_alone_it_is_asked_for_by_nobody_whom_no_key_to_act_vouches_for(world: World) -> None:
    out: list[str | Path] = ["--unprotected", "-o", request_of(world.kz)]
    assert "act" in world.kz.fails(2, "credential", "request", "daria:register", *out).hint
    assert "act" in world.kz.fails(2, "credential", "request", "aigul:register", *out).hint
    ask(world.kz, "aigul:register,seal")
    issue: list[str | Path] = ["credential", "issue", "--request", request_of(world.kz), "--clearance=1", "-o", world.path("issued")]
    assert "no earlier act key" in world.kz.fails(6, *issue).error


def test_it_is_certified_and_renewed_in_the_office(world: World) -> None:
    world.kz.works("credential", "issue", "daria:register", "--unprotected")
    publish(world)
    first = world.kz.home / "keys" / "daria" / "register.key"
    renewed = world.kz.works("credential", "renew", "daria:register", "--unprotected", "--json").facts
    assert [one["purpose"] for one in renewed["renewed"]] == ["register"]
    second = first.with_name("register-2.key")
    assert len(public_part(second).public) == 1344
    assert public_part(second).public != public_part(first).public
    publish(world)
    assert world.kz.works("key", "check", "--as=daria", "--json").facts["checked"]


def test_a_root_certifies_none(world: World) -> None:
    world.kz.fails(2, "credential", "request", "office:register", "--unprotected", "-o", request_of(world.kz))


def test_no_program_keeps_half_of_it(world: World, tmp_path: Path) -> None:
    signers = tmp_path / "signers.toml"
    signers.write_text('[[key]]\nofficer = "a"\npurpose = "register"\nreference = "one"\ncommand = ["/bin/false"]\n', encoding="utf-8")
    init: list[str | Path] = [
        "office",
        "init",
        tmp_path / "new",
        "--party=KZ",
        "--body=KZ-MFA",
        "--degrees=1,2,3",
        "--officer=a:act,register:1",
        "--unprotected",
    ]
    done = fails(2, *init, "--external", signers)
    assert "the key of a register is all in its file" in done.error
    assert not (tmp_path / "new").exists()
    done = world.kz.fails(2, "credential", "issue", "a:register", "--external", signers, "--unprotected")
    assert "the key of a register is all in its file" in done.error


# -- keeping it -----------------------------------------------------------------------------------------------------------


def test_it_is_shared_out_and_recovered_as_what_it_is(key: Path, tmp_path: Path) -> None:
    made = works("key", "backup", key, "--shares=3", "--threshold=2", "-o", tmp_path / "sheets", "--json").facts
    assert made["kind"] == KIND
    sheets = sorted((tmp_path / "sheets").iterdir())
    assert f"Kind            {KIND}\n" in sheets[0].read_text(encoding="utf-8")
    done = works("key", "recover", *sheets[1:], "-o", tmp_path / "again.key", "--unprotected", "--json").facts
    assert (done["kind"], done["key_digest"]) == (KIND, made["key_digest"])
    assert load_key(tmp_path / "again.key", lambda: "").seed == load_key(key, lambda: "").seed
    assert public_part(tmp_path / "again.key") == public_part(key)


def test_its_passphrase_is_changed_like_any_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VALIZA_NEW_PASSPHRASE", "correct horse")
    world.kz.works("key", "passphrase", "--as=sanzhar", "--unlock-seconds=0")
    monkeypatch.setenv("VALIZA_PASSPHRASE", "wrong horse")
    world.kz.fails(5, "key", "check", "--as=sanzhar")
    monkeypatch.setenv("VALIZA_PASSPHRASE", "correct horse")
    world.kz.works("key", "check", "--as=sanzhar")


def test_the_doctor_finds_another_one_in_its_place(world: World, key: Path) -> None:
    def told() -> list[str]:
        return [one["what"] for one in world.kz.run("doctor", "--json").facts["findings"] if one["check"] == "keys" and one["level"] == "problem"]

    assert told() == []
    for other in (world.by.home / "keys" / "mikola" / "register.key", key.with_name("act.key")):
        shutil.copy(other, key)
        assert told() == ["it is not the key that is certified for 'sanzhar'", "the register key of 'sanzhar' is not here"]
    key.unlink()
    assert told() == ["the register key of 'sanzhar' is not here"]


# -- what it does not sign ------------------------------------------------------------------------------------------------


def test_nothing_is_signed_with_it_by_its_file(world: World, key: Path) -> None:
    done = fails(5, "agreement", "sign", "kz-by", "--root", world.kz.roster, "--key", key, "-o", world.path("x"))
    assert done.error == "a register's key signs no statement"
    assert not world.path("x").exists()


def test_a_registrar_does_no_other_officer_s_work(world: World) -> None:
    assert "no seal credential" in world.kz.fails(5, *world.order(), "-o", world.path("x.vlz"), "--as=sanzhar").error
    envelope = world.seal()
    assert "no open credential" in world.by.fails(5, "open", envelope, "-o", world.path("x"), "--as=mikola").error


def test_it_is_revoked_like_any_other(world: World) -> None:
    (mine,) = [one for one in certified(world) if one["body"] == "KZ/KZ-MFA"]
    world.kz.works("revocation", "make", "sanzhar:register", "--kind=compromised", "--reason=stolen", "--yes")
    publish(world)
    (told,) = world.kz.works("revocation", "list", "--json").facts["revocations"]
    assert (told["kind"], told["credential"]) == ("compromised", mine["credential"])
    credential = world.kz.home / "credentials" / "sanzhar" / "register.vls"
    assert not world.kz.run("credential", "verify", credential, "--json").facts["in_force_now"]
