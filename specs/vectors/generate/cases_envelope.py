"""Vectors of envelopes: good ones, the header, the agreement, the addressees (envelope.md, Reading 1 to 10)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import objects as o
import spoil
import wire
import world as w
from cases import LETTER, PINNED, TRUSTED, WORLD, Case, Cases, Changes
from objects import Built, Carrier, Envelope

PEOPLE = w.PEOPLE
ALENA, BAHDAN = PEOPLE["alena-open"], PEOPLE["bahdan-open"]
BY_AGREEMENT = {w.OPEN.digest: "open.vls", w.CLOSED.digest: "closed.vls", w.UNEVEN.digest: "uneven.vls"}
Head = Mapping[str, Sequence[str]]


def _case(name: str, made: Built | bytes, outcome: str, comment: str, head: Head, mode: str, agreement: str) -> Case:
    raw = made if isinstance(made, bytes) else made.container
    expect, _, step = outcome.partition(" @ ")
    fixed: Head = {"mode": (mode,), **({"identity": ("alena-open.seed",)} if mode == "open" else {})}
    return Case(f"envelope_{name}", "envelope", raw, expect, comment, step, head={**TRUSTED, "agreement": (agreement,), **fixed, **head})


def _agreement(made: Built | bytes) -> str:
    return "open.vls" if isinstance(made, bytes) else BY_AGREEMENT.get(made.plan.agreement.digest, "open.vls")


def verify(name: str, made: Built | bytes, outcome: str, comment: str, **head: Sequence[str]) -> Case:
    """A case for a reader without a key."""
    return _case(name, made, outcome, comment, head, "verify", _agreement(made))


def opens(name: str, made: Built | bytes, outcome: str, comment: str, **head: Sequence[str]) -> Case:
    """A case for alena, unless the head names another identity."""
    return _case(name, made, outcome, comment, head, "open", _agreement(made))


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
    for size in (0, 1, 16383, 16384, 16385, 32768):
        built = sealed(f"size {size}", carriers=[Carrier("a.bin", bytes(i % 251 for i in range(size)))])
        yield opened(f"size_{size}", built, f"a carrier of {size} bytes")
    several = [Carrier("a.txt", b"first"), Carrier("b.txt", b""), Carrier("c.txt", b"third")]
    yield opened("carriers_several", sealed("several", carriers=several), "three carriers, one empty")
    physical = [Carrier("Case with a device, sealed", None)]
    yield opened("physical_only", sealed("physical", carriers=physical), "a physical carrier only: the pad and the manifest are all streams")
    mixed = [Carrier("Map: 1/3", None), Carrier("a.txt", b"a"), Carrier("Map: 1/3", None), Carrier("b.txt", b"b")]
    yield opened("carriers_mixed", sealed("mixed", carriers=mixed), "files with index 1 and 3, physical carriers with 0 and 2 under one designation")


def _good() -> Cases:
    yield verify("good_verified", LETTER, "success", "a letter, read without a key")
    yield opened("good", LETTER, "a letter, opened by its first addressee")
    yield opened("good_second", LETTER, "the same, opened by the second", identity=("bahdan-open.seed",))
    one = sealed("one", addressees=[ALENA])
    yield opened("addressee_one", one, "one addressee")
    three = sealed("three", addressees=[ALENA, BAHDAN, PEOPLE["taras-open"]])
    yield opened("addressees_three", three, "three addressees", identity=("taras-open.seed",))
    two_keys = ("kastus-open.seed", "alena-open.seed")
    yield opened("two_identities", LETTER, "a reader with two keys, one of another body", identity=two_keys)
    yield opened("sealer_three_links", sealed("knb", sealer=PEOPLE["yerlan-seal"]), "the sealer's chain has three links")
    yield verify("confirming_other", sealed("kgb"), "success", "confirmed by the receiving body")
    kgb = sealed("to kgb", destination=w.BY_KGB, confirming=w.BY_KGB, addressees=[PEOPLE["kastus-open"]])
    yield opened("other_destination", kgb, "to another body, confirmed by itself", identity=("kastus-open.seed",))
    back = sealed("back", **_backwards(), carriers=[Carrier(code="ss")], code="ss")
    yield opened("other_direction", back, "from BY to KZ", identity=("aigerim-open.seed",))
    agreed = {"channel": "agreed", "hooks": {"detail": lambda items: {**items, "reference": "Protocol of 2026-02-03"}}}
    yield opened("reference", sealed("agreed", **agreed), "a channel that needs a reference, with one")
    needless = changing("needless", "detail", {"reference": "Protocol of 2026-02-03"})
    yield opened("reference_needless", needless, "a reference where none is needed")
    legs = [["Astana", "Moscow"], ["Moscow", "Minsk"], ["Minsk", "Minsk"]]
    yield verify("legs", changing("legs", "detail", {"legs": legs}), "success", "three legs that connect")
    yield opened("expired_rosters", LETTER, "rosters that have expired: opening goes on", at=(w.stamp_of(w.EXPIRES + 1),))
    yield verify("next_version_later", LETTER, "success", "the next version is known and not in force yet", agreement=("open.vls", "open-next.vls"))
    transit = w.when("2026-06-01") + 2592000
    both = {"agreement": ("open.vls", "open-next.vls")}
    yield verify("in_transit", LETTER, "success", "the last second of max transit after the next version", at=(w.stamp_of(transit - 1),), **both)
    early = sealed("before the end", sealed_at=w.when("2026-02-20") - 1)
    yield verify("before_termination", early, "success", "sealed a second before a termination took effect", agreement=("open.vls", "open-end.vls"))
    yield verify("within_skew", LETTER, "success", "sealed as far in the future as skew allows", at=(w.stamp_of(w.SEALED - 300),))
    shown = {"core": lambda items: {**items, "extensions": {"~a": 1}}, "manifest": lambda items: {**items, "extensions": {"~b": None}}}
    shown["dispatch"] = lambda items: {**items, "extensions": {"~c": b""}, "attachments": [["photo", bytes(9)]]}
    yield opened("extensions_shown", sealed("shown", hooks=shown), "extensions with ~ in core, manifest and dispatch, an unknown attachment")


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
    exact = {**plan, "carriers": [Carrier(content=b"u" * 512, to="dsp")], "pad": 0}
    yield opened("multiple_exact", sealed("exact", **exact), "512 bytes padded to multiples of 512: no pad")
    highest = [Carrier("a", b"a", "s", "dsp"), Carrier("b", b"b", "ss", "s"), Carrier("c", b"c", "s", "dsp")]
    mixed = {**plan, "carriers": highest, "code": "ss", "to": "s", "pad": 509}
    yield opened("uneven_highest", sealed("highest", **mixed), "the envelope's marks are those of its most secret carrier")
    straight = sealed("straight", **{**plan, "to": "s"})
    yield verify("marks_no_row", straight, "refused @ 7", "a pair of marks that is no row, though both codes read alike")
    back = {**_backwards(), "agreement": w.UNEVEN, "code": "dsp", "to": "s"}
    yield verify("marks_one_way", sealed("one way", **back), "refused @ 7", "a row that there is in the other direction only")
    none = {**_backwards(), "agreement": w.UNEVEN, "code": "ss", "to": "ss"}
    yield verify("marks_without_counterpart", sealed("none", **none), "refused @ 7", "a mark without counterpart")


def _container() -> Cases:
    raw = LETTER.container
    body, footer = raw[:-44], raw[-44:]
    for name, data, outcome, comment in (
        ("empty", b"", "malformed @ 1", "no byte"),
        ("footer_only", footer, "malformed @ 1", "44 bytes"),
        ("trailing", raw + b"\0", "malformed @ 1", "a byte behind the footer"),
        ("truncated", raw[:-1], "malformed @ 1", "the last byte missing"),
        ("footer_missing", body, "malformed @ 1", "without footer"),
        ("footer_twice", raw + footer, "malformed @ 3", "the footer twice"),
        ("byte_before_footer", body + b"\0" + footer, "malformed @ 3", "a byte between dispatch and footer"),
        ("byte_before", b"\0" + raw, "malformed @ 2", "a byte before the header"),
        ("magic_of_header", b"\x88" + raw[1:], "malformed @ 2", "another magic in the header"),
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
    for index, name in enumerate(("core", "header", "manifest", "dispatch")):
        wrong = [end + (1 if at == index else 0) for at, end in enumerate(ends)]
        moved = sealed("letter", hooks={"offsets": lambda _, wrong=wrong: wrong})
        outcome = "malformed @ 3" if name == "dispatch" else "not authentic @ 4"
        yield verify(f"offset_{name}", moved, outcome, f"the offset of {name} is one too large")
    for name, offsets, comment in (
        ("zero", [0, 0, 0, 0], "offsets of zero"),
        ("core_empty", [12, *ends[1:]], "a core that is only the prefix"),
        ("no_stanzas", [ends[1], ends[1], *ends[2:]], "core up to the end of the header"),
        ("crossed", [ends[0], ends[2], ends[1], ends[3]], "header and manifest stream overlap"),
        ("beyond", [*ends[:3], len(LETTER.container) - 44], "dispatch begins where the footer does"),
        ("huge", [*ends[:3], 2**64 - 1], "dispatch begins at 2^64 - 1"),
    ):
        made = sealed("letter", hooks={"offsets": lambda _, offsets=offsets: offsets})
        yield verify(f"offsets_{name}", made, "malformed @ 1", comment)


def _header() -> Cases:
    digests = {name: bytes(32) for name in ("core", "header")}
    for name, value in digests.items():
        yield verify(f"digest_{name}", changing(name, "dispatch", {name: value}), "not authentic @ 4", f"another digest of {name}, signed")
    for index, name in enumerate(("core", "header", "payload", "manifest_stream")):
        longer = {"dispatch": lambda items, index=index: {**items, "lengths": [n + (at == index) for at, n in enumerate(items["lengths"])]}}
        yield verify(f"length_{name}", sealed(name, hooks=longer), "not authentic @ 4", f"another length of {name}, signed")
    for name, changes, comment in (
        ("id_short", {"envelope id": bytes(31)}, "an envelope id of 31 bytes"),
        ("one_party", {"destination": ["KZ", "KZ-KNB"], "confirming": ["KZ", "KZ-KNB"]}, "origin and destination of one party"),
        ("confirming_origin", {"confirming": ["KZ", "KZ-MFA"]}, "a confirming body of the origin's party"),
        ("extension_unknown", {"extensions": {"route": 1}}, "an extension that version 1 does not know"),
        ("extra_field", {"more": None}, "a field too many"),
    ):
        yield verify(f"core_{name}", changing(f"core {name}", "core", changes), "malformed @ 5", f"core: {comment}")
    for name, changes, comment in (
        ("channel", {"channel": "Courier"}, "a channel in upper case"),
        ("number_long", {"number": "1" * 65}, "a package number of 65 characters"),
        ("number_empty", {"number": ""}, "no package number"),
        ("detail_short", {"detail": bytes(31)}, "a closed detail of 31 bytes"),
    ):
        yield verify(f"stamp_{name}", changing(f"stamp {name}", "stamp", changes), "malformed @ 5", f"stamp: {comment}")
    for name, changes, comment in (
        ("legs_none", {"legs": []}, "no leg"),
        ("legs_many", {"legs": [["a", "a"]] * 17}, "17 legs"),
        ("reference_nil", {"reference": None}, "nil for no reference"),
    ):
        yield verify(f"detail_{name}", changing(f"detail {name}", "detail", changes), "malformed @ 5", f"detail: {comment}")
    behind = sealed("behind core", hooks={"core bytes": lambda core: core + b"\0"})
    yield verify("byte_behind_core", behind, "malformed @ 5", "a byte behind the core's array, signed")
    behind = sealed("behind stanzas", hooks={"stanzas bytes": lambda stanzas: stanzas + b"\0"})
    yield verify("byte_behind_stanzas", behind, "malformed @ 5", "a byte between stanzas and payload, signed")
    large = changing("large", "core", {"extensions": {"~": bytes(4080)}})
    yield verify("extensions_4096", large, "success", "extensions of the most bytes allowed")
    beyond = changing("beyond", "core", {"extensions": {"~": bytes(32768)}})
    yield verify("core_too_long", beyond, "malformed @ 1", "a core of more than 32768 bytes")


def _stanzas() -> Cases:
    def pairs(count: int) -> list[list[bytes]]:
        wrapped = LETTER.wrapped(ALENA, "filler")
        return sorted([wire.draw(f"stanza {i}"), wrapped] for i in range(count))

    for name, change, comment in (
        ("none", lambda _: [], "no stanza"),
        ("65", lambda _: pairs(65), "65 stanzas"),
        ("unsorted", lambda both: both[::-1], "stanzas that are not sorted"),
        ("twice", lambda both: [both[0], both[0]], "one stanza twice"),
        ("short", lambda both: [[both[0][0], both[0][1][:-1]], both[1]], "a wrapped key of 1167 bytes"),
        ("three_items", lambda both: [[*both[0], None], both[1]], "a stanza of three items"),
    ):
        yield verify(f"stanzas_{name}", sealed(f"stanzas {name}", hooks={"stanzas": change}), "malformed @ 5", comment)
    for name, point, comment in (
        ("zero", bytes(32), "an encapsulation whose X25519 half is zero: a reader that does not look opens it"),
        ("order_8", spoil.X25519_ORDER_8, "an encapsulation whose X25519 half has order 8: likewise"),
    ):
        yield opens(f"stanza_{name}", _weak(name, point), "malformed @ 5", comment)
    spelt = sealed("stanza spelt", addressees=[ALENA], hooks={"stanzas": _with_point(spoil.X25519_NINE_PLUS_P)})
    yield verify("stanza_non_canonical", spelt, "malformed @ 5", "an encapsulation whose X25519 half is not canonical")
    top = sealed("stanza top bit", addressees=[ALENA], hooks={"stanzas": _with_point(spoil.TOP_BIT_NINE)})
    yield verify("stanza_top_bit", top, "malformed @ 5", "an encapsulation whose X25519 half has its top bit set")


def _weak(name: str, point: bytes) -> Built:
    plan = Envelope(f"weak {name}", addressees=[ALENA])
    wrapped = Built(plan).wrapped(ALENA, "weak", point)
    return Built(plan.but(hooks={"stanzas": lambda _: [[ALENA.digest, wrapped]]}))


def _with_point(point: bytes) -> o.Hook:
    return lambda pairs: [[digest, wrapped[:1088] + point + wrapped[1120:]] for digest, wrapped in pairs]


def _sealers() -> Cases:
    dauren = PEOPLE["dauren-seal"].signer("sealer")
    yield verify(
        "signed_by_colleague", sealed("colleague", hooks={"signer": lambda _: dauren}), "not authentic @ 6", "signed by a colleague of the one named"
    )
    other = changing("other origin", "core", {"origin": ["KZ", "KZ-KNB"]})
    yield verify("sealer_of_other_body", other, "refused @ 6", "an origin that is not the sealer's body")
    yield verify("sealer_expired", sealed("expired", sealer=PEOPLE["marat-seal"]), "refused @ 6", "the sealer's credential had expired at sealed at")
    early = sealed("early", sealed_at=w.FROM - 1)
    yield verify("sealer_not_yet", early, "refused @ 6", "the sealer's credential was not valid yet")
    purpose = PEOPLE["aigerim-acknowledge"]
    yield verify("sealer_purpose", sealed("purpose", sealer=purpose), "not authentic @ 3", "sealed with a key to acknowledge")
    yield verify("sealer_unknown", LETTER, "not authentic @ 3", "the reader has no roster of the origin", trust=("by.vls",), agreement=())
    low = sealed("low", sealer=PEOPLE["saule-seal"], code="ss", carriers=[Carrier(code="ss")])
    yield verify("sealer_not_cleared", low, "refused @ 8", "a sealer who is not cleared to the origin's mark")
    enough = sealed("enough", sealer=PEOPLE["saule-seal"])
    yield verify("sealer_just_cleared", enough, "success", "a sealer who is cleared to just this mark")


def _agreements() -> Cases:
    yield verify("agreement_unknown", LETTER, "refused @ 7", "the agreement is not known", agreement=("closed.vls",))
    next_too = {"agreement": ("open.vls", "open-next.vls")}
    after = w.when("2026-06-01")
    late = sealed("late", sealed_at=after)
    yield verify("agreement_replaced", late, "refused @ 7", "sealed when the next version was in force", at=(w.stamp_of(after + 60),), **next_too)
    yield verify(
        "agreement_transit", LETTER, "refused @ 7", "in transit for too long after the next version", at=(w.stamp_of(after + 2592000),), **next_too
    )
    ended = sealed("ended", sealed_at=w.when("2026-02-20"))
    yield verify("agreement_terminated", ended, "refused @ 7", "sealed when a termination took effect", agreement=("open.vls", "open-end.vls"))
    for name, changes, comment in (
        ("not_yet", {"valid from": w.SEALED + 1}, "sealed a second before the agreement is valid"),
        ("expired", {"valid until": w.SEALED}, "sealed the second the agreement ends"),
    ):
        agreement = w.OPEN.but(changes)
        WORLD[f"open-{name}.vls"] = agreement.statement()
        yield verify(f"agreement_{name}", sealed(name, agreement=agreement), "refused @ 7", comment, agreement=(f"open-{name}.vls",))
    yield verify(
        "sealed_in_future", LETTER, "refused @ 7", "sealed a second further in the future than skew allows", at=(w.stamp_of(w.SEALED - 301),)
    )
    side = w.side("TS", ["x"], ["TS-A"], ["destination"], ["decision"])
    rows = {"rows": [["KZ", "s", "x"]], "handling": [["KZ", "s", *w.EVERYTHING]]}
    third = w.OPEN.but({"parties": [w.KZ_SIDE, side], **rows}, [w.KZ.signer(), w.TS.signer()])
    WORLD["kz-ts.vls"] = third.statement()
    world = {"root": (*PINNED, f"TS {w.TS.digest.hex()}"), "trust": ("kz.vls", "by.vls", "ts.vls"), "agreement": ("kz-ts.vls",)}
    yield verify("agreement_of_others", sealed("of others", agreement=third), "refused @ 7", "an agreement with a third party", **world)
    for name, changes, comment in (
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
    ):
        yield verify(f"refused_{name}", sealed(f"refused {name}", **changes), "refused @ 7", comment)
    strict = {"code": "ov", "carriers": [Carrier(code="ov")]}
    for name, changes, outcome, comment in (
        ("transport_not_allowed", {"transport": "road"}, "refused @ 7", "a transport method that is not allowed for this mark"),
        ("escort_not_allowed", {"escort": "none"}, "refused @ 7", "a form of escort that is not allowed for this mark"),
        ("marks_crossed", {"marks": [["BY", "ov"], ["KZ", "ov"]]}, "refused @ 7", "the destination's mark in the place of the origin's"),
        ("marks_unequal", {"marks": [["KZ", "ov"], ["BY", "s"]]}, "refused @ 7", "a pair of marks that is no row"),
        (
            "legs_disconnected",
            {"legs": [["Astana", "Moscow"], ["Warsaw", "Minsk"]]},
            "malformed @ 7",
            "a leg that does not begin where the one before ended",
        ),
    ):
        yield verify(f"detail_{name}", changing(f"detail {name}", "detail", changes, **strict), outcome, comment)


def _addressees() -> Cases:
    for name, addressee, comment in (
        ("other_body", "kastus-open", "an addressee of another body"),
        ("origin", "aigerim-open", "an addressee of the origin"),
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
    yield opens("no_addressee_origin", LETTER, "refused @ 10", "opened by an officer of the origin", identity=("aigerim-open.seed",))
    lida = sealed("lapsing", addressees=[PEOPLE["lida-open"]])
    yield opens(
        "addressee_lapsed", lida, "refused @ 10", "the addressee's credential was valid at sealed at, and is not now", identity=("lida-open.seed",)
    )
    in_time = (w.stamp_of(w.LAPSING[1] - 1),)
    yield opened("addressee_lapsing", lida, "the same, in the last second of the credential", identity=("lida-open.seed",), at=in_time)


def cases() -> Cases:
    """All of them."""
    for part in (_sizes, _good, _uneven, _container, _offsets, _header, _stanzas, _sealers, _agreements, _addressees):
        yield from part()
