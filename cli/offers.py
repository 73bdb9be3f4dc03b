"""What a shell offers for an option: the values that the office knows."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from click.shell_completion import CompletionItem

from valiza.cli.terminal import safe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from valiza.envelope.profile import Profile
    from valiza.keys.credential import Outline
    from valiza.office.home import Office

__all__ = ["values"]


def values(what: str, context: click.Context, incomplete: str) -> list[CompletionItem[str]]:
    """The values of a kind that go on from what was typed; none where no office is known, or it cannot be read."""
    with contextlib.suppress(Exception):  # a shell asks: see above
        home = context.params.get("home")
        office = _office(home) if home is not None else None
        found = _KINDS[what](context, office)
        return [CompletionItem(value, help=safe(text)[:100] or None) for value, text in found if value.startswith(incomplete)]
    return []


def _office(home: Path) -> Office:
    from valiza.office.home import Office

    def nobody() -> str:
        message = "a shell asks, not a person"
        raise click.Abort(message)

    return Office(Path(os.path.expandvars(home.expanduser())), nobody)


def _officers(_context: click.Context, office: Office | None) -> Iterator[tuple[str, str]]:
    from valiza.keys.credential import PURPOSES

    for name in office.officers() if office is not None else ():
        yield name, ", ".join(p for p in PURPOSES if office is not None and office.has_credential(name, p))


def _bodies(_context: click.Context, office: Office | None) -> Iterator[tuple[str, str]]:
    yield from sorted({(c.body.id, c.body.party) for c in _openers_abroad(office)})


def _addressees(context: click.Context, office: Office | None) -> Iterator[tuple[str, str]]:
    wanted = context.params.get("to")
    yield from sorted({(c.title, str(c.body)) for c in _openers_abroad(office) if wanted in (None, c.body.id, str(c.body))})


def _openers_abroad(office: Office | None) -> list[Outline]:
    """The `open` credentials of other parties."""
    if office is None:
        return []
    others = [roster for party, roster in office.trust.rosters.items() if party != office.body.party]
    return [c for roster in others for c in roster.outlines if c.purpose == "open"]


def _openers(_context: click.Context, office: Office | None) -> Iterator[tuple[str, str]]:
    for name in office.officers_with("open") if office is not None else ():
        yield name, ""


def _agreements(_context: click.Context, office: Office | None) -> Iterator[tuple[str, str]]:
    adopted = {a.profile.id: a.profile.title.get("en", "") for a in office.agreements.all()} if office is not None else {}
    yield from adopted.items()


def _drafts(_context: click.Context, _office: Office | None) -> Iterator[tuple[str, str]]:
    from valiza.envelope.draft import drafts

    for name in drafts():
        yield name, "a draft that comes with Valiza"


def _profile(context: click.Context, office: Office | None) -> Profile | None:
    """The agreement that was typed, or the only one."""
    known = sorted(office.agreements.all(), key=lambda a: a.profile.version) if office is not None else []
    wanted = context.params.get("agreement") or (known[0].profile.id if len({a.profile.id for a in known}) == 1 else None)
    return next((a.profile for a in reversed(known) if a.profile.id == wanted), None)


def _marks(context: click.Context, office: Office | None) -> Iterator[tuple[str, str]]:
    profile = _profile(context, office)
    if profile is not None and office is not None:
        comparable = {mark.code for mark in profile.rows if mark.party == office.body.party}
        for mark in profile.party(office.body.party).marks:
            if mark.code in comparable:
                yield mark.code, mark.text


def _way(kind: str) -> Callable[[click.Context, Office | None], Iterable[tuple[str, str]]]:
    """Channels, transports or escorts of the agreement, only those allowed for the mark if one was typed."""

    def found(context: click.Context, office: Office | None) -> Iterator[tuple[str, str]]:
        profile = _profile(context, office)
        if profile is None or office is None:
            return
        allowed = {
            name
            for mark, handling in profile.handling.items()
            if mark.party == office.body.party and mark.code == (context.params.get("mark") or mark.code)
            for name in getattr(handling, kind)
        }
        for name, title in getattr(profile, kind).items():
            if name in allowed:
                words = title[1] if isinstance(title, tuple) else title
                yield name, words.get("en", "") if isinstance(words, dict) else ""

    return found


_KINDS: Final[dict[str, Callable[[click.Context, Any], Iterable[tuple[str, str]]]]] = {
    "officers": _officers,
    "addressees": _addressees,
    "bodies": _bodies,
    "openers": _openers,
    "agreements": _agreements,
    "drafts": _drafts,
    "marks": _marks,
    **{kind: _way(kind) for kind in ("channels", "transports", "escorts")},
}
