"""A worker that does as a message tells it: hang, die, fail to start. What a real one does by a fault of its own, or of the machine.

It decides by the first line of a message alone, and shows in the reply what it got, so that a test can see that nothing of it was lost.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from valiza.envelope.receipt import Verdict
from valiza.gateway.decision import Action, Decision, Finding, GatewayVerdict
from valiza.gateway.worker import main
from valiza.keys.errors import Refused, Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from valiza.gateway.message import Message


class Fickle:
    """Decides by what it is told."""

    def __init__(self, rules: str) -> None:
        self.rules = rules

    def check(self, messages: Sequence[Message]) -> list[Decision]:
        return [self._decide(message, len(messages)) for message in messages]

    def _decide(self, message: Message, batch: int) -> Decision:
        raw = message.raw.read_bytes() if isinstance(message.raw, Path) else message.raw
        word, _, more = raw.partition(b"\r\n")[0].removeprefix(b"Do: ").partition(b" ")
        if word == b"die":
            os._exit(9)
        if word == b"die-once" and not Path(os.fsdecode(more)).exists():
            Path(os.fsdecode(more)).touch()
            os._exit(9)
        if word == b"raise":
            raise ZeroDivisionError
        if word == b"hang":
            time.sleep(3600)
        if word == b"sleep":
            time.sleep(float(more))
        finding = Finding(verdict=Verdict.DELIVERED, exit_code=0, envelope_id=bytes(32), reason=f"\u202e{batch} {message.sender} {message.queue_id}")
        if word == b"reject":
            bad = Finding(verdict=GatewayVerdict.MALFORMED, exit_code=3, part="2.1")
            return Decision(action=Action.REJECT, findings=(finding, bad), reply="550 5.7.1 valiza: malformed")
        seen = f"{self.rules}; {hashlib.sha256(raw).hexdigest()}; {message.sender}; {message.queue_id}; {type(message.raw).__name__}"
        headers = (("X-Valiza-Verdict", f"delivered; {seen}".encode("ascii", "backslashreplace").decode()),)
        return Decision(action=Action.QUARANTINE if word == b"hold" else Action.ACCEPT, findings=(finding,), headers=headers)

    def probe(self) -> None:
        if self.rules.startswith("unavailable"):
            message = "the register is away"
            raise Unavailable(message)

    def expiries(self) -> Mapping[str, int]:
        return {"KZ": 1_800_000_000}


def make(given: list[Any]) -> Fickle:
    """A worker, unless its rules say that it does not start."""
    (rules,) = given
    if rules == "bad":
        message = "rules that are none"
        raise Refused(message, "write others")
    if rules == "dead":
        os._exit(3)
    return Fickle(rules)


if __name__ == "__main__":
    sys.exit(main(make))
