"""Many mutants of one module in processes forked from one that has collected the module's own tests: only the code of a function is exchanged.

What stands outside functions runs at import and cannot be exchanged so; such a mutant is handed back, to be tried with a fresh import (`trial`).
"""

from __future__ import annotations

import errno
import gc
import importlib
import json
import os
import resource
import sys
import time
import traceback
import warnings
from dataclasses import dataclass, field
from inspect import CO_OPTIMIZED
from pathlib import Path
from types import CodeType, FunctionType
from typing import TYPE_CHECKING

import hypothesis
import pytest
from cosmic_ray.ast import get_ast

from standing_in import hand_down
from trial import HYPOTHESIS_EXAMPLES, MEMORY, Mutant, changed_lines, mutate, not_tried

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

BROKEN = 99  # exit code of a process in which not the mutant failed but this program
Place = tuple[str, int]  # qualified name and first line of a function


@dataclass(frozen=True, kw_only=True)
class Task:
    """A mutant, the tests that it meets, and whether something that tests share has to be made with it in place."""

    mutant: Mutant
    tests: Sequence[str]
    shared: bool
    cpu_s: int


def differing(before: CodeType, after: CodeType) -> list[tuple[CodeType, CodeType]] | None:
    """The functions whose code differs, outer ones first; None if anything else does."""
    found: list[tuple[CodeType, CodeType]] = []
    return found if _compare(before, after, found) else None


def _compare(before: CodeType, after: CodeType, found: list[tuple[CodeType, CodeType]]) -> bool:
    """Add the functions that differ; False if something outside functions does."""
    olds, news = ([const for const in code.co_consts if isinstance(const, CodeType)] for code in (before, after))
    same = _own(before) == _own(after) and len(olds) == len(news)
    is_function = bool(before.co_flags & CO_OPTIMIZED)
    inner: list[tuple[CodeType, CodeType]] = []
    if same:
        for old, new in zip(olds, news, strict=True):
            same = _compare(old, new, inner) and same
    if is_function and (inner or not same):
        found.append((before, after))
    found.extend(inner)
    return is_function or same


def _own(code: CodeType) -> tuple[object, ...]:
    consts = [repr(const) for const in code.co_consts if not isinstance(const, CodeType)]
    return (code.co_code, consts, code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars, code.co_exceptiontable, code.co_flags)


def live_functions(filename: str) -> Mapping[Place, list[FunctionType]]:
    """Every function there is of one source file."""
    found: dict[Place, list[FunctionType]] = {}
    for value in gc.get_objects():
        if isinstance(value, FunctionType) and value.__code__.co_filename == filename:
            found.setdefault((value.__code__.co_qualname, value.__code__.co_firstlineno), []).append(value)
    return found


def exchange(before: CodeType, after: CodeType, live: Mapping[Place, Sequence[FunctionType]]) -> bool:
    """Put the mutated code into the functions; False if the mutant is not one of functions alone."""
    changes = differing(before, after)
    if not changes:
        return False
    done = 0
    for old, new in changes:
        for function in live.get((old.co_qualname, old.co_firstlineno), ()):
            if old.co_freevars != new.co_freevars:
                return False
            function.__code__ = new
            done += 1
    return done > 0


