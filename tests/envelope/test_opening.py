"""Opening: whose key, which manifest, and that all is released together or nothing (specs/envelope.md, Reading 10 to 15)."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.support.tamper import flipped, more, put, split
from tests.support.world import DAY, EXPIRES, HOUR, OPENED, SEALED, VALID_FROM, VALID_UNTIL, Exchange, Piece, World, rewrap_body, say

from valiza.envelope import opening
from valiza.envelope.opening import open_envelope, unseal_manifest
from valiza.envelope.rewrap import read_rewrap
from valiza.keys import labels
from valiza.keys.errors import Malformed, NoKey, NotAuthentic, Refused
from valiza.keys.files import new_folder, require_space

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.tamper import Hook
    from tests.support.world import Forged

SALT, CORE, CARRIERS, PAD, BASIS, PURPOSE, TERM, CAVEATS, REFERENCES, DETAIL, EXTENSIONS = range(11)


# -- good ----------------------------------------------------------------------------------------------------------------


def test_every_addressee_opens_it(world: World, tmp_path: Path) -> None:
    forged = world.plan().seal()
    for name in ("chief", "deputy"):
        opened = world.open(forged.container, tmp_path / name, by=world.destination[name])
        assert (tmp_path / name / "письмо.txt").read_bytes() == b"the bridge at the border\n"
        assert opened.opening.expectation == forged.expectation
        assert opened.opening.credential == world.destination[name].open.digest
        assert opened.opening.opened_at == OPENED
        assert opened.opening.rewrap is None
        assert opened.unsealed.marks == world.marks(world.code)


def test_files_are_private_and_hold_nothing_but_their_bytes(world: World, tmp_path: Path) -> None:
    world.open(world.plan().seal().container, tmp_path / "out")
    (entry,) = (tmp_path / "out").iterdir()
    assert entry.stat().st_mode & 0o7777 == 0o600
    assert entry.stat().st_nlink == 1
    assert not entry.is_symlink()


def test_remarks_of_the_manifest_are_ignored(world: World, tmp_path: Path) -> None:
    opened = world.open(world.plan().seal(manifest=put({"~note": [1]}, EXTENSIONS)).container, tmp_path / "out")
    assert opened.manifest.extensions == {"~note": [1]}


def test_opening_goes_on_with_expired_rosters(world: World, tmp_path: Path) -> None:
    late = world.trusting(world.origin.roster_of(expires_at=SEALED + 1), world.destination.roster_of(expires_at=SEALED + 1))
    late.open(late.plan().seal().container, tmp_path / "out")
    world.open(world.plan().seal().container, tmp_path / "out 2", at=EXPIRES + DAY)


def test_files_after_a_parcel(world: World, tmp_path: Path) -> None:
    """What travels beside the envelope has a place in the list, and nothing in the payload."""
    marks = world.marks(world.code)
    pieces = (Piece("a", b"one", marks), Piece("parcel", None, marks), Piece("b", b"two", marks))
    forged = world.plan(pieces=pieces).seal()
    assert world.open(forged.container, tmp_path / "out").opening.expectation == forged.expectation
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == {"a": b"one", "b": b"two"}


def test_only_who_opens_by_a_rewrap_names_it(kz_by: World, tmp_path: Path) -> None:
    forged = kz_by.plan().seal()
    chief, clerk = kz_by.destination["chief"], kz_by.destination["clerk"]
    raw = say(labels.REWRAP, rewrap_body(kz_by, forged, forged.payload_key, addressee=chief, recipient=clerk), chief)
    rewrap = read_rewrap(raw, signed=kz_by.verify(forged.container).signed, trust=kz_by.trust, degree=None, skew=0)
    assert kz_by.open(forged.container, tmp_path / "clerk", by=clerk, rewrap=rewrap).opening.rewrap == raw
    assert kz_by.open(forged.container, tmp_path / "chief", by=chief, rewrap=rewrap).opening.rewrap is None


def test_one_key_of_several_is_enough(world: World) -> None:
    verified = world.verify(world.plan().seal().container)
    officers = [world.destination[name] for name in ("clerk", "deputy", "junior")]
    identities = {officer.open.digest: officer.identity for officer in officers}
    unsealed = unseal_manifest(verified, own=world.destination.ministry, identities=identities, trust=world.trust, trust_rewrap=None, at=OPENED)
    assert unsealed.opener.title == "deputy"


# -- step 10: whose key --------------------------------------------------------------------------------------------------


def test_another_body_cannot_open(kz_by: World) -> None:
    forged = kz_by.plan().seal()
    for own in (kz_by.destination["banker"].body, kz_by.origin.ministry, kz_by.third.ministry):
        with pytest.raises(Refused, match=f"addressed to BY/BY-MFA, and this is {own}"):
            kz_by.unseal(forged.container, own=own)


def test_no_addressee(world: World) -> None:
    with pytest.raises(NoKey, match="none is an addressee's"):
        world.unseal(world.plan().seal().container, by=world.destination["clerk"])


def test_no_key_at_all(world: World) -> None:
    verified = world.verify(world.plan().seal().container)
    with pytest.raises(NoKey):
        unseal_manifest(verified, own=world.destination.ministry, identities={}, trust=world.trust, trust_rewrap=None, at=OPENED)


def test_addressee_who_left_while_it_travelled(world: World) -> None:
    plan = world.plan(addressees=(world.destination["leaving"].open, world.destination["deputy"].open))
    leaving, deputy = world.destination["leaving"], world.destination["deputy"]
    container = plan.seal().container
    world.unseal(container, by=leaving, at=leaving.open.valid_until - 1)
    with pytest.raises(Refused, match=r"open credential of 'leaving' .* is expired at the time of opening"):
        world.unseal(container, by=leaving)
    world.unseal(container, by=deputy)
    both = {leaving.open.digest: leaving.identity, deputy.open.digest: deputy.identity}
    unsealed = unseal_manifest(world.verify(container), own=deputy.body, identities=both, trust=world.trust, trust_rewrap=None, at=OPENED)
    assert unsealed.opener.title == "deputy"


def test_the_first_of_several_keys_is_used(world: World) -> None:
    """In the header's order, whichever comes first here."""
    officers = [world.destination[name] for name in ("deputy", "chief")]
    first = min(officers, key=lambda officer: officer.open.digest)
    verified = world.verify(world.plan().seal().container)
    for some in (officers, officers[::-1]):
        identities = {officer.open.digest: officer.identity for officer in some}
        unsealed = unseal_manifest(verified, own=first.body, identities=identities, trust=world.trust, trust_rewrap=None, at=OPENED)
        assert unsealed.opener == first.open


