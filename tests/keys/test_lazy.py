"""A package's API, found name by name."""

from __future__ import annotations

from importlib import import_module

import pytest

from valiza import envelope, keys
from valiza.keys.lazy import lazy


@pytest.mark.parametrize("package", [keys, envelope], ids=["keys", "envelope"])
def test_every_name_of_the_api_is_the_one_of_a_module_that_lists_it(package: object) -> None:
    names: list[str] = package.__all__  # type: ignore[attr-defined]
    assert names
    for name in names:
        found = getattr(package, name)
        defining = import_module(found.__module__)
        assert name in defining.__all__
        assert getattr(defining, name) is found


def test_the_first_module_that_lists_a_name_has_it() -> None:
    find = lazy("valiza.keys", ["digest", "pack"], ["encoding", "digests", "statement"])
    assert find("digest") is import_module("valiza.keys.digests").digest
    assert find("pack") is import_module("valiza.keys.encoding").pack


@pytest.mark.parametrize(
    ("names", "name"),
    [(["pack"], "unpack"), (["nothing"], "nothing"), (["labels"], "labels"), (["_check"], "_check")],
    ids=["of no API", "of no module", "a module", "private"],
)
def test_no_other_name_is_there(names: list[str], name: str) -> None:
    with pytest.raises(AttributeError, match=rf"^module 'valiza\.keys' has no attribute '{name}'$"):
        lazy("valiza.keys", names, ["encoding"])(name)
