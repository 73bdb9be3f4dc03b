"""Credentials by request: who made the keys keeps them, nobody gets more than he asked for or his issuer has, and a renewal leaves the old ones."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.support.keys import BEGIN, DAY, YEAR, counting, flipped, root_of, signing_key, subject

from valiza.keys import labels
from valiza.keys.credential import Credential, issue_credential
from valiza.keys.encoding import pack
from valiza.keys.errors import Malformed, NoKey, NotAuthentic, Refused, Usage
from valiza.keys.external import ExternalSigner
from valiza.keys.fields import Body
from valiza.keys.keyfile import public_part
from valiza.keys.request import CUSTODIAN, Request, RequestDraft, make_request, read_request
from valiza.keys.revocation import RevocationDraft, issue_revocation
from valiza.keys.root import read_root
from valiza.keys.roster import make_roster
from valiza.keys.statement import read_statement
from valiza.keys.trust import Trust
from valiza.office.enrolling import (
    Protection,
    accept,
    accept_in_folder,
    issue_on_request,
    join_office,
    keep_issued,
    renew,
    request_here,
    request_in_folder,
)
from valiza.office.founding import NewOfficer, certify_officer
from valiza.office.granting import Grant, granted
from valiza.office.home import BODY_OFFICER, Office
from valiza.office.publishing import publish_roster
from valiza.office.quorum import Unfinished, add_signature, begin_credential, begin_root
from valiza.office.roots import draft_next_root, new_custodian

if TYPE_CHECKING:
    from pathlib import Path

    from valiza.keys.root import Root

AT: Final = BEGIN + 30 * DAY
OPEN: Final = Protection(None)


def ask(office: Office, officer: str, *purposes: str, at: int = AT, **changes: Any) -> Request:
    said = {"names": None, "at": at, "random": counting(f"{office.body} {officer} {purposes} {at}"), "protection": OPEN, "deliver": lambda _: None}
    return request_here(office, officer, purposes, **{**said, **changes})


def grant(**changes: Any) -> Grant:
    return Grant(**{"clearance": "2", "valid_from": AT, "valid_until": AT + YEAR, **changes})


def issue(office: Office, request: Request, at: int = AT, *, lost: bool = False, **changes: Any) -> list[Credential]:
    return issue_on_request(office, request, grant(**changes), at=at, random=counting("issue"), lost=lost)


def written(folder: Path, *credentials: Credential | Unfinished) -> list[Path]:
    folder.mkdir(exist_ok=True)
    found = []
    for number, one in enumerate(credentials):
        found.append(folder / f"{number}.vls")
        found[-1].write_bytes(one.raw if isinstance(one, Credential) else one.statement.raw)
    return found


def enrol(office: Office, officer: str, *purposes: str, tmp_path: Path, at: int = AT, **changes: Any) -> list[Credential]:
    """Ask, issue, accept and publish in one office."""
    issued = issue(office, ask(office, officer, *purposes, at=at), at, valid_from=at, **changes)
    accept(office, written(tmp_path / f"{officer}-{at}", *issued))
    publish_roster(office, at=at, validity=YEAR)
    return issued


# -- asking ---------------------------------------------------------------------------------------------------------------


def test_keys_stay_where_they_are_made_and_the_request_names_them(kz: Office) -> None:
    request = ask(kz, "daria", "seal", "open", "acknowledge", names={"en": "Daria Kim"})
    assert (request.party, request.body_id, request.title, request.subject) == ("KZ", "KZ-MFA", "Daria Kim", None)
    folder = kz.home / "keys" / "daria"
    assert {path.name: public_part(path).public for path in folder.iterdir()} == {f"{p}.key": key.raw for p, key in request.keys.items()}
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert kz.officers() == ["aliya", "bolat", "clerk"], "no officer before he has a credential"


def test_an_officer_s_earlier_key_vouches_and_his_subject_stays(kz: Office) -> None:
    request = ask(kz, "aliya", "countersign")
    assert request.subject == kz.credential("aliya", "seal").subject
    assert request.names == kz.credential("aliya", "seal").names
    assert len(read_statement(request.raw, labels.REQUEST).signatures) == 2


def test_an_open_key_alone_is_vouched_for_by_the_acknowledge_key(kz: Office) -> None:
    request = ask(kz, "aliya", "open")
    (entry,) = read_statement(request.raw, labels.REQUEST).signatures
    assert entry.header.signer_digest == kz.credential("aliya", "acknowledge").digest
    with pytest.raises(Usage, match="open keys sign no request"):
        ask(kz, "daria", "open")
    assert not list((kz.home / "keys").glob("daria/*"))


def test_a_registers_key_is_asked_for_with_one_to_act_and_vouched_for_by_it(kz: Office, tmp_path: Path) -> None:
    request = ask(kz, "daria", "act", "register")
    assert [entry.header.key_digest for entry in read_statement(request.raw, labels.REQUEST).signatures] == [request.keys["act"].key_digest]
    accept(kz, written(tmp_path / "daria", *issue(kz, request)))
    publish_roster(kz, at=AT, validity=YEAR)
    kz.reread()
    credential = kz.credential("daria", "register")
    assert (credential.subject, credential.log_key.raw) == (kz.credential("daria", "act").subject, kz.log_key("daria").public)
    credential.log_key.verify_ed25519(kz.log_key("daria").sign_ed25519(b"said"), b"said")
    credential.log_key.verify_mldsa(kz.log_key("daria").sign_mldsa(b"said"), b"said")
    again = ask(kz, "daria", "register", at=AT + DAY)
    (entry,) = read_statement(again.raw, labels.REQUEST).signatures
    assert entry.header.signer_digest == kz.credential("daria", "act").digest
    assert [c.purpose for c in issue(kz, again, at=AT + DAY)] == ["register"]


def test_a_registers_key_is_vouched_for_by_no_other_than_the_one_to_act(kz: Office) -> None:
    with pytest.raises(Usage, match="no act key that is certified already vouches for the register key"):
        ask(kz, "aliya", "register")
    request = ask(kz, "aliya", "register", "seal")
    with pytest.raises(Refused, match="no earlier act key of 'Aliya' vouches for the new register key"):
        issue(kz, request)
    assert [c.purpose for c in issue(kz, request, purposes=("register",), lost=True)] == ["register"]


def test_no_program_keeps_half_of_a_registers_key(kz: Office, tmp_path: Path) -> None:
    signer = ExternalSigner(reference="one", command=("/bin/false",))
    with pytest.raises(Usage, match="the key of a register is all in its file"):
        ask(kz, "daria", "act", "register", signers={("daria", "register"): signer})
    said: dict[str, Any] = {"names": {"en": "Daria"}, "purposes": ("act", "register"), "at": AT, "random": counting(), "protection": OPEN}
    with pytest.raises(Usage, match="the key of a register is all in its file"):
        request_in_folder(tmp_path / "new", kz.body, **said, signers={"register": signer})
    assert not list((kz.home / "keys").glob("daria/*"))


def test_a_key_that_is_elsewhere_vouches_for_nothing(kz: Office) -> None:
    for purpose in ("seal", "acknowledge"):
        kz.key_path("aliya", purpose).unlink()
    request = ask(kz, "aliya", "countersign")
    assert request.subject == kz.credential("aliya", "seal").subject
    assert len(read_statement(request.raw, labels.REQUEST).signatures) == 1


NEVER_ASKED: Final[tuple[tuple[str, list[str]], ...]] = (
    ("aliya", ["certify"]),
    ("aliya", ["roster"]),
    ("office", ["seal"]),
    ("office", ["register"]),
    ("daria", ["register"]),
    ("aliya", ["custodian"]),
    ("aliya", ["act", "act"]),
    ("Aliya", ["act"]),
    ("../x", ["act"]),
    ("", ["act"]),
    ("aliya", []),
)


@pytest.mark.parametrize(("officer", "purposes"), NEVER_ASKED, ids=str)
def test_what_cannot_be_asked_for(officer: str, purposes: list[str], kz: Office) -> None:
    before = sorted((kz.home / "keys").rglob("*"))
    with pytest.raises(Usage):
        ask(kz, officer, *purposes)
    assert sorted((kz.home / "keys").rglob("*")) == before


def test_a_second_request_makes_further_keys_and_touches_none(kz: Office) -> None:
    first, second = ask(kz, "daria", "seal"), ask(kz, "daria", "seal", at=AT + 1)
    keys = {path.name: public_part(path).public for path in (kz.home / "keys" / "daria").iterdir()}
    assert keys == {"seal.key": first.keys["seal"].raw, "seal-2.key": second.keys["seal"].raw}


def test_a_request_without_an_office_is_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    said: dict[str, Any] = {"names": {"en": "Daria"}, "at": AT, "random": counting(), "protection": OPEN}
    request = request_in_folder(folder, Body("KZ", "KZ-MFA"), purposes=["seal", "open"], **said)
    assert sorted(path.name for path in folder.iterdir()) == ["open.key", "request.vls", "seal.key"]
    assert read_request((folder / "request.vls").read_bytes()) == request
    with pytest.raises(Refused, match="exists already"):
        request_in_folder(folder, Body("KZ", "KZ-MFA"), purposes=["seal"], **said)


# -- issuing --------------------------------------------------------------------------------------------------------------


def test_a_body_issues_what_was_asked_for(kz: Office) -> None:
    request = ask(kz, "daria", "seal", "open", "acknowledge")
    issued = issue(kz, request)
    assert {c.purpose: c.key.raw for c in issued} == {purpose: key.raw for purpose, key in request.keys.items()}
    assert {(c.clearance, c.body, c.valid_from, c.valid_until, c.certifies_bodies) for c in issued} == {("2", kz.body, AT, AT + YEAR, False)}
    assert len({c.subject for c in issued}) == 1
    assert issued[0].issuer == kz.credential(BODY_OFFICER, "certify")
    assert len(list((kz.home / "issued").iterdir())) == 3


def test_or_a_part_of_it_and_nothing_else(kz: Office) -> None:
    request = ask(kz, "daria", "seal", "act")
    (only,) = issue(kz, request, purposes=("act",))
    assert only.purpose == "act"
    for purposes in (("countersign",), ("seal", "countersign"), ()):
        with pytest.raises(Usage, match="does not ask for"):
            issue(kz, request, purposes=purposes)


WIDER: Final[dict[str, dict[str, Any]]] = {
    "a clearance that there is not": {"clearance": "9"},
    "valid longer than the issuer": {"valid_until": BEGIN + 20 * YEAR},
    "valid before the issuer": {"valid_from": BEGIN - 1},
    "may certify bodies": {"certifies_bodies": True},
}


@pytest.mark.parametrize("change", WIDER.values(), ids=WIDER.keys())
def test_nothing_wider_than_the_issuer_s_own_is_issued(change: dict[str, Any], kz: Office) -> None:
    new = Body("KZ", "KZ-NEW")
    draft = RequestDraft(subject=None, party="KZ", body_id=new.id, names={"en": "x"}, keys={"certify": signing_key("new").public}, made_at=AT)
    request = make_request(draft, [signing_key("new")]) if "certifies_bodies" in change else ask(kz, "daria", "seal")
    with pytest.raises(Refused):
        issue(kz, request, **change)
    assert not (kz.home / "issued").exists() or not list((kz.home / "issued").iterdir())


def test_a_clearance_above_the_issuer_s_is_not_issued(kz: Office) -> None:
    """A body of the party that is cleared to 2 gives 2 and 3, not 1."""
    own, key = kz.credential(BODY_OFFICER, "certify"), kz.signing_key(BODY_OFFICER, "certify")
    request = ask(kz, "daria", "seal")
    for clearance, allowed in (("1", False), ("2", True), ("3", True), (None, True)):
        lesser = replace(own, clearance="2")
        (draft,) = granted(request, grant(clearance=clearance), roots=kz.own_roster.roots, trust=kz.trust, at=AT, random=counting("x"))
        if allowed:
            assert issue_credential(draft, issuer=lesser, keys=[key]).clearance == clearance
        else:
            with pytest.raises(Refused, match="above its issuer's"):
                issue_credential(draft, issuer=lesser, keys=[key])


def test_a_competent_body_certifies_bodies_and_those_certify_none(kz: Office, tmp_path: Path) -> None:
    """Root → competent body → authorised body → officer, and no further."""
    roster = tmp_path / "KZ.vls"
    roster.write_bytes(kz.own_roster.raw)
    authorised, _ = joined(tmp_path / "mod", Body("KZ", "KZ-NEW"), roster, kz.own_roster.root)
    certify = issue(kz, ask(authorised, BODY_OFFICER, "certify"), clearance="2")
    accept(authorised, written(tmp_path / "certify", *certify))
    published(kz, authorised, tmp_path)
    officer = enrolled_by(authorised, kz, "timur", "seal", tmp_path=tmp_path)
    assert (officer.depth, str(officer.body)) == (3, "KZ/KZ-NEW")
    third, _ = joined(tmp_path / "third", Body("KZ", "KZ-THIRD"), roster, kz.own_roster.root)
    with pytest.raises(Refused, match="may not issue it"):
        issue(authorised, ask(third, BODY_OFFICER, "certify"), at=AT + 5)
    with pytest.raises(Refused, match="above its issuer's"):
        issue(authorised, ask(authorised, "wide", "seal"), clearance="1")


def joined(home: Path, body: Body, roster: Path, root: Root, **officers: Path) -> tuple[Office, list[Any]]:
    return join_office(home, body, names={"en": body.id}, roster=roster, fingerprint=root.digest, officers=officers, at=AT, passphrase=lambda: "")


def published(kz: Office, other: Office, tmp_path: Path) -> None:
    """A new roster of KZ, in the other office too."""
    from valiza.office.trusting import import_roster  # noqa: PLC0415 - beside its only use

    roster = publish_roster(kz, at=AT + kz.own_roster.version, validity=YEAR)
    path = tmp_path / f"KZ-{roster.version}.vls"
    path.write_bytes(roster.raw)
    import_roster(other, path, None, at=AT + 100)


def enrolled_by(body: Office, keeper: Office, officer: str, purpose: str, *, tmp_path: Path) -> Credential:
    """An officer of a body whose roster another office publishes."""
    (issued,) = issue(body, ask(body, officer, purpose))
    accept(body, written(tmp_path / officer, issued))
    publish_roster(keeper, at=AT + 50, validity=YEAR, add=written(tmp_path / f"{officer}-add", issued))
    found = keeper.trust.credential(issued.digest)
    assert found is not None
    return found


def test_an_officer_of_another_body_is_certified_by_his_own(kz: Office, kz_second: Office) -> None:
    with pytest.raises(Refused, match="may not issue it"):
        issue(kz, ask(kz_second, "daria", "seal"))


def test_who_is_of_another_party_is_refused(kz: Office, by: Office) -> None:
    with pytest.raises(Refused, match="was issued by another party"):
        issue(kz, ask(by, "daria", "seal"))


def test_a_key_is_certified_once(kz: Office, tmp_path: Path) -> None:
    """The same request comes a second time, from whoever has seen it."""
    request = ask(kz, "daria", "seal")
    accept(kz, written(tmp_path / "d", *issue(kz, request)))
    publish_roster(kz, at=AT, validity=YEAR)
    spans: tuple[dict[str, Any], ...] = ({}, {"valid_from": AT + YEAR, "valid_until": AT + 2 * YEAR})
    for span in spans:
        with pytest.raises(Refused, match="was granted before: its seal key is in a credential of that purpose"):
            issue(kz, request, **span)
    again = ask(kz, "daria", "seal", same_key=True)
    with pytest.raises(Refused, match="is in a live credential of 'daria'"):
        issue(kz, again)
    (later,) = issue(kz, again, valid_from=AT + YEAR, valid_until=AT + 2 * YEAR)
    accept(kz, written(tmp_path / "e", later))
    publish_roster(kz, at=AT + 1, validity=YEAR)


def test_a_request_that_is_granted_in_parts_is_of_one_subject(kz: Office, tmp_path: Path) -> None:
    """Or one person would be both of the two whom a receipt needs."""
    request = ask(kz, "daria", "acknowledge", "open", "countersign")
    (first,) = issue(kz, request, purposes=("acknowledge",))
    (second,) = issue(kz, request, purposes=("countersign",))
    assert first.subject == second.subject, "before a roster has the first"
    with pytest.raises(Refused, match="granted before: its acknowledge key"):
        issue(kz, request, purposes=("acknowledge", "open"))
    publish_roster(kz, at=AT, validity=YEAR)
    (third,) = issue(kz, request, purposes=("open",))
    assert third.subject == first.subject, "after it has"
    accept(kz, written(tmp_path / "d", first, second, third))
    publish_roster(kz, at=AT, validity=YEAR)
    assert len({c.subject for c in kz.trust.of_body(kz.body, "open") if c.title == "daria"}) == 1


def test_a_key_of_one_person_is_asked_for_by_no_other(kz: Office) -> None:
    """Another request with one of his keys is his too, if that key is not granted; in another's name it is nobody's."""
    taken, own = signing_key("taken"), signing_key("own")
    draft = RequestDraft(subject=None, party="KZ", body_id="KZ-MFA", names={"en": "Daria"}, keys={"seal": taken.public}, made_at=AT)
    (first,) = issue(kz, make_request(draft, [taken]))
    both = replace(draft, keys={"act": own.public, "seal": taken.public})
    (more,) = issue(kz, make_request(both, [own, taken]), purposes=("act",))
    assert more.subject == first.subject
    other = replace(both, subject=kz.credential("aliya", "seal").subject)
    with pytest.raises(Refused, match="is certified already, for another"):
        issue(kz, make_request(other, [own, taken]), purposes=("act",), lost=True)


def test_a_request_is_good_for_ninety_days(kz: Office) -> None:
    for days, good in ((90, True), (91, False)):
        request = ask(kz, f"daria-{days}", "seal", at=AT - days * DAY)
        if good:
            issue(kz, request)
            continue
        with pytest.raises(Refused, match="made more than 90 days ago"):
            issue(kz, request)


def test_a_key_that_is_known_as_compromised_is_not_granted(kz: Office) -> None:
    """Nor what was asked for beside it: who has one of the keys has perhaps all of them."""
    request = ask(kz, "daria", "seal", "act")
    (sealing,) = issue(kz, request, purposes=("seal",))
    publish_roster(kz, at=AT, validity=YEAR)
    draft = RevocationDraft(
        party="KZ", series="KZ-MFA", number=1, kind="compromised", credential=sealing.digest, effective_at=AT, issued_at=AT, reason="stolen"
    )
    issuer, key = kz.credential(BODY_OFFICER, "certify"), kz.signing_key(BODY_OFFICER, "certify")
    lost = issue_revocation(draft, target=sealing, issuer=issuer, keys=[key])
    trust = Trust([kz.trust.rosters["KZ"]])
    assert granted(request, grant(purposes=("act",)), roots=[], trust=trust, at=AT, random=counting())
    known = kz.own_roster
    with_it = make_roster(
        version=known.version + 1,
        issued_at=AT,
        expires_at=AT + YEAR,
        roots=known.roots,
        credentials=known.credentials.values(),
        revocations=[lost],
        signer=kz.credential(BODY_OFFICER, "roster"),
        key=kz.signing_key(BODY_OFFICER, "roster"),
    )
    for purposes in (("act",), ("seal",)):
        with pytest.raises(Refused, match="the seal key of the request of 'daria' was compromised"):
            granted(request, grant(purposes=purposes), roots=[], trust=Trust([with_it]), at=AT, random=counting())


def test_a_subject_is_known_by_a_roster_or_not_at_all(kz: Office) -> None:
    draft = RequestDraft(subject=bytes(16), party="KZ", body_id="KZ-MFA", names={"en": "x"}, keys={"certify": signing_key("x").public}, made_at=AT)
    request = make_request(draft, [signing_key("x")])
    for trust in (Trust([]), kz.trust):
        with pytest.raises(Refused, match="is of a subject of KZ/KZ-MFA that is not known here"):
            granted(request, grant(), roots=[], trust=trust, at=AT, random=counting(), lost=True)


def test_a_key_vouches_for_its_own_purpose_only(kz: Office) -> None:
    """Who has stolen one key of an officer gets no other power of his by it, unless the issuer says that he knows better."""
    seal = kz.credential("aliya", "seal")
    keys = {purpose: signing_key(f"new {purpose}") for purpose in ("seal", "acknowledge")}
    draft = RequestDraft(
        subject=seal.subject, party="KZ", body_id="KZ-MFA", names=seal.names, keys={p: key.public for p, key in keys.items()}, made_at=AT
    )
    request = make_request(draft, keys.values(), [(seal, kz.signing_key("aliya", "seal"))])
    with pytest.raises(Refused, match="vouches for the new acknowledge key"):
        issue(kz, request)
    assert [c.purpose for c in issue(kz, request, purposes=("seal",))] == ["seal"]
    assert [c.purpose for c in issue(kz, request, purposes=("acknowledge",), lost=True)] == ["acknowledge"]


def test_the_keys_of_all_purposes_that_are_renewed_vouch(kz: Office) -> None:
    request = ask(kz, "aliya", "seal", "open", "acknowledge")
    vouching = {entry.header.signer_digest for entry in read_statement(request.raw, labels.REQUEST).signatures} - {request.digest}
    assert vouching == {kz.credential("aliya", purpose).digest for purpose in ("seal", "acknowledge")}
    assert {c.purpose for c in issue(kz, request)} == {"seal", "open", "acknowledge"}


def test_somebody_known_needs_an_earlier_key_or_the_issuer_s_word(kz: Office) -> None:
    draft = RequestDraft(
        subject=kz.credential("aliya", "seal").subject,
        party="KZ",
        body_id="KZ-MFA",
        names={"en": "Aliya"},
        keys={"countersign": signing_key("thief").public},
        made_at=AT,
    )
    request = make_request(draft, [signing_key("thief")])
    with pytest.raises(Refused, match="no earlier key of 'Aliya' vouches"):
        issue(kz, request)
    (issued,) = issue(kz, request, lost=True)
    assert issued.subject == draft.subject


def test_a_subject_that_nobody_knows_is_refused(kz: Office) -> None:
    draft = RequestDraft(
        subject=subject("nobody"), party="KZ", body_id="KZ-MFA", names={"en": "x"}, keys={"act": signing_key("x").public}, made_at=AT
    )
    for lost in (False, True):
        with pytest.raises(Refused, match="a subject of KZ/KZ-MFA that is not known here"):
            issue(kz, make_request(draft, [signing_key("x")]), lost=lost)


def test_a_request_out_of_the_future_is_refused(kz: Office) -> None:
    assert issue(kz, ask(kz, "daria", "seal", at=AT + DAY))
    with pytest.raises(Refused, match="made in the future"):
        issue(kz, ask(kz, "erlan", "seal", at=AT + DAY + 1))


def test_no_credential_makes_a_custodian(kz: Office) -> None:
    request = new_custodian(party="KZ", names={"en": "x"}, at=AT, random=counting("c"))[1]
    with pytest.raises(Refused, match="to become a custodian"):
        issue(kz, request)


def test_a_custodian_s_key_is_certified_for_nothing_else(kz: Office) -> None:
    """One key in two roles."""
    root_key = kz.signing_key(BODY_OFFICER, "root")
    draft = RequestDraft(subject=None, party="KZ", body_id="KZ-MFA", names={"en": "x"}, keys={"seal": root_key.public}, made_at=AT)
    with pytest.raises(Refused, match="the key of a custodian is certified for nothing else"):
        issue(kz, make_request(draft, [root_key]))


def test_the_issuer_is_in_force_and_has_his_key(kz: Office, tmp_path: Path) -> None:
    request = ask(kz, "daria", "seal")
    late = BEGIN + 20 * YEAR
    with pytest.raises(Refused, match="expired at the time of issuing"):
        issue(kz, request, at=late, valid_from=late, valid_until=late + 1)
    kz.key_path(BODY_OFFICER, "certify").unlink()
    with pytest.raises(NoKey):
        issue(Office(kz.home, lambda: ""), request)


# -- accepting ------------------------------------------------------------------------------------------------------------


def test_a_credential_lies_beside_its_key_and_counts_when_it_is_in_the_roster(kz: Office, tmp_path: Path) -> None:
    files = written(tmp_path / "d", *issue(kz, ask(kz, "daria", "seal", "act")))
    first = accept(kz, files)
    assert [(one.officer, one.new, one.counts) for one in first] == [("daria", True, False)] * 2
    with pytest.raises(Refused, match="is not in the roster of KZ known here"):
        kz.credential("daria", "seal")
    publish_roster(kz, at=AT, validity=YEAR)
    assert kz.key_of("daria", kz.credential("daria", "seal")).public == kz.credential("daria", "seal").verify_key.raw
    assert [(one.new, one.counts) for one in accept(kz, files)] == [(False, True)] * 2
    assert kz.officers() == ["aliya", "bolat", "clerk", "daria"]


def test_a_credential_is_accepted_only_where_its_key_is(kz: Office, kz_second: Office, by: Office, tmp_path: Path) -> None:
    files = written(tmp_path / "d", *issue(kz, ask(kz, "daria", "seal")))
    for other, error in ((kz_second, Refused), (by, NotAuthentic)):
        with pytest.raises(error):
            accept(other, files)
    shutil.rmtree(kz.home / "keys" / "daria")
    with pytest.raises(NoKey, match="no key in this office belongs to the seal credential of 'daria'"):
        accept(kz, files)
    assert not (kz.home / "credentials" / "daria").exists()


def test_what_is_not_signed_is_not_accepted(kz: Office, tmp_path: Path) -> None:
    (issued,) = issue(kz, ask(kz, "daria", "seal"))
    for path in (kz.home / "issued").iterdir():
        path.unlink()
    damaged = tmp_path / "damaged.vls"
    damaged.write_bytes(flipped(issued.raw, len(issued.raw) - 1))
    with pytest.raises(NotAuthentic, match=r"damaged\.vls"):
        accept(kz, [damaged])
    damaged.write_bytes(kz.own_roster.root.raw)
    with pytest.raises(Usage, match="no credential among the files"):
        accept(kz, [damaged])
    damaged.write_bytes(kz.own_roster.raw)
    with pytest.raises(Malformed):
        accept(kz, [damaged])
    assert not (kz.home / "credentials" / "daria").exists()


def test_all_are_checked_before_one_is_put(kz: Office, tmp_path: Path) -> None:
    files = written(tmp_path / "d", *issue(kz, ask(kz, "daria", "seal")), *issue(kz, ask(kz, "erlan", "seal")))
    shutil.rmtree(kz.home / "keys" / "erlan")
    with pytest.raises(NoKey):
        accept(kz, files)
    assert not (kz.home / "credentials" / "daria").exists()


def test_another_person_s_credential_does_not_lie_among_an_officer_s(kz: Office, tmp_path: Path) -> None:
    """As when two persons' keys were mixed up in one folder."""
    request = ask(kz, "bolat", "act")
    stranger = replace_subject(request, kz)
    with pytest.raises(Refused, match="of another subject than the credentials of 'bolat'"):
        accept(kz, written(tmp_path / "x", stranger))


