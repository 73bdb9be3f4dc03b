"""Carriers of many GiB, sealed, verified and opened: does the memory stay what it is for small ones?

    .venv/bin/python bench/large.py --sizes 8G,100G [--dir DIR] [--hollow | --disk]

Up to 8 GiB the carrier is real; a larger one is sparse, one hole that reads as zeros. Envelope and opened carrier are whole: twice the size is
written to the disk. What it cannot hold goes to a hollow file system (hollow.py), which keeps no room for zeros and their ciphertext; where there is
no FUSE, that is said, and the largest that fits takes its place. With `--hollow` everything goes there, and carriers of up to 8 GiB are checked in
another way too: the envelope, copied from there to the disk, is verified and opened on the disk.
"""

from __future__ import annotations

import argparse
import contextlib
import filecmp
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from exchange import Offices, found_offices, make_carrier
from measuring import Taken, environment, run, size_text
from run import sizes

GIB = 1 << 30
REAL = 8 * GIB
SPARE = 2 * GIB  # left free for whoever else works here
GOAL_PEAK_MIB = 64
HERE = Path(__file__).resolve().parent
BENCH_PYTHON = HERE.parent / ".venv-bench" / "bin" / "python"  # `make bench` makes it


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Seal, verify and open carriers of many GiB.")
    parser.add_argument("--sizes", type=sizes, default=[REAL, 100 * GIB], metavar="SIZES", help="such as 8G,100G")
    parser.add_argument("--dir", type=Path, metavar="DIR", help="where to work")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--hollow", action="store_true", help="use the hollow file system for all sizes, and check it")
    where.add_argument("--disk", action="store_true", help="never use it")
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


def measure(offices: Offices, size: int, *, where: Path, real: bool, store: Path | None = None) -> None:
    """Seal a carrier on the disk into `where`, verify and open it there, and compare; `store` is what a hollow file system keeps."""
    folder = offices.folder
    carrier, envelope, opened = folder / "carrier.bin", where / "large.vlz", where / "large"
    if real:
        make_carrier(carrier, size)
    else:
        with carrier.open("xb") as file:
            file.truncate(size)
    tell("sealed", size, run(offices.seal([carrier], envelope), folder))
    tell("verified", size, run(verifying(offices, envelope), folder))
    tell("opened", size, run(offices.open(envelope, opened), folder))
    if store is None or size <= REAL:
        assert filecmp.cmp(carrier, opened / carrier.name, shallow=False)
        print(f"  {carrier.name}: what was opened is what was sealed, byte for byte", flush=True)
    else:
        print(f"  {carrier.name}: {look(opened / carrier.name, size)}", flush=True)
    if store is not None:
        print(f"  envelope {envelope.stat().st_size} bytes, opened carrier {size}; kept of both on the disk: {stored(store)}", flush=True)
    if store is not None and size <= REAL:
        on_disk = folder / "copy"
        on_disk.mkdir()
        copied = Path(shutil.copyfile(envelope, on_disk / "copy.vlz"))
        run(verifying(offices, copied), folder)
        run(offices.open(copied, on_disk / "copy"), folder)
        assert filecmp.cmp(carrier, on_disk / "copy" / carrier.name, shallow=False)
        shutil.rmtree(on_disk)
        print(f"  {envelope.name}: its copy on the disk verifies, and opens to the same bytes", flush=True)
    for path in (carrier, envelope, opened / carrier.name):
        path.unlink()
    opened.rmdir()


def verifying(offices: Offices, envelope: Path) -> list[str]:
    return [*offices.command("verify"), str(envelope), *offices.steps["verify"][3:]]


def look(path: Path, size: int) -> str:
    """The size, and a MiB in each of a hundred places; the command to open has compared the digest of all of it with the one sealed."""
    assert path.stat().st_size == size
    block = 1 << 20
    with path.open("rb", buffering=0) as file:
        for number in range(101):
            file.seek((size - block) * number // 100)
            assert file.read(block) == bytes(block), number
    return f"{size_text(size)} were opened, and are zeros in 101 places, first and last MiB among them"


@contextlib.contextmanager
def hollow(offices: Offices) -> Iterator[tuple[Path, Path]]:
    """A hollow file system that has the addressee's key, and the folder on the disk where it keeps what it has to.

    Raises:
        OSError: it cannot be mounted.
    """
    mountpoint, store = offices.folder / "hollow", offices.folder / "store"
    mountpoint.mkdir(exist_ok=True)
    store.mkdir(exist_ok=True)
    opening = offices.steps["open"]
    home, officer = (Path(opening[opening.index("--home") + 1]), opening[opening.index("--as") + 1])
    command = [str(BENCH_PYTHON), str(HERE / "hollow_mount.py"), str(mountpoint), str(store), str(home / "keys" / officer / "open.key")]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, env={**environment(), "PYTHONPATH": str(HERE.parent / "src")}, stdin=pipe, stderr=pipe)
    assert process.stdin is not None
    assert process.stderr is not None
    try:
        while not os.path.ismount(mountpoint):
            if process.poll() is not None:
                said = process.stderr.read().decode(errors="replace").splitlines()
                raise OSError(next((line for line in said if line.startswith("fuse")), said[-1] if said else "it said nothing"))
            time.sleep(0.05)
        yield mountpoint, store
    finally:
        process.stdin.close()  # it unmounts
        process.wait()
        process.stderr.close()
        shutil.rmtree(store)
        mountpoint.rmdir()


def stored(store: Path) -> int:
    return sum(path.stat().st_blocks * 512 for path in store.rglob("*"))


def measure_hollow(offices: Offices, size: int) -> str:
    """The same in a hollow file system; returns why there is none, or nothing."""
    with contextlib.ExitStack() as stack:
        try:
            mountpoint, store = stack.enter_context(hollow(offices))
        except OSError as error:
            return f"no hollow file system: {error}"
        for real in (False, True) if size <= REAL else (False,):
            print(f"{size_text(size)}, {'real' if real else 'sparse'} carrier, envelope and opened carrier in a hollow file system:", flush=True)
            measure(offices, size, where=mountpoint, real=real, store=store)
    return ""


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
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what is mounted is unmounted
    with tempfile.TemporaryDirectory(prefix="valiza-large.", dir=chosen.dir) as folder:
        offices = found_offices(Path(folder) / "exchange")
        for size in chosen.sizes:
            free = room(Path(folder))
            fits = fitting(size, free)
            if chosen.hollow or (fits < size and not chosen.disk):
                why = measure_hollow(offices, size)
                if not why:
                    continue
                if chosen.hollow:
                    raise SystemExit(why)
                print(why)
            if fits < size:
                print(f"{size_text(size)} needs {needed(size) / GIB:.0f} GiB, and {free / GIB:.0f} GiB are free: NOT RUN")
            if fits:
                print(f"{size_text(fits)}, {'real' if fits <= REAL else 'sparse'} carrier:", flush=True)
                measure(offices, fits, where=offices.folder, real=fits <= REAL)


if __name__ == "__main__":
    main()
