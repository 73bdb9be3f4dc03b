"""The journal of an office: numbers, what may be recorded after what, and where each envelope stands."""

from __future__ import annotations

import inspect
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from tests.support.journals import database_of, journal_at
from tests.support.keys import signed, signing_key

from valiza.envelope.dispatch import EnvelopeName
from valiza.envelope.journal import Expectation, Journal, Opening, StoredReceipt
from valiza.envelope.receipt import Verdict
from valiza.keys import labels
from valiza.keys.errors import Conflict, Malformed, Refused, Unavailable
from valiza.keys.fields import Body
from valiza.register.entry import Entry
from valiza.register.store import Query

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from valiza.register.journal import RegisterJournal

HERE: Final = Body("KZ", "KZ-MFA")
THERE: Final = Body("BY", "BY-MFA")
ELSEWHERE: Final = Body("BY", "BY-KGB")
NEW_YEAR: Final = 1_798_761_600  # 2027-01-01T00:00:00Z
NOW: Final = NEW_YEAR - 1000
AGREEMENT: Final = b"a" * 32


def sent(number: int = 1) -> EnvelopeName:
    """An envelope of this office."""
    return EnvelopeName(origin=HERE, envelope_id=bytes([number]) * 32, dispatch_digest=expectation(number).dispatch_digest, agreement=AGREEMENT)


def received(number: int = 1, *, origin: Body = THERE, dispatch: int | None = None) -> EnvelopeName:
    """An envelope of another office."""
    own = number if dispatch is None else dispatch
    return EnvelopeName(origin=origin, envelope_id=bytes([number]) * 32, dispatch_digest=bytes([100 + own]) * 32, agreement=AGREEMENT)


def expectation(number: int = 1) -> Expectation:
    return Expectation(
        dispatch=bytes([number]) * 40, core=b"core", addressees=(bytes(32),), openings=(bytes(32), None), proof=b"p" * 32, marks=("1", "2")
    )


def opening(number: int = 1, at: int = NOW) -> Opening:
    return Opening(expectation=expectation(number), credential=b"c" * 32, opened_at=at, rewrap=None)


def answer(type_: str = labels.ACKNOWLEDGEMENT, said: str = "said") -> bytes:
    return signed(type_, "acknowledger", [said], bytes(32), signing_key("officer")).raw


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[RegisterJournal]:
    with closing(journal_at(tmp_path / "register.db", HERE)) as found:
        yield found


def seal(journal: RegisterJournal, number: int = 1, *, at: int = NOW, due_at: int = NOW + 100) -> EnvelopeName:
    name = sent(number)
    journal.record_sealed(
        expectation(number), name, path=Path("it.vlz"), number=f"KZ-MFA/2026/out/{number}", due_at=due_at, manifest_copy=b"copy", at=at
    )
    return name


def verdict(journal: RegisterJournal, at: int = NOW) -> str:
    (state,) = journal.states(at)
    return state.verdict


# -- the protocol ---------------------------------------------------------------------------------------------------------

PROTOCOL: Final = [name for name, value in vars(Journal).items() if inspect.isfunction(value) and not name.startswith("_")]


def test_the_register_is_a_journal_as_envelope_wants_it(journal: RegisterJournal) -> None:
    as_protocol: Journal = journal
    assert len(PROTOCOL) >= 9
    for name in PROTOCOL:
        assert inspect.signature(getattr(type(as_protocol), name)) == inspect.signature(getattr(Journal, name)), name


def test_of_an_unknown_envelope_nothing_is_known(journal: RegisterJournal) -> None:
    unknown = bytes(32)
    journal.require_first(received())
    found = [
        journal.expectation(unknown),
        journal.manifest_copy(unknown),
        journal.opening(unknown),
        journal.stored_answer(unknown),
        journal.stored_receipt(unknown),
    ]
    assert found == [None] * 5
    assert (journal.withdrawn(unknown), journal.incoming_number(unknown)) == (False, "")
    assert (journal.story(unknown), journal.dispatches_of(unknown), list(journal.states(NOW))) == ([], [], [])


# -- numbers --------------------------------------------------------------------------------------------------------------


