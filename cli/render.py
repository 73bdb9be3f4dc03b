"""Results as text for people and as JSON for scripts. Facts are plain dicts; their fields are documented in docs/json.md."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from valiza.cli.terminal import print_result, safe, say, warn
from valiza.keys.fields import utc

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from valiza.envelope.acknowledgement import VerifiedAnswer
    from valiza.envelope.agreement import Agreement
    from valiza.envelope.custody import Custody
    from valiza.envelope.dispatch import SignedDispatch
    from valiza.envelope.header import Core
    from valiza.envelope.manifest import Manifest
    from valiza.envelope.profile import Profile
    from valiza.envelope.receipt import AuthenticReceipt
    from valiza.envelope.route import Marks, Route
    from valiza.keys.credential import Credential, CredentialDraft
    from valiza.keys.designation import Designation
    from valiza.keys.fields import Mark
    from valiza.keys.request import Request
    from valiza.keys.revocation import Revocation
    from valiza.keys.trust import Trust
    from valiza.office.heads import HeadNews
    from valiza.office.quorum import Unfinished
    from valiza.office.roots import ClaimedRoot
    from valiza.register.bundle import Bundle

__all__ = [
    "agreement_facts",
    "answer_facts",
    "as_of",
    "bundle_facts",
    "credential_facts",
    "designation_facts",
    "dispatch_facts",
    "emit",
    "heads_that_came",
    "in_brief",
    "manifest_facts",
    "mark_text",
    "receipt_facts",
    "request_facts",
    "revocation_facts",
    "revoked_people",
    "root_facts",
    "root_people",
    "route_facts",
    "show_office",
    "stamp_facts",
    "still_needed",
    "tell",
    "title",
    "unfinished_facts",
    "unfinished_people",
    "utc",
]

Facts = dict[str, Any]


def emit(facts: Mapping[str, Any], *, json_: bool, title: str = "", people: Mapping[str, Any] | None = None, output: object = None) -> None:
    """Print a result: as JSON, or as indented lines for people.

    Args:
        facts: everything, with documented fields.
        json_: whether a script reads it.
        title: a line above, for people.
        people: what people are shown, where all of `facts` would hide it.
        output: where the object itself went; when that is standard output, the result goes to standard error.
    """
    put = say if str(output) == "-" else print_result
    if json_:
        put(json.dumps(facts, ensure_ascii=True, indent=2))
        return
    lines = [title] if title else []
    lines += _lines(facts if people is None else people, 1 if title else 0)
    if lines:
        put("\n".join(lines))


def tell(facts: Mapping[str, Any], title: str) -> None:
    """Show facts to people before something is done with them: on standard error."""
    for line in [title, *_lines(facts, 1)]:
        say(line)


def in_brief(facts: Mapping[str, Any]) -> Facts:
    """Facts for people: persons by name, digests by their beginning, words in one language."""
    return {key: _brief(key, item) for key, item in facts.items() if key not in {"names", "subject", "credential"}}


def _brief(key: str, item: Any) -> Any:  # noqa: ANN401, PLR0911 - whatever JSON can hold, each in its way
    if isinstance(item, dict):
        if "credential" in item and "name" in item:
            return f"{item['name']}, {item['body']}"
        if key in {"measures", "title"}:
            return item.get("en", next(iter(item.values()), ""))
        if set(item) == {"origin", "destination", "origin_text", "destination_text"}:
            return f"{item['origin_text']} ({item['origin']}) = {item['destination_text']} ({item['destination']})"
        return in_brief(item)
    if isinstance(item, list):
        return [_brief(key, one) for one in item]
    if isinstance(item, str) and key in {"agreement", "dispatch", "envelope_id", "digest"} and len(item) == 64:  # noqa: PLR2004 - a digest
        return f"{item[:16]}…"
    return item


def _lines(value: Any, depth: int) -> list[str]:  # noqa: ANN401 - whatever JSON can hold
    pad = "  " * depth
    lines: list[str] = []
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        if item is None or item in ("", [], {}, ()):
            continue
        label = f"[{key}]" if isinstance(key, int) else safe(str(key).replace("_", " "))
        if isinstance(item, dict) or (isinstance(item, list | tuple) and any(isinstance(i, dict | list) for i in item)):
            lines.append(f"{pad}{label}:")
            lines += _lines(item, depth + 1)
        elif isinstance(item, list | tuple):
            lines.append(f"{pad}{label}: {', '.join(safe(i) for i in item)}")
        else:
            shown = {True: "yes", False: "no"}.get(item, item) if isinstance(item, bool) else item
            lines.append(f"{pad}{label}: {safe(shown)}")
    return lines


def mark_text(profile: Profile, mark: Mark) -> str:
    """The mark as its party's law writes it."""
    return profile.party(mark.party).mark(mark.code).text


