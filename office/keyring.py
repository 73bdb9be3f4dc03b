"""The key files of an office: which there are, another passphrase for them, and the external signers that keep halves of some."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from valiza.keys.errors import Malformed, NoKey, Refused, ValizaError
from valiza.keys.external import ExternalSigner, ExternalSigningKey, find_signer
from valiza.keys.files import about, read_text_file, replace_files, storage_errors
from valiza.keys.keyfile import key_file, load_key, public_part
from valiza.keys.toml import parse_toml
from valiza.office.home import BODY_OFFICER, purpose_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from valiza.keys.keyfile import Argon2Cost
    from valiza.office.home import Office

__all__ = ["OfficeKey", "change_passphrase", "check_keys", "keys_of", "lone_key", "move_signers", "office_keys", "read_signers"]

_MAX_LIST: Final = 1 << 16
_COLUMNS: Final = ("officer", "purpose", "reference", "command")


@dataclass(frozen=True, slots=True)
class OfficeKey:
    """A key file, by whose it is and what for, as the names of its folder and of the file say."""

    officer: str
    purpose: str
    path: Path


def office_keys(home: Path) -> list[OfficeKey]:
    """Every key file, those of the body first."""
    found = [OfficeKey(path.parent.name, purpose_of(path), path) for path in sorted((home / "keys").glob("*/*.key"))]
    return sorted(found, key=lambda key: key.officer != BODY_OFFICER)


def change_passphrase(
    office: Office,
    officer: str | None,
    old: Callable[[], str],
    new: Callable[[], str | None],
    *,
    random: Callable[[int], bytes],
    cost: Callable[[], Argon2Cost | None] = lambda: None,
) -> list[OfficeKey]:
    """Write the keys of an officer, or all of the office, under a new passphrase; returns them.

    Args:
        office: whose keys.
        officer: whose keys, `office` for the body's; None for all.
        old: asked for the passphrase that they have, if one has any.
        new: asked, once all are unlocked, for the one that they get; None leaves them unprotected.
        random: source of the salts.
        cost: tells that of deriving a key from the new passphrase, None for the least; asked if there is one.

    Raises:
        NoKey: there is none, or one has another passphrase: none is changed then.
        Refused: another command is at it, or a key file is a link. Unavailable: the disk; see `replace_files`.
    """
    chosen = keys_of(office, officer)
    with _alone(office.home / "keys"):
        unlocked = {}
        for key in chosen:
            try:
                with about(key.path):
                    unlocked[key.path] = load_key(key.path, old)
            except NoKey as error:
                message = f"{error.message} for the {key.purpose} key of {key.officer!r}; no key was changed"
                raise NoKey(message, "change the keys of one officer at a time: --as NAME" if officer is None else "") from error
        passphrase = new()
        price = None if passphrase is None else cost()
        replace_files({path: key_file(key, passphrase=passphrase, random=random, cost=price) for path, key in unlocked.items()})
    return chosen


def keys_of(office: Office, officer: str | None) -> list[OfficeKey]:
    """The keys of an officer, or all of the office.

    Raises:
        NoKey: there is none.
    """
    chosen = [key for key in office_keys(office.home) if officer in (None, key.officer)]
    if not chosen:
        message = "there is no key in this office" if officer is None else f"there is no key of {officer!r} in this office"
        raise NoKey(message, f"keys are here of: {', '.join(dict.fromkeys(key.officer for key in office_keys(office.home))) or 'nobody'}")
    return chosen


def lone_key(path: Path) -> OfficeKey:
    """A key file outside an office, such as a custodian's."""
    return OfficeKey(path.absolute().parent.name, path.stem, path)


def read_signers(path: Path) -> dict[tuple[str, str], ExternalSigner]:
    """External signers by officer and purpose, from TOML: `[[key]]` with `officer`, `purpose`, `reference` and `command`.

    Raises:
        Malformed: it is not so written. Usage: a program is not there. Unavailable: it cannot be read.
    """
    where = f"list of external signers {str(path)!r}"
    table = parse_toml(read_text_file(path, _MAX_LIST, "list of external signers"), where)
    rows = table.get("key")
    if set(table) != {"key"} or not isinstance(rows, list):
        message = f"the {where} is not written as [[key]], once or more"
        raise Malformed(message, f"each has {', '.join(_COLUMNS)}")
    found: dict[tuple[str, str], ExternalSigner] = {}
    for row in rows:
        officer, purpose, reference, command = _row(row, where)
        if (officer, purpose) in found:
            message = f"the {where} names the {purpose} key of {officer!r} twice"
            raise Malformed(message)
        found[officer, purpose] = find_signer(reference, command)
    return found


