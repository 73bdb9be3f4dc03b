"""What a program says of itself: the digest of its files, whatever folder they lie in."""

from __future__ import annotations

import marshal
import os
import shutil
import struct
import subprocess
import sys
from importlib.util import MAGIC_NUMBER, cache_from_source
from pathlib import Path
from typing import Final

import pytest
from tests.support.ceremony import written

import valiza.office.ceremony.code as code_module
from valiza.keys import labels
from valiza.keys.digests import digest
from valiza.keys.encoding import pack
from valiza.keys.errors import Refused
from valiza.office.ceremony.code import code_digest, installed_files, this_tool


def test_every_source_of_the_program_is_in_it() -> None:
    files = installed_files()
    assert {"keys/root.py", "office/ceremony/code.py", "cli/main.py", "keys/py.typed", "envelope/agreements/kz-by.toml"} <= set(files)
    assert files["office/ceremony/code.py"] == Path(code_module.__file__).read_bytes()
    assert {Path(name).suffix for name in files} <= {".py", ".toml", ".typed"}
    assert [name for name in files if "__pycache__" in name or name.startswith("/")] == []


def test_digest_is_over_paths_and_bytes_in_order() -> None:
    files = {"b/z.py": b"z", "a/x.py": b"x", "a/y.py": b""}
    expected = digest(labels.DIGEST_CODE, pack([["a/x.py", b"x"], ["a/y.py", b""], ["b/z.py", b"z"]]))
    assert code_digest(files) == expected
    others = [{**files, "a/x.py": b"y"}, {**files, "c.py": b""}, {"b/z.py": b"z", "a/x.py": b"x"}, {"b/z.py": b"", "a/x.py": b"x", "a/y.py": b"z"}]
    assert expected not in {code_digest(other) for other in others}


def copied(place: Path) -> Path:
    """The program's files in another folder, as they are installed from a wheel."""
    for name, data in installed_files().items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(data)
    return place


def found_in(place: Path, monkeypatch: pytest.MonkeyPatch, *more: Path) -> None:
    class Spec:
        submodule_search_locations = (str(place), *map(str, more))

    monkeypatch.setattr(code_module, "find_spec", lambda _name: Spec)


def test_a_copy_elsewhere_has_the_same_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a wheel: real folders in place of links, other times, and bytecode beside."""
    before = code_digest(installed_files())
    place = copied(tmp_path / "site" / "valiza")
    for path in place.rglob("*.py"):
        os.utime(path, (0, 0))
    shutil.copytree(place / "keys", place / "keys" / "__pycache__")
    (place / "__pycache__").mkdir()

    found_in(place, monkeypatch)
    assert code_digest(installed_files()) == before
    (place / "keys" / "root.py").write_bytes(b"# altered\n")
    assert code_digest(installed_files()) != before


def test_what_the_transcript_says_of_this_program() -> None:
    tool = this_tool()
    assert tool.code == code_digest(installed_files())
    assert [name for name, _ in tool.libraries] == sorted(name for name, _ in tool.libraries)
    assert {"cryptography", "pynacl", "openssl"} <= {name for name, _ in tool.libraries}
    assert this_tool() == tool


PLANTED: Final = (
    "keys/root.cpython-311-x86_64-linux-gnu.so",
    "keys/root.abi3.so",
    "keys/root.pyc",
    "keys/root/__init__.pyc",
    "office/ceremony/steps.so",
    "keys/notes.md",
    "__init__.py",
    "keys.py",
    "keys.so",
    "more/steps.py",
    "more.pth",
)


@pytest.mark.parametrize("name", PLANTED)
def test_what_python_could_execute_and_the_digest_would_not_tell(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = copied(tmp_path / "valiza")
    found_in(place, monkeypatch)
    before = code_digest(installed_files())
    (place / name).parent.mkdir(exist_ok=True)
    (place / name).write_bytes(b"")
    with pytest.raises(Refused, match="no file of this program"):
        installed_files()
    (place / name).unlink()
    if not any((place / name).parent.iterdir()):
        (place / name).parent.rmdir()
    assert code_digest(installed_files()) == before


def test_a_link_to_other_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = copied(tmp_path / "valiza")
    found_in(place, monkeypatch)
    (tmp_path / "other").mkdir()
    for target in (tmp_path / "other", place / "keys" / "root.py"):
        (place / "keys" / "more.py").symlink_to(target)
        with pytest.raises(Refused, match="no file of this program"):
            installed_files()
        (place / "keys" / "more.py").unlink()


def test_one_package_in_two_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one is executed; the digest is over neither."""
    first, second = copied(tmp_path / "one" / "valiza"), copied(tmp_path / "two" / "valiza")
    (first / "keys" / "root.py").write_bytes(b"# altered\n")
    found_in(first, monkeypatch, second)
    with pytest.raises(Refused, match="no file of this program"):
        installed_files()


def plant(path: Path, more: str) -> None:
    """Bytecode of something else in the cache of a source, which Python takes for that of the source: its time and size are in it."""
    stat = path.stat()
    cached = Path(cache_from_source(str(path)))
    cached.parent.mkdir(exist_ok=True)
    code = compile(path.read_text(encoding="utf-8") + more, str(path), "exec")
    cached.write_bytes(MAGIC_NUMBER + struct.pack("<III", 0, int(stat.st_mtime) & 0xFFFFFFFF, stat.st_size & 0xFFFFFFFF) + marshal.dumps(code))


@pytest.mark.slow
def test_bytecode_that_is_not_of_the_sources_is_not_executed(tmp_path: Path) -> None:
    """By a command for ceremonies. Another one does: so what is planted here would be executed."""
    place = copied(tmp_path / "valiza")
    planted = ("cli/main.py", "cli/ceremony.py", "keys/root.py", "office/ceremony/plan.py")
    for name in planted:
        plant(place / name, f"\nimport os; os.write(1, b'planted in {name}\\n')\n")
    (tmp_path / "root.toml").write_bytes(written())
    start = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from valiza.cli.start import main; main()"

    def said(*words: str) -> str:
        done = subprocess.run([sys.executable, "-c", start, *words], capture_output=True, text=True, cwd=tmp_path, check=True, timeout=60)
        return done.stdout

    assert "planted in cli/main.py" in said("--help")
    shown = said("ceremony", "show", "root.toml")
    assert "planted" not in shown
    assert "sign.root.aliya" in shown
