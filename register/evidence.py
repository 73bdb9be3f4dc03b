"""Verifying an evidence bundle (specs/evidence.md, Reading): what it proves, by whom and as of when, and what it does not. Needs no office."""

from __future__ import annotations

import io
import os
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, BinaryIO, Final, TypedDict

from valiza.envelope.acknowledgement import Acknowledgement, peek_answer, read_answer, verify_answer
from valiza.envelope.agreement import Agreements, agreement_digest, read_agreements
from valiza.envelope.dispatch import SignedDispatch, authenticate_dispatch, read_dispatch_body
from valiza.envelope.handover import read_handover
from valiza.envelope.header import Core, read_core
from valiza.envelope.manifest import carrier_key, commitment, marks_digest, opening_proof, require_core, unpack_manifest
from valiza.envelope.notice import VerifiedNotice, read_notice
from valiza.envelope.overdue import read_overdue
from valiza.envelope.payload import PayloadReader, carrier_stream, stream_decryptor
from valiza.envelope.receipt import Verdict, peek_receipt, read_receipt, verify_receipt
from valiza.envelope.verifying import require_agreement
from valiza.keys import labels
from valiza.keys.digests import digest, keyed_hasher
from valiza.keys.errors import Incomplete, Malformed, NotAuthentic, Refused, Usage, ValizaError
from valiza.keys.fields import MAX_TIME, Body, ascending, utc
from valiza.keys.files import require_space, storage_errors, sync_content
from valiza.keys.roster import check_import, peek_roster, read_roster
from valiza.keys.statement import read_statement
from valiza.keys.trust import Trust, no_evidence
from valiza.register.bundle import ANSWER, DISPATCH, RECEIPT, read_leaf
from valiza.register.entry import ONCE
from valiza.register.note import contradict, log_origin, parse_office_name, read_cosignature, read_note
from valiza.register.proof import verify_proof
from valiza.register.state import BASES, ForbiddenStep, require_after

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from valiza.envelope.acknowledgement import VerifiedAnswer
    from valiza.envelope.evidence import Seen
    from valiza.envelope.handover import VerifiedHandover
    from valiza.envelope.manifest import Manifest
    from valiza.envelope.overdue import VerifiedOverdue
    from valiza.envelope.receipt import AuthenticReceipt, VerifiedReceipt
    from valiza.keys.log_key import LogVerifyKey
    from valiza.keys.roster import Roster
    from valiza.keys.statement import Statement
    from valiza.keys.trust import Evidence
    from valiza.register.bundle import Bundle, BundleFile, DisclosedCarrier, Leaf, LoggedEntry, LogPart
    from valiza.register.note import Cosignature, SignedCheckpoint

__all__ = ["EVIDENT", "Further", "LoggedFact", "ShownCarrier", "VerifiedBundle", "peek_core", "release_carriers", "verify_bundle"]

