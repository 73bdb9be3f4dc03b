"""Commands for the logs of a register: verify, checkpoint, cosign, import, heads, prove."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import click

from valiza.cli.options import (
    ENVELOPE,
    FILE,
    FOLDER,
    NameOrFile,
    as_json,
    as_officer,
    command_epilog,
    home_option,
    now,
    open_office,
    passphrase_fd,
    require_output,
)
from valiza.cli.register import register
from valiza.cli.render import emit, utc
from valiza.cli.sending import named_envelope
from valiza.cli.terminal import counting, passphrase_source, print_result, quoted, say
from valiza.keys.errors import NotAuthentic, Usage

if TYPE_CHECKING:
    from pathlib import Path

    from valiza.office.home import Office
    from valiza.office.registering import RegisterVerified
    from valiza.register.note import SignedCheckpoint

_MAX_NOTE = 1 << 18


def _agreement_id(office: Office, digest: bytes) -> str:
    """What people call an agreement; its digest if it is not adopted here."""
    return next((agreement.profile.id for agreement in office.agreements.all() if agreement.digest == digest), digest.hex())


def _agreement_option(command: Any) -> Any:  # noqa: ANN401 - a decorator of click's
    return click.option("--agreement", metavar="ID", help="Only the log under this agreement; without it every log.")(command)


# -- verify ---------------------------------------------------------------------------------------------------------------


@register.command(
    "verify",
    short_help="Check the whole register: every hash, signature and head.",
    epilog=command_epilog("valiza register verify --home kz", "valiza register verify --home kz --hashes-only --json"),
)
@click.option("--hashes-only", is_flag=True, help="Leave the signatures of statements out, which are most of the work.")
@home_option
@as_json
def verify(hashes_only: bool, home: Path | None, json_: bool) -> None:
    """Check that every entry is what was entered, where it was entered, and that none is missing; and the signatures in it.

    An entry that was changed, removed, put in or moved is found by the entries around it. What was cut off at the end, and a register that was
    written anew, is found by the checkpoints that this office signed, and by those that the other party cosigned.
    """
    from valiza.office.registering import verify_register
    from valiza.register.store import Query

    at_office = open_office(home)
    total = at_office.journal.store.count(Query())
    with counting("verifying", total) if total else nullcontext(lambda _: None) as progress:
        found = verify_register(at_office, statements=not hashes_only, progress=progress)
    facts = _verified_facts(at_office, found)
    if json_:
        emit(facts, json_=True)
    else:
        _tell_verified(facts)
    if not found.holds:
        first = found.checked.findings[0]
        others = len(found.checked.findings) - 1
        message = f"the register does not hold: {first.message}{f'; and {others} more' if others else ''}"
        raise NotAuthentic(message, "keep it as it is: it is evidence; work on with the newest backup that holds")


def _verified_facts(office: Office, found: RegisterVerified) -> dict[str, Any]:
    return {
        "holds": found.holds,
        "entries": found.checked.entries,
        "statements": found.checked.statements,
        "unchecked": [{"kind": kind, "statements": count} for kind, count in sorted(found.checked.unchecked.items())],
        "logs": [
            {
                "agreement": _agreement_id(office, log.agreement),
                "digest": log.agreement.hex(),
                "entries": log.size,
                "root": log.root.hex(),
                "covered": {
                    kind: max((h.size for h in found.heads if h.kind == kind and h.agreement == log.agreement), default=0)
                    for kind in ("own", "cosigned")
                },
            }
            for log in found.checked.logs
        ],
        "heads": [
            {"kind": h.kind, "body": str(h.body), "agreement": _agreement_id(office, h.agreement), "entries": h.size, "at": utc(h.at)}
            for h in found.heads
        ],
        "findings": [{"entry": finding.seq or None, "message": finding.message} for finding in found.checked.findings],
    }


def _tell_verified(facts: dict[str, Any]) -> None:
    print_result(f"{facts['entries']} entries, {facts['statements']} statements with signatures checked")
    if facts["unchecked"]:
        kinds = ", ".join(f"{one['statements']} {one['kind']}" for one in facts["unchecked"])
        print_result(f"  and others, whose signatures were not: {kinds}")
    for log in facts["logs"]:
        print_result(f"  {log['agreement']}: {log['entries']} entries, {log['covered']['own']} under an own checkpoint,")
        print_result(f"    {log['covered']['cosigned']} cosigned by the other party, which nobody here can change any more")
    for finding in facts["findings"]:
        print_result(f"  WRONG: {finding['message']}")
    if facts["holds"]:
        print_result("the register holds")


# -- heads ----------------------------------------------------------------------------------------------------------------


@register.command(
    "checkpoint",
    short_help="Sign the heads of this office's logs.",
    epilog=command_epilog(
        "valiza register checkpoint --home kz",
        "valiza register checkpoint --home kz --agreement kz-by --for BY-MFA -o KZ-MFA.request",
    ),
)
@_agreement_option
@click.option("--for", "body", metavar="BODY", help="Write a request to cosign for this body, from where it cosigned last.")
@click.option("--from", "old", type=click.IntRange(0), metavar="N", help="Go on from this many entries, if the other body says so.")
@click.option("-o", "--output", "output", type=FILE, metavar="FILE", help="Where the request goes; it must not exist.")
@home_option
@as_officer
@passphrase_fd
@as_json
def checkpoint(
    agreement: str | None,
    body: str | None,
    old: int | None,
    output: Path | None,
    home: Path | None,
    officer: str | None,
    passphrase_fd: int | None,
    json_: bool,
) -> None:
    """Sign a checkpoint of each log that grew, with this office's key of the register, and write a request to cosign it with -o.

    It says how many entries there are and what they are, without telling anything of them. From then on it travels with what is sent. For cron: it
    does nothing where nothing was entered.
    """
    from valiza.office.addressing import parse_body
    from valiza.office.checkpoints import checkpoint as sign
    from valiza.office.checkpoints import request_for
    from valiza.office.reader import write_object
    from valiza.office.registering import agreements_named

    at_office = open_office(home, passphrase_source(passphrase_fd))
    digests = agreements_named(at_office, agreement)
    if output is None and (body is not None or old is not None):
        message = "--for and --from are about the request that -o writes"
        raise Usage(message)
    if output is not None:
        require_output(output)
        if len(digests) != 1:
            message = f"there are {len(digests)} logs, and a request is about one"
            raise Usage(message, "say which with --agreement ID")
    signed = {digest: sign(at_office, digest, officer=officer, at=now()) for digest in digests}
    if output is not None:
        other = None if body is None else parse_body(body, _other_party(at_office, digests[0]))
        write_object(output, request_for(at_office, digests[0], other=other, old=old).format())
    _show_signed(at_office, signed, output, json_=json_)


def _other_party(office: Office, digest: bytes) -> str:
    return office.agreements.find(digest).profile.other(office.body.party).id


def _show_signed(office: Office, signed: dict[bytes, SignedCheckpoint], output: Path | None, *, json_: bool) -> None:
    rows = [
        {
            "agreement": _agreement_id(office, digest),
            "origin": one.checkpoint.origin,
            "entries": one.checkpoint.size,
            "root": one.checkpoint.root.hex(),
            "at": utc(one.at),
        }
        for digest, one in signed.items()
    ]
    if json_:
        emit({"checkpoints": rows, "output": None if output is None else str(output)}, json_=True)
        return
    for row in rows:
        print_result(f"{row['agreement']:20} {row['entries']:>10} entries  {row['at']}  {str(row['root'])[:16]}…")
    if output is not None:
        say(f"wrote {quoted(output)}: the other body's office answers it with: valiza register cosign FILE -o FILE")


@register.command(
    "cosign",
    short_help="Cosign the head of another body's log.",
    epilog=command_epilog("valiza register cosign KZ-MFA.request --home by -o KZ-MFA.cosigned", "valiza register cosign --seen --home by"),
)
@click.argument("request", type=FILE, required=False, metavar="[REQUEST]")
@click.option("--seen", is_flag=True, help="Cosign every head that came with an envelope or a receipt. For cron.")
@click.option("-o", "--output", "output", type=FILE, metavar="FILE", help="Where the cosigned checkpoint goes; it must not exist.")
@home_option
@as_officer
@passphrase_fd
@as_json
def cosign(
    request: Path | None,
    seen: bool,
    output: Path | None,
    home: Path | None,
    officer: str | None,
    passphrase_fd: int | None,
    json_: bool,
) -> None:
    """Check that another body's log goes on from what was seen of it here, and cosign its head, with this office's key of the register.

    A log that was rewritten is not cosigned: both heads are recorded as evidence. What was cosigned travels with the next envelope or receipt to that
    body; -o writes it for who does not wait.
    """
    from valiza.keys.files import read_file
    from valiza.office.cosigning import cosign_request, cosign_seen
    from valiza.office.reader import write_object
    from valiza.register.note import peek_checkpoint

    if (request is None) is not seen or (seen and output is not None):
        message = (
            "what is to be cosigned is missing" if request is None else "--seen is for what came with envelopes and receipts, and writes no file"
        )
        raise Usage(message, "name a request, and with -o where the answer goes; or give --seen alone")
    if output is not None:
        require_output(output)
    at_office = open_office(home, passphrase_source(passphrase_fd))
    notes = cosign_seen(at_office, officer=officer, at=now()) if request is None else []
    if request is not None:
        notes = [cosign_request(at_office, read_file(request, _MAX_NOTE), officer=officer, at=now())]
        if output is not None:
            write_object(output, notes[0])
    rows = [{"origin": one.origin, "entries": one.size, "root": one.root.hex()} for one in map(peek_checkpoint, notes)]
    if json_:
        emit({"cosigned": rows, "output": None if output is None else str(output)}, json_=True)
        return
    for row in rows:
        print_result(f"cosigned {row['entries']} entries of {row['origin']}")


@register.command(
    "import",
    short_help="Take in a checkpoint that the other side cosigned.",
    epilog=command_epilog("valiza register import KZ-MFA.cosigned --home kz"),
)
@click.argument("note", type=FILE, metavar="COSIGNED")
@home_option
@as_json
def import_(note: Path, home: Path | None, json_: bool) -> None:
    """Check a checkpoint of this office that a body of the other party cosigned, and keep it: it proves that nothing before it was changed since.

    If the other body has seen more than this register has, the register was restored from an older backup, or cut: that is told, and kept.
    """
    from valiza.keys.files import read_file
    from valiza.office.checkpoints import enter_cosigned
    from valiza.register.note import peek_checkpoint

    at_office = open_office(home)
    data = read_file(note, _MAX_NOTE)
    bodies = enter_cosigned(at_office, data, at=now())
    found = peek_checkpoint(data)
    facts = {"origin": found.origin, "entries": found.size, "cosigned_by": [str(body) for body in bodies]}
    if json_:
        emit(facts, json_=True)
        return
    print_result(f"{', '.join(map(str, bodies))} cosigned {found.size} entries of this office's log")


@register.command(
    "heads",
    short_help="List heads, own and others'.",
    epilog=command_epilog("valiza register heads --home kz", "valiza register heads --home kz --vkeys"),
)
@click.option("--vkeys", is_flag=True, help="Show the keys as other tools for logs take them (C2SP), instead.")
@_agreement_option
@home_option
@as_json
def heads(vkeys: bool, agreement: str | None, home: Path | None, json_: bool) -> None:
    """List the last checkpoints signed here, those that the other side cosigned, and those of its logs that were seen and cosigned here."""
    from valiza.office.checkpoints import log_keys, log_of
    from valiza.office.registering import agreements_named
    from valiza.register.note import office_name
    from valiza.register.note import vkeys as spelled

    at_office = open_office(home)
    digests, store = agreements_named(at_office, agreement), at_office.journal.store
    if vkeys:
        names = [office_name(at_office.body), *(log_of(at_office, digest).origin for digest in digests)]
        keys = [vkey for name in names for key in log_keys(at_office.trust, at_office.body) for vkey in spelled(name, key)]
        if json_:
            emit({"vkeys": keys}, json_=True)
            return
        for vkey in keys:
            print_result(vkey)
        return
    found = [
        {"kind": kind, "body": str(body), "agreement": _agreement_id(at_office, digest), "entries": last.size, "at": utc(last.at)}
        for kind, body, digest in sorted(store.head_logs(), key=lambda head: (head[2], head[0], str(head[1])))
        if digest in digests or agreement is None
        for last in store.heads(kind, body, digest, newest=True)
    ]
    if json_:
        emit({"heads": found}, json_=True)
        return
    for row in found:
        print_result(f"{row['kind']:9} {row['body']:20} {row['agreement']:20} {row['entries']:>10} entries  {row['at']}")


@register.command(
    "prove",
    short_help="Write proofs that an envelope's entries are in the log.",
    epilog=command_epilog("valiza register prove report.vlz --home kz -o proofs", "valiza register prove KZ-MFA/2026/out/17 --home kz --json"),
)
@click.argument("envelope", type=NameOrFile(), metavar="ENVELOPE|ID", shell_complete=ENVELOPE.offer)
@click.option("-o", "--output", "output", type=FOLDER, metavar="FOLDER", help="A new folder for leaves and proofs.")
@home_option
@as_json
def prove(envelope: str, output: Path | None, home: Path | None, json_: bool) -> None:
    """Prove that entries of an envelope stand in this office's log, by the first checkpoint that the other party cosigned after them.

    For each entry there is a leaf, which says what was entered, and a proof in the form of C2SP's tlog-proof, which other tools verify too. With
    `evidence make` all that an arbiter needs comes in one file.
    """
    from valiza.keys.files import new_file, new_folder
    from valiza.office.registering import prove as proofs
    from valiza.office.sending import find_dispatch

    if output is not None:
        require_output(output)
    at_office = open_office(home)
    found = proofs(at_office, find_dispatch(at_office, named_envelope(envelope)))
    if output is not None:
        with new_folder(output) as work:
            for one in found:
                new_file(work / f"{one.entry.seq}-{one.entry.kind}.leaf", one.leaf, 0o644)
                new_file(work / f"{one.entry.seq}-{one.entry.kind}.tlog-proof", one.proof, 0o644)
    rows = [
        {
            "entry": one.entry.seq,
            "kind": one.entry.kind,
            "place": one.entry.place,
            "entries": one.size,
            "cosigned_by": [str(body) for body in one.cosigned_by],
            **({} if output is not None else {"leaf": one.leaf.hex(), "proof": one.proof.decode("utf-8")}),
        }
        for one in found
    ]
    if json_:
        emit({"proofs": rows, "output": None if output is None else str(output)}, json_=True)
        return
    for one in found:
        by = ", ".join(map(str, one.cosigned_by)) or "nobody yet"
        print_result(f"entry {one.entry.seq} ({one.entry.kind}) is at place {one.entry.place} of {one.size}; cosigned by {by}")
