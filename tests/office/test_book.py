"""Rosters as an office keeps them: found by an index, checked again when they are used, and mended when the index does not fit."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import time
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Final

import pytest
from tests.support.keys import BEGIN, DAY, NOW, YEAR, flipped, issue, party

from valiza.keys import chain, labels
from valiza.keys.digests import digest
from valiza.keys.errors import Malformed, NotAuthentic, Refused, Unavailable
from valiza.keys.fields import Body
from valiza.keys.roster import Roster, check_roster
from valiza.keys.signing import VerifyKey
from valiza.keys.trust import Trust
from valiza.office import book
from valiza.office.book import KeptBook, NewBook, Opening, index_faults, keep_roster, open_book, roster_name
from valiza.office.founding import NewOfficer, certify_officer
from valiza.office.home import Office
from valiza.office.publishing import publish_roster
from valiza.office.trusting import import_roster

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from valiza.keys.credential import Credential

AT: Final = BEGIN + DAY
KZ: Final = party("KZ")
PIN: Final = KZ.root.digest
BODY: Final = Body("KZ", "KZ-GOV")


@pytest.fixture(autouse=True)
def _new_process() -> Iterator[None]:
    """What other tests had verified is verified again."""
    chain.forget()
    yield
    chain.forget()


@cache
def people() -> tuple[Credential, ...]:
    """Officers of two bodies."""
    authorised = issue(KZ.body.credential, KZ.body.key, "MFA", "certify", body=Body("KZ", "KZ-MFA"))
    theirs = [issue(authorised.credential, authorised.key, f"theirs {i}", purpose).credential for i in range(3) for purpose in ("open", "act")]
    ours = [KZ.officer(f"ours {i}", purpose).credential for i in range(20) for purpose in ("open", "seal", "act")]
    return (authorised.credential, *theirs, *ours)


@cache
def whole(version: int = 1) -> Roster:
    """All of them in a roster of some 300 KB; later versions have one more each."""
    more = [KZ.officer(f"later {number}").credential for number in range(2, version + 1)]
    return KZ.roster(*people(), *more, version=version)


class Kept:
    """A roster in a folder, and how it is opened."""

    def __init__(self, folder: Path, roster: Roster) -> None:
        folder.mkdir(exist_ok=True)
        self.path = folder / roster_name(roster)
        self.index = self.path.with_suffix(".index")
        self.told: list[str] = []
        keep_roster(folder, roster, at=AT)

    def open(self, pin: bytes = PIN, *, keep: bool = True, at: int = AT) -> KeptBook:
        return open_book(self.path, pin, Opening(at=at, tell=self.told.append, read=check_roster, keep=keep))

    def forged(self, *statements: str) -> None:
        """The index, after somebody with SQLite and this program was at it."""
        with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as rows:
            rows.deserialize(self.index.read_bytes()[32:])
            for statement in statements:
                rows.execute(statement)
            made = rows.serialize()
        self.index.write_bytes(digest(labels.DIGEST_INDEX, made) + made)


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    made = Kept(tmp_path / "rosters", whole())
    chain.forget()  # whoever is the first to ask for the roster has made it here, and so verified it
    return made


@pytest.fixture
def long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rosters count as long: they are not read whole when they are opened."""
    monkeypatch.setattr(book, "_SMALL", 0)


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Digests of the keys that verify a signature, as they do."""
    keys: list[bytes] = []
    verify = VerifyKey.verify

    def counted(self: VerifyKey, signature: bytes, message: bytes, context: bytes) -> None:
        keys.append(self.key_digest)
        verify(self, signature, message, context)

    monkeypatch.setattr(VerifyKey, "verify", counted)
    return keys


# -- looking up -----------------------------------------------------------------------------------------------------------


def test_it_says_what_the_roster_says(kept: Kept) -> None:
    found, said = kept.open(), whole()
    assert (found.party, found.version, found.issued_at, found.expires_at) == (said.party, said.version, said.issued_at, said.expires_at)
    assert (found.digest, found.raw, found.roots, found.root) == (said.digest, said.raw, said.roots, said.root)
    assert found.outlines == said.outlines
    assert dict(found.credentials) == dict(said.credentials)
    assert len(found.credentials) == len(said.credentials) == 69
    assert found.credentials.get(bytes(32)) is None
    assert bytes(32) not in found.credentials
    for body in (BODY, Body("KZ", "KZ-MFA"), Body("KZ", "KZ-NONE"), Body("BY", "KZ-GOV")):
        for purpose in ("open", "act", "certify", "roster", "register"):
            assert found.of_body(body, purpose) == said.of_body(body, purpose), (body, purpose)
    for credential in people()[:5]:
        assert found.with_key(credential.key.key_digest) == said.with_key(credential.key.key_digest) == [credential]
    assert found.with_key(bytes(32)) == said.with_key(bytes(32)) == []
    assert [o.half for o in found.outlines] == [c.key.raw[-32:] for c in said.credentials.values()]
    assert [o.lattice for o in found.outlines] == [digest(labels.DIGEST_PUBLIC_KEY, c.key.raw[:-32]) for c in said.credentials.values()]
    assert kept.told == []


def test_only_what_is_looked_up_is_verified_and_once(kept: Kept, verified: list[bytes]) -> None:
    found = kept.open()
    assert verified == [], "the root was read in this process before"
    credential = people()[-1]
    assert found.credentials[credential.digest] == credential
    assert verified == [KZ.root.custodians[0].key.key_digest, KZ.body.credential.key.key_digest]
    assert len(found.of_body(BODY, "open")) == 20
    assert len(verified) == 22
    assert len(kept.open().of_body(BODY, "open")) == 20
    assert len(verified) == 22, "opened again in the same process"
    chain.forget()
    assert len(kept.open().of_body(BODY, "open")) == 20
    assert len(verified) == 22 + 21, "and in another"


def test_it_stays_readable_when_the_next_one_takes_its_place(kept: Kept) -> None:
    found = kept.open()
    for path in (kept.path, kept.index):
        path.unlink()
    assert found.credentials[people()[3].digest] == people()[3]


# -- what was damaged -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [0, 31, 32, 100, 4096, 9999, -1])
def test_a_damaged_index_is_made_anew_and_told(kept: Kept, at: int) -> None:
    right = kept.index.read_bytes()
    kept.index.write_bytes(flipped(right, at % len(right)))
    assert dict(kept.open().credentials) == dict(whole().credentials)
    assert kept.told == [f"making the index of {str(kept.path)!r} anew: it is damaged"]
    kept.open()
    assert len(kept.told) == 1, "told once, since it is whole again"
    assert kept.index.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("length", [0, 31, 32, 33, 5000])
def test_a_part_of_an_index_is_no_index(kept: Kept, length: int) -> None:
    kept.index.write_bytes(kept.index.read_bytes()[:length])
    assert kept.open().outlines == whole().outlines
    assert "damaged" in kept.told[0]


def test_what_is_no_database_is_no_index(kept: Kept) -> None:
    for content in (b"", b"SQLite format 3\0", b"x" * 5000):
        kept.index.write_bytes(digest(labels.DIGEST_INDEX, content) + content)
        assert kept.open().outlines == whole().outlines
    assert len(kept.told) == 3


def test_a_missing_index_is_made_anew(kept: Kept) -> None:
    kept.index.unlink()
    assert kept.open().outlines == whole().outlines
    assert kept.told == [f"making the index of {str(kept.path)!r} anew: it is not there"]
    assert kept.index.is_file()


def test_an_index_of_another_version_of_this_program_is_made_anew(kept: Kept) -> None:
    kept.forged("PRAGMA user_version = 99")
    kept.open()
    kept.forged("DROP TABLE root")
    kept.open()
    kept.forged("DELETE FROM roster")
    assert kept.open().outlines == whole().outlines
    assert [told.rpartition(": ")[2] for told in kept.told] == ["another version of this program made it", "it cannot be read", "it cannot be read"]


def test_in_a_folder_that_cannot_be_written_it_is_made_anew_each_time(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_path: Path, _index: bytes) -> None:
        message = "no space is left"
        raise Unavailable(message)

    monkeypatch.setattr(book, "_put", full)
    kept.index.unlink()
    for _ in range(2):
        assert kept.open().outlines == whole().outlines
    assert len(kept.told) == 2
    assert not kept.index.exists()


def test_it_is_not_written_down_by_who_only_looks(kept: Kept) -> None:
    kept.index.unlink()
    assert kept.open(keep=False).outlines == whole().outlines
    assert not kept.index.exists()


def test_a_damaged_roster_without_its_index_is_told(kept: Kept) -> None:
    kept.index.unlink()
    raw = kept.path.read_bytes()
    kept.path.write_bytes(flipped(raw, len(raw) - 1))
    with pytest.raises(NotAuthentic, match=r"KZ-000001\.vls"):
        kept.open()
    kept.path.write_bytes(flipped(raw, 0))
    with pytest.raises(Malformed, match=r"KZ-000001\.vls"):
        kept.open()
    kept.path.unlink()
    with pytest.raises(Unavailable):
        kept.open()


@pytest.mark.parametrize("at", [0, 500, 150_000, -1, -5000])
def test_a_short_roster_that_was_damaged_is_noticed_when_it_is_opened(kept: Kept, at: int) -> None:
    raw = kept.path.read_bytes()
    kept.path.write_bytes(flipped(raw, at % len(raw)))
    with pytest.raises((Malformed, NotAuthentic)):
        kept.open()


def place_of(credential: Credential) -> int:
    return whole().raw.index(credential.raw)


@pytest.mark.usefixtures("long")
def test_damage_in_a_long_roster_is_noticed_where_it_is_used_and_nowhere_else(kept: Kept) -> None:
    bad, good = people()[10], people()[11]
    raw = kept.path.read_bytes()
    for within in (0, 1000, len(bad.raw) - 1):
        kept.path.write_bytes(flipped(raw, place_of(bad) + within))
        found = kept.open()
        assert found.credentials[good.digest] == good
        for _ in range(2):
            with pytest.raises(Malformed, match=r"KZ-000001\.vls.* not as it was") as caught:
                _ = found.credentials[bad.digest]
            assert "roster import" in caught.value.hint
        with pytest.raises(Malformed, match="not as it was"):
            _ = found.raw
    assert kept.told == []


@pytest.mark.usefixtures("long")
def test_another_roster_in_its_place_is_noticed_when_it_is_opened(kept: Kept) -> None:
    other = replace(whole(2)).raw
    same_length = KZ.roster(*people(), issued_at=NOW + 1)
    assert len(same_length.raw) == len(whole().raw)
    for raw, digest_ in ((other, whole(2).digest), (same_length.raw, same_length.digest), (whole().raw, whole().digest)):
        kept.path.write_bytes(raw)
        assert kept.open().digest == digest_
    assert [told.rpartition(": ")[2] for told in kept.told] == ["it was made from another roster"] * 3


def test_a_shorter_roster_does_not_crash(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book, "_SMALL", 0)
    found = kept.open()
    with kept.path.open("r+b") as file:
        file.truncate(1000)
    with pytest.raises(Malformed, match="not as it was"):
        _ = found.credentials[people()[-1].digest]
    with pytest.raises(Malformed):
        kept.open()


# -- what is believed of an index -----------------------------------------------------------------------------------------


def test_only_the_pinned_root_is_believed(kept: Kept) -> None:
    for pin in (bytes(32), party("BY").root.digest):
        with pytest.raises(NotAuthentic, match=r"KZ-000001\.vls.*not the pinned"):
            kept.open(pin)
    assert kept.told == [], "another index would not help"


def test_a_root_in_a_forged_index_is_checked(kept: Kept) -> None:
    altered = flipped(KZ.root.raw, len(KZ.root.raw) - 1)
    kept.forged(f"UPDATE root SET raw = x'{altered.hex()}'")  # noqa: S608 - digits
    with pytest.raises(NotAuthentic):
        kept.open()
    right = f"UPDATE root SET raw = x'{KZ.root.raw.hex()}'"  # noqa: S608 - digits
    kept.forged(right, "UPDATE roster SET party = 'BY'")
    with pytest.raises(Refused, match="has the root of KZ"):
        kept.open()


@pytest.mark.usefixtures("long")
def test_a_credential_in_a_forged_index_is_checked_up_to_the_root(kept: Kept) -> None:
    """Somebody writes a stranger's credential into the roster, and into its index: nobody takes it for one of this party."""
    stranger = issue(party("BY").body.credential, party("BY").body.key, "stranger", "seal", body=Body("BY", "BY-GOV")).credential
    place = len(whole().raw)
    raw = whole().raw + stranger.raw
    kept.path.write_bytes(raw)
    columns = f"x'{stranger.digest.hex()}', {place}, {len(stranger.raw)}, 0, x'00', 'KZ-GOV', 'seal', 'x', x'00', x'', x'', 0, 1"
    tail = raw[-4096:].hex()
    kept.forged(f"INSERT INTO credential VALUES ({columns})", f"UPDATE roster SET size = {len(raw)}, tail = x'{tail}'")  # noqa: S608 - digits
    found = kept.open()
    with pytest.raises(NotAuthentic, match="not in the roster"):
        _ = found.credentials[stranger.digest]
    with pytest.raises(NotAuthentic, match="not in the roster"):
        found.of_body(BODY, "seal")


