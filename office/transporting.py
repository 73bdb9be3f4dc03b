"""What an office does about transports (R13): tell the other party, take over, enter what was told or taken, and see who had an envelope when."""

from __future__ import annotations

from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeVar

from valiza.envelope import permission
from valiza.envelope.custody import Custody, custody
from valiza.envelope.dispatch import authenticate_dispatch
from valiza.envelope.handover import Giver, Handover, VerifiedHandover, peek_handover, read_handover, take_over
from valiza.envelope.notice import Notice, Notices, VerifiedNotice, Way, notify, read_notice
from valiza.envelope.verifying import authenticate
from valiza.keys import labels
from valiza.keys.errors import Malformed, Refused, Usage, ValizaError
from valiza.keys.fields import Body
from valiza.keys.files import NewFile, about, new_file, new_folder
from valiza.keys.interruption import naming
from valiza.keys.statement import LIMITS, read_statement
from valiza.office.addressing import is_called, parse_body
from valiza.office.reader import envelope_file, read_object, write_object
from valiza.office.sending import find_dispatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from valiza.envelope.dispatch import SignedDispatch
    from valiza.envelope.route import Leg
    from valiza.keys.credential import Credential
    from valiza.office.home import Office

__all__ = ["Entered", "HandoverOrder", "NoticeOrder", "Transported", "enter", "take", "tell", "transported", "write_out"]

T = TypeVar("T", VerifiedNotice, VerifiedHandover)

# Purposes of a credential by which somebody who gave is found, in this order.
_GIVERS: Final = ("transport", "seal", "acknowledge", "open", "countersign", "act")
_SHORT: Final = 16  # digits that tell one statement from another
_ANY_TIME: Final = 1 << 40  # what was recorded was not in the future then


@dataclass(frozen=True, kw_only=True)
class NoticeOrder:
    """What is to be told of a transport. None means: as the last notice says, or the stamp; of `told`: the only competent body there is.

    Times are in seconds since 1970.
    """

    officer: str | None
    told: str | None
    leaves_at: int
    expected_at: int
    package: str | None = None
    transport: str | None = None
    escort: str | None = None
    legs: tuple[Leg, ...] | None = None
    reason: str = ""
    escorts: tuple[str, ...] = ()
    reference: str = ""


@dataclass(frozen=True, kw_only=True)
class HandoverOrder:
    """What is to be recorded of a hand-over. None means: as the chain so far and the planned way say."""

    officer: str | None
    giver: str | None = None
    giver_body: str | None = None
    leg: int | None = None
    place: str | None = None
    package: str | None = None
    intact: bool = True
    condition: str = "sound"
    remark: str = ""


@dataclass(frozen=True, kw_only=True)
class Transported:
    """What an office knows of the transport of an envelope."""

    signed: SignedDispatch
    notices: Notices
    custody: Custody


@dataclass(frozen=True, kw_only=True)
class Entered:
    """A notice or hand-over that was entered; `new`: it was not in the register before."""

    one: VerifiedNotice | VerifiedHandover
    signed: SignedDispatch
    new: bool


# -- which envelope ------------------------------------------------------------------------------------------------------


def _envelope(office: Office, wanted: str | Path, at: int) -> SignedDispatch:
    """An envelope by its file, a notice of its transport, the beginning of its id, or the office's number.

    Raises:
        Usage, Refused: it is not known here, or too little of it. Malformed, NotAuthentic: the file does not hold.
    """
    if isinstance(wanted, str):
        return _recorded(office, find_dispatch(office, wanted))
    with envelope_file(wanted) as source:
        start = source.read(len(labels.MAGIC))
        source.seek(0)
        if start != labels.MAGIC:
            raw = source.read(LIMITS[labels.TRANSPORT_NOTICE] + 1)
        else:
            signed = authenticate(source, office.trust, office.journal).signed
            office.journal.require_first(signed.name)
            return signed
    with about(wanted, Malformed):
        signed = _read_notice(office, raw, at).signed
    office.journal.require_first(signed.name)
    return signed


