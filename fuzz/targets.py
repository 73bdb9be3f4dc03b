"""One target for each decoder. Whatever the bytes: only a ValizaError may come out, and what decodes encodes to the same bytes again.

A target is a function of bytes. It returns when the bytes were taken, and raises a ValizaError when they were not. Anything else that comes out
is a finding. Signatures would stop every mutation at once, so the targets of bodies take a body, put it into a statement and believe its signature
(`world.believing`); the targets that begin with `whole-` believe nothing.
"""

from __future__ import annotations

import contextlib
import functools
import io
import re
import shutil
import sys
import tempfile
import unicodedata
from dataclasses import dataclass, replace
from email import message_from_bytes
from email.errors import MessageError
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fuzz import world

from valiza.cli import receiving
from valiza.cli.options import Text, parse_time
from valiza.cli.terminal import safe
from valiza.envelope import acknowledgement, receipt
from valiza.envelope.acknowledgement import Acknowledgement, read_answer, verify_answer
from valiza.envelope.agreement import read_agreements, read_termination, require_adoptable
from valiza.envelope.carrier import check_name
from valiza.envelope.clearance import Clearances, read_confirmation, read_enquiry
from valiza.envelope.container import pack_footer, read_container
from valiza.envelope.custody import CustodyState, custody
from valiza.envelope.dispatch import Dispatch, authenticate_dispatch, read_dispatch_body
from valiza.envelope.draft import read_draft
from valiza.envelope.handover import read_handover
from valiza.envelope.header import PREFIX, header_digest, pack_stanzas, read_core, read_stanza, read_stanzas, wrap_info
from valiza.envelope.journal import Expectation, Opening
from valiza.envelope.manifest import Manifest, carrier_key, commitment, pack_manifest, unpack_manifest
from valiza.envelope.manifest_copy import open_manifest_copy
from valiza.envelope.notice import Notices, read_notice
from valiza.envelope.opening import open_envelope, unseal_manifest
from valiza.envelope.overdue import read_overdue
from valiza.envelope.payload import MANIFEST_STREAM, PAD_STREAM, Streams, carrier_stream
from valiza.envelope.profile import read_profile
from valiza.envelope.receipt import compare_with_envelope, compare_with_record, read_receipt, verify_receipt
from valiza.envelope.rewrap import read_rewrap
from valiza.envelope.route import read_route, read_stamp
from valiza.envelope.verifying import VerifiedDispatch, authenticate, verify_dispatch, verify_envelope
from valiza.gateway.decision import FAULTS
from valiza.gateway.media import SNIFFED_BYTES, sniff
from valiza.gateway.parts import take_apart
from valiza.gateway.rules import ACTIONS, MarkTexts, parse_rules
from valiza.gateway.unsealed import MarkFinder
from valiza.keys import labels
from valiza.keys.conversation import Question, parse_reply, read_question, read_reply
from valiza.keys.credential import Credential, check_credential, kind_of, signs
from valiza.keys.designation import DESIGNATED, check_designation, designated
from valiza.keys.digests import digest, keyed
from valiza.keys.encoding import pack, unpack
from valiza.keys.errors import Malformed, ValizaError
from valiza.keys.external import ExternalSigner, ExternalSigningKey
from valiza.keys.fields import Body, array, body_id, one_of, optional, time
from valiza.keys.fingerprint import in_words, parse_fingerprint
from valiza.keys.keyfile import load_key
from valiza.keys.log_key import LogSigningKey
from valiza.keys.recipient import Recipient
from valiza.keys.request import Request, check_vouching, read_request
from valiza.keys.revocation import KINDS, check_revocation, judge
from valiza.keys.root import Root, read_root, read_roots
from valiza.keys.roster import Roster, peek_roster, read_roster
from valiza.keys.sheet import format_sheet, read_sheet
from valiza.keys.signing import SigningKey, VerifyKey
from valiza.keys.statement import LIMITS, SignerHeader, Statement, read_statement
from valiza.keys.transcript import read_body
from valiza.office.ceremony.answers import read_answers
from valiza.office.ceremony.plan import read_plan
from valiza.office.ceremony.replay import verify_transcript
from valiza.office.ceremony.script import attestations, script
from valiza.office.home import Office, read_given_roster
from valiza.office.keyring import read_signers
from valiza.office.papers import parse_leg, read_basis, read_carriers, read_route_file
from valiza.register.bundle import read_bundle, read_bundle_file, read_leaf
from valiza.register.entry import KINDS as KINDS_OF_ENTRY
from valiza.register.evidence import verify_bundle
from valiza.register.note import Checkpoint, contradict, peek_checkpoint, read_cosignature, read_note, verify_checkpoint
from valiza.register.proof import read_proof, verify_proof, verify_request
from valiza.register.proof import read_request as read_request_to_cosign

if TYPE_CHECKING:
    from collections.abc import Callable

    from valiza.envelope.acknowledgement import OpeningClaim

MIB: Final = 1 << 20
SECONDS_AN_INPUT: Final = 5
_LENIENT: Final = (ValizaError, TypeError, ValueError, IndexError, KeyError)  # while guessing at what a broken body meant
_NO_SIGNER: Final = SignerHeader(role="root", signer_digest=bytes(32), key_digest=bytes(32))
_NO_HOLDER: Final = SignerHeader(role="holder", signer_digest=bytes(32), key_digest=bytes(32))


class BrokenProperty(Exception):
    """Bytes were taken, and something that must hold of them does not."""


@dataclass(frozen=True, slots=True)
class Target:
    """A decoder: `check` returns or raises as the module says. `tree` says that the bytes are MessagePack, after `skip` others."""

    name: str
    check: Callable[[bytes], None]
    max_bytes: int
    tree: bool = True
    skip: int = 0


def same(encoded: bytes, data: bytes) -> None:
    """The one spelling: what was decoded encodes to the bytes that were read."""
    if encoded != data:
        message = f"decoded, and encoded to other bytes: {encoded[:200].hex()}"
        raise BrokenProperty(message)


def holds(condition: object, what: str) -> None:
    """A property."""
    if not condition:
        raise BrokenProperty(what)


def _text(data: bytes) -> str:
    """Bytes as the operating system hands them over in argv and file names."""
    return data.decode("utf-8", "surrogateescape")


# -- keys --------------------------------------------------------------------------------------------------------------


def encoding(data: bytes) -> None:
    same(pack(unpack(data, max_bytes=MIB, what="input")), data)