def test_what_a_forged_index_says_of_dates_and_of_what_is_missing_is_believed_and_doctor_tells(kept: Kept) -> None:
    """The limit: an office's folder is its owner's. Who can write it can pin another root, too."""
    kept.forged("UPDATE roster SET expires_at = expires_at + 1", "DELETE FROM credential WHERE purpose = 'open'")
    found = kept.open()
    assert found.expires_at == whole().expires_at + 1
    assert found.of_body(BODY, "open") == []
    assert index_faults(kept.path, whole()) == ("it says something else than the roster", True)


def test_doctor_is_told_of_an_index_that_will_be_made_anew(kept: Kept) -> None:
    assert index_faults(kept.path, whole()) == ("", False)
    assert index_faults(kept.path, whole(2)) == ("it was made from another roster", False)
    kept.index.write_bytes(b"")
    assert index_faults(kept.path, whole()) == ("it is damaged", False)
    kept.index.unlink()
    assert index_faults(kept.path, whole()) == ("it is not there", False)


# -- what was designated --------------------------------------------------------------------------------------------------


def test_what_was_designated_is_kept_and_checked_again(tmp_path: Path) -> None:
    said = KZ.roster(*people(), designations=[KZ.designate("KZ-B"), KZ.designate("KZ-C", "confirming", number=2, replaces="KZ-B")], version=3)
    found = Kept(tmp_path / "rosters", said).open()
    assert found.designations == said.designations
    assert Kept(tmp_path / "none", whole()).open().designations == ()
    for at in (NOW - 1, NOW):
        assert Trust([found]).designated("KZ", "competent", ["KZ-A"], at) == Trust([said]).designated("KZ", "competent", ["KZ-A"], at)


