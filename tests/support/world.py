"""A world for tests: parties with roots, bodies, officers and rosters, an agreement, and envelopes sealed well, or by hand with any defect."""

from __future__ import annotations

import io
import random
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.support.journals import journal_at
from tests.support.keys import remembering
from tests.support.tamper import edited, same

from valiza.envelope.acknowledgement import VerifiedAnswer, acknowledge, read_answer
from valiza.envelope.agreement import Agreement, Agreements, read_agreement, sign_agreement
from valiza.envelope.carrier import Carrier
from valiza.envelope.clearance import Confirmation, Enquiry
from valiza.envelope.container import pack_footer
from valiza.envelope.dispatch import Dispatch, EnvelopeName
from valiza.envelope.draft import packaged_draft, read_draft
from valiza.envelope.handover import Giver, Handover
from valiza.envelope.header import PREFIX, header_digest, read_core, wrap_info
from valiza.envelope.journal import Expectation, Opening
from valiza.envelope.manifest import Basis, Entry, Manifest, carrier_key, commitment, marks_digest, opening_proof
from valiza.envelope.notice import Notice, Way
from valiza.envelope.opening import OpenedEnvelope, UnsealedManifest, open_envelope, unseal_manifest
from valiza.envelope.overdue import Overdue
from valiza.envelope.payload import MANIFEST_STREAM, PAD_STREAM, Streams, carrier_stream
from valiza.envelope.profile import DESTINATION
from valiza.envelope.receipt import countersign
from valiza.envelope.route import Leg, Marks, Route, Stamp, close_stamp
from valiza.envelope.sealing import Consignment, SealedEnvelope, prepare, seal_envelope
from valiza.envelope.verifying import AuthenticDispatch, VerifiedDispatch, VerifiedEnvelope, authenticate, verify_dispatch, verify_envelope
from valiza.keys import labels
from valiza.keys.credential import ROLE_PURPOSE, Credential, CredentialDraft, issue_credential
from valiza.keys.designation import Designation, DesignationDraft, issue_designation
from valiza.keys.digests import digest, keyed
from valiza.keys.encoding import pack
from valiza.keys.fields import Body, Mark
from valiza.keys.log_key import LogSigningKey
from valiza.keys.recipient import Identity
from valiza.keys.revocation import Revocation, RevocationDraft, issue_revocation
from valiza.keys.root import Root, make_root, sole_root
from valiza.keys.roster import Roster, make_roster
from valiza.keys.signing import SigningKey, VerifyKey
from valiza.keys.statement import ROLES, SignerHeader, Statement, read_statement, sign_statement
from valiza.keys.trust import Trust

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tests.support.tamper import Hook

    from valiza.envelope.manifest import Openings
    from valiza.envelope.profile import Profile
    from valiza.envelope.rewrap import Rewrap
    from valiza.register.journal import RegisterJournal

THREE_FOUR: Final = Path(__file__).parent.parent / "envelope" / "agreements" / "three-four.toml"
PURPOSES: Final = ("seal", "acknowledge", "countersign", "act")  # beside `open` and `transport`, of which every officer has one too


