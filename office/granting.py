"""Requests for credentials, and what an issuer grants on them (specs/request.md).

Nothing here asks anybody, looks at a clock or draws randomness by itself: keys, time and randomness are arguments, requests and drafts are results.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from valiza.keys.credential import PURPOSES, CredentialDraft, kind_of
from valiza.keys.errors import Refused, Usage
from valiza.keys.external import ExternalSigningKey
from valiza.keys.fields import Body
from valiza.keys.keyfile import new_key
from valiza.keys.request import ALONE, ASKED, Request, RequestDraft, check_vouching, make_request, unvouched, vouching_purpose
from valiza.keys.signing import SigningKey
from valiza.office.quorum import require_no_custodian

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from valiza.keys.book import Book
    from valiza.keys.credential import Credential
    from valiza.keys.fields import Names
    from valiza.keys.keyfile import PrivateKey
    from valiza.keys.root import Root
    from valiza.keys.statement import Signer
    from valiza.keys.trust import Trust

__all__ = [
    "Grant",
    "granted",
    "new_request",
]


_DAY: Final = 86400
_LONGEST: Final = 90 * _DAY  # how long a request is good for


def new_request(
    body: Body,
    *,
    names: Names,
    purposes: Iterable[str],
    at: int,
    random: Callable[[int], bytes],
    subject: bytes | None = None,
    vouching: Iterable[tuple[Credential, Signer]] = (),
    keep: Mapping[str, PrivateKey] | None = None,
) -> tuple[dict[str, PrivateKey], Request]:
    """Make keys, and the request to have them certified; returns both.

    Args:
        body: the holder's.
        names: the holder's, for display.
        purposes: what the keys are for, one each.
        at: now, in seconds since 1970.
        random: source of secret random bytes.
        subject: that of the credentials that he has already; None for one who is new.
        vouching: credentials of his that are in force, each with its key.
        keep: keys to be certified once more, by purpose, in the place of new ones.

    Raises:
        Usage: a purpose cannot be asked for, or keys that sign no request are asked for alone and nothing vouches for one of them.
    """
    wanted = sorted(set(purposes))
    wrong = [purpose for purpose in wanted if purpose not in ASKED or purpose in ALONE]
    if wrong or not wanted:
        message = f"nobody is certified to {', '.join(wrong)}" if wrong else "no purpose was named"
        raise Usage(message, f"purposes: {', '.join(purpose for purpose in ASKED if purpose not in ALONE)}")
    vouchers = list(vouching)
    for purpose in unvouched(wanted, [credential for credential, _ in vouchers]):
        able = vouching_purpose(purpose)
        message = f"{' and '.join(wanted)} keys sign no request, and no {able} key that is certified already vouches for the {purpose} key"
        raise Usage(message, f"ask for keys to {able} and to {purpose} in one request")
    keys: dict[str, PrivateKey] = {purpose: (keep or {}).get(purpose) or new_key(kind_of(purpose), random) for purpose in wanted}
    draft = RequestDraft(
        subject=subject,
        party=body.party,
        body_id=body.id,
        names=names,
        keys={purpose: key.public for purpose, key in keys.items()},
        made_at=at,
    )
    return keys, make_request(draft, [key for key in keys.values() if isinstance(key, SigningKey | ExternalSigningKey)], vouchers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What an issuer gives on a request. Times in seconds since 1970; `purposes` None gives all that was asked for."""

    purposes: tuple[str, ...] | None = None
    clearance: str | None = None
    certifies_bodies: bool = False
    valid_from: int
    valid_until: int


def granted(
    request: Request,
    grant: Grant,
    *,
    roots: Sequence[Root],
    trust: Trust,
    at: int,
    random: Callable[[int], bytes],
    lost: bool = False,
    known: Iterable[Credential] = (),
) -> list[CredentialDraft]:
    """The credentials to be issued on a request, one for each purpose (request.md, Granting; 2 is checked when the issuer signs).

    Args:
        request: the request.
        grant: what is given.
        roots: the versions of the own root at hand.
        trust: with the roster of the own party, if it is at hand.
        at: now, in seconds since 1970.
        random: source of the subject's id, for one who is new.
        lost: the issuer says himself that the holder's earlier keys are lost, so that nothing vouches for the new ones.
        known: credentials that no roster has yet: what the issuer issued or knows.

    Raises:
        NotAuthentic: who vouches is not known, or did not sign. Usage: a purpose was not asked for.
        Refused: it may not be granted.
    """
    _require_timely(request, at)  # step 1
    if request.body_id is None:
        message = f"the request of {request.title!r} is to become a {next(iter(request.keys))}, and no credential says that"
        raise Refused(message, "a custodian comes into a root: valiza root draft --custodian FILE")
    purposes = tuple(request.keys) if grant.purposes is None else grant.purposes
    beyond = [purpose for purpose in purposes if purpose not in request.keys]
    if beyond or not purposes:
        message = f"the request of {request.title!r} does not ask for {', '.join(beyond) or 'nothing'}"
        raise Usage(message, f"it asks for: {', '.join(request.keys)}")
    issued = _Issued(request, trust.rosters.get(request.party), known)
    issued.require_never_compromised()  # step 4
    vouching = check_vouching(request, trust, at)
    subject = _subject(request, issued, purposes, trust, random)
    drafts = [
        CredentialDraft(
            subject=subject,
            body=Body(request.party, request.body_id),
            names=request.names,
            purpose=purpose,
            public_key=request.keys[purpose].raw,
            clearance=None if purpose == "roster" else grant.clearance,
            certifies_bodies=grant.certifies_bodies and purpose == "certify",
            valid_from=grant.valid_from,
            valid_until=grant.valid_until,
        )
        for purpose in purposes
    ]
    for draft in drafts:  # step 3
        require_no_custodian(draft.public_key, roots)
        issued.require_free(draft)
    if request.subject is not None and not lost:
        _require_vouched(request, purposes, vouching)  # step 7
    return drafts


