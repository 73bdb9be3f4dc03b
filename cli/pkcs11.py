"""`valiza-pkcs11-signer`: a bridge from the protocol of external signers (specs/external-signer.md) to PKCS#11 tokens, such as HSMs and smart cards.

A program of its own, which nothing here imports. It needs the extra `valiza[pkcs11]`.
"""

from __future__ import annotations

import getpass
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn
from urllib.parse import unquote_to_bytes

import click

from valiza.cli.terminal import safe
from valiza.keys.conversation import MAX_QUESTION, Question, Reply, read_question
from valiza.keys.errors import Malformed
from valiza.keys.secrecy import guard_process

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pkcs11 import Session, Token

__all__ = ["Bridge", "KeyUri", "main", "parse_uri"]

_PIN: Final = "VALIZA_PKCS11_PIN"
_MAX_PIN: Final = 255
_POINT: Final = b"\x04\x20"  # how DER begins an octet string of 32 bytes
_POINT_BYTES: Final = 32
_NOT_ED25519: Final = "it is no Ed25519 key"
_ATTRIBUTES: Final = {"token", "serial", "model", "manufacturer", "object", "id", "type"}
_PIN_TROUBLES: Final = {"PinIncorrect", "PinLocked", "PinExpired", "PinInvalid", "PinLenRange", "UserPinNotInitialized"}
_ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_REFUSALS: Final = {"FunctionCancelled", "FunctionRejected"}


class CannotReplyError(Exception):
    """Why a question is answered with an error: one of the protocol's reasons, and words."""

    def __init__(self, reason: str, said: str) -> None:
        super().__init__(said)
        self.reason = reason
        self.said = said


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyUri:
    """Which key of which token, as a PKCS#11 URI (RFC 7512) says it.

    Attributes:
        token: what the token has to say of itself: label, serial, model, manufacturer, as far as they are given.
        object: label of the key, if it is given.
        id: CKA_ID of the key, if it is given.
    """

    token: Mapping[str, str]
    object: str | None = None
    id: bytes | None = None


def parse_uri(text: str) -> KeyUri:
    """Read `pkcs11:` and attributes of the path.

    Raises:
        CannotReplyError: it is no such URI, or says more than is known here; a PIN has no place in it.
    """
    scheme, colon, path = text.partition(":")
    found: dict[str, bytes] = {}
    for part in path.split(";"):
        name, equals, value = part.partition("=")
        if scheme != "pkcs11" or not colon or not equals or name not in _ATTRIBUTES or name in found or "?" in value:
            said = "the reference is no PKCS#11 URI of a key, such as pkcs11:token=kz-mfa;object=aigul-seal"
            raise CannotReplyError("no-key", said)
        found[name] = unquote_to_bytes(value)
    key_id = found.pop("id", None)
    try:
        texts = {name: value.decode("utf-8") for name, value in found.items()}
    except UnicodeDecodeError as error:
        raise CannotReplyError("no-key", "something in the reference is not text in UTF-8") from error
    label = texts.pop("object", None)
    if (label is None and key_id is None) or texts.pop("type", "private") != "private":
        raise CannotReplyError("no-key", "the reference names no private key, by object or id")
    return KeyUri(token=texts, object=label, id=key_id)


