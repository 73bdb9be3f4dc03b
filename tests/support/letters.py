"""Messages for tests of the gateway: with Valiza's objects, or without any."""

from __future__ import annotations

import hashlib
import io
from typing import Final

from tests.support.postfix import RECIPIENT

from valiza.gateway.wrapping import Letter, read_object, wrap

__all__ = ["SENDER", "letter", "plain"]

SENDER: Final = "registry@by.test.invalid"
_AT: Final = 1_790_000_000


def letter(*objects: bytes, sender: str = SENDER, subject: str = "") -> bytes:
    """A message that carries objects, as `valiza mail wrap` makes it; the same for the same bytes."""
    name = hashlib.sha256(b"".join(objects)).hexdigest()[:32]
    head = Letter(sender=sender, to=(RECIPIENT,), subject=subject, message_id=f"<{name}@by.test.invalid>", date=_AT, boundary=f"=_{name}")
    return b"".join(wrap([read_object(io.BytesIO(raw)) for raw in objects], head))


def plain(text: bytes = b"Good morning.\r\n", *, header: bytes = b"") -> bytes:
    """A message that carries nothing of Valiza."""
    return b"From: " + SENDER.encode() + b"\r\nTo: " + RECIPIENT.encode() + b"\r\nSubject: lunch\r\n" + header + b"\r\n" + text
