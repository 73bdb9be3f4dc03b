"""What a verified evidence bundle comes to, in sentences for people: what is proved, by whom and as of when, and what is not."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from valiza.envelope.acknowledgement import Acknowledgement, Refusal
from valiza.envelope.custody import Custody, CustodyState, custody
from valiza.envelope.handover import VerifiedHandover
from valiza.envelope.notice import Notices, VerifiedNotice
from valiza.envelope.overdue import VerifiedOverdue
from valiza.envelope.receipt import Verdict
from valiza.keys import labels
from valiza.keys.digests import digest
from valiza.keys.fields import utc

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from valiza.envelope.acknowledgement import VerifiedAnswer
    from valiza.keys.credential import Credential
    from valiza.keys.fields import Body
    from valiza.register.evidence import Further, LoggedFact, ShownCarrier, VerifiedBundle

__all__ = ["Findings", "findings"]

_SHORT: Final = 16  # digits by which a digest is told
_NOT_COMPARED: Final = {
    "openings": "that the openings in the answer are those of the carriers that were sealed: the manifest is not shown",
    "proof": "that the answer was made with the salt of the manifest, which only opening shows: the manifest is not shown",
    "marks": "that the marks put on are those that the manifest asks for: the manifest is not shown",
    "addressee": "that whoever opened it was an addressee of the envelope's header, which is not in the bundle",
    "payload": "that the ciphertext of the envelope is the one whose digest the dispatch signs: the envelope is not in the bundle",
    "notice": "that the transport notice which the answer names was made: it is not in the bundle",
    "evidence": "that the dispatch was there before the sealer's key was compromised, by anything but the answering party's word",
}
_ENTERED: Final = {
    "sealed": "the sealing",
    "arrived": "the arrival",
    "opened": "the opening",
    "answered": "the answer",
    "receipt": "the receipt",
    "withdrawn": "that it was never sent",
    "conflict": "something that contradicts it",
    "notice": "a transport notice",
    "handover": "a hand-over",
    "overdue": "that the receipt was overdue",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What comes of a bundle. `custody` is None where no hand-over is shown, or the notices do not go together."""

    verdict: Verdict
    custody: Custody | None
    proved: tuple[str, ...]
    not_proved: tuple[str, ...]


def findings(verified: VerifiedBundle, shown: Sequence[ShownCarrier]) -> Findings:
    """Say what a bundle proves and what not; `shown` are the carriers that were read and compared."""
    return Findings(
        verdict=verified.verdict,
        custody=_custody_of(verified),
        proved=tuple(_proved(verified, shown)),
        not_proved=tuple(_not_proved(verified, shown)),
    )


def _person(who: Credential) -> str:
    return f"{who.title} of {who.body}"


def _said(further: Further) -> str:
    """What another statement about the envelope proves."""
    found = further.statement
    if isinstance(found, VerifiedNotice):
        notice = found.said
        told = (
            f"{_person(found.signer)} told {notice.told} of transport {notice.number} of the envelope at {utc(notice.told_at)} by the signer's word"
        )
        return f"{told}: leaving {utc(notice.leaves_at)}, expected {utc(notice.expected_at)}"
    if isinstance(found, VerifiedHandover):
        taken = found.said
        place, seal = f" in {taken.place}" if taken.place else "", "intact" if taken.intact else "broken"
        took = f"{_person(found.taker)} took the envelope from {taken.giver.name} of {taken.giver.body}{place} at {utc(taken.taken_at)}"
        return f"{took} by the signer's word: seal {seal}, {taken.condition}"
    if isinstance(found, VerifiedOverdue):
        due, at = utc(found.said.due_at), utc(found.said.noticed_at)
        return f"{_person(found.signer)} stated that {found.signed.core.origin} had no receipt at {at}, which was due at {due}"
    return further.contradiction


def _notices(verified: VerifiedBundle) -> Notices:
    return Notices(one.statement for one in verified.further if isinstance(one.statement, VerifiedNotice))


def _custody_of(verified: VerifiedBundle) -> Custody | None:
    """Who had the envelope, by the hand-overs that are shown. No clock of the reader's decides."""
    handovers = [one.statement for one in verified.further if isinstance(one.statement, VerifiedHandover)]
    legs = None if verified.manifest is None or verified.manifest.route is None else verified.manifest.route.legs
    return custody(verified.signed, handovers, legs, _notices(verified)) if handovers else None


