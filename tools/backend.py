"""The build backend: setuptools, whose archives are then written anew, so that the same sources give the same bytes.

setuptools takes into its archives what says nothing about the sources: when, by whom and under which umask files were written, and what an earlier
build left. Here every time is SOURCE_DATE_EPOCH, every owner 0, every mode 0644 or 0755, and members are sorted. SOURCE_DATE_EPOCH is, in this order:
the variable of the environment; what the file of that name says, which a source distribution carries; the time of git's last commit.
docs/decisions/009-reproducible-builds.md says why this is not left to a library.
"""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import tarfile
import zipfile
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from setuptools import build_meta
from setuptools.build_meta import (
    build_editable,
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    get_requires_for_build_wheel,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
    "source_date_epoch",
]

EPOCH_FILE: Final = "SOURCE_DATE_EPOCH"
_EARLIEST: Final = 315532800  # 1980-01-01, the first day that a wheel can name


def source_date_epoch() -> int:
    """Seconds since 1970, the same for the same sources. The working directory is the top of the sources, as PEP 517 says."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given is None and Path(EPOCH_FILE).is_file():
        given = Path(EPOCH_FILE).read_text(encoding="ascii")
    if given is None and Path(".git").exists():  # never the commit of a repository in which the sources merely lie
        given = subprocess.run(["git", "log", "-1", "--format=%ct"], check=True, capture_output=True, text=True).stdout  # noqa: S607 - git of the PATH
    return max(int(given or _EARLIEST), _EARLIEST)


def build_sdist(sdist_directory: str, config_settings: Mapping[str, Any] | None = None) -> str:
    """The source distribution; returns its name."""
    epoch = _prepare()
    for listed in Path("src").glob("*.egg-info/SOURCES.txt"):
        listed.unlink()  # setuptools would add what an earlier build listed
    name = build_meta.build_sdist(sdist_directory, dict(config_settings or {}))
    _write_sdist_anew(Path(sdist_directory, name), epoch)
    return name


def build_wheel(wheel_directory: str, config_settings: Mapping[str, Any] | None = None, metadata_directory: str | None = None) -> str:
    """The wheel; returns its name."""
    _prepare()
    name = build_meta.build_wheel(wheel_directory, dict(config_settings or {}), metadata_directory)
    _write_wheel_anew(Path(wheel_directory, name))
    return name


def _prepare() -> int:
    epoch = source_date_epoch()
    os.environ["SOURCE_DATE_EPOCH"] = str(epoch)
    shutil.rmtree("build", ignore_errors=True)  # modules that are no more would get into the wheel
    return epoch


def _write_sdist_anew(path: Path, epoch: int) -> None:
    with tarfile.open(path) as old:
        members = [_member(old, info) for info in old.getmembers()]
    top = path.name.removesuffix(".tar.gz")
    members = [(info, content) for info, content in members if not _is_a_note(info.name.removeprefix(f"{top}/"))]
    members.append((tarfile.TarInfo(f"{top}/{EPOCH_FILE}"), f"{epoch}\n".encode()))
    result = BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=result, mtime=epoch) as packed, tarfile.open(fileobj=packed, mode="w") as new:
        for was, content in sorted(members, key=lambda member: member[0].name):
            info = tarfile.TarInfo(was.name)
            info.type, info.size, info.mtime = was.type, len(content), epoch
            info.mode = 0o755 if was.isdir() or was.mode & 0o100 else 0o644
            new.addfile(info, BytesIO(content))
    path.write_bytes(result.getvalue())


def _is_a_note(name: str) -> bool:
    """What setuptools writes into an archive for itself, and differently if it is there already."""
    return name == "setup.cfg" or ".egg-info" in name


def _member(archive: tarfile.TarFile, info: tarfile.TarInfo) -> tuple[tarfile.TarInfo, bytes]:
    if info.isdir():
        return info, b""
    file = archive.extractfile(info) if info.isreg() else None
    if file is None:
        message = f"{info.name} is neither a file nor a folder"
        raise ValueError(message)
    return info, file.read()


def _write_wheel_anew(path: Path) -> None:
    result = BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(result, "w", zipfile.ZIP_DEFLATED) as new:
        for was, content in _entries(old):
            info = zipfile.ZipInfo(was.filename, was.date_time)  # setuptools takes the time from SOURCE_DATE_EPOCH, and sorts
            info.create_system, info.compress_type, info.external_attr = 3, zipfile.ZIP_DEFLATED, 0o100644 << 16
            new.writestr(info, content)
    path.write_bytes(result.getvalue())


def _entries(archive: zipfile.ZipFile) -> Iterator[tuple[zipfile.ZipInfo, bytes]]:
    for info in archive.infolist():
        yield info, archive.read(info)
