"""Verifying a whole register: the same is found whether one process looks or several."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.support.keys import BEGIN

from valiza.keys import labels
from valiza.keys.digests import digest
from valiza.office import registering
from valiza.office.registering import verify_register
from valiza.register.checking import RegisterChecked, check_register
from valiza.register.entry import Entry
from valiza.register.store import PAGE

if TYPE_CHECKING:
    from valiza.office.home import Office


@pytest.mark.slow
def test_several_processes_find_what_one_finds(kz: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    count, wrong = 2 * PAGE + 10, {2, PAGE, PAGE + 1, 2 * PAGE + 10}
    store = kz.journal.store
    with store.transaction():
        for number in range(1, count + 1):
            common: dict[str, Any] = {"envelope_id": bytes(32), "dispatch_digest": bytes([1]) * 32, "agreement": bytes(32), "blind": bytes(16)}
            kind = "handover" if number in wrong else "conflict"
            store.append(Entry(at=BEGIN, kind=kind, direction="out", origin=kz.body, statement=b"no statement" * (number % 3), **common))
    found, told = [], []
    for few in (count, count - 1):
        monkeypatch.setattr(registering, "_FEW", few)
        monkeypatch.setattr(registering, "processors", lambda: 2)
        told.append(0)

        def progress(done: int) -> None:
            told[-1] += done

        found.append(verify_register(kz, progress=progress))
    alone, together = found
    assert [finding.seq for finding in alone.checked.findings] == [number for number in sorted(wrong) if number % 3]
    assert together == alone
    kept = {number for number in range(1, count + 1) if number % 3}
    assert (alone.checked.entries, alone.checked.last, alone.checked.statements) == (count, count, len(kept & wrong))
    assert alone.checked.unchecked == {"conflict": len(kept - wrong)}
    assert told == [count, 2 * count]


@pytest.mark.slow
def test_what_is_entered_while_several_processes_verify_is_checked_too(kz: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    def enter(count: int, kind: str) -> None:
        with kz.journal.store.transaction():
            for _ in range(count):
                common: dict[str, Any] = {"envelope_id": bytes(32), "dispatch_digest": bytes([1]) * 32, "agreement": bytes(32), "blind": bytes(16)}
                kz.journal.store.append(Entry(at=BEGIN, kind=kind, direction="out", origin=kz.body, statement=b"no statement", **common))

    def check(*arguments: Any, **named: Any) -> RegisterChecked:
        """By now the other processes have been given what they are to read."""
        enter(PAGE, "handover")
        return check_register(*arguments, **named)

    enter(PAGE + 10, "conflict")
    monkeypatch.setattr(registering, "_FEW", PAGE)
    monkeypatch.setattr(registering, "processors", lambda: 2)
    monkeypatch.setattr(registering, "check_register", check)
    checked = verify_register(kz).checked
    assert (checked.entries, checked.statements, checked.unchecked) == (2 * PAGE + 10, PAGE, {"conflict": PAGE + 10})
    assert [finding.seq for finding in checked.findings] == list(range(PAGE + 11, 2 * PAGE + 11))


def test_without_statements_none_is_checked(kz: Office) -> None:
    with kz.journal.store.transaction():
        for kind in ("handover", "arrived", "conflict"):
            statement = b"no statement"
            common: dict[str, Any] = {"envelope_id": bytes(32), "agreement": bytes(32), "blind": bytes(16)}
            dispatch_digest = digest(labels.DIGEST_STATEMENT, statement)
            kz.journal.store.append(
                Entry(at=BEGIN, kind=kind, direction="in", origin=kz.body, statement=statement, dispatch_digest=dispatch_digest, **common)
            )
    hashes, whole = (verify_register(kz, statements=statements).checked for statements in (False, True))
    assert (hashes.statements, hashes.unchecked, hashes.findings) == (0, {"handover": 1, "arrived": 1, "conflict": 1}, [])
    assert (whole.statements, whole.unchecked, [finding.seq for finding in whole.findings]) == (1, {"arrived": 1, "conflict": 1}, [1])
