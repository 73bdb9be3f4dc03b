"""A thief of one private key: what he can do with it, and everything else, which he cannot. Nobody has revoked it yet."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.support.journals import journal_at
from tests.support.tamper import put, split
from tests.support.world import (
    COUNTERSIGNED,
    DAY,
    EXPIRES,
    ISSUED,
    OPENED,
    SEALED,
    VALID_UNTIL,
    Exchange,
    Officer,
    Piece,
    World,
    acknowledged,
    countersigned,
    opening_by,
    recorded,
    refused,
    rewrap_body,
    say,
    seeded,
)

from valiza.envelope.agreement import read_agreement, read_termination, sign_agreement, terminate
from valiza.envelope.header import wrap_info
from valiza.envelope.receipt import Verdict, countersign, read_receipt, verify_receipt
from valiza.envelope.rewrap import read_rewrap
from valiza.keys import labels
from valiza.keys.credential import ROLE_PURPOSE, CredentialDraft, check_credential, issue_credential
from valiza.keys.digests import digest
from valiza.keys.encoding import pack, unpack
from valiza.keys.errors import Conflict, Malformed, NoKey, NotAuthentic, Refused
from valiza.keys.fields import Body
from valiza.keys.recipient import Identity
from valiza.keys.roster import check_import, make_roster, read_roster
from valiza.keys.signing import SigningKey
from valiza.keys.statement import ROLES, SignerHeader, read_statement, sign_statement
from valiza.keys.trust import Trust

if TYPE_CHECKING:
    from pathlib import Path

    from valiza.keys.credential import Credential
    from valiza.keys.statement import Statement
    from valiza.register.journal import RegisterJournal

LAST_VERSION: Final = 2**63 - 1  # no integer of the encoding's is greater that a roster's version may have


def thief_of(victim: Officer, purpose: str) -> Officer:
    """Somebody with one key of an officer's, and with new keys of his own for all else; everything public he has anyway."""
    draw = seeded(f"thief of {victim.name} {purpose}")
    own = {p: victim.keys[p] if p == purpose else SigningKey.generate(draw) for p in victim.keys}
    return replace(victim, keys=own, identity=victim.identity if purpose == "open" else Identity.generate(draw))


def whatever(key: SigningKey, signer_digest: bytes, type_: str, body: bytes) -> bytes:
    """Any statement over any body, in the role of its type, in the name of whoever has that digest."""
    header = SignerHeader(role=ROLES[type_][0], signer_digest=signer_digest, key_digest=key.key_digest)
    return sign_statement(type_, body, [(header, key)]).raw


def judge(exchange: Exchange, raw: bytes, journal: RegisterJournal | None = None) -> Verdict:
    own = None if journal is None else exchange.world.origin.ministry
    return verify_receipt(read_receipt(raw, trust=exchange.world.trust, agreements=exchange.world.agreements), own=own, journal=journal).verdict


# -- one key, one power: every key of an officer in every role ------------------------------------------------------------


SIGNING: Final = ("seal", "acknowledge", "countersign")
STRANGE: Final = [(purpose, role) for purpose in SIGNING for role, fits in ROLE_PURPOSE.items() if fits != purpose]


@pytest.mark.parametrize(("purpose", "role"), STRANGE)
def test_a_stolen_key_signs_in_its_own_role_only(letter: Exchange, purpose: str, role: str) -> None:
    """Whoever it claims to be: the holder himself, or somebody whose credential has the right purpose."""
    side = letter.world.destination
    victim, wanted = side["chief"], ROLE_PURPOSE[role]
    rightful = {"roster": side.roster_credential, "certify": side.certifiers[side.ministry.id][0], **victim.credentials}[wanted]
    types = [type_ for type_, (its, _) in ROLES.items() if its == role]
    assert types
    for type_, name in itertools.product(types, (victim.credentials[purpose].digest, rightful.digest)):
        with pytest.raises(NotAuthentic):
            letter.world.trust.signer(read_statement(whatever(victim.keys[purpose], name, type_, b"\x90"), type_))


