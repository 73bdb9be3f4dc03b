"""Commands for mail: wrap objects into a message, and take them out of one."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from valiza.cli.options import FILE, FOLDER, OBJECT, OrderedGroup, Text, as_json, command_epilog, now, output, require_output
from valiza.cli.render import emit

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["mail"]


@click.group(cls=OrderedGroup, short_help="Put envelopes and receipts into messages, and take them out.")
def mail() -> None:
    """Put envelopes and receipts into mail messages, and take them out. Nothing is sent, and nothing is believed: verify what was taken out."""


def _checked(check: Callable[[str], object]) -> Callable[[click.Context, click.Parameter, str | tuple[str, ...] | None], object]:
    """A callback that lets each value of an option through that `check` takes."""

    def callback(_context: click.Context, _parameter: click.Parameter, value: str | tuple[str, ...] | None) -> object:
        for text in (value,) if isinstance(value, str) else value or ():
            check(text)
        return value

    return callback


def _mailbox(text: str) -> None:
    from valiza.gateway.wrapping import mailbox

    mailbox(text)


def _message_id(text: str) -> None:
    from valiza.gateway.wrapping import require_message_id

    require_message_id(text)


@mail.command(short_help="Make a message that carries envelopes, or a receipt.")
@click.argument("files", type=OBJECT, nargs=-1, required=True, metavar="FILE...")
@click.option("--from", "sender", required=True, type=Text(), callback=_checked(_mailbox), metavar="ADDRESS", help="Who sends it.")
@click.option("--to", required=True, multiple=True, type=Text(), callback=_checked(_mailbox), metavar="ADDRESS", help="Who gets it. Repeatable.")
@click.option("--cc", multiple=True, type=Text(), callback=_checked(_mailbox), metavar="ADDRESS", help="Who gets a copy. Repeatable.")
@click.option(
    "--subject", type=Text(200), metavar="TEXT", help="The subject; everybody on the way reads it. By default what it is and the envelope id."
)
@click.option(
    "--lang",
    "languages",
    type=click.Choice(("kk", "ru", "be", "en")),
    multiple=True,
    help="The language of the words for people, repeatable; by default those that both parties read.",
)
@click.option("--message-id", type=Text(), callback=_checked(_message_id), metavar="ID", help="The message's own id; by default a random one.")
@click.option("--in-reply-to", type=Text(), callback=_checked(_message_id), metavar="ID", help="The id of the message that this one answers.")
@output("The message, ready to be sent")
@as_json
def wrap(
    files: tuple[Path, ...],
    sender: str,
    to: tuple[str, ...],
    cc: tuple[str, ...],
    subject: str | None,
    languages: tuple[str, ...],
    message_id: str | None,
    in_reply_to: str | None,
    output: Path,
    json_: bool,
) -> None:
    """Make a message with the envelopes, statements and evidence bundles of the files attached; one receipt alone becomes a report.

    Marks, names of files and contents are nowhere in it. Nothing is verified. Send it with any mail program: sendmail -t < OUT
    """
    import secrets

    from valiza.cli.batch import require_one_input
    from valiza.gateway.wrapping import Letter, mailbox, read_object
    from valiza.gateway.wrapping import wrap as pieces
    from valiza.keys.files import about
    from valiza.office.exporting import write_pieces
    from valiza.office.reader import envelope_file

    require_one_input(*files)
    require_output(output)
    letter = Letter(
        sender=sender,
        to=to,
        cc=cc,
        subject=subject or "",
        message_id=message_id or f"<{secrets.token_hex(16)}@{mailbox(sender).domain}>",
        in_reply_to=in_reply_to or "",
        date=now(),
        boundary=f"=_{secrets.token_hex(16)}",
        languages=languages,
    )
    with ExitStack() as stack:
        objects = []
        for file in files:
            source = stack.enter_context(envelope_file(file))
            with about(file):
                objects.append(read_object(source))
        size = write_pieces(output, pieces(objects, letter))
        facts = {
            "message": str(output),
            "message_id": letter.message_id,
            "bytes": size,
            "report": len(objects) == 1 and objects[0].receipt is not None,
            "objects": [
                {
                    "file": str(file),
                    "kind": one.kind.value,
                    "type": one.type or None,
                    "envelope_id": None if one.core is None else one.core.envelope_id.hex(),
                    "name": one.name,
                }
                for file, one in zip(files, objects, strict=True)
            ],
        }
    emit(facts, json_=json_, people={"message": str(output), "message id": letter.message_id, "bytes": size}, output=output)


wrap.epilog = command_epilog(
    "valiza mail wrap report.vlz --from registry@mfa.kz.example --to registry@mfa.by.example -o report.eml",
    "valiza mail wrap receipt.vls --from registry@mfa.by.example --to registry@mfa.kz.example --lang kk --lang ru -o receipt.eml",
)


@mail.command(short_help="Take the Valiza objects out of a message.")
@click.argument("message", type=FILE)
@click.option("-o", "--output", "output", type=FOLDER, required=True, metavar="DIR", help="The objects' folder; it must not exist.")
@as_json
def unwrap(message: Path, output: Path, json_: bool) -> None:
    """Write every envelope, statement and evidence bundle in a message to a new folder, under names of our own. Nothing of it is believed.

    What the content is decides, not its name or media type. A message in which mail programs could see different objects is malformed.
    """
    from valiza.cli.options import clear_up
    from valiza.gateway.unwrapping import message_file
    from valiza.gateway.unwrapping import unwrap as taken_out
    from valiza.keys.files import about, require_new

    clear_up(output.parent)
    require_new(output)
    with about(message), message_file(message) as source:
        taken, found = taken_out(source, output)
    facts = {
        "believed": False,
        "folder": str(output),
        "from": taken.sender or None,
        "message_id": taken.message_id or None,
        "objects": [
            {
                "file": one.file,
                "kind": one.kind.value,
                "type": one.type or None,
                "bytes": one.size,
                "part": one.part,
                "media_type": one.media_type,
                "name": one.filename or None,
            }
            for one in found
        ],
    }
    emit(facts, json_=json_, people={"from (not verified)": taken.sender, "folder": str(output), "objects": [one.file for one in found]})


unwrap.epilog = command_epilog("valiza mail unwrap receipt.eml -o taken", "valiza mail unwrap - -o taken --json")
