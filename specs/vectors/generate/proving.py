"""Evidence bundles as a reader sees them who has nothing but two fingerprints (evidence.md, Reading 1 to 14).

No vector has a register's key that was revoked, or hand-overs and notices: what those prove is not judged here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations

from cryptography.cobblestone import Cobblestone256Decryptor
from cryptography.exceptions import InvalidTag

import answers
import carrying
import decode as d
import logs
import opening
import treaty
import trust
import wire
from outcome import Incomplete, NotAuthentic, Refused, step
from reading import Core, Detail, Dispatch, Envelope, Sections, World, authentic, check_agreement, check_signer, read_core, read_dispatch, refuse
from trust import read_statement

MAGIC = bytes.fromhex("89564C450D0A1A0A")
Place = tuple[str, str]
KINDS = ("receipt", "answer", "dispatch")
ABOUT = {"sealed": "dispatch", "arrived": "dispatch", "answered": "answer", "receipt": "receipt"}
FURTHER, PLAIN = ("conflict", "notice", "handover", "overdue"), ("withdrawn", "opened")
OF_ORIGIN, OF_OTHERS = ("sealed", "withdrawn", "overdue"), ("arrived", "opened", "answered")
ONCE = ("sealed", "withdrawn", "arrived", "answered", "receipt")
BASES = ("sealed", "arrived", "answered")
AFTER = {"withdrawn": {"sealed"}, "overdue": {"sealed"}, "opened": {"arrived"}, "answered": {"arrived"}, "receipt": {"sealed", "answered"}}
NEVER_AFTER = {"withdrawn": {"receipt", "handover"}, "notice": {"withdrawn"}, "handover": {"withdrawn"}, "overdue": {"receipt", "withdrawn"}}
SUCCESS, REFUSED = ("attested",), ("refused", "discrepant", "late", "conflict", "withdrawn")


@dataclass(frozen=True)
class Disclosed:
    """A carrier that is shown."""

    index: int
    stream_key: bytes
    commitment_key: bytes
    size: int
    stream: bytes = b""


@dataclass(frozen=True)
class Leaf:
    """An entry; *index* and *head* are nil where nothing proves it."""

    kind: str
    statement: bytes | None
    note: str
    index: int | None = None
    head: logs.Checkpoint | None = None
    vouched: int | None = None


@dataclass(frozen=True)
class Contents:
    """The array of a bundle; *statements* are those of the envelope, by kind."""

    kind: str
    statement: bytes
    core: bytes | None
    rosters: list[bytes]
    agreements: list[bytes]
    further: list[bytes]
    cores: list[bytes]
    parts: list[tuple[Place, list[tuple[bytes, str, bytes]]]]
    manifest: bytes | None
    carriers: list[Disclosed]
    statements: dict[str, bytes] = field(default_factory=dict)


@dataclass
class Arbiter(World):
    """Who has what both registers vouched for, by a time."""

    vouched: list[tuple[bytes, int]] = field(default_factory=list)

    def evidence(self, statement: bytes) -> int | None:
        """Evidence beside what revocation.md has."""
        times = [at for whole, at in self.vouched if statement in whole]
        known = super().evidence(statement)
        return min([*times, *([] if known is None else [known])], default=None)


@dataclass(frozen=True)
class Proof:
    """What comes of a bundle."""

    verdict: str

    @property
    def expect(self) -> str:
        """The word of a vector's head."""
        return "success" if self.verdict in SUCCESS else "refused" if self.verdict in REFUSED else "incomplete"


def _missing(condition: bool, what: str) -> None:  # noqa: FBT001 - as `assert` takes it
    if not condition:
        raise Incomplete(f"missing: {what}")


