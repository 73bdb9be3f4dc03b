"""Revocations: who may revoke what, lists that have no holes and never go back, and the time rule, case by case and against a slow second one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.keys import BEGIN, DAY, END, NOW, Holder, Party, flipped, issue, party, remembering, signed, signing_key, subject

from valiza.keys import labels
from valiza.keys.encoding import unpack
from valiza.keys.errors import Malformed, NotAuthentic, Refused
from valiza.keys.fields import Body
from valiza.keys.revocation import (
    MAX_REVOCATIONS,
    NOTHING_REVOKED,
    History,
    RevocationDraft,
    check_revocation,
    issue_revocation,
    judge,
    require_follows_history,
    require_series,
    revoked_of,
    sign_revocation,
)
from valiza.keys.root import Custodian, Root, RootDraft, make_root
from valiza.keys.roster import Roster, check_import, make_roster, require_new_authority
from valiza.keys.signing import VerifyKey
from valiza.keys.statement import read_statement
from valiza.keys.trust import Trust, no_evidence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from valiza.keys.credential import Credential
    from valiza.keys.revocation import Revocation

KZ: Final = party("KZ")
OFFICER: Final = KZ.officer("officer")
SECOND: Final = KZ.officer("second", "acknowledge")
T: Final = NOW


# -- the time rule --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Said:
    """As much as the rule looks at."""

    series: str | None
    kind: str
    effective_at: int


def stands(*events: tuple[str | None, str, int], dated: int, evidence: int | None = None) -> bool:
    return judge([Said(*event) for event in events], dated=T + dated, evidence=None if evidence is None else T + evidence) is None


def test_nothing_revoked() -> None:
    assert stands(dated=0)
    assert NOTHING_REVOKED.judge(dated=0, evidence=None) is None
    assert not NOTHING_REVOKED


@pytest.mark.parametrize(("dated", "good"), [(-1, True), (0, False), (1, False)])
def test_retired(dated: int, good: bool) -> None:  # noqa: FBT001 - a parameter
    event = ("A", "retired", T)
    assert stands(event, dated=dated) is good
    assert stands(event, dated=dated, evidence=-9) is good, "evidence does not matter"
    assert stands(event, dated=dated, evidence=9) is good, "nor that it came late"


@pytest.mark.parametrize(("dated", "good"), [(-1, True), (0, False), (9, False), (10, True), (11, True)])
def test_suspended_and_restored(dated: int, good: bool) -> None:  # noqa: FBT001 - a parameter
    gap = ("A", "suspended", T), ("A", "restored", T + 10)
    assert stands(*gap, dated=dated) is good
    assert stands(gap[0], dated=dated) is (dated < 0), "and never restored"


def test_what_one_series_suspends_another_does_not_restore() -> None:
    assert not stands((None, "suspended", T), ("A", "restored", T + 10), dated=20)
    assert not stands((None, "suspended", T), ("A", "suspended", T), ("A", "restored", T + 10), dated=20)
    assert stands((None, "suspended", T), (None, "restored", T + 5), ("A", "suspended", T), ("A", "restored", T + 10), dated=20)


@pytest.mark.parametrize(
    ("dated", "evidence", "good"),
    [(-9, None, False), (-9, -9, True), (-9, -1, True), (-9, 0, False), (-9, 1, False), (0, -1, False), (1, None, False), (1, -1, False)],
)
def test_compromised(dated: int, evidence: int | None, good: bool) -> None:  # noqa: FBT001 - a parameter
    assert stands(("A", "compromised", T), dated=dated, evidence=evidence) is good


def test_a_compromise_is_told_before_anything_else() -> None:
    events = [Said("A", "retired", T), Said("A", "compromised", T)]
    found = judge(events, dated=T, evidence=None)
    assert found is not None
    assert found.kind == "compromised"


def test_of_several_the_first_is_told() -> None:
    events = [Said("A", "retired", T), Said(None, "retired", T - 1), Said("B", "suspended", T - 2)]
    assert judge(events, dated=T, evidence=None) is events[0]
    assert judge(events[1:], dated=T, evidence=None) is events[1]
    assert judge(events, dated=T - 1, evidence=None) is events[1]


def test_who_revokes_is_told_before_it_is_signed() -> None:
    said: dict[str, Any] = {
        "number": 1,
        "kind": "retired",
        "credential": OFFICER.credential.digest,
        "effective_at": T,
        "issued_at": T,
        "reason": "left",
    }
    assert RevocationDraft(party="KZ", series=None, **said).by == "the root of KZ"
    assert RevocationDraft(party="KZ", series="KZ-GOV", **said).by == "KZ/KZ-GOV"


def test_all_that_counts_of_a_history() -> None:
    """The compromise of the key too, where it was said of another credential; and once."""
    own, lost = (KZ.revoke(OFFICER.credential, kind, T) for kind in ("retired", "compromised"))
    another = KZ.revoke(SECOND.credential, "compromised", T)
    assert History(revocations=(own,)).all == (own,)
    assert History(revocations=(own, lost), compromised=lost).all == (own, lost)
    assert History(revocations=(own,), compromised=another).all == (own, another)
    assert History(compromised=another).all == (another,)


def test_only_retirement_and_compromise_end_a_credential() -> None:
    for kinds, end in ((("suspended", "restored"), END), (("suspended", "retired"), T)):
        said = tuple(KZ.revoke(OFFICER.credential, kind, T, number=number) for number, kind in enumerate(kinds, 1))
        assert History(revocations=said).ended_at(END) == end
    assert History(compromised=KZ.revoke(SECOND.credential, "compromised", T)).ended_at(END) == T


def test_of_two_compromises_at_one_time_the_first_that_was_said_is_told() -> None:
    said = tuple(KZ.revoke(OFFICER.credential, "compromised", T, by_root=by_root) for by_root in (True, False))
    assert revoked_of(said, {OFFICER.credential.digest: OFFICER.credential}).by_key[OFFICER.key.key_digest] is said[0]


def test_how_many_there_may_be() -> None:
    assert MAX_REVOCATIONS == 16384


def slowly(events: Sequence[Said], dated: int, evidence: int | None) -> bool:
    """The rule once more: second by second for suspensions."""
    for event in events:
        if event.kind == "compromised" and (evidence is None or max(dated, evidence) >= event.effective_at):
            return False
        if event.kind == "retired" and dated >= event.effective_at:
            return False
    for series in {event.series for event in events}:
        suspended = dict.fromkeys(range(-1, 40), False)
        for event in (e for e in events if e.series == series and e.kind in {"suspended", "restored"}):
            suspended.update(dict.fromkeys(range(event.effective_at, 40), event.kind == "suspended"))
        if suspended[dated]:
            return False
    return True


@st.composite
def lives(draw: st.DrawFn, name: str | None) -> list[Said]:
    """What one series may say of one credential, at times from 0 to 30."""
    follows = {"": ["suspended", "retired", "compromised"], "suspended": ["restored", "retired", "compromised"]}
    follows |= {"restored": follows[""], "retired": ["compromised"], "compromised": []}
    found: list[Said] = []
    at, state = 0, ""
    for _ in range(draw(st.integers(0, 6))):
        if not follows[state]:
            break
        state = draw(st.sampled_from(follows[state]))
        when = draw(st.integers(0 if state == "compromised" else at, 30))
        at = max(at, when)
        found.append(Said(name, state, when))
    return found


@given(lives(None), lives("A"), st.integers(0, 35), st.none() | st.integers(0, 35))
def test_the_rule_against_a_slow_one(one: list[Said], other: list[Said], dated: int, evidence: int | None) -> None:
    assert (judge([*one, *other], dated=dated, evidence=evidence) is None) is slowly([*one, *other], dated, evidence)


@given(lives(None), lives("A"), st.integers(0, 35), st.integers(0, 35), st.integers(0, 35))
def test_earlier_evidence_takes_nothing_away(one: list[Said], other: list[Said], dated: int, late: int, early: int) -> None:
    events = [*one, *other]
    if judge(events, dated=dated, evidence=None) is None:
        assert judge(events, dated=dated, evidence=late) is None
    if judge(events, dated=dated, evidence=max(late, early)) is None:
        assert judge(events, dated=dated, evidence=min(late, early)) is None


# -- who may revoke what --------------------------------------------------------------------------------------------------


def other_body() -> Holder:
    return issue(KZ.body.credential, KZ.body.key, "MOD", "certify", body=Body("KZ", "KZ-MOD"))


def renewed_body() -> Holder:
    """The competent body's second credential, with another key."""
    key = signing_key("renewed body")
    said: dict[str, Any] = {"subject": KZ.body.credential.subject, "clearance": "1", "certifies_bodies": True, "public_key": key.public}
    return Holder(issue(KZ.root, KZ.key, "KZ-GOV", "certify", **said).credential, key)


