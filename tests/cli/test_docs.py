"""Every `$ valiza …` of the pages for users names a command and options that there are; tests/test_docs.py plays them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import pytest
from tests.support.cli import leaves, require_understood

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = ("README.md", "docs/tutorial.md", "docs/tutorial-quorum.md", "docs/hardware-keys.md", "docs/gateway.md")
ENDS: Final = {"|", ">", "2>", "3<<<", "&&", ";"}  # what ends the words of a command in a shell


def commands(page: str) -> Iterator[list[str]]:
    """The words of each command in the console blocks of a page, without `valiza`; commands in $(…) too."""
    text = (ROOT / page).read_text(encoding="utf-8")
    for block in re.findall(r"^```console\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        typed = re.findall(r"^\$ (.*)$", block.replace("\\\n", " "), re.MULTILINE)
        for line in [part for whole in typed for part in (whole, *re.findall(r"\$\((.*?)\)", whole))]:
            words = shlex.split(line)
            if words[:1] == ["valiza"]:
                end = next((index for index, word in enumerate(words) if word in ENDS), len(words))
                yield words[1:end]


@pytest.mark.checkout
@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_a_page_is_understood(page: str) -> None:
    found = list(commands(page))
    assert found
    wrong = []
    for words in found:
        try:
            require_understood(words)
        except click.ClickException as error:
            wrong.append(f"valiza {shlex.join(words)}: {error.format_message()}")
    assert wrong == []


@pytest.mark.checkout
def test_tutorial_shows_the_whole_of_the_work() -> None:
    shown = [words for page in PAGES for words in commands(page)]
    named = {tuple(words[: len(leaf)]) for words in shown for leaf in leaves() if tuple(words[: len(leaf)]) == leaf}
    assert {leaf[0] for leaf in leaves()} - {name[0] for name in named} == set()


@pytest.mark.parametrize("words", [["seal", "--no-such-option"], ["no-such-command"], ["receipt", "no-such"], ["verify"]], ids=" ".join)
def test_what_is_not_there_is_noticed(words: list[str]) -> None:
    with pytest.raises(click.UsageError):
        require_understood(words)
