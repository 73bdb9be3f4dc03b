"""Commands that bring an envelope to its end: acknowledge, refuse, countersign, receipt."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import click

from valiza.cli.batch import (
    Result,
    attempt,
    each_line_option,
    each_option,
    find_envelopes,
    in_folder,
    jobs_option,
    one_by_one,
    report,
    require_alone,
    require_files,
    require_one_input,
    target_folder,
)
from valiza.cli.options import (
    ENVELOPE,
    STATEMENT,
    OrderedGroup,
    Text,
    as_json,
    as_officer,
    command_epilog,
    home_option,
    now,
    open_office,
    open_reader,
    output,
    passphrase_fd,
    require_output,
    trust_options,
)
from valiza.cli.render import answer_facts, as_of, dispatch_facts, emit, heads_that_came, in_brief, receipt_facts, utc
from valiza.cli.terminal import passphrase_source, safe
from valiza.keys.errors import Malformed, Usage, ValizaError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from valiza.office.answering import ReceiptOutcome
    from valiza.office.reader import Reader

GROUP: Final = 32  # receipts that are entered in the register together

_REASONS = ("addressee", "agreement", "basis", "channel", "clearance", "contents", "mark", "other", "route")


def _conditions(condition: tuple[str, ...], missing: tuple[int, ...], damaged: tuple[int, ...]) -> dict[int, str]:
    said: list[tuple[int, str]] = []
    for text in condition:
        index, equals, word = text.partition("=")
        if not equals or not re.fullmatch("[0-9]{1,5}", index) or word not in {"present", "missing", "damaged"}:
            message = f"{text!r} is no condition"
            raise Usage(message, "write INDEX=present, INDEX=missing or INDEX=damaged")
        said.append((int(index), word))
    said += [(index, "missing") for index in missing] + [(index, "damaged") for index in damaged]
    found = dict(said)
    if len(set(said)) != len(found):
        message = "the condition of a carrier is given twice, and differently"
        raise Usage(message)
    return found


@click.command(
    epilog=command_epilog(
        "valiza acknowledge report.vlz --home by --as yanka -o report.ack.vls",
        "valiza acknowledge *.vlz --each --home by -o acks",
        "valiza acknowledge bag.vlz --damaged 2 --number BY-MFA/2026/in/17 --home by -o bag.ack.vls",
    ),
)
@click.argument("envelopes", nargs=-1, required=True, type=ENVELOPE, metavar="ENVELOPE…")
@output("The acknowledgement; of several envelopes, a folder with one for each")
@each_option
@click.option("--number", type=Text(64, empty=True), metavar="TEXT", help="Incoming number; without it the one given at opening.")
@click.option("--condition", multiple=True, metavar="INDEX=WORD", help="Condition of a physical carrier: present, missing, damaged. Repeatable.")
@click.option("--missing", multiple=True, type=int, metavar="INDEX", help="A physical carrier that did not come. Repeatable.")
@click.option("--damaged", multiple=True, type=int, metavar="INDEX", help="A physical carrier that came damaged. Repeatable.")
@home_option
@as_officer
@passphrase_fd
@as_json
def acknowledge(
    envelopes: tuple[Path, ...],
    output: Path,
    each: bool,
    number: str | None,
    condition: tuple[str, ...],
    missing: tuple[int, ...],
    damaged: tuple[int, ...],
    home: Path | None,
    officer: str | None,
    passphrase_fd: int | None,
    json_: bool,
) -> int:
    """Sign that this envelope was opened, which carriers were found in which condition, and that the own marks were put on (A6.1).

    Done by the officer who opened it. It is no receipt before it is countersigned.
    """
    from valiza.office.answering import acknowledge_envelope

    many = each or len(envelopes) > 1
    require_alone(many, number=number, condition=condition, missing=missing, damaged=damaged)
    require_files(many, *envelopes)
    conditions = _conditions(condition, missing, damaged)
    if not many:
        require_output(output)
    at_office = open_office(home, passphrase_source(passphrase_fd))
    folder = target_folder(output) if many else None

    def work(envelope: Path) -> Result:
        out = output if folder is None else in_folder(folder, envelope, ".ack.vls")
        made = acknowledge_envelope(at_office, envelope, out, officer=officer, number=number, conditions=conditions, at=now())
        facts = {"acknowledgement": str(out), "verified": answer_facts(made.answer)}
        return Result(facts=facts, people=facts, output=out, line=f"acknowledged in {safe(out)}")

    return report(envelopes, partial(one_by_one, work), many=many, json_=json_, what="envelopes")


@click.command(
    epilog=command_epilog("valiza refuse report.vlz --reason clearance --comment 'nobody here is cleared' --home by -o refusal.vls"),
)
@click.argument("envelope", type=ENVELOPE)
@click.option("--reason", required=True, type=click.Choice(_REASONS), help="Why.")
@click.option("--comment", type=Text(empty=True), default="", metavar="TEXT", help="In words.")
@click.option("--number", type=Text(64, empty=True), metavar="TEXT", help="Incoming number; without it the office gives one.")
@output("The refusal")
@home_option
@as_officer
@passphrase_fd
@as_json
def refuse(
    envelope: Path,
    reason: str,
    comment: str,
    number: str | None,
    output: Path,
    home: Path | None,
    officer: str | None,
    passphrase_fd: int | None,
    json_: bool,
) -> None:
    """Sign that this body does not accept an authentic envelope. What was opened here is refused by its opener, with the same proof."""
    from valiza.office.answering import refuse_envelope

    require_output(output)
    made = refuse_envelope(
        open_office(home, passphrase_source(passphrase_fd)),
        envelope,
        output,
        officer=officer,
        reason=reason,
        comment=comment,
        number=number,
        at=now(),
    )
    facts = {"refusal": str(output), "verified": answer_facts(made.answer)}
    emit(facts, json_=json_, people=in_brief(facts), output=output)


@click.command(
    epilog=command_epilog(
        "valiza countersign report.ack.vls --envelope report.vlz --home by --as maryna -o report.receipt.vls",
        "valiza countersign acks/*.vls --each --envelope incoming --home by --as maryna -o receipts",
    ),
)
@click.argument("answers", nargs=-1, required=True, type=STATEMENT, metavar="ANSWER…")
@click.option(
    "--envelope",
    "envelopes",
    required=True,
    multiple=True,
    type=ENVELOPE,
    metavar="FILE",
    help="The envelope that it answers. For several answers repeatable, or a folder: each finds its own.",
)
@output("The receipt; of several answers, a folder with one for each")
@each_option
@home_option
@as_officer
@passphrase_fd
@as_json
def countersign(
    answers: tuple[Path, ...],
    envelopes: tuple[Path, ...],
    output: Path,
    each: bool,
    home: Path | None,
    officer: str | None,
    passphrase_fd: int | None,
    json_: bool,
) -> int:
    """Verify an answer against the envelope and this office's register, and countersign it for the confirming body (R12, A5.4).

    Done by another officer than the one who answered.
    """
    many = each or len(answers) > 1
    if not many:
        require_output(output)
    require_one_input(*answers, *envelopes)
    require_files(many, *answers)
    require_files(many or len(envelopes) > 1, *envelopes)
    at_office = open_office(home, passphrase_source(passphrase_fd))
    folder = target_folder(output) if many else None
    find = _finder(envelopes, many=many)

    def work(answer: Path) -> Result:
        from valiza.office.answering import countersign_answer, read_answer_file

        read = read_answer_file(answer, at_office.trust, at_office.journal)
        envelope = find(read.signed.digest)
        out = output if folder is None else in_folder(folder, answer, ".receipt.vls")
        made = countersign_answer(at_office, read, envelope, out, officer=officer, at=now())
        facts = {
            "receipt": str(out),
            "verified": receipt_facts(made.authentic),
            "roster_as_of": as_of(at_office.trust, list(at_office.trust.rosters), now()),
        }
        return Result(facts=facts, people=facts, output=out, line=f"countersigned in {safe(out)}")

    return report(answers, partial(one_by_one, work), many=many, json_=json_, what="answers")


def _finder(envelopes: Sequence[Path], *, many: bool) -> Callable[[bytes], Path]:
    """What finds the envelope of an answer by the digest of its dispatch. A single one is taken as it is: it is compared in any case."""
    if not many and len(envelopes) == 1 and not envelopes[0].is_dir():
        return lambda _: envelopes[0]
    return partial(_find, find_envelopes(envelopes))


def _find(known: Mapping[bytes, Path], dispatch_digest: bytes) -> Path:
    if dispatch_digest not in known:
        message = "the envelope that it answers is not among those given"
        raise Usage(message, "give it with --envelope FILE, or a folder of envelopes with --envelope DIR")
    return known[dispatch_digest]


def _find_none(_dispatch_digest: bytes) -> None:
    """No envelope is at hand."""


@click.group(cls=OrderedGroup)
def receipt() -> None:
    """Receipts: countersigned answers."""


@receipt.command("show", short_help="Show a receipt; nothing is believed.", epilog=command_epilog("valiza receipt show report.receipt.vls"))
@click.argument("file", metavar="RECEIPT", type=STATEMENT)
@as_json
def show(file: Path, json_: bool) -> None:
    """Show what a receipt says, and what is inside it. No signature is checked: nothing here is to be believed."""
    from valiza.envelope.acknowledgement import peek_answer
    from valiza.envelope.receipt import peek_receipt
    from valiza.keys import labels
    from valiza.keys.files import about
    from valiza.office.reader import read_object

    with about(file, Malformed):
        body = peek_receipt(read_object(file, labels.RECEIPT))
        given, core = peek_answer(body.answer)
    said: dict[str, Any] = {
        "confirming": str(body.confirming),
        "countersigned_at": utc(body.countersigned_at),
        "checked": list(body.checked),
        "origin": str(core.origin),
        "destination": str(core.destination),
        "envelope_id": core.envelope_id.hex(),
        "answered_at": utc(given.answered_at),
        "incoming_number": given.number,
    }
    for name in ("conditions", "stage", "reason", "comment"):
        if hasattr(given, name):
            value = getattr(given, name)
            said[name] = list(value) if isinstance(value, tuple) else value
    emit({"believed": False, "read": said}, json_=json_)


@receipt.command(
    "verify",
    short_help="Verify a receipt, and at the origin close its entry.",
    epilog=command_epilog(
        "valiza receipt verify report.receipt.vls --home kz",
        "valiza receipt verify receipts/*.vls --jobs 2 --json --home kz",
        "valiza receipt verify R --envelope E --root 3f5a… --root 9c01… --roster KZ.vls --roster BY.vls --agreement kz-by.vls",
    ),
)
@click.argument("receipts", nargs=-1, required=True, metavar="RECEIPT…", type=STATEMENT)
@click.option(
    "--envelope", "envelopes", multiple=True, type=ENVELOPE, metavar="FILE", help="The envelope, to compare with. Repeatable, or a folder of them."
)
@each_line_option
@trust_options
@jobs_option
@home_option
@as_json
def verify_receipt(
    receipts: tuple[Path, ...],
    envelopes: tuple[Path, ...],
    each: bool,
    roots: tuple[str, ...],
    rosters: tuple[Path, ...],
    agreements: tuple[Path, ...],
    jobs: int,
    home: Path | None,
    json_: bool,
) -> int:
    """Verify receipts. The origin's office compares each with what it sealed and enters it; its verdict is "delivered".

    Without an office (roots, rosters and agreement given) the best verdict is "attested", and what could not be compared is listed.
    No key is needed.
    """
    many = each or len(receipts) > 1
    shared = jobs > 1 and len(receipts) > 1
    require_one_input(*receipts, *envelopes)
    require_files(shared, *receipts)
    require_files(many or len(envelopes) > 1, *envelopes)
    trust = (home, roots, rosters, agreements)
    if shared:
        open_reader(*trust)  # what is wrong with it is told once
        start = (_start_judging, (*trust, partial(_find, find_envelopes(envelopes)) if envelopes else _find_none))
        group = min(GROUP, -(-len(receipts) // jobs))
        return report(receipts, _judge_in_process, many=True, json_=json_, what="receipts", group=group, jobs=jobs, start=start)
    reader = open_reader(*trust)
    find = _finder(envelopes, many=many) if envelopes else _find_none
    return report(receipts, partial(_judge, reader, find), many=many, json_=json_, what="receipts", group=GROUP)


_JUDGES: list[Callable[[Sequence[Path]], list[Result]]] = []  # of this process, when several share the work


def _start_judging(
    home: Path | None, roots: tuple[str, ...], rosters: tuple[Path, ...], agreements: tuple[Path, ...], find: Callable[[bytes], Path | None]
) -> None:
    _JUDGES[:] = [partial(_judge, open_reader(home, roots, rosters, agreements), find)]


def _judge_in_process(receipts: Sequence[Path]) -> list[Result]:
    return _JUDGES[0](receipts)


def _judge(reader: Reader, find: Callable[[bytes], Path | None], receipts: Sequence[Path]) -> list[Result]:
    from valiza.office.answering import judge_receipts

    return [attempt(partial(_judged, reader, outcome)) for outcome in judge_receipts(reader, receipts, envelope_of=find, at=now())]


def _judged(reader: Reader, outcome: ReceiptOutcome | ValizaError) -> Result:
    if isinstance(outcome, ValizaError):
        raise outcome
    core = outcome.answer.signed.core
    facts: dict[str, Any] = {"verdict": outcome.verdict.value, "heads": heads_that_came(outcome.news)}
    if outcome.verified is None:
        facts |= {"duplicate": False, "not_compared": [], "verified": {"answer": answer_facts(outcome.answer)}}
    else:
        facts |= {
            "duplicate": outcome.verified.duplicate,
            "not_compared": list(outcome.verified.not_compared),
            "verified": {**receipt_facts(outcome.verified.authentic), "envelope": dispatch_facts(outcome.answer.signed, outcome.profile)},
        }
    facts["roster_as_of"] = as_of(reader.trust, [core.origin.party, core.destination.party], now())
    return Result(
        facts=facts,
        people={name: value for name, value in facts.items() if name != "heads" or value},
        line=outcome.verdict.value + (", entered before" if facts["duplicate"] else ""),
        exit_code=outcome.exit_code,
        error=_why(outcome.verdict.value, facts["verified"]) if outcome.exit_code else "",
    )


_WHY = {
    "acknowledged": "the answer is not countersigned: it is no receipt yet",
    "refused": "the envelope was refused",
    "discrepant": "something is missing or damaged",
    "late": "the receipt was countersigned after it was due",
    "unsolicited": "this office sent no such envelope",
    "conflict": "another receipt for this envelope is in the register",
    "withdrawn": "the envelope is recorded as never sent",
}


def _why(verdict: str, verified: dict[str, Any]) -> str:
    """What a verdict means that is not the one hoped for, in one line."""
    answer = verified["answer"]
    words = _WHY.get(verdict, "the receipt does not complete the exchange")
    if verdict == "refused":
        return f"{words}: {answer['reason']}" + (f" ({answer['comment']})" if answer["comment"] else "")
    if verdict == "discrepant":
        return f"{words}: " + ", ".join(f"carrier {index} {word}" for index, word in enumerate(answer["conditions"]) if word != "present")
    return words