@pytest.mark.parametrize("purpose", SIGNING)
def test_no_key_that_signs_opens_anything(world: World, purpose: str) -> None:
    forged = world.plan().seal()
    with pytest.raises(NotAuthentic, match="does not open with the key it is addressed to"):
        world.unseal(forged.container, by=thief_of(world.destination["chief"], purpose))


# -- seal -----------------------------------------------------------------------------------------------------------------


def test_thief_of_a_seal_key_seals_in_that_name_and_the_origin_s_register_tells(letter: Exchange, tmp_path: Path) -> None:
    """What he seals is accepted. Its receipt reaches an origin that knows of no such envelope."""
    world, chief = letter.world, letter.world.destination["chief"]
    forged = world.plan(sealer=thief_of(world.origin["chief"], "seal"), seed="stolen").seal()
    opened = world.open(forged.container, tmp_path / "out")
    receipt = countersigned(acknowledged(opened.opening, chief), world.countersigner)
    journal = recorded(letter.sealed, tmp_path / "origin.db")
    assert judge(letter, receipt, journal) is Verdict.UNSOLICITED
    journal.close()


def test_thief_of_a_seal_key_does_not_get_beyond_the_clearance(world: World) -> None:
    """The clearance stands in the credential."""
    most = world.profile.party(world.origin.party).marks[0].code
    channel = next(c for c in world.profile.handling[world.mark(most)].channels if c != "agreed")
    pieces = (Piece("plan", b"the bridge", world.marks(most)),)
    plan = world.plan(sealer=thief_of(world.origin["junior"], "seal"), route=world.route(most), channel=channel, pieces=pieces)
    with pytest.raises(Refused, match="junior"):
        world.unseal(plan.seal().container)


def test_thief_of_a_seal_key_reads_nothing_that_was_sealed_with_it(world: World) -> None:
    forged = world.plan().seal()
    with pytest.raises(NoKey):
        world.unseal(forged.container, by=thief_of(world.origin["chief"], "seal"), own=world.destination.ministry)


def test_thief_of_an_expired_seal_key_dates_back(world: World) -> None:
    """The limit: nobody attests times. What he dates after the end of the credential is refused."""
    thief = thief_of(world.origin["former"], "seal")
    world.verify_whole(world.plan(sealer=thief, sealed_at=SEALED - 2 * DAY).seal().container)
    with pytest.raises(Refused, match="expired"):
        world.verify_whole(world.plan(sealer=thief).seal().container)


def test_thief_of_a_seal_key_takes_another_s_envelope_id(letter: Exchange, tmp_path: Path) -> None:
    """He sees it on the outside. Whichever is opened first counts; the other one is a conflict, and both name their sealers."""
    world = letter.world
    thief = thief_of(world.origin["deputy"], "seal")
    same_id = world.plan(sealer=thief).seal(core=put(letter.sealed.name.envelope_id, 0))
    opened = world.open(same_id.container, tmp_path / "out")
    name = world.authenticate(same_id.container).signed.name
    with RegisterOf(tmp_path, letter) as journal:
        journal.record_opening(opened.opening, name, at=OPENED)
        with pytest.raises(Conflict, match="another dispatch"):
            journal.require_first(letter.sealed.name)


# -- open -----------------------------------------------------------------------------------------------------------------


def test_thief_of_an_open_key_reads_all_that_was_ever_addressed_to_it(world: World, tmp_path: Path) -> None:
    """There is no forward secrecy: the old envelope opens as well as the new one."""
    thief = thief_of(world.destination["chief"], "open")
    for number, sealed_at in enumerate((SEALED, SEALED - 20 * DAY)):
        container = world.plan(sealed_at=sealed_at, seed=f"{number}").seal().container
        world.open(container, tmp_path / f"{number}", by=thief)
        assert (tmp_path / f"{number}" / "письмо.txt").read_bytes() == b"the bridge at the border\n"