def statement(data: bytes) -> None:
    found = read_statement(data, *LIMITS)
    same(pack([found.type, found.body, [[entry.header.packed(), entry.signature] for entry in found.signatures]]), data)


def signer_header(data: bytes) -> None:
    same(SignerHeader.read(data).packed(), data)


def public_key(data: bytes) -> None:
    """Both kinds of public key."""
    failed: list[ValizaError] = []
    for kind in (VerifyKey, Recipient):
        try:
            same(kind(data).raw, data)
        except ValizaError as error:
            failed.append(error)
    if len(failed) > 1:
        raise failed[0]


def root(body: bytes) -> None:
    try:
        key = VerifyKey(unpack(body, max_bytes=MIB, what="guess")[5][0][2][1]).key_digest
    except _LENIENT:
        key = bytes(32)
    signed = SignerHeader(role="root", signer_digest=digest(labels.DIGEST_ROOT, body), key_digest=key)
    with world.believing():
        found: Root = read_root.__wrapped__(world.framed(labels.ROOT, body, [signed]))
    people = [[c.id, c.names, [labels.KIND_SIGNATURE, c.key.raw]] for c in found.custodians]
    numbers = [found.threshold, found.valid_from, found.valid_until, found.extensions]
    same(pack([found.party, found.version, found.previous, found.names, list(found.degrees), people, *numbers]), body)


def _credential_body(found: Credential) -> bytes:
    return pack(
        [
            found.subject,
            found.body.party,
            found.body.id,
            found.names,
            found.purpose,
            [kind_of(found.purpose), found.key.raw],
            found.clearance,
            found.certifies_bodies,
            found.valid_from,
            found.valid_until,
            found.extensions,
        ]
    )


def _issuers(body: bytes, place: int) -> list[Root | Credential]:
    """Those of the party that a body names at this place."""
    try:
        name = unpack(body, max_bytes=MIB, what="guess")[place]
    except _LENIENT:
        name = None
    of = next((r for r in world.rosters() if r.party == name), world.rosters()[0])
    return [of.root, *(c for c in of.credentials.values() if c.purpose == "certify")]


def credential(body: bytes) -> None:
    """Checked against whoever could have issued it: the root of its party, and the bodies of it that certify."""
    issuers = _issuers(body, 1)
    failed: list[ValizaError] = []
    for issuer in issuers:
        key = issuer.custodians[0].key if isinstance(issuer, Root) else issuer.key
        signed = SignerHeader(role="issuer", signer_digest=issuer.digest, key_digest=key.key_digest)
        try:
            with world.believing():
                found = check_credential(read_statement(world.framed(labels.CREDENTIAL, body, [signed]), labels.CREDENTIAL), issuer)
        except ValizaError as error:
            failed.append(error)
            continue
        same(_credential_body(found), body)
        holds(issuer.valid_from <= found.valid_from < found.valid_until <= issuer.valid_until, "validity is wider than the issuer's")
        holds(found.clearance is None or isinstance(issuer, Root) or issuer.cleared_to(found.clearance), "clearance is above the issuer's")
    if len(failed) == len(issuers):
        raise failed[0]


def request(body: bytes) -> None:
    """Signed by the keys that stand in it, and vouched for by whoever has its subject."""
    name = digest(labels.DIGEST_REQUEST, body)
    signed: list[SignerHeader] = []
    try:
        items = unpack(body, max_bytes=MIB, what="guess")
        for _, (kind, key) in items[4]:
            if kind == labels.KIND_SIGNATURE:
                signed.append(SignerHeader(role="holder", signer_digest=name, key_digest=VerifyKey(key).key_digest))
        vouching = [c for c in world.credentials() if c.subject == items[0] and c.purpose in {"acknowledge", "act"}]
        signed += [world.header("holder", one) for one in vouching]
    except _LENIENT:
        pass
    with world.believing():
        found: Request = read_request(world.framed(labels.REQUEST, body, signed or [_NO_HOLDER]))
        vouched = check_vouching(found, world.trust(), world.AT)
    keys = [[purpose, [kind_of(purpose), key.raw]] for purpose, key in found.keys.items()]
    same(pack([found.subject, found.party, found.body_id, found.names, keys, found.made_at, found.extensions]), body)
    holds(any(map(signs, found.keys)) or vouched, "no key that signs, and nobody vouches for those that do not")
    holds(all(c.subject == found.subject for c in vouched), "vouched for by another subject")


def _roster_signer(body: bytes) -> tuple[SignerHeader, bytes]:
    """Whoever could have signed a roster with this body, and the fingerprint of the root in it."""
    signed, fingerprint = _NO_SIGNER, bytes(32)
    try:
        items = unpack(body, max_bytes=LIMITS[labels.ROSTER], what="guess")
        fingerprint = digest(labels.DIGEST_ROOT, read_statement(items[4][-1], labels.ROOT).body)
        for raw in items[5]:
            one = read_statement(raw, labels.CREDENTIAL)
            said = unpack(one.body, max_bytes=MIB, what="guess")
            if said[4] == "roster":
                signed = SignerHeader(role="roster", signer_digest=one.digest, key_digest=VerifyKey(said[5][1]).key_digest)
    except _LENIENT:
        pass
    return signed, fingerprint


def roster(body: bytes) -> None:
    signed, fingerprint = _roster_signer(body)
    raw = world.framed(labels.ROSTER, body, [signed])
    with world.believing():
        try:
            peek_roster(raw)
            found: Roster = read_roster.__wrapped__(raw, fingerprint)
        finally:
            read_root.cache_clear()
            read_roots.cache_clear()  # nobody else may see what was believed here
    raws = [c.raw for c in found.credentials.values()]
    lists = [[root.raw for root in found.roots], raws, [one.raw for one in found.revocations], [one.raw for one in found.designations]]
    same(pack([found.party, found.version, found.issued_at, found.expires_at, *lists, found.extensions]), body)
    for one in found.revocations:
        before = found.history(found.credentials[one.credential]).judge(dated=one.effective_at - 1, evidence=None)
        holds(one.kind != "compromised" or before is not None, "a compromised key stands without evidence")


