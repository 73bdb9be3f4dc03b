"""How the tables of a register in PostgreSQL came to be what they are, step by step; an administrator goes there by `valiza register migrate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy.schema import CreateSchema

from valiza.register.schema import REVISION, REVISIONS, SCHEMA, VERSION_TABLE

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext
    from sqlalchemy import Connection

__all__ = ["upgrade"]

_FOLDER: Final = Path(__file__).parent


def upgrade(connection: Connection) -> list[str]:
    """Bring the tables to the latest version, inside the transaction that is open; returns the versions that were gone through."""
    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    script = ScriptDirectory.from_config(config)
    done: list[str] = []

    def steps(revision: Any, _: MigrationContext) -> Any:  # noqa: ANN401 - as alembic hands them over
        return script._upgrade_revs(REVISION, revision)  # noqa: SLF001 - alembic's documentation names it for this purpose

    def told(*_: Any, **named: Any) -> None:  # noqa: ANN401 - as above
        done.append(named["step"].up_revision_id)

    connection.execute(CreateSchema(SCHEMA, if_not_exists=True))
    with EnvironmentContext(config, script, fn=steps, destination_rev=REVISION) as environment:
        environment.configure(connection=connection, version_table=VERSION_TABLE, version_table_schema=SCHEMA, on_version_apply=told)
        with environment.begin_transaction():
            environment.run_migrations()
    assert done == list(REVISIONS[len(REVISIONS) - len(done) :])  # noqa: S101 - the files and the list name the same steps
    return done
