"""Mutation testing of keys/ and envelope/: cosmic-ray's mutants, each met by the tests that run the changed line (mutation/README.md).

The session files are cosmic-ray's own, one for each module, so `cr-report .mutation/keys.root.sqlite` and the like read them.
A run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import ast
import json
import math
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import tomllib
import traceback
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import blake3
import click  # noqa: F401 - this and the next are imported once here, not once for each mutant
import cryptography.hazmat.primitives.asymmetric.mldsa
import cryptography.hazmat.primitives.hpke  # noqa: F401
import hypothesis.strategies  # noqa: F401
import msgpack  # noqa: F401
import nacl.bindings
import nacl.pwhash  # noqa: F401
from cosmic_ray.ast import get_ast
from cosmic_ray.commands import init as list_mutants
from cosmic_ray.work_db import use_db
from cosmic_ray.work_item import TestOutcome, WorkerOutcome, WorkResult

from swapping import BROKEN, Server, Task, outcomes, serve
from trial import HARMLESS, Mutant, changed_lines, mutate, not_tried, run_tests

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Sequence


ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / ".mutation"
TOUCHING = WORK / "touching.json"
EXPLAINED = ROOT / "mutation" / "explained.toml"
FOLDERS = ("keys", "envelope")
TESTS = ("tests/keys", "tests/envelope", "tests/specs", "tests/register", "tests/test_house.py")

# Tests of what is said once, when a module is imported (decorators, defaults). No line tells that they notice it.
OF_DECLARATIONS = ("tests/test_house.py::test_dataclasses[keys]", "tests/test_house.py::test_dataclasses[envelope]")
# Seconds of tests against one mutant, by their usual time: of its module's own file, then of all others.
MOST_OWN = 2.0
MOST_OTHER = 0.8
QUICK = 0.25  # a test that takes longer comes later
MOST_FILES = 2  # of others, beside the slower ones of its own
# `is` for `==`, and back, differ where equal values are two objects: a matter of CPython's small integers and interned strings, which ruff forbids.
LEFT_OUT = {f"core/ReplaceComparisonOperator_{pair}" for pair in ("Eq_Is", "Is_Eq", "NotEq_IsNot", "IsNot_NotEq")}
SEED = 1
PATIENCE = 20  # seconds of processor time that every mutant has, beside six times the usual time of its tests
HANGING_S = 60  # one that uses no processor time; a busy machine has the twentyfold time of its tests besides


def sources() -> list[Path]:
    """The modules, from the root of the checkout."""
    return [path.relative_to(ROOT) for folder in FOLDERS for path in sorted((ROOT / folder).glob("*.py"))]


class Touched:
    """Which tests run which line."""

    def __init__(self) -> None:
        found = json.loads(TOUCHING.read_text(encoding="utf-8"))
        self.tests: list[tuple[str, float]] = [(name, seconds) for name, seconds in found["tests"]]
        self.early = {path: set(lines) for path, lines in found["early"].items()}
        self.lines = {path: {int(line): int(bits, 16) for line, bits in lines.items()} for path, lines in found["lines"].items()}

    def choose(self, mutant: Mutant) -> list[tuple[str, float]]:
        """The tests for a mutant, its module's own first, quick ones first."""
        lines = self.lines.get(str(mutant.path), {})
        first, last = statement_at(mutant.path, mutant.line)
        bits = 0
        for line in range(first, last + 1):
            bits |= lines.get(line, 0)
        declared = bits == 0 or first in heads(mutant.path)  # it runs when the module is imported; a lambda there later, too
        if declared:
            for found in lines.values():
                bits |= found
            bits = bits or sum(1 << index for index, (name, _) in enumerate(self.tests) if not name.startswith("gone "))
        own = own_tests(mutant.path)
        chosen = [
            test
            for index, test in enumerate(self.tests)
            if (bits >> index & 1 or (declared and test[0].startswith(own))) and test[0] not in OF_DECLARATIONS
        ]
        chosen.sort(key=lambda test: (not test[0].startswith(own), test[1]))
        return [(name, 0.1) for name in OF_DECLARATIONS if declared and str(mutant.path.parent) in name] + chosen

    def shared(self, mutant: Mutant) -> bool:
        """Whether something that several tests share is made by the statement."""
        first, last = statement_at(mutant.path, mutant.line)
        return not self.early.get(str(mutant.path), set()).isdisjoint(range(first, last + 1))