def revocation(body: bytes) -> None:
    """Signed by whoever could have revoked: the root of its party, and the bodies of it that certify."""
    issuers = _issuers(body, 0)
    failed: list[ValizaError] = []
    for issuer in issuers:
        key = issuer.custodians[0].key if isinstance(issuer, Root) else issuer.key
        signed = SignerHeader(role="issuer", signer_digest=issuer.digest, key_digest=key.key_digest)
        try:
            with world.believing():
                found = check_revocation(read_statement(world.framed(labels.REVOCATION, body, [signed]), labels.REVOCATION), issuer)
        except ValizaError as error:
            failed.append(error)
            continue
        said = [found.party, found.series, found.number, found.kind, found.credential, found.effective_at, found.issued_at, found.reason]
        same(pack([*said, found.extensions]), body)
    if len(failed) == len(issuers):
        raise failed[0]


def designation(body: bytes) -> None:
    """Signed by the roots that there are."""
    roots = [issuer for issuer in _issuers(body, 0) if isinstance(issuer, Root)]
    failed: list[ValizaError] = []
    for root in roots:
        signed = SignerHeader(role="root", signer_digest=root.digest, key_digest=root.custodians[0].key.key_digest)
        try:
            with world.believing():
                found = check_designation(read_statement(world.framed(labels.DESIGNATION, body, [signed]), labels.DESIGNATION), root)
        except ValizaError as error:
            failed.append(error)
            continue
        said = [found.party, found.number, found.body_id, found.names, found.role, found.effective_from, found.effective_until]
        same(pack([*said, found.replaces, found.issued_at, found.extensions]), body)
        holds(found.issued_at <= found.effective_from, "effective before it is issued")
        before = designated([found.replaces or "A"], [found], role=found.role, at=found.effective_from)
        holds(found.body_id in before, "it is not designated when it is effective")
    if len(failed) == len(roots):
        raise failed[0]


def role(data: bytes) -> None:
    """Who has a role: nobody has it but who is named or designated, and somebody always does."""
    _, wanted, at, named, changes = array(unpack(data, max_bytes=MIB, what="roles"), "roles", length=5)
    said = []
    for item in array(changes, "changes", most=64):
        id_, what, start, end, replaces = array(item, "change", length=5)
        replaced = optional(replaces, "replaces", body_id)
        period = time(start, "effective from"), optional(end, "effective until", time)
        said.append(_Change(body_id(id_, "body id"), one_of(what, "role", DESIGNATED), *period, replaced))
    bodies = [body_id(one, "body id") for one in array(named, "named", least=1, most=64)]
    which, when = one_of(wanted, "role", DESIGNATED), time(at, "at")
    found = designated(bodies, said, role=which, at=when)
    holds(found != (), "nobody has it")
    holds(set(found) <= {*bodies, *(one.body_id for one in said if one.role == which)}, "somebody has it whom nobody named")
    holds(designated(bodies, [one for one in said if one.role == which], role=which, at=when) == found, "the other role counts")


@dataclass(frozen=True, slots=True)
class _Change:
    body_id: str
    role: str
    effective_from: int
    effective_until: int | None
    replaces: str | None


def standing(data: bytes) -> None:
    """The time rule, on events of any order: what does not stand does not stand later either, once there is no evidence."""
    dated, evidence, events = array(unpack(data, max_bytes=MIB, what="events"), "events", length=3)
    said = []
    for item in array(events, "events", most=64):
        series, kind, effective_at = array(item, "event", length=3)
        said.append(_Event(optional(series, "series", body_id), one_of(kind, "kind", KINDS), time(effective_at, "effective at")))
    at, known = time(dated, "dated"), optional(evidence, "evidence", time)
    found = judge(said, dated=at, evidence=known)
    ended = [event for event in said if event.kind in {"retired", "compromised"}]
    holds(found is not None or all(at < event.effective_at for event in ended), "it stands after the end")
    holds(found is None or found.effective_at <= at or found.kind == "compromised", "it does not stand before anything happened")
    holds(judge(said, dated=at, evidence=None) is not None or found is None, "evidence takes something away")


@dataclass(frozen=True, slots=True)
class _Event:
    series: str | None
    kind: str
    effective_at: int


def key_file(data: bytes) -> None:
    path = world.file("fuzz.key", data)
    with world.cheap_passphrases():
        found = load_key(path, lambda: world.PASSPHRASE)
    seed = 64 if isinstance(found, SigningKey | LogSigningKey) else 32
    holds(len(found.seed) == seed, "the seed has another length than its kind")
    if isinstance(found, ExternalSigningKey):
        holds(found.signer.program.startswith("/"), "a program that would be looked for")
        holds(ExternalSigner.read(found.signer.packed()) == found.signer, "the signer is not what it is written as")


def signer_question(line: bytes) -> None:
    same(read_question(line).line(), line)


def signer_reply(line: bytes) -> None:
    """A reply, and what it is to each question: taken as at most one of them."""
    same(parse_reply(line).line(), line)
    values = []
    for verb in ("hello", "public", "sign"):
        with contextlib.suppress(ValizaError):
            values.append(read_reply(line, Question(verb=verb)))
    holds(len(values) <= 1, "a reply to several questions")
    holds(all(len(value) in {0, 32, 64} for value in values), "another length than a key or a signature has")


def sheet(data: bytes) -> None:
    found = read_sheet(_text(data))
    again = read_sheet(format_sheet(replace(found, key="", holder="", kind="")))
    holds((again.share, again.key_digest, again.protected) == (found.share, found.key_digest, found.protected), "a sheet is written as another")


def fingerprint_(data: bytes) -> None:
    text = _text(data)
    raw = parse_fingerprint(text)
    as_digits = re.sub(r"[\s:]", "", text).lower() == raw.hex()
    holds(as_digits or " ".join(text.lower().split()) == in_words(raw), "a fingerprint was read as another")


# -- agreement ---------------------------------------------------------------------------------------------------------


def agreement(body: bytes) -> None:
    profile = read_profile(body)
    same(profile.body, body)
    for mark, to in profile.rows.items():
        holds(profile.counterpart(mark).code == to, "a row has another counterpart")
    with world.believing():
        # Not through the cache, which would go on believing.
        raw = world.framed(labels.AGREEMENT, body, world.root_headers())
        from valiza.envelope.agreement import _read_agreement  # noqa: PLC0415 - the reader behind the cache

        found = _read_agreement.__wrapped__(raw, tuple(r.root.raw for r in world.rosters()))
    require_adoptable(found, world.trust())


