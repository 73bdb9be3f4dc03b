"""The container (specs/envelope.md, Container): sections in order, and the footer that finds them. No key is used here."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from valiza.envelope.header import MAX_CORE, MAX_HEADER, PREFIX, check_prefix
from valiza.envelope.manifest import MAX_MANIFEST
from valiza.envelope.payload import stream_length
from valiza.keys import labels
from valiza.keys.errors import Malformed, Unavailable
from valiza.keys.statement import LIMITS

__all__ = ["FOOTER_BYTES", "Container", "pack_footer", "read_container"]

FOOTER_BYTES: Final = 44
MAX_CONTAINER: Final = 1 << 50
_OFFSETS: Final = struct.Struct(">4Q")


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """The sections of a well-formed container: where they are, and the small ones read. Nothing of it is believed yet."""

    source: BinaryIO = field(repr=False)
    core_raw: bytes = field(repr=False)
    header_raw: bytes = field(repr=False)
    dispatch_raw: bytes = field(repr=False)
    core_length: int
    header_length: int
    payload_length: int
    manifest_length: int

    def read_manifest_stream(self) -> bytes:
        """The encrypted manifest stream."""
        return _read(self.source, self.header_length + self.payload_length - self.manifest_length, self.manifest_length)

    def seek_payload(self) -> None:
        """Go to the beginning of the payload."""
        self.source.seek(self.header_length)


def pack_footer(*, core_length: int, header_length: int, payload_length: int, manifest_length: int) -> bytes:
    """The footer, 44 bytes."""
    dispatch = header_length + payload_length
    return PREFIX + _OFFSETS.pack(core_length, header_length, dispatch - manifest_length, dispatch)


def read_container(source: BinaryIO) -> Container:
    """Read the sections of a container from a seekable file (envelope.md, Reading 1, 2).

    Raises:
        Malformed: the container is not one, or not whole.
        Unavailable: the file cannot be read.
    """
    try:
        size = source.seek(0, 2)
    except OSError as error:
        message = f"the envelope cannot be read: {(error.strerror or str(error)).lower()}"
        raise Unavailable(message) from error
    if not len(PREFIX) + FOOTER_BYTES <= size <= MAX_CONTAINER:  # step 1
        message = f"{size} bytes are not a Valiza envelope"
        raise Malformed(message)
    check_prefix(_read(source, 0, len(PREFIX)))  # step 2: before the footer, since it tells best what the file is not
    footer = _read(source, size - FOOTER_BYTES, FOOTER_BYTES)
    if footer[: len(PREFIX)] != PREFIX:
        message = "the envelope is not whole: its footer is not where it should be"
        raise Malformed(message)
    core, header, manifest, dispatch = _OFFSETS.unpack(footer[len(PREFIX) :])
    if not len(PREFIX) < core < header < manifest < dispatch < size - FOOTER_BYTES:
        message = "the envelope's sections are out of order"
        raise Malformed(message)
    within = [
        (core, MAX_CORE, "core"),
        (header, MAX_HEADER, "header"),
        (dispatch - manifest, stream_length(MAX_MANIFEST + 4096), "manifest stream"),
        (size - FOOTER_BYTES - dispatch, LIMITS[labels.DISPATCH], "dispatch"),
    ]
    for length, limit, what in within:
        if length > limit:
            message = f"the envelope's {what} has {length} bytes, more than the limit of {limit}"
            raise Malformed(message)
    header_raw = _read(source, 0, header)
    return Container(
        source=source,
        core_raw=header_raw[:core],
        header_raw=header_raw,
        dispatch_raw=_read(source, dispatch, size - FOOTER_BYTES - dispatch),
        core_length=core,
        header_length=header,
        payload_length=dispatch - header,
        manifest_length=dispatch - manifest,
    )


def _read(source: BinaryIO, at: int, length: int) -> bytes:
    try:
        source.seek(at)
        parts = []
        while length and (part := source.read(length)):
            parts.append(part)
            length -= len(part)
    except OSError as error:
        message = f"the envelope cannot be read: {(error.strerror or str(error)).lower()}"
        raise Unavailable(message) from error
    if length:
        message = "the envelope became shorter while it was read"
        raise Malformed(message)
    return b"".join(parts)
