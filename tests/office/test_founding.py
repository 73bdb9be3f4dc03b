"""Founding offices, certifying officers, publishing rosters: whole or not at all."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.support.keys import BEGIN, DAY, YEAR, counting

from valiza.keys.credential import PURPOSES
from valiza.keys.errors import NoKey, NotAuthentic, Refused, Usage, ValizaError
from valiza.keys.fields import Body
from valiza.keys.keyfile import public_part
from valiza.keys.root import Root
from valiza.keys.roster import check_import
from valiza.office.founding import OFFICER_PURPOSES, Founding, NewOfficer, certify_officer, found_office
from valiza.office.home import Office
from valiza.office.publishing import publish_roster

if TYPE_CHECKING:
    from pathlib import Path

PLAIN: Final = Founding(
    body=Body("KZ", "KZ-MFA"),
    names={"en": "Ministry", "kk": "Министрлік"},
    degrees=("1", "2", "3"),
    officers=(NewOfficer(name="aliya", names={"en": "Aliya"}, purposes=("seal", "open"), clearance="2"),),
)
NEW: Final = NewOfficer(name="daria", names={"en": "Daria"}, purposes=("seal", "open"), clearance="2")


def found(home: Path, **changes: Any) -> Office:
    root_office = changes.pop("root_office", None)
    at = changes.pop("at", BEGIN)
    return found_office(home, dataclasses.replace(PLAIN, **changes), at=at, random=counting(home.name), root_office=root_office)


def certify(office: Office, officer: NewOfficer = NEW, *, at: int = BEGIN + DAY, validity: int = YEAR) -> list[str]:
    random = counting(f"{office.body} {officer.name}")
    issued = certify_officer(office, officer, at=at, validity=validity, random=random, passphrase=None)
    return [credential.purpose for credential in issued]


def files_of(office: Office) -> list[str]:
    return sorted(str(path.relative_to(office.home)) for path in office.home.rglob("*") if path.is_file())


# -- the first office of a party ------------------------------------------------------------------------------------------


def test_a_new_office_has_its_keys_credentials_pin_and_roster(tmp_path: Path) -> None:
    office = found(tmp_path / "office")
    assert files_of(office) == [
        "credentials/aliya/open.vls",
        "credentials/aliya/seal.vls",
        "credentials/office/certify.vls",
        "credentials/office/roster.vls",
        "keys/aliya/open.key",
        "keys/aliya/seal.key",
        "keys/office/certify.key",
        "keys/office/root.key",
        "keys/office/roster.key",
        "office.toml",
        "roots/KZ",
        "rosters/KZ-000001.index",
        "rosters/KZ-000001.vls",
    ]
    assert (office.home / "agreements").is_dir()
    assert [path.name for path in tmp_path.iterdir()] == ["office"]


def test_nobody_else_reads_any_of_it(tmp_path: Path) -> None:
    office = found(tmp_path / "office")
    assert {path.stat().st_mode & 0o077 for path in [office.home, *office.home.rglob("*")] if path.is_dir()} == {0}
    assert {path.stat().st_mode & 0o077 for path in (office.home / "keys").rglob("*.key")} == {0}


def test_every_credential_fits_the_key_that_lies_beside_it(tmp_path: Path) -> None:
    office = found(tmp_path / "office")
    for path in (office.home / "credentials").glob("*/*.vls"):
        officer, purpose = path.parent.name, path.stem
        key = office.identity(officer) if purpose == "open" else office.signing_key(officer, purpose)
        assert office.credential(officer, purpose).key.raw == key.public


def test_the_roster_holds_every_credential_each_checked_up_to_the_pinned_root(tmp_path: Path) -> None:
    office = found(tmp_path / "office")
    roster = office.trust.rosters["KZ"]
    assert (roster.version, roster.issued_at, roster.expires_at) == (1, BEGIN, BEGIN + YEAR)
    assert roster.root.digest == office.pinned()["KZ"]
    assert sorted(credential.purpose for credential in roster.credentials.values()) == ["certify", "open", "roster", "seal"]
    assert {credential.body for credential in roster.credentials.values()} == {Body("KZ", "KZ-MFA")}


def test_an_officer_is_one_subject_with_one_key_for_each_purpose(tmp_path: Path) -> None:
    office = found(tmp_path / "office", officers=(dataclasses.replace(NEW, purposes=OFFICER_PURPOSES), *PLAIN.officers))
    daria = [office.credential("daria", purpose) for purpose in OFFICER_PURPOSES]
    aliya = [office.credential("aliya", purpose) for purpose in ("seal", "open")]
    assert len({credential.subject for credential in daria}) == len({credential.subject for credential in aliya}) == 1
    assert daria[0].subject != aliya[0].subject
    assert len({credential.key.key_digest for credential in daria + aliya}) == len(OFFICER_PURPOSES) + 2


def test_an_officer_without_purposes_is_one_all_the_same(tmp_path: Path) -> None:
    office = found(tmp_path / "office", officers=(dataclasses.replace(NEW, purposes=(), clearance=None),))
    assert office.officers() == ["daria"]


def test_with_a_passphrase_every_key_is_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("valiza.keys.keyfile.stretch", lambda passphrase, _salt, _cost: passphrase.encode().ljust(32, b"\0"))
    office = found(tmp_path / "office", passphrase="пароль")
    office.signing_key("aliya", "seal")
    for path in (office.home / "keys").glob("*/*.key"):
        locked = Office(office.home, lambda: "wrong")
        with pytest.raises(NoKey):
            locked._key(path.parent.name, path.stem, public_part(path).public)


def test_names_in_any_letters_are_read_back(tmp_path: Path) -> None:
    names = {"en": 'A "quoted" \\ name\n\twith \x7f and \x00 and \U0001f4bc', "kk": "Қазақстан"}
    assert found(tmp_path / "office", names=names).names == names


def test_a_founding_does_not_show_its_passphrase() -> None:
    assert "пароль" not in repr(dataclasses.replace(PLAIN, passphrase="пароль"))


# -- what cannot be -------------------------------------------------------------------------------------------------------

OFFICER: Final = PLAIN.officers[0]
IMPOSSIBLE: Final[dict[str, tuple[dict[str, Any], type[ValizaError]]]] = {
    "officer's name a path": ({"officers": (dataclasses.replace(OFFICER, name="../aliya"),)}, Usage),
    "officer's name hidden": ({"officers": (dataclasses.replace(OFFICER, name=".aliya"),)}, Usage),
    "officer's name empty": ({"officers": (dataclasses.replace(OFFICER, name=""),)}, Usage),
    "officer's name that of the office": ({"officers": (dataclasses.replace(OFFICER, name="office"),)}, Usage),
    "an officer who certifies": ({"officers": (dataclasses.replace(OFFICER, purposes=("seal", "certify")),)}, Usage),
    "an officer who publishes": ({"officers": (dataclasses.replace(OFFICER, purposes=("roster",)),)}, Usage),
    "purpose unknown": ({"officers": (dataclasses.replace(OFFICER, purposes=("sign",)),)}, Usage),
    "one purpose twice": ({"officers": (dataclasses.replace(OFFICER, purposes=("seal", "seal")),)}, ValizaError),
    "one officer twice": ({"officers": (OFFICER, OFFICER)}, Usage),
    "clearance unknown": ({"officers": (dataclasses.replace(OFFICER, clearance="9"),)}, Refused),
    "no degrees": ({"degrees": ()}, ValizaError),
    "one degree twice": ({"degrees": ("1", "1")}, ValizaError),
    "no names": ({"names": {}}, ValizaError),
    "valid for no time": ({"validity": 0}, ValizaError),
    "roster valid for no time": ({"roster_validity": 0}, ValizaError),
    "party in small letters": ({"body": Body("kz", "KZ-MFA")}, ValizaError),
}


@pytest.mark.parametrize(("change", "error"), IMPOSSIBLE.values(), ids=IMPOSSIBLE.keys())
def test_what_cannot_be_founded_leaves_nothing(tmp_path: Path, change: dict[str, Any], error: type[ValizaError]) -> None:
    with pytest.raises(error):
        found(tmp_path / "office", **change)
    assert list(tmp_path.iterdir()) == []


def test_an_office_is_not_founded_on_what_exists(tmp_path: Path) -> None:
    (tmp_path / "office").mkdir()
    with pytest.raises(Refused):
        found(tmp_path / "office")
    assert list((tmp_path / "office").iterdir()) == []


# -- another office of the party ------------------------------------------------------------------------------------------


def test_a_second_office_stands_under_the_same_root_and_both_have_the_new_roster(kz: Office, tmp_path: Path) -> None:
    before = kz.trust.rosters["KZ"]
    second = found(tmp_path / "second", body=Body("KZ", "KZ-MID"), at=BEGIN + DAY, root_office=kz)
    assert kz.trust.rosters["KZ"].digest == second.trust.rosters["KZ"].digest
    after = second.trust.rosters["KZ"]
    assert after.version == before.version + 1
    assert set(before.credentials) < set(after.credentials)
    check_import(after, before, BEGIN + DAY)
    certify_ = second.credential("office", "certify")
    assert isinstance(certify_.issuer, Root)
    assert (certify_.body, certify_.certifies_bodies, certify_.clearance) == (Body("KZ", "KZ-MID"), False, "1")


def test_a_second_office_has_neither_the_root_key_nor_the_roster_key(kz_second: Office) -> None:
    assert sorted(path.name for path in (kz_second.home / "keys" / "office").iterdir()) == ["certify.key"]
    for purpose in ("root", "roster"):
        with pytest.raises(NoKey):
            kz_second.signing_key("office", purpose)
    with pytest.raises(NoKey):
        publish_roster(kz_second, at=BEGIN + DAY, validity=YEAR)


def test_an_office_is_founded_only_under_the_root_of_its_own_party(kz: Office, tmp_path: Path) -> None:
    with pytest.raises(Refused):
        found(tmp_path / "second", body=Body("BY", "BY-MFA"), root_office=kz)
    assert not (tmp_path / "second").exists()


def test_a_body_has_one_office_and_its_partys_degrees(kz: Office, tmp_path: Path) -> None:
    before = files_of(kz)
    with pytest.raises(Refused):
        found(tmp_path / "second", body=Body("KZ", "KZ-MOD"), at=BEGIN + DAY, root_office=kz)
    for degrees in (("1", "2"), ("3", "2", "1"), ("1", "2", "3", "4")):
        with pytest.raises(Usage):
            found(tmp_path / "second", body=Body("KZ", "KZ-MID"), degrees=degrees, at=BEGIN + DAY, root_office=kz)
    assert (files_of(kz), (tmp_path / "second").exists()) == (before, False)


def test_only_the_office_that_keeps_the_root_founds_another(kz_second: Office, tmp_path: Path) -> None:
    with pytest.raises(ValizaError):
        found(tmp_path / "third", body=Body("KZ", "KZ-MID"), at=BEGIN + DAY, root_office=kz_second)
    assert not (tmp_path / "third").exists()


# -- certifying an officer ------------------------------------------------------------------------------------------------


def test_a_new_officer_counts_when_the_roster_is_published(kz: Office) -> None:
    assert certify(kz) == ["seal", "open"]
    with pytest.raises(Refused, match="roster"):
        kz.credential("daria", "seal")
    roster = publish_roster(kz, at=BEGIN + DAY, validity=YEAR)
    assert kz.credential("daria", "seal").raw == roster.credentials[kz.credential("daria", "seal").digest].raw
    assert "daria" in kz.officers()


def test_an_officer_gets_another_purpose_under_the_same_subject(kz: Office) -> None:
    before = kz.credential("aliya", "seal")
    assert certify(kz, NewOfficer(name="aliya", names={"en": "Aliya"}, purposes=("countersign",), clearance="2")) == ["countersign"]
    publish_roster(kz, at=BEGIN + DAY, validity=YEAR)
    after = kz.credential("aliya", "countersign")
    assert after.subject == before.subject
    assert after.key.key_digest != before.key.key_digest


def test_an_officer_has_a_credential_for_a_purpose_once(kz: Office) -> None:
    before = files_of(kz)
    with pytest.raises(Refused, match="already"):
        certify(kz, NewOfficer(name="aliya", names={"en": "Aliya"}, purposes=("countersign", "seal"), clearance="2"))
    assert files_of(kz) == before


def test_a_credential_ends_with_its_issuers_at_the_latest(kz: Office) -> None:
    issued = certify_officer(kz, NEW, at=BEGIN + DAY, validity=50 * YEAR, random=counting("daria"), passphrase=None)
    assert {credential.valid_until for credential in issued} == {kz.credential("office", "certify").valid_until}
    assert {credential.valid_from for credential in issued} == {BEGIN + DAY}


@pytest.mark.parametrize("at", [BEGIN - 1, BEGIN + 5 * YEAR])
def test_nobody_is_certified_when_the_office_itself_is_not(kz: Office, at: int) -> None:
    before = files_of(kz)
    with pytest.raises(Refused):
        certify(kz, at=at)
    assert files_of(kz) == before


@pytest.mark.parametrize(
    "officer",
    [
        dataclasses.replace(NEW, clearance="9"),
        dataclasses.replace(NEW, names={}),
        dataclasses.replace(NEW, purposes=("seal", "seal")),
        dataclasses.replace(NEW, purposes=("seal", "roster")),
    ],
    ids=["clearance unknown", "no name", "one purpose twice", "purpose of nobody"],
)
def test_a_certification_that_fails_leaves_nothing_and_can_be_done_again_rightly(kz: Office, officer: NewOfficer) -> None:
    before = files_of(kz)
    with pytest.raises(ValizaError):
        certify(kz, officer)
    assert files_of(kz) == before
    assert certify(kz) == ["seal", "open"]


def test_every_purpose_of_an_officer_can_be_certified(kz: Office) -> None:
    assert set(OFFICER_PURPOSES) == set(PURPOSES) - {"certify", "roster"}
    assert certify(kz, dataclasses.replace(NEW, purposes=OFFICER_PURPOSES)) == list(OFFICER_PURPOSES)


# -- publishing -----------------------------------------------------------------------------------------------------------


def test_a_published_roster_is_the_next_version_and_drops_nothing(kz: Office) -> None:
    before = kz.trust.rosters["KZ"]
    after = publish_roster(kz, at=BEGIN + DAY, validity=30 * DAY)
    assert (after.version, after.issued_at, after.expires_at) == (before.version + 1, BEGIN + DAY, BEGIN + 31 * DAY)
    assert set(after.credentials) == set(before.credentials)
    check_import(after, before, BEGIN + DAY)
    assert kz.trust.rosters["KZ"].digest == after.digest


def test_what_another_office_of_the_party_issued_is_published_when_it_is_brought_here(kz: Office, kz_second: Office) -> None:
    certify(kz_second)
    credential = (kz_second.home / "credentials" / "daria" / "seal.vls").read_bytes()
    (kz.home / "credentials" / "daria").mkdir()
    (kz.home / "credentials" / "daria" / "seal.vls").write_bytes(credential)
    assert credential in {c.raw for c in publish_roster(kz, at=BEGIN + DAY, validity=YEAR).credentials.values()}


def test_a_credential_of_nobody_known_is_not_published_and_is_named(kz: Office, by: Office) -> None:
    (kz.home / "credentials" / "daria").mkdir()
    (kz.home / "credentials" / "daria" / "seal.vls").write_bytes((by.home / "credentials" / "aliya" / "seal.vls").read_bytes())
    before = files_of(kz)
    with pytest.raises(NotAuthentic, match=r"daria/seal\.vls"):
        publish_roster(kz, at=BEGIN + DAY, validity=YEAR)
    assert files_of(kz) == before


@pytest.mark.parametrize("at", [BEGIN - 1, BEGIN + 10 * YEAR])
def test_a_roster_is_published_only_while_its_signer_is_certified(kz: Office, at: int) -> None:
    before = files_of(kz)
    with pytest.raises(ValizaError):
        publish_roster(kz, at=at, validity=YEAR)
    assert files_of(kz) == before
