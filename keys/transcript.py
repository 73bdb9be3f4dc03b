"""Transcripts of ceremonies (specs/transcript.md): who did what when, and what came of it, signed by all who took part.

Here stands the statement alone: its form, and whose signatures hold. Whether the steps are those of the plan is asked by whoever knows plans.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from valiza.keys import labels
from valiza.keys.digests import digest
from valiza.keys.encoding import pack, unpack
from valiza.keys.errors import Malformed, NotAuthentic
from valiza.keys.fields import array, ascending, blob, digest_field, extensions, integer, names, one_of, optional, text, time, word
from valiza.keys.realm import Realm
from valiza.keys.root import signing_public_key
from valiza.keys.statement import LIMITS, SignerHeader, read_statement, sign_statement

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from valiza.keys.encoding import Value
    from valiza.keys.fields import Extensions, Names
    from valiza.keys.signing import VerifyKey
    from valiza.keys.statement import Signer, Statement

__all__ = [
    "KEY",
    "KINDS",
    "LEFT",
    "PERSON",
    "ROLES",
    "Outcome",
    "Participant",
    "Record",
    "Tool",
    "Transcript",
    "TranscriptDraft",
    "keys_in",
    "participant_header",
    "plan_digest",
    "read_body",
    "read_transcript",
    "sign_transcript",
]

KINDS: Final = ("new-root", "rotation", "replacement", "new-body", "compromise", "recovery")
ROLES: Final = ("operator", "custodian", "witness", "shareholder")
SIGNING: Final = ("custodian", "witness")  # who took part in one of these roles signs
OUTCOMES: Final = ("complete", "void")
KEY: Final = "key"  # the result of a step that is a participant's public key
PERSON: Final = "person"  # the result that is a new custodian's id
LEFT: Final = (KEY, PERSON)  # the results that stay in the transcript of a void ceremony
MAX_PARTICIPANTS: Final = 64
MAX_STEPS: Final = 512
MAX_SITTINGS: Final = 512
MAX_INPUTS: Final = 64
MAX_PLAN: Final = 1 << 16

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """What led the ceremony, by its own word: version and digest of the installed code, interpreter, platform, libraries with their versions."""

    version: str
    code: bytes
    interpreter: str
    platform: str
    libraries: Pairs = field(repr=False)

    def packed(self) -> list[Value]:
        """The wire form."""
        return [self.version, self.code, self.interpreter, self.platform, [list(pair) for pair in self.libraries]]

    @classmethod
    def read(cls, value: Value) -> Tool:
        """Decode."""
        items = array(value, "tool", length=5)
        libraries = [array(pair, "library", length=2) for pair in array(items[4], "libraries", most=64)]
        found = tuple((text(pair[0], "name of a library"), text(pair[1], "version of a library")) for pair in libraries)
        ascending([name.encode("utf-8") for name, _ in found], "libraries")
        return cls(
            version=text(items[0], "version"),
            code=digest_field(items[1], "digest of the installed code"),
            interpreter=text(items[2], "interpreter"),
            platform=text(items[3], "platform"),
            libraries=found,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Participant:
    """Somebody who takes part. The digest is that of the key with which he signs the transcript; None if he has none, or had none yet."""

    id: str
    role: str
    names: Names
    key_digest: bytes | None

    def packed(self) -> list[Value]:
        """The wire form."""
        return [self.id, self.role, self.names, self.key_digest]

    @classmethod
    def read(cls, value: Value) -> Participant:
        """Decode."""
        items = array(value, "participant", length=4)
        return cls(
            id=word(items[0], "participant"),
            role=one_of(items[1], "role", ROLES),
            names=names(items[2], "names"),
            key_digest=optional(items[3], "key digest", digest_field),
        )

    @property
    def title(self) -> str:
        """A name for display: English, else the first."""
        return self.names.get("en", next(iter(self.names.values())))


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A step that was done: what was read aloud, what was answered (no secrets), and the public values that came of it."""

    number: int
    name: str
    about: str | None
    participant: str
    aloud: Pairs
    answers: Pairs
    results: tuple[tuple[str, bytes], ...] = field(repr=False)
    began_at: int
    ended_at: int

    def packed(self) -> list[Value]:
        """The wire form."""
        pairs: list[list[Value]] = [[list(pair) for pair in part] for part in (self.aloud, self.answers, self.results)]
        return [self.number, self.name, self.about, self.participant, *pairs, self.began_at, self.ended_at]

    @classmethod
    def read(cls, value: Value) -> Record:
        """Decode."""
        items = array(value, "step", length=9)
        results = [array(pair, "result", length=2) for pair in array(items[6], "results", most=64)]
        return cls(
            number=integer(items[0], "number", least=1, most=MAX_STEPS),
            name=word(items[1], "step"),
            about=optional(items[2], "about", word),
            participant=word(items[3], "participant"),
            aloud=_pairs(items[4], "what is read aloud"),
            answers=_pairs(items[5], "answer"),
            results=tuple((word(name, "result"), blob(found, "result")) for name, found in results),
            began_at=time(items[7], "began at"),
            ended_at=time(items[8], "ended at"),
        )


