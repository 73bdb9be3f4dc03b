"""Defaults of options, from the user's file and the office's own. Command line and environment win over both, the office over the user.

The keys are a closed list. None of them answers a question, leaves a check out, chooses what a carrier is marked with, or touches a passphrase.
"""

from __future__ import annotations

import os
import stat
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from valiza.keys.errors import Refused, Unavailable, Usage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import click

__all__ = ["KEYS", "Settings", "default_map", "effective", "office_defaults", "office_file", "office_settings", "user_file", "user_settings"]

_TEXT, _PATH, _NUMBER, _TEXTS, _FLAG = "text", "path", "number", "list of texts", "true or false"
_AS: Final = {"as": ("officer", _TEXT)}

# Command ("" for every command) → key, which is the option without its hyphens → the parameter's name in the command, and what its value is.
KEYS: Final[dict[str, dict[str, tuple[str, str]]]] = {
    "": {"home": ("home", _PATH), **_AS},
    "seal": {
        **_AS,
        "to": ("to", _TEXT),
        "agreement": ("agreement", _TEXT),
        "route": ("route", _PATH),
        "confirming": ("confirming", _TEXT),
        "keep-for": ("keep_for", _TEXTS),
        "classified-by": ("classified_by", _TEXT),
        "ground": ("ground", _TEXT),
        "due": ("due_days", _NUMBER),
        "require-confirmation": ("require_confirmation", _FLAG),
    },
    **{command: dict(_AS) for command in ("open", "rewrap", "acknowledge", "refuse", "countersign")},
}
_MAX_BYTES: Final = 1 << 16
_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH


@dataclass(frozen=True, slots=True)
class Settings:
    """The values of one file, by command and key."""

    path: Path
    values: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def user_file() -> Path | None:
    """Where the user's file is looked for: VALIZA_CONFIG, or valiza/config.toml below XDG_CONFIG_HOME; None if there is to be none."""
    named = os.environ.get("VALIZA_CONFIG")
    if named is not None:
        return Path(named) if named else None
    folder = os.environ.get("XDG_CONFIG_HOME", "")
    if not folder.startswith("/"):  # as that specification says of a relative one
        folder = os.path.expanduser("~/.config")  # noqa: PTH111 - Path.expanduser fails where nobody has a home
    return Path(folder) / "valiza" / "config.toml" if folder.startswith("/") else None


def office_file(home: Path) -> Path:
    """An office's own file of defaults."""
    return home / "defaults.toml"


def user_settings() -> Settings | None:
    """The user's file, if there is one.

    Raises:
        Usage: it has keys or values that cannot be. Refused: others can write to it. Unavailable: it cannot be read, or was named and is not there.
    """
    path = user_file()
    if path is None:
        return None
    found = _read(path, may_have_home=True)
    if found is None and os.environ.get("VALIZA_CONFIG"):
        message = f"{str(path)!r}: no such file or directory"
        raise Unavailable(message, "mend VALIZA_CONFIG; set to nothing, no file is read")
    return found


def office_settings(home: Path) -> Settings | None:
    """An office's own file, if it has one; errors as `user_settings`."""
    return _read(office_file(home), may_have_home=False)


def effective(command: str, *layers: Settings | None) -> dict[str, tuple[Any, Path]]:
    """The defaults of a command ("" for any), each with the file that it is from. A later layer wins over an earlier one."""
    found: dict[str, tuple[Any, Path]] = {}
    for layer in layers:
        for section in ("", command):
            found |= {key: (value, layer.path) for key, value in layer.values.get(section, {}).items()} if layer is not None else {}
    return found


class _Map(dict[str, Any]):
    """A default_map of click's: the parameters of a command, and by the words of each subcommand the map of that one."""

    def __init__(self, layers: tuple[Settings | None, ...], words: tuple[str, ...] = ()) -> None:
        command = " ".join(words)
        names = {key: name for section in ("", command) for key, (name, _) in KEYS.get(section, {}).items()}
        super().__init__({names[key]: value for key, (value, _) in effective(command, *layers).items()})
        self._layers, self._words = layers, words

    def get(self, key: str, _default: object = None) -> _Map:
        """The map of a subcommand; click asks for nothing else here."""
        return _Map(self._layers, (*self._words, key))


