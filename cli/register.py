"""The group of commands for the office's register. What they do stands in modules of their own."""

from __future__ import annotations

import click

from valiza.cli.following import list_, show
from valiza.cli.options import OrderedGroup


@click.group(cls=OrderedGroup)
def register() -> None:
    """The register: what was sent and received, answered, and what is outstanding."""


for command in (list_, show):
    register.add_command(command)