def replace_subject(request: Request, office: Office) -> Credential:
    """A credential for the key of a request, issued to somebody else."""
    (draft,) = granted(request, grant(), roots=[], trust=office.trust, at=AT, random=counting("x"), lost=True)
    key = office.signing_key(BODY_OFFICER, "certify")
    return issue_credential(replace(draft, subject=subject("somebody else")), issuer=office.credential(BODY_OFFICER, "certify"), keys=[key])


def test_credentials_are_accepted_in_a_folder_that_is_no_office(kz: Office, tmp_path: Path) -> None:
    folder, roster = tmp_path / "keys", tmp_path / "KZ.vls"
    roster.write_bytes(kz.own_roster.raw)
    request = request_in_folder(folder, kz.body, names={"en": "Daria"}, purposes=["seal", "open"], at=AT, random=counting("d"), protection=OPEN)
    files = written(tmp_path / "issued", *issue(kz, request))
    assert [one.new for one in accept_in_folder(folder, files, [roster])] == [True, True]
    assert [one.new for one in accept_in_folder(folder, files, [roster])] == [False, False]
    assert sorted(path.name for path in folder.glob("*.vls")) == ["open.vls", "request.vls", "seal.vls"]
    office, accepted = joined(tmp_path / "joined", kz.body, roster, kz.own_roster.root, daria=folder)
    assert [one.officer for one in accepted] == ["daria", "daria"]
    assert office.officers() == ["daria"]
    with pytest.raises(NotAuthentic):
        accept_in_folder(folder, files, written(tmp_path / "by", begin(root_of("BY"))))
    other = tmp_path / "other"
    request_in_folder(other, kz.body, names={"en": "x"}, purposes=["seal", "act"], at=AT, random=counting("o"), protection=OPEN)
    with pytest.raises(NoKey, match="belongs to the"):
        accept_in_folder(other, files, [roster])


