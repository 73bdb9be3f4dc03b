"""The world of the vectors: two parties with roots, bodies, officers, rosters and agreements, all from fixed seeds.

KZ seals and BY answers, but for a few vectors the other way. A third party, TS, is small: vectors of rosters are made of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache

import wire
from wire import Item, Signer


def when(text: str) -> int:
    """A time, from `2026-03-01` or `2026-03-01T10:00`, in UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def stamp_of(time: int) -> str:
    """A time as heads of vectors write it."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


ROOT_FROM, ROOT_UNTIL = when("2025-01-01"), when("2045-01-01")
FROM, UNTIL = when("2026-01-01"), when("2029-01-01")
ISSUED, EXPIRES = when("2026-01-15"), when("2027-01-15")
SEALED, OPENED, ACKNOWLEDGED = when("2026-03-01T10:00"), when("2026-03-02T08:00"), when("2026-03-02T08:30")
COUNTERSIGNED, DUE, NOW = when("2026-03-02T12:00"), when("2026-04-01"), when("2026-03-03T09:00")


ROOT_FIELDS = ("party", "version", "previous", "names", "degrees", "custodians", "threshold", "valid from", "valid until", "extensions")


def names(text: str) -> Item:
    """Names in one language."""
    return {"en": text}


def fields_of(items: Mapping[str, Item], changes: Mapping[str, Item]) -> bytes:
    """The encoding of a body: its fields in order, some of them changed by name; a name that is not there adds one at the end."""
    return wire.encode(list({**items, **changes}.values()))


def sorted_custodians(people: Iterable[list[Item]]) -> list[list[Item]]:
    """Custodians in the order in which they stand in a root: by their ids."""
    return sorted(people, key=lambda person: wire.encode(person[0]))


@dataclass(frozen=True)
class Root:
    """A version of a party's root; every field can be something else. A custodian is named by a tag; a sole one has none."""

    party: str
    degrees: Sequence[str]
    tag: str = ""
    fields: Mapping[str, Item] = field(default_factory=dict)
    custodians: Sequence[str] = ("",)
    threshold: int = 1
    older: Root | None = None

    def key(self, custodian: str) -> bytes:
        """The two seeds of a custodian's key."""
        return wire.draw(f"key/root {self.party}{self.tag}{custodian}", 64)

    @property
    def seed(self) -> bytes:
        """The two seeds of the first custodian's key."""
        return self.key(self.custodians[0])

    def custodian(self, tag: str) -> list[Item]:
        """A custodian as he stands in the body."""
        person = wire.draw(f"custodian/{self.party}{tag}", 16)
        return [person, names(f"Custodian{tag} of {self.party}"), [wire.SIGNING_KIND, wire.composite_public(self.key(tag))]]

    def body(self) -> bytes:
        """credential.md, Root."""
        items: dict[str, Item] = {
            "party": self.party,
            "version": 1 if self.older is None else self.older.version + 1,
            "previous": None if self.older is None else self.older.digest,
            "names": names(f"Root of {self.party}"),
            "degrees": list(self.degrees),
            "custodians": list(sorted_custodians(self.custodian(tag) for tag in self.custodians)),
            "threshold": self.threshold,
            "valid from": ROOT_FROM,
            "valid until": ROOT_UNTIL,
            "extensions": {},
        }
        return fields_of(items, self.fields)

    @property
    def version(self) -> int:
        """Its number."""
        return 1 if self.older is None else self.older.version + 1

    @property
    def digest(self) -> bytes:
        """The fingerprint."""
        return wire.digest("root", self.body())

    def signer(self, role: str = "root", custodian: str | None = None) -> Signer:
        """A custodian as a signer in the name of this root, with role `root` or `issuer`."""
        return Signer(role, self.digest, self.seed if custodian is None else self.key(custodian))

    def quorum(self, role: str = "root", custodians: Sequence[str] | None = None) -> list[Signer]:
        """Some custodians as signers; as many as are needed, if no others are named."""
        return [self.signer(role, tag) for tag in (self.custodians[: self.threshold] if custodians is None else custodians)]

    def statement(self, signers: Sequence[Signer] | None = None) -> bytes:
        """The root's statement, signed by the quorums of itself and of the version before it."""
        usual = [*self.quorum(), *(self.older.quorum() if self.older else [])]
        return wire.statement("valiza/v1/root", self.body(), usual if signers is None else signers)