@cache
def statement_at(path: Path, line: int) -> tuple[int, int]:
    """First and last line of the innermost statement at a line; of a compound one its head only."""
    best = (line, line)
    size = 1 << 30
    for node in ast.walk(ast.parse((ROOT / path).read_bytes())):
        if not isinstance(node, ast.stmt) or node.end_lineno is None:
            continue
        body = getattr(node, "body", None)
        start = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
        last = max(start, body[0].lineno - 1) if body else node.end_lineno
        if start <= line <= last and last - start < size:
            best, size = (start, last), last - start
    return best


@cache
def heads(path: Path) -> set[int]:
    """Where functions and classes begin, their decorators included."""
    declarations = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    found = [node for node in ast.walk(ast.parse((ROOT / path).read_bytes())) if isinstance(node, declarations)]
    return {min([node.lineno, *(d.lineno for d in node.decorator_list)]) for node in found}


@dataclass(kw_only=True)
class Trial:
    """A mutant that is being tried, in a process of its own."""

    mutant: Mutant
    pid: int
    scratch: Path
    deadline: float
    stages: list[list[tuple[str, float]]] = field(default_factory=list)


def begin(mutant: Mutant, stages: list[list[tuple[str, float]]]) -> Trial:
    """Fork a process that tries the mutant with the first stage of tests."""
    tests, *rest = stages
    usual = sum(seconds for _, seconds in tests)
    scratch = Path(tempfile.mkdtemp(prefix="valiza-mutant."))
    pid = os.fork()
    if pid == 0:
        _child(mutant, [name for name, _ in tests], scratch, int(PATIENCE + 6 * usual))
    return Trial(mutant=mutant, pid=pid, scratch=scratch, deadline=time.monotonic() + HANGING_S + 20 * usual, stages=rest)


def _child(mutant: Mutant, tests: list[str], scratch: Path, cpu_s: int) -> None:
    """Never returns. The outcome is in `outcome.json`; without that file the process died."""
    os.setsid()
    null = os.open(os.devnull, os.O_RDONLY)
    log = os.open(scratch / "log", os.O_WRONLY | os.O_CREAT, 0o600)
    for stream, standard in ((null, 0), (log, 1), (log, 2)):
        os.dup2(stream, standard)
    try:
        before = mutant.path.read_text(encoding="utf-8")
        after = mutate(get_ast(before), mutant)
        change = changed_lines(before, after or before)
        outcome: dict[str, object] = {"change": change, "skipped": "" if mutant.harmless else not_tried(before, after)}
        (scratch / "change.json").write_text(json.dumps(outcome), encoding="utf-8")
        if not outcome["skipped"] and after is not None:
            outcome["code"], outcome["failed"] = run_tests(mutant, after, tests, scratch=scratch, cpu_s=cpu_s)
        (scratch / "outcome.json").write_text(json.dumps(outcome), encoding="utf-8")
    except BaseException:  # noqa: BLE001 - it goes into the log, whatever it is
        traceback.print_exc()
        os._exit(BROKEN)
    os._exit(0)


def finish(trial: Trial, status: int, *, in_time: bool) -> tuple[WorkResult, bool]:
    """What became of a mutant, and whether it goes on to the next stage."""
    if status == BROKEN:
        raise RuntimeError(f"{trial.mutant}: {_log(trial)}")
    change = json.loads((trial.scratch / "change.json").read_text(encoding="utf-8"))
    path = trial.scratch / "outcome.json"
    outcome = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
    diff = f"{trial.mutant.path}: {change['change']}"
    if change["skipped"]:
        return WorkResult(worker_outcome=WorkerOutcome.SKIPPED, output=change["skipped"], diff=diff), False
    if not in_time or outcome is None:
        why = "out of time" if not in_time else f"the process died: {_log(trial)}"
        return WorkResult(worker_outcome=WorkerOutcome.NORMAL, test_outcome=TestOutcome.KILLED, output=why, diff=diff), False
    code = outcome["code"]
    if code in {0, 5}:  # passed, or no test at all
        output = "no test runs it" if code else "survived"
        return WorkResult(worker_outcome=WorkerOutcome.NORMAL, test_outcome=TestOutcome.SURVIVED, output=output, diff=diff), bool(trial.stages)
    output = outcome["failed"] or f"pytest ended with {code}: {_log(trial)}"
    return WorkResult(worker_outcome=WorkerOutcome.NORMAL, test_outcome=TestOutcome.KILLED, output=output, diff=diff), False


