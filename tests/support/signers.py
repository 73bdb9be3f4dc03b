"""External signers for tests: how support/signer.py is started, and keys whose half it keeps."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from tests.support.keys import counting
from tests.support.signer import public_of

from valiza.keys.external import ExternalSigner, ExternalSigningKey
from valiza.keys.program import Patience, Program

__all__ = ["SCRIPT", "command", "external_key", "signer", "toml"]

SCRIPT: Final = Path(__file__).resolve().with_name("signer.py")
REFERENCE: Final = "any"


def command(*arguments: str | Path) -> tuple[str, ...]:
    """The command that starts the signer."""
    return (sys.executable, "-P", str(SCRIPT), *map(str, arguments))


def signer(*arguments: str | Path) -> ExternalSigner:
    """The signer, as a key file names it."""
    return ExternalSigner(reference=REFERENCE, command=command(*arguments))


def external_key(*arguments: str | Path, name: str = "one", patience: Patience | None = None) -> ExternalSigningKey:
    """A key whose Ed25519 half the signer keeps, under that name; nothing is started yet."""
    given = signer("--key", name, *arguments)
    return ExternalSigningKey(counting(name)(32), public_of(name), given, program=Program(given.command, patience or Patience()))


def toml(*keys: tuple[str, str, tuple[str, ...]]) -> str:
    """A list of external signers: officer, purpose and command of each key."""
    rows = [f'[[key]]\nofficer = "{o}"\npurpose = "{p}"\nreference = "{REFERENCE}"\ncommand = {list(words)!r}\n' for o, p, words in keys]
    return "\n".join(rows)