def test_numbers_count_from_one_in_each_direction_and_year(journal: RegisterJournal) -> None:
    given = [journal.next_number(direction, AGREEMENT, NEW_YEAR - 1) for direction in ("out", "out", "in", "out")]
    assert given == ["KZ-MFA/2026/out/1", "KZ-MFA/2026/out/2", "KZ-MFA/2026/in/1", "KZ-MFA/2026/out/3"]
    assert [journal.next_number(direction, AGREEMENT, NEW_YEAR) for direction in ("out", "in")] == ["KZ-MFA/2027/out/1", "KZ-MFA/2027/in/1"]


def test_a_number_given_out_is_not_given_again(tmp_path: Path) -> None:
    given = []
    for _ in range(12):
        with closing(journal_at(tmp_path / "register.db", HERE)) as journal:
            given.append(journal.next_number("out", AGREEMENT, NOW))
    assert given == [f"KZ-MFA/2026/out/{n}" for n in range(1, 13)]


def test_no_number_is_given_when_the_clock_runs_back(journal: RegisterJournal) -> None:
    journal.next_number("out", AGREEMENT, NEW_YEAR)
    with pytest.raises(Refused, match="clock"):
        journal.next_number("out", AGREEMENT, NEW_YEAR - 1)


def test_numbers_go_on_after_a_thousand_in_each_direction_and_year(journal: RegisterJournal) -> None:
    with journal.together():
        for _ in range(1100):
            journal.next_number("out", AGREEMENT, NEW_YEAR - 1)
        for _ in range(12):
            journal.next_number("in", AGREEMENT, NEW_YEAR - 1)
    given = [journal.next_number(direction, AGREEMENT, at) for at in (NEW_YEAR - 1, NEW_YEAR) for direction in ("out", "in", "out")]
    assert given == [
        *("KZ-MFA/2026/out/1101", "KZ-MFA/2026/in/13", "KZ-MFA/2026/out/1102"),
        *("KZ-MFA/2027/out/1", "KZ-MFA/2027/in/1", "KZ-MFA/2027/out/2"),
    ]


@pytest.mark.parametrize(
    "number", ["KZ-MFA/2026/out/", "KZ-MFA/2026/out/x", "KZ-MFA/2026/out/-1", "KZ-MFA/2026/out/1e3", f"KZ-MFA/2026/out/{'9' * 16}"]
)
def test_after_a_damaged_number_none_is_given_out(journal: RegisterJournal, number: str) -> None:
    entry = Entry(at=NOW, kind="numbered", direction="out", number=number, agreement=AGREEMENT, origin=HERE, blind=bytes(16))
    with journal.together():
        journal.next_number("out", AGREEMENT, NOW)
        journal.store.append(entry)
    with pytest.raises(Unavailable, match="entry 2 of the register is damaged"):
        journal.next_number("out", AGREEMENT, NOW)
    assert journal.next_number("in", AGREEMENT, NOW) == "KZ-MFA/2026/in/1"
    assert journal.store.count(Query()) == 3


# -- work that does not grow with the register ------------------------------------------------------------------------------


def steps(journal: RegisterJournal, work: Callable[[], object]) -> int:
    """How many instructions SQLite's machine takes for some work: the same each time."""
    taken = 0

    def count() -> int:
        nonlocal taken
        taken += 1
        return 0

    database = database_of(journal)
    database.set_progress_handler(count, 1)
    try:
        work()
    finally:
        database.set_progress_handler(None, 0)
    return taken


