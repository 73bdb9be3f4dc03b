"""Commands by which keys are certified and each side keeps its own: credential request, issue on request, accept, renew; office join."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from valiza.cli.external import external_option, given_signers
from valiza.cli.options import (
    FOLDER,
    STATEMENT,
    Text,
    as_json,
    command_epilog,
    home_option,
    now,
    open_office,
    output,
    parse_time,
    passphrase_fd,
    require_output,
    typed,
    unlock_seconds_option,
)
from valiza.cli.people import agreed, new_passphrase, parse_names, signing_key, warn_unprotected
from valiza.cli.render import credential_facts, emit, request_facts, show_office, still_needed, tell, unfinished_facts
from valiza.cli.terminal import passphrase_source, quoted, say
from valiza.keys.errors import NoKey, Refused, Usage

if TYPE_CHECKING:
    from valiza.keys.credential import Credential, CredentialDraft
    from valiza.keys.request import Request
    from valiza.keys.root import Root
    from valiza.keys.trust import Trust
    from valiza.office.enrolling import Accepted, Protection
    from valiza.office.granting import Grant
    from valiza.office.quorum import Unfinished

__all__ = ["accept", "issue_requested", "join", "parse_keys", "renew", "request"]

DAY = 86400
_YEARS = 1825  # days: how long a credential is valid unless it is said


def parse_keys(text: str) -> tuple[str, tuple[str, ...]]:
    """Keys written NAME:PURPOSE,PURPOSE."""
    name, _, rest = text.partition(":")
    purposes = tuple(purpose for purpose in rest.split(",") if purpose)
    if not name or not purposes or ":" in rest:
        message = f"{text!r} names no officer with purposes"
        raise Usage(message, "write it as NAME:PURPOSE,…, for example aigul:seal,open; office:certify,roster stands for the body's own keys")
    return name, purposes


def _protection(unprotected: bool, descriptor: int | None, seconds: float) -> Protection:
    from valiza.keys.cost import measured_cost
    from valiza.office.enrolling import Protection

    passphrase = new_passphrase(unprotected, descriptor, passphrase_source(descriptor))
    return Protection(passphrase, None if unprotected else measured_cost(seconds))


# --- request ----------------------------------------------------------------------------------------------------------------------------------------


@click.command(
    "request",
    short_help="Make keys, and ask for them to be certified.",
    epilog=command_epilog(
        "valiza credential request aigul:seal,open --name 'en=Aigul Serik' --home kz -o aigul.request.vls",
        "valiza credential request office:certify,roster --home kz -o body.request.vls",
        "valiza credential request aigul:seal,open --party KZ --body KZ-MFA -o aigul-keys",
    ),
)
@click.argument("keys", type=Text(), metavar="NAME:PURPOSE,…")
@click.option("--name", "name", type=Text(), multiple=True, metavar="LANG=TEXT", help="The officer's name in a language. Repeatable.")
@click.option("--party", metavar="ID", help="Without an office: the party, for example KZ.")
@click.option("--body", metavar="ID", help="Without an office: the body, for example KZ-MFA.")
@click.option("--same-key", is_flag=True, help="Ask for the keys that are there to be certified once more, from when the old credentials end.")
@output("The request; without an office a new folder for keys and request")
@click.option("--unprotected", is_flag=True, help="Write keys without a passphrase. For tests and demonstrations.")
@external_option
@home_option
@passphrase_fd
@unlock_seconds_option
@as_json
def request(
    keys: str,
    name: tuple[str, ...],
    party: str | None,
    body: str | None,
    same_key: bool,
    output: Path,
    unprotected: bool,
    external: Path | None,
    home: Path | None,
    passphrase_fd: int | None,
    unlock_seconds: float,
    json_: bool,
) -> None:
    """Make keys that stay here, and a request for them to be certified, signed with each of them.

    With --home the keys lie in that office, beside those that the officer has, and his earlier keys vouch for the request. With --party and
    --body instead, keys and request are made in a new folder. The request goes to the body, or for the keys of a body to the custodians of the
    root or to a competent body; read its words to them, so that it cannot be exchanged on the way.
    """
    from valiza.keys import fields
    from valiza.office.enrolling import request_here, request_in_folder
    from valiza.office.reader import write_object

    officer, purposes = parse_keys(keys)
    signers = given_signers(external)
    names = parse_names(name, officer) if name else None
    require_output(output)
    if party or body:
        if not (party and body) or same_key:
            message = "without an office a request needs both --party and --body, and new keys"
            raise Usage(message, "give both, or --home DIR for an office that knows them")
        with typed("--party, --body"):
            at_body = fields.Body(fields.party(party, "party"), fields.body_id(body, "body"))
        strangers = [f"{one}: {purpose}" for one, purpose in signers if one != officer]
        if strangers:
            message = f"an external signer is named for a key that is not made: {', '.join(strangers)}"
            raise Usage(message)
        made = request_in_folder(
            output,
            at_body,
            names=names or {"en": officer},
            purposes=purposes,
            at=now(),
            random=os.urandom,
            protection=_protection(unprotected, passphrase_fd, unlock_seconds),
            signers={purpose: signer for (_, purpose), signer in signers.items()},
        )
        written = output / "request.vls"
    else:
        made = request_here(
            open_office(home, passphrase_source(passphrase_fd)),
            officer,
            purposes,
            names=names,
            at=now(),
            random=os.urandom,
            protection=_protection(unprotected or same_key, passphrase_fd, unlock_seconds),
            deliver=partial(write_object, output),
            same_key=same_key,
            signers=signers,
        )
        written = output
    _tell_request(made, written, json_=json_, output=output)
    warn_unprotected(unprotected and not same_key)


def _tell_request(made: Request, written: Path, *, json_: bool, output: Path) -> None:
    facts = {"request": str(written), **request_facts(made)}
    people = {**{key: facts[key] for key in ("request", "body", "name", "subject", "digits", "words")}, "purposes": list(made.keys)}
    emit(facts, json_=json_, people=people, output=output)


# --- issue ------------------------------------------------------------------------------------------------------------------------------------------


def grant_options(command: Any) -> Any:  # noqa: ANN401 - a decorator of click's
    """What an issuer says of what he gives on a request."""
    for option in (
        click.option(
            "--lost", is_flag=True, help="With --request: an earlier key is lost, or he had none of that purpose, and you know that it is he."
        ),
        click.option("--certifies-bodies", is_flag=True, help="With --request: the body may certify authorised bodies of its party."),
        click.option("--from", "begin", metavar="TIME", help="With --request: valid from then on, like 2027-01-01T00:00:00Z; else from now on."),
        click.option("--clearance", metavar="CODE", help="With --request: the clearance that is given, or none."),
        click.option("--purpose", "purposes", metavar="PURPOSE,…", help="With --request: only these of what was asked for."),
        click.option("--request", type=STATEMENT, metavar="FILE", help="The request: who made the keys keeps them."),
    ):
        command = option(command)
    return command


def issue_requested(
    path: Path,
    *,
    purposes: str | None,
    clearance: str | None,
    begin: str | None,
    validity: int | None,
    certifies_bodies: bool,
    lost: bool,
    roots: tuple[Path, ...],
    key: Path | None,
    output: Path | None,
    yes: bool,
    home: Path | None,
    passphrase_fd: int | None,
    json_: bool,
) -> None:
    """Issue credentials on a request: by the body of an office, or with a custodian's key by the root."""
    from valiza.keys import labels
    from valiza.keys.files import about
    from valiza.keys.request import check_vouching, read_request
    from valiza.keys.trust import Trust
    from valiza.office.reader import read_object

    if output is None:
        message = "missing option '-o': credentials issued on a request are written into a new folder"
        raise Usage(message, "give -o DIR")
    require_output(output)
    with about(path):
        asked = read_request(read_object(path, labels.REQUEST))
    chosen = tuple(asked.keys) if purposes is None else tuple(purposes.split(","))
    if clearance is None and set(chosen) != {"roster"}:
        message = "missing option '--clearance': what is the holder cleared to?"
        raise Usage(message, "give --clearance CODE, or --clearance none")
    source = passphrase_source(passphrase_fd)
    if key is None and roots:
        message = "--root goes with --key, the key of a custodian"
        raise Usage(message, "give the custodian's key, or leave --root out: the office knows the root")
    at = now()
    at_office = open_office(home, source) if key is None or home is not None else None
    by_root = _root_of(key, roots, at_office.trust if at_office else None) if key is not None else None
    start = parse_time(begin) if begin else at
    believed = by_root[1] if by_root is not None else at_office.trust if at_office is not None else Trust([])
    said = {
        **{field: value for field, value in request_facts(asked).items() if field in {"body", "name", "subject", "digits", "words"}},
        "purposes": list(chosen),
        "clearance": clearance,
        "vouched for by": [f"his {credential.purpose} key" for credential in check_vouching(asked, believed, at)] or "nobody but you",
    }
    if not agreed("Issue this?", yes, lambda: tell(said, "to be issued, on a request:")):
        message = "not confirmed: nothing was issued"
        raise Refused(message)

    from valiza.office.enrolling import issue_on_request, issuer_of
    from valiza.office.granting import Grant, granted
    from valiza.office.publishing import collect

    def grant(latest: int) -> Grant:
        """Until the issuer's own end, unless a validity was asked for."""
        until = start + (_YEARS if validity is None else validity) * DAY
        return Grant(
            purposes=chosen,
            clearance=None if clearance in {None, "none"} else clearance,
            certifies_bodies=certifies_bodies,
            valid_from=start,
            valid_until=min(until, latest) if validity is None else until,
        )

    if by_root is not None and key is not None:
        root, trust = by_root
        issued_here = collect(at_office).checked(None) if at_office is not None else []
        drafts = granted(asked, grant(root.valid_until), roots=[root], trust=trust, at=at, random=os.urandom, lost=lost, known=issued_here)
        _begin(drafts, root, signing_key(key, source), output, json_=json_)
    elif at_office is not None:
        issuer = issuer_of(at_office, at)
        issued = issue_on_request(at_office, asked, grant(issuer.valid_until), at=at, random=os.urandom, lost=lost)
        files = _write({credential.purpose: credential.raw for credential in issued}, output)
        facts = {"folder": str(output), "files": files, "issued": [credential_facts(c) for c in issued], "unfinished": []}
        emit(facts, json_=json_)
        say("valiza: send them to the holder, and publish a roster with them: valiza roster publish -o FILE")