def by(holder: Holder, target: Credential, kind: str = "retired", at: int = T, *, number: int = 1, **changes: Any) -> Revocation:
    """A revocation by a body, whether or not it may."""
    said: dict[str, Any] = {"party": "KZ", "series": holder.credential.body.id, "number": number, "kind": kind, "credential": target.digest}
    draft = RevocationDraft(**{**said, "effective_at": at, "issued_at": at, "reason": "other", **changes})
    return check_revocation(sign_revocation(draft, issuer=holder.credential, keys=[holder.key]), holder.credential)


def roster(*revocations: Revocation, more: Sequence[Credential] = (), **changes: Any) -> Roster:
    return KZ.roster(OFFICER.credential, SECOND.credential, *more, revocations=revocations, **changes)


def test_a_body_revokes_whom_it_certified_and_the_root_everybody() -> None:
    authorised = other_body()
    outsider = issue(authorised.credential, authorised.key, "outsider", "seal")
    more = [authorised.credential, outsider.credential]
    found = roster(
        by(authorised, outsider.credential),
        KZ.revoke(authorised.credential, number=2),
        KZ.revoke(OFFICER.credential),
        KZ.revoke(outsider.credential, by_root=True, number=2),
        KZ.revoke(KZ.body.credential, by_root=True),
        more=more,
    )
    assert [(one.series, one.number) for one in found.revocations] == [(None, 1), (None, 2), ("KZ-GOV", 1), ("KZ-GOV", 2), ("KZ-MOD", 1)]
    for credential in (KZ.body.credential, OFFICER.credential, authorised.credential):
        assert [one.kind for one in found.history(credential).revocations] == ["retired"]
    assert len(found.history(outsider.credential).revocations) == 2
    assert found.history(SECOND.credential) is NOTHING_REVOKED


