"""Makes the examples on top of the specifications from the objects in specs/vectors: the block below `<!-- example: NAME -->`.

    python docs/make_examples.py

Names of fields are taken from the page itself, so an example cannot show a field that the page does not have.
"""  # noqa: INP001 - a script, run by path

from __future__ import annotations

import io
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from valiza.envelope.container import read_container
from valiza.envelope.header import read_core, read_stanzas, wrap_info
from valiza.envelope.manifest import unpack_manifest
from valiza.envelope.payload import MANIFEST_STREAM, Streams, stream_length
from valiza.gateway.wrapping import Letter, read_object, wrap
from valiza.keys import labels
from valiza.keys.encoding import unpack
from valiza.keys.recipient import Identity
from valiza.keys.statement import LIMITS, read_statement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from valiza.envelope.container import Container
    from valiza.keys.statement import Statement

SPECS: Final = Path(__file__).resolve().parent.parent / "specs"
VECTORS: Final = SPECS / "vectors"
WORLD: Final = VECTORS / "world"
_COLUMN: Final = 32  # where values begin
_ROOM: Final = 90  # characters of a value
_FIRST: Final = 3  # items of a long value
_ALL: Final = max(LIMITS.values())


def fields(page: str, anchor: str) -> list[str]:
    """Names of the fields in the first `[…]` of a page behind `anchor`; a nested array is one name."""
    text = (SPECS / f"{page}.md").read_text(encoding="utf-8").partition(anchor)[2]
    text = text[text.index("[") :]
    depth, names, current = 0, [], ""
    for character in text:
        depth += {"[": 1, "]": -1}.get(character, 0)
        if depth == 0 or (depth == 1 and character == ","):
            names.append(" ".join(current.split()))
            current = ""
        elif depth > 1 or character != "[":
            current += character
        if depth == 0:
            return names
    message = f"{page}.md has no array behind {anchor!r}"
    raise ValueError(message)


# --- values -----------------------------------------------------------------------------------------------------------------------------------------


def shown(value: Any, name: str = "") -> str:  # noqa: ANN401 - whatever MessagePack can hold
    """A value in one line: bytes by their beginning, times with their meaning."""
    if isinstance(value, int) and not isinstance(value, bool) and re.search(r"\b(at|from|until|due)$", name):
        return f"{value} ({datetime.fromtimestamp(value, UTC).strftime('%Y-%m-%dT%H:%M:%SZ')})"
    return _cut(_plain(value))


def _plain(value: Any) -> str:  # noqa: ANN401 - as above
    if isinstance(value, bytes):
        return f"h'{value.hex()}'" if len(value) <= 8 else f"h'{value[:4].hex()}…' ({len(value)} bytes)"  # noqa: PLR2004 - enough to be told apart
    if isinstance(value, list):
        return f"[{', '.join(_plain(item) for item in value)}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{json.dumps(key)}: {_plain(item)}' for key, item in value.items())}}}"
    return "nil" if value is None else json.dumps(value, ensure_ascii=False)


def _cut(text: str) -> str:
    return text if len(text) <= _ROOM else f"{text[: _ROOM - 1]}…"


def table(names: list[str], values: list[Any], indent: str = "") -> Iterator[str]:
    """Fields with their values, one in a line; long lists and maps by their first items."""
    for name, value in zip(names, values, strict=True):
        items = _items(value)
        if len(_plain(value)) <= _ROOM or len(items) < 2:  # noqa: PLR2004 - one item is shown in its field's line
            yield _line(f"{indent}{name}", shown(value, name))
            continue
        kind = "map" if isinstance(value, dict) else "array"
        yield _line(f"{indent}{name}", f"{kind} of {len(items)}:")
        yield from (_line("", f"  {_cut(item)}") for item in items[:_FIRST])
        if len(items) > _FIRST:
            yield _line("", "  …")


def _items(value: Any) -> list[str]:  # noqa: ANN401 - as above
    if isinstance(value, dict):
        return [f"{json.dumps(key)}: {_plain(item)}" for key, item in value.items()]
    return [_plain(item) for item in value] if isinstance(value, list) else []


def _line(name: str, text: str) -> str:
    return f"{name:<{_COLUMN}}{text}" if len(name) < _COLUMN else f"{name}\n{'':<{_COLUMN}}{text}"


def decoded(raw: bytes) -> list[Any]:
    """An array from its bytes."""
    value = unpack(raw, max_bytes=_ALL, what="example")
    if not isinstance(value, list):
        raise TypeError
    return value


# --- objects ----------------------------------------------------------------------------------------------------------------------------------------


def statement_lines(statement: Statement, names: list[str]) -> Iterator[str]:
    """A statement: type, body field by field, and its signatures."""
    yield from table(["type"], [statement.type])
    yield _line("body", shown(statement.body))
    yield from table(names, decoded(statement.body), "  ")
    yield from _signatures(statement)


