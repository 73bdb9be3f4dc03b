"""Whom an office trusts: roots pinned by a person, rosters that never go back, agreements that both roots signed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.support.keys import BEGIN, DAY, YEAR, flipped, party

from valiza.envelope.agreement import Agreement, Termination, terminate
from valiza.envelope.draft import packaged_draft
from valiza.keys import labels
from valiza.keys.errors import Malformed, NoKey, NotAuthentic, Refused, Unavailable, Usage, ValizaError
from valiza.keys.fields import Mark
from valiza.keys.statement import SignerHeader, sign_statement
from valiza.office.founding import NewOfficer, certify_officer
from valiza.office.publishing import publish_roster
from valiza.office.trusting import adopt, import_roster, read_profile_file, sign, terminate_agreement

if TYPE_CHECKING:
    from pathlib import Path

    from valiza.envelope.profile import Profile
    from valiza.keys.root import Root
    from valiza.keys.statement import Signer
    from valiza.office.home import Office

AT: Final = BEGIN + DAY
DRAFT: Final = "kz-by"


def roster_path(office: Office, version: int | None = None) -> Path:
    """A roster of the office's own party, the latest unless a version is given."""
    own = office.body.party
    paths = sorted((office.home / "rosters").glob(f"{own}-*.vls"))
    return paths[-1] if version is None else office.home / "rosters" / f"{own}-{version:06}.vls"


def pin(office: Office) -> bytes:
    return office.pinned()[office.body.party]


def everything(office: Office) -> dict[str, bytes]:
    return {str(path.relative_to(office.home)): path.read_bytes() for path in office.home.rglob("*") if path.is_file()}


# -- importing a roster ---------------------------------------------------------------------------------------------------


def test_with_the_fingerprint_a_party_becomes_known(kz: Office, by: Office) -> None:
    roster, new = import_roster(kz, roster_path(by), pin(by), at=AT)
    assert (roster.party, new) == ("BY", True)
    assert kz.pinned()["BY"] == pin(by)
    assert kz.trust.root(pin(by)) is not None
    assert roster_path(by).read_bytes() == kz.home.joinpath("rosters", "BY-000001.vls").read_bytes()


def test_without_a_fingerprint_no_party_becomes_known(kz: Office, by: Office) -> None:
    before = everything(kz)
    with pytest.raises(Usage):
        import_roster(kz, roster_path(by), None, at=AT)
    assert everything(kz) == before


def test_the_fingerprint_to_compare_is_not_taken_from_the_file_itself(kz: Office, by: Office) -> None:
    """Whoever is shown it will copy it, and compares nothing."""
    with pytest.raises(Usage) as caught:
        import_roster(kz, roster_path(by), None, at=AT)
    assert pin(by).hex() not in caught.value.message + caught.value.hint


def test_with_another_fingerprint_nothing_is_imported(kz: Office, by: Office) -> None:
    before = everything(kz)
    for wrong in (bytes(32), pin(kz), flipped(pin(by), 31)):
        with pytest.raises(NotAuthentic):
            import_roster(kz, roster_path(by), wrong, at=AT)
    assert everything(kz) == before


def test_a_pinned_party_needs_no_fingerprint_and_has_no_other(acquainted: tuple[Office, Office]) -> None:
    kz, by = acquainted
    publish_roster(by, at=AT, validity=YEAR)
    roster, new = import_roster(kz, roster_path(by), None, at=AT)
    assert (roster.version, new) == (2, True)
    before = everything(kz)
    with pytest.raises(Refused):
        import_roster(kz, roster_path(by), bytes(32), at=AT)
    assert everything(kz) == before


def test_the_same_roster_again_changes_nothing(acquainted: tuple[Office, Office]) -> None:
    kz, by = acquainted
    before = everything(kz)
    for fingerprint in (None, pin(by)):
        assert import_roster(kz, roster_path(by), fingerprint, at=AT)[1] is False
    assert everything(kz) == before


