"""Chains: each credential is checked when it is first taken out, up to a root, and once in a process."""

from __future__ import annotations

from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Final, cast

import pytest
from tests.support.keys import credential_items, flipped, issue, party, signed, signing_key, subject

from valiza.keys import chain, labels
from valiza.keys.chain import Chains
from valiza.keys.credential import decode_credential
from valiza.keys.errors import Malformed, NotAuthentic, Refused
from valiza.keys.fields import Body
from valiza.keys.roster import check_roster, make_roster
from valiza.keys.signing import VerifyKey
from valiza.keys.statement import Statement, read_statement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from valiza.keys.credential import Credential
    from valiza.keys.processes import Share, Start

KZ: Final = party("KZ")
OFFICERS: Final = [KZ.officer(f"officer {i}").credential for i in range(3)]
EVERYBODY: Final = [KZ.body.credential, *OFFICERS]


@pytest.fixture(autouse=True)
def _new_process() -> Iterator[None]:
    """What other tests had verified is verified again."""
    chain.forget()
    yield
    chain.forget()


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Digests of the keys that verify a signature, as they do."""
    keys: list[bytes] = []
    verify = VerifyKey.verify

    def counted(self: VerifyKey, signature: bytes, message: bytes, context: bytes) -> None:
        keys.append(self.key_digest)
        verify(self, signature, message, context)

    monkeypatch.setattr(VerifyKey, "verify", counted)
    return keys


def statements(*credentials: Credential) -> dict[bytes, Statement]:
    return {c.digest: read_statement(c.raw, labels.CREDENTIAL) for c in credentials}


def test_only_what_is_taken_out_is_checked_and_its_issuers(verified: list[bytes]) -> None:
    chains = Chains([KZ.root], statements(*EVERYBODY))
    assert (len(chains), list(chains), verified) == (4, [c.digest for c in EVERYBODY], [])
    assert chains[OFFICERS[1].digest] == OFFICERS[1]
    assert verified == [KZ.root.custodians[0].key.key_digest, KZ.body.credential.verify_key.key_digest]


def test_a_chain_already_checked_in_the_process_is_not_checked_again(verified: list[bytes]) -> None:
    known = statements(*EVERYBODY)
    chains = Chains([KZ.root], known)
    first = chains[OFFICERS[0].digest]
    assert len(verified) == 2
    assert chains[OFFICERS[0].digest] is first
    assert chains[OFFICERS[1].digest].issuer is first.issuer
    assert len(verified) == 3, "only the second officer's own"
    assert Chains([KZ.root], known)[OFFICERS[0].digest] == first
    assert len(verified) == 3, "another reader in the same process"
    chain.forget()
    assert Chains([KZ.root], known)[OFFICERS[0].digest] == first
    assert len(verified) == 5, "another process"


def test_what_was_verified_once_is_still_held_against_its_issuer() -> None:
    """Only the signature is remembered: what an issuer may give is asked each time."""
    wide = issue(KZ.body.credential, KZ.body.key, "wide", "seal").credential
    chain.issued(wide.digest, KZ.body.credential.digest)
    narrow = issue(KZ.root, KZ.key, "narrow", "certify", clearance=None, body=Body("KZ", "KZ-GOV")).credential
    moved = read_statement(wide.raw, labels.CREDENTIAL)
    chain.issued(wide.digest, narrow.digest)
    with pytest.raises(Refused, match="above its issuer's"):
        decode_credential(moved, narrow)


def test_an_altered_credential_has_another_digest_and_is_verified() -> None:
    good = OFFICERS[0]
    assert Chains([KZ.root], statements(KZ.body.credential, good))[good.digest] == good
    bad = read_statement(flipped(good.raw, len(good.raw) - 1), labels.CREDENTIAL)
    chains = Chains([KZ.root], {**statements(KZ.body.credential), bad.digest: bad})
    for _ in range(2):
        with pytest.raises(NotAuthentic):
            _ = chains[bad.digest]


def test_without_its_issuer_nothing_is_taken_out() -> None:
    chains = Chains([KZ.root], statements(*OFFICERS))
    with pytest.raises(NotAuthentic, match="not in the roster"):
        _ = chains[OFFICERS[0].digest]
    with pytest.raises(NotAuthentic, match="not in the roster"):
        _ = Chains([party("BY").root], statements(KZ.body.credential))[KZ.body.credential.digest]


def test_what_is_not_there_is_no_error_but_nothing() -> None:
    chains = Chains([KZ.root], statements(*EVERYBODY))
    assert chains.get(bytes(32)) is None
    assert bytes(32) not in chains
    assert OFFICERS[0].digest in chains


def test_the_memory_of_what_was_verified_has_an_end(monkeypatch: pytest.MonkeyPatch, verified: list[bytes]) -> None:
    monkeypatch.setattr(chain, "_MANY", 300)
    sizes = []
    for number in range(601):
        chain.issued(number.to_bytes(32, "big"), b"issuer")
        sizes.append(len(chain._issued))
    assert sizes == [*range(1, 301), *range(1, 301), 1]
    monkeypatch.setattr(chain, "_MANY", 2)
    assert list(Chains([KZ.root], statements(*EVERYBODY)).values()) == EVERYBODY
    before = len(verified)
    assert list(Chains([KZ.root], statements(*EVERYBODY)).values()) == EVERYBODY
    assert len(verified) > before


def links(count: int) -> list[Statement]:
    """Credentials of which each says that the one before it issued it: of the competent body, an authorised one, and any number below that."""
    found: list[Statement] = []
    name, key = KZ.root.digest, KZ.key
    for number in range(count):
        body, own = ("KZ-GOV", "KZ-SUB", "KZ-LOW")[min(number, 2)], signing_key(f"link {number}")
        items = credential_items(
            subject=subject(f"link {number}"),
            body_id=body,
            purpose="certify",
            public_key=[labels.KIND_SIGNATURE, own.public],
            certifies_bodies=number == 0,
        )
        found.append(signed(labels.CREDENTIAL, "issuer", items, name, key))
        name, key = found[-1].digest, own
    return found


def test_a_chain_has_an_end(verified: list[bytes]) -> None:
    """One that is too long by two is not verified at all, and however long it is nobody goes along it."""
    for count, message in ((2, ""), (4, "issued by one who may not issue it"), (5, "chain of credentials is too long"), (50, "too long")):
        found = links(count)
        chains = Chains([KZ.root], {statement.digest: statement for statement in found})
        verified.clear()
        if not message:
            assert chains[found[-1].digest].depth == count
            continue
        with pytest.raises(Refused, match=message):
            _ = chains[found[-1].digest]
        assert (verified == []) is (count > 4)


def test_a_key_is_checked_at_once_unless_it_was_before() -> None:
    low = [labels.KIND_SIGNATURE, signing_key("officer seal").public[:-32] + bytes(32)]
    weak = signed(labels.CREDENTIAL, "issuer", credential_items(public_key=low), KZ.body.credential.digest, KZ.body.key)
    known = {**statements(KZ.body.credential), weak.digest: weak}
    with pytest.raises(Malformed):
        _ = Chains([KZ.root], known)[weak.digest]
    assert Chains([KZ.root], known, keys_checked=True)[weak.digest].digest == weak.digest


class Sharing:
    """Does the work of all processes in this one, and notes what they are told."""

    def __init__(self) -> None:
        self.jobs = 0
        self.started: list[tuple[Any, ...]] = []
        self.parts: list[list[bytes]] = []
        self.hint = ""

    @contextmanager
    def __call__(self, jobs: int, start: Start, *, hint: str) -> Iterator[Share]:
        self.jobs, self.hint = jobs, hint
        call, arguments = start
        self.started.append(arguments)
        call(*arguments)
        yield self.work

    def work(self, work: Callable[[Any], Any], parts: Iterable[Any]) -> Iterator[Any]:
        for part in parts:
            self.parts.append(part)
            found = work(part)
            chain.forget()  # what another process has verified, this one has not
            yield found


def test_work_is_shared_out_in_parts_and_every_process_knows_who_issued_anything(monkeypatch: pytest.MonkeyPatch, verified: list[bytes]) -> None:
    sharing = Sharing()
    monkeypatch.setattr(chain, "shared", sharing)
    monkeypatch.setattr(chain, "_PART", 2)
    told: list[int] = []
    alone = Chains([KZ.root], statements(*EVERYBODY))
    together = Chains([KZ.root], statements(*EVERYBODY))
    assert together.check_all(jobs=3, advance=told.append) == tuple(c.outline for c in EVERYBODY)
    assert (sharing.jobs, sharing.hint) == (3, "begin again: nothing was changed")
    assert sharing.started == [([KZ.root.raw], [KZ.body.credential.raw])]
    assert sharing.parts == [[c.raw for c in EVERYBODY[:2]], [c.raw for c in EVERYBODY[2:]]]
    assert told == [2, 2]
    verified.clear()
    assert [together[c.digest] for c in EVERYBODY] == EVERYBODY
    assert verified == [], "what was verified for this process is not verified again"
    told.clear()
    assert alone.check_all(advance=told.append) == tuple(c.outline for c in EVERYBODY)
    assert (told, len(sharing.parts)) == ([1] * 4, 2), "one process does it alone"


def test_a_process_that_begins_anew_has_new_roots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "shared", Sharing())
    by = party("BY")
    for of in (KZ, by, KZ):
        assert Chains([of.root], statements(of.body.credential)).check_all(jobs=2) == (of.body.credential.outline,)


@pytest.mark.slow
def test_processes_that_share_the_work_find_the_same(monkeypatch: pytest.MonkeyPatch, verified: list[bytes]) -> None:
    monkeypatch.setattr("valiza.keys.roster._MANY", 2)
    monkeypatch.setattr(chain, "_PART", 1)
    authorised = issue(KZ.body.credential, KZ.body.key, "MFA", "certify", body=Body("KZ", "KZ-MFA"))
    deep = issue(authorised.credential, authorised.key, "deep", "open").credential
    raw = KZ.roster(authorised.credential, deep, *OFFICERS).raw
    chain.forget()
    told: list[int] = []

    def counting(total: int) -> AbstractContextManager[Callable[[int], None]]:
        assert total == 7
        return nullcontext(told.append)

    alone = check_roster(raw, KZ.root.digest, counting=counting)
    assert told == [1] * 7
    chain.forget()
    verified.clear()
    together = check_roster(raw, KZ.root.digest, jobs=2, counting=counting)
    assert sum(told) == 14
    assert together.outlines == alone.outlines
    assert len(verified) == 2, "that of who signs the roster, and the roster's"
    assert together.credentials[deep.digest] == deep
    assert len(verified) == 2, "what the others have verified is not verified again"


@pytest.mark.slow
def test_processes_that_share_the_work_tell_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error, its message and hint are those of the first bad credential, as if one process had done it."""
    monkeypatch.setattr("valiza.keys.roster._MANY", 2)
    monkeypatch.setattr(chain, "_PART", 2)
    monkeypatch.setattr("valiza.keys.roster.read_roster", lambda raw, _: raw)
    wrong = signed(labels.CREDENTIAL, "issuer", credential_items(clearance="0"), KZ.body.credential.digest, KZ.body.key)
    roster: Any = make_roster(
        version=1,
        issued_at=KZ.root.valid_from,
        expires_at=KZ.root.valid_until,
        roots=[KZ.root],
        credentials=[*EVERYBODY, cast("Credential", wrong)],
        signer=KZ.publisher.credential,
        key=KZ.publisher.key,
    )
    said = set()
    for jobs in (1, 2):
        with pytest.raises(Refused, match="no degree of KZ") as caught:
            check_roster(roster, KZ.root.digest, jobs=jobs)
        said.add(caught.value.message)
    assert len(said) == 1
