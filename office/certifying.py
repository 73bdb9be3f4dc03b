"""What custodians make offline: keys and requests, roots, and every other statement that they sign one after the other.

Nothing here asks anybody, looks at a clock or draws randomness by itself: drafts, keys, time and randomness are arguments, statements are results.
An unfinished statement is the same bytes with fewer signatures than the quorum needs; only what is here takes one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from valiza.envelope.agreement import TerminationDraft, read_termination_body, require_degrees, termination_body
from valiza.envelope.profile import Profile, read_profile
from valiza.keys import labels
from valiza.keys.credential import PURPOSES, CredentialDraft, read_credential_body
from valiza.keys.designation import Designation, read_designation_body
from valiza.keys.errors import NotAuthentic, Refused, Usage
from valiza.keys.external import ExternalSigningKey
from valiza.keys.fields import Body
from valiza.keys.recipient import Identity
from valiza.keys.request import ALONE, ASKED, CUSTODIAN, Request, RequestDraft, check_vouching, make_request
from valiza.keys.revocation import Revocation, read_revocation_body
from valiza.keys.root import MAX_CUSTODIANS, Custodian, Root, RootDraft, read_root, read_root_body, require_follows, root_header, verify_signatures
from valiza.keys.roster import claimed_roots
from valiza.keys.signing import SigningKey, VerifyKey
from valiza.keys.statement import ROLES, Statement, read_statement, sign_statement
from valiza.keys.trust import Trust

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from valiza.envelope.agreement import Agreement
    from valiza.keys.book import Book
    from valiza.keys.credential import Credential
    from valiza.keys.designation import DesignationDraft
    from valiza.keys.external import ExternalSigner
    from valiza.keys.fields import Names
    from valiza.keys.keyfile import PrivateKey
    from valiza.keys.revocation import RevocationDraft
    from valiza.keys.statement import Signer

__all__ = [
    "BY_QUORUM",
    "ClaimedRoot",
    "Grant",
    "Share",
    "Unfinished",
    "add_signature",
    "begin_agreement",
    "begin_credential",
    "begin_designation",
    "begin_revocation",
    "begin_root",
    "begin_termination",
    "claims",
    "draft_next_root",
    "draft_root",
    "granted",
    "latest_root",
    "new_custodian",
    "new_request",
    "read_unfinished",
    "roots_in",
    "to_sign",
    "vouching_purpose",
]

# Types that a quorum of custodians signs.
BY_QUORUM: Final = (labels.ROOT, labels.CREDENTIAL, labels.AGREEMENT, labels.TERMINATION, labels.REVOCATION, labels.DESIGNATION)
_DAY: Final = 86400
_LONGEST: Final = 90 * _DAY  # how long a request is good for


# --- who has signed ---------------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one root's custodians have to sign, and who of them did."""

    root: Root | RootDraft
    signed: tuple[Custodian, ...] = ()

    @property
    def missing(self) -> int:
        """How many more are needed."""
        return max(0, self.root.threshold - len(self.signed))


