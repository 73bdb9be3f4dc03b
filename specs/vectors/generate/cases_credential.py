"""Vectors of roots and credentials (credential.md)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import spoil
import wire
import world as w
from cases import TRUSTED, Case, Cases, Changes, Topic
from wire import Item

ROOT = Topic("root", "root", {})
TOPIC = Topic("credential", "credential", TRUSTED)
KIND, X_WING = wire.SIGNING_KIND, wire.OPENING_KIND
LATE = (w.FROM, w.when("2050-01-01"))

BAD_ROOTS: Sequence[tuple[str, Changes, str]] = (
    ("extension_unknown", {"extensions": {"quorum": 2}}, "an extension that version 1 does not know"),
    ("no_degrees", {"degrees": []}, "no degree"),
    ("degree_twice", {"degrees": ["ov", "s", "ov"]}, "one degree twice"),
    ("version_zero", {"version": 0}, "version 0"),
    ("previous_missing", {"version": 2}, "version 2 without the one before it"),
    ("previous_of_first", {"previous": bytes(32)}, "version 1 with one before it"),
    ("custodians_none", {"custodians": [], "threshold": 0}, "no custodian"),
    ("threshold_zero", {"threshold": 0}, "a threshold of 0"),
    ("threshold_above", {"threshold": 2}, "a threshold above the number of custodians"),
)
QUORUM = w.Root("KZ", ["ov", "ss", "s"], custodians=(" 1", " 2", " 3"), threshold=2)
BAD_BODIES: Sequence[tuple[str, Changes, str]] = (
    ("purpose_unknown", {"purpose": "read"}, "a purpose that there is not"),
    ("certifies_without_purpose", {"certifies bodies": True}, "certifies bodies, without purpose certify"),
    ("extension_unknown", {"extensions": {"quorum": 2}}, "an extension that version 1 does not know"),
)
GOOD_BODIES: Sequence[tuple[str, Changes, str]] = (
    (
        "names_three",
        {"names": {"be": "Алена", "kk": "Алена", "ru": "Алёна\u202e\n"}},
        "names in three languages; control characters are for the display to escape",
    ),
    ("extension_shown", {"extensions": {"~office": "12"}}, "an extension that is shown and ignored"),
)


def _root(
    name: str,
    root: w.Root,
    outcome: str,
    comment: str,
    *,
    signer: wire.Signer | None = None,
    signers: Sequence[wire.Signer] | None = None,
    pinned: str = "",
) -> Case:
    head = {"root": (pinned or f"{root.party} {root.digest.hex()}",)}
    raw = root.statement([signer] if signer else signers)
    return ROOT.bad(name, raw, outcome, comment, **head) if outcome else ROOT.good(name, raw, comment, **head)


def _with_key(root: w.Root, key: bytes, kind: str = KIND) -> tuple[w.Root, wire.Signer]:
    """A root with some public key, whose signer header names that very key."""
    person, called, _ = root.custodian("")
    changed = replace(root, fields={"custodians": [[person, called, [kind, key]]]})
    return changed, replace(changed.signer(), key_digest=wire.digest("public-key", wire.encode([kind, key])))


def _roots() -> Cases:
    signer = w.KZ.signer()
    yield _root("good", w.KZ, "", "a root that is pinned")
    yield _root("extension_shown", replace(w.KZ, fields={"extensions": {"~seal": b"\0"}}), "", "an extension that is shown and ignored")
    yield _root("not_pinned", w.KZ, "not authentic @ pinned", "another fingerprint is pinned", pinned=f"KZ {w.BY.digest.hex()}")
    yield _root("pinned_for_other", w.KZ, "not authentic @ pinned", "pinned under another party's name", pinned=f"BY {w.KZ.digest.hex()}")
    other = replace(signer, named=w.BY.digest)
    yield _root("other_signer", w.KZ, "not authentic @ statement 4", "names another root as its signer", signer=other)
    for name, at, comment in (("mldsa_broken", 9, "only the Ed25519 half holds"), ("ed25519_broken", -40, "only the ML-DSA half holds")):
        yield _root(name, w.KZ, "not authentic @ statement 5", comment, signer=spoil.spoilt(signer, spoil.flip(at)))
    yield _root("role", w.KZ, "malformed @ statement 3", "signed in the role of an issuer", signer=w.KZ.signer("issuer"))
    for name, changes, comment in BAD_ROOTS:
        yield _root(name, replace(w.KZ, fields=changes), "malformed @ body", comment)
    public = wire.composite_public(w.KZ.seed)
    identity, signer = _with_key(w.KZ, public[:1952] + spoil.IDENTITY)
    comment = "an Ed25519 half that is the identity, under which a trivial signature verifies"
    yield _root("ed25519_identity", identity, "malformed @ body", comment, signer=spoil.spoilt(signer, spoil.trivial))
    for name, key, comment in (
        ("ed25519_non_canonical", public[:1952] + spoil.IDENTITY_PLUS_P, "an Ed25519 half that is not canonical"),
        ("ed25519_mixed_order", spoil.mixed_order(public), "an Ed25519 half with a component of order 8"),
    ):
        bad, signer = _with_key(w.KZ, key)
        yield _root(name, bad, "malformed @ body", comment, signer=signer)
    bad, signer = _with_key(w.KZ, wire.xwing_public(bytes(32)), X_WING)
    yield _root("key_x_wing", bad, "malformed @ body", "a key of kind X-Wing", signer=signer)


def _quorums() -> Cases:
    one, two, three = QUORUM.quorum(custodians=QUORUM.custodians)
    yield _root("quorum", QUORUM, "", "two of three custodians signed", signers=[one, three])
    yield _root("quorum_all", QUORUM, "", "three of three custodians signed, and two are needed", signers=[one, two, three])
    below = "not authentic @ statement 6"
    yield _root("quorum_below", QUORUM, below, "one of three custodians signed, and two are needed", signers=[two])
    yield _root("quorum_one_twice", QUORUM, "malformed @ statement 3", "one custodian signed twice", signers=[one, one])
    broken = spoil.spoilt(three, spoil.flip(9))
    yield _root("quorum_one_broken", QUORUM, "not authentic @ statement 5", "two signatures hold, and a third does not", signers=[one, two, broken])
    stranger = replace(three, seed=QUORUM.key(" 4"))
    yield _root(
        "quorum_stranger", QUORUM, "not authentic @ statement 4", "a third signature, by a key that is no custodian's", signers=[one, two, stranger]
    )
    other = replace(three, named=w.BY.digest)
    yield _root(
        "quorum_other_name", QUORUM, "not authentic @ statement 4", "a third signature, in the name of another root", signers=[one, two, other]
    )
    people = w.sorted_custodians(QUORUM.custodian(tag) for tag in QUORUM.custodians)
    twins = (
        ("custodians_unsorted", people[::-1], "custodians in descending order"),
        ("custodian_twice", [people[0], people[0]], "one custodian twice"),
        ("custodian_two_keys", [people[0], [people[0][0], *people[1][1:]]], "one person with two keys"),
        ("custodians_one_key", [people[0], [people[1][0], *people[0][1:]]], "two persons with one key"),
    )
    for name, custodians, comment in twins:
        bad = replace(QUORUM, fields={"custodians": list(custodians)})
        yield _root(name, bad, "malformed @ body", comment, signers=bad.quorum(custodians=QUORUM.custodians))


def _credential(purpose: str = "acknowledge", issuer: w.Root | w.Credential = w.by_mfa, **changes: Item) -> w.Credential:
    """A new officer of BY-MFA; fields with `_` for spaces."""
    fields = {name.replace("_", " "): value for name, value in changes.items()}
    return w.Credential(f"new-{purpose}", w.BY_MFA, purpose, issuer, "s", fields=fields)


def _good() -> Cases:
    for name, credential, comment in (
        ("good", _credential(), "an officer, certified by his body"),
        ("open", _credential("open"), "a key of kind X-Wing"),
        ("register", _credential("register"), "a key of kind MLDSA44-Ed25519-log"),
        ("body", w.Credential("new", ("BY", "BY-NEW"), "certify", w.by_mfa, "s"), "a body, certified by one that certifies bodies"),
        ("three_links", replace(_credential(issuer=w.by_kgb), place=w.BY_KGB), "root, body, body, officer"),
        ("clearance_equal", replace(_credential(issuer=w.by_mvd), place=w.BY_MVD, valid=w.by_mvd.valid), "the clearance of its issuer"),
    ):
        yield TOPIC.good(name, credential.statement(), comment)
    for name, changes, comment in GOOD_BODIES:
        yield TOPIC.good(name, replace(_credential(), fields=changes).statement(), comment)


def _signers() -> Cases:
    good = _credential()
    issuer = w.by_mfa.signer("issuer")
    stranger = replace(w.by_mfa, name="nobody", key="nobody")
    spoils = (
        ("unknown_issuer", stranger.signer("issuer"), 1, "an issuer that nobody knows"),
        ("officer_issues", w.PEOPLE["alena-acknowledge"].signer("issuer"), 2, "issued by an officer"),
        ("key_digest", replace(issuer, key_digest=bytes(32)), 2, "another key digest in the signed header"),
        ("mldsa_broken", spoil.spoilt(issuer, spoil.flip(9)), 2, "only the Ed25519 half holds"),
        ("ed25519_broken", spoil.spoilt(issuer, spoil.flip(-1)), 2, "only the ML-DSA half holds"),
    )
    for name, signer, step, comment in spoils:
        yield TOPIC.bad(name, replace(good, signing=signer).statement(), f"not authentic @ {step}", comment)
    unsigned = w.Credential("new", w.BY_MFA, "acknowledge", w.KZ, "s", signing=w.KZ.signer("issuer"))
    yield TOPIC.bad("root_of_other_party", unsigned.statement(), "refused @ 3", "an officer of BY, certified by the root of KZ")


def _powers() -> Cases:
    body = w.Credential("new", ("BY", "BY-NEW"), "certify", w.by_mfa, "s")
    mvd = replace(_credential(issuer=w.by_mvd), place=w.BY_MVD, valid=w.by_mvd.valid)
    archive = replace(_credential(issuer=w.by_archive), place=w.by_archive.place)
    for name, credential, step, comment in (
        ("other_party", replace(_credential(), place=w.KZ_MFA), 3, "an officer of KZ, certified by a body of BY"),
        ("root_issues_seal", _credential("seal", w.BY), 4, "the root certifies an officer to seal"),
        ("issues_roster", _credential("roster"), 4, "a body issues a credential for rosters"),
        ("issues_certify_own", _credential("certify"), 4, "a body certifies itself once more"),
        ("issues_certifying_body", replace(body, certifies=True), 4, "a body certifies one that may certify bodies"),
        ("second_body_certifies", replace(body, issuer=w.by_kgb), 4, "a body that the root did not certify certifies another"),
        ("officer_of_other_body", replace(_credential(), place=w.BY_KGB), 4, "a body certifies an officer of another body"),
        ("clearance_above", replace(mvd, clearance="ss"), 5, "a clearance above the issuer's"),
        ("clearance_from_none", archive, 5, "a clearance from an issuer that has none"),
        ("clearance_unknown", replace(_credential(), clearance="cosmic"), 5, "a clearance that is no degree of the party"),
        ("valid_longer", replace(_credential(), valid=(w.FROM, w.by_mfa.valid[1] + 1)), 6, "valid a second longer than its issuer"),
        ("valid_earlier", replace(_credential(), valid=(w.FROM - 1, w.UNTIL)), 6, "valid a second earlier than its issuer"),
        ("root_issues_register", _credential("register", w.BY), 4, "the root certifies an officer's key of the register"),
    ):
        yield TOPIC.bad(name, credential.statement(), f"refused @ {step}", comment)


def _forms() -> Cases:
    for name, changes, comment in BAD_BODIES:
        yield TOPIC.bad(name, replace(_credential(), fields=changes).statement(), "malformed @ 2", comment)
    public, open_key = wire.composite_public(bytes(64)), wire.xwing_public(bytes(32))
    log_key = wire.log_public(bytes(64))
    out_of_range = (int.from_bytes(open_key[:3], "little") & ~0xFFF | 3329).to_bytes(3, "little") + open_key[3:]
    seal: Sequence[tuple[str, Item, str]] = (
        ("ed25519_identity", [KIND, public[:1952] + spoil.IDENTITY], "an Ed25519 half that is the identity"),
        ("ed25519_zero", [KIND, public[:1952] + bytes(32)], "an Ed25519 half of 32 zero bytes, a point of order 4"),
        ("ed25519_non_canonical", [KIND, public[:1952] + spoil.IDENTITY_PLUS_P], "an Ed25519 half that is not canonical"),
        ("ed25519_mixed_order", [KIND, spoil.mixed_order(public)], "an Ed25519 half with a component of order 8"),
        ("seal_log", [wire.LOG_KIND, log_key], "a register's key, with a purpose that signs"),
        ("seal_x_wing", [X_WING, open_key], "a key to open, with a purpose that signs"),
    )
    opening: Sequence[tuple[str, Item, str]] = (
        ("open_composite", [KIND, public], "a key to sign, with purpose open"),
        ("x25519_zero", [X_WING, open_key[:1184] + bytes(32)], "an X25519 half of low order: zero"),
        ("x25519_order_8", [X_WING, open_key[:1184] + spoil.X25519_ORDER_8], "an X25519 half of order 8"),
        ("x25519_non_canonical", [X_WING, open_key[:1184] + spoil.X25519_NINE_PLUS_P], "an X25519 half that is not canonical: the base point plus p"),
        ("mlkem_3329", [X_WING, out_of_range], "an ML-KEM coefficient of 3329"),
    )
    register: Sequence[tuple[str, Item, str]] = (
        ("register_composite", [KIND, public], "a key to sign, with purpose register"),
        ("register_short", [wire.LOG_KIND, log_key[:-1]], "a register's key of 1343 bytes"),
        ("register_identity", [wire.LOG_KIND, log_key[:1312] + spoil.IDENTITY], "a register's key whose Ed25519 half is the identity"),
        ("register_non_canonical", [wire.LOG_KIND, log_key[:1312] + spoil.IDENTITY_PLUS_P], "the same, not canonical"),
    )
    for purpose, keys in (("seal", seal), ("open", opening), ("register", register)):
        for name, key, comment in keys:
            yield TOPIC.bad(name, _credential(purpose, public_key=key).statement(), "malformed @ 2", comment)


def cases() -> Cases:
    """All of them."""
    yield from _roots()
    yield from _quorums()
    yield from _good()
    yield from _signers()
    yield from _powers()
    yield from _forms()
