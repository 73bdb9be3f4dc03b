"""The origin's own copy of a manifest, wrapped to officers of its own body (design: never on the wire; specs/labels.md, manifest copy)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor
from cryptography.exceptions import InvalidTag

from valiza.envelope.header import read_stanza
from valiza.envelope.manifest import unpack_manifest
from valiza.keys import labels
from valiza.keys.encoding import pack, unpack
from valiza.keys.errors import NoKey, NotAuthentic
from valiza.keys.fields import array, blob

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from valiza.envelope.header import Stanza
    from valiza.envelope.manifest import Manifest
    from valiza.keys.credential import Credential
    from valiza.keys.recipient import Identity

__all__ = ["make_manifest_copy", "manifest_copy_recipients", "open_manifest_copy", "open_manifest_stream"]

_MAX_COPY: Final = 9 << 20  # the longest manifest, encrypted, and as many stanzas as there may be


def make_manifest_copy(plain: bytes, dispatch_digest: bytes, officers: Sequence[Credential], random: Callable[[int], bytes]) -> bytes | None:
    """Encrypt the plaintext of a manifest stream to some officers; None when there are none."""
    if not officers:
        return None
    key = random(32)
    stanzas = [[c.digest, c.recipient.wrap(key, _info(dispatch_digest, c.digest))] for c in officers]
    encryptor = Cobblestone256Encryptor(key, _context(dispatch_digest))
    return pack([stanzas, encryptor.update(plain) + encryptor.finalize()])


def open_manifest_copy(copy: bytes, dispatch_digest: bytes, credential_digest: bytes, identity: Identity) -> Manifest:
    """Open a copy with one of the keys that it was wrapped for.

    Raises:
        NoKey: it was not wrapped for this credential.
        NotAuthentic: it is altered.
    """
    return unpack_manifest(open_manifest_stream(copy, dispatch_digest, credential_digest, identity))


def open_manifest_stream(copy: bytes, dispatch_digest: bytes, credential_digest: bytes, identity: Identity) -> bytes:
    """The same, as the plaintext of the manifest stream: the bytes whose digest the dispatch signs."""
    stanzas, sealed = _parts(copy)
    if credential_digest not in stanzas:
        message = "the manifest copy is not kept for this officer"
        raise NoKey(message)
    key = identity.unwrap(stanzas[credential_digest].wrapped, _info(dispatch_digest, credential_digest))
    decryptor = Cobblestone256Decryptor(key, _context(dispatch_digest))
    try:
        return decryptor.update(sealed) + decryptor.finalize()
    except InvalidTag as error:
        message = "the manifest copy is altered"
        raise NotAuthentic(message) from error


def manifest_copy_recipients(copy: bytes) -> set[bytes]:
    """Digests of the credentials that a copy was wrapped for."""
    return set(_parts(copy)[0])


def _parts(copy: bytes) -> tuple[dict[bytes, Stanza], bytes]:
    items = array(unpack(copy, max_bytes=_MAX_COPY, what="manifest copy"), "manifest copy", length=2)
    stanzas = {stanza.credential: stanza for stanza in map(read_stanza, array(items[0], "stanzas", least=1, most=64))}
    return stanzas, blob(items[1], "manifest copy")


def _info(dispatch_digest: bytes, credential_digest: bytes) -> bytes:
    return pack([labels.WRAP_MANIFEST_COPY, dispatch_digest, credential_digest])


def _context(dispatch_digest: bytes) -> bytes:
    return pack([labels.MANIFEST_COPY, dispatch_digest])
