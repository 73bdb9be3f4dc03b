"""Sealing: whatever is permitted can be opened again, and whatever is not is refused with its clause (specs/envelope.md, Producing)."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from tests.support.world import DUE, SEALED, VALID_FROM, VALID_UNTIL, Sealed, World, seeded

from valiza.envelope.manifest import Basis, Reference
from valiza.envelope.manifest_copy import open_manifest_copy
from valiza.envelope.payload import stream_length
from valiza.envelope.profile import Padding
from valiza.envelope.route import Leg
from valiza.envelope.sealing import prepare, seal_envelope
from valiza.keys.credential import CredentialDraft, issue_credential
from valiza.keys.errors import Malformed, Refused, Unavailable
from valiza.keys.trust import Trust

if TYPE_CHECKING:
    from pathlib import Path


CHUNK = 16384


@pytest.fixture
def letter_file(tmp_path: Path) -> Path:
    path = tmp_path / "письмо.txt"
    path.write_bytes(b"the bridge at the border\n")
    return path


def write(folder: Path, contents: list[bytes]) -> list[Path]:
    folder.mkdir()
    paths = [folder / f"{index}.bin" for index in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    return paths


def released(world: World, sealed: Sealed, into: Path) -> dict[str, bytes]:
    """Open it as its first addressee; what came out by name."""
    opened = world.open(sealed.container, into)
    assert opened.opening.expectation == sealed.envelope.expectation
    return {path.name: path.read_bytes() for path in into.iterdir()}


# -- whatever is permitted can be opened again ---------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 * (1 << 20) + 11])
def test_one_carrier_of_any_size(world: World, tmp_path: Path, size: int) -> None:
    (path,) = write(tmp_path / "in", [bytes(range(256)) * (size // 256) + bytes(size % 256)])
    sealed = world.seal(world.consignment([world.carrier(path)]))
    assert released(world, sealed, tmp_path / "out") == {"0.bin": path.read_bytes()}


def test_many_carriers_empty_ones_among_them(world: World, tmp_path: Path) -> None:
    paths = write(tmp_path / "in", [bytes([n]) * (n * n % 50 * 1000) for n in range(60)])
    sealed = world.seal(world.consignment([world.carrier(path) for path in paths]))
    assert released(world, sealed, tmp_path / "out") == {path.name: path.read_bytes() for path in paths}


def test_physical_carriers_alone(world: World, tmp_path: Path) -> None:
    """An inventory may be all there is: the carriers travel beside it."""
    sealed = world.seal(world.consignment([world.carrier(None, "parcel 1"), world.carrier(None, "parcel 1")]))
    assert released(world, sealed, tmp_path / "out") == {}
    assert sealed.envelope.expectation.openings == (None, None)


def test_physical_carriers_among_files(world: World, tmp_path: Path) -> None:
    """An index each, but a stream only for files."""
    paths = write(tmp_path / "in", [b"one", b"three"])
    carriers = [world.carrier(None, "a"), world.carrier(paths[0]), world.carrier(None, "b"), world.carrier(paths[1]), world.carrier(None, "c")]
    sealed = world.seal(world.consignment(carriers))
    assert released(world, sealed, tmp_path / "out") == {"0.bin": b"one", "1.bin": b"three"}
    assert [opening is None for opening in sealed.envelope.expectation.openings] == [True, False, True, False, True]


def test_everything_that_is_said_of_a_carrier_arrives(world: World, tmp_path: Path, letter_file: Path) -> None:
    said: dict[str, Any] = {"registration": "12/3-45", "copy": 0, "sheets": 2**63 - 1, "classified_by": "the head", "ground": "list, 7"}
    carriers = [world.carrier(letter_file, **said, media_type="application/pdf"), world.carrier(None, "parcel 1: glass", **said)]
    sealed = world.seal(world.consignment(carriers))
    file, parcel = world.open(sealed.container, tmp_path / "out").manifest.carriers
    for entry in (file, parcel):
        assert {key: getattr(entry, key) for key in said} == said
        assert entry.marks == world.marks(world.code)
    assert (file.name, file.media_type, file.size) == ("письмо.txt", "application/pdf", 25)
    assert (parcel.name, parcel.media_type, parcel.physical) == ("parcel 1: glass", "", True)


def test_everything_that_is_said_of_the_transfer_arrives(world: World, tmp_path: Path, letter_file: Path) -> None:
    said: dict[str, Any] = {
        "purpose": "joint work",
        "term": "until 2030",
        "caveats": ("no copies", "return after use"),
        "references": (Reference("reply-to", bytes(range(32))), Reference("supersedes", bytes(32))),
        "basis": (*world.basis, Basis("contract", "No. 9", "", "")),
    }
    sealed = world.seal(world.consignment([world.carrier(letter_file)], **said))
    opened = world.open(sealed.container, tmp_path / "out")
    assert {key: getattr(opened.manifest, key) for key in said} == said
    assert opened.unsealed.route == world.route()
    assert opened.unsealed.marks == sealed.envelope.marks == world.marks(world.code)


def test_one_addressee(world: World, tmp_path: Path, letter_file: Path) -> None:
    sealed = world.seal(world.consignment([world.carrier(letter_file)], addressees=[world.destination["deputy"].open]))
    world.open(sealed.container, tmp_path / "out", by=world.destination["deputy"])


@pytest.mark.slow
def test_64_addressees_and_no_more(kz_by: World, tmp_path: Path, letter_file: Path) -> None:
    officers = [kz_by.destination.appoint(f"officer {n}", clearance="1") for n in range(65)]
    world = kz_by.trusting(kz_by.destination.roster_of(officers))
    consignment = world.consignment([world.carrier(letter_file)], addressees=[o.open for o in officers[:64]])
    sealed = world.seal(consignment)
    for number in (0, 31, 63):
        world.open(sealed.container, tmp_path / f"out {number}", by=officers[number])
    with pytest.raises(Refused, match="1 to 64 addressees, not 65"):
        world.seal(replace(consignment, addressees=[o.open for o in officers]))


def test_reference_where_the_channel_needs_one(kz_by: World, tmp_path: Path, letter_file: Path) -> None:
    consignment = kz_by.consignment([kz_by.carrier(letter_file)], channel="agreed", transport="electronic", escort="none", reference="protocol 7")
    sealed = kz_by.seal(consignment)
    assert kz_by.open(sealed.container, tmp_path / "out").unsealed.route.reference == "protocol 7"


@pytest.mark.parametrize("padding", [Padding("none"), Padding("padme"), Padding("multiple", 4096), Padding("multiple", 1 << 21)], ids=str)
def test_padding_hides_the_length(kz_by: World, tmp_path: Path, padding: Padding) -> None:
    world = kz_by.amended(padding=padding)
    paths = write(tmp_path / "in", [bytes(1000), bytes(123_456)])
    sealed = world.seal(world.consignment([world.carrier(path) for path in paths]))
    opened = world.open(sealed.container, tmp_path / "out")
    assert opened.manifest.pad_length == padding.length(124_456)
    dispatch = world.authenticate(sealed.container).signed.body
    streams = stream_length(1000) + stream_length(123_456) + stream_length(padding.length(124_456))
    assert dispatch.payload_length == streams + dispatch.manifest_length


def test_the_other_way(world: World, tmp_path: Path, letter_file: Path) -> None:
    back = world.reversed()
    sealed = back.seal(back.consignment([back.carrier(letter_file)]))
    assert released(back, sealed, tmp_path / "out") == {"письмо.txt": b"the bridge at the border\n"}


def test_highest_carrier_gives_the_envelope_its_mark(kz_by: World, tmp_path: Path) -> None:
    carriers = [kz_by.carrier(path, code=code) for path, code in zip(write(tmp_path / "in", [b"a", b"b", b"c"]), "312", strict=True)]
    sealed = kz_by.seal(kz_by.consignment(carriers))
    assert sealed.envelope.marks == kz_by.marks("1")
    opened = kz_by.open(sealed.container, tmp_path / "out")
    assert [entry.marks for entry in opened.manifest.carriers] == [kz_by.marks(code) for code in "312"]
    assert sealed.envelope.expectation.marks == ("3", "1", "2")


def test_what_shows_outside(world: World, letter_file: Path) -> None:
    """Under a closed stamp marks, route and reference stand inside only; names, purpose and contents never stand outside."""
    sealed = world.seal(world.consignment([world.carrier(letter_file)], purpose="a purpose to hide"))
    hidden = ["письмо", "a purpose to hide", "the bridge", "Government"]
    hidden += ["Москва", "road"] if world.profile.closed else []
    assert [text for text in hidden if text.encode() in sealed.container] == []
    assert sealed.envelope.core.stamp.package == "MFA/2026/out/1"
    assert (sealed.envelope.core.stamp.route is None) == world.profile.closed


def test_secrets_are_drawn_for_each_envelope(world: World, letter_file: Path) -> None:
    consignment = world.consignment([world.carrier(letter_file)])
    prepared = prepare(consignment, sealer=world.origin["chief"].credentials["seal"], trust=world.trust, agreements=world.agreements, at=SEALED)
    asked = list[int]()

    def counted(size: int) -> bytes:
        asked.append(size)
        return bytes([len(asked)]) * size

    sealed = seal_envelope(prepared, key=world.origin["chief"].keys["seal"], out=io.BytesIO(), random=counted)
    assert asked == [32, 32, 32]  # salt, before anything else; envelope id; payload key
    assert sealed.core.envelope_id == bytes([2]) * 32


def test_same_secrets_never_seal_two_different_letters_alike(kz_by: World, letter_file: Path) -> None:
    one = kz_by.seal(kz_by.consignment([kz_by.carrier(letter_file)]), seed="one")
    two = kz_by.seal(kz_by.consignment([kz_by.carrier(letter_file)]), seed="two")
    assert one.envelope.core.envelope_id != two.envelope.core.envelope_id
    assert one.envelope.expectation.openings != two.envelope.expectation.openings  # contents cannot be compared from outside


def test_length_and_progress_are_told(world: World, tmp_path: Path) -> None:
    paths = write(tmp_path / "in", [bytes(5), bytes(1 << 20)])
    consignment = world.consignment([world.carrier(path) for path in paths])
    chief = world.origin["chief"]
    prepared = prepare(consignment, sealer=chief.credentials["seal"], trust=world.trust, agreements=world.agreements, at=SEALED)
    out, told = io.BytesIO(), list[int]()
    sealed = seal_envelope(prepared, key=chief.keys["seal"], out=out, random=seeded("x"), progress=told.append)
    assert sealed.length == len(out.getvalue())
    pad = world.profile.padding.length(5 + (1 << 20))
    assert sum(told) == 5 + (1 << 20) + pad


def test_copy_is_kept_for_own_officers(world: World, letter_file: Path) -> None:
    chief = world.origin["chief"]
    sealed = world.seal(world.consignment([world.carrier(letter_file)], keep_for=[chief.open]))
    copy = sealed.envelope.manifest_copy
    assert copy is not None
    manifest = open_manifest_copy(copy, sealed.envelope.dispatch.digest, chief.open.digest, chief.identity)
    assert manifest.carriers[0].name == "письмо.txt"
    assert world.seal(world.consignment([world.carrier(letter_file)])).envelope.manifest_copy is None


# -- what cannot be sealed (what the agreement forbids: test_attacks_marks) ----------------------------------------------


def test_number_of_carriers(kz_by: World) -> None:
    with pytest.raises(Refused, match="1 to 16384 carriers, not 0"):
        kz_by.seal(kz_by.consignment([]))
    with pytest.raises(Refused, match="1 to 16384 carriers, not 16385"):
        kz_by.seal(kz_by.consignment([kz_by.carrier(None, "parcel")] * 16385))


def test_number_of_addressees(kz_by: World, letter_file: Path) -> None:
    with pytest.raises(Refused, match="1 to 64 addressees, not 0"):
        kz_by.seal(kz_by.consignment([kz_by.carrier(letter_file)], addressees=[]))


def test_number_of_carriers_up_to_the_limit(kz_by: World) -> None:
    """Then their marks are looked at, and these have none that the agreement knows."""
    with pytest.raises(Refused, match="no mark with the code '9'"):
        kz_by.seal(kz_by.consignment([kz_by.carrier(None, "parcel", code="9")] * 16384))


@pytest.mark.parametrize(("count", "message"), [(64, "an addressee is named twice"), (65, "an envelope has 1 to 64 addressees, not 65")])
def test_number_of_addressees_up_to_the_limit(kz_by: World, letter_file: Path, count: int, message: str) -> None:
    with pytest.raises(Refused, match=message):
        kz_by.seal(kz_by.consignment([kz_by.carrier(letter_file)], addressees=[kz_by.destination["chief"].open] * count))


def test_every_addressee_is_cleared(world: World, letter_file: Path) -> None:
    chief, junior = (world.destination[name].open for name in ("chief", "junior"))
    for addressees in ([chief, junior], [junior, chief]):
        with pytest.raises(Refused, match=r"the addressee 'junior' is not cleared to .*\(A4.2, A5.1\)"):
            world.seal(world.consignment([world.carrier(letter_file)], addressees=addressees))


def test_a_receipt_is_due_when_the_envelope_is_sealed_or_later(kz_by: World, letter_file: Path) -> None:
    sealed = kz_by.seal(kz_by.consignment([kz_by.carrier(letter_file)], due_at=SEALED))
    assert kz_by.verify(sealed.container).core.stamp.due_at == SEALED
    for due_at in (SEALED - 1, 0):
        with pytest.raises(Refused, match="due before the envelope is sealed"):
            kz_by.seal(kz_by.consignment([kz_by.carrier(letter_file)], due_at=due_at))


@pytest.mark.parametrize("name", ["../letter", "letter ", "con", "a\u202eb"], ids=ascii)
def test_unsafe_name(kz_by: World, letter_file: Path, name: str) -> None:
    with pytest.raises(Malformed, match="the carrier name"):
        kz_by.seal(kz_by.consignment([kz_by.carrier(letter_file, name)]))


def test_twins(kz_by: World, letter_file: Path) -> None:
    with pytest.raises(Malformed, match="the same to some systems"):
        kz_by.seal(kz_by.consignment([kz_by.carrier(letter_file, "A"), kz_by.carrier(letter_file, "a")]))


def test_bad_media_type(kz_by: World, letter_file: Path) -> None:
    with pytest.raises(Malformed, match="media type"):
        kz_by.seal(kz_by.consignment([kz_by.carrier(letter_file, media_type="Text/Plain")]))


def test_carrier_that_is_no_regular_file(kz_by: World, tmp_path: Path, letter_file: Path) -> None:
    (tmp_path / "link").symlink_to(letter_file)
    for path in (tmp_path / "link", tmp_path):
        with pytest.raises(Refused):
            kz_by.seal(kz_by.consignment([kz_by.carrier(path, "a")]))


def test_carrier_that_is_gone(kz_by: World, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="no such file"):
        kz_by.seal(kz_by.consignment([kz_by.carrier(tmp_path / "none")]))


@pytest.mark.parametrize("party", ["KZ", "BY"])
def test_expired_roster_of_either_party(kz_by: World, letter_file: Path, party: str) -> None:
    side = kz_by.origin if party == "KZ" else kz_by.destination
    world = kz_by.trusting(side.roster_of(expires_at=SEALED))
    consignment = world.consignment([world.carrier(letter_file)])
    with pytest.raises(Refused, match=f"the roster of {party} expired, and sealing needs one in force"):
        world.seal(consignment)
    world.seal(consignment, at=SEALED - 1)


def test_expired_roster_of_a_third_party_does_not_matter(kz_by: World, letter_file: Path) -> None:
    world = kz_by.trusting(kz_by.third.roster_of(expires_at=SEALED))
    world.seal(world.consignment([world.carrier(letter_file)]))


def test_party_whose_roster_is_not_known(kz_by: World, letter_file: Path) -> None:
    world = replace(kz_by, trust=Trust([kz_by.origin.roster]))
    with pytest.raises(Refused, match="no roster of BY is known here"):
        world.seal(world.consignment([world.carrier(letter_file)]))


@pytest.mark.parametrize("purpose", ["open", "acknowledge", "countersign", "transport"])
def test_sealer_of_another_purpose(kz_by: World, letter_file: Path, purpose: str) -> None:
    chief = kz_by.origin["chief"]
    issuer, key = kz_by.origin.certifiers["KZ-MFA"]
    draft = CredentialDraft(
        subject=chief.open.subject,
        body=chief.body,
        names={"en": "chief"},
        purpose="transport",
        public_key=chief.keys["seal"].public,
        clearance="1",
        valid_from=VALID_FROM,
        valid_until=VALID_UNTIL,
    )
    credential = chief.credentials.get(purpose) or issue_credential(draft, issuer=issuer, keys=[key])
    consignment = kz_by.consignment([kz_by.carrier(letter_file)])
    with pytest.raises(Refused, match=f"certified to {purpose}, not to seal"):
        prepare(consignment, sealer=credential, trust=kz_by.trust, agreements=kz_by.agreements, at=SEALED)


def test_sealer_who_left(kz_by: World, letter_file: Path) -> None:
    with pytest.raises(Refused, match=r"seal credential of 'former' .* is expired at the time of sealing"):
        kz_by.seal(kz_by.consignment([kz_by.carrier(letter_file)]), sealer="former")


def test_no_purpose(kz_by: World, letter_file: Path) -> None:
    with pytest.raises(Malformed, match=r"purpose \(A4.1\)"):
        kz_by.seal(kz_by.consignment([kz_by.carrier(letter_file)], purpose=""))


# What no reader would accept is not sealed: the sealer is told, not the addressee a week later.
Change = dict[str, Any]
UNREADABLE: dict[str, tuple[Change, Change]] = {
    "purpose too long": ({"purpose": "x" * 1001}, {}),
    "term too long": ({"term": "x" * 1001}, {}),
    "33 caveats": ({"caveats": ("x",) * 33}, {}),
    "empty caveat": ({"caveats": ("",)}, {}),
    "33 references": ({"references": (Reference("reply-to", bytes(32)),) * 33}, {}),
    "unknown relation": ({"references": (Reference("about", bytes(32)),)}, {}),
    "reference to no digest": ({"references": (Reference("reply-to", bytes(16)),)}, {}),
    "33 bases": ({"basis": tuple(Basis(kind, "1") for kind in ("conclusion", "decision")) * 17}, {}),
    "basis of another kind": ({"basis": (Basis("conclusion", "1"), Basis("decision", "1"), Basis("whim", "1"))}, {}),
    "basis without reference": ({"basis": (Basis("conclusion", ""), Basis("decision", "1"))}, {}),
    "basis of no day": ({"basis": (Basis("conclusion", "1", "", "2026-02-30"), Basis("decision", "1"))}, {}),
    "no package number": ({"package": ""}, {}),
    "package number too long": ({"package": "1" * 65}, {}),
    "no legs": ({"legs": ()}, {}),
    "17 legs": ({"legs": (Leg("a", "a"),) * 17}, {}),
    "legs that do not connect": ({"legs": (Leg("a", "b"), Leg("c", "d"))}, {}),
    "leg to nowhere": ({"legs": (Leg("a", ""),)}, {}),
    "reference of the route too long": ({"reference": "x" * 1001}, {}),
    "due after the year 9999": ({"due_at": 253402300800}, {}),
    "registration too long": ({}, {"registration": "x" * 1001}),
    "copy negative": ({}, {"copy": -1}),
    "sheets beyond counting": ({}, {"sheets": 2**63}),
    "classified by too long": ({}, {"classified_by": "x" * 1001}),
    "ground too long": ({}, {"ground": "x" * 1001}),
    "text not in nfc": ({}, {"ground": "e\u0301"}),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_what_no_reader_would_accept_is_not_sealed(world: World, letter_file: Path, case: str) -> None:
    whole, carrier = UNREADABLE[case]
    with pytest.raises(Malformed):
        world.seal(world.consignment([world.carrier(letter_file, **carrier)], **whole))


MANY: dict[str, tuple[Any, int]] = {
    "legs": ([Leg("a", "a")], 16),
    "basis": ([Basis("conclusion", "1"), Basis("decision", "1")], 32),
    "caveats": (["x"], 32),
    "references": ([Reference("reply-to", bytes(32))], 32),
}


@pytest.mark.parametrize("field", MANY)
def test_as_many_as_there_may_be_and_no_more(kz_by: World, letter_file: Path, field: str) -> None:
    some, most = MANY[field]
    carriers = [kz_by.carrier(letter_file)]
    what = {"basis": "bases", "references": "references to others"}.get(field, field)
    for count in (most + 1, most + 2, 300):
        with pytest.raises(Malformed, match=f"^an envelope has at most {most} {what}, not {count}$"):
            kz_by.seal(kz_by.consignment(carriers, **{field: tuple((some * count)[:count])}))
    kz_by.seal(kz_by.consignment(carriers, **{field: tuple((some * most)[:most])}))


def test_a_name_that_cannot_be_may_be_another_in_an_inventory(kz_by: World, letter_file: Path) -> None:
    """What the error is of is told where a file's name is at fault, and only there: a designation is no name of a file."""
    for names in (["con"], ["good", "con"], ["A", "a"]):
        with pytest.raises(Malformed) as told:
            kz_by.seal(kz_by.consignment([*(kz_by.carrier(letter_file, name) for name in names), kz_by.carrier(None, "con")]))
        assert "--inventory FILE" in told.value.hint, names
    with pytest.raises(Malformed) as told:
        kz_by.seal(kz_by.consignment([kz_by.carrier(letter_file), kz_by.carrier(None, "con")], term="x" * 1001))
    assert "inventory" not in told.value.hint


