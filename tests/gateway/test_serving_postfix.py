"""`valiza gateway serve` behind a real Postfix: what comes by SMTP, what is said to who brings it, what lies in the mailbox, what in the register."""

from __future__ import annotations

import email.policy
import os
import re
import shutil
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from email.parser import BytesParser
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.support.cli import Office, World, found_world
from tests.support.gateway import RULES, Gateway, gateway_folder, serving
from tests.support.letters import letter, plain
from tests.support.postfix import Postfix, wait
from tests.support.postfix import running as running_postfix
from tests.support.registers import clock, require_whole

from valiza.register.connecting import open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from email.message import Message

    from tests.support.postfix import Reply
    from tests.support.postgresql import Cluster

pytestmark = pytest.mark.slow

DAY: Final = 86400
HEADER: Final = "X-Valiza-Verdict"


@pytest.fixture(scope="session")
def founded(tmp_path_factory: pytest.TempPathFactory) -> World:
    return found_world(tmp_path_factory.mktemp("founded"))


@pytest.fixture
def world(founded: World, tmp_path: Path) -> World:
    return founded.copy(tmp_path / "world")


@pytest.fixture
def travel(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Put the clock of commands in this process forward; the gateway has its own."""
    present = time.time

    class Clock:
        def __init__(self, seconds: int) -> None:
            self.seconds = seconds

        def time(self) -> float:
            return present() + self.seconds

    return lambda seconds: monkeypatch.setattr("valiza.cli.options.time", Clock(seconds))


def keyless(office: Office, folder: Path, body: str | None = None) -> Office:
    """The folder of a gateway: that of an office without its keys; perhaps of another body, which has nothing in its register."""
    shutil.copytree(office.home, folder, ignore=shutil.ignore_patterns("keys", *(["register.db*"] if body else [])))
    (folder / "keys").mkdir(mode=0o700)
    if body:
        config = folder / "office.toml"
        config.write_text(config.read_text(encoding="utf-8").replace(f'"{office.body}"', f'"{body}"'), encoding="utf-8")
    return Office(home=folder, party=office.party, roster=office.roster)


class Way:
    """A mail server with a gateway."""

    def __init__(self, postfix: Postfix, gateway: Gateway) -> None:
        self.postfix = postfix
        self.gateway = gateway

    def send(self, raw: bytes, **how: Any) -> Reply:
        return self.postfix.send(raw, **how)

    def passes(self, raw: bytes, **how: Any) -> list[str]:
        """The verdicts on a message that has to arrive."""
        said = self.send(raw, **how)
        assert said.code == 250, (said, self.gateway.story())
        return verdicts(self.postfix.arrived())

    def refused(self, raw: bytes, **how: Any) -> str:
        """What is said of a message that must not be taken."""
        said = self.send(raw, **how)
        assert said.code in {550, 552}, (said, self.gateway.story())
        return said.text

    def follow(self, rules: str) -> None:
        """Let other rules hold."""
        before = len(self.gateway.events("reloaded"))
        self.gateway.write_rules(rules)
        self.gateway.reload()
        self.gateway.wait_for("reloaded", before + 1)


def verdicts(message: Message) -> list[str]:
    return [value.partition(";")[0] for value in message.get_all(HEADER, [])]


@pytest.fixture
def at_origin(world: World, postfix: Postfix) -> Iterator[Way]:
    """The gateway of the origin, which shares the register in its office's folder."""
    with serving(world.kz.home, f"unix:{postfix.socket}") as gateway:
        postfix.use_milter(f"unix:{postfix.socket}")
        yield Way(postfix, gateway)


def raw_of(path: Path) -> bytes:
    return path.read_bytes()


def altered(raw: bytes) -> bytes:
    """With another last byte, which is one of a signature."""
    return raw[:-1] + bytes([raw[-1] ^ 1])


def standing(office: Office) -> list[str]:
    return [row["verdict"] for row in office.works("register", "list", "--json").facts["envelopes"]]


# -- one session, large and small -----------------------------------------------------------------------------------------


def test_good_bad_good_in_one_session(at_origin: Way, world: World) -> None:
    """What other filters lost from the second message on: each header of each message is looked at."""
    _, _, receipt = world.exchange()
    good, bad = letter(raw_of(receipt)), letter(altered(raw_of(receipt)))
    with at_origin.postfix.session() as client:
        first, second, third = (at_origin.send(raw, client=client) for raw in (good, bad, good))
        none = at_origin.send(plain(), client=client)
    assert (first.code, third.code, none.code) == (250, 250, 250)
    assert second.code == 550
    assert re.fullmatch(r"5\.7\.1 valiza: not-authentic(?: \(envelope [0-9a-f]{64}\))?", second.text)
    messages = [BytesParser(policy=email.policy.compat32).parsebytes(raw) for raw in at_origin.postfix.arrivals(3)]
    assert [verdicts(message) for message in messages] == [["delivered"], ["duplicate"], ["none"]]
    sent = BytesParser(policy=email.policy.compat32).parsebytes(good.replace(b"\r\n", b"\n"))
    for message in messages[:2]:
        ours = [(name, value) for name, value in message.items() if name not in {"Return-Path", "X-Original-To", "Delivered-To", "Received", HEADER}]
        assert ours == sent.items()
    envelope_id = re.findall("[0-9a-f]{64}", messages[0][HEADER])
    assert len(envelope_id) == 1
    at_origin.gateway.wait_for("message", 4)
    events = at_origin.gateway.events("message")
    assert [event["action"] for event in events] == ["accept", "reject", "accept", "accept"]
    assert all(event["queue_id"] for event in events)
    assert all(f" {event['queue_id']}: " in at_origin.postfix.log() for event in events), "the mail server's log names the same message"
    assert standing(world.kz) == ["delivered"]


def test_a_receipt_closes_its_entry(at_origin: Way, world: World) -> None:
    _, _, receipt = world.exchange()
    assert standing(world.kz) == ["outstanding"]
    assert at_origin.passes(letter(raw_of(receipt))) == ["delivered"]
    assert standing(world.kz) == ["delivered"]
    assert world.kz.works("register", "verify", "--json").facts["holds"]


@pytest.mark.parametrize(("size", "spooled"), [(10 << 10, False), (50 << 20, True)], ids=["10 KiB", "50 MiB"])
def test_envelopes_of_any_size_arrive(world: World, postfix: Postfix, size: int, spooled: bool) -> None:  # noqa: FBT001 - a parameter
    world.carrier.write_bytes(os.urandom(size))
    envelope = world.seal()
    with serving(world.by.home, f"unix:{postfix.socket}") as gateway:
        postfix.use_milter(f"unix:{postfix.socket}")
        way = Way(postfix, gateway)
        assert way.passes(letter(raw_of(envelope))) == ["arrived"]
        event = gateway.wait_for("message")
        assert (event["size"] > 1 << 18) is spooled
        folder = world.open(envelope)
        assert (folder / "map.txt").read_bytes() == world.carrier.read_bytes()
    assert standing(world.by) == ["opened"]


# -- every verdict --------------------------------------------------------------------------------------------------------


def test_every_verdict_on_a_receipt(at_origin: Way, world: World, tmp_path: Path, travel: Callable[[int], None]) -> None:
    stranger = world.copy(tmp_path / "stranger")
    _, acknowledgement, receipt = world.exchange()
    assert at_origin.passes(letter(raw_of(acknowledgement))) == ["acknowledged"]
    assert at_origin.passes(letter(raw_of(receipt))) == ["delivered"]
    assert at_origin.passes(letter(raw_of(receipt))) == ["duplicate"]
    _, _, elsewhere = stranger.exchange()
    assert "valiza: unsolicited (envelope " in at_origin.refused(letter(raw_of(elsewhere)))

    second = world.seal(name="second.vlz")
    world.open(second, name="second")
    other = world.copy(tmp_path / "other")
    refusal = world.countersign(world.refuse(second, name="second.vls"), second, name="second.receipt.vls")
    assert at_origin.passes(letter(raw_of(refusal))) == ["refused"]
    answer = other.acknowledge(other.path("second.vlz"), name="second.ack.vls")
    contrary = other.countersign(answer, other.path("second.vlz"), name="contrary.vls")
    assert at_origin.send(letter(raw_of(contrary))).code == 250
    (held,) = wait(lambda: at_origin.postfix.queue("hold"), "a message on hold")
    assert f"{HEADER}: conflict; envelope=" in at_origin.postfix.held(held["queue_id"])
    assert at_origin.postfix.delivered() == at_origin.postfix.delivered()[:4], "nothing of it was delivered"

    third = world.seal(name="third.vlz")
    world.open(third, name="third")
    withdrawn = world.countersign(world.acknowledge(third, name="third.ack.vls"), third, name="third.receipt.vls")
    world.kz.works("withdraw", third, "--reason=lost")
    assert at_origin.passes(letter(raw_of(withdrawn))) == ["withdrawn"]

    due = world.seal("--due=1", name="due.vlz")
    world.open(due, name="due")
    travel(2 * DAY)
    late = world.countersign(world.acknowledge(due, name="due.ack.vls"), due, name="due.receipt.vls")
    assert at_origin.passes(letter(raw_of(late))) == ["late"]


def test_something_missing_is_discrepant(at_origin: Way, world: World) -> None:
    inventory = world.path("list.toml")
    inventory.write_text('[[carrier]]\nfile = "map.txt"\n\n[[carrier]]\nphysical = true\nname = "parcel"\n', encoding="utf-8")
    envelope = world.seal("--inventory", inventory)
    world.open(envelope)
    receipt = world.countersign(world.acknowledge(envelope, "--missing=1"), envelope)
    assert at_origin.passes(letter(raw_of(receipt))) == ["discrepant"]


def test_every_verdict_on_an_envelope(at_origin: Way, world: World, tmp_path: Path, postfix: Postfix) -> None:
    stranger = world.copy(tmp_path / "stranger")
    ours = raw_of(world.seal())
    assert at_origin.passes(letter(ours)) == ["outgoing"]
    withdrawn = world.seal(name="withdrawn.vlz")
    world.kz.works("withdraw", withdrawn, "--reason=lost")
    assert "valiza: unrecorded" in at_origin.refused(letter(raw_of(withdrawn)))
    assert "valiza: unrecorded" in at_origin.refused(letter(raw_of(stranger.seal(name="unrecorded.vlz"))))
    at_origin.gateway.stop()
    with serving(world.by.home, f"unix:{postfix.socket}") as gateway:
        way = Way(postfix, gateway)
        assert way.passes(letter(ours)) == ["arrived"]
        assert way.passes(letter(ours)) == ["duplicate"]
        assert standing(world.by) == ["arrived"]
    third = keyless(world.kz, tmp_path / "third", "KZ-NSC")
    with serving(third.home, f"unix:{postfix.socket}") as gateway:
        way = Way(postfix, gateway)
        assert "valiza: misaddressed" in way.refused(letter(ours))
        way.follow(RULES.replace("[limits]", 'pass_for = ["KZ-MFA"]\n[limits]'))
        assert way.passes(letter(ours)) == ["passing"]
        _, _, receipt = stranger.exchange()
        assert way.passes(letter(raw_of(receipt))) == ["attested"]
    assert standing(third) == []


def test_every_other_verdict(at_origin: Way, world: World) -> None:
    envelope = world.seal()
    raw = raw_of(envelope)
    assert at_origin.passes(plain()) == ["none"]
    assert at_origin.passes(letter(raw_of(world.by.roster))) == ["statement"]
    assert "valiza: malformed" in at_origin.refused(letter(raw)[:-2000])
    assert "valiza: not-authentic" in at_origin.refused(letter(altered_payload(raw)))
    world.open(envelope)
    receipt = world.countersign(world.acknowledge(envelope), envelope)
    world.kz.works("receipt", "verify", receipt)
    world.kz.works("evidence", "make", envelope, "-o", world.path("evidence.vle"))
    assert "valiza: unverified" in at_origin.refused(letter(raw_of(world.path("evidence.vle"))))
    at_origin.follow('version = 1\nchannel = "encrypted"\n')
    assert "valiza: forbidden" in at_origin.refused(letter(raw))
    at_origin.follow('version = 1\n[senders]\n"kz.test.invalid" = ["KZ-MFA"]\n')
    assert "valiza: sender" in at_origin.refused(letter(raw), sender="clerk@by.test.invalid")
    assert at_origin.passes(letter(raw), sender="clerk@kz.test.invalid") == ["outgoing"]
    at_origin.follow('version = 1\n[unsealed]\nnames = ["*.dsp.*"]\n')
    attachment = b'Content-Type: application/pdf; name="plan.dsp.pdf"\r\n'
    assert "valiza: unsealed" in at_origin.refused(plain(b"secret\r\n", header=attachment))
    at_origin.follow('version = 1\n[limits]\nmessage = "64 KiB"\nparts = 1\n')
    large = at_origin.send(plain(b"x" * 70 + b"\r\n", header=b"") + (b"x" * 70 + b"\r\n") * 2000)
    assert (large.code, large.text) == (552, "5.3.4 valiza: too-large")
    assert "valiza: too-complex" in at_origin.refused(letter(raw_of(receipt)))
    at_origin.follow('version = 1\nmode = "observe"\n[unsealed]\nnames = ["*.dsp.*"]\n')
    assert at_origin.passes(plain(b"secret\r\n", header=attachment)) == ["unsealed"], "only observed"


def altered_payload(raw: bytes) -> bytes:
    """An envelope with another byte in the middle, which is one of the ciphertext."""
    return raw[: len(raw) // 2] + bytes([raw[len(raw) // 2] ^ 1]) + raw[len(raw) // 2 + 1 :]


def test_workers_that_always_die_defer_what_they_die_over(at_origin: Way, world: World) -> None:
    _, _, receipt = world.exchange()
    answered = threading.Event()

    def kill() -> None:
        while not answered.is_set():
            for pid in at_origin.gateway.workers:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.01)

    at_origin.follow('version = 1\n[limits]\ntime = "5 s"\n')
    killer = threading.Thread(target=kill)
    killer.start()
    try:
        said = at_origin.send(letter(raw_of(receipt)))
    finally:
        answered.set()
        killer.join()
    assert said.code == 451
    assert said.text in {"4.3.0 valiza: fault", "4.3.0 valiza: unavailable"}
    wait(lambda: at_origin.send(letter(raw_of(receipt))).code == 250, "a worker that lives")
    assert standing(world.kz) == ["delivered"]


# -- what is not there ----------------------------------------------------------------------------------------------------


def test_a_gateway_that_is_stopped_loses_nothing(world: World, postfix: Postfix) -> None:
    _, _, receipt = world.exchange()
    raw = letter(raw_of(receipt))
    address = f"unix:{postfix.socket}"
    with serving(world.kz.home, address):
        postfix.use_milter(address)
        assert postfix.send(plain()).code == 250
        postfix.arrivals()
    assert not postfix.socket.exists()
    assert postfix.send(raw).code == 451
    assert postfix.send(plain()).code == 451
    with serving(world.kz.home, address) as gateway:
        assert Way(postfix, gateway).passes(raw) == ["delivered"]


def test_a_database_that_is_stopped_loses_nothing(world: World, postfix: Postfix, cluster: Cluster, template: str) -> None:
    name = cluster.make_database(template)
    home = gateway_folder(world, cluster, name)
    _, _, receipt = world.exchange()
    raw = letter(raw_of(receipt))
    try:
        with serving(home, f"unix:{postfix.socket}") as gateway:
            postfix.use_milter(f"unix:{postfix.socket}")
            way = Way(postfix, gateway)
            assert gateway.ask("/health/ready")[0] == 200
            cluster.stop()
            try:
                said = way.send(raw)
                assert said.code == 451
                assert said.text.startswith("4.3.0 valiza: unavailable")
                assert way.passes(plain()) == ["none"], "for this the register is not needed"
                gateway.wait_for("unavailable")
                assert gateway.ask("/health/ready")[0] == 503
                assert gateway.ask("/health/live") == (200, "ok\n")
            finally:
                cluster.start()
            assert way.passes(raw) == ["delivered"]
            gateway.wait_for("available")
            assert gateway.ask("/health/ready") == (200, "ok\n")
        assert standing(world.kz) == ["delivered"]
    finally:
        cluster.drop_database(name)


def test_an_expired_roster_defers_until_there_is_another(postfix: Postfix, tmp_path: Path, travel: Callable[[int], None]) -> None:
    """The gateway's office imports the next one, and the service takes it up by itself."""
    travel(-2 * DAY)
    world = found_world(tmp_path / "world")
    short, next_one = tmp_path / "short.vls", tmp_path / "next.vls"
    world.by.works("roster", "publish", "--validity=1", "-o", short)
    world.kz.works("roster", "import", short, "--root", world.by.root, "--yes")
    _, _, receipt = world.exchange()
    travel(0)
    raw = letter(raw_of(receipt))
    with serving(world.kz.home, f"unix:{postfix.socket}") as gateway:
        postfix.use_milter(f"unix:{postfix.socket}")
        way = Way(postfix, gateway)
        said = way.send(raw)
        assert said.code == 451
        assert said.text.startswith("4.3.0 valiza: unavailable")
        assert gateway.ask("/health/ready")[0] == 503
        assert gateway.metric('valiza_gateway_roster_expires_timestamp_seconds{party="BY"}') < time.time()
        assert [event["party"] for event in gateway.events("roster-expires")] == ["BY"]
        world.by.works("roster", "publish", "-o", next_one)
        world.kz.works("roster", "import", next_one, "--root", world.by.root, "--yes")
        assert way.passes(raw) == ["delivered"]
        gateway.wait_for("available")
        assert gateway.metric('valiza_gateway_roster_expires_timestamp_seconds{party="BY"}') > time.time()
    assert standing(world.kz) == ["delivered"]


# -- what nobody may touch ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw",
    [
        plain(),
        plain(b""),
        plain(b".\r\n..\r\n \r\nno end"),
        plain(b"\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82\r\n" * 40_000),
        plain(header=b"X-Odd:no space\r\nX-Odd:   three\r\nX-Odd:\r\n\tfolded\r\n  twice \r\nx-ODD: \xff\xfe raw\r\n"),
        plain(header=b"Content-Type: multipart/mixed; boundary=b\r\n") + b"--b\r\n\r\none\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>\r\n--b--\r\n",
    ],
    ids=["short", "empty", "dots", "1 MB", "odd headers", "parts"],
)
def test_a_message_without_an_object_passes_byte_for_byte(at_origin: Way, raw: bytes) -> None:
    """What lies in the mailbox is what lies there without a gateway, but for our one header."""
    postfix = at_origin.postfix
    postfix.configure(smtpd_milters="")
    assert postfix.send(raw).code == 250
    (without,) = postfix.arrivals()
    postfix.use_milter(f"unix:{postfix.socket}")
    assert postfix.send(raw).code == 250
    (through,) = postfix.arrivals()
    head, _, body = through.partition(b"\n\n")
    assert head.count(b"\n" + HEADER.encode()) == 1
    through = head.replace(b"\nX-Valiza-Verdict: none", b"") + b"\n\n" + body
    assert own(through) == own(without)