def _root_of(key: Path, files: tuple[Path, ...], known: Trust | None) -> tuple[Root, Trust]:
    """The root in whose name a custodian issues, and what is known of its party: from a roster among the files, or an office."""
    from valiza.cli.people import public_digest, roots_at_hand
    from valiza.keys import labels
    from valiza.keys.roster import read_roster
    from valiza.keys.statement import read_statement
    from valiza.keys.trust import Trust
    from valiza.office.quorum import latest_root
    from valiza.office.reader import read_object
    from valiza.office.roots import roots_in

    roots = list(roots_at_hand(files, None).values()) + [root for roster in (known.rosters.values() if known else ()) for root in roster.roots]
    own = public_digest(key)
    latest = [root for party in {root.party for root in roots} if (root := latest_root(roots, party)) is not None]
    mine = [root for root in latest if root.custodian(own) is not None]
    if not mine:
        message = "this key is that of no custodian of a root at hand"
        raise Refused(message, "give the latest root of the party, or its roster, with --root FILE")
    if known is not None and mine[0].party in known.rosters:
        return mine[0], known
    rosters = []
    for path in files:
        raw = read_object(path, labels.ROOT, labels.ROSTER)
        if read_statement(raw, labels.ROOT, labels.ROSTER).type == labels.ROSTER and roots_in(raw)[-1].party == mine[0].party:
            rosters.append(read_roster(raw, roots_in(raw)[-1].digest))
    return mine[0], Trust(rosters)


