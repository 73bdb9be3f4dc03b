"""`valiza doctor`: what is wrong with an office, and how to mend it."""

from __future__ import annotations

from pathlib import Path

import click

from valiza.cli.options import FOLDER, as_json, command_epilog, now
from valiza.cli.render import emit, utc
from valiza.cli.terminal import counting, print_result, safe
from valiza.keys.errors import Refused, Usage, ValizaError


# Not the usual --home: a broken file of defaults is one of the things that are told here.
@click.command(epilog=command_epilog("valiza doctor --home kz", "valiza doctor --home kz --json"))
@click.option("--home", type=FOLDER, envvar="VALIZA_HOME", metavar="DIR", help="The office's folder (or VALIZA_HOME).")
@as_json
def doctor(home: Path | None, json_: bool) -> int:
    """Examine an office: files, keys, credentials, rosters, agreements, register, clock, memory, libraries.

    It changes nothing and asks for no passphrase.

    The exit status is 6 if there is a problem, and 0 if there are only notes.
    """
    from valiza.cli.defaults import office_settings, user_settings
    from valiza.office.health import NOTE, OK, PROBLEM, Finding, examine

    told: list[Finding] = []

    def defaults(read: object, *arguments: object) -> object:
        try:
            return read(*arguments)  # type: ignore[operator]
        except ValizaError as error:
            told.append(Finding(PROBLEM, "defaults", error.message, "", error.hint))
            return None

    user = defaults(user_settings)
    if home is None and user is not None:
        by_default = user.values.get("", {}).get("home")  # type: ignore[attr-defined]
        home = None if by_default is None else Path(by_default)
    if home is None:
        message = "no office was named"
        raise Usage(message, "give --home DIR, or set VALIZA_HOME")
    found = examine(home, at=now(), counting=lambda total: counting("checking credentials", total))
    defaults(office_settings, home)
    found += told or [Finding(OK, "defaults", "every file of defaults can be read")]
    counts = {level: sum(one.level == level for one in found) for level in (PROBLEM, NOTE)}
    facts = {
        "home": str(home),
        "examined_at": utc(now()),
        "problems": counts[PROBLEM],
        "notes": counts[NOTE],
        "findings": [{"level": f.level, "check": f.check, "what": f.what, "where": f.where, "mend": f.mend} for f in found],
    }
    if json_:
        emit(facts, json_=True)
    else:
        for one in found:
            where = f"  ({safe(one.where)})" if one.where and one.where not in one.what else ""
            print_result(f"{one.level:8} {one.check}: {safe(one.what)}{where}")
            if one.mend:
                print_result(f"{'':8} → {safe(one.mend)}")
        print_result(f"{counts[PROBLEM]} problems, {counts[NOTE]} notes")
    return Refused.exit_code if counts[PROBLEM] else 0
