"""The `valiza` command: its groups in the order of the work, and the one table from errors to exit codes."""

from __future__ import annotations

import os
import re
import signal
import sys
from importlib import import_module
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any, Final, NoReturn, TextIO

import click

from valiza.cli.terminal import complain, say, warn
from valiza.keys.errors import ValizaError, system_error
from valiza.keys.interruption import request
from valiza.keys.secrecy import guard_process

if TYPE_CHECKING:
    from collections.abc import Sequence

    from click.shell_completion import CompletionItem

__all__ = ["COMMANDS", "cli", "main", "run"]

FAULT: Final = 1
USAGE: Final = 2
UNAVAILABLE: Final = 7
INTERRUPTED: Final = 130
REQUESTS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # to end
COMPLETE: Final = "_VALIZA_COMPLETE"  # set by the script that `valiza completion` prints


# Commands in the order of the work, each with the module and name where it is, and its line in the help: so the help loads none of them.
COMMANDS: Final = {
    "demo": ("demo", "demo", "Both offices in one folder, a whole exchange, every step shown."),
    "custodian": ("custodian", "custodian", "Make a custodian's key; sign what others began."),
    "root": ("root", "root", "Show and compare roots and their fingerprints."),
    "office": ("office", "office", "Make and show an office."),
    "credential": ("credential", "credential", "Certify officers and bodies; show and verify credentials."),
    "revocation": ("revocation", "revocation", "Suspend, restore and retire credentials; tell of stolen keys."),
    "designation": ("designation", "designation", "Name competent and confirming bodies (A3)."),
    "roster": ("roster", "roster", "Publish, compare and import rosters."),
    "agreement": ("agreement", "agreement", "Sign, adopt, show and end agreements."),
    "clearance": ("clearance", "clearance", "Ask who is cleared, answer, verify confirmations."),
    "seal": ("sending", "seal", "Seal files into an envelope."),
    "withdraw": ("sending", "withdraw", "Record that an envelope was never sent."),
    "transport": ("transport", "transport", "Tell of transports, record hand-overs, see who had an envelope when (R13)."),
    "inspect": ("receiving", "inspect", "Say what any Valiza object says; nothing is believed."),
    "verify": ("receiving", "verify", "Verify an envelope; no decryption key needed."),
    "open": ("receiving", "open_", "Open an envelope into a new folder."),
    "rewrap": ("receiving", "rewrap", "Pass an unopened envelope on to another officer of this body."),
    "acknowledge": ("answering", "acknowledge", "Acknowledge an opened envelope."),
    "refuse": ("answering", "refuse", "Refuse an envelope, opened or not."),
    "countersign": ("answering", "countersign", "Countersign an acknowledgement or refusal: makes the receipt."),
    "receipt": ("answering", "receipt", "Show and verify receipts."),
    "mail": ("mail", "mail", "Put envelopes and receipts into messages, and take them out."),
    "register": ("registry", "register", "Look up, follow up, prove and keep what was sent and received."),
    "evidence": ("evidence", "evidence", "Make and verify bundles that prove what became of an envelope."),
    "gateway": ("serving", "gateway", "Check mail on its way, without any key: receipts, envelopes, rules."),
    "doctor": ("doctor", "doctor", "Say what is wrong with an office, and how to mend it."),
    "key": ("key", "key", "Show and check keys; change their passphrase; share a key out on paper, and get it back."),
    "ceremony": ("ceremony", "ceremony", "Plan, run and verify key ceremonies."),
    "config": ("config", "config", "Show the defaults of options, and where they come from."),
    "completion": ("completion", "completion", "Print what lets a shell complete commands and values."),
}
_NO_INTEGER: Final = re.compile(r"is not a valid integer( range)?$")
_NO_DEFAULTS: Final = {"completion", "config", "doctor"}  # config and doctor say themselves what is wrong with them


