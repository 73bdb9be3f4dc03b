"""Mail messages as a reader takes them apart (mail.md, Taking apart), with the standard library's parser, which forgives more than the page."""

from __future__ import annotations

import binascii
import email
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import Message

from outcome import Malformed, step

ONCE = ("content-type", "content-transfer-encoding", "content-disposition", "mime-version", "from", "message-id")
ENCODINGS = ("", "7bit", "8bit", "binary", "base64", "quoted-printable")
BEGINS = re.compile(rb"\x89VL[ZE]|[\x90-\x9f](?:[\xa0-\xbf]|\xd9.|\xda..)valiza/(?:v1|rehearsal)/", re.DOTALL)
BASE64 = re.compile(r"(?m)(?<![0-9A-Za-z+/])(?:iVZM(?:Wg|RQ)|k[67]..YWxpemEv|k9k.dmFsaXphL)")
UU = re.compile(rb"(?m)^begin \d+ .*\n(.+)$")
TYPE = re.compile(r"[^\s;()/]+/[^\s;()/]+\s*(;[^()]*)?", re.DOTALL)
ENDINGS = (".vlz", ".vls", ".vle")


@dataclass
class Taken:
    """What is in a message: numbers and bytes of objects, flaws, and whether one is declared and begins otherwise."""

    objects: list[tuple[str, bytes]] = field(default_factory=list)
    flaws: list[str] = field(default_factory=list)
    hidden: bool = False
    misdeclared: bool = False


def take_apart(raw: bytes) -> list[tuple[str, bytes]]:
    """The objects; step 7 after step 6 was done for all leaves."""
    taken = Taken()
    for line in raw.split(b"\n"):
        for boundary in re.findall(rb'boundary="([^"]*)"', raw):
            rest = line.rstrip(b"\r").removeprefix(b"--" + boundary)
            if line.startswith(b"--" + boundary) and rest.strip() not in (b"", b"--"):
                taken.flaws.append("begins like a delimiter")
    _entity(email.message_from_bytes(raw), "", taken, [], message=True)
    if taken.flaws:
        text = raw.decode("latin-1")
        taken.hidden |= BASE64.search(text) is not None or BEGINS.search(binascii.a2b_qp(raw)) is not None
    with step(7):
        if taken.flaws and (taken.objects or taken.hidden or taken.misdeclared):
            raise Malformed("; ".join(taken.flaws))
    with step(6):
        if taken.misdeclared:
            raise Malformed("declared, and no object")
    return taken.objects


def _entity(part: Message, path: str, taken: Taken, around: list[str], *, message: bool = False) -> None:
    taken.flaws += list(_flaws(part, around, message=message))
    kind = part.get_content_type()
    boundary = part.get_boundary()
    payload = part.get_payload()
    nested = [inner for inner in payload if isinstance(inner, Message)] if isinstance(payload, list) else []
    if kind.startswith("multipart/") and boundary and nested:
        for number, inner in enumerate(nested, 1):
            _entity(inner, f"{path}.{number}".lstrip("."), taken, [*around, boundary])
        epilogue = part.epilogue or ""
        if f"--{boundary}" in epilogue:
            taken.flaws.append("after the end")
        _elsewhere(f"{part.preamble or ''}\n{epilogue}", taken)
    elif kind in ("message/rfc822", "message/global", "message/news") and nested:
        if _encoding(part) in ENCODINGS[4:]:
            taken.flaws.append("an encoded message")
            content = binascii.a2b_base64("".join(str(inner.get_payload()) for inner in nested))
            taken.hidden |= BASE64.search(content.decode("latin-1")) is not None
        _entity(nested[0], path, taken, around, message=True)
    else:
        _leaf(part, f"{path}.1".lstrip(".") if message else path, taken)


def _encoding(part: Message) -> str:
    return str(part.get("Content-Transfer-Encoding", "")).strip().lower()


def _flaws(part: Message, around: list[str], *, message: bool) -> Iterator[str]:
    names = [name.lower() for name in part]
    yield from (f"two fields {name}" for name in ONCE if names.count(name) > 1)
    yield from (type(defect).__name__ for defect in part.defects if "Base64" not in type(defect).__name__)
    if "from" in names and re.fullmatch(r"(?:[^<>@,]*<)?[^<>@,\s]+@[^<>@,\s]+>?", part["From"]) is None:
        yield "From"
    kind = part.get_content_type()
    if message and "mime-version" not in names and (kind.startswith("multipart/") or _encoding(part) in ENCODINGS[4:]):
        yield "no MIME-Version"
    if "content-type" in names and TYPE.fullmatch(part["Content-Type"].strip()) is None:
        yield "Content-Type"
    if _encoding(part) not in ENCODINGS:
        yield "Content-Transfer-Encoding"
    boundary = part.get_boundary()
    if kind.startswith("multipart/") and not boundary:
        yield "no boundary"
    if boundary and any(one.startswith(boundary) or boundary.startswith(one) for one in around):
        yield "boundaries that begin alike"
    if kind in ("message/partial", "message/external-body", "application/ms-tnef"):
        yield kind


def _leaf(part: Message, path: str, taken: Taken) -> None:
    content = part.get_payload(decode=True)
    if not isinstance(content, bytes):
        _elsewhere(part.as_string(), taken)
        return
    names = [str(name) for name in (part.get_filename(), part.get_param("name")) if name]
    declared = part.get_content_type().startswith("application/vnd.valiza.") or any(name.lower().endswith(ENDINGS) for name in names)
    if BEGINS.match(content):
        taken.objects.append((path, content))
        text = re.sub(r"\s", "", str(part.get_payload()))
        if _encoding(part) == "base64" and (len(text) % 4 or re.fullmatch(r"[0-9A-Za-z+/]*={0,2}", text) is None):
            taken.flaws.append("base64")
    elif declared:
        taken.misdeclared = True
    elif _encoding(part) not in ENCODINGS[4:] or part.get_content_maintype() == "text":
        _elsewhere(content.decode("latin-1"), taken)


def _elsewhere(text: str, taken: Taken) -> None:
    raw = text.encode("latin-1", "replace")
    in_uu = any(BEGINS.match(binascii.a2b_uu(line.rstrip())) for line in UU.findall(raw))
    if in_uu or any(BASE64.match(line) and re.match(r"[0-9A-Za-z+/]{32}", line) for line in text.splitlines()) or BEGINS.search(raw):
        taken.hidden = True
        taken.flaws.append("elsewhere")
