"""What a ceremony is about: its plan, and the files that the plan names, read and compared with it before anything is done."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final

from valiza.keys import labels
from valiza.keys.credential import Credential, check_credential
from valiza.keys.digests import digest
from valiza.keys.errors import NotAuthentic, Refused
from valiza.keys.request import check_vouching, read_request
from valiza.keys.root import Root, read_root, read_roots
from valiza.keys.signing import VerifyKey
from valiza.keys.statement import read_statement
from valiza.office.ceremony.plan import read_plan

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from valiza.keys.realm import Realm
    from valiza.keys.request import Request
    from valiza.keys.transcript import Tool
    from valiza.office.ceremony.plan import Grant, Person, Plan, Revoke

_DAY: Final = 86400
_LONGEST: Final = 90 * _DAY  # how long a request is good for
KEPT: Final = ("previous", "recover")  # whose own key is the one that the root before has

__all__ = ["KeyWanted", "Matter", "keys_wanted", "read_matter"]


@dataclass(frozen=True, kw_only=True)
class Matter:
    """A plan with its inputs, which fit together; the realm in which it is carried out, and by what."""

    plan: Plan
    inputs: dict[str, bytes] = field(repr=False)
    realm: Realm
    tool: Tool

    @cached_property
    def roots(self) -> tuple[Root, ...]:
        """The party's root before the ceremony: the latest version, or all. They are meant in a rehearsal too."""
        raws = tuple(self.inputs[name] for name in self.plan.roots)
        return read_roots(raws) if len(raws) > 1 else tuple(read_root(raw) for raw in raws)

    @property
    def root(self) -> Root | None:
        """The latest version. What a rehearsal does is done with a copy of it that counts for nothing."""
        return self.roots[-1] if self.roots else None

    @property
    def lone(self) -> bool:
        """Whether nothing in the inputs says that the quorum of the version before signed the root: it stands alone, and is not the first."""
        return len(self.roots) == 1 and self.roots[0].version > 1

    @property
    def party(self) -> str:
        """Whose ceremony it is."""
        return self.root.party if self.root is not None else (self.plan.new_root.party or "" if self.plan.new_root is not None else "")

    def known_key(self, person: Person, which: str) -> VerifyKey | None:
        """The public key that somebody brings, as the inputs have it; None if it is made in the ceremony."""
        if which == "previous" or person.key in KEPT:
            return next((c.key for c in (() if self.root is None else self.root.custodians) if c.id == person.person), None)
        if person.key == "request":
            found = self.request(person).keys[person.role]
            return found if isinstance(found, VerifyKey) else None
        return self.credential(person).verify_key if person.key == "act" else None

    def known_id(self, person: Person) -> bytes | None:
        """A custodian's id that is known before the ceremony."""
        return person.person or (self.request(person).subject if person.key == "request" else None)

    def request(self, person: Person) -> Request:
        """By which somebody asks to become custodian or witness (specs/request.md).

        Raises:
            Refused: it asks for something else, or is of somebody else.
        """
        found = read_request(self.inputs[person.files[0]])
        if set(found.keys) != {person.role} or found.party != self.party:
            message = f"the request of {found.title!r} is not to be a {person.role} of {self.party}"
            raise Refused(message)
        if found.names != person.names or (person.person is not None and found.subject != person.person):
            message = f"the request of {found.title!r} is of another person than {person.title!r} in the plan"
            raise Refused(message, "names and person stand in the plan as they stand in the request")
        return found

    def credential(self, person: Person) -> Credential:
        """By which a witness was certified, checked up to the root.

        Raises:
            NotAuthentic, Refused: it is not for acts of this party, or of somebody else, or the issuers are not there.
        """
        found = self._chain(person.files)
        if found.purpose != "act" or found.names != person.names:
            message = f"the credential of {person.title!r} is not for acts, or of somebody else"
            raise Refused(message, "names stand in the plan as they stand in the credential")
        return found

    def _chain(self, files: Sequence[str]) -> Credential:
        """A credential, whose issuers follow it from below, checked up to a version of the root."""
        roots = {root.digest: root for root in self.roots}
        found: Credential | None = None
        for name in reversed(files):
            statement = read_statement(self.inputs[name], labels.CREDENTIAL)
            above = found or roots.get(statement.signer.signer_digest)
            if above is None:
                message = f"the issuer of {name!r} is not among the files of the plan"
                raise NotAuthentic(message, "name the credentials above it in issuers, and all versions of the root in root")
            found = check_credential(statement, above)
        if found is None:
            raise AssertionError  # a plan names at least one
        return found

    def asked(self, grant: Grant) -> Request:
        """By which the key of a credential is asked for.

        Raises:
            Refused: it asks for something else, or is of another body.
        """
        found = read_request(self.inputs[grant.request])
        if grant.purpose not in found.keys or (found.party, found.body_id) != (self.party, grant.body):
            message = f"the request of {found.title!r} does not ask for a {grant.purpose} key of {self.party}/{grant.body}"
            raise Refused(message)
        if found.names != grant.names:
            message = f"the request of {found.title!r} has other names than the credential in the plan"
            raise Refused(message, "names stand in the plan as they stand in the request")
        return found

    def revoked(self, revoke: Revoke) -> Credential:
        """The credential that is to be revoked, checked up to the root."""
        return self._chain(revoke.files)

    def vouched(self, grant: Grant, at: int) -> Request:
        """The same, once it is clear at a time that a body which is known already asks for itself.

        Raises:
            NotAuthentic, Refused: nobody vouches for it who could.
        """
        found = self.asked(grant)
        known = _Known([self._chain([name]) for name in grant.known])
        signers = {entry.header.signer_digest for entry in read_statement(found.raw, labels.REQUEST).signatures} - {found.digest}
        if any(known.credential(signer) is None for signer in signers):
            message = f"a key vouches for the request of {found.title!r} whose credential the plan does not name"
            raise NotAuthentic(message, "name the credentials of all keys that signed the request, in known")
        if not check_vouching(found, known, at) and found.subject is not None:
            message = f"nobody vouches for the request of {found.title!r}, which is known already"
            raise Refused(message, "its earlier credential has to sign the request, and to stand in known")
        if found.made_at > at + _DAY:
            message = f"the request of {found.title!r} was made in the future"
            raise Refused(message)
        if found.made_at < at - _LONGEST:
            message = f"the request of {found.title!r} was made more than {_LONGEST // _DAY} days ago"
            raise Refused(message, "have the body ask anew: whoever has seen a request can send it again")
        return found


