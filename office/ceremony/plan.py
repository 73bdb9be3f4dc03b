"""Plans of ceremonies (specs/transcript.md, Plan): TOML that people agree on beforehand, read into a `Plan`. The bytes are kept as they are."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar

from valiza.keys.encoding import pack
from valiza.keys.errors import Malformed
from valiza.keys.fields import MAX_TIME, Names, code, names, one_of, party, text, word
from valiza.keys.root import MAX_VERSIONS
from valiza.keys.toml import parse_toml
from valiza.keys.transcript import KINDS, MAX_PLAN, plan_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["ENTROPY", "ROOT_KINDS", "NewRoot", "Person", "Plan", "read_plan"]

ROOT_KINDS: Final = ("new-root", "rotation", "replacement")  # those that end in a version of a root
ENTROPY: Final = ("dice", "keyboard")  # what custodians may add to what the system draws
CUSTODIAN_KEYS: Final = ("new", "previous", "request", "none")
WITNESS_KEYS: Final = ("new", "request", "act")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NO_FILES: Final[tuple[str, ...]] = ()
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody whom a plan names, and what becomes of his key.

    Attributes:
        id: a word, by which answers and transcript name him.
        role: operator, custodian or witness.
        names: for display.
        key: `new` is made in the ceremony, `previous` is kept from the root before, `request` and `act` are in files; `none`: he has none, or leaves.
        person: a custodian's id in the root before; None for one who is new in it.
        present: whether he is in the room, and signs.
        lost: whether his key in the root before cannot sign any more.
        files: the request; or the credential, then its issuers from below.
    """

    id: str
    role: str
    names: Names
    key: str = "none"
    person: bytes | None = None
    present: bool = True
    lost: bool = False
    files: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """A name for display: English, else the first."""
        return self.names.get("en", next(iter(self.names.values())))


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRoot:
    """What the root is to say that a ceremony makes. Party and degrees are None where those of the root before stay."""

    party: str | None
    degrees: tuple[str, ...] | None
    names: Names
    threshold: int
    valid_from: int
    valid_until: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be done, by whom.

    Attributes:
        raw: the very bytes.
        kind: of ceremony.
        title, place: for people.
        code: digest of the program that was agreed on, if one was.
        entropy: what is typed for each new key.
        people: all who are named, the operator first.
        roots: files with the root before: the latest version, or all.
        new_root: what the root is to say that is made.
        inputs: digests of all files by name.
    """

    raw: bytes = field(repr=False)
    kind: str
    title: str
    place: str
    code: bytes | None
    entropy: tuple[str, ...]
    people: tuple[Person, ...]
    roots: tuple[str, ...]
    new_root: NewRoot | None
    inputs: dict[str, bytes] = field(repr=False)

    @property
    def digest(self) -> bytes:
        """What the plan is called."""
        return plan_digest(self.raw)

    def person(self, id_: str) -> Person:
        """The one with an id, who is in the plan."""
        return next(one for one in self.people if one.id == id_)

    def of_role(self, role: str) -> list[Person]:
        """Those in a role, in the plan's order."""
        return [one for one in self.people if one.role == role]

    @property
    def operator(self) -> Person:
        """Who sits at the keyboard."""
        return self.of_role("operator")[0]


class Table:
    """A table of a plan, from which each key is taken once; what is left over means nothing and is refused."""

    def __init__(self, value: object, where: str) -> None:
        if not isinstance(value, dict):
            message = f"{where} is no table"
            raise Malformed(message)
        self._items: dict[str, Any] = dict(value)
        self.where = where

    def take(self, key: str, read: Callable[[Any, str], T]) -> T:
        """A key that has to be there."""
        if key not in self._items:
            message = f"{self.where} has no {key}"
            raise Malformed(message)
        return read(self._items.pop(key), f"{key} of {self.where}")

    def maybe(self, key: str, read: Callable[[Any, str], T], otherwise: T) -> T:
        """A key that may be left out."""
        return self.take(key, read) if key in self._items else otherwise

    def tables(self, key: str) -> list[Table]:
        """An array of tables, perhaps empty."""
        items = self._items.pop(key, [])
        if not isinstance(items, list):
            message = f"{key} of {self.where} is no array of tables"
            raise Malformed(message)
        return [Table(item, f"{key} {index + 1}") for index, item in enumerate(items)]

    def done(self) -> None:
        """Refuse what was not taken."""
        if self._items:
            message = f"{self.where} has keys that mean nothing here: {', '.join(sorted(map(str, self._items)))}"
            raise Malformed(message)


