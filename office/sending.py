"""What the origin's office does: plan, seal, withdraw."""

from __future__ import annotations

import dataclasses
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from valiza.envelope import permission
from valiza.envelope.dispatch import EnvelopeName
from valiza.envelope.manifest import unpack_manifest
from valiza.envelope.manifest_copy import manifest_copy_recipients, open_manifest_stream
from valiza.envelope.sealing import Consignment, PreparedConsignment, SealedEnvelope, prepare, seal_envelope
from valiza.envelope.verifying import authenticate
from valiza.keys.errors import Refused, Unavailable, Usage, ValizaError
from valiza.keys.fields import Body, Mark
from valiza.keys.files import NewFile, storage_errors, sync_files, sync_folder
from valiza.keys.interruption import naming
from valiza.office.addressing import named_openers, openers, parse_body
from valiza.office.clearing import read_clearances
from valiza.office.heads import attachments_for
from valiza.office.reader import envelope_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from valiza.envelope.agreement import Agreement
    from valiza.envelope.carrier import Carrier
    from valiza.envelope.clearance import Clearances
    from valiza.envelope.manifest import Basis, Manifest, Reference
    from valiza.envelope.profile import Profile
    from valiza.envelope.route import Leg
    from valiza.keys.credential import Credential
    from valiza.keys.fields import Attachments
    from valiza.keys.trust import Trust
    from valiza.office.home import Office

__all__ = [
    "DAY",
    "SealOrder",
    "SealPlan",
    "Sent",
    "find_dispatch",
    "kept_manifest",
    "kept_manifest_stream",
    "plan_sealing",
    "seal",
    "seal_group",
    "withdraw",
]

DAY: Final = 86400
_LEAST_ADDRESSEES: Final = 2  # officers go on leave while a bag travels


@dataclass(frozen=True, kw_only=True)
class SealOrder:
    """What an officer orders to be sealed. None and empty mean: the office chooses."""

    officer: str | None
    destination: str
    agreement: str
    carriers: Sequence[Carrier]
    channel: str
    transport: str
    escort: str
    legs: tuple[Leg, ...]
    basis: tuple[Basis, ...]
    purpose: str
    reference: str = ""
    confirming: str | None = None
    package: str | None = None
    due_days: int = 30
    term: str = ""
    caveats: tuple[str, ...] = ()
    references: tuple[Reference, ...] = ()
    addressees: tuple[str, ...] = ()
    single: bool = False
    keep_for: tuple[str, ...] = field(default=())
    clearances: tuple[Path, ...] = ()
    require_confirmation: bool = False


@dataclass(frozen=True, kw_only=True)
class SealPlan:
    """An order that is permitted, and the officer who seals."""

    officer: str
    prepared: PreparedConsignment
    package: str | None


def plan_sealing(office: Office, order: SealOrder, *, at: int) -> SealPlan:
    """Find agreement, addressees and confirming body, and check that the agreement permits it all.

    Raises:
        Refused, Usage, NoKey, Malformed: it is not permitted, or the order is not clear.
    """
    officer = office.pick(order.officer, "seal")
    sealer = office.credential(officer, "seal")
    agreement = office.agreements.named(order.agreement, at)
    profile = agreement.profile
    destination = parse_body(order.destination, profile.other(office.body.party).id)
    confirming = _confirming(profile, office.trust, destination, order.confirming, at=at)
    bodies = {"origin": office.body, "destination": destination, "confirming": confirming}
    permission.require_bodies(profile, office.trust, **bodies, at=at)  # before its officers are looked for
    marks = [Mark(office.body.party, carrier.code) for carrier in order.carriers]
    highest = profile.most_secret(marks) if marks else None
    clearances = read_clearances(office, order.clearances, at=at) if order.clearances or order.require_confirmation else None
    consignment = Consignment(
        destination=destination,
        confirming=confirming,
        agreement=agreement,
        channel=order.channel,
        transport=order.transport,
        escort=order.escort,
        legs=order.legs,
        reference=order.reference,
        package=order.package or "-",  # the office gives a number out when it is sealed
        due_at=at + order.due_days * DAY,
        carriers=order.carriers,
        basis=order.basis,
        purpose=order.purpose,
        term=order.term,
        caveats=order.caveats,
        references=order.references,
        addressees=_addressees(office, destination, order, _Wanted(agreement=agreement, mark=highest, clearances=clearances), at),
        clearances=clearances,
        keep_for=_keep_for(office, officer, order.keep_for),
    )
    prepared = prepare(consignment, sealer=sealer, trust=office.trust, agreements=office.agreements, at=at)
    return SealPlan(officer=officer, prepared=prepared, package=order.package)


