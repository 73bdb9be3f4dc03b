"""Declaring a ceremony void: it is never gone on with, what it made is removed, and whoever is present may sign that this is so."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from valiza.keys import labels
from valiza.keys.digests import digest
from valiza.keys.encoding import pack
from valiza.keys.errors import Malformed, NotAuthentic, Refused, Unavailable, ValizaError
from valiza.keys.realm import Realm
from valiza.keys.transcript import LEFT, Outcome, TranscriptDraft, keys_in, read_body, read_transcript
from valiza.office.ceremony import asking
from valiza.office.ceremony.act import Act
from valiza.office.ceremony.desk import Desk
from valiza.office.ceremony.folder import remove_key
from valiza.office.ceremony.plan import read_plan
from valiza.office.ceremony.running import draft_transcript, look
from valiza.office.ceremony.script import script
from valiza.office.ceremony.steps import FinishStep, at_hand, attested, passphrase_of, unlock

if TYPE_CHECKING:
    from pathlib import Path

    from valiza.office.ceremony.desk import Room, Tools
    from valiza.office.ceremony.folder import Folder
    from valiza.office.ceremony.running import Progress
    from valiza.office.ceremony.story import Story

__all__ = ["VOID", "Voided", "declare_void", "void_acts"]

VOID: Final = "void.vls"


@dataclass(frozen=True, kw_only=True)
class Voided:
    """What became of a ceremony that is void: why, who signed that, key files removed, and key files whose medium is not there."""

    reason: str
    signed_by: tuple[str, ...]
    removed: tuple[Path, ...]
    missing: tuple[Path, ...]


def declare_void(folder: Folder, reason: str, room: Room, tools: Tools) -> Voided:
    """Declare a ceremony void, or finish doing so (transcript.md, Void).

    Args:
        folder: where it stands.
        reason: what happened; of a ceremony that is void already the first reason stays.
        room: who is asked to sign.
        tools: time; the rest is not used.

    Raises:
        Refused: it is complete, or another program leads it; or a quorum has signed something in it.
    """
    with folder.locked():
        if folder.complete() is not None:
            message = "the ceremony is complete"
            raise Refused(message, "what came of it is ended by what comes later: a rotation, a revocation")
        body = folder.void()
        if body is None:
            body = _draft(folder, reason, tools.clock()).body
            folder.write("void", body)
        said, _ = read_body(body)
        _ask_all(folder, body, said, room, tools)
        signed = _assemble(folder, body, said)
        removed, missing = _remove_keys(folder)
        folder.forget()
    return Voided(reason=said.outcome.remark, signed_by=signed, removed=tuple(removed), missing=tuple(missing))


def void_acts(plan: bytes) -> list[Act]:
    """What may be asked of whom, for a file of answers."""
    read = read_plan(plan)
    after = len(script(read))
    return [Act(number=after + number, person=one, name="void") for number, one in enumerate(read.people, 1) if one.present]


def _draft(folder: Folder, reason: str, at: int) -> TranscriptDraft:
    """What the transcript says: the steps that were done, with the keys that came of them, and nothing that anybody signed."""
    try:
        progress = look(folder)
    except (Malformed, NotAuthentic):  # somebody changed the folder: nothing in it is to be told as done
        progress = look(folder, most=0)
    _require_unsigned(progress)
    done = progress.records[: len(progress.steps)]
    kept = [dataclasses.replace(one, results=tuple((what, value) for what, value in one.results if what in LEFT)) for one in done]
    ended = max([at, progress.story.ended_at, *(began for began, _ in folder.sittings())])
    draft = draft_transcript(folder, progress.story, kept, Outcome(word="void", remark=reason, at=ended))
    return dataclasses.replace(draft, sittings=draft.sittings or ((ended, 1),))


def _require_unsigned(progress: Progress) -> None:
    """Raise Refused if a quorum has signed: that is valid for whoever has these signatures, and no declaration changes it."""
    if progress.matter.realm is Realm.REHEARSAL:
        return
    for step in progress.steps:
        if isinstance(step, FinishStep) and _signed(step, progress.story):
            message = f"a quorum has signed {step.about}: that is valid, whatever becomes of the ceremony"
            raise Refused(message, "go on with it to its end; what came of it is ended by what comes later: a rotation, a revocation")


def _signed(step: FinishStep, story: Story) -> bool:
    """Whether the signatures that there are make a statement that every reader takes."""
    if not story.signatures.get(step.paper.about):
        return False
    try:
        step.assembled(story)
    except ValizaError:
        return False
    return True


def _ask_all(folder: Folder, body: bytes, said: TranscriptDraft, room: Room, tools: Tools) -> None:
    """Ask everybody who has a key whether he signs; who did before is not asked again."""
    keys = keys_in(said, folder.begun.realm)
    if not keys:
        return
    files: dict[str, tuple[str, Path]] = {}
    for record, local in folder.steps():
        for which, path in local.items():
            files[record.participant] = (which, path)  # his newest key comes last
    acts = [act for act in void_acts(said.plan) if act.person.id in keys and act.person.id in files]
    for act in acts:
        who = act.person.id
        if folder.void_signature(who) is not None:
            continue
        room.begin(act, acts[-1].number)
        desk = Desk(step=act, room=room, tools=tools, realm=folder.begun.realm, not_before=0, files={}, intend=lambda _path, _public: None)
        desk.aloud("void", said.outcome.remark)
        desk.aloud("transcript", digest(labels.DIGEST_TRANSCRIPT, body).hex())
        if desk.ask(asking.choice("sign")):
            which, path = files[who]
            key = desk.ask(asking.passphrase(passphrase_of(which), partial(unlock, path, expected=keys[who])))
            with at_hand(key):
                folder.write(f"void-{who}", pack(list(attested(body, key))))
        room.end(act, again=False)


def _assemble(folder: Folder, body: bytes, said: TranscriptDraft) -> tuple[str, ...]:
    """Put the transcript together, if anybody signed; returns who did."""
    entries = [entry for one in said.participants if (entry := folder.void_signature(one.id)) is not None]
    if not entries:
        return ()
    raw = pack([folder.begun.realm.label(labels.TRANSCRIPT), body, sorted(entries)])
    folder.write(VOID, raw)
    signed = read_transcript(raw, folder.begun.realm).signed_by
    return tuple(one.id for one in said.participants if one.id in signed)


def _remove_keys(folder: Folder) -> tuple[list[Path], list[Path]]:
    """Remove every key that was made, or was about to be; tells which were removed, and which could not be looked for."""
    removed, missing = [], []
    for intent in folder.intents():
        try:
            if remove_key(intent, folder.begun.realm):
                removed.append(intent.path)
        except Unavailable:
            missing.append(intent.path)
    return removed, missing
