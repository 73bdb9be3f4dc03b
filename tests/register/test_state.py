"""What may follow on what in the register; what was refused is entered as an attempt, once, whatever becomes of the work around it."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from tests.support.journals import journal_at

from valiza.envelope.dispatch import EnvelopeName
from valiza.envelope.journal import Expectation
from valiza.keys.errors import Refused
from valiza.keys.fields import Body
from valiza.register.entry import KINDS, ONCE, EntryFacts
from valiza.register.state import Course, ForbiddenStep, require_step, state_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from valiza.register.journal import RegisterJournal

HERE: Final = Body("KZ", "KZ-MFA")
NOW: Final = 1_780_000_000
EXPECTATION: Final = Expectation(dispatch=b"d" * 40, core=b"core", addressees=(bytes(32),), openings=(None,), proof=b"p" * 32, marks=("1",))
NAME: Final = EnvelopeName(origin=HERE, envelope_id=b"e" * 32, dispatch_digest=EXPECTATION.dispatch_digest, agreement=b"a" * 32)

# By what is there already: what may follow.
ANY: Final = {"conflict", "attempt", "numbered", "log-conflict"}
FOLLOWS: Final = {
    (): {"sealed", "arrived", "notice", "handover"},
    ("sealed",): {"withdrawn", "receipt", "overdue", "notice", "handover", "arrived"},
    ("sealed", "overdue"): {"withdrawn", "receipt", "overdue", "notice", "handover", "arrived"},
    ("sealed", "handover"): {"receipt", "overdue", "notice", "handover", "arrived"},
    ("sealed", "receipt"): {"notice", "handover", "arrived"},
    ("sealed", "withdrawn"): {"receipt", "arrived"},
    ("arrived",): {"opened", "answered", "notice", "handover"},
    ("arrived", "opened"): {"opened", "answered", "notice", "handover"},
    ("arrived", "answered"): {"opened", "receipt", "notice", "handover"},
    ("arrived", "answered", "receipt"): {"opened", "notice", "handover"},
}


def story(*kinds: str) -> list[EntryFacts]:
    return [EntryFacts(seq=seq, at=NOW, kind=kind, direction="out", agreement=b"a" * 32, origin=HERE) for seq, kind in enumerate(kinds, 1)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("known", FOLLOWS, ids="-".join)
def test_only_what_may_follow_does(known: tuple[str, ...], kind: str) -> None:
    if kind in FOLLOWS[known] | ANY:
        require_step(kind, story(*known))
    else:
        with pytest.raises(ForbiddenStep):
            require_step(kind, story(*known))


@pytest.mark.parametrize("kind", ONCE)
def test_what_happens_once_does_not_happen_again(kind: str) -> None:
    with pytest.raises(ForbiddenStep, match=r"already"):
        require_step(kind, story("sealed", "arrived", "answered", "withdrawn", "receipt"))


@pytest.mark.parametrize(
    ("kinds", "verdict"),
    [
        ("notice", "announced"),
        ("notice arrived", "arrived"),
        ("arrived opened notice", "opened"),
        ("arrived opened answered", "by answered"),
        ("arrived answered receipt attempt", "by receipt"),
        ("arrived receipt answered", "by receipt"),
        ("sealed withdrawn receipt", "by receipt"),
        ("sealed withdrawn attempt", "withdrawn"),
        ("sealed receipt conflict handover", "conflict"),
    ],
)
def test_where_an_envelope_stands_by_its_entries(kinds: str, verdict: str) -> None:
    course = [
        replace(entry, at=NOW + count, note="0" if entry.kind == "sealed" else f"by {entry.kind}")
        for count, entry in enumerate(story(*kinds.split()))
    ]
    state = state_of(course, NOW)
    assert (state.verdict, state.since, state.changed) == (verdict, NOW, NOW + len(course) - 1)


def test_what_each_envelope_of_a_large_register_is_remembered_by_is_little() -> None:
    """Most of a million entries repeat the kinds of others."""
    courses = [Course(entry) for entry in story("arrived", "arrived")]
    for course in courses:
        for _ in range(3):
            for entry in story("notice", "handover", "receipt"):
                course.take(entry)
    one, other = courses
    assert one._kinds is other._kinds
    assert not hasattr(one, "__dict__")


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[RegisterJournal]:
    with closing(journal_at(tmp_path / "register.db", HERE, lambda: NOW)) as found:
        number = found.next_number("out", NAME.agreement, NOW)
        found.record_sealed(EXPECTATION, NAME, path=Path("it.vlz"), number=number, due_at=NOW + 100, manifest_copy=None, at=NOW)
        yield found


def attempts(journal: RegisterJournal) -> list[str]:
    return [entry.note for entry in journal.story(NAME.dispatch_digest) if entry.kind == "attempt"]


def withdraw(journal: RegisterJournal) -> None:
    journal.withdraw(NAME.dispatch_digest, reason="wrong", at=NOW)


def test_an_attempt_is_entered_once_however_often_it_is_made(journal: RegisterJournal) -> None:
    journal.record_receipt(b"receipt", "delivered", NAME, at=NOW)
    for _ in range(3):
        with pytest.raises(ForbiddenStep, match="has a receipt"):
            withdraw(journal)
    assert attempts(journal) == ["withdrawn: this envelope has a receipt, so it was sent"]
    with pytest.raises(ForbiddenStep):
        journal.record_receipt(b"another", "refused", NAME, at=NOW)
    assert len(attempts(journal)) == 2
    assert journal.story(NAME.dispatch_digest)[-1].statement == b"another", "what was tried is kept"
    (state,) = journal.states(NOW)
    assert state.verdict == "delivered"


def test_an_attempt_is_entered_though_the_work_around_it_is_taken_back(journal: RegisterJournal) -> None:
    def work() -> None:
        with journal.together():
            journal.record_receipt(b"receipt", "delivered", NAME, at=NOW)
            withdraw(journal)

    with pytest.raises(Refused):
        work()
    assert [entry.kind for entry in journal.story(NAME.dispatch_digest)] == ["sealed", "attempt"]


def test_an_attempt_is_entered_though_the_work_around_it_goes_on(journal: RegisterJournal) -> None:
    with journal.together():
        journal.record_receipt(b"receipt", "delivered", NAME, at=NOW)
        with pytest.raises(ForbiddenStep):
            withdraw(journal)
        journal.record_conflict(b"evidence", NAME, what="another receipt", at=NOW)
    assert [entry.kind for entry in journal.story(NAME.dispatch_digest)] == ["sealed", "receipt", "conflict", "attempt"]


def test_a_receipt_for_what_was_withdrawn_is_entered_and_changes_nothing(journal: RegisterJournal) -> None:
    withdraw(journal)
    journal.record_receipt(b"receipt", "withdrawn", NAME, at=NOW)
    (state,) = journal.states(NOW)
    assert state.verdict == "withdrawn"
