"""Files of answers: nothing secret stands in them, and nothing that is not asked."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.support.ceremony import TOOL, first_root, on_the_table, written

from valiza.keys.errors import Incomplete, Malformed, NotAuthentic, Unavailable, Usage, ValizaError
from valiza.keys.transcript import plan_digest
from valiza.office.ceremony.answers import ScriptRoom, read_answers
from valiza.office.ceremony.plan import read_plan
from valiza.office.ceremony.running import lead
from valiza.office.ceremony.script import attestations, script

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.ceremony import Scene

    from valiza.office.ceremony.answers import Answers
    from valiza.office.ceremony.replay import Replayed

PEOPLE: Final = ("aliya", "bolat", "wanda")


def parsed(text: str, plan: bytes | None = None) -> Answers:
    read = read_plan(plan or written())
    return read_answers(text.encode("utf-8", "surrogateescape"), [*script(read), *attestations(read)], read.people)


def pipe(data: bytes) -> int:
    """A descriptor from which these bytes come, and then no more."""
    reading, writing = os.pipe()
    os.write(writing, data)
    os.close(writing)
    return reading


def whole(scene: Scene) -> dict[str, dict[str, Any]]:
    """All answers to a first root, by table."""
    tables: dict[str, dict[str, Any]] = {"passphrase": {name: pipe(f"secret of {name}\n".encode()) for name in PEOPLE}}
    tables["open"] = {"present": True, "plan": plan_digest(scene.plan).hex(), "code": True, "time": True}
    tables["draft.root"] = {"fingerprint": "shown"}
    for name in PEOPLE:
        tables[f"key.{name}"] = {"file": str(scene.table / f"{name}.key"), "heard": True}
        tables[f"attest.{name}"] = {"sign": True}
    for name in PEOPLE[:2]:
        tables[f"sign.root.{name}"] = {"sign": True}
    return tables


def as_toml(tables: dict[str, dict[str, Any]]) -> str:
    def value(given: Any) -> str:
        return {True: "true", False: "false"}[given] if isinstance(given, bool) else str(given) if isinstance(given, int) else f'"{given}"'

    return "".join(f"[{name}]\n" + "".join(f"{key} = {value(given)}\n" for key, given in table.items()) for name, table in tables.items())


def by_script(scene: Scene, text: str, said: list[str] | None = None) -> Replayed:
    folder = scene.open()
    return lead(folder, ScriptRoom(parsed(text, scene.plan), (said if said is not None else []).append), scene.tools, TOOL)


def test_a_script_leads_a_ceremony(tmp_path: Path) -> None:
    said: list[str] = []
    scene = first_root(tmp_path)
    tables = whole(scene)
    done = by_script(scene, as_toml(tables), said)
    assert done.missing == ()
    assert set(on_the_table(scene)) == {f"{name}.key" for name in PEOPLE}
    assert any(done.roots[0] in line for line in said)
    assert [line for line in said if "secret of" in line] == []
    for descriptor in tables["passphrase"].values():
        os.close(descriptor)


def test_it_stops_where_an_answer_is_missing_and_goes_on_there(tmp_path: Path) -> None:
    scene = first_root(tmp_path)
    tables = whole(scene)
    plan = read_plan(scene.plan)
    asked = [(step.id, key) for step in (*script(plan), *attestations(plan)) for key in tables.get(step.id, ())]
    assert len(asked) > 12
    for name, key in asked:
        less = {n: {k: v for k, v in t.items() if (n, k) != (name, key)} for n, t in tables.items()}
        with pytest.raises(Incomplete, match=f"no answer to '{key}' in step '{name}'"):
            by_script(scene, as_toml(less))
        tables["passphrase"] = whole(scene)["passphrase"]  # what a pipe gave is gone
    assert by_script(scene, as_toml(tables)).missing == ()


def test_a_secret_that_nobody_gives(tmp_path: Path) -> None:
    scene = first_root(tmp_path)
    tables = whole(scene)
    del tables["passphrase"]["bolat"]
    with pytest.raises(Incomplete, match="no file descriptor for the passphrase of bolat"):
        by_script(scene, as_toml(tables))
    assert set(on_the_table(scene)) == {"aliya.key"}


SECRETS: Final[dict[str, tuple[bytes, type[ValizaError] | None]]] = {
    "a line": (b"secret\n", None),
    "a line of windows": (b"secret\r\n", None),
    "no end": (b"secret", None),
    "more lines": (b"secret\nmore\n", None),
    "nothing": (b"", Usage),
    "an empty line": (b"\nsecret\n", Usage),
    "no text": (b"\xff\xfe\n", Unavailable),
    "too long": (b"x" * 9000, Usage),
}


@pytest.mark.parametrize(("given", "error"), SECRETS.values(), ids=SECRETS.keys())
def test_what_a_descriptor_gives(given: bytes, error: type[ValizaError] | None, tmp_path: Path) -> None:
    scene = first_root(tmp_path)
    tables = whole(scene)
    tables["passphrase"]["aliya"] = pipe(given)
    if error is None:
        assert by_script(scene, as_toml(tables)).missing == ()
        return
    with pytest.raises(error):
        by_script(scene, as_toml(tables))
    assert on_the_table(scene) == {}


def test_a_descriptor_that_is_none(tmp_path: Path) -> None:
    scene = first_root(tmp_path)
    tables = whole(scene)
    tables["passphrase"]["aliya"] = 999
    with pytest.raises(Usage, match="descriptor 999"):
        by_script(scene, as_toml(tables))


def test_a_wrong_digest_stops_it(tmp_path: Path) -> None:
    scene = first_root(tmp_path)
    tables = whole(scene)
    tables["open"]["plan"] = "0" * 64
    with pytest.raises(NotAuthentic):
        by_script(scene, as_toml(tables))


NO_ANSWERS: Final[dict[str, str]] = {
    "no TOML": "passphrase",
    "a step that there is not": "[key.zoya]\nheard = true\n",
    "an empty table of no step": "[key.zoya]\n",
    "half a step": "[sign.root]\nsign = true\n",
    "a step too deep": "[key.aliya.more]\nheard = true\n",
    "an answer outside all steps": "heard = true\n",
    "a passphrase in the file": '[passphrase]\naliya = "secret"\n',
    "a passphrase among the answers": '[key.aliya]\npassphrase = ["secret"]\n',
    "a descriptor as text": '[passphrase]\naliya = "3"\n',
    "a descriptor below 0": "[passphrase]\naliya = -1\n",
    "a descriptor that is true": "[passphrase]\naliya = true\n",
    "a descriptor of a stranger": "[passphrase]\nzoya = 3\n",
    "descriptors as a number": "passphrase = 3\n",
    "throws in the file": '[dice]\naliya = "123456"\n',
    "an answer that is a list": "[open]\npresent = [true]\n",
    "an answer that is a time": "[open]\ntime = 2026-01-01T00:00:00Z\n",
    "a name of an answer in capitals": "[open]\nPLAN = true\n",
    "no text": "\udcff",
}


@pytest.mark.parametrize("text", NO_ANSWERS.values(), ids=NO_ANSWERS.keys())
def test_no_answers(text: str) -> None:
    with pytest.raises(Malformed):
        parsed(text)


def test_a_passphrase_among_the_answers_is_not_taken() -> None:
    """Nor is it quietly passed over: it stands in a file now, and is no secret any more."""
    with pytest.raises(Malformed, match="secret"):
        parsed('[key.aliya]\npassphrase = "secret"\n')


def test_too_long() -> None:
    with pytest.raises(Malformed):
        parsed("#" * (1 << 18) + "\n")


def test_numbers_of_descriptors_are_read() -> None:
    found = parsed("[passphrase]\naliya = 3\nbolat = 4\n[dice]\naliya = 5\n[open]\npresent = true\ncode = false\n[key.aliya]\nfile = 'a'\n")
    assert found.descriptors == {"passphrase": {"aliya": 3, "bolat": 4}, "dice": {"aliya": 5}}
    assert found.given == {"open": {"present": "yes", "code": "no"}, "key.aliya": {"file": "a"}}
