"""What commands that make keys ask for: officers, names, a new passphrase."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from valiza.cli.options import typed
from valiza.cli.terminal import terminal_present, warn
from valiza.keys.errors import Usage

if TYPE_CHECKING:
    from collections.abc import Callable

    from valiza.office.founding import NewOfficer


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
