"""The address of a register in a PostgreSQL database: `postgresql://USER@HOST/DATABASE`. It never holds a password."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from valiza.keys.errors import Usage

__all__ = ["Address", "parse_address"]

# Where the server is and how it proves who it is. What is not here, such as a password, or other settings of a session, is refused.
_OPTIONS: Final = ("host", "passfile", "sslcert", "sslkey", "sslmode", "sslrootcert")
_SAFE_MODES: Final = ("verify-ca", "verify-full")
_LOCAL: Final = ("localhost", "127.0.0.1", "::1")
_FORM: Final = "write it so: postgresql://USER@HOST/DATABASE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A database. Nothing of it is secret.

    Attributes:
        user: empty for the one who runs the program.
        host: a name, an address or a folder with a socket; empty for the system's own socket.
        port: None for PostgreSQL's.
        database: its name.
        options: further ones of libpq.
    """

    user: str = ""
    host: str = ""
    port: int | None = None
    database: str
    options: dict[str, str] = field(default_factory=dict)

    @property
    def local(self) -> bool:
        """Whether the server is surely on this machine, so that nobody sits in between. Where no host is named, PGHOST may name one."""
        return self.host.startswith("/") or self.host in _LOCAL

    def parameters(self) -> dict[str, str | int]:
        """What libpq is told. To another machine only a connection is made whose server has proved who it is; a socket needs no proof."""
        given = {"user": self.user, "host": self.host, "dbname": self.database, **self.options}
        found: dict[str, str | int] = {name: value for name, value in given.items() if value}
        if self.port is not None:
            found["port"] = self.port
        if not self.local:
            found.setdefault("sslmode", "verify-full")
        return found

    def __str__(self) -> str:
        """As a person wrote it, in one spelling."""
        user = f"{quote(self.user, safe='')}@" if self.user else ""
        folder = self.host.startswith("/")
        host = "" if folder else f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port is None else f":{self.port}"
        options = ({"host": self.host} if folder else {}) | self.options
        query = "&".join(f"{name}={quote(value, safe='/')}" for name, value in options.items())
        return f"postgresql://{user}{host}{port}/{quote(self.database, safe='')}{'?' if query else ''}{query}"


def parse_address(text: str) -> Address:
    """Read `postgresql://USER@HOST:PORT/DATABASE?OPTION=VALUE`.

    Raises:
        Usage: it is none, or holds what does not belong there. The text is not repeated: it may hold a password.
    """
    scheme, separator, _ = text.partition("://")
    if not separator or scheme != "postgresql":
        message = "the address of the register does not begin with postgresql://"
        raise Usage(message, _FORM)
    try:
        parts = urlsplit(text)
        user, host, port = parts.username, parts.hostname, parts.port
        options = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query), errors="strict")
        database = unquote(parts.path.removeprefix("/"), errors="strict")
        user, host = unquote(user or "", errors="strict"), host or ""
    except ValueError as error:
        message = "the address of the register cannot be read"
        raise Usage(message, _FORM) from error
    if parts.password is not None or any("password" in name for name, _ in options):
        message = "there is a password in the address of the register, where it does not belong"
        raise Usage(message, "put it into a file that only its owner reads, ~/.pgpass or one named with ?passfile=FILE")
    return _checked(Address(user=user, host=host, port=port, database=database, options=_options(options)), fragment=parts.fragment)


def _options(given: list[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in given:
        if name not in _OPTIONS or name in found or not value:
            message = f"the address of the register has an option {name!r} that is not known, stands twice or is empty"
            raise Usage(message, f"known are: {', '.join(_OPTIONS)}")
        found[name] = value
    return found


def _checked(address: Address, *, fragment: str) -> Address:
    options = dict(address.options)
    folder = options.pop("host", "")
    if folder and (address.host or not folder.startswith("/")):
        message = "the option host in the address of the register is for a folder with a socket, and for nothing else"
        raise Usage(message, _FORM)
    found = Address(user=address.user, host=address.host or folder, port=address.port, database=address.database, options=options)
    whole = "".join([found.user, found.host, found.database, *found.options.values()])
    if not found.database or fragment or "/" in found.database or not whole.isprintable() or not re.fullmatch(r"[A-Za-z0-9._:-]*", address.host):
        message = "the address of the register cannot be read"
        raise Usage(message, _FORM)
    mode = options.get("sslmode")
    if mode is not None and mode not in _SAFE_MODES and not found.local:
        message = f"sslmode={mode} would let somebody in between play the server of the register"
        raise Usage(message, f"use one of these: {', '.join(_SAFE_MODES)}")
    return found