def life(journal: RegisterJournal, number: int) -> dict[str, int]:
    """Steps of everything that happens to an envelope sent and to one received."""
    name = EnvelopeName(
        origin=HERE, envelope_id=number.to_bytes(32, "big"), dispatch_digest=(1 << 200 | number).to_bytes(32, "big"), agreement=AGREEMENT
    )
    other = replace(name, origin=THERE, envelope_id=(1 << 100 | number).to_bytes(32, "big"), dispatch_digest=(1 << 201 | number).to_bytes(32, "big"))
    withdrawn = replace(name, envelope_id=(1 << 101 | number).to_bytes(32, "big"), dispatch_digest=(1 << 202 | number).to_bytes(32, "big"))
    path = Path("it.vlz")

    def record_sealed(name: EnvelopeName) -> None:
        journal.record_sealed(expectation(), name, path=path, number=str(number), due_at=NOW, manifest_copy=None, at=NOW)

    works: dict[str, Callable[[], object]] = {
        "next_number out": lambda: journal.next_number("out", AGREEMENT, NOW),
        "next_number in": lambda: journal.next_number("in", AGREEMENT, NOW),
        "record_sealed": lambda: record_sealed(name),
        "settle": lambda: journal.settle([name.dispatch_digest]),
        "unnamed": journal.unnamed,
        "record_sealed 2": lambda: record_sealed(withdrawn),
        "withdraw": lambda: journal.withdraw(withdrawn.dispatch_digest, reason="annex", at=NOW),
        "settle 2": lambda: journal.settle([withdrawn.dispatch_digest]),
        "record_receipt": lambda: journal.record_receipt(b"receipt", "delivered", name, at=NOW),
        "record_conflict": lambda: journal.record_conflict(b"another", name, what="another receipt", at=NOW),
        "require_first": lambda: journal.require_first(other),
        "record_opening": lambda: journal.record_opening(opening(), other, at=NOW),
        "record_opening again": lambda: journal.record_opening(opening(), other, at=NOW),
        "record_answer": lambda: journal.record_answer(answer(), other, at=NOW),
        "stored_answer": lambda: journal.stored_answer(other.dispatch_digest),
        "stored_receipt": lambda: journal.stored_receipt(name.dispatch_digest),
        "expectation": lambda: journal.expectation(name.dispatch_digest),
        "opening": lambda: journal.opening(other.dispatch_digest),
        "story": lambda: journal.story(name.dispatch_digest),
        "named by id": lambda: journal.named(name.envelope_id.hex()),
        "named by the beginning of its id": lambda: journal.named(name.envelope_id.hex()[:-1]),
        "named by number": lambda: journal.named(str(number)),
        "dispatches_of": lambda: journal.dispatches_of(name.envelope_id),
        "record_log_conflict": lambda: journal.record_log_conflict(THERE, AGREEMENT, b"heads", what="split-view", at=NOW),
        "logs": journal.store.logs,
        "is there any": lambda: journal.store.count(Query(limit=1)),
        "record_other_dispatch": lambda: journal.record_other_dispatch(b"other", b"core", replace(name, dispatch_digest=bytes(32)), at=NOW),
    }
    return {said: steps(journal, work) for said, work in works.items()}


def least(journal: RegisterJournal, first: int) -> dict[str, int]:
    """Fewest steps in some lives: how many nodes of the tree an entry completes hangs on its place."""
    lives = [life(journal, number) for number in range(first, first + 16)]
    return {said: min(one[said] for one in lives) for said in lives[0]}


@pytest.mark.slow
def test_no_work_on_one_envelope_grows_with_the_register(tmp_path: Path) -> None:
    with closing(journal_at(tmp_path / "register.db", HERE, lambda: NOW)) as journal:
        life(journal, 0)
        small = least(journal, 1)
        with journal.together():
            for number in range(100, 1100):
                life(journal, number)
        entered = journal.store.count(Query())
        assert entered > 10_000
        large = least(journal, 2000)
    assert {said: count for said, count in large.items() if count > small[said] + 20} == {}
    assert min(small.values()) > 0, "steps are counted"