def read_plan(raw: bytes) -> Plan:
    """Read a plan (transcript.md, Plan).

    Raises:
        Malformed: it is none, says what means nothing, or leaves out what is needed.
    """
    if len(raw) > MAX_PLAN:
        message = f"a plan is longer than {MAX_PLAN} bytes"
        raise Malformed(message)
    try:
        table = Table(parse_toml(raw.decode("utf-8"), "the plan"), "the plan")
    except UnicodeDecodeError as error:
        message = "a plan is not text in UTF-8"
        raise Malformed(message) from error
    kind = table.take("ceremony", lambda value, what: one_of(value, what, KINDS))
    new_root = _new_root(table.take("new_root", Table), first=kind == "new-root") if kind in ROOT_KINDS else None
    plan = Plan(
        raw=raw,
        kind=kind,
        title=table.take("title", _text),
        place=table.maybe("place", _text, ""),
        code=table.maybe("code", _digest, None),
        entropy=table.maybe("entropy", _entropy, ()),
        people=tuple(_people(table, kind)),
        roots=() if kind == "new-root" else table.take("root", _roots),
        new_root=new_root,
        inputs=table.maybe("inputs", _inputs, {}),
    )
    table.done()
    _require_inputs(plan)
    _require_people(plan)
    return plan


def _people(table: Table, kind: str) -> Iterable[Person]:
    operator = table.take("operator", Table)
    yield Person(id=operator.take("id", word), role="operator", names=operator.take("names", _names))
    operator.done()
    for one in table.tables("custodian"):
        yield _custodian(one, kind)
    for one in table.tables("witness"):
        yield _witness(one, first=kind == "new-root")


def _custodian(table: Table, kind: str) -> Person:
    allowed = {"new-root": ("new", "request"), "rotation": CUSTODIAN_KEYS, "replacement": CUSTODIAN_KEYS}.get(kind, ("previous",))
    key = table.take("key", lambda value, what: one_of(value, what, allowed))
    id_, called = table.take("id", word), table.take("names", _names)
    person = None if kind == "new-root" else table.maybe("person", _person_id, None)
    if person is None and key in {"previous", "none"}:
        message = f"{table.where} has no person: the custodian's id in the root before"
        raise Malformed(message)
    found = Person(
        id=id_,
        role="custodian",
        names=called,
        key=key,
        person=person,
        present=table.maybe("present", _flag, otherwise=True),
        lost=table.maybe("lost", _flag, otherwise=False) if person is not None else False,
        files=(table.take("request", _file),) if key == "request" else (),
    )
    table.done()
    if found.lost and key == "previous":
        message = f"{table.where} keeps a key that is lost"
        raise Malformed(message)
    if key == "new" and not found.present:
        message = f"{table.where} makes a key in the ceremony, and is not present"
        raise Malformed(message)
    return found


def _witness(table: Table, *, first: bool) -> Person:
    key = table.take("key", lambda value, what: one_of(value, what, WITNESS_KEYS))
    files: tuple[str, ...] = ()
    if key == "request":
        files = (table.take("request", _file),)
    elif key == "act":
        files = (table.take("credential", _file), *table.maybe("issuers", _files, _NO_FILES))
    if key == "act" and first:
        message = f"{table.where} has a credential, and there is no root yet to have certified anybody"
        raise Malformed(message)
    found = Person(id=table.take("id", word), role="witness", names=table.take("names", _names), key=key, files=files)
    table.done()
    return found


def _new_root(table: Table, *, first: bool) -> NewRoot:
    found = NewRoot(
        party=table.take("party", party) if first else None,
        degrees=table.take("degrees", _degrees) if first else None,
        names=table.take("names", _names),
        threshold=table.take("threshold", _count),
        valid_from=table.take("valid_from", _time),
        valid_until=table.take("valid_until", _time),
    )
    table.done()
    if found.valid_from >= found.valid_until:
        message = "new_root is valid until before it is valid"
        raise Malformed(message)
    return found


def _require_inputs(plan: Plan) -> None:
    wanted = [*plan.roots, *(name for one in plan.people for name in one.files)]
    if set(wanted) != set(plan.inputs):
        odd = sorted(set(wanted) ^ set(plan.inputs))
        message = f"inputs of the plan are not the files that it names: {', '.join(odd)}"
        raise Malformed(message, "each file that a plan names stands in [inputs] with its digest, and no other")


