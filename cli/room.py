"""A ceremony at a terminal: one thing at a time, what is read aloud apart from what is asked, and nothing typed that is secret is shown."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import click

from valiza.cli.terminal import clear_line, complain, safe, say, terminal_present
from valiza.keys.errors import Usage
from valiza.keys.fingerprint import in_groups, in_words
from valiza.office.ceremony.asking import LEAST

if TYPE_CHECKING:
    from valiza.keys.errors import ValizaError
    from valiza.office.ceremony.act import Act
    from valiza.office.ceremony.asking import Ask
    from valiza.office.ceremony.plan import Person

__all__ = ["TerminalRoom"]

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_ID: Final = re.compile(r"[0-9a-f]{32}")

STEPS: Final = {
    "open": "Everybody hears what is to be done.",
    "key": "{title} makes a key, or brings one.",
    "recover": "{title}'s key is recovered from its shares.",
    "draft": "What is to be signed is read aloud. Whoever has a pen writes its digest down.",
    "sign": "{title} signs.",
    "sign-previous": "{title} signs with the key that the root before has.",
    "finish": "The signatures are put together and checked.",
    "close": "The end of the ceremony.",
    "attest": "{title} signs the transcript.",
    "void": "The ceremony is void. {title} may sign that it is so.",
}
QUESTIONS: Final = {
    "present": "Is everybody in the room who was named?",
    "plan": "Type the digest of the plan as it stands on your paper, digits or words",
    "root": "Type the fingerprint of the root as you have it, digits or words",
    "code": "Is this the version and the digest of the program that you agreed on?",
    "time": "Is that the time on your watches, in UTC?",
    "file": "File of the key",
    "passphrase": "Passphrase of {title}",
    "previous-passphrase": "Passphrase of {title}, of the key that the root before has",
    "share": "{title}, the words of your share, all on one line; they are not shown",
    "backup-passphrase": "Passphrase of the backup",
    "dice": "Throws of a die",
    "keyboard": "Anything, typed at random",
    "heard": "Has everybody written this down and heard it read back?",
    "fingerprint": "One reads back what he wrote; type it, digits or words",
    "sign": "{title}, is this what you wrote down, and do you sign?",
    "remark": "What else is to be said in the transcript? Nothing: press Enter",
}


class TerminalRoom:
    """People around a terminal.

    Args:
        rehearsal: whether to say in every step that nothing counts.

    Raises:
        Usage: there is no terminal.
    """

    unattended = False

    def __init__(self, *, rehearsal: bool) -> None:
        if not terminal_present():
            message = "nobody can be asked: standard input is no terminal"
            raise Usage(message, "give the answers in a file, with --answers FILE")
        self._rehearsal = rehearsal

    def begin(self, step: Act, of: int) -> None:
        """A heading."""
        mark = "REHEARSAL  " if self._rehearsal else ""
        say("")
        say(f"{mark}--- Step {step.number} of {of}: {safe(step.id)}. {self._filled(STEPS.get(step.name, ''), step)}")

    def read_aloud(self, step: Act, what: str, value: str) -> None:  # noqa: ARG002 - as every room
        """What is read aloud; a digest in groups of digits and in words."""
        label = safe(what.replace("-", " "))
        if not _DIGEST.fullmatch(value):
            say(f"  read aloud: {label}: {in_groups(bytes.fromhex(value)) if _ID.fullmatch(value) else safe(value)}")
            return
        say(f"  read aloud, and write down: {label}:")
        for line in [*folded(in_groups(bytes.fromhex(value)), 4), *folded(in_words(bytes.fromhex(value)), 7)]:
            say(f"      {line}")

    def answer(self, step: Act, ask: Ask[Any], wrong: ValizaError | None) -> str:
        """What somebody types."""
        if wrong is not None:
            complain(wrong.message, wrong.hint)
        question = self._filled(QUESTIONS.get(ask.what, ask.what), step, ask.person)
        clear_line()
        if ask.kind == "confirm":
            return self._typed(f"{question} [yes/no]").strip().lower()
        if ask.kind in {"passphrase", "new-passphrase"}:
            return str(click.prompt(question, hide_input=True, confirmation_prompt=ask.kind == "new-passphrase", err=True))
        if ask.kind == "share":
            return str(click.prompt(question, hide_input=True, err=True))
        if ask.kind == "entropy":
            return self._entropy(question, ask.what)
        return self._typed(question, ask.otherwise)

    def end(self, step: Act, *, again: bool) -> None:
        """A line."""
        say(f"Step {step.number}, {safe(step.id)}: done{' in an earlier sitting' if again else ''}.")

    def _typed(self, question: str, otherwise: str | None = None) -> str:
        return str(click.prompt(question, default=otherwise, show_default=False, err=True))

    def _entropy(self, question: str, source: str) -> str:
        """Lines that are not shown, until there is enough."""
        typed = ""
        while (left := LEAST[source] - len(typed)) > 0:
            line = str(click.prompt(f"{question} ({left} more; not shown)", hide_input=True, err=True))
            typed += "".join(line.split())
        return typed

    @staticmethod
    def _filled(text: str, step: Act, person: Person | None = None) -> str:
        return safe(text.format(title=(person or step.person).title))


def folded(text: str, each: int) -> list[str]:
    """Words in lines of so many."""
    words = text.split()
    return ["  ".join(words[at : at + each]) for at in range(0, len(words), each)]
