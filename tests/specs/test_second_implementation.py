"""What the product makes, the independent reader beside the vectors reads: it was written from the specifications alone."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from valiza.keys.keyfile import load_key

READER = Path(__file__).resolve().parents[2] / "specs" / "vectors" / "generate" / "reader.py"
pytestmark = [pytest.mark.slow, pytest.mark.checkout]


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole exchange, by the command."""
    folder = tmp_path_factory.mktemp("second") / "demo"
    carrier = folder.parent / "carrier.bin"
    carrier.write_bytes(os.urandom(40_000))
    command: list[str | Path] = [Path(sys.executable).with_name("valiza"), "demo", carrier, "--dir", folder, "--json"]
    done = subprocess.run(command, capture_output=True, check=True)
    assert json.loads(done.stdout)["verdict"] == "delivered"
    return folder


def outcome(folder: Path, object_: str, raw: bytes, **head: str | list[str]) -> str:
    """What the second implementation says of an object, with the demo's rosters and agreement."""
    roots = [f"{office[:2]} {(folder / 'offices' / office / 'roots' / office[:2]).read_text().strip()}" for office in ("KZ-MFA", "BY-MFA")]
    lines: dict[str, str | list[str]] = {
        "object": object_,
        "root": roots,
        "trust": [str(folder / "KZ.roster.vls"), str(folder / "BY.roster.vls")],
        "agreement": str(folder / "kz-by.vls"),
        "at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        **head,
    }
    text = "".join(f"{key}: {value}\n" for key, values in lines.items() for value in ([values] if isinstance(values, str) else values))
    vector = folder.parent / f"{object_}.vector"
    vector.write_bytes(text.encode() + b"\n" + raw)
    return subprocess.run([sys.executable, READER, vector], capture_output=True, check=True, text=True).stdout


def test_it_verifies_an_envelope(exchange: Path) -> None:
    said = outcome(exchange, "envelope", (exchange / "envelope.vlz").read_bytes(), mode="verify")
    assert "expect='success'" in said


def test_it_opens_an_envelope(exchange: Path) -> None:
    key = load_key(exchange / "offices" / "BY-MFA" / "keys" / "yanka" / "open.key", lambda: "")
    seed = exchange.parent / "yanka.seed"
    seed.write_text(key.seed.hex())
    said = outcome(exchange, "envelope", (exchange / "envelope.vlz").read_bytes(), mode="open", identity=str(seed))
    assert "expect='success'" in said
    assert hashlib.sha256((exchange / "opened" / "carrier.bin").read_bytes()).hexdigest() in said


def test_it_reads_acknowledgement_and_receipt(exchange: Path) -> None:
    assert "expect='success'" in outcome(exchange, "acknowledgement", (exchange / "acknowledgement.vls").read_bytes())
    raw = (exchange / "receipt.vls").read_bytes()
    said = outcome(exchange, "receipt", raw, **{"with": str(exchange / "envelope.vlz")})
    assert "expect='success'" in said
    assert "verdict='attested'" in said


def test_it_refuses_an_altered_envelope(exchange: Path) -> None:
    raw = bytearray((exchange / "envelope.vlz").read_bytes())
    raw[len(raw) // 2] ^= 1
    assert "expect='success'" not in outcome(exchange, "envelope", bytes(raw), mode="verify")
