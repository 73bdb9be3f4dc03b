"""The second implementation: reads every vector by the specifications alone, and says whether the outcome is the one expected.

python specs/vectors/generate/reader.py --check
python specs/vectors/generate/reader.py specs/vectors/envelope_good.vector
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import answers
import asking
import carrying
import clearing
import decode as d
import designating
import fingerprints
import halves
import logs
import messages
import opening
import proving
import reading
import replaying
import restoring
import revoking
import treaty
import trust
from outcome import Outcome, step

VECTORS = Path(__file__).resolve().parent.parent
WORLD = VECTORS / "world"


@dataclass(frozen=True)
class Vector:
    """A head of `key: value` lines, and the raw object behind an empty line."""

    name: str
    head: dict[str, list[str]]
    raw: bytes

    def one(self, key: str) -> str:
        """The value of a key that stands at most once."""
        return next(iter(self.head.get(key, [""])))

    def files(self, key: str) -> list[bytes]:
        """The files in world/ that a key names."""
        return [(WORLD / name).read_bytes() for name in self.head.get(key, []) if name != "none"]


@dataclass(frozen=True)
class Result:
    """What reading gave: an outcome, and for some objects more."""

    expect: str
    step: str = ""
    verdict: str = ""
    payload: str = ""
    reason: str = ""


def parse(path: Path) -> Vector:
    """A vector file."""
    head_raw, _, raw = path.read_bytes().partition(b"\n\n")
    head: dict[str, list[str]] = {}
    for line in head_raw.decode().splitlines():
        key, _, value = line.partition(": ")
        head.setdefault(key, []).append(value)
    return Vector(path.stem, head, raw)


def _seconds(time: str) -> int:
    return int(datetime.fromisoformat(time).timestamp())


def world_of(vector: Vector) -> reading.World:
    """What the vector's reader trusts and has."""
    world = reading.World(_seconds(vector.one("at")) if vector.one("at") else 0)
    for line in vector.head.get("root", []):
        party, fingerprint = line.split(" ")
        world.trust.pinned.add((party, bytes.fromhex(fingerprint)))
    for raw in vector.files("trust"):
        trust.believe(world.trust, trust.read_roster(raw, world.trust))
    for line in vector.head.get("known", []):
        party, known = line.split(" ")
        world.trust.known[party] = _seconds(known)
    if vector.one("recorded"):
        world.recorded = _seconds(vector.one("recorded"))
    for raw in vector.files("agreement"):
        _adopt(raw, world)
    world.identities = [bytes.fromhex(seed.decode()) for seed in vector.files("identity")]
    return world


def _adopt(raw: bytes, world: reading.World) -> None:
    if b"valiza/v1/termination" in raw[:32]:
        world.agreements.ended.append(treaty.read_termination(raw, world.trust, world.agreements))
    else:
        agreement = treaty.read_agreement(raw, world.trust)
        world.agreements.known[agreement.digest] = agreement


def record_of(vector: Vector) -> answers.Record | None:
    """The origin's record, where the vector names one: `key: value` lines."""
    files = vector.files("record")
    if not files:
        return None
    lines: dict[str, list[str]] = {}
    for line in files[0].decode().splitlines():
        key, _, value = line.partition(": ")
        lines.setdefault(key, []).append(value)
    hidden = lines.get("marks-digest")
    return answers.Record(
        bytes.fromhex(lines["dispatch"][0]),
        bytes.fromhex(lines["core"][0]),
        [bytes.fromhex(stanza) for stanza in lines["stanza"]],
        [None if opening == "nil" else bytes.fromhex(opening) for opening in lines["opening"]],
        bytes.fromhex(lines["proof"][0]),
        bytes.fromhex(hidden[0]) if hidden else lines["marks"],
        [bytes.fromhex(notice) for notice in lines.get("notice", [])],
    )


def read(vector: Vector) -> Result:
    """Read the object of a vector; an outcome that is no success comes as an exception."""
    kind, raw = vector.one("object"), vector.raw
    if kind in ALONE:
        ALONE[kind](vector)
        return Result("success")
    if kind == "backup":
        restoring.read_backup(raw, vector.one("passphrase"))
        return Result("success")
    if kind == "standing":
        with step("rule"):
            revoking.read_standing(raw)
        return Result("success")
    world = world_of(vector)
    if kind in STATEMENTS:
        STATEMENTS[kind](vector, world)
        return Result("success")
    return OTHERS[kind](vector, world)


