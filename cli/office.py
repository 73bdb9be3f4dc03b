"""Commands for the office itself: office, credential, roster, agreement."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from valiza.cli.options import (
    FOLDER,
    STATEMENT,
    File,
    NameOrFile,
    OrderedGroup,
    Text,
    as_json,
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
    typed,
)
from valiza.cli.render import as_of, credential_facts, emit, utc
from valiza.cli.terminal import passphrase_source, quoted, say, terminal_present, warn
from valiza.keys.errors import Unavailable, Usage

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.shell_completion import CompletionItem

    from valiza.envelope.profile import Profile
    from valiza.keys.roster import Roster
    from valiza.office.founding import NewOfficer

DAY = 86400


@click.group(cls=OrderedGroup)
def office() -> None:
    """Make and show an office: the folder with one body's keys, credentials, agreements and register."""


def _officer(text: str) -> NewOfficer:
    """An officer written NAME:PURPOSE,PURPOSE[:CLEARANCE][:DISPLAY NAME]."""
    from valiza.keys import fields
    from valiza.office.founding import NewOfficer

    name, _, rest = text.partition(":")
    purposes, _, rest = rest.partition(":")
    clearance, _, display = rest.partition(":")
    with typed("--officer"):
        fields.names({"en": display or name}, "name of an officer")
        fields.optional(clearance or None, "clearance", fields.code)
    return NewOfficer(
        name=name,
        names={"en": display or name},
        purposes=tuple(p for p in purposes.split(",") if p),
        clearance=clearance or None,
    )


def _names(values: tuple[str, ...], otherwise: str) -> dict[str, str]:
    """Names written LANGUAGE=TEXT."""
    from valiza.keys import fields

    found = {}
    for value in values:
        tag, equals, text = value.partition("=")
        if not equals:
            message = f"{value!r} is no name"
            raise Usage(message, "write it as LANGUAGE=TEXT, for example en=Ministry")
        if tag in found:
            message = f"--name: the language {tag!r} stands twice"
            raise Usage(message)
        found[tag] = text
    with typed("--name"):
        return fields.names(found or {"en": otherwise}, "name")


def _new_passphrase(unprotected: bool, descriptor: int | None, source: Callable[[], str]) -> str | None:
    """Passphrase for new keys: asked twice where a person is asked, since a typing mistake would make keys that nobody can use."""
    if unprotected:
        return None
    if descriptor is None and "VALIZA_PASSPHRASE" not in os.environ and terminal_present():
        return str(click.prompt("Passphrase for the new keys", hide_input=True, confirmation_prompt=True, err=True))
    return source()


@office.command(
    "init",
    short_help="Make a working office in one step.",
    epilog=command_epilog(
        "valiza office init kz --party KZ --body KZ-MFA --degrees 1,2,3 \\",
        "    --officer aigul:seal,open:1 --officer clerk:",
        "valiza office init kz-archive --party KZ --body KZ-ARCHIVE --root-office kz",
    ),
)
@click.argument("home", type=FOLDER)
@click.option("--party", required=True, metavar="ID", help="The party, for example KZ.")
@click.option("--body", required=True, metavar="ID", help="The body, for example KZ-MFA.")
@click.option("--degrees", metavar="CODE,…", help="The party's degrees of secrecy, the most secret first. Not with --root-office.")
@click.option("--name", "name", type=Text(), multiple=True, metavar="LANG=TEXT", help="The body's name in a language. Repeatable.")
@click.option(
    "--officer",
    "officers",
    type=Text(),
    multiple=True,
    metavar="NAME:PURPOSE,…[:CLEARANCE[:TEXT]]",
    help="An officer with purposes (seal, open, acknowledge, countersign, transport, act), clearance and name. Repeatable.",
)
@click.option("--root-office", type=FOLDER, metavar="DIR", help="The office that keeps the party's root, when this body is not the party's first.")
@click.option("--validity", type=click.IntRange(1, 3650), default=1825, show_default=True, metavar="DAYS", help="Validity of the credentials.")
@click.option("--roster-validity", type=click.IntRange(1, 3650), default=365, show_default=True, metavar="DAYS", help="Validity of the roster.")
@click.option("--unprotected", is_flag=True, help="Write keys without a passphrase. For tests and demonstrations.")
@passphrase_fd
@as_json
def init(
    home: Path,
    party: str,
    body: str,
    degrees: str | None,
    name: tuple[str, ...],
    officers: tuple[str, ...],
    root_office: Path | None,
    validity: int,
    roster_validity: int,
    unprotected: bool,
    passphrase_fd: int | None,
    json_: bool,
) -> None:
    """Make the folder HOME with keys and credentials of a body and its officers, and the party's roster.

    The root made here has one custodian, who is this office. Compare its fingerprint with the other side by a way that you both trust.
    """
    from valiza.keys import fields
    from valiza.office.founding import Founding, found_office

    if root_office is None and not degrees:
        message = "the party's degrees are missing"
        raise Usage(message, "give --degrees CODE,…, the most secret first")
    require_output(home)
    source = passphrase_source(passphrase_fd)
    passphrase = _new_passphrase(unprotected, passphrase_fd, source)
    root = open_office(root_office, source) if root_office is not None else None
    codes = tuple(degrees.split(",")) if degrees else ()
    with typed("--degrees"):
        for code in codes:
            fields.code(code, f"degree {code!r}")
    if len(set(codes)) != len(codes):
        message = "a degree stands twice in --degrees"
        raise Usage(message)
    with typed("--party, --body"):
        at_body = fields.Body(fields.party(party, "party"), fields.body_id(body, "body"))
    founding = Founding(
        body=at_body,
        names=_names(name, body),
        degrees=codes,
        officers=tuple(_officer(text) for text in officers),
        validity=validity * DAY,
        roster_validity=roster_validity * DAY,
        passphrase=passphrase,
    )
    made = found_office(home, founding, at=now(), random=os.urandom, root_office=root)
    _show_office(str(home), made, json_=json_)
    _warn_unprotected(unprotected)


