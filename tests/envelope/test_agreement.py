"""Agreements as statements: who signs, adopting, termination, and when an envelope's agreement is in force (specs/agreement.md)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.support.keys import issue, signing_key, subject
from tests.support.tamper import edited, flipped, more, put
from tests.support.world import DAY, EXPIRES, ISSUED, OPENED, SEALED, VALID_FROM, Side, World, make_side

from valiza.envelope.agreement import (
    Agreement,
    Agreements,
    Termination,
    _is_next,
    agreement_digest,
    read_agreement,
    read_agreements,
    read_termination,
    require_adoptable,
    require_adoptable_end,
    sign_agreement,
    terminate,
)
from valiza.keys import labels
from valiza.keys.encoding import pack
from valiza.keys.errors import Malformed, NotAuthentic, Refused
from valiza.keys.root import Custodian, RootDraft, make_root
from valiza.keys.roster import make_roster
from valiza.keys.signing import VerifyKey
from valiza.keys.statement import SignerHeader, sign_statement
from valiza.keys.trust import Trust

if TYPE_CHECKING:
    from tests.support.tamper import Hook

    from valiza.envelope.profile import Profile
    from valiza.keys.root import Root


def root_header(side: Side) -> SignerHeader:
    return SignerHeader(role="root", signer_digest=side.root.digest, key_digest=side.root_key.key_digest)


def signed_by(body: bytes, *sides: Side) -> bytes:
    """An agreement over any body, signed by roots whether they are parties or not."""
    return sign_statement(labels.AGREEMENT, body, [(root_header(side), side.root_key) for side in sides]).raw


# -- signing and reading -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["origin", "destination"])
def test_both_roots_sign_in_any_order(world: World, first: str) -> None:
    one, two = (world.origin, world.destination) if first == "origin" else (world.destination, world.origin)
    half = sign_agreement(world.profile, root=one.root, keys=[one.root_key])
    assert len(half.signatures) == 1
    whole = sign_agreement(world.profile, root=two.root, keys=[two.root_key], begun=half)
    agreement = read_agreement(whole.raw, world.trust)
    assert agreement.profile == world.profile
    assert agreement.digest == agreement_digest(world.profile.body) == world.agreement.digest
    require_adoptable(agreement, world.trust)


def test_half_an_agreement_is_none(kz_by: World) -> None:
    for side in (kz_by.origin, kz_by.destination):
        half = sign_agreement(kz_by.profile, root=side.root, keys=[side.root_key])
        with pytest.raises(NotAuthentic, match=f"is signed by {side.party}, not by both its parties") as caught:
            read_agreement(half.raw, kz_by.trust)
        assert caught.value.hint == "the custodians of the other sign it with: valiza agreement sign FILE"


def test_agreement_already_read_is_not_checked_again(kz_by: World, three_four: World) -> None:
    """Every envelope of a batch is judged by it. Under other roots it is another question."""
    agreement = read_agreement(kz_by.agreement.raw, kz_by.trust)
    assert read_agreement(bytes(bytearray(kz_by.agreement.raw)), Trust(kz_by.trust.rosters.values())) is agreement
    with pytest.raises(NotAuthentic, match="not pinned"):
        read_agreement(kz_by.agreement.raw, three_four.trust)


def test_one_party_cannot_sign_twice(kz_by: World) -> None:
    half = sign_agreement(kz_by.profile, root=kz_by.origin.root, keys=[kz_by.origin.root_key])
    with pytest.raises(Refused, match="custodian of KZ has signed this agreement already"):
        sign_agreement(kz_by.profile, root=kz_by.origin.root, keys=[kz_by.origin.root_key], begun=half)
    with pytest.raises(Malformed, match="ascending"):
        signed_by(kz_by.profile.body, kz_by.origin, kz_by.origin)


def test_the_second_signs_only_what_the_first_signed(kz_by: World) -> None:
    half = sign_agreement(kz_by.profile, root=kz_by.origin.root, keys=[kz_by.origin.root_key])
    for other in (replace(kz_by.profile, skew=kz_by.profile.skew + n) for n in (-1, 1)):
        with pytest.raises(NotAuthentic, match="signed another agreement"):
            sign_agreement(other, root=kz_by.destination.root, keys=[kz_by.destination.root_key], begun=half)


def test_a_third_party_cannot_sign(kz_by: World) -> None:
    with pytest.raises(Refused, match="TS is not a party"):
        sign_agreement(kz_by.profile, root=kz_by.third.root, keys=[kz_by.third.root_key])
    raw = signed_by(kz_by.profile.body, kz_by.origin, kz_by.third)
    with pytest.raises(NotAuthentic, match="signed by KZ and TS, not by both its parties") as caught:
        read_agreement(raw, kz_by.trust)
    assert caught.value.hint == ""


def test_root_that_is_not_pinned(kz_by: World) -> None:
    """The same party id, another root: what counts is the fingerprint."""
    impostor = make_side("BY", ["1", "2", "3"], "BY-FALSE")
    raw = signed_by(kz_by.profile.body, kz_by.origin, impostor)
    with pytest.raises(NotAuthentic, match="not pinned"):
        read_agreement(raw, kz_by.trust)


def test_altered_agreement(kz_by: World) -> None:
    raw = kz_by.agreement.raw
    at = raw.index(b"kz-by")
    with pytest.raises(NotAuthentic, match="does not verify"):
        read_agreement(flipped(raw, at), kz_by.trust)


def test_both_signatures_are_checked(kz_by: World) -> None:
    raw = kz_by.agreement.raw
    for at in (len(raw) - 1, len(raw) - 3373 - 100):
        with pytest.raises(NotAuthentic, match="does not verify"):
            read_agreement(flipped(raw, at), kz_by.trust)


def test_signed_nonsense_is_malformed(kz_by: World) -> None:
    raw = signed_by(edited(kz_by.profile.body, put("3", 5, 3, 2)), kz_by.origin, kz_by.destination)
    with pytest.raises(Malformed, match="not monotone"):
        read_agreement(raw, kz_by.trust)


def test_digest_tells_two_agreements_apart(kz_by: World) -> None:
    assert kz_by.amended(skew=301).agreement.digest != kz_by.agreement.digest


# -- adopting ------------------------------------------------------------------------------------------------------------


def test_marks_in_another_order_than_the_root_s_degrees(kz_by: World) -> None:
    """What is more secret is the party's own to say, once, in its root."""
    turned = make_side("KZ", ["2", "1", "3"], "KZ-KNB")
    with pytest.raises(Refused, match="orders the marks of KZ otherwise"):
        sign_agreement(kz_by.profile, root=turned.root, keys=[turned.root_key])
    trust = Trust([turned.roster, kz_by.destination.roster])
    agreement = read_agreement(signed_by(kz_by.profile.body, turned, kz_by.destination), trust)
    with pytest.raises(Refused, match="orders the marks of KZ otherwise"):
        require_adoptable(agreement, trust)


