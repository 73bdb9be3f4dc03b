"""A ceremony that a script leads: answers from a TOML file, secrets from file descriptors (specs/transcript.md, Answers)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from valiza.keys.errors import Incomplete, Malformed, Unavailable, Usage
from valiza.keys.fields import integer, text, word
from valiza.keys.toml import parse_toml
from valiza.office.ceremony.asking import PASSPHRASE, PREVIOUS_PASSPHRASE, SECRET
from valiza.office.ceremony.tables import ENTROPY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from valiza.keys.errors import ValizaError
    from valiza.office.ceremony.act import Act
    from valiza.office.ceremony.asking import Ask
    from valiza.office.ceremony.plan import Person

__all__ = ["Answers", "ScriptRoom", "read_answers"]

MAX_ANSWERS: Final = 1 << 18
MAX_SECRET: Final = 8192
SECRETS: Final[tuple[str, ...]] = (PASSPHRASE, PREVIOUS_PASSPHRASE, "backup-passphrase", "share", *ENTROPY)
Given = dict[str, dict[str, str]]
Descriptors = dict[str, dict[str, int]]


class Answers:
    """Answers by step and by what is asked; and of each kind of secret the descriptor it comes from, by participant."""

    def __init__(self, given: Given, descriptors: Descriptors) -> None:
        self.given = given
        self.descriptors = descriptors


def read_answers(raw: bytes, steps: Iterable[Act], people: Iterable[Person]) -> Answers:
    """Read a file of answers for the steps of a ceremony, and the people in it.

    Raises:
        Malformed: it is none, or answers what is not asked; a secret stands in it.
    """
    if len(raw) > MAX_ANSWERS:
        message = f"a file of answers is longer than {MAX_ANSWERS} bytes"
        raise Malformed(message)
    try:
        table = parse_toml(raw.decode("utf-8"), "the file of answers")
    except UnicodeDecodeError as error:
        message = "a file of answers is not text in UTF-8"
        raise Malformed(message) from error
    named = {one.id for one in people}
    descriptors = {kind: _descriptors(table.pop(kind), kind, named) for kind in SECRETS if kind in table}
    return Answers(dict(_given(table, {step.id for step in steps}, ())), descriptors)


def _descriptors(value: object, kind: str, people: set[str]) -> dict[str, int]:
    if not isinstance(value, dict) or not set(value) <= people:
        message = f"{kind} in a file of answers is no table of descriptors by participant"
        raise Malformed(message)
    message = f"{kind} in a file of answers: a secret is read from a file descriptor, whose number stands here"
    for number in value.values():
        if not isinstance(number, int) or isinstance(number, bool):
            raise Malformed(message)
    return {person: integer(number, kind, most=1 << 20) for person, number in value.items()}


def _given(table: dict[str, Any], steps: set[str], path: tuple[str, ...]) -> Iterable[tuple[str, dict[str, str]]]:
    """Answers, by step; the names of steps have dots, so their tables stand in one another."""
    here = ".".join(path)
    answers = {}
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _given(value, steps, (*path, key))
        else:
            if key in SECRETS:
                message = f"{key} of {here}: a secret does not stand in a file of answers; it is none any more"
                raise Malformed(message, f"choose another one, and name a file descriptor for it in [{key}]")
            answers[word(key, "name of an answer")] = _answer(value, f"{key} of {here}")
    if here in steps:
        yield here, answers
    elif answers or (path and not table):
        message = f"a file of answers: there is no step {here!r}"
        raise Malformed(message)


def _answer(value: object, what: str) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return text(value, what, empty=True, most=4096)


class ScriptRoom:
    """Where nobody can be asked: what is said goes to `say`, what is asked is looked up."""

    unattended = True

    def __init__(self, answers: Answers, say: Callable[[str], None]) -> None:
        self._answers = answers
        self._say = say
        self._read: dict[int, str] = {}  # a pipe gives what it has once, and several steps need it

    def begin(self, step: Act, of: int) -> None:
        """A line for each step."""
        self._say(f"step {step.number} of {of}: {step.id}")

    def read_aloud(self, step: Act, what: str, value: str) -> None:  # noqa: ARG002 - as every room
        """A line for each value."""
        self._say(f"  {what}: {value}")

    def answer(self, step: Act, ask: Ask[Any], wrong: ValizaError | None) -> str:  # noqa: ARG002 - as every room
        """What the file says.

        Raises:
            Incomplete: nothing. Usage: a descriptor cannot be read.
        """
        if ask.kind in SECRET:
            return self._secret(ask.what, step, ask.person or step.person)
        found = self._answers.given.get(step.id, {}).get(ask.what, ask.otherwise)
        if found is None:
            message = f"no answer to {ask.what!r} in step {step.id!r}"
            raise Incomplete(message, f"say it in [{step.id}] of the file of answers, and call again: the ceremony goes on there")
        return found

    def _secret(self, what: str, step: Act, person: Person) -> str:
        descriptors, who = self._answers.descriptors, person.id
        number = descriptors.get(what, {}).get(who)
        if number is None and what == PREVIOUS_PASSPHRASE:  # one passphrase for both of his keys
            number = descriptors.get(PASSPHRASE, {}).get(who)
        if number is None:
            message = f"no file descriptor for the {what} of {who} in step {step.id!r}"
            raise Incomplete(message, f"name it in [{what}] of the file of answers, and call again: the ceremony goes on there")
        if number not in self._read:
            self._read[number] = _line(number)
        return self._read[number]

    def end(self, step: Act, *, again: bool) -> None:
        """A line for what was done before."""
        if again:
            self._say(f"step {step.number}: {step.id}, done in an earlier sitting")


def _line(number: int) -> str:
    try:
        with os.fdopen(number, "rb", closefd=False) as file:
            line = file.readline(MAX_SECRET + 1)
    except OSError as error:
        message = f"a secret cannot be read from file descriptor {number}"
        raise Usage(message) from error
    if len(line) > MAX_SECRET:
        message = f"what comes from file descriptor {number} is longer than {MAX_SECRET} bytes"
        raise Usage(message)
    try:
        return line.rstrip(b"\r\n").decode("utf-8")
    except UnicodeDecodeError as error:
        message = f"what comes from file descriptor {number} is not text in UTF-8"
        raise Unavailable(message) from error