def begin(root: Root) -> Unfinished:
    """A root, in the form in which it is written."""
    return Unfinished(statement=read_statement(root.raw, labels.ROOT), says=None, shares=())  # type: ignore[arg-type]


# -- renewing -------------------------------------------------------------------------------------------------------------

LATER: Final = AT + 10 * DAY


def renewed(office: Office, officer: str, *purposes: str, **changes: Any) -> list[Credential]:
    said = {"at": LATER, "validity": YEAR, "random": counting(f"renew {officer}"), "protection": OPEN}
    return renew(office, officer, purposes, **{**said, **changes})


def at_time(office: Office, at: int) -> Office:
    """The same office at another time."""
    return Office(office.home, lambda: "", clock=lambda: at)


def test_a_renewal_has_new_keys_and_the_same_person(kz: Office) -> None:
    old = {purpose: kz.credential("aliya", purpose) for purpose in ("seal", "open")}
    new = {c.purpose: c for c in renewed(kz, "aliya", "seal", "open")}
    publish_roster(kz, at=LATER, validity=YEAR)
    for purpose, credential in new.items():
        assert credential.key.raw != old[purpose].key.raw
        same = ("subject", "body", "names", "clearance", "certifies_bodies")
        assert [getattr(credential, field) for field in same] == [getattr(old[purpose], field) for field in same]
        assert kz.credentials("aliya", purpose) == [credential, old[purpose]], "the newest first"
    now = at_time(kz, LATER)
    assert now.credential("aliya", "seal") == new["seal"]
    assert now.signing_key("aliya", "seal").public == new["seal"].verify_key.raw
    assert now.identity("aliya").public == new["open"].recipient.raw
    assert now.identity("aliya", old["open"]).public == old["open"].recipient.raw, "what was sealed to it is still opened"
    assert now.addressee("aliya", [old["open"].digest]) == old["open"]
    assert now.addressee("aliya", []) == new["open"]
    before = at_time(kz, LATER - 1)
    assert before.credential("aliya", "seal") == old["seal"], "the new one is not in force yet"


