"""Revoking: by the body of this office, whom it certified; by the root, anybody of the party. What was signed here waits for the next roster."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from valiza.keys import labels
from valiza.keys.errors import Refused, Usage
from valiza.keys.files import about, new_file, new_folder, read_file, storage_errors, sync_folder
from valiza.keys.revocation import RevocationDraft, check_revocation_in, issue_revocation, require_follows_history
from valiza.keys.roster import peek_roster, read_roster
from valiza.keys.statement import LIMITS, read_statement
from valiza.office.home import BODY_OFFICER
from valiza.office.quorum import begin_revocation
from valiza.office.reader import read_object, write_object

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from valiza.keys.book import Book
    from valiza.keys.credential import Credential
    from valiza.keys.revocation import Revocation
    from valiza.keys.roster import Roster
    from valiza.keys.statement import Signer
    from valiza.office.home import Office
    from valiza.office.quorum import Unfinished

__all__ = [
    "FOLDER",
    "Order",
    "claimed_book",
    "file_name",
    "find_in",
    "find_targets",
    "lying",
    "pending",
    "revoke",
    "revoke_by_root",
    "revoked_in",
    "write_revocations",
]

FOLDER: Final = "revocations"  # of an office: those that its body signed
_ROOT: Final = "ROOT"  # in file names, in the place of a body's id; no body has it for its own
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be said of credentials. `effective_at`: from when on; None: from now on."""

    kind: str
    reason: str
    effective_at: int | None = None


# --- what was signed here ---------------------------------------------------------------------------------------------------------------------------


def file_name(revocation: Revocation) -> str:
    """Under which a revocation is kept and handed over."""
    return f"{revocation.series or _ROOT}-{revocation.number:06}.vls"


def lying(office: Office) -> list[Path]:
    """The revocations that lie in an office, published or not."""
    return sorted((office.home / FOLDER).glob("*.vls"))


def pending(office: Office) -> list[Revocation]:
    """Those that lie in the office and are in no roster that is known here, in their order.

    Raises:
        Malformed, NotAuthentic, Refused: one does not hold.
    """
    paths = lying(office)
    if not paths:
        return []
    book = office.own_roster
    known = {one.digest for one in book.revocations}
    found = []
    for path in paths:
        with about(path):
            statement = read_statement(read_file(path, LIMITS[labels.REVOCATION]), labels.REVOCATION)
            if statement.digest not in known:
                found.append(check_revocation_in(statement, book.roots, book.credentials))
    return sorted(found, key=lambda one: one.place)


def revoked_in(office: Office, books: Iterable[Book]) -> Iterator[tuple[Revocation, Credential, bool]]:
    """Every revocation of parties known here with its credential; and whether the party's roster, one of `books`, has it."""
    for book in books:
        yield from ((one, book.credentials[one.credential], True) for one in book.revocations)
        if book.party == office.body.party:
            yield from ((one, book.credentials[one.credential], False) for one in pending(office))


def _next_number(series: str | None, book: Book, waiting: Iterable[Revocation]) -> int:
    """The number after the last one that was given out, published or not."""
    return max((one.number for one in (*book.revocations, *waiting) if one.series == series), default=0) + 1


# --- whom ------------------------------------------------------------------------------------------------------------------------------------------


def find_targets(office: Office, wanted: str | Path) -> list[Credential]:
    """Credentials of the own party that are in its roster: by a file, a digest, an officer of this office, or an officer and a purpose.

    Raises:
        Usage: nothing is called so. Refused: the credential in the file is not in the roster.
    """
    if not isinstance(wanted, str) or _DIGEST.fullmatch(wanted):
        return [find_in(office.own_roster, wanted)]
    officer, colon, purpose = wanted.partition(":")
    if officer not in {BODY_OFFICER, *office.officers()}:
        message = f"{wanted!r} is neither a file, nor the digest of a credential, nor an officer of this office"
        raise Usage(message, f"officers here: {', '.join(office.officers())}; digests: valiza credential list")
    purposes = [purpose] if colon else sorted({path.stem.partition("-")[0] for path in (office.home / "credentials" / officer).glob("*.vls")})
    return [credential for one in purposes for credential in office.credentials(officer, one)]


def find_in(book: Book, wanted: str | Path) -> Credential:
    """A credential of a roster, by a file or its digest.

    Raises:
        Usage: nothing is called so. Refused: the credential in the file is not in the roster.
    """
    if not isinstance(wanted, str):
        with about(wanted):
            found = book.credentials.get(read_statement(read_file(wanted, LIMITS[labels.CREDENTIAL]), labels.CREDENTIAL).digest)
            if found is None:
                message = f"it is in no roster of {book.party} that is at hand"
                raise Refused(message, "what was never published counts for nobody: keep it back")
            return found
    found = book.credentials.get(bytes.fromhex(wanted)) if _DIGEST.fullmatch(wanted) else None
    if found is None:
        message = f"{wanted!r} is neither a file nor the digest of a credential of {book.party}"
        raise Usage(message, "valiza credential list shows digests, all 64 digits of them")
    return found