def test_what_was_recalled_is_asked_of_the_store_no_more(journal: RegisterJournal) -> None:
    name, unknown = seal(journal), sent(2)
    journal.record_statement("notice", b"notice", name, at=NOW)

    def look() -> tuple[object, ...]:
        digest = name.dispatch_digest
        known = journal.expectation(digest), journal.statements("notice", digest), journal.withdrawn(digest), len(journal.story(digest))
        return *known, journal.stored_receipt(digest), journal.stored_answer(digest), journal.story(unknown.dispatch_digest)

    before = look()
    assert before == (expectation(), [b"notice"], False, 2, None, None, [])
    journal.recall([name])  # outside it would be old before long
    assert steps(journal, look) > 0
    with journal.together():
        journal.recall([name, unknown])
        assert steps(journal, lambda: journal.require_first(name)) == 0
        assert steps(journal, look) == 0
        assert look() == before
        with pytest.raises(Conflict):
            journal.require_first(replace(name, dispatch_digest=bytes(32)))
        assert not journal.record_statement("notice", b"notice", name, at=NOW)
        journal.record_receipt(b"receipt", "delivered", name, at=NOW)
        with pytest.raises(Refused):
            journal.record_receipt(b"another", "delivered", name, at=NOW)
        assert (journal.stored_receipt(name.dispatch_digest), len(journal.story(name.dispatch_digest))) == (StoredReceipt(b"receipt", "delivered"), 3)
        journal.recall([unknown])
        assert steps(journal, look) > 0
    assert [entry.kind for entry in journal.store.find(Query())] == ["sealed", "notice", "receipt", "attempt"]


def test_nothing_that_was_taken_back_is_remembered(journal: RegisterJournal) -> None:
    def take_back() -> None:
        with journal.together():
            journal.recall([sent()])
            seal(journal)
            assert journal.expectation(sent().dispatch_digest) == expectation()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        take_back()
    assert journal.expectation(sent().dispatch_digest) is None
    seal(journal)
    with journal.store.transaction():  # not the journal's own, so it does not know when it ends
        journal.recall([sent()])
        journal.require_first(sent())
        journal.record_receipt(b"receipt", "delivered", sent(), at=NOW)
    with pytest.raises(Refused):
        journal.record_receipt(b"another", "delivered", sent(), at=NOW)


# -- the origin's side ----------------------------------------------------------------------------------------------------


def test_what_a_receipt_must_say_is_kept_as_it_was_recorded(journal: RegisterJournal) -> None:
    name = seal(journal)
    assert journal.expectation(name.dispatch_digest) == expectation()
    assert journal.manifest_copy(name.dispatch_digest) == b"copy"
    (entry,) = journal.story(name.dispatch_digest)
    assert (entry.kind, entry.direction, entry.number, entry.at) == ("sealed", "out", "KZ-MFA/2026/out/1", NOW)


def test_the_copy_of_the_manifest_may_be_left_out(journal: RegisterJournal) -> None:
    journal.record_sealed(expectation(), sent(), path=Path("it.vlz"), number="1", due_at=NOW, manifest_copy=None, at=NOW)
    assert journal.manifest_copy(sent().dispatch_digest) is None


def test_a_closed_stamp_is_kept_as_its_digest(journal: RegisterJournal) -> None:
    closed = Expectation(dispatch=b"d", core=b"c", addressees=(), openings=(None,), proof=b"p" * 32, marks=b"m" * 32)
    name = EnvelopeName(origin=HERE, envelope_id=b"e" * 32, dispatch_digest=closed.dispatch_digest, agreement=AGREEMENT)
    journal.record_sealed(closed, name, path=Path("it.vlz"), number="1", due_at=NOW, manifest_copy=None, at=NOW)
    assert journal.expectation(name.dispatch_digest) == closed


def test_one_envelope_is_sealed_once(journal: RegisterJournal) -> None:
    seal(journal)
    with pytest.raises(Refused):
        seal(journal)


@pytest.mark.parametrize("time", [NOW, NOW + 100])
def test_until_it_is_due_a_receipt_is_outstanding(journal: RegisterJournal, time: int) -> None:
    seal(journal)
    assert verdict(journal, time) == Verdict.OUTSTANDING
    assert verdict(journal, NOW + 101) == Verdict.OVERDUE


def test_an_envelope_that_was_never_sent_is_withdrawn_once(journal: RegisterJournal) -> None:
    name = seal(journal)
    journal.withdraw(name.dispatch_digest, reason="the wrong file", at=NOW + 1)
    assert journal.withdrawn(name.dispatch_digest)
    assert verdict(journal, NOW + 1000) == Verdict.WITHDRAWN
    assert [(entry.kind, entry.note) for entry in journal.story(name.dispatch_digest)][1:] == [("withdrawn", "the wrong file")]
    with pytest.raises(Refused, match="already"):
        journal.withdraw(name.dispatch_digest, reason="again", at=NOW + 2)