def _warn_unprotected(unprotected: bool) -> None:
    if unprotected:
        warn("the keys are written without a passphrase: whoever reads the files has them")


def _show_office(home: str, shown: Any, *, json_: bool) -> None:  # noqa: ANN401 - an Office; its import is heavy
    own = shown.own_roster
    facts = {
        "home": home,
        "body": str(shown.body),
        "names": shown.names,
        "root": own.root.fingerprint,
        "roster": {"version": own.version, "issued_at": utc(own.issued_at), "expires_at": utc(own.expires_at)},
        "roots": {name: fingerprint.hex() for name, fingerprint in shown.pinned().items()},
        "officers": {
            name: [p for p in ("seal", "open", "acknowledge", "countersign", "transport", "act") if shown.credential_path(name, p).is_file()]
            for name in shown.officers()
        },
        "agreements": [str(agreement) for agreement in shown.agreements.all()],
    }
    people = {**facts, "officers": {name: purposes or "no keys" for name, purposes in facts["officers"].items()}}
    emit(facts, json_=json_, title=f"office of {shown.body}", people=people)


@office.command("show", short_help="Show an office.", epilog=command_epilog("valiza office show --home kz"))
@home_option
@as_json
def show_office(home: Path | None, json_: bool) -> None:
    """Show an office: body, pinned roots, roster, officers, agreements."""
    _show_office(str(home), open_office(home), json_=json_)


@click.group(cls=OrderedGroup)
def credential() -> None:
    """Certify officers of this body, and show credentials."""


@credential.command(
    "issue",
    short_help="Make keys and credentials for an officer.",
    epilog=command_epilog("valiza credential issue aigul:seal,open:1 --home kz", "valiza roster publish --home kz -o KZ.roster.vls"),
)
@click.argument("officer", type=Text(), metavar="NAME:PURPOSE,…[:CLEARANCE[:TEXT]]")
@click.option("--validity", type=click.IntRange(1, 3650), default=1825, show_default=True, metavar="DAYS", help="Validity of the credentials.")
@click.option("--unprotected", is_flag=True, help="Write keys without a passphrase. For tests and demonstrations.")
@home_option
@passphrase_fd
@as_json
def issue(officer: str, validity: int, unprotected: bool, home: Path | None, passphrase_fd: int | None, json_: bool) -> None:
    """Make keys and credentials for an officer. They count once a roster with them is published and imported."""
    from valiza.office.founding import certify_officer

    wanted = _officer(officer)
    if not wanted.purposes:
        message = f"{officer!r} names no purpose"
        raise Usage(message, "write it as NAME:PURPOSE,…, for example aigul:seal,open:1")
    source = passphrase_source(passphrase_fd)
    at_office = open_office(home, source)
    passphrase = _new_passphrase(unprotected, passphrase_fd, source)
    issued = certify_officer(at_office, wanted, at=now(), validity=validity * DAY, random=os.urandom, passphrase=passphrase)
    emit({"issued": [credential_facts(c) for c in issued]}, json_=json_)
    _warn_unprotected(unprotected)
    say("valiza: publish a roster with it: valiza roster publish -o FILE")


