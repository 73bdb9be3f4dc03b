"""Everything that can pass a gateway: real objects for each verdict, made by two ministries, and a third body's office that sees them too."""

from __future__ import annotations

import shutil
import time
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

from tests.support.cli import World, found_world, works
from tests.support.mail import message

from valiza.gateway.checking import Checker, patient_clock
from valiza.gateway.message import Message
from valiza.gateway.rules import Rules, parse_rules
from valiza.office.home import Office
from valiza.register.store import Query

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from valiza.gateway.decision import Decision

__all__ = ["BY_SENDER", "KZ_SENDER", "Gateway", "gateway_at", "mail", "make_post", "plain", "rules", "verdicts"]

DAY: Final = 86400
KZ_SENDER: Final = "registry@mfa.kz.example"
BY_SENDER: Final = "registry@mfa.by.example"
_PARCELS: Final = '[[carrier]]\nfile = "map.txt"\n\n[[carrier]]\nphysical = true\nname = "parcel"\n'


def make_post(folder: Path) -> World:
    """Offices KZ, BY and KZ-KNB (a body that has no part in any envelope), each in two states, and what they made.

    KZ.empty, BY.empty: before anything was sealed. KZ: all is sealed, and no receipt has come. BY: all is opened and answered.
    """
    with _clock(-10 * DAY):
        world = _made(folder)
    with _clock(-5 * DAY):
        world.countersign(world.path("late.ack.vls"), world.path("late.vlz"), name="late.receipt.vls")
    return world


@contextmanager
def _clock(seconds: int) -> Iterator[None]:
    """Commands in this process take it for some seconds earlier or later."""
    with patch("valiza.cli.options.time", SimpleNamespace(time=lambda: time.time() + seconds)):
        yield


def _made(folder: Path) -> World:
    world = found_world(folder)
    for party in ("KZ", "BY"):
        shutil.copytree(folder / party, folder / f"{party}.empty")
    root = folder / "KZ"
    works("office", "init", folder / "KNB", "--party=KZ", "--body=KZ-KNB", "--root-office", root, "--officer=serik:act:1:Serik", "--unprotected")
    works("roster", "import", world.by.roster, "--root", world.by.root, "--home", folder / "KNB")
    works("agreement", "adopt", world.agreement, "--home", folder / "KNB")
    for name, extra in (("good", []), ("second", []), ("late", ["--due=1"]), ("refused", []), ("withdrawn", [])):
        world.seal(*extra, name=f"{name}.vlz")
    inventory = world.path("list.toml")
    inventory.write_text(_PARCELS, encoding="utf-8")
    world.seal("--inventory", inventory, name="discrepant.vlz", files=[])
    for name, extra in (("good", []), ("second", []), ("late", []), ("withdrawn", []), ("discrepant", ["--missing=1"])):
        world.open(world.path(f"{name}.vlz"), name=f"{name}.opened")
        world.acknowledge(world.path(f"{name}.vlz"), *extra, name=f"{name}.ack.vls")
    world.refuse(world.path("refused.vlz"), name="refused.ack.vls")
    before = folder / "BY.before"
    shutil.copytree(folder / "BY", before)
    for name in ("good", "second", "refused", "withdrawn", "discrepant"):
        world.countersign(world.path(f"{name}.ack.vls"), world.path(f"{name}.vlz"), name=f"{name}.receipt.vls")
    words: list[str | Path] = ["countersign", world.path("good.ack.vls"), "--envelope", world.path("good.vlz"), "--as=maryna", "--home", before]
    works(*words, "-o", world.path("other.receipt.vls"))  # the same answer countersigned by an office that forgot it had done so
    shutil.rmtree(before)
    world.kz.works("withdraw", world.path("withdrawn.vlz"), "--reason=mistake")
    return world


def mail(*objects: bytes, **changes: Any) -> bytes:
    """A message as `valiza mail wrap` makes it, from the destination's registry."""
    return message(*objects, **{"sender": BY_SENDER, **changes})


def plain(text: str = "Good morning.", *, subject: str = "A letter", sender: str = BY_SENDER, files: Sequence[tuple[str, str, bytes]] = ()) -> bytes:
    """A message as people write it, with files by name and media type."""
    written = EmailMessage(policy=SMTP)
    written["From"], written["To"], written["Subject"], written["Message-ID"] = sender, KZ_SENDER, subject, "<2@mfa.by.example>"
    written.set_content(text)
    for name, media_type, content in files:
        main, _, sub = media_type.partition("/")
        written.add_attachment(content, maintype=main, subtype=sub, filename=name)
    return written.as_bytes()


def rules(text: str = "") -> Rules:
    """Rules of some lines."""
    return parse_rules(f"version = 1\n{text}")


@dataclass(frozen=True)
class Gateway:
    """A checker at an office, and what it says of messages."""

    checker: Checker
    office: Office

    def check(self, *messages: bytes | Message) -> list[Decision]:
        """Decisions on messages, given with all that is known of them or by their bytes alone."""
        return self.checker.check([one if isinstance(one, Message) else Message(raw=one) for one in messages])

    def kinds(self) -> list[str]:
        """Kinds of the entries of the register, in their order."""
        return [entry.kind for entry in self.office.journal.store.find(Query())]


def gateway_at(home: Path, said: Rules | None = None, *, clock: Callable[[], int] = lambda: int(time.time()), enters: bool = True) -> Gateway:
    """A gateway at an office's folder."""
    office = Office(home, _no_passphrase, clock=patient_clock(clock), mends=False)
    return Gateway(Checker(office, said or Rules(), clock=clock, enters=enters), office)


def _no_passphrase() -> str:
    message = "a gateway asks for no passphrase"
    raise AssertionError(message)


def verdicts(decision: Decision) -> list[str]:
    """The words."""
    return [str(finding.verdict) for finding in decision.findings]