def when(text: str) -> int:
    """A time in UTC, in seconds since 1970."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


HOUR: Final = 3600
DAY: Final = 24 * HOUR
VALID_FROM: Final = when("2026-01-01")
VALID_UNTIL: Final = when("2036-01-01")
ISSUED: Final = when("2026-02-01")
EXPIRES: Final = when("2027-02-01")
SEALED: Final = when("2026-03-02T09:00")
OPENED: Final = when("2026-03-04T10:00")
ACKNOWLEDGED: Final = when("2026-03-04T11:00")
COUNTERSIGNED: Final = when("2026-03-04T12:00")
DUE: Final = when("2026-04-01")


@dataclass(frozen=True, kw_only=True)
class Officer:
    """A person of a body, with one credential and key for each of six purposes, all of one subject."""

    name: str
    body: Body
    identity: Identity = field(repr=False)
    keys: Mapping[str, SigningKey] = field(repr=False)
    credentials: Mapping[str, Credential] = field(repr=False)

    @property
    def open(self) -> Credential:
        """His `open` credential."""
        return self.credentials["open"]

    def header(self, role: str) -> SignerHeader:
        """His signer header in a role."""
        purpose = ROLE_PURPOSE[role]
        return SignerHeader(role=role, signer_digest=self.credentials[purpose].digest, key_digest=self.keys[purpose].key_digest)


@dataclass(frozen=True, kw_only=True)
class Registrar:
    """Who signs for the register of a body: a credential of purpose `register`, and its key."""

    credential: Credential = field(repr=False)
    key: LogSigningKey = field(repr=False)

    @property
    def body(self) -> Body:
        """The body whose register it is."""
        return self.credential.body


@dataclass(frozen=True, kw_only=True)
class Side:
    """A party: its root, the bodies that certify, officers by name, registrars by body id, and the roster of them all."""

    root: Root
    root_key: SigningKey = field(repr=False)
    roster_credential: Credential = field(repr=False)
    roster_key: SigningKey = field(repr=False)
    certifiers: Mapping[str, tuple[Credential, SigningKey]] = field(repr=False)
    officers: Mapping[str, Officer] = field(repr=False)
    registrars: Mapping[str, Registrar] = field(repr=False)
    roster: Roster = field(repr=False)

    @property
    def party(self) -> str:
        """Its id."""
        return self.root.party

    @property
    def ministry(self) -> Body:
        """The body that sends and receives."""
        return Body(self.party, f"{self.party}-MFA")

    @property
    def control(self) -> Body:
        """The competent body."""
        return self["head"].body

    def __getitem__(self, name: str) -> Officer:
        return self.officers[name]

    @property
    def registrar(self) -> Registrar:
        """Who signs for the ministry's register."""
        return self.registrars[self.ministry.id]

    def roster_of(
        self,
        officers: Iterable[Officer] = (),
        *,
        without: Iterable[Officer] = (),
        expires_at: int = EXPIRES,
        version: int = 2,
        revocations: Iterable[Revocation] = (),
        designations: Iterable[Designation] = (),
    ) -> Roster:
        """Another roster: with more officers, or fewer, or revocations, or designations, or another end."""
        gone = {c.digest for officer in without for c in officer.credentials.values()}
        known = [c for d, c in self.roster.credentials.items() if d not in gone]
        added = [c for officer in officers for c in officer.credentials.values()]
        signer, key = self.roster_credential, self.roster_key
        return _roster(
            self.root,
            [*known, *added],
            signer,
            key,
            expires_at=expires_at,
            version=version,
            revocations=revocations,
            designations=designations,
        )

    def revoke(self, target: Credential, kind: str, at: int, *, number: int = 1, by_root: bool = False, **changes: Any) -> Revocation:
        """A revocation by the body that issued a credential, or by the root."""
        issuer, key = (self.root, self.root_key) if by_root else self.certifiers[target.issuer.body.id]  # type: ignore[union-attr] # of bodies here
        said = {
            "party": self.party,
            "series": None if isinstance(issuer, Root) else issuer.body.id,
            "number": number,
            "kind": kind,
            "credential": target.digest,
            "effective_at": at,
            "issued_at": at,
            "reason": "other",
        }
        return issue_revocation(RevocationDraft(**{**said, **changes}), target=target, issuer=issuer, keys=[key])

    def designate(self, body_id: str, role: str, at: int, *, number: int = 1, **changes: Any) -> Designation:
        """A designation by the root."""
        said = {
            "party": self.party,
            "number": number,
            "body_id": body_id,
            "names": {"en": body_id},
            "role": role,
            "effective_from": at,
            "issued_at": at,
        }
        return issue_designation(DesignationDraft(**{**said, **changes}), root=self.root, keys=[self.root_key])

    def appoint(self, name: str, **changes: Any) -> Officer:
        """One more officer, who is in no roster yet; `changes` as `make_officer` has them."""
        return make_officer(name, self.certifiers[changes.pop("body", f"{self.party}-MFA")], **changes)


def seeded(seed: str) -> Callable[[int], bytes]:
    """A source of bytes that are the same every time."""
    return random.Random(seed).randbytes  # noqa: S311 - the same world every time


def make_officer(
    name: str,
    certifier: tuple[Credential, SigningKey],
    *,
    clearance: str | None,
    valid: tuple[int, int] = (VALID_FROM, VALID_UNTIL),
    subject: bytes | None = None,
    keys: Mapping[str, SigningKey] | None = None,
) -> Officer:
    """An officer of the certifier's body, with new keys unless some are given."""
    issuer, issuer_key = certifier
    draw = seeded(f"{issuer.body} {name}")
    identity = Identity.generate(draw)
    own = {purpose: (keys or {}).get(purpose) or SigningKey.generate(draw) for purpose in PURPOSES}
    subject = subject or draw(16)
    own["transport"] = (keys or {}).get("transport") or SigningKey.generate(draw)
    credentials = {
        purpose: issue_credential(
            CredentialDraft(
                subject=subject,
                body=issuer.body,
                names={"en": name},
                purpose=purpose,
                public_key=identity.public if purpose == "open" else own[purpose].public,
                clearance=clearance,
                valid_from=valid[0],
                valid_until=valid[1],
            ),
            issuer=issuer,
            keys=[issuer_key],
        )
        for purpose in (*own, "open")
    }
    return Officer(name=name, body=issuer.body, identity=identity, keys=own, credentials=credentials)


def make_registrar(certifier: tuple[Credential, SigningKey], *, name: str = "registrar", valid: tuple[int, int] | None = None) -> Registrar:
    """A registrar of the certifier's body, with a new key: another name, another key and another person."""
    issuer, issuer_key = certifier
    draw = seeded(f"{issuer.body} {name}")
    key = LogSigningKey.generate(draw)
    draft = CredentialDraft(
        subject=draw(16),
        body=issuer.body,
        names={"en": name},
        purpose="register",
        public_key=key.public,
        clearance=None,
        valid_from=(valid or _ALWAYS)[0],
        valid_until=(valid or _ALWAYS)[1],
    )
    return Registrar(credential=issue_credential(draft, issuer=issuer, keys=[issuer_key]), key=key)


