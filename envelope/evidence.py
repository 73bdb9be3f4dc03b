"""What a reader knows of when a signature was there, beside its own word (specs/revocation.md, Evidence)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from valiza.keys.trust import Evidence

__all__ = ["NOTHING_SEEN", "Seen", "Vouched", "of_statement"]


class Seen(Protocol):
    """A reader's memory of statements. An office has its journal, a stranger none."""

    def first_seen(self, dispatch_digest: bytes, statement: bytes) -> int | None:
        """The earliest time at which a statement about an envelope, or something that contains it, was recorded; None: it was not."""


class _Nothing:
    """The memory of who has none."""

    def first_seen(self, dispatch_digest: bytes, statement: bytes) -> int | None:  # noqa: ARG002 - the protocol's
        """Nothing was ever recorded."""
        return None


NOTHING_SEEN: Final[Seen] = _Nothing()


class Vouched:
    """A memory, and an answer of the other party, dated `at`, that contains the dispatch and stands itself."""

    def __init__(self, seen: Seen, dispatch: bytes, at: int) -> None:
        self._seen = seen
        self._dispatch = dispatch
        self._at = at

    def first_seen(self, dispatch_digest: bytes, statement: bytes) -> int | None:
        """What the memory says; for this dispatch no later than the answer."""
        found = self._seen.first_seen(dispatch_digest, statement)
        if statement != self._dispatch:
            return found
        return self._at if found is None else min(found, self._at)


def of_statement(seen: Seen, dispatch_digest: bytes, statement: bytes) -> Evidence:
    """The evidence for a statement about an envelope, looked up when it is asked for."""
    return lambda: seen.first_seen(dispatch_digest, statement)