def _begin(drafts: list[CredentialDraft], root: Root, key: Any, output: Path, *, json_: bool) -> None:  # noqa: ANN401 - a signing key; its import is heavy
    from valiza.keys.credential import check_credential
    from valiza.office.quorum import begin_credential

    begun: dict[str, Unfinished] = {draft.purpose: begin_credential(draft, root, key) for draft in drafts}
    files = _write({purpose: one.statement.raw for purpose, one in begun.items()}, output)
    complete: list[Credential] = [check_credential(one.statement, root) for one in begun.values() if one.complete]
    waiting = [one for one in begun.values() if not one.complete]
    facts = {
        "folder": str(output),
        "files": files,
        "issued": [credential_facts(credential) for credential in complete],
        "unfinished": [unfinished_facts(one) for one in waiting],
    }
    people = {**facts, "unfinished": [], "still needed": still_needed(waiting[0]) if waiting else []}
    emit(facts, json_=json_, people=people)
    for purpose in sorted(purpose for purpose, one in begun.items() if not one.complete):
        say(f"valiza: another custodian signs it next: valiza custodian sign {quoted(files[purpose])}")


def _write(raws: dict[str, bytes], folder: Path) -> dict[str, str]:
    """Each into its file in a new folder."""
    from valiza.keys.files import new_file, new_folder

    with new_folder(folder) as work:
        for purpose, raw in raws.items():
            new_file(work / f"{purpose}.vls", raw, 0o644)
    return {purpose: str(folder / f"{purpose}.vls") for purpose in raws}