def make_side(party: str, degrees: Sequence[str], competent: str) -> Side:
    """A party with three bodies: the competent one, its ministry and a bank; see `_OFFICERS` for who works there beside a registrar each."""
    draw = seeded(f"{party} {competent}")
    root_key = SigningKey.generate(draw)
    draft = sole_root(
        party_id=party,
        party_names={"en": party},
        degrees=tuple(degrees),
        custodian=draw(16),
        key=VerifyKey(root_key.public),
        valid_from=VALID_FROM - DAY,
        valid_until=VALID_UNTIL + DAY,
    )
    root = make_root(draft, [root_key])

    def certify(body: str, purpose: str, issuer: Root | Credential, key: SigningKey, *, bodies: bool = False) -> tuple[Credential, SigningKey]:
        own = SigningKey.generate(draw)
        draft = CredentialDraft(
            subject=draw(16),
            body=Body(party, body),
            names={"en": f"{body} {purpose}"},
            purpose=purpose,
            public_key=own.public,
            clearance=degrees[0],
            certifies_bodies=bodies,
            valid_from=VALID_FROM - HOUR,
            valid_until=VALID_UNTIL + HOUR,
        )
        return issue_credential(draft, issuer=issuer, keys=[key]), own

    roster_credential, roster_key = certify(competent, "roster", root, root_key)
    control = certify(competent, "certify", root, root_key, bodies=True)
    certifiers = {competent: control, **{f"{party}-{name}": certify(f"{party}-{name}", "certify", *control) for name in ("MFA", "BANK")}}
    officers = {
        name: make_officer(name, certifiers[competent if place == "control" else f"{party}-{place}"], clearance=degrees[rank], valid=valid)
        for name, place, rank, valid in _OFFICERS
    }
    registrars = {body: make_registrar(certifier) for body, certifier in certifiers.items()}
    everyone = [c for officer in officers.values() for c in officer.credentials.values()] + [c for c, _ in certifiers.values()]
    everyone += [registrar.credential for registrar in registrars.values()]
    roster = _roster(root, everyone, roster_credential, roster_key)
    return Side(
        root=root,
        root_key=root_key,
        roster_credential=roster_credential,
        roster_key=roster_key,
        certifiers=certifiers,
        officers=officers,
        registrars=registrars,
        roster=roster,
    )


# Name, body, rank of clearance from either end of the degrees, validity.
_ALWAYS: Final = (VALID_FROM, VALID_UNTIL)
_OFFICERS: Final = (
    ("chief", "MFA", 0, _ALWAYS),  # seals; opens and acknowledges
    ("deputy", "MFA", 0, _ALWAYS),  # seals too; the second addressee
    ("clerk", "MFA", 0, _ALWAYS),  # countersigns; is addressed by nobody
    ("junior", "MFA", -1, _ALWAYS),  # cleared to the lowest degree only
    ("former", "MFA", 0, (VALID_FROM, SEALED - DAY)),  # left before the envelope was sealed
    ("leaving", "MFA", 0, (VALID_FROM, OPENED - HOUR)),  # left while it travelled
    ("head", "control", 0, _ALWAYS),
    ("warden", "control", 0, _ALWAYS),
    ("banker", "BANK", 0, _ALWAYS),
    ("teller", "BANK", 0, _ALWAYS),
)


def _roster(
    root: Root,
    credentials: Iterable[Credential],
    signer: Credential,
    key: SigningKey,
    *,
    expires_at: int = EXPIRES,
    version: int = 1,
    revocations: Iterable[Revocation] = (),
    designations: Iterable[Designation] = (),
) -> Roster:
    return make_roster(
        version=version,
        issued_at=ISSUED,
        expires_at=expires_at,
        roots=[root],
        credentials=credentials,
        revocations=revocations,
        designations=designations,
        signer=signer,
        key=key,
    )


@dataclass(frozen=True)
class Piece:
    """A carrier to be sealed by hand. Without `data` it is a physical one."""

    name: str
    data: bytes | None
    marks: Marks
    media_type: str = "text/plain"

    def entry(self, index: int, salt: bytes) -> Entry:
        """What an honest manifest lists of it."""
        opening = self.opening(index, salt)
        return Entry(
            name=self.name,
            media_type="" if self.data is None else self.media_type,
            size=None if self.data is None else len(self.data),
            commitment=None if opening is None else commitment(opening),
            marks=self.marks,
            registration="12/3",
            copy=1,
            sheets=None,
            classified_by="the head of the department",
            ground="list, item 7",
        )

    def opening(self, index: int, salt: bytes) -> bytes | None:
        """Its d_i."""
        return None if self.data is None else keyed(carrier_key(salt, index), self.data)