@pytest.mark.parametrize(
    ("valid", "at", "usable"),
    [
        ((SEALED, VALID_UNTIL), SEALED, True),
        ((SEALED, VALID_UNTIL), SEALED - 1, False),
        ((VALID_FROM, OPENED), OPENED - 1, True),
        ((VALID_FROM, OPENED), OPENED, False),
        ((VALID_FROM, OPENED), OPENED + 1, False),
    ],
    ids=["from now on", "from the next second on", "until the next second", "until now", "until a second ago"],
)
def test_a_key_out_of_its_time_gives_way_to_another(kz_by: World, valid: tuple[int, int], at: int, usable: bool) -> None:  # noqa: FBT001 - a case
    """The other one comes after it in the header, so that it is not taken for coming first."""
    other = max((kz_by.destination[name] for name in ("chief", "deputy", "clerk")), key=lambda officer: officer.open.digest)
    drawn = (kz_by.destination.appoint(f"limited {n}", clearance="1", valid=valid) for n in itertools.count())
    limited = next(officer for officer in drawn if officer.open.digest < other.open.digest)
    world = kz_by.trusting(kz_by.destination.roster_of([limited]))
    verified = world.verify(replace(world.plan(), world=world, addressees=(limited.open, other.open)).seal().container)
    identities = {officer.open.digest: officer.identity for officer in (limited, other)}
    unsealed = unseal_manifest(verified, own=other.body, identities=identities, trust=world.trust, trust_rewrap=None, at=at)
    assert unsealed.opener == (limited.open if usable else other.open)


