"""The register behind its one store, the same in every kind of database: in order, whoever else writes, and what was asked for comes back."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing, contextmanager, suppress
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support import appender
from tests.support.registers import ALL, ENTRY, Opening, append, require_whole

from valiza.keys.errors import Refused, Unavailable
from valiza.keys.fields import MAX_TIME, Body
from valiza.register.entry import Entry, EntryFacts
from valiza.register.store import PAGE, Head, Query

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from valiza.register.merkle import Position
    from valiza.register.store import Store


# -- appending ------------------------------------------------------------------------------------------------------------


def test_an_entry_comes_back_as_it_was_appended_with_its_place(store: Store) -> None:
    append(store)
    less: dict[str, Any] = {"statement": b"", "number": "", "note": "", "record": b""}
    append(store, **less)
    append(store, agreement=b"A" * 32)
    expected = [replace(ENTRY, seq=1, place=0), replace(ENTRY, seq=2, place=1, **less), replace(ENTRY, seq=3, place=0, agreement=b"A" * 32)]
    assert store.find(Query(kinds=("opened",))) == expected
    assert (store.count(Query(kinds=("opened",))), store.count(Query(kinds=("sealed",)))) == (3, 0)
    assert store.find(Query(kinds=("sealed",))) == []
    assert store.logs() == [b"a" * 32, b"A" * 32]


def test_what_was_appended_is_there_for_the_next_who_opens_it(opening: Opening) -> None:
    for number in range(3):
        with closing(opening()) as store:
            append(store, note=str(number))
    with closing(opening()) as store:
        assert [entry.note for entry in store.find(ALL)] == ["0", "1", "2"]


def test_all_of_a_transaction_happens_or_nothing(store: Store) -> None:
    def fail() -> None:
        with store.transaction():
            store.append(ENTRY)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert store.count(ALL) == 0
    append(store)
    assert store.count(ALL) == 1


def test_a_transaction_inside_another_is_part_of_it(store: Store, opening: Opening) -> None:
    def fail_inside() -> None:
        with store.transaction():
            append(store, kind="sealed")
            append(store, kind="sealed")

    with closing(opening()) as other:
        with store.transaction():
            append(store)
            with store.transaction():
                append(store)
            assert other.count(ALL) == 0, "nothing is there before the outermost ends"
        assert other.count(ALL) == 2
        with pytest.raises(Refused):
            fail_inside()
        assert other.count(ALL) == 2
        with store.transaction():  # one that is refused inside, and told, stops no other
            append(store, kind="sealed")
            with pytest.raises(Refused):
                append(store, kind="sealed")
            append(store, kind="receipt")
        assert [entry.kind for entry in other.find(ALL)] == ["opened", "opened", "sealed", "receipt"]


def test_only_the_last_entry_can_be_asked_for(store: Store) -> None:
    for number in range(3):
        append(store, note=str(number))
        append(store, kind="conflict", note=str(number))
    assert [entry.note for entry in store.find(Query(kinds=("opened",), newest_first=True, limit=1))] == ["2"]
    assert [entry.note for entry in store.facts(Query(kinds=("opened", "conflict"), newest_first=True))] == ["2", "2", "1", "1", "0", "0"]
    assert store.first(Query(kinds=("sealed",), newest_first=True)) is None


def test_files_without_a_name_are_noted_and_forgotten(opening: Opening) -> None:
    with closing(opening()) as store:
        with store.transaction():
            for number in range(3):
                store.expect_file(bytes([number]) * 32, "here", f"/выход/{number}.vlz".encode())
        with pytest.raises(Refused), store.transaction():
            store.expect_file(bytes(32), "here", b"/another")
        store.forget_files([bytes([1]) * 32, b"never noted"])
        store.forget_files([])
    with closing(opening()) as store:
        assert store.expected_files("here") == [(bytes(32), "/выход/0.vlz".encode()), (bytes([2]) * 32, "/выход/2.vlz".encode())]


def test_a_note_of_a_failed_transaction_is_gone_with_it(store: Store) -> None:
    def fail() -> None:
        with store.transaction():
            store.expect_file(bytes(32), "here", b"/it")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert store.expected_files("here") == []


def test_time_never_runs_back(store: Store) -> None:
    append(store)
    append(store)
    with pytest.raises(Refused, match="clock"):
        append(store, at=ENTRY.at - 1)
    append(store, at=ENTRY.at + 1)
    with pytest.raises(Refused, match="clock"):
        append(store)
    assert [entry.at for entry in store.find(ALL)] == [1000, 1000, 1001]


def test_long_work_that_others_overtook_is_entered_after_theirs(opening: Opening) -> None:
    with closing(opening(lambda: 1005)) as store:
        append(store, at=1003)
        append(store, at=1001)
        assert [entry.at for entry in store.find(ALL)] == [1003, 1003]
        append(store, at=1006)
        with pytest.raises(Refused, match="clock"):
            append(store, at=1005)


@pytest.mark.parametrize("kind", ["sealed", "withdrawn", "answered", "receipt"])
def test_what_happens_once_to_an_envelope_is_entered_once(store: Store, kind: str) -> None:
    append(store, kind=kind)
    append(store, kind=kind, dispatch_digest=b"another")
    with pytest.raises(Refused):
        append(store, kind=kind, note="again", record=b"other")
    assert store.count(ALL) == 2


@pytest.mark.parametrize("kind", ["opened", "conflict"])
def test_what_may_happen_again_is_entered_again(store: Store, kind: str) -> None:
    append(store, kind=kind)
    append(store, kind=kind)
    assert store.count(ALL) == 2


def test_a_number_is_given_out_once(store: Store) -> None:
    append(store, kind="numbered")
    append(store, kind="opened")
    with pytest.raises(Refused):
        append(store, kind="numbered", dispatch_digest=b"another")


def test_a_direction_is_in_or_out(store: Store) -> None:
    with pytest.raises(Refused):
        append(store, direction="sideways")


# -- what is asked for ----------------------------------------------------------------------------------------------------


VALUES: Final = (b"", b"a", bytes(32))
texts = st.text("aж/0", max_size=3) | st.text("abc жқ-/0123%_", max_size=20)
entries = st.builds(
    Entry,
    at=st.integers(0, MAX_TIME),
    kind=st.sampled_from(["opened", "conflict"]),
    direction=st.sampled_from(["in", "out"]),
    number=texts,
    agreement=st.sampled_from([b"a" * 32, b"A" * 32]),
    origin=st.builds(Body, texts, texts),
    envelope_id=st.sampled_from(VALUES) | st.binary(max_size=40),
    dispatch_digest=st.sampled_from(VALUES) | st.binary(max_size=40),
    record=st.binary(max_size=100),
    statement=st.sampled_from(VALUES) | st.binary(max_size=100),
    note=st.text("abc жқ", max_size=20),
    blind=st.binary(min_size=16, max_size=16),
)


class _Abandoned(Exception):
    """So that the next example finds the register empty again."""


@contextmanager
def entered(store: Store, drawn: list[Entry]) -> Iterator[list[Entry]]:
    """Entries in the register as long as the block lasts."""
    with suppress(_Abandoned), store.transaction():
        yield [store.append(entry) for entry in drawn]
        raise _Abandoned


sequences = st.lists(entries, min_size=1, max_size=6).map(lambda found: sorted(found, key=lambda entry: entry.at))
queries = st.builds(
    Query,
    kinds=st.lists(st.sampled_from(["opened", "conflict", "sealed"]), unique=True, max_size=2).map(tuple),
    enveloped=st.booleans(),
    dispatch_digest=st.none() | st.sampled_from(VALUES),
    envelope_id=st.none() | st.sampled_from(VALUES),
    envelope_ids=st.none() | st.lists(st.sampled_from(VALUES), max_size=3).map(tuple),
    id_from=st.none() | st.sampled_from(VALUES) | st.binary(max_size=3),
    id_before=st.none() | st.sampled_from(VALUES) | st.binary(max_size=3),
    agreement=st.none() | st.just(b"a" * 32),
    place=st.none() | st.integers(0, 2),
    direction=st.none() | st.sampled_from(["in", "out"]),
    number=st.none() | texts,
    series=st.none() | texts,
    statement=st.none() | st.sampled_from(VALUES),
    after=st.none() | st.integers(0, 5),
    before=st.none() | st.integers(0, 6),
    newest_first=st.booleans(),
    limit=st.none() | st.integers(0, 3),
)


def wanted(all_of_them: list[Entry], query: Query) -> list[Entry]:
    """What a query means."""
    fields = ("dispatch_digest", "envelope_id", "agreement", "place", "direction", "number", "statement")
    found = [
        entry
        for entry in all_of_them
        if (not query.kinds or entry.kind in query.kinds)
        and (not query.enveloped or entry.dispatch_digest)
        and all(getattr(query, name) in {None, getattr(entry, name)} for name in fields)
        and (query.envelope_ids is None or entry.envelope_id in query.envelope_ids)
        and (query.id_from or b"") <= entry.envelope_id
        and (query.id_before is None or entry.envelope_id < query.id_before)
        and entry.number.startswith(query.series or "")
        and entry.seq > (query.after or 0)
        and (query.before is None or entry.seq < query.before)
    ]
    return found[:: -1 if query.newest_first else 1][: query.limit]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=sequences, asked=st.lists(queries, min_size=1, max_size=4))
def test_whatever_is_entered_comes_back_as_it_was_asked_for(store: Store, drawn: list[Entry], asked: list[Query]) -> None:
    places = [sum(other.agreement == entry.agreement for other in drawn[:index]) for index, entry in enumerate(drawn)]
    expected = [replace(entry, seq=index + 1, place=place) for index, (entry, place) in enumerate(zip(drawn, places, strict=True))]
    with entered(store, drawn) as returned:
        assert returned == expected
        assert require_whole(store) == expected
        for query in asked:
            found = wanted(expected, query)
            assert store.find(query) == found
            assert [fact.seq for fact in store.facts(query)] == [entry.seq for entry in found]
            assert store.count(query) == len(found)
    assert store.count(ALL) == 0


def test_facts_say_all_but_what_is_kept(store: Store) -> None:
    entry = append(store)
    assert list(store.facts(ALL)) == [EntryFacts(**{field.name: getattr(entry, field.name) for field in fields(EntryFacts)})]


@pytest.mark.parametrize("newest_first", [False, True])
def test_who_reads_page_by_page_may_ask_meanwhile(store: Store, newest_first: bool) -> None:  # noqa: FBT001 - a case
    with store.transaction():
        for number in range(PAGE + 2):
            store.append(replace(ENTRY, number=str(number)))
    reading = store.facts(Query(newest_first=newest_first))
    first = next(reading)
    assert store.count(ALL) == PAGE + 2
    assert [first.seq, *(fact.seq for fact in reading)] == list(range(1, PAGE + 3))[:: -1 if newest_first else 1]
    assert len(list(store.facts(Query(newest_first=newest_first, limit=PAGE + 1)))) == PAGE + 1
    assert len(require_whole(store)) == PAGE + 2


def test_the_trees_go_on_after_an_entry_that_was_refused(store: Store) -> None:
    logs = [b"a" * 32, b"b" * 32]
    for size in range(1, 8):  # so that the refused entry is at every place of a small tree
        with store.transaction():
            for count in range(size):
                append(store, agreement=logs[count % 3 == 0])
            append(store, kind="sealed", dispatch_digest=bytes([size]) * 32)
            for _ in range(2):
                with pytest.raises(Refused, match="refuses the entry"):
                    append(store, kind="sealed", dispatch_digest=bytes([size]) * 32)
                append(store)
        with suppress(_Abandoned), store.transaction():
            append(store)
            raise _Abandoned
    require_whole(store)


def test_appending_together_asks_for_no_node_of_the_same_transaction(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(5):
        append(store)
    asked: list[tuple[int, int]] = []
    looked_up = store.nodes

    def nodes(agreement: bytes, wanted: Sequence[Position]) -> list[bytes]:
        asked.extend(wanted)
        return looked_up(agreement, wanted)

    monkeypatch.setattr(store, "nodes", nodes)
    with store.transaction():
        for _ in range(100):
            append(store)
    assert asked in ([(0, 4), (2, 0)], []), "or they came with the end of the register"
    require_whole(store)


def test_nodes_that_are_missing_are_told(store: Store) -> None:
    append(store)
    for position in ((0, 1), (1, 0)):
        with pytest.raises(Unavailable, match="is damaged"):
            store.nodes(ENTRY.agreement, [(0, 0), position])
    assert store.nodes(ENTRY.agreement, []) == []


# -- whose it is, and heads -----------------------------------------------------------------------------------------------


def test_a_register_is_of_one_body(opening: Opening) -> None:
    with closing(opening()) as one, closing(opening()) as other:
        assert one.identity() is None
        with one.transaction():
            one.claim(Body("KZ", "KZ-MFA"))
        assert other.identity() == Body("KZ", "KZ-MFA")
        with pytest.raises(Refused), other.transaction():
            other.claim(Body("BY", "BY-MFA"))
        assert one.identity() == Body("KZ", "KZ-MFA")


def test_logs_stand_in_the_order_of_their_first_entries(store: Store) -> None:
    assert store.logs() == []
    logs = [bytes([first]) * 32 for first in (7, 255, 0, 9)]
    for log in (*logs, *logs[::-1], *logs[1:]):
        append(store, agreement=log)
    assert store.logs() == logs


def test_the_smallest_head_that_covers_an_entry_is_found(store: Store) -> None:
    log, bodies = b"a" * 32, [Body("BY", "BY-MFA"), Body("BY", "BY-MOD")]
    sizes = [(9, 5, 0), (4, 6, 1), (4, 6, 0), (4, 5, 1), (7, 9, 0), (4, 5, 0)]
    heads = [Head(kind="cosigned", body=bodies[which], agreement=log, size=size, at=at, note=bytes([size, at, which])) for size, at, which in sizes]
    for head in heads:
        store.add_head(head)
        store.add_head(replace(head, kind="own", size=head.size - 1))
        store.add_head(replace(head, agreement=b"b" * 32, size=1))
    found = [store.covering("cosigned", log, place) for place in range(10)]
    assert found == [heads[3]] * 4 + [heads[4]] * 3 + [heads[0]] * 2 + [None]
    assert store.covering("seen", log, 0) is None
    assert store.covering("cosigned", b"c" * 32, 0) is None


@pytest.mark.parametrize(
    "changes",
    [{"kind": "ahead"}, {"body": Body("BY", "BY-MOD")}, {"body": Body("KZ", "BY-MFA")}, {"agreement": b"b" * 32}, {"size": 2}, {"note": b"notes"}],
)
def test_a_head_that_is_stored_is_known_by_all_of_it_but_its_time(store: Store, changes: dict[str, Any]) -> None:
    head = Head(kind="cosigned", body=Body("BY", "BY-MFA"), agreement=b"a" * 32, size=3, at=0, note=b"note")
    assert not store.has_head(head)
    store.add_head(head)
    assert store.has_head(replace(head, at=1))
    assert not store.has_head(replace(head, **changes))


def test_heads_stand_in_their_order(store: Store) -> None:
    ours, theirs = Body("KZ", "KZ-MFA"), Body("BY", "BY-MFA")
    head = Head(kind="seen", body=theirs, agreement=b"a" * 32, size=0, at=0, note=b"")
    heads = [replace(head, size=size, at=at, note=f"note {at}".encode()) for at, size in enumerate([3, 9, 5])]
    with store.transaction():
        for head in heads:
            store.add_head(head)
            store.add_head(replace(head, kind="own", body=ours))
    store.add_head(replace(heads[0], agreement=b"A" * 32))
    assert store.heads("seen", theirs, b"a" * 32) == heads
    assert store.heads("seen", theirs, b"a" * 32, newest=True) == heads[-1:]
    assert store.heads("seen", ours, b"a" * 32) == []
    assert store.heads("seen", theirs, b"A" * 32) == [replace(heads[0], agreement=b"A" * 32)]


def test_files_are_expected_by_those_who_share_the_register_apart(store: Store) -> None:
    with store.transaction():
        store.expect_file(b"d" * 32, "here", b"/here")
        store.expect_file(b"D" * 32, "there", b"/there")
    assert (store.expected_files("here"), store.expected_files("there")) == ([(b"d" * 32, b"/here")], [(b"D" * 32, b"/there")])


# -- several at once ------------------------------------------------------------------------------------------------------


def test_a_transaction_sees_nothing_of_another_and_the_other_waits(opening: Opening) -> None:
    """Whoever waits sees what was entered meanwhile, as soon as it is his turn."""
    with closing(opening()) as one, ThreadPoolExecutor(1) as pool:
        with one.transaction():
            one.append(ENTRY)
            waiting = pool.submit(append_elsewhere, opening)
            wait([waiting], timeout=0.5)
            assert not waiting.done()
        assert waiting.result(30).seq == 2
        assert [entry.seq for entry in require_whole(one)] == [1, 2]


def append_elsewhere(opening: Opening) -> Entry:
    """Append by another connection, which sees nothing of what is not committed."""
    with closing(opening()) as other:
        assert other.count(ALL) == 0
        return append(other, kind="conflict")


def appending(where: str | None, path: Path, name: str, count: int) -> subprocess.Popen[str]:
    """A program that appends as soon as it is told to."""
    command = [sys.executable, appender.__file__, where or "-", str(path), name, str(count)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().rstrip("\n")


def rest(process: subprocess.Popen[str]) -> list[str]:
    """All further lines, but what is cut off behind the last newline: that was not told."""
    assert process.stdout is not None
    with process:
        return process.stdout.read().split("\n")[:-1]


def go(processes: list[subprocess.Popen[str]]) -> None:
    """Let them begin together."""
    assert [said(process) for process in processes] == ["ready"] * len(processes)
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()


@pytest.mark.slow
def test_eight_processes_append_without_a_gap_a_fork_or_a_duplicate(where: str | None, path: Path, opening: Opening) -> None:
    processes = [appending(where, path, f"process {number}", 50) for number in range(8)]
    go(processes)
    told = [process.communicate(timeout=120)[0].splitlines() for process in processes]
    assert [process.returncode for process in processes] == [0] * 8
    assert told == [[f"process {number}/{index}" for index in range(50)] for number in range(8)]
    with closing(opening()) as store:
        assert sorted(entry.number for entry in require_whole(store)) == sorted(number for numbers in told for number in numbers)


@pytest.mark.slow
def test_what_a_killed_process_was_told_is_there_and_others_go_on(where: str | None, path: Path, opening: Opening) -> None:
    killed = [appending(where, path, f"killed {number}", 10_000) for number in range(3)]
    other = appending(where, path, "other", 50)
    go([*killed, other])
    acknowledged = []
    for number, process in enumerate(killed):
        acknowledged += [said(process) for _ in range(5 + 10 * number)]
        process.kill()
        acknowledged += rest(process)
    acknowledged += rest(other)
    assert [process.returncode for process in (*killed, other)] == [-9, -9, -9, 0]
    assert [line for line in acknowledged if line.startswith("!")] == []
    with closing(opening()) as store:
        numbers = [entry.number for entry in require_whole(store)]
    assert len(set(numbers)) == len(numbers)
    assert set(acknowledged) <= set(numbers)
    assert len(numbers) <= len(acknowledged) + len(killed), "each had one at most that it was not told of"


NUMBERING: Final = """
import sys
from pathlib import Path
from valiza.keys.fields import Body
from valiza.register.connecting import open_store
from valiza.register.journal import RegisterJournal

store = open_store(None if sys.argv[1] == "-" else sys.argv[1], Path(sys.argv[2]), lambda: 1_780_000_000)
journal = RegisterJournal(store, Body("KZ", "KZ-MFA"))
print("ready", flush=True)
sys.stdin.readline()
for _ in range(200):
    print(journal.next_number("out", bytes(32), 1_780_000_000))
"""


@pytest.mark.slow
def test_two_processes_give_out_400_numbers_without_a_gap_or_a_duplicate(where: str | None, path: Path, opening: Opening) -> None:
    """Both open a register that neither has made before, and then wait for each other."""
    command = [sys.executable, "-c", NUMBERING, where or "-", str(path)]
    both = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    go(both)
    given = [process.communicate(timeout=60)[0].split() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert [len(numbers) for numbers in given] == [200, 200]
    assert {number for numbers in given for number in numbers} == {f"KZ-MFA/2026/out/{n}" for n in range(1, 401)}
    with closing(opening()) as store:
        assert len(require_whole(store)) == 400
