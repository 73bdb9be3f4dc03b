"""Custodians with their keys, a root that they signed, and what is begun in its name: for tests of what a quorum signs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tests.support.keys import BEGIN, DEGREES, END, NOW, YEAR, counting, root_of, signing_key, subject

from valiza.envelope.agreement import Agreement, agreement_digest
from valiza.envelope.draft import packaged_draft, read_draft
from valiza.keys.credential import CredentialDraft
from valiza.keys.fields import Body
from valiza.keys.root import Root, read_root
from valiza.keys.signing import SigningKey
from valiza.office.quorum import (
    Unfinished,
    add_signature,
    begin_root,
)
from valiza.office.roots import draft_next_root, draft_root, new_custodian

if TYPE_CHECKING:
    from valiza.envelope.profile import Profile
    from valiza.keys.request import Request

FIVE: Final = ("Aliya", "Bolat", "Dana", "Erlan", "Gulnar")


def person(name: str, known: bytes | None = None, of: str = "KZ") -> tuple[SigningKey, Request]:
    """A custodian's key and request; the same for the same name."""
    key, request = new_custodian(party=of, names={"en": name}, at=NOW, random=counting(f"{of} {name}"), custodian=known)
    assert isinstance(key, SigningKey)
    return key, request


def key(name: str) -> SigningKey:
    return person(name)[0]


def requests(*names: str) -> list[Request]:
    return [person(name)[1] for name in names]


def first(*, people: tuple[str, ...] = FIVE, **changes: Any) -> Any:
    said = {"party": "KZ", "names": {"en": "KZ"}, "degrees": DEGREES, "requests": requests(*people), "threshold": 3}
    return draft_root(**{**said, "valid_from": BEGIN, "valid_until": END, **changes})


def signed_by(begun: Unfinished, *names: str, roots: dict[bytes, Root] | None = None) -> Unfinished:
    for name in names:
        begun = add_signature(begun, key(name), roots or {})
    return begun


def finished(begun: Unfinished) -> Root:
    assert begun.complete
    return read_root(begun.statement.raw)


ROOT: Final = finished(signed_by(begin_root(first(), key("Aliya")), "Bolat", "Dana"))
AT_HAND: Final = {ROOT.digest: ROOT}
OTHER: Final = root_of("BY")


def body_draft(**changes: Any) -> CredentialDraft:
    """A body of KZ, to be certified by the root."""
    said = {"subject": subject("body"), "body": Body("KZ", "KZ-GOV"), "names": {"en": "Body"}, "purpose": "certify", "clearance": "1"}
    return CredentialDraft(**{**said, "public_key": signing_key("body").public, "valid_from": BEGIN, "valid_until": END, **changes})


def profile() -> Profile:
    return read_draft(packaged_draft("kz-by"))


def agreement() -> Agreement:
    """An agreement, whose signatures do not matter here."""
    said = profile()
    return Agreement(raw=b"", digest=agreement_digest(said.body), signers=(), profile=said)


def next_draft(**changes: Any) -> Any:
    """Version 2: Erlan leaves, Saule comes, and Gulnar has another key."""
    again = person("Gulnar's new key", known=person("Gulnar")[1].subject)[1]
    said = {"requests": [*requests("Saule"), again], "remove": [person("Erlan")[1].subject], "valid_from": NOW, "valid_until": END + YEAR}
    return draft_next_root(ROOT, **{**said, **changes})


def begin_next(name: str, **changes: Any) -> Unfinished:
    return begin_root(next_draft(**changes), key(name), ROOT)