def claimed_book(path: Path) -> Roster:
    """A roster in a file, checked up to the root that stands in it: whose that is, a fingerprint says and nothing else.

    Raises:
        Malformed, NotAuthentic, Refused, Unavailable: it does not hold, or cannot be read.
    """
    raw = read_object(path, labels.ROSTER)
    with about(path):
        _, claimed = peek_roster(raw)
        return read_roster(raw, claimed[-1])


def _wanted(targets: Sequence[Credential], kind: str, book: Book, waiting: Sequence[Revocation], series: str | None) -> list[Credential]:
    """Of several that somebody named at once, those of which the series has not said it already."""
    if len(targets) == 1:
        return list(targets)
    left = [one for one in targets if _last(one, book, waiting, series) != kind]
    if not left:
        message = f"all of these are {kind} already"
        raise Refused(message)
    return left


def _last(target: Credential, book: Book, waiting: Iterable[Revocation], series: str | None) -> str | None:
    said = [one.kind for one in (*book.history(target).revocations, *waiting) if one.credential == target.digest and one.series == series]
    return said[-1] if said else None


# --- revoking ---------------------------------------------------------------------------------------------------------------------------------------


def revoke(office: Office, targets: Sequence[Credential], order: Order, *, at: int) -> list[Revocation]:
    """Revoke what the body of this office certified, with its `certify` key. It counts when a roster with it is published and imported.

    Args:
        office: of the body that certified them.
        targets: from `find_targets`.
        order: what is to be said.
        at: now, in seconds since 1970.

    Raises:
        NoKey: the body's key is not here. Refused: the body did not certify one of them, may not revoke any more, or has said something that cannot
            be followed by this. Malformed: a compromise from the future.
    """
    book, waiting = office.own_roster, pending(office)
    issuer, key = office.credential(BODY_OFFICER, "certify"), office.signing_key(BODY_OFFICER, "certify")
    office.trust.require_in_force(issuer, at=at, act="revoking")
    made: list[Revocation] = []
    for target in _wanted(targets, order.kind, book, waiting, issuer.body.id):
        draft = _draft(target, order, series=issuer.body.id, number=_next_number(issuer.body.id, book, [*waiting, *made]), at=at)
        revocation = issue_revocation(draft, target=target, issuer=issuer, keys=[key])
        require_follows_history(revocation, [*book.history(target).revocations, *waiting, *made])
        made.append(revocation)
    _keep(office, made)
    return made


def _keep(office: Office, made: Iterable[Revocation]) -> None:
    folder = office.home / FOLDER
    if not folder.is_dir():
        with storage_errors(folder):
            folder.mkdir(mode=0o700)
            sync_folder(folder.parent)
    for one in made:
        new_file(folder / file_name(one), one.raw)


def write_revocations(made: Sequence[Revocation], output: Path) -> list[Path]:
    """Write revocations for an office that publishes: one into a file, several into a new folder, a file each. Returns their paths.

    Raises:
        Refused: the output exists. Unavailable: the disk.
    """
    if len(made) == 1:
        write_object(output, made[0].raw)
        return [output]
    with new_folder(output) as work:
        for one in made:
            new_file(work / file_name(one), one.raw, 0o644)
    return [output / file_name(one) for one in made]


def revoke_by_root(book: Book, target: Credential, order: Order, key: Signer, *, number: int | None = None, at: int) -> Unfinished:
    """Revoke a credential in the name of its party's root, as the first custodian.

    Args:
        book: the party's roster, the latest there is.
        target: of that party.
        order: what is to be said.
        key: the custodian's.
        number: in the root's series; None: the one after the roster's last.
        at: now, in seconds since 1970.

    Raises:
        Refused: the key is no custodian's, or the root has said something that cannot be followed by this. Malformed: a compromise from the future.
    """
    draft = _draft(target, order, series=None, number=number or _next_number(None, book, ()), at=at)
    begun = begin_revocation(draft, book.root, key)
    require_follows_history(draft, book.history(target).revocations)
    return begun


def _draft(target: Credential, order: Order, *, series: str | None, number: int, at: int) -> RevocationDraft:
    return RevocationDraft(
        party=target.body.party,
        series=series,
        number=number,
        kind=order.kind,
        credential=target.digest,
        effective_at=at if order.effective_at is None else order.effective_at,
        issued_at=at,
        reason=order.reason,
    )
