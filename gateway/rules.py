"""The rules of a gateway, as its administrator writes them: TOML, strictly read (docs/gateway.md, Rules).

What is not said is as in `DEFAULT`. A key that is not known is an error, and so is a value that could mean two things.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeVar

from valiza.envelope.receipt import Verdict
from valiza.gateway.decision import FAULTS, Action, GatewayVerdict
from valiza.keys.errors import Malformed
from valiza.keys.fields import body_id, code, party, word
from valiza.keys.files import read_text_file
from valiza.keys.toml import parse_toml

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

__all__ = ["ACTIONS", "DEFAULT", "BadRules", "Limits", "MarkTexts", "Mode", "Rules", "Unsealed", "bare_address", "parse_rules", "read_rules"]

T = TypeVar("T")
S = TypeVar("S", bound=str)
_VERSION: Final = 1
_NONE: Final[tuple[str, ...]] = ()
_MAX_BYTES: Final = 1 << 20
_MOST: Final = 10_000  # items of a list or table
_KIB: Final = 1024

# What each verdict leads to where the rules say nothing else.
ACTIONS: Final[Mapping[str, Action]] = MappingProxyType(
    {
        Verdict.DELIVERED: Action.ACCEPT,
        Verdict.ATTESTED: Action.ACCEPT,
        Verdict.REFUSED: Action.ACCEPT,
        Verdict.DISCREPANT: Action.ACCEPT,
        Verdict.LATE: Action.ACCEPT,
        Verdict.ACKNOWLEDGED: Action.ACCEPT,
        Verdict.WITHDRAWN: Action.ACCEPT,
        Verdict.UNSOLICITED: Action.REJECT,
        Verdict.CONFLICT: Action.QUARANTINE,
        GatewayVerdict.NONE: Action.ACCEPT,
        GatewayVerdict.DUPLICATE: Action.ACCEPT,
        GatewayVerdict.ARRIVED: Action.ACCEPT,
        GatewayVerdict.OUTGOING: Action.ACCEPT,
        GatewayVerdict.PASSING: Action.ACCEPT,
        GatewayVerdict.STATEMENT: Action.ACCEPT,
        GatewayVerdict.MISADDRESSED: Action.REJECT,
        GatewayVerdict.UNRECORDED: Action.REJECT,
        GatewayVerdict.UNVERIFIED: Action.REJECT,
        GatewayVerdict.MALFORMED: Action.REJECT,
        GatewayVerdict.NOT_AUTHENTIC: Action.REJECT,
        GatewayVerdict.FORBIDDEN: Action.REJECT,
        GatewayVerdict.SENDER: Action.REJECT,
        GatewayVerdict.UNSEALED: Action.REJECT,
        GatewayVerdict.TOO_LARGE: Action.REJECT,
        GatewayVerdict.TOO_COMPLEX: Action.REJECT,
        GatewayVerdict.UNAVAILABLE: Action.DEFER,
        GatewayVerdict.FAULT: Action.DEFER,
    }
)
# Of what did not verify, or was not looked at, nothing is accepted; and only what the gateway cannot say yet is deferred.
_UNSEEN: Final = {GatewayVerdict.MALFORMED, GatewayVerdict.NOT_AUTHENTIC, GatewayVerdict.TOO_LARGE, GatewayVerdict.TOO_COMPLEX}
_ANY: Final = (Action.ACCEPT, Action.QUARANTINE, Action.REJECT)

DEFAULT: Final = """\
# Rules of a mail gateway (docs/gateway.md, Rules). What is left out is as it stands here; a line that begins with "#" and a key is an example.
version = 1
mode = "enforce"                       # "observe": verdicts in headers and log only; everything is accepted, and nothing is entered
# channel = "encrypted"                # the channel that an envelope's stamp has to name, or a list of them; without it any of its agreement
# marks = { KZ = ["3"], BY = ["3"] }   # codes of each party's marks that may pass here; of a party that is not named: all of the agreement
closed = "accept"                      # "reject": no envelope whose stamp hides its mark
pass_for = []                          # ids of other bodies whose mail passes here: verified, and not entered

[limits]
message = "100 MiB"                    # the whole of it; B, KiB, MiB, GiB
parts = 200                            # of all levels together
depth = 12                             # of parts, and messages inside
objects = 16                           # of Valiza, in one message
time = "60 s"                          # for one message, then it is deferred; s, min
connections = 200                      # of mail servers at a time (valiza gateway serve)

