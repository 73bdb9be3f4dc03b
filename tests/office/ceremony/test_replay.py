"""Transcripts: whatever in one is not what follows from its plan is refused, even when everybody who took part signs it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.support.ceremony import Scene, compromise, first_root, key_path, later_root, named, new_body, old, recovery
from tests.support.keys import flipped, signing_key

from valiza.keys import labels
from valiza.keys.encoding import pack, unpack
from valiza.keys.errors import Incomplete, Malformed, NotAuthentic, Refused, ValizaError
from valiza.keys.keyfile import load_key
from valiza.keys.realm import Realm
from valiza.keys.signing import SigningKey
from valiza.keys.statement import read_statement
from valiza.keys.transcript import read_transcript, sign_transcript
from valiza.office.ceremony.plan import read_plan
from valiza.office.ceremony.replay import verify_transcript
from valiza.office.ceremony.root_paper import RootPaper
from valiza.office.ceremony.script import signers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from valiza.keys.root import RootDraft

FIELDS: Final = ("id", "kind", "plan", "plan digest", "tool", "participants", "inputs", "sittings", "steps", "entropy", "outcome", "extensions")


@dataclasses.dataclass(frozen=True)
class Told:
    """A ceremony that was led, and the keys of all who signed its transcript."""

    raw: bytes
    keys: dict[str, SigningKey]
    realm: Realm = Realm.ORDINARY

    @property
    def items(self) -> list[Any]:
        """What it says, anew."""
        statement = read_statement(self.raw, labels.TRANSCRIPT, realm=self.realm)
        found: list[Any] = unpack(statement.body, max_bytes=1 << 23, what="it")
        return found

    def signed(self, items: list[Any], *people: str) -> bytes:
        """Something else, signed by the same people or by some."""
        keys = self.keys.values() if not people else [self.keys[name] for name in people]
        return sign_transcript(pack(items), keys, self.realm).raw


def led(scene: Scene) -> Told:
    done = scene.lead()
    keys = {}
    for one in signers(read_plan(scene.plan)):
        about, word = (None, "passphrase") if one.key != "none" else ("previous", "previous-passphrase")
        path = key_path(scene.table, one.id, about)
        key = load_key(path, lambda word=word, one=one: f"{word} of {one.id}", scene.realm)  # type: ignore[misc]
        assert isinstance(key, SigningKey)
        keys[one.id] = key
    return Told(done.transcript.raw, keys, scene.realm)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Told:
    return led(first_root(tmp_path_factory.mktemp("first"), entropy=("dice",)))


@pytest.fixture(scope="module")
def rotated(tmp_path_factory: pytest.TempPathFactory) -> Told:
    return led(later_root(tmp_path_factory.mktemp("rotated"), [old("aliya"), old("bolat", "new"), old("dana", "none"), named("erlan")]))


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Told:
    return led(new_body(tmp_path_factory.mktemp("certified")))


@pytest.fixture(scope="module")
def revoked(tmp_path_factory: pytest.TempPathFactory) -> Told:
    return led(compromise(tmp_path_factory.mktemp("revoked")))


@pytest.fixture(scope="module")
def recovered(tmp_path_factory: pytest.TempPathFactory) -> Told:
    return led(recovery(tmp_path_factory.mktemp("recovered")))


@pytest.fixture(params=["first", "rotated", "certified", "revoked", "recovered"])
def told(request: pytest.FixtureRequest) -> Told:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Told)
    return found


def test_what_was_told_is_verified(told: Told) -> None:
    found = verify_transcript(told.raw)
    found.require_complete()
    assert set(found.transcript.signed_by) == set(told.keys)
    again = verify_transcript(told.signed(told.items))
    assert again.statements == found.statements


# -- every part of it -----------------------------------------------------------------------------------------------------


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something stands that is neither array nor map."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if items is None:
        yield path
        return
    for key, item in items:
        yield from leaves(item, (*path, key))


def changed(value: Any) -> list[Any]:
    """Others in its place."""
    if isinstance(value, bytes):
        return [flipped(value, 0), flipped(value, len(value) // 2), flipped(value, -1)] if value else [b"x"]
    if isinstance(value, str):
        return [f"{value}x", value[:-1], value.swapcase()]
    return [bytes(32)] if value is None else [value + 1, max(value - 1, 0)]


# What everybody who signs vouches for, and nobody can compute from the plan.
VOUCHED: Final[set[tuple[Any, ...]]] = {("id",), ("tool", 2), ("tool", 3), ("sittings", 0, 0)}


def free(path: tuple[Any, ...]) -> bool:
    name = (FIELDS[path[0]], *path[1:])
    library = name[:2] == ("tool", 4)
    time = name[0] == "steps" and len(name) == 3 and name[2] in {7, 8}
    throws = name[0] == "steps" and name[2:3] == (5,) and name[3:] == (1, 1)  # how many, above the least
    return name in VOUCHED or library or time or throws


def put(items: list[Any], path: tuple[Any, ...], value: Any) -> list[Any]:
    *way, last = path
    place: Any = items
    for key in way:
        place = place[key]
    place[last] = value
    return items


def at(items: list[Any], path: tuple[Any, ...]) -> Any:
    found: Any = items
    for key in path:
        found = found[key]
    return found


@pytest.mark.slow
def test_every_single_value_is_checked_or_vouched_for(told: Told) -> None:
    every = list(leaves(told.items))
    assert len(every) > 80
    passed: list[tuple[Any, ...]] = []
    for path in every:
        for other in changed(at(told.items, path)):
            items = put(told.items, path, other)
            if items == told.items:
                continue
            try:
                verify_transcript(told.signed(items)).require_complete()
            except (Malformed, NotAuthentic, Refused):
                continue
            passed.append((FIELDS[path[0]], *path[1:]))
    assert [path for path in passed if not free((FIELDS.index(path[0]), *path[1:]))] == []


@pytest.mark.slow
def test_every_bit_of_the_bytes_is_signed(first: Told) -> None:
    for index in range(0, len(first.raw), 97):
        with pytest.raises((Malformed, NotAuthentic)):
            verify_transcript(flipped(first.raw, index))


def _of(name: str) -> int:
    return FIELDS.index(name)


def _without(field: str, index: int) -> Callable[[list[Any]], None]:
    def change(items: list[Any]) -> None:
        del items[_of(field)][index % len(items[_of(field)])]

    return change


def _twice(field: str, index: int) -> Callable[[list[Any]], None]:
    def change(items: list[Any]) -> None:
        part = items[_of(field)]
        part.insert(index % len(part), part[index % len(part)])

    return change


def _swapped(field: str, one: int, other: int) -> Callable[[list[Any]], None]:
    def change(items: list[Any]) -> None:
        part = items[_of(field)]
        first, second = one % len(part), other % len(part)
        part[first], part[second] = part[second], part[first]

    return change


def _renumbered(change: Callable[[list[Any]], None]) -> Callable[[list[Any]], None]:
    """The same, with steps numbered and timed as if nothing had happened."""

    def both(items: list[Any]) -> None:
        times = sorted(at for step in items[_of("steps")] for at in step[7:9])
        change(items)
        for number, step in enumerate(items[_of("steps")], 1):
            step[0] = number
            step[7:9] = times[2 * number - 2 : 2 * number] or times[-2:]

    return both


SHAPES: Final[dict[str, Callable[[list[Any]], None]]] = {
    **{f"without step {index + 1}": _renumbered(_without("steps", index)) for index in range(8)},
    **{f"step {index + 1} twice": _renumbered(_twice("steps", index)) for index in range(8)},
    **{f"steps {index + 1} and {index + 2} swapped": _renumbered(_swapped("steps", index, index + 1)) for index in range(7)},
    "a step missing in the numbers": _without("steps", 3),
    "no steps": lambda items: items[_of("steps")].clear(),
    "no sittings": lambda items: items[_of("sittings")].clear(),
    "a sitting too many": lambda items: items[_of("sittings")].append([items[_of("outcome")][2], 99]),
    "a sitting before the first": lambda items: items[_of("sittings")].insert(0, [0, 2]),
    "a participant less": _without("participants", 1),
    "a participant twice": _twice("participants", 1),
    "participants in another order": _swapped("participants", 1, 2),
    "a stranger who takes part": lambda items: items[_of("participants")].append(["zoya", "witness", {"en": "Zoya"}, None]),
    "a key of two": lambda items: items[_of("participants")][1].__setitem__(3, items[_of("participants")][2][3]),
    "an input that nobody named": lambda items: items[_of("inputs")].append(["zz.vls", b"x"]),
    "no entropy": lambda items: items[_of("entropy")].clear(),
    "other entropy": lambda items: items[_of("entropy")].__setitem__(0, "hardware"),
    "void after all": lambda items: items[_of("outcome")].__setitem__(slice(0, 2), ["void", "because"]),
    "an unknown outcome": lambda items: items[_of("outcome")].__setitem__(0, "good"),
    "an unknown extension": lambda items: items[_of("extensions")].__setitem__("note", 1),
    "a further item": lambda items: items.append(1),
    "an item less": lambda items: items.pop(),
}


@pytest.mark.parametrize("change", SHAPES.values(), ids=SHAPES.keys())
def test_another_shape(change: Callable[[list[Any]], None], told: Told) -> None:
    items = told.items
    change(items)
    with pytest.raises((Malformed, NotAuthentic, Refused, Incomplete)):
        verify_transcript(told.signed(items)).require_complete()


@pytest.mark.parametrize("number", ["99", "0100", "+100", " 100", "100 ", "1_00", "4097", "", "٠١٠٠", "١٠٠", "１００", "1" * 4096])
def test_another_spelling_of_a_number(number: str, first: Told) -> None:
    items = first.items
    step = next(one for one in items[_of("steps")] if one[1] == "key" and ["dice", "100"] in one[5])
    step[5][step[5].index(["dice", "100"])][1] = number
    with pytest.raises((NotAuthentic, Malformed)):
        verify_transcript(first.signed(items))


RESULTS: Final = {"first": {"body", "signature", "statement"}, "certified": {"subject", "body", "signature", "statement"}}


@pytest.mark.parametrize("name", RESULTS)
def test_a_void_transcript_tells_nothing_that_was_signed(name: str, request: pytest.FixtureRequest) -> None:
    """Each kind of result alone is one too many; without them it is void, and that is all."""
    told: Told = request.getfixturevalue(name)
    found = set()
    steps, outcome = _of("steps"), _of("outcome")
    for index, step in enumerate(told.items[steps]):
        for what, _ in step[6]:
            items = told.items
            items[outcome][:2] = ["void", "because"]
            for number, other in enumerate(items[steps]):
                other[6] = [pair for pair in other[6] if pair[0] in {"key", "person"} or (number, pair[0]) == (index, what)]
            raw = told.signed(items)
            if what in {"key", "person"}:
                assert verify_transcript(raw).statements == {}
            else:
                found.add(what)
                with pytest.raises(NotAuthentic, match=f"step {index + 1} of a void ceremony"):
                    verify_transcript(raw)
    assert found == RESULTS[name]


def test_a_remark_is_shown_and_ignored(first: Told) -> None:
    items = first.items
    items[-1]["~weather"] = "snow"
    assert verify_transcript(first.signed(items)).transcript.extensions == {"~weather": "snow"}


# -- who signs ------------------------------------------------------------------------------------------------------------


def test_all_sign_who_took_part(told: Told) -> None:
    for missing in told.keys:
        rest = [name for name in told.keys if name != missing]
        found = verify_transcript(told.signed(told.items, *rest))
        assert found.missing == (missing,)
        with pytest.raises(Incomplete, match=missing):
            found.require_complete()


def test_nobody_else_signs(first: Told) -> None:
    keys = [*first.keys.values(), signing_key("a stranger")]
    with pytest.raises(NotAuthentic, match="nobody who takes part"):
        verify_transcript(sign_transcript(pack(first.items), keys, Realm.ORDINARY).raw)


def test_signatures_of_another_transcript(first: Told, rotated: Told) -> None:
    """Nor of the same ceremony told otherwise."""
    said = first.items
    said[_of("tool")][3] = "another machine"
    entries = unpack(first.raw, max_bytes=1 << 23, what="it")[2]
    with pytest.raises(NotAuthentic):
        verify_transcript(pack([labels.TRANSCRIPT, pack(said), entries]))
    others = unpack(rotated.raw, max_bytes=1 << 23, what="it")[2]
    with pytest.raises(NotAuthentic):
        verify_transcript(pack([labels.TRANSCRIPT, pack(first.items), others]))


# -- a program that lies --------------------------------------------------------------------------------------------------

LIES: Final[dict[str, Callable[[RootDraft], RootDraft]]] = {
    "a lower threshold": lambda draft: dataclasses.replace(draft, threshold=1),
    "a longer validity": lambda draft: dataclasses.replace(draft, valid_until=draft.valid_until + 1),
    "another name": lambda draft: dataclasses.replace(draft, names={"en": "Another"}),
    "another custodian's name": lambda draft: dataclasses.replace(
        draft, custodians=(dataclasses.replace(draft.custodians[0], names={"en": "Zoya"}), *draft.custodians[1:])
    ),
    "another id": lambda draft: dataclasses.replace(
        draft, custodians=(dataclasses.replace(draft.custodians[0], id=bytes(16)), *draft.custodians[1:])
    ),
    "a custodian less": lambda draft: dataclasses.replace(draft, custodians=draft.custodians[1:], threshold=1),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
def test_all_collude_with_the_program(lie: Callable[[RootDraft], RootDraft], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A root that is well signed, read aloud and attested by all; and is not the one that was planned."""
    honest = RootPaper.draft
    with monkeypatch.context() as patch:
        patch.setattr(RootPaper, "draft", lambda self, story: lie(honest(self, story)))
        try:
            raw = first_root(tmp_path).lead().transcript.raw
        except NotAuthentic:  # the one whose key was left out cannot sign in the root's name
            return
    read_transcript(raw)
    with pytest.raises(NotAuthentic, match="not what follows from the plan"):
        verify_transcript(raw)


# -- rehearsals -----------------------------------------------------------------------------------------------------------


def test_a_rehearsal_is_verified_as_one(tmp_path: Path) -> None:
    scene = first_root(tmp_path)
    scene.realm = Realm.REHEARSAL
    practised = led(scene)
    verify_transcript(practised.raw, Realm.REHEARSAL).require_complete()
    with pytest.raises(Malformed):
        verify_transcript(practised.raw)
    _, body, entries = unpack(practised.raw, max_bytes=1 << 23, what="it")
    with pytest.raises(ValizaError):
        verify_transcript(pack([labels.TRANSCRIPT, body, entries]))