@dataclass(frozen=True, kw_only=True)
class Forged:
    """An envelope sealed by hand, and what only its maker knows."""

    container: bytes = field(repr=False)
    core: bytes = field(repr=False)
    dispatch: Statement = field(repr=False)
    payload_key: bytes = field(repr=False)
    expectation: Expectation = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """An envelope to be sealed by hand: nothing is checked. `replace` a field for another content, give `seal` a hook for another form."""

    world: World = field(repr=False)
    sealer: Officer
    signer: Officer | None = None  # of the dispatch, if it is not the sealer whom core names
    agreement: bytes
    origin: Body
    destination: Body
    confirming: Body
    channel: str = "courier"
    package: str = "MFA/2026/out/1"
    due_at: int = DUE
    route: Route
    closed: bool
    addressees: tuple[Credential, ...]
    pieces: tuple[Piece, ...]
    basis: tuple[Basis, ...]
    pad_length: int | None = None
    sealed_at: int = SEALED
    seed: str = "envelope"

    def seal(
        self,
        *,
        core: Hook = same,
        stanzas: Hook = same,
        manifest: Hook = same,
        plain: Callable[[bytes], bytes] = lambda p: p,
        pad: Callable[[bytes], bytes] = lambda p: p,
        payload: Callable[[bytes], bytes] = lambda p: p,
        dispatch: Hook = same,
        wrapped_key: bytes | None = None,
        stream_key: bytes | None = None,
    ) -> Forged:
        """Seal it as envelope.md says, each part after its hook; what is signed or digested later covers what the hooks made.

        Args:
            core: on the array of core, stanzas, manifest and the dispatch's body: `stanzas`, `manifest` and `dispatch` likewise.
            stanzas: see core.
            manifest: see core.
            plain: on the plaintext of the manifest stream.
            pad: on the plaintext of the pad stream.
            payload: on all ciphertext before the manifest stream.
            dispatch: see core.
            wrapped_key: what the stanzas hold instead of the payload key.
            stream_key: what the streams are encrypted with instead of it.
        """
        draw = seeded(self.seed)
        salt, envelope_id, payload_key = draw(32), draw(32), draw(32)
        profile = self.world.profile
        stamp = Stamp(
            channel=self.channel,
            package=self.package,
            due_at=self.due_at,
            route=None if self.closed else self.route,
            hidden=close_stamp(salt, self.route) if self.closed else None,
        )
        sealing = self.sealer.credentials["seal"]
        places = [body.packed() for body in (self.origin, self.destination, self.confirming)]
        core_raw = PREFIX + pack(core([envelope_id, self.agreement, *places, sealing.digest, stamp.packed(), {}]))
        core_digest = digest(labels.DIGEST_CORE, core_raw)
        wrapped = wrapped_key or payload_key
        to = sorted(self.addressees, key=lambda c: c.digest)
        stanzas_raw = pack(stanzas([[c.digest, c.recipient.wrap(wrapped, wrap_info(core_digest, c.digest))] for c in to]))
        header = core_raw + stanzas_raw
        streams = Streams(stream_key or payload_key, core_digest=core_digest, header_digest=header_digest(header))

        def encrypt(number: int, data: bytes) -> bytes:
            encryptor = streams.encryptor(number)
            return encryptor.update(data) + encryptor.finalize()

        pad_length = profile.padding.length(sum(len(p.data or b"") for p in self.pieces)) if self.pad_length is None else self.pad_length
        body = b"".join(encrypt(carrier_stream(i), p.data) for i, p in enumerate(self.pieces) if p.data is not None)
        body = payload(body + encrypt(PAD_STREAM, pad(bytes(pad_length))))
        listed = Manifest(
            salt=salt,
            core_digest=core_digest,
            carriers=tuple(p.entry(i, salt) for i, p in enumerate(self.pieces)),
            pad_length=pad_length,
            basis=self.basis,
            purpose="joint work on the border",
            term="until 2030",
            caveats=("no copies",),
            references=(),
            route=self.route if self.closed else None,
            extensions={},
        )
        packed = pack(manifest(listed.packed()))
        counted = len(packed).to_bytes(4, "big") + packed
        manifest_plain = plain(counted + bytes(-len(counted) % 4096))
        manifest_stream = encrypt(MANIFEST_STREAM, manifest_plain)
        said = Dispatch(
            core_digest=core_digest,
            header_digest=header_digest(header),
            payload_digest=digest(labels.DIGEST_PAYLOAD, body + manifest_stream),
            manifest_digest=digest(labels.DIGEST_MANIFEST, manifest_plain),
            core_length=len(core_raw),
            header_length=len(header),
            payload_length=len(body + manifest_stream),
            manifest_length=len(manifest_stream),
            sealed_at=self.sealed_at,
        )
        statement = read_statement(say(labels.DISPATCH, edited(said.packed(), dispatch), self.signer or self.sealer), labels.DISPATCH)
        footer = pack_footer(
            core_length=len(core_raw), header_length=len(header), payload_length=len(body + manifest_stream), manifest_length=len(manifest_stream)
        )
        openings: Openings = tuple(p.opening(i, salt) for i, p in enumerate(self.pieces))
        codes = tuple(p.marks.destination.code for p in self.pieces)
        return Forged(
            container=header + body + manifest_stream + statement.raw + footer,
            core=core_raw,
            dispatch=statement,
            payload_key=payload_key,
            expectation=Expectation(
                dispatch=statement.raw,
                core=core_raw,
                addressees=tuple(c.digest for c in to),
                openings=openings,
                proof=opening_proof(salt, statement.digest, said.manifest_digest, openings),
                marks=marks_digest(salt, codes) if self.closed else codes,
            ),
        )


@dataclass(frozen=True, kw_only=True)
class Sealed:
    """An envelope that the product sealed."""

    envelope: SealedEnvelope
    container: bytes = field(repr=False)

    @property
    def expectation(self) -> Expectation:
        """What a receipt for it must say."""
        return self.envelope.expectation

    @property
    def name(self) -> EnvelopeName:
        """Its identity."""
        core = self.envelope.core
        return EnvelopeName(origin=core.origin, envelope_id=core.envelope_id, dispatch_digest=self.envelope.dispatch.digest, agreement=core.agreement)


