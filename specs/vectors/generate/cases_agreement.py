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
    ("term_unknown", "body", _terms([*w.TERMS, "wishes"]), "a term that there is not"),
    ("no_previous", "body", {"version": 2}, "version 2 without the one that it replaces"),
    ("previous_of_first", "body", {"previous": bytes(32)}, "version 1 with one that it replaces"),
    ("version_0", "body", {"version": 0}, "version 0"),
    ("parties_descending", "body", {"parties": [w.KZ_SIDE, w.BY_SIDE]}, "parties in descending order"),
    ("party_alone", "body", {"parties": [w.BY_SIDE, w.BY_SIDE]}, "one party twice"),
    ("three_parties", "body", {"parties": [w.BY_SIDE, w.KZ_SIDE, w.KZ_SIDE]}, "three parties"),
    ("code_twice", "body", _side(marks=[["ov", "x", w.names("x")]] * 2), "a code twice in one list"),
    ("no_competent", "body", _side(competent=[]), "no competent body"),
    ("no_confirming", "body", _side(confirming=[]), "no confirming body"),
    ("confirming_word", "body", _side(confirming=["origin"]), "a confirming body that is neither id nor destination"),
    ("confirming_unsorted", "body", _side(confirming=["destination", "BY-KGB"]), "confirming bodies that are not sorted"),
    ("no_basis", "body", _side(basis=[]), "no kind of basis"),
    ("basis_unknown", "body", _side(basis=["rumour"]), "a kind of basis that there is not"),
    ("channels_unsorted", "body", {"channels": list(w.CHANNELS)[::-1]}, "channels that are not sorted"),
    ("no_escorts", "body", {"escorts": []}, "no form of escort"),
    ("rows_unsorted", "marks 2", {"rows": ROWS[::-1]}, "rows that are not sorted"),
    ("row_twice", "marks 2", {"rows": sorted([*ROWS, ["KZ", "s", "ss"]])}, "two rows for one code"),
    ("row_third_party", "marks 1", {"rows": [*ROWS, ["TS", "x", "s"]]}, "a row of a third party"),
    ("row_code_unknown", "marks 1", {"rows": [*ROWS, ["KZ", "x", "s"]]}, "a row from a code that is not defined"),
    ("row_to_unknown", "marks 1", {"rows": [*ROWS[:-1], ["KZ", "ss", "dsp"]]}, "a row to a code that is not defined"),
    ("not_monotone", "marks 3", {"rows": [*ROWS[:4], ["KZ", "s", "ss"], ["KZ", "ss", "s"]]}, "a more secret mark goes to a less secret one"),
    ("handling_missing", "marks 4", {"handling": HANDLING[:-1]}, "a mark with a row and without handling"),
    ("handling_without_row", "marks 4", {"rows": ROWS[:-1]}, "a mark with handling and without a row"),
    (
        "handling_unknown_channel",
        "body",
        {"handling": [*HANDLING[:-1], ["KZ", "ss", ["post"], *ALL[1:]]]},
        "handling by a channel that is not defined",
    ),
    ("handling_empty", "body", {"handling": [*HANDLING[:-1], ["KZ", "ss", [], *ALL[1:]]]}, "handling without a channel"),
    ("suites_none", "body", {"suites": []}, "no suite"),
    ("suites_two", "body", {"suites": [1, 2]}, "a suite that version 1 does not know"),
    ("stamp_word", "body", {"stamp": "sealed"}, "a stamp neither open nor closed"),
    ("padding_word", "body", {"padding": ["random"]}, "a rule of padding that there is not"),
    ("padding_multiple_1", "body", {"padding": ["multiple", 1]}, "multiples of 1"),
    ("padding_none_1", "body", {"padding": ["none", 1]}, "no padding, and a number"),
    ("skew", "body", {"skew": 86401}, "a skew of more than a day"),
    ("max_transit", "body", {"max transit": 31622401}, "a transit of more than 366 days"),
    ("never_valid", "body", {"valid until": w.FROM}, "valid until is not after valid from"),
    ("id", "body", {"id": "KZ-BY"}, "an id in upper case"),
    ("extension_unknown", "body", {"extensions": {"annex": 1}}, "an extension that version 1 does not know"),
    ("extra_field", "body", {"more": None}, "a field too many"),
)
ENDS: Sequence[tuple[str, Changes, str, str]] = (
    ("end_backwards", {"takes effect at": w.when("2026-01-31")}, "malformed @ body", "takes effect before it is given"),
    ("end_of_unknown", {"agreement": bytes(32)}, "refused @ parties", "of an agreement that the reader does not know"),
    ("end_for_other", {"party": "BY"}, "not authentic @ statement 4", "one party's root ends it in the other's name"),
    ("end_extra_field", {"more": None}, "malformed @ body", "a field too many"),
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
        ("no_skew", w.OPEN.but({"skew": 0, "max transit": 0}), "no skew, no transit"),
        ("one_row", w.OPEN.but({"rows": ROWS[-1:], "handling": HANDLING[-1:]}), "one row, in one direction"),
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
        ("one_signature", [kz], "malformed @ statement 3", "one root's signature only"),
        ("signed_twice", [kz, kz], "malformed @ statement 3", "one root's signature twice"),
        ("three_signatures", [kz, by, ts], "malformed @ statement 3", "three signatures"),
        ("unknown_root", [kz, second.signer()], "not authentic @ statement 4", "the second root is not pinned"),
        ("mldsa_broken", [kz, spoil.spoilt(by, spoil.flip(9))], "not authentic @ statement 5", "one root's ML-DSA half does not hold"),
        ("ed25519_broken", [kz, spoil.spoilt(by, spoil.flip(-1))], "not authentic @ statement 5", "one root's Ed25519 half does not hold"),
    ):
        yield TOPIC.bad(name, w.OPEN.but({}, signers).statement(), outcome, comment)
    third = {"root": (*PINNED, f"TS {w.TS.digest.hex()}"), "trust": ("kz.vls", "by.vls", "ts.vls")}
    outsider = w.OPEN.but({}, [kz, ts]).statement()
    yield TOPIC.bad("third_party_signs", outsider, "not authentic @ statement 7", "signed by a party that it does not name", **third)
    own_codes = w.side("BY", ["x"], ["BY-MFA"], ["destination"], ["decision"])
    foreign = w.OPEN.but({"parties": [own_codes, w.KZ_SIDE], "rows": [["KZ", "s", "x"]], "handling": [["KZ", "s", *ALL]]})
    yield TOPIC.bad("code_no_degree", foreign.statement(), "refused @ adopting", "a code that is no degree of the party's root")
    swapped = w.side("BY", ["ss", "ov", "s"], ["BY-MFA"], ["destination"], ["decision"])
    order = w.OPEN.but({"parties": [swapped, w.KZ_SIDE], "rows": [["KZ", "s", "s"]], "handling": [["KZ", "s", *ALL]]})
    yield TOPIC.bad("codes_reordered", order.statement(), "refused @ adopting", "codes in another order than the root's degrees")
    relabelled = w.OPEN.statement()[1:]
    yield TOPIC.bad("no_statement", relabelled, "malformed @ statement 2", "its first byte missing")
    for name, changes, outcome, comment in ENDS:
        yield END.bad(name, w.termination(changes), outcome, comment)
    outside = {"party": "TS"}
    yield END.bad("end_by_third", w.termination(outside, ts), "refused @ parties", "ended by a party that it does not name", **third)


def cases() -> Cases:
    """All of them."""
    yield from _good()
    yield from _bad()