def test_only_what_was_sealed_here_is_withdrawn(journal: RegisterJournal) -> None:
    journal.enter_arrival(received(), b"dispatch", at=NOW)
    for digest in (bytes(32), received().dispatch_digest):
        with pytest.raises(Refused):
            journal.withdraw(digest, reason="", at=NOW)
        assert not journal.withdrawn(digest)


def test_what_has_a_receipt_is_not_withdrawn(journal: RegisterJournal) -> None:
    name = seal(journal)
    journal.record_receipt(b"receipt", "late", name, at=NOW)
    with pytest.raises(Refused):
        journal.withdraw(name.dispatch_digest, reason="", at=NOW)


# -- the destination's side -----------------------------------------------------------------------------------------------


def test_an_envelope_gets_its_incoming_number_when_it_comes(journal: RegisterJournal) -> None:
    assert journal.enter_arrival(received(1), b"dispatch", at=NOW) == "KZ-MFA/2026/in/1"
    assert journal.enter_arrival(received(2), b"dispatch", at=NOW) == "KZ-MFA/2026/in/2"
    assert journal.enter_arrival(received(1), b"dispatch", at=NEW_YEAR) == "KZ-MFA/2026/in/1"
    assert journal.incoming_number(received(1).dispatch_digest) == "KZ-MFA/2026/in/1"
    assert {state.verdict for state in journal.states(NOW)} == {"arrived"}


def test_it_keeps_the_number_when_it_is_opened_answered_and_confirmed(journal: RegisterJournal) -> None:
    name = received()
    number = journal.enter_arrival(name, b"dispatch", at=NOW)
    assert journal.record_opening(opening(), name, at=NOW) == number
    journal.record_answer(answer(), name, at=NOW)
    journal.record_receipt(b"receipt", "delivered", name, at=NOW)
    assert [(entry.kind, entry.number) for entry in journal.story(name.dispatch_digest)] == [
        (kind, number) for kind in ("arrived", "opened", "answered", "receipt")
    ]


def test_what_is_opened_without_being_entered_is_entered(journal: RegisterJournal) -> None:
    assert journal.record_opening(opening(), received(1), at=NOW) == "KZ-MFA/2026/in/1"
    assert journal.story(received(1).dispatch_digest)[0].statement == opening().expectation.dispatch


def test_a_second_opening_is_recorded_and_the_first_one_counts(journal: RegisterJournal) -> None:
    name = received()
    numbers = {journal.record_opening(opening(at=NOW + i), name, at=NOW + i) for i in range(3)}
    assert numbers == {"KZ-MFA/2026/in/1"}
    assert journal.opening(name.dispatch_digest) == opening(at=NOW)
    assert [entry.kind for entry in journal.story(name.dispatch_digest)] == ["arrived", "opened", "opened", "opened"]


def test_an_opening_with_a_rewrap_is_kept_with_it(journal: RegisterJournal) -> None:
    found = Opening(expectation=expectation(), credential=b"c" * 32, opened_at=NOW, rewrap=b"rewrap")
    journal.record_opening(found, received(), at=NOW)
    assert journal.opening(received().dispatch_digest) == found


def test_an_opening_for_which_the_clock_runs_back_leaves_nothing(journal: RegisterJournal) -> None:
    journal.next_number("out", AGREEMENT, NOW)
    with pytest.raises(Refused):
        journal.record_opening(opening(), received(), at=NOW - 1)
    assert journal.story(received().dispatch_digest) == []
    assert journal.next_number("in", AGREEMENT, NOW) == "KZ-MFA/2026/in/1"


# -- answers and receipts -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("type_", "expected"), [(labels.ACKNOWLEDGEMENT, Verdict.ACKNOWLEDGED), (labels.REFUSAL, Verdict.REFUSED)])
def test_an_answer_is_kept_with_its_verdict(journal: RegisterJournal, type_: str, expected: Verdict) -> None:
    given = answer(type_)
    journal.enter_arrival(received(), b"dispatch", at=NOW)
    journal.record_answer(given, received(), at=NOW)
    assert journal.stored_answer(received().dispatch_digest) == given
    assert verdict(journal) == expected


