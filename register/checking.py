"""Check a whole register: the chain, every log and its tree, numbers, what followed on what, and the signatures of every statement."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar, cast

from valiza.envelope.acknowledgement import peek_answer, read_answer
from valiza.envelope.dispatch import authenticate_dispatch
from valiza.envelope.evidence import NOTHING_SEEN, of_statement
from valiza.envelope.handover import read_handover_body
from valiza.envelope.journal import Expectation
from valiza.envelope.notice import peek_notice, read_notice
from valiza.envelope.overdue import read_overdue, read_overdue_body
from valiza.envelope.receipt import peek_receipt, read_receipt
from valiza.keys import labels
from valiza.keys.digests import digest
from valiza.keys.encoding import unpack
from valiza.keys.errors import Malformed, NotAuthentic, ValizaError
from valiza.keys.fields import array
from valiza.keys.statement import read_statement
from valiza.register.entry import FIRST_LINK, link
from valiza.register.merkle import Frontier, leaf_hash
from valiza.register.state import require_after
from valiza.register.store import Query

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from valiza.envelope.agreement import Agreements
    from valiza.envelope.evidence import Seen
    from valiza.keys.fields import Body
    from valiza.keys.trust import Trust
    from valiza.register.entry import Entry
    from valiza.register.store import Chained, Store

__all__ = ["Finding", "LogChecked", "RegisterChecked", "check_register", "check_statement"]

T = TypeVar("T")

_MAX_RECORD: Final = 8 << 20
_SERIES: Final = 3  # parts of a number before the last


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong. `seq` is the entry, 0 if it is about none."""

    seq: int
    message: str


@dataclass(frozen=True, slots=True)
class LogChecked:
    """A log as it was found: `size` entries with this root, all of them hashed again."""

    agreement: bytes
    size: int
    root: bytes


@dataclass(kw_only=True)
class RegisterChecked:
    """What came of checking.

    Attributes:
        entries: that were read.
        last: number of the last of them; 0 if there is none.
        statements: whose signatures were checked.
        unchecked: statements whose signatures were not, by the kind of their entry.
        logs: as they were found.
        findings: what is wrong.
    """

    entries: int = 0
    last: int = 0
    statements: int = 0
    unchecked: Counter[str] = field(default_factory=Counter)
    logs: list[LogChecked] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def take_statement(self, entry: Entry, check: Callable[[Entry], None] | None) -> None:
        """Have the statement of an entry checked, if it keeps one, and count it."""
        if not entry.statement:
            return
        if check is not None:
            self.findings += _statement_faults(entry, check)
        if check is not None and entry.kind in _SIGNED:
            self.statements += 1
        else:
            self.unchecked[entry.kind] += 1

    def take_statements(self, others: RegisterChecked) -> None:
        """Count the statements that were checked elsewhere, and note what is wrong with them."""
        self.statements += others.statements
        self.unchecked += others.unchecked
        self.findings += others.findings


class _Story(NamedTuple):
    """What is remembered of an envelope: as little as will do, for there may be a million."""

    seq: int  # of its first entry
    envelope_id: bytes
    origin: Body
    agreement: bytes
    kinds: frozenset[str]


class _Walk:
    """What is remembered from one entry to the next."""

    def __init__(self) -> None:
        self.link = FIRST_LINK
        self.seq = 0
        self.at = 0
        self.trees: dict[bytes, Frontier] = {}
        self.lasts: dict[str, int] = {}  # number last given out, by series
        self.stories: dict[bytes, _Story] = {}  # of each envelope, by dispatch
        self.shared: dict[object, object] = {}  # what many stories have in common, kept once
        self.nodes: dict[bytes, int] = {}

    def share(self, value: T) -> T:
        """The one of equal values that is kept."""
        return cast("T", self.shared.setdefault(value, value))