def _confirming(profile: Profile, trust: Trust, destination: Body, wanted: str | None, *, at: int) -> Body:
    if wanted is not None:
        return parse_body(wanted, destination.party)
    allowed = permission.confirming_bodies(profile, trust, destination, at)
    return destination if destination.id in allowed else Body(destination.party, allowed[0])


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    """To what an addressee has to be cleared, and by whose word; without a mark there are no carriers, and nobody is asked for anything."""

    agreement: Agreement
    mark: Mark | None
    clearances: Clearances | None

    @property
    def degree(self) -> str | None:
        """The destination's code."""
        return None if self.mark is None else self.agreement.profile.counterpart(self.mark).code

    def confirmed(self, addressee: Credential, at: int) -> bool:
        """Whether the other party confirms it, where that is asked for."""
        if self.clearances is None or self.mark is None:
            return True
        try:
            self.clearances.require(addressee, agreement=self.agreement, wanted=self.mark, at=at)
        except Refused:
            return False
        return True


def _addressees(office: Office, destination: Body, order: SealOrder, wanted: _Wanted, at: int) -> list[Credential]:
    """Those named, or every officer of the destination who may open it; at least two, unless one is asked for."""
    known, degree = openers(office, destination, at), wanted.degree
    if order.addressees:
        chosen = named_openers(office, destination, order.addressees, at, "sealing to him")
    else:
        chosen = [c for c in known if degree is None or c.cleared_to(degree)]
        if not chosen and known:
            message = f"no officer of {destination} who opens is cleared to {destination.party}:{degree} (A4.2, A5.1)"
            raise Refused(message)
        chosen = [c for c in chosen if wanted.confirmed(c, at)] or chosen  # of none of them it is told later why not
    chosen = list({c.digest: c for c in chosen}.values())  # one named twice is one
    if not chosen:
        message = f"no officer of {destination} is certified to open"
        raise Refused(message, "import the latest roster of that party, or check the body's id")
    if len(chosen) < _LEAST_ADDRESSEES and not order.single:
        message = f"only one officer of {destination} could open it, {chosen[0].title!r}"
        raise Refused(message, "address a second, or seal to one alone with --single")
    return chosen


def _keep_for(office: Office, sealer: str, wanted: tuple[str, ...]) -> list[Credential]:
    """Who can read the office's copy of the manifest later: those named, or the sealer if he can open."""
    names = wanted or ((sealer,) if office.has_credential(sealer, "open") else ())
    return [office.credential(name, "open") for name in names]


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A sealed envelope under its final name, and its numbers."""

    sealed: SealedEnvelope
    number: str
    package: str


def seal(
    office: Office, plan: SealPlan, out: Path, *, at: int, random: Callable[[int], bytes], progress: Callable[[int], None] = lambda _: None
) -> Sent:
    """Seal a plan into the new file `out`. It is in the register before it has its name.

    Raises:
        Refused: `out` exists. NoKey: wrong passphrase. Unavailable: the disk.
    """
    (outcome,) = seal_group(office, [(plan, out)], at=at, random=random, progress=progress)
    if isinstance(outcome, ValizaError):
        raise outcome
    return outcome


def seal_group(
    office: Office,
    orders: Sequence[tuple[SealPlan, Path]],
    *,
    at: int,
    random: Callable[[int], bytes],
    progress: Callable[[int], None] = lambda _: None,
) -> list[Sent | ValizaError]:
    """Seal several plans, each into its new file. They are entered in the register together, and then get their names.

    What goes wrong with one stands in its place in the result and stops no other. Each keeps a file open: some hundreds at most.
    """
    outcomes: dict[int, Sent | ValizaError] = {}
    files: dict[int, NewFile] = {}
    written: dict[int, Sent] = {}
    wanted: set[Path] = set()
    with ExitStack() as stack:
        for index, (plan, out) in enumerate(orders):
            with _noted(outcomes, index):
                if out in wanted:  # one of them would find the name taken when both are in the register
                    message = f"{str(out)!r} is the name of another of these envelopes"
                    raise Refused(message, "give the files different names, or seal them into different folders")
                wanted.add(out)
                office.signing_key(plan.officer, "seal")
                files[index] = stack.enter_context(closing(NewFile(out, 0o644)))
        with office.journal.together():
            numbers = {index: office.journal.next_number("out", orders[index][0].prepared.consignment.agreement.digest, at) for index in files}
        heads = _Heads(office)
        for index, file in files.items():
            with _noted(outcomes, index):
                plan = orders[index][0]
                written[index] = _write(office, plan, file, number=numbers[index], heads=heads, at=at, random=random, progress=progress)
        sync_files([files[index] for index in written])
        _enter_and_name(office, files, written, outcomes, at)
    return [outcomes[index] for index in range(len(orders))]


@contextmanager
def _noted(outcomes: dict[int, Sent | ValizaError], index: int) -> Iterator[None]:
    """What goes wrong in the block is this one's outcome."""
    try:
        yield
    except ValizaError as error:
        outcomes[index] = error


