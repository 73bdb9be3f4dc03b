"""A register of a million entries: what one entry, one proof and one look-up take as it grows, and verifying it beside its signatures alone."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from measuring import Row, Spread, Taken, environment, run, valiza
from receipts import Signed
from run import machine, say, table
from valiza.envelope.handover import Giver, Handover
from valiza.keys import labels
from valiza.keys.processes import processors, shared
from valiza.keys.statement import SignerHeader, pae, read_statement, sign_statement
from valiza.office.home import Office
from valiza.register.address import parse_address
from valiza.register.connecting import migrate
from valiza.register.entry import BLIND_BYTES, Entry
from valiza.register.log import Log
from valiza.register.merkle import consistency_proof, inclusion_proof
from valiza.register.sqlite import SqliteStore
from valiza.register.store import Query, Store

SIZES = (1000, 10_000, 100_000, 1_000_000)
STATEMENTS = 1000
BYTES_OF_ENTRY = 6000  # on the disk, with its indexes: what is asked of the disk beforehand
OFFICER = "ivan"
AGREEMENT = hashlib.sha256(b"an agreement").digest()
YEAR = time.gmtime().tm_year
TOGETHER = 50_000  # entries of one transaction, where many are appended
CACHE_MIB = 256  # for SQLite's pages meanwhile, so that none is written to the disk twice in a transaction; no office has so much
RANDOM = random.Random(5)  # noqa: S311 - which entries are looked up
OFTEN, SELDOM = 200, 40  # how often what reads is measured, and what waits for the disk


# --- an office, and what is entered ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kept:
    """One of the signed statements from which the register is built: a hand-over, and the envelope that it is about."""

    raw: bytes
    envelope_id: bytes
    dispatch_digest: bytes


def found_office(home: Path, url: str | None) -> None:
    """An office with one officer, who takes over envelopes and signs for the register; with an unprotected key."""
    words = ("office", "init", str(home), "--party", "KZ", "--body", "KZ-MFA", "--degrees", "1,2,3", "--unprotected")
    command = [*valiza(), *words, "--officer", f"{OFFICER}:transport,register:1:Ivan"]
    done = subprocess.run(command, env=environment(), capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr.decode(errors="replace"))
    if url is not None:
        with (home / "office.toml").open("r+", encoding="utf-8") as file:
            rest = file.read()
            file.seek(0)
            file.write(f"register = {json.dumps(url)}\n{rest}")


def made_statements(office: Office, count: int, at: int) -> list[Kept]:
    """So many hand-overs of as many envelopes, each signed."""
    key, credential = office.signing_key(OFFICER, "transport"), office.credential(OFFICER, "transport")
    header = SignerHeader(role="transport", signer_digest=credential.digest, key_digest=key.key_digest)
    found = []
    for number in range(count):
        envelope_id, dispatch = _name("kept id", number), _name("kept dispatch", number)
        said = Handover(
            dispatch_digest=dispatch,
            origin=office.body,
            envelope_id=envelope_id,
            leg=0,
            place="",
            giver=Giver(name="Registry", body=office.body, credential=None),
            taken_at=at,
            intact=True,
            condition="sound",
            remark="",
            package="1",
            previous=dispatch,
        )
        found.append(Kept(sign_statement(labels.HANDOVER, said.packed(), [(header, key)]).raw, envelope_id, dispatch))
    return found


def _name(what: str, number: int) -> bytes:
    return hashlib.sha256(f"{what} {number}".encode()).digest()


@dataclass(frozen=True)
class Envelope:
    """One of those in the register, by all its names."""

    number: str
    envelope_id: bytes
    dispatch_digest: bytes


class Builder:
    """Appends entries without end, four for an envelope: its number, two with a signed statement that is kept as it is, and a signed hand-over."""

    def __init__(self, office: Office, kept: list[Kept], at: int) -> None:
        self._office, self._kept, self._at = office, kept, at
        self._counts = {"in": 0, "out": 0}
        self._envelopes = 0
        self.some: list[Envelope] = []  # to look up
        self.entries = self._entries()

    def numbered(self, direction: str) -> str:
        """A number is given out, here or by whoever tells of it so."""
        self._counts[direction] += 1
        return f"{self._office.body.id}/{YEAR}/{direction}/{self._counts[direction]}"

    def _entries(self) -> Iterator[Entry]:
        while True:
            count, direction = self._envelopes, ("out", "in")[self._envelopes % 2]
            self._envelopes += 1
            kept = self._kept[count % len(self._kept)]
            number = self.numbered(direction)
            envelope = Envelope(number, _name("id", count), _name("dispatch", count))
            common: dict[str, Any] = {"at": self._at, "direction": direction, "agreement": AGREEMENT, "origin": self._office.body}
            yield Entry(kind="numbered", number=number, blind=os.urandom(BLIND_BYTES), **common)
            named: dict[str, Any] = {"envelope_id": envelope.envelope_id, "dispatch_digest": envelope.dispatch_digest}
            for kind in ("conflict", "attempt"):
                yield Entry(kind=kind, number=number, statement=kept.raw, note=kind, blind=os.urandom(BLIND_BYTES), **named, **common)
            named = {"envelope_id": kept.envelope_id, "dispatch_digest": kept.dispatch_digest}
            yield Entry(kind="handover", statement=kept.raw, blind=os.urandom(BLIND_BYTES), **named, **(common | {"direction": "out"}))
            if len(self.some) < OFTEN or RANDOM.randrange(self._envelopes) < OFTEN:
                self.some.append(envelope)

    def build(self, store: Store, size: int) -> float:
        """Append until there are so many; returns how many a second."""
        started, wanted = time.perf_counter(), size - store.count(Query())
        if isinstance(store, SqliteStore):
            store._db.execute(f"PRAGMA cache_size = {-CACHE_MIB << 10}")  # noqa: SLF001 - goes with this connection
        for done in range(0, wanted, TOGETHER):
            with store.transaction():
                for entry in islice(self.entries, min(TOGETHER, wanted - done)):
                    store.append(entry)
        return max(wanted, 0) / (time.perf_counter() - started)


# --- the same bytes into a table with nothing around it --------------------------------------------------------------------------------------------


TYPES = {
    **dict.fromkeys(("seq", "at", "place"), "bigint"),
    **dict.fromkeys(("kind", "direction", "number", "note"), "text"),
    **dict.fromkeys(("agreement", "envelope_id", "dispatch_digest", "statement", "record", "blind"), "bytea"),
}


def _values(entry: Entry) -> list[object]:
    return [getattr(entry, name) for name in TYPES]


@contextmanager
def bare_table(url: str | None, folder: Path) -> Iterator[Callable[[Entry], object]]:
    """Inserts an entry, durably, into a table without index, trigger, hash or chain."""
    if url is None:
        database = sqlite3.connect(folder / "bare.db", isolation_level=None)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute(f"CREATE TABLE bare ({', '.join(TYPES)})")
        statement = f"INSERT INTO bare VALUES ({', '.join('?' * len(TYPES))})"  # noqa: S608 - names of this script
        yield lambda entry: database.execute(statement, _values(entry))
        database.close()
        return
    import psycopg  # noqa: PLC0415 - for PostgreSQL only

    types = [f"{name} {type_}" for name, type_ in TYPES.items()]
    with psycopg.connect(**parse_address(url).parameters(), autocommit=True) as connection:  # type: ignore[arg-type]
        connection.execute("CREATE SCHEMA bare")
        connection.execute(f"CREATE TABLE bare.bare ({', '.join(types)})".encode())
        inserted = f"INSERT INTO bare.bare VALUES ({', '.join(['%s'] * len(types))})".encode()  # noqa: S608 - names of this script
        yield lambda entry: connection.execute(inserted, _values(entry))
        connection.execute("DROP SCHEMA bare CASCADE")


# --- as it grows -----------------------------------------------------------------------------------------------------------------------------------


def _times(work: Callable[[], object], count: int) -> list[float]:
    """Microseconds of each time; one is not counted."""
    work()
    found = []
    for _ in range(count):
        started = time.perf_counter()
        work()
        found.append((time.perf_counter() - started) * 1e6)
    return found


def _spread(times: list[float]) -> Spread:
    """The median, and between which nine of ten lie: a disk that others use is a second late once in a while."""
    ordered = sorted(times)
    return Spread(statistics.median(ordered), ordered[len(ordered) // 20], ordered[-len(ordered) // 20 - 1])


def measure_size(office: Office, builder: Builder, size: int, url: str | None, work: Path) -> list[Row]:
    """Everything about one entry in a register of this size."""
    journal = office.journal
    store, log = journal.store, Log(journal.store, office.body, AGREEMENT)
    at, leaves = int(time.time()), journal.store.size(AGREEMENT)

    def append(count: int) -> None:
        with store.transaction():
            for entry in islice(builder.entries, count):
                store.append(replace(entry, at=at))

    def number() -> None:
        builder.numbered("in")
        journal.next_number("in", AGREEMENT, at)

    def open_and_close() -> None:
        other = Office(office.home, lambda: "", mends=False)
        assert other.journal.own == office.body
        other.close()

    def one() -> Envelope:
        return RANDOM.choice(builder.some)

    reading: dict[str, Callable[[], object]] = {
        "root of a checkpoint": lambda: log.checkpoint(RANDOM.randrange(leaves // 2, leaves)),
        "proof of inclusion": lambda: inclusion_proof(RANDOM.randrange(leaves), leaves, lambda wanted: store.nodes(AGREEMENT, wanted)),
        "proof of consistency": lambda: consistency_proof(RANDOM.randrange(1, leaves), leaves, lambda wanted: store.nodes(AGREEMENT, wanted)),
        "look up, envelope id": lambda: _only(journal.named(one().envelope_id.hex())),
        "look up, beginning of it": lambda: _only(journal.named(one().envelope_id.hex()[:16])),
        "look up, number": lambda: _only(journal.named(one().number)),
        "look up, dispatch": lambda: _only(journal.story(one().dispatch_digest), 2),
    }
    found = {name: _times(call, OFTEN) for name, call in reading.items()}
    found["open the office's register"] = _times(open_and_close, SELDOM)
    bare: list[float] = []
    with bare_table(url, work) as insert:
        spare = replace(next(entry for entry in store.find(Query(kinds=("conflict",), limit=1))), blind=bytes(BLIND_BYTES))
        durable: list[float] = []
        for _ in range(SELDOM):  # in turn: the disk is now quick and now slow
            bare += _times(lambda: insert(spare), 1)
            durable += _times(lambda: append(1), 1)
    found["append one, durable"] = durable
    found["append one of a hundred"] = [taken / 100 for taken in _times(lambda: append(100), 3)]
    found["next number, durable"] = _times(number, SELDOM)
    limit = _spread(bare)
    rows = [Row(what=f"{size}: insert one, durable", who="a bare table", unit="us", value=limit, to_limit=1)]
    for name, times in found.items():
        value = _spread(times)
        rows.append(
            Row(
                what=f"{size}: {name}",
                who="Valiza",
                unit="us",
                value=value,
                to_limit=value.median / limit.median if name == "append one, durable" else None,
                size=size,
            )
        )
    (work / "bare.db").unlink(missing_ok=True)
    return rows


def _only(found: list[Any], count: int = 1) -> None:
    assert len(found) == count


def _command(home: Path, *words: str) -> list[str]:
    return [*valiza(), "register", *words, "--home", str(home)]


def measure_commands(home: Path, builder: Builder, size: int, work: Path) -> list[Row]:
    """Whole commands: one envelope of the register, all of them, and every hash."""
    commands = {
        "show one envelope": _command(home, "show", RANDOM.choice(builder.some).number),
        "list": _command(home, "list"),
        "verify, hashes only": _command(home, "verify", "--hashes-only"),
    }
    rows = []
    for name, command in commands.items():
        took = run(command, work)
        say(f"{size}: {name}: {took.seconds:.2f} s, {took.peak_kib >> 10} MiB")
        rows.append(_taken(f"{size}: {name}", took))
    return rows


def _taken(what: str, took: Taken) -> Row:
    value = Spread.of([took.seconds])
    return Row(
        what=what, who="Valiza", unit="s", value=value, processor_seconds=took.user_seconds + took.system_seconds, peak_mib=took.peak_kib / 1024
    )


# --- verifying, beside the signatures alone --------------------------------------------------------------------------------------------------------


_signed: list[Signed] = []  # of a process that verifies nothing but signatures


def _begin(key: bytes, raws: list[bytes]) -> None:
    for raw in raws:
        statement = read_statement(raw, labels.HANDOVER)
        only = statement.signatures[0]
        _signed.append(Signed.with_key(key, only.signature, statement.type, pae(statement.type, only.header_bytes, statement.body)))


def _verify_alone(count: int) -> int:
    for index in range(count):
        _signed[index % len(_signed)].verify()
    return count


def signatures_alone(key: bytes, raws: list[bytes], count: int) -> float:
    """Seconds for so many composite signatures in as many processes as `register verify` uses, which have started before."""
    jobs = processors()
    with shared(jobs, (_begin, (key, raws))) as share:
        list(share(_verify_alone, [1] * 4 * jobs))
        part = 256
        started = time.perf_counter()
        done = sum(share(_verify_alone, [part] * (count // part) + [count % part]))
        taken = time.perf_counter() - started
    assert done == count
    return taken


def measure_verifying(home: Path, office: Office, kept: list[Kept], rounds: int, work: Path) -> list[Row]:
    """`register verify` with statements, without them, and the same number of signatures alone: in turn."""
    key, raws = office.credential(OFFICER, "transport").verify_key.raw, [one.raw for one in kept]
    whole, hashes, alone = [], [], []
    told: dict[str, Any] = {}
    statements = _signed_entries(office)
    for turn in range(rounds):
        took = run(_command(home, "verify", "--json"), work)
        told = json.loads(took.output)
        assert told["holds"], told["findings"][:3]
        whole.append(took)
        hashes.append(run(_command(home, "verify", "--hashes-only"), work))
        alone.append(signatures_alone(key, raws, statements))
        spent = f"verified in {took.seconds:.1f} s, hashes in {hashes[-1].seconds:.1f} s, {statements} signatures in {alone[-1]:.1f} s"
        say(f"round {turn}: {spent}")
    entries = told["entries"]
    limit = Spread.of([statements / seconds for seconds in alone])
    rows = [Row(what="verify: signatures", who="signatures alone", unit="/s", value=limit, to_limit=1)]
    rate = Spread.of([statements / took.seconds for took in whole])
    rows.append(Row(what="verify: signatures, of the whole", who="Valiza", unit="/s", value=rate, to_limit=rate.median / limit.median))
    for name, runs in (("whole", whole), ("hashes only", hashes)):
        rows.append(
            Row(
                what=f"verify: entries, {name}",
                who="Valiza",
                unit="/s",
                value=Spread.of([entries / took.seconds for took in runs]),
                processor_seconds=Spread.of([took.user_seconds + took.system_seconds for took in runs]).median,
                peak_mib=max(took.peak_kib for took in runs) / 1024,
            )
        )
    return rows


def _signed_entries(office: Office) -> int:
    """Entries whose statements `register verify` checks; what was refused, and evidence, may be anything."""
    return office.journal.store.count(Query(kinds=("handover",)))


# --- all of it -------------------------------------------------------------------------------------------------------------------------------------


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure a register of many entries.")
    parser.add_argument("--entries", type=int, default=SIZES[-1], metavar="N", help="how many entries it has in the end")
    parser.add_argument("--rounds", type=int, default=1, metavar="N", help="how often the whole register is verified")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--url", metavar="URL", help="an empty PostgreSQL database; without it the register is in an SQLite file")
    where.add_argument("--cluster", action="store_true", help="make a PostgreSQL server for this, as the tests do")
    parser.add_argument("--dir", type=Path, metavar="DIR", help=f"where to work: {BYTES_OF_ENTRY} bytes for each entry must fit")
    parser.add_argument("--save", type=Path, metavar="FILE", help="write the results as JSON too")
    return parser.parse_args()


@contextmanager
def own_cluster() -> Iterator[str]:
    """The address of an empty database on a server that runs as long as the block, in the folder for temporary files."""
    sys.path.append(str(Path(__file__).resolve().parents[1]))
    from tests.support.postgresql import running  # noqa: PLC0415 - found since the line before

    with running() as cluster:
        yield cluster.url(cluster.make_database())


def measure(chosen: argparse.Namespace, url: str | None, folder: Path) -> list[Row]:
    home = folder / "home"
    found_office(home, url)
    at = int(time.time())
    if url is not None:
        migrate(url)
    office = Office(home, lambda: "")
    kept = made_statements(office, min(STATEMENTS, chosen.entries // 4 or 1), at)
    builder = Builder(office, kept, at)
    rows = []
    for size in [*(size for size in SIZES if size < chosen.entries), chosen.entries]:
        rate = builder.build(office.journal.store, size)
        say(f"{size} entries: built with {rate:.0f} a second; {len(builder.some)} envelopes to look up")
        office.close()
        if rate:  # measuring appends some too
            rows.append(Row(what=f"{size}: built", who="Valiza", unit="/s", value=Spread.of([rate])))
        found = measure_size(office, builder, size, url, folder)
        say("\n".join(table(found)))
        rows += found
        rows += measure_commands(home, builder, size, folder)
    if url is None:
        rows.append(Row(what="file of the register", unit="MiB", who="SQLite", value=Spread.of([(home / "register.db").stat().st_size / (1 << 20)])))
    rows += measure_verifying(home, office, kept, chosen.rounds, folder)
    office.close()
    return rows


def main() -> None:
    chosen = arguments()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="valiza-bench.", dir=chosen.dir)))
        needed, free = chosen.entries * BYTES_OF_ENTRY, shutil.disk_usage(folder).free
        say(f"{chosen.entries} entries take up to {needed / (1 << 30):.1f} GiB; {free / (1 << 30):.1f} GiB are free in {folder.parent}")
        if needed > free:
            raise SystemExit("there is too little room on the disk: give another place with --dir, or fewer --entries")
        url = stack.enter_context(own_cluster() if chosen.cluster else nullcontext(chosen.url))
        rows = measure(chosen, url, folder)
    if chosen.save:
        chosen.save.parent.mkdir(parents=True, exist_ok=True)
        chosen.save.write_text(json.dumps({"machine": machine(), "rows": [row.as_json() for row in rows]}, indent=1) + "\n", encoding="utf-8")
    print(", ".join(f"{name} {value}" for name, value in machine().items()))
    print(*table(rows), sep="\n")


if __name__ == "__main__":
    main()