def read_evidence(raw: bytes, world: Arbiter) -> Proof:
    """Reading 1 to 14; of *world* the pinned roots count."""
    found, streams = _contents(raw)
    core = _peek(found)
    _trusted(found, core, world)
    _agreements(found, core, world)
    leaves = _logs(found, core, world)
    world.vouched = [
        (whole, leaf.vouched)
        for part in leaves.values()
        for leaf in part
        for whole in [*found.statements.values(), *found.further]
        if leaf.vouched is not None and wire.digest("statement", whole) == leaf.statement
    ]
    with step(10):
        verdict, answer = _said(found, world)
        dispatch = read_dispatch(found.statements["dispatch"], world.trust)
    with step(8):
        _notes(leaves, core, answer, verdict)
    with step(11):
        kinds = [_other(one, found, core, world) for one in found.further if _named(one, leaves)]
        used = {read_dispatch(one, world.trust).core for one in found.further if answers.is_of(one, "dispatch")}
        d.need({wire.digest("core", one) for one in found.cores} <= used, "a core of no dispatch")
    with step(12):
        manifest = _manifest(found, dispatch, core, answer)
    openings = None if answer is None or answer.opening is None else answer.opening.openings
    with step(13):
        for one in found.carriers:
            _comparable(one, manifest, openings)
    with step(14):
        for one, stream in zip(found.carriers, streams, strict=True):
            _release(one, stream, dispatch, manifest, openings)
    return Proof(_verdict(verdict, kinds, leaves.get(core.origin, [])))


def _contents(raw: bytes) -> tuple[Contents, list[bytes]]:
    with step(1):
        d.need(raw[:8] == MAGIC and len(raw) >= 16, "magic")
        length = int.from_bytes(raw[8:16], "big")
        d.need(length <= 192 << 20 and length <= len(raw) - 16, "length of the contents")
    with step(2):
        found = _array(raw[16 : 16 + length])
    with step(3):
        rest, streams = raw[16 + length :], []
        for one in found.carriers:
            size = wire.stream_length(one.size)
            streams.append(rest[:size])
            d.need(len(streams[-1]) == size, "a stream is cut")
            rest = rest[size:]
        d.need(not rest, "something follows")
    return found, streams


def _array(raw: bytes) -> Contents:
    f = d.fields(d.decode(raw), 14)
    d.need(f[:2] == [1, 1], "version and suite")
    kind = d.one_of(f[2], KINDS)
    d.time(f[3])
    core = d.optional(f[5], d.binary)
    d.need(core is None or kind == "dispatch", "a core beside a statement that has one")
    rosters = [d.binary(one) for one in d.array(f[6], 0, 2)]
    agreements, further, cores = ([d.binary(one) for one in d.array(value, 0, most)] for value, most in ((f[7], 64), (f[8], 1024), (f[9], 1024)))
    for several in (agreements, further, cores):
        d.ascending(several, lambda one: one)
    parts = [_part(one) for one in d.array(f[10], 0, 3)]
    d.ascending(parts, lambda part: (part[0][0].encode(), part[0][1].encode()))
    carriers = [_disclosed(one) for one in d.array(f[12], 0, 16384)]
    d.ascending(carriers, lambda one: one.index)
    d.extensions(f[13])
    return Contents(kind, d.binary(f[4]), core, rosters, agreements, further, cores, parts, d.optional(f[11], d.binary), carriers)


def _part(value: d.Value) -> tuple[Place, list[tuple[bytes, str, bytes]]]:
    place, rows = d.fields(value, 2)
    return d.body(place), [_row(one) for one in d.array(rows, 0, 2048)]


def _row(value: d.Value) -> tuple[bytes, str, bytes]:
    leaf, standing, proof = d.fields(value, 3)
    found = d.binary(leaf), d.one_of(standing, ("cosigned", "signed", "entered")), d.binary(proof)
    d.need(len(found[0]) <= 8192 and (found[1] != "entered" or not found[2]), "a proof of what is only entered")
    return found


def _disclosed(value: d.Value) -> Disclosed:
    index, stream_key, commitment_key, size = d.fields(value, 4)
    return Disclosed(d.integer(index, 0, 16383), d.digest_of(stream_key), d.digest_of(commitment_key), d.integer(size, 0, 1 << 50))


def _peek(found: Contents) -> Core:
    """Step 4."""
    with step(4):
        _missing(bool(found.statement), found.kind)
        whole = found.statement
        if found.kind == "dispatch":
            read_statement(whole, "dispatch")
            _missing(found.core is not None, "core")
            found.statements["dispatch"] = whole
            return read_core(found.core or b"")
        if found.kind == "receipt":
            found.statements["receipt"] = whole
            whole = d.binary(d.fields(d.decode(read_statement(whole, "receipt").body), 6)[0])
        found.statements["answer"] = whole
        inside = d.array(d.decode(read_statement(whole, answers.kind_of(whole)).body), 9)
        found.statements["dispatch"] = d.binary(inside[0])
        return read_core(d.binary(inside[1]))


