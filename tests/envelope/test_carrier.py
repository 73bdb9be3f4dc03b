"""Names of carriers, media types, and which files may be carriers (P17, P18; specs/envelope.md, Names of file carriers)."""

from __future__ import annotations

import os
import socket
import tempfile
import unicodedata
from pathlib import Path
from typing import Final

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from valiza.envelope.carrier import check_media_type, check_name, check_twins, guess_media_type, open_carrier, require_carrier
from valiza.keys.errors import Malformed, Refused, Unavailable

GOOD = [
    "a",
    "letter.pdf",
    "письмо о границе.docx",
    "Құпия № 12-3.txt",
    ".hidden",
    "...three",
    "a" * 255,
    "я" * 127 + "a",
    "é",
    "CONSOLE",
    "COM",
    "COM10",
    "LPT",
    "NULL.txt",
    "con_.txt",
    "a.con",
    "x CON",
    "~",
    "-rf",
    "%2e%2e",
    "$HOME",
    "'quoted'",
    "`id`",
    "中文名.txt",
    "😀.png",
    "emoji\ufe0f",
]

BAD = {
    "empty": "",
    "dot": ".",
    "dots": "..",
    "path": "a/b",
    "absolute": "/etc/passwd",
    "parent": "../a",
    "backslash": "a\\b",
    "windows parent": "..\\a",
    "drive": "C:a",
    "stream": "a:b",
    "star": "a*",
    "question": "a?",
    "quote": 'a"',
    "less": "a<b",
    "greater": "a>b",
    "pipe": "a|b",
    "nul": "a\x00b",
    "newline": "a\nb",
    "tab": "a\tb",
    "escape": "a\x1b[2Jb",
    "delete": "a\x7f",
    "c1": "a\x9b",
    "soft hyphen": "a\u00adb",
    "zero width": "a\u200bb",
    "joiner": "a\u200db",
    "right-to-left override": "annex\u202etxt.exe",
    "isolate": "a\u2066b",
    "right-to-left mark": "a\u200f",
    "byte order mark": "\ufeffa",
    "line separator": "a\u2028b",
    "paragraph separator": "a\u2029b",
    "private use": "a\ue000b",
    "tag": "a\U000e0041",
    "surrogate": "a\ud800b",
    "space first": " a",
    "space last": "a ",
    "dot last": "a.",
    "only spaces": "  ",
    "not nfc": "e\u0301",
    "not nfc hangul": "\u1100\u1161",
    "too long": "a" * 256,
    "too long in bytes": "я" * 128,
    **{f"device {name}": name for name in ("CON", "con", "Prn", "AUX", "nul", "COM0", "com1", "COM9", "LPT0", "lpt9", "CONIN$", "conout$")},
    **{f"device {name}": name for name in ("NUL.txt", "nul.tar.gz", "CON .txt", "AUX  .a", "COM¹", "COM².txt", "lpt³")},
}


@pytest.mark.parametrize("name", GOOD)
def test_good_name(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("case", BAD)
def test_bad_name(case: str) -> None:
    with pytest.raises(Malformed, match="the carrier name"):
        check_name(BAD[case])


@pytest.mark.parametrize("value", [None, 1, b"a", ["a"]], ids=repr)
def test_name_that_is_no_string(value: object) -> None:
    with pytest.raises(Malformed):
        check_name(value)


FORBIDDEN: Final = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")


@given(st.text(max_size=20))
@example("\u202e")
def test_what_is_accepted_is_one_safe_leaf(name: str) -> None:
    try:
        check_name(name)
    except Malformed:
        return
    path = Path("/folder") / name
    assert path.name == name
    assert path.parent == Path("/folder")
    assert Path(os.path.normpath(path)) == path
    assert not any(unicodedata.category(c) in FORBIDDEN for c in name)
    assert unicodedata.normalize("NFC", name) == name
    assert name.strip(" ") == name
    assert not name.endswith(".")


@given(
    st.text(st.characters(exclude_categories=("Cn", "Cc", "Cf", "Cs", "Co", "Zl", "Zp"), exclude_characters='/\\:*?"<>|'), min_size=1, max_size=40)
)
def test_ordinary_names_are_accepted(drawn: str) -> None:
    name = unicodedata.normalize("NFC", f"x{drawn}x")
    assume(len(name.encode()) <= 255)
    assert check_name(name) == name


# -- twins ---------------------------------------------------------------------------------------------------------------

TWINS = {
    "case": ("Letter.txt", "letter.TXT"),
    "cyrillic case": ("Письмо", "письмо"),
    "sharp s": ("straße", "STRASSE"),
    "final sigma": ("ς", "σ"),
    "kelvin": ("\u212a", "k"),
    "ligature": ("ﬁ", "fi"),
    "folded to what is not nfc": ("\u01f0", "J\u030c"),
}


@pytest.mark.parametrize("case", TWINS)
def test_twins(case: str) -> None:
    with pytest.raises(Malformed, match="the same to some systems"):
        check_twins(["first", *TWINS[case]])


def test_one_name_twice_is_told_so() -> None:
    with pytest.raises(Malformed, match="two carriers have the name 'a'"):
        check_twins(["first", "a", "a"])


@pytest.mark.parametrize("names", [(), ("a",), ("a", "b"), ("a", "á"), ("е", "e"), ("a.txt", "a.tx")], ids=repr)
def test_no_twins(names: tuple[str, ...]) -> None:
    check_twins(names)


# -- media types ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["a/b", "text/plain", "application/vnd.a+b.c-d_e", "x!#$&^_.+-/1", "a/" + "b" * 125])
def test_good_media_type(value: str) -> None:
    assert check_media_type(value) == value


@pytest.mark.parametrize(
    "value", ["", "a", "/", "a/", "/b", "a/b/c", "Text/plain", "text/plain; x=y", "a /b", "a/b\n", "ж/b", "a/" + "b" * 126, None, b"a/b"]
)
def test_bad_media_type(value: object) -> None:
    with pytest.raises(Malformed, match="not a media type"):
        check_media_type(value)


@pytest.mark.parametrize("name", ["a.txt", "A.TXT", "a.tar.gz", "a", "a.unknown", "письмо.pdf", ".", ""])
def test_guess_is_always_well_formed(name: str) -> None:
    assert check_media_type(guess_media_type(name))


# -- files ---------------------------------------------------------------------------------------------------------------


def test_regular_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"content")
    with open_carrier(tmp_path / "a") as file:
        assert file.read() == b"content"


