"""Following up: what a clerk asks the register for, the story of an envelope, overdue receipts, reminders, exports."""

from __future__ import annotations

import csv
import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.support.cli import Office, World, works

from valiza.cli.exporting import ENTRY, STATE
from valiza.office.exporting import unguarded

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DAY: Final = 86400
YEAR: Final = datetime.now(UTC).year
REASON: Final = "=HYPERLINK(\"http://x/\");+1 <script>alert(1)</script> \u202e\x1b[2J 'x'"


def rows(office: Office, *options: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = office.works("register", "list", *options, "--json").facts["envelopes"]
    return found


def last(office: Office, *options: str) -> list[str]:
    """The last part of each number that is listed."""
    return [row["number"].rpartition("/")[2] for row in rows(office, *options)]


@pytest.fixture(scope="module")
def busy(founded: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    """The origin sent four: one delivered, one withdrawn, one due in a day, one due in a month; the destination answered one and has opened one."""
    world = founded.copy(tmp_path_factory.mktemp("busy"))
    _, _, receipt = world.exchange()
    world.kz.works("receipt", "verify", receipt)
    world.kz.works("withdraw", world.seal(name="2.vlz"), f"--reason={REASON}")
    world.open(world.seal("--due=1", name="3.vlz"), name="opened-3")
    world.seal(name="4.vlz")
    return world


# -- list ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ([], "1234"),
        (["--direction=out"], "1234"),
        (["--direction=in"], ""),
        (["--verdict=delivered", "--verdict=withdrawn"], "12"),
        (["--with=BY"], "1234"),
        (["--with=by-mfa"], "1234"),
        (["--with=BY/BY-MFA"], "1234"),
        (["--with=KZ"], ""),
        (["--agreement=kz-by"], "1234"),
        (["--since=2020-01-01"], "1234"),
        (["--until=2020-01-01"], ""),
        ([f"--number={YEAR}"], "1234"),
        (["--number=1999"], ""),
        (["--number=3"], "3"),
        ([f"--number=KZ-MFA/{YEAR}/out/2"], "2"),
        (["--number=*/out/[34]"], "34"),
        (["--number=KZ-MFA/*"], "1234"),
        (["--open"], "34"),
        (["--due-within=2"], "3"),
        (["--due-within=40"], "34"),
        (["--open", "--verdict=delivered"], ""),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_a_clerk_asks_for(options: list[str], found: str, busy: World) -> None:
    assert last(busy.kz, *options) == list(found)


def test_agreement_by_the_beginning_of_its_digest(busy: World) -> None:
    digest = rows(busy.kz)[0]["agreement"]
    assert last(busy.kz, f"--agreement={digest[:8]}") == list("1234")
    assert last(busy.kz, f"--agreement={'0' * 64}") == []


@pytest.mark.parametrize("wrong", ["--agreement=by-kz", "--since=soon", "--until=32", "--due-within=-1", "--due-within=x"])
def test_what_cannot_be_asked_for(wrong: str, busy: World) -> None:
    busy.kz.fails(2, "register", "list", wrong)


def test_until_a_day_is_until_its_end(busy: World) -> None:
    today = rows(busy.kz)[0]["since"][:10]
    assert last(busy.kz, f"--since={today}", f"--until={rows(busy.kz)[-1]['since'][:10]}") == list("1234")
    assert last(busy.kz, f"--until={today}T00:00:00Z") == []


def test_row_tells_what_is_waited_for(busy: World) -> None:
    told = {row["number"][-1]: row for row in rows(busy.kz)}
    assert [told[n]["waits_for"] for n in "1234"] == [None, None, "receipt", "receipt"]
    assert {row["destination"] for row in told.values()} == {"BY/BY-MFA"}
    assert {row["agreement_id"] for row in told.values()} == {"kz-by"}
    assert told["3"]["due"] == works("inspect", busy.path("3.vlz"), "--json").facts["read"]["stamp"]["receipt_due"]
    came = rows(busy.by)
    assert [(row["verdict"], row["waits_for"], row["origin"], row["destination"]) for row in came] == [
        ("countersigned", None, "KZ/KZ-MFA", "BY/BY-MFA"),
        ("opened", "answer", "KZ/KZ-MFA", "BY/BY-MFA"),
    ]
    assert came[1]["due"] == told["3"]["due"]
    assert last(busy.by, "--due-within=2") == ["2"]


def test_numbers_are_sorted_as_numbers(world: World) -> None:
    for _ in range(10):
        world.kz.works("withdraw", world.seal(name="again.vlz"), "--reason=x")
        world.path("again.vlz").unlink()
    assert last(world.kz) == [str(n) for n in range(1, 11)]


def test_lines_for_people_fit(busy: World) -> None:
    for line in busy.kz.works("register", "list").out.splitlines():
        assert len(line) <= 100
        assert "BY/BY-MFA" in line


# -- show ------------------------------------------------------------------------------------------------------------------


def test_story_in_words(busy: World) -> None:
    shown = busy.kz.works("register", "show", f"KZ-MFA/{YEAR}/out/1").out
    for words in (
        f"KZ-MFA/{YEAR}/out/1: delivered",
        "from: KZ/KZ-MFA",
        "to: BY/BY-MFA",
        "channel: courier",
        "Құпия (KZ:3) = Секретно (BY:3)",
        "waits for: nothing",
        "sealed for BY/BY-MFA by Aigul Serik (KZ/KZ-MFA)",
        f"acknowledged by Yanka Kupava (BY/BY-MFA) as BY-MFA/{YEAR}/in/1, all carriers present; countersigned by Maryna Bor (BY/BY-MFA)",
    ):
        assert words in shown
    waits = busy.kz.works("register", "show", busy.path("3.vlz")).out
    assert "waits for: a receipt; the receipt is due " in waits


def test_story_at_the_destination(busy: World) -> None:
    facts = busy.by.works("register", "show", f"BY-MFA/{YEAR}/in/1", "--json").facts
    assert [entry["kind"] for entry in facts["entries"]] == ["arrived", "opened", "answered", "receipt"]
    assert [entry["by"]["name"] for entry in facts["entries"]] == ["Aigul Serik", "Yanka Kupava", "Yanka Kupava", "Maryna Bor"]
    assert facts["entries"][3]["says"]["answered_by"]["name"] == "Yanka Kupava"
    assert facts["confirming"] == "BY/BY-MFA"


def test_refusal_is_told_with_its_reason(world: World) -> None:
    envelope = world.seal()
    refusal = world.path("refusal.vls")
    world.by.works("refuse", envelope, "--reason=channel", "--comment=by air only", "--as=yanka", "-o", refusal)
    assert [(row["verdict"], row["waits_for"]) for row in rows(world.by)] == [("refused", "countersignature")]
    (_, answered) = world.by.works("register", "show", envelope, "--json").facts["entries"]
    assert "refused unopened by Yanka Kupava (BY/BY-MFA)" in answered["words"]
    assert "channel, 'by air only'" in answered["words"]
    assert (answered["says"]["reason"], answered["says"]["stage"]) == ("channel", "unopened")


def test_attempt_and_conflict_are_told(world: World) -> None:
    envelope, _, receipt = world.exchange()
    world.kz.works("receipt", "verify", receipt)
    world.kz.fails(6, "withdraw", envelope, "--reason=x")
    entries = world.kz.works("register", "show", envelope, "--json").facts["entries"]
    assert entries[-1]["kind"] == "attempt"
    assert entries[-1]["words"] == "refused, and not entered: withdrawing it, since this envelope has a receipt, so it was sent"


def test_text_from_outside_is_escaped(busy: World) -> None:
    shown = busy.kz.works("register", "show", f"KZ-MFA/{YEAR}/out/2").out
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert r"\u{202E}\u{001B}[2J" in shown


# -- overdue ---------------------------------------------------------------------------------------------------------------


def test_nothing_is_overdue(busy: World) -> None:
    assert busy.kz.works("register", "overdue").out == ""
    assert busy.kz.works("register", "overdue", "--json").facts["overdue"] == []
    assert busy.by.works("register", "overdue", "--sign").out == ""


def test_overdue_is_listed_signed_once_and_told(world: World, travel: Callable[[int], None]) -> None:
    envelope, _, receipt = world.exchange("--due=1")
    world.seal(name="later.vlz")
    travel(3 * DAY)
    done = world.kz.run("register", "overdue", "--json")
    (row,) = done.facts["overdue"]
    assert (done.code, row["number"][-1], row["days_late"], row["declared"], row["signed"]) == (8, "1", 2, False, False)
    assert "not signed" in world.kz.run("register", "overdue").out
    signed = world.kz.run("register", "overdue", "--sign")
    assert (signed.code, "signed now" in signed.out, signed.out.count("\n")) == (8, True, 1)
    for _ in range(2):
        again = world.kz.run("register", "overdue", "--sign")
        assert (again.code, again.out, again.err) == (8, "", "")
    entries = world.kz.works("register", "show", envelope, "--json").facts["entries"]
    assert [entry["kind"] for entry in entries] == ["sealed", "overdue"]
    assert entries[1]["by"]["name"] == "Sanzhar Nur"
    assert entries[1]["words"].startswith("declared overdue by Sanzhar Nur (KZ/KZ-MFA): at ")
    world.kz.works("register", "verify")
    world.kz.works("receipt", "verify", receipt)
    assert world.kz.works("register", "overdue").out == ""
    assert rows(world.kz)[0]["verdict"] == "delivered"


def test_who_cannot_act_declares_nothing(world: World, travel: Callable[[int], None]) -> None:
    world.seal("--due=1")
    travel(3 * DAY)
    world.kz.fails(5, "register", "overdue", "--sign", "--as=aigul")
    (row,) = world.kz.run("register", "overdue", "--json").facts["overdue"]
    assert row["declared"] is False


def test_wrong_passphrase_declares_nothing(world: World, travel: Callable[[int], None], monkeypatch: pytest.MonkeyPatch) -> None:
    world.seal("--due=1")
    monkeypatch.setenv("VALIZA_NEW_PASSPHRASE", "right")
    world.kz.works("key", "passphrase", "--as=sanzhar")
    travel(3 * DAY)
    world.kz.fails(2, "register", "overdue", "--sign")
    monkeypatch.setenv("VALIZA_PASSPHRASE", "wrong")
    world.kz.fails(5, "register", "overdue", "--sign")
    monkeypatch.setenv("VALIZA_PASSPHRASE", "right")
    assert "signed now" in world.kz.run("register", "overdue", "--sign").out


# -- reminders -------------------------------------------------------------------------------------------------------------


def test_reminder_names_the_envelope_and_nothing_of_what_is_in_it(world: World, travel: Callable[[int], None]) -> None:
    envelope = world.seal("--due=1")
    travel(3 * DAY)
    (row,) = world.kz.run("register", "overdue", "--json").facts["overdue"]
    text = world.path("reminder.txt")
    world.kz.works("register", "remind", envelope, "-o", text)
    said = text.read_text(encoding="utf-8")
    for words in (
        row["number"],
        row["envelope_id"],
        row["dispatch"],
        row["agreement"],
        row["due"],
        "kz-by",
        "From: KZ/KZ-MFA",
        "To: BY/BY-MFA",
        "was due",
    ):
        assert words in said
    for hidden in ("Құпия", "Секретно", "KZ:3", "BY:3", "map.txt", "joint exercise", "Astana"):
        assert hidden not in said
    assert "signed record" not in said
    folder = world.path("reminders")
    done = world.kz.run("register", "overdue", "--sign", "--remind", folder, "--json")
    (path,) = folder.iterdir()
    assert done.facts["overdue"][0]["reminder"] == str(path)
    assert "A signed record that this receipt is overdue" in path.read_text(encoding="utf-8")
    before = path.stat().st_mtime_ns
    assert world.kz.run("register", "overdue", "--sign", "--remind", folder).out == ""
    assert path.stat().st_mtime_ns == before, "a reminder that was sent is not written anew"


def test_reminder_is_in_the_languages_that_are_asked_for(world: World) -> None:
    text = world.path("reminder.txt")
    world.kz.works("register", "remind", world.seal(), "--lang", "ru", "--lang", "kk", "--lang", "be", "--lang", "en", "-o", text)
    russian, kazakh, belarusian, english = re.split(r"\n(?=Кімнен|Ад|From)", text.read_text("utf-8"))
    for letter, words in (
        (russian, "подтверждения получения"),
        (kazakh, "алғанын растау мерзімі"),
        (belarusian, "пацвярджэння атрымання"),
        (english, "receipt for the envelope"),
    ):
        assert words in letter
        assert len(re.findall("[0-9a-f]{64}", letter)) == 3, "envelope, dispatch, agreement"
        assert "{" not in letter
    world.kz.fails(2, "register", "remind", "0", "--lang", "de", "-o", world.path("another.txt"))


def test_nobody_is_reminded_of_what_is_not_waited_for(busy: World, tmp_path: Path) -> None:
    for office, name in ((busy.kz, f"KZ-MFA/{YEAR}/out/1"), (busy.kz, f"KZ-MFA/{YEAR}/out/2"), (busy.by, f"BY-MFA/{YEAR}/in/2")):
        office.fails(6, "register", "remind", name, "-o", tmp_path / "r.txt")
    busy.kz.works("register", "remind", f"KZ-MFA/{YEAR}/out/4", "-o", tmp_path / "r.txt")
    assert "is due on" in (tmp_path / "r.txt").read_text(encoding="utf-8")


# -- export ----------------------------------------------------------------------------------------------------------------


def _exported(busy: World, path: Path, form: str, *options: str) -> list[dict[str, Any]]:
    done = busy.kz.works("register", "export", f"--format={form}", *options, "-o", path, "--json")
    if form == "jsonl":
        found = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    else:
        with path.open(encoding="utf-8", newline="") as file:
            found = [{key: unguarded(cell) for key, cell in row.items()} for row in csv.DictReader(file)]
    assert done.facts["lines"] == len(found)
    return found


def test_every_entry_is_exported_in_both_formats(busy: World, tmp_path: Path) -> None:
    lines = _exported(busy, tmp_path / "e.jsonl", "jsonl")
    cells = _exported(busy, tmp_path / "e.csv", "csv")
    assert [line["entry"] for line in lines] == list(range(1, len(lines) + 1))
    assert all(tuple(line) == ENTRY for line in lines)
    assert [{key: "" if value is None else str(value) for key, value in line.items()} for line in lines] == cells
    assert REASON in {line["note"] for line in lines}
    raw = (tmp_path / "e.csv").read_bytes()
    assert raw.count(b"\r\n") == raw.count(b"\n")
    assert b"\"'=HYPERLINK" in raw


def test_states_are_exported_as_they_are_listed(busy: World, tmp_path: Path) -> None:
    lines = _exported(busy, tmp_path / "s.jsonl", "jsonl", "--states", "--open")
    assert lines == rows(busy.kz, "--open")
    assert all(tuple(line) == STATE for line in lines)
    assert [line["number"][-1] for line in _exported(busy, tmp_path / "s.csv", "csv", "--states", "--verdict=withdrawn")] == ["2"]


def test_entries_of_the_envelopes_that_were_asked_for(busy: World, tmp_path: Path) -> None:
    lines = _exported(busy, tmp_path / "e.jsonl", "jsonl", "--number=2")
    assert [(line["kind"], line["number"][-1]) for line in lines] == [("numbered", "2"), ("sealed", "2"), ("withdrawn", "2")]


def test_export_overwrites_nothing_and_goes_through_a_pipe(busy: World, tmp_path: Path) -> None:
    path = tmp_path / "there"
    path.write_bytes(b"mine")
    busy.kz.fails(6, "register", "export", "--format=csv", "-o", path)
    assert path.read_bytes() == b"mine"