class _Heads:
    """What travels with the dispatches of a group: found once for each destination."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._found: dict[tuple[bytes, Body], Attachments] = {}

    def of(self, consignment: Consignment) -> Attachments:
        """The attachments of a dispatch."""
        to = consignment.agreement.digest, consignment.destination
        if to not in self._found:
            self._found[to] = attachments_for(self._office, *to)
        return self._found[to]


def _write(
    office: Office,
    plan: SealPlan,
    file: NewFile,
    *,
    number: str,
    heads: _Heads,
    at: int,
    random: Callable[[int], bytes],
    progress: Callable[[int], None],
) -> Sent:
    """Seal into a file without a name."""
    package = plan.package or number
    consignment = dataclasses.replace(plan.prepared.consignment, package=package)
    prepared = dataclasses.replace(plan.prepared, consignment=consignment, at=at)
    key = office.signing_key(plan.officer, "seal")
    sealed = seal_envelope(prepared, key=key, out=file.file, random=random, attachments=heads.of(consignment), progress=progress)
    return Sent(sealed=sealed, number=number, package=package)


def _enter_and_name(
    office: Office, files: Mapping[int, NewFile], written: Mapping[int, Sent], outcomes: dict[int, Sent | ValizaError], at: int
) -> None:
    """Enter envelopes in the register, then name them: one without an entry could never be answered. Whichever gets no name is withdrawn."""
    journal, nameless = office.journal, dict(written)
    with office.naming(), naming():
        with journal.together():
            journal.recall(_name(office, sent) for sent in written.values())
            for index, sent in written.items():
                _record(office, sent, files[index].path, at)
        try:
            for index in written:
                with _noted(outcomes, index):
                    files[index].give_name()
                    outcomes[index] = nameless.pop(index)
            for folder in {files[index].path.parent for index in written}:
                with storage_errors(folder):
                    sync_folder(folder)
        finally:
            nameless = {index: sent for index, sent in nameless.items() if not files[index].has_name()}
            for sent in nameless.values():
                journal.withdraw(sent.sealed.dispatch.digest, reason="the envelope could not be written", at=at)
            with suppress(Unavailable):  # then the next command settles it
                journal.settle(sent.sealed.dispatch.digest for sent in written.values())


def _name(office: Office, sent: Sent) -> EnvelopeName:
    core = sent.sealed.core
    return EnvelopeName(origin=office.body, envelope_id=core.envelope_id, dispatch_digest=sent.sealed.dispatch.digest, agreement=core.agreement)


def _record(office: Office, sent: Sent, path: Path, at: int) -> None:
    sealed = sent.sealed
    office.journal.record_sealed(
        sealed.expectation,
        _name(office, sent),
        path=path,
        number=sent.number,
        due_at=sealed.core.stamp.due_at,
        manifest_copy=sealed.manifest_copy,
        at=at,
    )


def find_dispatch(office: Office, wanted: str | Path) -> bytes:
    """Digest of the dispatch of an envelope known here, named by its file, the beginning of its id, or the office's number.

    Raises:
        Usage: no such envelope is in the register.
    """
    if isinstance(wanted, str):
        found = office.journal.named(wanted)
        if len(found) != 1:
            message = f"{'several envelopes' if found else 'no envelope'} in the register {'begin' if found else 'is named'} {wanted!r}"
            raise Usage(message, "valiza register list shows those that are there")
        return found[0]
    with envelope_file(wanted) as source:
        return authenticate(source, office.trust, office.journal).signed.digest


def withdraw(office: Office, wanted: str | Path, *, reason: str, at: int) -> bytes:
    """Record that an envelope sealed here was never sent; returns the digest of its dispatch."""
    digest = find_dispatch(office, wanted)
    with naming():
        office.journal.withdraw(digest, reason=reason, at=at)
    return digest


def kept_manifest(office: Office, dispatch_digest: bytes, officer: str | None) -> Manifest:
    """The office's own copy of the manifest of an envelope sealed here, opened with an officer's key.

    Raises:
        Refused: no copy was kept. NoKey: it was not kept for this officer.
    """
    return unpack_manifest(kept_manifest_stream(office, dispatch_digest, officer))


def kept_manifest_stream(office: Office, dispatch_digest: bytes, officer: str | None) -> bytes:
    """The same, as the plaintext of the manifest stream, whose digest the dispatch signs.

    Raises:
        Refused: no copy was kept. NoKey: it was not kept for this officer.
    """
    copy = office.journal.manifest_copy(dispatch_digest)
    if copy is None:
        message = "no copy of this manifest was kept in this office"
        raise Refused(message, "seal --keep-for NAME keeps one for an officer who can open")
    name = office.pick(officer, "open")
    kept_for = office.addressee(name, manifest_copy_recipients(copy))
    return open_manifest_stream(copy, dispatch_digest, kept_for.digest, office.identity(name, kept_for))
