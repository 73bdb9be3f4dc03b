"""Statements, roots, credentials and rosters as a reader sees them (statement.md, credential.md)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PublicKey
from nacl.bindings import crypto_sign_open
from nacl.exceptions import BadSignatureError

import decode as d
import designating
import revoking
import wire
from outcome import NotAuthentic, Refused, step

MIB = 1 << 20
LIMITS = {
    "root": 262144,
    "credential": 65536,
    "request": 131072,
    "termination": 65536,
    "clearance-enquiry": 65536,
    "clearance-confirmation": 131072,
    "revocation": 65536,
    "designation": 65536,
    "rewrap": 65536,
    "agreement": MIB,
    "dispatch": MIB,
    "acknowledgement": 4 * MIB,
    "refusal": 4 * MIB,
    "receipt": 8 * MIB,
    "transport-notice": 2 * MIB,
    "handover": 65536,
    "overdue": 2 * MIB,
    "roster": 64 * MIB,
}
ROLES = {
    "root": ("root", 32),
    "credential": ("issuer", 16),
    "request": ("holder", 16),
    "roster": ("roster", 1),
    "revocation": ("issuer", 16),
    "designation": ("root", 16),
    "agreement": ("root", 32),
    "termination": ("root", 16),
    "clearance-enquiry": ("competent", 1),
    "clearance-confirmation": ("competent", 1),
    "dispatch": ("sealer", 1),
    "rewrap": ("acknowledger", 1),
    "acknowledgement": ("acknowledger", 1),
    "refusal": ("acknowledger", 1),
    "receipt": ("countersigner", 1),
    "transport-notice": ("transport", 1),
    "handover": ("transport", 1),
    "overdue": ("clerk", 1),
}
PURPOSE_OF_ROLE = {
    "issuer": "certify",
    "roster": "roster",
    "competent": "act",
    "sealer": "seal",
    "acknowledger": "acknowledge",
    "countersigner": "countersign",
    "transport": "transport",
    "clerk": "act",
}
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
    """One version of a party's root; *custodians* are public keys by the digest that a signer header names, with the person of each."""

    digest: bytes
    party: str
    version: int
    previous: bytes | None
    degrees: list[str]
    custodians: dict[bytes, tuple[bytes, bytes]]
    threshold: int
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
    """What a reader believes: roots by the digest of their body, credentials by their digest, what was revoked.

    *known* is by party when its credentials were first imported, where the reader remembers that.
    """

    roots: dict[bytes, Root] = field(default_factory=dict)
    credentials: dict[bytes, Credential] = field(default_factory=dict)
    revocations: list[revoking.Revocation] = field(default_factory=list)
    designations: list[designating.Designation] = field(default_factory=list)
    known: dict[str, int] = field(default_factory=dict)
    pinned: set[tuple[str, bytes]] = field(default_factory=set)

    def root_of(self, party: str) -> Root:
        """The latest version of the root of a party."""
        versions = [root for root in self.roots.values() if root.party == party]
        if versions:
            return max(versions, key=lambda root: root.version)
        raise NotAuthentic(f"no root of {party} is known")

    def who(self, named: list[str], party: str, role: str, when: int) -> set[str]:
        """designation.md, Who has a role."""
        return designating.who(named, [one for one in self.designations if one.party == party], role, when)

    def cleared(self, clearance: str | None, party: str, code: str) -> bool:
        """Whether a clearance reaches a code of its own party's degrees."""
        degrees = self.root_of(party).degrees
        return clearance in degrees and code in degrees and degrees.index(clearance) <= degrees.index(code)


def events_of(credential: Credential, credentials: Mapping[bytes, Credential], revocations: list[revoking.Revocation]) -> list[revoking.Revocation]:
    """revocation.md, The time rule: what was revoked of a credential, and every compromise of its public key in its party."""

    def concerns(one: revoking.Revocation) -> bool:
        if one.credential == credential.digest:
            return True
        other = credentials[one.credential]
        return one.kind == "compromised" and other.body[0] == credential.body[0] and other.public_key == credential.public_key

    return [one for one in revocations if concerns(one)]


def require_standing(credential: Credential, dated: int, evidence: Callable[[], int | None], trust: Trust) -> None:
    """revocation.md, Who is judged: the credential, and its issuers up to the root."""
    _refuse(not revoking.stands(events_of(credential, trust.credentials, trust.revocations), dated, evidence()), "it does not stand")
    issuer = trust.credentials.get(credential.issuer)
    if issuer is not None:
        require_standing(issuer, credential.valid_from, lambda: trust.known.get(credential.body[0]), trust)


