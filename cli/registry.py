"""`valiza register` with all its commands: importing a module adds its own."""

from __future__ import annotations

from typing import Final

from valiza.cli import database, keeping, log
from valiza.cli.register import register

__all__ = ["database", "keeping", "log", "register"]

# The order of the work: look up and follow up, prove, keep, set up.
_ORDER: Final = (
    *("list", "show", "overdue", "remind", "report", "export"),
    *("verify", "checkpoint", "cosign", "import", "heads", "prove"),
    *("backup", "restore", "migrate", "roles"),
)
register.commands = {name: register.commands[name] for name in sorted(register.commands, key=_ORDER.index)}