# -- after a party renewed its root --------------------------------------------------------------------------------------

KEEPERS = ("Aliya", "Bolat", "Dana")


def renewed(world: World) -> tuple[Root, Trust]:
    """The root of the origin with three custodians, of whom two are needed, and trust in the roster under it."""
    side = world.origin
    keys = [signing_key(name) for name in KEEPERS]
    draft = RootDraft(
        party=side.party,
        version=2,
        previous=side.root.digest,
        names=side.root.names,
        degrees=side.root.degrees,
        custodians=tuple(Custodian(id=subject(name), names={"en": name}, key=VerifyKey(signing_key(name).public)) for name in KEEPERS),
        threshold=2,
        valid_from=VALID_FROM,
        valid_until=side.root.valid_until,
    )
    root = make_root(draft, keys[:2], old=side.root, old_keys=[side.root_key])
    publisher = issue(
        root, keys[0], "publisher", "roster", keys=keys[1:], body=side.control, clearance=None, valid_from=VALID_FROM, valid_until=EXPIRES
    )
    roster = make_roster(
        version=2,
        issued_at=ISSUED,
        expires_at=EXPIRES,
        roots=[side.root, root],
        credentials=side.roster.credentials.values(),
        signer=publisher.credential,
        key=publisher.key,
    )
    return root, Trust([roster, world.destination.roster])


