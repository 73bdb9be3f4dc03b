"""Workers: what waits is decided together, one that dies or hangs is replaced, its messages are tried alone, and no neighbour suffers."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from valiza.gateway.decision import Action, Decision, Finding, GatewayVerdict
from valiza.gateway.message import Message
from valiza.gateway.workers import BATCH_MESSAGES, Failed, Setup, Workers
from valiza.keys.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Sequence

    from valiza.keys.errors import ValizaError

FICKLE: Final = Path(__file__).parent.parent / "support" / "fickle_worker.py"


class Watched:
    """Who is told, and remembers."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.lost: list[tuple[str, int]] = []
        self.failed: list[str] = []

    def batch(self, size: int) -> None:
        self.batches.append(size)

    def worker_lost(self, cause: str, messages: int) -> None:
        self.lost.append((cause, messages))

    def worker_failed(self, error: ValizaError) -> None:
        self.failed.append(error.message)


def setup(rules: str = "one", seconds: float = 60) -> Setup:
    return Setup(command=(sys.executable, "-P", str(FICKLE)), start=(rules,), seconds=seconds)


def deferred(verdict: GatewayVerdict, reason: str) -> Decision:
    finding = Finding(verdict=verdict, exit_code=7, reason=reason)
    return Decision(action=Action.DEFER, findings=(finding,), reply=f"451 4.3.0 valiza: {verdict}")


@asynccontextmanager
async def working(count: int = 1, **how: Any) -> AsyncIterator[tuple[Workers, Watched]]:
    watched = Watched()
    workers = Workers(count, watched, deferred)
    await workers.start(setup(**how))
    try:
        yield workers, watched
    finally:
        await workers.stop()


def told(what: str, **more: Any) -> Message:
    return Message(raw=f"Do: {what}\r\n\r\n".encode(), **more)


async def all_of(workers: Workers, messages: Sequence[Message]) -> list[Decision]:
    return await asyncio.gather(*(workers.check(message) for message in messages))


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(test)


def seen(decision: Decision) -> list[str]:
    """What the worker got."""
    ((_, value),) = decision.headers
    return value.split("; ")


def test_what_waits_is_decided_together() -> None:
    async def test() -> None:
        async with working() as (workers, watched):
            decisions = await all_of(workers, [told("accept", queue_id=str(number)) for number in range(150)])
            assert [seen(decision)[4] for decision in decisions] == [str(number) for number in range(150)]
            assert sum(watched.batches) == 150
            assert max(watched.batches) == BATCH_MESSAGES
            assert watched.lost == []

    run(test())


def test_a_decision_and_a_message_cross_the_pipe_whole(tmp_path: Path) -> None:
    async def test() -> None:
        async with working() as (workers, _):
            (found,) = await all_of(workers, [told("reject", sender="\udcd0@x")])
            assert found.action is Action.REJECT
            assert found.reply == "550 5.7.1 valiza: malformed"
            assert [(str(f.verdict), f.exit_code, f.part) for f in found.findings] == [("delivered", 0, ""), ("malformed", 3, "2.1")]
            assert found.findings[0].envelope_id == bytes(32)
            assert "\udcd0@x" in found.findings[0].reason
            spooled = tmp_path / "message"
            spooled.write_bytes(b"Do: accept\r\n\r\n" + bytes(1 << 20))
            assert seen(await workers.check(Message(raw=spooled, sender=None)))[-1] == "PosixPath"

    run(test())


def test_large_messages_do_not_wait_for_each_other() -> None:
    async def test() -> None:
        large = Message(raw=b"Do: accept\r\n\r\n" + bytes(3 << 20))
        async with working() as (workers, watched):
            await all_of(workers, [large] * 4)
            assert max(watched.batches) == 1

    run(test())


@pytest.mark.parametrize("word", ["die", "raise"])
def test_a_message_that_kills_is_deferred_and_its_neighbours_are_not(word: str) -> None:
    async def test() -> None:
        async with working() as (workers, watched):
            decisions = await all_of(workers, [told("accept"), told("accept"), told(word), told("accept")])
            assert [decision.action for decision in decisions] == [Action.ACCEPT, Action.ACCEPT, Action.DEFER, Action.ACCEPT]
            assert decisions[2].reply == "451 4.3.0 valiza: fault"
            assert {cause for cause, _ in watched.lost} == {"died"}
            assert (await workers.check(told("accept"))).action is Action.ACCEPT

    run(test())


