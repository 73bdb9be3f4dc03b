"""SIGINT, SIGTERM and SIGHUP at points spread over every step of an exchange: all of it is done, or nothing is left."""

from __future__ import annotations

import shutil
import signal
from typing import TYPE_CHECKING, Final

import pytest
from tests.support.cli import VALIZA
from tests.support.interrupted import STEPS, Exchange, check_after, check_interrupted
from tests.support.strace import Point, struck, traced

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("strace")]

NUMBERS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SPREAD: Final = 4
SHARP: Final = {"mkdir", "linkat", "rename", "renameat2"}  # where something is made, or gets its name


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number.name)
def test_who_is_asked_to_end_does_all_or_leaves_nothing(number: signal.Signals, name: str, exchange: Exchange, tmp_path: Path) -> None:
    every = exchange.points(name, tmp_path / "count")
    chosen = {every[index * len(every) // SPREAD] for index in range(SPREAD)} | {point for point in every if point.call in SHARP}
    codes = set()
    for point in sorted(chosen, key=every.index):
        step = exchange.at(name, tmp_path / "asked")
        done = struck(step.command, point, number, env=step.environment)
        codes.add(done.code)
        check_after(step, check_interrupted(step, exchange.before[name], done))
        shutil.rmtree(tmp_path / "asked")
    assert codes == {0, 130}, "early it is interrupted, late it is done"


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number.name)
def test_who_is_asked_while_the_program_loads_ends_without_a_traceback(number: signal.Signals) -> None:
    """From its own first file on; before that Python itself is loading."""
    done, calls = traced([VALIZA, "--version"], calls=["openat"])
    assert done.code == 0
    own = [call for call in calls if "/cli/" in call.text and call.done]
    start = next(index for index, call in enumerate(own) if "/main." in call.text)
    last = calls[-1].nth
    for nth in range(own[start].nth, last, max((last - own[start].nth) // 6, 1)):
        ended = struck([VALIZA, "--version"], Point("openat", nth), number)
        assert (ended.code, ended.out, ended.err.strip()) == (130, "", "valiza: error: interrupted")