def _custody(verified: VerifiedBundle) -> Iterator[str]:
    """What is wrong with the hand-overs that are shown, or not known."""
    notices = _notices(verified)
    if notices.conflict is not None:
        yield f"that the transport notices go together: {notices.conflict.message}"
    found = _custody_of(verified)
    if found is None:
        return
    yield from (f"that the envelope was in good hands all the way: {finding.text}" for finding in found.findings)
    if found.state is CustodyState.UNDER_WAY:
        expected = "" if found.expected_at is None else f", and it was expected at {utc(found.expected_at)}"
        yield f"that the envelope came to the end of its way: the hand-overs shown end before{expected}"


def _carriers(count: int) -> str:
    return "1 carrier" if count == 1 else f"{count} carriers"


def _proved(verified: VerifiedBundle, shown: Sequence[ShownCarrier]) -> Iterator[str]:
    signed = verified.signed
    core, trust = signed.core, verified.trust
    for name in sorted(verified.parties):
        roster = trust.rosters[name]
        whose = ", which it gave itself" if name in verified.compared else ""
        keys = f"version {roster.version} of its roster, of {utc(roster.issued_at)}{whose}"
        yield f"whose keys are whose in {name}: by {keys}, under the root that was given"
    known = {agreement.digest: agreement for agreement in verified.agreements.all()}
    under = f"under {known[core.agreement]}, signed by both parties" if core.agreement in known else "under an agreement that is not shown"
    what, when = f"the envelope {core.envelope_id.hex()[:_SHORT]}… to {core.destination}", utc(signed.body.sealed_at)
    yield f"{_person(signed.sealer)} sealed {what} {under}, at {when} by the signer's word (dispatch {signed.digest.hex()[:_SHORT]}…)"
    if verified.answer is not None:
        yield from _answered(verified.answer)
    if verified.receipt is not None:
        receipt = verified.receipt.receipt
        checked = f", having checked: {', '.join(receipt.checked)}" if receipt.checked else ""
        when = utc(receipt.countersigned_at)
        yield f"{_person(verified.receipt.countersigner)} countersigned that answer for {receipt.confirming} at {when} by the signer's word{checked}"
    for fact in verified.logged:
        if fact.checkpoint is not None:
            yield _entered(fact)
    yield from (_said(one) for one in verified.further if not one.weakness)
    taken = _custody_of(verified)
    if taken is not None and taken.holder is not None:
        last = taken.chain[-1]
        when = f"at {utc(last.said.taken_at)} by the signer's word"
        yield f"of those who signed for it, each after the one before, {_person(last.taker)} was the last, {when}"
    if verified.manifest is not None:
        count = _carriers(len(verified.manifest.carriers))
        yield f"the manifest shown is the one that {_person(signed.sealer)} signed: {count}" + (
            "; the answer was made with it: openings, proof and marks put on follow from it" if _claimed(verified) else ""
        )
    for carrier in shown:
        by = " and ".join((["acknowledged"] if carrier.acknowledged else []) + (["committed to"] if verified.manifest is not None else []))
        yield f"the carrier {carrier.index} ({carrier.name!r}, {carrier.size} bytes) is shown, byte for byte as it was {by}"


def _claimed(verified: VerifiedBundle) -> bool:
    return verified.answer is not None and verified.answer.answer.claim is not None


def _answered(answer: VerifiedAnswer) -> Iterator[str]:
    given, who, when = answer.answer, _person(answer.signer), utc(answer.answer.answered_at)
    if given.claim is not None and answer.opener is not None:
        opened = utc(given.claim.opened_at)
        passed = "" if answer.rewrap is None else f"; {_person(answer.rewrap.addressee)} had passed it on"
        yield f"somebody with the key of {_person(answer.opener)} decrypted every file carrier whole, at {opened} by the signer's word{passed}"
    if isinstance(given, Refusal):
        comment = f" ({given.comment!r})" if given.comment else ""
        yield f"{who} refused the envelope ({given.stage}) at {when} by the signer's word, for the reason {given.reason!r}{comment}"
    if isinstance(given, Acknowledgement):
        wrong = [f"carrier {index} {word}" for index, word in enumerate(given.conditions) if word != "present"]
        found = f"{_carriers(len(given.conditions))}, {', '.join(wrong) or 'all present'}"
        yield f"{who} acknowledged the envelope at {when} by the signer's word: {found}"