def termination(body: bytes) -> None:
    failed: list[ValizaError] = []
    for signed in world.root_headers():
        try:
            with world.believing():
                found = read_termination(world.framed(labels.TERMINATION, body, [signed]), world.trust(), world.agreements())
        except ValizaError as error:
            failed.append(error)
            continue
        same(pack([found.agreement, found.party, found.given_at, found.takes_effect_at, found.extensions]), body)
        return
    raise failed[0]


def clearance_enquiry(body: bytes) -> None:
    """Signed by whoever acts for the body that asks."""
    raw = world.framed(labels.CLEARANCE_ENQUIRY, body, [world.header("competent", _acting(body, 2))])
    with world.believing():
        found = read_enquiry(raw, trust=world.trust(), agreements=world.agreements(), at=world.AT)
    same(found.said.packed(), body)
    holds(found.signer.body == found.said.asking, "signed by another body")


def clearance_confirmation(body: bytes) -> None:
    """Signed by whoever acts for the body that was asked; the enquiry inside is believed too."""
    try:
        inside = read_statement(unpack(body, max_bytes=MIB, what="guess")[0], labels.CLEARANCE_ENQUIRY).body
    except _LENIENT:
        inside = b""
    raw = world.framed(labels.CLEARANCE_CONFIRMATION, body, [world.header("competent", _acting(inside, 3))])
    with world.believing():
        found = read_confirmation(raw, trust=world.trust(), agreements=world.agreements(), at=world.AT)
    same(found.said.packed(), body)
    asked = found.enquiry.said
    holds(found.signer.body == asked.asked != asked.asking, "signed by another body than the one that was asked")
    for person in asked.officers:
        holds(found.says(person, asked.mark) is (person in found.said.cleared), "an officer asked about is neither cleared nor not")
    Clearances([found, found])


def _acting(body: bytes, index: int) -> Credential:
    """Who acts for the body that stands in an enquiry at an index."""
    try:
        place = unpack(body, max_bytes=MIB, what="guess")[index]
        return world.officer("act", body=Body(place[0], place[1]))
    except _LENIENT:
        return world.officer("act")


def draft(data: bytes) -> None:
    profile = read_draft(data)
    same(read_profile(profile.body).body, profile.body)


# -- envelope ----------------------------------------------------------------------------------------------------------


def core(data: bytes) -> None:
    found = read_core(data)
    items = [found.envelope_id, found.agreement, found.origin.packed(), found.destination.packed(), found.confirming.packed()]
    same(PREFIX + pack([*items, found.sealing_credential, found.stamp.packed(), found.extensions]), data)


def stamp(data: bytes) -> None:
    same(pack(read_stamp(unpack(data, max_bytes=MIB, what="stamp")).packed()), data)


def route(data: bytes) -> None:
    same(pack(read_route(unpack(data, max_bytes=MIB, what="route")).packed()), data)


def stanzas(data: bytes) -> None:
    same(pack_stanzas(list(read_stanzas(data))), data)


def container(data: bytes) -> None:
    found = read_container(io.BytesIO(data))
    start = found.header_length + found.payload_length
    footer = pack_footer(
        core_length=found.core_length,
        header_length=found.header_length,
        payload_length=found.payload_length,
        manifest_length=found.manifest_length,
    )
    same(found.header_raw + data[found.header_length : start] + found.dispatch_raw + footer, data)
    holds(found.read_manifest_stream() == data[start - found.manifest_length : start], "the manifest stream lies elsewhere")
    holds(found.header_raw[: found.core_length] == found.core_raw, "core lies elsewhere")


def dispatch(body: bytes) -> None:
    same(read_dispatch_body(body).packed(), body)


def manifest(data: bytes) -> None:
    """The manifest stream's plaintext."""
    found = unpack_manifest(data)
    same(pack_manifest(found), data)
    _check_manifest(found)


def manifest_body(data: bytes) -> None:
    """The manifest alone: length and zeros are added here."""
    found = unpack_manifest(_stream(data))
    same(pack(found.packed()), data)
    _check_manifest(found)


def _stream(body: bytes) -> bytes:
    plain = len(body).to_bytes(4, "big") + body
    return plain + bytes(-len(plain) % 4096)


def _check_manifest(found: Manifest) -> None:
    for entry in found.carriers:
        if not entry.physical:
            holds(Path(entry.name).name == entry.name and entry.name not in {".", ".."}, "a name is no leaf")


def manifest_copy(data: bytes) -> None:
    credential_, identity = next(iter(world.identities().items()))
    open_manifest_copy(data, bytes(32), credential_, identity)


def name(data: bytes) -> None:
    text = _text(data)
    found = check_name(text)
    holds(found == text and Path("a", text).name == text, "a name is no leaf")
    pack(found)  # unassigned characters are refused wherever text is written
    holds(safe(found) == found, "a carrier's name would be escaped")


def rewrap(body: bytes) -> None:
    verified = world.envelope("letter").verified
    degree = None if verified.core.stamp.route is None else verified.core.stamp.route.marks.destination.code
    try:
        addressee = world.known(unpack(body, max_bytes=MIB, what="guess")[1])
    except _LENIENT:
        addressee = None
    signer = world.officer("acknowledge", subject=None if addressee is None else addressee.subject)
    raw = world.framed(labels.REWRAP, body, [world.header("acknowledger", signer)])
    with world.believing():
        found = read_rewrap(raw, signed=verified.signed, trust=world.trust(), degree=degree, skew=verified.agreement.profile.skew)
    same(pack([verified.signed.digest, found.addressee.digest, found.stanza.packed(), found.made_at, found.extensions]), body)
    found.require_addressed(verified.authentic.addressees)


def transport_notice(body: bytes) -> None:
    """Signed by a courier of the origin; the dispatch inside is believed too."""
    raw = world.framed(labels.TRANSPORT_NOTICE, body, [world.header("transport", world.officer("transport", body=_origin(body)))])
    with world.believing():
        found = read_notice(raw, trust=world.trust(), agreements=world.agreements(), at=world.AT)
    same(found.said.packed(), body)
    stamp = found.signed.core.stamp
    holds(found.signer.body == found.signed.core.origin, "signed by another body")
    holds((found.said.way is None) == (stamp.route is None), "shows what a closed stamp hides")
    holds(bool(found.said.deviation) or found.said.package == stamp.package, "another package, and no reason")
    holds(Notices([found, found]).last == (found if found.said.number == 1 else None), "the first counts, and none without those before it")


