"""Vectors of transport notices, hand-overs, custody and overdue records (transport.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import cases_clearance as acting
import objects as o
import spoil
import wire
import world as w
from cases import CLOSED_LETTER, PINNED, WORLD, Case, Cases, Changes, Topic
from cases_envelope import sealed
from wire import Item, Signer

HOUR, DAY = 3600, 86400
LATE = w.DUE + DAY


# Who carries and who tells, and those who act for their bodies, in rosters of their own, so that all other vectors stay as they are.
DAUREN, YERLAN, ALENA, HALINA = (w.officer(f"{name}-transport", "transport") for name in ("dauren", "yerlan", "alena", "halina"))
CLERK, OTHER_CLERK, BY_CLERK = acting.AIGERIM, acting.YERLAN, acting.VERA
KZ_ROLLS = replace(w.kz_rolls, members=[*acting.KZ_ROLLS.members, DAUREN, YERLAN], version=3)
BY_ROLLS = replace(w.by_rolls, members=[*acting.BY_ROLLS.members, ALENA, HALINA], version=3)


def _roster(name: str, rolls: w.Roster, *revocations: w.Revocation) -> str:
    WORLD[name] = replace(rolls, revocations=[one.statement() for one in revocations]).statement()
    return name


# Two legs; and an envelope that is like it but for its id.
LEGS: Item = [["Astana", "Moscow"], ["Moscow", "Minsk"]]
WAY: Item = ["air", "armed", LEGS]
BAG = sealed("carried", hooks={"detail": lambda items: {**items, "legs": LEGS}})
OTHER = sealed("carried too", hooks={"detail": lambda items: {**items, "legs": LEGS}})
WORLD["carried.vlz"] = BAG.container
KZ_FILE, BY_FILE = _roster("kz-carrying.vls", KZ_ROLLS), _roster("by-carrying.vls", BY_ROLLS)
HEAD: Mapping[str, Sequence[str]] = {
    "root": PINNED,
    "trust": (KZ_FILE, BY_FILE),
    "agreement": ("open.vls", "closed.vls"),
    "at": (w.stamp_of(w.NOW),),
}
NOTICE = Topic("transport", "transport-notice", HEAD)
HANDOVER = Topic("transport", "handover", {**HEAD, "with": ("carried.vlz",)})
OVERDUE = Topic("transport", "overdue", {**HEAD, "at": (w.stamp_of(LATE + HOUR),)})


def _of(changes: Mapping[str, Item]) -> Mapping[str, Item]:
    return {name.replace("_", " "): value for name, value in changes.items()}


def notice(built: o.Built = BAG, signer: Signer | None = None, **fields: Item) -> bytes:
    """transport.md, Notice: the first one, to BY-KGB, of a transport that goes as its stamp says; field names have `_` for spaces."""
    closed = built.plan.closed
    items: dict[str, Item] = {
        "dispatch": built.dispatch,
        "core": built.core,
        "told": list(w.BY_KGB),
        "number": 1,
        "previous": None,
        "leaves at": w.SEALED + HOUR,
        "expected at": w.SEALED + DAY,
        "package number": "12/3",
        "way": None if closed else WAY,
        "deviation": "",
        "escorts": [] if closed else ["courier 7"],
        "reference": "",
        "told at": w.SEALED + 60,
        "extensions": {},
    }
    return wire.statement("valiza/v1/transport-notice", w.fields_of(items, _of(fields)), [signer or DAUREN.signer("transport")])


def _giver(credential: w.Credential, *, named: bool = True) -> Item:
    return [credential.name, list(credential.place), credential.digest if named else None]


def handover(built: o.Built = BAG, signer: Signer | None = None, **fields: Item) -> bytes:
    """transport.md, Hand-over: the first one, from the sealer to a colleague who carries."""
    items: dict[str, Item] = {
        "dispatch digest": built.dispatch_digest,
        "origin": list(w.KZ_MFA),
        "envelope id": wire.draw(f"{built.plan.tag}/id"),
        "leg": 0,
        "place": "" if built.plan.closed else "Astana",
        "who gave": _giver(w.PEOPLE["aigerim-seal"]),
        "taken at": w.SEALED + HOUR,
        "seal intact": True,
        "condition": "sound",
        "remark": "",
        "package number": "12/3",
        "previous": built.dispatch_digest,
        "extensions": {},
    }
    return wire.statement("valiza/v1/handover", w.fields_of(items, _of(fields)), [signer or DAUREN.signer("transport")])


def overdue(built: o.Built = BAG, signer: Signer | None = None, **fields: Item) -> bytes:
    """transport.md, Overdue record: a day after the receipt was due."""
    items: dict[str, Item] = {
        "dispatch": built.dispatch,
        "core": built.core,
        "receipt due": w.DUE,
        "noticed at": LATE,
        "extensions": {},
    }
    return wire.statement("valiza/v1/overdue", w.fields_of(items, _of(fields)), [signer or CLERK.signer("clerk")])


DETOUR: Changes = {"way": ["air", "armed", [["Astana", "Orsha"], ["Orsha", "Minsk"]]], "deviation": "flood"}
NOTICE_FORMS: Sequence[tuple[str, Changes, str]] = (
    ("number_zero", {"number": 0}, "number 0"),
    ("number_high", {"number": 1001, "previous": bytes(32)}, "number 1001"),
    ("first_previous", {"previous": bytes(32)}, "the first one names one before it"),
    ("second_alone", {"number": 2}, "the second one names none before it"),
    ("expected_at_once", {"expected_at": w.SEALED + HOUR}, "expected when it leaves"),
    ("package_empty", {"package_number": ""}, "no package number"),
    ("legs_none", {"way": ["air", "armed", []]}, "no leg"),
    ("legs_apart", {"way": ["air", "armed", [["Astana", "Orsha"], ["Moscow", "Minsk"]]]}, "legs that do not connect"),
    ("escorts_17", {"escorts": ["x"] * 17}, "17 escorts"),
    ("extension_unknown", {"extensions": {"copy": 1}}, "an extension that version 1 does not know"),
    ("field_more", {"more": None}, "a field more"),
)
HANDOVER_FORMS: Sequence[tuple[str, Changes, str]] = (
    ("leg_17", {"leg": 17}, "leg 17"),
    ("giver_nameless", {"who_gave": ["", list(w.KZ_MFA), None]}, "who gave has no name"),
    ("seal_number", {"seal_intact": 1}, "a number for a boolean"),
    ("condition_unknown", {"condition": "lost"}, "a condition that there is not"),
    ("seal_no_remark", {"seal_intact": False}, "a broken seal without a remark"),
    ("damage_no_remark", {"condition": "damaged"}, "damage without a remark"),
    ("package_empty", {"package_number": ""}, "no package number"),
    ("package_long", {"package_number": "x" * 65}, "a package number of 65 characters"),
    ("extension_unknown", {"extensions": {"copy": 1}}, "an extension that version 1 does not know"),
    ("field_more", {"more": None}, "a field more"),
)


def _notices() -> Cases:
    good = NOTICE.good
    yield good("notice_good", notice(), "the origin tells the other party's competent body how a bag goes")
    yield good(
        "notice_second", notice(number=2, previous=wire.draw("the first"), extensions={"~": 1}), "a second one, with an extension that is shown"
    )
    yield good("notice_detour", notice(**DETOUR), "another way than the stamp's, with a reason")
    yield good("notice_package", notice(package_number="12/4", deviation="packed anew"), "another package number, with a reason")
    yield good("notice_closed", notice(CLOSED_LETTER), "under a closed stamp: neither way nor escorts")
    yield good("notice_within_skew", notice(told_at=w.NOW + 300), "told after now, by no more than skew")
    for name, changes, comment in NOTICE_FORMS:
        yield NOTICE.bad(f"notice_{name}", notice(**changes), "malformed @ 2", comment)
    signer = DAUREN.signer("transport")
    nobody = replace(DAUREN, name="nobody").signer("transport")
    altered = sealed("altered", hooks={"signer": lambda sealer: spoil.spoilt(sealer, spoil.flip(9))})
    flown = sealed("balloon", hooks={"detail": lambda items: {**items, "transport": "balloon"}})
    for name, raw, outcome, comment in (
        ("role", notice(signer=replace(signer, role="clerk")), "malformed @ 1", "signed in the role of a clerk"),
        ("as_handover", notice(signer=replace(signer, signs_type="valiza/v1/handover")), "not authentic @ 2", "signed as a hand-over"),
        ("purpose", notice(signer=CLERK.signer("transport")), "not authentic @ 2", "signed with a key to act"),
        (
            "stranger",
            notice(signer=nobody),
            "not authentic @ 2",
            "signed by somebody who is in no roster",
        ),
        ("mldsa_broken", notice(signer=spoil.spoilt(signer, spoil.flip(9))), "not authentic @ 2", "only the Ed25519 half holds"),
        ("ed25519_broken", notice(signer=spoil.spoilt(signer, spoil.flip(-1))), "not authentic @ 2", "only the ML-DSA half holds"),
        ("dispatch_broken", notice(altered), "not authentic @ 3", "the dispatch inside is not well signed"),
        ("core_other", notice(core=OTHER.core), "not authentic @ 3", "the core of another envelope"),
        ("dispatch_other_type", notice(dispatch=overdue()), "malformed @ 3", "an overdue record stands where the dispatch should"),
        ("transport_forbidden_stamp", notice(flown), "refused @ 4", "an envelope that the agreement forbids"),
        ("by_destination", notice(signer=ALENA.signer("transport")), "refused @ 5", "told by the destination"),
        ("by_other_body", notice(signer=YERLAN.signer("transport")), "refused @ 5", "told by another body of the origin's party"),
        ("told_own_party", notice(told=list(w.KZ_MFA)), "refused @ 5", "a body of the origin's own party is told"),
        ("told_not_competent", notice(told=list(w.BY_MVD)), "refused @ 5", "a body is told that is not competent"),
        ("way_missing", notice(way=None), "malformed @ 6", "no way under an open stamp"),
        ("way_shown", notice(CLOSED_LETTER, way=WAY, deviation="x"), "malformed @ 6", "a way under a closed stamp"),
        ("escorts_shown", notice(CLOSED_LETTER, escorts=["courier 7"]), "malformed @ 6", "escorts under a closed stamp"),
        ("reason_missing", notice(**{**DETOUR, "deviation": ""}), "malformed @ 6", "another way without a reason"),
        ("reason_package", notice(package_number="12/4"), "malformed @ 6", "another package number without a reason"),
        ("reason_idle", notice(deviation="to be safe"), "malformed @ 6", "a reason, and nothing that deviates"),
        (
            "transport_forbidden",
            notice(way=["balloon", "armed", LEGS], deviation="wind"),
            "refused @ 7",
            "by a method that the agreement does not allow",
        ),
        ("told_early", notice(told_at=w.SEALED - 1), "refused @ 8", "told before the envelope was sealed"),
        ("left_early", notice(leaves_at=w.SEALED - 1), "refused @ 8", "left before the envelope was sealed"),
        ("future", notice(told_at=w.NOW + 301), "refused @ 8", "told after now, by more than skew"),
    ):
        yield NOTICE.bad(f"notice_{name}", raw, outcome, comment)
    gone = {"trust": (_roster("kz-carrying-retired.vls", KZ_ROLLS, w.Revocation(DAUREN, "retired", w.SEALED + 60)), BY_FILE)}
    yield NOTICE.bad("notice_retired", notice(), "refused @ 9", "the signer was retired when he told", **gone)
    stolen = {"trust": (_roster("kz-carrying-stolen.vls", KZ_ROLLS, w.Revocation(DAUREN, "compromised", w.NOW)), BY_FILE)}
    yield NOTICE.bad("notice_compromised", notice(), "refused @ 9", "the signer's key was compromised later, and there is no evidence", **stolen)
    yield good("notice_recorded", notice(), "the same, and the reader had recorded it", recorded=(w.stamp_of(w.SEALED + 120),), **stolen)


def _handovers() -> Cases:
    good = HANDOVER.good
    yield good("handover_good", handover(), "the first hand-over: from who sealed to who carries")
    yield good("handover_unnamed", handover(who_gave=["a driver", list(w.KZ_MFA), None]), "from somebody without a credential")
    yield good(
        "handover_damaged", handover(seal_intact=False, condition="damaged", remark="cut open"), "with a broken seal and damage, which are told"
    )
    yield good("handover_early", handover(taken_at=w.SEALED - 300), "before the envelope was sealed, by no more than skew")
    closed = {"with": ("closed.vlz",)}
    yield good("handover_closed", handover(CLOSED_LETTER), "under a closed stamp: no place", **closed)
    for name, changes, comment in HANDOVER_FORMS:
        yield HANDOVER.bad(f"handover_{name}", handover(**changes), "malformed @ 2", comment)
    signer = DAUREN.signer("transport")
    halina = HALINA.signer("transport")
    for name, raw, outcome, comment in (
        ("as_notice", handover(signer=replace(signer, signs_type="valiza/v1/transport-notice")), "not authentic @ 2", "signed as a notice"),
        ("purpose", handover(signer=w.PEOPLE["dauren-seal"].signer("transport")), "not authentic @ 2", "signed with a key to seal"),
        ("broken", handover(signer=spoil.spoilt(halina, spoil.flip(9))), "not authentic @ 2", "only the Ed25519 half holds"),
        ("other_envelope", handover(OTHER), "not authentic @ 3", "of another envelope"),
        ("other_id", handover(envelope_id=bytes(32)), "not authentic @ 3", "another envelope id"),
        ("other_origin", handover(origin=list(w.KZ_KNB)), "not authentic @ 3", "another origin"),
        ("third_party", handover(who_gave=["x", ["TS", "TS-A"], None]), "refused @ 4", "from a body of a third party"),
        ("place_missing", handover(place=""), "malformed @ 5", "no place under an open stamp"),
        ("giver_unknown", handover(who_gave=["x", list(w.KZ_MFA), bytes(32)]), "refused @ 6", "from somebody whom nobody knows"),
        (
            "giver_elsewhere",
            handover(who_gave=["x", list(w.KZ_KNB), DAUREN.digest]),
            "refused @ 6",
            "from somebody of another body than the one named",
        ),
        ("early_too", handover(taken_at=w.SEALED - 301), "refused @ 7", "before the envelope was sealed, by more than skew"),
        ("future", handover(taken_at=w.NOW + 301), "refused @ 7", "after now, by more than skew"),
    ):
        yield HANDOVER.bad(f"handover_{name}", raw, outcome, comment)
    shown = handover(CLOSED_LETTER, place="Astana")
    yield HANDOVER.bad("handover_place_shown", shown, "malformed @ 5", "a place under a closed stamp", **closed)
    gone = {"trust": (_roster("kz-carrying-gone.vls", KZ_ROLLS, w.Revocation(DAUREN, "retired", w.SEALED + HOUR)), BY_FILE)}
    yield HANDOVER.bad("handover_retired", handover(), "refused @ 8", "the taker was retired when he took", **gone)


def _overdue() -> Cases:
    yield OVERDUE.good("overdue_good", overdue(), "a day after the receipt was due, the origin's register has none")
    yield OVERDUE.good("overdue_closed", overdue(CLOSED_LETTER), "under a closed stamp: the due date stands outside")
    yield OVERDUE.good("overdue_at_once", overdue(noticed_at=w.DUE + 1), "in the second after the one in which it was due")
    for name, changes, comment in (
        ("extension_unknown", {"extensions": {"copy": 1}}, "an extension that version 1 does not know"),
        ("field_more", {"more": None}, "a field more"),
    ):
        yield OVERDUE.bad(f"overdue_{name}", overdue(**changes), "malformed @ 2", comment)
    for name, raw, outcome, comment in (
        ("purpose", overdue(signer=DAUREN.signer("clerk")), "not authentic @ 2", "signed with a key for transport"),
        ("core_other", overdue(core=OTHER.core), "not authentic @ 3", "the core of another envelope"),
        ("by_destination", overdue(signer=BY_CLERK.signer("clerk")), "refused @ 4", "by the destination"),
        ("by_other_body", overdue(signer=OTHER_CLERK.signer("clerk")), "refused @ 4", "by another body of the origin's party"),
        ("due_other", overdue(receipt_due=w.DUE - 1), "malformed @ 5", "another time than the stamp's"),
        ("in_time", overdue(noticed_at=w.DUE), "refused @ 6", "in the second in which it was due"),
        ("future", overdue(noticed_at=LATE + HOUR + 301), "refused @ 6", "noticed after now, by more than skew"),
    ):
        yield OVERDUE.bad(f"overdue_{name}", raw, outcome, comment)
    alone = {"agreement": ("closed.vls",)}
    yield OVERDUE.bad("overdue_agreement_unknown", overdue(), "refused @ 6", "under an agreement that is not adopted", **alone)
    gone = {"trust": (_roster("kz-carrying-clerk.vls", KZ_ROLLS, w.Revocation(CLERK, "retired", LATE)), BY_FILE)}
    yield OVERDUE.bad("overdue_retired", overdue(), "refused @ 7", "the signer was retired when he signed", **gone)


def chain(built: o.Built = BAG) -> list[bytes]:
    """Three hand-overs with nothing wrong: dauren, then yerlan, then alena at the end."""
    closed = built.plan.closed
    one = handover(built)
    two = _next(one, 1, "" if closed else "Moscow", (DAUREN, YERLAN), built=built)
    return [one, two, _next(two, 2, "" if closed else "Minsk", (YERLAN, ALENA), built=built)]


def _next(after: bytes, leg: int, place: str, people: tuple[w.Credential, w.Credential], built: o.Built = BAG, **fields: Item) -> bytes:
    giver, taker = people
    usual: dict[str, Item] = {
        "leg": leg,
        "place": place,
        "who_gave": _giver(giver),
        "taken_at": w.SEALED + (leg + 1) * HOUR,
        "previous": wire.digest("statement", after),
    }
    return handover(built, taker.signer("transport"), **{**usual, **fields})


def _custody() -> Cases:
    one, two, three = chain()
    away = _next(one, 2, "Minsk", (DAUREN, ALENA))
    again = _next(one, 1, "Moscow", (DAUREN, YERLAN), remark="again")
    stranger = _next(one, 1, "Moscow", (HALINA, YERLAN))
    unnamed = _next(one, 1, "Moscow", (DAUREN, YERLAN), who_gave=_giver(DAUREN, named=False))
    wrong_hands = _next(two, 2, "Minsk", (YERLAN, HALINA))
    orsha = _next(one, 1, "Orsha", (DAUREN, YERLAN))
    over = _next(three, 3, "Minsk", (ALENA, HALINA))
    second = handover(leg=1, place="Moscow")
    back = _next(second, 0, "Astana", (DAUREN, YERLAN), taken_at=w.SEALED + 2 * HOUR)
    early = _next(two, 2, "Minsk", (YERLAN, ALENA), taken_at=w.SEALED + 2 * HOUR - 301)
    within = _next(two, 2, "Minsk", (YERLAN, ALENA), taken_at=w.SEALED + 2 * HOUR - 300)
    cut = _next(two, 2, "Minsk", (YERLAN, ALENA), seal_intact=False, condition="damaged", remark="cut open")
    by_orsha = _next(orsha, 2, "Minsk", (YERLAN, ALENA))
    detour = notice(**DETOUR)
    after = notice(number=2, previous=wire.digest("statement", detour), told_at=w.SEALED + 61)
    packed = notice(package_number="12/4", deviation="packed anew", expected_at=w.NOW)
    other_bag = _next(one, 1, "Moscow", (DAUREN, YERLAN), package_number="12/4")
    due = notice(leaves_at=w.SEALED + HOUR, expected_at=w.NOW - 300)
    far = notice(number=1000, previous=bytes(32), told_at=w.SEALED + 61, **DETOUR)
    late = notice(leaves_at=w.SEALED + HOUR, expected_at=w.NOW - 301)
    later = notice(number=2, previous=wire.digest("statement", late), expected_at=w.NOW, told_at=w.SEALED + 61)
    rows: Sequence[tuple[str, list[bytes], list[bytes], str, str]] = (
        ("complete", [three, one, two, one], [], "complete", "all legs, in another order, one twice"),
        ("none", [], [], "none", "no hand-over"),
        ("under_way", [one, two], [notice(expected_at=w.NOW)], "under-way", "two of three, as a notice told"),
        ("expected", [one, two], [due], "under-way", "two of three, and expected before now by no more than skew"),
        ("late", [one, two], [late], "late", "two of three, and expected before now by more than skew"),
        ("late_counts", [one, two], [late, later], "under-way", "a later notice expects it later"),
        ("late_complete", [one, two, three], [late], "complete", "expected before now, and there"),
        ("late_none", [], [late], "none", "expected before now, and nobody signed for it"),
        ("package", [one, other_bag], [], "wrong, other-package 1", "another package than the stamp says"),
        ("package_told", [one, other_bag], [packed], "under-way", "packed anew on the way, as a notice told"),
        ("skew", [one, two, within], [], "complete", "a clock that is behind by no more than skew"),
        ("kept_back", [one, three], [], "wrong, chain-broken 2, missing-leg 1", "the second is kept back"),
        ("first_kept_back", [two, three], [], "wrong, chain-broken 1, chain-broken 2, missing-leg 0", "the first is kept back"),
        ("leg_missing", [one, away], [], "wrong, missing-leg 1", "nobody signed for the second leg"),
        ("double", [one, two, three, again], [], "wrong, chain-broken 2, double-leg 1, forked 1, forked 1", "two took from one"),
        ("forked_first", [one, handover(remark="again")], [], "wrong, double-leg 0, forked 0, forked 0", "two took first"),
        ("order", [second, back], [], "wrong, out-of-order 0", "the second leg before the first"),
        ("beyond", [one, two, three, over], [], "wrong, no-such-leg 3", "one more behind the end"),
        ("place", [one, orsha], [], "wrong, other-place 1", "at another place than planned"),
        ("giver", [one, stranger], [], "wrong, other-giver 1", "from somebody who had not taken it"),
        ("giver_unnamed", [one, unnamed], [], "wrong, other-giver 1", "from who had taken it, named without his credential"),
        ("not_from_origin", [handover(who_gave=_giver(YERLAN))], [], "wrong, other-giver 0", "the first to give is not of the origin"),
        ("taker", [one, two, wrong_hands], [], "wrong, other-taker 2", "at the end another body than the destination took it"),
        ("time", [one, two, early], [], "wrong, time-back 2", "taken before the one before it, by more than skew"),
        ("seal", [one, two, cut], [], "wrong, damaged 2, seal-broken 2", "the seal was broken, and it was damaged"),
        ("detour", [one, orsha, by_orsha], [detour], "complete", "by another way, which a notice told"),
        ("detour_taken_back", [one, orsha, by_orsha], [after, detour], "wrong, other-place 1", "by another way, which a later notice took back"),
        ("unconnected", [one, two, three], [far, notice()], "complete", "a notice far above the others changes no way"),
        ("unconnected_only", [one, orsha, by_orsha], [far], "wrong, other-place 1", "a notice without those before it tells no way"),
    )
    head = {**HEAD, "with": ("carried.vlz",)}
    for name, handovers, notices, verdict, comment in rows:
        expect = {"complete": "success", "none": "incomplete", "under-way": "incomplete", "late": "incomplete"}.get(verdict, "refused")
        yield Case(f"custody_{name}", "custody", wire.encode([list(handovers), list(notices)]), expect, comment, verdict=verdict, head=head)
    hidden, closed_chain = {**HEAD, "with": ("closed.vlz",)}, chain(CLOSED_LETTER)
    for name, verdict, handovers, comment in (
        ("closed", "complete", closed_chain, "under a closed stamp, for who does not know the legs: the destination has it"),
        ("closed_under_way", "under-way", closed_chain[:2], "the same before that"),
    ):
        expect = "success" if verdict == "complete" else "incomplete"
        yield Case(f"custody_{name}", "custody", wire.encode([list(handovers), []]), expect, comment, verdict=verdict, head=hidden)
    twice = wire.encode([[], [notice(), notice(reference="another")]])
    yield Case("custody_notices_two", "custody", twice, "refused", "two notices with one number", "several 1", head=head)
    loose = wire.encode([[], [notice(), notice(number=2, previous=bytes(32))]])
    yield Case("custody_notices_loose", "custody", loose, "refused", "a notice that does not follow the one before it", "several 1", head=head)
    earlier = notice(number=2, previous=wire.digest("statement", notice()), told_at=w.SEALED + 59)
    yield Case("custody_notices_back", "custody", wire.encode([[], [notice(), earlier]]), "refused", "a notice dated back", "several 2", head=head)


def _seen() -> Cases:
    """Receipts whose acknowledgement names a notice."""
    one = wire.digest("statement", notice())
    WORLD["carried.record"] = BAG.record() + f"notice: {one.hex()}\n".encode()
    named = o.receipt(o.acknowledgement(BAG, fields={"notice": one}))
    unknown = o.receipt(o.acknowledgement(BAG, fields={"notice": bytes(32)}))
    head, recorded = {**HEAD, "with": ("none",)}, {"record": ("carried.record",)}
    topic = Topic("receipt_notice", "receipt", head)
    yield replace(topic.good("seen", named, "names a notice that the origin recorded", **recorded), verdict="delivered")
    none = o.receipt(o.acknowledgement(BAG))
    yield replace(topic.good("not_seen", none, "names none: it had not come", **recorded), verdict="delivered")
    yield replace(topic.good("stranger", unknown, "names one, which who has no record cannot compare"), verdict="attested")
    yield topic.bad("unknown", unknown, "not authentic @ 10", "names one that the origin did not make", **recorded)


def cases() -> Cases:
    """All of them."""
    for part in (_notices, _handovers, _overdue, _custody, _seen):
        yield from part()