def _log(trial: Trial) -> str:
    return (trial.scratch / "log").read_text(encoding="utf-8", errors="replace")[-1000:]


def try_functions(mutants: Sequence[Mutant], touched: Touched, jobs: int, generosity: float) -> Iterator[tuple[Mutant, WorkResult | None, bool]]:
    """Try the mutants of one module with its own tests, by exchanging functions.

    Gives each with its result; or with none, and whether it has to be imported afresh (otherwise only the tests of other modules are left).
    """
    path = mutants[0].path
    tests = {mutant.job_id: stages(mutant, touched, generosity)[0] for mutant in mutants}
    tasks = [
        Task(
            mutant=mutant,
            tests=[name for name, _ in tests[mutant.job_id]] if not tests[mutant.job_id] or tests[mutant.job_id][0][0] not in OF_DECLARATIONS else [],
            shared=touched.shared(mutant),
            cpu_s=int(PATIENCE + 6 * sum(seconds for _, seconds in tests[mutant.job_id])),
        )
        for mutant in mutants
    ]
    own = own_tests(path)
    if not (ROOT / own).exists():
        yield from ((mutant, None, True) for mutant in mutants)
        return
    by_id = {mutant.job_id: mutant for mutant in mutants}
    done: set[str] = set()
    scratch = Path(tempfile.mkdtemp(prefix="valiza-mutants."))
    server = Server(tasks=tasks, path=path, scratch=scratch, jobs=jobs, wall_s=lambda task: HANGING_S + 3.0 * task.cpu_s)
    pid = os.fork()
    if pid == 0:
        log = os.open(scratch / "log", os.O_WRONLY | os.O_CREAT, 0o600)
        os.dup2(log, 1)
        os.dup2(log, 2)
        try:
            serve(server, [own])
        except BaseException:  # noqa: BLE001 - it goes into the log, whatever it is
            traceback.print_exc()
            os._exit(BROKEN)
        os._exit(0)
    waited = status = 0
    try:
        while not waited:
            waited, status = os.waitpid(pid, os.WNOHANG)
            for job, outcome in outcomes(scratch, done):
                done.add(job)
                yield by_id[job], _of_functions(path, outcome), bool(outcome.get("fresh"))
            time.sleep(0.3)
    finally:
        if not waited:  # this program was told to stop
            os.kill(pid, signal.SIGTERM)
    if os.waitstatus_to_exitcode(status) or len(done) < len(mutants):
        raise RuntimeError(f"{path}: {(scratch / 'log').read_text(encoding='utf-8', errors='replace')[-3000:]}")
    shutil.rmtree(scratch, ignore_errors=True)


def _of_functions(path: Path, outcome: dict[str, object]) -> WorkResult | None:
    diff = f"{path}: {outcome['change']}"
    if "skipped" in outcome:
        return WorkResult(worker_outcome=WorkerOutcome.SKIPPED, output=str(outcome["skipped"]), diff=diff)
    if "killed" in outcome:
        return WorkResult(worker_outcome=WorkerOutcome.NORMAL, test_outcome=TestOutcome.KILLED, output=str(outcome["killed"]), diff=diff)
    return None


