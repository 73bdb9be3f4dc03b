"""Keys, roots and credentials for tests: the same key for the same name, made at once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from valiza.keys import labels
from valiza.keys.credential import Credential, CredentialDraft, issue_credential
from valiza.keys.designation import Designation, DesignationDraft, issue_designation
from valiza.keys.encoding import pack
from valiza.keys.fields import Body
from valiza.keys.log_key import LogSigningKey
from valiza.keys.recipient import Identity
from valiza.keys.revocation import Revocation, RevocationDraft, issue_revocation
from valiza.keys.root import Root, make_root, sole_root
from valiza.keys.roster import Roster, make_roster
from valiza.keys.signing import SigningKey, VerifyKey
from valiza.keys.statement import SignerHeader, Statement, read_statement, sign_statement
from valiza.keys.trust import Trust

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from valiza.keys.encoding import Value

VECTORS: Final = Path(__file__).resolve().parent.parent / "vectors"
DAY: Final = 86400
YEAR: Final = 365 * DAY
BEGIN: Final = 1_767_225_600  # 2026-01-01T00:00:00Z
END: Final = BEGIN + 5 * YEAR
NOW: Final = BEGIN + 100 * DAY
DEGREES: Final = ("1", "2", "3")


class Remembering:
    """A roster, and since when its reader knows each credential."""

    def __init__(self, roster: Roster, known_since: Callable[[bytes], int | None]) -> None:
        self._roster = roster
        self.known_since = known_since

    def __getattr__(self, name: str) -> Any:
        return getattr(self._roster, name)


def remembering(roster: Roster, known_since: Callable[[bytes], int | None]) -> Any:
    """The same, in the place of any book."""
    return Remembering(roster, known_since)


@cache
def signing_key(name: str) -> SigningKey:
    """The signing key of that name."""
    return SigningKey(hashlib.sha512(name.encode()).digest())


@cache
def identity(name: str) -> Identity:
    """The opening key of that name."""
    return Identity(hashlib.sha256(name.encode()).digest())


@cache
def log_key(name: str) -> LogSigningKey:
    """The register's key of that name."""
    return LogSigningKey(hashlib.sha512(f"log {name}".encode()).digest())


def key_of(name: str, purpose: str) -> bytes:
    """The public key that `issue` certifies for that name."""
    if purpose == "open":
        return identity(name).public
    return log_key(name).public if purpose == "register" else signing_key(f"{name} {purpose}").public


def subject(name: str) -> bytes:
    """The subject of that name."""
    return hashlib.sha256(name.encode()).digest()[:16]


def counting(name: str = "") -> Callable[[int], bytes]:
    """A source of bytes that never gives the same twice; one of the same name gives the same in every run."""
    given = 0

    def random(size: int) -> bytes:
        nonlocal given
        given += 1
        return hashlib.shake_256(f"{name} {given}".encode()).digest(size)

    return random


@dataclass(frozen=True)
class Holder:
    """A credential and the private key that belongs to it."""

    credential: Credential
    key: SigningKey


@dataclass(frozen=True)
class Party:
    """A root with its key, a competent body that certifies bodies too, and the roster's signer."""

    root: Root
    key: SigningKey
    body: Holder
    publisher: Holder

    @property
    def id(self) -> str:
        """The party's id."""
        return self.root.party

    def officer(self, name: str, purpose: str = "seal", **changes: Any) -> Holder:
        """An officer of the competent body."""
        return issue(self.body.credential, self.body.key, name, purpose, **changes)

    def revoke(
        self, target: Credential, kind: str = "retired", at: int = NOW, *, number: int = 1, by_root: bool = False, **changes: Any
    ) -> Revocation:
        """A revocation by the competent body, or by the root."""
        said: dict[str, Any] = {
            "party": self.id,
            "series": None if by_root else self.body.credential.body.id,
            "number": number,
            "kind": kind,
            "credential": target.digest,
            "effective_at": at,
            "issued_at": at,
            "reason": "other",
        }
        issuer, key = (self.root, self.key) if by_root else (self.body.credential, self.body.key)
        return issue_revocation(RevocationDraft(**{**said, **changes}), target=target, issuer=issuer, keys=[key])

    def designate(self, body_id: str, role: str = "competent", *, number: int = 1, **changes: Any) -> Designation:
        """A designation by the root."""
        said: dict[str, Any] = {
            "party": self.id,
            "number": number,
            "body_id": body_id,
            "names": {"en": body_id},
            "role": role,
            "effective_from": NOW,
            "issued_at": NOW,
        }
        return issue_designation(DesignationDraft(**{**said, **changes}), root=self.root, keys=[self.key])

    def roster(
        self,
        *credentials: Credential,
        version: int = 1,
        issued_at: int = NOW,
        expires_at: int = NOW + YEAR,
        revocations: Sequence[Revocation] = (),
        designations: Sequence[Designation] = (),
    ) -> Roster:
        """A roster with the body's credential and these."""
        return make_roster(
            version=version,
            issued_at=issued_at,
            expires_at=expires_at,
            roots=[self.root],
            credentials=[self.body.credential, *credentials],
            revocations=revocations,
            designations=designations,
            signer=self.publisher.credential,
            key=self.publisher.key,
        )

    def trust(self, *credentials: Credential, revocations: Sequence[Revocation] = ()) -> Trust:
        """Trust in this party alone."""
        return Trust([self.roster(*credentials, revocations=revocations)])


