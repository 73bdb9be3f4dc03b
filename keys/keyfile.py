"""Key files (specs/credential.md, Key files): one private key each, mode 0600, with or without a passphrase."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from valiza.keys import labels
from valiza.keys.backup import WholeKey
from valiza.keys.encoding import pack, unpack
from valiza.keys.errors import Malformed, NoKey, Unavailable, Usage
from valiza.keys.external import ExternalSigner, ExternalSigningKey
from valiza.keys.fields import array, blob, integer, one_of
from valiza.keys.files import new_file, read_file
from valiza.keys.log_key import LOG_SEED_BYTES, LogSigningKey
from valiza.keys.realm import Realm
from valiza.keys.recipient import ENCRYPTION_SEED_BYTES, Identity
from valiza.keys.secrecy import hold
from valiza.keys.signing import SIGNING_PUBLIC_BYTES, SIGNING_SEED_BYTES, SigningKey

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from valiza.keys.encoding import Value

__all__ = [
    "MAX_PASSES",
    "Argon2Cost",
    "PrivateKey",
    "PublicPart",
    "key_file",
    "key_kind",
    "load_key",
    "new_key",
    "public_part",
    "save_key",
    "stretch",
]

PrivateKey = WholeKey | ExternalSigningKey

_MAX_FILE: Final = 8192
_ARGON2: Final = "argon2id13"
MAX_PASSES: Final = 16  # of a key file that is read
_ED25519_BYTES: Final = 32
_SEED_BYTES: Final = {
    labels.KIND_SIGNATURE: SIGNING_SEED_BYTES,
    labels.KIND_EXTERNAL: SIGNING_SEED_BYTES - _ED25519_BYTES,
    labels.KIND_ENCRYPTION: ENCRYPTION_SEED_BYTES,
    labels.KIND_LOG: LOG_SEED_BYTES,
}


def new_key(kind: str, random: Callable[[int], bytes]) -> WholeKey:
    """A new key of a kind, from `random`, a source of that many secret random bytes."""
    return _of_seed(kind, random(_SEED_BYTES[kind]), Realm.ORDINARY)


def key_kind(key: WholeKey) -> str:
    """The kind of a key, as it is called outside of rehearsals."""
    if isinstance(key, SigningKey):
        return labels.KIND_SIGNATURE
    return labels.KIND_LOG if isinstance(key, LogSigningKey) else labels.KIND_ENCRYPTION


@dataclass(frozen=True, slots=True)
class Argon2Cost:
    """Cost of deriving a key from a passphrase: passes over the memory, and memory in KiB."""

    passes: int = 3
    memory_kib: int = 65536


def save_key(path: Path, key: PrivateKey, *, passphrase: str | None, random: Callable[[int], bytes], cost: Argon2Cost | None = None) -> None:
    """Write a key to a new file, 0600.

    Args:
        path: the file; it must not exist.
        key: a signing key, with an external half or without, a register's key, or an encryption key.
        passphrase: None writes the key unprotected.
        random: source of the salt, 16 bytes.
        cost: of Argon2id.

    Raises:
        Refused: the file exists. Unavailable: the disk.
    """
    new_file(path, key_file(key, passphrase=passphrase, random=random, cost=cost), 0o600)


def key_file(key: PrivateKey, *, passphrase: str | None, random: Callable[[int], bytes], cost: Argon2Cost | None = None) -> bytes:
    """The bytes of a key file; see `save_key`."""
    realm = Realm.ORDINARY if isinstance(key, Identity) else key.realm
    more: list[Value] = []
    if isinstance(key, ExternalSigningKey):
        kind, more = labels.KIND_EXTERNAL, [key.signer.packed()]
    else:
        kind = key_kind(key)
    label, kind = realm.label(labels.KEY_FILE), realm.kind(kind)
    if passphrase is None:
        header = pack([label, kind, key.public, None, *more])
        secret = key.seed
    else:
        cost = cost or Argon2Cost()
        salt = random(16)
        header = pack([label, kind, key.public, [_ARGON2, cost.passes, cost.memory_kib, salt], *more])
        from cryptography.cobblestone import Cobblestone256Encryptor  # noqa: PLC0415 - only with passphrases

        encryptor = Cobblestone256Encryptor(stretch(passphrase, salt, cost), header)
        secret = encryptor.update(key.seed) + encryptor.finalize()
    return pack([label, header, secret])


@dataclass(frozen=True, slots=True)
class PublicPart:
    """What a key file says without its passphrase.

    Attributes:
        public: the public key.
        cost: what a guess at the passphrase costs; None if it has none.
        signer: who keeps its Ed25519 half, where that is not in the file.
    """

    public: bytes
    cost: Argon2Cost | None
    signer: ExternalSigner | None = None

    @property
    def protected(self) -> bool:
        """Whether a passphrase protects the private key."""
        return self.cost is not None


def public_part(path: Path, realm: Realm = Realm.ORDINARY) -> PublicPart:
    """The public part of a key file. Only `load_key` shows whether it is that of the secret: nothing that it names is to be started.

    Raises:
        Malformed: not a key file. Unavailable: it cannot be read.
    """
    _, header, _ = _parts(path, realm)
    cost = None if header[3] is None else _cost(array(header[3], "key derivation", length=4))
    return PublicPart(blob(header[2], "public key of a key file"), cost, _signer(header))


def load_key(path: Path, passphrase: Callable[[], str], realm: Realm = Realm.ORDINARY) -> PrivateKey:
    """Read a key file of a realm, asking for the passphrase only if it has one.

    Raises:
        NoKey: the passphrase is wrong.
        Malformed: not a key file, bounds of the derivation exceeded, or its public key is not that of its secret.
        Unavailable: it cannot be read.
    """
    header_bytes, header, secret = _parts(path, realm)
    kind = one_of(header[1], "kind of key", _SEED_BYTES)
    if header[3] is not None:
        secret = _unsealed(secret, header_bytes, header[3], passphrase)
    blob(secret, "secret of a key file", size=_SEED_BYTES[kind])
    key: PrivateKey
    signer = _signer(header)
    if signer is not None:
        key = ExternalSigningKey(secret, blob(header[2], "public key of a key file", size=SIGNING_PUBLIC_BYTES)[-_ED25519_BYTES:], signer, realm)
    else:
        key = _of_seed(kind, secret, realm)
    if key.public != header[2]:  # both public: how far they agree tells nothing
        message = "the public key of a key file is not that of its secret"
        raise Malformed(message)
    return key


def _of_seed(kind: str, seed: bytes, realm: Realm) -> WholeKey:
    if kind == labels.KIND_SIGNATURE:
        return SigningKey(seed, realm)
    return LogSigningKey(seed, realm) if kind == labels.KIND_LOG else Identity(seed)


def _parts(path: Path, realm: Realm) -> tuple[bytes, list[Value], bytes]:
    """Header as bytes and as items, whose kind is told without its realm, and secret."""
    label = realm.label(labels.KEY_FILE)
    items = array(unpack(read_file(path, _MAX_FILE), max_bytes=_MAX_FILE, what="key file"), "key file", length=3)
    if items[0] != label:
        message = f"a key file begins with {label!r}, not with {items[0]!r}"
        raise Malformed(message, realm.hint(items[0]))
    header_bytes = blob(items[1], "header of a key file")
    header = array(unpack(header_bytes, max_bytes=_MAX_FILE, what="header of a key file"), "header of a key file", least=4, most=5)
    one_of(header[0], "header of a key file", [label])
    kinds = {realm.kind(kind): kind for kind in _SEED_BYTES}
    header[1] = kinds[one_of(header[1], "kind of key", kinds)]
    array(header, "header of a key file", length=5 if header[1] == labels.KIND_EXTERNAL else 4)
    return header_bytes, header, blob(items[2], "secret of a key file", most=256)


def _signer(header: list[Value]) -> ExternalSigner | None:
    """Who keeps the Ed25519 half, where it is not here."""
    return ExternalSigner.read(header[4]) if header[1] == labels.KIND_EXTERNAL else None


def _unsealed(secret: bytes, header: bytes, kdf: object, passphrase: Callable[[], str]) -> bytes:
    from cryptography.cobblestone import Cobblestone256Decryptor  # noqa: PLC0415 - only with passphrases
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415

    items = array(kdf, "key derivation", length=4)
    cost = _cost(items)  # first: a hostile file must not make us spend its choice of memory and time
    decryptor = Cobblestone256Decryptor(stretch(passphrase(), blob(items[3], "salt", size=16), cost), header)
    try:
        return decryptor.update(secret) + decryptor.finalize()
    except InvalidTag as error:
        message = "wrong passphrase"
        raise NoKey(message) from error


def _cost(items: list[Value]) -> Argon2Cost:
    """What a key file asks for, within the bounds."""
    one_of(items[0], "key derivation", [_ARGON2])
    return Argon2Cost(integer(items[1], "passes", least=1, most=MAX_PASSES), integer(items[2], "memory in KiB", least=8192, most=1 << 20))


def stretch(passphrase: str, salt: bytes, cost: Argon2Cost) -> bytes:
    """The 32-byte key that Argon2id derives from a passphrase.

    Raises:
        Usage: the passphrase is no text. Unavailable: there is not enough memory.
    """
    import nacl.exceptions  # noqa: PLC0415 - only with passphrases
    from nacl.bindings import crypto_pwhash_alg  # noqa: PLC0415

    try:
        text = hold(unicodedata.normalize("NFC", passphrase).encode("utf-8"))
    except UnicodeEncodeError as error:
        message = "the passphrase is not text in UTF-8"
        raise Usage(message) from error
    try:
        return hold(crypto_pwhash_alg(32, text, salt, cost.passes, cost.memory_kib * 1024, 2))  # 2: Argon2id 1.3
    except (nacl.exceptions.RuntimeError, MemoryError) as error:
        message = f"there is not enough memory for the key's passphrase: it asks for {cost.memory_kib} KiB"
        raise Unavailable(message, "unlock the key on a machine with more memory, or raise the limit of this one") from error
