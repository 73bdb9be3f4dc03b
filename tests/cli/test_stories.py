"""Stories: a user's commands, and exactly what each prints on standard output and standard error, and how it ends.

A story is a file in stories/. `$ ` begins a command of the shell (a backslash at its end continues it), `# ` a remark. The lines below a
command are what it prints: those that begin with `! ` on standard error, the others on standard output. `…` stands for anything within a
line, and alone on a line for any lines. `= 6` tells the exit code, where it is not 0.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest
from tests.support.cli import VALIZA

STORIES: Final = sorted(Path(__file__).with_name("stories").glob("*.txt"))
MARK: Final = "\x1e"


@dataclass
class Step:
    """A command of a story, and what is told of it."""

    command: str
    line: int
    out: list[str] = field(default_factory=list)
    err: list[str] = field(default_factory=list)
    code: int = 0


def read_story(text: str) -> list[Step]:
    """The steps of a story."""
    steps: list[Step] = []
    continued = False
    for number, line in enumerate(text.splitlines(), 1):
        if continued:
            steps[-1].command += f"\n{line}"
        elif line.startswith("$ "):
            steps.append(Step(line[2:], number))
        elif line.startswith("= "):
            steps[-1].code = int(line[2:])
        elif line.startswith("! "):
            steps[-1].err.append(line[2:])
        elif line and not line.startswith("#"):
            steps[-1].out.append(line)
        continued = line.endswith("\\") and (continued or line.startswith("$ "))
    return steps


def matches(told: list[str], said: str) -> bool:
    """Whether lines of a story are what was printed."""
    pattern = "".join("(?:.*\n)*" if line.strip() == "…" else re.escape(line).replace("…", ".*") + "\n" for line in told)
    return re.fullmatch(pattern, said) is not None


def play(steps: list[Step], folder: Path) -> list[tuple[str, str, int]]:
    """Type the steps into one shell; returns what each printed on both streams, and its exit code."""
    programs = folder / "programs"
    programs.mkdir()
    (programs / "valiza").symlink_to(VALIZA)
    home = folder / "home"
    home.mkdir()
    shell = shutil.which("sh")
    assert shell is not None
    script = "".join(f"{step.command}\nprintf '{MARK}%d{MARK}' $? | tee /dev/stderr\n" for step in steps)
    env = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"}
    done = subprocess.run([shell], input=script, capture_output=True, text=True, encoding="utf-8", cwd=home, env=env, timeout=300, check=False)
    out, err = done.stdout.split(MARK), done.stderr.split(MARK)
    assert len(out) == len(err) == 2 * len(steps) + 1, done.stderr[-1000:]
    return [(out[2 * n], err[2 * n], int(out[2 * n + 1])) for n in range(len(steps))]


@pytest.mark.slow
@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
def test_story(path: Path, tmp_path: Path) -> None:
    steps = read_story(path.read_text(encoding="utf-8"))
    for step, (out, err, code) in zip(steps, play(steps, tmp_path), strict=True):
        where = f"{path.name}, line {step.line}: {step.command}"
        assert code == step.code, f"{where}\nexit {code}\n{err}"
        assert matches(step.err, err), f"{where}\nstandard error:\n{err}"
        assert matches(step.out, out), f"{where}\nstandard output:\n{out}"


def test_stories_are_found() -> None:
    assert {path.stem for path in STORIES} >= {"three-commands", "offices", "refusal", "rewrap"}


@pytest.mark.parametrize(
    ("told", "said", "expected"),
    [
        (["a", "b"], "a\nb\n", True),
        (["a"], "a\nb\n", False),
        (["a", "…"], "a\nb\nc\n", True),
        (["a…c"], "abc\n", True),
        (["a…c"], "ab\nc\n", False),
        ([], "", True),
        ([], "a\n", False),
        (["…"], "", True),
    ],
)
def test_what_a_story_tells_is_compared(told: list[str], said: str, expected: bool) -> None:  # noqa: FBT001 - a column of the table
    assert matches(told, said) is expected
