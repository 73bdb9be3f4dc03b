"""Vectors of evidence bundles (evidence.md): whole ones, with and without disclosure, and every way in which one does not hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import cases_log as logs
import cases_transport as carried
import objects as o
import spoil
import wire
import world as w
from cases import BAG, LETTER, PINNED, Case, Cases, Topic
from wire import Item

MAGIC = bytes.fromhex("89564C450D0A1A0A")
MADE = w.when("2026-03-10")
SIGNED, COSIGNED = MADE - 7200, MADE - 3600
HEAD: Mapping[str, Sequence[str]] = {"root": PINNED}
EVIDENCE = Topic("evidence", "evidence", HEAD)

# Rosters of their own with the registers' keys, so that all other vectors stay as they are.
REGISTERS = {party: w.officer(f"{name}-register", "register", None) for party, name in (("KZ", "dauren"), ("BY", "vera"))}
KEYS = {party: logs.Key(one.seed) for party, one in REGISTERS.items()}
KZ_NAMES = {"kz-roster", "kz-mfa", "kz-knb", "aigerim-seal", "aigerim-act"}
BY_NAMES = {"by-roster", "by-mfa", "by-kgb", "alena-open", "alena-acknowledge", "vera-countersign"}


def _rolls(rolls: w.Roster, names: set[str], *more: w.Credential) -> w.Roster:
    """Of a roster only who has to do with it."""
    return replace(rolls, members=[one for one in rolls.members if isinstance(one, w.Credential) and one.name in names] + list(more), version=4)


KZ_ROLLS = _rolls(carried.KZ_ROLLS, KZ_NAMES, REGISTERS["KZ"])
BY_ROLLS = _rolls(carried.BY_ROLLS, BY_NAMES, REGISTERS["BY"])
ROSTERS: list[Item] = [BY_ROLLS.statement(), KZ_ROLLS.statement()]

ACKNOWLEDGEMENT = o.acknowledgement(LETTER)
RECEIPT = o.receipt(ACKNOWLEDGEMENT)
AGAIN = o.receipt(o.acknowledgement(LETTER, fields={"incoming number": "78"}))
REFUSED = o.receipt(o.refusal(LETTER, stage="opened"), checked=["envelope", "opening"])
OVERDUE = carried.overdue(LETTER)
# The same envelope id again, in another envelope.
TWICE = o.Built(LETTER.plan.but(hooks={"core": lambda items: {**items, "extensions": {"~": 1}}}))


@dataclass(frozen=True)
class Entry:
    """What a leaf says of LETTER."""

    kind: str
    said: bytes | None = None
    note: str = ""
    fields: Mapping[str, Item] = field(default_factory=dict)

    def leaf(self, *, own: bool) -> bytes:
        items: dict[str, Item] = {
            "blind": wire.draw(f"evidence {self.kind}", 16),
            "kind": self.kind,
            "direction": "out" if own else "in",
            "number": "KZ-MFA/2026/out/3" if own else "BY-MFA/2026/in/77",
            "at": w.SEALED + 60,
            "agreement": w.OPEN.digest,
            "origin": list(w.KZ_MFA),
            "envelope id": wire.draw(f"{LETTER.plan.tag}/id"),
            "dispatch digest": LETTER.dispatch_digest,
            "statement": None if self.said is None else wire.digest("statement", self.said),
            "record": None,
            "note": self.note,
        }
        return wire.encode(list({**items, **self.fields}.values()))


SEALED = Entry("sealed", LETTER.dispatch, str(w.DUE))
DELIVERED = Entry("receipt", RECEIPT, "delivered")
ARRIVED = Entry("arrived", LETTER.dispatch)
OPENED = Entry("opened")
ANSWERED = Entry("answered", ACKNOWLEDGEMENT, "acknowledged")
CONFIRMED = Entry("receipt", RECEIPT, "countersigned")
WITHDRAWN = Entry("withdrawn")


@dataclass(frozen=True)
class Log:
    """A part of a bundle: the entries, in a log that has one more entry before them, under one checkpoint."""

    entries: Sequence[Entry]
    place: tuple[str, str] = w.KZ_MFA
    standing: str = "cosigned"
    at: int = SIGNED
    fewer: int = 0
    other: bytes = b"another entry"

    def part(self) -> list[Item]:
        """As the contents have it."""
        leaves = [self.other, *(one.leaf(own=self.place == w.KZ_MFA) for one in self.entries)]
        leaves = leaves[: len(leaves) - self.fewer]
        head = logs.Head(len(leaves), logs.root(leaves), f"valiza/v1/log/{'/'.join(self.place)}/{w.OPEN.digest.hex()}")
        lines = head.lines(KEYS[self.place[0]], self.at)
        if self.standing == "cosigned":
            party, other = ("BY", w.BY_MFA) if self.place[0] == "KZ" else ("KZ", w.KZ_MFA)
            lines += head.cosigned(KEYS[party], COSIGNED, f"valiza/v1/office/{'/'.join(other)}")
        note = head.note(*lines)
        rows: list[Item] = [
            [leaf, self.standing, b"" if self.standing == "entered" else logs.proof(index, logs.path(index, leaves), note)]
            for index, leaf in enumerate(leaves)
            if index
        ]
        return [list(self.place), rows]


ORIGIN, DESTINATION = Log([SEALED, DELIVERED]), Log([ARRIVED, OPENED, ANSWERED, CONFIRMED], w.BY_MFA)


def bundle(*parts: Log | Item, streams: bytes = b"", **fields: Item) -> bytes:
    """A bundle about the receipt of LETTER; field names have `_` for spaces."""
    shown = [one.part() if isinstance(one, Log) else one for one in parts or (ORIGIN,)]
    items: dict[str, Item] = {
        "version": 1,
        "suite": 1,
        "kind": "receipt",
        "made at": MADE,
        "statement": RECEIPT,
        "core": None,
        "rosters": ROSTERS,
        "agreements": [w.OPEN.statement()],
        "further": [],
        "cores": [],
        "logs": shown,
        "manifest": None,
        "carriers": [],
        "extensions": {},
    }
    return _file(wire.encode(list({**items, **{name.replace("_", " "): value for name, value in fields.items()}}.values())), streams)


def _file(contents: bytes, streams: bytes = b"") -> bytes:
    return MAGIC + len(contents).to_bytes(8, "big") + contents + streams


def unanswered(*parts: Log | Item, streams: bytes = b"", **fields: Item) -> bytes:
    """A bundle about the dispatch."""
    items: dict[str, Item] = {"kind": "dispatch", "statement": LETTER.dispatch, "core": LETTER.core, **fields}
    return bundle(*(parts or (Log([SEALED]),)), streams=streams, **items)


def answered(*parts: Log | Item, **fields: Item) -> bytes:
    """A bundle about the answer."""
    items: dict[str, Item] = {"kind": "answer", "statement": ACKNOWLEDGEMENT, **fields}
    return bundle(*(parts or (Log([SEALED]),)), streams=b"", **items)


def carrier(**fields: Item) -> Item:
    """The carrier of LETTER, disclosed."""
    items: dict[str, Item] = {
        "index": 0,
        "stream key": wire.stream_key(LETTER.payload_key, 2, LETTER.core_digest),
        "commitment key": wire.derive("carrier", [LETTER.salt, 0]),
        "size": len(LETTER.plan.carriers[0].content or b""),
    }
    return list({**items, **{name.replace("_", " "): value for name, value in fields.items()}}.values())


STREAM = LETTER.stream(2, LETTER.plan.carriers[0].content or b"")


def _whole() -> Cases:
    shown: dict[str, Item] = {"manifest": LETTER.manifest, "carriers": [carrier()]}
    rows: Sequence[tuple[str, str, bytes, str]] = (
        ("attested", "success", bundle(), "a receipt, and what the origin's log has of it, which the destination cosigned"),
        ("both_logs", "success", bundle(DESTINATION, ORIGIN), "with the destination's log beside it"),
        ("signed", "success", bundle(Log([SEALED, DELIVERED], standing="signed")), "in a checkpoint that nobody cosigned"),
        ("entered", "success", bundle(Log([SEALED, DELIVERED], standing="entered")), "in no checkpoint: the word of whoever made the bundle"),
        ("extension", "success", bundle(extensions={"~": 1}), "an extension that is shown"),
        ("disclosed", "success", bundle(**shown, streams=STREAM), "the manifest and the carrier are shown"),
        ("carrier_alone", "success", bundle(carriers=[carrier()], streams=STREAM), "the carrier is shown without the manifest"),
        ("agreement_next", "success", bundle(agreements=sorted([w.OPEN.statement(), w.NEXT.statement()])), "with the agreement's next version"),
    )
    for name, expect, raw, comment in rows:
        yield Case(f"evidence_{name}", "evidence", raw, expect, comment, verdict="attested", head=HEAD)
    conflict, refused = Entry("conflict", AGAIN, "another receipt"), Entry("receipt", REFUSED, "refused")
    other, late = Entry("conflict", TWICE.dispatch, "another dispatch"), Entry("overdue", OVERDUE)
    gone = Log([SEALED, WITHDRAWN])
    more: Sequence[tuple[str, str, str, bytes, str]] = (
        ("refused", "refused", "refused", bundle(Log([SEALED, refused]), statement=REFUSED), "the receipt of a refusal"),
        ("acknowledged", "acknowledged", "incomplete", answered(), "an answer that is no receipt"),
        ("outstanding", "outstanding", "incomplete", unanswered(), "a dispatch that nobody answered"),
        ("withdrawn", "withdrawn", "refused", unanswered(gone), "the origin's log says that it was never sent"),
        ("withdrawn_entered", "outstanding", "incomplete", unanswered(replace(gone, standing="entered")), "the same, in no checkpoint"),
        ("overdue", "overdue", "incomplete", unanswered(Log([SEALED, late]), further=[OVERDUE]), "an overdue record"),
        ("conflict", "conflict", "refused", bundle(Log([SEALED, conflict, DELIVERED]), further=[AGAIN]), "another receipt of the same dispatch"),
        (
            "twice", "conflict", "refused", bundle(Log([SEALED, other, DELIVERED]), further=[TWICE.dispatch], cores=[TWICE.core]),
            "another dispatch of the same envelope, with its core",
        ),
        (
            "twice_no_core", "attested", "success", bundle(Log([SEALED, other, DELIVERED]), further=[TWICE.dispatch]),
            "another dispatch without its core: nothing shows of which envelope it is",
        ),
    )  # fmt: skip
    for name, verdict, expect, raw, comment in more:
        yield Case(f"evidence_{name}", "evidence", raw, expect, comment, verdict=verdict, head=HEAD)


def _form() -> Cases:
    whole = bundle()
    for name, raw, outcome, comment in (
        ("magic", b"\x88" + whole[1:], "malformed @ 1", "another magic"),
        ("too_long", whole[:8] + (193 << 20).to_bytes(8, "big") + whole[16:], "malformed @ 1", "contents above the limit"),
        ("cut", whole[:-1], "malformed @ 1", "the last byte is gone"),
        ("version", bundle(version=2), "malformed @ 2", "another version"),
        ("kind_unknown", bundle(kind="letter"), "malformed @ 2", "a kind that there is not"),
        ("field_more", bundle(more=None), "malformed @ 2", "a field more"),
        ("extension_unknown", bundle(extensions={"copy": 1}), "malformed @ 2", "an extension that version 1 does not know"),
        ("core_beside", bundle(core=LETTER.core), "malformed @ 2", "a core beside a receipt, which contains it"),
        ("logs_order", bundle(ORIGIN, DESTINATION), "malformed @ 2", "the logs in the wrong order"),
        ("entered_proved", bundle(_changed(1, "entered")), "malformed @ 2", "a proof of what is in no checkpoint"),
        ("agreement_twice", bundle(agreements=[w.OPEN.statement()] * 2), "malformed @ 2", "one agreement twice"),
        ("more_behind", whole + b"\0", "malformed @ 3", "a byte more"),
        ("stream_missing", bundle(carriers=[carrier()]), "malformed @ 3", "no stream of a carrier that is shown"),
        ("kind_other", bundle(kind="answer"), "malformed @ 4", "a receipt for an answer"),
        ("statement_missing", bundle(statement=b""), "incomplete @ 4", "no receipt"),
        ("core_missing", unanswered(core=None), "incomplete @ 4", "no core beside the dispatch"),
    ):
        yield EVIDENCE.bad(name, raw, outcome, comment)


def _changed(field_: int, value: Item, log: Log = ORIGIN, entry: int = 0) -> Item:
    """A part in which one field of an entry is another."""
    place, rows = log.part()
    changed = [list(row) for row in rows]  # type: ignore[union-attr, arg-type] # as `part` makes it
    changed[entry][field_] = value
    return [place, changed]


def _trusted() -> Cases:
    kz_alone, twice = [ROSTERS[1]], [ROSTERS[0]] * 2
    ours = (PINNED[0], f"BY {bytes(32).hex()}")
    yield EVIDENCE.bad("roster_missing", bundle(rosters=kz_alone), "incomplete @ 5", "the roster of BY is not there")
    yield EVIDENCE.bad("roster_twice", bundle(rosters=twice), "malformed @ 5", "two rosters of one party")
    yield EVIDENCE.bad("rosters_order", bundle(rosters=ROSTERS[::-1]), "malformed @ 5", "the rosters in the wrong order")
    yield EVIDENCE.bad("root_other", bundle(), "not authentic @ 5", "another root of BY than the one that was compared", root=ours)
    broken = [spoil.flip(-40)(KZ_ROLLS.statement())]
    yield EVIDENCE.bad("roster_broken", bundle(rosters=[ROSTERS[0], *broken]), "not authentic @ 5", "a bit of a roster's signature")
    yield EVIDENCE.bad("agreement_missing", bundle(agreements=[]), "incomplete @ 6", "no agreement")
    apart = sorted([w.OPEN.statement(), w.CLOSED.statement()])
    yield EVIDENCE.bad("agreement_foreign", bundle(agreements=apart), "malformed @ 6", "an agreement that has nothing to do with it")


def _logged() -> Cases:
    def log(*entries: Entry, place: tuple[str, str] = w.KZ_MFA) -> bytes:
        return bundle(Log(entries, place))

    yield EVIDENCE.bad("no_log", bundle(logs=[]), "incomplete @ 7", "no log at all")
    yield EVIDENCE.bad("log_foreign", bundle(Log([SEALED, DELIVERED], w.KZ_KNB)), "malformed @ 7", "the log of a body that has no part in it")
    for name, raw, outcome, comment in (
        ("kind", log(SEALED, DELIVERED, Entry("attempt")), "malformed @ 8", "an entry that is no evidence"),
        ("kind_of_others", log(SEALED, DELIVERED, OPENED), "malformed @ 8", "the origin opens its own envelope"),
        ("kind_of_origin", bundle(Log([ARRIVED, WITHDRAWN, ANSWERED, CONFIRMED], w.BY_MFA)), "malformed @ 8", "the destination withdraws it"),
        ("direction", log(replace(SEALED, fields={"direction": "in"}), DELIVERED), "malformed @ 8", "the other direction"),
        ("envelope", log(replace(SEALED, fields={"envelope id": bytes(32)}), DELIVERED), "not authentic @ 8", "about another envelope"),
        ("statement", log(Entry("sealed", BAG.dispatch, str(w.DUE)), DELIVERED), "not authentic @ 8", "about another dispatch"),
        ("further_missing", log(SEALED, Entry("conflict", AGAIN), DELIVERED), "incomplete @ 8", "the statement of an entry is not there"),
        ("withdrawn_said", log(SEALED, DELIVERED, Entry("withdrawn", AGAIN)), "malformed @ 8", "a statement where there is none"),
        ("note", log(SEALED, replace(DELIVERED, note="refused")), "not authentic @ 8", "the entry says another verdict than the receipt"),
        ("due", log(replace(SEALED, note=str(w.DUE + 1)), DELIVERED), "not authentic @ 8", "the entry says another due time than the stamp"),
        ("no_receipt", log(SEALED), "incomplete @ 8", "the origin's log has no receipt"),
        ("no_sealing", log(DELIVERED), "incomplete @ 8", "the origin's log has no sealing"),
    ):
        yield EVIDENCE.bad(f"leaf_{name}", raw, outcome, comment)


def _proved() -> Cases:
    bare, cosigned = Log([SEALED, DELIVERED], standing="signed"), ORIGIN.part()
    one, two = ORIGIN.part(), Log([SEALED, DELIVERED], other=b"rewritten").part()
    mixed = [one[0], [one[1][0], two[1][1]]]  # type: ignore[index] # as `part` makes it
    back = Log([SEALED, DELIVERED, WITHDRAWN], at=SIGNED - 60, standing="signed").part()
    earlier = [one[0], [one[1][0], back[1][1]]]  # type: ignore[index] # likewise
    again = Log([SEALED, DELIVERED, replace(DELIVERED, fields={"blind": bytes(16)})])
    for name, raw, outcome, comment in (
        ("missing", bundle(_changed(2, b"")), "incomplete @ 9", "no proof of an entry"),
        ("of_another", bundle(_changed(2, one[1][1][2])), "not authentic @ 9", "the proof of another entry"),  # type: ignore[index] # likewise
        ("not_cosigned", bundle(_changed(1, "cosigned", bare)), "incomplete @ 9", "no cosignature, and one is claimed"),
        ("denied", bundle(_changed(1, "signed")), "malformed @ 9", "a cosignature that is denied"),
        ("split_view", bundle(mixed), "not authentic @ 9", "two trees of one size"),
        ("rollback", bundle(earlier), "not authentic @ 9", "fewer leaves at a later time"),
        ("twice", bundle(again), "not authentic @ 9", "two receipts in one log"),
        ("same_place", bundle([cosigned[0], [*cosigned[1], cosigned[1][1]]]), "not authentic @ 9", "one entry twice"),  # type: ignore[index, misc] # likewise
        ("order", bundle(Log([DELIVERED, SEALED])), "not authentic @ 9", "a receipt before its sealing"),
    ):
        yield EVIDENCE.bad(f"proof_{name}", raw, outcome, comment)
    no_register = [BY_ROLLS.statement(), _rolls(carried.KZ_ROLLS, KZ_NAMES).statement()]
    yield EVIDENCE.bad("proof_no_key", bundle(rosters=no_register), "incomplete @ 9", "no credential of a register")


def _said() -> Cases:
    other = o.acknowledgement(BAG)
    conflict = Entry("conflict", RECEIPT, "another receipt")
    strange = Entry("conflict", other, "another answer")
    foreign = Entry("overdue", carried.overdue())
    for name, raw, outcome, comment in (
        ("unnamed", bundle(further=[AGAIN]), "malformed @ 11", "a further statement that no entry names"),
        ("itself", bundle(Log([SEALED, conflict, DELIVERED]), further=[RECEIPT]), "malformed @ 11", "the receipt contradicts itself"),
        ("lesser", unanswered(Log([SEALED, conflict]), further=[RECEIPT]), "malformed @ 11", "the receipt is passed off as a contradiction"),
        ("of_another", bundle(Log([SEALED, strange, DELIVERED]), further=[other]), "not authentic @ 11", "an answer to another envelope"),
        ("overdue_of_another", unanswered(Log([SEALED, foreign]), further=[carried.overdue()]), "not authentic @ 11", "of another envelope"),
        ("core_alone", bundle(cores=[TWICE.core]), "malformed @ 11", "a core of no dispatch that is there"),
    ):
        yield EVIDENCE.bad(f"further_{name}", raw, outcome, comment)
    ended = sorted([w.OPEN.statement(), w.termination()])
    yield EVIDENCE.bad("agreement_ended", bundle(agreements=ended), "refused @ 10", "what ended the agreement before that is there, too")
    signed = spoil.flip(-40)(RECEIPT)
    yield EVIDENCE.bad(
        "receipt_broken", bundle(Log([SEALED, replace(DELIVERED, said=signed)]), statement=signed), "not authentic @ 10", "a bit of its signature"
    )


def _shown() -> Cases:
    shown: dict[str, Item] = {"manifest": LETTER.manifest, "carriers": [carrier()]}
    alone: dict[str, Item] = {"carriers": [carrier()]}
    for name, raw, outcome, comment in (
        ("manifest_other", bundle(manifest=BAG.manifest), "not authentic @ 12", "the manifest of another envelope"),
        ("carrier_none", bundle(**{**alone, "carriers": [carrier(index=1)]}, streams=STREAM), "not authentic @ 13", "a carrier that there is not"),
        ("carrier_unopened", unanswered(**alone, streams=STREAM), "incomplete @ 13", "a carrier, and nothing that says which bytes it has"),
        (
            "key_other",
            bundle(**{**shown, "carriers": [carrier(commitment_key=bytes(32))]}, streams=STREAM),
            "not authentic @ 13",
            "another commitment key",
        ),
        ("stream_key", bundle(**{**alone, "carriers": [carrier(stream_key=bytes(32))]}, streams=STREAM), "not authentic @ 14", "another stream key"),
        ("stream_broken", bundle(**shown, streams=spoil.flip(-1)(STREAM)), "not authentic @ 14", "a bit of the stream"),
        (
            "commitment_key",
            bundle(**{**alone, "carriers": [carrier(commitment_key=bytes(32))]}, streams=STREAM),
            "not authentic @ 14",
            "another opening",
        ),
    ):
        yield EVIDENCE.bad(f"shown_{name}", raw, outcome, comment)


def cases() -> Cases:
    """All of them."""
    for part in (_whole, _form, _trusted, _logged, _proved, _said, _shown):
        yield from part()
