"""BLAKE3 under labels (specs/labels.md, Conventions)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from blake3 import blake3

from valiza.keys import labels
from valiza.keys.encoding import pack

if TYPE_CHECKING:
    from valiza.keys.encoding import Value

__all__ = ["DIGEST_BYTES", "derive", "digest", "hasher", "key_digest", "keyed", "keyed_hasher"]

DIGEST_BYTES: Final = 32


def digest(label: str, data: bytes) -> bytes:
    """The 32-byte digest of `data` under a digest label."""
    return blake3(data, derive_key_context=label).digest()


def key_digest(kind: str, public_key: bytes) -> bytes:
    """The 32-byte digest by which a public key is named."""
    return digest(labels.DIGEST_PUBLIC_KEY, pack([kind, public_key]))


def hasher(label: str) -> blake3:
    """An incremental `digest`: give it bytes with `update`, take 32 bytes with `digest`."""
    return blake3(derive_key_context=label)


def derive(label: str, *items: Value) -> bytes:
    """A 32-byte key derived from the canonical array of `items` under a key label."""
    return digest(label, pack(items))


def keyed(key: bytes, data: bytes) -> bytes:
    """The 32-byte digest of `data` under a 32-byte key."""
    return blake3(data, key=key).digest()


def keyed_hasher(key: bytes) -> blake3:
    """An incremental `keyed`."""
    return blake3(key=key)
