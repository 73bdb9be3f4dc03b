"""`valiza config`: which defaults count, and where they come from."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from valiza.cli.options import FOLDER, OrderedGroup, as_json, command_epilog
from valiza.cli.render import emit
from valiza.cli.terminal import print_result, safe
from valiza.keys.errors import Usage

_VARIABLES = {"home": "VALIZA_HOME", "as": "VALIZA_AS"}


@click.group(cls=OrderedGroup)
def config() -> None:
    """Defaults of options: the user's in config.toml, an office's in its defaults.toml.

    The command line wins over the environment, that over the office's file, and that over the user's.
    """


@config.command("path", short_help="Say where the user's defaults are kept.", epilog=command_epilog("valiza config path"))
def path() -> None:
    """Print the path of the user's file, whether it is there or not."""
    from valiza.cli.defaults import user_file

    found = user_file()
    if found is None:
        message = "no file is read: VALIZA_CONFIG is empty, or there is no home"
        raise Usage(message, "set VALIZA_CONFIG to a file, or unset it")
    print_result(safe(found))


# Not the usual --home: it would read the office's file before this command can say what is wrong with it.
@config.command(
    "show", short_help="Show the defaults that count.", epilog=command_epilog("valiza config show", "valiza config show --home kz --json")
)
@click.option("--home", type=FOLDER, envvar="VALIZA_HOME", metavar="DIR", help="The office's folder (or VALIZA_HOME).")
@as_json
def show(home: Path | None, json_: bool) -> None:
    """Show every default that counts, and the file or variable that it comes from."""
    from valiza.cli.defaults import KEYS, effective, office_file, office_settings, user_file, user_settings

    user = user_settings()
    typed = click.get_current_context().get_parameter_source("home") is click.core.ParameterSource.COMMANDLINE
    given = {key: (os.environ[name], name) for key, name in _VARIABLES.items() if os.environ.get(name)}
    if typed:
        given["home"] = (str(home), "--home")
    elif home is None and user is not None:
        by_default = user.values.get("", {}).get("home")
        home = None if by_default is None else Path(by_default)
    if home is not None:
        _require_office(home, given["home"][1] if "home" in given else str(user_file()))
    office = office_settings(home) if home is not None else None

    def rows(command: str) -> dict[str, tuple[Any, str]]:
        found = {key: (value, str(source)) for key, (value, source) in effective(command, user, office).items()}
        return {key: given.get(key, found.get(key)) for key in KEYS[command] | KEYS[""] if key in given or key in found}  # type: ignore[misc]

    general = rows("")
    defaults = [
        {"command": command, "option": f"--{key}", "value": value, "from": source}
        for command in KEYS
        for key, (value, source) in rows(command).items()
        if not command or general.get(key) != (value, source)
    ]
    files = {
        "user": None if user_file() is None else str(user_file()),
        "user_read": user is not None,
        "office": None if home is None else str(office_file(home)),
        "office_read": office is not None,
    }
    if json_:
        emit({**files, "defaults": defaults}, json_=True)
        return
    for name in ("user", "office"):
        print_result(f"{name}: {safe(files[name] or 'none')}{'' if files[f'{name}_read'] else ' (not there)' if files[name] else ''}")
    for row in defaults:
        value = ", ".join(map(str, row["value"])) if isinstance(row["value"], list) else row["value"]
        print_result(f"{safe(row['command']) + ' ' if row['command'] else ''}{row['option']} {safe(value)}  (from {safe(row['from'])})")


def _require_office(home: Path, source: str) -> None:
    """Raise Usage unless there is an office, and say who named it: that is what this command is asked for."""
    from valiza.office.home import require_office

    try:
        require_office(home)
    except Usage as error:
        hint = f"{source} names it: name another folder, or make an office with: valiza office init"
        raise Usage(error.message, hint) from error
