"""Everything that is measured, in one run, as one table: Valiza beside what the machine allows. Nothing here passes or fails by a time."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from exchange import found_offices, measure_size
from measuring import MIB, Row, Spread
from receipts import measure_receipts
from startup import measure_startup

UNITS = {"K": 1 << 10, "M": MIB, "G": 1 << 30}
PARTS = ("exchange", "startup", "receipts")
LIBRARIES = ("blake3", "click", "cryptography", "msgpack", "pynacl")


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
    parser.add_argument("--dir", type=Path, metavar="DIR", help="where to work; five times the greatest size must fit")
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
        if "exchange" in chosen.only:
            for size in chosen.sizes or sizes("1M,64M" if chosen.quick else "1M,64M,1G"):
                rows += measure_size(offices, size, rounds, say)
    return rows


def machine() -> dict[str, str]:
    """What the numbers hold for."""
    return {
        "python": platform.python_version(),
        "system": platform.system(),
        "processor": platform.machine(),
        "processors": str(os.cpu_count()),
        **{name: version(name) for name in LIBRARIES},
    }


def spread(values: Spread, unit: str) -> str:
    digits = 2 if unit == "s" else 0
    return f"{values.median:.{digits}f} {unit} ({values.least:.{digits}f}-{values.greatest:.{digits}f})"


def table(rows: list[Row]) -> list[str]:
    lines = [["what", "the machine's limit", "Valiza", "ratio", "goal", "peak memory"]]
    for row in rows:
        goal = "" if row.goal is None else f"{'>=' if row.at_least else '<='} {row.goal}"
        peak = "" if row.peak_mib is None else f"{row.peak_mib:.0f} MiB"
        lines.append([row.what, spread(row.limit, row.unit), spread(row.ours, row.unit), f"{row.ratio:.2f}", goal, peak])
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]


def main() -> None:
    chosen = arguments()
    rows = measure(chosen)
    if chosen.json:
        print(json.dumps({"machine": machine(), "rows": [row.as_json() for row in rows]}, indent=2))
        return
    print(", ".join(f"{name} {value}" for name, value in machine().items()))
    print("median (least-greatest)")
    print(*table(rows), sep="\n")


if __name__ == "__main__":
    main()
