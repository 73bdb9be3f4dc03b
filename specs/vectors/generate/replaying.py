"""Transcripts as a reader sees them: the steps are computed from the plan, and compared (transcript.md, Steps and Reading)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import decode as d
import planned
import revoking
import trust
import wire
from outcome import Incomplete, NotAuthentic, Refused, step
from planned import Person, Plan
from world import stamp_of

LEAST = {"dice": 100, "keyboard": 64}
Pairs = list[list[str]]


@dataclass(frozen=True)
class Told:
    """A step as it is told."""

    number: int
    name: str
    about: str | None
    who: str
    aloud: Pairs
    answers: Pairs
    results: list[tuple[str, bytes]]
    began: int
    ended: int


@dataclass
class Reader:
    """What a reader knows of a ceremony after some of its steps."""

    plan: Plan
    papers: planned.Papers
    files: dict[str, bytes]
    tool: list[Any]
    plan_digest: bytes
    rehearsal: bool
    keys: dict[tuple[str, str], bytes] = field(default_factory=dict)
    ids: dict[str, bytes] = field(default_factory=dict)
    subjects: dict[bytes, bytes] = field(default_factory=dict)
    bodies: dict[str, bytes] = field(default_factory=dict)
    signed: dict[str, list[tuple[bytes, bytes]]] = field(default_factory=dict)
    remark: str = ""

    def type(self, name: str) -> str:
        """A type string."""
        return f"valiza/rehearsal/{name}" if self.rehearsal else f"valiza/v1/{name}"

    def packed(self, public: bytes) -> list[Any]:
        """A public key with its kind."""
        return [f"rehearsal/{wire.SIGNING_KIND}" if self.rehearsal else wire.SIGNING_KIND, public]

    def key_digest(self, public: bytes) -> bytes:
        """Its digest."""
        return wire.digest("public-key", wire.encode(self.packed(public)))

    def last_key(self, one: Person) -> bytes | None:
        """The key with which somebody signs the transcript."""
        return self.keys.get((one.id, "own"), self.keys.get((one.id, "previous")))

    def before(self) -> tuple[bytes, int, dict[bytes, tuple[bytes, bytes]]]:
        """The root before, in whose name custodians sign: digest, threshold, and custodians by key digest. In a rehearsal it is a copy."""
        root = self.papers.root
        if root is None:
            raise AssertionError
        if not self.rehearsal:
            return root.digest, root.threshold, root.custodians
        body = planned.items_of(trust.read_statement(self.files[self.plan.roots[-1]], "root").body)
        made = {}
        for one in self.plan.role("custodian"):
            key = self.keys.get((one.id, "own" if one.key in {"previous", "recover"} else "previous"))
            if one.person is not None and key is not None:
                made[one.person] = key
        people = [[person, names, self.packed(made.get(person, key[1]))] for person, names, key in body[5]]
        copy = wire.encode([*body[:5], people, *body[6:9], {}])
        custodians = {self.key_digest(key[1]): (person, key[1]) for person, _, key in people}
        return wire.digest("root", copy), root.threshold, custodians


def read_transcript(raw: bytes, *, rehearsal: bool, pinned: Sequence[bytes] = ()) -> None:
    """transcript.md, Reading: success, or how it ends. *pinned* is the fingerprint at hand, if there is one."""
    with step(1):
        statement = _statement(raw, rehearsal=rehearsal)
    with step(2):
        items, told = _body(statement.body)
        keys = _keys(items, told, rehearsal=rehearsal)
    with step(3):
        signed = _signed(statement, keys)
    with step(4):
        plan = planned.read_plan(items[2])
    papers = planned.compare(plan, dict(items[6]), items[4][1])
    present = [one for one in plan.people if one.present]
    with step(4):
        _same([items[1], items[9]], [plan.kind, ["system", *plan.entropy]], "kind or entropy")
        _same([one[:3] for one in items[5]], [[one.id, one.role, one.names] for one in present], "participants")
    reader = Reader(plan, papers, dict(items[6]), items[4], items[3], rehearsal)
    expected = list(script(plan))
    if items[10][0] == "void":
        with step(5):
            found = [(one.name, one.about, one.who) for one in told]
            _same(found, [(name, about, one.id) for name, about, one in expected[: len(told)]], "steps")
            _same({what for one in told for what, _ in one.results} - {"key", "person"}, set(), "results")
            raise Incomplete("void")
    with step(6):
        _same(len(told), len(expected), "the number of steps")
        for one, (name, about, person) in zip(told, expected, strict=True):
            _same((one.name, one.about, one.who), (name, about, person.id), "a step")
            STEPS[name](reader, one, person)
        _same(items[10][1:], [reader.remark, told[-1].ended], "the outcome")
        last = [reader.last_key(one) if one.role in {"custodian", "witness"} else None for one in present]
        _same([one[3] for one in items[5]], [None if key is None else reader.key_digest(key) for key in last], "the keys")
    with step(7):
        needed = {one.id for one in present if one.role in {"custodian", "witness"} and reader.last_key(one) is not None}
        if needed - signed:
            raise Incomplete("not signed by all")
    with step(8):
        roots = [wire.digest("root", reader.bodies["root"])] if "root" in reader.bodies else []
        roots += [] if papers.root is None else [papers.root.digest]
        if set(pinned) - set(roots):
            raise NotAuthentic("of another root")
        if papers.alone and not pinned:
            raise Incomplete("nobody says what the root follows")


def _same(found: object, wanted: object, what: str) -> None:
    if found != wanted:
        raise NotAuthentic(f"{what} is not what follows from the plan")


# -- the statement -------------------------------------------------------------------------------------------------------


def _statement(raw: bytes, *, rehearsal: bool) -> trust.Statement:
    d.need(len(raw) <= 8 << 20, "longer than a transcript may be")
    kind, body, entries = d.fields(d.decode(raw), 3)
    d.need(kind == ("valiza/rehearsal/transcript" if rehearsal else "valiza/v1/transcript"), "no transcript")
    signatures = [_entry(item) for item in d.array(entries, 1, 64)]
    d.ascending(signatures, lambda one: one.header)
    return trust.Statement(str(kind), raw, d.binary(body), signatures)


def _entry(item: d.Value) -> trust.Signature:
    header, signature = d.fields(item, 2)
    role, named, key = d.fields(d.decode(d.binary(header)), 3)
    return trust.Signature(d.binary(header), d.one_of(role, ("participant",)), d.digest_of(named), d.digest_of(key), d.binary(signature, 3373))


def _pairs(value: d.Value) -> Pairs:
    return [[d.word(what), d.text(said, 1000, 0)] for what, said in (d.fields(item, 2) for item in d.array(value))]


def _body(raw: bytes) -> tuple[list[Any], list[Told]]:
    f = d.fields(d.decode(raw), 12)
    d.binary(f[0], 32)
    d.one_of(f[1], tuple(planned.CUSTODIANS))
    d.need(len(d.binary(f[2])) <= 65536 and f[3] == wire.digest("plan", d.binary(f[2])), "another plan's digest")
    version, code, interpreter, platform, libraries = d.fields(f[4], 5)
    for said in (version, interpreter, platform):
        d.text(said)
    d.digest_of(code)
    pairs = [d.fields(item, 2) for item in d.array(libraries, 0, 64)]
    d.ascending([d.text(name) for name, _ in pairs], str.encode)
    for _, said in pairs:
        d.text(said)
    _people(f[5])
    inputs = [d.fields(item, 2) for item in d.array(f[6], 0, 64)]
    d.ascending([d.text(name) for name, _ in inputs], str.encode)
    for _, data in inputs:
        d.binary(data)
    told = [_told(item) for item in d.array(f[8], 0, 512)]
    for source in d.array(f[9], 1, 8):
        d.word(source)
    word, text, at = d.fields(f[10], 3)
    d.one_of(word, ("complete", "void"))
    d.text(text, 1000, 0 if word == "complete" else 1)
    d.extensions(f[11])
    _order(f[7], told, d.time(at))
    return f, told


def _people(value: d.Value) -> None:
    ids = []
    for item in d.array(value, 1, 64):
        id_, role, names, key = d.fields(item, 4)
        ids.append(d.word(id_))
        d.one_of(role, ("operator", "custodian", "witness", "shareholder"))
        d.names(names)
        d.optional(key, d.digest_of)
    d.need(len(set(ids)) == len(ids), "somebody twice")


def _told(item: d.Value) -> Told:
    number, name, about, who, aloud, answers, results, began, ended = d.fields(item, 9)
    given = [(d.word(what), d.binary(data)) for what, data in (d.fields(pair, 2) for pair in d.array(results))]
    where = d.integer(number, 1, 512), d.word(name), d.optional(about, d.word), d.word(who)
    return Told(*where, _pairs(aloud), _pairs(answers), given, d.time(began), d.time(ended))


def _order(value: d.Value, told: Sequence[Told], ended: int) -> None:
    sittings = [d.fields(item, 2) for item in d.array(value, 1, 512)]
    sat, firsts = [d.time(began) for began, _ in sittings], [d.integer(first, 1, 513) for _, first in sittings]
    d.need([one.number for one in told] == list(range(1, len(told) + 1)), "numbers of steps")
    times = [sat[0], *(at for one in told for at in (one.began, one.ended)), ended]
    d.need(times == sorted(times) and sat == sorted(sat) and sat[-1] <= ended, "times")
    d.need(firsts[0] == 1 and firsts == sorted(firsts) and firsts[-1] <= len(told) + 1, "sittings")


def _public(packed: bytes, *, rehearsal: bool) -> bytes:
    kind, raw = d.fields(d.decode(packed), 2)
    d.need(kind == (f"rehearsal/{wire.SIGNING_KIND}" if rehearsal else wire.SIGNING_KIND), "another kind of key")
    return d.signing_key([wire.SIGNING_KIND, raw])


def _keys(items: list[Any], told: Sequence[Told], *, rehearsal: bool) -> dict[bytes, tuple[str, bytes]]:
    """Who signs, by the digest of his key."""
    found: dict[bytes, tuple[str, bytes]] = {}
    wanted = {id_: key for id_, role, _, key in items[5] if role in {"custodian", "witness"} and key is not None}
    for one in told:
        for what, data in one.results:
            if what == "key":
                public = _public(data, rehearsal=rehearsal)
                name = wire.digest("public-key", data)
                if wanted.get(one.who) == name:
                    found[name] = (one.who, public)
    d.need(len(set(wanted.values())) == len(wanted), "one key of two")
    d.need(set(found) == set(wanted.values()), "a key that came of no step")
    return found


def _signed(statement: trust.Statement, keys: dict[bytes, tuple[str, bytes]]) -> set[str]:
    name = wire.digest("transcript", statement.body)
    out = set()
    for signature in statement.signatures:
        if signature.signer != name or signature.key not in keys:
            raise NotAuthentic("signed by nobody who takes part, or for another transcript")
        who, public = keys[signature.key]
        _verify(statement.kind, statement.body, signature.header, signature.signature, public)
        out.add(who)
    return out


def _verify(kind: str, body: bytes, header: bytes, signature: bytes, public: bytes) -> None:
    plain = wire.digest("public-key", wire.encode([wire.SIGNING_KIND, public]))  # which digest the header names was looked at before
    trust.verify(trust.Statement(kind, b"", body, []), trust.Signature(header, "", b"", plain, signature), public)


# -- steps ---------------------------------------------------------------------------------------------------------------


def keys_of(plan: Plan) -> Iterator[tuple[Person, str]]:
    """Whose `key` steps there are, with which key."""
    for one in plan.people:
        if one.present and one.role in {"custodian", "witness"}:
            if one.person is not None and not one.lost and one.key not in {"previous", "recover"}:
                yield one, "previous"
            if one.key != "none":
                yield one, "own"


def statements(plan: Plan) -> list[str]:
    """What the steps are about."""
    root = ["root"] if plan.new_root else []
    return root + [f"revocation-{n}" for n in range(1, len(plan.revocations) + 1)] + [f"credential-{n}" for n in range(1, len(plan.grants) + 1)]


def script(plan: Plan) -> Iterator[tuple[str, str | None, Person]]:
    """All steps."""
    operator = plan.role("operator")[0]
    present = [one for one in plan.role("custodian") if one.present]
    yield "open", None, operator
    for one, which in keys_of(plan):
        yield ("recover" if one.key == "recover" else "key"), (None if which == "own" else which), one
    for about in statements(plan):
        yield "draft", about, operator
        if about == "root":
            yield from (("sign-previous", about, one) for one, which in keys_of(plan) if which == "previous")
            yield from (("sign", about, one) for one in present if one.key == "previous")
            yield from (("sign", about, one) for one in present if one.key in {"new", "request"})
        else:
            yield from (("sign", about, one) for one in present)
        yield "finish", about, operator
    yield "close", None, operator


def _open(reader: Reader, told: Told, _who: Person) -> None:
    plan = reader.plan
    people = [[one.role, one.name] for one in plan.people if one.present]
    root = [] if reader.papers.root is None else [["root", reader.papers.root.digest.hex()]]
    realm = "rehearsal" if reader.rehearsal else "ordinary"
    aloud = [["ceremony", plan.kind], ["realm", realm], ["title", plan.title], *people, ["plan", reader.plan_digest.hex()], *root]
    aloud += [["version", reader.tool[0]], ["code", reader.tool[1].hex()], ["time", stamp_of(told.began)]]
    _same(told.aloud, aloud, "what was read aloud")
    compared = [["root", "equal"]] if root else []
    _same(told.answers, [["present", "yes"], ["plan", "equal"], *compared, ["code", "yes"], ["time", "yes"]], "an answer")
    _same(told.results, [], "a result")


def _key(reader: Reader, told: Told, one: Person) -> None:
    which = "own" if told.about is None else "previous"
    made = reader.rehearsal or (which == "own" and one.key == "new")
    draws = one.role == "custodian" and which == "own" and one.person is None and one.key != "request"
    _same([what for what, _ in told.results], ["key", "person"] if draws else ["key"], "a result")
    public = _public(told.results[0][1], rehearsal=reader.rehearsal)
    if not made:
        _same(public, reader.papers.keys.get((one.id, which)), "the key")
    if one.key == "act" and not reader.papers.acts[one.id].valid_at(told.began):
        raise Refused("a credential that is not valid")
    typed = reader.plan.entropy if which == "own" and one.key == "new" else []
    _same(told.aloud, [["key", reader.key_digest(public).hex()]], "what was read aloud")
    _same([what for what, _ in told.answers], ["source", *typed, "heard"], "an answer")
    _same([told.answers[0][1], told.answers[-1][1]], ["made" if made else "brought", "yes"], "an answer")
    if any(count not in {str(number) for number in range(LEAST[source], 4097)} for source, count in told.answers[1:-1]):
        raise NotAuthentic("another number of characters than could be typed")
    if draws:
        reader.ids[one.id] = d.binary(told.results[1][1], 16)
    reader.keys[one.id, which] = public


def _recover(reader: Reader, told: Told, one: Person) -> None:
    if reader.rehearsal:
        _key(reader, told, one)
        return
    public = reader.papers.keys[one.id, "own"]
    _same(told.results, [("key", wire.encode(reader.packed(public)))], "the key")
    _same(told.aloud, [["key", reader.key_digest(public).hex()]], "what was read aloud")
    holders = [holder.id for holder in reader.plan.role("shareholder")]
    shares = [said.partition(" ") for what, said in told.answers if what == "share"]
    _same([who for who, _, _ in shares], holders, "who gave shares")
    numbers = {number for _, _, number in shares}
    _same(len(numbers & {str(n) for n in range(1, 17)}), len(holders), "the shares")
    _same(told.answers, [["source", "recovered"], *(["share", f"{who} {number}"] for who, _, number in shares), ["heard", "yes"]], "an answer")
    reader.keys[one.id, "own"] = public


def _draft(reader: Reader, told: Told, _who: Person) -> None:
    about = told.about or ""
    kind, _, number = about.rpartition("-")
    if about == "root":
        body, aloud = _root(reader)
        drawn: list[tuple[str, bytes]] = []
    elif kind == "credential":
        grant = reader.plan.grants[int(number) - 1]
        body, aloud, drawn = _credential(reader, grant, told)
    else:
        body, aloud = _revocation(reader, reader.plan.revocations[int(number) - 1], told.began)
        drawn = []
    _same(told.results, [*drawn, ("body", body)], "what is drafted")
    _same(told.aloud, [*aloud, ["fingerprint", _name(about, body).hex()]], "what was read aloud")
    if told.answers not in ([["fingerprint", "read back"]], [["fingerprint", "shown"]]):
        raise NotAuthentic("nobody read it back, nor was it shown")
    reader.bodies[about], reader.signed[about] = body, []


def _name(about: str, body: bytes) -> bytes:
    return wire.digest("root" if about == "root" else "draft", body)


def _root(reader: Reader) -> tuple[bytes, Pairs]:
    plan, new, old = reader.plan, reader.plan.new_root, reader.papers.root
    people: list[list[Any]] = []
    for one in plan.role("custodian"):
        if one.key != "none":
            key = reader.keys.get((one.id, "own")) or reader.papers.keys[one.id, "own"]
            people.append([reader.papers.ids.get(one.id) or reader.ids[one.id], one.names, reader.packed(key)])
    people.sort(key=lambda item: item[0])
    party = reader.papers.party
    body = [
        party,
        1 if old is None else old.version + 1,
        None if old is None else reader.before()[0],
        new["names"],
        new["degrees"] if old is None else old.degrees,
        people,
        new["threshold"],
        new["valid from"],
        new["valid until"],
        {},
    ]
    called = [pair for one in people for pair in _custodian(*one)]
    aloud = [["party", party], ["name", new["names"].get("en", next(iter(new["names"].values())))], ["version", str(body[1])]]
    aloud += [["degrees", " ".join(body[4])], *called, ["threshold", f"{new['threshold']} of {len(people)}"]]
    return wire.encode(body), [*aloud, ["valid-from", stamp_of(body[7])], ["valid-until", stamp_of(body[8])]]


def _custodian(person: bytes, names: dict[str, str], key: list[Any]) -> Pairs:
    name = names.get("en", next(iter(names.values())))
    return [["custodian", name], ["custodian-id", person.hex()], ["custodian-key", wire.digest("public-key", wire.encode(key)).hex()]]


def _credential(reader: Reader, grant: planned.Table, told: Told) -> tuple[bytes, Pairs, list[tuple[str, bytes]]]:
    raw = reader.files[grant["request"]]
    asked = planned.vouched(raw, [reader.papers.known[name] for name in grant["known"]], told.began)
    drawn: list[tuple[str, bytes]] = []
    name = reader.papers.digests[grant["request"]]
    if asked.subject is None and name not in reader.subjects:
        drawn = [(what, data) for what, data in told.results if what == "subject"][:1]
        _same(len(drawn), 1, "the subject")
        reader.subjects[name] = d.binary(drawn[0][1], 16)
    subject = asked.subject or reader.subjects[name]
    key = reader.packed(asked.keys[grant["purpose"]])
    body = [subject, reader.papers.party, grant["body"], grant["names"], grant["purpose"], key, grant["clearance"], grant["certifies"]]
    aloud = [["body", f"{reader.papers.party}/{grant['body']}"], ["name", grant["names"].get("en", next(iter(grant["names"].values())))]]
    aloud += [["purpose", grant["purpose"]], ["clearance", grant["clearance"] or ""], ["certifies-bodies", "yes" if grant["certifies"] else "no"]]
    aloud += [["valid-from", stamp_of(grant["valid from"])], ["valid-until", stamp_of(grant["valid until"])]]
    aloud += [["request", name.hex()]]
    return wire.encode([*body, grant["valid from"], grant["valid until"], {}]), aloud, drawn


def _revocation(reader: Reader, said: planned.Table, when: int) -> tuple[bytes, Pairs]:
    target = reader.papers.known[said["files"][0]]
    names = planned.items_of(trust.read_statement(reader.files[said["files"][0]], "credential").body)[3]
    effective = when if said["effective"] is None else said["effective"]
    body = [reader.papers.party, None, said["number"], said["kind"], target.digest, effective, when, said["reason"], {}]
    aloud = [["body", "/".join(target.body)], ["name", names.get("en", next(iter(names.values())))], ["purpose", target.purpose]]
    aloud += [["credential", target.digest.hex()], ["kind", said["kind"]], ["reason", said["reason"]], ["number", str(said["number"])]]
    return wire.encode(body), [*aloud, ["effective-at", stamp_of(effective)], ["issued-at", stamp_of(when)]]


def _sign(reader: Reader, told: Told, one: Person) -> None:
    about = told.about or ""
    body, name = reader.bodies[about], _name(about, reader.bodies[about])
    which = "previous" if told.name == "sign-previous" else "own"
    public = reader.keys[one.id, which]
    if about == "root":
        old = [reader.before()[0]] if reader.papers.root is not None and (which == "previous" or one.key == "previous") else []
        named, role = old + ([name] if which == "own" else []), "root"
    else:
        named, role = [reader.before()[0]], "issuer"
    _same(told.aloud, [["fingerprint", name.hex()]], "what was read aloud")
    _same(told.answers, [["sign", "yes"]], "an answer")
    _same([what for what, _ in told.results], ["signature"] * len(named), "a result")
    for wanted, (_, packed) in zip(named, told.results, strict=True):
        header, signature = d.fields(d.decode(packed), 2)
        _same(header, wire.encode([role, wanted, reader.key_digest(public)]), "the signer")
        if not isinstance(signature, bytes) or len(signature) != 3373:
            raise NotAuthentic("no signature")
        _verify(reader.type(about.split("-", maxsplit=1)[0]), body, d.binary(header), signature, public)
        reader.signed[about].append((d.binary(header), signature))


def _finish(reader: Reader, told: Told, _who: Person) -> None:
    about = told.about or ""
    raw = wire.encode([reader.type(about.split("-", maxsplit=1)[0]), reader.bodies[about], [list(one) for one in sorted(reader.signed[about])]])
    _same((told.aloud, told.answers, told.results), ([], [], [("statement", raw)]), "a result")
    _check_quorums(reader, about)
    kind = about.split("-", maxsplit=1)[0]
    if kind == "revocation":
        revoking.body_of(reader.bodies[about], wire.digest("statement", raw), None, 1)
    elif kind == "credential" and not reader.rehearsal:
        believed = trust.Trust()
        root = reader.papers.root
        if root is None:
            raise AssertionError
        believed.roots = {root.digest: root}
        trust.read_credential(raw, believed)


def _check_quorums(reader: Reader, about: str) -> None:
    """Each signature was verified when it was told; here they are counted."""
    headers = [d.fields(d.decode(header), 3) for header, _ in reader.signed[about]]
    if reader.papers.root is not None:
        name, threshold, custodians = reader.before()
        persons = {custodians[key][0] for _, named, key in headers if named == name and key in custodians}
        _same(len(persons) >= threshold, True, "the quorum of the root before")  # noqa: FBT003 - what is compared
    if about == "root":
        own = _name(about, reader.bodies[about])
        _same(sum(named == own for _, named, _ in headers) >= reader.plan.new_root["threshold"], True, "the quorum of the new root")  # noqa: FBT003 - as above


def _close(reader: Reader, told: Told, _who: Person) -> None:
    _same((told.aloud, [what for what, _ in told.answers], told.results), ([], ["remark"], []), "the end")
    reader.remark = told.answers[0][1]


STEPS = {
    "open": _open,
    "key": _key,
    "recover": _recover,
    "draft": _draft,
    "sign-previous": _sign,
    "sign": _sign,
    "finish": _finish,
    "close": _close,
}
