"""The processes that check, and what waits for them.

A worker that is free takes all that waits, up to some number, as one batch: the more there is to do, the more goes into one transaction of the
register. A worker that dies, or thinks for too long, is replaced, and the messages of its batch are tried once more, each alone; one that comes to
nothing again is deferred, and its neighbours are not.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from valiza.gateway.decision import GatewayVerdict
from valiza.gateway.worker import HEAD, frame, read_decision, unpack, write_message
from valiza.keys.errors import Unavailable, ValizaError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from valiza.gateway.decision import Decision
    from valiza.gateway.message import Message

__all__ = ["Failed", "Observer", "Setup", "Workers"]

BATCH_MESSAGES: Final = 64
BATCH_BYTES: Final = 1 << 22
_START: Final = 120.0  # seconds until a worker has to be ready, on a machine that has much else to do
_PROBE: Final = 10.0  # seconds
_RETRY: Final = (0.1, 1.0, 5.0, 30.0)  # seconds before a worker that cannot be started is started again
_TOGETHER: Final = 1 / 3  # of the time limit is for a batch, so that each of its messages can be tried alone
_ALONE: Final = 2 / 3  # is for one message: it may be a large one


class Observer(Protocol):
    """Who is told what the workers do."""

    def batch(self, size: int) -> None:
        """So many messages were decided together."""

    def worker_lost(self, cause: str, messages: int) -> None:
        """A worker died or took too long (`died`, `time`) over so many messages."""

    def worker_failed(self, error: ValizaError) -> None:
        """A worker could not be started, and is tried again."""


class Failed(ValizaError):
    """A worker could not begin its work; with the exit code of what hindered it."""

    def __init__(self, exit_code: int, message: str, hint: str) -> None:
        super().__init__(message, hint)
        self.exit_code = exit_code


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What workers are started with.

    Attributes:
        command: the program and its arguments.
        start: the items of the first frame.
        seconds: within which a message is decided, or deferred.
    """

    command: Sequence[str]
    start: Sequence[object]
    seconds: float


@dataclass(slots=True, eq=False)
class _Job:
    """A message that waits."""

    message: Message
    size: int
    done: asyncio.Future[Decision]
    alone: bool = False


class _Process:
    """A worker."""

    def __init__(self, setup: Setup, process: asyncio.subprocess.Process) -> None:
        self.setup = setup
        self._process = process
        self.expiries: Mapping[str, int] = {}
        self._watch = asyncio.create_task(process.wait())

    @property
    def gone(self) -> bool:
        """Whether it has ended."""
        return self._process.returncode is not None

    def when_gone(self, call: Callable[[], None]) -> None:
        """Call that when it ends."""
        self._watch.add_done_callback(lambda _: call())

    @classmethod
    async def start(cls, setup: Setup) -> _Process:
        """A worker that is ready.

        Raises:
            Failed: it says why it is not. Unavailable: it ended, or was not ready in time.
        """
        pipe = asyncio.subprocess.PIPE
        found = cls(setup, await asyncio.create_subprocess_exec(*setup.command, stdin=pipe, stdout=pipe))
        try:
            async with asyncio.timeout(_START):
                said = await found.ask("start", *setup.start)
        except (TimeoutError, OSError, EOFError) as error:
            await found.kill()
            message = "a worker of the gateway did not start"
            raise Unavailable(message, "see what it said on standard error") from error
        except BaseException:
            await found.kill()
            raise
        if said[0] != "ready":
            await found.kill()
            raise Failed(*said[1:])
        found.expiries = said[1]
        return found

    @property
    def pid(self) -> int:
        return self._process.pid

    async def ask(self, *items: object) -> list[Any]:
        """Send a frame, and wait for its answer.

        Raises:
            OSError, EOFError: the process is gone.
        """
        sink, source = self._process.stdin, self._process.stdout
        if sink is None or source is None:
            raise EOFError
        sink.write(frame(*items))
        await sink.drain()
        (size,) = HEAD.unpack(await source.readexactly(HEAD.size))
        return unpack(await source.readexactly(size))

    async def end(self) -> None:
        """Let it end by itself: it is at rest."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            async with asyncio.timeout(10):
                await self._process.wait()
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """End it now."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()


