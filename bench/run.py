"""Everything that is measured, as one table: Valiza beside what the machine allows and what others use. Nothing passes or fails by a time."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from batch import measure_batch
from exchange import found_offices, measure_exchange
from measuring import MIB, Row
from peers import versions
from receipts import measure_receipts
from roster import measure_roster
from startup import measure_startup

UNITS = {"K": 1 << 10, "M": MIB, "G": 1 << 30}
PARTS = ("startup", "receipts", "roster", "batch", "exchange")
SIZES, QUICK_SIZES = "1K,64K,1M,16M,64M,256M,1G", "1K,1M"
LIBRARIES = ("blake3", "click", "cryptography", "msgpack", "pynacl", "shamir-mnemonic")


def sizes(text: str) -> list[int]:
    return [int(part.rstrip("KMG")) * UNITS.get(part[-1:], 1) for part in text.upper().split(",")]


def parts(text: str) -> list[str]:
    chosen = text.split(",")
    if unknown := set(chosen) - set(PARTS):
        raise argparse.ArgumentTypeError(f"no such part: {', '.join(sorted(unknown))}")
    return chosen


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure Valiza beside what the machine allows.")
    parser.add_argument("--quick", action="store_true", help="smaller sizes, fewer rounds: whether it runs, not how fast")
    parser.add_argument("--sizes", type=sizes, metavar="SIZES", help="sizes of the carrier, such as 1M,64M,1G")
    parser.add_argument("--rounds", type=int, metavar="N", help="rounds that are counted, after one that is not")
    parser.add_argument("--only", type=parts, default=list(PARTS), metavar="PARTS", help=f"some of {','.join(PARTS)}")
    parser.add_argument("--dir", type=Path, metavar="DIR", help="where to work; six times the greatest size must fit")
    parser.add_argument("--save", type=Path, metavar="FILE", help="write the results as JSON too, for plot.py")
    parser.add_argument("--json", action="store_true", help="print JSON, not a table")
    return parser.parse_args()


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def measure(chosen: argparse.Namespace) -> list[Row]:
    rounds = chosen.rounds or (2 if chosen.quick else 5)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="valiza-bench.", dir=chosen.dir) as folder:
        offices = found_offices(Path(folder) / "exchange")
        if "startup" in chosen.only:
            say("startup")
            rows += measure_startup(offices, rounds * 4)
        if "receipts" in chosen.only:
            say("receipts")
            rows += measure_receipts(offices, rounds, 0.2 if chosen.quick else 1.0)
        if "roster" in chosen.only:
            say("roster")
            rows += measure_roster(offices, rounds, quick=chosen.quick, say=say)
        if "batch" in chosen.only:
            rows += measure_batch(offices, 20 if chosen.quick else 1000, rounds, say)
        if "exchange" in chosen.only:
            rows += measure_exchange(offices, chosen.sizes or sizes(QUICK_SIZES if chosen.quick else SIZES), rounds, say)
    return rows


def machine() -> dict[str, str]:
    """What the numbers hold for."""
    return {
        "python": platform.python_version(),
        "system": platform.system(),
        "processor": platform.machine(),
        "processors": str(os.cpu_count()),
        **{name: version(name) for name in LIBRARIES},
        **versions(),
    }


def table(rows: list[Row]) -> list[str]:
    lines = [["what", "who", "median", "least-greatest", "of the limit", "of age", "goal", "processor", "memory", "damaged envelope"]]
    lines += [[row.what, row.who, *_measured(row), row.note] for row in rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]


def _measured(row: Row) -> list[str]:
    if row.value is None:
        return [""] * 7
    digits = 2 if row.unit == "s" else 0
    value = row.value
    goals = [f"{'>=' if row.at_least else '<='} {goal:.2f}" for goal in row.goals.values()]
    return [
        f"{value.median:.{digits}f} {row.unit}",
        f"{value.least:.{digits}f}-{value.greatest:.{digits}f}",
        "" if row.to_limit is None else f"{row.to_limit:.2f}",
        "" if row.to_age is None else f"{row.to_age:.2f}",
        ", ".join(goals),
        "" if row.processor_seconds is None else f"{row.processor_seconds:.2f} s",
        "" if row.peak_mib is None else f"{row.peak_mib:.0f} MiB",
    ]


def main() -> None:
    chosen = arguments()
    rows = measure(chosen)
    told = {"machine": machine(), "rows": [row.as_json() for row in rows]}
    if chosen.save:
        chosen.save.parent.mkdir(parents=True, exist_ok=True)
        chosen.save.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    if chosen.json:
        print(json.dumps(told, indent=2))
        return
    print(", ".join(f"{name} {value}" for name, value in machine().items()))
    print(*table(rows), sep="\n")


if __name__ == "__main__":
    main()
