"""`valiza register` with all its commands: importing a module adds its own."""

from __future__ import annotations

from valiza.cli import database, keeping, log
from valiza.cli.register import register

__all__ = ["database", "keeping", "log", "register"]
