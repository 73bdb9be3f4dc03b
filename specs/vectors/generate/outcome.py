"""The outcomes of reading, an exception class each, and the number of the reading step that decided."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class Outcome(Exception):
    """Reading stopped: *expect* is the word of a vector's head, *step* the step of the page that describes the object."""

    expect = ""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.step = ""


class Malformed(Outcome):
    """Not a well-formed Valiza object."""

    expect = "malformed"


class NotAuthentic(Outcome):
    """A signature, credential, digest or proof does not hold."""

    expect = "not authentic"


class NoKey(Outcome):
    """No key here opens it."""

    expect = "no key"


class Refused(Outcome):
    """Authentic, but refused."""

    expect = "refused"


class Unavailable(Outcome):
    """Another program did not do its part."""

    expect = "unavailable"


class Incomplete(Outcome):
    """No final answer yet."""

    expect = "incomplete"


@contextmanager
def step(number: int | str, *, otherwise: bool = False) -> Iterator[None]:
    """Name the step that a failure inside belongs to; an outer step overrides an inner one, unless it is for failures *otherwise* without."""
    try:
        yield
    except Outcome as outcome:
        if not (otherwise and outcome.step):
            outcome.step = str(number)
        raise