def _recorded(office: Office, dispatch_digest: bytes) -> SignedDispatch:
    """Dispatch and core of an envelope, from whatever in the register has both: its sealing, its opening, or a notice."""
    journal = office.journal
    known = journal.expectation(dispatch_digest)
    if known is None:
        opening = journal.opening(dispatch_digest)
        known = None if opening is None else opening.expectation
    if known is not None:
        return authenticate_dispatch(known.dispatch, known.core, office.trust, journal)
    for raw in journal.statements("notice", dispatch_digest):
        return _read_notice(office, raw, at=_ANY_TIME).signed
    message = "too little of this envelope is in the register: neither its header nor a notice of its transport"
    raise Refused(message, "name its file, or enter the notice first: valiza transport enter NOTICE")


def _read_notice(office: Office, raw: bytes, at: int) -> VerifiedNotice:
    return read_notice(raw, trust=office.trust, agreements=office.agreements, at=at, seen=office.journal)


def _require_party(office: Office, signed: SignedDispatch) -> None:
    core = signed.core
    if office.body.party not in {core.origin.party, core.destination.party}:
        message = f"the envelope goes from {core.origin} to {core.destination}, and this is {office.body}"
        raise Refused(message)


# -- what is known -------------------------------------------------------------------------------------------------------


def transported(office: Office, wanted: str | Path, *, at: int) -> Transported:
    """What the register knows of the transport of an envelope, judged.

    Raises:
        Usage, Refused, Malformed, NotAuthentic: the envelope is not known, or what is recorded does not hold any more.
    """
    return _known(office, _envelope(office, wanted, at), at)


def _known(office: Office, signed: SignedDispatch, at: int) -> Transported:
    journal = office.journal
    notices = Notices(_read_notice(office, raw, _ANY_TIME) for raw in journal.statements("notice", signed.digest))
    taken = [_read_handover(office, raw, signed, _ANY_TIME) for raw in journal.statements("handover", signed.digest)]
    return Transported(signed=signed, notices=notices, custody=custody(signed, taken, notices=notices, at=at))


def _read_handover(office: Office, raw: bytes, signed: SignedDispatch, at: int) -> VerifiedHandover:
    return read_handover(raw, signed=signed, trust=office.trust, agreements=office.agreements, at=at, seen=office.journal)


def write_out(found: Transported, into: Path) -> None:
    """Write the notices and hand-overs into the new folder `into`, as they were signed, each under a name of its own.

    Raises:
        Refused, Unavailable: as of any new folder.
    """
    taken = (*found.custody.chain, *found.custody.apart)
    named = [(f"notice-{one.said.number}", one) for one in found.notices.all] + [(f"leg-{one.said.leg + 1}", one) for one in taken]
    names = [name for name, _ in named]
    with new_folder(into) as work:
        for name, one in named:
            several = f"-{one.digest.hex()[:_SHORT]}" if names.count(name) > 1 else ""
            new_file(work / f"{name}{several}.vls", one.raw, 0o644)


# -- telling and taking --------------------------------------------------------------------------------------------------