@pytest.mark.parametrize("name", ["", "x" * 256])
def test_designation_that_no_reader_would_accept(world: World, name: str) -> None:
    carrier = replace(world.carrier(None, "parcel"), name=name)
    with pytest.raises(Malformed):
        world.seal(world.consignment([carrier]))


def test_addressee_named_twice(world: World, letter_file: Path, tmp_path: Path) -> None:
    """Either he is told, or counted once; an envelope that nobody can read is no answer."""
    chief = world.destination["chief"].open
    try:
        sealed = world.seal(world.consignment([world.carrier(letter_file)], addressees=[chief, chief]))
    except (Refused, Malformed):
        return
    world.open(sealed.container, tmp_path / "out")


texts = st.sampled_from(["x", "x" * 64, "Ж" * 64, "a\u202e\x00b"])
long_texts = texts | st.sampled_from(["", "я" * 1000])
numbers = st.sampled_from([None, 0, 2**63 - 1])
drawn_carriers = st.fixed_dictionaries(
    {
        "file": st.booleans(),
        "name": st.sampled_from(["a", "B", "parcel", "x" * 255]),
        "mark": st.integers(0, 3),
        "said": st.fixed_dictionaries(
            dict.fromkeys(("registration", "classified_by", "ground"), long_texts) | dict.fromkeys(("copy", "sheets"), numbers)
        ),
    }
)
drawn_orders = st.fixed_dictionaries(
    {
        "purpose": texts | st.just("я" * 1000),
        "term": long_texts,
        "caveats": st.lists(texts, max_size=32),
        "package": texts,
        "reference": long_texts,
        "due_at": st.sampled_from([SEALED, DUE]),
        "legs": st.sampled_from([(Leg("a", "b"),), (Leg("a", "b"), Leg("b", "c")), (Leg("a", "a"),) * 16]),
    }
)
drawn_officers = st.lists(st.sampled_from(["chief", "deputy", "junior"]), min_size=1, max_size=3, unique=True)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    drawn=st.lists(drawn_carriers, min_size=1, max_size=3),
    order=drawn_orders,
    names=drawn_officers,
    twist=st.none() | st.sampled_from(list(UNREADABLE)),
)
def test_what_is_sealed_can_be_opened(
    world: World, letter_file: Path, *, drawn: list[Change], order: Change, names: list[str], twist: str | None
) -> None:
    """At the limits and a little beyond them: either it is refused, or every addressee reads it."""
    codes = [mark.code for mark in world.profile.party(world.origin.party).marks]
    whole, single = ({}, {}) if twist is None else UNREADABLE[twist]
    carriers = [
        replace(world.carrier(letter_file if d["file"] else None, d["name"]), code=codes[d["mark"] % len(codes)], **{**d["said"], **single})
        for d in drawn
    ]
    addressees = [world.destination[name] for name in names]
    try:
        sealed = world.seal(world.consignment(carriers, **{**order, **whole}, addressees=[officer.open for officer in addressees]))
    except (Malformed, Refused):
        event("refused")
        return
    event("sealed")
    for officer in addressees:
        world.unseal(sealed.container, by=officer)