class Bridge:
    """The tokens of one PKCS#11 module. A token is logged in to once, when the first question needs it.

    Args:
        module: path of the module, a shared library.
        pin_fd: the file descriptor that gives the PIN; None: the environment or a person.
    """

    def __init__(self, module: Path, pin_fd: int | None) -> None:
        self._module = module
        self._pin_fd = pin_fd
        self._pin: str | None = None  # what the descriptor gave
        self._trouble: CannotReplyError | None = None  # with the PIN: it is not tried again, since a token locks itself after few tries
        self._sessions: dict[bytes, Session] = {}
        self._keys: dict[str, tuple[Any, bytes]] = {}

    def reply(self, line: bytes) -> Reply:
        """The reply to a question; errors are replies too."""
        try:
            question = read_question(line)
        except Malformed as error:
            return Reply(verb="error", reason="malformed", said=error.message)
        try:
            return self._reply(question)
        except CannotReplyError as error:
            return Reply(verb="error", reason=error.reason, said=_sayable(error.said))
        except Exception as error:  # noqa: BLE001 - whatever a vendor's module made of the library: it is a reply, and no traceback
            return Reply(verb="error", reason="unavailable", said=_sayable(f"{type(error).__name__}: {error}"))

    def _reply(self, question: Question) -> Reply:
        if question.verb == "hello":
            return Reply(verb="ready")
        try:
            import pkcs11
        except ImportError as error:
            raise CannotReplyError("unavailable", "python-pkcs11 is not installed: pip install 'valiza[pkcs11]'") from error
        try:
            key, public = self._key(question.reference)
            if question.verb == "public":
                return Reply(verb="key", value=public)
            return Reply(verb="signature", value=bytes(key.sign(question.message, mechanism=pkcs11.Mechanism.EDDSA)))
        except pkcs11.PKCS11Error as error:
            kind = type(error).__name__
            reason = "refused" if kind in _REFUSALS else "unavailable"
            raise CannotReplyError(reason, f"{kind}: {error}" if str(error) else f"the token says: {kind}") from error

    def _key(self, reference: str) -> tuple[Any, bytes]:
        """The private key of that reference, to sign with, and its public key."""
        if reference not in self._keys:
            self._keys[reference] = self._find(parse_uri(reference))
        return self._keys[reference]

    def _find(self, wanted: KeyUri) -> tuple[Any, bytes]:
        from pkcs11 import Attribute, KeyType, ObjectClass

        session = self._session(self._token(wanted))
        named: dict[Attribute, Any] = {}
        if wanted.object is not None:
            named[Attribute.LABEL] = wanted.object
        if wanted.id is not None:
            named[Attribute.ID] = wanted.id
        private = _only(session.get_objects({Attribute.CLASS: ObjectClass.PRIVATE_KEY, **named}), "private key")
        if private[Attribute.KEY_TYPE] != KeyType.EC_EDWARDS:
            raise CannotReplyError("no-key", _NOT_ED25519)
        # The two halves of a pair have the same CKA_ID; where there is none, the name is all there is.
        pair = {Attribute.ID: private[Attribute.ID]} if private[Attribute.ID] else named
        public = _only(session.get_objects({Attribute.CLASS: ObjectClass.PUBLIC_KEY, **pair}), "public key beside the private one")
        point = bytes(public[Attribute.EC_POINT]).removeprefix(_POINT)
        if len(point) != _POINT_BYTES:
            raise CannotReplyError("no-key", _NOT_ED25519)  # an Ed448 key
        return private, point

    def _token(self, wanted: KeyUri) -> Token:
        from pkcs11 import TokenFlag, lib

        tokens = [token for token in lib(str(self._module)).get_tokens() if token.flags & TokenFlag.TOKEN_INITIALIZED]
        found = [token for token in tokens if wanted.token.items() <= _described(token).items()]
        if not found:
            raise CannotReplyError("unavailable", "no such token is there: is it plugged in?")
        if len(found) > 1:
            raise CannotReplyError("no-key", "several tokens are meant: name one by its serial")
        return found[0]

    def _session(self, token: Token) -> Session:
        from pkcs11 import PKCS11Error, TokenFlag

        serial = bytes(token.serial)
        if serial not in self._sessions:
            pin = self._asked_pin(token) if token.flags & TokenFlag.LOGIN_REQUIRED else None
            try:
                self._sessions[serial] = token.open(user_pin=pin)
            except PKCS11Error as error:
                if type(error).__name__ in _PIN_TROUBLES:
                    self._trouble = CannotReplyError("pin", f"the token says: {type(error).__name__}")
                    raise self._trouble from error
                raise
        return self._sessions[serial]

    def _asked_pin(self, token: Token) -> str:
        """The PIN of a token, from the descriptor, the environment, or a person at the terminal."""
        if self._trouble is not None:
            raise self._trouble
        pin = self._given_pin()
        if pin is None:
            try:
                Path("/dev/tty").open("rb+", buffering=0).close()  # else getpass would take the PIN from our standard input
            except OSError as error:
                raise CannotReplyError("pin", f"the PIN is needed, and nobody can be asked: give --pin-fd N or {_PIN}") from error
            pin = getpass.getpass(f"PIN of token {safe(token.label)}: ")
        if not pin or len(pin) > _MAX_PIN:
            raise CannotReplyError("pin", "the PIN is empty, or longer than any PIN")
        return pin

    def _given_pin(self) -> str | None:
        """What the descriptor or the environment gives; None if a person has to be asked."""
        if self._pin_fd is not None and self._pin is None:
            try:
                with os.fdopen(self._pin_fd, "rb", closefd=False) as file:
                    self._pin = file.readline(_MAX_PIN + 2).rstrip(b"\r\n").decode("utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise CannotReplyError("pin", f"the PIN cannot be read from file descriptor {self._pin_fd}") from error
        return os.environ.get(_PIN) if self._pin_fd is None else self._pin


def _described(token: Token) -> dict[str, str]:
    """What a token says of itself, by the names that a URI has for it."""
    serial = bytes(token.serial).decode("utf-8", "replace")
    return {"token": token.label, "serial": serial, "model": token.model, "manufacturer": token.manufacturer_id}


def _only(found: Iterable[Any], what: str) -> Any:  # noqa: ANN401 - an object of the token, of the class that was asked for
    objects = list(found)
    if not objects:
        raise CannotReplyError("no-key", f"the token has no such {what}")
    if len(objects) > 1:
        raise CannotReplyError("no-key", f"the token has several of that {what}: name one by its id")
    return objects[0]


def _sayable(text: str) -> str:
    """Words that may stand in a reply: one short line."""
    return safe(" ".join(text.split()))[:200] or "it says nothing"


def _leave(number: int, _frame: object) -> NoReturn:
    """End so that a terminal whose echo was switched off for a PIN gets it back: a second signal must not come between."""
    for each in _ENDING:
        signal.signal(each, signal.SIG_IGN)
    raise SystemExit(128 + number)


class _OneLine(click.Command):
    """A command whose errors of usage are one line, as Valiza's own are."""

    def main(self, *arguments: Any, **options: Any) -> NoReturn:  # noqa: ANN401 - what click hands over
        """Run it, and end with its exit code."""
        try:
            super().main(*arguments, **{**options, "standalone_mode": False})
        except click.ClickException as error:
            message = error.format_message().rstrip(".")
            sys.stderr.write(f"valiza-pkcs11-signer: error: {_sayable(message[:1].lower() + message[1:])}\n")
            sys.exit(error.exit_code)
        sys.exit(0)


@click.command(cls=_OneLine, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--module",
    type=click.Path(path_type=Path),
    required=True,
    envvar="VALIZA_PKCS11_MODULE",
    metavar="PATH",
    help="The PKCS#11 module of the device, a shared library (or VALIZA_PKCS11_MODULE).",
)
@click.option(
    "--pin-fd",
    type=click.IntRange(3, 2**31 - 1),
    metavar="N",
    help=f"Read the PIN from file descriptor N (or {_PIN}, or a prompt on the terminal).",
)
def main(module: Path, pin_fd: int | None) -> None:
    """Answer Valiza's questions for Ed25519 signatures by keys in a PKCS#11 token. Valiza starts this; you name it in a list of external signers.

    A key is named by a PKCS#11 URI (RFC 7512) with what is needed of token, serial, manufacturer, model, object and id, such as
    pkcs11:token=ministry;object=seal
    """
    guard_process()
    for number in _ENDING:
        signal.signal(number, _leave)
    replies = os.dup(1)
    os.dup2(2, 1)  # a module that prints must not write between the replies
    bridge = Bridge(module, pin_fd)
    try:
        while line := sys.stdin.buffer.readline(MAX_QUESTION + 1):
            reply = bridge.reply(line)
            os.write(replies, reply.line())
            if reply.reason == "malformed":
                sys.exit(1)  # where the next question begins is not known
    except BrokenPipeError:
        sys.exit(1)


if __name__ == "__main__":
    main()