[senders]                              # who may send for whom: the origin of an envelope, or who signed anything else. Empty: not checked
# "mfa.gov.by" = ["BY-MFA"]            # a domain, without those below it
# "post@gov.kz" = ["KZ-MFA"]           # an address; it goes before its domain
# "<>" = ["KZ-MFA"]                    # mail without a sender: mail servers send back so what they cannot deliver

[unsealed]                             # what must not travel outside an envelope
names = []                             # of attachments: patterns with * and ?, capitals do not count
media_types = []                       # the same
marks = false                          # true: a mark's text where it stands as a mark; "anywhere": also inside a sentence

[actions]                              # of each verdict: accept, quarantine or reject
"""


class BadRules(Malformed):
    """A file of rules that cannot be followed; the message begins with the path of the key."""


class Mode(StrEnum):
    """Whether decisions are carried out."""

    ENFORCE = "enforce"
    OBSERVE = "observe"


class MarkTexts(StrEnum):
    """Where the text of a mark counts as one."""

    IGNORED = "ignored"
    STANDING = "standing"
    ANYWHERE = "anywhere"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a message may take.

    Attributes:
        message: bytes.
        parts: of all levels together.
        depth: of parts and messages inside.
        objects: of Valiza, in one message.
        time: seconds for one message.
        connections: of mail servers at a time.
    """

    message: int = 100 << 20
    parts: int = 200
    depth: int = 12
    objects: int = 16
    time: int = 60
    connections: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsealed:
    """What must not travel outside an envelope; patterns in small letters."""

    names: tuple[str, ...] = ()
    media_types: tuple[str, ...] = ()
    marks: MarkTexts = MarkTexts.IGNORED


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The rules of a gateway.

    Attributes:
        mode: whether they are carried out.
        channels: that an envelope's stamp may name; None: any of its agreement.
        marks: codes that may pass, by party; of a party that is not there all.
        closed: whether an envelope passes whose stamp hides its mark.
        pass_for: ids of further bodies behind this gateway.
        limits: how much a message may take.
        senders: ids of bodies by address or domain, in small letters; empty: senders are not checked.
        unsealed: what must not travel outside an envelope.
        actions: of every verdict.
    """

    mode: Mode = Mode.ENFORCE
    channels: frozenset[str] | None = None
    marks: Mapping[str, frozenset[str]] = field(default_factory=dict)
    closed: bool = True
    pass_for: frozenset[str] = frozenset()
    limits: Limits = field(default_factory=Limits)
    senders: Mapping[str, frozenset[str]] = field(default_factory=dict)
    unsealed: Unsealed = field(default_factory=Unsealed)
    actions: Mapping[str, Action] = field(default_factory=lambda: ACTIONS)

    def may_send(self, address: str, body: str) -> bool:
        """Whether mail of an address may carry what a body of this id said; an empty address is that of no sender."""
        if not self.senders:
            return True
        bare = bare_address(address)
        known = self.senders.get(bare or "<>")
        if known is None:
            known = self.senders.get(bare.rpartition("@")[2], frozenset())
        return body in known


def bare_address(address: str) -> str:
    """An address as rules name it: without angle brackets, in small letters, its domain in ASCII; empty where there is none."""
    local, at, domain = address.strip().removeprefix("<").removesuffix(">").strip().rpartition("@")
    return f"{local.casefold()}{at}{_ascii(domain)}"


def _ascii(domain: str) -> str:
    """A domain by which names with other letters are compared, and without the full stop at its end."""
    lower = domain.casefold().rstrip(".")
    if lower.isascii():
        return lower
    try:
        return lower.encode("idna").decode("ascii")
    except UnicodeError:
        return lower


def read_rules(path: Path) -> Rules:
    """The rules in a file.

    Raises:
        BadRules: it cannot be followed. Unavailable: it cannot be read.
    """
    try:
        text = read_text_file(path, _MAX_BYTES, "the file of rules")
    except Malformed as error:
        raise BadRules(error.message, error.hint) from error
    return parse_rules(text, repr(str(path)))


def parse_rules(text: str, what: str = "the rules") -> Rules:
    """The rules in a text.

    Args:
        text: the whole of it.
        what: its name, for the error.

    Raises:
        BadRules: it cannot be followed.
    """
    try:
        return _rules(_Table(parse_toml(text, what), ""))
    except _Wrong as wrong:
        message = f"{what}: {wrong.path}: {wrong.what}"
        raise BadRules(message, wrong.hint) from None
    except Malformed as error:
        raise BadRules(error.message, "see the rules that hold where nothing is said: valiza gateway rules show") from error


# -- reading --------------------------------------------------------------------------------------------------------------


class _Wrong(Exception):
    """A value, by the path of its key."""

    def __init__(self, path: str, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.path, self.what, self.hint = path, what, hint


_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")


class _Table:
    """A table of which every key has to be asked for."""

    def __init__(self, values: Mapping[str, Any], path: str) -> None:
        self._left = dict(values)
        self._path = path
        self._known: list[str] = []

    def path(self, key: str) -> str:
        shown = key if _BARE.fullmatch(key) else json.dumps(key, ensure_ascii=False)
        return f"{self._path}.{shown}" if self._path else shown

    def take(self, key: str, read: Callable[[str, Any], T], otherwise: T) -> T:
        self._known.append(key)
        return read(self.path(key), self._left.pop(key)) if key in self._left else otherwise

    def table(self, key: str) -> _Table:
        return self.take(key, _table, _Table({}, self.path(key)))

    def items(self) -> list[tuple[str, Any]]:
        """Everything in it, where the keys are the administrator's."""
        found, self._left = list(self._left.items()), {}
        if len(found) > _MOST:
            raise _Wrong(self._path, f"it has more than {_MOST} keys")
        return found

    def require_empty(self) -> None:
        for key in self._left:
            raise _Wrong(self.path(key), "there is no such key", f"there {'is' if len(self._known) == 1 else 'are'}: {', '.join(self._known)}")


