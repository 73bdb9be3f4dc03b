"""The families of errors, each with its exit code (specs/README.md, Outcomes and exit codes)."""

from __future__ import annotations

import pytest

from valiza.keys.errors import Conflict, Incomplete, Malformed, NoKey, NotAuthentic, Refused, Unavailable, Usage, ValizaError


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
