"""Parts of one object in another: header, stanzas, payload, dispatch, countersignature, types, persons, keys (P4, P7, P8, P10, P11, P30)."""

from __future__ import annotations

import itertools
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.support.journals import journal_at
from tests.support.tamper import LOW_ORDER_ED25519, LOW_ORDER_X25519, Sections, edited, put, split
from tests.support.world import (
    ACKNOWLEDGED,
    DAY,
    DUE,
    OPENED,
    SEALED,
    Exchange,
    Officer,
    World,
    acknowledged,
    countersigned,
    refused,
    rewrap_body,
    say,
    seeded,
)

from valiza.envelope.acknowledgement import read_answer
from valiza.envelope.agreement import read_agreement, read_termination, terminate
from valiza.envelope.clearance import read_confirmation, read_enquiry
from valiza.envelope.dispatch import Dispatch, authenticate_dispatch, read_dispatch_body
from valiza.envelope.handover import read_handover
from valiza.envelope.header import header_digest, wrap_info
from valiza.envelope.notice import read_notice
from valiza.envelope.opening import open_envelope
from valiza.envelope.overdue import read_overdue
from valiza.envelope.receipt import countersign, read_receipt
from valiza.envelope.rewrap import read_rewrap
from valiza.keys import labels
from valiza.keys.credential import check_credential
from valiza.keys.designation import check_designation
from valiza.keys.digests import digest
from valiza.keys.encoding import pack, unpack
from valiza.keys.errors import Malformed, NoKey, NotAuthentic, Refused
from valiza.keys.files import new_folder
from valiza.keys.keyfile import load_key, save_key
from valiza.keys.realm import Realm
from valiza.keys.recipient import Identity
from valiza.keys.request import RequestDraft, make_request, read_request
from valiza.keys.revocation import check_revocation
from valiza.keys.root import read_root
from valiza.keys.roster import read_roster
from valiza.keys.signing import SigningKey
from valiza.keys.statement import ROLES, SignerHeader, read_statement, sign_statement
from valiza.keys.transcript import KEY, Outcome, Participant, Record, Tool, TranscriptDraft, read_transcript, sign_transcript

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.world import Forged

    Reader = Callable[[bytes], object]

PARTS = ("core", "stanzas", "streams", "manifest", "dispatch")
MIXES = [mix for mix in itertools.product((0, 1), repeat=len(PARTS)) if len(set(mix)) > 1]


def read_whole(world: World, container: bytes, folder: Path) -> None:
    """All of the reading, with an addressee's key; nothing is left where it fails."""
    unsealed = world.unseal(container)
    with new_folder(folder / "out") as work:
        open_envelope(unsealed, into=work, at=OPENED)


# -- parts of two envelopes ----------------------------------------------------------------------------------------------