def _rules(table: _Table) -> Rules:
    version = table.take("version", _whole(1, 1 << 31), None)
    if version != _VERSION:
        raise _Wrong("version", "it is missing" if version is None else f"{version} is not known", f"write: version = {_VERSION}")
    marks = table.table("marks")
    limits, unsealed = table.table("limits"), table.table("unsealed")
    senders, actions = table.table("senders"), table.table("actions")
    usual = Limits()
    rules = Rules(
        mode=table.take("mode", _one_of(*Mode), Mode.ENFORCE),
        channels=table.take("channel", _channels, None),
        marks={_party(marks, key): frozenset(_texts(_code)(marks.path(key), value)) for key, value in marks.items()},
        closed=table.take("closed", _one_of(Action.ACCEPT, Action.REJECT), Action.ACCEPT) is Action.ACCEPT,
        pass_for=frozenset(table.take("pass_for", _texts(_body), _NONE)),
        limits=Limits(
            message=limits.take("message", _bytes, usual.message),
            parts=limits.take("parts", _whole(1, 100_000), usual.parts),
            depth=limits.take("depth", _whole(1, 100), usual.depth),
            objects=limits.take("objects", _whole(1, 1000), usual.objects),
            time=limits.take("time", _seconds, usual.time),
            connections=limits.take("connections", _whole(1, 100_000), usual.connections),
        ),
        senders=_senders(senders),
        unsealed=Unsealed(
            names=unsealed.take("names", _texts(_pattern), _NONE),
            media_types=unsealed.take("media_types", _texts(_pattern), _NONE),
            marks=unsealed.take("marks", _mark_texts, MarkTexts.IGNORED),
        ),
        actions={**ACTIONS, **dict(_action(actions, key, value) for key, value in actions.items())},
    )
    for one in (table, limits, unsealed):
        one.require_empty()
    return rules


def _table(path: str, value: object) -> _Table:
    if not isinstance(value, dict):
        raise _Wrong(path, "it is no table")
    return _Table(value, path)


def _text(path: str, value: object) -> str:
    if not isinstance(value, str):
        raise _Wrong(path, "it is no text", 'write it between quotation marks: "…"')
    return value


