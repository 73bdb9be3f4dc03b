"""What an office finds in its register as a whole: whether it is what was entered, and proofs of single entries for others."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Final

from valiza.keys.errors import NotAuthentic, Refused, ValizaError
from valiza.keys.processes import processors, shared
from valiza.office.checkpoints import checked_checkpoint, log_keys, log_of, newest_checkpoint, require_own
from valiza.office.home import Office
from valiza.register.checking import Finding, RegisterChecked, check_register, check_statement
from valiza.register.note import SignedCheckpoint, contradict, log_origin, read_cosignature, verify_checkpoint
from valiza.register.proof import read_request
from valiza.register.store import PAGE, Query

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from valiza.keys.fields import Body
    from valiza.register.entry import Entry
    from valiza.register.store import Head

__all__ = ["HeadChecked", "LeafProof", "RegisterVerified", "agreements_named", "prove", "prove_entry", "verify_register"]

_FEW: Final = 2000  # entries for which further processes do not pay
_KINDS: Final = ("own", "cosigned", "ahead", "given", "seen")


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadChecked:
    """A stored head that holds.

    Attributes:
        kind: as of `Head`.
        body: whose log it is, or who cosigned it.
        agreement: digest of the agreement's body.
        size: of the log.
        at: when it was signed, or cosigned, as its signer says.
    """

    kind: str
    body: Body
    agreement: bytes
    size: int
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterVerified:
    """What came of verifying a register."""

    checked: RegisterChecked
    heads: tuple[HeadChecked, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong."""
        return not self.checked.findings


def agreements_named(office: Office, name: str | None) -> list[bytes]:
    """Digests of the agreements that have a log here: all, or every version of the one with this id.

    Raises:
        Refused: none has.
    """
    ids = {agreement.digest: agreement.profile.id for agreement in office.agreements.all()}
    found = [digest for digest in office.journal.store.logs() if name in {None, ids.get(digest), digest.hex()}]
    if not found and name is not None:
        message = f"nothing was ever entered under an agreement {name!r}: it has no log"
        raise Refused(message)
    return found


# -- verifying the whole --------------------------------------------------------------------------------------------------


def verify_register(office: Office, *, statements: bool = True, progress: Callable[[int], None] = lambda _: None) -> RegisterVerified:
    """Check all of a register: every hash, every signature, every stored head.

    Args:
        office: whose register it is.
        statements: whether the signatures of statements are checked too, which is most of the work; a large register's by all processors.
        progress: told how many entries were done since its last call; each is told of twice if its statements are checked apart.

    Raises:
        Unavailable: it cannot be read.
    """
    store = office.journal.store
    count = store.count(Query()) if statements and processors() > 1 else 0
    if count > _FEW:
        checked = _check_shared(office, count, progress)
    else:
        checked = check_register(store, check=_checker(office) if statements else None, progress=progress)
    heads = [head for kind, body, agreement in _head_logs(office) for head in _check_heads(office, checked, kind, body, agreement)]
    checked.findings.sort(key=lambda finding: finding.seq)
    return RegisterVerified(checked=checked, heads=tuple(heads))


_worker: list[Office] = []  # of this process, if it checks statements for another


def _begin(home: Path) -> None:
    _worker.append(Office(home, lambda: "", mends=False))


def _check_page(between: tuple[int, int]) -> tuple[int, RegisterChecked]:
    """How many entries there are behind one and before another, and what came of their statements."""
    after, before = between
    office, checked = _worker[0], RegisterChecked()
    entries = office.journal.store.find(Query(after=after, before=before))
    for entry in entries:
        checked.take_statement(entry, _checker(office))
    return len(entries), checked


def _checker(office: Office) -> Callable[[Entry], None]:
    return partial(check_statement, trust=office.trust, agreements=office.agreements, seen=office.journal)


def _check_shared(office: Office, count: int, progress: Callable[[int], None]) -> RegisterChecked:
    """Check everything: this process the hashes, and others meanwhile the statements of the `count` entries that are there.

    Those of entries that were appended while the hashes were checked, or whose numbers were changed, come last.
    """
    store = office.journal.store
    end = count // PAGE * PAGE
    with shared(processors(), (_begin, (office.home,)), hint="try it without checking statements: --hashes-only") as share:
        first = share(_check_page, [(after, after + PAGE + 1) for after in range(0, end, PAGE)])  # they begin at once
        checked = check_register(store, check=None, progress=progress)
        checked.unchecked.clear()  # by this process
        behind = store.pages(Query(after=end, before=checked.last + 1))
        rest = share(_check_page, [(page[0].entry.seq - 1, page[-1].entry.seq + 1) for page in behind])
        for done, others in chain(first, rest):
            checked.take_statements(others)
            progress(done)
    return checked