@dataclass(frozen=True)
class Credential:
    """A credential; *fields* replaces fields of its body by name, *key* takes the key of another by name."""

    name: str
    place: tuple[str, str]
    purpose: str
    issuer: Root | Credential
    clearance: str | None = None
    certifies: bool = False
    valid: tuple[int, int] = (FROM, UNTIL)
    subject: str = ""
    key: str = ""
    fields: Mapping[str, Item] = field(default_factory=dict)
    signing: Signer | None = None

    @property
    def seed(self) -> bytes:
        """The seed of its key: 32 bytes of kind X-Wing, else 64."""
        return wire.draw(f"key/{self.key or self.name}", 32 if self.purpose == "open" else 64)

    @property
    def public(self) -> bytes:
        """Its public key."""
        return wire.public_of(self.kind, self.seed)

    @property
    def kind(self) -> str:
        """Of its key."""
        return wire.KINDS.get(self.purpose, wire.SIGNING_KIND)

    def body(self) -> bytes:
        """credential.md, Credential."""
        person = wire.draw(f"subject/{self.place}/{self.subject or self.name.split('-')[0]}", 16)
        items: dict[str, Item] = {
            "subject": person,
            "party": self.place[0],
            "body id": self.place[1],
            "names": names(self.name),
            "purpose": self.purpose,
            "public key": [self.kind, self.public],
            "clearance": self.clearance,
            "certifies bodies": self.certifies,
            "valid from": self.valid[0],
            "valid until": self.valid[1],
            "extensions": {},
        }
        return fields_of(items, self.fields)

    def statement(self) -> bytes:
        """The credential's statement."""
        return _credential(self)

    @property
    def digest(self) -> bytes:
        """What names it."""
        return wire.digest("statement", self.statement())

    def signer(self, role: str) -> Signer:
        """Its holder as a signer."""
        return Signer(role, self.digest, self.seed)

    def __hash__(self) -> int:
        return hash((self.name, self.place, self.purpose))


@cache
def _credential(credential: Credential) -> bytes:
    issuer = credential.issuer
    signers = issuer.quorum("issuer") if isinstance(issuer, Root) else [issuer.signer("issuer")]
    return wire.statement("valiza/v1/credential", credential.body(), [credential.signing] if credential.signing else signers)


@dataclass(frozen=True)
class Roster:
    """A party's roster; *members* may be raw statements too."""

    root: Root
    signer: Credential
    members: Sequence[Credential | bytes]
    version: int = 1
    times: tuple[int, int] = (ISSUED, EXPIRES)
    fields: Mapping[str, Item] = field(default_factory=dict)
    signing: Signer | None = None
    unsorted: bool = False
    roots: Sequence[bytes] | None = None
    revocations: Sequence[bytes] = ()
    designations: Sequence[bytes] = ()

    def versions(self) -> list[bytes]:
        """All versions of the root, the first one first."""
        found = [self.root]
        while found[0].older is not None:
            found.insert(0, found[0].older)
        return [root.statement() for root in found]

    def statement(self) -> bytes:
        """credential.md, Roster."""
        raws = [member if isinstance(member, bytes) else member.statement() for member in self.members]
        raws.sort(key=lambda raw: wire.digest("statement", raw), reverse=self.unsorted)
        items: dict[str, Item] = {
            "party": self.root.party,
            "version": self.version,
            "issued at": self.times[0],
            "expires at": self.times[1],
            "roots": self.versions() if self.roots is None else list(self.roots),
            "credentials": raws,
            "revocations": list(self.revocations),
            "designations": list(self.designations),
            "extensions": {},
        }
        return wire.statement("valiza/v1/roster", fields_of(items, self.fields), [self.signing or self.signer.signer("roster")])


