"""Statements, roots, credentials and rosters as a reader sees them (statement.md, credential.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PublicKey
from nacl.bindings import crypto_sign_open
from nacl.exceptions import BadSignatureError

import decode as d
import wire
from outcome import NotAuthentic, Refused, step

MIB = 1 << 20
LIMITS = {
    "root": 65536,
    "credential": 65536,
    "termination": 65536,
    "rewrap": 65536,
    "agreement": MIB,
    "dispatch": MIB,
    "acknowledgement": 4 * MIB,
    "refusal": 4 * MIB,
    "receipt": 8 * MIB,
    "roster": 64 * MIB,
}
ROLES = {
    "root": ("root",),
    "credential": ("issuer",),
    "roster": ("roster",),
    "agreement": ("root", "root"),
    "termination": ("root",),
    "dispatch": ("sealer",),
    "rewrap": ("acknowledger",),
    "acknowledgement": ("acknowledger",),
    "refusal": ("acknowledger",),
    "receipt": ("countersigner",),
}
PURPOSE_OF_ROLE = {"issuer": "certify", "roster": "roster", "sealer": "seal", "acknowledger": "acknowledge", "countersigner": "countersign"}
PURPOSES = ("certify", "seal", "open", "acknowledge", "countersign", "transport", "register", "roster", "act")


@dataclass(frozen=True)
class Signature:
    """One signer header and its signature, not verified yet."""

    header: bytes
    role: str
    signer: bytes
    key: bytes
    signature: bytes


@dataclass(frozen=True)
class Statement:
    """A statement of which only the outside is read."""

    kind: str
    raw: bytes
    body: bytes
    signatures: list[Signature]

    @property
    def digest(self) -> bytes:
        """What names every statement but a root and an agreement."""
        return wire.digest("statement", self.raw)


@dataclass(frozen=True)
class Root:
    """A party's root."""

    digest: bytes
    party: str
    degrees: list[str]
    public_key: bytes
    valid_from: int
    valid_until: int


@dataclass(frozen=True)
class Credential:
    """A credential that passed its checks; *links* counts from the root, and *root* is the one it comes from."""

    digest: bytes
    issuer: bytes
    subject: bytes
    body: tuple[str, str]
    purpose: str
    public_key: bytes
    clearance: str | None
    certifies_bodies: bool
    valid_from: int
    valid_until: int

    def valid_at(self, when: int) -> bool:
        """From the first second up to, not including, the last."""
        return self.valid_from <= when < self.valid_until


@dataclass
class Trust:
    """What a reader believes: roots by the digest of their body, credentials by their digest, rosters' expiry by party."""

    roots: dict[bytes, Root] = field(default_factory=dict)
    credentials: dict[bytes, Credential] = field(default_factory=dict)
    pinned: set[tuple[str, bytes]] = field(default_factory=set)

    def root_of(self, party: str) -> Root:
        """The root of a party."""
        for root in self.roots.values():
            if root.party == party:
                return root
        raise NotAuthentic(f"no root of {party} is known")

    def cleared(self, clearance: str | None, party: str, code: str) -> bool:
        """Whether a clearance reaches a code of its own party's degrees."""
        degrees = self.root_of(party).degrees
        return clearance in degrees and code in degrees and degrees.index(clearance) <= degrees.index(code)


def read_statement(raw: bytes, kind: str) -> Statement:
    """statement.md, Reading 1 to 3."""
    with step("statement 1"):
        d.need(len(raw) <= LIMITS[kind], "longer than its type may be")
    with step("statement 2"):
        found, body, signatures = d.fields(d.decode(raw), 3)
        d.need(found == f"valiza/v1/{kind}", f"not a statement of type {kind}")
        said = d.binary(body)
    with step("statement 3"):
        return Statement(f"valiza/v1/{kind}", raw, said, _signatures(signatures, ROLES[kind]))


def _signatures(value: d.Value, roles: tuple[str, ...]) -> list[Signature]:
    out = list[Signature]()
    for item in d.fields(value, len(roles)):
        header, signature = d.fields(item, 2)
        role, signer, key = d.fields(d.decode(d.binary(header)), 3)
        known = d.one_of(role, roles)
        out.append(Signature(d.binary(header), known, d.digest_of(signer), d.digest_of(key), d.binary(signature, 3373)))
    d.ascending(out, lambda signature: signature.header)
    return out


def verify(statement: Statement, signature: Signature, public_key: bytes) -> None:
    """statement.md, Reading 4 (the key digest) and 5."""
    with step("statement 4"):
        if wire.digest("public-key", wire.encode([wire.SIGNING_KIND, public_key])) != signature.key:
            raise NotAuthentic("the key digest is not that of the signer's key")
    message = wire.composite_message(statement.kind, wire.pae(statement.kind, signature.header, statement.body))
    with step("statement 5"):
        try:
            key = MLDSA65PublicKey.from_public_bytes(public_key[:1952])
            key.verify(signature.signature[:3309], message, wire.COMPOSITE_LABEL)
            crypto_sign_open(signature.signature[3309:] + message, public_key[1952:])
        except (InvalidSignature, BadSignatureError) as error:
            raise NotAuthentic("a signature does not verify") from error