def test_nobody_else_does() -> None:
    authorised, renewed = other_body(), renewed_body()
    outsider = issue(authorised.credential, authorised.key, "outsider", "seal")
    more = [authorised.credential, outsider.credential, renewed.credential]
    for wrong, who in (
        (by(authorised, OFFICER.credential), "KZ/KZ-MOD revokes a credential of 'officer'"),
        (by(KZ.body, outsider.credential), "which KZ/KZ-MOD issued"),
        (by(renewed, KZ.body.credential), "which the root of KZ issued"),
        (by(KZ.body, KZ.publisher.credential), "which the root of KZ issued"),
    ):
        with pytest.raises(Refused, match=who):
            roster(wrong, more=more)
    thief = signed(labels.REVOCATION, "issuer", items(), OFFICER.credential.digest, OFFICER.key)
    with pytest.raises(NotAuthentic, match="a seal credential cannot sign as issuer"):
        check_revocation(thief, OFFICER.credential)


def items(**changes: Any) -> list[Any]:
    """The body of a revocation of the officer by his body, less the changes."""
    said = {
        "party": "KZ",
        "series": "KZ-GOV",
        "number": 1,
        "kind": "retired",
        "credential": OFFICER.credential.digest,
        "effective_at": T,
        "issued_at": T,
        "reason": "left",
        "extensions": {},
    }
    assert not set(changes) - {*said, "more"}
    return list({**said, **changes}.values())


@pytest.mark.parametrize("change", [{"series": "KZ-MOD"}, {"series": None}, {"party": "BY"}], ids=str)
def test_each_in_its_own_series(change: dict[str, Any]) -> None:
    statement = signed(labels.REVOCATION, "issuer", items(**change), KZ.body.credential.digest, KZ.body.key)
    with pytest.raises(Refused, match="is signed by KZ/KZ-GOV"):
        check_revocation(statement, KZ.body.credential)
    with pytest.raises(Refused):
        KZ.revoke(OFFICER.credential, **change)
    with pytest.raises(Refused, match="is signed by the root of KZ"):
        check_revocation(signed(labels.REVOCATION, "issuer", items(), KZ.root.digest, KZ.key), KZ.root)


MALFORMED: Final[tuple[dict[str, Any], ...]] = (
    {"number": 0},
    {"kind": "revoked"},
    {"kind": ""},
    {"reason": "dismissed"},
    {"reason": ""},
    {"credential": bytes(31)},
    {"effective_at": 253402300800},
    {"kind": "compromised", "effective_at": T + 1},
    {"extensions": {"order": 1}},
    {"more": None},
    {"series": ""},
)


@pytest.mark.parametrize("change", MALFORMED, ids=str)
def test_malformed(change: dict[str, Any]) -> None:
    statement = signed(labels.REVOCATION, "issuer", items(**change), KZ.body.credential.digest, KZ.body.key)
    with pytest.raises(Malformed):
        check_revocation(statement, KZ.body.credential)


def test_remarks_are_kept() -> None:
    statement = signed(labels.REVOCATION, "issuer", items(extensions={"~order": 7}), KZ.body.credential.digest, KZ.body.key)
    assert check_revocation(statement, KZ.body.credential).extensions == {"~order": 7}


def test_signed_by_whom_it_says() -> None:
    good = KZ.revoke(OFFICER.credential)
    forged = signed(labels.REVOCATION, "issuer", items(), KZ.body.credential.digest, signing_key("anybody")).raw
    for bad in (forged, flipped(good.raw, len(good.raw) - 1)):
        with pytest.raises(NotAuthentic):
            check_revocation(read_statement(bad, labels.REVOCATION), KZ.body.credential)
    with pytest.raises(NotAuthentic):
        check_revocation(read_statement(good.raw, labels.REVOCATION), renewed_body().credential)


def test_who_revokes_is_in_the_roster_and_what_is_revoked_too() -> None:
    stranger = renewed_body()
    with pytest.raises(NotAuthentic, match="who revokes is not in the roster"):
        roster(by(stranger, OFFICER.credential))
    with pytest.raises(Refused, match="of a credential that is not in the roster"):
        roster(KZ.revoke(KZ.officer("nobody").credential))