def _head_logs(office: Office) -> list[tuple[str, Body, bytes]]:
    return sorted(office.journal.store.head_logs(), key=lambda found: (found[2], _KINDS.index(found[0]) if found[0] in _KINDS else 9, str(found[1])))


def _check_heads(office: Office, checked: RegisterChecked, kind: str, body: Body, agreement: bytes) -> Iterator[HeadChecked]:
    """Check every stored head of a kind; what is wrong is noted with the findings."""
    earlier: SignedCheckpoint | None = None
    for head in office.journal.store.heads(kind, body, agreement):
        try:
            signed, at = _check_head(office, head)
            if kind in {"given", "seen"} and earlier is not None and (fault := contradict(earlier, signed)):
                message = f"two checkpoints of the register of {body} contradict each other ({fault}): keep both, they are evidence"
                raise NotAuthentic(message, "ask that body in writing what happened")
        except ValizaError as error:
            checked.findings.append(Finding(0, error.message))
        else:
            earlier = signed
            yield HeadChecked(kind=kind, body=body, agreement=agreement, size=signed.checkpoint.size, at=at)


def _check_head(office: Office, head: Head) -> tuple[SignedCheckpoint, int]:
    own = head.kind in {"own", "cosigned", "ahead"}
    body = office.body if own else head.body
    note = read_request(head.note).note if head.kind == "seen" else head.note
    signed = verify_checkpoint(note, log_origin(body, head.agreement), log_keys(office.trust, body))
    if signed.checkpoint.size != head.size:
        message = f"a stored checkpoint of the log of {body} is not of {head.size} entries as the register says: it was changed"
        raise NotAuthentic(message)
    if head.kind == "own":
        require_own(log_of(office, head.agreement), signed, "this office signed")
        return signed, signed.at
    if head.kind == "seen":
        return signed, signed.at
    cosigner = office.body if head.kind == "given" else head.body
    cosignature = read_cosignature(signed, cosigner, log_keys(office.trust, cosigner))
    if cosignature is None:
        message = f"a stored checkpoint of {head.size} entries has no cosignature of {cosigner}: it was changed"
        raise NotAuthentic(message)
    if own:
        require_own(log_of(office, head.agreement), signed, f"{cosigner} has seen")
    return signed, cosignature.at


# -- proving single entries -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class LeafProof:
    """That an entry is in the office's log: the leaf's bytes, and a proof in C2SP's form with the checkpoint that has most cosignatures."""

    entry: Entry
    leaf: bytes
    proof: bytes
    size: int
    cosigned_by: tuple[Body, ...]


def prove(office: Office, dispatch_digest: bytes) -> list[LeafProof]:
    """Proofs of all entries of an envelope that a signed checkpoint covers: a cosigned one where there is one.

    Raises:
        Refused: no checkpoint covers any of them. NotAuthentic, WentBack: the register is not what was signed.
    """
    story = office.journal.story(dispatch_digest)
    found = [proved for entry in story if (proved := prove_entry(office, entry)) is not None]
    if not found:
        message = "no checkpoint was signed since this envelope was entered"
        raise Refused(message, "sign one: valiza register checkpoint")
    return found


def prove_entry(office: Office, entry: Entry) -> LeafProof | None:
    """The proof of one entry; None where no checkpoint covers it.

    Raises:
        NotAuthentic, WentBack: the register is not what was signed.
    """
    log = log_of(office, entry.agreement)
    best = _covering(office, entry)
    if best is None:
        return None
    signed, bodies = best
    proof = log.proof(entry.place, signed)
    return LeafProof(entry=entry, leaf=entry.leaf(), proof=proof.format(), size=signed.checkpoint.size, cosigned_by=bodies)


def _covering(office: Office, entry: Entry) -> tuple[SignedCheckpoint, tuple[Body, ...]] | None:
    """The first cosigned checkpoint that covers an entry, or else the last one of our own."""
    store, log = office.journal.store, log_of(office, entry.agreement)
    head = store.covering("cosigned", entry.agreement, entry.place)
    if head is not None:
        signed = checked_checkpoint(office.trust, office.body, entry.agreement, head.note)
        require_own(log, signed, f"{head.body} has seen")
        return signed, (head.body,)
    own = newest_checkpoint(office, entry.agreement)
    return (own, ()) if own is not None and own.checkpoint.size > entry.place else None
