"""Commands for key ceremonies: plan, show, run, void, verify."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from valiza.cli.options import (
    FILE,
    FOLDER,
    PAPER,
    STATEMENT,
    OrderedGroup,
    Text,
    as_json,
    command_epilog,
    now,
    output,
    require_output,
    typed,
    unlock_seconds_option,
)
from valiza.cli.render import emit, utc
from valiza.cli.terminal import safe, say, warn
from valiza.keys.errors import Incomplete, Unavailable, Usage

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from valiza.keys.realm import Realm
    from valiza.office.ceremony.act import Act
    from valiza.office.ceremony.desk import Room
    from valiza.office.ceremony.plan import Plan
    from valiza.office.ceremony.replay import Replayed

KINDS = ("new-root", "rotation", "replacement", "new-body", "compromise", "recovery")
REVOKED = ("compromised", "retired", "suspended", "restored")
REASONS = ("clearance", "closed", "left", "lost", "mistaken", "other", "replaced", "stolen", "suspected")
Facts = dict[str, Any]

rehearsal_option = click.option("--rehearsal", is_flag=True, help="Practise: what comes of it counts for nothing, and is refused everywhere else.")
answers_option = click.option(
    "--answers", type=PAPER, metavar="FILE", help="Nobody is asked: answers from this TOML file, secrets from the file descriptors that it names."
)


@click.group(cls=OrderedGroup)
def ceremony() -> None:
    """Plan key ceremonies, lead custodians and witnesses through them, and check their transcripts."""


# -- plan ----------------------------------------------------------------------------------------------------------------


@ceremony.command(
    "plan",
    short_help="Write the plan of a ceremony.",
    epilog=command_epilog(
        "valiza ceremony plan new-root -o root.toml --title 'The first root' --party KZ --name en=Kazakhstan --degrees 1,2,3 \\",
        "    --threshold 2 --custodian aliya:Aliya --custodian bolat:Bolat --custodian dana:Dana --witness saule:Saule --operator timur:Timur",
        "valiza ceremony plan rotation -o next.toml --title 'Dana leaves' --root root.vls --keeps aliya:Aliya --keeps bolat:Bolat \\",
        "    --leaves dana:Dana --custodian erlan:Erlan --witness saule:Saule --operator timur:Timur",
    ),
)
@click.argument("kind", type=click.Choice(KINDS))
@output("The plan")
@click.option("--title", type=Text(), required=True, help="What the ceremony is called.")
@click.option("--place", type=Text(empty=True), default="", help="Where it takes place.")
@click.option("--operator", required=True, metavar="ID:NAME", help="Who sits at the keyboard; has no key.")
@click.option(
    "--custodian",
    "custodians",
    multiple=True,
    metavar="ID:NAME|ID=FILE",
    help="A custodian. Of a root that is made: he makes a key in the ceremony, or brings one by a request. Else: he brings his key. Repeatable.",
)
@click.option("--keeps", multiple=True, metavar="ID:NAME", help="A custodian of the root before who keeps his key. Repeatable.")
@click.option("--leaves", multiple=True, metavar="ID:NAME", help="A custodian of the root before who leaves. Repeatable.")
@click.option("--absent", multiple=True, metavar="ID", help="Who of the custodians is not in the room. Repeatable.")
@click.option("--lost", multiple=True, metavar="ID", help="Whose key in the root before cannot sign any more. Repeatable.")
@click.option(
    "--witness",
    "witnesses",
    multiple=True,
    metavar="ID:NAME|ID=FILE,…",
    help="A witness who makes a key in the ceremony; or brings one, by a request, or by a credential and those of its issuers. Repeatable.",
)
@click.option("--shareholder", "shareholders", multiple=True, metavar="ID:NAME", help="Who types a share of the key that is recovered. Repeatable.")
@click.option("--sealed-backup", is_flag=True, help="The shares need a passphrase.")
@click.option(
    "--root", "roots", type=STATEMENT, multiple=True, metavar="FILE", help="The root before: the latest version, or all, the first one first."
)
@click.option(
    "--root-fingerprint", metavar="FINGERPRINT", help="Of the root before, as you have it; needed for a later version without those before it."
)
@click.option("--party", metavar="ID", help="Id of the party, of a first root.")
@click.option("--name", "names", multiple=True, metavar="LANG=TEXT", help="Name of the party; without it as before. Repeatable.")
@click.option("--degrees", metavar="CODE,…", help="Its degrees of secrecy, the most secret first, of a first root.")
@click.option("--threshold", type=click.IntRange(1, 16), help="How many custodians speak for the party; without it as before.")
@click.option(
    "--revoke",
    type=STATEMENT,
    multiple=True,
    metavar="FILE",
    help="A credential that is to be revoked; then, in order, those of its issuers. Repeatable.",
)
@click.option(
    "--kind", "revocation", type=click.Choice(REVOKED), default="compromised", show_default=True, help="What becomes of the revoked credential."
)
@click.option("--reason", type=click.Choice(REASONS), default="suspected", show_default=True, help="Why it is revoked.")
@click.option("--number", type=click.IntRange(min=1), metavar="N", help="Number of the revocation: one more than the last of the root.")
@click.option("--effective", metavar="TIME", help="Since when; without it when the custodians draft it.")
@click.option("--request", type=STATEMENT, metavar="FILE", help="A new body's request, for the keys that a root certifies.")
@click.option("--known", type=STATEMENT, multiple=True, metavar="FILE", help="An earlier credential of that body, which vouches. Repeatable.")
@click.option("--clearance", metavar="CODE", help="Clearance of the new body.")
@click.option("--certifies-bodies", is_flag=True, help="The new body may certify other bodies.")
@click.option("--valid-from", metavar="TIME", help="Since when what is made is valid; now.")
@click.option(
    "--validity",
    type=click.IntRange(1, 36500),
    metavar="DAYS",
    help="For how long: of a root 3650 days, of a credential 1825, or as far as the root goes; a replacement ends when the root before does.",
)
@click.option("--entropy", multiple=True, type=click.Choice(["dice", "keyboard"]), help="What is typed and mixed into each new key. Repeatable.")
@click.option("--this-code", is_flag=True, help="Allow only the program that is installed here, by the digest of its code.")
@as_json
def plan_(output: Path, json_: bool, **given: Any) -> None:  # noqa: ANN401 - what the plan is to say, as click hands it over
    """Write the plan of a ceremony, for people to read and agree on. It can be changed by hand; its digest covers every byte.

    NAME is his name in the root before, if he stands in it. Files that the plan names lie beside it.
    """
    from valiza.cli.planning import wanted
    from valiza.keys.realm import Realm
    from valiza.office.ceremony.code import this_tool
    from valiza.office.ceremony.matter import read_matter
    from valiza.office.ceremony.planning import write_plan
    from valiza.office.ceremony.script import foresee
    from valiza.office.reader import write_object

    require_output(output)
    said = wanted(output.parent, given)
    with typed("the plan"):
        plan = write_plan(said)
    matter = read_matter(plan.raw, dict(said.inputs), Realm.ORDINARY, this_tool())
    with typed("the plan"):
        foresee(matter, now())
    write_object(output, plan.raw)
    emit({"plan": str(output), **_plan_facts(plan)}, json_=json_, output=output)


def _plan_facts(plan: Plan) -> Facts:
    from valiza.office.ceremony.script import attestations, script

    return {
        "kind": plan.kind,
        "title": plan.title,
        "digest": plan.digest.hex(),
        "steps": [
            {"number": one.number, "id": one.id, "participant": one.person.title, "makes_key": one.makes_key}
            for one in (*script(plan), *attestations(plan))
        ],
    }


# -- run -----------------------------------------------------------------------------------------------------------------


@ceremony.command(
    "run",
    short_help="Lead custodians and witnesses through a ceremony.",
    epilog=command_epilog(
        "valiza ceremony run root.toml --dir root",
        "valiza ceremony run root.toml --dir practice --rehearsal",
        "valiza ceremony run root.toml --dir root --answers answers.toml 3< aliya.pass 4< bolat.pass 5< saule.pass",
    ),
)
@click.argument("plan", type=PAPER)
@click.option("--dir", "folder", type=FOLDER, required=True, metavar="DIR", help="The ceremony's folder: a new one, or one to go on in.")
@answers_option
@rehearsal_option
@unlock_seconds_option
@as_json
def run(plan: Path, folder: Path, answers: Path | None, rehearsal: bool, unlock_seconds: float, json_: bool) -> None:
    """Lead people through a ceremony at this terminal, or a script through it. What an interruption left is gone on with.

    DIR holds what was done, and nothing secret; at the end the transcript and what came of the ceremony.
    """
    from valiza.keys.cost import measured_cost
    from valiza.keys.realm import Realm
    from valiza.office.ceremony.code import this_tool
    from valiza.office.ceremony.desk import Tools
    from valiza.office.ceremony.matter import read_matter
    from valiza.office.ceremony.plan import read_plan
    from valiza.office.ceremony.running import begin, lead
    from valiza.office.ceremony.script import attestations, foresee, script

    realm = Realm.REHEARSAL if rehearsal else Realm.ORDINARY
    tool, raw, inputs = this_tool(), *_read_plan_file(plan)
    read = read_plan(raw)
    room = _room(answers, [*script(read), *attestations(read)], read, rehearsal=rehearsal)
    tools = Tools(clock=now, random=os.urandom, cost=measured_cost(unlock_seconds))
    if rehearsal:
        warn("this is a rehearsal: what comes of it counts for nothing")
    if folder.exists():
        begun = _folder(folder, realm)
        if begun.begun.plan != raw:
            message = f"the ceremony in {str(folder)!r} has another plan"
            raise Usage(message, "go on with the plan that it was begun with, or name a new folder")
    else:
        require_output(folder)
        foresee(read_matter(raw, inputs, realm, tool), now())
        begun = begin(folder, raw, inputs, realm, tool=tool, random=os.urandom)
    done = lead(begun, room, tools, tool)
    emit({"folder": str(folder), "written": [f"{name}.vls" for name in (*done.statements, "transcript")], **_facts(done)}, json_=json_)


def _read_plan_file(path: Path) -> tuple[bytes, dict[str, bytes]]:
    """A plan, and the files beside it that it names."""
    from valiza.keys import labels
    from valiza.keys.files import about, read_file
    from valiza.keys.statement import LIMITS
    from valiza.keys.transcript import MAX_PLAN
    from valiza.office.ceremony.plan import read_plan

    raw = read_file(path, MAX_PLAN)
    with about(path):
        inputs = read_plan(raw).inputs
    return raw, {name: read_file(path.parent / name, LIMITS[labels.ROOT]) for name in inputs}


def _room(answers: Path | None, acts: Iterable[Act], plan: Plan, *, rehearsal: bool) -> Room:
    from valiza.keys.files import read_file
    from valiza.office.ceremony.answers import MAX_ANSWERS, ScriptRoom, read_answers

    if answers is None:
        from valiza.cli.room import TerminalRoom

        return TerminalRoom(rehearsal=rehearsal)
    return ScriptRoom(read_answers(read_file(answers, MAX_ANSWERS), acts, plan.people), lambda line: say(f"valiza: {safe(line)}"))


def _folder(path: Path, realm: Realm) -> Any:  # noqa: ANN401 - of a module that only this command needs
    from valiza.office.ceremony.folder import Folder

    found = Folder(path)
    if found.begun.realm is not realm:
        message = f"the ceremony in {str(path)!r} is {'a' if found.begun.realm.value == 'rehearsal' else 'no'} rehearsal"
        raise Usage(message, "say --rehearsal for a rehearsal, and only for one")
    return found


# -- void ----------------------------------------------------------------------------------------------------------------


@ceremony.command(
    "void",
    short_help="Declare a ceremony void that did not come to its end.",
    epilog=command_epilog("valiza ceremony void root --reason 'a stranger entered the room'"),
)
@click.argument("folder", type=FOLDER, metavar="DIR")
@click.option("--reason", type=Text(), required=True, help="What happened.")
@answers_option
@as_json
def void(folder: Path, reason: str, answers: Path | None, json_: bool) -> None:
    """Declare a ceremony void: the keys that were made in it are removed, and it is never gone on with. Whoever has a key may sign that it is so.

    Once a quorum has signed what is made in it, it can only be gone on with.
    """
    from valiza.keys.keyfile import Argon2Cost
    from valiza.office.ceremony.desk import Tools
    from valiza.office.ceremony.folder import Folder
    from valiza.office.ceremony.plan import read_plan
    from valiza.office.ceremony.script import attestations, script
    from valiza.office.ceremony.voiding import declare_void, void_acts

    found = Folder(folder)
    plan = read_plan(found.begun.plan)
    acts = [*script(plan), *attestations(plan), *void_acts(found.begun.plan)]  # one file of answers may do for both
    room = _room(answers, acts, plan, rehearsal=found.begun.realm.value == "rehearsal")
    done = declare_void(found, reason, room, Tools(clock=now, random=os.urandom, cost=Argon2Cost()))
    emit(
        {
            "folder": str(folder),
            "reason": done.reason,
            "signed_by": list(done.signed_by),
            "removed": [str(path) for path in done.removed],
            "missing": [str(path) for path in done.missing],
        },
        json_=json_,
    )
    if not done.signed_by:
        say("valiza: nobody signed: that it is void stands in the folder alone")
    if done.missing:
        message = f"a key of it may still lie at {', '.join(repr(str(path)) for path in done.missing)}"
        raise Unavailable(message, "put the medium back and call again, or destroy it")


# -- verify and show -----------------------------------------------------------------------------------------------------


@ceremony.command(
    "verify",
    short_help="Check a transcript, offline.",
    epilog=command_epilog(
        "valiza ceremony verify root/transcript.vls --root 3f5a… --json",
        "valiza ceremony verify practice/transcript.vls --rehearsal",
    ),
)
@click.argument("transcript", type=STATEMENT)
@click.option("--root", metavar="FINGERPRINT", help="The root has to be this one, before the ceremony or after it; all 64 digits.")
@rehearsal_option
@click.option("-o", "--output", "output", type=FOLDER, metavar="DIR", help="Write what came of the ceremony into this new folder.")
@as_json
def verify(transcript: Path, root: str | None, rehearsal: bool, output: Path | None, json_: bool) -> None:
    """Replay a ceremony from its transcript: signatures, plan, every step, and what came of it. Needs nothing else.

    Without --root it says what the transcript is in itself; whose root it is, only a fingerprint that you compared can tell.
    It is needed where the plan names a later version of the root without those before it.
    """
    from valiza.keys import labels
    from valiza.keys.files import about, new_file, new_folder
    from valiza.keys.fingerprint import parse_fingerprint
    from valiza.keys.realm import Realm
    from valiza.office.ceremony.replay import verify_transcript
    from valiza.office.reader import read_object

    with typed("--root"):
        fingerprint = None if root is None else parse_fingerprint(root)
    if output is not None:
        require_output(output)
    with about(transcript):
        found = verify_transcript(read_object(transcript, labels.TRANSCRIPT), Realm.REHEARSAL if rehearsal else Realm.ORDINARY)
    try:
        found.require_root(fingerprint)
        found.require_complete()
    except Incomplete:
        emit({"verified": _facts(found)}, json_=json_)
        raise
    if output is not None:
        with new_folder(output) as work:
            for name, statement in found.statements.items():
                new_file(work / f"{name}.vls", statement, 0o644)
    emit({"verified": {**_facts(found), "root_compared": fingerprint is not None}}, json_=json_)


def _facts(found: Replayed) -> Facts:
    said = found.transcript.said
    return {
        "ceremony": said.id.hex(),
        "transcript": found.transcript.digest.hex(),
        "rehearsal": found.transcript.realm.value == "rehearsal",
        "kind": said.kind,
        "title": found.plan.title,
        "place": found.plan.place,
        "plan": found.plan.digest.hex(),
        "outcome": said.outcome.word,
        "remark": said.outcome.remark,
        "began_at": utc(said.sittings[0][0]),
        "ended_at": utc(said.outcome.at),
        "sittings": len(said.sittings),
        "roots": list(found.roots),
        "statements": sorted(found.statements),
        "participants": [
            {"id": one.id, "role": one.role, "name": one.title, "signed": one.id in found.transcript.signed_by} for one in said.participants
        ],
        "missing": list(found.missing),
        "entropy": list(said.entropy),
        "version": said.tool.version,
        "code": said.tool.code.hex(),
        "interpreter": said.tool.interpreter,
        "platform": said.tool.platform,
        "libraries": dict(said.tool.libraries),
        "steps": [
            {
                "number": one.number,
                "name": one.name,
                "about": one.about,
                "participant": one.participant,
                "began_at": utc(one.began_at),
                "ended_at": utc(one.ended_at),
            }
            for one in said.steps
        ],
    }


@ceremony.command(
    "show",
    short_help="Show the steps of a plan, or where a ceremony stands.",
    epilog=command_epilog("valiza ceremony show root.toml", "valiza ceremony show root"),
)
@click.argument("plan", type=FILE, metavar="PLAN|DIR")
@as_json
def show(plan: Path, json_: bool) -> None:
    """Show what a plan leads through, to be printed and agreed on; or how far a ceremony has come."""
    from valiza.office.ceremony.folder import Folder
    from valiza.office.ceremony.plan import read_plan

    if not plan.is_dir():
        raw, _ = _read_plan_file(plan)
        emit(_plan_facts(read_plan(raw)), json_=json_)
        return
    folder = Folder(plan)
    state = "void" if folder.void() is not None else "complete" if folder.complete() is not None else "unfinished"
    facts = {"state": state, "rehearsal": folder.begun.realm.value == "rehearsal", "done": len(folder.steps())}
    emit({**facts, **_plan_facts(read_plan(folder.begun.plan))}, json_=json_)
