"""Every vector of specs/vectors has exactly the outcome that its head names, and what parses packs to the same bytes.

The generator shares no parser with the product, and knows nothing of it: these are the words of the specifications.
"""

from __future__ import annotations

import hashlib
import io
import re
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.support.keys import remembering

from valiza.envelope.acknowledgement import read_answer, verify_answer
from valiza.envelope.agreement import Agreements, read_agreement, read_agreements, read_termination, require_adoptable
from valiza.envelope.clearance import Clearances, read_confirmation, read_enquiry
from valiza.envelope.custody import Custody, CustodyState, custody
from valiza.envelope.dispatch import read_dispatch_body
from valiza.envelope.evidence import NOTHING_SEEN, Vouched
from valiza.envelope.handover import read_handover
from valiza.envelope.journal import Expectation
from valiza.envelope.notice import Notices, read_notice
from valiza.envelope.opening import open_envelope, unseal_manifest
from valiza.envelope.overdue import read_overdue
from valiza.envelope.receipt import Verdict, compare_with_envelope, compare_with_record, read_receipt, verify_receipt
from valiza.envelope.rewrap import Rewrap, read_rewrap
from valiza.envelope.verifying import VerifiedDispatch, VerifiedEnvelope, authenticate, verify_dispatch, verify_envelope
from valiza.gateway.parts import take_apart
from valiza.gateway.unwrapping import objects_in
from valiza.keys import labels
from valiza.keys.conversation import parse_reply, read_question, read_reply
from valiza.keys.designation import designated
from valiza.keys.encoding import pack, unpack
from valiza.keys.errors import Incomplete, NoKey, NotAuthentic, Refused, ValizaError
from valiza.keys.fields import Mark
from valiza.keys.fingerprint import parse_fingerprint, same_fingerprint
from valiza.keys.keyfile import key_file, load_key
from valiza.keys.log_key import LogVerifyKey
from valiza.keys.realm import Realm
from valiza.keys.recipient import Identity
from valiza.keys.request import check_vouching, read_request
from valiza.keys.revocation import judge
from valiza.keys.root import read_root, require_pinned
from valiza.keys.roster import Roster, check_import, peek_roster, read_roster
from valiza.keys.sheet import read_sheet
from valiza.keys.signing import verify_half
from valiza.keys.statement import read_statement
from valiza.keys.trust import Trust
from valiza.office.backup import recover
from valiza.office.ceremony.replay import verify_transcript
from valiza.register.bundle import read_bundle_file
from valiza.register.evidence import release_carriers, verify_bundle
from valiza.register.note import parse_office_name, read_cosignature, read_note, verify_checkpoint
from valiza.register.proof import read_proof, verify_proof, verify_request
from valiza.register.proof import read_request as read_request_to_cosign

if TYPE_CHECKING:
    from collections.abc import Callable

    from valiza.envelope.evidence import Seen

VECTORS = Path(__file__).resolve().parents[2] / "specs" / "vectors"
WORLD = VECTORS / "world"
NAMES = sorted(path.name for path in VECTORS.glob("*.vector"))


@dataclass(frozen=True)
class Vector:
    """A head and a raw object."""

    head: dict[str, list[str]]
    raw: bytes

    def one(self, key: str) -> str:
        return self.head.get(key, [""])[0]

    def files(self, key: str) -> list[bytes]:
        return [(WORLD / name).read_bytes() for name in self.head.get(key, []) if name != "none"]

    @property
    def at(self) -> int:
        return seconds(self.one("at")) if self.one("at") else 0

    @property
    def pinned(self) -> dict[str, bytes]:
        return {party: parse_fingerprint(digits) for party, digits in (line.split(" ") for line in self.head.get("root", []))}

    @property
    def trust(self) -> Trust:
        known = {party: seconds(time) for party, time in (line.split(" ") for line in self.head.get("known", []))}
        rosters = [self.roster(raw) for raw in self.files("trust")]
        return Trust(remembering(one, partial(_known, known.get(one.party))) for one in rosters)

    @property
    def seen(self) -> Seen:
        return Recorded(seconds(self.one("recorded"))) if self.one("recorded") else NOTHING_SEEN

    @property
    def agreements(self) -> Agreements:
        return read_agreements(self.files("agreement"), self.trust)

    def roster(self, raw: bytes) -> Roster:
        _, claimed = peek_roster(raw)
        found = [root for root in claimed if root in self.pinned.values()]
        if not found:
            message = "its root is not pinned"
            raise NotAuthentic(message)
        roster = read_roster(raw, found[0])
        require_pinned(roster.roots, self.pinned.get(roster.party, bytes(32)))
        return roster


