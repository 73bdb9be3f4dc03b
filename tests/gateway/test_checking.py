"""Messages in batches: every verdict with real objects, entries in the register, and what one message does to its neighbours: nothing."""

from __future__ import annotations

import gc
import shutil
import sqlite3
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.support.cli import found_world, works
from tests.support.disks import mounted
from tests.support.post import BY_SENDER, KZ_SENDER, Gateway, gateway_at, mail, plain, rules, verdicts

from valiza.envelope.acknowledgement import peek_answer
from valiza.envelope.draft import packaged_draft
from valiza.envelope.receipt import peek_receipt
from valiza.envelope.verifying import HIDDEN
from valiza.gateway import checking
from valiza.gateway.message import Message
from valiza.gateway.parts import take_apart
from valiza.gateway.rules import Rules
from valiza.keys import labels
from valiza.keys.digests import digest
from valiza.keys.errors import Unavailable
from valiza.register.store import Query

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.cli import World

DAY: Final = 86400
SENDERS: Final = '[senders]\n"mfa.by.example" = ["BY-MFA"]\n"registry@mfa.kz.example" = ["KZ-MFA"]\n"<>" = ["KZ-MFA"]\n'
AT_SENDER: Final = "a sender"


def read(world: World, name: str) -> bytes:
    """The bytes of an object, or of part of an office."""
    return world.path(name).read_bytes()


def by_hand(raw: bytes, index: int) -> bytes:
    """A statement whose last byte, which is one of a signature, is another one."""
    return raw[:index] + bytes([raw[index] ^ 1]) + raw[index + 1 :]