def test_an_envelope_is_answered_once(journal: RegisterJournal) -> None:
    first = answer()
    journal.enter_arrival(received(), b"dispatch", at=NOW)
    journal.record_answer(first, received(), at=NOW)
    for second in (first, answer(said="other"), answer(labels.REFUSAL)):
        with pytest.raises(Refused):
            journal.record_answer(second, received(), at=NOW)
    assert journal.stored_answer(received().dispatch_digest) == first


def test_a_receipt_is_no_answer(journal: RegisterJournal) -> None:
    with pytest.raises(Malformed):
        journal.record_answer(signed(labels.RECEIPT, "countersigner", [], bytes(32), signing_key("x")).raw, received(), at=NOW)
    assert list(journal.states(NOW)) == []


@pytest.mark.parametrize("said", ["delivered", "refused", "late", "discrepant", "withdrawn"])
def test_a_receipt_is_kept_with_its_verdict(journal: RegisterJournal, said: str) -> None:
    name = seal(journal)
    journal.record_receipt(b"receipt", said, name, at=NOW + 1000)
    stored = journal.stored_receipt(name.dispatch_digest)
    assert stored is not None
    assert (stored.raw, stored.verdict) == (b"receipt", said)
    assert verdict(journal, NOW + 1000) == said


def test_of_one_envelope_there_is_one_receipt(journal: RegisterJournal) -> None:
    name = seal(journal)
    journal.record_receipt(b"receipt", "delivered", name, at=NOW)
    for again in (b"receipt", b"other"):
        with pytest.raises(Refused):
            journal.record_receipt(again, "delivered", name, at=NOW)


def test_a_receipt_of_a_sent_envelope_bears_its_number(journal: RegisterJournal) -> None:
    name = seal(journal)
    journal.record_receipt(b"receipt", "delivered", name, at=NOW)
    assert {(entry.direction, entry.number) for entry in journal.story(name.dispatch_digest)} == {("out", "KZ-MFA/2026/out/1")}


# -- conflicts ------------------------------------------------------------------------------------------------------------


def test_another_dispatch_under_a_known_identity_is_a_conflict(journal: RegisterJournal) -> None:
    journal.enter_arrival(received(), b"dispatch", at=NOW)
    other = received(dispatch=2)
    journal.require_first(received())
    with pytest.raises(Conflict):
        journal.require_first(other)
    for record in (
        lambda: journal.enter_arrival(other, b"dispatch", at=NOW),
        lambda: journal.record_opening(opening(), other, at=NOW),
        lambda: journal.record_answer(answer(), other, at=NOW),
        lambda: journal.record_receipt(b"receipt", "delivered", other, at=NOW),
    ):
        with pytest.raises(Conflict):
            record()
    assert journal.story(other.dispatch_digest) == []
    assert journal.dispatches_of(other.envelope_id) == [received().dispatch_digest]


def test_the_same_id_from_another_origin_is_another_envelope(journal: RegisterJournal) -> None:
    for origin, dispatch in ((THERE, 1), (ELSEWHERE, 2), (HERE, 3)):
        journal.enter_arrival(received(1, origin=origin, dispatch=dispatch), b"dispatch", at=NOW)
    assert len(journal.dispatches_of(received().envelope_id)) == 3


def test_evidence_of_a_conflict_is_kept_once_and_makes_the_verdict(journal: RegisterJournal) -> None:
    name = seal(journal)
    journal.record_receipt(b"receipt", "delivered", name, at=NOW)
    for evidence in (b"another", b"another", b"a third"):
        journal.record_conflict(evidence, name, what="another receipt", at=NOW)
    kept = [(entry.statement, entry.note) for entry in journal.story(name.dispatch_digest) if entry.kind == "conflict"]
    assert kept == [(b"another", "another receipt"), (b"a third", "another receipt")]
    assert verdict(journal) == Verdict.CONFLICT