# --- accept -----------------------------------------------------------------------------------------------------------------------------------------


@click.command(
    "accept",
    short_help="Put credentials beside the keys that they are for.",
    epilog=command_epilog(
        "valiza credential accept aigul/seal.vls aigul/open.vls --home kz",
        "valiza credential accept issued/*.vls --keys aigul-keys --root KZ.roster.vls",
    ),
)
@click.argument("files", nargs=-1, required=True, type=STATEMENT, metavar="FILE…")
@click.option("--keys", "folder", type=FOLDER, metavar="DIR", help="A folder with keys that is no office.")
@click.option("--root", "known", type=STATEMENT, multiple=True, metavar="FILE", help="With --keys: the party's roster, or its root. Repeatable.")
@home_option
@as_json
def accept(files: tuple[Path, ...], folder: Path | None, known: tuple[Path, ...], home: Path | None, json_: bool) -> None:
    """Put credentials that were issued on a request beside the keys that they are for, each checked up to the root.

    They count once a roster with them is published and imported. A new version of the root that issued one is named among the FILEs.
    """
    from valiza.office.enrolling import accept as accept_here
    from valiza.office.enrolling import accept_in_folder

    if folder is None:
        if known:
            message = "--root goes with --keys"
            raise Usage(message, "leave it out: the office knows the root; or name a folder of keys that is no office with --keys DIR")
        accepted = accept_here(open_office(home), files)
    else:
        if not known:
            message = "missing option '--root': without an office nothing is known of the party"
            raise Usage(message, "give its roster or its root with --root FILE")
        accepted = accept_in_folder(folder, files, known)
    emit({"accepted": [_accepted_facts(one) for one in accepted]}, json_=json_, people={"accepted": [_in_short(one) for one in accepted]})
    if folder is None and any(not one.counts for one in accepted):
        say("valiza: they count when a roster with them has been published and imported here")


def _accepted_facts(one: Accepted) -> dict[str, Any]:
    return {"file": str(one.path), "officer": one.officer or None, "new": one.new, "in_roster": one.counts, **credential_facts(one.credential)}


def _in_short(one: Accepted) -> str:
    whose = f" of {one.officer}" if one.officer else ""
    return f"{one.credential.purpose}{whose}: {one.path.name}{'' if one.new else ' (there already)'}"


# --- renew ------------------------------------------------------------------------------------------------------------------------------------------


