"""Trust: what a reader knows of a credential by the rosters that he has, and what he says when he does not know it."""

from __future__ import annotations

from typing import Final

import pytest
from tests.support.keys import BEGIN, END, NOW, YEAR, flipped, issue, party, remembering, signed

from valiza.keys import labels
from valiza.keys.errors import NotAuthentic, Refused
from valiza.keys.fields import Body
from valiza.keys.trust import Trust, no_evidence

KZ: Final = party("KZ")
BY: Final = party("BY")
OFFICER: Final = KZ.officer("officer").credential
OTHER: Final = KZ.officer("other", "countersign").credential
EVIDENCE: Final = "only what is known by other evidence to have been there before the compromise stands"
FOREIGN: Final = BY.officer("officer").credential


def test_who_remembers_nothing_has_no_evidence() -> None:
    assert no_evidence() is None


def test_a_credential_is_known_by_the_roster_of_its_party() -> None:
    both = Trust([KZ.roster(OFFICER), BY.roster()])
    assert [both.knows(credential) for credential in (OFFICER, KZ.body.credential, OTHER, FOREIGN)] == [True, True, False, False]
    assert not Trust([]).knows(OFFICER)
    assert not Trust([BY.roster(FOREIGN)]).knows(OFFICER)


def test_since_when_it_is_known_is_asked_of_the_roster_of_its_party() -> None:
    known = {OFFICER.digest: 7}
    trust = Trust([remembering(BY.roster(), lambda _: 1), remembering(KZ.roster(OFFICER, OTHER), known.get)])
    assert [trust.known_since(credential) for credential in (OFFICER, OTHER, FOREIGN)] == [7, None, 1]
    assert Trust([]).known_since(OFFICER) is None


def test_everybody_may_rely_on_what_a_roster_has_and_what_is_in_force() -> None:
    trust = KZ.trust(OFFICER, revocations=[KZ.revoke(OFFICER, "retired", NOW)])
    for at in (BEGIN, NOW - 1):
        trust.require_counting(OFFICER, at)
    for at, message in (
        (NOW, r"^the seal credential of 'officer' \(KZ/KZ-GOV\) was retired .*: it does not count for use at 2026-04-11T00:00:00Z$"),
        (BEGIN - 1, "at the time of use"),
        (END, "at the time of use"),
    ):
        with pytest.raises(Refused, match=message):
            trust.require_counting(OFFICER, at)


def test_nobody_may_rely_on_what_no_roster_has() -> None:
    for trust in (KZ.trust(OTHER), BY.trust(FOREIGN), Trust([])):
        with pytest.raises(Refused) as told:
            trust.require_counting(OFFICER, NOW)
        assert told.value.message == "the seal credential of 'officer' (KZ/KZ-GOV) is in no roster known here: it does not count"
        assert "import the latest roster" in told.value.hint


def test_a_credential_from_a_file_has_an_issuer_that_is_trusted() -> None:
    """By a root of any version, or by a credential; and it need not be in a roster itself."""
    trust = Trust([KZ.roster(), BY.roster()])
    for credential in (KZ.body.credential, OFFICER, OTHER, FOREIGN):
        assert trust.check(credential.raw) == credential
    authorised = issue(KZ.body.credential, KZ.body.key, "authorised", "certify", body=Body("KZ", "KZ-SUB"))
    below = issue(authorised.credential, authorised.key, "officer", "seal").credential
    for believed, credential in ((Trust([BY.roster()]), OFFICER), (Trust([]), KZ.body.credential), (trust, below)):
        with pytest.raises(NotAuthentic, match="issuer of this credential is in no roster") as told:
            believed.check(credential.raw)
        assert "import the latest roster" in told.value.hint
    with pytest.raises(NotAuthentic):
        trust.check(flipped(OFFICER.raw, len(OFFICER.raw) - 1))
    assert KZ.trust(authorised.credential).check(below.raw) == below