@dataclass(frozen=True)
class Revocation:
    """A revocation of a credential; *signers* are those of its issuer, or of another body or the root."""

    credential: Credential
    kind: str
    effective: int
    number: int = 1
    issuer: Root | Credential | None = None
    issued: int | None = None
    fields: Mapping[str, Item] = field(default_factory=dict)
    signers: Sequence[Signer] | None = None

    def statement(self) -> bytes:
        """revocation.md, Revocation."""
        by = self.issuer or self.credential.issuer
        items: dict[str, Item] = {
            "party": self.credential.place[0],
            "series": None if isinstance(by, Root) else by.place[1],
            "number": self.number,
            "kind": self.kind,
            "credential": self.credential.digest,
            "effective at": self.effective,
            "issued at": self.effective if self.issued is None else self.issued,
            "reason": "left" if self.kind == "retired" else "lost",
            "extensions": {},
        }
        usual = by.quorum("issuer") if isinstance(by, Root) else [by.signer("issuer")]
        return wire.statement("valiza/v1/revocation", fields_of(items, self.fields), self.signers or usual)


@dataclass(frozen=True)
class Designation:
    """A designation of a body by a root; *place* is the id of the body."""

    root: Root
    place: str
    role: str
    effective: int
    until: int | None = None
    replaces: str | None = None
    number: int = 1
    issued: int | None = None
    fields: Mapping[str, Item] = field(default_factory=dict)
    signers: Sequence[Signer] | None = None

    def statement(self) -> bytes:
        """designation.md, Designation."""
        items: dict[str, Item] = {
            "party": self.root.party,
            "number": self.number,
            "body id": self.place,
            "names": names(self.place),
            "role": self.role,
            "effective from": self.effective,
            "effective until": self.until,
            "replaces": self.replaces,
            "issued at": self.effective if self.issued is None else self.issued,
            "extensions": {},
        }
        return wire.statement("valiza/v1/designation", fields_of(items, self.fields), self.signers or self.root.quorum())


KZ, BY = Root("KZ", ["ov", "ss", "s"]), Root("BY", ["ov", "ss", "s", "dsp"])
TS = Root("TS", ["x"])
KZ_MFA, KZ_KNB = ("KZ", "KZ-MFA"), ("KZ", "KZ-KNB")
BY_MFA, BY_KGB, BY_MVD = ("BY", "BY-MFA"), ("BY", "BY-KGB"), ("BY", "BY-MVD")
SHORT = (FROM, when("2026-02-01"))  # ended before SEALED
LAPSING = (FROM, when("2026-03-01T12:00"))  # ended between SEALED and OPENED

kz_roster = Credential("kz-roster", KZ_MFA, "roster", KZ)
kz_mfa = Credential("kz-mfa", KZ_MFA, "certify", KZ, "ov", certifies=True, valid=(FROM, when("2036-01-01")))
kz_knb = Credential("kz-knb", KZ_KNB, "certify", kz_mfa, "ov", valid=(FROM, when("2035-01-01")))
by_roster = Credential("by-roster", BY_MFA, "roster", BY)
by_mfa = Credential("by-mfa", BY_MFA, "certify", BY, "ov", certifies=True, valid=(FROM, when("2036-01-01")))
by_mvd = Credential("by-mvd", BY_MVD, "certify", by_mfa, "s", valid=(FROM, when("2027-01-01")))
by_archive = Credential("by-archive", ("BY", "BY-ARCHIVE"), "certify", by_mfa, None, valid=(FROM, when("2035-01-01")))
by_kgb = Credential("by-kgb", BY_KGB, "certify", by_mfa, "ov", valid=(FROM, when("2035-01-01")))