Said = RootDraft | CredentialDraft | Profile | TerminationDraft | Revocation | Designation


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfinished:
    """A statement that custodians sign, with every signature that it has verified; perhaps it is complete.

    says: what it says, decoded. shares: one for each root whose quorum it needs. unknown: parties that have not signed and whose root is not at hand.
    """

    statement: Statement = field(repr=False)
    says: Said
    shares: tuple[Share, ...]
    unknown: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every quorum has signed."""
        return not self.unknown and not any(share.missing for share in self.shares)


def read_unfinished(raw: bytes, roots: Mapping[bytes, Root]) -> Unfinished:
    """Read a statement that custodians sign, finished or not, and verify every signature that it has.

    Args:
        raw: the statement.
        roots: the roots at hand, by their digest: of all in whose name it is signed, and, for a later version of a root, the one before it.

    Raises:
        Malformed: not such a statement. NotAuthentic: a signature does not hold, or is in the name of a root that is not at hand.
        Refused: it says what no reader would accept.
    """
    statement = read_statement(raw, *BY_QUORUM)
    return _READERS[statement.type](statement, roots)


def _read_root(statement: Statement, roots: Mapping[bytes, Root]) -> Unfinished:
    draft = read_root_body(statement)
    shares = [Share(root=draft, signed=verify_signatures(statement, draft))]
    if draft.previous is not None:
        previous = roots.get(draft.previous)
        if previous is None:
            message = f"version {draft.version} of the root of {draft.party} follows one that is not at hand"
            raise NotAuthentic(message, "give the version before it: --root FILE")
        require_follows(draft, previous)
        shares.append(Share(root=previous, signed=verify_signatures(statement, previous)))
    return Unfinished(statement=statement, says=draft, shares=tuple(shares))


def _read_credential(statement: Statement, roots: Mapping[bytes, Root]) -> Unfinished:
    root = _one_root(statement, roots)
    share = Share(root=root, signed=verify_signatures(statement, root))
    draft = read_credential_body(statement, root)
    _require_no_custodian(draft.public_key, roots.values())
    return Unfinished(statement=statement, says=draft, shares=(share,))


def _read_termination(statement: Statement, roots: Mapping[bytes, Root]) -> Unfinished:
    root = _one_root(statement, roots)
    share = Share(root=root, signed=verify_signatures(statement, root))
    return Unfinished(statement=statement, says=read_termination_body(statement, root), shares=(share,))


def _read_revocation(statement: Statement, roots: Mapping[bytes, Root]) -> Unfinished:
    root = _one_root(statement, roots)
    share = Share(root=root, signed=verify_signatures(statement, root))
    return Unfinished(statement=statement, says=read_revocation_body(statement, root), shares=(share,))


def _read_designation(statement: Statement, roots: Mapping[bytes, Root]) -> Unfinished:
    root = _one_root(statement, roots)
    share = Share(root=root, signed=verify_signatures(statement, root))
    return Unfinished(statement=statement, says=read_designation_body(statement, root), shares=(share,))


def _read_agreement(statement: Statement, roots: Mapping[bytes, Root]) -> Unfinished:
    signing = [_known(name, roots) for name in sorted({entry.header.signer_digest for entry in statement.signatures})]
    shares = [Share(root=root, signed=verify_signatures(statement, root)) for root in signing]
    profile = read_profile(statement.body)
    signed = [share.root.party for share in shares]
    parties = [party.id for party in profile.parties]
    if len(set(signed)) != len(signed) or not set(signed) <= set(parties):
        message = f"the agreement {profile.id} is signed by {' and '.join(signed)}, and its parties are {' and '.join(parties)}"
        raise NotAuthentic(message)
    latest = {name: latest_root(roots.values(), name) for name in parties if name not in signed}
    shares += [Share(root=root) for root in latest.values() if root is not None]
    for share in shares:
        require_degrees(profile, share.root)
    shares.sort(key=lambda share: share.root.party)
    return Unfinished(statement=statement, says=profile, shares=tuple(shares), unknown=tuple(name for name, root in latest.items() if root is None))


_READERS: Final[dict[str, Callable[[Statement, Mapping[bytes, Root]], Unfinished]]] = {
    labels.ROOT: _read_root,
    labels.CREDENTIAL: _read_credential,
    labels.AGREEMENT: _read_agreement,
    labels.TERMINATION: _read_termination,
    labels.REVOCATION: _read_revocation,
    labels.DESIGNATION: _read_designation,
}


def _known(name: bytes, roots: Mapping[bytes, Root]) -> Root:
    root = roots.get(name)
    if root is None:
        message = f"it is signed in the name of a root that is not at hand: {name.hex()}"
        raise NotAuthentic(message, "give that root, or a roster with it: --root FILE")
    return root


def _one_root(statement: Statement, roots: Mapping[bytes, Root]) -> Root:
    root = _known(statement.signer.signer_digest, roots)
    if any(entry.header.signer_digest != root.digest for entry in statement.signatures):
        message = f"a {_kind(statement.type)} is signed in the name of one root, and this one of several"
        raise NotAuthentic(message)
    return root


def _kind(type_: str) -> str:
    return type_.rpartition("/")[2]


def latest_root(roots: Iterable[Root], party: str) -> Root | None:
    """The highest version at hand of a party's root."""
    return max((root for root in roots if root.party == party), key=lambda root: root.version, default=None)