def _read_receipt(vector: Vector, world: reading.World) -> Result:
    receipt = answers.read_receipt(vector.raw, world, record_of(vector), next(iter(vector.files("with")), None))
    return Result(receipt.expect, verdict=receipt.verdict)


def _read_evidence(vector: Vector, world: reading.World) -> Result:
    proof = proving.read_evidence(vector.raw, proving.Arbiter(1 << 40, trust=trust.Trust(pinned=world.trust.pinned)))
    return Result(proof.expect, verdict=proof.verdict)


def _read_custody(vector: Vector, world: reading.World) -> Result:
    custody = carrying.read_custody(vector.raw, world, vector.files("with")[0])
    return Result(custody.expect, verdict=custody.verdict)


def _read_answer(vector: Vector, world: reading.World) -> None:
    with step(3):
        answer = answers.read_answer(vector.raw, vector.one("object"), world)
    answers.judge(answer, world)


def _compare_fingerprint(vector: Vector, world: reading.World) -> None:
    ((_, pinned),) = world.trust.pinned
    fingerprints.compare(vector.raw, pinned)


def _read_roster(vector: Vector, world: reading.World) -> None:
    fresh = trust.Trust(pinned=world.trust.pinned)
    new = trust.read_roster(vector.raw, fresh)
    older = vector.files("older")
    trust.import_roster(new, trust.read_roster(older[0], fresh) if older else None, world.now)


def _read_envelope(vector: Vector, world: reading.World) -> Result:
    if vector.one("mode") == "verify":
        reading.verify(vector.raw, world)
        return Result("success")
    rewrap = next(iter(vector.files("rewrap")), None)
    opened = opening.open_envelope(vector.raw, world, rewrap)
    return Result("success", payload=hashlib.sha256(b"".join(opened.plaintexts)).hexdigest())


def _read_rewrap(vector: Vector, world: reading.World) -> None:
    """A rewrap is read with its envelope, and opened by it where an identity is given."""
    (envelope,) = vector.files("with")
    if world.identities:
        opening.open_envelope(envelope, world, vector.raw)
        return
    found, agreement = reading.verify_dispatch(envelope, world)
    with step("rewrap"):
        reading.rewrapped(vector.raw, found, agreement, world)


def _read_clearances(vector: Vector, world: reading.World) -> None:
    """Some confirmations, and whether they confirm an addressee under the first agreement."""
    agreement = next(iter(world.agreements.known.values()))
    party, _, code = vector.one("mark").partition(":")
    clearing.require_confirmed(vector.raw, world, agreement, bytes.fromhex(vector.one("addressee")), (party, code))


def _read_key_file(vector: Vector) -> None:
    secret = halves.read_key_file(vector.raw, vector.one("passphrase"))
    if secret.hex() != vector.one("secret"):
        raise ValueError(secret.hex())


def _read_question(vector: Vector) -> None:
    (seed,) = vector.files("seed")
    reply = halves.reply_to(vector.raw, bytes.fromhex(seed.decode()))
    if reply != vector.one("reply"):
        raise ValueError(reply)


def _keys(vector: Vector, key: str) -> list[logs.Key]:
    return [logs.Key(bytes.fromhex(raw.decode())) for raw in vector.files(key)]


def _read_checkpoint(vector: Vector) -> None:
    """A checkpoint, and where the vector names a cosigner his cosignature on it."""
    logs.read_checkpoint(vector.raw, vector.one("origin"), _keys(vector, "log-key"))
    if vector.one("cosigner"):
        logs.require_cosignature(vector.raw, vector.one("cosigner"), _keys(vector, "cosigner-key"))


def _read_request_to_cosign(vector: Vector) -> None:
    origin, keys = vector.one("origin"), _keys(vector, "log-key")
    last = [logs.read_checkpoint(raw, origin, keys) for raw in vector.files("last")]
    logs.read_request(vector.raw, origin, keys, last[0] if last else None)


