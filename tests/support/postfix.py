"""A Postfix of the tests' own: in a folder, on a port of this machine that nobody else reaches, and gone with the test.

It takes mail for everybody at `DOMAIN` and delivers it into one Maildir; nothing ever leaves it. Several run side by side. Its programs refuse to
start without root.
"""

from __future__ import annotations

import email.policy
import json
import os
import pwd
import shutil
import smtplib
import socket
import subprocess
import tempfile
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from email.parser import BytesParser
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from email.message import Message

__all__ = ["DOMAIN", "RECIPIENT", "SENDER", "Postfix", "Reply", "free_port", "running", "wait"]

DOMAIN: Final = "in.test.invalid"
RECIPIENT: Final = f"registry@{DOMAIN}"
SENDER: Final = "clerk@out.test.invalid"
_DEBIAN: Final = Path("/etc/postfix")  # where the package puts what an instance needs a copy of
_PATIENCE: Final = 60.0  # seconds, on a machine that has much else to do

_MAIN: Final = """compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/maillog
maillog_file_prefixes = {folder}
myhostname = mail.test.invalid
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
default_transport = error:5.7.1 nothing leaves this server
relay_transport = error:5.7.1 nothing leaves this server
local_transport = error:5.1.1 nobody lives here
virtual_mailbox_domains = {domain}
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = static:inbox/
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
virtual_mailbox_limit = 0
message_size_limit = 0
alias_maps =
local_header_rewrite_clients =
smtpd_error_sleep_time = 0
smtpd_hard_error_limit = 10000
smtpd_client_connection_count_limit = 0
in_flow_delay = 0
minimal_backoff_time = 1s
maximal_backoff_time = 2s
queue_run_delay = 1s
"""
_MASTER: Final = """127.0.0.1:{port} inet n - n - - smtpd -o max_use=1
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
showq unix n - n - - showq
postlog unix-dgram n - n - 1 postlogd
"""


