"""The TOML form of an agreement, as people write it (specs/agreement.md, TOML): read into a Profile, each missing point of R4 named."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from valiza.envelope.profile import TERMS, Handling, MarkText, Padding, PartyTerms, Profile, read_profile
from valiza.keys.errors import Malformed, Refused
from valiza.keys.fields import Mark
from valiza.keys.toml import parse_toml

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["drafts", "missing_points", "packaged_draft", "read_draft"]

Table = dict[str, Any]
MAX_DRAFT: Final = 1 << 20

# The points of R4, what they ask, and whether a draft has them (R10: what is missing is named).
_POINTS: Final[tuple[tuple[str, str, Callable[[Table], bool]], ...]] = (
    ("R4(1)", "each side's competent bodies (party.ID.competent)", lambda d: _each_party(d, "competent")),
    ("R4(1)", "each side's confirming bodies, R12 (party.ID.confirming)", lambda d: _each_party(d, "confirming")),
    ("R3, R11, A5.2", "what each side's transfers rest on (party.ID.basis)", lambda d: _each_party(d, "basis")),
    ("R4(2)", "the comparison of marks (party.ID.mark, row)", lambda d: _each_party(d, "mark") and bool(d.get("row"))),
    ("R4(2)", "how a mark is changed or lifted (terms.change_of_marks)", lambda d: _term(d, "change_of_marks")),
    ("R4(3)", "the receiver's duty to mark (terms.marking)", lambda d: _term(d, "marking")),
    ("R4(4)", "channels of transfer (channel)", lambda d: bool(d.get("channel"))),
    ("R4(4)", "transport methods (transport)", lambda d: bool(d.get("transport"))),
    ("R4(4)", "forms of escort (escort)", lambda d: bool(d.get("escort"))),
    ("R4(4)", "what each degree may travel by (handling)", lambda d: bool(d.get("handling"))),
    ("R4(5)", "copying, destruction, return (terms.copying)", lambda d: _term(d, "copying")),
    ("R4(6)", "protection under the receiver's law (terms.protection)", lambda d: _term(d, "protection")),
    ("R4(7)", "no third party without prior written consent (terms.third_parties)", lambda d: _term(d, "third_parties")),
    ("R4(8)", "disputes and damage (terms.disputes)", lambda d: _term(d, "disputes")),
    ("R14", "additional measures (terms.measures)", lambda d: _term(d, "measures")),
)


def _each_party(draft: Table, key: str) -> bool:
    parties = draft.get("party")
    return isinstance(parties, dict) and bool(parties) and all(isinstance(p, dict) and p.get(key) for p in parties.values())


def _term(draft: Table, key: str) -> bool:
    terms = draft.get("terms")
    return isinstance(terms, dict) and bool(terms.get(key))


def drafts() -> list[str]:
    """Ids of the drafts that come with Valiza."""
    folder = resources.files("valiza.envelope") / "agreements"
    return sorted(item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml"))


def packaged_draft(name: str) -> bytes:
    """The TOML of a draft that comes with Valiza."""
    return (resources.files("valiza.envelope") / "agreements" / f"{name}.toml").read_bytes()


def missing_points(draft: Table) -> list[str]:
    """What R4 asks for and the draft lacks: clause and words, in R4's order."""
    return [f"{clause}: {words}" for clause, words, has in _POINTS if not has(draft)]


def read_draft(raw: bytes) -> Profile:
    """Read a TOML draft.

    Raises:
        Malformed: not TOML, or a field is wrong.
        Refused: a point of R4 is missing; the message names every one with its clause.
    """
    if len(raw) > MAX_DRAFT:
        message = f"the agreement is longer than {MAX_DRAFT} bytes"
        raise Malformed(message)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        message = f"the agreement is not TOML: {error}"
        raise Malformed(message) from error
    draft = parse_toml(text, "the agreement")
    missing = missing_points(draft)
    if missing:
        message = f"the agreement lacks {'; '.join(missing)}"
        raise Refused(message, "R10: a supplement is concluded for what an agreement lacks")
    try:
        _require_known_keys(draft)
        return read_profile(_profile(draft).body)  # the canonical reader has the last word on every field
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        message = f"the agreement has a field missing or of the wrong type: {error}"
        raise Malformed(message) from error