@dataclass(slots=True, eq=False)
class _Generation:
    """Workers that were started with the same rules."""

    setup: Setup
    retired: bool = False
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    ready: dict[int, _Process] = field(default_factory=dict)  # by the number of the slot


class Workers:
    """A number of workers, and the messages that wait for one of them.

    Args:
        count: how many.
        observer: is told what they do.
        deferred: the decision on a message of which nothing is known, by verdict and reason.
    """

    def __init__(self, count: int, observer: Observer, deferred: Callable[[GatewayVerdict, str], Decision]) -> None:
        self._deferred = deferred
        self._count = count
        self._observer = observer
        self._waiting: deque[_Job] = deque()
        self._suspects: deque[_Job] = deque()  # taken one by one
        self._work = asyncio.Event()
        self._now: _Generation | None = None
        self._old: set[asyncio.Task[None]] = set()
        self._probe: asyncio.Future[str] | None = None
        self.expiries: Mapping[str, int] = {}  # when the roster of each party ends

    @property
    def waiting(self) -> int:
        """How many messages wait for a worker."""
        return len(self._waiting) + len(self._suspects)

    @property
    def ready(self) -> list[int]:
        """Process ids of the workers that can be given work."""
        return [] if self._now is None else [process.pid for process in self._now.ready.values() if not process.gone]

    async def start(self, setup: Setup) -> None:
        """Start workers, and let them take the place of those that there are, which finish what they have.

        Raises:
            Failed, Unavailable: one does not start; then those that there are stay.
        """
        results = await asyncio.gather(*(_Process.start(setup) for _ in range(self._count)), return_exceptions=True)
        processes = [found for found in results if isinstance(found, _Process)]
        failures = [found for found in results if isinstance(found, BaseException)]
        if failures:
            await asyncio.gather(*(process.end() for process in processes))
            raise failures[0]
        before, self._now = self._now, _Generation(setup)
        self.expiries = processes[0].expiries
        for slot, process in enumerate(processes):
            self._join(self._now, slot, process)
            self._now.tasks.append(asyncio.create_task(self._run(self._now, slot, process)))
        if before is not None:
            self._retire(before)

    def _retire(self, generation: _Generation) -> None:
        generation.retired = True
        self._work.set()
        for task in generation.tasks:
            self._old.add(task)
            task.add_done_callback(self._old.discard)

    async def stop(self) -> None:
        """Let the workers finish what they have and end; what still waits is deferred."""
        generation, self._now = self._now, None
        if generation is not None:
            self._retire(generation)
        if self._old:
            await asyncio.wait(self._old)
        for job in [*self._suspects, *self._waiting]:
            _answer(job, self._deferred(GatewayVerdict.UNAVAILABLE, "the gateway stops"))

    # -- a message --------------------------------------------------------------------------------------------------------

    async def check(self, message: Message) -> Decision:
        """What becomes of a message, within the time limit."""
        if self._now is None:
            return self._deferred(GatewayVerdict.UNAVAILABLE, "the gateway stops")
        job = _Job(message, await _size(message), asyncio.get_running_loop().create_future())
        self._waiting.append(job)
        self._work.set()
        try:
            async with asyncio.timeout(self._now.setup.seconds):
                return await job.done
        except TimeoutError:
            return self._deferred(GatewayVerdict.UNAVAILABLE, "no worker decided in time")
        finally:
            job.done.cancel()  # who waited may be gone

    async def probe(self) -> str:
        """Why nothing could be decided now; empty if something could."""
        if not self.ready:
            return "no worker is ready"
        if self._probe is None or self._probe.done():
            self._probe = asyncio.get_running_loop().create_future()
            self._work.set()
        try:
            async with asyncio.timeout(_PROBE):
                return await asyncio.shield(self._probe)
        except TimeoutError:
            return "the workers are busy"

    async def _answer_probe(self, process: _Process, probe: asyncio.Future[str]) -> bool:
        """Let a worker say whether it could decide; False if it is lost."""
        self._probe = None
        try:
            async with asyncio.timeout(process.setup.seconds):
                said = await process.ask("probe")
        except (TimeoutError, OSError, EOFError) as error:
            self._observer.worker_lost("time" if isinstance(error, TimeoutError) else "died", 0)
            probe.set_result("a worker was lost")
            return False
        self.expiries = said[2] or self.expiries
        probe.set_result(str(said[1]))
        return True

    def _take(self) -> list[_Job]:
        """A batch: one message that is suspected, or what waits."""
        for waiting in (self._suspects, self._waiting):
            while waiting and waiting[0].done.done():
                waiting.popleft()
        if self._suspects:
            return [self._suspects.popleft()]
        batch: list[_Job] = []
        size = 0
        while self._waiting and len(batch) < BATCH_MESSAGES:
            job = self._waiting[0]
            if batch and size + job.size > BATCH_BYTES:
                break
            self._waiting.popleft()
            if not job.done.done():
                batch.append(job)
                size += job.size
        return batch

    # -- a worker ---------------------------------------------------------------------------------------------------------

    async def _run(self, generation: _Generation, slot: int, process: _Process | None) -> None:
        """Give work to the worker of one slot, whichever it is, until its generation is retired."""
        failures = 0
        while not generation.retired:
            if process is None:
                process = await self._replacement(generation, slot, failures)
                failures = 0 if process is not None else failures + 1
                continue
            if process.gone:
                self._observer.worker_lost("died", 0)
                del generation.ready[slot]
                process = None
                continue
            probe, batch = self._probe, []
            if probe is None:
                batch = self._take()
                if not batch:
                    self._work.clear()
                    await self._work.wait()
                    continue
            if self.waiting:
                self._work.set()  # for the next one
            if not await (self._decide(process, batch) if probe is None else self._answer_probe(process, probe)):
                del generation.ready[slot]
                await process.kill()
                process = None
        if process is not None:
            generation.ready.pop(slot, None)
            await process.end()

    async def _replacement(self, generation: _Generation, slot: int, failures: int) -> _Process | None:
        if failures:
            await asyncio.sleep(_RETRY[min(failures, len(_RETRY)) - 1])
        if generation.retired:
            return None
        try:
            process = await _Process.start(generation.setup)
        except ValizaError as error:
            self._observer.worker_failed(error)
            return None
        self._join(generation, slot, process)
        return process

    def _join(self, generation: _Generation, slot: int, process: _Process) -> None:
        generation.ready[slot] = process
        process.when_gone(self._work.set)

    async def _decide(self, process: _Process, batch: Sequence[_Job]) -> bool:
        """Let a worker decide a batch; False if it is lost."""
        cause = "died"
        share = _ALONE if len(batch) == 1 else _TOGETHER
        try:
            async with asyncio.timeout(process.setup.seconds * share):
                said = await process.ask("check", [write_message(job.message) for job in batch])
            decisions = [read_decision(item) for _, item in zip(batch, said[1], strict=True)]
        except TimeoutError:
            cause = "time"
        except (OSError, EOFError, ValueError):
            pass
        else:
            self._observer.batch(len(batch))
            for job, decision in zip(batch, decisions, strict=True):
                _answer(job, decision)
            return True
        self._observer.worker_lost(cause, len(batch))
        for job in batch:
            if job.alone:
                _answer(job, self._deferred(GatewayVerdict.FAULT, f"a worker was lost over it twice ({cause})"))
            else:
                job.alone = True
                self._suspects.append(job)
        self._work.set()
        return False


def _answer(job: _Job, decision: Decision) -> None:
    if not job.done.done():
        job.done.set_result(decision)


async def _size(message: Message) -> int:
    """Bytes of a message, wherever they are."""
    if isinstance(message.raw, Path):
        return (await asyncio.to_thread(message.raw.stat)).st_size
    return len(message.raw)