def own(raw: bytes) -> bytes:
    """A message as delivered, without the lines that name this delivery."""
    return re.sub(rb"\A.*?\nReceived:[^\n]*(?:\n[ \t][^\n]*)*\n", b"", raw, count=1, flags=re.DOTALL)


def test_forged_verdicts_are_removed(at_origin: Way) -> None:
    forged = b"".join(
        line + b"\r\n"
        for line in (
            b"X-Valiza-Verdict: delivered; envelope=" + b"00" * 32,
            b"x-valiza-verdict: delivered",
            b"X-VALIZA-VERDICT : delivered",
            b"X-Valiza-Verdict:\r\n delivered",
            b"X-Kept: X-Valiza-Verdict: delivered",
            b"X-Valiza-Other: delivered",
            b"X-Valiza-Verdict: delivered",
        )
    )
    assert at_origin.send(plain(header=forged)).code == 250
    message = at_origin.postfix.arrived()
    found = [(name, value) for name, value in message.items() if "valiza" in name.lower() or name == "X-Kept"]
    assert found == [("X-Kept", "X-Valiza-Verdict: delivered"), (HEADER, "none")]


def test_forged_verdicts_are_removed_from_what_carries_an_object(at_origin: Way, world: World) -> None:
    _, _, receipt = world.exchange()
    raw = b"X-Valiza-Verdict: attested\r\n" * 3 + letter(raw_of(receipt))
    assert at_origin.passes(raw) == ["delivered"]


