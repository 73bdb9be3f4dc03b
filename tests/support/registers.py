"""Registers for tests: an entry, ways to open a register in each kind of database, and what has to hold of every one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Protocol

from valiza.keys.fields import Body
from valiza.register.entry import FIRST_LINK, Entry, link
from valiza.register.merkle import Frontier, leaf_hash
from valiza.register.store import Query

if TYPE_CHECKING:
    from collections.abc import Callable

    from valiza.register.store import Store

__all__ = ["ALL", "ENTRY", "Opening", "append", "clock", "require_whole"]

ENTRY: Final = Entry(
    at=1000,
    kind="opened",
    direction="in",
    number="KZ-MFA/2026/in/1",
    agreement=b"a" * 32,
    origin=Body("BY", "BY-MFA"),
    envelope_id=b"e" * 32,
    dispatch_digest=b"d" * 32,
    statement=b"statement",
    record=b"record",
    note="a note",
    blind=b"b" * 16,
)
ALL: Final = Query()


class Opening(Protocol):
    """Opens one and the same register, as often as it is called."""

    def __call__(self, clock: Callable[[], int] = ...) -> Store: ...


def clock() -> int:
    """Before every entry that the tests write."""
    return 0


def append(store: Store, **changes: Any) -> Entry:
    """Append the entry with changes, in a transaction."""
    with store.transaction():
        return store.append(replace(ENTRY, **changes))


def require_whole(store: Store) -> list[Entry]:
    """All entries, after it was checked that none is missing, each continues the one before, and the trees are those over them."""
    previous, seq, at = FIRST_LINK, 0, 0
    trees: dict[bytes, Frontier] = {}
    nodes: dict[bytes, list[tuple[tuple[int, int], bytes]]] = {}
    found = []
    for page in store.pages(ALL):
        for chained in page:
            entry = chained.entry
            tree = trees.setdefault(entry.agreement, Frontier())
            assert (entry.seq, entry.place, chained.previous) == (seq + 1, tree.size, previous)
            assert chained.leaf_hash == leaf_hash(entry.leaf())
            assert chained.link == link(previous, chained.leaf_hash)
            assert entry.at >= at
            nodes.setdefault(entry.agreement, []).extend(tree.append(chained.leaf_hash))
            previous, seq, at = chained.link, entry.seq, entry.at
            found.append(entry)
    assert store.count(ALL) == len(found)
    assert store.logs() == list(trees)
    for agreement, expected in nodes.items():
        assert list(store.all_nodes(agreement)) == sorted(expected)
        assert store.size(agreement) == trees[agreement].size
    return found
