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

HEAD = {"root": (f"TS {w.TS.digest.hex()}",), "at": (w.stamp_of(w.NOW),)}
TOPIC = Topic("roster", "roster", HEAD)
AGAIN = Topic("roster", "roster", {**HEAD, "older": ("ts.vls",)})

BAD_BODIES: Sequence[tuple[str, Changes, str]] = (
    ("never_valid", {"expires at": w.ISSUED}, "expires at is not after issued at"),
    ("extension_unknown", {"extensions": {"crl": b""}}, "an extension that version 1 does not know"),
)


def _good() -> Cases:
    renewed = replace(officer, name="ts-renewed", key="ts-officer", valid=(w.UNTIL, w.UNTIL + 9))
    yield TOPIC.good("good", GOOD.statement(), "a roster")
    yield TOPIC.good(
        "key_renewed", replace(GOOD, members=[*GOOD.members, officer, renewed]).statement(), "one key in two credentials, one after the other"
    )
    expired = {"at": (w.stamp_of(w.EXPIRES),)}
    yield TOPIC.good("expired", LEAST.statement(), "expired: read, and said as of when it is", **expired)
    yield TOPIC.good("issued_tomorrow", LEAST.statement(), "issued a day from now: accepted", at=(w.stamp_of(w.ISSUED - 86400),))
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
        ("revocations", cut(fields={"revocations": [b""]}), "refused @ 1", "a revocation, which is not specified yet"),
        ("signer_outside", outside, "not authentic @ 2", "its signer is not in it"),
        ("signer_purpose", cut(signing=body.signer("roster"), members=[roster_key, body]), "not authentic @ 2", "signed with a key that certifies"),
        ("mldsa_broken", cut(signing=spoil.spoilt(signer, spoil.flip(9))), "not authentic @ 2", "only the Ed25519 half holds"),
        ("signer_expired", cut(signer=expired, members=[roster_key, expired]), "refused @ 2", "its signer's validity ends at issued at"),
        ("credentials_unsorted", cut(members=[roster_key, body], unsorted=True), "malformed @ 1", "credentials that are not sorted"),
        ("credential_twice", cut(members=[roster_key, roster_key]), "malformed @ 1", "one credential twice"),
    ):
        yield TOPIC.bad(name, roster.statement(), outcome, comment)
    for name, changes, comment in BAD_BODIES:
        yield TOPIC.bad(name, replace(LEAST, fields=changes).statement(), "malformed @ 1", comment)


def _members() -> Cases:
    mirror = w.Credential("ts-mirror", BODY, "acknowledge", body, "x", key="ts-officer")
    roots_key = replace(second, key="root TS")
    foreign = w.PEOPLE["dauren-seal"]
    third = w.Credential("ts-third", ("TS", "TS-B"), "certify", body, "x")
    fourth = w.Credential("ts-fourth", ("TS", "TS-C"), "certify", third, "x")
    deep = w.Credential("ts-deep", ("TS", "TS-C"), "seal", fourth, "x")
    broken = replace(second, signing=spoil.spoilt(body.signer("issuer"), spoil.flip(9)))
    added: Sequence[tuple[str, list[w.Credential | bytes], str, str]] = (
        ("key_twice", [officer, mirror], "refused @ 3", "one public key in two credentials that are live together"),
        ("key_of_root", [roots_key], "refused @ 3", "the root's own key in a credential"),
        ("foreign_credential", [foreign], "not authentic @ 3", "a credential of another party, whose issuer is not in it"),
        ("chain_of_four", [third, fourth, deep], "refused @ 3", "four links from the root; the third may not issue the fourth either"),
        ("member_broken", [broken], "not authentic @ 3", "one credential's signature does not hold"),
        ("member_no_statement", [b"\xc0"], "malformed @ 3", "a credential that is no statement"),
    )
    for name, more, outcome, comment in added:
        yield TOPIC.bad(name, replace(GOOD, members=[*GOOD.members, *more]).statement(), outcome, comment)


def _imports() -> Cases:
    changed = replace(GOOD, times=(w.ISSUED, w.EXPIRES + 1))
    yield AGAIN.bad("version_same", changed.statement(), "refused @ 4", "other bytes with the same version")
    dropped = replace(GOOD, version=2, members=[roster_key])
    yield AGAIN.bad("credential_dropped", dropped.statement(), "refused @ 4", "a credential of the older roster is missing")
    yield TOPIC.bad("issued_later", LEAST.statement(), "refused @ 4", "issued more than a day from now", at=(w.stamp_of(w.ISSUED - 86401),))


def cases() -> Cases:
    """All of them."""
    yield from _good()
    yield from _bad()
    yield from _members()
    yield from _imports()