# Office, object, rules, and what comes of it: verdict, exit code, action, and the kinds of entries that it adds.
CASES: Final[dict[str, tuple[str, str, str, tuple[str, int, str, list[str]]]]] = {
    "delivered": ("KZ", "good.receipt.vls", "", ("delivered", 0, "accept", ["receipt"])),
    "refused": ("KZ", "refused.receipt.vls", "", ("refused", 6, "accept", ["receipt"])),
    "discrepant": ("KZ", "discrepant.receipt.vls", "", ("discrepant", 6, "accept", ["receipt"])),
    "late": ("KZ", "late.receipt.vls", "", ("late", 6, "accept", ["receipt"])),
    "late, held": ("KZ", "late.receipt.vls", '[actions]\nlate = "quarantine"', ("late", 6, "quarantine", [])),
    "withdrawn receipt": ("KZ", "withdrawn.receipt.vls", "", ("withdrawn", 6, "accept", ["receipt"])),
    "acknowledged": ("KZ", "good.ack.vls", "", ("acknowledged", 8, "accept", [])),
    "unsolicited": ("KZ.empty", "good.receipt.vls", "", ("unsolicited", 6, "reject", [])),
    "attested": ("KNB", "good.receipt.vls", "", ("attested", 0, "accept", [])),
    "own receipt": ("BY", "good.receipt.vls", "", ("outgoing", 0, "accept", [])),
    "own receipt, unrecorded": ("BY.empty", "good.receipt.vls", "", ("unrecorded", 6, "reject", [])),
    "own receipt, made twice": ("BY", "other.receipt.vls", "", ("conflict", 6, "quarantine", ["conflict"])),
    "arrived": ("BY.empty", "good.vlz", "", ("arrived", 0, "accept", ["numbered", "arrived"])),
    "known": ("BY", "good.vlz", "", ("duplicate", 0, "accept", [])),
    "outgoing": ("KZ", "good.vlz", "", ("outgoing", 0, "accept", [])),
    "unrecorded": ("KZ.empty", "good.vlz", "", ("unrecorded", 6, "reject", [])),
    "withdrawn": ("KZ", "withdrawn.vlz", "", ("unrecorded", 6, "reject", [])),
    "misaddressed": ("KNB", "good.vlz", "", ("misaddressed", 6, "reject", [])),
    "passing": ("KNB", "good.vlz", 'pass_for = ["BY-MFA"]', ("passing", 0, "accept", [])),
    "passing, from another": ("KNB", "good.vlz", 'pass_for = ["KZ-MFA"]', ("passing", 0, "accept", [])),
    "channel": ("BY.empty", "good.vlz", 'channel = "diplomatic"', ("forbidden", 6, "reject", [])),
    "channels": ("BY.empty", "good.vlz", 'channel = ["courier", "diplomatic"]', ("arrived", 0, "accept", ["numbered", "arrived"])),
    "mark": ("BY.empty", "good.vlz", 'marks = { KZ = ["2"] }', ("forbidden", 6, "reject", [])),
    "mark put on": ("BY.empty", "good.vlz", 'marks = { KZ = ["3"], BY = [] }', ("forbidden", 6, "reject", [])),
    "marks of others": ("BY.empty", "good.vlz", 'marks = { RU = ["1"] }', ("arrived", 0, "accept", ["numbered", "arrived"])),
    "roster": ("BY", "KZ.roster.vls", "", ("statement", 0, "accept", [])),
    "agreement": ("BY", "agreement.vls", "", ("statement", 0, "accept", [])),
    "half of an agreement": ("BY", "agreement.half.vls", "", ("not-authentic", 4, "reject", [])),
    "credential": ("BY", "KZ/credentials/aigul/seal.vls", "", ("statement", 0, "accept", [])),
    "key": ("KZ", "KZ/keys/aigul/seal.key", "", ("forbidden", 6, "reject", [])),
    "rules of size": ("KZ", "good.receipt.vls", '[limits]\nmessage = "64 KiB"', ("delivered", 0, "accept", ["receipt"])),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("form", ["mail", "bare", "file"])
def test_verdict(case: str, form: str, post: World, tmp_path: Path) -> None:
    home, name, said, (verdict, code, action, entries) = CASES[case]
    raw = read(post, name)
    at = gateway_at(post.path(home), rules(said))
    before = at.kinds()
    if form == "mail" and name.endswith(".key"):
        given = Message(raw=plain(files=[("a.bin", "application/octet-stream", raw)]))
    elif form == "mail":
        given = Message(raw=mail(raw))
    elif form == "bare":
        given = Message(raw=raw, bare=True)
    else:
        spooled = tmp_path / "spooled"
        spooled.write_bytes(raw)
        given = Message(raw=spooled, bare=True)
    (decision,) = at.check(given)
    (finding,) = decision.findings
    assert (finding.verdict, finding.exit_code, decision.action, at.kinds()[len(before) :]) == (verdict, code, action, entries), finding.reason
    assert (decision.reply != "") == (action in {"reject", "defer"})
    assert (decision.headers == ()) == (action in {"reject", "defer"})


def test_every_verdict_but_faults_is_among_them_or_below() -> None:
    below = {
        "none",
        "duplicate",
        "not-authentic",
        "malformed",
        "unverified",
        "sender",
        "unsealed",
        "too-large",
        "too-complex",
        "unavailable",
        "fault",
    }
    assert {case[3][0] for case in CASES.values()} | below == set(Rules().actions)


def test_nothing_of_valiza(post: World) -> None:
    (decision,) = gateway_at(post.path("KZ")).check(plain())
    assert (decision.action, decision.headers) == ("accept", (("X-Valiza-Verdict", "none"),))


def test_evidence_is_not_verified_here(post: World) -> None:
    post.kz.works("receipt", "verify", post.path("good.receipt.vls"))
    (row,) = [row for row in post.kz.works("register", "list", "--json").facts["envelopes"] if row["verdict"] == "delivered"]
    post.kz.works("evidence", "make", row["number"], "-o", post.path("good.vle"))
    (decision,) = gateway_at(post.path("KZ")).check(Message(raw=post.path("good.vle"), bare=True))
    assert (verdicts(decision), decision.action) == (["unverified"], "reject")


@pytest.mark.parametrize("name", ["good.receipt.vls", "good.ack.vls", "agreement.vls", "KZ.roster.vls", "KZ/credentials/aigul/seal.vls"])
def test_signature_that_does_not_hold(name: str, post: World) -> None:
    raw = read(post, name)
    (decision,) = gateway_at(post.path("KZ")).check(mail(by_hand(raw, len(raw) - 1)))
    assert (verdicts(decision), decision.findings[0].exit_code, decision.action) == (["not-authentic"], 4, "reject")
    assert decision.findings[0].envelope_id is None, "what did not verify names nothing"


def test_what_is_no_object(post: World) -> None:
    raw = read(post, "good.receipt.vls")
    at = gateway_at(post.path("KZ"))
    cut = plain(files=[("a.vls", "application/octet-stream", raw[:-1])])
    said = plain(files=[("a.bin", "application/vnd.valiza.statement", b"no statement")])
    named = plain(files=[("letter.vlz", "text/plain", b"no envelope")])
    envelope = plain(files=[("a.bin", "application/octet-stream", read(post, "good.vlz")[:-1])])
    for decision in at.check(cut, said, named, envelope):
        assert (verdicts(decision), decision.findings[0].exit_code, decision.action) == (["malformed"], 3, "reject")


def test_notice_that_tells_of_another_receipt(post: World) -> None:
    at = gateway_at(post.path("KZ"))
    good = mail(read(post, "good.receipt.vls"))
    lied = good.replace(b"\r\nAnswer: acknowledged\r\n", b"\r\nAnswer: refused\r\n")
    more = good.replace(b"\r\nAnswer: acknowledged\r\n", b"\r\nAnswer: acknowledged\r\nVerdict: delivered\r\n")
    other = good.replace(b"\r\nEnvelope-Id: ", b"\r\nEnvelope-Id: 00")
    start, end = good.index(b"--=_", good.index(b"receipt-notice")), good.rindex(b"--=_")
    alone = good[:start] + good[end:]
    for message in (lied, more, other, alone):
        assert message != good
        (decision,) = at.check(message)
        assert ("malformed" in verdicts(decision), decision.action) == (True, "reject")
    assert "receipt" not in at.kinds()
    seven = b"Content-Transfer-Encoding: 7bit\r\n\r\nNotice-Version: 1"
    relayed = good.replace(seven, b"Content-Transfer-Encoding: quoted-printable\r\n\r\nNotice=2DVersion: 1")
    assert relayed != good
    (decision,) = at.check(relayed.replace(b"\r\n", b"\n"))
    assert verdicts(decision) == ["delivered"]


def test_object_hidden_from_the_gateway(post: World) -> None:
    """What mail programs could find and the gateway does not check makes the message malformed."""
    raw = read(post, "good.receipt.vls")
    hidden = plain(files=[("a.bin", "application/octet-stream", raw)]).replace(b"MIME-Version: 1.0\r\n", b"")
    (decision,) = gateway_at(post.path("KZ")).check(hidden)
    assert "malformed" in verdicts(decision)
    assert decision.action == "reject"
    assert gateway_at(post.path("KZ")).kinds().count("receipt") == 0


@pytest.fixture(scope="module")
def closed_post(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Offices under an agreement whose stamps hide marks and route."""
    draft = tmp_path_factory.mktemp("draft") / "closed.toml"
    draft.write_bytes(packaged_draft("kz-by").replace(b'stamp = "open"', b'stamp = "closed"'))
    world = found_world(tmp_path_factory.mktemp("closed"), draft)
    world.seal()
    return world


def test_stamp_that_hides_its_mark(closed_post: World) -> None:
    envelope = mail(read(closed_post, "envelope.vlz"))
    (decision,) = gateway_at(closed_post.path("BY"), rules('closed = "reject"')).check(envelope)
    assert (verdicts(decision), decision.action) == (["forbidden"], "reject")
    (decision,) = gateway_at(closed_post.path("BY"), rules("marks = { KZ = [] }")).check(envelope)
    assert (verdicts(decision), decision.action) == (["arrived"], "accept")
    assert decision.findings[0].unchecked == HIDDEN


# -- the same again -------------------------------------------------------------------------------------------------------


def test_second_delivery_is_accepted_and_entered_once(post: World) -> None:
    at = gateway_at(post.path("KZ"))
    receipt = mail(read(post, "good.receipt.vls"))
    assert [verdicts(one) for one in at.check(receipt, receipt)] == [["delivered"], ["duplicate"]]
    (again,) = at.check(receipt)
    assert (verdicts(again), again.action, again.findings[0].exit_code) == (["duplicate"], "accept", 0)
    assert at.kinds().count("receipt") == 1


def test_exit_code_of_a_second_delivery_is_that_of_the_first(post: World) -> None:
    at = gateway_at(post.path("KZ"))
    receipt = mail(read(post, "late.receipt.vls"))
    assert [one.findings[0].exit_code for one in at.check(receipt, receipt)] == [6, 6]


def test_envelope_that_comes_twice_gets_one_number(post: World) -> None:
    at = gateway_at(post.path("BY.empty"))
    envelope = mail(read(post, "good.vlz"))
    assert [verdicts(one) for one in at.check(envelope, envelope, mail(read(post, "good.vlz"), read(post, "good.vlz")))] == [
        ["arrived"],
        ["duplicate"],
        ["duplicate", "duplicate"],
    ]
    assert at.kinds() == ["numbered", "arrived"]


def test_the_same_object_twice_in_a_message(post: World) -> None:
    at = gateway_at(post.path("KZ"))
    receipt = read(post, "good.receipt.vls")
    (decision,) = at.check(mail(receipt, receipt))
    assert (verdicts(decision), decision.action) == (["delivered", "duplicate"], "accept")
    at = gateway_at(post.path("BY.empty"))
    envelope = read(post, "good.vlz")
    (decision,) = at.check(mail(envelope, envelope))
    assert (verdicts(decision), decision.action) == (["arrived", "duplicate"], "accept")
    assert at.kinds() == ["numbered", "arrived"]


def test_another_receipt_for_the_same_envelope_is_kept_as_evidence(post: World) -> None:
    at = gateway_at(post.path("KZ"))
    first, other = (mail(read(post, name)) for name in ("good.receipt.vls", "other.receipt.vls"))
    one, two, three = at.check(first, other, other)
    assert (verdicts(one), verdicts(two), verdicts(three)) == (["delivered"], ["conflict"], ["conflict"])
    assert two.action == "quarantine"
    assert at.kinds()[-2:] == ["receipt", "conflict"], "the same evidence is kept once"


def test_two_receipts_for_an_envelope_in_one_message(post: World) -> None:
    at = gateway_at(post.path("KZ"))
    before = at.kinds()
    (decision,) = at.check(mail(read(post, "good.receipt.vls"), read(post, "other.receipt.vls")))
    assert (verdicts(decision), decision.action) == (["delivered", "conflict"], "quarantine")
    assert at.kinds() == before


def test_another_dispatch_under_a_known_identity(post: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are sealed with the same random bytes, as after a machine was set back to a snapshot: one id, and two dispatches."""
    monkeypatch.setattr("os.urandom", bytes)
    envelopes = []
    for number in (1, 2):
        shutil.copytree(post.path("KZ.empty"), post.path(f"KZ.{number}"))
        post.carrier.write_text(f"carrier {number}", encoding="utf-8")
        works(*post.order(), "-o", post.path(f"same{number}.vlz"), "--home", post.path(f"KZ.{number}"))
        envelopes.append(mail(read(post, f"same{number}.vlz")))
    monkeypatch.undo()
    at = gateway_at(post.path("BY.empty"))
    one, two = at.check(*envelopes)
    assert (verdicts(one), verdicts(two)) == (["arrived"], ["conflict"])
    assert two.action == "quarantine"
    assert at.kinds() == ["numbered", "arrived", "conflict"]


# -- several objects in a message ------------------------------------------------------------------------------------------


def test_of_two_attachments_one_is_bad(post: World) -> None:
    at = gateway_at(post.path("KZ"))
    before = at.kinds()
    good, bad = read(post, "good.receipt.vls"), read(post, "second.receipt.vls")
    forged = plain(files=[(f"{n}.vls", "application/vnd.valiza.statement", raw) for n, raw in enumerate((good, by_hand(bad, len(bad) - 1)))])
    cut = plain(files=[(f"{n}.vls", "application/vnd.valiza.statement", raw) for n, raw in enumerate((good, bad[:-1]))])
    for decision, verdict in zip(at.check(forged, cut), ("not-authentic", "malformed"), strict=True):
        assert (verdicts(decision), decision.action) == (["delivered", verdict], "reject")
        assert decision.reply == f"550 5.7.1 valiza: {verdict}"
    assert at.kinds() == before


def test_of_two_attachments_one_may_not_pass(post: World) -> None:
    at = gateway_at(post.path("KZ"))
    before = at.kinds()
    (decision,) = at.check(mail(read(post, "good.receipt.vls"), read(post, "good.receipt.vls"), read(post, "KZ.roster.vls")))
    assert decision.action == "accept"
    at = gateway_at(post.path("KZ"), rules('[actions]\nlate = "reject"'))
    before = at.kinds()
    (decision,) = at.check(mail(read(post, "second.receipt.vls"), read(post, "late.receipt.vls")))
    assert (verdicts(decision), decision.action) == (["delivered", "late"], "reject")
    assert decision.reply.startswith("550 5.7.1 valiza: late (envelope ")
    assert at.kinds() == before


def test_evidence_of_a_conflict_is_kept_only_where_all_else_holds(post: World) -> None:
    at = gateway_at(post.path("KZ"))
    at.check(mail(read(post, "good.receipt.vls")))
    before = at.kinds()
    other, bad = read(post, "other.receipt.vls"), read(post, "second.receipt.vls")
    (decision,) = at.check(plain(files=[(f"{n}.vls", "application/vnd.valiza.statement", raw) for n, raw in enumerate((other, bad[:-1]))]))
    assert (verdicts(decision), decision.action) == (["conflict", "malformed"], "reject")
    assert at.kinds() == before
    (decision,) = at.check(mail(other, read(post, "second.receipt.vls")))
    assert (verdicts(decision), decision.action) == (["conflict", "delivered"], "quarantine")
    assert at.kinds() == [*before, "conflict"]


def test_more_objects_than_may_be_in_a_message(post: World) -> None:
    at = gateway_at(post.path("KZ"), rules("[limits]\nobjects = 2"))
    receipt = read(post, "good.receipt.vls")
    (decision,) = at.check(mail(receipt, receipt, receipt))
    assert (verdicts(decision), decision.action) == (["too-complex"], "reject")


# -- limits ---------------------------------------------------------------------------------------------------------------


def test_limits(post: World, tmp_path: Path) -> None:
    at = gateway_at(post.path("BY.empty"), rules('[limits]\nmessage = "64 KiB"\nparts = 3\ndepth = 1'))
    large = plain("x" * 70_000)
    spooled = tmp_path / "large"
    spooled.write_bytes(large)
    parts = plain(files=[(f"{n}.txt", "text/plain", b"x") for n in range(3)])
    assert [verdicts(one) for one in at.check(large, Message(raw=spooled), parts)] == [["too-large"], ["too-large"], ["too-complex"]]
    (decision,) = at.check(large)
    assert decision.reply == "552 5.3.4 valiza: too-large"


def test_missing_file(post: World, tmp_path: Path) -> None:
    (decision,) = gateway_at(post.path("KZ")).check(Message(raw=tmp_path / "nothing"))
    assert (verdicts(decision), decision.action, decision.reply) == (["unavailable"], "defer", "451 4.3.0 valiza: unavailable")


# -- senders --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "sender", "verdict"),
    [
        ("good.receipt.vls", BY_SENDER, "delivered"),
        ("good.receipt.vls", f"<{BY_SENDER.upper()}>", "delivered"),
        ("good.receipt.vls", "anyone@mfa.by.example", "delivered"),
        ("good.receipt.vls", KZ_SENDER, "sender"),
        ("good.receipt.vls", "x@sub.mfa.by.example", "sender"),
        ("good.receipt.vls", "x@mfa.by.example.org", "sender"),
        ("good.receipt.vls", "mfa.by.example@evil.example", "sender"),
        ("good.receipt.vls", "", "sender"),
        ("good.vlz", KZ_SENDER, "outgoing"),
        ("good.vlz", "other@mfa.kz.example", "sender"),
        ("good.vlz", "", "outgoing"),
        ("good.vlz", BY_SENDER, "sender"),
        ("good.ack.vls", BY_SENDER, "acknowledged"),
        ("good.ack.vls", KZ_SENDER, "sender"),
        ("KZ.roster.vls", KZ_SENDER, "statement"),
        ("KZ.roster.vls", BY_SENDER, "sender"),
    ],
)
def test_sender_and_who_signed_agree(name: str, sender: str, verdict: str, post: World) -> None:
    at = gateway_at(post.path("KZ"), rules(SENDERS))
    (decision,) = at.check(Message(raw=mail(read(post, name)), sender=sender))
    assert verdicts(decision) == [verdict]


def test_sender_that_nobody_said(post: World) -> None:
    """From counts where the mail server says nothing; of a file there is not even that, and it is told."""
    at = gateway_at(post.path("KZ"), rules(SENDERS))
    receipt = read(post, "good.receipt.vls")
    wrong, right, bare = at.check(Message(raw=mail(receipt, sender=KZ_SENDER)), Message(raw=mail(receipt)), Message(raw=receipt, bare=True))
    assert (verdicts(wrong), verdicts(right), verdicts(bare)) == (["sender"], ["delivered"], ["duplicate"])
    assert (right.findings[0].unchecked, bare.findings[0].unchecked) == ((), ("sender",))


# -- modes ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["good.receipt.vls", "other.receipt.vls", "withdrawn.vlz"])
def test_observed_is_never_entered_and_never_stopped(name: str, post: World) -> None:
    at = gateway_at(post.path("KZ"), rules('mode = "observe"'))
    before = at.kinds()
    raw = read(post, name)
    for decision in at.check(mail(raw), plain(files=[("a.vls", "text/plain", raw[:-1])]), mail(read(post, "KZ.roster.vls"))):
        assert (decision.action, decision.reply) == ("accept", "")
        assert len(decision.headers) == len(decision.findings)
    assert at.kinds() == before


def test_dry_run_enters_nothing(post: World) -> None:
    at = gateway_at(post.path("KZ"), enters=False)
    before = at.kinds()
    assert [verdicts(one) for one in at.check(mail(read(post, "good.receipt.vls")), mail(read(post, "withdrawn.receipt.vls")))] == [
        ["delivered"],
        ["withdrawn"],
    ]
    assert at.kinds() == before


def test_folder_without_keys(post: World) -> None:
    for name in ("KZ", "BY.empty"):
        shutil.rmtree(post.path(name) / "keys")
        shutil.rmtree(post.path(name) / "credentials")
    assert verdicts(gateway_at(post.path("KZ")).check(mail(read(post, "good.receipt.vls")))[0]) == ["delivered"]
    assert verdicts(gateway_at(post.path("BY.empty")).check(mail(read(post, "good.vlz")))[0]) == ["arrived"]


# -- failing closed -------------------------------------------------------------------------------------------------------


def _later(seconds: int) -> Any:
    return lambda: int(time.time()) + seconds


EVERYTHING: Final = ("good.receipt.vls", "good.ack.vls", "good.vlz", "KZ.roster.vls", "agreement.vls")


@pytest.mark.parametrize("name", EVERYTHING)
@pytest.mark.parametrize("why", ["expired", "missing"])
def test_roster_that_is_not_in_force(name: str, why: str, post: World) -> None:
    home = post.path("KZ")
    at = gateway_at(home, clock=_later(4000 * DAY) if why == "expired" else _later(0))
    if why == "missing":
        for path in (home / "rosters").glob("BY-*"):
            path.rename(post.path(path.name))
    before = at.kinds()
    decision, nothing = at.check(mail(read(post, name)), plain())
    assert (verdicts(decision), decision.action, decision.reply) == (["unavailable"], "defer", "451 4.3.0 valiza: unavailable")
    assert verdicts(nothing) == ["none"], "what needs no roster passes"
    assert at.kinds() == before
    with pytest.raises(Unavailable):
        at.checker.probe()


def test_roster_that_is_imported_meanwhile_is_noticed(post: World) -> None:
    home = post.path("KZ")
    kept = [path for path in (home / "rosters").iterdir() if path.name.startswith("BY-")]
    for path in kept:
        path.rename(post.path(path.name))
    at = gateway_at(home)
    receipt = mail(read(post, "good.receipt.vls"))
    assert verdicts(at.check(receipt)[0]) == ["unavailable"]
    assert "BY" not in at.checker.expiries()
    post.kz.works("roster", "import", post.by.roster)
    assert verdicts(at.check(receipt)[0]) == ["delivered"]
    at.checker.probe()
    assert set(at.checker.expiries()) == {"KZ", "BY"}


def test_agreement_that_is_adopted_meanwhile_is_noticed(post: World) -> None:
    home = post.path("KZ")
    (adopted,) = (home / "agreements").iterdir()
    adopted.unlink()
    at = gateway_at(home)
    receipt = mail(read(post, "good.receipt.vls"))
    assert verdicts(at.check(receipt)[0]) == ["forbidden"]
    post.kz.works("agreement", "adopt", post.agreement)
    assert verdicts(at.check(receipt)[0]) == ["delivered"]


def test_office_that_cannot_be_read(post: World) -> None:
    at = gateway_at(post.path("KZ"))
    (post.path("KZ") / "rosters").rename(post.path("elsewhere"))
    decision, nothing = at.check(mail(read(post, "good.receipt.vls")), plain())
    assert (verdicts(decision), verdicts(nothing)) == (["unavailable"], ["none"])
    post.path("elsewhere").rename(post.path("KZ") / "rosters")
    assert verdicts(at.check(mail(read(post, "good.receipt.vls")))[0]) == ["delivered"]


def test_register_that_is_not_there(post: World) -> None:
    """Nothing that needs it is accepted or rejected; the rest of a batch is as it is."""
    path = post.path("KZ") / "register.db"
    whole = path.read_bytes()
    path.write_bytes(b"no database, " * 1000)
    at = gateway_at(post.path("KZ"))
    receipt, envelope = read(post, "good.receipt.vls"), read(post, "good.vlz")
    found = at.check(mail(receipt), plain(), plain(files=[("a.vls", "text/plain", receipt[:-1])]), mail(envelope), mail(receipt))
    assert [verdicts(one) for one in found] == [["unavailable"], ["none"], ["malformed"], ["unavailable"], ["unavailable"]]
    assert [one.action for one in found] == ["defer", "accept", "reject", "defer", "defer"]
    path.write_bytes(whole)
    assert [verdicts(one) for one in at.check(mail(receipt), mail(envelope))] == [["delivered"], ["outgoing"]]


def test_register_that_is_held_by_another(post: World) -> None:
    at = gateway_at(post.path("KZ"))
    at.kinds()
    with sqlite3.connect(post.path("KZ") / "register.db", isolation_level=None) as other:
        at.office.journal.store._db.execute("PRAGMA busy_timeout = 50")  # type: ignore[attr-defined]
        other.execute("BEGIN IMMEDIATE")
        found = at.check(*(mail(read(post, f"{name}.receipt.vls")) for name in ("good", "second", "late", "refused")))
        assert [verdicts(one) for one in found] == [["unavailable"]] * 4
        other.execute("ROLLBACK")
    other.close()
    assert verdicts(at.check(mail(read(post, "good.receipt.vls")))[0]) == ["delivered"]


def test_full_disk(post: World, tmp_path: Path) -> None:
    """What cannot be entered waits, and is entered once there is room."""
    receipts = [mail(read(post, f"{name}.receipt.vls")) for name in ("good", "second", "late")]
    with mounted(tmp_path / "disk", "4m") as disk:
        home = disk / "KZ"
        shutil.copytree(post.path("KZ"), home)
        at = gateway_at(home)
        assert verdicts(at.check(receipts[0])[0]) == ["delivered"]
        filler = disk / "filler"
        with suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        found = at.check(*receipts[1:], plain())
        assert [(verdicts(one), one.action) for one in found] == [(["unavailable"], "defer")] * 2 + [(["none"], "accept")]
        filler.unlink()
        assert [verdicts(one) for one in at.check(*receipts)] == [["duplicate"], ["delivered"], ["late"]]
        assert at.kinds().count("receipt") == 3
        at.office.close()
        at.office.reread()  # it keeps its rosters open
        del at
        gc.collect()


def test_clocks_of_several_hosts(post: World) -> None:
    """A register that another host has a later entry in, by seconds, is entered in; if it is by more a clock is wrong, and mail waits."""
    ahead, behind, wrong = (gateway_at(post.path("KZ"), clock=_later(seconds)) for seconds in (0, -3, -60))
    first, second, late = (mail(read(post, f"{name}.receipt.vls")) for name in ("good", "second", "late"))
    assert verdicts(ahead.check(first)[0]) == ["delivered"]
    assert verdicts(behind.check(second)[0]) == ["delivered"]
    assert verdicts(wrong.check(late)[0]) == ["unavailable"]
    times = [entry.at for entry in ahead.office.journal.store.find(Query())]
    assert times == sorted(times)


# -- one message and its neighbours ---------------------------------------------------------------------------------------


@pytest.fixture
def batch(post: World) -> Iterator[tuple[Gateway, list[bytes]]]:
    at = gateway_at(post.path("KZ"))
    yield at, [mail(read(post, f"{name}.receipt.vls")) for name in ("good", "second", "late")]
    at.office.close()


@pytest.mark.parametrize("where", ["take_apart", "judge"])
@pytest.mark.parametrize("error", [RuntimeError("secret words"), MemoryError(), KeyError("secret words"), RecursionError()])
def test_fault_of_ours_in_one_message(where: str, error: Exception, batch: tuple[Gateway, list[bytes]], monkeypatch: pytest.MonkeyPatch) -> None:
    at, messages = batch
    real: Any = getattr(checking, where)

    def failing(first: Any, *rest: Any, **more: Any) -> Any:
        if where == "take_apart":
            if first is messages[1]:
                raise error
        elif any(found.signed.digest == second for found in first):
            raise error
        return real(first, *rest, **more)

    second = _dispatch_of(messages[1])
    monkeypatch.setattr(checking, where, failing)
    found = at.check(*messages)
    assert [verdicts(one) for one in found] == [["delivered"], ["fault"], ["late"]]
    assert (found[1].action, found[1].reply) == ("defer", "451 4.3.0 valiza: fault")
    assert "secret" not in found[1].findings[0].reason
    monkeypatch.undo()
    assert [verdicts(one) for one in at.check(*messages)] == [["duplicate"], ["delivered"], ["duplicate"]]


def _dispatch_of(message: bytes) -> bytes:
    """The digest of the dispatch that the receipt in a message is about."""
    with take_apart(message) as taken:
        (raw,) = [part.content.read() for part in taken.parts if part.ours]
    return digest(labels.DIGEST_STATEMENT, peek_answer(peek_receipt(raw).answer)[0].dispatch)


def test_entry_that_the_register_refuses_takes_back_its_message_alone(batch: tuple[Gateway, list[bytes]], post: World) -> None:
    """A trigger of the database refuses one of the receipts, as a disk could that fails at one place."""
    at, messages = batch
    name = _dispatch_of(messages[1]).hex()
    with sqlite3.connect(post.path("KZ") / "register.db") as other:
        other.execute(
            f"CREATE TRIGGER refuse BEFORE INSERT ON entry WHEN NEW.kind = 'receipt' AND NEW.dispatch_digest = x'{name}' "
            "BEGIN SELECT RAISE(ABORT, 'disk'); END"
        )
    other.close()
    found = at.check(*messages)
    assert [one.action for one in found] == ["accept", found[1].action, "accept"]
    assert [verdicts(found[0]), verdicts(found[2])] == [["delivered"], ["late"]]
    assert verdicts(found[1]) in (["unavailable"], ["forbidden"])
    assert at.kinds().count("receipt") == 2