def _known(since: int | None, _credential: bytes) -> int | None:
    return since


def seconds(time: str) -> int:
    return int(datetime.fromisoformat(time).timestamp())


@dataclass(frozen=True)
class Recorded:
    """A journal that recorded the object of the vector, with all that it contains."""

    at: int

    def first_seen(self, dispatch_digest: bytes, statement: bytes) -> int | None:  # noqa: ARG002 - the protocol's
        return self.at


@dataclass(frozen=True)
class Said:
    series: str | None
    kind: str
    effective_at: int


def load(name: str) -> Vector:
    head, _, raw = (VECTORS / name).read_bytes().partition(b"\n\n")
    found: dict[str, list[str]] = {}
    for line in head.decode().splitlines():
        key, _, value = line.partition(": ")
        found.setdefault(key, []).append(value)
    return Vector(found, raw)


def read_encoding(vector: Vector, _tmp: Path) -> None:
    assert pack(unpack(vector.raw, max_bytes=1 << 20, what="vector")) == vector.raw


def read_one_standing(vector: Vector, _tmp: Path) -> None:
    dated, evidence, events = unpack(vector.raw, max_bytes=1 << 20, what="vector")
    found = judge([Said(*event) for event in events], dated=dated, evidence=evidence)
    if found is not None:
        message = f"{found.kind}"
        raise Refused(message)


@dataclass(frozen=True)
class Named:
    body_id: str
    role: str
    effective_from: int
    effective_until: int | None
    replaces: str | None


def read_one_role(vector: Vector, _tmp: Path) -> None:
    body_id, role, at, named, changes = unpack(vector.raw, max_bytes=1 << 20, what="vector")
    if body_id not in designated(named, [Named(*change) for change in changes], role=role, at=at):
        message = f"{body_id} has not that role"
        raise Refused(message)


def read_one_root(vector: Vector, _tmp: Path) -> None:
    root = read_root(vector.raw)
    if root.party not in vector.pinned:
        message = "not pinned"
        raise NotAuthentic(message)
    require_pinned([root], vector.pinned[root.party])


def read_one_credential(vector: Vector, _tmp: Path) -> None:
    vector.trust.check(vector.raw)


def compare_fingerprint(vector: Vector, _tmp: Path) -> None:
    (pinned,) = vector.pinned.values()
    if not same_fingerprint(parse_fingerprint(vector.raw.decode()), pinned):
        message = "another fingerprint"
        raise NotAuthentic(message)


def read_one_request(vector: Vector, _tmp: Path) -> None:
    check_vouching(read_request(vector.raw), vector.trust, vector.at)


def read_one_roster(vector: Vector, _tmp: Path) -> None:
    new = vector.roster(vector.raw)
    older = vector.files("older")
    check_import(new, vector.roster(older[0]) if older else None, vector.at)


def read_one_agreement(vector: Vector, _tmp: Path) -> None:
    trust = vector.trust
    require_adoptable(read_agreement(vector.raw, trust), trust)


def read_one_termination(vector: Vector, _tmp: Path) -> None:
    read_termination(vector.raw, vector.trust, vector.agreements)


def read_one_enquiry(vector: Vector, _tmp: Path) -> None:
    found = read_enquiry(vector.raw, trust=vector.trust, agreements=vector.agreements, at=vector.at)
    assert found.said.packed() == read_statement(vector.raw, labels.CLEARANCE_ENQUIRY).body


def read_one_confirmation(vector: Vector, _tmp: Path) -> None:
    found = read_confirmation(vector.raw, trust=vector.trust, agreements=vector.agreements, at=vector.at)
    assert found.said.packed() == read_statement(vector.raw, labels.CLEARANCE_CONFIRMATION).body


def read_clearances(vector: Vector, _tmp: Path) -> None:
    trust, agreements = vector.trust, vector.agreements
    raws = unpack(vector.raw, max_bytes=1 << 20, what="vector")
    given = Clearances(read_confirmation(raw, trust=trust, agreements=agreements, at=vector.at) for raw in raws)
    addressee = trust.credential(bytes.fromhex(vector.one("addressee")))
    assert addressee is not None
    party, _, code = vector.one("mark").partition(":")
    given.require(addressee, agreement=read_agreement(vector.files("agreement")[0], trust), wanted=Mark(party, code), at=vector.at)