def test_the_signer_is_valid_when_he_revokes() -> None:
    late = issue(KZ.root, KZ.key, "late", "certify", clearance="1", certifies_bodies=True, valid_from=T)
    roster(by(late, OFFICER.credential, issued_at=T), more=[late.credential])
    with pytest.raises(Refused, match="not yet valid at the time of revoking"):
        roster(by(late, OFFICER.credential, issued_at=T - 1), more=[late.credential])


def test_a_revocation_in_one_line() -> None:
    revocation = KZ.revoke(OFFICER.credential, reason="left", at=1_780_000_000)
    assert str(revocation) == "retired with effect from 2026-05-28T20:26:40Z, by KZ/KZ-GOV (No. 1, left)"
    assert str(KZ.revoke(OFFICER.credential, by_root=True)).endswith(", by the root of KZ (No. 1, other)")


def test_the_body_of_a_revocation_is_what_the_specification_says() -> None:
    revocation = KZ.revoke(OFFICER.credential, "suspended", T, reason="lost")
    said = unpack(read_statement(revocation.raw, labels.REVOCATION).body, max_bytes=1000, what="it")
    assert said == ["KZ", "KZ-GOV", 1, "suspended", OFFICER.credential.digest, T, T, "lost", {}]


# -- by a quorum ----------------------------------------------------------------------------------------------------------


def quorum_root() -> tuple[Root, list[Any]]:
    """A root of UZ with three custodians, of whom two are needed."""
    keys = [signing_key(f"custodian {i}") for i in range(3)]
    people = tuple(Custodian(id=subject(f"{i}"), names={"en": "x"}, key=VerifyKey(k.public)) for i, k in enumerate(keys))
    draft = RootDraft(party="UZ", names={"en": "UZ"}, degrees=("1",), custodians=people, threshold=2, valid_from=BEGIN, valid_until=END)
    return make_root(draft, keys), keys


def test_a_quorum_signs_one_after_the_other() -> None:
    root, keys = quorum_root()
    body = issue(root, keys[0], "UZ-GOV", "certify", clearance="1", keys=keys[1:2])
    said: dict[str, Any] = {"party": "UZ", "series": None, "number": 1, "kind": "retired", "credential": body.credential.digest, "reason": "closed"}
    draft = RevocationDraft(**said, effective_at=T, issued_at=T)
    begun = sign_revocation(draft, issuer=root, keys=keys[:1])
    with pytest.raises(NotAuthentic, match=r"1 custodians .* signed, and 2 of 3 are needed"):
        check_revocation(begun, root)
    whole = sign_revocation(draft, issuer=root, keys=keys[2:], begun=begun)
    assert check_revocation(whole, root).credential == body.credential.digest
    other = RevocationDraft(**{**said, "number": 2}, effective_at=T, issued_at=T)
    with pytest.raises(NotAuthentic, match="the other custodians signed another revocation"):
        sign_revocation(other, issuer=root, keys=keys[2:], begun=begun)
    begun_other = sign_revocation(other, issuer=root, keys=keys[:1])
    with pytest.raises(NotAuthentic, match="signed another revocation"):
        sign_revocation(draft, issuer=root, keys=keys[2:], begun=begun_other)
    with pytest.raises(NotAuthentic):
        issue_revocation(draft, target=body.credential, issuer=root, keys=keys[:1])


# -- lists ----------------------------------------------------------------------------------------------------------------


def life(*kinds: str, times: Sequence[int] = range(0, 1000, 10)) -> list[Revocation]:
    """One credential's revocations in one series, one after the other, all found out in the end."""
    pairs = enumerate(zip(kinds, times, strict=False), 1)
    return [KZ.revoke(OFFICER.credential, kind, T + at, number=number, issued_at=T + 10_000) for number, (kind, at) in pairs]


GOOD_LIVES: Final = (
    "suspended",
    "suspended restored",
    "suspended restored suspended restored suspended",
    "suspended retired compromised",
    "suspended restored retired",
    "suspended compromised",
    "retired",
    "retired compromised",
    "compromised",
)
BAD_LIVES: Final = (
    "restored",
    "suspended suspended",
    "suspended restored restored",
    "retired suspended",
    "retired restored",
    "retired retired",
    "compromised retired",
    "compromised restored",
    "compromised suspended",
    "compromised compromised",
)


@pytest.mark.parametrize("kinds", GOOD_LIVES)
def test_what_can_follow_what(kinds: str) -> None:
    assert len(roster(*life(*kinds.split())).revocations) == len(kinds.split())


@pytest.mark.parametrize("kinds", BAD_LIVES)
def test_what_cannot(kinds: str) -> None:
    with pytest.raises(Refused, match=r"revocation \d of KZ/KZ-GOV says \w+ of a credential that"):
        roster(*life(*kinds.split()))