def free_port() -> int:
    """A port of this machine that nobody listens at now."""
    with closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def wait(until: Callable[[], Any], what: str, *, seconds: float = _PATIENCE, say: Callable[[], str] = str) -> Any:
    """Wait until something is so, and return what it found; AssertionError if it never is."""
    end = time.monotonic() + seconds
    while not (found := until()):
        assert time.monotonic() < end, f"{what} never came about\n{say()}"
        time.sleep(0.02)
    return found


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server said at the end of a message."""

    code: int
    text: str


@dataclass(slots=True)
class Postfix:
    """A mail server. `folder` may be entered by everybody, so that its users reach the socket of a milter in `folder/run`."""

    folder: Path
    port: int
    _seen: set[str] = field(default_factory=set)

    @property
    def socket(self) -> Path:
        """Where a milter of its own may listen."""
        return self.folder / "run" / "milter"

    def start(self) -> None:
        """Start it, and wait until it greets."""
        self._control("start")
        wait(self._greets, "a greeting of the mail server", say=self.log)

    def stop(self) -> None:
        """Stop it; what is in its queue stays there."""
        self._control("stop")

    def configure(self, **settings: str) -> None:
        """Change settings of main.cf, from the next connection on: each has an smtpd of its own, which reads them when it starts."""
        self.command("postconf", "-e", *(f"{name} = {value}" for name, value in settings.items()))
        _age(self.folder / "etc" / "main.cf")
        if any(not name.startswith(("smtpd_", "milter_")) for name in settings):  # others read them too, and that takes a second
            self._control("reload")

    def use_milter(self, address: str, **settings: str) -> None:
        """Let a milter at `unix:PATH` or `inet:HOST:PORT` look at what comes by SMTP. It waits less long than usual, so that no test does."""
        limits = {"milter_default_action": "tempfail", "milter_connect_timeout": "10s", "milter_command_timeout": "30s"}
        self.configure(smtpd_milters=address, **{**limits, **settings})

    def command(self, program: str, *arguments: str, check: bool = True) -> str:
        """Run one of its programs on this instance; what it says on standard output."""
        done = subprocess.run([program, "-c", str(self.folder / "etc"), *arguments], capture_output=True, timeout=120, check=False)
        assert done.returncode == 0 or not check, f"{program} {arguments}: {done.stderr!r}\n{self.log()}"
        return done.stdout.decode("utf-8", "surrogateescape")

    def _control(self, action: str) -> None:
        # Its master keeps what it got as standard output, so nothing may be a pipe.
        command = ["postfix", "-c", str(self.folder / "etc"), action]
        streams: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
        done = subprocess.run(command, **streams, timeout=120, check=False)
        assert done.returncode == 0, f"postfix {action} ended with {done.returncode}\n{self.log()}"

    def _greets(self) -> bool:
        try:
            with closing(socket.create_connection(("127.0.0.1", self.port), 5)) as connection:
                return connection.recv(64).startswith(b"220")
        except OSError:
            return False

    # -- sending ----------------------------------------------------------------------------------------------------------

    @contextmanager
    def session(self) -> Iterator[smtplib.SMTP]:
        """One SMTP session, for several messages."""
        with smtplib.SMTP("127.0.0.1", self.port, local_hostname="client.test.invalid", timeout=300) as client:
            client.ehlo()
            yield client

    def send(self, raw: bytes, *, sender: str = SENDER, to: str = RECIPIENT, client: smtplib.SMTP | None = None) -> Reply:
        """Send a message as it is (its lines end with CR LF), in a session of its own or in one that is open; what the server said."""
        if client is None:
            with self.session() as own:
                return self.send(raw, sender=sender, to=to, client=own)
        code, text = client.mail(sender, ["BODY=8BITMIME"])
        if code == 250:
            code, text = client.rcpt(to)
        if code == 250:
            code, text = client.data(raw)
        else:
            client.rset()
        return Reply(code, text.decode("utf-8", "surrogateescape"))

    # -- what became of it ------------------------------------------------------------------------------------------------

    def delivered(self) -> list[Path]:
        """Files in the Maildir, the oldest first."""
        return sorted((self.folder / "mail" / "inbox" / "new").glob("*"), key=lambda path: path.stat().st_mtime_ns)

    def arrivals(self, count: int = 1) -> list[bytes]:
        """Wait until that many messages are in the Maildir that were not handed out before; their bytes, as delivered (lines end with LF)."""

        def new() -> list[Path]:
            return [path for path in self.delivered() if path.name not in self._seen]

        wait(lambda: len(new()) >= count, f"delivery of {count} messages", say=self.log)
        found = new()
        assert len(found) == count, f"{len(found)} messages where {count} were expected"
        self._seen.update(path.name for path in found)
        return [path.read_bytes() for path in found]

    def arrived(self) -> Message:
        """The one message that came, taken apart."""
        (raw,) = self.arrivals()
        return BytesParser(policy=email.policy.compat32).parsebytes(raw)

    def queue(self, name: str | None = None) -> list[dict[str, Any]]:
        """Messages in the queue, as `postqueue -j` lists them; only those of one of its parts (`hold`, `deferred`) if named."""
        rows = [json.loads(line) for line in self.command("postqueue", "-j").splitlines()]
        return [row for row in rows if name in (None, row["queue_name"])]

    def held(self, queue_id: str) -> str:
        """A message in the queue, its header and body."""
        return self.command("postcat", "-h", "-b", "-q", queue_id)

    def release(self, queue_id: str) -> None:
        """Let go a message that is on hold; it is delivered without being looked at again."""
        self.command("postsuper", "-H", queue_id)

    def drop(self, queue_id: str) -> None:
        """Remove a message from the queue."""
        self.command("postsuper", "-d", queue_id)

    def log(self) -> str:
        """All that it said."""
        path = self.folder / "maillog"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


def _age(*paths: Path) -> None:
    """Let files seem a minute old: Postfix waits with those that changed in the last two seconds, which may change once more."""
    for path in paths:
        os.utime(path, (time.time() - 60, time.time() - 60))


def require_postfix() -> None:
    """Skip the test where no Postfix can run."""
    if os.geteuid() != 0:
        pytest.skip("only root can start a Postfix")
    if shutil.which("postfix") is None or not (_DEBIAN / "postfix-files").exists():
        pytest.skip("there is no Postfix on this machine")


@contextmanager
def running(settings: Mapping[str, str] | None = None, master: Sequence[str] = ()) -> Iterator[Postfix]:
    """A new mail server, which runs as long as the block, perhaps with more lines in main.cf and master.cf."""
    require_postfix()
    nobody = pwd.getpwnam("nobody")
    folder = Path(tempfile.mkdtemp(prefix="valiza-mail-"))  # not pytest's own: user postfix may not go there
    try:
        folder.chmod(0o755)
        for name in ("etc", "queue", "data", "mail", "run"):
            (folder / name).mkdir()
            (folder / name).chmod(0o755)
        shutil.chown(folder / "data", "postfix")
        os.chown(folder / "mail", nobody.pw_uid, nobody.pw_gid)
        server = Postfix(folder, free_port())
        main = _MAIN.format(folder=folder, domain=DOMAIN, uid=nobody.pw_uid, gid=nobody.pw_gid)
        more = "".join(f"{name} = {value}\n" for name, value in (settings or {}).items())
        (folder / "etc" / "main.cf").write_text(main + more, encoding="utf-8")
        (folder / "etc" / "master.cf").write_text(_MASTER.format(port=server.port) + "".join(f"{line}\n" for line in master), encoding="utf-8")
        for name in ("dynamicmaps.cf", "postfix-files"):
            shutil.copy(_DEBIAN / name, folder / "etc" / name)
        _age(*(folder / "etc").iterdir())
        try:
            server.start()
            yield server
        finally:
            server.command("postfix", "stop", check=False)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def mail_server() -> Iterator[Postfix]:
    """One mail server for all tests of this process, without a milter until a test names one."""
    with running() as found:
        yield found


@pytest.fixture
def postfix(mail_server: Postfix) -> Iterator[Postfix]:
    """The mail server of the tests, with an empty queue and an empty Maildir, and without a milter."""
    main = mail_server.folder / "etc" / "main.cf"
    before = main.read_bytes()
    yield mail_server
    mail_server.configure(smtpd_milters="")
    if b"virtual_mailbox_domains = mfa" in main.read_bytes() or b"non_smtpd_milters" in main.read_bytes():
        main.write_bytes(before)
        mail_server.configure(virtual_mailbox_domains=DOMAIN)
    if mail_server.queue():
        mail_server.command("postsuper", "-d", "ALL", check=False)
    for path in mail_server.delivered():
        path.unlink()
    mail_server._seen.clear()