def read_one_notice(vector: Vector, _tmp: Path) -> None:
    found = read_notice(vector.raw, trust=vector.trust, agreements=vector.agreements, at=vector.at, seen=vector.seen)
    assert found.said.packed() == read_statement(vector.raw, labels.TRANSPORT_NOTICE).body


def read_one_handover(vector: Vector, _tmp: Path) -> None:
    signed = authenticate(io.BytesIO(vector.files("with")[0]), vector.trust, vector.seen).signed
    found = read_handover(vector.raw, signed=signed, trust=vector.trust, agreements=vector.agreements, at=vector.at, seen=vector.seen)
    assert found.said.packed() == read_statement(vector.raw, labels.HANDOVER).body


def read_one_overdue(vector: Vector, _tmp: Path) -> None:
    found = read_overdue(vector.raw, trust=vector.trust, agreements=vector.agreements, at=vector.at, seen=vector.seen)
    assert found.said.packed() == read_statement(vector.raw, labels.OVERDUE).body


def judge_custody(vector: Vector) -> Custody:
    trust, agreements = vector.trust, vector.agreements
    signed = authenticate(io.BytesIO(vector.files("with")[0]), trust).signed
    handovers, notices = unpack(vector.raw, max_bytes=1 << 20, what="vector")
    told = Notices(read_notice(raw, trust=trust, agreements=agreements, at=vector.at) for raw in notices)
    if told.conflict is not None:
        raise told.conflict
    taken = [read_handover(raw, signed=signed, trust=trust, agreements=agreements, at=vector.at) for raw in handovers]
    return custody(signed, taken, notices=told, at=vector.at)


def read_one_evidence(vector: Vector, _tmp: Path) -> None:
    found = verify_bundle(read_bundle_file(io.BytesIO(vector.raw)), list(vector.pinned.values()))
    release_carriers(found, None)
    assert found.verdict.value == vector.one("verdict")
    if found.verdict in {Verdict.CONFLICT, Verdict.WITHDRAWN}:
        message = "evidence of something that did not go well"
        raise Refused(message)
    if found.verdict.exit_code == Incomplete.exit_code:
        message = "evidence of something that is not complete"
        raise Incomplete(message)


def read_one_custody(vector: Vector, _tmp: Path) -> None:
    found = judge_custody(vector)
    problems = sorted((one.problem.value, one.leg) for one in found.findings)
    assert ", ".join([found.state, *(f"{problem} {leg}" for problem, leg in problems)]) == vector.one("verdict")
    if found.state is CustodyState.WRONG:
        message = "custody is wrong"
        raise Refused(message)
    if found.state is not CustodyState.COMPLETE:
        message = "custody is not complete"
        raise Incomplete(message)


def read_one_statement(vector: Vector, _tmp: Path) -> None:
    statement = read_statement(vector.raw, labels.DISPATCH)
    vector.trust.signer(statement)
    assert read_dispatch_body(statement.body).packed() == statement.body


def _rewrap(raw: bytes, verified: VerifiedDispatch, trust: Trust, seen: Seen) -> Rewrap:
    route = verified.core.stamp.route
    degree = None if route is None else route.marks.destination.code
    return read_rewrap(raw, signed=verified.signed, trust=trust, degree=degree, skew=verified.agreement.profile.skew, seen=seen)


def read_one_rewrap(vector: Vector, tmp: Path) -> None:
    trust = vector.trust
    authentic = authenticate(io.BytesIO(vector.files("with")[0]), trust, vector.seen)
    verified = verify_dispatch(authentic, trust=trust, agreements=vector.agreements, at=vector.at)
    rewrap = _rewrap(vector.raw, verified, trust, vector.seen)
    rewrap.require_addressed(authentic.addressees)
    if vector.files("identity"):
        _open(vector, verified, rewrap, tmp)


def _open(vector: Vector, verified: VerifiedDispatch, rewrap: Rewrap | None, tmp: Path) -> str:
    """Open with the vector's keys; returns the digest of all that was released."""
    keys = [Identity(bytes.fromhex(seed.decode())) for seed in vector.files("identity")]
    own = {c.digest: c for roster in vector.trust.rosters.values() for c in roster.credentials.values() if c.purpose == "open"}
    identities = {digest: key for digest, c in own.items() for key in keys if c.recipient.raw == key.public}
    body = own[next(iter(identities))].body
    unsealed = unseal_manifest(verified, own=body, identities=identities, trust=vector.trust, trust_rewrap=rewrap, at=vector.at)
    opened = open_envelope(unsealed, into=tmp, at=vector.at)
    released = hashlib.sha256()
    for entry in opened.manifest.carriers:
        if not entry.physical:
            released.update((tmp / entry.name).read_bytes())
    return released.hexdigest()


