"""Commands for agreements."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from valiza.cli.options import (
    STATEMENT,
    File,
    NameOrFile,
    OrderedGroup,
    as_json,
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
from valiza.cli.people import custodian_option, roots_at_hand, signing_key
from valiza.cli.render import emit, unfinished_facts, utc
from valiza.cli.terminal import passphrase_source, quoted, say
from valiza.keys.errors import Usage

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from valiza.envelope.profile import Profile

DAY = 86400


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
    epilog=command_epilog(
        "valiza agreement sign kz-by --home kz -o half.vls",
        "valiza agreement sign half.vls --home by -o kz-by.vls",
        "valiza agreement sign kz-by --key aliya/custodian.key --root KZ.root.vls -o kz-by.1.vls",
    ),
)
@click.argument("source", type=NameOrFile(), metavar="ID|FILE", shell_complete=_offer_draft)
@custodian_option()
@click.option("--root", "roots", type=STATEMENT, multiple=True, metavar="FILE", help="With --key: a party's root, or a roster with it. Repeatable.")
@output("The signed agreement")
@home_option
@passphrase_fd
@as_json
def sign_agreement(
    source: str, key: Path | None, roots: tuple[Path, ...], output: Path, home: Path | None, passphrase_fd: int | None, json_: bool
) -> None:
    """Sign a draft, or what others have signed already; when quorums of both roots have signed, it can be adopted.

    The root's key of the office signs, or with --key a custodian's; then no office is needed, if --root gives the roots.
    """
    from valiza.office.reader import write_object
    from valiza.office.trusting import digest_of, sign, sign_as_custodian

    require_output(output)
    if key is None:
        if roots:
            message = "--root goes with --key"
            raise Usage(message, "give the custodian's key, or leave --root out: the office knows the roots")
        signed = sign(open_office(home, passphrase_source(passphrase_fd)), _source(source))
    else:
        known = roots_at_hand(roots, home)
        signed = sign_as_custodian(_source(source), signing_key(key, passphrase_source(passphrase_fd)), known)
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

    adopted = adopt(open_office(home), file, at=now())
    if isinstance(adopted, Agreement):
        facts: dict[str, Any] = {"adopted": str(adopted), "digest": adopted.digest.hex()}
    else:
        facts = {
            "terminated": adopted.agreement.hex(),
            "by": adopted.party,
            "root_version": adopted.root_version,
            "takes_effect_at": utc(adopted.takes_effect_at),
        }
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
@custodian_option()
@output("The termination")
@home_option
@passphrase_fd
@as_json
def terminate(name: str, takes_effect: str, key: Path | None, output: Path, home: Path | None, passphrase_fd: int | None, json_: bool) -> None:
    """Sign a termination with this party's root. It takes effect in each office that adopts it.

    The root's key of the office signs, or with --key a custodian's, whose signature may be the first of several.
    """
    from valiza.office.reader import write_object
    from valiza.office.trusting import terminate_agreement

    require_output(output)
    source = passphrase_source(passphrase_fd)
    at_office = open_office(home, source)
    own = None if key is None else signing_key(key, source)
    ended = terminate_agreement(at_office, name, own, at=now(), takes_effect_at=parse_time(takes_effect))
    write_object(output, ended.statement.raw)
    said = unfinished_facts(ended)["says"]
    facts = {"termination": str(output), "agreement": said["agreement"], "takes_effect_at": said["takes_effect_at"], "complete": ended.complete}
    emit(facts, json_=json_, output=output)
    if ended.complete:
        say(f"valiza: adopt it here and send it to the other party: valiza agreement adopt {quoted(output)}")
    else:
        say(f"valiza: another custodian signs it next: valiza custodian sign {quoted(output)}")
