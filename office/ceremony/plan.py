"""Plans of ceremonies (specs/transcript.md, Plan): TOML that people agree on beforehand, read into a `Plan`. The bytes are kept as they are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from valiza.keys.backup import MAX_SHARES
from valiza.keys.credential import PURPOSES
from valiza.keys.errors import Malformed
from valiza.keys.fields import Names, body_id, code, one_of, party, word
from valiza.keys.revocation import KINDS as REVOKED
from valiza.keys.revocation import REASONS
from valiza.keys.root import MAX_CUSTODIANS
from valiza.keys.toml import parse_toml
from valiza.keys.transcript import KINDS, MAX_PLAN, plan_digest
from valiza.office.ceremony import tables
from valiza.office.ceremony.tables import Table

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["GRANTED", "ROOT_KINDS", "Grant", "NewRoot", "Person", "Plan", "Revoke", "read_plan"]

ROOT_KINDS: Final = ("new-root", "rotation", "replacement")  # those that end in a version of a root
WITNESS_KEYS: Final = ("new", "request", "act")
CUSTODIAN_KEYS: Final = {
    "new-root": ("new", "request"),
    "rotation": ("new", "previous", "request", "none"),
    "replacement": ("new", "previous", "request", "none"),
    "new-body": ("previous",),
    "compromise": ("previous",),
    "recovery": ("recover",),
}
GRANTED: Final = tuple(purpose for purpose in PURPOSES if purpose in {"certify", "roster"})  # what a root certifies for
MAX_PAPERS: Final = 16
_MOST: Final = {"witness": 16, "shareholder": MAX_SHARES, "custodian": 2 * MAX_CUSTODIANS}  # custodians: those who leave are there too
_MANY: Final = {"witness": "witnesses", "shareholder": "shareholders", "custodian": "custodians"}
_NO_FILES: Final[tuple[str, ...]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody whom a plan names, and what becomes of his key.

    Attributes:
        id: a word, by which answers and transcript name him.
        role: operator, custodian, shareholder or witness.
        names: for display.
        key: `new` is made in the ceremony, `previous` is that of the root before, `recover` the same, from its shares; `request` and `act` are in
            files; `none`: he has none, or leaves.
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
class Grant:
    """A credential that the root is to issue. `request` is the file that asks for its key, `known` earlier credentials of the same subject."""

    purpose: str
    body: str
    names: Names
    clearance: str | None
    certifies_bodies: bool
    valid_from: int
    valid_until: int
    request: str
    known: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoke:
    """A credential that the root is to revoke: its file, then its issuers from below. Without another time that is effective when it is drafted."""

    files: tuple[str, ...]
    kind: str
    reason: str
    number: int
    effective_at: int | None


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
        fingerprint: what the root before is called, as those who wrote the plan know it.
        new_root: what the root is to say that is made.
        grants: credentials that the root is to issue.
        revokes: credentials that the root is to revoke.
        sealed_backup: whether the shares of a key that is recovered need a passphrase.
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
    fingerprint: bytes | None
    new_root: NewRoot | None
    grants: tuple[Grant, ...]
    revokes: tuple[Revoke, ...]
    sealed_backup: bool
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
    plan = Plan(
        raw=raw,
        kind=kind,
        title=table.take("title", tables.text),
        place=table.maybe("place", tables.text, ""),
        code=table.maybe("code", tables.digest, None),
        entropy=table.maybe("entropy", tables.entropy, ()),
        people=tuple(_people(table, kind)),
        roots=() if kind == "new-root" else table.take("root", tables.roots),
        fingerprint=None if kind == "new-root" else table.maybe("root_fingerprint", tables.digest, None),
        new_root=_new_root(table.take("new_root", Table), first=kind == "new-root") if kind in ROOT_KINDS else None,
        grants=tuple(_grant(one) for one in table.tables("credential")) if kind in {"new-body", "compromise"} else (),
        revokes=tuple(_revoke(one) for one in table.tables("revocation")) if kind == "compromise" else (),
        sealed_backup=table.maybe("sealed_backup", tables.flag, otherwise=False) if kind == "recovery" else False,
        inputs=table.maybe("inputs", tables.inputs, {}),
    )
    table.done()
    _require_inputs(plan)
    _require_people(plan)
    _require_work(plan)
    return plan


def _people(table: Table, kind: str) -> Iterable[Person]:
    operator = table.take("operator", Table)
    yield Person(id=operator.take("id", word), role="operator", names=operator.take("names", tables.names))
    operator.done()
    for one in table.tables("custodian"):
        yield _custodian(one, kind)
    for one in table.tables("shareholder") if kind == "recovery" else []:
        yield Person(id=one.take("id", word), role="shareholder", names=one.take("names", tables.names))
        one.done()
    for one in table.tables("witness"):
        yield _witness(one, first=kind == "new-root")


def _custodian(table: Table, kind: str) -> Person:
    key = table.take("key", lambda value, what: one_of(value, what, CUSTODIAN_KEYS[kind]))
    id_, called = table.take("id", word), table.take("names", tables.names)
    person = None if kind == "new-root" else table.maybe("person", tables.person_id, None)
    if person is None and key in {"previous", "recover", "none"}:
        message = f"{table.where} has no person: the custodian's id in the root before"
        raise Malformed(message)
    found = Person(
        id=id_,
        role="custodian",
        names=called,
        key=key,
        person=person,
        present=table.maybe("present", tables.flag, otherwise=True),
        lost=table.maybe("lost", tables.flag, otherwise=False) if person is not None else False,
        files=(table.take("request", tables.file),) if key == "request" else (),
    )
    table.done()
    if found.lost and key in {"previous", "recover"}:
        message = f"{table.where} has a key that is lost"
        raise Malformed(message)
    if key in {"new", "recover"} and not found.present:
        message = f"{table.where} gets a key in the ceremony, and is not present"
        raise Malformed(message)
    return found


def _witness(table: Table, *, first: bool) -> Person:
    key = table.take("key", lambda value, what: one_of(value, what, WITNESS_KEYS))
    files: tuple[str, ...] = ()
    if key == "request":
        files = (table.take("request", tables.file),)
    elif key == "act":
        files = (table.take("credential", tables.file), *table.maybe("issuers", tables.files, _NO_FILES))
    if key == "act" and first:
        message = f"{table.where} has a credential, and there is no root yet to have certified anybody"
        raise Malformed(message)
    found = Person(id=table.take("id", word), role="witness", names=table.take("names", tables.names), key=key, files=files)
    table.done()
    return found


def _new_root(table: Table, *, first: bool) -> NewRoot:
    found = NewRoot(
        party=table.take("party", party) if first else None,
        degrees=table.take("degrees", tables.degrees) if first else None,
        names=table.take("names", tables.names),
        threshold=table.take("threshold", tables.count),
        valid_from=table.take("valid_from", tables.time),
        valid_until=table.take("valid_until", tables.time),
    )
    table.done()
    if found.valid_from >= found.valid_until:
        message = "new_root is valid until before it is valid"
        raise Malformed(message)
    return found


def _grant(table: Table) -> Grant:
    purpose = table.take("purpose", lambda value, what: one_of(value, what, GRANTED))
    found = Grant(
        purpose=purpose,
        body=table.take("body", body_id),
        names=table.take("names", tables.names),
        clearance=table.maybe("clearance", code, None),
        certifies_bodies=table.maybe("certifies_bodies", tables.flag, otherwise=False) if purpose == "certify" else False,
        valid_from=table.take("valid_from", tables.time),
        valid_until=table.take("valid_until", tables.time),
        request=table.take("request", tables.file),
        known=table.maybe("known", tables.files, _NO_FILES),
    )
    table.done()
    return found


def _revoke(table: Table) -> Revoke:
    found = Revoke(
        files=(table.take("credential", tables.file), *table.maybe("issuers", tables.files, _NO_FILES)),
        kind=table.take("kind", lambda value, what: one_of(value, what, REVOKED)),
        reason=table.take("reason", lambda value, what: one_of(value, what, REASONS)),
        number=table.take("number", tables.count),
        effective_at=table.maybe("effective_at", tables.time, None),
    )
    table.done()
    return found


def _require_inputs(plan: Plan) -> None:
    wanted = [*plan.roots, *(name for one in plan.people for name in one.files)]
    wanted += [name for one in plan.grants for name in (one.request, *one.known)]
    wanted += [name for one in plan.revokes for name in one.files]
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
    for role, most in _MOST.items():
        if len(plan.of_role(role)) > most:
            message = f"a plan has more than {most} {_MANY[role]}"
            raise Malformed(message)
    if not plan.of_role("witness"):
        message = "a plan has no witness"
        raise Malformed(message)


def _require_work(plan: Plan) -> None:
    """There is something to do, and it can be done."""
    if plan.new_root is not None:
        keeping = [one for one in plan.of_role("custodian") if one.key != "none"]
        signing = [one for one in keeping if one.present]
        if not plan.new_root.threshold <= len(signing):
            message = f"the new root needs {plan.new_root.threshold} of its custodians, and {len(signing)} of them are present"
            raise Malformed(message)
        if len(keeping) > MAX_CUSTODIANS:
            message = f"a root has at most {MAX_CUSTODIANS} custodians"
            raise Malformed(message)
    least = {"new-body": (1, 0), "compromise": (0, 1)}.get(plan.kind, (0, 0))
    if not (least[0] <= len(plan.grants) <= MAX_PAPERS and least[1] <= len(plan.revokes) <= MAX_PAPERS):
        message = f"a plan for a {plan.kind} has too few or too many credentials or revocations: at least one, at most {MAX_PAPERS}"
        raise Malformed(message)
    if plan.kind == "recovery" and (len(plan.of_role("custodian")) != 1 or not plan.of_role("shareholder")):
        message = "a plan for a recovery has one custodian, and shareholders"
        raise Malformed(message)