def test_thief_of_an_open_key_answers_nothing(letter: Exchange) -> None:
    """He knows all that an acknowledgement states, and has no key to sign it."""
    thief = thief_of(letter.world.destination["chief"], "open")
    with pytest.raises(NotAuthentic):
        letter.world.read_answer(acknowledged(letter.opening, thief))
    with pytest.raises(NotAuthentic):
        letter.world.read_answer(refused(letter.expectation.dispatch, letter.expectation.core, thief, letter.opening))


def test_thief_of_an_open_key_reads_a_rewrap_in_an_answer_without_the_header(world: World) -> None:
    """An acknowledgement with a rewrap carries the payload key to whoever sees the answer, wrapped to the new recipient."""
    chief, clerk = world.destination["chief"], world.destination["clerk"]
    forged = world.plan().seal()
    raw = say(labels.REWRAP, rewrap_body(world, forged, forged.payload_key, addressee=chief, recipient=clerk), chief)
    answer = world.read_answer(acknowledged(replace(opening_by(clerk, forged.expectation), rewrap=raw), clerk))
    assert answer.rewrap is not None
    claim = answer.answer.claim
    assert claim is not None
    assert claim.rewrap is not None
    seen = unpack(read_statement(claim.rewrap, labels.REWRAP).body, max_bytes=1 << 16, what="rewrap")
    info = wrap_info(digest(labels.DIGEST_CORE, forged.core), clerk.open.digest)
    assert thief_of(clerk, "open").identity.unwrap(seen[2][1], info) == forged.payload_key


# -- acknowledge ----------------------------------------------------------------------------------------------------------


def test_thief_of_an_acknowledge_key_acknowledges_nothing_that_he_has_not_seen_answered(letter: Exchange, tmp_path: Path) -> None:
    """He can sign; what only opening shows he has to invent, and journal and record tell."""
    world, thief = letter.world, thief_of(letter.world.destination["chief"], "acknowledge")
    invented = acknowledged(letter.opening, thief, openings=[bytes(32), None], proof=bytes(32))
    destination = journal_at(tmp_path / "destination.db", world.confirming)
    destination.record_opening(letter.opening, letter.sealed.name, at=OPENED)
    with pytest.raises(NotAuthentic, match="other than this office's journal recorded"):
        confirm(letter, invented, destination)
    origin = recorded(letter.sealed, tmp_path / "origin.db")
    with pytest.raises(NotAuthentic, match="another openings"):
        judge(letter, countersigned(invented, world.countersigner), origin)
    destination.close()
    origin.close()


def confirm(exchange: Exchange, answer: bytes, journal: RegisterJournal, *, whole: bool = True) -> Statement:
    """What the confirming body's own program makes of an answer."""
    world = exchange.world
    return countersign(
        world.read_answer(answer),
        envelope=world.verify_whole(exchange.sealed.container) if whole else world.authenticate(exchange.sealed.container),
        signer=world.countersigner.credentials["countersign"],
        key=world.countersigner.keys["countersign"],
        trust=world.trust,
        agreements=world.agreements,
        journal=journal,
        at=COUNTERSIGNED,
    )


def test_thief_of_an_acknowledge_key_can_refuse_what_was_not_opened(letter: Exchange, tmp_path: Path) -> None:
    """A refusal of a closed envelope needs no proof. It is none before a second person has countersigned it."""
    thief = thief_of(letter.world.destination["deputy"], "acknowledge")
    refusal = refused(letter.expectation.dispatch, letter.expectation.core, thief)
    with RegisterOf(tmp_path, letter) as journal:
        receipt = confirm(letter, refusal, journal, whole=False)
        assert judge(letter, receipt.raw) is Verdict.REFUSED


def test_opener_who_states_other_marks_than_were_put_on_is_told_by_the_journal(letter: Exchange, tmp_path: Path) -> None:
    """With his own key: the countersigner compares what opening found, marks too (A6.1)."""
    other = acknowledged(letter.opening, letter.world.destination["chief"], marks=["1", "1"])
    with RegisterOf(tmp_path, letter) as journal:
        journal.record_opening(letter.opening, letter.sealed.name, at=OPENED)
        with pytest.raises(NotAuthentic, match="other than this office's journal recorded"):
            confirm(letter, other, journal)