def test_the_same_key_is_certified_for_the_time_after(kz: Office) -> None:
    old = kz.credential("aliya", "seal")
    with pytest.raises(Refused, match="leaves no time"):
        renewed(kz, "aliya", "seal", same_key=True)  # the officer's ends with the body's
    (short,) = renewed(kz, "bolat", "countersign")
    publish_roster(kz, at=LATER, validity=YEAR)
    again = at_time(kz, LATER)
    (same,) = renewed(again, "bolat", "countersign", at=LATER + 1, same_key=True)
    assert (same.key.raw, same.valid_from) == (short.key.raw, short.valid_until)
    publish_roster(again, at=LATER + 2, validity=YEAR)
    assert at_time(kz, same.valid_from).credential("bolat", "countersign") == same
    assert len(kz.key_paths("bolat", "countersign")) == 2, "no new key was made"
    assert old.key.raw == kz.credential("aliya", "seal").key.raw


def test_one_key_in_two_credentials_at_once_condemns_the_roster(kz: Office) -> None:
    """What the commands refuse, by hand."""
    old = kz.credential("aliya", "seal")
    request = ask(kz, "aliya", "seal", same_key=True)
    assert request.keys["seal"].raw == old.key.raw
    with pytest.raises(Refused, match="is in a live credential"):
        issue(kz, request, valid_from=old.valid_until - 1, valid_until=old.valid_until)
    drafts = granted(request, grant(valid_from=old.valid_until, valid_until=old.valid_until + 1), roots=[], trust=kz.trust, at=AT, random=counting())
    overlapping = replace(drafts[0], valid_from=AT, valid_until=AT + 1)
    issuer, key = kz.credential(BODY_OFFICER, "certify"), kz.signing_key(BODY_OFFICER, "certify")
    keep_issued(kz, [issue_credential(overlapping, issuer=issuer, keys=[key])])
    with pytest.raises(Refused, match="one public key is in two live credentials"):
        publish_roster(kz, at=AT, validity=YEAR)