def _marks(marks: Marks, profile: Profile | None) -> Facts:
    facts: Facts = {"origin": str(marks.origin), "destination": str(marks.destination)}
    if profile is not None:
        facts["origin_text"] = mark_text(profile, marks.origin)
        facts["destination_text"] = mark_text(profile, marks.destination)
    return facts


def route_facts(route: Route, profile: Profile | None) -> Facts:
    """Marks and way of an envelope."""
    return {
        "marks": _marks(route.marks, profile),
        "transport": route.transport,
        "escort": route.escort,
        "legs": [f"{leg.start} → {leg.end}" for leg in route.legs],
        "reference": route.reference,
    }


def stamp_facts(core: Core, profile: Profile | None) -> Facts:
    """What stands outside."""
    stamp = core.stamp
    facts: Facts = {"channel": stamp.channel, "package": stamp.package, "receipt_due": utc(stamp.due_at), "closed": stamp.route is None}
    if stamp.route is not None:
        facts.update(route_facts(stamp.route, profile))
    return facts


def core_facts(core: Core, profile: Profile | None = None) -> Facts:
    """What the header says."""
    return {
        "envelope_id": core.envelope_id.hex(),
        "agreement": core.agreement.hex(),
        "origin": str(core.origin),
        "destination": str(core.destination),
        "confirming": str(core.confirming),
        "stamp": stamp_facts(core, profile),
        "remarks": {key: plain(item) for key, item in core.extensions.items()},
    }


def agreement_facts(agreement: Agreement) -> Facts:
    """Which agreement, for people and for scripts."""
    return {"agreement": agreement.digest.hex(), "agreement_id": agreement.profile.id, "agreement_version": agreement.profile.version}


def dispatch_facts(signed: SignedDispatch, profile: Profile | None = None) -> Facts:
    """An authentic dispatch."""
    return {
        **core_facts(signed.core, profile),
        "dispatch": signed.digest.hex(),
        "sealed_at": utc(signed.body.sealed_at),
        "sealer": credential_facts(signed.sealer),
        "attachments": [kind for kind, _ in signed.body.attachments],
    }


def credential_facts(credential: Credential) -> Facts:
    """A person and what he is certified for."""
    return {
        "name": credential.title,
        "names": credential.names,
        "body": str(credential.body),
        "purpose": credential.purpose,
        "clearance": credential.clearance,
        "valid_from": utc(credential.valid_from),
        "valid_until": utc(credential.valid_until),
        "subject": credential.subject.hex(),
        "credential": credential.digest.hex(),
    }


def root_facts(claimed: ClaimedRoot) -> Facts:
    """A version of a root, as a file has it."""
    from valiza.keys.fingerprint import in_groups, in_words

    said, signed = claimed.says, {custodian.id for custodian in claimed.signed}
    fingerprint = said.digest
    return {
        "party": said.party,
        "version": said.version,
        "fingerprint": fingerprint.hex(),
        "digits": in_groups(fingerprint),
        "words": in_words(fingerprint),
        "previous": None if said.previous is None else said.previous.hex(),
        "names": said.names,
        "degrees": list(said.degrees),
        "threshold": said.threshold,
        "custodians": [
            {
                "id": custodian.id.hex(),
                "name": title(custodian.names),
                "names": custodian.names,
                "key": custodian.key.key_digest.hex(),
                "signed": custodian.id in signed,
            }
            for custodian in said.custodians
        ],
        "valid_from": utc(said.valid_from),
        "valid_until": utc(said.valid_until),
        "complete": claimed.complete,
    }


