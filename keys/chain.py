"""Chains of credentials up to a party's root (specs/credential.md, Checking a credential): each checked when it is first asked for, and once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from valiza.keys.credential import Credential, check_credential, decode_credential
from valiza.keys.errors import NotAuthentic, Refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from valiza.keys.root import Root
    from valiza.keys.statement import Statement

__all__ = ["Chains"]

_MAX_LINKS = 4  # one more than a chain may have, whose length the check then tells


class Chains(Mapping[bytes, Credential]):
    """The credentials of a party by their digests. Whatever is taken out was checked up to a root; what was checked is not checked again.

    Args:
        roots: every version of the party's root, each checked.
        statements: the credentials as statements, by their digests; of none of them is anything believed.

    Taking one out raises what `check_credential` does, for it or an issuer above it; KeyError only if there is no such statement.
    """

    def __init__(self, roots: Iterable[Root], statements: Mapping[bytes, Statement]) -> None:
        self._roots = {root.digest: root for root in roots}
        self._statements = statements
        self._checked: dict[bytes, Credential] = {}
        self._verified: set[bytes] = set()

    def __getitem__(self, wanted: bytes) -> Credential:
        found = self._checked.get(wanted)
        return found if found is not None else self._check(wanted, self._statements[wanted], 1)

    def __contains__(self, wanted: object) -> bool:
        return wanted in self._statements

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._statements)

    def __len__(self) -> int:
        return len(self._statements)

    def signatures_hold(self, digests: Iterable[bytes]) -> None:
        """These were checked by another process that shares the work: their signatures are not verified again."""
        self._verified.update(digests)

    def _check(self, wanted: bytes, statement: Statement, links: int) -> Credential:
        issuer = self._issuer(statement.signer.signer_digest, links)
        check = decode_credential if wanted in self._verified else check_credential
        found = self._checked[wanted] = check(statement, issuer)
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
