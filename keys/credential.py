"""Credentials (specs/credential.md): one key, one purpose, one subject, a clearance and a validity, and who says so."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from valiza.keys import labels
from valiza.keys.encoding import pack, unpack
from valiza.keys.errors import Malformed, NotAuthentic, Refused
from valiza.keys.fields import Body, Names, array, blob, body_id, boolean, code, extensions, names, one_of, optional, party, time
from valiza.keys.log_key import LogVerifyKey
from valiza.keys.realm import Realm
from valiza.keys.recipient import Recipient
from valiza.keys.root import Root, signing_public_key, verify_quorum
from valiza.keys.signing import VerifyKey
from valiza.keys.statement import LIMITS, SignerHeader, Statement, sign_statement

if TYPE_CHECKING:
    from collections.abc import Iterable

    from valiza.keys.encoding import Value
    from valiza.keys.fields import Extensions
    from valiza.keys.statement import Signer

__all__ = [
    "MAX_CHAIN",
    "PURPOSES",
    "ROLE_PURPOSE",
    "Credential",
    "CredentialDraft",
    "Outline",
    "PublicKey",
    "check_credential",
    "decode_credential",
    "issue_credential",
    "issuer_signs",
    "kind_of",
    "public_key",
    "read_credential_body",
    "signs",
    "verify_by_credential",
]

PURPOSES: Final = ("certify", "seal", "open", "acknowledge", "countersign", "transport", "register", "roster", "act")
_KINDS: Final = {"open": labels.KIND_ENCRYPTION, "register": labels.KIND_LOG}  # of the keys that sign no statement, by purpose
MAX_CHAIN: Final = 3  # root → competent body → authorised body → officer

# The purpose that a signer's credential must have, by role (statement.md).
ROLE_PURPOSE: Final = {
    "issuer": "certify",
    "roster": "roster",
    "competent": "act",
    "sealer": "seal",
    "acknowledger": "acknowledge",
    "countersigner": "countersign",
    "transport": "transport",
    "clerk": "act",
}

PublicKey = VerifyKey | LogVerifyKey | Recipient


def kind_of(purpose: str) -> str:
    """The kind of key that a purpose has."""
    return _KINDS.get(purpose, labels.KIND_SIGNATURE)


def signs(purpose: str) -> bool:
    """Whether keys of a purpose sign statements: all but those that open, and those of a register, which sign C2SP notes only."""
    return purpose not in _KINDS


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialDraft:
    """What a credential is to say."""

    subject: bytes
    body: Body
    names: Names
    purpose: str
    public_key: bytes = field(repr=False)
    clearance: str | None
    certifies_bodies: bool = False
    valid_from: int
    valid_until: int
    realm: Realm = Realm.ORDINARY

    def packed(self) -> bytes:
        """The canonical body."""
        public: Value = [self.realm.kind(kind_of(self.purpose)), self.public_key]
        return pack(
            [
                self.subject,
                self.body.party,
                self.body.id,
                self.names,
                self.purpose,
                public,
                self.clearance,
                self.certifies_bodies,
                self.valid_from,
                self.valid_until,
                {},
            ]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """What an index says of a credential: enough to find it by. `title` is for display.

    lattice: digest of the ML-DSA or ML-KEM half of its key. half: the other one, Ed25519 or X25519.
    """

    digest: bytes
    subject: bytes
    body: Body
    purpose: str
    title: str
    key_digest: bytes
    lattice: bytes
    half: bytes
    valid_from: int
    valid_until: int

    @property
    def halves(self) -> tuple[tuple[bool, bytes], tuple[bool, bytes]]:
        """Both halves, by which it is found that two keys are one: of a key that opens never those of a key that signs, be it notes."""
        return (self.purpose == "open", self.lattice), (self.purpose == "open", self.half)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A credential that was checked up to a pinned root. Whether it is valid at a time is asked by `require_valid`."""

    raw: bytes = field(repr=False)
    digest: bytes
    subject: bytes
    body: Body
    names: Names
    purpose: str
    key: PublicKey = field(repr=False, compare=False)
    clearance: str | None
    certifies_bodies: bool
    valid_from: int
    valid_until: int
    extensions: Extensions = field(repr=False)
    issuer: Root | Credential = field(repr=False)

    @property
    def root(self) -> Root:
        """The root at the beginning of the chain."""
        return self.issuer if isinstance(self.issuer, Root) else self.issuer.root

    @property
    def realm(self) -> Realm:
        """The realm of its root, and of all that it says."""
        return self.root.realm

    @property
    def depth(self) -> int:
        """Links from the root: 1 for what the root issued."""
        return 1 if isinstance(self.issuer, Root) else self.issuer.depth + 1

    @property
    def verify_key(self) -> VerifyKey:
        """The key that signs statements; credentials with purpose `open` or `register` have none."""
        if not isinstance(self.key, VerifyKey):
            message = "an encryption key signs nothing" if isinstance(self.key, Recipient) else "a register's key signs no statement"
            raise NotAuthentic(message)
        return self.key

    @property
    def log_key(self) -> LogVerifyKey:
        """The key of purpose `register` that signs checkpoints and cosignatures."""
        if not isinstance(self.key, LogVerifyKey):
            message = f"the key of a {self.purpose} credential signs for no register"
            raise NotAuthentic(message)
        return self.key

    @property
    def recipient(self) -> Recipient:
        """The key of purpose `open` that something is sealed to."""
        if not isinstance(self.key, Recipient):
            message = "nothing is sealed to a key that signs"
            raise Refused(message)
        return self.key

    @property
    def title(self) -> str:
        """A name for display: English, else the first."""
        return self.names.get("en", next(iter(self.names.values())))

    @property
    def outline(self) -> Outline:
        """What an index says of it."""
        lattice, half = self.key.halves
        return Outline(
            digest=self.digest,
            subject=self.subject,
            body=self.body,
            purpose=self.purpose,
            title=self.title,
            key_digest=self.key.key_digest,
            lattice=lattice,
            half=half,
            valid_from=self.valid_from,
            valid_until=self.valid_until,
        )

    def require_valid(self, at: int, what: str) -> None:
        """Raise Refused unless the credential is valid at the time `at`."""
        if not self.valid_from <= at < self.valid_until:
            state = "not yet valid" if at < self.valid_from else "expired"
            message = f"the {self.purpose} credential of {self.title!r} ({self.body}) is {state} at the time of {what}"
            raise Refused(message)

    def cleared_to(self, degree: str) -> bool:
        """Whether the clearance reaches a degree of its own party (A4.2), by the order of the root's degrees."""
        degrees = self.root.degrees
        return self.clearance is not None and degree in degrees and degrees.index(self.clearance) <= degrees.index(degree)