@credential.command(
    "verify",
    short_help="Verify a credential.",
    epilog=command_epilog("valiza credential verify seal.vls --home by", "valiza credential verify seal.vls --root 3f5a… --roster KZ.vls"),
)
@click.argument("file", type=STATEMENT)
@trust_options
@home_option
@as_json
def verify_credential(
    file: Path, roots: tuple[str, ...], rosters: tuple[Path, ...], agreements: tuple[Path, ...], home: Path | None, json_: bool
) -> None:
    """Verify a credential up to a pinned root: who issued it, for what, to whom, until when; and whether it is in a roster known here."""
    from valiza.keys import labels
    from valiza.office.reader import read_object

    reader = open_reader(home, roots, rosters, agreements, needs_agreement=False)
    checked = reader.trust.check(read_object(file, labels.CREDENTIAL))
    emit(
        {
            "verified": credential_facts(checked),
            "in_roster": reader.trust.credential(checked.digest) is not None,
            "valid_now": checked.valid_from <= now() < checked.valid_until,
            "roster_as_of": as_of(reader.trust, [checked.body.party], now()),
        },
        json_=json_,
    )


@credential.command("list", short_help="List the credentials that are trusted here.", epilog=command_epilog("valiza credential list --home kz"))
@home_option
@as_json
def list_credentials(home: Path | None, json_: bool) -> None:
    """List the credentials of all rosters imported here."""
    trust = open_office(home).trust
    facts = {name: [credential_facts(c) for c in roster.credentials.values()] for name, roster in trust.rosters.items()}
    emit(facts, json_=json_)


@click.group(cls=OrderedGroup)
def roster() -> None:
    """Publish this party's roster, and import the other party's."""


def _roster_facts(shown: Roster) -> dict[str, Any]:
    return {
        "party": shown.party,
        "root": shown.root.fingerprint,
        "version": shown.version,
        "issued_at": utc(shown.issued_at),
        "expires_at": utc(shown.expires_at),
        "credentials": len(shown.credentials),
    }


@roster.command("publish", short_help="Sign a new roster of this party.", epilog=command_epilog("valiza roster publish --home kz -o KZ.roster.vls"))
@output("The new roster")
@click.option("--validity", type=click.IntRange(1, 3650), default=365, show_default=True, metavar="DAYS", help="Until it expires.")
@home_option
@passphrase_fd
@as_json
def publish(output: Path, validity: int, home: Path | None, passphrase_fd: int | None, json_: bool) -> None:
    """Sign a new version of this party's roster, with every credential issued here, and write it for the other side."""
    from valiza.office.founding import publish_roster
    from valiza.office.reader import write_object

    require_output(output)
    published = publish_roster(open_office(home, passphrase_source(passphrase_fd)), at=now(), validity=validity * DAY)
    try:
        write_object(output, published.raw)
    except Unavailable as error:
        raise Unavailable(error.message, "the roster is in force here; write it with: valiza roster export -o FILE") from error
    emit({"roster": str(output), **_roster_facts(published)}, json_=json_, output=output)


@roster.command(
    "export", short_help="Write the roster in force here to a file.", epilog=command_epilog("valiza roster export --home kz -o KZ.roster.vls")
)
@output("The roster")
@click.option("--party", metavar="ID", help="Whose roster; without it this party's.")
@home_option
@as_json
def export(output: Path, party: str | None, home: Path | None, json_: bool) -> None:
    """Write a roster that is in force here to a file, as it was signed."""
    from valiza.office.reader import write_object

    at_office = open_office(home)
    wanted = party or at_office.body.party
    found = at_office.trust.rosters.get(wanted)
    if found is None:
        message = f"no roster of {wanted!r} is known here"
        raise Usage(message, f"known: {', '.join(at_office.trust.rosters)}")
    write_object(output, found.raw)
    emit({"roster": str(output), **_roster_facts(found)}, json_=json_, output=output)


