"""The families of errors, each with its exit code (specs/README.md, Outcomes and exit codes)."""

from __future__ import annotations

from pathlib import Path

import pytest

from valiza.keys.errors import Conflict, Incomplete, Malformed, NoKey, NotAuthentic, Refused, Unavailable, Usage, ValizaError, system_error


@pytest.mark.parametrize(
    ("family", "code"),
    [(Usage, 2), (Malformed, 3), (NotAuthentic, 4), (NoKey, 5), (Refused, 6), (Conflict, 6), (Unavailable, 7), (Incomplete, 8)],
)
def test_exit_code(family: type[ValizaError], code: int) -> None:
    error = family("what happened", "what to try")
    assert isinstance(error, ValizaError)
    assert error.exit_code == code
    assert (error.message, error.hint) == ("what happened", "what to try")
    assert str(error) == "what happened"


def test_an_error_of_no_family_is_a_usage_error_at_least() -> None:
    assert ValizaError("what happened").exit_code == 1


@pytest.mark.parametrize(
    ("path", "name"),
    [("-", "standard input"), (Path("-"), "standard input"), ("", "''"), ("+", "'+'"), ("--", "'--'"), (Path("a b"), "'a b'")],
)
def test_an_error_names_what_it_is_about(path: object, name: str) -> None:
    error = Refused("it may not be", "what to try")
    assert not error.named
    found = error.about(path)
    assert (type(found), found.message, found.hint, found.named) == (Refused, f"{name}: it may not be", "what to try", True)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (FileNotFoundError(2, "No such file or directory", "Some File"), "'Some File': no such file or directory"),
        (OSError(28, "No space left on device"), "input or output: no space left on device"),
        (OSError("Not Python's own"), "input or output: not python's own"),
    ],
)
def test_what_the_system_says_is_told_in_small_letters_with_the_name_of_the_file(error: OSError, told: str) -> None:
    assert system_error(error) == told
