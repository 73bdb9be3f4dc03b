"""Send receipts by the thousand through a gateway, while its database and its workers die: `python -m soak.gateway` from the top of the checkout.

A PostgreSQL server and `valiza gateway serve`, with the folder of an office without keys and the role of a gateway; mail servers, each with one
connection, bring receipts over the milter protocol, or with `--postfix` clients bring them to a real Postfix. Of a hundred messages one is brought
twice, one is damaged, and one carries nothing. The database is stopped and started again, a worker is killed; whoever is told to come again does so.

In the end every receipt is entered once, and every message got the verdict that it had to get. What it took is printed, by parts.
"""

from __future__ import annotations

import argparse
import base64
import collections
import os
import random
import re
import signal
import socket
import struct
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.support.bulk import Exchanged, enter, exchanged
from tests.support.cli import World, found_world
from tests.support.gateway import Gateway, gateway_folder, serving
from tests.support.letters import letter, plain
from tests.support.milter import split
from tests.support.postfix import Postfix
from tests.support.postfix import running as running_postfix
from tests.support.postgresql import Cluster
from tests.support.postgresql import running as running_postgresql

from valiza.envelope.receipt import read_receipt
from valiza.gateway.parts import Limits, take_apart
from valiza.gateway.workers import BATCH_MESSAGES
from valiza.keys.processes import processors, shared
from valiza.office.home import Office
from valiza.register.connecting import migrate
from valiza.register.store import Query

EXPECTED: Final = {"good": {"delivered"}, "again": {"duplicate"}, "bad": {"not-authentic", "malformed"}, "none": {"none"}}
PAUSE: Final = 0.1  # seconds until who was told to come again does


@dataclass(frozen=True)
class Parcel:
    """A message, and what it is."""

    kind: str
    raw: bytes = field(repr=False)
    number: int


# -- what is sent ---------------------------------------------------------------------------------------------------------


def _letters(receipts: list[bytes]) -> list[bytes]:
    return [letter(receipt) for receipt in receipts]