def require_in_force(credential: Credential, when: int, trust: Trust, reason: str) -> None:
    """revocation.md, Who is judged: acts of now, and `open` credentials."""
    _refuse(not credential.valid_at(when), reason)
    require_standing(credential, when, lambda: when, trust)


def in_force(credential: Credential, when: int, trust: Trust) -> bool:
    """Whether it is."""
    try:
        require_in_force(credential, when, trust, "not valid")
    except Refused:
        return False
    return True


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


def _signatures(value: d.Value, role_and_most: tuple[str, int]) -> list[Signature]:
    wanted, most = role_and_most
    out = list[Signature]()
    for item in d.array(value, 1, most):
        header, signature = d.fields(item, 2)
        role, signer, key = d.fields(d.decode(d.binary(header)), 3)
        known = d.one_of(role, (wanted,))
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
    signature = _only(statement)
    with step("statement 4"):
        signer = trust.credentials.get(signature.signer)
        if signer is None:
            raise NotAuthentic("the signer is not known")
        if signer.purpose != PURPOSE_OF_ROLE[signature.role]:
            raise NotAuthentic(f"a credential with purpose {signer.purpose} cannot sign as {signature.role}")
    verify(statement, signature, signer.public_key)
    return signer


def _only(statement: Statement) -> Signature:
    with step("statement 4"):
        if len(statement.signatures) != 1:
            raise NotAuthentic("several sign only for a root")
    return statement.signatures[0]


def verify_quorum(statement: Statement, root: Root) -> None:
    """credential.md, Root: every signature in its name holds, and enough persons signed. Signatures in other names are left to the caller."""
    persons = set[bytes]()
    for signature in statement.signatures:
        if signature.signer != root.digest:
            continue
        with step("statement 4"):
            if signature.key not in root.custodians:
                raise NotAuthentic("a key that is no custodian's")
        person, public_key = root.custodians[signature.key]
        verify(statement, signature, public_key)
        persons.add(person)
    with step("statement 6"):
        if len(persons) < root.threshold:
            raise NotAuthentic("below the threshold")


def roots_that_sign(statement: Statement, trust: Trust) -> list[Root]:
    """statement.md, Reading 4 to 6, for a statement with role `root`: the roots in whose names it is signed, each with its quorum."""
    roots = dict[bytes, Root]()
    for signature in statement.signatures:
        with step("statement 4"):
            root = trust.roots.get(signature.signer)
            if root is None:
                raise NotAuthentic("the root is not known")
        roots[root.digest] = root
    for root in roots.values():
        verify_quorum(statement, root)
    return list(roots.values())


def read_root(raw: bytes) -> tuple[Root, Statement]:
    """credential.md, Root: its form, and the quorum of its own custodians. Nothing is believed of it yet."""
    statement = read_statement(raw, "root")
    fingerprint = wire.digest("root", statement.body)
    with step("body"):
        root = _root_body(statement.body, fingerprint)
    with step("statement 4"):
        if any(signature.signer not in {fingerprint, root.previous} for signature in statement.signatures):
            raise NotAuthentic("signed in the name of another root")
    verify_quorum(statement, root)
    return root, statement


def read_roots(raws: list[bytes]) -> list[Root]:
    """credential.md, Versions: all versions of a root, from the first."""
    roots = list[Root]()
    for raw in raws:
        root, statement = read_root(raw)
        with step("versions", otherwise=True):
            d.need(bool(roots) or root.version == 1, "the first is not version 1")
        if roots:
            old = roots[-1]
            with step("versions"):
                if root.previous != old.digest or root.version != old.version + 1:
                    raise NotAuthentic("does not follow the one before it")
            verify_quorum(statement, old)
            with step("versions"):
                _refuse((root.party, root.degrees) != (old.party, old.degrees), "another party, or other degrees")
                _refuse(root.valid_from < old.valid_from, "valid before the one before it")
        roots.append(root)
    return roots


def require_pinned(roots: list[Root], trust: Trust) -> None:
    """credential.md, Root: a root is believed only because the fingerprint of one of its versions was pinned for its party."""
    with step("pinned"):
        if not any((root.party, root.digest) in trust.pinned for root in roots):
            raise NotAuthentic("this root is not pinned for this party")