def try_module(mutants: Sequence[Mutant], touched: Touched, jobs: int, generosity: float) -> Iterator[tuple[Mutant, WorkResult]]:
    """Try the mutants of one module: first the quick way, then what is left with a fresh import and all tests."""
    left: list[tuple[Mutant, list[list[tuple[str, float]]]]] = []
    for mutant, result, afresh in try_functions(mutants, touched, jobs, generosity):
        if result is not None:
            yield mutant, result
            continue
        both = stages(mutant, touched, generosity)
        chosen = [part for part in (both if afresh else both[1:]) if part]
        left.append((mutant, chosen or [[(name, 0.1) for name in OF_DECLARATIONS]]))
    if left:
        unchanged = Mutant(job_id="", path=mutants[0].path, operator=HARMLESS, occurrence=0, line=0)
        tests = [part for part in stages(unchanged, touched, 0.3) if part]
        for _, result in try_afresh([(unchanged, tests)], 1):
            if result.test_outcome != TestOutcome.SURVIVED:
                raise RuntimeError(f"{unchanged.path}, unchanged: {result.output}")
        yield from try_afresh(left, jobs)


def try_afresh(mutants: Sequence[tuple[Mutant, list[list[tuple[str, float]]]]], jobs: int) -> Iterator[tuple[Mutant, WorkResult]]:
    """Try mutants, some at a time, each in a process that imports the product with the mutant in it."""
    waiting = list(reversed(mutants))
    running: dict[int, Trial] = {}
    while waiting or running:
        while waiting and len(running) < jobs:
            trial = begin(*waiting.pop())
            running[trial.pid] = trial
        pid, status = os.waitpid(-1, os.WNOHANG)
        late = [trial for trial in running.values() if time.monotonic() > trial.deadline]
        if not pid and late:
            os.killpg(late[0].pid, signal.SIGKILL)
            pid, status = os.waitpid(late[0].pid, 0)
        if not pid:
            time.sleep(0.005)
            continue
        trial = running.pop(pid)
        result, go_on = finish(trial, os.waitstatus_to_exitcode(status), in_time=trial not in late)
        shutil.rmtree(trial.scratch, ignore_errors=True)
        if go_on:
            following = begin(trial.mutant, trial.stages)
            running[following.pid] = following
        else:
            yield trial.mutant, result


def own_tests(path: Path) -> str:
    """The test file of a module."""
    return f"tests/{path.parent}/test_{path.stem}.py"


def stages(mutant: Mutant, touched: Touched, generosity: float) -> tuple[list[tuple[str, float]], list[tuple[str, float]]]:
    """The tests for a mutant: the quick ones of its module, and others."""
    tests = touched.choose(mutant)
    own = (f"{own_tests(mutant.path)}::", *OF_DECLARATIONS)
    first = _as_many([test for test in tests if test[0].startswith(own) and test[1] <= QUICK], MOST_OWN * generosity)
    others = [test for test in tests if not test[0].startswith(own) or test[1] > QUICK]
    return first, _as_many(_from_few_files(others, int(MOST_FILES * generosity) or 1, own[0]), MOST_OTHER * generosity)


def _from_few_files(tests: list[tuple[str, float]], most: int, own: str) -> list[tuple[str, float]]:
    counted = Counter(name.partition("::")[0] for name, _ in tests if not name.startswith(own))
    kept = {name for name, _ in counted.most_common(most)}
    return [test for test in tests if test[0].startswith(own) or test[0].partition("::")[0] in kept]


def _as_many(tests: list[tuple[str, float]], most: float) -> list[tuple[str, float]]:
    total, kept = 0.0, []
    for name, seconds in tests:
        total += seconds
        if total > most:
            break
        kept.append((name, seconds))
    return kept


def session(path: Path) -> Path:
    """The session file of a module."""
    return WORK / f"{path.parent}.{path.stem}.sqlite"


def pending(path: Path) -> list[Mutant]:
    """The mutants of a module that have no result yet."""
    with use_db(session(path)) as db:
        found = [
            Mutant(job_id=item.job_id, path=path, operator=m.operator_name, occurrence=m.occurrence, line=m.start_pos[0])
            for item in db.pending_work_items
            for m in item.mutations
        ]
    return sorted(found, key=lambda mutant: (mutant.line, mutant.operator, mutant.occurrence))


