"""Plans of ceremonies as a reader sees them, and the files that they name (transcript.md, Plan)."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import asking
import decode as d
import revoking
import trust
import wire
from outcome import NotAuthentic, Outcome, Refused, step
from reading import World

CUSTODIANS = {
    "new-root": ("new", "request"),
    "rotation": ("new", "previous", "request", "none"),
    "replacement": ("new", "previous", "request", "none"),
    "new-body": ("previous",),
    "compromise": ("previous",),
    "recovery": ("recover",),
}
WITH_ROOT = ("new-root", "rotation", "replacement")
SOURCES = ("dice", "keyboard")
NO = False
Table = dict[str, Any]


@dataclass
class Person:
    """Somebody in the plan; what becomes of his key, and the public key that he is known to have."""

    id: str
    role: str
    names: dict[str, str]
    key: str = "none"
    person: bytes | None = None
    present: bool = True
    lost: bool = False
    files: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """In English, or the first."""
        return self.names.get("en", next(iter(self.names.values())))


@dataclass
class Plan:
    """A plan, read."""

    kind: str
    title: str
    people: list[Person]
    entropy: list[str]
    code: bytes | None
    roots: list[str]
    fingerprint: bytes | None
    new_root: Table
    grants: list[Table]
    revocations: list[Table]
    inputs: dict[str, bytes]

    def role(self, *roles: str) -> list[Person]:
        """Those in some roles."""
        return [one for one in self.people if one.role in roles]


class _Take:
    """A table whose keys are taken one by one."""

    def __init__(self, table: object) -> None:
        d.need(isinstance(table, dict), "no table")
        self.left: Table = dict(table) if isinstance(table, dict) else {}

    def one(self, key: str, read: Callable[[Any], Any], *otherwise: Any) -> Any:  # noqa: ANN401 - values of TOML
        if key not in self.left and otherwise:
            return otherwise[0]
        d.need(key in self.left, f"no {key}")
        return read(self.left.pop(key))

    def tables(self, key: str) -> list[_Take]:
        items = self.left.pop(key, [])
        d.need(isinstance(items, list), f"{key} is no array of tables")
        return [_Take(item) for item in items]

    def end(self) -> None:
        d.need(not self.left, f"keys that mean nothing: {sorted(self.left)}")


def items_of(body: bytes) -> list[Any]:
    """The fields of a body."""
    return list(d.array(d.decode(body)))


def _names(value: object) -> dict[str, str]:
    d.need(isinstance(value, dict), "names are no table")
    found = dict(sorted(value.items())) if isinstance(value, dict) else {}
    d.need(all(isinstance(item, str) for item in found.values()), "a name is no text")
    d.names(d.decode(wire.encode(found)))
    return found


def _text(value: object) -> str:
    d.need(isinstance(value, str), "no text")
    return d.text(d.decode(wire.encode(str(value))))


def _hex(size: int) -> Callable[[object], bytes]:
    def read(value: object) -> bytes:
        d.need(isinstance(value, str) and len(value) == 2 * size and set(value) <= set("0123456789abcdef"), "not so many hexadecimal digits")
        return bytes.fromhex(str(value))

    return read


def _file(value: object) -> str:
    d.need(isinstance(value, str) and value not in {"", ".", ".."} and "/" not in value, "no file beside the plan")
    return _text(value)


def _files(value: object) -> list[str]:
    d.need(isinstance(value, list), "no array of files")
    return [_file(item) for item in value] if isinstance(value, list) else []


def _flag(value: object) -> bool:
    d.need(isinstance(value, bool), "neither true nor false")
    return bool(value)


def _time(value: object) -> int:
    d.need(isinstance(value, datetime) and value.tzinfo is not None and value.microsecond == 0, "no time with an offset")
    return d.time(int(value.timestamp())) if isinstance(value, datetime) else 0


def _number(value: object) -> int:
    d.need(isinstance(value, int) and not isinstance(value, bool), "no number")
    return d.integer(value if isinstance(value, int) else None, 1)


def _among(*words: str) -> Callable[[Any], str]:
    return lambda value: d.one_of(value, words)


def read_plan(raw: bytes) -> Plan:
    """transcript.md, Plan."""
    d.need(len(raw) <= 65536, "a plan of more than 64 KiB")
    try:
        top = _Take(tomllib.loads(raw.decode("utf-8")))
    except ValueError as error:
        d.need(condition=False, reason=f"no TOML: {error}")
        raise AssertionError from error
    kind = top.one("ceremony", _among(*CUSTODIANS))
    title = top.one("title", _text)
    top.one("place", _text, "")
    code, entropy = top.one("code", _hex(32), None), top.one("entropy", _entropy, [])
    operator = _Take(top.one("operator", lambda value: value))
    people = [Person(operator.one("id", d.word), "operator", operator.one("names", _names))]
    operator.end()
    people += [_custodian(one, kind) for one in top.tables("custodian")]
    if kind == "recovery":
        people += [_holder(one) for one in top.tables("shareholder")]
        top.one("sealed_backup", _flag, NO)
    people += [_witness(one, kind) for one in top.tables("witness")]
    roots = top.one("root", lambda value: [_file(value)] if isinstance(value, str) else _files(value)) if kind != "new-root" else []
    d.need(kind == "new-root" or bool(roots), "no root before")
    fingerprint = top.one("root_fingerprint", _hex(32), None) if kind != "new-root" else None
    new_root = _new_root(_Take(top.one("new_root", lambda value: value)), kind) if kind in WITH_ROOT else {}
    grants = [_grant(one) for one in top.tables("credential")] if kind in {"new-body", "compromise"} else []
    revocations = [_revocation(one) for one in top.tables("revocation")] if kind == "compromise" else []
    inputs = {_file(name): _hex(32)(digest) for name, digest in top.one("inputs", dict, {}).items()}
    top.end()
    plan = Plan(kind, title, people, entropy, code, roots, fingerprint, new_root, grants, revocations, inputs)
    _check(plan)
    return plan


def _entropy(value: object) -> list[str]:
    d.need(isinstance(value, list) and value == [source for source in SOURCES if source in value], "sources out of order, or unknown")
    return list(value) if isinstance(value, list) else []


def _custodian(table: _Take, kind: str) -> Person:
    one = Person(table.one("id", d.word), "custodian", table.one("names", _names), table.one("key", _among(*CUSTODIANS[kind])))
    if kind != "new-root":
        one.person = table.one("person", _hex(16), None)
    d.need(one.person is not None or one.key not in {"previous", "none", "recover"}, "no person")
    one.present = table.one("present", _flag, not NO)
    if one.person is not None:
        one.lost = table.one("lost", _flag, NO)
    d.need(not one.lost or one.key in {"new", "request", "none"}, "a lost key that is kept")
    d.need(one.present or one.key not in {"new", "recover"}, "who gets a key is not there")
    if one.key == "request":
        one.files = [table.one("request", _file)]
    table.end()
    return one


def _holder(table: _Take) -> Person:
    one = Person(table.one("id", d.word), "shareholder", table.one("names", _names))
    table.end()
    return one


def _witness(table: _Take, kind: str) -> Person:
    one = Person(table.one("id", d.word), "witness", table.one("names", _names), table.one("key", _among("new", "request", "act")))
    d.need(one.key != "act" or kind != "new-root", "nobody was certified before the first root")
    if one.key == "request":
        one.files = [table.one("request", _file)]
    if one.key == "act":
        one.files = [table.one("credential", _file), *table.one("issuers", _files, [])]
    table.end()
    return one


def _new_root(table: _Take, kind: str) -> Table:
    found = {"names": table.one("names", _names), "threshold": table.one("threshold", _number)}
    found |= {"valid from": table.one("valid_from", _time), "valid until": table.one("valid_until", _time)}
    if kind == "new-root":
        found["party"] = table.one("party", lambda value: d.matching(value, d.PARTY))
        found["degrees"] = [d.matching(code, d.CODE) for code in table.one("degrees", list)]
    table.end()
    d.need(found["valid from"] < found["valid until"], "valid until before valid from")
    return found


def _grant(table: _Take) -> Table:
    purpose = table.one("purpose", _among("certify", "roster"))
    found = {"purpose": purpose, "body": table.one("body", lambda value: d.matching(value, d.BODY_ID)), "names": table.one("names", _names)}
    found |= {"clearance": table.one("clearance", lambda value: d.matching(value, d.CODE), None)}
    found |= {"certifies": purpose == "certify" and table.one("certifies_bodies", _flag, NO)}
    found |= {"valid from": table.one("valid_from", _time), "valid until": table.one("valid_until", _time)}
    found |= {"request": table.one("request", _file), "known": table.one("known", _files, [])}
    table.end()
    return found


def _revocation(table: _Take) -> Table:
    found = {"files": [table.one("credential", _file), *table.one("issuers", _files, [])]}
    found |= {"kind": table.one("kind", _among(*revoking.KINDS)), "reason": table.one("reason", _among(*revoking.REASONS))}
    found |= {"number": table.one("number", _number), "effective": table.one("effective_at", _time, None)}
    table.end()
    return found


def _check(plan: Plan) -> None:
    """What the page asks of a plan as a whole."""
    named = [*plan.roots, *(name for one in plan.people for name in one.files)]
    named += [name for one in plan.grants for name in (one["request"], *one["known"])] + [name for one in plan.revocations for name in one["files"]]
    d.need(set(named) == set(plan.inputs), "inputs are not the files that are named")
    persons = [one.person for one in plan.people if one.person is not None]
    d.need(len({one.id for one in plan.people}) == len(plan.people) and len(set(persons)) == len(persons), "somebody stands twice")
    d.need(
        1 <= len(plan.role("witness")) <= 16 and len(plan.role("custodian")) <= 32 and len(plan.role("shareholder")) <= 16, "too many, or no witness"
    )
    keeping = [one for one in plan.role("custodian") if one.key != "none"]
    if plan.new_root:
        d.need(len(keeping) <= 16 and plan.new_root["threshold"] <= sum(one.present for one in keeping), "not enough custodians present, or too many")
    least = {"new-body": (1, 0), "compromise": (0, 1)}.get(plan.kind, (0, 0))
    d.need(least[0] <= len(plan.grants) <= 16 and least[1] <= len(plan.revocations) <= 16, "too few credentials or revocations, or too many")
    d.need(plan.kind != "recovery" or (len(keeping) == 1 and bool(plan.role("shareholder"))), "a recovery is of one key, from shares")


@dataclass
class Papers:
    """The files of a plan, read: the root before, public keys that are known, requests and credentials."""

    root: trust.Root | None
    root_names: dict[str, str]
    names_of: dict[bytes, dict[str, str]]
    party: str
    keys: dict[tuple[str, str], bytes] = field(default_factory=dict)
    ids: dict[str, bytes] = field(default_factory=dict)
    requests: dict[str, asking.Request] = field(default_factory=dict)
    digests: dict[str, bytes] = field(default_factory=dict)
    acts: dict[str, trust.Credential] = field(default_factory=dict)
    known: dict[str, trust.Credential] = field(default_factory=dict)
    alone: bool = False


def alone(roots: Sequence[trust.Root]) -> bool:
    """Whether nothing says what a root follows."""
    return len(roots) == 1 and roots[0].version > 1


def compare(plan: Plan, files: dict[str, bytes], code: bytes) -> Papers:
    """transcript.md, A plan and its inputs."""
    with step("inputs 1"):
        if {name: wire.digest("statement", raw) for name, raw in files.items()} != plan.inputs:
            raise NotAuthentic("other files than planned")
    with step("inputs 2"):
        _refuse(plan.code not in {None, code}, "another program than planned")
    with step("inputs 3"):
        roots = [trust.read_root(files[name])[0] for name in plan.roots] if len(plan.roots) < 2 else trust.read_roots([files[n] for n in plan.roots])
        if roots and plan.fingerprint not in {None, roots[-1].digest}:
            raise NotAuthentic("another root than the plan means")
        _refuse(plan.fingerprint is None and alone(roots), "a later version alone")
    papers = _papers(plan, files, roots)
    papers.alone = alone(roots)
    _fit(plan, papers)
    with step("inputs 5"):
        _files_of(plan, files, roots, papers)
    with step("inputs 6"):
        coming = [papers.keys[one.id, "own"] for one in plan.people if one.key in {"request", "act"}]
        coming += [papers.requests[one["request"]].keys[one["purpose"]] for one in plan.grants]
        parts = [part for key in coming for part in (key[:1952], key[1952:])]
        _refuse(len(set(parts)) != len(parts), "one key twice")
        different = {papers.digests[one["request"]]: papers.requests[one["request"]] for one in plan.grants}
        parts_asked = [part for asked in different.values() for key in asked.keys.values() for part in (key[:-32], key[-32:])]
        _refuse(len(set(parts_asked)) != len(parts_asked), "one key in two requests")
        before = [key for root in roots for _, key in root.custodians.values()]
        _refuse(any(part in {key[:1952], key[1952:]} for part in parts for key in before), "a key of the root before")
        _refuse(len(set(papers.ids.values())) != len(papers.ids), "one id twice")
    return papers


def _refuse(condition: bool, reason: str) -> None:  # noqa: FBT001 - a condition and what it means
    if condition:
        raise Refused(reason)


def _papers(plan: Plan, files: dict[str, bytes], roots: Sequence[trust.Root]) -> Papers:
    if not roots:
        return Papers(None, {}, {}, plan.new_root["party"])
    body = items_of(trust.read_statement(files[plan.roots[-1]], "root").body)
    return Papers(roots[-1], body[3], {person: names for person, names, _ in body[5]}, roots[-1].party)


def _fit(plan: Plan, papers: Papers) -> None:
    """Steps 3 and 4, and the keys that custodians are known to have."""
    root = papers.root
    if root is None:
        return
    own = dict(root.custodians.values())
    old = [one for one in plan.role("custodian") if one.person is not None]
    with step("inputs 3"):
        _refuse(any(one.person not in own for one in old), "a stranger")
        signing = [one for one in old if one.present and not one.lost]
        _refuse(len(signing) < root.threshold and plan.kind != "recovery", "not enough of the old ones")
        _refuse(plan.kind in {"rotation", "replacement"} and len(old) != len(own), "somebody is not mentioned")
    if plan.kind == "replacement":
        with step("inputs 4"):
            after = [one for one in plan.role("custodian") if one.key != "none"]
            same = (plan.new_root["threshold"], plan.new_root["names"], len(after)) == (root.threshold, papers.root_names, len(own))
            same &= plan.new_root["valid until"] == root.valid_until
            same &= all(one.names == papers.names_of[one.person] for one in after if one.person is not None)
            _refuse(not same or all(one.key == "previous" for one in plan.role("custodian")), "more changes than custodians, or nothing")
    for one in old:
        papers.ids[one.id] = one.person or b""
        papers.keys[one.id, "own" if one.key in {"previous", "recover"} else "previous"] = own[one.person or b""]


def _files_of(plan: Plan, files: dict[str, bytes], roots: Sequence[trust.Root], papers: Papers) -> None:
    """Step 5."""
    for one in plan.people:
        if one.key == "request":
            asked = asking.read_request(files[one.files[0]], World(0))
            body = items_of(trust.read_statement(files[one.files[0]], "request").body)
            _refuse(list(asked.keys) != [one.role] or body[1] != papers.party or body[3] != one.names, "another request")
            if one.role == "custodian":
                _refuse(one.person not in {None, asked.subject}, "another person")
                papers.ids[one.id] = asked.subject or b""
            papers.keys[one.id, "own"] = asked.keys[one.role]
        if one.key == "act":
            found, names = _chain(one.files, files, roots)
            _refuse(found.purpose != "act" or names != one.names, "not certified for acts, or another person")
            papers.acts[one.id] = found
            papers.keys[one.id, "own"] = found.public_key
    for grant in plan.grants:
        raw = files[grant["request"]]
        for name in grant["known"]:
            papers.known[name] = _chain([name], files, roots)[0]
        body = items_of(trust.read_statement(raw, "request").body)
        papers.requests[grant["request"]] = _asked(raw, [papers.known[name] for name in grant["known"]], None)
        papers.digests[grant["request"]] = wire.digest("request", trust.read_statement(raw, "request").body)
        keys = papers.requests[grant["request"]].keys
        wanted = (papers.party, grant["body"], grant["names"])
        _refuse(grant["purpose"] not in keys or (body[1], body[2], body[3]) != wanted, "a request of another")
    for said in plan.revocations:
        papers.known[said["files"][0]] = _chain(said["files"], files, roots)[0]


def _asked(raw: bytes, known: Sequence[trust.Credential], when: int | None) -> asking.Request:
    """A request, read with some credentials at hand; without a time only its own keys are asked for."""
    world = World(when or 0)
    world.trust.credentials = {one.digest: one for one in known}
    try:
        return asking.read_request(raw, world)
    except Outcome as outcome:
        if when is None and outcome.step in {"4", "5"}:
            return asking._body(trust.read_statement(raw, "request").body)  # noqa: SLF001 - its keys; who vouches is asked when it is drafted
        raise


def vouched(raw: bytes, known: Sequence[trust.Credential], when: int) -> asking.Request:
    """transcript.md, Steps, 3: who is known already is vouched for."""
    found = _asked(raw, known, when)
    statement = trust.read_statement(raw, "request")
    name = wire.digest("request", statement.body)
    _refuse(found.subject is not None and all(one.signer == name for one in statement.signatures), "nobody vouches")
    made = items_of(statement.body)[5]
    _refuse(made > when + 86400, "asked for in the future")
    _refuse(made < when - 90 * 86400, "asked for too long ago")
    return found


def _chain(names: Sequence[str], files: dict[str, bytes], roots: Sequence[trust.Root]) -> tuple[trust.Credential, dict[str, str]]:
    """A credential whose issuers follow it, checked up to a root; and the names in it."""
    reader = trust.Trust()
    reader.roots = {root.digest: root for root in roots}
    found = None
    for name in reversed(names):
        found = trust.read_credential(files[name], reader)
        reader.credentials[found.digest] = found
    if found is None:
        raise AssertionError
    return found, dict(items_of(trust.read_statement(files[names[0]], "credential").body)[3])
