"""Vectors of agreements and terminations (agreement.md)."""

from __future__ import annotations

from collections.abc import Sequence

import spoil
import world as w
from cases import PINNED, TRUSTED, Cases, Changes, Topic

TOPIC = Topic("agreement", "agreement", TRUSTED)
END = Topic("agreement", "termination", {**TRUSTED, "agreement": ("open.vls",)})
ALL = w.EVERYTHING
ROWS, HANDLING = list(w.ROWS), list(w.HANDLING)


def _terms(names: Sequence[str]) -> Changes:
    return {"terms": {name: w.names(name) for name in names}}


def _side(**changes: object) -> Changes:
    """The agreement with something else said of BY."""
    names = ("party", "names", "marks", "competent", "confirming", "basis")
    side = dict(zip(names, w.BY_SIDE, strict=True)) | changes
    return {"parties": [list(side.values()), w.KZ_SIDE]}


BAD_BODIES: Sequence[tuple[str, str, Changes, str]] = (
    ("no_point_disputes", "body", _terms([term for term in w.TERMS if term != "disputes"]), "R4's eighth point is missing"),
    ("no_previous", "body", {"version": 2}, "version 2 without the one that it replaces"),
    ("previous_of_first", "body", {"previous": bytes(32)}, "version 1 with one that it replaces"),
    ("parties_descending", "body", {"parties": [w.KZ_SIDE, w.BY_SIDE]}, "parties in descending order"),
    ("party_alone", "body", {"parties": [w.BY_SIDE, w.BY_SIDE]}, "one party twice"),
    ("row_twice", "marks 2", {"rows": sorted([*ROWS, ["KZ", "s", "ss"]])}, "two rows for one code"),
    ("row_third_party", "marks 1", {"rows": [*ROWS, ["TS", "x", "s"]]}, "a row of a third party"),
    ("not_monotone", "marks 3", {"rows": [*ROWS[:4], ["KZ", "s", "ss"], ["KZ", "ss", "s"]]}, "a more secret mark goes to a less secret one"),
    ("handling_missing", "marks 4", {"handling": HANDLING[:-1]}, "a mark with a row and without handling"),
    ("handling_without_row", "marks 4", {"rows": ROWS[:-1]}, "a mark with handling and without a row"),
    ("suites_two", "body", {"suites": [1, 2]}, "a suite that version 1 does not know"),
    ("skew", "body", {"skew": 86401}, "a skew of more than a day"),
)
ENDS: Sequence[tuple[str, Changes, str, str]] = (
    ("end_backwards", {"takes effect at": w.when("2026-01-31")}, "malformed @ body", "takes effect before it is given"),
    ("end_of_unknown", {"agreement": bytes(32)}, "refused @ parties", "of an agreement that the reader does not know"),
    ("end_for_other", {"party": "BY"}, "not authentic @ statement 4", "one party's root ends it in the other's name"),
)


def _good() -> Cases:
    last = {"valid until": None}
    for name, agreement, comment in (
        ("open", w.OPEN, "an open stamp, no padding"),
        ("closed", w.CLOSED, "a closed stamp, padding padme"),
        ("uneven", w.UNEVEN, "three degrees against four, a one-way row, a mark without counterpart, padding to multiples"),
        ("next", w.NEXT, "version 2, with the digest of version 1"),
        ("no_end", w.OPEN.but(last), "without an end"),
        ("extension_shown", w.OPEN.but({"extensions": {"~annex": "A"}}), "an extension that is shown and ignored"),
        ("many_to_one", w.OPEN.but({"rows": [*ROWS[:4], ["KZ", "s", "s"], ["KZ", "ss", "s"]]}), "two marks that go to one"),
    ):
        yield TOPIC.good(name, agreement.statement(), comment)
    yield END.good("end", w.termination(), "a termination")


def _bad() -> Cases:
    for name, step, changes, comment in BAD_BODIES:
        yield TOPIC.bad(name, w.OPEN.but(changes).statement(), f"malformed @ {step}", comment)
    by, kz, ts = w.BY.signer(), w.KZ.signer(), w.TS.signer()
    second = w.Root("KZ", ["ov", "ss", "s"], tag=" again")
    for name, signers, outcome, comment in (
        ("one_signature", [kz], "not authentic @ statement 7", "one root's signature only"),
        ("signed_twice", [kz, kz], "malformed @ statement 3", "one root's signature twice"),
        ("unknown_root", [kz, second.signer()], "not authentic @ statement 4", "the second root is not pinned"),
        ("ed25519_broken", [kz, spoil.spoilt(by, spoil.flip(-1))], "not authentic @ statement 5", "one root's Ed25519 half does not hold"),
    ):
        yield TOPIC.bad(name, w.OPEN.but({}, signers).statement(), outcome, comment)
    alone = w.OPEN.but({"suites": [1, 2]}, [kz]).statement()
    yield TOPIC.bad("one_signature_malformed", alone, "malformed @ body", "one root's signature only, and malformed: whose it needs the body says")
    third = {"root": (*PINNED, f"TS {w.TS.digest.hex()}"), "trust": ("kz.vls", "by.vls", "ts.vls")}
    outsider = w.OPEN.but({}, [kz, ts]).statement()
    yield TOPIC.bad("third_party_signs", outsider, "not authentic @ statement 7", "signed by a party that it does not name", **third)
    own_codes = w.side("BY", ["x"], ["BY-MFA"], ["destination"], ["decision"])
    foreign = w.OPEN.but({"parties": [own_codes, w.KZ_SIDE], "rows": [["KZ", "s", "x"]], "handling": [["KZ", "s", *ALL]]})
    yield TOPIC.bad("code_no_degree", foreign.statement(), "refused @ adopting", "a code that is no degree of the party's root")
    swapped = w.side("BY", ["ss", "ov", "s"], ["BY-MFA"], ["destination"], ["decision"])
    order = w.OPEN.but({"parties": [swapped, w.KZ_SIDE], "rows": [["KZ", "s", "s"]], "handling": [["KZ", "s", *ALL]]})
    yield TOPIC.bad("codes_reordered", order.statement(), "refused @ adopting", "codes in another order than the root's degrees")
    for name, changes, outcome, comment in ENDS:
        yield END.bad(name, w.termination(changes), outcome, comment)
    outside = {"party": "TS"}
    yield END.bad("end_by_third", w.termination(outside, ts), "refused @ parties", "ended by a party that it does not name", **third)


def cases() -> Cases:
    """All of them."""
    yield from _good()
    yield from _bad()
