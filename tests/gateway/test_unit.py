"""The unit with which systemd starts a gateway."""

from __future__ import annotations

import ctypes
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from tests.support.cli import VALIZA, found_world, require_understood
from tests.support.letters import letter, plain
from tests.support.milter import connected
from tests.support.postfix import wait

pytestmark = pytest.mark.checkout

ROOT: Final = Path(__file__).parent.parent.parent
UNIT: Final = ROOT / "docs" / "valiza-gateway.service"
SET_MDWE: Final = 65  # of prctl(2): what MemoryDenyWriteExecute= asks of Linux 6.3 and newer


def _setting(name: str) -> str:
    (found,) = re.findall(rf"^{name}=(.*)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE)
    return str(found)


def _program() -> str:
    found = shutil.which("systemd-analyze")
    if found is None:
        pytest.skip("systemd-analyze is not installed")
    return found


def test_systemd_understands_it(tmp_path: Path) -> None:
    unit = tmp_path / UNIT.name
    text = UNIT.read_text(encoding="utf-8").replace("/usr/bin/valiza", str(VALIZA))
    unit.write_text(text.replace("Documentation=man:", "Documentation=https://example.org/"), encoding="utf-8")
    done = subprocess.run([_program(), "verify", "--man=no", unit], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_it_is_exposed_to_little() -> None:
    """On systemd's scale from 0 to 10; a service without any hardening has 9.6."""
    command = [_program(), "security", "--offline=true", "--no-pager", str(UNIT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    found = re.search(r"exposure level for valiza-gateway.service: ([0-9.]+)", done.stdout)
    assert found is not None, done.stderr
    assert float(found[1]) < 2


def test_the_program_understands_what_it_is_started_with() -> None:
    program, *words = shlex.split(_setting("ExecStart"))
    assert program.endswith("/valiza")
    require_understood(words)
    assert _setting("Type") == "notify"


def test_it_may_write_the_folder_of_its_socket_and_not_its_own() -> None:
    words = shlex.split(_setting("ExecStart"))
    home, rules, address = (Path(words[words.index(option) + 1]) for option in ("--home", "--rules", "--socket"))
    written = [Path(path) for path in _setting("ReadWritePaths").split()]
    assert written == [Path(str(address).removeprefix("unix:")).parent]
    assert [path for path in written for kept in (home, rules) if path in (kept, *kept.parents) or kept in path.parents] == []
    assert _setting("ProtectSystem") == "strict"
    assert re.findall(r"^(?:State|Cache|Logs|Configuration)Directory=", UNIT.read_text(encoding="utf-8"), re.MULTILINE) == []


@pytest.mark.slow
def test_it_works_without_memory_that_is_written_and_executed(tmp_path: Path) -> None:
    """Of all that the unit forbids this is what an interpreter is likeliest to need."""
    if ctypes.CDLL(None).prctl(SET_MDWE + 1, 0, 0, 0, 0) < 0:
        pytest.skip("this kernel cannot forbid it")
    world = found_world(tmp_path / "world")
    rules, path, log = tmp_path / "rules.toml", tmp_path / "milter", tmp_path / "log"
    rules.write_text("version = 1\n", encoding="utf-8")
    launcher = f"import ctypes, os, sys; assert ctypes.CDLL(None).prctl({SET_MDWE}, 1, 0, 0, 0) == 0; os.execv(sys.argv[1], sys.argv[1:])"
    serve = [VALIZA, "gateway", "serve", "--home", world.kz.home, "--rules", rules, "--socket", f"unix:{path}", "--metrics", "127.0.0.1:0"]
    with log.open("wb") as err, subprocess.Popen([sys.executable, "-c", launcher, *map(str, serve)], stderr=err) as process:
        try:
            wait(lambda: b'"ready"' in log.read_bytes() or process.poll() is not None, "a gateway")
            with connected(path) as server:
                assert server.send(plain()).verdicts == ["none"]
                assert server.send(letter(world.by.roster.read_bytes())).verdicts == ["statement"]
                assert server.send(letter(world.seal().read_bytes())).verdicts == ["outgoing"]
        finally:
            process.terminate()
    assert process.returncode == 0
