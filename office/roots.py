"""Custodians and the roots that they are to sign: keys and requests, drafts of first and later versions, and what a file says of roots.

Nothing here asks anybody, looks at a clock or draws randomness by itself: keys, time and randomness are arguments, drafts are results.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from valiza.keys import labels
from valiza.keys.errors import Refused, Usage
from valiza.keys.external import ExternalSigningKey
from valiza.keys.request import CUSTODIAN, Request, RequestDraft, check_vouching, make_request
from valiza.keys.root import MAX_CUSTODIANS, Custodian, Root, RootDraft, read_root, read_root_body, require_follows, verify_signatures
from valiza.keys.roster import claimed_roots
from valiza.keys.signing import SigningKey, VerifyKey
from valiza.keys.statement import read_statement
from valiza.keys.trust import Trust
from valiza.office.quorum import read_unfinished_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from valiza.keys.external import ExternalSigner
    from valiza.keys.fields import Names

__all__ = [
    "ClaimedRoot",
    "claims",
    "draft_next_root",
    "draft_root",
    "new_custodian",
    "roots_in",
]


def new_custodian(
    *,
    party: str,
    names: Names,
    at: int,
    random: Callable[[int], bytes],
    custodian: bytes | None = None,
    purpose: str = CUSTODIAN,
    signer: ExternalSigner | None = None,
) -> tuple[SigningKey | ExternalSigningKey, Request]:
    """Make a key, and the request to become a custodian with it.

    Args:
        party: whose root.
        names: the person's, for display.
        at: now, in seconds since 1970.
        random: source of secret random bytes.
        custodian: the id that he has already, if his key is to be replaced; None draws one.
        purpose: `custodian`, or `witness` for one who only watches.
        signer: who keeps the Ed25519 half of the key, if it is kept elsewhere.

    Raises:
        NoKey, NotAuthentic, Refused, Unavailable: see `ExternalSigningKey.enrol`.
    """
    key = SigningKey.generate(random) if signer is None else ExternalSigningKey.enrol(signer, random)
    draft = RequestDraft(subject=custodian or random(16), party=party, body_id=None, names=names, keys={purpose: key.public}, made_at=at)
    try:
        return key, make_request(draft, [key])
    finally:
        if isinstance(key, ExternalSigningKey):
            key.close()


def draft_root(
    *, party: str, names: Names, degrees: tuple[str, ...], requests: Iterable[Request], threshold: int, valid_from: int, valid_until: int
) -> RootDraft:
    """The first version of a party's root, of the requests of its custodians.

    Raises:
        Refused: a request is for something else or another party, or a custodian or key stands twice. Usage: no quorum can be that many.
    """
    custodians = _custodians(requests, party)
    draft = RootDraft(
        party=party,
        names=names,
        degrees=degrees,
        custodians=custodians,
        threshold=threshold,
        valid_from=valid_from,
        valid_until=valid_until,
    )
    _require_distinct(draft)
    return draft


def draft_next_root(
    previous: Root,
    *,
    requests: Iterable[Request] = (),
    remove: Iterable[bytes] = (),
    threshold: int | None = None,
    names: Names | None = None,
    valid_from: int,
    valid_until: int,
) -> RootDraft:
    """The next version of a root: custodians added, replaced and removed.

    Args:
        previous: the version that it follows.
        requests: of custodians; one with the id of a custodian replaces his names and key, any other adds one.
        remove: ids of custodians who leave.
        threshold: how many are a quorum from now on; None: as many as before.
        names: of the party; None: as before.
        valid_from: in seconds since 1970, as `valid_until`.
        valid_until: up to, not including.

    Raises:
        Refused: a request is for something else or another party, a custodian or key stands twice, or who is to leave is none.
        Usage: no quorum can be that many.
    """
    coming = _custodians(requests, previous.party)
    going = set(remove)
    staying = {custodian.id: custodian for custodian in previous.custodians}
    strangers = going - staying.keys()
    if strangers:
        message = f"no custodian of the root of {previous.party} has the id {min(strangers).hex()}"
        raise Refused(message, "valiza root show FILE tells who its custodians are")
    if going & {custodian.id for custodian in coming}:
        message = "a custodian is removed, and asks to be one"
        raise Refused(message, "leave one of the two out")
    if len({custodian.id for custodian in coming}) != len(coming):
        raise _twice(previous.party)
    staying |= {custodian.id: custodian for custodian in coming}
    draft = RootDraft(
        party=previous.party,
        version=previous.version + 1,
        previous=previous.digest,
        names=names or previous.names,
        degrees=previous.degrees,
        custodians=tuple(sorted((c for c in staying.values() if c.id not in going), key=lambda c: c.id)),
        threshold=previous.threshold if threshold is None else threshold,
        valid_from=valid_from,
        valid_until=valid_until,
    )
    _require_distinct(draft)
    require_follows(draft, previous)
    return draft


def _custodians(requests: Iterable[Request], party: str) -> tuple[Custodian, ...]:
    found = []
    for request in requests:
        key = request.keys.get(CUSTODIAN)
        if not isinstance(key, VerifyKey) or request.subject is None:
            message = f"the request of {request.title!r} is not to become a custodian, but for {', '.join(request.keys)}"
            raise Refused(message, "a custodian asks with: valiza custodian new")
        if request.party != party:
            message = f"the request of {request.title!r} is to become a custodian of {request.party}, not of {party}"
            raise Refused(message)
        check_vouching(request, Trust([]), request.made_at)
        found.append(Custodian(id=request.subject, names=request.names, key=key))
    return tuple(sorted(found, key=lambda custodian: custodian.id))


def _twice(party: str) -> Refused:
    return Refused(f"a custodian of the root of {party} stands twice", "each is a person of his own, with a key and an id of his own")


def _require_distinct(draft: RootDraft) -> None:
    ids, keys = {c.id for c in draft.custodians}, {c.key.key_digest for c in draft.custodians}
    if min(len(ids), len(keys)) < len(draft.custodians):
        raise _twice(draft.party)
    if not 1 <= draft.threshold <= len(draft.custodians) <= MAX_CUSTODIANS:
        message = f"{draft.threshold} of {len(draft.custodians)} custodians cannot be a quorum"
        raise Usage(message, f"a root has 1 to {MAX_CUSTODIANS} custodians, and needs at least one and at most all of them")
    if draft.valid_from >= draft.valid_until:
        message = "the root would end before it begins"
        raise Usage(message)


# --- reading ----------------------------------------------------------------------------------------------------------------------------------------


def roots_in(raw: bytes) -> tuple[Root, ...]:
    """The roots in a file, signed by their own quorums: a root, or all versions of a roster's. Whose they are, a fingerprint says and nothing else.

    Raises:
        Malformed, NotAuthentic, Refused: neither, or not signed.
    """
    if read_statement(raw, labels.ROOT, labels.ROSTER).type == labels.ROSTER:
        return claimed_roots(raw)
    return (read_root(raw),)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedRoot:
    """A version of a root as a file has it, finished or not. Every signature holds; those of the version before it, if that was at hand.

    complete: whether its quorums have signed; None if the version before it was not at hand.
    """

    says: RootDraft
    signed: tuple[Custodian, ...]
    complete: bool | None


def claims(raw: bytes, roots: Mapping[bytes, Root] | None = None) -> tuple[ClaimedRoot, ...]:
    """The roots in a file, also one that is not finished, the first version first; `roots` may hold the version before it.

    Raises:
        Malformed, NotAuthentic: neither a root nor a roster, or a signature does not hold.
    """
    statement = read_statement(raw, labels.ROOT, labels.ROSTER)
    if statement.type == labels.ROSTER:
        return tuple(_claim(root.raw, {old.digest: old for old in claimed_roots(raw)}) for root in claimed_roots(raw))
    return (_claim(raw, roots or {}),)


def _claim(raw: bytes, roots: Mapping[bytes, Root]) -> ClaimedRoot:
    statement = read_statement(raw, labels.ROOT)
    draft = read_root_body(statement)
    if draft.previous is None or draft.previous in roots:
        whole = read_unfinished_root(statement, roots)
        return ClaimedRoot(says=draft, signed=whole.shares[0].signed, complete=whole.complete)
    return ClaimedRoot(says=draft, signed=verify_signatures(statement, draft), complete=None)