def _trusted(found: Contents, core: Core, world: Arbiter) -> None:
    """Step 5."""
    parties = sorted((core.origin[0], core.destination[0]))
    with step(5):
        rosters = [trust.read_roster(raw, trust.Trust(pinned=world.trust.pinned)) for raw in found.rosters]
        named = [one.party for one in rosters]
        d.need(len(set(named)) == len(named) and set(named) <= set(parties), "one roster of each party")
        _missing(len(named) == len(parties), "a roster")
        d.need(named == parties, "the order of the rosters")
        for one in rosters:
            trust.believe(world.trust, one)


def _agreements(found: Contents, core: Core, world: Arbiter) -> None:
    """Step 6."""
    with step(6):
        ends = [one for one in found.agreements if answers.is_of(one, "termination")]
        bodies = [read_statement(one, "agreement").body for one in found.agreements if one not in ends]
        here = core.agreement in {wire.digest("agreement", body) for body in bodies}
        _missing(here or _unopened(found, world), "the agreement")
        for one in found.agreements:
            if one not in ends:
                read = treaty.read_agreement(one, world.trust)
                world.agreements.known[read.digest] = read
        named = world.agreements.known.get(core.agreement)
        for other in world.agreements.known.values():
            follows = named is not None and (other.id, other.version, other.previous) == (named.id, named.version + 1, named.digest)
            d.need(other is named or follows, "an agreement that has nothing to do with it")
        for one in ends:
            ended = treaty.read_termination(one, world.trust, world.agreements)
            d.need(ended[0] == core.agreement, "the end of another agreement")
            world.agreements.ended.append(ended)


def _unopened(found: Contents, world: Arbiter) -> bool:
    """A refusal at stage `unopened`, which may be about an envelope under an agreement that nobody has."""
    answer = found.statements.get("answer", b"")
    return answers.is_of(answer, "refusal") and answers.read_answer(answer, "refusal", world).opening is None


def _logs(found: Contents, core: Core, world: Arbiter) -> dict[Place, list[Leaf]]:
    """Steps 7 to 9."""
    with step(7):
        _missing(bool(found.parts), "a log")
        d.need(all(place in {core.origin, core.destination, core.confirming} for place, _ in found.parts), "the log of another body")
    leaves = {}
    for place, rows in found.parts:
        with step(8):
            read = [_leaf(raw, place, found, core) for raw, _, _ in rows]
        with step(9):
            leaves[place] = [_proved(leaf, row, place, core, world) for leaf, row in zip(read, rows, strict=True)]
        with step(8):
            have, own = {leaf.kind for leaf in read}, place == core.origin
            _missing(("sealed" if own else "arrived") in have, "the first entry")
            _missing(own or "answer" not in found.statements or "answered" in have, "the entry of the answer")
            _missing(place not in {core.origin, core.confirming} or found.kind != "receipt" or "receipt" in have, "the entry of the receipt")
        with step(9):
            _one_story(leaves[place])
    return leaves


def _leaf(raw: bytes, place: Place, found: Contents, core: Core) -> Leaf:
    f = d.fields(d.decode(raw), 12)
    d.binary(f[0], 16)
    kind, said, note = d.word(f[1]), d.optional(f[9], d.digest_of), d.text(f[11], 1000, 0)
    d.need(kind in ABOUT or kind in FURTHER or kind in PLAIN, "no evidence")
    own = place == core.origin
    d.need(kind not in (OF_OTHERS if own else OF_ORIGIN), "not an entry of this body")
    d.need(d.one_of(f[2], ("in", "out")) == ("out" if own else "in"), "direction")
    d.text(f[3], 1000, 0)
    d.time(f[4])
    named = d.digest_of(f[5]), d.body(f[6]), d.binary(f[7]), d.binary(f[8])
    dispatch = wire.digest("statement", found.statements["dispatch"])
    authentic(named == (core.agreement, core.origin, core.envelope_id, dispatch), "of another envelope")
    if kind in ABOUT:
        _missing(ABOUT[kind] in found.statements, ABOUT[kind])
        authentic(said == wire.digest("statement", found.statements[ABOUT[kind]]), "about another statement")
    elif kind in FURTHER:
        _missing(said in {wire.digest("statement", one) for one in found.further}, "a further statement")
    else:
        d.need(said is None, "a statement where there is none")
    return Leaf(kind, said, note)


def _keys(place: Place, world: Arbiter) -> list[logs.Key]:
    return [logs.Key(one.public_key) for one in world.trust.credentials.values() if (one.purpose, one.body) == ("register", place)]