def test_a_roster_never_goes_back(acquainted: tuple[Office, Office]) -> None:
    kz, by = acquainted
    old = roster_path(by)
    publish_roster(by, at=AT, validity=YEAR)
    import_roster(kz, roster_path(by), None, at=AT)
    before = everything(kz)
    for fingerprint in (None, pin(by)):
        with pytest.raises(Refused, match="version"):
            import_roster(kz, old, fingerprint, at=AT)
    assert everything(kz) == before
    assert kz.trust.rosters["BY"].version == 2


def test_the_highest_version_counts_even_with_more_digits(acquainted: tuple[Office, Office]) -> None:
    kz, by = acquainted
    for _ in range(9):
        publish_roster(by, at=AT, validity=YEAR)
    import_roster(kz, roster_path(by), None, at=AT)
    assert kz.trust.rosters["BY"].version == 10


def test_a_roster_from_the_future_is_not_imported(kz: Office, by: Office) -> None:
    publish_roster(by, at=AT + 2 * DAY, validity=YEAR)
    with pytest.raises(Refused):
        import_roster(kz, roster_path(by), pin(by), at=AT)
    assert "BY" not in kz.pinned()
    import_roster(kz, roster_path(by), pin(by), at=AT + DAY)


@pytest.mark.parametrize("index", [0, 40, -1, -65, -4000])
def test_a_spoilt_roster_is_not_imported(kz: Office, by: Office, tmp_path: Path, index: int) -> None:
    raw = roster_path(by).read_bytes()
    (tmp_path / "spoilt").write_bytes(flipped(raw, index % len(raw)))
    before = everything(kz)
    with pytest.raises((Malformed, NotAuthentic)):
        import_roster(kz, tmp_path / "spoilt", pin(by), at=AT)
    assert everything(kz) == before


def test_what_is_not_there_is_unavailable(kz: Office, tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        import_roster(kz, tmp_path / "missing", None, at=AT)


def test_an_import_that_was_interrupted_between_roster_and_pin_can_be_done_again(kz: Office, by: Office) -> None:
    (kz.home / "rosters" / "BY-000001.vls").write_bytes(roster_path(by).read_bytes())
    assert "BY" not in kz.trust.rosters, "without its pin it is not believed"
    import_roster(kz, roster_path(by), pin(by), at=AT)
    assert kz.trust.rosters["BY"].root.digest == pin(by)


def test_a_new_officer_of_the_other_side_is_known_after_the_import(acquainted: tuple[Office, Office]) -> None:
    kz, by = acquainted
    new = NewOfficer(name="daria", names={"en": "Daria"}, purposes=("open",), clearance="2")
    (credential,) = certify_officer(by, new, at=AT, validity=YEAR, random=lambda size: b"r" * size, passphrase=None)
    publish_roster(by, at=AT, validity=YEAR)
    assert kz.trust.credential(credential.digest) is None
    import_roster(kz, roster_path(by), None, at=AT)
    assert kz.trust.credential(credential.digest) is not None


# -- signing an agreement -------------------------------------------------------------------------------------------------


def half_signed(office: Office, folder: Path, source: str | Path = DRAFT) -> Path:
    path = folder / "half.vls"
    path.write_bytes(sign(office, source).statement.raw)
    return path


def signed_by_both(kz: Office, by: Office, folder: Path, source: str | Path = DRAFT) -> Path:
    path = folder / f"agreement-{len(list(folder.glob('agreement-*')))}.vls"
    path.write_bytes(sign(by, half_signed(kz, folder, source)).statement.raw)
    return path


def changed_draft(folder: Path, *pairs: tuple[str, str]) -> Path:
    """The draft that comes with Valiza, with some words exchanged."""
    text = packaged_draft(DRAFT).decode()
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new, 1)
    path = folder / "draft.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_one_party_signs_and_the_other_completes(acquainted: tuple[Office, Office], tmp_path: Path) -> None:
    for first, second in (acquainted, acquainted[::-1]):
        half = sign(first, DRAFT)
        assert (half.complete, len(half.statement.signatures)) == (False, 1)
        (tmp_path / "half.vls").write_bytes(half.statement.raw)
        whole = sign(second, tmp_path / "half.vls")
        assert (whole.complete, len(whole.statement.signatures)) == (True, 2)
        assert whole.statement.body == half.statement.body == whole.profile.body
        assert half.statement.signatures[0] in whole.statement.signatures