def test_stanza_that_does_not_open(world: World) -> None:
    """A hostile origin can lock one addressee out; the others do not notice, and he says so."""
    chief, deputy = world.destination["chief"], world.destination["deputy"]

    def hook(items: list[Any]) -> list[Any]:
        for item in items:
            if item[0] == chief.open.digest:
                item[1] = flipped(item[1], -1 % len(item[1]))
        return items

    container = world.plan().seal(stanzas=hook).container
    with pytest.raises(NotAuthentic, match="does not open with the key it is addressed to"):
        world.unseal(container, by=chief)
    world.unseal(container, by=deputy)


def test_key_file_that_is_not_the_certified_one(world: World) -> None:
    chief, clerk = world.destination["chief"], world.destination["clerk"]
    with pytest.raises(NotAuthentic):
        world.unseal(world.plan().seal().container, by=replace(chief, identity=clerk.identity))


def test_key_that_the_streams_were_not_encrypted_with(world: World) -> None:
    forged = world.plan().seal(stream_key=bytes(32))
    with pytest.raises(NotAuthentic, match="manifest does not decrypt"):
        world.unseal(forged.container)


# -- steps 11 to 13: the manifest ----------------------------------------------------------------------------------------


def test_altered_manifest_stream(world: World) -> None:
    sections = split(world.plan().seal().container)
    for at in (0, 40, 72, len(sections.manifest) - 1):
        with pytest.raises(NotAuthentic, match="manifest does not decrypt"):
            world.unseal(replace(sections, manifest=flipped(sections.manifest, at)).join())


@pytest.mark.parametrize("other", [bytes(32), b"\xff" * 32], ids=["least", "greatest"])
def test_manifest_of_another_digest(world: World, other: bytes) -> None:
    with pytest.raises(NotAuthentic, match="manifest is not the one signed"):
        world.unseal(world.plan().seal(dispatch=put(other, 3)).container)


def test_manifest_of_another_core(world: World) -> None:
    with pytest.raises(NotAuthentic, match="belongs to another envelope"):
        world.unseal(world.plan().seal(manifest=put(bytes(32), CORE)).container)


SIGNED_NONSENSE: dict[str, tuple[Hook, str]] = {
    "an item more": (more(0), "11 items"),
    "no carriers": (put([], CARRIERS), "carriers"),
    "no purpose": (put("", PURPOSE), "purpose"),
    "unknown extension": (put({"x": 0}, EXTENSIONS), "unknown extension"),
    "pad longer than the rule": (lambda items: put(items[PAD] + 1, PAD)(items), "rule gives"),
    "size wrong by one": (lambda items: put(items[CARRIERS][0][2] + 1, CARRIERS, 0, 2)(items), "length|rule gives"),
    "a carrier that is not there": (lambda items: put([items[CARRIERS][0], [*["b.txt"], *items[CARRIERS][0][1:]]], CARRIERS)(items), "length|rule"),
    "a carrier that is not listed": (lambda items: put(items[CARRIERS][1:], CARRIERS)(items), "length|rule gives"),
    "a file said to be physical": (
        lambda items: put([items[CARRIERS][1], items[CARRIERS][1]], CARRIERS)(items),
        "length|rule gives",
    ),
}


@pytest.mark.parametrize("case", SIGNED_NONSENSE)
def test_what_a_hostile_origin_signs_is_malformed_still(world: World, case: str) -> None:
    hook, message = SIGNED_NONSENSE[case]
    with pytest.raises(Malformed, match=message):
        world.unseal(world.plan().seal(manifest=hook).container)


def test_zeros_of_the_manifest_stream(world: World) -> None:
    with pytest.raises(Malformed, match="zeros"):
        world.unseal(world.plan().seal(plain=lambda p: p[:-1] + b"\x01").container)
    with pytest.raises(Malformed, match="length"):
        world.unseal(world.plan().seal(plain=lambda p: p + bytes(4096)).container)


