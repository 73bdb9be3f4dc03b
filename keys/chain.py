"""Chains of credentials up to a party's root (specs/credential.md, Checking a credential): each checked when it is first asked for, and once."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, Final

from valiza.keys import labels
from valiza.keys.credential import Credential, check_credential, decode_credential
from valiza.keys.errors import NotAuthentic, Refused
from valiza.keys.processes import shared
from valiza.keys.root import read_roots
from valiza.keys.statement import read_statement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from valiza.keys.credential import Outline
    from valiza.keys.root import Root
    from valiza.keys.statement import Statement

__all__ = ["Chains", "forget", "issued"]

_MAX_LINKS: Final = 4  # one more than a chain may have, whose length the check then tells
_MANY: Final = 1 << 17
_PART: Final = 200  # credentials at a time that another process checks: some 50 ms of work
_issued: set[tuple[bytes, bytes]] = set()  # digests of a credential and of the issuer whose signature on it was seen to hold in this process


def issued(credential: bytes, issuer: bytes) -> None:
    """Remember by their digests that an issuer signed a credential: that was verified in this process, or in one that shares its work."""
    if len(_issued) >= _MANY:
        _issued.clear()
    _issued.add((credential, issuer))


def forget() -> None:
    """Verify everything anew, as in a new process: for those who measure it."""
    _issued.clear()


class Chains(Mapping[bytes, Credential]):
    """The credentials of a party by their digests. Whatever is taken out was checked up to a root; what was checked is not checked again.

    Args:
        roots: every version of the party's root, each checked.
        statements: the credentials as statements, by their digests, which are right; of what they say nothing is believed.

        keys_checked: their keys were checked before; each is again when it is used, and not before.

    Taking one out raises what `check_credential` does, for it or an issuer above it; KeyError only if there is no such statement.
    """

    def __init__(self, roots: Iterable[Root], statements: Mapping[bytes, Statement], *, keys_checked: bool = False) -> None:
        self._roots = {root.digest: root for root in roots}
        self._statements = statements
        self._keys_checked = keys_checked
        self._checked: dict[bytes, Credential] = {}

    def __getitem__(self, wanted: bytes) -> Credential:
        found = self._checked.get(wanted)
        return found if found is not None else self._check(wanted, self._statements[wanted], 1)

    def __contains__(self, wanted: object) -> bool:
        return wanted in self._statements

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._statements)

    def __len__(self) -> int:
        return len(self._statements)

    def raw(self, name: bytes) -> bytes:
        """The bytes of a credential that is there, checked or not."""
        return self._statements[name].raw

    def check_all(self, *, jobs: int = 1, advance: Callable[[int], None] = lambda _: None) -> tuple[Outline, ...]:
        """Check every credential, the first one first; returns what an index says of them, in the same order.

        Args:
            jobs: processes that share the work.
            advance: told how many were checked since its last call.

        Raises:
            NotAuthentic, Malformed, Refused: what is wrong with the first one with which anything is. Unavailable: a process was ended from outside.
        """
        if jobs == 1:
            return tuple(self._outline(name, advance) for name in self)
        found: list[Outline] = []
        issuers = {statement.signer.signer_digest for statement in self._statements.values()}
        start = (_begin, ([root.raw for root in self._roots.values()], [self._statements[name].raw for name in issuers if name in self]))
        raws = iter([statement.raw for statement in self._statements.values()])
        with shared(jobs, start, hint="begin again: nothing was changed") as share:
            for outlines in share(_outlines, iter(lambda: list(islice(raws, _PART)), [])):
                found += outlines
                advance(len(outlines))
        for outline in found:
            issued(outline.digest, self._statements[outline.digest].signer.signer_digest)
        return tuple(found)

    def _outline(self, name: bytes, advance: Callable[[int], None]) -> Outline:
        outline = self[name].outline
        advance(1)
        return outline

    def _check(self, wanted: bytes, statement: Statement, links: int) -> Credential:
        issuer = self._issuer(statement.signer.signer_digest, links)
        if (wanted, issuer.digest) in _issued:  # that a signature holds depends on these bytes and that key, and on nothing else
            found = decode_credential(statement, issuer, key_checked=self._keys_checked)
        else:
            found = check_credential(statement, issuer, key_checked=self._keys_checked)
            issued(wanted, issuer.digest)
        self._checked[wanted] = found
        return found

    def _issuer(self, wanted: bytes, links: int) -> Root | Credential:
        found = self._roots.get(wanted) or self._checked.get(wanted)
        if found is not None:
            return found
        statement = self._statements.get(wanted)
        if statement is None:
            message = "a signer's credential is not in the roster"
            raise NotAuthentic(message)
        if links >= _MAX_LINKS:
            message = "a chain of credentials is too long"
            raise Refused(message)
        return self._check(wanted, statement, links + 1)


_begun: list[tuple[tuple[Root, ...], dict[bytes, Statement]]] = []  # in a process that shares the work: the roots, and all who issued anything


def _begin(roots: Sequence[bytes], issuers: Sequence[bytes]) -> None:
    _begun[:] = [(read_roots(tuple(roots)), _by_digest(issuers))]


def _outlines(raws: Sequence[bytes]) -> list[Outline]:
    ((roots, issuers),) = _begun
    own = _by_digest(raws)
    chains = Chains(roots, {**issuers, **own})
    return [chains[name].outline for name in own]


def _by_digest(raws: Sequence[bytes]) -> dict[bytes, Statement]:
    return {statement.digest: statement for statement in (read_statement(raw, labels.CREDENTIAL) for raw in raws)}
