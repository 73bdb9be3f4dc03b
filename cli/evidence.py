"""Commands about evidence: make a bundle that an arbiter can verify with two fingerprints, and verify one (R4.8, A13)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import click

from valiza.cli.batch import Result, one_by_one, report, require_one_input
from valiza.cli.options import (
    ENVELOPE,
    EVIDENCE,
    FOLDER,
    STATEMENT,
    NameOrFile,
    OrderedGroup,
    as_json,
    as_officer,
    command_epilog,
    home_option,
    now,
    open_office,
    output,
    passphrase_fd,
    require_output,
    typed,
)
from valiza.cli.render import answer_facts, as_of, bundle_facts, custody_facts, dispatch_facts, emit, manifest_facts, receipt_facts, utc
from valiza.cli.sending import named_envelope
from valiza.cli.terminal import passphrase_source, progress
from valiza.keys.errors import Usage

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from valiza.office.evidence import Evidence
    from valiza.register.evidence import LoggedFact


@click.group(cls=OrderedGroup)
def evidence() -> None:
    """Evidence: bundles that anybody can verify with nothing but the fingerprints of both roots (A13)."""


@evidence.command(
    "make",
    short_help="Gather all that proves what became of an envelope.",
    epilog=command_epilog(
        "valiza evidence make KZ-MFA/2026/out/17 --home kz -o case.vle",
        "valiza evidence make 4f0c81d2 --disclose manifest --home kz -o case.vle",
        "valiza evidence make report.vlz --disclose manifest --disclose report.pdf --home by --as yanka -o case.vle",
    ),
)
@click.argument("envelope", type=NameOrFile(), metavar="ENVELOPE|ID", shell_complete=ENVELOPE.offer)
@output("The bundle")
@click.option(
    "--disclose",
    multiple=True,
    metavar="WHAT",
    help="Show contents: the word manifest, or a file carrier by its index or name. Repeatable. The bundle is then as secret as they are.",
)
@click.option(
    "--envelope", "file", type=ENVELOPE, metavar="FILE", help="The envelope, where something is shown that only it holds; not where it is named."
)
@home_option
@as_officer
@passphrase_fd
@as_json
def make(
    envelope: str,
    output: Path,
    disclose: tuple[str, ...],
    file: Path | None,
    home: Path | None,
    officer: str | None,
    passphrase_fd: int | None,
    json_: bool,
) -> None:
    """Gather dispatch, answer and receipt of an envelope, both rosters, the agreement, and what this office's log says, into one file.

    Without --disclose it shows nothing of the contents. It is verified before it gets its name.
    """
    from valiza.office.evidence import make_evidence
    from valiza.office.sending import find_dispatch

    if str(output) == "-":
        message = "a bundle is verified before it gets its name, and standard output has none"
        raise Usage(message, "give -o FILE")
    require_output(output)
    named = named_envelope(envelope)
    if not isinstance(named, str):
        if str(named) == "-" or file is not None:
            message = "the envelope is named twice" if file is not None else "the envelope is read more than once"
            raise Usage(message, "name it by its file, or by id or number and give the file with --envelope")
        file = named
    office = open_office(home, passphrase_source(passphrase_fd))
    made = make_evidence(office, find_dispatch(office, named), output, disclose=disclose, envelope=file, officer=officer, at=now())
    emit({"evidence": str(output), **_facts(made)}, json_=json_, people={"evidence": str(output), **_people(made)})


@evidence.command(
    "verify",
    short_help="Verify a bundle with nothing but two fingerprints, and say what it proves.",
    epilog=command_epilog(
        "valiza evidence verify case.vle --root 3f5a… --root 9c01…",
        "valiza evidence verify case.vle --root 3f5a… --root 9c01… --roster KZ.vls --roster BY.vls -o shown",
    ),
)
@click.argument("file", type=EVIDENCE, metavar="BUNDLE")
@click.option(
    "--root",
    "roots",
    multiple=True,
    required=True,
    metavar="FINGERPRINT",
    help="Fingerprint of a party's root, compared by you, as digits or words; of both parties. Repeatable.",
)
@click.option(
    "--roster",
    "rosters",
    type=STATEMENT,
    multiple=True,
    metavar="FILE",
    help="A party's latest roster, from itself: what the bundle has must go with it, and it counts. Repeatable.",
)
@click.option("-o", "--output", "output", type=FOLDER, metavar="DIR", help="Write the carriers that it shows into a new folder.")
@as_json
def verify(file: Path, roots: tuple[str, ...], rosters: tuple[Path, ...], output: Path | None, json_: bool) -> int:
    """Verify an evidence bundle offline, without an office, and say what is proved, by whom and as of when, and what is not.

    Whoever made the bundle chose the rosters in it. What was revoked since, or left out, only a party's own roster shows.
    """
    from valiza.keys.fingerprint import parse_fingerprint

    with typed("--root"):
        fingerprints = [parse_fingerprint(root) for root in roots]
    if output is not None:
        if str(output) == "-":
            message = "carriers are written to a folder"
            raise Usage(message, "give -o DIR")
        require_output(output)
    require_one_input(file, *rosters)
    return report([file], partial(one_by_one, partial(_verify, fingerprints, rosters, output)), many=False, json_=json_, what="bundles")


def _verify(fingerprints: Sequence[bytes], rosters: Sequence[Path], into: Path | None, file: Path) -> Result:
    from valiza.office.evidence import verify_evidence

    size = 0 if str(file) == "-" or not file.is_file() else file.stat().st_size
    with progress("verifying", size) as advance:
        found = verify_evidence(file, fingerprints, into, rosters=rosters, progress=advance)
    code = found.findings.verdict.exit_code
    return Result(facts=_facts(found), people=_people(found), line=found.findings.verdict.value, exit_code=code, error=_why(found) if code else "")


_WHY = {
    "outstanding": "the bundle holds no answer to the envelope",
    "overdue": "the bundle holds no answer to the envelope, and the receipt was overdue",
    "acknowledged": "the answer is not countersigned: it is no receipt",
    "refused": "the envelope was refused",
    "discrepant": "something was missing or damaged",
    "late": "the receipt was countersigned after it was due",
    "conflict": "something else that contradicts it was signed",
    "withdrawn": "the envelope is recorded as never sent",
}


def _why(found: Evidence) -> str:
    return _WHY.get(found.findings.verdict.value, "the bundle does not complete the exchange")


@evidence.command("show", short_help="Show what a bundle holds; nothing is believed.", epilog=command_epilog("valiza evidence show case.vle"))
@click.argument("file", type=EVIDENCE, metavar="BUNDLE")
@as_json
def show(file: Path, json_: bool) -> None:
    """Show what a bundle holds. No signature is checked: nothing here is to be believed."""
    from valiza.office.evidence import read_evidence
    from valiza.office.reader import envelope_file

    with envelope_file(file) as source:
        facts = bundle_facts(read_evidence(source))
    emit({"believed": False, "read": facts}, json_=json_)


def _people(found: Evidence) -> dict[str, Any]:
    """The findings: each sentence on a line of its own."""
    said = found.findings
    return {
        "verdict": said.verdict.value,
        "proved": dict(enumerate(said.proved, 1)),
        "not_proved": dict(enumerate(said.not_proved, 1)),
        "carriers": [carrier.name for carrier in found.shown],
    }


def _facts(found: Evidence) -> dict[str, Any]:
    verified, said = found.verified, found.findings
    core = verified.signed.core
    profile = next((agreement.profile for agreement in verified.agreements.all() if agreement.digest == core.agreement), None)
    proved: dict[str, Any] = {"envelope": dispatch_facts(verified.signed, profile)}
    if verified.receipt is not None:
        proved |= receipt_facts(verified.receipt)
    elif verified.answer is not None:
        proved["answer"] = answer_facts(verified.answer)
    if verified.manifest is not None:
        proved["manifest"] = manifest_facts(verified.manifest, profile)
    return {
        "verdict": said.verdict.value,
        "proved": list(said.proved),
        "not_proved": list(said.not_proved),
        "not_compared": list(verified.not_compared),
        "rosters_compared": sorted(verified.compared),
        "custody": None if said.custody is None else custody_facts(said.custody),
        "verified": proved,
        "log": [_entry_facts(fact) for fact in verified.logged],
        "carriers": [{"index": c.index, "name": c.name, "size": c.size, "acknowledged": c.acknowledged} for c in found.shown],
        "roster_as_of": as_of(verified.trust, verified.parties, now()),
    }


def _entry_facts(fact: LoggedFact) -> dict[str, Any]:
    checkpoint = fact.checkpoint
    return {
        "body": str(fact.body),
        "kind": fact.leaf.facts.kind,
        "number": fact.leaf.facts.number,
        "entered_at": utc(fact.leaf.facts.at),
        "note": fact.leaf.facts.note,
        "place": fact.place,
        "size": None if checkpoint is None else checkpoint.checkpoint.size,
        "signed_at": None if checkpoint is None else utc(checkpoint.at),
        "cosigned_by": None if fact.cosigner is None else str(fact.cosigner),
        "cosigned_at": None if fact.cosigned_at is None else utc(fact.cosigned_at),
        "weakness": fact.weakness,
    }
