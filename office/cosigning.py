"""Heads of the other side's logs: an office takes in those that go on from what it saw before, and cosigns the longest (specs/log.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from valiza.keys.encoding import pack
from valiza.keys.errors import Refused
from valiza.keys.fields import utc
from valiza.office.checkpoints import checked_checkpoint, log_keys
from valiza.register.note import SignedCheckpoint, contradict, cosign, log_origin, parse_log_origin, peek_checkpoint, verify_checkpoint
from valiza.register.proof import HeadConflict, follow, read_request
from valiza.register.store import Head

if TYPE_CHECKING:
    from collections.abc import Sequence

    from valiza.keys.fields import Body
    from valiza.office.checkpoints import HasRegister
    from valiza.office.home import Office

__all__ = ["cosign_request", "cosign_seen", "take_head"]


def _require_counterpart(office: HasRegister, body: Body, agreement: bytes) -> None:
    """Raise Refused unless a body is of the other party of an agreement that is adopted here."""
    if body == office.body:
        message = "this is a checkpoint of this office's own log: the other party's office cosigns it"
        raise Refused(message)
    profile = office.agreements.find(agreement).profile
    if body.party != profile.other(office.body.party).id:
        message = f"{body} is not of the other party of the agreement {profile.id}"
        raise Refused(message)


def _longest(office: HasRegister, body: Body, agreement: bytes) -> tuple[SignedCheckpoint | None, bool]:
    """The longest head of a body's log that was seen or cosigned here, verified again, and whether it was cosigned.

    Each one goes on from the one before it: so what goes on from this goes on from all.
    """
    heads = [head for kind in ("seen", "given") for head in office.journal.store.heads(kind, body, agreement, newest=True)]
    if not heads:
        return None, False
    longest = max(heads, key=lambda head: (head.size, head.kind == "given"))
    cosigned = longest.kind == "given"
    note = longest.note if cosigned else read_request(longest.note).note
    return verify_checkpoint(note, log_origin(body, agreement), log_keys(office.trust, body)), cosigned


def _require_now(office: HasRegister, body: Body, agreement: bytes, signed: SignedCheckpoint, at: int) -> None:
    """Check that a head is not dated in the future, and that its key is in force now: whoever stole an earlier one dates it back.

    Raises:
        Refused: it is not so.
    """
    if signed.at > at + office.agreements.find(agreement).profile.skew:
        message = f"the checkpoint of {body} is dated {utc(signed.at)}, which is in the future"
        raise Refused(message, "whoever signed it sets his clock right, and signs another")
    credentials = [one for one in office.trust.of_body(body, "register") if one.log_key.raw == signed.key.raw]
    for credential in credentials[:-1]:
        if office.trust.in_force(credential, at):
            return
    office.trust.require_in_force(credentials[-1], at=at, act="signing a checkpoint")


def cosign_request(office: Office, data: bytes, *, officer: str | None, at: int) -> bytes:
    """Cosign the checkpoint in a request of another body, if its log goes on from the longest head that was seen or cosigned here; returns the note.

    It is stored before it is returned, so that no earlier head is ever cosigned after it.

    Raises:
        Malformed, NotAuthentic: no request, or not signed by that body. HeadConflict: its log was rewritten; what shows it is recorded.
        Refused: of no body of the other party, by a key that is not in force, dated in the future, or it goes on from another size.
    """
    name = office.pick(officer, "register")
    office.trust.require_in_force(office.credential(name, "register"), at=at, act="cosigning a checkpoint")
    key, journal = office.log_key(name), office.journal
    request = read_request(data)
    body, agreement = parse_log_origin(peek_checkpoint(request.note).origin)
    _require_counterpart(office, body, agreement)
    last: SignedCheckpoint | None = None
    try:
        with journal.store.transaction():
            signed = checked_checkpoint(office.trust, body, agreement, request.note)
            last, cosigned = _longest(office, body, agreement)
            again = last is not None and last.checkpoint == signed.checkpoint
            if again and cosigned and last is not None:
                return last.raw  # the answer was lost
            _require_now(office, body, agreement, signed, at)
            if not again:  # what was seen goes on from what was seen before
                follow(last, signed, request.old, request.hashes)
            note = cosign(signed, office.body, key, at)
            journal.store.add_head(Head(kind="given", body=body, agreement=agreement, size=signed.checkpoint.size, at=at, note=note))
    except HeadConflict as conflict:
        notes = [*([] if last is None else [last.raw]), request.note]
        _record(office, conflict, notes, body=body, agreement=agreement, at=at)
        raise
    return note


def cosign_seen(office: Office, *, officer: str | None, at: int) -> list[bytes]:
    """Cosign every head that came with an envelope or a receipt and is not cosigned yet, the last one of each log; returns the notes.

    Raises:
        As `cosign_request`, for the first that cannot be cosigned; those before it are.
    """
    store, found = office.journal.store, []
    for kind, body, agreement in sorted(store.head_logs(), key=lambda log: (log[2], str(log[1]))):
        if kind == "seen":
            (last,) = store.heads("seen", body, agreement, newest=True)
            given = store.heads("given", body, agreement, newest=True)
            if not given or given[0].size < last.size:
                found.append(cosign_request(office, last.note, officer=officer, at=at))
    return found


def _require_no_conflict(earlier: SignedCheckpoint, signed: SignedCheckpoint) -> None:
    kind = contradict(earlier, signed)
    if kind is not None:
        message = f"the log {signed.checkpoint.origin} was shown to this office with another head before: {kind}"
        raise HeadConflict(kind, message)


def _record(office: HasRegister, conflict: HeadConflict, notes: Sequence[bytes], *, body: Body, agreement: bytes, at: int) -> None:
    """Keep the heads that do not go together: they are evidence."""
    office.journal.record_log_conflict(body, agreement, pack([conflict.kind, *notes]), what=f"{conflict.kind}: {conflict.message}", at=at)


def take_head(office: HasRegister, data: bytes, *, body: Body, agreement: bytes, at: int) -> tuple[int, int | None]:
    """Keep the head in a request of a body of the other party as seen, if its log goes on from the longest head that was seen or cosigned here.

    Returns its size, and that of the longest one if it is not longer, and so is not kept.

    Raises:
        Malformed, NotAuthentic: no request, or not signed by that body. HeadConflict: its log was rewritten; what shows it is recorded.
        Refused: of no body of the other party, by a key that is not in force, dated in the future, or it goes on from another size.
    """
    _require_counterpart(office, body, agreement)
    request, store = read_request(data), office.journal.store
    signed = checked_checkpoint(office.trust, body, agreement, request.note)
    _require_now(office, body, agreement, signed, at)
    size = signed.checkpoint.size
    last: SignedCheckpoint | None = None
    try:
        with store.transaction():
            last, cosigned = _longest(office, body, agreement)
            if last is not None and size <= last.checkpoint.size:
                _require_no_conflict(last, signed)
                return size, last.checkpoint.size
            if last is not None and not cosigned and request.old < last.checkpoint.size:
                _require_no_conflict(last, signed)
                message = (
                    f"it is of {size} entries, and nothing shows that it goes on from the {last.checkpoint.size} of one that waits to be cosigned"
                )
                raise Refused(message, "valiza register cosign --seen; the next one goes on from there")
            follow(last, signed, request.old, request.hashes)
            store.add_head(Head(kind="seen", body=body, agreement=agreement, size=size, at=at, note=data))
    except HeadConflict as conflict:
        _record(office, conflict, [*([] if last is None else [last.raw]), request.note], body=body, agreement=agreement, at=at)
        raise
    return size, None
