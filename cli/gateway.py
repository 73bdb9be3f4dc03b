"""`valiza gateway`: what passes through a mail server, checked without any key."""

from __future__ import annotations

import stat
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from valiza.cli.batch import Result, each_line_option, failed, report, require_files, require_one_input
from valiza.cli.options import OBJECT, PAPER, OrderedGroup, as_json, command_epilog, home_option, now, open_office
from valiza.cli.render import emit
from valiza.cli.terminal import complain, print_result
from valiza.keys.errors import Refused, Usage, ValizaError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from valiza.gateway.checking import Checker
    from valiza.gateway.decision import Decision
    from valiza.gateway.message import Message
    from valiza.gateway.rules import Rules
    from valiza.office.home import Office

GROUP: Final = 64  # messages whose entries are made together

# What a mail system understands of an exit code (sysexits.h).
EX_USAGE, EX_DATAERR, EX_TEMPFAIL, EX_NOPERM, EX_CONFIG = 64, 65, 75, 77, 78


@click.group(cls=OrderedGroup)
def gateway() -> None:
    """Mail on its way: every envelope and receipt in it is verified, entered and judged by rules. No decryption key is needed, or opened."""


class _MailCommand(click.Command):
    """A command that a mail system calls, which with `--sysexits` is told of wrong usage in its own way."""

    def make_context(self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any) -> click.Context:  # noqa: ANN401
        """The context, or the end of the program."""
        asked = "--sysexits" in args
        try:
            return super().make_context(info_name, args, parent, **extra)
        except click.UsageError as error:
            if not asked:
                raise
            message = " ".join(error.format_message().split()).removesuffix(".")
            complain(message[:1].lower() + message[1:], "valiza gateway check --help")
            raise click.exceptions.Exit(EX_USAGE) from error
        except ValizaError as error:  # defaults in a file that cannot be
            if not asked:
                raise
            complain(error.message, error.hint)
            raise click.exceptions.Exit(EX_CONFIG) from error


_sender_option = click.option("--sender", metavar="ADDRESS", help="Who sent it, as the mail server was told (MAIL FROM); without it the one in From.")


@gateway.command(
    "check",
    cls=_MailCommand,
    short_help="Check messages or objects, and enter what passes.",
    epilog=command_epilog(
        "valiza gateway check message.eml --home kz --rules rules.toml",
        "valiza gateway check - --sysexits --sender post@mfa.gov.by --home kz",
        "valiza gateway check incoming/* --json --dry-run --home kz",
    ),
)
@click.argument("messages", nargs=-1, required=True, type=OBJECT, metavar="FILE…")
@click.option("--rules", "rules_file", type=PAPER, metavar="FILE", help="The gateway's rules (valiza gateway rules show).")
@_sender_option
@click.option(
    "--sysexits", is_flag=True, help="End as mail systems expect it (sysexits.h): 0 accept, 65 and 77 reject, 75 try again, 64 usage, 78 rules."
)
@click.option("--dry-run", is_flag=True, help="Say what would become of it, and enter nothing.")
@each_line_option
@home_option
@as_json
def check(
    messages: tuple[Path, ...],
    rules_file: Path | None,
    sender: str | None,
    sysexits: bool,
    dry_run: bool,
    each: bool,
    home: Path | None,
    json_: bool,
) -> int:
    """Check mail messages, or objects by themselves (.vlz, .vls); - is standard input. What passes is entered in the office's register.

    Several are checked together, and entered in one transaction.
    """

    def work() -> int:
        from valiza.gateway.rules import Rules, read_rules

        rules = Rules() if rules_file is None else read_rules(rules_file)
        return _check(
            messages, open_office(home), rules, sender=sender, enters=not dry_run, code=_sysexit if sysexits else _exit_code, each=each, json_=json_
        )

    return _for_mail_systems(work) if sysexits else work()


def _for_mail_systems(work: Callable[[], int]) -> int:
    """The exit code of some work as mail systems know it. Whatever goes wrong on this side is tried again later: no mail is lost by it."""
    from valiza.gateway.rules import BadRules

    try:
        code = work()
    except ValizaError as error:
        complain(error.message, error.hint)
        if isinstance(error, BadRules):
            return EX_CONFIG
        return EX_USAGE if isinstance(error, Usage) else EX_TEMPFAIL
    except Exception as error:  # noqa: BLE001 - a traceback could show what is in a message
        complain(f"a fault of ours: {type(error).__name__}", "please report it, with the command that you typed")
        return EX_TEMPFAIL
    return code


def _exit_code(decision: Decision) -> int:
    """That of the first object that has one."""
    return next((finding.exit_code for finding in decision.findings if finding.exit_code), 0)


def _sysexit(decision: Decision) -> int:
    """What a mail system is to do. It cannot hold a message for people, so what is to be held stays in its queue."""
    from valiza.gateway.decision import Action, GatewayVerdict

    if decision.action is Action.ACCEPT:
        return 0
    if decision.action is Action.REJECT:
        malformed = any(finding.verdict == GatewayVerdict.MALFORMED for finding in decision.findings)
        return EX_DATAERR if malformed else EX_NOPERM
    return EX_TEMPFAIL