def test_a_registers_key_is_renewed_and_the_old_one_kept(kz: Office) -> None:
    officer = NewOfficer(name="daria", names={"en": "Daria"}, purposes=("register",), clearance=None)
    certify_officer(kz, officer, at=AT, validity=YEAR, random=counting("daria"), passphrase=None)
    publish_roster(kz, at=AT, validity=YEAR)
    kz.reread()
    old = kz.credential("daria", "register")
    (new,) = renewed(kz, "daria", "register")
    publish_roster(kz, at=LATER + 1, validity=YEAR)
    now = at_time(kz, LATER + 1)
    assert (new.subject, new.clearance) == (old.subject, None)
    assert now.log_key("daria").public == new.log_key.raw != old.log_key.raw
    assert now.log_key("daria", old).public == old.log_key.raw
    (same,) = renewed(now, "daria", "register", at=LATER + 2, same_key=True)
    assert (same.log_key.raw, same.valid_from) == (new.log_key.raw, new.valid_until)


def test_of_a_key_to_sign_no_registers_is_made_and_of_a_registers_none_to_sign(kz: Office) -> None:
    officer = NewOfficer(name="daria", names={"en": "Daria"}, purposes=("act", "register"), clearance="2")
    certify_officer(kz, officer, at=AT, validity=YEAR, random=counting("daria"), passphrase=None)
    publish_roster(kz, at=AT, validity=YEAR)
    kz.reread()
    with pytest.raises(NotAuthentic, match="signs no statement"):
        kz.signing_key("daria", "register")
    with pytest.raises(NotAuthentic, match="signs for no register"):
        kz.log_key("daria", kz.credential("daria", "act"))
    with pytest.raises(NoKey, match="has no register credential"):
        kz.log_key("aliya")
    shutil.copy(kz.key_path("daria", "act"), kz.key_path("daria", "register"))
    with pytest.raises(NoKey, match="is not the one that is certified"):
        Office(kz.home, lambda: "").log_key("daria")


