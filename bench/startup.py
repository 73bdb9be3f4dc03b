"""What a command costs before it does anything, against Python with the imports that it cannot do without."""

from __future__ import annotations

import sys
from pathlib import Path

from exchange import Offices
from measuring import Row, Spread, Taken, run, valiza

GOAL_HELP = 1.5
# What `--help` needs; and what a signature, a digest and the wire format need.
FOR_HELP = "import click"
FOR_VERIFY = (
    "import click, json, msgpack, sqlite3, nacl.bindings; from blake3 import blake3; import cryptography.cobblestone; "
    "from cryptography.hazmat.primitives import hpke; from cryptography.hazmat.primitives.asymmetric import mldsa"
)


def measure_startup(offices: Offices, rounds: int) -> list[Row]:
    """Each command in turn; one round more than is counted, to warm up."""
    commands = {
        "imports of help": [sys.executable, "-c", FOR_HELP],
        "help": [*valiza(), "--help"],
        "imports of verify": [sys.executable, "-c", FOR_VERIFY],
        "verify": [*valiza(), *offices.steps["verify"][1:]],
    }
    taken: dict[str, list[Taken]] = {name: [] for name in commands}
    for count in range(rounds + 1):
        for name, command in commands.items():
            took = run(command, Path(offices.folder))
            if count:
                taken[name].append(took)
    return [
        row
        for name, what, goals in (("help", "valiza --help", {"limit": GOAL_HELP}), ("verify", "valiza verify, 2 small carriers", {}))
        for row in _rows(what, goals, taken[f"imports of {name}"], taken[name])
    ]


def _rows(what: str, goals: dict[str, float], imports: list[Taken], ours: list[Taken]) -> list[Row]:
    least, time = (Spread.of([1000 * t.seconds for t in runs]) for runs in (imports, ours))
    peaks = [max(t.peak_kib for t in runs) / 1024 for runs in (imports, ours)]
    return [
        Row(what=what, who="imports alone", unit="ms", value=least, to_limit=1, peak_mib=peaks[0]),
        Row(what=what, who="Valiza", unit="ms", value=time, to_limit=time.median / least.median, goals=goals, peak_mib=peaks[1]),
    ]
