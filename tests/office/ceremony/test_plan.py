"""Plans: what people wrote is read whole or not at all, and compared with the files that it names before anything is done."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.ceremony import (
    CODE,
    START,
    TOOL,
    body_request,
    compromise,
    forged_root,
    grant,
    input_digest,
    named,
    new_body,
    new_root,
    old,
    recovery,
    root_before,
    written,
)
from tests.support.keys import BEGIN, END, issue, party, root_of, signing_key, subject

from valiza.keys import labels
from valiza.keys.digests import digest
from valiza.keys.errors import Malformed, NotAuthentic, Refused
from valiza.keys.fields import Body
from valiza.keys.realm import Realm
from valiza.keys.request import Request, RequestDraft, make_request
from valiza.keys.signing import SigningKey
from valiza.office.ceremony.matter import Matter, read_matter
from valiza.office.ceremony.plan import Plan, read_plan
from valiza.office.ceremony.script import attestations, foresee, script

if TYPE_CHECKING:
    from pathlib import Path

    from valiza.keys.root import Root
    from valiza.office.ceremony.planning import Named

FIRST: Final = written()
ROOT: Final = {"root.vls": root_before().raw}


def later(custodians: list[Named], **changes: Any) -> bytes:
    said = {"kind": "rotation", "roots": ("root.vls",), "inputs": ROOT, "new_root": new_root(party=None, degrees=None)}
    return written(**{**said, "custodians": custodians, **changes})


ROTATION: Final = later([old("aliya"), old("bolat", "new"), old("dana", "none"), named("erlan")])


def with_line(raw: bytes, pattern: str, line: str, count: int = 1) -> bytes:
    text, found = re.subn(pattern, lambda _: line, raw.decode(), count=count, flags=re.MULTILINE)
    assert found
    return text.encode()


# -- what is written is read ----------------------------------------------------------------------------------------------


def test_a_plan_says_what_was_wanted() -> None:
    plan = read_plan(written(entropy=("dice", "keyboard"), code=CODE, title='He said: "now"\t\u202e', place=""))
    assert (plan.kind, plan.title, plan.place, plan.code, plan.entropy) == ("new-root", 'He said: "now"\t\u202e', "", CODE, ("dice", "keyboard"))
    assert [(one.id, one.role, one.key) for one in plan.people] == [
        ("olzhas", "operator", "none"),
        ("aliya", "custodian", "new"),
        ("bolat", "custodian", "new"),
        ("wanda", "witness", "new"),
    ]
    new = plan.new_root
    assert new is not None
    assert (new.party, new.degrees, new.threshold, new.valid_from, new.valid_until) == ("KZ", ("1", "2", "3"), 2, BEGIN, END)


def test_a_plan_is_called_by_its_very_bytes() -> None:
    assert read_plan(FIRST).digest == digest(labels.DIGEST_PLAN, FIRST)
    assert read_plan(FIRST + b"# a remark\n").digest != read_plan(FIRST).digest


def test_people_of_a_rotation() -> None:
    plan = read_plan(ROTATION)
    assert {one.id: (one.key, one.person) for one in plan.of_role("custodian")} == {
        "aliya": ("previous", subject("aliya")),
        "bolat": ("new", subject("bolat")),
        "dana": ("none", subject("dana")),
        "erlan": ("new", None),
    }
    assert plan.roots == ("root.vls",)
    assert plan.inputs == {"root.vls": bytes.fromhex(input_digest(ROOT["root.vls"]))}


def steps_of(raw: bytes) -> list[str]:
    plan = read_plan(raw)
    return [one.id for one in (*script(plan), *attestations(plan))]


def test_steps_of_a_first_root() -> None:
    assert steps_of(FIRST) == [
        *("open", "key.aliya", "key.bolat", "key.wanda", "draft.root", "sign.root.aliya", "sign.root.bolat", "finish.root", "close"),
        *("attest.aliya", "attest.bolat", "attest.wanda"),
    ]


def test_steps_of_a_rotation() -> None:
    assert steps_of(ROTATION) == [
        *("open", "key.aliya", "key.previous.bolat", "key.bolat", "key.previous.dana", "key.erlan", "key.wanda", "draft.root"),
        *("sign-previous.root.bolat", "sign-previous.root.dana", "sign.root.aliya", "sign.root.bolat", "sign.root.erlan", "finish.root", "close"),
        *("attest.aliya", "attest.bolat", "attest.dana", "attest.erlan", "attest.wanda"),
    ]


def test_who_is_not_there_does_nothing() -> None:
    raw = later([old("aliya"), old("bolat"), old("dana", present=False)])
    assert [step for step in steps_of(raw) if "dana" in step] == []


# -- what is no plan ------------------------------------------------------------------------------------------------------

SPOILT: Final[dict[str, tuple[str, str]]] = {
    "another kind": ("^ceremony = .*", 'ceremony = "party"'),
    "no kind": ("^ceremony = .*", ""),
    "no title": ("^title = .*", ""),
    "an empty title": ("^title = .*", 'title = ""'),
    "a title that is no text": ("^title = .*", "title = 7"),
    "a title not in NFC": ("^title = .*", 'title = "e\u0301"'),
    "an unknown key": ("^title = .*", 'title = "x"\nhaste = true'),
    "a code that is none": ("^title = .*", 'title = "x"\ncode = "3f5a"'),
    "a code in capitals": ("^title = .*", f'title = "x"\ncode = "{"A" * 64}"'),
    "unknown entropy": ("^title = .*", 'title = "x"\nentropy = ["hope"]'),
    "entropy twice": ("^title = .*", 'title = "x"\nentropy = ["dice", "dice"]'),
    "entropy out of order": ("^title = .*", 'title = "x"\nentropy = ["keyboard", "dice"]'),
    "a root before the first": ("^title = .*", 'title = "x"\nroot = "root.vls"'),
    "an input that nobody needs": (r"\Z", f'\n[inputs]\n"x.vls" = "{"0" * 64}"\n'),
    "no operator": (r"^\[operator\]", "[helper]"),
    "an operator with a key": (r"^\[operator\]", '[operator]\nkey = "new"'),
    "a custodian's id in capitals": ('^id = "aliya"', 'id = "Aliya"'),
    "an id twice": ('^id = "aliya"', 'id = "bolat"'),
    "a custodian without names": ('^names = { en = "Aliya" }', ""),
    "a custodian with no text as name": ('^names = { en = "Aliya" }', "names = { en = 1 }"),
    "a language that is none": ('^names = { en = "Aliya" }', 'names = { English = "Aliya" }'),
    "a key of another sort": ('^key = "new"', 'key = "old"'),
    "a key kept from no root": ('^key = "new"', 'key = "previous"'),
    "a key made by who is not there": ('^key = "new"', 'key = "new"\npresent = false'),
    "presence in words": ('^key = "new"', 'key = "new"\npresent = "yes"'),
    "a request of whom makes a key": ('^key = "new"', 'key = "new"\nrequest = "a.vls"'),
    "a person in a first root": ('^key = "new"', f'key = "new"\nperson = "{"0" * 32}"'),
    "threshold 0": ("^threshold = .*", "threshold = 0"),
    "threshold true": ("^threshold = .*", "threshold = true"),
    "threshold above all": ("^threshold = .*", "threshold = 3"),
    "a time without zone": ("^valid_from = .*", "valid_from = 2026-01-01T00:00:00"),
    "a day": ("^valid_from = .*", "valid_from = 2026-01-01"),
    "a time with a fraction": ("^valid_from = .*", "valid_from = 2026-01-01T00:00:00.5Z"),
    "a time before 1970": ("^valid_from = .*", "valid_from = 1969-01-01T00:00:00Z"),
    "a time before all times": ("^valid_from = .*", "valid_from = 0001-01-01T00:00:00+23:59"),
    "valid backwards": ("^valid_until = .*", "valid_until = 2001-01-01T00:00:00Z"),
    "degrees as text": ("^degrees = .*", 'degrees = "1,2"'),
    "a degree that is none": ("^degrees = .*", 'degrees = ["top secret"]'),
    "no party": ("^party = .*", ""),
    "a party in small letters": ("^party = .*", 'party = "kz"'),
    "no new root": (r"^\[new_root\]", "[root_new]"),
    "custodians as a table": (r"^\[\[custodian\]\]\nid = \"aliya\"", '[custodian]\nid = "aliya"'),
    "no TOML": ("^title = .*", "title"),
}


@pytest.mark.parametrize(("pattern", "line"), SPOILT.values(), ids=SPOILT.keys())
def test_no_plan(pattern: str, line: str) -> None:
    with pytest.raises(Malformed):
        read_plan(with_line(FIRST, pattern, line))


def test_no_plan_at_all() -> None:
    for raw in (b"", b"\xff", b"\x00", b"x" * 65537, FIRST + b"#" * 65536):
        with pytest.raises(Malformed):
            read_plan(raw)


SPOILT_ROTATION: Final[dict[str, tuple[str, str]]] = {
    "no root before": ("^root = .*", ""),
    "no file as root": ("^root = .*", "root = []"),
    "a root elsewhere": ("^root = .*", 'root = "../root.vls"'),
    "a root that is a folder": ("^root = .*", 'root = ".."'),
    "an input without digest": (r"\n\[inputs\][^\[]*", ""),
    "a digest too short": ('^"root.vls" = .*', '"root.vls" = "3f5a"'),
    "a person that is none": ("^person = .*", 'person = "aliya"'),
    "a person twice": (f'^person = "{subject("bolat").hex()}"', f'person = "{subject("aliya").hex()}"'),
    "a key kept of nobody": (f'^person = "{subject("aliya").hex()}"', ""),
    "nobody leaves": (f'^person = "{subject("dana").hex()}"', ""),
    "a lost key that is kept": ('^key = "previous"', 'key = "previous"\nlost = true'),
    "another party": (r"^\[new_root\]", '[new_root]\nparty = "BY"'),
    "other degrees": (r"^\[new_root\]", '[new_root]\ndegrees = ["1"]'),
}


@pytest.mark.parametrize(("pattern", "line"), SPOILT_ROTATION.values(), ids=SPOILT_ROTATION.keys())
def test_no_plan_of_a_rotation(pattern: str, line: str) -> None:
    with pytest.raises(Malformed):
        read_plan(with_line(ROTATION, pattern, line))


def test_no_plan_without_a_witness() -> None:
    with pytest.raises(Malformed, match="no witness"):
        written(witnesses=[])


@pytest.mark.parametrize(("custodians", "witnesses"), [(17, 1), (2, 17)])
def test_no_plan_with_too_many(custodians: int, witnesses: int) -> None:
    with pytest.raises(Malformed):
        written(custodians=[named(f"c{n}") for n in range(custodians)], witnesses=[named(f"w{n}") for n in range(witnesses)])


@given(st.binary(max_size=200), st.integers(0, len(FIRST)), st.integers(0, 40))
def test_whatever_is_written_is_a_plan_or_malformed(piece: bytes, at: int, cut: int) -> None:
    for raw in (FIRST, ROTATION):
        try:
            plan = read_plan(raw[:at] + piece + raw[at + cut :])
        except Malformed:
            continue
        assert isinstance(plan, Plan)
        assert script(plan)[0].name == "open"


# -- a plan and its inputs ------------------------------------------------------------------------------------------------


def read(raw: bytes, inputs: dict[str, bytes]) -> Matter:
    return read_matter(raw, inputs, Realm.ORDINARY, TOOL)


def test_a_plan_and_its_inputs() -> None:
    assert read(FIRST, {}).party == "KZ"
    matter = read(ROTATION, ROOT)
    assert matter.root == root_before()
    assert matter.party == "KZ"


@pytest.mark.parametrize(
    "inputs", [{}, {"root.vls": b"x"}, {"root.vls": root_of("KZ").raw}, {**ROOT, "more.vls": b""}], ids=["none", "no root", "another", "more"]
)
def test_other_inputs_than_planned(inputs: dict[str, bytes]) -> None:
    with pytest.raises(NotAuthentic):
        read(ROTATION, inputs)


def test_an_input_that_is_no_root() -> None:
    with pytest.raises(Malformed):
        read(later([old("aliya"), old("bolat"), old("dana")], inputs={"root.vls": b"x"}), {"root.vls": b"x"})


# -- a later version of the root, alone -----------------------------------------------------------------------------------


def body_by(*roots: Root, **changes: Any) -> tuple[bytes, dict[str, bytes]]:
    """A plan in which a body is certified by a root of some versions."""
    names = tuple(f"root-{number}.vls" for number in range(1, len(roots) + 1))
    inputs = {"mfa.vls": body_request().raw, **{name: root.raw for name, root in zip(names, roots, strict=True)}}
    said = {"kind": "new-body", "roots": names, "inputs": inputs, "custodians": [old("aliya"), old("bolat")], "grants": [grant()]}
    return written(**{**said, **changes}), inputs


def test_a_version_that_the_one_before_never_signed() -> None:
    """It is well signed by its own custodians, and names the version before it: that is anybody's word."""
    with pytest.raises(Refused, match="version 2 of the root of KZ stands alone"):
        read(*body_by(forged_root()))
    with pytest.raises(NotAuthentic):
        read(*body_by(root_before(), forged_root()))


