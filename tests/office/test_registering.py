"""Verifying a whole register: the same is found whether one process looks or several."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.support.keys import BEGIN

from valiza.office import registering
from valiza.office.registering import verify_register
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
    assert (alone.checked.entries, alone.checked.statements) == (count, sum(1 for number in range(1, count + 1) if number % 3))
    assert told == [count, 2 * count]