def test_a_designation_that_nobody_signed_is_not_believed_of_an_index(tmp_path: Path) -> None:
    """Somebody writes into the index that another body is competent."""
    kept = Kept(tmp_path / "rosters", KZ.roster(*people(), designations=[KZ.designate("KZ-B")], version=4))
    forged = party("BY").designate("BY-C").raw
    kept.forged(f"UPDATE designation SET raw = x'{forged.hex()}'")  # noqa: S608 - hexadecimal digits
    with pytest.raises(NotAuthentic, match="who designates is not a root of this roster"):
        _ = kept.open().designations


# -- what was revoked -----------------------------------------------------------------------------------------------------


@cache
def revoked() -> Roster:
    """The same people: one suspended and restored, one retired, one whose key was lost, in two credentials; by the body, and by the root."""
    suspended, retired = people()[10:12]
    lost = KZ.officer("lost", "act", valid_from=BEGIN + DAY).credential
    former = KZ.officer("former", "countersign", public_key=lost.key.raw, valid_until=BEGIN + DAY).credential
    said = [
        KZ.revoke(suspended, "suspended", NOW - 9),
        KZ.revoke(suspended, "restored", NOW - 7, number=2),
        KZ.revoke(retired, "retired", NOW - 6, number=3),
        KZ.revoke(lost, "compromised", NOW - 5, number=4),
        KZ.revoke(former, "compromised", NOW - 8, by_root=True),
    ]
    return KZ.roster(*people(), lost, former, revocations=said)


