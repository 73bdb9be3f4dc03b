"""Two offices at work whose commands are killed with `kill -9`, one after the other, and what must hold of their registers after each.

The commands run in a forked process, so that a kill at a random moment hits the work and not the start of the interpreter; what they printed until
then was acknowledged. After every kill:

1. the next command ends well, and `valiza register verify` says that the register holds;
2. every entry that was there is there, at its place, and no number was given out twice;
3. whatever was printed is in the register, once;
4. every envelope on the disk has its entry; one that was entered and has no file is withdrawn; answers, receipts and opened folders have theirs;
5. the same command again does the work, or says that it is done, and nothing unfinished is left.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import shutil
import signal
import sqlite3
import sys
import time
import tomllib
from collections import Counter
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

from tests.support.cli import Office, World, run, works
from tests.support.interrupted import left_over
from tests.support.registers import ALL, clock

from valiza.cli.main import run as run_valiza
from valiza.envelope.container import read_container
from valiza.keys import labels
from valiza.keys.digests import digest
from valiza.register.connecting import open_store

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator, Sequence

    from valiza.register.entry import Entry
    from valiza.register.store import Store

__all__ = ["Command", "Play", "Tally", "kill_many"]

REASON: Final = "a mistake"  # of an envelope that is withdrawn on purpose
GROUP: Final = 3
_ONCE: Final = ("sealed", "withdrawn", "arrived", "answered", "receipt", "overdue")
_RARE: Final = {"open", "open --each", "acknowledge", "countersign", "receipt verify", "receipt verify many", "cosign", "import"}
REFUSED: Final = 6  # exit codes
INCOMPLETE: Final = 8  # something is overdue
_LONGEST_S: Final = 60.0


@dataclass(frozen=True)
class Command:
    """One command of the play: what it is called in the tables, where, and what it makes."""

    name: str
    office: Office
    words: tuple[str | Path, ...]
    made: tuple[Path, ...] = ()  # what is there when it was done
    done: Callable[[], None] = lambda: None  # what becomes possible then

    @property
    def typed(self) -> list[str]:
        """Its arguments."""
        return [str(word) for word in (*self.words, "--json", "--home", self.office.home)]


@dataclass
class Tally:
    """What was killed, and what was found."""

    killed: Counter[str] = field(default_factory=Counter)
    told: Counter[str] = field(default_factory=Counter)  # killed after something was printed
    entered: Counter[str] = field(default_factory=Counter)  # and something of it was in the register
    nameless: int = 0  # envelopes entered without a file
    too_late: int = 0


@dataclass(frozen=True)
class Row:
    """What is looked at of an entry."""

    kind: str
    number: str
    dispatch: bytes
    note: str
    statement: bytes
    link: bytes


def address_of(home: Path) -> str | None:
    """Where the register of an office is, if it is in a database."""
    return tomllib.loads((home / "office.toml").read_text(encoding="utf-8")).get("register")


@contextmanager
def register_of(home: Path) -> Iterator[Store]:
    """The register of an office, in whatever it is kept."""
    gc.collect()  # connections of commands that ran in this process
    with closing(open_store(address_of(home), home / "register.db", clock)) as store:
        yield store


def rows(home: Path) -> list[Row]:
    """All entries of a register, in order."""
    with register_of(home) as store:
        found = store.chained(ALL)
    return [_row(chained.entry, chained.link) for chained in found]


def _row(entry: Entry, link: bytes) -> Row:
    return Row(entry.kind, entry.number, entry.dispatch_digest, entry.note, entry.statement, link)


def dispatch_of(envelope: Path) -> bytes:
    """Digest of the dispatch of an envelope."""
    with envelope.open("rb", buffering=0) as file:
        return digest(labels.DIGEST_STATEMENT, read_container(file).dispatch_raw)


def _become(words: Sequence[str], writing: int) -> NoReturn:
    """Run a command in this process, which has just been forked, and end with it."""
    code = 70
    try:
        quiet = os.open(os.devnull, os.O_RDWR)
        os.dup2(quiet, 0)
        os.dup2(quiet, 2)
        sys.stdin = open(0, closefd=False, encoding="utf-8")  # noqa: SIM115 - until the end of the process
        sys.stdout = open(writing, "w", encoding="utf-8", buffering=1)  # noqa: SIM115 - as above
        sys.stderr = open(2, "w", closefd=False, encoding="utf-8")  # noqa: SIM115 - as above
        code = run_valiza(list(words))
    finally:
        os._exit(code)


def killed(words: Sequence[str], after: float | None) -> tuple[int | None, list[Any], float]:
    """Run a command in a forked process, and kill it after so many seconds; exit code (None: killed), the lines that it printed, and seconds."""
    gc.collect()  # no connection of this process goes over into the other
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _become(words, writing)
    os.close(writing)
    started = time.monotonic()
    until = started + (_LONGEST_S if after is None else after)
    said = b""
    ended = False
    while not ended and (left := until - time.monotonic()) > 0:
        if select.select([reading], [], [], left)[0]:
            part = os.read(reading, 1 << 16)
            said += part
            ended = not part
    if not ended:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    seconds = time.monotonic() - started
    while part := os.read(reading, 1 << 16):
        said += part
    os.close(reading)
    code_or_none = None if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
    return code_or_none, list(_objects(said)), seconds


def _objects(said: bytes) -> Iterator[Any]:
    """What was printed whole: one object on many lines, or one a line."""
    text = said.decode("utf-8")
    with contextlib.suppress(json.JSONDecodeError):
        yield json.loads(text)
        return
    for line in text.splitlines(keepends=True):
        if line.endswith("\n"):
            with contextlib.suppress(json.JSONDecodeError):
                yield json.loads(line)


class Play:
    """The work of two offices: which commands are possible next, what was acknowledged, and what must hold."""

    def __init__(self, world: World, chance: random.Random) -> None:
        self.world = world
        self._chance = chance
        self._count = 0
        self._sent: list[Path] = []  # envelopes that nobody opened
        self._opened: list[tuple[Path, Path]] = []  # and the folder of each
        self._answers: list[tuple[Path, Path]] = []
        self._receipts: list[Path] = []
        self._requests: list[Path] = []
        self._cosigned: list[Path] = []
        self._links: dict[str, list[bytes]] = {"KZ": [], "BY": []}
        self._acknowledged: dict[str, list[tuple[str, Any]]] = {"KZ": [], "BY": []}
        self._nameless = 0  # envelopes that were withdrawn since they had got no name
        self._folders: dict[Path, bytes] = {}  # of opened carriers, by the dispatch

    def _name(self, ending: str) -> Path:
        self._count += 1
        return self.world.path(f"{self._count:04}{ending}")

    # -- what can be done ----------------------------------------------------------------------------------------------

    def commands(self) -> Iterator[Command]:
        """One of each kind that is possible now."""
        yield from self._exchange()
        yield from self._heads()
        for office in (self.world.kz, self.world.by):
            if self._links[office.party]:
                backup = self._name(".backup")
                yield Command("backup", office, ("register", "backup", "-o", backup), (backup,))
                if address_of(office.home) is None:
                    yield Command("restore --replace", office, ("register", "restore", self._name(".backup"), "--replace"))

    def _exchange(self) -> Iterator[Command]:
        yield self._seal()
        yield self._seal("--due=0")
        yield self._seal_each()
        if self._sent:
            yield from (self._open(), self._withdraw())
        if len(self._sent) >= GROUP:
            yield self._open_each()
        if self._opened:
            yield from (self._answer("acknowledge"), self._answer("refuse", "--reason=contents"))
        if self._answers:
            yield self._countersign()
        if self._receipts:
            yield self._judge(self._receipts[:1])
        if len(self._receipts) > 1:
            yield self._judge(self._receipts[:4])

    def _heads(self) -> Iterator[Command]:
        for office in (self.world.kz, self.world.by):
            yield Command("checkpoint", office, ("register", "checkpoint"))
            yield Command("cosign --seen", office, ("register", "cosign", "--seen"))
        if self._links["KZ"]:
            yield Command("overdue --sign", self.world.kz, ("register", "overdue", "--sign"))
            for name, *more in (("export", "--format=jsonl"), ("report",)):
                out = self._name(f".{name}")
                yield Command(name, self.world.kz, ("register", name, *more, "-o", out), (out,))
        if self._links["KZ"] and not self._cosigned:
            yield self._request()
        if self._requests:
            yield self._cosign()
        if self._cosigned:
            yield Command("import", self.world.kz, ("register", "import", self._cosigned[-1]), (), self._cosigned.clear)

    def next(self) -> Command:
        """One that is possible now, the rarer the later it can come."""
        found = list(self.commands())
        weights = [4 if command.name in _RARE else 1 for command in found]
        return self._chance.choices(found, weights)[0]

    def _seal(self, *more: str) -> Command:
        """One envelope; the receipt for one that is due at once is overdue, and nobody opens it."""
        out = self._name(".vlz")
        return Command("seal", self.world.kz, (*self.world.order(*more), "-o", out), (out,), lambda: None if more else self._sent.append(out))

    def _seal_each(self) -> Command:
        folder = self._name(".out")
        carriers = [self.world.path(f"{folder.stem}-{index}.txt") for index in range(GROUP)]
        for carrier in carriers:
            carrier.write_text(carrier.name)
        out = tuple(folder / carrier.with_suffix(".txt.vlz").name for carrier in carriers)
        return Command("seal --each", self.world.kz, (*self.world.order("--each", files=carriers), "-o", folder), out, lambda: self._sent.extend(out))

    def _withdraw(self) -> Command:
        envelope = self._sent[0]

        def done() -> None:
            self._sent.remove(envelope)
            envelope.unlink()

        return Command("withdraw", self.world.kz, ("withdraw", envelope, f"--reason={REASON}"), (), done)

    def _open(self) -> Command:
        envelope, out = self._sent[0], self._name(".opened")
        self._folders[out] = dispatch_of(envelope)

        def done() -> None:
            self._sent.remove(envelope)
            self._opened.append((envelope, out))

        return Command("open", self.world.by, ("open", envelope, "--as=yanka", "-o", out), (out,), done)

    def _open_each(self) -> Command:
        envelopes, folder = self._sent[:GROUP], self._name(".in")
        out = tuple(folder / envelope.stem for envelope in envelopes)
        self._folders |= {into: dispatch_of(envelope) for into, envelope in zip(out, envelopes, strict=True)}

        def done() -> None:
            del self._sent[:GROUP]
            self._opened.extend(zip(envelopes, out, strict=True))

        return Command("open --each", self.world.by, ("open", *envelopes, "--each", "--as=yanka", "-o", folder), out, done)

    def _answer(self, name: str, *more: str) -> Command:
        (envelope, _), out = self._opened[0], self._name(".answer.vls")

        def done() -> None:
            del self._opened[0]
            self._answers.append((out, envelope))

        return Command(name, self.world.by, (name, envelope, *more, "--as=yanka", "-o", out), (out,), done)

    def _countersign(self) -> Command:
        (answer, envelope), out = self._answers[0], self._name(".receipt.vls")

        def done() -> None:
            del self._answers[0]
            self._receipts.append(out)

        return Command("countersign", self.world.by, ("countersign", answer, "--envelope", envelope, "--as=maryna", "-o", out), (out,), done)

    def _judge(self, receipts: list[Path]) -> Command:
        def done() -> None:
            del self._receipts[: len(receipts)]

        name = "receipt verify many" if len(receipts) > 1 else "receipt verify"
        return Command(name, self.world.kz, ("receipt", "verify", "--each", *receipts), (), done)

    def _request(self) -> Command:
        out = self._name(".request")
        words = ("register", "checkpoint", "--for=BY-MFA", "-o", out)
        return Command("checkpoint --for", self.world.kz, words, (out,), lambda: self._requests.append(out))

    def _cosign(self) -> Command:
        request, out = self._requests[-1], self._name(".cosigned")

        def done() -> None:
            self._requests.clear()
            self._cosigned.append(out)

        return Command("cosign", self.world.by, ("register", "cosign", request, "-o", out), (out,), done)

    # -- what was said, and what must hold -----------------------------------------------------------------------------

    def prepare(self, command: Command) -> None:
        """What is done before it that is not killed. A backup of now replaces the register, so nothing may be lost by it."""
        if command.name == "restore --replace":
            works("register", "backup", "-o", command.words[2], "--home", command.office.home)

    def acknowledge(self, command: Command, said: Sequence[Any]) -> int:
        """Remember what a command printed; returns how many results that were."""
        told = [one for facts in said if not facts.get("exit_code") for one in self._promised(command, facts)]
        self._acknowledged[command.office.party] += told
        return len(told)

    def _promised(self, command: Command, facts: Any) -> list[tuple[str, Any]]:
        """What must be in the register from now on, because a command printed this."""
        name = command.name.split()[0]
        found: list[tuple[str, Any]] = []
        if name == "seal":
            found.append(("sealed", (facts["number"], bytes.fromhex(facts["dispatch"]))))
        elif name == "open":
            found.append(("arrived", facts["number"]))
        elif name in {"acknowledge", "refuse", "countersign"}:
            found.append(("receipt" if name == "countersign" else "answered", command.made[0].read_bytes()))
        elif name == "receipt":
            found.append(("receipt", Path(facts["object"]).read_bytes()))
        elif name == "overdue":
            found += (("overdue", bytes.fromhex(one["dispatch"])) for one in facts["overdue"])
        elif name == "backup":
            found.append(("backup", (command.made[0], facts["entries"])))
        elif name == "import":
            found.append(("cosigned", facts["entries"]))
        else:
            found += ((kind, one["entries"]) for kind, said in (("own", "checkpoints"), ("given", "cosigned")) for one in facts.get(said, []))
        return found

    def check(self, office: Office, tally: Tally, *how: str) -> int:
        """Everything that must hold of a register (1 to 4 above), after a command has put right what was interrupted; returns the new entries."""
        works("register", "list", "--json", "--home", office.home)
        verified = run("register", "verify", *filter(None, how), "--json", "--home", office.home)
        assert (verified.code, verified.facts["holds"]) == (0, True), verified.err
        found = rows(office.home)
        links = [row.link for row in found]
        known = self._links[office.party]
        assert links[: len(known)] == known, "an entry that was there is gone"
        self._links[office.party] = links
        given = [row.number for row in found if row.kind == "numbered"]
        assert len(set(given)) == len(given), "a number was given out twice"
        for kind in _ONCE:
            again = [name for name, count in Counter(row.dispatch for row in found if row.kind == kind).items() if count > 1]
            assert again == [], f"an envelope has two entries {kind}"
        used = [row.number for row in found if row.kind in {"sealed", "arrived"}]
        assert len(set(used)) == len(used), "two envelopes have one number"
        assert set(used) <= set(given), "a number was never given out"
        self._check_files(office, found, tally)
        self._check_acknowledged(office, found)
        return len(links) - len(known)

    def _check_files(self, office: Office, found: Sequence[Row], tally: Tally) -> None:
        if office.party == "KZ":
            entered = {row.dispatch for row in found if row.kind == "sealed"}
            gone = {row.dispatch: row.note for row in found if row.kind == "withdrawn"}
            there = {dispatch_of(path) for path in self.world.folder.rglob("*.vlz")}
            assert there <= entered, "an envelope lies there that was never entered"
            assert {name for name in there if gone.get(name, REASON) != REASON} == set(), "an envelope lies there that was withdrawn as never written"
            assert entered - set(gone) <= there, "an envelope was entered, has no file, and is not withdrawn"
            nameless = sum(note.startswith("interrupted") for note in gone.values())
            tally.nameless += nameless - self._nameless
            self._nameless = nameless
            return
        statements = {row.statement for row in found if row.kind in {"answered", "receipt"}}
        for path in (*self.world.folder.glob("*.answer.vls"), *self.world.folder.glob("*.receipt.vls")):
            assert path.read_bytes() in statements, f"{path.name} lies there and was never entered"
        opened = {row.dispatch for row in found if row.kind == "opened"}
        for folder, name in self._folders.items():
            assert not folder.exists() or name in opened, f"{folder.name} lies there and was never entered"

    def _check_acknowledged(self, office: Office, found: Sequence[Row]) -> None:
        sealed = {(row.number, row.dispatch) for row in found if row.kind == "sealed"}
        arrived = {row.number for row in found if row.kind == "arrived"}
        overdue = {row.dispatch for row in found if row.kind == "overdue"}
        statements = {(row.kind, row.statement) for row in found}
        with register_of(office.home) as store:
            heads = {(head.kind, head.size) for log in store.head_logs() for head in store.heads(*log)}
        for what, value in self._acknowledged[office.party]:
            match what:
                case "sealed":
                    assert value in sealed, f"{value[0]} was acknowledged as sealed and is lost"
                case "overdue":
                    assert value in overdue, "a receipt was acknowledged as recorded overdue, and it is lost"
                case "arrived":
                    assert value in arrived, f"{value} was acknowledged as opened and is lost"
                case "answered" | "receipt":
                    assert (what, value) in statements, f"a statement was acknowledged ({what}) and is lost"
                case "own" | "given" | "cosigned":
                    assert (what, value) in heads, f"a head of {value} entries ({what}) was acknowledged and is lost"
                case "backup":
                    path, count = value
                    if path.exists():
                        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as backup:
                            assert backup.execute("SELECT count(*) FROM entry").fetchone() == (count,)

    def again(self, command: Command) -> None:
        """Do the same again (5 above): it ends well, or says that it is done already."""
        done = run(*command.typed)
        said = list(_objects(done.raw))
        if command.name == "cosign" and done.code == REFUSED and "cosigned here has" in done.err:
            self._requests.clear()  # what travelled with an envelope was quicker: a new request is needed
            return
        if command.name.startswith("receipt"):
            assert done.code in {0, REFUSED}, f"{command.name} again: {done.err}"
            assert {facts["verdict"] for facts in said} <= {"delivered", "refused"}, f"{command.name} again: {done.err}"
        elif command.made or command.name == "withdraw":
            assert done.code == 0 or (done.code == REFUSED and "already" in done.err + done.out), f"{command.name} again: {done.err}"
        else:
            assert done.code in ({0, INCOMPLETE} if command.name.startswith("overdue") else {0}), f"{command.name} again: {done.err}"
        missing = [path.name for path in command.made if not path.exists()]
        assert missing == [], f"{command.name} again: {', '.join(missing)} is not there: {done.err}"
        assert left_over(self.world) == [], f"{command.name} again left something unfinished"
        if done.code in {0, INCOMPLETE}:
            self.acknowledge(command, said)
        command.done()


def kill_many(
    founded: World,
    folder: Path,
    kills: int,
    chance: random.Random,
    *,
    each: int = 40,
    begin: Callable[[World], None] = lambda _: None,
    progress: Callable[[int], None] = lambda _: None,
) -> Tally:
    """Kill so many commands. What does not hold is an AssertionError that names the folder.

    Args:
        founded: two offices that have sent nothing yet.
        folder: where to work.
        kills: how many.
        chance: says which, and when.
        each: after so many commands offices begin anew.
        begin: what is done to these before.
        progress: is told how many there were.
    """
    tally = Tally()
    lasting: dict[str, float] = {}  # seconds that a command took last
    count = 0
    while count < kills:
        place = folder / f"play-{count}"
        world = founded.copy(place)
        begin(world)
        play = Play(world, chance)
        for step in range(each):
            if count >= kills:
                break
            command = play.next()
            try:
                killed_one = _one(play, command, lasting, tally, chance)
            except Exception as error:
                error.add_note(f"{command.name} after {count} kills, step {step}; see {place}")
                raise
            count += killed_one
            progress(count)
        shutil.rmtree(place)
    return tally


def _one(play: Play, command: Command, lasting: dict[str, float], tally: Tally, chance: random.Random) -> bool:
    """One command, killed unless it was quicker; and what must hold then."""
    play.prepare(command)
    code, said, seconds = killed(command.typed, chance.uniform(0, 1.05) * lasting.get(command.name, 0.3))
    told = play.acknowledge(command, said)
    if code is not None:
        assert code in {0, REFUSED, INCOMPLETE}, f"{command.name} ended with {code}"
        tally.too_late += 1
        lasting[command.name] = seconds
        play.again(command)
        return False
    tally.killed[command.name] += 1
    tally.told[command.name] += told > 0
    lasting.setdefault(command.name, 0.6)
    looked = chance.random() < 0.5  # the next command is another one, or the same again
    if looked:
        tally.entered[command.name] += play.check(command.office, tally) > 0
    play.again(command)
    play.check(command.office, tally, "--hashes-only" if looked else "")
    return True
