"""The roles by which programs use a register in PostgreSQL, as a script for psql: none of them owns anything, or can change what was entered."""

from __future__ import annotations

from typing import Final

from valiza.keys.errors import Usage

__all__ = ["GATEWAY", "OFFICE", "roles"]

GATEWAY: Final = "valiza_gateway"
OFFICE: Final = "valiza_office"
_MAX_NAME_BYTES: Final = 63  # PostgreSQL cuts a longer one off
_SCRIPT: Final = """\
-- Who may do what in the register of the database {database}. Run it with psql in that database, as its owner and one who may make roles,
-- after valiza register migrate; again after every migration. It can be run as often as wanted.
--
-- {gateway} reads and appends. {office} may seal too: it notes which envelope is about to get its name, and forgets that note.
-- Neither can log in. Make a role for each program that does: CREATE ROLE mfa_gateway LOGIN IN ROLE {gateway};
\\set ON_ERROR_STOP on
BEGIN;
DO $roles$
BEGIN
    IF current_database() <> {database_text} THEN
        RAISE EXCEPTION 'this script is for another database';
    END IF;
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = {gateway_text}) THEN
        CREATE ROLE {gateway} NOLOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = {office_text}) THEN
        CREATE ROLE {office} NOLOGIN;
    END IF;
END $roles$;
REVOKE ALL ON DATABASE {database} FROM PUBLIC, {gateway}, {office};
REVOKE ALL ON SCHEMA public FROM PUBLIC, {gateway}, {office};
REVOKE ALL ON SCHEMA valiza FROM PUBLIC, {gateway}, {office};
REVOKE ALL ON ALL TABLES IN SCHEMA valiza FROM PUBLIC, {gateway}, {office};
REVOKE ALL ON ALL SEQUENCES IN SCHEMA valiza FROM PUBLIC, {gateway}, {office};
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA valiza FROM PUBLIC, {gateway}, {office};
GRANT CONNECT ON DATABASE {database} TO {gateway}, {office};
GRANT USAGE ON SCHEMA valiza TO {gateway}, {office};
GRANT SELECT ON valiza.version TO {gateway}, {office};
GRANT SELECT, INSERT ON valiza.identity, valiza.entry, valiza.node, valiza.head TO {gateway}, {office};
GRANT SELECT ON valiza.unnamed TO {gateway};
GRANT SELECT, INSERT, DELETE ON valiza.unnamed TO {office};
COMMIT;
"""


def roles(database: str, *, gateway: str = GATEWAY, office: str = OFFICE) -> str:
    """The script for a database. Registers of several bodies on one server need roles of their own each.

    Raises:
        Usage: a name cannot be one.
    """
    for name in (database, gateway, office):
        if not name or not name.isprintable() or "$" in name or len(name.encode("utf-8", "surrogatepass")) > _MAX_NAME_BYTES:
            message = f"{name!r} can be no name in PostgreSQL"
            raise Usage(message)
    if gateway == office:
        message = f"both roles are called {gateway!r}"
        raise Usage(message, "a gateway may do less than an office")
    texts = {"database_text": _text(database), "gateway_text": _text(gateway), "office_text": _text(office)}
    return _SCRIPT.format(database=_name(database), gateway=_name(gateway), office=_name(office), **texts)


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