def overdue(body: bytes) -> None:
    """Signed by who acts for the origin; the dispatch inside is believed too."""
    raw = world.framed(labels.OVERDUE, body, [world.header("clerk", world.officer("act", body=_origin(body)))])
    with world.believing():
        found = read_overdue(raw, trust=world.trust(), agreements=world.agreements(), at=world.LATE)
    same(found.said.packed(), body)
    holds(found.said.due_at == found.signed.core.stamp.due_at < found.said.noticed_at, "not overdue")


def _origin(body: bytes) -> Body | None:
    """The origin in the core that stands at index 1."""
    try:
        return read_core(unpack(body, max_bytes=MIB, what="guess")[1]).origin
    except _LENIENT:
        return None


def handovers(data: bytes) -> None:
    """Bodies of hand-overs of one envelope, each signed by one of the couriers in turn: read, and judged together."""
    items = unpack(data, max_bytes=MIB, what="bodies")
    signed = world.envelope("carried").signed
    if not isinstance(items, list) or len(items) > 20:
        message = "no bodies of hand-overs"
        raise Malformed(message)
    couriers = [c for c in world.credentials() if c.purpose == "transport"]
    taken = []
    for index, body in enumerate(items):
        if not isinstance(body, bytes):
            message = "no body of a hand-over"
            raise Malformed(message)
        raw = world.framed(labels.HANDOVER, body, [world.header("transport", couriers[index % len(couriers)])])
        with world.believing():
            found = read_handover(raw, signed=signed, trust=world.trust(), agreements=world.agreements(), at=world.AT)
        same(found.said.packed(), body)
        taken.append(found)
    judged = custody(signed, taken)
    everything = [*judged.chain, *judged.apart]
    holds({one.digest for one in everything} == {one.digest for one in taken}, "hand-overs were lost, or came out of nowhere")
    holds(len(everything) == len({one.digest for one in taken}), "a hand-over stands twice")
    before = signed.digest
    for one in judged.chain:
        holds(one.said.previous == before, "the chain is none")
        before = one.digest
    holds((judged.state is CustodyState.WRONG) == bool(judged.findings), "wrong, and nothing is the matter")
    whole = judged.legs is not None and [one.said.leg for one in judged.chain] == list(range(len(judged.legs) + 1))
    holds(judged.state is not CustodyState.COMPLETE or whole, "complete, and a leg is missing")


def opening(data: bytes) -> None:
    """A whole envelope, sealed here from core, manifest, carriers and time, opened with every check but that of its signature.

    What the container says of the parts (digests, lengths, commitments) is made to fit, so that what the parts say is reached.
    """
    items = unpack(data, max_bytes=MIB, what="parts")
    if not (isinstance(items, list) and len(items) == 4 and isinstance(items[2], list)):
        return
    core_raw, body, plains, sealed_at = items
    if not (isinstance(core_raw, bytes) and isinstance(body, bytes) and all(isinstance(p, bytes) for p in plains)):
        return
    envelope = _sealed(core_raw, body, plains, sealed_at)
    with world.believing():
        authentic = authenticate(io.BytesIO(envelope), world.trust())
        verified = verify_dispatch(authentic, trust=world.trust(), agreements=world.agreements(), at=world.AT)
        verify_envelope(verified)
        _open(verified)


def _sealed(core_raw: bytes, body: bytes, plains: list[bytes], sealed_at: Any) -> bytes:  # noqa: ANN401 - whatever the input says
    core_digest = digest(labels.DIGEST_CORE, core_raw)
    destination = read_core(core_raw).destination
    credential_ = next((d for d in world.identities() if (c := world.known(d)) and c.body == destination), next(iter(world.identities())))
    recipient = world.identities()[credential_]
    payload_key = digest("valiza fuzz payload key", core_raw)
    wrapped = Recipient(recipient.public).wrap(payload_key, wrap_info(core_digest, credential_))
    header = core_raw + pack([[credential_, wrapped]])
    body, indexes, pad = _fitting(body, core_digest, plains)
    plain = _stream(body)
    streams = Streams(payload_key, core_digest=core_digest, header_digest=header_digest(header))
    payload = b"".join(_encrypted(streams, carrier_stream(i), p) for i, p in zip(indexes, plains, strict=False))
    payload += _encrypted(streams, PAD_STREAM, bytes(pad))
    manifest_stream = _encrypted(streams, MANIFEST_STREAM, plain)
    said = Dispatch(
        core_digest=core_digest,
        header_digest=header_digest(header),
        payload_digest=digest(labels.DIGEST_PAYLOAD, payload + manifest_stream),
        manifest_digest=digest(labels.DIGEST_MANIFEST, plain),
        core_length=len(core_raw),
        header_length=len(header),
        payload_length=len(payload) + len(manifest_stream),
        manifest_length=len(manifest_stream),
        sealed_at=sealed_at,
    )
    sealer = world.known(read_core(core_raw).sealing_credential) or world.officer("seal")
    signed = world.framed(labels.DISPATCH, said.packed(), [world.header("sealer", sealer)])
    footer = pack_footer(
        core_length=said.core_length, header_length=said.header_length, payload_length=said.payload_length, manifest_length=said.manifest_length
    )
    return header + payload + manifest_stream + signed + footer


def _encrypted(streams: Streams, number: int, plain: bytes) -> bytes:
    encryptor = streams.encryptor(number)
    return encryptor.update(plain) + encryptor.finalize()


def _fitting(body: bytes, core_digest: bytes, plains: list[bytes]) -> tuple[bytes, list[int], int]:
    """The manifest with the core's digest, and sizes and commitments of the carriers; their indexes; the length of the pad."""
    try:
        items = unpack(body, max_bytes=MIB, what="guess")
        items[1] = core_digest
        indexes = [i for i, entry in enumerate(items[2]) if entry[2] is not None]
        for index, plain in zip(indexes, plains, strict=False):
            items[2][index][2] = len(plain)
            items[2][index][3] = commitment(keyed(carrier_key(items[0], index), plain))
        pad = items[3] if isinstance(items[3], int) and 0 <= items[3] < MIB else 0
        return pack(items), indexes, pad
    except _LENIENT:
        return body, list(range(len(plains))), 0


