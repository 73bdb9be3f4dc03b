"""The build backend: what it writes depends on the sources alone. `.ci/run` builds the project itself three times and compares."""

from __future__ import annotations

import importlib.util
import io
import os
import subprocess
import tarfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from types import ModuleType

pytestmark = pytest.mark.checkout

TOOLS: Final = Path(__file__).resolve().parents[2] / "tools"
PROJECT: Final = """\
[build-system]
requires = ["setuptools"]
build-backend = "backend"
backend-path = ["tools"]

[project]
name = "parcel"
version = "1"
"""


@pytest.fixture(scope="module")
def backend() -> ModuleType:
    spec = importlib.util.spec_from_file_location("backend", TOOLS / "backend.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def project(folder: Path) -> Path:
    """A small project that is built by the backend."""
    (folder / "src" / "parcel").mkdir(parents=True)
    (folder / "src" / "parcel" / "__init__.py").write_text("NAME = 'parcel'\n", encoding="ascii")
    (folder / "pyproject.toml").write_text(PROJECT, encoding="ascii")
    return folder


def test_time_of_the_environment_comes_first(backend: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "SOURCE_DATE_EPOCH").write_text("1700000000\n", encoding="ascii")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1600000000")
    assert backend.source_date_epoch() == 1600000000


def test_time_of_a_source_distribution_is_in_its_file(backend: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    (tmp_path / "SOURCE_DATE_EPOCH").write_text("1700000000\n", encoding="ascii")
    assert backend.source_date_epoch() == 1700000000


def test_time_of_a_checkout_is_that_of_its_last_commit(backend: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    who = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.org"]
    dated = {**os.environ, "GIT_COMMITTER_DATE": "1500000000 +0600", "GIT_AUTHOR_DATE": "1400000000 +0600"}
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)  # noqa: S607 - git of the PATH
    subprocess.run(["git", *who, "commit", "--quiet", "--allow-empty", "-m", "First"], cwd=tmp_path, env=dated, check=True)  # noqa: S607 - the same
    monkeypatch.chdir(tmp_path)
    assert backend.source_date_epoch() == 1500000000

    inside = tmp_path / "lies" / "inside"  # sources that are no repository have nothing to do with the one they lie in
    inside.mkdir(parents=True)
    monkeypatch.chdir(inside)
    assert backend.source_date_epoch() == 315532800


def test_archives_tell_nothing_of_who_built_them_when_and_where(backend: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[list[bytes]] = []
    for name, umask, mtime in (("one", 0o022, 1000000000), ("other", 0o077, 1200000000)):
        before = os.umask(umask)
        try:
            folder = project(tmp_path / name)
            left = folder / "build" / "lib" / "parcel" / f"{name}.py"
            left.parent.mkdir(parents=True)
            left.write_text("left by an earlier build", encoding="ascii")
            for path in folder.rglob("*.py"):
                os.utime(path, (mtime, mtime))
            monkeypatch.chdir(folder)
            monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
            out = folder / "dist"
            built.append([(out / make(str(out))).read_bytes() for make in (backend.build_sdist, backend.build_wheel)])
        finally:
            os.umask(before)
    assert built[0] == built[1]
    sdist, wheel = built[0]
    with tarfile.open(fileobj=io.BytesIO(sdist)) as archive:
        assert archive.getnames() == [
            f"parcel-1{rest}" for rest in ("", "/PKG-INFO", "/SOURCE_DATE_EPOCH", "/pyproject.toml", "/src", "/src/parcel", "/src/parcel/__init__.py")
        ]
        assert {(m.uid, m.gid, m.uname, m.gname, m.mtime) for m in archive} == {(0, 0, "", "", 1700000000)}
        assert {oct(m.mode) for m in archive if m.isfile()} == {"0o644"}
    with zipfile.ZipFile(io.BytesIO(wheel)) as packed:
        assert [name for name in packed.namelist() if ".dist-info/" not in name] == ["parcel/__init__.py"]
        assert {(info.date_time, oct(info.external_attr >> 16)) for info in packed.infolist()} == {((2023, 11, 14, 22, 13, 20), "0o100644")}


def test_link_in_a_source_distribution_is_refused(backend: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "parcel-1.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        link = tarfile.TarInfo("parcel-1/link")
        link.type, link.linkname = tarfile.SYMTYPE, "/somewhere"
        archive.addfile(link)
    with pytest.raises(ValueError, match="neither a file nor a folder"):
        backend._write_sdist_anew(path, 1700000000)
