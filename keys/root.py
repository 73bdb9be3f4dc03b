"""A party's root (specs/credential.md, Root): names, degrees in order, and the custodians of whom a quorum speaks for the party."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from valiza.keys import labels
from valiza.keys.digests import digest
from valiza.keys.encoding import pack, unpack
from valiza.keys.errors import Malformed, NotAuthentic, Refused
from valiza.keys.fields import Names, array, ascending, blob, code, digest_field, extensions, integer, names, optional, party, time
from valiza.keys.realm import Realm
from valiza.keys.signing import VerifyKey
from valiza.keys.statement import LIMITS, SignerHeader, Statement, read_statement, sign_statement

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from valiza.keys.encoding import Value
    from valiza.keys.fields import Extensions
    from valiza.keys.statement import Signer

__all__ = [
    "Custodian",
    "Root",
    "RootDraft",
    "by_quorum",
    "make_root",
    "read_root",
    "read_root_body",
    "read_roots",
    "require_follows",
    "require_pinned",
    "require_succession",
    "root_header",
    "signing_public_key",
    "sole_root",
    "verify_quorum",
    "verify_signatures",
]

MAX_CUSTODIANS: Final = 16
MAX_VERSIONS: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Custodian:
    """A person who keeps one of the keys of which a quorum is the root. The id, 16 random bytes, stays when his key is replaced."""

    id: bytes
    names: Names
    key: VerifyKey = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RootDraft:
    """What a root is to say. Times in seconds since 1970; degrees the most secret first."""

    party: str
    version: int = 1
    previous: bytes | None = None
    names: Names
    degrees: tuple[str, ...]
    custodians: tuple[Custodian, ...]
    threshold: int
    valid_from: int
    valid_until: int
    extensions: Extensions = field(default_factory=dict, repr=False)

    @property
    def body(self) -> bytes:
        """The canonical body."""
        keepers: list[Value] = [[c.id, c.names, c.key.packed] for c in sorted(self.custodians, key=lambda c: c.id)]
        return pack(
            [
                self.party,
                self.version,
                self.previous,
                self.names,
                list(self.degrees),
                keepers,
                self.threshold,
                self.valid_from,
                self.valid_until,
                self.extensions,
            ]
        )

    @property
    def digest(self) -> bytes:
        """The fingerprint that it will have."""
        return digest(labels.DIGEST_ROOT, self.body)

    def custodian(self, key_digest: bytes) -> Custodian | None:
        """The custodian whose key has this digest."""
        return _custodian_with(self.custodians, key_digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """A root that a quorum of its own custodians signed. Whether it is the right one only a pinned fingerprint says."""

    raw: bytes = field(repr=False)
    digest: bytes
    party: str
    version: int
    previous: bytes | None
    names: Names
    degrees: tuple[str, ...]
    custodians: tuple[Custodian, ...] = field(repr=False)
    threshold: int
    valid_from: int
    valid_until: int
    extensions: Extensions = field(repr=False)

    @property
    def realm(self) -> Realm:
        """The realm of its keys, and of all that it says."""
        return self.custodians[0].key.realm

    @property
    def fingerprint(self) -> str:
        """64 lower-case hexadecimal digits."""
        return self.digest.hex()

    def custodian(self, key_digest: bytes) -> Custodian | None:
        """The custodian whose key has this digest."""
        return _custodian_with(self.custodians, key_digest)


def _custodian_with(custodians: Iterable[Custodian], key_digest: bytes) -> Custodian | None:
    return next((c for c in custodians if c.key.key_digest == key_digest), None)


def signing_public_key(value: Value, realm: Realm = Realm.ORDINARY, *, checked: bool = False) -> VerifyKey:
    """Read a public key of kind MLDSA65-Ed25519, `checked` as a `VerifyKey` may be."""
    kind, raw = array(value, "public key", length=2)
    if kind != realm.kind(labels.KIND_SIGNATURE):
        message = f"kind of public key is {kind!r}, not {realm.kind(labels.KIND_SIGNATURE)!r}"
        raise Malformed(message, realm.hint(kind))
    return VerifyKey(blob(raw, "public key"), realm, checked=checked)


def root_header(role: str, root_digest: bytes, key: Signer) -> SignerHeader:
    """The header of a custodian's signature, in the name of the root with this digest."""
    return SignerHeader(role=role, signer_digest=root_digest, key_digest=key.key_digest)