@pytest.mark.parametrize("all_first", [False, True])
def test_what_was_revoked_is_found_by_credential_and_by_key(tmp_path: Path, all_first: bool) -> None:  # noqa: FBT001 - a parameter
    found, said = Kept(tmp_path / "rosters", revoked()).open(), revoked()
    if all_first:
        assert found.revocations == said.revocations
    for name, credential in said.credentials.items():
        assert found.history(found.credentials[name]) == said.history(credential)
    assert found.revocations == said.revocations
    assert sum(bool(found.history(c)) for c in found.credentials.values()) == 4
    believed, remembered = Trust([found]), Trust([said])
    for credential in said.credentials.values():
        for at in range(NOW - 10, NOW + 1):
            assert believed.in_force(credential, at) == remembered.in_force(credential, at)


def test_only_the_revocations_that_matter_are_verified(tmp_path: Path, verified: list[bytes]) -> None:
    found = Kept(tmp_path / "rosters", revoked()).open()
    suspended, *_, nothing = people()[10:]
    for credential in (nothing, suspended):
        assert found.credentials[credential.digest] == credential
    before = len(verified)
    assert not found.history(nothing)
    assert len(verified) == before
    for _ in range(2):
        assert len(found.history(suspended).revocations) == 2
        assert len(verified) == before + 2, "once each"


