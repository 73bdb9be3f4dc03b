"""The steps of a ceremony: each can be done at a desk, and read again from its record. Reading checks all that doing promises."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from valiza.keys import labels
from valiza.keys.backup import MAX_SHARES, Recovery
from valiza.keys.digests import derive, digest
from valiza.keys.encoding import pack, unpack
from valiza.keys.errors import NotAuthentic
from valiza.keys.external import ExternalSigningKey
from valiza.keys.fields import array, blob, utc
from valiza.keys.keyfile import load_key, public_part, save_key
from valiza.keys.realm import Realm
from valiza.keys.root import signing_public_key
from valiza.keys.signing import SIGNING_SEED_BYTES, SigningKey, VerifyKey
from valiza.keys.statement import Statement, pae, read_statement
from valiza.keys.transcript import KEY, PERSON, participant_header, plan_digest, sign_transcript
from valiza.office.ceremony import asking
from valiza.office.ceremony.act import Act

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from valiza.keys.transcript import Pairs, Record
    from valiza.office.ceremony.desk import Desk
    from valiza.office.ceremony.matter import KeyWanted
    from valiza.office.ceremony.papers import Paper, Signing
    from valiza.office.ceremony.story import Story

__all__ = [
    "AttestStep",
    "CloseStep",
    "DraftStep",
    "FinishStep",
    "KeyStep",
    "OpenStep",
    "RecoverStep",
    "SignStep",
    "Step",
    "at_hand",
    "attested",
    "passphrase_of",
    "unlock",
]

Key = SigningKey | ExternalSigningKey
SUBJECT: Final = "subject"  # the result that is a new body's subject
SHARES: Final = {str(number) for number in range(1, MAX_SHARES + 1)}


@dataclass(frozen=True, kw_only=True)
class Step(Act):
    """What is done in one place of a ceremony."""

    @property
    def makes_key(self) -> bool:
        """Whether a new key file is written, when it is meant."""
        return False

    def perform(self, desk: Desk, story: Story) -> None:
        """Do it, at a desk that keeps the record."""
        raise NotImplementedError

    def check(self, record: Record, story: Story) -> None:
        """Read a record of it, and add to the story what came of it.

        Raises:
            Malformed, NotAuthentic, Refused: this is not what came of this step.
        """
        found = (record.number, record.name, record.about, record.participant)
        if found != (self.number, self.name, self.about, self.person.id):
            message = f"step {record.number} of the transcript is not {self.id!r}"
            raise NotAuthentic(message)
        self.take(record, story)
        story.ended_at = record.ended_at

    def take(self, record: Record, story: Story) -> None:
        """The part of `check` that is a step's own."""
        raise NotImplementedError

    def expect(self, found: object, wanted: object, what: str) -> None:
        """Raise NotAuthentic unless a part of a record is what it has to be."""
        if found != wanted:
            message = f"step {self.id!r} of the transcript: {what} is not what follows from the plan"
            raise NotAuthentic(message)


@dataclass(frozen=True, kw_only=True)
class OpenStep(Step):
    """The beginning: everybody hears what is to be done, by whom and with what program."""

    name: str = "open"

    def perform(self, desk: Desk, story: Story) -> None:
        """Read all of it aloud; then compare plan, root, program and time with what people brought."""
        for what, value in self.aloud(story, desk.began_at):
            desk.aloud(what, value)
        desk.ask(asking.confirm("present"))
        desk.ask(asking.compare("plan", plan_digest(story.matter.plan.raw)))
        if story.matter.root is not None:
            desk.ask(asking.compare("root", story.matter.root.digest))
        desk.ask(asking.confirm("code"))
        desk.ask(asking.confirm("time"))

    def aloud(self, story: Story, at: int) -> Pairs:
        """What everybody hears."""
        matter = story.matter
        plan, root = matter.plan, matter.root
        return (
            ("ceremony", plan.kind),
            ("realm", matter.realm.value),
            ("title", plan.title),
            *((one.role, one.title) for one in plan.people if one.present),
            ("plan", plan.digest.hex()),
            *(() if root is None else (("root", root.fingerprint),)),
            ("version", matter.tool.version),
            ("code", matter.tool.code.hex()),
            ("time", utc(at)),
        )

    def take(self, record: Record, story: Story) -> None:
        """All was read aloud, and confirmed."""
        self.expect(record.aloud, self.aloud(story, record.began_at), "what was read aloud")
        root = () if story.matter.root is None else (("root", "equal"),)
        self.expect(record.answers, (("present", "yes"), ("plan", "equal"), *root, ("code", "yes"), ("time", "yes")), "an answer")
        self.expect(record.results, (), "a result")