def _check(
    messages: Sequence[Path],
    office: Office,
    rules: Rules,
    *,
    sender: str | None,
    enters: bool,
    code: Callable[[Decision], int],
    each: bool,
    json_: bool,
) -> int:
    """Check files and print what became of each; returns the exit code."""
    from valiza.gateway.checking import Checker

    many = each or len(messages) > 1
    require_one_input(*messages)
    require_files(many, *messages)
    checker = Checker(office, rules, clock=now, enters=enters)
    return report(messages, partial(_check_group, checker, sender, code), many=many, json_=json_, what="messages", group=GROUP)


def _check_group(checker: Checker, sender: str | None, code: Callable[[Decision], int], paths: Sequence[Path]) -> list[Result]:
    with ExitStack() as stack:
        read: list[Message | Result] = []
        for path in paths:
            try:
                read.append(_message(path, sender, checker.rules.limits.message, stack))
            except ValizaError as error:
                told = failed(error)
                read.append(replace(told, exit_code=EX_TEMPFAIL) if code is _sysexit else told)
        decided = iter(checker.check([message for message in read if not isinstance(message, Result)]))
        return [found if isinstance(found, Result) else _result(next(decided), code) for found in read]


def _message(path: Path, sender: str | None, most: int, stack: ExitStack) -> Message:
    """A message, or an object by itself: what it begins with says which, and the ending of a name where that says nothing.

    Raises:
        Unavailable: it cannot be read.
    """
    from valiza.gateway.media import SNIFFED_BYTES, declared, sniff
    from valiza.gateway.message import Message
    from valiza.keys.files import storage_errors

    with storage_errors(path):
        raw = path if str(path) != "-" and stat.S_ISREG(path.stat().st_mode) else _spooled(path, most, stack)
        with raw.open("rb") as file:
            start = file.read(SNIFFED_BYTES)
    return Message(raw=raw, sender=sender, bare=sniff(start) is not None or declared("", [path.name]))


def _spooled(path: Path, most: int, stack: ExitStack) -> Path:
    """Standard input or a pipe as a file without a name, as long as it is needed; of one that is too long no more than shows that it is."""
    from valiza.envelope.payload import write_all
    from valiza.office.reader import standard_input

    source = standard_input() if str(path) == "-" else stack.enter_context(path.open("rb"))
    file = stack.enter_context(tempfile.TemporaryFile(buffering=0))  # noqa: SIM115 - it is a context
    left = most + 1
    while left and (data := source.read(min(left, 1 << 20))):
        write_all(file, memoryview(data))
        left -= len(data)
    return Path(f"/dev/fd/{file.fileno()}")


def _result(decision: Decision, code: Callable[[Decision], int]) -> Result:
    from valiza.gateway.deciding import facts_of

    wrong = next((finding for finding in decision.findings if finding.exit_code), None)
    verdicts = ", ".join(dict.fromkeys(str(finding.verdict) for finding in decision.findings))
    error = ""
    if wrong is not None:
        where = f"part {wrong.part}: " if wrong.part else ""
        error = f"{wrong.verdict}: {where}{wrong.reason or 'see the verdict'}"
    facts = facts_of(decision)
    return Result(facts=facts, line=f"{decision.action}: {verdicts}", exit_code=code(decision), error=error)


# -- rules ----------------------------------------------------------------------------------------------------------------


@gateway.group(cls=OrderedGroup)
def rules() -> None:
    """What the administrator of a gateway decides: what may pass, and what becomes of the rest."""


@rules.command("show", short_help="Print the rules that hold where nothing is said.", epilog=command_epilog("valiza gateway rules show > rules.toml"))
def show() -> None:
    """Print the rules that hold where nothing is said, each with what it means: to begin a file with."""
    from valiza.gateway.rules import DEFAULT

    print_result(DEFAULT.removesuffix("\n"))


@rules.command(
    "check",
    short_help="Say whether a file of rules can be followed.",
    epilog=command_epilog("valiza gateway rules check rules.toml", "valiza gateway rules check rules.toml --home kz --json"),
)
@click.argument("file", type=PAPER)
@home_option
@as_json
def check_rules(file: Path, home: Path | None, json_: bool) -> int:
    """Say whether a file of rules can be followed, and with an office whether the parties, marks, channels and bodies that it names are known there.

    The exit status is 6 if one is not.
    """
    from valiza.gateway.fitting import misfits
    from valiza.gateway.rules import read_rules

    read = read_rules(file)
    problems = [] if home is None else list(misfits(read, open_office(home)))
    facts = {"rules": str(file), "mode": str(read.mode), "office": None if home is None else str(home), "problems": problems}
    emit(facts, json_=json_)
    if problems:
        complain(f"{str(file)!r}: {problems[0]}", "" if len(problems) == 1 else f"and {len(problems) - 1} more")
        return Refused.exit_code
    return 0


@rules.command(
    "try",
    short_help="Say what rules would do with messages; nothing is entered.",
    epilog=command_epilog("valiza gateway rules try rules.toml message.eml --sender post@mfa.gov.by --home kz"),
)
@click.argument("file", type=PAPER)
@click.argument("messages", nargs=-1, required=True, type=OBJECT, metavar="MESSAGE…")
@_sender_option
@each_line_option
@home_option
@as_json
def try_rules(file: Path, messages: tuple[Path, ...], sender: str | None, each: bool, home: Path | None, json_: bool) -> int:
    """Say what these rules would do with messages, or with objects by themselves. Nothing is entered, whatever they say."""
    from valiza.gateway.rules import read_rules

    return _check(messages, open_office(home), read_rules(file), sender=sender, enters=False, code=_exit_code, each=each, json_=json_)