def test_route_inside_and_outside(kz_by: World, three_four: World) -> None:
    """It stands in one place: under an open stamp outside, under a closed one inside."""
    with pytest.raises(Malformed, match="route where the stamp is open"):
        kz_by.unseal(kz_by.plan().seal(manifest=put(kz_by.route().packed(), DETAIL)).container)
    with pytest.raises(Malformed, match="none where it is closed"):
        three_four.unseal(three_four.plan().seal(manifest=put(None, DETAIL)).container)


def test_route_inside_that_the_closed_stamp_does_not_cover(three_four: World) -> None:
    for other in (three_four.route(escort="none"), three_four.route(reference="x"), three_four.route("C")):
        with pytest.raises(NotAuthentic, match="not the one that the closed stamp covers"):
            three_four.unseal(three_four.plan().seal(manifest=put(other.packed(), DETAIL)).container)


def test_what_a_closed_stamp_hid_is_permitted_too(three_four: World) -> None:
    """Who reads it first checks it: the route, and that every addressee, not only himself, is cleared to the mark."""
    route = three_four.route()
    with pytest.raises(Refused, match=r"transport method 'pigeon' is not allowed .*\(R13\)"):
        three_four.unseal(three_four.plan(route=replace(route, transport="pigeon")).seal().container)
    chief, junior = three_four.destination["chief"], three_four.destination["junior"]
    with pytest.raises(Refused, match=r"the addressee 'junior' is not cleared to .*\(A4.2, A5.1\)"):
        three_four.unseal(three_four.plan(addressees=(chief.open, junior.open)).seal().container, by=chief)


# -- step 14: the carriers -----------------------------------------------------------------------------------------------


def failing(world: World, forged: Forged, into: Path, message: str) -> None:
    """Opening fails as it should, and the folder that it filled is gone."""
    unsealed = world.unseal(forged.container)
    with pytest.raises(NotAuthentic, match=message), new_folder(into) as work:
        open_envelope(unsealed, into=work, at=OPENED)
    assert list(into.parent.iterdir()) == []


@pytest.mark.parametrize("other", [bytes(32), b"\xff" * 32], ids=["least", "greatest"])
def test_commitment_of_other_bytes(world: World, tmp_path: Path, other: bytes) -> None:
    """The signed digest is compared with what was decrypted (P14)."""
    failing(world, world.plan().seal(manifest=put(other, CARRIERS, 0, 3)), tmp_path / "out", "carrier with the index 0 is not the one")


def test_last_of_many_carriers_releases_none(world: World, tmp_path: Path) -> None:
    marks = world.marks(world.code)
    plan = world.plan(pieces=tuple(Piece(f"{n}.txt", bytes([n]) * 1000, marks) for n in range(5)))
    failing(world, plan.seal(manifest=put(bytes(32), CARRIERS, 4, 3)), tmp_path / "out", "carrier with the index 4 is not the one")


def test_stream_of_other_bytes(world: World, tmp_path: Path) -> None:
    """Signed by the origin as it is, and yet it does not decrypt: refused for its contents."""
    failing(world, world.plan().seal(payload=lambda p: flipped(p, 50)), tmp_path / "out", "does not decrypt")


def test_pad_that_is_not_zeros(three_four: World, tmp_path: Path) -> None:
    plan = three_four.plan(pieces=(Piece("a", bytes(1001), three_four.marks("B")),))
    failing(three_four, plan.seal(pad=lambda p: p[:-1] + b"\x01"), tmp_path / "out", "pad has a byte that is not zero")


def test_digest_of_the_payload_is_compared_too(world: World, tmp_path: Path) -> None:
    failing(world, world.plan().seal(dispatch=put(bytes(32), 2)), tmp_path / "out", "payload is not the one signed")