def read_one_envelope(vector: Vector, tmp: Path) -> None:
    trust = vector.trust
    verified = verify_dispatch(authenticate(io.BytesIO(vector.raw), trust, vector.seen), trust=trust, agreements=vector.agreements, at=vector.at)
    if vector.one("mode") == "verify":
        verify_envelope(verified)
        return
    detached = [_rewrap(raw, verified, trust, vector.seen) for raw in vector.files("rewrap")]
    assert _open(vector, verified, detached[0] if detached else None, tmp) == vector.one("payload")


def read_one_answer(vector: Vector, _tmp: Path) -> None:
    kind = labels.ACKNOWLEDGEMENT if vector.one("object") == "acknowledgement" else labels.REFUSAL
    read_statement(vector.raw, kind)
    verify_answer(read_answer(vector.raw, vector.trust, vector.seen), vector.trust, vector.agreements)


def _record(raw: bytes) -> tuple[Expectation, list[bytes]]:
    """What the origin recorded at sealing, and the notices that it made."""
    lines: dict[str, list[str]] = {}
    for line in raw.decode().splitlines():
        key, _, value = line.partition(": ")
        lines.setdefault(key, []).append(value)
    hidden = lines.get("marks-digest")
    expectation = Expectation(
        dispatch=bytes.fromhex(lines["dispatch"][0]),
        core=bytes.fromhex(lines["core"][0]),
        addressees=tuple(bytes.fromhex(stanza) for stanza in lines["stanza"]),
        openings=tuple(None if opening == "nil" else bytes.fromhex(opening) for opening in lines["opening"]),
        proof=bytes.fromhex(lines["proof"][0]),
        marks=bytes.fromhex(hidden[0]) if hidden else tuple(lines["marks"]),
    )
    return expectation, [bytes.fromhex(notice) for notice in lines.get("notice", [])]


def read_one_receipt(vector: Vector, _tmp: Path) -> None:
    trust, agreements = vector.trust, vector.agreements
    statement = read_statement(vector.raw, labels.RECEIPT, labels.ACKNOWLEDGEMENT, labels.REFUSAL)
    if statement.type != labels.RECEIPT:
        verify_answer(read_answer(vector.raw, trust, vector.seen), trust, agreements)
        message = "not countersigned"
        raise Incomplete(message)
    receipt = read_receipt(vector.raw, trust=trust, agreements=agreements, seen=vector.seen)
    records = [_record(raw) for raw in vector.files("record")]
    if records:
        compare_with_record(receipt.answer, *records[0])
    for raw in vector.files("with"):
        claim = receipt.answer.answer.claim
        answer = receipt.answer.answer
        authentic = authenticate(io.BytesIO(raw), trust, Vouched(vector.seen, answer.dispatch, answer.answered_at))
        if claim is None:
            compare_with_envelope(receipt.answer, authentic)
            continue
        verified = verify_dispatch(authentic, trust=trust, agreements=agreements, at=claim.opened_at)
        whole: VerifiedEnvelope = verify_envelope(verified)
        compare_with_envelope(receipt.answer, whole)
    verdict = verify_receipt(receipt).verdict.value
    assert ("delivered" if records and verdict == "attested" else verdict) == vector.one("verdict")


def read_backup(vector: Vector, _tmp: Path) -> None:
    sheets = [read_sheet(text) for text in re.split(r"^(?=VALIZA KEY BACKUP)", vector.raw.decode(), flags=re.MULTILINE) if text]
    recover(sheets, lambda: vector.one("passphrase"))


def read_one_key_file(vector: Vector, tmp: Path) -> None:
    path = tmp / "it.key"
    path.write_bytes(vector.raw)
    key = load_key(path, lambda: vector.one("passphrase"))
    assert key.seed.hex() == vector.one("secret")
    if not vector.one("passphrase"):
        assert key_file(key, passphrase=None, random=bytes) == vector.raw


def read_one_question(vector: Vector, _tmp: Path) -> None:
    assert read_question(vector.raw).line() == vector.raw