_SECTOR: Final = 4096
# About which statement of the envelope an entry is, by its kind; every other entry with a statement is about a further one.
_ABOUT: Final = {"sealed": DISPATCH, "arrived": DISPATCH, "answered": ANSWER, "receipt": RECEIPT}
# Without a statement.
_PLAIN: Final = ("withdrawn", "opened")
_FURTHER: Final = ("conflict", "notice", "handover", "overdue")
EVIDENT: Final = (*_ABOUT, *_PLAIN, *_FURTHER)
# Whose log alone has an entry of a kind: the origin's, or another body's.
_OF_ORIGIN: Final = ("sealed", "withdrawn", "overdue")
_OF_OTHERS: Final = ("arrived", "opened", "answered")
_CONTRADICTING: Final = (labels.DISPATCH, labels.ACKNOWLEDGEMENT, labels.REFUSAL, labels.RECEIPT)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedFact:
    """An entry of a log, and how far it is proved.

    Attributes:
        body: whose log it is.
        leaf: what the entry says.
        place: in the log, from 0; None where nothing proves that it is there.
        checkpoint: that proves it.
        cosigner: body of the other party that cosigned that.
        cosigned_at: when, as it says.
        weakness: why a signature on the checkpoint, or the cosignature, does not count; empty if it does.
    """

    body: Body
    leaf: Leaf
    place: int | None = None
    checkpoint: SignedCheckpoint | None = field(default=None, repr=False)
    cosigner: Body | None = None
    cosigned_at: int | None = None
    weakness: str = ""

    @property
    def vouched_at(self) -> int | None:
        """By when both parties say that it was there, in seconds since 1970; None unless both do."""
        if self.checkpoint is None or self.cosigned_at is None:
            return None
        return max(self.checkpoint.at, self.cosigned_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownCarrier:
    """A disclosed carrier whose bytes are those that were acknowledged, or that the manifest lists."""

    index: int
    name: str
    size: int
    acknowledged: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Further:
    """Another statement about the envelope, that is authentic.

    Attributes:
        type: of the statement.
        contradiction: what it says, of one that contradicts those in the bundle.
        statement: of a notice, hand-over or overdue record.
        core: of a dispatch, the digest of its core; empty of all others.
        weakness: why it counts for nothing; empty if it counts.
    """

    type: str
    contradiction: str = ""
    weakness: str = ""
    statement: VerifiedNotice | VerifiedHandover | VerifiedOverdue | None = None
    core: bytes = b""


@dataclass(frozen=True, kw_only=True)
class VerifiedBundle:
    """A bundle of which every part holds; the carriers that it shows are read by `release_carriers`.

    Attributes:
        trust: the rosters in it, up to the roots that were given.
        verdict: what came of the envelope, as far as the bundle shows.
        not_compared: as for a receipt.
        signed: the dispatch.
        answer, receipt: None where there is none.
        logged: what the logs say.
        manifest: if it is shown.
        pinned: the fingerprints that were given.
        compared: the parties whose roster is the one that they themselves gave.
    """

    file: BundleFile
    trust: Trust
    agreements: Agreements
    verdict: Verdict
    not_compared: tuple[str, ...]
    signed: SignedDispatch
    answer: VerifiedAnswer | None
    receipt: AuthenticReceipt | None
    logged: tuple[LoggedFact, ...]
    further: tuple[Further, ...]
    manifest: Manifest | None
    pinned: tuple[bytes, ...]
    compared: frozenset[str]

    @property
    def bundle(self) -> Bundle:
        """The bundle."""
        return self.file.bundle

    @property
    def skew(self) -> int:
        """By how much clocks may differ, in seconds; 0 where the agreement is not shown."""
        core = self.signed.core
        return next((agreement.profile.skew for agreement in self.agreements.all() if agreement.digest == core.agreement), 0)

    @property
    def parties(self) -> tuple[str, str]:
        """Origin's and destination's."""
        return self.signed.core.origin.party, self.signed.core.destination.party


@contextmanager
def _of(what: str) -> Iterator[None]:
    """What goes wrong in the block is told of the part of the bundle that it is about."""
    try:
        yield
    except ValizaError as error:
        message = f"{what}: {error.message}"
        raise type(error)(message, error.hint) from error


def _missing(what: str, hint: str = "") -> Incomplete:
    return Incomplete(f"the evidence bundle is incomplete: {what} is missing", hint or "ask whoever made it for the whole bundle")


@dataclass(frozen=True, kw_only=True)
class _Parts:
    """The statements of the envelope by kind, and its core. Nothing is believed yet."""

    by_kind: Mapping[str, bytes]
    core: Core

    @property
    def dispatch_digest(self) -> bytes:
        return digest(labels.DIGEST_STATEMENT, self.by_kind[DISPATCH])


def peek_core(bundle: Bundle) -> Core:
    """The core of the envelope that a bundle is about, as it says: nothing of it is checked."""
    return _peek(bundle).core


def _peek(bundle: Bundle) -> _Parts:
    """Step 4: which envelope it is about, and what there is of it."""
    if not bundle.statement:
        raise _missing({RECEIPT: "the receipt", ANSWER: "the answer", DISPATCH: "the dispatch"}[bundle.kind])
    with _of(f"the {bundle.kind}"):
        if bundle.kind == DISPATCH:
            read_statement(bundle.statement, labels.DISPATCH)
            if bundle.core is None:
                raise _missing("the core of the envelope")
            return _Parts(by_kind={DISPATCH: bundle.statement}, core=read_core(bundle.core))
        found = {bundle.kind: bundle.statement}
        if bundle.kind == RECEIPT:
            found[ANSWER] = peek_receipt(bundle.statement).answer
        answer, core = peek_answer(found[ANSWER])
        return _Parts(by_kind={**found, DISPATCH: answer.dispatch}, core=core)


# -- trust -------------------------------------------------------------------------------------------------------------


def _trust(bundle: Bundle, core: Core, fingerprints: Sequence[bytes], own: Sequence[bytes]) -> tuple[Trust, frozenset[str]]:
    """Step 5: the rosters of both parties, up to the roots that the reader was given; and whose own the reader has."""
    parties = sorted((core.origin.party, core.destination.party))
    rosters: dict[str, Roster] = {}
    for raw in bundle.rosters:
        with _of("a roster of the evidence bundle"):
            name, claimed = peek_roster(raw)
        if name not in parties or name in rosters:
            message = f"the evidence bundle has {'two rosters' if name in rosters else 'a roster'} of {name}, and is about {' and '.join(parties)}"
            raise Malformed(message)
        with _of(f"the roster of {name}"):
            rosters[name] = read_roster(raw, _pinned(name, claimed, fingerprints, "in the evidence bundle"))
    for name in parties:
        if name not in rosters:
            raise _missing(f"the roster of {name}")
    ascending(list(rosters), "rosters")
    compared = set()
    for raw in own:
        with _of("a roster that was given"):
            name, claimed = peek_roster(raw)
            if name not in parties:
                message = f"it is of {name}, and the evidence bundle is about {' and '.join(parties)}"
                raise Usage(message)
            given = read_roster(raw, _pinned(name, claimed, fingerprints, "given"))
        if given.version >= rosters[name].version:
            compared.add(name)
        rosters[name] = _latest(given, rosters[name])
    return Trust(rosters.values()), frozenset(compared)


def _pinned(name: str, claimed: Sequence[bytes], fingerprints: Sequence[bytes], where: str) -> bytes:
    pinned = [root for root in claimed if root in fingerprints]
    if not pinned:
        message = f"the root of {name} {where} has none of the fingerprints that were given"
        raise NotAuthentic(message, "give the fingerprint of each party's root, as you compared it, with --root")
    return pinned[-1]


def _latest(given: Roster, found: Roster) -> Roster:
    """The later one of a roster that the party itself gave and that of the bundle: one of them goes on from the other, or the bundle's is false."""
    if given.raw == found.raw:
        return found
    new, old = (given, found) if given.version > found.version else (found, given)
    try:
        check_import(new, old, new.issued_at)
    except Refused as error:
        message = (
            f"the roster of {found.party} in the evidence bundle, version {found.version}, does not go with that which was given: {error.message}"
        )
        raise NotAuthentic(message, f"ask {found.party} whether it published a roster with the digest {_named(found)}") from error
    return new


def _named(roster: Roster) -> str:
    return digest(labels.DIGEST_STATEMENT, roster.raw).hex()


def _agreements(bundle: Bundle, parts: _Parts, trust: Trust) -> Agreements:
    """Step 6: the agreement, its next versions and what ended it. A refusal of an unopened envelope may be about one that nobody has."""
    with _of("an agreement of the evidence bundle"):
        statements = [read_statement(raw, labels.AGREEMENT, labels.TERMINATION) for raw in bundle.agreements]
    known = {agreement_digest(statement.body) for statement in statements if statement.type == labels.AGREEMENT}
    if parts.core.agreement not in known and _needs_agreement(parts):
        raise _missing(f"the agreement {parts.core.agreement.hex()[:16]}… under which the envelope was sealed")
    with _of("an agreement of the evidence bundle"):
        found = read_agreements(bundle.agreements, trust)
        named = [agreement for agreement in found.all() if agreement.digest == parts.core.agreement]
        bearing = {raw for agreement in named for raw in found.bearing_on(agreement)}
        if not bearing.issuperset(bundle.agreements):
            message = "it is neither the one that the envelope names, nor its next version, nor what ended it"
            raise Malformed(message)
    return found


def _needs_agreement(parts: _Parts) -> bool:
    return ANSWER not in parts.by_kind or peek_answer(parts.by_kind[ANSWER])[0].claim is not None


# -- logs --------------------------------------------------------------------------------------------------------------


def _log_keys(trust: Trust, body: Body) -> list[LogVerifyKey]:
    """Every key that a body ever had for its register."""
    return [credential.log_key for credential in trust.of_body(body, "register")]


def _require_standing(trust: Trust, body: Body, key: LogVerifyKey, *, dated: int, evidence: Evidence, act: str) -> None:
    """Check that one of the credentials of a register's key counts for what was signed with it."""
    refused: Refused | None = None
    for credential in trust.of_body(body, "register"):
        if credential.log_key.raw == key.raw:
            try:
                trust.require_standing(credential, dated=dated, evidence=evidence, act=act)
            except Refused as error:
                refused = error
            else:
                return
    if refused is not None:
        raise refused


def _logged(bundle: Bundle, parts: _Parts, trust: Trust) -> tuple[LoggedFact, ...]:
    """Steps 7 to 9: what the logs say of the envelope."""
    core = parts.core
    if not bundle.logs:
        raise _missing(f"what the log of {core.origin} or of {core.destination} says")
    return tuple(fact for part in bundle.logs for fact in _part(bundle, part, parts, trust))


def _part(bundle: Bundle, part: LogPart, parts: _Parts, trust: Trust) -> list[LoggedFact]:
    core = parts.core
    if part.body not in {core.origin, core.destination, core.confirming}:
        message = f"the evidence bundle has a part of the log of {part.body}, which has nothing to do with the envelope"
        raise Malformed(message)
    found = []
    with _of(f"the log of {part.body}"):
        for entry in part.entries:
            leaf = read_leaf(entry.leaf)
            _require_own(leaf, part.body, core)
            _require_about(leaf, bundle, parts)
            found.append(_proved(entry, leaf, part.body, core, trust))
        have = {fact.leaf.facts.kind for fact in found}
        for kind in _required(part.body, parts):
            if kind not in have:
                raise _missing(f"the entry {kind!r}")
        _require_one_story(found)
    return found


def _require_one_story(facts: Sequence[LoggedFact]) -> None:
    """Step 9: what is proved of a log can all be in one log. The body signed all of it, so what goes not together proves something against it."""
    heads = {(fact.checkpoint.checkpoint.size, fact.checkpoint.at, fact.checkpoint.raw): fact.checkpoint for fact in facts if fact.checkpoint}
    # In order of size and time, so that any two that contradict each other have two neighbours between them that do.
    for first, second in pairwise(heads[key] for key in sorted(heads)):
        found = contradict(first, second)
        if found is not None:
            message = f"two heads that it signed, of {first.checkpoint.size} and {second.checkpoint.size} entries, contradict each other: {found}"
            raise NotAuthentic(message)
    placed = sorted((fact.place, fact.leaf.facts.kind) for fact in facts if fact.place is not None)
    for (place, kind), (other, also) in pairwise(placed):
        if place == other:
            message = f"two entries, {kind!r} and {also!r}, are proved at one place"
            raise NotAuthentic(message)
    kinds = [fact.leaf.facts.kind for fact in facts]
    twice = next((kind for kind in ONCE if kinds.count(kind) > 1), None)
    if twice is not None:
        message = f"it has two entries {twice!r} of one envelope"
        raise NotAuthentic(message)
    # An entry whose place is not proved may be anywhere, so whatever has to come after one of those may.
    known = {fact.leaf.facts.kind for fact in facts if fact.place is None} & BASES
    for _, kind in placed:
        try:
            require_after(kind, known)
        except ForbiddenStep as error:
            message = f"the entry {kind!r} may not follow on those before it: {error.message}"
            raise NotAuthentic(message) from error
        known.add(kind)


def _required(body: Body, parts: _Parts) -> list[str]:
    """The kinds of entries without which what happened cannot be what the bundle says."""
    wanted = ["sealed"] if body == parts.core.origin else ["arrived"]
    if ANSWER in parts.by_kind and body != parts.core.origin:
        wanted.append("answered")
    if RECEIPT in parts.by_kind and body in {parts.core.origin, parts.core.confirming}:
        wanted.append("receipt")
    return wanted


def _require_own(leaf: Leaf, body: Body, core: Core) -> None:
    """Step 8: an entry is one that this body can make. Or a party would tell of the other one's deeds under its own name."""
    kind, own = leaf.facts.kind, body == core.origin
    if kind in (_OF_OTHERS if own else _OF_ORIGIN):
        message = f"an entry {kind!r} is not one that {body} makes of this envelope"
        raise Malformed(message)
    if leaf.facts.direction != ("out" if own else "in"):
        message = f"the entry {kind!r} has the direction {leaf.facts.direction!r}, and the envelope goes from {core.origin} to {core.destination}"
        raise Malformed(message)


def _require_about(leaf: Leaf, bundle: Bundle, parts: _Parts) -> None:
    """Step 8: an entry is about this envelope, and about statements that are here."""
    facts, core = leaf.facts, parts.core
    name = (facts.origin, facts.envelope_id, facts.dispatch_digest, facts.agreement)
    if name != (core.origin, core.envelope_id, parts.dispatch_digest, core.agreement):
        message = f"the entry {facts.kind!r} is about another envelope"
        raise NotAuthentic(message)
    if facts.kind in _ABOUT:
        kind = _ABOUT[facts.kind]
        if kind not in parts.by_kind:
            raise _missing(f"the {kind} that the entry {facts.kind!r} is about")
        if leaf.statement != digest(labels.DIGEST_STATEMENT, parts.by_kind[kind]):
            message = f"the entry {facts.kind!r} is about another {kind} than the one in the evidence bundle"
            raise NotAuthentic(message)
    elif facts.kind in _FURTHER:
        if leaf.statement not in {digest(labels.DIGEST_STATEMENT, raw) for raw in bundle.further}:
            raise _missing(f"the statement that the entry {facts.kind!r} is about")
    elif facts.kind in _PLAIN:
        if leaf.statement is not None:
            message = f"an entry {facts.kind!r} is about no statement"
            raise Malformed(message)
    else:
        message = f"an entry {facts.kind!r} is no evidence"
        raise Malformed(message)


def _proved(entry: LoggedEntry, leaf: Leaf, body: Body, core: Core, trust: Trust) -> LoggedFact:
    """Step 9: inclusion, checkpoint, cosignature, as far as the entry says that there are any."""
    kind = leaf.facts.kind
    if entry.standing == "entered":
        return LoggedFact(body=body, leaf=leaf)
    if not entry.proof:
        raise _missing(f"the proof of inclusion of the entry {kind!r}")
    keys = _log_keys(trust, body)
    if not keys:
        raise _missing(f"a register credential of {body} in the roster of {body.party}")
    place, signed = verify_proof(entry.proof, entry.leaf, log_origin(body, core.agreement), keys)
    cosigned = _cosignature(signed, core, body, trust)
    if cosigned is None and entry.standing == "cosigned":
        other = core.destination if body.party == core.origin.party else core.origin
        raise _missing(f"the cosignature of {other.party} on the checkpoint of the entry {kind!r}")
    if cosigned is not None and entry.standing == "signed":
        message = f"the entry {kind!r} is said not to be cosigned, and is"
        raise Malformed(message)
    return _counting(LoggedFact(body=body, leaf=leaf, place=place, checkpoint=signed), cosigned, trust)


def _counting(fact: LoggedFact, cosigned: tuple[Body, Cosignature] | None, trust: Trust) -> LoggedFact:
    """The same, as far as the keys of both registers stand: what does not proves nothing, and takes nothing from the rest."""
    signed = fact.checkpoint
    if signed is None:
        raise AssertionError
    found = fact
    if cosigned is not None:
        other, cosignature = cosigned
        try:
            _require_standing(trust, other, cosignature.key, dated=cosignature.at, evidence=no_evidence, act="cosigning a checkpoint")
        except Refused as error:
            found = replace(fact, weakness=error.message)
        else:
            found = replace(fact, cosigner=other, cosigned_at=cosignature.at)
    vouched = found.vouched_at
    try:
        _require_standing(trust, fact.body, signed.key, dated=signed.at, evidence=lambda: vouched, act="signing a checkpoint")
    except Refused as error:
        return LoggedFact(body=fact.body, leaf=fact.leaf, weakness=error.message)
    return found


def _cosignature(signed: SignedCheckpoint, core: Core, body: Body, trust: Trust) -> tuple[Body, Cosignature] | None:
    """The cosignature of a body of the other party, and its body."""
    party = core.destination.party if body.party == core.origin.party else core.origin.party
    for name in dict.fromkeys(line.name for line in read_note(signed.raw).lines if line.name.startswith(f"{labels.OFFICE}{party}/")):
        other = parse_office_name(name)
        keys = _log_keys(trust, other)
        found = read_cosignature(signed, other, keys) if keys else None
        if found is not None:
            return other, found
    return None


class _Logs:
    """What a reader of a bundle knows of when a statement was there: by when both parties' registers had vouched for it."""

    def __init__(self, logged: Sequence[LoggedFact], parts: _Parts, further: Sequence[bytes]) -> None:
        self._times: list[tuple[bytes, int]] = []
        known = {digest(labels.DIGEST_STATEMENT, raw): raw for raw in (*parts.by_kind.values(), *further)}
        for fact in logged:
            at, named = fact.vouched_at, fact.leaf.statement
            if at is not None and named in known:
                self._times.append((known[named], at))

    def first_seen(self, dispatch_digest: bytes, statement: bytes) -> int | None:  # noqa: ARG002 - all are about one envelope
        """The earliest time by which both parties had something that contains these bytes in a log."""
        return min((at for whole, at in self._times if statement in whole), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """What holds by the time when further statements are read."""

    parts: _Parts
    cores: Mapping[bytes, bytes]
    trust: Trust
    agreements: Agreements
    signed: SignedDispatch
    seen: _Logs


class _Reading(TypedDict):
    trust: Trust
    agreements: Agreements
    at: int
    seen: Seen


# -- statements --------------------------------------------------------------------------------------------------------


def verify_bundle(file: BundleFile, fingerprints: Sequence[bytes], rosters: Sequence[bytes] = ()) -> VerifiedBundle:
    """Verify all of a bundle but the carriers that it shows (Reading 4 to 13).

    Args:
        file: from `read_bundle_file`.
        fingerprints: of both parties' roots, as a person compared them.
        rosters: of one or both parties, as they themselves gave them to the reader.

    Raises:
        Usage: a roster is given of another party.
        Malformed, NotAuthentic, Refused, Incomplete: as the steps say; the message names what is wrong or missing.
    """
    bundle = file.bundle
    parts = _peek(bundle)  # step 4
    trust, compared = _trust(bundle, parts.core, fingerprints, rosters)  # step 5
    agreements = _agreements(bundle, parts, trust)  # step 6
    logged = _logged(bundle, parts, trust)  # steps 7 to 9
    seen = _Logs(logged, parts, bundle.further)
    receipt: VerifiedReceipt | None = None
    answer: VerifiedAnswer | None = None
    with _of(f"the {bundle.kind}"):  # step 10
        if bundle.kind == RECEIPT:
            receipt = verify_receipt(read_receipt(bundle.statement, trust=trust, agreements=agreements, seen=seen))
            answer, verdict = receipt.authentic.answer, receipt.verdict
        elif bundle.kind == ANSWER:
            answer, verdict = read_answer(bundle.statement, trust, seen), Verdict.ACKNOWLEDGED
            verify_answer(answer, trust, agreements)
        else:
            verdict = Verdict.OUTSTANDING
        _require_notes(logged, parts, answer, verdict)
        signed = _dispatch(bundle, trust, agreements, seen) if answer is None else answer.signed
    cores = {digest(labels.DIGEST_CORE, raw): raw for raw in bundle.cores}
    judged = _Judged(cores={**cores, signed.core.digest: signed.core.raw}, parts=parts, trust=trust, agreements=agreements, signed=signed, seen=seen)
    further = tuple(_further(raw, judged, logged) for raw in bundle.further)  # step 11
    if cores.keys() - {one.core for one in further}:
        message = "the evidence bundle has a core of no dispatch in it"
        raise Malformed(message)
    manifest = _manifest(bundle, signed, answer)  # step 12
    _require_comparable(bundle, answer, manifest)  # step 13
    not_compared = set() if receipt is None else set(receipt.not_compared)
    if manifest is not None:
        not_compared -= {"openings", "proof", "marks"}
    told = {one.statement.digest for one in further if isinstance(one.statement, VerifiedNotice)}
    if answer is not None and isinstance(answer.answer, Acknowledgement) and answer.answer.notice in told:
        not_compared -= {"notice"}
    return VerifiedBundle(
        file=file,
        trust=trust,
        agreements=agreements,
        verdict=_verdict(verdict, logged, [one.type for one in further if not one.weakness]),
        not_compared=tuple(what for what in (receipt.not_compared if receipt else ()) if what in not_compared),
        signed=signed,
        answer=answer,
        receipt=None if receipt is None else receipt.authentic,
        logged=logged,
        further=further,
        manifest=manifest,
        pinned=tuple(fingerprints),
        compared=compared,
    )


def _require_notes(logged: Sequence[LoggedFact], parts: _Parts, answer: VerifiedAnswer | None, verdict: Verdict) -> None:
    """What an entry remarks on its statement is what the statement says (step 8, as far as the statements have to be read for it)."""
    core = parts.core
    given = Verdict.ACKNOWLEDGED if answer is not None and isinstance(answer.answer, Acknowledgement) else Verdict.REFUSED
    judged = Verdict.DELIVERED if verdict is Verdict.ATTESTED else verdict  # the origin compared it with its own record
    if any(fact.leaf.facts.kind == "withdrawn" for fact in logged):
        judged = Verdict.WITHDRAWN
    for fact in logged:
        kind, note = fact.leaf.facts.kind, fact.leaf.facts.note
        receipt = judged.value if fact.body == core.origin else "countersigned"
        wanted = {"sealed": str(core.stamp.due_at), "answered": given.value, "receipt": receipt}.get(kind, note)
        if note != wanted:
            message = f"the entry {kind!r} in the log of {fact.body} says {note!r}, and what it is about says {wanted!r}"
            raise NotAuthentic(message)


def _dispatch(bundle: Bundle, trust: Trust, agreements: Agreements, seen: _Logs) -> SignedDispatch:
    if bundle.core is None:  # `_peek` asked for it
        raise AssertionError
    signed = authenticate_dispatch(bundle.statement, bundle.core, trust, seen)
    require_agreement(signed, trust=trust, agreements=agreements, accepted_at=signed.body.sealed_at)
    return signed


def _verdict(verdict: Verdict, logged: Sequence[LoggedFact], further: Sequence[str]) -> Verdict:
    """What else the logs and other statements say of the envelope."""
    if any(type_ in _CONTRADICTING for type_ in further):
        return Verdict.CONFLICT
    if verdict is Verdict.OUTSTANDING:
        # An entry that no signed head covers has nobody's signature: it is the word of whoever made the bundle.
        if "withdrawn" in {fact.leaf.facts.kind for fact in logged if fact.checkpoint is not None}:
            return Verdict.WITHDRAWN
        if labels.OVERDUE in further:
            return Verdict.OVERDUE
    return verdict


def _further(raw: bytes, verified: _Judged, logged: Sequence[LoggedFact]) -> Further:
    """Step 11: another statement about this envelope, in a log."""
    with _of("a further statement"):
        statement = read_statement(raw, *_CONTRADICTING, labels.TRANSPORT_NOTICE, labels.HANDOVER, labels.OVERDUE)
    name = statement.type.rpartition("/")[2]
    with _of(f"another {name}" if statement.type in _CONTRADICTING else f"the {name}"):
        if statement.digest not in {fact.leaf.statement for fact in logged}:
            message = "no entry of a log is about it"
            raise Malformed(message)
        if statement.type in _CONTRADICTING:
            return _contradicting(statement, verified)
        return _about_the_way(statement, verified)


def _about_the_way(statement: Statement, verified: _Judged) -> Further:
    """A notice, hand-over or overdue record, as transport.md has it; no clock of the reader's decides.

    One that does not stand is told and counts for nothing: whoever revokes a key of his own would undo the other side's bundles else.
    """
    reading: _Reading = {"trust": verified.trust, "agreements": verified.agreements, "at": MAX_TIME, "seen": verified.seen}
    found: VerifiedNotice | VerifiedHandover | VerifiedOverdue
    try:
        if statement.type == labels.HANDOVER:
            return Further(type=statement.type, statement=read_handover(statement.raw, signed=verified.signed, **reading))
        found = read_notice(statement.raw, **reading) if statement.type == labels.TRANSPORT_NOTICE else read_overdue(statement.raw, **reading)
    except Refused as error:
        return Further(type=statement.type, weakness=error.message)
    if found.signed.digest != verified.signed.digest:
        message = "it is about another envelope"
        raise NotAuthentic(message)
    return Further(type=statement.type, statement=found)


def _contradicting(statement: Statement, verified: _Judged) -> Further:
    """Another dispatch, answer or receipt than the one in the bundle, and what it says; one that does not stand counts for nothing."""
    parts = verified.parts
    if statement.raw in parts.by_kind.values():
        message = "it is the one in the bundle"
        raise Malformed(message)
    if statement.type == labels.DISPATCH:
        return _other_dispatch(statement, verified)
    try:
        return Further(type=statement.type, contradiction=_other_answer(statement, verified))
    except Refused as error:
        return Further(type=statement.type, weakness=error.message)


def _other_dispatch(statement: Statement, verified: _Judged) -> Further:
    """Another dispatch of the envelope, as its core shows."""
    sealer = verified.trust.signer(statement)
    core = read_dispatch_body(statement.body).core_digest
    said = f"{sealer.title} of {sealer.body} signed another dispatch"
    raw = verified.cores.get(core)
    if raw is None:
        why = "that it is of the same envelope only its core shows, which is not here"
        return Further(type=statement.type, contradiction=said, weakness=why, core=core)
    try:
        other = authenticate_dispatch(statement.raw, raw, verified.trust, verified.seen)
    except Refused as error:
        return Further(type=statement.type, contradiction=said, weakness=error.message, core=core)
    if (other.core.origin, other.core.envelope_id) != (verified.signed.core.origin, verified.signed.core.envelope_id):
        message = "it is about another envelope"
        raise NotAuthentic(message)
    return Further(type=statement.type, contradiction=f"{said} of the same envelope, at {utc(other.body.sealed_at)} by the signer's word", core=core)


def _other_answer(statement: Statement, verified: _Judged) -> str:
    """What another answer or receipt says, which competes with one of those above."""
    parts, trust = verified.parts, verified.trust
    if statement.type == labels.RECEIPT:
        authentic = read_receipt(statement.raw, trust=trust, agreements=verified.agreements, seen=verified.seen)
        given, who, at = authentic.answer, authentic.countersigner, authentic.receipt.countersigned_at
        kind, answer = RECEIPT, authentic.receipt.answer
        said = f"{who.title} of {who.body} countersigned another receipt at {utc(at)}"
    else:
        given = read_answer(statement.raw, trust, verified.seen)
        verify_answer(given, trust, verified.agreements)
        kind, answer = ANSWER, statement.raw
        said = f"{given.signer.title} of {given.signer.body} gave another answer at {utc(given.answer.answered_at)}"
    if given.signed.digest != parts.dispatch_digest:
        message = "it is about another envelope"
        raise NotAuthentic(message)
    if kind not in parts.by_kind and parts.by_kind.get(ANSWER) in {None, answer}:
        message = f"it contradicts nothing: the bundle is about the furthest statement that it has, which is this {kind}"
        raise Malformed(message)
    return said


def _manifest(bundle: Bundle, signed: SignedDispatch, answer: VerifiedAnswer | None) -> Manifest | None:
    """Step 12: the manifest that the dispatch signs, and that the answer was made with."""
    if bundle.manifest is None:
        return None
    with _of("the manifest"):
        if digest(labels.DIGEST_MANIFEST, bundle.manifest) != signed.body.manifest_digest:
            message = "it is not the one that the dispatch signs"
            raise NotAuthentic(message)
        manifest = unpack_manifest(bundle.manifest)
        require_core(manifest, signed.core.digest)
        if answer is not None and answer.answer.claim is not None:
            _require_answered(manifest, signed, answer)
    return manifest


def _require_answered(manifest: Manifest, signed: SignedDispatch, answer: VerifiedAnswer) -> None:
    """The openings, proof and marks of an answer are those of this manifest: what the origin compares with its own record."""
    claim = answer.answer.claim
    if claim is None:
        return
    wanted = tuple(entry.commitment for entry in manifest.carriers)
    if tuple(None if opening is None else commitment(opening) for opening in claim.openings) != wanted:
        message = "the answer states another openings than it lists"
        raise NotAuthentic(message)
    if claim.proof != opening_proof(manifest.salt, signed.digest, signed.body.manifest_digest, claim.openings):
        message = "the answer states another proof than follows from it"
        raise NotAuthentic(message)
    if isinstance(answer.answer, Acknowledgement):
        codes = tuple(entry.marks.destination.code for entry in manifest.carriers)
        if answer.answer.marks != (marks_digest(manifest.salt, codes) if isinstance(answer.answer.marks, bytes) else codes):
            message = "the answer states other marks put on than it lists"
            raise NotAuthentic(message)


def _openings(answer: VerifiedAnswer | None) -> Sequence[bytes | None] | None:
    return None if answer is None or answer.answer.claim is None else answer.answer.claim.openings


def _require_comparable(bundle: Bundle, answer: VerifiedAnswer | None, manifest: Manifest | None) -> None:
    """Step 13: every carrier shown is a file carrier of this envelope, and something signed says which bytes it has."""
    openings = _openings(answer)
    for carrier in bundle.carriers:
        with _of(f"the carrier {carrier.index}"):
            if openings is None and manifest is None:
                raise _missing("the manifest, or an answer to an opened envelope,")
            count = len(manifest.carriers) if manifest is not None else len(openings or ())
            physical = carrier.index < count and (
                manifest.carriers[carrier.index].physical if manifest is not None else (openings or ())[carrier.index] is None
            )
            if carrier.index >= count or physical:
                message = "the envelope has no such file carrier"
                raise NotAuthentic(message)
            if manifest is not None:
                entry = manifest.carriers[carrier.index]
                if (carrier.size, carrier.commitment_key) != (entry.size, carrier_key(manifest.salt, carrier.index)):
                    message = "its length or key is not that of the manifest"
                    raise NotAuthentic(message)


# -- carriers ----------------------------------------------------------------------------------------------------------


def release_carriers(verified: VerifiedBundle, into: Path | None, progress: Callable[[int], None] = lambda _: None) -> tuple[ShownCarrier, ...]:
    """Decrypt every carrier that is shown, in one pass, and compare it with what was signed (Reading 14).

    Args:
        verified: the bundle.
        into: an empty private folder for their plaintext, which the caller names or removes; None: they are only checked.
        progress: takes the bytes done since its last call.

    Raises:
        NotAuthentic: a carrier is not the one that was acknowledged or that the manifest lists. Unavailable: the disk.
    """
    shown: list[ShownCarrier] = []
    bundle, file = verified.bundle, verified.file
    if not bundle.carriers:
        return ()
    if into is not None:
        require_space(into, sum(-(-carrier.size // _SECTOR) * _SECTOR for carrier in bundle.carriers), "showing carriers")
    file.source.seek(file.streams_at)
    with PayloadReader(file.source, progress) as reader:
        for carrier in bundle.carriers:
            name = _name(verified, carrier)
            path = os.devnull if into is None else f"{into}/{name}"
            with _of(f"the carrier {carrier.index}"), storage_errors(path), _output(path, new=into is not None) as out:
                shown.append(_release(verified, carrier, name, reader, out))
    if into is not None:
        sync_content(into)
    return tuple(shown)


def _name(verified: VerifiedBundle, carrier: DisclosedCarrier) -> str:
    return f"carrier-{carrier.index}" if verified.manifest is None else verified.manifest.carriers[carrier.index].name


def _output(path: str, *, new: bool) -> BinaryIO:
    return io.FileIO(path, "x", opener=lambda name, flags: os.open(name, flags, 0o600)) if new else io.FileIO(path, "w")


def _release(verified: VerifiedBundle, carrier: DisclosedCarrier, name: str, reader: PayloadReader, out: BinaryIO) -> ShownCarrier:
    header = verified.signed.body.header_digest
    decryptor = stream_decryptor(carrier.stream_key, header_digest=header, number=carrier_stream(carrier.index))
    plain = keyed_hasher(carrier.commitment_key)
    reader.read_stream(decryptor, carrier.size, out, plain)
    found, openings, manifest = plain.digest(), _openings(verified.answer), verified.manifest
    if openings is not None and openings[carrier.index] != found:
        message = "it is not the one that was acknowledged"
        raise NotAuthentic(message)
    if manifest is not None and manifest.carriers[carrier.index].commitment != commitment(found):
        message = "it is not the one that the manifest lists"
        raise NotAuthentic(message)
    return ShownCarrier(index=carrier.index, name=name, size=carrier.size, acknowledged=openings is not None)
