"""What a step asks for, and what counts as an answer. What is asked at a terminal and what stands in a file of answers is judged here alike."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from valiza.keys.backup import read_share
from valiza.keys.errors import Malformed, NotAuthentic, Refused, Unavailable, Usage
from valiza.keys.fields import text
from valiza.keys.files import require_new
from valiza.keys.fingerprint import parse_fingerprint
from valiza.keys.signing import SigningKey

if TYPE_CHECKING:
    from collections.abc import Callable

    from valiza.keys.backup import Recovery
    from valiza.keys.signing import VerifyKey
    from valiza.office.ceremony.plan import Person

__all__ = [
    "SECRET",
    "SHOWN",
    "Ask",
    "choice",
    "compare",
    "confirm",
    "enough",
    "key_file",
    "new_key_file",
    "new_passphrase",
    "passphrase",
    "read_back",
    "recover",
    "recovered",
    "remark",
    "share",
    "typed_entropy",
]

PASSPHRASE: Final = "passphrase"  # noqa: S105 - the name of an answer
PREVIOUS_PASSPHRASE: Final = "previous-passphrase"  # noqa: S105 - of a custodian's key in the root before, where he has another one too
SHOWN: Final = "shown"  # the answer of a script where people would read back what they wrote down
SECRET: Final = ("new-passphrase", "passphrase", "entropy", "share")  # kinds whose answers are nowhere written down
LEAST: Final = {"dice": 100, "keyboard": 64}  # a hundred throws are 258 bits
MOST_TYPED: Final = 4096
_NUMBER: Final = re.compile("[1-9][0-9]{0,3}")  # as long as MOST_TYPED is
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask(Generic[T]):
    """A question.

    Attributes:
        what: a word; in a file of answers the name of the answer.
        kind: how it is asked: `confirm`, `value`, `file`, `new-file`, `text`, or one of the secret ones.
        read: takes the answer, or raises.
        note: what the transcript keeps of the answer; None: nothing.
        otherwise: the answer where none is given; None: there has to be one.
        person: who is asked, if it is not who acts in the step.
    """

    what: str
    kind: str
    read: Callable[[str], T]
    note: Callable[[T], str] | None
    otherwise: str | None = None
    person: Person | None = None


def confirm(what: str) -> Ask[None]:
    """Yes or no. No is an answer too: then the step is not done."""

    def read(given: str) -> None:
        if given == "no":
            message = f"{what}: not confirmed"
            raise Refused(message, "find out what is wrong; the ceremony can go on at this step, or be declared void")
        if given != "yes":
            message = f"{what}: {given!r} is neither yes nor no"
            raise Usage(message)

    return Ask(what=what, kind="confirm", read=read, note=lambda _: "yes")


def choice(what: str) -> Ask[bool]:
    """Yes or no, and either is well; nothing said is no."""

    def read(given: str) -> bool:
        if given not in {"yes", "no"}:
            message = f"{what}: {given!r} is neither yes nor no"
            raise Usage(message)
        return given == "yes"

    return Ask(what=what, kind="confirm", read=read, note=None, otherwise="no")


def compare(what: str, value: bytes) -> Ask[None]:
    """A digest that somebody brings on paper: all of it is typed, and compared."""

    def read(given: str) -> None:
        if _digest(what, given) != value:
            message = f"{what}: what was typed is not what stands here"
            raise NotAuthentic(message, "read both aloud again, digit by digit")

    return Ask(what=what, kind="value", read=read, note=lambda _: "equal")


def read_back(what: str, value: bytes, *, unattended: bool) -> Ask[str]:
    """A digest that was just made: somebody reads it back from his notes, and it is typed, all of it. A script can only say that it was shown."""
    compared = compare(what, value)

    def read(given: str) -> str:
        if unattended and given == SHOWN:
            return SHOWN
        compared.read(given)
        return "read back"

    return Ask(what=what, kind="value", read=read, note=str)


def _digest(what: str, given: str) -> bytes:
    try:
        return parse_fingerprint(given)
    except Malformed as error:
        message = f"{what}: {error.message}"
        raise Usage(message) from error


def new_key_file() -> Ask[Path]:
    """Where a new key goes."""

    def read(given: str) -> Path:
        path = _path(given)
        require_new(path)
        return path

    return Ask(what="file", kind="new-file", read=read, note=None)


def key_file(check: Callable[[Path], None]) -> Ask[Path]:
    """Where a key is."""

    def read(given: str) -> Path:
        path = _path(given)
        check(path)
        return path

    return Ask(what="file", kind="file", read=read, note=None)


def _path(given: str) -> Path:
    if not given or "\0" in given:
        message = "file: no file is named"
        raise Usage(message)
    return Path(given).absolute()


def new_passphrase(what: str) -> Ask[str]:
    """A passphrase for a new key."""

    def read(given: str) -> str:
        try:
            given.encode("utf-8")
        except UnicodeEncodeError as error:
            message = "the passphrase is not text in UTF-8"
            raise Usage(message) from error
        if not given:
            message = "the passphrase is empty: in a ceremony every key has one"
            raise Usage(message)
        return given

    return Ask(what=what, kind="new-passphrase", read=read, note=None)


def passphrase(what: str, unlock: Callable[[str], T]) -> Ask[T]:
    """The passphrase of a key, which is unlocked with it."""
    return Ask(what=what, kind="passphrase", read=unlock, note=None)


def typed_entropy(source: str) -> Ask[bytes]:
    """What a custodian throws or types, to be mixed with what the system draws; spaces do not count."""

    def read(given: str) -> bytes:
        typed = "".join(given.split())
        if len(typed) > MOST_TYPED:
            message = f"{source}: more than {MOST_TYPED} characters"
            raise Usage(message)
        if source == "dice" and not set(typed) <= set("123456"):
            message = "dice: something else than throws from 1 to 6"
            raise Usage(message)
        if len(typed) < LEAST[source]:
            message = f"{source}: {len(typed)} characters, and {LEAST[source]} are needed"
            raise Usage(message)
        return typed.encode("utf-8")

    return Ask(what=source, kind="entropy", read=read, note=lambda typed: str(len(typed.decode("utf-8"))))


def enough(source: str, number: str) -> bool:
    """Whether a number, as a transcript spells it, is one of characters that could be typed for a source."""
    return _NUMBER.fullmatch(number) is not None and LEAST[source] <= int(number) <= MOST_TYPED


def share(holder: Person, recovery: Recovery) -> Ask[int]:
    """A share of a key, which its holder types: his own, and another one than the others'. Its number is known afterwards."""

    def read(given: str) -> int:
        found = read_share(given.split())
        if not recovery.add(found):
            message = f"share {found.number} was given already"
            raise Usage(message, "each holder types his own")
        return found.number

    return Ask(what="share", kind="share", read=read, note=None, person=holder)