def test_what_the_other_party_did_not_sign_is_not_signed_here_either(acquainted: tuple[Office, Office], tmp_path: Path) -> None:
    kz, by = acquainted
    raw = half_signed(kz, tmp_path).read_bytes()
    for index in (500, len(raw) - 1, len(raw) - 65):
        (tmp_path / "spoilt").write_bytes(flipped(raw, index))
        with pytest.raises((Malformed, NotAuthentic)):
            sign(by, tmp_path / "spoilt")


def test_nobody_completes_what_a_root_signed_that_is_not_pinned(kz: Office, by: Office, tmp_path: Path) -> None:
    with pytest.raises(NotAuthentic):
        sign(by, half_signed(kz, tmp_path))


def test_nobody_signs_twice_nor_what_is_complete(acquainted: tuple[Office, Office], tmp_path: Path) -> None:
    kz, by = acquainted
    with pytest.raises(Refused):
        sign(kz, half_signed(kz, tmp_path))
    for office in (kz, by):
        with pytest.raises(Refused):
            sign(office, signed_by_both(kz, by, tmp_path))


def test_only_the_office_that_keeps_the_root_signs(kz_second: Office) -> None:
    with pytest.raises(NoKey):
        sign(kz_second, DRAFT)


def test_a_party_signs_only_what_it_is_a_party_to(by: Office, kz: Office, tmp_path: Path) -> None:
    draft = packaged_draft(DRAFT).decode().replace("BY-KGB", "RU-FSB").replace("party.BY", "party.RU").replace('"BY"', '"RU"')
    (tmp_path / "draft.toml").write_text(draft, encoding="utf-8")
    with pytest.raises(Refused):
        sign(by, tmp_path / "draft.toml")
    assert sign(kz, tmp_path / "draft.toml").profile.parties[1].id == "RU"


def test_marks_in_another_order_than_the_roots_degrees_are_not_signed(kz: Office, tmp_path: Path) -> None:
    draft = changed_draft(tmp_path, ('code = "1"\ntext = "Аса маңызды"', 'code = "9"\ntext = "Аса маңызды"'))
    with pytest.raises(ValizaError):
        sign(kz, draft)


def test_a_draft_is_read_by_its_name_from_toml_and_from_what_was_signed(acquainted: tuple[Office, Office], tmp_path: Path) -> None:
    kz, by = acquainted
    by_name, statement = read_profile_file(DRAFT)
    assert statement is None
    from_toml, statement = read_profile_file(changed_draft(tmp_path))
    assert statement is None
    half, half_statement = read_profile_file(half_signed(kz, tmp_path))
    whole, whole_statement = read_profile_file(signed_by_both(kz, by, tmp_path))
    assert by_name.body == from_toml.body == half.body == whole.body
    assert half_statement is not None
    assert whole_statement is not None
    assert (len(half_statement.signatures), len(whole_statement.signatures)) == (1, 2)


@pytest.mark.parametrize("raw", [b"\x93", b"\x93\xa1a\xa1b\x90", b"\xff", b"id = ", b""], ids=["cut", "another array", "bytes", "no TOML", "empty"])
def test_what_is_no_agreement_is_told_in_one_line(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "it").write_bytes(raw)
    with pytest.raises((Malformed, Refused)):
        read_profile_file(tmp_path / "it")