def by_quorum(role: str, root: Root, keys: Iterable[Signer]) -> list[tuple[SignerHeader, Signer]]:
    """The headers and keys by which custodians sign for a root; for `sign_statement`."""
    return [(root_header(role, root.digest, key), key) for key in keys]


def sole_root(
    *, party_id: str, party_names: Names, degrees: tuple[str, ...], custodian: bytes, key: VerifyKey, valid_from: int, valid_until: int
) -> RootDraft:
    """A first root with a single custodian, whose quorum is himself."""
    only = Custodian(id=custodian, names=party_names, key=key)
    return RootDraft(
        party=party_id, names=party_names, degrees=degrees, custodians=(only,), threshold=1, valid_from=valid_from, valid_until=valid_until
    )


def make_root(draft: RootDraft, keys: Iterable[Signer], *, old: Root | None = None, old_keys: Iterable[Signer] = ()) -> Root:
    """Sign a root with a quorum of its custodians, and of those of the version before it (credential.md, Producing 1).

    Raises:
        Malformed, NotAuthentic, Refused: as a reader would.
    """
    signers = [(root_header("root", draft.digest, key), key) for key in keys]
    if old is not None:
        signers += by_quorum("root", old, old_keys)
    realm = draft.custodians[0].key.realm
    root = read_root(sign_statement(labels.ROOT, draft.body, signers, realm=realm).raw, realm)
    if old is not None:
        require_succession(root, old)
    return root


@lru_cache(maxsize=64)
def read_root(raw: bytes, realm: Realm = Realm.ORDINARY) -> Root:
    """Read a root of a realm, and check that a quorum of its own custodians signed it.

    Raises:
        Malformed: not a root.
        NotAuthentic: too few signed it, or a signature does not hold.
    """
    statement = read_statement(raw, labels.ROOT, realm=realm)
    draft = read_root_body(statement, realm)
    root = Root(raw=raw, digest=digest(labels.DIGEST_ROOT, statement.body), **{name: getattr(draft, name) for name in RootDraft.__slots__})
    _require_quorum(statement, root)
    return root


def read_root_body(statement: Statement, realm: Realm = Realm.ORDINARY) -> RootDraft:
    """What a root of a realm says, whoever signed it so far: one that a quorum did not sign is a draft.

    The keys stand in the body: this and a request are the statements that must be decoded before they are verified.

    Raises:
        Malformed: not a root. NotAuthentic: it is signed in the name of another root than itself and the one before it.
    """
    items = array(unpack(statement.body, max_bytes=LIMITS[labels.ROOT], what="root"), "root", length=10)
    root = RootDraft(
        party=party(items[0], "party"),
        version=integer(items[1], "version", least=1, most=MAX_VERSIONS),
        previous=optional(items[2], "previous", digest_field),
        names=names(items[3], "names"),
        degrees=tuple(code(item, "degree") for item in array(items[4], "degrees", least=1, most=16)),
        custodians=tuple(_custodian(item, realm) for item in array(items[5], "custodians", most=MAX_CUSTODIANS)),
        threshold=integer(items[6], "threshold", least=1, most=MAX_CUSTODIANS),
        valid_from=time(items[7], "valid from"),
        valid_until=time(items[8], "valid until"),
        extensions=extensions(items[9]),
    )
    if (root.previous is None) != (root.version == 1):
        message = "only the first version of a root has none before it"
        raise Malformed(message)
    if len(set(root.degrees)) != len(root.degrees):
        message = "a degree of a root appears twice"
        raise Malformed(message)
    ascending([c.id for c in root.custodians], "custodians")
    if len({c.key.key_digest for c in root.custodians}) != len(root.custodians):
        message = "two custodians of a root have one key"
        raise Malformed(message)
    if root.threshold > len(root.custodians):
        message = f"a root needs {root.threshold} of {len(root.custodians)} custodians"
        raise Malformed(message)
    if root.valid_from >= root.valid_until:
        message = "a root is valid until before it is valid"
        raise Malformed(message)
    own_and_old = {digest(labels.DIGEST_ROOT, statement.body), root.previous}
    if any(entry.header.signer_digest not in own_and_old for entry in statement.signatures):
        message = f"a root of {root.party} is signed in the name of another root than itself and the one before it"
        raise NotAuthentic(message)
    return root


