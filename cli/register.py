"""The group of commands for the office's register. What they do stands in modules of their own."""

from __future__ import annotations

import click

from valiza.cli.exporting import export
from valiza.cli.following import list_, show
from valiza.cli.options import OrderedGroup
from valiza.cli.reminding import overdue, remind
from valiza.cli.report import report


@click.group(cls=OrderedGroup)
def register() -> None:
    """The register: what was sent and received, answered, and what is outstanding; and the logs that prove it."""


for command in (list_, show, overdue, remind, report, export):
    register.add_command(command)