def test_a_draft_that_is_too_long_is_not_read_up_to_there(tmp_path: Path) -> None:
    """What stands at its end would be lost without a word; here it is a key that nobody knows."""
    path = changed_draft(tmp_path)
    path.write_text(f"# {'.' * (1 << 20)}\n{path.read_text(encoding='utf-8')}", encoding="utf-8")
    with pytest.raises((Malformed, Refused)):
        read_profile_file(path)
    path.write_text(f"{packaged_draft(DRAFT).decode()}\n# {'.' * (1 << 20)}\n[unknown]\n", encoding="utf-8")
    with pytest.raises(Malformed):
        read_profile_file(path)


# -- adopting -------------------------------------------------------------------------------------------------------------


def test_an_agreement_that_both_roots_signed_is_adopted_by_every_office(acquainted: tuple[Office, Office], tmp_path: Path) -> None:
    path = signed_by_both(*acquainted, tmp_path)
    for office in acquainted:
        agreement = adopt(office, path, at=AT)
        assert isinstance(agreement, Agreement)
        assert office.agreements.find(agreement.digest).raw == path.read_bytes()
        assert [str(known) for known in office.agreements.all()] == ["kz-by version 1"]


def test_adopting_again_changes_nothing(acquainted: tuple[Office, Office], tmp_path: Path) -> None:
    kz, by = acquainted
    adopt(kz, signed_by_both(kz, by, tmp_path), at=AT)
    before = everything(kz)
    adopt(kz, signed_by_both(kz, by, tmp_path), at=AT)  # the same text, signed once more
    assert everything(kz) == before


def test_an_agreement_is_not_adopted_half_signed_or_spoilt(acquainted: tuple[Office, Office], tmp_path: Path) -> None:
    kz, by = acquainted
    raw = signed_by_both(kz, by, tmp_path).read_bytes()
    before = everything(kz)
    for spoilt in (half_signed(kz, tmp_path).read_bytes(), flipped(raw, len(raw) - 1), flipped(raw, 3000), raw[:-1], b""):
        (tmp_path / "spoilt").write_bytes(spoilt)
        with pytest.raises((Malformed, NotAuthentic)):
            adopt(kz, tmp_path / "spoilt", at=AT)
    assert everything(kz) == before


def test_an_agreement_is_not_adopted_before_the_other_root_is_pinned(kz: Office, by: Office, tmp_path: Path) -> None:
    import_roster(by, roster_path(kz), pin(kz), at=AT)
    path = signed_by_both(kz, by, tmp_path)
    with pytest.raises(NotAuthentic):
        adopt(kz, path, at=AT)
    import_roster(kz, roster_path(by), pin(by), at=AT)
    adopt(kz, path, at=AT)


def test_another_text_under_the_same_version_is_refused(acquainted: tuple[Office, Office], tmp_path: Path) -> None:
    kz, by = acquainted
    adopt(kz, signed_by_both(kz, by, tmp_path), at=AT)
    other = signed_by_both(kz, by, tmp_path, changed_draft(tmp_path, ("skew = 300", "skew = 301")))
    before = everything(kz)
    with pytest.raises(Refused):
        adopt(kz, other, at=AT)
    assert everything(kz) == before


def signed_without_asking(profile: Profile, folder: Path, *roots: tuple[Root, Signer]) -> Path:
    """An agreement signed by these roots, whatever the product thinks of it."""
    signers = [(SignerHeader(role="root", signer_digest=root.digest, key_digest=key.key_digest), key) for root, key in roots]
    path = folder / "agreement.vls"
    path.write_bytes(sign_statement(labels.AGREEMENT, profile.body, signers).raw)
    return path


def own_root(office: Office) -> tuple[Root, Signer]:
    return office.trust.rosters[office.body.party].root, office.signing_key("office", "root")


