"""Vectors of requests (request.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import spoil
import wire
import world as w
from cases import TRUSTED, Cases, Changes, Topic
from wire import Item, Signer

TOPIC = Topic("request", "request", TRUSTED)
MADE = w.when("2026-03-03T08:00")
ALENA = w.PEOPLE["alena-acknowledge"]
SUBJECT = wire.draw(f"subject/{w.BY_MFA}/alena", 16)  # that of her credentials


@dataclass(frozen=True)
class Request:
    """A request of an officer of BY-MFA for some purposes; the key for each is drawn by name. *vouched* are credentials whose keys sign too."""

    name: str
    purposes: Sequence[str] = ("seal",)
    subject: bytes | None = None
    vouched: Sequence[w.Credential] = ()
    fields: Mapping[str, Item] = field(default_factory=dict)

    def seed(self, purpose: str) -> bytes:
        """The seed of a key."""
        return wire.draw(f"key/request {self.name} {purpose}", 32 if purpose == "open" else 64)

    def key(self, purpose: str) -> list[Item]:
        """A key as it stands in the body."""
        kind = wire.KINDS.get(purpose, wire.SIGNING_KIND)
        return [purpose, [kind, wire.public_of(kind, self.seed(purpose))]]

    def body(self) -> bytes:
        """request.md, Request."""
        items: dict[str, Item] = {
            "subject": self.subject,
            "party": "BY",
            "body id": "BY-MFA",
            "names": w.names(self.name),
            "keys": [self.key(purpose) for purpose in sorted(self.purposes)],
            "made at": MADE,
            "extensions": {},
        }
        return w.fields_of(items, self.fields)

    def own(self, purpose: str) -> Signer:
        """The signer in the request's own name with one of its keys."""
        return Signer("holder", wire.digest("request", self.body()), self.seed(purpose))

    def signers(self) -> list[Signer]:
        """Every signing key, and who vouches."""
        own = [self.own(purpose) for purpose in self.purposes if purpose not in wire.KINDS]
        return own + [credential.signer("holder") for credential in self.vouched]

    def statement(self, signers: Sequence[Signer] | None = None) -> bytes:
        """The request's statement."""
        return wire.statement("valiza/v1/request", self.body(), self.signers() if signers is None else signers)

    def but(self, **fields: Item) -> Request:
        """The same with other fields, whose names have `_` for spaces."""
        return replace(self, fields={name.replace("_", " "): value for name, value in fields.items()})


NEW = Request("new", ("acknowledge", "open"))
SEAL = Request("new")
RENEWED = Request("alena", ("acknowledge", "open"), SUBJECT, (ALENA,))
KEEPER = replace(Request("keeper", ("custodian",), wire.draw("custodian/new", 16)), fields={"body id": None})
WITNESS = replace(Request("witness", ("witness",), wire.draw("witness/new", 16)), fields={"body id": None})
SIGN_KEY, OTHER_KEY = SEAL.key("seal")[1], SEAL.key("act")[1]
LOG_PUBLIC = wire.log_public(SEAL.seed("register"))
WRONG_KIND: Sequence[tuple[str, Item, str]] = (
    ("open_composite", [["open", SIGN_KEY]], "an open key of kind MLDSA65-Ed25519"),
    ("seal_x_wing", [["seal", NEW.key("open")[1]]], "a seal key of kind X-Wing"),
    ("register_composite", [["register", SIGN_KEY]], "a register key of kind MLDSA65-Ed25519"),
    ("seal_log", [["seal", SEAL.key("register")[1]]], "a seal key of kind MLDSA44-Ed25519-log"),
    ("register_low_order", [["register", [wire.LOG_KIND, LOG_PUBLIC[:-32] + spoil.IDENTITY]]], "a register key whose Ed25519 half is the identity"),
)

BAD_FORMS: Sequence[tuple[str, Changes, str]] = (
    ("subject_short", {"subject": bytes(15)}, "a subject of 15 bytes"),
    ("body_missing", {"body id": None}, "no body id, with purpose seal"),
    ("keys_none", {"keys": []}, "no key"),
    ("keys_unsorted", {"keys": [["seal", SIGN_KEY], ["act", OTHER_KEY]]}, "purposes in descending order"),
    ("purpose_twice", {"keys": [["seal", SIGN_KEY], ["seal", OTHER_KEY]]}, "one purpose twice"),
    ("one_key_twice", {"keys": [["act", SIGN_KEY], ["seal", SIGN_KEY]]}, "one key for two purposes"),
    ("purpose_unknown", {"keys": [["read", SIGN_KEY]]}, "a purpose that there is not"),
    ("extension_unknown", {"extensions": {"clearance": "ov"}}, "an extension that version 1 does not know"),
    ("field_more", {"clearance": "ov"}, "a field more: a clearance is not asked for"),
    *((name, {"keys": keys}, comment) for name, keys, comment in WRONG_KIND),
)