def _open(verified: VerifiedDispatch) -> None:
    """Open into a new folder: what is released is what the manifest lists, and nothing else appears anywhere beside it."""
    own = verified.core.destination
    unsealed = unseal_manifest(verified, own=own, identities=world.identities(), trust=world.trust(), trust_rewrap=None, at=world.AT)
    outer = Path(tempfile.mkdtemp(dir=world.folder()))
    try:
        into = outer / "into"
        into.mkdir()
        opened = open_envelope(unsealed, into=into, at=world.AT)
        listed = {entry.name for entry in opened.manifest.carriers if not entry.physical}
        holds({path.name for path in into.iterdir()} == listed, "other files were released than the manifest lists")
        holds(all(not path.is_symlink() and path.is_file() for path in into.iterdir()), "something else than a file was released")
        same(Opening.read(opened.opening.packed()).packed(), opened.opening.packed())
    finally:
        holds([path.name for path in outer.iterdir()] == ["into"], "something was written outside the folder")
        shutil.rmtree(outer)


# -- answers -----------------------------------------------------------------------------------------------------------


def _acknowledger(claim: OpeningClaim | None) -> SignerHeader:
    opener = None if claim is None else world.known(claim.credential)
    signer = world.officer("acknowledge", body=world.envelope("letter").verified.core.destination)
    if opener is not None:
        signer = world.officer("acknowledge", subject=opener.subject)
    return world.header("acknowledger", signer)


def acknowledgement_(body: bytes) -> None:
    found = acknowledgement._read_acknowledgement(body)  # noqa: SLF001 - the decoder behind the signature
    same(found.packed(), body)
    _answered(labels.ACKNOWLEDGEMENT, body, found.claim)


def refusal(body: bytes) -> None:
    found = acknowledgement._read_refusal(body)  # noqa: SLF001 - the decoder behind the signature
    same(found.packed(), body)
    _answered(labels.REFUSAL, body, found.claim)


def _answered(type_: str, body: bytes, claim: OpeningClaim | None) -> None:
    with world.believing():
        found = read_answer(world.framed(type_, body, [_acknowledger(claim)]), world.trust())
        verify_answer(found, world.trust(), world.agreements())
    if isinstance(found.answer, Acknowledgement):
        holds(len(found.answer.conditions) == len(found.answer.claim.openings), "not one condition for each carrier")


def receipt_(body: bytes) -> None:
    found = receipt._read_body(Statement(raw=b"", type=labels.RECEIPT, body=body, signatures=()))  # noqa: SLF001 - the decoder behind the signature
    same(found.packed(), body)
    signer = world.officer("countersign", body=found.confirming)
    with world.believing():
        raw = world.framed(labels.RECEIPT, body, [world.header("countersigner", signer)])
        _verify_receipt(raw)


def _verify_receipt(raw: bytes) -> None:
    """Read a receipt, compare it with record and envelope of its origin where the world has them, and find the verdict."""
    found = read_receipt(raw, trust=world.trust(), agreements=world.agreements())
    for letter in ("letter", "closed", "bag"):
        if world.record(letter).dispatch_digest == found.answer.signed.digest:
            compare_with_record(found.answer, world.record(letter))
            compare_with_envelope(found.answer, world.envelope(letter))
            verify_receipt(found, envelope=world.envelope(letter))
    verify_receipt(found)


def expectation(data: bytes) -> None:
    same(Expectation.read(data).packed(), data)


def opening_record(data: bytes) -> None:
    same(Opening.read(data).packed(), data)


# -- what people write -------------------------------------------------------------------------------------------------


def route_file(data: bytes) -> None:
    read_route_file(world.file("route.toml", data))


def basis_file(data: bytes) -> None:
    read_basis(world.file("basis.toml", data))


def inventory_toml(data: bytes) -> None:
    read_carriers([], world.file("inventory.toml", data), mark="1")


def inventory_csv(data: bytes) -> None:
    read_carriers([], world.file("inventory.csv", data), mark="1")


def signers_file(data: bytes) -> None:
    for signer in read_signers(world.file("signers.toml", data)).values():
        holds(ExternalSigner.read(signer.packed()) == signer, "the signer cannot be written into a key file")


def office_file(data: bytes) -> None:
    Office(world.file("office.toml", data).parent, lambda: "")


def options(data: bytes) -> None:
    """What is typed: a time, a leg, a text. At least one of them has to take it."""
    text = _text(data)
    failed: list[ValizaError] = []
    for parse in (parse_time, parse_leg):
        try:
            parse(text)
        except ValizaError as error:
            failed.append(error)
    import click  # noqa: PLC0415 - its error is what a wrong text is answered with

    with contextlib.suppress(click.BadParameter):
        pack(Text(empty=True).convert(text, None, None))
    if len(failed) > 1:
        raise failed[0]


def terminal(data: bytes) -> None:
    shown = safe(_text(data))
    holds(all(unicodedata.category(c) not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} for c in shown), "text could steer the terminal")


# -- whole objects, nothing believed -----------------------------------------------------------------------------------


def inspect(data: bytes) -> None:
    """`valiza inspect`, for people and for scripts."""
    path = world.file("input.vls", data)
    for json_ in (False, True):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            assert receiving.inspect.callback is not None
            receiving.inspect.callback(file=path, json_=json_)
        shown = out.getvalue().replace("\n", "")
        holds(safe(shown) == shown, "text could steer the terminal")


def whole_envelope(data: bytes) -> None:
    """Verify and open."""
    authentic = authenticate(io.BytesIO(data), world.trust())
    verified = verify_dispatch(authentic, trust=world.trust(), agreements=world.agreements(), at=world.AT)
    verify_envelope(verified)
    _genuine(data)
    _open(verified)


def _genuine(data: bytes) -> None:
    holds(data in world.genuine(), "an object verifies that nobody signed")


def whole_answer(data: bytes) -> None:
    verify_answer(read_answer(data, world.trust()), world.trust(), world.agreements())
    _genuine(data)


def whole_receipt(data: bytes) -> None:
    _verify_receipt(data)
    _genuine(data)


def whole_roster(data: bytes) -> None:
    """The root that it claims is pinned: whose fingerprint it is does not matter here."""
    read_given_roster(world.file("roster.vls", data), peek_roster(data)[1])
    _genuine(data)


def whole_agreement(data: bytes) -> None:
    read_agreements([data], world.trust())
    _genuine(data)


def whole_dispatch(data: bytes) -> None:
    authenticate_dispatch(data, world.record("letter").core, world.trust())
    _genuine(data)


def whole_clearance(data: bytes) -> None:
    read_confirmation(data, trust=world.trust(), agreements=world.agreements(), at=world.AT)
    _genuine(data)