def _entered(fact: LoggedFact) -> str:
    facts, checkpoint = fact.leaf.facts, fact.checkpoint
    if checkpoint is None or fact.place is None:
        raise AssertionError
    size = checkpoint.checkpoint.size
    said = (
        f"{fact.body} entered {_ENTERED[facts.kind]} in its log, at {utc(facts.at)} by its own word, as entry {fact.place + 1} of the {size} that it"
        f" signed at {utc(checkpoint.at)}"
    )
    if fact.cosigner is None or fact.cosigned_at is None:
        return said
    return f"{said}; {fact.cosigner} cosigned that at {utc(fact.cosigned_at)}, so neither can take it back"


def _not_proved(verified: VerifiedBundle, shown: Sequence[ShownCarrier]) -> Iterator[str]:
    core = verified.signed.core
    if verified.answer is None:
        yield f"that anybody received the envelope: no answer of {core.destination} is in the bundle"
    elif verified.receipt is None:
        yield f"that {core.confirming} confirms the answer: it is not countersigned, and no receipt"
    yield from _unvouched(verified.logged)
    yield from _dated(verified)
    logs = {fact.body for fact in verified.logged}
    for body in sorted({core.origin, core.destination, core.confirming} - logs):
        yield f"what stands in the log of {body}: nothing of it is in the bundle"
    yield "that the logs have no other entry about this envelope, and that nobody signed another receipt"
    for one in verified.further:
        if one.weakness:
            said = one.contradiction or f"what another statement ({one.type.rpartition('/')[2]}) that a log names says"
            yield f"{said}: it counts for nothing, {one.weakness}"
    yield from _custody(verified)
    yield from (_NOT_COMPARED[what] for what in verified.not_compared)
    yield from _hidden(verified, shown)
    yield from _payload(verified, shown)
    yield from _rosters(verified)
    which = f"the agreement {core.agreement.hex()[:_SHORT]}…"
    yield f"that {which} was not ended or replaced by a termination, later version or designation that is not shown: ask both parties"
    yield "when each of them signed: times are the signers' own words; order follows from what contains what, and from cosignatures"


def _rosters(verified: VerifiedBundle) -> Iterator[str]:
    """What whoever made the bundle chose: who has stolen a key for rosters, or an old root, leaves out what is against him."""
    for name in sorted(verified.parties):
        roster = verified.trust.rosters[name]
        at = utc(roster.issued_at)
        which = f"version {roster.version} of {at}, digest {digest(labels.DIGEST_STATEMENT, roster.raw).hex()}"
        if name not in verified.compared:
            yield f"that the roster of {name} is the latest and complete: ask {name} whether it is {which}"
        used = max((when for who, when in _used(verified) if who.body.party == name), default=0)
        if used >= roster.expires_at:
            when = f"at {utc(used)}, when one of them signed last: its roster had expired at {utc(roster.expires_at)}"
            yield f"that the keys of {name} still counted {when}; ask {name} for the one in force then"
        yield f"whether a credential of {name} was revoked after its roster of {at}"
        if roster.root.digest not in verified.pinned and name not in verified.compared:
            last = f"that is version {len(roster.roots)}, whose fingerprint was not given, and who held an earlier one can make it"
            yield f"that the last root in the roster of {name} is its root: {last}; ask {name} for its present one"


def _used(verified: VerifiedBundle) -> Iterator[tuple[Credential, int]]:
    """Who signed what is in the bundle and stands, and when by his own word."""
    yield verified.signed.sealer, verified.signed.body.sealed_at
    if verified.answer is not None:
        yield verified.answer.signer, verified.answer.answer.answered_at
    if verified.receipt is not None:
        yield verified.receipt.countersigner, verified.receipt.receipt.countersigned_at
    for one in verified.further:
        found = one.statement
        if isinstance(found, VerifiedNotice):
            yield found.signer, found.said.told_at
        elif isinstance(found, VerifiedHandover):
            yield found.taker, found.said.taken_at
        elif isinstance(found, VerifiedOverdue):
            yield found.signer, found.said.noticed_at