def _pairs(value: Value, what: str) -> Pairs:
    pairs = [array(pair, what, length=2) for pair in array(value, what, most=128)]
    return tuple((word(name, what), text(found, what, empty=True)) for name, found in pairs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How the ceremony ended, why or with what remark, and when."""

    word: str
    remark: str
    at: int

    def packed(self) -> list[Value]:
        """The wire form."""
        return [self.word, self.remark, self.at]

    @classmethod
    def read(cls, value: Value) -> Outcome:
        """Decode."""
        items = array(value, "outcome", length=3)
        found = one_of(items[0], "outcome", OUTCOMES)
        return cls(word=found, remark=text(items[1], "remark", empty=found == "complete"), at=time(items[2], "ended at"))


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptDraft:
    """What a transcript is to say. Times in seconds since 1970; a sitting is the time at which it began, and its first step."""

    id: bytes
    kind: str
    plan: bytes = field(repr=False)
    tool: Tool
    participants: tuple[Participant, ...]
    inputs: tuple[tuple[str, bytes], ...] = field(repr=False)
    sittings: tuple[tuple[int, int], ...]
    steps: tuple[Record, ...] = field(repr=False)
    entropy: tuple[str, ...]
    outcome: Outcome

    @property
    def body(self) -> bytes:
        """The canonical body."""
        return pack(
            [
                self.id,
                self.kind,
                self.plan,
                plan_digest(self.plan),
                self.tool.packed(),
                [one.packed() for one in self.participants],
                [list(pair) for pair in self.inputs],
                [list(pair) for pair in self.sittings],
                [one.packed() for one in self.steps],
                list(self.entropy),
                self.outcome.packed(),
                {},
            ]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """A transcript all of whose signatures hold: these persons say this. Whether they are all, and the steps those of the plan, is not asked yet."""

    raw: bytes = field(repr=False)
    digest: bytes
    realm: Realm
    said: TranscriptDraft
    keys: Mapping[str, VerifyKey] = field(repr=False, compare=False)
    signed_by: frozenset[str]
    extensions: Extensions = field(repr=False)


def plan_digest(plan: bytes) -> bytes:
    """What a plan is called: the digest of its very bytes."""
    return digest(labels.DIGEST_PLAN, plan)


def participant_header(body: bytes, key: Signer | VerifyKey) -> SignerHeader:
    """The header of a participant's signature on a transcript with this body."""
    return SignerHeader(role="participant", signer_digest=digest(labels.DIGEST_TRANSCRIPT, body), key_digest=key.key_digest)


def sign_transcript(body: bytes, keys: Iterable[Signer], realm: Realm, begun: Statement | None = None) -> Statement:
    """Add participants' signatures to a transcript with this body (transcript.md, Producing 6)."""
    return sign_statement(labels.TRANSCRIPT, body, [(participant_header(body, key), key) for key in keys], begun, realm=realm)


def read_transcript(raw: bytes, realm: Realm = Realm.ORDINARY) -> Transcript:
    """Read a transcript of a realm, and verify every signature on it (transcript.md, Reading 1 to 3).

    Raises:
        Malformed: not a transcript. NotAuthentic: a signature does not hold, or is of nobody who takes part.
    """
    statement = read_statement(raw, labels.TRANSCRIPT, realm=realm)  # step 1
    said, remarks = read_body(statement.body)  # step 2
    name = digest(labels.DIGEST_TRANSCRIPT, statement.body)
    keys = keys_in(said, realm)
    by_digest = {key.key_digest: (person, key) for person, key in keys.items()}
    signed = set()
    for index, entry in enumerate(statement.signatures):  # step 3
        if entry.header.signer_digest != name:
            message = "a signature on a transcript names another one"
            raise NotAuthentic(message)
        if entry.header.key_digest not in by_digest:
            message = "a signature on a transcript is of nobody who takes part in it"
            raise NotAuthentic(message)
        person, key = by_digest[entry.header.key_digest]
        statement.verify(index, key)
        signed.add(person)
    return Transcript(raw=raw, digest=name, realm=realm, said=said, keys=keys, signed_by=frozenset(signed), extensions=remarks)


def read_body(body: bytes) -> tuple[TranscriptDraft, Extensions]:
    """Decode what a transcript says, and its remarks; nothing is believed.

    Raises:
        Malformed: it is not of the form that transcript.md gives it.
    """
    items = array(unpack(body, max_bytes=LIMITS[labels.TRANSCRIPT], what="transcript"), "transcript", length=12)
    said = TranscriptDraft(
        id=blob(items[0], "ceremony id", size=32),
        kind=one_of(items[1], "kind of ceremony", KINDS),
        plan=blob(items[2], "plan", most=MAX_PLAN),
        tool=Tool.read(items[4]),
        participants=tuple(Participant.read(item) for item in array(items[5], "participants", least=1, most=MAX_PARTICIPANTS)),
        inputs=_inputs(items[6]),
        sittings=tuple(_sitting(item) for item in array(items[7], "sittings", least=1, most=MAX_SITTINGS)),
        steps=tuple(Record.read(item) for item in array(items[8], "steps", most=MAX_STEPS)),
        entropy=tuple(word(item, "source of entropy") for item in array(items[9], "entropy", least=1, most=8)),
        outcome=Outcome.read(items[10]),
    )
    if digest_field(items[3], "plan digest") != plan_digest(said.plan):
        message = "the digest in a transcript is not that of its plan"
        raise Malformed(message)
    if len({one.id for one in said.participants}) != len(said.participants):
        message = "a participant stands twice in a transcript"
        raise Malformed(message)
    _require_order(said)
    return said, extensions(items[11])


def _inputs(value: Value) -> tuple[tuple[str, bytes], ...]:
    pairs = [array(pair, "input", length=2) for pair in array(value, "inputs", most=MAX_INPUTS)]
    found = tuple((text(name, "name of an input"), blob(data, "input")) for name, data in pairs)
    ascending([name.encode("utf-8") for name, _ in found], "inputs")
    return found


def _sitting(value: Value) -> tuple[int, int]:
    began, first = array(value, "sitting", length=2)
    return time(began, "began at"), integer(first, "first step", least=1, most=MAX_STEPS + 1)


def _require_order(said: TranscriptDraft) -> None:
    """Steps are numbered from 1 on, and neither they nor the sittings go back in time."""
    if [one.number for one in said.steps] != list(range(1, len(said.steps) + 1)):
        message = "the steps of a transcript are not numbered one after the other"
        raise Malformed(message)
    times = [said.sittings[0][0], *(at for one in said.steps for at in (one.began_at, one.ended_at)), said.outcome.at]
    sat = [at for at, _ in said.sittings]
    firsts = [first for _, first in said.sittings]
    if times != sorted(times) or sat != sorted(sat) or sat[-1] > said.outcome.at:
        message = "the times of a transcript run back"
        raise Malformed(message)
    if firsts[0] != 1 or firsts != sorted(firsts) or firsts[-1] > len(said.steps) + 1:
        message = "the sittings of a transcript do not fit its steps"
        raise Malformed(message)


def keys_in(said: TranscriptDraft, realm: Realm) -> dict[str, VerifyKey]:
    """The keys of those who sign, by participant: of the keys that came of his steps the one whose digest stands beside his name."""
    found: dict[str, VerifyKey] = {}
    wanted = {one.id: one.key_digest for one in said.participants if one.role in SIGNING and one.key_digest is not None}
    for step in said.steps:
        for name, raw in step.results:
            if name == KEY:
                key = signing_public_key(unpack(raw, max_bytes=len(raw), what="public key"), realm)
                if wanted.get(step.participant) == key.key_digest:
                    found[step.participant] = key
    if found.keys() != wanted.keys():
        message = "a participant's key came of no step of the transcript"
        raise Malformed(message)
    if len({key.key_digest for key in found.values()}) != len(found):
        message = "two participants of a transcript have one key"
        raise Malformed(message)
    return found
