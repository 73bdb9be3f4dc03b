"""The other party, which breaks the agreement with its own good keys: denies, answers twice, dates back, widens, shows two faces."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from tests.support.cli import World, works

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DAY: Final = 86400


def test_denies_a_receipt_that_it_gave(world: World) -> None:
    """Without its register and its keys: receipt, rosters, agreement and both fingerprints are enough for an arbiter (A13)."""
    envelope, _, receipt = world.exchange()
    trust = world.strangers_trust
    shutil.rmtree(world.by.home)
    facts = works("receipt", "verify", receipt, "--envelope", envelope, *trust, "--json").facts
    assert facts["verdict"] == "attested"


def test_denies_the_officers_who_signed_it(world: World) -> None:
    """It removes them from its office; the next roster has them all the same, and one without them would not be imported."""
    envelope, _, receipt = world.exchange()
    shutil.rmtree(world.by.home / "credentials" / "yanka")
    shutil.rmtree(world.by.home / "keys" / "yanka")
    world.by.works("roster", "publish", "-o", world.path("BY-2.vls"))
    world.kz.works("roster", "import", world.path("BY-2.vls"))
    assert world.kz.works("receipt", "verify", receipt, "--envelope", envelope, "--json").facts["verdict"] == "delivered"


def test_never_answers(world: World, travel: Callable[[int], None]) -> None:
    """That it opened the envelope is known to its own register alone. The origin sees `overdue`, and can prove nothing."""
    envelope = world.seal("--due=1")
    world.open(envelope)
    travel(2 * DAY)
    (row,) = world.kz.works("register", "list", "--json").facts["envelopes"]
    assert row["verdict"] == "overdue"


def test_shows_one_answer_here_and_another_one_there(world: World, tmp_path: Path) -> None:
    """Each alone is attested to a stranger, as it says itself. Side by side they contradict each other, and the origin keeps both."""
    envelope = world.seal()
    world.open(envelope)
    other = world.copy(tmp_path / "other")
    first = world.countersign(world.acknowledge(envelope), envelope)
    second = other.countersign(other.refuse(envelope), envelope)
    assert works("receipt", "verify", first, *world.strangers_trust, "--json").facts["verdict"] == "attested"
    assert world.kz.works("receipt", "verify", first, "--json").facts["verdict"] == "delivered"
    done = world.kz.run("receipt", "verify", second, "--json")
    assert (done.code, done.facts["verdict"]) == (6, "conflict")
    entries = world.kz.works("register", "show", envelope, "--json").facts["entries"]
    assert {"receipt", "conflict"} <= {entry["kind"] for entry in entries}


def test_dates_its_receipt_back_to_before_it_was_due(world: World, travel: Callable[[int], None]) -> None:
    """The limit: a time is a claim. Its clock stood a month back for opening, answering and countersigning; only the origin's register tells when."""
    envelope = world.seal("--due=2")
    travel(30 * DAY)
    (row,) = world.kz.works("register", "list", "--json").facts["envelopes"]
    assert row["verdict"] == "overdue"
    travel(DAY)
    world.open(envelope)
    receipt = world.countersign(world.acknowledge(envelope), envelope)
    travel(30 * DAY)
    assert world.kz.works("receipt", "verify", receipt, "--json").facts["verdict"] == "delivered"


def test_dates_an_envelope_back_to_before_the_end_of_the_agreement(world: World, travel: Callable[[int], None]) -> None:
    """The limit: sealed after the end took effect, with a clock that stood before it."""
    end = world.path("end.vls")
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    world.by.works("agreement", "terminate", "kz-by", "--takes-effect", tomorrow, "-o", end)
    world.by.works("agreement", "adopt", end)
    envelope = world.seal()
    travel(10 * DAY)
    world.open(envelope)


def test_registers_what_it_likes_at_home(world: World) -> None:
    """What its own register says binds nobody: it can be made to say that nothing came, and the receipt stands."""
    envelope, _, receipt = world.exchange()
    with closing(sqlite3.connect(world.by.home / "register.db", isolation_level=None)) as register:
        for (trigger,) in register.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            register.execute(f"DROP TRIGGER {trigger}")
        register.execute("DELETE FROM entry")
    assert world.by.works("register", "list", "--json").facts["envelopes"] == []
    assert world.kz.works("receipt", "verify", receipt, "--envelope", envelope, "--json").facts["verdict"] == "delivered"


def test_opens_after_it_refused_unopened(world: World) -> None:
    """The limit: the receipt is true of the time that it states, and nothing keeps the destination from opening later. Its own register tells."""
    envelope = world.seal()
    receipt = world.countersign(world.refuse(envelope), envelope)
    world.open(envelope)
    done = world.kz.run("receipt", "verify", receipt, "--json")
    assert (done.code, done.facts["verdict"]) == (6, "refused")
    kinds = [entry["kind"] for entry in world.by.works("register", "show", envelope, "--json").facts["entries"]]
    assert kinds.index("answered") < kinds.index("opened")


def test_answers_for_marks_that_it_did_not_put_on(world: World) -> None:
    """By the rule of A6.1 its marks follow from the origin's: the program states no others, and `acknowledge` has no option for them."""
    envelope = world.seal()
    world.open(envelope)
    facts = world.by.works("acknowledge", envelope, "-o", world.path("a.vls"), "--as=yanka", "--json").facts
    assert facts["verified"]["marks_put_on"] == ["3"]
    assert "--mark" not in works("acknowledge", "--help").out