def _good() -> Cases:
    every = ("act", "acknowledge", "certify", "countersign", "open", "register", "roster", "seal", "transport")
    for name, request, comment in (
        ("good", NEW, "a new officer asks for a key to acknowledge and one to open"),
        ("seal", SEAL, "one key"),
        ("every_purpose", Request("all", every), "nine keys, and all but two sign"),
        ("renewed", RENEWED, "new keys of a known subject, vouched for by the old acknowledge key"),
        ("open_vouched", replace(RENEWED, purposes=("open",)), "an open key alone, vouched for by the acknowledge key"),
        ("register", Request("new registrar", ("act", "register")), "a key to act, which signs, and one of the register, which does not"),
        ("unvouched", replace(RENEWED, vouched=()), "a known subject whose old keys do not vouch: for the issuer to judge"),
        ("custodian", KEEPER, "somebody who is to be a custodian"),
        ("witness", WITNESS, "a witness"),
        ("extension_shown", SEAL.but(extensions={"~room": "12"}), "an extension that is shown and ignored"),
    ):
        yield TOPIC.good(name, request.statement(), comment)


def _forms() -> Cases:
    for name, changes, comment in BAD_FORMS:
        yield TOPIC.bad(name, replace(SEAL, fields=changes).statement(), "malformed @ 2", comment)
    alone: Sequence[tuple[str, Request, str]] = (
        ("custodian_with_seal", replace(KEEPER, purposes=("custodian", "seal")), "a custodian who asks to seal as well"),
        ("custodian_of_body", replace(KEEPER, fields={}), "a custodian with a body id"),
        ("custodian_without_id", replace(KEEPER, subject=None), "a custodian without an id of his own"),
    )
    for name, request, comment in alone:
        yield TOPIC.bad(name, request.statement(), "malformed @ 2", comment)
    issuer = replace(SEAL.own("seal"), role="issuer")
    yield TOPIC.bad("role", SEAL.statement([issuer]), "malformed @ 1", "signed in the role of an issuer")
    yield TOPIC.bad("unsigned", SEAL.statement([]), "malformed @ 1", "no signature")


def _possession() -> Cases:
    ack = NEW.own("acknowledge")
    stranger = replace(ack, seed=wire.draw("key/request stranger", 64))
    two = Request("two", ("act", "seal"))
    for name, raw, comment in (
        ("key_missing", two.statement([two.own("seal")]), "one of two keys did not sign"),
        ("key_stranger", NEW.statement([ack, stranger]), "a key signs in its name that does not stand in it"),
        ("mldsa_broken", NEW.statement([spoil.spoilt(ack, spoil.flip(9))]), "only the Ed25519 half holds"),
        ("ed25519_broken", NEW.statement([spoil.spoilt(ack, spoil.flip(-1))]), "only the ML-DSA half holds"),
        ("of_another", NEW.statement([replace(ack, signs_body=SEAL.body())]), "the signature of another request"),
        ("vouched_only", replace(RENEWED, vouched=()).statement([ALENA.signer("holder")]), "vouched for, and not signed by the new key"),
    ):
        yield TOPIC.bad(name, raw, "not authentic @ 3", comment)


def _vouching() -> Cases:
    stranger = replace(ALENA, name="nobody", key="nobody")
    opener = w.PEOPLE["alena-open"]
    signs = replace(ALENA.signer("holder"), named=opener.digest)
    broken = spoil.spoilt(ALENA.signer("holder"), spoil.flip(9))
    own = RENEWED.own("acknowledge")
    late = replace(RENEWED, subject=wire.draw(f"subject/{w.BY_MFA}/zoya", 16), vouched=(w.PEOPLE["zoya-acknowledge"],))
    for name, raw, outcome, comment in (
        ("vouched_unknown", replace(RENEWED, vouched=(stranger,)).statement(), "not authentic", "vouched for by a credential that nobody knows"),
        ("vouched_by_opener", RENEWED.statement([own, signs]), "not authentic", "in the name of an open credential, which signs nothing"),
        ("vouched_broken", RENEWED.statement([own, broken]), "not authentic", "the signature of the old key does not hold"),
        ("custodian_vouched", replace(KEEPER, vouched=(ALENA,)).statement(), "not authentic", "an officer vouches for a custodian"),
        ("vouched_by_other", replace(RENEWED, vouched=(w.PEOPLE["bahdan-acknowledge"],)).statement(), "refused", "vouched for by a colleague"),
        ("vouched_new", replace(NEW, vouched=(ALENA,)).statement(), "refused", "vouched for, and without a subject"),
        ("vouched_elsewhere", RENEWED.but(body_id="BY-KGB").statement(), "refused", "vouched for by a credential of another body"),
        ("vouched_expired", late.statement(), "refused", "vouched for by a credential that has expired"),
    ):
        yield TOPIC.bad(name, raw, f"{outcome} @ 4", comment)
    countersigner = replace(RENEWED, purposes=("open",), vouched=(w.PEOPLE["alena-countersign"],))
    yield TOPIC.bad("open_not_by_acknowledger", countersigner.statement(), "refused @ 5", "an open key alone, vouched for by the countersign key")
    register = replace(RENEWED, purposes=("register",))
    yield TOPIC.bad("register_not_by_actor", register.statement(), "refused @ 5", "a register key alone, vouched for by the acknowledge key")
    both = replace(RENEWED, purposes=("open", "register"))
    yield TOPIC.bad("register_with_open", both.statement(), "refused @ 5", "likewise, with an open key")


def cases() -> Cases:
    """All of them."""
    yield from _good()
    yield from _forms()
    yield from _possession()
    yield from _vouching()