def signed_by(statement: Statement, trust: Trust) -> Credential:
    """statement.md, Reading 4 and 5, for a statement that one holder of a credential signs."""
    (signature,) = statement.signatures
    with step("statement 4"):
        signer = trust.credentials.get(signature.signer)
        if signer is None:
            raise NotAuthentic("the signer is not known")
        if signer.purpose != PURPOSE_OF_ROLE[signature.role]:
            raise NotAuthentic(f"a credential with purpose {signer.purpose} cannot sign as {signature.role}")
    verify(statement, signature, signer.public_key)
    return signer


def signed_by_root(statement: Statement, signature: Signature, trust: Trust) -> Root:
    """statement.md, Reading 4 and 5, for one signature with role `root`."""
    with step("statement 4"):
        root = trust.roots.get(signature.signer)
        if root is None:
            raise NotAuthentic("the root is not known")
    verify(statement, signature, root.public_key)
    return root


def read_root(raw: bytes, trust: Trust) -> Root:
    """credential.md, Root: a root is believed only because its fingerprint was pinned for its party."""
    statement = read_statement(raw, "root")
    (signature,) = statement.signatures
    fingerprint = wire.digest("root", statement.body)
    with step("pinned"):
        if fingerprint not in {pinned for _, pinned in trust.pinned}:
            raise NotAuthentic("this root is not pinned")
    with step("body"):
        root = _root_body(statement.body, fingerprint)
    with step("pinned"):
        if (root.party, fingerprint) not in trust.pinned:
            raise NotAuthentic("this root is pinned for another party")
    with step("statement 4"):
        if signature.signer != fingerprint:
            raise NotAuthentic("a root is signed by itself")
    verify(statement, signature, root.public_key)
    return root


def _root_body(body: bytes, fingerprint: bytes) -> Root:
    party, names, degrees, key, valid_from, valid_until, extensions = d.fields(d.decode(body), 7)
    codes = [d.matching(code, d.CODE) for code in d.array(degrees, 1, 16)]
    d.need(len(set(codes)) == len(codes), "a degree twice")
    d.names(names)
    d.extensions(extensions)
    d.need(d.time(valid_from) < d.time(valid_until), "valid until is not after valid from")
    return Root(fingerprint, d.matching(party, d.PARTY), codes, d.signing_key(key), d.time(valid_from), d.time(valid_until))


def _credential_body(body: bytes, digest: bytes, issuer: bytes) -> Credential:
    """credential.md, Credential: the form, nothing else."""
    f = d.fields(d.decode(body), 11)
    purpose = d.one_of(f[4], PURPOSES)
    if purpose == "register":
        raise Refused("no credential with purpose register is accepted yet")
    certifies = d.boolean(f[7])
    d.need(purpose == "certify" or not certifies, "certifies bodies, without purpose certify")
    d.names(f[3])
    d.extensions(f[10])
    valid_from, valid_until = d.time(f[8]), d.time(f[9])
    d.need(valid_from < valid_until, "valid until is not after valid from")
    key = d.opening_key(f[5]) if purpose == "open" else d.signing_key(f[5])
    clearance = d.optional(f[6], lambda code: d.matching(code, d.CODE))
    subject, place = d.binary(f[0], 16), d.body([f[1], f[2]])
    return Credential(digest, issuer, subject, place, purpose, key, clearance, certifies, valid_from, valid_until)


class Chains:
    """credential.md, Checking a credential, over a set of statements that may contain the issuers."""

    def __init__(self, root: Root, candidates: Mapping[bytes, bytes], known: Mapping[bytes, Credential]) -> None:
        self.root = root
        self.candidates = candidates
        self.checked = dict(known)

    def check(self, raw: bytes, links: int = 1) -> Credential:
        """Steps 1 to 6; *links* counts from the credential that was asked for."""
        statement = read_statement(raw, "credential")
        if statement.digest in self.checked:
            return self.checked[statement.digest]
        (signature,) = statement.signatures
        with step(1):
            if links > 3:
                raise Refused("more than three links from the root")
            issuer = self._issuer(signature.signer, links)
        with step(2):
            if isinstance(issuer, Credential) and issuer.purpose != "certify":
                raise NotAuthentic("the issuer's purpose does not fit its role")
            verify(statement, signature, issuer.public_key)
            credential = _credential_body(statement.body, statement.digest, signature.signer)
        self._powers(credential, issuer)
        self.checked[credential.digest] = credential
        return credential

    def _issuer(self, digest: bytes, links: int) -> Root | Credential:
        if digest == self.root.digest:
            return self.root
        if digest in self.checked:
            return self.checked[digest]
        if digest not in self.candidates:
            raise NotAuthentic("the issuer is not known")
        return self.check(self.candidates[digest], links + 1)

    def _powers(self, credential: Credential, issuer: Root | Credential) -> None:
        """Steps 3 to 6: nothing may be wider than the issuer's."""
        with step(3):
            party = issuer.party if isinstance(issuer, Root) else issuer.body[0]
            _refuse(credential.body[0] != party, "of another party than its issuer")
        with step(4):
            _refuse(not self._may_issue(credential, issuer), "the issuer may not issue this purpose for this body")
        with step(5):
            degrees = self.root.degrees
            widest = degrees[0] if isinstance(issuer, Root) else issuer.clearance
            if credential.clearance is not None:
                _refuse(credential.clearance not in degrees, "clearance is no degree of the party")
                _refuse(widest is None, "an issuer without clearance gives none")
                _refuse(degrees.index(credential.clearance) < degrees.index(str(widest)), "clearance above the issuer's")
        with step(6):
            within = issuer.valid_from <= credential.valid_from and credential.valid_until <= issuer.valid_until
            _refuse(not within, "validity is not within the issuer's")

    def _may_issue(self, credential: Credential, issuer: Root | Credential) -> bool:
        if isinstance(issuer, Root):
            return credential.purpose in {"certify", "roster"}
        if credential.body == issuer.body:
            return credential.purpose not in {"certify", "roster"}
        plain = credential.purpose == "certify" and not credential.certifies_bodies
        return issuer.certifies_bodies and issuer.issuer == self.root.digest and plain