def _root_body(body: bytes, fingerprint: bytes) -> Root:
    f = d.fields(d.decode(body), 10)
    version, previous = d.integer(f[1], 1, 64), d.optional(f[2], d.digest_of)
    d.need((previous is None) == (version == 1), "previous is nil exactly when version is 1")
    codes = [d.matching(code, d.CODE) for code in d.array(f[4], 1, 16)]
    d.need(len(set(codes)) == len(codes), "a degree twice")
    d.names(f[3])
    people = [d.fields(item, 3) for item in d.array(f[5], 1, 16)]
    ids = [d.binary(item[0], 16) for item in people]
    d.ascending(ids, lambda person: person)
    custodians = dict[bytes, tuple[bytes, bytes]]()
    for item in people:
        d.names(item[1])
        key = d.signing_key(item[2])
        custodians[wire.digest("public-key", wire.encode([wire.SIGNING_KIND, key]))] = (d.binary(item[0], 16), key)
    d.need(len(custodians) == len(people), "one key of two custodians")
    threshold = d.integer(f[6], 1, len(people))
    d.extensions(f[9])
    d.need(d.time(f[7]) < d.time(f[8]), "valid until is not after valid from")
    return Root(fingerprint, d.matching(f[0], d.PARTY), version, previous, codes, custodians, threshold, d.time(f[7]), d.time(f[8]))


def _credential_body(body: bytes, digest: bytes, issuer: bytes) -> Credential:
    """credential.md, Credential: the form, nothing else."""
    f = d.fields(d.decode(body), 11)
    purpose = d.one_of(f[4], PURPOSES)
    certifies = d.boolean(f[7])
    d.need(purpose == "certify" or not certifies, "certifies bodies, without purpose certify")
    d.names(f[3])
    d.extensions(f[10])
    valid_from, valid_until = d.time(f[8]), d.time(f[9])
    d.need(valid_from < valid_until, "valid until is not after valid from")
    key = d.key_for(purpose, f[5])
    clearance = d.optional(f[6], lambda code: d.matching(code, d.CODE))
    subject, place = d.binary(f[0], 16), d.body([f[1], f[2]])
    return Credential(digest, issuer, subject, place, purpose, key, clearance, certifies, valid_from, valid_until)


class Chains:
    """credential.md, Checking a credential, over a set of statements that may contain the issuers."""

    def __init__(self, roots: list[Root], candidates: Mapping[bytes, bytes], known: Mapping[bytes, Credential]) -> None:
        self.root = roots[-1]
        self.roots = {root.digest: root for root in roots}
        self.candidates = candidates
        self.checked = dict(known)

    def check(self, raw: bytes, links: int = 1) -> Credential:
        """Steps 1 to 6; *links* counts from the credential that was asked for."""
        statement = read_statement(raw, "credential")
        if statement.digest in self.checked:
            return self.checked[statement.digest]
        signature = statement.signatures[0]
        with step(1):
            if links > 3:
                raise Refused("more than three links from the root")
            issuer = self._issuer(signature.signer, links)
        with step(2):
            if isinstance(issuer, Credential):
                if issuer.purpose != "certify":
                    raise NotAuthentic("the issuer's purpose does not fit its role")
                verify(statement, _only(statement), issuer.public_key)
            else:
                if any(other.signer != issuer.digest for other in statement.signatures):
                    raise NotAuthentic("signed in the name of two roots")
                verify_quorum(statement, issuer)
            credential = _credential_body(statement.body, statement.digest, signature.signer)
        self._powers(credential, issuer)
        self.checked[credential.digest] = credential
        return credential

    def _issuer(self, digest: bytes, links: int) -> Root | Credential:
        if digest in self.roots:
            return self.roots[digest]
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
        return issuer.certifies_bodies and issuer.issuer in self.roots and plain


def _refuse(condition: bool, reason: str) -> None:  # noqa: FBT001 - a condition and what it means
    if condition:
        raise Refused(reason)


@dataclass(frozen=True)
class Roster:
    """A party's roster that passed steps 1 to 5."""

    party: str
    version: int
    issued_at: int
    expires_at: int
    roots: list[Root]
    credentials: dict[bytes, Credential]
    revocations: list[revoking.Revocation]
    designations: list[designating.Designation]
    raw: bytes