def request_facts(request: Request) -> Facts:
    """A request that its holder signed with every key in it. Who he is, it does not say."""
    from valiza.keys.fingerprint import in_groups, in_words

    return {
        "party": request.party,
        "body": None if request.body_id is None else f"{request.party}/{request.body_id}",
        "subject": None if request.subject is None else request.subject.hex(),
        "name": request.title,
        "names": request.names,
        "keys": {purpose: key.key_digest.hex() for purpose, key in request.keys.items()},
        "made_at": utc(request.made_at),
        "digest": request.digest.hex(),
        "digits": in_groups(request.digest),
        "words": in_words(request.digest),
    }


def unfinished_facts(unfinished: Unfinished) -> Facts:
    """A statement that custodians sign one after the other: what it says, and who signed it."""
    return {
        "type": unfinished.statement.type,
        "says": _said(unfinished),
        "shares": [
            {
                "party": share.root.party,
                "root": share.root.digest.hex(),
                "version": share.root.version,
                "threshold": share.root.threshold,
                "custodians": len(share.root.custodians),
                "signed": [title(custodian.names) for custodian in share.signed],
                "missing": share.missing,
            }
            for share in unfinished.shares
        ],
        "unknown": list(unfinished.unknown),
        "complete": unfinished.complete,
    }


def root_people(facts: Facts) -> Facts:
    """A root as people are shown it: its custodians a line each."""
    shown = {key: item for key, item in facts.items() if key not in {"party", "version", "fingerprint", "custodians"}}
    return {
        "party": facts["party"],
        "version": facts["version"],
        **shown,
        "custodians": {one["id"]: f"{one['name']}{', signed' if one['signed'] else ''}" for one in facts["custodians"]},
    }


def unfinished_people(unfinished: Unfinished) -> Facts:
    """The same for people."""
    facts = unfinished_facts(unfinished)
    said = facts["says"]
    shown = root_people(said) if "custodians" in said else in_brief(said)
    signed = {f"{share['party']}, version {share['version']}": f"{', '.join(share['signed']) or 'nobody'}" for share in facts["shares"]}
    return {"type": facts["type"], **shown, "signed by": signed, "complete": unfinished.complete, "still needed": still_needed(unfinished)}


def still_needed(unfinished: Unfinished) -> list[str]:
    """Whose signatures are still missing, for people."""
    parts = [f"{share.missing} of {share.root.party}, version {share.root.version}" for share in unfinished.shares if share.missing]
    return [*parts, *(f"a quorum of {party}" for party in unfinished.unknown)]


def _said(unfinished: Unfinished) -> Facts:
    from valiza.envelope.agreement import TerminationDraft, agreement_digest
    from valiza.keys.credential import CredentialDraft
    from valiza.keys.designation import Designation
    from valiza.keys.revocation import Revocation
    from valiza.keys.root import RootDraft
    from valiza.office.roots import ClaimedRoot

    said = unfinished.says
    if isinstance(said, RootDraft):
        return root_facts(ClaimedRoot(says=said, signed=unfinished.shares[0].signed, complete=unfinished.complete))
    if isinstance(said, CredentialDraft):
        return draft_facts(said)
    if isinstance(said, Revocation):
        return revocation_facts(said)
    if isinstance(said, Designation):
        return designation_facts(said)
    if isinstance(said, TerminationDraft):
        return {
            "agreement": said.agreement.hex(),
            "by": said.party,
            "given_at": utc(said.given_at),
            "takes_effect_at": utc(said.takes_effect_at),
        }
    return {
        "agreement": agreement_digest(said.body).hex(),
        "agreement_id": said.id,
        "agreement_version": said.version,
        "title": said.title,
        "parties": [party.id for party in said.parties],
        "valid_from": utc(said.valid_from),
        "valid_until": None if said.valid_until is None else utc(said.valid_until),
    }