def _require_timely(request: Request, at: int) -> None:
    """Step 1."""
    if request.made_at > at + _DAY:
        message = f"the request of {request.title!r} was made in the future"
        raise Refused(message, "compare the clocks of both sides")
    if request.made_at < at - _LONGEST:
        message = f"the request of {request.title!r} was made more than {_LONGEST // _DAY} days ago"
        raise Refused(message, "have him ask anew: whoever has seen a request can send it again")


class _Issued:
    """What an issuer knows that was certified: the roster of his party, if it is at hand, and what is in none yet."""

    def __init__(self, request: Request, book: Book | None, known: Iterable[Credential]) -> None:
        self._request = request
        self._book = book
        self._known = {credential.digest: credential for credential in known}
        self.with_key = {purpose: self._with_key(key.key_digest) for purpose, key in request.keys.items()}

    def _with_key(self, key_digest: bytes) -> list[Credential]:
        found = {} if self._book is None else {credential.digest: credential for credential in self._book.with_key(key_digest)}
        return list({**found, **{c.digest: c for c in self._known.values() if c.key.key_digest == key_digest}}.values())

    def of_subject(self, trust: Trust, body: Body, subject: bytes) -> list[Credential]:
        """All credentials of a subject of a body."""
        published = [credential for purpose in PURPOSES for credential in trust.of_body(body, purpose)]
        return [credential for credential in (*published, *self._known.values()) if (credential.body, credential.subject) == (body, subject)]

    def require_never_compromised(self) -> None:
        """Step 4: no key of the request, granted or not, shares a half with one that is known as compromised."""
        book = self._book
        if book is None:
            return
        lost = {half: one for one in book.revocations if one.kind == "compromised" for half in book.credentials[one.credential].outline.halves}
        for purpose, key in self._request.keys.items():
            for half in key.halves:
                one = lost.get((purpose == "open", half))
                if one is not None:
                    message = f"the {purpose} key of the request of {self._request.title!r} was {one}"
                    raise Refused(message, "a compromised key is never certified again: ask with new keys")

    def require_free(self, draft: CredentialDraft) -> None:
        """Step 3: the key is in no credential that is live at the same time."""
        for other in self.with_key[draft.purpose]:
            if draft.valid_from < other.valid_until and other.valid_from < draft.valid_until:
                message = f"the {draft.purpose} key of this request is in a live credential of {other.title!r} ({other.body}, {other.purpose})"
                raise Refused(message, "ask with a new key, or let the new credential begin when the old one ends")


def _subject(request: Request, issued: _Issued, purposes: Iterable[str], trust: Trust, random: Callable[[int], bytes]) -> bytes:
    """Steps 5 and 6: the subject of a request, which a part of it that was granted before, or another one with a key of it, has already.

    A new one is drawn for somebody new.
    """
    body = Body(request.party, request.body_id or "")
    people = {(other.body, other.subject) for found in issued.with_key.values() for other in found}  # step 5
    if len(people) > 1 or (people and request.subject is not None and people != {(body, request.subject)}) or any(b != body for b, _ in people):
        message = f"a key of the request of {request.title!r} is certified already, for another"
        raise Refused(message, "have him ask with new keys")
    if request.subject is None:
        again = [purpose for purpose in purposes if any(other.purpose == purpose for other in issued.with_key[purpose])]
        if again:
            message = f"the request of {request.title!r} was granted before: its {again[0]} key is in a credential of that purpose"
            raise Refused(message, "a request is granted once for each purpose; he asks anew, in the name of the credentials that he has")
        return next((subject for _, subject in people), None) or random(16)
    if not issued.of_subject(trust, body, request.subject):  # step 6
        message = f"the request of {request.title!r} is of a subject of {body} that is not known here"
        raise Refused(message, "give the party's latest roster, or have him ask anew without the credentials that he has")
    return request.subject


def _require_vouched(request: Request, purposes: Iterable[str], vouching: Sequence[Credential]) -> None:
    """Step 7: a key of each purpose vouches for the new one of it: whoever has one key of somebody gets no other power of his by it."""
    if not vouching:
        message = f"no earlier key of {request.title!r} vouches for the request"
        raise Refused(message, "if they are lost, and you know that it is he: --lost")
    missing = [purpose for purpose in purposes if not any(credential.purpose == vouching_purpose(purpose) for credential in vouching)]
    if missing:
        message = f"no earlier {vouching_purpose(missing[0])} key of {request.title!r} vouches for the new {missing[0]} key"
        raise Refused(message, "if it is lost, or he has had none, and you know that it is he: --lost")
