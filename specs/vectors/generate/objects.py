"""Envelopes, rewraps, answers and receipts, with a hook at every field (envelope.md, receipt.md, Producing).

A builder computes each part from those before it, and hands each to the hook of its name first, so that a bad part is digested and signed
like a good one and exactly one defect remains.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import wire
import world as w
from wire import Item, Signer

# A hook takes the part as it is made and gives the part that is used: bytes, lists and dicts of every shape.
Hook = Callable[[Any], Any]
Hooks = Mapping[str, Hook]


@dataclass(frozen=True)
class Carrier:
    """A carrier; without *content* a physical one. *fields* replaces fields of its entry in the manifest by name."""

    name: str = "note.txt"
    content: bytes | None = b"The talks begin on the 14th.\n"
    code: str = "s"
    to: str | None = None
    fields: Mapping[str, Item] = field(default_factory=dict)


@dataclass(frozen=True)
class Envelope:
    """What is sealed; *tag* names its random values. See `built` for the hooks."""

    tag: str = "letter"
    carriers: Sequence[Carrier] = (Carrier(),)
    agreement: w.Agreement = w.OPEN
    sealer: w.Credential = w.PEOPLE["aigerim-seal"]
    addressees: Sequence[w.Credential] = (w.PEOPLE["alena-open"],)
    destination: tuple[str, str] = w.BY_MFA
    confirming: tuple[str, str] = w.BY_MFA
    code: str = "s"
    to: str | None = None
    channel: str = "diplomatic"
    due: int = w.DUE
    sealed_at: int = w.SEALED
    pad: int = 0
    closed: bool = False
    hooks: Hooks = field(default_factory=dict)

    def but(self, **changes: Any) -> Envelope:  # noqa: ANN401 - as dataclasses.replace
        """The same with other fields; hooks are added to those that are there."""
        hooks = {**self.hooks, **changes.pop("hooks", {})}
        return replace(self, hooks=hooks, **changes)


@dataclass(frozen=True)
class Built:
    """An envelope and everything that was needed to make it."""

    plan: Envelope

    def hook(self, name: str, part: Any) -> Any:  # noqa: ANN401 - parts are of every shape
        """The part, as the hook of this name leaves it."""
        change = self.plan.hooks.get(name)
        return part if change is None else change(part)

    @cached_property
    def salt(self) -> bytes:
        """Hook `salt`."""
        return bytes(self.hook("salt", wire.draw(f"{self.plan.tag}/salt")))

    @property
    def payload_key(self) -> bytes:
        """The key that every stanza wraps."""
        return wire.draw(f"{self.plan.tag}/payload key")

    def pair(self, code: str, to: str | None) -> Item:
        """A pair of marks, in the direction of the envelope."""
        return [[self.plan.sealer.place[0], code], [self.plan.destination[0], to or code]]

    @cached_property
    def detail(self) -> Item:
        """Hook `detail`: a dict of its fields."""
        items = {
            "marks": self.pair(self.plan.code, self.plan.to),
            "transport": "air",
            "escort": "armed",
            "legs": [["Astana", "Minsk"]],
            "reference": "",
        }
        fields: dict[str, Any] = self.hook("detail", items)
        return list(fields.values())

    @cached_property
    def core(self) -> bytes:
        """Hooks `stamp`, `core` (dicts of their fields), `core array` (its encoding), `core bytes`."""
        plan = self.plan
        hidden = wire.keyed(wire.derive("stamp", [self.salt]), wire.encode(self.detail))
        stamp = {"channel": plan.channel, "number": "12/3", "due": plan.due, "detail": hidden if plan.closed else self.detail}
        items = {
            "envelope id": wire.draw(f"{plan.tag}/id"),
            "agreement": plan.agreement.digest,
            "origin": list(plan.sealer.place),
            "destination": list(plan.destination),
            "confirming": list(plan.confirming),
            "sealing credential": plan.sealer.digest,
            "stamp": list(self.hook("stamp", stamp).values()),
            "extensions": {},
        }
        array = self.hook("core array", wire.encode(list(self.hook("core", items).values())))
        return bytes(self.hook("core bytes", wire.PREFIX + array))

    @cached_property
    def core_digest(self) -> bytes:
        """Digest of core."""
        return wire.digest("core", self.core)

    def wrapped(self, credential: w.Credential, name: str, point: bytes | None = None) -> bytes:
        """The payload key, wrapped to a credential; *point* as in xwing.py."""
        info: list[Item] = ["valiza/v1/wrap/payload-key", self.core_digest, credential.digest]
        return wire.wrap(credential.public, info, self.payload_key, f"{self.plan.tag}/{name}", point)

    @cached_property
    def stanzas(self) -> bytes:
        """Hooks `stanzas` (the sorted list) and `stanzas bytes`."""
        pairs = sorted([one.digest, self.wrapped(one, one.name)] for one in self.plan.addressees)
        return bytes(self.hook("stanzas bytes", wire.encode(self.hook("stanzas", pairs))))

    @cached_property
    def header_digest(self) -> bytes:
        """Digest of the whole header."""
        return wire.digest("header", self.core + self.stanzas)

    def stream(self, number: int, plaintext: bytes) -> bytes:
        """Hook `stream N`, of the ciphertext; its key and context come from core and header."""
        key = wire.stream_key(self.payload_key, number, self.core_digest)
        salt = wire.draw(f"{self.plan.tag}/stream {number}", 24)
        return bytes(self.hook(f"stream {number}", wire.cobblestone(key, wire.stream_context(self.header_digest, number), plaintext, salt)))

    @cached_property
    def openings(self) -> list[bytes | None]:
        """d_i by index, nil for a physical carrier."""
        return [
            None if carrier.content is None else wire.keyed(wire.derive("carrier", [self.salt, index]), carrier.content)
            for index, carrier in enumerate(self.plan.carriers)
        ]

    @cached_property
    def streams(self) -> bytes:
        """Hook `streams`: the streams of carriers and pad, in their order. Hook `pad`: the pad's plaintext."""
        parts = [self.stream(index + 2, one.content) for index, one in enumerate(self.plan.carriers) if one.content is not None]
        parts.append(self.stream(1, self.hook("pad", bytes(self.plan.pad))))
        return b"".join(self.hook("streams", parts))

    def entry(self, index: int, carrier: Carrier) -> Item:
        """One carrier in the manifest."""
        opening = self.openings[index]
        file = carrier.content is not None
        items: dict[str, Item] = {
            "name": carrier.name,
            "media type": "text/plain" if file else "",
            "size": len(carrier.content or b"") if file else None,
            "commitment": None if opening is None else wire.digest("commitment", opening),
            "marks": self.pair(carrier.code, carrier.to),
            "registration number": "",
            "copy number": 1,
            "sheets": None,
            "classified by": "",
            "ground": "",
        }
        return list({**items, **carrier.fields}.values())

    @cached_property
    def manifest(self) -> bytes:
        """Hooks `manifest` (a dict of its fields), `manifest bytes`, `manifest plaintext`: with length and zeros."""
        items = {
            "salt": self.salt,
            "core": self.core_digest,
            "carriers": [self.entry(index, carrier) for index, carrier in enumerate(self.plan.carriers)],
            "pad length": self.plan.pad,
            "basis": [["decision", "No. 7", "KZ-MFA", "2026-02-27"]],
            "purpose": "consultations",
            "term": "",
            "caveats": [],
            "references": [],
            "detail": self.detail if self.plan.closed else None,
            "extensions": {},
        }
        encoded = self.hook("manifest bytes", wire.encode(list(self.hook("manifest", items).values())))
        plaintext = len(encoded).to_bytes(4, "big") + encoded
        return bytes(self.hook("manifest plaintext", plaintext + bytes(-len(plaintext) % 4096)))

    @cached_property
    def manifest_stream(self) -> bytes:
        """The manifest, encrypted."""
        return self.stream(0, self.manifest)

    @property
    def dispatch_items(self) -> dict[str, Item]:
        """The fields of the dispatch."""
        return self.dispatch_of(self.streams, self.manifest_stream, self.manifest)

    def dispatch_of(self, streams: bytes, manifest_stream: bytes, manifest: bytes) -> dict[str, Item]:
        """The fields of a dispatch over this header and some payload."""
        header, payload = self.core + self.stanzas, streams + manifest_stream
        return {
            "core": self.core_digest,
            "header": self.header_digest,
            "payload": wire.digest("payload", payload),
            "manifest": wire.digest("manifest", manifest),
            "lengths": [len(self.core), len(header), len(payload), len(manifest_stream)],
            "sealed at": self.plan.sealed_at,
            "attachments": [],
            "extensions": {},
        }

    def signed(self, items: Mapping[str, Item]) -> bytes:
        """A dispatch. Hooks `dispatch` (a dict of its fields), `signer`."""
        body = wire.encode(list(self.hook("dispatch", items).values()))
        return wire.statement("valiza/v1/dispatch", body, [self.hook("signer", self.plan.sealer.signer("sealer"))])

    @cached_property
    def dispatch(self) -> bytes:
        """Hook `statement`: the dispatch as bytes."""
        return bytes(self.hook("statement", self.signed(self.dispatch_items)))

    @property
    def dispatch_digest(self) -> bytes:
        """What names the envelope."""
        return wire.digest("statement", self.dispatch)

    @cached_property
    def container(self) -> bytes:
        """Hook `container`."""
        return bytes(self.hook("container", self.assembled()))

    def assembled(self, **other: bytes) -> bytes:
        """The container, with some sections from elsewhere. Hooks `offsets` (four of them), `prefix` of the footer."""
        parts = {name: getattr(self, name) for name in ("core", "stanzas", "streams", "manifest_stream", "dispatch")} | other
        sizes = [len(part) for part in parts.values()]
        offsets = self.hook("offsets", [sum(sizes[:count]) for count in range(1, 5)])
        footer = bytes(self.hook("prefix", wire.PREFIX)) + b"".join(offset.to_bytes(8, "big") for offset in offsets)
        return b"".join(parts.values()) + footer

    @property
    def codes(self) -> list[str]:
        """The marks put on: the destination's code of each carrier."""
        return [carrier.to or carrier.code for carrier in self.plan.carriers]

    @property
    def marks(self) -> Item:
        """The marks put on, as the agreement's stamp wants them."""
        return wire.keyed(wire.derive("marks", [self.salt]), wire.encode(self.codes)) if self.plan.closed else self.codes

    @property
    def proof(self) -> bytes:
        """receipt.md, Acknowledgement."""
        return proof(self.salt, self.dispatch_digest, wire.digest("manifest", self.manifest), self.openings)

    def record(self) -> bytes:
        """What the origin records at sealing, as the reader of the vectors takes it."""
        digests = sorted(one.digest for one in self.plan.addressees)
        lines = [f"dispatch: {self.dispatch.hex()}", f"core: {self.core.hex()}", *(f"stanza: {one.hex()}" for one in digests)]
        lines += [f"opening: {'nil' if one is None else one.hex()}" for one in self.openings]
        lines.append(f"proof: {self.proof.hex()}")
        marks = self.marks
        if isinstance(marks, bytes):
            lines.append(f"marks-digest: {marks.hex()}")
        else:
            lines += [f"marks: {code}" for code in self.codes]
        return "\n".join(lines).encode() + b"\n"