@pytest.mark.usefixtures("long")
def test_a_damaged_revocation_is_told_where_it_matters(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "rosters", revoked())
    retired, nothing = people()[11], people()[-1]
    (bad,) = revoked().history(retired).revocations
    raw = kept.path.read_bytes()
    kept.path.write_bytes(flipped(raw, raw.index(bad.raw) + 20))
    found = kept.open()
    assert not found.history(nothing)
    with pytest.raises(Malformed, match=r"KZ-000001\.vls.* a revocation in it is not as it was") as caught:
        found.history(retired)
    assert "roster import" in caught.value.hint
    with pytest.raises(Malformed):
        _ = found.revocations


@pytest.mark.usefixtures("long")
def test_a_revocation_in_a_forged_index_is_checked(tmp_path: Path) -> None:
    """A stranger's says nothing of an officer of this party, and one of another officer nothing of this one."""
    kept = Kept(tmp_path / "rosters", revoked())
    target, other = people()[20], party("BY")
    theirs = other.revoke(other.officer("x").credential)
    raw = kept.path.read_bytes() + theirs.raw
    kept.path.write_bytes(raw)
    row = f"99, x'{theirs.digest.hex()}', {len(raw) - len(theirs.raw)}, {len(theirs.raw)}, x'{target.digest.hex()}', 'retired', 1, x'00'"
    kept.forged(f"INSERT INTO revocation VALUES ({row})", f"UPDATE roster SET size = {len(raw)}, tail = x'{raw[-4096:].hex()}'")  # noqa: S608 - digits
    with pytest.raises(NotAuthentic, match="who revokes is not in the roster"):
        kept.open().history(target)
    kept.forged(
        "DELETE FROM revocation WHERE ordinal = 99",
        f"UPDATE revocation SET credential = x'{target.digest.hex()}' WHERE kind = 'retired'",  # noqa: S608 - digits
    )
    assert not kept.open().history(target)


