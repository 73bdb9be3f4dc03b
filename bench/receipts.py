"""Receipts verified per second in one process, as objects and in mail, against the three composite signatures in each of them."""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import cast

import nacl.bindings
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PublicKey

from exchange import Offices
from measuring import Row, Spread
from valiza.envelope.agreement import Agreements
from valiza.envelope.journal import Expectation, Journal
from valiza.envelope.receipt import AuthenticReceipt, Verdict, read_receipt, verify_receipt
from valiza.gateway.examining import Examiner, Object, Waiting
from valiza.gateway.parts import Limits, take_apart
from valiza.gateway.rules import Rules
from valiza.gateway.wrapping import Letter, read_object, wrap
from valiza.keys.credential import Credential
from valiza.keys.fields import Body
from valiza.keys.statement import Statement, pae
from valiza.keys.trust import Trust
from valiza.office.home import Office
from valiza.office.passing import Memory

GOAL = 0.6
GOAL_IN_MAIL = 0.5
MESSAGES = 256  # each with a head, a boundary and an id of its own, as mail has them
PREFIX, LABEL = b"CompositeAlgorithmSignatures2025", b"COMPSIG-MLDSA65-Ed25519-SHA512"
PUBLIC_HALF, SIGNATURE_HALF = 1952, 3309  # of ML-DSA; Ed25519 is the rest


@dataclass(frozen=True)
class Signed:
    """One composite signature with nothing of Valiza's around it, its public key prepared."""

    mldsa: MLDSA65PublicKey
    ed25519: bytes
    signature: bytes
    context: bytes
    message: bytes

    @classmethod
    def of(cls, statement: Statement, signer: Credential) -> Signed:
        only = statement.signatures[0]
        return cls.with_key(signer.verify_key.raw, only.signature, statement.type, pae(statement.type, only.header_bytes, statement.body))

    @classmethod
    def with_key(cls, key: bytes, signature: bytes, type_: str, message: bytes) -> Signed:
        return cls(MLDSA65PublicKey.from_public_bytes(key[:PUBLIC_HALF]), key[PUBLIC_HALF:], signature, type_.encode(), message)

    def verify(self) -> None:
        composed = PREFIX + LABEL + bytes([len(self.context)]) + self.context + hashlib.sha512(self.message).digest()
        nacl.bindings.crypto_sign_open(self.signature[SIGNATURE_HALF:] + composed, self.ed25519)
        self.mldsa.verify(self.signature[:SIGNATURE_HALF], composed, LABEL)


@dataclass(frozen=True)
class Record:
    """As much of a journal as verifying asks, in memory: what a receipt must say; nothing withdrawn, nothing received before."""

    expected: Expectation

    def expectation(self, dispatch_digest: bytes) -> Expectation | None:
        return self.expected if dispatch_digest == self.expected.dispatch_digest else None

    def withdrawn(self, _dispatch_digest: bytes) -> bool:
        return False

    def stored_answer(self, _dispatch_digest: bytes) -> None:
        return None

    def stored_receipt(self, _dispatch_digest: bytes) -> None:
        return None

    def statements(self, _kind: str, _dispatch_digest: bytes) -> list[bytes]:
        return []


@dataclass(frozen=True)
class Case:
    raw: bytes
    trust: Trust
    agreements: Agreements
    own: Body
    journal: Journal
    signed: Sequence[Signed]
    messages: Iterator[bytes]
    examiner: Examiner

    def signatures(self) -> None:
        for signature in self.signed:
            signature.verify()

    def attest(self) -> None:
        """As a stranger reads it, who has no record."""
        assert verify_receipt(self.read()).verdict is Verdict.ATTESTED

    def deliver(self) -> None:
        """As the origin reads it, compared with what was sealed."""
        assert verify_receipt(self.read(), own=self.own, journal=self.journal).verdict is Verdict.DELIVERED

    def pass_by(self) -> None:
        """As a gateway reads it: a message taken apart, and what is in it examined up to where the register is asked."""
        with take_apart(next(self.messages), Limits()) as taken:
            (part,) = [part for part in taken.parts if part.ours]
            found = self.examiner.examine(Object(part=part.path, kind=part.kind, content=part.content), taken.sender)
            assert isinstance(found, Waiting)
            assert not taken.flaws

    def read(self) -> AuthenticReceipt:
        return read_receipt(self.raw, trust=self.trust, agreements=self.agreements)


def prepare(offices: Offices) -> Case:
    """The receipt of the demonstration, at its origin."""
    argv = offices.steps["verify-receipt"]
    office = Office(Path(argv[argv.index("--home") + 1]), lambda: "")
    raw = Path(argv[argv.index("verify") + 1]).read_bytes()
    read = read_receipt(raw, trust=office.trust, agreements=office.agreements)
    dispatch = read.answer.signed
    expected = office.journal.expectation(dispatch.digest)
    assert expected is not None
    return Case(
        raw=raw,
        trust=office.trust,
        agreements=office.agreements,
        own=office.body,
        journal=cast(Journal, Record(expected)),
        signed=[
            Signed.of(read.statement, read.countersigner),
            Signed.of(read.answer.statement, read.answer.signer),
            Signed.of(dispatch.statement, dispatch.sealer),
        ],
        messages=cycle([in_mail(raw, number) for number in range(MESSAGES)]),
        examiner=Examiner(Rules(), trust=office.trust, agreements=office.agreements, memory=Memory(office), own=office.body.id, at=int(time.time())),
    )


def in_mail(receipt: bytes, number: int) -> bytes:
    """A message with the receipt, as `valiza mail wrap` makes it."""
    letter = Letter(
        sender=f"Registry {number} <registry@mfa.by.example>",
        to=["registry@mfa.kz.example"],
        message_id=f"<{number}.1@mfa.by.example>",
        date=1_772_528_400 + number,
        boundary=f"=_{number:016d}",
    )
    return b"".join(wrap([read_object(io.BytesIO(receipt))], letter))


def rate(work: Callable[[], None], seconds: float) -> float:
    """How often in a second of processor time, so that others who work on the machine count for less."""
    started, count = time.process_time(), 0
    while (now := time.process_time()) - started < seconds:
        work()
        count += 1
    return count / (now - started)


def measure_receipts(offices: Offices, rounds: int, seconds: float) -> list[Row]:
    """Signatures alone, read by a stranger, by the origin, by a gateway: in turn; one round more than is counted, to warm up."""
    case = prepare(offices)
    works = {"signatures": case.signatures, "attest": case.attest, "deliver": case.deliver, "pass": case.pass_by}
    rates: dict[str, list[float]] = {name: [] for name in works}
    for count in range(rounds + 1):
        for name, work in works.items():
            measured = rate(work, seconds)
            if count:
                rates[name].append(measured)
    spreads = {name: Spread.of(values) for name, values in rates.items()}
    limit = spreads.pop("signatures")
    whats = {"attest": "receipts verified", "deliver": "receipts verified and compared", "pass": "messages to verdict, no register"}
    rows = [Row(what="receipts verified", who="signatures alone", unit="/s", value=limit, to_limit=1)]
    for name, value in spreads.items():
        ratio = value.median / limit.median
        goals = {"limit": GOAL_IN_MAIL if name == "pass" else GOAL}
        rows.append(Row(what=whats[name], who="Valiza", unit="/s", value=value, to_limit=ratio, goals=goals, at_least=True))
    return rows
