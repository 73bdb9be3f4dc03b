"""Vectors of revocations: in rosters of the small party TS, the time rule alone, and what stands of a letter and its receipt (revocation.md)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import objects as o
import spoil
import wire
import world as w
from cases import LETTER, PASSED_ON, PINNED, WORLD, Case, Cases, Changes, Topic
from cases_roster import AFTER, BODY, GOOD, RENEWED, body, officer, roster_key, second, sharing
from wire import Item

T = w.when("2026-02-01")
DAY = 86400
HEAD = {"root": (f"TS {w.TS.digest.hex()}",), "at": (w.stamp_of(w.NOW),)}
TOPIC = Topic("revocation", "roster", HEAD)

# Two credentials of one body that certifies, and another body under it.
renewed = w.Credential("ts-body-2", BODY, "certify", w.TS, "x", certifies=True, valid=(w.FROM, w.when("2036-01-01")), subject="ts-body")
other_body = w.Credential("ts-other", ("TS", "TS-B"), "certify", body, "x")
outsider = w.Credential("ts-outsider", ("TS", "TS-B"), "seal", other_body, "x")
by_root = partial(w.Revocation, issuer=w.TS)


def roster(*revocations: w.Revocation, older: w.Roster = GOOD, more: Sequence[w.Credential] = (), **changes: Any) -> w.Roster:  # noqa: ANN401 - as dataclasses.replace
    """A roster of TS with these revocations in the order given, and whom they are about and by."""
    wanted = [*older.members, *more, *(one.credential for one in revocations), *(one.issuer for one in revocations)]
    members = {one.name: one for each in wanted if isinstance(each, w.Credential) for one in _chain(each)}
    return replace(older, **{"members": list(members.values()), "revocations": [one.statement() for one in revocations], **changes})


def _chain(credential: w.Credential) -> list[w.Credential]:
    above = credential.issuer
    return [credential] if isinstance(above, w.Root) else [credential, *_chain(above)]


RETIRED = w.Revocation(officer, "retired", T)


def _good() -> Cases:
    again = [w.Revocation(officer, kind, T + at, number) for number, (kind, at) in enumerate(WHOLE_LIFE, 1)]
    continued = [by_root(body, "retired", T), RETIRED, w.Revocation(second, "retired", T + 9, 2, issuer=renewed)]
    both = [by_root(officer, "suspended", T), w.Revocation(officer, "suspended", T + 5)]
    rows: Sequence[tuple[str, Sequence[w.Revocation], str]] = (
        ("by_body", [RETIRED], "an officer, retired by the body that certified him"),
        ("by_root", [by_root(officer, "retired", T)], "the same by the root"),
        ("of_body", [by_root(body, "retired", T)], "a body, by the root that certified it"),
        ("of_other_body", [w.Revocation(other_body, "suspended", T)], "a body, by the body that certified it"),
        ("whole_life", again, "suspended, restored, suspended, retired, and found to be compromised before all that"),
        ("body_renewed", continued, "the body's renewed credential goes on with its series"),
        ("two_series", both, "the root and the body, each in its own series"),
        ("restored_at_once", [w.Revocation(officer, kind, T, n) for n, kind in enumerate(("suspended", "restored"), 1)], "for no time at all"),
        ("effective_later", [replace(RETIRED, effective=w.UNTIL, issued=T)], "effective long after it was issued"),
        ("extension_shown", [replace(RETIRED, fields={"extensions": {"~order": 7}})], "an extension that is shown and ignored"),
        ("of_roster_signer", [by_root(roster_key, "retired", w.ISSUED + 1)], "who signs the roster is retired a second after he signed"),
    )
    for name, revocations, comment in rows:
        yield TOPIC.good(name, roster(*revocations).statement(), comment)
    mirror = w.Credential("ts-mirror", BODY, "acknowledge", body, "x", key="ts-officer", valid=(T, w.UNTIL))
    yield TOPIC.good("key_after_retired", roster(RETIRED, more=[mirror]).statement(), "a retired key in a new credential from then on")
    early = replace(mirror, valid=(T - 1, w.UNTIL))
    comment = "the same a second too early: one key in two live credentials"
    yield TOPIC.bad("key_before_retired", roster(RETIRED, more=[early]).statement(), "refused @ 5", comment)


WHOLE_LIFE = (("suspended", 10), ("restored", 20), ("suspended", 30), ("retired", 40), ("compromised", 5))


def _signers() -> Cases:
    signed = partial(replace, RETIRED)
    broken = spoil.spoilt(body.signer("issuer"), spoil.flip(9))
    rows: Sequence[tuple[str, Sequence[w.Revocation], str, str]] = (
        ("by_officer", [signed(signers=[officer.signer("issuer")])], "not authentic @ revocation 2", "signed with an officer's key"),
        ("by_stranger", [signed(signers=[w.kz_mfa.signer("issuer")])], "not authentic @ revocation 2", "signed by a body of another party"),
        ("ed25519_only", [signed(signers=[broken])], "not authentic @ revocation 2", "only the Ed25519 half holds"),
        ("by_other_body", [signed(issuer=other_body)], "refused @ revocation 4", "another body's officer"),
        ("by_body_above", [w.Revocation(outsider, "retired", T, issuer=body)], "refused @ revocation 4", "the officer of a body that it certified"),
        (
            "by_body_itself",
            [w.Revocation(body, "retired", T, issuer=renewed)],
            "refused @ revocation 4",
            "a credential that the root issued",
        ),
        ("in_other_series", [signed(fields={"series": "TS-B"})], "refused @ revocation 3", "numbered in another body's series"),
        ("in_root_series", [signed(fields={"series": None})], "refused @ revocation 3", "a body in the root's series"),
        ("root_in_series", [by_root(officer, "retired", T, fields={"series": "TS-A"})], "refused @ revocation 3", "the root in a body's series"),
        ("of_other_party", [signed(fields={"party": "KZ"})], "refused @ revocation 3", "it names another party"),
        ("of_unknown", [signed(fields={"credential": bytes(32)})], "refused @ revocation 4", "a credential that is not in the roster"),
        ("before_valid", [signed(effective=w.FROM, issued=w.FROM - 1)], "refused @ revocation 5", "issued before the body's credential was valid"),
    )
    for name, revocations, outcome, comment in rows:
        yield TOPIC.bad(name, roster(*revocations).statement(), outcome, comment)
    half = w.Revocation(officer, "retired", T, issuer=RENEWED, signers=RENEWED.quorum("issuer", (" 1",)))
    comment = "one custodian of two signed"
    yield TOPIC.bad("below_threshold", roster(half, older=AFTER).statement(), "not authentic @ revocation 2", comment)
    yield TOPIC.good("old_root", roster(by_root(officer, "retired", T), older=AFTER).statement(), "by the root's first version")


def _lists() -> Cases:
    def said(*kinds: str, of: w.Credential = officer, step: int = 10) -> list[w.Revocation]:
        return [w.Revocation(of, kind, T + n * step, n) for n, kind in enumerate(kinds, 1)]

    one, two = RETIRED, w.Revocation(second, "retired", T, 2)
    root = by_root(second, "suspended", T)
    restored = w.Revocation(second, "restored", T + 9)
    malformed, holes, order = "malformed @ revocation 6", "refused @ revocation 6", "refused @ revocation 7"
    rows: Sequence[tuple[str, Sequence[w.Revocation], str, str]] = (
        ("unsorted", [two, one], malformed, "2 before 1"),
        ("root_last", [one, root], malformed, "the root's series behind a body's"),
        ("twice", [one, one], malformed, "one revocation twice"),
        ("number_twice", [one, replace(two, number=1)], malformed, "one number for two revocations"),
        ("begins_with_2", [replace(one, number=2)], holes, "no 1"),
        ("hole", [one, replace(two, number=3)], holes, "no 2"),
        ("restored_first", said("restored"), order, "restored, and never suspended"),
        ("restored_twice", said("suspended", "restored", "restored"), order, "restored twice"),
        ("suspended_twice", said("suspended", "suspended"), order, "suspended twice"),
        ("restored_by_other", [root, restored], order, "suspended by the root, and restored by the body"),
        ("restored_after_retired", said("retired", "restored"), order, "restored after it was retired"),
        ("retired_twice", said("retired", "retired"), order, "retired twice"),
        ("after_compromised", said("compromised", "retired"), order, "retired after it was compromised"),
        ("compromised_twice", said("compromised", "compromised"), order, "compromised twice"),
        ("goes_back", said("suspended", "restored", step=-10), order, "restored as of before it was suspended"),
    )
    for name, revocations, outcome, comment in rows:
        yield TOPIC.bad(name, roster(*revocations).statement(), outcome, comment)
    bodies: Sequence[tuple[str, Changes, str]] = (
        ("number_0", {"number": 0}, "number 0"),
        ("kind_unknown", {"kind": "revoked"}, "a kind that version 1 does not know"),
        ("reason_unknown", {"reason": "dismissed"}, "a reason that version 1 does not know"),
        ("compromised_later", {"kind": "compromised", "issued at": T - 1}, "a compromise effective after it is issued"),
        ("extension_unknown", {"extensions": {"order": 7}}, "an extension that version 1 does not know"),
        ("field_more", {"note": "x"}, "a field more"),
    )
    for name, changes, comment in bodies:
        yield TOPIC.bad(name, roster(replace(RETIRED, fields=changes)).statement(), "malformed @ revocation 2", comment)


def _roster_signers() -> Cases:
    for name, revocations, comment in (
        ("signer_retired", [by_root(roster_key, "retired", w.ISSUED)], "the roster's signer was retired the second that he signed"),
        ("signer_suspended", [by_root(roster_key, "suspended", w.ISSUED)], "the roster's signer was suspended"),
        ("signer_compromised", [by_root(roster_key, "compromised", w.ISSUED + 9)], "the roster's signer is compromised, even if later"),
    ):
        yield TOPIC.bad(name, roster(*revocations).statement(), "refused @ 4", comment)


def known(name: str, older: w.Roster) -> Topic:
    """Cases for a reader who knows a roster of TS already."""
    WORLD[f"ts-{name}.vls"] = older.statement()
    return Topic("revocation", "roster", {**HEAD, "older": (f"ts-{name}.vls",)})


def _imports() -> Cases:
    first = known("retired", roster(RETIRED, more=[second]))
    later = w.Revocation(second, "retired", T + DAY, 2)
    yield first.good("newer", roster(RETIRED, later, version=2).statement(), "the older one's, and one more")
    yield first.bad("dropped", roster(more=[officer, second], version=2).statement(), "refused @ 6", "a revocation of the older roster is missing")
    other = replace(RETIRED, issued=T + 1)
    yield first.bad("replaced", roster(other, more=[second], version=2).statement(), "refused @ 6", "another one under a known number")

    lost = by_root(body, "compromised", T)
    stolen = known("body-compromised", roster(lost, more=[officer]))
    thief = replace(RETIRED, effective=T - DAY, issued=T - DAY)
    comment = "new, dated back, and signed with a key that is known as compromised"
    yield stolen.bad("by_compromised", roster(lost, thief, version=2).statement(), "refused @ revocation 8", comment)
    renewal = replace(thief, issuer=renewed)
    yield stolen.good("by_renewed", roster(lost, renewal, version=2).statement(), "the same by the body's other credential")
    key = w.Credential("ts-again", BODY, "certify", w.TS, "x", certifies=True, key="ts-body", valid=(w.when("2036-01-01"), w.when("2037-01-01")))
    comment = "a key that is known as compromised in a new credential"
    yield stolen.bad("key_again", roster(lost, more=[officer, key], version=2).statement(), "refused @ 6", comment)

    comment = "the ML-DSA half of a key that is known as compromised in a new credential"
    half = replace(sharing(second, officer)[0], issuer=renewed, valid=(T, w.UNTIL))
    stolen_officer = w.Revocation(officer, "compromised", T)
    parts = known("officer-compromised", roster(stolen_officer, more=[renewed]))
    yield parts.bad("half_again", roster(stolen_officer, more=[renewed, half], version=2).statement(), "refused @ 6", comment)

    first_child = known("child-compromised", roster(lost, more=[other_body, outsider]))
    by_child = w.Revocation(outsider, "retired", T, issuer=other_body)
    comment = "new, and signed with a credential that a body issued whose key is known as compromised: nobody has evidence of when"
    raw = roster(lost, by_child, more=[other_body], version=2).statement()
    yield first_child.bad("by_child_of_compromised", raw, "refused @ revocation 8", comment)
    sound = known("child-retired", roster(by_root(body, "retired", T), more=[other_body, outsider]))
    comment = "the same after that body was retired: what it issued before stands"
    raw = roster(by_root(body, "retired", T), by_child, more=[other_body], version=2).statement()
    yield sound.good("by_child_of_retired", raw, comment)

    gone = by_root(body, "retired", T)
    ended = known("body-retired", roster(gone))
    in_time = replace(RETIRED, effective=T, issued=T - 1)
    yield ended.good("by_retired_before", roster(gone, in_time, version=2).statement(), "new, signed before the body's credential was retired")
    too_late = replace(in_time, issued=T)
    yield ended.bad("by_retired", roster(gone, too_late, version=2).statement(), "refused @ revocation 8", "the same, signed when it was")

    after = roster(older=AFTER, more=[officer])
    root = known("renewed-all", after)
    old = by_root(officer, "retired", T)
    comment = "new, and signed by a root that was replaced"
    yield root.bad("by_old_root", replace(after, version=3, revocations=[old.statement()]).statement(), "refused @ revocation 8", comment)
    new = replace(old, issuer=RENEWED)
    yield root.good("by_new_root", replace(after, version=3, revocations=[new.statement()]).statement(), "the same by the one that replaced it")


def _issuing() -> Cases:
    """Credentials that the older roster does not have, by issuers who had ended by then (credential.md, Roster, Reading 6)."""
    lost = by_root(body, "compromised", T)
    stolen = known("body-lost", roster(lost))
    comment = "issued by a body whose key is known as compromised, though dated long before that"
    yield stolen.bad("issued_by_compromised", roster(lost, more=[officer], version=2).statement(), "refused @ 6", comment)
    again = by_root(body, "retired", w.ISSUED)
    at_once = known("body-retired-then", roster(again))
    comment = "issued by a body that was retired when the older roster was issued"
    yield at_once.bad("issued_by_retired", roster(again, more=[officer], version=2).statement(), "refused @ 6", comment)
    soon = by_root(body, "retired", w.ISSUED + 1)
    going = known("body-retired-later", roster(soon))
    comment = "issued by a body that was retired a second after the older roster was issued"
    yield going.good("issued_by_retired_later", roster(soon, more=[officer], version=2).statement(), comment)
    gap = by_root(body, "suspended", w.ISSUED)
    away = known("body-suspended", roster(gap))
    yield away.good("issued_by_suspended", roster(gap, more=[officer], version=2).statement(), "issued by a body that was suspended: that is no end")
    short = w.Credential("ts-short", ("TS", "TS-B"), "certify", body, "x", valid=(w.FROM, w.ISSUED))
    theirs = w.Credential("ts-theirs", ("TS", "TS-B"), "seal", short, "x", valid=(w.FROM, w.ISSUED))
    lapsed = known("body-lapsed", roster(more=[short]))
    comment = "issued by a body whose credential had expired when the older roster was issued"
    yield lapsed.bad("issued_by_expired", roster(more=[short, theirs], version=2).statement(), "refused @ 6", comment)

    after = roster(older=AFTER)
    root = known("renewed-few", after)
    kept_back = w.Credential("ts-kept-back", ("TS", "TS-B"), "certify", w.TS, "x")
    comment = "a new credential that a root issued which was replaced"
    yield root.bad("issued_by_old_root", roster(older=after, more=[kept_back], version=3).statement(), "refused @ 6", comment)
    issued = replace(kept_back, issuer=RENEWED)
    yield root.good("issued_by_new_root", roster(older=after, more=[issued], version=3).statement(), "the same by the one that replaced it")


def _rule() -> Cases:
    """The time rule alone."""
    topic = Topic("standing", "standing", {})

    def case(name: str, dated: int, evidence: int | None, events: Sequence[tuple[str | None, str, int]], comment: str, *, stands: bool) -> Case:
        said: Item = [T + dated, None if evidence is None else T + evidence, [[series, kind, T + at] for series, kind, at in events]]
        raw = wire.encode(said)
        return topic.good(name, raw, comment) if stands else topic.bad(name, raw, "refused @ rule", comment)

    yield case("nothing", 0, None, [], "nothing was revoked", stands=True)
    for name, dated, stands in (("before", -1, True), ("at", 0, False), ("after", 1, False)):
        yield case(f"retired_{name}", dated, None, [("A", "retired", 0)], f"dated {name} the retirement", stands=stands)
    yield case("retired_evidence", 1, -9, [("A", "retired", 0)], "dated after it, with evidence from before: it says itself when it is", stands=False)
    gap = [("A", "suspended", 0), ("A", "restored", 10)]
    for name, dated, stands in (("before", -1, True), ("begin", 0, False), ("end", 9, False), ("restored", 10, True)):
        yield case(f"suspended_{name}", dated, None, gap, f"a suspension of ten seconds: dated {dated}", stands=stands)
    yield case("suspended_open", 1 << 30, None, gap[:1], "nobody has restored it", stands=False)
    yield case("suspended_before_open", -1, None, gap[:1], "dated before a suspension that nothing ended", stands=True)
    twice = [*gap, ("A", "suspended", 20), ("A", "restored", 30)]
    for name, dated, stands in (("first", 5, False), ("between", 15, True), ("second", 25, False), ("after", 30, True)):
        yield case(f"suspended_twice_{name}", dated, None, twice, "suspended twice", stands=stands)
    yield case("suspended_retired", 5, None, [gap[0], ("A", "retired", 9)], "suspended, and retired before it was restored", stands=False)
    others = [(None, "suspended", 0), ("A", "restored", 10)]
    yield case("restored_by_other", 20, None, others, "what the root suspended, no body restores", stands=False)
    both = [(None, "suspended", 0), *gap]
    yield case("restored_by_one", 20, None, both, "suspended in two series, and restored in one", stands=False)
    yield case("empty_gap", 0, None, [("A", "suspended", 0), ("A", "restored", 0)], "suspended for no time", stands=True)
    lost = [("A", "compromised", 0)]
    for name, dated, evidence, stands, comment in (
        ("no_evidence", -9, None, False, "dated before it, without evidence"),
        ("evidence_before", -9, -1, True, "dated before it, and there a second before it"),
        ("evidence_at", -9, 0, False, "there exactly when it was compromised"),
        ("evidence_after", -9, 1, False, "there after it"),
        ("dated_at", 0, -1, False, "there before it, and dated exactly then"),
        ("dated_after", 9, None, False, "dated after it"),
    ):
        yield case(f"compromised_{name}", dated, evidence, lost, comment, stands=stands)
    earlier = [(None, "compromised", -5), *lost]
    yield case("compromised_twice", -9, -3, earlier, "two series, two times: the earlier counts", stands=False)
    ended = [("A", "retired", -5), *lost]
    yield case("compromised_after_retired", -9, -1, ended, "retired, and compromised later: in time for both", stands=True)
    yield case("retired_before_compromised", -3, -1, ended, "in time for the compromise, and too late for the retirement", stands=False)
    late = [*gap, ("A", "compromised", -5)]
    yield case("compromised_looks_back", -3, None, late, "suspended and restored, and found to be compromised before that", stands=False)


PEOPLE = w.PEOPLE
AIGERIM, ALENA = PEOPLE["aigerim-seal"], PEOPLE["alena-open"]
later_key = replace(AIGERIM, name="aigerim-later", key="aigerim-seal", subject="aigerim", valid=(w.UNTIL, w.UNTIL + 9))
KZ_FEW = (w.kz_roster, w.kz_mfa, AIGERIM, later_key)
BY_FEW = (w.by_roster, w.by_mfa, ALENA, *(PEOPLE[f"{name}"] for name in ("alena-acknowledge", "bahdan-open", "taras-open", "taras-acknowledge")))
BY_SMALL = (*BY_FEW, PEOPLE["vera-countersign"])
RECEIPT = o.receipt(o.acknowledgement(LETTER))
Head = Mapping[str, Sequence[str]]


def _stands() -> Cases:
    """A letter from KZ to BY and its receipt, after one credential was revoked."""
    yield from _sealer()
    yield from _issuer()
    yield from _openers()
    yield from _answerers()
    yield from _passing_on()


def kz(name: str, *revocations: w.Revocation) -> Head:
    """What a reader has who knows a roster of KZ with these revocations."""
    WORLD[f"kz-{name}.vls"] = w.Roster(w.KZ, w.kz_roster, KZ_FEW, revocations=[one.statement() for one in revocations]).statement()
    return _known(f"kz-{name}.vls", "by.vls")


def by(name: str, *revocations: w.Revocation) -> Head:
    """The same of BY."""
    WORLD[f"by-{name}.vls"] = w.Roster(w.BY, w.by_roster, BY_SMALL, revocations=[one.statement() for one in revocations]).statement()
    return _known("kz.vls", f"by-{name}.vls")


def _known(*rosters: str) -> Head:
    return {"root": PINNED, "trust": rosters, "at": (w.stamp_of(w.NOW),), "agreement": ("open.vls",)}


_HEADS: Mapping[str, Head] = {
    "letter": {"mode": ("verify",)},
    "opened": {"mode": ("open",)},
    "receipt": {"with": ("none",)},
    "rewrap": {"with": ("letter.vlz",)},
}


def _case(kind: str) -> Callable[..., Case]:
    """Cases of letters (read without a key, or opened), receipts, rewraps."""
    more = _HEADS[kind]
    raw = {"receipt": RECEIPT, "rewrap": PASSED_ON}.get(kind, LETTER.container)
    thing = "envelope" if kind in {"letter", "opened"} else kind

    def make(name: str, world: Head, outcome: str, comment: str, **head: Sequence[str]) -> Case:
        expect, _, step = outcome.partition(" @ ")
        verdict, expect = (expect, "success") if expect in {"attested", "delivered"} else ("", expect)
        return Case(f"revocation_{name}", thing, raw, expect, comment, step, verdict=verdict, head={**world, **more, **head})

    return make


letter, opened, receipt, rewrap = (_case(kind) for kind in ("letter", "opened", "receipt", "rewrap"))
PAYLOAD = hashlib.sha256(o.Carrier().content or b"").hexdigest()
RECORD = {"record": ("letter.record",)}


def when(at: int) -> Sequence[str]:
    """A time in the head of a vector."""
    return (w.stamp_of(at),)


def _sealer() -> Cases:
    for name, at, outcome in (("at", w.SEALED, "refused @ 6"), ("after", w.SEALED + 1, "success")):
        world = kz(f"retired-{name}", w.Revocation(AIGERIM, "retired", at))
        yield letter(f"sealer_retired_{name}", world, outcome, "the sealer was retired when he sealed, or a second later")
    gap = [w.Revocation(AIGERIM, "suspended", w.SEALED), w.Revocation(AIGERIM, "restored", w.SEALED + 1, 2)]
    yield letter("sealer_suspended", kz("suspended", *gap), "refused @ 6", "the sealer was suspended for the second in which he sealed")
    by_then = w.ACKNOWLEDGED + 1
    lost = kz("compromised", w.Revocation(AIGERIM, "compromised", by_then))
    yield letter("sealer_compromised", lost, "refused @ 6", "the sealer's key was compromised later, and this reader has no evidence")
    yield letter("sealer_recorded_before", lost, "success", "the reader's journal recorded the letter before", recorded=when(by_then - 1))
    yield letter("sealer_recorded_at", lost, "refused @ 6", "the journal recorded it exactly then", recorded=when(by_then))
    yield letter("sealer_recorded_after", lost, "refused @ 6", "the journal recorded it later", recorded=when(by_then + 1))
    yield receipt("sealer_answered", lost, "attested", "the other party had acknowledged the letter before")
    yield receipt("sealer_answered_envelope", lost, "attested", "the same with the envelope beside it", **{"with": ("letter.vlz",)})
    exactly = kz("compromised-answered", w.Revocation(AIGERIM, "compromised", w.ACKNOWLEDGED))
    yield receipt("sealer_answered_at", exactly, "refused @ 4", "the other party acknowledged it exactly when the key was compromised")
    elsewhere = kz("key-elsewhere", w.Revocation(later_key, "compromised", w.SEALED))
    yield letter("key_elsewhere", elsewhere, "refused @ 6", "another credential with the sealer's key was compromised", recorded=when(w.SEALED))
    by_key = kz("key-elsewhere-retired", w.Revocation(later_key, "retired", w.SEALED))
    yield letter("key_elsewhere_retired", by_key, "success", "another credential with the sealer's key was retired")


def _issuer() -> Cases:
    for name, at, outcome in (("at", w.FROM, "refused @ 6"), ("after", w.FROM + 1, "success")):
        world = kz(f"issuer-retired-{name}", w.Revocation(w.kz_mfa, "retired", at))
        yield letter(f"issuer_retired_{name}", world, outcome, "the body was retired when it certified the sealer, or a second later")
    lost = kz("issuer-compromised", w.Revocation(w.kz_mfa, "compromised", T))
    yield letter("issuer_compromised", lost, "refused @ 6", "the body that certified the sealer was compromised, and nobody knows since when he was")
    yield letter("issuer_known_before", lost, "success", "the sealer's credential was known here before", known=(f"KZ {w.stamp_of(T - 1)}",))
    yield letter("issuer_known_at", lost, "refused @ 6", "it was first imported exactly then", known=(f"KZ {w.stamp_of(T)}",))


def _openers() -> Cases:
    gap = by("addressee-suspended", w.Revocation(ALENA, "suspended", w.SEALED), w.Revocation(ALENA, "restored", w.SEALED + 1, 2))
    yield letter("addressee_suspended", gap, "refused @ 8", "an addressee was suspended for the second in which it was sealed")
    gone = by("addressee-retired", w.Revocation(ALENA, "retired", w.SEALED + 1))
    yield letter("addressee_retired_later", gone, "success", "an addressee was retired a second after it was sealed")
    yield opened("opener_retired", gone, "refused @ 10", "the same, who opens it now", identity=("alena-open.seed",))
    yield opened("opener_other", gone, "success", "the other addressee opens it", identity=("bahdan-open.seed",), payload=(PAYLOAD,))
    stolen = by("opener-compromised", w.Revocation(ALENA, "compromised", w.OPENED + 1))
    yield receipt("opener_compromised_later", stolen, "attested", "an open key signs nothing: stolen after the opening")
    yield letter("addressee_compromised_later", stolen, "success", "the same, of an addressee")
    before = by("opener-compromised-at", w.Revocation(ALENA, "compromised", w.OPENED))
    yield receipt("opener_compromised", before, "refused @ 7", "the open key was stolen when it opened")


def _answerers() -> Cases:
    acknowledge, countersign = PEOPLE["alena-acknowledge"], PEOPLE["vera-countersign"]
    for name, at, outcome in (("at", w.ACKNOWLEDGED, "refused @ 7"), ("after", w.ACKNOWLEDGED + 1, "attested")):
        world = by(f"acknowledger-retired-{name}", w.Revocation(acknowledge, "retired", at))
        yield receipt(f"acknowledger_retired_{name}", world, outcome, "the acknowledger was retired when he answered, or a second later")
    at = w.COUNTERSIGNED + 1
    lost = by("acknowledger-compromised", w.Revocation(acknowledge, "compromised", at))
    comment = "the acknowledger's key was compromised later: a countersignature of his own party is no evidence"
    yield receipt("acknowledger_compromised", lost, "refused @ 7", comment)
    comment = "the origin's journal recorded the receipt before"
    yield receipt("acknowledger_recorded", lost, "delivered", comment, recorded=when(at - 1), **RECORD)
    for name, then, outcome in (("at", w.COUNTERSIGNED, "refused @ 2"), ("after", w.COUNTERSIGNED + 1, "attested")):
        world = by(f"countersigner-retired-{name}", w.Revocation(countersign, "retired", then))
        yield receipt(f"countersigner_retired_{name}", world, outcome, "the countersigner was retired when he signed, or a second later")
    lost = by("countersigner-compromised", w.Revocation(countersign, "compromised", at))
    yield receipt("countersigner_compromised", lost, "refused @ 2", "the countersigner's key was compromised later, without evidence")
    yield receipt("countersigner_recorded", lost, "delivered", "the origin's journal recorded it before", recorded=when(at - 1), **RECORD)


def _passing_on() -> Cases:
    made = w.SEALED + 3600
    acknowledge = PEOPLE["alena-acknowledge"]
    for name, at, outcome in (("at", made, "refused @ rewrap"), ("after", made + 1, "success")):
        world = by(f"passing-retired-{name}", w.Revocation(acknowledge, "retired", at))
        yield rewrap(f"passing_on_retired_{name}", world, outcome, "who passed it on was retired when he did, or a second later")
    lost = by("passing-compromised", w.Revocation(acknowledge, "compromised", made + 9))
    yield rewrap("passing_on_compromised", lost, "refused @ rewrap", "his key was compromised later, without evidence")
    yield rewrap("passing_on_recorded", lost, "success", "the reader's journal recorded the rewrap before", recorded=when(made + 8))
    gone = by("recipient-retired", w.Revocation(PEOPLE["taras-open"], "retired", made))
    yield rewrap("passed_on_to_retired", gone, "refused @ rewrap", "passed on to somebody who was retired")


def cases() -> Cases:
    """All of them."""
    for part in (_good, _signers, _lists, _roster_signers, _imports, _issuing, _rule, _stands):
        yield from part()