class RegisterOf:
    """A fresh register of the destination's."""

    def __init__(self, folder: Path, exchange: Exchange) -> None:
        self.journal = journal_at(folder / "fresh.db", exchange.world.destination.ministry)

    def __enter__(self) -> RegisterJournal:
        return self.journal

    def __exit__(self, *_: object) -> None:
        self.journal.close()


def test_thief_of_an_acknowledge_key_does_not_refuse_as_unopened_what_was_opened(letter: Exchange, tmp_path: Path) -> None:
    """The destination's register says that it was opened; the origin is not to be told that nobody saw it."""
    thief = thief_of(letter.world.destination["deputy"], "acknowledge")
    refusal = refused(letter.expectation.dispatch, letter.expectation.core, thief)
    with RegisterOf(tmp_path, letter) as journal:
        journal.record_opening(letter.opening, letter.sealed.name, at=OPENED)
        with pytest.raises(Conflict, match="stayed closed"):
            confirm(letter, refusal, journal, whole=False)


def test_thief_of_an_acknowledge_key_passes_nothing_on(world: World) -> None:
    """He signs a detached stanza, and has no payload key to put into it."""
    forged = world.plan().seal()
    chief, clerk = world.destination["chief"], world.destination["clerk"]
    thief = thief_of(chief, "acknowledge")
    raw = say(labels.REWRAP, rewrap_body(world, forged, bytes(32), addressee=chief, recipient=clerk), thief)
    signed = world.authenticate(forged.container).signed
    rewrap = read_rewrap(raw, signed=signed, trust=world.trust, degree=None, skew=0)
    with pytest.raises(NotAuthentic, match="manifest does not decrypt"):
        world.unseal(forged.container, by=clerk, rewrap=rewrap)


# -- countersign ----------------------------------------------------------------------------------------------------------


def test_thief_of_a_countersign_key_makes_no_receipt_without_an_answer(letter: Exchange) -> None:
    thief = thief_of(letter.world.countersigner, "countersign")
    for answer in (acknowledged(letter.opening, thief), refused(letter.expectation.dispatch, letter.expectation.core, thief)):
        with pytest.raises(NotAuthentic):
            judge(letter, countersigned(answer, thief))


def test_thief_of_a_countersign_key_confirms_an_answer_that_he_has_and_the_right_receipt_is_a_conflict(letter: Exchange, tmp_path: Path) -> None:
    """What it says is true, since another person signed it; but nobody checked, and both receipts stand side by side."""
    thief = thief_of(letter.world.countersigner, "countersign")
    stolen = countersigned(letter.acknowledgement.raw, thief, countersigned_at=COUNTERSIGNED - 1)
    journal = recorded(letter.sealed, tmp_path / "origin.db")
    assert judge(letter, stolen, journal) is Verdict.DELIVERED
    journal.record_receipt(stolen, Verdict.DELIVERED.value, letter.sealed.name, at=COUNTERSIGNED)
    assert judge(letter, letter.receipt.raw, journal) is Verdict.CONFLICT
    journal.close()


# -- certify, roster, root ------------------------------------------------------------------------------------------------


def accomplice(world: World, **changes: Any) -> CredentialDraft:
    """What a thief would like to be certified: an officer of the origin's body, with a key of his own."""
    draft = CredentialDraft(
        subject=bytes(16),
        body=world.origin.ministry,
        names={"en": "accomplice"},
        purpose="seal",
        public_key=SigningKey.generate(seeded("accomplice")).public,
        clearance=world.origin.root.degrees[0],
        valid_from=SEALED - DAY,
        valid_until=SEALED + DAY,
    )
    return replace(draft, **changes)