def read_roster(raw: bytes, trust: Trust) -> Roster:
    """credential.md, Roster, Reading 1 to 5."""
    with step("1"):
        statement = read_statement(raw, "roster")
        party, version, times, root_raws, members, revoked, named = _roster_body(statement.body)
        roots = read_roots(root_raws)
        root = roots[-1]
        if not any(known.digest in {pinned for _, pinned in trust.pinned} for known in roots):
            raise NotAuthentic("no version of this root is pinned")
        _refuse(root.party != party, "the root is of another party than the roster")
        require_pinned(roots, trust)
    chains = Chains(roots, members, {})
    with step("2"):
        signature = _only(statement)
        if signature.signer not in members:
            raise NotAuthentic("the roster's signer is not in it")
        signer = chains.check(members[signature.signer])
        if signer.purpose != "roster":
            raise NotAuthentic("the roster's signer has another purpose")
        if signer.issuer != root.digest:
            raise NotAuthentic("the last version of the root did not issue the roster's signer")
        verify(statement, signature, signer.public_key)
    with step("3"):
        credentials = {digest: chains.check(member) for digest, member in members.items()}
    with step("4", otherwise=True):
        revocations = [_revocation(item, party, roots, credentials) for item in revoked]
        revoking.check_series(revocations)
        designations = [_designation(item, party, roots) for item in named]
        designating.check_numbers(designations)
        _refuse(not signer.valid_at(times[0]), "the roster's signer was not valid at issued at")
        _refuse(not revoking.stands(events_of(signer, credentials, revocations), times[0], None), "the roster's signer was revoked")
    with step("5"):
        _one_key_once(credentials, revocations)
        keys = [key for known in roots for _, key in known.custodians.values()]
        signing = [member.public_key for member in credentials.values() if member.purpose != "open"]
        _refuse(any(_shares_half(one, key) for one in signing for key in keys), "a custodian's key in a credential")
    return Roster(party, version, times[0], times[1], roots, credentials, revocations, designations, raw)


def _revocation(raw: bytes, party: str, roots: list[Root], credentials: Mapping[bytes, Credential]) -> revoking.Revocation:
    """revocation.md, Reading 1 to 5."""
    with step("revocation 2"):
        statement = read_statement(raw, "revocation")
        by = statement.signatures[0].signer
        root = next((one for one in roots if one.digest == by), None)
        signer = credentials.get(by)
        if root is not None:
            if any(signature.signer != by for signature in statement.signatures):
                raise NotAuthentic("signed in the name of two roots")
            verify_quorum(statement, root)
        elif signer is not None and signer.purpose == "certify":
            verify(statement, _only(statement), signer.public_key)
        else:
            raise NotAuthentic("no root and no body of this roster signs")
        found = revoking.body_of(statement.body, statement.digest, None if root else by, root.version if root else 0)
    with step("revocation 3"):
        _refuse(found.party != party or found.series != (signer.body[1] if signer else None), "another party's or body's series")
    with step("revocation 4"):
        target = credentials.get(found.credential)
        if target is None:
            raise Refused("a credential that is not in the roster")
        if signer is not None:
            issuer = credentials.get(target.issuer)
            _refuse(issuer is None or issuer.body != signer.body, "another body issued the credential")
    with step("revocation 5"):
        _refuse(signer is not None and not signer.valid_at(found.issued_at), "not valid when it revoked")
    return found


def _designation(raw: bytes, party: str, roots: list[Root]) -> designating.Designation:
    """designation.md, Reading 1 to 3."""
    with step("designation 2"):
        statement = read_statement(raw, "designation")
        by = statement.signatures[0].signer
        root = next((one for one in roots if one.digest == by), None)
        if root is None or any(signature.signer != by for signature in statement.signatures):
            raise NotAuthentic("not one root of this roster signs")
        verify_quorum(statement, root)
        found = designating.body_of(statement.body, statement.digest, root.version)
    with step("designation 3"):
        _refuse(found.party != party, "another party's")
    return found


def _roster_body(body: bytes) -> tuple[str, int, tuple[int, int], list[bytes], dict[bytes, bytes], list[bytes], list[bytes]]:
    f = d.fields(d.decode(body), 9)
    issued_at, expires_at = d.time(f[2]), d.time(f[3])
    d.need(issued_at < expires_at, "expires at is not after issued at")
    d.need(expires_at - issued_at <= 400 * 86400, "expires more than 400 days after issued at")
    d.extensions(f[8])
    members = [(wire.digest("statement", d.binary(raw)), d.binary(raw)) for raw in d.array(f[5], 0, 16384)]
    d.ascending(members, lambda member: member[0])
    roots = [d.binary(raw) for raw in d.array(f[4], 1, 64)]
    revoked = [d.binary(raw) for raw in d.array(f[6], 0, 16384)]
    named = [d.binary(raw) for raw in d.array(f[7], 0, 1024)]
    return d.matching(f[0], d.PARTY), d.integer(f[1], 1), (issued_at, expires_at), roots, dict(members), revoked, named


def _shares_half(one: bytes, other: bytes) -> bool:
    """Of two public keys that both sign, or both open: the second half of every kind has 32 bytes."""
    return one[:-32] == other[:-32] or one[-32:] == other[-32:]


def _same_key(one: Credential, other: Credential) -> bool:
    return (one.purpose == "open") == (other.purpose == "open") and _shares_half(one.public_key, other.public_key)