def test_effects_do_not_go_back_but_a_compromise_may() -> None:
    for kinds in (("suspended", "restored"), ("suspended", "retired"), ("suspended", "restored", "retired")):
        same = [5] * len(kinds)
        roster(*life(*kinds, times=same))
        with pytest.raises(Refused, match="is effective before"):
            roster(*life(*kinds, times=[*same[:-1], 4]))
    for before in ("suspended", "retired"):
        found = roster(*life(before, "compromised", times=[5, 1]))
        assert found.history(OFFICER.credential).ended_at(END) == T + 1


def test_a_series_has_no_holes_and_begins_with_one() -> None:
    first, second = KZ.revoke(OFFICER.credential), KZ.revoke(SECOND.credential, number=2)
    roster(first, second)
    for wrong, missing in (([second], 1), ([first, KZ.revoke(SECOND.credential, number=3)], 2), ([KZ.revoke(OFFICER.credential, number=7)], 1)):
        with pytest.raises(Refused, match=f"revocation {missing} of KZ/KZ-GOV is missing"):
            roster(*wrong)
    with pytest.raises(Refused, match="revocation 1 of the root of KZ is missing"):
        roster(KZ.revoke(OFFICER.credential, by_root=True, number=2), first, second)


def test_a_number_stands_once() -> None:
    with pytest.raises(Malformed, match="strictly ascending"):
        roster(KZ.revoke(OFFICER.credential), KZ.revoke(SECOND.credential))


def test_whole_lists_are_required_by_hand_too() -> None:
    one, two = KZ.revoke(OFFICER.credential), KZ.revoke(SECOND.credential, number=2)
    require_series([one, two])
    with pytest.raises(Refused):
        require_series([two])


def test_a_body_s_renewed_credential_goes_on_with_its_series() -> None:
    renewed = renewed_body()
    found = roster(
        KZ.revoke(KZ.body.credential, "compromised", by_root=True),
        KZ.revoke(OFFICER.credential, at=T - 1),
        by(renewed, SECOND.credential, number=2),
        more=[renewed.credential],
    )
    assert [one.signer for one in found.revocations[1:]] == [KZ.body.credential, renewed.credential]


# -- keys -----------------------------------------------------------------------------------------------------------------


def test_a_compromise_concerns_the_key_in_whichever_credential() -> None:
    later = KZ.officer("officer", valid_from=END - DAY, valid_until=END)
    first = KZ.officer("officer", valid_until=END - DAY)
    for named in (first, later):
        found = KZ.roster(first.credential, later.credential, revocations=[KZ.revoke(named.credential, "compromised", T)])
        for holder in (first, later):
            history = found.history(holder.credential)
            assert history.compromised is not None
            assert history.judge(dated=T - 1, evidence=None) is not None
            assert history.judge(dated=T - 1, evidence=T - 1) is None
    retired = KZ.roster(first.credential, later.credential, revocations=[KZ.revoke(first.credential, "retired", T)])
    assert retired.history(later.credential) is NOTHING_REVOKED


def test_the_earliest_compromise_of_a_key_counts() -> None:
    revocations = [KZ.revoke(OFFICER.credential, "compromised", T, by_root=True), KZ.revoke(OFFICER.credential, "compromised", T - 5, issued_at=T)]
    history = roster(*revocations).history(OFFICER.credential)
    assert history.compromised is not None
    assert history.compromised.effective_at == T - 5
    assert history.judge(dated=T - 9, evidence=T - 4) is not None


def test_a_key_may_be_certified_again_once_its_credential_is_retired() -> None:
    again = KZ.officer("again", public_key=OFFICER.key.public, valid_from=T)
    for kind, at, good in (("retired", T, True), ("retired", T + 1, False), ("suspended", T, False), ("compromised", T, True)):
        revocation = KZ.revoke(OFFICER.credential, kind, at, issued_at=T + 9)
        if good:
            roster(revocation, more=[again.credential])
            continue
        with pytest.raises(Refused, match="one public key is in two live credentials"):
            roster(revocation, more=[again.credential])


def test_when_a_credential_ended() -> None:
    def ended(*revocations: Revocation) -> int:
        return roster(*revocations).history(OFFICER.credential).ended_at(END)

    assert History().ended_at(END) == END
    assert ended(KZ.revoke(OFFICER.credential, "suspended")) == END
    assert ended(KZ.revoke(OFFICER.credential, "retired", T)) == T
    assert ended(KZ.revoke(OFFICER.credential, "retired", T, by_root=True), KZ.revoke(OFFICER.credential, "retired", T - 3)) == T - 3
    assert ended(KZ.revoke(OFFICER.credential, "retired", END + 5, issued_at=T)) == END


# -- the roster's signer --------------------------------------------------------------------------------------------------