class _Known:
    """Credentials that a plan names, as far as vouching goes; whether one was revoked a roster says, and no plan has one."""

    def __init__(self, credentials: Iterable[Credential]) -> None:
        self._credentials = {credential.digest: credential for credential in credentials}

    def credential(self, wanted: bytes) -> Credential | None:
        return self._credentials.get(wanted)

    def require_in_force(self, credential: Credential, *, at: int, act: str) -> None:
        credential.require_valid(at, act)


@dataclass(frozen=True, slots=True)
class KeyWanted:
    """A key that has to be there before anything is signed: whose, which of his, and whether it is made in the ceremony."""

    person: Person
    which: str
    made: bool


def read_matter(raw: bytes, inputs: dict[str, bytes], realm: Realm, tool: Tool) -> Matter:
    """Read a plan and compare it with its inputs (transcript.md, Plan and its inputs).

    Raises:
        Malformed: the plan or an input is none. NotAuthentic: an input is another file than the plan means.
        Refused: what the plan wants cannot be, or not with this program.
    """
    plan = read_plan(raw)
    if set(inputs) != set(plan.inputs):
        message = "other files are given than the plan names"
        raise NotAuthentic(message)
    for name, expected in plan.inputs.items():
        if digest(labels.DIGEST_STATEMENT, inputs[name]) != expected:
            message = f"the file {name!r} is another one than the plan means"
            raise NotAuthentic(message, "its digest is not the one in [inputs]")
    if plan.code is not None and plan.code != tool.code:
        message = "the installed program is another one than the plan was made for"
        raise Refused(message, f"its digest is {tool.code.hex()}, and the plan says {plan.code.hex()}")
    matter = Matter(plan=plan, inputs=inputs, realm=realm, tool=tool)
    if matter.root is not None:
        _require_known(matter, matter.root)
        _require_fitting(plan, matter.root)
    for revoke in plan.revokes:
        matter.revoked(revoke)
    _require_distinct(matter)
    return matter


def keys_wanted(plan: Plan) -> list[KeyWanted]:
    """The keys of all who sign, in the plan's order; of one who has two the older first."""
    found = []
    for person in plan.people:
        if not person.present:
            continue
        if person.person is not None and not person.lost and person.key not in KEPT:
            found.append(KeyWanted(person, "previous", made=False))
        if person.key != "none":
            found.append(KeyWanted(person, "own", made=person.key == "new"))
    return found