def test_thief_of_a_certify_key_s_officers_count_for_nobody_until_a_roster_has_them(world: World) -> None:
    """A valid credential, and nobody's: whoever signs has to be in a roster, which another key signs."""
    accomplices = world.origin.appoint("accomplice", clearance=world.origin.root.degrees[0])
    container = world.plan(sealer=accomplices).seal().container
    with pytest.raises(NotAuthentic, match="in no roster that is trusted here"):
        world.authenticate(container)
    world.trusting(world.origin.roster_of([accomplices])).authenticate(container)


@pytest.mark.parametrize(
    "wider",
    [
        {"purpose": "roster"},
        {"purpose": "certify"},
        {"purpose": "certify", "certifies_bodies": True},
        {"body": Body("KZ", "KZ-BANK")},
        {"body": Body("BY", "BY-MFA")},
        {"valid_until": VALID_UNTIL + 2 * DAY},
    ],
    ids=["the roster", "to certify", "to certify bodies", "another body", "the other party", "for longer"],
)
def test_thief_of_a_certify_key_certifies_no_more_than_its_body_may(kz_by: World, wider: dict[str, Any]) -> None:
    issuer, key = kz_by.origin.certifiers[kz_by.origin.ministry.id]
    issue_credential(accomplice(kz_by), issuer=issuer, keys=[key])
    with pytest.raises(Refused):
        issue_credential(accomplice(kz_by, **wider), issuer=issuer, keys=[key])


def forged_roster(world: World, credentials: list[Credential], *, version: int = 2) -> bytes:
    side = world.origin
    return make_roster(
        version=version,
        issued_at=ISSUED,
        expires_at=EXPIRES,
        roots=[side.root],
        credentials=credentials,
        signer=side.roster_credential,
        key=side.roster_key,
    ).raw


def test_thief_of_a_roster_key_adds_nobody(world: World) -> None:
    """Each credential in a roster is checked up to the root; he has no key to sign one."""
    side = world.origin
    key = SigningKey.generate(seeded("thief"))
    issuer, _ = side.certifiers[side.ministry.id]
    body = read_statement(side["chief"].credentials["seal"].raw, labels.CREDENTIAL).body
    header = SignerHeader(role="issuer", signer_digest=issuer.digest, key_digest=issuer.key.key_digest)
    own = sign_statement(labels.CREDENTIAL, body, [(header, key)])
    with pytest.raises(NotAuthentic):
        check_credential(own, issuer)
    items = unpack(read_statement(side.roster.raw, labels.ROSTER).body, max_bytes=1 << 26, what="roster")
    items[1] = 2
    items[5] = [raw for _, raw in sorted([*((digest(labels.DIGEST_STATEMENT, raw), raw) for raw in items[5]), (own.digest, own.raw)])]
    signer = SignerHeader(role="roster", signer_digest=side.roster_credential.digest, key_digest=side.roster_key.key_digest)
    raw = sign_statement(labels.ROSTER, pack(items), [(signer, side.roster_key)]).raw
    with pytest.raises(NotAuthentic):
        read_roster(raw, side.root.digest)


def test_thief_of_a_roster_key_drops_nobody(world: World) -> None:
    side = world.origin
    fewer = [c for c in side.roster.credentials.values() if c.subject != side["chief"].open.subject]
    new = read_roster(forged_roster(world, fewer), side.root.digest)
    with pytest.raises(Refused, match="drops 6 credentials"):
        check_import(new, side.roster, SEALED)


def test_thief_of_a_roster_key_cannot_use_up_all_versions(world: World) -> None:
    """The party goes past whatever he published; whoever has an older one imports one in between."""
    side = world.origin
    everybody = list(side.roster.credentials.values())
    for version in (LAST_VERSION, side.roster.version + 1001):
        last = read_roster(forged_roster(world, everybody, version=version), side.root.digest)
        with pytest.raises(Refused, match="more than 1000 above version 1"):
            check_import(last, side.roster, SEALED)
    high = read_roster(forged_roster(world, everybody, version=side.roster.version + 1000), side.root.digest)
    check_import(high, side.roster, SEALED)
    right = side.roster_of(version=high.version + 1)
    check_import(right, high, SEALED)
    between = side.roster_of(version=high.version)
    check_import(between, side.roster, SEALED)
    check_import(right, between, SEALED)


