"""Makes the man pages from the program's own help.

    python docs/make_man.py

docs/valiza.1.md gets its list of commands; what stands there outside the two markers is written by hand. docs/man/valiza.1 is that page in roff, with
an overview in place of the list, and docs/man/valiza-COMMAND.1 is one page for each command, a group with all that it has. The bridge to PKCS#11, a
program of its own, has a page too.
"""  # noqa: INP001 - a script, run by path

from __future__ import annotations

import re
import textwrap
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from valiza.cli.main import COMMANDS, cli
from valiza.cli.pkcs11 import main as pkcs11_signer

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS: Final = Path(__file__).resolve().parent
MARKDOWN: Final = DOCS / "valiza.1.md"
MAN: Final = DOCS / "man"
SIGNER: Final = "valiza-pkcs11-signer"
_BEGIN: Final = "<!-- commands: made by make_man.py -->"
_END: Final = "<!-- end of commands -->"


def leaves(command: click.Command = cli, path: tuple[str, ...] = ("valiza",)) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command that is no group, in the order of the help, with the words that call it."""
    if not isinstance(command, click.Group):
        yield path, command
        return
    context = _context(command)
    for name in command.list_commands(context):
        child = command.get_command(context, name)
        if child is not None:
            yield from leaves(child, (*path, name))


def _context(command: click.Command, name: str | None = None) -> click.Context:
    """As the program itself calls a command: click remembers in a command which options call its help."""
    return click.Context(command, info_name=name, **cli.context_settings)


# --- from click to Markdown -------------------------------------------------------------------------------------------------------------------------


def _commands() -> str:
    return "\n".join(line for path, command in leaves() for line in _command(path, command))


def _overview() -> str:
    """The commands in a line each, with the page that tells more."""
    return "\n".join(f"- `valiza-{name}`(1): {line}" for name, (_, _, line) in COMMANDS.items())


def make_command_page(name: str) -> str:
    """The man page of a command or group, in the Markdown of the overview."""
    found = [(path, command) for path, command in leaves() if path[1] == name]
    top = cli.get_command(_context(cli), name)
    if top is None:
        raise KeyError(name)
    lines = [f"# valiza-{name}(1)", "## Name", f"valiza-{name} - {COMMANDS[name][2].removesuffix('.').lower()}", "## Synopsis"]
    for path, command in found:
        lines += [f"`{' '.join([*path, *command.collect_usage_pieces(_context(command))])}`", ""]
    if isinstance(top, click.Group):
        lines += ["## Description", _paragraphs(top.help or ""), "## Commands"]
        lines += [line for path, command in found for line in _command(path, command)]
    else:
        described = list(_command(*found[0]))[2:]
        options = next((index for index, line in enumerate(described) if line.startswith("- ")), len(described))
        examples = next((index for index, line in enumerate(described) if line.startswith("```")), len(described))
        lines += ["## Description", *described[:options], "## Options", *described[options:examples]]
        lines += ["## Examples", *described[examples:]] if described[examples:] else []
    lines += [
        "## Exit status",
        "0 when everything that was asked for is done and verified. The other codes stand in valiza(1), with files and environment.",
    ]
    lines += ["## See also", ", ".join(["`valiza`(1)", *(f"`valiza-{other}`(1)" for other in COMMANDS if other != name)])]
    return "\n".join(lines) + "\n"


def make_signer_page() -> str:
    """The man page of the bridge to PKCS#11."""
    described = list(_command((SIGNER,), pkcs11_signer))[2:]
    options = next(index for index, line in enumerate(described) if line.startswith("- "))
    lines = [f"# {SIGNER}(1)", "## Name", f"{SIGNER} - keep half of a signing key of Valiza in an HSM or a smart card", "## Synopsis"]
    lines += [f"`{' '.join([SIGNER, *pkcs11_signer.collect_usage_pieces(_context(pkcs11_signer))])}`"]
    lines += ["## Description", *described[:options], "## Options", *described[options:]]
    lines += [
        "## Environment",
        "- `VALIZA_PKCS11_MODULE`: the module, where `--module` is not given",
        "- `VALIZA_PKCS11_PIN`: the PIN, where `--pin-fd` is not given; without either it is asked for on the terminal",
        "## Exit status",
        "0 when its input ended, 1 when it got what is no question. What goes wrong with a key is a reply, and no exit status.",
        "## See also",
        "`valiza`(1), `valiza-key`(1), `valiza-credential`(1)",
    ]
    return "\n".join(lines) + "\n"


def _command(path: tuple[str, ...], command: click.Command) -> Iterator[str]:
    context = _context(command, " ".join(path))
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
    """A page as roff: headings, paragraphs, lists of terms, code. It knows no more Markdown than the pages have."""
    project = tomllib.loads((DOCS.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    name = page.partition("(1)")[0].removeprefix("# ")
    date = re.search(r"<!-- date: ([0-9-]+)", MARKDOWN.read_text(encoding="utf-8"))
    lines = [f'.TH {name.upper()} 1 "{date[1] if date else ""}" "valiza {project["version"]}"', ".nh", ".ad l"]
    code = False
    page = re.sub(f"{_BEGIN}.*?{_END}", lambda _: _overview(), page, flags=re.DOTALL)
    for line in re.sub(r"<!--.*?-->", "", page, flags=re.DOTALL).splitlines()[1:]:
        if line.startswith("```"):
            code = not code
            lines += [*_paragraph(lines), ".RS 4", ".nf"] if code else [".fi", ".RE"]
        elif code:
            lines.append(_escaped(line) or ".sp")
        elif line.startswith("## "):
            lines.append(f".SH {_escaped(line[3:].upper())}")
        elif line.startswith("### "):
            lines.append(f".SS {_inline(line[4:])}")
        elif line.startswith("- "):
            term, colon, text = line[2:].partition(": ")
            lines += [".TP", _inline(term), *_wrapped(text)] if colon else [".IP \\(bu 2", *_wrapped(term)]
        elif line.strip():
            lines += [*_paragraph(lines), *_wrapped(line)]
    return "\n".join(lines) + "\n"


def _paragraph(before: list[str]) -> list[str]:
    """What begins a paragraph: nothing, directly below a heading."""
    return [] if before[-1].startswith((".SH", ".SS")) else [".PP"]


def _wrapped(text: str) -> list[str]:
    """A paragraph in lines that are short, as roff's are."""
    return [_at_line_start(line) for line in textwrap.wrap(_inline(text), 78, break_long_words=False, break_on_hyphens=False)]


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
    """Text that roff shows as it stands. A hyphen is a minus, so that options can be copied; a list of words may break."""
    shown = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga").replace("|", "|\\:")
    shown = "".join(c if c.isascii() else f"\\[u{ord(c):04X}]" for c in shown)
    return _at_line_start(shown) if line else shown


def _at_line_start(text: str) -> str:
    return f"\\&{text}" if text.startswith((".", "'")) else text


def man_pages(overview: str) -> dict[str, str]:
    """Every man page in roff, by its file name; the overview from the Markdown page."""
    pages = {f"valiza-{name}.1": make_roff(make_command_page(name)) for name in COMMANDS}
    return {"valiza.1": make_roff(overview), **pages, f"{SIGNER}.1": make_roff(make_signer_page())}


def main() -> None:
    """Write all pages."""
    page = make_markdown(MARKDOWN.read_text(encoding="utf-8"))
    MARKDOWN.write_text(page, encoding="utf-8")
    pages = man_pages(page)
    MAN.mkdir(exist_ok=True)
    for old in MAN.glob("*.1"):
        if old.name not in pages:
            old.unlink()
    for name, text in pages.items():
        (MAN / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