def _whole(least: int, most: int) -> Callable[[str, Any], int]:
    def read(path: str, value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise _Wrong(path, "it is no whole number")
        if not least <= value <= most:
            raise _Wrong(path, f"{value} is not between {least} and {most}")
        return value

    return read


def _one_of(*words: S) -> Callable[[str, Any], S]:
    def read(path: str, value: object) -> S:
        found = next((word for word in words if word == value), None)
        if found is None:
            raise _Wrong(path, f"{value!r} is none of {', '.join(map(repr, map(str, words)))}")
        return found

    return read


def _texts(read_one: Callable[[str, Any], str]) -> Callable[[str, Any], tuple[str, ...]]:
    def read(path: str, value: object) -> tuple[str, ...]:
        if not isinstance(value, list):
            raise _Wrong(path, "it is no list", 'write: ["…", "…"]')
        if len(value) > _MOST:
            raise _Wrong(path, f"it has more than {_MOST} items")
        found = tuple(read_one(f"{path}[{index}]", item) for index, item in enumerate(value))
        twice = [item for item, count in Counter(found).items() if count > 1]
        if twice:
            raise _Wrong(path, f"{twice[0]!r} is in it twice")
        return found

    return read


def _field(read_field: Callable[[Any, str], str], path: str, value: object) -> str:
    try:
        return read_field(_text(path, value), "it")
    except Malformed as error:
        raise _Wrong(path, f"{value!r} is not {error.message.partition(' is not ')[2] or 'well-formed'}") from None


def _code(path: str, value: object) -> str:
    return _field(code, path, value)


def _body(path: str, value: object) -> str:
    return _field(body_id, path, value)


def _party(table: _Table, key: str) -> str:
    return _field(party, table.path(key), key)


def _channels(path: str, value: object) -> frozenset[str]:
    named = [value] if isinstance(value, str) else value
    found = frozenset(_texts(lambda path, value: _field(word, path, value))(path, named))
    if not found:
        raise _Wrong(path, "no channel is named", "leave it out, and every channel of the agreement is allowed")
    return found


_ADDRESS: Final = re.compile(r"<>|(?:[^\s@<>,;:\"\\]+@)?(?![.-])[\w.-]+(?<![.-])")


def _senders(table: _Table) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for key, value in table.items():
        if _ADDRESS.fullmatch(key) is None:
            hint = 'write "example.org", "post@example.org", or "<>" for mail without a sender'
            raise _Wrong(table.path(key), "it is neither a domain nor an address", hint)
        bare = key if key == "<>" else bare_address(key)
        if bare in found:
            raise _Wrong(table.path(key), "it is there twice, written in two ways")
        found[bare] = frozenset(_texts(_body)(table.path(key), value))
    return found


def _pattern(path: str, value: object) -> str:
    text = _text(path, value)
    if not text.strip("*? \t"):
        raise _Wrong(path, f"{text!r} would fit everything")
    return text.casefold()


def _mark_texts(path: str, value: object) -> MarkTexts:
    if isinstance(value, bool):
        return MarkTexts.STANDING if value else MarkTexts.IGNORED
    if value == MarkTexts.ANYWHERE:
        return MarkTexts.ANYWHERE
    raise _Wrong(path, f"{value!r} is none of true, false, 'anywhere'")


_SIZE: Final = re.compile(r"([0-9]{1,12}) ?(B|KiB|MiB|GiB)")
_UNITS: Final = {"B": 1, "KiB": _KIB, "MiB": _KIB**2, "GiB": _KIB**3}
_TIME: Final = re.compile(r"([0-9]{1,6}) ?(s|min)")
_MOST_BYTES: Final = 1 << 40
_LEAST_BYTES: Final = 64 * _KIB  # a receipt goes in
_MOST_SECONDS: Final = 3600


def _bytes(path: str, value: object) -> int:
    said = _SIZE.fullmatch(_text(path, value))
    if said is None:
        raise _Wrong(path, f"{value!r} is no size", 'write it like "100 MiB"')
    return _whole(_LEAST_BYTES, _MOST_BYTES)(path, int(said[1]) * _UNITS[said[2]])


def _seconds(path: str, value: object) -> int:
    said = _TIME.fullmatch(_text(path, value))
    if said is None:
        raise _Wrong(path, f"{value!r} is no time", 'write it like "60 s"')
    return _whole(1, _MOST_SECONDS)(path, int(said[1]) * (60 if said[2] == "min" else 1))


def _action(table: _Table, key: str, value: object) -> tuple[str, Action]:
    path = table.path(key)
    if key not in ACTIONS:
        raise _Wrong(path, "there is no such verdict", f"there are: {', '.join(ACTIONS)}")
    if key in FAULTS:
        raise _Wrong(path, "such a message is deferred in any case", "leave it out")
    allowed = [action for action in _ANY if action is not Action.ACCEPT or key not in _UNSEEN]
    return key, _one_of(*allowed)(path, value)