def test_thief_of_certify_and_roster_keys_appoints_whom_he_likes(world: World) -> None:
    """Why these two do not lie on one machine with daily work."""
    accomplices = world.origin.appoint("accomplice", clearance=world.origin.root.degrees[0])
    knowing = world.trusting(world.origin.roster_of([accomplices]))
    knowing.verify(knowing.plan(sealer=accomplices).seal().container)


def test_thief_of_one_root_signs_no_agreement_alone(world: World) -> None:
    """The treaty needs both; its end needs one (A14)."""
    half = sign_agreement(world.profile, root=world.origin.root, keys=[world.origin.root_key])
    with pytest.raises(NotAuthentic, match="not by both its parties"):
        read_agreement(half.raw, world.trust)
    (only,) = unpack(half.raw, max_bytes=1 << 20, what="agreement")[2]
    with pytest.raises(Malformed):
        read_agreement(pack([half.type, half.body, [only, only]]), world.trust)
    end = terminate(world.agreement, root=world.origin.root, keys=[world.origin.root_key], given_at=SEALED, takes_effect_at=SEALED)
    assert read_termination(end.raw, world.trust, world.agreements).party == world.origin.party


def test_thief_of_one_root_makes_no_officers_for_the_other_party(world: World) -> None:
    draft = accomplice(world, purpose="certify", body=world.destination.ministry)
    with pytest.raises(Refused, match="issued by another party"):
        issue_credential(draft, issuer=world.origin.root, keys=[world.origin.root_key])


def test_thief_of_a_root_certifies_whom_he_likes(world: World) -> None:
    """The limit: it takes a body, its certify key, an officer and a roster, and he makes them all."""
    side = world.origin
    draw = seeded("thief of the root")
    certify, publish = SigningKey.generate(draw), SigningKey.generate(draw)
    degrees = side.root.degrees[0]
    valid = {"valid_from": SEALED - 2 * DAY, "valid_until": SEALED + 2 * DAY, "clearance": degrees}
    body = issue_credential(
        accomplice(world, purpose="certify", public_key=certify.public, **valid),
        issuer=side.root,
        keys=[side.root_key],
    )
    signer = issue_credential(
        accomplice(world, purpose="roster", public_key=publish.public, **valid),
        issuer=side.root,
        keys=[side.root_key],
    )
    seal = SigningKey.generate(draw)
    own = issue_credential(accomplice(world, public_key=seal.public), issuer=body, keys=[certify])
    new = make_roster(
        version=2,
        issued_at=SEALED - DAY,
        expires_at=EXPIRES,
        roots=[side.root],
        credentials=[*side.roster.credentials.values(), body, own],
        signer=signer,
        key=publish,
    )
    check_import(new, side.roster, SEALED)
    officer = replace(side["chief"], keys={**side["chief"].keys, "seal": seal}, credentials={**side["chief"].credentials, "seal": own})
    knowing = replace(world, trust=Trust({**world.trust.rosters, side.party: new}.values()))
    knowing.verify(knowing.plan(sealer=officer).seal().container)


# -- all of them, and a stamp ---------------------------------------------------------------------------------------------


def test_no_thief_changes_what_another_signed(world: World) -> None:
    """A carrier's name in core or dispatch, with a signature by the thief of a colleague's key."""
    forged = world.plan().seal()
    sections = split(forged.container)
    thief = thief_of(world.origin["deputy"], "seal")
    body = put(SEALED + 1, 5)(unpack(forged.dispatch.body, max_bytes=1 << 20, what="dispatch"))
    with pytest.raises(NotAuthentic, match="not signed by the sealer whom the header names"):
        world.authenticate(replace(sections, dispatch=say(labels.DISPATCH, pack(body), thief)).join())