@dataclass(frozen=True, kw_only=True)
class KeyStep(Step):
    """Somebody's key: made here and written to where he wants it, or brought, and unlocked to see that it works."""

    wanted: KeyWanted
    name: str = "key"

    @property
    def makes_key(self) -> bool:
        """Whether it is made here."""
        return self.wanted.made

    def made(self, story: Story) -> bool:
        """In a rehearsal whoever would bring a key makes one."""
        return self.wanted.made or story.matter.realm is Realm.REHEARSAL

    def perform(self, desk: Desk, story: Story) -> None:
        """Make it or find it, read its digest aloud, and have it written down."""
        made = self.made(story)
        desk.note("source", "made" if made else "brought")
        key = self._make(desk, story) if made else self._find(desk, story)
        desk.give(KEY, pack(key.packed))
        if self._draws_id(story):
            desk.give(PERSON, desk.tools.random(16))
        desk.aloud("key", key.key_digest.hex())
        desk.ask(asking.confirm("heard"))

    def _make(self, desk: Desk, story: Story) -> VerifyKey:
        path = desk.ask(asking.new_key_file())
        passphrase = desk.ask(asking.new_passphrase(passphrase_of(self.wanted.which)))
        typed = [(source, desk.ask(asking.typed_entropy(source))) for source in self._entropy(story)]
        key = SigningKey(mixed(desk.tools.random(SIGNING_SEED_BYTES), typed), desk.realm)
        desk.intend(path, key.public)
        save_key(path, key, passphrase=passphrase, random=desk.tools.random, cost=desk.tools.cost)
        desk.keep(self.wanted.which, path)
        return VerifyKey(key.public, desk.realm)

    def _find(self, desk: Desk, story: Story) -> VerifyKey:
        expected = self._brought(story)
        path = desk.ask(asking.key_file(partial(_require_key, expected=expected)))
        with at_hand(desk.ask(asking.passphrase(passphrase_of(self.wanted.which), partial(unlock, path, expected=expected)))) as key:
            if isinstance(key, ExternalSigningKey):
                key.check(desk.tools.random)  # a device that is missing is missed now, and not when it is to sign
        desk.keep(self.wanted.which, path)
        return expected

    def _brought(self, story: Story) -> VerifyKey:
        found = story.matter.known_key(self.person, self.wanted.which)
        if found is None:
            raise AssertionError
        return found

    def _entropy(self, story: Story) -> tuple[str, ...]:
        """What is typed for it; nothing for a key that only stands for another one."""
        return story.matter.plan.entropy if self.wanted.made else ()

    def _draws_id(self, story: Story) -> bool:
        return self.person.role == "custodian" and self.wanted.which == "own" and story.matter.known_id(self.person) is None

    def take(self, record: Record, story: Story) -> None:
        """The key is of the right kind, or the one that was to be brought."""
        made = self.made(story)
        names = [KEY, *([PERSON] if self._draws_id(story) else [])]
        self.expect([what for what, _ in record.results], names, "a result")
        packed = record.results[0][1]
        key = signing_public_key(unpack(packed, max_bytes=len(packed), what="public key"), story.matter.realm)
        if not made:
            self.expect(key.raw, self._brought(story).raw, "the key")
        if self.person.key == "act":
            story.matter.credential(self.person).require_valid(record.began_at, "the ceremony")
        typed = self._entropy(story) if made else ()
        self.expect(record.aloud, (("key", key.key_digest.hex()),), "what was read aloud")
        self.expect([what for what, _ in record.answers], ["source", *typed, "heard"], "an answer")
        said = dict(record.answers)
        self.expect((said["source"], said["heard"]), ("made" if made else "brought", "yes"), "an answer")
        if not all(asking.enough(source, number) for source, number in record.answers[1:-1]):
            message = f"step {self.id!r} of the transcript: less entropy was typed than is needed, or more than can be"
            raise NotAuthentic(message)
        for what, value in record.results[1:]:
            story.ids[self.person.id] = blob(value, what, size=16)
        story.keys[self.person.id, self.wanted.which] = key