def test_who_ends_a_second_later_signs_a_roster() -> None:
    for kind in ("retired", "suspended"):
        roster(KZ.revoke(KZ.publisher.credential, kind, NOW + 1, by_root=True))


@pytest.mark.parametrize(
    ("kind", "at"), [("retired", NOW), ("suspended", NOW), ("compromised", NOW - 1), ("compromised", NOW), ("compromised", NOW + 1)]
)
def test_who_is_revoked_signs_no_roster(kind: str, at: int) -> None:
    with pytest.raises(Refused, match=f"signed with a credential that was {kind}"):
        roster(KZ.revoke(KZ.publisher.credential, kind, at, by_root=True))


# -- importing ------------------------------------------------------------------------------------------------------------


def test_no_revocation_is_dropped_or_replaced() -> None:
    known = roster(KZ.revoke(OFFICER.credential))
    check_import(roster(*known.revocations, version=2), known, NOW)
    check_import(roster(*known.revocations, KZ.revoke(SECOND.credential, number=2), version=2), known, NOW)
    with pytest.raises(Refused, match="drops or replaces 1 revocations"):
        check_import(roster(version=2), known, NOW)
    with pytest.raises(Refused, match="drops or replaces 1 revocations"):
        check_import(roster(KZ.revoke(OFFICER.credential), version=2), known, NOW)  # signed once more


def test_a_roster_that_has_expired_is_not_imported() -> None:
    fresh = roster(expires_at=NOW + DAY)
    check_import(fresh, None, NOW + DAY - 1)
    check_import(fresh, fresh, NOW + DAY)
    older = roster(version=1, expires_at=NOW + 1)
    for known in (None, older):
        with pytest.raises(Refused, match="expired at 2026-04-12T00:00:00Z"):
            check_import(roster(version=2, expires_at=NOW + DAY), known, NOW + DAY)


def test_whose_key_is_known_as_compromised_revokes_nothing_more() -> None:
    renewed = renewed_body()
    lost = KZ.revoke(KZ.body.credential, "compromised", T, by_root=True)
    known = roster(lost, more=[renewed.credential])
    dated_back = KZ.revoke(OFFICER.credential, at=T - DAY)
    with pytest.raises(Refused, match="is new, and signed with a credential that was compromised"):
        check_import(roster(lost, dated_back, more=[renewed.credential], version=2), known, NOW)
    check_import(roster(lost, by(renewed, OFFICER.credential), more=[renewed.credential], version=2), known, NOW)
    had_it = roster(dated_back, more=[renewed.credential])
    check_import(roster(lost, dated_back, more=[renewed.credential], version=2), had_it, NOW)


def test_nor_do_those_whom_he_certifies_with_it() -> None:
    """A key that is known as stolen makes as many bodies as its thief likes, dated back, each with a key that nobody has heard of."""
    ministry = Body("KZ", "KZ-MFA")
    before = issue(KZ.body.credential, KZ.body.key, "MFA", "certify", body=ministry)
    child = issue(KZ.body.credential, KZ.body.key, "MFA again", "certify", body=ministry, valid_from=BEGIN + DAY)
    theirs = issue(before.credential, before.key, "Aigul", "seal")
    lost = KZ.revoke(KZ.body.credential, "compromised", T, by_root=True)

    def by_the(signer: Holder) -> Revocation:
        said: dict[str, Any] = {"party": "KZ", "series": "KZ-MFA", "number": 1, "kind": "compromised", "reason": "stolen", "issued_at": T + 1}
        draft = RevocationDraft(**said, credential=theirs.credential.digest, effective_at=BEGIN)
        return issue_revocation(draft, target=theirs.credential, issuer=signer.credential, keys=[signer.key])

    more = [before.credential, theirs.credential]
    known = roster(lost, more=more)
    late, early = remembering(known, lambda _: T), remembering(known, lambda _: T - 1)
    new = roster(lost, by_the(child), more=[*more, child.credential], version=2)
    for reader in (known, late, early):
        for revocation in new.revocations[-1:]:
            with pytest.raises(Refused, match="is new, and signed with a credential issued by one that was compromised"):
                require_new_authority(revocation, reader)
        with pytest.raises(Refused):
            check_import(new, reader, NOW)
    sound = roster(lost, by_the(before), more=more, version=2)
    check_import(sound, early, NOW)
    for reader in (known, late):
        with pytest.raises(Refused, match="issued by one that was compromised"):
            check_import(sound, reader, NOW)


@pytest.mark.parametrize("kind", ["retired", "suspended"])
def test_whose_credential_is_known_to_have_ended_revokes_nothing_more_either(kind: str) -> None:
    gone = KZ.revoke(KZ.body.credential, kind, T, by_root=True)
    known = roster(gone)
    in_time, too_late = KZ.revoke(OFFICER.credential, issued_at=T - 1), KZ.revoke(OFFICER.credential, issued_at=T)
    check_import(roster(gone, in_time, version=2), known, NOW)
    with pytest.raises(Refused, match=f"signed with a credential that was {kind}"):
        check_import(roster(gone, too_late, version=2), known, NOW)


