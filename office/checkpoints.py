"""Heads of the office's own logs: it signs them, asks others to cosign them, and keeps what they cosigned (specs/log.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from valiza.keys.errors import NotAuthentic, Refused, ValizaError
from valiza.keys.fields import utc
from valiza.register.log import Log
from valiza.register.note import (
    SignedCheckpoint,
    log_origin,
    parse_log_origin,
    parse_office_name,
    peek_checkpoint,
    read_cosignature,
    read_note,
    sign_checkpoint,
    verify_checkpoint,
)
from valiza.register.store import Head

if TYPE_CHECKING:
    from valiza.envelope.agreement import Agreements
    from valiza.keys.fields import Body
    from valiza.keys.log_key import LogVerifyKey
    from valiza.keys.trust import Trust
    from valiza.office.home import Office
    from valiza.register.journal import RegisterJournal
    from valiza.register.proof import Request

__all__ = [
    "HasRegister",
    "Registrar",
    "WentBack",
    "checked_checkpoint",
    "checkpoint",
    "enter_cosigned",
    "log_keys",
    "log_of",
    "newest_checkpoint",
    "request_for",
    "require_own",
]


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