# -- quarantine -----------------------------------------------------------------------------------------------------------


def test_quarantine_is_the_hold_queue(at_origin: Way) -> None:
    """As docs/gateway.md says: postqueue lists, postcat shows, postsuper lets go or removes."""
    postfix = at_origin.postfix
    at_origin.follow(f'{RULES}[actions]\nnone = "quarantine"\n')
    for text in (b"one\r\n", b"two\r\n"):
        assert at_origin.send(plain(text)).code == 250
    held = wait(lambda: len(rows := postfix.queue("hold")) == 2 and rows, "two messages on hold")
    (one,) = [row["queue_id"] for row in held if "\none" in postfix.held(row["queue_id"])]
    (two,) = [row["queue_id"] for row in held if row["queue_id"] != one]
    postfix.release(one)
    message = postfix.arrived()
    assert message.get_payload() == "one\n"
    assert verdicts(message) == ["none"]
    postfix.drop(two)
    wait(lambda: postfix.queue() == [], "an empty queue")
    assert postfix.delivered() == postfix.delivered()[:1]


# -- others ---------------------------------------------------------------------------------------------------------------


def test_over_tcp(world: World, postfix: Postfix) -> None:
    with serving(world.kz.home, "inet:127.0.0.1:0") as gateway:
        port = gateway.events("ready")[0]["address"].rpartition(":")[2]
        postfix.use_milter(f"inet:127.0.0.1:{port}")
        way = Way(postfix, gateway)
        assert way.passes(plain()) == ["none"]