def with_code(profile: Profile, old: Mark, new: str) -> Profile:
    """The profile with another code for one mark."""
    parties = tuple(replace(p, marks=tuple(replace(m, code=new) if Mark(p.id, m.code) == old else m for m in p.marks)) for p in profile.parties)
    renamed = {Mark(old.party, new) if mark == old else mark: to for mark, to in profile.rows.items()}
    rows = {mark: new if mark.party != old.party and to == old.code else to for mark, to in renamed.items()}
    handling = {Mark(old.party, new) if mark == old else mark: how for mark, how in profile.handling.items()}
    return replace(profile, parties=(parties[0], parties[1]), rows=rows, handling=handling)


@pytest.mark.parametrize("mark", [Mark("KZ", "1"), Mark("BY", "2")])
def test_marks_that_are_not_the_degrees_of_their_root_are_not_adopted(acquainted: tuple[Office, Office], tmp_path: Path, mark: Mark) -> None:
    kz, by = acquainted
    profile, _ = read_profile_file(DRAFT)
    adopted = signed_without_asking(profile, tmp_path, own_root(kz), own_root(by))
    assert isinstance(adopt(kz, adopted, at=AT), Agreement), "signed so, the draft itself is adopted"
    other = signed_without_asking(replace(with_code(profile, mark, "9"), id="other"), tmp_path, own_root(kz), own_root(by))
    before = everything(kz)
    with pytest.raises(Refused):
        adopt(kz, other, at=AT)
    assert everything(kz) == before


def test_an_agreement_of_others_is_not_adopted(acquainted: tuple[Office, Office], tmp_path: Path) -> None:
    kz, by = acquainted
    third = party("RU")
    (tmp_path / "ru.vls").write_bytes(third.roster(issued_at=AT, expires_at=AT + YEAR).raw)
    for office in (kz, by):
        import_roster(office, tmp_path / "ru.vls", third.root.digest, at=AT)
    draft = packaged_draft(DRAFT).decode().replace("party.KZ", "party.RU").replace('"KZ"', '"RU"').replace("KZ-KNB", "RU-FSB")
    (tmp_path / "draft.toml").write_text(draft, encoding="utf-8")
    profile, _ = read_profile_file(tmp_path / "draft.toml")
    path = signed_without_asking(profile, tmp_path, own_root(by), (third.root, third.key))
    with pytest.raises(Refused):
        adopt(kz, path, at=AT)
    assert isinstance(adopt(by, path, at=AT), Agreement)


@pytest.mark.parametrize("id_", ["termination-kz", "termination", "a"])
def test_an_agreement_may_have_any_id(acquainted: tuple[Office, Office], tmp_path: Path, id_: str) -> None:
    kz, by = acquainted
    adopt(kz, signed_by_both(kz, by, tmp_path, changed_draft(tmp_path, ('id = "kz-by"', f'id = "{id_}"'))), at=AT)
    kz.reread()
    assert [agreement.profile.id for agreement in kz.agreements.all()] == [id_]


@pytest.mark.parametrize("purpose", ["roster", "credential"])
def test_what_is_no_agreement_is_not_adopted(kz: Office, purpose: str) -> None:
    path = roster_path(kz) if purpose == "roster" else kz.credential_path("aliya", "seal")
    with pytest.raises(Malformed):
        adopt(kz, path, at=AT)


# -- ending ---------------------------------------------------------------------------------------------------------------


def ended(office: Office, folder: Path, *, at: int = AT, takes_effect_at: int = AT + 180 * DAY) -> Path:
    path = folder / "termination.vls"
    path.write_bytes(terminate_agreement(office, DRAFT, at=at, takes_effect_at=takes_effect_at).statement.raw)
    return path


def test_a_termination_takes_effect_in_each_office_that_adopts_it(acquainted: tuple[Office, Office], tmp_path: Path) -> None:
    path = signed_by_both(*acquainted, tmp_path)
    agreements: list[Any] = [adopt(office, path, at=AT) for office in acquainted]
    termination = ended(acquainted[1], tmp_path)
    for office, agreement in zip(acquainted, agreements, strict=True):
        assert office.agreements.terminated_at(agreement) is None
        found = adopt(office, termination, at=AT)
        assert isinstance(found, Termination)
        assert (found.party, found.given_at, found.takes_effect_at) == ("BY", AT, AT + 180 * DAY)
        assert office.agreements.terminated_at(agreement) == AT + 180 * DAY
        office.agreements.named(DRAFT, AT + 180 * DAY - 1)
        with pytest.raises(Refused):
            office.agreements.named(DRAFT, AT + 180 * DAY)


