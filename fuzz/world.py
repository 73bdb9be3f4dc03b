"""The world that targets read in: rosters, agreements, keys and records of specs/vectors/world, and how a body gets past its signature."""

from __future__ import annotations

import io
import os
import tempfile
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final
from unittest import mock

from valiza.envelope.agreement import Agreement, Agreements, read_agreement
from valiza.envelope.journal import Expectation
from valiza.envelope.verifying import VerifiedEnvelope, authenticate, verify_dispatch, verify_envelope
from valiza.keys import keyfile, labels
from valiza.keys.digests import digest
from valiza.keys.encoding import pack, unpack
from valiza.keys.log_key import LogVerifyKey
from valiza.keys.recipient import Identity
from valiza.keys.roster import Roster, peek_roster, read_roster
from valiza.keys.signing import VerifyKey
from valiza.keys.statement import SIGNATURE_BYTES, SignerHeader, read_statement
from valiza.keys.trust import Trust
from valiza.register.note import SignedCheckpoint, peek_checkpoint, verify_checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from valiza.keys.credential import Credential

VECTORS: Final = Path(__file__).resolve().parent.parent / "specs" / "vectors"
WORLD: Final = VECTORS / "world"
AT: Final = 1_772_528_400  # 2026-03-03T09:00:00Z, the present in most vectors
LATE: Final = 1_775_174_400  # 2026-04-03T00:00:00Z, when no receipt is due any more
AGREEMENTS: Final = ("open", "closed", "uneven")  # of KZ and BY
PASSPHRASE: Final = "correct horse"  # noqa: S105 - of key files made here


@cache
def rosters() -> tuple[Roster, ...]:
    """The rosters of KZ and BY, those with officers who act for their bodies, and with couriers."""
    raws = [(WORLD / f"{name}-carrying.vls").read_bytes() for name in ("kz", "by")]
    return tuple(read_roster(raw, peek_roster(raw)[1][-1]) for raw in raws)


@cache
def trust() -> Trust:
    """Both rosters, pinned."""
    return Trust(rosters())


@cache
def agreement(name: str) -> Agreement:
    """An agreement of the world."""
    return read_agreement((WORLD / f"{name}.vls").read_bytes(), trust())


@cache
def agreements() -> Agreements:
    """Those that are adopted."""
    return Agreements([agreement(name) for name in AGREEMENTS])


@cache
def credentials() -> tuple[Credential, ...]:
    """All credentials of both rosters."""
    return tuple(c for roster in rosters() for c in roster.credentials.values())


@cache
def identities() -> Mapping[bytes, Identity]:
    """Opening keys of the world by the digest of their credential."""
    keys = {key.public: key for key in (Identity(bytes.fromhex(path.read_text())) for path in WORLD.glob("*-open.seed"))}
    return {c.digest: keys[c.recipient.raw] for c in credentials() if c.purpose == "open" and c.recipient.raw in keys}


@cache
def envelope(name: str) -> VerifiedEnvelope:
    """An envelope of the world, verified."""
    authentic = authenticate(io.BytesIO((WORLD / f"{name}.vlz").read_bytes()), trust())
    return verify_envelope(verify_dispatch(authentic, trust=trust(), agreements=agreements(), at=AT))


@cache
def record(name: str) -> Expectation:
    """What the origin recorded of an envelope of the world."""
    lines: dict[str, list[str]] = {}
    for line in (WORLD / f"{name}.record").read_text().splitlines():
        key, _, value = line.partition(": ")
        lines.setdefault(key, []).append(value)
    hidden = lines.get("marks-digest")
    return Expectation(
        dispatch=bytes.fromhex(lines["dispatch"][0]),
        core=bytes.fromhex(lines["core"][0]),
        addressees=tuple(bytes.fromhex(stanza) for stanza in lines["stanza"]),
        openings=tuple(None if opening == "nil" else bytes.fromhex(opening) for opening in lines["opening"]),
        proof=bytes.fromhex(lines["proof"][0]),
        marks=bytes.fromhex(hidden[0]) if hidden else tuple(lines["marks"]),
    )


@cache
def log_keys() -> tuple[LogVerifyKey, ...]:
    """Both keys of the log in the world."""
    return tuple(LogVerifyKey(bytes.fromhex((WORLD / f"{name}.key").read_text())) for name in ("kz-log", "kz-log-next"))