def check_register(
    store: Store,
    *,
    check: Callable[[Entry], None] | None,
    progress: Callable[[int], None] = lambda _: None,
) -> RegisterChecked:
    """Read every entry and check that it is what was entered, where it was entered, and that nothing is missing before the end.

    What was cut off behind the last entry shows in signed heads only, which are the caller's to compare.

    Args:
        store: the register.
        check: checks the statement of an entry and raises ValizaError; None: statements are not looked at.
        progress: told how many entries were done since its last call.

    Raises:
        Unavailable: it cannot be read.
    """
    done, walk = RegisterChecked(), _Walk()
    for page in store.pages(Query()):
        for chained in page:
            done.findings += [Finding(chained.entry.seq, message) for message in _entry_faults(store, walk, chained)]
            done.take_statement(chained.entry, check)
        done.entries += len(page)
        done.last = page[-1].entry.seq
        progress(len(page))
    for agreement, tree in walk.trees.items():
        done.logs.append(LogChecked(agreement, tree.size, tree.root()))
        stored = sum(1 for _ in store.all_nodes(agreement))
        if stored != walk.nodes[agreement]:
            done.findings.append(
                Finding(0, f"the log of the agreement {agreement.hex()[:16]}… has {stored} nodes, and its entries make {walk.nodes[agreement]}")
            )
    return done


def _entry_faults(store: Store, walk: _Walk, chained: Chained) -> Iterator[str]:
    """Everything about one entry that its place, its neighbours and its own bytes show."""
    entry = chained.entry
    if entry.seq != walk.seq + 1:
        yield f"entry {entry.seq} follows on entry {walk.seq}: some are missing"
    try:
        hashed = leaf_hash(entry.leaf())
    except Malformed as error:
        yield f"what entry {entry.seq} says could never be entered: {error.message}"
        hashed = chained.leaf_hash
    if hashed != chained.leaf_hash:
        yield f"entry {entry.seq} is not what was entered: it was changed"
    if chained.previous != walk.link:
        yield f"entry {entry.seq} does not go on from the one before it: one was changed, removed, put in or moved"
    if chained.link != link(chained.previous, chained.leaf_hash):
        yield f"the link of entry {entry.seq} is not that of its leaf"
    if entry.at < walk.at:
        yield f"time runs back at entry {entry.seq}"
    yield from _tree_faults(store, walk, chained)
    yield from _story_faults(walk, entry)
    walk.seq, walk.at, walk.link = entry.seq, entry.at, chained.link


def _tree_faults(store: Store, walk: _Walk, chained: Chained) -> Iterator[str]:
    entry = chained.entry
    tree = walk.trees.setdefault(entry.agreement, Frontier())
    if entry.place != tree.size:
        yield f"entry {entry.seq} stands at place {entry.place} of its log, and {tree.size} is next: one is missing or put in"
    arisen = tree.append(chained.leaf_hash)
    walk.nodes[entry.agreement] = walk.nodes.get(entry.agreement, 0) + len(arisen)
    if arisen:
        try:
            stored = store.nodes(entry.agreement, [position for position, _ in arisen])
        except ValizaError as error:
            yield error.message
        else:
            if stored != [hashed for _, hashed in arisen]:
                yield f"the tree above entry {entry.seq} is not that of its entries"


def _story_faults(walk: _Walk, entry: Entry) -> Iterator[str]:
    """What may not follow on what is there, and numbers with gaps."""
    if entry.kind == "numbered":
        series, _, count = entry.number.rpartition("/")
        last = walk.lasts.get(series, 0)
        if not count.isdecimal() or series.count("/") != _SERIES - 1 or int(count) != last + 1:
            yield f"entry {entry.seq} gives out the number {entry.number!r}, and {series}/{last + 1} is next"
        walk.lasts[series] = int(count) if count.isdecimal() and len(count) < 16 else last  # noqa: PLR2004 - no number is so long
        return
    if not entry.dispatch_digest:
        return
    story = walk.stories.get(entry.dispatch_digest)
    if story is None:
        origin, agreement = walk.share(entry.origin), walk.share(entry.agreement)
        story = _Story(entry.seq, entry.envelope_id, origin, agreement, frozenset())
    try:
        require_after(entry.kind, story.kinds)
    except ValizaError as error:
        yield f"entry {entry.seq} ({entry.kind}) may not be there: {error.message}"
    if (entry.envelope_id, entry.origin, entry.agreement) != (story.envelope_id, story.origin, story.agreement):
        yield f"entry {entry.seq} calls the envelope of entry {story.seq} by another id, origin or agreement"
    if entry.kind not in story.kinds:
        walk.stories[entry.dispatch_digest] = story._replace(kinds=walk.share(story.kinds | {entry.kind}))