def test_both_parties_may_end_it_and_the_earlier_end_counts(acquainted: tuple[Office, Office], tmp_path: Path) -> None:
    kz, _ = acquainted
    path = signed_by_both(*acquainted, tmp_path)
    agreement: Any = None
    for office in acquainted:
        agreement = adopt(office, path, at=AT)
    for office, days in ((acquainted[0], 200), (acquainted[1], 190)):
        adopt(kz, ended(office, tmp_path, takes_effect_at=AT + days * DAY), at=AT)
    assert kz.agreements.terminated_at(agreement) == AT + 190 * DAY


def test_an_end_is_adopted_before_it_takes_effect_and_stays_adopted(acquainted: tuple[Office, Office], tmp_path: Path) -> None:
    """Dated back it would make void what was sealed, opened and countersigned since (A14)."""
    kz, by = acquainted
    path = signed_by_both(*acquainted, tmp_path)
    for office in acquainted:
        adopt(office, path, at=AT)
    end = ended(by, tmp_path, takes_effect_at=AT + DAY)
    before = everything(kz)
    with pytest.raises(Refused, match="before it is adopted"):
        adopt(kz, end, at=AT + DAY + 1)
    assert everything(kz) == before
    for at in (AT + DAY, AT + 9 * DAY):
        assert isinstance(adopt(kz, end, at=at), Termination)


def test_what_is_not_adopted_is_not_ended(acquainted: tuple[Office, Office], tmp_path: Path) -> None:
    kz, by = acquainted
    with pytest.raises(Refused):
        terminate_agreement(kz, DRAFT, at=AT, takes_effect_at=AT)
    adopt(by, signed_by_both(kz, by, tmp_path), at=AT)
    with pytest.raises(Refused):
        adopt(kz, ended(by, tmp_path), at=AT)
    assert list((kz.home / "agreements").iterdir()) == []


def test_an_end_is_not_before_its_notice(acquainted: tuple[Office, Office], tmp_path: Path) -> None:
    kz, by = acquainted
    adopt(kz, signed_by_both(kz, by, tmp_path), at=AT)
    with pytest.raises(Refused):
        terminate_agreement(kz, DRAFT, at=AT, takes_effect_at=AT - 1)


def test_only_the_office_that_keeps_the_root_ends_an_agreement(acquainted: tuple[Office, Office], kz_second: Office, tmp_path: Path) -> None:
    kz, by = acquainted
    import_roster(kz_second, roster_path(by), pin(by), at=AT)
    adopt(kz_second, signed_by_both(kz, by, tmp_path), at=AT)
    with pytest.raises(NoKey):
        terminate_agreement(kz_second, DRAFT, at=AT, takes_effect_at=AT)


def test_a_termination_that_another_root_signed_is_not_adopted(acquainted: tuple[Office, Office], tmp_path: Path) -> None:
    kz, by = acquainted
    agreement = adopt(kz, signed_by_both(kz, by, tmp_path), at=AT)
    assert isinstance(agreement, Agreement)
    root = kz.trust.rosters["KZ"].root
    with pytest.raises(NotAuthentic):
        terminate(agreement, root=root, keys=[by.signing_key("office", "root")], given_at=AT, takes_effect_at=AT)
    raw = ended(kz, tmp_path).read_bytes()
    (tmp_path / "termination.vls").write_bytes(flipped(raw, len(raw) - 1))
    before = everything(kz)
    with pytest.raises(NotAuthentic):
        adopt(kz, tmp_path / "termination.vls", at=AT)
    assert everything(kz) == before