def _require_distinct(matter: Matter) -> None:
    """Nobody brings another one's key or id. Whoever cannot be what he asks for is refused here too, before anything is begun."""
    coming = [one for one in matter.plan.people if one.key in {"request", "act"}]
    brought = [key for one in coming if (key := matter.known_key(one, "own")) is not None]
    granted = [matter.asked(grant).keys[grant.purpose] for grant in matter.plan.grants]
    found = [half for key in (*brought, *granted) for half in key.halves]
    ids = [known for one in matter.plan.of_role("custodian") if (known := matter.known_id(one)) is not None]
    if len(set(found)) != len(found) or len(set(ids)) != len(ids):
        message = "two of those whom the plan names bring one key, or have one custodian's id"
        raise Refused(message)
    requests = {asked.digest: asked for grant in matter.plan.grants for asked in [matter.asked(grant)]}
    asked_for = [half for asked in requests.values() for key in asked.keys.values() for half in key.halves]
    if len(set(asked_for)) != len(asked_for):
        message = "two requests for credentials have a key in common: they are of one person, who is to ask once"
        raise Refused(message)
    own = {half: custodian for root in matter.roots for custodian in root.custodians for half in custodian.key.halves}
    taken = [next(iter(own[half].names.values())) for half in found if half in own]
    if taken:
        message = f"a key that comes by request, or is certified, is that of {taken[0]} in the root before"
        raise Refused(
            message, "a custodian who keeps his key stands in the plan with his person; one who leaves or lost it does not bring it in again"
        )


def _require_known(matter: Matter, root: Root) -> None:
    """Whether the root is the one that those who wrote the plan know."""
    wanted = matter.plan.fingerprint
    if wanted is not None and wanted != root.digest:
        message = "the root before is another one than the plan means"
        raise NotAuthentic(message, f"its fingerprint is {root.fingerprint}, and the plan says {wanted.hex()}")
    if wanted is None and matter.lone:
        message = (
            f"version {root.version} of the root of {root.party} stands alone: nothing says that the quorum of version {root.version - 1} signed it"
        )
        raise Refused(message, "name all versions in root, the first one first; or its fingerprint, as you have it, in root_fingerprint")


def _require_fitting(plan: Plan, root: Root) -> None:
    """Whether the plan's custodians are the root's, and enough of them there."""
    own = {custodian.id: custodian for custodian in root.custodians}
    old = [one for one in plan.people if one.person is not None]
    strangers = [one.title for one in old if one.person not in own]
    if strangers:
        message = f"the root has no custodian {', '.join(strangers)}"
        raise Refused(message, "person is his custodian id in the root, 32 digits")
    signing = [one for one in old if one.present and not one.lost]
    if len(signing) < root.threshold and plan.kind != "recovery":
        message = f"the root needs {root.threshold} of its custodians, and {len(signing)} of them are present with their keys"
        raise Refused(message)
    if plan.new_root is not None:
        missing = [c.id for c in root.custodians if c.id not in {one.person for one in old}]
        if missing:
            message = f"the plan does not say what becomes of {len(missing)} custodians of the root"
            raise Refused(message, 'who leaves stands in the plan with key = "none"')
        if plan.kind == "replacement":
            _require_replacement(plan, root)


def _require_replacement(plan: Plan, root: Root) -> None:
    """A replacement changes who the custodians are, or a custodian's key, and nothing else."""
    new = plan.new_root
    if new is None:
        raise AssertionError
    custodians = plan.of_role("custodian")
    same = [one for one in custodians if one.key == "previous"]
    after = [one for one in custodians if one.key != "none"]
    if (new.threshold, new.names, len(after), new.valid_until) != (root.threshold, root.names, len(root.custodians), root.valid_until):
        message = "a replacement leaves the threshold, the names, the number of custodians and the end of validity as they are"
        raise Refused(message, "change them by a rotation")
    called = {custodian.id: custodian.names for custodian in root.custodians}
    renamed = [one.title for one in after if one.person is not None and one.names != called[one.person]]
    if renamed:
        message = f"a replacement leaves the names of custodians who stay as they are, and {renamed[0]} has others in the root"
        raise Refused(message, "change them by a rotation")
    if len(same) == len(custodians):
        message = "a replacement replaces nobody"
        raise Refused(message)
