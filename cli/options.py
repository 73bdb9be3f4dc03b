"""Options that mean the same in every command, and the office or reader that they name."""

from __future__ import annotations

import os
import time
import unicodedata
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from valiza.cli.terminal import passphrase_source
from valiza.keys.errors import Malformed, Usage, ValizaError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from click.shell_completion import CompletionItem

    from valiza.office.home import Office
    from valiza.office.reader import Reader

__all__ = [
    "ENVELOPE",
    "EVIDENCE",
    "FILE",
    "FOLDER",
    "INVENTORY",
    "OBJECT",
    "PAPER",
    "STATEMENT",
    "File",
    "NameOrFile",
    "OrderedGroup",
    "Text",
    "as_json",
    "as_officer",
    "clear_up",
    "command_epilog",
    "home_option",
    "now",
    "offer",
    "open_office",
    "open_reader",
    "output",
    "parse_time",
    "passphrase_fd",
    "require_output",
    "sandbox_option",
    "sandbox_wanted",
    "trust_options",
    "typed",
    "unlock_seconds_option",
    "yes_option",
]


class File(click.Path):
    """A path. An empty one is refused: as a path it would mean the current folder, which nobody means who gives a variable that is not set."""

    def __init__(self, *suffixes: str, folder: bool = False) -> None:
        super().__init__(path_type=Path, readable=False)  # what cannot be read is told by who reads it
        self.suffixes = suffixes  # of the files that a shell offers; none: any
        self.folder = folder  # whether a shell offers folders only

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ANN401 - click's signature
        """The path, or a usage error."""
        if not str(value) or value == b"":
            self.fail("it is empty: no file is named", param, ctx)
        return super().convert(value, param, ctx)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
        """Files that fit."""
        return self.offer(ctx, param, incomplete)

    def offer(self, _context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
        """The same, for an argument that can be a file or something else."""
        from click.shell_completion import CompletionItem

        return [CompletionItem(incomplete, type="dir" if self.folder else "file", suffixes=self.suffixes)]


FILE = File()
FOLDER = File(folder=True)
ENVELOPE = File(".vlz")
STATEMENT = File(".vls")
EVIDENCE = File(".vle")
OBJECT = File(".vlz", ".vls", ".vle")
PAPER = File(".toml")
INVENTORY = File(".toml", ".csv")


def offer(what: str) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem[str]]]:
    """What a shell offers for an option: a kind of value that valiza.cli.offers finds in the office."""

    def complete(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
        from valiza.cli.offers import values

        return values(what, context, incomplete)

    return complete


class OrderedGroup(click.Group):
    """A group whose help lists its commands in the order of the work; click would sort them."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Names as they were added."""
        return list(self.commands)


class Text(click.ParamType[str]):
    """Text that somebody typed: put into normalization form NFC, and refused where no statement could hold it."""

    name = "text"

    def __init__(self, most: int = 1000, *, empty: bool = False) -> None:
        self._most = most
        self._empty = empty

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:  # noqa: ANN401 - click's signature
        """The text, or a usage error."""
        text = unicodedata.normalize("NFC", str(value))
        if any(unicodedata.category(c) in {"Cs", "Cn"} for c in text):
            self.fail("it is not text in UTF-8", param, ctx)
        if text.isspace():
            self.fail("it is blank", param, ctx)
        if len(text) > self._most or (not text and not self._empty):
            self.fail(f"it has {len(text)} characters, and {0 if self._empty else 1} to {self._most} are allowed", param, ctx)
        return text


@contextmanager
def typed(option: str) -> Iterator[None]:
    """What is malformed inside was typed: wrong usage, not a bad object."""
    try:
        yield
    except Malformed as error:
        message = f"{option}: {error.message}"
        raise Usage(message, error.hint) from error


def now() -> int:
    """The present, in seconds since 1970."""
    return int(time.time())


def _of_the_office(context: click.Context, _parameter: click.Parameter, home: Path | None) -> Path | None:
    """Now that the office is known, its own defaults count before the user's."""
    from valiza.cli.defaults import office_defaults

    if home is not None:
        with typed_by_the_shell(context):
            context.default_map = office_defaults(home, context)
    return home


def typed_by_the_shell(context: click.Context) -> AbstractContextManager[None]:
    """While a shell asks what could be typed, nothing is an error."""
    return suppress(ValizaError) if context.resilient_parsing else nullcontext()


home_option = click.option(
    "--home",
    type=FOLDER,
    envvar="VALIZA_HOME",
    metavar="DIR",
    is_eager=True,  # its defaults are needed by the other options
    callback=_of_the_office,
    help="The office's folder (or VALIZA_HOME).",
)
as_officer = click.option(
    "--as", "officer", envvar="VALIZA_AS", metavar="NAME", shell_complete=offer("officers"), help="The officer who acts (or VALIZA_AS)."
)
as_json = click.option("--json", "json_", is_flag=True, help="Print the result as one JSON object.")
passphrase_fd = click.option(
    "--passphrase-fd",
    type=click.IntRange(0, 2**31 - 1),
    metavar="N",
    help="Read the passphrase of the keys from file descriptor N (or VALIZA_PASSPHRASE, or a prompt).",
)
unlock_seconds_option = click.option(
    "--unlock-seconds",
    type=click.FloatRange(0, 60),
    envvar="VALIZA_UNLOCK_SECONDS",
    default=0.5,
    show_default=True,
    metavar="S",
    help="How long unlocking one of these keys is to take here, within bounds; 0 for the least that is allowed (or VALIZA_UNLOCK_SECONDS).",
)
_SANDBOX: Final = {"": None, "0": None, "1": "wanted", "require": "required"}


def sandbox_option(command: Any) -> Any:  # noqa: ANN401 - a decorator of click's
    """`--sandbox` and `--require-sandbox`; see `sandbox_wanted`."""
    for option in (
        click.option(
            "--require-sandbox",
            "sandbox",
            flag_value="required",
            help="The same, and refuse where one of them is not here (or VALIZA_SANDBOX=require).",
        ),
        click.option(
            "--sandbox",
            "sandbox",
            flag_value="wanted",
            help="Confine the process before it reads what was sent, with Landlock and seccomp as far as they are here (or VALIZA_SANDBOX=1).",
        ),
    ):
        command = option(command)
    return command


def sandbox_wanted(given: str | None) -> str | None:
    """What was asked for, on the command line or by VALIZA_SANDBOX: None, "wanted" or "required".

    Raises:
        Usage: VALIZA_SANDBOX is none of 0, 1 and require.
    """
    if given is not None:
        return given
    written = os.environ.get("VALIZA_SANDBOX", "")
    if written not in _SANDBOX:
        message = f"VALIZA_SANDBOX is {written!r}"
        raise Usage(message, "set it to 1, to require, or not at all")
    return _SANDBOX[written]


def yes_option(what: str) -> Callable[[Any], Any]:
    """`--yes`: a script answers beforehand."""
    return click.option("--yes", is_flag=True, help=what)


def output(what: str) -> Callable[[Any], Any]:
    """`-o PATH`, required."""
    return click.option("-o", "--output", "output", type=FILE, required=True, metavar="PATH", help=f"{what}; it must not exist.")


def trust_options(command: Any) -> Any:  # noqa: ANN401 - a decorator of click's
    """Root, roster and agreement for a reader without an office."""
    for option in (
        click.option(
            "--agreement", "agreements", type=STATEMENT, multiple=True, metavar="FILE", help="A signed agreement, or a termination. Repeatable."
        ),
        click.option("--roster", "rosters", type=STATEMENT, multiple=True, metavar="FILE", help="A party's roster. Repeatable."),
        click.option(
            "--root",
            "roots",
            multiple=True,
            metavar="FINGERPRINT",
            help="Fingerprint of a party's root, compared by you, as digits or words. Repeatable.",
        ),
    ):
        command = option(command)
    return command


def open_office(home: Path | None, passphrase: Callable[[], str] | None = None) -> Office:
    """The office named by --home or VALIZA_HOME; what killed commands left in it is removed, and told.

    Raises:
        Usage: none was named, or there is none.
    """
    from valiza.cli.terminal import counting, safe, say
    from valiza.office.home import Office

    if home is None:
        message = "no office was named"
        raise Usage(message, "give --home DIR, or set VALIZA_HOME; make one with: valiza office init")
    office = Office(
        home,
        passphrase or passphrase_source(None),
        clock=now,
        tell=lambda what: say(f"valiza: {safe(what)}"),
        counting=lambda total: counting("checking credentials", total),
    )
    context = click.get_current_context(silent=True)
    if context is not None:
        context.call_on_close(office.close)
    for left in office.sweep():
        say(f"valiza: removed what an interrupted command left: {safe(left)}")
    return office


def open_reader(
    home: Path | None, roots: tuple[str, ...], rosters: tuple[Path, ...], agreements: tuple[Path, ...], *, needs_agreement: bool = True
) -> Reader:
    """An office's reader, or a stranger's when roots, rosters or agreements are given.

    Raises:
        Usage: both, or neither.
    """
    from valiza.keys.fingerprint import parse_fingerprint
    from valiza.office.reader import office_reader, stranger

    if roots or rosters or agreements:  # what is given on the command line is meant; an office by default may be for other work
        if home is not None and _on_the_command_line("home"):
            message = "either an office verifies, or you with roots, rosters and agreements"
            raise Usage(message, "leave out --home, or leave out --root, --roster and --agreement")
        with typed("--root"):
            fingerprints = [parse_fingerprint(root) for root in roots]
        return stranger(fingerprints, rosters, agreements, needs_agreement=needs_agreement)
    if home is None:
        return stranger([], [], [], needs_agreement=needs_agreement)
    return office_reader(open_office(home))


class NameOrFile(click.ParamType[str]):
    """A name, or a file in its place. Nothing at all is neither."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:  # noqa: ANN401 - click's signature
        """The text, or a usage error."""
        if not value:
            self.fail("it is empty: neither a name nor a file", param, ctx)
        return str(value)


def _on_the_command_line(name: str) -> bool:
    return click.get_current_context().get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE


def require_output(path: Path) -> None:
    """Raise unless the output can be made, before any work is begun; `-` is standard output. What killed commands left beside it is removed first.

    Raises:
        Refused: it exists. Unavailable: its folder does not, or standard output is closed. Usage: standard output is a terminal.
    """
    from valiza.keys.files import require_new
    from valiza.office.reader import standard_output

    if str(path) == "-":
        standard_output()
    else:
        clear_up(path.parent)
        require_new(path)


def clear_up(folder: Path) -> None:
    """Remove what killed commands left in a folder that something is to be written to, and tell it."""
    from valiza.cli.terminal import safe, say
    from valiza.keys.files import storage_errors, sweep

    with storage_errors(folder):
        removed = sweep(folder)
    for left in removed:
        say(f"valiza: removed what an interrupted command left: {safe(left)}")


def parse_time(value: str) -> int:
    """A time written 2026-01-01T00:00:00Z, in seconds since 1970.

    Raises:
        Usage: it is written otherwise.
    """
    from datetime import UTC, datetime

    from valiza.keys.fields import MAX_TIME

    try:
        parsed = datetime.fromisoformat(value)
        seconds = int((parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError) as error:
        message = f"{value!r} is not a time"
        raise Usage(message, "write it like 2026-01-01T00:00:00Z") from error
    if not 0 <= seconds <= MAX_TIME:
        message = f"{value!r} is before 1970 or after 9999"
        raise Usage(message)
    return seconds


def command_epilog(*examples: str) -> str:
    """Examples at the end of a command's help, each on its own line."""
    return "\b\nExamples:\n" + "\n".join(f"  {example}" for example in examples)
