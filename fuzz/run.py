"""Fuzz the targets side by side: python -m fuzz.run [--time SECONDS] [TARGET…]. Ends with a table, and with 1 when something was found."""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from fuzz import seeds, targets, world

HERE: Final = Path(__file__).resolve().parent
STATE: Final = HERE.parent / ".fuzz"
HANGS_AFTER_SECONDS: Final = 120  # by the clock; of its own time an input gets `targets.SECONDS_AN_INPUT`
MEMORY_MIB: Final = 512
KEPT_BYTES: Final = 12288  # of a target in fuzz/corpus
SMOKE_SECONDS: Final = 1


@dataclass(frozen=True)
class Outcome:
    """What came of one target."""

    name: str
    executions: int
    coverage: int
    features: int
    peak_mib: int
    findings: list[Path]
    log: Path
    ended: int

    def line(self) -> str:
        found = ", ".join(path.name for path in self.findings) or ("-" if self.ended == 0 else f"ended with {self.ended}, see {self.log}")
        return f"| {self.name} | {self.executions} | {self.coverage} | {self.features} | {self.peak_mib} | {found} |"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Fuzz every decoder.")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="some of them; all by default")
    parser.add_argument("--time", type=int, default=600, metavar="SECONDS", help="for each target (600)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="targets at a time (one for each processor)")
    parser.add_argument("--smoke", action="store_true", help=f"{SMOKE_SECONDS} s for each target, and nothing is kept but findings")
    parser.add_argument("--keep", action="store_true", help="do not fuzz: put what earlier runs found that reaches more into fuzz/corpus")
    chosen = parser.parse_args()
    if unknown := set(chosen.targets) - set(targets.TARGETS):
        parser.error(f"no such target: {', '.join(sorted(unknown))}; there are {', '.join(targets.TARGETS)}")
    return chosen


def write_seeds(folder: Path, inputs: list[bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for data in inputs:
        (folder / hashlib.sha256(data).hexdigest()[:20]).write_bytes(data)
    return folder


def engine(name: str, options: list[str], log: Path) -> int:
    """Run the engine on one target; returns what it ended with."""
    command = [sys.executable, "-m", "fuzz.one", name]
    # The engine ends without cleaning up, so what it leaves is removed here.
    with tempfile.TemporaryDirectory() as work, tempfile.TemporaryDirectory(dir=world.in_memory()) as files, log.open("wb") as out:
        launcher = Path(work) / "launcher"
        launcher.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
        launcher.chmod(0o700)
        environment = {**os.environ, "VALIZA_FUZZ_LAUNCHER": str(launcher), "VALIZA_FUZZ_FOLDER": files}
        return subprocess.run(
            [*command, *options], stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd=HERE.parent, env=environment, check=False
        ).returncode


def number(pattern: str, text: str) -> int:
    found = re.findall(pattern, text)
    return int(found[-1]) if found else 0


def fuzz(name: str, seconds: int, state: Path) -> Outcome:
    """One target, from its seeds, its corpus, and what earlier runs left in `state`."""
    folder = state / name
    corpus, findings = folder / "corpus", folder / "findings"
    for path in (corpus, findings):
        path.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        begin = write_seeds(Path(work) / "seeds", seeds.everything(name))
        options = [
            f"-max_total_time={seconds}",
            f"-timeout={HANGS_AFTER_SECONDS}",
            f"-rss_limit_mb={MEMORY_MIB}",
            f"-max_len={targets.TARGETS[name].max_bytes}",
            f"-report_slow_units={HANGS_AFTER_SECONDS}",
            "-print_final_stats=1",
            f"-artifact_prefix={findings}/",
            str(corpus),
            str(begin),
        ]
        log = folder / "log"
        ended = engine(name, options, log)
    said = log.read_text("utf-8", "replace")
    return Outcome(
        name,
        executions=number(r"number_of_executed_units: (\d+)", said),
        coverage=number(r"cov: (\d+)", said),
        features=number(r"ft: (\d+)", said),
        peak_mib=number(r"peak_rss_mb: +(\d+)", said),
        findings=sorted(findings.iterdir()),
        log=log,
        ended=ended,
    )


def keep(name: str, state: Path) -> None:
    """Put what reaches more than the seeds do into fuzz/corpus, the shortest first, up to a size."""
    found = seeds.kept(seeds.CORPUS, name)
    corpus = state / name / "corpus"
    found += [path.read_bytes() for path in corpus.glob("*")] if corpus.is_dir() else []
    with tempfile.TemporaryDirectory() as work:
        begin = write_seeds(Path(work) / "seeds", seeds.seeds(name))
        known = {path.name for path in begin.iterdir()}
        more = write_seeds(Path(work) / "more", found)
        log = Path(work) / "log"
        if engine(name, ["-set_cover_merge=1", f"-max_len={targets.TARGETS[name].max_bytes}", str(begin), str(more)], log) != 0:
            sys.exit(f"{name}: merging failed\n{log.read_text('utf-8', 'replace')[-2000:]}")
        added = sorted((path.read_bytes() for path in begin.iterdir() if path.name not in known), key=len)
    kept, total = seeds.CORPUS / name, 0
    shutil.rmtree(kept, ignore_errors=True)
    for data in added:
        total += len(data)
        if total > KEPT_BYTES:
            break
        write_seeds(kept, [data])


def main() -> int:
    chosen = arguments()
    if find_spec("atheris") is None:
        sys.exit("atheris is not installed for this Python: make fuzz installs it; there is none for every version of Python")
    names = chosen.targets or list(targets.TARGETS)
    with tempfile.TemporaryDirectory() as temporary, ThreadPoolExecutor(chosen.jobs) as pool:
        if chosen.keep:
            list(pool.map(lambda name: keep(name, STATE), names))
            return 0
        seconds, state = (SMOKE_SECONDS, Path(temporary)) if chosen.smoke else (chosen.time, STATE)
        outcomes = list(pool.map(lambda name: fuzz(name, seconds, state), names))
        print("| target | executions | edges | features | peak MiB | found |\n|---|---|---|---|---|---|")
        for outcome in outcomes:
            print(outcome.line())
        bad = [outcome for outcome in outcomes if outcome.ended or outcome.findings]
        for outcome in bad:
            print(f"\n{outcome.name}:\n{outcome.log.read_text('utf-8', 'replace')[-3000:]}", file=sys.stderr)
            for path in outcome.findings:
                shown = STATE / outcome.name / "findings" / path.name
                if path != shown:
                    shown.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(path, shown)
                print(f"found: {shown}", file=sys.stderr)
    targets.clean_up()
    print(f"{sum(o.executions for o in outcomes)} executions, {len(bad)} targets with findings")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
