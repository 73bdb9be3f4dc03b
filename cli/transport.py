"""Commands for transports: notice, handover, enter, show (R13)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import click

from valiza.cli.batch import Result, each_line_option, failed, report, require_one_input
from valiza.cli.options import (
    ENVELOPE,
    FOLDER,
    STATEMENT,
    NameOrFile,
    OrderedGroup,
    Text,
    as_json,
    as_officer,
    command_epilog,
    home_option,
    now,
    offer,
    open_office,
    output,
    parse_time,
    passphrase_fd,
    require_output,
)
from valiza.cli.render import credential_facts, custody_facts, emit, in_brief, utc
from valiza.cli.sending import named_envelope
from valiza.cli.terminal import passphrase_source
from valiza.keys.errors import Incomplete, Refused, Usage, ValizaError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from valiza.envelope.custody import Custody
    from valiza.envelope.dispatch import SignedDispatch
    from valiza.envelope.handover import VerifiedHandover
    from valiza.envelope.notice import VerifiedNotice
    from valiza.envelope.route import Leg
    from valiza.office.home import Office
    from valiza.office.transporting import Transported

Facts = dict[str, Any]
_ENVELOPE = click.argument("envelope", type=NameOrFile(), metavar="ENVELOPE|NOTICE|ID", shell_complete=ENVELOPE.offer)


@click.group(cls=OrderedGroup)
def transport() -> None:
    """Transports: the origin tells the other party of each; whoever takes an envelope over signs for it, leg by leg."""


@transport.command(
    "notice",
    short_help="Tell the other party of a transport: makes the notice.",
    epilog=command_epilog(
        "valiza transport notice report.vlz --leaves 2027-01-10T08:00:00Z --expected 2027-01-11T18:00:00Z --home kz -o report.notice.vls",
        "valiza transport notice KZ-MFA/2027/out/3 --leaves 2027-01-10T08:00:00Z --expected 2027-01-12T18:00:00Z "
        "--leg Astana:Orsha --leg Orsha:Minsk --reason flood --home kz -o second.vls",
    ),
)
@_ENVELOPE
@click.option("--leaves", required=True, metavar="TIME", help="When it leaves or left, like 2027-01-10T08:00:00Z.")
@click.option("--expected", required=True, metavar="TIME", help="When it is expected.")
@click.option("--tell", "told", metavar="BODY", shell_complete=offer("bodies"), help="The competent body that is told, where there are several.")
@click.option("--package", type=Text(64), metavar="TEXT", help="Package number, if it is another than before.")
@click.option("--transport", "method", metavar="WORD", help="Transport method, if it is another than before.")
@click.option("--escort", metavar="WORD", help="Form of escort, if it is another than before.")
@click.option("--leg", "legs", multiple=True, metavar="FROM:TO", help="The whole way, if it is another than before. Repeatable, in order.")
@click.option("--reason", type=Text(), metavar="TEXT", help="Why it deviates from the stamp; needed exactly where it does.")
@click.option("--escorted-by", "escorts", type=Text(), multiple=True, metavar="TEXT", help="Who escorts: a name or reference. Repeatable.")
@click.option("--reference", type=Text(), metavar="TEXT", help="The paper that tells more.")
@output("The notice")
@home_option
@as_officer
@passphrase_fd
@as_json
def notice(
    envelope: str,
    leaves: str,
    expected: str,
    told: str | None,
    package: str | None,
    method: str | None,
    escort: str | None,
    legs: tuple[str, ...],
    reason: str | None,
    escorts: tuple[str, ...],
    reference: str | None,
    output: Path,
    home: Path | None,
    officer: str | None,
    passphrase_fd: int | None,
    json_: bool,
) -> None:
    """Tell the other party's competent body that an envelope of this office leaves, and how it goes. An officer certified for transport signs.

    What is not said is as in the notice before, or as in the stamp. Under a closed stamp neither way nor escort stands in a notice.
    """
    from valiza.office.papers import parse_leg
    from valiza.office.transporting import NoticeOrder, tell

    order = NoticeOrder(
        officer=officer,
        told=told,
        leaves_at=parse_time(leaves),
        expected_at=parse_time(expected),
        package=package,
        transport=method,
        escort=escort,
        legs=tuple(parse_leg(leg) for leg in legs) or None,
        reason=reason or "",
        escorts=escorts,
        reference=reference or "",
    )
    if order.expected_at <= order.leaves_at:
        message = "it is expected before it leaves"
        raise Usage(message, "give --expected a later time than --leaves")
    require_output(output)
    office = open_office(home, passphrase_source(passphrase_fd))
    found = tell(office, named_envelope(envelope), output, order, at=now())
    facts = {"notice": str(output), "verified": _notice_facts(found)}
    emit(facts, json_=json_, people=in_brief(facts), output=output)


@transport.command(
    "handover",
    short_help="Record that an envelope was taken over: makes the hand-over.",
    epilog=command_epilog(
        "valiza transport handover report.vlz --giver 'Aigerim Abai' --home kz --as courier -o leg1.vls",
        "valiza transport handover report.notice.vls --seal-broken --remark 'cut open at one side' --home by -o leg2.vls",
    ),
)
@_ENVELOPE
@click.option("--giver", type=Text(), metavar="NAME", help="Who gave it; without it who took it over before.")
@click.option("--giver-body", metavar="BODY", shell_complete=offer("bodies"), help="His body, like KZ/KZ-MFA; without it the origin, or who had it.")
@click.option("--leg", type=click.IntRange(1, 17), metavar="N", help="The leg that begins, from 1; at the end of the way one more than the last.")
@click.option("--place", type=Text(), metavar="TEXT", help="Where; without it as planned.")
@click.option("--package", type=Text(64), metavar="TEXT", help="The number read on the package; without it as the stamp or a notice says.")
@click.option("--seal-broken", is_flag=True, help="The seal was not intact. Say in --remark what was found.")
@click.option("--damaged", is_flag=True, help="It was damaged. Say in --remark what was found.")
@click.option("--remark", type=Text(), metavar="TEXT", help="What was found.")
@output("The hand-over")
@home_option
@as_officer
@passphrase_fd
@as_json
def handover(
    envelope: str,
    giver: str | None,
    giver_body: str | None,
    leg: int | None,
    place: str | None,
    package: str | None,
    seal_broken: bool,
    damaged: bool,
    remark: str | None,
    output: Path,
    home: Path | None,
    officer: str | None,
    passphrase_fd: int | None,
    json_: bool,
) -> None:
    """Sign that an envelope was taken over here, from whom, and whether its seal is intact. Who took it signs, with a key for transport.

    It is chained to the last hand-over that this office has entered: enter what comes with the envelope first. The same command again, as after a
    power failure, writes the same hand-over again. Who takes the envelope on himself says with --leg which leg begins.
    """
    from valiza.office.transporting import HandoverOrder, take

    if (seal_broken or damaged) and not remark:
        message = "a broken seal or damage was found, and not said how"
        raise Usage(message, "say what was found with --remark TEXT")
    order = HandoverOrder(
        officer=officer,
        giver=giver,
        giver_body=giver_body,
        leg=None if leg is None else leg - 1,
        place=place,
        package=package,
        intact=not seal_broken,
        condition="damaged" if damaged else "sound",
        remark=remark or "",
    )
    require_output(output)
    office = open_office(home, passphrase_source(passphrase_fd))
    found = take(office, named_envelope(envelope), output, order, at=now())
    facts = {"handover": str(output), "verified": _handover_facts(found)}
    emit(facts, json_=json_, people=in_brief(facts), output=output)


@transport.command(
    "enter",
    short_help="Enter notices and hand-overs that arrived.",
    epilog=command_epilog(
        "valiza transport enter report.notice.vls --home by",
        "valiza transport enter leg1.vls leg2.vls --envelope report.vlz --home by --json",
    ),
)
@click.argument("files", nargs=-1, required=True, type=STATEMENT, metavar="FILE…")
@click.option("--envelope", type=ENVELOPE, metavar="FILE", help="The envelope, where neither it nor a notice is in the register yet.")
@each_line_option
@home_option
@as_json
def enter(files: tuple[Path, ...], envelope: Path | None, each: bool, home: Path | None, json_: bool) -> int:
    """Verify transport notices and hand-overs that came from others, and enter them in the register. The same ones again change nothing."""
    require_one_input(*files, *([] if envelope is None else [envelope]))
    office = open_office(home)
    many = each or len(files) > 1
    return report(files, partial(_enter, office, envelope), many=many, json_=json_, what="statements", group=len(files))  # hand-overs need notices


def _enter(office: Office, envelope: Path | None, files: Sequence[Path]) -> list[Result]:
    from valiza.office.transporting import enter as enter_statements

    return [_entered(one) for one in enter_statements(office, files, envelope=envelope, at=now())]


def _entered(one: Any) -> Result:  # noqa: ANN401 - an Entered or an error; its import is heavy
    from valiza.envelope.notice import VerifiedNotice

    if isinstance(one, ValizaError):
        return failed(one)
    is_notice = isinstance(one.one, VerifiedNotice)
    verdict = "entered" if one.new else "known"
    verified = _notice_facts(one.one) if is_notice else _handover_facts(one.one)
    facts = {"verdict": verdict, "kind": "notice" if is_notice else "handover", **_envelope_facts(one.signed), "verified": verified}
    return Result(facts=facts, people=facts, line=f"{facts['kind']} {verdict}", exit_code=0)


@transport.command(
    "show",
    short_help="Show who had an envelope when, and what is missing.",
    epilog=command_epilog(
        "valiza transport show report.vlz --home by",
        "valiza transport show BY-MFA/2027/in/3 --home by --json",
        "valiza transport show report.vlz --home by -o told",
    ),
)
@_ENVELOPE
@click.option(
    "-o", "--output", "output", type=FOLDER, metavar="DIR", help="Write the notices and hand-overs themselves into a new folder, for others."
)
@home_option
@as_json
def show(envelope: str, output: Path | None, home: Path | None, json_: bool) -> None:
    """Show the legs of an envelope's way, who took it over, and every gap, by the notices and hand-overs in the register.

    Ends with 0 where the chain is whole up to the destination, with 8 where it is under way or late, with 6 where something is wrong.
    """
    from valiza.envelope.custody import CustodyState
    from valiza.office.transporting import transported, write_out

    if output is not None:
        if str(output) == "-":
            message = "notices and hand-overs are written to a folder"
            raise Usage(message, "give -o DIR")
        require_output(output)
    found = transported(open_office(home), named_envelope(envelope), at=now())
    judged = found.custody
    if output is not None:
        write_out(found, output)
    facts = {**_transport_facts(found), "output": None if output is None else str(output)}
    emit(facts, json_=json_, people=_people(facts))
    if judged.state is CustodyState.WRONG:
        first, others = judged.findings[0], len(judged.findings) - 1
        message = f"the custody of this envelope is not in order: {first.text}{f'; and {others} more' if others else ''} (R13)"
        raise Refused(message, "ask who carried it for the hand-overs that are missing, and keep what is here")
    if judged.state is not CustodyState.COMPLETE:
        raise Incomplete(_why_not_complete(judged), "enter hand-overs that arrive with: valiza transport enter FILE")


def _why_not_complete(judged: Custody) -> str:
    if judged.holder is None:
        return "nobody has signed for this envelope yet"
    if judged.expected_at is None or judged.state.value != "late":
        return "the envelope is under way"
    last = f"{judged.holder.title!r} of {judged.holder.body}"
    return f"the envelope was expected at {utc(judged.expected_at)}, and the last who signed for it is {last} (R13)"


# -- what is shown -------------------------------------------------------------------------------------------------------


def _envelope_facts(signed: SignedDispatch) -> Facts:
    core = signed.core
    return {
        "envelope_id": core.envelope_id.hex(),
        "dispatch": signed.digest.hex(),
        "origin": str(core.origin),
        "destination": str(core.destination),
    }


def _legs(legs: tuple[Leg, ...]) -> list[Facts]:
    return [{"from": leg.start, "to": leg.end} for leg in legs]


def _notice_facts(one: VerifiedNotice) -> Facts:
    said = one.said
    way = None if said.way is None else {"transport": said.way.transport, "escort": said.way.escort, "legs": _legs(said.way.legs)}
    return {
        "digest": one.digest.hex(),
        "number": said.number,
        "told": str(said.told),
        "told_at": utc(said.told_at),
        "signer": credential_facts(one.signer),
        "leaves_at": utc(said.leaves_at),
        "expected_at": utc(said.expected_at),
        "package": said.package,
        "way": way,
        "deviation": said.deviation,
        "escorts": list(said.escorts),
        "reference": said.reference,
    }


def _handover_facts(one: VerifiedHandover) -> Facts:
    said = one.said
    giver = {"name": said.giver.name, "body": str(said.giver.body), "certified": one.giver is not None}
    return {
        "digest": one.digest.hex(),
        "leg": said.leg,
        "place": said.place,
        "giver": giver,
        "taker": credential_facts(one.taker),
        "taken_at": utc(said.taken_at),
        "seal_intact": said.intact,
        "condition": said.condition,
        "remark": said.remark,
        "package": said.package,
    }


def _transport_facts(found: Transported) -> Facts:
    judged = found.custody
    return {
        **custody_facts(judged),
        **_envelope_facts(found.signed),
        "legs": None if judged.legs is None else _legs(judged.legs),
        "handovers": [_handover_facts(one) for one in judged.chain],
        "apart": [_handover_facts(one) for one in judged.apart],
        "notices": [_notice_facts(one) for one in found.notices.all],
        "missing_notices": list(found.notices.missing),
        "notices_conflict": None if found.notices.conflict is None else found.notices.conflict.message,
        "unconnected_notices": [one.digest.hex() for one in found.notices.unconnected],
        "deviations": [{"number": one.number, "notice": one.notice.hex(), "reason": one.reason} for one in judged.deviations],
    }


def _people(facts: Facts) -> Facts:
    """The same for people: the way as one line, one line for each hand-over and notice."""
    legs = facts["legs"]
    way = "hidden by a closed stamp" if legs is None else " → ".join([legs[0]["from"], *(leg["to"] for leg in legs)])
    unconnected = set(facts["unconnected_notices"])
    return {
        **in_brief({key: facts[key] for key in ("state", "envelope_id", "origin", "destination")}),
        "way": way,
        "notices": {f"notice {one['number']}": _notice_line(one) for one in facts["notices"] if one["digest"] not in unconnected},
        "unconnected": [f"notice {one['number']}: {_notice_line(one)}" for one in facts["notices"] if one["digest"] in unconnected],
        "missing_notices": [str(number) for number in facts["missing_notices"]],
        "conflict": facts["notices_conflict"],
        "deviations": [f"notice {one['number']}: {one['reason']}" for one in facts["deviations"]],
        "taken_over": _by_leg(facts["handovers"], legs),
        "apart": _by_leg(facts["apart"], legs),
        "now_with": None if facts["holder"] is None else f"{facts['holder']['name']}, {facts['holder']['body']}",
        "wrong": [one["message"] for one in facts["problems"]],
        "written_to": facts["output"],
    }


def _by_leg(handovers: list[Facts], legs: list[Facts] | None) -> Facts:
    """A line for each hand-over under its leg, of which there can be several; people count legs from 1."""
    found: Facts = {}
    for one in handovers:
        leg = "at the end" if legs is not None and one["leg"] == len(legs) else f"leg {one['leg'] + 1}"
        while leg in found:
            leg += ", again"
        found[leg] = _handover_line(one)
    return found


def _notice_line(one: Facts) -> str:
    told = f"told {one['told']} at {one['told_at']}"
    return f"leaves {one['leaves_at']}, expected {one['expected_at']}, package {one['package']}, {told}"


def _handover_line(one: Facts) -> str:
    place = f" at {one['place']}" if one["place"] else ""
    state = "" if one["seal_intact"] and one["condition"] == "sound" else f"; {one['remark']}"
    return f"{one['taker']['name']}, {one['taker']['body']}, from {one['giver']['name']}, {one['giver']['body']}{place}, {one['taken_at']}{state}"
