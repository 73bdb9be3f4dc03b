"""What holds for all tests: slow ones run last, none is timed, and where VALIZA_NO_SKIPS is set a skipped test is a failed one."""

from __future__ import annotations

import gc
import os
import signal
import threading
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import settings

from valiza.register.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

pytest_plugins = ["tests.support.postfix", "tests.support.postgresql"]

NO_SKIPS: Final = os.environ.get("VALIZA_NO_SKIPS", "0") not in {"", "0"}

# Nor do defaults of the person who runs the tests decide: this is no folder.
os.environ["XDG_CONFIG_HOME"] = "/dev/null"

# Nor how quick the machine is: new keys get the least cost of a passphrase.
os.environ["VALIZA_UNLOCK_SECONDS"] = "0"

# Nor do nohup and a shell's &: a program that is started with SIGHUP or SIGINT ignored, and all that it starts, goes on when it is told to end.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# No deadlines: machines are shared. All else stays as hypothesis has it, which with CI set draws the same cases each time.
settings.register_profile("valiza", parent=settings(), deadline=None)
settings.load_profile("valiza")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Move the slow tests to the end, in the order they have."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test that skipped itself or is marked so. An expected failure (xfail) has its own word and stays one."""
    report = yield
    if NO_SKIPS and report.skipped and not hasattr(report, "wasxfail"):
        _fail(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Fail a module that skipped itself while it was collected."""
    report = yield
    if NO_SKIPS and report.skipped:
        _fail(report)
    return report


def _fail(report: pytest.TestReport | pytest.CollectReport) -> None:
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    report.outcome = "failed"
    report.longrepr = f"{reason}\nVALIZA_NO_SKIPS is set: here nothing may be skipped."


@pytest.fixture(autouse=True, scope="module")
def light_heap() -> None:
    """Spare the collector what stays to the end, thousands of tests and what they left: some collect after every command, to close what it left."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def registers_are_closed() -> Iterator[None]:
    """Close the registers that a test made: from Python 3.13 on SQLite warns of those that are left open."""
    opened: list[SqliteStore] = []
    make = SqliteStore.__init__

    def made(store: SqliteStore, *given: Any, **named: Any) -> None:
        make(store, *given, **named)
        if threading.current_thread() is threading.main_thread():  # SQLite's connections are closed where they were made
            opened.append(store)

    with pytest.MonkeyPatch.context() as patch:  # of its own: a test may undo what it patched itself
        patch.setattr(SqliteStore, "__init__", made)
        yield
    for store in opened:
        store.close()