@dataclass
class Server:
    """A pytest plugin that instead of running the tests once runs them for each mutant, each time in a process of its own."""

    tasks: Sequence[Task]
    path: Path
    scratch: Path
    jobs: int
    wall_s: Callable[[Task], float]
    failed: str = ""
    running: dict[int, tuple[Task, float]] = field(default_factory=dict)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self) -> None:
        """Few examples for every property."""
        hypothesis.settings.register_profile(
            "mutation", parent=hypothesis.settings(), max_examples=HYPOTHESIS_EXAMPLES, deadline=None, database=None, derandomize=True
        )
        hypothesis.settings.load_profile("mutation")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember what failed first."""
        if report.failed and not self.failed:
            self.failed = report.nodeid

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """First the mutants with which shared fixtures are made anew, then, when the unchanged tests have made them once, all others."""
        items = {item.nodeid: item for item in session.items}
        self.source = self.path.read_text(encoding="utf-8")
        self.tree = get_ast(self.source)
        name = Mutant(job_id="", path=self.path, operator="", occurrence=0, line=0).module
        known = name in sys.modules  # or the tests run it only in processes that they start: then each mutant is imported afresh
        module = importlib.import_module(name)
        assert module.__file__ is not None
        self.compiled = compile(self.source, module.__file__, "exec", dont_inherit=True)
        self.live = live_functions(module.__file__) if known else {}
        self.first, self.last = session.items[0], session.items[-1]
        self._serve([task for task in self.tasks if task.shared], items)
        self._begin("unchanged")
        for nodeid in sorted({test for task in self.tasks for test in task.tests}):
            self._run(items[nodeid])
            if self.failed:
                raise RuntimeError(f"{self.failed} fails without any mutant")
        self._serve([task for task in self.tasks if not task.shared], items)
        return True

    def _run(self, item: pytest.Item) -> None:
        # What stands after a test decides what is torn down: with another test of the same file there always, what tests share is kept.
        following = self.first if item is self.last else self.last
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)

    def _begin(self, name: str) -> None:
        """What is remembered of unchanged code is forgotten, and files go into a folder that nobody else has."""
        for module in [module for name, module in sys.modules.items() if name.startswith(("valiza.", "tests.support"))]:
            for value in vars(module).values():
                if hasattr(value, "cache_clear"):
                    value.cache_clear()
        base = self.scratch / f"{name}.tmp"
        base.mkdir()
        self.last.config._tmp_path_factory._basetemp = base  # type: ignore[attr-defined]  # noqa: SLF001 - pytest has no other way

    def _serve(self, tasks: Sequence[Task], items: Mapping[str, pytest.Item]) -> None:
        gc.collect()
        gc.freeze()
        for task in tasks:
            while len(self.running) >= self.jobs:
                self._wait()
            pid = os.fork()
            if pid == 0:
                self._child(task, items)
            self.running[pid] = (task, time.monotonic() + self.wall_s(task))
        while self.running:
            self._wait()

    def _wait(self) -> None:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            late = [pid for pid, (_, deadline) in self.running.items() if time.monotonic() > deadline]
            if not late:
                time.sleep(0.002)
                return
            os.kill(late[0], 9)
            pid, status = os.waitpid(late[0], 0)
        task, _ = self.running.pop(pid)
        if os.waitstatus_to_exitcode(status) == BROKEN:
            raise RuntimeError(f"this program, not the mutant, failed: {task.mutant}")
        if not (self.scratch / f"{task.mutant.job_id}.json").exists():  # it died: killed, unless it died before it began
            self._answer(task, {"killed": f"the process died ({os.waitstatus_to_exitcode(status)})"})

    def _answer(self, task: Task, outcome: dict[str, object]) -> None:
        change = self.scratch / f"{task.mutant.job_id}.change"
        if not change.exists():
            raise RuntimeError(f"{task.mutant}: {outcome}")
        text = json.dumps({"change": change.read_text(encoding="utf-8"), **outcome})
        (self.scratch / f"{task.mutant.job_id}.part").write_text(text, encoding="utf-8")
        (self.scratch / f"{task.mutant.job_id}.part").rename(self.scratch / f"{task.mutant.job_id}.json")

    def _child(self, task: Task, items: Mapping[str, pytest.Item]) -> None:
        """Never returns."""
        try:
            try:
                outcome = self._try(task, items)
            except KeyboardInterrupt:  # the module that holds interruptions back may let one through
                outcome = {"killed": "interrupted"}
            except OSError as error:  # pytest's own output, when the module closes descriptors that are not its own
                if error.errno != errno.EBADF:
                    raise
                outcome = {"killed": "closed a file of the program that runs the tests"}
            self._answer(task, outcome)
        except BaseException:  # noqa: BLE001 - it goes into the log, whatever it is
            traceback.print_exc()
            os._exit(BROKEN)
        os._exit(0)

    def _try(self, task: Task, items: Mapping[str, pytest.Item]) -> dict[str, object]:
        mutant = task.mutant
        after = mutate(self.tree, mutant)
        (self.scratch / f"{mutant.job_id}.change").write_text(changed_lines(self.source, after or self.source), encoding="utf-8")
        if why := not_tried(self.source, after):
            return {"skipped": why}
        assert after is not None
        with warnings.catch_warnings(action="ignore"):  # of `is` beside a number; pytest would make an error of it
            compiled = compile(after, self.compiled.co_filename, "exec", dont_inherit=True)
        if not task.tests or not exchange(self.compiled, compiled, self.live):
            return {"fresh": True}
        hand_down(mutant.module, after, self.scratch / f"{mutant.job_id}.inherited")
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        used = int(sum(resource.getrusage(resource.RUSAGE_SELF)[:2]))
        resource.setrlimit(resource.RLIMIT_CPU, (used + task.cpu_s, used + task.cpu_s + 1))
        self._begin(mutant.job_id)
        for test in task.tests:
            self._run(items[test])
            if self.failed:
                return {"killed": self.failed}
        return {}


def serve(server: Server, files: Sequence[str]) -> None:
    """Collect these files and serve, in this process."""
    options = ["-q", "-s", "-p", "no:cacheprovider", "-p", "no:xdist", "--tb=no", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
    code = int(pytest.main([*options, f"--basetemp={server.scratch / 'tmp'}", *files], plugins=[server]))
    assert code in {0, 5}, code


def outcomes(folder: Path, known: Collection[str]) -> Iterator[tuple[str, dict[str, object]]]:
    """What became of the mutants, by job, except those known already."""
    for path in folder.glob("*.json"):
        if path.stem not in known:
            yield path.stem, json.loads(path.read_text(encoding="utf-8"))