def _signatures(statement: Statement) -> Iterator[str]:
    roles = fields("statement", "the canonical encoding of ")
    for index, signature in enumerate(statement.signatures):
        yield _line(f"signature {index}", shown(signature.signature))
        yield _line("  signer header", shown(signature.header_bytes))
        yield from table(roles, decoded(signature.header_bytes), "    ")


def _vector(name: str) -> bytes:
    return (VECTORS / f"{name}.vector").read_bytes().partition(b"\n\n")[2]


def example_statement() -> Iterator[str]:
    """A termination: the smallest statement with a body that can be read at a glance."""
    raw = (WORLD / "open-end.vls").read_bytes()
    statement = read_statement(raw, labels.TERMINATION)
    (signature,) = statement.signatures
    yield f"vectors/world/open-end.vls, {len(raw)} bytes: the end of an agreement. Its bytes:"
    yield ""
    parts = [(b"\x93", "array of 3"), (statement.type.encode(), "type"), (statement.body, "body"), (b"\x91\x92", "one signature: array of 2")]
    parts += [(signature.header_bytes, "signer header"), (signature.signature, "signature")]
    at = 0
    for part, what in parts:
        start = raw.index(part, at)
        head = f"{raw[at:start].hex()} " if start > at else ""
        at = start + len(part)
        yield _line(what, f"{head}{part.hex()}" if len(part) <= 50 else f"{head}{part[:24].hex()}… ({len(part)} bytes)")  # noqa: PLR2004 - fits a line
    yield ""
    yield "What they say:"
    yield ""
    yield from statement_lines(statement, fields("agreement", "## Termination"))


def example_credential() -> Iterator[str]:
    """An officer's credential."""
    raw = _vector("credential_good")
    yield f"vectors/credential_good.vector, {len(raw)} bytes"
    yield ""
    yield from statement_lines(read_statement(raw, labels.CREDENTIAL), fields("credential", "## Credential, `valiza/v1/credential`"))


def example_request() -> Iterator[str]:
    """A new officer's request for two keys."""
    raw = _vector("request_good")
    yield f"vectors/request_good.vector, {len(raw)} bytes"
    yield ""
    yield from statement_lines(read_statement(raw, labels.REQUEST), fields("request", "## Request, `valiza/v1/request`"))


def example_revocation() -> Iterator[str]:
    """A revocation, as it stands in a roster."""
    raw = decoded(read_statement(_vector("revocation_by_body"), labels.ROSTER).body)[6][0]
    yield f"in vectors/revocation_by_body.vector, {len(raw)} bytes"
    yield ""
    yield from statement_lines(read_statement(raw, labels.REVOCATION), fields("revocation", "## Revocation, `valiza/v1/revocation`"))


def example_designation() -> Iterator[str]:
    """A designation, as it stands in a roster."""
    raw = decoded(read_statement(_vector("designation_confirming"), labels.ROSTER).body)[7][0]
    yield f"in vectors/designation_confirming.vector, {len(raw)} bytes"
    yield ""
    yield from statement_lines(read_statement(raw, labels.DESIGNATION), fields("designation", "## Designation, `valiza/v1/designation`"))


def example_agreement() -> Iterator[str]:
    """An agreement with an open stamp."""
    raw = (WORLD / "open.vls").read_bytes()
    yield f"vectors/world/open.vls, {len(raw)} bytes"
    yield ""
    yield from statement_lines(read_statement(raw, labels.AGREEMENT), fields("agreement", "## Body"))


def example_clearance() -> Iterator[str]:
    """A confirmation, and the enquiry in it."""
    raw = _vector("clearance_confirmation_good")
    statement = read_statement(raw, labels.CLEARANCE_CONFIRMATION)
    yield f"vectors/clearance_confirmation_good.vector, {len(raw)} bytes"
    yield ""
    yield from statement_lines(statement, fields("clearance", "## Confirmation, `valiza/v1/clearance-confirmation`"))
    enquiry = read_statement(decoded(statement.body)[0], labels.CLEARANCE_ENQUIRY)
    yield ""
    yield f"the enquiry inside, {len(enquiry.raw)} bytes:"
    yield ""
    yield from statement_lines(enquiry, fields("clearance", "## Enquiry, `valiza/v1/clearance-enquiry`"))


