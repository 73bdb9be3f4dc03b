"""What commands that make keys or sign ask for: officers, names, a new passphrase, a custodian's key, roots."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from valiza.cli.options import FILE, open_office, typed
from valiza.cli.terminal import ask, terminal_present, warn
from valiza.keys.errors import NoKey, Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from valiza.keys.book import Book
    from valiza.keys.external import ExternalSigningKey
    from valiza.keys.root import Root
    from valiza.keys.signing import SigningKey
    from valiza.keys.statement import Signer
    from valiza.office.founding import NewOfficer
    from valiza.office.home import Office


def parse_officer(text: str) -> NewOfficer:
    """An officer written NAME:PURPOSE,PURPOSE[:CLEARANCE][:DISPLAY NAME]."""
    from valiza.keys import fields
    from valiza.office.founding import NewOfficer

    name, _, rest = text.partition(":")
    purposes, _, rest = rest.partition(":")
    clearance, _, display = rest.partition(":")
    with typed("--officer"):
        fields.names({"en": display or name}, "name of an officer")
        fields.optional(clearance or None, "clearance", fields.code)
    return NewOfficer(
        name=name,
        names={"en": display or name},
        purposes=tuple(p for p in purposes.split(",") if p),
        clearance=clearance or None,
    )


def parse_names(values: tuple[str, ...], otherwise: str) -> dict[str, str]:
    """Names written LANGUAGE=TEXT."""
    from valiza.keys import fields

    found = {}
    for value in values:
        tag, equals, text = value.partition("=")
        if not equals:
            message = f"{value!r} is no name"
            raise Usage(message, "write it as LANGUAGE=TEXT, for example en=Ministry")
        if tag in found:
            message = f"--name: the language {tag!r} stands twice"
            raise Usage(message)
        found[tag] = text
    with typed("--name"):
        return fields.names(found or {"en": otherwise}, "name")


def parse_subject(text: str, option: str) -> bytes:
    """The id of a person or body: 32 hexadecimal digits."""
    try:
        found = bytes.fromhex(text) if text.isascii() and not any(c.isspace() for c in text) else b""
    except ValueError:
        found = b""
    if len(found) != 16:  # noqa: PLR2004 - the length of the field
        message = f"{option}: {text!r} is no id"
        raise Usage(message, "an id has 32 hexadecimal digits, all of them")
    return found


def custodian_option(*, required: bool = False) -> Callable[[Any], Any]:
    """`--key FILE`: the key of the custodian who signs."""
    return click.option("--key", type=FILE, required=required, metavar="FILE", help="The key file of the custodian who signs.")


def public_digest(path: Path) -> bytes:
    """The digest of the public key in a key file that signs, without its passphrase.

    Raises:
        Malformed: not a key file. NoKey: its key signs nothing. Unavailable: it cannot be read.
    """
    from valiza.keys.files import about
    from valiza.keys.keyfile import public_part
    from valiza.keys.signing import SIGNING_PUBLIC_BYTES, VerifyKey

    with about(path):
        public = public_part(path).public
        if len(public) != SIGNING_PUBLIC_BYTES:
            raise _signs_nothing(public)
        return VerifyKey(public).key_digest


def _signs_nothing(public: bytes) -> NoKey:
    from valiza.keys.log_key import LOG_PUBLIC_BYTES

    return NoKey("a register's key signs no statement" if len(public) == LOG_PUBLIC_BYTES else "an encryption key signs nothing")


def signing_key(path: Path, source: Callable[[], str]) -> SigningKey | ExternalSigningKey:
    """The key in a key file that signs, unlocked; errors as `public_digest`, and NoKey for a wrong passphrase.

    Who keeps a half of it elsewhere is asked for it here, and ends with the command; errors as `ExternalSigningKey.begin`.
    """
    from valiza.keys.external import ExternalSigningKey
    from valiza.keys.files import about
    from valiza.keys.keyfile import load_key
    from valiza.keys.signing import SigningKey

    with about(path):
        key = load_key(path, source)
        if not isinstance(key, SigningKey | ExternalSigningKey):
            raise _signs_nothing(key.public)
        if isinstance(key, ExternalSigningKey):
            click.get_current_context().call_on_close(key.close)
            key.begin()
        return key


def roots_at_hand(files: Iterable[Path], home: Path | None) -> dict[bytes, Root]:
    """The roots in files and in an office's rosters, by their digests. A root from a file is believed for nothing but who its custodians are."""
    from valiza.keys import labels
    from valiza.office.reader import read_object
    from valiza.office.roots import roots_in

    found = [root for path in files for root in roots_in(read_object(path, labels.ROOT, labels.ROSTER))]
    if home is not None:
        found += [root for roster in open_office(home).trust.rosters.values() for root in roster.roots]
    return {root.digest: root for root in found}


def by_root(
    at_office: Office | None, source: Callable[[], str], *, in_office: bool, key: Path | None, roster: Path | None
) -> tuple[Book, Callable[[], Signer]]:
    """The roster of the party in whose root's name something is said, and who signs it as the first, to be unlocked when it was agreed.

    Args:
        at_office: the office, if no roster is given.
        source: asks for the passphrase.
        in_office: the key of the root is in the office.
        key: a custodian's key file.
        roster: the party's latest roster, for a custodian who has no office.

    Raises:
        Usage: it does not say who signs, or by which roster. Malformed, NotAuthentic, Refused, Unavailable: the roster does not hold.
    """
    from valiza.office.home import BODY_OFFICER
    from valiza.office.revoking import claimed_book

    if (key is None) is not in_office:
        message = "missing whose key signs" if key is None else "--by-root and --key exclude each other"
        raise Usage(message, "a custodian gives his key with --key FILE; an office that keeps the root's signs with --by-root")
    if key is not None:
        if roster is not None:
            return claimed_book(roster), lambda: signing_key(key, source)
        if at_office is not None:
            return at_office.own_roster, lambda: signing_key(key, source)
    elif at_office is not None:
        return at_office.own_roster, lambda: at_office.signing_key(BODY_OFFICER, "root")
    message = "the key of the root is in an office"
    raise Usage(message, "give --home DIR, or the key of a custodian with --key FILE")


def books_of(at_office: Office, party: str | None) -> list[Book]:
    """The rosters in force in an office: all of them, or that of one party.

    Raises:
        Usage: no roster of that party is known here.
    """
    rosters = at_office.trust.rosters
    if party is None:
        return list(rosters.values())
    if party not in rosters:
        message = f"no roster of {party!r} is known here"
        raise Usage(message, f"known: {', '.join(rosters)}")
    return [rosters[party]]


def agreed(question: str, yes: bool, show: Callable[[], None]) -> bool:
    """Whether to go on: somebody at a terminal is shown what it is about, and asked unless he answered beforehand."""
    if not terminal_present():
        return True
    show()
    return yes or ask(question, otherwise="--yes")


def new_passphrase(unprotected: bool, descriptor: int | None, source: Callable[[], str]) -> str | None:
    """Passphrase for new keys: asked twice where a person is asked, since a typing mistake would make keys that nobody can use."""
    if unprotected:
        return None
    if descriptor is None and "VALIZA_PASSPHRASE" not in os.environ and terminal_present():
        return str(click.prompt("Passphrase for the new keys", hide_input=True, confirmation_prompt=True, err=True))
    return source()


def warn_unprotected(unprotected: bool) -> None:
    """Say that new keys lie open, if they do."""
    if unprotected:
        warn("the keys are written without a passphrase: whoever reads the files has them")
