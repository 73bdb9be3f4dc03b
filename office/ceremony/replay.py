"""Checking a transcript: the steps are computed again from the plan, and every one compared (specs/transcript.md, Reading)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from valiza.keys import labels
from valiza.keys.digests import digest
from valiza.keys.errors import Incomplete, NotAuthentic
from valiza.keys.realm import Realm
from valiza.keys.transcript import LEFT, SIGNING, Transcript, read_transcript
from valiza.office.ceremony.matter import read_matter
from valiza.office.ceremony.script import script, signers
from valiza.office.ceremony.story import Story

if TYPE_CHECKING:
    from valiza.keys.transcript import Record
    from valiza.office.ceremony.plan import Plan
    from valiza.office.ceremony.steps import Step

__all__ = ["Replayed", "verify_transcript"]


@dataclass(frozen=True, kw_only=True)
class Replayed:
    """A transcript that is what follows from its plan.

    Attributes:
        transcript: as read.
        plan: the plan.
        statements: what came of the ceremony, by name; nothing if it is void.
        missing: who has to sign and did not.
        roots: fingerprints of the party's root before the ceremony and after it, as far as there is one.
        lone: whether the root before stands in the plan without those that it follows.
    """

    transcript: Transcript
    plan: Plan
    statements: dict[str, bytes] = field(repr=False)
    missing: tuple[str, ...]
    roots: tuple[str, ...]
    lone: bool

    def require_complete(self) -> None:
        """Raise Incomplete unless the ceremony came to its end, and all signed who took part."""
        outcome = self.transcript.said.outcome
        if outcome.word != "complete":
            message = f"the ceremony was declared void: {outcome.remark}"
            raise Incomplete(message)
        if self.missing:
            message = f"the transcript is not signed by {', '.join(self.missing)}"
            raise Incomplete(message)

    def require_root(self, fingerprint: bytes | None) -> None:
        """Compare with the fingerprint of a root, if one is at hand (transcript.md, Reading 8).

        Raises:
            NotAuthentic: it is another root. Incomplete: there is none at hand, and the transcript says nothing of where the root comes from.
        """
        if fingerprint is not None and fingerprint.hex() not in self.roots:
            message = "the transcript is not of the root with this fingerprint"
            raise NotAuthentic(message, f"it is of {', '.join(self.roots)}")
        if fingerprint is None and self.lone:
            message = "nothing in the transcript says that the root before follows the versions before it"
            raise Incomplete(message, "give its fingerprint, as you have it")


def verify_transcript(raw: bytes, realm: Realm = Realm.ORDINARY) -> Replayed:
    """Verify signatures and replay the ceremony (transcript.md, Reading).

    Raises:
        Malformed, NotAuthentic, Refused: as the steps of that page say.
    """
    transcript = read_transcript(raw, realm)  # steps 1 to 3
    said = transcript.said
    matter = read_matter(said.plan, dict(said.inputs), realm, said.tool)  # step 4
    plan = matter.plan
    _same(said.kind, plan.kind, "the kind of ceremony")
    _same(said.entropy, ("system", *plan.entropy), "the sources of entropy")
    _same([(p.id, p.role, p.names) for p in said.participants], [(p.id, p.role, p.names) for p in plan.people if p.present], "who takes part")
    story, steps = Story(matter), script(plan)
    if said.outcome.word == "void":
        _check_beginning(steps, said.steps)  # step 5
    else:
        _same(len(said.steps), len(steps), "the number of steps")
        for step, record in zip(steps, said.steps, strict=True):  # step 6
            step.check(record, story)
        _same((said.outcome.remark, said.outcome.at), (story.remark, story.ended_at), "the outcome")
        for one, told in zip([p for p in plan.people if p.present], said.participants, strict=True):
            key = story.key_of(one) if one.role in SIGNING else None
            _same(told.key_digest, None if key is None else key.key_digest, f"the key of {one.id}")
    missing = tuple(one.id for one in signers(plan) if one.id not in transcript.signed_by)  # step 7
    before = () if matter.root is None else (matter.root.fingerprint,)
    after = tuple(digest(labels.DIGEST_ROOT, body).hex() for name, body in story.bodies.items() if name == "root")
    return Replayed(transcript=transcript, plan=plan, statements=dict(story.statements), missing=missing, roots=before + after, lone=matter.lone)


def _same(found: object, wanted: object, what: str) -> None:
    if found != wanted:
        message = f"{what} in the transcript is not what follows from the plan"
        raise NotAuthentic(message)


def _check_beginning(steps: tuple[Step, ...], records: tuple[Record, ...]) -> None:
    """A void ceremony stopped somewhere: its steps are the first ones of the plan. What was made is no longer there to be compared, nor signed."""
    if len(records) > len(steps):
        message = "the transcript has more steps than the plan"
        raise NotAuthentic(message)
    for step, record in zip(steps, records, strict=False):
        _same((record.name, record.about, record.participant), (step.name, step.about, step.person.id), f"step {record.number}")
        if any(what not in LEFT for what, _ in record.results):
            message = f"step {record.number} of a void ceremony has a result that was to be removed"
            raise NotAuthentic(message)