def officer(name: str, purpose: str, clearance: str | None = "ov", valid: tuple[int, int] = (FROM, UNTIL), subject: str = "") -> Credential:
    """A credential of an officer; the first part of the name says the body, by the table of bodies."""
    person = name.split("-", maxsplit=1)[0]
    issuer = ISSUERS[person]
    return Credential(name, issuer.place, purpose, issuer, clearance, valid=valid, subject=subject)


ISSUERS = {"aigerim": kz_mfa, "dauren": kz_mfa, "saule": kz_mfa, "marat": kz_mfa, "yerlan": kz_knb}
ISSUERS |= dict.fromkeys(("alena", "bahdan", "vera", "pavel", "lida", "zoya", "ryhor", "taras"), by_mfa)
ISSUERS |= dict.fromkeys(("halina", "kastus"), by_kgb)

KZ_OFFICERS = [
    officer("aigerim-seal", "seal"),
    officer("aigerim-open", "open"),
    officer("aigerim-acknowledge", "acknowledge"),
    officer("dauren-seal", "seal"),
    officer("dauren-countersign", "countersign"),
    officer("saule-seal", "seal", "s"),
    officer("marat-seal", "seal", valid=SHORT),
    officer("yerlan-seal", "seal"),
]
BY_OFFICERS = [
    officer("alena-open", "open"),
    officer("alena-acknowledge", "acknowledge"),
    officer("alena-countersign", "countersign"),
    officer("bahdan-open", "open"),
    officer("bahdan-acknowledge", "acknowledge"),
    officer("vera-countersign", "countersign"),
    officer("pavel-open", "open", None),
    officer("pavel-acknowledge", "acknowledge", None),
    officer("lida-open", "open", valid=LAPSING),
    officer("lida-acknowledge", "acknowledge"),
    officer("zoya-open", "open", valid=SHORT),
    officer("zoya-acknowledge", "acknowledge", valid=SHORT),
    officer("zoya-countersign", "countersign", valid=SHORT),
    officer("ryhor-acknowledge", "acknowledge"),
    officer("ryhor-seal", "seal"),
    officer("taras-open", "open"),
    officer("taras-acknowledge", "acknowledge"),
    replace(officer("taras-countersign", "countersign"), key="aigerim-seal"),  # the other party's key: no roster can tell
    officer("halina-countersign", "countersign"),
    officer("kastus-open", "open"),
    officer("kastus-acknowledge", "acknowledge"),
]
PEOPLE = {
    credential.name: credential
    for credential in (*KZ_OFFICERS, *BY_OFFICERS, kz_mfa, kz_knb, by_mfa, by_kgb, by_mvd, by_archive, kz_roster, by_roster)
}

kz_rolls = Roster(KZ, kz_roster, [kz_roster, kz_mfa, kz_knb, *KZ_OFFICERS])
by_rolls = Roster(BY, by_roster, [by_roster, by_mfa, by_kgb, by_mvd, by_archive, *BY_OFFICERS])

CHANNELS: list[Item] = [["agreed", True, names("as agreed")], ["courier", False, names("courier")], ["diplomatic", False, names("diplomatic bag")]]
TRANSPORTS: Item = [["air", names("by air")], ["rail", names("by rail")], ["road", names("by road")]]
ESCORTS: Item = [["armed", names("armed")], ["none", names("no escort")], ["pair", names("two couriers")]]
EVERYTHING: list[Item] = [["agreed", "courier", "diplomatic"], ["air", "rail", "road"], ["armed", "none", "pair"]]
STRICT: list[Item] = [["diplomatic"], ["air"], ["armed"]]
TERMS = ("change_of_marks", "copying", "disputes", "marking", "measures", "protection", "third_parties")


def side(party: str, codes: Sequence[str], competent: Item, confirming: Item, basis: Item) -> list[Item]:
    """One party of an agreement."""
    marks: Item = [[code, f"mark {code} of {party}", names(code)] for code in codes]
    return [party, names(party), marks, competent, confirming, basis]


