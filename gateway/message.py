"""A message on its way through a mail server, as it came: nothing of it is believed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Message"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Header and body, and what the mail server says of it.

    Attributes:
        raw: its bytes, or the file in which they are spooled.
        sender: the address of the SMTP envelope (`MAIL FROM`), empty for a bounce; None where nobody said.
        queue_id: the mail server's name of it, for the log; empty where there is none.
        bare: it is no message at all, but an object by itself, as a file holds it.
    """

    raw: bytes | Path = field(repr=False)
    sender: str | None = None
    queue_id: str = ""
    bare: bool = False