def _require_no_custodian(public_key: bytes, roots: Iterable[Root | RootDraft]) -> None:
    if any(custodian.key.raw == public_key for root in roots for custodian in root.custodians):
        message = "the key of a custodian is certified for nothing else"
        raise Refused(message, "each key has one purpose: make another one")


# --- signing ----------------------------------------------------------------------------------------------------------------------------------------


def add_signature(unfinished: Unfinished, key: Signer, roots: Mapping[bytes, Root]) -> Unfinished:
    """Add a custodian's signature to an unfinished statement: in the name of every root that he is a custodian of, and whose quorum is not there yet.

    Args:
        unfinished: the statement.
        key: the custodian's.
        roots: the roots at hand, as for `read_unfinished`.

    Raises:
        Refused: the key is no custodian's, he has signed, enough have, or a later version of the root is at hand.
    """
    statement = unfinished.statement
    return _sign(statement.type, statement.body, unfinished.shares, key, roots=roots, begun=statement)


def to_sign(unfinished: Unfinished, key_digest: bytes, roots: Mapping[bytes, Root]) -> list[Root | RootDraft]:
    """The roots in whose name the custodian with a key would sign, before the key is unlocked; errors as `add_signature`."""
    return _to_sign(unfinished.statement.type, unfinished.shares, key_digest, roots)


def _sign(
    type_: str, body: bytes, shares: Sequence[Share], key: Signer, *, roots: Mapping[bytes, Root], begun: Statement | None = None
) -> Unfinished:
    signers = [(root_header(ROLES[type_][0], root.digest, key), key) for root in _to_sign(type_, shares, key.key_digest, roots)]
    return read_unfinished(sign_statement(type_, body, signers, begun=begun).raw, roots)


def _to_sign(type_: str, shares: Sequence[Share], key_digest: bytes, roots: Mapping[bytes, Root]) -> list[Root | RootDraft]:
    what = _kind(type_)
    found = [(share, custodian) for share in shares if (custodian := share.root.custodian(key_digest)) is not None]
    if not found:
        roots_ = " and ".join(f"the root of {share.root.party}, version {share.root.version}" for share in shares)
        message = f"this key is that of no custodian of {roots_}"
        raise Refused(message, "valiza root show FILE tells who its custodians are")
    waiting = [(share, custodian) for share, custodian in found if share.missing]
    if not waiting:
        message = f"enough custodians of {found[0][0].root.party} have signed this {what}"
        raise Refused(message, "it needs no more of their signatures")
    missing = [(share, custodian) for share, custodian in waiting if custodian not in share.signed]
    if not missing:
        message = f"the custodian {_title(waiting[0][1].names)!r} of {waiting[0][0].root.party} has signed this {what} already"
        raise Refused(message, "another custodian signs it next")
    for share, _ in missing:
        latest = latest_root(roots.values(), share.root.party)
        if type_ != labels.ROOT and latest is not None and latest.version > share.root.version:
            message = (
                f"this {what} was begun in the name of version {share.root.version} of the root of {latest.party}, which {latest.version} replaced"
            )
            raise Refused(message, "begin it anew in the name of the latest version")
    return [share.root for share, _ in missing]


def _title(names: Names) -> str:
    return names.get("en", next(iter(names.values())))


def begin_root(draft: RootDraft, key: Signer, previous: Root | None = None) -> Unfinished:
    """Sign a root as its first custodian: with his key in the new version, the one before it, or both.

    Raises:
        Refused: the key is no custodian's, or the draft does not follow the version before it. NotAuthentic: the same, by its links.
    """
    shares = [Share(root=draft)]
    if previous is not None:
        require_follows(draft, previous)
        shares.append(Share(root=previous))
    return _sign(labels.ROOT, draft.body, shares, key, roots={} if previous is None else {previous.digest: previous})