def test_a_compromise_is_asked_for_evidence_at_the_time_of_use() -> None:
    """What says that it was used at a time, was there at that time: so it is in force until the compromise."""
    trust = KZ.trust(OFFICER, revocations=[KZ.revoke(OFFICER, "compromised", NOW)])
    assert [trust.in_force(OFFICER, at) for at in (BEGIN - 1, BEGIN, NOW - 1, NOW, NOW + 1)] == [False, True, True, False, False]


@pytest.mark.parametrize(("dated", "hint"), [(NOW - 1, EVIDENCE), (NOW, ""), (NOW + 1, "")])
def test_why_an_earlier_signature_does_not_stand_either(dated: int, hint: str) -> None:
    trust = KZ.trust(OFFICER, revocations=[KZ.revoke(OFFICER, "compromised", NOW)])
    with pytest.raises(Refused) as told:
        trust.require_standing(OFFICER, dated=dated, evidence=no_evidence, act="sealing")
    assert told.value.hint == hint


def test_a_suspension_needs_no_other_evidence() -> None:
    """Its hint is of no compromise, wherever the signature lies."""
    trust = KZ.trust(OFFICER, revocations=[KZ.revoke(OFFICER, "suspended", NOW), KZ.revoke(OFFICER, "restored", NOW + 9, number=2)])
    for dated in (NOW, NOW + 8):
        with pytest.raises(Refused, match="was suspended") as told:
            trust.require_standing(OFFICER, dated=dated, evidence=no_evidence, act="sealing")
        assert told.value.hint == ""
    for dated in (NOW - 1, NOW + 9):
        trust.require_standing(OFFICER, dated=dated, evidence=no_evidence, act="sealing")


def test_what_is_new_needs_every_roster_in_force() -> None:
    trust = Trust([KZ.roster(expires_at=NOW + 1), BY.roster()])
    trust.require_fresh(["KZ", "BY"], NOW, "sealing")
    for parties, message in (
        (["BY", "KZ"], "the roster of KZ expired, and sealing needs one in force"),
        (["BY", "UZ"], "no roster of UZ is known here"),
    ):
        with pytest.raises(Refused, match=f"^{message}$") as told:
            trust.require_fresh(parties, NOW + 1, "sealing")
        assert "valiza roster import FILE" in told.value.hint
    for at in (NOW + YEAR, NOW + YEAR + 1):
        with pytest.raises(Refused, match="the roster of BY expired"):
            trust.require_fresh(["BY"], at, "sealing")


def test_who_is_not_known_signs_nothing() -> None:
    holder = BY.officer("officer")
    statement = signed(labels.DISPATCH, "sealer", ["said"], FOREIGN.digest, holder.key)
    for trust in (KZ.trust(), Trust([])):
        with pytest.raises(NotAuthentic, match=r"^the sealer of this dispatch is in no roster that is trusted here$"):
            trust.signer(statement)
    assert Trust([KZ.roster(), BY.roster(FOREIGN)]).signer(statement) == FOREIGN


def test_what_a_compromised_body_issued_does_not_stand_for_who_did_not_know_it_before() -> None:
    lost = [KZ.revoke(KZ.body.credential, "compromised", NOW, by_root=True)]
    since: tuple[int | None, ...] = (None, NOW, NOW - 1)
    believed = [Trust([remembering(KZ.roster(OFFICER, revocations=lost), {OFFICER.digest: at}.get)]) for at in since]
    assert [trust.in_force(OFFICER, NOW + 1) for trust in believed] == [False, False, True]
    with pytest.raises(Refused, match="it does not count for issuing the seal credential of 'officer' at 2026-01-01T00:00:00Z"):
        believed[0].require_in_force(OFFICER, at=NOW + 1, act="sealing")


def test_who_is_designated_is_asked_of_the_roster_of_that_party() -> None:
    trust = Trust([KZ.roster(designations=[KZ.designate("KZ-B")]), BY.roster()])
    assert [trust.designated(of, "competent", ["A"], NOW) for of in ("KZ", "BY", "UZ")] == [("A", "KZ-B"), ("A",), ("A",)]