@dataclass(frozen=True, kw_only=True)
class World:
    """Two parties with an agreement in force, and a third party that has no part in it but is known to all."""

    origin: Side
    destination: Side
    third: Side = field(repr=False)
    agreement: Agreement
    agreements: Agreements = field(repr=False)
    trust: Trust = field(repr=False)

    @property
    def profile(self) -> Profile:
        """The agreement's body."""
        return self.agreement.profile

    @property
    def confirming(self) -> Body:
        """The body that confirms for the destination."""
        wanted = self.profile.party(self.destination.party).confirming[0]
        return self.destination.ministry if wanted == DESTINATION else Body(self.destination.party, wanted)

    @property
    def countersigner(self) -> Officer:
        """Who confirms for it."""
        return self.destination["clerk" if self.confirming == self.destination.ministry else "warden"]

    # -- other worlds ----------------------------------------------------------------------------------------------------

    def reversed(self) -> World:
        """The same, with envelopes going the other way."""
        return replace(self, origin=self.destination, destination=self.origin)

    def trusting(self, *rosters: Roster, known_since: int | None = None) -> World:
        """The same, with other rosters in the place of those of their parties; all credentials known since a time."""
        new = {r.party: remembering(r, lambda _: known_since) for r in rosters}
        return replace(self, trust=Trust({**self.trust.rosters, **new}.values()))

    def revoking(self, side: Side, *revocations: Revocation, known_since: int | None = None) -> World:
        """The same, after a roster of one side with these revocations was imported."""
        return self.trusting(side.roster_of(revocations=revocations), known_since=known_since)

    def designating(self, side: Side, *designations: Designation) -> World:
        """The same, after a roster of one side with these designations was imported."""
        return self.trusting(side.roster_of(designations=designations))

    def sign(self, profile: Profile) -> Agreement:
        """An agreement that both roots signed."""
        sides = {side.party: side for side in (self.origin, self.destination, self.third)}
        one, two = (sides[p.id] for p in profile.parties)
        half = sign_agreement(profile, root=one.root, keys=[one.root_key])
        return read_agreement(sign_agreement(profile, root=two.root, keys=[two.root_key], begun=half).raw, self.trust)

    def amended(self, **changes: Any) -> World:
        """The same under another agreement, which differs in some fields and stands alone."""
        agreement = self.sign(replace(self.profile, **changes))
        return replace(self, agreement=agreement, agreements=Agreements([agreement]))

    # -- what is sealed --------------------------------------------------------------------------------------------------

    def mark(self, code: str) -> Mark:
        """A mark of the origin."""
        return Mark(self.origin.party, code)

    def marks(self, code: str) -> Marks:
        """A mark of the origin, and the destination's that it compares to."""
        return Marks(self.mark(code), self.profile.counterpart(self.mark(code)))

    @cached_property
    def code(self) -> str:
        """A code of the origin for which road and guarded travel are allowed: its second."""
        return self.profile.party(self.origin.party).marks[1].code

    def route(self, code: str | None = None, **changes: Any) -> Route:
        """A route that is allowed."""
        handling = self.profile.handling[self.mark(code or self.code)]
        legs = (Leg("Астана", "Москва"), Leg("Москва", "Минск"))
        route = Route(marks=self.marks(code or self.code), transport="road", escort=handling.escorts[0], legs=legs, reference="")
        return replace(route, **changes)

    @property
    def basis(self) -> tuple[Basis, ...]:
        """Every kind that the origin has to give."""
        return tuple(Basis(kind, f"No. {i}", "Government", "2026-02-01") for i, kind in enumerate(self.profile.party(self.origin.party).basis))

    def plan(self, **changes: Any) -> Plan:
        """An envelope that is in order, to be sealed by hand."""
        plan = Plan(
            world=self,
            sealer=self.origin["chief"],
            agreement=self.agreement.digest,
            origin=self.origin.ministry,
            destination=self.destination.ministry,
            confirming=self.confirming,
            route=self.route(),
            closed=self.profile.closed,
            addressees=(self.destination["chief"].open, self.destination["deputy"].open),
            pieces=(Piece("письмо.txt", b"the bridge at the border\n", self.marks(self.code)), Piece("parcel 1", None, self.marks(self.code))),
            basis=self.basis,
        )
        return replace(plan, **changes)

    def carrier(self, path: Path | None, name: str | None = None, **changes: Any) -> Carrier:
        """A carrier for the product to seal."""
        assert path is not None or name is not None
        carrier = Carrier(
            name=name or (path.name if path is not None else ""), path=path, code=self.code, media_type="" if path is None else "text/plain"
        )
        return replace(carrier, **changes)

    def consignment(self, carriers: Sequence[Carrier], **changes: Any) -> Consignment:
        """A consignment that is permitted."""
        route = self.route()
        consignment = Consignment(
            destination=self.destination.ministry,
            confirming=self.confirming,
            agreement=self.agreement,
            channel="courier",
            transport=route.transport,
            escort=route.escort,
            legs=route.legs,
            reference="",
            package="MFA/2026/out/1",
            due_at=DUE,
            carriers=carriers,
            basis=self.basis,
            purpose="joint work on the border",
            addressees=(self.destination["chief"].open, self.destination["deputy"].open),
        )
        return replace(consignment, **changes)

    def seal(self, consignment: Consignment, *, sealer: str = "chief", at: int = SEALED, seed: str = "seal") -> Sealed:
        """Have the product seal a consignment."""
        officer = self.origin[sealer]
        prepared = prepare(consignment, sealer=officer.credentials["seal"], trust=self.trust, agreements=self.agreements, at=at)
        out = io.BytesIO()
        envelope = seal_envelope(prepared, key=officer.keys["seal"], out=out, random=seeded(seed))
        return Sealed(envelope=envelope, container=out.getvalue())

    # -- reading ---------------------------------------------------------------------------------------------------------

    def authenticate(self, container: bytes) -> AuthenticDispatch:
        """Reading 1 to 6."""
        return authenticate(io.BytesIO(container), self.trust)

    def verify(self, container: bytes, *, at: int = OPENED) -> VerifiedDispatch:
        """Reading 1 to 8."""
        return verify_dispatch(self.authenticate(container), trust=self.trust, agreements=self.agreements, at=at)

    def verify_whole(self, container: bytes, *, at: int = OPENED) -> VerifiedEnvelope:
        """Reading 1 to 9."""
        return verify_envelope(self.verify(container, at=at))

    def unseal(
        self, container: bytes, *, by: Officer | None = None, own: Body | None = None, rewrap: Rewrap | None = None, at: int = OPENED
    ) -> UnsealedManifest:
        """Reading 1 to 8 and 10 to 13."""
        officer = by or self.destination["chief"]
        verified = self.verify(container, at=at)
        identities = {officer.open.digest: officer.identity}
        return unseal_manifest(verified, own=own or officer.body, identities=identities, trust=self.trust, trust_rewrap=rewrap, at=at)

    def open(
        self, container: bytes, into: Path, *, by: Officer | None = None, own: Body | None = None, rewrap: Rewrap | None = None, at: int = OPENED
    ) -> OpenedEnvelope:
        """Reading 1 to 14, into the new folder `into`."""
        unsealed = self.unseal(container, by=by, own=own, rewrap=rewrap, at=at)
        into.mkdir(mode=0o700)
        return open_envelope(unsealed, into=into, at=at)

    def read_answer(self, raw: bytes) -> VerifiedAnswer:
        """An answer, read."""
        return read_answer(raw, self.trust)

    # -- clearances ------------------------------------------------------------------------------------------------------

    def enquiry(self, **changes: Any) -> Enquiry:
        """What the origin's competent body asks of the destination's: whether chief and deputy are cleared to the usual mark."""
        said = Enquiry(
            enquiry_id=seeded("enquiry")(32),
            agreement=self.agreement.digest,
            asking=self.origin.control,
            asked=self.destination.control,
            destination=self.destination.ministry,
            officers=tuple(sorted(self.destination[name].open.subject for name in ("chief", "deputy"))),
            mark=self.mark(self.code),
            purpose="joint work on the border",
            asked_at=SEALED - 7 * DAY,
        )
        return replace(said, **changes)

    def asked(self, said: Enquiry | None = None, by: Officer | None = None) -> bytes:
        """An enquiry, signed by hand."""
        return say(labels.CLEARANCE_ENQUIRY, (said or self.enquiry()).packed(), by or self.origin["head"])

    def confirmation(self, enquiry: bytes | None = None, **changes: Any) -> Confirmation:
        """What the destination's competent body answers: both are, for a year."""
        said = Confirmation(
            enquiry=enquiry or self.asked(),
            number=1,
            cleared=self.enquiry().officers,
            answered_at=SEALED - 3 * DAY,
            valid_until=SEALED + 365 * DAY,
        )
        return replace(said, **changes)

    def confirmed(self, said: Confirmation | None = None, by: Officer | None = None) -> bytes:
        """A confirmation, signed by hand."""
        return say(labels.CLEARANCE_CONFIRMATION, (said or self.confirmation()).packed(), by or self.destination["head"])

    def notice(self, sealed: Sealed | Forged | None = None, **changes: Any) -> Notice:
        """What the origin tells the destination's competent body of an envelope that goes as its stamp says; of the one that `plan` seals."""
        known = (sealed or self.plan().seal()).expectation
        stamp = read_core(known.core).stamp
        said = Notice(
            dispatch=known.dispatch,
            core=known.core,
            told=self.destination.control,
            number=1,
            previous=None,
            leaves_at=SEALED + HOUR,
            expected_at=SEALED + DAY,
            package=stamp.package,
            way=None if stamp.route is None else Way.of_route(stamp.route),
            deviation="",
            escorts=() if stamp.route is None else ("courier Omarov", "order 7"),
            reference="",
            told_at=SEALED,
        )
        return replace(said, **changes)

    def told(self, said: Notice | None = None, by: Officer | None = None) -> bytes:
        """A notice, signed by hand."""
        return say(labels.TRANSPORT_NOTICE, (said or self.notice()).packed(), by or self.origin["clerk"])

    def handover(self, sealed: Sealed | Forged, giver: Officer, /, *, leg: int = 0, previous: bytes | None = None, **changes: Any) -> Handover:
        """What somebody says who took an envelope from an officer, where a leg begins."""
        core, digest_ = read_core(sealed.expectation.core), sealed.expectation.dispatch_digest
        route = core.stamp.route
        places = [] if route is None else [*(one.start for one in route.legs), route.legs[-1].end]
        said = Handover(
            dispatch_digest=digest_,
            origin=core.origin,
            envelope_id=core.envelope_id,
            leg=leg,
            place=places[leg] if leg < len(places) else "" if route is None else "elsewhere",
            giver=Giver(name=giver.name, body=giver.body, credential=giver.credentials["transport"].digest),
            taken_at=SEALED + (leg + 1) * HOUR,
            intact=True,
            condition="sound",
            remark="",
            package=core.stamp.package,
            previous=previous or digest_,
        )
        return replace(said, **changes)

    def taken(self, said: Handover, by: Officer) -> bytes:
        """A hand-over, signed by hand."""
        return say(labels.HANDOVER, said.packed(), by)

    def overdue(self, sealed: Sealed | Forged | None = None, **changes: Any) -> Overdue:
        """What the origin records of an envelope that was not answered in time."""
        known = (sealed or self.plan().seal()).expectation
        said = Overdue(dispatch=known.dispatch, core=known.core, due_at=DUE, noticed_at=DUE + DAY)
        return replace(said, **changes)

    def missed(self, said: Overdue | None = None, by: Officer | None = None) -> bytes:
        """An overdue record, signed by hand."""
        return say(labels.OVERDUE, (said or self.overdue()).packed(), by or self.origin["clerk"])


