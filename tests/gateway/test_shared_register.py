"""Two gateways of one body, processes of their own, over one register in PostgreSQL."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.support.killed_server import moved_into
from tests.support.post import gateway_at, mail, verdicts

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.cli import World
    from tests.support.postgresql import Cluster

# Takes a folder and a file of messages, says that it is ready, waits for the word, and checks them all at once.
GATEWAY: Final = """
import json, sys
from pathlib import Path
from valiza.gateway.checking import Checker
from valiza.gateway.message import Message
from valiza.gateway.rules import Rules
from valiza.office.home import Office

office = Office(Path(sys.argv[1]), lambda: "", mends=False)
checker = Checker(office, Rules())
checker.probe()
messages = [Message(raw=Path(path).read_bytes()) for path in sys.argv[2:]]
print("ready", flush=True)
sys.stdin.readline()
print(json.dumps([[str(one.action), [str(f.verdict) for f in one.findings]] for one in checker.check(messages)]))
office.close()
"""
NAMES: Final = ("good", "second", "late", "refused", "discrepant")


def _gateway(home: Path, messages: list[Path]) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", GATEWAY, str(home), *map(str, messages)]
    return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _found(process: subprocess.Popen[str]) -> Any:
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return json.loads(out.splitlines()[-1])


@pytest.mark.slow
def test_the_same_receipts_at_once(post: World, address: str, tmp_path: Path) -> None:
    """Of each receipt one gateway says what it is, and the other that it is known; it is entered once."""
    moved_into(post, address)
    shutil.copytree(post.path("KZ"), tmp_path / "other")
    for home in (post.path("KZ"), tmp_path / "other"):
        shutil.rmtree(home / "keys")
    messages = []
    for name in NAMES:
        path = tmp_path / f"{name}.eml"
        path.write_bytes(mail(post.path(f"{name}.receipt.vls").read_bytes()))
        messages.append(path)
    both = [_gateway(post.path("KZ"), messages), _gateway(tmp_path / "other", list(reversed(messages)))]
    for one in both:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    for one in both:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    first, second = _found(both[0]), list(reversed(_found(both[1])))
    words = {"good": "delivered", "second": "delivered"}
    for name, *said in zip(NAMES, first, second, strict=True):
        assert sorted(said) == sorted([["accept", [words.get(name, name)]], ["accept", ["duplicate"]]])
    at = gateway_at(post.path("KZ"))
    assert at.kinds().count("receipt") == len(NAMES)
    at.office.close()


@pytest.mark.slow
def test_server_that_stops_and_comes_back(post: World, cluster: Cluster, address: str) -> None:
    """While it is away nothing is accepted or rejected that needs it; afterwards everything is as if nothing had been."""
    moved_into(post, address)
    at = gateway_at(post.path("KZ"))
    messages = [mail(post.path(f"{name}.receipt.vls").read_bytes()) for name in NAMES]
    assert verdicts(at.check(messages[0])[0]) == ["delivered"]
    cluster.stop()
    try:
        found = at.check(*messages)
        assert [(verdicts(one), one.action) for one in found] == [(["unavailable"], "defer")] * len(NAMES)
    finally:
        cluster.start()
    until = time.monotonic() + 60
    while (again := [verdicts(one)[0] for one in at.check(*messages)])[1] == "unavailable" and time.monotonic() < until:
        time.sleep(0.2)
    assert again[0] == "duplicate"
    assert again[1:] in (["delivered", "late", "refused", "discrepant"], ["duplicate"] * 4)
    assert at.kinds().count("receipt") == len(NAMES)
    at.office.close()