def lot(mutant: Mutant) -> float:
    """A number from 0 to 1 drawn for the mutant, the same every time: those below a bound are a random sample, and a greater bound adds to it."""
    drawn = blake3.blake3(f"{SEED} {mutant.path} {mutant.operator} {mutant.occurrence}".encode()).digest(8)
    return int.from_bytes(drawn, "big") / (1 << 64)


def prepare(path: Path, *, again: bool, survivors: bool) -> None:
    """List the mutants of a module that is new, or changed since; forget results as asked."""
    file, stamp = session(path), session(path).with_suffix(".digest")
    now = blake3.blake3(path.read_bytes()).hexdigest()
    if again or not file.exists() or not stamp.exists() or stamp.read_text(encoding="utf-8") != now:
        file.unlink(missing_ok=True)
        with use_db(WORK / "all.sqlite") as everything, use_db(file) as db:
            list_mutants([path], everything, {})
            db.add_work_items(item for item in everything.work_items if item.mutations[0].operator_name not in LEFT_OUT)
        (WORK / "all.sqlite").unlink()
        stamp.write_text(now, encoding="utf-8")
    elif survivors:
        with sqlite3.connect(file) as connection:
            connection.execute("DELETE FROM work_results WHERE test_outcome = 'SURVIVED'")
        connection.close()


def explained() -> dict[str, str]:
    """Why a surviving mutant may live, by what it changes."""
    groups = tomllib.loads(EXPLAINED.read_text(encoding="utf-8")).get("group", []) if EXPLAINED.exists() else []
    return {change: group["why"] for group in groups for change in group["mutants"]}


def count(path: Path, reasons: Container[str]) -> tuple[Counter[str], list[tuple[str, str]]]:
    """What became of the mutants of a module: numbers, and the survivors with a note on each."""
    row: Counter[str] = Counter()
    survivors: list[tuple[str, str]] = []
    with use_db(session(path)) as db:
        row["left"] = db.num_work_items - db.num_results
        for item, result in db.completed_work_items:
            if result.worker_outcome == WorkerOutcome.SKIPPED:
                row["same"] += 1
            elif result.test_outcome == TestOutcome.KILLED:
                row["killed"] += 1
            else:
                row["explained" if result.diff in reasons else "unexplained"] += 1
                survivors.append((result.diff, f"[line {item.mutations[0].start_pos[0]}, {result.output}]"))
    return row, sorted(survivors)


def report(modules: Iterable[Path]) -> int:
    """Print the table and every surviving mutant without an explanation; gives how many those are."""
    reasons = explained()
    counted = {str(path): count(path, reasons) for path in modules if session(path).exists()}
    rows = {module: row for module, (row, _) in counted.items()}
    survivors = [survivor for _, found in counted.values() for survivor in found]
    unexplained = [f"{change}    {note}" for change, note in survivors if change not in reasons]
    used = {change for change, _ in survivors}
    print("| module | mutants | tried | killed | survived, explained | survived | score |\n|---|---:|---:|---:|---:|---:|---:|")
    total: Counter[str] = Counter()
    for module, row in rows.items():
        print(_row(f"`{module}`", row))
        total += row
    for folder in FOLDERS:
        print(_row(f"`{folder}/`", sum((row for module, row in rows.items() if module.startswith(f"{folder}/")), Counter())))
    print(_row("all", total))
    print(f"\n{total['same']} more are no program, or the same one, and were not tried; some of those not tried yet are such too.")
    print(*unexplained, sep="\n")
    for change in sorted(set(reasons) - used):
        if change.partition(":")[0] in rows and not rows[change.partition(":")[0]]["left"]:
            print(f"explained, but did not survive: {change}")
    return len(unexplained)


