"""Leading a ceremony from where it stands to its end. Whatever ends the program, the next call goes on behind the last finished step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from valiza.keys import labels
from valiza.keys.encoding import pack
from valiza.keys.errors import Refused
from valiza.keys.transcript import SIGNING, Outcome, Participant, TranscriptDraft
from valiza.office.ceremony.desk import Desk
from valiza.office.ceremony.folder import TRANSCRIPT, Begun, Folder
from valiza.office.ceremony.matter import read_matter
from valiza.office.ceremony.replay import verify_transcript
from valiza.office.ceremony.script import attestations, script
from valiza.office.ceremony.story import Story

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from valiza.keys.realm import Realm
    from valiza.keys.transcript import Record, Tool
    from valiza.office.ceremony.desk import Room, Tools
    from valiza.office.ceremony.matter import Matter
    from valiza.office.ceremony.replay import Replayed
    from valiza.office.ceremony.steps import Step

__all__ = ["Progress", "begin", "draft_transcript", "lead", "look"]


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Where a ceremony stands: what is to be done, what was, and where key files lie by participant and which of his keys."""

    matter: Matter
    steps: tuple[Step, ...]
    attestations: tuple[Step, ...]
    story: Story
    records: list[Record]
    files: dict[tuple[str, str], Path]


def begin(path: Path, plan: bytes, inputs: dict[str, bytes], realm: Realm, *, tool: Tool, random: Callable[[int], bytes]) -> Folder:
    """Make the folder of a ceremony, after plan and inputs were compared.

    Raises:
        Malformed, NotAuthentic, Refused: they do not fit. Refused: the folder exists.
    """
    read_matter(plan, inputs, realm, tool)
    return Folder.create(path, Begun(id=random(32), realm=realm, plan=plan, inputs=inputs, tool=tool))


def look(folder: Folder, told: Callable[[Step], None] = lambda _: None, *, most: int | None = None) -> Progress:
    """Read all that was done, or the first `most` steps of it, and check every step again.

    Raises:
        Malformed, NotAuthentic: somebody changed the folder.
    """
    begun = folder.begun
    matter = read_matter(begun.plan, begun.inputs, begun.realm, begun.tool)
    steps, after = script(matter.plan), attestations(matter.plan)
    story = Story(matter)
    records: list[Record] = []
    files: dict[tuple[str, str], Path] = {}
    for step, (record, local) in zip((*steps, *after), [] if most == 0 else folder.steps()[:most], strict=False):
        step.check(record, story)
        records.append(record)
        files |= {(step.person.id, which): path for which, path in local.items()}
        if len(records) == len(steps):
            story.transcript = draft_transcript(folder, story, records, Outcome(word="complete", remark=story.remark, at=story.ended_at)).body
        told(step)
    return Progress(matter=matter, steps=steps, attestations=after, story=story, records=records, files=files)


def lead(folder: Folder, room: Room, tools: Tools, tool: Tool) -> Replayed:
    """Do what is left of a ceremony.

    Raises:
        ValizaError: a step could not be done; everything before it is kept.
        Refused: the ceremony was declared void, another program leads it, or this is another program than began it.
    """
    with folder.locked():
        _require_going_on(folder, tool)
        at = look(folder, lambda step: room.end(step, again=True))
        done = len(at.records)
        story, every = at.story, (*at.steps, *at.attestations)
        if done < len(at.steps):
            folder.sit(max(tools.clock(), story.ended_at), done + 1)
        for step in every[done:]:
            folder.withdraw(step.number)
            record = _do(step, folder, room, tools, at)
            at.records.append(record)
            if len(at.records) == len(at.steps):
                story.transcript = draft_transcript(folder, story, at.records, _complete(story)).body
        return _finish(folder, story)


def _complete(story: Story) -> Outcome:
    return Outcome(word="complete", remark=story.remark, at=story.ended_at)


def _require_going_on(folder: Folder, tool: Tool) -> None:
    if folder.void() is not None:
        message = "the ceremony was declared void"
        raise Refused(message, "begin another one, in a folder of its own")
    if folder.begun.tool != tool:
        message = "the ceremony was begun with another program, or on another machine"
        raise Refused(message, "go on where it was begun, or declare it void")


def _do(step: Step, folder: Folder, room: Room, tools: Tools, at: Progress) -> Record:
    """One step, and its record on the disk. If it comes to nothing, nothing is left of it."""
    story = at.story
    room.begin(step, len(at.steps) + len(at.attestations))
    try:
        desk = Desk(
            step=step,
            room=room,
            tools=tools,
            realm=at.matter.realm,
            not_before=max(story.ended_at, *(began for began, _ in folder.sittings())),
            files=at.files,
            intend=lambda path, public: folder.intend(step.number, path, public),
        )
        step.perform(desk, story)
        record = desk.record()
        step.check(record, story)
        local = dict(desk.local)
        folder.commit(record, local)
    except BaseException:
        folder.withdraw(step.number)
        raise
    at.files.update({(step.person.id, which): path for which, path in local.items()})
    room.end(step, again=False)
    return record


def draft_transcript(folder: Folder, story: Story, records: Sequence[Record], outcome: Outcome) -> TranscriptDraft:
    """What the transcript says of these steps."""
    begun, plan = folder.begun, story.matter.plan
    people = []
    for one in plan.people:
        key = story.key_of(one) if one.role in SIGNING else None
        if one.present:
            people.append(Participant(id=one.id, role=one.role, names=one.names, key_digest=None if key is None else key.key_digest))
    return TranscriptDraft(
        id=begun.id,
        kind=plan.kind,
        plan=begun.plan,
        tool=begun.tool,
        participants=tuple(people),
        inputs=tuple(sorted(begun.inputs.items())),
        sittings=tuple(folder.sittings()),
        steps=tuple(records),
        entropy=("system", *plan.entropy),
        outcome=outcome,
    )


def _finish(folder: Folder, story: Story) -> Replayed:
    """Put the transcript together, read it as anybody would, and only then write what came of the ceremony."""
    realm = story.matter.realm
    raw = pack([realm.label(labels.TRANSCRIPT), story.transcript, sorted([list(entry) for entry in story.attested])])
    found = verify_transcript(raw, realm)
    found.require_complete()
    for name, statement in found.statements.items():
        folder.write(f"{name}.vls", statement)
    folder.write(TRANSCRIPT, raw)
    return found
