"""An office's folder: what is read of it, when, and what is told where something is wrong with it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

import pytest
from tests.support.keys import BEGIN, DAY, YEAR, flipped

from valiza.keys.errors import Malformed, NoKey, NotAuthentic, Refused, Usage
from valiza.keys.fields import Body
from valiza.keys.files import PREFIX
from valiza.keys.recipient import Identity
from valiza.keys.signing import SigningKey
from valiza.office.home import Office, read_given_roster
from valiza.office.publishing import publish_roster
from valiza.register.journal import RegisterJournal

if TYPE_CHECKING:
    from pathlib import Path

LEFT: Final = f"{PREFIX}0123456789abcdef"


def nobody() -> str:
    pytest.fail("a passphrase is asked for")


# -- who it is ------------------------------------------------------------------------------------------------------------


def test_an_office_knows_its_body_and_names(kz: Office) -> None:
    assert kz.body == Body("KZ", "KZ-MFA")
    assert kz.names == {"en": "KZ-MFA", "ru": "Министерство"}


@pytest.mark.parametrize("name", [".", "missing", "office.toml"])
def test_a_folder_without_an_office_is_none(tmp_path: Path, name: str) -> None:
    (tmp_path / "office.toml").mkdir()
    with pytest.raises(Usage, match="no office"):
        Office(tmp_path / name, nobody)


CONFIGS: Final = {
    "empty": "",
    "no TOML": "party",
    "no names": 'party = "KZ"\nbody = "KZ-MFA"',
    "names empty": 'party = "KZ"\nbody = "KZ-MFA"\n[names]',
    "names a list": 'party = "KZ"\nbody = "KZ-MFA"\nnames = ["x"]',
    "names of numbers": 'party = "KZ"\nbody = "KZ-MFA"\n[names]\nen = 1',
    "party in small letters": 'party = "kz"\nbody = "KZ-MFA"\n[names]\nen = "x"',
    "body a path": 'party = "KZ"\nbody = "../KZ"\n[names]\nen = "x"',
    "party a number": 'party = 1\nbody = "KZ-MFA"\n[names]\nen = "x"',
    "too long": 'party = "KZ"\nbody = "KZ-MFA"\n[names]\nen = "x"\n' + "#" * 70_000 + '\nbody = "KZ-MFA"',
}


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
def test_an_office_whose_file_is_spoilt_is_malformed(tmp_path: Path, config: str) -> None:
    (tmp_path / "office.toml").write_text(config, encoding="utf-8")
    with pytest.raises(Malformed):
        Office(tmp_path, nobody)


# -- whom it trusts -------------------------------------------------------------------------------------------------------


def test_only_the_own_party_is_known_at_first(kz: Office) -> None:
    assert list(kz.pinned()) == list(kz.trust.rosters) == ["KZ"]
    assert kz.roster_of("BY") is None
    assert kz.agreements.all() == []


def test_the_latest_roster_counts(kz: Office) -> None:
    assert kz.trust.rosters["KZ"].version == 2
    assert kz.trust is kz.trust, "it is read once"
    publish_roster(kz, at=BEGIN + DAY, validity=YEAR)
    assert kz.trust.rosters["KZ"].version == 3


def test_a_roster_whose_root_is_not_pinned_is_not_believed(kz: Office, by: Office) -> None:
    shutil.copy(by.home / "rosters" / "BY-000001.vls", kz.home / "rosters")
    assert "BY" not in kz.trust.rosters
    with pytest.raises(Refused):
        kz.roster_of("BY")


def test_a_roster_under_another_partys_name_or_pin_is_not_believed(kz: Office, by: Office) -> None:
    shutil.copy(by.home / "rosters" / "BY-000001.vls", kz.home / "rosters" / "KZ-000009.vls")
    with pytest.raises(NotAuthentic):
        kz.roster_of("KZ")
    (by.home / "roots" / "BY").write_bytes((kz.home / "roots" / "KZ").read_bytes())
    with pytest.raises(NotAuthentic):
        _ = by.trust


def test_a_spoilt_roster_or_pin_is_told_and_not_passed_over(kz: Office) -> None:
    path = kz.home / "rosters" / "KZ-000002.vls"
    raw = path.read_bytes()
    path.write_bytes(flipped(raw, len(raw) - 1))
    with pytest.raises(NotAuthentic, match=r"KZ-000002\.vls"):
        _ = kz.trust
    (kz.home / "roots" / "KZ").write_text("0123")
    with pytest.raises(Malformed):
        Office(kz.home, nobody).pinned()


# -- officers and keys ----------------------------------------------------------------------------------------------------


def test_officers_are_those_with_a_folder_of_credentials(kz: Office) -> None:
    assert kz.officers() == ["aliya", "bolat", "clerk"]
    assert kz.officers_with("open") == ["aliya", "bolat"]
    assert kz.officers_with("certify") == []


def test_keys_are_read_with_their_purpose(kz: Office) -> None:
    assert isinstance(kz.signing_key("aliya", "seal"), SigningKey)
    assert isinstance(kz.identity("aliya"), Identity)
    assert kz.credential("aliya", "seal").purpose == "seal"
    assert kz.credential("aliya", "open").recipient.raw == kz.identity("aliya").public


def test_what_an_officer_does_not_have_is_no_key_and_tells_who_has_it(kz: Office) -> None:
    with pytest.raises(NoKey) as caught:
        kz.credential("aliya", "countersign")
    assert "bolat" in caught.value.hint
    for officer, purpose in (("aliya", "countersign"), ("clerk", "seal"), ("nobody", "seal")):
        with pytest.raises(NoKey):
            kz.signing_key(officer, purpose)
    with pytest.raises(NoKey):
        kz.identity("clerk")


@pytest.mark.parametrize("other", ["aliya/seal", "aliya/acknowledge", "aliya/open", "bolat/open", "office/root", "office/certify"])
def test_another_key_in_the_place_of_one_is_not_taken_for_it(kz: Office, other: str) -> None:
    """As after a backup that was restored wrongly: what it signed nobody would accept, and one key would serve two purposes."""
    places = {"aliya/seal", "aliya/open", "office/root"} - {other}
    key = (kz.home / "keys" / f"{other}.key").read_bytes()
    for place in places:
        (kz.home / "keys" / f"{place}.key").write_bytes(key)
        officer, _, purpose = place.partition("/")
        with pytest.raises(NoKey):
            kz.identity(officer) if purpose == "open" else kz.signing_key(officer, purpose)


def test_a_credential_that_is_in_no_roster_is_refused(kz: Office, by: Office) -> None:
    shutil.copy(by.credential_path("aliya", "seal"), kz.credential_path("aliya", "seal"))
    with pytest.raises(Refused, match="roster"):
        kz.credential("aliya", "seal")


@pytest.mark.parametrize("name", ["", ".", "..", "../KZ", "a/b", "/etc", "Aliya", "алия", "a" * 65, "-a", ".a", "a\n", "a\0"])
def test_a_name_that_cannot_be_an_officers_is_never_looked_up(kz: Office, name: str) -> None:
    for look_up in (kz.key_path, kz.credential_path, kz.credential, kz.signing_key, kz.pick):
        with pytest.raises(Usage):
            look_up(name, "seal")
    with pytest.raises(Usage):
        kz.identity(name)


def test_whoever_alone_can_do_it_is_picked(kz: Office) -> None:
    assert kz.pick(None, "seal") == "aliya"
    assert kz.pick(None, "countersign") == "bolat"
    assert kz.pick("bolat", "seal") == "bolat", "a name given is taken; whether he can, his keys tell"


def test_where_several_can_one_has_to_be_named_and_where_none_can_it_is_told(kz: Office) -> None:
    with pytest.raises(Usage, match="aliya, bolat"):
        kz.pick(None, "open")
    with pytest.raises(NoKey):
        kz.pick(None, "transport")


def test_the_passphrase_is_asked_only_for_a_key_that_has_one(kz: Office) -> None:
    office = Office(kz.home, nobody)
    office.signing_key("aliya", "seal")
    assert office.trust.rosters
    assert office.officers()


# -- journal --------------------------------------------------------------------------------------------------------------


def test_the_journal_is_made_when_it_is_first_asked_for(kz: Office) -> None:
    assert not (kz.home / "register.db").exists()
    assert isinstance(kz.journal, RegisterJournal)
    assert kz.journal.next_number("out", bytes(32), BEGIN) == "KZ-MFA/2026/out/1"
    kz.journal.close()
    assert (kz.home / "register.db").stat().st_mode & 0o777 == 0o600


# -- what killed commands leave -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", [".", "roots", "rosters", "agreements", "keys", "keys/aliya", "credentials", "credentials/aliya"])
def test_what_a_killed_command_left_is_no_part_of_the_office_and_is_removed(kz: Office, folder: str) -> None:
    """Where the file system has no unnamed files, a file is written under such a name."""
    left = kz.home / folder / LEFT
    left.write_bytes(b"half")
    assert list(kz.pinned()) == ["KZ"]
    assert kz.trust.rosters["KZ"].version == 2
    assert (kz.officers(), kz.agreements.all()) == (["aliya", "bolat", "clerk"], [])
    assert kz.sweep() == [left]
    assert not left.exists()


# -- rosters in a stranger's hand -----------------------------------------------------------------------------------------


def test_a_roster_is_read_with_whichever_of_the_fingerprints_is_its_roots(kz: Office, by: Office) -> None:
    fingerprints = [by.pinned()["BY"], kz.pinned()["KZ"]]
    for office, version in ((kz, "KZ-000002"), (by, "BY-000001")):
        for order in (fingerprints, fingerprints[::-1]):
            assert read_given_roster(office.home / "rosters" / f"{version}.vls", order).party == office.body.party


def test_without_its_fingerprint_a_roster_is_not_believed(kz: Office, by: Office) -> None:
    path = kz.home / "rosters" / "KZ-000002.vls"
    with pytest.raises(NotAuthentic):
        read_given_roster(path, [by.pinned()["BY"]])
    with pytest.raises(Usage):
        read_given_roster(path, [])


def test_what_is_wrong_with_a_roster_is_told_whatever_other_fingerprints_are_given(kz: Office, by: Office, tmp_path: Path) -> None:
    raw = (kz.home / "rosters" / "KZ-000002.vls").read_bytes()
    (tmp_path / "cut").write_bytes(raw[:-1])
    (tmp_path / "spoilt").write_bytes(flipped(raw, len(raw) - 1))
    for order in ([kz.pinned()["KZ"], by.pinned()["BY"]], [by.pinned()["BY"], kz.pinned()["KZ"]]):
        with pytest.raises(Malformed):
            read_given_roster(tmp_path / "cut", order)
        with pytest.raises(NotAuthentic, match="signature"):
            read_given_roster(tmp_path / "spoilt", order)