def test_agreement_that_was_signed_before_stays_readable_and_is_not_adopted_any_more(kz_by: World) -> None:
    root, trust = renewed(kz_by)
    old = read_agreement(kz_by.agreement.raw, trust)
    assert old.digest == kz_by.agreement.digest
    with pytest.raises(Refused, match="signed by an old version of the root of KZ"):
        require_adoptable(old, trust)
    theirs = sign_agreement(kz_by.profile, root=kz_by.destination.root, keys=[kz_by.destination.root_key])
    anew = sign_agreement(kz_by.profile, root=root, keys=[signing_key(name) for name in KEEPERS[1:]], begun=theirs)
    agreement = read_agreement(anew.raw, trust)
    require_adoptable(agreement, trust)
    assert agreement.digest == old.digest  # the same text under the same name, signed anew


def test_custodians_sign_an_agreement_one_after_another(kz_by: World) -> None:
    root, trust = renewed(kz_by)
    begun = sign_agreement(kz_by.profile, root=kz_by.destination.root, keys=[kz_by.destination.root_key])
    begun = sign_agreement(kz_by.profile, root=root, keys=[signing_key("Aliya")], begun=begun)
    with pytest.raises(NotAuthentic, match="1 custodians of the root of KZ signed, and 2 of 3 are needed"):
        read_agreement(begun.raw, trust)
    with pytest.raises(Refused, match="has signed this agreement already"):
        sign_agreement(kz_by.profile, root=root, keys=[signing_key("Aliya")], begun=begun)
    whole = sign_agreement(kz_by.profile, root=root, keys=[signing_key("Dana")], begun=begun)
    require_adoptable(read_agreement(whole.raw, trust), trust)


def test_two_versions_of_one_root_are_not_two_parties(kz_by: World) -> None:
    root, trust = renewed(kz_by)
    begun = sign_agreement(kz_by.profile, root=kz_by.origin.root, keys=[kz_by.origin.root_key])
    both = sign_agreement(kz_by.profile, root=root, keys=[signing_key(name) for name in KEEPERS], begun=begun)
    with pytest.raises(NotAuthentic, match="signed by KZ and KZ, not by both its parties"):
        read_agreement(both.raw, trust)


def test_a_quorum_ends_an_agreement_and_less_does_not(kz_by: World) -> None:
    root, trust = renewed(kz_by)
    keys = [signing_key(name) for name in KEEPERS]
    end = terminate(kz_by.agreement, root=root, keys=keys[1:], given_at=SEALED, takes_effect_at=SEALED)
    assert read_termination(end.raw, trust, kz_by.agreements).party == "KZ"
    with pytest.raises(NotAuthentic, match="1 custodians"):
        terminate(kz_by.agreement, root=root, keys=keys[:1], given_at=SEALED, takes_effect_at=SEALED)


# -- marks and degrees ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("degrees", [["2", "3"], ["1", "3"], ["1", "2"]], ids="".join)
def test_mark_that_is_no_degree_of_the_root(kz_by: World, degrees: list[str]) -> None:
    poor = make_side("KZ", degrees, "KZ-KNB")
    with pytest.raises(Refused, match="orders the marks of KZ otherwise"):
        sign_agreement(kz_by.profile, root=poor.root, keys=[poor.root_key])


def test_root_may_have_more_degrees_than_the_agreement(kz_by: World) -> None:
    rich = make_side("KZ", ["0", "1", "1a", "2", "3", "4"], "KZ-KNB")
    trust = Trust([rich.roster, kz_by.destination.roster])
    agreement = read_agreement(signed_by(kz_by.profile.body, rich, kz_by.destination), trust)
    require_adoptable(agreement, trust)


# -- termination ---------------------------------------------------------------------------------------------------------


def ended(world: World, by: Side, *, given_at: int = SEALED - DAY, takes_effect_at: int) -> Termination:
    return terminate(world.agreement, root=by.root, keys=[by.root_key], given_at=given_at, takes_effect_at=takes_effect_at)


def said_to_end(side: Side, body: bytes) -> bytes:
    return sign_statement(labels.TERMINATION, body, [(root_header(side), side.root_key)]).raw


def test_either_party_ends_it(world: World) -> None:
    for side in (world.origin, world.destination):
        made = ended(world, side, takes_effect_at=SEALED)
        read = read_termination(made.raw, world.trust, world.agreements)
        assert read == made
        assert (read.agreement, read.party, read.takes_effect_at) == (world.agreement.digest, side.party, SEALED)


