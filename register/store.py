"""What keeps a register: an append-only table of entries, the trees over them, and heads. SQLite and PostgreSQL do the same behind it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from valiza.keys.errors import Refused, Unavailable
from valiza.keys.fields import MAX_TIME, Body
from valiza.register.entry import FIRST_LINK, Entry, EntryFacts, link
from valiza.register.merkle import arising, leaf_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from valiza.register.merkle import Position

__all__ = ["EMPTY", "FACTS", "PAGE", "Chained", "Head", "Node", "Query", "Store", "Tail", "read_facts"]

PAGE: Final = 512  # entries that are read at once where a whole register is read

# The columns of what an entry says; each store has them under these names.
FACTS: Final = (
    *("seq", "at", "kind", "direction", "number", "agreement", "place"),
    *("origin_party", "origin_body", "envelope_id", "dispatch_digest", "note"),
)

Node = tuple["Position", bytes]
"""A complete node of a log's tree above the leaves: level and place, and its hash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which entries are wanted: all that fit everything that is given, in their order.

    Attributes:
        kinds: any of them; empty for all.
        enveloped: only entries about an envelope.
        envelope_ids: any of them.
        id_from: only ids of envelopes that are not before this one, byte by byte.
        id_before: only ids of envelopes that are before this one.
        series: only numbers that begin so.
        after: only entries behind this one.
        before: only entries before this one.
        newest_first: in the opposite order.
        limit: that many at most.
    """

    kinds: tuple[str, ...] = ()
    enveloped: bool = False
    dispatch_digest: bytes | None = None
    envelope_id: bytes | None = None
    envelope_ids: tuple[bytes, ...] | None = None
    id_from: bytes | None = None
    id_before: bytes | None = None
    agreement: bytes | None = None
    place: int | None = None
    direction: str | None = None
    number: str | None = None
    series: str | None = None
    statement: bytes | None = None
    after: int | None = None
    before: int | None = None
    newest_first: bool = False
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Chained:
    """An entry as it stands in the table: with the hash of its leaf, the link before it and its own."""

    entry: Entry
    leaf_hash: bytes
    previous: bytes
    link: bytes


@dataclass(frozen=True, slots=True)
class Tail:
    """The end of the register: what the next entry is appended to. `size` is that of the log of one agreement.

    `edge` are complete nodes on the right edge of its tree, as far as they were read already.
    """

    seq: int
    at: int
    link: bytes
    size: int
    edge: Mapping[Position, bytes] = field(default_factory=dict)


EMPTY: Final = Tail(0, 0, FIRST_LINK, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A head of a log: a note in C2SP's form.

    Attributes:
        kind: `own` checkpoint; `cosigned`: such a one with the other body's cosignature; `seen` of its log; `given`: such a one, cosigned here.
        body: whose log it is.
        agreement: digest of the agreement's body.
        size: of the log.
        at: when it was stored, in seconds since 1970.
        note: the note as it is or came.
    """

    kind: str
    body: Body
    agreement: bytes
    size: int
    at: int
    note: bytes


def read_facts(row: Sequence[Any], shared: dict[object, Any]) -> EntryFacts:
    """What an entry says, from those columns. Of a large register most of it is the same again and again, and kept once: in `shared`."""
    seq, at, kind, direction, number, agreement, place, party, body, envelope_id, dispatch_digest, note = row
    one = shared.setdefault
    origin = shared.get((party, body)) or one((party, body), Body(party, body))
    return EntryFacts(
        seq=seq,
        at=at,
        kind=one(kind, kind),
        direction=one(direction, direction),
        number=number,
        agreement=one(agreement, agreement),
        place=place,
        origin=origin,
        envelope_id=envelope_id,
        dispatch_digest=dispatch_digest,
        note=note,
    )


