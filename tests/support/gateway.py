"""`valiza gateway serve` as a program of its own, as its administrator runs it, and what it says."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import threading
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.support.cli import VALIZA, Office, World
from tests.support.killed_server import keep_in
from tests.support.postfix import wait
from tests.support.postgresql import OWNER

from valiza.register.roles import roles

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.support.postgresql import Cluster

__all__ = ["RULES", "Gateway", "children", "gateway_folder", "serving"]

RULES: Final = 'version = 1\n[limits]\nmessage = "100 MiB"\n'


def gateway_folder(world: World, cluster: Cluster, database: str, name: str = "gateway") -> Path:
    """The folder of the origin's office without its keys, its register reached with the role of a gateway; the office has its own."""
    script = cluster.folder / f"{database}.sql"
    script.write_text(roles(database), encoding="utf-8")
    cluster.run("psql", "-X", "-q", "-h", str(cluster.folder), "-U", OWNER, "-d", database, "-f", str(script))
    cluster.sql(f"CREATE ROLE office_in_{database} LOGIN IN ROLE valiza_office; CREATE ROLE gateway_in_{database} LOGIN IN ROLE valiza_gateway")
    home = world.path(name)
    shutil.copytree(world.kz.home, home, ignore=shutil.ignore_patterns("keys", "register.db*"))
    (home / "keys").mkdir(mode=0o700)
    keep_in(Office(home=home, party="KZ", roster=world.kz.roster), cluster.url(database, f"gateway_in_{database}"))
    keep_in(world.kz, cluster.url(database, f"office_in_{database}"))
    return home


def children(pid: int) -> list[int]:
    """Processes that a process started, and that still run."""
    try:
        said = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    except OSError:
        return []
    return [int(word) for word in said.split()]


@dataclass
class Gateway:
    """A gateway that runs."""

    process: subprocess.Popen[str]
    rules: Path
    said: list[dict[str, Any]] = field(default_factory=list)
    strays: list[str] = field(default_factory=list)  # lines that are no JSON

    def listen(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            try:
                self.said.append(json.loads(line))
            except ValueError:
                self.strays.append(line)

    def events(self, name: str) -> list[dict[str, Any]]:
        """What it told of one kind."""
        return [event for event in list(self.said) if event["event"] == name]

    def wait_for(self, name: str, count: int = 1) -> dict[str, Any]:
        """Wait until it told of something so many times; the last of them."""
        wait(lambda: len(self.events(name)) >= count or self.process.poll() is not None, name, say=self.story)
        assert len(self.events(name)) >= count, self.story()
        return self.events(name)[-1]

    def story(self) -> str:
        """All that it said."""
        return "\n".join([*(json.dumps(event) for event in self.said), *self.strays])

    @property
    def workers(self) -> list[int]:
        """Its processes."""
        return children(self.process.pid)

    @property
    def monitor(self) -> int:
        """The port of its metrics."""
        port: int = self.wait_for("ready")["monitor"]
        return port

    def ask(self, path: str) -> tuple[int, str]:
        """What it answers to a monitor."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.monitor}{path}", timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metric(self, name: str) -> float:
        """One number of its metrics, by its name with labels."""
        for line in self.ask("/metrics")[1].splitlines():
            if line.startswith(f"{name} "):
                return float(line.rpartition(" ")[2])
        return 0.0

    def write_rules(self, text: str) -> None:
        """Put other rules where it reads them."""
        self.rules.write_text(text, encoding="utf-8")

    def reload(self) -> None:
        """Tell it to read all again; it may refuse."""
        self.process.send_signal(signal.SIGHUP)

    def stop(self) -> int:
        """Tell it to end; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(120)


@contextmanager
def serving(
    home: Path, address: str, *options: str, rules: str = RULES, env: Mapping[str, str] | None = None, folder: Path | None = None, ready: bool = True
) -> Iterator[Gateway]:
    """A gateway of an office at an address, ready, until the block ends; then it has to end well, and to have said nothing but events."""
    place = (folder or home.parent) / f"rules-{home.name}-{os.urandom(4).hex()}.toml"
    place.write_text(rules, encoding="utf-8")
    words: list[str | Path] = [VALIZA, "gateway", "serve", "--home", home, "--rules", place, "--socket", address, "--socket-mode", "666", *options]
    if "--metrics" not in options:
        words += ["--metrics", "127.0.0.1:0"]
    if "--workers" not in options:
        words += ["--workers", "1"]
    environment = {**os.environ, **(env or {})}
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment)
    found = Gateway(process, place)
    reader = threading.Thread(target=found.listen)
    reader.start()
    try:
        if ready:
            found.wait_for("ready")
        yield found
        code = found.stop()
        reader.join()
        assert code == 0, found.story()
        assert found.strays == [], found.story()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        reader.join()
        if process.stderr is not None:
            process.stderr.close()