def _proved(leaf: Leaf, row: tuple[bytes, str, bytes], place: Place, core: Core, world: Arbiter) -> Leaf:
    raw, standing, proof = row
    if standing == "entered":
        return leaf
    _missing(bool(proof), "the proof")
    keys = _keys(place, world)
    _missing(bool(keys), "a credential of a register")
    index, head, note = logs.read_proof(proof, raw, f"valiza/v1/log/{'/'.join(place)}/{core.agreement.hex()}", keys)
    other = core.destination[0] if place[0] == core.origin[0] else core.origin[0]
    cosigned = None
    for name, _, signature in logs.read_note(note).lines:
        _, _, office = name.partition(f"valiza/v1/office/{other}/")
        if cosigned is None and office and (theirs := _keys((other, office), world)):
            logs.require_cosignature(note, name, theirs)
            cosigned = int.from_bytes(signature[:8], "big")
    _missing(cosigned is not None or standing != "cosigned", "the cosignature")
    d.need(cosigned is None or standing == "cosigned", "a cosignature that is denied")
    return Leaf(leaf.kind, leaf.statement, leaf.note, index, head, None if cosigned is None else max(cosigned, head.at))


def _one_story(leaves: list[Leaf]) -> None:
    heads = [leaf.head for leaf in leaves if leaf.head is not None]
    for one, two in combinations(heads, 2):
        small, large = sorted((one, two), key=lambda head: head.size)
        authentic(small.size < large.size or small.root == large.root, "a split view")
        authentic(small.size == large.size or small.at <= large.at, "a rollback")
    placed = sorted((leaf.index, leaf.kind) for leaf in leaves if leaf.index is not None)
    authentic(len({index for index, _ in placed}) == len(placed), "two entries at one index")
    kinds = [leaf.kind for leaf in leaves]
    authentic(all(kinds.count(kind) < 2 for kind in ONCE), "twice what there is once")
    known = {leaf.kind for leaf in leaves if leaf.index is None and leaf.kind in BASES}
    for _, kind in placed:
        authentic(kind not in AFTER or bool(AFTER[kind] & known), "before what it needs")
        authentic(not NEVER_AFTER.get(kind, set()) & known and (kind != "sealed" or not known), "after what it may not follow")
        known.add(kind)


def _said(found: Contents, world: Arbiter) -> tuple[str, answers.Answer | None]:
    """Step 10."""
    if found.kind == "receipt":
        verdict = answers.read_receipt(found.statement, world, None, None).verdict
        return verdict, answers.read_answer(found.statements["answer"], answers.kind_of(found.statements["answer"]), world)
    if found.kind == "answer":
        answer = answers.read_answer(found.statement, answers.kind_of(found.statement), world)
        answers.judge(answer, world)
        return "acknowledged", answer
    _dispatched(found.statement, found.core or b"", world, agreed=True)
    return "outstanding", None


def _dispatched(raw: bytes, core_raw: bytes, world: Arbiter, *, agreed: bool) -> tuple[Dispatch, Core]:
    dispatch = read_dispatch(raw, world.trust)
    authentic(dispatch.core == wire.digest("core", core_raw), "digest of core")
    core = read_core(core_raw)
    check_signer(dispatch, core, world)
    if agreed:
        check_agreement(core, dispatch.sealed_at, dispatch.sealed_at, world)
        if isinstance(core.detail, Detail):
            refuse(not world.trust.cleared(dispatch.signer.clearance, *core.detail.origin_mark), "the sealer is not cleared")
    return dispatch, core


def _notes(leaves: Mapping[Place, list[Leaf]], core: Core, answer: answers.Answer | None, verdict: str) -> None:
    """What of step 8 needs the statements."""
    gone = any(leaf.kind == "withdrawn" for part in leaves.values() for leaf in part)
    judged = "withdrawn" if gone else "delivered" if verdict == "attested" else verdict
    given = "refused" if answer is not None and answer.refusal else "acknowledged"
    for place, part in leaves.items():
        own = judged if place == core.origin else "countersigned"
        wanted = {"sealed": str(core.due), "answered": given, "receipt": own}
        authentic(all(leaf.note == wanted.get(leaf.kind, leaf.note) for leaf in part), "an entry says something else than its statement")


def _named(one: bytes, leaves: Mapping[Place, list[Leaf]]) -> bool:
    named = {leaf.statement for part in leaves.values() for leaf in part}
    d.need(wire.digest("statement", one) in named, "no entry is about it")
    return True