def test_two_gateways_over_one_register(world: World, postfix: Postfix, cluster: Cluster, template: str) -> None:
    """The same receipt comes to both at once: it is entered once, and one of them says so."""
    name = cluster.make_database(template)
    home = gateway_folder(world, cluster, name)
    second_home = world.path("second")
    shutil.copytree(home, second_home)
    receipts = []
    for number in range(6):
        envelope = world.seal(name=f"{number}.vlz")
        world.open(envelope, name=f"opened-{number}")
        receipts.append(world.countersign(world.acknowledge(envelope, name=f"{number}.ack.vls"), envelope, name=f"{number}.receipt.vls"))
    try:
        with running_postfix() as other, serving(home, f"unix:{postfix.socket}") as first, serving(second_home, f"unix:{other.socket}") as second:
            for server in (postfix, other):
                server.use_milter(f"unix:{server.socket}")
            for path in receipts:
                raw = letter(raw_of(path))
                with ThreadPoolExecutor(2) as pool:
                    assert [said.code for said in pool.map(Postfix.send, (postfix, other), (raw, raw))] == [250, 250]
                found = [verdicts(server.arrived()) for server in (postfix, other)]
                assert sorted(found) == [["delivered"], ["duplicate"]]
            for gateway in (first, second):
                gateway.wait_for("message", len(receipts))
                assert len(gateway.events("message")) == len(receipts)
        with closing(open_store(cluster.url(name), Path("none"), clock)) as store:
            assert [entry.kind for entry in require_whole(store)].count("receipt") == len(receipts)
        assert standing(world.kz) == ["delivered"] * len(receipts)
    finally:
        cluster.drop_database(name)
