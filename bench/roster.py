"""A roster of ten thousand credentials: importing, opening and looking up; and checking a chain, beside its signatures alone."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import nacl.bindings
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PublicKey

from exchange import Offices
from measuring import Row, Spread, run
from receipts import PUBLIC_HALF, Signed, rate
from valiza.keys import chain, labels
from valiza.keys.chain import Chains
from valiza.keys.credential import Credential, CredentialDraft, issue_credential
from valiza.keys.errors import ValizaError
from valiza.keys.fields import Body
from valiza.keys.recipient import Identity
from valiza.keys.root import Custodian, Root, RootDraft, make_root
from valiza.keys.roster import Roster, make_roster, read_roster
from valiza.keys.signing import SigningKey, VerifyKey
from valiza.keys.statement import Statement, pae, read_statement

GOAL_CHAIN, GOAL_OPEN_MS, GOAL_LOOK_UP_US = 1.2, 50, 1000
MANY, FEW = 10_000, 300
PARTY = "XX"
PURPOSES = ("open", "acknowledge", "seal", "countersign")
OFFICERS_OF_A_BODY = 50
KEPT = Path(__file__).resolve().parents[1] / "build" / "bench"
LOOKING = Path(__file__).with_name("looking.py")
YEAR = 365 * 86400


# --- making it --------------------------------------------------------------------------------------------------------------------------------------


def found_party(at: int) -> tuple[Root, list[SigningKey]]:
    """A root with three custodians of whom two speak for the party, and the keys of those two."""
    keys = [SigningKey.generate(os.urandom) for _ in range(3)]
    custodians = tuple(Custodian(id=os.urandom(16), names={"en": "Custodian"}, key=VerifyKey(key.public)) for key in keys)
    draft = RootDraft(
        party=PARTY,
        names={"en": "A State with many officers"},
        degrees=("1", "2", "3"),
        custodians=custodians,
        threshold=2,
        valid_from=at,
        valid_until=at + 20 * YEAR,
    )
    return make_root(draft, keys[:2]), keys[:2]


def issue(issuer: Root | Credential, keys: list[SigningKey], *, body: Body, purpose: str, subject: bytes, name: str, public: bytes) -> Credential:
    draft = CredentialDraft(
        subject=subject,
        body=body,
        names={"en": name, "ru": "Сотрудник"},
        purpose=purpose,
        public_key=public,
        clearance=None if purpose == "roster" else "1",
        valid_from=issuer.valid_from,
        valid_until=issuer.valid_until,
    )
    return issue_credential(draft, issuer=issuer, keys=keys)


def made_roster(count: int) -> Roster:
    """A roster of so many credentials: bodies with fifty officers each, who have four credentials each."""
    at = int(time.time()) - 3600
    root, custodians = found_party(at)
    body, key = Body(PARTY, f"{PARTY}-0"), SigningKey.generate(os.urandom)
    signer = issue(root, custodians, body=body, purpose="roster", subject=os.urandom(16), name="Roster", public=key.public)
    made: list[Credential] = []
    certify, own, subject = signer, key, b""
    while len(made) < count - 1:
        number, left = divmod(len(made), OFFICERS_OF_A_BODY * len(PURPOSES) + 1)
        if left == 0:
            body, own = Body(PARTY, f"{PARTY}-{number}"), SigningKey.generate(os.urandom)
            certify = issue(root, custodians, body=body, purpose="certify", subject=os.urandom(16), name=str(body), public=own.public)
            made.append(certify)
            continue
        purpose = PURPOSES[(left - 1) % len(PURPOSES)]
        subject = os.urandom(16) if purpose == PURPOSES[0] else subject
        public = Identity.generate(os.urandom).public if purpose == "open" else SigningKey.generate(os.urandom).public
        made.append(issue(certify, [own], body=body, purpose=purpose, subject=subject, name=f"Officer {left // len(PURPOSES)}", public=public))
    return make_roster(version=1, issued_at=at, expires_at=at + YEAR, roots=[root], credentials=made, signer=signer, key=key)


def kept_roster(folder: Path, count: int, say: Callable[[str], None]) -> tuple[Path, Roster]:
    """The roster of an earlier run, or a new one, which takes half a minute for ten thousand."""
    path, pin = folder / f"roster-{count}.vls", folder / f"roster-{count}.root"
    if path.exists() and pin.exists():
        try:
            return path, read_roster(path.read_bytes(), bytes.fromhex(pin.read_text(encoding="ascii")))
        except ValizaError as error:
            say(f"the roster of an earlier run is not used: {error.message}")
    started = time.perf_counter()
    roster = made_roster(count)
    say(f"made a roster of {count} credentials, {len(roster.raw) >> 20} MiB, in {time.perf_counter() - started:.0f} s")
    folder.mkdir(parents=True, exist_ok=True)
    path.write_bytes(roster.raw)
    pin.write_text(roster.root.fingerprint, encoding="ascii")
    return path, roster


# --- a chain ----------------------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ChainCase:
    """The credential of an officer, that of his body, and the root."""

    root: Root
    officer: Credential
    statements: dict[bytes, bytes]
    signed: list[Signed]
    body_key: bytes  # the half of it that is ML-DSA's

    @classmethod
    def of(cls, roster: Roster) -> ChainCase:
        officer = next(c for c in roster.credentials.values() if c.purpose == "seal")
        body = officer.issuer
        assert isinstance(body, Credential)
        root = roster.root
        own = read_statement(body.raw, labels.CREDENTIAL)
        signed = [_signed(own, index, _custodian(root, own, index)) for index in range(len(own.signatures))]
        signed.append(_signed(read_statement(officer.raw, labels.CREDENTIAL), 0, body.verify_key.raw))
        return cls(root, officer, {c.digest: c.raw for c in (officer, body)}, signed, body.verify_key.raw[:PUBLIC_HALF])

    def signatures(self) -> None:
        """With the keys prepared."""
        for signature in self.signed:
            signature.verify()

    def signatures_and_key(self) -> None:
        """With the body's key taken from its credential, as whoever has only the root must: both halves are loaded, and checked."""
        *of_root, of_body = self.signed
        for signature in of_root:
            signature.verify()
        assert nacl.bindings.crypto_core_ed25519_is_valid_point(of_body.ed25519)
        replace(of_body, mldsa=MLDSA65PublicKey.from_public_bytes(self.body_key)).verify()

    def check(self) -> None:
        """As at the first use in a process."""
        chain.forget()
        statements = {name: read_statement(raw, labels.CREDENTIAL) for name, raw in self.statements.items()}
        assert Chains([self.root], statements, keys_checked=True)[self.officer.digest].subject == self.officer.subject


