"""A mutator that knows MessagePack: it changes one item of the tree, inside byte strings that hold a tree of their own too, and encodes again.

Blind mutation of canonical bytes breaks a length nearly every time, and then only the codec is tested.
"""

from __future__ import annotations

import copy
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgpack

if TYPE_CHECKING:
    from collections.abc import Callable

_LEAST_TREE: Final = 12  # bytes that a byte string has to have to be taken for a tree
_BLIND: Final = 0.3  # part of the mutations that know nothing
_INTEGERS: Final = (
    0,
    1,
    2,
    16,
    31,
    32,
    127,
    128,
    255,
    256,
    4096,
    65535,
    65536,
    86400,
    253402300799,
    253402300800,
    2**31,
    2**32,
    2**50,
    2**63 - 1,
    2**64 - 1,
    -1,
)
_TEXTS: Final = (
    "",
    "~",
    "~x",
    "a",
    "..",
    "a/b",
    "\x00",
    "\u202e",
    "e\u0301",
    "é",
    "KZ",
    "BY-MFA",
    "destination",
    "2026-02-30",
    "x" * 300,
    "opened",
    "damaged",
)
_VALUES: Final[tuple[Any, ...]] = (
    *(None, True, False, 1.5, b"", bytes(16), bytes(32), bytes(33), [], {}, [[]], [None], {"": 0}, {"~": [[[]]]}),
    *(msgpack.ExtType(5, b""), [b""] * 65, [0] * 17),
)


_INSIDE: Final = object()  # a step of a path: into the tree of a byte string


@dataclass
class _Tree:
    """A byte string that holds a tree."""

    value: Any


def mutator(fallback: Callable[[bytes, int], bytes], skip: int) -> Callable[[bytes, int, int], bytes]:
    """A custom mutator for atheris; `fallback` is the one that knows nothing, and `skip` bytes stand before the tree."""

    def mutate(data: bytes, max_size: int, seed: int) -> bytes:
        rng = random.Random(seed)  # noqa: S311 - the engine's seed, so that a run can be repeated
        head, tail = bytes(data[:skip]), bytes(data[skip:])
        if rng.random() < _BLIND:
            return bytes(fallback(data, max_size))
        try:
            tree = _parse(msgpack.unpackb(tail, raw=False, strict_map_key=False))
            for _ in range(rng.choice((1, 1, 1, 2, 3))):
                tree = _edited(tree, rng, fallback)
            found = head + msgpack.packb(_plain(tree), use_bin_type=True)
        except (ValueError, TypeError, OverflowError, RecursionError, msgpack.UnpackException):
            return bytes(fallback(data, max_size))
        return found if len(found) <= max_size else bytes(fallback(data, max_size))

    return mutate


def _parse(value: Any) -> Any:  # noqa: ANN401 - whatever MessagePack holds
    if isinstance(value, list):
        return [_parse(item) for item in value]
    if isinstance(value, dict):
        return {key: _parse(item) for key, item in value.items()}
    if isinstance(value, bytes) and len(value) >= _LEAST_TREE:
        try:
            inner = msgpack.unpackb(value, raw=False, strict_map_key=False)
        except (ValueError, TypeError, RecursionError, msgpack.UnpackException):
            return value
        return _Tree(_parse(inner)) if isinstance(inner, list) else value
    return value


def _plain(value: Any) -> Any:  # noqa: ANN401 - as above
    if isinstance(value, _Tree):
        return msgpack.packb(_plain(value.value), use_bin_type=True)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:  # noqa: ANN401 - as above
    found = [path]
    if isinstance(value, _Tree):
        found += _paths(value.value, (*path, _INSIDE))[1:]
    elif isinstance(value, list):
        for index, item in enumerate(value):
            found += _paths(item, (*path, index))
    elif isinstance(value, dict):
        for key, item in value.items():
            found += _paths(item, (*path, key))
    return found


def _edited(tree: Any, rng: random.Random, fallback: Callable[[bytes, int], bytes]) -> Any:  # noqa: ANN401 - as above
    path = rng.choice(_paths(tree))
    holder = [tree]
    target: Any = holder
    steps = [0, *path]
    for step in steps[:-1]:
        target = target.value if step is _INSIDE else target[step]
    if steps[-1] is _INSIDE or isinstance(target, _Tree):
        return tree
    if isinstance(target, list) and target is not holder and rng.random() < 0.4:
        _edit_list(target, steps[-1], rng)
    elif isinstance(target, dict) and rng.random() < 0.4:
        _edit_map(target, steps[-1], rng)
    else:
        target[steps[-1]] = _changed(target[steps[-1]], rng, fallback)
    return holder[0]


def _any(rng: random.Random) -> Any:  # noqa: ANN401 - as above
    return copy.deepcopy(rng.choice(_VALUES))  # or a later edit would change the list of values itself


def _edit_list(items: list[Any], index: int, rng: random.Random) -> None:
    match rng.randrange(6):
        case 0:
            del items[index]
        case 1:
            items.insert(index, copy.deepcopy(items[index]))
        case 2:
            other = rng.randrange(len(items))
            items[index], items[other] = items[other], items[index]
        case 3:
            items.insert(index, _any(rng))
        case 4:
            items[index] = copy.deepcopy(items[rng.randrange(len(items))])
        case _:
            items.append(_any(rng))


def _edit_map(items: dict[Any, Any], key: Any, rng: random.Random) -> None:  # noqa: ANN401 - as above
    if rng.random() < 0.3:
        del items[key]
        return
    items[rng.choice(_TEXTS)] = copy.deepcopy(items[key])
    for one in sorted(items, key=str):  # in order again, so that it is not refused for that alone
        items[one] = items.pop(one)


def _changed(value: Any, rng: random.Random, fallback: Callable[[bytes, int], bytes]) -> Any:  # noqa: ANN401 - as above
    if rng.random() < 0.15:
        return _any(rng)
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return rng.choice((value + 1, value - 1, rng.choice(_INTEGERS), rng.randrange(1 << rng.choice((1, 8, 16, 32, 63)))))
    if isinstance(value, bytes):
        return rng.choice((value[:-1], value + b"\x00", bytes(len(value)), bytes(fallback(value, len(value) + 8)), bytes(rng.randbytes(len(value)))))
    if isinstance(value, str):
        at = rng.randrange(len(value) + 1)
        return rng.choice((value[:at] + rng.choice(_TEXTS) + value[at:], value[:at], rng.choice(_TEXTS), value[:at] + value[at + 1 :]))
    return _any(rng) if value is None or rng.random() < 0.3 else value
