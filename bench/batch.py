"""Many small envelopes, from sealing to verified receipts: the commands that take them all at once, on one processor or shared by two processes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, MLKEM768X25519PublicKey, Suite

from exchange import Offices
from measuring import Row, Spread, Taken, run
from receipts import rate

GOAL = 500  # envelopes sealed in a second on one processor
SIZE = 1024
WRAPS = 3  # two addressees, and the origin's own copy of the manifest


def measure_batch(offices: Offices, count: int, rounds: int, say: Callable[[str], None]) -> list[Row]:
    """All steps in turn, for `count` envelopes of one small carrier; one round more than is counted, to warm up."""
    work = offices.folder / "batch"
    work.mkdir()
    (work / "carriers").mkdir()
    for number in range(count):
        (work / "carriers" / f"{number:05}.bin").write_bytes(os.urandom(SIZE))
    taken: dict[str, list[Taken]] = {}
    for turn in range(rounds + 1):
        for name, command, cores in _steps(offices, work):
            argv = command()
            with _on_processors(cores):
                took = run(argv, work)
            say(f"{count} envelopes, round {turn}: {name}: {took.seconds:.2f} s (program {took.user_seconds:.2f}, kernel {took.system_seconds:.2f})")
            if turn:
                taken.setdefault(name, []).append(took)
        for folder in ("sealed", "opened", "acknowledged", "receipts"):
            shutil.rmtree(work / folder)
    limit = Spread.of([rate(sealing_alone(), 0.5) for _ in range(rounds)])
    rows = [Row(what="small envelopes sealed", who="signature, wraps", unit="/s", value=limit, to_limit=1)]
    return rows + [_row(name, count, runs, limit if name == "sealed" else None) for name, runs in taken.items()]


Step = tuple[str, Callable[[], list[str]], int]


def _steps(offices: Offices, work: Path) -> list[Step]:
    """Name, command and processors; a command is made when it is its turn, since it names what the one before it wrote."""
    sealed, opened, acknowledged, receipts = (work / name for name in ("sealed", "opened", "acknowledged", "receipts"))

    def files(folder: Path) -> list[str]:
        return [str(path) for path in sorted(folder.iterdir())]

    def again(step: str, source: Path, output: Path) -> list[str]:
        return [*offices.again(step, [offices.steps[step][2]], files(source), output), "--each"]

    def countersign() -> list[str]:
        argv = again("countersign", acknowledged, receipts)
        argv[argv.index("--envelope") + 1] = str(sealed)
        return argv

    def judge(jobs: int) -> list[str]:
        argv = offices.steps["verify-receipt"]
        return [*offices.command("receipt", "verify"), *files(receipts), *argv[argv.index("--json") :], "--jobs", str(jobs)]

    def verify(jobs: int) -> list[str]:
        argv = offices.steps["verify"]
        return [*offices.command("verify"), *files(sealed), *argv[3:], "--jobs", str(jobs)]

    return [
        ("sealed", lambda: [*offices.seal(sorted((work / "carriers").iterdir()), sealed), "--each"], 1),
        ("verified without a key", lambda: verify(1), 1),
        ("verified without a key, 2 processes", lambda: verify(2), 2),
        ("opened", lambda: again("open", sealed, opened), 1),
        ("acknowledged", lambda: again("acknowledge", sealed, acknowledged), 1),
        ("countersigned", countersign, 1),
        ("receipts verified", lambda: judge(1), 1),
        ("receipts verified, 2 processes", lambda: judge(2), 2),
    ]


def _row(name: str, count: int, runs: Sequence[Taken], limit: Spread | None) -> Row:
    rates = Spread.of([count / took.seconds for took in runs])
    busy = Spread.of([took.user_seconds + took.system_seconds for took in runs]).median
    return Row(
        what=f"small envelopes {name}",
        who="Valiza",
        unit="/s",
        value=rates,
        to_limit=rates.median / limit.median if limit else None,
        goals={"rate": GOAL} if limit else {},
        at_least=True,
        processor_seconds=busy,
        peak_mib=max(took.peak_kib for took in runs) / 1024,
    )


@contextmanager
def _on_processors(count: int) -> Iterator[None]:
    """What is started meanwhile has so many processors, where the system can say which."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:count])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def sealing_alone() -> Callable[[], None]:
    """The signature and the wrapped keys of one envelope, and nothing else."""
    suite = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
    recipient = MLKEM768X25519PublicKey(MLKEM768PrivateKey.generate().public_key(), X25519PrivateKey.generate().public_key())
    lattice, curve = MLDSA65PrivateKey.generate(), Ed25519PrivateKey.generate()
    message = bytes(200)

    def work() -> None:
        for _ in range(WRAPS):
            suite.encrypt(bytes(32), recipient, b"")
        lattice.sign(message, b"")
        curve.sign(message)

    return work