_KEYS: Final = {
    *("id", "version", "previous", "title", "suites", "stamp", "padding", "skew", "max_transit", "valid_from", "valid_until"),
    *("party", "row", "channel", "transport", "escort", "handling", "terms"),
}
_ITEM_KEYS: Final = {
    "row": {"from", "code", "to"},
    "channel": {"id", "needs_reference", "names"},
    "transport": {"id", "names"},
    "escort": {"id", "names"},
    "handling": {"party", "code", "channels", "transports", "escorts"},
}
_PARTY_KEYS: Final = {"names", "mark", "competent", "confirming", "basis"}
_MARK_KEYS: Final = {"code", "text", "names"}


def _require_known_keys(draft: Table) -> None:
    """A key that is misspelt must not pass for one that was left out: `need_reference` would silently lift A5.5."""
    _known(draft, _KEYS, "the agreement")
    _known(draft["terms"], set(TERMS), "terms")
    for what, keys in _ITEM_KEYS.items():
        for item in draft[what]:
            _known(item, keys, what)
    for key, terms in draft["party"].items():
        _known(terms, _PARTY_KEYS, f"party.{key}")
        for mark in terms["mark"]:
            _known(mark, _MARK_KEYS, f"party.{key}.mark")


def _known(table: Table, keys: set[str], where: str) -> None:
    unknown = sorted(set(table) - keys)
    if unknown:
        message = f"{where} has keys that mean nothing: {', '.join(unknown)}"
        raise Malformed(message)


def _profile(draft: Table) -> Profile:
    parties = [_party(key, draft["party"][key]) for key in sorted(draft["party"])]
    if len(parties) != 2:  # noqa: PLR2004 - an agreement is between two
        message = "an agreement has two parties"
        raise Malformed(message)
    previous = draft.get("previous")
    return Profile(
        id=draft["id"],
        version=draft["version"],
        previous=bytes.fromhex(previous) if previous else None,
        title=draft["title"],
        parties=(parties[0], parties[1]),
        rows=_once("rows", [(Mark(row["from"], row["code"]), row["to"]) for row in draft["row"]]),
        channels=_once("channels", [(c["id"], (c["needs_reference"], c["names"])) for c in draft["channel"]]),
        transports=_once("transports", [(t["id"], t["names"]) for t in draft["transport"]]),
        escorts=_once("escorts", [(e["id"], e["names"]) for e in draft["escort"]]),
        handling=_once(
            "handling",
            [
                (Mark(h["party"], h["code"]), Handling(*(tuple(sorted(h[key])) for key in ("channels", "transports", "escorts"))))
                for h in draft["handling"]
            ],
        ),
        terms={key: draft["terms"][key] for key in TERMS},
        suites=tuple(draft.get("suites", [1])),
        stamp=draft.get("stamp", "open"),
        padding=_padding(draft.get("padding", "none")),
        skew=draft["skew"],
        max_transit=draft["max_transit"],
        valid_from=_seconds(draft["valid_from"]),
        valid_until=_seconds(draft["valid_until"]) if "valid_until" in draft else None,
    )


def _once(what: str, pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        message = f"something stands twice in {what} of the agreement: each direction is a function (A2)"
        raise Malformed(message)
    return table


def _party(key: str, table: Table) -> PartyTerms:
    return PartyTerms(
        id=key,
        names=table["names"],
        marks=tuple(MarkText(m["code"], m["text"], m["names"]) for m in table["mark"]),
        competent=tuple(sorted(table["competent"])),
        confirming=tuple(sorted(table["confirming"])),
        basis=tuple(sorted(table["basis"])),
    )


def _padding(value: object) -> Padding:
    if isinstance(value, dict):
        _known(value, {"multiple"}, "padding")
        return Padding("multiple", value["multiple"])
    return Padding(str(value))


def _seconds(value: object) -> int:
    if not isinstance(value, datetime):
        message = f"{value!r} is not a time: write 2026-01-01T00:00:00Z"
        raise Malformed(message)
    return int((value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp())