def read_one_reply(vector: Vector, _tmp: Path) -> None:
    question = read_question(vector.one("question").encode() + b"\n")
    value, public = read_reply(vector.raw, question), bytes.fromhex(vector.one("ed25519"))
    if question.verb == "sign":
        verify_half(value, question.message, public)
    elif question.verb == "public" and value != public:
        message = "another key"
        raise NoKey(message)
    assert parse_reply(vector.raw).line() == vector.raw


def read_one_transcript(vector: Vector, _tmp: Path) -> None:
    realm = Realm.REHEARSAL if vector.one("mode") == "rehearsal" else Realm.ORDINARY
    found = verify_transcript(vector.raw, realm)
    found.require_complete()
    found.require_root(next(iter(vector.pinned.values()), None))


def _log_keys(vector: Vector, key: str) -> list[LogVerifyKey]:
    return [LogVerifyKey(bytes.fromhex(raw.decode())) for raw in vector.files(key)]


def read_one_checkpoint(vector: Vector, _tmp: Path) -> None:
    signed = verify_checkpoint(vector.raw, vector.one("origin"), _log_keys(vector, "log-key"))
    assert read_note(vector.raw).format() == vector.raw
    if vector.one("cosigner") and read_cosignature(signed, parse_office_name(vector.one("cosigner")), _log_keys(vector, "cosigner-key")) is None:
        message = "not cosigned"
        raise NotAuthentic(message)


def read_one_proof(vector: Vector, _tmp: Path) -> None:
    verify_proof(vector.raw, bytes.fromhex(vector.one("leaf")), vector.one("origin"), _log_keys(vector, "log-key"))
    assert read_proof(vector.raw).format() == vector.raw


def read_one_cosign_request(vector: Vector, _tmp: Path) -> None:
    origin, keys = vector.one("origin"), _log_keys(vector, "log-key")
    last = [verify_checkpoint(raw, origin, keys) for raw in vector.files("last")]
    verify_request(vector.raw, origin, keys, last[0] if last else None)
    assert read_request_to_cosign(vector.raw).format() == vector.raw


def read_one_mail(vector: Vector, _tmp: Path) -> None:
    with take_apart(vector.raw) as taken:
        found = [f"{part.path} {hashlib.sha256(part.content.read()).hexdigest()}" for part, _ in objects_in(taken)]
    assert found == vector.head.get("found", [])


READERS: dict[str, Callable[[Vector, Path], None]] = {
    "encoding": read_encoding,
    "standing": read_one_standing,
    "role": read_one_role,
    "root": read_one_root,
    "credential": read_one_credential,
    "request": read_one_request,
    "fingerprint": compare_fingerprint,
    "roster": read_one_roster,
    "agreement": read_one_agreement,
    "termination": read_one_termination,
    "clearance-enquiry": read_one_enquiry,
    "clearance-confirmation": read_one_confirmation,
    "clearances": read_clearances,
    "statement": read_one_statement,
    "rewrap": read_one_rewrap,
    "transport-notice": read_one_notice,
    "handover": read_one_handover,
    "overdue": read_one_overdue,
    "custody": read_one_custody,
    "evidence": read_one_evidence,
    "envelope": read_one_envelope,
    "acknowledgement": read_one_answer,
    "refusal": read_one_answer,
    "receipt": read_one_receipt,
    "transcript": read_one_transcript,
    "backup": read_backup,
    "key-file": read_one_key_file,
    "signer-question": read_one_question,
    "signer-reply": read_one_reply,
    "checkpoint": read_one_checkpoint,
    "tlog-proof": read_one_proof,
    "cosign-request": read_one_cosign_request,
    "mail": read_one_mail,
}


@pytest.mark.parametrize("name", NAMES)
def test_the_outcome_is_the_one_of_the_head(name: str, tmp_path: Path) -> None:
    vector = load(name)
    outcome, said = "success", ""
    try:
        READERS[vector.one("object")](vector, tmp_path)
    except ValizaError as error:
        outcome, said = error.outcome, error.message
    expected = vector.one("expect")
    if expected == "refused" and vector.one("verdict") in {"refused", "discrepant", "late"}:
        expected = "success"  # the reading succeeds, and its verdict, which the reader has compared, is what is refused
    assert (outcome, vector.one("comment")) == (expected, vector.one("comment")), said


def test_there_are_vectors_of_every_object_good_and_bad() -> None:
    heads = [load(name) for name in NAMES]
    assert len(heads) >= 60
    for kind in READERS:
        outcomes = {head.one("expect") for head in heads if head.one("object") == kind}
        assert "success" in outcomes, kind
        assert len(outcomes) > 1, kind
