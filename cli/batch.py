"""Work on one object or on many: one result each, and the exit code of the first that is not 0."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from valiza.cli.options import clear_up
from valiza.cli.render import emit, in_brief
from valiza.cli.terminal import complain, counting, keep_quiet, print_result, safe, say, warn
from valiza.keys.errors import Unavailable, Usage, ValizaError, system_error
from valiza.keys.interruption import begin

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from valiza.keys.processes import Start

__all__ = [
    "Result",
    "Work",
    "attempt",
    "each_line_option",
    "each_option",
    "failed",
    "find_envelopes",
    "in_folder",
    "jobs_option",
    "one_by_one",
    "report",
    "require_alone",
    "require_files",
    "require_one_input",
    "target_folder",
]


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came of one object.

    Attributes:
        facts: what `--json` prints.
        people: what people are shown, where all of `facts` would hide it.
        output: where the object itself went; of "-" the result is told on standard error.
        line: the same in one line, for work on many.
        exit_code: 0, or that of the verdict or error.
        error: what went wrong, in one line.
        hint: what to try.
    """

    facts: Mapping[str, Any] = field(default_factory=dict)
    people: Mapping[str, Any] | None = None
    output: Path | None = None
    line: str = ""
    exit_code: int = 0
    error: str = ""
    hint: str = ""


_OUR_ENDINGS: Final = re.compile(r"((\.(ack|refusal))?\.vls|\.vlz)$")
Work = Callable[[Sequence[Path]], list[Result]]

each_option = click.option("--each", is_flag=True, help="Each object by itself, however many there are; -o is a folder for the results.")
each_line_option = click.option("--each", is_flag=True, help="A line for each object, also if there is only one.")
jobs_option = click.option("--jobs", type=click.IntRange(1, 256), default=1, show_default=True, metavar="N", help="Processes that share the work.")


def attempt(work: Callable[[], Result]) -> Result:
    """The result of some work, or of what stopped it."""
    try:
        return work()
    except ValizaError as error:
        return failed(error)
    except OSError as error:
        return failed(Unavailable(system_error(error)))


def failed(error: ValizaError) -> Result:
    """The result of work that an error stopped."""
    return Result(exit_code=error.exit_code, error=error.message, hint=error.hint)


def one_by_one(work: Callable[[Path], Result], objects: Sequence[Path]) -> list[Result]:
    """Work that takes one object, for a group."""
    return [attempt(partial(work, path)) for path in objects]


def report(
    objects: Sequence[Path], work: Work, *, many: bool, json_: bool, what: str, group: int = 1, jobs: int = 1, start: Start | None = None
) -> int:
    """Do the work and print what came of it; returns the exit code.

    Args:
        objects: what to work on.
        work: takes a group of objects and returns a result for each, in order; what goes wrong with one is its result.
        many: print a line for each object (JSON: one object a line), not the one result at length.
        json_: whether a script reads it.
        what: what is counted on a terminal.
        group: how many objects `work` takes at a time.
        jobs: processes that share the groups; `work` has to be importable, then.
        start: what each process calls first, with its arguments.
    """
    if not many:
        (result,) = work(objects)
        if result.facts:
            emit(result.facts, json_=json_, people=None if result.people is None else in_brief(result.people), output=result.output)
        if result.error:
            complain(result.error, result.hint)
        return result.exit_code
    first = wrong = done = 0
    told = ""
    with counting(what, len(objects)) as advance, _interruption_told(what, lambda: done, len(objects)), ExitStack() as stack:
        for path, result in zip(objects, _results(objects, work, group, jobs, start, stack), strict=True):
            done += 1
            _report_one(path, result, json_=json_, told=told)
            told = result.hint or told
            first = first or result.exit_code
            wrong += result.exit_code != 0
            advance(1)
    if wrong:
        say(f"valiza: {wrong} of {done} {what} ended in an error")
    return first


@contextmanager
def _interruption_told(what: str, done: Callable[[], int], total: int) -> Iterator[None]:
    """Say how far the work came, if it is interrupted."""
    try:
        yield
    except KeyboardInterrupt:
        say(f"valiza: {done()} of {total} {what} were reported; what was reported is done, and stays")
        raise


def _results(objects: Sequence[Path], work: Work, group: int, jobs: int, start: Start | None, stack: ExitStack) -> Iterator[Result]:
    left = iter(objects)
    groups = iter(lambda: list(islice(left, group)), [])
    if jobs == 1:
        for some in groups:
            begin()
            yield from _of_group(work, some)
        return
    from valiza.keys.processes import shared

    share = stack.enter_context(shared(jobs, (_start, (start,)), hint="what was reported is done; for the rest try fewer --jobs"))
    for results in share(partial(_of_group, work), groups):
        yield from results