def test_any_mix_of_two_envelopes(world: World, tmp_path: Path) -> None:
    """Same sealer, addressees, agreement, contents and lengths: all thirty mixtures fail."""
    pair = [split(world.plan(seed=seed).seal().container) for seed in ("one", "two")]
    for mix in MIXES:
        mixed = Sections(**{part: getattr(pair[which], part) for part, which in zip(PARTS, mix, strict=True)})
        with pytest.raises(NotAuthentic):
            read_whole(world, mixed.join(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def resealed(forged: Forged, by: Officer, *, core: bytes | None = None, stanzas: list[Any] | None = None, streams: bytes | None = None) -> bytes:
    """A container put together of another's parts, with a dispatch of one's own over what it has become."""
    sections = split(forged.container)
    items = stanzas if stanzas is not None else unpack(sections.stanzas, max_bytes=1 << 17, what="stanzas")
    sections = replace(sections, core=core or sections.core, stanzas=pack(items), streams=streams or sections.streams)
    payload = sections.streams + sections.manifest
    said: Dispatch = replace(
        read_dispatch_body(forged.dispatch.body),
        core_digest=digest(labels.DIGEST_CORE, sections.core),
        core_length=len(sections.core),
        header_digest=header_digest(sections.core + sections.stanzas),
        header_length=len(sections.core + sections.stanzas),
        payload_digest=digest(labels.DIGEST_PAYLOAD, payload),
        payload_length=len(payload),
    )
    return replace(sections, dispatch=say(labels.DISPATCH, said.packed(), by)).join()


def core_with(forged: Forged, value: Any, *path: int) -> bytes:
    """The core of an envelope with one field changed."""
    return forged.core[:12] + edited(forged.core[12:], put(value, *path))


def test_what_is_put_together_by_hand_in_these_tests_is_good(world: World, tmp_path: Path) -> None:
    read_whole(world, resealed(world.plan().seal(), world.origin["chief"]), tmp_path)


def test_signed_again_by_a_colleague(world: World) -> None:
    """Of the same body, with a key that may seal; but core names another."""
    forged = world.plan().seal()
    with pytest.raises(NotAuthentic, match="not signed by the sealer whom the header names"):
        world.authenticate(resealed(forged, world.origin["deputy"]))


def test_signed_again_by_a_colleague_who_puts_his_name_in_core(world: World) -> None:
    """All digests and signatures are right, so that it verifies without a key; but the payload key is bound to the old core."""
    forged = world.plan().seal()
    deputy = world.origin["deputy"]
    container = resealed(forged, deputy, core=core_with(forged, deputy.credentials["seal"].digest, 5))
    world.verify_whole(container)
    with pytest.raises(NotAuthentic, match="does not open with the key it is addressed to"):
        world.unseal(container)


def test_signed_again_with_the_help_of_an_addressee(world: World) -> None:
    """He gives away the payload key: new stanzas open, but the streams are bound to the old core."""
    forged = world.plan().seal()
    deputy = world.origin["deputy"]
    core = core_with(forged, deputy.credentials["seal"].digest, 5)
    core_digest = digest(labels.DIGEST_CORE, core)
    stanzas = sorted(
        [o.open.digest, o.open.recipient.wrap(forged.payload_key, wrap_info(core_digest, o.open.digest))]
        for o in (world.destination["chief"], world.destination["deputy"])
    )
    container = resealed(forged, deputy, core=core, stanzas=stanzas)
    world.verify_whole(container)
    with pytest.raises(NotAuthentic, match="manifest does not decrypt"):
        world.unseal(container)


def test_other_stanzas_over_the_same_core(world: World) -> None:
    """The sealer himself cannot strip or add an addressee later: the streams are bound to the whole header."""
    forged = world.plan().seal()
    items = unpack(split(forged.container).stanzas, max_bytes=1 << 17, what="stanzas")
    clerk = world.destination["clerk"]
    info = wrap_info(digest(labels.DIGEST_CORE, forged.core), clerk.open.digest)
    added = sorted([*items, [clerk.open.digest, clerk.open.recipient.wrap(forged.payload_key, info)]])
    chief = world.destination["chief"].open.digest
    for stanzas in ([item for item in items if item[0] == chief], added):
        container = resealed(forged, world.origin["chief"], stanzas=stanzas)
        world.verify_whole(container)
        with pytest.raises(NotAuthentic, match="manifest does not decrypt"):
            world.unseal(container)


def test_stanzas_swapped_between_addressees(world: World) -> None:
    """Each wrapped key is bound to the credential it is for."""
    forged = world.plan().seal(stanzas=lambda items: [[items[0][0], items[1][1]], [items[1][0], items[0][1]]])
    world.verify_whole(forged.container)
    for name in ("chief", "deputy"):
        with pytest.raises(NotAuthentic, match="does not open with the key it is addressed to"):
            world.unseal(forged.container, by=world.destination[name])


def test_another_key_for_one_of_two_addressees(world: World, tmp_path: Path) -> None:
    """By the sealer himself: the payload commits to its key, so the second addressee gets nothing, and never another content."""

    def hook(items: list[Any]) -> list[Any]:
        deputy = world.destination["deputy"].open
        other = deputy.recipient.wrap(bytes(32), wrap_info(core_digest, deputy.digest))
        return [[name, other if name == deputy.digest else wrapped] for name, wrapped in items]

    core_digest = digest(labels.DIGEST_CORE, world.plan().seal().core)  # the seed is the same, so core is too
    container = world.plan().seal(stanzas=hook).container
    world.verify_whole(container)
    world.open(container, tmp_path / "out")
    with pytest.raises(NotAuthentic, match="manifest does not decrypt"):
        world.unseal(container, by=world.destination["deputy"])


def test_stanzas_of_another_envelope(world: World) -> None:
    foreign = unpack(split(world.plan(seed="other").seal().container).stanzas, max_bytes=1 << 17, what="stanzas")
    forged = world.plan().seal(stanzas=lambda _: foreign)
    world.verify_whole(forged.container)
    with pytest.raises(NotAuthentic, match="does not open with the key it is addressed to"):
        world.unseal(forged.container)


def test_stanzas_changed_without_signing(world: World) -> None:
    sections = split(world.plan().seal().container)
    items = unpack(sections.stanzas, max_bytes=1 << 17, what="stanzas")
    for stanzas in (items[:1], items[::-1], [[items[0][0], items[1][1]], [items[1][0], items[0][1]]]):
        with pytest.raises(NotAuthentic):
            world.authenticate(replace(sections, stanzas=pack(stanzas)).join())


def test_payload_of_another_envelope_signed_again_by_the_sealer(world: World, tmp_path: Path) -> None:
    """Stream keys are bound to core: the sealer himself cannot put another payload under a header."""
    forged, other = (world.plan(seed=seed).seal() for seed in ("one", "two"))
    container = resealed(forged, world.origin["chief"], streams=split(other.container).streams)
    world.verify_whole(container)
    with pytest.raises(NotAuthentic, match="a stream does not decrypt"):
        read_whole(world, container, tmp_path)


def test_dispatch_of_another_envelope(world: World) -> None:
    one, two = (world.plan(seed=seed).seal() for seed in ("one", "two"))
    with pytest.raises(NotAuthentic, match="over another core"):
        world.authenticate(replace(split(one.container), dispatch=two.dispatch.raw).join())


@pytest.mark.parametrize("index", range(8))
def test_any_field_of_core_changed_and_signed_again(world: World, index: int) -> None:
    """Whatever the sealer changes in core afterwards, nobody opens the payload under it."""
    forged = world.plan().seal()
    destination = world.destination
    values: list[Any] = [
        bytes(32),
        bytes(32),
        world.origin["banker"].body.packed(),
        destination["banker"].body.packed(),
        destination["banker"].body.packed(),
        world.origin["deputy"].credentials["seal"].digest,
        ["encrypted", *unpack(forged.core[12:], max_bytes=1 << 15, what="core")[6][1:]],
        {"~": 1},
    ]
    container = resealed(forged, world.origin["chief"], core=core_with(forged, values[index], index))
    with pytest.raises((NotAuthentic, Refused)):
        world.unseal(container)


# -- sealed on to a third body -------------------------------------------------------------------------------------------


def test_passed_on_as_it_is(world: World) -> None:
    """Surreptitious forwarding: the third body verifies it, reads in it that it is another's, and has no key."""
    forged = world.plan().seal()
    banker = world.destination["banker"]
    world.verify_whole(forged.container)
    with pytest.raises(Refused, match=f"addressed to {world.destination.ministry}, and this is {banker.body}"):
        world.unseal(forged.container, by=banker)
    with pytest.raises(NoKey):
        world.unseal(forged.container, by=banker, own=world.destination.ministry)


def test_passed_on_with_a_stanza_for_the_third_body(world: World) -> None:
    """The chief, who opened it, adds a stanza; or makes a rewrap. The header is signed, and a rewrap stays in the body."""
    forged = world.plan().seal()
    chief, banker = world.destination["chief"], world.destination["banker"]
    sections = split(forged.container)
    items = unpack(sections.stanzas, max_bytes=1 << 17, what="stanzas")
    info = wrap_info(digest(labels.DIGEST_CORE, forged.core), banker.open.digest)
    stanzas = pack(sorted([*items, [banker.open.digest, banker.open.recipient.wrap(forged.payload_key, info)]]))
    with pytest.raises(NotAuthentic):
        world.authenticate(replace(sections, stanzas=stanzas).join())
    rewrap = say(labels.REWRAP, rewrap_body(world, forged, forged.payload_key, addressee=chief, recipient=banker), chief)
    signed = world.authenticate(forged.container).signed
    with pytest.raises(Refused, match=r"not certified to open for .* \(A5\.4\)"):
        read_rewrap(rewrap, signed=signed, trust=world.trust, degree=None, skew=0)


def test_opened_payload_sealed_on_with_the_original_header(world: World, tmp_path: Path) -> None:
    """The destination encrypts what it opened to a third party, under the origin's header and dispatch, as if the origin had sent it there."""
    forged = world.plan().seal()
    third = world.third["chief"]
    opened = world.open(forged.container, tmp_path / "out")
    on = world.plan(addressees=(third.open,), seed="on").seal()
    taken = split(on.container)
    original = split(forged.container)
    for pieces in (
        replace(original, stanzas=taken.stanzas),
        replace(original, stanzas=taken.stanzas, streams=taken.streams, manifest=taken.manifest),
        replace(taken, core=original.core, dispatch=original.dispatch),
        replace(taken, dispatch=original.dispatch),
    ):
        with pytest.raises(NotAuthentic):
            world.authenticate(pieces.join())
    assert opened.manifest.core_digest == digest(labels.DIGEST_CORE, forged.core)


def test_opened_payload_sealed_on_by_the_destination_itself(world: World) -> None:
    """With a header of its own it is the sender; the origin's manifest inside names another core."""
    back = world.reversed()
    manifest = world.unseal(world.plan().seal().container).manifest
    forged = back.plan(destination=back.destination.ministry).seal(manifest=put(manifest.core_digest, 1))
    back.verify_whole(forged.container)
    with pytest.raises(NotAuthentic, match="manifest belongs to another envelope"):
        back.unseal(forged.container)


# -- countersignatures ---------------------------------------------------------------------------------------------------


def receipt_for(exchange: Exchange, answer: bytes, **changes: Any) -> bytes:
    own = exchange.world.confirming == exchange.world.destination.ministry
    return countersigned(answer, exchange.world.countersigner, **{"checked": ["envelope", "opening"] if own else ["entered", "envelope"], **changes})


def read_one(exchange: Exchange, raw: bytes) -> object:
    return read_receipt(raw, trust=exchange.world.trust, agreements=exchange.world.agreements)


def test_countersignature_moved_to_another_acknowledgement(exchange: Exchange) -> None:
    """Same acknowledger, same envelope, one word different; or the same words signed once more."""
    chief = exchange.world.destination["chief"]
    first = receipt_for(exchange, acknowledged(exchange.opening, chief))
    for changes in ({"number": "another"}, {}):
        second = receipt_for(exchange, acknowledged(exchange.opening, chief, **changes))
        one, two = (unpack(raw, max_bytes=1 << 20, what="receipt") for raw in (first, second))
        assert one[1] != two[1]
        read_one(exchange, second)
        with pytest.raises(NotAuthentic, match="does not verify"):
            read_one(exchange, pack([two[0], two[1], one[2]]))


def test_countersignature_covers_the_signature_below_it(exchange: Exchange) -> None:
    """RFC 9338: the acknowledgement signed again, with the same body, is another one."""
    answer = exchange.acknowledgement
    again = acknowledged(exchange.opening, exchange.world.destination["chief"], number="")
    assert read_statement(again, labels.ACKNOWLEDGEMENT).body == answer.body
    assert again != answer.raw
    items = unpack(exchange.receipt.raw, max_bytes=1 << 20, what="receipt")
    body = edited(items[1], put(again, 0))
    with pytest.raises(NotAuthentic, match="does not verify"):
        read_one(exchange, pack([items[0], body, items[2]]))


def test_signature_of_the_acknowledger_as_countersignature(exchange: Exchange) -> None:
    items = unpack(exchange.receipt.raw, max_bytes=1 << 20, what="receipt")
    answer = unpack(exchange.acknowledgement.raw, max_bytes=1 << 20, what="acknowledgement")
    with pytest.raises(Malformed, match="signed in the role countersigner"):
        read_one(exchange, pack([items[0], items[1], answer[2]]))


def test_receipt_within_a_receipt(exchange: Exchange) -> None:
    with pytest.raises(Malformed):
        read_one(exchange, receipt_for(exchange, exchange.receipt.raw))


# -- one type as another -------------------------------------------------------------------------------------------------


def _practice(key: SigningKey) -> TranscriptDraft:
    """A ceremony of one step, in which one custodian makes a key."""
    step = Record(
        number=1,
        name="make",
        about=None,
        participant="aliya",
        aloud=(),
        answers=(),
        results=((KEY, pack([labels.KIND_SIGNATURE, key.public])),),
        began_at=SEALED,
        ended_at=SEALED,
    )
    return TranscriptDraft(
        id=bytes(32),
        kind="new-root",
        plan=b"",
        tool=Tool(version="1", code=bytes(32), interpreter="Python", platform="a machine", libraries=()),
        participants=(Participant(id="aliya", role="custodian", names={"en": "Aliya"}, key_digest=key.key_digest),),
        inputs=(),
        sittings=((SEALED, 1),),
        steps=(step,),
        entropy=("system",),
        outcome=Outcome(word="complete", remark="", at=SEALED),
    )


@pytest.fixture(scope="module")
def objects(letter: Exchange) -> dict[str, bytes]:
    """A real statement of each type."""
    world = letter.world
    end = terminate(world.agreement, root=world.origin.root, keys=[world.origin.root_key], given_at=SEALED, takes_effect_at=SEALED)
    chief = world.destination["chief"]
    forged = world.plan().seal()
    rewrap = say(labels.REWRAP, rewrap_body(world, forged, forged.payload_key, addressee=chief, recipient=world.destination["clerk"]), chief)
    newcomer = SigningKey.generate(os.urandom)
    asked = RequestDraft(subject=None, party="KZ", body_id="KZ-MFA", names={"en": "New"}, keys={"acknowledge": newcomer.public}, made_at=SEALED)
    return {
        labels.ROOT: world.origin.root.raw,
        labels.CREDENTIAL: world.origin["chief"].credentials["seal"].raw,
        labels.ROSTER: world.origin.roster.raw,
        labels.REVOCATION: world.origin.revoke(world.origin["chief"].open, "retired", SEALED).raw,
        labels.DESIGNATION: world.origin.designate("KZ-B", "competent", SEALED).raw,
        labels.AGREEMENT: world.agreement.raw,
        labels.TERMINATION: end.raw,
        labels.CLEARANCE_ENQUIRY: world.asked(),
        labels.CLEARANCE_CONFIRMATION: world.confirmed(),
        labels.DISPATCH: letter.expectation.dispatch,
        labels.REWRAP: rewrap,
        labels.ACKNOWLEDGEMENT: letter.acknowledgement.raw,
        labels.REFUSAL: refused(letter.expectation.dispatch, letter.expectation.core, chief),
        labels.RECEIPT: letter.receipt.raw,
        labels.TRANSPORT_NOTICE: world.told(world.notice(letter.sealed)),
        labels.HANDOVER: world.taken(world.handover(letter.sealed, world.origin["chief"]), world.origin["clerk"]),
        labels.OVERDUE: world.missed(world.overdue(letter.sealed)),
        labels.REQUEST: make_request(asked, [newcomer]).raw,
        labels.TRANSCRIPT: sign_transcript(_practice(newcomer).body, [newcomer], Realm.ORDINARY).raw,
    }


def readers(exchange: Exchange) -> dict[str, Reader]:
    """What reads each type."""
    world = exchange.world
    signed = world.authenticate(exchange.sealed.container).signed
    issuer, _ = world.origin.certifiers[world.origin.ministry.id]
    return {
        labels.ROOT: read_root,
        labels.CREDENTIAL: lambda raw: check_credential(read_statement(raw, labels.CREDENTIAL), issuer),
        labels.ROSTER: lambda raw: read_roster(raw, world.origin.root.digest),
        labels.REVOCATION: lambda raw: check_revocation(read_statement(raw, labels.REVOCATION), issuer),
        labels.DESIGNATION: lambda raw: check_designation(read_statement(raw, labels.DESIGNATION), world.origin.root),
        labels.AGREEMENT: lambda raw: read_agreement(raw, world.trust),
        labels.TERMINATION: lambda raw: read_termination(raw, world.trust, world.agreements),
        labels.CLEARANCE_ENQUIRY: lambda raw: read_enquiry(raw, trust=world.trust, agreements=world.agreements, at=OPENED),
        labels.CLEARANCE_CONFIRMATION: lambda raw: read_confirmation(raw, trust=world.trust, agreements=world.agreements, at=OPENED),
        labels.DISPATCH: lambda raw: authenticate_dispatch(raw, exchange.expectation.core, world.trust),
        labels.REWRAP: lambda raw: read_rewrap(raw, signed=signed, trust=world.trust, degree=None, skew=0),
        labels.ACKNOWLEDGEMENT: lambda raw: read_answer(raw, world.trust),
        labels.REFUSAL: lambda raw: read_answer(raw, world.trust),
        labels.RECEIPT: lambda raw: read_receipt(raw, trust=world.trust, agreements=world.agreements),
        labels.TRANSPORT_NOTICE: lambda raw: read_notice(raw, trust=world.trust, agreements=world.agreements, at=OPENED),
        labels.HANDOVER: lambda raw: read_handover(raw, signed=signed, trust=world.trust, agreements=world.agreements, at=OPENED),
        labels.OVERDUE: lambda raw: read_overdue(raw, trust=world.trust, agreements=world.agreements, at=DUE + DAY),
        labels.REQUEST: read_request,
        labels.TRANSCRIPT: read_transcript,
    }


PAIRS = [pair for pair in itertools.permutations(ROLES, 2) if set(pair) != {labels.ACKNOWLEDGEMENT, labels.REFUSAL}]


def short(pair: tuple[str, str]) -> str:
    return " as ".join(type_.rpartition("/")[2] for type_ in pair)


@pytest.mark.parametrize("pair", PAIRS, ids=short)
def test_one_type_in_the_place_of_another(letter: Exchange, objects: dict[str, bytes], pair: tuple[str, str]) -> None:
    is_, asked = pair
    with pytest.raises(Malformed):
        readers(letter)[asked](objects[is_])


@pytest.mark.parametrize("pair", list(itertools.permutations(ROLES, 2)), ids=short)
def test_one_type_relabelled_as_another(letter: Exchange, objects: dict[str, bytes], pair: tuple[str, str]) -> None:
    """Where roles and body would do, the signature does not: the type is signed, twice over."""
    is_, asked = pair
    raw = pack([asked, *unpack(objects[is_], max_bytes=1 << 26, what="statement")[1:]])
    fits = ROLES[is_][0] == ROLES[asked][0]
    with pytest.raises(NotAuthentic if fits and asked != labels.ROOT else (Malformed, NotAuthentic)):
        readers(letter)[asked](raw)


@pytest.mark.parametrize("pair", list(itertools.permutations([labels.ACKNOWLEDGEMENT, labels.REFUSAL, labels.REWRAP], 2)), ids=short)
def test_body_of_one_type_signed_as_another(letter: Exchange, objects: dict[str, bytes], pair: tuple[str, str]) -> None:
    """By the very person: it is then what he signed, and its body does not fit."""
    is_, asked = pair
    body = unpack(objects[is_], max_bytes=1 << 20, what="statement")[1]
    with pytest.raises(Malformed):
        readers(letter)[asked](say(asked, body, letter.world.destination["chief"]))


# -- persons -------------------------------------------------------------------------------------------------------------


def test_one_person_acknowledges_and_countersigns(letter: Exchange, tmp_path: Path) -> None:
    """Two keys, two credentials, one subject (P8)."""
    chief = letter.world.destination["chief"]
    raw = countersigned(letter.acknowledgement.raw, chief)
    with pytest.raises(Refused, match="one person, or one key, answered and countersigned"):
        read_one(letter, raw)
    journal = journal_at(tmp_path / "register.db", chief.body)
    journal.record_opening(letter.opening, letter.sealed.name, at=OPENED)
    with pytest.raises(Refused, match="one person, or one key"):
        countersign(
            letter.world.read_answer(letter.acknowledgement.raw),
            envelope=letter.world.verify_whole(letter.sealed.container),
            signer=chief.credentials["countersign"],
            key=chief.keys["countersign"],
            trust=letter.world.trust,
            agreements=letter.world.agreements,
            journal=journal,
            at=ACKNOWLEDGED,
        )


def test_one_person_in_two_bodies_under_one_subject(closed_letter: Exchange) -> None:
    side = closed_letter.world.destination
    subject = side["chief"].open.subject
    double = side.appoint("chief", clearance=side.root.degrees[0], body=side.control.id, subject=subject)
    knowing = replace(closed_letter, world=closed_letter.world.trusting(side.roster_of([double])))
    raw = countersigned(closed_letter.acknowledgement.raw, double, checked=["entered", "envelope"])
    with pytest.raises(Refused, match="one person, or one key"):
        read_one(knowing, raw)


def test_one_key_in_two_credentials_of_a_party(kz_by: World) -> None:
    side = kz_by.destination
    shared = side.appoint("shared", clearance="1", keys={"countersign": side["chief"].keys["acknowledge"]})
    with pytest.raises(Refused, match="one public key is in two live credentials"):
        side.roster_of([shared])


def test_key_of_the_sealer_in_the_other_party(letter: Exchange) -> None:
    """Each roster is in order by itself; together they would make the origin confirm to itself."""
    world = letter.world
    side = world.destination
    shared = side.appoint("shared", clearance="1", keys={"countersign": world.origin["chief"].keys["seal"]})
    knowing = replace(letter, world=world.trusting(side.roster_of([shared])))
    with pytest.raises(Refused, match="one person, or one key"):
        read_one(knowing, countersigned(letter.acknowledgement.raw, shared))


# -- low-order keys, wherever a key is read ------------------------------------------------------------------------------


def low_signing_key(name: str) -> bytes:
    return SigningKey.generate(seeded("low")).public[:1952] + LOW_ORDER_ED25519[name]


def low_encryption_key(name: str) -> bytes:
    return Identity.generate(seeded("low")).public[:1184] + LOW_ORDER_X25519[name]


@pytest.mark.parametrize("name", LOW_ORDER_ED25519)
def test_low_order_key_in_a_root(kz_by: World, name: str) -> None:
    """A root signs itself: with such a key any signature would do for the classical half."""
    statement = read_statement(kz_by.origin.root.raw, labels.ROOT)
    body = edited(statement.body, put([labels.KIND_SIGNATURE, low_signing_key(name)], 5, 0, 2))
    header = SignerHeader(role="root", signer_digest=digest(labels.DIGEST_ROOT, body), key_digest=bytes(32))
    raw = sign_statement(labels.ROOT, body, [(header, kz_by.origin.root_key)]).raw
    with pytest.raises(Malformed, match="not a point of prime order"):
        read_root(raw)


def issued(world: World, purpose: str, public: list[Any]) -> bytes:
    """A credential for a key that its issuer did not look at."""
    issuer, key = world.origin.certifiers[world.origin.ministry.id]
    body = edited(read_statement(world.origin["chief"].credentials[purpose].raw, labels.CREDENTIAL).body, put(public, 5))
    header = SignerHeader(role="issuer", signer_digest=issuer.digest, key_digest=key.key_digest)
    return sign_statement(labels.CREDENTIAL, body, [(header, key)]).raw


@pytest.mark.parametrize("name", LOW_ORDER_ED25519)
def test_low_order_key_in_a_credential_that_signs(kz_by: World, name: str) -> None:
    issuer, _ = kz_by.origin.certifiers[kz_by.origin.ministry.id]
    for purpose in ("seal", "acknowledge", "countersign"):
        raw = issued(kz_by, purpose, [labels.KIND_SIGNATURE, low_signing_key(name)])
        with pytest.raises(Malformed, match="not a point of prime order"):
            check_credential(read_statement(raw, labels.CREDENTIAL), issuer)


@pytest.mark.parametrize("name", LOW_ORDER_X25519)
def test_low_order_key_in_a_credential_that_opens(kz_by: World, name: str) -> None:
    issuer, _ = kz_by.origin.certifiers[kz_by.origin.ministry.id]
    raw = issued(kz_by, "open", [labels.KIND_ENCRYPTION, low_encryption_key(name)])
    with pytest.raises(Malformed, match="of low order or not in canonical form"):
        check_credential(read_statement(raw, labels.CREDENTIAL), issuer)


@pytest.mark.parametrize("name", LOW_ORDER_X25519)
def test_low_order_key_in_a_stanza(kz_by: World, name: str) -> None:
    def hook(items: list[Any]) -> list[Any]:
        items[0][1] = items[0][1][:1088] + LOW_ORDER_X25519[name] + items[0][1][1120:]
        return items

    forged = kz_by.plan().seal(stanzas=hook)
    with pytest.raises(Malformed, match="X25519 half of an encapsulation"):
        kz_by.authenticate(forged.container)


@pytest.mark.parametrize("name", LOW_ORDER_X25519)
def test_low_order_key_in_a_rewrap(letter: Exchange, name: str) -> None:
    """Read beside the envelope, and inside an answer."""
    world, chief, clerk = letter.world, letter.world.destination["chief"], letter.world.destination["clerk"]
    stanza = [clerk.open.digest, bytes(1088) + LOW_ORDER_X25519[name] + bytes(48)]
    raw = say(labels.REWRAP, rewrap_body(world, letter.sealed, bytes(32), addressee=chief, recipient=clerk, stanza=stanza), chief)
    signed = world.authenticate(letter.sealed.container).signed
    with pytest.raises(Malformed, match="X25519 half of an encapsulation"):
        read_rewrap(raw, signed=signed, trust=world.trust, degree="2", skew=0)
    with pytest.raises(Malformed, match="X25519 half of an encapsulation"):
        world.read_answer(acknowledged(replace(letter.opening, rewrap=raw), chief))


@pytest.mark.parametrize("kind", ["signing", "opening"])
def test_low_order_key_in_a_key_file(tmp_path: Path, kind: str) -> None:
    """A seed makes no such key, so it can only stand in the file's header, which then is not that of the secret."""
    key = SigningKey.generate(seeded("file")) if kind == "signing" else Identity.generate(seeded("file"))
    save_key(tmp_path / "good", key, passphrase=None, random=seeded("salt"))
    assert load_key(tmp_path / "good", str).public == key.public
    names = LOW_ORDER_ED25519 if kind == "signing" else LOW_ORDER_X25519
    for name in names:
        low = low_signing_key(name) if kind == "signing" else low_encryption_key(name)
        items = unpack((tmp_path / "good").read_bytes(), max_bytes=8192, what="key file")
        path = tmp_path / name.replace(" ", "-")
        path.write_bytes(pack([items[0], edited(items[1], put(low, 2)), items[2]]))
        with pytest.raises(Malformed):
            load_key(path, str)