def _custodian(value: Value, realm: Realm) -> Custodian:
    person, called, key = array(value, "custodian", length=3)
    return Custodian(id=blob(person, "custodian id", size=16), names=names(called, "names"), key=signing_public_key(key, realm))


def verify_quorum(statement: Statement, root: Root) -> None:
    """Check that a quorum of a root's custodians signed a statement, and nobody else.

    Raises:
        NotAuthentic: it is not so, or a signature does not hold.
    """
    if any(entry.header.signer_digest != root.digest for entry in statement.signatures):
        message = f"the signer is not the root of {root.party} with the fingerprint {root.fingerprint}"
        raise NotAuthentic(message)
    _require_quorum(statement, root)


def verify_signatures(statement: Statement, root: Root | RootDraft) -> tuple[Custodian, ...]:
    """Verify every signature in the name of a root; returns the custodians who signed, each once, in the root's order.

    Raises:
        NotAuthentic: one does not hold, or is of a key that no custodian has.
    """
    found: set[bytes] = set()
    name = root.digest
    for index, entry in enumerate(statement.signatures):
        if entry.header.signer_digest != name:
            continue
        custodian = root.custodian(entry.header.key_digest)
        if custodian is None:
            message = f"a signature names a key that no custodian of the root of {root.party} has"
            raise NotAuthentic(message)
        statement.verify(index, custodian.key)
        found.add(custodian.id)
    return tuple(custodian for custodian in root.custodians if custodian.id in found)


def _require_quorum(statement: Statement, root: Root) -> None:
    signed = len(verify_signatures(statement, root))
    if signed < root.threshold:
        message = f"{signed} custodians of the root of {root.party} signed, and {root.threshold} of {len(root.custodians)} are needed"
        raise NotAuthentic(message)


@lru_cache(maxsize=16)  # a succession already checked in this process is not checked again
def read_roots(raws: tuple[bytes, ...]) -> tuple[Root, ...]:
    """Read all versions of a party's root, the first one first, each signed by the quorums of itself and of the one before it.

    Raises:
        Malformed, NotAuthentic, Refused: one does not follow the one before it.
    """
    roots = tuple(read_root(raw) for raw in raws)
    if not roots or roots[0].version != 1:
        message = "the versions of a root begin with the first"
        raise Malformed(message)
    for old, new in itertools.pairwise(roots):
        require_succession(new, old)
    return roots


def require_succession(new: Root, old: Root) -> None:
    """Check that a version of a root follows another one (credential.md, Root, Versions).

    Raises:
        NotAuthentic, Refused: it does not.
    """
    _require_link(new, old)
    _require_quorum(read_statement(new.raw, labels.ROOT, realm=old.realm), old)
    require_follows(new, old)


def _require_link(new: Root | RootDraft, old: Root) -> None:
    if new.previous != old.digest or new.version != old.version + 1:
        message = f"version {new.version} of the root of {new.party} does not follow version {old.version} of {old.party}"
        raise NotAuthentic(message)


def require_follows(new: Root | RootDraft, old: Root) -> None:
    """Check that a version, signed or not, says what the one after `old` may say (credential.md, Versions).

    Raises:
        NotAuthentic: it names another one as the one before it. Refused: it has another party, other degrees, or begins earlier.
    """
    _require_link(new, old)
    if (new.party, new.degrees) != (old.party, old.degrees):
        message = f"version {new.version} of the root of {old.party} has another party or other degrees"
        raise Refused(message)
    if new.valid_from < old.valid_from:
        message = f"version {new.version} of the root of {old.party} is valid before the one that it replaces"
        raise Refused(message)


def require_pinned(roots: Sequence[Root], pinned: bytes) -> None:
    """Raise NotAuthentic unless one of the versions has the pinned fingerprint."""
    if pinned not in {root.digest for root in roots}:
        latest = roots[-1]
        message = f"the root of {latest.party} has the fingerprint {latest.fingerprint}, not the pinned {pinned.hex()}"
        raise NotAuthentic(message)