def test_an_end_by_a_root_that_was_replaced_is_not_adopted(kz_by: World) -> None:
    """The keys of a quorum that was replaced are perhaps stolen; what was adopted while they were good is read as before."""
    root, trust = renewed(kz_by)
    old = ended(kz_by, kz_by.origin, takes_effect_at=SEALED)
    read = read_termination(old.raw, trust, kz_by.agreements)
    assert read.root_version == 1
    for at in (SEALED - 1, SEALED):
        require_adoptable_end(read, kz_by.trust, at)
    with pytest.raises(Refused, match="signed by version 1 of its root, which 2 replaced"):
        require_adoptable_end(read, trust, SEALED)
    new = terminate(kz_by.agreement, root=root, keys=[signing_key(name) for name in KEEPERS[:2]], given_at=SEALED, takes_effect_at=SEALED)
    require_adoptable_end(read_termination(new.raw, trust, kz_by.agreements), trust, SEALED)
    with pytest.raises(Refused, match="before it is adopted"):
        require_adoptable_end(new, trust, SEALED + 1)


def test_third_party_cannot_end_it(kz_by: World) -> None:
    with pytest.raises(Refused, match="TS is not a party"):
        ended(kz_by, kz_by.third, takes_effect_at=SEALED)
    raw = said_to_end(kz_by.third, pack([kz_by.agreement.digest, "TS", SEALED, SEALED, {}]))
    with pytest.raises(Refused, match="TS is not a party"):
        read_termination(raw, kz_by.trust, kz_by.agreements)


def test_nobody_ends_it_in_another_s_name(kz_by: World) -> None:
    for signer, named in ((kz_by.origin, "BY"), (kz_by.destination, "KZ"), (kz_by.third, "KZ"), (kz_by.third, "BY")):
        raw = said_to_end(signer, pack([kz_by.agreement.digest, named, SEALED, SEALED, {}]))
        with pytest.raises(NotAuthentic, match=f"by {named} is signed by the root of {signer.party}"):
            read_termination(raw, kz_by.trust, kz_by.agreements)


def test_termination_by_a_root_that_is_not_pinned(kz_by: World) -> None:
    impostor = make_side("KZ", ["1", "2", "3"], "KZ-FALSE")
    raw = said_to_end(impostor, pack([kz_by.agreement.digest, "KZ", SEALED, SEALED, {}]))
    with pytest.raises(NotAuthentic, match="not pinned"):
        read_termination(raw, kz_by.trust, kz_by.agreements)


def test_termination_of_what_is_not_adopted(kz_by: World) -> None:
    raw = said_to_end(kz_by.origin, pack([bytes(32), "KZ", SEALED, SEALED, {}]))
    with pytest.raises(Refused, match="not adopted"):
        read_termination(raw, kz_by.trust, kz_by.agreements)


def test_end_before_the_notice(kz_by: World) -> None:
    with pytest.raises(Refused, match="A14"):
        ended(kz_by, kz_by.origin, given_at=SEALED + 1, takes_effect_at=SEALED)
    raw = said_to_end(kz_by.origin, pack([kz_by.agreement.digest, "KZ", SEALED + 1, SEALED, {}]))
    with pytest.raises(Malformed, match="before it is given"):
        read_termination(raw, kz_by.trust, kz_by.agreements)


MALFORMED_END: dict[str, Hook] = {
    "an item more": more(0),
    "no agreement": put(b"", 0),
    "no party": put("kz", 1),
    "after the year 9999": put(2**63 - 1, 2),
    "no effect": put(None, 3),
    "unknown extension": put({"x": 0}, 4),
}


@pytest.mark.parametrize("case", MALFORMED_END)
def test_malformed_termination(kz_by: World, case: str) -> None:
    body = edited(pack([kz_by.agreement.digest, "KZ", SEALED, SEALED, {}]), MALFORMED_END[case])
    with pytest.raises(Malformed):
        read_termination(said_to_end(kz_by.origin, body), kz_by.trust, kz_by.agreements)


def test_agreements_and_terminations_are_read_in_any_order(kz_by: World) -> None:
    end = ended(kz_by, kz_by.origin, takes_effect_at=SEALED)
    for raws in ([kz_by.agreement.raw, end.raw], [end.raw, kz_by.agreement.raw]):
        agreements = read_agreements(raws, kz_by.trust)
        assert agreements.terminated_at(agreements.find(kz_by.agreement.digest)) == SEALED


# -- in force ------------------------------------------------------------------------------------------------------------


