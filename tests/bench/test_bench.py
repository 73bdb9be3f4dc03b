"""The benchmarks run, and tell what they measured. No time is asserted anywhere."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"
PEERS = {"age + minisign", "gpg", "openssl cms"}

pytestmark = [pytest.mark.slow, pytest.mark.checkout]


def measured(folder: Path, *arguments: str, path: Path) -> list[dict[str, Any]]:
    saved = folder / "results" / "bench.json"
    command = [sys.executable, str(BENCH / "run.py"), "--quick", "--rounds", "1", "--dir", str(folder), "--save", str(saved), *arguments]
    done = subprocess.run(command, env={"PATH": str(path)}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1].startswith("what ")
    told = json.loads(saved.read_text(encoding="utf-8"))
    assert {"python", "cryptography"} <= told["machine"].keys()
    rows: list[dict[str, Any]] = told["rows"]
    return rows


def test_exchange_where_no_peer_is_installed(tmp_path: Path) -> None:
    rows = measured(tmp_path, "--only", "exchange", "--sizes", "1K", path=tmp_path)
    assert [row["what"] for row in rows if row["who"] == "Valiza"] == ["seal 1 KiB", "open 1 KiB"]
    assert {row["who"] for row in rows if row["note"] == "not installed"} == PEERS
    assert {row["note"] for row in rows if row["who"] == "Valiza" and row["verb"] == "open"} == {"refused, nothing left"}
    assert all(row["value"]["median"] > 0 and row["to_limit"] > 0 for row in rows if row["who"] not in PEERS)
    assert [path.name for path in tmp_path.iterdir()] == ["results"]


def test_exchange_with_the_peers_that_are_installed(tmp_path: Path) -> None:
    rows = measured(tmp_path, "--only", "exchange", "--sizes", "1K", path=Path("/usr/bin:/bin"))
    of = {who: [row for row in rows if row["who"] == who] for who in PEERS}
    assert all(len(found) == 2 for found in of.values())
    assert all(row["note"] == "not installed" or row["value"]["median"] > 0 for found in of.values() for row in found)


def test_everything_else(tmp_path: Path) -> None:
    rows = measured(tmp_path, "--only", "startup,receipts,batch", path=tmp_path)
    assert len(rows) > 10
    assert all(row["value"]["median"] > 0 for row in rows)


def test_roster(tmp_path: Path) -> None:
    rows = measured(tmp_path, "--only", "roster", path=tmp_path)
    ours = {row["what"]: row for row in rows if row["who"] == "Valiza"}
    assert {"chain of two, first use", "import 300 credentials", "300: open it, the roots checked", "300: look up, again"} <= set(ours)
    assert all(row["value"]["median"] > 0 for row in rows)
    assert ours["chain of two, first use"]["to_limit"] > 1
    assert [path.name for path in tmp_path.iterdir()] == ["results"]


def test_large(tmp_path: Path) -> None:
    command = [sys.executable, str(BENCH / "large.py"), "--sizes", "1M", "--dir", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "1 MiB, real carrier:" in done.stdout
    assert "byte for byte" in done.stdout
    assert "MORE" not in done.stdout


@pytest.mark.parametrize("where", [[], ["--cluster"]])
def test_register(tmp_path: Path, where: list[str], request: pytest.FixtureRequest) -> None:
    if where:
        request.getfixturevalue("cluster")  # skips where there is no server
    saved = tmp_path / "results" / "register.json"
    command = [sys.executable, str(BENCH / "register.py"), "--entries", "1200", "--dir", str(tmp_path), "--save", str(saved), *where]
    done = subprocess.run(command, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "1200 entries take up to" in done.stderr
    rows = json.loads(saved.read_text(encoding="utf-8"))["rows"]
    whats = {row["what"] for row in rows}
    assert {f"{size}: {what}" for size in (1000, 1200) for what in ("append one, durable", "look up, number", "verify, hashes only")} <= whats
    assert {"verify: signatures", "verify: entries, whole", "verify: entries, hashes only"} <= whats
    assert all(row["value"]["median"] > 0 for row in rows)
    assert [path.name for path in tmp_path.iterdir()] == ["results"]