# -- statements by hand ------------------------------------------------------------------------------------------------

ACKNOWLEDGEMENT_FIELDS: Final = (
    *("dispatch", "core", "openings", "proof", "credential", "marks", "number"),
    *("opened_at", "answered_at", "conditions", "notice", "rewrap", "extensions"),
)
REFUSAL_FIELDS: Final = ("dispatch", "core", "stage", "reason", "comment", "number", "answered_at", "claim", "extensions")
RECEIPT_FIELDS: Final = ("answer", "confirming", "checked", "countersigned_at", "attachments", "extensions")
REWRAP_FIELDS: Final = ("dispatch_digest", "addressee", "stanza", "made_at", "extensions")


def say(type_: str, body: bytes, officer: Officer, *, role: str | None = None, header: SignerHeader | None = None) -> bytes:
    """Any statement with one signature, by an officer in the role of its type, over any body."""
    role = role or ROLES[type_][0]
    return sign_statement(type_, body, [(header or officer.header(role), officer.keys[ROLE_PURPOSE[role]])]).raw


def _body(names: Sequence[str], values: Mapping[str, Any], changes: Mapping[str, Any]) -> bytes:
    """An array of named fields, some of them changed; a name that is not there appends an item."""
    assert set(values) == set(names)
    return pack(list({**{name: values[name] for name in names}, **changes}.values()))


