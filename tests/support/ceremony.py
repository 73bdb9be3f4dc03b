"""Ceremonies in tests: plans, people who answer as they should unless a test says otherwise, and a party with a root that exists."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from tests.support.keys import BEGIN, END, counting, signing_key, subject

from valiza.keys import labels
from valiza.keys.backup import share_out
from valiza.keys.credential import CredentialDraft, issue_credential
from valiza.keys.digests import digest
from valiza.keys.fields import Body
from valiza.keys.keyfile import Argon2Cost, save_key
from valiza.keys.realm import Realm
from valiza.keys.request import RequestDraft, make_request
from valiza.keys.root import Custodian, Root, RootDraft, make_root
from valiza.keys.signing import VerifyKey
from valiza.keys.transcript import Tool, plan_digest
from valiza.office.ceremony.asking import LEAST, SECRET, SHOWN
from valiza.office.ceremony.desk import Tools
from valiza.office.ceremony.folder import Folder
from valiza.office.ceremony.plan import ROOT_KINDS, Grant, NewRoot, Revoke
from valiza.office.ceremony.planning import Named, Wanted, write_plan
from valiza.office.ceremony.running import begin, lead

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from valiza.keys.credential import Credential
    from valiza.keys.errors import ValizaError
    from valiza.keys.request import Request
    from valiza.office.ceremony.act import Act
    from valiza.office.ceremony.asking import Ask
    from valiza.office.ceremony.replay import Replayed

CHEAP: Final = Argon2Cost(passes=1, memory_kib=8192)
START: Final = 1_775_000_000
CODE: Final = hashlib.sha256(b"the code").digest()
TOOL: Final = Tool(version="1.2.3", code=CODE, interpreter="Python 3", platform="a machine", libraries=(("msgpack", "1"),))
CUSTODIANS: Final = ("aliya", "bolat", "dana")
OPERATOR: Final = Named(id="olzhas", names={"en": "Olzhas"})
WITNESS: Final = Named(id="wanda", names={"en": "Wanda"}, key="new")


class Clock:
    """A clock that goes on by a second whenever it is read."""

    def __init__(self, at: int = START) -> None:
        self.at = at

    def __call__(self) -> int:
        self.at += 1
        return self.at


@dataclass
class People:
    """People in a room who do what they are asked, unless `changed` says otherwise by step and question; they remember everything.

    A changed answer that is an exception is raised: somebody pulls the plug.
    """

    folder: Path
    plan: bytes
    roots: tuple[Root, ...] = ()
    shares: dict[str, str] = field(default_factory=dict)
    changed: dict[tuple[str, str], Any] = field(default_factory=dict)
    unattended: bool = True
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    heard: list[tuple[str, str, str]] = field(default_factory=list)
    done: list[tuple[str, bool]] = field(default_factory=list)
    told: list[ValizaError] = field(default_factory=list)
    secrets: set[str] = field(default_factory=set)

    def begin(self, step: Act, of: int) -> None:
        assert 1 <= step.number <= of

    def read_aloud(self, step: Act, what: str, value: str) -> None:
        self.heard.append((step.id, what, value))

    def answer(self, step: Act, ask: Ask[Any], wrong: ValizaError | None) -> str:
        self.asked.append((step.id, ask.what, ask.kind))
        if wrong is not None:
            self.told.append(wrong)
        given = self.changed.get((step.id, ask.what), self.right(step, ask))
        if isinstance(given, list):
            given = given.pop(0) if given else None
        given = self.right(step, ask) if given is None else given
        if isinstance(given, BaseException):
            raise given
        assert isinstance(given, str)
        if ask.kind in SECRET:
            self.secrets.add(given)
        return given

    def right(self, step: Act, ask: Ask[Any]) -> str:
        """What answers the question."""
        if ask.kind == "confirm":
            return "yes"
        if ask.kind in {"file", "new-file"}:
            return str(key_path(self.folder, step.person.id, step.about))
        if ask.kind == "share":
            assert ask.person is not None
            return self.shares[ask.person.id]
        if ask.kind in {"passphrase", "new-passphrase"}:
            return f"{ask.what} of {step.person.id}"
        if ask.kind == "entropy":
            return "".join(str(1 + number % 6) for number in range(LEAST[ask.what]))
        return {"plan": plan_digest(self.plan).hex(), "root": self.roots[-1].fingerprint if self.roots else "", "fingerprint": SHOWN, "remark": ""}[
            ask.what
        ]

    def end(self, step: Act, *, again: bool) -> None:
        self.done.append((step.id, again))


def key_path(folder: Path, person: str, about: str | None) -> Path:
    """Where somebody keeps a key."""
    return folder / f"{person}{'' if about is None else f'-{about}'}.key"


@dataclass(kw_only=True)
class Scene:
    """A ceremony about to happen: its plan and inputs, and a folder on the table with the keys that are brought."""

    table: Path
    plan: bytes
    inputs: dict[str, bytes] = field(default_factory=dict)
    roots: tuple[Root, ...] = ()
    shares: dict[str, str] = field(default_factory=dict)
    realm: Realm = Realm.ORDINARY
    clock: Clock = field(default_factory=Clock)
    random: Callable[[int], bytes] = field(default_factory=counting)

    @property
    def folder(self) -> Path:
        """The ceremony's own."""
        return self.table / "ceremony"

    @property
    def tools(self) -> Tools:
        return Tools(clock=self.clock, random=self.random, cost=CHEAP)

    def people(self, **options: Any) -> People:
        return People(self.table, self.plan, self.roots, self.shares, **options)

    def open(self) -> Folder:
        """The folder, made if it is not there."""
        if not self.folder.exists():
            begin(self.folder, self.plan, self.inputs, self.realm, tool=TOOL, random=self.random)
        return Folder(self.folder)

    def lead(self, people: People | None = None) -> Replayed:
        """Do all that is left."""
        return lead(self.open(), people or self.people(), self.tools, TOOL)


