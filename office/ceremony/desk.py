"""The desk at which a step is done: it speaks and asks through the room, and writes down what the transcript will say."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from valiza.keys import interruption
from valiza.keys.errors import Refused, ValizaError
from valiza.keys.transcript import Record

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from valiza.keys.keyfile import Argon2Cost
    from valiza.keys.realm import Realm
    from valiza.office.ceremony.act import Act
    from valiza.office.ceremony.asking import Ask

__all__ = ["Desk", "Room", "Tools"]

PATIENCE: Final = 3  # wrong answers of a person to one question, before the program ends
T = TypeVar("T")


class Room(Protocol):
    """Where a ceremony takes place: a terminal with people around it, or a script with a file of answers."""

    @property
    def unattended(self) -> bool:
        """Whether nobody can be asked again."""

    def begin(self, step: Act, of: int) -> None:
        """A step begins; there are so many."""

    def read_aloud(self, step: Act, what: str, value: str) -> None:
        """Somebody reads this aloud, and the others write it down or compare."""

    def answer(self, step: Act, ask: Ask[Any], wrong: ValizaError | None) -> str:
        """The answer to a question; `wrong` says what was the matter with the last one.

        Raises:
            Incomplete: there is none.
        """

    def end(self, step: Act, *, again: bool) -> None:
        """A step is done, in this sitting or (`again`) in an earlier one."""


@dataclass(frozen=True, kw_only=True)
class Tools:
    """What comes from outside: time in seconds since 1970, the system's secure randomness, and the cost of guessing a passphrase."""

    clock: Callable[[], int]
    random: Callable[[int], bytes]
    cost: Argon2Cost


@dataclass(kw_only=True)
class Desk:
    """One step at work.

    Attributes:
        step: which.
        room: who is asked.
        tools: time, randomness, cost.
        realm: whether it is meant.
        not_before: when the step before it ended; time never runs back.
        files: where key files lie, by participant and which of his keys.
        intend: writes down, durably, that a key will be at a path: called before it is.
    """

    step: Act
    room: Room
    tools: Tools
    realm: Realm
    not_before: int
    files: dict[tuple[str, str], Path]
    intend: Callable[[Path, bytes], None]
    began_at: int = 0
    _aloud: list[tuple[str, str]] = field(default_factory=list)
    _answers: list[tuple[str, str]] = field(default_factory=list)
    _results: list[tuple[str, bytes]] = field(default_factory=list)
    local: list[tuple[str, Path]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.began_at = self._now()

    def _now(self) -> int:
        found = self.tools.clock()
        if found < self.not_before:
            message = "the clock of this machine runs back"
            raise Refused(message, "set it right, and go on")
        return found

    def aloud(self, what: str, value: str) -> None:
        """Have something read aloud."""
        self._aloud.append((what, value))
        self.room.read_aloud(self.step, what, value)

    def ask(self, ask: Ask[T]) -> T:
        """Ask until the answer is one. A person may try again; a script may not.

        Raises:
            ValizaError: the answer is wrong. Incomplete: there is none.
        """
        wrong: ValizaError | None = None
        for left in reversed(range(1 if self.room.unattended else PATIENCE)):
            interruption.begin()  # whoever is asked may end it
            given = self.room.answer(self.step, ask, wrong)
            try:
                found = ask.read(given)
            except ValizaError as error:
                if not left or (isinstance(error, Refused) and ask.kind == "confirm"):
                    raise
                wrong = error
                continue
            if ask.note is not None:
                self._answers.append((ask.what, ask.note(found)))
            return found
        raise AssertionError  # the last wrong answer was raised

    def note(self, what: str, value: str) -> None:
        """Write something down among the answers that nobody was asked for."""
        self._answers.append((what, value))

    def give(self, what: str, value: bytes) -> None:
        """A public value that came of the step."""
        self._results.append((what, value))

    def keep(self, which: str, path: Path) -> None:
        """Remember, in this folder only, where one of the participant's keys lies."""
        self.local.append((which, path))

    def record(self) -> Record:
        """All of it, for the transcript. Time is taken last."""
        return Record(
            number=self.step.number,
            name=self.step.name,
            about=self.step.about,
            participant=self.step.person.id,
            aloud=tuple(self._aloud),
            answers=tuple(self._answers),
            results=tuple(self._results),
            began_at=self.began_at,
            ended_at=max(self._now(), self.began_at),
        )
