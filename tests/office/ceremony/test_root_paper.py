"""What custodians hear of a root before they sign it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.support.ceremony import custodian_request, first_root, later_root, named, old, root_before
from tests.support.keys import signing_key

from valiza.keys.realm import Realm
from valiza.keys.root import read_root

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.ceremony import People

    from valiza.keys.root import Root


def told(people: People) -> list[tuple[str, str]]:
    """Of the custodians, when the root is drafted."""
    return [(what, value) for step, what, value in people.heard if step == "draft.root" and what.startswith("custodian")]


def custodians(root: Root) -> list[tuple[str, str]]:
    found = []
    for one in root.custodians:
        found += [("custodian", one.names["en"]), ("custodian-id", one.id.hex()), ("custodian-key", one.key.key_digest.hex())]
    return found


@pytest.mark.parametrize("realm", list(Realm))
def test_everybody_hears_every_custodian(realm: Realm, tmp_path: Path) -> None:
    scene = first_root(tmp_path)
    scene.realm = realm
    people = scene.people()
    made = read_root(scene.lead(people).statements["root"], realm)
    assert told(people) == custodians(made)


@pytest.mark.parametrize("key", ["dana anew", "the key of somebody else"])
def test_the_key_of_who_is_not_there_is_heard(key: str, tmp_path: Path) -> None:
    """Anybody can write a request in his name: his digest on paper tells which one is his."""
    inputs = {"root.vls": root_before().raw, "dana.vls": custodian_request("dana", key).raw}
    leaves = old("dana", "request", present=False, files=("dana.vls",))
    scene = later_root(tmp_path, [old("aliya"), old("bolat"), leaves, named("erlan")], inputs=inputs)
    people = scene.people()
    made = read_root(scene.lead(people).statements["root"])
    heard = told(people)
    assert heard == custodians(made)
    dana = next(one for one in made.custodians if one.names["en"] == "Dana")
    assert dana.key.raw == signing_key(key).public
    assert heard[heard.index(("custodian-id", dana.id.hex())) + 1] == ("custodian-key", dana.key.key_digest.hex())