def example_envelope() -> Iterator[str]:
    """An envelope, section by section, opened with the test key of its first addressee."""
    raw = (WORLD / "letter.vlz").read_bytes()
    container = read_container(io.BytesIO(raw))
    core = read_core(container.core_raw)
    yield f"vectors/world/letter.vlz, {len(raw)} bytes; offsets on the left"
    yield ""
    yield _section(0, "core", f"prefix h'{raw[:12].hex()}', then:")
    names, values = fields("envelope", "core    = prefix || canonical "), decoded(container.core_raw[12:])
    where = names.index("stamp")
    yield from _indented(table(names[:where], values[:where]))
    yield from _indented(iter([_line("stamp", f"array of {len(values[where])}:")]))
    yield from _indented(table(fields("envelope", "**stamp**: "), values[where], "  "))
    yield from _indented(table(names[where + 1 :], values[where + 1 :]))
    yield _section(container.core_length, "stanzas", "")
    for stanza in decoded(container.header_raw[container.core_length :]):
        yield from _indented(table(fields("envelope", "stanzas = canonical ["), stanza))
    yield from _payload(container, core.digest)
    statement = read_statement(container.dispatch_raw, labels.DISPATCH)
    yield _section(len(raw) - 44 - len(container.dispatch_raw), "dispatch", f"a statement of {len(container.dispatch_raw)} bytes; its body:")
    yield from _indented(table(fields("envelope", "## Dispatch, `valiza/v1/dispatch`"), decoded(statement.body)))
    yield _section(len(raw) - 44, "footer", f"prefix, then {', '.join(str(int.from_bytes(raw[-32 + 8 * i :][:8])) for i in range(4))}")


def _payload(container: Container, core_digest: bytes) -> Iterator[str]:
    identity = Identity(bytes.fromhex((WORLD / "alena-open.seed").read_text(encoding="ascii")))
    payload_key = next(_unwrapped(identity, container, core_digest))
    body = decoded(read_statement(container.dispatch_raw, labels.DISPATCH).body)
    decryptor = Streams(payload_key, core_digest=core_digest, header_digest=body[1]).decryptor(MANIFEST_STREAM)
    plain = decryptor.update(container.read_manifest_stream()) + decryptor.finalize()
    manifest = unpack_manifest(plain)
    at = len(container.header_raw)
    for index, entry in enumerate(manifest.carriers):
        if entry.size is not None:
            yield _section(at, f"stream {index + 2}", f"{stream_length(entry.size)} bytes: the carrier with index {index}, encrypted")
            at += stream_length(entry.size)
    yield _section(at, "stream 1", f"{stream_length(manifest.pad_length)} bytes: the pad")
    at += stream_length(manifest.pad_length)
    length = int.from_bytes(plain[:4])
    yield _section(at, "stream 0", f"{container.manifest_length} bytes: the manifest. Decrypted, {length} bytes and {len(plain) - 4 - length} zeros:")
    values = decoded(plain[4 : 4 + length])
    yield from _indented(table(fields("envelope", "## Manifest"), values))
    yield f"{'':8}the first carrier:"
    yield from _indented(table(fields("envelope", "**carriers**: array"), values[2][0], "  "))


def _unwrapped(identity: Identity, container: Container, core_digest: bytes) -> Iterator[bytes]:
    from valiza.keys.errors import NotAuthentic  # noqa: PLC0415 - beside its only use

    for stanza in read_stanzas(container.header_raw[container.core_length :]):
        try:
            yield identity.unwrap(stanza.wrapped, wrap_info(core_digest, stanza.credential))
        except NotAuthentic:
            continue


def _section(at: int, name: str, text: str) -> str:
    return f"{at:6}  {name:<24}{text}".rstrip()


def _indented(lines: Iterator[str], depth: int = 8) -> Iterator[str]:
    for line in lines:
        yield from (" " * depth + part for part in line.splitlines())


def example_receipt() -> Iterator[str]:
    """A receipt, and the acknowledgement inside."""
    raw = _vector("receipt_delivered")
    statement = read_statement(raw, labels.RECEIPT)
    yield f"vectors/receipt_delivered.vector, {len(raw)} bytes"
    yield ""
    yield from statement_lines(statement, fields("receipt", "## Receipt, `valiza/v1/receipt`"))
    yield ""
    answer = read_statement(decoded(statement.body)[0], labels.ACKNOWLEDGEMENT)
    yield f"the answer inside, {len(answer.raw)} bytes:"
    yield ""
    yield from statement_lines(answer, fields("receipt", "## Acknowledgement, `valiza/v1/acknowledgement`"))


def example_transport() -> Iterator[str]:
    """A notice, a hand-over and an overdue record of one envelope."""
    for name, type_, heading in (
        ("notice_good", labels.TRANSPORT_NOTICE, "## Notice"),
        ("handover_good", labels.HANDOVER, "## Hand-over"),
        ("overdue_good", labels.OVERDUE, "## Overdue record"),
    ):
        raw = _vector(f"transport_{name}")
        if type_ != labels.TRANSPORT_NOTICE:
            yield ""
        yield f"vectors/transport_{name}.vector, {len(raw)} bytes"
        yield ""
        yield from statement_lines(read_statement(raw, type_), fields("transport", f"{heading}, `{type_}`"))


