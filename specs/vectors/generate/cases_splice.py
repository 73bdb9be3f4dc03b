"""Vectors of envelopes put together from parts of others, by strangers, colleagues and the sealer himself."""

from __future__ import annotations

import objects as o
import wire
import world as w
from cases import LETTER, Cases
from cases_envelope import ALENA, BAHDAN, PEOPLE, opens, sealed, verify
from objects import Built, Carrier, Envelope
from wire import Item

OTHER = sealed("other letter", addressees=[ALENA, BAHDAN], carriers=[Carrier(content=b"The talks begin on the 15th.\n")])
DAUREN = PEOPLE["dauren-seal"]


def _resigned(header_of: Built, payload_of: Built, **sections: bytes) -> bytes:
    """The header of one envelope over the payload of another, signed by the sealer once more."""
    items = header_of.dispatch_of(payload_of.streams, payload_of.manifest_stream, payload_of.manifest)
    parts = {"streams": payload_of.streams, "manifest_stream": payload_of.manifest_stream, "dispatch": header_of.signed(items)}
    return header_of.assembled(**parts, **sections)


def _by_strangers() -> Cases:
    payload = {"streams": OTHER.streams, "manifest_stream": OTHER.manifest_stream}
    moved = LETTER.assembled(**payload)
    yield opens("splice_payload_opened", moved, "not authentic @ 11", "the same, opened")
    streams = LETTER.assembled(streams=OTHER.streams)
    yield opens("splice_carriers", streams, "not authentic @ 14", "the carriers of another envelope, with the right manifest")
    yield verify("splice_dispatch", LETTER.assembled(dispatch=OTHER.dispatch), "not authentic @ 4", "the dispatch of another envelope")
    one = wire.encode([[ALENA.digest, LETTER.wrapped(ALENA, ALENA.name)]])
    yield verify("stanza_stripped", LETTER.assembled(stanzas=one), "not authentic @ 4", "one of two stanzas taken away")
    third = sorted([one.digest, LETTER.wrapped(one, one.name)] for one in (ALENA, BAHDAN, PEOPLE["taras-open"]))
    added = LETTER.assembled(stanzas=wire.encode(third))
    yield opens("stanza_added", added, "not authentic @ 4", "an addressee adds a colleague", identity=("taras-open.seed",))
    kastus = PEOPLE["kastus-open"]
    forwarded = wire.encode([[kastus.digest, LETTER.wrapped(kastus, "forwarded")]])
    outcome = "an addressee passes payload and dispatch on to a third body, under the original core"
    yield opens("forwarded", LETTER.assembled(stanzas=forwarded), "not authentic @ 4", outcome, identity=("kastus-open.seed",))


def _crossed(built: Built) -> list[list[bytes]]:
    pairs = sorted([one.digest, built.wrapped(one, one.name)] for one in built.plan.addressees)
    return [[pairs[0][0], pairs[1][1]], [pairs[1][0], pairs[0][1]]]


def _by_the_sealer() -> Cases:
    payload = _resigned(LETTER, OTHER)
    yield verify(
        "resigned_payload_verified", payload, "success", "the sealer signs another payload under his header: without a key it cannot be seen"
    )
    yield opens("resigned_payload", payload, "not authentic @ 11", "the same, opened")
    both = Envelope("crossed", addressees=[ALENA, BAHDAN])
    crossed = Built(both.but(hooks={"stanzas": lambda _: _crossed(Built(both))}))
    yield opens("resigned_stanzas_crossed", crossed, "not authentic @ 10", "the sealer exchanges the wrapped keys of two addressees")
    foreign = sealed("foreign", hooks={"stanzas": lambda _: [[ALENA.digest, LETTER.wrapped(ALENA, ALENA.name)]]})
    yield opens("resigned_stanza_foreign", foreign, "not authentic @ 10", "a stanza of another envelope, signed")
    yield opens(
        "two_keys",
        _two_keys(),
        "not authentic @ 11",
        "a wrapped key of another envelope for one of two addressees, signed",
        identity=("bahdan-open.seed",),
    )


def _two_keys() -> Built:
    """Alena gets the payload key, Bahdan that of another envelope, each wrapped for this core."""
    plan = Envelope("two keys", addressees=[ALENA, BAHDAN])

    def change(_: object) -> list[list[bytes]]:
        built = Built(plan)
        info: list[Item] = ["valiza/v1/wrap/payload-key", built.core_digest, BAHDAN.digest]
        other = wire.wrap(BAHDAN.public, info, OTHER.payload_key, "two keys")
        return sorted([[ALENA.digest, built.wrapped(ALENA, ALENA.name)], [BAHDAN.digest, other]])

    return Built(plan.but(hooks={"stanzas": change}))


def _by_colleagues() -> Cases:
    items = LETTER.dispatch_items
    named = wire.statement("valiza/v1/dispatch", wire.encode(list(items.values())), [DAUREN.signer("sealer")])
    yield verify(
        "colleague_signs", LETTER.assembled(dispatch=named), "not authentic @ 6", "a colleague puts his own dispatch on the sealer's envelope"
    )
    stolen = _stolen()
    yield verify(
        "colleague_core_verified", stolen, "success", "a colleague puts the payload under a core of his own: without a key it cannot be seen"
    )
    yield opens("colleague_core", stolen, "not authentic @ 10", "the same, opened: no stanza opens under another core")
    yield opens("addressee_core", _stolen(rewrapped=True), "not authentic @ 11", "with an addressee's help the stanzas open; the streams do not")
    again = {"streams": LETTER.streams, "manifest_stream": _manifest_again()}
    helped = _stolen(rewrapped=True, sections=again, manifest=LETTER.manifest)
    yield opens("addressee_core_manifest", helped, "not authentic @ 11", "and encrypted anew, the manifest still names the core that it was made for")


def _colleague() -> Built:
    return Built(Envelope("letter", sealer=DAUREN, addressees=[ALENA, BAHDAN]))


def _manifest_again() -> bytes:
    built = _colleague()
    return built.stream(0, LETTER.manifest)


def _stolen(*, rewrapped: bool = False, sections: dict[str, bytes] | None = None, manifest: bytes = b"") -> bytes:
    """The letter's payload under a core that names a colleague; *rewrapped* by someone who knows the payload key."""
    hooks: o.Hooks = {} if rewrapped else {"stanzas bytes": lambda _: LETTER.stanzas}
    built = Built(Envelope("letter", sealer=DAUREN, addressees=[ALENA, BAHDAN], hooks=hooks))
    parts = sections or {"streams": LETTER.streams, "manifest_stream": LETTER.manifest_stream}
    items = built.dispatch_of(parts["streams"], parts["manifest_stream"], manifest or LETTER.manifest)
    return built.assembled(**parts, dispatch=built.signed(items))


def _twice() -> Cases:
    later = LETTER.dispatch_items | {"sealed at": w.SEALED + 60}
    again = LETTER.assembled(dispatch=LETTER.signed(later))
    yield verify("dispatch_twice", again, "success", "the sealer signs one header and payload a second time: a conflict for a reader with a journal")


def cases() -> Cases:
    """All of them."""
    for part in (_by_strangers, _by_the_sealer, _by_colleagues, _twice):
        yield from part()
