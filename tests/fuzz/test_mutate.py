"""The mutator that knows MessagePack: it never fails, keeps to the size it is given, and mostly makes what a codec can read."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import msgpack
import pytest

sys.path.append(str(Path(__file__).resolve().parents[2]))  # as in test_regressions.py

from fuzz import mutate, seeds, targets


def blind(data: bytes, size: int) -> bytes:
    """What the engine's own mutator might do."""
    rng = random.Random(len(data))  # noqa: S311 - no secret
    found = bytearray(data or b"\x00")
    found[rng.randrange(len(found))] ^= 1 << rng.randrange(8)
    return bytes(found[:size])


@pytest.mark.parametrize("name", ["receipt", "core", "manifest-copy", "agreement", "encoding"])
def test_whatever_comes_in_something_within_the_size_comes_out(name: str) -> None:
    target = targets.TARGETS[name]
    change = mutate.mutator(blind, target.skip)
    whole = 0
    for data in seeds.seeds(name)[:5]:
        current = data
        for seed in range(100):
            current = change(current, target.max_bytes, seed)
            assert len(current) <= target.max_bytes
            try:
                msgpack.unpackb(current[target.skip :], strict_map_key=False)
            except (ValueError, TypeError):  # a key that is a list
                current = data
            else:
                whole += 1
    assert whole > 100


def test_the_same_seed_makes_the_same_change() -> None:
    data = seeds.seeds("receipt")[0]
    change = mutate.mutator(blind, 0)
    assert [change(data, 1 << 16, seed) for seed in range(50)] == [change(data, 1 << 16, seed) for seed in range(50)]
    assert len({change(data, 1 << 16, seed) for seed in range(50)}) > 25


def test_what_lies_inside_byte_strings_is_changed_too() -> None:
    inner = msgpack.packb([b"a" * 16, "deep inside", 1])
    data = msgpack.packb(["outside", inner])
    change = mutate.mutator(blind, 0)
    found = [msgpack.unpackb(change(data, 1 << 16, seed), strict_map_key=False) for seed in range(200) if _whole(change(data, 1 << 16, seed))]
    insides = {one[1] for one in found if isinstance(one, list) and len(one) == 2 and one[0] == "outside" and isinstance(one[1], bytes)}
    assert any(inside != inner and _whole(inside) for inside in insides)


def _whole(data: bytes) -> bool:
    try:
        return isinstance(msgpack.unpackb(data, strict_map_key=False), list)
    except (ValueError, TypeError):
        return False