def example_transcript() -> Iterator[str]:
    """A first root of two custodians, step by step."""
    raw = _vector("transcript_first_root")
    statement = read_statement(raw, labels.TRANSCRIPT)
    names = fields("transcript", "## Transcript, `valiza/v1/transcript`")
    yield f"vectors/transcript_first_root.vector, {len(raw)} bytes"
    yield ""
    yield from statement_lines(statement, names)
    yield ""
    yield "its steps:"
    yield ""
    steps = decoded(statement.body)[names.index("steps")]
    parts = [" ".join(name.split()) for name in fields("transcript", "- **steps**")]
    for step in (steps[0], steps[1], steps[5]):
        yield from table(parts, step, "  ")
        yield ""


def example_backup() -> Iterator[str]:
    """A sheet, down to its first words."""
    lines = _vector("backup_two_of_three").decode("utf-8").splitlines()
    yield from lines[: lines.index("Words") + 4]
    yield "…"


def example_external_signer() -> Iterator[str]:
    """A conversation with an external signer, of the vectors of its questions."""
    for name in ("hello", "public", "sign"):
        head, _, raw = (VECTORS / f"signer-question_{name}.vector").read_bytes().decode("utf-8").partition("\n\n")
        reply = re.search(r"^reply: (.*)$", head, re.MULTILINE)
        if reply is None:
            message = f"the vector {name} has no reply"
            raise ValueError(message)
        yield _cut(f"→ {raw.rstrip()}")
        yield _cut(f"← {reply[1]}")


def example_log() -> Iterator[str]:
    """A checkpoint that was cosigned, and a proof of inclusion down to its checkpoint."""
    note = _vector("cosignature_good").decode("utf-8")
    proof = _vector("tlog-proof_of_8").decode("utf-8")
    yield f"vectors/cosignature_good.vector, {len(note.encode('utf-8'))} bytes"
    yield ""
    yield from map(_note_line, note.splitlines())
    yield ""
    yield f"vectors/tlog-proof_of_8.vector, {len(proof.encode('utf-8'))} bytes"
    yield ""
    yield from map(_note_line, proof.splitlines())


def _note_line(line: str) -> str:
    """A line as it is; of a signature only how it begins."""
    return re.sub(r"^(— \S+ \S{16})\S+$", r"\1…", line)


def example_mail() -> Iterator[str]:
    """A report, whole but for the lines of base64 between the first and the last of each part."""
    letter = Letter(
        sender="registry@mfa.by.example",
        to=["registry@mfa.kz.example"],
        message_id="<2f1e@mfa.by.example>",
        in_reply_to="<7c40@mfa.kz.example>",
        date=1772528400,
        boundary="=_6d2c1b0f4a5e",
    )
    raw = _vector("receipt_delivered")
    lines = b"".join(wrap([read_object(io.BytesIO(raw))], letter)).decode("ascii").splitlines()
    yield from [f"vectors/receipt_delivered.vector, {len(raw)} bytes", ""]
    full = [len(line) == 76 and " " not in line for line in lines]  # noqa: PLR2004 - a whole line of base64
    for index, line in enumerate(lines):
        if not (full[index] and full[index - 1]):
            yield line
        elif not full[index + 1]:
            yield "…"


EXAMPLES: Final = {
    "statement": example_statement,
    "credential": example_credential,
    "request": example_request,
    "revocation": example_revocation,
    "designation": example_designation,
    "agreement": example_agreement,
    "clearance": example_clearance,
    "envelope": example_envelope,
    "receipt": example_receipt,
    "transport": example_transport,
    "transcript": example_transcript,
    "backup": example_backup,
    "external-signer": example_external_signer,
    "log": example_log,
    "mail": example_mail,
}


def make_page(name: str) -> str:
    """A page of the specifications with its example made anew."""
    page = (SPECS / f"{name}.md").read_text(encoding="utf-8")
    block = "\n".join(line.rstrip() for line in EXAMPLES[name]())
    made, count = re.subn(
        rf"<!-- example: {name} -->\n```text\n.*?^```$",
        lambda _: f"<!-- example: {name} -->\n```text\n{block}\n```",
        page,
        flags=re.DOTALL | re.MULTILINE,
    )
    if count != 1:
        message = f"{name}.md has {count} places for its example"
        raise ValueError(message)
    return made


def main() -> None:
    """Write the pages whose example is not up to date."""
    for name in EXAMPLES:
        path, page = SPECS / f"{name}.md", make_page(name)
        if page != path.read_text(encoding="utf-8"):
            path.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
