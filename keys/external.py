"""A signing key whose Ed25519 half another program keeps (specs/external-signer.md): an HSM, a smart card, whatever speaks the protocol.

The program is started when it is first asked, and ends when the key is closed. What it signs is verified before anybody gets it.
"""

from __future__ import annotations

import os
import shlex
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey

from valiza.keys import labels
from valiza.keys.conversation import require_reference
from valiza.keys.errors import Malformed, NoKey, NotAuthentic, Usage
from valiza.keys.fields import array, blob
from valiza.keys.realm import Realm
from valiza.keys.secrecy import hold
from valiza.keys.signing import VerifyKey, composite_message, verify_half

if TYPE_CHECKING:
    from collections.abc import Callable

    from valiza.keys.encoding import Value
    from valiza.keys.program import Patience, Program

__all__ = ["ExternalSigner", "ExternalSigningKey", "find_signer"]

_SEED_BYTES: Final = 32
_MOST_WORDS: Final = 32  # of a command
_MOST_BYTES: Final = 4096  # of all its words together


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalSigner:
    """Where the Ed25519 half of a signing key is kept.

    Attributes:
        reference: what the program calls the key, 1 to 255 visible ASCII characters.
        command: the program by its absolute path, and its arguments. No shell reads them.
    """

    reference: str
    command: tuple[str, ...]

    @property
    def program(self) -> str:
        """The program's path."""
        return self.command[0]

    def __str__(self) -> str:
        """The command as it could be typed to a shell."""
        return shlex.join(self.command)

    def packed(self) -> list[Value]:
        """The form in a key file."""
        return [self.reference, [os.fsencode(word) for word in self.command]]

    @classmethod
    def read(cls, value: Value) -> ExternalSigner:
        """Decode the form in a key file.

        Raises:
            Malformed: it is not so written.
        """
        reference, words = array(value, "external signer", length=2)
        if not isinstance(reference, str):
            message = "the reference to a key is no text"
            raise Malformed(message)
        command = tuple(os.fsdecode(blob(word, "word of a command")) for word in array(words, "command", least=1, most=_MOST_WORDS))
        return cls(reference=require_reference(reference), command=_require_command(command))


def _require_command(command: tuple[str, ...]) -> tuple[str, ...]:
    """The command, which has a word, if it can be executed as it stands; Malformed otherwise."""
    try:
        raw = [os.fsencode(word) for word in command]
    except UnicodeEncodeError as error:
        message = "the command of an external signer cannot be written in this system's encoding"
        raise Malformed(message) from error
    if len(raw) > _MOST_WORDS or sum(map(len, raw)) > _MOST_BYTES or any(b"\0" in word for word in raw):
        message = f"the command of an external signer is not 1 to {_MOST_WORDS} words of at most {_MOST_BYTES} bytes together"
        raise Malformed(message)
    if not raw[0].startswith(b"/"):
        message = "the program of an external signer is not named by its absolute path"
        raise Malformed(message)
    return command


def find_signer(reference: str, command: tuple[str, ...]) -> ExternalSigner:
    """An external signer as a person names it: the program is looked for as a shell would, and kept by its absolute path.

    Raises:
        Malformed: reference or command cannot be so. Usage: there is no such program.
    """
    require_reference(reference)
    found = shutil.which(command[0]) if command and "\0" not in command[0] else None
    if found is None:
        message = f"there is no program {command[0]!r}" if command else "the command of an external signer is empty"
        raise Usage(message, "name it by its whole path")
    return ExternalSigner(reference=reference, command=_require_command((os.path.abspath(found), *command[1:])))  # noqa: PTH100 - links stay links


