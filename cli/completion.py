"""Completion in bash, zsh and fish: what the shells run, and what they are told.

A shell asks while a person types. So nothing is written, no passphrase is asked for, and whatever goes wrong is silent.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any, ClassVar, Final

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
    get_completion_class,
    split_arg_string,
)

from valiza.cli.options import command_epilog

__all__ = ["complete", "completion"]

_MOST: Final = 2000  # candidates; nobody reads more

# --- the scripts ------------------------------------------------------------------------------------------------------------------------------------
# Each asks the program that is being typed, with nothing to read from and nowhere to complain to. %(…)s is filled in by click.

_BASH: Final = """\
%(complete_func)s() {
    local line value program=$1
    COMPREPLY=()
    [[ $program == '~/'* ]] && program=$HOME/${program#'~/'}
    while IFS= read -r line; do
        value=${line#*,}
        case ${line%%%%,*} in
            file) COMPREPLY+=("$value"); compopt -o filenames ;;
            plain) printf -v value '%%q' "$value"; COMPREPLY+=("$value") ;;
        esac
    done < <(IFS=$'\\n'; env COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD %(complete_var)s=bash_complete "$program" </dev/null 2>/dev/null)
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""

_ZSH: Final = """\
#compdef %(prog_name)s

%(complete_func)s() {
    local kind value help
    local -a words_only described lines
    lines=("${(@f)$(COMP_WORDS="${(pj:\\n:)words}" COMP_CWORD=$((CURRENT-1)) %(complete_var)s=zsh_complete ${~words[1]} </dev/null 2>/dev/null)}")
    [[ ${words[CURRENT]} == --*=* ]] && compset -P 1 '*='
    for kind value help in $lines; do
        case $kind in
            file) _files -g "$value" ;;
            anyfile) _files ;;
            dir) _files -/ ;;
            plain) if [[ $help == _ ]]; then words_only+=("$value"); else described+=("$value:$help"); fi ;;
        esac
    done
    (( $#described )) && _describe -V valiza described
    (( $#words_only )) && compadd -V valiza -a words_only
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    %(complete_func)s "$@"
else
    compdef %(complete_func)s %(prog_name)s
fi
"""

_FISH: Final = """\
function %(complete_func)s
    set -l words (commandline -opc)
    set -l program (string replace -r '^~/' "$HOME/" -- $words[1])
    set -l typed (string join \\n -- $words | string collect)
    for line in (COMP_WORDS=$typed COMP_CWORD=(commandline -ct | string collect) %(complete_var)s=fish_complete $program </dev/null 2>/dev/null)
        string split -m 1 -f 2 , -- $line
    end
end

complete --no-files --keep-order --command %(prog_name)s --arguments "(%(complete_func)s)"
"""


def _listed(item: CompletionItem[str]) -> list[CompletionItem[str]]:
    """The files and folders that go on from what was typed, those whose suffix fits; for shells that cannot pick them themselves."""
    typed = str(item.value)
    folder, slash, begun = typed.rpartition("/")
    where = Path(os.path.expandvars(os.path.expanduser(folder + slash)) or ".")  # noqa: PTH111 - as the shell does it
    found = []
    for path in sorted(where.iterdir()):
        if not path.name.startswith(begun) or (path.name.startswith(".") and not begun) or not path.name.isprintable():
            continue
        is_folder = path.is_dir()
        if is_folder or (item.type == "file" and (not item.suffixes or path.name.endswith(item.suffixes))):
            found.append(CompletionItem(f"{folder}{slash}{path.name}{'/' if is_folder else ''}", type="file"))
    return found[:_MOST]


class _Complete(ShellComplete):
    """What the three have in common."""

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem[str]]:
        found = super().get_completions(args, incomplete)
        return [one for item in found for one in (_listed(item) if item.type in {"file", "dir"} else [item])][:_MOST]


def _joined(words: list[str]) -> list[str]:
    """Bash gives `--to=BODY` as three words."""
    return [word for index, word in enumerate(words) if not (word == "=" and index and words[index - 1].startswith("--"))]


@add_completion_class
class _Bash(_Complete, BashComplete):
    source_template: ClassVar[str] = _BASH

    def source(self) -> str:
        return ShellComplete.source(self)  # without a look for bash: the script may be for another machine

    def get_completion_args(self) -> tuple[list[str], str]:
        args, incomplete = BashComplete.get_completion_args(self)
        return _joined(args), incomplete


@add_completion_class
class _Zsh(ZshComplete):
    source_template: ClassVar[str] = _ZSH

    def format_completion(self, item: CompletionItem[str]) -> str:
        if item.type in {"file", "dir"}:
            if item.type == "dir" or not item.suffixes:
                return f"{'anyfile' if item.type == 'file' else 'dir'}\n-\n_"
            one = len(item.suffixes) == 1  # in parentheses it would be a qualifier of zsh's
            return f"file\n*{item.suffixes[0] if one else '(' + '|'.join(item.suffixes) + ')'}\n_"
        return super().format_completion(item)


@add_completion_class
class _Fish(_Complete, FishComplete):
    source_template: ClassVar[str] = _FISH

    def get_completion_args(self) -> tuple[list[str], str]:
        typed = os.environ["COMP_CWORD"]
        return os.environ["COMP_WORDS"].split("\n")[1:], split_arg_string(typed)[0] if typed.strip("'\"") else ""

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem[str]]:
        found = super().get_completions(args, incomplete)
        if not (incomplete.startswith("-") and "=" in incomplete):
            return found
        option = incomplete.partition("=")[0]  # fish replaces the whole word
        return [CompletionItem(f"{option}={item.value}", type=item.type, help=item.help) for item in found]


@click.command(
    epilog=command_epilog(
        "valiza completion bash > ~/.local/share/bash-completion/completions/valiza",
        "valiza completion zsh > ~/.zfunc/_valiza   # where fpath has ~/.zfunc, before compinit",
        "valiza completion fish > ~/.config/fish/completions/valiza.fish",
    )
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]), metavar="SHELL")
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script by which SHELL (bash, zsh or fish) completes commands, options, files and what the office knows.

    It looks at the office's folder and never writes there.
    """
    made = get_completion_class(shell)
    root = context.find_root()
    if made is not None:
        click.echo(made(root.command, {}, "valiza", "_VALIZA_COMPLETE").source(), nl=False)


def complete(cli: click.Command, variable: str) -> None:
    """Answer a shell. Nothing that goes wrong is told: it would stand in the person's prompt."""
    from click.shell_completion import shell_complete

    from valiza.cli.defaults import default_map, user_settings

    with contextlib.suppress(BaseException), open(os.devnull, "w", encoding="utf-8") as nowhere, contextlib.redirect_stderr(nowhere):  # noqa: PTH123
        defaults: dict[str, Any] = {}
        with contextlib.suppress(Exception):
            defaults["default_map"] = default_map(user_settings())
        shell_complete(cli, defaults, "valiza", variable, os.environ.pop(variable))
