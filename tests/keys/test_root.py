"""Roots: they sign themselves, and are believed for their fingerprint alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import pytest
from tests.support.keys import BEGIN, DEGREES, END, flipped, identity, naming_another_key, reassembled, root_of, signed, signing_key, subject

from valiza.keys import labels
from valiza.keys.credential import check_credential, issuer_signs
from valiza.keys.digests import digest
from valiza.keys.encoding import pack
from valiza.keys.errors import Malformed, NotAuthentic, Refused
from valiza.keys.revocation import check_revocation
from valiza.keys.root import (
    Custodian,
    Root,
    RootDraft,
    by_quorum,
    make_root,
    read_root,
    read_roots,
    require_pinned,
    root_header,
    signing_public_key,
    sole_root,
    verify_quorum,
)
from valiza.keys.signing import VerifyKey
from valiza.keys.statement import Statement, read_statement, sign_statement

ROOT: Final = root_of("KZ")
KEY: Final = signing_key("KZroot")
OTHER: Final = signing_key("another")


KEEPER: Final[list[Any]] = [subject("custodian of KZ"), {"en": "Custodian"}, [labels.KIND_SIGNATURE, KEY.public]]


def keeper(name: str, **changes: Any) -> list[Any]:
    """A custodian as he stands in a root, with some fields changed."""
    said = {"id": subject(name), "names": {"en": name}, "key": [labels.KIND_SIGNATURE, signing_key(name).public]}
    assert not set(changes) - set(said)
    return list({**said, **changes}.values())


def sole(key: Any = KEY, names: dict[str, str] | None = None) -> Root:
    """A root of KZ with one custodian."""
    draft = sole_root(
        party_id="KZ",
        party_names=names or {"en": "State of KZ"},
        degrees=DEGREES,
        custodian=subject("custodian of KZ"),
        key=VerifyKey(key.public),
        valid_from=BEGIN,
        valid_until=END,
    )
    return make_root(draft, [key])


def items(**changes: Any) -> list[Any]:
    """The body of a root, as a list, with some fields changed."""
    said = {
        "party": "KZ",
        "version": 1,
        "previous": None,
        "names": {"en": "State of KZ", "kk": "Қазақстан"},
        "degrees": list(DEGREES),
        "custodians": [KEEPER],
        "threshold": 1,
        "valid_from": BEGIN,
        "valid_until": END,
        "extensions": {},
    }
    assert not set(changes) - set(said)
    return list({**said, **changes}.values())


def statement(body: list[Any], *, signer: bytes | None = None, key: Any = KEY) -> Statement:
    return signed(labels.ROOT, "root", body, digest(labels.DIGEST_ROOT, pack(body)) if signer is None else signer, key)


# -- reading --------------------------------------------------------------------------------------------------------------


def test_a_root_says_what_it_was_made_to_say() -> None:
    root = sole()
    assert (root.party, root.names, root.degrees) == ("KZ", {"en": "State of KZ"}, DEGREES)
    assert (root.valid_from, root.valid_until, root.extensions) == (BEGIN, END, {})
    assert (root.version, root.previous, root.threshold) == (1, None, 1)
    assert [(c.id, c.key.raw) for c in root.custodians] == [(subject("custodian of KZ"), KEY.public)]
    assert read_root.__wrapped__(root.raw) == root, "read anew"


def test_a_root_is_named_by_its_body_however_often_it_is_signed() -> None:
    one, two = (read_root(statement(items()).raw) for _ in range(2))
    assert one.raw != two.raw
    assert one.digest == two.digest == digest(labels.DIGEST_ROOT, pack(items()))
    assert one.fingerprint == one.digest.hex()


def test_every_field_is_part_of_the_fingerprint() -> None:
    changes: list[dict[str, Any]] = [
        {},
        {"party": "BY"},
        {"names": {"en": "x"}},
        {"degrees": ["2", "1", "3"]},
        {"custodians": [[bytes(16), *KEEPER[1:]]]},
        {"custodians": sorted([KEEPER, keeper("another")])},
        {"valid_from": BEGIN + 1},
        {"valid_until": END - 1},
        {"extensions": {"~note": 1}},
    ]
    assert len({read_root(statement(items(**change)).raw).fingerprint for change in changes}) == len(changes)


MALFORMED: Final[dict[str, dict[str, Any]]] = {
    "party in small letters": {"party": "kz"},
    "no names": {"names": {}},
    "no degrees": {"degrees": []},
    "17 degrees": {"degrees": [str(i) for i in range(17)]},
    "a degree twice": {"degrees": ["1", "2", "1"]},
    "a degree too long": {"degrees": ["1" * 17]},
    "a degree as number": {"degrees": [1]},
    "version 0": {"version": 0},
    "a later version without the one before": {"version": 2},
    "a first version with one before": {"previous": bytes(32)},
    "version 65": {"version": 65, "previous": bytes(32)},
    "previous of another length": {"version": 2, "previous": bytes(31)},
    "version 0 with one before": {"version": 0, "previous": bytes(32)},
    "no custodian": {"custodians": []},
    "17 custodians": {"custodians": sorted(keeper(f"{n}") for n in range(17))},
    "custodians out of order": {"custodians": sorted([keeper("a"), KEEPER], reverse=True)},
    "a custodian twice": {"custodians": [KEEPER, KEEPER]},
    "one person with two keys": {"custodians": sorted([KEEPER, keeper("a", id=KEEPER[0])], key=str)},
    "one key of two persons": {"custodians": sorted([KEEPER, keeper("a", key=KEEPER[2])])},
    "a custodian without names": {"custodians": [[KEEPER[0], {}, KEEPER[2]]]},
    "a custodian's id too short": {"custodians": [[KEEPER[0][:15], *KEEPER[1:]]]},
    "threshold 0": {"threshold": 0},
    "threshold above the custodians": {"threshold": 2},
    "key of another kind": {"custodians": [keeper("KZroot", key=[labels.KIND_ENCRYPTION, identity("x").public])]},
    "key of another length": {"custodians": [keeper("KZroot", key=[labels.KIND_SIGNATURE, KEY.public[:-1]])]},
    "key without kind": {"custodians": [keeper("KZroot", key=KEY.public)]},
    "key with a point of low order": {"custodians": [keeper("KZroot", key=[labels.KIND_SIGNATURE, KEY.public[:-32] + bytes([1]) + bytes(31)])]},
    "valid for no time": {"valid_until": BEGIN},
    "valid backwards": {"valid_until": BEGIN - 1},
    "a time too late": {"valid_until": 253402300800},
    "an unknown extension": {"extensions": {"note": 1}},
    "extensions nil": {"extensions": None},
}


@pytest.mark.parametrize("change", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed(change: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        read_root(statement(items(**change)).raw)


@pytest.mark.parametrize("number", [1, 2, 16])
def test_a_root_has_one_to_sixteen_degrees(number: int) -> None:
    degrees = [str(i) for i in range(number)]
    assert read_root(statement(items(degrees=degrees)).raw).degrees == tuple(degrees)


def test_a_root_has_up_to_sixteen_custodians_and_sixty_four_versions() -> None:
    people = tuple(f"{n}" for n in range(16))
    assert len(make_root(of_five(people=people, threshold=16), keys(*people)).custodians) == 16
    assert read_root(statement(items(version=64, previous=bytes(32))).raw).version == 64


@pytest.mark.parametrize("body", [[], items()[:-1], [*items(), {}], {"party": "KZ"}, "KZ"], ids=["empty", "too few", "too many", "map", "text"])
def test_a_body_of_another_form_is_malformed(body: Any) -> None:
    with pytest.raises(Malformed):
        read_root(statement(body).raw)


def test_another_statement_is_no_root() -> None:
    with pytest.raises(Malformed):
        read_root(signed(labels.CREDENTIAL, "issuer", items(), bytes(32), KEY).raw)


# -- whose signature ------------------------------------------------------------------------------------------------------


def test_a_root_is_signed_by_itself() -> None:
    for stranger in (
        statement(items(), key=OTHER),  # names another key
        statement(items(), signer=bytes(32)),  # names another root
        statement(items(), signer=root_of("BY").digest),
        reassembled(statement(items()), signature=statement(items(party="BY")).signatures[0].signature),
        reassembled(statement(items()), body=pack(items(party="BY"))),
    ):
        with pytest.raises(NotAuthentic):
            read_root(stranger.raw)


@pytest.mark.parametrize("half", [-3373, -65, -64, -1], ids=["ML-DSA begins", "ML-DSA ends", "Ed25519 begins", "Ed25519 ends"])
def test_both_halves_of_the_signature_hold(half: int) -> None:
    with pytest.raises(NotAuthentic):
        read_root(flipped(ROOT.raw, len(ROOT.raw) + half))


def test_a_signature_of_the_root_is_recognised_and_no_other() -> None:
    good = signed(labels.TERMINATION, "root", ["said"], ROOT.digest, KEY)
    verify_quorum(good, ROOT)
    for other in (
        signed(labels.TERMINATION, "root", ["said"], bytes(32), KEY),
        signed(labels.TERMINATION, "root", ["said"], b"\xff" * 32, KEY),
        signed(labels.TERMINATION, "root", ["said"], ROOT.digest, OTHER),
        reassembled(good, body=pack(["otherwise"])),
        *(naming_another_key(good, KEY, signing_key(name)) for name in "abcdefgh"),  # digests before and behind that of the root's key
    ):
        with pytest.raises(NotAuthentic):
            verify_quorum(other, ROOT)
    with pytest.raises(NotAuthentic):
        verify_quorum(good, root_of("BY"))


def test_another_root_with_the_same_key_is_another_root() -> None:
    again = sole(names={"en": "x"})
    with pytest.raises(NotAuthentic):
        verify_quorum(signed(labels.TERMINATION, "root", [], ROOT.digest, KEY), again)


# -- quorums --------------------------------------------------------------------------------------------------------------

FIVE: Final = ("Aliya", "Bolat", "Dana", "Erlan", "Gulnar")


def of_five(threshold: int = 3, people: tuple[str, ...] = FIVE, **changes: Any) -> RootDraft:
    """A root of custodians, of whom some are a quorum; the key of each is `signing_key(name)`."""
    custodians = tuple(Custodian(id=subject(name), names={"en": name}, key=VerifyKey(signing_key(name).public)) for name in people)
    said = {"party": "KZ", "names": {"en": "KZ"}, "degrees": DEGREES, "custodians": custodians, "threshold": threshold}
    return RootDraft(**{**said, "valid_from": BEGIN, "valid_until": END, **changes})


def keys(*people: str) -> list[Any]:
    return [signing_key(name) for name in people]


def test_any_quorum_makes_a_root_and_signs_for_it() -> None:
    draft = of_five()
    for count in (3, 4, 5):
        root = make_root(draft, keys(*FIVE[-count:]))
        assert root.digest == draft.digest
        said = sign_statement(labels.TERMINATION, b"said", by_quorum("root", root, keys(*FIVE[:count])))
        verify_quorum(said, root)


def test_below_the_threshold_nothing_is_said() -> None:
    draft = of_five()
    root = make_root(draft, keys(*FIVE))
    with pytest.raises(NotAuthentic, match="2 custodians of the root of KZ signed, and 3 of 5 are needed"):
        make_root(draft, keys(*FIVE[:2]))
    for count in (1, 2):
        with pytest.raises(NotAuthentic, match=f"{count} custodians"):
            verify_quorum(sign_statement(labels.TERMINATION, b"said", by_quorum("root", root, keys(*FIVE[:count]))), root)


def test_the_quorum_is_counted_before_anything_of_what_is_said_is_read() -> None:
    root = make_root(of_five(), keys(*FIVE))
    for signers, outcome in ((FIVE[:2], NotAuthentic), (FIVE[:3], Malformed)):
        headers = issuer_signs(root, keys(*signers))
        with pytest.raises(outcome):
            check_credential(sign_statement(labels.CREDENTIAL, pack([1, 2, 3]), headers), root)
        with pytest.raises(outcome):
            check_revocation(sign_statement(labels.REVOCATION, pack([1, 2, 3]), headers), root)


def test_two_signatures_of_one_custodian_are_not_two() -> None:
    """ML-DSA signs otherwise each time, and the header is the same: a second signature has no place."""
    root = make_root(of_five(), keys(*FIVE))
    with pytest.raises(Malformed, match="ascending"):
        sign_statement(labels.TERMINATION, b"said", by_quorum("root", root, keys("Aliya", "Aliya", "Bolat")))


def test_a_custodian_s_old_key_does_not_count() -> None:
    root = make_root(of_five(), keys(*FIVE))
    with pytest.raises(NotAuthentic, match="names a key that no custodian"):
        verify_quorum(sign_statement(labels.TERMINATION, b"said", by_quorum("root", root, keys(*FIVE[:3], "Aliya's old"))), root)


@pytest.mark.parametrize("half", [0, 3309], ids=["ML-DSA", "Ed25519"])
def test_one_broken_signature_condemns_a_quorum(half: int) -> None:
    """Three of the four that signed would be enough."""
    root = make_root(of_five(), keys(*FIVE))
    said = sign_statement(labels.TERMINATION, b"said", by_quorum("root", root, keys(*FIVE[:4])))
    for index in range(4):
        entries = [[s.header_bytes, flipped(s.signature, half) if n == index else s.signature] for n, s in enumerate(said.signatures)]
        broken = read_statement(pack([said.type, said.body, entries]), said.type)
        with pytest.raises(NotAuthentic):
            verify_quorum(broken, root)


def test_nobody_signs_beside_the_quorum() -> None:
    """Not even the root of another party, with its own quorum, whatever the order of the fingerprints."""
    root, quorum = make_root(of_five(), keys(*FIVE)), keys(*FIVE)
    for other in (root_of("BY").digest, bytes(32), b"\xff" * 32):
        signers = [*by_quorum("root", root, quorum), (root_header("root", other, signing_key("BYroot")), signing_key("BYroot"))]
        with pytest.raises(NotAuthentic, match="the signer is not the root of KZ"):
            verify_quorum(sign_statement(labels.TERMINATION, b"said", signers), root)


# -- versions -------------------------------------------------------------------------------------------------------------

FIRST: Final = make_root(of_five(), keys(*FIVE))
NEXT: Final = ("Aliya", "Bolat", "Dana", "Saule", "Timur")


def second(**changes: Any) -> RootDraft:
    """Version 2: two custodians went, two came."""
    return of_five(**{"version": 2, "previous": FIRST.digest, "people": NEXT, **changes})


def renewed(draft: RootDraft, new: tuple[str, ...], old: tuple[str, ...]) -> bytes:
    """A root as these custodians sign it, whatever comes of it."""
    signers = [(root_header("root", draft.digest, key), key) for key in keys(*new)] + by_quorum("root", FIRST, keys(*old))
    return sign_statement(labels.ROOT, draft.body, signers).raw


def test_both_quorums_sign_the_next_version() -> None:
    root = make_root(second(), keys("Saule", "Timur", "Dana"), old=FIRST, old_keys=keys("Erlan", "Gulnar", "Dana"))
    assert read_roots((FIRST.raw, root.raw)) == (FIRST, root)
    third = of_five(version=3, previous=root.digest, people=("Timur",), threshold=1)
    last = make_root(third, keys("Timur"), old=root, old_keys=keys("Aliya", "Bolat", "Timur"))
    assert read_roots((FIRST.raw, root.raw, last.raw))[-1] == last
    for number in (2, 4):  # no version stands twice in a row, and none is left out
        again = replace(third, version=number)
        raw = make_root(again, keys("Timur"), old=None).raw
        with pytest.raises(NotAuthentic, match=f"version {number} of the root of KZ does not follow version 2 of KZ"):
            read_roots((FIRST.raw, root.raw, raw))


def test_versions_already_read_are_not_checked_again() -> None:
    """Every roster of a party begins with them."""
    assert read_roots((FIRST.raw,)) is read_roots((bytes(bytearray(FIRST.raw)),))


@pytest.mark.parametrize(
    ("new", "old"),
    [(NEXT[:3], ()), (NEXT[:3], FIVE[:2]), (NEXT[3:], FIVE[:3]), ((), FIVE)],
    ids=["new quorum only", "old quorum too small", "new quorum too small", "old quorum only"],
)
def test_one_quorum_is_not_enough(new: tuple[str, ...], old: tuple[str, ...]) -> None:
    raw = renewed(second(), new, old)
    with pytest.raises(NotAuthentic):
        read_roots((FIRST.raw, raw))
    with pytest.raises(NotAuthentic):
        make_root(second(), keys(*new), old=FIRST, old_keys=keys(*old))


def test_versions_follow_one_another() -> None:
    raw = renewed(second(), NEXT[:3], FIVE[:3])
    later = renewed(second(version=3), NEXT[:3], FIVE[:3])
    other = make_root(of_five(threshold=2), keys(*FIVE))
    for beginning in ((), (raw,), (raw, FIRST.raw)):
        with pytest.raises(Malformed, match="the versions of a root begin with the first"):
            read_roots(beginning)
    for raws in ((FIRST.raw, FIRST.raw), (FIRST.raw, raw, raw), (FIRST.raw, later), (other.raw, raw)):
        with pytest.raises(NotAuthentic, match="does not follow version"):
            read_roots(raws)


@pytest.mark.parametrize("changes", [{"party": "BY"}, {"degrees": DEGREES[::-1]}, {"degrees": DEGREES[:-1]}, {"valid_from": BEGIN - 1}], ids=str)
def test_party_and_degrees_stay_and_time_goes_forward(changes: dict[str, Any]) -> None:
    raw = renewed(second(**changes), NEXT[:3], FIVE[:3])
    with pytest.raises(Refused):
        read_roots((FIRST.raw, raw))


def test_a_root_is_signed_in_no_other_name() -> None:
    draft = second()
    signers = [(root_header("root", draft.digest, key), key) for key in keys(*NEXT)]
    signers += by_quorum("root", root_of("BY"), [signing_key("BYroot")])
    with pytest.raises(NotAuthentic, match="in the name of another root"):
        read_root(sign_statement(labels.ROOT, draft.body, signers).raw)


def test_the_whole_fingerprint_is_compared() -> None:
    require_pinned([ROOT], ROOT.digest)
    for index in range(32):
        with pytest.raises(NotAuthentic):
            require_pinned([ROOT], flipped(ROOT.digest, index))
    with pytest.raises(NotAuthentic):
        require_pinned([ROOT], ROOT.digest[:31])


def test_any_version_may_be_pinned_and_the_latest_is_named() -> None:
    others = [ROOT, root_of("BY"), FIRST]
    for root in others:
        require_pinned(others, root.digest)
    with pytest.raises(NotAuthentic, match=f"has the fingerprint {FIRST.fingerprint}, not the pinned {'00' * 32}"):
        require_pinned(others, bytes(32))


# -- public keys ----------------------------------------------------------------------------------------------------------


def test_a_signing_public_key_has_its_kind_and_is_valid() -> None:
    assert signing_public_key(["MLDSA65-Ed25519", KEY.public]).key_digest == VerifyKey(KEY.public).key_digest
    for value in (
        ["X-Wing", KEY.public],
        [None, KEY.public],
        [KEY.public],
        ["MLDSA65-Ed25519", KEY.public, b""],
        ["MLDSA65-Ed25519", "text"],
        KEY.public,
    ):
        with pytest.raises(Malformed):
            signing_public_key(value)


def test_a_root_read_twice_is_checked_as_strictly_the_second_time() -> None:
    """What is read is remembered by its bytes alone, and a failure is not remembered."""
    raw = statement(items()).raw
    assert read_root(raw) is read_root(bytes(bytearray(raw)))
    for _ in range(2):
        with pytest.raises(NotAuthentic):
            read_root(flipped(raw, len(raw) - 1))


def test_reading_a_root_believes_nothing_of_it() -> None:
    """Anybody makes a root of any party: only the pinned fingerprint tells."""
    stranger = sole(OTHER)
    assert isinstance(read_root(stranger.raw), Root)
    with pytest.raises(NotAuthentic):
        require_pinned([stranger], ROOT.digest)
    assert read_statement(stranger.raw, labels.ROOT).signer.signer_digest == stranger.digest