@click.command(
    "renew",
    short_help="Renew credentials, with new keys.",
    epilog=command_epilog(
        "valiza credential renew aigul --home kz",
        "valiza credential renew aigul:open --home kz",
        "valiza credential renew office:certify --home kz -o body.request.vls",
    ),
)
@click.argument("keys", type=Text(), metavar="NAME[:PURPOSE,…]")
@click.option("--same-key", is_flag=True, help="Keep the keys; the new credentials begin when the old ones end.")
@click.option("--validity", type=click.IntRange(1, 3650), default=_YEARS, show_default=True, metavar="DAYS", help="Validity of the new credentials.")
@click.option("-o", "--output", "output", type=STATEMENT, metavar="PATH", help="Issue nothing, but write a request for whoever does.")
@click.option("--unprotected", is_flag=True, help="Write keys without a passphrase. For tests and demonstrations.")
@external_option
@home_option
@passphrase_fd
@unlock_seconds_option
@as_json
def renew(
    keys: str,
    same_key: bool,
    validity: int,
    output: Path | None,
    unprotected: bool,
    external: Path | None,
    home: Path | None,
    passphrase_fd: int | None,
    unlock_seconds: float,
    json_: bool,
) -> None:
    """Renew an officer's credentials, or with the name office those of the body: new keys, the same person, names and clearance.

    The office that keeps the issuer's key issues them at once. With -o a request is made instead, which the earlier keys vouch for. The old keys
    stay: what was sealed to them can still be opened. Publish a roster, and the new ones are used from when it has been imported.
    """
    from valiza.keys.credential import PURPOSES
    from valiza.office.enrolling import renew as renew_here
    from valiza.office.enrolling import request_here
    from valiza.office.reader import write_object

    at_office = open_office(home, passphrase_source(passphrase_fd))
    name, _, _ = keys.partition(":")
    held = tuple(purpose for purpose in PURPOSES if at_office.has_credential(name, purpose))
    if not held:
        message = f"the officer {name!r} has no credential in this office"
        raise NoKey(message, f"officers: {', '.join(at_office.officers()) or 'none'}; office stands for the body itself")
    purposes = parse_keys(keys)[1] if ":" in keys else held
    signers = given_signers(external)
    if output is not None:
        require_output(output)
    protection = _protection(unprotected or same_key, passphrase_fd, unlock_seconds)
    if output is not None:
        made = request_here(
            at_office,
            name,
            purposes,
            names=None,
            at=now(),
            random=os.urandom,
            protection=protection,
            deliver=partial(write_object, output),
            same_key=same_key,
            signers=signers,
        )
        _tell_request(made, output, json_=json_, output=output)
    else:
        renewed = renew_here(
            at_office,
            name,
            purposes,
            at=now(),
            validity=validity * DAY,
            random=os.urandom,
            protection=protection,
            same_key=same_key,
            signers=signers,
        )
        emit({"renewed": [credential_facts(c) for c in renewed]}, json_=json_)
        say("valiza: publish a roster with them: valiza roster publish -o FILE")
    warn_unprotected(unprotected and not same_key)


# --- join -------------------------------------------------------------------------------------------------------------------------------------------


@click.command(
    "join",
    short_help="Make an office of a party that has a root already.",
    epilog=command_epilog(
        "valiza office join aigul --party KZ --body KZ-MFA --roster KZ.roster.vls --root 3f5a…",
        "valiza office join kz --party KZ --body KZ-MFA --roster KZ.root.vls --root 3f5a… --name 'en=Ministry'",
        "valiza office join kz --party KZ --body KZ-MFA --roster KZ.roster.vls --root 3f5a… --officer aigul=aigul-keys",
    ),
)
@click.argument("home", type=FOLDER)
@click.option("--party", required=True, metavar="ID", help="The party, for example KZ.")
@click.option("--body", required=True, metavar="ID", help="The body, for example KZ-MFA.")
@click.option("--roster", required=True, type=STATEMENT, metavar="FILE", help="The party's roster; or its root, while there is no roster yet.")
@click.option("--root", required=True, metavar="FINGERPRINT", help="The fingerprint of the party's root, as you compared it, in digits or words.")
@click.option("--name", "name", type=Text(), multiple=True, metavar="LANG=TEXT", help="The body's name in a language. Repeatable.")
@click.option(
    "--officer",
    "officers",
    type=Text(),
    multiple=True,
    metavar="NAME=DIR",
    help="A folder with an officer's keys and credentials, which are copied; the name office stands for the body's own. Repeatable.",
)
@as_json
def join(home: Path, party: str, body: str, roster: Path, root: str, name: tuple[str, ...], officers: tuple[str, ...], json_: bool) -> None:
    """Make the folder HOME as an office of a body or officer, without any key of the root.

    Then make keys in it: valiza credential request.
    """
    from valiza.keys import fields
    from valiza.keys.fingerprint import parse_fingerprint
    from valiza.office.enrolling import join_office

    require_output(home)
    with typed("--party, --body"):
        at_body = fields.Body(fields.party(party, "party"), fields.body_id(body, "body"))
    with typed("--root"):
        fingerprint = parse_fingerprint(root)
    folders = {}
    for text in officers:
        short, equals, folder = text.partition("=")
        if not equals or not folder or short in folders:
            message = f"--officer: {text!r} is written otherwise than NAME=DIR, or the name stands twice"
            raise Usage(message)
        folders[short] = Path(folder)
    names = parse_names(name, body)
    made, _ = join_office(
        home, at_body, names=names, roster=roster, fingerprint=fingerprint, officers=folders, at=now(), passphrase=passphrase_source(None)
    )
    show_office(str(home), made, json_=json_)
