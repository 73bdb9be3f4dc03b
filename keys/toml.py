"""TOML as people write it, read within limits: what comes from another office must not cost more than its bytes."""

from __future__ import annotations

import re
import tomllib
from typing import Any, Final

from valiza.keys.errors import Malformed

__all__ = ["parse_toml"]

MAX_DEPTH: Final = 16
_INTEGER_BITS: Final = 64  # what TOML asks of a reader; Python would take any length, and then fail to print it
_PART: Final = r"""(?:[A-Za-z0-9_-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+"""
_LONG_KEY: Final = re.compile(rf"(?<![A-Za-z0-9_-])(?:{_PART}\.[ \t]*+){{{MAX_DEPTH}}}")


def parse_toml(text: str, what: str) -> dict[str, Any]:
    """The tables of a TOML text.

    Args:
        text: the whole of it.
        what: its name, for the error.

    Raises:
        Malformed: not TOML, nested deeper than 16, or with an integer of more than 64 bits.
    """
    # The parser keeps every beginning of a dotted key: one of 80 000 parts, 160 kB, would take 25 GiB.
    if _LONG_KEY.search(text):
        message = f"{what} has a key of more than {MAX_DEPTH} parts"
        raise Malformed(message)
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # TOMLDecodeError is a ValueError; so is a number with too many digits
        message = f"{what} is not TOML: {error}"
        raise Malformed(message) from error
    _check(table, MAX_DEPTH, what)
    return table


def _check(value: object, depth: int, what: str) -> None:
    if isinstance(value, int):
        if value.bit_length() > _INTEGER_BITS:
            message = f"{what} has an integer of more than {_INTEGER_BITS} bits"
            raise Malformed(message)
    elif isinstance(value, list | dict):
        if depth == 0:
            message = f"{what} is nested deeper than {MAX_DEPTH}"
            raise Malformed(message)
        for item in value.values() if isinstance(value, dict) else value:
            _check(item, depth - 1, what)