def successor(world: World, *, valid_from: int, **changes: object) -> Agreement:
    profile: Profile = replace(world.profile, version=2, previous=world.agreement.digest, valid_from=valid_from, **changes)  # type: ignore[arg-type] # by name
    return world.sign(profile)


def test_only_the_version_after_it_is_the_next(kz_by: World) -> None:
    second = successor(kz_by, valid_from=SEALED)
    versions = {n: kz_by.sign(replace(kz_by.profile, version=n, previous=second.digest, valid_from=SEALED)) for n in (2, 3, 4)}
    assert [n for n, later in versions.items() if _is_next(later, second)] == [3]
    assert _is_next(second, kz_by.agreement)


def test_from_the_first_second_to_the_last(kz_by: World) -> None:
    world = kz_by.amended(valid_until=SEALED)
    in_force = world.agreements.require_in_force
    in_force(world.agreement, sealed_at=VALID_FROM, accepted_at=SEALED + DAY)
    in_force(world.agreement, sealed_at=SEALED - 1, accepted_at=SEALED + 1000 * DAY)
    with pytest.raises(Refused, match=r"not yet in force .*\(A14\)"):
        in_force(world.agreement, sealed_at=VALID_FROM - 1, accepted_at=SEALED)
    for late in (SEALED, SEALED + 1):
        with pytest.raises(Refused, match=r"had expired .*\(A14\)"):
            in_force(world.agreement, sealed_at=late, accepted_at=late)


def test_after_termination_nothing_new_but_the_old_is_still_accepted(kz_by: World) -> None:
    ends = [ended(kz_by, kz_by.destination, takes_effect_at=SEALED + DAY), ended(kz_by, kz_by.origin, takes_effect_at=SEALED)]
    agreements = Agreements([kz_by.agreement], ends)
    assert agreements.terminated_at(kz_by.agreement) == SEALED  # the earliest
    agreements.require_in_force(kz_by.agreement, sealed_at=SEALED - 1, accepted_at=SEALED + 1000 * DAY)
    for late in (SEALED, SEALED + 1):
        with pytest.raises(Refused, match=r"had been terminated .*\(A14\)"):
            agreements.require_in_force(kz_by.agreement, sealed_at=late, accepted_at=late)


def test_termination_of_another_agreement_does_not_count(kz_by: World) -> None:
    other = kz_by.amended(skew=301)
    for gone, stays in ((other, kz_by), (kz_by, other)):
        agreements = Agreements([kz_by.agreement, other.agreement], [ended(gone, kz_by.origin, takes_effect_at=SEALED - DAY)])
        agreements.require_in_force(stays.agreement, sealed_at=SEALED, accepted_at=SEALED)
        assert agreements.terminated_at(stays.agreement) is None
        assert agreements.terminated_at(gone.agreement) == SEALED - DAY


def test_successor_replaces_it_but_leaves_time_for_the_way(kz_by: World) -> None:
    later = successor(kz_by, valid_from=SEALED, max_transit=1)  # the time for the way is that of the version named
    agreements = Agreements([kz_by.agreement, later])
    transit = kz_by.profile.max_transit
    agreements.require_in_force(kz_by.agreement, sealed_at=SEALED - 1, accepted_at=SEALED + transit - 1)
    for late in (SEALED + transit, SEALED + transit + 1):
        with pytest.raises(Refused, match=r"accepted only for 7776000 s after kz-by version 2 .*\(A12\)"):
            agreements.require_in_force(kz_by.agreement, sealed_at=SEALED - 1, accepted_at=late)
    for late in (SEALED, SEALED + 1):
        with pytest.raises(Refused, match=r"had been replaced by kz-by version 2 .*\(A12\)"):
            agreements.require_in_force(kz_by.agreement, sealed_at=late, accepted_at=late)
    agreements.require_in_force(later, sealed_at=SEALED, accepted_at=SEALED)