@cache
def log_head(size: int) -> SignedCheckpoint:
    """A checkpoint of that log: of 7, 8 or 13 entries."""
    raw = (WORLD / f"log-{size}.note").read_bytes()
    return verify_checkpoint(raw, peek_checkpoint(raw).origin, log_keys())


@cache
def leaf() -> bytes:
    """Entry 8 of it."""
    head = (VECTORS / "tlog-proof_of_8.vector").read_bytes().partition(b"\n\n")[0].decode()
    return bytes.fromhex(next(line.removeprefix("leaf: ") for line in head.splitlines() if line.startswith("leaf: ")))


@cache
def vectors() -> tuple[tuple[str, bytes], ...]:
    """Kind of object and bytes of every vector, and of what lies in their world."""
    found = []
    for path in sorted(VECTORS.glob("*.vector")):
        head, _, raw = path.read_bytes().partition(b"\n\n")
        kind = next(line.removeprefix("object: ") for line in head.decode().splitlines() if line.startswith("object: "))
        found.append((kind, raw))
    found += [("envelope", path.read_bytes()) for path in sorted(WORLD.glob("*.vlz"))]
    found += [("agreement", path.read_bytes()) for path in sorted(WORLD.glob("open*.vls"))]
    found += [("agreement", (WORLD / f"{name}.vls").read_bytes()) for name in AGREEMENTS]
    return tuple(found)


@cache
def genuine() -> frozenset[bytes]:
    """Every object that a key of the world can have signed: whatever else verifies was forged."""
    return frozenset(raw for _, raw in vectors())


@cache
def plan() -> bytes:
    """The plan of a first root, as a transcript of the vectors has it."""
    raw = (VECTORS / "transcript_first_root.vector").read_bytes().partition(b"\n\n")[2]
    return bytes(unpack(read_statement(raw, labels.TRANSCRIPT).body, max_bytes=1 << 23, what="transcript")[2])


# -- past the signature ------------------------------------------------------------------------------------------------


@contextmanager
def believing() -> Iterator[None]:
    """Every signature holds: a mutation reaches what a key holder could have signed. All else is the product's own code."""
    with mock.patch.object(VerifyKey, "verify", return_value=None):
        yield


@contextmanager
def cheap_passphrases() -> Iterator[None]:
    """Keys are derived from passphrases by a digest: what Argon2id costs within its bounds is not what is looked for."""

    def stretched(passphrase: str, salt: bytes, cost: keyfile.Argon2Cost) -> bytes:
        return digest("valiza fuzz passphrase", pack([passphrase, salt, cost.passes, cost.memory_kib]))

    with mock.patch.object(keyfile, "stretch", stretched):
        yield


def header(role: str, signer: Credential) -> SignerHeader:
    """The header of a signer in a role."""
    return SignerHeader(role=role, signer_digest=signer.digest, key_digest=signer.key.key_digest)


def framed(type_: str, body: bytes, headers: Sequence[SignerHeader]) -> bytes:
    """A statement over a body, with signatures of zeros: for `believing`."""
    return pack([type_, body, sorted([h.packed(), bytes(SIGNATURE_BYTES)] for h in headers)])


def root_headers(role: str = "root") -> list[SignerHeader]:
    """Headers of both roots, that of KZ first."""
    return [SignerHeader(role=role, signer_digest=r.root.digest, key_digest=r.root.custodians[0].key.key_digest) for r in rosters()]


def officer(purpose: str, **wanted: object) -> Credential:
    """The first credential for a purpose with these attributes; without such a one the first for the purpose."""
    able = [c for c in credentials() if c.purpose == purpose]
    return next((c for c in able if all(getattr(c, name) == value for name, value in wanted.items())), able[0])


def known(wanted: object) -> Credential | None:
    """The credential with a digest, if it is one."""
    return trust().credential(wanted) if isinstance(wanted, bytes) else None


@cache
def folder() -> Path:
    """A folder for files that have to be read from a path; in memory where that can be."""
    return Path(tempfile.mkdtemp(prefix="valiza-fuzz.", dir=os.environ.get("VALIZA_FUZZ_FOLDER") or in_memory()))


def in_memory() -> str | None:
    """A file system in memory, if there is one."""
    shared = "/dev/shm"  # noqa: S108 - a folder of its own is made in it
    return shared if Path(shared).is_dir() else None


def file(name: str, data: bytes) -> Path:
    """A file with this content."""
    path = folder() / name
    path.write_bytes(data)
    return path
