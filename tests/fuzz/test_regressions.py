"""Everything that fuzzing begins with or ever found, through its target: seeds from the vectors, corpus, regressions. Without the fuzzer."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from valiza.keys import chain, labels
from valiza.keys.roster import read_roster

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT))  # where the scripts of fuzz/ are; at the end, so that nothing else is found there first

from fuzz import seeds, targets, world  # noqa: E402 - the path had to be there


@pytest.fixture(scope="module", autouse=True)
def _files_of_targets() -> Iterator[None]:
    yield
    targets.clean_up()


@pytest.fixture(autouse=True)
def _believed_is_forgotten() -> Iterator[None]:
    """What held while every signature was believed is remembered by this process, and holds for no other test."""
    yield
    chain.forget()
    read_roster.cache_clear()


@pytest.mark.parametrize("name", sorted(targets.TARGETS))
def test_every_input_is_taken_or_refused_by_an_error_of_ours(name: str) -> None:
    inputs = seeds.everything(name)
    assert inputs
    taken = [targets.replay(targets.TARGETS[name], data) for data in inputs]
    assert any(taken), "no input reaches the end: the target tests nothing"


@pytest.mark.parametrize("name", sorted(targets.TARGETS))
def test_what_was_taken_is_not_taken_with_a_byte_more_or_less(name: str) -> None:
    """Or a property of the target says that it is another object, encoded as it stands."""
    for data in seeds.seeds(name)[:8]:
        targets.replay(targets.TARGETS[name], data[:-1])
        targets.replay(targets.TARGETS[name], data + b"\x00")


@pytest.mark.parametrize("folder", [seeds.CORPUS, seeds.REGRESSIONS], ids=lambda folder: folder.name)
def test_every_folder_of_inputs_is_of_a_target(folder: Path) -> None:
    found = {path.name for path in folder.iterdir()}
    assert found
    assert found <= set(targets.TARGETS)


def test_the_corpus_is_small() -> None:
    assert sum(path.stat().st_size for path in seeds.CORPUS.rglob("*")) < 400 * 1024


def test_a_target_that_takes_what_it_should_not_is_found() -> None:
    """The properties can fail: bytes that nobody signed, and an encoding that is not the one read."""
    with pytest.raises(targets.BrokenProperty):
        targets.same(b"a", b"b")
    envelope = bytearray(seeds.seeds("whole-envelope")[-1])
    assert not targets.replay(targets.TARGETS["whole-envelope"], bytes(envelope[:-1]))


def test_what_was_believed_is_forgotten() -> None:
    """A target that believes signatures leaves nothing behind by which a forged object would verify."""
    genuine = next(raw for raw in seeds.raws("envelope") if targets.replay(targets.TARGETS["whole-envelope"], raw))
    parts = seeds.seeds("opening")[0]
    assert targets.replay(targets.TARGETS["opening"], parts)
    assert targets.replay(targets.TARGETS["whole-envelope"], genuine)
    for body in seeds.seeds("roster"):
        targets.replay(targets.TARGETS["roster"], body)
    forged = world.framed(labels.AGREEMENT, world.agreement("open").profile.body, world.root_headers())
    assert not targets.replay(targets.TARGETS["whole-agreement"], forged)
