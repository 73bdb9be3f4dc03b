"""Vectors of rosters, of the small party TS (credential.md, Roster)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import spoil
import world as w
from cases import WORLD, Cases, Changes, Topic

BODY = ("TS", "TS-A")
roster_key = w.Credential("ts-roster", BODY, "roster", w.TS)
body = w.Credential("ts-body", BODY, "certify", w.TS, "x", certifies=True, valid=(w.FROM, w.when("2036-01-01")))
officer = w.Credential("ts-officer", BODY, "seal", body, "x")
second = w.Credential("ts-second", BODY, "acknowledge", body, "x")
GOOD = w.Roster(w.TS, roster_key, [roster_key, body])
LEAST = w.Roster(w.TS, roster_key, [roster_key])
WORLD["ts.vls"] = GOOD.statement()

# The renewed root: three custodians, of whom two are needed, follow the first.
RENEWED = w.Root("TS", ["x"], custodians=(" 1", " 2", " 3"), threshold=2, older=w.TS)
new_roster_key = w.Credential("ts-roster-2", BODY, "roster", RENEWED)
AFTER = w.Roster(RENEWED, new_roster_key, [roster_key, new_roster_key, body], version=2)
WORLD["ts-renewed.vls"] = AFTER.statement()

HEAD = {"root": (f"TS {w.TS.digest.hex()}",), "at": (w.stamp_of(w.NOW),)}
TOPIC = Topic("roster", "roster", HEAD)
AGAIN = Topic("roster", "roster", {**HEAD, "older": ("ts.vls",)})

BAD_BODIES: Sequence[tuple[str, Changes, str]] = (
    ("never_valid", {"expires at": w.ISSUED}, "expires at is not after issued at"),
    ("valid_too_long", {"expires at": w.ISSUED + 400 * 86400 + 1}, "in force for 400 days and a second"),
    ("extension_unknown", {"extensions": {"crl": b""}}, "an extension that version 1 does not know"),
)


def _good() -> Cases:
    renewed = replace(officer, name="ts-renewed", key="ts-officer", valid=(w.UNTIL, w.UNTIL + 9))
    yield TOPIC.good("good", GOOD.statement(), "a roster")
    yield TOPIC.good(
        "key_renewed", replace(GOOD, members=[*GOOD.members, officer, renewed]).statement(), "one key in two credentials, one after the other"
    )
    expired = {"at": (w.stamp_of(w.EXPIRES),)}
    yield TOPIC.bad("expired", LEAST.statement(), "refused @ 6", "expired the second that it is imported", **expired)
    last = {"at": (w.stamp_of(w.EXPIRES - 1),)}
    yield TOPIC.good("expires_next_second", LEAST.statement(), "imported the last second before it expires", **last)
    yield AGAIN.good("expired_known", GOOD.statement(), "the same bytes as are known: nothing is imported, expired or not", **expired)
    yield TOPIC.good("issued_tomorrow", LEAST.statement(), "issued a day from now: accepted", at=(w.stamp_of(w.ISSUED - 86400),))
    far = replace(GOOD, version=1001)
    yield AGAIN.good("version_thousand_higher", far.statement(), "version 1001 after version 1")
    longest = replace(LEAST, times=(w.ISSUED, w.ISSUED + 400 * 86400))
    yield TOPIC.good("valid_longest", longest.statement(), "in force for 400 days")
    at_once = replace(GOOD, version=2, members=[*GOOD.members, second])
    yield AGAIN.good("issued_same_second", at_once.statement(), "version 2, issued in the same second as version 1")
    register = w.Credential("ts-register", BODY, "register", body, "x")
    yield AGAIN.good("register", replace(GOOD, version=2, members=[*GOOD.members, officer, register]).statement(), "with a register's key")
    yield AGAIN.good("newer", replace(GOOD, version=2, members=[*GOOD.members, officer]).statement(), "version 2, with a new officer")


def _bad() -> Cases:
    signer = roster_key.signer("roster")
    outside = replace(GOOD, members=[body])
    expired = replace(roster_key, name="ts-lapsed", valid=(w.FROM, w.ISSUED))
    other = w.Root("TS", ["x"], tag=" of another")
    cut = partial(replace, LEAST)
    for name, roster, outcome, comment in (
        ("not_pinned", cut(root=other), "not authentic @ 1", "another root of that party, not pinned"),
        ("other_party", cut(fields={"party": "KZ"}), "refused @ 1", "the root is of another party than the roster"),
        ("roots_none", cut(roots=[]), "malformed @ 1", "no root"),
        ("revocation_empty", cut(fields={"revocations": [b""]}), "malformed @ revocation 2", "a revocation that is no statement"),
        ("signer_outside", outside, "not authentic @ 2", "its signer is not in it"),
        ("signer_purpose", cut(signing=body.signer("roster"), members=[roster_key, body]), "not authentic @ 2", "signed with a key that certifies"),
        ("mldsa_broken", cut(signing=spoil.spoilt(signer, spoil.flip(9))), "not authentic @ 2", "only the Ed25519 half holds"),
        ("signer_expired", cut(signer=expired, members=[roster_key, expired]), "refused @ 4", "its signer's validity ends at issued at"),
        ("credentials_unsorted", cut(members=[roster_key, body], unsorted=True), "malformed @ 1", "credentials that are not sorted"),
        ("credential_twice", cut(members=[roster_key, roster_key]), "malformed @ 1", "one credential twice"),
    ):
        yield TOPIC.bad(name, roster.statement(), outcome, comment)
    for name, changes, comment in BAD_BODIES:
        yield TOPIC.bad(name, replace(LEAST, fields=changes).statement(), "malformed @ 1", comment)


def sharing(one: w.Credential, other: w.Credential) -> tuple[w.Credential, w.Credential]:
    """*one* with each half of the key of *other*: the ML-DSA or ML-KEM half, and the other one."""
    first, second = (other.public[:-32] + one.public[-32:], one.public[:-32] + other.public[-32:])
    return replace(one, fields={"public key": [one.kind, first]}), replace(one, fields={"public key": [one.kind, second]})


def _members() -> Cases:
    mirror = w.Credential("ts-mirror", BODY, "acknowledge", body, "x", key="ts-officer")
    roots_key = replace(second, key="root TS")
    halves = sharing(second, officer)
    opening = w.Credential("ts-opening", BODY, "open", body, "x")
    opened = sharing(replace(opening, name="ts-opening-2"), opening)
    register = w.Credential("ts-register", BODY, "register", body, "x")
    registers = sharing(replace(register, name="ts-register-2"), register)
    foreign = w.PEOPLE["dauren-seal"]
    third = w.Credential("ts-third", ("TS", "TS-B"), "certify", body, "x")
    fourth = w.Credential("ts-fourth", ("TS", "TS-C"), "certify", third, "x")
    deep = w.Credential("ts-deep", ("TS", "TS-C"), "seal", fourth, "x")
    broken = replace(second, signing=spoil.spoilt(body.signer("issuer"), spoil.flip(9)))
    added: Sequence[tuple[str, list[w.Credential | bytes], str, str]] = (
        ("key_twice", [officer, mirror], "refused @ 5", "one public key in two credentials that are live together"),
        ("half_twice_mldsa", [officer, halves[0]], "refused @ 5", "the ML-DSA half of one key in another, both live together"),
        ("half_twice_ed25519", [officer, halves[1]], "refused @ 5", "the Ed25519 half likewise"),
        ("half_twice_mlkem", [opening, opened[0]], "refused @ 5", "the ML-KEM half of an opening key likewise"),
        ("half_twice_x25519", [opening, opened[1]], "refused @ 5", "the X25519 half likewise"),
        ("half_twice_mldsa44", [register, registers[0]], "refused @ 5", "the ML-DSA-44 half of a register's key likewise"),
        ("half_twice_register", [register, registers[1]], "refused @ 5", "the Ed25519 half of a register's key likewise"),
        ("half_of_register", [officer, sharing(register, officer)[1]], "refused @ 5", "the Ed25519 half of a key to seal in a register's key"),
        ("register_half_of_root", [sharing(register, roots_key)[1]], "refused @ 5", "the Ed25519 half of the root's own key in a register's key"),
        ("half_of_root", [sharing(second, roots_key)[0]], "refused @ 5", "the ML-DSA half of the root's own key in a credential"),
        ("key_of_root", [roots_key], "refused @ 5", "the root's own key in a credential"),
        ("foreign_credential", [foreign], "not authentic @ 3", "a credential of another party, whose issuer is not in it"),
        ("chain_of_four", [third, fourth, deep], "refused @ 3", "four links from the root; the third may not issue the fourth either"),
        ("member_broken", [broken], "not authentic @ 3", "one credential's signature does not hold"),
        ("member_no_statement", [b"\xc0"], "malformed @ 3", "a credential that is no statement"),
    )
    for name, more, outcome, comment in added:
        yield TOPIC.bad(name, replace(GOOD, members=[*GOOD.members, *more]).statement(), outcome, comment)


def _imports() -> Cases:
    changed = replace(GOOD, times=(w.ISSUED, w.EXPIRES + 1))
    yield AGAIN.bad("version_same", changed.statement(), "refused @ 6", "other bytes with the same version")
    far = replace(GOOD, version=1002)
    yield AGAIN.bad("version_too_high", far.statement(), "refused @ 6", "version 1002 after version 1")
    back = replace(GOOD, version=2, times=(w.ISSUED - 1, w.EXPIRES))
    yield AGAIN.bad("issued_earlier", back.statement(), "refused @ 6", "version 2, issued a second before version 1")
    # Its validity ended before version 1 was issued; only a roster that is dated back can be signed with it.
    lapsed = w.Credential("ts-lapsed", BODY, "roster", w.TS, valid=(w.FROM, w.ISSUED))
    WORLD["ts-lapsed.vls"] = replace(GOOD, members=[roster_key, lapsed, body]).statement()
    dated = replace(GOOD, signer=lapsed, members=[roster_key, lapsed, body], version=2, times=(w.ISSUED - 1, w.EXPIRES))
    late = Topic("roster", "roster", {**HEAD, "older": ("ts-lapsed.vls",)})
    yield late.bad("signer_expired_dated_back", dated.statement(), "refused @ 6", "signed with a credential that had expired, and dated back")
    dropped = replace(GOOD, version=2, members=[roster_key])
    yield AGAIN.bad("credential_dropped", dropped.statement(), "refused @ 6", "a credential of the older roster is missing")
    yield TOPIC.bad("issued_later", LEAST.statement(), "refused @ 6", "issued more than a day from now", at=(w.stamp_of(w.ISSUED - 86401),))


def _renewals() -> Cases:
    yield AGAIN.good("root_renewed", AFTER.statement(), "the root's second version, signed by both quorums")
    later = {"root": (f"TS {RENEWED.digest.hex()}",)}
    yield TOPIC.good("root_renewed_pinned", AFTER.statement(), "the fingerprint of the second version is pinned", **later)
    old, new = w.TS.statement(), RENEWED.quorum()
    sole = w.TS.quorum()
    gone = w.Root("TS", ["x"], custodians=(" 1",), older=RENEWED)
    signed = partial(replace, AFTER)
    raws: Sequence[tuple[str, w.Roster, str, str]] = (
        ("root_old_quorum_only", signed(roots=[old, RENEWED.statement(sole)]), "not authentic @ 1", "the new custodians did not sign"),
        ("root_new_quorum_only", signed(roots=[old, RENEWED.statement(new)]), "not authentic @ 1", "the old custodian did not sign"),
        (
            "root_below_threshold",
            signed(roots=[old, RENEWED.statement([*sole, new[0]])]),
            "not authentic @ 1",
            "one new custodian of two signed",
        ),
        ("root_first_missing", signed(roots=[RENEWED.statement()]), "malformed @ 1", "the first version is not there"),
        ("root_gap", signed(roots=[old, gone.statement()]), "not authentic @ 1", "the second of three versions is not there"),
        ("root_twice", signed(roots=[old, old]), "not authentic @ 1", "the first version twice"),
        ("root_backwards", signed(roots=[RENEWED.statement(), old]), "malformed @ 1", "the second version first"),
        ("root_degrees", _otherwise({"degrees": ["x", "y"]}), "refused @ 1", "the second version has another degree"),
        ("root_earlier", _otherwise({"valid from": w.ROOT_FROM - 1}), "refused @ 1", "the second version is valid before the first"),
        ("signer_of_old_root", signed(signer=roster_key), "not authentic @ 2", "signed by a credential that the first version issued"),
    )
    for name, roster, outcome, comment in raws:
        yield TOPIC.bad(name, roster.statement(), outcome, comment)
    half = w.Credential("ts-half", BODY, "certify", RENEWED, "x", fields={"purpose": "rule"}, signing=RENEWED.quorum("issuer")[0])
    comment = "a credential by one custodian of two that are needed, and malformed: the quorum is asked for first"
    raw = signed(members=[*AFTER.members, half]).statement()
    yield TOPIC.bad("member_below_threshold_malformed", raw, "not authentic @ 3", comment)
    key = replace(second, key="root TS 2")
    yield TOPIC.bad(
        "key_of_custodian", signed(members=[*AFTER.members, key]).statement(), "refused @ 5", "the key of a custodian of the second version"
    )
    back = {**HEAD, "older": ("ts-renewed.vls",)}
    gone_back = replace(GOOD, version=3)
    yield Topic("roster", "roster", back).bad(
        "root_gone_back", gone_back.statement(), "refused @ 6", "the root's first version only, after the second was known"
    )


def _otherwise(changes: Changes) -> w.Roster:
    root = replace(RENEWED, fields=changes)
    signer = replace(new_roster_key, issuer=root)
    return replace(AFTER, root=root, signer=signer, members=[roster_key, signer, body])


def cases() -> Cases:
    """All of them."""
    yield from _good()
    yield from _bad()
    yield from _members()
    yield from _imports()
    yield from _renewals()
