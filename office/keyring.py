"""The key files of an office: which there are, and another passphrase for them."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from valiza.keys.errors import NoKey, Refused
from valiza.keys.files import about, replace_files, storage_errors
from valiza.keys.keyfile import key_file, load_key
from valiza.office.home import BODY_OFFICER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from valiza.keys.keyfile import Argon2Cost
    from valiza.office.home import Office

__all__ = ["OfficeKey", "change_passphrase", "office_keys"]


@dataclass(frozen=True, slots=True)
class OfficeKey:
    """A key file of an office, by whose it is and what for."""

    officer: str
    purpose: str
    path: Path


def office_keys(home: Path) -> list[OfficeKey]:
    """Every key file, those of the body first."""
    found = [OfficeKey(path.parent.name, path.stem, path) for path in sorted((home / "keys").glob("*/*.key"))]
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
    chosen = [key for key in office_keys(office.home) if officer in (None, key.officer)]
    if not chosen:
        message = "there is no key in this office" if officer is None else f"there is no key of {officer!r} in this office"
        raise NoKey(message, f"keys are here of: {', '.join(dict.fromkeys(key.officer for key in office_keys(office.home))) or 'nobody'}")
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