def test_that_nothing_was_revoked_is_believed_of_an_index_and_doctor_tells(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "rosters", revoked())
    kept.forged("DELETE FROM revocation")
    found = kept.open()
    assert found.revocations == ()
    assert not found.history(people()[11])
    assert index_faults(kept.path, revoked()) == ("it says something else than the roster", True)


# -- keeping --------------------------------------------------------------------------------------------------------------


def test_until_it_has_its_name_nothing_counts_and_nothing_is_left(kept: Kept) -> None:
    folder = kept.path.parent
    before = sorted(folder.iterdir())
    with contextlib.closing(NewBook(folder, whole(2), at=AT, before=kept.open())):
        assert [path.name for path in sorted(folder.iterdir()) if path not in before] == ["KZ-000002.index"]
    assert sorted(folder.iterdir()) == before


def test_an_index_that_a_killed_command_left_is_written_over(kept: Kept) -> None:
    folder = kept.path.parent
    (folder / "KZ-000002.index").write_bytes(b"left")
    keep_roster(folder, whole(2), at=AT, before=kept.open())
    assert open_book(folder / "KZ-000002.vls", PIN, Opening(at=AT, tell=pytest.fail, read=check_roster, keep=True)).version == 2


def test_another_roster_of_that_name_stays(kept: Kept) -> None:
    before = kept.index.read_bytes()
    with pytest.raises(Refused, match="exists already"):
        keep_roster(kept.path.parent, KZ.roster(version=1), at=AT)
    assert kept.index.read_bytes() == before
    assert kept.path.read_bytes() == whole().raw


def test_since_when_a_credential_is_known_here(kept: Kept) -> None:
    folder, first = kept.path.parent, kept.open()
    keep_roster(folder, whole(2), at=AT + DAY, before=first)
    later = Kept.__new__(Kept)
    later.path, later.index, later.told = folder / "KZ-000002.vls", folder / "KZ-000002.index", []
    (new,) = set(whole(2).credentials) - set(whole().credentials)
    for _ in range(2):
        found = later.open(at=AT + 9 * DAY)
        assert found.known_since(people()[0].digest) == first.known_since(people()[0].digest) == AT
        assert first.known_since(new) is None
        assert found.known_since(bytes(32)) is None
        since = found.known_since(new)
        assert since == (AT + 9 * DAY if later.told else AT + DAY), "what no other index knows is known since it was made anew"
        later.index.unlink()
    for path in folder.glob("*.index"):
        path.unlink()
    assert set(later.open(at=AT + 10 * DAY).all_known_since().values()) == {AT + 10 * DAY}


# -- in an office ---------------------------------------------------------------------------------------------------------


def newer(by: Office, at: int = AT) -> Path:
    """The next roster of Belarus, with one officer more."""
    officer = NewOfficer(name=f"new{at}", names={"en": "New"}, purposes=("open",), clearance="2")
    certify_officer(by, officer, at=at, validity=YEAR, random=lambda size: digest(labels.DIGEST_INDEX, str(at).encode())[:size], passphrase=None)
    publish_roster(by, at=at, validity=YEAR)
    return max((by.home / "rosters").glob("BY-*.vls"))


def files(office: Office) -> list[str]:
    return sorted(path.name for path in (office.home / "rosters").iterdir())


