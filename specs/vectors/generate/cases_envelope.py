"""Vectors of envelopes: good ones, the header, the agreement, the addressees (envelope.md, Reading 1 to 10)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import objects as o
import spoil
import wire
import world as w
from cases import LETTER, PINNED, TRUSTED, WORLD, Case, Cases, Changes, Rows
from objects import Built, Carrier, Envelope

PEOPLE = w.PEOPLE
ALENA, BAHDAN = PEOPLE["alena-open"], PEOPLE["bahdan-open"]
BY_AGREEMENT = {w.OPEN.digest: "open.vls", w.CLOSED.digest: "closed.vls", w.UNEVEN.digest: "uneven.vls"}
Head = Mapping[str, Sequence[str]]


def _case(name: str, made: Built | bytes, outcome: str, comment: str, head: Head) -> Case:
    raw = made if isinstance(made, bytes) else made.container
    expect, _, step = outcome.partition(" @ ")
    full: Head = {**TRUSTED, "agreement": (_agreement(made),), **head}
    return Case(f"envelope_{name}", "envelope", raw, expect, comment, step, head=full)


def _agreement(made: Built | bytes) -> str:
    return "open.vls" if isinstance(made, bytes) else BY_AGREEMENT.get(made.plan.agreement.digest, "open.vls")


def verify(name: str, made: Built | bytes, outcome: str, comment: str, **head: Sequence[str]) -> Case:
    """A case for a reader without a key."""
    return _case(name, made, outcome, comment, {"mode": ("verify",), **head})


def opens(name: str, made: Built | bytes, outcome: str, comment: str, **head: Sequence[str]) -> Case:
    """A case for alena, unless the head names another identity."""
    return _case(name, made, outcome, comment, {"mode": ("open",), "identity": ("alena-open.seed",), **head})


def opened(name: str, built: Built, comment: str, **head: Sequence[str]) -> Case:
    """A case that opens: the head has the digest of all plaintext."""
    content = b"".join(carrier.content for carrier in built.plan.carriers if carrier.content is not None)
    return opens(name, built, "success", comment, **{**head, "payload": (hashlib.sha256(content).hexdigest(),)})


def sealed(tag: str, **changes: object) -> Built:
    """The good letter with something else said, and random values of its own."""
    return Built(Envelope(tag).but(**changes))


def changing(tag: str, part: str, changes: Changes, **more: object) -> Built:
    """The good letter with other fields in one part: `detail`, `stamp`, `core`, `manifest` or `dispatch`."""
    return sealed(tag, hooks={part: lambda items: {**items, **changes}}, **more)


def _sizes() -> Cases:
    for size in (0, 1, 16383, 16384, 16385):
        built = sealed(f"size {size}", carriers=[Carrier("a.bin", bytes(i % 251 for i in range(size)))])
        yield opened(f"size_{size}", built, f"a carrier of {size} bytes")
    physical = [Carrier("Case with a device, sealed", None)]
    yield opened("physical_only", sealed("physical", carriers=physical), "a physical carrier only: the pad and the manifest are all streams")
    mixed = [Carrier("Map: 1/3", None), Carrier("a.txt", b"a"), Carrier("Map: 1/3", None), Carrier("b.txt", b"b")]
    yield opened("carriers_mixed", sealed("mixed", carriers=mixed), "files with index 1 and 3, physical carriers with 0 and 2 under one designation")


def _good() -> Cases:
    yield verify("good_verified", LETTER, "success", "a letter, read without a key")
    yield opened("good", LETTER, "a letter, opened by its first addressee")
    three = sealed("three", addressees=[ALENA, BAHDAN, PEOPLE["taras-open"]])
    yield opened("addressees_three", three, "three addressees", identity=("taras-open.seed",))
    yield opened("sealer_three_links", sealed("knb", sealer=PEOPLE["yerlan-seal"]), "the sealer's chain has three links")
    back = sealed("back", **_backwards(), carriers=[Carrier(code="ss")], code="ss")
    yield opened("other_direction", back, "from BY to KZ", identity=("aigerim-open.seed",))
    agreed = {"channel": "agreed", "hooks": {"detail": lambda items: {**items, "reference": "Protocol of 2026-02-03"}}}
    yield opened("reference", sealed("agreed", **agreed), "a channel that needs a reference, with one")
    yield opened("expired_rosters", LETTER, "rosters that have expired: opening goes on", at=(w.stamp_of(w.EXPIRES + 1),))
    transit = w.when("2026-06-01") + 2592000
    both = {"agreement": ("open.vls", "open-next.vls")}
    yield verify("in_transit", LETTER, "success", "the last second of max transit after the next version", at=(w.stamp_of(transit - 1),), **both)
    begins = w.when("2026-06-01")
    last = sealed("last under the old", sealed_at=begins - 1, due=begins + 86400)
    yield verify("agreement_last_second", last, "success", "sealed the last second before the next version", at=(w.stamp_of(begins),), **both)
    after = w.when("2026-06-02")
    late, others = sealed("not replaced", sealed_at=after, due=after + 86400), {"agreement": ("open.vls", "open-other-id.vls", "open-skipped.vls")}
    what = "agreements that name this one as their previous, with another id, or not with the next number: they replace nothing"
    yield verify("not_replaced", late, "success", what, at=(w.stamp_of(after + 60),), **others)
    early = sealed("before the end", sealed_at=w.when("2026-02-20") - 1)
    yield verify("before_termination", early, "success", "sealed a second before a termination took effect", agreement=("open.vls", "open-end.vls"))
    shown: o.Hooks = {
        "core": lambda items: {**items, "extensions": {"~a": 1}},
        "manifest": lambda items: {**items, "extensions": {"~b": None}},
        "dispatch": lambda items: {**items, "extensions": {"~c": b""}, "attachments": [["photo", bytes(9)]]},
        "detail": lambda items: {**items, "legs": [["Astana", "Moscow"], ["Moscow", "Minsk"], ["Minsk", "Minsk"]]},
    }
    yield opened(
        "extensions_shown", sealed("shown", hooks=shown), "extensions with ~ in core, manifest and dispatch, an unknown attachment, three legs"
    )


def _backwards() -> Changes:
    """An envelope from BY to KZ."""
    decisions = [["confirmation", "1", "", ""], ["decision", "2", "", ""]]
    return {
        "sealer": PEOPLE["ryhor-seal"],
        "destination": w.KZ_MFA,
        "confirming": w.KZ_MFA,
        "addressees": [PEOPLE["aigerim-open"]],
        "hooks": {"manifest": lambda items: {**items, "basis": decisions}},
    }


def _uneven() -> Cases:
    plan = {"agreement": w.UNEVEN, "carriers": [Carrier(content=b"u" * 300, to="dsp")], "to": "dsp", "pad": 212}
    yield opened("uneven", sealed("uneven", **plan), "the least secret mark of three goes to the least of four; padded to multiples of 512")
    highest = [Carrier("a", b"a", "s", "dsp"), Carrier("b", b"b", "ss", "s"), Carrier("c", b"c", "s", "dsp")]
    mixed = {**plan, "carriers": highest, "code": "ss", "to": "s", "pad": 509}
    yield opened("uneven_highest", sealed("highest", **mixed), "the envelope's marks are those of its most secret carrier")
    straight = sealed("straight", **{**plan, "to": "s"})
    yield verify("marks_no_row", straight, "refused @ 7", "a pair of marks that is no row, though both codes read alike")
    none = {**_backwards(), "agreement": w.UNEVEN, "code": "ss", "to": "ss"}
    yield verify("marks_without_counterpart", sealed("none", **none), "refused @ 7", "a mark without counterpart")


def _container() -> Cases:
    raw = LETTER.container
    body, footer = raw[:-44], raw[-44:]
    for name, data, outcome, comment in (
        ("empty", b"", "malformed @ 1", "no byte"),
        ("trailing", raw + b"\0", "malformed @ 1", "a byte behind the footer"),
        ("truncated", raw[:-1], "malformed @ 1", "the last byte missing"),
        ("byte_before_footer", body + b"\0" + footer, "malformed @ 3", "a byte between dispatch and footer"),
        ("version_of_header", raw[:9] + b"\2" + raw[10:], "malformed @ 2", "version 2 in the header only"),
    ):
        yield verify(name, data, outcome, comment)
    for name, at, comment in (("magic", 0, "another magic"), ("version", 9, "version 0"), ("suite", 11, "suite 0")):
        prefix = spoil.flip(at)(wire.PREFIX)
        both = sealed(name, hooks={"prefix": lambda _, prefix=prefix: prefix, "core bytes": lambda core, prefix=prefix: prefix + core[12:]})
        yield verify(f"{name}_unknown", both, "malformed @ 1", f"{comment} in header and footer, signed")


def _offsets() -> Cases:
    sizes = [len(part) for part in (LETTER.core, LETTER.stanzas, LETTER.streams, LETTER.manifest_stream, LETTER.dispatch)]
    ends = [sum(sizes[:count]) for count in range(1, 5)]
    for index, name in ((2, "manifest"), (3, "dispatch")):
        wrong = [end + (1 if at == index else 0) for at, end in enumerate(ends)]
        moved = sealed("letter", addressees=[ALENA, BAHDAN], hooks={"offsets": lambda _, wrong=wrong: wrong})
        outcome = "malformed @ 3" if name == "dispatch" else "not authentic @ 4"
        yield verify(f"offset_{name}", moved, outcome, f"the offset of {name} is one too large")
    for name, offsets, comment in (
        ("crossed", [ends[0], ends[2], ends[1], ends[3]], "header and manifest stream overlap"),
        ("huge", [*ends[:3], 2**64 - 1], "dispatch begins at 2^64 - 1"),
    ):
        made = sealed("letter", addressees=[ALENA, BAHDAN], hooks={"offsets": lambda _, offsets=offsets: offsets})
        yield verify(f"offsets_{name}", made, "malformed @ 1", comment)


def _header() -> Cases:
    digests = {name: bytes(32) for name in ("core", "header")}
    for name, value in digests.items():
        yield verify(f"digest_{name}", changing(name, "dispatch", {name: value}), "not authentic @ 4", f"another digest of {name}, signed")
    longer = sealed("lengths", hooks={"dispatch": lambda items: {**items, "lengths": [n + 1 for n in items["lengths"]]}})
    yield verify("lengths", longer, "not authentic @ 4", "other lengths, signed")
    cores: Rows = (
        ("one_party", {"destination": ["KZ", "KZ-KNB"], "confirming": ["KZ", "KZ-KNB"]}, "origin and destination of one party"),
        ("confirming_origin", {"confirming": ["KZ", "KZ-MFA"]}, "a confirming body of the origin's party"),
        ("extension_unknown", {"extensions": {"route": 1}}, "an extension that version 1 does not know"),
    )
    for name, changes, comment in cores:
        yield verify(f"core_{name}", changing(f"core {name}", "core", changes), "malformed @ 5", f"core: {comment}")
    hidden = changing("stamp short", "stamp", {"detail": bytes(31)})
    yield verify("stamp_detail_short", hidden, "malformed @ 5", "stamp: a closed detail of 31 bytes")
    yield verify("detail_legs_many", changing("detail legs", "detail", {"legs": [["a", "a"]] * 17}), "malformed @ 5", "detail: 17 legs")
    behind = sealed("behind core", hooks={"core bytes": lambda core: core + b"\0"})
    yield verify("byte_behind_core", behind, "malformed @ 5", "a byte behind the core's array, signed")
    behind = sealed("behind stanzas", hooks={"stanzas bytes": lambda stanzas: stanzas + b"\0"})
    yield verify("byte_behind_stanzas", behind, "malformed @ 5", "a byte between stanzas and payload, signed")


def _stanzas() -> Cases:
    changes: Sequence[tuple[str, o.Hook, str]] = (
        ("none", lambda _: [], "no stanza"),
        ("twice", lambda own: [own[0], own[0]], "one stanza twice"),
        ("short", lambda own: [[own[0][0], own[0][1][:-1]]], "a wrapped key of 1167 bytes"),
        ("unsorted", lambda own: sorted([*own, [BAHDAN.digest, own[0][1]]], reverse=True), "stanzas that are not sorted"),
    )
    for name, change, comment in changes:
        yield verify(f"stanzas_{name}", sealed(f"stanzas {name}", hooks={"stanzas": change}), "malformed @ 5", comment)
    comment = "an encapsulation whose X25519 half is zero: a reader that does not look may open it"
    yield opens("stanza_zero", _weak("zero", bytes(32)), "malformed @ 5", comment)
    spelt = sealed("stanza spelt", addressees=[ALENA], hooks={"stanzas": _with_point(spoil.X25519_NINE_PLUS_P)})
    yield verify("stanza_non_canonical", spelt, "malformed @ 5", "an encapsulation whose X25519 half is not canonical")


def _weak(name: str, point: bytes) -> Built:
    plan = Envelope(f"weak {name}", addressees=[ALENA])
    wrapped = Built(plan).wrapped(ALENA, "weak", point)
    return Built(plan.but(hooks={"stanzas": lambda _: [[ALENA.digest, wrapped]]}))


def _with_point(point: bytes) -> o.Hook:
    return lambda pairs: [[digest, wrapped[:1088] + point + wrapped[1120:]] for digest, wrapped in pairs]


def _sealers() -> Cases:
    other = changing("other origin", "core", {"origin": ["KZ", "KZ-KNB"]})
    yield verify("sealer_of_other_body", other, "refused @ 6", "an origin that is not the sealer's body")
    yield verify("sealer_expired", sealed("expired", sealer=PEOPLE["marat-seal"]), "refused @ 6", "the sealer's credential had expired at sealed at")
    purpose = PEOPLE["aigerim-acknowledge"]
    yield verify("sealer_purpose", sealed("purpose", sealer=purpose), "not authentic @ 3", "sealed with a key to acknowledge")
    yield verify("sealer_unknown", LETTER, "not authentic @ 3", "the reader has no roster of the origin", trust=("by.vls",), agreement=())
    low = sealed("low", sealer=PEOPLE["saule-seal"], code="ss", carriers=[Carrier(code="ss")])
    yield verify("sealer_not_cleared", low, "refused @ 8", "a sealer who is not cleared to the origin's mark")


def _agreements() -> Cases:
    yield verify("agreement_unknown", LETTER, "refused @ 7", "the agreement is not known", agreement=("closed.vls",))
    next_too = {"agreement": ("open.vls", "open-next.vls")}
    after = w.when("2026-06-01")
    late = sealed("late", sealed_at=after)
    yield verify("agreement_replaced", late, "refused @ 7", "sealed when the next version was in force", at=(w.stamp_of(after + 60),), **next_too)
    yield verify(
        "agreement_transit", LETTER, "refused @ 7", "in transit for too long after the next version", at=(w.stamp_of(after + 2592000),), **next_too
    )
    yield verify("agreement_transit_over", LETTER, "refused @ 7", "the same a second later", at=(w.stamp_of(after + 2592001),), **next_too)
    held = sealed("held back", sealed_at=after - 1, due=after + 86400)
    comment = "sealed in time, and accepted when max transit was over"
    yield verify("agreement_transit_last", held, "refused @ 7", comment, at=(w.stamp_of(after + 2592000),), **next_too)
    ended = sealed("ended", sealed_at=w.when("2026-02-20"))
    yield verify("agreement_terminated", ended, "refused @ 7", "sealed when a termination took effect", agreement=("open.vls", "open-end.vls"))
    ending = w.OPEN.but({"valid until": w.SEALED})
    WORLD["open-expired.vls"] = ending.statement()
    comment = "sealed the second the agreement ends"
    yield verify("agreement_expired", sealed("expired", agreement=ending), "refused @ 7", comment, agreement=("open-expired.vls",))
    yield verify(
        "sealed_in_future", LETTER, "refused @ 7", "sealed a second further in the future than skew allows", at=(w.stamp_of(w.SEALED - 301),)
    )
    side = w.side("TS", ["x"], ["TS-A"], ["destination"], ["decision"])
    said: Changes = {"parties": [w.KZ_SIDE, side], "rows": [["KZ", "s", "x"]], "handling": [["KZ", "s", *w.EVERYTHING]]}
    third = w.OPEN.but(said, [w.KZ.signer(), w.TS.signer()])
    WORLD["kz-ts.vls"] = third.statement()
    world = {"root": (*PINNED, f"TS {w.TS.digest.hex()}"), "trust": ("kz.vls", "by.vls", "ts.vls"), "agreement": ("kz-ts.vls",)}
    yield verify("agreement_of_others", sealed("of others", agreement=third), "refused @ 7", "an agreement with a third party", **world)
    plans: Rows = (
        ("confirming_other", {"confirming": w.BY_MVD}, "a confirming body that the agreement does not name"),
        ("due_before", {"due": w.SEALED - 1}, "receipt due before sealed at"),
        ("channel_unknown", {"channel": "post"}, "a channel that the agreement does not know"),
        (
            "channel_not_allowed",
            {"channel": "courier", "code": "ov", "carriers": [Carrier(code="ov")]},
            "a channel that is not allowed for this mark",
        ),
        ("reference_missing", {"channel": "agreed"}, "a channel that needs a reference, without one"),
        ("stamp_closed", {"closed": True}, "a closed stamp under an agreement with an open one"),
        ("stamp_open", {"agreement": w.CLOSED}, "an open stamp under an agreement with a closed one"),
    )
    for name, changes, comment in plans:
        yield verify(f"refused_{name}", sealed(f"refused {name}", **changes), "refused @ 7", comment)
    strict = {"code": "ov", "carriers": [Carrier(code="ov")]}
    details: Rows = (
        ("transport_not_allowed", {"transport": "road"}, "a transport method that is not allowed for this mark"),
        ("marks_unequal", {"marks": [["KZ", "ov"], ["BY", "s"]]}, "a pair of marks that is no row"),
    )
    for name, changes, comment in details:
        yield verify(f"detail_{name}", changing(f"detail {name}", "detail", changes, **strict), "refused @ 7", comment)
    legs = changing("legs", "detail", {"legs": [["Astana", "Moscow"], ["Warsaw", "Minsk"]]})
    yield verify("detail_legs_disconnected", legs, "malformed @ 7", "a leg that does not begin where the one before ended")


def _addressees() -> Cases:
    for name, addressee, comment in (
        ("other_body", "kastus-open", "an addressee of another body"),
        ("expired", "zoya-open", "an addressee whose credential had expired"),
        ("not_cleared", "pavel-open", "an addressee without clearance"),
    ):
        made = sealed(f"addressee {name}", addressees=[ALENA, PEOPLE[addressee]])
        yield verify(f"addressee_{name}", made, "refused @ 8", comment)
    wrapped = LETTER.wrapped(ALENA, "filler")
    for name, digest, comment in (
        ("unknown", wire.draw("nobody"), "an addressee whom nobody knows"),
        ("purpose", PEOPLE["bahdan-acknowledge"].digest, "an addressee's credential to acknowledge"),
    ):
        hook = {"stanzas": lambda pairs, digest=digest: sorted([*pairs, [digest, wrapped]])}
        yield verify(f"addressee_{name}", sealed(f"addressee {name}", hooks=hook), "refused @ 8", comment)
    yield opens("no_addressee", LETTER, "no key @ 10", "opened by a colleague who is no addressee", identity=("taras-open.seed",))
    yield opens("no_addressee_body", LETTER, "refused @ 10", "opened by an officer of another body", identity=("kastus-open.seed",))
    lida = sealed("lapsing", addressees=[PEOPLE["lida-open"]])
    yield opens(
        "addressee_lapsed", lida, "refused @ 10", "the addressee's credential was valid at sealed at, and is not now", identity=("lida-open.seed",)
    )


def cases() -> Cases:
    """All of them."""
    for part in (_sizes, _good, _uneven, _container, _offsets, _header, _stanzas, _sealers, _agreements, _addressees):
        yield from part()
