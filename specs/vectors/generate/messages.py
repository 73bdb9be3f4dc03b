"""Mail messages as a reader takes them apart (mail.md, Taking apart): line by line, a multipart cut at its delimiters before its parts are read."""

from __future__ import annotations

import binascii
import email
import re
from dataclasses import dataclass, field
from email.header import decode_header, make_header

from outcome import Malformed, step

ONCE = ("content-type", "content-transfer-encoding", "content-disposition", "mime-version", "from", "message-id")
PLAIN = ("", "7bit", "8bit", "binary")
WRITTEN = ("base64", "quoted-printable")
MESSAGES = ("message/rfc822", "message/global", "message/news")
PIECES = ("message/partial", "message/external-body")
TNEF = ("application/ms-tnef", "application/vnd.ms-tnef")
OPAQUE = ("application/pkcs7-mime", "application/x-pkcs7-mime", "application/applefile", "application/mac-binhex40")
ENDINGS = (".vlz", ".vls", ".vle")
BEGINS = re.compile(rb"\x89VL[ZE]|[\x90-\x9f](?:[\xa0-\xbf]|\xd9.|\xda..)valiza/(?:v1|rehearsal)/", re.DOTALL)
BYTES = re.compile(rb"\x89VL[ZE]\r\n\x1a\n|[\x90-\x9f](?:[\xa0-\xbf]|\xd9.|\xda..)valiza/(?:v1|rehearsal)/", re.DOTALL)
LINES = re.compile(rb"(?m)^[A-Za-z0-9+/]{32,}")
ANY = re.compile(rb"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{8,}")
BEGINNING = re.compile(rb"iVZM|k[67]..YWxpemEv|k9k.dmFsaXphL")
LINE = re.compile(rb"[^\n]*\n|[^\n]+\Z")
UU = re.compile(rb"(?m)^begin \d+ .*\n(.+)$")
YENC = re.compile(rb"(?m)^=ybegin .*\n(?:=ypart .*\n)?(.+)$")
FIELDS_OF_PARTS = re.compile(rb"(?im)^content-(type|transfer-encoding):")
UNSEEN = re.compile("[\x00-\x20\x7f-\xa0\xad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
WORD = r"[^\x00-\x20\x7f-\U0010ffff()<>@,;:\\\"/\[\]?=]+"
TYPE = re.compile(rf"\s*({WORD}/{WORD})\s*(;.*)?", re.DOTALL)
PARAMETERS = re.compile(rf'(;\s*{WORD}\s*=\s*({WORD}|"([^"\\]|\\.)*")\s*)*;?\s*', re.DOTALL)
PARAMETER = re.compile(rf';\s*({WORD})\s*=\s*("(?:[^"\\]|\\.)*"|[^\s;]*)', re.DOTALL)
BOUNDARY = re.compile(rf'(?i);\s*boundary=(?:"([^"\\\r\n]+)"|({WORD}))\s*(?:;|$)')
ATOM = r'[^<>@,;:\\"()\[\]\s]+'
ADDRESS = re.compile(rf'\s*(("[^"]*"|[^<>@,;:\\"()\[\]])*<{ATOM}@{ATOM}>|{ATOM}@{ATOM})\s*')


@dataclass
class Taken:
    """What is in a message: numbers and bytes of objects, flaws, and whether one is hidden, or declared and begins otherwise."""

    objects: list[tuple[str, bytes]] = field(default_factory=list)
    flaws: list[str] = field(default_factory=list)
    hidden: bool = False
    misdeclared: bool = False
    stops: bool = False  # whether a header ends at a line that is no field


@dataclass
class Head:
    """A header: values as they stand, by name in small letters, the first of each; and how it is read."""

    lines: bytes
    values: dict[str, str]
    kind: str = ""
    encoding: str = ""
    boundary: bytes = b""

    def names(self) -> list[str]:
        """Every name of a file."""
        part = email.message_from_bytes(self.lines + b"\n")
        found = [str(name) for name in (part.get_filename(), part.get_param("name")) if name]
        decoded = [str(make_header(decode_header(name))) for name in found]
        return [UNSEEN.sub("", name).rstrip(".").lower() for name in found + decoded]


def take_apart(raw: bytes) -> list[tuple[str, bytes]]:
    """The objects; step 7 after step 6 was done for all leaves."""
    taken = read(raw)
    with step(7):
        if taken.flaws and (taken.objects or taken.hidden or taken.misdeclared):
            raise Malformed("; ".join(taken.flaws))
    with step(6):
        if taken.misdeclared:
            raise Malformed("declared, and no object")
    return taken.objects


def read(raw: bytes) -> Taken:
    """All that is in a message."""
    taken = Taken()
    _entity(_without_mailbox_line(raw), "", taken, [], message=True)
    if "no field" in taken.flaws:  # the other way to read it
        other = Taken(stops=True)
        _entity(_without_mailbox_line(raw), "", other, [], message=True)
        taken.hidden |= bool(other.objects) or other.hidden or other.misdeclared
    if taken.flaws:
        _careful(raw, taken)
    return taken


def _without_mailbox_line(raw: bytes) -> bytes:
    return raw.split(b"\n", 1)[-1] if raw.startswith(b"From ") else raw


def _entity(raw: bytes, path: str, taken: Taken, around: list[bytes], *, message: bool = False, digest: bool = False, cut: bool = False) -> None:
    """A message or part; *cut*: its last line end belongs to the delimiter after it."""
    head, body = _head(raw, taken, cut=cut)
    if "content-type" not in head.values:
        head.kind = "message/rfc822" if digest else "text/plain"
    if message and "mime-version" not in head.values and (head.kind.startswith("multipart/") or head.encoding in WRITTEN):
        taken.flaws.append("no MIME-Version")
    if head.encoding in WRITTEN and (head.kind.startswith("multipart/") or head.kind in MESSAGES):
        taken.flaws.append(f"encoded {head.kind}")
    if head.boundary and head.encoding not in WRITTEN:
        _multipart(head, body, path, taken, around, cut=cut)
    elif head.kind in MESSAGES:
        encoded = head.encoding in WRITTEN
        _entity(_decoded(body, head.encoding), path, taken, [] if encoded else around, message=True, cut=cut and not encoded)
    else:
        body = re.sub(rb"\r?\n\Z", b"", body) if cut else body
        _leaf(head, body, f"{path}.1".lstrip(".") if message else path, taken)


def _head(raw: bytes, taken: Taken, *, cut: bool) -> tuple[Head, bytes]:
    """Step 2, and the flaws that a header can have by itself."""
    lines = LINE.findall(raw)
    empty = next((number for number, line in enumerate(lines) if line in (b"\n", b"\r\n")), None)
    if empty is None and cut:
        taken.flaws.append("no empty line")
    own = lines[:empty]
    block = b"".join(own)
    if b"\0" in block or b"\r" in block.replace(b"\r\n", b""):
        taken.flaws.append("a control character in a header")
    values: dict[str, str] = {}
    last = ""
    for number, line in enumerate(own):
        name, colon, value = line.decode("utf-8", "replace").partition(":")
        if not line.strip():
            taken.flaws.append("a line of blanks")
        elif line[:1] in (b" ", b"\t") and last:
            values[last] += line.decode("utf-8", "replace")
        elif not colon or re.fullmatch(r"[!-~]+[ \t]*", name) is None or (name[-1] in " \t" and name.strip().lower() not in ONCE):
            taken.flaws.append("no field")
            if taken.stops:
                return _stopped(own[:number], lines[number:], taken)
        else:
            if name[-1] in " \t":
                taken.flaws.append("a blank before a colon")
            last = name.strip().lower()
            if last in values:
                taken.flaws += [f"two fields {last}"] if last in ONCE else []
                last = f"{last} again"
            values[last] = value
    head = Head(block, values)
    _content(head, taken)
    return head, b"" if empty is None else b"".join(lines[empty + 1 :])


def _stopped(own: list[bytes], rest: list[bytes], taken: Taken) -> tuple[Head, bytes]:
    """A header that ends at a line that is no field, with which the body begins."""
    head, _ = _head(b"".join([*own, b"\n"]), taken, cut=False)
    return head, b"".join(rest)


def _content(head: Head, taken: Taken) -> None:
    """What a header says of the content."""
    values = head.values
    if "from" in values and ADDRESS.fullmatch(values["from"]) is None:
        taken.flaws.append("From")
    if "mime-version" in values and re.fullmatch(r"\s*1\.0\s*(\([^()]*\)\s*)?", values["mime-version"]) is None:
        taken.flaws.append("MIME-Version")
    if "content-transfer-encoding" in values:
        word = re.fullmatch(rf"[ \t]*({WORD})\r?\n?", values["content-transfer-encoding"])
        if word is None:
            taken.flaws.append("Content-Transfer-Encoding")
        lenient = re.match(rf"\s*({WORD})", values["content-transfer-encoding"])
        head.encoding = lenient[1].lower() if lenient else ""
        if word is not None and head.encoding not in PLAIN + WRITTEN:
            taken.flaws.append("an unknown encoding")
    written = TYPE.fullmatch(values.get("content-type", "text/plain"))
    if written is None:
        taken.flaws.append("Content-Type")
        head.kind = "text/plain"
        return
    head.kind = written[1].lower()
    rest = written[2] or ""
    if head.kind.startswith(("multipart/", "message/")) and PARAMETERS.fullmatch(rest) is None:
        taken.flaws.append("parameters")
    if head.kind.startswith("multipart/"):
        _boundary(head, rest, taken)


def _boundary(head: Head, rest: str, taken: Taken) -> None:
    keys = [found[1].lower() for found in PARAMETER.finditer(rest)]
    if len(set(keys)) != len(keys) or any(key.startswith("boundary*") for key in keys):
        taken.flaws.append("a parameter twice, or a boundary in pieces")
    if len(re.findall(r"(?i)boundary[*0-9]*\s*=", rest)) > 1:
        taken.flaws.append("boundary= twice")
    written = BOUNDARY.search(rest)
    value = (written[1] or written[2]) if written is not None else ""
    if re.fullmatch(r"[ -~]{1,70}", value) is None:
        taken.flaws.append("no boundary that all read alike")
        return
    if value[0] in "'`<" or value[-1] == " " or "=?" in value:
        taken.flaws.append("a disputed boundary")
    head.boundary = value.rstrip(" ").encode("ascii")


def _multipart(head: Head, body: bytes, path: str, taken: Taken, around: list[bytes], *, cut: bool) -> None:
    boundary = head.boundary
    if any(one.startswith(boundary) or boundary.startswith(one) for one in around):
        taken.flaws.append("boundaries that begin alike")
    delimiter = re.compile(rb"--%b(--)?[ \t]*\r?\n?" % re.escape(boundary))
    pieces: list[list[bytes]] = [[]]
    closed = False
    for line in LINE.findall(body):
        found = delimiter.fullmatch(line)
        if found is not None and closed:
            taken.flaws.append("a delimiter after the end")
        elif found is not None:
            closed = found[1] is not None
            pieces.append([])
        else:
            if line.startswith(b"--" + boundary):
                taken.flaws.append("begins like a delimiter")
            if line.find(b"--" + boundary, 1) > 0:
                taken.flaws.append("a delimiter inside a line")
            pieces[-1].append(line)
    if not closed:
        taken.flaws.append("no end")
    texts = [b"".join(piece) for piece in pieces]
    outside = [texts.pop(0), *([texts.pop()] if closed else [])]
    for text in outside:
        taken.flaws += ["a null byte"] if b"\0" in text else []
        _elsewhere(text, taken)
    for number, text in enumerate(texts, 1):
        ended = cut or closed or number < len(texts)
        _entity(text, f"{path}.{number}".lstrip("."), taken, [*around, boundary], digest=head.kind == "multipart/digest", cut=ended)


def _decoded(body: bytes, encoding: str) -> bytes:
    """Step 5, as programs do that forgive: what is no base64 is left out, and nothing follows padding."""
    if encoding == "base64":
        letters = re.sub(rb"[^A-Za-z0-9+/=]", b"", body).partition(b"=")[0]
        whole = letters[: len(letters) - (len(letters) % 4 == 1)]
        return binascii.a2b_base64(whole + b"=" * (-len(whole) % 4))
    return binascii.a2b_qp(re.sub(rb"[ \t]+(?=\r?\n)", b"", body)) if encoding == "quoted-printable" else body


def _leaf(head: Head, body: bytes, path: str, taken: Taken) -> None:
    content, names = _decoded(body, head.encoding), head.names()
    if b"\0" in body and head.encoding != "binary":
        taken.flaws.append("a null byte")
    if head.encoding == "base64" and not BEGINS.match(content) and BEGINS.match(_letters(body)):
        taken.flaws.append("begins only without padding")
        taken.hidden = True
    declared = head.kind.startswith("application/vnd.valiza.") or any(name.endswith(ENDINGS) for name in names)
    taken.flaws += _undecodable(body, head.encoding) if declared or BEGINS.match(content) else []
    tnef = head.kind in TNEF or "winmail.dat" in names
    if tnef or head.kind in PIECES:
        taken.flaws.append(head.kind)
    if head.kind.startswith("message/") and (FIELDS_OF_PARTS.search(body) or FIELDS_OF_PARTS.search(content)):
        taken.flaws.append("fields of parts")
    if BEGINS.match(content):
        taken.objects.append((path, content))
        return
    taken.misdeclared |= declared
    if head.kind.startswith("message/"):
        _careful(body, taken, flaw=True)
        _careful(content, taken, flaw=True)
    elif tnef or head.kind.startswith(("text/", "multipart/")) or head.kind in OPAQUE or head.encoding not in WRITTEN:
        _elsewhere(content, taken)


def _letters(body: bytes) -> bytes:
    letters = re.sub(rb"[^A-Za-z0-9+/]", b"", body)
    return binascii.a2b_base64(letters[: len(letters) // 4 * 4])


def _undecodable(body: bytes, encoding: str) -> list[str]:
    """What of a leaf of Valiza others decode otherwise."""
    if encoding == "base64":
        text = re.sub(rb"[ \t\r\n]", b"", body)
        return [] if len(text) % 4 == 0 and re.fullmatch(rb"[0-9A-Za-z+/]*={0,2}", text) else ["base64"]
    if encoding == "quoted-printable":
        text = re.sub(rb"=([0-9A-Fa-f]{2}|[ \t]*\r?\n|\Z)", b"", body)
        return ["quoted-printable"] if b"=" in text or b"\n" in text else []
    return []


def _elsewhere(text: bytes, taken: Taken, lines: re.Pattern[bytes] = LINES, *, flaw: bool = True) -> None:
    begun = [_letters(line[:64]) for line in lines.findall(text)]
    begun += [_uu(line.rstrip()) for line in UU.findall(text)]
    begun += [bytes((byte - 42) % 256 for byte in _unescaped(line.rstrip(b"\r"))) for line in YENC.findall(text)]
    if any(BEGINS.match(start) for start in begun) or BYTES.search(text):
        taken.hidden = True
        taken.flaws += ["elsewhere"] if flaw else []


def _uu(line: bytes) -> bytes:
    try:
        return binascii.a2b_uu(line)
    except binascii.Error:
        return b""


def _unescaped(line: bytes) -> bytes:
    return re.sub(rb"=(.)", lambda found: bytes([(found[1][0] - 64) % 256]), line, flags=re.DOTALL)


def _careful(text: bytes, taken: Taken, *, flaw: bool = False) -> None:
    """Look for base64 of any length, and in what it is as quoted-printable."""
    _elsewhere(text, taken, ANY, flaw=flaw)
    _elsewhere(binascii.a2b_qp(text), taken, flaw=flaw)
    letters = re.sub(rb"[^A-Za-z0-9+/]", b"", text)
    if any(BYTES.match(_letters(letters[found.start() : found.start() + 64])) for found in BEGINNING.finditer(letters)):
        taken.hidden = True
        taken.flaws += ["elsewhere"] if flaw else []