def _refuse(condition: bool, reason: str) -> None:  # noqa: FBT001 - a condition and what it means
    if condition:
        raise Refused(reason)


@dataclass(frozen=True)
class Roster:
    """A party's roster that passed steps 1 to 3."""

    party: str
    version: int
    issued_at: int
    expires_at: int
    root: Root
    credentials: dict[bytes, Credential]
    raw: bytes


def read_roster(raw: bytes, trust: Trust) -> Roster:
    """credential.md, Roster, Reading 1 to 3."""
    with step("1"):
        statement = read_statement(raw, "roster")
        party, version, times, root_raw, members, revocations = _roster_body(statement.body)
        root = read_root(root_raw, trust)
        _refuse(root.party != party, "the root is of another party than the roster")
        _refuse(len(revocations) > 0, "revocations are not specified")
    chains = Chains(root, members, {})
    with step("2"):
        (signature,) = statement.signatures
        if signature.signer not in members:
            raise NotAuthentic("the roster's signer is not in it")
        signer = chains.check(members[signature.signer])
        if signer.purpose != "roster":
            raise NotAuthentic("the roster's signer has another purpose")
        verify(statement, signature, signer.public_key)
        _refuse(not signer.valid_at(times[0]), "the roster's signer was not valid at issued at")
    with step("3"):
        credentials = {digest: chains.check(member) for digest, member in members.items()}
        _one_key_once(list(credentials.values()))
        _refuse(any(member.public_key == root.public_key for member in credentials.values()), "the root's own key in a credential")
    return Roster(party, version, times[0], times[1], root, credentials, raw)


def _roster_body(body: bytes) -> tuple[str, int, tuple[int, int], bytes, dict[bytes, bytes], list[d.Value]]:
    f = d.fields(d.decode(body), 8)
    issued_at, expires_at = d.time(f[2]), d.time(f[3])
    d.need(issued_at < expires_at, "expires at is not after issued at")
    d.extensions(f[7])
    members = [(wire.digest("statement", d.binary(raw)), d.binary(raw)) for raw in d.array(f[5], 0, 16384)]
    d.ascending(members, lambda member: member[0])
    return d.matching(f[0], d.PARTY), d.integer(f[1], 1), (issued_at, expires_at), d.binary(f[4]), dict(members), d.array(f[6])


def _one_key_once(credentials: list[Credential]) -> None:
    for i, one in enumerate(credentials):
        for other in credentials[i + 1 :]:
            overlap = one.valid_from < other.valid_until and other.valid_from < one.valid_until
            _refuse(overlap and one.public_key == other.public_key, "one public key in two live credentials")


def import_roster(new: Roster, old: Roster | None, now: int) -> None:
    """credential.md, Roster, Reading 4."""
    with step("4"):
        _refuse(new.issued_at > now + 86400, "issued in the future")
        if old is None or new.raw == old.raw:
            return
        _refuse(new.version <= old.version, "the version is not higher")
        _refuse(not old.credentials.keys() <= new.credentials.keys(), "a credential of the older roster is missing")


def believe(trust: Trust, roster: Roster) -> None:
    """Add what a roster says to what the reader believes."""
    trust.roots[roster.root.digest] = roster.root
    trust.credentials.update(roster.credentials)


def read_credential(raw: bytes, trust: Trust) -> Credential:
    """credential.md, Checking a credential, by the rosters that the reader has."""
    statement = read_statement(raw, "credential")
    if statement.digest in trust.credentials:
        return trust.credentials[statement.digest]
    signer = statement.signatures[0].signer
    known = trust.credentials.get(signer)
    for root in trust.roots.values():
        if signer == root.digest or (known is not None and known.body[0] == root.party):
            return Chains(root, {}, trust.credentials).check(raw)
    with step(1):
        raise NotAuthentic("the issuer is not known")