def _row(name: str, counted: Counter[str]) -> str:
    """A line of the table. Where only a sample was tried, the score is an estimate, with its 95 % interval (Wilson)."""
    tried = counted["killed"] + counted["explained"] + counted["unexplained"]
    share = counted["killed"] / tried if tried else 1.0
    score = f"{100 * share:.1f} %"
    if counted["left"] and tried:
        z = 1.96
        middle = (share + z * z / (2 * tried)) / (1 + z * z / tried)
        half = z * math.sqrt(share * (1 - share) / tried + z * z / (4 * tried * tried)) / (1 + z * z / tried)
        score += f" ({100 * (middle - half):.1f}-{100 * (middle + half):.1f})"
    cells = (name, tried + counted["left"], tried, counted["killed"], counted["explained"], counted["unexplained"], score)
    return f"| {' | '.join(map(str, cells))} |"


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description="Try mutants of keys/ and envelope/ against the tests.")
    parser.add_argument("modules", nargs="*", type=Path, help="modules such as keys/encoding.py; all if none is named")
    parser.add_argument("--again", action="store_true", help="forget the results of these modules first")
    parser.add_argument("--survivors", action="store_true", help="forget only which mutants of these modules survived")
    parser.add_argument("--learn", nargs="*", metavar="FILE", help="learn anew which test runs which line; or only of some files of tests")
    parser.add_argument("--report", action="store_true", help="try nothing, only report")
    parser.add_argument("--sample", type=float, default=1.0, metavar="PART", help="a part of the mutants only, such as 0.2; always the same ones")
    parser.add_argument("--generosity", type=float, default=1.0, metavar="N", help="give every mutant N times as long tests (1)")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="processes at a time (2)")
    return parser.parse_args()


def learn(files: Sequence[str] = TESTS) -> None:
    """Run the quick tests once, or those of some files, and note which of them runs which line."""
    print("learning which test runs which line", file=sys.stderr, flush=True)
    output = WORK / "learnt.json"
    command = [sys.executable, "-m", "pytest", "-p", "touching", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-m", "not slow", *files]
    environment = {**os.environ, "TOUCHING_OUTPUT": str(output), "PYTHONPATH": str(ROOT / "mutation")}
    subprocess.run(command, check=True, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    new = json.loads(output.read_text(encoding="utf-8"))
    if files != TESTS:
        new = _merged(json.loads(TOUCHING.read_text(encoding="utf-8")), new, files)
    TOUCHING.write_text(json.dumps(new), encoding="utf-8")
    output.unlink()


def _merged(old: dict[str, Any], new: dict[str, Any], files: Sequence[str]) -> dict[str, Any]:
    """What was known, with the tests of these files as they are now. The old ones among them keep their places, but run no line any more."""
    gone = sum(
        1 << index
        for index, (name, _) in enumerate(old["tests"])
        if name.startswith(tuple(f"{file}{mark}" for file in files for mark in ("::", "/")))
    )
    behind = len(old["tests"])
    lines: dict[str, dict[str, str]] = {}
    for path in {*old["lines"], *new["lines"]}:
        before, after = old["lines"].get(path, {}), new["lines"].get(path, {})
        lines[path] = {line: f"{int(before.get(line, '0'), 16) & ~gone | int(after.get(line, '0'), 16) << behind:x}" for line in {**before, **after}}
    tests = [[f"gone {name}" if gone >> index & 1 else name, seconds] for index, (name, seconds) in enumerate(old["tests"])]
    early = {path: sorted({*old["early"].get(path, []), *new["early"].get(path, [])}) for path in {*old["early"], *new["early"]}}
    return {"tests": tests + new["tests"], "lines": lines, "early": early}


def main() -> int:
    """Try the mutants; the exit code is 1 if one survives that nobody explained."""
    chosen = arguments()
    os.chdir(ROOT)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is stopped too
    WORK.mkdir(exist_ok=True)
    modules = chosen.modules or sources()
    if not chosen.report:
        if chosen.learn is not None or not TOUCHING.exists():
            learn(chosen.learn or TESTS)
        touched = Touched()
        for path in modules:
            prepare(path, again=chosen.again, survivors=chosen.survivors)
            mutants = [mutant for mutant in pending(path) if lot(mutant) < chosen.sample]
            if mutants:
                began = time.monotonic()
                with use_db(session(path)) as db:
                    for mutant, result in try_module(mutants, touched, chosen.jobs, chosen.generosity):
                        db.set_result(mutant.job_id, result)
                print(f"{path}: {len(mutants)} mutants, {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return 1 if report(modules) else 0


if __name__ == "__main__":
    sys.exit(main())