def _statement_faults(entry: Entry, check: Callable[[Entry], None]) -> list[Finding]:
    try:
        check(entry)
    except ValizaError as error:
        return [Finding(entry.seq, f"the statement of entry {entry.seq} ({entry.kind}) does not hold: {error.message}")]
    return []


def check_statement(entry: Entry, *, trust: Trust, agreements: Agreements, seen: Seen = NOTHING_SEEN) -> None:
    """Check the signatures of the statement that an entry keeps, and that it is about the entry's envelope.

    Evidence of a conflict, and what was refused, are kept as they came: they may be anything.

    Raises:
        Malformed, NotAuthentic, Refused: it does not hold, or is about another envelope.
    """
    reader = _CHECKS.get(entry.kind)
    if reader is not None:
        reader(entry, trust, agreements, seen)


def _require_about(entry: Entry, dispatch: bytes) -> None:
    if digest(labels.DIGEST_STATEMENT, dispatch) != entry.dispatch_digest:
        message = "it is about another envelope than its entry"
        raise NotAuthentic(message)


def _sealed(entry: Entry, trust: Trust, agreements: Agreements, seen: Seen) -> None:  # noqa: ARG001 - as the others
    rest, _ = array(unpack(entry.record, max_bytes=_MAX_RECORD, what="recorded sealing"), "recorded sealing", length=2)
    expectation = Expectation.from_value([entry.statement, *array(rest, "recorded expectation")])
    signed = authenticate_dispatch(entry.statement, expectation.core, trust, seen)
    if signed.name.dispatch_digest != entry.dispatch_digest or signed.name.envelope_id != entry.envelope_id:
        message = "it is about another envelope than its entry"
        raise NotAuthentic(message)


def _arrived(entry: Entry, trust: Trust, agreements: Agreements, seen: Seen) -> None:  # noqa: ARG001 - as the others
    _require_about(entry, entry.statement)


def _answered(entry: Entry, trust: Trust, agreements: Agreements, seen: Seen) -> None:  # noqa: ARG001 - as the others
    _require_about(entry, peek_answer(entry.statement)[0].dispatch)
    read_answer(entry.statement, trust, seen)


def _receipt(entry: Entry, trust: Trust, agreements: Agreements, seen: Seen) -> None:
    _require_about(entry, peek_answer(peek_receipt(entry.statement).answer)[0].dispatch)
    read_receipt(entry.statement, trust=trust, agreements=agreements, seen=seen)


def _notice(entry: Entry, trust: Trust, agreements: Agreements, seen: Seen) -> None:
    _require_about(entry, peek_notice(entry.statement).dispatch)
    read_notice(entry.statement, trust=trust, agreements=agreements, at=entry.at, seen=seen)


def _handover(entry: Entry, trust: Trust, agreements: Agreements, seen: Seen) -> None:  # noqa: ARG001 - as the others
    """Its own signature: to read it whole takes the dispatch, which stands in another entry."""
    statement = read_statement(entry.statement, labels.HANDOVER)
    said = read_handover_body(statement.body)
    if (said.dispatch_digest, said.envelope_id, said.origin) != (entry.dispatch_digest, entry.envelope_id, entry.origin):
        message = "it is about another envelope than its entry"
        raise NotAuthentic(message)
    taker = trust.signer(statement)
    evidence = of_statement(seen, entry.dispatch_digest, entry.statement)
    trust.require_standing(taker, dated=said.taken_at, evidence=evidence, act="taking an envelope over")


def _overdue(entry: Entry, trust: Trust, agreements: Agreements, seen: Seen) -> None:
    _require_about(entry, read_overdue_body(read_statement(entry.statement, labels.OVERDUE).body).dispatch)
    read_overdue(entry.statement, trust=trust, agreements=agreements, at=entry.at, seen=seen)


_CHECKS: Final = {
    "sealed": _sealed,
    "arrived": _arrived,
    "answered": _answered,
    "receipt": _receipt,
    "notice": _notice,
    "handover": _handover,
    "overdue": _overdue,
}
_SIGNED: Final = _CHECKS.keys() - {"arrived"}  # with that comes no core, without which its dispatch shows no signer