class Store(ABC):
    """Entries, nodes and heads of one body's register. Nothing is ever changed or removed; what was appended is durable when its transaction ends."""

    def __init__(self, name: str, clock: Callable[[], int]) -> None:
        """`name` is what errors call it; `clock` tells the present, in seconds since 1970."""
        self.name = name
        self._clock = clock
        self._tails: dict[bytes, Tail] = {}
        self._lefts: dict[tuple[bytes, Position], bytes] = {}
        self._end: Tail | None = None

    # -- what each database does ---------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def inside(self) -> bool:
        """Whether a transaction is open."""

    @abstractmethod
    def transaction(self, agreement: bytes | None = None, ahead: Query | None = None) -> AbstractContextManager[None]:
        """Everything in the block happens, in order and alone, or nothing. Inside another transaction it is part of that one.

        Where each question takes its time, some can be asked with the beginning.

        Args:
            agreement: to whose log an entry will be appended.
            ahead: whose facts will be asked for before.
        """

    @abstractmethod
    def identity(self) -> Body | None:
        """Whose register this is; None if nobody's yet."""

    @abstractmethod
    def claim(self, body: Body) -> None:
        """Write down whose register this is, once."""

    @abstractmethod
    def _read_tail(self, agreement: bytes) -> Tail:
        """The end of the register, and the size of a log."""

    @abstractmethod
    def require_new(self, entry: Entry) -> None:
        """Raise Refused, inside a transaction, if an entry would repeat what happens once to an envelope, or a number that was given out."""

    @abstractmethod
    def insert(self, chained: Chained, nodes: Sequence[Node]) -> None:
        """Insert an entry with the nodes that it completes, inside a transaction. What is refused at its end only takes all of it back."""

    @abstractmethod
    def nodes(self, agreement: bytes, wanted: Sequence[Position]) -> list[bytes]:
        """Hashes of complete nodes of a log, in the order in which they are wanted; those of level 0 are hashes of leaves.

        Raises:
            Unavailable: one is missing.
        """

    @abstractmethod
    def chained(self, query: Query) -> list[Chained]:
        """Entries as they stand in the table."""

    @abstractmethod
    def facts(self, query: Query) -> Iterator[EntryFacts]:
        """Entries without the bytes that they keep, one after the other: a register of any size takes the same memory."""

    @abstractmethod
    def count(self, query: Query) -> int:
        """How many entries there are; no further than to the limit are they counted."""

    @abstractmethod
    def logs(self) -> list[bytes]:
        """Digests of the agreements that have a log here, in the order in which their first entries stand."""

    @abstractmethod
    def all_nodes(self, agreement: bytes) -> Iterator[Node]:
        """Every stored node of a log above the leaves."""

    @abstractmethod
    def add_head(self, head: Head) -> None:
        """Store a head, durably once the transaction ends."""

    @abstractmethod
    def heads(self, kind: str, body: Body, agreement: bytes, *, size: int | None = None, newest: bool = False) -> list[Head]:
        """Heads of a kind of a body's log, in the order in which they were stored; only those of a size, or only the last."""

    @abstractmethod
    def has_head(self, head: Head) -> bool:
        """Whether this note is stored already as a head of this kind, body, log and size."""

    @abstractmethod
    def covering(self, kind: str, agreement: bytes, place: int) -> Head | None:
        """The smallest head of a kind, of or with whichever body, that has the entry at a place of the log; of several the earliest."""

    @abstractmethod
    def head_logs(self) -> list[tuple[str, Body, bytes]]:
        """Kind, body and agreement of all heads that are here, each once, in no order."""

    @abstractmethod
    def expect_file(self, dispatch_digest: bytes, place: str, path: bytes) -> None:
        """Note, inside a transaction, that the envelope just recorded gets the name `path` in the office at `place` next."""

    @abstractmethod
    def expected_files(self, place: str) -> list[tuple[bytes, bytes]]:
        """Digest of the dispatch and path of every envelope that was recorded at `place` and not seen under its name."""

    @abstractmethod
    def forget_files(self, dispatch_digests: Iterable[bytes]) -> None:
        """These have their names, or never will. Durable: with the note back, an envelope that was carried away meanwhile would seem lost."""

    @abstractmethod
    def close(self) -> None:
        """Close it."""

    # -- the same for all ----------------------------------------------------------------------------------------------

    def find(self, query: Query) -> list[Entry]:
        """Whole entries."""
        return [chained.entry for chained in self.chained(query)]

    def first(self, query: Query) -> Entry | None:
        """The first entry that fits; None if none does."""
        return next(iter(self.find(replace(query, limit=1))), None)

    def pages(self, query: Query) -> Iterator[list[Chained]]:
        """Entries as they stand in the table, some hundreds at once."""
        after = query.after or 0
        while page := self.chained(replace(query, after=after, limit=PAGE)):
            yield page
            after = page[-1].entry.seq

    def forget_tail(self) -> None:
        """A transaction begins or was taken back: what was read of the end counts no longer."""
        self._tails.clear()
        self._lefts.clear()
        self._end = None

    def append(self, entry: Entry, *, new: bool = False) -> Entry:
        """Append an entry, inside a transaction; returns it as it stands.

        Entries stand in the order of their times: one that others overtook gets the time of the last.

        Args:
            entry: the entry.
            new: the caller has seen, inside this transaction, that it repeats none.

        Raises:
            Refused: time would run back, or the entry conflicts with one that is there.
        """
        tail = self._tail(entry.agreement)
        if entry.at < tail.at:
            if self._clock() < tail.at:
                message = "the clock of this office runs back: its register has a later entry"
                raise Refused(message, "set the clock right; within one office time never runs back")
            entry = replace(entry, at=tail.at)  # long work, and others have entered theirs meanwhile
        if not new:
            self.require_new(entry)
        entry = replace(entry, seq=tail.seq + 1, place=tail.size)
        hashed = leaf_hash(entry.leaf())
        chained = Chained(entry, hashed, tail.link, link(tail.link, hashed))
        arisen = arising(entry.place, hashed, lambda wanted: self._known_nodes(entry.agreement, wanted))
        self.insert(chained, arisen)
        position, top = arisen[-1] if arisen else ((0, entry.place), hashed)
        self._lefts[entry.agreement, position] = top
        self._end = self._tails[entry.agreement] = Tail(entry.seq, entry.at, chained.link, entry.place + 1)
        return entry

    def _tail(self, agreement: bytes) -> Tail:
        """Within a transaction nobody else appends, so the end is read once."""
        known = self._tails.get(agreement) or self.take_tail(agreement, self._read_tail(agreement))
        return known if self._end is None else Tail(self._end.seq, self._end.at, self._end.link, known.size)

    def take_tail(self, agreement: bytes, tail: Tail) -> Tail:
        """The end was read, inside this transaction, before anything was appended under this agreement."""
        self._tails[agreement] = tail
        self._lefts |= {(agreement, position): hashed for position, hashed in tail.edge.items()}
        return tail

    def _known_nodes(self, agreement: bytes, wanted: Sequence[Position]) -> Sequence[bytes]:
        """Nodes to the left of one that becomes complete: each is asked for once, and those of this transaction are still known."""
        found = [self._lefts.pop((agreement, position), None) for position in wanted]
        asked = [position for position, hashed in zip(wanted, found, strict=True) if hashed is None]
        read = iter(self.nodes(agreement, asked) if asked else ())
        return [next(read) if hashed is None else hashed for hashed in found]

    def size(self, agreement: bytes) -> int:
        """How many entries a log has."""
        return self._read_tail(agreement).size

    def require_times(self, entries: Iterable[EntryFacts]) -> None:
        """Raise Unavailable if an entry has a time that cannot be: dates could not be shown."""
        if any(not 0 <= entry.at <= MAX_TIME for entry in entries):
            message = f"the register {self.name!r} is damaged: an entry has a time that cannot be"
            raise Unavailable(message, "restore it from a backup")