def proof(salt: bytes, dispatch: bytes, manifest: bytes, openings: Sequence[bytes | None]) -> bytes:
    """The proof of an answer, by the digests of dispatch and manifest."""
    return wire.keyed(wire.derive("acknowledgement", [salt]), wire.encode([dispatch, manifest, list(openings)]))


def rewrap(
    built: Built,
    by: str,
    recipient: w.Credential,
    fields: Mapping[str, Item] | None = None,
    *,
    signer: Signer | None = None,
    point: bytes | None = None,
) -> bytes:
    """envelope.md, Detached stanza: *by* is the name of an officer with `open` and `acknowledge` credentials."""
    wrapped = built.wrapped(recipient, f"rewrap/{recipient.name}", point)
    items: dict[str, Item] = {
        "dispatch": built.dispatch_digest,
        "addressee": w.PEOPLE[f"{by}-open"].digest,
        "stanza": [recipient.digest, wrapped],
        "made at": w.SEALED + 3600,
        "extensions": {},
    }
    signing = signer or w.PEOPLE[f"{by}-acknowledge"].signer("acknowledger")
    return wire.statement("valiza/v1/rewrap", w.fields_of(items, fields or {}), [signing])


def acknowledgement(built: Built, by: str = "alena", fields: Mapping[str, Item] | None = None, signer: Signer | None = None) -> bytes:
    """receipt.md, Acknowledgement, by an officer with `open` and `acknowledge` credentials."""
    items: dict[str, Item] = {
        "dispatch": built.dispatch,
        "core": built.core,
        "openings": built.openings,
        "proof": built.proof,
        "open credential": w.PEOPLE[f"{by}-open"].digest,
        "marks put on": built.marks,
        "incoming number": "77",
        "opened at": w.OPENED,
        "acknowledged at": w.ACKNOWLEDGED,
        "conditions": ["present" for _ in built.openings],
        "notice": None,
        "rewrap": None,
        "extensions": {},
    }
    signing = signer or w.PEOPLE[f"{by}-acknowledge"].signer("acknowledger")
    return wire.statement("valiza/v1/acknowledgement", w.fields_of(items, fields or {}), [signing])