def opening_by(officer: Officer, expectation: Expectation, *, opened_at: int = OPENED) -> Opening:
    """What an officer's opening would have found."""
    return Opening(expectation=expectation, credential=officer.open.digest, opened_at=opened_at, rewrap=None)


def acknowledgement_body(opening: Opening, **changes: Any) -> bytes:
    """The body of an honest acknowledgement, less the changes."""
    expectation = opening.expectation
    marks = expectation.marks if isinstance(expectation.marks, bytes) else list(expectation.marks)
    values: dict[str, Any] = {
        "dispatch": expectation.dispatch,
        "core": expectation.core,
        "openings": list(expectation.openings),
        "proof": expectation.proof,
        "credential": opening.credential,
        "marks": marks,
        "number": "MFA/2026/in/1",
        "opened_at": opening.opened_at,
        "answered_at": ACKNOWLEDGED,
        "conditions": ["present"] * len(expectation.openings),
        "notice": None,
        "rewrap": opening.rewrap,
        "extensions": {},
    }
    return _body(ACKNOWLEDGEMENT_FIELDS, values, changes)


def acknowledged(opening: Opening, by: Officer, **changes: Any) -> bytes:
    """An acknowledgement by hand."""
    return say(labels.ACKNOWLEDGEMENT, acknowledgement_body(opening, **changes), by)


def refusal_body(dispatch: bytes, core: bytes, opening: Opening | None = None, **changes: Any) -> bytes:
    """The body of an honest refusal, less the changes."""
    claim = None
    if opening is not None:
        claim = [list(opening.expectation.openings), opening.expectation.proof, opening.credential, opening.opened_at, opening.rewrap]
    values: dict[str, Any] = {
        "dispatch": dispatch,
        "core": core,
        "stage": "unopened" if opening is None else "opened",
        "reason": "contents",
        "comment": "",
        "number": "",
        "answered_at": ACKNOWLEDGED,
        "claim": claim,
        "extensions": {},
    }
    return _body(REFUSAL_FIELDS, values, changes)


def refused(dispatch: bytes, core: bytes, by: Officer, opening: Opening | None = None, **changes: Any) -> bytes:
    """A refusal by hand."""
    return say(labels.REFUSAL, refusal_body(dispatch, core, opening, **changes), by)


def receipt_body(answer: bytes, by: Officer, **changes: Any) -> bytes:
    """The body of an honest receipt for an opened envelope, less the changes."""
    values: dict[str, Any] = {
        "answer": answer,
        "confirming": by.body.packed(),
        "checked": ["envelope", "opening"],
        "countersigned_at": COUNTERSIGNED,
        "attachments": [],
        "extensions": {},
    }
    return _body(RECEIPT_FIELDS, values, changes)


