"""The house itself: layout, lock, vectors, index pages, and what a bare command may import."""

from __future__ import annotations

import ast
import hashlib
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final

import pytest
from packaging.requirements import Requirement

ROOT: Final = Path(__file__).parent.parent
VECTORS: Final = ROOT / "tests" / "vectors"
FOLDERS: Final = ("keys", "envelope", "register", "office", "cli")

# Each of these costs 50 ms or more, and belongs into the command that uses it.
TOO_HEAVY: Final = {
    "aiosmtpd",
    "alembic",
    "cattrs",
    "email",
    "fpdf",
    "holidays",
    "pkcs11",
    "psycopg",
    "pydantic",
    "reportlab",
    "rfc3161_client",
    "rich",
    "rich_click",
    "segno",
    "sqlalchemy",
    "weasyprint",
}


@pytest.mark.checkout
@pytest.mark.parametrize("name", FOLDERS)
def test_code_folder_is_linked(name: str) -> None:
    link = ROOT / "src" / "valiza" / name
    assert link.is_symlink(), "a clone without symlinks? See docs/decisions/001-symlink-layout.md"
    assert str(link.readlink()) == f"../../{name}"
    assert (ROOT / name / "__init__.py").is_file()
    assert (ROOT / name / "py.typed").is_file()


@pytest.mark.checkout
def test_valiza_is_a_namespace_of_the_code_folders_alone() -> None:
    assert sorted(path.name for path in (ROOT / "src" / "valiza").iterdir() if path.name != "__pycache__") == sorted(FOLDERS)


@pytest.mark.checkout
def test_nobody_imports_a_code_folder_by_its_bare_name() -> None:
    sources = [path for folder in (*FOLDERS, "tests", "bench", "soak", "specs") for path in (ROOT / folder).rglob("*.py")]
    assert sources
    bare = [f"{path.relative_to(ROOT)}: {name}" for path in sources for name in _imported(path) if name.split(".")[0] in FOLDERS]
    assert bare == []


def _imported(path: Path) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.append(node.module)
    return names


@pytest.mark.checkout
@pytest.mark.parametrize("folder", ["specs", "docs/decisions"])
def test_index_lists_every_page(folder: str) -> None:
    index = (ROOT / folder / "README.md").read_text(encoding="utf-8")
    pages = sorted(path.name for path in (ROOT / folder).glob("*.md") if path.name != "README.md")
    assert pages
    assert [page for page in pages if f"({page})" not in index] == []


@pytest.mark.checkout
def test_changelog_tells_what_is_unreleased() -> None:
    assert re.search(r"^## \[Unreleased\]\n+### ", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)


def test_vectors_of_others_are_all_there_and_unchanged() -> None:
    sums = [line.split("  ") for line in (VECTORS / "SHA256SUMS").read_text(encoding="ascii").splitlines()]
    expected = {name: digest for digest, name in sums}
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in VECTORS.glob("*.json")}
    assert found == expected
    index = (VECTORS / "README.md").read_text(encoding="utf-8")
    assert [name for name in expected if f"`{name}`" not in index] == []


def test_own_vectors_have_a_generator_and_an_independent_reader() -> None:
    generate = ROOT / "specs" / "vectors" / "generate"
    assert [name for name in ("generate.py", "reader.py") if not (generate / name).is_file()] == []


@pytest.mark.checkout
@pytest.mark.parametrize("name", ["requirements.lock", "requirements-bench.lock"])
def test_lock_names_no_host(name: str) -> None:
    lock = (ROOT / name).read_text(encoding="ascii")
    assert re.findall(r"^.*(?:://|--index-url|--extra-index-url|--find-links|--trusted-host).*$", lock, re.MULTILINE) == []


@pytest.mark.checkout
def test_lock_fits_pyproject() -> None:
    """Every direct dependency is locked at a version that pyproject.toml allows, and with hashes."""
    lock = (ROOT / "requirements.lock").read_text(encoding="ascii").replace("\\\n", " ")
    locked = dict(re.findall(r"^([a-z0-9-]+)==(\S+) .*--hash=sha256:", lock, re.MULTILINE))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    lists = [project["project"]["dependencies"], project["dependency-groups"]["dev"], project["build-system"]["requires"]]
    lists += project["project"]["optional-dependencies"].values()
    wanted = [Requirement(text) for texts in lists for text in texts]
    assert [str(want) for want in wanted if locked.get(want.name, "0") not in want.specifier] == []


@pytest.mark.checkout
@pytest.mark.parametrize("path", [".ci/run"])
def test_script_is_executable(path: str) -> None:
    assert os.access(ROOT / path, os.X_OK)


def test_help_imports_nothing_heavy() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "valiza.cli", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    imported = {line.rsplit("|", 1)[1].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "valiza.cli.main" in imported
    assert sorted(name for name in imported if name.split(".")[0] in TOO_HEAVY) == []