def tell(office: Office, wanted: str | Path, out: Path, order: NoticeOrder, *, at: int) -> VerifiedNotice:
    """Tell the other party of a transport: sign the next notice of this envelope, record it, and write it to the new file `out`.

    Raises:
        Refused, Usage, NoKey, Malformed, NotAuthentic: this office may not, or the order is not clear.
    """
    signed = _envelope(office, wanted, at)
    core = signed.core
    if core.origin != office.body:
        message = f"the envelope is of {core.origin}, which tells of its transport, and this is {office.body} (R13)"
        raise Refused(message)
    officer = office.pick(order.officer, "transport")
    told = _told(office, signed, order.told, at)
    signer, key = office.credential(officer, "transport"), office.signing_key(officer, "transport")

    def make() -> VerifiedNotice:
        known = _known(office, signed, at).notices
        before = known.last
        _require_free(known)
        said = Notice(
            dispatch=signed.statement.raw,
            core=core.raw,
            told=told,
            number=1 if before is None else before.said.number + 1,
            previous=None if before is None else before.digest,
            leaves_at=order.leaves_at,
            expected_at=order.expected_at,
            package=order.package or (core.stamp.package if before is None else before.said.package),
            way=_way(signed, before, order),
            deviation=order.reason,
            escorts=order.escorts,
            reference=order.reference,
            told_at=at,
        )
        if before is not None and said == replace(before.said, number=said.number, previous=said.previous, told_at=at):
            return before  # the command before was interrupted when it was recorded and had no file yet; and nothing new is to be told
        return notify(said, signer=signer, key=key, trust=office.trust, agreements=office.agreements, seen=office.journal)

    return _make_and_record(office, "notice", signed, out, make, at=at)


def _require_free(known: Notices) -> None:
    """Raise Refused where another notice here has the next number already, and does not count."""
    number = len(known.counted) + 1
    if any(one.said.number == number for one in known.unconnected):
        message = f"a transport notice with the number {number} is here already, and does not count: it contradicts another (R13)"
        raise Refused(message, "ask who signed it: valiza transport show names him; if it was nobody here, his key is stolen")


def _told(office: Office, signed: SignedDispatch, wanted: str | None, at: int) -> Body:
    """The competent body that is told: the one named, the destination where it is one, or the only one."""
    other = signed.core.destination.party
    if wanted is not None:
        return parse_body(wanted, other)
    competent = permission.competent_bodies(office.agreements.find(signed.core.agreement).profile, office.trust, other, at)
    if signed.core.destination.id in competent:
        return signed.core.destination
    if len(competent) != 1:
        message = f"{other} has several competent bodies: {', '.join(competent)}"
        raise Usage(message, "say which is told with --tell BODY")
    return Body(other, competent[0])


def _way(signed: SignedDispatch, before: VerifiedNotice | None, order: NoticeOrder) -> Way | None:
    route = signed.core.stamp.route
    if route is None:
        if order.transport is not None or order.escort is not None or order.legs is not None:
            message = "the stamp of this envelope is closed: how it goes stands in no notice (R13)"
            raise Refused(message, "name the paper that tells it with --reference, or send it as a carrier of another envelope")
        return None
    way = Way.of_route(route) if before is None or before.said.way is None else before.said.way
    return Way(transport=order.transport or way.transport, escort=order.escort or way.escort, legs=way.legs if order.legs is None else order.legs)


def take(office: Office, wanted: str | Path, out: Path, order: HandoverOrder, *, at: int) -> VerifiedHandover:
    """Record that an officer of this office took an envelope over: sign the next hand-over, record it, and write it to the new file `out`.

    Raises:
        Refused, Usage, NoKey, Malformed, NotAuthentic: he may not, or the order is not clear.
    """
    signed = _envelope(office, wanted, at)
    _require_party(office, signed)
    officer = office.pick(order.officer, "transport")
    signer, key = office.credential(officer, "transport"), office.signing_key(officer, "transport")

    def make() -> VerifiedHandover:
        known = _known(office, signed, at)
        chain, apart = known.custody.chain, known.custody.apart
        taken = {one.digest: one for one in (*chain, *apart)}
        mine = [one for one in (*chain[-1:], *apart) if (one.taker.subject, one.taker.body) == (signer.subject, signer.body)]
        for one in mine:
            after = taken.get(one.said.previous)
            if _leg(after, order) == one.said.leg and one.said == _said(office, known, after, order, one.said.taken_at):
                return one  # the command before was interrupted when it was recorded and had no file yet
        before = _before(office, signed, known.custody, order)
        if order.leg is None and before in mine:
            message = f"{signer.title!r} took this envelope over already, for {_leg_name(before)}"
            raise Usage(message, "if he takes it on himself, say which leg begins with --leg N; to repeat the command, say the same as then")
        said = _said(office, known, before, order, at)
        if said is None:
            message = "nobody took this envelope over before: who gave it has to be said"
            raise Usage(message, "give --giver NAME, an officer of the origin")
        given = {"trust": office.trust, "agreements": office.agreements, "seen": office.journal}
        return take_over(said, signed=signed, signer=signer, key=key, **given)  # type: ignore[arg-type] # each is what its name says

    return _make_and_record(office, "handover", signed, out, make, at=at)