def whole_transport(data: bytes) -> None:
    """Any of the three statements about a transport."""
    given: dict[str, Any] = {"trust": world.trust(), "agreements": world.agreements(), "at": world.LATE}
    match read_statement(data, labels.TRANSPORT_NOTICE, labels.HANDOVER, labels.OVERDUE).type:
        case labels.TRANSPORT_NOTICE:
            read_notice(data, **given)
        case labels.OVERDUE:
            read_overdue(data, **given)
        case _:
            read_handover(data, signed=world.envelope("carried").signed, **given)
    _genuine(data)


# -- logs, nothing believed --------------------------------------------------------------------------------------------


def leaf(data: bytes) -> None:
    found = read_leaf(data)
    holds(found.facts.kind in KINDS_OF_ENTRY, "an entry of no kind")


def evidence_contents(data: bytes) -> None:
    same(read_bundle(data).packed(), data)


def whole_evidence(data: bytes) -> None:
    """A bundle without disclosed carriers. When it was made, and entries that it says nobody signed, are anybody's word."""
    file = read_bundle_file(io.BytesIO(data))
    found = verify_bundle(file, [roster.roots[0].digest for roster in world.rosters()])
    holds(found.bundle.statement in world.genuine(), "an object verifies that nobody signed")
    holds(all(fact.checkpoint is None for fact in found.logged), "an entry is proved that is in no log")
    holds(set(found.bundle.rosters) <= {roster.raw for roster in world.rosters()}, "a roster verifies that nobody signed")


def signed_note(data: bytes) -> None:
    found = read_note(data)
    same(found.format(), data)
    holds(not any(line.format().count(b"\n") != 1 for line in found.lines), "a signature of several lines")


def checkpoint(data: bytes) -> None:
    """A checkpoint, and its cosignature. Nobody has the keys, so only what the vectors hold verifies, whatever lines of others are about it."""
    said = peek_checkpoint(data)
    same(said.text, read_note(data).text)
    known = world.log_head(13).checkpoint
    signed = verify_checkpoint(data, known.origin, world.log_keys())
    holds(signed.checkpoint in _checkpoints(), "a checkpoint that nobody signed")
    if signed.checkpoint == known:
        holds(contradict(signed, world.log_head(13)) is None, "one head contradicts itself")
    read_cosignature(signed, Body("BY", "BY-MFA"), world.log_keys())


@functools.cache
def _checkpoints() -> frozenset[Checkpoint]:
    """What the vectors of checkpoints say."""
    found = set()
    for kind, raw in world.vectors():
        if kind == "checkpoint":
            with contextlib.suppress(ValizaError):
                found.add(peek_checkpoint(raw))
    return frozenset(found)


def tlog_proof(data: bytes) -> None:
    same(read_proof(data).format(), data)
    place, signed = verify_proof(data, world.leaf(), world.log_head(13).checkpoint.origin, world.log_keys())
    holds(place == 8 and signed.checkpoint == world.log_head(13).checkpoint, "entry 8 elsewhere")


def cosign_request(data: bytes) -> None:
    same(read_request_to_cosign(data).format(), data)
    last = world.log_head(7)
    signed = verify_request(data, last.checkpoint.origin, world.log_keys(), last)
    holds(signed.checkpoint in {last.checkpoint, world.log_head(13).checkpoint}, "a log that does not go on from 7 entries")


# -- ceremonies --------------------------------------------------------------------------------------------------------


def plan(data: bytes) -> None:
    """A plan is read whole or not at all, and its steps can be told apart by their names."""
    found = read_plan(data)
    steps = [*script(found), *attestations(found)]
    holds([step.number for step in steps] == list(range(1, len(steps) + 1)), "steps are not numbered one after the other")
    holds(len({step.id for step in steps}) == len(steps), "two steps have one name")
    pack([found.title, found.place, [[one.id, one.names] for one in found.people]])


def answers(data: bytes) -> None:
    """Answers to a plan of the world: no secret is among them, and nothing that is not asked."""
    asked = read_plan(world.plan())
    steps = [*script(asked), *attestations(asked)]
    found = read_answers(data, steps, asked.people)
    holds(set(found.given) <= {step.id for step in steps}, "an answer in a step that there is not")
    holds(all("passphrase" not in given for given in found.given.values()), "a secret among the answers")


def transcript(body: bytes) -> None:
    """Signed by all whose keys stand in it."""
    said, remarks = read_body(body)
    same(pack([*unpack(said.body, max_bytes=8 * MIB, what="transcript")[:-1], remarks]), body)
    name = digest(labels.DIGEST_TRANSCRIPT, body)
    people = {one.key_digest for one in said.participants if one.key_digest is not None}
    headers = [SignerHeader(role="participant", signer_digest=name, key_digest=key) for key in people]
    raw = world.framed(labels.TRANSCRIPT, body, headers or [SignerHeader(role="participant", signer_digest=name, key_digest=bytes(32))])
    with world.believing():
        found = verify_transcript(raw)
        found.require_complete()
    holds(len(said.steps) == len(script(found.plan)), "complete, and a step is missing")


def whole_transcript(data: bytes) -> None:
    verify_transcript(data).require_complete()
    _genuine(data)


def detached(data: bytes) -> None:
    """A stanza, as the X25519 key in it is checked."""
    same(pack(read_stanza(unpack(data, max_bytes=MIB, what="stanza")).packed()), data)


def mail(data: bytes) -> None:
    """A message: the same from memory and from a file, nothing of it in what is told, and nothing overlooked that the standard library finds."""
    with take_apart(data) as taken, take_apart(io.BytesIO(data)) as again:
        told = [(part.path, part.media_type, part.names, part.charset, part.kind, part.declared) for part in taken.parts]
        same(repr(told).encode(), repr([(p.path, p.media_type, p.names, p.charset, p.kind, p.declared) for p in again.parts]).encode())
        holds(taken.flaws == again.flaws and taken.carries == again.carries, "a file is read as bytes are")
        holds(len({part.path for part in taken.parts}) == len(taken.parts), "each part has a number of its own")
        holds(all(flaw.isascii() and flaw.isprintable() and len(flaw) < 200 for flaw in taken.flaws), "a flaw is told in words of our own")
        holds(taken.carries or not any(part.ours for part in taken.parts), "a message carries what is in its parts")
        for part, other in zip(taken.parts, again.parts, strict=True):
            content = part.content.read()
            same(b"".join(other.content.blocks()), content)
            same(part.content.open().read(), content)
            holds(len(content) <= len(data), "nothing grows when it is decoded")
            holds(part.kind is sniff(content[:SNIFFED_BYTES]), "a part is what all of it begins like")
        ours = sorted(part.content.read() for part in taken.parts if part.kind is not None)
        holds(taken.flaws or ours == _found_by_others(data), "in a message without flaws the standard library finds the same")


