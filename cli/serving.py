"""The command that serves mail servers: valiza gateway serve."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import click

from valiza.cli.gateway import gateway
from valiza.cli.options import FOLDER, PAPER, command_epilog, home_option
from valiza.keys.errors import Unavailable, Usage
from valiza.keys.processes import processors

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["gateway"]

_NEEDED: Final = ("kilter", "prometheus_client")


class _Mode(click.ParamType[int]):
    """Who may use a socket, as chmod takes it."""

    name = "mode"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:  # noqa: ANN401 - click's signature
        """The number, or a usage error."""
        if isinstance(value, int):
            return value
        if re.fullmatch("0?[0-7]{3}", value) is None:
            self.fail(f"{value!r} is no mode", param, ctx)
        return int(value, 8)


@gateway.command(
    "serve",
    short_help="Check what passes a mail server, as a milter.",
    epilog=command_epilog(
        "valiza gateway serve --home kz --rules rules.toml --socket inet:127.0.0.1:8891",
        "valiza gateway serve --home /etc/valiza/kz --rules /etc/valiza/rules.toml \\\n"
        "    --socket unix:/var/spool/postfix/valiza/milter --socket-group postfix --metrics 127.0.0.1:9464",
    ),
)
@click.option("--rules", type=PAPER, required=True, metavar="FILE", help="The rules; see `valiza gateway rules`.")
@click.option(
    "--socket",
    "address",
    required=True,
    metavar="ADDRESS",
    help="Where the mail server finds it, as it writes that itself: unix:PATH or inet:HOST:PORT.",
)
@click.option("--socket-mode", type=_Mode(), default="660", show_default=True, metavar="MODE", help="Who may use a socket in the file system.")
@click.option("--socket-group", metavar="GROUP", help="The group that such a socket belongs to: that of the mail server.")
@click.option(
    "--workers", type=click.IntRange(1, 256), metavar="N", help="How many processes check signatures. [default: as many as there are processors]"
)
@click.option("--metrics", metavar="HOST:PORT", help="Serve /metrics, /health/live and /health/ready there. Without it nowhere.")
@click.option("--spool", type=FOLDER, metavar="DIR", help="Where messages of more than 256 KiB lie while they are checked. [default: TMPDIR]")
@home_option
def serve(
    rules: Path,
    address: str,
    socket_mode: int,
    socket_group: str | None,
    workers: int | None,
    metrics: str | None,
    spool: Path | None,
    home: Path | None,
) -> None:
    """Check every message that passes a Postfix or Sendmail, by rules, until told to end (SIGTERM).

    What is found, and what is done about it, stands in docs/gateway.md. SIGHUP lets it read rules and office again, without dropping a message; if
    they are not as they have to be it goes on with the old ones, and says so. It tells what happens on standard error, one JSON object in a line.
    systemd is told when it is ready.
    """
    _require_packages()
    from valiza.gateway.service import Options, parse_address, parse_host_port, serve_gateway
    from valiza.office.home import require_office

    if home is None:
        message = "no office was named"
        raise Usage(message, "give --home DIR, or set VALIZA_HOME; make one with: valiza office init")
    require_office(home)
    at = parse_address(address)
    monitor = None if metrics is None else parse_host_port(metrics)
    serve_gateway(
        Options(
            home=home,
            rules=rules,
            address=at,
            mode=socket_mode,
            group=socket_group,
            workers=workers or processors(),
            monitor=monitor,
            spool=spool,
        )
    )


def _require_packages() -> None:
    """Raise unless the packages are here that only a service needs.

    Raises:
        Unavailable: one of them is not.
    """
    from importlib import import_module

    try:
        for name in _NEEDED:
            import_module(name)
    except ImportError as error:
        message = f"serving needs packages that are not installed here: {error.name or ', '.join(_NEEDED)}"
        raise Unavailable(message, "install the extra: pip install 'valiza[gateway]'") from error