def test_a_root_that_was_replaced_revokes_nothing_new() -> None:
    new_key = signing_key("new custodian")
    draft = RootDraft(
        party="KZ",
        version=2,
        previous=KZ.root.digest,
        names=KZ.root.names,
        degrees=KZ.root.degrees,
        custodians=(Custodian(id=subject("new"), names={"en": "x"}, key=VerifyKey(new_key.public)),),
        threshold=1,
        valid_from=BEGIN,
        valid_until=END,
    )
    root = make_root(draft, [new_key], old=KZ.root, old_keys=[KZ.key])
    publisher = issue(root, new_key, "new publisher", "roster", clearance=None)

    def published(*revocations: Revocation, version: int) -> Roster:
        return make_roster(
            version=version,
            issued_at=NOW,
            expires_at=NOW + DAY,
            roots=[KZ.root, root],
            credentials=[KZ.body.credential, KZ.publisher.credential, OFFICER.credential],
            revocations=revocations,
            signer=publisher.credential,
            key=publisher.key,
        )

    old = KZ.revoke(OFFICER.credential, by_root=True)
    known = published(version=2)
    with pytest.raises(Refused, match="is new, and signed by version 1 of the root"):
        check_import(published(old, version=3), known, NOW)
    check_import(published(old, version=3), published(old, version=2), NOW)
    said: dict[str, Any] = {"party": "KZ", "series": None, "number": 1, "kind": "retired", "credential": OFFICER.credential.digest, "reason": "left"}
    new = issue_revocation(RevocationDraft(**said, effective_at=T, issued_at=T), target=OFFICER.credential, issuer=root, keys=[new_key])
    check_import(published(new, version=3), known, NOW)


def test_a_key_that_is_known_as_compromised_is_never_certified_again() -> None:
    lost = KZ.revoke(OFFICER.credential, "compromised", T)
    known = roster(lost)
    other_purpose = KZ.officer("officer", "countersign", public_key=OFFICER.key.public, valid_from=T + 1)
    for again in (KZ.officer("officer", valid_from=T + 1), other_purpose):
        with pytest.raises(Refused, match=r"the key of a new \w+ credential of 'officer' was compromised"):
            check_import(roster(lost, more=[again.credential], version=2), known, NOW)
    check_import(roster(lost, more=[KZ.officer("other").credential], version=2), known, NOW)


def test_what_may_follow_is_asked_of_the_same_series_and_credential_only() -> None:
    """And of what it said last."""
    first = KZ.revoke(OFFICER.credential, "suspended", T)
    restored = KZ.revoke(OFFICER.credential, "restored", T + 1, number=2)
    again = KZ.revoke(OFFICER.credential, "suspended", T + 2, number=3)
    others = [
        KZ.revoke(SECOND.credential, "retired", T, number=1),
        KZ.revoke(KZ.officer("third").credential, "retired", T, number=2),
        KZ.revoke(OFFICER.credential, "retired", T, by_root=True),
    ]
    require_follows_history(first, [])
    require_follows_history(first, others)
    for before in ([first], [*others, first], [first, *others]):
        require_follows_history(restored, before)
        with pytest.raises(Refused, match="says suspended of a credential that is suspended"):
            require_follows_history(again, before)
    require_follows_history(again, [first, restored, *others])
    with pytest.raises(Refused, match="says restored of a credential that is restored"):
        require_follows_history(KZ.revoke(OFFICER.credential, "restored", T + 3, number=4), [first, restored])
    with pytest.raises(Refused, match="says restored of a credential that was never revoked in this series"):
        require_follows_history(restored, others)


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 1, 0), (1, 2, 0)])
def test_the_earliest_compromise_counts_in_whatever_order_they_are_said(order: tuple[int, ...]) -> None:
    """And whichever credential of the key it was said of."""
    holders = [KZ.officer("officer", purpose, public_key=OFFICER.key.public) for purpose in ("seal", "acknowledge", "countersign")]
    said = [KZ.revoke(holder.credential, "compromised", T + at, issued_at=T + 9) for holder, at in zip(holders, order, strict=True)]
    found = revoked_of(tuple(said), {holder.credential.digest: holder.credential for holder in holders})
    for holder in holders:
        lost = found.history(holder.credential.digest, OFFICER.key.key_digest).compromised
        assert lost is said[order.index(0)]


# -- trust ----------------------------------------------------------------------------------------------------------------


def believed(*revocations: Revocation, known_since: int | None = None, more: Sequence[Credential] = ()) -> Trust:
    return Trust([remembering(roster(*revocations, more=more), lambda _: known_since)])


def holds(trust: Trust, credential: Credential, dated: int, evidence: int | None = None) -> bool:
    try:
        trust.require_standing(credential, dated=dated, evidence=lambda: evidence, act="sealing")
    except Refused:
        return False
    return True