def _before(office: Office, signed: SignedDispatch, known: Custody, order: HandoverOrder) -> VerifiedHandover | None:
    """The hand-over that the next one follows: the last of the chain; behind a fork the last one that who gave signed."""
    last = known.chain[-1] if known.chain else None
    end = signed.digest if last is None else last.digest
    if not any(one.said.previous == end for one in known.apart):
        return last
    if order.giver is None:
        message = "two hand-overs of this envelope follow the same one: who gave it has to be said (R13)"
        raise Usage(message, "give --giver NAME; valiza transport show lists who signed")
    followed = {one.said.previous for one in known.apart}
    ends = [one for one in known.apart if one.digest not in followed]
    giver = _giver(office, signed, last, order)
    given = [one for one in ends if (one.taker.title, one.taker.body) == (giver.name, giver.body)]
    return given[-1] if given else last


def _said(office: Office, known: Transported, before: VerifiedHandover | None, order: HandoverOrder, at: int) -> Handover | None:
    """What is recorded of a hand-over that follows another; None where nobody gave it."""
    if before is None and order.giver is None:
        return None
    leg, signed, told = _leg(before, order), known.signed, known.notices.last
    return Handover(
        dispatch_digest=signed.digest,
        origin=signed.core.origin,
        envelope_id=signed.core.envelope_id,
        leg=leg,
        place=_place(signed, known.custody.legs, leg, order.place),
        giver=_giver(office, signed, before, order),
        taken_at=at,
        intact=order.intact,
        condition=order.condition,
        remark=order.remark,
        package=order.package or (signed.core.stamp.package if told is None else told.said.package),
        previous=signed.digest if before is None else before.digest,
    )


def _leg(before: VerifiedHandover | None, order: HandoverOrder) -> int:
    """The leg that begins: as typed, or the next."""
    return (0 if before is None else before.said.leg + 1) if order.leg is None else order.leg


def _leg_name(one: VerifiedHandover) -> str:
    return f"leg {one.said.leg + 1}{f', {one.said.place!r}' if one.said.place else ''}"


def _place(signed: SignedDispatch, legs: tuple[Leg, ...] | None, leg: int, wanted: str | None) -> str:
    """Where: as typed, or as planned."""
    if signed.core.stamp.route is None:
        if wanted:
            message = "the stamp of this envelope is closed: no place stands in a hand-over (R13)"
            raise Refused(message, "leave out --place")
        return ""
    if wanted is not None:
        return wanted
    places = [] if legs is None else [*(one.start for one in legs), legs[-1].end]
    if leg >= len(places):
        message = f"the way has {len(places) - 1} legs, and the envelope was taken over at its end already"
        raise Refused(message, "if it goes on all the same, say where with --leg N and --place TEXT")
    return places[leg]


def _giver(office: Office, signed: SignedDispatch, before: VerifiedHandover | None, order: HandoverOrder) -> Giver:
    """Who gave: as typed, or who took before."""
    if order.giver is None:
        if before is None:  # `_said` asks first
            raise AssertionError
        return Giver(name=before.taker.title, body=before.taker.body, credential=before.taker.digest)
    core = signed.core
    default = core.origin if before is None else before.taker.body
    body = default if order.giver_body is None else parse_body(order.giver_body, core.origin.party)
    found = list(_called(office, body, order.giver))
    if len({one.subject for one in found}) > 1:
        message = f"several officers of {body} are called {order.giver!r}"
        raise Usage(message, "name him by the digits of his subject, which valiza roster show lists")
    if not found:
        return Giver(name=order.giver, body=body, credential=None)
    return Giver(name=found[0].title, body=body, credential=found[0].digest)