@cache
def root_of(party: str, name: str = "root") -> Root:
    """A root of a party with three degrees and one custodian; his key is `signing_key(party + name)`."""
    key = signing_key(party + name)
    draft = sole_root(
        party_id=party,
        party_names={"en": f"State of {party}"},
        degrees=DEGREES,
        custodian=subject(f"custodian of {party}"),
        key=VerifyKey(key.public),
        valid_from=BEGIN,
        valid_until=END,
    )
    return make_root(draft, [key])


@cache
def party(name: str = "KZ") -> Party:
    """A party, with `NAME/NAME-GOV` as its competent body."""
    root, key = root_of(name), signing_key(name + "root")
    body = issue(root, key, f"{name}-GOV", "certify", body=Body(name, f"{name}-GOV"), clearance="1", certifies_bodies=True)
    publisher = issue(root, key, f"{name} publisher", "roster", body=Body(name, f"{name}-GOV"), clearance=None)
    return Party(root, key, body, publisher)


def issue(issuer: Root | Credential, key: SigningKey, name: str, purpose: str, *, keys: Sequence[SigningKey] = (), **changes: Any) -> Holder:
    """A credential for `name`, of the issuer's own body and with clearance 2 unless changed. The key is that of `key_of`.

    With `keys`, further custodians of the issuing root sign too.
    """
    own = signing_key(f"{name} {purpose}")
    said: dict[str, Any] = {
        "subject": subject(name),
        "body": issuer.body if isinstance(issuer, Credential) else Body(issuer.party, f"{issuer.party}-GOV"),
        "names": {"en": name},
        "purpose": purpose,
        "public_key": key_of(name, purpose),
        "clearance": "2",
        "valid_from": BEGIN,
        "valid_until": END,
    }
    return Holder(issue_credential(CredentialDraft(**{**said, **changes}), issuer=issuer, keys=[key, *keys]), own)


def credential_items(**changes: Value) -> list[Value]:
    """The body of a seal credential of KZ/KZ-GOV, as a list, with some fields changed."""
    items: dict[str, Value] = {
        "subject": subject("officer"),
        "party": "KZ",
        "body_id": "KZ-GOV",
        "names": {"en": "officer"},
        "purpose": "seal",
        "public_key": [labels.KIND_SIGNATURE, signing_key("officer seal").public],
        "clearance": "2",
        "certifies_bodies": False,
        "valid_from": BEGIN,
        "valid_until": END,
        "extensions": {},
    }
    unknown = set(changes) - set(items)
    assert not unknown
    return list({**items, **changes}.values())


def signed(type_: str, role: str, items: Value, signer_digest: bytes, key: SigningKey) -> Statement:
    """A statement of any body, with one signature."""
    header = SignerHeader(role=role, signer_digest=signer_digest, key_digest=key.key_digest)
    return sign_statement(type_, pack(items), [(header, key)])


def naming_another_key(statement: Statement, signer: SigningKey, named: SigningKey) -> Statement:
    """The statement signed by `signer` with a header that names another key."""
    (only,) = statement.signatures
    header = SignerHeader(role=only.header.role, signer_digest=only.header.signer_digest, key_digest=named.key_digest)
    return sign_statement(statement.type, statement.body, [(header, signer)])


def reassembled(statement: Statement, *, body: bytes | None = None, header: bytes | None = None, signature: bytes | None = None) -> Statement:
    """The statement with a part exchanged and nothing signed anew."""
    (only,) = statement.signatures
    entry = [only.header_bytes if header is None else header, only.signature if signature is None else signature]
    return read_statement(pack([statement.type, statement.body if body is None else body, [entry]]), statement.type)


def flipped(data: bytes, index: int, mask: int = 1) -> bytes:
    """The data with some bits of one byte turned over."""
    changed = bytearray(data)
    changed[index] ^= mask
    return bytes(changed)
