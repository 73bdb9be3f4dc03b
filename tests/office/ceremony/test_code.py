"""What a program says of itself: the digest of its files, whatever folder they lie in."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import valiza.office.ceremony.code as code_module
from valiza.keys import labels
from valiza.keys.digests import digest
from valiza.keys.encoding import pack
from valiza.office.ceremony.code import code_digest, installed_files, this_tool

if TYPE_CHECKING:
    import pytest


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


def test_a_copy_elsewhere_has_the_same_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a wheel: real folders in place of links, other times, and bytecode beside."""
    before = code_digest(installed_files())
    for name, data in installed_files().items():
        path = tmp_path / "site" / "valiza" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        os.utime(path, (0, 0))
    place = tmp_path / "site" / "valiza"
    shutil.copytree(place / "keys", place / "keys" / "__pycache__")
    (place / "notes.txt").write_text("x", encoding="ascii")
    (place / "keys" / "notes.md").write_text("x", encoding="ascii")

    class Spec:
        submodule_search_locations = (str(place),)

    monkeypatch.setattr(code_module, "find_spec", lambda _name: Spec)
    assert code_digest(installed_files()) == before
    (place / "keys" / "root.py").write_bytes(b"# altered\n")
    assert code_digest(installed_files()) != before


def test_what_the_transcript_says_of_this_program() -> None:
    tool = this_tool()
    assert tool.code == code_digest(installed_files())
    assert [name for name, _ in tool.libraries] == sorted(name for name, _ in tool.libraries)
    assert {"cryptography", "pynacl", "openssl"} <= {name for name, _ in tool.libraries}
    assert this_tool() == tool