BY_SIDE = side("BY", ["ov", "ss", "s"], ["BY-KGB", "BY-MFA"], ["BY-KGB", "destination"], ["confirmation", "decision"])
KZ_SIDE = side("KZ", ["ov", "ss", "s"], ["KZ-MFA"], ["destination"], ["decision"])
ROWS: list[Item] = [[party, code, code] for party in ("BY", "KZ") for code in ("ov", "s", "ss")]
HANDLING: list[Item] = [[party, code, *(STRICT if code == "ov" else EVERYTHING)] for party in ("BY", "KZ") for code in ("ov", "s", "ss")]


@dataclass(frozen=True)
class Agreement:
    """An agreement; *fields* replaces fields of its body by name."""

    name: str
    fields: Mapping[str, Item] = field(default_factory=dict)
    signers: Sequence[Signer] | None = None

    def body(self) -> bytes:
        """agreement.md, Body."""
        terms: Item = {term: names(term) for term in TERMS}
        items: dict[str, Item] = {
            "id": "kz-by",
            "version": 1,
            "previous": None,
            "title": names(self.name),
            "parties": [BY_SIDE, KZ_SIDE],
            "rows": ROWS,
            "channels": CHANNELS,
            "transports": TRANSPORTS,
            "escorts": ESCORTS,
            "handling": HANDLING,
            "terms": terms,
            "suites": [1],
            "stamp": "open",
            "padding": ["none"],
            "skew": 300,
            "max transit": 2592000,
            "valid from": FROM,
            "valid until": when("2040-01-01"),
            "extensions": {},
        }
        return fields_of(items, self.fields)

    @property
    def digest(self) -> bytes:
        """What names it."""
        return wire.digest("agreement", self.body())

    def statement(self) -> bytes:
        """Signed by both roots, unless others are given."""
        return wire.statement("valiza/v1/agreement", self.body(), self.signers or [*KZ.quorum(), *BY.quorum()])

    def but(self, changes: Mapping[str, Item], signers: Sequence[Signer] | None = None) -> Agreement:
        """The same with other fields."""
        return replace(self, fields={**self.fields, **changes}, signers=signers)


OPEN = Agreement("open stamp, no padding")
CLOSED = Agreement("closed stamp, padme", {"id": "kz-by-closed", "stamp": "closed", "padding": ["padme"]})
NEXT = OPEN.but({"version": 2, "previous": OPEN.digest, "valid from": when("2026-06-01")})
# Neither is the next version of OPEN, though each names it as what it replaces, and is in force.
OTHER_ID = NEXT.but({"id": "kz-by-other"})
SKIPPED = NEXT.but({"version": 3})

# Three degrees against four. KZ s goes to BY dsp, which has no row back; BY ss has no counterpart at all.
UNEVEN = Agreement(
    "three degrees against four",
    {
        "id": "kz-by-uneven",
        "parties": [
            side("BY", ["ov", "ss", "s", "dsp"], ["BY-MFA"], ["destination"], ["decision"]),
            side("KZ", ["ov", "ss", "s"], ["KZ-MFA"], ["destination"], ["decision"]),
        ],
        "rows": [["BY", "ov", "ov"], ["BY", "s", "ss"], ["KZ", "ov", "ov"], ["KZ", "s", "dsp"], ["KZ", "ss", "s"]],
        "handling": [["BY", "ov", *STRICT], ["BY", "s", *EVERYTHING], ["KZ", "ov", *STRICT], ["KZ", "s", *EVERYTHING], ["KZ", "ss", *EVERYTHING]],
        "padding": ["multiple", 512],
    },
)


def termination(fields: Mapping[str, Item] | None = None, signer: Signer | None = None) -> bytes:
    """agreement.md, Termination; of OPEN, by KZ, unless something else is said."""
    items: dict[str, Item] = {
        "agreement": OPEN.digest,
        "party": "KZ",
        "given at": when("2026-02-01"),
        "takes effect at": when("2026-02-20"),
        "extensions": {},
    }
    return wire.statement("valiza/v1/termination", fields_of(items, fields or {}), [signer or KZ.signer()])
