"""Vectors of rewraps, acknowledgements and refusals (envelope.md, Detached stanza; receipt.md, Reading a receipt 3 to 9)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import objects as o
import spoil
import wire
import world as w
from cases import BAG, CLOSED_LETTER, LETTER, PASSED_ON, TRUSTED, Cases, Changes, Rows, Topic
from cases_envelope import PEOPLE, opened, opens, sealed

ABOUT: Mapping[str, Sequence[str]] = {**TRUSTED, "agreement": ("open.vls",)}
REWRAP = Topic("rewrap", "rewrap", {**ABOUT, "with": ("letter.vlz",)})
OPENING = Topic("rewrap", "rewrap", {**REWRAP.head, "identity": ("taras-open.seed",)})
ACKNOWLEDGEMENT = Topic("acknowledgement", "acknowledgement", ABOUT)
REFUSAL = Topic("refusal", "refusal", ABOUT)
CLOSED_HEAD = {"agreement": ("closed.vls",)}

TARAS = PEOPLE["taras-open"]
OTHER = sealed("other answer")

BAD_ACKNOWLEDGEMENTS: Rows = (
    ("openings_none", {"openings": [], "conditions": [], "marks put on": []}, "no opening"),
    ("extension_unknown", {"extensions": {"copy": 1}}, "an extension that version 1 does not know"),
)
FORMS: Rows = (
    ("conditions_short", {"conditions": []}, "fewer conditions than openings"),
    ("missing_file", {"conditions": ["missing"]}, "a file carrier that is missing"),
    ("marks_unknown", {"marks put on": ["dsp"]}, "a mark that the agreement does not have"),
)
BAD_REFUSALS: Rows = (
    ("opening_unopened", {"opening": [[bytes(32)], bytes(32), bytes(32), w.OPENED, None]}, "an opening at stage unopened"),
    ("opened_without", {"stage": "opened"}, "no opening at stage opened"),
)


def _rewraps() -> Cases:
    good = {"identity": ("taras-open.seed",)}
    yield REWRAP.good("good", PASSED_ON, "an addressee passes the envelope on to a colleague")
    yield OPENING.good("good_opened", PASSED_ON, "the same, and the colleague opens")
    yield opened("rewrapped", LETTER, "an envelope, opened by a rewrap beside it", rewrap=("rewrap.vls",), **good)
    yield opens("rewrap_for_other", LETTER, "no key @ 10", "a rewrap for a colleague", rewrap=("rewrap.vls",), identity=("lida-open.seed",))
    bahdan = PEOPLE["bahdan-acknowledge"].signer("acknowledger")
    kastus = PEOPLE["kastus-acknowledge"].signer("acknowledger")
    stranger = o.rewrap(LETTER, "taras", PEOPLE["lida-open"])
    yield REWRAP.bad("chain", stranger, "refused @ rewrap", "made by one who is no addressee, though a rewrap was made for him")
    for name, recipient, signer, comment in (
        ("other_subject", TARAS, bahdan, "signed by a colleague of the addressee named"),
        ("other_body", TARAS, kastus, "signed by an officer of another body"),
        ("to_other_body", PEOPLE["kastus-open"], None, "for an officer of another body"),
        ("to_uncleared", PEOPLE["pavel-open"], None, "for a colleague without clearance"),
        ("to_expired", PEOPLE["zoya-open"], None, "for a colleague whose credential had expired at made at"),
        ("to_unknown", replace(TARAS, name="nobody-open"), None, "for somebody whom nobody knows"),
    ):
        yield REWRAP.bad(name, o.rewrap(LETTER, "alena", recipient, signer=signer), "refused @ rewrap", comment)
    for name, made_at, comment in (
        ("before_sealed", w.SEALED - 301, "made before the envelope was sealed, by more than skew"),
        ("addressee_expired", w.UNTIL, "made when the credentials had expired"),
    ):
        yield REWRAP.bad(name, o.rewrap(LETTER, "alena", TARAS, {"made at": made_at}), "refused @ rewrap", comment)
    other = o.rewrap(LETTER, "alena", TARAS, {"dispatch": OTHER.dispatch_digest})
    yield REWRAP.bad("other_dispatch", other, "not authentic @ rewrap", "names another dispatch")
    moved = o.rewrap(LETTER, "alena", TARAS, {"stanza": [TARAS.digest, OTHER.wrapped(TARAS, "moved")]})
    yield OPENING.bad("other_key", moved, "not authentic @ 10", "the payload key of another envelope, wrapped for that")
    weak = o.rewrap(LETTER, "alena", TARAS, point=bytes(32))
    yield OPENING.bad(
        "x25519_zero", weak, "malformed @ rewrap", "an encapsulation whose X25519 half is zero: a reader that does not look may open it"
    )
    short = o.rewrap(LETTER, "alena", TARAS, {"stanza": [TARAS.digest, bytes(1167)]})
    yield REWRAP.bad("short", short, "malformed @ rewrap", "a wrapped key of 1167 bytes")
    purpose = o.rewrap(LETTER, "alena", TARAS, signer=PEOPLE["alena-countersign"].signer("acknowledger"))
    yield REWRAP.bad("purpose", purpose, "not authentic @ rewrap", "signed with the addressee's key to countersign")
    broken = spoil.spoilt(PEOPLE["alena-acknowledge"].signer("acknowledger"), spoil.flip(9))
    yield REWRAP.bad("mldsa_broken", o.rewrap(LETTER, "alena", TARAS, signer=broken), "not authentic @ rewrap", "only the Ed25519 half holds")
    closed = o.rewrap(CLOSED_LETTER, "alena", PEOPLE["pavel-open"])
    head = {"with": ("closed.vlz",), **CLOSED_HEAD}
    yield REWRAP.good("closed_uncleared", closed, "for a colleague without clearance, under a closed stamp: without a key it cannot be seen", **head)
    yield REWRAP.bad("closed_uncleared_opened", closed, "refused @ 12", "the same, opened", identity=("pavel-open.seed",), **head)


def _acknowledgements() -> Cases:
    topic = ACKNOWLEDGEMENT
    yield topic.good("good", o.acknowledgement(LETTER), "an acknowledgement")
    yield topic.good("closed", o.acknowledgement(CLOSED_LETTER), "under a closed stamp: only a digest of the marks", **CLOSED_HEAD)
    damaged = o.acknowledgement(BAG, fields={"conditions": ["present", "missing", "present", "damaged"]})
    yield topic.good("conditions", damaged, "physical carriers that are missing and damaged")
    taras = {"rewrap": PASSED_ON}
    yield topic.good("rewrapped", o.acknowledgement(LETTER, "taras", taras), "by one to whom the envelope was passed on")
    invented: Changes = {"openings": [wire.draw("invented")], "proof": wire.draw("invented proof")}
    yield topic.good("invented", o.acknowledgement(LETTER, fields=invented), "made from the dispatch alone: only the origin's record tells")
    manifest = {"openings": [wire.digest("commitment", LETTER.openings[0] or b"")]}
    yield topic.good(
        "from_manifest", o.acknowledgement(LETTER, fields=manifest), "made from the manifest alone, with commitments for openings: likewise"
    )
    for name, changes, comment in BAD_ACKNOWLEDGEMENTS:
        yield topic.bad(name, o.acknowledgement(LETTER, fields=changes), "malformed @ 3", comment)
    for name, changes, comment in FORMS:
        yield topic.bad(name, o.acknowledgement(LETTER, fields=changes), "malformed @ 8", comment)
    marks = o.acknowledgement(CLOSED_LETTER, fields={"marks put on": ["s"]})
    yield topic.bad("marks_shown", marks, "malformed @ 8", "the marks themselves under a closed stamp", **CLOSED_HEAD)


def _signers() -> Cases:
    topic = ACKNOWLEDGEMENT
    ryhor = PEOPLE["ryhor-acknowledge"].signer("acknowledger")
    later = o.rewrap(LETTER, "alena", TARAS, {"made at": w.OPENED + 1})
    for name, by, fields, outcome, comment in (
        ("other_body", "kastus", {}, "refused @ 3", "by an officer of another body"),
        ("origin", "aigerim", {}, "refused @ 3", "by an officer of the origin itself"),
        ("not_cleared", "pavel", {}, "refused @ 7", "by an officer who is not cleared to the mark"),
        ("opened_late", "lida", {}, "refused @ 7", "with a credential that was not valid any more at opened at"),
        ("opener_unknown", "alena", {"open credential": bytes(32)}, "refused @ 7", "with a credential that nobody knows"),
        ("answered_late", "alena", {"acknowledged at": w.UNTIL}, "refused @ 7", "when the credential to acknowledge had expired"),
        ("times", "alena", {"acknowledged at": w.OPENED - 1}, "refused @ 9", "acknowledged before it was opened"),
        ("opened_before_sealed", "alena", {"opened at": w.SEALED - 301}, "refused @ 6", "opened before it was sealed, by more than skew"),
        ("rewrap_later", "taras", {"rewrap": later}, "refused @ 7", "with a rewrap that was made after the opening"),
        ("rewrap_broken", "taras", {"rewrap": spoil.flip(-9)(PASSED_ON)}, "not authentic @ 7", "with a rewrap whose signature does not hold"),
    ):
        yield topic.bad(name, o.acknowledgement(LETTER, by, fields), outcome, comment)
    colleague = o.acknowledgement(LETTER, signer=ryhor)
    yield topic.bad("colleague", colleague, "refused @ 7", "by a colleague who did not open, with the opener's credential")
    purpose = PEOPLE["vera-countersign"].signer("acknowledger")
    yield topic.bad("purpose", o.acknowledgement(LETTER, signer=purpose), "not authentic @ 3", "with a key to countersign")
    broken = spoil.spoilt(PEOPLE["alena-acknowledge"].signer("acknowledger"), spoil.flip(-1))
    yield topic.bad("ed25519_broken", o.acknowledgement(LETTER, signer=broken), "not authentic @ 3", "only the ML-DSA half of the signature holds")


def _inside() -> Cases:
    topic = ACKNOWLEDGEMENT
    altered = spoil.flip(100)(LETTER.dispatch)
    colleague = wire.statement("valiza/v1/dispatch", wire.encode(list(LETTER.dispatch_items.values())), [PEOPLE["dauren-seal"].signer("sealer")])
    for name, fields, outcome, comment in (
        ("dispatch_altered", {"dispatch": altered}, "not authentic @ 4", "about a dispatch that was changed"),
        ("dispatch_of_colleague", {"dispatch": colleague}, "not authentic @ 4", "about a dispatch that a colleague of the sealer signed"),
        ("core_other", {"core": OTHER.core}, "not authentic @ 4", "the core of another envelope"),
        ("core_without_prefix", {"core": LETTER.core[12:]}, "not authentic @ 4", "a core without its prefix: it is not the one that was digested"),
    ):
        yield topic.bad(name, o.acknowledgement(LETTER, fields=fields), outcome, comment)
    yield topic.bad("agreement_unknown", o.acknowledgement(LETTER), "refused @ 6", "the agreement is not known", agreement=("closed.vls",))
    as_refusal = o.acknowledgement(LETTER)
    yield REFUSAL.bad("is_acknowledgement", as_refusal, "malformed @ 3", "an acknowledgement in the place of a refusal")
    low = sealed("low", sealer=PEOPLE["saule-seal"], code="ss", carriers=[o.Carrier(code="ss")])
    yield topic.bad("sealer_not_cleared", o.acknowledgement(low), "refused @ 6", "about an envelope whose sealer is not cleared")


def _refusals() -> Cases:
    yield REFUSAL.good("unopened", o.refusal(LETTER), "a refusal before opening")
    yield REFUSAL.good("opened", o.refusal(LETTER, stage="opened"), "a refusal after opening")
    for reason in ("agreement", "mark", "clearance"):
        yield REFUSAL.good(f"reason_{reason}", o.refusal(LETTER, fields={"reason": reason, "comment": "see letter"}), f"refused for its {reason}")
    unknown = "about an envelope under an agreement that the reader does not know"
    yield REFUSAL.good("agreement_unknown", o.refusal(LETTER), unknown, agreement=())
    yield REFUSAL.bad("opened_agreement_unknown", o.refusal(LETTER, stage="opened"), "refused @ 6", f"opened, {unknown}", agreement=())
    ryhor = o.refusal(LETTER, "ryhor")
    yield REFUSAL.good("by_colleague", ryhor, "before opening, by a colleague who is no addressee")
    yield REFUSAL.bad("other_body", o.refusal(LETTER, "kastus"), "refused @ 3", "by an officer of another body")
    signer = PEOPLE["ryhor-acknowledge"].signer("acknowledger")
    other = o.refusal(LETTER, stage="opened", signer=signer)
    yield REFUSAL.bad("opened_by_colleague", other, "refused @ 7", "after opening, by a colleague of the opener")
    early: Changes = {"refused at": w.OPENED - 1}
    yield REFUSAL.bad("times", o.refusal(LETTER, stage="opened", fields=early), "refused @ 9", "refused before it was opened")
    past: Changes = {"refused at": w.SEALED - 86400}
    yield REFUSAL.good("before_sealed", o.refusal(LETTER, fields=past), "before opening: its time is not compared with the envelope's")
    yield REFUSAL.bad("core_other", o.refusal(LETTER, fields={"core": OTHER.core}), "not authentic @ 4", "the core of another envelope")
    for name, changes, comment in BAD_REFUSALS:
        yield REFUSAL.bad(name, o.refusal(LETTER, fields=changes), "malformed @ 3", comment)


def cases() -> Cases:
    """All of them."""
    for part in (_rewraps, _acknowledgements, _signers, _inside, _refusals):
        yield from part()
