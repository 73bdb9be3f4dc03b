"""Transcripts as statements: what is packed is read, in one spelling; whose signatures hold; and what is no transcript."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.keys import BEGIN, flipped, signing_key

from valiza.keys import labels
from valiza.keys.digests import digest
from valiza.keys.encoding import pack, unpack
from valiza.keys.errors import Malformed, NotAuthentic
from valiza.keys.fields import MAX_TIME
from valiza.keys.realm import Realm
from valiza.keys.signing import SigningKey, VerifyKey
from valiza.keys.statement import LIMITS, ROLES
from valiza.keys.transcript import (
    KINDS,
    Outcome,
    Participant,
    Record,
    Tool,
    TranscriptDraft,
    participant_header,
    plan_digest,
    read_body,
    read_transcript,
    sign_transcript,
)

if TYPE_CHECKING:
    from collections.abc import Callable

KEYS: Final = {name: signing_key(name) for name in ("aliya", "saule")}
TOOL: Final = Tool(version="1", code=bytes(32), interpreter="Python", platform="it", libraries=(("a", "1"), ("b", "2")))


def step(number: int, who: str, **changes: Any) -> Record:
    said: dict[str, Any] = {
        "number": number,
        "name": "key",
        "about": None,
        "participant": who,
        "aloud": (("key", KEYS[who].key_digest.hex()),),
        "answers": (("heard", "yes"),),
        "results": (("key", pack(VerifyKey(KEYS[who].public).packed)),),
        "began_at": BEGIN + 10 * number,
        "ended_at": BEGIN + 10 * number + 5,
    }
    return Record(**{**said, **changes})


def draft(**changes: Any) -> TranscriptDraft:
    said: dict[str, Any] = {
        "id": bytes(32),
        "kind": "new-root",
        "plan": b"title = 1\n",
        "tool": TOOL,
        "participants": tuple(
            Participant(id=name, role="custodian" if name == "aliya" else "witness", names={"en": name}, key_digest=key.key_digest)
            for name, key in KEYS.items()
        ),
        "inputs": (("a.vls", b"a"), ("b.vls", b"b")),
        "sittings": ((BEGIN, 1),),
        "steps": (step(1, "aliya"), step(2, "saule")),
        "entropy": ("system",),
        "outcome": Outcome(word="complete", remark="", at=BEGIN + 100),
    }
    return TranscriptDraft(**{**said, **changes})


def signed(said: TranscriptDraft, *keys: SigningKey) -> bytes:
    return sign_transcript(said.body, keys or tuple(KEYS.values()), Realm.ORDINARY).raw


def test_what_is_signed_is_read() -> None:
    said = draft()
    found = read_transcript(signed(said))
    assert found.said == said
    assert found.signed_by == set(KEYS)
    assert found.digest == digest(labels.DIGEST_TRANSCRIPT, said.body)
    assert {name: key.raw for name, key in found.keys.items()} == {name: key.public for name, key in KEYS.items()}


def test_the_digest_of_the_plan_stands_beside_it() -> None:
    items = unpack(draft().body, max_bytes=1 << 20, what="it")
    assert items[3] == digest(labels.DIGEST_PLAN, items[2]) == plan_digest(items[2])
    for other in (bytes(32), b"\xff" * 32):
        with pytest.raises(Malformed, match="digest in a transcript"):
            read_body(pack([*items[:3], other, *items[4:]]))


def test_a_transcript_is_the_same_whenever_it_is_read() -> None:
    raw = signed(draft())
    assert read_transcript(raw) == read_transcript(bytes(bytearray(raw)))


def test_a_second_sitting_begins_later_and_at_the_end_at_the_latest() -> None:
    for sat in ((BEGIN + 20, 2), (BEGIN + 100, 3)):
        said = draft(sittings=((BEGIN, 1), sat))
        assert read_body(said.body)[0] == said


def test_anybody_s_signature_alone_is_read() -> None:
    assert read_transcript(signed(draft(), KEYS["saule"])).signed_by == {"saule"}


def test_a_stranger_signs_nothing() -> None:
    for keys in ((signing_key("zoya"),), (*KEYS.values(), signing_key("zoya"))):
        with pytest.raises(NotAuthentic, match="nobody who takes part"):
            read_transcript(signed(draft(), *keys))


def test_a_signature_is_of_one_transcript() -> None:
    one, other = draft(), draft(plan=b"title = 2\n")
    entries = unpack(signed(one), max_bytes=1 << 20, what="it")[2]
    for number in range(2, 18):  # some of them have a greater digest, some a lesser
        with pytest.raises(NotAuthentic, match="names another one"):
            read_transcript(pack([labels.TRANSCRIPT, draft(plan=b"title = %d\n" % number).body, entries]))
    header = participant_header(other.body, KEYS["aliya"]).packed()
    with pytest.raises(NotAuthentic):
        read_transcript(pack([labels.TRANSCRIPT, other.body, [[header, entries[0][1]]]]))


@pytest.mark.parametrize("half", [-3373, -65, -64, -1], ids=["ML-DSA begins", "ML-DSA ends", "Ed25519 begins", "Ed25519 ends"])
def test_both_halves_hold(half: int) -> None:
    raw = signed(draft())
    with pytest.raises(NotAuthentic):
        read_transcript(flipped(raw, len(raw) + half))


def test_a_transcript_is_read_in_its_realm_only() -> None:
    for realm, other in ((Realm.ORDINARY, Realm.REHEARSAL), (Realm.REHEARSAL, Realm.ORDINARY)):
        keys = {name: SigningKey(key.seed, realm) for name, key in KEYS.items()}
        people = tuple(dataclasses.replace(one, key_digest=keys[one.id].key_digest) for one in draft().participants)
        steps = tuple(
            step(number, name, results=(("key", pack(VerifyKey(key.public, realm).packed)),)) for number, (name, key) in enumerate(keys.items(), 1)
        )
        raw = sign_transcript(draft(participants=people, steps=steps).body, keys.values(), realm).raw
        assert read_transcript(raw, realm).signed_by == set(KEYS)
        with pytest.raises(Malformed, match="statement type"):
            read_transcript(raw, other)


def test_limits() -> None:
    assert LIMITS[labels.TRANSCRIPT] == 8 << 20
    assert ROLES[labels.TRANSCRIPT] == ("participant", 64)


OUT: Final[dict[str, dict[str, Any]]] = {
    "an id too short": {"id": bytes(31)},
    "an unknown kind": {"kind": "party"},
    "a plan too long": {"plan": bytes(65537)},
    "nobody": {"participants": ()},
    "a participant twice": {"participants": (draft().participants[0],) * 2},
    "an unknown role": {"participants": (Participant(id="a", role="judge", names={"en": "a"}, key_digest=None),)},
    "an id in capitals": {"participants": (Participant(id="A", role="witness", names={"en": "a"}, key_digest=None),)},
    "a key of no step": {"steps": (step(1, "aliya"),)},
    "one key of two": {"participants": tuple(dataclasses.replace(one, key_digest=KEYS["aliya"].key_digest) for one in draft().participants)},
    "inputs out of order": {"inputs": (("b", b""), ("a", b""))},
    "no sitting": {"sittings": ()},
    "a first sitting later": {"sittings": ((BEGIN, 2),)},
    "sittings back": {"sittings": ((BEGIN, 1), (BEGIN - 1, 2))},
    "sittings out of order": {"sittings": ((BEGIN, 1), (BEGIN, 3), (BEGIN, 2))},
    "a sitting after the end": {"sittings": ((BEGIN, 1), (BEGIN + 101, 2))},
    "a sitting behind all steps": {"sittings": ((BEGIN, 1), (BEGIN, 4))},
    "a step before the first sitting": {"sittings": ((BEGIN + 11, 1),)},
    "a number twice": {"steps": (step(1, "aliya"), step(1, "saule", began_at=BEGIN + 20, ended_at=BEGIN + 25))},
    "steps from two on": {"steps": (step(2, "aliya"), step(3, "saule"))},
    "a step that ends before it begins": {"steps": (step(1, "aliya", ended_at=BEGIN + 9), step(2, "saule"))},
    "steps at once": {"steps": (step(1, "aliya", ended_at=BEGIN + 21), step(2, "saule"))},
    "an end before the last step": {"outcome": Outcome(word="complete", remark="", at=BEGIN + 20)},
    "an unknown outcome": {"outcome": Outcome(word="fine", remark="", at=BEGIN + 100)},
    "void for no reason": {"outcome": Outcome(word="void", remark="", at=BEGIN + 100)},
    "no entropy": {"entropy": ()},
    "libraries out of order": {"tool": dataclasses.replace(TOOL, libraries=(("b", "1"), ("a", "1")))},
    "no version": {"tool": dataclasses.replace(TOOL, version="")},
    "a time too late": {"outcome": Outcome(word="complete", remark="", at=MAX_TIME + 1)},
}


def people(count: int) -> tuple[Participant, ...]:
    return tuple(Participant(id=f"p{number}", role="operator", names={"en": "p"}, key_digest=None) for number in range(count))


def steps(count: int) -> tuple[Record, ...]:
    return tuple(step(number, "aliya", results=(), began_at=BEGIN, ended_at=BEGIN) for number in range(1, count + 1))


def a_step(**changes: Any) -> dict[str, Any]:
    return {"participants": people(1), "steps": (step(1, "aliya", **({"results": ()} | changes)),)}


MOST: Final[dict[str, tuple[Callable[[int], dict[str, Any]], int, int]]] = {
    "participants": (lambda count: {"participants": people(count), "steps": ()}, 1, 64),
    "inputs": (lambda count: {"inputs": tuple((f"{number:03}", b"") for number in range(count))}, 0, 64),
    "sittings": (lambda count: {"sittings": ((BEGIN, 1),) * count}, 1, 512),
    "steps": (lambda count: {"participants": people(1), "steps": steps(count)}, 0, 512),
    "sources of entropy": (lambda count: {"entropy": ("system",) * count}, 1, 8),
    "bytes of a plan": (lambda count: {"plan": bytes(count)}, 0, 65536),
    "libraries": (lambda count: {"tool": dataclasses.replace(TOOL, libraries=tuple((f"{number:03}", "1") for number in range(count)))}, 0, 64),
    "results": (lambda count: a_step(results=(("found", b""),) * count), 0, 64),
    "words aloud": (lambda count: a_step(aloud=(("said", ""),) * count), 0, 128),
    "answers": (lambda count: a_step(answers=(("heard", ""),) * count), 0, 128),
    "number of the first step of a sitting": (
        lambda first: {"participants": people(1), "steps": steps(min(first - 1, 512)), "sittings": ((BEGIN, 1), (BEGIN, first))},
        1,
        513,
    ),
}


@pytest.mark.parametrize("what", MOST)
def test_as_many_as_there_may_be_and_no_more(what: str) -> None:
    changes, least, most = MOST[what]
    for count in (least, most):
        said = draft(**changes(count))
        assert read_body(said.body)[0] == said
    for count in (*range(least), most + 1, most + 2):
        with pytest.raises(Malformed):
            read_body(draft(**changes(count)).body)


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_a_sitting_begins_with_a_step_or_behind_the_last(count: int) -> None:
    for first in range(1, count + 2):
        said = draft(participants=people(1), steps=steps(count), sittings=((BEGIN, 1), (BEGIN, first)))
        assert read_body(said.body)[0] == said
    with pytest.raises(Malformed, match="sittings of a transcript do not fit its steps"):
        read_body(draft(participants=people(1), steps=steps(count), sittings=((BEGIN, 1), (BEGIN, count + 2))).body)


def test_a_step_has_a_number_that_there_may_be() -> None:
    """Told as such, before their order is asked for."""
    for number in (0, 513):
        with pytest.raises(Malformed, match=r"^number is not an integer from 1 to 512$"):
            read_body(draft(steps=(step(number, "aliya"),)).body)
    with pytest.raises(Malformed, match="not numbered one after the other"):
        read_body(draft(steps=(step(512, "aliya"),)).body)
    for first in (0, 514):
        with pytest.raises(Malformed, match=r"^first step is not an integer from 1 to 513$"):
            read_body(draft(sittings=((BEGIN, first),)).body)


def test_two_participants_do_not_have_one_key() -> None:
    (aliya, saule), key = draft().participants, KEYS["aliya"]
    same = (aliya, dataclasses.replace(saule, key_digest=key.key_digest))
    both = (step(1, "aliya"), step(2, "saule", results=step(1, "aliya").results))
    with pytest.raises(Malformed, match="two participants of a transcript have one key"):
        read_transcript(signed(draft(participants=same, steps=both), key))


def test_his_key_is_the_one_beside_his_name_of_those_that_came_of_his_steps() -> None:
    """Whichever step it was; and a key of who does not sign is nobody's."""
    other = ("key", pack(VerifyKey(signing_key("another").public).packed))
    more = (
        step(1, "aliya", results=(other, *step(1, "aliya").results, other, ("found", b"x"))),
        step(2, "saule", results=(other,)),
        step(3, "saule"),
    )
    assert read_transcript(signed(draft(steps=more))).signed_by == set(KEYS)
    operator = dataclasses.replace(draft().participants[1], role="operator")
    only = draft(participants=(draft().participants[0], operator))
    assert list(read_transcript(signed(only, KEYS["aliya"])).keys) == ["aliya"]
    with pytest.raises(NotAuthentic, match="nobody who takes part"):
        read_transcript(signed(only))