@roster.command(
    "import",
    short_help="Import the other party's roster.",
    epilog=command_epilog("valiza roster import BY.roster.vls --home kz --root 3f5a…", "valiza roster import BY.roster-2.vls --home kz"),
)
@click.argument("file", type=STATEMENT)
@click.option("--root", metavar="FINGERPRINT", help="The fingerprint of that party's root, all 64 digits, as you compared it. Needed the first time.")
@home_option
@as_json
def import_(file: Path, root: str | None, home: Path | None, json_: bool) -> None:
    """Import the roster of the other party. It never goes back to an older one."""
    from valiza.keys.root import parse_fingerprint
    from valiza.office.trusting import import_roster

    with typed("--root"):
        fingerprint = None if root is None else parse_fingerprint(root)
    imported, new = import_roster(open_office(home), file, fingerprint, at=now())
    emit({"imported": new, **_roster_facts(imported)}, json_=json_)


@roster.command("show", short_help="Show the rosters in force here.", epilog=command_epilog("valiza roster show --home kz"))
@home_option
@as_json
def show_rosters(home: Path | None, json_: bool) -> None:
    """Show the roster of each party that is in force here."""
    rosters = open_office(home).trust.rosters
    emit({name: _roster_facts(shown) for name, shown in rosters.items()}, json_=json_)


@click.group(cls=OrderedGroup)
def agreement() -> None:
    """Agreements: the treaty as data. A draft comes with Valiza: kz-by."""


_DRAFT_FILE = File(".toml", ".vls")