def named(name: str, key: str = "new", **more: Any) -> Named:
    return Named(id=name, names={"en": name.capitalize()}, key=key, **more)


def new_root(threshold: int = 2, **more: Any) -> NewRoot:
    said = {"party": "KZ", "degrees": ("1", "2", "3"), "names": {"en": "Kazakhstan"}, "valid_from": BEGIN, "valid_until": END}
    return NewRoot(**{**said, "threshold": threshold, **more})


def written(**changes: Any) -> bytes:
    """A plan; of a first root with two custodians and a witness, unless something else is said."""
    said: dict[str, Any] = {
        "kind": "new-root",
        "title": "A ceremony",
        "place": "Astana",
        "code": None,
        "entropy": (),
        "operator": OPERATOR,
        "custodians": [named("aliya"), named("bolat")],
        "witnesses": [WITNESS],
        "new_root": new_root() if changes.get("kind", "new-root") in ROOT_KINDS else None,
    }
    return write_plan(Wanted(**{**said, **changes})).raw


def first_root(table: Path, **changes: Any) -> Scene:
    """A scene for a first root."""
    return Scene(table=table, plan=written(**changes))


@cache
def root_before() -> Root:
    """A root of three custodians, of whom two are a quorum; the key of each is `signing_key(name)`, his id `subject(name)`."""
    custodians = tuple(Custodian(id=subject(name), names={"en": name.capitalize()}, key=VerifyKey(signing_key(name).public)) for name in CUSTODIANS)
    draft = RootDraft(
        party="KZ",
        names={"en": "Kazakhstan"},
        degrees=("1", "2", "3"),
        custodians=tuple(sorted(custodians, key=lambda c: c.id)),
        threshold=2,
        valid_from=BEGIN,
        valid_until=END,
    )
    return make_root(draft, [signing_key(name) for name in CUSTODIANS])


