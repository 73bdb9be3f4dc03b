"""Copy a register from one store into another, as it is: a backup into a file, a restored one, a move into a database.

A register only grows, so the entries up to one that is there are a register at a moment, whoever goes on appending.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from valiza.keys.errors import NotAuthentic, Refused
from valiza.register.entry import FIRST_LINK, link
from valiza.register.merkle import Frontier, leaf_hash
from valiza.register.store import Query

if TYPE_CHECKING:
    from collections.abc import Callable

    from valiza.register.store import Chained, Store

__all__ = ["Copied", "copy_register"]

_KEPT: Final = "keep it as it is: it is evidence; see what is wrong: valiza register verify"


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """What was copied: `entries`, the last of them entered `at` that time (seconds since 1970), and `heads`."""

    entries: int
    at: int
    heads: int


def copy_register(source: Store, target: Store, *, progress: Callable[[int], None] = lambda _: None) -> Copied:
    """Copy every entry and head that is in `source` now into `target`, which is empty, all at once; each is hashed again on the way.

    Raises:
        Refused: `target` has entries, or is another body's. NotAuthentic: an entry of `source` is not what was entered.
    """
    body = source.identity()
    if body is None:
        message = f"the register {source.name!r} is nobody's: there is nothing to copy"
        raise Refused(message)
    end = next((facts.seq for facts in source.facts(Query(newest_first=True, limit=1))), 0)
    walk = _Walk(target)
    with target.transaction():
        known = target.identity()
        if known not in {None, body}:
            message = f"the register {target.name!r} is that of {known}, and the other one of {body}"
            raise Refused(message)
        if target.count(Query(limit=1)):
            message = f"the register {target.name!r} has entries already"
            raise Refused(message, "a register is restored into an empty one: move the other one away first")
        if known is None:
            target.claim(body)
        for page in source.pages(Query()):
            for chained in page:
                if chained.entry.seq <= end:
                    walk.take(chained)
            progress(len(page))
            if walk.seq >= end:
                break
        heads = _copy_heads(source, target, walk)
    return Copied(entries=walk.seq, at=walk.at, heads=heads)


class _Walk:
    """Entries on their way, one after the other."""

    def __init__(self, target: Store) -> None:
        self._target = target
        self._link = FIRST_LINK
        self.seq = 0
        self.at = 0
        self.trees: dict[bytes, Frontier] = {}

    def take(self, chained: Chained) -> None:
        """Check an entry and put it into the target, with the nodes that it completes."""
        entry = chained.entry
        tree = self.trees.setdefault(entry.agreement, Frontier())
        good = (
            entry.seq == self.seq + 1
            and entry.place == tree.size
            and leaf_hash(entry.leaf()) == chained.leaf_hash
            and chained.previous == self._link
            and link(chained.previous, chained.leaf_hash) == chained.link
        )
        if not good:
            message = f"entry {entry.seq} of the register is not what was entered, or one before it is missing: it is not copied"
            raise NotAuthentic(message, _KEPT)
        self._target.insert(chained, tree.append(chained.leaf_hash))
        self.seq, self.at, self._link = entry.seq, entry.at, chained.link


def _copy_heads(source: Store, target: Store, walk: _Walk) -> int:
    """Heads of other bodies, and own ones of what was copied."""
    body, count = source.identity(), 0
    for kind, of, agreement in source.head_logs():
        for head in source.heads(kind, of, agreement):
            tree = walk.trees.get(agreement)
            if (kind in {"own", "cosigned"} or of == body) and head.size > (0 if tree is None else tree.size):
                continue  # signed while this was copied
            target.add_head(head)
            count += 1
    return count
