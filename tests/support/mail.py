"""Messages in tests: real objects out of specs/vectors, wrapped with a head that is always the same."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from valiza.gateway.wrapping import Letter, read_object, wrap

__all__ = ["ENVELOPE", "LETTER", "RECEIPT", "REFUSED", "STATEMENT", "message", "vector"]

_VECTORS: Final = Path(__file__).resolve().parents[2] / "specs" / "vectors"
LETTER: Final = Letter(
    sender="registry@mfa.by.example",
    to=["registry@mfa.kz.example"],
    message_id="<1@mfa.by.example>",
    date=1_772_528_400,
    boundary="=_0123456789abcdef",
)


def vector(name: str) -> bytes:
    """The object of a vector."""
    return (_VECTORS / f"{name}.vector").read_bytes().partition(b"\n\n")[2]


def message(*objects: bytes, **changes: Any) -> bytes:
    """A message with objects; `changes` of `LETTER`."""
    return b"".join(wrap([read_object(io.BytesIO(one)) for one in objects], replace(LETTER, **changes)))


ENVELOPE: Final = vector("envelope_good")
RECEIPT: Final = vector("receipt_delivered")
REFUSED: Final = vector("receipt_refused")
STATEMENT: Final = vector("transport_notice_good")