@cache
def forged_root() -> Root:
    """A second version with the same custodians, as it says, and other keys, `signing_key("NAME of a thief")`: no quorum signed it."""
    before = root_before()
    custodians = tuple(dataclasses.replace(c, key=VerifyKey(signing_key(f"{c.names['en']} of a thief").public)) for c in before.custodians)
    draft = RootDraft(
        party="KZ",
        version=2,
        previous=before.digest,
        names=before.names,
        degrees=before.degrees,
        custodians=custodians,
        threshold=2,
        valid_from=BEGIN,
        valid_until=END,
    )
    return make_root(draft, [signing_key(f"{name.capitalize()} of a thief") for name in CUSTODIANS])


def old(name: str, key: str = "previous", **more: Any) -> Named:
    """A custodian of the root before, as a plan names him."""
    return named(name, key, person=subject(name), **more)


def later_root(table: Path, custodians: list[Named], *, kind: str = "rotation", threshold: int = 2, **changes: Any) -> Scene:
    """A scene for the next version of a root; the key files of the custodians before lie on the table."""
    root = root_before()
    next_root = new_root(threshold, party=None, degrees=None)
    inputs = {"root.vls": root.raw}
    plan = written(**{"kind": kind, "roots": ("root.vls",), "inputs": inputs, "custodians": custodians, "new_root": next_root, **changes})
    scene = Scene(table=table, plan=plan, inputs=changes.get("inputs", inputs), roots=(root,))
    if changes.get("realm", Realm.ORDINARY) is Realm.ORDINARY:
        lay_keys(scene, custodians)
    return scene


def body_request(*purposes: str, **changes: Any) -> Request:
    """The request of a new body; its keys are `signing_key("KZ-MFA PURPOSE")`."""
    keys = {purpose: signing_key(f"KZ-MFA {purpose}") for purpose in purposes or ("certify", "roster")}
    said: dict[str, Any] = {
        "subject": None,
        "party": "KZ",
        "body_id": "KZ-MFA",
        "names": {"en": "Foreign Ministry"},
        "keys": {purpose: key.public for purpose, key in keys.items()},
        "made_at": START,
    }
    return make_request(RequestDraft(**{**said, **changes}), keys.values())


def witness_request() -> Request:
    """The request of a witness; her key is `signing_key("wanda witness")`."""
    key = signing_key("wanda witness")
    asked = RequestDraft(subject=subject("wanda"), party="KZ", body_id=None, names={"en": "Wanda"}, keys={"witness": key.public}, made_at=START)
    return make_request(asked, [key])


def custodian_request(name: str, key: str, of: str | None = None) -> Request:
    """Somebody's request to become custodian, with the key that is called `key`; he has the id of `of`, else his own."""
    own = signing_key(key)
    said = RequestDraft(
        subject=subject(of or name), party="KZ", body_id=None, names={"en": name.capitalize()}, keys={"custodian": own.public}, made_at=START
    )
    return make_request(said, [own])


def grant(purpose: str = "certify", **changes: Any) -> Grant:
    said: dict[str, Any] = {
        "purpose": purpose,
        "body": "KZ-MFA",
        "names": {"en": "Foreign Ministry"},
        "clearance": "1" if purpose == "certify" else None,
        "certifies_bodies": purpose == "certify",
        "valid_from": BEGIN,
        "valid_until": END,
        "request": "mfa.vls",
        "known": (),
    }
    return Grant(**{**said, **changes})


def new_body(table: Path, **changes: Any) -> Scene:
    """A scene in which two custodians certify a body and its roster key."""
    custodians = [old("aliya"), old("bolat")]
    inputs = {"root.vls": root_before().raw, "mfa.vls": body_request().raw}
    said = {"kind": "new-body", "roots": ("root.vls",), "inputs": inputs, "custodians": custodians, "grants": [grant(), grant("roster")]}
    plan = written(**{**said, **changes})
    scene = Scene(table=table, plan=plan, inputs=changes.get("inputs", inputs), roots=(root_before(),))
    lay_keys(scene, custodians)
    return scene


