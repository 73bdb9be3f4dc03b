"""Offices of which some keys have a half elsewhere: founded, certified, used, checked, moved; and what is refused leaves nothing."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Final

import pytest
from tests.office.conftest import founding
from tests.support.keys import BEGIN, DAY, YEAR, counting
from tests.support.signer import public_of
from tests.support.signers import command, signer, toml

from valiza.keys import labels
from valiza.keys.conversation import read_question
from valiza.keys.errors import Malformed, NoKey, NotAuthentic, Refused, Unavailable, Usage, ValizaError
from valiza.keys.external import ExternalSigner, ExternalSigningKey
from valiza.keys.keyfile import load_key, public_part
from valiza.keys.signing import SigningKey, composite_type
from valiza.office.founding import NewOfficer, certify_officer, found_office
from valiza.office.home import Office
from valiza.office.keyring import change_passphrase, check_keys, keys_of, move_signers, office_keys, read_signers
from valiza.office.publishing import publish_roster

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from valiza.keys.credential import Credential

NEW: Final = NewOfficer(name="daria", names={"en": "Daria"}, purposes=("seal", "open"), clearance="2")
SEAL: Final = ("daria", "seal")


def certify(office: Office, signers: Mapping[tuple[str, str], ExternalSigner], officer: NewOfficer = NEW) -> list[Credential]:
    random = counting(officer.name)
    return certify_officer(office, officer, at=BEGIN + DAY, validity=YEAR, random=random, passphrase=None, signers=signers)


def asked(log: Path) -> list[str]:
    """What the signer was asked, in words; of what it signed, the type."""
    questions = [read_question(line) for line in log.read_bytes().splitlines(keepends=True)]
    return [composite_type(question.message) if question.verb == "sign" else question.verb for question in questions]


def move(office: Office, signers: Mapping[tuple[str, str], ExternalSigner], passphrase: Callable[[], str]) -> None:
    move_signers(office_keys(office.home), signers, passphrase, folder=office.home / "keys", random=counting("other"))


def files_of(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# -- certified -------------------------------------------------------------------------------------------------------------


def test_an_officer_with_an_external_half_is_certified_and_signs(kz: Office, tmp_path: Path) -> None:
    log = tmp_path / "log"
    seal, _ = certify(kz, {SEAL: signer("--log", log)})
    assert seal.key.raw[-32:] == public_of("one")
    assert asked(log) == ["hello", "public", labels.SIGNER_TRIAL]
    publish_roster(kz, at=BEGIN + DAY, validity=YEAR)
    with closing(kz):
        key = kz.signing_key(*SEAL)
        seal.verify_key.verify(key.sign(b"message", b"context"), b"message", b"context")
    assert asked(log)[3:] == ["hello", "public", "context"]
    assert isinstance(key, ExternalSigningKey)
    held = b"".join(files_of(kz.home / "keys").values())
    assert key.seed in held


def test_only_the_keys_that_are_named_have_a_half_elsewhere(kz: Office) -> None:
    certify(kz, {SEAL: signer()}, NewOfficer(name="daria", names={"en": "D"}, purposes=("seal", "acknowledge", "open"), clearance="2"))
    found = {path.stem: public_part(path).signer for path in (kz.home / "keys" / "daria").iterdir()}
    assert found == {"seal": signer(), "acknowledge": None, "open": None}


@pytest.mark.parametrize("wanted", [("daria", "open"), ("daria", "seel"), ("dariya", "seal"), ("daria", "acknowledge"), ("office", "certify")])
def test_a_signer_for_a_key_that_is_not_made_is_a_slip_of_the_pen(kz: Office, wanted: tuple[str, str]) -> None:
    before = files_of(kz.home)
    with pytest.raises(Usage, match="no such signing key is made"):
        certify(kz, {wanted: signer()})
    assert files_of(kz.home) == before


@pytest.mark.parametrize(
    ("mischief", "family"),
    [
        ("signs-with-another-key", NotAuthentic),
        ("low-order-key", Malformed),
        ("wrong-pin", NoKey),
        ("says-no", Refused),
        ("leaves-at-once", Unavailable),
    ],
)
def test_a_signer_that_cannot_sign_leaves_nothing(kz: Office, mischief: str, family: type[ValizaError]) -> None:
    before = files_of(kz.home)
    with pytest.raises(family):
        certify(kz, {SEAL: signer(mischief)})
    assert files_of(kz.home) == before


def test_a_half_is_part_of_one_key_only(kz: Office) -> None:
    certify(kz, {SEAL: signer()})
    publish_roster(kz, at=BEGIN + DAY, validity=YEAR)
    before = files_of(kz.home)
    other = NewOfficer(name="erlan", names={"en": "Erlan"}, purposes=("seal",), clearance="2")
    with pytest.raises(Refused, match="part of another signing key already"):
        certify(kz, {("erlan", "seal"): signer()}, other)
    both = NewOfficer(name="erlan", names={"en": "Erlan"}, purposes=("seal", "acknowledge"), clearance="2")
    with pytest.raises(Refused, match="part of another signing key already"):
        certify(kz, {("erlan", "seal"): signer("--key", "two"), ("erlan", "acknowledge"): signer("--key", "two")}, both)
    assert files_of(kz.home) == before
    certify(kz, {("erlan", "seal"): signer("--key", "two"), ("erlan", "acknowledge"): signer("--key", "three")}, both)


# -- founded ---------------------------------------------------------------------------------------------------------------


def test_an_office_whose_own_keys_all_have_a_half_elsewhere(tmp_path: Path) -> None:
    purposes = ("root", "certify", "roster")
    signers = {("office", purpose): signer("--key", purpose, "--log", tmp_path / purpose) for purpose in purposes}
    made = founding("KZ", "KZ-MFA")
    plan = type(made)(**{**vars(made), "signers": signers})
    office = found_office(tmp_path / "office", plan, at=BEGIN, random=counting())
    said = {purpose: set(asked(tmp_path / purpose)) - {"hello", "public", labels.SIGNER_TRIAL} for purpose in purposes}
    assert said == {"root": {labels.ROOT, labels.CREDENTIAL}, "certify": {labels.CREDENTIAL}, "roster": {labels.ROSTER}}
    with closing(office):
        assert publish_roster(office, at=BEGIN + DAY, validity=YEAR).version == 2
    second = founding("KZ", "KZ-MOD")
    plan = type(second)(**{**vars(second), "signers": {("office", "certify"): signer("--key", "other")}})
    with closing(office):
        found_office(tmp_path / "second", plan, at=BEGIN + 2 * DAY, random=counting("2"), root_office=office)
    assert public_part(tmp_path / "second" / "keys" / "office" / "certify.key").signer == signer("--key", "other")


def test_a_second_office_has_no_root_to_be_elsewhere(kz: Office, tmp_path: Path) -> None:
    made = founding("KZ", "KZ-MVD")
    plan = type(made)(**{**vars(made), "signers": {("office", "root"): signer()}})
    with pytest.raises(Usage, match="root key of 'office'"):
        found_office(tmp_path / "office", plan, at=BEGIN + DAY, random=counting(), root_office=kz)
    assert not (tmp_path / "office").exists()


# -- used ------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def daria(kz: Office) -> Office:
    """An office with a sealer whose key has an external half."""
    certify(kz, {SEAL: signer()})
    publish_roster(kz, at=BEGIN + DAY, validity=YEAR)
    return kz


def reopened(office: Office) -> Office:
    return Office(office.home, lambda: pytest.fail("a passphrase is asked for"))


def moved_to(office: Office, *arguments: str | Path) -> Office:
    """The same office with another signer in Daria's key file, whatever it does."""
    path = office.key_path(*SEAL)
    key = load_key(path, str)
    assert isinstance(key, ExternalSigningKey)
    from valiza.keys.keyfile import key_file  # noqa: PLC0415 - beside its only use

    path.write_bytes(key_file(key.moved(signer(*arguments)), passphrase=None, random=counting()))
    return reopened(office)