def refusal(
    built: Built, by: str = "alena", stage: str = "unopened", fields: Mapping[str, Item] | None = None, signer: Signer | None = None
) -> bytes:
    """receipt.md, Refusal; *by* needs an `open` credential only at stage `opened`."""
    opening: Item = None
    if stage == "opened":
        opening = [built.openings, built.proof, w.PEOPLE[f"{by}-open"].digest, w.OPENED, None]
    items: dict[str, Item] = {
        "dispatch": built.dispatch,
        "core": built.core,
        "stage": stage,
        "reason": "other",
        "comment": "",
        "incoming number": "",
        "refused at": w.ACKNOWLEDGED,
        "opening": opening,
        "extensions": {},
    }
    signing = signer or w.PEOPLE[f"{by}-acknowledge"].signer("acknowledger")
    return wire.statement("valiza/v1/refusal", w.fields_of(items, fields or {}), [signing])


def receipt(
    answer: bytes,
    by: str = "vera",
    checked: Sequence[str] = ("envelope", "opening"),
    fields: Mapping[str, Item] | None = None,
    signer: Signer | None = None,
) -> bytes:
    """receipt.md, Receipt, by an officer with a `countersign` credential."""
    countersigner = w.PEOPLE[f"{by}-countersign"]
    items: dict[str, Item] = {
        "answer": answer,
        "confirming": list(countersigner.place),
        "checked": list(checked),
        "countersigned at": w.COUNTERSIGNED,
        "attachments": [],
        "extensions": {},
    }
    return wire.statement("valiza/v1/receipt", w.fields_of(items, fields or {}), [signer or countersigner.signer("countersigner")])