@cache
def certified_body() -> Credential:
    """The body that the root before certified, with two of its custodians; its key is `signing_key("KZ-MFA certify")`."""
    draft = CredentialDraft(
        subject=subject("KZ-MFA"),
        body=Body("KZ", "KZ-MFA"),
        names={"en": "Foreign Ministry"},
        purpose="certify",
        public_key=signing_key("KZ-MFA certify").public,
        clearance="1",
        certifies_bodies=True,
        valid_from=BEGIN,
        valid_until=END,
    )
    return issue_credential(draft, issuer=root_before(), keys=[signing_key(name) for name in CUSTODIANS[:2]])


def later_request() -> Request:
    """The request of that body for another key, `signing_key("KZ-MFA anew")`, for which the one before vouches."""
    asked = RequestDraft(
        subject=subject("KZ-MFA"),
        party="KZ",
        body_id="KZ-MFA",
        names={"en": "Foreign Ministry"},
        keys={"certify": signing_key("KZ-MFA anew").public},
        made_at=START,
    )
    return make_request(asked, [signing_key("KZ-MFA anew")], [(certified_body(), signing_key("KZ-MFA certify"))])


def compromise(table: Path, **changes: Any) -> Scene:
    """A scene in which two custodians revoke a body's credential, and certify it anew; its old key still vouches."""
    custodians = [old("aliya"), old("bolat")]
    inputs = {"root.vls": root_before().raw, "mfa.vls": later_request().raw, "old.vls": certified_body().raw}
    revoke = Revoke(files=("old.vls",), kind="compromised", reason="stolen", number=1, effective_at=None)
    said = {"kind": "compromise", "roots": ("root.vls",), "inputs": inputs, "custodians": custodians, "revokes": [revoke]}
    plan = written(**{**said, "grants": [grant(known=("old.vls",))], **changes})
    scene = Scene(table=table, plan=plan, inputs=changes.get("inputs", inputs), roots=(root_before(),))
    lay_keys(scene, custodians)
    return scene


@cache
def shares_of(name: str, passphrase: str = "") -> tuple[str, ...]:
    """Words of three shares of somebody's key, of which two are enough."""
    return tuple(" ".join(share.words) for share in share_out(signing_key(name), shares=3, threshold=2, passphrase=passphrase))


def recovery(table: Path, *, passphrase: str = "", **changes: Any) -> Scene:
    """A scene in which Dana's key is recovered from two shares."""
    inputs = {"root.vls": root_before().raw}
    holders = [named("boris", "none"), named("vera", "none")]
    said = {"kind": "recovery", "roots": ("root.vls",), "inputs": inputs, "custodians": [old("dana", "recover")], "shareholders": holders}
    plan = written(**{**said, "sealed_backup": bool(passphrase), **changes})
    shares = shares_of("dana", passphrase)
    return Scene(table=table, plan=plan, inputs=inputs, roots=(root_before(),), shares={"boris": shares[0], "vera": shares[2]})


def lay_keys(scene: Scene, custodians: list[Named]) -> None:
    """Put the keys of the custodians before on the table."""
    for one in custodians:
        if one.person is not None:
            about, word = (None, "passphrase") if one.key == "previous" else ("previous", "previous-passphrase")
            save_key(key_path(scene.table, one.id, about), signing_key(one.id), passphrase=f"{word} of {one.id}", random=scene.random, cost=CHEAP)


def input_digest(raw: bytes) -> str:
    """As it stands in [inputs]."""
    return digest(labels.DIGEST_STATEMENT, raw).hex()


def on_the_table(scene: Scene) -> dict[str, bytes]:
    """Files on the table beside the ceremony's own folder."""
    return {path.name: path.read_bytes() for path in sorted(scene.table.iterdir()) if path.is_file()}
