"""Heads of logs: an office signs those of its own, cosigns those of the other side, and keeps what both say (specs/log.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, Protocol

from valiza.keys.encoding import pack
from valiza.keys.errors import NotAuthentic, Refused, ValizaError
from valiza.keys.fields import utc
from valiza.register.log import Log
from valiza.register.note import (
    SignedCheckpoint,
    contradict,
    cosign,
    log_origin,
    parse_log_origin,
    parse_office_name,
    peek_checkpoint,
    read_cosignature,
    read_note,
    sign_checkpoint,
    verify_checkpoint,
)
from valiza.register.proof import HeadConflict, Request, follow, read_request
from valiza.register.store import Head

if TYPE_CHECKING:
    from collections.abc import Sequence

    from valiza.envelope.agreement import Agreements
    from valiza.keys.fields import Attachments, Body
    from valiza.keys.log_key import LogVerifyKey
    from valiza.keys.trust import Trust
    from valiza.office.home import Office
    from valiza.register.journal import RegisterJournal

__all__ = [
    "CHECKPOINT",
    "COSIGNATURE",
    "HeadNews",
    "Registrar",
    "WentBack",
    "attachments_for",
    "checked_checkpoint",
    "checkpoint",
    "cosign_request",
    "cosign_seen",
    "enter_cosigned",
    "log_keys",
    "log_of",
    "newest_checkpoint",
    "request_for",
    "take_attachments",
]

CHECKPOINT: Final = "checkpoint"
COSIGNATURE: Final = "cosignature"


class HasRegister(Protocol):
    """What is needed to take heads in: an office, or what a reader has of one. Signing takes an office with a key."""

    @property
    def body(self) -> Body:
        """Whose register it is."""

    @property
    def trust(self) -> Trust:
        """Whom it believes."""

    @property
    def agreements(self) -> Agreements:
        """What it adopted."""

    @property
    def journal(self) -> RegisterJournal:
        """Its register."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registrar:
    """What a reader has of an office with a register."""

    body: Body
    trust: Trust
    agreements: Agreements
    journal: RegisterJournal


class WentBack(Refused):
    """The other side has seen more of this office's log than is in its register."""


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


def log_keys(trust: Trust, body: Body) -> list[LogVerifyKey]:
    """Every key that a body ever had for its register, by the roster of its party."""
    return [credential.log_key for credential in trust.of_body(body, "register")]


def checked_checkpoint(trust: Trust, body: Body, agreement: bytes, note: bytes) -> SignedCheckpoint:
    """A checkpoint of a body's log, signed by a key of its register that counts at its time (specs/log.md, Reading a checkpoint).

    Raises:
        Malformed, NotAuthentic: it is none. Refused: the key did not count then.
    """
    signed = verify_checkpoint(note, log_origin(body, agreement), log_keys(trust, body))
    _require_standing(trust, body, signed.key, signed.at, "signing a checkpoint")
    return signed


def _require_standing(trust: Trust, body: Body, key: LogVerifyKey, at: int, act: str) -> None:
    refused: Refused | None = None
    for credential in trust.of_body(body, "register"):
        if credential.log_key.raw == key.raw:
            try:
                trust.require_standing(credential, dated=at, evidence=lambda: None, act=act)
            except Refused as error:
                refused = error
            else:
                return
    if refused is not None:
        raise refused


def log_of(office: HasRegister, agreement: bytes) -> Log:
    """The office's own log under an agreement."""
    return Log(office.journal.store, office.body, agreement)


# -- heads of the own log -------------------------------------------------------------------------------------------------


def newest_checkpoint(office: HasRegister, agreement: bytes) -> SignedCheckpoint | None:
    """The last checkpoint that this office signed of its log, if its log goes on from it.

    Raises:
        NotAuthentic: the log is another one now. WentBack: it is shorter now.
    """
    found = office.journal.store.heads("own", office.body, agreement, newest=True)
    if not found:
        return None
    signed = verify_checkpoint(found[0].note, log_origin(office.body, agreement), log_keys(office.trust, office.body))
    require_own(log_of(office, agreement), signed, "this office signed")
    return signed