def recovered(recovery: Recovery, expected: VerifyKey) -> Ask[SigningKey]:
    """The passphrase of a backup, with which the shares give the key."""
    return Ask(what="backup-passphrase", kind="passphrase", read=lambda given: recover(recovery, expected, given, protected=True), note=None)


def recover(recovery: Recovery, expected: VerifyKey, passphrase: str = "", *, protected: bool = False) -> SigningKey:
    """The key that the shares give, which is the one expected.

    Raises:
        Incomplete: too few. NotAuthentic, NoKey: another key, or none.
    """
    key = recovery.key(expected.key_digest.hex(), passphrase, protected=protected, realm=expected.realm)
    if isinstance(key, SigningKey):
        return key
    raise AssertionError  # its digest was compared


def remark() -> Ask[str]:
    """What else is to be said in the transcript; nothing, as a rule."""

    def read(given: str) -> str:
        said = text(given, "remark", empty=True)
        if any(not character.isprintable() for character in said):
            message = "remark: something else than printable text"
            raise Usage(message)
        return said

    return Ask(what="remark", kind="text", read=read, note=None, otherwise="")


def require_there(path: Path) -> None:
    """Raise Unavailable unless a key file is there."""
    if not path.is_file():
        message = f"the key file {str(path)!r} is not there"
        raise Unavailable(message, "put the medium back in its place, and go on")