def _found_by_others(data: bytes) -> list[bytes]:
    """Whatever of Valiza the standard library finds in a message."""
    try:
        leaves = [part.get_payload(decode=True) for part in message_from_bytes(data).walk() if not part.is_multipart()]
    except (MessageError, ValueError, TypeError, LookupError, AttributeError, RecursionError):  # it is not made for this
        return []
    return sorted(leaf for leaf in leaves if isinstance(leaf, bytes) and sniff(leaf[:SNIFFED_BYTES]) is not None)


def rules(data: bytes) -> None:
    """Rules of a gateway: whatever they say, nothing passes that was not looked at."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed("not UTF-8") from error
    found = parse_rules(text)
    holds(set(found.actions) == set(ACTIONS), "each verdict has an action")
    holds(all(found.actions[verdict] == "defer" for verdict in FAULTS), "what nobody can say is deferred")
    holds(all(found.actions[verdict] != "accept" for verdict in ("malformed", "not-authentic", "too-large", "too-complex")), "it was not verified")


def marks(data: bytes) -> None:
    """Texts of any kind, in which a mark on a line of its own is found wherever it stands."""
    text = data.decode("utf-8", "replace")
    finder = MarkFinder(["Құпия", "Совершенно секретно", "С"], MarkTexts.STANDING)
    finder.in_text(text, is_html=True)
    finder.in_name(text)
    for mark in ("ҚҰПИЯ", "совершенно\u00a0секретно", "С"):
        holds(finder.in_text(f"{text}\n\n{mark}\n\n{text}"), "a mark on a line of its own is found")


TARGETS: Final = {
    target.name: target
    for target in (
        Target("encoding", encoding, 4096),
        Target("statement", statement, 16384),
        Target("signer-header", signer_header, 300),
        Target("public-key", public_key, 2048, tree=False),
        Target("root", root, 8192),
        Target("credential", credential, 8192),
        Target("request", request, 24576),
        Target("roster", roster, 65536),
        Target("key-file", key_file, 8200),
        Target("signer-question", signer_question, 1100, tree=False),
        Target("signer-reply", signer_reply, 1100, tree=False),
        Target("sheet", sheet, 4096, tree=False),
        Target("fingerprint", fingerprint_, 200, tree=False),
        Target("agreement", agreement, 8192),
        Target("revocation", revocation, 2048),
        Target("standing", standing, 1024),
        Target("designation", designation, 2048),
        Target("role", role, 1024),
        Target("termination", termination, 2048),
        Target("clearance-enquiry", clearance_enquiry, 4096),
        Target("clearance-confirmation", clearance_confirmation, 8192),
        Target("draft", draft, 65536, tree=False),
        Target("core", core, 4096, skip=len(PREFIX)),
        Target("stamp", stamp, 2048),
        Target("route", route, 2048),
        Target("stanzas", stanzas, 8192),
        Target("stanza", detached, 2048),
        Target("container", container, 16384, tree=False),
        Target("dispatch", dispatch, 4096),
        Target("manifest", manifest, 16384, tree=False),
        Target("manifest-body", manifest_body, 8192),
        Target("manifest-copy", manifest_copy, 8192),
        Target("name", name, 300, tree=False),
        Target("rewrap", rewrap, 4096),
        Target("transport-notice", transport_notice, 8192),
        Target("handovers", handovers, 8192),
        Target("overdue", overdue, 8192),
        Target("opening", opening, 8192),
        Target("acknowledgement", acknowledgement_, 16384),
        Target("refusal", refusal, 16384),
        Target("receipt", receipt_, 32768),
        Target("expectation", expectation, 16384),
        Target("opening-record", opening_record, 16384),
        Target("route-file", route_file, 4096, tree=False),
        Target("basis-file", basis_file, 4096, tree=False),
        Target("inventory-toml", inventory_toml, 4096, tree=False),
        Target("inventory-csv", inventory_csv, 4096, tree=False),
        Target("signers-file", signers_file, 4096, tree=False),
        Target("office-file", office_file, 4096, tree=False),
        Target("options", options, 200, tree=False),
        Target("terminal", terminal, 200, tree=False),
        Target("inspect", inspect, 32768),
        Target("plan", plan, 8192, tree=False),
        Target("answers", answers, 8192, tree=False),
        Target("transcript", transcript, 65536),
        Target("leaf", leaf, 8192),
        Target("evidence", evidence_contents, 65536),
        Target("signed-note", signed_note, 16384, tree=False),
        Target("checkpoint", checkpoint, 16384, tree=False),
        Target("tlog-proof", tlog_proof, 16384, tree=False),
        Target("cosign-request", cosign_request, 16384, tree=False),
        Target("mail", mail, 16384, tree=False),
        Target("rules", rules, 4096, tree=False),
        Target("marks", marks, 1024, tree=False),
        Target("whole-transcript", whole_transcript, 65536),
        Target("whole-envelope", whole_envelope, 32768, tree=False),
        Target("whole-answer", whole_answer, 32768),
        Target("whole-receipt", whole_receipt, 32768),
        Target("whole-roster", whole_roster, 65536),
        Target("whole-agreement", whole_agreement, 16384),
        Target("whole-dispatch", whole_dispatch, 16384),
        Target("whole-clearance", whole_clearance, 16384),
        Target("whole-transport", whole_transport, 16384),
        Target("whole-evidence", whole_evidence, 524288, tree=False),
    )
}


def replay(target: Target, data: bytes) -> bool:
    """Give a target an input. Whether it was taken; whatever is no ValizaError goes on."""
    try:
        target.check(data)
    except ValizaError:
        return False
    return True


def clean_up() -> None:
    """Remove the folder of the files that were read from a path."""
    shutil.rmtree(world.folder(), ignore_errors=True)
    world.folder.cache_clear()


if __name__ == "__main__":  # one input by hand: python -m fuzz.targets TARGET FILE
    print("taken" if replay(TARGETS[sys.argv[1]], Path(sys.argv[2]).read_bytes()) else "refused")