def require_own(log: Log, signed: SignedCheckpoint, who: str) -> None:
    """Check that a log, as it is in this register, is the one of which a checkpoint was signed.

    Raises:
        NotAuthentic: it is another one. WentBack: it is shorter.
    """
    size, have = signed.checkpoint.size, log.size
    if size > have:
        message = f"this register has {have} entries of the log {log.origin}, and {who} one of {size}: the register went back"
        raise WentBack(
            message,
            "it was restored from an older backup, or cut: enter nothing more, restore the newest backup, and if there is none tell the other body"
            " in writing which entries are lost; it holds the later head as evidence",
        )
    if log.checkpoint(size) != signed.checkpoint:
        message = f"this register is not the one of which {who} a checkpoint of {size} entries: an entry was changed, removed or put in"
        raise NotAuthentic(message, "see what is wrong: valiza register verify; then restore a backup from before")


def checkpoint(office: Office, agreement: bytes, *, officer: str | None, at: int) -> SignedCheckpoint:
    """Sign the head of the office's log as it is now, and store it; where nothing was entered since the last one, that one.

    Raises:
        Refused: the log is empty. NoKey: no key of a register is here. NotAuthentic, WentBack: as `newest_checkpoint`.
    """
    name = office.pick(officer, "register")
    office.trust.require_in_force(office.credential(name, "register"), at=at, act="signing a checkpoint")
    key, store = office.log_key(name), office.journal.store
    with store.transaction():
        last, log = newest_checkpoint(office, agreement), log_of(office, agreement)
        size = log.size
        if not size:
            message = "nothing was ever entered under this agreement: it has no log"
            raise Refused(message)
        if last is not None and last.checkpoint.size == size and last.key.raw == key.public:
            return last
        if last is not None and last.at > at:
            message = f"the last checkpoint of this office is dated {utc(last.at)}, which is in the future"
            raise Refused(message, "set the clock right, or wait until then: a log dates no checkpoint back")
        signed = sign_checkpoint(log.checkpoint(size), key, at)
        store.add_head(Head(kind="own", body=office.body, agreement=agreement, size=size, at=at, note=signed.raw))
    return signed


def cosigned_size(office: HasRegister, agreement: bytes, other: Body) -> int:
    """How many entries of the office's log a body cosigned last; 0 if none."""
    found = office.journal.store.heads("cosigned", other, agreement, newest=True)
    return found[0].size if found else 0


def request_for(office: HasRegister, agreement: bytes, *, other: Body | None, old: int | None = None) -> Request:
    """What another body is asked to cosign: the last checkpoint signed here, with the proof that it goes on from what that body cosigned last.

    Args:
        office: whose log it is.
        agreement: under which.
        other: who is asked; None: whoever has seen nothing yet.
        old: from how many entries it goes on, if the other body says so.

    Raises:
        Refused: no checkpoint was signed here.
    """
    signed = newest_checkpoint(office, agreement)
    if signed is None:
        message = "no checkpoint was signed here yet"
        raise Refused(message, "sign one: valiza register checkpoint")
    known = 0 if other is None else cosigned_size(office, agreement, other)
    return log_of(office, agreement).request(known if old is None else old, signed)


