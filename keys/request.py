"""Requests (specs/request.md): somebody asks for his keys to be certified, and proves that he has them by signing with each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from valiza.keys import labels
from valiza.keys.credential import PURPOSES, Credential, kind_of, public_key, signs
from valiza.keys.digests import digest
from valiza.keys.encoding import pack, unpack
from valiza.keys.errors import Malformed, NotAuthentic, Refused
from valiza.keys.fields import Names, array, ascending, blob, body_id, extensions, names, one_of, optional, party, time
from valiza.keys.signing import VerifyKey
from valiza.keys.statement import LIMITS, SignerHeader, read_statement, sign_statement

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from valiza.keys.credential import PublicKey
    from valiza.keys.encoding import Value
    from valiza.keys.fields import Extensions
    from valiza.keys.statement import Signer, Statement

__all__ = [
    "ALONE",
    "ASKED",
    "CUSTODIAN",
    "WITNESS",
    "Request",
    "RequestDraft",
    "check_vouching",
    "make_request",
    "read_request",
    "unvouched",
    "vouching_purpose",
]

CUSTODIAN: Final = "custodian"
WITNESS: Final = "witness"
ALONE: Final = (CUSTODIAN, WITNESS)  # purposes that no credential has, and that stand alone in a request
ASKED: Final = (*PURPOSES, *ALONE)
MAX_KEYS: Final = len(PURPOSES)
_VOUCHING: Final = {"open": "acknowledge", "register": "act"}  # for a key that signs no statement


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestDraft:
    """What a request is to ask for: `keys` are public keys by purpose, `made_at` is in seconds since 1970."""

    subject: bytes | None
    party: str
    body_id: str | None
    names: Names
    keys: Mapping[str, bytes] = field(repr=False)
    made_at: int

    @property
    def body(self) -> bytes:
        """The canonical body."""
        asked: list[Value] = [[purpose, [kind_of(purpose), self.keys[purpose]]] for purpose in sorted(self.keys)]
        return pack([self.subject, self.party, self.body_id, self.names, asked, self.made_at, {}])


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request that every signing key in it signed. Who the holder is, it does not say; who vouches for it, `check_vouching` does."""

    raw: bytes = field(repr=False)
    digest: bytes
    subject: bytes | None
    party: str
    body_id: str | None
    names: Names
    keys: Mapping[str, PublicKey] = field(repr=False, compare=False)
    made_at: int
    extensions: Extensions = field(repr=False)

    @property
    def title(self) -> str:
        """A name for display: English, else the first."""
        return self.names.get("en", next(iter(self.names.values())))


def vouching_purpose(purpose: str) -> str:
    """The purpose of the credential that vouches for a new key: the same, but for a key that signs no statement that of another one of his."""
    return _VOUCHING.get(purpose, purpose)


def make_request(draft: RequestDraft, keys: Iterable[Signer], vouching: Iterable[tuple[Credential, Signer]] = ()) -> Request:
    """Sign a request (request.md, Producing).

    Args:
        draft: what is asked for.
        keys: every signing key in it.
        vouching: credentials of the same subject, each with its key.

    Raises:
        Malformed, NotAuthentic: as a reader would.
    """
    name = digest(labels.DIGEST_REQUEST, draft.body)
    signers = [(SignerHeader(role="holder", signer_digest=name, key_digest=key.key_digest), key) for key in keys]
    signers += [(SignerHeader(role="holder", signer_digest=old.digest, key_digest=key.key_digest), key) for old, key in vouching]
    return read_request(sign_statement(labels.REQUEST, draft.body, signers).raw)


def read_request(raw: bytes) -> Request:
    """Read a request, and check that its holder has every signing key in it (request.md, Reading 1 to 3).

    Raises:
        Malformed: not a request. NotAuthentic: a key in it did not sign it, or another one signed in its name.
    """
    statement = read_statement(raw, labels.REQUEST)  # step 1
    request = _read_body(statement)  # step 2
    own = {entry.header.key_digest: index for index, entry in enumerate(statement.signatures) if entry.header.signer_digest == request.digest}
    asked = {key.key_digest: key for key in request.keys.values() if isinstance(key, VerifyKey)}  # step 3
    if own.keys() != asked.keys():
        message = f"a request of {request.title!r} is not signed by every signing key in it, or by another one"
        raise NotAuthentic(message)
    for name, index in own.items():
        statement.verify(index, asked[name])
    return request


