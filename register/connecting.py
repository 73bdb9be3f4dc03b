"""Choose where a register is kept: in a file of the office, or in a PostgreSQL database at an address. What the other way needs is not imported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from valiza.keys.errors import Unavailable
from valiza.register.address import parse_address

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from valiza.register.store import Store

__all__ = ["migrate", "open_store"]

_PACKAGES: Final = ("alembic", "psycopg", "sqlalchemy")


def open_store(address: str | None, path: Path, clock: Callable[[], int]) -> Store:
    """The register at an address, or in the file at `path` where there is none. `clock` tells the present, in seconds since 1970.

    Raises:
        Usage: the address is none. Unavailable: the register cannot be used, or what is needed for it is not installed.
    """
    if address is None:
        from valiza.register.sqlite import SqliteStore  # noqa: PLC0415 - neither way needs what the other does

        return SqliteStore(path, clock)
    found = parse_address(address)
    try:
        from valiza.register.postgresql import PostgresqlStore  # noqa: PLC0415 - as above

        return PostgresqlStore(found, clock)
    except ImportError as error:
        raise _missing(error) from error


def migrate(address: str) -> list[str]:
    """Make the tables of a register, or bring them to the version that this program knows; returns the versions that were gone through.

    Raises:
        Usage: the address is none. Unavailable: the database cannot be used, or what is needed for it is not installed.
    """
    found = parse_address(address)
    try:
        from valiza.register.postgresql import migrate as migrate_database  # noqa: PLC0415 - as above

        return migrate_database(found)
    except ImportError as error:
        raise _missing(error) from error


def _missing(error: ImportError) -> Exception:
    """Unavailable if it is a package of the extra that is not there; else the error itself."""
    name = (error.name or "").partition(".")[0]
    if name not in _PACKAGES and "libpq" not in str(error):
        return error
    message = "a register in PostgreSQL needs packages that are not installed here"
    return Unavailable(message, "install them: pip install 'valiza[postgresql]'")
