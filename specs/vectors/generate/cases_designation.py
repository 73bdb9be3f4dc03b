"""Vectors of designations: in rosters of the small party TS, who has a role, and what comes of it for envelopes and enquiries (designation.md)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import cases_clearance as clearing
import objects as o
import spoil
import wire
import world as w
from cases import KGB_LETTER, LETTER, PINNED, WORLD, Case, Cases, Changes, Topic
from cases_roster import AFTER, GOOD, RENEWED, body, officer
from wire import Item

T = w.when("2026-02-01")
DAY = 86400
HEAD = {"root": (f"TS {w.TS.digest.hex()}",), "at": (w.stamp_of(w.NOW),)}
TOPIC = Topic("designation", "roster", HEAD)
ONE = w.Designation(w.TS, "TS-B", "competent", T)


def roster(*designations: w.Designation, older: w.Roster = GOOD, **changes: Any) -> w.Roster:  # noqa: ANN401 - as dataclasses.replace
    """A roster of TS with these designations in the order given."""
    return replace(older, **{"designations": [one.statement() for one in designations], **changes})


def _good() -> Cases:
    ended = replace(ONE, until=T + DAY)
    life = [ONE, replace(ONE, place="TS-C", replaces="TS-B", effective=T + 9, number=2), replace(ONE, place="TS-B", replaces="TS-C", number=3)]
    rows: Sequence[tuple[str, Sequence[w.Designation], str]] = (
        ("competent", [ONE], "a competent body, in addition, without end"),
        ("confirming", [replace(ONE, role="confirming", replaces="TS-A", until=T + DAY)], "a confirming body in the place of another one, for a day"),
        ("of_known_body", [replace(ONE, place="TS-A")], "a body that has credentials"),
        ("one_second", [replace(ended, until=T + 1)], "for one second"),
        ("to_and_fro", life, "replaced, and put back; the third is effective before the second"),
        ("both_roles", [ONE, replace(ONE, role="confirming", number=2)], "the numbers run through both roles"),
        ("same_again", [ONE, replace(ONE, number=2)], "the same body twice"),
        ("effective_later", [replace(ONE, effective=w.UNTIL, issued=T)], "effective long after it was issued"),
        ("extension_shown", [replace(ONE, fields={"extensions": {"~order": 7}})], "an extension that is shown and ignored"),
    )
    for name, designations, comment in rows:
        yield TOPIC.good(name, roster(*designations).statement(), comment)
    yield TOPIC.good("old_root", roster(ONE, older=AFTER).statement(), "by the root's first version")
    yield TOPIC.good("by_quorum", roster(replace(ONE, root=RENEWED), older=AFTER).statement(), "by two custodians of three")


def _signers() -> Cases:
    broken = spoil.spoilt(w.TS.signer("root"), spoil.flip(9))
    other = w.Root("TS", ["x"], tag=" of another")
    rows: Sequence[tuple[str, w.Designation, str, str]] = (
        ("by_body", replace(ONE, signers=[body.signer("root")]), "not authentic @ designation 2", "signed by a body that certifies"),
        (
            "by_officer",
            replace(ONE, signers=[officer.signer("root")]),
            "not authentic @ designation 2",
            "signed by somebody who is not in the roster",
        ),
        ("by_other_root", replace(ONE, signers=[other.signer("root")]), "not authentic @ designation 2", "signed by another root"),
        ("ed25519_only", replace(ONE, signers=[broken]), "not authentic @ designation 2", "only the Ed25519 half holds"),
        ("of_other_party", replace(ONE, fields={"party": "KZ"}), "refused @ designation 3", "it names another party"),
        ("role_issuer", replace(ONE, signers=[w.TS.signer("issuer")]), "malformed @ designation 2", "signed in the role of an issuer"),
    )
    for name, one, outcome, comment in rows:
        yield TOPIC.bad(name, roster(one).statement(), outcome, comment)
    half = replace(ONE, root=RENEWED, signers=RENEWED.quorum("root", (" 1",)))
    yield TOPIC.bad("below_threshold", roster(half, older=AFTER).statement(), "not authentic @ designation 2", "one custodian of two signed")
    twice = replace(ONE, root=RENEWED, signers=[*RENEWED.quorum("root"), w.TS.signer("root")])
    yield TOPIC.bad("two_roots", roster(twice, older=AFTER).statement(), "not authentic @ designation 2", "signed in the name of two of the roots")


def _lists() -> Cases:
    two = replace(ONE, place="TS-C", number=2)
    malformed, holes = "malformed @ designation 4", "refused @ designation 4"
    rows: Sequence[tuple[str, Sequence[w.Designation], str, str]] = (
        ("unsorted", [two, ONE], malformed, "2 before 1"),
        ("twice", [ONE, ONE], malformed, "one designation twice"),
        ("number_twice", [ONE, replace(two, number=1)], malformed, "one number for two designations"),
        ("begins_with_2", [two], holes, "no 1"),
        ("hole", [ONE, replace(two, number=3)], holes, "no 2"),
    )
    for name, designations, outcome, comment in rows:
        yield TOPIC.bad(name, roster(*designations).statement(), outcome, comment)
    bodies: Sequence[tuple[str, Changes, str]] = (
        ("number_0", {"number": 0}, "number 0"),
        ("role_unknown", {"role": "authorised"}, "a role that version 1 does not know"),
        ("body_id_destination", {"body id": "destination"}, "the word that an agreement may use, which is no id"),
        ("names_none", {"names": {}}, "a body without a name"),
        ("effective_early", {"issued at": T + 1}, "effective before it is issued"),
        ("until_at_once", {"effective until": T}, "it ends the second that it begins"),
        ("replaces_itself", {"replaces": "TS-B"}, "a body in its own place"),
        ("extension_unknown", {"extensions": {"order": 7}}, "an extension that version 1 does not know"),
        ("field_more", {"note": "x"}, "a field more"),
    )
    for name, changes, comment in bodies:
        yield TOPIC.bad(name, roster(replace(ONE, fields=changes)).statement(), "malformed @ designation 2", comment)
    empty = replace(GOOD, fields={"designations": [b""]})
    yield TOPIC.bad("empty", empty.statement(), "malformed @ designation 2", "a designation that is no statement")


def _imports() -> Cases:
    def known(name: str, older: w.Roster) -> Topic:
        WORLD[f"ts-{name}.vls"] = older.statement()
        return Topic("designation", "roster", {**HEAD, "older": (f"ts-{name}.vls",)})

    first = known("designated", roster(ONE))
    later = replace(ONE, place="TS-C", number=2)
    yield first.good("newer", roster(ONE, later, version=2).statement(), "the older one's, and one more")
    yield first.bad("dropped", roster(version=2).statement(), "refused @ 6", "a designation of the older roster is missing")
    other = replace(ONE, place="TS-D")
    yield first.bad("replaced", roster(other, version=2).statement(), "refused @ 6", "another one under a known number")
    root = known("renewed-designated", roster(ONE, older=AFTER))
    comment = "new, and signed by a root that was replaced"
    yield root.bad("by_old_root", roster(ONE, later, older=AFTER, version=3).statement(), "refused @ designation 5", comment)
    new = replace(later, root=RENEWED)
    yield root.good("by_new_root", roster(ONE, new, older=AFTER, version=3).statement(), "the same by the one that replaced it")


Said = tuple[str, int, int | None, str | None]  # body id, from, until, replaces


def _rule() -> Cases:
    """The rule alone: whether B has a role at 0, which A has by the agreement."""
    topic = Topic("role", "role", {})

    def case(name: str, said: Sequence[Said], comment: str, *, has: bool, who: str = "TS-B", named: str = "TS-A", role: str = "competent") -> Case:
        changes: list[Item] = [[place, "competent", T + start, None if end is None else T + end, replaces] for place, start, end, replaces in said]
        raw = wire.encode([who, role, T, [named], changes])
        return topic.good(name, raw, comment) if has else topic.bad(name, raw, "refused @ rule", comment)

    yield case("named", [], "the agreement names it", who="TS-A", has=True)
    yield case("not_named", [], "nobody names it", has=False)
    for name, start, end, has in (
        ("before", 1, None, False),
        ("at", 0, None, True),
        ("after", -9, None, True),
        ("last_second", -9, 1, True),
        ("ended", -9, 0, False),
    ):
        yield case(f"added_{name}", [("TS-B", start, end, None)], f"designated from {start} until {end}", has=has)
    yield case("added_besides", [("TS-B", 0, None, None)], "the other one still has it", who="TS-A", has=True)
    yield case("other_role", [("TS-B", 0, None, None)], "designated for the other role", role="confirming", has=False)
    placed: Said = ("TS-B", 0, None, "TS-A")
    yield case("in_place", [placed], "in the place of the other one", has=True)
    yield case("in_place_gone", [placed], "who was replaced has it no more", who="TS-A", has=False)
    yield case("in_place_not_yet", [("TS-B", 1, None, "TS-A")], "who is to be replaced has it still", who="TS-A", has=True)
    yield case("in_place_ended", [("TS-B", -9, 0, "TS-A")], "who was replaced for a time has it again", who="TS-A", has=True)
    yield case("in_place_of_nobody", [placed], "in the place of a body that the agreement does not name", named="TS-C", has=False)
    back: list[Said] = [placed, ("TS-A", 0, None, "TS-B")]
    yield case("put_back", back, "replaced, and put back", who="TS-A", has=True)
    yield case("put_back_gone", back, "and its successor is gone", has=False)
    yield case("order", [("TS-A", -9, None, "TS-B"), placed], "by number, whenever each is effective", has=True)
    chain: list[Said] = [("TS-C", -9, None, "TS-A"), ("TS-B", -5, None, "TS-C")]
    yield case("chain", chain, "in the place of one that took another's place", has=True)
    yield case("chain_broken", [("TS-C", 9, None, "TS-A"), chain[1]], "the one between is not effective yet", has=False)
    yield case("withdrawn", [("TS-B", -9, None, None), ("TS-A", 0, None, "TS-B")], "added, and withdrawn: one who has it takes its place", has=False)


OPENERS = (w.PEOPLE["alena-open"], w.PEOPLE["bahdan-open"])
BY_FEW = (w.by_roster, w.by_mfa, *OPENERS)
ASKED_FEW = (*BY_FEW, w.by_kgb, clearing.HALINA)
MVD_LETTER = o.Built(o.Envelope("confirming", confirming=w.BY_MVD))


def _envelopes() -> Cases:
    """Who confirms a letter to BY-MFA: by the agreement BY-KGB, and the destination."""

    def case(name: str, letter: o.Built, one: w.Designation, outcome: str, comment: str) -> Case:
        WORLD[f"by-{name}.vls"] = w.Roster(w.BY, w.by_roster, BY_FEW, designations=[one.statement()]).statement()
        head = {"root": PINNED, "trust": ("kz.vls", f"by-{name}.vls"), "at": (w.stamp_of(w.NOW),), "agreement": ("open.vls",), "mode": ("verify",)}
        topic = Topic("envelope", "envelope", head)
        name = name.replace("-", "_")
        return topic.good(name, letter.container, comment) if outcome == "success" else topic.bad(name, letter.container, outcome, comment)

    added = w.Designation(w.BY, "BY-MVD", "confirming", w.SEALED)
    refused = "refused @ 7"
    yield case("confirming-added", MVD_LETTER, added, "success", "a confirming body that was designated the second that it was sealed")
    comment = "the same a second later"
    yield case("confirming-added-later", MVD_LETTER, replace(added, effective=w.SEALED + 1), refused, comment)
    ended = replace(added, effective=w.FROM, until=w.SEALED)
    yield case("confirming-ended", MVD_LETTER, ended, refused, "designated up to the second that it was sealed")
    yield case("confirming-competent", MVD_LETTER, replace(added, role="competent"), refused, "designated as a competent body")
    placed = replace(added, replaces="BY-KGB")
    yield case("confirming-in-place", MVD_LETTER, placed, "success", "in the place of one that the agreement names")
    yield case("confirming-replaced", KGB_LETTER, placed, refused, "a confirming body that was replaced the second that it was sealed")
    later = replace(placed, effective=w.SEALED + 1)
    yield case("confirming-replaced-later", KGB_LETTER, later, "success", "the same, replaced a second later")
    own = replace(added, replaces="BY-MFA")
    yield case("confirming-destination", LETTER, own, refused, "the destination, in whose place another body confirms")
    yield case("confirming-for-destination", MVD_LETTER, own, "success", "that other body")


def _enquiries() -> Cases:
    """Whom a competent body of KZ asks about officers of BY-MFA: by the agreement BY-KGB, or BY-MFA."""

    def known(name: str, kind: str, one: w.Designation) -> Topic:
        WORLD[f"by-{name}.vls"] = replace(clearing.BY_ROLLS, members=ASKED_FEW, designations=[one.statement()]).statement()
        return Topic("clearance", f"clearance-{kind}", {**clearing.HEAD, "trust": (clearing.KZ_FILE, f"by-{name}.vls")})

    asked, refused = clearing.ASKED, "refused @ 4"
    mvd, usual, answer = clearing.GOOD.but(asked=list(w.BY_MVD)).statement(), clearing.GOOD.statement(), clearing.answer()
    added = w.Designation(w.BY, "BY-MVD", "competent", asked)
    gone = replace(added, replaces="BY-KGB")
    comment = "a body is asked that was designated the second that it was asked"
    yield known("designated", "enquiry", added).good("enquiry_designated", mvd, comment)
    later = known("designated-later", "enquiry", replace(added, effective=asked + 1))
    yield later.bad("enquiry_designated_later", mvd, refused, "the same a second later")
    comment = "a body is asked in whose place there is another one"
    yield known("replaced", "enquiry", gone).bad("enquiry_replaced", usual, refused, comment)
    between = known("replaced-between", "confirmation", replace(gone, effective=clearing.ANSWERED))
    yield between.bad("confirmation_replaced", answer, refused, "who was asked was replaced the second that he answered")
    after = known("replaced-after", "confirmation", replace(gone, effective=clearing.ANSWERED + 1))
    yield after.good("confirmation_replaced_later", answer, "the same a second later")


def cases() -> Cases:
    """All of them."""
    for part in (_good, _signers, _lists, _imports, _rule, _envelopes, _enquiries):
        yield from part()