def enter_cosigned(office: HasRegister, note: bytes, *, at: int) -> list[Body]:
    """Store a checkpoint of this office that bodies of the other party cosigned; returns which.

    Raises:
        Malformed, NotAuthentic: it is none, or nobody of the other party cosigned it, or of another register. WentBack: of a longer one.
    """
    body, agreement = parse_log_origin(peek_checkpoint(note).origin)
    if body != office.body:
        message = f"a checkpoint of the log of {body}, and this is {office.body}"
        raise Refused(message, "to cosign it: valiza register cosign FILE")
    signed = verify_checkpoint(note, log_origin(body, agreement), log_keys(office.trust, body))
    found = _cosigners(office, agreement, signed)
    if not found:
        message = "no body of the other party cosigned this checkpoint"
        raise NotAuthentic(message, "take what its office gave you: valiza register cosign FILE -o FILE")
    store = office.journal.store
    with store.transaction():
        try:
            require_own(log_of(office, agreement), signed, f"{found[0]} has seen")
        except WentBack:
            for other in found:
                _add_once(office, Head(kind="ahead", body=other, agreement=agreement, size=signed.checkpoint.size, at=at, note=note))
            store_it = True
        else:
            store_it = False
            for other in found:
                if cosigned_size(office, agreement, other) <= signed.checkpoint.size:
                    _add_once(office, Head(kind="cosigned", body=other, agreement=agreement, size=signed.checkpoint.size, at=at, note=note))
    if store_it:  # what shows it is kept, whatever becomes of the command
        require_own(log_of(office, agreement), signed, f"{found[0]} has seen")
    return found


def _cosigners(office: HasRegister, agreement: bytes, signed: SignedCheckpoint) -> list[Body]:
    """Bodies of the other party that cosigned; each cosignature was verified."""
    party = office.agreements.find(agreement).profile.other(office.body.party).id
    found = []
    for name in dict.fromkeys(line.name for line in read_note(signed.raw).lines):
        try:
            body = parse_office_name(name)
        except ValizaError:
            continue  # somebody else's line, as C2SP allows
        if body.party != party:
            continue
        cosignature = read_cosignature(signed, body, log_keys(office.trust, body))
        if cosignature is not None:
            _require_standing(office.trust, body, cosignature.key, cosignature.at, "cosigning a checkpoint")
            found.append(body)
    return found


def _add_once(office: HasRegister, head: Head) -> None:
    store = office.journal.store
    if not store.has_head(head):
        store.add_head(head)


# -- heads of the other side's logs ---------------------------------------------------------------------------------------


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


# -- what travels with envelopes and receipts -----------------------------------------------------------------------------


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
            found.append(HeadNews(kind="unusable", message=f"the {kind} that {sender} sent with it: {error.message}"))
    return found


def _take_checkpoint(office: HasRegister, data: bytes, body: Body, agreement: bytes, at: int) -> HeadNews:
    _require_counterpart(office, body, agreement)
    request, store = read_request(data), office.journal.store
    signed = checked_checkpoint(office.trust, body, agreement, request.note)
    _require_now(office, body, agreement, signed, at)
    size = signed.checkpoint.size
    seen = HeadNews(kind="seen", message=f"the register of {body} has {size} entries under this agreement, and goes on from what was seen before")
    last: SignedCheckpoint | None = None
    try:
        with store.transaction():
            last, _ = _longest(office, body, agreement)
            if last is not None and size <= last.checkpoint.size:
                _require_no_conflict(last, signed)
                return HeadNews(
                    kind="seen", message=f"the register of {body} is known here with {last.checkpoint.size} entries; this is an earlier head"
                )
            follow(last, signed, request.old, request.hashes)
            store.add_head(Head(kind="seen", body=body, agreement=agreement, size=size, at=at, note=data))
    except HeadConflict as conflict:
        _record(office, conflict, [*([] if last is None else [last.raw]), request.note], body=body, agreement=agreement, at=at)
        raise
    return seen


def _take_cosignature(office: HasRegister, data: bytes, body: Body, agreement: bytes, at: int) -> HeadNews:
    claimed = peek_checkpoint(data)
    if claimed.origin != log_origin(office.body, agreement):
        message = f"it is of the log {claimed.origin}"
        raise Refused(message)
    if body not in enter_cosigned(office, data, at=at):
        message = "it was cosigned by another body"
        raise NotAuthentic(message)
    return HeadNews(kind="cosigned", message=f"{body} has cosigned {claimed.size} entries of this office's log")