def _require_people(plan: Plan) -> None:
    """Each is there once; and those who have to sign can."""
    ids = [one.id for one in plan.people]
    persons = [one.person for one in plan.people if one.person is not None]
    for found, what in ((ids, "participant"), (persons, "custodian's id")):
        if len(set(found)) != len(found):
            message = f"a {what} stands twice in the plan"
            raise Malformed(message)
    if len(plan.of_role("witness")) > 16 or len(plan.of_role("custodian")) > 32:  # noqa: PLR2004 - the limits of the spec
        message = "a plan has more than 16 witnesses or 32 custodians"
        raise Malformed(message)
    if not plan.of_role("witness"):
        message = "a plan has no witness"
        raise Malformed(message)
    if plan.new_root is not None:
        keeping = [one for one in plan.of_role("custodian") if one.key != "none"]
        signing = [one for one in keeping if one.present]
        if not 1 <= plan.new_root.threshold <= len(signing):
            message = f"the new root needs {plan.new_root.threshold} of its custodians, and {len(signing)} of them are present"
            raise Malformed(message)
        if len(keeping) > 16:  # noqa: PLR2004 - the limit of a root
            message = "a root has at most 16 custodians"
            raise Malformed(message)


# -- fields --------------------------------------------------------------------------------------------------------------


def _text(value: object, what: str) -> str:
    found = text(value, what)
    pack(found)  # what no statement could hold is refused here
    return found


def _names(value: object, what: str) -> Names:
    found = names(dict(sorted(value.items())) if isinstance(value, dict) else value, what)
    pack(found)
    return found


def _digest(value: object, what: str) -> bytes:
    return _hex(value, what, 32)


def _person_id(value: object, what: str) -> bytes | None:
    return _hex(value, what, 16)


def _hex(value: object, what: str, size: int) -> bytes:
    if not isinstance(value, str) or len(value) != 2 * size or not set(value) <= set("0123456789abcdef"):
        message = f"{what} is not {2 * size} small hexadecimal digits"
        raise Malformed(message)
    return bytes.fromhex(value)


def _file(value: object, what: str) -> str:
    name = _text(value, what)
    if name in {".", ".."} or "/" in name or "\0" in name:
        message = f"{what} is not the name of a file beside the plan"
        raise Malformed(message)
    return name


def _roots(value: object, what: str) -> tuple[str, ...]:
    """One file, or those of all versions, the first one first."""
    if isinstance(value, str):
        return (_file(value, what),)
    found = tuple(_file(item, what) for item in _array(value, what, MAX_VERSIONS))
    if not found:
        message = f"{what} names no file"
        raise Malformed(message)
    return found


def _files(value: object, what: str) -> tuple[str, ...]:
    return tuple(_file(item, what) for item in _array(value, what, 4))


def _inputs(value: object, what: str) -> dict[str, bytes]:
    if not isinstance(value, dict):
        message = f"{what} is no table"
        raise Malformed(message)
    return {_file(name, what): _digest(found, f"{name} of {what}") for name, found in sorted(value.items())}


def _degrees(value: object, what: str) -> tuple[str, ...]:
    return tuple(code(item, what) for item in _array(value, what, 16))


def _entropy(value: object, what: str) -> tuple[str, ...]:
    found = tuple(one_of(item, what, ENTROPY) for item in _array(value, what, len(ENTROPY)))
    if any(not a < b for a, b in itertools.pairwise(found)):
        message = f"{what} is not in order, or stands twice"
        raise Malformed(message)
    return found


def _array(value: object, what: str, most: int) -> list[Any]:
    if not isinstance(value, list) or len(value) > most:
        message = f"{what} is not an array of at most {most}"
        raise Malformed(message)
    return value


def _count(value: object, what: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        message = f"{what} is not a number from 1 on"
        raise Malformed(message)
    return value


def _flag(value: object, what: str) -> bool:
    if not isinstance(value, bool):
        message = f"{what} is neither true nor false"
        raise Malformed(message)
    return value


def _time(value: object, what: str) -> int:
    if not isinstance(value, datetime) or value.tzinfo is None or value.microsecond:
        message = f"{what} is not a time: write 2026-01-01T00:00:00Z"
        raise Malformed(message)
    seconds = int((value - _EPOCH).total_seconds())
    if not 0 <= seconds <= MAX_TIME:
        message = f"{what} is before 1970 or after 9999"
        raise Malformed(message)
    return seconds