@dataclass(frozen=True, kw_only=True)
class RecoverStep(KeyStep):
    """A custodian's key from the shares that their holders type; it is written anew to where he wants it."""

    name: str = "recover"

    @property
    def makes_key(self) -> bool:
        """It is written anew."""
        return True

    def perform(self, desk: Desk, story: Story) -> None:
        """Collect the shares, which are forgotten with the step; write the key, and read its digest aloud."""
        if self.made(story):
            super().perform(desk, story)
            return
        expected = self._brought(story)
        path = desk.ask(asking.new_key_file())
        passphrase = desk.ask(asking.new_passphrase(asking.PASSPHRASE))
        desk.note("source", "recovered")
        recovery = Recovery()
        for holder in story.matter.plan.of_role("shareholder"):
            number = desk.ask(asking.share(holder, recovery))
            desk.note("share", f"{holder.id} {number}")
        key = desk.ask(asking.recovered(recovery, expected)) if story.matter.plan.sealed_backup else asking.recover(recovery, expected)
        desk.intend(path, key.public)
        save_key(path, key, passphrase=passphrase, random=desk.tools.random, cost=desk.tools.cost)
        desk.keep(self.wanted.which, path)
        desk.give(KEY, pack(expected.packed))
        desk.aloud("key", expected.key_digest.hex())
        desk.ask(asking.confirm("heard"))

    def take(self, record: Record, story: Story) -> None:
        """The key is the one that the root has, and each holder gave a share of his own."""
        if self.made(story):
            super().take(record, story)
            return
        key = self._brought(story)
        self.expect(record.results, ((KEY, pack(key.packed)),), "the key")
        self.expect(record.aloud, (("key", key.key_digest.hex()),), "what was read aloud")
        holders = [one.id for one in story.matter.plan.of_role("shareholder")]
        shares = [value.split(" ") for what, value in record.answers if what == "share"]
        told = (("source", "recovered"), *(("share", " ".join(share)) for share in shares), ("heard", "yes"))
        self.expect(record.answers, told, "an answer")
        self.expect([share[0] for share in shares], holders, "who gave shares")
        numbers = [share[1] for share in shares if len(share) == 2 and share[1] in SHARES]  # noqa: PLR2004 - who, and which
        self.expect(len(set(numbers)), len(holders), "the shares")
        story.keys[self.person.id, self.wanted.which] = key


@dataclass(frozen=True, kw_only=True)
class DraftStep(Step):
    """What is to be signed, read aloud; its digest is written down and read back."""

    paper: Paper
    name: str = "draft"

    def perform(self, desk: Desk, story: Story) -> None:
        """Compute it, read it aloud, and have its digest read back."""
        self.paper.foresee(story, desk.began_at)
        if self.paper.draws(story):
            drawn = desk.tools.random(16)
            desk.give(SUBJECT, drawn)
            self.paper.take(story, drawn)  # a step that comes to nothing draws another one
        body = self.paper.body(story, desk.began_at)
        desk.give("body", body)
        for what, value in self.paper.aloud(story, desk.began_at):
            desk.aloud(what, value)
        desk.ask(asking.read_back("fingerprint", self.paper.name(body), unattended=desk.room.unattended))

    def take(self, record: Record, story: Story) -> None:
        """It is what follows from plan and keys."""
        names = [*([SUBJECT] if self.paper.draws(story) else []), "body"]
        self.expect([what for what, _ in record.results], names, "a result")
        for what, drawn in record.results[:-1]:
            self.paper.take(story, blob(drawn, what, size=16))
        body = self.paper.body(story, record.began_at)
        self.expect(record.results[-1][1], body, "what is to be signed")
        self.expect(record.aloud, self.paper.aloud(story, record.began_at), "what was read aloud")
        if record.answers not in {(("fingerprint", said),) for said in ("read back", asking.SHOWN)}:
            self.expect(record.answers, None, "an answer")
        story.bodies[self.paper.about] = body
        story.signatures[self.paper.about] = []