def _custodian(root: Root, statement: Statement, index: int) -> bytes:
    found = root.custodian(statement.signatures[index].header.key_digest)
    assert found is not None
    return found.key.raw


def _signed(statement: Statement, index: int, key: bytes) -> Signed:
    entry = statement.signatures[index]
    return Signed.with_key(key, entry.signature, statement.type, pae(statement.type, entry.header_bytes, statement.body))


def measure_chain(case: ChainCase, rounds: int, seconds: float) -> list[Row]:
    works = {"signatures, keys prepared": case.signatures, "signatures alone": case.signatures_and_key, "Valiza": case.check}
    taken: dict[str, list[float]] = {name: [] for name in works}
    for count in range(rounds + 1):
        for name, work in works.items():
            micros = 1e6 / rate(work, seconds)
            if count:
                taken[name].append(micros)
    spreads = {name: Spread.of(values) for name, values in taken.items()}
    limit = spreads["signatures alone"].median
    return [
        Row(
            what="chain of two, first use",
            who=name,
            unit="us",
            value=value,
            to_limit=value.median / limit,
            goals={"limit": GOAL_CHAIN} if name == "Valiza" else {},
        )
        for name, value in spreads.items()
    ]


# --- in an office -----------------------------------------------------------------------------------------------------------------------------------


def measure_office(offices: Offices, path: Path, roster: Roster, rounds: int, say: Callable[[str], None]) -> list[Row]:
    """Importing and opening, each in a process of its own; looking up in it."""
    argv = offices.steps["verify-receipt"]
    work, home = offices.folder / "roster", Path(argv[argv.index("--home") + 1])
    count = len(roster.credentials)
    limit = Spread.of([_signatures_of_all(roster) for _ in range(rounds)])
    imports, opened, told = [], [], []
    for turn in range(rounds + 1):
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(home, work)
        took = run([*offices.command("roster", "import", str(path), "--root", roster.root.fingerprint, "--home", str(work))], offices.folder)
        say(f"{count} credentials, round {turn}: imported: {took.seconds:.2f} s, {took.peak_kib >> 10} MiB")
        seen = run([sys.executable, str(LOOKING), str(work), PARTY], offices.folder)
        if turn:
            imports.append(took)
            opened.append(seen)
            told.append(json.loads(seen.output))
    shutil.rmtree(work)
    seconds = Spread.of([took.seconds for took in imports])
    busy = Spread.of([took.user_seconds + took.system_seconds for took in imports]).median
    rows = [
        Row(what=f"import {count} credentials", who="signatures alone", unit="s", value=limit, to_limit=1),
        Row(
            what=f"import {count} credentials",
            who="Valiza",
            unit="s",
            value=seconds,
            to_limit=seconds.median / limit.median,
            processor_seconds=busy,
            peak_mib=max(took.peak_kib for took in imports) / 1024,
        ),
    ]
    peak = max(took.peak_kib for took in opened) / 1024
    for name, unit, scale, goal, what in (
        ("open", "ms", 1e3, GOAL_OPEN_MS, "open it, the roots checked"),
        ("first", "us", 1e6, 0, "look up, the first of a body"),
        ("next", "us", 1e6, GOAL_LOOK_UP_US, "look up, the next of it"),
        ("again", "us", 1e6, GOAL_LOOK_UP_US, "look up, again"),
    ):
        value = Spread.of([scale * one[name] for one in told])
        memory = peak if name == "open" else None
        rows.append(Row(what=f"{count}: {what}", who="Valiza", unit=unit, value=value, goals={"value": goal} if goal else {}, peak_mib=memory))
    return rows


def _signatures_of_all(roster: Roster) -> float:
    """Seconds of processor time for every signature on a credential in one process, its key prepared, and nothing else."""
    signed = []
    for credential in roster.credentials.values():
        statement = read_statement(credential.raw, labels.CREDENTIAL)
        issuer = credential.issuer
        for index in range(len(statement.signatures)):
            key = _custodian(issuer, statement, index) if isinstance(issuer, Root) else issuer.verify_key.raw
            signed.append(_signed(statement, index, key))
    started = time.process_time()
    for one in signed:
        one.verify()
    return time.process_time() - started


def measure_roster(offices: Offices, rounds: int, *, quick: bool, say: Callable[[str], None]) -> list[Row]:
    rows = measure_chain(ChainCase.of(made_roster(FEW)), rounds, 0.2 if quick else 1.0)  # before there are ten thousand in the memory of this process
    path, roster = kept_roster(offices.folder if quick else KEPT, FEW if quick else MANY, say)
    return rows + measure_office(offices, path, roster, rounds, say)
