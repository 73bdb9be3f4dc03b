"""The notice of a receipt, the part of a report that programs read (specs/mail.md, Notice)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from valiza.envelope.acknowledgement import Refusal
from valiza.keys.fields import utc

if TYPE_CHECKING:
    from valiza.envelope.acknowledgement import Answer
    from valiza.envelope.header import Core
    from valiza.envelope.receipt import Receipt

__all__ = ["NOTICE_BYTES", "notice_of"]

NOTICE_BYTES: Final = 2048  # more than any notice has


def notice_of(receipt: Receipt, *, digest: bytes, answer: Answer, core: Core, dispatch_digest: bytes) -> bytes:
    """The notice of a receipt with this digest, whose answer is about the envelope with this core and dispatch. Its lines end with CR LF."""
    fields = {
        "Notice-Version": "1",
        "Reporting-Body": str(receipt.confirming),
        "Envelope-Id": core.envelope_id.hex(),
        "Original-Dispatch-Digest": dispatch_digest.hex(),
        "Origin-Body": str(core.origin),
        "Destination-Body": str(core.destination),
        "Answer": "refused" if isinstance(answer, Refusal) else "acknowledged",
        "Countersigned-At": utc(receipt.countersigned_at),
        "Receipt-Digest": digest.hex(),
    }
    return "".join(f"{name}: {value}\r\n" for name, value in fields.items()).encode("ascii")