def _read_body(statement: Statement) -> Request:
    items = array(unpack(statement.body, max_bytes=LIMITS[labels.REQUEST], what="request"), "request", length=7)
    pairs = [array(item, "key", length=2) for item in array(items[4], "keys", least=1, most=MAX_KEYS)]
    purposes = [one_of(pair[0], "purpose", ASKED) for pair in pairs]
    ascending([purpose.encode("ascii") for purpose in purposes], "keys")
    request = Request(
        raw=statement.raw,
        digest=digest(labels.DIGEST_REQUEST, statement.body),
        subject=None if items[0] is None else blob(items[0], "subject", size=16),
        party=party(items[1], "party"),
        body_id=optional(items[2], "body id", body_id),
        names=names(items[3], "names"),
        keys={purpose: public_key(pair[1], purpose) for purpose, pair in zip(purposes, pairs, strict=True)},
        made_at=time(items[5], "made at"),
        extensions=extensions(items[6]),
    )
    if len({key.key_digest for key in request.keys.values()}) != len(purposes):
        message = "a public key of a request stands twice"
        raise Malformed(message)
    alone = set(purposes) & set(ALONE)
    if alone and len(purposes) > 1:
        message = f"the purpose {alone.pop()} stands alone in a request"
        raise Malformed(message)
    if bool(alone) != (request.body_id is None):
        message = "a request has no body id exactly with the purpose custodian or witness"
        raise Malformed(message)
    if alone and request.subject is None:
        message = f"a {alone.pop()} gives his own id"
        raise Malformed(message)
    return request


class Believed(Protocol):
    """Whom a reader believes, as far as vouching goes."""

    def credential(self, wanted: bytes) -> Credential | None:
        """The credential with this digest, or None."""

    def require_in_force(self, credential: Credential, *, at: int, act: str) -> None:
        """Raise Refused unless it is in force at a time."""


def check_vouching(request: Request, trust: Believed, at: int) -> tuple[Credential, ...]:
    """The credentials whose keys vouch for a request: earlier ones of the same subject (request.md, Reading 4, 5).

    Args:
        request: the request.
        trust: whom the reader believes.
        at: now, in seconds since 1970.

    Raises:
        NotAuthentic: one is not known, or its signature does not hold.
        Refused: one is of another subject or not in force, or there is none where one is needed.
    """
    statement = read_statement(request.raw, labels.REQUEST)
    found = []
    for index, entry in enumerate(statement.signatures):
        if entry.header.signer_digest == request.digest:
            continue
        if request.body_id is None:  # step 4
            message = "nobody vouches for a custodian or witness: his own key signs, and no other"
            raise NotAuthentic(message)
        credential = trust.credential(entry.header.signer_digest)
        if credential is None:
            message = f"who vouches for the request of {request.title!r} is in no roster that is trusted here"
            raise NotAuthentic(message, "import the latest roster of that party")
        if credential.verify_key.key_digest != entry.header.key_digest:
            message = "the signature names another key than the credential that vouches"
            raise NotAuthentic(message)
        statement.verify(index, credential.verify_key)
        if (credential.body.party, credential.body.id, credential.subject) != (request.party, request.body_id, request.subject):
            message = f"the request of {request.title!r} is vouched for by another, {credential.title!r} ({credential.body})"
            raise Refused(message)
        trust.require_in_force(credential, at=at, act="vouching for a request")
        found.append(credential)
    for purpose in unvouched(request.keys, found):  # step 5
        able = vouching_purpose(purpose)
        message = f"no key in the request of {request.title!r} signs it, and no {able} credential of his vouches for the {purpose} key"
        raise Refused(message, f"ask for keys to {able} and to {purpose} in one request")
    return tuple(found)


def unvouched(purposes: Collection[str], vouching: Iterable[Credential]) -> list[str]:
    """The purposes of a request without a key that signs it for which none of the holder's credentials vouches; of another request none (step 5)."""
    if any(signs(purpose) for purpose in purposes):
        return []
    able = {credential.purpose for credential in vouching}
    return [purpose for purpose in purposes if vouching_purpose(purpose) not in able]