def test_a_body_renews_its_own_keys_with_the_root_that_it_keeps(kz: Office) -> None:
    old = {purpose: kz.credential(BODY_OFFICER, purpose) for purpose in ("certify", "roster")}
    renewed(kz, BODY_OFFICER, "certify", "roster")
    roster = publish_roster(kz, at=LATER, validity=YEAR)
    now = at_time(kz, LATER)
    assert now.credential(BODY_OFFICER, "certify") != old["certify"]
    assert read_statement(roster.raw, labels.ROSTER).signer.signer_digest == now.credential(BODY_OFFICER, "roster").digest
    assert issue(now, ask(now, "daria", "seal"), at=LATER, valid_from=LATER)[0].issuer == now.credential(BODY_OFFICER, "certify")
    assert now.credential("aliya", "seal").issuer == old["certify"], "what it issued before stays"


def test_a_renewal_by_request_is_vouched_for(kz: Office, kz_second: Office, tmp_path: Path) -> None:
    """The second office has no root key: the first one issues its certify key anew."""
    with pytest.raises(NoKey, match="the root key of 'office' is not in this office"):
        renewed(kz_second, BODY_OFFICER, "certify")
    request = ask(kz_second, BODY_OFFICER, "certify")
    assert request.subject == kz_second.credential(BODY_OFFICER, "certify").subject
    (issued,) = issue(kz, request, clearance="1")
    accept(kz_second, written(tmp_path / "c", issued))
    assert issued.depth == 2


