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
        "python": [sys.executable, "-c", "pass"],
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
    times = {name: Spread.of([1000 * t.seconds for t in runs]) for name, runs in taken.items()}
    return [
        Row(
            what=what,
            unit="ms",
            limit=times[f"imports of {name}"],
            ours=times[name],
            ratio=times[name].median / times[f"imports of {name}"].median,
            goal=goal,
            peak_mib=max(t.peak_kib for t in taken[name]) / 1024,
            more={"bare_python": times["python"].median},
        )
        for name, what, goal in (("help", "valiza --help", GOAL_HELP), ("verify", "valiza verify, 2 small carriers", None))
    ]