def _offer_draft(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    return [*offer("drafts")(context, parameter, incomplete), *_DRAFT_FILE.offer(context, parameter, incomplete)]


def _source(text: str) -> str | Path:
    """A draft that comes with Valiza, by its id, or a file."""
    from valiza.envelope.draft import drafts

    return text if text in drafts() and not Path(text).exists() else Path(text)


def _profile_facts(profile: Profile) -> dict[str, Any]:
    from valiza.office.trusting import digest_of

    return {
        "id": profile.id,
        "version": profile.version,
        "digest": digest_of(profile).hex(),
        "title": profile.title,
        "parties": {
            p.id: {
                "names": p.names,
                "marks": {m.code: {"text": m.text, **m.names} for m in p.marks},
                "competent": list(p.competent),
                "confirming": list(p.confirming),
                "basis": list(p.basis),
            }
            for p in profile.parties
        },
        "rows": [f"{mark} → {profile.counterpart(mark)}" for mark in profile.rows],
        "channels": {key: {"needs_reference": needs, **title} for key, (needs, title) in profile.channels.items()},
        "transports": profile.transports,
        "escorts": profile.escorts,
        "handling": {
            str(mark): {"channels": list(h.channels), "transports": list(h.transports), "escorts": list(h.escorts)}
            for mark, h in profile.handling.items()
        },
        "terms": profile.terms,
        "suites": list(profile.suites),
        "stamp": profile.stamp,
        "padding": profile.padding.rule,
        "skew": profile.skew,
        "max_transit": profile.max_transit,
        "valid_from": utc(profile.valid_from),
        "valid_until": None if profile.valid_until is None else utc(profile.valid_until),
    }


@agreement.command("list", short_help="List the agreements adopted here.", epilog=command_epilog("valiza agreement list --home kz"))
@home_option
@as_json
def list_agreements(home: Path | None, json_: bool) -> None:
    """List the agreements adopted here and the drafts that come with Valiza."""
    from valiza.envelope.draft import drafts

    adopted = []
    if home is not None:
        agreements = open_office(home).agreements
        for item in agreements.all():
            end = agreements.terminated_at(item)
            adopted.append(
                {
                    "id": item.profile.id,
                    "version": item.profile.version,
                    "digest": item.digest.hex(),
                    "valid_from": utc(item.profile.valid_from),
                    "valid_until": None if item.profile.valid_until is None else utc(item.profile.valid_until),
                    "terminated_at": None if end is None else utc(end),
                }
            )
    emit({"adopted": adopted, "drafts": drafts()}, json_=json_)


@agreement.command(
    "show", short_help="Show what an agreement says.", epilog=command_epilog("valiza agreement show kz-by", "valiza agreement show FILE --json")
)
@click.argument("source", type=NameOrFile(), metavar="ID|FILE", shell_complete=_offer_draft)
@as_json
def show_agreement(source: str, json_: bool) -> None:
    """Show a draft or a signed agreement. Signatures are not checked here: adopting does."""
    from valiza.office.trusting import read_profile_file

    profile, statement = read_profile_file(_source(source))
    facts = {"signatures_checked": False, "signatures": 0 if statement is None else len(statement.signatures), **_profile_facts(profile)}
    emit(facts, json_=json_)


@agreement.command("check", short_help="Say what a draft lacks.", epilog=command_epilog("valiza agreement check draft.toml"))
@click.argument("source", type=NameOrFile(), metavar="ID|FILE", shell_complete=_offer_draft)
@as_json
def check_agreement(source: str, json_: bool) -> None:
    """Check a draft: every point of R4 that it lacks is named with its clause; marks have to be well-formed."""
    from valiza.office.trusting import digest_of, read_profile_file

    profile, _ = read_profile_file(_source(source))
    emit({"well_formed": True, "id": profile.id, "version": profile.version, "digest": digest_of(profile).hex()}, json_=json_)


@agreement.command(
    "sign",
    short_help="Sign an agreement with this party's root.",
    epilog=command_epilog("valiza agreement sign kz-by --home kz -o half.vls", "valiza agreement sign half.vls --home by -o kz-by.vls"),
)
@click.argument("source", type=NameOrFile(), metavar="ID|FILE", shell_complete=_offer_draft)
@output("The signed agreement")
@home_option
@passphrase_fd
@as_json
def sign_agreement(source: str, output: Path, home: Path | None, passphrase_fd: int | None, json_: bool) -> None:
    """Sign a draft, or what the other party has signed already; with both signatures it can be adopted."""
    from valiza.office.reader import write_object
    from valiza.office.trusting import digest_of, sign

    require_output(output)
    signed = sign(open_office(home, passphrase_source(passphrase_fd)), _source(source))
    write_object(output, signed.statement.raw)
    emit(
        {"agreement": str(output), "id": signed.profile.id, "digest": digest_of(signed.profile).hex(), "complete": signed.complete},
        json_=json_,
        output=output,
    )


@agreement.command(
    "adopt", short_help="Adopt a signed agreement or a termination.", epilog=command_epilog("valiza agreement adopt kz-by.vls --home kz")
)
@click.argument("file", type=STATEMENT)
@home_option
@as_json
def adopt_agreement(file: Path, home: Path | None, json_: bool) -> None:
    """Adopt an agreement that both roots signed, or a termination (A14)."""
    from valiza.envelope.agreement import Agreement
    from valiza.office.trusting import adopt

    adopted = adopt(open_office(home), file)
    if isinstance(adopted, Agreement):
        facts: dict[str, Any] = {"adopted": str(adopted), "digest": adopted.digest.hex()}
    else:
        facts = {"terminated": adopted.agreement.hex(), "by": adopted.party, "takes_effect_at": utc(adopted.takes_effect_at)}
    emit(facts, json_=json_)


@agreement.command(
    "terminate",
    short_help="Sign the end of an agreement.",
    epilog=command_epilog("valiza agreement terminate kz-by --home kz --takes-effect 2027-06-01T00:00:00Z -o end.vls"),
)
@click.argument("name", metavar="ID", shell_complete=offer("agreements"))
@click.option(
    "--takes-effect", required=True, metavar="TIME", help="When it takes effect, like 2027-06-01T00:00:00Z (A14: six months after the notice)."
)
@output("The termination")
@home_option
@passphrase_fd
@as_json
def terminate(name: str, takes_effect: str, output: Path, home: Path | None, passphrase_fd: int | None, json_: bool) -> None:
    """Sign a termination with this party's root. It takes effect in each office that adopts it."""
    from valiza.office.reader import write_object
    from valiza.office.trusting import terminate_agreement

    require_output(output)
    ended = terminate_agreement(open_office(home, passphrase_source(passphrase_fd)), name, at=now(), takes_effect_at=parse_time(takes_effect))
    write_object(output, ended.raw)
    emit({"termination": str(output), "agreement": ended.agreement.hex(), "takes_effect_at": utc(ended.takes_effect_at)}, json_=json_, output=output)
    say(f"valiza: adopt it here and send it to the other party: valiza agreement adopt {quoted(output)}")