@dataclass(frozen=True, kw_only=True)
class SignStep(Step):
    """Somebody signs what was read aloud."""

    paper: Paper
    signing: Signing
    name: str = "sign"

    def perform(self, desk: Desk, story: Story) -> None:
        """Show once more what he signs; unlock his key, sign, and forget it."""
        body = story.bodies[self.paper.about]
        desk.aloud("fingerprint", self.paper.name(body).hex())
        desk.ask(asking.confirm("sign"))
        public = story.keys[self.person.id, self.signing.which]
        path = desk.files[self.person.id, self.signing.which]
        key = desk.ask(asking.passphrase(passphrase_of(self.signing.which), partial(unlock, path, expected=public)))
        type_ = story.matter.realm.label(self.paper.type)
        with at_hand(key):
            for header in self.paper.headers(story, self.signing, public):
                packed = header.packed()
                desk.give("signature", pack([packed, key.sign(pae(type_, packed, body), type_.encode("ascii"))]))

    def take(self, record: Record, story: Story) -> None:
        """The signatures are his, over what was drafted."""
        body = story.bodies[self.paper.about]
        key = story.keys[self.person.id, self.signing.which]
        self.expect(record.aloud, (("fingerprint", self.paper.name(body).hex()),), "what was read aloud")
        self.expect(record.answers, (("sign", "yes"),), "an answer")
        headers = [header.packed() for header in self.paper.headers(story, self.signing, key)]
        self.expect([what for what, _ in record.results], ["signature"] * len(headers), "a result")
        for header, (_, packed) in zip(headers, record.results, strict=True):
            entry = array(unpack(packed, max_bytes=len(packed), what="signature"), "signature", length=2)
            self.expect(entry[0], header, "the signer")
            alone(self.paper.type, body, entry, story.matter.realm).verify(0, key)
            story.signatures[self.paper.about].append((header, entry[1]))


@dataclass(frozen=True, kw_only=True)
class FinishStep(Step):
    """All signatures together make the statement, which is checked as any reader would."""

    paper: Paper
    name: str = "finish"

    def perform(self, desk: Desk, story: Story) -> None:
        """Put it together and read it."""
        desk.give("statement", self.assembled(story))

    def assembled(self, story: Story) -> bytes:
        """The statement, with the signatures that there are.

        Raises:
            ValizaError: they are not enough.
        """
        entries = sorted([list(entry) for entry in story.signatures[self.paper.about]])
        raw = pack([story.matter.realm.label(self.paper.type), story.bodies[self.paper.about], entries])
        self.paper.verify(story, raw)
        return raw

    def take(self, record: Record, story: Story) -> None:
        """It is what the signatures make, and holds."""
        raw = self.assembled(story)
        self.expect((record.aloud, record.answers, record.results), ((), (), (("statement", raw),)), "a result")
        story.statements[self.paper.about] = raw


@dataclass(frozen=True, kw_only=True)
class CloseStep(Step):
    """The end: what else is to be said."""

    name: str = "close"

    def perform(self, desk: Desk, story: Story) -> None:  # noqa: ARG002 - as every step
        """Ask for remarks."""
        desk.note("remark", desk.ask(asking.remark()))

    def take(self, record: Record, story: Story) -> None:
        """There is one remark, perhaps empty."""
        self.expect((record.aloud, [what for what, _ in record.answers], record.results), ((), ["remark"], ()), "a result")
        story.remark = record.answers[0][1]