def test_another_dispatch_is_kept_beside_the_one_that_is_known(journal: RegisterJournal) -> None:
    name = received()
    journal.enter_arrival(name, b"dispatch", at=NOW)
    journal.record_other_dispatch(b"the other dispatch", b"its core", received(dispatch=2), at=NOW)
    assert [(entry.kind, entry.statement, entry.record) for entry in journal.story(name.dispatch_digest)] == [
        ("arrived", b"dispatch", b""),
        ("conflict", b"the other dispatch", b"its core"),
    ]
    assert verdict(journal) == Verdict.CONFLICT


def test_a_conflict_about_one_envelope_leaves_another_origins_envelope_with_that_id_alone(journal: RegisterJournal) -> None:
    """Envelopes travel; whoever saw one may use its id for his own. That must not spoil the verdict of the first."""
    first, own = received(1, origin=ELSEWHERE, dispatch=1), received(1, origin=THERE, dispatch=2)
    for name in (first, own):
        journal.enter_arrival(name, b"dispatch", at=NOW)
    journal.record_other_dispatch(b"the other dispatch", b"its core", received(1, origin=THERE, dispatch=3), at=NOW)
    verdicts = {state.origin: state.verdict for state in journal.states(NOW)}
    assert verdicts == {ELSEWHERE: "arrived", THERE: "conflict"}


# -- looking up -----------------------------------------------------------------------------------------------------------


def test_envelopes_stand_in_the_order_in_which_they_were_entered(journal: RegisterJournal) -> None:
    seal(journal, 1)
    journal.enter_arrival(received(2), b"dispatch", at=NOW + 1)
    seal(journal, 3, at=NOW + 2)
    journal.record_receipt(b"receipt", "delivered", sent(1), at=NOW + 3)
    states = list(journal.states(NOW + 3))
    assert [(state.direction, state.number, state.origin, state.since, state.verdict) for state in states] == [
        ("out", "KZ-MFA/2026/out/1", HERE, NOW, "delivered"),
        ("in", "KZ-MFA/2026/in/1", THERE, NOW + 1, "arrived"),
        ("out", "KZ-MFA/2026/out/3", HERE, NOW + 2, "outstanding"),
    ]
    assert [state.dispatch_digest for state in states] == [name.dispatch_digest for name in (sent(1), received(2), sent(3))]
    assert [state.envelope_id for state in states] == [bytes([n]) * 32 for n in (1, 2, 3)]
    assert [list(journal.states(NOW + 3, direction)) for direction in ("out", "in")] == [[states[0], states[2]], [states[1]]]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("", [1, 15, 16, 18, 255]),
        ("0", [1, 15]),
        ("01", [1]),
        ("010", [1]),
        ("01" * 32, [1]),
        ("01" * 33, []),
        ("1", [16, 18]),
        ("12", [18]),
        ("f", [255]),
        ("ff", [255]),
        ("fff", [255]),
        ("ff" * 32, [255]),
        ("FF", []),
        ("KZ-MFA/2026/out/15", [15]),
        ("KZ-MFA/2026/out", []),
        ("%", []),
        ("0x", []),
        ("\u0661", []),
    ],
)
def test_an_envelope_is_named_by_its_number_or_the_beginning_of_its_id(journal: RegisterJournal, wanted: str, found: list[int]) -> None:
    for number in (1, 15, 16, 18, 255):
        seal(journal, number)
    assert journal.named(wanted) == [sent(number).dispatch_digest for number in found]


def test_what_is_a_number_and_begins_an_id_names_both_in_their_order(journal: RegisterJournal) -> None:
    seal(journal, 0x12)
    name = sent(0x34)
    journal.record_sealed(expectation(0x34), name, path=Path("it.vlz"), number="12", due_at=NOW, manifest_copy=None, at=NOW)
    journal.record_receipt(b"receipt", "delivered", sent(0x12), at=NOW)
    assert journal.named("12") == [sent(0x12).dispatch_digest, name.dispatch_digest]


def test_numbers_without_an_envelope_are_no_envelopes(journal: RegisterJournal) -> None:
    journal.next_number("out", AGREEMENT, NOW)
    assert list(journal.states(NOW)) == []
    assert journal.dispatches_of(b"") == []


def test_opened_is_where_an_unanswered_envelope_stands(journal: RegisterJournal) -> None:
    journal.record_opening(opening(), received(), at=NOW)
    assert verdict(journal) == "opened"