class ExternalSigningKey:
    """A private signing key of which the ML-DSA half is here, by its 32-byte seed, and the Ed25519 half with an external signer.

    Args:
        seed: of the ML-DSA half.
        ed25519_public: the public key of the other half.
        signer: who keeps it.
        realm: whether the key is meant, or a rehearsal's.
        program: it, if it runs already.

    Raises:
        Malformed: the seed has another length, or the public key is not the canonical encoding of a point of prime order.
    """

    def __init__(
        self, seed: bytes, ed25519_public: bytes, signer: ExternalSigner, realm: Realm = Realm.ORDINARY, *, program: Program | None = None
    ) -> None:
        if len(seed) != _SEED_BYTES:
            message = f"the seed of a signing key with an external half has {_SEED_BYTES} bytes"
            raise Malformed(message)
        self.seed = hold(seed)
        self.realm = realm
        self.signer = signer
        self._mldsa = MLDSA65PrivateKey.from_seed_bytes(seed)
        self._ed25519_public = ed25519_public
        self._verify_key = VerifyKey(self._mldsa.public_key().public_bytes_raw() + ed25519_public, realm)
        self._program = _program(signer) if program is None else program

    @classmethod
    def enrol(cls, signer: ExternalSigner, random: Callable[[int], bytes], *, patience: Patience | None = None) -> ExternalSigningKey:
        """A new key around a half that a program keeps already, once the program has shown that it can sign with it.

        Raises:
            NoKey, Refused, Unavailable, NotAuthentic: it cannot. Malformed: its key is none that may be used.
        """
        program = _program(signer, patience)
        try:
            key = cls(random(_SEED_BYTES), program.public(signer.reference), signer, program=program)
            key.check(random)
        except BaseException:
            program.close()
            raise
        return key

    def moved(self, signer: ExternalSigner) -> ExternalSigningKey:
        """The same key, when its half is reached by another program or reference."""
        return ExternalSigningKey(self.seed, self._ed25519_public, signer, self.realm)

    @property
    def public(self) -> bytes:
        """The public key, 1984 bytes."""
        return self._verify_key.raw

    @property
    def key_digest(self) -> bytes:
        """Digest of the public key."""
        return self._verify_key.key_digest

    def begin(self) -> None:
        """Start the program, if it does not run, and see that it keeps this key: before long work, not at its end.

        Raises:
            NoKey: it keeps another key, or none of that reference, or cannot unlock it. Refused: it will not. Unavailable: it cannot.
        """
        if self._program.public(self.signer.reference) != self._ed25519_public:
            message = f"the external signer {self.signer.program!r} keeps another key under {self.signer.reference!r} than the key file says"
            raise self._program.give_up(NoKey(message, "is it the right token or card?"))

    def check(self, random: Callable[[int], bytes]) -> None:
        """See that the program signs with this key: something that no statement can ever say.

        Raises:
            NotAuthentic: its signature does not verify. NoKey, Refused, Unavailable: as `begin`.
        """
        self.begin()
        self._half(composite_message(random(32), labels.SIGNER_TRIAL.encode("ascii")))

    def sign(self, message: bytes, context: bytes) -> bytes:
        """A composite signature, 3373 bytes, that was verified. The ML-DSA half is randomised: two calls give two signatures.

        Raises:
            NotAuthentic: what the program gave does not verify. NoKey, Refused, Unavailable: as `begin`.
        """
        self.begin()
        composed = composite_message(message, context)
        signature = self._mldsa.sign(composed, labels.COMPOSITE_LABEL) + self._half(composed)
        self._verify_key.verify(signature, message, context)
        return signature

    def _half(self, composed: bytes) -> bytes:
        """The Ed25519 signature over M', verified."""
        half = self._program.sign(self.signer.reference, composed)
        try:
            verify_half(half, composed, self._ed25519_public)
        except NotAuthentic as error:
            message = f"the external signer {self.signer.program!r} gave a signature that does not verify"
            raise self._program.give_up(NotAuthentic(message, "nothing was signed; is it the right program and the right device?")) from error
        return half

    def close(self) -> None:
        """End the program, if it runs. The key can be used again."""
        self._program.close()


def _program(signer: ExternalSigner, patience: Patience | None = None) -> Program:
    from valiza.keys.program import Patience, Program  # noqa: PLC0415 - only where a half is kept elsewhere

    return Program(signer.command, patience or Patience())
