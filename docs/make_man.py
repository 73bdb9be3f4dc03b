"""Makes the man page: docs/valiza.1.md gets its list of commands from the program's own help, and docs/valiza.1 is the same page in roff.

    python docs/make_man.py

What stands in valiza.1.md outside the two markers is written by hand.
"""  # noqa: INP001 - a script, run by path

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from valiza.cli.main import cli

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS: Final = Path(__file__).resolve().parent
MARKDOWN: Final = DOCS / "valiza.1.md"
ROFF: Final = DOCS / "valiza.1"
_BEGIN: Final = "<!-- commands: made by make_man.py -->"
_END: Final = "<!-- end of commands -->"


def leaves(command: click.Command = cli, path: tuple[str, ...] = ("valiza",)) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command that is no group, in the order of the help, with the words that call it."""
    if not isinstance(command, click.Group):
        yield path, command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        child = command.get_command(context, name)
        if child is not None:
            yield from leaves(child, (*path, name))


# --- from click to Markdown -------------------------------------------------------------------------------------------------------------------------


def _commands() -> str:
    return "\n".join(line for path, command in leaves() for line in _command(path, command))


def _command(path: tuple[str, ...], command: click.Command) -> Iterator[str]:
    context = click.Context(command, info_name=" ".join(path))
    yield f"### `{' '.join([*path, *command.collect_usage_pieces(context)])}`"
    yield ""
    yield _paragraphs(command.help or "")
    yield ""
    for option in command.params:
        record = option.get_help_record(context) if isinstance(option, click.Option) else None
        if record is not None:
            yield f"- `{record[0]}`: {' '.join(record[1].split())}"
    yield ""
    examples = _examples(command.epilog or "")
    if examples:
        yield f"```console\n{examples}\n```"
        yield ""


def _paragraphs(text: str) -> str:
    """Paragraphs of a help text, each on one line."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


def _examples(epilog: str) -> str:
    """The examples of a command, with a prompt before each."""
    lines = [line.removeprefix("  ") for line in epilog.splitlines() if line.startswith("  ")]
    return "\n".join(line if line.startswith(" ") else f"$ {line}" for line in lines)


def make_markdown(page: str) -> str:
    """The page with its list of commands made anew."""
    before, begin, rest = page.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        message = f"{MARKDOWN.name} lacks the markers"
        raise ValueError(message)
    return f"{before}{begin}\n\n{_commands()}\n{end}{after}"


# --- from Markdown to roff --------------------------------------------------------------------------------------------------------------------------


def make_roff(page: str) -> str:
    """The page as roff: headings, paragraphs, lists of terms, code. It knows no more Markdown than the page has."""
    project = tomllib.loads((DOCS.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [f'.TH VALIZA 1 "" "valiza {project["version"]}"', ".nh", ".ad l"]
    code = False
    for line in re.sub(r"<!--.*?-->", "", page, flags=re.DOTALL).splitlines()[1:]:
        if line.startswith("```"):
            code = not code
            lines += [".PP", ".RS 4", ".nf"] if code else [".fi", ".RE"]
        elif code:
            lines.append(_escaped(line) or ".sp")
        elif line.startswith("## "):
            lines.append(f".SH {_escaped(line[3:].upper())}")
        elif line.startswith("### "):
            lines.append(f".SS {_inline(line[4:])}")
        elif line.startswith("- "):
            term, colon, text = line[2:].partition(": ")
            lines += [".TP", _inline(term), _inline(text)] if colon else [".IP \\(bu 2", _inline(term)]
        elif line.strip():
            lines += ([] if lines[-1].startswith((".SH", ".SS")) else [".PP"]) + [_inline(line)]
    return "\n".join(lines) + "\n"


def _inline(text: str) -> str:
    """A line with bold, code and emphasis; of a link only its text stays."""
    text = re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", text)
    parts = re.split(r"(`[^`]+`|\*\*[^*]+\*\*|\*[^*]+\*)", text)
    return _at_line_start("".join(_font(part) for part in parts))


def _font(part: str) -> str:
    for mark, font in (("`", "B"), ("**", "B"), ("*", "I")):
        if part.startswith(mark) and part.endswith(mark) and len(part) > 2 * len(mark):
            return f"\\f{font}{_escaped(part[len(mark) : -len(mark)], line=False)}\\fR"
    return _escaped(part, line=False)


def _escaped(text: str, *, line: bool = True) -> str:
    """Text that roff shows as it stands. A hyphen is a minus, so that options can be copied."""
    shown = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")
    shown = "".join(c if c.isascii() else f"\\[u{ord(c):04X}]" for c in shown)
    return _at_line_start(shown) if line else shown


def _at_line_start(text: str) -> str:
    return f"\\&{text}" if text.startswith((".", "'")) else text


def main() -> None:
    """Write both pages."""
    page = make_markdown(MARKDOWN.read_text(encoding="utf-8"))
    MARKDOWN.write_text(page, encoding="utf-8")
    ROFF.write_text(make_roff(page), encoding="utf-8")


if __name__ == "__main__":
    main()
