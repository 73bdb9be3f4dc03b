"""A PostgreSQL server of the tests' own: in a folder, reached by a socket there, and gone with the tests. One for each process of pytest."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from valiza.register.connecting import migrate

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["OWNER", "Cluster", "address", "cluster", "database", "running", "template"]

OWNER: Final = "registrar"  # who makes databases, and owns them
_PLACES: Final = ("/usr/lib/postgresql", "/usr/pgsql", "/opt/homebrew/opt", "/usr/local/pgsql")
_SETTINGS: Final = ("listen_addresses=", "max_connections=60", "shared_buffers=16MB", "log_min_messages=warning")


def _binaries() -> Path:
    """Where initdb and pg_ctl are; skips the test where there is no server."""
    found = [path for place in _PLACES for path in Path(place).glob("*/bin/initdb")]
    if not found:
        on_path = shutil.which("initdb")
        if on_path is None:
            pytest.skip("there is no PostgreSQL server on this machine")
        return Path(on_path).resolve().parent
    return max(found, key=lambda path: int("".join(filter(str.isdigit, path.parent.parent.name)) or 0)).parent


def _user() -> dict[str, Any]:
    """How the server's programs are started: they refuse root, who starts them as `postgres`."""
    if os.geteuid() != 0:
        return {}
    try:
        user = pwd.getpwnam("postgres")
    except KeyError:
        pytest.skip("root needs a user postgres to start a PostgreSQL server")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


@dataclass(frozen=True, slots=True)
class Cluster:
    """A server. Its users are trusted by their names, and only who can reach the folder reaches the socket."""

    folder: Path
    binaries: Path
    _names: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def url(self, database: str, user: str = OWNER) -> str:
        """The address of a database."""
        return f"postgresql://{user}@/{database}?host={self.folder}"

    def run(self, program: str, *arguments: str) -> str:
        """Run one of the server's programs; what it says."""
        environment = {"PATH": f"{self.binaries}:/usr/bin:/bin", "HOME": str(self.folder), "LC_ALL": "C.UTF-8"}
        command = [str(self.binaries / program), *arguments]
        # Of pg_ctl's output nothing is wanted: the server that it starts would keep a pipe open.
        output = subprocess.DEVNULL if program == "pg_ctl" else subprocess.PIPE
        done = subprocess.run(command, check=False, env=environment, cwd=self.folder, stdout=output, stderr=output, text=True, timeout=120, **_user())
        assert done.returncode == 0, f"{command}: {done.stderr}\n{self.said()}"
        return done.stdout or ""

    def said(self) -> str:
        """The server's log."""
        log = self.folder / "log"
        return log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""

    def sql(self, text: str, database: str = "postgres", user: str = OWNER) -> list[list[str]]:
        """What psql says to statements: rows of columns. AssertionError with the server's words if one fails."""
        options = ["-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1"]
        said = self.run("psql", *options, "-h", str(self.folder), "-U", user, "-d", database, "-c", text)
        return [line.split("\t") for line in said.splitlines()]

    def processes(self) -> list[int]:
        """Those of the server, while it runs."""
        try:
            first = int((self.folder / "data" / "postmaster.pid").read_text(encoding="utf-8").split()[0])
            others = Path(f"/proc/{first}/task/{first}/children").read_text(encoding="ascii").split()
        except (OSError, IndexError, ValueError):
            return []
        return [first, *map(int, others)]

    def start(self, *more: str) -> None:
        """Start the server, perhaps with more settings, and wait until it answers."""
        settings = [*_SETTINGS, f"unix_socket_directories={self.folder}", *more]
        options = " ".join(f"-c {setting}" for setting in settings)
        self.run("pg_ctl", "-D", str(self.folder / "data"), "-w", "-t", "60", "-l", str(self.folder / "log"), "-o", options, "start")

    def keep(self, name: str, content: bytes) -> None:
        """A file beside its data that only the server reads."""
        path = self.folder / "data" / name
        path.write_bytes(content)
        path.chmod(0o600)
        state = path.parent.stat()
        os.chown(path, state.st_uid, state.st_gid)

    def stop(self, mode: str = "immediate") -> None:
        """Stop the server; `immediate` as when it dies."""
        self.run("pg_ctl", "-D", str(self.folder / "data"), "-w", "-t", "60", "-m", mode, "stop")

    def restart(self) -> None:
        """Let the server die, and start it again."""
        self.stop()
        self.start()

    def make_database(self, template: str = "template0") -> str:
        """A new database, like another one; its name."""
        name = f"register_{next(self._names)}"
        self.sql(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return name

    def drop_database(self, name: str) -> None:
        """Remove a database, whoever is in it."""
        self.sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@contextmanager
def running(place: Path | None = None) -> Iterator[Cluster]:
    """A new server, which runs as long as the block, its folder in `place`. What it acknowledges is on the disk, as on one in earnest."""
    binaries = _binaries()
    user = _user()
    folder = Path(tempfile.mkdtemp(prefix="valiza-pg-", dir=place))  # not pytest's own: user postgres may not go there, and a socket's path is short
    try:
        if user:
            os.chown(folder, user["user"], user["group"])
        found = Cluster(folder, binaries)
        found.run("initdb", "-D", str(folder / "data"), "-U", OWNER, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N")
        folder.chmod(0o755)
        found.start()
        try:
            yield found
        finally:
            if (folder / "data" / "postmaster.pid").exists():  # not so where a test stopped it
                found.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """One server for all tests of this process."""
    with running() as found:
        yield found


@pytest.fixture(scope="session")
def template(cluster: Cluster) -> str:
    """A database with the tables of a register, and nothing in them."""
    name = cluster.make_database()
    migrate(cluster.url(name))
    return name


@pytest.fixture
def database(cluster: Cluster, template: str) -> Iterator[str]:
    """A database with an empty register; its name."""
    name = cluster.make_database(template)
    yield name
    cluster.drop_database(name)


@pytest.fixture
def address(cluster: Cluster, database: str) -> str:
    """The address of an empty register."""
    return cluster.url(database)
