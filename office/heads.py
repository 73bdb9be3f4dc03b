"""Heads of logs that travel with envelopes and receipts (specs/log.md, Attachments). They never decide about either."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from valiza.keys.errors import NotAuthentic, Refused, ValizaError
from valiza.office.checkpoints import WentBack, enter_cosigned, request_for
from valiza.office.cosigning import take_head
from valiza.register.note import log_origin, peek_checkpoint
from valiza.register.proof import HeadConflict

if TYPE_CHECKING:
    from valiza.keys.fields import Attachments, Body
    from valiza.office.checkpoints import HasRegister

__all__ = ["CHECKPOINT", "COSIGNATURE", "HeadNews", "attachments_for", "take_attachments"]

CHECKPOINT: Final = "checkpoint"
COSIGNATURE: Final = "cosignature"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadNews:
    """What came of a head that travelled with an envelope or a receipt. It never decides about either.

    Attributes:
        kind: `seen`, `cosigned`; `split-view`, `rollback`, `inconsistent` of a log that was rewritten; `went-back` of our own; `unusable`.
        message: the same in words.
    """

    kind: Literal["seen", "cosigned", "split-view", "rollback", "inconsistent", "went-back", "unusable"]
    message: str

    @property
    def wrong(self) -> bool:
        """Whether somebody has to look after it."""
        return self.kind not in {"seen", "cosigned", "unusable"}


def attachments_for(office: HasRegister, agreement: bytes, other: Body) -> Attachments:
    """The last checkpoint signed here, with its proof, and the last cosignature given to a body: attachments of what is sent to it.

    Nothing of it is signed now, since a host that seals has no key of the register; so it is necessarily earlier. Empty where there is none.
    """
    found = []
    try:
        request = request_for(office, agreement, other=other)
    except ValizaError:
        pass  # no checkpoint was signed yet, or the register does not go on from it: sealing is not the time to tell
    else:
        found.append((CHECKPOINT, request.format()))
    given = office.journal.store.heads("given", other, agreement, newest=True)
    if given:
        found.append((COSIGNATURE, given[0].note))
    return tuple(found)


def take_attachments(office: HasRegister, attachments: Attachments, *, sender: Body, agreement: bytes, at: int) -> list[HeadNews]:
    """Take in the heads that came with an envelope or a receipt of a body of the other party; returns what came of each, good or bad."""
    found = []
    for kind, data in attachments:
        try:
            if kind == CHECKPOINT:
                found.append(_take_checkpoint(office, data, sender, agreement, at))
            elif kind == COSIGNATURE:
                found.append(_take_cosignature(office, data, sender, agreement, at))
        except WentBack as error:
            found.append(HeadNews(kind="went-back", message=f"{error.message}; {error.hint}"))
        except HeadConflict as error:
            found.append(HeadNews(kind=error.kind, message=error.message))  # type: ignore[arg-type] # its three words are among ours
        except ValizaError as error:
            hint = f"; {error.hint}" if error.hint else ""
            found.append(HeadNews(kind="unusable", message=f"the {kind} that {sender} sent with it: {error.message}{hint}"))
    return found


def _take_checkpoint(office: HasRegister, data: bytes, body: Body, agreement: bytes, at: int) -> HeadNews:
    size, known = take_head(office, data, body=body, agreement=agreement, at=at)
    if known is None:
        message = f"the register of {body} has {size} entries under this agreement, and goes on from what was seen before"
    else:
        message = f"the register of {body} is known here with {known} entries; this is an earlier head"
    return HeadNews(kind="seen", message=message)


def _take_cosignature(office: HasRegister, data: bytes, body: Body, agreement: bytes, at: int) -> HeadNews:
    claimed = peek_checkpoint(data)
    if claimed.origin != log_origin(office.body, agreement):
        message = f"it is of the log {claimed.origin}"
        raise Refused(message)
    if body not in enter_cosigned(office, data, at=at):
        message = "it was cosigned by another body"
        raise NotAuthentic(message)
    return HeadNews(kind="cosigned", message=f"{body} has cosigned {claimed.size} entries of this office's log")