def countersigned(answer: bytes, by: Officer, **changes: Any) -> bytes:
    """A receipt by hand."""
    return say(labels.RECEIPT, receipt_body(answer, by, **changes), by)


def rewrap_body(world: World, sealed: Sealed | Forged, payload_key: bytes, *, addressee: Officer, recipient: Officer, **changes: Any) -> bytes:
    """The body of an honest rewrap, less the changes."""
    dispatch, core = (sealed.dispatch, sealed.core) if isinstance(sealed, Forged) else (sealed.envelope.dispatch, sealed.envelope.core.raw)
    info = wrap_info(digest(labels.DIGEST_CORE, core), recipient.open.digest)
    values = {
        "dispatch_digest": dispatch.digest,
        "addressee": addressee.open.digest,
        "stanza": [recipient.open.digest, recipient.open.recipient.wrap(payload_key, info)],
        "made_at": OPENED - HOUR,
        "extensions": {},
    }
    return _body(REWRAP_FIELDS, values, changes)


# -- a whole exchange --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """An envelope of one file and one parcel, opened, acknowledged and countersigned, with the journals of the offices."""

    world: World
    sealed: Sealed
    opened: OpenedEnvelope
    acknowledgement: Statement
    receipt: Statement
    origin_journal: RegisterJournal = field(repr=False)
    destination_journal: RegisterJournal = field(repr=False)
    confirming_journal: RegisterJournal = field(repr=False)

    def close(self) -> None:
        """Close the registers."""
        for journal in (self.origin_journal, self.destination_journal, self.confirming_journal):
            journal.close()

    @property
    def opening(self) -> Opening:
        """What opening found."""
        return self.opened.opening

    @property
    def expectation(self) -> Expectation:
        """What the origin recorded."""
        return self.sealed.envelope.expectation


def recorded(sealed: Sealed, path: Path, *, at: int = SEALED) -> RegisterJournal:
    """The origin's journal with an envelope in it."""
    journal = journal_at(path, sealed.name.origin)
    journal.record_sealed(
        sealed.envelope.expectation, sealed.name, path=Path("sealed.vlz"), number="MFA/2026/out/1", due_at=DUE, manifest_copy=None, at=at
    )
    return journal


def make_exchange(world: World, folder: Path) -> Exchange:
    """Seal, open, acknowledge and countersign with the product's own functions."""
    (folder / "письмо.txt").write_bytes(b"the bridge at the border\n")
    sealed = world.seal(world.consignment([world.carrier(folder / "письмо.txt"), world.carrier(None, "parcel 1")]))
    origin_journal = recorded(sealed, folder / "origin.db")
    opener, countersigner = world.destination["chief"], world.countersigner
    opened = world.open(sealed.container, folder / "opened")
    destination_journal = journal_at(folder / "destination.db", world.destination.ministry)
    destination_journal.record_opening(opened.opening, sealed.name, at=OPENED)
    acknowledgement = acknowledge(
        opened.opening,
        signer=opener.credentials["acknowledge"],
        key=opener.keys["acknowledge"],
        trust=world.trust,
        journal=destination_journal,
        at=ACKNOWLEDGED,
    )
    own = world.confirming == world.destination.ministry
    confirming_journal = destination_journal if own else journal_at(folder / "confirming.db", world.confirming)
    receipt = countersign(
        world.read_answer(acknowledgement.raw),
        envelope=world.verify_whole(sealed.container),
        signer=countersigner.credentials["countersign"],
        key=countersigner.keys["countersign"],
        trust=world.trust,
        agreements=world.agreements,
        journal=confirming_journal,
        at=COUNTERSIGNED,
    )
    return Exchange(
        world=world,
        sealed=sealed,
        opened=opened,
        acknowledgement=acknowledgement,
        receipt=receipt,
        origin_journal=origin_journal,
        destination_journal=destination_journal,
        confirming_journal=confirming_journal,
    )


def make_world(draft: bytes, origin: str) -> World:
    """A world for an agreement in TOML, with envelopes going from one of its parties."""
    profile = read_draft(draft)
    sides = {p.id: make_side(p.id, [m.code for m in p.marks], p.competent[0]) for p in profile.parties}
    third = make_side("TS", ["1", "2", "3"], "TS-CTRL")
    first = sides.pop(origin)
    (second,) = sides.values()
    trust = Trust([first.roster, second.roster, third.roster])
    half = sign_agreement(profile, root=first.root, keys=[first.root_key])
    agreement = read_agreement(sign_agreement(profile, root=second.root, keys=[second.root_key], begun=half).raw, trust)
    return World(origin=first, destination=second, third=third, agreement=agreement, agreements=Agreements([agreement]), trust=trust)


def kz_by_world() -> World:
    """KZ sends to BY under the packaged draft: open stamp, no padding, the destination confirms."""
    return make_world(packaged_draft("kz-by"), "KZ")


def three_four_world() -> World:
    """AA sends to BB under the test agreement: closed stamp, Padmé, BB's competent body confirms."""
    return make_world(THREE_FOUR.read_bytes(), "AA")
