"""Commands for what arrives: inspect, verify, open, rewrap."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import click

from valiza.cli.batch import (
    Result,
    each_line_option,
    each_option,
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
    OBJECT,
    STATEMENT,
    as_json,
    as_officer,
    command_epilog,
    home_option,
    now,
    offer,
    open_office,
    open_reader,
    output,
    passphrase_fd,
    require_output,
    sandbox_option,
    sandbox_wanted,
    trust_options,
)
from valiza.cli.render import (
    agreement_facts,
    as_of,
    bundle_facts,
    core_facts,
    credential_facts,
    dispatch_facts,
    emit,
    heads_that_came,
    in_brief,
    manifest_facts,
    plain,
    route_facts,
    utc,
)
from valiza.cli.terminal import passphrase_source, progress, quoted, safe, say, warn
from valiza.keys.errors import Malformed, Usage

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from valiza.office.home import Office
    from valiza.office.reader import Reader


@click.command(
    epilog=command_epilog("valiza inspect report.vlz", "valiza inspect receipt.vls --json"),
)
@click.argument("file", type=OBJECT)
@as_json
def inspect(file: Path, json_: bool) -> None:
    """Show what an envelope (.vlz), statement (.vls) or evidence bundle (.vle) says, or a log's checkpoint, request or proof.

    No signature is checked: nothing here is to be believed.
    """
    from valiza.keys import labels
    from valiza.office.reader import envelope_file

    with envelope_file(file) as source:
        start = source.read(len(labels.MAGIC))
        source.seek(0)
        if start == labels.MAGIC_EVIDENCE:
            facts = _inspect_evidence(source)
        else:
            facts = _inspect_envelope(source) if start == labels.MAGIC else _inspect_log_file(source) or _inspect_statement(file, source)
    emit({"believed": False, "read": facts}, json_=json_)


def _inspect_envelope(source: Any) -> dict[str, Any]:  # noqa: ANN401 - a file
    from valiza.envelope.container import read_container
    from valiza.envelope.dispatch import read_dispatch_body
    from valiza.envelope.header import read_core, read_stanzas
    from valiza.keys import labels
    from valiza.keys.statement import read_statement

    container = read_container(source)
    core = read_core(container.core_raw)
    statement = read_statement(container.dispatch_raw, labels.DISPATCH)
    body = read_dispatch_body(statement.body)
    return {
        "type": "envelope",
        **core_facts(core),
        "addressees": [stanza.credential.hex() for stanza in read_stanzas(container.header_raw[container.core_length :])],
        "dispatch": statement.digest.hex(),
        "sealing_credential": statement.signer.signer_digest.hex(),
        "sealed_at": utc(body.sealed_at),
        "payload_bytes": container.payload_length,
        "attachments": [kind for kind, _ in body.attachments],
        "remarks_of_dispatch": plain(body.extensions),
    }


def _inspect_evidence(source: Any) -> dict[str, Any]:  # noqa: ANN401 - a file
    from valiza.office.evidence import read_evidence

    return bundle_facts(read_evidence(source))


def _inspect_log_file(source: Any) -> dict[str, Any] | None:  # noqa: ANN401 - a file
    """A checkpoint, cosigned or not, a request to cosign one, or a proof that an entry is in a log; None if it begins like none of these."""
    from valiza.keys import labels
    from valiza.register.note import parse_log_origin, peek_checkpoint, read_note
    from valiza.register.proof import MAX_FILE, read_proof, read_request

    raw = source.read(MAX_FILE + 1)
    source.seek(0)
    note, more = raw, {}
    if raw.startswith(b"c2sp.org/tlog-proof@"):
        proof = read_proof(raw)
        note, more = proof.note, {"type": "proof", "place": proof.index, "hashes": len(proof.hashes)}
    elif raw.startswith(b"old "):
        request = read_request(raw)
        note, more = request.note, {"type": "request", "old_size": request.old, "hashes": len(request.hashes)}
    elif not raw.startswith(labels.LOG.encode()):
        return None
    checkpoint = peek_checkpoint(note)
    body, agreement = parse_log_origin(checkpoint.origin)
    return {
        "type": "checkpoint",
        **more,
        "log_of": str(body),
        "agreement": agreement.hex(),
        "size": checkpoint.size,
        "root": checkpoint.root.hex(),
        "lines": [{"name": line.name, "key_id": line.key_id.hex(), "bytes": len(line.signature)} for line in read_note(note).lines],
    }


def _inspect_statement(path: Path, source: Any) -> dict[str, Any]:  # noqa: ANN401 - a file
    from valiza.keys.encoding import unpack
    from valiza.keys.statement import LIMITS, read_statement

    raw = source.read(max(LIMITS.values()) + 1)
    try:
        statement = read_statement(raw, *LIMITS)
    except Malformed as error:
        message = f"no Valiza object: {error.message}"
        raise Malformed(message) from error
    body = unpack(statement.body, max_bytes=max(LIMITS.values()), what=path.name)
    return {
        "type": statement.type,
        "bytes": len(raw),
        "digest": statement.digest.hex(),
        "signers": [{"role": s.header.role, "signer": s.header.signer_digest.hex(), "key": s.header.key_digest.hex()} for s in statement.signatures],
        "body": _short(plain(body)),
    }


def _short(value: Any) -> Any:  # noqa: ANN401 - whatever JSON can hold
    """Long hexadecimal cut, so that the structure can be seen."""
    if isinstance(value, str) and len(value) > 128:  # noqa: PLR2004 - two digests
        return f"{value[:64]}… ({len(value)} characters)"
    if isinstance(value, list):
        return [_short(item) for item in value]
    if isinstance(value, dict):
        return {key: _short(item) for key, item in value.items()}
    return value


@click.command(
    epilog=command_epilog(
        "valiza verify report.vlz --home by",
        "valiza verify *.vlz --jobs 2 --json --home by",
        "valiza verify report.vlz --root 3f5a… --root 9c01… --roster KZ.vls --roster BY.vls --agreement kz-by.vls",
    ),
)
@click.argument("envelopes", nargs=-1, required=True, type=ENVELOPE, metavar="ENVELOPE…")
@each_line_option
@trust_options
@jobs_option
@home_option
@as_json
def verify(
    envelopes: tuple[Path, ...],
    each: bool,
    roots: tuple[str, ...],
    rosters: tuple[Path, ...],
    agreements: tuple[Path, ...],
    jobs: int,
    home: Path | None,
    json_: bool,
) -> int:
    """Verify envelopes whole: who sealed them, under which agreement, for whom, and that nothing was altered on the way."""
    many = each or len(envelopes) > 1
    shared = jobs > 1 and len(envelopes) > 1
    require_one_input(*envelopes)
    require_files(shared, *envelopes)
    reader = open_reader(home, roots, rosters, agreements)
    if shared:
        start = (_start_verifying, (home, roots, rosters, agreements))
        return report(envelopes, _verify_in_process, many=True, json_=json_, what="envelopes", jobs=jobs, start=start)
    return report(envelopes, partial(one_by_one, partial(_verify, reader)), many=many, json_=json_, what="envelopes")


_READERS: list[Reader] = []  # of this process, when several share the work


def _start_verifying(home: Path | None, roots: tuple[str, ...], rosters: tuple[Path, ...], agreements: tuple[Path, ...]) -> None:
    _READERS[:] = [open_reader(home, roots, rosters, agreements)]


def _verify_in_process(envelopes: Sequence[Path]) -> list[Result]:
    return one_by_one(partial(_verify, _READERS[0]), envelopes)


def _verify(reader: Reader, envelope: Path) -> Result:
    from valiza.office.receiving import verify as verify_envelope

    with progress("verifying", envelope.stat().st_size if envelope.is_file() else 0) as advance:
        verified = verify_envelope(envelope, reader, at=now(), progress=advance).verified
    core = verified.core
    facts: dict[str, Any] = {
        "verdict": "verified",
        "verified": {
            **dispatch_facts(verified.signed, verified.agreement.profile),
            **agreement_facts(verified.agreement),
            "addressees": [credential_facts(c) for c in verified.addressees],
        },
        "unchecked": list(verified.unchecked),
        "roster_as_of": as_of(reader.trust, [core.origin.party, core.destination.party], now()),
    }
    said = facts["verified"]
    people = {
        "verdict": "verified",
        **{key: said[key] for key in ("envelope_id", "origin", "destination", "confirming", "agreement_id", "sealer", "sealed_at", "stamp")},
        "addressees": ", ".join(c["name"] for c in said["addressees"]),
        **{key: said[key] for key in ("remarks", "attachments")},
        "unchecked": facts["unchecked"],
        "roster_as_of": facts["roster_as_of"],
    }
    return Result(facts=facts, people=people, line=f"verified, from {core.origin} to {core.destination}")


@click.command(
    "open",
    epilog=command_epilog(
        "valiza open report.vlz --home by --as yanka -o report",
        "valiza open *.vlz --each --home by --as yanka -o opened",
    ),
)
@click.argument("envelopes", nargs=-1, required=True, type=ENVELOPE, metavar="ENVELOPE…")
@output("A new folder for the carriers; of several envelopes, a folder with one for each")
@each_option
@click.option("--rewrap", type=STATEMENT, metavar="FILE", help="The detached stanza by which an addressee passed it on.")
@sandbox_option
@home_option
@as_officer
@passphrase_fd
@as_json
def open_(
    envelopes: tuple[Path, ...],
    output: Path,
    each: bool,
    rewrap: Path | None,
    sandbox: str | None,
    home: Path | None,
    officer: str | None,
    passphrase_fd: int | None,
    json_: bool,
) -> int:
    """Open envelopes: all carriers of one appear together in its new folder, checked, or none does.

    The opening is entered in the register with an incoming number. Then: valiza acknowledge, or valiza refuse.
    """
    if str(output) == "-":
        message = "carriers are written to a folder"
        raise Usage(message, "give -o DIR")
    wanted = sandbox_wanted(sandbox)
    many = each or len(envelopes) > 1
    require_alone(many, rewrap=rewrap)
    require_one_input(*envelopes, *([rewrap] if rewrap else []))
    require_files(many, *envelopes)
    at_office = open_office(home, passphrase_source(passphrase_fd))
    if not many:
        require_output(output)
    folder = target_folder(output) if many else output.parent

    box = _Sandbox(wanted, at_office, [*envelopes, *([rewrap] if rewrap else [])], folder, whole=many)

    def work(envelope: Path) -> Result:
        into = in_folder(folder, envelope, "") if many else output
        return _open(at_office, envelope, into, officer=officer, rewrap=rewrap, box=box)

    code = report(envelopes, partial(one_by_one, work), many=many, json_=json_, what="envelopes")
    if not many and not code:
        again = "ENVELOPE" if str(envelopes[0]) == "-" else quoted(envelopes[0])
        say(f"valiza: next: valiza acknowledge {again} -o FILE, or valiza refuse")
    return code


class _Sandbox:
    """Confines this process once, before it reads the first envelope, if that is asked for."""

    def __init__(self, wanted: str | None, at_office: Office, read: Sequence[Path], folder: Path, *, whole: bool) -> None:
        """Nothing is confined yet.

        Args:
            wanted: None, "wanted" or "required".
            at_office: whose files are read, and whose register is written.
            read: other files that are read.
            folder: in which the folders with the carriers appear.
            whole: all of `folder` is for that, so that all in it may be written.

        Raises:
            Unavailable: it is required, and a means for it is not here.
        """
        self._wanted = wanted
        self._office = at_office
        self._read = read
        self._folder = folder
        self._whole = whole
        self.applied: list[str] | None = None
        if wanted == "required":
            from valiza.office.confinement import require_means

            require_means()

    def __call__(self, work: Path) -> None:
        """Confine; `work` is where the carriers of the first envelope are written."""
        if self.applied is not None:
            return
        self.applied = []
        if self._wanted is None:
            return
        from valiza.office.confinement import Need, confine

        spool = [] if all(path.is_file() for path in self._read) else [_spool()]
        need = Need(
            read=(self._office.home, *self._read),
            update=self._office.register_files(),
            write=(self._folder, *spool) if self._whole else (work,),
            name=() if self._whole else (self._folder,),
        )
        confinement = confine(need, required=self._wanted == "required")
        self.applied += confinement.applied
        if confinement.missing:
            warn(f"{'sandbox without' if confinement.applied else 'no sandbox:'} {'; '.join(confinement.missing)}")


def _spool() -> Path:
    """Where an envelope from a pipe is kept while it is read."""
    import tempfile
    from pathlib import Path

    return Path(tempfile.gettempdir())


def _open(at_office: Office, envelope: Path, into: Path, *, officer: str | None, rewrap: Path | None, box: _Sandbox) -> Result:
    from valiza.office.receiving import open_into

    with progress("opening", envelope.stat().st_size if envelope.is_file() else 0) as advance:
        opened = open_into(at_office, envelope, into, officer=officer, rewrap=rewrap, at=now(), progress=advance, confine=box)
    unsealed = opened.envelope.unsealed
    profile = unsealed.verified.agreement.profile
    facts: dict[str, Any] = {
        "verdict": "opened",
        "folder": str(into),
        "number": opened.number,
        "opened_before": opened.again,
        "sandbox": box.applied or [],
        "verified": {
            **dispatch_facts(unsealed.verified.signed, profile),
            **route_facts(unsealed.route, profile),
            **agreement_facts(unsealed.verified.agreement),
            "opened_by": credential_facts(unsealed.opener),
            **manifest_facts(opened.envelope.manifest, profile),
        },
        "envelope_mark": {
            "code": unsealed.marks.destination.code,
            "text": profile.party(unsealed.marks.destination.party).mark(unsealed.marks.destination.code).text,
        },
        "measures": profile.terms["measures"],
        "roster_as_of": as_of(at_office.trust, list(at_office.trust.rosters), now()),
        "heads": heads_that_came(opened.news),
    }
    said = facts["verified"]
    people = {
        "folder": facts["folder"],
        "number": facts["number"],
        "opened_before": facts["opened_before"],
        **({"sandbox": facts["sandbox"]} if facts["sandbox"] else {}),
        **{key: said[key] for key in ("origin", "sealer", "marks", "purpose", "term", "caveats", "basis", "remarks")},
        "carriers": {
            f"[{c['index']}]": f"{c['name']}{' (beside the envelope)' if c['physical'] else ''}; put on it: {c['marks']['destination_text']}"
            for c in said["carriers"]
        },
        "measures": facts["measures"],
        "roster_as_of": facts["roster_as_of"],
    }
    return Result(facts=facts, people=people, line=f"opened as {opened.number} in {safe(into)}; put on {_marks_to_put_on(said['carriers'])}")


def _marks_to_put_on(carriers: Sequence[dict[str, Any]]) -> str:
    """What the officer has to know of each carrier (A6.1), in as few words as it takes."""
    marks = [carrier["marks"]["destination_text"] for carrier in carriers]
    if len(set(marks)) == 1:
        return f"{'it' if len(marks) == 1 else 'each'}: {safe(marks[0])}"
    return "; ".join(f"[{carrier['index']}] {safe(carrier['name'])}: {safe(mark)}" for carrier, mark in zip(carriers, marks, strict=True))


@click.command(
    epilog=command_epilog("valiza rewrap report.vlz --home by --as yanka --to-officer alena -o report.rewrap.vls"),
)
@click.argument("envelope", type=ENVELOPE)
@click.option("--to-officer", "to", required=True, metavar="NAME", shell_complete=offer("openers"), help="The officer who is to open it.")
@output("The detached stanza")
@home_option
@as_officer
@passphrase_fd
@as_json
def rewrap(envelope: Path, to: str, output: Path, home: Path | None, officer: str | None, passphrase_fd: int | None, json_: bool) -> None:
    """Write a detached stanza beside the unaltered envelope, by which another officer of this body can open it (open --rewrap)."""
    from valiza.office.receiving import pass_on

    require_output(output)
    made = pass_on(open_office(home, passphrase_source(passphrase_fd)), envelope, output, officer=officer, to=to, at=now())
    facts = {"rewrap": str(output), "from": credential_facts(made.addressee), "to": credential_facts(made.recipient)}
    emit(facts, json_=json_, people=in_brief(facts), output=output)