def draft_facts(draft: CredentialDraft) -> Facts:
    """What a credential says that is not issued yet."""
    return {
        "name": title(draft.names),
        "names": draft.names,
        "body": str(draft.body),
        "purpose": draft.purpose,
        "clearance": draft.clearance,
        "certifies_bodies": draft.certifies_bodies,
        "valid_from": utc(draft.valid_from),
        "valid_until": utc(draft.valid_until),
        "subject": draft.subject.hex(),
    }


def show_office(home: str, shown: Any, *, json_: bool) -> None:  # noqa: ANN401 - an Office; its import is heavy
    """Show an office, for the command that made it too."""
    from valiza.keys.credential import PURPOSES

    pinned = shown.pinned()
    own = shown.trust.rosters.get(shown.body.party)
    if own is None and shown.body.party not in pinned:  # an office that has neither lost them
        own = shown.own_roster
    roster = None if own is None else {"version": own.version, "issued_at": utc(own.issued_at), "expires_at": utc(own.expires_at)}
    facts = {
        "home": home,
        "body": str(shown.body),
        "names": shown.names,
        "root": pinned[shown.body.party].hex() if own is None else own.root.fingerprint,
        "roster": roster,
        "roots": {name: fingerprint.hex() for name, fingerprint in pinned.items()},
        "officers": {name: [p for p in PURPOSES if shown.has_credential(name, p)] for name in shown.officers()},
        "agreements": [str(agreement) for agreement in shown.agreements.all()],
    }
    people = {**facts, "officers": {name: purposes or "no keys" for name, purposes in facts["officers"].items()}}
    emit(facts, json_=json_, title=f"office of {shown.body}", people=people)


def title(names: Mapping[str, str]) -> str:
    """A name for display: English, else the first."""
    return names.get("en", next(iter(names.values())))


def revocation_facts(one: Revocation) -> Facts:
    """What a revocation says. Of what is not read from a roster nothing is verified by this."""
    return {
        "party": one.party,
        "series": one.series,
        "number": one.number,
        "kind": one.kind,
        "effective_at": utc(one.effective_at),
        "issued_at": utc(one.issued_at),
        "reason": one.reason,
        "revocation": one.digest.hex(),
        "credential": one.credential.hex(),
    }


def designation_facts(one: Designation) -> Facts:
    """What a designation says. Of what is not read from a roster nothing is verified by this."""
    return {
        "party": one.party,
        "number": one.number,
        "role": one.role,
        "body": f"{one.party}/{one.body_id}",
        "name": one.title,
        "names": dict(one.names),
        "replaces": None if one.replaces is None else f"{one.party}/{one.replaces}",
        "effective_from": utc(one.effective_from),
        "effective_until": None if one.effective_until is None else utc(one.effective_until),
        "issued_at": utc(one.issued_at),
        "designation": one.digest.hex(),
    }


def revoked_people(revoked: Iterable[tuple[Revocation, Credential]]) -> dict[str, str]:
    """Revocations for people, by credential."""
    told: dict[str, list[str]] = {}
    for one, target in revoked:
        told.setdefault(f"{target.title}, {target.body}, {target.purpose}", []).append(str(one))
    return {of: "; then ".join(said) for of, said in told.items()}


def manifest_facts(manifest: Manifest, profile: Profile | None) -> Facts:
    """What was inside. The salt is not shown: who has it can test guesses."""
    return {
        "purpose": manifest.purpose,
        "term": manifest.term,
        "caveats": list(manifest.caveats),
        "basis": [{"kind": b.kind, "reference": b.reference, "issued_by": b.issued_by, "date": b.date} for b in manifest.basis],
        "references": [{"relation": r.relation, "dispatch": r.dispatch_digest.hex()} for r in manifest.references],
        "carriers": [
            {
                "index": index,
                "name": entry.name,
                "physical": entry.physical,
                "media_type": entry.media_type,
                "size": entry.size,
                "marks": _marks(entry.marks, profile),
                "registration": entry.registration,
                "copy": entry.copy,
                "sheets": entry.sheets,
                "classified_by": entry.classified_by,
                "ground": entry.ground,
            }
            for index, entry in enumerate(manifest.carriers)
        ],
    }


