"""Carriers of many GiB, sealed, verified and opened: does the memory stay what it is for small ones?

    .venv/bin/python bench/large.py --sizes 8G,100G [--dir DIR]

Up to 8 GiB the carrier is real; a larger one is sparse, one hole that reads as zeros. Envelope and opened carrier are always whole: twice the size is
written to the disk. What it cannot hold is not run, and said; then the largest that fits takes its place.
"""

from __future__ import annotations

import argparse
import filecmp
import os
import tempfile
from pathlib import Path

from exchange import Offices, found_offices, make_carrier
from measuring import Taken, run, size_text
from run import sizes

GIB = 1 << 30
REAL = 8 * GIB
SPARE = 2 * GIB  # left free for whoever else works here
GOAL_PEAK_MIB = 64


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Seal, verify and open carriers of many GiB.")
    parser.add_argument("--sizes", type=sizes, default=[REAL, 100 * GIB], metavar="SIZES", help="such as 8G,100G")
    parser.add_argument("--dir", type=Path, metavar="DIR", help="where to work")
    return parser.parse_args()


def room(folder: Path) -> int:
    system = os.statvfs(folder)
    return system.f_bavail * system.f_frsize - SPARE


def needed(size: int) -> int:
    """For envelope, opened carrier, and the carrier itself where it is real; an envelope is a thousandth longer."""
    return (3 if size <= REAL else 2) * (size + size // 1000 + (1 << 20))


def fitting(size: int, free: int) -> int:
    """The size itself, or the most whole GiB of which envelope and opened carrier fit."""
    while size > 0 and needed(size) > free:
        size = (size - 1) // GIB * GIB
    return size


def measure(offices: Offices, size: int) -> None:
    folder = offices.folder
    carrier, envelope, opened = folder / "carrier.bin", folder / "large.vlz", folder / "large"
    if size <= REAL:
        make_carrier(carrier, size)
    else:
        with carrier.open("xb") as file:
            file.truncate(size)
    verify = offices.steps["verify"]
    tell("sealed", size, run(offices.seal([carrier], envelope), folder))
    tell("verified", size, run([*offices.command("verify"), str(envelope), *verify[3:]], folder))
    tell("opened", size, run(offices.open(envelope, opened), folder))
    assert filecmp.cmp(carrier, opened / carrier.name, shallow=False)
    print(f"  {carrier.name}: what was opened is what was sealed, byte for byte", flush=True)
    for path in (carrier, envelope, opened / carrier.name):
        path.unlink()
    opened.rmdir()


def tell(what: str, size: int, took: Taken) -> None:
    peak = took.peak_kib / 1024
    bound = f"within {GOAL_PEAK_MIB} MiB" if peak <= GOAL_PEAK_MIB else f"MORE than {GOAL_PEAK_MIB} MiB"
    processor = took.user_seconds + took.system_seconds
    print(
        f"  {what}: {took.seconds:.1f} s, {size / GIB / took.seconds:.2f} GiB/s, processor {processor:.1f} s, memory {peak:.0f} MiB, {bound}",
        flush=True,
    )


def main() -> None:
    chosen = arguments()
    with tempfile.TemporaryDirectory(prefix="valiza-large.", dir=chosen.dir) as folder:
        offices = found_offices(Path(folder) / "exchange")
        for size in chosen.sizes:
            free = room(Path(folder))
            fits = fitting(size, free)
            if fits < size:
                print(f"{size_text(size)} needs {needed(size) / GIB:.0f} GiB, and {free / GIB:.0f} GiB are free: NOT RUN")
            if fits:
                print(f"{size_text(fits)}, {'real' if fits <= REAL else 'sparse'} carrier:", flush=True)
                measure(offices, fits)


if __name__ == "__main__":
    main()