class LazyGroup(click.Group):
    """The commands of the table, each loaded when it is called."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Names in the order of the work; click would sort them."""
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command."""
        if cmd_name not in COMMANDS:
            return None
        module, name, _ = COMMANDS[cmd_name]
        command = getattr(import_module(f"valiza.cli.{module}"), name)
        return command if isinstance(command, click.Command) else None

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands in the help, from the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, _, line) in COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """Names of commands from the table, and the options of the program."""
        from click.shell_completion import CompletionItem

        if incomplete.startswith("-"):
            return click.Command.shell_complete(self, ctx, incomplete)
        return [CompletionItem(name, help=line) for name, (_, _, line) in COMMANDS.items() if name.startswith(incomplete)]


def _version(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        try:
            click.echo(f"valiza {version('valiza')}")
        except PackageNotFoundError:
            click.echo("valiza, not installed: its version is not known")
        context.exit()


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit status: 0 done and verified · 1 a fault of ours · 2 wrong usage · 3 malformed · 4 not authentic · 5 no key or wrong passphrase · "
    "6 authentic but refused · 7 disk, database, network · 8 incomplete: no final answer yet.",
)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version and exit.")
@click.pass_context
def cli(context: click.Context) -> None:
    """Seal files for a body of another party, and get a countersigned receipt.

    An office is a folder (--home DIR or VALIZA_HOME). Try the whole exchange first: valiza demo --dir DIR
    """
    if context.invoked_subcommand not in _NO_DEFAULTS and not {"-h", "--help"} & set(context.obj or ()):
        from valiza.cli.defaults import default_map, user_settings

        context.default_map = default_map(user_settings())


def run(arguments: Sequence[str]) -> int:  # noqa: PLR0911 - the table has one row for each kind of error
    """Run a command; returns its exit code, having told every error in one line."""
    try:
        outcome = cli.main(list(arguments), prog_name="valiza", standalone_mode=False, obj=tuple(arguments))
    except ValizaError as error:
        complain(error.message, error.hint)
        return error.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        say(error.format_message())
        return USAGE
    except click.ClickException as error:
        complain(_plainly(error.format_message()), f"valiza {_path(error)}--help")
        return USAGE
    except click.exceptions.Abort:
        complain("interrupted")
        return INTERRUPTED
    except (BrokenPipeError, SystemExit):  # click ends so, too, when nobody reads what it prints
        return UNAVAILABLE
    except OSError as error:
        complain(system_error(error))
        return UNAVAILABLE
    except Exception as error:
        complain(f"a fault of ours: {type(error).__name__}", "please report it, with the command that you typed")
        if os.environ.get("VALIZA_TRACEBACK"):
            raise
        return FAULT
    return outcome if isinstance(outcome, int) else 0


def _plainly(message: str) -> str:
    """A message of click's in our form: one line, lower case, no full stop."""
    line = " ".join(message.split()).removesuffix(".")
    line = _NO_INTEGER.sub("is not a whole number", line)
    return line[:1].lower() + line[1:]


def _path(error: click.ClickException) -> str:
    context: Any = getattr(error, "ctx", None)
    return f"{context.command_path.partition(' ')[2]} ".lstrip() if context is not None else ""


def main() -> NoReturn:
    """Run the command that was typed, and exit. A request to end is an interruption: what is half done is removed on the way out."""
    try:
        for number in REQUESTS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup means it
                signal.signal(number, request)
        if COMPLETE in os.environ:
            from valiza.cli.completion import complete

            complete(cli, COMPLETE)
            sys.exit(0)
        _escape_what_cannot_be_shown()
        _guard(sys.argv[1:])
        code = run(sys.argv[1:])
        for number in REQUESTS:  # too late
            signal.signal(number, signal.SIG_IGN)
    except KeyboardInterrupt:  # outside a command; within one click turns it into Abort
        complain("interrupted")
        code = INTERRUPTED
    if not _flushed():
        code = code or UNAVAILABLE
    sys.exit(code)


def _escape_what_cannot_be_shown() -> None:
    """Characters that the terminal's encoding has not, Kazakh ones in KOI8-R for example, are shown by their number: that stops no command."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _guard(arguments: Sequence[str]) -> None:
    """Let no core dump, debugger or swap have what is in memory, as far as that is granted. Nothing secret is in a command's help."""
    if {"-h", "--help", "--version"} & set(arguments):
        return
    if os.environ.get("VALIZA_DEBUG"):
        warn("VALIZA_DEBUG is set: debuggers and core dumps can have what is in memory, keys among it")
    else:
        guard_process()


def _flushed() -> bool:
    """Whether all results have gone out; if not, nothing more is tried, or the interpreter would complain with an exit code of its own."""
    results = _flush(sys.stdout, 1)
    _flush(sys.stderr, 2)
    return results


def _flush(stream: TextIO | None, descriptor: int) -> bool:
    try:
        if stream is not None:
            stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
        return False
    return True
