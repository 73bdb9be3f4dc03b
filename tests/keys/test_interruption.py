"""Requests to end: when they are obeyed, and when they wait."""

from __future__ import annotations

import pytest

from valiza.keys import interruption
from valiza.keys.errors import Refused
from valiza.keys.interruption import begin, held, naming, request


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when a program starts."""
    monkeypatch.setattr(interruption, "_state", interruption._State())


def test_a_request_is_obeyed_at_once_and_what_follows_is_not_heard() -> None:
    with pytest.raises(KeyboardInterrupt):
        request(2, None)
    request()
    begin()


def test_what_is_being_named_gets_its_name_and_the_request_waits_for_the_next_piece_of_work() -> None:
    with naming():
        request()
        request()
    with pytest.raises(KeyboardInterrupt):
        begin()


def test_after_the_name_one_request_waits_and_the_second_is_obeyed() -> None:
    with naming():
        pass
    request()
    with pytest.raises(KeyboardInterrupt):
        request()


def test_work_that_was_begun_after_a_name_is_interrupted() -> None:
    with naming():
        pass
    begin()
    with pytest.raises(KeyboardInterrupt):
        request()


def test_what_could_not_be_named_is_not_done() -> None:
    with pytest.raises(Refused), naming():
        raise Refused("exists")
    with pytest.raises(KeyboardInterrupt):
        request()


def test_what_was_made_is_known_before_a_request_is_obeyed() -> None:
    made = []

    def make() -> None:
        with held():
            request()
            with held():
                request()
            made.append("folder")

    with pytest.raises(KeyboardInterrupt):
        make()
    assert made == ["folder"]


def test_within_what_is_being_named_nothing_interrupts() -> None:
    with naming():
        begin()
        with held():
            request()
        begin()
