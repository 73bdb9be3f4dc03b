"""Ways to damage what was packed or signed: one place at a time, the rest left as it was."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from valiza.envelope.container import pack_footer
from valiza.keys.encoding import pack, unpack

if TYPE_CHECKING:
    from collections.abc import Callable

    from valiza.keys.encoding import Value

    Hook = Callable[[list[Any]], list[Any]]

FOOTER: Final = struct.Struct(">12s4Q")

# Encodings of points of small order on Curve25519, and of 0 and 1 written in a form that is not canonical: no key may be any of them.
LOW_ORDER_X25519: Final = {
    "zero": bytes(32),
    "one": bytes([1]) + bytes(31),
    "order 8": bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    "order 8 too": bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
    "minus one": (2**255 - 20).to_bytes(32, "little"),
    "zero unreduced": (2**255 - 19).to_bytes(32, "little"),
    "one unreduced": (2**255 - 18).to_bytes(32, "little"),
}

# The same for Ed25519: the identity and others of order 2, 4 and 8, and the identity unreduced.
LOW_ORDER_ED25519: Final = {
    "identity": bytes([1]) + bytes(31),
    "order 2": bytes.fromhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    "order 4": bytes(32),
    "order 8": bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    "identity unreduced": bytes.fromhex("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
}


def same(items: list[Any]) -> list[Any]:
    """The hook that changes nothing."""
    return items


def put(value: Value, *path: int | str) -> Hook:
    """A hook that puts `value` at a place, named by its indexes from outside in."""

    def hook(items: list[Any]) -> list[Any]:
        target: Any = items
        for step in path[:-1]:
            target = target[step]
        target[path[-1]] = value
        return items

    return hook


def more(value: Value) -> Hook:
    """A hook that appends an item which the format does not know."""
    return lambda items: [*items, value]


def edited(body: bytes, hook: Hook) -> bytes:
    """A canonical array with a hook applied."""
    return pack(hook(unpack(body, max_bytes=1 << 26, what="body")))


def flipped(data: bytes, index: int, mask: int = 1) -> bytes:
    """The bytes with some bits of one of them turned over."""
    return data[:index] + bytes([data[index] ^ mask]) + data[index + 1 :]


@dataclass(frozen=True, kw_only=True)
class Sections:
    """A container in pieces."""

    core: bytes
    stanzas: bytes
    streams: bytes
    manifest: bytes
    dispatch: bytes

    def join(self) -> bytes:
        """A container of these pieces, with a footer that fits them."""
        payload = len(self.streams) + len(self.manifest)
        header = len(self.core) + len(self.stanzas)
        footer = pack_footer(core_length=len(self.core), header_length=header, payload_length=payload, manifest_length=len(self.manifest))
        return self.core + self.stanzas + self.streams + self.manifest + self.dispatch + footer


def split(container: bytes) -> Sections:
    """The pieces of a well-formed container."""
    _, core, header, manifest, dispatch = FOOTER.unpack(container[-FOOTER.size :])
    return Sections(
        core=container[:core],
        stanzas=container[core:header],
        streams=container[header:manifest],
        manifest=container[manifest:dispatch],
        dispatch=container[dispatch : -FOOTER.size],
    )
