"""Progress at a real terminal, seen through a pseudo-terminal, and none anywhere else."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pexpect
import pytest
from tests.support.cli import VALIZA

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.cli import World

ERASE: Final = "\r\x1b[K"
# Work that takes as long as it takes for the line to appear: it stops when it has seen it.
WORK: Final = """
import sys, time
from valiza.cli.terminal import {how}, say
from valiza.cli import terminal
with {how}("receipts", {total}) as advance:
    advance({step})
    until = time.monotonic() + 60
    while not any(terminal._lines_shown) and time.monotonic() < until:
        time.sleep(0.05)
        advance(0)
    {then}
say("done")
"""


def _script(how: str, total: int, step: int, then: str = "pass") -> list[str]:
    return ["-c", WORK.format(how=how, total=total, step=step, then=then)]


def _seen(script: list[str], *, columns: int = 80, term: str = "xterm", wait: str = "done") -> str:
    terminal = pexpect.spawn(
        sys.executable, script, encoding="utf-8", timeout=60, dimensions=(24, columns), env={"TERM": term, "PATH": "/usr/bin:/bin"}
    )
    terminal.expect(wait)
    shown = (terminal.before or "") + str(terminal.after)
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 0, shown
    return shown


def test_counting_shows_number_rate_and_time_left() -> None:
    shown = _seen(_script("counting", 10_000, 1_200))
    assert re.search(r"receipts: 1200 of 10000  \d+(\.\d)?/s  \d+ (s|min|h) left", shown), shown
    assert shown.endswith(f"{ERASE}done"), "the line is gone before anything else is said"


def test_bytes_show_share_rate_and_time_left() -> None:
    shown = _seen(_script("progress", 1 << 30, 256 << 20))
    assert re.search(r"receipts:  25 %  \d+ MB/s  \d+ (s|min|h) left", shown), shown
    assert shown.endswith(f"{ERASE}done")


def test_line_is_erased_before_something_is_said_and_comes_back() -> None:
    shown = _seen(_script("counting", 100, 1, 'say("valiza: between"); time.sleep(0.3); advance(1)'))
    assert f"left{ERASE}valiza: between\r\n{ERASE}receipts: 2 of 100" in shown


def test_one_line_in_another() -> None:
    """Objects are counted, and one of them is large."""
    then = """
    with terminal.progress("opening", 1 << 30) as inner:
        time.sleep(0.3)
        inner(1 << 28)
    time.sleep(0.3)
    advance(1)"""
    shown = _seen(_script("counting", 3, 1, then))
    assert re.search(r"receipts: 1 of 3 .*opening:  25 % .*receipts: 2 of 3 ", shown, re.DOTALL), shown
    assert shown.endswith(f"{ERASE}done")


def test_line_fits_a_narrow_terminal() -> None:
    shown = _seen(_script("counting", 10_000, 1_200), columns=20)
    lines = [part for part in shown.split(ERASE) if part.startswith("receipts")]
    assert lines
    assert all(len(line) < 20 for line in lines)


@pytest.mark.parametrize(("how", "total"), [("counting", 1), ("counting", 0), ("progress", 1 << 20), ("progress", 0)])
def test_none_for_what_is_soon_over(how: str, total: int) -> None:
    script = ["-c", f'from valiza.cli.terminal import {how}, say\nimport time\nwith {how}("x", {total}) as a:\n time.sleep(0.3)\n a(1)\nsay("done")']
    assert _seen(script) == "done"


def test_none_on_a_terminal_that_cannot_erase() -> None:
    script = ["-c", 'from valiza.cli.terminal import counting, say\nimport time\nwith counting("x", 9) as a:\n time.sleep(0.3)\n a(1)\nsay("done")']
    assert _seen(script, term="dumb") == "done"


def test_none_in_a_pipe() -> None:
    script = 'from valiza.cli.terminal import counting\nimport time\nwith counting("x", 9) as a:\n time.sleep(0.3)\n a(1)'
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, timeout=60)
    assert done.stderr == b""


@pytest.mark.slow
def test_sealing_and_verifying_a_large_carrier(world: World, tmp_path: Path) -> None:
    """On a terminal with --json too: the line goes to standard error, the result to standard output."""
    carrier = tmp_path / "large.bin"
    with carrier.open("wb") as file:
        file.truncate(768 << 20)
    envelope = tmp_path / "large.vlz"
    result = tmp_path / "result.json"
    words = [*world.order(files=[carrier]), "-o", envelope, "--home", world.kz.home, "--json"]
    for command in (words, ["verify", envelope, "--home", world.by.home, "--json"]):
        script = ["-c", 'out=$1; shift; exec "$@" > "$out"', "sh", str(result), str(VALIZA), *map(str, command)]
        terminal = pexpect.spawn("sh", script, encoding="utf-8", timeout=300)
        terminal.expect(pexpect.EOF)
        shown = terminal.before or ""
        terminal.close()
        assert terminal.exitstatus == 0, shown
        assert re.search(r"ing: +\d+ %  \d+ MB/s  \d+ (s|min|h) left", shown), shown
        assert "left" not in shown.split(ERASE)[-1], shown
        assert result.read_bytes().startswith(b"{")