def test_who_has_nothing_renews_nothing(kz: Office) -> None:
    for officer, purpose in (("aliya", "countersign"), ("nobody", "seal"), ("clerk", "seal")):
        with pytest.raises(NoKey):
            renewed(kz, officer, purpose)
    with pytest.raises(Usage):
        renewed(kz, "aliya", "certify")
    assert not (kz.home / "keys" / "nobody").exists()


def test_a_damaged_key_hides_no_other(kz: Office) -> None:
    (new,) = renewed(kz, "aliya", "seal")
    publish_roster(kz, at=LATER, validity=YEAR)
    kz.key_path("aliya", "seal").write_bytes(b"damaged")
    now = at_time(kz, LATER)
    assert now.signing_key("aliya", "seal").public == new.verify_key.raw
    before = at_time(kz, LATER - 1)
    with pytest.raises(Malformed, match=r"seal\.key"):
        before.signing_key("aliya", "seal")


@pytest.mark.parametrize("name", ["seal-1.vls", "seal-0.vls", "seal-02.vls", "seal-x.vls", "seal2.vls", "sealed.vls"])
def test_other_files_are_no_renewals(name: str, kz: Office) -> None:
    shutil.copy(kz.credential_path("aliya", "seal"), kz.home / "credentials" / "aliya" / name)
    assert kz.credential_paths("aliya", "seal") == [kz.credential_path("aliya", "seal")]


# -- joining --------------------------------------------------------------------------------------------------------------


def test_an_office_joins_by_roster_and_fingerprint(kz: Office, tmp_path: Path) -> None:
    roster = tmp_path / "KZ.vls"
    roster.write_bytes(kz.own_roster.raw)
    office, _ = joined(tmp_path / "new", Body("KZ", "KZ-MFA"), roster, kz.own_roster.root)
    assert office.pinned() == {"KZ": kz.own_roster.root.digest}
    assert (office.own_roster.version, office.officers(), list((office.home / "keys").iterdir())) == (2, [], [])
    files = written(tmp_path / "d", *issue(kz, ask(office, "daria", "seal")))
    assert accept(office, files)[0].officer == "daria"


def test_an_office_that_is_not_of_the_party_does_not_join(kz: Office, by: Office, tmp_path: Path) -> None:
    roster = tmp_path / "KZ.vls"
    roster.write_bytes(kz.own_roster.raw)
    home = tmp_path / "new"
    with pytest.raises(NotAuthentic, match="has the fingerprint"):
        joined(home, Body("KZ", "KZ-NEW"), roster, by.own_roster.root)
    with pytest.raises(Refused, match="it is of the party KZ, and BY/BY-NEW is of BY"):
        joined(home, Body("BY", "BY-NEW"), roster, kz.own_roster.root)
    roster.write_bytes(flipped(kz.own_roster.raw, len(kz.own_roster.raw) - 1))
    with pytest.raises(NotAuthentic):
        joined(home, Body("KZ", "KZ-NEW"), roster, kz.own_roster.root)
    roster.write_bytes(kz.own_roster.raw)
    with pytest.raises(NoKey, match="there is no key"):
        joined(home, Body("KZ", "KZ-NEW"), roster, kz.own_roster.root, daria=tmp_path)
    with pytest.raises(Usage):
        join_office(
            home, kz.body, names={"en": "x"}, roster=roster, fingerprint=kz.own_roster.root.digest, officers={"../x": tmp_path}, at=AT,
            passphrase=lambda: "",
        )  # fmt: skip
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith((".valiza", "new"))] == []


def test_a_party_begins_with_a_root_and_publishes_its_first_roster(tmp_path: Path) -> None:
    """No roster is there yet; the custodian keeps his key elsewhere."""
    root, key = root_of("KZ"), signing_key("KZroot")
    office, _ = joined(tmp_path / "kz", Body("KZ", "KZ-GOV"), path_of(root, tmp_path), root)
    with pytest.raises(NoKey, match="has no roster credential"):
        publish_roster(office, at=AT, validity=YEAR)
    request = ask(office, BODY_OFFICER, "certify", "roster")
    drafts = granted(request, grant(clearance="1", certifies_bodies=True), roots=[root], trust=office.trust, at=AT, random=counting("root"))
    assert {(draft.purpose, draft.clearance, draft.certifies_bodies) for draft in drafts} == {("certify", "1", True), ("roster", None, False)}
    accept(office, written(tmp_path / "c", *(begin_credential(draft, root, key) for draft in drafts)))
    roster = publish_roster(office, at=AT, validity=YEAR)
    assert (roster.version, roster.party, len(roster.credentials)) == (1, "KZ", 2)
    enrol(office, "daria", "seal", "open", "acknowledge", tmp_path=tmp_path, at=AT + 1)
    assert office.own_roster.version == 2
    assert office.credential("daria", "seal").depth == 2