def test_carriers_that_changed_places(world: World, tmp_path: Path) -> None:
    marks = world.marks(world.code)
    plan = world.plan(pieces=(Piece("a", b"one", marks), Piece("b", b"two", marks)))

    def swap(payload: bytes) -> bytes:
        return payload[75:150] + payload[:75] + payload[150:]  # 72 + 3 bytes each

    failing(world, plan.seal(payload=swap), tmp_path / "out", "does not decrypt")


def test_names_that_changed_places(world: World, tmp_path: Path) -> None:
    """The commitment is of a place in the list: two carriers of one length cannot swap their names after it was made."""
    marks = world.marks(world.code)
    plan = world.plan(pieces=(Piece("a", b"one", marks), Piece("b", b"two", marks)))

    def swap(items: list[Any]) -> list[Any]:
        one, two = items[CARRIERS]
        one[3], two[3] = two[3], one[3]
        return items

    failing(world, plan.seal(manifest=swap), tmp_path / "out", "carrier with the index 0 is not the one")


def test_file_in_the_way(world: World, tmp_path: Path) -> None:
    """Nothing is written through what somebody put there."""
    unsealed = world.unseal(world.plan().seal().container)
    (tmp_path / "outside").write_bytes(b"untouched")
    work = tmp_path / "work"
    work.mkdir()
    (work / "письмо.txt").symlink_to(tmp_path / "outside")
    with pytest.raises(Refused, match="exists already"):
        open_envelope(unsealed, into=work, at=OPENED)
    assert (tmp_path / "outside").read_bytes() == b"untouched"


def test_progress_is_told_over_all_ciphertext(exchange: Exchange, tmp_path: Path) -> None:
    told = list[int]()
    unsealed = exchange.world.unseal(exchange.sealed.container)
    open_envelope(unsealed, into=tmp_path, at=OPENED, progress=told.append)
    assert sum(told) == unsealed.verified.signed.body.payload_length


def test_room_is_asked_for_as_files_take_it(kz_by: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file in whole blocks of 4096 bytes, and nothing for what is no file."""
    asked: list[tuple[Path, int]] = []

    def spy(folder: Path, wanted: int, what: str) -> None:
        asked.append((folder, wanted))
        require_space(folder, wanted, what)

    monkeypatch.setattr(opening, "require_space", spy)
    plan = kz_by.plan()
    marks = plan.pieces[0].marks
    sizes = (0, 1, 4095, 4096, 4097, 100_000)
    pieces = (*(Piece(f"{size}.bin", bytes(size), marks) for size in sizes), Piece("parcel", None, marks))
    kz_by.open(replace(plan, pieces=pieces).seal().container, tmp_path / "out")
    assert [wanted for _, wanted in asked] == [4096 * (0 + 1 + 1 + 1 + 2 + 25)]


def test_opening_again_finds_the_same(exchange: Exchange, tmp_path: Path) -> None:
    again = exchange.world.open(exchange.sealed.container, tmp_path / "out", at=OPENED + HOUR)
    assert again.opening.expectation == exchange.opening.expectation
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["письмо.txt"]


def test_secrets_are_not_for_display(exchange: Exchange) -> None:
    """What an office prints or logs of an opened envelope shows neither salt nor openings."""
    shown = repr(exchange.opened) + repr(exchange.opening) + repr(exchange.sealed.envelope)
    secrets = [exchange.opened.manifest.salt, exchange.expectation.proof, *exchange.expectation.openings]
    assert [secret for secret in secrets if secret is not None and repr(secret)[2:-1] in shown] == []


def test_a_manifest_of_65536_carriers_is_malformed_and_releases_nothing(world: World, tmp_path: Path) -> None:
    """Signed and encrypted by an officer of the origin, so only the limit stands against it."""
    forged = world.plan().seal(manifest=put([[]] * 65536, CARRIERS))
    world.verify_whole(forged.container)
    with pytest.raises(Malformed):
        world.open(forged.container, tmp_path / "out")
    assert not (tmp_path / "out").exists() or list((tmp_path / "out").iterdir()) == []