def test_a_later_version_by_its_fingerprint() -> None:
    """Who has it knows that version as he knows a first one."""
    raw, inputs = body_by(forged_root(), fingerprint=forged_root().digest)
    assert read(raw, inputs).lone
    for other in (root_before().digest, bytes(32)):
        with pytest.raises(NotAuthentic, match="another one than the plan means"):
            read(*body_by(forged_root(), fingerprint=other))
    assert not read(*body_by(root_before())).lone
    assert read(*body_by(root_before(), fingerprint=root_before().digest)).plan.fingerprint == root_before().digest
    with pytest.raises(NotAuthentic):
        read(*body_by(root_before(), fingerprint=bytes(32)))


def test_a_first_root_has_no_fingerprint_before_it() -> None:
    with pytest.raises(Malformed, match="root_fingerprint"):
        read_plan(b'root_fingerprint = "%s"\n' % (b"0" * 64) + FIRST)


def test_another_program_than_planned() -> None:
    assert read(written(code=CODE), {}).plan.code == CODE
    with pytest.raises(Refused, match="another one than the plan was made for"):
        read(written(code=bytes(32)), {})


REFUSED: Final[dict[str, tuple[list[Named], dict[str, Any], str]]] = {
    "a custodian left out": ([old("aliya"), old("bolat")], {}, "what becomes of 1 custodians"),
    "too few of the old ones": ([old("aliya"), old("bolat", present=False), old("dana", present=False), named("erlan")], {}, "1 of them are present"),
    "too few of them with keys": (
        [old("aliya"), old("bolat", "new", lost=True), old("dana", "new", lost=True)],
        {},
        "1 of them are present with their keys",
    ),
    "a stranger": ([old("aliya"), old("bolat"), old("dana"), named("zoya", "none", person=bytes(16))], {}, "no custodian Zoya"),
    "a replacement of nobody": ([old("aliya"), old("bolat"), old("dana")], {"kind": "replacement"}, "replaces nobody"),
    "a replacement with one more": ([old("aliya"), old("bolat"), old("dana"), named("erlan")], {"kind": "replacement"}, "number of custodians"),
    "a replacement with one less": ([old("aliya"), old("bolat"), old("dana", "none")], {"kind": "replacement"}, "number of custodians"),
    "a replacement with another threshold": (
        [old("aliya"), old("bolat"), old("dana", "new")],
        {"kind": "replacement", "new_root": new_root(3, party=None, degrees=None)},
        "threshold",
    ),
    "a replacement that is valid for longer": (
        [old("aliya"), old("bolat"), old("dana", "new")],
        {"kind": "replacement", "new_root": new_root(party=None, degrees=None, valid_until=END + 1)},
        "end of validity",
    ),
    "a replacement that ends before": (
        [old("aliya"), old("bolat"), old("dana", "new")],
        {"kind": "replacement", "new_root": new_root(party=None, degrees=None, valid_until=END - 1)},
        "end of validity",
    ),
    "a replacement that renames who keeps his key": (
        [old("aliya"), dataclasses.replace(old("bolat"), names={"en": "Zoya"}), old("dana", "new")],
        {"kind": "replacement"},
        "Zoya has others in the root",
    ),
    "a replacement that renames who gets another key": (
        [old("aliya"), old("bolat"), dataclasses.replace(old("dana", "new"), names={"en": "Zoya"})],
        {"kind": "replacement"},
        "Zoya has others in the root",
    ),
    "a replacement with another name": (
        [old("aliya"), old("bolat"), old("dana", "new")],
        {"kind": "replacement", "new_root": new_root(party=None, degrees=None, names={"en": "x"})},
        "names",
    ),
}


