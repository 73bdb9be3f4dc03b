"""Work that processes share: what each of them does first, what ends it, and what is left of the work then."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from threading import Thread
from typing import TYPE_CHECKING, Any, Final

import pytest

from valiza.keys import processes
from valiza.keys.errors import Unavailable
from valiza.keys.processes import processors, shared
from valiza.keys.secrecy import guarded

if TYPE_CHECKING:
    from pathlib import Path

IS_GUARDED: Final = "__import__('valiza.keys.secrecy').keys.secrecy.guarded() is not None"
IGNORES_INTERRUPTION: Final = "__import__('signal').getsignal(2) is __import__('signal').SIG_IGN"

# Begins work that never ends, in a process of its own; both write to one standard output.
PARENT: Final = """
import os, sys, time
from valiza.keys.processes import shared

if __name__ == "__main__":
    with shared(1) as share:
        done = share(eval, ["print('begun', flush=True)", "__import__('time').sleep(90)"])
        next(done)
        os.kill(os.getpid(), 9)
"""


def test_a_process_has_the_processors_that_it_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0: {1, 4, 5}}.get(process, {1}), raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    assert processors() == 3


@pytest.mark.parametrize(("told", "used"), [(7, 7), (None, 1)])
def test_where_the_system_does_not_tell_it_has_all_that_there_are(told: int | None, used: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: told)
    assert processors() == used


@pytest.mark.parametrize("like_this", [True, False])
def test_a_process_begins_as_it_is_told_and_is_guarded_like_this_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, like_this: bool) -> None:
    assert guarded() is None, "or nothing here could be without a guard"
    if like_this:
        monkeypatch.setattr(processes, "guarded", object)
    start = (os.chdir, (str(tmp_path),)) if like_this else None
    with shared(1, start) as share:
        assert list(share(eval, [IS_GUARDED, IGNORES_INTERRUPTION])) == [like_this, True]
        assert list(share(os.path.realpath, ["."])) == [str(tmp_path.resolve() if like_this else os.path.realpath("."))]
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_what_nobody_waits_for_is_not_begun(tmp_path: Path) -> None:
    with shared(1) as share:
        share(os.mkdir, [tmp_path / str(number) for number in range(100)])
    assert len(list(tmp_path.iterdir())) < 10


def test_a_process_that_is_ended_from_outside_is_told() -> None:
    with pytest.raises(Unavailable, match="ended from outside") as told, shared(1, hint="begin again") as share:
        list(share(os._exit, [3]))
    assert told.value.hint == "begin again"


def test_what_the_first_one_is_killed_for_the_others_do_not_survive(tmp_path: Path) -> None:
    (tmp_path / "parent.py").write_text(PARENT, encoding="utf-8")
    process = subprocess.run([sys.executable, tmp_path / "parent.py"], stdout=-1, check=False, timeout=30)
    assert (process.returncode, process.stdout) == (-signal.SIGKILL, b"begun\n"), "and the end of its output came before that of the work"


def test_a_process_does_not_wait_for_what_watches_its_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[Thread] = []

    class Watched(Thread):
        def start(self) -> None:
            begun.append(self)
            super().start()

    ignored: list[tuple[Any, ...]] = []
    monkeypatch.setattr(processes, "Thread", Watched)
    monkeypatch.setattr(signal, "signal", lambda *what: ignored.append(what))
    guards: list[str] = []
    monkeypatch.setattr(processes, "guard_process", lambda: guards.append("asked"))
    processes._begin(None, guard=False)
    assert guards == []
    processes._begin(None, guard=True)
    assert guards == ["asked"]
    for thread in begun:
        thread.join()
    assert [thread.daemon for thread in begun] == [True] * 2
    assert ignored == [(signal.SIGINT, signal.SIG_IGN)] * 2


def test_the_first_of_all_has_no_parent_to_end_with() -> None:
    processes._end_with_parent()
