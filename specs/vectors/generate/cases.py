"""What a case is, and the files in world/ that cases share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import objects as o
import wire
import world as w

# Everything that several vectors read. A case names these files in its head.
LETTER = o.Built(o.Envelope(addressees=[w.PEOPLE["alena-open"], w.PEOPLE["bahdan-open"]]))
CLOSED_LETTER = o.Built(o.Envelope("closed", agreement=w.CLOSED, closed=True, carriers=[o.Carrier(content=b"c" * 100)], pad=4))
KGB_LETTER = o.Built(o.Envelope("kgb", confirming=w.BY_KGB))
BAG = o.Built(
    o.Envelope("bag", carriers=[o.Carrier(), o.Carrier("Sealed box No. 3", None), o.Carrier("map.txt", b"x"), o.Carrier("Film roll", None, "s")])
)
PASSED_ON = o.rewrap(LETTER, "alena", w.PEOPLE["taras-open"])
SIGNER_SEED = wire.draw("external signer")  # of the Ed25519 half that it keeps
IDENTITIES = ("alena", "bahdan", "taras", "kastus", "lida", "pavel", "aigerim")
WORLD: dict[str, bytes] = {
    "kz.vls": w.kz_rolls.statement(),
    "by.vls": w.by_rolls.statement(),
    "open.vls": w.OPEN.statement(),
    "open-next.vls": w.NEXT.statement(),
    "open-other-id.vls": w.OTHER_ID.statement(),
    "open-skipped.vls": w.SKIPPED.statement(),
    "open-end.vls": w.termination(),
    "closed.vls": w.CLOSED.statement(),
    "uneven.vls": w.UNEVEN.statement(),
    "letter.vlz": LETTER.container,
    "letter.record": LETTER.record(),
    "closed.vlz": CLOSED_LETTER.container,
    "closed.record": CLOSED_LETTER.record(),
    "kgb.vlz": KGB_LETTER.container,
    "kgb.record": KGB_LETTER.record(),
    "bag.vlz": BAG.container,
    "bag.record": BAG.record(),
    "rewrap.vls": PASSED_ON,
    "signer.seed": SIGNER_SEED.hex().encode() + b"\n",
    **{f"{name}-open.seed": w.PEOPLE[f"{name}-open"].seed.hex().encode() + b"\n" for name in IDENTITIES},
}
PINNED = tuple(f"{root.party} {root.digest.hex()}" for root in (w.KZ, w.BY))


@dataclass(frozen=True)
class Case:
    """One vector: a name `<topic>_<case>`, what it holds, what reading it gives, and what the reader has."""

    name: str
    kind: str
    raw: bytes
    expect: str
    comment: str
    step: str = ""
    verdict: str = ""
    head: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def file(self) -> bytes:
        """The vector as a file: head, empty line, raw object."""
        lines = [("expect", self.expect), ("object", self.kind)]
        lines += [(key, value) for key, value in (("verdict", self.verdict), ("step", self.step)) if value]
        lines += [(key, value) for key, values in self.head.items() for value in values]
        lines.append(("comment", self.comment))
        return "".join(f"{key}: {value}\n" for key, value in lines).encode() + b"\n" + self.raw


@dataclass(frozen=True)
class Topic:
    """Cases of one kind that share a head."""

    name: str
    kind: str
    head: Mapping[str, Sequence[str]]

    def good(self, name: str, raw: bytes, comment: str, **head: Sequence[str]) -> Case:
        """A case that reads with success."""
        return Case(f"{self.name}_{name}", self.kind, raw, "success", comment, head={**self.head, **head})

    def bad(self, name: str, raw: bytes, outcome: str, comment: str, **head: Sequence[str]) -> Case:
        """A case that does not: *outcome* is `expect @ step`."""
        expect, _, step = outcome.partition(" @ ")
        return Case(f"{self.name}_{name}", self.kind, raw, expect, comment, step, head={**self.head, **head})


TRUSTED: dict[str, Sequence[str]] = {"root": PINNED, "trust": ("kz.vls", "by.vls"), "at": (w.stamp_of(w.NOW),)}
Cases = Iterator[Case]
Rows = Sequence[tuple[str, "Changes", str]]  # name, changes, comment
Changes = Mapping[str, Any]  # fields by name, and what they become