def _other(one: bytes, found: Contents, core: Core, world: Arbiter) -> str:
    """Step 11: the kind of another statement, where it counts."""
    d.need(one not in found.statements.values(), "one of the statements above")
    try:
        return _counted(one, found, core, world)
    except Refused:
        return ""


def _counted(one: bytes, found: Contents, core: Core, world: Arbiter) -> str:
    own = found.statements["dispatch"]
    if answers.is_of(one, "overdue"):
        carrying.read_overdue(one, world)
        authentic(d.fields(d.decode(read_statement(one, "overdue").body), 5)[0] == own, "about another envelope")
        return "overdue"
    if answers.is_of(one, "dispatch"):
        said = read_dispatch(one, world.trust)
        cores = [raw for raw in [*found.cores, core.raw] if wire.digest("core", raw) == said.core]
        if not cores:
            return ""
        _, other = _dispatched(one, cores[0], world, agreed=False)
        authentic((other.origin, other.envelope_id) == (core.origin, core.envelope_id), "of another envelope")
        return "conflict"
    if answers.is_of(one, "receipt"):
        answers.read_receipt(one, world, None, None)
        answer, kind = d.binary(d.fields(d.decode(read_statement(one, "receipt").body), 6)[0]), "receipt"
    else:
        answer, kind = one, "answer"
    given = answers.read_answer(answer, answers.kind_of(answer), world)
    answers.judge(given, world)
    authentic(given.dispatch == own, "about another envelope")
    d.need(kind in found.statements or found.statements.get("answer") not in {None, answer}, "it contradicts nothing")
    return "conflict"


def _manifest(found: Contents, dispatch: Dispatch, core: Core, answer: answers.Answer | None) -> opening.Manifest | None:
    """Step 12."""
    if found.manifest is None:
        return None
    manifest = opening.read_manifest(found.manifest, Envelope(Sections(core.raw, *[b""] * 5), dispatch, core, {}))
    if answer is not None and answer.opening is not None:
        said = answer.opening
        commitments = [None if one is None else wire.digest("commitment", one) for one in said.openings]
        authentic(commitments == [one.commitment for one in manifest.carriers], "openings that were not committed to")
        over = wire.encode([dispatch.statement.digest, dispatch.manifest, list(said.openings)])
        authentic(said.proof == wire.keyed(wire.derive("acknowledgement", [manifest.salt]), over), "another proof")
        codes = [one.marks[1][1] for one in manifest.carriers]
        hidden = wire.keyed(wire.derive("marks", [manifest.salt]), wire.encode(list(codes)))
        authentic(answer.refusal or answer.marks == (hidden if isinstance(answer.marks, bytes) else codes), "other marks")
    return manifest


def _comparable(one: Disclosed, manifest: opening.Manifest | None, openings: list[bytes | None] | None) -> None:
    """Step 13."""
    _missing(manifest is not None or openings is not None, "what says which bytes it has")
    files = [entry.size is not None for entry in manifest.carriers] if manifest is not None else [opened is not None for opened in openings or []]
    authentic(one.index < len(files) and files[one.index], "no such file carrier")
    if manifest is not None:
        key = wire.derive("carrier", [manifest.salt, one.index])
        authentic((one.size, one.commitment_key) == (manifest.carriers[one.index].size, key), "another size or key")


def _release(one: Disclosed, stream: bytes, dispatch: Dispatch, manifest: opening.Manifest | None, openings: list[bytes | None] | None) -> None:
    """Step 14."""
    decryptor = Cobblestone256Decryptor(one.stream_key, wire.stream_context(dispatch.header, one.index + 2))
    try:
        plain = decryptor.update(stream) + decryptor.finalize()
    except (InvalidTag, ValueError) as error:
        raise NotAuthentic("a stream does not decrypt") from error
    found = wire.keyed(one.commitment_key, plain)
    authentic(openings is None or openings[one.index] == found, "not what was acknowledged")
    authentic(manifest is None or manifest.carriers[one.index].commitment == wire.digest("commitment", found), "not what was committed to")


def _verdict(verdict: str, kinds: list[str], own: list[Leaf]) -> str:
    if "conflict" in kinds:
        return "conflict"
    if verdict != "outstanding":
        return verdict
    if any(leaf.kind == "withdrawn" and leaf.head is not None for leaf in own):
        return "withdrawn"
    return "overdue" if "overdue" in kinds else verdict