def again(office: Office, tell: Callable[[str], None] = pytest.fail) -> Office:
    """The office in another process."""
    return Office(office.home, lambda: "", tell=tell)


def test_found_published_and_imported_rosters_have_their_index(acquainted: tuple[Office, Office]) -> None:
    kz, by = acquainted
    assert import_roster(kz, newer(by), None, at=AT)[1]
    assert files(kz) == [f"{name}.{ending}" for name in ("BY-000001", "BY-000002", "KZ-000001", "KZ-000002") for ending in ("index", "vls")]
    for office in acquainted:
        assert [trusted.version for trusted in again(office).trust.rosters.values()] == [2, 2] if office is kz else [2, 1]


def test_the_same_roster_again_mends_the_one_that_was_damaged(acquainted: tuple[Office, Office], long: None, tmp_path: Path) -> None:
    kz, _ = acquainted
    path = kz.home / "rosters" / "BY-000001.vls"
    right = path.read_bytes()
    (tmp_path / "BY.vls").write_bytes(right)
    path.write_bytes(flipped(right, len(right) // 2))
    assert import_roster(again(kz), tmp_path / "BY.vls", None, at=AT)[1] is False
    assert path.read_bytes() == right


def test_an_import_that_ended_before_the_roster_had_its_name_leaves_the_old_one_in_force(acquainted: tuple[Office, Office]) -> None:
    kz, by = acquainted
    path = newer(by)
    shutil.copy(path.with_suffix(".index"), kz.home / "rosters")
    assert again(kz).trust.rosters["BY"].version == 1
    assert import_roster(again(kz), path, None, at=AT)[1]
    assert again(kz).trust.rosters["BY"].version == 2


def test_a_roster_that_came_without_its_index_is_checked_and_gets_one(acquainted: tuple[Office, Office]) -> None:
    """As it lies in an office of an earlier version of this program, or in one restored from a backup of the `.vls` files."""
    kz, _ = acquainted
    for path in (kz.home / "rosters").glob("*.index"):
        path.unlink()
    told: list[str] = []
    assert len(again(kz, told.append).trust.rosters) == 2
    assert len(told) == 2
    assert len(again(kz).trust.rosters) == 2


def test_a_credential_of_which_only_the_index_knows_the_place_is_found_by_sealing(acquainted: tuple[Office, Office]) -> None:
    kz, by = acquainted
    openers = kz.trust.of_body(by.body, "open")
    assert [c.title for c in sorted(openers, key=lambda c: c.title)] == ["Aliya", "Bolat"]
    assert [kz.trust.credential(c.digest) for c in openers] == openers


# -- ten thousand ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_roster_of_many_credentials_is_checked_by_several_processes_kept_and_found(tmp_path: Path) -> None:
    many = tuple(KZ.officer(f"one of many {number}", "act").credential for number in range(1100))
    raw = KZ.roster(*many).raw
    chain.forget()
    roster = check_roster(raw, PIN, jobs=2)
    kept = Kept(tmp_path / "rosters", roster)
    chain.forget()
    started = time.perf_counter()
    found = kept.open()
    assert len(found.credentials) == 1102
    assert found.credentials[many[77].digest] == many[77]
    assert [c.digest for c in found.of_body(BODY, "act")] == sorted(c.digest for c in many)
    assert time.perf_counter() > started
    assert index_faults(kept.path, roster) == ("", False)


# -- revocations ----------------------------------------------------------------------------------------------------------


def victims() -> tuple[Credential, Credential, Credential]:
    """Three officers of the competent body, who seal."""
    first, second, third = (c for c in people()[7:16] if c.purpose == "seal")
    return first, second, third


@cache
def revoking() -> Roster:
    """A roster in which some are revoked: in two series, one more than once, and one by a key that stands in another credential."""
    first, second, third = victims()
    later = KZ.officer("later", "act", public_key=first.key.raw, valid_from=NOW).credential
    revocations = [
        KZ.revoke(KZ.body.credential, "retired", NOW, by_root=True),
        KZ.revoke(first, "compromised", NOW - 5, issued_at=NOW),
        KZ.revoke(second, "suspended", NOW, number=2),
        KZ.revoke(second, "restored", NOW + 5, number=3),
        KZ.revoke(third, "retired", NOW + 9, number=4, reason="left"),
        KZ.revoke(second, "retired", NOW + 9, number=5),
    ]
    return KZ.roster(*people(), later, revocations=revocations)


@pytest.fixture
def with_revocations(tmp_path: Path) -> Kept:
    return Kept(tmp_path / "rosters", revoking())


def test_revocations_are_found_as_in_the_roster(with_revocations: Kept) -> None:
    found, said = with_revocations.open(), revoking()
    assert found.revocations == said.revocations
    histories = [(found.history(c), said.history(c)) for c in said.credentials.values()]
    assert [one for one, _ in histories] == [other for _, other in histories]
    assert sum(bool(one) for one, _ in histories) == 5, "the body, three officers, and the other credential of the stolen key"
    assert with_revocations.told == []
    assert index_faults(with_revocations.path, said) == ("", False)


def test_only_the_revocations_that_are_asked_for_are_verified_and_once(with_revocations: Kept, verified: list[bytes]) -> None:
    found = with_revocations.open()
    _, second, _ = victims()
    credential = found.credentials[second.digest]
    before = len(verified)
    assert [one.kind for one in found.history(credential).revocations] == ["suspended", "restored", "retired"]
    assert verified[before:].count(KZ.body.key.key_digest) == 3
    before = len(verified)
    found.history(credential)
    assert len(verified) == before


@pytest.mark.usefixtures("long")
def test_damage_in_a_revocation_is_noticed_where_it_is_used(with_revocations: Kept) -> None:
    first, second, third = victims()
    bad = revoking().history(third).revocations[0]
    raw = with_revocations.path.read_bytes()
    with_revocations.path.write_bytes(flipped(raw, raw.index(bad.raw) + 100))
    found = with_revocations.open()
    assert len(found.history(second).revocations) == 3
    assert found.history(first).compromised is not None
    with pytest.raises(Malformed, match=r"KZ-000001\.vls.* a revocation in it is not as it was"):
        found.history(third)


@pytest.mark.usefixtures("long")
def test_a_revocation_that_a_forged_index_adds_is_checked(with_revocations: Kept) -> None:
    """Somebody writes into roster and index that an officer was restored: it is not signed by who revoked him."""
    _, _, third = victims()
    forged = KZ.revoke(third, "compromised", NOW, number=6).raw
    forged = flipped(forged, len(forged) - 1)
    place = len(with_revocations.path.read_bytes())
    raw = with_revocations.path.read_bytes() + forged
    with_revocations.path.write_bytes(raw)
    name, of, key = (value.hex() for value in (digest(labels.DIGEST_STATEMENT, forged), third.digest, third.key.key_digest))
    columns = f"6, x'{name}', {place}, {len(forged)}, x'{of}', 'compromised', {NOW}, x'{key}'"
    with_revocations.forged(f"INSERT INTO revocation VALUES ({columns})", f"UPDATE roster SET size = {len(raw)}, tail = x'{raw[-4096:].hex()}'")  # noqa: S608 - digits
    found = with_revocations.open()
    with pytest.raises(NotAuthentic):
        found.history(found.credentials[third.digest])


def test_a_revocation_that_a_forged_index_hides_is_hidden_and_doctor_tells(with_revocations: Kept) -> None:
    """The limit: as with all that an index says to be missing."""
    with_revocations.forged("DELETE FROM revocation")
    found = with_revocations.open()
    assert not found.history(found.credentials[victims()[2].digest])
    assert index_faults(with_revocations.path, revoking()) == ("it says something else than the roster", True)