@pytest.mark.parametrize(("custodians", "changes", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_what_a_root_does_not_allow(custodians: list[Named], changes: dict[str, Any], said: str) -> None:
    with pytest.raises(Refused, match=said):
        read(later(custodians, **changes), ROOT)


# -- keys that are brought ------------------------------------------------------------------------------------------------


def request(name: str, purpose: str = "custodian", **changes: Any) -> Request:
    """Somebody's request to become custodian or witness; his key is `signing_key("NAME anew")`."""
    key = signing_key(f"{name} anew")
    said: dict[str, Any] = {
        "subject": subject(name),
        "party": "KZ",
        "body_id": None,
        "names": {"en": name.capitalize()},
        "keys": {purpose: key.public},
        "made_at": BEGIN,
    }
    return make_request(RequestDraft(**{**said, **changes}), [key])


def by_request(asked: Request, **changes: Any) -> tuple[bytes, dict[str, bytes]]:
    inputs = {"bolat.vls": asked.raw}
    bolat = named("bolat", "request", files=("bolat.vls",), **changes)
    return written(custodians=[named("aliya"), named("dana"), bolat], inputs=inputs), inputs


def test_a_custodian_by_request() -> None:
    for present in (True, False):
        raw, inputs = by_request(request("bolat"), present=present)
        matter = read(raw, inputs)
        bolat = matter.plan.person("bolat")
        key = matter.known_key(bolat, "own")
        assert key is not None
        assert (key.raw, matter.known_id(bolat)) == (signing_key("bolat anew").public, subject("bolat"))
        assert ("key.bolat" in steps_of(raw)) is present


@pytest.mark.parametrize(
    "asked",
    [request("bolat", "witness"), request("bolat", party="BY"), request("bolat", names={"en": "Zoya"})],
    ids=["another purpose", "another party", "another name"],
)
def test_a_request_that_does_not_fit(asked: Request) -> None:
    with pytest.raises(Refused):
        read(*by_request(asked))


def test_two_bring_one_key() -> None:
    inputs = {"bolat.vls": request("bolat").raw, "wanda.vls": request("bolat", "witness", names={"en": "Wanda"}).raw}
    custodians = [named("aliya"), named("dana"), named("bolat", "request", files=("bolat.vls",))]
    raw = written(custodians=custodians, witnesses=[named("wanda", "request", files=("wanda.vls",))], inputs=inputs)
    with pytest.raises(Refused, match="one key"):
        read(raw, inputs)


def mixed(first: str, second: str) -> SigningKey:
    """A key that has the ML-DSA half of one key, and the Ed25519 half of another."""
    seeds = [hashlib.sha512(name.encode()).digest() for name in (first, second)]
    key = SigningKey(seeds[0][:32] + seeds[1][32:])
    assert key.public == signing_key(first).public[:-32] + signing_key(second).public[-32:]
    return key


COMES: Final[tuple[dict[str, bool], ...]] = ({}, {"lost": True}, {"lost": True, "present": False}, {"present": False})
KEYS: Final = (signing_key("dana"), mixed("dana", "mallory anew"), mixed("mallory anew", "dana"))


@pytest.mark.parametrize("leaving", COMES, ids=["leaves", "lost", "lost and absent", "leaves and absent"])
@pytest.mark.parametrize("key", KEYS, ids=["the key", "its ML-DSA half", "its Ed25519 half"])
def test_the_key_of_who_leaves_does_not_come_back_as_another_persons(leaving: dict[str, Any], key: SigningKey) -> None:
    asked = RequestDraft(subject=subject("mallory"), party="KZ", body_id=None, names={"en": "Mallory"}, keys={"custodian": key.public}, made_at=BEGIN)
    inputs = {**ROOT, "m.vls": make_request(asked, [key]).raw}
    mallory = named("mallory", "request", present=False, files=("m.vls",))
    raw = later([old("aliya"), old("bolat"), old("dana", "none", **leaving), mallory], inputs=inputs)
    with pytest.raises(Refused, match="that of Dana in the root before"):
        read(raw, inputs)


def test_a_witness_does_not_bring_a_custodians_key() -> None:
    said = RequestDraft(
        subject=subject("w"), party="KZ", body_id=None, names={"en": "Wanda"}, keys={"witness": signing_key("dana").public}, made_at=BEGIN
    )
    inputs = {**ROOT, "wanda.vls": make_request(said, [signing_key("dana")]).raw}
    raw = later([old("aliya"), old("bolat"), old("dana")], witnesses=[named("wanda", "request", files=("wanda.vls",))], inputs=inputs)
    with pytest.raises(Refused, match="that of Dana"):
        read(raw, inputs)


def test_two_requests_with_one_key_are_of_one_person() -> None:
    """Asked for in two parts, one body would be two subjects, and one person two."""
    first, second = body_request("certify", "roster"), body_request("certify", "roster", made_at=START + 1)
    both = ["mfa.vls", "again.vls"]
    for other, refused in ((second, True), (first, False)):
        inputs = {**ROOT, **dict(zip(both, (first.raw, other.raw), strict=True))}
        grants = [grant("certify"), grant("roster", request="again.vls")]
        raw = written(kind="new-body", roots=("root.vls",), inputs=inputs, custodians=[old("aliya"), old("bolat")], grants=grants)
        if refused:
            with pytest.raises(Refused, match="key in common"):
                read(raw, inputs)
        else:
            read(raw, inputs)


def test_two_bring_one_half() -> None:
    """Else one key would sign for two, if the other half's algorithm fails."""
    halves = signing_key("bolat anew"), mixed("bolat anew", "wanda anew")
    inputs = {}
    for name, purpose, key in (("bolat", "custodian", halves[0]), ("wanda", "witness", halves[1])):
        said = RequestDraft(
            subject=subject(name), party="KZ", body_id=None, names={"en": name.capitalize()}, keys={purpose: key.public}, made_at=BEGIN
        )
        inputs[f"{name}.vls"] = make_request(said, [key]).raw
    custodians = [named("aliya"), named("dana"), named("bolat", "request", files=("bolat.vls",))]
    raw = written(custodians=custodians, witnesses=[named("wanda", "request", files=("wanda.vls",))], inputs=inputs)
    with pytest.raises(Refused, match="one key"):
        read(raw, inputs)


def test_a_custodian_before_by_request() -> None:
    """His id is the one that he had."""
    for name, fits in (("dana", True), ("erlan", False)):
        inputs = {**ROOT, "dana.vls": request(name, names={"en": "Dana"}).raw}
        raw = later([old("aliya"), old("bolat"), old("dana", "request", files=("dana.vls",))], inputs=inputs)
        if fits:
            assert read(raw, inputs).known_id(read_plan(raw).person("dana")) == subject("dana")
        else:
            with pytest.raises(Refused, match="another person"):
                read(raw, inputs)


# -- witnesses who were certified -----------------------------------------------------------------------------------------


def certified(**changes: Any) -> tuple[bytes, dict[str, bytes]]:
    """A rotation with a witness who has an `act` credential, by way of the body that certified her."""
    root = root_before()
    keys = [signing_key(name) for name in ("aliya", "bolat")]
    body = issue(root, keys[0], "KZ-GOV", "certify", keys=keys[1:], body=Body("KZ", "KZ-GOV"), clearance="1", certifies_bodies=True)
    said = {"purpose": "act", "names": {"en": "Wanda"}, **changes}
    act = issue(body.credential, body.key, "wanda", said.pop("purpose"), **said)
    inputs = {**ROOT, "wanda.vls": act.credential.raw, "gov.vls": body.credential.raw}
    witness = named("wanda", "act", files=("wanda.vls", "gov.vls"))
    return later([old("aliya"), old("bolat"), old("dana")], witnesses=[witness], inputs=inputs), inputs


def test_a_witness_who_was_certified() -> None:
    raw, inputs = certified()
    matter = read(raw, inputs)
    key = matter.known_key(matter.plan.person("wanda"), "own")
    assert key is not None
    assert key.raw == signing_key("wanda act").public


@pytest.mark.parametrize("changes", [{"purpose": "seal"}, {"names": {"en": "Zoya"}}], ids=["another purpose", "another name"])
def test_a_witness_certified_for_something_else(changes: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        read(*certified(**changes))


def test_a_witness_certified_by_nobody_known() -> None:
    raw, inputs = certified()
    for missing in ("gov.vls",):
        less = {name: data for name, data in inputs.items() if name != missing}
        text = raw.decode().replace('issuers = ["gov.vls"]\n', "")
        text = re.sub(r'"gov.vls" = "[0-9a-f]+"\n', "", text)
        with pytest.raises(NotAuthentic, match="issuer"):
            read(text.encode(), less)
    other = party("KZ")
    stranger = other.officer("wanda", "act", names={"en": "Wanda"})
    inputs = {**ROOT, "wanda.vls": stranger.credential.raw, "gov.vls": other.body.credential.raw}
    raw = later([old("aliya"), old("bolat"), old("dana")], witnesses=[named("wanda", "act", files=("wanda.vls", "gov.vls"))], inputs=inputs)
    with pytest.raises(NotAuthentic):
        read(raw, inputs)


def test_a_first_root_has_certified_nobody() -> None:
    with pytest.raises(Malformed, match="no root yet"):
        written(witnesses=[named("wanda", "act", files=("wanda.vls",))], inputs={"wanda.vls": b"x"})


# -- what could only fail -------------------------------------------------------------------------------------------------


def test_a_witness_whose_credential_is_not_valid_is_missed_before_anybody_comes() -> None:
    raw, inputs = certified(valid_until=BEGIN + 9)
    foresee(read(raw, inputs), BEGIN + 8)
    with pytest.raises(Refused, match="expired"):
        foresee(read(raw, inputs), BEGIN + 9)


OUTSIDE: Final[dict[str, dict[str, Any]]] = {
    "longer than the root": {"grants": [grant(valid_until=END + 1)]},
    "before the root": {"grants": [grant(valid_from=BEGIN - 1)]},
    "a degree that there is not": {"grants": [grant(clearance="9")]},
    "the second one": {"grants": [grant(), grant("roster", valid_until=END + 1)]},
}


@pytest.mark.parametrize("changes", OUTSIDE.values(), ids=OUTSIDE.keys())
def test_what_the_root_may_not_give_is_refused_before_anybody_signs(changes: dict[str, Any], tmp_path: Path) -> None:
    scene = new_body(tmp_path, **changes)
    with pytest.raises(Refused):
        foresee(read(scene.plan, scene.inputs), START)
    people = scene.people()
    with pytest.raises(Refused):
        scene.lead(people)
    assert "sign" not in [what for step, what, _ in people.asked if step.startswith(f"sign.credential-{len(changes['grants'])}")]


def test_who_vouches_stands_in_the_plan(tmp_path: Path) -> None:
    for folder in ("named", "unnamed"):
        (tmp_path / folder).mkdir()
    scene = compromise(tmp_path / "named")
    foresee(read(scene.plan, scene.inputs), START)
    scene = compromise(tmp_path / "unnamed", grants=[grant()])
    with pytest.raises(NotAuthentic, match="does not name"):
        foresee(read(scene.plan, scene.inputs), START)


# -- plans of the other kinds ---------------------------------------------------------------------------------------------

GRANT: Final = '\n[[credential]]\npurpose = "certify"\n'
HOLDER: Final = '\n[[shareholder]]\nid = "zoya"\nnames = { en = "Zoya" }\n'
SPOILT_OTHERS: Final[dict[str, tuple[str, str, str]]] = {
    "a body without a request": ("new-body", '(?s)^request = "mfa.vls"\n', ""),
    "no body": ("new-body", r"(?s)^\[\[credential\]\].*(?=\[inputs\])", ""),
    "a purpose that no root certifies": ("new-body", '^purpose = "roster"', 'purpose = "seal"'),
    "a key for rosters that certifies": ("new-body", '^purpose = "roster"', 'purpose = "roster"\ncertifies_bodies = true'),
    "half a truth": ("new-body", "^certifies_bodies = true", 'certifies_bodies = "yes"'),
    "a body that is none": ("new-body", '^body = "KZ-MFA"', 'body = "KZ MFA"'),
    "a clearance that is no code": ("new-body", '^clearance = "1"', 'clearance = "top secret"'),
    "an unknown key of a credential": ("new-body", '^purpose = "certify"', 'purpose = "certify"\nhaste = true'),
    "a request elsewhere": ("new-body", '^request = "mfa.vls"', 'request = "/mfa.vls"'),
    "a body, and a new root": ("new-body", r"^\[operator\]", '[new_root]\nnames = { en = "x" }\n[operator]'),
    "a body, and shares": ("new-body", r"\n\[inputs\]", f"{HOLDER}\n[inputs]"),
    "a body, and a new custodian": ("new-body", '^key = "previous"', 'key = "new"'),
    "a body, and a revocation": ("new-body", r"\n\[inputs\]", "\n[[revocation]]\nnumber = 1\n\n[inputs]"),
    "nothing revoked": ("compromise", r"(?s)^\[\[revocation\]\].*?(?=\[\[credential\]\])", ""),
    "revoked in an unknown way": ("compromise", '^kind = "compromised"', 'kind = "forgotten"'),
    "revoked for an unknown reason": ("compromise", '^reason = "stolen"', 'reason = "spring"'),
    "revoked under no number": ("compromise", "^number = 1", "number = 0"),
    "revoked under a number as text": ("compromise", "^number = 1.*", 'number = "1"'),
    "revoked at no time": ("compromise", "^number = 1", "effective_at = 2026-01-01\nnumber = 1"),
    "a revoked credential that nobody named": ("compromise", '^"old.vls" = .*', ""),
    "known as text": ("compromise", r'^known = \["old.vls"\]', 'known = "old.vls"'),
    "recovered by nobody": ("recovery", r"(?s)^\[\[shareholder\]\].*(?=\[\[witness\]\])", ""),
    "recovered by seventeen": (
        "recovery",
        r"\n\[inputs\]",
        "".join(HOLDER.replace("zoya", f"zoya{number}") for number in range(15)) + "\n[inputs]",
    ),
    "a holder twice": ("recovery", '^id = "vera"', 'id = "boris"'),
    "a holder with a key": ("recovery", '^id = "vera"', 'id = "vera"\nkey = "new"'),
    "two keys recovered": (
        "recovery",
        r"\n\[\[shareholder\]\]",
        f'\n[[custodian]]\nid = "zoya"\nnames = {{ en = "Zoya" }}\nkey = "recover"\nperson = "{"0" * 32}"\n\n[[shareholder]]',
    ),
    "a key recovered by who is not there": ("recovery", '^key = "recover"', 'key = "recover"\npresent = false'),
    "a key recovered that is lost": ("recovery", '^key = "recover"', 'key = "recover"\nlost = true'),
    "a key kept where one is recovered": ("recovery", '^key = "recover"', 'key = "previous"'),
    "a backup that is sealed, perhaps": ("recovery", "^place = .*", "sealed_backup = 1"),
    "a credential where a key is recovered": ("recovery", r"\n\[inputs\]", f"{GRANT}\n[inputs]"),
}
MAKE: Final = {"new-body": new_body, "compromise": compromise, "recovery": recovery}


@pytest.mark.parametrize(("kind", "pattern", "line"), SPOILT_OTHERS.values(), ids=SPOILT_OTHERS.keys())
def test_no_plan_of_another_kind(kind: str, pattern: str, line: str, tmp_path: Path) -> None:
    plan = MAKE[kind](tmp_path).plan
    assert read_plan(plan).kind == kind
    with pytest.raises(Malformed):
        read_plan(with_line(plan, pattern, line))


def test_what_is_asked_for_is_what_the_plan_grants(tmp_path: Path) -> None:
    others: list[dict[str, Any]] = [{"names": {"en": "x"}}, {"body": "KZ-GOV"}]
    for number, changes in enumerate(others):
        (tmp_path / str(number)).mkdir()
        scene = new_body(tmp_path / str(number), grants=[grant(**changes)])
        with pytest.raises(Refused):
            read(scene.plan, scene.inputs)
    (tmp_path / "x").mkdir()
    inputs = {**ROOT, "mfa.vls": body_request("certify").raw}
    with pytest.raises(Refused, match="does not ask for a roster key"):
        read(new_body(tmp_path / "x", inputs=inputs, grants=[grant("roster")]).plan, inputs)


def test_what_another_root_certified_is_not_revoked(tmp_path: Path) -> None:
    inputs = {**ROOT, "old.vls": party("BY").body.credential.raw}
    scene = compromise(tmp_path, inputs=inputs, grants=[])
    with pytest.raises(NotAuthentic, match="not among the files"):
        read(scene.plan, inputs)


def test_nobody_certifies_a_custodian_s_key(tmp_path: Path) -> None:
    """Not even of one who is there, with another purpose."""
    key = signing_key("aliya")
    names, wanted = {"en": "Foreign Ministry"}, {"certify": key.public}
    asked = RequestDraft(subject=None, party="KZ", body_id="KZ-MFA", names=names, keys=wanted, made_at=START)
    inputs = {**ROOT, "mfa.vls": make_request(asked, [key]).raw}
    scene = new_body(tmp_path, inputs=inputs, grants=[grant()])
    with pytest.raises(Refused, match="that of Aliya in the root before"):
        read(scene.plan, inputs)
