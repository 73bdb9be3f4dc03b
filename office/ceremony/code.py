"""What leads a ceremony: the version, and the digest of the installed code, by its own word (specs/transcript.md, Tool)."""

from __future__ import annotations

import importlib.metadata
import platform
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from valiza.keys import labels
from valiza.keys.digests import digest
from valiza.keys.encoding import pack
from valiza.keys.errors import Refused, Unavailable
from valiza.keys.files import storage_errors
from valiza.keys.transcript import Tool

__all__ = ["code_digest", "installed_files", "this_tool"]

_CACHE: Final = "__pycache__"  # a command for ceremonies loads nothing from it: see cli/start.py
LIBRARIES: Final = ("blake3", "click", "cryptography", "msgpack", "pynacl")


def this_tool() -> Tool:
    """This program, on this machine."""
    from cryptography.hazmat.backends.openssl.backend import backend  # noqa: PLC0415 - where a ceremony is led only

    libraries = {name: _version(name) for name in LIBRARIES} | {"openssl": backend.openssl_version_text()}
    return Tool(
        version=_version("valiza"),
        code=code_digest(installed_files()),
        interpreter=f"{platform.python_implementation()} {platform.python_version()}",
        platform=platform.platform(),
        libraries=tuple(sorted(libraries.items())),
    )


def installed_files() -> dict[str, bytes]:
    """The files of the installed package: of each folder of `valiza`, by its path with slashes.

    Raises:
        Unavailable: one cannot be read. Refused: something lies there that is none of them, and that Python could execute in the place of one.
    """
    spec = find_spec("valiza")
    places = [] if spec is None else list(spec.submodule_search_locations or [])
    found: dict[str, bytes] = {}
    for place in places:
        with storage_errors(Path(place)):
            folders = sorted(Path(place).iterdir())
        for folder in folders:
            if folder.name == _CACHE:
                continue
            if not (folder / "__init__.py").is_file() or f"{folder.name}/__init__.py" in found:
                raise _stranger(folder)
            found |= {f"{folder.name}/{name}": data for name, data in _files(folder.resolve()).items()}
    if not found:
        message = "the files of the installed program are not to be found"
        raise Unavailable(message)
    return found


def _files(folder: Path) -> dict[str, bytes]:
    found = {}
    with storage_errors(folder):
        for path in sorted(folder.rglob("*")):
            inner = path.relative_to(folder)
            if _CACHE in inner.parts or (path.is_dir() and not path.is_symlink()):
                continue
            if path.is_symlink() or not path.is_file() or not (path.suffix in {".py", ".toml"} or path.name == "py.typed"):
                raise _stranger(path)
            found[inner.as_posix()] = path.read_bytes()
    return found


def _stranger(path: Path) -> Refused:
    message = f"{str(path)!r} is no file of this program, and Python could execute it in the place of one: no digest tells what leads the ceremony"
    return Refused(message, "remove it, or install the program anew where nothing lies")


def code_digest(files: dict[str, bytes]) -> bytes:
    """The digest of a program's files: over the array of [path, bytes], in the order of the paths."""
    return digest(labels.DIGEST_CODE, pack([[path, files[path]] for path in sorted(files, key=lambda path: path.encode("utf-8"))]))


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"