@pytest.mark.parametrize(
    ("arguments", "family"), [(("--key", "two"), NoKey), (("wrong-pin",), NoKey), (("crashes-at-once",), Unavailable)], ids=["other", "pin", "crash"]
)
def test_what_keeps_no_such_key_is_found_out_when_the_key_is_fetched(daria: Office, arguments: tuple[str, ...], family: type[ValizaError]) -> None:
    """Before there is anything to sign: sealing takes hours."""
    with closing(moved_to(daria, *arguments)) as office, pytest.raises(family):
        office.signing_key(*SEAL)


def test_it_is_asked_once_however_often_the_key_is_fetched(daria: Office, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with closing(moved_to(daria, "--log", log)) as office:
        for _ in range(3):
            office.signing_key(*SEAL).sign(b"message", b"context")
    assert asked(log) == ["hello", "public", "context", "context", "context"]


def test_who_failed_is_not_asked_again_however_often_the_key_is_fetched(daria: Office, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with closing(moved_to(daria, "--log", log, "wrong-pin")) as office:
        for _ in range(3):
            with pytest.raises(NoKey):
                office.signing_key(*SEAL)
    assert asked(log) == ["hello", "public"]


# -- checked, moved, locked ------------------------------------------------------------------------------------------------


def test_checking_has_it_sign_something_that_means_nothing(daria: Office, tmp_path: Path) -> None:
    log = tmp_path / "log"
    office = moved_to(daria, "--log", log)
    checked = check_keys(keys_of(office, "daria"), str, random=counting())
    assert [(key.purpose, found) for key, found in checked] == [("open", None), ("seal", signer("--log", log))]
    assert asked(log) == ["hello", "public", labels.SIGNER_TRIAL]


def test_checking_says_which_key_is_wrong(daria: Office) -> None:
    with pytest.raises(NotAuthentic, match=r"^seal key of 'daria': .* gave a signature that does not verify$"):
        check_keys(keys_of(moved_to(daria, "zeros"), None), str, random=counting())
    with pytest.raises(NoKey, match="there is no key of 'nobody'"):
        keys_of(daria, "nobody")


@pytest.mark.parametrize("passphrase", [None, "құпия"])
def test_a_half_that_moved_is_found_again(daria: Office, tmp_path: Path, passphrase: str | None) -> None:
    change_passphrase(daria, "daria", str, lambda: passphrase, random=counting())
    before = public_part(daria.key_path(*SEAL))
    there = signer("--log", tmp_path / "log")
    move(daria, {SEAL: there}, lambda: passphrase or pytest.fail("asked"))
    after = public_part(daria.key_path(*SEAL))
    assert (after.public, after.cost, after.signer) == (before.public, before.cost, there)
    assert asked(tmp_path / "log") == ["hello", "public", labels.SIGNER_TRIAL]
    with closing(Office(daria.home, lambda: passphrase or "")) as office:
        office.signing_key(*SEAL)


@pytest.mark.parametrize(
    ("wanted", "there", "family"),
    [
        (SEAL, signer("--key", "two"), NoKey),
        (SEAL, signer("says-no"), Refused),
        (SEAL, signer("crashes-at-once"), Unavailable),
        (SEAL, signer("zeros"), NotAuthentic),
        (("aliya", "seal"), signer(), Refused),
        (("daria", "open"), signer(), Refused),
        (("daria", "acknowledge"), signer(), NoKey),
    ],
    ids=["another key", "refused", "crash", "wrong", "whole", "opening", "none"],
)
def test_a_half_that_is_not_there_is_not_moved_there(
    daria: Office, wanted: tuple[str, str], there: ExternalSigner, family: type[ValizaError]
) -> None:
    before = files_of(daria.home)
    with pytest.raises(family):
        move(daria, {SEAL: signer(), wanted: there}, str)
    assert files_of(daria.home) == before


def test_a_passphrase_is_changed_without_the_signer(daria: Office, tmp_path: Path) -> None:
    log = tmp_path / "log"
    office = moved_to(daria, "--log", log)
    change_passphrase(office, "daria", str, lambda: "new", random=counting())
    assert not log.exists()
    part = public_part(office.key_path(*SEAL))
    assert (part.protected, part.signer) == (True, signer("--log", log))
    with pytest.raises(NoKey):
        load_key(office.key_path(*SEAL), lambda: "other")
    key = load_key(office.key_path(*SEAL), lambda: "new")
    assert isinstance(key, ExternalSigningKey)
    assert not isinstance(key, SigningKey)


# -- the list --------------------------------------------------------------------------------------------------------------


def test_a_list_of_signers(tmp_path: Path) -> None:
    path = tmp_path / "signers.toml"
    path.write_text(toml(("aigul", "seal", command()), ("office", "root", command("--key", "two"))))
    assert read_signers(path) == {("aigul", "seal"): signer(), ("office", "root"): signer("--key", "two")}


def row(**changes: str) -> str:
    fields = {"officer": '"a"', "purpose": '"seal"', "reference": '"7"', "command": '["/bin/sh"]'} | changes
    return "[[key]]\n" + "".join(f"{name} = {value}\n" for name, value in fields.items() if value)


NO_LISTS: Final = {
    "empty": "",
    "a number": "key = 7\n",
    "a table": "[key]\n",
    "keys": "[[keys]]\n",
    "no TOML": "[[key]\n",
    "more": row() + "[more]\n",
    "twice": row() * 2,
    "no officer": row(officer=""),
    "a PIN": row(pin='"1234"'),
    "officer is no text": row(officer="7"),
    "reference with a space": row(reference='"a b"'),
    "reference empty": row(reference='""'),
    "no command": row(command="[]"),
    "command of a number": row(command="[7]"),
    "command for a shell": row(command='"signer --pin 1234"'),
    "no such program": row(command='["/nowhere/signer"]'),
}


@pytest.mark.parametrize("text", NO_LISTS.values(), ids=NO_LISTS.keys())
def test_what_is_no_list_of_signers(tmp_path: Path, text: str) -> None:
    path = tmp_path / "signers.toml"
    path.write_text(row())
    assert read_signers(path)
    path.write_text(text)
    with pytest.raises((Malformed, Usage)):
        read_signers(path)
