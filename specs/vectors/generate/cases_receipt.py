"""Vectors of receipts (receipt.md, Reading a receipt)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import objects as o
import spoil
import wire
import world as w
from cases import BAG, CLOSED_LETTER, KGB_LETTER, LETTER, PASSED_ON, TRUSTED, Case, Cases, Changes, Rows, Topic
from cases_envelope import PEOPLE, sealed

HEAD: Mapping[str, Sequence[str]] = {**TRUSTED, "agreement": ("open.vls",), "with": ("none",)}
TOPIC = Topic("receipt", "receipt", HEAD)
RECORDED = {"record": ("letter.record",)}
WITH = {"with": ("letter.vlz",)}
CLOSED = {"agreement": ("closed.vls",)}
KGB = ("entered", "envelope")

ACKNOWLEDGED = o.acknowledgement(LETTER)
GOOD = o.receipt(ACKNOWLEDGED)
OTHER = sealed("other receipt")


def _verdict(name: str, raw: bytes, verdict: str, comment: str, **head: Sequence[str]) -> Case:
    expect = "success" if verdict in {"attested", "delivered"} else "refused"
    return Case(f"receipt_{name}", "receipt", raw, expect, comment, verdict=verdict, head={**HEAD, **head})


def _verdicts() -> Cases:
    yield _verdict("attested", GOOD, "attested", "without record and envelope")
    yield _verdict("delivered", GOOD, "delivered", "with the origin's record", **RECORDED)
    yield _verdict("delivered_envelope", GOOD, "delivered", "with the origin's record and the envelope", **RECORDED, **WITH)
    closed = o.receipt(o.acknowledgement(CLOSED_LETTER))
    yield _verdict("delivered_closed", closed, "delivered", "under a closed stamp", record=("closed.record",), **{"with": ("closed.vlz",)}, **CLOSED)
    entered = o.receipt(o.acknowledgement(KGB_LETTER), "halina", KGB)
    yield _verdict("delivered_other_body", entered, "delivered", "confirmed by another body", record=("kgb.record",), **{"with": ("kgb.vlz",)})
    skewed = o.receipt(o.acknowledgement(KGB_LETTER), "halina", KGB, {"countersigned at": w.ACKNOWLEDGED - 300})
    yield _verdict("skew_other_body", skewed, "attested", "countersigned by another body, earlier by just the skew")
    taras = o.receipt(o.acknowledgement(LETTER, "taras", {"rewrap": PASSED_ON}))
    yield _verdict("delivered_rewrapped", taras, "delivered", "opened by one to whom it was passed on", **RECORDED, **WITH)
    missing = o.receipt(o.acknowledgement(BAG, fields={"conditions": ["present", "missing", "present", "damaged"]}))
    yield _verdict("discrepant", missing, "discrepant", "physical carriers that are missing and damaged", record=("bag.record",))
    late = o.receipt(ACKNOWLEDGED, fields={"countersigned at": w.DUE + 1})
    yield _verdict("late", late, "late", "countersigned a second after receipt due", **RECORDED)
    yield _verdict("refused", o.receipt(o.refusal(LETTER), checked=()), "refused", "a refusal before opening", **RECORDED)
    opened = o.receipt(o.refusal(LETTER, stage="opened"))
    yield _verdict("refused_opened", opened, "refused", "a refusal after opening", **RECORDED, **WITH)
    yield _verdict(
        "refused_agreement",
        o.receipt(o.refusal(LETTER, fields={"reason": "agreement"}), checked=()),
        "refused",
        "refused for an agreement that the reader does not know",
        agreement=(),
    )
    shown = o.receipt(ACKNOWLEDGED, fields={"extensions": {"~note": 1}, "attachments": [["act", b"pdf"]]})
    yield _verdict("extension_shown", shown, "attested", "an extension and an attachment that are shown and ignored")
    after = w.stamp_of(w.when("2026-06-01") + 2592000)
    replaced = {"agreement": ("open.vls", "open-next.vls"), "at": (after,)}
    yield _verdict(
        "agreement_replaced", GOOD, "delivered", "read long after the next version: what counts is when it was opened", **RECORDED, **replaced
    )
    taken = {"openings": LETTER.openings, "proof": LETTER.proof}
    copied = o.receipt(o.acknowledgement(LETTER, "bahdan", taken))
    yield _verdict(
        "proof_copied", copied, "delivered", "a second addressee copies openings and proof: only the destination's journal tells", **RECORDED
    )


def _incomplete() -> Cases:
    yield TOPIC.bad("acknowledgement", ACKNOWLEDGED, "incomplete @ 1", "an acknowledgement in the place of a receipt")
    yield TOPIC.bad("refusal", o.refusal(LETTER), "incomplete @ 1", "a refusal in the place of a receipt")
    bad = o.acknowledgement(LETTER, "kastus")
    yield TOPIC.bad("acknowledgement_other_body", bad, "refused @ 3", "an acknowledgement by another body in the place of a receipt")
    relabelled = ACKNOWLEDGED.replace(b"\xb9valiza/v1/acknowledgement", b"\xb1valiza/v1/receipt", 1)
    yield TOPIC.bad("relabelled", relabelled, "malformed @ 1", "an acknowledgement under the type of a receipt: its role does not fit")
    signer = replace(PEOPLE["vera-countersign"].signer("countersigner"), signs_type="valiza/v1/acknowledgement")
    other = o.receipt(ACKNOWLEDGED, signer=signer)
    yield TOPIC.bad("signed_as_acknowledgement", other, "not authentic @ 2", "signed as an acknowledgement")


def _countersigners() -> Cases:
    for name, by, outcome, comment in (
        ("same_person", "alena", "refused @ 5", "acknowledger and countersigner are one person"),
        ("other_body", "halina", "refused @ 5", "countersigned by a body that core does not name"),
        ("one_key", "taras", "refused @ 5", "the countersigner has the sealer's key"),
        ("expired", "zoya", "refused @ 2", "the countersigner's credential had expired"),
    ):
        yield TOPIC.bad(f"countersigner_{name}", o.receipt(ACKNOWLEDGED, by), outcome, comment)
    ryhor = PEOPLE["ryhor-acknowledge"].signer("countersigner")
    yield TOPIC.bad(
        "countersigner_purpose",
        o.receipt(ACKNOWLEDGED, signer=ryhor),
        "not authentic @ 2",
        "a third party of the same body, with a key to acknowledge",
    )
    vera = PEOPLE["vera-countersign"].signer("countersigner")
    broken = spoil.spoilt(vera, spoil.flip(9))
    yield TOPIC.bad("mldsa_broken", o.receipt(ACKNOWLEDGED, signer=broken), "not authentic @ 2", "only the Ed25519 half holds")
    moved = o.receipt(o.acknowledgement(LETTER, "bahdan"), signer=replace(vera, signs_body=_body(GOOD)))
    yield TOPIC.bad("countersignature_moved", moved, "not authentic @ 2", "the countersignature of one acknowledgement under another")
    resigned = ACKNOWLEDGED[:-1] + bytes([ACKNOWLEDGED[-1] ^ 1])
    yield TOPIC.bad("signature_inside", o.receipt(resigned), "not authentic @ 3", "the acknowledger's signature changed, and countersigned so")


def _body(statement: bytes) -> bytes:
    """The body of a receipt, found behind its type."""
    at = statement.index(b"valiza/v1/receipt") + 17
    width = {0xC4: 1, 0xC5: 2}[statement[at]]
    length = int.from_bytes(statement[at + 1 : at + 1 + width], "big")
    return statement[at + 1 + width : at + 1 + width + length]


def _answers() -> Cases:
    ryhor = PEOPLE["ryhor-acknowledge"].signer("acknowledger")
    for name, answer, outcome, comment in (
        (
            "answer_altered",
            ACKNOWLEDGED.replace(LETTER.openings[0] or b"", bytes(32)),
            "not authentic @ 3",
            "an opening changed behind the acknowledger's back",
        ),
        ("answer_colleague", o.acknowledgement(LETTER, signer=ryhor), "refused @ 7", "acknowledged by a colleague who did not open"),
        ("answer_other_body", o.acknowledgement(LETTER, "kastus"), "refused @ 3", "acknowledged by another body"),
        ("answer_receipt", GOOD, "malformed @ 3", "a receipt for a receipt"),
    ):
        yield TOPIC.bad(name, o.receipt(answer), outcome, comment)


def _forms() -> Cases:
    for name, checked, comment in (
        ("nothing", (), "nothing checked, with an acknowledgement"),
        ("entered", ("entered", "envelope"), "entered, by the body that opened it"),
    ):
        yield TOPIC.bad(f"checked_{name}", o.receipt(ACKNOWLEDGED, checked=checked), "malformed @ 8", f"checked: {comment}")
    kgb = o.receipt(o.acknowledgement(KGB_LETTER), "halina")
    yield TOPIC.bad("checked_opening", kgb, "malformed @ 8", "checked: the opening, by a body that is not the destination")
    unopened = o.receipt(o.refusal(LETTER))
    yield TOPIC.bad("checked_unopened", unopened, "malformed @ 8", "checked: the opening, of what was not opened")
    for name, fields, outcome, comment in (
        ("extension_unknown", {"extensions": {"stamp": 1}}, "malformed @ 2", "an extension that version 1 does not know"),
        ("times", {"countersigned at": w.ACKNOWLEDGED - 1}, "refused @ 9", "countersigned before it was acknowledged, in one office"),
        ("confirming", {"confirming": list(w.BY_KGB)}, "refused @ 5", "confirming is not core's"),
    ):
        yield TOPIC.bad(name, o.receipt(ACKNOWLEDGED, fields=fields), outcome, comment)
    early = o.receipt(o.acknowledgement(KGB_LETTER), "halina", KGB, {"countersigned at": w.ACKNOWLEDGED - 301})
    yield TOPIC.bad("times_other_body", early, "refused @ 9", "countersigned by another body, earlier by more than skew")


def _compared() -> Cases:
    invented: Changes = {"openings": [wire.draw("invented")], "proof": wire.draw("invented proof")}
    commitments = [wire.digest("commitment", LETTER.openings[0] or b"")]
    proof = o.proof(LETTER.salt, LETTER.dispatch_digest, wire.digest("manifest", LETTER.manifest), commitments)
    altered = o.proof(LETTER.salt, LETTER.dispatch_digest, wire.digest("manifest", LETTER.manifest), [bytes(32)])
    answers: Rows = (
        ("openings_invented", invented, "made from the dispatch alone"),
        ("openings_commitments", {"openings": commitments, "proof": proof}, "made from the manifest alone: commitments for openings"),
        ("openings_altered", {"openings": [bytes(32)], "proof": altered}, "another content acknowledged, and proved with the salt"),
        ("openings_physical", {"openings": [None]}, "a file carrier acknowledged as a physical one"),
        ("proof_wrong", {"proof": bytes(32)}, "another proof"),
        ("marks_wrong", {"marks put on": ["ss"]}, "another mark put on than the agreement's"),
    )
    for name, fields, comment in answers:
        raw = o.receipt(o.acknowledgement(LETTER, fields=fields))
        yield TOPIC.bad(f"record_{name}", raw, "not authentic @ 10", f"{comment}; compared with the record", **RECORDED)
    raw = o.receipt(o.acknowledgement(LETTER, fields={"openings": [bytes(32)], "proof": altered}))
    yield _verdict("openings_altered", raw, "attested", "another content acknowledged: without the record it cannot be seen", **WITH)
    bag = o.receipt(o.acknowledgement(BAG))
    yield TOPIC.bad("envelope_other", bag, "not authentic @ 11", "a receipt for another envelope than the one at hand", **WITH)
    taras = o.receipt(o.acknowledgement(LETTER, "taras"))
    yield TOPIC.bad("record_no_addressee", taras, "not authentic @ 10", "opened by one who is no addressee, without a rewrap", **RECORDED)
    yield _verdict("no_addressee", taras, "attested", "the same, without record or envelope: it cannot be seen")
    hidden = o.receipt(o.acknowledgement(CLOSED_LETTER, fields={"marks put on": bytes(32)}))
    yield TOPIC.bad("record_marks_hidden", hidden, "not authentic @ 10", "another digest of the marks", record=("closed.record",), **CLOSED)
    kgb = o.receipt(o.acknowledgement(KGB_LETTER, "kastus"), "halina", KGB)
    yield TOPIC.bad("confirming_acknowledges", kgb, "refused @ 3", "the confirming body acknowledges and countersigns, in place of the destination")


def cases() -> Cases:
    """All of them."""
    for part in (_verdicts, _incomplete, _countersigners, _answers, _forms, _compared):
        yield from part()