def test_a_participant_is_called_by_his_english_name_or_the_first() -> None:
    for called, title in (({"en": "Aliya", "kk": "Әлия"}, "Aliya"), ({"kk": "Әлия", "ru": "Алия"}, "Әлия")):
        assert Participant(id="a", role="witness", names=called, key_digest=None).title == title


@pytest.mark.parametrize("changes", OUT.values(), ids=OUT.keys())
def test_malformed(changes: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        read_transcript(signed(draft(**changes)))


def test_void_has_a_reason() -> None:
    found = read_transcript(signed(draft(outcome=Outcome(word="void", remark="fire", at=BEGIN + 100))))
    assert (found.said.outcome.word, found.said.outcome.remark) == ("void", "fire")


@pytest.mark.parametrize(
    "change",
    [
        lambda items: items[:-1],
        lambda items: [*items, {}],
        lambda _: {"a": 1},
        lambda items: [*items[:-1], {"note": 1}],
        lambda items: [*items[:-1], None],
    ],
    ids=["an item less", "an item more", "a map", "an unknown extension", "no extensions"],
)
def test_another_form(change: Callable[[list[Any]], Any]) -> None:
    items = unpack(draft().body, max_bytes=1 << 20, what="it")
    with pytest.raises(Malformed):
        read_body(pack(change(items)))


def test_a_remark_is_kept() -> None:
    items = unpack(draft().body, max_bytes=1 << 20, what="it")
    assert read_body(pack([*items[:-1], {"~note": 1}]))[1] == {"~note": 1}


WORDS: Final = st.from_regex(r"[a-z][a-z0-9-]{0,31}", fullmatch=True)
TEXTS: Final = st.text(st.characters(min_codepoint=32, max_codepoint=0x4FF, categories=["L", "N", "P", "S", "Zs"]).filter(str.isascii), max_size=40)


@st.composite
def drafts(pick: Any) -> TranscriptDraft:
    """Transcripts of every shape, times in order."""
    count = pick(st.integers(0, 5))
    times = sorted(pick(st.lists(st.integers(0, MAX_TIME), min_size=2 * count + 2, max_size=2 * count + 2)))
    pairs = st.lists(st.tuples(WORDS, TEXTS), max_size=4).map(tuple)
    steps = tuple(
        Record(
            number=number + 1,
            name=pick(WORDS),
            about=pick(st.none() | WORDS),
            participant=pick(WORDS),
            aloud=pick(pairs),
            answers=pick(pairs),
            results=pick(st.lists(st.tuples(WORDS.filter(lambda word: word != "key"), st.binary(max_size=40)), max_size=3).map(tuple)),
            began_at=times[1 + 2 * number],
            ended_at=times[2 + 2 * number],
        )
        for number in range(count)
    )
    people = pick(st.lists(WORDS, min_size=1, max_size=4, unique=True))
    return TranscriptDraft(
        id=pick(st.binary(min_size=32, max_size=32)),
        kind=pick(st.sampled_from(KINDS)),
        plan=pick(st.binary(max_size=60)),
        tool=TOOL,
        participants=tuple(
            Participant(id=name, role="operator", names={"en": name}, key_digest=pick(st.none() | st.binary(min_size=32, max_size=32)))
            for name in people
        ),
        inputs=tuple(sorted(pick(st.dictionaries(WORDS, st.binary(max_size=20), max_size=3)).items())),
        sittings=((times[0], 1),),
        steps=steps,
        entropy=tuple(pick(st.lists(WORDS, min_size=1, max_size=3))),
        outcome=Outcome(word="void", remark=pick(TEXTS.filter(bool)), at=times[-1]),
    )


@given(drafts())
def test_any_transcript_is_read_as_it_was_packed(said: TranscriptDraft) -> None:
    found, remarks = read_body(said.body)
    assert (found, remarks) == (said, {})
    assert found.body == said.body