def _dated(verified: VerifiedBundle) -> Iterator[str]:
    """Entries whose times are false by the word of their own body: it had signed a tree with them before, or what comes after them is from before."""
    placed = sorted((fact for fact in verified.logged if fact.checkpoint is not None), key=lambda fact: (fact.body, fact.place or 0))
    for fact in placed:
        at, signed_at = fact.leaf.facts.at, 0 if fact.checkpoint is None else fact.checkpoint.at
        if at > signed_at + verified.skew:
            why = f"{fact.body} signed its log with that entry at {utc(signed_at)}, before that"
            yield f"that {fact.body} entered {_ENTERED[fact.leaf.facts.kind]} at {utc(at)}: {why}"
    for one, other in pairwise(placed):
        first, then = one.leaf.facts, other.leaf.facts
        if one.body == other.body and then.at < first.at - verified.skew:
            why = f"behind it in the log comes {_ENTERED[then.kind]}, of {utc(then.at)}"
            yield f"that {one.body} entered {_ENTERED[first.kind]} at {utc(first.at)}: {why}"


def _payload(verified: VerifiedBundle, shown: Sequence[ShownCarrier]) -> Iterator[str]:
    """How far the carriers shown are those of the envelope: openings are the destination's word, the manifest is the origin's."""
    if not shown:
        return
    which = f"carrier {shown[0].index}" if len(shown) == 1 else f"carriers {', '.join(str(carrier.index) for carrier in shown)}"
    core = verified.signed.core
    if verified.manifest is None and not _delivered(verified):
        why = f"without the manifest, and without an entry that {core.origin} judged the receipt as delivered"
        yield f"that {core.origin} sealed what is shown as {which}: {why}, its contents are by the destination's word alone"
    elif not _claimed(verified):
        yield f"that the payload held what is shown as {which}: it is what the origin committed to, not what the payload held, which no answer states"


def _delivered(verified: VerifiedBundle) -> bool:
    """Whether the origin's log, signed, says that it compared this receipt with its own record and found it whole."""
    origin = verified.signed.core.origin
    facts = ((fact.body, fact.leaf.facts) for fact in verified.logged if fact.checkpoint is not None)
    return any((body, said.kind, said.note) == (origin, "receipt", Verdict.DELIVERED.value) for body, said in facts)


def _unvouched(logged: Sequence[LoggedFact]) -> Iterator[str]:
    """Entries that nobody signed, and those that a body could take back, as far as the bundle shows; why, who made it says."""
    reasons: dict[tuple[Body, str], list[str]] = {}
    invented: dict[Body, list[str]] = {}
    for fact in logged:
        entered = _ENTERED[fact.leaf.facts.kind]
        if fact.checkpoint is None and not fact.weakness:
            invented.setdefault(fact.body, []).append(entered)
        elif fact.cosigner is None:
            why = fact.weakness or "when the bundle was made that was cosigned by nobody of the other party, says who made it"
            reasons.setdefault((fact.body, why), []).append(entered)
    for body, entries in sorted(invented.items()):
        what = " and ".join(dict.fromkeys(entries))
        yield f"that {body} ever entered {what}: no signed head of its log covers that, it is the word of whoever made the bundle"
    for (body, why), entries in sorted(reasons.items()):
        yield f"that {body} could not take back its entry of {' and '.join(dict.fromkeys(entries))}: {why}"


def _hidden(verified: VerifiedBundle, shown: Sequence[ShownCarrier]) -> Iterator[str]:
    """Contents that are not shown."""
    if verified.manifest is None:
        yield "what the contents are: the manifest is not shown" + (", and no carrier is" if not shown else "")
    count = None
    if verified.manifest is not None:
        count = {index for index, entry in enumerate(verified.manifest.carriers) if not entry.physical}
    elif verified.answer is not None and verified.answer.answer.claim is not None:
        count = {index for index, opening in enumerate(verified.answer.answer.claim.openings) if opening is not None}
    hidden = sorted((count or set()) - {carrier.index for carrier in shown})
    if hidden and (shown or verified.manifest is not None):
        which = f"carrier {hidden[0]} contains: it is" if len(hidden) == 1 else f"carriers {', '.join(map(str, hidden))} contain: they are"
        yield f"what the {which} not shown"