def begin_credential(draft: CredentialDraft, root: Root, key: Signer) -> Unfinished:
    """Sign a credential that a root issues, as its first custodian.

    Raises:
        Refused: the key is no custodian's, or the root may not issue it.
    """
    return _sign(labels.CREDENTIAL, draft.packed(), [Share(root=root)], key, roots={root.digest: root})


def begin_agreement(profile: Profile, root: Root, key: Signer, roots: Mapping[bytes, Root] | None = None) -> Unfinished:
    """Sign an agreement as the first custodian of either party; `roots` may hold the other party's root, so that it is known who is missing.

    Raises:
        Refused: the key is no custodian's, the root's party is none of the two, or orders its degrees otherwise.
    """
    require_degrees(profile, root)
    return _sign(labels.AGREEMENT, profile.body, [Share(root=root)], key, roots={**(roots or {}), root.digest: root})


def begin_revocation(draft: RevocationDraft, root: Root, key: Signer) -> Unfinished:
    """Sign a revocation in the name of the root, as the first custodian.

    Raises:
        Refused: the key is no custodian's. Malformed: it says what cannot be.
    """
    return _sign(labels.REVOCATION, draft.packed(), [Share(root=root)], key, roots={root.digest: root})


def begin_designation(draft: DesignationDraft, root: Root, key: Signer) -> Unfinished:
    """Sign a designation (A3) as the first custodian.

    Raises:
        Refused: the key is no custodian's. Malformed: it says what cannot be.
    """
    return _sign(labels.DESIGNATION, draft.packed(), [Share(root=root)], key, roots={root.digest: root})


def begin_termination(agreement: Agreement, root: Root, key: Signer, *, given_at: int, takes_effect_at: int) -> Unfinished:
    """Sign the end of an agreement (A14) as the first custodian.

    Raises:
        Refused: the key is no custodian's, the root's party is no party to it, or the end would lie before the notice.
    """
    body = termination_body(agreement, root, given_at=given_at, takes_effect_at=takes_effect_at)
    return _sign(labels.TERMINATION, body, [Share(root=root)], key, roots={root.digest: root})


# --- custodians and roots ---------------------------------------------------------------------------------------------------------------------------


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


# --- requests and what is granted -------------------------------------------------------------------------------------------------------------------


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
        Usage: a purpose cannot be asked for, or an open key is asked for alone and nothing vouches for it.
    """
    wanted = sorted(set(purposes))
    wrong = [purpose for purpose in wanted if purpose not in ASKED or purpose in ALONE]
    if wrong or not wanted:
        message = f"nobody is certified to {', '.join(wrong)}" if wrong else "no purpose was named"
        raise Usage(message, f"purposes: {', '.join(purpose for purpose in ASKED if purpose not in ALONE)}")
    keys: dict[str, PrivateKey] = {
        purpose: (keep or {}).get(purpose) or (Identity if purpose == "open" else SigningKey).generate(random) for purpose in wanted
    }
    vouchers = list(vouching)
    if wanted == ["open"] and not any(credential.purpose == "acknowledge" for credential, _ in vouchers):
        message = "an open key alone is asked for with an acknowledge key that is certified already"
        raise Usage(message, "ask for both: an officer who opens also acknowledges")
    draft = RequestDraft(
        subject=subject,
        party=body.party,
        body_id=body.id,
        names=names,
        keys={purpose: key.public for purpose, key in keys.items()},
        made_at=at,
    )
    return keys, make_request(draft, [key for key in keys.values() if not isinstance(key, Identity)], vouchers)


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
        _require_no_custodian(draft.public_key, roots)
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


def vouching_purpose(purpose: str) -> str:
    """The purpose of the credential that vouches for a new key: the same; an `open` key, which signs nothing, is vouched for by `acknowledge`."""
    return "acknowledge" if purpose == "open" else purpose


# --- reading roots ----------------------------------------------------------------------------------------------------------------------------------


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
        whole = _read_root(statement, roots)
        return ClaimedRoot(says=draft, signed=whole.shares[0].signed, complete=whole.complete)
    return ClaimedRoot(says=draft, signed=verify_signatures(statement, draft), complete=None)