def test_a_message_that_killed_once_is_decided(tmp_path: Path) -> None:
    async def test() -> None:
        async with working() as (workers, watched):
            assert (await workers.check(told(f"die-once {tmp_path / 'died'}"))).action is Action.ACCEPT
            assert watched.lost == [("died", 1)]

    run(test())


@pytest.mark.slow
def test_a_message_over_which_a_worker_hangs_is_deferred() -> None:
    async def test() -> None:
        async with working(3, seconds=12) as (workers, watched):
            decisions = await all_of(workers, [told("accept"), told("hang"), told("accept")])
            assert [decision.action for decision in decisions] == [Action.ACCEPT, Action.DEFER, Action.ACCEPT]
            assert watched.lost[0][0] == "time"

    run(test())


def test_a_worker_that_is_killed_is_replaced() -> None:
    async def test() -> None:
        async with working(2) as (workers, watched):
            first = list(workers.ready)
            for _ in range(3):
                waiting = asyncio.gather(*(workers.check(told("sleep 0.01")) for _ in range(40)))
                await asyncio.sleep(0.05)
                os.kill(workers.ready[0], signal.SIGKILL)
                assert {decision.action for decision in await waiting} == {Action.ACCEPT}
            assert set(workers.ready) != set(first)
            assert watched.lost

    run(test())


def test_a_worker_that_dies_at_rest_costs_no_message_its_first_try() -> None:
    async def test() -> None:
        async with working() as (workers, watched):
            (first,) = workers.ready
            os.kill(first, signal.SIGKILL)
            while workers.ready in ([], [first]):  # noqa: ASYNC110 - nobody tells when
                await asyncio.sleep(0.01)
            assert watched.lost == [("died", 0)]
            assert (await workers.check(told("accept"))).action is Action.ACCEPT
            assert watched.batches == [1]

    run(test())


def test_new_rules_drop_no_message() -> None:
    async def test() -> None:
        async with working(2) as (workers, _):
            waiting = asyncio.gather(*(workers.check(told("sleep 0.01")) for _ in range(60)))
            await asyncio.sleep(0)
            await workers.start(setup("two"))
            late = await all_of(workers, [told("accept")] * 3)
            assert {decision.action for decision in await waiting} == {Action.ACCEPT}
            assert {seen(decision)[1] for decision in late} == {"two"}

    run(test())


@pytest.mark.parametrize(("rules", "error"), [("bad", Failed), ("dead", Unavailable)])
def test_bad_rules_change_nothing(rules: str, error: type[ValizaError]) -> None:
    async def test() -> None:
        async with working() as (workers, _):
            before = list(workers.ready)
            with pytest.raises(error) as told_of:
                await workers.start(setup(rules))
            if error is Failed:
                assert (told_of.value.exit_code, told_of.value.message, told_of.value.hint) == (6, "rules that are none", "write others")
            assert workers.ready == before
            assert seen(await workers.check(told("accept")))[1] == "one"

    run(test())


def test_a_probe_says_why_nothing_can_be_decided() -> None:
    async def test() -> None:
        async with working() as (workers, _):
            assert await workers.probe() == ""
            assert dict(workers.expiries) == {"KZ": 1_800_000_000}
            await workers.start(setup("unavailable"))
            assert await workers.probe() == "the register is away"
        assert await workers.probe() == "no worker is ready"

    run(test())


def test_stopping_finishes_what_is_begun_and_accepts_nothing_more() -> None:
    async def test() -> None:
        async with working() as (workers, _):
            begun = asyncio.ensure_future(workers.check(told("sleep 0.2")))
            await asyncio.sleep(0.05)
        assert (await begun).action is Action.ACCEPT
        assert (await workers.check(told("accept"))).reply == "451 4.3.0 valiza: unavailable"

    run(test())


def test_signals_that_are_meant_for_the_gateway_do_not_end_a_worker() -> None:
    async def test() -> None:
        async with working() as (workers, watched):
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                os.kill(workers.ready[0], number)
            assert (await workers.check(told("accept"))).action is Action.ACCEPT
            assert watched.lost == []

    run(test())