def _called(office: Office, body: Body, name: str) -> Iterator[Credential]:
    for purpose in _GIVERS:
        yield from (one for one in office.trust.of_body(body, purpose) if is_called(one, name))


def _make_and_record(office: Office, kind: str, signed: SignedDispatch, out: Path, make: Callable[[], T], *, at: int) -> T:
    """Make the next statement of its kind, and let it out when it is recorded. What goes before it is read in the same transaction."""
    file = None if str(out) == "-" else NewFile(out, 0o644)
    context: AbstractContextManager[object] = nullcontext() if file is None else closing(file)
    with context:
        with naming(), office.journal.together():
            found = make()
            if file is not None:
                file.write(found.raw)
                file.sync()
            office.journal.record_statement(kind, found.raw, signed.name, at=at, note=_note(found))
        if file is None:
            write_object(out, found.raw)
        else:
            file.finish()
    return found


def _note(one: VerifiedNotice | VerifiedHandover) -> str:
    """What the register shows of it."""
    return str(one.said.number if isinstance(one, VerifiedNotice) else one.said.leg)


# -- entering ------------------------------------------------------------------------------------------------------------


def enter(office: Office, paths: Sequence[Path], *, envelope: Path | None, at: int) -> list[Entered | ValizaError]:
    """Enter notices and hand-overs that arrived, each verified first; notices before hand-overs, which need what they say.

    Args:
        office: of either party.
        paths: the files.
        envelope: the envelope's file, where neither it nor a notice is in the register.
        at: now.

    Returns:
        For each what was entered, or why it was not.
    """
    named = None if envelope is None else _envelope(office, envelope, at)
    outcomes: dict[int, Entered | ValizaError] = {}
    later: list[tuple[int, bytes]] = []
    for index, path in enumerate(paths):
        try:
            with about(path, Malformed):
                raw = read_object(path, labels.TRANSPORT_NOTICE, labels.HANDOVER)
                if read_statement(raw, labels.TRANSPORT_NOTICE, labels.HANDOVER).type == labels.HANDOVER:
                    later.append((index, raw))
                    continue
                outcomes[index] = _enter_notice(office, raw, at)
        except ValizaError as error:
            outcomes[index] = error
    for index, raw in later:
        try:
            with about(paths[index], Malformed):
                outcomes[index] = _enter_handover(office, raw, named, at)
        except ValizaError as error:
            outcomes[index] = error
    return [outcomes[index] for index in range(len(paths))]


def _enter_notice(office: Office, raw: bytes, at: int) -> Entered:
    found = _read_notice(office, raw, at)
    _require_party(office, found.signed)
    with naming(), office.journal.together():
        known = _known(office, found.signed, at).notices
        both = Notices([*known.all, found])
        if both.conflict is not None and both.conflict_at == found.said.number:  # one that shows another as false is entered all the same
            raise both.conflict
        new = office.journal.record_statement("notice", raw, found.signed.name, at=at, note=_note(found))
    return Entered(one=found, signed=found.signed, new=new)


def _enter_handover(office: Office, raw: bytes, named: SignedDispatch | None, at: int) -> Entered:
    said = peek_handover(raw)
    signed = named if named is not None and named.digest == said.dispatch_digest else _recorded(office, said.dispatch_digest)
    _require_party(office, signed)
    found = _read_handover(office, raw, signed, at)
    with naming():
        new = office.journal.record_statement("handover", raw, signed.name, at=at, note=_note(found))
    return Entered(one=found, signed=signed, new=new)
