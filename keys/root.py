"""A party's root (specs/credential.md, Root): names, degrees in order, and the key from which every chain of the party starts."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from valiza.keys import labels
from valiza.keys.digests import digest
from valiza.keys.encoding import pack, unpack
from valiza.keys.errors import Malformed, NotAuthentic
from valiza.keys.fields import Names, array, blob, code, extensions, names, one_of, party, time
from valiza.keys.signing import VerifyKey
from valiza.keys.statement import LIMITS, SignerHeader, Statement, read_statement, sign_statement

if TYPE_CHECKING:
    from valiza.keys.encoding import Value
    from valiza.keys.fields import Extensions
    from valiza.keys.signing import SigningKey

__all__ = ["Root", "make_root", "parse_fingerprint", "read_root", "signing_public_key", "verify_by_root"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """A root whose own signature holds. Whether it is the right one only its fingerprint says."""

    raw: bytes = field(repr=False)
    digest: bytes
    party: str
    names: Names
    degrees: tuple[str, ...]
    key: VerifyKey = field(repr=False, compare=False)
    valid_from: int
    valid_until: int
    extensions: Extensions = field(repr=False)

    @property
    def fingerprint(self) -> str:
        """64 lower-case hexadecimal digits."""
        return self.digest.hex()


def signing_public_key(value: Value) -> VerifyKey:
    """Read a public key of kind MLDSA65-Ed25519."""
    kind, raw = array(value, "public key", length=2)
    one_of(kind, "kind of public key", [labels.KIND_SIGNATURE])
    return VerifyKey(blob(raw, "public key"))


def make_root(*, party_id: str, party_names: Names, degrees: tuple[str, ...], key: SigningKey, valid_from: int, valid_until: int) -> Root:
    """Make and sign a root. Times in seconds since 1970; degrees the most secret first."""
    body = pack([party_id, party_names, list(degrees), [labels.KIND_SIGNATURE, key.public], valid_from, valid_until, {}])
    header = SignerHeader(role="root", signer_digest=digest(labels.DIGEST_ROOT, body), key_digest=key.key_digest)
    return read_root(sign_statement(labels.ROOT, body, [(header, key)]).raw)


@lru_cache(maxsize=16)
def read_root(raw: bytes) -> Root:
    """Read a root and check its signature by itself.

    Raises:
        Malformed: not a root.
        NotAuthentic: it names another root as signer, or its signature does not hold.
    """
    statement = read_statement(raw, labels.ROOT)
    # The key stands in the body: this is the one statement that must be decoded before it is verified.
    items = array(unpack(statement.body, max_bytes=LIMITS[labels.ROOT], what="root"), "root", length=7)
    root = Root(
        raw=raw,
        digest=digest(labels.DIGEST_ROOT, statement.body),
        party=party(items[0], "party"),
        names=names(items[1], "names"),
        degrees=tuple(code(item, "degree") for item in array(items[2], "degrees", least=1, most=16)),
        key=signing_public_key(items[3]),
        valid_from=time(items[4], "valid from"),
        valid_until=time(items[5], "valid until"),
        extensions=extensions(items[6]),
    )
    if len(set(root.degrees)) != len(root.degrees):
        message = "a degree of a root appears twice"
        raise Malformed(message)
    if root.valid_from >= root.valid_until:
        message = "a root is valid until before it is valid"
        raise Malformed(message)
    verify_by_root(statement, 0, root)
    return root


def verify_by_root(statement: Statement, index: int, root: Root) -> None:
    """Check that a signature of `statement` is by `root`.

    Raises:
        NotAuthentic: it names another signer or key, or does not hold.
    """
    header = statement.signatures[index].header
    if header.signer_digest != root.digest or header.key_digest != root.key.key_digest:
        message = f"the signer is not the root of {root.party} with the fingerprint {root.fingerprint}"
        raise NotAuthentic(message)
    statement.verify(index, root.key)


def parse_fingerprint(value: str) -> bytes:
    """The 32 bytes of a fingerprint written as 64 hexadecimal digits; spaces and colons between groups are ignored.

    Raises:
        Malformed: anything else. A part of a fingerprint is never enough.
    """
    digits = "".join(value.replace(":", " ").split())
    try:
        raw = bytes.fromhex(digits)
    except ValueError:
        raw = b""
    if len(raw) != 32:  # noqa: PLR2004 - the length of a digest
        message = f"{value!r} is not a fingerprint: 64 hexadecimal digits, all of them"
        raise Malformed(message)
    return raw


def require_fingerprint(root: Root, pinned: bytes) -> None:
    """Raise NotAuthentic unless `root` has the pinned fingerprint."""
    if not hmac.compare_digest(root.digest, pinned):
        message = f"the root of {root.party} has the fingerprint {root.fingerprint}, not the pinned {pinned.hex()}"
        raise NotAuthentic(message)
