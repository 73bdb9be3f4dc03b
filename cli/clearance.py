"""Commands for clearances: enquire, answer, show, verify (A5.1)."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from valiza.cli.batch import Result, each_line_option, one_by_one, report, require_one_input
from valiza.cli.options import (
    STATEMENT,
    OrderedGroup,
    Text,
    as_json,
    as_officer,
    command_epilog,
    home_option,
    now,
    offer,
    open_office,
    open_reader,
    output,
    parse_time,
    passphrase_fd,
    require_output,
    trust_options,
    yes_option,
)
from valiza.cli.people import agreed
from valiza.cli.render import agreement_facts, as_of, credential_facts, emit, in_brief, mark_text, tell, utc
from valiza.cli.terminal import passphrase_source
from valiza.keys.errors import Malformed, Refused, Usage

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from valiza.envelope.clearance import VerifiedConfirmation, VerifiedEnquiry
    from valiza.keys.trust import Trust
    from valiza.office.reader import Reader

Facts = dict[str, Any]


@click.group(cls=OrderedGroup)
def clearance() -> None:
    """Clearances: one party's competent body asks the other's who is cleared, before anything is sent."""


@clearance.command(
    "enquire",
    short_help="Ask the other party's competent body who is cleared.",
    epilog=command_epilog(
        "valiza clearance enquire --to BY-MFA --agreement kz-by --mark 2 --purpose 'joint exercise' --home knb -o enquiry.vls",
        "valiza clearance enquire --to BY-MFA --agreement kz-by --mark 2 --purpose talks --addressee 'Yanka Kupava' --home knb -o enquiry.vls",
    ),
)
@click.option("--to", "to", required=True, metavar="BODY", shell_complete=offer("bodies"), help="The body that an envelope would go to.")
@click.option("--agreement", required=True, metavar="ID", shell_complete=offer("agreements"), help="The agreement, for example kz-by.")
@click.option("--mark", required=True, metavar="CODE", shell_complete=offer("marks"), help="The highest own mark of what is to be sent.")
@click.option("--purpose", type=Text(), required=True, metavar="TEXT", help="What it is asked for. It is readable by whoever carries it.")
@click.option(
    "--addressee",
    "addressees",
    multiple=True,
    shell_complete=offer("addressees"),
    metavar="NAME",
    help="An officer who is asked about. Repeatable; without it all who open there and whose credentials are cleared.",
)
@click.option("--ask", "asked", metavar="BODY", shell_complete=offer("bodies"), help="The competent body that is asked, where there are several.")
@output("The enquiry")
@home_option
@as_officer
@passphrase_fd
@as_json
def enquire(
    to: str,
    agreement: str,
    mark: str,
    purpose: str,
    addressees: tuple[str, ...],
    asked: str | None,
    output: Path,
    home: Path | None,
    officer: str | None,
    passphrase_fd: int | None,
    json_: bool,
) -> None:
    """Ask whether officers of a body are cleared to what the own mark compares to. Both bodies have to be competent bodies of the agreement.

    An officer who is certified to act signs. The enquiry goes to the body that is asked.
    """
    from valiza.office.clearing import EnquiryOrder, ask

    require_output(output)
    office = open_office(home, passphrase_source(passphrase_fd))
    order = EnquiryOrder(officer=officer, agreement=agreement, destination=to, mark=mark, purpose=purpose, addressees=addressees, asked=asked)
    found = ask(office, order, output, at=now(), random=os.urandom)
    facts = {"enquiry": str(output), "verified": _enquiry_facts(found, office.trust)}
    emit(facts, json_=json_, people=_people(facts), output=output)


@clearance.command(
    "answer",
    short_help="Answer an enquiry: makes the confirmation.",
    epilog=command_epilog(
        "valiza clearance answer enquiry.vls --all --until 2027-12-31T00:00:00Z --home kgb -o confirmation.vls",
        "valiza clearance answer enquiry.vls --cleared 'Yanka Kupava' --home kgb -o confirmation.vls",
        "valiza clearance answer confirmation.vls --nobody --home kgb -o withdrawn.vls",
    ),
)
@click.argument("file", type=STATEMENT, metavar="ENQUIRY|CONFIRMATION")
@click.option("--all", "everybody", is_flag=True, help="Everybody who was asked about is cleared.")
@click.option("--cleared", multiple=True, metavar="NAME", help="An officer who is cleared; those who are not named are not. Repeatable.")
@click.option("--nobody", is_flag=True, help="Nobody is cleared.")
@click.option("--until", metavar="TIME", help="Until when it holds, like 2027-01-01T00:00:00Z; without it until there is another answer.")
@yes_option("Sign without asking.")
@output("The confirmation")
@home_option
@as_officer
@passphrase_fd
@as_json
def answer(
    file: Path,
    everybody: bool,
    cleared: tuple[str, ...],
    nobody: bool,
    until: str | None,
    yes: bool,
    output: Path,
    home: Path | None,
    officer: str | None,
    passphrase_fd: int | None,
    json_: bool,
) -> None:
    """Answer the enquiry in FILE for the body that was asked. Given an earlier answer, another one to the same enquiry, which takes its place.

    Nobody is confirmed whose own credential is not cleared. On a terminal it shows what was asked, and asks.
    """
    from valiza.office.clearing import answer as give
    from valiza.office.clearing import read_asked

    if [everybody, bool(cleared), nobody].count(True) != 1:
        message = "who is cleared has to be said in one way"
        raise Usage(message, "give --all, or --nobody, or --cleared NAME for each")
    valid_until = None if until is None else parse_time(until)
    require_output(output)
    office = open_office(home, passphrase_source(passphrase_fd))
    enquiry, number = read_asked(office, file, at=now())
    if not agreed("Sign this answer?", yes, lambda: _tell(enquiry, office.trust, everybody=everybody, cleared=cleared, until=until)):
        message = "nothing was signed: the answer was no"
        raise Refused(message)
    people = None if everybody else cleared
    found = give(office, enquiry, output, number=number, cleared=people, valid_until=valid_until, officer=officer, at=now())
    facts = {"confirmation": str(output), "verified": _confirmation_facts(found, office.trust)}
    emit(facts, json_=json_, people=_people(facts), output=output)


def _tell(enquiry: VerifiedEnquiry, trust: Trust, *, everybody: bool, cleared: tuple[str, ...], until: str | None) -> None:
    tell(_people(_enquiry_facts(enquiry, trust)), "asked:")
    said = "all of them" if everybody else ", ".join(cleared) or "nobody"
    tell({"cleared": said, "until": until or "there is another answer"}, "to be answered:")


@clearance.command(
    "show", short_help="Show an enquiry or confirmation; nothing is believed.", epilog=command_epilog("valiza clearance show confirmation.vls")
)
@click.argument("file", type=STATEMENT)
@as_json
def show(file: Path, json_: bool) -> None:
    """Show what an enquiry or a confirmation says, and the enquiry inside. No signature is checked: nothing here is to be believed."""
    from valiza.envelope.clearance import read_confirmation_body, read_enquiry_body
    from valiza.keys import labels
    from valiza.keys.files import about
    from valiza.keys.statement import read_statement
    from valiza.office.reader import read_object

    types = labels.CLEARANCE_ENQUIRY, labels.CLEARANCE_CONFIRMATION
    with about(file, Malformed):
        statement = read_statement(read_object(file, *types), *types)
        facts: Facts = {"type": statement.type, "digest": statement.digest.hex()}
        if statement.type == labels.CLEARANCE_CONFIRMATION:
            said = read_confirmation_body(statement.body)
            facts |= {
                "number": said.number,
                "cleared": [person.hex() for person in said.cleared],
                "answered_at": utc(said.answered_at),
                "valid_until": None if said.valid_until is None else utc(said.valid_until),
            }
            statement = read_statement(said.enquiry, labels.CLEARANCE_ENQUIRY)
        asked = read_enquiry_body(statement.body)
    facts["enquiry"] = {
        "digest": statement.digest.hex(),
        "enquiry_id": asked.enquiry_id.hex(),
        "agreement": asked.agreement.hex(),
        "asking": str(asked.asking),
        "asked": str(asked.asked),
        "destination": str(asked.destination),
        "officers": [person.hex() for person in asked.officers],
        "mark": str(asked.mark),
        "purpose": asked.purpose,
        "asked_at": utc(asked.asked_at),
    }
    emit({"believed": False, "read": facts}, json_=json_)


@clearance.command(
    "verify",
    short_help="Verify enquiries and confirmations.",
    epilog=command_epilog(
        "valiza clearance verify confirmation.vls --home kz",
        "valiza clearance verify C --root 3f5a… --root 9c01… --roster KZ.vls --roster BY.vls --agreement kz-by.vls",
    ),
)
@click.argument("files", nargs=-1, required=True, type=STATEMENT, metavar="FILE…")
@each_line_option
@trust_options
@home_option
@as_json
def verify(
    files: tuple[Path, ...],
    each: bool,
    roots: tuple[str, ...],
    rosters: tuple[Path, ...],
    agreements: tuple[Path, ...],
    home: Path | None,
    json_: bool,
) -> int:
    """Verify enquiries and confirmations: who asked, who answered, and whether it is a yes that is in force now, for everybody who was asked about.

    Each is judged alone; whether a later one takes its place is for who has both: `valiza seal --clearance`. No key is needed.
    """
    require_one_input(*files)
    reader = open_reader(home, roots, rosters, agreements)
    return report(files, partial(one_by_one, partial(_verify, reader)), many=each or len(files) > 1, json_=json_, what="clearances")


def _verify(reader: Reader, path: Path) -> Result:
    from valiza.envelope.clearance import VerifiedEnquiry
    from valiza.office.clearing import read_clearance

    at = now()
    found = read_clearance(reader, path, at=at)
    verdict, why = ("asked", "") if isinstance(found, VerifiedEnquiry) else _verdict(found, at)
    enquiry = found if isinstance(found, VerifiedEnquiry) else found.enquiry
    verified = _enquiry_facts(found, reader.trust) if isinstance(found, VerifiedEnquiry) else _confirmation_facts(found, reader.trust)
    parties = [terms.id for terms in enquiry.agreement.profile.parties]
    facts = {"verdict": verdict, "verified": verified, "roster_as_of": as_of(reader.trust, parties, at)}
    return Result(facts=facts, people=_named(facts), line=verdict, exit_code=Refused.exit_code if why else 0, error=why)


def _verdict(found: VerifiedConfirmation, at: int) -> tuple[str, str]:
    """What a confirmation is good for, and where it is not good for everything why."""
    said, asked = found.said, found.enquiry.said
    if not said.cleared:
        return "denied", f"{asked.asked} confirms nobody (A5.1)"
    if said.valid_until is not None and at >= said.valid_until:
        return "expired", f"the confirmation expired at {utc(said.valid_until)} (A5.1)"
    if len(said.cleared) < len(asked.officers):
        return "partly", f"{asked.asked} confirms {len(said.cleared)} of {len(asked.officers)} officers (A5.1)"
    return "confirmed", ""


def _enquiry_facts(enquiry: VerifiedEnquiry, trust: Trust) -> Facts:
    said, profile = enquiry.said, enquiry.agreement.profile
    counterpart = profile.counterpart(said.mark)
    return {
        "digest": enquiry.digest.hex(),
        "enquiry_id": said.enquiry_id.hex(),
        **agreement_facts(enquiry.agreement),
        "asking": str(said.asking),
        "asked": str(said.asked),
        "destination": str(said.destination),
        "officers": _officers(enquiry, trust, said.officers),
        "marks": {
            "origin": str(said.mark),
            "destination": str(counterpart),
            "origin_text": mark_text(profile, said.mark),
            "destination_text": mark_text(profile, counterpart),
        },
        "purpose": said.purpose,
        "asked_at": utc(said.asked_at),
        "signer": credential_facts(enquiry.signer),
    }


def _people(facts: Facts) -> Facts:
    """Facts for people."""
    return in_brief(_named(facts))


def _named(facts: Facts) -> Facts:
    """The same, officers of the destination by their names alone."""
    lists = {"officers", "cleared", "not_cleared"}
    inner = {key: _named(value) for key, value in facts.items() if isinstance(value, dict) and "credential" not in value}
    return {**facts, **inner, **{key: [one["name"] for one in facts[key]] or "nobody" for key in lists & facts.keys()}}


def _officers(enquiry: VerifiedEnquiry, trust: Trust, wanted: Collection[bytes]) -> list[Facts]:
    from valiza.office.clearing import officers_of

    return [credential_facts(one) for one in officers_of(enquiry, trust) if one.subject in wanted]


def _confirmation_facts(found: VerifiedConfirmation, trust: Trust) -> Facts:
    said = found.said
    return {
        "digest": found.digest.hex(),
        "number": said.number,
        "cleared": _officers(found.enquiry, trust, said.cleared),
        "not_cleared": _officers(found.enquiry, trust, set(found.enquiry.said.officers) - set(said.cleared)),
        "answered_at": utc(said.answered_at),
        "valid_until": None if said.valid_until is None else utc(said.valid_until),
        "signer": credential_facts(found.signer),
        "enquiry": _enquiry_facts(found.enquiry, trust),
    }
