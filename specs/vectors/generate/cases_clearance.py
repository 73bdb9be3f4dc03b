"""Vectors of clearance enquiries, of confirmations, and of whom some of them confirm (clearance.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import spoil
import wire
import world as w
from cases import PINNED, WORLD, Case, Cases, Changes, Topic
from wire import Item, Signer

DAY = 86400
ASKED, ANSWERED, AT = w.SEALED - 7 * DAY, w.SEALED - 3 * DAY, w.SEALED

# Officers who act for their bodies, in rosters of their own, so that all other vectors stay as they are. BY-KGB is asked; BY-MFA is competent too.
AIGERIM, YERLAN = w.officer("aigerim-act", "act"), w.officer("yerlan-act", "act")
HALINA, VERA = w.officer("halina-act", "act"), w.officer("vera-act", "act")
LEFT = w.officer("kastus-act", "act", valid=(w.FROM, ANSWERED))
KZ_ROLLS = replace(w.kz_rolls, members=[*w.kz_rolls.members, AIGERIM, YERLAN], version=2)
BY_ROLLS = replace(w.by_rolls, members=[*w.by_rolls.members, HALINA, VERA, LEFT], version=2)


def _roster(name: str, rolls: w.Roster, *revocations: w.Revocation) -> str:
    WORLD[name] = replace(rolls, revocations=[one.statement() for one in revocations]).statement()
    return name


KZ_FILE, BY_FILE = _roster("kz-acting.vls", KZ_ROLLS), _roster("by-acting.vls", BY_ROLLS)
HEAD: Mapping[str, Sequence[str]] = {
    "root": PINNED,
    "trust": (KZ_FILE, BY_FILE),
    "agreement": ("open.vls", "closed.vls"),
    "at": (w.stamp_of(AT),),
}
ENQUIRY = Topic("clearance", "clearance-enquiry", HEAD)
CONFIRMATION = Topic("clearance", "clearance-confirmation", HEAD)


def subject(name: str) -> bytes:
    """Of an officer of BY-MFA."""
    return wire.draw(f"subject/{w.BY_MFA}/{name}", 16)


ALENA, BAHDAN, PAVEL = subject("alena"), subject("bahdan"), subject("pavel")


@dataclass(frozen=True)
class Enquiry:
    """KZ-MFA asks BY-KGB about two officers of BY-MFA."""

    name: str = "letter"
    fields: Mapping[str, Item] = field(default_factory=dict)
    signer: Signer = field(default_factory=lambda: AIGERIM.signer("competent"))

    def body(self) -> bytes:
        """clearance.md, Enquiry."""
        items: dict[str, Item] = {
            "enquiry id": wire.draw(f"enquiry/{self.name}"),
            "agreement": w.OPEN.digest,
            "asking": list(w.KZ_MFA),
            "asked": list(w.BY_KGB),
            "destination": list(w.BY_MFA),
            "officers": sorted([ALENA, BAHDAN]),
            "mark": ["KZ", "ss"],
            "purpose": "consultations",
            "asked at": ASKED,
            "extensions": {},
        }
        return w.fields_of(items, self.fields)

    def statement(self) -> bytes:
        """Signed in role `competent`."""
        return wire.statement("valiza/v1/clearance-enquiry", self.body(), [self.signer])

    def but(self, **fields: Item) -> Enquiry:
        """The same with other fields, whose names have `_` for spaces."""
        return replace(self, fields={**self.fields, **{name.replace("_", " "): value for name, value in fields.items()}})


GOOD = Enquiry()


def answer(enquiry: Enquiry | bytes = GOOD, signer: Signer | None = None, **fields: Item) -> bytes:
    """clearance.md, Confirmation: both are cleared, for a year; field names have `_` for spaces."""
    items: dict[str, Item] = {
        "enquiry": enquiry if isinstance(enquiry, bytes) else enquiry.statement(),
        "number": 1,
        "cleared": sorted([ALENA, BAHDAN]),
        "answered at": ANSWERED,
        "valid until": ANSWERED + 365 * DAY,
        "extensions": {},
    }
    body = w.fields_of(items, {name.replace("_", " "): value for name, value in fields.items()})
    return wire.statement("valiza/v1/clearance-confirmation", body, [signer or HALINA.signer("competent")])


ENQUIRY_FORMS: Sequence[tuple[str, Changes, str]] = (
    ("id_short", {"enquiry_id": bytes(31)}, "an id of 31 bytes"),
    ("officers_none", {"officers": []}, "about nobody"),
    ("officers_unsorted", {"officers": sorted([ALENA, BAHDAN], reverse=True)}, "subjects in descending order"),
    ("officers_twice", {"officers": [ALENA, ALENA]}, "one subject twice"),
    ("officers_65", {"officers": [number.to_bytes(16, "big") for number in range(65)]}, "65 subjects"),
    ("purpose_empty", {"purpose": ""}, "no purpose"),
    ("extension_unknown", {"extensions": {"copy": 1}}, "an extension that version 1 does not know"),
    ("field_more", {"more": None}, "a field more"),
)
CONFIRMATION_FORMS: Sequence[tuple[str, Changes, str]] = (
    ("number_zero", {"number": 0}, "number 0"),
    ("cleared_boolean", {"cleared": True}, "cleared as a boolean"),
    ("cleared_unsorted", {"cleared": sorted([ALENA, BAHDAN], reverse=True)}, "subjects in descending order"),
    ("until_at_once", {"valid_until": ANSWERED}, "valid until is answered at"),
    ("enquiry_long", {"enquiry": bytes(65537)}, "an enquiry over its limit"),
    ("extension_unknown", {"extensions": {"copy": 1}}, "an extension that version 1 does not know"),
)


def _enquiries() -> Cases:
    yield ENQUIRY.good("enquiry_good", GOOD.statement(), "the competent body of one party asks that of the other about two officers of a third body")
    yield ENQUIRY.good("enquiry_extension_shown", GOOD.but(extensions={"~": 1}).statement(), "an extension that is shown and ignored")
    early = GOOD.but(asked_at=AT + 300).statement()
    yield ENQUIRY.good("enquiry_within_skew", early, "asked after now, by no more than skew")
    for name, changes, comment in ENQUIRY_FORMS:
        yield ENQUIRY.bad(f"enquiry_{name}", GOOD.but(**changes).statement(), "malformed @ 2", comment)
    signer = GOOD.signer
    for name, by, outcome, comment in (
        ("role", replace(signer, role="sealer"), "malformed @ 1", "signed in the role of a sealer"),
        ("purpose_seal", w.PEOPLE["aigerim-seal"].signer("competent"), "not authentic @ 2", "signed with a key to seal"),
        ("stranger", replace(AIGERIM, name="nobody").signer("competent"), "not authentic @ 2", "signed by somebody who is in no roster"),
        ("mldsa_broken", spoil.spoilt(signer, spoil.flip(9)), "not authentic @ 2", "only the Ed25519 half holds"),
        ("ed25519_broken", spoil.spoilt(signer, spoil.flip(-1)), "not authentic @ 2", "only the ML-DSA half holds"),
        ("other_body", YERLAN.signer("competent"), "refused @ 4", "signed by an officer of another body of the asking party"),
    ):
        yield ENQUIRY.bad(f"enquiry_{name}", replace(GOOD, signer=by).statement(), outcome, comment)
    knb = replace(GOOD, signer=YERLAN.signer("competent")).but(asking=list(w.KZ_KNB))
    for name, enquiry, outcome, comment in (
        ("agreement_unknown", GOOD.but(agreement=bytes(32)), "refused @ 3", "under an agreement that is not adopted"),
        ("agreement_early", GOOD.but(asked_at=w.FROM - 1), "refused @ 3", "asked before the agreement was in force"),
        ("asking_not_competent", knb, "refused @ 4", "asked by a body that is not competent"),
        ("asked_not_competent", GOOD.but(asked=list(w.BY_MVD)), "refused @ 4", "a body is asked that is not competent"),
        ("asked_own_party", GOOD.but(asked=list(w.KZ_MFA)), "refused @ 4", "a body of the same party is asked"),
        ("asked_third_party", GOOD.but(asked=["TS", "TS-A"]), "refused @ 4", "a body of a third party is asked"),
        ("destination_own_party", GOOD.but(destination=list(w.KZ_MFA)), "refused @ 5", "about a body of the asking party"),
        ("mark_other_party", GOOD.but(mark=["BY", "ss"]), "refused @ 5", "about a mark of the other party"),
        ("mark_unknown", GOOD.but(mark=["KZ", "dsp"]), "refused @ 5", "about a mark that has no row"),
        ("officer_unknown", GOOD.but(officers=[bytes(16)]), "refused @ 6", "about somebody who is in no roster"),
        ("officer_no_opener", GOOD.but(officers=[subject("vera")]), "refused @ 6", "about an officer who is not certified to open"),
        ("officer_elsewhere", GOOD.but(destination=list(w.BY_MVD)), "refused @ 6", "about officers of another body than the one named"),
        ("future", GOOD.but(asked_at=AT + 301), "refused @ 7", "asked after now, by more than skew"),
        ("expired", GOOD.but(asked_at=AIGERIM.valid[1]), "refused @ 7", "asked when the signer's credential had expired, long after now"),
    ):
        yield ENQUIRY.bad(f"enquiry_{name}", enquiry.statement(), outcome, comment)


def _confirmations() -> Cases:
    good = CONFIRMATION.good
    yield good("confirmation_good", answer(), "both officers are cleared")
    yield good("confirmation_one", answer(cleared=[ALENA]), "one of two is cleared")
    yield good("confirmation_none", answer(cleared=[]), "nobody is cleared: an answer like any other")
    yield good("confirmation_endless", answer(valid_until=None), "until there is another answer")
    yield good("confirmation_over", answer(valid_until=ANSWERED + 1), "over long ago: it reads well, and confirms nobody")
    yield good("confirmation_skew", answer(answered_at=ASKED - 300), "answered before it was asked, by no more than skew")
    for name, changes, comment in CONFIRMATION_FORMS:
        yield CONFIRMATION.bad(f"confirmation_{name}", answer(**changes), "malformed @ 2", comment)
    signer = HALINA.signer("competent")
    broken = replace(GOOD, signer=spoil.spoilt(GOOD.signer, spoil.flip(9)))
    for name, raw, outcome, comment in (
        ("role", answer(signer=replace(signer, role="countersigner")), "malformed @ 1", "signed in the role of a countersigner"),
        ("purpose", answer(signer=w.PEOPLE["halina-countersign"].signer("competent")), "not authentic @ 2", "signed with a key to countersign"),
        ("broken", answer(signer=spoil.spoilt(signer, spoil.flip(-1))), "not authentic @ 2", "only the ML-DSA half holds"),
        ("of_another", answer(signer=replace(signer, signs_body=b"\x90")), "not authentic @ 2", "the signature of something else"),
        ("as_enquiry", answer(signer=replace(signer, signs_type="valiza/v1/clearance-enquiry")), "not authentic @ 2", "signed as an enquiry"),
        ("enquiry_broken", answer(broken), "not authentic @ 3", "the enquiry inside is not well signed"),
        ("enquiry_refused", answer(GOOD.but(mark=["KZ", "dsp"])), "refused @ 3", "the enquiry inside is about a mark that has no row"),
        ("enquiry_other_type", answer(answer()), "malformed @ 3", "a confirmation stands where the enquiry should"),
        ("by_destination", answer(signer=VERA.signer("competent")), "refused @ 4", "answered by another competent body, which was not asked"),
        ("by_asking", answer(signer=AIGERIM.signer("competent")), "refused @ 4", "answered by the body that asks"),
        ("cleared_stranger", answer(cleared=[PAVEL]), "malformed @ 5", "somebody is cleared who was not asked about"),
        ("early", answer(answered_at=ASKED - 301), "refused @ 6", "answered before it was asked, by more than skew"),
        ("future", answer(answered_at=AT + 301), "refused @ 6", "answered after now, by more than skew"),
        ("expired", answer(signer=LEFT.signer("competent")), "refused @ 7", "the signer's credential had expired when he answered"),
        ("enquiry_future", answer(GOOD.but(asked_at=AT + 301), answered_at=AT + 300), "refused @ 8", "the enquiry inside was asked in the future"),
    ):
        yield CONFIRMATION.bad(f"confirmation_{name}", raw, outcome, comment)


def _revoked() -> Cases:
    def by(name: str, *revocations: w.Revocation) -> Sequence[str]:
        return KZ_FILE, _roster(f"by-acting-{name}.vls", BY_ROLLS, *revocations)

    def kz(name: str, *revocations: w.Revocation) -> Sequence[str]:
        return _roster(f"kz-acting-{name}.vls", KZ_ROLLS, *revocations), BY_FILE

    later = by("retired-after", w.Revocation(HALINA, "retired", ANSWERED + 1))
    yield CONFIRMATION.good("confirmation_retired_after", answer(), "the signer was retired a second after he answered", trust=later)
    at = by("retired-at", w.Revocation(HALINA, "retired", ANSWERED))
    yield CONFIRMATION.bad("confirmation_retired_at", answer(), "refused @ 7", "the signer was retired when he answered", trust=at)
    lost = by("compromised", w.Revocation(HALINA, "compromised", AT))
    comment = "the signer's key was compromised later, and there is no evidence"
    yield CONFIRMATION.bad("confirmation_compromised", answer(), "refused @ 7", comment, trust=lost)
    gone = kz("retired-at", w.Revocation(AIGERIM, "retired", ASKED))
    yield ENQUIRY.bad("enquiry_retired", GOOD.statement(), "refused @ 7", "the signer was retired when he asked", trust=gone)
    yield CONFIRMATION.bad("confirmation_enquiry_retired", answer(), "refused @ 8", "the signer of the enquiry was retired when he asked", trust=gone)
    stolen = kz("compromised-after", w.Revocation(AIGERIM, "compromised", ANSWERED + 1))
    yield ENQUIRY.bad("enquiry_compromised", GOOD.statement(), "refused @ 7", "the signer's key was compromised later: no evidence", trust=stolen)
    comment = "the key of the enquiry's signer was compromised after the other party had answered it"
    yield CONFIRMATION.good("confirmation_evidence", answer(), comment, trust=stolen)
    before = kz("compromised-answered", w.Revocation(AIGERIM, "compromised", ANSWERED))
    yield CONFIRMATION.bad("confirmation_no_evidence", answer(), "refused @ 8", "it was compromised when the other party answered", trust=before)


def _confirmed() -> Cases:
    """Whom several confirmations confirm."""
    again = Enquiry("again")
    lower, higher = Enquiry("lower").but(mark=["KZ", "s"]), Enquiry("higher").but(mark=["KZ", "ov"])
    closed = Enquiry("closed").but(agreement=w.CLOSED.digest)
    no = answer(cleared=[])
    rows: Sequence[tuple[str, Sequence[bytes], str, str]] = (
        ("good", [answer()], "success", "one yes"),
        ("nothing", [], "refused @ 3", "no confirmation at all"),
        ("no", [no], "refused @ 3", "one no"),
        ("other_officer", [answer(cleared=[BAHDAN])], "refused @ 3", "the other one of two is cleared"),
        ("not_asked_about", [answer(GOOD.but(officers=[BAHDAN]), cleared=[BAHDAN])], "refused @ 3", "only somebody else was asked about"),
        ("lower", [answer(lower)], "refused @ 3", "cleared to a less secret mark"),
        ("higher", [answer(higher)], "success", "cleared to a more secret mark"),
        (
            "no_higher",
            [answer(higher, cleared=[], answered_at=ANSWERED + 1), answer()],
            "success",
            "not cleared to a more secret mark, but to this one",
        ),
        ("no_lower", [answer(lower, cleared=[], answered_at=ANSWERED + 1), answer()], "refused @ 3", "later not even cleared to a less secret mark"),
        ("other_agreement", [answer(closed)], "refused @ 3", "confirmed under another agreement"),
        ("expired", [answer(valid_until=AT)], "refused @ 4", "expired in this second"),
        ("last_second", [answer(valid_until=AT + 1)], "success", "in its last second"),
        (
            "higher_number",
            [answer(), answer(number=2, cleared=[], answered_at=ANSWERED - 9)],
            "refused @ 3",
            "a no with a higher number, dated earlier",
        ),
        ("higher_number_yes", [answer(number=2), no], "success", "a yes with a higher number"),
        ("one_number", [answer(), no], "refused @ 1", "a yes and a no with one number"),
        ("later_no", [answer(), answer(again, cleared=[], answered_at=ANSWERED + 1)], "refused @ 3", "a later no to another enquiry"),
        ("same_time", [answer(), answer(again, cleared=[])], "refused @ 3", "a yes and a no to two enquiries, at one time"),
        ("earlier_no", [answer(), answer(again, cleared=[], answered_at=ANSWERED - 1)], "success", "an earlier no to another enquiry"),
        ("same_time_longer", [answer(), answer(again, valid_until=AT)], "success", "two yes at one time: the one that lasts longer decides"),
        ("later_expired", [answer(), answer(again, answered_at=ANSWERED + 1, valid_until=AT)], "refused @ 4", "the latest yes has expired"),
    )
    head = {**HEAD, "addressee": (w.PEOPLE["alena-open"].digest.hex(),), "mark": ("KZ:ss",)}
    for name, confirmations, outcome, comment in rows:
        expect, _, step = outcome.partition(" @ ")
        yield Case(f"clearance_by_{name}", "clearances", wire.encode(list(confirmations)), expect, comment, step, head=head)


def cases() -> Cases:
    """All of them."""
    for part in (_enquiries, _confirmations, _revoked, _confirmed):
        yield from part()
