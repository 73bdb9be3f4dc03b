"""Ceremonies as a generator tells them (transcript.md): plans, their steps, transcripts; with a hook at every step and field."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import wire
import world as w
from cases_request import Request
from wire import Item, Signer

START = w.when("2026-02-02T10:00")
REHEARSAL = "valiza/rehearsal/"
Step = dict[str, Any]
Change = Callable[[Any], Any]


@dataclass(frozen=True)
class Person:
    """Somebody in a plan. *tag* names a custodian of the root before; *request* is the one that he comes with."""

    id: str
    role: str = "custodian"
    key: str = "new"
    tag: str | None = None
    request: Request | None = None
    lines: Sequence[str] = ()
    called: str = ""

    @property
    def name(self) -> str:
        """For people."""
        return self.called or self.id.capitalize()


OPERATOR = Person("timur", "operator", "none")
WITNESS = Person("saule", "witness")


@dataclass(frozen=True)
class Paper:
    """A credential or revocation that comes of a ceremony: what is read aloud of it and its body, by when it is drafted."""

    about: str
    type: str
    aloud: Callable[[int], list[Item]]
    body: Callable[[int], bytes]
    drawn: bytes | None = None


@dataclass(frozen=True)
class Ceremony:
    """A ceremony; *tables* are the parts of the plan that belong to its kind. Hooks by name: see `told`."""

    kind: str
    people: Sequence[Person]
    root: w.Root | None = None
    threshold: int = 2
    tables: str = ""
    papers: Sequence[Paper] = ()
    fingerprint: bytes | None = None
    inputs: Mapping[str, bytes] = field(default_factory=dict)
    entropy: Sequence[str] = ()
    rehearsal: bool = False
    until: str = ""
    hooks: Mapping[str, Change] = field(default_factory=dict)

    def but(self, **hooks: Change) -> Ceremony:
        """The same with more hooks, whose names have `_` for spaces."""
        return replace(self, hooks={**self.hooks, **{name.replace("_", " "): change for name, change in hooks.items()}})

    def hook(self, name: str, part: Any) -> Any:  # noqa: ANN401 - parts are of every shape
        """The part, as the hook of this name leaves it."""
        change = self.hooks.get(name)
        return part if change is None else change(part)

    # -- keys ------------------------------------------------------------------------------------------------------------

    @property
    def signing_kind(self) -> str:
        """The kind of public keys."""
        return f"rehearsal/{wire.SIGNING_KIND}" if self.rehearsal else wire.SIGNING_KIND

    def type(self, name: str) -> str:
        """The type string of a statement."""
        return f"{REHEARSAL if self.rehearsal else 'valiza/v1/'}{name}"

    def seed(self, person: Person, which: str = "own") -> bytes:
        """The two seeds of one of somebody's keys."""
        if self.root is not None and person.tag is not None and not self.rehearsal and (which == "previous" or person.key in {"previous", "recover"}):
            return self.root.key(person.tag)
        if person.request is not None and not self.rehearsal:
            return person.request.seed(person.role)
        return wire.draw(f"key/ceremony {self.kind} {person.id} {which}", 64)

    def public(self, person: Person, which: str = "own") -> list[Item]:
        """The public key."""
        return [self.signing_kind, wire.composite_public(self.seed(person, which))]

    def key_digest(self, person: Person, which: str = "own") -> bytes:
        """Its digest."""
        return wire.digest("public-key", wire.encode(self.public(person, which)))

    def id_of(self, person: Person) -> bytes:
        """A custodian's id in the new root."""
        tag = f"{self.root.party}{person.tag}" if self.root is not None and person.tag is not None else f"ceremony {person.id}"
        return wire.draw(f"custodian/{tag}", 16)

    def signer(self, role: str, named: bytes, person: Person, which: str = "own") -> Signer:
        """Somebody as a signer."""
        return Signer(role, named, self.seed(person, which), key_digest=self.key_digest(person, which))

    def which(self, person: Person) -> list[str]:
        """The keys that somebody comes with or makes, the older first."""
        if person.role in {"operator", "shareholder"}:
            return []
        older = ["previous"] if self._older(person) else []
        return older + (["own"] if person.key != "none" else [])

    @staticmethod
    def _older(person: Person) -> bool:
        """Whether somebody comes with his key in the root before, beside his own."""
        return person.tag is not None and person.key not in {"previous", "recover"} and "lost = true" not in person.lines

    # -- the plan --------------------------------------------------------------------------------------------------------

    @property
    def files(self) -> dict[str, bytes]:
        """The inputs, whole, by name."""
        files = {} if self.root is None else {"root.vls": self.root.statement()}
        files |= {f"{one.id}.vls": one.request.statement() for one in self.people if one.request is not None}
        found: dict[str, bytes] = self.hook("inputs", dict(sorted((files | dict(self.inputs)).items())))
        return found

    @property
    def plan(self) -> bytes:
        """Hook `plan`: the TOML as text."""
        lines = [f'ceremony = "{self.kind}"', 'title = "A vector"']
        lines += [f"entropy = {json.dumps(list(self.entropy))}"] if self.entropy else []
        lines += ['root = "root.vls"'] if self.root is not None else []
        lines += [f'root_fingerprint = "{self.fingerprint.hex()}"'] if self.fingerprint is not None else []
        if self.kind in {"new-root", "rotation", "replacement"}:
            lines += ["[new_root]", f"names = {self._new_names()}", f"threshold = {self.threshold}"]
            lines += [f"valid_from = {w.stamp_of(w.ROOT_FROM)}", f"valid_until = {w.stamp_of(w.ROOT_UNTIL)}"]
            lines += ['party = "TC"', 'degrees = ["1", "2"]'] if self.root is None else []
        for one in self.people:
            lines += ["[operator]" if one.role == "operator" else f"[[{one.role}]]", f'id = "{one.id}"', f'names = {{ en = "{one.name}" }}']
            lines += [f'key = "{one.key}"'] if one.role in {"custodian", "witness"} else []
            lines += [f'person = "{self.id_of(one).hex()}"'] if one.tag is not None else []
            lines += [f'request = "{one.id}.vls"'] if one.request is not None else []
            lines += one.lines
        lines.append(self.tables)
        if self.files:
            lines.append("[inputs]")
            lines += [f'"{name}" = "{wire.digest("statement", raw).hex()}"' for name, raw in self.files.items()]
        return str(self.hook("plan", "\n".join(lines) + "\n")).encode()

    def _new_names(self) -> str:
        return '{ en = "Root of TC" }' if self.root is None else f'{{ en = "Root of {self.root.party}" }}'

    # -- the root --------------------------------------------------------------------------------------------------------

    @property
    def before(self) -> bytes:
        """Digest of the root before, in a rehearsal of its copy."""
        if self.root is None:
            return b""
        if not self.rehearsal:
            return self.root.digest
        items = dict(zip(w.ROOT_FIELDS, wire_decoded(self.root.body()), strict=True))
        by_id = {self.id_of(one): self.public(one, "own" if one.key == "previous" else "previous") for one in self.people if one.tag is not None}
        people = [[person, names, by_id.get(person, [self.signing_kind, key[1]])] for person, names, key in items["custodians"]]
        return wire.digest("root", wire.encode([*list(items.values())[:5], people, *list(items.values())[6:]]))

    @property
    def root_body(self) -> bytes:
        """The root that is made. Hook `root` (a dict of its fields)."""
        keeping = [one for one in self.people if one.role == "custodian" and one.key != "none"]
        items: dict[str, Item] = {
            "party": "TC" if self.root is None else self.root.party,
            "version": 1 if self.root is None else self.root.version + 1,
            "previous": None if self.root is None else self.before,
            "names": w.names("Root of TC" if self.root is None else f"Root of {self.root.party}"),
            "degrees": ["1", "2"] if self.root is None else list(self.root.degrees),
            "custodians": w.sorted_custodians([self.id_of(one), w.names(one.name), self.public(one)] for one in keeping),
            "threshold": self.threshold,
            "valid from": w.ROOT_FROM,
            "valid until": w.ROOT_UNTIL,
            "extensions": {},
        }
        return wire.encode(list(self.hook("root", items).values()))

    @property
    def root_digest(self) -> bytes:
        """What the root that is made is called."""
        return wire.digest("root", self.root_body)

    def _root_aloud(self) -> list[Item]:
        items = wire_decoded(self.root_body)
        people: list[Item] = []
        for person, names, key in items[5]:
            people += [["custodian", names["en"]], ["custodian-id", person.hex()]]
            people.append(["custodian-key", wire.digest("public-key", wire.encode(key)).hex()])
        return [
            ["party", items[0]],
            ["name", items[3]["en"]],
            ["version", str(items[1])],
            ["degrees", " ".join(items[4])],
            *people,
            ["threshold", f"{items[6]} of {len(items[5])}"],
            ["valid-from", w.stamp_of(items[7])],
            ["valid-until", w.stamp_of(items[8])],
            ["fingerprint", wire.digest("root", self.root_body).hex()],
        ]

    # -- steps -----------------------------------------------------------------------------------------------------------

    def steps(self) -> list[Step]:
        """All steps, in order. Hook `steps` (the list of dicts), before they are numbered and timed."""
        out: list[Step] = [{"name": "open"}]
        out += [self._key(one, which) for one in self.present for which in self.which(one)]
        if self.kind in {"new-root", "rotation", "replacement"}:
            out += self._paper_of_root()
        for paper in self.papers:
            out += self._paper(paper)
        out.append({"name": "close", "answers": [["remark", ""]]})
        for number, one in enumerate(out, 1):
            at = START + 60 * number
            one |= {"number": number, "began": at, "ended": at + 30}
            one.setdefault("who", OPERATOR.id)
            for part in ("aloud", "answers", "results"):
                one.setdefault(part, [])
            one.setdefault("about", None)
            if callable(one["aloud"]):
                one["aloud"] = one["aloud"](at)
            if callable(one["results"]):
                one["results"] = one["results"](at)
        out[0] |= self._open(out[0]["began"])
        found: list[Step] = self.hook("steps", out)
        return found

    def _open(self, at: int) -> Step:
        root: list[Item] = [] if self.root is None else [["root", self.root.digest.hex()]]
        aloud: list[Item] = [["ceremony", self.kind], ["realm", "rehearsal" if self.rehearsal else "ordinary"], ["title", "A vector"]]
        aloud += [[one.role, one.name] for one in self.people if "present = false" not in one.lines]
        aloud += [["plan", wire.digest("plan", self.plan).hex()], *root, ["version", "1.0"], ["code", CODE.hex()], ["time", w.stamp_of(at)]]
        compared: list[Item] = [["root", "equal"]] if root else []
        return {"aloud": aloud, "answers": [["present", "yes"], ["plan", "equal"], *compared, ["code", "yes"], ["time", "yes"]]}

    def _key(self, one: Person, which: str) -> Step:
        key = ["key", wire.encode(self.public(one, which))]
        step: Step = {"name": "key", "who": one.id, "about": None if which == "own" else which}
        step["aloud"] = [["key", self.key_digest(one, which).hex()]]
        if one.key == "recover" and not self.rehearsal:
            shares = [["share", f"{holder.id} {number}"] for number, holder in enumerate((p for p in self.people if p.role == "shareholder"), 1)]
            return step | {"name": "recover", "answers": [["source", "recovered"], *shares, ["heard", "yes"]], "results": [key]}
        made = self.rehearsal or (which == "own" and one.key == "new")
        typed = [[source, str(120)] for source in self.entropy] if one.key == "new" and which == "own" else []
        drawn = [["person", self.id_of(one)]] if one.role == "custodian" and which == "own" and one.tag is None and one.request is None else []
        return step | {"answers": [["source", "made" if made else "brought"], *typed, ["heard", "yes"]], "results": [key, *drawn]}

    def _paper_of_root(self) -> list[Step]:
        name = wire.digest("root", self.root_body)
        out: list[Step] = [self._draft("root", self._root_aloud(), [["body", self.root_body]])]
        custodians = [one for one in self.people if one.role == "custodian" and "present = false" not in one.lines]
        signers: list[Signer] = []
        for one in custodians:
            if "previous" in self.which(one):
                by = [self.signer("root", self.before, one, "previous")]
                out.append(self._sign("sign-previous", one, by, about="root", name=name, kind="root", body=self.root_body))
                signers += by
        for one in [p for p in custodians if p.key == "previous"] + [p for p in custodians if p.key in {"new", "request"}]:
            by = ([self.signer("root", self.before, one)] if one.key == "previous" else []) + [self.signer("root", name, one)]
            out.append(self._sign("sign", one, by, about="root", name=name, kind="root", body=self.root_body))
            signers += by
        statement = wire.statement(self.type("root"), self.root_body, signers)
        return [*out, {"name": "finish", "about": "root", "results": [["statement", statement]]}]

    def _paper(self, paper: Paper) -> list[Step]:
        """A credential or revocation; its body depends on when it is drafted, so the place of that step has to be known."""
        drawn: list[Item] = [] if paper.drawn is None else [["subject", paper.drawn]]
        at = START + 60 * (2 + sum(len(self.which(one)) for one in self.people) + self._steps_before(paper))
        body, name = paper.body(at), wire.digest("draft", paper.body(at))
        aloud = [*paper.aloud(at), ["fingerprint", name.hex()]]
        out = [self._draft(paper.about, aloud, [*drawn, ["body", body]])]
        custodians = [one for one in self.people if one.role == "custodian"]
        signers = [self.signer("issuer", self.before, one) for one in custodians]
        for one, by in zip(custodians, signers, strict=True):
            out.append(self._sign("sign", one, [by], about=paper.about, name=name, kind=paper.type, body=body))
        statement = wire.statement(self.type(paper.type), body, signers)
        return [*out, {"name": "finish", "about": paper.about, "results": [["statement", statement]]}]

    def _steps_before(self, paper: Paper) -> int:
        return list(self.papers).index(paper) * (2 + sum(one.role == "custodian" for one in self.people))

    def _draft(self, about: str, aloud: list[Item], results: list[Item]) -> Step:
        return {"name": "draft", "about": about, "aloud": aloud, "answers": [["fingerprint", "read back"]], "results": results}

    def _sign(self, step: str, one: Person, by: Sequence[Signer], *, about: str, name: bytes, kind: str, body: bytes) -> Step:
        results = [["signature", wire.encode([signer.header(), signer.sign(self.type(kind), body)])] for signer in by]
        return {"name": step, "about": about, "who": one.id, "aloud": [["fingerprint", name.hex()]], "answers": [["sign", "yes"]], "results": results}

    # -- the transcript --------------------------------------------------------------------------------------------------

    @property
    def present(self) -> list[Person]:
        """Who takes part."""
        return [one for one in self.people if "present = false" not in one.lines]

    def signing_key(self, one: Person) -> str | None:
        """With which of his keys somebody signs the transcript."""
        return next(iter(reversed(self.which(one))), None)

    def told(self) -> dict[str, Any]:
        """The fields of the transcript. Hook `items`."""
        steps = self.steps()
        outcome: list[Item] = ["complete", "", steps[-1]["ended"]]
        known = {one.id for one in self.people}
        if self.until:
            last = next(index for index, one in enumerate(steps) if one["name"] == self.until)
            steps = [one | {"results": [pair for pair in one["results"] if pair[0] in {"key", "person"}]} for one in steps[:last]]
            outcome = ["void", "a stranger came in", steps[-1]["ended"] + 60]
            known = {one["who"] for one in steps if one["name"] in {"key", "recover"}}
        people = []
        for one in self.present:
            which = self.signing_key(one) if one.id in known else None
            people.append([one.id, one.role, w.names(one.name), None if which is None else self.key_digest(one, which)])
        parts = ("number", "name", "about", "who", "aloud", "answers", "results", "began", "ended")
        items: dict[str, Any] = {
            "id": wire.draw(f"ceremony/{self.kind}"),
            "kind": self.kind,
            "plan": self.plan,
            "plan digest": wire.digest("plan", self.plan),
            "tool": ["1.0", CODE, "Python 3", "a machine", [["msgpack", "1"], ["pynacl", "1"]]],
            "participants": people,
            "inputs": [[name, raw] for name, raw in self.files.items()],
            "sittings": [[START, 1]],
            "steps": [[one[part] for part in parts] for one in steps],
            "entropy": ["system", *self.entropy],
            "outcome": outcome,
            "extensions": {},
        }
        found: dict[str, Any] = self.hook("items", items)
        return found

    def signers(self, body: bytes) -> list[Signer]:
        """Who signs. Hook `signers`."""
        named = wire.digest("transcript", body)
        roles = {"custodian", "witness"}
        pairs = [(one, which) for one in self.present if one.role in roles and (which := self.signing_key(one)) is not None]
        found: list[Signer] = self.hook("signers", [self.signer("participant", named, one, which) for one, which in pairs])
        return found

    def statement(self) -> bytes:
        """The transcript."""
        body = wire.encode(list(self.told().values()))
        return wire.statement(self.type("transcript"), body, self.signers(body))


CODE = wire.draw("ceremony/code")


def wire_decoded(raw: bytes) -> Any:  # noqa: ANN401 - whatever it holds
    """What was encoded here, read back."""
    from decode import decode  # noqa: PLC0415 - the reader's; used on nothing but our own bytes

    return decode(raw)