def _one_key_once(credentials: Mapping[bytes, Credential], revocations: list[revoking.Revocation]) -> None:
    def end(one: Credential) -> int:
        ended = [event.effective_at for event in events_of(one, credentials, revocations) if event.kind in {"retired", "compromised"}]
        return min([one.valid_until, *ended])

    members = list(credentials.values())
    for i, one in enumerate(members):
        for other in members[i + 1 :]:
            if _same_key(one, other):
                overlap = one.valid_from < end(other) and other.valid_from < end(one)
                _refuse(overlap, "one public key in two live credentials")


def import_roster(new: Roster, old: Roster | None, now: int) -> None:
    """credential.md, Roster, Reading 6."""
    with step("6"):
        _refuse(new.issued_at > now + 86400, "issued in the future")
        if old is not None and new.raw == old.raw:
            return
        _refuse(now >= new.expires_at, "expired")
        if old is None:
            return
        _refuse(new.version <= old.version, "the version is not higher")
        _refuse(new.version > old.version + 1000, "the version is more than 1,000 higher")
        _refuse(new.issued_at < old.issued_at, "issued before the older one")
        known = [root.digest for root in old.roots]
        _refuse([root.digest for root in new.roots[: len(known)]] != known, "other roots than before")
        _refuse(not old.credentials.keys() <= new.credentials.keys(), "a credential of the older roster is missing")
        known_digests = {one.digest for one in old.revocations}
        _refuse(not known_digests <= {one.digest for one in new.revocations}, "a revocation of the older roster is missing")
        said = {one.digest for one in old.designations}
        _refuse(not said <= {one.digest for one in new.designations}, "a designation of the older roster is missing")
        lost = [old.credentials[one.credential] for one in old.revocations if one.kind == "compromised"]
        added = [credential for digest, credential in new.credentials.items() if digest not in old.credentials]
        _refuse(any(_same_key(credential, one) for credential in added for one in lost), "a compromised key in a new credential")
        _refuse(any(_could_not_issue(credential.issuer, old) for credential in added), "a new credential by an issuer that had ended")
    with step("revocation 8"):
        for one in new.revocations:
            fresh = one.digest not in known_digests
            _refuse(fresh and not _may_still_revoke(one, new, old), "a new revocation by a root or credential that says nothing new any more")
    with step("designation 5"):
        for new_one in new.designations:
            old_root = new_one.version < old.roots[-1].version
            _refuse(new_one.digest not in said and old_root, "a new designation by a root that was replaced")


def _could_not_issue(issuer: bytes, old: Roster) -> bool:
    """The issuer of a credential that the older roster does not have: whether he had ended by then."""
    earlier = {root.digest for root in old.roots[:-1]}
    credential = old.credentials.get(issuer)
    if credential is None:
        return issuer in earlier
    events = events_of(credential, old.credentials, old.revocations)
    lost = any(event.kind == "compromised" for event in events)
    retired = any(event.kind == "retired" and event.effective_at <= old.issued_at for event in events)
    return lost or retired or credential.valid_until <= old.issued_at


def _may_still_revoke(one: revoking.Revocation, new: Roster, old: Roster) -> bool:
    """revocation.md, Reading 8."""
    if one.signer is None:
        return one.version >= old.roots[-1].version
    name, dated = one.signer, one.issued_at
    everybody = {**new.credentials, **old.credentials}
    while name in new.credentials:
        signer = new.credentials[name]
        if not revoking.stands(events_of(signer, everybody, old.revocations), dated, None):
            return False
        name, dated = signer.issuer, signer.valid_from
    return True


def believe(trust: Trust, roster: Roster) -> None:
    """Add what a roster says to what the reader believes."""
    trust.roots.update({root.digest: root for root in roster.roots})
    trust.credentials.update(roster.credentials)
    trust.revocations += roster.revocations
    trust.designations += roster.designations


def read_credential(raw: bytes, trust: Trust) -> Credential:
    """credential.md, Checking a credential, by the rosters that the reader has."""
    statement = read_statement(raw, "credential")
    if statement.digest in trust.credentials:
        return trust.credentials[statement.digest]
    signer = statement.signatures[0].signer
    known = trust.credentials.get(signer)
    for party in {root.party for root in trust.roots.values()}:
        roots = sorted((root for root in trust.roots.values() if root.party == party), key=lambda root: root.version)
        if signer in {root.digest for root in roots} or (known is not None and known.body[0] == party):
            return Chains(roots, {}, trust.credentials).check(raw)
    with step(1):
        raise NotAuthentic("the issuer is not known")