@pytest.mark.parametrize(
    "changes",
    [{"id": "kz-by-other"}, {"id": "by-kz"}, {"version": 3}, {"previous": bytes(32)}, {"previous": b"\xff" * 32}],
    ids=["later id", "earlier id", "version", "lower digest", "higher digest"],
)
def test_what_is_not_the_next_version_replaces_nothing(kz_by: World, changes: dict[str, Any]) -> None:
    """Or an agreement of another id, or one that skips a number, would end this one for whoever knows it."""
    profile = replace(kz_by.profile, **{"version": 2, "previous": kz_by.agreement.digest, "valid_from": SEALED, **changes})
    agreements = Agreements([kz_by.agreement, kz_by.sign(profile)])
    agreements.require_in_force(kz_by.agreement, sealed_at=SEALED + DAY, accepted_at=SEALED + DAY)


def test_agreement_of_other_parties_replaces_nothing(kz_by: World, three_four: World) -> None:
    """One party of another agreement is one of this, and could get it signed."""
    for this, other in ((kz_by, three_four), (three_four, kz_by)):
        profile = replace(other.profile, id=this.profile.id, version=2, previous=this.agreement.digest, valid_from=SEALED)
        agreements = Agreements([this.agreement, other.sign(profile)])
        agreements.require_in_force(this.agreement, sealed_at=SEALED + DAY, accepted_at=SEALED + DAY)


def test_no_time_for_the_way(kz_by: World) -> None:
    world = kz_by.amended(max_transit=0)
    agreements = Agreements([world.agreement, successor(world, valid_from=SEALED)])
    agreements.require_in_force(world.agreement, sealed_at=SEALED - 2, accepted_at=SEALED - 1)
    with pytest.raises(Refused, match="A12"):
        agreements.require_in_force(world.agreement, sealed_at=SEALED - 2, accepted_at=SEALED)


def test_nobody_seals_in_the_future(kz_by: World) -> None:
    skew = kz_by.profile.skew
    kz_by.agreements.require_in_force(kz_by.agreement, sealed_at=SEALED + skew, accepted_at=SEALED)
    with pytest.raises(Refused, match="sealed in the future"):
        kz_by.agreements.require_in_force(kz_by.agreement, sealed_at=SEALED + skew + 1, accepted_at=SEALED)


def test_named_is_the_latest_that_has_begun(kz_by: World) -> None:
    later = successor(kz_by, valid_from=SEALED)
    agreements = Agreements([kz_by.agreement, later])
    assert agreements.named("kz-by", SEALED - 1).digest == kz_by.agreement.digest
    assert agreements.named("kz-by", SEALED).digest == later.digest
    assert [a.profile.version for a in agreements.all()] == [1, 2]
    with pytest.raises(Refused, match="no agreement 'kz-ru' is adopted"):
        agreements.named("kz-ru", SEALED)
    with pytest.raises(Refused, match="not yet in force"):
        agreements.named("kz-by", VALID_FROM - 1)


def test_named_is_no_other_of_those_adopted(kz_by: World) -> None:
    """Whatever the order of their ids, and although another has a higher version."""
    others = [kz_by.sign(replace(kz_by.profile, id=name, version=9, previous=bytes(32))) for name in ("by-kz", "kz-by-other")]
    agreements = Agreements([*others, kz_by.agreement])
    assert agreements.named("kz-by", SEALED) is kz_by.agreement
    assert [agreements.named(other.profile.id, SEALED) for other in others] == others


def test_agreement_that_is_not_adopted(kz_by: World, three_four: World) -> None:
    start = three_four.agreement.digest[:8].hex()
    with pytest.raises(Refused, match=f"^the agreement {start}… is not adopted here$") as caught:
        kz_by.agreements.find(three_four.agreement.digest)
    assert "valiza agreement adopt FILE" in caught.value.hint


def test_name_that_is_not_adopted_is_told_with_those_that_are(kz_by: World) -> None:
    for agreements, told in ((kz_by.agreements, "; adopted are kz-by"), (Agreements([]), "")):
        with pytest.raises(Refused, match=r"^no agreement 'by-kz' is adopted here$") as caught:
            agreements.named("by-kz", SEALED)
        assert caught.value.hint == f"adopt it with: valiza agreement adopt FILE{told}"


def test_old_versions_stay_readable(kz_by: World) -> None:
    """P25: usable for old envelopes, not for new ones."""
    later = successor(kz_by, valid_from=OPENED)
    agreements = Agreements([kz_by.agreement, later])
    assert agreements.find(kz_by.agreement.digest) is kz_by.agreement
    with pytest.raises(Refused, match="A12"):
        agreements.require_in_force(kz_by.agreement, sealed_at=OPENED, accepted_at=OPENED)