def _read_mail(vector: Vector) -> None:
    found = [f"{path} {hashlib.sha256(raw).hexdigest()}" for path, raw in messages.take_apart(vector.raw)]
    if found != vector.head.get("found", []):
        raise ValueError(found)


# What is read with nothing else at hand.
ALONE: dict[str, Callable[[Vector], object]] = {
    "checkpoint": _read_checkpoint,
    "tlog-proof": lambda vector: logs.read_proof(vector.raw, bytes.fromhex(vector.one("leaf")), vector.one("origin"), _keys(vector, "log-key")),
    "cosign-request": _read_request_to_cosign,
    "encoding": lambda vector: d.decode(vector.raw),
    "key-file": _read_key_file,
    "mail": _read_mail,
    "role": lambda vector: designating.read_role(vector.raw),
    "signer-question": _read_question,
    "signer-reply": lambda vector: halves.check_reply(vector.raw, vector.one("question"), bytes.fromhex(vector.one("ed25519"))),
}

# What is read with success or an exception; vectors of statements are dispatches.
STATEMENTS: dict[str, Callable[[Vector, reading.World], object]] = {
    "statement": lambda vector, world: reading.read_dispatch(vector.raw, world.trust),
    "root": lambda vector, world: trust.require_pinned([trust.read_root(vector.raw)[0]], world.trust),
    "credential": lambda vector, world: trust.read_credential(vector.raw, world.trust),
    "request": lambda vector, world: asking.read_request(vector.raw, world),
    "fingerprint": _compare_fingerprint,
    "roster": _read_roster,
    "agreement": lambda vector, world: treaty.read_agreement(vector.raw, world.trust),
    "termination": lambda vector, world: treaty.read_termination(vector.raw, world.trust, world.agreements),
    "clearance-enquiry": lambda vector, world: clearing.read_enquiry(vector.raw, world),
    "clearance-confirmation": lambda vector, world: clearing.read_confirmation(vector.raw, world),
    "clearances": _read_clearances,
    "rewrap": _read_rewrap,
    "transport-notice": lambda vector, world: carrying.read_notice(vector.raw, world),
    "handover": lambda vector, world: carrying.read_handover(vector.raw, world, vector.files("with")[0]),
    "overdue": lambda vector, world: carrying.read_overdue(vector.raw, world),
    "acknowledgement": _read_answer,
    "refusal": _read_answer,
    "transcript": lambda vector, world: replaying.read_transcript(
        vector.raw, rehearsal=vector.one("mode") == "rehearsal", pinned=[fingerprint for _, fingerprint in world.trust.pinned]
    ),
}

# What has a verdict, or plaintext.
OTHERS: dict[str, Callable[[Vector, reading.World], Result]] = {
    "envelope": _read_envelope,
    "receipt": _read_receipt,
    "custody": _read_custody,
    "evidence": _read_evidence,
}


def outcome(vector: Vector) -> Result:
    """The result of reading, failures included."""
    try:
        return read(vector)
    except Outcome as failure:
        return Result(failure.expect, step=failure.step, reason=failure.reason)


def differences(vector: Vector) -> list[str]:
    """Where the result is not what the head says; the reader's own step is compared too."""
    result = outcome(vector)
    pairs = {"expect": result.expect, "step": result.step, "verdict": result.verdict, "payload": result.payload}
    wanted = {key: vector.one(key) for key in pairs}
    if wanted == pairs:
        return []
    return [f"{vector.name}: {key} is {pairs[key]!r}, not {wanted[key]!r} ({result.reason})" for key in pairs if pairs[key] != wanted[key]]


def check() -> int:
    """Read all vectors; the exit code says whether all agree."""
    paths = sorted(VECTORS.glob("*.vector"))
    wrong = [line for path in paths for line in differences(parse(path))]
    for line in wrong:
        print(line)
    print(f"{len(paths)} vectors, {len(wrong)} differences")
    return 1 if wrong or not paths else 0


def main(arguments: list[str]) -> int:
    """`--check` for all, or the names of vector files."""
    if arguments == ["--check"]:
        return check()
    for name in arguments:
        print(name, outcome(parse(Path(name))))
    return 0 if arguments else 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