def parcels(sent: list[Exchanged], chance: random.Random) -> list[Parcel]:
    """All messages, in a random order but for this: what comes twice comes first the first time."""
    receipts = [one.receipt for one in sent]
    with shared(processors()) as share:
        raw = [one for made in share(_letters, [receipts[at : at + 100] for at in range(0, len(receipts), 100)]) for one in made]
    found = [Parcel("good", one, number) for number, one in enumerate(raw)]
    some = max(1, len(raw) // 100)
    found += [Parcel("bad", damaged(raw[number], receipts[number], chance), number) for number in chance.sample(range(len(raw)), some)]
    found += [Parcel("none", plain(b"lunch %d\r\n" % number), number) for number in range(some)]
    chance.shuffle(found)
    return found


def damaged(raw: bytes, receipt: bytes, chance: random.Random) -> bytes:
    """The same message with another byte somewhere in the last signature."""
    at = len(receipt) - chance.randrange(1, 3000)
    other = receipt[:at] + bytes([receipt[at] ^ 1]) + receipt[at + 1 :]
    before, after = (base64.encodebytes(one).replace(b"\n", b"\r\n") for one in (receipt, other))
    assert raw.count(before) == 1
    return raw.replace(before, after)


# -- who brings it --------------------------------------------------------------------------------------------------------


class Bringers:
    """Clients that bring messages until all are done."""

    def __init__(self, waiting: list[Parcel]) -> None:
        self.waiting = collections.deque(waiting)
        self.verdicts: list[tuple[Parcel, str, bool]] = []  # with whether it had been brought before without an answer
        self.later = Counter[str]()
        self._tried: set[int] = set()
        self._lock = threading.Lock()

    def next(self) -> Parcel | None:
        with self._lock:
            return self.waiting.popleft() if self.waiting else None

    def done(self, parcel: Parcel, verdict: str) -> None:
        with self._lock:
            self.verdicts.append((parcel, verdict, id(parcel) in self._tried))

    def again(self, parcel: Parcel, why: str) -> None:
        with self._lock:
            self.later[why] += 1
            self._tried.add(id(parcel))
            self.waiting.append(parcel)
        time.sleep(PAUSE)

    def over_milter(self, path: Path) -> None:
        """One mail server, one connection as long as it holds."""
        connection: socket.socket | None = None
        while (parcel := self.next()) is not None:
            try:
                if connection is None:
                    connection = _connected(path)
                verdict = _brought(connection, parcel)
            except OSError as error:
                if connection is not None:
                    connection.close()
                connection = None
                self.again(parcel, type(error).__name__)
                continue
            if verdict.startswith("4"):
                self.again(parcel, verdict)
            else:
                self.done(parcel, verdict)
        if connection is not None:
            connection.close()

    def over_smtp(self, postfix: Postfix) -> None:
        """One client, a hundred messages in a session."""
        while self.waiting:
            with postfix.session() as client:
                for _ in range(100):
                    parcel = self.next()
                    if parcel is None:
                        return
                    marked = b"X-Soak: %s-%d\r\n" % (parcel.kind.encode(), parcel.number) + parcel.raw
                    said = postfix.send(marked, client=client, sender="clerk@by.test.invalid")
                    if said.code // 100 == 4:
                        self.again(parcel, f"{said.code} {said.text}")
                    else:
                        self.done(parcel, "accepted" if said.code == 250 else said.text)


def _connected(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(120)
    try:
        connection.connect(str(path))
        connection.sendall(_frame("O", struct.pack(">III", 6, 0x1FF, 0x1FFFFF)))
        _heard(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _frame(kind: str, data: bytes = b"") -> bytes:
    return struct.pack(">IB", len(data) + 1, ord(kind)) + data


def _heard(connection: socket.socket) -> tuple[str, bytes]:
    (size,) = struct.unpack(">I", _read(connection, 4))
    got = _read(connection, size)
    return chr(got[0]), got[1:]


def _read(connection: socket.socket, size: int) -> bytes:
    got = b""
    while len(got) < size:
        more = connection.recv(size - len(got))
        if not more:
            raise ConnectionResetError
        got += more
    return got


def _brought(connection: socket.socket, parcel: Parcel) -> str:
    """Say a whole message at once, and hear what becomes of it: the verdict, or the reply."""
    pairs, body = split(parcel.raw)
    words = [_frame("M", b"<clerk@by.test.invalid>\0"), _frame("D", b"Ni\0%d\0" % parcel.number)]
    words += [_frame("L", name + b"\0" + value + b"\0") for name, value in pairs]
    words += [_frame("N"), *(_frame("B", body[at : at + 65535]) for at in range(0, len(body), 65535)), _frame("E")]
    connection.sendall(b"".join(words))
    pieces, verdict = -(-len(body) // 65535), ""
    while True:
        kind, data = _heard(connection)
        if kind == "c" and pieces:
            pieces -= 1
        elif kind == "h":
            verdict = data.split(b"\0")[1].decode("ascii").strip().partition(";")[0]
        elif kind == "y":
            return data.rstrip(b"\0").decode("ascii")
        elif kind == "c":
            return verdict


# -- what happens meanwhile -----------------------------------------------------------------------------------------------


@dataclass
class Seen:
    """What was measured while messages were brought."""

    memory: list[tuple[float, int, float, float]] = field(default_factory=list)  # time, done, MiB of the service, MiB of the largest worker
    seconds: Counter[str] = field(default_factory=Counter)  # of processors, by who used them
    down: float = 0.0  # seconds without a database
    events: list[str] = field(default_factory=list)


def _resident(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGESIZE") / (1 << 20)
    except (OSError, IndexError):
        return 0.0


def _used(pids: list[int]) -> dict[int, float]:
    """Seconds of processors that some processes have used so far."""
    found = {}
    for pid in pids:
        with suppress(OSError):
            said = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
            found[pid] = (int(said[11]) + int(said[12])) / os.sysconf("SC_CLK_TCK")
    return found


class Meter:
    """Adds up what processes used that come and go."""

    def __init__(self) -> None:
        self._used: dict[tuple[str, int], tuple[float, float]] = {}  # first and last seen

    def look(self, who: str, pids: list[int]) -> None:
        for pid, used in _used(pids).items():
            first, _ = self._used.get((who, pid), (used, used))
            self._used[who, pid] = (first, used)

    def sums(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for (who, _), (first, last) in self._used.items():
            found[who] += last - first  # type: ignore[assignment] # a Counter of seconds
        return found


def disturb(cluster: Cluster, gateway: Gateway, bringers: Bringers, total: int, given: argparse.Namespace) -> Seen:
    """Stop the database and kill workers at even distances, and look at the memory all the time, until everything was brought."""
    seen, started, meter = Seen(), time.monotonic(), Meter()
    plan = ["restart"] * given.restarts + ["kill"] * given.kills
    random.Random(given.seed).shuffle(plan)  # noqa: S311 - which comes first
    marks = [(index + 1) * total // (len(plan) + 1) for index in range(len(plan))]
    while len(bringers.verdicts) < total:
        done = len(bringers.verdicts)
        seen.memory.append((time.monotonic() - started, done, _resident(gateway.process.pid), max(map(_resident, gateway.workers), default=0.0)))
        meter.look("service", [gateway.process.pid])
        meter.look("workers", gateway.workers)
        meter.look("database", cluster.processes())
        if marks and done >= marks[0]:
            marks.pop(0)
            what = plan.pop(0)
            before = time.monotonic()
            if what == "kill":
                os.kill(gateway.workers[0], signal.SIGKILL)
            else:
                cluster.stop()
                time.sleep(1)
                cluster.start()
                seen.down += time.monotonic() - before
            seen.events.append(f"{what} after {done} messages")
        time.sleep(0.05)
    seen.seconds = meter.sums()
    return seen


# -- the world ------------------------------------------------------------------------------------------------------------


def require_entered_once(world: World, sent: list[Exchanged]) -> None:
    """Every receipt is in the register, once."""
    office = Office(world.kz.home, str)
    with closing(office):
        entered = Counter(entry.dispatch_digest for entry in office.journal.store.find(Query(kinds=("receipt",))))
    assert set(entered) == {one.name.dispatch_digest for one in sent}, f"{len(sent) - len(entered)} receipts are missing"
    assert set(entered.values()) == {1}, "a receipt was entered twice"


def require_judged_well(bringers: Bringers, *, smtp: bool, twice: int) -> Counter[str]:
    """Every message got the verdict that it had to get.

    Args:
        bringers: who brought them.
        smtp: whether they were told verdicts of what is not accepted only.
        twice: how many may have been entered by a worker that could not say so any more: those are then known when they are tried again.
    """
    counts: Counter[str] = Counter()
    for parcel, verdict, again in bringers.verdicts:
        found = re.search(r"valiza: ([a-z-]+)", verdict)
        word = found[1] if found else verdict
        expected = EXPECTED[parcel.kind]
        if smtp:
            expected = EXPECTED["bad"] if parcel.kind == "bad" else {"accepted"}
        if word == "duplicate" and parcel.kind == "good":
            twice -= not again
            assert twice >= 0, (parcel, verdict)
        else:
            assert word in expected, (parcel, verdict)
        counts[word] += 1
    return counts


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m soak.gateway", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--receipts", type=int, default=20_000)
    parser.add_argument("--connections", type=int, default=32, help="of mail servers, or clients of Postfix (32)")
    parser.add_argument("--workers", type=int, default=processors(), help="of the gateway (as many as processors)")
    parser.add_argument("--restarts", type=int, default=2, help="of the database (2)")
    parser.add_argument("--kills", type=int, default=1, help="of workers (1)")
    parser.add_argument("--postfix", action="store_true", help="through a real Postfix")
    parser.add_argument("--seed", type=int, default=20261122)
    given = parser.parse_args()
    chance = random.Random(given.seed)  # noqa: S311 - order and damage
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="valiza-soak.")))
        folder.chmod(0o755)
        cluster = stack.enter_context(running_postgresql())
        name = cluster.make_database()
        migrate(cluster.url(name))
        world = found_world(folder / "world")
        home = gateway_folder(world, cluster, name)
        at, began = int(time.time()), time.monotonic()
        sent = list(exchanged(world, given.receipts, at))
        office = Office(world.kz.home, str)
        with closing(office):
            enter(office, sent, at)
        waiting = parcels(sent, chance)
        twice = [Parcel("again", waiting[index].raw, waiting[index].number) for index in range(len(waiting)) if waiting[index].kind == "good"]
        twice = chance.sample(twice, max(1, len(sent) // 100))
        total = len(waiting) + len(twice)
        print(f"{len(sent)} receipts made in {time.monotonic() - began:.0f} s; {total} messages of {len(waiting[0].raw)} bytes or so", flush=True)
        postfix = stack.enter_context(running_postfix()) if given.postfix else None
        path = postfix.socket if postfix else folder / "milter"
        gateway = stack.enter_context(serving(home, f"unix:{path}", "--workers", str(given.workers), folder=folder))
        if postfix:
            postfix.use_milter(f"unix:{path}")
        bringers = Bringers(waiting)
        way = (lambda: bringers.over_smtp(postfix)) if postfix else (lambda: bringers.over_milter(path))
        took, seen = bring(bringers, way, twice, lambda count: disturb(cluster, gateway, bringers, count, given), given.connections)
        require_entered_once(world, sent)
        counts = require_judged_well(bringers, smtp=postfix is not None, twice=BATCH_MESSAGES * (given.kills + given.restarts * given.workers))
        assert sum(counts.values()) == total
        if postfix:
            accepted = sum(1 for parcel, verdict, _ in bringers.verdicts if verdict == "accepted")
            postfix.arrivals(accepted)
        tell(bringers, seen, took, gateway, counts=counts, parts=apart(world, sent, seen, seen.memory[-1][1]))
    return 0


def apart(world: World, sent: list[Exchanged], seen: Seen, done: int) -> dict[str, float]:
    """Where the time of processors goes, in milliseconds for one message: what was measured, the workers' share by doing parts of it again alone."""
    some = [one.receipt for one in sent[:500]]
    raws = [letter(receipt) for receipt in some]
    office = Office(world.kz.home, str)
    with closing(office):
        trust, agreements = office.trust, office.agreements
        began = time.process_time()
        for raw in raws:
            with take_apart(raw, Limits()) as taken:
                assert [part.content.read() for part in taken.parts if part.ours]
        middle = time.process_time()
        for receipt in some:
            read_receipt(receipt, trust=trust, agreements=agreements)
        ended = time.process_time()
    measured = {who: 1000 * seconds / done for who, seconds in seen.seconds.items()}
    parse, signatures = 1000 * (middle - began) / len(some), 1000 * (ended - middle) / len(some)
    return {
        "protocol, spool, log (service)": measured["service"],
        "taking apart (worker)": parse,
        "signatures (worker)": signatures,
        "judging, entering, rest (worker)": measured["workers"] - parse - signatures,
        "database server": measured["database"],
    }


def bring(bringers: Bringers, way: Callable[[], None], twice: list[Parcel], disturbed: Callable[[int], Seen], connections: int) -> tuple[float, Seen]:
    """Bring all messages, then those that come a second time; seconds of the first part, and what was seen."""
    first = len(bringers.waiting)
    started = time.monotonic()
    threads = [threading.Thread(target=way, daemon=True) for _ in range(connections)]
    for thread in threads:
        thread.start()
    seen = disturbed(first)
    took = time.monotonic() - started
    for thread in threads:
        thread.join()
    bringers.waiting.extend(twice)
    way()
    return took, seen


def tell(bringers: Bringers, seen: Seen, took: float, gateway: Gateway, *, counts: Counter[str], parts: dict[str, float]) -> None:
    """Print what came of it."""
    print(f"{sum(counts.values())} messages: none lost, none entered twice, none misjudged")
    for word, count in counts.most_common():
        print(f"  {word:15} {count:6}")
    for why, count in Counter(re.sub(r" \(envelope .*", "", why) for why in bringers.later.elements()).most_common():
        print(f"  come again: {why:40} {count:6}")
    for event in seen.events:
        print(f"  {event}")
    done, up = seen.memory[-1][1], took - seen.down
    print(f"{done / took:.0f} messages a second in {took:.0f} s; {seen.down:.1f} s were without a database: {done / up:.0f} a second in the others")
    name = "valiza_gateway_"
    batches, messages, seconds = (gateway.metric(name + one) for one in ("batch_messages_count", "batch_messages_sum", "decision_seconds_sum"))
    print(f"{messages / batches:.1f} messages in a batch; {seconds / messages * 1000:.0f} ms from the end of one to the answer")
    whole = sum(parts.values())
    for part, milliseconds in parts.items():
        print(f"  {part:34} {milliseconds:6.2f} ms of a processor for one message, {100 * milliseconds / whole:3.0f} %")
    print(f"  {'all':34} {whole:6.2f} ms: {2000 / whole:.0f} messages a second with two processors for these alone")
    for share in range(11):
        _, at, service, worker = seen.memory[min(len(seen.memory) - 1, share * len(seen.memory) // 10)]
        print(f"  after {at:6} messages: {service:6.1f} MiB the service, {worker:6.1f} MiB the largest worker")


if __name__ == "__main__":
    sys.exit(main())