def path_of(root: Root, tmp_path: Path) -> Path:
    path = tmp_path / f"root-{root.version}.vls"
    path.write_bytes(root.raw)
    return path


def test_below_its_quorum_a_root_s_credential_is_not_accepted(tmp_path: Path) -> None:
    people = {name: new_custodian(party="KZ", names={"en": name}, at=AT, random=counting(name)) for name in "abc"}
    from valiza.office.roots import draft_root  # noqa: PLC0415 - beside its only use

    draft = draft_root(
        party="KZ", names={"en": "KZ"}, degrees=("1", "2", "3"), requests=[r for _, r in people.values()], threshold=2, valid_from=BEGIN,
        valid_until=BEGIN + 10 * YEAR,
    )  # fmt: skip
    root = read_root(add_signature(begin_root(draft, people["a"][0]), people["b"][0], {}).statement.raw)
    office, _ = joined(tmp_path / "kz", Body("KZ", "KZ-GOV"), path_of(root, tmp_path), root)
    request = ask(office, BODY_OFFICER, "certify", "roster")
    begun = [begin_credential(d, root, people["a"][0]) for d in granted(request, grant(), roots=[root], trust=office.trust, at=AT, random=counting())]
    with pytest.raises(NotAuthentic, match="1 custodians of the root of KZ signed, and 2 of 3 are needed"):
        accept(office, written(tmp_path / "one", *begun))
    whole = [add_signature(one, people["c"][0], {root.digest: root}) for one in begun]
    assert len(accept(office, written(tmp_path / "two", *whole))) == 2


# -- publishing -----------------------------------------------------------------------------------------------------------


def second_root(kz: Office) -> Root:
    """Version 2 of KZ's root: another custodian comes."""
    root, key = kz.own_roster.root, kz.signing_key(BODY_OFFICER, "root")
    new = new_custodian(party="KZ", names={"en": "New"}, at=AT, random=counting("second"))[1]
    draft = draft_next_root(root, requests=[new], valid_from=AT, valid_until=AT + 9 * YEAR)
    return read_root(begin_root(draft, key, root).statement.raw)


def test_a_new_root_needs_a_new_signer_of_rosters(kz: Office, tmp_path: Path) -> None:
    root = second_root(kz)
    added = [path_of(root, tmp_path)]
    with pytest.raises(Refused, match="of an earlier version of the root of KZ than the latest, 2"):
        publish_roster(kz, at=AT, validity=YEAR, add=added)
    request = ask(kz, BODY_OFFICER, "roster")
    key = kz.signing_key(BODY_OFFICER, "root")
    (draft,) = granted(request, grant(), roots=[root], trust=kz.trust, at=AT, random=counting("roster"))
    new = written(tmp_path / "r", begin_credential(draft, root, key))
    with pytest.raises(NotAuthentic):
        accept(kz, new)  # version 2 of the root is not known here yet
    assert accept(kz, [*added, *new])[0].path.name == "roster-2.vls"
    roster = publish_roster(kz, at=AT, validity=YEAR)
    assert [one.version for one in roster.roots] == [1, 2]
    assert kz.credential("aliya", "seal").issuer == kz.credential(BODY_OFFICER, "certify"), "what the first version issued stays"


def test_what_is_added_is_told_apart_by_its_type(kz: Office, by: Office, tmp_path: Path) -> None:
    (elsewhere,) = issue(kz, ask(kz, "daria", "seal"))
    for path in (kz.home / "issued").iterdir():
        path.unlink()
    before = kz.own_roster.version
    wrong: list[tuple[bytes, type[Exception]]] = [
        (by.own_roster.root.raw, Refused),
        (by.credential("aliya", "seal").raw, NotAuthentic),
        (kz.own_roster.raw, Malformed),
        (flipped(elsewhere.raw, len(elsewhere.raw) - 1), NotAuthentic),
        (pack(["nothing"]), Malformed),
    ]
    for raw, error in wrong:
        path = tmp_path / "wrong.vls"
        path.write_bytes(raw)
        with pytest.raises(error, match=r"wrong\.vls"):
            publish_roster(kz, at=AT, validity=YEAR, add=[path])
    assert kz.own_roster.version == before
    roster = publish_roster(kz, at=AT, validity=YEAR, add=[*written(tmp_path / "d", elsewhere), path_of(kz.own_roster.root, tmp_path)])
    assert elsewhere.digest in roster.credentials


def test_another_root_of_the_same_version_is_refused(kz: Office, tmp_path: Path) -> None:
    other = root_of("KZ")
    with pytest.raises(Refused, match="another version 1 of the root of KZ is known here"):
        publish_roster(kz, at=AT, validity=YEAR, add=[path_of(other, tmp_path)])


def test_a_key_that_became_a_custodian_s_condemns_the_roster(kz: Office, tmp_path: Path) -> None:
    """A custodian comes with a key that an officer has: one key in two roles."""
    root, key = kz.own_roster.root, kz.signing_key(BODY_OFFICER, "root")
    officer = kz.signing_key("aliya", "seal")
    draft = RequestDraft(subject=subject("new"), party="KZ", body_id=None, names={"en": "x"}, keys={CUSTODIAN: officer.public}, made_at=AT)
    said = draft_next_root(root, requests=[make_request(draft, [officer])], valid_from=AT, valid_until=AT + YEAR)
    second = read_root(begin_root(said, key, root).statement.raw)
    (roster_draft,) = granted(ask(kz, BODY_OFFICER, "roster"), grant(), roots=[], trust=kz.trust, at=AT, random=counting())
    accept(kz, [path_of(second, tmp_path), *written(tmp_path / "r", begin_credential(roster_draft, second, key))])
    with pytest.raises(Refused, match="a custodian's key is in a credential of 'Aliya'"):
        publish_roster(kz, at=AT, validity=YEAR)