def _row(row: Any, where: str) -> tuple[str, str, str, tuple[str, ...]]:  # noqa: ANN401 - whatever stands in TOML
    if not isinstance(row, dict) or set(row) != set(_COLUMNS):
        message = f"a key in the {where} does not have exactly {', '.join(_COLUMNS)}"
        raise Malformed(message)
    *texts, command = (row[column] for column in _COLUMNS)
    if not isinstance(command, list) or not all(isinstance(text, str) for text in (*texts, *command)):
        message = f"a key in the {where} is not of texts, and its command an array of texts"
        raise Malformed(message, 'for example: command = ["valiza-pkcs11-signer", "--module", "/usr/lib/softhsm/libsofthsm2.so"]')
    officer, purpose, reference = texts
    return officer, purpose, reference, tuple(command)


def check_keys(
    keys: Iterable[OfficeKey], passphrase: Callable[[], str], *, random: Callable[[int], bytes]
) -> list[tuple[OfficeKey, ExternalSigner | None]]:
    """Unlock keys, and have those who keep a half of one sign with it, for trial.

    Returns:
        The keys, with who keeps the other half.

    Raises:
        NoKey, NotAuthentic, Refused, Unavailable, Malformed: the first that is not as it should be; the message begins with whose it is.
    """
    checked: list[tuple[OfficeKey, ExternalSigner | None]] = []
    for one in keys:
        with _named(one), about(one.path):
            key = load_key(one.path, passphrase)
            if isinstance(key, ExternalSigningKey):
                _try(key, random)
        checked.append((one, key.signer if isinstance(key, ExternalSigningKey) else None))
    return checked


def _try(key: ExternalSigningKey, random: Callable[[int], bytes]) -> None:
    try:
        key.check(random)
    finally:
        key.close()


@contextmanager
def _named(key: OfficeKey) -> Iterator[None]:
    """Say which key an error is about."""
    try:
        yield
    except ValizaError as error:
        message = f"{key.purpose} key of {key.officer!r}: {error.message}"
        raise type(error)(message, error.hint) from error


def move_signers(
    keys: Iterable[OfficeKey],
    signers: Mapping[tuple[str, str], ExternalSigner],
    passphrase: Callable[[], str],
    *,
    folder: Path,
    random: Callable[[int], bytes],
) -> list[OfficeKey]:
    """Write into key files by which programs their halves are reached from now on, once these have shown that they keep them; returns the keys.

    Args:
        keys: the keys that are at hand.
        signers: programs by officer and purpose; the other keys stay as they are.
        passphrase: asked for that of the keys, if one has any.
        folder: that all keys are in: no other command changes them meanwhile.
        random: source of salts and trials.

    Raises:
        NoKey: there is no such key, a program keeps another one, or the passphrase is wrong. No key file is changed then.
        Refused: a key has no external half; see `change_passphrase`. NotAuthentic, Unavailable, Malformed: see `check_keys`.
    """
    chosen = {(key.officer, key.purpose): key for key in keys}
    contents: dict[Path, bytes] = {}
    with _alone(folder):
        for (officer, purpose), signer in signers.items():
            one = chosen.get((officer, purpose))
            if one is None:
                message = f"there is no {purpose} key of {officer!r} here"
                raise NoKey(message, f"keys are here of: {', '.join(f'{name}: {what}' for name, what in chosen) or 'nobody'}")
            with _named(one), about(one.path):
                key = load_key(one.path, passphrase)
                if not isinstance(key, ExternalSigningKey):
                    message = "all of it is in its file: no program keeps a half of it"
                    raise Refused(message, "certify the officer anew, with --external")
                moved = key.moved(signer)
                _try(moved, random)
                protected = public_part(one.path).protected
                contents[one.path] = key_file(moved, passphrase=passphrase() if protected else None, random=random)
        replace_files(contents)
    return [chosen[wanted] for wanted in signers]


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Two commands at once would leave some keys under the one passphrase and some under the other."""
    with storage_errors(folder):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            message = "another command is changing the keys of this office"
            raise Refused(message, "wait until it has ended") from error
        yield
    finally:
        os.close(descriptor)
