"""Vectors of envelopes: manifest, closed stamp, carriers, pad (envelope.md, Reading 11 to 14)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import wire
import world as w
from cases import LETTER, Cases, Changes, Rows
from cases_envelope import ALENA, PEOPLE, changing, opened, opens, sealed, verify
from objects import Carrier, Hook

CLOSED = {"agreement": w.CLOSED, "closed": True, "pad": 1}  # padme: 31 bytes become 32
CONTENT = b"c" * 31
TWO = (Carrier("a.txt", b"aaaaaa"), Carrier("b.txt", b"bbbbbbbb"))

BAD_FIELDS: Rows = (
    ("no_carriers", {"carriers": []}, "no carrier"),
    ("basis_date", {"basis": [["decision", "1", "", "2026-02-30"]]}, "a day that is in no calendar"),
)
BAD_NAMES: Sequence[tuple[str, str, str]] = (
    ("long", "я" * 128, "a name of 256 bytes"),
    ("slash", "a/b", "a slash"),
    ("dot_dot", "..", "the folder above"),
    ("newline", "a\nb", "a control character"),
    ("bidi", "a\u202etxt.exe", "a bidirectional override"),
    ("device", "nul.txt", "a device of Windows"),
    ("device_space", "CON .txt", "a device of Windows with a space behind it"),
)


def _manifest() -> Cases:
    for name, changes, comment in BAD_FIELDS:
        yield opens(f"manifest_{name}", changing(f"manifest {name}", "manifest", changes), "malformed @ 11", f"manifest: {comment}")
    nil = [Carrier(fields={"size": None})]
    yield opens("carrier_size_nil", sealed("size nil", carriers=nil), "malformed @ 11", "carrier: a commitment without a size")
    other_core = {"core": LETTER.core_digest}
    yield opens("manifest_other_core", changing("other core", "manifest", other_core), "not authentic @ 11", "a manifest that names another core")
    digest = changing("manifest digest", "dispatch", {"manifest": bytes(32)})
    yield opens("manifest_digest", digest, "not authentic @ 11", "another digest of the manifest, signed")
    plaintexts: Sequence[tuple[str, Hook, str]] = (
        ("zeros", lambda plain: plain[:-1] + b"\1", "a byte behind the manifest that is not zero"),
        ("length_short", lambda plain: bytes([0, 0, 0, plain[3] ^ 1]) + plain[4:], "another length of the manifest"),
        ("length_beyond", lambda plain: b"\0\0\x20\0" + plain[4:], "a length of the manifest beyond its end"),
    )
    for name, change, comment in plaintexts:
        made = sealed(f"manifest {name}", hooks={"manifest plaintext": change})
        yield opens(f"manifest_{name}", made, "malformed @ 11", comment)
    whole = sealed("whole", hooks={"manifest": _filled})
    assert len(whole.manifest) == 4096
    yield opened("manifest_4096", whole, "a manifest that needs no zeros")
    more = {
        "references": [["reply-to", wire.draw("r1")], ["supersedes", wire.draw("r2")]],
        "term": "until 2030",
        "caveats": ["in person", "no copies"],
    }
    yield opened("references", changing("references", "manifest", more), "references to other envelopes, a term, caveats")


def _filled(items: Changes) -> Changes:
    """Caveats that make the manifest just 4092 bytes long."""
    texts = ["x" * 1000] * 3
    for length in range(1, 1000):
        filled = {**items, "caveats": [*texts, "x" * length]}
        if len(wire.encode(list(filled.values()))) == 4092:
            return filled
    raise ValueError


def _names() -> Cases:
    for name, text, comment in BAD_NAMES:
        yield opens(f"name_{name}", sealed(f"name {name}", carriers=[Carrier(text)]), "malformed @ 13", f"name: {comment}")
    folded = [Carrier("Straße.txt"), Carrier("STRASSE.TXT")]
    yield opens("names_fold", sealed("fold", carriers=folded), "malformed @ 13", "two names that differ in case only")
    good = [Carrier("." + "я" * 127), Carrier("con-text.txt"), Carrier("Құпия (1).tar.gz"), Carrier("КОМ1")]
    yield opened("names_good", sealed("names", carriers=good), "names at the edge: 255 bytes, a leading dot, almost a device")


def _marks() -> Cases:
    above = sealed("above", carriers=[Carrier(), Carrier("b", b"b", "ss")])
    yield opens("carrier_above", above, "refused @ 13", "a carrier more secret than the envelope's mark")
    below = sealed("below", code="ss")
    yield opens("carriers_below", below, "refused @ 13", "all carriers less secret than the envelope's mark")
    physical = sealed("physical above", carriers=[Carrier(), Carrier("Box", None, "ov")])
    yield opens("physical_above", physical, "refused @ 13", "a physical carrier more secret than the envelope's mark")
    crossed = sealed("crossed", carriers=[Carrier(to="ss")])
    yield opens("carrier_no_row", crossed, "refused @ 13", "a carrier whose pair of marks is no row")
    missing = {"basis": [["contract", "12", "", ""], ["confirmation", "13", "", ""]]}
    yield opens("basis_missing", changing("basis", "manifest", missing), "refused @ 13", "without the kind of basis that the origin's party requires")


def _closed() -> Cases:
    carriers = [Carrier(content=CONTENT)]
    good = sealed("shut", carriers=carriers, **CLOSED)
    yield verify("closed_verified", good, "success", "a closed stamp, read without a key")
    yield opened("closed", good, "a closed stamp, opened")
    for size, pad in ((1, 0), (9, 1), (1000, 24)):
        made = sealed(f"padme {size}", carriers=[Carrier(content=bytes(size))], **{**CLOSED, "pad": pad})
        yield opened(f"padme_{size}", made, f"{size} bytes, padded by padme to {size + pad}")
    strict = {**CLOSED, "code": "ov"}
    ov = [Carrier(content=CONTENT, code="ov")]
    details: Sequence[tuple[str, Changes, Changes, str, str]] = (
        ("transport", {"transport": "rail"}, {**strict, "carriers": ov}, "refused", "a transport method that is not allowed for this mark"),
        ("marks", {"marks": [["KZ", "s"], ["BY", "ss"]]}, {**CLOSED, "carriers": carriers}, "refused", "a pair of marks that is no row"),
    )
    for name, changes, plan, outcome, comment in details:
        made = changing(f"closed {name}", "detail", changes, **plan)
        yield opens(f"closed_{name}", made, f"{outcome} @ 12", f"hidden by the stamp: {comment}")
    channel = sealed("closed channel", **strict, carriers=ov, channel="courier")
    yield opens("closed_channel", channel, "refused @ 12", "a channel that is not allowed for the mark that the stamp hides")
    yield verify("closed_channel_verified", channel, "success", "the same, read without a key: it cannot be checked")
    low = sealed("closed sealer", **{**CLOSED, "code": "ss"}, carriers=[Carrier(content=CONTENT, code="ss")], sealer=PEOPLE["saule-seal"])
    yield opens("closed_sealer_not_cleared", low, "refused @ 12", "a sealer who is not cleared to the mark that the stamp hides")
    pavel = sealed("closed pavel", **CLOSED, carriers=carriers, addressees=[ALENA, PEOPLE["pavel-open"]])
    yield opens(
        "closed_not_cleared", pavel, "refused @ 12", "an addressee who is not cleared to the mark that the stamp hides", identity=("pavel-open.seed",)
    )
    inside = changing("inside", "manifest", {"detail": LETTER.detail})
    yield opens("detail_inside_open", inside, "malformed @ 12", "a detail in the manifest under an open stamp")
    outside = changing("outside", "manifest", {"detail": None}, carriers=carriers, **CLOSED)
    yield opens("detail_nil_closed", outside, "malformed @ 12", "no detail in the manifest under a closed stamp")
    other = changing("other detail", "manifest", {"detail": LETTER.detail}, carriers=carriers, **{**CLOSED, "code": "ss"})
    yield opens("detail_other", other, "not authentic @ 12", "another detail in the manifest than the stamp promises")


def _pads() -> Cases:
    carriers = [Carrier(content=CONTENT)]
    short = sealed("no pad", carriers=carriers, **{**CLOSED, "pad": 0})
    yield opens("pad_missing", short, "malformed @ 13", "no pad where the rule gives one")
    needless = sealed("needless pad", pad=1)
    yield opens("pad_needless", needless, "malformed @ 13", "a pad where the rule gives none")
    said = changing("said", "manifest", {"pad length": 0}, carriers=carriers, **CLOSED)
    yield opens("pad_length", said, "malformed @ 13", "the manifest says another pad length")
    spoilt = sealed("not zero", carriers=carriers, **CLOSED, hooks={"pad": lambda _: b"\1"})
    yield opens("pad_not_zero", spoilt, "not authentic @ 14", "a pad that is not zero")
    none = sealed("no stream", hooks={"streams": lambda parts: parts[:-1]})
    yield opens("pad_stream_missing", none, "malformed @ 13", "no pad stream")


def _with_sizes(*sizes: int) -> Sequence[Carrier]:
    return [replace(carrier, fields={"size": size}) for carrier, size in zip(TWO, sizes, strict=True)]


def _carriers() -> Cases:
    digest = changing("payload digest", "dispatch", {"payload": bytes(32)})
    yield verify("payload_digest_verified", digest, "not authentic @ 9", "another digest of the payload, signed; read without a key")
    commitment = [Carrier(fields={"commitment": bytes(32)})]
    yield opens("commitment", sealed("commitment", carriers=commitment), "not authentic @ 14", "another commitment")
    yield opens("sizes_moved", sealed("moved", carriers=_with_sizes(7, 7)), "not authentic @ 14", "sizes whose sum is right, at the wrong boundary")
    full = [Carrier("a.bin", bytes(16384))]
    yield opens(
        "final_chunk_missing",
        sealed("cut", carriers=full, hooks={"stream 2": lambda stream: stream[:-16]}),
        "malformed @ 13",
        "the final, empty chunk of a carrier missing, signed",
    )
    swapped = {"streams": lambda parts: [parts[1], parts[0], parts[2]]}
    equal = [Carrier("a.txt", b"aaa"), Carrier("b.txt", b"bbb")]
    yield opens(
        "streams_swapped", sealed("swapped", carriers=equal, hooks=swapped), "not authentic @ 14", "the streams of two carriers exchanged, signed"
    )
    pad_first = {"streams": lambda parts: [parts[1], parts[0]]}
    yield opens(
        "pad_first",
        sealed("pad first", carriers=[Carrier("e", b"")], hooks=pad_first),
        "not authentic @ 14",
        "the pad before the carrier, both empty",
    )
    context = sealed("context", hooks={"stream 2": _other_context})
    yield opens("context", context, "not authentic @ 14", "a carrier's stream under a context with another header's digest, signed")


def _other_context(_: bytes) -> bytes:
    """The carrier's stream made anew, by the right key, in another context."""
    built = sealed("context")
    key = wire.stream_key(built.payload_key, 2, built.core_digest)
    return wire.cobblestone(key, wire.stream_context(bytes(32), 2), Carrier().content or b"", wire.draw("context/other", 24))


def cases() -> Cases:
    """All of them."""
    for part in (_manifest, _names, _marks, _closed, _pads, _carriers):
        yield from part()