def test_links_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"content")
    for name, target in {"file": "a", "folder": ".", "nothing": "none", "itself": "itself"}.items():
        (tmp_path / name).symlink_to(target)
        with pytest.raises(Refused, match="symbolic link"):
            open_carrier(tmp_path / name)


def test_hard_link_is_a_regular_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"content")
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    with open_carrier(tmp_path / "b") as file:
        assert file.read() == b"content"


@pytest.mark.parametrize("path", ["/dev/null", "/dev/zero"])
def test_devices_are_refused(path: str) -> None:
    with pytest.raises(Refused, match="not a regular file"):
        open_carrier(Path(path))


def test_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="is a folder") as caught:
        open_carrier(tmp_path)
    assert "the files in it" in caught.value.hint


def test_pipe_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Refused, match="not a regular file"):
        open_carrier(tmp_path / "pipe")


def test_socket_is_refused() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{folder}/socket")
        with pytest.raises(Refused, match="not a regular file"):
            open_carrier(Path(folder) / "socket")


def test_file_that_was_put_in_its_place_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the first look and the opening: what is open is looked at again."""
    (tmp_path / "a").write_bytes(b"content")
    regular = (tmp_path / "a").lstat()
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.setattr(Path, "lstat", lambda _: regular)
    with pytest.raises(Refused, match="no regular file any more"):
        open_carrier(tmp_path / "pipe")


def test_link_that_was_put_in_its_place_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not followed, though it leads to a regular file."""
    (tmp_path / "a").write_bytes(b"content")
    regular = (tmp_path / "a").lstat()
    (tmp_path / "link").symlink_to("a")
    monkeypatch.setattr(Path, "lstat", lambda _: regular)
    with pytest.raises(Unavailable, match="symbolic links"):
        open_carrier(tmp_path / "link")


def test_file_that_is_not_there(tmp_path: Path) -> None:
    for look in (open_carrier, require_carrier):
        with pytest.raises(Unavailable, match="no such file"):
            look(tmp_path / "none")


@pytest.mark.parametrize("size", [0, 1, 65536, 65537, 3 << 20])
def test_bytes_of_a_file_that_can_be_sealed(tmp_path: Path, size: int) -> None:
    (tmp_path / "a").write_bytes(bytes(size))
    assert require_carrier(tmp_path / "a") == size


@pytest.mark.parametrize(("size", "fetched"), [(1, True), (65536, True), (65537, False)])
def test_only_a_small_file_is_fetched_before_it_is_sealed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, size: int, fetched: bool) -> None:
    told: list[int] = []
    monkeypatch.setattr(os, "posix_fadvise", lambda _descriptor, _offset, _length, advice: told.append(advice))
    (tmp_path / "a").write_bytes(bytes(size))
    assert require_carrier(tmp_path / "a") == size
    assert told == [os.POSIX_FADV_WILLNEED] * fetched


def test_what_is_refused_when_it_is_opened_is_refused_before(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("a")
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe", "."):
        with pytest.raises(Refused):
            require_carrier(tmp_path / name)


@pytest.mark.parametrize("name", ["//[", "http://[", "data:text/html,a", "a:b", "[", "a?b#c;d"])
def test_a_name_is_never_taken_for_a_url(name: str) -> None:
    assert guess_media_type(name) == "application/octet-stream"
    assert guess_media_type(f"{name}.TXT") == "text/plain"