def issue_credential(draft: CredentialDraft, *, issuer: Root | Credential, keys: Iterable[Signer]) -> Credential:
    """Issue a credential; `keys` are those of a quorum of the root's custodians, or the one of the issuer.

    Raises:
        NotAuthentic: they are no quorum. Refused: the issuer may not issue it.
    """
    return check_credential(sign_statement(labels.CREDENTIAL, draft.packed(), issuer_signs(issuer, keys), realm=issuer.realm), issuer)


def issuer_signs(issuer: Root | Credential, keys: Iterable[Signer]) -> list[tuple[SignerHeader, Signer]]:
    """The headers and keys by which an issuer signs; for `sign_statement`."""
    return [(SignerHeader(role="issuer", signer_digest=issuer.digest, key_digest=key.key_digest), key) for key in keys]


def check_credential(statement: Statement, issuer: Root | Credential, *, key_checked: bool = False) -> Credential:
    """Check a credential against its issuer, itself checked (credential.md, Checking a credential).

    Args:
        statement: the credential.
        issuer: who issued it.
        key_checked: its key was checked before; it is again when it is used, and not before.

    Raises:
        NotAuthentic: the issuer did not sign it.
        Malformed: not a credential.
        Refused: it claims more than the issuer may give.
    """
    if isinstance(issuer, Root):  # step 2
        verify_quorum(statement, issuer)
    else:
        verify_by_credential(statement, issuer)
    return decode_credential(statement, issuer, key_checked=key_checked)


def read_credential_body(statement: Statement, root: Root) -> CredentialDraft:
    """What a credential that a root issues says, whoever signed it so far: one that a quorum did not sign is a draft.

    Raises:
        Malformed: not a credential. Refused: it claims more than the root may give.
    """
    said = decode_credential(statement, root)
    return CredentialDraft(**{name: getattr(said, name) for name in CredentialDraft.__slots__ if name != "public_key"}, public_key=said.key.raw)


