"""Hostile names of carriers on opening: refused as malformed, and nothing is ever written outside the target folder (P18, CVE-2026-42448)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from tests.support.world import OPENED, Piece, World

from valiza.envelope.opening import open_envelope
from valiza.keys.errors import Malformed, Refused
from valiza.keys.files import new_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

BAD = {
    "parent": "../escaped",
    "grandparent": "../../escaped",
    "absolute": "/tmp/escaped-valiza",  # noqa: S108 - the attack
    "home": "~/escaped/..",
    "folder": "folder/escaped",
    "this": ".",
    "above": "..",
    "empty": "",
    "backslash": "..\\escaped",
    "drive": "C:\\escaped",
    "stream": "letter.txt:hidden",
    "nul": "letter.txt\x00.exe",
    "newline": "letter\n.txt",
    "escape": "\x1b]0;title\x07letter",
    "right-to-left override": "annex\u202ecod.exe",
    "zero width": "let\u200bter",
    "not nfc": "e\u0301",
    "device": "CON",
    "device with an ending": "nul.txt",
    "trailing dot": "letter.",
    "trailing space": "letter ",
    "long": "x" * 256,
    "private use": "\ue000",
}


@pytest.fixture
def inside(tmp_path: Path) -> Iterator[Path]:
    """A folder in a folder, to see what is written where."""
    folder = tmp_path / "above" / "beside"
    folder.mkdir(parents=True)
    before = listing(tmp_path)
    yield folder
    assert [path for path in listing(tmp_path) if path not in before and not path.startswith("above/beside/out")] == []


def listing(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def opened_into(world: World, container: bytes, target: Path) -> None:
    """As an office opens: into a private folder that becomes the target."""
    unsealed = world.unseal(container)
    with new_folder(target) as work:
        open_envelope(unsealed, into=work, at=OPENED)


def named(world: World, *names: str) -> bytes:
    """An envelope of files with any names, sealed by hand."""
    marks = world.marks(world.code)
    names_nfc = [Piece(f"{n}.txt", b"escaped", marks) for n, _ in enumerate(names)]

    def rename(items: list[object]) -> list[object]:
        carriers = items[2]
        assert isinstance(carriers, list)
        for entry, name in zip(carriers, names, strict=True):
            entry[0] = name
        return items

    return world.plan(pieces=tuple(names_nfc)).seal(manifest=rename).container


@pytest.mark.parametrize("case", [case for case in BAD if case != "not nfc"])
def test_bad_name(world: World, inside: Path, case: str) -> None:
    container = named(world, "good.txt", BAD[case])
    world.verify_whole(container)  # without a key nobody sees the name
    with pytest.raises(Malformed, match="the carrier name"):
        opened_into(world, container, inside / "out")
    assert list(inside.iterdir()) == []


def raw_name(world: World, name: bytes) -> bytes:
    """An envelope whose manifest has these bytes for the name: what our own encoder would not write."""
    old = "письмо.txt".encode()
    assert len(name) == len(old)
    return world.plan().seal(plain=lambda plain: plain.replace(old, name)).container


@pytest.mark.parametrize("name", ["e\u0301".encode() + b"x" * 13, b"\xed\xa0\x80" + b"x" * 13, b"\xff" * 16, b"../../../escaped"], ids=ascii)
def test_bytes_that_are_no_name(world: World, inside: Path, name: bytes) -> None:
    """Not in NFC, half a surrogate pair, not UTF-8, a path."""
    with pytest.raises(Malformed):
        opened_into(world, raw_name(world, name), inside / "out")
    assert list(inside.iterdir()) == []


@pytest.mark.parametrize("names", [("a", "a"), ("a", "A"), ("straße", "STRASSE"), ("ﬁ", "fi")], ids=ascii)
def test_twins(world: World, inside: Path, names: tuple[str, str]) -> None:
    with pytest.raises(Malformed, match=r"the same to some systems|two carriers have the name"):
        opened_into(world, named(world, *names), inside / "out")
    assert list(inside.iterdir()) == []


def test_name_of_what_is_there_already(world: World, inside: Path) -> None:
    """A target that exists is never opened into, be it a folder, a file or a link."""
    (inside / "out-folder").mkdir()
    (inside / "out-file").write_bytes(b"mine")
    (inside / "out-link").symlink_to(inside.parent)
    container = named(world, "good.txt")
    for target in ("out-folder", "out-file", "out-link"):
        with pytest.raises(Refused, match="exists already"):
            opened_into(world, container, inside / target)
    assert (inside / "out-file").read_bytes() == b"mine"
    assert list((inside / "out-folder").iterdir()) == []


def test_folder_is_private(world: World, inside: Path) -> None:
    opened_into(world, named(world, "good.txt"), inside / "out")
    assert (inside / "out").stat().st_mode & 0o777 == 0o700


letters = st.sampled_from("aA.é/\\ \x00\u202e:~*\u0301ßжCON1")


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.lists(st.text(letters, max_size=6) | st.sampled_from(list(BAD.values())), min_size=1, max_size=3))
def test_whatever_the_names(kz_by: World, tmp_path_factory: pytest.TempPathFactory, names: list[str]) -> None:
    """Either nothing is written, or exactly these leaf names in the target folder."""
    folder = tmp_path_factory.mktemp("names")
    try:
        container = named(kz_by, *names)
    except Malformed:  # our own encoder refuses what is not in NFC
        return
    try:
        opened_into(kz_by, container, folder / "out")
    except Malformed:
        event("refused")
        assert list(folder.iterdir()) == []
        return
    event("opened")
    assert sorted(os.listdir(folder / "out")) == sorted(names)  # noqa: PTH208 - the names as the system has them
    assert [path.name for path in folder.iterdir()] == ["out"]
    assert not Path("/tmp/escaped-valiza").exists()  # noqa: S108 - the attack