@dataclass(frozen=True, kw_only=True)
class AttestStep(Step):
    """Somebody signs the transcript. This step is not told in it."""

    name: str = "attest"

    def perform(self, desk: Desk, story: Story) -> None:
        """Show what he signs; unlock his key, sign, and forget it."""
        key = self._key(story)
        desk.aloud("transcript", digest(labels.DIGEST_TRANSCRIPT, story.transcript).hex())
        desk.ask(asking.confirm("sign"))
        which = "own" if (self.person.id, "own") in desk.files else "previous"
        path = desk.files[self.person.id, which]
        own = desk.ask(asking.passphrase(passphrase_of(which), partial(unlock, path, expected=key)))
        with at_hand(own):
            desk.give("signature", pack(list(attested(story.transcript, own))))

    def _key(self, story: Story) -> VerifyKey:
        found = story.key_of(self.person)
        if found is None:
            raise AssertionError  # whoever attests has a key step
        return found

    def take(self, record: Record, story: Story) -> None:
        """The signature is his, over the transcript."""
        key = self._key(story)
        self.expect([what for what, _ in record.results], ["signature"], "a result")
        packed = record.results[0][1]
        header, signature = array(unpack(packed, max_bytes=len(packed), what="signature"), "signature", length=2)
        self.expect(header, participant_header(story.transcript, key).packed(), "the signer")
        entry = [blob(header, "signer header"), blob(signature, "signature")]
        alone(labels.TRANSCRIPT, story.transcript, entry, story.matter.realm).verify(0, key)
        story.attested.append((entry[0], entry[1]))


def attested(body: bytes, key: Key) -> tuple[bytes, bytes]:
    """A participant's signature on a transcript: its header, and the signature."""
    only = sign_transcript(body, [key], key.realm).signatures[0]
    return only.header_bytes, only.signature


@contextmanager
def at_hand(key: Key) -> Iterator[Key]:
    """A key at work; a program that keeps half of it is ended afterwards."""
    try:
        yield key
    finally:
        if isinstance(key, ExternalSigningKey):
            key.close()


def passphrase_of(which: str) -> str:
    """By what name the passphrase of one of somebody's keys is asked for."""
    return asking.PASSPHRASE if which == "own" else asking.PREVIOUS_PASSPHRASE


def mixed(drawn: bytes, typed: list[tuple[str, bytes]]) -> bytes:
    """The seed of a key: what the system drew, with each typed text laid over it by exclusive or (transcript.md, Entropy).

    Whatever was typed, the seed is as good as what the system drew; if that was bad, it is as good as what was typed.
    """
    seed = int.from_bytes(drawn, "big")
    for source, text in typed:
        mask = b"".join(derive(labels.KEY_ENTROPY, source, text, half) for half in range(len(drawn) // 32))
        seed ^= int.from_bytes(mask, "big")
    return seed.to_bytes(len(drawn), "big")


def unlock(path: Path, passphrase: str, expected: VerifyKey) -> Key:
    """The private key of a file, which is the one expected.

    Raises:
        NoKey: the passphrase is wrong. NotAuthentic: another key lies there. Malformed, Unavailable: the file.
    """
    _require_key(path, expected)
    key = load_key(path, lambda: passphrase, expected.realm)
    if isinstance(key, SigningKey | ExternalSigningKey):
        return key
    raise AssertionError  # its public part was compared


def _require_key(path: Path, expected: VerifyKey) -> None:
    asking.require_there(path)
    if public_part(path, expected.realm).public != expected.raw:
        message = f"the key file {str(path)!r} has another key than is expected here"
        raise NotAuthentic(message)


def alone(type_: str, body: bytes, entry: list[bytes], realm: Realm) -> Statement:
    """A statement with one of its signatures, to verify it."""
    return read_statement(pack([realm.label(type_), body, [entry]]), type_, realm=realm)