def decode_credential(statement: Statement, issuer: Root | Credential, *, key_checked: bool = False) -> Credential:
    """The credential in a statement that its issuer signed, which was verified: the rest of `check_credential`.

    Raises:
        Malformed: not a credential.
        Refused: it claims more than the issuer may give.
    """
    items = array(unpack(statement.body, max_bytes=LIMITS[labels.CREDENTIAL], what="credential"), "credential", length=11)
    purpose = one_of(items[4], "purpose", PURPOSES)
    credential = Credential(
        raw=statement.raw,
        digest=statement.digest,
        subject=blob(items[0], "subject", size=16),
        body=Body(party(items[1], "party"), body_id(items[2], "body id")),
        names=names(items[3], "names"),
        purpose=purpose,
        key=public_key(items[5], purpose, issuer.realm, checked=key_checked),
        clearance=optional(items[6], "clearance", code),
        certifies_bodies=boolean(items[7], "certifies bodies"),
        valid_from=time(items[8], "valid from"),
        valid_until=time(items[9], "valid until"),
        extensions=extensions(items[10]),
        issuer=issuer,
    )
    if credential.valid_from >= credential.valid_until:
        message = "a credential is valid until before it is valid"
        raise Malformed(message)
    if credential.certifies_bodies and purpose != "certify":
        message = "only a certify credential certifies bodies"
        raise Malformed(message)
    _require_within(credential, issuer)
    return credential


def verify_by_credential(statement: Statement, signer: Credential) -> None:
    """Check that the only signature of `statement` is by `signer`, and that its purpose fits the role.

    Raises:
        NotAuthentic: it is not so.
    """
    header = statement.signer
    if len(statement.signatures) != 1:
        message = "several sign only for a root"
        raise NotAuthentic(message)
    if header.signer_digest != signer.digest or signer.purpose != ROLE_PURPOSE.get(header.role):
        message = f"a {signer.purpose} credential cannot sign as {header.role}"
        raise NotAuthentic(message)
    if header.key_digest != signer.verify_key.key_digest:
        message = "the signature names another key than the signer's credential"
        raise NotAuthentic(message)
    statement.verify(0, signer.verify_key)


def public_key(value: Value, purpose: str, realm: Realm = Realm.ORDINARY, *, checked: bool = False) -> PublicKey:
    """Read a public key of the kind that a purpose has, `checked` as it may be."""
    if signs(purpose):
        return signing_public_key(value, realm, checked=checked)
    kind, raw = array(value, "public key", length=2)
    one_of(kind, "kind of public key", [realm.kind(kind_of(purpose))])
    data = blob(raw, "public key")
    return Recipient(data, checked=checked) if purpose == "open" else LogVerifyKey(data, realm, checked=checked)


def _require_within(credential: Credential, issuer: Root | Credential) -> None:
    """Steps 1 and 3 to 6: nothing is wider than the issuer's."""
    fault = _beyond(credential, issuer)
    if fault:
        message = f"a credential of {credential.title!r} ({credential.body}, {credential.purpose}){fault}"
        raise Refused(message)


def _beyond(credential: Credential, issuer: Root | Credential) -> str:  # noqa: PLR0911 - one return for each rule
    """What in it is wider than the issuer's, in words to follow its name; nothing if nothing is."""
    if credential.depth > MAX_CHAIN:
        return f" is more than {MAX_CHAIN} links from the root"
    issuer_party = issuer.party if isinstance(issuer, Root) else issuer.body.party
    if credential.body.party != issuer_party:  # step 3
        return f" was issued by another party, {issuer_party}"
    if not _may_issue(credential, issuer):  # step 4
        return " was issued by one who may not issue it"
    if credential.clearance is not None:  # step 5
        if credential.clearance not in credential.root.degrees:
            return f" has the clearance {credential.clearance!r}, which is no degree of {issuer_party}"
        if isinstance(issuer, Credential) and not issuer.cleared_to(credential.clearance):
            return f" has the clearance {credential.clearance!r}, above its issuer's (A1.8)"
    if credential.valid_from < issuer.valid_from or credential.valid_until > issuer.valid_until:  # step 6
        return " is valid outside its issuer's validity"
    return ""


def _may_issue(credential: Credential, issuer: Root | Credential) -> bool:
    if isinstance(issuer, Root):
        return credential.purpose in {"certify", "roster"}
    if credential.body == issuer.body:
        return credential.purpose not in {"certify", "roster"}
    return issuer.certifies_bodies and isinstance(issuer.issuer, Root) and credential.purpose == "certify" and not credential.certifies_bodies