def answer_facts(answer: VerifiedAnswer) -> Facts:
    """An authentic acknowledgement or refusal."""
    given, claim = answer.answer, answer.answer.claim
    facts: Facts = {
        "type": answer.statement.type,
        "envelope_id": answer.signed.core.envelope_id.hex(),
        "dispatch": answer.signed.digest.hex(),
        "answered_by": credential_facts(answer.signer),
        "answered_at": utc(given.answered_at),
        "incoming_number": given.number,
    }
    if claim is not None:
        facts["opened_at"] = utc(claim.opened_at)
        facts["passed_on"] = claim.rewrap is not None
    for name in ("stage", "reason", "comment", "conditions"):
        if hasattr(given, name):
            value = getattr(given, name)
            facts[name] = list(value) if isinstance(value, tuple) else value
    marks = getattr(given, "marks", None)
    if marks is not None:
        facts["marks_put_on"] = marks.hex() if isinstance(marks, bytes) else list(marks)
    return facts


def receipt_facts(authentic: AuthenticReceipt) -> Facts:
    """An authentic receipt."""
    receipt = authentic.receipt
    return {
        "confirming": str(receipt.confirming),
        "countersigned_by": credential_facts(authentic.countersigner),
        "countersigned_at": utc(receipt.countersigned_at),
        "checked": list(receipt.checked),
        "attachments": [kind for kind, _ in receipt.attachments],
        "answer": answer_facts(authentic.answer),
    }


def problem_facts(judged: Custody) -> list[Facts]:
    """What is wrong with who had an envelope."""
    return [
        {"problem": one.problem.value, "leg": one.leg, "handover": None if one.handover is None else one.handover.hex(), "message": one.text}
        for one in judged.findings
    ]


def custody_facts(judged: Custody) -> Facts:
    """Who had an envelope last, and whether that is in order."""
    return {
        "state": judged.state.value,
        "expected_at": None if judged.expected_at is None else utc(judged.expected_at),
        "holder": None if judged.holder is None else credential_facts(judged.holder),
        "problems": problem_facts(judged),
    }


def heads_that_came(news: Sequence[HeadNews]) -> list[Facts]:
    """What came of the heads of logs that travelled with an envelope or receipt; of what has to be looked after people are told at once."""
    for one in news:
        if one.wrong:
            warn(f"the registers do not agree: {one.message}")
    return [{"kind": one.kind, "message": one.message} for one in news]


def as_of(trust: Trust, parties: Sequence[str], at: int) -> Facts:
    """As of when the rosters are that a verification rests on, and whether they have expired."""
    found = {name: trust.rosters[name] for name in parties if name in trust.rosters}
    return {name: {"issued_at": utc(r.issued_at), "version": r.version, "expired": at >= r.expires_at} for name, r in found.items()}


def bundle_facts(bundle: Bundle) -> Facts:
    """What a bundle says that it holds."""
    from valiza.keys.roster import peek_roster
    from valiza.register.bundle import read_leaf
    from valiza.register.evidence import peek_core

    return {
        "type": "evidence",
        "kind": bundle.kind,
        "made_at": utc(bundle.made_at),
        **core_facts(peek_core(bundle)),
        "rosters": [peek_roster(raw)[0] for raw in bundle.rosters],
        "agreements": len(bundle.agreements),
        "further_statements": len(bundle.further),
        "further_cores": len(bundle.cores),
        "log": [
            {"body": str(part.body), "kind": leaf.facts.kind, "entered_at": utc(leaf.facts.at), "standing": entry.standing}
            for part in bundle.logs
            for entry, leaf in ((entry, read_leaf(entry.leaf)) for entry in part.entries)
        ],
        "manifest": bundle.manifest is not None,
        "carriers": [{"index": carrier.index, "size": carrier.size} for carrier in bundle.carriers],
    }


def plain(value: Any) -> Any:  # noqa: ANN401 - whatever MessagePack can hold
    """A decoded value as JSON can hold it: bytes in hexadecimal."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value