def _of_group(work: Work, some: Sequence[Path]) -> list[Result]:
    """What came of a group. What stops all of it, a full disk for example, is the result of each: one result each, whatever happens."""
    try:
        return work(some)
    except ValizaError as error:
        return [failed(error)] * len(some)


def _start(start: Start | None) -> None:
    """In a new process: the one that started it shows the progress for all."""
    keep_quiet()
    if start is not None:
        call, arguments = start
        call(*arguments)


def _report_one(path: Path, result: Result, *, json_: bool, told: str) -> None:
    """Print a result. A hint that was told last is not told again: what is wrong with many is often wrong with all in the same way."""
    if json_:
        trouble = {"error": result.error, "hint": result.hint} if result.error else {}
        print_result(json.dumps({"object": str(path), "exit_code": result.exit_code, **trouble, **result.facts}, ensure_ascii=True))
        return
    if result.line:
        print_result(f"{safe(path)}: {result.line}")
    if result.error:
        named = repr(str(path)) in result.error
        complain(result.error if named else f"{path}: {result.error}", "" if result.hint == told else result.hint)


def require_alone(many: bool, **given: object) -> None:
    """Raise Usage if an option that is about one object is given for many.

    Args:
        many: whether there are several objects, or `--each`.
        given: by the option's name, what was given for it; None or nothing repeated: it was not given.
    """
    wrong = [f"--{name}" for name, value in given.items() if value is not None and value != ()]
    if many and wrong:
        message = f"{' and '.join(wrong)} {'is' if len(wrong) == 1 else 'are'} about one object, and here each of several is by itself"
        raise Usage(message, "give the one object that it is about, without --each")


def require_files(many: bool, *objects: Path) -> None:
    """Raise Usage if standard input is one of many: the result of an object is called by its name, and several processes would share it."""
    if many and Path("-") in objects:
        message = "standard input has no name, and here objects are told apart by their names"
        raise Usage(message, "save it to a file first")


def require_one_input(*objects: Path) -> None:
    """Raise Usage if standard input is named twice: it is read once."""
    if objects.count(Path("-")) > 1:
        message = "standard input can be one object, not several"
        raise Usage(message, "save the others to files")


def target_folder(path: Path) -> Path:
    """The folder that `-o` names for the results of many; made if it is not there.

    Raises:
        Usage: it is a file, or standard output. Unavailable: it cannot be made.
    """
    from valiza.keys.files import storage_errors, sync_folder

    if str(path) == "-":
        message = "the results of many objects go to a folder, not to standard output"
        raise Usage(message, "give -o DIR")
    with storage_errors(path):
        if not path.is_dir():
            if path.exists():
                message = f"{str(path)!r} is no folder"
                raise Usage(message, "with --each or several objects, -o names a folder for the results")
            path.mkdir(mode=0o700)
            sync_folder(path.parent)
    clear_up(path)
    return path


def in_folder(folder: Path, source: Path, ending: str) -> Path:
    """Where the result for an object goes: its name in the folder, without our endings, and with a new one."""
    return folder / (_OUR_ENDINGS.sub("", source.name) + ending)


def find_envelopes(given: Sequence[Path]) -> dict[bytes, Path]:
    """Envelopes by the digest of their dispatch; of a folder, all `.vlz` in it. Nothing is verified yet.

    What is no envelope in a folder is passed over, and told: it stops nothing else.

    Raises:
        Malformed, Unavailable: one that was named is no envelope, or cannot be read, or a folder has none.
    """
    found = {}
    for path in given:
        if not path.is_dir():
            found[_dispatch_of(path)] = path
            continue
        inside = sorted(path.glob("*.vlz"))
        if not inside:
            message = f"{str(path)!r} is a folder without any envelope (*.vlz)"
            raise Unavailable(message)
        for envelope in inside:
            try:
                found[_dispatch_of(envelope)] = envelope
            except ValizaError as error:
                warn(f"{error.message}; passed over")
    return found


def _dispatch_of(envelope: Path) -> bytes:
    from valiza.envelope.container import read_container
    from valiza.keys import labels
    from valiza.keys.digests import digest
    from valiza.office.reader import envelope_file

    with envelope_file(envelope) as source:
        return digest(labels.DIGEST_STATEMENT, read_container(source).dispatch_raw)
