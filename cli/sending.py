"""Commands of the origin: seal, withdraw."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from valiza.cli.batch import Result, attempt, failed, in_folder, report, require_alone, require_files, require_one_input, target_folder
from valiza.cli.options import (
    ENVELOPE,
    FILE,
    INVENTORY,
    PAPER,
    STATEMENT,
    NameOrFile,
    Text,
    as_json,
    as_officer,
    command_epilog,
    home_option,
    now,
    offer,
    open_office,
    passphrase_fd,
    require_output,
)
from valiza.cli.render import agreement_facts, credential_facts, emit, in_brief, mark_text, route_facts, utc
from valiza.cli.terminal import ask, passphrase_source, progress, safe, say
from valiza.keys.errors import Refused, Usage, ValizaError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from valiza.envelope.carrier import Carrier
    from valiza.envelope.manifest import Basis, Reference
    from valiza.office.home import Office
    from valiza.office.sending import SealOrder, SealPlan, Sent

GROUP: Final = 64  # envelopes that are entered in the register together
_KINDS = ("decision", "conclusion", "contract", "confirmation")


def _basis_options(command: Any) -> Any:  # noqa: ANN401 - a decorator of click's
    for kind in reversed(_KINDS):
        words = f"A {kind} that the transfer rests on. Repeatable."
        command = click.option(f"--{kind}", type=Text(), multiple=True, metavar="TEXT", help=words)(command)
    return command


@click.command(
    epilog=command_epilog(
        "valiza seal report.pdf --to BY-MFA --agreement kz-by --mark 3 --channel courier --transport air \\",
        "    --escort courier --leg Astana:Minsk --decision 'No. 12 of 2026-11-20' \\",
        "    --conclusion 'No. 7' --purpose 'joint exercise' --home kz --as aigul -o report.vlz",
        "valiza seal *.pdf --inventory list.toml --route route.toml --basis basis.toml … -o bag.vlz",
        "valiza seal *.pdf --each --route route.toml --basis basis.toml … -o outgoing",
        "valiza seal --inventory-template *.pdf > list.toml",
    ),
)
@click.argument("files", nargs=-1, type=FILE, metavar="FILE…")
@click.option("--to", "to", metavar="BODY", shell_complete=offer("bodies"), help="The destination body, for example BY-MFA.")
@click.option("--agreement", metavar="ID", shell_complete=offer("agreements"), help="The agreement, for example kz-by.")
@click.option("--mark", metavar="CODE", shell_complete=offer("marks"), help="Mark of every carrier for which the inventory gives none.")
@click.option("--purpose", type=Text(), metavar="TEXT", help="What the carriers may be used for (A4.1).")
@click.option("--route", type=PAPER, metavar="FILE", help="Route in TOML: channel, transport, escort, reference, [[leg]] from, to.")
@click.option("--channel", metavar="ID", shell_complete=offer("channels"), help="Channel of transfer (R12, A5.4).")
@click.option("--transport", metavar="ID", shell_complete=offer("transports"), help="Transport method (R13).")
@click.option("--escort", metavar="ID", shell_complete=offer("escorts"), help="Form of escort (R13).")
@click.option("--leg", "legs", type=Text(), multiple=True, metavar="FROM:TO", help="A leg of the route. Repeatable, in order.")
@click.option("--reference", type=Text(), metavar="TEXT", help="The written arrangement that the channel rests on (A5.5).")
@click.option("--basis", "basis_file", type=PAPER, metavar="FILE", help="Basis in TOML: [[basis]] kind, reference, issued_by, date.")
@_basis_options
@click.option(
    "--clearance",
    "clearances",
    type=STATEMENT,
    multiple=True,
    metavar="FILE",
    help="A confirmation of the other party's competent body: seal only to those whom it confirms (A5.1). Repeatable.",
)
@click.option("--require-confirmation", is_flag=True, help="Seal only to those whom a --clearance confirms; an office can require it by default.")
@click.option("--inventory", type=INVENTORY, metavar="FILE", help="Carriers' data in TOML or CSV, physical carriers too.")
@click.option("--inventory-template", is_flag=True, help="Print an inventory for the files, to be filled in, and seal nothing.")
@click.option(
    "--classified-by", type=Text(empty=True), metavar="TEXT", default="", help="Who classified the carriers, where the inventory does not say (R5)."
)
@click.option("--ground", type=Text(empty=True), metavar="TEXT", default="", help="On what ground, where the inventory does not say (R5).")
@click.option("--term", type=Text(empty=True), metavar="TEXT", default="", help="For what term the carriers are handed over (R5).")
@click.option("--caveat", "caveats", type=Text(), multiple=True, metavar="TEXT", help="A caveat. Repeatable.")
@click.option(
    "--refers-to",
    "references",
    multiple=True,
    metavar="RELATION:DISPATCH",
    help="Another envelope by its dispatch digest: reply-to, supersedes, part-of, return-of. Repeatable.",
)
@click.option(
    "--addressee",
    "addressees",
    multiple=True,
    shell_complete=offer("addressees"),
    metavar="NAME",
    help="An officer of the destination who may open it. Repeatable; without it all who are cleared.",
)
@click.option("--single", is_flag=True, help="Let one addressee be enough.")
@click.option(
    "--keep-for",
    "keep_for",
    multiple=True,
    shell_complete=offer("openers"),
    metavar="NAME",
    help="An own officer who can read the office's copy of the manifest. Without it the sealer, if he can open.",
)
@click.option(
    "--confirming", metavar="BODY", shell_complete=offer("bodies"), help="The body that confirms receipt, where the agreement leaves a choice."
)
@click.option("--package", type=Text(64), metavar="TEXT", help="Package number; without it the office gives one out.")
@click.option("--due", "due_days", type=click.IntRange(0, 3650), default=30, show_default=True, metavar="DAYS", help="When the receipt is due.")
@click.option(
    "-o", "--output", "output", type=FILE, metavar="PATH", help="The envelope (.vlz), which must not exist; with --each a folder for the envelopes."
)
@click.option("--each", is_flag=True, help="Each FILE in an envelope of its own.")
@click.option("--yes", is_flag=True, help="Do not ask before sealing.")
@click.option("--dry-run", is_flag=True, help="Show what would be sealed, and seal nothing.")
@home_option
@as_officer
@passphrase_fd
@as_json
def seal(
    files: tuple[Path, ...],
    to: str | None,
    agreement: str | None,
    mark: str | None,
    purpose: str | None,
    route: Path | None,
    channel: str | None,
    transport: str | None,
    escort: str | None,
    legs: tuple[str, ...],
    reference: str | None,
    basis_file: Path | None,
    clearances: tuple[Path, ...],
    require_confirmation: bool,
    inventory: Path | None,
    inventory_template: bool,
    classified_by: str,
    ground: str,
    term: str,
    caveats: tuple[str, ...],
    references: tuple[str, ...],
    addressees: tuple[str, ...],
    single: bool,
    keep_for: tuple[str, ...],
    confirming: str | None,
    package: str | None,
    due_days: int,
    output: Path | None,
    each: bool,
    yes: bool,
    dry_run: bool,
    home: Path | None,
    officer: str | None,
    passphrase_fd: int | None,
    json_: bool,
    **kinds: tuple[str, ...],
) -> int:
    """Seal FILEs for a body of the other party: stamped with both marks and the route, signed, encrypted to its officers.

    On a terminal it shows destination, marks, route, carriers and basis, and asks.
    """
    from valiza.office.papers import inventory_template as template
    from valiza.office.papers import read_carriers

    if inventory_template:
        if output is not None:
            message = "--inventory-template prints the inventory, and -o names an envelope"
            raise Usage(message, "leave out -o, and send what is printed to a file: > list.toml")
        click.echo(template(files, mark), nl=False)
        return 0
    needed = {"--to": to, "--agreement": agreement, "--purpose": purpose, "-o": "-" if dry_run else output}
    missing = [name for name, value in needed.items() if value is None]
    if missing:
        message = f"missing {', '.join(missing)}"
        raise Usage(message, "valiza seal --help shows an example")
    if not files and inventory is None:
        message = "nothing to seal: no FILE and no --inventory"
        raise Usage(message)
    if Path("-") in files and not Path("-").exists():
        message = "standard input has no name, and a carrier has one"
        raise Usage(message, "save it to a file first")
    require_alone(each, package=package)
    require_files(each, *clearances)  # each plan reads them
    require_one_input(*clearances)
    from valiza.office.sending import SealOrder

    order = SealOrder(
        officer=officer,
        destination=to or "",
        agreement=agreement or "",
        carriers=read_carriers(files, inventory, mark=mark, classified_by=classified_by, ground=ground),
        **_route(route, channel=channel, transport=transport, escort=escort, legs=legs, reference=reference),
        basis=_basis(basis_file, kinds),
        purpose=purpose or "",
        confirming=confirming,
        package=package,
        due_days=due_days,
        term=term,
        caveats=caveats,
        references=tuple(_reference(text) for text in references),
        addressees=addressees,
        single=single,
        keep_for=keep_for,
        clearances=clearances,
        require_confirmation=require_confirmation,
    )
    at_office = open_office(home, passphrase_source(passphrase_fd))
    work = _Sealing(office=at_office, order=order, output=output or Path("-"), yes=yes, dry_run=dry_run, json_=json_)
    return work.each() if each else work.one()


@dataclass(frozen=True, kw_only=True)
class _Sealing:
    """What was ordered, and how to go about it."""

    office: Office
    order: SealOrder
    output: Path
    yes: bool
    dry_run: bool
    json_: bool

    def one(self) -> int:
        """All carriers in one envelope."""
        from valiza.office.sending import plan_sealing, seal

        plan = plan_sealing(self.office, self.order, at=now())
        total = _require_sources(self.order.carriers)
        facts = _plan_facts(plan)
        if self.dry_run:
            self._emit({"sealed": False, **facts}, {"sealed": False, **facts})
            return 0
        if str(self.output) == "-":
            message = "an envelope is written to a file: what stands under its name has to be whole"
            raise Usage(message, "give -o PATH")
        require_output(self.output)
        if not self.yes:
            _show_plan(facts, facts["carriers"])
            _ask("Seal this?")
        with progress("sealing", total) as advance:
            sent = seal(self.office, plan, self.output, at=now(), random=os.urandom, progress=advance)
        done = _sent_facts(sent, self.output, facts)
        self._emit(done, {key: done[key] for key in ("envelope", "number", "package", "envelope_id", "destination", "marks", "receipt_due")})
        return 0

    def _emit(self, facts: dict[str, Any], people: dict[str, Any]) -> None:
        emit(facts, json_=self.json_, people=in_brief(people))

    def each(self) -> int:
        """Each carrier in an envelope of its own."""
        if any(carrier.path is None for carrier in self.order.carriers):
            message = "--each seals files, and the inventory has a physical carrier"
            raise Usage(message, "seal what travels beside an envelope in an envelope with it, without --each")
        planned = [self._plan(carrier) for carrier in self.order.carriers]
        plans = [plan for plan in planned if not isinstance(plan, Result)]
        if plans and not self.yes and not self.dry_run:
            self._ask_all(planned, plans)
        folder = None if self.dry_run or not plans else target_folder(self.output)
        paths = [carrier.path for carrier in self.order.carriers if carrier.path is not None]
        left = iter(planned)

        def work(some: Sequence[Path]) -> list[Result]:
            group = list(zip(some, left, strict=False))
            done = iter(self._sealed(folder, [(plan, path) for path, plan in group if not isinstance(plan, Result)]))
            return [plan if isinstance(plan, Result) else next(done) for _, plan in group]

        return report(paths, work, many=True, json_=self.json_, what="envelopes", group=GROUP)

    def _plan(self, carrier: Carrier) -> SealPlan | Result:
        """The plan for one carrier, or why it cannot be sealed, which stops no other."""
        from valiza.office.sending import plan_sealing

        try:
            plan = plan_sealing(self.office, replace(self.order, carriers=[carrier]), at=now())
            _require_sources([carrier])
        except ValizaError as error:
            return failed(error)
        return plan

    def _ask_all(self, planned: Sequence[SealPlan | Result], plans: Sequence[SealPlan]) -> None:
        _show_plan(_plan_facts(_most_secret(plans)), [carrier for plan in plans for carrier in _plan_facts(plan)["carriers"]])
        wrong = [carrier.name for carrier, plan in zip(self.order.carriers, planned, strict=True) if isinstance(plan, Result)]
        if wrong:
            say(f"not sealed   {safe(', '.join(wrong))}: this cannot be, as is told at the end")
        _ask(f"Seal these in {len(plans)} envelopes?")

    def _sealed(self, folder: Path | None, plans: Sequence[tuple[SealPlan, Path]]) -> list[Result]:
        if folder is None:
            return [Result(facts={"sealed": False, **_plan_facts(plan)}, line="would be sealed") for plan, _ in plans]
        return _seal_group(self.office, [(plan, in_folder(folder, path, ".vlz")) for plan, path in plans])


def _most_secret(plans: Sequence[SealPlan]) -> SealPlan:
    """The plan with the highest marks, which is the one to look at before all are sealed."""
    profile = plans[0].prepared.consignment.agreement.profile
    highest = profile.most_secret(plan.prepared.marks.origin for plan in plans)
    return next(plan for plan in plans if plan.prepared.marks.origin == highest)


def _seal_group(office: Office, orders: Sequence[tuple[SealPlan, Path]]) -> list[Result]:
    from valiza.office.sending import seal_group

    outcomes = seal_group(office, orders, at=now(), random=os.urandom)
    return [attempt(partial(_sealed, outcome, plan, out)) for (plan, out), outcome in zip(orders, outcomes, strict=True)]


def _sealed(outcome: Sent | ValizaError, plan: SealPlan, out: Path) -> Result:
    if isinstance(outcome, ValizaError):
        raise outcome
    return Result(facts=_sent_facts(outcome, out, _plan_facts(plan)), line=f"sealed as {outcome.number} in {safe(out)}")


def _sent_facts(sent: Sent, out: Path, plan: dict[str, Any]) -> dict[str, Any]:
    return {
        "sealed": True,
        "envelope": str(out),
        "envelope_id": sent.sealed.core.envelope_id.hex(),
        "dispatch": sent.sealed.dispatch.digest.hex(),
        "number": sent.number,
        "bytes": sent.sealed.length,
        "manifest_kept": sent.sealed.manifest_copy is not None,
        **plan,
        "package": sent.package,
    }


def _ask(question: str) -> None:
    if not ask(question, otherwise="--yes"):
        message = "nothing was sealed: the answer was no"
        raise Refused(message)


def _route(path: Path | None, **given: Any) -> dict[str, Any]:  # noqa: ANN401 - options of several kinds
    """Route from a file, its parts replaced by what the options say."""
    from valiza.office.papers import parse_leg, read_route_file

    route: dict[str, Any] = read_route_file(path) if path is not None else {"channel": "", "transport": "", "escort": "", "reference": "", "legs": ()}
    legs = tuple(parse_leg(leg) for leg in given.pop("legs"))
    route.update({key: value for key, value in given.items() if value is not None})
    if legs:
        route["legs"] = legs
    missing = [name for name in ("channel", "transport", "escort", "legs") if not route[name]]
    if missing:
        message = f"the route lacks {', '.join(missing)} (R13)"
        raise Usage(message, "give --route FILE, or --channel, --transport, --escort and --leg FROM:TO")
    return route


def _basis(path: Path | None, kinds: dict[str, tuple[str, ...]]) -> tuple[Basis, ...]:
    from valiza.office.papers import parse_basis, read_basis

    found = read_basis(path) if path is not None else ()
    return (*found, *(parse_basis(kind, value) for kind in _KINDS for value in kinds[kind]))


def _reference(text: str) -> Reference:
    from valiza.envelope.manifest import RELATIONS, Reference

    relation, _, digest = text.partition(":")
    if relation not in RELATIONS or not re.fullmatch(r"[0-9a-f]{64}", digest):
        message = f"{text!r} refers to no envelope"
        raise Usage(message, f"write RELATION:DISPATCH with one of {', '.join(RELATIONS)} and 64 hexadecimal digits")
    return Reference(relation, bytes.fromhex(digest))


def _require_sources(carriers: Sequence[Carrier]) -> int:
    """All files can be opened before anything is shown or asked; returns their bytes."""
    from valiza.envelope.carrier import require_carrier

    return sum(require_carrier(carrier.path) for carrier in carriers if carrier.path is not None)


def _plan_facts(plan: SealPlan) -> dict[str, Any]:
    prepared = plan.prepared
    c, profile = prepared.consignment, prepared.consignment.agreement.profile
    return {
        "origin": str(prepared.sealer.body),
        "sealer": credential_facts(prepared.sealer),
        "destination": str(c.destination),
        "confirming": str(c.confirming),
        **agreement_facts(c.agreement),
        "channel": c.channel,
        **route_facts(prepared.route, profile),
        "package": plan.package,
        "receipt_due": utc(c.due_at),
        "carriers": [
            {
                "index": index,
                "name": carrier.name,
                "physical": carrier.path is None,
                "marks": {
                    "origin": str(marks.origin),
                    "destination": str(marks.destination),
                    "origin_text": mark_text(profile, marks.origin),
                    "destination_text": mark_text(profile, marks.destination),
                },
                "registration": carrier.registration,
            }
            for index, (carrier, marks) in enumerate(zip(c.carriers, prepared.carrier_marks, strict=True))
        ],
        "basis": [{"kind": b.kind, "reference": b.reference, "issued_by": b.issued_by, "date": b.date} for b in c.basis],
        "purpose": c.purpose,
        "addressees": [credential_facts(a) for a in c.addressees],
        "measures": profile.terms["measures"],
    }


def _show_plan(facts: dict[str, Any], carriers: list[dict[str, Any]]) -> None:
    agreement = f"{facts['agreement_id']} version {facts['agreement_version']}"
    say(f"destination  {safe(facts['destination'])}, confirmed by {safe(facts['confirming'])}, under {safe(agreement)}")
    marks = facts["marks"]
    say(f"marks        {safe(marks['origin_text'])} ({safe(marks['origin'])})  =  {safe(marks['destination_text'])} ({safe(marks['destination'])})")
    say(f"route        {safe(facts['channel'])}, {safe(facts['transport'])}, escort {safe(facts['escort'])}: {safe('; '.join(facts['legs']))}")
    for carrier in carriers:
        say(f"carrier      [{carrier['index']}] {safe(carrier['name'])}  {safe(carrier['marks']['origin_text'])}")
    for basis in facts["basis"]:
        say(f"basis        {safe(basis['kind'])}: {safe(basis['reference'])}")
    say(f"purpose      {safe(facts['purpose'])}")
    say(f"addressees   {safe(', '.join(a['name'] for a in facts['addressees']))}")
    say(f"measures     {safe(facts['measures'].get('en', next(iter(facts['measures'].values()))))}")


def named_envelope(text: str) -> str | Path:
    """An envelope named by its file, by the beginning of its id (8 digits at least), or by the office's number."""
    named = re.fullmatch(r"[0-9a-f]{8,64}|[A-Z][A-Z0-9-]*/[0-9]{4}/(in|out)/[0-9]+", text)
    if text == "-" or os.path.lexists(text):
        return Path(text)
    if not named:
        message = f"{text!r} is no file, and no id or number of an envelope"
        raise Usage(message, "an id has 8 digits or more; valiza register list shows ids and numbers")
    return text


@click.command(
    epilog=command_epilog("valiza withdraw report.vlz --reason 'sealed with the wrong annex' --home kz"),
)
@click.argument("envelope", type=NameOrFile(), metavar="ENVELOPE|ID", shell_complete=ENVELOPE.offer)
@click.option("--reason", type=Text(), required=True, metavar="TEXT", help="Why.")
@home_option
@as_json
def withdraw(envelope: str, reason: str, home: Path | None, json_: bool) -> None:
    """Record that an envelope sealed here, named by its file, id or number, was never sent. Its entry stays, and is closed."""
    from valiza.office.sending import withdraw as withdraw_envelope

    digest = withdraw_envelope(open_office(home), named_envelope(envelope), reason=reason, at=now())
    emit({"verdict": "withdrawn", "dispatch": digest.hex(), "reason": reason}, json_=json_)