def test_validity_still_counts() -> None:
    trust = believed()
    assert holds(trust, OFFICER.credential, BEGIN)
    for dated in (BEGIN - 1, END):
        with pytest.raises(Refused, match="at the time of sealing"):
            trust.require_standing(OFFICER.credential, dated=dated, evidence=no_evidence, act="sealing")


def test_what_was_revoked_is_told() -> None:
    trust = believed(KZ.revoke(OFFICER.credential, "retired", T, reason="left"))
    with pytest.raises(Refused) as caught:
        trust.require_in_force(OFFICER.credential, at=T, act="sealing")
    assert caught.value.message == (
        "the seal credential of 'officer' (KZ/KZ-GOV) was retired with effect from 2026-04-11T00:00:00Z, by KZ/KZ-GOV (No. 1, left): "
        "it does not count for sealing at 2026-04-11T00:00:00Z"
    )
    assert trust.in_force(OFFICER.credential, T - 1)
    assert not trust.in_force(OFFICER.credential, T)


def test_why_what_lies_before_a_compromise_does_not_stand_is_told() -> None:
    trust = believed(KZ.revoke(OFFICER.credential, "compromised", T))
    for dated, told in ((T - 1, True), (T, False)):
        with pytest.raises(Refused) as caught:
            trust.require_standing(OFFICER.credential, dated=dated, evidence=no_evidence, act="sealing")
        assert ("other evidence" in caught.value.hint) is told


def test_evidence_is_asked_for_only_where_a_key_is_compromised() -> None:
    def asked() -> int:
        pytest.fail("asked")

    for trust in (believed(), believed(KZ.revoke(OFFICER.credential, "retired", T + 1)), believed(KZ.revoke(SECOND.credential, "compromised", T))):
        trust.require_standing(OFFICER.credential, dated=T, evidence=asked, act="sealing")


def test_an_issuer_that_is_retired_leaves_what_it_issued_before() -> None:
    new = KZ.officer("new", valid_from=T)
    trust = believed(KZ.revoke(KZ.body.credential, "retired", T, by_root=True), more=[new.credential])
    assert holds(trust, OFFICER.credential, T + DAY)
    assert not holds(trust, new.credential, T + DAY)
    with pytest.raises(Refused, match="does not count for issuing the seal credential of 'new' at"):
        trust.require_in_force(new.credential, at=T + DAY, act="sealing")


def test_an_issuer_that_is_suspended_takes_what_it_issued_meanwhile() -> None:
    meanwhile, after = KZ.officer("meanwhile", valid_from=T + 5), KZ.officer("after", valid_from=T + 9)
    gap = [KZ.revoke(KZ.body.credential, kind, T + at, by_root=True, number=n) for n, (kind, at) in enumerate((("suspended", 1), ("restored", 9)), 1)]
    trust = believed(*gap, more=[meanwhile.credential, after.credential])
    assert [holds(trust, c.credential, T + DAY) for c in (OFFICER, meanwhile, after)] == [True, False, True]


@pytest.mark.parametrize(("known_since", "good"), [(None, False), (T - 1, True), (T, False), (T + 1, False)])
def test_an_issuer_that_is_compromised_leaves_whom_the_reader_knew_before(known_since: int | None, good: bool) -> None:  # noqa: FBT001 - a parameter
    lost = KZ.revoke(KZ.body.credential, "compromised", T, by_root=True)
    trust = believed(lost, known_since=known_since)
    assert holds(trust, OFFICER.credential, T + DAY) is good
    assert holds(trust, OFFICER.credential, T - DAY) is good
    dated_later = KZ.officer("later", valid_from=T)
    later = believed(lost, known_since=known_since, more=[dated_later.credential])
    assert not holds(later, dated_later.credential, T + DAY), "what says itself that it is later is no better for being known"


def test_every_link_of_a_chain_counts() -> None:
    authorised = other_body()
    outsider = issue(authorised.credential, authorised.key, "outsider", "seal")
    more = [authorised.credential, outsider.credential]
    lost = KZ.revoke(KZ.body.credential, "compromised", T, by_root=True)
    assert not holds(believed(lost, more=more), outsider.credential, T + DAY)
    assert holds(believed(lost, more=more, known_since=T - 1), outsider.credential, T + DAY)
    only = {authorised.credential.digest: T - 1}
    partly = Trust([remembering(roster(lost, more=more), only.get)])
    assert holds(partly, outsider.credential, T + DAY), "the outsider's own issuer is as good as ever"
    assert not holds(partly, OFFICER.credential, T + DAY)


def test_of_a_party_without_a_roster_nothing_is_known() -> None:
    assert Trust([]).history(OFFICER.credential) is NOTHING_REVOKED
    other: Party = party("BY")
    assert Trust([other.roster()]).history(OFFICER.credential) is NOTHING_REVOKED