def default_map(*layers: Settings | None) -> dict[str, Any]:
    """What click looks defaults up in."""
    return _Map(layers)


def office_defaults(home: Path, context: click.Context) -> dict[str, Any]:
    """The defaults of the command that is called, now that its office is known; errors as `office_settings`."""
    own = _Map((office_settings(home),), tuple(context.command_path.split()[1:]))
    return {**(context.default_map or {}), **own}


# --- reading ----------------------------------------------------------------------------------------------------------------------------------------


def _read(path: Path, *, may_have_home: bool) -> Settings | None:
    try:
        # Not blocking: a pipe in this place would keep every command waiting.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        message = f"{str(path)!r}: {(getattr(error, 'strerror', None) or str(error)).lower()}"
        raise Unavailable(message, "mend its permissions, or set VALIZA_CONFIG" if may_have_home else "") from error
    try:
        _require_own(path, os.fstat(descriptor))
        with open(descriptor, "rb", closefd=False) as file:
            raw = file.read(_MAX_BYTES + 1)
    finally:
        os.close(descriptor)
    try:
        if len(raw) > _MAX_BYTES:
            message = f"longer than {_MAX_BYTES} bytes"
            raise ValueError(message)  # noqa: TRY301 - told like the rest
        table = tomllib.loads(raw.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError and TOMLDecodeError are ValueErrors
        why = "it is not text in UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
        message = f"{str(path)!r} is not TOML: {why}"
        raise Usage(message, "valiza config path says where defaults are kept") from error
    return Settings(path, dict(_sections(path, table, may_have_home=may_have_home)))


def _require_own(path: Path, state: os.stat_result) -> None:
    if not stat.S_ISREG(state.st_mode):
        message = f"{str(path)!r} is no file"
        raise Usage(message, "defaults are kept in a TOML file")
    if state.st_uid not in {0, os.geteuid()}:
        message = f"{str(path)!r} belongs to another user, who could change what you seal and to whom"
        raise Refused(message, f"take it over, when you have read it: chown {os.geteuid()} {_quoted(path)}")
    if state.st_mode & _OTHERS_WRITE:
        message = f"{str(path)!r} can be written by others, who could change what you seal and to whom"
        raise Refused(message, f"read it, then: chmod go-w {_quoted(path)}")


def _quoted(path: Path) -> str:
    import shlex

    return shlex.quote(str(path))


def _sections(path: Path, table: Mapping[str, Any], *, may_have_home: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    """The values of a file by command, each checked."""
    general = {key: value for key, value in table.items() if not isinstance(value, dict)}
    yield "", _section(path, "", general, may_have_home=may_have_home)
    for command, section in table.items():
        if isinstance(section, dict):
            if not command or command not in KEYS:
                message = f"{str(path)!r}: no defaults can be set for [{command}]"
                raise Usage(message, _hint(command, [name for name in KEYS if name], "commands"))
            yield command, _section(path, command, section, may_have_home=False)


def _section(path: Path, command: str, section: Mapping[str, Any], *, may_have_home: bool) -> dict[str, Any]:
    known = {key: kind for key, (_, kind) in KEYS[command].items() if key != "home" or may_have_home}
    where = f" of [{command}]" if command else ""
    found = {}
    for key, value in section.items():
        if key not in known:
            message = f"{str(path)!r}: {key!r}{where} is no default that can be set"
            of = next((name for name, keys in KEYS.items() if name and key in keys), "")
            raise Usage(message, f"it goes below [{of}]" if of and not command else _hint(key, list(known), "keys"))
        fitting = {
            _NUMBER: isinstance(value, int) and not isinstance(value, bool),
            _FLAG: isinstance(value, bool),
            _TEXTS: isinstance(value, list) and all(isinstance(item, str) for item in value),
        }.get(known[key], isinstance(value, str) and value != "")
        if not fitting:
            message = f"{str(path)!r}: {key!r}{where} is no {known[key]}"
            raise Usage(message)
        # Relative to the file, not to wherever somebody happens to be.
        found[key] = str(path.absolute().parent / Path(value).expanduser()) if known[key] == _PATH else value
    return found


def _hint(wrong: str, right: list[str], what: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(wrong, right, 1)
    return f"did you mean {near[0]!r}?" if near else f"{what}: {', '.join(right)}"
